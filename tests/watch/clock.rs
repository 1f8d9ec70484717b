//! The clock, as far as it can be staged without setting one: instead of the clock the last sign of life is moved that the daemon left behind, and
//! the time zone is that of the terminal's own `/etc`. Real steps belong into a PC of their own.

use crate::ground::{Daemon, Ground, PATIENCE};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;

const OFFLINE: &str = "clock.offline-change";
const ZONE: &str = "clock.timezone";

fn ground() -> Option<Ground> {
    let ground = Ground::new()?;
    ground.configure("");
    ground.enroll();
    Some(ground)
}

/// Changes the last sign of life, and seals it as the daemon does.
fn move_the_anchor(ground: &Ground, change: impl FnOnce(&mut Value)) {
    let path = ground.path("state/anchor");
    let text = fs::read_to_string(&path).unwrap();
    let mut anchor: Value = serde_json::from_str(&text).unwrap();
    anchor.as_object_mut().unwrap().remove("hash");
    change(&mut anchor["at"]);
    fs::write(&path, isonet::spool::seal(&serde_json::to_vec(&anchor).unwrap())).unwrap();
}

/// Makes the wall clock of the last sign of life later by so many seconds.
fn later(seconds: i64) -> impl FnOnce(&mut Value) {
    move |at| {
        let wall: jiff::Timestamp = at["wall"].as_str().unwrap().parse().unwrap();
        at["wall"] = Value::from((wall + jiff::SignedDuration::from_secs(seconds)).to_string());
    }
}

fn fact(record: &Value, key: &str) -> String {
    let lines = record["evidence"].as_array().unwrap();
    let line = lines.iter().find(|line| line["k"] == key).unwrap_or_else(|| panic!("no {key} in {record:#}"));
    line["result"].as_str().unwrap().to_owned()
}

fn seconds(size: &str) -> f64 {
    size.split(' ').nth(1).unwrap().parse().unwrap()
}

fn opened(daemon: &Daemon<'_>, code: &str) -> Value {
    daemon.sees(code, "opened", PATIENCE, |_| true).0
}

#[test]
fn a_daemon_that_was_stopped_and_started_tells_nothing() {
    let Some(ground) = ground() else { return };
    ground.watch().stop();
    let daemon = ground.watch();
    assert_eq!(daemon.brief(), [""; 0]);
    daemon.stop();
}

#[test]
fn a_clock_set_while_the_daemon_was_stopped_is_told_with_its_exact_size_and_once() {
    let Some(ground) = ground() else { return };
    // A minute and more would be graver around midnight, as it makes another day.
    for (moved, way, severity, phase) in [(-86_400_i32, "forward", "critical", "opened"), (30, "back", "critical", "updated")] {
        // The next run finds the clock where the last sign of life left it.
        ground.watch().stop();
        move_the_anchor(&ground, later(moved.into()));
        let daemon = ground.watch();
        let is_it = |record: &Value| fact(record, "clock.offline").starts_with(way);
        // What happens again after a restart is counted, and no milder for that.
        let (record, _) = daemon.sees(OFFLINE, phase, PATIENCE, is_it);
        let size = fact(&record, "clock.offline");
        // The two clocks of a stamp are read one after the other.
        assert!((seconds(&size) - f64::from(moved).abs()).abs() < 0.5, "{size}");
        assert_eq!(fact(&record, "clock.boot"), "same boot");
        assert_eq!((&record["cause"]["severity"], &record["origin"]), (&Value::from(severity), &Value::from("pre-existing")));
        assert_eq!(daemon.told(OFFLINE).into_iter().filter(is_it).count(), 1, "{:#?}", daemon.brief());
        daemon.stop();
    }
    let daemon = ground.watch();
    assert_eq!(daemon.told(OFFLINE).iter().filter(|record| record["incident"]["phase"] == "resolved").count(), 0, "it stands for its time");
    daemon.stop();
}

#[test]
fn a_clock_behind_the_last_sign_of_an_earlier_boot_went_back_and_one_ahead_says_nothing() {
    for (moved, told) in [(30 * 86_400, true), (100, false), (-400 * 86_400, false)] {
        let Some(ground) = ground() else { return };
        ground.watch().stop();
        let change = later(moved);
        move_the_anchor(&ground, |at| {
            change(at);
            at["boot_id"] = Value::from("00000000-0000-4000-8000-000000000000");
        });
        let daemon = ground.watch();
        if told {
            let record = opened(&daemon, OFFLINE);
            let size = fact(&record, "clock.offline");
            assert!(size.starts_with("back 25919") || size.starts_with("back 2592000"), "{size}");
            assert!(size.ends_with("or more"), "{size}");
            assert_eq!((fact(&record, "clock.boot").as_str(), &record["cause"]["severity"]), ("another boot", &Value::from("critical")));
        } else {
            assert_eq!(daemon.told(OFFLINE), Vec::<Value>::new(), "{moved}");
        }
        daemon.stop();
    }
}

/// Makes the terminal's zone another one, by a new link as every tool does.
fn set_zone(ground: &Ground, zone: &str) {
    let etc = ground.path("etc");
    symlink(format!("/usr/share/zoneinfo/{zone}"), etc.join("localtime.new")).unwrap();
    fs::rename(etc.join("localtime.new"), etc.join("localtime")).unwrap();
}

#[test]
fn another_time_zone_than_at_enrolment_is_told_and_another_name_of_the_same_is_not() {
    let Some(ground) = Ground::new() else { return };
    if !fs::exists("/usr/share/zoneinfo/Asia/Shanghai").unwrap() {
        println!("SKIPPED: no time zones are installed");
        return;
    }
    set_zone(&ground, "Asia/Shanghai");
    ground.configure("");
    ground.enroll();
    let daemon = ground.watch();
    assert_eq!(daemon.told(ZONE), Vec::<Value>::new());
    daemon.stop();
    set_zone(&ground, "Asia/Tokyo");
    let daemon = ground.watch();
    let record = opened(&daemon, ZONE);
    assert_eq!((fact(&record, "clock.zone"), fact(&record, "clock.zone-enrolled")), ("Asia/Tokyo".to_owned(), "Asia/Shanghai".to_owned()));
    assert_eq!(record["origin"], "pre-existing");
    daemon.stop();
    // An old name of the same zone, by a copy of its rules.
    let etc = ground.path("etc");
    fs::remove_file(etc.join("localtime")).unwrap();
    fs::copy("/usr/share/zoneinfo/Asia/Shanghai", etc.join("localtime")).unwrap();
    let daemon = ground.watch();
    daemon.sees(ZONE, "resolved", PATIENCE, |_| true);
    daemon.stop();
}
