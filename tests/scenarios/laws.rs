//! What holds for every timeline, drawn at random.

use super::play::{Scenario, Written};
use isonet::model::Phase;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write;

fn states() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("ok"),
        Just("unknown"),
        Just("line.down likely"),
        Just("link.no-carrier proven"),
        Just("vpn.tunnel-dead likely"),
        Just("dns.timeout proven"),
        Just("ok; worse dns.slow"),
        Just("ok; blind icmp.echo"),
    ]
    .prop_map(str::to_owned)
}

prop_compose! {
    pub(super) fn scenarios()(
        steps in prop::collection::vec((0.3_f64..90.0, states(), states()), 1..14),
        events in prop::collection::vec(0.0_f64..600.0, 0..4),
        sleep in prop::option::of((10.0_f64..300.0, 1.0_f64..4000.0)),
    ) -> String {
        let mut at = 0.0;
        let mut text = String::from("about = 'drawn'\nrecords = []\n");
        text += "config = \"\"\"\n[[centre]]\nname = 'a'\nhost = '10.0.0.1'\ntcp = [443]\n[[centre]]\nname = 'b'\nhost = '10.0.0.2'\ntcp = [443]\n\"\"\"\n";
        writeln!(text, "events = {events:?}").unwrap();
        if let Some((from, length)) = sleep {
            writeln!(text, "sleeps = [[{from:?}, {:?}]]", from + length).unwrap();
        }
        let end: f64 = steps.iter().map(|(length, ..)| length).sum();
        writeln!(text, "until = {:?}", end + 60.0).unwrap();
        for (length, a, b) in steps {
            writeln!(text, "[[from]]\ns = {at:?}\na = '{a}'\nb = '{b}'").unwrap();
            at += length;
        }
        text
    }
}

pub(super) fn play(text: &str) -> Vec<Written> {
    let scenario: Scenario = toml::from_str(text).unwrap();
    scenario.play()
}

proptest! {
    #[test]
    fn incidents_open_once_close_once_and_never_share_a_centre(text in scenarios()) {
        let mut open: BTreeMap<u64, Written> = BTreeMap::new();
        let mut known: BTreeMap<u64, u32> = BTreeMap::new();
        for written in play(&text) {
            let incident = &written.incident;
            let rev = known.insert(incident.key, incident.rev);
            prop_assert_eq!(rev.unwrap_or(0) + 1, incident.rev, "each record is the next revision\n{}", text);
            match incident.phase {
                Phase::Opened => prop_assert!(rev.is_none(), "opened twice\n{}", text),
                Phase::Updated | Phase::Resolved => prop_assert!(rev.is_some(), "not opened\n{}", text),
            }
            if incident.phase == Phase::Resolved {
                prop_assert!(open.remove(&incident.key).is_some(), "closed what was not open\n{}", text);
                continue;
            }
            for other in open.values().filter(|other| other.incident.key != incident.key) {
                prop_assert_ne!(&other.incident.fingerprint, &incident.fingerprint, "two open with one fingerprint\n{}", text);
                if other.incident.fingerprint.kind() == isonet::model::IncidentKind::Disconnection
                    && incident.fingerprint.kind() == isonet::model::IncidentKind::Disconnection {
                    let shared = other.incident.centres.iter().any(|centre| incident.centres.contains(centre));
                    prop_assert!(!shared, "a centre in two incidents\n{}", text);
                }
            }
            open.insert(incident.key, written);
        }
    }

    #[test]
    fn the_same_timeline_gives_the_same_records(text in scenarios()) {
        prop_assert_eq!(play(&text), play(&text));
    }

    #[test]
    fn what_is_never_known_changes_nothing(text in scenarios()) {
        let mut blind = String::new();
        for line in text.lines() {
            let known = line.strip_prefix("a = ").or_else(|| line.strip_prefix("b = "));
            blind.push_str(&known.map_or_else(|| format!("{line}\n"), |_| format!("{} = 'unknown'\n", &line[..1])));
        }
        prop_assert!(play(&blind).is_empty(), "{}", blind);
    }
}

#[test]
fn an_outage_whose_cause_goes_to_and_fro_for_hours_remembers_how_it_began_and_the_latest() {
    let mut text = String::from("about = 'to and fro'\nrecords = []\nuntil = 4100.0\n[[from]]\ns = 0\nsettlement = 'ok'\n");
    for (at, cause) in (0..400).map(|n| (100 + n * 10, ["vpn.auth-failed", "dns.timeout", "route.blocked"][n % 3])) {
        writeln!(text, "[[from]]\ns = {at}\nsettlement = '{cause} proven'").unwrap();
    }
    let written = play(&text);
    let last = &written.last().expect("an outage").incident;
    let history = &last.cause.history;
    assert!(written.len() > 200 && history.len() <= 32, "{} records, the last with {} causes", written.len(), history.len());
    assert_eq!(history[0].code, written[0].incident.cause.code, "what it was taken for first");
    assert_eq!(history.last().expect("many").code, written[written.len() - 2].incident.cause.code, "what it was taken for until now");
}
