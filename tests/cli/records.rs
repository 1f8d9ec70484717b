//! `export` and `schema`: what is written for other programs.

use crate::ground::{Ground, isonet, mode};

#[path = "../records/samples.rs"]
mod samples;

use isonet::model::Record;
use isonet::spool::{Digest, seal};
use samples::{EPOCH, day, line};
use serde_json::{Value, json};

/// The lines of a log with these records, each continuing the one before.
fn chained(records: &[Record]) -> Vec<String> {
    let mut prev = Digest::ZERO;
    let seal = |record: &Record| {
        let unsealed = line(record);
        let (json, _) = unsealed.split_once(",\"prev_hash\":").unwrap();
        let body = format!("{json},\"prev_hash\":\"{prev}\"");
        prev = Digest::of(body.as_bytes());
        format!("{body},\"hash\":\"{prev}\"}}\n")
    };
    records.iter().map(seal).collect()
}

fn segment(first: u64) -> String {
    format!("state/spool/{EPOCH}-{first:020}.jsonl")
}

/// A state directory with a day of records in two segments.
fn recorded() -> Ground {
    let ground = Ground::new();
    let lines = chained(&day());
    let (early, late) = lines.split_at(5);
    ground.write(&segment(1), early.concat());
    ground.write(&segment(6), late.concat());
    let epoch = json!({"epoch": EPOCH, "fingerprint": "", "earlier": []});
    ground.write("state/spool/epoch", seal(epoch.to_string().as_bytes()));
    ground
}

#[test]
fn every_format_comes_out_whole_and_in_order() {
    let ground = recorded();
    let jsonl = ground.run("export --format jsonl");
    jsonl.assert_status(0);
    assert!(jsonl.err.is_empty(), "{jsonl:?}");
    assert_eq!(jsonl.out, chained(&day()).concat());
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
    // A later version's record: whole, and in words that this one does not know.
    let mut later = serde_json::to_value(&day()[0]).unwrap();
    later["schema"] = "incident/2".into();
    later["kind"] = "weather".into();
    later["epoch"] = "e-2".into();
    let body = format!("{},\"prev_hash\":\"{}\"}}", later.to_string().strip_suffix('}').unwrap(), Digest::ZERO);
    ground.write("state/spool/e-2-00000000000000000001.jsonl", seal(body.as_bytes()));
    let ran = ground.run("export --format csv --lang en");
    ran.assert_status(0);
    assert!(ran.err.contains("1 line(s)"), "{ran:?}");
}

#[test]
fn of_a_changed_log_only_what_proves_itself_comes_out_and_that_is_said() {
    for (format, lines) in [("jsonl", day().len() - 1), ("ecs", day().len() - 1), ("csv", day().len())] {
        let ground = recorded();
        let mut bytes = std::fs::read(ground.path(&segment(1))).unwrap();
        let third = bytes.split(|b| *b == b'\n').take(2).map(|line| line.len() + 1).sum::<usize>();
        let at = third + bytes[third..].windows(8).position(|w| w == b"10.20.0.").unwrap();
        bytes[at] = b'9';
        ground.write(&segment(1), bytes);
        for (lang, words) in [("en", "not as it was written"), ("zh-CN", "记录与写入时不一致")] {
            let ran = ground.run(&format!("export --format {format} --lang {lang}"));
            ran.assert_status(65);
            assert_eq!(ran.out.lines().count(), lines, "{format}");
            assert!(!ran.out.contains("90.20.0."), "{format}: what was changed came out");
            let place = if lang == "en" { "000001.jsonl:3: the hash does not fit" } else { "000001.jsonl 第 3 行" };
            assert!(ran.err.contains(words) && ran.err.contains(place), "{ran:?}");
        }
    }
}

#[test]
fn no_changed_byte_of_a_log_is_ever_exported() {
    let ground = recorded();
    let whole = std::fs::read(ground.path(&segment(6))).unwrap();
    let genuine = chained(&day());
    // Some bytes of every line, its line feed included.
    for at in (0..whole.len()).step_by(487).chain(whole.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        ground.write(&segment(6), bytes);
        let ran = ground.run("export --format jsonl --lang en");
        let torn = at == whole.len() - 1;
        ran.assert_status(if torn { 0 } else { 65 });
        assert!(!ran.err.is_empty(), "byte {at}: not said");
        for line in ran.out.lines() {
            assert!(genuine.iter().any(|genuine| genuine.trim_end() == line), "byte {at}: {line}");
        }
    }
}

#[test]
fn an_unfinished_end_is_left_out_and_accuses_nobody() {
    let ground = recorded();
    let late = std::fs::read_to_string(ground.path(&segment(6))).unwrap();
    ground.write(&segment(6), late + "{\"torn");
    let ran = ground.run("export --format jsonl --lang en");
    ran.assert_status(0);
    assert_eq!(ran.out, chained(&day()).concat());
    assert!(ran.err.contains("6 bytes at the end were never finished") && ran.err.contains("no change"), "{ran:?}");
}

#[test]
fn what_is_missing_is_said_too() {
    let ground = recorded();
    std::fs::remove_file(ground.path(&segment(1))).unwrap();
    let ran = ground.run("export --format jsonl --lang en");
    ran.assert_status(65);
    assert_eq!(ran.out, chained(&day())[5..].concat());
    assert!(ran.err.contains("the records 1 to 5 are missing before it"), "{ran:?}");
}

#[test]
fn a_file_that_may_not_be_read_is_no_tampering() {
    let ground = recorded();
    std::fs::set_permissions(ground.path(&segment(1)), mode(0o000)).unwrap();
    for (command, words) in [
        ("export --format jsonl --lang en", "a part of the log cannot be read and is not exported"),
        ("verify-log --lang en", "A part of the log cannot be read: the 14 records that can be were not changed"),
        ("verify-log --lang zh-CN", "有的记录读不出来"),
    ] {
        let Some(ran) = ground.run_as_nobody(command) else { return };
        ran.assert_status(77);
        let said = ran.out.clone() + &ran.err;
        assert!(said.contains(words) && said.contains("000001.jsonl"), "{ran:?}");
        for word in ["damaged", "not as it was written", "损坏", "不一致"] {
            assert!(!said.contains(word), "{ran:?}");
        }
    }
}

/// The records of a day without the end of its outage.
fn ongoing() -> Vec<Record> {
    day().into_iter().take(3).collect()
}

fn keep(ground: &Ground, records: &[Record]) {
    ground.write(&segment(1), chained(records).concat());
    let epoch = json!({"epoch": EPOCH, "fingerprint": "", "earlier": []});
    ground.write("state/spool/epoch", seal(epoch.to_string().as_bytes()));
}

#[test]
fn without_a_daemon_incidents_come_from_the_files() {
    let ground = Ground::new();
    keep(&ground, &day());
    let run = |arguments: &str| {
        let ran =
            ground.shell(&format!("TZ=Asia/Shanghai exec {} --config {} {arguments}", isonet(), ground.path("isonet.toml").display()));
        ran.assert_status(0);
        assert!(ran.err.is_empty(), "{ran:?}");
        ran
    };
    let ran = run("incidents --lang en");
    let lines: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("- ")).collect();
    assert_eq!(lines.len(), 3, "{ran:?}");
    assert!(lines[0].contains("2026-11-18 19:06 - 11-18 19:06") && ran.out.contains("times #2"), "{ran:?}");
    assert!(ran.out.contains("[dns.slow]") && ran.out.contains("- now ("), "{ran:?}");
    let ran = run("incidents --open --lang zh-CN");
    assert_eq!(ran.out.matches("- 现在").count(), 2, "{ran:?}");
    let document: Value = serde_json::from_str(&run("incidents --json").out).unwrap();
    assert_eq!((&document["schema"], document["incidents"].as_array().unwrap().len()), (&"incidents/1".into(), 3));
    assert_eq!(document["lost"], json!([]));
    keep(&ground, &ongoing());
    assert!(run("incidents --lang en").out.contains("- now ("));
}

#[test]
fn what_a_lost_epoch_left_open_is_over() {
    let ground = Ground::new();
    keep(&ground, &ongoing());
    let later = "019a9c3e-7b1c-7a00-8000-5f2d9c1e4b7b";
    let anew = Record { epoch: later.to_owned(), ..day().remove(0) };
    ground.write(&format!("state/spool/{later}-{:020}.jsonl", 1), chained(&[anew]).concat());
    let epoch = json!({"epoch": later, "fingerprint": "", "earlier": [{"epoch": EPOCH, "ended": "lost"}]});
    ground.write("state/spool/epoch", seal(epoch.to_string().as_bytes()));
    for (lang, words, none) in [("en", "- nobody knows when", "No incidents are"), ("zh-CN", "- 不知何时", "没有记下故障")] {
        assert!(ground.run(&format!("incidents --lang {lang}")).out.contains(words));
        assert!(ground.run(&format!("incidents --open --lang {lang}")).out.contains(none));
    }
    let document: Value = serde_json::from_str(&ground.run("incidents --json").out).unwrap();
    assert_eq!(document["lost"], json!([format!("{EPOCH}/2")]));
}

#[test]
fn incidents_of_files_that_cannot_be_read_or_are_not_there_are_said() {
    let ground = Ground::new();
    ground.run("incidents --lang en").assert_status(69);
    keep(&ground, &ongoing());
    std::fs::set_permissions(ground.path("state"), mode(0o755)).unwrap();
    std::fs::set_permissions(ground.path("state/spool"), mode(0o700)).unwrap();
    let Some(ran) = ground.run_as_nobody("incidents --lang en") else { return };
    ran.assert_status(69);
    assert!(ran.err.contains("state/spool") && ran.err.contains("Permission denied") && ran.out.is_empty(), "{ran:?}");
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

#[test]
fn damage_is_named_in_both_languages_with_what_to_do() {
    let ground = recorded();
    let lines = chained(&day());
    ground.write(&segment(1), lines[..5].concat().replacen("2026", "2027", 1));
    for (lang, words) in [
        ("en", ["0001.jsonl:1: the hash does not fit the content", "Change nothing in this directory"]),
        ("zh-CN", ["0001.jsonl 第 1 行：内容和校验值对不上", "不要改动这个目录"]),
    ] {
        let ran = ground.run(&format!("verify-log --lang {lang}"));
        ran.assert_status(65);
        assert!(words.iter().all(|word| ran.out.contains(word)), "{words:?}: {}", ran.out);
    }
    let whole = recorded().run("verify-log --lang en");
    assert!(!whole.assert_status(0).out.contains("Change nothing"), "{whole:?}");
}
