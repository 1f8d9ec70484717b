//! Takes records from the log to the sinks: one task each, with a cursor of its own, so that a dead receiver holds nobody else back.
//!
//! A task sleeps until something new is on disk. It moves its cursor only by the sink's word, after it, and tries again after a pause that
//! doubles from one second to a minute. Files are read and written on threads for that.

use super::lag::Lag;
use super::recorder::RecorderError;
use crate::catalogue::Lang;
use crate::config::{Config, Sink as Configured};
use crate::model::Stamp;
use crate::report::SinkState;
use crate::sink::journal::JournalSink;
use crate::sink::{Hindrance, Shipped, Sink};
use crate::spool::{Cursors, Disk, Entry, Position, Reader};
use crate::sys::journald;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

/// Records that travel together.
const BATCH: usize = 256;
/// The first pause after a sink was hindered, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// The sinks at work.
pub struct Shipping {
    spool: PathBuf,
    cursors: Arc<Cursors<Disk>>,
    head: watch::Sender<Position>,
    tasks: JoinSet<()>,
    names: Vec<String>,
    lags: Vec<Lag>,
}

impl Shipping {
    /// Nothing is shipped yet. `head` is the last record on disk.
    pub fn new(spool: &Path, cursors: Cursors<Disk>, head: Position) -> Self {
        let cursors = Arc::new(cursors);
        Self {
            spool: spool.to_owned(),
            cursors,
            head: watch::Sender::new(head),
            tasks: JoinSet::new(),
            names: Vec::new(),
            lags: Vec::new(),
        }
    }

    /// From now on to these sinks; what was under way is shipped again from its cursor. Must be called within a
    /// [`LocalSet`](tokio::task::LocalSet).
    pub fn ship_to(&mut self, config: &Config, lang: Lang) {
        // Those that were dropped leave nothing behind.
        self.tasks = JoinSet::new();
        self.names.clear();
        self.lags.clear();
        for sink in &config.sinks {
            match sink {
                Configured::Journal { name } => match JournalSink::new(Path::new(journald::SOCKET), lang) {
                    Ok(journal) => self.begin(name, journal),
                    Err(error) => {
                        tracing::error!(sink = name, %error, "nothing is shipped to the journal");
                        self.keep_for(name, "journal", error.to_string());
                    }
                },
                Configured::Syslog { name, .. } | Configured::Nats { name, .. } => {
                    let why = "this version does not ship to such a sink; its records are kept";
                    tracing::warn!(sink = name, "{why}");
                    let kind = if matches!(sink, Configured::Syslog { .. }) { "syslog" } else { "nats" };
                    self.keep_for(name, kind, why.to_owned());
                }
            }
        }
    }

    fn begin(&mut self, name: &str, sink: impl Sink + 'static) {
        self.names.push(name.to_owned());
        let from = self.cursor(name);
        let lag = Lag::new(name, "journal", from.clone());
        self.lags.push(lag.clone());
        let courier = Courier {
            name: name.to_owned(),
            spool: self.spool.clone(),
            cursors: Arc::clone(&self.cursors),
            head: self.head.subscribe(),
            lag,
        };
        let reader = Reader::after(Disk::look(&self.spool), from);
        self.tasks.spawn_local(courier.run(sink, reader));
    }

    /// Nothing is shipped to this one. What it waits for is known all the same.
    fn keep_for(&mut self, name: &str, kind: &'static str, why: String) {
        self.names.push(name.to_owned());
        let from = self.cursor(name);
        let lag = Lag::new(name, kind, from.clone());
        lag.hindered(Some(why));
        self.lags.push(lag.clone());
        let mut reader = Reader::after(Disk::look(&self.spool), from);
        let mut head = self.head.subscribe();
        self.tasks.spawn_local(async move {
            // The oldest that waits stays the oldest.
            loop {
                let upto = head.borrow_and_update().clone();
                let Ok((entries, read)) = read(reader, 1, upto).await else { return };
                reader = read;
                if let Some(oldest) = entries.first() {
                    return lag.waits_for(Some(oldest));
                }
                let Ok(()) = head.changed().await else { return };
            }
        });
    }

    /// How far each sink is, in the order of the configuration.
    pub fn sinks(&self, now: &Stamp) -> Vec<SinkState> {
        let head = self.head.borrow();
        self.lags.iter().map(|lag| lag.state(&head, now)).collect()
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

/// What one sink's task needs besides the sink.
struct Courier {
    name: String,
    spool: PathBuf,
    cursors: Arc<Cursors<Disk>>,
    head: watch::Receiver<Position>,
    lag: Lag,
}

impl Courier {
    async fn run(mut self, mut sink: impl Sink, mut reader: Reader<Disk>) {
        let mut pause = PAUSES.0;
        loop {
            let upto = self.head.borrow_and_update().clone();
            let from = reader.position().clone();
            let (entries, read) = match read(reader, BATCH, upto).await {
                Ok(read) => read,
                Err(error) => {
                    tracing::error!(sink = self.name, %error, "the log cannot be read for this sink");
                    self.lag.hindered(Some(format!("read the log: {error}")));
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                    reader = Reader::after(Disk::look(&self.spool), from);
                    continue;
                }
            };
            reader = read;
            self.lag.waits_for(entries.first());
            if entries.is_empty() {
                self.lag.hindered(None);
                // The daemon ends.
                let Ok(()) = self.head.changed().await else { return };
                continue;
            }
            let lines: Vec<&[u8]> = entries.iter().map(|entry| entry.bytes.as_slice()).collect();
            let Shipped { accepted, hindrance } = sink.ship(&lines).await;
            if let Some(last) = accepted.checked_sub(1).and_then(|last| entries.get(last)) {
                pause = PAUSES.0;
                self.lag.shipped(last.at.clone());
                self.lag.waits_for(entries.get(accepted));
                self.advance(last.at.clone()).await;
            }
            self.lag.hindered(hindrance.as_ref().map(in_words));
            if let Some(hindrance) = hindrance {
                tracing::debug!(sink = self.name, %hindrance, ?pause, "records wait");
                let after = accepted.checked_sub(1).and_then(|last| entries.get(last)).map_or(from, |last| last.at.clone());
                reader = Reader::after(reader.into_store(), after);
                sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }

    /// Remembers how far the sink has come. A cursor that cannot be written costs a repetition, not a record.
    async fn advance(&self, to: Position) {
        let (cursors, name) = (Arc::clone(&self.cursors), self.name.clone());
        let moved = spawn_blocking(move || cursors.advance(&name, to).map(drop)).await;
        if let Ok(Err(error)) = moved {
            tracing::warn!(sink = self.name, %error, "how far it came was not written");
        }
    }
}

/// With the system's own words, once.
fn in_words(hindrance: &Hindrance) -> String {
    match std::error::Error::source(hindrance) {
        Some(source) => format!("{hindrance}: {source}"),
        None => hindrance.to_string(),
    }
}

/// Reads on, on a thread for that, and gives the reader back.
async fn read(mut reader: Reader<Disk>, most: usize, upto: Position) -> std::io::Result<(Vec<Entry>, Reader<Disk>)> {
    spawn_blocking(move || reader.next(most, Some(&upto)).map(|entries| (entries, reader))).await?
}

/// The cursors below the state directory.
pub fn cursors(state: &Path) -> Result<Cursors<Disk>, RecorderError> {
    let path = state.join("cursors");
    Cursors::open(Disk::own(&path)?).map_err(|source| RecorderError::Cursors { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Terminal;
    use crate::model::{AgentEvent, Draft, TerminalCard, What};
    use crate::spool::{Claims, Known, Spool};
    use std::cell::RefCell;
    use std::io;
    use std::rc::Rc;
    use tokio::task::LocalSet;

    /// The line of a record, and how far the cursor was when it was taken.
    type Taken = (Vec<u8>, u64);

    /// Takes two records at a time, and tells of each with how far the cursor was by then.
    struct Sparing {
        cursors: Arc<Cursors<Disk>>,
        taken: Rc<RefCell<Vec<Taken>>>,
    }

    impl Sink for Sparing {
        async fn ship(&mut self, batch: &[&[u8]]) -> Shipped {
            let cursor = self.cursors.get("sparing").map_or(0, |at| at.seq);
            self.taken.borrow_mut().extend(batch.iter().take(2).map(|line| (line.to_vec(), cursor)));
            let busy = || Hindrance::of("test", io::ErrorKind::WouldBlock.into());
            Shipped { accepted: batch.len().min(2), hindrance: (batch.len() > 2).then(busy) }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_sink_did_not_take_is_shipped_again_and_its_cursor_is_never_ahead() {
        let state = tempfile::tempdir().expect("a directory");
        let dir = state.path().join("spool");
        let claims = Claims { fingerprint: String::new(), anchor: Known::Absent, cursors: Known::Absent };
        let card = TerminalCard::of(&Terminal::default(), None, None, "");
        let (log, started) = Spool::start(Disk::own(&dir).expect("it is ours"), None, &claims, card, drop).expect("a log");
        for _ in 0..5 {
            log.record(Draft::new(&crate::sys::clock::stamp(), What::Agent(AgentEvent::Started)));
        }
        assert_eq!(log.close().waiting, 0);
        let taken = Rc::default();
        let shipped = LocalSet::new();
        let all = shipped.run_until(async {
            let mut cursors = cursors(state.path()).expect("a directory");
            cursors.arrange(started.order);
            let mut shipping = Shipping::new(&dir, cursors, Position { seq: 5, ..started.head });
            shipping.begin("sparing", Sparing { cursors: Arc::clone(&shipping.cursors), taken: Rc::clone(&taken) });
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
