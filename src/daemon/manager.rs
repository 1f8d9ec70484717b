//! The word to systemd (`sd_notify`): ready, reloading, stopping, alive, and one line of how things stand. Without systemd all of it is
//! silence.
//!
//! A service manager that does not read must not hold up the loop, so a task beside it speaks: in order, at the manager's pace. What waits
//! is bounded; what finds no room is dropped, and a line of how things stand is then tried again with the next turn of the loop.

use sd_notify::NotifyState;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::spawn_local;

/// Where the service manager listens: a path, or `@` and a name in the abstract namespace.
const SOCKET: &str = "NOTIFY_SOCKET";
/// Messages that wait at most; they are told one by one, and few.
const WAITING: usize = 16;

/// The service manager, if there is one.
pub struct Manager {
    alive_every: Option<Duration>,
    status: String,
    words: Option<mpsc::Sender<String>>,
}

impl Manager {
    /// As the environment says. Must be called within a [`LocalSet`](tokio::task::LocalSet).
    pub fn of_environment() -> Self {
        let words = std::env::var_os(SOCKET).map(|at| {
            let (words, told) = mpsc::channel(WAITING);
            spawn_local(speak(at, told));
            words
        });
        // Half the limit: one late turn of the loop is not yet a stuck one.
        Self { alive_every: sd_notify::watchdog_enabled().map(|limit| limit / 2), status: String::new(), words }
    }

    /// How often [`alive`](Self::alive) is due; `None` = nobody watches.
    pub fn alive_every(&self) -> Option<Duration> {
        self.alive_every
    }

    /// The loop has turned.
    pub fn alive(&self) {
        self.tell(&[NotifyState::Watchdog]);
    }

    /// Start or reload is over.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// A reload begins.
    pub fn reloading(&self) {
        let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = i128::from(since_boot.tv_sec) * 1_000_000 + i128::from(since_boot.tv_nsec) / 1000;
        self.tell(&[NotifyState::Reloading, NotifyState::MonotonicUsec(micros)]);
    }

    /// The end begins.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// One line of how things stand; the same line is not told twice.
    pub fn status(&mut self, line: &str) {
        if self.status != line && self.tell(&[NotifyState::Status(line)]) {
            line.clone_into(&mut self.status);
        }
    }

    /// Hands a message over; `false` = there is no room for it.
    fn tell(&self, states: &[NotifyState<'_>]) -> bool {
        let Some(words) = &self.words else { return true };
        let message = states.iter().fold(String::new(), |mut message, state| {
            writeln!(message, "{state}").expect("a string takes everything");
            message
        });
        words.try_send(message).is_ok()
    }
}

async fn speak(at: OsString, mut told: mpsc::Receiver<String>) {
    while let Some(message) = told.recv().await {
        if let Err(error) = say(&at, &message).await {
            tracing::debug!(%error, "the service manager could not be told");
        }
    }
}

/// Waits for room in the manager's queue. A socket for each message: the manager may have begun anew.
async fn say(at: &OsStr, message: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&match at.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(at)?,
    })?;
    tokio::net::UnixDatagram::from_std(socket)?.send(message.as_bytes()).await.map(drop)
}
