//! The record log of a site.

use crate::site::{Site, until};
use isonet::model::RECORD_JSON_SCHEMA;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// The whole lines of the log as they stand on the disk, in order.
pub fn lines(site: &Site) -> Vec<String> {
    let Ok(list) = fs::read_dir(site.path("state/spool")) else { return Vec::new() };
    let mut segments: Vec<PathBuf> = list.map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    segments.sort();
    let text: String = segments.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect();
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
}

pub fn records(site: &Site) -> Vec<Value> {
    lines(site).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Records of incidents.
pub fn incidents(site: &Site) -> Vec<Value> {
    records(site).into_iter().filter(|record| record.get("incident").is_some()).collect()
}

/// What agents did: `started`, `stopped`, `gap`, ...
pub fn events(site: &Site) -> Vec<String> {
    records(site).iter().filter_map(|record| Some(record.pointer("/agent/event")?.as_str()?.to_owned())).collect()
}

pub fn word<'a>(record: &'a Value, pointer: &str) -> &'a str {
    record.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Waits for an incident's record like this, and gives it.
pub fn incident(site: &Site, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let mut found = None;
    let there = until(|| {
        found = incidents(site).into_iter().find(|record| fits(record));
        found.is_some()
    });
    assert!(there, "no record: {what}; there are {:#?}", incidents(site));
    found.unwrap()
}

/// Every record is as the shipped schema says, and the log is whole.
pub fn is_sound(site: &Site) {
    let validator = jsonschema::validator_for(&serde_json::from_str(RECORD_JSON_SCHEMA).unwrap()).unwrap();
    for record in records(site) {
        let wrong: Vec<String> = validator.iter_errors(&record).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?}: {record}");
    }
    let report = isonet::spool::verify(&isonet::spool::Disk::look(&site.path("state/spool"))).unwrap();
    assert!(report.is_whole(), "{report:?}");
}
