//! All incidents, open and lately closed, and the two books that move them on.

use super::findings::Findings;
use super::outage::Outages;
use super::trouble::Troubles;
use crate::config::{Clear, Config, Maintenance, Raise};
use crate::model::{Change, Comment, Diagnosis, Evidence, Incident, IncidentCard, KnownCause, Phase, Stamp, Watched};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What comes back within this time after it was resolved is the same incident.
const SAME_AGAIN: Duration = Duration::from_mins(10);
/// So many occurrences make it flapping.
const FLAPPING: u32 = 3;
/// A flapping incident is closed after so long without a failure.
const FLAPPING_QUIET: Duration = Duration::from_mins(5);

/// What opens and closes incidents.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Thresholds {
    /// Failures in a row.
    pub raise: Raise,
    /// Successes in a row.
    pub clear: Clear,
    /// Announced windows, for the label.
    pub maintenance: Vec<Maintenance>,
}

impl From<&Config> for Thresholds {
    fn from(config: &Config) -> Self {
        Self { raise: config.probe.raise, clear: config.probe.clear, maintenance: config.maintenance.clone() }
    }
}

/// What became of a statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Commented {
    /// The incident is open: this is to be recorded.
    Open(Box<Incident>),
    /// It was resolved not long ago: should it come back, the statement is still there.
    Over,
    /// The incident is not held here: it is over for long, or was never known.
    NotHeld,
    /// It is over, and the card does not know: the record of its end is under way.
    NotYet,
    /// There are [`Comment::MOST`] already.
    TooMany,
}

/// One look, as the ledger takes it.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// When it ended.
    pub at: &'a Stamp,
    /// When it began (`boottime_ms`).
    pub began_ms: u64,
    /// Whether each service that settlement needs can be used; `None` = could not tell.
    pub services: &'a BTreeMap<String, Option<bool>>,
    /// What it means, where the look was a whole round.
    pub diagnosis: Option<&'a Diagnosis>,
    /// What the last round meant and when it began, where the look was a pulse: it may have seen what the pulses have counted since.
    pub earlier: Option<(u64, &'a Diagnosis)>,
    /// The network changed while it was looked at: what was seen may be of two networks.
    pub shaken: bool,
    /// The network or this program has only just come up: nothing is opened.
    pub quiet: bool,
}

/// The incidents of this terminal.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ledger {
    book: Book,
    outages: Outages,
    troubles: Troubles,
    findings: Findings,
}

impl Ledger {
    /// Takes up the incidents that were open when an earlier run ended. They go on under their old names.
    pub fn restored(open: Vec<Incident>) -> Self {
        let mut ledger = Self::default();
        for mut incident in open.into_iter().filter(Incident::is_open) {
            incident.key = ledger.book.next_key();
            ledger.outages.adopt(&incident);
            ledger.troubles.adopt(&incident);
            ledger.findings.adopt(&incident);
            ledger.book.incidents.insert(incident.key, incident);
        }
        ledger
    }

    /// Takes a look in and gives the incidents that changed, as they are now, in the order in which they changed.
    pub fn advance(&mut self, sight: Sight<'_>, rules: &Thresholds) -> Vec<Incident> {
        self.book.forget(sight.at);
        self.outages.advance(sight, rules, &mut self.book);
        self.troubles.advance(sight, rules, &mut self.book, self.outages.is_calm());
        self.book.take_changed()
    }

    /// Takes in what a watcher tells, and gives the incidents that changed.
    pub fn watch(&mut self, told: &Watched, at: &Stamp, rules: &Thresholds) -> Vec<Incident> {
        self.book.forget(at);
        self.findings.advance(told, at, rules, &mut self.book);
        self.book.take_changed()
    }

    /// Adds the shop's statement to the incident that this card is of.
    pub fn comment(&mut self, card: &IncidentCard, comment: &Comment, at: &Stamp) -> Commented {
        let is_it = |incident: &&mut Incident| {
            let since = &incident.since;
            (since.boottime_ms, &since.boot_id) == (card.since.boot_ms, &card.since.boot_id)
                && incident.fingerprint.to_string() == card.fingerprint
        };
        let Some(incident) = self.book.incidents.values_mut().find(is_it) else { return Commented::NotHeld };
        if incident.comments.len() >= Comment::MOST {
            return Commented::TooMany;
        }
        if !incident.is_open() && card.phase != Phase::Resolved {
            return Commented::NotYet;
        }
        incident.comments.push(comment.clone());
        incident.rev += 1;
        if !incident.is_open() {
            return Commented::Over;
        }
        // What it is, and since when it is so, stay as they are.
        Commented::Open(Box::new(Incident { phase: Phase::Updated, change: Change::Commented, at: at.clone(), ..incident.clone() }))
    }

    /// Closes what the configuration does not have any more.
    pub fn keep_only(&mut self, services: &BTreeSet<String>, at: &Stamp) -> Vec<Incident> {
        self.outages.keep_only(services, at, &mut self.book);
        self.book.take_changed()
    }

    /// Forgets failures and successes that were counted so far: they were seen in other surroundings.
    pub fn start_counting_anew(&mut self) {
        self.outages.start_counting_anew();
        self.troubles.start_counting_anew();
    }

    /// The open incidents, the oldest first.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.book.incidents.values().filter(|incident| incident.is_open())
    }

    /// A service failed lately and is not (yet) given up or cleared.
    pub fn in_doubt(&self) -> bool {
        self.outages.in_doubt()
    }

    /// A disconnection is open.
    pub fn disconnected(&self) -> bool {
        self.outages.disconnected()
    }

    /// A disconnection is open and the last look was good.
    pub fn clearing(&self) -> bool {
        self.outages.clearing()
    }

    /// A degradation has been seen and is neither open nor gone, or is open and was not seen in the last round.
    pub fn trouble_in_doubt(&self) -> bool {
        self.troubles.in_doubt()
    }

    /// A degradation is open.
    pub fn troubled(&self) -> bool {
        self.troubles.any_open()
    }
}

/// The incidents themselves, with the steps that every kind of them takes.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Book {
    keys: u64,
    pub(super) incidents: BTreeMap<u64, Incident>,
    /// Resolved ones that may come back, and when they were resolved.
    resolved: BTreeMap<u64, Stamp>,
    /// Last failure of each, for flapping.
    failed: BTreeMap<u64, u64>,
    /// Changed in this step, in this order: one record each, whatever happens to it within the step.
    changed: Vec<u64>,
}

impl Book {
    pub(super) fn next_key(&mut self) -> u64 {
        self.keys += 1;
        self.keys
    }

    /// Opens a new incident.
    pub(super) fn open(&mut self, mut incident: Incident) -> u64 {
        let key = self.next_key();
        incident.key = key;
        self.failed.insert(key, incident.at.boottime_ms);
        self.incidents.insert(key, incident);
        self.changed.push(key);
        key
    }

    /// An incident that was resolved not long ago and was about this.
    pub(super) fn lately(&self, is_it: impl Fn(&Incident) -> bool) -> Option<u64> {
        self.resolved.keys().rev().copied().find(|key| self.incidents.get(key).is_some_and(&is_it))
    }

    /// The same again.
    pub(super) fn reopen(&mut self, key: u64, cause: KnownCause, at: &Stamp) {
        self.resolved.remove(&key);
        self.failed.insert(key, at.boottime_ms);
        if let Some(incident) = self.incidents.get_mut(&key) {
            incident.occurrences += 1;
            incident.flapping = incident.occurrences >= FLAPPING;
            incident.cause = KnownCause { history: incident.cause.history.clone(), ..cause };
        }
        self.write(key, Phase::Updated, Change::Reopened, at);
    }

    /// It failed again while it is open.
    pub(super) fn still_failing(&mut self, key: u64, at: &Stamp) {
        self.failed.insert(key, at.boottime_ms);
    }

    /// Long enough without a failure to be called over.
    pub(super) fn may_resolve(&self, key: u64, at: &Stamp) -> bool {
        let flapping = self.incidents.get(&key).is_some_and(|incident| incident.flapping);
        let failed = self.failed.get(&key).copied().unwrap_or(0);
        !flapping || at.boottime_ms.saturating_sub(failed) >= millis(FLAPPING_QUIET)
    }

    /// The end.
    pub(super) fn resolve(&mut self, key: u64, change: Change, at: &Stamp) {
        self.write(key, Phase::Resolved, change, at);
        self.failed.remove(&key);
        self.resolved.insert(key, at.clone());
    }

    /// Marks a change that is to be recorded.
    pub(super) fn write(&mut self, key: u64, phase: Phase, change: Change, at: &Stamp) {
        let first = !self.changed.contains(&key);
        if first {
            self.changed.push(key);
        }
        if let Some(incident) = self.incidents.get_mut(&key) {
            incident.rev += u32::from(first);
            // What opened in this very step has nothing before it that could have been updated.
            if first || incident.phase != Phase::Opened || phase == Phase::Resolved {
                (incident.phase, incident.change) = (phase, change);
            }
            incident.at = at.clone();
        }
    }

    fn take_changed(&mut self) -> Vec<Incident> {
        std::mem::take(&mut self.changed).iter().filter_map(|key| self.incidents.get(key).cloned()).collect()
    }

    /// Drops what was resolved too long ago to come back.
    fn forget(&mut self, now: &Stamp) {
        let old = |at: &Stamp| at.boot_id != now.boot_id || now.boottime_ms.saturating_sub(at.boottime_ms) > millis(SAME_AGAIN);
        let gone: Vec<u64> = self.resolved.iter().filter(|(_, at)| old(at)).map(|(key, _)| *key).collect();
        for key in gone {
            self.resolved.remove(&key);
            self.incidents.remove(&key);
        }
    }
}

/// A duration in the unit of the stamps.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The announced window that is open.
pub(super) fn planned(rules: &Thresholds, at: &Stamp) -> Option<String> {
    let window = rules.maintenance.iter().find(|window| window.from <= at.wall && at.wall < window.to)?;
    Some(window.note.clone().unwrap_or_default())
}

/// Proof that outlives its diagnosis says when it was seen.
pub(super) fn dated(evidence: &[Evidence], at: &Stamp) -> Vec<Evidence> {
    evidence.iter().map(|line| Evidence { boot_ms: Some(at.boottime_ms), ..line.clone() }).collect()
}
