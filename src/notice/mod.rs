//! What a desktop is told of the status, and when. Pure: the status, a monotonic time and what was told before go in, orders come out.
//!
//! * One notice for one phase of an incident: that it opened, and for a disconnection that it is over. What opens at one moment, or within
//!   [`TOGETHER`] of a notice about the same, goes into one.
//! * An end counts once it has lasted for [`QUIET`], so that what comes and goes is told once; the daemon's own id tells what came back.
//! * What is known better changes the text of the notice that stands, and is no new one.
//! * Whoever logs in is told of what is open once, but not of devices that were there before, and never of what is over.
//! * Nothing is shown over what fills the screen. Once that has ended, what is so then is told; what came and went meanwhile never is.
//! * Only what is proved counts as a breach of isolation. A disconnection within an announced window is told quietly.

mod seen;
mod words;

pub use seen::Seen;

use crate::catalogue::Lang;
use seen::{Open, Subject};
use std::collections::BTreeMap;
use std::time::Duration;

/// For so long something must have been over. Until then it is the same, should it come back.
pub const QUIET: Duration = Duration::from_mins(1);
/// The same for what has come back before: as long as the daemon waits before it believes such a thing.
pub const QUIET_AGAIN: Duration = Duration::from_mins(5);
/// What follows a notice about the same within this time is written into it: a stick is plugged in, then opened.
pub const TOGETHER: Duration = Duration::from_mins(1);
/// How often the text of a notice may change while it stands.
const AMENDED: u8 = 5;
/// Incidents that are kept in mind: more than a terminal ever has open.
const MOST: usize = 256;

/// What a notice is about; the first matters most. Each has one place on the desktop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Whether one can settle.
    Settlement,
    /// The separation from the internet.
    Isolation,
    /// What is plugged in.
    Usb,
}

/// How loud. Never critical: that would stand over the cashier's program and stay there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Into the list, as far as the desktop has one.
    Low,
    /// As any program's.
    Normal,
}

/// What is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// In whose place.
    pub topic: Topic,
    /// It tells that something is over.
    pub over: bool,
    /// How loud.
    pub urgency: Urgency,
    /// One line, plain text without control characters.
    pub summary: String,
    /// Lines of the same kind.
    pub body: Vec<String>,
}

/// What to do on the desktop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Show it, in place of the one before.
    Tell(Notice),
    /// Change the text of the one that stands there, quietly; nothing where it was closed already.
    Amend(Notice),
    /// Take it away: it is not so any more, and that is no news.
    Withdraw(Topic),
}

/// What follows from a look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// In this order.
    pub orders: Vec<Order>,
    /// There is something to show, but not over what fills the screen.
    pub waits: bool,
    /// When to look again even if nothing changes, ms on the clock that was given; `None` = no need.
    pub due_ms: Option<u64>,
}

/// An incident that was seen open.
#[derive(Debug, Clone)]
struct Known {
    subject: Subject,
    told: bool,
    /// It began in an announced window.
    planned: bool,
    /// After which quiet its end counts.
    quiet: Duration,
    /// It is not open any more; its end counts then, ms.
    over_ms: Option<u64>,
}

/// What stands in one place.
#[derive(Debug, Clone)]
struct Card {
    told_ms: u64,
    /// `None` = it was told along with another.
    notice: Option<Notice>,
    amended: u8,
    /// What was told along with it, by topic.
    also: BTreeMap<Topic, String>,
}

/// What was told, and decides what is to be told.
#[derive(Debug, Clone, Default)]
pub struct Teller {
    met: bool,
    known: Vec<Known>,
    cards: BTreeMap<Topic, Card>,
}

impl Teller {
    /// Takes a look. `now_ms` never goes back; the status is in the language that is told. Where the screen is not `free`, only what covers
    /// nothing is ordered: what is to be shown then is decided anew by the look that finds it free, so nothing that is past is told.
    pub fn step(&mut self, seen: &Seen, now_ms: u64, free: bool, lang: Lang) -> Step {
        // Before the first round has ended the daemon only remembers.
        if seen.looked_at.is_none() {
            return Step { due_ms: self.due(now_ms), ..Step::default() };
        }
        let open = seen.subjects();
        self.note(&open, now_ms);
        if !std::mem::replace(&mut self.met, true) {
            self.pass_over(Topic::Usb);
        }
        let mut orders = self.withdraw(now_ms);
        let mut after = self.clone();
        let shown = after.show(seen, &open, now_ms, lang);
        let waits = !free && !shown.is_empty();
        if !waits {
            *self = after;
            orders.extend(shown);
        }
        Step { orders, waits, due_ms: self.due(now_ms) }
    }

    /// What is news, and texts that are not right any more.
    fn show(&mut self, seen: &Seen, open: &[Open<'_>], now_ms: u64, lang: Lang) -> Vec<Order> {
        let recovered = self.recovered(seen, now_ms);
        let mut orders = Vec::from_iter(self.tell(seen, open, recovered, now_ms, lang));
        orders.extend(self.amend(seen, open, &orders, lang));
        orders
    }

    /// Keeps in mind what is open, and since when something is not.
    fn note(&mut self, open: &[Open<'_>], now_ms: u64) {
        let mut there = vec![false; self.known.len()];
        for it in open {
            match self.known.iter().position(|known| known.subject.is(&it.subject)) {
                Some(at) => {
                    let known = &mut self.known[at];
                    known.subject.learn(&it.subject);
                    (known.planned, known.quiet, known.over_ms) = (it.planned, it.quiet(), None);
                    if let Some(there) = there.get_mut(at) {
                        *there = true;
                    }
                }
                None if self.known.len() < MOST => self.known.push(Known {
                    subject: it.subject.clone(),
                    told: false,
                    planned: it.planned,
                    quiet: it.quiet(),
                    over_ms: None,
                }),
                None => {}
            }
        }
        let mut there = there.into_iter().chain(std::iter::repeat(true));
        self.known.retain_mut(|known| {
            if !there.next().unwrap_or(true) && known.over_ms.is_none() {
                known.over_ms = Some(now_ms.saturating_add(u64::try_from(known.quiet.as_millis()).unwrap_or(u64::MAX)));
            }
            // What was never told needs no end.
            known.told || known.over_ms.is_none()
        });
    }

    fn pass_over(&mut self, topic: Topic) {
        for known in self.known.iter_mut().filter(|known| known.subject.topic == topic) {
            known.told = true;
        }
    }

    /// All disconnections that were told are over, for long enough, and one can settle: whether all of them had been announced.
    fn recovered(&mut self, seen: &Seen, now_ms: u64) -> Option<bool> {
        let (mut any, mut open, mut planned) = (false, false, true);
        for known in self.known.iter().filter(|known| known.subject.topic == Topic::Settlement) {
            any = true;
            open |= known.over_ms.is_none_or(|over| over > now_ms);
            planned &= known.planned;
        }
        if !any || open || seen.connected != Some(true) {
            return None;
        }
        self.known.retain(|known| known.subject.topic != Topic::Settlement);
        Some(planned)
    }

    /// What is over, and whose end is no news.
    fn withdraw(&mut self, now_ms: u64) -> Vec<Order> {
        let still = |known: &[Known], topic| known.iter().any(|known| known.subject.topic == topic);
        let before = [Topic::Isolation, Topic::Usb].map(|topic| still(&self.known, topic));
        self.known.retain(|known| known.subject.topic == Topic::Settlement || known.over_ms.is_none_or(|over| over > now_ms));
        let mut orders = Vec::new();
        for (topic, before) in [Topic::Isolation, Topic::Usb].into_iter().zip(before) {
            if before && !still(&self.known, topic) {
                if self.cards.remove(&topic).is_some_and(|card| card.notice.is_some()) {
                    orders.push(Order::Withdraw(topic));
                }
                for card in self.cards.values_mut() {
                    card.also.remove(&topic);
                }
            }
        }
        orders
    }

    /// All that is new, in one notice.
    fn tell(&mut self, seen: &Seen, open: &[Open<'_>], recovered: Option<bool>, now_ms: u64, lang: Lang) -> Option<Order> {
        let mut news: BTreeMap<Topic, Notice> = BTreeMap::new();
        if let Some(planned) = recovered {
            news.insert(Topic::Settlement, words::recovered(planned, lang));
        }
        for topic in [Topic::Settlement, Topic::Isolation, Topic::Usb] {
            // One can settle, says the last round: whether it is over, or was never so, shows in a moment.
            if topic == Topic::Settlement && seen.connected == Some(true) {
                continue;
            }
            // What was over a moment ago and is open under another name is hardly news.
            let about = |known: &&mut Known| known.subject.topic == topic;
            let (mut fresh, mut older) = (false, false);
            for known in self.known.iter_mut().filter(about) {
                if known.told {
                    older = true;
                } else {
                    fresh = true;
                }
                known.told = true;
            }
            // What was told a moment ago is amended instead.
            let just = |card: &Card| now_ms.saturating_sub(card.told_ms) < u64::try_from(TOGETHER.as_millis()).unwrap_or(u64::MAX);
            if fresh && !(older && self.cards.get(&topic).is_some_and(just)) {
                news.insert(topic, words::opened(topic, seen, open, lang));
            }
        }
        let (&topic, _) = news.first_key_value()?;
        let lead = news.remove(&topic)?;
        let also: BTreeMap<Topic, String> = news.into_iter().map(|(topic, notice)| (topic, notice.summary)).collect();
        for told in also.keys() {
            self.cards.insert(*told, Card { told_ms: now_ms, notice: None, amended: 0, also: BTreeMap::new() });
        }
        let notice = words::along(lead, &also, lang);
        self.cards.insert(topic, Card { told_ms: now_ms, notice: Some(notice.clone()), amended: 0, also });
        Some(Order::Tell(notice))
    }

    /// Texts that are not right any more.
    fn amend(&mut self, seen: &Seen, open: &[Open<'_>], so_far: &[Order], lang: Lang) -> Vec<Order> {
        let mut orders = Vec::new();
        for (&topic, card) in &mut self.cards {
            let Some(stands) = &card.notice else { continue };
            let told = so_far.iter().any(|order| matches!(order, Order::Tell(notice) if notice.topic == topic));
            let about = || open.iter().filter(|it| it.subject.topic == topic);
            // Between the first round that is well and the end of the incident nothing needs to be said.
            let in_between = topic == Topic::Settlement && seen.connected == Some(true) && !about().any(Open::flaps);
            if told || stands.over || about().next().is_none() || in_between || card.amended >= AMENDED {
                continue;
            }
            let now = Notice { urgency: Urgency::Low, ..words::along(words::opened(topic, seen, open, lang), &card.also, lang) };
            if (&now.summary, &now.body) != (&stands.summary, &stands.body) {
                card.amended += 1;
                card.notice = Some(now.clone());
                orders.push(Order::Amend(now));
            }
        }
        orders
    }

    /// What is past waits for a round that tells.
    fn due(&self, now_ms: u64) -> Option<u64> {
        self.known.iter().filter_map(|known| known.over_ms).filter(|over| *over > now_ms).min()
    }
}

#[cfg(test)]
mod tests;
