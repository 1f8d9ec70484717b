//! How far each sink has come: one file per sink, moved forward only.

use super::known::{Known, Refusal};
use super::place::Position;
use super::seal::{seal, unseal};
use super::store::Store;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What their files end in.
const SUFFIX: &str = ".cursor";
/// Longest name of a sink, bytes.
const LONGEST: usize = 64;

/// Why a cursor could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    /// The name would not make a safe file name.
    #[error("`{0}` is no name for a sink: letters, digits, `-`, `_`, `.`, not first a dot, at most 64")]
    Name(String),
    /// It could not be written.
    #[error("write the cursor of {sink}")]
    Write {
        /// Whose.
        sink: String,
        /// The refusal.
        source: io::Error,
    },
}

/// What became of a request to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It is durable.
    Forward,
    /// It was there already, or further.
    Not,
}

/// All cursors. Asking where one is never waits for the disk, whoever moves one meanwhile.
#[derive(Debug)]
pub struct Cursors<S> {
    store: S,
    order: Vec<String>,
    /// One is moved at a time.
    moving: Mutex<()>,
    at: Mutex<BTreeMap<String, Position>>,
    /// Those that gave nothing when they were read, and the system's words where it refused.
    unreadable: BTreeMap<String, Option<Refusal>>,
}

impl<S: Store> Cursors<S> {
    /// None at all, where their directory cannot be used.
    pub fn none(store: S) -> Self {
        Self { order: Vec::new(), moving: Mutex::default(), at: Mutex::default(), unreadable: BTreeMap::new(), store }
    }

    /// Reads them from their directory. One that cannot be read is as if it were not there, but [`claim`](Self::claim) says so.
    pub fn open(store: S) -> io::Result<Self> {
        let mut cursors = Self::none(store);
        let mut at = BTreeMap::new();
        for (file, _) in cursors.store.list()? {
            let Some(sink) = file.strip_suffix(SUFFIX).filter(|name| is_name(name)) else { continue };
            let read = match cursors.store.read(&file, 0) {
                Ok(bytes) => unseal(&bytes).map_or(Known::Unreadable, Known::Is),
                Err(error) => Known::not_read(&error),
            };
            match read {
                Known::Is(position) => drop(at.insert(sink.to_owned(), position)),
                Known::Unreadable => drop(cursors.unreadable.insert(sink.to_owned(), None)),
                Known::Refused(why) => drop(cursors.unreadable.insert(sink.to_owned(), Some(why))),
                Known::Absent => {}
            }
        }
        cursors.at = Mutex::new(at);
        Ok(cursors)
    }

    /// What they claim about the log.
    pub fn claim(&self) -> Known<Vec<Position>> {
        if self.unreadable.values().any(Option::is_none) {
            return Known::Unreadable;
        }
        let at = self.at();
        match (self.unreadable.values().flatten().next(), at.is_empty()) {
            (Some(why), _) => Known::Refused(why.clone()),
            (None, true) => Known::Absent,
            (None, false) => Known::Is(at.values().cloned().collect()),
        }
    }

    /// Held for a moment only, and each change of it is one step.
    fn at(&self) -> MutexGuard<'_, BTreeMap<String, Position>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says which epochs there are, the oldest first, so that it is known what is forward.
    pub fn arrange(&mut self, order: Vec<String>) {
        self.order = order;
    }

    /// Where a sink is; `None` = it has not begun, and begins with the oldest record.
    pub fn get(&self, sink: &str) -> Option<Position> {
        self.at().get(sink).cloned()
    }

    /// The last record that all of these have, which is before all records if one has not begun; `None` = these are none.
    pub fn slowest<'a>(&self, sinks: impl IntoIterator<Item = &'a str>) -> Option<Position> {
        let (nowhere, at) = (Position { epoch: String::new(), seq: 0 }, self.at());
        sinks.into_iter().map(|sink| at.get(sink).unwrap_or(&nowhere)).min_by_key(|position| self.rank(position)).cloned()
    }

    /// Moves a cursor, durable when it returns. Call it only when the receiver has the record for good.
    pub fn advance(&self, sink: &str, to: Position) -> Result<Moved, CursorError> {
        if !is_name(sink) {
            return Err(CursorError::Name(sink.to_owned()));
        }
        let _alone = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        if self.get(sink).is_some_and(|at| self.rank(&at) >= self.rank(&to)) {
            return Ok(Moved::Not);
        }
        let failed = |source| CursorError::Write { sink: sink.to_owned(), source };
        let json = serde_json::to_vec(&to).map_err(|error| failed(error.into()))?;
        self.store.put(&format!("{sink}{SUFFIX}"), &seal(&json)).map_err(failed)?;
        self.at().insert(sink.to_owned(), to);
        Ok(Moved::Forward)
    }

    fn rank(&self, position: &Position) -> (usize, u64) {
        (self.order.iter().position(|epoch| *epoch == position.epoch).map_or(0, |at| at + 1), position.seq)
    }
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    !name.is_empty() && name.len() <= LONGEST && !name.starts_with('.') && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Disk;
    use crate::spool::store::Tail;
    use std::sync::mpsc;

    fn at(epoch: &str, seq: u64) -> Position {
        Position { epoch: epoch.to_owned(), seq }
    }

    #[test]
    fn a_cursor_moves_forward_only_and_is_there_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let open = || {
            let mut cursors = Cursors::open(Disk::look(dir.path())).expect("listed");
            cursors.arrange(vec!["a".to_owned(), "b".to_owned()]);
            cursors
        };
        let cursors = open();
        assert_eq!(cursors.claim(), Known::Absent);
        assert_eq!(cursors.advance("nats", at("a", 7)).expect("written"), Moved::Forward);
        assert_eq!(cursors.advance("nats", at("a", 6)).expect("nothing to do"), Moved::Not);
        assert_eq!(cursors.advance("nats", at("b", 1)).expect("written"), Moved::Forward);
        assert_eq!(cursors.advance("nats", at("a", 9)).expect("nothing to do"), Moved::Not);
        let cursors = open();
        assert_eq!(cursors.get("nats"), Some(at("b", 1)));
        assert_eq!(cursors.slowest([]), None);
        assert_eq!(cursors.slowest(["nats", "syslog"]), Some(at("", 0)), "one that has not begun");
        cursors.advance("syslog", at("a", 3)).expect("written");
        assert_eq!(cursors.slowest(["nats", "syslog"]), Some(at("a", 3)));
        std::fs::write(dir.path().join("nats.cursor"), b"{}").expect("written");
        assert_eq!(open().claim(), Known::Unreadable);
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let cursors = Cursors::open(Disk::look(dir.path())).expect("listed");
        for name in ["", ".", "..", "../x", "a/b", ".hidden", "a\n", "名", &"x".repeat(65)] {
            assert!(matches!(cursors.advance(name, at("a", 1)), Err(CursorError::Name(_))), "{name}");
        }
    }

    /// A disk that is stuck in the middle of a write until it is let go.
    struct Stuck(mpsc::SyncSender<()>, Mutex<mpsc::Receiver<()>>);

    impl Store for Stuck {
        fn list(&self) -> io::Result<Vec<(String, u64)>> {
            Ok(Vec::new())
        }
        fn read_part(&self, _: &str, _: u64, _: u64) -> io::Result<Vec<u8>> {
            Err(io::ErrorKind::NotFound.into())
        }
        fn settle(&self, _: &str) -> io::Result<()> {
            Ok(())
        }
        fn create(&self, _: &str) -> io::Result<Box<dyn Tail>> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn extend(&self, _: &str) -> io::Result<Box<dyn Tail>> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn put(&self, _: &str, _: &[u8]) -> io::Result<()> {
            self.0.send(()).expect("the test waits for it");
            self.1.lock().expect("not poisoned").recv().map_err(io::Error::other)
        }
        fn remove(&self, _: &str) -> io::Result<()> {
            Ok(())
        }
        fn truncate(&self, _: &str, _: u64) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn whoever_asks_does_not_wait_for_a_disk_that_is_stuck() {
        let (begun, begins) = mpsc::sync_channel(1);
        let (go_on, going_on) = mpsc::channel();
        let cursors = Cursors::none(Stuck(begun, Mutex::new(going_on)));
        std::thread::scope(|threads| {
            let moved = threads.spawn(|| cursors.advance("nats", at("e", 1)));
            begins.recv().expect("it is being written");
            assert_eq!((cursors.get("nats"), cursors.slowest(["nats"])), (None, Some(at("", 0))), "not durable yet");
            go_on.send(()).expect("it waits");
            assert_eq!(moved.join().expect("no panic").expect("written"), Moved::Forward);
        });
        assert_eq!(cursors.get("nats"), Some(at("e", 1)));
    }
}
