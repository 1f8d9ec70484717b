//! The word to systemd (`sd_notify`): ready, reloading, stopping, alive, and one line of how things stand. Without systemd all of it is
//! silence.

use sd_notify::NotifyState;
use std::time::Duration;

/// The service manager, if there is one.
pub struct Manager {
    alive_every: Option<Duration>,
    status: String,
}

impl Manager {
    /// As the environment says.
    pub fn of_environment() -> Self {
        // Half the limit: one late turn of the loop is not yet a stuck one.
        Self { alive_every: sd_notify::watchdog_enabled().map(|limit| limit / 2), status: String::new() }
    }

    /// How often [`alive`](Self::alive) is due; `None` = nobody watches.
    pub fn alive_every(&self) -> Option<Duration> {
        self.alive_every
    }

    /// The loop has turned.
    pub fn alive() {
        tell(&[NotifyState::Watchdog]);
    }

    /// Start or reload is over.
    pub fn ready() {
        tell(&[NotifyState::Ready]);
    }

    /// A reload begins.
    pub fn reloading() {
        let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = i128::from(since_boot.tv_sec) * 1_000_000 + i128::from(since_boot.tv_nsec) / 1000;
        tell(&[NotifyState::Reloading, NotifyState::MonotonicUsec(micros)]);
    }

    /// The end begins.
    pub fn stopping() {
        tell(&[NotifyState::Stopping]);
    }

    /// One line of how things stand; the same line is not told twice.
    pub fn status(&mut self, line: &str) {
        if self.status != line {
            line.clone_into(&mut self.status);
            tell(&[NotifyState::Status(line)]);
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
