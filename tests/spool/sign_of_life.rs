//! The sign of life: nobody waits for it, and it never claims what is not on the disk.

use super::memory::{Memory, Sync};
use super::world::{all, card, no_claims, stamp, started};
use isonet::spool::{Anchor, Digest, Known, Position, Spool, Store, Tail};
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longest wait for the thread to do what it must do.
const PATIENCE: Duration = Duration::from_secs(30);

/// A disk that takes a file only when it is let.
struct Stuck {
    kept: Memory,
    asked: Sender<()>,
    let_go: Mutex<Receiver<()>>,
}

impl Stuck {
    /// The disk, what tells that something is being written, and what lets it be.
    fn new() -> (Arc<Self>, Receiver<()>, Sender<()>) {
        let ((asked, is_asked), (allow, let_go)) = (mpsc::channel(), mpsc::channel());
        (Arc::new(Self { kept: Memory::new(Sync::Real), asked, let_go: Mutex::new(let_go) }), is_asked, allow)
    }
}

impl Store for Stuck {
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.asked.send(()).unwrap();
        self.let_go.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        self.kept.put(name, bytes)
    }
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        self.kept.list()
    }
    fn read_part(&self, name: &str, from: u64, most: u64) -> io::Result<Vec<u8>> {
        self.kept.read_part(name, from, most)
    }
    fn settle(&self, name: &str) -> io::Result<()> {
        self.kept.settle(name)
    }
    fn create(&self, name: &str) -> io::Result<Box<dyn Tail>> {
        self.kept.create(name)
    }
    fn extend(&self, name: &str) -> io::Result<Box<dyn Tail>> {
        self.kept.extend(name)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.kept.remove(name)
    }
    fn truncate(&self, name: &str, bytes: u64) -> io::Result<()> {
        self.kept.truncate(name, bytes)
    }
}

fn start(store: &Memory) -> Spool {
    Spool::start(store.clone(), None, &no_claims(), card(), drop).unwrap().0
}

/// What the sign says: the end of the log, and the second.
fn sign(state: &dyn Store) -> ((Position, Digest), u64) {
    let Known::Is(anchor) = Anchor::load(state) else { panic!("there is no sign of life") };
    ((anchor.head, anchor.hash), anchor.at.boottime_ms / 1000)
}

fn rests(spool: &Spool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !spool.is_idle() {
        assert!(std::time::Instant::now() < deadline, "the log does not come to rest");
        std::thread::yield_now();
    }
}

#[test]
fn nobody_waits_for_a_disk_that_is_stuck_and_the_newest_sign_is_written() {
    let store = Memory::new(Sync::Real);
    let (state, asked, allow) = Stuck::new();
    let spool = start(&store);
    spool.record(started());
    rests(&spool);
    spool.anchor(state.clone(), stamp(60));
    asked.recv_timeout(PATIENCE).unwrap();
    // The disk has it and does not give it back: a day goes by, and this thread with it.
    for minute in 2..1440 {
        spool.anchor(state.clone(), stamp(60 * minute));
    }
    spool.record(started());
    assert!(!spool.is_idle() && all(store.clone()).len() == 1);
    allow.send(()).unwrap();
    asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(sign(&*state), (all(store.clone())[0].clone(), 60));
    allow.send(()).unwrap();
    rests(&spool);
    assert_eq!(sign(&*state), (all(store.clone())[1].clone(), 60 * 1439));
    assert!(asked.try_recv().is_err(), "all between them were dropped");
}

#[test]
fn a_sign_claims_only_what_is_on_the_disk_and_the_last_one_all_of_it() {
    let (store, state) = (Memory::new(Sync::Real), Memory::new(Sync::Real));
    let spool = start(&store);
    spool.record(started());
    rests(&spool);
    store.fail_after(0, libc::EIO);
    spool.record(started());
    spool.anchor(Arc::new(state.clone()), stamp(60));
    while state.files().is_empty() {
        std::thread::yield_now();
    }
    let durable = all(store.clone());
    assert_eq!((durable.len(), sign(&state)), (1, (durable[0].clone(), 60)), "the second record is refused");
    store.heal();
    for _ in 0..700 {
        spool.record(started());
    }
    spool.anchor(Arc::new(state.clone()), stamp(120));
    // It may be written long before the end, and the records only then.
    while sign(&state).1 < 120 {
        std::thread::yield_now();
    }
    spool.close();
    let durable = all(store);
    assert_eq!((durable.len(), sign(&state)), (702, (durable[701].clone(), 120)));
}
