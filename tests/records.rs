//! Records as others read them: the JSON Schema says what they are and nothing else, and every mapping is as it was agreed.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod records {
    pub mod any;
    pub mod samples;
}

use isonet::catalogue::{Lang, told};
use isonet::export::{Export, Format, Tally, csv, ecs, ocsf};
use isonet::key::{self, Key};
use isonet::model::{AgentEvent, Body, Cause, Certainty, Change, IncidentKind, Origin, Phase, RECORD_JSON_SCHEMA, Record};
use isonet::model::{Goodbye, HEARTBEAT_JSON_SCHEMA, HEARTBEAT_SCHEMA, Heartbeat, IncidentId, KeyCard, LogNow, OpenNow, Severity, bounded};
use isonet::sink::journal;
use proptest::prelude::*;
use records::any::any_record;
use records::samples::{day, line, record};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

static VALIDATOR: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&schema()).expect("the schema is a JSON Schema"));

fn schema() -> Value {
    serde_json::from_str(RECORD_JSON_SCHEMA).expect("the schema is JSON")
}

fn document(record: &Record) -> Value {
    serde_json::from_str(&line(record)).unwrap()
}

fn assert_valid(record: &Record) {
    let document = document(record);
    let errors: Vec<_> = VALIDATOR.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{document:#}");
}

/// The pointers to all objects whose members the schema knows.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(_) if at.ends_with("/remedy/args") => {}
        Value::Object(map) => {
            found.push(at.to_owned());
            map.iter().for_each(|(key, inner)| objects(inner, &format!("{at}/{key}"), found));
        }
        Value::Array(list) => list.iter().enumerate().for_each(|(i, inner)| objects(inner, &format!("{at}/{i}"), found)),
        _ => {}
    }
}

#[test]
fn a_day_of_records_is_incident_1_and_reads_back() {
    let mut events = BTreeSet::new();
    for record in day() {
        assert_valid(&record);
        assert_eq!(serde_json::from_str::<Record>(&line(&record)).unwrap(), record);
        events.insert(record.body.code().to_owned());
    }
    assert!(AgentEvent::CODES.iter().all(|code| events.contains(*code)), "{events:?}");
}

#[test]
fn every_member_of_every_object_is_needed_and_no_other_is_let_in() {
    for record in day() {
        is_closed(&VALIDATOR, &document(&record));
    }
}

/// Every member of every object is needed, and no other is let in.
fn is_closed(validator: &jsonschema::Validator, whole: &Value) {
    let mut places = Vec::new();
    objects(whole, "", &mut places);
    for place in places {
        let members: Vec<String> = whole.pointer(&place).unwrap().as_object().unwrap().keys().cloned().collect();
        for member in members {
            let mut cut = whole.clone();
            cut.pointer_mut(&place).unwrap().as_object_mut().unwrap().remove(&member);
            assert!(!validator.is_valid(&cut), "without {place}/{member}");
        }
        let mut more = whole.clone();
        more.pointer_mut(&place).unwrap()["mood"] = json!("good");
        assert!(!validator.is_valid(&more), "with {place}/mood");
    }
}

#[test]
fn words_and_shapes_that_are_not_agreed_are_refused() {
    let whole = document(&day()[2]);
    for (place, wrong) in [
        ("/schema", json!("incident/2")),
        ("/kind", json!("agent")),
        ("/event_id", json!("1")),
        ("/epoch", json!("")),
        ("/seq", json!(0)),
        ("/seq", json!("1")),
        ("/hash", json!("0")),
        ("/terminal/kind", json!("kiosk")),
        ("/terminal/policy", json!("p")),
        ("/time/wall", json!("yesterday")),
        ("/time/wall", json!("2026-11-22T08:00:00")),
        ("/time/clock", json!("synchronised")),
        ("/time/clock/state", json!("good")),
        ("/incident/id", json!("2")),
        ("/incident/phase", json!("closed")),
        ("/incident/kind", json!("outage")),
        ("/incident/change", json!("why-not")),
        ("/incident/rev", json!(0)),
        ("/incident/resolution", json!("won't fix")),
        ("/cause/code", json!("link.haunted")),
        ("/cause/layer", json!("session")),
        ("/cause/severity", json!("fatal")),
        ("/cause/certainty", json!("certain")),
        ("/origin", json!("shop")),
        ("/who_acts/0", json!("nobody")),
        ("/evidence/0/n", json!(-1)),
        ("/grant/authority", json!("god")),
        ("/comments/0", json!("text")),
    ] {
        let mut changed = whole.clone();
        *changed.pointer_mut(place).unwrap_or_else(|| panic!("{place} is there")) = wrong;
        assert!(!VALIDATOR.is_valid(&changed), "{place}");
    }
    let mut stopped = document(day().last().unwrap());
    stopped["agent"]["reason"] = json!("tired");
    assert!(!VALIDATOR.is_valid(&stopped));
}

/// Each member says what it is for, itself or where it points to.
fn assert_described(place: &str, value: &Value, schema: &Value) {
    let Value::Object(map) = value else { return };
    if let Some(Value::Object(properties)) = map.get("properties") {
        for (name, property) in properties {
            let behind = property["$ref"].as_str().and_then(|to| schema.pointer(to.strip_prefix('#')?));
            let described = property.get("description").or_else(|| behind?.get("description"));
            assert!(described.is_some_and(|text| text.as_str().is_some_and(|text| text.ends_with('.'))), "{place}/{name}");
        }
    }
    map.iter().for_each(|(key, inner)| assert_described(&format!("{place}/{key}"), inner, schema));
}

#[test]
fn the_schema_knows_exactly_the_codes_there_are_and_describes_everything() {
    let schema = schema();
    let listed: Vec<_> = schema["$defs"]["code"]["enum"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    let codes: Vec<_> = Cause::ALL.iter().map(|cause| cause.code()).chain(["agent.degraded", "unknown"]).collect();
    assert_eq!(listed, codes);
    let mut events: Vec<_> =
        schema["$defs"]["agent"]["oneOf"].as_array().unwrap().iter().map(|it| &it["properties"]["event"]["const"]).collect();
    // One event may have several shapes.
    events.dedup();
    let known: Vec<_> = AgentEvent::CODES.iter().map(|code| json!(code.strip_prefix("agent.").unwrap())).collect();
    assert_eq!(events, known.iter().collect::<Vec<_>>());
    assert_described("", &schema, &schema);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(300), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_record_is_incident_1_and_reads_back(record in any_record()) {
        assert_valid(&record);
        prop_assert_eq!(serde_json::from_str::<Record>(&line(&record)).unwrap(), record);
    }

    #[test]
    fn any_record_can_be_exported_in_every_format(record in any_record(), zh: bool) {
        let lang = if zh { Lang::ZhCn } else { Lang::En };
        let row = csv::row(&record, lang);
        let cells = cells(&row);
        prop_assert_eq!(cells.len(), csv::COLUMNS.len(), "{}", row);
        prop_assert!(cells.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])), "{}", row);
        for event in ocsf::events(&record, lang) {
            let (class, activity, kind) = (event["class_uid"].as_u64().unwrap(), event["activity_id"].as_u64().unwrap(), event["type_uid"].as_u64().unwrap());
            prop_assert!(kind == class * 100 + activity && event["category_uid"] == class / 1000);
            prop_assert_eq!(&event["metadata"]["sequence"], record.seq);
        }
        let document = ecs::document(&record, lang);
        prop_assert!(document["labels"].as_object().unwrap().values().all(Value::is_string), "{}", document);
    }

    #[test]
    fn any_record_is_an_entry_that_the_journal_can_read(record in any_record(), zh: bool) {
        let lang = if zh { Lang::ZhCn } else { Lang::En };
        let line = line(&record);
        let fields = fields(&journal::entry(line.as_bytes(), lang));
        let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
        prop_assert_eq!(field("ISONET_RECORD"), Some(line));
        prop_assert_eq!(field("MESSAGE"), Some(told(&record.body, lang)));
        prop_assert_eq!(field("ISONET_SEQ"), Some(record.seq.to_string()));
        prop_assert_eq!(field("PRIORITY"), Some(record.body.severity().syslog().to_string()));
        prop_assert!(fields.iter().all(|(name, _)| name.len() <= 64 && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')));
    }
}

/// Reads a row back as RFC 4180 has it.
fn cells(row: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut chars = row.strip_suffix("\r\n").unwrap().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cells.last_mut().unwrap().extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => cells.last_mut().unwrap().push(other),
        }
    }
    assert!(!quoted, "{row}");
    cells
}

/// Reads an entry back as the journal does.
fn fields(mut entry: &[u8]) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    while !entry.is_empty() {
        let end = entry.iter().position(|b| *b == b'=' || *b == b'\n').unwrap();
        let name = String::from_utf8(entry[..end].to_vec()).unwrap();
        let value = if entry[end] == b'=' {
            let length = entry[end + 1..].iter().position(|b| *b == b'\n').unwrap();
            let value = &entry[end + 1..end + 1 + length];
            entry = &entry[end + 1 + length..];
            value
        } else {
            let length = usize::try_from(u64::from_le_bytes(entry[end + 1..end + 9].try_into().unwrap())).unwrap();
            let value = &entry[end + 9..end + 9 + length];
            entry = &entry[end + 9 + length..];
            value
        };
        entry = entry.strip_prefix(b"\n").unwrap();
        fields.push((name, String::from_utf8(value.to_vec()).unwrap()));
    }
    fields
}

#[test]
fn sentences_of_a_day() {
    for lang in Lang::ALL {
        let sentences: Vec<_> = day().iter().map(|record| told(&record.body, lang)).collect();
        insta::assert_snapshot!(format!("sentences_{}", lang.tag()), sentences.join("\n"));
    }
}

#[test]
fn a_finding_is_told_with_its_title_and_where_it_came_from() {
    let mut record = day().into_iter().find(|record| matches!(record.body, Body::Incident(_))).unwrap();
    let Body::Incident(body) = &mut record.body else { unreachable!("an incident was looked for") };
    body.incident.kind = IncidentKind::Finding;
    body.incident.centres.clear();
    body.origin = Some(Origin::Upstream);
    "moved.gateway".clone_into(&mut body.cause.code);
    "gateway:10.0.0.1".clone_into(&mut body.cause.object);
    body.cause.certainty = Certainty::Proven;
    let zh =
        "观察到：上一级路由器换成了没有登记的一台（已查实，gateway:10.0.0.1）。这台电脑上没有看到任何改动，变化来自运营商或医保局那一侧。";
    assert_eq!(told(&record.body, Lang::ZhCn), zh);
    let en = "Observed: The router ahead is one that was not registered (proven, gateway:10.0.0.1). \
              Nothing was seen to change on this PC; it came from the operator's or the bureau's side.";
    assert_eq!(told(&record.body, Lang::En), en);
}

#[test]
fn a_day_as_csv() {
    let rows: String = day().iter().map(|record| csv::row(record, Lang::ZhCn)).collect();
    assert!(csv::header().starts_with('\u{feff}'), "spreadsheets here take UTF-8 for GBK otherwise");
    insta::assert_snapshot!(format!("{}{rows}", csv::header().trim_start_matches('\u{feff}')).replace("\r\n", "\n"));
}

#[test]
fn a_day_as_ocsf() {
    let events: Vec<_> = day().iter().flat_map(|record| ocsf::events(record, Lang::En)).collect();
    insta::assert_snapshot!(serde_json::to_string_pretty(&events).unwrap());
}

#[test]
fn a_day_as_ecs() {
    let documents: Vec<_> = day().iter().map(|record| ecs::document(record, Lang::En)).collect();
    insta::assert_snapshot!(serde_json::to_string_pretty(&documents).unwrap());
}

#[test]
fn a_day_in_the_journal() {
    let records = day();
    let entries = records.iter().map(|record| {
        let fields = fields(&journal::entry(line(record).as_bytes(), Lang::ZhCn));
        let lines = fields
            .iter()
            .filter(|(name, _)| name != "ISONET_RECORD")
            .map(|(name, value)| format!("{name}={}", value.replace('\n', "\n    ")));
        lines.collect::<Vec<_>>().join("\n")
    });
    insta::assert_snapshot!(entries.collect::<Vec<_>>().join("\n\n"));
}

#[test]
fn an_observation_is_never_called_a_failed_control() {
    let events = ocsf::events(&day()[2], Lang::En);
    assert_eq!(events.len(), 2, "the incident and the article that it touches");
    assert_eq!((&events[1]["class_uid"], &events[1]["compliance"]["status"]), (&json!(2003), &json!("Warning")));
    assert_ne!(events[0]["metadata"]["uid"], events[1]["metadata"]["uid"]);
}

#[test]
fn an_export_leaves_out_what_is_older_and_says_what_it_could_not_read() {
    let records = day();
    let mut lines: Vec<Vec<u8>> = records.iter().map(|record| line(record).into_bytes()).collect();
    lines.push(b"no record".to_vec());
    lines.push(br#"{"schema":"incident/2","time":{"wall":"2027-01-01T00:00:00Z"}}"#.to_vec());
    let since = Some(records[3].time.wall);
    let write = |format| {
        let mut out = Vec::new();
        let mut export = Export::new(format, since, Lang::En, &mut out);
        for line in &lines {
            export.take(line);
        }
        let tally = export.end().unwrap();
        (tally, String::from_utf8(out).unwrap())
    };
    let (tally, text) = write(Format::Jsonl);
    assert_eq!(tally, Tally { written: 17, older: 3, foreign: 1 }, "a later version's record goes as it is");
    assert!(text.starts_with(&line(&records[3])) && text.ends_with("}}\n"), "{text}");
    let (tally, text) = write(Format::Ecs);
    assert_eq!((tally, text.lines().count()), (Tally { written: 16, older: 3, foreign: 2 }, 16));
    assert!(write(Format::Csv).1.starts_with("\u{feff}epoch,"));
}

#[test]
fn what_was_resolved_is_not_called_disconnected() {
    for record in day() {
        if let Body::Incident(body) = &record.body
            && body.incident.phase == Phase::Resolved
        {
            let lead = if body.incident.change == Change::Commented { "Statement of the institution" } else { "Connected again" };
            assert!(told(&record.body, Lang::En).starts_with(lead));
        }
    }
    assert_eq!(record(1, Body::Agent { severity: isonet::model::Severity::Info, agent: AgentEvent::Started }).body.code(), "agent.started");
}

/// A sign of life, and the key that signs it.
fn beat(key: Option<&Key>, goodbye: Option<Goodbye>) -> Vec<u8> {
    let long = |n: usize| "段".repeat(n);
    let open = (0..40).map(|n| OpenNow {
        id: (n % 2 == 0).then(|| IncidentId { epoch: records::samples::EPOCH.to_owned(), seq: n + 1 }),
        code: ["dns.timeout", "isolation.internet-reachable", "unknown", "agent.degraded"][usize::try_from(n % 4).unwrap()].to_owned(),
        severity: [Severity::Critical, Severity::Low][usize::try_from(n % 2).unwrap()],
        since: records::samples::time(3).wall,
        centres: vec![long(20); 9],
    });
    let (open, more_open) = bounded(open.collect());
    let beat = Heartbeat {
        schema: HEARTBEAT_SCHEMA.to_owned(),
        terminal: records::samples::terminal(),
        epoch: records::samples::EPOCH.to_owned(),
        seq: 17,
        hash: "a".repeat(64),
        time: records::samples::time(5),
        uptime_s: 3600,
        interval_s: 300,
        open,
        more_open,
        log: LogNow { well: true, waiting: 0, given_up: 0 },
        goodbye,
        key: key.map(|key| KeyCard { algorithm: "ed25519".to_owned(), public: key.public().base64() }),
    };
    let statement = serde_json::to_vec(&beat).unwrap();
    match key {
        Some(key) => key.sign(&statement),
        None => [statement.strip_suffix(b"}").unwrap(), b",\"signature\":null}"].concat(),
    }
}

#[test]
fn a_sign_of_life_is_heartbeat_1_and_nothing_else_is() {
    let schema: Value = serde_json::from_str(HEARTBEAT_JSON_SCHEMA).unwrap();
    assert_described("", &schema, &schema);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let key = Key::new().unwrap();
    for line in [beat(Some(&key), None), beat(Some(&key), Some(Goodbye::Signal)), beat(None, None)] {
        let whole: Value = serde_json::from_slice(&line).unwrap();
        let faults: Vec<_> = validator.iter_errors(&whole).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(faults.is_empty(), "{faults:#?}\n{whole:#}");
        assert!(line.len() < 8000, "a line of syslog takes no more: {} bytes", line.len());
        is_closed(&validator, &whole);
    }
    assert_eq!(key::check(&beat(Some(&key), None), &key.public()), Ok(()));
}
