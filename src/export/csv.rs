//! Comma-separated values after RFC 4180: one row a record, fixed columns, CRLF.
//!
//! The file begins with a byte order mark: without it the spreadsheets that these offices use take UTF-8 for GBK and garble every Chinese
//! word. A cell that a spreadsheet could take for a formula (it begins with `=`, `+`, `-`, `@`, their full-width forms, or a control
//! character) has an apostrophe put in front, because names in records come from the network.

use crate::catalogue::{Lang, told};
use crate::model::{Body, Evidence, Record};
use serde_json::Value;

/// The columns, in this order. New ones are added at the end.
pub const COLUMNS: [&str; 38] = [
    "epoch",
    "seq",
    "event_id",
    "wall",
    "boot_id",
    "boot_ms",
    "clock_state",
    "terminal",
    "institution",
    "site",
    "region",
    "line",
    "institution_kind",
    "person_in_charge",
    "agent",
    "policy",
    "kind",
    "code",
    "severity",
    "message",
    "incident",
    "fingerprint",
    "phase",
    "rev",
    "change",
    "occurrences",
    "flapping",
    "centres",
    "since",
    "duration_ms",
    "planned",
    "layer",
    "object",
    "certainty",
    "alternatives",
    "who_acts",
    "evidence",
    "comments",
];

/// The byte order mark and the names of the columns.
pub fn header() -> String {
    format!("\u{feff}{}\r\n", COLUMNS.join(","))
}

/// One record. `message` is its sentence in `lang`.
pub fn row(record: &Record, lang: Lang) -> String {
    let (terminal, time) = (&record.terminal, &record.time);
    let told_of = |value: &Option<String>| value.clone().unwrap_or_default();
    let mut cells = vec![
        record.epoch.clone(),
        record.seq.to_string(),
        record.event_id.clone(),
        wall(time),
        time.boot_id.clone(),
        time.boot_ms.to_string(),
        word(&time.clock.state),
        told_of(&terminal.id),
        told_of(&terminal.institution),
        told_of(&terminal.site),
        told_of(&terminal.region),
        told_of(&terminal.line),
        word(&terminal.kind),
        told_of(&terminal.person_in_charge),
        terminal.agent.clone(),
        terminal.policy.clone(),
    ];
    let kind = match &record.body {
        Body::Incident(body) => body.incident.kind.code(),
        Body::Agent { .. } => "agent",
    };
    let (code, severity) = (record.body.code(), record.body.severity().code());
    cells.extend([kind.to_owned(), code.to_owned(), severity.to_owned(), told(&record.body, lang)]);
    if let Body::Incident(body) = &record.body {
        let (card, cause) = (&body.incident, &body.cause);
        cells.extend([
            card.id.to_string(),
            card.fingerprint.clone(),
            card.phase.code().to_owned(),
            card.rev.to_string(),
            card.change.code().to_owned(),
            card.occurrences.to_string(),
            card.flapping.to_string(),
            card.centres.join("; "),
            wall(&card.since),
            card.duration_ms.map(|ms| ms.to_string()).unwrap_or_default(),
            told_of(&card.planned),
            cause.layer.map(|layer| layer.code().to_owned()).unwrap_or_default(),
            cause.object.clone(),
            cause.certainty.code().to_owned(),
            cause.alternatives.iter().map(|it| format!("{} {}", it.code, it.certainty.code())).collect::<Vec<_>>().join("; "),
            body.who_acts.iter().map(|actor| actor.code()).collect::<Vec<_>>().join("; "),
            body.evidence.iter().map(proof).collect::<Vec<_>>().join("; "),
            body.comments.iter().map(|comment| comment.text.as_str()).collect::<Vec<_>>().join("; "),
        ]);
    }
    cells.resize(COLUMNS.len(), String::new());
    cells.iter().map(|value| cell(value)).collect::<Vec<_>>().join(",") + "\r\n"
}

/// As it is written in the record.
fn wall(time: &crate::model::Time) -> String {
    let offset = jiff::tz::Offset::from_seconds(time.offset_s).unwrap_or(jiff::tz::Offset::UTC);
    time.wall.display_with_offset(offset).to_string()
}

/// The JSON name of a value that is one word.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

fn proof(line: &Evidence) -> String {
    format!("{} {}: {}", line.k, line.target, line.result)
}

fn cell(value: &str) -> String {
    let formula = value.starts_with(|c: char| "=+-@＝＋－＠".contains(c) || c.is_control());
    let value = if formula { format!("'{value}") } else { value.to_owned() };
    if value.contains([',', '"', '\r', '\n']) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_never_a_formula() {
        for (value, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+1", "'+1"),
            ("-1,2", "\"'-1,2\""),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("＝1", "'＝1"),
            ("\t=1", "'\t=1"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(cell(value), expected);
        }
    }
}
