//! No pair of epoch and number ever names two records, whatever was lost, copied or put back.

use super::memory::{Memory, Sync};
use super::world::{all, assert_gapless, incident, no_claims, open, started, write};
use isonet::incident::log::{Found, Wanted};
use isonet::model::{AgentEvent, Phase};
use isonet::spool::{Claims, Digest, Ended, Known, Position, Reader, Renewal, verify};

/// A log with three records, of which an incident is open.
fn three() -> (Memory, String) {
    let store = Memory::new(Sync::Real);
    let (mut log, start) = open(store.clone(), &no_claims());
    assert_eq!((start.renewal, start.events.len(), start.last), (Some(Renewal::First), 0, None));
    write(&mut log, vec![started(), incident(7, Phase::Opened, 2), started()]);
    (store, start.epoch)
}

#[test]
fn a_log_goes_on_where_it_ended() {
    let (store, epoch) = three();
    let (mut log, start) = open(store.clone(), &no_claims());
    assert_eq!((start.renewal, &start.epoch, start.head.seq, start.events.len()), (None, &epoch, 3, 0));
    assert_eq!(start.last.unwrap().at.seq, 3);
    let [(id, open)] = &start.open[..] else { panic!("{:?}", start.open) };
    assert_eq!((id.seq, &id.epoch, open.key), (2, &epoch, 1));
    // Under its old name, and resolved for good.
    let recorded = write(&mut log, vec![incident(1, Phase::Resolved, 5)]);
    assert_eq!(recorded[0].incident, Some((1, id.clone())));
    assert_eq!(super::world::open(store.clone(), &no_claims()).1.open, []);
    assert_gapless(&all(store.clone()));
    assert_eq!(store.segments().len(), 1, "the same segment");
}

#[test]
fn a_copied_disk_begins_an_epoch_and_takes_nothing_up() {
    let (store, epoch) = three();
    let claims = Claims { fingerprint: "another-machine".to_owned(), ..no_claims() };
    let (mut log, start) = open(store.clone(), &claims);
    assert_eq!((start.renewal, start.open.len(), start.last), (Some(Renewal::After(Ended::Cloned)), 0, None));
    assert_ne!(start.epoch, epoch);
    assert_eq!(write(&mut log, vec![started()])[0].at, Position { epoch: start.epoch.clone(), seq: 1 });
    assert_eq!(all(store.clone()).len(), 1, "the other machine's records are not shipped");
    assert_eq!(verify(&store).unwrap().records, 4, "and are kept");
    drop(log);
    assert_eq!(open(store, &claims).1.renewal, None);
}

#[test]
fn parts_exchanged_one_at_a_time_make_no_other_machine() {
    let (store, epoch) = three();
    for parts in ["this-machine card2", "card2 disk2", "disk2 board2"] {
        let claims = Claims { fingerprint: parts.to_owned(), ..no_claims() };
        let (mut log, start) = open(store.clone(), &claims);
        assert_eq!((start.renewal, &start.epoch), (None, &epoch), "{parts}");
        write(&mut log, vec![started()]);
    }
    assert_eq!(open(store, &no_claims()).1.renewal, Some(Renewal::After(Ended::Cloned)), "of the first parts none is left");
}

#[test]
fn without_its_epoch_file_a_new_epoch_begins_and_incidents_go_on() {
    let (store, epoch) = three();
    let mut files = store.files();
    files.remove("epoch");
    let store = Memory::with(&files);
    let (mut log, start) = open(store.clone(), &no_claims());
    assert_eq!(start.renewal, Some(Renewal::After(Ended::Lost)));
    assert!(matches!(&start.events[..], [AgentEvent::Tampered { file, .. }] if file == "epoch"));
    assert_eq!((start.open.len(), &start.open[0].0.epoch), (1, &epoch));
    // What is open in the new epoch stands in it.
    let mut found = Found::new(Wanted { only_open: true, ..Wanted::default() }, jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(write(&mut log, vec![started()]).len(), 3, "that the epoch was lost, what is open, and what we wrote");
    let mut reader = Reader::after(store.clone(), Position { epoch: String::new(), seq: 0 });
    for entry in reader.next(99, None).unwrap() {
        assert!(found.take(&entry.bytes).is_continue());
    }
    let told = found.incidents();
    assert_eq!((told.incidents.len(), &told.lost[..]), (1, &[][..]));
    assert_eq!((&told.incidents[0].epoch, told.incidents[0].seq), (&start.epoch, 2));
    write(&mut log, vec![incident(1, Phase::Resolved, 5)]);
    assert_eq!(open(store.clone(), &no_claims()).1.open, []);
    assert_gapless(&all(store));
}

#[test]
fn an_incident_that_is_not_taken_up_into_a_new_epoch_is_over() {
    let (store, _) = three();
    let segment = store.segments().remove(0);
    // The disk gives the old part back when it is too late.
    store.refuse_reading(&segment, libc::EIO);
    let (mut log, start) = open(store.clone(), &no_claims());
    assert_eq!((start.renewal, start.open.len()), (Some(Renewal::After(Ended::Damaged)), 0));
    write(&mut log, vec![started()]);
    store.heal();
    let mut found = Found::new(Wanted::default(), jiff::Timestamp::UNIX_EPOCH);
    let mut reader = Reader::after(store, Position { epoch: String::new(), seq: 0 });
    for entry in reader.next(99, None).unwrap() {
        assert!(found.take(&entry.bytes).is_continue());
    }
    let told = found.incidents();
    assert_eq!((told.incidents.len(), told.lost.len()), (1, 1));
}

#[test]
fn numbers_go_on_above_a_cursor_and_the_anchor_and_the_gap_is_said() {
    for (anchor, cursors) in [(Known::Absent, Some(9)), (Known::Is(9), None), (Known::Is(5), Some(9))] {
        let (store, epoch) = three();
        let at = |seq| Position { epoch: epoch.clone(), seq };
        let anchor = match anchor {
            Known::Is(seq) => Known::Is((at(seq), Digest::of(b"head"))),
            _ => Known::Absent,
        };
        let cursors = cursors.map_or(Known::Absent, |seq| Known::Is(vec![at(2), at(seq)]));
        let (mut log, start) = open(store.clone(), &Claims { anchor, cursors, ..no_claims() });
        let [AgentEvent::SpoolGap { from: 4, to: 9, reason, .. }] = &start.events[..] else { panic!("{:?}", start.events) };
        assert_eq!((start.renewal, reason.as_str()), (None, "damage"));
        assert_eq!(write(&mut log, vec![started()])[0].at, at(10));
        let report = verify(&store).unwrap();
        assert!(report.is_whole(), "{report:?}");
        assert_eq!((report.gaps[0].from, report.gaps[0].to), (4, 9));
        drop(log);
        assert_eq!(open(store, &no_claims()).1.events, []);
    }
}

#[test]
fn what_bounds_the_numbers_and_cannot_be_read_begins_an_epoch() {
    for claims in [Claims { anchor: Known::Unreadable, ..no_claims() }, Claims { cursors: Known::Unreadable, ..no_claims() }] {
        let (_, start) = open(three().0, &claims);
        assert_eq!(start.renewal, Some(Renewal::After(Ended::Lost)));
        assert!(matches!(&start.events[..], [AgentEvent::Tampered { .. }]));
    }
}

#[test]
fn all_records_gone_begins_an_epoch() {
    let (store, epoch) = three();
    let files = store.files().into_iter().filter(|(name, _)| name == "epoch").collect();
    let claims = Claims { cursors: Known::Is(vec![Position { epoch, seq: 3 }]), ..no_claims() };
    let (_, start) = open(Memory::with(&files), &claims);
    assert_eq!(start.renewal, Some(Renewal::After(Ended::Lost)));
    assert!(matches!(&start.events[..], [AgentEvent::Tampered { .. }]));
}

#[test]
fn claims_of_another_epoch_bound_nothing() {
    let (store, _) = three();
    let other = Position { epoch: "other".to_owned(), seq: 99 };
    let (_, start) = open(store, &Claims { cursors: Known::Is(vec![other]), ..no_claims() });
    assert_eq!((start.renewal, start.head.seq, start.events.len()), (None, 3, 0));
}

#[test]
fn a_segment_removed_while_it_is_written_is_said() {
    let (store, _) = three();
    let (mut log, _) = open(store.clone(), &no_claims());
    write(&mut log, vec![started()]);
    for name in store.segments() {
        isonet::spool::Store::remove(&store, &name).unwrap();
    }
    write(&mut log, vec![started()]);
    write(&mut log, vec![]);
    let report = verify(&store).unwrap();
    assert!(!report.is_whole());
    assert_eq!(all(store).iter().map(|(at, _)| at.seq).collect::<Vec<_>>(), [5, 6], "numbers go on, and it says why");
}
