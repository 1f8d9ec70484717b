//! When something may be sent outward, and how much. Pure; all times in milliseconds since boot.
//!
//! * A change of the ways opens one burst: half a second after the last change (two seconds after the first at most), of twelve SYN at most,
//!   spread over ten seconds, and over as soon as somebody proved who it is.
//! * By the clock only with leave, three SYN in any minute.
//! * No storm of changes makes more than three bursts in a minute.
//! * A neighbour inside that may be a proxy is asked with two, when nothing else is, and ten seconds lie between two of them.

use std::collections::VecDeque;

/// After the last change.
const DEBOUNCE: u64 = 500;
/// After the first change, at most.
const LONGEST_DEBOUNCE: u64 = 2000;
/// SYN of one burst.
pub const BURST: usize = 12;
/// Rounds of a burst after its first: the last more than ten seconds after the first, for who is alone and must prove itself twice.
const ROUNDS: [u64; 3] = [2000, 5000, 10_200];
/// SYN in any minute: by the clock, and in all.
const A_MINUTE_BY_CLOCK: usize = 3;
const A_MINUTE: usize = 3 * BURST;
const MINUTE: u64 = 60_000;
/// SYN for a neighbour, and the time between two: who is alone behind it is asked again then.
const A_NEIGHBOUR: usize = 2;
const NEIGHBOURS_APART: u64 = 10_200;

/// Why a round may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The ways changed; so many SYN are left to this burst.
    Change(usize),
    /// It is time.
    Clock(usize),
    /// A program talks to somebody inside who may be a proxy.
    Seen(usize),
}

impl Why {
    /// SYN that may be sent.
    pub fn most(self) -> usize {
        match self {
            Self::Change(left) | Self::Clock(left) | Self::Seen(left) => left,
        }
    }
}

/// A burst.
#[derive(Debug, Clone)]
struct Burst {
    changed_first: u64,
    due: u64,
    /// When its first round began, and the rounds that are still to come.
    began: Option<(u64, VecDeque<u64>)>,
    left: usize,
    /// SYN of its last round.
    size: usize,
}

/// What was sent, and what is to be sent.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    sent: VecDeque<(u64, usize, bool)>,
    burst: Option<Burst>,
    by_clock: Option<u64>,
    /// Who proved itself once is asked again, with what is left of the minute.
    again: bool,
    /// A neighbour waits to be asked, not before then; and when the last one was.
    neighbour: Option<u64>,
    neighbour_asked: Option<u64>,
}

impl Pace {
    /// The ways changed.
    pub fn changed(&mut self, now: u64) {
        let waiting = self.burst.as_ref().filter(|burst| burst.began.is_none()).map(|burst| burst.changed_first);
        let first = waiting.unwrap_or(now);
        let due = (now + DEBOUNCE).min(first + LONGEST_DEBOUNCE);
        self.burst = Some(Burst { changed_first: first, due, began: None, left: BURST, size: 0 });
    }

    /// Begins to send by the clock, the first time then; `None` = not by the clock.
    pub fn by_clock(&mut self, next: Option<u64>) {
        match next {
            None => self.by_clock = None,
            Some(next) => self.by_clock = self.by_clock.or(Some(next)),
        }
    }

    /// Somebody alone proved who it is: it is asked again then, at the latest.
    pub fn again(&mut self, at: u64) {
        if self.by_clock.is_some() {
            (self.by_clock, self.again) = (Some(at), true);
        }
        let Some(burst) = &mut self.burst else { return };
        let due = burst.due;
        if let Some((began, rest)) = &mut burst.began {
            rest.clear();
            // Where only one more round fits, it is that one.
            if due < at && burst.left >= 2 * burst.size {
                rest.push_back(at.saturating_sub(*began));
            } else {
                burst.due = at;
            }
        }
    }

    /// Whether a neighbour waits to be asked.
    pub fn seen(&mut self, waits: bool, now: u64) {
        self.neighbour = waits.then(|| self.neighbour_asked.map_or(now, |asked| asked + NEIGHBOURS_APART));
    }

    /// When something is due next.
    pub fn due(&self) -> Option<u64> {
        let neighbour = self.neighbour.filter(|_| self.burst.is_none());
        self.burst.as_ref().map(|burst| burst.due).into_iter().chain(self.by_clock).chain(neighbour).min()
    }

    /// Why something may be sent now; `None` = it may not.
    pub fn may(&mut self, now: u64) -> Option<Why> {
        while self.sent.front().is_some_and(|(at, ..)| at + MINUTE <= now) {
            self.sent.pop_front();
        }
        let all: usize = self.sent.iter().map(|(_, n, _)| n).sum();
        if let Some(burst) = self.burst.as_mut().filter(|burst| burst.due <= now) {
            let left = burst.left.min(A_MINUTE.saturating_sub(all));
            if left > 0 {
                return Some(Why::Change(left));
            }
            burst.due = self.sent.front().map_or(now, |(at, ..)| at + MINUTE);
        }
        if self.burst.is_none() && self.neighbour.is_some_and(|due| due <= now) {
            if all + A_NEIGHBOUR <= A_MINUTE {
                return Some(Why::Seen(A_NEIGHBOUR));
            }
            self.neighbour = self.sent.front().map(|(at, ..)| at + MINUTE);
        }
        if self.by_clock.is_some_and(|due| due <= now) {
            let clocked: usize = self.sent.iter().filter(|(_, _, clocked)| *clocked).map(|(_, n, _)| n).sum();
            let left = A_MINUTE_BY_CLOCK.saturating_sub(clocked);
            // Half a round proves half, unless it is the second half: wait until the minute is over.
            if clocked == 0 || (self.again && left > 0) {
                return Some(Why::Clock(left));
            }
            self.by_clock = self.sent.iter().find(|(.., clocked)| *clocked).map(|(at, ..)| at + MINUTE);
        }
        None
    }

    /// So many SYN are being sent; `then` is how many the next round of the burst would take. `next` is when the clock asks again.
    pub fn send(&mut self, now: u64, why: Why, size: usize, then: usize, next: Option<u64>) {
        if size > 0 {
            self.sent.push_back((now, size, matches!(why, Why::Clock(_))));
        }
        match why {
            Why::Clock(_) => (self.by_clock, self.again) = (next, false),
            Why::Seen(_) => (self.neighbour, self.neighbour_asked) = (None, Some(now)),
            Why::Change(_) if size == 0 => self.burst = None,
            Why::Change(_) => {
                let Some(burst) = &mut self.burst else { return };
                (burst.left, burst.size) = (burst.left.saturating_sub(size), size);
                let (began, rest) = burst.began.get_or_insert_with(|| (now, ROUNDS.into()));
                // Where only one more fits, it is the last.
                let fit = burst.left / then.max(1);
                let after = if fit == 1 { rest.drain(..).next_back() } else { rest.pop_front() };
                match after {
                    Some(after) if fit > 0 => burst.due = *began + after,
                    Some(_) | None => self.burst = None,
                }
            }
        }
    }

    /// Somebody proved who it is: no more is needed.
    pub fn settled(&mut self) {
        if self.burst.as_ref().is_some_and(|burst| burst.began.is_some()) {
            self.burst = None;
        }
    }

    /// The first round since the last change is still to come.
    pub fn is_first(&self) -> bool {
        self.burst.as_ref().is_some_and(|burst| burst.began.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a burst of rounds of this size, all in vain: when each was sent.
    fn rounds(pace: &mut Pace, from: u64, size: usize) -> Vec<u64> {
        let mut at = Vec::new();
        for now in (from..from + 60_000).step_by(100) {
            if let Some(why) = pace.may(now) {
                let size = size.min(why.most());
                pace.send(now, why, size, size, None);
                at.push(now - from);
            }
        }
        at
    }

    #[test]
    fn a_change_is_waited_out_but_not_for_ever() {
        let mut pace = Pace::default();
        pace.changed(1000);
        assert_eq!((pace.may(1400), pace.due()), (None, Some(1500)));
        pace.changed(1400);
        assert_eq!(pace.due(), Some(1900));
        for now in (1400..5000).step_by(100) {
            pace.changed(now);
        }
        assert_eq!(pace.due(), Some(3000));
    }

    #[test]
    fn a_burst_is_twelve_at_most_and_ends_after_ten_seconds() {
        for (size, sent) in [(1, 4), (3, 4), (4, 3), (6, 2), (12, 1)] {
            let mut pace = Pace::default();
            pace.changed(0);
            let at = rounds(&mut pace, 0, size);
            assert_eq!(at.len(), sent, "{size}");
            assert!(sent * size <= 12 && (sent == 1 || at[sent - 1] >= at[0] + 10_000));
            assert_eq!(pace.due(), None);
        }
    }

    #[test]
    fn a_large_first_round_leaves_room_for_smaller_ones_soon_after() {
        for (then, sent) in [(6, vec![0, 10_200]), (3, vec![0, 2000, 10_200]), (2, vec![0, 2000, 5000, 10_200])] {
            let mut pace = Pace::default();
            pace.changed(0);
            let mut at = Vec::new();
            for now in (500..60_000).step_by(100) {
                let Some(why) = pace.may(now) else { continue };
                pace.send(now, why, if at.is_empty() { 6 } else { then }, then, None);
                at.push(now - 500);
            }
            assert_eq!(at, sent, "{then}");
        }
    }

    #[test]
    fn who_is_alone_late_in_a_burst_is_still_asked_again() {
        for first in [0, 2000, 5000] {
            let mut pace = Pace::default();
            pace.changed(0);
            let mut at = Vec::new();
            for now in (0..60_000).step_by(100) {
                let Some(why) = pace.may(now) else { continue };
                pace.send(now, why, 3, 3, None);
                at.push(now - 500);
                if now - 500 >= first {
                    pace.again(first + 500 + 10_200);
                }
            }
            assert!(at.len() <= 4 && at.contains(&(first + 10_200)), "{first}: {at:?}");
        }
    }

    #[test]
    fn a_proof_ends_a_burst_and_a_new_change_begins_another() {
        let mut pace = Pace::default();
        pace.changed(0);
        pace.send(500, Why::Change(12), 3, 3, None);
        pace.settled();
        assert_eq!(pace.due(), None);
        pace.changed(3000);
        // What is settled is the round before.
        pace.settled();
        assert_eq!(pace.due(), Some(3500));
    }

    #[test]
    fn where_there_is_no_route_nothing_is_sent_and_nothing_waits() {
        let mut pace = Pace::default();
        pace.changed(0);
        assert!(pace.may(500).is_some());
        pace.send(500, Why::Change(12), 0, 0, None);
        assert_eq!(pace.due(), None);
    }

    #[test]
    fn a_storm_of_changes_makes_no_storm_outward() {
        let mut pace = Pace::default();
        let mut sent = 0;
        for now in (0..60_000).step_by(100) {
            if now % 1000 == 0 {
                pace.changed(now);
            }
            if let Some(why) = pace.may(now) {
                pace.send(now, why, 3.min(why.most()), 3.min(why.most()), None);
                sent += 3;
            }
        }
        assert!(sent <= A_MINUTE, "{sent}");
    }

    #[test]
    fn who_is_alone_is_asked_again_within_the_minute() {
        let mut pace = Pace::default();
        pace.by_clock(Some(0));
        let why = pace.may(0).expect("due");
        pace.send(0, why, 2, 2, Some(60_000));
        pace.again(10_200);
        assert_eq!(pace.may(10_100), None);
        assert_eq!(pace.may(10_200), Some(Why::Clock(1)));
        pace.send(10_200, Why::Clock(1), 1, 1, Some(70_000));
        assert_eq!(pace.may(20_000), None);
    }

    #[test]
    fn by_the_clock_three_in_any_minute_however_often_it_is_asked() {
        let mut pace = Pace::default();
        pace.by_clock(Some(0));
        let mut at = Vec::new();
        for now in (0..600_000).step_by(500) {
            if let Some(why) = pace.may(now) {
                assert_eq!(why, Why::Clock(3));
                pace.send(now, why, 3, 3, Some(now + 5000));
                at.push(now);
            }
        }
        assert!(at.len() == 10 && at.windows(2).all(|pair| pair[1] - pair[0] >= 60_000), "{at:?}");
    }

    #[test]
    fn no_neighbour_is_asked_beyond_what_may_leave_in_a_minute() {
        let mut pace = Pace::default();
        for now in [500, 2000, 4000] {
            pace.changed(now - 500);
            pace.send(now, Why::Change(12), 12, 12, None);
        }
        pace.seen(true, 5000);
        assert_eq!((pace.may(5000), pace.due()), (None, Some(60_500)));
        pace.seen(true, 60_500);
        assert_eq!(pace.may(60_500), Some(Why::Seen(2)));
    }

    #[test]
    fn half_a_round_by_the_clock_waits_until_the_minute_is_over() {
        let mut pace = Pace::default();
        pace.by_clock(Some(0));
        let why = pace.may(0).expect("due");
        pace.send(0, why, 2, 2, Some(30_000));
        assert_eq!((pace.may(30_000), pace.due()), (None, Some(60_000)));
        assert_eq!(pace.may(60_000), Some(Why::Clock(3)));
    }

    #[test]
    fn neighbours_are_asked_one_by_one_and_only_when_nothing_else_is() {
        let mut pace = Pace::default();
        pace.changed(0);
        pace.seen(true, 0);
        assert_eq!((pace.due(), pace.may(100)), (Some(500), None), "a burst is waited for");
        pace.send(500, Why::Change(12), 12, 12, None);
        let mut at = Vec::new();
        for now in (500..60_000).step_by(100) {
            pace.seen(true, now);
            if let Some(why) = pace.may(now) {
                assert_eq!(why, Why::Seen(2));
                pace.send(now, why, 2, 2, None);
                at.push(now);
            }
        }
        assert_eq!(at, [500, 10_700, 20_900, 31_100, 41_300, 51_500]);
        pace.seen(false, 60_000);
        assert_eq!(pace.due(), None);
    }
}
