//! Where a terminal's records and signs of life go. Pure.
//!
//! A subject is words with dots between them. What NATS forbids in a word, or would read as a wildcard, becomes `_`; an empty word becomes
//! `none`, so that subscriptions by position always fit.

/// Longest word, characters: longer names than a bureau gives, shorter than NATS allows.
const LONGEST: usize = 128;

/// Who ships.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    region: String,
    terminal: String,
}

impl Names {
    /// Of this terminal in this region, as far as they are known.
    pub fn new(region: Option<&str>, terminal: Option<&str>) -> Self {
        Self { region: word(region.unwrap_or_default()), terminal: word(terminal.unwrap_or_default()) }
    }

    /// The terminal, as a word.
    pub fn terminal(&self) -> &str {
        &self.terminal
    }

    /// Where records of an epoch go, by the configured pattern.
    pub fn records(&self, pattern: &str, epoch: &str) -> String {
        // One after the other would fill in what a name brought.
        let mut subject = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once('{') {
            subject.push_str(before);
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            subject.push_str(match name {
                "region" => &self.region,
                "terminal" => &self.terminal,
                "epoch" => epoch,
                other => other,
            });
            rest = after;
        }
        subject + rest
    }

    /// Where signs of life go.
    pub fn beats(&self) -> String {
        format!("isonet-hb.{}.{}", self.region, self.terminal)
    }
}

fn word(name: &str) -> String {
    let name: String = name
        .trim()
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_whitespace() || c.is_control() || ".*>{}".contains(c) { '_' } else { c })
        .collect();
    if name.is_empty() { "none".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATTERN: &str = "isonet.{region}.{terminal}.{epoch}";

    #[test]
    fn names_are_filled_in_as_single_words() {
        let names = Names::new(Some("6101"), Some("P61010200123"));
        assert_eq!(names.records(PATTERN, "e"), "isonet.6101.P61010200123.e");
        assert_eq!(names.beats(), "isonet-hb.6101.P61010200123");
        let names = Names::new(None, Some(" 西安 1.2*>\r\n{epoch} "));
        assert_eq!(names.records(PATTERN, "e"), "isonet.none.西安_1_2_____epoch_.e");
        assert_eq!(Names::new(Some(" "), None).beats(), "isonet-hb.none.none");
    }
}
