//! How far each sink is behind the log: kept by the sinks' tasks, read by the loop. Both run on one thread.

use super::Hindrance;
use crate::catalogue::{Lang, hindered};
use crate::model::{Stamp, Time};
use crate::report::SinkState;
use crate::spool::{Entry, Position};
use std::cell::RefCell;
use std::rc::Rc;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The state of one sink. Clones share it.
#[derive(Debug, Clone)]
pub struct Lag(Rc<RefCell<State>>);

/// Whether a receiver promises what records need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promise {
    /// It has not been met yet.
    Unknown,
    /// It does.
    Kept,
    /// It does not: what is missing, in an engineer's words.
    Lacks(String),
}

#[derive(Debug)]
struct State {
    name: String,
    kind: &'static str,
    /// The last record the receiver has.
    shipped: Position,
    /// The oldest record it does not have: its number and when it was written. `None` = none is known of.
    oldest: Option<(Position, Option<Time>)>,
    trouble: Option<Hindrance>,
    /// What was shipped last went through.
    connected: bool,
    /// When it is tried again.
    next: Option<Instant>,
    promise: Promise,
    /// When the last sign of life went.
    beat: Option<Instant>,
    /// Somebody wants to know when `lacks` changes.
    changed: Option<mpsc::UnboundedSender<()>>,
}

impl Lag {
    /// Of a sink that has everything up to `shipped`.
    pub fn new(name: &str, kind: &'static str, shipped: Position) -> Self {
        Self(Rc::new(RefCell::new(State {
            name: name.to_owned(),
            kind,
            shipped,
            oldest: None,
            trouble: None,
            connected: false,
            next: None,
            promise: Promise::Unknown,
            beat: None,
            changed: None,
        })))
    }

    /// Tells there whenever the receiver begins or ends to promise what records need.
    pub fn tell(&self, changes: mpsc::UnboundedSender<()>) {
        self.0.borrow_mut().changed = Some(changes);
    }

    /// Its sink's name.
    pub fn name(&self) -> String {
        self.0.borrow().name.clone()
    }

    /// Whether its receiver promises what records need.
    pub fn promise(&self) -> Promise {
        self.0.borrow().promise.clone()
    }

    /// This is the next that it waits for; `None` = there is none.
    pub fn waits_for(&self, next: Option<&Entry>) {
        self.0.borrow_mut().oldest = next.map(|entry| (entry.at.clone(), entry.record().map(|record| record.time)));
    }

    /// Whether a record is known that it does not have.
    pub fn knows_what_waits(&self) -> bool {
        self.0.borrow().oldest.is_some()
    }

    /// It has everything up to this record.
    pub fn shipped(&self, upto: Position) {
        self.0.borrow_mut().shipped = upto;
    }

    /// What its receiver does not promise though records need it; `None` = nothing.
    pub fn lacks(&self, what: Option<String>) {
        let mut state = self.0.borrow_mut();
        let promise = what.map_or(Promise::Kept, Promise::Lacks);
        if state.promise == promise {
            return;
        }
        state.promise = promise;
        // Who does not listen any more does not want to know.
        let _ = state.changed.as_ref().map(|changed| changed.send(()));
    }

    /// A sign of life went.
    pub fn beaten(&self) {
        self.0.borrow_mut().beat = Some(Instant::now());
    }

    /// What was shipped last went through.
    pub fn is_connected(&self) -> bool {
        self.0.borrow().connected
    }

    /// What was shipped went through.
    pub fn went(&self) {
        let mut state = self.0.borrow_mut();
        (state.trouble, state.connected, state.next) = (None, true, None);
    }

    /// What hinders it, and when it is tried again; `None` = nobody tries.
    pub fn hindered(&self, why: Hindrance, next: Option<Instant>) {
        let mut state = self.0.borrow_mut();
        (state.trouble, state.connected, state.next) = (Some(why), false, next);
    }

    /// As it is now, where the log ends at `head`; what hinders it in this language.
    pub fn state(&self, head: &Position, now: &Stamp, lang: Lang) -> SinkState {
        let state = self.0.borrow();
        let waiting = match &state.oldest {
            None => Some(0),
            // Numbers of two epochs cannot be subtracted.
            Some((oldest, _)) => (oldest.epoch == head.epoch).then(|| {
                let shipped = if state.shipped.epoch == head.epoch { state.shipped.seq } else { 0 };
                head.seq.saturating_sub(shipped.max(oldest.seq.saturating_sub(1)))
            }),
        };
        let age = state.oldest.as_ref().and_then(|(_, time)| age_s(time.as_ref()?, now));
        SinkState {
            name: state.name.clone(),
            kind: state.kind.to_owned(),
            shipped: (state.shipped.seq > 0).then(|| format!("{}/{}", state.shipped.epoch, state.shipped.seq)),
            waiting,
            oldest_s: age,
            trouble: state.trouble.as_ref().map(|why| hindered(why, lang)),
            connected: state.connected,
            retry_s: state.next.map(|next| next.saturating_duration_since(Instant::now()).as_secs()),
            beat_s: state.beat.map(|beat| beat.elapsed().as_secs()),
            lacks: match &state.promise {
                Promise::Lacks(what) => Some(what.clone()),
                Promise::Kept | Promise::Unknown => None,
            },
        }
    }
}

/// By the clock that cannot be set where it is the same boot. A wall clock that went back tells nothing.
fn age_s(then: &Time, now: &Stamp) -> Option<u64> {
    if !then.boot_id.is_empty() && then.boot_id == now.boot_id {
        return Some(now.boottime_ms.saturating_sub(then.boot_ms) / 1000);
    }
    u64::try_from(now.wall.as_second() - then.wall.as_second()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ClockState;

    fn stamp(boot: &str, second: u64) -> Stamp {
        let wall = jiff::Timestamp::from_second(1_800_000_000 + i64::try_from(second).expect("small")).expect("in range");
        Stamp { boot_id: boot.to_owned(), boottime_ms: second * 1000, wall, offset_s: 0, clock: ClockState::Unknown }
    }

    fn at(epoch: &str, seq: u64) -> Position {
        Position { epoch: epoch.to_owned(), seq }
    }

    #[test]
    fn the_lag_is_counted_within_an_epoch_and_its_age_by_the_clock_that_cannot_be_set() {
        let lag = Lag::new("audit", "journal", at("", 0));
        let state = lag.state(&at("e", 9), &stamp("b", 100), Lang::En);
        assert_eq!((state.shipped, state.waiting, state.oldest_s), (None, Some(0), None));
        lag.shipped(at("e", 4));
        lag.0.borrow_mut().oldest = Some((at("e", 5), Some(Time::from(&stamp("b", 40)))));
        let state = lag.state(&at("e", 9), &stamp("b", 100), Lang::En);
        assert_eq!((state.shipped.as_deref(), state.waiting, state.oldest_s), (Some("e/4"), Some(5), Some(60)));
        lag.shipped(at("e", 7));
        assert_eq!(
            lag.state(&at("e", 9), &stamp("b", 100), Lang::En).waiting,
            Some(2),
            "a batch went, and what comes behind it is not read yet"
        );
        let state = lag.state(&at("f", 2), &stamp("c", 39), Lang::En);
        assert_eq!((state.waiting, state.oldest_s), (None, None), "another epoch; a wall clock that went back");
    }
}
