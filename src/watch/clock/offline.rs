//! The date was set while nobody watched: what the last sign of life said, against the clocks now.
//!
//! * The same boot: the time since boot went on whoever ran, so the size is exact.
//! * Another boot: how long the PC was off nobody knows. A clock that is *behind* the last sign of life went back, by at least that much. One that is
//!   ahead may always be right: nothing is said of it.
//!
//! Not told: what a time daemon vouches for (it is given a few minutes after a boot), a battery clock without power, a clock that the system took up
//! from a file because the battery clock was worse, a battery clock in local time that once was taken for UTC, and the minutes by which the battery
//! clock and the system's own drift apart while the PC runs for months. A clock that is right by the servers' word is a hint only.

use super::judge::{HOUR, MINUTE, SECOND, STANDS, Seen, VOUCH, by, fact, gravity, kept, without_power};
use super::right::DRIFT;
use super::who::Programs;
use crate::model::{Finding, FindingCode, Origin, Severity, Stamp, Subject};

/// By so much a battery clock may be behind at any time; and a hand that sets a clock by another one is no better.
pub(super) const DRIFTED: i64 = 3 * MINUTE;
/// After a boot a time daemon has so long to find its servers.
const SETTLES: i64 = 5 * MINUTE;
/// A clock taken up from a file was taken up within this of the boot.
const TAKEN_UP: i64 = 2 * MINUTE;

/// What an earlier run and the system left behind.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Past {
    /// The last sign of life; `None` = the first run, or it cannot be read.
    pub last: Option<Stamp>,
    /// This boot.
    pub boot_id: String,
    /// When the files were written from which a system without a battery clock takes up its time, nanoseconds.
    pub files: Vec<i64>,
    /// The system takes the battery clock for local time.
    pub local_battery: bool,
    /// The day of this PC's firmware, nanoseconds: where a battery clock begins that lost its power.
    pub firmware: Option<i64>,
    /// What the battery clocks said at the first look, nanoseconds.
    pub batteries: Vec<i64>,
}

/// Whether something was changed, and what is told of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Offline {
    /// Nothing, or it is over.
    #[default]
    Nothing,
    /// To be judged; since when, once it was looked at.
    Open(Box<Past>, Option<i64>),
    /// This, since then.
    Told(Box<Finding>, i64),
}

/// How far the clock is from where it should be.
enum Moved {
    /// Exactly.
    By(i64),
    /// Back, by at least so much.
    Back(i64),
}

impl Offline {
    pub(super) fn after(past: Past) -> Self {
        Self::Open(Box::new(past), None)
    }

    /// Whether it matters who runs.
    pub(super) fn asks(&self) -> bool {
        matches!(self, Self::Open(..))
    }

    /// When to look again for its sake.
    pub(super) fn due(&self) -> Option<i64> {
        match self {
            Self::Open(_, Some(since)) => Some(since + VOUCH),
            Self::Open(_, None) | Self::Nothing | Self::Told(..) => None,
        }
    }

    /// Takes the first look in before anything is judged. Whether the PC came up without knowing the time.
    pub(super) fn begin(&mut self, seen: &Seen) -> bool {
        let Self::Open(past, None) = self else { return false };
        past.batteries =
            seen.batteries.iter().flat_map(|dials| &dials.clocks).map(|battery| battery.since_epoch.saturating_mul(SECOND)).collect();
        seen.moment.boot < SETTLES && (lost_power(past, seen) || taken_up(past, seen))
    }

    /// Takes a look in. `limit` is the smallest change that is told; `right` = whether the clock is right now, where that is known.
    pub(super) fn advance(&mut self, seen: &Seen, limit: i64, right: Option<bool>) -> Option<Finding> {
        let boot = seen.moment.boot;
        *self = match std::mem::take(self) {
            Self::Open(past, since) => judge(past, since.unwrap_or(boot), seen, limit),
            Self::Told(_, since) if boot - since >= STANDS || seen.vouched() => Self::Nothing,
            other => other,
        };
        match self {
            Self::Told(finding, _) => {
                if right == Some(true) {
                    finding.severity = Severity::Info;
                }
                Some((**finding).clone())
            }
            Self::Nothing | Self::Open(..) => None,
        }
    }
}

fn judge(past: Box<Past>, since: i64, seen: &Seen, limit: i64) -> Offline {
    let Some(moved) = moved(&past, seen, limit) else { return Offline::Nothing };
    let boot = seen.moment.boot;
    let trusted = seen.vouched() && !seen.programs.without_keeper();
    if trusted {
        return Offline::Nothing;
    }
    let patience = if matches!(moved, Moved::By(_)) { since + VOUCH } else { SETTLES.max(since + VOUCH) };
    if !seen.programs.without_keeper() {
        if boot < patience {
            // From the first look on every step is heard, so nothing is missed by waiting.
            return Offline::Open(past, Some(if boot < since + VOUCH { since } else { boot }));
        }
        if seen.keeping.is_none() {
            // A time daemon may well have done it, and the kernel's word of it is not to be had.
            return Offline::Nothing;
        }
    }
    Offline::Told(Box::new(finding(&moved, &past, seen)), boot)
}

/// What cannot be explained otherwise.
fn moved(past: &Past, seen: &Seen, limit: i64) -> Option<Moved> {
    let last = past.last.as_ref()?;
    if last.boot_id.is_empty() || past.boot_id.is_empty() {
        return None;
    }
    let real = seen.moment.real;
    let was = i64::try_from(last.wall.as_nanosecond()).ok()?;
    if without_power(was) {
        // There was no time that could have been changed.
        return None;
    }
    if last.boot_id == past.boot_id {
        let apart = was - i64::try_from(last.boottime_ms).ok()?.checked_mul(1_000_000)?;
        let by = seen.apart().checked_sub(apart)?;
        return (by.abs() >= limit).then_some(Moved::By(by));
    }
    let back = was - real;
    // What drifts apart does so from when the one was set by the other: since the PC was switched on.
    let drifted = DRIFTED + i64::try_from(last.boottime_ms).unwrap_or(0).saturating_mul(1_000_000) / DRIFT;
    let explained = back < limit.max(drifted) || lost_power(past, seen) || taken_up(past, seen) || local(past, seen, back);
    (!explained).then_some(Moved::Back(back))
}

/// The battery clock began anew: it, or the time taken from it at boot, is not after the day of the firmware.
fn lost_power(past: &Past, seen: &Seen) -> bool {
    let anew = |real: i64| without_power(real) || past.firmware.is_some_and(|day| real < day + 48 * HOUR);
    // Where there are several, one that never ran says nothing of the one from which the time was taken.
    anew(seen.moment.real - seen.moment.boot) || !past.batteries.is_empty() && past.batteries.iter().copied().all(anew)
}

/// The system took its time from a file, because the battery clock was behind it, or there is none.
fn taken_up(past: &Past, seen: &Seen) -> bool {
    let began = seen.moment.real - seen.moment.boot;
    let from_file = past.files.iter().any(|file| (began - TAKEN_UP..=seen.moment.real).contains(file));
    from_file && past.batteries.iter().all(|battery| *battery < seen.moment.real - DRIFTED)
}

/// The battery clock keeps local time, and one system or the other took it for UTC: that makes as much as the local time is off, and no more.
fn local(past: &Past, seen: &Seen, back: i64) -> bool {
    let as_local = |battery: i64| (battery - seen.moment.real - seen.local).abs() < DRIFTED;
    seen.local != 0 && back <= seen.local.abs() + DRIFTED && (past.local_battery || past.batteries.iter().copied().any(as_local))
}

fn finding(moved: &Moved, past: &Past, seen: &Seen) -> Finding {
    let real = seen.moment.real;
    let (size, boot, severity) = match moved {
        Moved::By(change) => (by(*change), "same boot", gravity(real - change, real, seen.local)),
        Moved::Back(back) => (format!("{} or more", by(-back)), "another boot", gravity(real + back, real, seen.local)),
    };
    let mut evidence = vec![fact("clock.offline", size), fact("clock.boot", boot)];
    if let Some(last) = &past.last {
        evidence.push(fact("clock.kept-before", kept(last.clock)));
    }
    evidence.push(fact("clock.kept", seen.keeping.map_or("not known", |keeping| kept(keeping.state()))));
    let severity = match (&seen.programs, seen.programs.setter()) {
        (Programs::Running(_), Some(_)) if severity < Severity::Critical => severity.min(Severity::Low),
        _ => severity,
    };
    Finding { severity, ..Finding::new(FindingCode::ClockOfflineChange, Subject::Terminal, Origin::PreExisting).because(evidence) }
}

#[cfg(test)]
#[path = "offline_tests.rs"]
mod tests;
