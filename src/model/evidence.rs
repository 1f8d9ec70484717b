//! The statement of a bundle of evidence: schema `evidence/1`. Signed as a sign of life is, at the moment at which the bundle was made.

use super::{IncidentId, KeyCard, TerminalCard, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The value of `schema`.
pub const SCHEMA: &str = "evidence/1";

/// What the terminal vouches for, but for its signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// [`SCHEMA`].
    pub schema: String,
    /// What the bundle is called, and when it was packed: the time of its files.
    pub bundle: String,
    /// Version of the program that made it.
    pub made_by: String,
    /// Whose it is, by the last record.
    pub terminal: TerminalCard,
    /// When it was made.
    pub time: Time,
    /// What it is about.
    pub incident: IncidentId,
    /// The life of the log.
    pub epoch: String,
    /// The last record on the terminal's disk, which is the last in the bundle.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
    /// The unbroken stretches of the log in the bundle, in order. One = nothing is missing.
    pub stretches: Vec<Stretch>,
    /// SHA-256 of each file of the bundle but this one.
    pub files: BTreeMap<String, String>,
    /// By which key it is signed.
    pub key: KeyCard,
    /// By which people know that key.
    pub fingerprint: String,
}

/// Records that follow each other without a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// The life of the log.
    pub epoch: String,
    /// Number of the first.
    pub from: u64,
    /// Number of the last.
    pub to: u64,
    /// The hash that the first continues.
    pub before: String,
    /// Hash of the last.
    pub hash: String,
}
