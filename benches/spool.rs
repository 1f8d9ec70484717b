//! What the record log costs: records a second in groups and one by one, from handing over to durable beside the bare sync, and a start on a
//! log of 200 days and on one at its cap.
//!
//! ```text
//! cargo bench --bench spool            # in a directory below target: on the disk, not in memory
//! ```
//! Prints figures and asserts nothing: time on a shared machine is noise.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark measures, and stops where it cannot")]

#[allow(dead_code, reason = "the tests of the log need more of it")]
#[path = "../tests/spool/world.rs"]
mod world;

use isonet::model::{Draft, Phase};
use isonet::spool::{Disk, Item, Limits, Log, News, Spool, verify};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use world::{card, no_claims};

fn main() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let bare = bare_sync(&dir.path().join("bare"));
    println!("bare write of 1.3 KB + fdatasync     p50 {:>9.1?}  p99 {:>9.1?}  {:>7.0}/s", bare.at(50), bare.at(99), bare.rate());
    groups(&dir.path().join("groups"));
    one_by_one(&dir.path().join("single"));
    at_random_moments(&dir.path().join("moments"));
    start(&dir.path().join("long"));
    start_at_the_cap(&dir.path().join("cap"));
}

struct Times(Vec<Duration>);

impl Times {
    fn at(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
    }

    fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.0.len()).unwrap()) / self.0.iter().sum::<Duration>().as_secs_f64()
    }
}

fn timed(count: usize, mut act: impl FnMut()) -> Times {
    Times(
        (0..count)
            .map(|_| {
                let began = Instant::now();
                act();
                began.elapsed()
            })
            .collect(),
    )
}

fn bare_sync(path: &Path) -> Times {
    let mut file = File::create(path).unwrap();
    timed(2000, || {
        file.write_all(&[b'x'; 1300]).unwrap();
        rustix::fs::fdatasync(&file).unwrap();
    })
}

/// Groups of the size that the writing thread takes.
fn groups(dir: &Path) {
    let (mut log, _) = Log::open(Disk::own(dir).unwrap(), &no_claims(), &world::stamp(5)).unwrap();
    let card = Arc::new(card());
    let groups = 100_u32;
    let times = timed(groups as usize, || {
        log.load((0..256).map(|n| Item { ticket: n, draft: draft(n), card: Arc::clone(&card) }), &card, &world::stamp(5));
        log.flush().unwrap();
    });
    let bytes: u64 = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    let records = u64::from(groups) * 256;
    println!("groups of 256 records of {} B       {:>9.0} records/s (goal 50,000)", bytes / records, times.rate() * 256.0);
}

/// Through the thread, from handing over to the report.
fn one_by_one(dir: &Path) {
    let (tell, told) = mpsc::channel();
    let report = move |news| {
        if matches!(news, News::Recorded(_)) {
            tell.send(()).unwrap();
        }
    };
    let (spool, _) = Spool::start(Disk::own(dir).unwrap(), None, &no_claims(), card(), report).unwrap();
    let times = timed(2000, || {
        spool.record(draft(1));
        told.recv().unwrap();
    });
    println!("handed over to durable, one by one    p50 {:>9.1?}  p99 {:>9.1?}  {:>7.0}/s", times.at(50), times.at(99), times.rate());
}

/// As events come: a record at a random moment while nothing else happens, and beside each a bare write and sync on the same file system.
fn at_random_moments(dir: &Path) {
    let (tell, told) = mpsc::channel();
    let report = move |news| {
        if matches!(news, News::Recorded(_)) {
            tell.send(()).unwrap();
        }
    };
    let (spool, _) = Spool::start(Disk::own(dir).unwrap(), None, &no_claims(), card(), report).unwrap();
    let mut file = File::create(dir.join("bare")).unwrap();
    let mut drawn = 0x5eed_u64;
    let mut pause = || {
        drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_micros(500 + (drawn >> 33) % 12_000));
    };
    let (mut events, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..1500 {
        pause();
        events.extend(
            timed(1, || {
                spool.record(draft(1));
                told.recv().unwrap();
            })
            .0,
        );
        pause();
        bare.extend(
            timed(1, || {
                file.write_all(&[b'x'; 1300]).unwrap();
                rustix::fs::fdatasync(&file).unwrap();
            })
            .0,
        );
    }
    let (events, bare) = (Times(events), Times(bare));
    println!(
        "event at a random moment to durable   p50 {:>9.1?}  p99 {:>9.1?}  max {:>9.1?}",
        events.at(50),
        events.at(99),
        events.at(100)
    );
    println!("bare write + fdatasync in between     p50 {:>9.1?}  p99 {:>9.1?}  max {:>9.1?}", bare.at(50), bare.at(99), bare.at(100));
    let goal = Duration::from_millis(5) + bare.at(99);
    println!("  p99 goal: 5 ms + one fdatasync      {:>13.1?}  {}", goal, if events.at(99) <= goal { "met" } else { "MISSED" });
}

fn start(dir: &Path) {
    let (mut log, _) = Log::open(Disk::own(dir).unwrap(), &no_claims(), &world::stamp(5)).unwrap();
    let card = Arc::new(card());
    for day in 0..200 {
        log.load((0..30).map(|n| Item { ticket: n, draft: draft(day * 30 + n), card: Arc::clone(&card) }), &card, &world::stamp(5));
        log.flush().unwrap();
    }
    drop(log);
    let open = || drop(Log::open(Disk::own(dir).unwrap(), &no_claims(), &world::stamp(5)).unwrap());
    let quick = timed(21, open);
    println!("start on 200 days x 30 records        p50 {:>9.1?}  max {:>9.1?} (goal 40 ms)", quick.at(50), quick.at(100));
    std::fs::remove_file(dir.join("checkpoint")).unwrap();
    let slow = timed(11, open);
    println!("the same without its checkpoint       p50 {:>9.1?}  max {:>9.1?}", slow.at(50), slow.at(100));
    let proof = timed(11, || assert!(verify(&Disk::look(dir)).unwrap().is_whole()));
    println!("verify-log of the same                p50 {:>9.1?}", proof.at(50));
}

/// As much as is ever kept.
fn start_at_the_cap(dir: &Path) {
    let (mut log, _) = Log::open(Disk::own(dir).unwrap(), &no_claims(), &world::stamp(5)).unwrap();
    let card = Arc::new(card());
    let mut written = 0;
    while written < Limits::TOTAL {
        log.load((0..4096).map(|n| Item { ticket: n, draft: draft(n), card: Arc::clone(&card) }), &card, &world::stamp(5));
        log.flush().unwrap();
        written = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    }
    drop(log);
    let quick = timed(11, || drop(Log::open(Disk::own(dir).unwrap(), &no_claims(), &world::stamp(5)).unwrap()));
    println!("start on a log at its cap of 256 MiB  p50 {:>9.1?}  max {:>9.1?}", quick.at(50), quick.at(100));
}

/// Of the usual size; each second one ends what the one before began.
fn draft(n: u64) -> Draft {
    world::usual(n / 2, if n.is_multiple_of(2) { Phase::Opened } else { Phase::Resolved })
}
