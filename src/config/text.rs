//! Values that people write as text: durations (`15s`, `1.5s`, `200d`) and sizes (`64MiB`).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A text that is not what its key wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Not a number followed by `ms`, `s`, `m`, `h` or `d`.
    #[error("not a duration such as \"15s\"")]
    Duration,
    /// Not a number followed by `B`, `KiB`, `MiB` or `GiB`.
    #[error("not a size such as \"64MiB\"")]
    Size,
    /// Not `host:port`.
    #[error("not a server such as \"vpn.example:1194\"")]
    Server,
    /// Not a name or pattern of an interface.
    #[error("not an interface name or pattern such as \"ppp*\"")]
    Interface,
    /// Neither `auto` nor an IP address.
    #[error("neither \"auto\" nor an IP address")]
    Gateway,
    /// Neither `off` nor `address:port`.
    #[error("neither \"off\" nor an address and port such as \"127.0.0.1:8787\"")]
    Listen,
}

/// Units of time, the largest first, in milliseconds.
const TIME_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Durations as text, for `#[serde(with = "duration")]`.
pub mod duration {
    use super::{Duration, TIME_UNITS, TextError};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    /// Longest duration accepted: a hundred years, so that sums with any clock cannot overflow.
    const LONGEST: Duration = Duration::from_hours(100 * 366 * 24);

    /// Reads `15s`, `1.5s`, `500ms`, `2m`, `24h`, `200d`. Down to the millisecond; finer digits are refused, not rounded.
    pub fn parse(text: &str) -> Result<Duration, TextError> {
        let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or(TextError::Duration)?;
        let (number, unit) = text.split_at(unit_at);
        let (_, per_unit) = TIME_UNITS.iter().find(|(name, _)| *name == unit).ok_or(TextError::Duration)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
            return Err(TextError::Duration);
        }
        let whole: u64 = whole.parse().map_err(|_| TextError::Duration)?;
        let scale = 10_u64.pow(u32::try_from(fraction.len()).map_err(|_| TextError::Duration)?);
        let part = fraction.parse::<u64>().map_err(|_| TextError::Duration)?.checked_mul(*per_unit).ok_or(TextError::Duration)?;
        if part % scale != 0 {
            return Err(TextError::Duration);
        }
        let ms = whole.checked_mul(*per_unit).and_then(|ms| ms.checked_add(part / scale)).ok_or(TextError::Duration)?;
        Some(Duration::from_millis(ms)).filter(|length| *length <= LONGEST).ok_or(TextError::Duration)
    }

    /// Writes it in the largest unit that needs no fraction. Parts of a millisecond are dropped.
    pub fn render(length: Duration) -> String {
        let ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        match TIME_UNITS.iter().find(|(_, per_unit)| ms >= *per_unit && ms.is_multiple_of(*per_unit)) {
            Some((name, per_unit)) => format!("{}{name}", ms / per_unit),
            None => "0s".to_owned(),
        }
    }

    /// For serde.
    pub fn serialize<S: Serializer>(length: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&render(*length))
    }

    /// For serde.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A number of bytes, written `64MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ByteSize(pub u64);

const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl ByteSize {
    /// So many mebibytes.
    pub const fn mib(count: u32) -> Self {
        Self((count as u64) << 20)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SIZE_UNITS.iter().find(|(_, per_unit)| self.0 >= *per_unit && self.0.is_multiple_of(*per_unit)) {
            Some((name, per_unit)) => write!(f, "{}{name}", self.0 / per_unit),
            None => f.write_str("0B"),
        }
    }
}

impl FromStr for ByteSize {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let (name, per_unit) = SIZE_UNITS.iter().find(|(name, _)| text.ends_with(name)).ok_or(TextError::Size)?;
        let number = &text[..text.len() - name.len()];
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(TextError::Size);
        }
        number.parse::<u64>().ok().and_then(|count| count.checked_mul(*per_unit)).map(Self).ok_or(TextError::Size)
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.to_string()
    }
}

impl TryFrom<String> for ByteSize {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        text.parse()
    }
}

/// Exactly `length` bytes, from hexadecimal digits or base64 (either alphabet), blanks passed over.
pub fn bytes(text: &str, length: usize) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if text.len() == 2 * length && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return (0..length).map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()).collect();
    }
    let (mut found, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        (held, bits) = (held << 6 | u32::from(value), bits + 6);
        if bits >= 8 {
            bits -= 8;
            found.push(u8::try_from(held >> bits & 0xff).unwrap_or_default());
            held &= (1 << bits) - 1;
        }
    }
    (found.len() == length).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_in_every_unit() {
        let cases =
            [("15s", 15_000), ("2m", 120_000), ("1.5s", 1500), ("500ms", 500), ("200d", 17_280_000_000), ("24h", 86_400_000), ("0s", 0)];
        for (text, ms) in cases {
            assert_eq!(duration::parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in
            ["", "15", "s", "15 s", "-1s", "1.s", ".5s", "1.5.5s", "15秒", "1S", "0.5ms", "99999999999999999999s", "1000000d", "1e3s"]
        {
            assert_eq!(duration::parse(text), Err(TextError::Duration), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_and_nonsense_is_refused() {
        assert_eq!("64MiB".parse(), Ok(ByteSize::mib(64)));
        assert_eq!("10B".parse(), Ok(ByteSize(10)));
        for text in ["", "64", "64MB", "-1B", "1.5MiB", "99999999999GiB", "MiB", "64 MiB"] {
            assert_eq!(text.parse::<ByteSize>(), Err(TextError::Size), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ms in 0_u64..100 * 365 * 86_400_000, bytes: u64) {
            let length = Duration::from_millis(ms);
            prop_assert_eq!(duration::parse(&duration::render(length)), Ok(length));
            prop_assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
        }

    }

    mod any_bytes {
        use super::*;
        use crate::config::{IfPattern, ServerName};
        use crate::testing::{cases, hostile};

        fn seeds() -> Vec<Vec<u8>> {
            ["15s", "64MiB", "[fd00::1]:1194", "vpn.centre.example:1194", "ppp*"].map(|text| text.as_bytes().to_vec()).to_vec()
        }

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_value_are_taken_or_refused(bytes in hostile(seeds(), 40)) {
                let text = String::from_utf8_lossy(&bytes);
                let _ = duration::parse(&text);
                let _ = text.parse::<ByteSize>();
                if let Ok(server) = text.parse::<ServerName>() {
                    prop_assert_eq!(server.to_string().parse(), Ok(server));
                }
                if let Ok(pattern) = text.parse::<IfPattern>() {
                    let _ = pattern.matches("ppp0");
                }
            }
        }
    }
}
