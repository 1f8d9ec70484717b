//! `isonet status` and `isonet incidents`.

use crate::ground::{Ground, assert_schema, others_can_run, wait_for};
use rustix::process::Signal;
use std::time::Duration;

pub(crate) const NOBODY: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

#[test]
fn status_reads_well_in_both_languages_and_as_json() {
    let Some(ground) = Ground::new() else { return };
    for (lang, words) in [
        ("en", ["You can settle", "No incident is open", "Records reach the disk", "From this PC to the centre"]),
        ("zh-CN", ["可以结算", "没有未恢复的故障", "记录写得进磁盘", "从这台电脑到医保中心"]),
    ] {
        let ran = ground.isonet(&[], &format!("status --lang {lang}"));
        assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""), "{ran:?}");
        for word in words {
            assert!(ran.out.contains(word), "{word}: {}", ran.out);
        }
    }
    assert_schema(&ground.isonet(&[], "status --json").json(), "status/1");
}

#[test]
fn status_tells_how_far_each_sink_is() {
    let Some(mut ground) = Ground::without_daemon() else { return };
    let config = std::fs::read_to_string(ground.path("isonet.toml")).unwrap();
    let sinks = "[[sink]]\nkind = \"nats\"\nname = \"fleet\"\nservers = [\"nats://10.66.0.2:4222\"]\n";
    std::fs::write(ground.path("isonet.toml"), config + sinks).unwrap();
    ground.start();
    wait_for("a first look", Duration::from_secs(20), || ground.connected(Some(true)));
    let sink = wait_for("what waits", Duration::from_secs(10), || {
        let sink = ground.status()["agent"]["sinks"][0].clone();
        (sink["waiting"].as_u64()? > 0).then_some(sink)
    });
    assert_eq!((&sink["name"], &sink["kind"], &sink["shipped"]), (&"fleet".into(), &"nats".into(), &serde_json::Value::Null), "{sink:#}");
    assert!(sink["oldest_s"].as_u64().is_some_and(|age| age < 60) && sink["trouble"].is_string(), "{sink:#}");
    let more = sink["waiting"].as_u64().unwrap();
    ground.cable("down");
    wait_for("one more", Duration::from_secs(20), || (ground.status()["agent"]["sinks"][0]["waiting"].as_u64()? > more).then_some(()));
    assert_schema(&ground.isonet(&[], "status --json").json(), "status/1");
    for (lang, words) in
        [("en", "Sink fleet (nats): not connected; has nothing so far,"), ("zh-CN", "外送 fleet（nats）：不通，还没有送出过，还有")]
    {
        let ran = ground.isonet(&[], &format!("status --lang {lang}"));
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
}

#[test]
fn a_clerk_sees_the_overview_and_is_told_who_sees_more() {
    let Some(ground) = Ground::new() else { return };
    if !others_can_run() {
        return;
    }
    let ran = ground.isonet(NOBODY, "status --lang en");
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.out.contains("You can settle") && ran.out.contains("group isonet") && !ran.out.contains("10.66"), "{}", ran.out);
    assert_eq!(ground.isonet(NOBODY, "status --json").json()["view"], "clerk");
    let ran = ground.isonet(NOBODY, "incidents --lang en");
    assert_eq!(ran.status, Some(77), "{ran:?}");
    assert!(ran.err.contains("usermod -aG isonet"), "{ran:?}");
}

#[test]
fn without_a_daemon_status_says_so_with_the_remedy() {
    let Some(ground) = Ground::without_daemon() else { return };
    for (lang, words) in [("en", "The service is not running"), ("zh-CN", "值守程序没有在运行")] {
        for command in ["status", "status --json", "incidents", "incidents --follow"] {
            let ran = ground.isonet(&[], &format!("{command} --lang {lang}"));
            assert_eq!((ran.status, ran.out.as_str()), (Some(69), ""), "{ran:?}");
            assert!(ran.err.contains(words) && ran.err.contains("systemctl start isonet"), "{ran:?}");
        }
    }
}

#[test]
fn incidents_are_listed_from_the_first_sign_to_the_end() {
    let Some(mut ground) = Ground::new() else { return };
    assert!(ground.isonet(&[], "incidents --lang en").out.contains("No incidents are recorded"));
    ground.cable("down");
    let listed = |arguments: &str| ground.isonet(&[], &format!("incidents --lang en {arguments}"));
    wait_for("the incident", Duration::from_secs(20), || listed("--open").out.contains("[link.admin-down]").then_some(()));
    assert!(listed("").out.contains("- now ("), "{}", listed("").out);
    let ran = ground.isonet(&[], "diagnose --lang en");
    assert!(ran.out.contains("What the watch has open") && ran.out.contains(": since "), "{}", ran.out);
    ground.cable("up");
    wait_for("the end of it", Duration::from_secs(30), || listed("--open").out.contains("No incidents").then_some(()));
    let ran = listed("--json --since 1h");
    let document = ran.json();
    assert_eq!(document["schema"], "incidents/1");
    assert_eq!(document["incidents"][0]["incident"]["phase"], "resolved", "{document:#}");
    assert!(!listed("--since 1h").out.contains("now"), "{}", listed("--since 1h").out);
    assert_eq!(ground.end(Signal::TERM), Some(0));
}
