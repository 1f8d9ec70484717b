//! Records for other programs: as they are, or mapped to a schema that they know. Every mapping is a pure function of one record; the record
//! itself ([`incident/1`](crate::model::RECORD_SCHEMA)) is the canonical form and loses nothing.
//!
//! | format | what |
//! |---|---|
//! | `jsonl` | the lines of the log, byte for byte, hashes included: what can be checked |
//! | `csv` | one row a record, for people with a spreadsheet; see [`csv`] |
//! | `ocsf` | Open Cybersecurity Schema Framework 1.5, JSON lines; see [`ocsf`] |
//! | `ecs` | Elastic Common Schema 8, JSON lines; see [`ecs`] |

pub mod csv;
pub mod ecs;
pub mod ocsf;

use crate::catalogue::Lang;
use crate::model::Record;
use serde_json::{Map, Value};
use std::io::{self, Write};

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines of the log.
    Jsonl,
    /// Comma-separated values.
    Csv,
    /// OCSF.
    Ocsf,
    /// ECS.
    Ecs,
}

/// How an export went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Records written.
    pub written: u64,
    /// Records older than what was asked for.
    pub older: u64,
    /// Lines that are no records of this version, and were left out.
    pub foreign: u64,
}

/// An export under way.
pub struct Export<'a> {
    format: Format,
    since: Option<jiff::Timestamp>,
    lang: Lang,
    out: &'a mut dyn Write,
    /// What still has to stand before the first record.
    head: Option<String>,
    tally: Tally,
    /// The first refusal to write: from then on nothing is written.
    broken: Option<io::Error>,
}

impl<'a> Export<'a> {
    /// Of the records from `since` on, by the wall clock of each, to `out`. Texts are in `lang`.
    pub fn new(format: Format, since: Option<jiff::Timestamp>, lang: Lang, out: &'a mut dyn Write) -> Self {
        let head = (format == Format::Csv).then(csv::header);
        Self { format, since, lang, out, head, tally: Tally::default(), broken: None }
    }

    /// Takes a line of the log without its line feed.
    pub fn take(&mut self, line: &[u8]) {
        if self.broken.is_some() {
            return;
        }
        let Ok(Dated { time: When { wall } }) = serde_json::from_slice(line) else {
            self.tally.foreign += 1;
            return;
        };
        if self.since.is_some_and(|since| wall < since) {
            self.tally.older += 1;
        } else if let Some(text) = written(line, self.format, self.lang) {
            self.write(&text);
            self.tally.written += 1;
        } else {
            self.tally.foreign += 1;
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let head = self.head.take().unwrap_or_default();
        self.broken = self.out.write_all(head.as_bytes()).and_then(|()| self.out.write_all(bytes)).err();
    }

    /// How it went; an error = the result could not be written.
    pub fn end(mut self) -> io::Result<Tally> {
        if self.head.is_some() {
            self.write(b"");
        }
        if let Some(error) = self.broken {
            return Err(error);
        }
        self.out.flush()?;
        Ok(self.tally)
    }
}

/// As much of a record as every version has.
#[derive(serde::Deserialize)]
struct Dated {
    time: When,
}

#[derive(serde::Deserialize)]
struct When {
    wall: jiff::Timestamp,
}

/// One line in a format; `None` = this version does not know the record. As it is, any line may go.
fn written(line: &[u8], format: Format, lang: Lang) -> Option<Vec<u8>> {
    if format == Format::Jsonl {
        return Some([line, b"\n"].concat());
    }
    let record: Record = serde_json::from_slice(line).ok()?;
    let text = match format {
        Format::Csv => csv::row(&record, lang),
        Format::Ecs => format!("{}\n", ecs::document(&record, lang)),
        Format::Ocsf | Format::Jsonl => {
            ocsf::events(&record, lang).iter().fold(String::new(), |text, event| text + &event.to_string() + "\n")
        }
    };
    Some(text.into_bytes())
}

/// Takes out what is not known: to the readers of these schemas an absent field and an empty one are the same. Texts stay, also empty ones.
fn strip(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let known = map.into_iter().map(|(key, value)| (key, strip(value))).filter(|(_, value)| !is_nothing(value));
            Value::Object(known.collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(strip).collect()),
        other => other,
    }
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}
