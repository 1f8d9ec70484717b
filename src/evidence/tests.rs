//! A bundle made from a real log, and everything that can be done to it.

use super::*;
use crate::baseline::machine_fingerprint;
use crate::key::ensure;
use crate::model::{AgentEvent, Draft, Phase, Stamp, TerminalCard, What};
use crate::spool::{Claims, Disk, Known, Spool, Store, append, prove, samples};
use std::path::Path;

/// A log with an outage that opens, is refined and ends, and things before and after it.
fn log(dir: &Path) -> IncidentId {
    let claims = Claims { fingerprint: String::new(), anchor: Known::Absent, cursors: Known::Absent };
    let card = TerminalCard::of(&crate::config::Terminal::default(), Some("till-2".to_owned()), None, "0011223344556677");
    let (log, started) = Spool::start(Disk::own(dir).expect("ours"), None, &claims, card, drop).expect("a log");
    let agent = |event| log.record(Draft::new(&stamp(1), What::Agent(event)));
    agent(AgentEvent::Started);
    agent(AgentEvent::PolicyChanged { from: None, to: "0011223344556677".to_owned(), weakened: Vec::new() });
    agent(AgentEvent::KeyChanged { algorithm: "ed25519".to_owned(), from: None, to: "a".repeat(64), reason: "first".to_owned() });
    agent(AgentEvent::Gap { last_seen: stamp(0).wall, length_ms: Some(1000), rebooted: false });
    for phase in [Phase::Opened, Phase::Updated, Phase::Resolved] {
        log.record(Draft::new(&stamp(2), samples::incident(7, phase)));
    }
    agent(AgentEvent::Coalesced { count: 3 });
    assert_eq!(log.close().waiting, 0);
    IncidentId { epoch: started.epoch, seq: 5 }
}

fn stamp(second: i64) -> Stamp {
    let wall = jiff::Timestamp::from_second(1_795_000_000 + second).expect("in range");
    Stamp { boot_id: "b".to_owned(), boottime_ms: 1000, wall, offset_s: 8 * 3600, clock: crate::model::ClockState::Synchronised }
}

/// The files of a bundle of that outage, and its name.
fn bundle(damage: impl FnOnce(&Path)) -> (Files, IncidentId) {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = dir.path().join("spool");
    let id = log(&spool);
    damage(&spool);
    let mut gather = Gather::new(&id);
    prove(&Disk::look(&spool), &mut |line| gather.take(line)).expect("read");
    let key = ensure(dir.path(), &machine_fingerprint()).expect("a key").key;
    let gathered = gather.end().expect("there is that incident");
    (make(&gathered, &id, "bundle", Time::from(&stamp(60)), &key), id)
}

#[test]
fn a_bundle_is_checked_by_somebody_who_has_nothing_else() {
    let (files, id) = bundle(|_| {});
    let checked = check(&files).expect("as it was made");
    assert_eq!((checked.records, checked.of_incident, checked.doubts.len()), (5, 3, 0), "the one before, three, one after");
    assert_eq!((checked.statement.incident, checked.statement.seq), (id, 8));
    assert_eq!(checked.statement.stretches.len(), 1);
    assert_eq!(lines(&files, BEFORE).iter().map(|record| record.seq).collect::<Vec<_>>(), [2, 3]);
    assert!(checked.page.contains("这份材料不能证明什么") && checked.page.contains("What it does not prove"), "{}", checked.page);
    assert!(checked.page.contains(&checked.fingerprint) && checked.page.contains("0011223344556677"), "{}", checked.page);
    assert!(checked.page.lines().all(|line| unicode_width::UnicodeWidthStr::width(line) <= 80), "{}", checked.page);
}

#[test]
fn no_bit_of_any_file_can_be_changed() {
    let (files, _) = bundle(|_| {});
    for (name, bytes) in &files {
        for at in 0..bytes.len() {
            let mut changed = files.clone();
            changed.get_mut(name).expect("there")[at] ^= 1 << (at % 8);
            assert!(check(&changed).is_err(), "byte {at} of {name}");
        }
    }
}

#[test]
fn nothing_is_left_out_added_or_put_elsewhere() {
    let (files, _) = bundle(|_| {});
    for name in FILES {
        let mut changed = files.clone();
        changed.remove(name);
        assert_eq!(check(&changed), Err(vec![Fault::Missing(name)]));
    }
    let mut changed = files.clone();
    changed.insert("more.txt".to_owned(), Vec::new());
    assert_eq!(check(&changed), Err(vec![Fault::Foreign("more.txt".to_owned())]));
    let mut changed = files.clone();
    changed.insert(BEFORE.to_owned(), Vec::new());
    assert!(check(&changed).is_err_and(|faults| faults.contains(&Fault::Changed(BEFORE.to_owned()))));
}

/// Signs it anew with another key, as somebody would who changed it.
fn signed_again(mut files: Files, change: impl FnOnce(&mut Statement)) -> Files {
    let key = Key::new().expect("random numbers");
    let mut value: serde_json::Value = serde_json::from_slice(&files[HEAD]).expect("JSON");
    value.as_object_mut().expect("an object").remove("signature");
    let mut statement: Statement = serde_json::from_value(value).expect("a statement");
    statement.key.public = key.public().base64();
    statement.fingerprint = key.public().fingerprint();
    files.insert(KEY.to_owned(), key.public().pem().into_bytes());
    change(&mut statement);
    let page = report::evidence_page(&statement, &lines(&files, RECORDS), &lines(&files, BEFORE));
    files.insert(PAGE.to_owned(), page.into_bytes());
    statement.files = digests(&files);
    let mut line = key.sign(&serde_json::to_vec(&statement).expect("JSON"));
    line.push(b'\n');
    files.insert(HEAD.to_owned(), line);
    files
}

#[test]
fn who_signs_with_another_key_is_known_by_its_fingerprint_and_must_keep_the_chain_all_the_same() {
    let (files, _) = bundle(|_| {});
    let own = check(&files).expect("as it was made").fingerprint;
    let forged = check(&signed_again(files.clone(), |_| {})).expect("whole in itself");
    assert_ne!(forged.fingerprint, own, "only the register tells");
    let mut fewer = files;
    let records = fewer.get_mut(RECORDS).expect("there");
    let first = records.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    records.drain(..first);
    assert_eq!(check(&signed_again(fewer, |_| {})), Err(vec![Fault::Chain]));
}

#[test]
fn a_damaged_log_gives_a_bundle_that_says_where_it_is_interrupted() {
    let (files, _) = bundle(|spool| {
        let name = Disk::look(spool).list().expect("listed").into_iter().find(|(name, _)| name.contains(".jsonl")).expect("a segment").0;
        let path = spool.join(name);
        let text = std::fs::read_to_string(&path).expect("text");
        let sixth = text.lines().nth(5).expect("a line");
        std::fs::write(&path, text.replace(sixth, &sixth.replace("\"rev\":", "\"rev\": "))).expect("written");
    });
    let checked = check(&files).expect("as it was made");
    assert_eq!((checked.records, checked.statement.stretches.len()), (4, 2));
    assert!(checked.page.contains("interrupted between the numbers 5 and 7"), "{}", checked.page);
}

#[test]
fn an_archive_comes_out_as_it_went_in_and_no_other_is_taken() {
    let (files, _) = bundle(|_| {});
    let made = stamp(60).wall;
    let archive = pack(&files, "bundle", made).expect("packed");
    assert_eq!(check_archive(&archive).map(|checked| checked.records), Ok(5));
    for at in 0..archive.len() {
        let mut changed = archive.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(check_archive(&changed).is_err(), "byte {at} of {}", archive.len());
    }
    let named = |root: &str, made| check_archive(&pack(&files, root, made).expect("packed"));
    assert_eq!(named("another", made), Err(vec![Fault::Repacked]));
    assert_eq!(named("bundle", stamp(61).wall), Err(vec![Fault::Repacked]));
    for end in (0..archive.len()).step_by(97) {
        assert!(check_archive(&archive[..end]).is_err(), "{end}");
    }
    let longer = [archive.as_slice(), b"x"].concat();
    assert_eq!(check_archive(&longer), Err(vec![Fault::Repacked]));
}

#[test]
fn an_incident_that_is_not_there_has_no_evidence() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = dir.path().join("spool");
    let id = log(&spool);
    let mut gather = Gather::new(&IncidentId { seq: 99, ..id });
    prove(&Disk::look(&spool), &mut |line| gather.take(line)).expect("read");
    assert!(gather.end().is_none());
}

#[test]
fn a_number_after_the_last_that_there_is_begins_another_stretch() {
    let mut bytes = Vec::new();
    let prev = append(&mut bytes, format!("{{\"epoch\":\"e\",\"seq\":{}}}", u64::MAX).as_bytes(), &Digest::ZERO);
    append(&mut bytes, br#"{"epoch":"e","seq":0}"#, &prev);
    assert_eq!(gather::stretches(&bytes).map(|stretches| stretches.len()), Ok(2));
}

mod any_bytes {
    use super::*;
    use crate::testing::{cases, hostile};
    use flate2::Compression;
    use flate2::read::GzDecoder;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::{Read, Write};

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn no_archive_breaks_it(bytes in hostile(vec![packed()], 400)) {
            prop_assert!(bytes == packed() || check_archive(&bytes).is_err());
        }

        #[test]
        fn no_tar_breaks_it(bytes in hostile(vec![plain()], 2000)) {
            let mut packed = GzEncoder::new(Vec::new(), Compression::default());
            packed.write_all(&bytes).expect("memory");
            prop_assert!(bytes == plain() || check_archive(&packed.finish().expect("memory")).is_err());
        }

        #[test]
        fn no_file_breaks_it(name in prop::sample::select(FILES.to_vec()), bytes in hostile(FILE.with(|files| files.values().cloned().collect()), 400)) {
            let mut changed = FILE.with(Clone::clone);
            let before = changed.insert(name.to_owned(), bytes);
            prop_assert!(before.as_ref() == changed.get(name) || check(&changed).is_err());
        }
    }

    thread_local!(static FILE: Files = bundle(|_| {}).0);

    fn packed() -> Vec<u8> {
        FILE.with(|files| pack(files, "bundle", stamp(60).wall).expect("packed"))
    }

    fn plain() -> Vec<u8> {
        let mut bytes = Vec::new();
        GzDecoder::new(packed().as_slice()).read_to_end(&mut bytes).expect("unpacked");
        bytes
    }
}
