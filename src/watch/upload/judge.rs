//! Whether a transfer is late. Pure.
//!
//! A day on which nobody worked is not late on the next morning: only what was seen late on its own day goes on after midnight, by whichever
//! run of this program. A clock that is in doubt says nothing about days.

use super::super::memory::fact;
use crate::model::{ClockState, Finding, FindingCode, Fingerprint, Incident, Origin, Stamp, Subject};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use std::collections::BTreeMap;

/// A marker so far in the future was not written by this clock.
const AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

/// The line of proof that says when it was due: day and hour.
const DUE: &str = "upload.due";

/// Which transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What this terminal sends.
    Upload,
    /// What the centre gives.
    Download,
}

/// What a marker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Changed last at that time.
    Changed(Timestamp),
    /// Not there.
    Absent,
}

/// A marker as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Of which transfer.
    pub kind: Kind,
    /// Where it is.
    pub path: String,
    /// What it says.
    pub mark: Mark,
}

/// The day since which each marker is late, until it is made good.
pub type Late = BTreeMap<String, Date>;

/// What is late; `None` = the clock is in doubt. `enrolled`: what was said of the clock when this PC was enrolled, and when that was.
pub fn judge(
    markers: &[Marker],
    due: Time,
    at: &Stamp,
    enrolled: Option<(ClockState, Timestamp)>,
    late: &mut Late,
) -> Option<Vec<Finding>> {
    let now = local(at.wall, at)?;
    let ahead = |marker: &Marker| matches!(marker.mark, Mark::Changed(changed) if changed.duration_since(at.wall) > AHEAD);
    let (was, taken) = enrolled.unwrap_or((ClockState::Unknown, Timestamp::MIN));
    let lost = was == ClockState::Synchronised && at.clock == ClockState::Unsynchronised;
    if lost || at.wall < taken || markers.iter().any(ahead) {
        return None;
    }
    let mut found = Vec::new();
    for marker in markers {
        let changed = match marker.mark {
            Mark::Changed(changed) => Some(local(changed, at)?.date()),
            Mark::Absent => None,
        };
        let before = |day: Date| changed.is_none_or(|changed| changed < day);
        let since = late.get(&marker.path).copied().filter(|day| before(*day));
        let today = (now.time() >= due && before(now.date())).then(|| now.date());
        match since.or(today) {
            None => {
                late.remove(&marker.path);
            }
            Some(day) => {
                late.insert(marker.path.clone(), day);
                found.push(finding(marker, changed, due, day));
            }
        }
    }
    Some(found)
}

/// What an earlier run told late and left so: the day is in its proof.
pub fn left(open: &[Incident]) -> Late {
    let late = open.iter().filter_map(|incident| {
        let Fingerprint::Finding(FindingCode::UploadOverdue, Subject::File(path)) = &incident.fingerprint else { return None };
        let (day, _) = incident.evidence.iter().find(|line| line.k == DUE)?.result.split_once(' ')?;
        Some((path.clone(), day.parse().ok()?))
    });
    late.collect()
}

fn finding(marker: &Marker, changed: Option<Date>, due: Time, day: Date) -> Finding {
    let kind = match marker.kind {
        Kind::Upload => "upload.marker",
        Kind::Download => "download.marker",
    };
    let changed = changed.map_or_else(|| "none".to_owned(), |day| day.to_string());
    let subject = Subject::File(marker.path.clone());
    Finding::new(FindingCode::UploadOverdue, subject, Origin::LocalChange)
        .because([fact(kind, &marker.path, changed), fact(DUE, "", format!("{day} {}", due.strftime("%H:%M")))])
}

fn local(time: Timestamp, at: &Stamp) -> Option<DateTime> {
    Offset::from_seconds(at.offset_s).ok().map(|offset| offset.to_datetime(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Time = jiff::civil::time(22, 0, 0, 0);
    const CHINA: i32 = 8 * 3600;

    fn instant(local: &str) -> Timestamp {
        format!("{local}+08:00").parse().expect("a time")
    }

    fn at(local: &str) -> Stamp {
        Stamp { boot_id: String::new(), boottime_ms: 1, wall: instant(local), offset_s: CHINA, clock: ClockState::Synchronised }
    }

    fn marker(changed: &str) -> Marker {
        Marker { kind: Kind::Upload, path: "/his/last".to_owned(), mark: Mark::Changed(instant(changed)) }
    }

    fn results(found: Option<Vec<Finding>>) -> Vec<String> {
        let lines = found.expect("judged").into_iter().flat_map(|finding| finding.evidence);
        lines.map(|line| format!("{} {}", line.k, line.result)).collect()
    }

    fn once(changed: &str, now: &str) -> Vec<String> {
        results(judge(&[marker(changed)], HOUR, &at(now), None, &mut Late::new()))
    }

    #[test]
    fn it_is_late_when_the_hour_is_past_and_the_marker_is_of_another_day() {
        assert_eq!(once("2026-11-21T21:50:00", "2026-11-22T22:00:00"), ["upload.marker 2026-11-21", "upload.due 2026-11-22 22:00"]);
    }

    #[test]
    fn it_is_not_late_before_the_hour_or_when_it_was_done_that_day() {
        assert_eq!(once("2026-11-21T21:50:00", "2026-11-22T21:59:59"), [""; 0]);
        assert_eq!(once("2026-11-22T00:10:00", "2026-11-22T23:00:00"), [""; 0], "the local day counts, not that of UTC");
    }

    #[test]
    fn a_day_on_which_nobody_worked_is_not_late_on_the_next_morning() {
        assert_eq!(once("2026-11-21T21:50:00", "2026-11-23T08:00:00"), [""; 0]);
    }

    #[test]
    fn what_was_seen_late_stays_so_until_it_is_made_good() {
        let mut late = Late::new();
        let mut look = |changed: &str, now: &str| results(judge(&[marker(changed)], HOUR, &at(now), None, &mut late));
        let told = ["upload.marker 2026-11-21", "upload.due 2026-11-22 22:00"];
        assert_eq!(look("2026-11-21T21:50:00", "2026-11-22T22:30:00"), told);
        assert_eq!(look("2026-11-21T21:50:00", "2026-11-23T08:00:00"), told, "the same after midnight");
        assert_eq!(look("2026-11-23T08:30:00", "2026-11-23T08:31:00"), [""; 0]);
        assert_eq!(look("2026-11-23T08:30:00", "2026-11-23T22:31:00"), [""; 0], "it counts for its own day as well");
    }

    #[test]
    fn what_was_made_good_once_does_not_count_for_a_marker_that_is_older_again() {
        let mut late = Late::new();
        let mut look = |changed: &str, now: &str| results(judge(&[marker(changed)], HOUR, &at(now), None, &mut late)).len();
        assert_eq!(look("2026-11-21T21:50:00", "2026-11-22T22:30:00"), 2);
        assert_eq!(look("2026-11-22T22:40:00", "2026-11-22T22:41:00"), 0);
        // The program that writes it put an older copy back.
        assert_eq!(look("2026-11-21T21:50:00", "2026-11-23T08:00:00"), 0, "it was done");
    }

    #[test]
    fn a_marker_that_is_not_there_is_late_after_the_hour_only() {
        let absent = [Marker { mark: Mark::Absent, ..marker("2026-11-21T21:50:00") }];
        let look = |now: &str| results(judge(&absent, HOUR, &at(now), None, &mut Late::new()));
        assert_eq!(look("2026-11-22T22:01:00")[0], "upload.marker none");
        assert_eq!(look("2026-11-22T12:00:00"), [""; 0]);
    }

    #[test]
    fn a_clock_in_doubt_says_nothing() {
        let old = [marker("2026-11-21T21:50:00")];
        let enrolled = |state, day: &str| Some((state, instant(day)));
        let look = |markers: &[Marker], now: Stamp, enrolled| judge(markers, HOUR, &now, enrolled, &mut Late::new());
        let unkept = Stamp { clock: ClockState::Unsynchronised, ..at("2026-11-22T22:30:00") };
        assert_eq!(look(&old, unkept.clone(), enrolled(ClockState::Synchronised, "2026-11-01T00:00:00")), None, "kept then, and not now");
        assert!(look(&old, unkept, enrolled(ClockState::Unsynchronised, "2026-11-01T00:00:00")).is_some(), "it never was");
        assert_eq!(look(&old, at("2026-11-22T22:30:00"), enrolled(ClockState::Unknown, "2026-12-01T00:00:00")), None, "before enrolment");
        assert_eq!(look(&[marker("2026-11-23T00:30:00")], at("2026-11-22T22:30:00"), None), None, "a marker of tomorrow");
    }

    #[test]
    fn the_download_is_told_apart() {
        let both = [marker("2026-11-22T09:00:00"), Marker { kind: Kind::Download, path: "/his/down".to_owned(), mark: Mark::Absent }];
        assert_eq!(results(judge(&both, HOUR, &at("2026-11-22T22:30:00"), None, &mut Late::new()))[0], "download.marker none");
    }
}
