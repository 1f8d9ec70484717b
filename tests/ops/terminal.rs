//! Terminals as receivers see them: real records, chained and sealed, and signs of life.

use crate::samples;
use isonet::model::{
    AgentEvent, Body, Change, Goodbye, HEARTBEAT_SCHEMA, Heartbeat, IncidentId, LogNow, Phase, Record, Severity, TerminalCard,
};
use isonet::spool::Digest;

/// One.
pub struct Terminal {
    /// As it names itself.
    pub card: TerminalCard,
    /// The life of its log.
    pub epoch: String,
    /// The last hash.
    pub head: Digest,
    /// Its log, a line each, without line feeds.
    pub lines: Vec<String>,
}

/// Seals a record after another.
pub fn sealed(record: &Record, prev: Digest) -> (String, Digest) {
    let json = serde_json::to_string(record).unwrap();
    let text = format!("{},\"prev_hash\":\"{prev}\"", json.strip_suffix('}').unwrap());
    let hash = Digest::of(text.as_bytes());
    (format!("{text},\"hash\":\"{hash}\"}}"), hash)
}

impl Terminal {
    /// A new one.
    pub fn new(id: &str, region: &str, line: &str) -> Self {
        let card =
            TerminalCard { id: Some(id.to_owned()), region: Some(region.to_owned()), line: Some(line.to_owned()), ..samples::terminal() };
        Self { card, epoch: life(id, 0), head: Digest::ZERO, lines: Vec::new() }
    }

    /// The number of the next record.
    pub fn next(&self) -> u64 {
        self.lines.len() as u64 + 1
    }

    /// The next record, not yet in the log.
    pub fn record(&self, body: Body) -> Record {
        let record = samples::record(self.next(), body);
        Record { epoch: self.epoch.clone(), terminal: self.card.clone(), ..record }
    }

    /// Writes it.
    pub fn push(&mut self, body: Body) -> &mut Self {
        let (line, hash) = sealed(&self.record(body), self.head);
        self.lines.push(line);
        self.head = hash;
        self
    }

    /// Something about the agent.
    pub fn agent(&mut self, event: AgentEvent) -> &mut Self {
        self.push(Body::Agent { severity: Severity::Info, agent: event })
    }

    /// An incident opens, and gets this record's number for a name.
    pub fn opens(&mut self) -> u64 {
        let seq = self.next();
        let body = self.outage(seq, Phase::Opened, Change::Raised);
        self.push(body);
        seq
    }

    /// It ends.
    pub fn resolves(&mut self, opened: u64) -> &mut Self {
        let body = self.outage(opened, Phase::Resolved, Change::Recovered);
        self.push(body)
    }

    /// A day of every sort of record there is, as far as it fits any terminal.
    pub fn day(&mut self) -> &mut Self {
        for record in samples::day() {
            if !matches!(record.body, Body::Agent { agent: AgentEvent::SpoolGap { .. }, .. } | Body::Incident(_)) {
                self.push(record.body);
            }
        }
        self
    }

    fn outage(&self, opened: u64, phase: Phase, change: Change) -> Body {
        let Some(Body::Incident(mut body)) = samples::day().into_iter().map(|record| record.body).nth(1) else { unreachable!() };
        body.incident.id = IncidentId { epoch: self.epoch.clone(), seq: opened };
        body.incident.opened_seq = opened;
        body.incident.phase = phase;
        body.incident.change = change;
        body.incident.resolution = (phase == Phase::Resolved).then_some(change);
        Body::Incident(body)
    }

    /// A sign of life, as `heartbeat/1` has it.
    pub fn beat(&self, goodbye: Option<Goodbye>) -> String {
        self.beat_of(self.lines.len() as u64, self.head, goodbye)
    }

    /// One that names that head.
    pub fn beat_of(&self, seq: u64, head: Digest, goodbye: Option<Goodbye>) -> String {
        let time = samples::record(1, Body::Agent { severity: Severity::Info, agent: AgentEvent::Started }).time;
        let beat = Heartbeat {
            schema: HEARTBEAT_SCHEMA.to_owned(),
            terminal: self.card.clone(),
            epoch: self.epoch.clone(),
            seq,
            hash: head.to_string(),
            time,
            uptime_s: 4000,
            interval_s: 300,
            open: Vec::new(),
            more_open: 0,
            log: LogNow { well: true, waiting: 0, given_up: 0 },
            goodbye,
            key: None,
        };
        format!("{},\"signature\":null}}", serde_json::to_string(&beat).unwrap().strip_suffix('}').unwrap())
    }
}

/// The UUID of the nth life of a terminal's log.
pub fn life(id: &str, n: u16) -> String {
    let digest = Digest::of(id.as_bytes()).to_string();
    format!("{}-{}-7{}-8{n:03x}-{}", &digest[..8], &digest[8..12], &digest[12..15], &digest[20..32])
}
