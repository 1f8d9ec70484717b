//! What reading a file gave, where a refusal of the system is one thing and a file that does not prove itself another: only the second can be
//! somebody's act. Pure.

use crate::model::AgentEvent;
use std::io;

/// Something kept outside the log that bounds its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known<T> {
    /// There is none.
    Absent,
    /// There is.
    Is(T),
    /// It is there and does not prove itself.
    Unreadable,
    /// It is there and the system does not let it be read.
    Refused(Refusal),
}

/// The system's refusal to read. Says nothing about what stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Of which kind.
    pub kind: io::ErrorKind,
    /// In the system's words.
    pub why: String,
}

/// A file that the system does not let be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The file.
    pub file: String,
    /// Why.
    pub refusal: Refusal,
}

impl<T> Known<T> {
    /// What an error of reading it says.
    pub(super) fn not_read(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Absent,
            _ => Refusal::of(error).map_or(Self::Unreadable, Self::Refused),
        }
    }

    /// What has to be said of a file that is there and gave nothing.
    pub(super) fn lack(&self, file: &str) -> Option<AgentEvent> {
        match self {
            Self::Absent | Self::Is(_) => None,
            Self::Unreadable => Some(AgentEvent::Tampered { file: file.to_owned(), line: 1, why: "cannot be read".to_owned() }),
            Self::Refused(refusal) => Some(AgentEvent::Unreadable { file: file.to_owned(), why: refusal.why.clone() }),
        }
    }
}

impl Refusal {
    /// `None` = the file is gone, or is none of ours: that is no refusal.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::InvalidData => None,
            kind => Some(Self { kind, why: error.to_string() }),
        }
    }
}

impl Unreadable {
    /// As the log says it.
    pub(super) fn event(self) -> AgentEvent {
        AgentEvent::Unreadable { file: self.file, why: self.refusal.why }
    }
}
