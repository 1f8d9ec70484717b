//! What makes things worse without cutting anything off: degradations, and what the agent cannot see. Keyed by what and where; judged by
//! whole rounds only, and not while something is cut off, because a broken path shows and hides degradations of its own.

use super::ledger::{Book, Sight, Thresholds, dated, planned};
use crate::model::{
    Actor, Certainty, Change, Diagnosis, Evidence, Fingerprint, Incident, KnownCause, Phase, Severity, Stamp, Unseen, Verdict, Watcher,
};
use std::collections::BTreeMap;

/// All of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Troubles(BTreeMap<Fingerprint, Trouble>);

/// How one of them has fared lately.
#[derive(Debug, Clone, PartialEq, Default)]
struct Trouble {
    since: Option<Stamp>,
    /// Rounds in a row that saw it.
    seen: u32,
    /// Rounds in a row that did not.
    missed: u32,
    incident: Option<u64>,
}

/// What a round shows of one.
struct Shown {
    cause: KnownCause,
    who_acts: Vec<Actor>,
    evidence: Vec<Evidence>,
    centres: Vec<String>,
}

impl Troubles {
    pub(super) fn adopt(&mut self, incident: &Incident) {
        let ours = match &incident.fingerprint {
            Fingerprint::Degradation(..) => true,
            Fingerprint::Blindness(what) => Watcher::of_blindness(what).is_none(),
            Fingerprint::Disconnection(_) | Fingerprint::Finding(..) => false,
        };
        if ours {
            let trouble = Trouble { since: Some(incident.since.clone()), incident: Some(incident.key), ..Trouble::default() };
            self.0.insert(incident.fingerprint.clone(), trouble);
        }
    }

    pub(super) fn start_counting_anew(&mut self) {
        self.0.retain(|_, trouble| trouble.incident.is_some());
        self.0.values_mut().for_each(|trouble| (trouble.seen, trouble.missed) = (0, 0));
    }

    pub(super) fn in_doubt(&self) -> bool {
        self.0.values().any(|trouble| match trouble.incident {
            None => trouble.seen > 0,
            Some(_) => trouble.missed > 0,
        })
    }

    pub(super) fn any_open(&self) -> bool {
        self.0.values().any(|trouble| trouble.incident.is_some())
    }

    pub(super) fn advance(&mut self, sight: Sight<'_>, rules: &Thresholds, book: &mut Book, calm: bool) {
        let Some(diagnosis) = sight.diagnosis.filter(|_| calm && sight.services.values().all(Option::is_some)) else { return };
        let mut shown = shown(diagnosis);
        for it in shown.values_mut() {
            it.evidence = dated(&it.evidence, sight.at);
        }
        for (fingerprint, trouble) in &mut self.0 {
            match shown.remove(fingerprint) {
                Some(now) => trouble.see(fingerprint, now, sight, rules, book),
                None => trouble.miss(sight.at, rules, book),
            }
        }
        for (fingerprint, now) in shown {
            let trouble = self.0.entry(fingerprint.clone()).or_default();
            trouble.see(&fingerprint, now, sight, rules, book);
        }
        self.0.retain(|_, trouble| trouble.incident.is_some() || trouble.seen > 0);
    }
}

impl Trouble {
    fn see(&mut self, fingerprint: &Fingerprint, now: Shown, sight: Sight<'_>, rules: &Thresholds, book: &mut Book) {
        let since = self.since.get_or_insert_with(|| sight.at.clone()).clone();
        (self.seen, self.missed) = (self.seen + 1, 0);
        if let Some(key) = self.incident {
            book.still_failing(key, sight.at);
            return;
        }
        if self.seen < rules.raise.failures || sight.quiet {
            return;
        }
        let key = if let Some(key) = book.lately(|incident| incident.fingerprint == *fingerprint) {
            if let Some(incident) = book.incidents.get_mut(&key) {
                incident.evidence = now.evidence;
            }
            book.reopen(key, now.cause, sight.at);
            key
        } else {
            book.open(Incident {
                key: 0,
                fingerprint: fingerprint.clone(),
                phase: Phase::Opened,
                rev: 1,
                change: Change::Raised,
                occurrences: 1,
                flapping: false,
                centres: now.centres,
                planned: planned(rules, &since),
                grant: None,
                since,
                at: sight.at.clone(),
                cause: now.cause,
                who_acts: now.who_acts,
                evidence: now.evidence,
                origin: None,
                comments: Vec::new(),
            })
        };
        self.incident = Some(key);
    }

    fn miss(&mut self, at: &Stamp, rules: &Thresholds, book: &mut Book) {
        (self.seen, self.missed) = (0, self.missed + 1);
        let Some(key) = self.incident else { return };
        if self.missed >= rules.clear.successes && book.may_resolve(key, at) {
            book.resolve(key, Change::Recovered, at);
            *self = Self::default();
        }
    }
}

fn shown(diagnosis: &Diagnosis) -> BTreeMap<Fingerprint, Shown> {
    let worse = diagnosis.verdicts.iter().filter(|verdict| !verdict.disconnects).map(degradation);
    let blind = diagnosis.blind.iter().filter(|blind| is_lack(&blind.because)).map(|blind| blindness(&blind.what, &blind.because));
    worse.chain(blind).collect()
}

fn degradation(verdict: &Verdict) -> (Fingerprint, Shown) {
    let centres = verdict.explains.iter().filter_map(|subject| match subject {
        crate::model::Subject::Centre(name) => Some(name.clone()),
        _ => None,
    });
    let shown = Shown {
        cause: KnownCause::of(verdict, &[]),
        who_acts: verdict.who_acts.clone(),
        evidence: verdict.evidence.clone(),
        centres: centres.collect(),
    };
    (Fingerprint::Degradation(verdict.cause, verdict.subject.clone()), shown)
}

fn blindness(what: &str, because: &Unseen) -> (Fingerprint, Shown) {
    let (cause, evidence) = (lack(what), lack_seen(what, because));
    (Fingerprint::Blindness(what.to_owned()), Shown { cause, who_acts: vec![Actor::Vendor], evidence: vec![evidence], centres: Vec::new() })
}

/// The cause of a blindness.
pub(super) fn lack(what: &str) -> KnownCause {
    KnownCause {
        code: "agent.degraded".to_owned(),
        layer: None,
        object: what.to_owned(),
        severity: Severity::Low,
        certainty: Certainty::Proven,
        alternatives: Vec::new(),
        history: Vec::new(),
    }
}

/// Its proof.
pub(super) fn lack_seen(what: &str, because: &Unseen) -> Evidence {
    let why = match because {
        Unseen::Capability(name) => format!("needs {name}"),
        Unseen::Error(error) => error.clone(),
        other => format!("{other:?}"),
    };
    Evidence { k: "agent.blind".to_owned(), target: what.to_owned(), result: why, ms: None, n: 1, boot_ms: None }
}

/// Something is missing here, in contrast to what was deliberately not asked.
pub(super) fn is_lack(because: &Unseen) -> bool {
    match because {
        Unseen::Capability(_) | Unseen::NotMounted(_) | Unseen::Hidden(_) | Unseen::Error(_) => true,
        Unseen::NotConfigured(_) | Unseen::NotEnrolled | Unseen::Deadline | Unseen::Skipped | Unseen::PublicAddress | Unseen::Unsteady => {
            false
        }
    }
}
