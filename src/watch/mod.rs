//! Watchers: each looks after one thing that the rules of the site are about, and tells all that it finds, every time it looks.
//!
//! ```text
//! the kernel's word, files, the clock ──> Watch::stirred ──> Watch::look ──> Vec<Finding> ──> incident::Engine (opens, updates, closes)
//!                                          "look again"       reads, judges    the whole state
//! ```
//!
//! * An event only means "look again now". What is found always comes from reading the state, so a lost event is a delay and no miss, and all
//!   watchers look once a minute in any case.
//! * A watcher that could not look says so ([`Look::found`] is `None`, [`Look::blind`] says why): nothing opens and nothing closes. What it
//!   cannot see is never well.
//! * Deciding is pure, in a function of its own: what is seen now, what was normal at enrolment ([`Baseline`](crate::baseline::Baseline)),
//!   what the watcher remembers. Reading stands beside it and in [`sys`](crate::sys).
//! * Before enrolment nobody is accused: watchers look, so that they know later what was there before, and tell nothing.
//! * Looks are short. What may block (walks through `/proc`, large files) goes to a thread beside (`aside`).

mod aside;
mod clock;
mod extension;
mod heard;
mod identity;
mod isolation;
mod memory;
mod protection;
mod run;
mod server_time;
mod settings;
mod upload;
mod usb;

pub use extension::lent_now;
pub use heard::Heard;
pub use isolation::{Outside, outside_now, takes_enrolled_way};
pub use run::Watchers;
pub use server_time::ServerTime;

use crate::baseline::{Baseline, Enrolment};
use crate::config::Config;
use crate::incident::Window;
use crate::model::{Finding, Incident, Stamp, Unseen, Watcher};
use futures_util::future::LocalBoxFuture;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks of a watcher to which nothing happens.
pub const MINUTE: Duration = Duration::from_mins(1);

/// What a look is given.
#[derive(Debug, Clone)]
pub struct Given {
    /// Now.
    pub at: Stamp,
    /// The configuration in force.
    pub config: Arc<Config>,
    /// How this PC was when all was well.
    pub enrolment: Arc<Enrolment>,
    /// What time the servers show; `None` = not known in this boot.
    pub server: Option<ServerTime>,
    /// Where names of the configuration led; `None` = not known yet in this run.
    pub known: Option<Arc<BTreeSet<IpAddr>>>,
    /// The authorised windows there are, open or over.
    pub grants: Arc<Vec<Window>>,
    /// When an earlier run was last alive; `None` = this is the first, or nothing is known of it.
    pub lived: Option<Stamp>,
    /// What an earlier run left open when it ended.
    pub left_open: Arc<Vec<Incident>>,
}

impl Given {
    /// What was normal; `None` before enrolment.
    pub fn baseline(&self) -> Option<&Baseline> {
        self.enrolment.baseline()
    }
}

/// What a look brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// All that is found now, not only what is new; `None` = could not look.
    pub found: Option<Vec<Finding>>,
    /// What could not be seen.
    pub blind: Vec<Blind>,
    /// Look again after so long even if nothing stirs; [`MINUTE`] or more is put onto the minute of all watchers.
    pub again: Duration,
}

impl Look {
    /// Everything was seen; the next look by the clock is in a minute.
    pub fn of(found: Vec<Finding>) -> Self {
        Self { found: Some(found), blind: Vec::new(), again: MINUTE }
    }

    /// Nothing could be seen of `what`.
    pub fn blind(what: &'static str, why: Unseen) -> Self {
        Self { found: None, blind: vec![Blind { what, why }], again: MINUTE }
    }
}

/// What a watcher cannot see, and why. Its words are in [`unseen_what`](crate::catalogue::unseen_what).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blind {
    /// What, e.g. `usb.devices`; unique among all watchers.
    pub what: &'static str,
    /// Why.
    pub why: Unseen,
}

/// Who looks after one thing.
pub trait Watch {
    /// What it looks after. All its findings have codes of this watcher.
    fn watcher(&self) -> Watcher;

    /// Looks, and remembers what it needs for the next time. The first look sees what was there before.
    fn look<'a>(&'a mut self, given: &'a Given) -> LocalBoxFuture<'a, Look>;

    /// Waits until there is reason to look again; for ever where only the clock gives one. Cancelling it loses nothing.
    fn stirred(&mut self) -> LocalBoxFuture<'_, ()>;
}

/// All of them, each with its own ears on the kernel. Must be called within a tokio runtime with I/O enabled.
pub fn all() -> Vec<Box<dyn Watch>> {
    vec![
        Box::new(usb::Usb::new(Path::new("/"))),
        Box::new(clock::Clock::new()),
        Box::new(isolation::Isolation::new()),
        Box::new(extension::Extension::begin()),
        Box::new(identity::Identity::new()),
        Box::new(settings::Settings::new()),
        Box::<protection::Protection>::default(),
        Box::<upload::Uploads>::default(),
    ]
}
