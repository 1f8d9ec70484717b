//! What does not fit about a place in the log. Its words are part of the records and language-free; for people see the command line.

use super::seal::Broken;

/// Why a place is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The line itself does not prove itself.
    #[error(transparent)]
    Line(#[from] Broken),
    /// The line ends with the file, and others follow.
    #[error("is cut off")]
    CutOff,
    /// The line names another epoch than its file.
    #[error("belongs to another epoch")]
    Foreign,
    /// The number is not above the one before.
    #[error("has the number {number} after {last}")]
    Backwards {
        /// That of the line.
        number: u64,
        /// That of the line before.
        last: u64,
    },
    /// The hash of the line before is not the one that it gives.
    #[error("does not continue the record before it")]
    Severed,
    /// Numbers are missing, and nothing accounts for them.
    #[error("the records {from} to {to} are missing before it")]
    Missing {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// The file is there and does not hold what it should.
    #[error("cannot be read")]
    Unusable,
    /// The file is there and is none of ours, such as one that is too large.
    #[error("cannot be read: {0}")]
    Refused(String),
    /// The file is not there.
    #[error("is missing")]
    Absent,
    /// The file is whole and says something else than the records.
    #[error("does not fit the log")]
    Misfit,
}
