//! What was seen before another configuration came into force counts for nothing.

use super::play::{config, diagnosis};
use isonet::config::Config;
use isonet::incident::{Effect, Engine, Input, Look};
use isonet::model::{ClockState, Incident, Phase, Stamp, What};
use std::collections::BTreeMap;

fn at(s: u64) -> Stamp {
    let wall = jiff::Timestamp::from_second(1_795_000_000).unwrap();
    Stamp { boot_id: "boot".to_owned(), boottime_ms: 3_600_000 + s * 1000, wall, offset_s: 0, clock: ClockState::Synchronised }
}

/// A round that took a fifth of a second, and what is recorded at its end.
fn round(engine: &mut Engine, config: &Config, began: u64, state: &str) -> Vec<Phase> {
    let name = "settlement".to_owned();
    let services = BTreeMap::from([(name.clone(), (state != "unknown").then_some(state == "ok"))]);
    let diagnosis = Box::new(diagnosis(&services, &BTreeMap::from([(name, state.to_owned())]), config));
    let began = at(began);
    let ended = Stamp { boottime_ms: began.boottime_ms + 200, ..began.clone() };
    recorded(engine.step(&ended, Input::Round { began_ms: began.boottime_ms, diagnosis }).effects)
}

fn recorded(effects: Vec<Effect>) -> Vec<Phase> {
    let incident = |effect| match effect {
        Effect::Record(draft) => match draft.what {
            What::Incident(incident) => Some(incident.phase),
            What::Agent(_) | What::Addendum(_) => None,
        },
        Effect::Look(_) => None,
    };
    effects.into_iter().filter_map(incident).collect()
}

fn begun(config: &Config, open: Vec<Incident>) -> Engine {
    let mut engine = Engine::new(config, open, 0.5, &at(0));
    engine.step(&at(0), Input::Due);
    engine
}

fn reload(engine: &mut Engine, config: &Config, s: u64) {
    assert_eq!(recorded(engine.step(&at(s), Input::Reconfigured(Box::new(config.clone()))).effects), []);
}

#[test]
fn a_round_that_began_before_does_not_count() {
    let config = config("");
    let mut engine = begun(&config, Vec::new());
    reload(&mut engine, &config, 3);
    round(&mut engine, &config, 2, "tcp.refused likely");
    assert_eq!(engine.latest(), None);
    round(&mut engine, &config, 4, "tcp.refused likely");
    assert!(engine.latest().is_some());
}

#[test]
fn failures_before_and_after_do_not_add_up_and_neither_do_successes() {
    let config = config("");
    let mut engine = begun(&config, Vec::new());
    let down = "tcp.refused likely";
    assert_eq!([1, 2].map(|s| round(&mut engine, &config, s, down)), [vec![], vec![]]);
    reload(&mut engine, &config, 3);
    assert_eq!([4, 5, 6].map(|s| round(&mut engine, &config, s, down)), [vec![], vec![], vec![Phase::Opened]]);
    assert_eq!(round(&mut engine, &config, 7, "ok"), []);
    reload(&mut engine, &config, 8);
    assert_eq!([9, 10].map(|s| round(&mut engine, &config, s, "ok")), [vec![], vec![Phase::Resolved]]);
}

/// A pulse sees the service work; whether a round begins with it.
fn pulse(engine: &mut Engine, s: u64) -> bool {
    let services = BTreeMap::from([("settlement".to_owned(), Some(true))]);
    let step = engine.step(&at(s), Input::Pulse { began_ms: at(s).boottime_ms - 10, services });
    step.effects.contains(&Effect::Look(Look::Round))
}

#[test]
fn a_round_that_could_not_tell_does_not_stand_once_pulses_can() {
    let config = config("");
    for (state, again) in [("unknown", true), ("ok", false)] {
        let mut engine = begun(&config, Vec::new());
        round(&mut engine, &config, 1, state);
        // What began a run is over, and so is the lively pace after it.
        let rounds: Vec<u64> = (1..=20).map(|nth| 1 + nth * 5).filter(|s| pulse(&mut engine, *s)).collect();
        assert_eq!(!rounds.is_empty(), again, "{state}: rounds at {rounds:?} s");
        assert!(rounds.iter().all(|s| *s <= 41), "{state}: rounds at {rounds:?} s");
    }
}

/// A far end falls silent, and takes the tunnel away a moment later: what the round between the two saw does not name what follows.
#[test]
fn what_was_seen_before_the_network_changed_names_nothing() {
    let config = config("");
    let fails = |engine: &mut Engine, s| {
        let services = BTreeMap::from([("settlement".to_owned(), Some(false))]);
        recorded(engine.step(&at(s), Input::Pulse { began_ms: at(s).boottime_ms, services }).effects)
    };
    for (changed, opened) in [(false, vec![Phase::Opened]), (true, vec![])] {
        let mut engine = begun(&config, Vec::new());
        assert_eq!(fails(&mut engine, 1), []);
        assert_eq!(round(&mut engine, &config, 2, "http.error likely"), []);
        if changed {
            engine.step(&at(3), Input::NetworkChanged);
        }
        assert_eq!(fails(&mut engine, 4), opened, "changed: {changed}");
        if changed {
            assert_eq!(round(&mut engine, &config, 5, "vpn.auth-failed likely"), [Phase::Opened]);
            assert!(engine.open().all(|incident| incident.cause.code == "vpn.auth-failed" && incident.cause.history.is_empty()));
        }
    }
}
