//! Disconnections: per service the failures and successes in a row, and which incident holds it.

use super::ledger::{Book, Sight, Thresholds, dated, millis, planned};
use crate::model::{
    Cause, Certainty, Change, Diagnosis, Earlier, Fingerprint, Incident, KnownCause, Phase, Severity, Stamp, Subject, Verdict,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// What the kernel itself proves needs no threshold, only so long that a renewed lease or a resume does not count.
const HOLD: Duration = Duration::from_millis(500);
/// Another cause replaces the one named when it was seen so often in a row, or is proven at once.
const CONVINCED: u32 = 2;
/// Earlier causes that an incident remembers: the first, and the latest. Each of its records carries them all.
const MOST_EARLIER: usize = 32;

/// All services that settlement needs.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Outages {
    services: BTreeMap<String, Service>,
    /// Another cause than the one named, per incident, and how often in a row.
    doubts: BTreeMap<u64, (String, u32)>,
}

/// How one service has fared lately.
#[derive(Debug, Clone, PartialEq, Default)]
struct Service {
    /// First failure since it last worked.
    since: Option<Stamp>,
    /// When the look that saw it began.
    first_ms: u64,
    /// Failures in a row, as far back as they count.
    failures: VecDeque<u64>,
    /// Successes in a row, as far back as they count.
    successes: VecDeque<u64>,
    /// The last round found it unusable: a pulse, which sees less, cannot take that back.
    round_failed: bool,
    /// The incident that holds it.
    incident: Option<u64>,
    /// Well again as far as can be seen, but its incident flaps and stays open for a while: nothing to hurry for.
    awaits_quiet: bool,
}

impl Outages {
    pub(super) fn adopt(&mut self, incident: &Incident) {
        if let Fingerprint::Disconnection(_) = incident.fingerprint {
            for centre in &incident.centres {
                let service = Service { incident: Some(incident.key), since: Some(incident.since.clone()), ..Service::default() };
                self.services.insert(centre.clone(), service);
            }
        }
    }

    pub(super) fn start_counting_anew(&mut self) {
        for service in self.services.values_mut() {
            service.failures.clear();
            service.successes.clear();
            if service.incident.is_none() {
                service.since = None;
            }
        }
    }

    pub(super) fn in_doubt(&self) -> bool {
        self.services.values().any(|service| service.incident.is_none() && !service.failures.is_empty())
    }

    pub(super) fn disconnected(&self) -> bool {
        self.services.values().any(|service| service.incident.is_some())
    }

    pub(super) fn clearing(&self) -> bool {
        self.services.values().any(|service| service.incident.is_some() && !service.successes.is_empty() && !service.awaits_quiet)
    }

    /// Nothing is cut off, nor seems to be.
    pub(super) fn is_calm(&self) -> bool {
        !self.disconnected() && !self.in_doubt()
    }

    pub(super) fn advance(&mut self, sight: Sight<'_>, rules: &Thresholds, book: &mut Book) {
        for (name, usable) in sight.services {
            let service = self.services.entry(name.clone()).or_default();
            service.count(*usable, sight, rules);
            if let (Some(false), Some(key)) = (usable, service.incident) {
                book.still_failing(key, sight.at);
            }
        }
        if let Some(diagnosis) = sight.diagnosis.filter(|_| !sight.shaken) {
            self.refine(diagnosis, sight.at, book);
        }
        // A pulse names no cause; but the third failure may be its, after a round has seen the same.
        let named = sight.diagnosis.map(|diagnosis| (sight.began_ms, diagnosis)).or(sight.earlier);
        if let Some((round_ms, diagnosis)) = named.filter(|_| !sight.quiet) {
            self.raise(diagnosis, round_ms, sight, rules, book);
        }
        // A pulse sees less than what may have been broken: only a round closes.
        if sight.diagnosis.is_some() {
            self.clear(sight, rules, book);
        }
    }

    fn raise(&mut self, diagnosis: &Diagnosis, round_ms: u64, sight: Sight<'_>, rules: &Thresholds, book: &mut Book) {
        let at = sight.at;
        let is_about = |service: &Service| sight.diagnosis.is_some() || (service.round_failed && service.first_ms <= round_ms);
        let failing = sight.services.iter().filter(|(_, usable)| **usable == Some(false)).map(|(name, _)| name.clone());
        for name in failing.collect::<Vec<_>>() {
            let Some(service) = self.services.get_mut(&name).filter(|service| service.incident.is_none() && is_about(service)) else {
                continue;
            };
            let found = candidates(diagnosis, &name);
            let proved = found.first().is_some_and(|root| is_kernels_word(root)) && service.has_failed_for(HOLD, sight.began_ms);
            if !proved && service.failures.len() < usize::try_from(rules.raise.failures).unwrap_or(usize::MAX) {
                continue;
            }
            let cause = known(&found);
            let takes = |incident: &&Incident| incident.is_open() && (incident.is_outage_of(&name) || shares_root(incident, &cause));
            let joined = book.incidents.values().find(takes).map(|incident| incident.key);
            let before = || book.lately(|incident| incident.is_outage_of(&name) && has_been(incident, &cause.code));
            let key = if let Some(key) = joined {
                if let Some(incident) = book.incidents.get_mut(&key) {
                    incident.centres.push(name.clone());
                }
                book.write(key, Phase::Updated, Change::Joined, at);
                key
            } else if let Some(key) = before() {
                if let Some(incident) = book.incidents.get_mut(&key) {
                    incident.centres = vec![name.clone()];
                    incident.who_acts = found.first().map(|root| root.who_acts.clone()).unwrap_or_default();
                    incident.evidence = found.first().map(|root| dated(&root.evidence, at)).unwrap_or_default();
                }
                book.reopen(key, cause, at);
                key
            } else {
                let change = if proved { Change::ProvedLocally } else { Change::Raised };
                let since = service.since.clone().unwrap_or_else(|| at.clone());
                book.open(opened(&name, cause, &found, change, since, at, rules))
            };
            service.incident = Some(key);
        }
    }

    /// The cause of what is open already.
    fn refine(&mut self, diagnosis: &Diagnosis, at: &Stamp, book: &mut Book) {
        let held: BTreeMap<u64, &String> = self.services.iter().filter_map(|(name, s)| Some((s.incident?, name))).collect();
        for (key, name) in held {
            let Some(incident) = book.incidents.get_mut(&key) else { continue };
            let found = candidates(diagnosis, name);
            let (Some(root), cause) = (found.first(), known(&found)) else { continue };
            let same = cause.code == incident.cause.code;
            if same && cause.certainty <= incident.cause.certainty {
                self.doubts.remove(&key);
                continue;
            }
            let (seen, times) = self.doubts.entry(key).or_insert_with(|| (cause.code.clone(), 0));
            if *seen != cause.code {
                (*seen, *times) = (cause.code.clone(), 0);
            }
            *times += 1;
            let is_proof = cause.certainty == Certainty::Proven && !is_mended_below(incident, &cause);
            if !same && !is_proof && *times < CONVINCED {
                continue;
            }
            self.doubts.remove(&key);
            let mut history = std::mem::take(&mut incident.cause.history);
            if !same {
                history.push(Earlier {
                    code: incident.cause.code.clone(),
                    certainty: incident.cause.certainty,
                    since_ms: incident.at.boottime_ms,
                });
                if history.len() > MOST_EARLIER {
                    history.remove(1);
                }
            }
            incident.cause = KnownCause { history, ..cause };
            incident.who_acts.clone_from(&root.who_acts);
            incident.evidence = dated(&root.evidence, at);
            book.write(key, Phase::Updated, Change::Refined, at);
        }
    }

    fn clear(&mut self, sight: Sight<'_>, rules: &Thresholds, book: &mut Book) {
        let enough = usize::try_from(rules.clear.successes).unwrap_or(usize::MAX);
        let mut well: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        // A round that could not tell is no reason to believe the pulses before it.
        let seen_well = |name: &String| sight.services.get(name).is_some_and(|usable| *usable == Some(true));
        for (name, service) in self.services.iter().filter(|(name, service)| seen_well(name) && service.successes.len() >= enough) {
            if let Some(key) = service.incident {
                well.entry(key).or_default().insert(name.clone());
            }
        }
        for (key, names) in well {
            self.release(key, &names, Change::Recovered, sight.at, book);
        }
    }

    /// Lets go of services that are not configured any more.
    pub(super) fn keep_only(&mut self, wanted: &BTreeSet<String>, at: &Stamp, book: &mut Book) {
        let mut gone: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        for (name, service) in self.services.iter().filter(|(name, _)| !wanted.contains(*name)) {
            if let Some(key) = service.incident {
                gone.entry(key).or_default().insert(name.clone());
            }
        }
        for (key, names) in gone {
            self.release(key, &names, Change::NotWatchedAnyMore, at, book);
        }
        self.services.retain(|name, _| wanted.contains(name));
    }

    /// Takes services out of their incident; it ends with the last of them, which it keeps in name.
    fn release(&mut self, key: u64, names: &BTreeSet<String>, why: Change, at: &Stamp, book: &mut Book) {
        let over = book.incidents.get(&key).is_none_or(|incident| incident.centres.iter().all(|centre| names.contains(centre)));
        if over && why == Change::Recovered && !book.may_resolve(key, at) {
            for (_, service) in self.services.iter_mut().filter(|(name, _)| names.contains(*name)) {
                service.awaits_quiet = true;
            }
            return;
        }
        for name in names {
            self.services.insert(name.clone(), Service::default());
        }
        if over {
            self.doubts.remove(&key);
            book.resolve(key, why, at);
            return;
        }
        if let Some(incident) = book.incidents.get_mut(&key) {
            incident.centres.retain(|centre| !names.contains(centre));
        }
        book.write(key, Phase::Updated, Change::PartlyRecovered, at);
    }
}

impl Service {
    fn count(&mut self, usable: Option<bool>, sight: Sight<'_>, rules: &Thresholds) {
        let now = sight.at.boottime_ms;
        let whole = sight.diagnosis.is_some();
        match usable {
            None => {}
            Some(true) => {
                if whole || !self.round_failed {
                    self.round_failed = false;
                    self.failures.clear();
                    if self.incident.is_none() {
                        self.since = None;
                    }
                }
                push_within(&mut self.successes, now, rules.clear.within, rules.clear.successes);
            }
            Some(false) => {
                self.round_failed |= whole;
                self.successes.clear();
                self.awaits_quiet = false;
                if self.since.is_none() {
                    (self.since, self.first_ms) = (Some(sight.at.clone()), sight.began_ms);
                }
                push_within(&mut self.failures, now, rules.raise.within, rules.raise.failures);
            }
        }
    }

    /// Between the beginnings of two looks: one that takes long still saw only what was when it began.
    fn has_failed_for(&self, long: Duration, began_ms: u64) -> bool {
        self.since.is_some() && began_ms.saturating_sub(self.first_ms) >= millis(long)
    }
}

/// Counts one more, and lets go of what is too long ago or more than is needed.
fn push_within(times: &mut VecDeque<u64>, now: u64, within: Duration, enough: u32) {
    times.push_back(now);
    while times.len() > usize::try_from(enough).unwrap_or(usize::MAX).max(1) {
        times.pop_front();
    }
    while times.front().is_some_and(|first| now.saturating_sub(*first) > millis(within)) {
        times.pop_front();
    }
}

/// The verdicts that cut this service off, the root first.
fn candidates<'a>(diagnosis: &'a Diagnosis, service: &str) -> Vec<&'a Verdict> {
    let about = |verdict: &&Verdict| {
        verdict.disconnects
            && (verdict.explains.is_empty() || verdict.explains.iter().any(|s| matches!(s, Subject::Centre(name) if name == service)))
    };
    diagnosis.verdicts.iter().filter(about).collect()
}

fn known(found: &[&Verdict]) -> KnownCause {
    match found.split_first() {
        Some((root, others)) => KnownCause::of(root, others),
        None => KnownCause {
            code: "unknown".to_owned(),
            layer: None,
            object: "terminal".to_owned(),
            severity: Severity::Critical,
            certainty: Certainty::Possible,
            alternatives: Vec::new(),
            history: Vec::new(),
        },
    }
}

/// One thing broke, and several services feel it.
fn shares_root(incident: &Incident, cause: &KnownCause) -> bool {
    matches!(incident.fingerprint, Fingerprint::Disconnection(_))
        && cause.code != "unknown"
        && incident.cause.code == cause.code
        && incident.cause.object == cause.object
}

/// The incident was taken for this cause at one time or another: only then it is the same that came back.
fn has_been(incident: &Incident, code: &str) -> bool {
    incident.cause.code == code || incident.cause.history.iter().any(|earlier| earlier.code == code)
}

/// What was proven broken carries again as far as something above it: a look while it is being mended sees just that, for once.
fn is_mended_below(incident: &Incident, cause: &KnownCause) -> bool {
    incident.cause.certainty == Certainty::Proven && cause.layer > incident.cause.layer
}

/// What the kernel knows of its own: nobody else has to confirm it.
fn is_kernels_word(verdict: &Verdict) -> bool {
    let local = matches!(
        verdict.cause,
        Cause::LinkNoCarrier
            | Cause::LinkAdminDown
            | Cause::AddrNone
            | Cause::AddrGatewayNotOnLink
            | Cause::RouteMissing
            | Cause::RouteBlocked
            | Cause::RouteCaptured
            | Cause::DnsNoResolver
            | Cause::VpnNotStarted
            | Cause::VpnAddressMissing
    );
    local && verdict.certainty == Certainty::Proven
}

fn opened(name: &str, cause: KnownCause, found: &[&Verdict], change: Change, since: Stamp, at: &Stamp, rules: &Thresholds) -> Incident {
    let root = found.first();
    Incident {
        key: 0,
        fingerprint: Fingerprint::Disconnection(name.to_owned()),
        phase: Phase::Opened,
        rev: 1,
        change,
        occurrences: 1,
        flapping: false,
        centres: vec![name.to_owned()],
        planned: planned(rules, &since),
        grant: None,
        since,
        at: at.clone(),
        cause,
        who_acts: root.map(|root| root.who_acts.clone()).unwrap_or_default(),
        evidence: root.map(|root| dated(&root.evidence, at)).unwrap_or_default(),
        origin: None,
        comments: Vec::new(),
    }
}

impl Incident {
    fn is_outage_of(&self, service: &str) -> bool {
        matches!(&self.fingerprint, Fingerprint::Disconnection(name) if name == service)
    }
}
