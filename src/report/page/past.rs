//! What the log tells of the last seven days: each incident by its last record, and when somebody watched.

use crate::model::{AgentEvent, Body, IncidentBody, Phase, Record};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Incidents that are kept at most; the oldest that is over goes first.
pub(super) const MOST: usize = 200;
/// Stretches of watching that are kept at most.
const MOST_SPANS: usize = 200;
/// How far the page looks back.
pub const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What was read so far.
#[derive(Debug, Default)]
pub struct Past {
    last: BTreeMap<String, Kept>,
    taken: u64,
    /// From when to when the service ran; `None` = it still does.
    watched: Vec<(Timestamp, Option<Timestamp>)>,
    epoch: String,
    /// There were more than are kept.
    pub crowded: bool,
    /// All of the log was read.
    pub whole: bool,
}

#[derive(Debug)]
struct Kept {
    place: u64,
    record: Record,
}

/// An incident for the page.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Its last record.
    pub record: &'a Record,
    /// The same, as what it is.
    pub body: &'a IncidentBody,
    /// It was open when its epoch of the log was lost.
    pub lost: bool,
}

impl Told<'_> {
    /// From when to when; `None` = it is not over.
    pub fn span(&self) -> (Timestamp, Option<Timestamp>) {
        let card = &self.body.incident;
        let end = match card.phase {
            Phase::Resolved => Some(card.ended(self.record.time.wall)),
            Phase::Opened | Phase::Updated if self.lost => Some(self.record.time.wall),
            Phase::Opened | Phase::Updated => None,
        };
        (card.since.wall, end)
    }

    /// It is not over.
    pub fn is_open(&self) -> bool {
        self.span().1.is_none()
    }
}

impl Past {
    /// Takes a line of the log in; what is of no use, or of a later version, is passed over.
    pub fn take(&mut self, line: &[u8]) {
        let Ok(record) = serde_json::from_slice::<Record>(line) else { return };
        if self.epoch != record.epoch {
            self.epoch.clone_from(&record.epoch);
        }
        match &record.body {
            Body::Agent { agent, .. } => self.take_agent(agent, record.time.wall),
            Body::Incident(body) => {
                let name = body.incident.id.to_string();
                self.taken += 1;
                let place = self.last.get(&name).map_or(self.taken, |kept| kept.place);
                self.last.insert(name, Kept { place, record });
                if self.last.len() > MOST {
                    self.make_room();
                }
            }
        }
    }

    fn take_agent(&mut self, event: &AgentEvent, at: Timestamp) {
        let running = self.watched.last_mut().filter(|(_, until)| until.is_none());
        match event {
            AgentEvent::Started => {
                // The end of the run before was not told: nobody knows it.
                if let Some((since, until)) = running {
                    *until = Some(*since);
                }
                self.watched.push((at, None));
                if self.watched.len() > MOST_SPANS {
                    self.watched.remove(0);
                }
            }
            AgentEvent::Stopped { .. } => {
                if let Some((_, until)) = running {
                    *until = Some(at);
                }
            }
            AgentEvent::Gap { last_seen, .. } => {
                if let Some((_, until)) = running {
                    *until = Some(*last_seen);
                }
            }
            _ => {}
        }
    }

    fn make_room(&mut self) {
        self.crowded = true;
        let oldest = |only_over: bool| {
            let some = self.last.iter().filter(|(_, kept)| !only_over || self.told(kept).is_none_or(|told| !told.is_open()));
            some.min_by_key(|(_, kept)| kept.place).map(|(name, _)| name.clone())
        };
        if let Some(name) = oldest(true).or_else(|| oldest(false)) {
            self.last.remove(&name);
        }
    }

    fn told<'a>(&self, kept: &'a Kept) -> Option<Told<'a>> {
        match &kept.record.body {
            Body::Incident(body) => {
                let lost = body.incident.phase != Phase::Resolved && kept.record.epoch != self.epoch;
                Some(Told { record: &kept.record, body, lost })
            }
            Body::Agent { .. } => None,
        }
    }

    /// Those of the last seven days: open ones first, then the newest.
    pub fn incidents(&self, now: Timestamp) -> Vec<Told<'_>> {
        let begin = now.checked_sub(WEEK).unwrap_or(Timestamp::MIN);
        let recent = self.last.values().filter_map(|kept| self.told(kept)).filter(|told| told.span().1.is_none_or(|end| end >= begin));
        let mut recent: Vec<Told<'_>> = recent.collect();
        recent.sort_by_key(|told| (!told.is_open(), std::cmp::Reverse(told.span().0)));
        recent
    }

    /// From when to when the service ran, the oldest first; `None` = it still does.
    pub fn watched(&self) -> &[(Timestamp, Option<Timestamp>)] {
        &self.watched
    }
}
