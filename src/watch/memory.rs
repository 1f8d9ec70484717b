//! What a watcher remembers of its findings: since when each is seen, and whether it was there when watching began. Pure.

use super::MINUTE;
use crate::model::{Evidence, Finding, FindingCode, Origin, Stamp, Subject};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

/// While a PC starts everything comes up by and by: what appears then was there before, and what is not there yet may still come. Since
/// boot, ms.
pub const STARTING_MS: u64 = 180_000;

/// Something that is missing may be about to come back: a program that is started anew. Ms.
const RESTART_MS: u64 = 30_000;

/// Between two looks at the whole network, however much changes in it: each lists all routes.
pub const REST: Duration = Duration::from_secs(1);

/// What is remembered of one finding.
#[derive(Debug, Clone)]
struct Sight {
    since_ms: u64,
    finding: Finding,
}

/// What a look saw.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sights {
    /// All that is found.
    pub found: Vec<Finding>,
    /// Of these nothing could be seen now: what was found of them stays found.
    pub unseen: Vec<FindingCode>,
}

impl From<Vec<Finding>> for Sights {
    fn from(found: Vec<Finding>) -> Self {
        Self { found, unseen: Vec::new() }
    }
}

/// What a watcher saw until now.
#[derive(Debug, Default)]
pub struct Memory {
    begun: bool,
    sights: BTreeMap<(FindingCode, Subject), Sight>,
}

impl Memory {
    /// What is to be told of all that is seen now, and when to look again. A finding keeps the origin that it had at first sight until a later
    /// one shows it better (what was there before stays so), and is told
    /// from the moment on that `due` says for one seen since then (both ms since boot). `None` = nothing can be told yet: something was there
    /// at the first look that may pass, and to leave it out would close what an earlier run told of it.
    pub fn take(&mut self, seen: impl Into<Sights>, at: &Stamp, due: impl Fn(&Finding, u64) -> u64) -> (Option<Vec<Finding>>, Duration) {
        let (now, Sights { found, unseen }) = (at.boottime_ms, seen.into());
        let began = !self.begun || now < STARTING_MS;
        self.begun = true;
        let before = std::mem::take(&mut self.sights);
        for mut finding in found {
            let key = (finding.code, finding.subject.clone());
            let earlier = before.get(&key);
            let fresh = if began { Origin::PreExisting } else { finding.origin };
            finding.origin = earlier.map_or(fresh, |sight| known_by_now(&sight.finding, &finding));
            let since_ms = earlier.map_or(now, |sight| sight.since_ms);
            self.sights.insert(key, Sight { since_ms, finding });
        }
        for (key, sight) in before.into_iter().filter(|(key, _)| unseen.contains(&key.0)) {
            self.sights.entry(key).or_insert(sight);
        }
        let (mut told, mut waits, mut holds) = (Vec::new(), MINUTE, false);
        for Sight { since_ms, finding } in self.sights.values() {
            let due = due(finding, *since_ms);
            if due <= now {
                told.push(finding.clone());
            } else {
                waits = waits.min(Duration::from_millis(due - now));
                holds |= finding.origin == Origin::PreExisting;
            }
        }
        ((!holds).then_some(told), waits)
    }

    /// From now on by another measure: what is seen next was there before, but for what is known already.
    pub fn begin_again(&mut self) {
        self.begun = false;
    }
}

/// Where something came from, after another look at it. That it came from outside is believed at once; that it did not only when something new
/// was seen: a lease that is gone proves nothing.
fn known_by_now(before: &Finding, now: &Finding) -> Origin {
    match (before.origin, now.origin) {
        (Origin::LocalChange, Origin::Upstream) => Origin::Upstream,
        (Origin::Upstream, Origin::LocalChange) if now.evidence.iter().any(|line| !before.evidence.contains(line)) => Origin::LocalChange,
        (before, _) => before,
    }
}

/// A line of proof.
pub fn fact(k: &str, target: impl Display, result: impl Display) -> Evidence {
    Evidence { k: k.to_owned(), target: target.to_string(), result: result.to_string(), ms: None, n: 1, boot_ms: None }
}

/// Told at first sight.
pub fn at_once(_: &Finding, since_ms: u64) -> u64 {
    since_ms
}

/// Told when it has stood for so long; while a PC starts nothing stands.
pub fn once_it_stands(since_ms: u64, for_ms: u64) -> u64 {
    STARTING_MS.max(since_ms + for_ms)
}

/// Told when it has been missing for longer than a restart takes.
pub fn after_a_restart(since_ms: u64) -> u64 {
    once_it_stands(since_ms, RESTART_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ClockState;

    fn at(seconds: u64) -> Stamp {
        let wall = jiff::Timestamp::UNIX_EPOCH;
        Stamp { boot_id: "b".to_owned(), boottime_ms: seconds * 1000, wall, offset_s: 0, clock: ClockState::Unknown }
    }

    fn seen(name: &str) -> Vec<Finding> {
        vec![Finding::new(FindingCode::AntivirusDown, Subject::Program(name.to_owned()), Origin::LocalChange)]
    }

    fn origins(told: Option<Vec<Finding>>) -> Vec<Origin> {
        told.expect("told").iter().map(|finding| finding.origin).collect()
    }

    #[test]
    fn what_is_there_at_the_first_look_was_there_before_and_what_comes_later_was_not() {
        let mut memory = Memory::default();
        let mut look = |seconds, names: &[&str]| {
            let seen: Vec<Finding> = names.iter().flat_map(|name| seen(name)).collect();
            origins(memory.take(seen, &at(seconds), at_once).0)
        };
        assert_eq!(look(1000, &["a"]), [Origin::PreExisting]);
        assert_eq!(look(1001, &["a", "b"]), [Origin::PreExisting, Origin::LocalChange]);
        assert_eq!(look(1002, &["b"]), [Origin::LocalChange]);
        assert_eq!(look(1003, &["a"]), [Origin::LocalChange], "it came back");
    }

    #[test]
    fn what_turns_out_to_come_from_outside_is_no_change_here_and_the_reverse_needs_something_new() {
        let mut memory = Memory::default();
        memory.take(vec![], &at(1000), at_once);
        let mut look = |seconds, origin, line: &str| {
            let found = Finding::new(FindingCode::SettingsResolver, Subject::Terminal, origin).because([fact("resolver.now", "", line)]);
            origins(memory.take(vec![found], &at(seconds), at_once).0)
        };
        assert_eq!(look(1001, Origin::LocalChange, "a"), [Origin::LocalChange]);
        assert_eq!(look(1002, Origin::Upstream, "a"), [Origin::Upstream]);
        assert_eq!(look(1003, Origin::LocalChange, "a"), [Origin::Upstream], "the lease is gone, and nothing else");
        assert_eq!(look(1004, Origin::LocalChange, "b"), [Origin::LocalChange]);
        let mut memory = Memory::default();
        let upstream = Finding::new(FindingCode::MovedGateway, Subject::Terminal, Origin::Upstream);
        for seconds in [1000, 1001] {
            assert_eq!(origins(memory.take(vec![upstream.clone()], &at(seconds), at_once).0), [Origin::PreExisting]);
        }
    }

    #[test]
    fn while_a_pc_starts_everything_was_there_before() {
        let mut memory = Memory::default();
        assert_eq!(origins(memory.take(vec![], &at(20), at_once).0), []);
        assert_eq!(origins(memory.take(seen("a"), &at(50), at_once).0), [Origin::PreExisting]);
        assert_eq!(origins(memory.take([seen("a"), seen("b")].concat(), &at(190), at_once).0), [Origin::PreExisting, Origin::LocalChange]);
    }

    #[test]
    fn what_passes_in_time_is_not_told() {
        let (mut memory, patience) = (Memory::default(), |_: &Finding, since| after_a_restart(since));
        memory.take(vec![], &at(1000), patience);
        assert_eq!(memory.take(seen("a"), &at(1001), patience), (Some(vec![]), Duration::from_secs(30)));
        assert_eq!(memory.take(vec![], &at(1020), patience), (Some(vec![]), MINUTE));
        assert_eq!(memory.take(seen("a"), &at(1040), patience).0, Some(vec![]));
        assert_eq!(origins(memory.take(seen("a"), &at(1070), patience).0), [Origin::LocalChange]);
    }

    #[test]
    fn nothing_is_told_while_it_is_not_known_whether_what_was_there_first_passes() {
        let (mut memory, patience) = (Memory::default(), |_: &Finding, since| after_a_restart(since));
        assert_eq!(memory.take(seen("a"), &at(1000), patience).0, None);
        assert_eq!(origins(memory.take(seen("a"), &at(1030), patience).0), [Origin::PreExisting]);
    }

    #[test]
    fn what_cannot_be_seen_for_a_while_stays_as_it_was_seen() {
        let mut memory = Memory::default();
        memory.take(vec![], &at(1000), at_once);
        memory.take(seen("a"), &at(1001), at_once);
        let blind = Sights { found: Vec::new(), unseen: vec![FindingCode::AntivirusDown] };
        assert_eq!(origins(memory.take(blind, &at(1002), at_once).0), [Origin::LocalChange]);
        assert_eq!(origins(memory.take(vec![], &at(1003), at_once).0), []);
    }

    #[test]
    fn by_another_measure_what_is_new_was_there_before() {
        let mut memory = Memory::default();
        memory.take(vec![], &at(1000), at_once);
        memory.take(seen("a"), &at(1001), at_once);
        memory.begin_again();
        assert_eq!(origins(memory.take([seen("a"), seen("b")].concat(), &at(1002), at_once).0), [Origin::LocalChange, Origin::PreExisting]);
    }
}
