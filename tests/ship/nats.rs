//! The NATS sink against real nats-servers. A cluster of them that is killed, frozen and cut off stands in tests/fleet.

mod jwt;
mod log;
mod proxy;
mod refusals;

use crate::peers::nats::{STREAM, Servers, Setup, Version};
use isonet::sink::nats::{Names, NatsSink, Target};
use isonet::sink::{Beat, Cargo, Obstacle, Shipped, Sink};
use isonet::spool::Line;
use log::{Log, open_gate};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

const LIMIT: Duration = Duration::from_mins(2);

/// To these servers.
pub fn target(log: &Log, servers: &Servers) -> Target {
    let url = |at| Url::parse(&format!("nats://{at}")).expect("a URL");
    Target {
        servers: servers.nodes.iter().map(|node| url(node.at)).collect(),
        stream: STREAM.to_owned(),
        domain: None,
        subject: "isonet.{region}.{terminal}.{epoch}".to_owned(),
        names: Names::new(Some("6101"), Some("T1")),
        credentials: None,
        files: None,
        keep: Duration::from_hours(200 * 24),
        spool: log.spool(),
        patience: Duration::from_secs(2),
    }
}

pub fn sink(target: Target) -> NatsSink {
    NatsSink::new(target, open_gate())
}

/// What is stored is the log, each record once, in order, byte for byte, under its subject.
pub fn assert_stored(log: &Log, servers: &Servers) {
    let stored = servers.messages();
    let subject = format!("isonet.6101.T1.{}", log.head.epoch);
    assert!(stored.iter().all(|(under, _)| *under == subject));
    let seq = |bytes: &[u8]| Line::read(bytes).map(|line| line.seq).ok();
    let seqs: Vec<_> = stored.iter().map(|(_, bytes)| seq(bytes)).collect();
    let entries = log.entries();
    assert_eq!(seqs, entries.iter().map(|entry| Some(entry.at.seq)).collect::<Vec<_>>());
    assert!(stored.iter().zip(&entries).all(|((_, bytes), entry)| *bytes == entry.bytes));
}

fn obstacle(shipped: &Shipped) -> Option<Obstacle> {
    shipped.hindrance.as_ref().map(|hindrance| hindrance.obstacle)
}

/// With and without batches, by the new server and by the old one.
#[tokio::test]
async fn a_log_arrives_in_order_and_once_and_again_costs_nothing() {
    for (version, more) in
        [(Version::New, json!({ "allow_atomic": true, "allow_direct": true })), (Version::New, json!({})), (Version::Old, json!({}))]
    {
        let Some(servers) = Servers::start(version, 1, &Setup::default()) else { return };
        servers.stream("CREATE", &more);
        let mut log = Log::with(700);
        let begun = Instant::now();
        log.ship(sink(target(&log, &servers)), async {}, LIMIT).await.expect("all is shipped");
        println!("{version:?} {more}: 700 records in {:?}", begun.elapsed());
        assert_stored(&log, &servers);
        // A courier whose cursor is lost begins anew.
        let again = sink(target(&log, &servers)).ship(Cargo { beat: None, records: &log.entries() }).await;
        assert_eq!((again.accepted, again.hindrance), (700, None));
        log.write(3);
        log.ship(sink(target(&log, &servers)), async {}, LIMIT).await.expect("all is shipped");
        assert_stored(&log, &servers);
    }
}

#[tokio::test]
async fn a_sign_of_life_goes_first_and_is_not_stored() {
    let Some(servers) = Servers::start(Version::New, 1, &Setup::default()) else { return };
    servers.stream("CREATE", &json!({}));
    let log = Log::with(1);
    let heard = crate::peers::nats::listen(servers.nodes[0].at, "isonet-hb.>");
    let beat = Beat(b"{\"schema\":\"heartbeat/1\"}".as_slice().into());
    let mut sink = sink(target(&log, &servers));
    let shipped = sink.ship(Cargo { beat: Some(&beat), records: &log.entries() }).await;
    assert_eq!((shipped.accepted, shipped.hindrance), (1, None));
    assert_eq!(shipped.lacks.as_deref(), Some("num_replicas 1: one lost disk loses all"));
    assert_eq!(heard.recv_timeout(LIMIT).expect("it is heard"), ("isonet-hb.6101.T1".to_owned(), beat.0.to_vec()));
    assert_stored(&log, &servers);
}

#[tokio::test]
async fn a_stream_that_is_not_there_or_promises_too_little_is_told() {
    let Some(servers) = Servers::start(Version::New, 1, &Setup::default()) else { return };
    let log = Log::with(2);
    let (entries, mut sink) = (log.entries(), sink(target(&log, &servers)));
    let cargo = Cargo { beat: None, records: &entries };
    let shipped = sink.ship(cargo).await;
    assert_eq!((shipped.accepted, obstacle(&shipped)), (0, Some(Obstacle::Setup)), "{shipped:?}");
    assert!(shipped.hindrance.expect("there is one").detail.contains("stream not found (10059); stream ISONET"));
    servers.stream("CREATE", &json!({ "no_ack": true }));
    let shipped = sink.ship(cargo).await;
    assert_eq!((shipped.accepted, obstacle(&shipped)), (0, Some(Obstacle::Setup)), "{shipped:?}");
    let weak =
        json!({ "no_ack": false, "discard": "old", "max_msgs": 100, "max_age": 86_400_000_000_000_u64, "duplicate_window": 100_000_000 });
    servers.stream("UPDATE", &weak);
    let shipped = sink.ship(cargo).await;
    assert_eq!((shipped.accepted, obstacle(&shipped)), (2, None), "{shipped:?}");
    let lacks = shipped.lacks.expect("it lacks something");
    assert!(lacks.contains("discard old") && lacks.contains("max_age 1 d: drops records before 200 d"), "{lacks}");
    assert_stored(&log, &servers);
}

#[tokio::test]
async fn a_full_stream_waits_for_room() {
    for more in [json!({ "max_msgs": 5 }), json!({ "max_msgs": 5, "allow_atomic": true })] {
        let Some(servers) = Servers::start(Version::New, 1, &Setup::default()) else { return };
        servers.stream("CREATE", &more);
        let log = Log::with(12);
        let (entries, mut sink) = (log.entries(), sink(target(&log, &servers)));
        let shipped = sink.ship(Cargo { beat: None, records: &entries }).await;
        assert_eq!(obstacle(&shipped), Some(Obstacle::Full), "{shipped:?}");
        assert!((3..=5).contains(&shipped.accepted), "{shipped:?}");
        let rest = &entries[shipped.accepted..];
        assert_eq!(obstacle(&sink.ship(Cargo { beat: None, records: rest }).await), Some(Obstacle::Full));
        servers.stream("UPDATE", &json!({ "max_msgs": 50, "allow_atomic": more["allow_atomic"] == true }));
        assert_eq!(sink.ship(Cargo { beat: None, records: rest }).await.accepted, rest.len());
        assert_stored(&log, &servers);
    }
}

#[tokio::test]
async fn two_pcs_under_one_name_are_found_and_nothing_of_the_second_is_taken() {
    let Some(servers) = Servers::start(Version::New, 1, &Setup::default()) else { return };
    servers.stream("CREATE", &json!({ "allow_direct": true }));
    let mut log = Log::with(5);
    let mut clone = log.cloned();
    assert_eq!(log.head, clone.head);
    let records = |log: &Log| log.entries();
    assert_eq!(sink(target(&log, &servers)).ship(Cargo { beat: None, records: &records(&log) }).await.accepted, 5);
    // What both have is no proof yet.
    assert_eq!(sink(target(&clone, &servers)).ship(Cargo { beat: None, records: &records(&clone) }).await.accepted, 5);
    log.write(3);
    assert_eq!(log.head.seq, 8, "the epoch goes on");
    assert_eq!(sink(target(&log, &servers)).ship(Cargo { beat: None, records: &records(&log)[5..] }).await.accepted, 3);
    for step in 0..3 {
        // Before it has come so far itself, and after.
        clone.write(2);
        let entries = records(&clone);
        for from in [0, 5] {
            let shipped = sink(target(&clone, &servers)).ship(Cargo { beat: None, records: &entries[from..] }).await;
            assert_eq!((shipped.accepted, obstacle(&shipped)), (0, Some(Obstacle::Foreign)), "step {step}: {shipped:?}");
        }
    }
    assert_stored(&log, &servers);
}

#[tokio::test]
async fn what_was_purged_or_lost_at_the_centre_holds_up_nothing() {
    let Some(servers) = Servers::start(Version::New, 1, &Setup::default()) else { return };
    servers.stream("CREATE", &json!({ "duplicate_window": 120_000_000_000_u64 }));
    let mut log = Log::with(4);
    let mut sink = sink(target(&log, &servers));
    assert_eq!(sink.ship(Cargo { beat: None, records: &log.entries() }).await.accepted, 4);
    // The last one is gone, and then everything; the session thinks otherwise.
    assert_eq!(servers.client().api("STREAM.MSG.DELETE.ISONET", &json!({ "seq": 4 })).expect("an answer")["success"], true);
    log.write(1);
    let shipped = sink.ship(Cargo { beat: None, records: &log.entries()[4..] }).await;
    assert_eq!((shipped.accepted, obstacle(&shipped)), (1, None), "{shipped:?}");
    assert!(shipped.lacks.expect("it lost one").contains("it lost records 4 to 4, which it had acknowledged"));
    assert_eq!(servers.client().api("STREAM.PURGE.ISONET", &json!({})).expect("an answer")["success"], true);
    log.write(1);
    let entries = log.entries();
    assert_eq!(sink.ship(Cargo { beat: None, records: &entries[5..] }).await.accepted, 1);
    // The same again, as after a lost acknowledgement of what was purged since: known by its id, and yet not there.
    assert_eq!(servers.client().api("STREAM.PURGE.ISONET", &json!({})).expect("an answer")["success"], true);
    let shipped = self::sink(target(&log, &servers)).ship(Cargo { beat: None, records: &entries[5..] }).await;
    assert_eq!((shipped.accepted, obstacle(&shipped)), (1, None), "{shipped:?}");
    assert_eq!(servers.messages().iter().map(|(_, bytes)| Line::read(bytes).expect("a record").seq).collect::<Vec<_>>(), [6]);
}

#[tokio::test]
async fn a_loss_is_told_whatever_comes_after_it() {
    let Some(servers) = Servers::start(Version::New, 1, &Setup::default()) else { return };
    servers.stream("CREATE", &json!({ "max_msgs": 4 }));
    let mut log = Log::with(4);
    let mut sink = sink(target(&log, &servers));
    assert_eq!(sink.ship(Cargo { beat: None, records: &log.entries() }).await.accepted, 4);
    assert_eq!(servers.client().api("STREAM.MSG.DELETE.ISONET", &json!({ "seq": 4 })).expect("an answer")["success"], true);
    log.write(2);
    let shipped = sink.ship(Cargo { beat: None, records: &log.entries()[4..] }).await;
    assert_eq!((shipped.accepted, obstacle(&shipped)), (1, Some(Obstacle::Full)), "{shipped:?}");
    assert!(shipped.lacks.as_ref().is_some_and(|lacks| lacks.contains("it lost records 4 to 4")), "{shipped:?}");
}

/// The backlog of ten days. The courier's own pace would take 38 s for it.
#[tokio::test]
async fn ten_thousand_records_drain_within_a_minute() {
    for more in [json!({ "allow_atomic": true, "allow_direct": true }), json!({})] {
        let setup = Setup { jetstream: "sync_interval: always".to_owned(), ..Setup::default() };
        let Some(servers) = Servers::start(Version::New, 3, &setup) else { return };
        servers.stream("CREATE", &more);
        let log = Log::with(10_000);
        let (entries, mut sink) = (log.entries(), sink(target(&log, &servers)));
        let (begun, mut done) = (Instant::now(), 0);
        while done < entries.len() {
            let shipped = sink.ship(Cargo { beat: None, records: &entries[done..entries.len().min(done + 500)] }).await;
            assert_eq!(shipped.hindrance, None);
            done += shipped.accepted;
        }
        println!("{more}: 10000 records, {} bytes, in {:?}", entries.iter().map(|entry| entry.bytes.len()).sum::<usize>(), begun.elapsed());
        assert!(begun.elapsed() < Duration::from_mins(1));
        assert_eq!(servers.count(), Some(10_000));
    }
}
