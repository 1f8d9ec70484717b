//! Forgetting the oldest: whole segments, accounted for, no open incident lost, whatever interrupts it.

use super::memory::{Memory, Sync};
use super::world::{all, assert_gapless, card, no_claims, open, stamp, usual, write};
use isonet::model::{ClockState, Phase, Stamp};
use isonet::spool::{Limits, Log, Position, verify};
use std::time::Duration;

const DAY: u64 = 86_400;

/// Three finished segments and a bit; an incident that opened first is still open, all others are over.
fn long() -> (Memory, Log<Memory>) {
    let store = Memory::new(Sync::Real);
    let (mut log, _) = open(store.clone(), &no_claims());
    write(&mut log, vec![usual(1, Phase::Opened)]);
    let mut key = 2;
    while segments(&store) < 4 {
        let batch = (0..60).flat_map(|n| [usual(key + n, Phase::Opened), usual(key + n, Phase::Resolved)]).collect();
        write(&mut log, batch);
        key += 60;
    }
    (store, log)
}

fn segments(store: &Memory) -> usize {
    store.segments().len()
}

fn limits(days: u64, total: u64, unacknowledged: u64) -> Limits {
    Limits { keep: Duration::from_secs(days * DAY), total, unacknowledged }
}

const MUCH: u64 = 1 << 40;

fn tidy(log: &mut Log<Memory>, limits: Limits, acknowledged: Option<&Position>, now: &Stamp) -> usize {
    log.tidy(limits, acknowledged, &card(), now).unwrap().len()
}

fn assert_accounted(store: &Memory, whole_before: u64) {
    let report = verify(store).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert!(report.gaps.iter().any(|gap| gap.from == 1), "{report:?}");
    let there = all(store.clone());
    assert_gapless(&there);
    assert!(there[0].0.seq > 1 && there.last().unwrap().0.seq > whole_before);
    let (_, start) = open(store.clone(), &no_claims());
    assert_eq!((start.events.len(), start.open.len()), (0, 1), "{:?}", start.events);
    assert_eq!(start.open[0].0.seq, 1, "the open incident keeps its name");
}

#[test]
fn what_is_old_goes_and_is_accounted_for() {
    let (store, mut log) = long();
    let head = log.head().seq;
    assert_eq!(tidy(&mut log, limits(200, MUCH, MUCH), None, &stamp(199 * DAY)), 0);
    // One record for the gap, one for the incident that is still open.
    assert_eq!(tidy(&mut log, limits(200, MUCH, MUCH), None, &stamp(201 * DAY)), 2);
    assert_eq!(segments(&store), 1);
    assert_accounted(&store, head);
}

#[test]
fn a_clock_that_nobody_keeps_forgets_nothing() {
    let (store, mut log) = long();
    let wrong = Stamp { clock: ClockState::Unsynchronised, ..stamp(4000 * DAY) };
    assert_eq!(tidy(&mut log, limits(200, MUCH, MUCH), None, &wrong), 0);
    assert_eq!(segments(&store), 4);
}

#[test]
fn the_cap_takes_the_oldest_only_as_far_as_needed_and_again_later() {
    let (store, mut log) = long();
    let head = log.head().seq;
    tidy(&mut log, limits(200, 3 << 20, MUCH), None, &stamp(9));
    assert_eq!(segments(&store), 3);
    assert_accounted(&store, head);
    // The record of the first gap goes with a later one: the new one covers all.
    tidy(&mut log, limits(200, 1 << 20, MUCH), None, &stamp(9));
    assert_accounted(&store, head);
    assert_eq!(verify(&store).unwrap().gaps.len(), 1);
}

#[test]
fn what_a_dead_sink_has_not_is_bounded_too() {
    let (store, mut log) = long();
    let head = log.head();
    let begun = Position { epoch: head.epoch.clone(), seq: 5 };
    assert_eq!(tidy(&mut log, limits(200, MUCH, 5 << 20), Some(&begun), &stamp(9)), 0);
    assert_eq!(tidy(&mut log, limits(200, MUCH, 1 << 20), Some(&head), &stamp(9)), 0, "all is acknowledged");
    tidy(&mut log, limits(200, MUCH, 3 << 20), Some(&begun), &stamp(9));
    assert_eq!(segments(&store), 3);
    assert_accounted(&store, head.seq);
}

#[test]
fn interrupted_anywhere_the_log_still_accounts_for_itself() {
    for changes in 0..9 {
        let (store, mut log) = long();
        store.fail_after(changes, libc::EIO);
        let _ = log.tidy(limits(200, MUCH, MUCH), None, &card(), &stamp(201 * DAY));
        store.cut_power(|_| (0, false));
        let report = verify(&store).unwrap();
        assert!(report.is_whole(), "after {changes} changes: {report:?}");
        let (mut log, start) = open(store.clone(), &no_claims());
        assert_eq!((start.events.len(), start.open.len()), (0, 1), "after {changes} changes: {:?}", start.events);
        tidy(&mut log, limits(200, MUCH, MUCH), None, &stamp(201 * DAY));
        assert_accounted(&store, 1);
    }
}

#[test]
fn oldest_segments_removed_by_somebody_else_are_noticed() {
    let (store, log) = long();
    drop(log);
    let mut files = store.files();
    files.remove(&store.segments()[0]);
    let (_, start) = open(Memory::with(&files), &no_claims());
    assert_eq!(start.events.len(), 1, "{:?}", start.events);
}
