//! Takes records from the log to the sinks: one task each, with a cursor of its own, so that a dead receiver holds nobody else back.
//!
//! A task sleeps until something new is on disk. It moves its cursor only by the sink's word, after it, and tries again after a pause that
//! doubles from one second to a minute. Files are read and written on threads for that.

use super::recorder::RecorderError;
use crate::catalogue::Lang;
use crate::config::{Config, Sink as Configured};
use crate::sink::journal::JournalSink;
use crate::sink::{Shipped, Sink};
use crate::spool::{Cursors, Disk, Entry, Position, Reader};
use crate::sys::journald;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
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
    cursors: Arc<Mutex<Cursors<Disk>>>,
    head: watch::Sender<Position>,
    tasks: JoinSet<()>,
    names: Vec<String>,
}

impl Shipping {
    /// Nothing is shipped yet. `head` is the last record on disk.
    pub fn new(spool: &Path, cursors: Cursors<Disk>, head: Position) -> Self {
        let cursors = Arc::new(Mutex::new(cursors));
        Self { spool: spool.to_owned(), cursors, head: watch::Sender::new(head), tasks: JoinSet::new(), names: Vec::new() }
    }

    /// From now on to these sinks; what was under way is shipped again from its cursor. Must be called within a
    /// [`LocalSet`](tokio::task::LocalSet).
    pub fn ship_to(&mut self, config: &Config, lang: Lang) {
        self.tasks.abort_all();
        self.names.clear();
        for sink in &config.sinks {
            match sink {
                Configured::Journal { name } => match JournalSink::new(Path::new(journald::SOCKET), lang) {
                    Ok(journal) => self.begin(name, journal),
                    Err(error) => tracing::error!(sink = name, %error, "nothing is shipped to the journal"),
                },
                Configured::Syslog { name, .. } | Configured::Nats { name, .. } => {
                    tracing::warn!(sink = name, "this version does not ship to such a sink; its records are kept");
                    self.names.push(name.clone());
                }
            }
        }
    }

    fn begin(&mut self, name: &str, sink: impl Sink + 'static) {
        self.names.push(name.to_owned());
        let courier = Courier { name: name.to_owned(), cursors: Arc::clone(&self.cursors), head: self.head.subscribe() };
        let from = self.cursor(name);
        let reader = Reader::after(Disk::look(&self.spool), from);
        self.tasks.spawn_local(courier.run(sink, reader));
    }

    fn cursor(&self, name: &str) -> Position {
        let cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.get(name).cloned().unwrap_or_else(|| Position { epoch: String::new(), seq: 0 })
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
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner).slowest(self.names.iter().map(String::as_str))
    }
}

/// What one sink's task needs besides the sink.
struct Courier {
    name: String,
    cursors: Arc<Mutex<Cursors<Disk>>>,
    head: watch::Receiver<Position>,
}

impl Courier {
    async fn run(mut self, mut sink: impl Sink, mut reader: Reader<Disk>) {
        let mut pause = PAUSES.0;
        loop {
            let upto = self.head.borrow_and_update().clone();
            let from = reader.position().clone();
            let (entries, read) = match read(reader, upto).await {
                Ok(read) => read,
                Err(error) => return tracing::error!(sink = self.name, %error, "the log cannot be read for this sink"),
            };
            reader = read;
            if entries.is_empty() {
                // The daemon ends.
                let Ok(()) = self.head.changed().await else { return };
                continue;
            }
            let lines: Vec<&[u8]> = entries.iter().map(|entry| entry.bytes.as_slice()).collect();
            let Shipped { accepted, hindrance } = sink.ship(&lines).await;
            if let Some(last) = accepted.checked_sub(1).and_then(|last| entries.get(last)) {
                pause = PAUSES.0;
                self.advance(last.at.clone()).await;
            }
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
        let moved = spawn_blocking(move || cursors.lock().unwrap_or_else(PoisonError::into_inner).advance(&name, to).map(drop)).await;
        if let Ok(Err(error)) = moved {
            tracing::warn!(sink = self.name, %error, "how far it came was not written");
        }
    }
}

/// Reads on, on a thread for that, and gives the reader back.
async fn read(mut reader: Reader<Disk>, upto: Position) -> std::io::Result<(Vec<Entry>, Reader<Disk>)> {
    spawn_blocking(move || reader.next(BATCH, Some(&upto)).map(|entries| (entries, reader))).await?
}

/// The cursors below the state directory.
pub fn cursors(state: &Path) -> Result<Cursors<Disk>, RecorderError> {
    let path = state.join("cursors");
    Cursors::open(Disk::own(&path)?).map_err(|source| RecorderError::Cursors { path, source })
}
