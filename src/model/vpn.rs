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
    /// Age of the newest WireGuard handshake. `None` = could not be read or there was none; see `handshake_unseen`.
    pub handshake_age_s: Option<u64>,
    /// Why the handshake's age is not known; `None` when it is, or does not apply.
    pub handshake_unseen: Option<Unseen>,
    /// What its log says lately.
    pub log: VpnLog,
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

/// What the client's log says since its last start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VpnLog {
    /// Nothing telling.
    Quiet,
    /// The server refused the credentials.
    AuthFailed,
    /// No log configured or not readable.
    Unread,
}
