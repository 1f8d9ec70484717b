//! When to look, and what becomes of what was seen. There is no tick: every step says by when the next one is due.
//!
//! Two kinds of look. A *pulse* asks each service the few questions that decide whether it can be used, with what is known already; it is
//! cheap and names no cause. A *round* looks at every layer and is diagnosed. While all is well there are pulses at the interval and
//! now and then a round. A failed pulse, or a word of the kernel, brings a round at once; pulses go on beside it, so that the threshold
//! is reached while the round still gathers proof.

use super::ledger::{Commented, Ledger, Sight, Thresholds, millis};
use crate::config::Config;
use crate::model::{Chain, Comment, Diagnosis, Draft, Fingerprint, Incident, IncidentCard, Isolation, Stamp, Watched, What};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A pulse is well within this, or a round is begun beside it: silence is to be looked into while it is still being waited for.
const OVERDUE: Duration = Duration::from_millis(700);
/// Not so soon after a round: a page that is always slow is no reason for more rounds than pulses. A silence whose first pulse falls into this
/// gap gets its round only when that pulse has failed; it must not last so long that this becomes the longest way to an incident.
const OVERDUE_GAP: Duration = Duration::from_secs(5);
/// Between looks while something is wrong or has just changed, unless the configured interval is shorter.
const LIVELY: Duration = Duration::from_secs(5);
/// Between pulses where a needed centre lies behind a VPN: tunnels die more often than lines, and are to be seen dead in fifteen seconds.
const BEHIND_VPN: Duration = Duration::from_secs(9);
/// How long a change keeps the pace lively.
const LIVELY_FOR: Duration = Duration::from_secs(30);
/// Between two tries at what has just failed or just come back.
const RETRY: Duration = Duration::from_secs(1);
/// Between two pulses for the sake of the kernel's events: they come in storms. A round keeps this distance only from one that was begun
/// before the storm: what the kernel then proves has to be seen twice within a second.
const EVENT_GAP: Duration = Duration::from_millis(250);
/// A round waits so long after an event, or it sees half of the change: a client that is still dying, an address without its route.
const SETTLING: Duration = Duration::from_millis(50);
/// Between two rounds at least: what the kernel proves is confirmed after this.
const ROUND_GAP: Duration = Duration::from_millis(500);
/// Between two rounds of which the second is run because somebody asks.
const ASKED_GAP: Duration = Duration::from_secs(2);
/// Between rounds while all is well: for what pulses do not see.
const CALM_ROUND: Duration = Duration::from_mins(5);
/// What is open is looked at in whole rounds at a lively pace for so long after it changed; then seldom.
const FRESH: Duration = Duration::from_mins(1);
const STALE_ROUND: Duration = Duration::from_secs(30);
/// Later than this against the due time, the machine slept or starved.
const LATE: Duration = Duration::from_secs(6);
/// No look takes longer than this by itself.
const LONGEST_LOOK: Duration = Duration::from_secs(10);
/// Nothing is opened for so long after a gap, and after a boot.
const QUIET: Duration = Duration::from_secs(20);
const BOOT_QUIET: Duration = Duration::from_mins(1);

/// What happens to the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Its own deadline came.
    Due,
    /// A pulse has ended.
    Pulse {
        /// When it began (`boottime_ms`).
        began_ms: u64,
        /// Each service; `None` = could not tell.
        services: BTreeMap<String, Option<bool>>,
    },
    /// A round has ended.
    Round {
        /// When it began (`boottime_ms`).
        began_ms: u64,
        /// What it means.
        diagnosis: Box<Diagnosis>,
    },
    /// The kernel says that links, addresses, routes, rules or neighbours changed.
    NetworkChanged,
    /// Somebody waits for a round that begins from now on.
    RoundWanted,
    /// A watcher has looked.
    Watched(Watched),
    /// Another configuration is in force.
    Reconfigured(Box<Config>),
}

/// A kind of look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The few questions that decide.
    Pulse,
    /// Everything.
    Round,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Look now.
    Look(Look),
    /// Write this down.
    Record(Box<Draft>),
}

/// The outcome of a step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// In this order.
    pub effects: Vec<Effect>,
    /// Step again by then (`boottime_ms`) at the latest.
    pub due_ms: u64,
}

/// The deciding part of the daemon.
#[derive(Debug, Clone, PartialEq)]
pub struct Engine {
    rules: Thresholds,
    interval: Duration,
    /// Centres that settlement needs; empty = only this PC's own part is looked at, by rounds.
    services: BTreeSet<String>,
    ledger: Ledger,
    /// What the last round meant, with what watchers have found about the isolation since.
    latest: Option<Diagnosis>,
    /// What that round itself said of the isolation.
    isolation: Isolation,
    /// When that round began.
    latest_ms: u64,
    /// When the kernel last told of a change.
    shaken_ms: u64,
    /// Milliseconds into the interval at which this terminal looks: a fleet must not look as one.
    phase_ms: u64,
    pulse: Clockwork,
    round: Clockwork,
    lively_until_ms: u64,
    quiet_until_ms: u64,
    /// Looks that began before this do not count.
    valid_from_ms: u64,
    changed_ms: u64,
    due_ms: Option<u64>,
}

/// One kind of look in time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Clockwork {
    running: bool,
    began_ms: Option<u64>,
    due_ms: Option<u64>,
}

impl Clockwork {
    fn is_due(&self, now: u64) -> bool {
        !self.running && self.due_ms.is_some_and(|due| due <= now)
    }

    fn begin(&mut self, now: u64) {
        *self = Self { running: true, began_ms: Some(now), due_ms: None };
    }

    /// Not before `gap` has passed since the last one began, and not later than it is due already.
    fn wish(&mut self, at: u64, gap: Duration) {
        let at = self.began_ms.map_or(at, |began| at.max(began.saturating_add(millis(gap))));
        self.due_ms = Some(self.due_ms.map_or(at, |due| due.min(at)));
    }
}

impl Engine {
    /// Begins at `now`, with the incidents that an earlier run left open. `phase` (0 to 1) spreads terminals over the interval.
    pub fn new(config: &Config, open: Vec<Incident>, phase: f64, now: &Stamp) -> Self {
        let interval = interval_of(config);
        let mut engine = Self {
            rules: config.into(),
            interval,
            services: services_of(config),
            ledger: Ledger::restored(open),
            latest: None,
            isolation: Isolation::Unknown,
            latest_ms: 0,
            shaken_ms: 0,
            phase_ms: millis(interval.mul_f64(phase.clamp(0.0, 1.0))),
            pulse: Clockwork::default(),
            round: Clockwork { due_ms: Some(now.boottime_ms), ..Clockwork::default() },
            lively_until_ms: now.boottime_ms + millis(LIVELY_FOR),
            quiet_until_ms: millis(BOOT_QUIET),
            valid_from_ms: 0,
            changed_ms: now.boottime_ms,
            due_ms: None,
        };
        engine.plan_pulse(now.boottime_ms);
        engine
    }

    /// Takes one thing in.
    pub fn step(&mut self, now: &Stamp, input: Input) -> Step {
        let at = now.boottime_ms;
        let mut effects = Vec::new();
        self.notice_gap(at, &input);
        if self.due_ms.is_none() {
            // The first step: what an earlier run left open may be of a configuration that is not in force any more.
            self.let_go(now, &mut effects);
        }
        match input {
            Input::Due => {}
            Input::NetworkChanged => {
                let shaken_ms = std::mem::replace(&mut self.shaken_ms, at);
                self.lively_until_ms = at + millis(LIVELY_FOR);
                self.pulse.wish(at, EVENT_GAP);
                let gap = if at.saturating_sub(shaken_ms) < millis(RETRY) { RETRY } else { EVENT_GAP };
                self.round.wish(at + millis(SETTLING), gap);
            }
            Input::RoundWanted => self.round.wish(at, ASKED_GAP),
            Input::Pulse { began_ms, services } => {
                self.pulse.running = false;
                if began_ms >= self.valid_from_ms {
                    let (needed, lesser): (BTreeMap<_, _>, BTreeMap<_, _>) =
                        services.into_iter().partition(|(name, _)| self.services.contains(name));
                    self.take((now, began_ms), &needed, None, &mut effects);
                    if self.tells_more(&needed) {
                        self.round.wish(at, STALE_ROUND);
                    }
                    if lesser.values().any(|usable| *usable == Some(false)) && !self.ledger.troubled() {
                        self.round.wish(at, LIVELY);
                    }
                }
                self.plan_pulse(at);
            }
            Input::Round { began_ms, diagnosis } => {
                self.round.running = false;
                if began_ms >= self.valid_from_ms {
                    let services = self.judged(&diagnosis);
                    self.take((now, began_ms), &services, Some(&diagnosis), &mut effects);
                    self.isolation = diagnosis.isolation;
                    (self.latest, self.latest_ms) = (Some(*diagnosis), began_ms);
                }
                self.plan_pulse(at);
            }
            Input::Watched(told) => {
                let changed = self.ledger.watch(&told, now, &self.rules);
                effects.extend(changed.into_iter().map(|incident| record(now, incident)));
            }
            Input::Reconfigured(config) => self.reconfigure(&config, now, &mut effects),
        }
        if let Some(latest) = &mut self.latest {
            let findings = self.ledger.open().filter_map(|incident| match incident.fingerprint {
                Fingerprint::Finding(code, _) => Some((code, incident.cause.severity)),
                _ => None,
            });
            latest.isolation = self.isolation.told(findings);
        }
        self.plan_round(at);
        if self.pulse_overdue().is_some_and(|due| due <= at) {
            self.round.due_ms = Some(at);
        }
        for (clockwork, look) in [(&mut self.pulse, Look::Pulse), (&mut self.round, Look::Round)] {
            if clockwork.is_due(at) {
                clockwork.begin(at);
                effects.push(Effect::Look(look));
            }
        }
        let planned = [self.pulse, self.round].into_iter().filter(|c| !c.running).filter_map(|c| c.due_ms);
        let due = planned.chain(self.pulse_overdue()).min();
        // While a look runs its end is the next step; the bound only tells a sleep from a long look.
        let due = due.unwrap_or(at + millis(CALM_ROUND)).max(at + 1);
        self.due_ms = Some(due);
        Step { effects, due_ms: due }
    }

    /// The open incidents.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.ledger.open()
    }

    /// Adds the shop's statement to the incident that this card is of; changes nothing else.
    pub fn comment(&mut self, card: &IncidentCard, comment: &Comment, now: &Stamp) -> Commented {
        self.ledger.comment(card, comment, now)
    }

    /// What the last round meant.
    pub fn latest(&self) -> Option<&Diagnosis> {
        self.latest.as_ref()
    }

    /// A look that began then tells of the network as it is, not as it was before a sleep or under another configuration.
    pub fn counts(&self, began_ms: u64) -> bool {
        began_ms >= self.valid_from_ms
    }

    /// How each service fared in a round.
    fn judged(&self, diagnosis: &Diagnosis) -> BTreeMap<String, Option<bool>> {
        let name = |chain: &Chain| match chain {
            Chain::Local => "local".to_owned(),
            Chain::Centre(name) => name.clone(),
        };
        let named = diagnosis.services.iter().map(|service| (name(&service.chain), service.usable));
        named.filter(|(name, _)| self.services.contains(name) || self.services.is_empty()).collect()
    }

    /// This pulse saw a service work of which the last round could not tell: that round must not stand for minutes.
    fn tells_more(&self, pulse: &BTreeMap<String, Option<bool>>) -> bool {
        let told = self.latest.as_ref().map(|latest| self.judged(latest)).unwrap_or_default();
        pulse.iter().any(|(name, usable)| *usable == Some(true) && told.get(name) == Some(&None))
    }

    fn take(
        &mut self,
        (now, began_ms): (&Stamp, u64),
        services: &BTreeMap<String, Option<bool>>,
        diagnosis: Option<&Diagnosis>,
        effects: &mut Vec<Effect>,
    ) {
        let quiet = now.boottime_ms < self.quiet_until_ms;
        // What a round saw before the network changed names nothing now; the next one is due.
        let still_holds = diagnosis.is_none() && self.latest_ms >= self.shaken_ms;
        let earlier = self.latest.as_ref().map(|latest| (self.latest_ms, latest)).filter(|_| still_holds);
        let shaken = began_ms < self.shaken_ms;
        let sight = Sight { at: now, began_ms, services, diagnosis, earlier, shaken, quiet };
        let changed = self.ledger.advance(sight, &self.rules);
        if !changed.is_empty() {
            self.changed_ms = now.boottime_ms;
        }
        effects.extend(changed.into_iter().map(|incident| record(now, incident)));
        let failed = services.values().any(|usable| *usable == Some(false));
        let open = self.ledger.disconnected();
        if failed && !open {
            self.round.wish(now.boottime_ms, ROUND_GAP);
        }
        if self.ledger.clearing() {
            self.round.wish(now.boottime_ms, RETRY);
        }
        if self.ledger.trouble_in_doubt() && self.ledger.open().next().is_none() && !failed {
            self.round.wish(now.boottime_ms + millis(RETRY), ROUND_GAP);
        }
    }

    /// When the pulse that is under way will have taken long enough for a round to begin beside it.
    fn pulse_overdue(&self) -> Option<u64> {
        let began = self.pulse.began_ms.filter(|_| self.pulse.running && !self.round.running && !self.ledger.disconnected())?;
        let due = began + millis(OVERDUE);
        let lately = self.round.began_ms.is_some_and(|round| due < round + millis(OVERDUE_GAP));
        (!lately).then_some(due)
    }

    fn plan_pulse(&mut self, now: u64) {
        if self.services.is_empty() || self.pulse.running {
            return;
        }
        let began = self.pulse.began_ms.unwrap_or(now);
        let next = if self.ledger.in_doubt() || self.ledger.clearing() {
            began + millis(RETRY)
        } else if self.ledger.disconnected() || now < self.lively_until_ms {
            began + millis(LIVELY.min(self.interval))
        } else {
            self.on_grid(now)
        };
        // What is due now is not put off to the next beat because something else ended at the same moment.
        let due = self.pulse.due_ms.filter(|due| *due <= now);
        self.pulse.due_ms = Some(due.unwrap_or(next.max(now)));
    }

    fn plan_round(&mut self, now: u64) {
        if self.round.running {
            return;
        }
        let began = self.round.began_ms.unwrap_or(now);
        let gap = if self.ledger.trouble_in_doubt() {
            LIVELY
        } else if self.ledger.disconnected() || self.ledger.troubled() {
            if now.saturating_sub(self.changed_ms) < millis(FRESH) { LIVELY } else { STALE_ROUND }
        } else if self.services.is_empty() {
            self.interval
        } else {
            CALM_ROUND
        };
        self.round.wish(began + millis(gap), ROUND_GAP);
    }

    /// The next moment of this terminal's own rhythm.
    fn on_grid(&self, now: u64) -> u64 {
        let interval = millis(self.interval).max(1);
        let into = (now + interval - self.phase_ms % interval) % interval;
        now + interval - into
    }

    /// Late against the due time: the machine slept, or this program got no time. What was under way then proves nothing.
    fn notice_gap(&mut self, now: u64, input: &Input) {
        let late = self.due_ms.is_some_and(|due| now.saturating_sub(due) > millis(LATE));
        let long = match input {
            Input::Pulse { began_ms, .. } | Input::Round { began_ms, .. } => now.saturating_sub(*began_ms) > millis(LONGEST_LOOK),
            Input::Due | Input::NetworkChanged | Input::RoundWanted | Input::Watched(..) | Input::Reconfigured(_) => false,
        };
        if late || long {
            self.valid_from_ms = now;
            self.quiet_until_ms = self.quiet_until_ms.max(now + millis(QUIET));
            self.lively_until_ms = now + millis(LIVELY_FOR);
            self.ledger.start_counting_anew();
            self.pulse.due_ms = Some(now);
            self.round.wish(now, ROUND_GAP);
        }
    }

    fn reconfigure(&mut self, config: &Config, now: &Stamp, effects: &mut Vec<Effect>) {
        self.rules = config.into();
        self.interval = interval_of(config);
        self.services = services_of(config);
        self.let_go(now, effects);
        self.ledger.start_counting_anew();
        self.valid_from_ms = now.boottime_ms;
        self.pulse.due_ms = None;
        self.plan_pulse(now.boottime_ms);
        self.round.wish(now.boottime_ms, Duration::ZERO);
    }

    /// Ends what is open of services that are not watched any more.
    fn let_go(&mut self, now: &Stamp, effects: &mut Vec<Effect>) {
        let mut wanted = self.services.clone();
        if wanted.is_empty() {
            wanted.insert("local".to_owned());
        }
        effects.extend(self.ledger.keep_only(&wanted, now).into_iter().map(|incident| record(now, incident)));
    }
}

fn record(now: &Stamp, incident: Incident) -> Effect {
    Effect::Record(Box::new(Draft::new(now, What::Incident(Box::new(incident)))))
}

fn interval_of(config: &Config) -> Duration {
    let tunnelled = config.centres.iter().any(|centre| centre.critical && centre.via.is_some());
    if tunnelled { config.probe.interval.min(BEHIND_VPN) } else { config.probe.interval }
}

fn services_of(config: &Config) -> BTreeSet<String> {
    config.centres.iter().filter(|centre| centre.critical).map(|centre| centre.name.clone()).collect()
}
