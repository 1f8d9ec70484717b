//! The end of a terminal's service: what stays on the PC, and what is signed last.

use super::{KeyCard, TerminalCard, Time};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Of [`Retired`].
pub const RETIRED_SCHEMA: &str = "retired/1";
/// Of [`FinalStatement`].
pub const FINAL_SCHEMA: &str = "retirement/1";

/// That a terminal was taken out of service. While this stands in its state directory, no service starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retired {
    /// [`RETIRED_SCHEMA`].
    pub schema: String,
    /// When, by the wall clock.
    pub at: Timestamp,
    /// Who took it out.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The last record of its log; `None` = the service did not run, so that none could be written.
    pub last: Option<LastRecord>,
    /// Since when its records are wiped from the PC; `None` = they are kept.
    pub wiped: Option<Timestamp>,
}

/// A record, by place and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastRecord {
    /// The epoch of the log.
    pub epoch: String,
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// What the terminal's key signs last: of which bytes the export is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinalStatement {
    /// [`FINAL_SCHEMA`].
    pub schema: String,
    /// The version of this program.
    pub made_by: String,
    /// Which terminal.
    pub terminal: TerminalCard,
    /// When it was made.
    pub time: Time,
    /// Since when, by whom, why.
    pub retired: Retired,
    /// SHA-256 of each other file of the export, by its name below it.
    pub files: BTreeMap<String, String>,
    /// The key that signs.
    pub key: KeyCard,
    /// Its fingerprint.
    pub fingerprint: String,
}
