//! A hint for a quick start: which segments were whole, and what stood open at their end. Made when a segment is finished.
//!
//! It is never believed over the log: the segments must have the sizes it says, the last one must end in the record it says, and every open
//! incident is read from the record itself. Where one of that fails, the whole log is read. What it covers is read again in the background.

use super::place::{Place, Segment};
use super::seal::{Digest, Line, seal, unseal};
use super::store::Store;
use serde::{Deserialize, Serialize};

/// The file.
pub(super) const FILE: &str = "checkpoint";
/// How far from the end of a segment its last line is looked for, bytes.
const TAIL: u64 = 2 * super::LARGEST_LINE as u64;

/// The log as it was at the end of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) epoch: String,
    /// All segments, the oldest first, with their sizes.
    pub(super) segments: Vec<(String, u64)>,
    pub(super) seq: u64,
    pub(super) head: Digest,
    /// The last record of each incident that was open.
    pub(super) open: Vec<Place>,
    /// Damages that a record tells of: the file and the line.
    pub(super) reported: Vec<(String, u64)>,
}

impl Checkpoint {
    pub(super) fn load(store: &dyn Store) -> Option<Self> {
        unseal(&store.read(FILE, 0).ok()?).ok()
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        seal(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// How many of these segments it covers; `None` = it does not fit them.
    pub(super) fn covers(&self, segments: &[Segment], store: &dyn Store) -> Option<usize> {
        let there = segments.iter().map(|s| (s.name.to_string(), s.bytes));
        let fits = self.segments.len() <= segments.len() && self.segments.iter().cloned().eq(there.take(self.segments.len()));
        let last = segments.get(self.segments.len().checked_sub(1)?)?;
        let tail = store.read(&last.name.to_string(), last.bytes.saturating_sub(TAIL)).ok()?;
        let line = last_line(&tail)?;
        (fits && last.name.epoch == self.epoch && line.seq == self.seq && line.hash == self.head).then_some(self.segments.len())
    }
}

/// The last whole line of some bytes.
pub(super) fn last_line(bytes: &[u8]) -> Option<Line<'_>> {
    let body = bytes.strip_suffix(b"\n")?;
    let start = body.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    Line::read(&body[start..]).ok()
}

impl Place {
    /// Reads the line that stands here; `None` = it is not there any more as it was.
    pub(super) fn line(&self, store: &dyn Store) -> Option<Vec<u8>> {
        let bytes = store.read_part(&self.segment, self.offset, self.length).ok()?;
        let line = bytes.strip_suffix(b"\n")?;
        (Line::read(line).ok()?.hash == self.hash).then(|| line.to_vec())
    }
}
