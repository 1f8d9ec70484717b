//! The sinks at work: a [`Courier`] for each, and what the rest of the daemon wants to know of them.

use super::receivers::Grounds;
use super::recorder::RecorderError;
use crate::catalogue::Lang;
use crate::config::{Config, Sink as Configured};
use crate::model::{Blind, Stamp, Unseen, Watched, Watcher};
use crate::report::SinkState;
use crate::sink::journal::JournalSink;
use crate::sink::{Asker, Beat, Courier, Hindrance, Lag, Obstacle, Pace, Promise, Sink};
use crate::spool::{Cursors, Disk, Position, Reader};
use crate::sys::journald;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet, spawn_blocking};
use tokio::time::timeout;

/// How long the end waits for receivers to take the goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// What couriers say to the loop.
pub enum Said {
    /// One is about to send a sign of life, and waits for it.
    WantsBeat(oneshot::Sender<Beat>),
    /// What a receiver promises is another than before, or the receivers are.
    OtherPromises,
}

/// Where couriers speak to the loop.
pub struct Couriers {
    questions: mpsc::UnboundedReceiver<oneshot::Sender<Beat>>,
    promises: mpsc::UnboundedReceiver<()>,
}

impl Couriers {
    /// What is said next. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Said {
        tokio::select! {
            Some(question) = self.questions.recv() => Said::WantsBeat(question),
            Some(()) = self.promises.recv() => Said::OtherPromises,
            else => std::future::pending().await,
        }
    }
}

/// The sinks at work.
pub struct Shipping {
    spool: PathBuf,
    cursors: Arc<Cursors<Disk>>,
    head: watch::Sender<Position>,
    farewell: watch::Sender<Option<Beat>>,
    tasks: JoinSet<()>,
    couriers: Vec<(Lag, AbortHandle)>,
    asker: Asker,
    promises: mpsc::UnboundedSender<()>,
    names: Vec<String>,
    lags: Vec<Lag>,
}

impl Shipping {
    /// Nothing is shipped yet. `head` is the last record on disk. The loop listens to the couriers.
    pub fn new(spool: &Path, cursors: Cursors<Disk>, head: Position) -> (Self, Couriers) {
        let cursors = Arc::new(cursors);
        let (asker, questions) = Asker::new();
        let (tell, promises) = mpsc::unbounded_channel();
        let shipping = Self {
            spool: spool.to_owned(),
            cursors,
            head: watch::Sender::new(head),
            farewell: watch::Sender::new(None),
            tasks: JoinSet::new(),
            couriers: Vec::new(),
            asker,
            promises: tell,
            names: Vec::new(),
            lags: Vec::new(),
        };
        (shipping, Couriers { questions, promises })
    }

    /// From now on to these sinks; what was under way is shipped again from its cursor. Must be called within a
    /// [`LocalSet`](tokio::task::LocalSet).
    pub fn ship_to(&mut self, config: &Config, grounds: &Grounds, lang: Lang) {
        // Those that were dropped leave nothing behind.
        self.tasks = JoinSet::new();
        self.couriers.clear();
        self.names.clear();
        self.lags.clear();
        for sink in &config.sinks {
            let beats = sink.heartbeat();
            match sink {
                Configured::Journal { name } => {
                    self.begin(name, "journal", Pace::LOCAL, beats, JournalSink::new(Path::new(journald::SOCKET), lang));
                }
                Configured::Syslog { name, .. } => match grounds.syslog(sink) {
                    Some((syslog, pace)) => self.begin(name, "syslog", pace, beats, syslog),
                    None => self.keep_for(name, "syslog", &Hindrance::new(Obstacle::Here, "the configuration names no ca")),
                },
                Configured::Nats { name, .. } => match grounds.nats(sink, &self.spool) {
                    Some((nats, pace)) => self.begin(name, "nats", pace, beats, nats),
                    None => self.keep_for(name, "nats", &Hindrance::new(Obstacle::Here, "the configuration names no ca")),
                },
            }
        }
        // Those that are not there any more promise nothing any more; the loop lives as long as this does.
        let _ = self.promises.send(());
    }

    pub(super) fn begin(&mut self, name: &str, kind: &'static str, pace: Pace, beats: Option<Duration>, sink: impl Sink + 'static) {
        let lag = self.lag(name, kind);
        let courier = Courier {
            name: name.to_owned(),
            spool: self.spool.clone(),
            cursors: Arc::clone(&self.cursors),
            head: self.head.subscribe(),
            farewell: self.farewell.subscribe(),
            lag: lag.clone(),
            pace,
            beats: beats.map(|every| (every, self.asker.clone())),
        };
        self.couriers.push((lag, self.tasks.spawn_local(courier.run(sink))));
    }

    /// Says goodbye to all receivers that are there, with what they do not have yet, and waits for them, but not for long.
    pub async fn farewell(&mut self, last: Beat) {
        self.farewell.send_replace(Some(last));
        let all = async {
            while self.couriers.iter().any(|(lag, courier)| lag.is_connected() && !courier.is_finished()) {
                if self.tasks.join_next().await.is_none() {
                    break;
                }
            }
        };
        if timeout(FAREWELL, all).await.is_err() {
            tracing::info!("a receiver did not take the goodbye in time");
        }
    }

    /// Nothing is shipped to this one. What it waits for is known all the same.
    fn keep_for(&mut self, name: &str, kind: &'static str, why: &Hindrance) {
        tracing::error!(sink = name, %why, "nothing is shipped to this sink; its records are kept");
        let lag = self.lag(name, kind);
        lag.hindered(why.clone(), None);
        let mut reader = Reader::after(Disk::look(&self.spool), self.cursor(name));
        let mut head = self.head.subscribe();
        self.tasks.spawn_local(async move {
            // The oldest that waits stays the oldest.
            loop {
                let upto = head.borrow_and_update().clone();
                let read = spawn_blocking(move || reader.next(1, Some(&upto)).map(|entries| (entries, reader))).await;
                let Ok(Ok((entries, read))) = read else { return };
                reader = read;
                if let Some(oldest) = entries.first() {
                    return lag.waits_for(Some(oldest));
                }
                let Ok(()) = head.changed().await else { return };
            }
        });
    }

    fn lag(&mut self, name: &str, kind: &'static str) -> Lag {
        self.names.push(name.to_owned());
        let lag = Lag::new(name, kind, self.cursor(name));
        lag.tell(self.promises.clone());
        self.lags.push(lag.clone());
        lag
    }

    /// How far each sink is, in the order of the configuration; in this language.
    pub fn sinks(&self, now: &Stamp, lang: Lang) -> Vec<SinkState> {
        let head = self.head.borrow();
        self.lags.iter().map(|lag| lag.state(&head, now, lang)).collect()
    }

    /// What receivers do not promise though records need it. `before` = what is known of one that this run has not met yet.
    pub fn lacks(&self, before: impl Fn(&str) -> Option<String>) -> Watched {
        let lacking = self.lags.iter().filter_map(|lag| {
            let what = lag.name();
            let because = match lag.promise() {
                Promise::Unknown => before(&what),
                Promise::Kept => None,
                Promise::Lacks(what) => Some(what),
            }?;
            Some(Blind { what, because: Unseen::Error(because) })
        });
        Watched { watcher: Watcher::Shipping, found: Some(Vec::new()), blind: lacking.collect() }
    }

    fn cursor(&self, name: &str) -> Position {
        self.cursors.get(name).unwrap_or_else(|| Position { epoch: String::new(), seq: 0 })
    }

    /// So much is on disk now.
    pub fn on_disk(&self, head: &Position) {
        self.head.send_if_modified(|known| {
            let news = known != head;
            known.clone_from(head);
            news
        });
    }

    /// The last record that every sink has; the head where there are none.
    pub fn acknowledged(&self) -> Option<Position> {
        if self.names.is_empty() {
            return Some(self.head.borrow().clone());
        }
        self.cursors.slowest(self.names.iter().map(String::as_str))
    }
}

/// The cursors below the state directory.
pub fn cursors(state: &Path) -> Result<Cursors<Disk>, RecorderError> {
    let path = state.join("cursors");
    Cursors::open(Disk::own(&path)?).map_err(|source| RecorderError::Cursors { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Enrolment;
    use crate::config::Terminal;
    use crate::model::{AgentEvent, Draft, TerminalCard, What};
    use crate::sink::{Cargo, Shipped};
    use crate::spool::{Claims, Known, Spool, Started};
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;
    use std::time::Duration;
    use tokio::task::LocalSet;
    use tokio::time::sleep;

    /// The line of a record, and how far the cursor was when it was taken.
    type Taken = (Vec<u8>, u64);

    /// Takes two records at a time, and tells of each with how far the cursor was by then.
    struct Sparing {
        cursors: Arc<Cursors<Disk>>,
        taken: Rc<RefCell<Vec<Taken>>>,
    }

    impl Sink for Sparing {
        async fn ship(&mut self, cargo: Cargo<'_>) -> Shipped {
            let (cursor, records) = (self.cursors.get("sparing").map_or(0, |at| at.seq), cargo.records);
            self.taken.borrow_mut().extend(records.iter().take(2).map(|record| (record.bytes.clone(), cursor)));
            match records.len() {
                0..=2 => Shipped::all(records.len()),
                _ => Shipped::only(2, Hindrance::new(Obstacle::Busy, "test")),
            }
        }
    }

    /// Writes so many records more.
    fn written(state: &Path, records: usize) -> Started {
        let claims = Claims { fingerprint: String::new(), anchor: Known::Absent, cursors: Known::Absent };
        let card = TerminalCard::of(&Terminal::default(), None, None, "");
        let (log, started) = Spool::start(Disk::own(&state.join("spool")).expect("it is ours"), None, &claims, card, drop).expect("a log");
        for _ in 0..records {
            log.record(Draft::new(&crate::sys::clock::stamp(), What::Agent(AgentEvent::Started)));
        }
        assert_eq!(log.close().waiting, 0);
        started
    }

    /// Counts what it takes, which is all.
    struct Counting(Rc<Cell<usize>>);

    impl Sink for Counting {
        async fn ship(&mut self, cargo: Cargo<'_>) -> Shipped {
            self.0.set(self.0.get() + cargo.records.len());
            Shipped::all(cargo.records.len())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sink_holds_records_back_until_it_has_them_and_one_that_is_gone_gets_and_holds_nothing() {
        let (state, count) = (tempfile::tempdir().expect("a directory"), Rc::new(Cell::new(0)));
        let started = written(state.path(), 3);
        let at = |seq| Some(Position { seq, ..started.head.clone() });
        LocalSet::new()
            .run_until(async {
                let mut cursors = cursors(state.path()).expect("a directory");
                cursors.arrange(started.order.clone());
                let (mut shipping, _couriers) = Shipping::new(&state.path().join("spool"), cursors, at(3).expect("there"));
                assert_eq!(shipping.acknowledged(), at(3), "nobody wants them");
                shipping.begin("counting", "test", Pace::LOCAL, None, Counting(Rc::clone(&count)));
                assert_eq!(shipping.acknowledged(), Some(Position { epoch: String::new(), seq: 0 }), "it has not begun");
                while shipping.acknowledged() != at(3) {
                    sleep(Duration::from_millis(100)).await;
                }
                let none = Config::default();
                shipping.ship_to(&none, &Grounds::new(&none, Enrolment::of(None), None), Lang::En);
                written(state.path(), 2);
                shipping.on_disk(&at(5).expect("there"));
                sleep(Duration::from_mins(1)).await;
                assert_eq!((count.get(), shipping.acknowledged()), (3, at(5)));
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_sink_did_not_take_is_shipped_again_and_its_cursor_is_never_ahead() {
        let state = tempfile::tempdir().expect("a directory");
        let started = written(state.path(), 5);
        let taken = Rc::default();
        let shipped = LocalSet::new();
        let all = shipped.run_until(async {
            let mut cursors = cursors(state.path()).expect("a directory");
            cursors.arrange(started.order);
            let (mut shipping, _) = Shipping::new(&state.path().join("spool"), cursors, Position { seq: 5, ..started.head });
            shipping.begin(
                "sparing",
                "test",
                Pace::LOCAL,
                None,
                Sparing { cursors: Arc::clone(&shipping.cursors), taken: Rc::clone(&taken) },
            );
            while shipping.cursors.get("sparing").is_none_or(|at| at.seq < 5) {
                sleep(Duration::from_millis(100)).await;
            }
        });
        tokio::time::timeout(Duration::from_mins(1), all).await.expect("all is shipped");
        let seq = |line: &[u8]| serde_json::from_slice::<crate::model::Record>(line).expect("a record").seq;
        let told: Vec<(u64, u64)> = taken.borrow().iter().map(|(line, cursor)| (seq(line), *cursor)).collect();
        assert_eq!(told, [(1, 0), (2, 0), (3, 2), (4, 2), (5, 4)]);
    }
}
