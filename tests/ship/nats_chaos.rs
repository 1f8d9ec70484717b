//! A cluster of nats-servers that is killed, frozen and cut off while a courier ships: each record is stored once, in order, byte for byte.

use crate::dice::Dice;
use crate::log::{Log, open_gate, seed};
use crate::nats::{assert_stored, sink, target};
use crate::peers::nats::{Servers, Setup, Version, wait};
use crate::proxy::Proxy;
use isonet::sink::nats::{NatsSink, Target};
use isonet::sink::{Cargo, Sink};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;
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

#[tokio::test]
async fn leaders_are_killed_nodes_frozen_all_killed_and_acknowledgements_lost() {
    for more in [json!({ "allow_atomic": true, "allow_direct": true }), json!({})] {
        let Some(mut servers) = cluster(&more) else { return };
        let seed = seed();
        println!("seed {seed}, {more}");
        let mut dice = Dice::new(seed);
        let ways: Vec<Proxy> = servers.nodes.iter().map(|node| Proxy::to(node.at, dice.below(u64::MAX))).collect();
        let log = Log::with(3000);
        let sink = over(target(&log, &servers), &ways);
        let faults: Vec<_> = ways.iter().map(|way| Arc::clone(&way.faults)).collect();
        let trouble = spawn_blocking(move || {
            let mut so_far = 0;
            let mut goes_on = |servers: &Servers| {
                so_far += 100;
                assert!(wait(|| servers.count().is_some_and(|count| count >= so_far)), "it does not go on: {}", servers.logs());
            };
            for way in &faults {
                way.lose.store(100, Ordering::Relaxed);
                way.cut.store(200_000, Ordering::Relaxed);
            }
            for _ in 0..4 {
                goes_on(&servers);
                let leader = servers.leader();
                servers.kill(leader);
                goes_on(&servers);
                servers.start_all();
                goes_on(&servers);
                let frozen = servers.leader();
                servers.freeze(frozen);
                // Its connections hang until others have taken over.
                std::thread::sleep(Duration::from_secs(3));
                servers.thaw(frozen);
                goes_on(&servers);
            }
            (0..3).for_each(|node| servers.kill(node));
            servers.start_all();
            for way in &faults {
                way.lose.store(0, Ordering::Relaxed);
                way.cut.store(0, Ordering::Relaxed);
            }
            let sum = |of: fn(&crate::proxy::Faults) -> u64| faults.iter().map(|way| of(way)).sum::<u64>();
            println!(
                "{} acknowledgements lost, {} connections cut",
                sum(|way| way.lost.load(Ordering::Relaxed)),
                sum(|way| way.cuts.load(Ordering::Relaxed))
            );
            servers
        });
        let mut back = None;
        let begun = Instant::now();
        let shipped = log.ship(sink, async { back = Some(trouble.await.expect("no panic")) }, LIMIT).await;
        let servers = back.expect("they came back");
        assert_eq!(shipped, Ok(()), "{}", servers.logs());
        println!("3000 records in {:?}", begun.elapsed());
        spawn_blocking(move || assert_stored(&log, &servers)).await.expect("all is there once");
    }
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
        assert!(begun.elapsed() < Duration::from_mins(1) || more == json!({}), "one by one each waits for three disks");
        assert_eq!(servers.count(), Some(10_000));
    }
}
