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
pub mod files;
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

/// Why an export broke off.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log could not be read.
    #[error("read the log")]
    Read(#[source] io::Error),
    /// The result could not be written.
    #[error("write the export")]
    Write(#[source] io::Error),
}

/// Writes the records of `lines` (each a line of the log without its line feed) from `since` on, by the wall clock of each. Texts are in `lang`.
pub fn write(
    lines: impl IntoIterator<Item = io::Result<Vec<u8>>>,
    format: Format,
    since: Option<jiff::Timestamp>,
    lang: Lang,
    out: &mut dyn Write,
) -> Result<Tally, ExportError> {
    let mut tally = Tally::default();
    if format == Format::Csv {
        out.write_all(csv::header().as_bytes()).map_err(ExportError::Write)?;
    }
    for line in lines {
        let line = line.map_err(ExportError::Read)?;
        let Ok(Dated { time: When { wall } }) = serde_json::from_slice(&line) else {
            tally.foreign += 1;
            continue;
        };
        if since.is_some_and(|since| wall < since) {
            tally.older += 1;
        } else if let Some(text) = written(&line, format, lang) {
            out.write_all(&text).map_err(ExportError::Write)?;
            tally.written += 1;
        } else {
            tally.foreign += 1;
        }
    }
    out.flush().map_err(ExportError::Write)?;
    Ok(tally)
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
