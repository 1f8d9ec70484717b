//! Receivers that are killed while batches are under way: what that costs.

use super::*;
use isonet::sink::{Cargo, Sink};
use isonet::sys::clock::now;
use std::collections::BTreeSet;
use tokio::time::timeout;

/// Ends of each receiver.
const ENDS: usize = 12;
const BATCH: usize = 500;

/// Takes away what is there a second time and says so.
pub fn without_marked_copies(messages: &mut Vec<Message>) {
    let mut seen = BTreeSet::new();
    messages.retain(|message| {
        let new = seen.insert(message.seq);
        assert!(new || message.sending > 1, "{} is there twice and does not say so", message.seq);
        new
    });
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Stopped,
    Killed,
}

/// How a receiver that ended again and again fared.
struct Fared {
    /// Lost records, by the end that cost them.
    lost: Vec<u64>,
    copies: usize,
}

/// Ships as fast as it goes and ends the receiver in each batch but the first: by turns at the moment at which a batch is acknowledged, and at
/// moments from the begin of a batch to well after its end.
async fn ended(ending: Ending, receiver: &mut Receiver, mut sink: SyslogSink, entries: &[Entry]) -> Fared {
    let (mut taken, mut at_ends, mut lasts) = (0, Vec::new(), Duration::from_millis(20));
    while taken < entries.len() {
        let cargo = Cargo { beat: None, records: &entries[taken..entries.len().min(taken + BATCH)] };
        let began = now();
        if taken == 0 || at_ends.len() == ENDS {
            taken += sink.ship(cargo).await.accepted;
            lasts = began.elapsed();
            continue;
        }
        let number = u32::try_from(at_ends.len()).unwrap();
        let due = if number % 2 == 0 { PATIENCE.batch } else { lasts * number / 8 };
        let ships = sink.ship(cargo);
        tokio::pin!(ships);
        let shipped = timeout(due, &mut ships).await;
        match ending {
            Ending::Stopped => receiver.stop(),
            Ending::Killed => receiver.kill(),
        }
        taken += match shipped {
            Ok(shipped) => shipped.accepted,
            Err(_) => ships.await.accepted,
        };
        at_ends.push(taken as u64);
        receiver.begin();
    }
    assert_eq!(at_ends.len(), ENDS);
    receiver.stop();
    fared(receiver.stored(), entries, &at_ends)
}

fn fared(mut stored: Vec<Message>, entries: &[Entry], at_ends: &[u64]) -> Fared {
    // What was being written when it was killed is not whole.
    stored.retain(|message| serde_json::from_slice::<Value>(&message.body).is_ok());
    let copies = stored.len();
    without_marked_copies(&mut stored);
    assert!(stored.is_sorted_by_key(|message| message.seq), "in order");
    for message in &stored {
        is_record(message, &entries[usize::try_from(message.seq).unwrap() - 1]);
    }
    let there: BTreeSet<u64> = stored.iter().map(|message| message.seq).collect();
    let mut from = 0;
    let missing = |at: &u64| (std::mem::replace(&mut from, *at) + 1..=*at).filter(|seq| !there.contains(seq)).count() as u64;
    let lost: Vec<u64> = at_ends.iter().map(missing).collect();
    assert_eq!(lost.iter().sum::<u64>(), (entries.len() - there.len()) as u64, "all that is missing was taken before an end");
    Fared { lost, copies: copies - stored.len() }
}

/// Each kind of receiver, in the clear and encrypted, and the most that one end cost.
fn costs(ending: Ending) -> u64 {
    let mut most = 0;
    let (world, store) = (World::new(), Store::with((ENDS + 2) * BATCH));
    let entries = store.entries();
    for encrypted in [false, true] {
        let setup = || if encrypted { world.tls() } else { Setup::default() };
        each(setup, |kind, receiver| {
            most = most.max(cost(ending, &format!("{kind:?}"), receiver, encrypted.then(|| files(&world)), &entries));
        });
    }
    most
}

/// The most that one end of this receiver cost.
fn cost(ending: Ending, what: &str, mut receiver: Receiver, files: Option<Files>, entries: &[Entry]) -> u64 {
    let encrypted = files.is_some();
    let sink = sink(&receiver, files);
    let Fared { lost, copies } = block_on(ended(ending, &mut receiver, sink, entries));
    println!("{what}, encrypted: {encrypted}: {ending:?} {ENDS} times, lost {lost:?}, {copies} marked copies");
    lost.into_iter().max().unwrap()
}

#[test]
fn a_receiver_that_is_killed_costs_no_more_than_a_batch() {
    assert!(costs(Ending::Killed) <= BATCH as u64);
}

#[test]
fn rsyslog_that_writes_before_it_reads_on_loses_nothing_when_it_is_killed() {
    let (world, store) = (World::new(), Store::with((ENDS + 2) * BATCH));
    for kind in [Kind::Gtls, Kind::Ossl] {
        let setup = Setup { writes_first: true, ..world.tls() };
        let Some(receiver) = Receiver::start(kind, setup) else { return };
        let what = format!("{kind:?}, writes before it reads on");
        assert_eq!(cost(Ending::Killed, &what, receiver, Some(files(&world)), &store.entries()), 0);
    }
}

#[test]
fn a_receiver_that_is_stopped_in_a_batch_loses_nothing() {
    assert_eq!(costs(Ending::Stopped), 0);
}
