//! The vocabulary everything else speaks: what was looked at, what was seen, what it means.
//!
//! Pure data. Nothing here performs I/O, reads a clock or draws randomness, so that a diagnosis can be replayed from a recorded
//! [`World`](crate::infer::World) and always comes out the same.

mod cause;
mod diagnosis;
mod evidence;
mod exchange;
mod finding;
mod grant;
mod heartbeat;
mod incident;
mod kernel;
mod observation;
mod record;
mod retirement;
mod service;
mod stamp;
mod subject;
mod vpn;

pub use cause::{Actor, Cause, Layer, Severity};
pub use diagnosis::{
    Blind, Certainty, Chain, Diagnosis, Evidence, Isolation, LayerState, Note, NoteCode, PathItem, Reason, RuledOut, Service, Verdict,
};
pub use evidence::{SCHEMA as EVIDENCE_SCHEMA, Statement, Stretch};
pub use exchange::{ArpAnswer, Errno, Failure, FailureKind, Gateway, Hop, HopAnswer, IcmpError, IcmpKind, Reply};
pub use finding::{Finding, FindingCode, Origin, Watched, Watcher};
pub use grant::{Grant, Scope};
pub use heartbeat::{
    Goodbye, Heartbeat, JSON_SCHEMA as HEARTBEAT_JSON_SCHEMA, KeyCard, LogNow, OpenNow, SCHEMA as HEARTBEAT_SCHEMA, bounded,
};
pub use incident::{Alternative, Change, Earlier, Fingerprint, Incident, IncidentId, IncidentKind, KnownCause, Phase};
pub use kernel::{Address, Link, LinkKind, Neighbour, Route, RouteKind, RouteTable};
pub use observation::{Observation, Outcome, Sighting, Source, Unseen};
pub use record::{
    AgentEvent, Authority, Body, ClockCard, Comment, Draft, GrantReference, IncidentBody, IncidentCard, JSON_SCHEMA as RECORD_JSON_SCHEMA,
    RETIRED, Record, Remedy, RuleReference, SCHEMA as RECORD_SCHEMA, TerminalCard, Time, What,
};
pub use retirement::{FINAL_SCHEMA, FinalStatement, LastRecord, RETIRED_SCHEMA, Retired};
pub use service::{Answer, CertificateFacts, HttpFacts, Lookup, LookupSource, QueryKey, Rcode, ResolverSetup, TlsFacts, TlsFault, TlsKey};
pub use stamp::{ClockState, Stamp};
pub use subject::{IfName, Subject};
pub use vpn::{ProcessState, UnitState, VpnFacts, VpnLog};
