//! The end of a terminal's service: the last record, its note on the disk, and receivers that are given what they do not have.
//!
//! Three steps, in this order: the record is on the disk, then the note [`Retired`] is, then receivers are waited for. Cut off before the note, the
//! service goes on with the next start; after it, no start happens any more, and asking again finds it done.

use super::control::{NotRetired, Refusal, Retire};
use super::recorder::Recorder;
use crate::model::{AgentEvent, Comment, Draft, LastRecord, RETIRED, RETIRED_SCHEMA, Retired, Stamp, What};
use crate::spool::Recorded;
use crate::sys::files::{self, ReadError};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// The note in the state directory. The unit of the service looks for it, too.
pub const FILE_NAME: &str = "retired";
/// Largest note that is read, bytes.
const LARGEST: u64 = 64 << 10;
/// Readable by the group of the service.
const MODE: u32 = 0o640;
/// Longest time that receivers are waited for.
pub const LONGEST: Duration = Duration::from_mins(10);

/// Why a note says nothing.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// It could not be read.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// It is none.
    #[error("{0}")]
    Damaged(#[from] serde_json::Error),
}

/// Reads the note; `None` = the terminal is in service.
pub fn load(state_dir: &Path) -> Result<Option<Retired>, NoteError> {
    match files::read(&state_dir.join(FILE_NAME), LARGEST) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether there is a note, whatever it says.
pub fn is_noted(state_dir: &Path) -> bool {
    std::fs::symlink_metadata(state_dir.join(FILE_NAME)).is_ok()
}

/// Writes it, whole or not at all, for whoever owns the directory.
pub fn save(state_dir: &Path, retired: &Retired) -> io::Result<()> {
    let path = state_dir.join(FILE_NAME);
    let mut json = serde_json::to_vec_pretty(retired)?;
    json.push(b'\n');
    files::replace_as(&path, &json, MODE)?;
    files::give(&path, state_dir)
}

/// Takes it away: the terminal is in service again. `false` = there was none.
pub fn lift(state_dir: &Path) -> io::Result<bool> {
    match std::fs::remove_file(state_dir.join(FILE_NAME)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A retirement that is under way.
pub(super) struct Retirement {
    order: Retire,
    /// Of the last record.
    ticket: u64,
    at: jiff::Timestamp,
    pub(super) until: Instant,
}

impl Retirement {
    /// Has the last record written; it is over when that and the note are on the disk. `None` = it is refused, and whoever asked was told.
    pub(super) fn begin(order: Retire, recorder: &Recorder, now: &Stamp) -> Option<Self> {
        let refused = if [&order.by, &order.reason].into_iter().all(|text| Comment::is_fit(text)) { None } else { Some(NotRetired::Text) };
        // A log that cannot be written would never say that it ends.
        let refused = refused.or_else(|| (!recorder.is_well()).then_some(NotRetired::NoLog));
        let event = AgentEvent::Stopped { reason: RETIRED.to_owned(), by: Some(order.by.clone()), note: Some(order.reason.clone()) };
        let ticket = match refused {
            Some(why) => Err(why),
            None => recorder.submit_one(Draft::new(now, What::Agent(event))).ok_or(NotRetired::NoLog),
        };
        match ticket {
            Ok(ticket) => Some(Self { ticket, at: now.wall, until: Instant::now() + order.wait.min(LONGEST), order }),
            Err(why) => {
                // Whoever asked may have gone.
                let _ = order.answer.send(Err(Refusal::NotRetired(why)));
                None
            }
        }
    }

    /// What is to be noted, once the last record is among these; whoever waits for it is answered with the same.
    pub(super) fn recorded(&self, recorded: &[Recorded]) -> Option<Retired> {
        let last = recorded.iter().find(|record| record.ticket == Some(self.ticket))?;
        Some(Retired {
            schema: RETIRED_SCHEMA.to_owned(),
            at: self.at,
            by: self.order.by.clone(),
            reason: self.order.reason.clone(),
            last: Some(LastRecord { epoch: last.at.epoch.clone(), seq: last.at.seq, hash: last.hash.to_string() }),
            wiped: None,
        })
    }

    /// Tells whoever asked.
    pub(super) fn answer(self, noted: Result<&Retired, NotRetired>) -> Duration {
        let told = noted.map(|retired| serde_json::to_vec(retired).expect("plain data with string keys always serialises").into());
        let _ = self.order.answer.send(told.map_err(Refusal::NotRetired));
        self.until.saturating_duration_since(Instant::now())
    }
}
