//! The syslog sink against real rsyslog and syslog-ng, and against peers that are none.

mod endings;
mod kills;
mod refusals;

use crate::certificates::NAME;
use crate::peers::syslog::{KINDS, Kind, Message, Receiver, Setup, World};
use crate::store::{Store, until};
use isonet::sink::syslog::{LIMIT, Patience, Receiver as To, SyslogSink};
use isonet::sink::way::{Files, Gate};
use isonet::spool::{Digest, Entry};
use serde_json::Value;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

fn open_gate() -> Gate {
    Rc::new(|_| Box::pin(async { Ok(()) }))
}

/// Short, but long enough for a busy machine.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(3),
    stall: Duration::from_secs(2),
    batch: Duration::from_secs(20),
    end: Duration::from_secs(10),
    words: Duration::from_millis(500),
};

/// With the terminal's certificate.
fn files(world: &World) -> Files {
    let identity = Some((world.client.cert.clone(), world.client.key.clone()));
    Files { ca: world.authority.file.clone(), identity, floor: jiff::Timestamp::UNIX_EPOCH }
}

fn to(at: SocketAddr, files: Option<Files>) -> To {
    To { address: at, server_name: NAME.to_owned(), files, enterprise: 32473, patience: PATIENCE }
}

fn sink(receiver: &Receiver, files: Option<Files>) -> SyslogSink {
    SyslogSink::new(to(receiver.at(), files), open_gate())
}

/// What a receiver has to have of a record.
fn is_record(message: &Message, entry: &Entry) {
    if entry.bytes.len() + message.header.len() < LIMIT {
        assert_eq!(String::from_utf8_lossy(&message.body), String::from_utf8_lossy(&entry.bytes));
        return;
    }
    let body: Value = serde_json::from_slice(&message.body).unwrap();
    assert_eq!((&body["truncated"], &body["hash"]), (&Value::Bool(true), &Value::from(entry.hash.to_string())));
}

/// All records, each once, in order, byte for byte, chained.
fn are_all(messages: &[Message], entries: &[Entry]) {
    let numbers: Vec<u64> = messages.iter().map(|message| message.seq).collect();
    assert_eq!(numbers, entries.iter().map(|entry| entry.at.seq).collect::<Vec<_>>());
    let mut before = Digest::ZERO.to_string();
    for (message, entry) in messages.iter().zip(entries) {
        is_record(message, entry);
        let body: Value = serde_json::from_slice(&message.body).expect("the body is JSON, from its first byte on");
        assert_eq!(body["prev_hash"], Value::from(before.as_str()));
        body["hash"].as_str().unwrap().clone_into(&mut before);
        if body["truncated"].is_null() {
            let covered = message.body.len() - ",\"hash\":\"\"}".len() - before.len();
            assert_eq!(Digest::of(&message.body[..covered]).to_string(), before);
        }
    }
}

/// Every kind of receiver, with these settings.
fn each(setup: impl Fn() -> Setup, mut test: impl FnMut(Kind, Receiver)) {
    // In the clear there is no driver to differ by.
    let kinds = if setup().tls.is_some() { &KINDS[..] } else { &KINDS[1..] };
    for kind in kinds.iter().copied() {
        let Some(receiver) = Receiver::start(kind, setup()) else { return };
        test(kind, receiver);
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn records_arrive_once_in_order_and_as_they_are() {
    let (world, store) = (World::new(), Store::with(700));
    let entries = store.entries();
    for encrypted in [false, true] {
        let setup = || if encrypted { world.tls() } else { Setup::default() };
        each(setup, |kind, mut receiver| {
            let store = store.again();
            let sink = sink(&receiver, encrypted.then(|| files(&world)));
            block_on(store.ship(sink, async |lag| {
                until("all was taken", || store.cursor("test") == 700).await;
                assert!(lag.is_connected());
            }));
            receiver.stop();
            let stored = receiver.stored();
            are_all(&stored, &entries);
            assert!(stored[..500].iter().all(|message| message.sending == 2), "an earlier run may have sent them");
            assert!(stored[500..].iter().all(|message| message.sending == 1));
            println!("{kind:?}, encrypted: {encrypted}: 700 of 700, byte for byte");
        });
    }
}
