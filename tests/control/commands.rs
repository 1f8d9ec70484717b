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
fn the_shops_own_statement_travels_with_an_incident_that_is_open_and_with_one_that_is_over() {
    let Some(mut ground) = Ground::new() else { return };
    let nothing = ground.say("1", "nothing there");
    assert_eq!((nothing.status, nothing.out.as_str()), (Some(66), ""), "{nothing:?}");
    ground.cable("down");
    let open = |ground: &Ground| ground.isonet(&[], "incidents --json --open").json()["incidents"][0].clone();
    let found = wait_for("the incident", Duration::from_secs(20), || Some(open(&ground)).filter(serde_json::Value::is_object));
    let id = found["incident"]["id"].as_str().unwrap().to_owned();
    for text in ["", "  ", "two\nlines", "\u{1b}[2J", "\u{202e}turned", &"长".repeat(301)] {
        assert_eq!(ground.say(&id, text).status, Some(65), "{text:?}");
    }
    let said = ground.say(&format!("#{}", id.split_once('/').unwrap().1), "  运营商在换设备 ");
    assert_eq!((said.status, said.err.as_str()), (Some(0), ""), "{said:?}");
    let now = open(&ground);
    assert_eq!(now["comments"][0]["text"], "运营商在换设备", "{now:#}");
    assert_eq!((&now["incident"]["phase"], &now["incident"]["change"]), (&"updated".into(), &"commented".into()), "{now:#}");
    assert_eq!((&now["cause"], &now["incident"]["since"]), (&found["cause"], &found["incident"]["since"]));
    // It stays with the incident to its end, and another can be added when it is over.
    ground.cable("up");
    wait_for("the end of it", Duration::from_secs(30), || (!open(&ground).is_object()).then_some(()));
    let last = |ground: &Ground| ground.isonet(&[], "incidents --json").json()["incidents"][0].clone();
    let over = last(&ground);
    assert_eq!((&over["incident"]["phase"], &over["comments"][0]), (&"resolved".into(), &now["comments"][0]), "{over:#}");
    assert_eq!(ground.say(&id, "设备换好了").status, Some(0));
    let told = last(&ground);
    assert_eq!(told["comments"][1]["text"], "设备换好了", "{told:#}");
    for same in ["phase", "resolution", "duration_ms", "since", "occurrences"] {
        assert_eq!(told["incident"][same], over["incident"][same], "{same}");
    }
    assert_eq!(told["incident"]["rev"].as_u64(), over["incident"]["rev"].as_u64().map(|rev| rev + 1));
    // A new run of the service does not hold it any more, and takes it from the log.
    assert_eq!(ground.end(Signal::TERM), Some(0));
    assert_eq!(ground.say(&id, "x").status, Some(69));
    ground.start();
    for count in 3..=8 {
        assert_eq!(ground.say(&id, &format!("number {count}")).status, Some(0));
    }
    let ninth = ground.say(&id, "one too many");
    assert_eq!(ninth.status, Some(65), "{ninth:?}");
    let listed = ground.isonet(&[], "incidents --lang zh-CN").out;
    assert!(listed.contains("：运营商在换设备") && listed.contains("：number 8") && !listed.contains("现在"), "{listed}");
    assert_eq!(ground.isonet(&[], "verify-log").status, Some(0));
    if others_can_run() {
        assert_eq!(ground.isonet(NOBODY, &format!("incidents comment {id} x")).status, Some(77));
    }
    assert_eq!(ground.end(Signal::TERM), Some(0));
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

#[test]
fn the_live_view_shows_a_change_without_clearing_and_gives_the_screen_back() {
    let Some(mut ground) = Ground::new() else { return };
    let live = ground.live("stty rows 40 cols 80; exec");
    live.until("You can settle", Duration::from_secs(10));
    ground.cable("down");
    wait_for("the record", Duration::from_secs(20), || (!ground.status()["open_incidents"].as_array().unwrap().is_empty()).then_some(()));
    live.until("You cannot settle", Duration::from_secs(2));
    ground.end(rustix::process::Signal::TERM);
    live.until("does not answer", Duration::from_secs(3));
    ground.cable("up");
    ground.start();
    let from = live.shown().len();
    live.until_after(from, "You can settle", Duration::from_secs(30));
    let (shown, status) = live.interrupt();
    assert_eq!(status, Some(0));
    assert!(shown.contains("\u{1b}[?1049h\u{1b}[?25l") && shown.trim_end().ends_with("\u{1b}[?25h\u{1b}[?1049l"), "{shown:?}");
    assert!(!shown.contains("\u{1b}[2J"), "it never clears the screen");
    let piped = ground.isonet(&[], "--lang en status --watch");
    assert_eq!((piped.status, piped.err.contains("needs a terminal")), (Some(64), true), "{piped:?}");
}
