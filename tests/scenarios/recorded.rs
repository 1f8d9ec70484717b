//! What the scenarios write, through the real log: every line is `incident/1`, and the incidents read back as they were.

use super::laws::{play, scenarios};
use super::play::{Scenario, Written};
use isonet::config::TerminalKind;
use isonet::model::{AgentEvent, ClockState, Draft, RECORD_JSON_SCHEMA, Stamp, TerminalCard, What};
use isonet::spool::{Claims, Disk, Item, Known, Log, Position, Reader, incident_of};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

static VALIDATOR: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(RECORD_JSON_SCHEMA).unwrap();
    jsonschema::validator_for(&schema).unwrap()
});

#[test]
fn every_record_of_every_scenario_is_incident_1_and_reads_back() {
    let mut records = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let written = Scenario::read(&path).play();
            records += written.len();
            check(&written);
        }
    }
    assert!(records >= 20, "only {records} records were written");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn so_is_every_record_of_a_timeline_that_was_drawn(text in scenarios()) {
        check(&play(&text));
    }
}

/// Writes them and looks at each line.
fn check(written: &[Written]) {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("spool");
    let now = stamp();
    let claims = Claims { fingerprint: "this machine".to_owned(), anchor: Known::Absent, cursors: Known::Absent };
    let (mut log, _) = Log::open(Disk::own(&place).unwrap(), &claims, &now).unwrap();
    let started = Draft::new(&now, What::Agent(AgentEvent::Started));
    let of = |written: &Written| Draft::new(&written.incident.at, What::Incident(Box::new(written.incident.clone())));
    let drafts = std::iter::once(started).chain(written.iter().map(of));
    let card = Arc::new(card());
    log.load((1..).zip(drafts).map(|(ticket, draft)| Item { ticket, draft, card: Arc::clone(&card) }), &card, &now);
    log.flush().unwrap();

    let entries = Reader::after(Disk::look(&place), Position { epoch: String::new(), seq: 0 }).next(usize::MAX, None).unwrap();
    assert_eq!(entries.len(), written.len() + 1);
    let mut names = BTreeMap::new();
    for (i, entry) in entries.iter().enumerate() {
        let line: Value = serde_json::from_slice(&entry.bytes).unwrap();
        let errors: Vec<_> = VALIDATOR.iter_errors(&line).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}\n{line:#}");
        if let Some((id, incident)) = incident_of(&entry.record().unwrap(), i.checked_sub(1).map_or(0, |i| written[i].incident.key)) {
            assert_eq!(incident, written[i - 1].incident);
            assert_eq!(names.entry(incident.key).or_insert_with(|| id.clone()), &id, "an incident keeps its name");
        }
    }
}

fn stamp() -> Stamp {
    let wall = jiff::Timestamp::from_second(1_795_000_000).unwrap();
    Stamp { boot_id: "boot".to_owned(), boottime_ms: 1, wall, offset_s: 8 * 3600, clock: ClockState::Unknown }
}

fn card() -> TerminalCard {
    TerminalCard {
        id: Some("t".to_owned()),
        machine_id_hash: None,
        institution: None,
        site: None,
        region: None,
        line: None,
        kind: TerminalKind::Pharmacy,
        person_in_charge: None,
        agent: "0.1.0".to_owned(),
        policy: "0123456789abcdef".to_owned(),
    }
}
