//! A record, or a sign of life, as one message of RFC 5424 in one frame of RFC 5425. Pure.
//!
//! ```text
//! LENGTH <PRI>1 TIME TERMINAL isonet PID CODE [isonet@NUMBER eid="…" seq="…" epoch="…" phase="…" cause="…" sev="…" h="…" try="…"] {…}
//! ```
//!
//! * PRI: facility local0 and the record's severity. TIME: the record's wall clock in UTC. CODE: what the record is about, or `heartbeat`.
//! * The body is the line of the log, byte for byte, without a byte order mark, which would hide the JSON from `mmjsonparse`.
//! * A message is never longer than [`LIMIT`]. A record that would be is sent shortened, which it says: `"truncated":true`. What it still has
//!   is as it was; its hash stays that of the whole line.
//! * A sign of life has no structured data: it has no number.

use crate::sink::Beat;
use crate::spool::Entry;
use serde_json::{Map, Value};
use std::io::Write;

/// Longest message, bytes, without the length in front. rsyslog cuts at 8,096 unless told otherwise, and takes the rest for another message.
pub const LIMIT: usize = 8000;

/// Longest value of a parameter, and longest HOSTNAME, bytes.
const VALUE: usize = 128;
const HOSTNAME: usize = 255;
/// Longest MSGID, bytes.
const MSGID: usize = 32;
/// local0, times eight.
const FACILITY: u8 = 16 << 3;
/// Notice, for a record of a later version whose severity has another name.
const NOTICE: u8 = 5;
const INFO: u8 = 6;

/// What a shortened record keeps, as far as there is room, the first first; then come the others, the shortest first.
const KEPT: [&str; 16] = [
    "event_id", "epoch", "seq", "kind", "severity", "time", "cause", "incident", "terminal", "agent", "rule", "origin", "who_acts",
    "grant", "remedy", "comments",
];

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// Private enterprise number that the names of parameters are under.
    pub enterprise: u32,
    /// The process.
    pub pid: u32,
}

impl Sender {
    /// Appends the frame of a record that is sent for the `sending`th time, from 1.
    pub fn record(self, out: &mut Vec<u8>, entry: &Entry, sending: u32) {
        let known = Known::of(&entry.bytes);
        let code = known.code();
        let mut parameters = format!(" [isonet@{}", self.enterprise);
        let (seq, hash, sending) = (entry.at.seq.to_string(), entry.hash.to_string(), sending.to_string());
        let known_ones = [("eid", known.text("/event_id")), ("seq", Some(&*seq)), ("epoch", Some(&*entry.at.epoch))];
        let about = [("phase", known.text("/incident/phase")), ("cause", Some(&*code)), ("sev", known.severity_code())];
        for (name, value) in known_ones.into_iter().chain(about).chain([("h", Some(&*hash)), ("try", Some(&*sending))]) {
            if let Some(value) = value {
                parameter(&mut parameters, name, value);
            }
        }
        parameters.push_str("] ");
        let header = self.header(&known, known.severity(), &code) + &parameters;
        let room = LIMIT - header.len();
        if known.0.is_some() && entry.bytes.len() <= room {
            frame(out, &header, &entry.bytes);
        } else {
            frame(out, &header, known.shortened(entry, room).as_bytes());
        }
    }

    /// Appends the frame of a sign of life.
    pub fn beat(self, out: &mut Vec<u8>, beat: &Beat) {
        let known = Known::of(&beat.0);
        let header = self.header(&known, INFO, "heartbeat") + " - ";
        let room = LIMIT - header.len();
        if known.0.is_some() && beat.0.len() <= room {
            frame(out, &header, &beat.0);
        } else {
            frame(out, &header, known.members(room, "").as_bytes());
        }
    }

    /// From PRI to MSGID.
    fn header(self, known: &Known, severity: u8, code: &str) -> String {
        let time = known.text("/time/wall").and_then(utc).unwrap_or_else(|| "-".to_owned());
        let named = |at: &str| known.text(at).filter(|name| is_printable(name) && (1..=HOSTNAME).contains(&name.len()));
        // A name that may not stand there is in the body all the same.
        let terminal = named("/terminal/id").or_else(|| named("/terminal/machine_id_hash")).unwrap_or("-");
        let code: String = code.chars().filter(char::is_ascii_graphic).take(MSGID).collect();
        let code = if code.is_empty() { "-" } else { &code };
        format!("<{}>1 {time} {terminal} isonet {} {code}", FACILITY | severity, self.pid)
    }
}

fn frame(out: &mut Vec<u8>, header: &str, body: &[u8]) {
    write!(out, "{} {header}", header.len() + body.len()).expect("memory takes what is written");
    out.extend_from_slice(body);
}

/// ` name="value"`, shortened, with what means something there escaped (RFC 5424, 6.3.3). No value has control characters.
fn parameter(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    let mut room = VALUE;
    for c in value.chars() {
        let Some(left) = room.checked_sub(c.len_utf8()) else { break };
        room = left;
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(if c.is_control() { '?' } else { c });
    }
    out.push('"');
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// With the microseconds that RFC 5424 allows; `None` = no time, or before the year 0.
fn utc(text: &str) -> Option<String> {
    let at: jiff::Timestamp = text.parse().ok()?;
    let text = at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    (text.len() == "2026-11-18T12:00:00.000000Z".len()).then_some(text)
}

/// What is known of a line; nothing where it is no object of JSON.
struct Known(Option<Map<String, Value>>);

impl Known {
    fn of(line: &[u8]) -> Self {
        Self(serde_json::from_slice(line).ok())
    }

    fn get(&self, at: &str) -> Option<&Value> {
        let mut parts = at.split('/').skip(1);
        let first = self.0.as_ref()?.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }

    fn text(&self, at: &str) -> Option<&str> {
        self.get(at)?.as_str()
    }

    /// As [`Body::code`](crate::model::Body::code), also of what a later version wrote.
    fn code(&self) -> String {
        match (self.text("/cause/code"), self.text("/agent/event")) {
            (Some(code), _) => code.to_owned(),
            (None, Some(event)) => format!("agent.{event}"),
            (None, None) => "unknown".to_owned(),
        }
    }

    fn severity_code(&self) -> Option<&str> {
        self.text("/cause/severity").or_else(|| self.text("/severity"))
    }

    fn severity(&self) -> u8 {
        use crate::model::Severity;
        let known = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];
        let of = |code| known.into_iter().find(|severity| severity.code() == code);
        self.severity_code().and_then(of).map_or(NOTICE, Severity::syslog)
    }

    /// The record with what there is room for.
    fn shortened(&self, entry: &Entry, room: usize) -> String {
        let prev = self.text("/prev_hash").filter(|prev| is_printable(prev) && prev.len() <= VALUE).unwrap_or_default();
        let links = format!(",\"prev_hash\":{},\"hash\":\"{}\"", Value::from(prev), entry.hash);
        let own = if self.0.is_some() { String::new() } else { format!(",\"epoch\":{},\"seq\":{}", short(&entry.at.epoch), entry.at.seq) };
        self.members(room, &(own + &links))
    }

    /// `{"schema":…,"truncated":true` and what there is room for, then `end` and the brace.
    fn members(&self, room: usize, end: &str) -> String {
        let schema = self.text("/schema").map(|schema| format!("\"schema\":{},", short(schema))).unwrap_or_default();
        let mut text = format!("{{{schema}\"truncated\":true");
        let fixed = ["schema", "truncated", "prev_hash", "hash"];
        let rank = |name: &str| KEPT.iter().position(|kept| *kept == name).unwrap_or(KEPT.len());
        let all = self.0.iter().flatten().filter(|(name, _)| !fixed.contains(&name.as_str()));
        let mut members: Vec<(usize, String)> =
            all.map(|(name, value)| (rank(name), format!(",{}:{value}", Value::from(name.as_str())))).collect();
        members.sort_by_key(|(rank, member)| (*rank, member.len()));
        for (_, member) in members {
            if text.len() + member.len() + end.len() < room {
                text.push_str(&member);
            }
        }
        text + end + "}"
    }
}

/// A string of JSON of a bounded length.
fn short(text: &str) -> Value {
    Value::from(text.chars().take(VALUE / 2).collect::<String>())
}

#[cfg(test)]
mod tests;
