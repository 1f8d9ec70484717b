//! The time zone against that of the enrolment. Summer time is no change: the rules are compared, not the hour. Nor is an update of the rules, by which
//! a copy that was made before differs from them in years long past: such a copy counts by the hours that it makes around now.

use super::judge::about;
use crate::model::{Finding, FindingCode, Origin, Subject};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use std::path::Path;

/// The file that says it.
pub(super) const FILE: &str = "/etc/localtime";

/// The zone now and then.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Zone {
    /// At enrolment; `None` = not known, or not enrolled.
    pub enrolled: Option<String>,
    /// Now; `None` = it has no name.
    pub now: Option<String>,
    /// Whether both have the same rules, where that can be seen: one zone may have several names.
    pub same_rules: Option<bool>,
}

/// Rules are compared by a year around now, month by month: summer time begins and ends in it.
const MONTHS: std::ops::RangeInclusive<i64> = -6..=6;

/// Whether two files of rules mean the same for a zone without a name: to the byte, or by the hours that they make. `None` = one is no such file.
pub(super) fn mean_the_same(one: &[u8], other: &[u8], now: Timestamp) -> Option<bool> {
    if one == other {
        return Some(true);
    }
    let (one, other) = (TimeZone::tzif("one", one).ok()?, TimeZone::tzif("other", other).ok()?);
    let mut moments = MONTHS.filter_map(|month| now.checked_add(SignedDuration::from_hours(month * 24 * 30)).ok());
    Some(moments.all(|at| one.to_offset(at) == other.to_offset(at)))
}

/// The zone now against that of the enrolment, whose rules are read by `rules`: those of its name, and those in force.
pub(super) fn compared(
    enrolled: Option<String>,
    now: Option<String>,
    wall: Timestamp,
    mut rules: impl FnMut(&Path) -> Option<Vec<u8>>,
) -> Zone {
    let mut compared = || {
        let name = enrolled.as_ref().filter(|name| !name.split('/').any(|part| part == ".."))?;
        let then = rules(&Path::new("/usr/share/zoneinfo").join(name.trim_start_matches('/')))?;
        let is = rules(Path::new(FILE))?;
        match &now {
            Some(_) => Some(is == then),
            None => mean_the_same(&is, &then, wall),
        }
    };
    // They may have been replaced between the one and the other.
    let same_rules = compared().filter(|same| *same).or_else(compared);
    Zone { enrolled, now, same_rules }
}

/// Another zone than at enrolment. `at_first` = it has been so since watching began.
pub(super) fn changed(zone: &Zone, at_first: bool) -> Option<Finding> {
    let enrolled = zone.enrolled.as_ref()?;
    // Without a name and without rules to compare nothing is known.
    if !zone.same_rules.map_or(zone.now.as_ref().is_some_and(|now| now != enrolled), |same| !same) {
        return None;
    }
    let origin = if at_first { Origin::PreExisting } else { Origin::LocalChange };
    let now = zone.now.as_deref().filter(|now| *now != enrolled).unwrap_or("without a name");
    let evidence = [about("clock.zone", FILE, now), about("clock.zone-enrolled", FILE, enrolled)];
    Some(Finding::new(FindingCode::ClockTimezone, Subject::File(FILE.to_owned()), origin).because(evidence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(enrolled: &str, now: Option<&str>, same_rules: Option<bool>) -> Zone {
        Zone { enrolled: Some(enrolled.to_owned()), now: now.map(str::to_owned), same_rules }
    }

    #[test]
    fn another_zone_is_found() {
        let found = changed(&zone("Asia/Shanghai", Some("Asia/Tokyo"), Some(false)), false).expect("found");
        assert_eq!((found.code, found.origin), (FindingCode::ClockTimezone, Origin::LocalChange));
        assert_eq!(found.evidence[0].result, "Asia/Tokyo");
        assert!(changed(&zone("Asia/Shanghai", Some("Asia/Tokyo"), None), true).is_some_and(|found| found.origin == Origin::PreExisting));
        for now in [None, Some("Asia/Shanghai")] {
            let found = changed(&zone("Asia/Shanghai", now, Some(false)), false).expect("a copy of other rules, whatever it is called");
            assert_eq!(found.evidence[0].result, "without a name");
        }
    }

    /// Rules as they were before 2007, with one change to come at `change` from UTC+8 to UTC+9.
    fn rules(change: i32) -> Vec<u8> {
        let mut bytes = b"TZif".to_vec();
        bytes.extend([0; 16]);
        for count in [0_u32, 0, 0, 1, 2, 8] {
            bytes.extend(count.to_be_bytes());
        }
        bytes.extend(change.to_be_bytes());
        bytes.push(1);
        for (offset, name) in [(8 * 3600_i32, 0), (9 * 3600, 4)] {
            bytes.extend(offset.to_be_bytes());
            bytes.extend([0, name]);
        }
        bytes.extend(b"CST\0JST\0");
        bytes
    }

    #[test]
    fn an_update_of_years_long_past_is_no_other_zone_and_another_hour_is() {
        let now = Timestamp::from_second(1_795_154_400).expect("in range");
        let (past, other, soon) = (rules(700_000_000), rules(600_000_000), rules(1_800_000_000));
        assert_eq!(mean_the_same(&past, &past, now), Some(true));
        assert_eq!(mean_the_same(&past, &other, now), Some(true));
        assert_eq!(mean_the_same(&past, &soon, now), Some(false), "an hour apart until then");
        let (spring, never) = (rules(1_805_000_000), rules(2_100_000_000));
        assert_eq!((mean_the_same(&spring, &never, now), mean_the_same(&never, &rules(2_000_000_000), now)), (Some(false), Some(true)));
        assert_eq!(mean_the_same(&past, b"nothing", now), None);
        assert_eq!(mean_the_same(b"", b"", now), Some(true));
    }

    #[test]
    fn rules_that_are_replaced_while_they_are_compared_are_no_other_zone() {
        let now = Timestamp::from_second(1_795_154_400).expect("in range");
        let name = || Some("Asia/Shanghai".to_owned());
        let after = |reads: &[&[u8]]| {
            let mut reads = reads.iter();
            compared(name(), name(), now, |_| reads.next().map(|bytes| bytes.to_vec()))
        };
        let [old, new, other]: [&[u8]; 3] = [b"old", b"new", b"other"];
        assert_eq!(after(&[old, new, new, new]).same_rules, Some(true), "an update came between the one and the other");
        assert_eq!(after(&[old, old]).same_rules, Some(true), "once is enough");
        assert_eq!(after(&[old, other, old, other]).same_rules, Some(false), "it stays another zone");
        assert_eq!(after(&[old]).same_rules, None);
        let mut read = Vec::new();
        compared(Some("../etc/shadow".to_owned()), name(), now, |path| {
            read.push(path.to_owned());
            None
        });
        assert_eq!(read, [] as [&Path; 0], "a name that leads elsewhere is not followed");
    }

    #[test]
    fn the_same_zone_by_whatever_name_is_none() {
        assert_eq!(changed(&zone("Asia/Shanghai", Some("Asia/Shanghai"), Some(true)), false), None);
        assert_eq!(changed(&zone("Asia/Shanghai", Some("PRC"), Some(true)), false), None);
        assert_eq!(changed(&zone("Asia/Shanghai", None, Some(true)), false), None, "a copy of the same rules");
        assert_eq!(changed(&zone("Asia/Shanghai", None, None), false), None, "nothing could be read");
        assert_eq!(changed(&zone("Asia/Shanghai", Some("Asia/Shanghai"), None), false), None, "its name is all that could be read");
        assert_eq!(changed(&Zone { now: Some("Asia/Tokyo".to_owned()), ..Zone::default() }, false), None, "nothing was known at enrolment");
    }
}
