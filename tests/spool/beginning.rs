//! A start on a long log reads its end, and believes nothing that the log does not bear out.

use super::memory::{Memory, Sync};
use super::world::{no_claims, open, usual, write};
use isonet::model::{AgentEvent, Phase};
use isonet::spool::{Store, Tail};
use std::cell::Cell;
use std::io;
use std::rc::Rc;

/// Counts the bytes that are read.
#[derive(Clone)]
struct Counted(Memory, Rc<Cell<usize>>);

impl Store for Counted {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        self.0.list()
    }
    fn read_part(&self, name: &str, from: u64, most: u64) -> io::Result<Vec<u8>> {
        let bytes = self.0.read_part(name, from, most)?;
        self.1.set(self.1.get() + bytes.len());
        Ok(bytes)
    }
    fn settle(&self, name: &str) -> io::Result<()> {
        self.0.settle(name)
    }
    fn create(&self, name: &str) -> io::Result<Box<dyn Tail>> {
        self.0.create(name)
    }
    fn extend(&self, name: &str) -> io::Result<Box<dyn Tail>> {
        self.0.extend(name)
    }
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.0.put(name, bytes)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn truncate(&self, name: &str, bytes: u64) -> io::Result<()> {
        self.0.truncate(name, bytes)
    }
}

/// 200 days with 30 records a day, and one incident that is open since the beginning.
fn long() -> Memory {
    let store = Memory::new(Sync::Real);
    let (mut log, _) = open(store.clone(), &no_claims());
    write(&mut log, vec![usual(1, Phase::Opened)]);
    for day in 0..200 {
        let keys = 2 + day * 15..17 + day * 15;
        write(&mut log, keys.flat_map(|key| [usual(key, Phase::Opened), usual(key, Phase::Resolved)]).collect());
    }
    store
}

fn bytes_read(store: &Memory) -> (usize, usize, Vec<AgentEvent>) {
    let counted = Counted(store.clone(), Rc::default());
    let (_, start) = open(counted.clone(), &no_claims());
    assert_eq!(start.head.seq, 6001);
    (counted.1.get(), start.open.len(), start.events)
}

#[test]
fn a_start_reads_the_end_of_a_long_log_and_all_of_it_only_where_the_checkpoint_fails() {
    let store = long();
    let size: usize = store.files().values().map(Vec::len).sum();
    assert!(size > 7 << 20, "{size}");
    let (quick, open, _) = bytes_read(&store);
    assert!(quick < 5 << 20, "{quick} of {size} bytes");
    assert_eq!(open, 1);
    // Damaged, missing, or of another log: a hint, no more.
    let hint = store.files()["checkpoint"].clone();
    for (what, bytes) in [("damaged", hint[1..].to_vec()), ("gone", Vec::new())] {
        store.set("checkpoint", &bytes);
        let (slow, open, events) = bytes_read(&store);
        assert!(slow >= size - hint.len(), "{what}: {slow} of {size} bytes");
        assert_eq!((open, events), (1, vec![]), "{what}");
    }
    store.set("checkpoint", &hint);
    let oldest = store.segments().swap_remove(0);
    let shorter = store.files()[&oldest][..9000].to_vec();
    store.set(&oldest, &shorter);
    assert_eq!(bytes_read(&store).2.len(), 1, "a segment of another size is read");
}
