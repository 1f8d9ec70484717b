//! `export` and `schema`: what is written for other programs.

use crate::ground::Ground;

#[path = "../records/samples.rs"]
mod samples;

use samples::{day, line};
use serde_json::Value;

/// A state directory with a day of records in two segments, the last of which ends within a line.
fn recorded() -> Ground {
    let ground = Ground::new();
    let lines: Vec<String> = day().iter().map(|record| line(record) + "\n").collect();
    let (early, late) = lines.split_at(5);
    ground.write("state/spool/e-00000000000000000001.jsonl", early.concat());
    ground.write("state/spool/e-00000000000000000006.jsonl", late.concat() + "{\"torn");
    ground.write("state/spool/epoch", "{}\n");
    ground
}

#[test]
fn every_format_comes_out_whole_and_in_order() {
    let ground = recorded();
    let jsonl = ground.run("export --format jsonl");
    jsonl.assert_status(0);
    assert!(jsonl.err.is_empty(), "{jsonl:?}");
    assert_eq!(jsonl.out, day().iter().map(|record| line(record) + "\n").collect::<String>());
    for (format, events) in [("ecs", day().len()), ("ocsf", day().len() + 1)] {
        let ran = ground.run(&format!("export --format {format} --lang en"));
        ran.assert_status(0);
        let read: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read.len(), events, "{format}");
    }
    let csv = ground.run("export --format csv --lang zh-CN");
    csv.assert_status(0);
    assert!(csv.out.starts_with("\u{feff}epoch,seq,") && csv.out.contains("运营商的线路不通"), "{csv:?}");
}

#[test]
fn only_what_was_asked_for_comes_out() {
    let ground = recorded();
    let directory = ground.path("state/spool");
    let since =
        |when: &str| ground.bare(&format!("export --format jsonl --since {when} --dir {}", directory.display())).out.lines().count();
    assert_eq!(since("2000-01-01"), day().len());
    assert_eq!(since(&day()[3].time.wall.to_string()), day().len() - 3);
    assert_eq!(since("2999-01-01"), 0);
}

#[test]
fn what_cannot_be_exported_is_said_with_its_own_status() {
    let ground = Ground::new();
    let ran = ground.run("export --format csv --lang en");
    ran.assert_status(66);
    assert!(ran.out.is_empty() && ran.err.contains("state/spool"), "{ran:?}");
    for arguments in ["export", "export --format xml", "export --format csv --since yesterday"] {
        ground.run(arguments).assert_status(64);
    }
    let ground = recorded();
    ground.run("export --format jsonl >/dev/full").assert_status(74);
    ground.run("export --format jsonl | true").assert_status(0);
    ground.write("state/spool/f-00000000000000000001.jsonl", "no record\n");
    let ran = ground.run("export --format csv --lang en");
    ran.assert_status(0);
    assert!(ran.err.contains("1 line(s)"), "{ran:?}");
}

#[test]
fn both_schemas_are_printed_by_name() {
    let ground = Ground::new();
    let id = |arguments: &str| {
        let ran = ground.bare(arguments);
        ran.assert_status(0);
        serde_json::from_str::<Value>(&ran.out).unwrap()["$id"].as_str().unwrap().to_owned()
    };
    for (arguments, expected) in [
        ("schema", "urn:isonet:diagnosis/1"),
        ("schema diagnosis", "urn:isonet:diagnosis/1"),
        ("schema incident", "urn:isonet:incident/1"),
        ("schema incident/1", "urn:isonet:incident/1"),
    ] {
        assert_eq!(id(arguments), expected, "{arguments}");
    }
}
