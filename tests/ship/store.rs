//! A log with records in it, and couriers that take them somewhere.

use isonet::config::Terminal;
use isonet::model::{AgentEvent, Draft, TerminalCard, What};
use isonet::sink::{Courier, Lag, Pace, Sink};
use isonet::spool::{Claims, Cursors, Disk, Entry, Known, Position, Reader, Spool};
use isonet::sys::clock::{now, stamp};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// A log of a terminal.
pub struct Store {
    _dir: tempfile::TempDir,
    pub spool: PathBuf,
    pub head: Position,
    pub cursors: Arc<Cursors<Disk>>,
    order: Vec<String>,
}

impl Store {
    /// With so many records, of all lengths, some too long for syslog, with all that has to be escaped somewhere.
    pub fn with(records: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let spool = dir.path().join("spool");
        let claims = Claims { fingerprint: String::new(), anchor: Known::Absent, cursors: Known::Absent };
        let card = TerminalCard::of(&Terminal::default(), Some("1338d0d8ec234423".to_owned()), None, "policy");
        let (log, started) = Spool::start(Disk::own(&spool).unwrap(), None, &claims, card, drop).unwrap();
        for number in 0..records {
            // A thousand of them are some 1.3 MB; the writer takes what it has room for.
            while log.health().waiting > 200 {
                std::thread::sleep(LOOK / 10);
            }
            log.record(Draft::new(&stamp(), What::Agent(event(number))));
        }
        assert_eq!(log.close().waiting, 0);
        let head = Position { seq: records as u64, ..started.head };
        let cursors = Arc::new(cursors(&dir, &started.order));
        Self { _dir: dir, spool, head, cursors, order: started.order }
    }

    /// The same log, with cursors of its own.
    pub fn again(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cursors = Arc::new(cursors(&dir, &self.order));
        Self { _dir: dir, spool: self.spool.clone(), head: self.head.clone(), cursors, order: self.order.clone() }
    }

    /// All of them.
    pub fn entries(&self) -> Vec<Entry> {
        let mut reader = Reader::after(Disk::look(&self.spool), Position { epoch: String::new(), seq: 0 });
        let mut entries = Vec::new();
        loop {
            let more = reader.next(1000, None).unwrap();
            if more.is_empty() {
                return entries;
            }
            entries.extend(more);
        }
    }

    /// How far the sink of this name has come.
    pub fn cursor(&self, name: &str) -> u64 {
        self.cursors.get(name).map_or(0, |at| at.seq)
    }

    /// A courier of a quick pace, and what keeps it going as long as it is held.
    pub fn courier(&self, name: &str, lag: &Lag) -> (Courier, impl Sized + use<>) {
        let (head, follows) = watch::channel(self.head.clone());
        let (last, farewell) = watch::channel(None);
        let courier = Courier {
            name: name.to_owned(),
            spool: self.spool.clone(),
            cursors: Arc::clone(&self.cursors),
            head: follows,
            farewell,
            lag: lag.clone(),
            pace: Pace { first: Duration::from_millis(100), longest: Duration::from_millis(200) },
            beats: None,
        };
        (courier, (head, last))
    }

    /// Ships while `doing` goes on, and gives what it gives.
    pub async fn ship<T>(&self, sink: impl Sink + 'static, doing: impl AsyncFnOnce(&Lag) -> T) -> T {
        let lag = Lag::new("test", "syslog", Position { epoch: String::new(), seq: 0 });
        let (courier, _goes_on) = self.courier("test", &lag);
        let ships = tokio::task::LocalSet::new();
        ships.spawn_local(courier.run(sink));
        ships.run_until(doing(&lag)).await
    }
}

fn event(number: usize) -> AgentEvent {
    let text = match number % 50 {
        49 => "x\u{e9}".repeat(4000),
        _ => format!("{number} \"]\\ 断网\u{7f}\t{}", "y".repeat(number % 40 * 40)),
    };
    AgentEvent::PolicyChanged { from: None, to: "to".to_owned(), weakened: vec![text] }
}

/// Waits until it holds, generously.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(90), "in vain: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

fn cursors(dir: &tempfile::TempDir, order: &[String]) -> Cursors<Disk> {
    let mut cursors = Cursors::open(Disk::own(&dir.path().join("cursors")).unwrap()).unwrap();
    cursors.arrange(order.to_vec());
    cursors
}
