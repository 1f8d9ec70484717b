//! How long each part of the way took to answer in the last 24 hours, for the plots of the page. Bounded: one entry each ten minutes and
//! part of the way.

use crate::model::{Chain, Layer, LayerState, PathItem};
use std::collections::{BTreeMap, VecDeque};

/// What one entry spans, milliseconds.
pub const SLOT_MS: u64 = 10 * 60 * 1000;
/// Entries of a day.
pub const SLOTS: u64 = 24 * 60 * 60 * 1000 / SLOT_MS;
/// Parts of the way at most; a site with more centres sees the first.
const MOST: usize = 16;

/// The last day, by a clock that cannot be set.
#[derive(Debug, Default)]
pub struct History {
    rows: BTreeMap<(Chain, Layer), VecDeque<Slot>>,
}

/// What was seen in one stretch of ten minutes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot {
    /// Counts stretches since boot.
    pub number: u64,
    /// The shortest, the longest and the sum of the times, milliseconds.
    pub least: f64,
    /// See [`least`](Self::least).
    pub most: f64,
    sum: f64,
    count: u32,
    /// It did not answer at least once.
    pub failed: bool,
}

impl Slot {
    /// The mean; `None` = it never answered.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

impl History {
    /// Takes in what a round found, at that time since boot.
    pub fn take(&mut self, now_ms: u64, path: &[PathItem]) {
        let number = now_ms / SLOT_MS;
        for item in path {
            let failed = item.state == LayerState::Failed;
            let ms = item.ms.filter(|ms| item.state == LayerState::Ok && ms.is_finite());
            let key = (item.chain.clone(), item.layer);
            // A part that never told a time has no plot.
            if (ms.is_none() && !self.rows.contains_key(&key)) || (self.rows.len() >= MOST && !self.rows.contains_key(&key)) {
                continue;
            }
            let row = self.rows.entry(key).or_default();
            if row.back().is_none_or(|slot| slot.number != number) {
                row.push_back(Slot { number, least: f64::INFINITY, most: 0.0, sum: 0.0, count: 0, failed: false });
            }
            if let Some(slot) = row.back_mut() {
                slot.failed |= failed;
                if let Some(ms) = ms {
                    (slot.least, slot.most) = (slot.least.min(ms), slot.most.max(ms));
                    (slot.sum, slot.count) = (slot.sum + ms, slot.count.saturating_add(1));
                }
            }
        }
        for row in self.rows.values_mut() {
            while row.front().is_some_and(|slot| slot.number + SLOTS <= number) {
                row.pop_front();
            }
        }
        self.rows.retain(|_, row| !row.is_empty());
    }

    /// Each part of the way with its entries, the oldest first.
    pub fn rows(&self) -> impl Iterator<Item = (&Chain, Layer, &VecDeque<Slot>)> {
        self.rows.iter().map(|((chain, layer), row)| (chain, *layer, row))
    }

    /// How many entries are kept.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.rows.values().map(VecDeque::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Subject;

    fn item(centre: usize, state: LayerState, ms: Option<f64>) -> PathItem {
        let chain = Chain::Centre(format!("c{centre}"));
        PathItem { chain, layer: Layer::Tcp, subject: Subject::Terminal, state, fact: String::new(), ms }
    }

    #[test]
    fn a_day_is_kept_of_sixteen_parts_and_no_more() {
        let mut history = History::default();
        for minute in 0..3 * 24 * 60 {
            let items: Vec<_> = (0..40).map(|centre| item(centre, LayerState::Ok, Some(5.0))).collect();
            history.take(minute * 60_000, &items);
        }
        assert_eq!(history.held(), MOST * usize::try_from(SLOTS).expect("it is small"));
    }

    #[test]
    fn what_left_the_way_leaves_the_plots_a_day_later() {
        let mut history = History::default();
        history.take(0, &[item(1, LayerState::Ok, Some(5.0))]);
        history.take(SLOTS * SLOT_MS, &[item(2, LayerState::Ok, Some(5.0))]);
        assert_eq!(history.rows().map(|(chain, ..)| chain.clone()).collect::<Vec<_>>(), [Chain::Centre("c2".to_owned())]);
    }

    #[test]
    fn a_slot_tells_the_least_the_mean_the_most_and_that_it_failed() {
        let mut history = History::default();
        history.take(0, &[item(1, LayerState::Failed, None)]);
        assert_eq!(history.held(), 0, "it never told a time");
        for ms in [2.0, 10.0] {
            history.take(1000, &[item(1, LayerState::Ok, Some(ms))]);
        }
        history.take(2000, &[item(1, LayerState::Failed, Some(3000.0))]);
        let slot = *history.rows().next().expect("a row").2.front().expect("a slot");
        assert_eq!((slot.least, slot.mean(), slot.most, slot.failed), (2.0, Some(6.0), 10.0, true));
    }
}
