//! Names of segments. Pure.

use std::fmt;

/// `EPOCH-NNNNNNNNNNNNNNNNNNNN.jsonl`: sorts by number within an epoch, as text too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    /// The epoch of all its records.
    pub epoch: String,
    /// The number of its first record.
    pub first: u64,
}

/// As many digits as the largest number has.
const DIGITS: usize = 20;

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:0DIGITS$}.jsonl", self.epoch, self.first)
    }
}

impl SegmentName {
    /// Reads the name of a file; `None` = not a segment, or not spelt as this program spells it.
    pub fn parse(file: &str) -> Option<Self> {
        let (epoch, first) = file.strip_suffix(".jsonl")?.rsplit_once('-')?;
        let plain = !epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let digits = first.len() == DIGITS && first.bytes().all(|b| b.is_ascii_digit());
        let first = first.parse().ok().filter(|first| *first > 0)?;
        (plain && digits).then(|| Self { epoch: epoch.to_owned(), first })
    }

    /// Where the unfinished end from this offset on is put.
    pub fn torn(&self, offset: u64) -> String {
        format!("{self}.{offset}.torn")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_reads_back_and_sorts_by_number(first in 1_u64.., second in 1_u64..) {
            let name = |first| SegmentName { epoch: "0190-ab".to_owned(), first };
            prop_assert_eq!(SegmentName::parse(&name(first).to_string()), Some(name(first)));
            prop_assert_eq!(first.cmp(&second), name(first).to_string().cmp(&name(second).to_string()));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}") {
            if let Some(name) = SegmentName::parse(&text) {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }

    #[test]
    fn what_is_no_segment_is_refused() {
        for file in [
            "epoch",
            "checkpoint",
            "a-1.jsonl",
            "-00000000000000000001.jsonl",
            "a-00000000000000000000.jsonl",
            "a/b-00000000000000000001.jsonl",
        ] {
            assert_eq!(SegmentName::parse(file), None, "{file}");
        }
    }
}
