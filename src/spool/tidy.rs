//! Forgetting the oldest segments, so that a crash at any moment leaves a log that accounts for itself.

use super::checkpoint::last_line;
use super::compose;
use super::log::{AppendError, Log, Recorded, failed};
use super::place::{Position, Segment};
use super::retention::{Kept, Limits, plan};
use super::seal::Line;
use super::store::Store;
use crate::model::{AgentEvent, Body, Stamp, TerminalCard};
use std::collections::BTreeMap;

impl<S: Store> Log<S> {
    /// Forgets what the limits say. `acknowledged` = the last record that every sink has; `None` = there is no sink
    /// (see [`Cursors::slowest`](super::Cursors::slowest)). Gives what it
    /// recorded for that. Does nothing while a batch is pending.
    pub fn tidy(
        &mut self,
        limits: Limits,
        acknowledged: Option<&Position>,
        card: &TerminalCard,
        now: &Stamp,
    ) -> Result<Vec<Recorded>, AppendError> {
        let finished = self.segments.len().saturating_sub(1);
        if !self.is_idle() || finished == 0 {
            return Ok(Vec::new());
        }
        let kept = self.kept(finished, limits, acknowledged, now);
        let plan = plan(&kept, self.segments[finished].bytes, limits, now.wall, now.clock);
        if plan.segments == 0 {
            return Ok(Vec::new());
        }
        let going = self.segments[..plan.segments].to_vec();
        let mut bodies = self.said_again(&going);
        bodies.extend(self.gaps(plan.segments, plan.reason));
        self.load_bodies(bodies, card, now);
        let recorded = self.flush()?;
        // It lists segments that go. The next one is made with the next segment.
        self.store.remove(super::checkpoint::FILE).map_err(failed("remove", super::checkpoint::FILE))?;
        for segment in &going {
            let object = segment.name.to_string();
            self.store.remove(&object).map_err(failed("remove", &object))?;
            self.segments.retain(|kept| kept.name != segment.name);
        }
        Ok(recorded)
    }

    fn kept(&self, finished: usize, limits: Limits, acknowledged: Option<&Position>, now: &Stamp) -> Vec<Kept> {
        let order = self.order();
        let rank = |epoch: &str| order.iter().position(|own| own == epoch);
        let mut may_be_old = true;
        let mut kept = Vec::new();
        for (at, segment) in self.segments[..finished].iter().enumerate() {
            let next = self.segments.get(at + 1).filter(|next| next.name.epoch == segment.name.epoch);
            // The age is read from the disk, from the oldest on until one is young.
            let newest = if may_be_old { self.newest(segment) } else { None };
            may_be_old &= newest.is_none_or(|newest| now.wall.duration_since(newest).unsigned_abs() > limits.keep);
            let acknowledged = acknowledged.is_none_or(|at| match (rank(&segment.name.epoch), rank(&at.epoch)) {
                (Some(this), Some(that)) if this == that => next.is_some_and(|next| next.name.first <= at.seq + 1),
                (Some(this), Some(that)) => this < that,
                (Some(_), None) => false,
                // Another machine's: nobody waits for it.
                (None, _) => true,
            });
            kept.push(Kept { bytes: segment.bytes, newest, acknowledged });
        }
        kept
    }

    fn newest(&self, segment: &Segment) -> Option<jiff::Timestamp> {
        let bytes = self.store.read(&segment.name.to_string(), 0).ok()?;
        Some(last_line(&bytes)?.record().ok()?.time.wall)
    }

    /// The open incidents whose last record is in what goes.
    fn said_again(&self, going: &[Segment]) -> Vec<Body> {
        let lost = self.open.values().filter(|place| going.iter().any(|segment| segment.name.to_string() == place.segment));
        lost.filter_map(|place| {
            let bytes = place.line(&self.store)?;
            Some(compose::again(&Line::read(&bytes).ok()?.record().ok()?))
        })
        .collect()
    }

    /// One record for each epoch that loses segments: all that is gone of it so far, and the hash that bridges.
    fn gaps(&self, going: usize, reason: &str) -> Vec<Body> {
        let mut ends: BTreeMap<String, (u64, Option<String>)> = BTreeMap::new();
        for (at, segment) in self.segments[..going].iter().enumerate() {
            let next = self.segments.get(at + 1).filter(|next| next.name.epoch == segment.name.epoch);
            let begins = next.and_then(|next| {
                let bytes = self.store.read(&next.name.to_string(), 0).ok()?;
                let line = Line::read(bytes.split(|b| *b == b'\n').next()?).ok()?;
                Some((line.seq - 1, line.prev.to_string()))
            });
            let end = match begins {
                Some((to, after)) => (to, Some(after)),
                None => self.end_of(segment),
            };
            ends.insert(segment.name.epoch.clone(), end);
        }
        let gap = |(epoch, (to, after))| {
            let (reason, before) = (reason.to_owned(), Some(super::seal::Digest::ZERO.to_string()));
            compose::agent_body(AgentEvent::SpoolGap { epoch, from: 1, to, reason, before, after })
        };
        ends.into_iter().map(gap).collect()
    }

    /// The last number of a segment and its hash, where nothing follows in its epoch.
    fn end_of(&self, segment: &Segment) -> (u64, Option<String>) {
        let bytes = self.store.read(&segment.name.to_string(), 0).unwrap_or_default();
        last_line(&bytes).map_or((segment.name.first, None), |line| (line.seq, Some(line.hash.to_string())))
    }
}
