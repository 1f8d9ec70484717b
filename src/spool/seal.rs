//! Bytes that prove themselves: one line of JSON that ends in the SHA-256 of what stands before. Pure.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::fmt;

/// Between the body and its hash.
const HASH: &[u8] = b",\"hash\":\"";
/// Between the record and the hash of the one before.
const PREV: &[u8] = b",\"prev_hash\":\"";
/// Hex digits of a hash.
const HEX: usize = 64;
/// From `,"hash":` to the closing brace.
const HASH_PART: usize = HASH.len() + HEX + 2;
/// From `,"prev_hash":` to its closing quote.
const PREV_PART: usize = PREV.len() + HEX + 1;

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// What stands before the first record of an epoch.
    pub const ZERO: Self = Self([0; 32]);

    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// From 64 lower-case hex digits; anything else is `None`, upper case included, so that one hash has one spelling.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        let nibble = |c: u8| match c {
            b'0'..=b'9' => Some(c - b'0'),
            b'a'..=b'f' => Some(c - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 32];
        let (pairs, []) = text.as_chunks::<2>() else { return None };
        if pairs.len() != bytes.len() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(from)?;
        Self::from_hex(text.as_bytes()).ok_or_else(|| serde::de::Error::custom("not a hash of 64 hex digits"))
    }
}

/// What does not fit about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It does not end as a line does.
    #[error("does not end in a hash")]
    Unsealed,
    /// The hash is not that of the bytes before it.
    #[error("the hash does not fit the content")]
    Hash,
    /// The hash fits and the content is no record.
    #[error("is not a record")]
    Content,
}

/// Seals one JSON object, given as `{...}` with at least one member: the line with its line feed.
pub fn seal(object: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(object.len() + HASH_PART + 1);
    line.extend_from_slice(object.strip_suffix(b"}").unwrap_or(object));
    close(&mut line, 0);
    line
}

/// Appends a record to a batch, chained to the one before, and gives its hash.
pub fn append(batch: &mut Vec<u8>, object: &[u8], prev: &Digest) -> Digest {
    let start = batch.len();
    batch.extend_from_slice(object.strip_suffix(b"}").unwrap_or(object));
    batch.extend_from_slice(PREV);
    batch.extend_from_slice(prev.to_string().as_bytes());
    batch.push(b'"');
    close(batch, start)
}

/// Closes the line that begins at `start`.
fn close(line: &mut Vec<u8>, start: usize) -> Digest {
    let hash = Digest::of(&line[start..]);
    line.extend_from_slice(HASH);
    line.extend_from_slice(hash.to_string().as_bytes());
    line.extend_from_slice(b"\"}\n");
    hash
}

/// Checks a sealed line without its line feed; gives what the hash covers (without the closing brace) and the hash.
fn open(line: &[u8]) -> Result<(&[u8], Digest), Broken> {
    let (body, tail) = line.split_at_checked(line.len().wrapping_sub(HASH_PART)).ok_or(Broken::Unsealed)?;
    let hex = tail.strip_prefix(HASH).and_then(|rest| rest.strip_suffix(b"\"}")).ok_or(Broken::Unsealed)?;
    let hash = Digest::from_hex(hex).ok_or(Broken::Unsealed)?;
    if Digest::of(body) == hash { Ok((body, hash)) } else { Err(Broken::Hash) }
}

/// Opens a file that is one sealed line, line feed included. Its `hash` member is left in for the reader to ignore.
pub fn unseal<T: serde::de::DeserializeOwned>(file: &[u8]) -> Result<T, Broken> {
    let line = file.strip_suffix(b"\n").ok_or(Broken::Unsealed)?;
    open(line)?;
    serde_json::from_slice(line).map_err(|_| Broken::Content)
}

/// A line of the log that proves itself. Says nothing yet about whether it belongs where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Line<'a> {
    /// All of it, without the line feed.
    pub bytes: &'a [u8],
    /// Its hash.
    pub hash: Digest,
    /// What it says the hash of the one before is.
    pub prev: Digest,
    /// Its epoch.
    pub epoch: Cow<'a, str>,
    /// Its number.
    pub seq: u64,
    /// The incident it is about, and that incident's phase, as written.
    pub incident: Option<(Cow<'a, str>, Cow<'a, str>)>,
    /// What it says about the agent: left open, so that the event of a later version is no damage.
    pub agent: Option<serde_json::Value>,
}

/// What the log itself needs of a record. Other members are none of its business.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    epoch: Cow<'a, str>,
    seq: u64,
    #[serde(borrow, default)]
    incident: Option<Card<'a>>,
    #[serde(default)]
    agent: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Card<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    phase: Cow<'a, str>,
}

impl<'a> Line<'a> {
    /// Checks the bytes of a line, without its line feed.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Broken> {
        let (body, hash) = open(bytes)?;
        let (_, tail) = body.split_at_checked(body.len().wrapping_sub(PREV_PART)).ok_or(Broken::Content)?;
        let hex = tail.strip_prefix(PREV).and_then(|rest| rest.strip_suffix(b"\"")).ok_or(Broken::Content)?;
        let prev = Digest::from_hex(hex).ok_or(Broken::Content)?;
        let head: Head<'a> = serde_json::from_slice(bytes).map_err(|_| Broken::Content)?;
        let incident = head.incident.map(|card| (card.id, card.phase));
        Ok(Self { bytes, hash, prev, epoch: head.epoch, seq: head.seq, incident, agent: head.agent })
    }

    /// All it says.
    pub fn record(&self) -> Result<crate::model::Record, Broken> {
        serde_json::from_slice(self.bytes).map_err(|_| Broken::Content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Vec<u8> {
        let mut batch = Vec::new();
        append(&mut batch, br#"{"epoch":"e","seq":3,"kind":"agent","agent":{"event":"started"}}"#, &Digest::of(b"x"));
        batch
    }

    #[test]
    fn a_line_reads_back_and_its_hash_covers_the_bytes_before_it() {
        let bytes = line();
        let line = Line::read(bytes.strip_suffix(b"\n").expect("ends a line")).expect("whole");
        assert_eq!((line.epoch.as_ref(), line.seq, line.prev), ("e", 3, Digest::of(b"x")));
        let text = std::str::from_utf8(&bytes).expect("text");
        let (body, rest) = text.split_once(",\"hash\":").expect("the hash");
        assert_eq!(rest, format!("\"{}\"}}\n", Digest::of(body.as_bytes())));
    }

    #[test]
    fn no_bit_of_a_line_can_be_changed() {
        let bytes = line();
        let whole = bytes.len() - 1;
        for at in 0..whole {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert!(Line::read(&changed[..whole]).is_err(), "bit {bit} of byte {at}");
            }
        }
        assert!((0..whole).all(|end| Line::read(&bytes[..end]).is_err()));
    }

    #[test]
    fn a_sealed_file_is_whole_or_not_opened() {
        #[derive(Deserialize, PartialEq, Debug)]
        struct Small {
            n: u8,
        }
        let file = seal(br#"{"n":7}"#);
        assert_eq!(unseal::<Small>(&file), Ok(Small { n: 7 }));
        assert!((0..file.len()).all(|end| unseal::<Small>(&file[..end]).is_err()));
        assert_eq!(unseal::<Small>(&seal(br#"{"m":7}"#)), Err(Broken::Content));
    }

    #[test]
    fn a_digest_has_one_spelling() {
        let digest = Digest::of(b"a");
        assert_eq!(Digest::from_hex(digest.to_string().as_bytes()), Some(digest));
        assert_eq!(Digest::from_hex(digest.to_string().to_uppercase().as_bytes()), None);
        assert_eq!(Digest::from_hex(b"ab"), None);
    }
}
