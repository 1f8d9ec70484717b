//! Real file systems that are full or read-only. Needs root to mount them.

use super::world::{all, assert_gapless, card, incident, started, usual};
use isonet::model::{AgentEvent, Body, Phase};
use isonet::spool::{Claims, Disk, Health, Known, News, Position, Reader, Spool, State, verify};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// Longest wait for the thread to say what it must say.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// 256 KiB of memory.
    Tmpfs,
    /// 16 MiB in a file.
    Ext4,
}

/// A mounted file system that goes away with the value.
struct Mounted {
    at: PathBuf,
    _dir: tempfile::TempDir,
}

impl Mounted {
    /// `None` where one cannot mount here: says so.
    fn new(kind: Kind) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: mounting needs root");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("disk");
        std::fs::create_dir(&at).unwrap();
        match kind {
            Kind::Tmpfs => run("mount", &["-t", "tmpfs", "-o", "size=256k", "none", at.to_str().unwrap()]),
            Kind::Ext4 => {
                let image = dir.path().join("image");
                std::fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
                run("mkfs.ext4", &["-q", "-m", "0", image.to_str().unwrap()]);
                run("mount", &["-o", "loop", image.to_str().unwrap(), at.to_str().unwrap()]);
            }
        }
        Some(Self { at, _dir: dir })
    }

    fn remount(&self, how: &str) {
        run("mount", &["-o", &format!("remount,{how}"), self.at.to_str().unwrap()]);
    }

    fn spool(&self) -> PathBuf {
        self.at.join("spool")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run("umount", &[self.at.to_str().unwrap()]);
    }
}

fn run(program: &str, args: &[&str]) {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(args).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn start(dir: &Path) -> (Spool, Receiver<News>) {
    let (tell, news) = mpsc::channel();
    let claims = Claims { fingerprint: "this-machine".to_owned(), anchor: Known::Absent, cursors: Known::Absent };
    let store = Disk::own(dir).unwrap();
    let (spool, _) = Spool::start(store, Some(Disk::look(dir)), &claims, card(), move |news| drop(tell.send(news))).unwrap();
    (spool, news)
}

/// Waits until the log says this of itself; gives the records reported meanwhile.
fn until(news: &Receiver<News>, wanted: impl Fn(&State) -> bool) -> Vec<u64> {
    let mut recorded = Vec::new();
    loop {
        match news.recv_timeout(PATIENCE).expect("the log says how it is") {
            News::Health(Health { state, .. }) if wanted(&state) => return recorded,
            News::Health(_) => {}
            News::Recorded(records) => recorded.extend(records.iter().map(|r| r.at.seq)),
        }
    }
}

fn failing(word: &'static str) -> impl Fn(&State) -> bool {
    move |state| matches!(state, State::Failing { why, .. } if why.contains(word))
}

/// Fills the file system to the last byte.
fn fill(dir: &Path) {
    let file = dir.join("fill");
    let mut size = 1 << 20;
    let mut written = std::fs::OpenOptions::new().create(true).append(true).open(&file).unwrap();
    while size > 0 {
        if std::io::Write::write(&mut written, &vec![1; size]).is_err() {
            size /= 2;
        }
    }
    let _ = written.sync_all();
}

fn full_then_space(kind: Kind) {
    let Some(disk) = Mounted::new(kind) else { return };
    let (spool, news) = start(&disk.spool());
    spool.record(started());
    let News::Recorded(first) = news.recv_timeout(PATIENCE).unwrap() else { panic!("the first record") };
    assert_eq!(first[0].at.seq, 1);
    fill(&disk.at);
    // More than any slack of the last block, until it refuses.
    let mut key = 0;
    let refused = loop {
        key += 1;
        spool.record(incident(key, Phase::Opened, 2));
        match news.recv_timeout(PATIENCE).unwrap() {
            News::Health(Health { state: State::Failing { why, .. }, .. }) => break why,
            News::Recorded(_) | News::Health(_) => {}
        }
        assert!(key < 2000, "it never refused");
    };
    assert!(refused.contains("No space left"), "{refused}");
    let claimed = all(Disk::look(&disk.spool())).len() as u64;
    // Far more than there is room for: repeats go, openings stay.
    for n in 0..3000 {
        spool.record(incident(n % 5 + 1, Phase::Updated, 3));
    }
    let health = spool.health();
    assert!(health.waiting <= 1024 + 256 && health.given_up > 0, "{health:?}");
    std::fs::remove_file(disk.at.join("fill")).unwrap();
    // The small disk cannot hold a thousand records: a tmpfs of 256 KiB is full again soon, and that is said as well.
    spool.retry_now();
    if kind == Kind::Ext4 {
        until(&news, |state| *state == State::Well);
    }
    let health = spool.close();
    let there = all(Disk::look(&disk.spool()));
    assert_gapless(&there);
    assert!(there.len() as u64 > claimed, "nothing was written after there was space");
    let report = verify(&Disk::look(&disk.spool())).unwrap();
    assert!(report.is_whole(), "{report:?}");
    if kind == Kind::Ext4 {
        assert_eq!((health.state, health.waiting, health.given_up), (State::Well, 0, 0));
        let coalesced = events(&disk.spool()).into_iter().any(|event| matches!(event, AgentEvent::Coalesced { count } if count > 0));
        assert!(coalesced, "what was given up is recorded");
    }
}

fn events(spool: &Path) -> Vec<AgentEvent> {
    let mut reader = Reader::after(Disk::look(spool), Position { epoch: String::new(), seq: 0 });
    let bodies = reader.next(usize::MAX, None).unwrap().into_iter().map(|entry| entry.record().unwrap().body);
    bodies.filter_map(|body| if let Body::Agent { agent, .. } = body { Some(agent) } else { None }).collect()
}

#[test]
fn a_full_tmpfs_is_survived_said_and_written_on_when_there_is_space() {
    full_then_space(Kind::Tmpfs);
}

#[test]
fn a_full_ext4_is_survived_said_and_written_on_when_there_is_space() {
    full_then_space(Kind::Ext4);
}

#[test]
fn a_read_only_disk_is_started_on_and_written_when_it_can_be() {
    let Some(disk) = Mounted::new(Kind::Ext4) else { return };
    let (spool, news) = start(&disk.spool());
    spool.record(incident(1, Phase::Opened, 2));
    let News::Recorded(_) = news.recv_timeout(PATIENCE).unwrap() else { panic!("the first record") };
    drop(spool);
    disk.remount("ro");
    let (spool, news) = start(&disk.spool());
    spool.record(incident(1, Phase::Resolved, 3));
    let recorded = until(&news, failing("Read-only"));
    assert_eq!((recorded, spool.health().waiting), (vec![], 1), "nothing is claimed");
    disk.remount("rw");
    spool.retry_now();
    assert_eq!(until(&news, |state| *state == State::Well), [2]);
    drop(spool);
    assert!(verify(&Disk::look(&disk.spool())).unwrap().is_whole());
}

/// A file in whose place the kernel gives a real `EIO`: our own memory at an address where there is none.
struct Unreadable(PathBuf);

impl Unreadable {
    fn new(file: &Path) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: mounting needs root");
            return None;
        }
        let memory = format!("/proc/{}/mem", std::process::id());
        run("mount", &["--bind", &memory, file.to_str().unwrap()]);
        let mounted = Self(file.to_owned());
        assert_eq!(std::fs::read(file).unwrap_err().raw_os_error(), Some(libc::EIO));
        Some(mounted)
    }
}

impl Drop for Unreadable {
    fn drop(&mut self) {
        run("umount", &[self.0.to_str().unwrap()]);
    }
}

#[test]
fn a_segment_on_a_broken_sector_is_said_and_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _news) = start(dir.path());
    for _ in 0..1000 {
        spool.record(usual(1, Phase::Updated));
    }
    spool.close();
    let oldest = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some()).min();
    let Some(broken) = Unreadable::new(&oldest.unwrap()) else { return };
    let (spool, news) = start(dir.path());
    spool.record(started());
    let mut recorded = Vec::new();
    while recorded.len() < 2 {
        if let News::Recorded(records) = news.recv_timeout(PATIENCE).expect("the log goes on") {
            recorded.extend(records);
        }
    }
    spool.close();
    let said = events(dir.path());
    assert!(said.iter().any(|event| matches!(event, AgentEvent::Unreadable { why, .. } if why.contains("os error 5"))), "{said:?}");
    assert!(!said.iter().any(|event| matches!(event, AgentEvent::Tampered { .. })), "{said:?}");
    drop(broken);
    let report = verify(&Disk::look(dir.path())).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.records, 1002);
}

#[test]
fn a_second_daemon_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (_spool, _news) = start(dir.path());
    let error = Disk::own(dir.path()).expect_err("one writer");
    assert!(error.to_string().contains("in use by another isonet"), "{error}");
}

#[test]
fn what_waits_at_the_end_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _news) = start(dir.path());
    for _ in 0..700 {
        spool.record(started());
    }
    let health = spool.close();
    assert_eq!((health.state, health.waiting), (State::Well, 0));
    assert_eq!(all(Disk::look(dir.path())).len(), 700);
}

#[test]
fn what_a_quick_start_passed_over_is_read_in_the_background() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _news) = start(dir.path());
    for _ in 0..1000 {
        spool.record(usual(1, Phase::Updated));
    }
    spool.close();
    let (spool, _news) = start(dir.path());
    for _ in 0..1000 {
        spool.record(usual(1, Phase::Updated));
    }
    spool.close();
    assert!(dir.path().join("checkpoint").exists());
    let oldest =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some()).min().unwrap();
    let mut bytes = std::fs::read(&oldest).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&oldest, bytes).unwrap();
    let (spool, news) = start(dir.path());
    let News::Recorded(records) = news.recv_timeout(PATIENCE).unwrap() else { panic!("the damage is recorded") };
    assert_eq!(records.len(), 1);
    drop(spool);
    let accused = events(dir.path()).into_iter().any(|event| matches!(event, AgentEvent::Tampered { line: 1, .. }));
    assert!(accused);
}
