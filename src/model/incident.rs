//! What is wrong over time: an incident, from its first sign to its recovery.
//!
//! A *disconnection* is one incident per outage, whatever its cause turns out to be; a *degradation* and a *blindness* of the agent are
//! keyed by what and where. An incident is data; what moves it on is [`incident`](crate::incident).

use super::{Actor, Cause, Certainty, Comment, Evidence, FindingCode, GrantReference, Layer, Origin, Severity, Stamp, Subject, Verdict};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of an incident towards the world: the epoch of the log and the number of the record that opened it, as `EPOCH/SEQ`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct IncidentId {
    /// The epoch of the log that holds it.
    pub epoch: String,
    /// The record that opened it.
    pub seq: u64,
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.epoch, self.seq)
    }
}

impl From<IncidentId> for String {
    fn from(id: IncidentId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for IncidentId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = text.rsplit_once('/').and_then(|(epoch, seq)| Some(Self { epoch: epoch.to_owned(), seq: seq.parse().ok()? }));
        parsed.ok_or_else(|| format!("`{text}` is not the id of an incident"))
    }
}

/// What an incident is, besides where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncidentKind {
    /// Centres that settlement needs cannot be used.
    Disconnection,
    /// Something works worse than it should.
    Degradation,
    /// The agent cannot see what it should.
    Blindness,
    /// A watcher found something against the rules of the site.
    Finding,
}

/// What makes two looks speak of one incident. Renders as `disconnection:NAME`, `CODE:SUBJECT`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fingerprint {
    /// The first centre that was cut off, whatever the cause; `local` = this PC's own part, where no centre is configured.
    Disconnection(String),
    /// A cause that degrades, and where.
    Degradation(Cause, Subject),
    /// What cannot be seen.
    Blindness(String),
    /// What was found, and where.
    Finding(FindingCode, Subject),
}

impl Fingerprint {
    /// The kind of incident it identifies.
    pub fn kind(&self) -> IncidentKind {
        match self {
            Self::Disconnection(_) => IncidentKind::Disconnection,
            Self::Degradation(..) => IncidentKind::Degradation,
            Self::Blindness(_) => IncidentKind::Blindness,
            Self::Finding(..) => IncidentKind::Finding,
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnection(centre) => write!(f, "disconnection:{centre}"),
            Self::Degradation(cause, subject) => write!(f, "{cause}:{subject}"),
            Self::Blindness(what) => write!(f, "agent.degraded:{what}"),
            Self::Finding(code, subject) => write!(f, "{code}:{subject}"),
        }
    }
}

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It has just begun.
    Opened,
    /// It goes on, and something about it changed.
    Updated,
    /// It is over.
    Resolved,
}

/// Why a record of the incident was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Failures reached the threshold.
    Raised,
    /// The kernel itself proved it; no threshold was waited for.
    ProvedLocally,
    /// The cause is known better, or is another.
    Refined,
    /// One more centre is cut off by the same root.
    Joined,
    /// One of several centres works again.
    PartlyRecovered,
    /// It came back soon after it had been resolved: the same incident, counted.
    Reopened,
    /// Successes reached the threshold.
    Recovered,
    /// The configuration no longer has what it was about.
    NotWatchedAnyMore,
    /// A disconnection covers it now.
    Absorbed,
    /// The shop added a statement. Nothing else about it changed; one that was over is over since the record before.
    Commented,
}

/// The cause as it is known now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownCause {
    /// The stable code: a cause, `agent.degraded`, or `unknown` while no rule names one.
    pub code: String,
    /// The layer; `None` where it is on none.
    pub layer: Option<Layer>,
    /// Where.
    pub object: String,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub certainty: Certainty,
    /// Other candidates, best first.
    pub alternatives: Vec<Alternative>,
    /// What it was taken for before, oldest first.
    pub history: Vec<Earlier>,
}

/// A candidate that is not the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alternative {
    /// The code.
    pub code: String,
    /// How sure.
    pub certainty: Certainty,
}

/// An earlier belief about the cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Earlier {
    /// The code.
    pub code: String,
    /// How sure.
    pub certainty: Certainty,
    /// Since when (`boottime_ms`).
    pub since_ms: u64,
}

/// An incident as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// Its number within this run of the agent; the log knows the [`IncidentId`] that belongs to it.
    pub key: u64,
    /// What makes it this incident.
    pub fingerprint: Fingerprint,
    /// Where it stands.
    pub phase: Phase,
    /// Counts its records, from 1.
    pub rev: u32,
    /// Why the last record was written.
    pub change: Change,
    /// How often it came.
    pub occurrences: u32,
    /// It comes and goes; it is closed only after a long quiet.
    pub flapping: bool,
    /// The centres it cuts off now.
    pub centres: Vec<String>,
    /// Its first sign.
    pub since: Stamp,
    /// When this state was reached.
    pub at: Stamp,
    /// The cause as it is known now.
    pub cause: KnownCause,
    /// Who acts, the first to call first.
    pub who_acts: Vec<Actor>,
    /// What proves it.
    pub evidence: Vec<Evidence>,
    /// It began inside an announced maintenance window: the window's note.
    pub planned: Option<String>,
    /// Where it came from; `None` = not known, or nobody's doing.
    pub origin: Option<Origin>,
    /// The authorised window that covers it, or did.
    pub grant: Option<GrantReference>,
    /// The shop's own statements, oldest first.
    #[serde(default)]
    pub comments: Vec<Comment>,
}

impl Incident {
    /// It is not over.
    pub fn is_open(&self) -> bool {
        self.phase != Phase::Resolved
    }
}

impl KnownCause {
    /// From ranked candidates, the first of which is the root.
    pub fn of(root: &Verdict, others: &[&Verdict]) -> Self {
        Self {
            code: root.cause.code().to_owned(),
            layer: Some(root.cause.layer()),
            object: root.subject.to_string(),
            severity: root.severity,
            certainty: root.certainty,
            alternatives: others.iter().map(|v| Alternative { code: v.cause.code().to_owned(), certainty: v.certainty }).collect(),
            history: Vec::new(),
        }
    }
}

impl IncidentKind {
    /// The name in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Disconnection => "disconnection",
            Self::Degradation => "degradation",
            Self::Blindness => "blindness",
            Self::Finding => "finding",
        }
    }
}

impl Phase {
    /// The name in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::Resolved => "resolved",
        }
    }
}

impl Change {
    /// The name in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::ProvedLocally => "proved-locally",
            Self::Refined => "refined",
            Self::Joined => "joined",
            Self::PartlyRecovered => "partly-recovered",
            Self::Reopened => "reopened",
            Self::Recovered => "recovered",
            Self::NotWatchedAnyMore => "not-watched-any-more",
            Self::Absorbed => "absorbed",
            Self::Commented => "commented",
        }
    }
}
