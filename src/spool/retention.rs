//! What may be forgotten. Pure.

use crate::model::ClockState;
use jiff::Timestamp;
use std::time::Duration;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long, by the records' wall clock.
    pub keep: Duration,
    /// Bytes of all segments.
    pub total: u64,
    /// Bytes of the segments that not every sink has acknowledged.
    pub unacknowledged: u64,
}

impl Limits {
    /// Bytes of all segments, whatever the configuration says about sinks.
    pub const TOTAL: u64 = 256 << 20;
}

impl From<&crate::config::Retention> for Limits {
    fn from(retention: &crate::config::Retention) -> Self {
        Self { keep: retention.keep, total: Self::TOTAL, unacknowledged: retention.unacknowledged.0 }
    }
}

/// A finished segment, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Its size.
    pub bytes: u64,
    /// When its last record was written, by the wall clock of then; `None` = unreadable, which never makes it old.
    pub newest: Option<Timestamp>,
    /// Every sink has all of it.
    pub acknowledged: bool,
}

/// So many of the oldest segments go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How many.
    pub segments: usize,
    /// `retention` = all of them by age, `cap` = for want of space.
    pub reason: &'static str,
}

/// Decides over the finished segments; `active` = bytes of the one that is written, which never goes.
pub fn plan(finished: &[Kept], active: u64, limits: Limits, now: Timestamp, clock: ClockState) -> Plan {
    let old = |kept: &Kept| {
        let age = kept.newest.map(|newest| now.duration_since(newest));
        // Nobody keeps the clock: a wrong date would forget everything. The caps hold all the same.
        clock == ClockState::Synchronised && age.is_some_and(|age| age.unsigned_abs() > limits.keep && age.is_positive())
    };
    let mut total = finished.iter().map(|kept| kept.bytes).sum::<u64>() + active;
    let mut pending = finished.iter().filter(|kept| !kept.acknowledged).map(|kept| kept.bytes).sum::<u64>() + active;
    let (mut segments, mut reason) = (0, "retention");
    for kept in finished {
        let over = total > limits.total || pending > limits.unacknowledged;
        if !over && !old(kept) {
            break;
        }
        if over {
            reason = "cap";
        }
        total -= kept.bytes;
        pending -= if kept.acknowledged { 0 } else { kept.bytes };
        segments += 1;
    }
    Plan { segments, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { keep: Duration::from_secs(1000), total: 100, unacknowledged: 50 };
    const GOOD: ClockState = ClockState::Synchronised;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn kept(bytes: u64, newest: i64, acknowledged: bool) -> Kept {
        Kept { bytes, newest: Some(at(newest)), acknowledged }
    }

    #[test]
    fn what_is_old_goes_and_what_is_not_stays() {
        let segments = [kept(10, 0, true), kept(10, 500, true), kept(10, 2000, true)];
        assert_eq!(plan(&segments, 5, LIMITS, at(1100), GOOD), Plan { segments: 1, reason: "retention" });
        assert_eq!(plan(&segments, 5, LIMITS, at(900), GOOD).segments, 0);
    }

    #[test]
    fn a_date_that_nobody_keeps_forgets_nothing() {
        let segments = [kept(10, 0, true), kept(10, 0, true)];
        for clock in [ClockState::Unsynchronised, ClockState::Unknown] {
            assert_eq!(plan(&segments, 5, LIMITS, at(1 << 32), clock).segments, 0);
        }
        let ahead = [kept(10, 1 << 33, true)];
        assert_eq!(plan(&ahead, 5, LIMITS, at(0), GOOD).segments, 0, "records of the future are not old");
    }

    #[test]
    fn the_caps_hold_whatever_the_clock_says() {
        let segments = [kept(40, 0, true), kept(40, 0, true), kept(40, 0, true)];
        assert_eq!(plan(&segments, 5, LIMITS, at(0), ClockState::Unknown), Plan { segments: 1, reason: "cap" });
        let pending = [kept(30, 0, false), kept(30, 0, false)];
        assert_eq!(plan(&pending, 5, LIMITS, at(0), ClockState::Unknown), Plan { segments: 1, reason: "cap" });
        assert_eq!(plan(&[], 500, LIMITS, at(0), GOOD).segments, 0, "the one that is written never goes");
    }
}
