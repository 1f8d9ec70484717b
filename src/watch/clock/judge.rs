//! What the clocks say, judged. Pure: samples go in, findings come out, and the same samples always give the same findings.
//!
//! What can be told from four clocks and the kernel's word:
//! * The wall clock less the time since boot changes only when somebody sets it: that is a **step**, exact to the microsecond. A leap second,
//!   a resume and a clock that was set to what it showed leave it (nearly) as it was.
//! * The wall clock less the hardware's own pace changes as well when its **rate** is corrected.
//! * What is right a time daemon knows that vouches for the clock, or the servers of the centre; either holds for the rest of the boot, whatever
//!   happens to the clock. A step towards it is a hint only. The servers' word clears and never accuses: theirs may be wrong.
//! * Where the PC is audited, the audit names who set the clock. It is asked and never needed.
//! * A time daemon that steps the clock vouches for it within seconds (the kernel takes the mark "not synchronised" away); a hand does not.
//!
//! A step is a fact and no state that lasts. Its finding ends a minute after it was undone or a time daemon vouches for the clock again, and in any
//! case half an hour after the last step: nobody could close it otherwise where no time daemon runs, and whoever steps the clock again within that
//! time adds to the same incident. The record of it stays for good.

use super::battery::Batteries;
use super::offline::{Offline, Past};
use super::rate::Rate;
use super::step::Steps;
use super::who::Programs;
use super::zone::{Zone, changed};
use crate::model::{Evidence, Finding, Severity};
use crate::sys::audit::ClockAct;
use crate::sys::clock::{Keeping, Moment};
use crate::sys::rtc::Dials;
use crate::watch::ServerTime;
use std::time::Duration;

/// Nanoseconds in a second: the unit of all arithmetic here.
pub(super) const SECOND: i64 = 1_000_000_000;
/// In a minute.
pub(super) const MINUTE: i64 = 60 * SECOND;
/// In an hour.
pub(super) const HOUR: i64 = 60 * MINUTE;
/// So long after the last of it a finding about something that happened ends in any case.
pub(super) const STANDS: i64 = 30 * MINUTE;
/// So long a time daemon that runs has to vouch for a clock that was set.
pub(super) const VOUCH: i64 = 10 * SECOND;
/// What is wrong by so much is as bad as can be: receipts fall on another day's or hour's list.
pub(super) const GRAVE: i64 = HOUR;
/// No clock of a PC that runs this program was right before then (1 January 2024): it shows what a dead battery leaves.
const OLDEST: i64 = 1_704_067_200 * SECOND;
/// Readings of two clocks that nobody touched differ by less, nanoseconds: the program may be interrupted in between.
pub(super) const NOISE: i64 = SECOND / 50;
/// The kernel's word counts as that of a time daemon only if it claims to be right to within so much, microseconds. Time daemons follow servers that
/// claim no better than some seconds, as Windows does.
const VOUCHED_ERROR_US: i64 = 5_000_000;

/// What one look reads.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    /// The clocks.
    pub moment: Moment,
    /// The kernel's word; `None` = it is not told.
    pub keeping: Option<Keeping>,
    /// Who runs; asked for when [`Judge::asks_for_programs`].
    pub programs: Programs,
    /// The battery clocks; `None` = not read this time.
    pub batteries: Option<Dials>,
    /// Local time less UTC, nanoseconds.
    pub local: i64,
    /// The servers' time, where they said it.
    pub server: Option<ServerTime>,
    /// What the audit said since the look before.
    pub acts: Vec<ClockAct>,
    /// Programs that may set the clock, as configured.
    pub allowed: Vec<String>,
    /// The system takes the battery clock for local time.
    pub local_battery: bool,
    /// A virtual machine, or it may be one: whatever it runs on can stop it for a while and put its clocks right afterwards.
    pub hosted: bool,
}

impl Seen {
    /// The wall clock less the time since boot.
    pub(super) fn apart(&self) -> i64 {
        self.moment.real - self.moment.boot
    }

    /// A time daemon vouches for the clock.
    pub(super) fn vouched(&self) -> bool {
        let by_kernel = |kept: &Keeping| kept.state() == crate::model::ClockState::Synchronised && kept.maxerror_us < VOUCHED_ERROR_US;
        self.keeping.as_ref().is_some_and(by_kernel)
    }
}

/// Clocks of one PC, and what was made of them so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Judge {
    steps: Steps,
    rate: Rate,
    batteries: Batteries,
    offline: Offline,
    zone_at_first: Option<bool>,
}

/// What a look gives.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub found: Vec<Finding>,
    /// Look again after so long.
    pub again: Duration,
}

impl Judge {
    /// With what an earlier run left behind.
    pub(super) fn after(past: Past) -> Self {
        Self { offline: Offline::after(past), ..Self::default() }
    }

    /// Whether it matters now who runs: looking for them costs a walk over all processes. `step` is the smallest jump that is told, nanoseconds.
    pub(super) fn asks_for_programs(&self, seen: &Seen, step: i64) -> bool {
        self.steps.asks(seen, step) || self.rate.asks(seen) || self.offline.asks()
    }

    /// Whether the clock was set since the look before: then the audit may be about to name who did it.
    pub(super) fn was_set(&self, seen: &Seen) -> bool {
        self.steps.was_set(seen)
    }

    /// Judges.
    pub(super) fn look(&mut self, seen: &Seen, zone: &Zone, step: i64) -> Judged {
        if self.offline.begin(seen) {
            self.steps.begin_without_time();
        }
        let stepped = self.steps.advance(seen, step, &self.batteries.now(seen.moment));
        let fast = self.rate.advance(seen);
        let offline = self.offline.advance(seen, step, self.steps.is_right(seen, step));
        let mut found: Vec<Finding> = [stepped, fast, offline].into_iter().flatten().collect();
        found.extend(self.batteries.advance(seen, step));
        let zone = changed(zone, self.zone_at_first != Some(false));
        self.zone_at_first = Some(self.zone_at_first.unwrap_or(true) && zone.is_some());
        found.extend(zone);
        let due = [self.steps.due(), self.offline.due()].into_iter().flatten().min();
        let again = due.and_then(|due| u64::try_from(due - seen.moment.boot).ok()).map(Duration::from_nanos);
        Judged { found, again: again.unwrap_or(crate::watch::MINUTE).min(crate::watch::MINUTE) }
    }
}

/// A clock that shows such a time lost it with its power: nothing was set.
pub(super) fn without_power(real: i64) -> bool {
    real < OLDEST
}

/// How bad a clock is that went from `before` to `after` (wall clock, nanoseconds). A few seconds around midnight make another day as well, and that
/// is not what matters.
pub(super) fn gravity(before: i64, after: i64, local: i64) -> Severity {
    let by = (after - before).abs();
    let day = |real: i64| (real + local).div_euclid(24 * HOUR);
    if by >= GRAVE || (by >= MINUTE && day(before) != day(after)) {
        Severity::Critical
    } else if by >= MINUTE {
        Severity::High
    } else {
        Severity::Medium
    }
}

/// A fact about this PC's clock.
pub(super) fn fact(k: &str, result: impl Into<String>) -> Evidence {
    about(k, "terminal", result)
}

/// A fact about one of its clocks.
pub(super) fn about(k: &str, target: &str, result: impl Into<String>) -> Evidence {
    Evidence { k: k.to_owned(), target: target.to_owned(), result: result.into(), ms: None, n: 1, boot_ms: None }
}

/// `forward 86399.412 s`, `back 2.000 s`.
pub(super) fn by(change: i64) -> String {
    let ms = (change.unsigned_abs() + 500_000) / 1_000_000;
    format!("{} {}.{:03} s", if change < 0 { "back" } else { "forward" }, ms / 1000, ms % 1000)
}

/// `synchronised` and its two opposites.
pub(super) fn kept(state: crate::model::ClockState) -> &'static str {
    use crate::model::ClockState;
    match state {
        ClockState::Synchronised => "synchronised",
        ClockState::Unsynchronised => "not synchronised",
        ClockState::Unknown => "not known",
    }
}

#[cfg(test)]
#[path = "alike_tests.rs"]
mod alike;
