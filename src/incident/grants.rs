//! Grants: what they do to findings, and when they are over. Pure.
//!
//! * On the bureau's authority a finding inside the window is only noted ([`Severity::Info`]); on the institution's own it stays what it is, and
//!   the grant stands beside it.
//! * A window ends by the wall clock or by time that really passed, whichever is first, so that setting the date back prolongs nothing. Time
//!   passes while this PC runs; how long it was off only the wall clock can tell.
//! * What a window of the bureau covered and is there [`GRACE_MS`] after its end has its own severity again, and evidence says so. A way
//!   outward is told as [`IsolationGrantOverrun`](FindingCode::IsolationGrantOverrun) besides: the rule that asks for a cut right
//!   afterwards is about that. What begins after the end has nothing to do with the window.

use crate::model::{
    Authority, Evidence, Finding, FindingCode, Fingerprint, Grant, GrantReference, Incident, Severity, Stamp, Subject, Watcher,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Cutting off right after the end takes a moment, ms.
pub const GRACE_MS: i64 = 30_000;

/// A grant with what is needed to know when it is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The grant.
    pub grant: Grant,
    /// How long it was to be when it was given, ms.
    pub length_ms: u64,
    /// How much of that has passed at the time below, ms.
    pub spent_ms: u64,
    /// The boot of that time.
    pub boot_id: String,
    /// That time (boottime), ms.
    pub boot_ms: u64,
    /// It was called back.
    pub revoked: bool,
}

/// Where a window stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is open.
    Open,
    /// It has just ended.
    Ending,
    /// It is over.
    Over,
}

impl Window {
    /// A window that opens now; `None` = its end is not in the future.
    pub fn open(grant: Grant, now: &Stamp) -> Option<Self> {
        let length_ms = u64::try_from(grant.until.as_millisecond() - now.wall.as_millisecond()).ok().filter(|length| *length > 0)?;
        Some(Self { grant, length_ms, spent_ms: 0, boot_id: now.boot_id.clone(), boot_ms: now.boottime_ms, revoked: false })
    }

    /// Counts the time that has passed. After a start of the PC, all since that start belongs to it.
    pub fn count(&mut self, now: &Stamp) {
        let since = if self.boot_id == now.boot_id { now.boottime_ms.saturating_sub(self.boot_ms) } else { now.boottime_ms };
        self.spent_ms = self.spent_ms.saturating_add(since);
        (self.boot_id, self.boot_ms) = (now.boot_id.clone(), now.boottime_ms);
    }

    /// Ends it now.
    pub fn revoke(&mut self, now: &Stamp) {
        self.count(now);
        (self.length_ms, self.revoked) = (self.length_ms.min(self.spent_ms), true);
    }

    /// Where it stands.
    pub fn standing(&self, now: &Stamp) -> Standing {
        match self.past(now) {
            ..0 => Standing::Open,
            0..GRACE_MS => Standing::Ending,
            GRACE_MS.. => Standing::Over,
        }
    }

    /// How long until it is over, ms; `None` = it is.
    fn over_in(&self, now: &Stamp) -> Option<u64> {
        u64::try_from(GRACE_MS - self.past(now)).ok().filter(|left| *left > 0)
    }

    /// How long ago it ended, ms; negative = it is open.
    fn past(&self, now: &Stamp) -> i64 {
        let mut counted = self.clone();
        counted.count(now);
        let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let by_time = signed(counted.spent_ms).saturating_sub(signed(counted.length_ms));
        let by_clock = now.wall.as_millisecond().saturating_sub(self.grant.until.as_millisecond());
        by_time.max(by_clock)
    }

    fn speaks_of(&self, finding: &Finding) -> bool {
        let device = self.grant.device.as_deref().is_none_or(|device| match &finding.subject {
            // vendor:product:serial, and a serial may have colons of its own.
            Subject::Device(name) => name == device || name.splitn(3, ':').nth(2) == Some(device),
            _ => false,
        });
        device && self.grant.what.covers(finding.code)
    }

    fn reference(&self) -> GrantReference {
        GrantReference { id: self.grant.id.clone(), authority: self.grant.authority }
    }
}

/// What windows of the bureau covered, and still is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Covered(BTreeMap<(FindingCode, Subject), GrantReference>);

impl Covered {
    /// What an earlier run left open under windows of the bureau: a new start ends no window later, and hides no overrun.
    pub fn of(open: &[Incident]) -> Self {
        let covered = open.iter().filter_map(|incident| {
            let Fingerprint::Finding(code, subject) = &incident.fingerprint else { return None };
            let by = incident.grant.clone().filter(|by| by.authority == Authority::Bureau)?;
            (*code != FindingCode::IsolationGrantOverrun).then(|| ((*code, subject.clone()), by))
        });
        Self(covered.collect())
    }

    /// How long until the first of these windows is over whose end something still there awaits, ms.
    pub fn over_in(&self, windows: &[Window], now: &Stamp) -> Option<u64> {
        let awaited = windows.iter().filter(|window| self.0.values().any(|by| by.id == window.grant.id));
        awaited.filter_map(|window| window.over_in(now)).min()
    }
}

/// The findings of one watcher under the windows there are.
pub fn cover(found: Vec<Finding>, windows: &[Window], now: &Stamp, covered: &mut Covered) -> Vec<Finding> {
    let there: Vec<(FindingCode, Subject)> = found.iter().map(|finding| (finding.code, finding.subject.clone())).collect();
    covered.0.retain(|key, _| there.contains(key));
    found.into_iter().flat_map(|finding| one(finding, windows, now, covered)).collect()
}

fn one(mut finding: Finding, windows: &[Window], now: &Stamp, covered: &mut Covered) -> Vec<Finding> {
    let key = (finding.code, finding.subject.clone());
    let holds = |window: &&Window| match window.standing(now) {
        Standing::Open => window.speaks_of(&finding),
        Standing::Ending => covered.0.get(&key).is_some_and(|by| by.id == window.grant.id),
        Standing::Over => false,
    };
    let mut holding: Vec<&Window> = windows.iter().filter(holds).collect();
    holding.sort_by_key(|window| window.grant.authority != Authority::Bureau);
    if let Some(window) = holding.first() {
        finding.grant = Some(window.reference());
        if window.grant.authority == Authority::Bureau {
            finding.severity = Severity::Info;
            covered.0.insert(key, window.reference());
        }
        return vec![finding];
    }
    let Some(reference) = covered.0.get(&key) else { return vec![finding] };
    let over =
        Evidence { k: "grant.window".to_owned(), target: reference.id.clone(), result: "over".to_owned(), ms: None, n: 1, boot_ms: None };
    finding.grant = Some(reference.clone());
    finding.evidence.insert(0, over);
    let overrun = (finding.code.watcher() == Watcher::Isolation).then(|| overrun(&finding));
    overrun.into_iter().chain([finding]).collect()
}

/// Topology alone proves no internet, so it is no critical overrun either.
fn overrun(finding: &Finding) -> Finding {
    let severity = if finding.severity >= Severity::High { Severity::Critical } else { Severity::Medium };
    let evidence = finding.evidence.clone();
    Finding {
        severity,
        grant: finding.grant.clone(),
        ..Finding::new(FindingCode::IsolationGrantOverrun, finding.subject.clone(), finding.origin)
    }
    .because(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClockState, Origin, Scope};

    /// So many minutes after the grant, by the clock on the wall and by real time.
    fn at(wall: i64, real: u64) -> Stamp {
        Stamp {
            boot_id: "a".to_owned(),
            boottime_ms: (1000 + real * 60) * 1000,
            wall: jiff::Timestamp::from_second(1_000_000 + wall * 60).expect("a time"),
            offset_s: 0,
            clock: ClockState::Unknown,
        }
    }

    fn window(what: Scope, minutes: i64, authority: Authority, device: Option<&str>) -> Window {
        let grant = Grant {
            id: format!("g-{}", what.code()),
            what,
            until: at(minutes, 0).wall,
            by: "Li".to_owned(),
            reason: "upgrade".to_owned(),
            device: device.map(str::to_owned),
            authority,
            uid: 0,
        };
        Window::open(grant, &at(0, 0)).expect("in the future")
    }

    fn found(code: FindingCode, subject: Subject) -> Vec<Finding> {
        vec![Finding::new(code, subject, Origin::LocalChange)]
    }

    fn internet() -> Vec<Finding> {
        found(FindingCode::IsolationInternetReachable, Subject::Terminal)
    }

    fn told(found: &[Finding]) -> Vec<(&'static str, Severity, Option<Authority>)> {
        found.iter().map(|finding| (finding.code.code(), finding.severity, finding.grant.as_ref().map(|by| by.authority))).collect()
    }

    const REACHABLE: &str = "isolation.internet-reachable";

    #[test]
    fn the_bureaus_window_lowers_and_what_outlives_it_escalates() {
        let windows = [window(Scope::Internet, 10, Authority::Bureau, None)];
        let mut covered = Covered::default();
        let inside = cover(internet(), &windows, &at(5, 5), &mut covered);
        assert_eq!(told(&inside), [(REACHABLE, Severity::Info, Some(Authority::Bureau))]);
        assert_eq!(covered.over_in(&windows, &at(5, 5)), Some(5 * 60_000 + 30_000), "it is to be looked at again then");
        let ending = cover(internet(), &windows, &at(10, 10), &mut covered);
        assert_eq!(told(&ending), told(&inside), "cutting off takes a moment");
        let over = cover(internet(), &windows, &at(11, 11), &mut covered);
        let expected = [
            ("isolation.grant-overrun", Severity::Critical, Some(Authority::Bureau)),
            (REACHABLE, Severity::Critical, Some(Authority::Bureau)),
        ];
        assert_eq!((told(&over), covered.over_in(&windows, &at(11, 11))), (expected.to_vec(), None));
        assert_eq!((over[1].evidence[0].target.as_str(), over[1].evidence[0].result.as_str()), ("g-internet", "over"));
        assert_eq!(cover(Vec::new(), &windows, &at(12, 12), &mut covered), []);
        assert_eq!(told(&cover(internet(), &windows, &at(13, 13), &mut covered)), [(REACHABLE, Severity::Critical, None)]);
    }

    #[test]
    fn what_begins_after_the_end_or_was_cut_in_time_is_no_overrun() {
        let windows = [window(Scope::Internet, 10, Authority::Bureau, None)];
        let mut covered = Covered::default();
        assert_eq!(told(&cover(internet(), &windows, &at(10, 10), &mut covered)), [(REACHABLE, Severity::Critical, None)]);
        let mut covered = Covered::default();
        cover(internet(), &windows, &at(5, 5), &mut covered);
        assert_eq!(cover(Vec::new(), &windows, &at(10, 10), &mut covered), []);
    }

    #[test]
    fn the_institutions_own_window_stands_beside_and_lowers_nothing() {
        let windows = [window(Scope::Internet, 10, Authority::Institution, None)];
        let mut covered = Covered::default();
        assert_eq!(
            told(&cover(internet(), &windows, &at(5, 5), &mut covered)),
            [(REACHABLE, Severity::Critical, Some(Authority::Institution))]
        );
        assert_eq!(told(&cover(internet(), &windows, &at(30, 30), &mut covered)), [(REACHABLE, Severity::Critical, None)]);
        let both = [windows[0].clone(), window(Scope::Internet, 10, Authority::Bureau, None)];
        assert_eq!(told(&cover(internet(), &both, &at(5, 5), &mut covered)), [(REACHABLE, Severity::Info, Some(Authority::Bureau))]);
    }

    #[test]
    fn a_way_outward_that_is_not_proved_is_no_critical_overrun() {
        let windows = [window(Scope::Internet, 10, Authority::Bureau, None)];
        let suspect = || found(FindingCode::IsolationUplinkSuspect, Subject::Terminal);
        let mut covered = Covered::default();
        cover(suspect(), &windows, &at(5, 5), &mut covered);
        let over = cover(suspect(), &windows, &at(12, 12), &mut covered);
        assert_eq!(over.iter().map(|finding| finding.severity).collect::<Vec<_>>(), [Severity::Medium, Severity::Low]);
    }

    #[test]
    fn setting_the_date_back_prolongs_nothing_and_setting_it_forward_ends_it() {
        let window = window(Scope::Clock, 10, Authority::Bureau, None);
        assert_eq!(window.standing(&at(-500, 9)), Standing::Open);
        assert_eq!(window.standing(&at(-500, 11)), Standing::Over);
        assert_eq!(window.standing(&at(11, 1)), Standing::Over);
    }

    #[test]
    fn starting_the_pc_anew_prolongs_nothing() {
        let mut window = window(Scope::Clock, 30, Authority::Bureau, None);
        window.count(&at(10, 10));
        let after = |minutes: u64| Stamp { boot_id: "b".to_owned(), boottime_ms: minutes * 60_000, ..at(-500, 0) };
        assert_eq!(window.standing(&after(19)), Standing::Open);
        assert_eq!(window.standing(&after(22)), Standing::Over);
        window.count(&after(5));
        assert_eq!(window.standing(&after(22)), Standing::Over, "counted once, however often it is looked at");
        assert_eq!(window.spent_ms, 15 * 60_000);
    }

    #[test]
    fn a_window_that_is_called_back_is_over() {
        let mut window = window(Scope::Usb, 30, Authority::Bureau, None);
        window.revoke(&at(5, 5));
        assert_eq!(window.standing(&at(5, 5)), Standing::Ending);
        assert_eq!(window.standing(&at(6, 6)), Standing::Over);
    }

    #[test]
    fn a_window_for_one_device_or_one_thing_covers_nothing_else() {
        let stick = |serial: &str| found(FindingCode::UsbStorage, Subject::Device(format!("0951:1666:{serial}")));
        for device in ["0951:1666:X1", "X1"] {
            let windows = [window(Scope::Usb, 10, Authority::Bureau, Some(device))];
            let lowered = |found| cover(found, &windows, &at(1, 1), &mut Covered::default())[0].severity == Severity::Info;
            assert!(lowered(stick("X1")) && !lowered(stick("X2")) && !lowered(stick("AB:X1")) && !lowered(internet()));
        }
        let windows = [window(Scope::Usb, 10, Authority::Bureau, Some("AB:X1"))];
        assert_eq!(cover(stick("AB:X1"), &windows, &at(1, 1), &mut Covered::default())[0].severity, Severity::Info);
        let windows = [window(Scope::Usb, 10, Authority::Bureau, None)];
        assert_eq!(told(&cover(internet(), &windows, &at(1, 1), &mut Covered::default())), [(REACHABLE, Severity::Critical, None)]);
    }

    #[test]
    fn every_finding_can_be_granted_but_those_that_are_about_grants_and_duties() {
        for code in FindingCode::ALL {
            let grantable = Scope::ALL.iter().any(|scope| scope.covers(*code));
            let never = matches!(code, FindingCode::IsolationGrantOverrun | FindingCode::UploadOverdue);
            assert_eq!(grantable, !never, "{code}");
        }
    }
}
