//! Plays a scenario: an engine, a clock, and looks that see what is true when they begin.

use isonet::config::Config;
use isonet::incident::{Effect, Engine, Input, Look};
use isonet::model::{
    Blind, Cause, Certainty, Chain, ClockState, Diagnosis, Incident, Isolation, Phase, Service, Severity, Stamp, Subject, Unseen, Verdict,
    What,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// A sentence.
    pub about: String,
    /// Where it ends, seconds.
    pub until: f64,
    /// The configuration, as TOML; one centre `settlement` unless it names others.
    #[serde(default)]
    pub config: String,
    /// Boot was so long before the beginning, seconds.
    #[serde(default = "long_ago")]
    pub booted: f64,
    /// What is true from when on; what is not named stays as it was.
    pub from: Vec<From>,
    /// The kernel tells of a change of the network.
    #[serde(default)]
    pub events: Vec<f64>,
    /// The kernel tells of something every so many seconds, beside `events`.
    events_every: Option<f64>,
    /// Another configuration comes into force.
    #[serde(default)]
    reconfigured: Vec<Reconfigured>,
    /// The daemon ends and starts anew with the incidents that were open.
    #[serde(default)]
    restarts: Vec<f64>,
    /// The machine sleeps: from, to.
    #[serde(default)]
    pub sleeps: Vec<(f64, f64)>,
    /// The records that are due, in order, and no others.
    pub records: Vec<Due>,
}

fn long_ago() -> f64 {
    3600.0
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconfigured {
    s: f64,
    config: String,
    /// It was written while the daemon was down, which starts anew with it.
    #[serde(default)]
    restart: bool,
}

#[derive(Debug, Deserialize)]
pub struct From {
    s: f64,
    /// Per centre: `ok`, `unknown`, or a cause with its certainty (`line.down likely`).
    #[serde(flatten)]
    state: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Due {
    phase: Phase,
    /// Seconds: not before, not after.
    between: (f64, f64),
    cause: Option<String>,
    fingerprint: Option<String>,
    change: Option<String>,
    centres: Option<Vec<String>>,
    occurrences: Option<u32>,
    rev: Option<u32>,
    planned: Option<String>,
    history: Option<Vec<String>>,
}

/// What was recorded, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub s: f64,
    pub incident: Incident,
}

impl Scenario {
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn check(&self) -> Result<(), String> {
        let written = self.play();
        let told: Vec<String> = written.iter().map(describe).collect();
        if written.len() != self.records.len() {
            return Err(format!("{} records, {} due:\n  {}", written.len(), self.records.len(), told.join("\n  ")));
        }
        for ((written, due), told) in written.iter().zip(&self.records).zip(&told) {
            if let Some(why) = due.misses(written) {
                return Err(format!("{why}: {told}; due {due:?}"));
            }
        }
        Ok(())
    }

    pub fn config(&self) -> Config {
        config(&self.config)
    }

    /// What the kernel tells, and what else comes from outside, in order.
    fn happenings(&self) -> Vec<(u64, Happening)> {
        let regular = self.events_every.map(|every| (1_u32..).map(move |n| f64::from(n) * every).take_while(|s| *s < self.until));
        let events = self.events.iter().copied().chain(regular.into_iter().flatten());
        let mut all: Vec<(u64, Happening)> = events.map(|s| (ms(s), Happening::Event)).collect();
        all.extend(self.reconfigured.iter().map(|it| {
            let other = Box::new(config(&it.config));
            (ms(it.s), if it.restart { Happening::Restart(Some(other)) } else { Happening::Reconfigured(other) })
        }));
        all.extend(self.restarts.iter().map(|s| (ms(*s), Happening::Restart(None))));
        all.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        all
    }

    pub fn play(&self) -> Vec<Written> {
        let mut config = self.config();
        let mut clock = Clock { now_ms: 0, booted_ms: ms(self.booted) };
        let mut engine = Engine::new(&config, Vec::new(), 0.5, &clock.stamp());
        let mut written = Vec::new();
        let mut looks: Vec<Running> = Vec::new();
        let mut happenings = self.happenings();
        let mut step = engine.step(&clock.stamp(), Input::Due);
        loop {
            for effect in std::mem::take(&mut step.effects) {
                match effect {
                    Effect::Record(draft) => match draft.what {
                        What::Incident(incident) => {
                            written.push(Written { s: clock.now_ms as f64 / 1000.0, incident: *incident });
                        }
                        What::Agent(_) | What::Addendum(_) => {}
                    },
                    Effect::Look(look) => looks.push(self.begin(look, &clock, &config)),
                }
            }
            let due = step.due_ms.saturating_sub(clock.booted_ms);
            let next_look = looks.iter().map(|look| look.ends_ms).min().unwrap_or(u64::MAX);
            let next_event = happenings.last().map_or(u64::MAX, |(at, _)| *at);
            let mut at = due.min(next_look).min(next_event).max(clock.now_ms);
            if let Some((_, wakes)) = self.sleeps.iter().find(|(from, to)| ms(*from) <= at && at < ms(*to)) {
                at = ms(*wakes);
            }
            if at >= ms(self.until) {
                return written;
            }
            clock.now_ms = at;
            let input = if let Some(i) = looks.iter().position(|look| look.ends_ms <= at) {
                looks.swap_remove(i).input
            } else if next_event <= at {
                match happenings.pop().unwrap().1 {
                    Happening::Event => Input::NetworkChanged,
                    Happening::Reconfigured(other) => {
                        config = *other;
                        Input::Reconfigured(Box::new(config.clone()))
                    }
                    Happening::Restart(other) => {
                        config = other.map_or(config, |other| *other);
                        let open = engine.open().cloned().collect();
                        engine = Engine::new(&config, open, 0.5, &clock.stamp());
                        looks.clear();
                        Input::Due
                    }
                }
            } else {
                Input::Due
            };
            step = engine.step(&clock.stamp(), input);
        }
    }

    /// A look that sees what is true now and ends when its patience does.
    fn begin(&self, look: Look, clock: &Clock, config: &Config) -> Running {
        let mut truth: BTreeMap<String, String> = BTreeMap::new();
        for from in self.from.iter().filter(|from| ms(from.s) <= clock.now_ms) {
            truth.extend(from.state.iter().map(|(name, state)| (name.clone(), state.as_str().unwrap().to_owned())));
        }
        let began_ms = clock.now_ms + clock.booted_ms;
        let centres = config.centres.iter().map(|centre| centre.name.clone());
        let services: BTreeMap<String, Option<bool>> =
            centres.map(|name| (name.clone(), usable(truth.get(&name).map_or("ok", String::as_str)))).collect();
        let silent = services.values().any(|usable| *usable == Some(false)) && !truth.values().any(|state| state.contains("proven"));
        let silent = silent || truth.values().any(|state| state.contains("slow look"));
        let silent_pulse = silent || truth.values().any(|state| state.contains("slow pulse"));
        let diagnosis = diagnosis(&services, &truth, config);
        let seen = |name: &String, usable: Option<bool>| {
            if truth.get(name).is_some_and(|state| state.contains("unseen by pulses")) { Some(true) } else { usable }
        };
        let (took, input) = match look {
            Look::Pulse if services.iter().all(|(name, usable)| seen(name, *usable) != Some(false)) => {
                let services = services.iter().map(|(name, usable)| (name.clone(), seen(name, *usable))).collect();
                (40, Input::Pulse { began_ms, services })
            }
            Look::Pulse => (if silent_pulse { 2000 } else { 40 }, Input::Pulse { began_ms, services }),
            Look::Round => (if silent { 3200 } else { 210 }, Input::Round { began_ms, diagnosis: Box::new(diagnosis) }),
        };
        Running { ends_ms: clock.now_ms + took, input }
    }
}

enum Happening {
    Event,
    Reconfigured(Box<Config>),
    /// With another configuration, if there is one.
    Restart(Option<Box<Config>>),
}

/// With one centre `settlement` unless it names others.
pub fn config(text: &str) -> Config {
    let centre = "[[centre]]\nname = \"settlement\"\nhost = \"10.0.0.1\"\ntcp = [443]\n";
    let text = if text.contains("[[centre]]") { text.to_owned() } else { format!("{text}\n{centre}") };
    toml::from_str(&text).unwrap()
}

struct Running {
    ends_ms: u64,
    input: Input,
}

struct Clock {
    now_ms: u64,
    booted_ms: u64,
}

impl Clock {
    fn stamp(&self) -> Stamp {
        let boottime_ms = self.now_ms + self.booted_ms;
        let wall = jiff::Timestamp::from_millisecond(1_795_000_000_000 + i64::try_from(self.now_ms).unwrap()).unwrap();
        Stamp { boot_id: "boot".to_owned(), boottime_ms, wall, offset_s: 8 * 3600, clock: ClockState::Synchronised }
    }
}

fn ms(s: f64) -> u64 {
    (s * 1000.0).round() as u64
}

/// `...; slow look` = whoever looks waits to the end of his patience; `slow pulse` = only pulses do. `ok; worse dns.slow` = works, with a degradation. `ok; blind icmp.echo` = works, and something cannot be seen.
fn usable(state: &str) -> Option<bool> {
    match state.split(';').next().unwrap().trim() {
        "ok" => Some(true),
        "unknown" => None,
        _ => Some(false),
    }
}

pub fn diagnosis(services: &BTreeMap<String, Option<bool>>, truth: &BTreeMap<String, String>, config: &Config) -> Diagnosis {
    let mut verdicts: Vec<Verdict> = Vec::new();
    let mut blind = Vec::new();
    for (name, state) in truth {
        for part in state.split(';').map(str::trim) {
            let words: Vec<&str> = part.split_whitespace().collect();
            match words.as_slice() {
                ["ok" | "unknown"] | ["unseen", "by", "pulses"] | ["slow", "look" | "pulse"] => {}
                ["blind", what] => blind.push(Blind { what: (*what).to_owned(), because: Unseen::Capability("CAP_NET_RAW".to_owned()) }),
                ["worse", code] => {
                    let verdict = Verdict::new(Cause::from_code(code).unwrap(), Subject::Line, Certainty::Proven);
                    verdicts.push(verdict.degrades(Severity::Medium));
                }
                [code, certainty] => {
                    let certainty = match *certainty {
                        "proven" => Certainty::Proven,
                        "likely" => Certainty::Likely,
                        _ => Certainty::Possible,
                    };
                    let cause = Cause::from_code(code).unwrap();
                    match verdicts.iter_mut().find(|verdict| verdict.cause == cause) {
                        Some(verdict) => verdict.explains.push(Subject::Centre(name.clone())),
                        None => {
                            let mut verdict = Verdict::new(cause, Subject::Terminal, certainty);
                            verdict.explains.push(Subject::Centre(name.clone()));
                            verdicts.push(verdict);
                        }
                    }
                }
                other => panic!("{other:?} is no state"),
            }
        }
    }
    let needed = config.centres.iter().filter(|centre| centre.critical).map(|centre| services[&centre.name]);
    let needed: Vec<_> = needed.collect();
    let connected = if needed.contains(&Some(false)) { Some(false) } else { needed.iter().all(|s| *s == Some(true)).then_some(true) };
    Diagnosis {
        connected,
        services: services.iter().map(|(name, usable)| Service { chain: Chain::Centre(name.clone()), usable: *usable }).collect(),
        isolation: Isolation::Unknown,
        path: Vec::new(),
        verdicts,
        notes: Vec::new(),
        blind,
    }
}

impl Due {
    fn misses(&self, written: &Written) -> Option<String> {
        let incident = &written.incident;
        let code = |change| serde_json::to_value(change).unwrap().as_str().unwrap().to_owned();
        let wrong = |what: &str| Some(format!("the {what} is wrong"));
        if incident.phase != self.phase {
            return wrong("phase");
        }
        if written.s < self.between.0 || written.s > self.between.1 {
            return wrong("time");
        }
        if self.cause.as_ref().is_some_and(|cause| *cause != incident.cause.code) {
            return wrong("cause");
        }
        if self.fingerprint.as_ref().is_some_and(|print| *print != incident.fingerprint.to_string()) {
            return wrong("fingerprint");
        }
        if self.change.as_ref().is_some_and(|change| *change != code(incident.change)) {
            return wrong("change");
        }
        if self.centres.as_ref().is_some_and(|centres| *centres != incident.centres) {
            return wrong("list of centres");
        }
        if self.occurrences.is_some_and(|times| times != incident.occurrences) {
            return wrong("count");
        }
        if self.rev.is_some_and(|rev| rev != incident.rev) {
            return wrong("revision");
        }
        if self.planned.as_ref().is_some_and(|note| Some(note) != incident.planned.as_ref()) {
            return wrong("window");
        }
        let history: Vec<_> = incident.cause.history.iter().map(|earlier| earlier.code.clone()).collect();
        if self.history.as_ref().is_some_and(|due| *due != history) {
            return wrong("history");
        }
        None
    }
}

fn describe(written: &Written) -> String {
    let i = &written.incident;
    format!(
        "{:.2} s: {:?} {} by {:?}, {} {:?}, centres {:?}, rev {}, {} times, history {:?}",
        written.s, i.phase, i.fingerprint, i.change, i.cause.code, i.cause.certainty, i.centres, i.rev, i.occurrences, i.cause.history
    )
}
