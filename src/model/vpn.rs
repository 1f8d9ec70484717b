//! A VPN as this PC sees it: interface, program, unit, counters, log.

use super::{IfName, Unseen};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// A VPN as this PC sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpnFacts {
    /// The interface that matches the configured name or pattern; `None` = there is none.
    pub interface: Option<IfName>,
    /// Its client process.
    pub process: ProcessState,
    /// Its systemd unit.
    pub unit: UnitState,
    /// Outer addresses of its server, as resolved or configured; empty = name did not resolve, or none is configured.
    pub server: Vec<SocketAddr>,
    /// The server is given by name and the name did not resolve: how.
    pub server_unresolved: Option<String>,
    /// Bytes received / sent on the interface between the beginning and the end of the round.
    pub received: u64,
    /// See `received`.
    pub sent: u64,
    /// Why it is not known what came and went; `None` when it is, or there is no interface. `received` and `sent` then say nothing.
    pub counters_unseen: Option<Unseen>,
    /// Age of the newest WireGuard handshake. `None` = could not be read or there was none; see `handshake_unseen`.
    pub handshake_age_s: Option<u64>,
    /// Why the handshake's age is not known; `None` when it is, or does not apply.
    pub handshake_unseen: Option<Unseen>,
    /// What its log says lately.
    pub log: VpnLog,
    /// Why its log could not be read; `None` when it was, or none is known.
    pub log_unseen: Option<Unseen>,
    /// The program that held its tunnel at enrolment, where the configuration names none: `process` then speaks of this one.
    pub learned: Option<String>,
}

/// Whether a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessState {
    /// Seen.
    Running,
    /// Looked for, not there.
    Absent,
    /// No name is known to look for.
    Unknown,
}

/// State of a systemd unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitState {
    /// Running.
    Active,
    /// Stopped in order.
    Inactive,
    /// Ended badly.
    Failed,
    /// No unit configured, or systemd cannot be asked.
    Unknown,
}

/// What the client's log says since its last start: how its last session began, ended, or failed to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VpnLog {
    /// Nothing telling.
    Quiet,
    /// A session was set up, and nothing has happened to it as far as the client knows.
    Established,
    /// The server refused the credentials.
    AuthFailed,
    /// The client lost its server and tries again.
    Dropped,
    /// The server ended the session in so many words.
    EndedByServer,
    /// The session was ended because it was idle, or as old as it may become.
    IdleTimeout,
    /// The client ended by a failure of its own.
    Died,
    /// No log configured or not readable.
    Unread,
}

impl VpnLog {
    /// Its name in evidence.
    pub fn code(self) -> &'static str {
        match self {
            Self::Quiet => "nothing telling",
            Self::Established => "session established",
            Self::AuthFailed => "auth failed",
            Self::Dropped => "server lost",
            Self::EndedByServer => "ended by the server",
            Self::IdleTimeout => "ended as idle or too old",
            Self::Died => "client failed",
            Self::Unread => "not read",
        }
    }
}
