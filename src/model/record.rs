//! What is written to the log and shipped: schema `incident/1`.
//!
//! One JSON object a line. Everything up to `,"hash":` is what the hash covers, `prev_hash` included; see [`spool`](crate::spool) for the
//! line itself. The engine makes a [`Draft`]; whoever writes it gives it its place (epoch, seq) and its event id.

use super::{Actor, Change, Evidence, Incident, IncidentId, IncidentKind, KnownCause, Phase, Severity, Stamp};
use serde::{Deserialize, Serialize};

/// The value of `schema`.
pub const SCHEMA: &str = "incident/1";

/// Something to be recorded, not yet in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// When it happened.
    pub at: Stamp,
    /// What happened.
    pub what: What,
}

/// What there is to record.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// An incident opened, changed or ended.
    Incident(Box<Incident>),
    /// Something about the agent itself.
    Agent(AgentEvent),
}

/// What happens to the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AgentEvent {
    /// It began to watch.
    Started,
    /// It ended in good order.
    Stopped {
        /// `signal` or `retired`.
        reason: String,
    },
    /// It was not running between two stamps and did not say goodbye.
    Gap {
        /// The last sign of the earlier run: wall clock.
        last_seen: jiff::Timestamp,
        /// How long, by a clock that cannot be set; `None` across a reboot.
        length_ms: Option<u64>,
        /// The machine was started anew in between.
        rebooted: bool,
    },
    /// The effective configuration is another one.
    PolicyChanged {
        /// Digest of the one before; `None` = the first.
        from: Option<String>,
        /// Digest of the one in force.
        to: String,
        /// Keys that were switched off or weakened.
        weakened: Vec<String>,
    },
    /// Records were given up: the log says how many and what bridges the chain.
    SpoolGap {
        /// The epoch of the numbers.
        epoch: String,
        /// First number that is gone.
        from: u64,
        /// Last number that is gone.
        to: u64,
        /// `cap`, `retention` or `damage`.
        reason: String,
        /// `prev_hash` of the first record that is gone; `None` where it could not be read.
        before: Option<String>,
        /// `hash` of the last record that is gone.
        after: Option<String>,
    },
    /// Repeats were joined or dropped before they were written, for want of space.
    Coalesced {
        /// How many.
        count: u64,
    },
    /// The end of the log was cut off in the middle of a record, as by a power cut: set aside, not an act of anybody.
    TornTail {
        /// Bytes set aside.
        bytes: u64,
    },
    /// The log is not as it was written.
    Tampered {
        /// The file.
        file: String,
        /// The first line that does not fit, from 1.
        line: u64,
        /// What does not fit.
        why: String,
    },
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: String,
    /// UUID version 7.
    pub event_id: String,
    /// The life of this log: another one after it was lost or the disk was cloned.
    pub epoch: String,
    /// Gapless from 1 within the epoch.
    pub seq: u64,
    /// Whose.
    pub terminal: TerminalCard,
    /// When.
    pub time: Time,
    /// What.
    #[serde(flatten)]
    pub body: Body,
}

/// The part that differs by kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Body {
    /// An incident.
    Incident(Box<IncidentBody>),
    /// The agent itself.
    Agent {
        /// How much it matters.
        severity: Severity,
        /// What.
        agent: AgentEvent,
    },
}

/// The part of a record that is about an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentBody {
    /// Which one, and where it stands.
    pub incident: IncidentCard,
    /// Its cause.
    pub cause: KnownCause,
    /// The article it touches; `None` without a rule set.
    pub rule: Option<RuleReference>,
    /// Whose doing it is; `None` for what is nobody's.
    pub origin: Option<String>,
    /// The shop's own statements.
    pub comments: Vec<String>,
    /// Who acts.
    pub who_acts: Vec<Actor>,
    /// What to do: a key of the catalogue.
    pub remedy: Remedy,
    /// What proves it.
    pub evidence: Vec<Evidence>,
    /// The grant that covers it.
    pub grant: Option<String>,
}

/// Which incident, and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentCard {
    /// Its name.
    pub id: IncidentId,
    /// What makes it this incident.
    pub fingerprint: String,
    /// What it is.
    pub kind: IncidentKind,
    /// Where it stands.
    pub phase: Phase,
    /// Counts its records, from 1.
    pub rev: u32,
    /// The record that opened it.
    pub opened_seq: u64,
    /// Why this record was written.
    pub change: Change,
    /// How often it came.
    pub occurrences: u32,
    /// It comes and goes.
    pub flapping: bool,
    /// The disconnection that covers it.
    pub part_of: Option<IncidentId>,
    /// Why it ended.
    pub resolution: Option<Change>,
    /// The centres it cuts off.
    pub centres: Vec<String>,
    /// Its first sign.
    pub since: Time,
    /// From the first sign to this record; `None` across a reboot.
    pub duration_ms: Option<u64>,
    /// It began in an announced window: the window's note.
    pub planned: Option<String>,
}

/// A key of the catalogue with what fills its gaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    /// The code whose steps apply.
    pub key: String,
    /// What the steps name.
    pub args: std::collections::BTreeMap<String, String>,
}

/// An article of a rule set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleReference {
    /// Which set.
    pub set: String,
    /// Who issued it.
    pub issuer: String,
    /// Its version.
    pub version: String,
    /// The article.
    pub article: String,
}

/// Whose record it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TerminalCard {
    /// The terminal's id; `None` = the system has no machine id and none is configured.
    pub id: Option<String>,
    /// The institution's code.
    pub institution: Option<String>,
    /// Where it stands.
    pub site: Option<String>,
    /// Region code.
    pub region: Option<String>,
    /// Line provider.
    pub line: Option<String>,
    /// Kind of institution.
    pub kind: crate::config::TerminalKind,
    /// Version of this program.
    pub agent: String,
    /// Digest of the configuration in force.
    pub policy: String,
}

/// When, in clocks that survive a wrong date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Time {
    /// The wall clock, right or wrong.
    pub wall: jiff::Timestamp,
    /// Which boot.
    pub boot_id: String,
    /// Milliseconds since that boot, suspend included.
    pub boot_ms: u64,
    /// What the kernel says of the wall clock.
    pub clock: super::ClockState,
}

impl From<&Stamp> for Time {
    fn from(at: &Stamp) -> Self {
        Self { wall: at.wall, boot_id: at.boot_id.clone(), boot_ms: at.boottime_ms, clock: at.clock }
    }
}

impl From<&Time> for Stamp {
    fn from(at: &Time) -> Self {
        Self { boot_id: at.boot_id.clone(), boottime_ms: at.boot_ms, wall: at.wall, clock: at.clock }
    }
}
