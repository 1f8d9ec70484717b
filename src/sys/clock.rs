//! The clocks. The wall clock is one of the things under suspicion, so nothing is measured with it: it is only shown and recorded.

#![allow(unsafe_code, reason = "adjtimex has no safe wrapper that reads without setting")]

use crate::model::{ClockState, Stamp};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The monotonic clock, for durations within one process. Every other module gets it from here.
#[expect(clippy::disallowed_methods, reason = "this is where the rest gets it from")]
pub fn now() -> Instant {
    Instant::now()
}

/// The wall clock, for the record and for comparing with the kernel's packet stamps.
#[expect(clippy::disallowed_methods, reason = "this is where the rest gets it from")]
pub fn wall() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Time since boot including suspend (`CLOCK_BOOTTIME`): it cannot be set.
pub fn boottime() -> Duration {
    let spec = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    // The kernel counts both from zero at boot, so neither is ever negative.
    Duration::new(u64::try_from(spec.tv_sec).unwrap_or(0), u32::try_from(spec.tv_nsec).unwrap_or(0))
}

/// Now, in every clock the records carry.
pub fn stamp() -> Stamp {
    let wall = wall();
    Stamp {
        boot_id: boot_id().to_owned(),
        boottime_ms: u64::try_from(boottime().as_millis()).unwrap_or(u64::MAX),
        wall,
        offset_s: jiff::tz::TimeZone::system().to_offset(wall).seconds(),
        clock: clock_state(),
    }
}

/// The kernel's name for this boot, read once; empty when it could not be read.
pub fn boot_id() -> &'static str {
    static BOOT_ID: OnceLock<String> = OnceLock::new();
    BOOT_ID.get_or_init(|| std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default())
}

/// Whether the kernel believes the wall clock. Reads only: `modes = 0` changes nothing and needs no privilege.
pub fn clock_state() -> ClockState {
    // SAFETY: `timex` is a plain C structure of integers, for which all-zero bytes are a valid value.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    timex.modes = 0;
    // SAFETY: the pointer is to a live, writable structure of the type that the call expects, and it does not outlive the call.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    if state < 0 {
        ClockState::Unknown
    } else if timex.status & libc::STA_UNSYNC != 0 {
        ClockState::Unsynchronised
    } else {
        ClockState::Synchronised
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_carries_this_boot_and_goes_forward() {
        let first = stamp();
        let second = stamp();
        assert_eq!(first.boot_id.len(), 36, "a UUID: {}", first.boot_id);
        assert_eq!(first.boot_id, second.boot_id);
        assert!(second.boottime_ms >= first.boottime_ms);
        assert_ne!(first.clock, ClockState::Unknown, "reading adjtimex needs no privilege");
    }
}
