//! What the loop takes from the world around it, so that a test can put another in its place.

use super::RunError;
use crate::baseline::Enrolment;
use crate::config::Config;
use crate::daemon::looks::{Network, Prober};
use crate::model::Stamp;
use crate::sys::clock;
use crate::sys::netlink::Ear;
use crate::watch::{self, Watch};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the loop takes from the world around it, besides files and signals.
pub(super) struct Outside {
    pub(super) now: fn() -> Stamp,
    pub(super) prober: Box<dyn Prober>,
    pub(super) ear: Ear,
    pub(super) watches: Vec<Box<dyn Watch>>,
    /// Where in the interval this terminal looks, 0 to 1.
    pub(super) phase: f64,
}

impl Outside {
    /// This PC and its network.
    pub(super) fn here(config: &Arc<Config>, enrolment: &Arc<Enrolment>) -> Self {
        Self {
            now: clock::stamp,
            prober: Box::new(Network::new(config, enrolment)),
            ear: Ear::open(),
            watches: watch::all(),
            phase: phase(),
        }
    }
}

/// The signals that the service minds.
pub(super) struct Signals {
    pub(super) term: Signal,
    pub(super) interrupt: Signal,
    pub(super) hangup: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, RunError> {
        let on = |kind| signal(kind).map_err(|e| RunError::System(format!("wait for signals: {e}")));
        Ok(Self { term: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())?, hangup: on(SignalKind::hangup())? })
    }
}

/// Where in the interval this terminal looks: drawn once a run, from the operating system by way of the hasher's keys.
fn phase() -> f64 {
    let drawn = RandomState::new().hash_one(clock::boot_id());
    f64::from(u32::try_from(drawn >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}
