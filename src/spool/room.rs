//! Where records wait until the disk takes them. Pure, bounded.
//!
//! While there is room everything waits in order. When it is full, what is given up is decided by [`Overflow`]; nothing that is given up has
//! a number yet, so the log stays gapless.

use super::log::Item;
use crate::model::{Change, Phase, What};
use std::collections::VecDeque;

/// What is given up when the room is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// First an `updated` record of an incident of which a later one waits, then the oldest `updated` record. What opens or resolves an
    /// incident, and what is about the agent, is kept, up to four times the room; past that the newcomer is given up.
    KeepTurningPoints,
}

/// How far turning points may exceed the room.
const HARD: usize = 4;

/// The waiting room.
#[derive(Debug, Clone, PartialEq)]
pub struct Room {
    waiting: VecDeque<Item>,
    places: usize,
    overflow: Overflow,
    given_up: u64,
}

/// What became of a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// It waits, and so does all else.
    Kept,
    /// One record was given up for it, or it itself.
    GaveUp,
}

impl Room {
    /// An empty room for so many records.
    pub fn new(places: usize, overflow: Overflow) -> Self {
        Self { waiting: VecDeque::new(), places, overflow, given_up: 0 }
    }

    /// Lets a record in.
    pub fn enter(&mut self, item: Item) -> Waiting {
        if self.waiting.len() < self.places {
            self.waiting.push_back(item);
            return Waiting::Kept;
        }
        match self.overflow {
            Overflow::KeepTurningPoints => self.keep_turning_points(item),
        }
    }

    fn keep_turning_points(&mut self, item: Item) -> Waiting {
        self.waiting.push_back(item);
        let gone = self.repeated().or_else(|| self.waiting.iter().position(|item| updated(item).is_some()));
        let beyond = self.waiting.len() > self.places * HARD;
        match gone.or_else(|| beyond.then(|| self.waiting.len() - 1)) {
            Some(at) => {
                self.waiting.remove(at);
                self.given_up += 1;
                Waiting::GaveUp
            }
            None => Waiting::Kept,
        }
    }

    /// An `updated` record whose incident has a later one waiting.
    fn repeated(&self) -> Option<usize> {
        let mut later = std::collections::BTreeSet::new();
        let mut found = None;
        for (at, item) in self.waiting.iter().enumerate().rev() {
            if let What::Incident(incident) = &item.draft.what {
                if updated(item).is_some() && later.contains(&incident.key) {
                    found = Some(at);
                }
                later.insert(incident.key);
            }
        }
        found
    }

    /// The next ones, in order.
    pub fn leave(&mut self, most: usize) -> Vec<Item> {
        self.waiting.drain(..most.min(self.waiting.len())).collect()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// None waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many were given up since [`account`](Self::account).
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// So many of those that were given up are accounted for by a record.
    pub fn account(&mut self) -> u64 {
        std::mem::take(&mut self.given_up)
    }
}

/// The incident of which it is an `updated` record.
fn updated(item: &Item) -> Option<u64> {
    match &item.draft.what {
        // What somebody said is no repeat of anything.
        What::Incident(incident) if incident.phase == Phase::Updated && incident.change != Change::Commented => Some(incident.key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{agent, incident, item};
    use super::*;
    use proptest::prelude::*;

    fn tickets(room: &mut Room) -> Vec<u64> {
        room.leave(usize::MAX).iter().map(|item| item.ticket).collect()
    }

    #[test]
    fn repeats_go_first_and_turning_points_stay() {
        let mut room = Room::new(4, Overflow::KeepTurningPoints);
        room.enter(item(1, incident(1, Phase::Opened)));
        room.enter(item(2, incident(2, Phase::Updated)));
        room.enter(item(3, incident(1, Phase::Updated)));
        room.enter(item(4, incident(1, Phase::Updated)));
        assert_eq!(room.enter(item(5, agent())), Waiting::GaveUp);
        assert_eq!(room.enter(item(6, incident(1, Phase::Resolved))), Waiting::GaveUp);
        assert_eq!((room.given_up(), tickets(&mut room)), (2, vec![1, 2, 5, 6]));
    }

    proptest! {
        #[test]
        fn the_room_is_bounded_and_gives_up_no_turning_point_before_the_hard_bound(moves in proptest::collection::vec((0_u64..4, 0..4), 0..60)) {
            let mut room = Room::new(8, Overflow::KeepTurningPoints);
            let mut turning = Vec::new();
            for (ticket, (key, kind)) in (0..).zip(moves) {
                let what = match kind {
                    0 => incident(key, Phase::Opened),
                    1 => incident(key, Phase::Resolved),
                    2 => incident(key, Phase::Updated),
                    _ => agent(),
                };
                let before = room.len() as u64 + room.given_up();
                room.enter(item(ticket, what));
                prop_assert_eq!(room.len() as u64 + room.given_up(), before + 1);
                if kind != 2 && turning.len() < 32 {
                    turning.push(ticket);
                }
            }
            prop_assert!(room.len() <= 32);
            let left = tickets(&mut room);
            prop_assert!(left.is_sorted());
            prop_assert!(turning.iter().all(|ticket| left.contains(ticket)));
        }
    }
}
