//! A sign of life: schema `heartbeat/1`.
//!
//! One JSON object in a line, signed ([`key`](crate::key) documents how, and how to check it). It has no number, is never kept, and says what
//! is so at this moment: a receiver that misses it knows that something is wrong, and one that has it holds the head of the log, against
//! which nobody can change what was recorded before. What is not known is `null`. [`JSON_SCHEMA`] describes every member and is closed.

use super::{IncidentId, Severity, TerminalCard, Time};
use serde::{Deserialize, Serialize};

/// The value of `schema`.
pub const SCHEMA: &str = "heartbeat/1";

/// The JSON Schema of a sign of life.
pub const JSON_SCHEMA: &str = include_str!("../../config/schema/heartbeat-1.json");

/// Open incidents that are named; the rest is counted.
const MOST_OPEN: usize = 12;
/// Centres that are named of one incident.
const MOST_CENTRES: usize = 4;

/// A sign of life, but for its signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// [`SCHEMA`].
    pub schema: String,
    /// Whose.
    pub terminal: TerminalCard,
    /// The life of the log.
    pub epoch: String,
    /// The last record that is on disk; 0 = none in this epoch yet.
    pub seq: u64,
    /// Its hash; 64 zeros with `seq` 0.
    pub hash: String,
    /// When.
    pub time: Time,
    /// How long the service has run, seconds.
    pub uptime_s: u64,
    /// Between two signs of life, about, seconds; the longest of all receivers'.
    pub interval_s: u64,
    /// Open incidents, the gravest first, and the oldest of those.
    pub open: Vec<OpenNow>,
    /// How many more are open.
    pub more_open: u64,
    /// Whether records reach the disk.
    pub log: LogNow,
    /// It is the last one of this run: why. `None` = the service goes on.
    pub goodbye: Option<Goodbye>,
    /// By which key it is signed; `None` = there is none, and no signature.
    pub key: Option<KeyCard>,
}

/// An incident that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenNow {
    /// Its name; `None` = its first record is not on disk yet.
    pub id: Option<IncidentId>,
    /// The code of its cause.
    pub code: String,
    /// How bad.
    pub severity: Severity,
    /// Its first sign, by the wall clock, right or wrong.
    pub since: jiff::Timestamp,
    /// The centres that it cuts off, a few of them.
    pub centres: Vec<String>,
}

/// Whether records reach the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogNow {
    /// They do.
    pub well: bool,
    /// Records that wait for the disk.
    pub waiting: u64,
    /// Records given up for want of a disk that no record accounts for yet.
    pub given_up: u64,
}

/// Why a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goodbye {
    /// It was asked to: the service manager, or a person.
    Signal,
    /// The terminal was taken out of service: nobody is to wait for more of it.
    Retired,
}

/// A public key, as it stands in what it signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCard {
    /// How it signs, such as `ed25519`.
    pub algorithm: String,
    /// Base64 of its DER encoding.
    pub public: String,
}

/// Of all open incidents those that are named, and how many more there are.
pub fn bounded(mut open: Vec<OpenNow>) -> (Vec<OpenNow>, u64) {
    open.sort_by_key(|incident| (std::cmp::Reverse(incident.severity), incident.since));
    let more = open.len().saturating_sub(MOST_OPEN);
    open.truncate(MOST_OPEN);
    for incident in &mut open {
        incident.centres.truncate(MOST_CENTRES);
    }
    (open, more as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_are_named_and_the_rest_is_counted() {
        let open = |n: i64, severity| OpenNow {
            id: None,
            code: format!("c{n}"),
            severity,
            since: jiff::Timestamp::from_second(1000 - n).expect("in range"),
            centres: vec!["c".to_owned(); 9],
        };
        let all = (0..20).map(|n| open(n, if n == 7 { Severity::Critical } else { Severity::Low })).collect();
        let (named, more) = bounded(all);
        assert_eq!((named.len(), more), (MOST_OPEN, 8));
        assert_eq!((named[0].code.as_str(), named[1].code.as_str(), named[0].centres.len()), ("c7", "c19", MOST_CENTRES));
    }
}
