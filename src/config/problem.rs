//! What can be wrong with a configuration, as data. [`render`](super::render) puts it into words.

use super::named::{FileFault, FileRole};
use super::schema::Kind;
use std::ops::Range;
use std::path::PathBuf;

/// A problem and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key's path, e.g. `vpn[centre].kind`; empty = the file as a whole.
    pub key: String,
    /// What is wrong.
    pub problem: Problem,
    /// The offending line.
    pub excerpt: Option<Excerpt>,
}

/// The line a problem is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The line without its end.
    pub text: String,
    /// The part that is meant, as bytes of `text`, on character boundaries; may be empty (a point).
    pub marked: Range<usize>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Not UTF-8; the first bad byte, counted from 0.
    NotUtf8(usize),
    /// Larger than this many bytes.
    TooLarge(u64),
    /// Not TOML: the parser's words.
    Syntax(String),
    /// No such key.
    UnknownKey {
        /// The key that was probably meant.
        nearest: Option<&'static str>,
        /// Tables that have a key of this name.
        elsewhere: Vec<String>,
        /// All keys of this table.
        known: Vec<&'static str>,
    },
    /// The key exists, but not for this kind of table.
    NotForKind {
        /// The table's kind.
        kind: &'static str,
        /// The kinds that have it.
        kinds: Vec<&'static str>,
    },
    /// Not what the key takes.
    BadValue {
        /// What was found.
        found: Found,
        /// What it takes.
        want: Kind,
        /// For a choice: the word that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A prefix with host bits set.
    HostBits {
        /// As written.
        found: String,
        /// Without them.
        network: String,
    },
    /// A URL with a scheme that is of no use here.
    Scheme {
        /// As written.
        found: String,
        /// Those that are.
        allowed: &'static [&'static str],
    },
    /// The table lacks this key.
    Missing {
        /// The key.
        key: &'static str,
        /// What it takes.
        want: Kind,
    },
    /// More items than anybody writes; so many are accepted.
    TooMany(usize),
    /// So many further problems of the file are not listed.
    More(usize),
    /// A second table of the same name in one file.
    DuplicateName {
        /// The name.
        name: String,
        /// Line of the first.
        first_line: usize,
    },
    /// A centre's name that means something else in a diagnosis.
    ReservedName(String),
    /// `via` names a VPN that is not there.
    UnknownVpn {
        /// As written.
        found: String,
        /// Those that are.
        known: Vec<String>,
    },
    /// A window that ends before it begins.
    WindowReversed,
    /// Periodic proofs without leave: these keys are missing.
    NotApproved(Vec<&'static str>),
    /// A threshold that can never be seen, because the exchange is given up before.
    SlowNotBelowTimeout {
        /// The threshold.
        slow: String,
        /// The timeout.
        timeout: String,
    },
    /// One key is of no use without another.
    LacksPartner {
        /// The other.
        partner: &'static str,
    },
    /// The file of the rule set cannot be read.
    RuleSetUnreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: Unread,
    },
    /// A bureau's own rule set bears the name of the shipped one.
    ReservedSet(&'static str),
    /// This stands in the same list already.
    Repeated(String),
    /// This stands in the file already.
    Twice {
        /// As written.
        word: String,
        /// Line of the first.
        first_line: usize,
    },
    /// A file that the configuration names is of no use.
    File {
        /// The file.
        path: PathBuf,
        /// What it is for.
        role: FileRole,
        /// What is wrong with it.
        fault: FileFault,
    },
    /// The types refuse what the checker let pass: a defect of ours, told rather than hidden.
    Refused(String),
}

/// Why a file that the configuration names was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It is not there.
    Missing,
    /// It is a directory, a pipe or a device.
    NotAFile,
    /// The system's words.
    Error(String),
}

/// What was found instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A text.
    Text(String),
    /// A whole number, as written.
    Integer(String),
    /// A number with a fraction, as written.
    Float(String),
    /// `true` or `false`.
    Boolean(bool),
    /// A date or time, as written.
    Datetime(String),
    /// A list.
    List,
    /// A table.
    Table,
}

/// A text file with what is needed to point into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Source {
    /// Line and column (characters) of a byte, both from 1. Beyond the end counts as the end.
    pub(super) fn position(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..self.boundary(at)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    fn boundary(&self, at: usize) -> usize {
        (0..=at.min(self.text.len())).rev().find(|i| self.text.is_char_boundary(*i)).unwrap_or(0)
    }

    /// A problem at these bytes.
    pub(super) fn locate(&self, span: &Range<usize>, key: String, problem: Problem) -> Located {
        let start = self.boundary(span.start);
        let (line, column) = self.position(start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |length| start + length);
        let text = self.text[line_start..line_end].trim_end_matches('\r');
        let from = (start - line_start).min(text.len());
        let to = (self.boundary(span.end).max(start) - line_start).clamp(from, text.len());
        let excerpt = Excerpt { text: text.to_owned(), marked: from..to };
        Located { file: self.path.clone(), line, column, key, problem, excerpt: Some(excerpt) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_count_characters_and_the_mark_stays_in_its_line() {
        let source = Source { path: "x.toml".into(), text: "a = 1\nname = \"药店\" # 注\r\nb = 2".to_owned() };
        let at = source.text.find('店').expect("there");
        let located = source.locate(&(at..at + 100), String::new(), Problem::WindowReversed);
        assert_eq!((located.line, located.column), (2, 10));
        let excerpt = located.excerpt.expect("a line");
        assert_eq!(&excerpt.text[excerpt.marked], "店\" # 注");
    }

    proptest! {
        #[test]
        fn any_span_can_be_pointed_at(text in "(\\PC|\n|\r){0,60}", from in 0_usize..200, to in 0_usize..200) {
            let source = Source { path: "x.toml".into(), text };
            let located = source.locate(&(from..to), String::new(), Problem::WindowReversed);
            let excerpt = located.excerpt.expect("a line");
            prop_assert!(excerpt.text.get(excerpt.marked).is_some());
        }
    }
}
