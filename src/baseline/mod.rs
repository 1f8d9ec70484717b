//! What was normal when this terminal was enrolled. Watching compares with it; without it, isolation is `unknown (not enrolled)`.
//!
//! # The file
//! `baseline` in the state directory, mode 0640, one JSON object, replaced as a whole (temporary file, fsync, rename, fsync of the
//! directory): a reader sees the old or the new one, never a half. It holds no secret, no machine id, no process list.
//!
//! | key | meaning |
//! |---|---|
//! | `schema` | `"baseline/1"`; any other is refused, never guessed at |
//! | `taken_at`, `taken_by` | when (RFC 3339, by this PC's clock) and by whom this state was accepted |
//! | `terminal` | 16 hexadecimal digits: SHA-256 over a fixed tag and the machine id; or what `terminal.id` says; `null` = no machine id |
//! | `access` | `network.access` at that time |
//! | `host` | `name`, `timezone`, SHA-256 of what `/etc/hosts` says and of `/etc/resolv.conf`, whether the clock was synchronised |
//! | `interfaces` | all but loopback: `name`, `device` (path below `/sys/devices`), `driver`, `mac`, `mac_origin`, `speed_mbps` where a card says it |
//! | `gateways` | of every default route: `address`, `device`, `mac` where known |
//! | `prefixes` | `on_link`, and `allowed`: the configured ones, else the on-link ones and those of all routes but wide ones |
//! | `resolvers` | in order of use |
//! | `hosts_entries` | addresses of configured names in `/etc/hosts` |
//! | `owners` | which program, by name and unit, holds each tunnel interface |
//! | `usb` | devices present: `vendor`, `product`, `serial`, `classes` (`class/subclass/protocol` of each interface), `roles`, `empty_drives` (without a medium) |
//! | `time` | time daemons running, and SHA-256 of what their configuration files say of where the time comes from |
//! | `firewall` | tables and rules counted, and `guards`: per table that keeps something out its policies, refusing and accepting rules, and a digest; or why they could not be seen |
//! | `forwarding` | whether this PC forwards, IPv4 and IPv6 |
//! | `lent` | other ways for others through this PC: `ways`, a line each, and what was `unseen`; absent = nobody looked |
//! | `lookalikes` | who answered in place of the internet: `address`, `device` and `gateway` of the way there, `what` it was; absent = nobody was asked |
//! | `history` | earlier baselines: `at`, `by`, `reason`, number of `deviations`; the latest last, 100 at most |
//!
//! Where something could not be seen the file says `unseen` with the reason: what was not seen then is never a deviation now. Unknown
//! keys are refused, so that a damaged or foreign file is noticed. **A damaged baseline is an error, not "not enrolled".**

mod again;
mod compare;
mod concern;
mod files;
mod firewall;
mod gather;
mod identity;
mod meaning;
mod network;
mod owners;
mod ruleset;
mod store;
mod usb;

pub use again::{network_again, settings_again, settings_files};
pub use compare::{Aspect, Deviation, compare};
pub use concern::{Concern, concerns};
pub use firewall::{Listing, look as look_at_firewall, rules as firewall_rules};
pub use gather::{Circumstances, GatherError, gather, time_zone_now};
pub use identity::{machine_fingerprint, machine_id_hash, terminal_id, this_terminal};
pub use network::{interfaces_now, is_wide};
pub use owners::owners_now;
pub use ruleset::{Rule, as_nftables, read as read_rules};
pub use store::{Existing, Mark, StoreError, load, mark, save};
pub use usb::{UsbRole, card_readers, usb_now};

use crate::config::Access;
use crate::model::{ClockState, IfName, Unseen};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// What is known of this terminal's enrolment: three answers, because a baseline that cannot be read is not a missing one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Enrolment {
    /// There is no baseline.
    #[default]
    NotEnrolled,
    /// There is one.
    Enrolled(Box<Baseline>),
    /// There is one, and it could not be read: why.
    Unreadable(String),
}

/// An error with its causes, on one line.
fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl Enrolment {
    /// Of the state directory; `None` = a user without one, who cannot have enrolled.
    pub fn of(state_dir: Option<&std::path::Path>) -> Self {
        match state_dir.map(load) {
            None | Some(Ok(None)) => Self::NotEnrolled,
            Some(Ok(Some(baseline))) => Self::Enrolled(Box::new(baseline)),
            Some(Err(error)) => Self::Unreadable(whole(&error)),
        }
    }

    /// The baseline, where it can be read.
    pub fn baseline(&self) -> Option<&Baseline> {
        match self {
            Self::Enrolled(baseline) => Some(baseline),
            Self::NotEnrolled | Self::Unreadable(_) => None,
        }
    }
}

/// The schema that this program writes and reads.
pub const SCHEMA: &str = "baseline/1";

/// Name of the file in the state directory.
pub const FILE_NAME: &str = "baseline";

/// Earlier baselines that are remembered.
pub const LONGEST_HISTORY: usize = 100;

/// Something seen, or the reason why it was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen<T> {
    /// This.
    Seen(T),
    /// Could not look.
    Unseen(Unseen),
}

impl<T> Seen<T> {
    /// What was seen, if it was.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Seen(seen) => Some(seen),
            Self::Unseen(_) => None,
        }
    }
}

/// What was normal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// [`SCHEMA`].
    pub schema: String,
    /// When it was accepted, by this PC's clock.
    pub taken_at: jiff::Timestamp,
    /// By whom.
    pub taken_by: Option<String>,
    /// This terminal; `None` = the system has no machine id.
    pub terminal: Option<String>,
    /// How it reaches the centre.
    pub access: Access,
    /// The PC.
    pub host: Host,
    /// Interfaces but loopback, by name.
    pub interfaces: Vec<Interface>,
    /// Gateways of default routes.
    pub gateways: Vec<KnownGateway>,
    /// Inside.
    pub prefixes: Prefixes,
    /// Name servers, in order of use.
    pub resolvers: Seen<Vec<IpAddr>>,
    /// Configured names in the hosts file.
    pub hosts_entries: Vec<HostsEntry>,
    /// Who holds the tunnel interfaces.
    pub owners: Seen<Vec<Owner>>,
    /// USB devices present.
    pub usb: Vec<UsbDevice>,
    /// What keeps the clock.
    pub time: TimeKeeping,
    /// The firewall.
    pub firewall: Seen<Firewall>,
    /// Forwarding.
    pub forwarding: Forwarding,
    /// What else others could use; `None` = nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lent: Option<Lent>,
    /// Who answered in place of the internet; `None` = nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookalikes: Option<Vec<KnownLookalike>>,
    /// Earlier baselines.
    pub history: Vec<Update>,
}

/// The PC itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Host name.
    pub name: Option<String>,
    /// IANA name of the time zone.
    pub timezone: Option<String>,
    /// SHA-256 of the entries of `/etc/hosts`.
    pub hosts: FileState,
    /// SHA-256 of `/etc/resolv.conf`.
    pub resolv: FileState,
    /// Whether a time daemon kept the clock. Not compared: it says how far `taken_at` can be trusted.
    pub clock: ClockState,
}

/// A configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileState {
    /// Its SHA-256.
    Sha256(String),
    /// Not there.
    Absent,
    /// There, and why it could not be read.
    Unreadable(String),
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// Name.
    pub name: IfName,
    /// Where it sits, below `/sys/devices`.
    pub device: Option<String>,
    /// Its driver.
    pub driver: Option<String>,
    /// Hardware address.
    pub mac: Option<String>,
    /// Where that address comes from.
    pub mac_origin: MacOrigin,
    /// The speed of a cable's port, Mbit/s. Not compared: ports settle it anew at times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_mbps: Option<u32>,
}

/// Where a hardware address comes from (`addr_assign_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MacOrigin {
    /// The card's own.
    Permanent,
    /// Drawn at random.
    Random,
    /// Taken from another interface.
    Inherited,
    /// Set by hand.
    Set,
    /// The kernel does not say.
    Unknown,
}

/// The gateway of a default route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownGateway {
    /// Its address; `None` = the route needs none (a tunnel).
    pub address: Option<IpAddr>,
    /// The interface it is behind.
    pub device: Option<IfName>,
    /// Its hardware address, where it is known.
    pub mac: Option<String>,
}

/// What is inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prefixes {
    /// Of the PC's own addresses.
    pub on_link: Vec<IpNet>,
    /// Configured, or learned.
    pub allowed: Vec<IpNet>,
}

/// A configured name in the hosts file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostsEntry {
    /// The name.
    pub name: String,
    /// Its addresses, as written.
    pub addresses: Vec<IpAddr>,
}

/// Who holds a tunnel interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The interface.
    pub interface: IfName,
    /// Name of the program (15 characters at most, as the kernel keeps it).
    pub process: String,
    /// Its systemd unit.
    pub unit: Option<String>,
}

/// A USB device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsbDevice {
    /// Vendor id.
    pub vendor: String,
    /// Product id.
    pub product: String,
    /// Serial.
    pub serial: Option<String>,
    /// `class/subclass/protocol` of each interface, hexadecimal.
    pub classes: Vec<String>,
    /// What it can do, as far as the rules care.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<UsbRole>,
    /// Its drives without a medium, such as card slots: what is put into them later was not enrolled.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub empty_drives: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What keeps the clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeKeeping {
    /// Time daemons that run.
    pub daemons: Vec<String>,
    /// Their configuration files.
    pub files: Vec<TimeFile>,
}

/// A configuration file of a time daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeFile {
    /// Which.
    pub path: String,
    /// Its content.
    pub state: FileState,
}

/// The firewall: all of it counted, and what of it protects.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Firewall {
    /// Tables.
    pub tables: u32,
    /// Rules in them.
    pub rules: u32,
    /// Tables that keep something out, by name; not those that containers and tunnels bring along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Guard>,
    /// The programs that listed them: the same rules may look different to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}

/// A table that keeps packets from coming in to this PC or leaving it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// Family and name, e.g. `inet filter`.
    pub table: String,
    /// What becomes of packets that no rule decides on, by chain: `drop` or `accept`.
    pub policies: BTreeMap<String, String>,
    /// Rules that refuse.
    pub refusing: u32,
    /// Rules that let pass.
    pub accepting: u32,
    /// SHA-256 over all its rules, cut short.
    pub digest: String,
}

/// Whether this PC forwards for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forwarding {
    /// IPv4; `None` = the kernel does not say.
    pub v4: Option<bool>,
    /// IPv6; `None` = the kernel does not say, or has no IPv6.
    pub v6: Option<bool>,
}

/// Ways for others through this PC that were there already.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lent {
    /// One line each: a rule that hides others behind this PC's address, a bridge, an address server, a proxy, a namespace with a way of its own.
    pub ways: BTreeSet<String>,
    /// What could not be looked at.
    pub unseen: BTreeSet<String>,
}

/// Somebody who answered in place of the internet. There it is no news; anywhere else it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownLookalike {
    /// Which anchor was asked.
    pub address: SocketAddr,
    /// Out through this interface.
    pub device: IfName,
    /// To this next hop.
    pub gateway: Option<IpAddr>,
    /// Why it is not the internet.
    pub what: String,
}

/// An earlier baseline that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// When it was replaced.
    pub at: jiff::Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// How many deviations were accepted.
    pub deviations: usize,
}

impl Baseline {
    /// This state as the successor of an earlier one.
    #[must_use]
    pub fn succeed(mut self, earlier: Self, by: &str, reason: &str) -> Self {
        let deviations = compare(&earlier, &self).len();
        self.history = earlier.history;
        self.history.push(Update { at: self.taken_at, by: by.to_owned(), reason: reason.to_owned(), deviations });
        let surplus = self.history.len().saturating_sub(LONGEST_HISTORY);
        self.history.drain(..surplus);
        self.taken_by = Some(by.to_owned());
        self
    }
}

#[cfg(test)]
pub(crate) mod tests;
