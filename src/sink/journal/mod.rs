//! The system's journal as a receiver: each record is one entry with fields, and `journalctl -x` explains it.
//!
//! The journal is local, limits rates and forgets: it is a mirror for people who look there first, never the source of truth. A record counts
//! as taken when the kernel took the datagram.
//!
//! # Fields
//!
//! | field | value |
//! |---|---|
//! | `MESSAGE` | the record in one sentence, in the configured language |
//! | `MESSAGE_ID` | one for each code, see [`message_id`]; the shipped catalogues explain them |
//! | `PRIORITY` | by severity: critical 2, high 3, medium 4, low 5, info 6 |
//! | `SYSLOG_IDENTIFIER` | `isonet` |
//! | `ISONET_CODE` | the cause or finding, `agent.degraded`, `unknown`, or the event of the agent, e.g. `agent.started` |
//! | `ISONET_KIND` | `disconnection`, `degradation`, `blindness`, `finding`, or `agent` |
//! | `ISONET_SEVERITY` | as in the record |
//! | `ISONET_EPOCH`, `ISONET_SEQ`, `ISONET_EVENT_ID` | which record: tells a repetition after a crash |
//! | `ISONET_TERMINAL` | the terminal's id, where it has one |
//! | `ISONET_RECORD` | the record itself, as it is in the log |
//!
//! and of an incident also `ISONET_INCIDENT`, `ISONET_PHASE`, `ISONET_CHANGE`, `ISONET_CERTAINTY`, `ISONET_SUBJECT`, `ISONET_LAYER`,
//! `ISONET_CENTRES`, `ISONET_OCCURRENCES`, `ISONET_WHO_ACTS`, `ISONET_ARTICLE`, `ISONET_ORIGIN` and `ISONET_EVIDENCE` (one line of proof a
//! line), as far as the record has them. Lists are separated by a blank.

mod catalog;
mod entry;

pub use catalog::{catalog, message_id};
pub use entry::entry;

use super::{Cargo, Hindrance, Shipped, Sink};
use crate::catalogue::Lang;
use crate::sys::journald;
use std::io;
use std::path::{Path, PathBuf};

/// The way to the journal.
#[derive(Debug)]
pub struct JournalSink {
    socket: PathBuf,
    /// Once there was something to say.
    journal: Option<journald::Journal>,
    lang: Lang,
}

impl JournalSink {
    /// To the journal that listens at this path, usually [`journald::SOCKET`]; it need not listen yet.
    pub fn new(socket: &Path, lang: Lang) -> Self {
        Self { socket: socket.to_owned(), journal: None, lang }
    }

    fn send(&mut self, entry: &[u8]) -> io::Result<()> {
        match &self.journal {
            Some(journal) => journal,
            None => self.journal.insert(journald::Journal::at(&self.socket)?),
        }
        .send(entry)
    }
}

impl Sink for JournalSink {
    async fn ship(&mut self, cargo: Cargo<'_>) -> Shipped {
        for (accepted, record) in cargo.records.iter().enumerate() {
            if let Err(error) = self.send(&entry(&record.bytes, self.lang)) {
                return Shipped::only(accepted, Hindrance::of("journal", &error));
            }
        }
        Shipped::all(cargo.records.len())
    }

    /// The journal is on this PC, which knows that it lives.
    fn wants_beats(&self) -> bool {
        false
    }
}
