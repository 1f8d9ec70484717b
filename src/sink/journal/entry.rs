//! A record as an entry of the journal, in the journal's own format. Pure.
//!
//! A field is `NAME=value\n`; a value with a line feed is `NAME\n`, its length as 64 bits little-endian, the value, `\n`.

use super::catalog::message_id;
use crate::catalogue::{Lang, told};
use crate::model::{Body, IncidentBody, Record};

/// The entry for a line of the log. A line that is no record of this version goes along as it is, with a plain message: what a later version
/// wrote is not lost.
pub fn entry(line: &[u8], lang: Lang) -> Vec<u8> {
    let mut entry = Entry(Vec::with_capacity(line.len() * 2));
    entry.field("SYSLOG_IDENTIFIER", "isonet");
    if let Ok(record) = serde_json::from_slice::<Record>(line) {
        entry.record(&record, lang);
    } else {
        entry.field("MESSAGE", lang.pick("isonet 的一条记录，由更新的版本写成。", "A record of isonet, written by a later version."));
        entry.field("PRIORITY", "5");
    }
    entry.bytes("ISONET_RECORD", line);
    entry.0
}

struct Entry(Vec<u8>);

impl Entry {
    fn record(&mut self, record: &Record, lang: Lang) {
        let (code, severity) = (record.body.code(), record.body.severity());
        self.field("MESSAGE", &told(&record.body, lang));
        self.field("MESSAGE_ID", &message_id(code));
        self.field("PRIORITY", &severity.syslog().to_string());
        self.field("ISONET_CODE", code);
        self.field("ISONET_SEVERITY", severity.code());
        self.field("ISONET_EPOCH", &record.epoch);
        self.field("ISONET_SEQ", &record.seq.to_string());
        self.field("ISONET_EVENT_ID", &record.event_id);
        if let Some(id) = &record.terminal.id {
            self.field("ISONET_TERMINAL", id);
        }
        match &record.body {
            Body::Incident(incident) => self.incident(incident),
            Body::Agent { .. } => self.field("ISONET_KIND", "agent"),
        }
    }

    fn incident(&mut self, body: &IncidentBody) {
        let (card, cause) = (&body.incident, &body.cause);
        self.field("ISONET_KIND", card.kind.code());
        self.field("ISONET_INCIDENT", &card.id.to_string());
        self.field("ISONET_PHASE", card.phase.code());
        self.field("ISONET_CHANGE", card.change.code());
        self.field("ISONET_CERTAINTY", cause.certainty.code());
        self.field("ISONET_SUBJECT", &cause.object);
        self.field("ISONET_OCCURRENCES", &card.occurrences.to_string());
        if let Some(layer) = cause.layer {
            self.field("ISONET_LAYER", layer.code());
        }
        if !card.centres.is_empty() {
            self.field("ISONET_CENTRES", &card.centres.join(" "));
        }
        let who: Vec<_> = body.who_acts.iter().map(|actor| actor.code()).collect();
        if !who.is_empty() {
            self.field("ISONET_WHO_ACTS", &who.join(" "));
        }
        if let Some(rule) = &body.rule {
            self.field("ISONET_ARTICLE", &format!("{} {} {}", rule.set, rule.version, rule.article));
        }
        if let Some(origin) = body.origin {
            self.field("ISONET_ORIGIN", origin.code());
        }
        if !body.evidence.is_empty() {
            self.field("ISONET_EVIDENCE", &body.evidence.iter().map(proof).collect::<Vec<_>>().join("\n"));
        }
    }

    fn field(&mut self, name: &str, value: &str) {
        self.bytes(name, value.as_bytes());
    }

    fn bytes(&mut self, name: &str, value: &[u8]) {
        self.0.extend_from_slice(name.as_bytes());
        if value.contains(&b'\n') {
            self.0.push(b'\n');
            self.0.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            self.0.push(b'=');
        }
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }
}

fn proof(line: &crate::model::Evidence) -> String {
    let after = line.ms.map(|ms| format!(" {ms} ms")).unwrap_or_default();
    // What comes from the network must not look like another line of proof.
    format!("{} {}: {}{after}", line.k, line.target, line.result).replace(char::is_control, "?")
}
