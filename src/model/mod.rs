//! The vocabulary everything else speaks: what was looked at, what was seen, what it means.
//!
//! Pure data. Nothing here performs I/O, reads a clock or draws randomness, so that a diagnosis can be replayed from a recorded
//! [`World`](crate::infer::World) and always comes out the same.

mod cause;
mod diagnosis;
mod observation;
mod stamp;

pub use cause::{Actor, Cause, Layer, Severity};
pub use diagnosis::{
    Blind, Certainty, Chain, Diagnosis, Evidence, Isolation, LayerState, Note, NoteCode, PathItem, Reason, RuledOut, Verdict,
};
pub use observation::{
    Address, Answer, ArpAnswer, CertificateFacts, Errno, Failure, FailureKind, Gateway, Hop, HopAnswer, HttpFacts, IcmpError, IcmpKind,
    IfName, Link, LinkKind, Lookup, LookupSource, Neighbour, Observation, Outcome, ProcessState, QueryKey, Rcode, Reply, ResolverSetup,
    Route, RouteKind, RouteTable, Sighting, Subject, TlsFacts, TlsFault, TlsKey, UnitState, Unseen, VpnFacts, VpnLog,
};
pub use stamp::{ClockState, Stamp};
