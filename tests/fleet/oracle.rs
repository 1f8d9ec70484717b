//! What was recorded against what is stored.

use std::collections::BTreeMap;
use std::path::Path;

use isonet::spool::{Disk, Line, Reader};

use crate::Done;

/// A record's place in the order of a log.
pub(crate) type Number = (String, u64);

/// All records of a log, in order: their numbers and their exact lines.
pub(crate) fn recorded(spool: &Path) -> Done<Vec<(Number, Vec<u8>)>> {
    let nowhere = isonet::spool::Position { epoch: String::new(), seq: 0 };
    let mut reader = Reader::after(Disk::look(spool), nowhere);
    let mut all = Vec::new();
    loop {
        let some = reader.next(10_000, None).map_err(|e| format!("cannot read {}: {e}", spool.display()))?;
        if some.is_empty() {
            return Ok(all);
        }
        all.extend(some.into_iter().map(|entry| ((entry.at.epoch, entry.at.seq), entry.bytes)));
    }
}

/// Records that travel together at most.
const BATCH: usize = 500;

/// What came of the comparison. Numbers, so that a test can also ask for a fault.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) recorded: usize,
    pub(crate) stored: usize,
    /// Recorded and not stored.
    pub(crate) lost: usize,
    /// Batches of [`BATCH`] that would explain what is lost: each run of lost numbers is at least one.
    pub(crate) lost_batches: usize,
    /// Stored more than once, and not marked as perhaps a repetition.
    pub(crate) doubled: usize,
    /// Stored more than once and marked.
    pub(crate) marked: usize,
    /// First stored after a later one.
    pub(crate) unordered: usize,
    /// Stored, but never recorded, or not byte for byte.
    pub(crate) strange: usize,
}

impl Verdict {
    /// The same set, in order, once each.
    pub(crate) fn is_whole(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.unordered == 0 && self.strange == 0
    }
}

/// A stored line, and whether its sender marked it as perhaps a repetition.
pub(crate) struct Stored {
    pub(crate) line: Vec<u8>,
    pub(crate) marked: bool,
}

pub(crate) fn compare(recorded: &[(Number, Vec<u8>)], stored: &[Stored]) -> Verdict {
    let order: BTreeMap<&Number, (usize, &[u8])> =
        recorded.iter().enumerate().map(|(at, (number, line))| (number, (at, line.as_slice()))).collect();
    let mut verdict = Verdict { recorded: recorded.len(), stored: stored.len(), ..Verdict::default() };
    // With each, whether one was there that is not marked.
    let (mut seen, mut last) = (BTreeMap::new(), None);
    for Stored { line, marked } in stored {
        let number = Line::read(line).ok().map(|line| (line.epoch.to_string(), line.seq));
        let Some((at, _)) = number.and_then(|number| order.get(&number).copied()).filter(|(_, bytes)| bytes == line) else {
            verdict.strange += 1;
            continue;
        };
        match seen.insert(at, !marked) {
            Some(true) if !marked => verdict.doubled += 1,
            Some(unmarked) => {
                verdict.marked += 1;
                seen.insert(at, unmarked || !marked);
            }
            None if last.is_some_and(|last| at < last) => verdict.unordered += 1,
            None => last = Some(at),
        }
    }
    let mut run = 0;
    for at in 0..=recorded.len() {
        if at < recorded.len() && !seen.contains_key(&at) {
            run += 1;
        } else {
            verdict.lost_batches += usize::div_ceil(std::mem::take(&mut run), BATCH);
        }
    }
    verdict.lost = recorded.len() - seen.len();
    verdict
}
