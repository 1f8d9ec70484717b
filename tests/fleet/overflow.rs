//! Ten times as much as may wait: the disk stays within its cap, and what is gone is accounted for.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use isonet::model::{AgentEvent, ClockState, Draft, Record, Stamp, What};
use isonet::spool::{Limits, Position, SEGMENT_SIZE};
use isonet::sys::clock;

use crate::agent::{Orders, To, open};
use crate::chaos::Receiver;
use crate::life::Agent;
use crate::oracle::recorded;
use crate::{Done, Given};

/// What may wait, bytes.
const CAP: u64 = 2 << 20;
/// Between two attempts of the log to forget.
const TIDY: u64 = 500;

/// Fills a log while nothing is shipped, ships what is left, and counts.
pub(crate) fn run(_: &Given, receiver: &mut impl Receiver, to: &To) -> Done<String> {
    let state = tempfile::Builder::new().prefix("isonet-fleet-").tempdir().map_err(|e| format!("no place: {e}"))?;
    let spool = state.path().join("spool");
    let (log, _, _) = open(state.path(), drop)?;
    let limits = Limits { keep: Duration::from_hours(200 * 24), total: 256 << 20, unacknowledged: CAP };
    let nowhere = Position { epoch: String::new(), seq: 0 };
    let stamp = Stamp { clock: ClockState::Unsynchronised, ..clock::stamp() };
    let (mut written, mut largest, mut count) = (0, 0, 0);
    while written < 10 * CAP {
        for _ in 0..TIDY {
            count += 1;
            log.record(Draft::new(&stamp, What::Agent(AgentEvent::Coalesced { count })));
        }
        let begin = Instant::now();
        while !log.is_idle() {
            if begin.elapsed() > Duration::from_secs(30) {
                return Err("the log does not keep up".to_owned());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        log.tidy(limits, Some(nowhere.clone()), stamp.clone());
        while !log.is_idle() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let size = folder(&spool)?;
        largest = largest.max(size);
        written = count * 700;
    }
    log.close();
    // What is written between two attempts may stand above the cap, and the segment that is written never goes.
    if largest > CAP + SEGMENT_SIZE + TIDY * 1000 {
        return Err(format!("{largest} bytes on the disk, {CAP} may wait"));
    }
    let orders = Orders { state: state.path().to_owned(), to: to.clone(), every_ms: 0, mutant: None };
    let mut agent = Agent::start(orders)?;
    agent.ships_all(Duration::from_mins(2))?;
    agent.end()?;
    let all = recorded(&spool)?;
    let rows: BTreeSet<u64> = receiver
        .stored()?
        .iter()
        .filter_map(|stored| serde_json::from_slice::<Record>(&stored.line).ok())
        .map(|record| record.seq)
        .collect();
    let mut covered = BTreeSet::new();
    for (_, line) in &all {
        let value: serde_json::Value = serde_json::from_slice(line).map_err(|e| e.to_string())?;
        let number = |key: &str| value.pointer(&format!("/agent/{key}")).and_then(serde_json::Value::as_u64);
        if value.pointer("/agent/event").and_then(serde_json::Value::as_str) == Some("spool-gap")
            && let (Some(from), Some(to)) = (number("from"), number("to"))
        {
            covered.extend(from..=to);
        }
    }
    let head = all.last().map_or(0, |((_, seq), _)| *seq);
    let (both, neither) =
        (rows.intersection(&covered).count(), (1..=head).filter(|seq| !rows.contains(seq) && !covered.contains(seq)).count());
    if both > 0 || neither > 0 || covered.is_empty() || rows.len() + covered.len() != usize::try_from(head).unwrap_or(0) {
        return Err(format!("{} rows and {} covered of {head}: {both} both, {neither} neither", rows.len(), covered.len()));
    }
    Ok(format!("{} rows + {} covered = {head}; at most {largest} bytes on the disk, cap {CAP}", rows.len(), covered.len()))
}

fn folder(path: &std::path::Path) -> Done<u64> {
    let entries = std::fs::read_dir(path).map_err(|e| format!("cannot list {}: {e}", path.display()))?;
    Ok(entries.filter_map(Result::ok).filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum())
}
