//! Why a field installation cannot go on: which row, which column, and what to do.

mod words;

use super::choose::Pc;
use super::overlap::Overlap;
use crate::catalogue::Lang;

/// A row that is not it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// Its line.
    pub line: u64,
    /// The column that says otherwise.
    pub column: String,
    /// What it says.
    pub cell: String,
}

/// What is wrong. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.render(Lang::En))]
pub enum FieldError {
    /// No text in any encoding.
    NotText {
        /// Which file.
        file: String,
        /// Bytes before the first bad one.
        at: usize,
    },
    /// The reader of comma-separated values refused it.
    NotAList {
        /// Which file.
        file: String,
        /// Where.
        line: u64,
        /// Its words.
        why: String,
    },
    /// No row below the names of the columns.
    NoRows {
        /// Which file.
        file: String,
    },
    /// More cells than columns.
    TooManyCells {
        /// Which file.
        file: String,
        /// Where.
        line: u64,
        /// How many columns there are.
        columns: usize,
        /// The first cell too many.
        extra: String,
    },
    /// A cell that is too long.
    CellTooLong {
        /// Which file.
        file: String,
        /// Where.
        line: u64,
        /// In which column.
        column: String,
        /// How many characters it may have.
        most: usize,
    },
    /// A double quote that nothing closes: all that follows would be one cell.
    Unclosed {
        /// Which file.
        file: String,
        /// The row in which it stands.
        line: u64,
    },
    /// Two columns of the same meaning.
    SameColumn {
        /// Which file.
        file: String,
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// A column named like a key that does not exist.
    NoSuchKey {
        /// Which file.
        file: String,
        /// The column.
        column: String,
    },
    /// `--site`, and no column of codes.
    NoCodeColumn {
        /// Which file.
        file: String,
    },
    /// No row has this code.
    NoSuchSite {
        /// Which file.
        file: String,
        /// The code.
        code: String,
        /// A line whose code the spreadsheet turned into a quantity.
        shortened: Option<u64>,
    },
    /// The site has no such terminal.
    NoSuchTerminal {
        /// Which file.
        file: String,
        /// The code.
        code: String,
        /// The terminal.
        terminal: String,
    },
    /// Without `--site`, and no row says anything of its PC.
    NoMarks {
        /// Which file.
        file: String,
    },
    /// No row is this PC's.
    NoRow {
        /// Which file.
        file: String,
        /// The PC.
        pc: Box<Pc>,
        /// Rows that came near.
        near: Vec<Near>,
    },
    /// Several rows could be this PC's.
    Ambiguous {
        /// Which file.
        file: String,
        /// Their lines, and who they are.
        rows: Vec<(u64, String)>,
    },
    /// The row that was asked for is another PC's.
    AnotherPc {
        /// Which file.
        file: String,
        /// The row and what it says.
        near: Near,
        /// What this PC has.
        has: String,
    },
    /// A cell that the spreadsheet turned into a quantity.
    Shortened {
        /// Which file.
        file: String,
        /// The cell.
        near: Near,
    },
    /// The region's fragment is no TOML.
    NotAFragment {
        /// Which file.
        file: String,
        /// The parser's words.
        why: String,
    },
    /// A file in the place of ours that a person wrote or changed.
    Changed {
        /// Which.
        file: String,
    },
    /// Earlier files say otherwise and would be overruled in silence.
    Overruled {
        /// What.
        overlaps: Vec<Overlap>,
    },
}

impl FieldError {
    /// 66 where the row is missing, 78 where what was given is not right.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoSuchSite { .. } | Self::NoSuchTerminal { .. } | Self::NoRow { .. } => 66,
            _ => 78,
        }
    }

    fn file(&self) -> String {
        match self {
            Self::NotText { file, .. }
            | Self::NotAList { file, .. }
            | Self::NoRows { file }
            | Self::TooManyCells { file, .. }
            | Self::CellTooLong { file, .. }
            | Self::Unclosed { file, .. }
            | Self::SameColumn { file, .. }
            | Self::NoSuchKey { file, .. }
            | Self::NoCodeColumn { file }
            | Self::NoSuchSite { file, .. }
            | Self::NoSuchTerminal { file, .. }
            | Self::NoMarks { file }
            | Self::NoRow { file, .. }
            | Self::Ambiguous { file, .. }
            | Self::AnotherPc { file, .. }
            | Self::Shortened { file, .. }
            | Self::NotAFragment { file, .. }
            | Self::Changed { file } => file.clone(),
            Self::Overruled { .. } => String::new(),
        }
    }
}
