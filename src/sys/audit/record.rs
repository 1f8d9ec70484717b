//! Lines of the audit, and what they say together: one line says who made which call, another of the same number what it did to the clock. Pure.

use std::collections::VecDeque;

/// `AUDIT_SYSCALL`: who called what.
pub(super) const SYSCALL: u16 = 1300;
/// `AUDIT_TIME_INJOFFSET`: the clock jumped, though the call is one that mostly only asks.
pub(super) const INJECTED: u16 = 1332;
/// `AUDIT_TIME_ADJNTPVAL`: its pace was changed, or other things of its keeping.
pub(super) const NTP_VALUE: u16 = 1333;

/// Of this many events halves are kept.
const HALVES: usize = 32;
/// No path is longer.
const LONGEST: usize = 4096;

/// Which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// Gives the clock a time.
    Set,
    /// The same for `settimeofday`, which may also set nothing but the kernel's time zone.
    SetOfDay,
    /// The same for one clock of several.
    SetOne,
    /// May do anything to the clock, and mostly only asks.
    Adjust,
    /// The same for one clock of several.
    AdjustOne,
}

/// The native calls, and those of 32-bit programs on x86-64 (`AUDIT_ARCH_I386`).
const I386: u32 = 0x4000_0003;
const I386_CALLS: [(i64, Call); 7] = [
    (25, Call::Set),
    (79, Call::SetOfDay),
    (124, Call::Adjust),
    (264, Call::SetOne),
    (343, Call::AdjustOne),
    (404, Call::SetOne),
    (405, Call::AdjustOne),
];

#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xC000_00B7;
#[cfg(target_arch = "loongarch64")]
const NATIVE: u32 = 0xC000_0102;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "loongarch64")))]
const NATIVE: u32 = 0;

/// The first four characters from the number of each call on, of all that are known here: what the kernel's sieve lets through.
#[cfg(target_arch = "x86_64")]
pub(super) const CLOCK_CALLS: &[&[u8; 4]] =
    &[b"164 ", b"159 ", b"227 ", b"305 ", b"25 s", b"79 s", b"124 ", b"264 ", b"343 ", b"404 ", b"405 "];
/// The calls of machines that came later have the same numbers on all of them.
#[cfg(not(target_arch = "x86_64"))]
pub(super) const CLOCK_CALLS: &[&[u8; 4]] = &[b"170 ", b"171 ", b"112 ", b"266 "];

#[allow(clippy::useless_conversion, reason = "the numbers have 32 bits on some machines")]
fn call(arch: u32, number: i64) -> Option<Call> {
    if arch == I386 {
        return I386_CALLS.iter().find(|(known, _)| *known == number).map(|(_, call)| *call);
    }
    let native = [
        (libc::SYS_settimeofday, Call::SetOfDay),
        (libc::SYS_clock_settime, Call::SetOne),
        (libc::SYS_adjtimex, Call::Adjust),
        (libc::SYS_clock_adjtime, Call::AdjustOne),
    ];
    native.iter().find(|(known, _)| arch == NATIVE && i64::from(*known) == number).map(|(_, call)| *call)
}

/// What was done to the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changed {
    /// It was given another time.
    Time,
    /// Another length of its tick.
    Rate,
}

/// Somebody changed the clock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClockAct {
    /// What was done.
    pub changed: Changed,
    /// The program's file.
    pub file: String,
    /// The user who logged in, whoever he became later; `None` = nobody did: a service.
    pub login: Option<u32>,
}

/// What one line says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    /// Who made a call that gives the clock a time.
    Sets(Doer),
    /// Who made one that may do so.
    MaySet(Doer),
    /// What a call did.
    Did(Changed),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Doer {
    file: String,
    login: Option<u32>,
}

/// Lines of which the other half is not there yet, by the event's number.
#[derive(Debug, Default)]
pub(super) struct Events(VecDeque<(u64, Line)>);

impl Events {
    /// Takes a message in. Which half comes first is another with each kernel.
    pub(super) fn take(&mut self, message: &[u8]) -> Option<ClockAct> {
        let (event, line) = read(message)?;
        let act = |changed, doer: Doer| ClockAct { changed, file: doer.file, login: doer.login };
        let line = match line {
            Line::Sets(doer) => return Some(act(Changed::Time, doer)),
            half => half,
        };
        let other = self.0.iter().find_map(|(other, earlier)| match (earlier, &line) {
            (Line::MaySet(doer), Line::Did(changed)) | (Line::Did(changed), Line::MaySet(doer)) if *other == event => {
                Some(act(*changed, doer.clone()))
            }
            _ => None,
        });
        // A call may do both, and who made it is asked for again.
        self.0.push_back((event, line));
        self.0.drain(..self.0.len().saturating_sub(HALVES));
        other
    }
}

/// The number of the event and what its line says; `None` = nothing about the clock, or not to be understood.
fn read(message: &[u8]) -> Option<(u64, Line)> {
    let half = |at: usize| Some(u16::from_ne_bytes(message.get(at..at + 2)?.try_into().ok()?));
    let kind = half(4)?;
    let text = String::from_utf8_lossy(message.get(16..)?);
    let (stamp, fields) = text.trim_end_matches('\0').strip_prefix("audit(")?.split_once("):")?;
    let event = stamp.rsplit_once(':')?.1.parse().ok()?;
    let field = |name: &str| {
        fields.split_whitespace().find_map(|field| field.split_once('=').filter(|(key, _)| *key == name)).map(|(_, value)| value)
    };
    let line = match kind {
        SYSCALL => {
            let hex = |name| u64::from_str_radix(field(name)?, 16).ok();
            let call = call(u32::try_from(hex("arch")?).ok()?, field("syscall")?.parse().ok()?)?;
            let doer = Doer { file: unquoted(field("exe")?)?, login: field("auid")?.parse().ok().filter(|login| *login != u32::MAX) };
            if field("success")? != "yes" {
                return None;
            }
            match (call, hex("a0")?) {
                (Call::Set, _) | (Call::SetOne, 0) => Line::Sets(doer),
                (Call::SetOfDay, time) if time != 0 => Line::Sets(doer),
                (Call::Adjust, _) | (Call::AdjustOne, 0) => Line::MaySet(doer),
                // Another clock, or the time zone.
                (Call::SetOfDay | Call::SetOne | Call::AdjustOne, _) => return None,
            }
        }
        INJECTED => Line::Did(Changed::Time),
        NTP_VALUE if field("op")? == "tick" => Line::Did(Changed::Rate),
        _ => return None,
    };
    Some((event, line))
}

/// `"/usr/bin/date"`, or in hexadecimal digits where it holds what a line cannot.
fn unquoted(value: &str) -> Option<String> {
    if let Some(inner) = value.strip_prefix('"') {
        return inner.strip_suffix('"').map(str::to_owned);
    }
    if value.len() > 2 * LONGEST || value.is_empty() || !value.len().is_multiple_of(2) {
        return None;
    }
    let digits = value.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    Some(String::from_utf8_lossy(&digits.collect::<Option<Vec<u8>>>()?).into_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const SET: &str = r#"audit(1795154400.123:456): arch=c000003e syscall=227 success=yes exit=0 a0=0 a1=7ffd5f2f6c10 a2=0 a3=0 items=0 ppid=301 pid=302 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm="date" exe="/usr/bin/date" subj=unconfined key="time-change""#;

    /// As the kernel sends it.
    pub(crate) fn message(kind: u16, text: &str) -> Vec<u8> {
        let mut bytes = u32::try_from(16 + text.len()).expect("short").to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(text.as_bytes());
        bytes
    }

    fn heard(lines: &[(u16, String)]) -> Vec<ClockAct> {
        let mut events = Events::default();
        lines.iter().filter_map(|(kind, text)| events.take(&message(*kind, text))).collect()
    }

    fn act(changed: Changed, file: &str, login: Option<u32>) -> ClockAct {
        ClockAct { changed, file: file.to_owned(), login }
    }

    fn one(text: &str) -> Vec<ClockAct> {
        heard(&[(SYSCALL, text.to_owned())])
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn who_set_the_clock_is_read_from_one_line() {
        assert_eq!(one(SET), [act(Changed::Time, "/usr/bin/date", Some(1000))]);
        assert_eq!(one(&SET.replace("auid=1000", "auid=4294967295"))[0].login, None);
        assert_eq!(one(&SET.replace("\"/usr/bin/date\"", "2F6F70742F686973E7BBB4"))[0].file, "/opt/his维");
        assert_eq!(one(&SET.replace("syscall=227 ", "syscall=164 ").replace("a0=0", "a0=7ffd5f2f6c10")).len(), 1);
        assert_eq!(one(&SET.replace("c000003e syscall=227", "40000003 syscall=79").replace("a0=0", "a0=ff8")).len(), 1, "a 32-bit program");
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn what_sets_no_clock_is_none() {
        for (from, to) in [
            ("success=yes", "success=no"),
            ("syscall=227", "syscall=59"),
            // The time zone only; a clock of a network card; an unknown machine's numbers.
            ("syscall=227", "syscall=164"),
            ("a0=0", "a0=ffffffd3"),
            ("arch=c000003e", "arch=c00000b7"),
            ("exe=\"/usr/bin/date\"", "exe=(null)"),
            ("audit(", "odd("),
        ] {
            assert_eq!(one(&SET.replace(from, to)), [], "{to}");
        }
        assert_eq!(heard(&[(1302, SET.to_owned())]), []);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_call_that_mostly_asks_counts_with_what_it_did_in_either_order_and_not_alone() {
        let asks = (SYSCALL, SET.replace("syscall=227", "syscall=305"));
        let did = |number: u32, kind, what: &str| (kind, format!("audit(1795154400.123:{number}): {what}"));
        assert_eq!(heard(std::slice::from_ref(&asks)), []);
        let jumped = did(456, INJECTED, "sec=3600 nsec=0");
        let told = [act(Changed::Time, "/usr/bin/date", Some(1000))];
        assert_eq!(heard(&[asks.clone(), jumped.clone()]), told);
        assert_eq!(heard(&[jumped, asks.clone()]), told);
        assert_eq!(heard(&[asks.clone(), did(457, INJECTED, "sec=3600 nsec=0")]), [], "another's");
        let tick = did(456, NTP_VALUE, "op=tick old=10000 new=11000");
        assert_eq!(heard(&[asks.clone(), did(456, NTP_VALUE, "op=status old=64 new=0"), tick])[0].changed, Changed::Rate);
        let mut events = Events::default();
        events.take(&message(asks.0, &asks.1));
        for number in 0..100 {
            let (kind, text) = did(1000 + number, INJECTED, "sec=1 nsec=0");
            events.take(&message(kind, &text));
        }
        assert_eq!(events.0.len(), HALVES, "halves are not kept for ever");
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]
            #[test]
            fn a_line_is_read_or_refused(bytes in hostile(vec![message(SYSCALL, SET), message(INJECTED, "audit(1.2:3): sec=1 nsec=0")], 1024)) {
                let mut events = Events::default();
                if let Some(act) = events.take(&bytes) {
                    prop_assert!(act.file.len() <= 3 * LONGEST && act.changed == Changed::Time);
                }
                prop_assert!(events.0.len() <= 1);
            }
        }
    }
}
