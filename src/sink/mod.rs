//! Where records go: one folder a kind of receiver, all behind [`Sink`].
//!
//! ```text
//! log ──> Courier (cursor, pace, sign of life) ──> Sink::ship ──> Way (enrolled route, pinned authority) ──> receiver
//!              ^─────────── Shipped: so many are there for good ───────────┘
//! ```
//!
//! * A sink ships in the order of the log and says how far the receiver took it; its cursor moves by that word and by nothing else, so that
//!   what is sent twice after a crash is possible and what is lost is not.
//! * A sink never waits without end and never holds another one back: what hinders it comes back as a [`Hindrance`], and its [`Courier`] decides
//!   when to try again, so that half a million terminals do not return in the same second ([`Pace`]).
//! * Signs of life travel in front of records, have no number and are never kept: a receiver that misses them knows that something is
//!   wrong before any record can tell.

mod courier;
mod hindrance;
pub mod journal;
mod lag;
pub mod nats;
mod pace;
pub mod syslog;
pub mod way;

pub use courier::{Asker, Beat, Courier};
pub use hindrance::{Hindrance, Obstacle};
pub use lag::{Lag, Promise};
pub use pace::{Bucket, Pace, Retry};

use crate::spool::Entry;

/// What is shipped together.
#[derive(Debug, Clone, Copy)]
pub struct Cargo<'a> {
    /// A sign of life, to be sent first. Nobody acknowledges it; whether it went is told by [`Shipped::hindrance`].
    pub beat: Option<&'a Beat>,
    /// Records, in the order of the log.
    pub records: &'a [Entry],
}

/// A receiver of records.
#[expect(async_fn_in_trait, reason = "the daemon has one thread, so no future needs to be Send")]
pub trait Sink {
    /// Ships what there is, until one is not taken. Either part may be empty. Cancelling it may have shipped anything, which is then shipped again.
    async fn ship(&mut self, cargo: Cargo<'_>) -> Shipped;

    /// Keeps open what is open while there is nothing to ship; returns when that is lost. May be cancelled at any time.
    async fn idle(&mut self) -> Hindrance {
        std::future::pending().await
    }

    /// Whether signs of life mean anything to it.
    fn wants_beats(&self) -> bool {
        true
    }
}

/// How far a cargo came.
#[derive(Debug)]
pub struct Shipped {
    /// The first so many records were taken for good.
    pub accepted: usize,
    /// Why not all; `None` = all of it, the sign of life as well.
    pub hindrance: Option<Hindrance>,
    /// What the receiver does not promise though records need it, in words for an engineer; `None` = it keeps what it takes.
    pub lacks: Option<String>,
}

impl Shipped {
    /// All of it.
    pub fn all(records: usize) -> Self {
        Self { accepted: records, hindrance: None, lacks: None }
    }

    /// Only so many.
    pub fn only(accepted: usize, hindrance: Hindrance) -> Self {
        Self { accepted, hindrance: Some(hindrance), lacks: None }
    }
}
