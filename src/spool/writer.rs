//! The thread that writes: takes what waits, makes it durable with one sync, and only then reports it. It writes the sign of life, too.
//!
//! Handing a record over never waits for the disk. While the disk refuses, records wait in the [`Room`], and the thread tries again after a
//! pause that doubles from one second to half a minute.

use super::anchor::Anchor;
use super::log::{Item, Log, Recorded};
use super::place::Position;
use super::recover::{self, Claims, OpenError, Started};
use super::retention::Limits;
use super::room::{Overflow, Room, Waiting};
use super::store::Store;
use crate::model::{AgentEvent, Draft, Stamp, TerminalCard};
use crate::sys::clock;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Records that wait at most before some are given up: 1.4 MB of memory, an hour of the worst flapping.
const PLACES: usize = 1024;
/// Records that share one sync at most.
const BATCH: usize = 256;
/// The first pause after the disk refused, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How the log is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether records reach the disk.
    pub state: State,
    /// Records that wait.
    pub waiting: usize,
    /// Records given up that no record accounts for yet.
    pub given_up: u64,
}

/// Whether records reach the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// They do.
    Well,
    /// They do not.
    Failing {
        /// Since when.
        since: Stamp,
        /// Operation, object and cause, language-free.
        why: String,
        /// The kind of the cause, which decides what is to be done.
        kind: io::ErrorKind,
    },
}

/// What the thread reports.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// These are on the disk.
    Recorded(Vec<Recorded>),
    /// The log began to fail, or is well again.
    Health(Health),
}

/// The log, running.
pub struct Spool {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    desk: Mutex<Desk>,
    bell: Condvar,
}

/// What the caller and the thread share.
struct Desk {
    room: Room,
    card: Arc<TerminalCard>,
    tickets: u64,
    state: State,
    /// Records that left the room and are not on the disk yet; and how many were given up of which one of them tells.
    loaded: (usize, u64),
    wishes: VecDeque<Wish>,
    /// The sign of life that waits, and where it belongs. A newer one takes its place.
    sign: Option<(SignStore, Stamp)>,
    /// The thread has taken something and is not done with it.
    busy: bool,
    closing: bool,
}

/// The directory of the sign of life.
type SignStore = Arc<dyn Store + Send + Sync>;

/// What is asked of the thread beside writing.
enum Wish {
    Tidy(Limits, Option<Position>, Stamp),
    Tell(AgentEvent),
    RetryNow,
}

/// Most wishes that wait; more are dropped, they come again.
const WISHES: usize = 16;

impl Spool {
    /// Opens the log and starts the thread. `news` is called on the thread and must not wait.
    ///
    /// `background`: the same directory once more, to read in peace what a quick start passed over.
    pub fn start<S: Store + Send + 'static>(
        store: S,
        background: Option<S>,
        claims: &Claims,
        card: TerminalCard,
        news: impl FnMut(News) + Send + 'static,
    ) -> Result<(Self, Started), OpenError> {
        let (log, started) = Log::open(store, claims, &clock::stamp())?;
        let desk = Desk {
            room: Room::new(PLACES, Overflow::KeepTurningPoints),
            card: Arc::new(card),
            tickets: 0,
            state: State::Well,
            loaded: (0, 0),
            wishes: VecDeque::new(),
            sign: None,
            busy: false,
            closing: false,
        };
        let shared = Arc::new(Shared { desk: Mutex::new(desk), bell: Condvar::new() });
        let mut clerk = Clerk { log, shared: Arc::clone(&shared), news: Box::new(news), retry: None, pause: PAUSES.0, signed: None };
        let thread = std::thread::Builder::new().name("spool".to_owned()).spawn(move || clerk.work()).map_err(OpenError::Thread)?;
        if let Some(store) = background {
            let shared = Arc::clone(&shared);
            // Without this thread the log is only not read twice.
            let _ = std::thread::Builder::new().name("spool-check".to_owned()).spawn(move || check(&store, &shared));
        }
        Ok((Self { shared, thread: Some(thread) }, started))
    }

    /// Hands a record over and gives the ticket it will be reported with. Never waits for the disk.
    pub fn record(&self, draft: Draft) -> (u64, Waiting) {
        let mut desk = self.shared.desk();
        desk.tickets += 1;
        let ticket = desk.tickets;
        let card = Arc::clone(&desk.card);
        let waiting = desk.room.enter(Item { ticket, draft, card });
        drop(desk);
        self.shared.bell.notify_one();
        (ticket, waiting)
    }

    /// From now on records carry this card.
    pub fn set_card(&self, card: TerminalCard) {
        self.shared.desk().card = Arc::new(card);
    }

    /// Asks for the oldest segments to be forgotten, as far as the limits say.
    pub fn tidy(&self, limits: Limits, acknowledged: Option<Position>, now: Stamp) {
        self.shared.wish(Wish::Tidy(limits, acknowledged, now));
    }

    /// Asks for the sign of life in `state`: that the agent was alive at `now`, and where the log ends by then. It is written by the thread
    /// that writes the log, after what waits, so that it never claims what is not on the disk.
    pub fn anchor(&self, state: SignStore, now: Stamp) {
        self.shared.desk().sign = Some((state, now));
        self.shared.bell.notify_one();
    }

    /// Nothing waits and nothing is under way: all that was asked for has been done, or was refused, and has been told.
    pub fn is_idle(&self) -> bool {
        let desk = self.shared.desk();
        !desk.busy && desk.wishes.is_empty() && desk.sign.is_none() && desk.health().waiting == 0
    }

    /// Asks for the next attempt at once, where the disk refused: something changed.
    pub fn retry_now(&self) {
        self.shared.wish(Wish::RetryNow);
    }

    /// How the log is doing.
    pub fn health(&self) -> Health {
        self.shared.desk().health()
    }

    /// Writes what waits, as far as the disk takes it at the first attempt, and ends. Gives what could not be written.
    pub fn close(mut self) -> Health {
        self.end();
        self.health()
    }

    fn end(&mut self) {
        self.shared.desk().closing = true;
        self.shared.bell.notify_one();
        if let Some(thread) = self.thread.take() {
            // It ends by a panic only where an invariant is broken; what it could not write is in the health.
            let _ = thread.join();
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    /// A caller that panicked left the desk whole: each change of it is one step.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wish(&self, wish: Wish) {
        let mut desk = self.desk();
        if desk.wishes.len() < WISHES {
            desk.wishes.push_back(wish);
        }
        drop(desk);
        self.bell.notify_one();
    }
}

impl Desk {
    fn health(&self) -> Health {
        Health { state: self.state.clone(), waiting: self.room.len() + self.loaded.0, given_up: self.room.given_up() + self.loaded.1 }
    }
}

/// Reads what a quick start passed over, and reports damage.
fn check(store: &dyn Store, shared: &Shared) {
    for event in recover::check(store).unwrap_or_default() {
        shared.wish(Wish::Tell(event));
    }
}

/// The thread's own part.
struct Clerk<S> {
    log: Log<S>,
    shared: Arc<Shared>,
    news: Box<dyn FnMut(News) + Send>,
    /// Not before then.
    retry: Option<Instant>,
    pause: Duration,
    /// The last sign of life: where, when, and what it claims.
    signed: Option<(SignStore, Stamp, Position)>,
}

impl<S: Store> Clerk<S> {
    fn work(&mut self) {
        loop {
            let (wishes, closing) = self.wait();
            for wish in wishes {
                self.grant(wish);
            }
            let due = self.retry.is_none_or(|at| at <= clock::now());
            let tried = due || closing;
            if tried {
                self.write();
            }
            let done = closing && self.is_done();
            if done || !closing {
                self.sign(done);
            }
            if done {
                return;
            }
        }
    }

    /// Everything is written, or the disk refuses.
    fn is_done(&self) -> bool {
        let desk = self.shared.desk();
        self.retry.is_some() || (desk.room.is_empty() && self.log.is_idle())
    }

    /// Waits for something to do.
    fn wait(&mut self) -> (VecDeque<Wish>, bool) {
        let mut desk = self.shared.desk();
        desk.busy = false;
        loop {
            let work = !desk.room.is_empty() || !self.log.is_idle() || self.log.has_news();
            let left = self.retry.map(|at| at.saturating_duration_since(clock::now()));
            let asked = desk.closing || !desk.wishes.is_empty() || desk.sign.is_some();
            if asked || (work && left.is_none_or(|left| left.is_zero())) {
                desk.busy = true;
                return (std::mem::take(&mut desk.wishes), desk.closing);
            }
            desk = match left.filter(|_| work) {
                Some(left) => self.shared.bell.wait_timeout(desk, left).map_or_else(|e| e.into_inner().0, |(desk, _)| desk),
                None => self.shared.bell.wait(desk).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::RetryNow => self.retry = None,
            Wish::Tell(event) => self.log.tell(event),
            Wish::Tidy(limits, acknowledged, now) => {
                let card = Arc::clone(&self.shared.desk().card);
                match self.log.tidy(limits, acknowledged.as_ref(), &card, &now) {
                    Ok(recorded) => self.report(recorded),
                    Err(error) => self.refused(&error),
                }
            }
        }
    }

    fn write(&mut self) {
        if self.log.is_idle() {
            let now = clock::stamp();
            let mut desk = self.shared.desk();
            let (items, card) = (desk.room.leave(BATCH), Arc::clone(&desk.card));
            let given_up = desk.room.account();
            desk.loaded = (items.len(), given_up);
            drop(desk);
            if given_up > 0 {
                self.log.tell(AgentEvent::Coalesced { count: given_up });
            }
            self.log.load(items, &card, &now);
        }
        match self.log.flush() {
            Ok(recorded) => {
                (self.retry, self.pause) = (None, PAUSES.0);
                self.shared.desk().loaded = (0, 0);
                self.report(recorded);
                self.change(State::Well);
            }
            Err(error) => self.refused(&error),
        }
    }

    /// Writes the sign of life that waits, or the `last` one once more where the log has gone on since: at the end it claims all. One that is
    /// refused costs nothing but itself: the next one tells more.
    fn sign(&mut self, last: bool) {
        let head = self.log.head();
        let waiting = self.shared.desk().sign.take();
        let again = self.signed.take_if(|(_, _, claimed)| last && *claimed != head).map(|(state, at, _)| (state, at));
        let Some((state, at)) = waiting.or(again) else { return };
        let anchor = Anchor { head: head.clone(), hash: self.log.head_hash(), at: at.clone() };
        if let Err(error) = anchor.store(&*state) {
            tracing::warn!(%error, "the sign of life was not written");
        }
        self.signed = Some((state, at, head));
    }

    fn report(&mut self, recorded: Vec<Recorded>) {
        if !recorded.is_empty() {
            (self.news)(News::Recorded(recorded));
        }
    }

    fn refused(&mut self, error: &super::AppendError) {
        self.retry = Some(clock::now() + self.pause);
        self.pause = (self.pause * 2).min(PAUSES.1);
        let why = format!("{error}: {}", error.source);
        let since = match &self.shared.desk().state {
            State::Failing { since, .. } => since.clone(),
            State::Well => clock::stamp(),
        };
        self.change(State::Failing { since, why, kind: error.source.kind() });
    }

    /// Said on change, not each time.
    fn change(&mut self, state: State) {
        let mut desk = self.shared.desk();
        if desk.state == state {
            return;
        }
        desk.state = state;
        let health = desk.health();
        drop(desk);
        (self.news)(News::Health(health));
    }
}
