//! The journal sink against systemd's own journal: a private `systemd-journald` in a mount namespace of its own, read back with `journalctl`.
//!
//! Needs root and systemd's programs; where they are not there the test says so. Nothing of it touches the machine's journal.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

#[path = "records/samples.rs"]
mod samples;

use isonet::catalogue::{Lang, told};
use isonet::model::Record;
use isonet::sink::journal::{JournalSink, message_id};
use isonet::sink::{Cargo, Obstacle, Shipped, Sink};
use isonet::spool::{Digest, Entry, Position};
use samples::{day, line};
use serde_json::Value;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "ISONET_TEST_JOURNAL";
const JOURNALD: &str = "/lib/systemd/systemd-journald";

/// As the log gives it to a sink.
fn entry(record: &Record) -> Entry {
    let at = Position { epoch: record.epoch.clone(), seq: record.seq };
    Entry { at, bytes: line(record).into_bytes(), hash: Digest::ZERO }
}

fn only(records: &[Entry]) -> Cargo<'_> {
    Cargo { beat: None, records }
}

#[tokio::test]
async fn a_batch_goes_as_far_as_the_journal_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let mut sink = JournalSink::new(&path, Lang::En);
    let batch: Vec<Entry> = day().iter().map(entry).collect();
    let obstacle = |shipped: &Shipped| shipped.hindrance.as_ref().map(|hindrance| hindrance.obstacle);
    let shipped = sink.ship(only(&batch)).await;
    assert!(shipped.accepted == 0 && obstacle(&shipped) == Some(Obstacle::Absent), "{shipped:?}");

    let listener = UnixDatagram::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    let shipped = sink.ship(only(&batch)).await;
    let mut received = 0;
    let mut bytes = vec![0; 1 << 16];
    while listener.recv(&mut bytes).is_ok() {
        received += 1;
    }
    assert_eq!(shipped.accepted, received, "what was accepted is there");
    assert!(shipped.accepted == batch.len() || obstacle(&shipped) == Some(Obstacle::Busy), "{shipped:?}");
    // The rest from where it stopped, as its cursor has it.
    let shipped = sink.ship(only(&batch[shipped.accepted..])).await;
    assert!(shipped.accepted > 0 || received == batch.len());
}

#[test]
fn systemds_own_journal_keeps_every_field_and_explains_every_code() {
    if !Path::new(JOURNALD).exists() || !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: needs root and {JOURNALD}");
        return;
    }
    let test = std::env::current_exe().unwrap();
    let inside = ["inside_the_namespace", "--exact", "--ignored", "--nocapture"];
    let ran =
        Command::new("unshare").args(["--mount", "--propagation", "private"]).arg(test).args(inside).env(INSIDE, "1").output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && told.contains("1 passed"), "{told}");
}

#[test]
#[ignore = "runs only inside a mount namespace that another test makes"]
fn inside_the_namespace() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let _journal = PrivateJournal::start();
    let records = day();
    let lines: Vec<String> = records.iter().map(line).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut sink = JournalSink::new(Path::new(isonet::sys::journald::SOCKET), Lang::ZhCn);
    let batch: Vec<Entry> = records.iter().map(entry).collect();
    let mut rest = &batch[..];
    while !rest.is_empty() {
        let shipped = runtime.block_on(sink.ship(only(rest)));
        let obstacle = shipped.hindrance.as_ref().map(|hindrance| hindrance.obstacle);
        assert!(matches!(obstacle, None | Some(Obstacle::Busy)), "{shipped:?}");
        rest = &rest[shipped.accepted..];
    }
    let entries = entries(records.len());
    for ((record, line), entry) in records.iter().zip(&lines).zip(&entries) {
        compare(record, line, entry);
    }
    explains();
}

fn compare(record: &Record, line: &str, entry: &Value) {
    let field = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(field("ISONET_RECORD"), line);
    assert_eq!(field("MESSAGE"), told(&record.body, Lang::ZhCn));
    assert_eq!(field("MESSAGE_ID"), message_id(record.body.code()));
    assert_eq!(field("PRIORITY"), record.body.severity().syslog().to_string());
    assert_eq!((field("SYSLOG_IDENTIFIER"), field("ISONET_SEQ")), ("isonet".to_owned(), record.seq.to_string()));
    assert_eq!(field("ISONET_EVIDENCE").contains('\n'), line.contains("icmp.series"), "a value of several lines stays one");
}

/// A journal that only this namespace has.
struct PrivateJournal(std::process::Child);

impl PrivateJournal {
    fn start() -> Self {
        let sh = |script: &str| assert!(Command::new("sh").args(["-ec", script]).status().unwrap().success(), "{script}");
        sh(
            "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib/systemd && mkdir -p /run/locale /run/systemd/journald.conf.d /var/lib/systemd/catalog",
        );
        // The machine's catalogues, ours laid over them.
        let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd");
        sh("mkdir /run/catalog && cp /usr/lib/systemd/catalog/* /run/catalog/ && mount --bind /run/catalog /usr/lib/systemd/catalog");
        sh(&format!("cp {ours}/*.catalog /usr/lib/systemd/catalog/ && journalctl --update-catalog"));
        let own = "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nForwardToSyslog=no\nForwardToWall=no\nForwardToConsole=no\n";
        std::fs::write("/run/systemd/journald.conf.d/own.conf", own).unwrap();
        let journald = Command::new(JOURNALD).spawn().unwrap();
        wait("the journal listens", || Path::new(isonet::sys::journald::SOCKET).exists().then_some(()));
        Self(journald)
    }
}

impl Drop for PrivateJournal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn journalctl(arguments: &[&str], locale: &str) -> String {
    let ran =
        Command::new("journalctl").arg("--no-pager").args(arguments).env("LC_ALL", locale).env("LOCPATH", "/run/locale").output().unwrap();
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

/// Asks again and again, for ten seconds at most.
fn wait<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = isonet::sys::clock::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed().as_secs() < 10, "{what}: waited in vain");
        std::thread::yield_now();
    }
}

/// Our entries, once so many are there.
fn entries(count: usize) -> Vec<Value> {
    wait("every record is in the journal", || {
        let read = journalctl(&["-o", "json", "--all", "SYSLOG_IDENTIFIER=isonet"], "C.UTF-8");
        let entries: Vec<Value> = read.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (entries.len() == count).then_some(entries)
    })
}

/// `journalctl -x` shows the chapter of each entry, with the fields filled in.
fn explains() {
    let english = journalctl(&["-x", "SYSLOG_IDENTIFIER=isonet"], "C.UTF-8");
    for expected in ["Subject: ", "isonet explain line.down", "Incident: 019a9c3e-7b1c-7a00-8000-5f2d9c1e4b7a/2 (opened, likely), at line."]
    {
        assert!(english.contains(expected), "{expected} in\n{english}");
    }
    assert_eq!(english.matches("Defined-By: isonet").count(), day().len(), "{english}");
    assert!(!english.contains("@ISONET_"), "{english}");
    let listed = journalctl(&["--list-catalog"], "C.UTF-8");
    assert!(listed.contains(&message_id("centre.cut-off")), "{listed}");
    // The locale is made for this test: most machines have no Chinese one.
    let made = Command::new("localedef").args(["-i", "zh_CN", "-f", "UTF-8", "/run/locale/zh_CN.UTF-8"]).output();
    if made.is_ok_and(|made| made.status.success()) {
        let chinese = journalctl(&["-x", "SYSLOG_IDENTIFIER=isonet"], "zh_CN.UTF-8");
        assert!(chinese.contains("由谁处理：") && chinese.contains("电话和更多说明：isonet explain line.down"), "{chinese}");
    } else {
        println!("SKIPPED the Chinese chapters: no locale zh_CN.UTF-8 can be made here");
    }
}
