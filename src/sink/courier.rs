//! Takes records from the log to one sink: a task of its own, with a cursor of its own, so that a dead receiver holds nobody else back.
//!
//! It sleeps until something new is on disk or a sign of life is due. It moves its cursor only by the sink's word, after it. Files are read and
//! written on threads for that. The first thing after a start or a failure is a sign of life: it says what is open, however much has to be
//! caught up with.

use super::{Cargo, Hindrance, Lag, Obstacle, Pace, Retry, Shipped, Sink, pace::Bucket};
use crate::spool::{Cursors, Disk, Entry, Position, Reader};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until, timeout};

/// Records that travel together.
const BATCH: usize = 500;
/// Records that a terminal may ship at once after a silence, and then in a second: ten days' worth takes less than a minute, and a centre that
/// hears from all of them again is not trampled.
const BURST: u32 = 500;
const PER_SECOND: u32 = 250;
/// How long to wait for the composition of a sign of life.
const COMPOSED: Duration = Duration::from_secs(1);

/// A sign of life as it is sent: one line of JSON, schema `heartbeat/1`, without a line feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat(pub Arc<[u8]>);

/// Asks for a sign of life that says how things are now.
#[derive(Debug, Clone)]
pub struct Asker(mpsc::UnboundedSender<oneshot::Sender<Beat>>);

impl Asker {
    /// With the other end, where each question is to be answered.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<oneshot::Sender<Beat>>) {
        let (asker, questions) = mpsc::unbounded_channel();
        (Self(asker), questions)
    }

    async fn ask(&self) -> Option<Beat> {
        let (answer, told) = oneshot::channel();
        self.0.send(answer).ok()?;
        timeout(COMPOSED, told).await.ok()?.ok()
    }
}

/// What one sink's task needs besides the sink.
pub struct Courier {
    /// The sink's name, on which its cursor hangs.
    pub name: String,
    /// The log.
    pub spool: PathBuf,
    /// All cursors.
    pub cursors: Arc<Cursors<Disk>>,
    /// The last record on disk; when this ends, the courier does.
    pub head: watch::Receiver<Position>,
    /// The last sign of life of this run, when it comes: the courier says it and ends.
    pub farewell: watch::Receiver<Option<Beat>>,
    /// How it stands, for others to read.
    pub lag: Lag,
    /// When to try again.
    pub pace: Pace,
    /// Between two signs of life, about; `None` = none are sent.
    pub beats: Option<(Duration, Asker)>,
}

/// Where a courier is.
struct Way {
    reader: Reader<Disk>,
    retry: Retry,
    bucket: Bucket,
    /// The next sign of life.
    beat_due: Option<Instant>,
}

impl Courier {
    /// Ships until the daemon ends.
    pub async fn run(mut self, mut sink: impl Sink) {
        if !sink.wants_beats() {
            self.beats = None;
        }
        let now = Instant::now();
        let from = self.cursors.get(&self.name).unwrap_or_else(|| Position { epoch: String::new(), seq: 0 });
        let mut way = Way {
            reader: Reader::after(Disk::look(&self.spool), from),
            retry: Retry::new(self.pace),
            bucket: Bucket::new(PER_SECOND, BURST, now),
            beat_due: self.beats.as_ref().map(|_| now),
        };
        loop {
            let last = self.farewell.borrow_and_update().clone();
            let wait = self.turn(&mut sink, &mut way, last.as_ref()).await;
            let (None, Some(mut wait)) = (last, wait) else { return };
            loop {
                tokio::select! {
                    changed = self.head.changed(), if wait.for_news || !self.lag.knows_what_waits() => {
                        if changed.is_err() {
                            return;
                        }
                        if wait.for_news {
                            break;
                        }
                        self.notice(&way).await;
                    }
                    changed = self.farewell.changed() => match changed {
                        // One that is not heard would only hold up the end.
                        Ok(()) if wait.for_news || self.lag.is_connected() => break,
                        _ => return,
                    },
                    () = until(wait.until) => break,
                    ended = sink.idle() => wait = self.hindered(&mut way, &ended),
                }
            }
        }
    }

    /// Ships what there is; how long to wait then. `None` = the log is gone.
    async fn turn(&mut self, sink: &mut impl Sink, way: &mut Way, last: Option<&Beat>) -> Option<Wait> {
        let upto = self.head.borrow_and_update().clone();
        let now = Instant::now();
        let room = way.bucket.holds(BATCH, now);
        let from = way.reader.position().clone();
        let reader = std::mem::replace(&mut way.reader, self.reader(from.clone()));
        let (entries, reader) = match read(reader, room.max(1), upto.clone()).await {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(sink = self.name, %error, "the log cannot be read for this sink");
                return Some(self.hindered(way, &Hindrance::new(Obstacle::Here, format!("read the log: {error}"))));
            }
        };
        way.reader = reader;
        self.lag.waits_for(entries.first());
        let records = &entries[..entries.len().min(room)];
        let beat = match last {
            Some(beat) => Some(beat.clone()),
            None => self.beat(way, now).await,
        };
        if records.is_empty() && beat.is_none() {
            way.reader = self.reader(from);
            return Some(match entries.first() {
                // The bucket is empty.
                Some(_) => Wait::until(now + way.bucket.until(BURST / 5, now)),
                None => Wait { for_news: true, until: way.beat_due },
            });
        }
        let Shipped { accepted, hindrance, lacks } = sink.ship(Cargo { beat: beat.as_ref(), records }).await;
        way.bucket.take(accepted);
        // A receiver that was not reached has promised nothing and broken no promise.
        if accepted > 0 || hindrance.is_none() || lacks.is_some() {
            self.lag.lacks(lacks);
        }
        let done = accepted.checked_sub(1).and_then(|last| records.get(last)).map(|entry| entry.at.clone());
        if let Some(done) = &done {
            way.retry.succeeded();
            self.lag.shipped(done.clone());
            // Of a whole batch that went nobody knows yet what comes behind it, unless it is the end.
            if accepted < entries.len() || *done == upto {
                self.lag.waits_for(entries.get(accepted));
            }
            self.advance(done.clone()).await;
        }
        if accepted < entries.len() {
            way.reader = self.reader(done.unwrap_or(from));
        }
        if let Some(hindrance) = hindrance {
            tracing::debug!(sink = self.name, %hindrance, "records wait");
            return Some(self.hindered(way, &hindrance));
        }
        way.retry.succeeded();
        self.lag.went();
        if beat.is_some() {
            self.lag.beaten();
            way.beat_due = self.beats.as_ref().map(|(every, _)| Instant::now() + way.retry.around(*every));
        }
        // At once again: there may be more.
        Some(Wait::until(now))
    }

    /// Notices the first record that waits while nothing can be shipped.
    async fn notice(&self, way: &Way) {
        let upto = self.head.borrow().clone();
        if let Ok((entries, _)) = read(self.reader(way.reader.position().clone()), 1, upto).await {
            self.lag.waits_for(entries.first());
        }
    }

    /// The sign of life that is due.
    async fn beat(&self, way: &Way, now: Instant) -> Option<Beat> {
        let (_, asker) = self.beats.as_ref().filter(|_| way.beat_due.is_some_and(|due| due <= now))?;
        asker.ask().await
    }

    fn hindered(&self, way: &mut Way, hindrance: &Hindrance) -> Wait {
        let next = Instant::now() + way.retry.failed();
        self.lag.hindered(hindrance.clone(), Some(next));
        way.beat_due = self.beats.as_ref().map(|_| next);
        Wait::until(next)
    }

    fn reader(&self, after: Position) -> Reader<Disk> {
        Reader::after(Disk::look(&self.spool), after)
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

/// What a courier waits for.
struct Wait {
    /// A record more on disk.
    for_news: bool,
    /// Or this.
    until: Option<Instant>,
}

impl Wait {
    fn until(at: Instant) -> Self {
        Self { for_news: false, until: Some(at) }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Reads on, on a thread for that, and gives the reader back.
async fn read(mut reader: Reader<Disk>, most: usize, upto: Position) -> std::io::Result<(Vec<Entry>, Reader<Disk>)> {
    spawn_blocking(move || reader.next(most, Some(&upto)).map(|entries| (entries, reader))).await?
}

#[cfg(test)]
#[path = "courier_tests.rs"]
mod tests;
