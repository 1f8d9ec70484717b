//! A real record log for tests, and a courier that takes it to a sink with short pauses.

use isonet::catalogue::Lang;
use isonet::config::Terminal;
use isonet::model::{AgentEvent, Draft, TerminalCard, What};
use isonet::sink::way::Gate;
use isonet::sink::{Courier, Lag, Pace, Sink};
use isonet::spool::{Claims, Cursors, Disk, Entry, Known, Position, Reader, Spool};
use isonet::sys::clock::stamp;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// Pauses of a test.
pub const PACE: Pace = Pace { first: Duration::from_millis(50), longest: Duration::from_millis(400) };

/// Lets everything through.
pub fn open_gate() -> Gate {
    Rc::new(|_| Box::pin(async { Ok(()) }))
}

/// `ISONET_SEED`, or a fresh one; it is printed.
pub fn seed(of: &str) -> u64 {
    let given = std::env::var("ISONET_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0) % 1_000_000_000);
    println!("{of}: ISONET_SEED={seed}");
    seed
}

/// A log with records.
pub struct Log {
    state: TempDir,
    /// The last record.
    pub head: Position,
    order: Vec<String>,
}

impl Log {
    /// A new one with so many records.
    pub fn with(records: usize) -> Self {
        let state = tempfile::tempdir().expect("a directory");
        let mut log = Self { state, head: Position { epoch: String::new(), seq: 0 }, order: Vec::new() };
        log.write(records);
        log
    }

    /// The same log on another PC: a disk that was cloned.
    pub fn cloned(&self) -> Self {
        let state = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(state.path().join("spool")).expect("a directory");
        for file in std::fs::read_dir(self.spool()).expect("a directory").flatten() {
            std::fs::copy(file.path(), state.path().join("spool").join(file.file_name())).expect("a copy");
        }
        Self { state, head: self.head.clone(), order: self.order.clone() }
    }

    /// So many records more.
    pub fn write(&mut self, records: usize) {
        let before = self.entries().len();
        // What waits for the disk has its bounds.
        for piece in [500].repeat(records / 500).into_iter().chain([records % 500]) {
            self.write_at_once(piece);
        }
        let entries = self.entries();
        assert_eq!(entries.len(), before + records);
        self.head = entries.last().map_or_else(|| self.head.clone(), |entry| entry.at.clone());
    }

    fn write_at_once(&mut self, records: usize) {
        let claims = Claims { fingerprint: String::new(), anchor: Known::Absent, cursors: Known::Absent };
        let card = TerminalCard::of(&Terminal::default(), Some("T1".to_owned()), None, "");
        let (spool, started) = Spool::start(Disk::own(&self.spool()).expect("it is ours"), None, &claims, card, drop).expect("a log");
        for _ in 0..records {
            spool.record(Draft::new(&stamp(), What::Agent(AgentEvent::Started)));
        }
        assert_eq!(spool.close().waiting, 0);
        self.order = started.order;
    }

    /// Its directory.
    pub fn spool(&self) -> PathBuf {
        self.state.path().join("spool")
    }

    /// All of it.
    pub fn entries(&self) -> Vec<Entry> {
        let from = Position { epoch: String::new(), seq: 0 };
        Reader::after(Disk::look(&self.spool()), from).next(usize::MAX, None).expect("the log")
    }

    fn cursors(&self) -> Arc<Cursors<Disk>> {
        let dir: &Path = &self.state.path().join("cursors");
        let mut cursors = Cursors::open(Disk::own(dir).expect("it is ours")).expect("cursors");
        cursors.arrange(self.order.clone());
        Arc::new(cursors)
    }

    /// Ships by a courier while `meanwhile` goes on, and then until the cursor stands at the head, at most so long. The error says how it stood.
    pub async fn ship(&self, sink: impl Sink, meanwhile: impl Future<Output = ()>, at_most: Duration) -> Result<(), String> {
        let (cursors, lag) = (self.cursors(), Lag::new("fleet", "nats", Position { epoch: String::new(), seq: 0 }));
        let (_head, head) = watch::channel(self.head.clone());
        let (_farewell, farewell) = watch::channel(None);
        let courier = Courier {
            name: "fleet".to_owned(),
            spool: self.spool(),
            cursors: Arc::clone(&cursors),
            head,
            farewell,
            lag: lag.clone(),
            pace: PACE,
            beats: None,
        };
        let done = async {
            meanwhile.await;
            let begun = Instant::now();
            while cursors.get("fleet").is_none_or(|at| at != self.head) && begun.elapsed() < at_most {
                sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = courier.run(sink) => {}
            () = done => {}
        }
        match cursors.get("fleet") {
            Some(at) if at == self.head => Ok(()),
            at => Err(format!("{at:?} of {:?}: {:?}", self.head, lag.state(&self.head, &stamp(), Lang::En))),
        }
    }
}
