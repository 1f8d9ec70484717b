//! Reading records in order, from a position on: for sinks, the list of incidents, exports.
//!
//! Only lines that prove themselves and come after the one before are given; damage, and what a broken disk does not give, is passed over (the
//! log itself reports it). In the
//! daemon a reader goes no further than the last record that was reported durable; another process sees what the files hold.

use super::chain::{Chain, End, Next, Part};
use super::known::Known;
use super::name::SegmentName;
use super::place::{Position, Segment};
use super::recover::{self, Epochs};
use super::seal::{Digest, Line};
use super::store::Store;
use crate::model::Record;
use std::io;

/// A record as it is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub at: Position,
    /// Its line, without the line feed: what is shipped.
    pub bytes: Vec<u8>,
    /// Its hash.
    pub hash: Digest,
}

impl Entry {
    /// All it says; `None` = a later version wrote it, in words that this one does not know.
    pub fn record(&self) -> Option<Record> {
        serde_json::from_slice(&self.bytes).ok()
    }
}

/// Reads on from a position. Remembers where in the file it is, so that looking for news costs one small read.
#[derive(Debug)]
pub struct Reader<S> {
    store: S,
    after: Position,
    /// The file and the offset behind the last line looked at.
    at: Option<(SegmentName, u64)>,
}

impl<S: Store> Reader<S> {
    /// Of the records after this one. An epoch that is not in the log, or an empty one, is before all.
    pub fn after(store: S, position: Position) -> Self {
        Self { store, after: position, at: None }
    }

    /// The last record given, or passed over.
    pub fn position(&self) -> &Position {
        &self.after
    }

    /// Gives the directory back.
    pub fn into_store(self) -> S {
        self.store
    }

    /// The next records, at most `most` and none after `upto`. Empty = there are none now.
    pub fn next(&mut self, most: usize, upto: Option<&Position>) -> io::Result<Vec<Entry>> {
        let order = order(&self.store);
        let segments = own_segments(&self.store, &order)?;
        let rank = |position: &Position| (order.iter().position(|epoch| *epoch == position.epoch).map_or(0, |at| at + 1), position.seq);
        let mut entries = Vec::new();
        let from = self.first_segment(&segments, rank(&self.after));
        for (at, segment) in segments.iter().enumerate().skip(from) {
            let start = self.at.as_ref().filter(|(name, _)| *name == segment.name).map_or(0, |(_, offset)| *offset);
            let bytes = match self.store.read(&segment.name.to_string(), start) {
                // A broken disk gives it no more the next time: passed over like any damage. The log itself says so, as it does of what it deleted
                // since it was listed.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EIO | libc::ENOENT)) => continue,
                // What was found before it is given; who asks for the next is told.
                Err(_) if !entries.is_empty() => return Ok(entries),
                read => read?,
            };
            let limit = match recover::what_follows(&self.store, &segments, at) {
                Next::Begins(first, _) | Next::Hidden(first) => Some(first),
                Next::Unclear | Next::Nothing => None,
            };
            let mut offset = start;
            for line in bytes.split_inclusive(|b| *b == b'\n') {
                let Some(body) = line.strip_suffix(b"\n") else { break };
                if entries.len() == most {
                    return Ok(entries);
                }
                let good = Line::read(body).ok().filter(|line| line.epoch == segment.name.epoch);
                if let Some(line) = good.filter(|line| limit.is_none_or(|limit| line.seq < limit)) {
                    let at = Position { epoch: line.epoch.to_string(), seq: line.seq };
                    if upto.is_some_and(|upto| rank(&at) > rank(upto)) {
                        return Ok(entries);
                    }
                    if rank(&at) > rank(&self.after) {
                        entries.push(Entry { at: at.clone(), bytes: line.bytes.to_vec(), hash: line.hash });
                        self.after = at;
                    }
                }
                offset += line.len() as u64;
                self.at = Some((segment.name.clone(), offset));
            }
        }
        Ok(entries)
    }

    /// The segment to begin with: the last one that begins no later than what is wanted.
    fn first_segment(&self, segments: &[Segment], after: (usize, u64)) -> usize {
        if let Some((name, _)) = &self.at
            && let Some(at) = segments.iter().position(|segment| segment.name == *name)
        {
            return at;
        }
        let same = |segment: &Segment| segment.name.epoch == self.after.epoch;
        let reached = segments.iter().rposition(|segment| same(segment) && segment.name.first <= after.1 + 1);
        reached.or_else(|| segments.iter().position(same)).unwrap_or(0)
    }
}

/// This machine's epochs as the directory has them now.
fn order(store: &dyn Store) -> Vec<String> {
    match Epochs::load(store) {
        Known::Is(epochs) => epochs.own(),
        _ => Vec::new(),
    }
}

fn own_segments(store: &dyn Store, order: &[String]) -> io::Result<Vec<Segment>> {
    let mut segments = recover::segments(store, order)?;
    if let Known::Is(epochs) = Epochs::load(store) {
        let foreign = |name: &SegmentName| !order.contains(&name.epoch) && epochs.earlier.iter().any(|e| e.epoch == name.epoch);
        segments.retain(|segment| !foreign(&segment.name));
    }
    Ok(segments)
}

/// Where a new sink begins: before the oldest record that is kept.
pub fn oldest(store: &dyn Store) -> io::Result<Option<Position>> {
    let segments = own_segments(store, &order(store))?;
    Ok(segments.first().map(|segment| Position { epoch: segment.name.epoch.clone(), seq: segment.name.first - 1 }))
}

/// The last record, from the files alone.
pub fn newest(store: &dyn Store) -> io::Result<Option<Position>> {
    let segments = own_segments(store, &order(store))?;
    for segment in segments.iter().rev() {
        let bytes = store.read(&segment.name.to_string(), 0)?;
        let mut chain = Chain::new(segment.name.first);
        let _: End = chain.read(Part { name: &segment.name, bytes: &bytes, next: Next::Nothing }, &mut |_, _| {});
        if chain.records > 0 {
            return Ok(Some(Position { epoch: segment.name.epoch.clone(), seq: chain.seq }));
        }
    }
    Ok(None)
}
