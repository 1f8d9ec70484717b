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

/// Whether the kernel believes the wall clock.
pub fn clock_state() -> ClockState {
    keeping().map_or(ClockState::Unknown, |keeping| keeping.state())
}

/// How the kernel keeps the wall clock (`adjtimex`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// `STA_*`.
    pub status: i32,
    /// `TIME_*`: 0 in order, 1 to 4 around a leap second, 5 not synchronised.
    pub leap: i32,
    /// Length of a tick in microseconds; 10000 where nobody corrects the rate.
    pub tick_us: i64,
    /// Correction of the rate in parts per 2^16 of a millionth.
    pub freq: i64,
    /// By how much the clock may be wrong, microseconds, as its keeper says.
    pub maxerror_us: i64,
    /// Seconds by which atomic time is ahead of UTC; 0 where nobody has set it.
    pub tai_s: i32,
}

impl Keeping {
    /// Whether a time daemon keeps it.
    pub fn state(&self) -> ClockState {
        if self.status & libc::STA_UNSYNC != 0 { ClockState::Unsynchronised } else { ClockState::Synchronised }
    }

    /// By how much the clock is told to run fast, in millionths.
    pub fn rate_ppm(&self) -> i64 {
        (self.tick_us - 10_000) * 100 + self.freq / 65_536
    }
}

/// Asks the kernel how it keeps the wall clock; `None` = it is not told to this process. Reads only: `modes = 0` changes nothing and needs
/// no privilege.
pub fn keeping() -> Option<Keeping> {
    // SAFETY: `timex` is a plain C structure of integers, for which all-zero bytes are a valid value.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    timex.modes = 0;
    // SAFETY: the pointer is to a live, writable structure of the type that the call expects, and it does not outlive the call.
    let leap = unsafe { libc::adjtimex(&raw mut timex) };
    let libc::timex { status, tick, freq, maxerror, tai, .. } = timex;
    (leap >= 0).then(|| Keeping { status, leap, tick_us: wide(tick), freq: wide(freq), maxerror_us: wide(maxerror), tai_s: tai })
}

/// The kernel's `long` is of another size on other machines.
fn wide(number: impl Into<i64>) -> i64 {
    number.into()
}

/// The four clocks at one moment, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock, since 1970: can be set, and its rate corrected.
    pub real: i64,
    /// Since boot with suspend, at the same rate as the wall clock: cannot be set.
    pub boot: i64,
    /// Since boot without suspend, at the same rate.
    pub mono: i64,
    /// The hardware's own pace: neither set nor corrected.
    pub raw: i64,
}

/// Readings of which the tightest counts: one that was interrupted is told by its length.
const READINGS: usize = 3;

/// All clocks, as nearly at once as can be.
pub fn moment() -> Moment {
    use rustix::time::{ClockId, clock_gettime};
    let ns = |id| {
        let spec = clock_gettime(id);
        spec.tv_sec.saturating_mul(1_000_000_000).saturating_add(wide(spec.tv_nsec))
    };
    let read = || {
        let boot = ns(ClockId::Boottime);
        let (real, mono, raw) = (ns(ClockId::Realtime), ns(ClockId::Monotonic), ns(ClockId::MonotonicRaw));
        let end = ns(ClockId::Boottime);
        // The middle is nearest to the others.
        (end - boot, Moment { real, boot: boot + (end - boot) / 2, mono, raw })
    };
    let (mut length, mut best) = read();
    for _ in 1..READINGS {
        let (took, moment) = read();
        if took < length {
            (length, best) = (took, moment);
        }
    }
    best
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

    #[test]
    fn all_clocks_are_read_at_nearly_one_moment() {
        let first = moment();
        let second = moment();
        assert!(first.real > 0 && first.mono > 0 && first.raw > 0 && first.boot >= first.mono - 1_000_000);
        let apart = |moment: Moment| moment.real - moment.boot;
        // Two readings of an unset clock agree to much less than the smallest step that is told; a loaded machine may interrupt all three.
        assert!((apart(first) - apart(second)).abs() < 500_000_000, "{first:?} {second:?}");
    }

    #[test]
    fn the_rate_is_that_of_tick_and_frequency_together() {
        let keeping = Keeping { status: libc::STA_UNSYNC, leap: 5, tick_us: 11_000, freq: -65_536 * 3, maxerror_us: 0, tai_s: 0 };
        assert_eq!((keeping.rate_ppm(), keeping.state()), (99_997, ClockState::Unsynchronised));
        let kept = Keeping { status: libc::STA_PLL, tick_us: 10_000, ..keeping };
        assert_eq!((kept.rate_ppm(), kept.state()), (-3, ClockState::Synchronised));
    }
}
