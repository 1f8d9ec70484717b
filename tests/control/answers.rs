//! Each request and its answer.

use crate::client::{self, get, request};
use crate::ground::{Ground, assert_schema, wait_for};
use isonet::incident::log::Incidents;
use isonet::infer::World;
use isonet::report::Status;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

#[test]
fn everything_that_can_be_asked_is_answered_by_its_schema() {
    let Some(ground) = Ground::new() else { return };
    let status = ground.status();
    assert_schema(&status, "status/1");
    assert_eq!(status["view"], "whole");
    assert!(status["agent"]["rounds"].as_u64().unwrap() >= 1, "{status:#}");
    for target in ["/v1/diagnosis", "/v1/diagnosis?fresh=1"] {
        let diagnosis = ground.get(target).json();
        assert_schema(&diagnosis, "diagnosis/1");
        assert_eq!((&diagnosis["connected"], &diagnosis["open_incidents"]), (&Value::Bool(true), &Value::Array(Vec::new())));
    }
    let world: World = serde_json::from_slice(&ground.get("/v1/world").body).unwrap();
    assert!(world.links().is_some() && world.newest().is_some());
    let incidents: Incidents = serde_json::from_slice(&ground.get("/v1/incidents?since=7d&open=1").body).unwrap();
    assert!(incidents.incidents.is_empty(), "{incidents:?}");
    for line in ground.get("/metrics").text().lines() {
        let sample = line.split_once(' ').is_some_and(|(name, value)| name.starts_with("isonet_") && value.parse::<f64>().is_ok());
        assert!(sample || line.starts_with("# HELP isonet_") || line.starts_with("# TYPE isonet_"), "{line}");
    }
    assert!(ground.get("/metrics").head.contains("text/plain; version=0.0.4"));
    assert!(ground.get("/v1/status").head.contains("application/json"));
}

#[test]
fn who_waits_for_a_change_is_told_at_once_and_again_when_something_happened() {
    let Some(ground) = Ground::new() else { return };
    for socket in [ground.control(), ground.public()] {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(b"GET /v1/changes HTTP/1.1\r\nhost: isonet\r\n\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        assert!(lines.by_ref().take_while(|line| !line.is_empty()).any(|line| line == "content-type: text/event-stream"));
        let mut told = || lines.find(|line| line.starts_with("data:")).unwrap();
        assert_eq!(told(), "data: changed");
        ground.get("/v1/diagnosis?fresh=1");
        assert_eq!(told(), "data: changed", "a round ended");
    }
}

#[test]
fn what_cannot_be_asked_is_refused_in_json_with_its_reason() {
    let Some(ground) = Ground::new() else { return };
    for (method, target, body, status, code) in [
        ("GET", "/nothing", &b""[..], 404, "not-found"),
        ("GET", "/v1/../../etc/passwd", b"", 404, "not-found"),
        ("GET", "/v1/%2e%2e/%2e%2e/etc/passwd", b"", 404, "not-found"),
        ("GET", "/v1/status?lang=%ff%fe", b"", 400, "bad-parameter"),
        ("GET", "/v1/incidents?since=-1d", b"", 400, "bad-parameter"),
        ("DELETE", "/v1/status", b"", 405, "method-not-allowed"),
        ("POST", "/v1/grants", b"{\"what\":\"usb\"}", 400, "bad-order"),
        ("POST", "/v1/grants", b"{\"revoke\":\"g-00000000\"}", 404, "no-such-grant"),
        ("POST", "/v1/grants", &[b'x'; 5000], 413, "too-large"),
    ] {
        let answer = request(&ground.control(), method, target, body).unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{method} {target}");
    }
    let chinese = ground.get("/nowhere?lang=zh-CN").json();
    assert_eq!(chinese["error"]["text"], "没有这个地址。");
}

#[test]
fn everybody_sees_what_a_clerk_may_and_nothing_else() {
    let Some(ground) = Ground::new() else { return };
    ground.cable("down");
    wait_for("the incident", Duration::from_secs(20), || {
        let status = get(&ground.public(), "/v1/status").json();
        (!status["open_incidents"].as_array().unwrap().is_empty()).then_some(())
    });
    let answer = get(&ground.public(), "/v1/status?lang=zh-CN");
    let status = answer.json();
    assert_schema(&status, "status/1");
    assert_eq!((&status["view"], &status["agent"]), (&"clerk".into(), &Value::Null));
    assert_eq!(status["causes"][0]["cause"], "link.admin-down");
    assert!(status["say"]["first"].as_str().unwrap().contains("不能结算"), "{status:#}");
    for secret in ["10.66", "t0", "4430", "pid", &ground.run_dir().display().to_string()] {
        assert!(!answer.text().contains(secret), "{secret} in {status:#}");
    }
    for target in ["/v1/diagnosis", "/v1/world", "/v1/world?fresh=1", "/v1/incidents", "/v1/incidents?follow=1", "/metrics", "/v1/grants"] {
        let answer = get(&ground.public(), target);
        assert_eq!((answer.status, answer.code().as_str()), (403, "not-for-everybody"), "{target}");
    }
    // The same in the type that clients use.
    let _: Status = serde_json::from_value(status).unwrap();
}

#[test]
fn a_fresh_round_begins_after_the_question_and_is_shared() {
    let Some(ground) = Ground::new() else { return };
    let before = ground.figure("isonet_looks_total{kind=\"round\"}");
    let asked = isonet::sys::clock::stamp().boottime_ms;
    let worlds: Vec<World> = std::thread::scope(|scope| {
        let askers: Vec<_> = (0..6).map(|_| scope.spawn(|| ground.get("/v1/world?fresh=1"))).collect();
        askers.into_iter().map(|asker| serde_json::from_slice(&asker.join().unwrap().body).unwrap()).collect()
    });
    for world in &worlds {
        assert!(world.observations().all(|seen| seen.at.boottime_ms >= asked), "something is older than the question");
    }
    let rounds = ground.figure("isonet_looks_total{kind=\"round\"}") - before;
    assert!((1.0..=3.0).contains(&rounds), "{rounds} rounds for 6 clients");
}

#[test]
fn who_follows_is_told_each_record_once_it_is_written() {
    let Some(ground) = Ground::new() else { return };
    let mut stream = UnixStream::connect(ground.control()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"GET /v1/incidents?follow=1 HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    // The head comes at once, before there is anything to tell.
    assert!(lines.by_ref().take_while(|line| !line.is_empty()).any(|line| line.contains("application/x-ndjson")));
    ground.cable("down");
    let record: Value = lines.by_ref().find_map(|line| serde_json::from_str(&line).ok().filter(Value::is_object)).unwrap();
    assert_eq!((&record["schema"], &record["incident"]["phase"]), (&"incident/1".into(), &"opened".into()), "{record:#}");
    let listed = ground.get("/v1/incidents?open=1").json();
    assert_eq!(listed["incidents"][0]["incident"]["id"], record["incident"]["id"]);
    let status = ground.status();
    assert_eq!(status["open_incidents"][0]["id"], record["incident"]["id"]);
    assert_eq!(ground.get("/v1/diagnosis").json()["open_incidents"][0]["id"], record["incident"]["id"]);
    assert!(ground.figure("isonet_records_total") >= 1.0);
}

#[test]
fn one_request_a_connection_whatever_is_sent_behind_it() {
    let Some(ground) = Ground::new() else { return };
    let twice = b"GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\nGET /metrics HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = client::exchange(&ground.control(), twice, Duration::from_secs(10)).unwrap();
    assert_eq!(String::from_utf8_lossy(&answer).matches("HTTP/1.1 200").count(), 1);
}
