//! The last sign of life, in one small file: where the log ended and what the clocks said. Written every minute and at the end; the only
//! write of an agent to which nothing happens.

use super::known::Known;
use super::place::Position;
use super::recover::Last;
use super::seal::{Digest, seal, unseal};
use super::store::Store;
use crate::model::{AgentEvent, Stamp};
use serde::{Deserialize, Serialize};
use std::io;

/// The file in the state directory.
pub const FILE: &str = "anchor";

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The last record that was durable.
    pub head: Position,
    /// Its hash. Not under the name of the seal's own: twice the same key is no JSON object.
    #[serde(rename = "head-hash")]
    pub hash: Digest,
    /// When the agent was alive.
    pub at: Stamp,
}

impl Anchor {
    /// Reads it from the state directory.
    pub fn load(state: &dyn Store) -> Known<Self> {
        match state.read(FILE, 0) {
            Ok(bytes) => unseal(&bytes).map_or(Known::Unreadable, Known::Is),
            Err(error) => Known::not_read(&error),
        }
    }

    /// Replaces it, durable when it returns.
    pub fn store(&self, state: &dyn Store) -> io::Result<()> {
        state.put(FILE, &seal(&serde_json::to_vec(self)?))
    }

    /// What it claims about the log.
    pub fn claim(known: &Known<Self>) -> Known<(Position, Digest)> {
        match known {
            Known::Is(anchor) => Known::Is((anchor.head.clone(), anchor.hash)),
            Known::Absent => Known::Absent,
            Known::Unreadable => Known::Unreadable,
            Known::Refused(why) => Known::Refused(why.clone()),
        }
    }
}

/// When an earlier run was last alive: by the anchor or by the last record of the log, whichever is later. In the first minute of a log's life there
/// is no anchor yet. `None` = it never ran, or left nothing that proves itself. Pure.
pub fn last_alive(anchor: Option<&Anchor>, last: Option<&Last>) -> Option<Stamp> {
    match (anchor, last) {
        (None, None) => None,
        (Some(anchor), None) => Some(anchor.at.clone()),
        (Some(anchor), Some(last)) if anchor_is_later(anchor, last) => Some(anchor.at.clone()),
        (_, Some(last)) => Some(last.stamp()),
    }
}

/// The time in which the agent was not running and had not said goodbye. `None` = it had, or it never ran. Pure.
pub fn gap(anchor: Option<&Anchor>, last: Option<&Last>, now: &Stamp) -> Option<AgentEvent> {
    if last.is_some_and(|last| last.goodbye) {
        return None;
    }
    let seen = last_alive(anchor, last)?;
    let told = !seen.boot_id.is_empty() && !now.boot_id.is_empty();
    let same_boot = told && seen.boot_id == now.boot_id;
    Some(AgentEvent::Gap {
        last_seen: seen.wall,
        length_ms: same_boot.then(|| now.boottime_ms.saturating_sub(seen.boottime_ms)),
        rebooted: told && !same_boot,
    })
}

/// Within one boot its clock tells; across boots the anchor is later if it knows of the record.
fn anchor_is_later(anchor: &Anchor, last: &Last) -> bool {
    if anchor.at.boot_id == last.time.boot_id {
        anchor.at.boottime_ms >= last.time.boot_ms
    } else {
        anchor.head.epoch == last.at.epoch && anchor.head.seq >= last.at.seq
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClockState, Time};

    fn stamp(boot: &str, second: u64) -> Stamp {
        let wall = jiff::Timestamp::from_second(i64::try_from(second).expect("small")).expect("in range");
        Stamp { boot_id: boot.to_owned(), boottime_ms: second * 1000, wall, offset_s: 0, clock: ClockState::Unknown }
    }

    fn head(seq: u64) -> Position {
        Position { epoch: "e".to_owned(), seq }
    }

    fn anchor(boot: &str, second: u64, seq: u64) -> Anchor {
        Anchor { head: head(seq), hash: Digest::ZERO, at: stamp(boot, second) }
    }

    fn last(boot: &str, second: u64, seq: u64, goodbye: bool) -> Last {
        Last { at: head(seq), time: Time::from(&stamp(boot, second)), goodbye }
    }

    fn length(event: Option<AgentEvent>) -> (i64, Option<u64>, bool) {
        match event {
            Some(AgentEvent::Gap { last_seen, length_ms, rebooted }) => (last_seen.as_second(), length_ms, rebooted),
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn what_is_sealed_can_be_read_again() {
        let anchor = anchor("a", 8, 5);
        let sealed = seal(&serde_json::to_vec(&anchor).expect("an anchor is JSON"));
        assert_eq!(unseal::<Anchor>(&sealed).expect("as it was sealed"), anchor);
    }

    #[test]
    fn who_said_goodbye_or_never_ran_left_no_gap() {
        assert_eq!(gap(None, None, &stamp("a", 9)), None);
        assert_eq!(gap(Some(&anchor("a", 8, 5)), Some(&last("a", 7, 5, true)), &stamp("a", 9)), None);
    }

    #[test]
    fn one_was_last_alive_by_the_later_of_the_two_and_by_the_goodbye_too() {
        let alive = |anchor: Option<&Anchor>, last: Option<&Last>| last_alive(anchor, last).map(|at| (at.boot_id, at.wall.as_second()));
        assert_eq!(alive(None, None), None);
        assert_eq!(alive(None, Some(&last("a", 7, 5, true))), Some(("a".to_owned(), 7)), "no minute has passed yet");
        assert_eq!(alive(Some(&anchor("a", 8, 5)), None), Some(("a".to_owned(), 8)));
        assert_eq!(alive(Some(&anchor("a", 8, 5)), Some(&last("a", 9, 6, true))), Some(("a".to_owned(), 9)));
        assert_eq!(alive(Some(&anchor("a", 9, 5)), Some(&last("a", 8, 5, false))), Some(("a".to_owned(), 9)));
        assert_eq!(
            alive(Some(&anchor("a", 9, 5)), Some(&last("b", 4, 6, false))),
            Some(("b".to_owned(), 4)),
            "the anchor knows nothing of that boot"
        );
    }

    #[test]
    fn the_later_sign_counts_and_a_reboot_has_no_length() {
        let now = stamp("a", 100);
        assert_eq!(length(gap(Some(&anchor("a", 40, 5)), Some(&last("a", 30, 5, false)), &now)), (40, Some(60_000), false));
        assert_eq!(length(gap(Some(&anchor("a", 20, 5)), Some(&last("a", 30, 6, false)), &now)), (30, Some(70_000), false));
        assert_eq!(length(gap(None, Some(&last("b", 30, 6, false)), &now)), (30, None, true));
        assert_eq!(length(gap(Some(&anchor("b", 40, 5)), Some(&last("c", 30, 6, false)), &now)), (30, None, true));
        assert_eq!(length(gap(Some(&anchor("b", 40, 6)), Some(&last("c", 30, 6, false)), &now)), (40, None, true));
        assert_eq!(length(gap(None, Some(&last("", 30, 6, false)), &now)), (30, None, false));
    }
}
