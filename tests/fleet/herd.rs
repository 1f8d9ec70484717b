//! A region comes back: thousands of terminals that were cut off reach the same receiver again.
//!
//! Each is a real courier with a real sink, a cursor and a connection of its own; all read one log. Beside them, for comparison, the same sinks in
//! loops that try again after a fixed pause, and after one that doubles without a draw.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use isonet::sink::{Cargo, Courier, Lag, Pace, Shipped, Sink};
use isonet::spool::{Cursors, Disk, Entry, Position, Reader, newest};
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, timeout};

use crate::Done;
use crate::agent::SINK;

/// How a terminal tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// As the product does.
    Drawn(Pace),
    /// After the same pause, always.
    Fixed(Duration),
    /// After a pause that doubles, without a draw.
    Doubling(Duration, Duration),
}

/// What a herd did.
#[derive(Debug)]
pub(crate) struct Returned {
    /// From the receiver's return to each terminal's last record, sorted.
    pub(crate) after: Vec<Duration>,
    /// Attempts to ship in each tenth of a second after the receiver's return.
    pub(crate) attempts: Vec<usize>,
}

impl Returned {
    /// Most attempts within a second.
    pub(crate) fn peak(&self) -> usize {
        self.attempts.windows(10).map(|tenths| tenths.iter().sum()).max().unwrap_or_else(|| self.attempts.iter().sum())
    }
}

/// Counts attempts, and tells when all is there.
struct Noting<S> {
    sink: S,
    records: usize,
    done: usize,
    notes: Rc<Notes>,
}

struct Notes {
    /// When the receiver came back.
    back: Cell<Option<Instant>>,
    attempts: RefCell<Vec<usize>>,
    after: RefCell<Vec<Duration>>,
}

impl<S: Sink> Sink for Noting<S> {
    async fn ship(&mut self, cargo: Cargo<'_>) -> Shipped {
        if let Some(back) = self.notes.back.get() {
            let tenth = usize::try_from(back.elapsed().as_millis() / 100).unwrap_or(usize::MAX);
            let mut attempts = self.notes.attempts.borrow_mut();
            if attempts.len() <= tenth {
                attempts.resize(tenth + 1, 0);
            }
            attempts[tenth] += 1;
        }
        let shipped = self.sink.ship(cargo).await;
        self.done += shipped.accepted;
        if let (true, Some(back)) = (shipped.accepted > 0 && self.done == self.records, self.notes.back.get()) {
            self.notes.after.borrow_mut().push(back.elapsed());
        }
        shipped
    }
}

/// So many terminals ship the log at `spool` by `sink`; the receiver comes back by `mend` after `outage`.
pub(crate) fn returns<S: Sink + 'static>(
    spool: &Path,
    (terminals, habit, outage, limit): (usize, Habit, Duration, Duration),
    mut sink: impl FnMut(usize) -> Done<S>,
    mend: impl FnOnce() -> Done,
) -> Done<Returned> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let place = tempfile::Builder::new().prefix("isonet-herd-").tempdir_in("/dev/shm").map_err(|e| format!("no place: {e}"))?;
    let head = newest(&Disk::look(spool)).ok().flatten().ok_or("an empty log")?;
    let nowhere = Position { epoch: String::new(), seq: 0 };
    let entries: Rc<[Entry]> = Reader::after(Disk::look(spool), nowhere.clone()).next(10_000, None).map_err(|e| e.to_string())?.into();
    let notes = Rc::new(Notes { back: Cell::new(None), attempts: RefCell::default(), after: RefCell::default() });
    LocalSet::new().block_on(&runtime, async {
        let (_head, head_seen) = watch::channel(head);
        let (_farewell, farewell) = watch::channel(None);
        let mut tasks = JoinSet::new();
        for terminal in 0..terminals {
            let mut noting = Noting { sink: sink(terminal)?, records: entries.len(), done: 0, notes: Rc::clone(&notes) };
            match habit {
                Habit::Drawn(spans) => {
                    let disk = Disk::own(&place.path().join(terminal.to_string())).map_err(|e| e.to_string())?;
                    let courier = Courier {
                        name: SINK.to_owned(),
                        spool: spool.to_owned(),
                        cursors: Arc::new(Cursors::open(disk).map_err(|e| e.to_string())?),
                        head: head_seen.clone(),
                        farewell: farewell.clone(),
                        lag: Lag::new(SINK, "test", nowhere.clone()),
                        pace: spans,
                        beats: None,
                    };
                    tasks.spawn_local(courier.run(noting));
                }
                Habit::Fixed(_) | Habit::Doubling(..) => {
                    let entries = Rc::clone(&entries);
                    tasks.spawn_local(async move {
                        let mut failures = 0;
                        while noting.done < entries.len() {
                            let shipped = noting.ship(Cargo { beat: None, records: &entries[noting.done..] }).await;
                            if shipped.hindrance.is_some() {
                                sleep(match habit {
                                    Habit::Fixed(pause) => pause,
                                    Habit::Doubling(first, longest) => first.saturating_mul(1 << failures.min(20)).min(longest),
                                    Habit::Drawn(_) => Duration::ZERO,
                                })
                                .await;
                                failures += 1;
                            }
                        }
                    });
                }
            }
        }
        sleep(outage).await;
        notes.back.set(Some(Instant::now()));
        mend()?;
        let all = async {
            while notes.after.borrow().len() < terminals {
                sleep(Duration::from_millis(50)).await;
            }
        };
        // Those that are not through by then are missing in what is told.
        let _ = timeout(limit, all).await;
        let mut after = notes.after.take();
        after.sort_unstable();
        Ok(Returned { after, attempts: notes.attempts.take() })
    })
}
