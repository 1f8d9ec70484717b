//! Where a record is: in the order of all records, and on the disk. Pure.

use super::name::SegmentName;
use super::seal::Digest;
use serde::{Deserialize, Serialize};

/// A record by its number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Its epoch.
    pub epoch: String,
    /// Its number; 0 = before the first.
    pub seq: u64,
}

/// A record by its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file.
    pub segment: String,
    /// Where its line begins.
    pub offset: u64,
    /// Bytes of its line, with the line feed.
    pub length: u64,
    /// Its number.
    pub seq: u64,
    /// What its bytes must give.
    pub hash: Digest,
}

/// A segment and what it holds on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) name: SegmentName,
    pub(super) bytes: u64,
}
