//! The time zone against that of the enrolment. Summer time is no change: the rules are compared, not the hour.

use super::judge::about;
use crate::model::{Finding, FindingCode, Origin, Subject};

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
        assert!(changed(&zone("Asia/Shanghai", None, Some(false)), false).is_some(), "a copy of other rules has no name");
    }

    #[test]
    fn the_same_zone_by_whatever_name_is_none() {
        assert_eq!(changed(&zone("Asia/Shanghai", Some("Asia/Shanghai"), Some(true)), false), None);
        assert_eq!(changed(&zone("Asia/Shanghai", Some("PRC"), Some(true)), false), None);
        assert_eq!(changed(&zone("Asia/Shanghai", None, Some(true)), false), None, "a copy of the same rules");
        assert_eq!(changed(&zone("Asia/Shanghai", None, None), false), None, "nothing could be read");
        assert_eq!(changed(&Zone { now: Some("Asia/Tokyo".to_owned()), ..Zone::default() }, false), None, "nothing was known at enrolment");
    }
}
