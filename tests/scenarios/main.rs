//! The life of incidents, told as timelines: each `*.toml` beside this file says what is true from when on, and which records are due.
//! The engine runs against a clock that the scenario moves, so a day takes a moment.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]
#![allow(
    clippy::single_match_else,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a timeline is a few numbers between nought and a day"
)]

mod detection;
mod laws;
mod play;
mod recorded;
mod reloads;

use play::Scenario;

#[test]
fn every_scenario_ends_as_it_is_told() {
    let mut faults = Vec::new();
    let mut played = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let scenario = Scenario::read(&path);
        played += 1;
        if let Err(why) = scenario.check() {
            faults.push(format!("{name} ({}): {why}", scenario.about));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    assert!(played >= 30, "only {played} scenarios were found");
}
