//! What watchers find against the rules: an incident for each code and subject, from its first sight to its end.
//!
//! A watcher tells all that it finds, every time it looks, and does its own debouncing; so one sight opens and one absence closes. A watcher
//! that could not look has said nothing: nothing opens and nothing closes. Neither suspend nor a disconnection matters here.

use super::ledger::{Book, Thresholds, dated, planned};
use crate::model::{Certainty, Change, Finding, FindingCode, Fingerprint, Incident, KnownCause, Phase, Stamp, Subject, Watcher};
use std::collections::BTreeMap;

/// The open ones, and which incident holds each.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Findings(BTreeMap<Fingerprint, u64>);

impl Findings {
    pub(super) fn adopt(&mut self, incident: &Incident) {
        if matches!(incident.fingerprint, Fingerprint::Finding(..)) {
            self.0.insert(incident.fingerprint.clone(), incident.key);
        }
    }

    /// All that this watcher finds now.
    pub(super) fn advance(&mut self, watcher: Watcher, found: &[Finding], at: &Stamp, rules: &Thresholds, book: &mut Book) {
        for finding in found {
            debug_assert_eq!(finding.code.watcher(), watcher, "each looks after its own");
            let fingerprint = Fingerprint::Finding(finding.code, finding.subject.clone());
            if let Some(key) = self.0.get(&fingerprint) {
                see_again(*key, finding, at, book);
            } else {
                let key = open(fingerprint.clone(), finding, at, rules, book);
                self.0.insert(fingerprint, key);
            }
        }
        let is_found =
            |code: &FindingCode, subject: &Subject| found.iter().any(|finding| finding.code == *code && finding.subject == *subject);
        self.0.retain(|fingerprint, key| {
            let Fingerprint::Finding(code, subject) = fingerprint else { return false };
            if code.watcher() != watcher || is_found(code, subject) || !book.may_resolve(*key, at) {
                return true;
            }
            book.resolve(*key, Change::Recovered, at);
            false
        });
    }
}

fn cause(finding: &Finding) -> KnownCause {
    KnownCause {
        code: finding.code.code().to_owned(),
        layer: None,
        object: finding.subject.to_string(),
        severity: finding.severity,
        certainty: Certainty::Proven,
        alternatives: Vec::new(),
        history: Vec::new(),
    }
}

fn open(fingerprint: Fingerprint, finding: &Finding, at: &Stamp, rules: &Thresholds, book: &mut Book) -> u64 {
    let evidence = dated(&finding.evidence, at);
    if let Some(key) = book.lately(|incident| incident.fingerprint == fingerprint) {
        if let Some(incident) = book.incidents.get_mut(&key) {
            (incident.evidence, incident.origin) = (evidence, Some(finding.origin));
        }
        book.reopen(key, cause(finding), at);
        return key;
    }
    book.open(Incident {
        key: 0,
        fingerprint,
        phase: Phase::Opened,
        rev: 1,
        change: Change::Raised,
        occurrences: 1,
        flapping: false,
        centres: Vec::new(),
        since: at.clone(),
        at: at.clone(),
        cause: cause(finding),
        who_acts: finding.code.actors().to_vec(),
        evidence,
        planned: planned(rules, at),
        origin: Some(finding.origin),
    })
}

/// Another severity or other facts are worth a record; the same again is not.
fn see_again(key: u64, finding: &Finding, at: &Stamp, book: &mut Book) {
    book.still_failing(key, at);
    let Some(incident) = book.incidents.get_mut(&key) else { return };
    let facts = |evidence: &[crate::model::Evidence]| {
        evidence.iter().map(|line| (line.k.clone(), line.target.clone(), line.result.clone())).collect::<Vec<_>>()
    };
    if incident.cause.severity == finding.severity && facts(&incident.evidence) == facts(&finding.evidence) {
        return;
    }
    incident.cause.severity = finding.severity;
    incident.evidence = dated(&finding.evidence, at);
    book.write(key, Phase::Updated, Change::Refined, at);
}

#[cfg(test)]
mod tests {
    use super::super::ledger::{Ledger, Thresholds};
    use super::*;
    use crate::model::{ClockState, Evidence, Origin, Severity};

    fn at(seconds: u64) -> Stamp {
        let wall = jiff::Timestamp::UNIX_EPOCH;
        Stamp { boot_id: "b".to_owned(), boottime_ms: seconds * 1000, wall, offset_s: 0, clock: ClockState::Unknown }
    }

    fn stick(mounted: bool) -> Finding {
        let finding = Finding::new(FindingCode::UsbStorage, Subject::Device("0951:1666:X".to_owned()), Origin::LocalChange);
        let line = |result: &str| Evidence {
            k: "usb.mount".to_owned(),
            target: "sdb1".to_owned(),
            result: result.to_owned(),
            ms: None,
            n: 1,
            boot_ms: None,
        };
        let found = finding.because([line(if mounted { "mounted at /media/x" } else { "not mounted" })]);
        if mounted { Finding { severity: Severity::High, ..found } } else { found }
    }

    fn told(changed: &[Incident]) -> Vec<(String, Phase, Change, Severity)> {
        changed.iter().map(|i| (i.fingerprint.to_string(), i.phase, i.change, i.cause.severity)).collect()
    }

    #[test]
    fn one_sight_opens_a_change_updates_and_absence_closes() {
        let (mut ledger, rules) = (Ledger::default(), Thresholds::default());
        let name = || "usb.storage:device:0951:1666:X".to_owned();
        let mut see = |seconds, found: &[Finding]| told(&ledger.watch(Watcher::Usb, found, &at(seconds), &rules));
        assert_eq!(see(1, &[stick(false)]), [(name(), Phase::Opened, Change::Raised, Severity::Low)]);
        assert_eq!(see(2, &[stick(false)]), []);
        assert_eq!(see(3, &[stick(true)]), [(name(), Phase::Updated, Change::Refined, Severity::High)]);
        assert_eq!(see(9, &[]), [(name(), Phase::Resolved, Change::Recovered, Severity::High)]);
        assert_eq!(see(10, &[]), []);
        assert_eq!(see(20, &[stick(false)]), [(name(), Phase::Updated, Change::Reopened, Severity::Low)]);
    }

    #[test]
    fn a_watcher_speaks_only_of_its_own() {
        let (mut ledger, rules) = (Ledger::default(), Thresholds::default());
        ledger.watch(Watcher::Usb, &[stick(false)], &at(1), &rules);
        assert_eq!(ledger.watch(Watcher::Clock, &[], &at(2), &rules), []);
        assert_eq!(ledger.open().count(), 1);
    }

    #[test]
    fn what_an_earlier_run_left_open_goes_on_under_its_name() {
        let (mut ledger, rules) = (Ledger::default(), Thresholds::default());
        let opened = ledger.watch(Watcher::Usb, &[stick(true)], &at(1), &rules);
        let mut later = Ledger::restored(opened);
        assert_eq!(later.watch(Watcher::Usb, &[stick(true)], &at(5), &rules), []);
        assert_eq!(told(&later.watch(Watcher::Usb, &[], &at(6), &rules))[0].1, Phase::Resolved);
    }
}
