//! Servers that nothing may be sent to, servers that refuse, and servers that never answer: nothing leaves, nothing is lost, it is said why, and once
//! that is mended everything arrives once.

use super::log::{Log, open_gate};
use super::proxy::Proxy;
use super::{assert_stored, obstacle, sink, target};
use crate::certificates::{Authority, Pair};
use crate::peers::address;
use crate::peers::nats::{Admin, Servers, Setup, Version, wait};
use isonet::sink::nats::{NatsSink, Target};
use isonet::sink::way::Files;
use isonet::sink::{Cargo, Obstacle, Shipped, Sink};
use serde_json::json;
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use url::Url;

const NAME: &str = "nats.centre.example";

/// Ships all of it.
pub async fn all(log: &Log, sink: &mut NatsSink) -> Shipped {
    sink.ship(Cargo { beat: None, records: &log.entries() }).await
}

/// It is refused for this reason, with nothing taken, and in time.
async fn refused(log: &Log, target: Target, why: Obstacle) {
    let begun = Instant::now();
    let shipped = all(log, &mut sink(target)).await;
    assert_eq!((shipped.accepted, obstacle(&shipped)), (0, Some(why)), "{shipped:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{shipped:?}");
}

fn tls(server: &Pair, ca: &Path, more: &str) -> String {
    let [cert, key, ca] = [&server.cert, &server.key, ca].map(|path| path.display().to_string());
    format!("tls {{ cert_file: \"{cert}\", key_file: \"{key}\", ca_file: \"{ca}\", timeout: 5, {more} }}")
}

fn url(scheme: &str, at: impl std::fmt::Display) -> Vec<Url> {
    vec![Url::parse(&format!("{scheme}://{at}")).unwrap()]
}

fn over(target: &Target, scheme: &str, at: SocketAddr, ca: &Path, identity: Option<&Pair>) -> Target {
    let identity = identity.map(|pair| (pair.cert.clone(), pair.key.clone()));
    let files = Files { ca: ca.to_owned(), identity, floor: jiff::Timestamp::UNIX_EPOCH };
    Target { servers: url(scheme, at), files: Some(files), ..target.clone() }
}

#[tokio::test]
async fn only_a_server_that_the_authority_vouches_for_now_gets_anything() {
    let (dir, ip) = (tempfile::tempdir().unwrap(), address(0).ip());
    let (ca, other) = (Authority::new(dir.path(), "ca"), Authority::new(dir.path(), "other"));
    let good = ca.signs("good", &ip.to_string(), 2040);
    let us = ca.signs("us", "terminal", 2040);
    let more = "verify: true";
    let start = |pair: &Pair, more: &str| {
        let lines = format!("{}\nallow_non_tls: true", tls(pair, &ca.file, more));
        Servers::start(Version::New, 1, &Setup { lines, at: Some(ip), ..Setup::default() })
    };
    let log = Log::with(3);
    for bad in [ca.signs("name", NAME, 2040), ca.signs("old", &ip.to_string(), 2021), other.signs("good", &ip.to_string(), 2040)] {
        let Some(servers) = start(&bad, "") else { return };
        servers.stream("CREATE", &json!({}));
        let at = servers.nodes[0].at;
        refused(&log, over(&target(&log, &servers), "tls", at, &ca.file, None), Obstacle::Certificate).await;
        assert_eq!(servers.count(), Some(0));
    }
    let Some(servers) = start(&good, more) else { return };
    servers.stream("CREATE", &json!({}));
    let (plain, at) = (target(&log, &servers), servers.nodes[0].at);
    refused(&log, over(&plain, "tls", at, &other.file, Some(&us)), Obstacle::Certificate).await;
    refused(&log, over(&plain, "tls", at, &dir.path().join("none"), None), Obstacle::Here).await;
    refused(&log, over(&plain, "tls", at, &ca.file, None), Obstacle::Identity).await;
    refused(&log, over(&plain, "tls", at, &ca.file, Some(&other.signs("us", "terminal", 2040))), Obstacle::Identity).await;
    assert_eq!(servers.count(), Some(0));
    let shipped = all(&log, &mut sink(over(&plain, "tls", at, &ca.file, Some(&us)))).await;
    assert_eq!((shipped.accepted, shipped.hindrance), (3, None));
    assert_stored(&log, &servers);
    drop(servers);
    // One that insists on TLS and one that knows none.
    let strict = Setup { lines: tls(&good, &ca.file, more), at: Some(ip), ..Setup::default() };
    let Some(servers) = Servers::start(Version::Old, 1, &strict) else { return };
    refused(&log, target(&log, &servers), Obstacle::Setup).await;
    drop(servers);
    let Some(servers) = Servers::start(Version::New, 1, &Setup { at: Some(ip), ..Setup::default() }) else { return };
    servers.stream("CREATE", &json!({}));
    refused(&log, over(&plain, "tls", at, &ca.file, Some(&us)), Obstacle::Plain).await;
    assert_eq!(servers.count(), Some(0));
}

/// Says this to whoever connects, and then nothing, or closes.
fn says(words: &'static [u8], closes: bool) -> SocketAddr {
    let listener = TcpListener::bind(address(4222)).unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(words);
            std::thread::spawn(move || if closes { drop(stream) } else { drop(stream.read_to_end(&mut Vec::new())) });
        }
    });
    at
}

#[tokio::test]
async fn whoever_speaks_something_else_or_nothing_is_told_in_time() {
    const INFO: &[u8] = b"INFO {\"headers\":true,\"max_payload\":1048576}\r\n";
    let log = Log::with(1);
    let Some(servers) = Servers::start(Version::New, 1, &Setup::default()) else { return };
    let usual = target(&log, &servers);
    let at = |at: SocketAddr| Target { servers: url("nats", at), ..usual.clone() };
    for (words, closes, why) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], false, Obstacle::Garbage),
        (b"\x15\x03\x01\x00\x02\x02\x28", false, Obstacle::Garbage),
        (b"PING\r\n", false, Obstacle::Garbage),
        (b"INFO {nonsense}\r\n", false, Obstacle::Garbage),
        (b"INFO {\"headers\":true,\"max_payload\":9}\r\nPONG\r\nMSG a 1 99999999999\r\n", false, Obstacle::Garbage),
        (b"", false, Obstacle::Silent),
        (INFO, false, Obstacle::Silent),
        (b"", true, Obstacle::Broken),
        (b"-ERR 'maximum connections exceeded'\r\n", true, Obstacle::Busy),
    ] {
        refused(&log, at(says(words, closes)), why).await;
    }
    refused(&log, at(address(1)), Obstacle::Absent).await;
    // The gate is asked before anybody hears of us.
    let listener = TcpListener::bind(address(4222)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let closed = Rc::new(|_| Box::pin(async { Err("by usb0".to_owned()) }) as _);
    let shipped = all(&log, &mut NatsSink::new(at(listener.local_addr().unwrap()), closed)).await;
    assert_eq!((shipped.accepted, obstacle(&shipped)), (0, Some(Obstacle::WrongWay)));
    assert!(listener.accept().is_err(), "nobody may have come");
    // Where one of several will do, the others are passed over.
    servers.stream("CREATE", &json!({}));
    let several = [says(b"", false), address(1), says(b"220 mail\r\n", false), servers.nodes[0].at];
    let several = Target { servers: several.iter().flat_map(|at| url("nats", at)).collect(), ..usual };
    assert_eq!(all(&log, &mut sink(several)).await.accepted, 1);
    assert_stored(&log, &servers);
}

#[tokio::test]
async fn lost_acknowledgements_black_holes_and_cuts_anywhere_double_nothing() {
    for version in [Version::New, Version::Old] {
        let Some(servers) = Servers::start(version, 1, &Setup::default()) else { return };
        servers.stream("CREATE", &if version == Version::New { json!({ "allow_atomic": true }) } else { json!({}) });
        let log = Log::with(300);
        let way = Proxy::to(servers.nodes[0].at, super::log::seed("cuts"));
        let target = Target { servers: url("nats", way.at), patience: Duration::from_millis(500), ..target(&log, &servers) };
        // Never an acknowledgement: each record is found stored by a look.
        way.faults.lose.store(1000, Ordering::Relaxed);
        let mut never = sink(target.clone());
        let shipped = never.ship(Cargo { beat: None, records: &log.entries()[..3] }).await;
        assert_eq!((shipped.accepted, obstacle(&shipped)), (3, None), "{shipped:?}");
        assert!(way.faults.lost.load(Ordering::Relaxed) >= 2);
        // Nothing comes through at all.
        way.faults.swallow.store(true, Ordering::Relaxed);
        assert_eq!(obstacle(&all(&log, &mut never).await), Some(Obstacle::Silent));
        way.faults.swallow.store(false, Ordering::Relaxed);
        way.faults.lose.store(50, Ordering::Relaxed);
        way.faults.cut.store(20_000, Ordering::Relaxed);
        log.ship(sink(target), async {}, Duration::from_mins(2)).await.unwrap();
        println!("{version:?}: {} cuts", way.faults.cuts.load(Ordering::Relaxed));
        assert!(way.faults.cuts.load(Ordering::Relaxed) > 3);
        assert_stored(&log, &servers);
    }
}

/// What a dead connection delivers long after the same was sent again by another one.
#[tokio::test]
async fn what_comes_late_is_not_stored_again() {
    for version in [Version::New, Version::Old] {
        let Some(servers) = Servers::start(version, 1, &Setup::default()) else { return };
        servers.stream("CREATE", &json!({}));
        let log = Log::with(4);
        let entries = log.entries();
        let way = Proxy::to(servers.nodes[0].at, 0);
        let straight = target(&log, &servers);
        let mut slow = sink(Target { servers: url("nats", way.at), patience: Duration::from_millis(300), ..straight.clone() });
        assert_eq!(slow.ship(Cargo { beat: None, records: &entries[..2] }).await.accepted, 2);
        way.faults.hold.store(true, Ordering::Relaxed);
        assert_eq!(obstacle(&slow.ship(Cargo { beat: None, records: &entries[2..3] }).await), Some(Obstacle::Silent));
        drop(slow);
        assert_eq!(sink(straight).ship(Cargo { beat: None, records: &entries[2..] }).await.accepted, 2);
        // Longer than a server remembers ids in this test.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let before = way.faults.said.load(Ordering::Relaxed);
        way.faults.hold.store(false, Ordering::Relaxed);
        assert!(wait(|| way.faults.said.load(Ordering::Relaxed) > before), "the server answers what came late");
        assert_stored(&log, &servers);
    }
}

#[tokio::test]
async fn who_is_not_known_or_not_allowed_is_refused_until_that_is_mended() {
    // From the documentation of NATS.
    const KEY: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
    const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    let users = |more: &str| format!("authorization {{ users: [ {{ user: admin, password: secret }}, {more} ] }}");
    let setup = Setup { lines: users(""), admin: Some(Admin::Password("admin", "secret")), ..Setup::default() };
    let Some(servers) = Servers::start(Version::New, 1, &setup) else { return };
    servers.stream("CREATE", &json!({ "allow_direct": true }));
    let mut log = Log::with(2);
    let (usual, at) = (target(&log, &servers), servers.nodes[0].at);
    refused(&log, usual.clone(), Obstacle::Identity).await;
    refused(&log, Target { servers: url("nats", format!("T1:wrong@{at}")), ..usual.clone() }, Obstacle::Identity).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("creds");
    let mut sink = sink(Target { credentials: Some(path.clone()), ..usual });
    assert_eq!(obstacle(&all(&log, &mut sink).await), Some(Obstacle::Here), "there is no such file");
    std::fs::write(&path, "-----BEGIN USER NKEY SEED-----\nSUA\n").unwrap();
    assert_eq!(obstacle(&all(&log, &mut sink).await), Some(Obstacle::Here), "it is cut off");
    std::fs::write(&path, SEED).unwrap();
    assert_eq!(obstacle(&all(&log, &mut sink).await), Some(Obstacle::Identity), "the server does not know it");
    // What the head of the module says a terminal needs, and no more.
    let least = |publish: &str| {
        let epoch = &log.head.epoch;
        let publish = format!(
            "[{publish} \"isonet-hb.6101.T1\", \"$JS.API.STREAM.INFO.ISONET\", \"$JS.API.DIRECT.GET.ISONET.isonet.6101.T1.{epoch}\"]"
        );
        users(&format!("{{ nkey: {KEY}, permissions: {{ publish: {publish}, subscribe: \"_INBOX.T1.>\" }} }}"))
    };
    let is = |lines: String| {
        servers.reconfigure(0, |conf| {
            let at = conf.find("authorization").unwrap();
            format!("{}{lines}\n", &conf[..at])
        });
    };
    is(least(""));
    eventually(&log, &mut sink, Some(Obstacle::Identity), "Permissions Violation for Publish to").await;
    is(least("\"isonet.6101.T1.>\","));
    eventually(&log, &mut sink, None, "").await;
    assert_stored(&log, &servers);
    // Revoked while it is idle.
    is(users(""));
    let lost = timeout(Duration::from_secs(20), sink.idle()).await.expect("it is told");
    // The server only hangs up; the next attempt is told why.
    assert!(matches!(lost.obstacle, Obstacle::Identity | Obstacle::Broken), "{lost}");
    log.write(2);
    eventually(&log, &mut sink, Some(Obstacle::Identity), "Authorization Violation").await;
    is(users(&format!("{{ nkey: {KEY} }}")));
    eventually(&log, &mut sink, None, "").await;
    assert_stored(&log, &servers);
}

/// Until it comes out like this; a server reads its configuration when it gets to it.
pub async fn eventually(log: &Log, sink: &mut NatsSink, why: Option<Obstacle>, words: &str) {
    let begun = Instant::now();
    loop {
        let shipped = all(log, sink).await;
        let told = shipped.hindrance.as_ref().map(|hindrance| hindrance.detail.clone()).unwrap_or_default();
        if obstacle(&shipped) == why && told.contains(words) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{shipped:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A server that goes away is noticed while there is nothing to ship.
#[tokio::test]
async fn an_idle_connection_answers_and_its_end_is_noticed() {
    let Some(mut servers) =
        Servers::start(Version::New, 1, &Setup { lines: "ping_interval: \"100ms\"\nping_max: 2".to_owned(), ..Setup::default() })
    else {
        return;
    };
    servers.stream("CREATE", &json!({}));
    let log = Log::with(1);
    let mut sink = NatsSink::new(target(&log, &servers), open_gate());
    assert_eq!(all(&log, &mut sink).await.accepted, 1);
    assert!(timeout(Duration::from_secs(1), sink.idle()).await.is_err(), "ten times asked, ten times answered");
    assert_eq!(all(&log, &mut sink).await.hindrance, None, "on the same connection");
    servers.kill(0);
    assert_eq!(timeout(Duration::from_secs(20), sink.idle()).await.expect("it is told").obstacle, Obstacle::Broken);
    assert_eq!(obstacle(&all(&log, &mut sink).await), Some(Obstacle::Absent));
}

#[tokio::test]
async fn a_connection_whose_way_is_another_by_now_is_not_used_any_more() {
    let Some(servers) = Servers::start(Version::New, 1, &Setup::default()) else { return };
    servers.stream("CREATE", &json!({}));
    let mut log = Log::with(1);
    let enrolled = Rc::new(Cell::new(true));
    let gate = Rc::clone(&enrolled);
    let mut sink = NatsSink::new(
        target(&log, &servers),
        Rc::new(move |_| {
            let says = if gate.get() { Ok(()) } else { Err("via a hotspot".to_owned()) };
            Box::pin(async { says })
        }),
    );
    assert_eq!(all(&log, &mut sink).await.accepted, 1);
    log.write(1);
    enrolled.set(false);
    for _ in 0..2 {
        let shipped = all(&log, &mut sink).await;
        assert_eq!((shipped.accepted, obstacle(&shipped)), (0, Some(Obstacle::WrongWay)), "{shipped:?}");
    }
    assert_eq!(servers.count(), Some(1));
    enrolled.set(true);
    assert_eq!(all(&log, &mut sink).await.hindrance, None);
    assert_stored(&log, &servers);
}

/// An authority that is trusted no more is a file that was replaced, and nobody restarts anything for that.
#[tokio::test]
async fn an_authority_that_was_replaced_is_not_believed_any_more() {
    let (dir, ip) = (tempfile::tempdir().unwrap(), address(0).ip());
    let (old, new) = (Authority::new(dir.path(), "old"), Authority::new(dir.path(), "new"));
    let lines = format!("{}\nallow_non_tls: true", tls(&old.signs("server", &ip.to_string(), 2040), &old.file, ""));
    let Some(mut servers) = Servers::start(Version::New, 1, &Setup { lines, at: Some(ip), ..Setup::default() }) else { return };
    servers.stream("CREATE", &json!({}));
    let mut log = Log::with(1);
    let trusted = dir.path().join("trusted");
    std::fs::copy(&old.file, &trusted).unwrap();
    let mut sink = sink(over(&target(&log, &servers), "tls", servers.nodes[0].at, &trusted, None));
    assert_eq!(all(&log, &mut sink).await.accepted, 1);
    std::fs::copy(&new.file, &trusted).unwrap();
    servers.kill(0);
    servers.start_all();
    log.write(1);
    eventually(&log, &mut sink, Some(Obstacle::Certificate), "").await;
    std::fs::copy(&old.file, &trusted).unwrap();
    eventually(&log, &mut sink, None, "").await;
    assert_stored(&log, &servers);
}
