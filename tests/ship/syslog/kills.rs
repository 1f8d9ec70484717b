//! Receivers that are killed while batches are under way: what that costs.

use super::*;
use isonet::sink::{Cargo, Sink};
use std::collections::BTreeSet;

/// Kills of each receiver.
const KILLS: usize = 12;
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

/// How a receiver that was killed again and again fared.
struct Fared {
    kills: usize,
    /// Lost records, by the kill that cost them.
    lost: Vec<u64>,
    copies: usize,
}

/// Ships as fast as it goes, and kills the receiver at a moment of each second batch that differs, beginning at once.
async fn killed(receiver: &mut Receiver, mut sink: SyslogSink, entries: &[Entry]) -> Fared {
    let (mut taken, mut at_kills) = (0, Vec::new());
    while taken < entries.len() {
        let batch = &entries[taken..entries.len().min(taken + BATCH)];
        let cargo = Cargo { beat: None, records: batch };
        let due = Duration::from_micros(at_kills.len() as u64 * 2500);
        let accepted = if at_kills.len() < KILLS && taken / BATCH % 2 == 1 {
            let ships = sink.ship(cargo);
            tokio::pin!(ships);
            let shipped = tokio::time::timeout(due, &mut ships).await;
            receiver.kill();
            let accepted = match shipped {
                Ok(shipped) => shipped.accepted,
                Err(_) => ships.await.accepted,
            };
            at_kills.push((taken + accepted) as u64);
            receiver.begin();
            accepted
        } else {
            sink.ship(cargo).await.accepted
        };
        taken += accepted;
    }
    receiver.stop();
    let mut stored = receiver.stored();
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
    let lost = at_kills.iter().map(|at| (std::mem::replace(&mut from, *at) + 1..=*at).filter(|seq| !there.contains(seq)).count() as u64);
    let lost: Vec<u64> = lost.collect();
    let missing = entries.len() - there.len();
    assert_eq!(lost.iter().sum::<u64>(), missing as u64, "all that is missing was taken before a kill");
    Fared { kills: at_kills.len(), lost, copies: copies - stored.len() }
}

#[test]
fn a_receiver_that_is_killed_costs_no_more_than_a_batch() {
    let (world, store) = (World::new(), Store::with(14_000));
    let entries = store.entries();
    for (encrypted, writes_first) in [(false, false), (true, false), (false, true), (true, true)] {
        let setup = || Setup { writes_first, ..if encrypted { world.tls() } else { Setup::default() } };
        each(setup, |kind, mut receiver| {
            let sink = sink(&receiver, encrypted.then(|| files(&world)));
            let Fared { kills, lost, copies } = block_on(killed(&mut receiver, sink, &entries));
            println!(
                "{kind:?}, encrypted: {encrypted}, writes first: {writes_first}: {kills} kills, lost {lost:?}, {copies} marked copies"
            );
            assert!(kills >= 10);
            assert!(lost.iter().all(|lost| *lost <= BATCH as u64));
            if writes_first {
                assert_eq!(lost.iter().sum::<u64>(), 0);
            }
        });
    }
}
