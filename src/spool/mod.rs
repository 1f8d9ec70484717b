//! The durable record log: what was reported as recorded is on the disk, whole, in order, and shows when somebody changed it.
//!
//! # The directory `STATE/spool` (0750)
//!
//! | file | what |
//! |---|---|
//! | `EPOCH-NNNNNNNNNNNNNNNNNNNN.jsonl` | a segment: records from that number on, about 1 MiB, 0640 |
//! | `epoch` | the life of the log: its id, the fingerprint of the machine, the epochs before it |
//! | `checkpoint` | a hint for a quick start; never believed over the log, may be deleted |
//! | `SEGMENT.OFFSET.torn` | what a power cut left unfinished at that offset of a segment, kept for who wants to look |
//!
//! Beside it `STATE/cursors/NAME.cursor` (how far a sink has come) and `STATE/anchor` (the last sign of life).
//!
//! # A line
//!
//! Segments are plain JSON lines in UTF-8. A line is one [`Record`](crate::model::Record) as compact JSON whose bytes end in
//!
//! ```text
//! ,"prev_hash":"<64 hex>","hash":"<64 hex>"}\n
//! ```
//!
//! `hash` is the SHA-256 of the exact bytes of the line *before* `,"hash":`, `prev_hash` included; `prev_hash` is the `hash` of the line
//! before, across segments, and 64 zeros in the first record of an epoch. What is checked is bytes, never JSON that was written anew.
//! Anybody can check a line, here the 17th:
//!
//! ```sh
//! sed -n 17p SEGMENT | sed 's/,"hash":"[0-9a-f]*"}$//' | tr -d '\n' | sha256sum
//! ```
//!
//! `epoch`, `checkpoint`, `anchor` and the cursors are one such line each, without `prev_hash`. They are replaced as a whole (written beside,
//! synced, renamed, directory synced).
//!
//! # Numbers
//!
//! `seq` counts from 1 without a gap within an `epoch`, a UUID made with the log. No pair of them ever names two records. Numbering goes on
//! above the end of the log, every cursor and the anchor; a number that was given away and is not in the log any more is covered by a
//! [`SpoolGap`](crate::model::AgentEvent::SpoolGap) record with reason `damage`, which then *is* the first record after the jump and names exactly
//! the missing numbers. A new epoch begins where that cannot be had: the `epoch` file, the anchor or a cursor is there and
//! unreadable, all records are gone, the last record of the log is damaged so that its number is uncertain, or the machine is another one
//! (a cloned disk image). After a clone the earlier epochs belong to the other machine: they are kept, but neither shipped nor taken up.
//! Otherwise the open incidents are taken up and go on under their names; each is first recorded again (`updated`, same `rev`), so that what is
//! open in the newest epoch stands in it. One that does not is over, and nobody knows since when.
//!
//! # Writing
//!
//! All that waits when a write begins is appended at once and shares one `fdatasync`. Only then is it reported as recorded. A new file is
//! made with its directory synced. After a write or sync failed, the file is never written again: the same bytes go to a new segment, named
//! by their first number. **Whatever stands in a segment from the first number of the next segment on is void**: it was never reported.
//! When the new segment is durable the void end is cut off, so that `cat *.jsonl` stays good JSON lines; what has been reported is never
//! cut, renamed or rewritten.
//!
//! While the disk refuses (full, read-only, broken) records wait in memory. Repeats are joined and `updated` records of incidents are given up
//! first ([`Room`]); that costs no number because it happens before one is given. How many were given up is itself recorded.
//!
//! # Starting
//!
//! The last segment is synced and dropped from the page cache, so that what is read is what the disk holds. An unfinished end of the *last*
//! segment (no line feed, or a hole of zero bytes as long as a sector, which JSON never contains) is a torn tail: copied aside, reported, and
//! written around as above. Any other damage is kept as it is and reported ([`Tampered`](crate::model::AgentEvent::Tampered), once per place); lines
//! after it that are whole by themselves still count. A file that the system does not let be read is no damage and nobody's act: it is reported
//! as [`Unreadable`](crate::model::AgentEvent::Unreadable), and passed over in the same way. Nothing in the directory keeps the agent from starting.
//!
//! # Forgetting
//!
//! Only whole oldest segments go: older than the configured time, or over a cap. First an open incident whose last record would go is
//! recorded again (`updated`, same `rev`), then a `SpoolGap` record is written that covers everything gone *so far* in that epoch, with the hash
//! that bridges to the oldest record kept; when both are durable the files are removed. The age of a record counts only while the clock is
//! kept synchronised; otherwise the caps alone rule.
//!
//! One writer at a time: an advisory lock on the directory.

mod anchor;
mod chain;
mod checkpoint;
mod compose;
mod cursor;
mod disk;
mod flaw;
mod known;
mod log;
mod machine;
mod name;
mod place;
mod reader;
mod recover;
mod retention;
mod room;
#[cfg(test)]
pub(crate) mod samples;
mod seal;
mod store;
mod tidy;
mod verify;
mod writer;

pub use anchor::{Anchor, FILE as ANCHOR, gap, last_alive};
pub use chain::{Chain, Damage, Jump};
pub use compose::{body_of, incident_of};
pub use cursor::{CursorError, Cursors, Moved};
pub use disk::{Disk, DiskError};
pub use flaw::Flaw;
pub use known::{Known, Refusal, Unreadable};
pub use log::{AppendError, Item, Log, Recorded};
pub use machine::is_same as is_same_machine;
pub use name::SegmentName;
pub use place::{Place, Position};
pub use reader::{Entry, Reader, newest, oldest};
pub use recover::{Claims, Ended, OpenError, Renewal, Started};
pub use retention::{Kept, Limits, Plan, plan};
pub use room::{Overflow, Room, Waiting};
#[cfg(test)]
pub(crate) use seal::append;
pub use seal::{Broken, Digest, Line, seal, unseal};
pub use store::{Store, Tail};
pub use verify::{EpochReport, Report, prove, verify};
pub use writer::{Health, News, Spool, State};

/// A segment is finished when it has reached this size, bytes.
pub const SEGMENT_SIZE: u64 = 1 << 20;
/// Largest file read, bytes: a finished segment and the largest write into it, eight times over.
pub(crate) const LARGEST_FILE: u64 = 16 << 20;
/// Largest line, bytes. A record is about 1.3 KB; one that is larger than this loses evidence before it is written.
pub const LARGEST_LINE: usize = 64 << 10;
