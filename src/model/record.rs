//! What is written to the log and shipped: schema `incident/1`.
//!
//! One JSON object a line. Everything up to `,"hash":` is what the hash covers, `prev_hash` included; see [`spool`](crate::spool) for the
//! line itself. The engine makes a [`Draft`]; whoever writes it gives it its place (epoch, seq) and its event id. What is not known is `null`
//! and never left out, so that a reader can tell "no" from "nobody looked". [`JSON_SCHEMA`] describes every member and is closed.

use super::{Actor, Change, ClockState, Evidence, Grant, Incident, IncidentId, IncidentKind, KnownCause, Origin, Phase, Severity, Stamp};
use crate::config::{Terminal, TerminalKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The value of `schema`.
pub const SCHEMA: &str = "incident/1";

/// The JSON Schema of a line of the log.
pub const JSON_SCHEMA: &str = include_str!("../../config/schema/incident-1.json");

/// Something to be recorded, not yet in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// When it happened.
    pub at: Stamp,
    /// What happened.
    pub what: What,
    /// The article it touches; whoever writes it down knows the rules.
    pub rule: Option<RuleReference>,
}

impl Draft {
    /// Under no rules.
    pub fn new(at: &Stamp, what: What) -> Self {
        Self { at: at.clone(), what, rule: None }
    }
}

/// What there is to record.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// An incident opened, changed or ended.
    Incident(Box<Incident>),
    /// Something is added to an incident that is over and that the engine does not hold any more: its last record, as it is to stand now.
    Addendum(Box<IncidentBody>),
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
        /// Who took the terminal out of service; only where it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
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
    /// Another key signs from now on, or the first one does.
    KeyChanged {
        /// How it signs, such as `ed25519`.
        algorithm: String,
        /// Fingerprint of the one before; `None` = the first.
        from: Option<String>,
        /// Fingerprint of the one in force.
        to: String,
        /// `first`, `cloned` (the disk is in another machine than before) or `lost`.
        reason: String,
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
    /// A file of the log could not be read: a broken disk, or a missing right. Whether it is as it was written, nobody can say.
    Unreadable {
        /// The file.
        file: String,
        /// The refusal, in the system's words.
        why: String,
    },
    /// A window was authorised.
    Granted {
        /// Which.
        grant: Grant,
    },
    /// A window was called back before its end.
    GrantRevoked {
        /// Which.
        id: String,
        /// The user of this PC who did.
        uid: u32,
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
    /// Where it was brought about; `None` = not known, or nobody's doing.
    pub origin: Option<Origin>,
    /// The shop's own statements, oldest first.
    pub comments: Vec<Comment>,
    /// Who acts.
    pub who_acts: Vec<Actor>,
    /// What to do: a key of the catalogue.
    pub remedy: Remedy,
    /// What proves it.
    pub evidence: Vec<Evidence>,
    /// The authorised window that covers it.
    pub grant: Option<GrantReference>,
}

/// A statement of the shop about an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comment {
    /// When it was made.
    pub at: Time,
    /// In their own words.
    pub text: String,
}

/// An authorised window, as a record names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantReference {
    /// Its id.
    pub id: String,
    /// On whose authority.
    pub authority: Authority,
}

/// On whose authority a window was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authority {
    /// The bureau's: lowers the severity.
    Bureau,
    /// The institution's own: stands beside the incident.
    #[serde(rename = "self")]
    Institution,
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
    pub args: BTreeMap<String, String>,
}

/// An article of a rule set, as diagnoses and records cite it.
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
    /// Derived from the machine id, also where `id` is configured: two PCs under one `id` are told apart. Never the machine id itself.
    pub machine_id_hash: Option<String>,
    /// The institution's code.
    pub institution: Option<String>,
    /// Where it stands.
    pub site: Option<String>,
    /// Region code.
    pub region: Option<String>,
    /// Line provider.
    pub line: Option<String>,
    /// Kind of institution.
    pub kind: TerminalKind,
    /// The person in charge of this PC.
    pub person_in_charge: Option<String>,
    /// Version of this program.
    pub agent: String,
    /// Digest of the configuration in force.
    pub policy: String,
}

impl TerminalCard {
    /// Of a configured terminal under a policy. Both ids are made by [`baseline`](crate::baseline), which reads the machine.
    pub fn of(terminal: &Terminal, id: Option<String>, machine_id_hash: Option<String>, policy: &str) -> Self {
        Self {
            id,
            machine_id_hash,
            institution: terminal.institution.clone(),
            site: terminal.site.clone(),
            region: terminal.region.clone(),
            line: terminal.line.clone(),
            kind: terminal.kind,
            person_in_charge: terminal.person_in_charge.clone(),
            agent: env!("CARGO_PKG_VERSION").to_owned(),
            policy: policy.to_owned(),
        }
    }
}

/// When, in clocks that survive a wrong date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "WrittenTime", try_from = "WrittenTime")]
pub struct Time {
    /// The wall clock, right or wrong.
    pub wall: jiff::Timestamp,
    /// Local time less UTC, seconds. Written as the offset of `wall`.
    pub offset_s: i32,
    /// Which boot.
    pub boot_id: String,
    /// Milliseconds since that boot, suspend included.
    pub boot_ms: u64,
    /// What is known of the wall clock.
    pub clock: ClockCard,
}

/// What is known of the wall clock; `None` = not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockCard {
    /// What the kernel says of it.
    pub state: ClockState,
    /// What keeps it, e.g. `chronyd`.
    pub source: Option<String>,
    /// How far it is off, milliseconds: positive = ahead of the true time.
    pub offset_ms: Option<i64>,
    /// How far it may be off at most, milliseconds.
    pub err_ms: Option<u64>,
    /// Seconds since it was last set right.
    pub last_sync_age_s: Option<u64>,
}

impl From<ClockState> for ClockCard {
    fn from(state: ClockState) -> Self {
        Self { state, source: None, offset_ms: None, err_ms: None, last_sync_age_s: None }
    }
}

/// [`Time`] as it stands in a line: the wall clock as RFC 3339 with its offset.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTime {
    wall: String,
    boot_id: String,
    boot_ms: u64,
    clock: ClockCard,
}

impl From<Time> for WrittenTime {
    fn from(at: Time) -> Self {
        let offset = jiff::tz::Offset::from_seconds(at.offset_s).unwrap_or(jiff::tz::Offset::UTC);
        Self { wall: at.wall.display_with_offset(offset).to_string(), boot_id: at.boot_id, boot_ms: at.boot_ms, clock: at.clock }
    }
}

impl TryFrom<WrittenTime> for Time {
    type Error = jiff::Error;

    fn try_from(at: WrittenTime) -> Result<Self, jiff::Error> {
        let wall = at.wall.parse()?;
        let offset = jiff::fmt::temporal::Pieces::parse(&at.wall)?.to_numeric_offset();
        Ok(Self { wall, offset_s: offset.map_or(0, jiff::tz::Offset::seconds), boot_id: at.boot_id, boot_ms: at.boot_ms, clock: at.clock })
    }
}

impl From<&Stamp> for Time {
    fn from(at: &Stamp) -> Self {
        Self { wall: at.wall, offset_s: at.offset_s, boot_id: at.boot_id.clone(), boot_ms: at.boottime_ms, clock: at.clock.into() }
    }
}

impl From<&Time> for Stamp {
    fn from(at: &Time) -> Self {
        Self { boot_id: at.boot_id.clone(), boottime_ms: at.boot_ms, wall: at.wall, offset_s: at.offset_s, clock: at.clock.state }
    }
}

impl Comment {
    /// Longest text, characters.
    pub const LONGEST: usize = 300;
    /// Most of them for one incident.
    pub const MOST: usize = 8;

    /// Whether a text can be a statement: not empty, not too long, nothing that steers a screen or turns its writing round.
    pub fn is_fit(text: &str) -> bool {
        let steers = |c: char| {
            c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        };
        !text.trim().is_empty() && text.chars().count() <= Self::LONGEST && !text.contains(steers)
    }
}

impl IncidentCard {
    /// When it ended, by the wall clock: the time of the record that ended it, or what its length says where a statement was added later.
    pub fn ended(&self, recorded: jiff::Timestamp) -> jiff::Timestamp {
        let length = self.duration_ms.filter(|_| self.change == Change::Commented).and_then(|ms| i64::try_from(ms).ok());
        length.and_then(|ms| self.since.wall.checked_add(jiff::SignedDuration::from_millis(ms)).ok()).unwrap_or(recorded)
    }
}

impl Body {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Incident(incident) => incident.cause.severity,
            Self::Agent { severity, .. } => *severity,
        }
    }

    /// The stable code of what it is about: the cause, or `agent.` and the event.
    pub fn code(&self) -> &str {
        match self {
            Self::Incident(incident) => &incident.cause.code,
            Self::Agent { agent, .. } => agent.code(),
        }
    }
}

/// The reason of [`AgentEvent::Stopped`] where the terminal was taken out of service.
pub const RETIRED: &str = "retired";

impl AgentEvent {
    /// The codes of all events, in the order of [`code`](Self::code).
    pub const CODES: [&'static str; 12] = [
        "agent.started",
        "agent.stopped",
        "agent.gap",
        "agent.policy-changed",
        "agent.key-changed",
        "agent.spool-gap",
        "agent.coalesced",
        "agent.torn-tail",
        "agent.tampered",
        "agent.unreadable",
        "agent.granted",
        "agent.grant-revoked",
    ];

    /// Its stable code.
    pub fn code(&self) -> &'static str {
        let [started, stopped, gap, policy, key, spool_gap, coalesced, torn, tampered, unreadable, granted, revoked] = Self::CODES;
        match self {
            Self::Started => started,
            Self::Stopped { .. } => stopped,
            Self::Gap { .. } => gap,
            Self::PolicyChanged { .. } => policy,
            Self::KeyChanged { .. } => key,
            Self::SpoolGap { .. } => spool_gap,
            Self::Coalesced { .. } => coalesced,
            Self::TornTail { .. } => torn,
            Self::Tampered { .. } => tampered,
            Self::Unreadable { .. } => unreadable,
            Self::Granted { .. } => granted,
            Self::GrantRevoked { .. } => revoked,
        }
    }
}
