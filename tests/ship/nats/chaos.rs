//! A cluster of nats-servers that is killed, frozen and cut off while a courier ships: each record is stored once, in order, byte for byte.

use super::log::{Log, open_gate, seed};
use super::proxy::{Faults, Proxy};
use super::{assert_stored, sink, target};
use crate::dice::Dice;
use crate::peers::nats::{Servers, Setup, Version, wait};
use isonet::sink::nats::{NatsSink, Target};
use isonet::sink::{Cargo, Sink};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use url::Url;

const LIMIT: Duration = Duration::from_mins(3);

fn cluster(more: &serde_json::Value) -> Option<Servers> {
    let servers = Servers::start(Version::New, 3, &Setup { jetstream: "sync_interval: always".to_owned(), ..Setup::default() })?;
    servers.stream("CREATE", more);
    Some(servers)
}

/// By ways that can be made bad.
fn over(target: Target, ways: &[Proxy]) -> NatsSink {
    let servers = ways.iter().map(|way| Url::parse(&format!("nats://{}", way.at)).expect("a URL")).collect();
    NatsSink::new(Target { servers, patience: Duration::from_secs(1), ..target }, open_gate())
}

/// Elections take some ten seconds each, so one kind of stream a run.
#[tokio::test]
async fn leaders_are_killed_nodes_frozen_all_killed_and_acknowledgements_lost() {
    let mut dice = Dice::new(seed("chaos"));
    let atomic = dice.below(2) == 0;
    let Some(mut servers) = cluster(&json!({ "allow_atomic": atomic, "allow_direct": dice.below(2) == 0 })) else { return };
    let ways: Vec<Proxy> = servers.nodes.iter().map(|node| Proxy::to(node.at, dice.below(u64::MAX))).collect();
    let log = Log::with(3000);
    let sink = over(target(&log, &servers), &ways);
    let faults: Vec<_> = ways.iter().map(|way| Arc::clone(&way.faults)).collect();
    let worsen = move |lose, cut| {
        for way in &faults {
            way.lose.store(lose, Ordering::Relaxed);
            way.cut.store(cut, Ordering::Relaxed);
        }
        let sum = |of: fn(&Faults) -> &AtomicU64| faults.iter().map(|way| of(way).load(Ordering::Relaxed)).sum::<u64>();
        (sum(|way| &way.lost), sum(|way| &way.cuts))
    };
    // One by one there are more of them.
    worsen(if atomic { 100 } else { 10 }, 200_000);
    let trouble = spawn_blocking(move || {
        for _ in 0..2 {
            goes_on(&servers);
            let leader = servers.leader();
            servers.kill(leader);
            goes_on(&servers);
            servers.start_all();
            let frozen = servers.leader();
            servers.freeze(frozen);
            // Longer than others wait before they take over; its connections hang.
            goes_on(&servers);
            servers.thaw(frozen);
        }
        (0..3).for_each(|node| servers.kill(node));
        servers.start_all();
        goes_on(&servers);
        let (lost, cuts) = worsen(0, 0);
        println!("{lost} acknowledgements lost, {cuts} connections cut");
        assert!(lost > 0 && cuts > 0);
        servers
    });
    let (mut back, begun) = (None, Instant::now());
    let shipped = log.ship(sink, async { back = Some(trouble.await.expect("no panic")) }, LIMIT).await;
    let servers = back.expect("they came back");
    assert_eq!(shipped, Ok(()), "{}", servers.logs());
    println!("atomic: {atomic}; 3000 records in {:?}", begun.elapsed());
    spawn_blocking(move || assert_stored(&log, &servers)).await.expect("all is there once");
}

/// Waits until more is stored than there was.
fn goes_on(servers: &Servers) {
    let mut before = None;
    let on = wait(|| {
        let now = servers.count();
        before = before.or(now);
        now > before.map(|before| before + 50)
    });
    assert!(on, "it does not go on: {}", servers.logs());
}

/// The backlog of ten days. The courier's own pace would take 38 s for it.
#[tokio::test]
async fn ten_thousand_records_drain_within_a_minute() {
    for more in [json!({ "allow_atomic": true, "allow_direct": true }), json!({})] {
        let Some(servers) = cluster(&more) else { return };
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
