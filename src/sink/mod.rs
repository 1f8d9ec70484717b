//! Where records go: one file a kind of receiver, all behind [`Sink`].
//!
//! A sink ships in the order of the log and says how far the receiver took it; its cursor moves by that word and by nothing else, so that what
//! is sent twice after a crash is possible and what is lost is not. A sink never waits without end and never holds another one back: what
//! hinders it comes back at once, and whoever owns the cursor decides when to try again.

pub mod journal;

use std::io;

/// A receiver of records.
#[expect(async_fn_in_trait, reason = "the daemon has one thread, so no future needs to be Send")]
pub trait Sink {
    /// Ships records, each as its line in the log without the line feed, in this order, until one is not taken.
    async fn ship(&mut self, batch: &[&[u8]]) -> Shipped;
}

/// How far a batch came.
#[derive(Debug)]
pub struct Shipped {
    /// The first so many were taken for good.
    pub accepted: usize,
    /// Why not more; `None` = all were taken.
    pub hindrance: Option<Hindrance>,
}

/// What keeps a receiver from taking records. All of it may pass.
#[derive(Debug, thiserror::Error)]
pub enum Hindrance {
    /// It is not there.
    #[error("{receiver} is not there")]
    Absent {
        /// Whom it concerns.
        receiver: String,
        /// The refusal.
        source: io::Error,
    },
    /// It does not keep up.
    #[error("{receiver} does not keep up")]
    Busy {
        /// Whom it concerns.
        receiver: String,
        /// The refusal.
        source: io::Error,
    },
    /// Anything else that it, or the way to it, refused.
    #[error("send to {receiver}")]
    Refused {
        /// Whom it concerns.
        receiver: String,
        /// The refusal.
        source: io::Error,
    },
}

impl Hindrance {
    /// Sorts an error of a send.
    pub fn of(receiver: impl Into<String>, source: io::Error) -> Self {
        let receiver = receiver.into();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Self::Absent { receiver, source },
            io::ErrorKind::WouldBlock => Self::Busy { receiver, source },
            _ => Self::Refused { receiver, source },
        }
    }
}
