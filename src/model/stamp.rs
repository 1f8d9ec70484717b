//! When something was seen, in clocks that survive a wrong date.

use serde::{Deserialize, Serialize};

/// A point in time as the shell read it. Order by `boottime_ms` within one boot; `wall` is for people and for the record only,
/// because the terminal's date is one of the things under suspicion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// `/proc/sys/kernel/random/boot_id`; empty when it could not be read.
    pub boot_id: String,
    /// `CLOCK_BOOTTIME` in milliseconds: goes on during suspend, cannot be set.
    pub boottime_ms: u64,
    /// The wall clock at the same moment, right or wrong.
    pub wall: jiff::Timestamp,
    /// Local time less UTC at that moment, seconds: the time zone is under suspicion, too.
    #[serde(default)]
    pub offset_s: i32,
    /// What the kernel says of the wall clock.
    pub clock: ClockState,
}

/// Whether the kernel believes its own wall clock (`adjtimex`, `STA_UNSYNC`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockState {
    /// A time daemon keeps it.
    Synchronised,
    /// Nobody keeps it: it may be right, but nothing says so.
    Unsynchronised,
    /// The kernel could not be asked.
    Unknown,
}
