//! What watchers tell: an incident for each finding's code and subject, from its first sight to its end, and one for each thing that a watcher
//! cannot see.
//!
//! A watcher tells all that it finds, every time it looks, and does its own debouncing; so one sight opens and one absence closes. A watcher
//! that could not look has said nothing of findings: none opens and none closes. Neither suspend nor a disconnection matters here. What cannot be
//! seen counts from the second look in a row: on a PC that is out of breath the kernel may once answer too late. What a receiver of records does
//! not promise is no matter of breath, and is told once.

use super::ledger::{Book, Thresholds, dated, planned};
use super::trouble::{is_lack, lack, lack_seen};
use crate::model::{
    Actor, Blind, Certainty, Change, Evidence, Finding, Fingerprint, GrantReference, Incident, KnownCause, Origin, Phase, Severity, Stamp,
    Watched, Watcher,
};
use std::collections::{BTreeMap, BTreeSet};

/// All of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Findings {
    /// The open ones, and which incident holds each.
    open: BTreeMap<Fingerprint, u64>,
    /// What could not be seen at the last look, for the first time.
    doubts: BTreeSet<Fingerprint>,
    /// Open ones that no watcher of this run has told of yet.
    adopted: BTreeSet<Fingerprint>,
}

/// What a look shows of one.
struct Shown {
    cause: KnownCause,
    who_acts: Vec<Actor>,
    evidence: Vec<Evidence>,
    origin: Option<Origin>,
    grant: Option<GrantReference>,
}

/// Who tells of such things; `None` = no watcher.
fn teller(fingerprint: &Fingerprint) -> Option<Watcher> {
    match fingerprint {
        Fingerprint::Finding(code, _) => Some(code.watcher()),
        Fingerprint::Blindness(what) => Watcher::of_blindness(what).map(|(watcher, _)| watcher),
        Fingerprint::Disconnection(_) | Fingerprint::Degradation(..) => None,
    }
}

impl Findings {
    pub(super) fn adopt(&mut self, incident: &Incident) {
        if teller(&incident.fingerprint).is_some() {
            self.open.insert(incident.fingerprint.clone(), incident.key);
            self.adopted.insert(incident.fingerprint.clone());
        }
    }

    /// All that this watcher tells now.
    pub(super) fn advance(&mut self, told: &Watched, at: &Stamp, rules: &Thresholds, book: &mut Book) {
        let lacks = told.blind.iter().filter(|blind| is_lack(&blind.because)).map(|blind| blindness(told.watcher, blind));
        let mut shown: BTreeMap<Fingerprint, Shown> = told.found.iter().flatten().map(finding).chain(lacks).collect();
        let looked = told.found.is_some();
        self.open.retain(|fingerprint, key| {
            if teller(fingerprint) != Some(told.watcher) {
                return true;
            }
            let adopted = self.adopted.contains(fingerprint);
            if let Some(now) = shown.remove(fingerprint) {
                self.adopted.remove(fingerprint);
                match book.incidents.get(key).filter(|incident| adopted && is_another_moment(incident, &now)) {
                    Some(before) => come_again(*key, before.cause.severity, now, at, book),
                    None => see_again(*key, now, at, book),
                }
                return true;
            }
            let unknown = match fingerprint {
                Fingerprint::Finding(code, _) => {
                    let proof = book.incidents.get(key).map_or(&[][..], |incident| &incident.evidence);
                    !looked || told.blind.iter().any(|blind| code.is_hidden_by(proof, &blind.what))
                }
                _ => false,
            };
            let stands = adopted && book.incidents.get(key).is_some_and(|incident| stands(incident, at));
            if unknown || stands || !book.may_resolve(*key, at) {
                return true;
            }
            self.adopted.remove(fingerprint);
            book.resolve(*key, Change::Recovered, at);
            false
        });
        let (before, others) = std::mem::take(&mut self.doubts).into_iter().partition(|doubt| teller(doubt) == Some(told.watcher));
        self.doubts = others;
        let before: BTreeSet<Fingerprint> = before;
        for (fingerprint, now) in shown {
            let hasty = matches!(fingerprint, Fingerprint::Blindness(_)) && told.watcher != Watcher::Shipping;
            if hasty && !before.contains(&fingerprint) {
                self.doubts.insert(fingerprint);
                continue;
            }
            debug_assert_eq!(teller(&fingerprint), Some(told.watcher), "each looks after its own");
            let key = open(fingerprint.clone(), now, at, rules, book);
            self.open.insert(fingerprint, key);
        }
    }
}

/// It tells of a moment of this boot that is not long ago, and was not undone.
fn stands(incident: &Incident, at: &Stamp) -> bool {
    let Fingerprint::Finding(code, _) = incident.fingerprint else { return false };
    let undone = incident.evidence.iter().any(|line| line.k == UNDONE);
    let ago = at.boottime_ms.saturating_sub(incident.at.boottime_ms);
    let recent = code.stands().is_some_and(|time| u128::from(ago) < time.as_millis());
    recent && !undone && incident.at.boot_id == at.boot_id
}

/// What an earlier run told of happened once more. It is no milder for that.
fn come_again(key: u64, before: Severity, now: Shown, at: &Stamp, book: &mut Book) {
    let evidence = dated(&now.evidence, at);
    if let Some(incident) = book.incidents.get_mut(&key) {
        (incident.evidence, incident.origin, incident.grant) = (evidence, now.origin, now.grant);
    }
    book.reopen(key, KnownCause { severity: now.cause.severity.max(before), ..now.cause }, at);
}

/// An earlier run told of a moment, and this one tells of another, which does not undo it.
fn is_another_moment(incident: &Incident, now: &Shown) -> bool {
    let tells_of_a_moment = matches!(incident.fingerprint, Fingerprint::Finding(code, _) if code.stands().is_some());
    let what = |lines: &[Evidence]| lines.first().map(|line| (line.k.clone(), line.target.clone(), line.result.clone()));
    let undone = now.evidence.iter().any(|line| line.k == UNDONE);
    tells_of_a_moment && !undone && what(&incident.evidence) != what(&now.evidence)
}

fn finding(finding: &Finding) -> (Fingerprint, Shown) {
    let cause = KnownCause {
        code: finding.code.code().to_owned(),
        layer: None,
        object: finding.subject.to_string(),
        severity: finding.severity,
        certainty: Certainty::Proven,
        alternatives: Vec::new(),
        history: Vec::new(),
    };
    let (who_acts, evidence) = (finding.code.actors().to_vec(), finding.evidence.clone());
    let shown = Shown { cause, who_acts, evidence, origin: Some(finding.origin), grant: finding.grant.clone() };
    (Fingerprint::Finding(finding.code, finding.subject.clone()), shown)
}

fn blindness(watcher: Watcher, blind: &Blind) -> (Fingerprint, Shown) {
    let what = watcher.blindness(&blind.what);
    let evidence = vec![lack_seen(&what, &blind.because)];
    let (severity, actor) = match watcher {
        // Records may be lost there, and nothing on this PC helps.
        Watcher::Shipping => (Severity::Medium, Actor::Bureau),
        _ => (Severity::Low, Actor::Vendor),
    };
    let cause = KnownCause { severity, ..lack(&what) };
    (Fingerprint::Blindness(what), Shown { cause, who_acts: vec![actor], evidence, origin: None, grant: None })
}

fn open(fingerprint: Fingerprint, now: Shown, at: &Stamp, rules: &Thresholds, book: &mut Book) -> u64 {
    let evidence = dated(&now.evidence, at);
    if let Some(key) = book.lately(|incident| incident.fingerprint == fingerprint) {
        if let Some(incident) = book.incidents.get_mut(&key) {
            (incident.evidence, incident.origin, incident.grant) = (evidence, now.origin, now.grant);
        }
        book.reopen(key, now.cause, at);
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
        cause: now.cause,
        who_acts: now.who_acts,
        evidence,
        planned: planned(rules, at),
        origin: now.origin,
        grant: now.grant,
        comments: Vec::new(),
    })
}

/// Another severity, other facts or a better known origin are worth a record; the same again is not.
fn see_again(key: u64, now: Shown, at: &Stamp, book: &mut Book) {
    book.still_failing(key, at);
    let Some(incident) = book.incidents.get_mut(&key) else { return };
    let Shown { cause, mut evidence, grant, origin, .. } = now;
    if let Some((before, better)) = corrected(incident.origin, origin) {
        incident.origin = Some(better);
        evidence.push(was_taken_for(before));
    } else {
        // What it was taken for once stays said.
        evidence.extend(incident.evidence.iter().filter(|line| line.k == ORIGIN_BEFORE).cloned());
    }
    let facts =
        |evidence: &[Evidence]| evidence.iter().map(|line| (line.k.clone(), line.target.clone(), line.result.clone())).collect::<Vec<_>>();
    if incident.cause.severity == cause.severity && incident.grant == grant && facts(&incident.evidence) == facts(&evidence) {
        return;
    }
    incident.cause.severity = cause.severity;
    incident.grant = grant;
    incident.evidence = dated(&evidence, at);
    book.write(key, Phase::Updated, Change::Refined, at);
}

/// Says how a step of the clock was undone.
const UNDONE: &str = "clock.after";
/// Says what an incident was taken for before it was known better.
const ORIGIN_BEFORE: &str = "origin.before";

/// The origin before, and a better one: a watcher that has seen more since says that it came from outside, or that it did not. Who only began
/// to watch knows less than who saw it come.
fn corrected(before: Option<Origin>, now: Option<Origin>) -> Option<(Origin, Origin)> {
    match (before?, now?) {
        (before @ (Origin::LocalChange | Origin::PreExisting), Origin::Upstream) => Some((before, Origin::Upstream)),
        (Origin::Upstream, Origin::LocalChange) => Some((Origin::Upstream, Origin::LocalChange)),
        _ => None,
    }
}

fn was_taken_for(before: Origin) -> Evidence {
    let result = before.code().to_owned();
    Evidence { k: ORIGIN_BEFORE.to_owned(), target: String::new(), result, ms: None, n: 1, boot_ms: None }
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Ledger;
    use super::*;
    use crate::model::{ClockState, FindingCode, Subject, Unseen};

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

    fn tells(watcher: Watcher, found: &[Finding]) -> Watched {
        Watched { watcher, found: Some(found.to_vec()), blind: Vec::new() }
    }

    fn told(changed: &[Incident]) -> Vec<(String, Phase, Change, Severity)> {
        changed.iter().map(|i| (i.fingerprint.to_string(), i.phase, i.change, i.cause.severity)).collect()
    }

    #[test]
    fn one_sight_opens_a_change_updates_and_absence_closes() {
        let (mut ledger, rules) = (Ledger::default(), Thresholds::default());
        let name = || "usb.storage:device:0951:1666:X".to_owned();
        let mut see = |seconds, found: &[Finding]| told(&ledger.watch(&tells(Watcher::Usb, found), &at(seconds), &rules));
        assert_eq!(see(1, &[stick(false)]), [(name(), Phase::Opened, Change::Raised, Severity::Low)]);
        assert_eq!(see(2, &[stick(false)]), []);
        assert_eq!(see(3, &[stick(true)]), [(name(), Phase::Updated, Change::Refined, Severity::High)]);
        assert_eq!(see(9, &[]), [(name(), Phase::Resolved, Change::Recovered, Severity::High)]);
        assert_eq!(see(10, &[]), []);
        assert_eq!(see(20, &[stick(false)]), [(name(), Phase::Updated, Change::Reopened, Severity::Low)]);
    }

    fn resolver(origin: Origin) -> [Finding; 1] {
        [Finding::new(FindingCode::SettingsResolver, Subject::Terminal, origin)]
    }

    #[test]
    fn an_origin_that_is_known_better_is_corrected_and_said() {
        for (first, better) in [(Origin::LocalChange, Origin::Upstream), (Origin::Upstream, Origin::LocalChange)] {
            let (mut ledger, rules) = (Ledger::default(), Thresholds::default());
            let mut see = |seconds, origin| ledger.watch(&tells(Watcher::Settings, &resolver(origin)), &at(seconds), &rules);
            assert_eq!(see(1, first)[0].origin, Some(first));
            let corrected = see(2, better);
            assert_eq!((corrected.len(), corrected[0].phase, corrected[0].origin), (1, Phase::Updated, Some(better)));
            let said = |incident: &Incident| incident.evidence.iter().map(|line| format!("{} {}", line.k, line.result)).collect::<Vec<_>>();
            assert_eq!(said(&corrected[0]), [format!("origin.before {}", first.code())]);
            assert_eq!(see(3, better), [], "said once");
            let wider = Finding { severity: Severity::High, ..resolver(better)[0].clone() };
            let updated = ledger.watch(&tells(Watcher::Settings, &[wider]), &at(4), &rules);
            assert_eq!(said(&updated[0]), [format!("origin.before {}", first.code())], "and not forgotten");
        }
    }

    #[test]
    fn who_only_began_to_watch_does_not_know_better() {
        let (mut ledger, rules) = (Ledger::default(), Thresholds::default());
        for known in [Origin::Upstream, Origin::LocalChange] {
            let opened = ledger.watch(&tells(Watcher::Settings, &resolver(known)), &at(1), &rules);
            let mut later = Ledger::restored(opened);
            assert_eq!(later.watch(&tells(Watcher::Settings, &resolver(Origin::PreExisting)), &at(2), &rules), []);
            ledger = Ledger::default();
        }
        let opened = ledger.watch(&tells(Watcher::Settings, &resolver(Origin::PreExisting)), &at(1), &rules);
        let mut later = Ledger::restored(opened);
        assert_eq!(
            later.watch(&tells(Watcher::Settings, &resolver(Origin::LocalChange)), &at(2), &rules),
            [],
            "nobody is accused after the fact"
        );
        assert_eq!(later.watch(&tells(Watcher::Settings, &resolver(Origin::Upstream)), &at(3), &rules)[0].origin, Some(Origin::Upstream));
    }

    #[test]
    fn a_watcher_speaks_only_of_its_own() {
        let (mut ledger, rules) = (Ledger::default(), Thresholds::default());
        ledger.watch(&tells(Watcher::Usb, &[stick(false)]), &at(1), &rules);
        assert_eq!(ledger.watch(&tells(Watcher::Clock, &[]), &at(2), &rules), []);
        assert_eq!(ledger.open().count(), 1);
    }

    #[test]
    fn what_an_earlier_run_left_open_goes_on_under_its_name() {
        let (mut ledger, rules) = (Ledger::default(), Thresholds::default());
        let opened = ledger.watch(&tells(Watcher::Usb, &[stick(true)]), &at(1), &rules);
        let mut later = Ledger::restored(opened);
        assert_eq!(later.watch(&tells(Watcher::Usb, &[stick(true)]), &at(5), &rules), []);
        assert_eq!(told(&later.watch(&tells(Watcher::Usb, &[]), &at(6), &rules))[0].1, Phase::Resolved);
    }

    fn stepped(seconds: u64, more: &[Evidence]) -> Vec<Incident> {
        let found = Finding::new(FindingCode::ClockStepped, Subject::Terminal, Origin::LocalChange).because(more.to_vec());
        Ledger::default().watch(&tells(Watcher::Clock, &[found]), &at(seconds), &Thresholds::default())
    }

    #[test]
    fn what_tells_of_a_moment_outlives_a_restart_for_its_time() {
        let rules = Thresholds::default();
        let nothing = tells(Watcher::Clock, &[]);
        let mut later = Ledger::restored(stepped(1, &[]));
        assert_eq!(later.watch(&nothing, &at(5), &rules), []);
        assert_eq!(later.watch(&nothing, &at(1800), &rules), []);
        assert_eq!(told(&later.watch(&nothing, &at(1801), &rules))[0].1, Phase::Resolved);
        // Set back after the restart: the same incident, which from then on ends when its watcher says so.
        let mut back = Ledger::restored(stepped(1, &[]));
        assert_eq!(back.watch(&nothing, &at(5), &rules), []);
        let found = Finding::new(FindingCode::ClockStepped, Subject::Terminal, Origin::LocalChange).because([undone()]);
        assert_eq!(told(&back.watch(&tells(Watcher::Clock, &[found]), &at(60), &rules))[0].1, Phase::Updated);
        assert_eq!(told(&back.watch(&nothing, &at(61), &rules))[0].1, Phase::Resolved);
    }

    fn undone() -> Evidence {
        Evidence { k: UNDONE.to_owned(), target: "terminal".to_owned(), result: "set back".to_owned(), ms: None, n: 1, boot_ms: None }
    }

    #[test]
    fn a_hotspot_is_over_when_its_card_says_so_whoever_listens_unseen() {
        let rules = Thresholds::default();
        let line = Evidence { k: "extension.hotspot".to_owned(), ..undone() };
        let hotspot = Finding::new(FindingCode::ExtensionSharing, Subject::Terminal, Origin::LocalChange).because([line]);
        let blind = |what: &str| vec![Blind { what: what.to_owned(), because: Unseen::Error("no use".to_owned()) }];
        let none = |what: &str| Watched { watcher: Watcher::Extension, found: Some(Vec::new()), blind: blind(what) };
        let ends = |what: &str| {
            let mut ledger = Ledger::default();
            ledger.watch(&tells(Watcher::Extension, std::slice::from_ref(&hotspot)), &at(1), &rules);
            ledger.watch(&none(what), &at(5), &rules).iter().any(|incident| incident.phase == Phase::Resolved)
        };
        assert!(ends("extension.sharing") && !ends("extension.wireless"));
    }

    #[test]
    fn another_moment_after_a_restart_is_counted_and_no_milder() {
        let step = |result: &str| Evidence { k: "clock.offline".to_owned(), result: result.to_owned(), ..undone() };
        let found = |result: &str, severity| {
            let found = Finding::new(FindingCode::ClockStepped, Subject::Terminal, Origin::LocalChange).because([step(result)]);
            tells(Watcher::Clock, &[Finding { severity, ..found }])
        };
        let rules = Thresholds::default();
        let first = Ledger::default().watch(&found("forward 86400.000 s", Severity::Critical), &at(1), &rules);
        let mut later = Ledger::restored(first);
        let changed = later.watch(&found("back 30.000 s", Severity::Medium), &at(60), &rules);
        let said: Vec<_> = changed.iter().map(|i| (i.phase, i.change, i.occurrences, i.cause.severity)).collect();
        assert_eq!(said, [(Phase::Updated, Change::Reopened, 2, Severity::Critical)]);
        assert_eq!(changed[0].evidence[0].result, "back 30.000 s");
    }

    #[test]
    fn what_was_undone_or_is_of_another_boot_or_can_be_seen_ends_at_once_after_a_restart() {
        let (nothing, rules) = (tells(Watcher::Clock, &[]), Thresholds::default());
        let ends = |open: Vec<Incident>, told: &Watched, at: &Stamp| Ledger::restored(open).watch(told, at, &rules).len();
        assert_eq!(ends(stepped(1, &[undone()]), &nothing, &at(5)), 1);
        assert_eq!(ends(stepped(1, &[]), &nothing, &Stamp { boot_id: "another".to_owned(), ..at(5) }), 1);
        let stick = Ledger::default().watch(&tells(Watcher::Usb, &[stick(true)]), &at(1), &rules);
        assert_eq!(ends(stick, &tells(Watcher::Usb, &[]), &at(5)), 1);
    }

    #[test]
    fn who_cannot_look_closes_nothing_and_says_what_is_not_seen() {
        let (mut ledger, rules) = (Ledger::default(), Thresholds::default());
        ledger.watch(&tells(Watcher::Usb, &[stick(true)]), &at(1), &rules);
        let blind = vec![Blind { what: "devices".to_owned(), because: Unseen::NotMounted("/sys".to_owned()) }];
        let names = |changed: &[Incident]| told(changed).into_iter().map(|(name, phase, ..)| (name, phase)).collect::<Vec<_>>();
        let unseen = Watched { watcher: Watcher::Usb, found: None, blind };
        assert_eq!(ledger.watch(&unseen, &at(2), &rules), [], "once is no blindness");
        let changed = ledger.watch(&unseen, &at(2), &rules);
        assert_eq!(names(&changed), [("agent.degraded:watch.usb.devices".to_owned(), Phase::Opened)]);
        // The rounds have blindnesses of their own and know nothing of this one.
        let mut later = Ledger::restored(ledger.open().cloned().collect());
        assert_eq!(later.watch(&tells(Watcher::Clock, &[]), &at(3), &rules), []);
        let changed = later.watch(&tells(Watcher::Usb, &[stick(true)]), &at(4), &rules);
        assert_eq!(names(&changed), [("agent.degraded:watch.usb.devices".to_owned(), Phase::Resolved)]);
    }

    #[test]
    fn what_a_receiver_does_not_promise_is_told_at_once_and_ends_when_it_does() {
        let (mut ledger, rules) = (Ledger::default(), Thresholds::default());
        let mut see = |seconds, why: &[&str]| {
            let blind = why.iter().map(|why| Blind { what: "nats".to_owned(), because: Unseen::Error((*why).to_owned()) });
            let told = Watched { watcher: Watcher::Shipping, found: Some(Vec::new()), blind: blind.collect() };
            let changed = ledger.watch(&told, &at(seconds), &rules);
            changed.iter().map(|i| (i.phase, i.cause.severity, i.evidence[0].result.clone())).collect::<Vec<_>>()
        };
        assert_eq!(see(1, &["one replica"]), [(Phase::Opened, Severity::Medium, "one replica".to_owned())]);
        assert_eq!(see(2, &["one replica"]), []);
        assert_eq!(see(3, &["no file storage"]), [(Phase::Updated, Severity::Medium, "no file storage".to_owned())]);
        assert_eq!(see(4, &[])[0].0, Phase::Resolved);
    }

    #[test]
    fn what_an_earlier_run_left_open_is_not_over_while_its_watcher_cannot_see_it() {
        for (code, what) in [
            (FindingCode::IsolationInternetReachable, "outside.roots"),
            (FindingCode::ExtensionNat, "extension.nat"),
            (FindingCode::ExtensionForeignNamespace, "extension.namespaces"),
            (FindingCode::FirewallDown, "firewall.rules"),
        ] {
            let (mut ledger, rules) = (Ledger::default(), Thresholds::default());
            let found = Finding::new(code, Subject::Terminal, Origin::LocalChange);
            let mut later = Ledger::restored(ledger.watch(&tells(code.watcher(), &[found]), &at(1), &rules));
            let blind = vec![Blind { what: what.to_owned(), because: Unseen::Error("no use".to_owned()) }];
            let phases = |changed: &[Incident]| told(changed).into_iter().map(|(_, phase, ..)| phase).collect::<Vec<_>>();
            let unseen = Watched { watcher: code.watcher(), found: Some(Vec::new()), blind };
            assert_eq!(phases(&later.watch(&unseen, &at(5), &rules)), [], "{code}");
            assert_eq!(phases(&later.watch(&unseen, &at(6), &rules)), [Phase::Opened], "{code}: only what is not seen");
            let elsewhere = vec![Blind { what: "other".to_owned(), ..unseen.blind[0].clone() }];
            let seen = later.watch(&Watched { blind: elsewhere, ..unseen }, &at(7), &rules);
            assert_eq!(phases(&seen), [Phase::Resolved, Phase::Resolved], "{code} is seen to be over");
        }
    }

    #[test]
    fn what_was_deliberately_not_looked_at_is_no_blindness() {
        let blind = vec![Blind { what: "anchors".to_owned(), because: Unseen::NotConfigured("isolation.mode".to_owned()) }];
        let told = Watched { watcher: Watcher::Isolation, found: Some(Vec::new()), blind };
        assert_eq!(Ledger::default().watch(&told, &at(2), &Thresholds::default()), []);
    }
}
