//! Authorised windows against real findings: the bureau's lowers, the institution's own stands beside, and what outlives the bureau's escalates.

use crate::ground::{Daemon, Ground};
use isonet::daemon::grants::{Wanted, signed_text};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::Output;
use std::time::Duration;

const GOAL: Duration = Duration::from_secs(10);
/// After its end a window still covers what is there for half a minute, then comes the next look, at the latest in a minute.
const OVERRUN: Duration = Duration::from_mins(3);

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn bureau() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

/// A terminal whose configuration knows the bureau's key, enrolled.
fn terminal() -> Option<Ground> {
    let ground = Ground::new()?;
    let key = hex(bureau().public_key().as_ref());
    ground.configure(&format!("[terminal]\nid = \"t-1\"\n[rules]\nbureau-key = \"{key}\"\n"));
    ground.enroll();
    Some(ground)
}

fn grant(ground: &Ground, words: &[&str]) -> Output {
    ground.isonet(&[&["grant"], words].concat()).output().unwrap()
}

fn granted(ground: &Ground, words: &[&str]) -> Value {
    let out = grant(ground, &[words, &["--json"]].concat());
    assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// The bureau's code for the internet until then.
fn signed(until: jiff::Timestamp) -> String {
    let what = serde_json::from_value(json!("internet")).unwrap();
    let wanted = Wanted { what, until, by: String::new(), reason: String::new(), device: None, code: None };
    hex(bureau().sign(signed_text(&wanted, Some("t-1")).as_bytes()).as_ref())
}

/// In so many seconds, whole.
fn later(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(isonet::sys::clock::wall().as_second() + seconds).unwrap()
}

/// A second way outward, as far as this terminal knows.
fn uplink(ground: &Ground) {
    ground.cable("t1", "b1");
    ground.here("ip address add 10.82.1.1/24 dev t1");
    ground.here("ip route add default via 10.82.1.2 dev t1 metric 500");
}

fn severity(record: &Value) -> &str {
    record.pointer("/cause/severity").and_then(Value::as_str).unwrap_or_default()
}

fn authority(record: &Value) -> &str {
    record.pointer("/grant/authority").and_then(Value::as_str).unwrap_or_default()
}

/// What the log says of grants.
fn recorded(daemon: &Daemon<'_>) -> Vec<Value> {
    daemon
        .records()
        .into_iter()
        .filter(|record| record["agent"]["event"].as_str().is_some_and(|event| event.starts_with("grant")))
        .collect()
}

#[test]
fn on_the_bureaus_authority_an_uplink_is_only_noted_and_escalates_when_it_outlives_the_window() {
    let Some(ground) = terminal() else { return };
    let daemon = ground.watch();
    let until = later(40);
    let code = signed(until);
    let words = ["internet", "--until", &until.to_string(), "--by", "Li", "--reason", "upgrade", "--code", &code];
    let listed = granted(&ground, &words);
    let one = &listed["grants"][0];
    assert_eq!((&one["open"], &one["grant"]["authority"]), (&json!(true), &json!("bureau")), "{listed:#}");
    uplink(&ground);
    let (opened, _) = daemon.sees("isolation.uplink-suspect", "opened", GOAL, |_| true);
    assert_eq!((severity(&opened), authority(&opened)), ("info", "bureau"), "{opened:#}");
    // A new start changes nothing of it.
    daemon.stop();
    let daemon = ground.watch();
    let (over, after) = daemon.sees("isolation.grant-overrun", "opened", OVERRUN, |_| true);
    println!("overrun: {after:?} after the uplink was told");
    let late = isonet::sys::clock::wall().duration_since(until);
    // Half a minute of grace, and a moment.
    assert!((30..40).contains(&late.as_secs()), "told {late:?} after its end");
    assert_eq!((severity(&over), authority(&over)), ("medium", "bureau"), "{over:#}");
    daemon.sees("isolation.uplink-suspect", "updated", GOAL, |record| severity(record) == "low");
    ground.here("ip link del t1");
    daemon.sees("isolation.grant-overrun", "resolved", GOAL, |_| true);
    let told = recorded(&daemon);
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["agent"]["grant"]["by"], &told[0]["agent"]["grant"]["uid"]), (&json!("Li"), &json!(0)));
    daemon.stop();
}

#[test]
fn on_the_institutions_own_authority_it_stands_beside_and_what_is_cut_in_time_is_no_overrun() {
    let Some(ground) = terminal() else { return };
    let daemon = ground.watch();
    let listed = granted(&ground, &["internet", "--until", "1h", "--by", "Li", "--reason", "upgrade"]);
    assert_eq!(listed["grants"][0]["grant"]["authority"], json!("self"));
    uplink(&ground);
    let (opened, _) = daemon.sees("isolation.uplink-suspect", "opened", GOAL, |_| true);
    assert_eq!((severity(&opened), authority(&opened)), ("low", "self"), "{opened:#}");
    let id = listed["grants"][0]["grant"]["id"].as_str().unwrap().to_owned();
    let revoked = granted(&ground, &["revoke", &id]);
    assert_eq!((&revoked["grants"][0]["open"], &revoked["grants"][0]["revoked"]), (&json!(false), &json!(true)));
    ground.here("ip link del t1");
    daemon.sees("isolation.uplink-suspect", "resolved", GOAL, |_| true);
    assert_eq!(recorded(&daemon).len(), 2);
    assert!(daemon.told("isolation.grant-overrun").is_empty());
    daemon.stop();
    // The grants are there after a start, and nothing is open.
    let daemon = ground.watch();
    let listed: Value = serde_json::from_slice(&grant(&ground, &["list", "--json"]).stdout).unwrap();
    assert_eq!((&listed["grants"][0]["grant"]["id"], &listed["grants"][0]["open"]), (&json!(id), &json!(false)));
    daemon.stop();
}

#[test]
fn who_may_not_and_what_is_not_right_is_refused() {
    let Some(ground) = terminal() else { return };
    let refused = |words: &[&str]| {
        let out = grant(&ground, words);
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let usb = ["usb", "--until", "1h", "--by", "Li", "--reason", "x"];
    assert_eq!(refused(&usb).0, Some(69), "no service runs");
    let daemon = ground.watch();
    let until = later(600).to_string();
    let wrong = signed(later(900));
    for (words, status) in [
        (vec!["internet", "--until", &until, "--by", "Li", "--reason", "x", "--code", &wrong], 65),
        (vec!["usb", "--until", "2020-01-01T00:00", "--by", "Li", "--reason", "x"], 65),
        (vec!["usb", "--until", "400d", "--by", "Li", "--reason", "x"], 65),
        (vec!["usb", "--until", "1h", "--by", " ", "--reason", "x"], 65),
        (vec!["revoke", "g-00000000"], 65),
        (vec!["revoke"], 64),
        (vec!["usb", "--by", "Li", "--reason", "x"], 64),
        (vec!["list", "--by", "Li"], 64),
        (vec!["everything"], 64),
    ] {
        let (got, said) = refused(&words);
        assert_eq!(got, Some(status), "{words:?}: {said}");
        assert!(!said.is_empty());
    }
    // Somebody who is in the group of the socket, or in no group at all.
    let (group, control) = (ground.here("id -g nobody").trim().to_owned(), ground.path("run/control.sock"));
    ground.here(&format!("chmod 755 {0} {0}/run && chown 0:{group} {1}", ground.path("").display(), control.display()));
    let body = r#"{"what":"usb","until":"2099-01-01T00:00:00Z","by":"a","reason":"b"}"#;
    let ask = format!(
        "import os,socket,sys\nos.setgroups([])\nos.setgid({group})\nos.setuid(65534)\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
         s.sendall(b'POST /v1/grants HTTP/1.1\\r\\nhost: x\\r\\ncontent-length: {}\\r\\n\\r\\n{body}')\nprint(s.recv(4096).decode())",
        body.len()
    );
    let out = ground.command("python3").args(["-c", &ask]).arg(control).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(said.contains("403") && said.contains("not-permitted"), "{said}{}", String::from_utf8_lossy(&out.stderr));
    assert!(recorded(&daemon).is_empty());
    daemon.stop();
}
