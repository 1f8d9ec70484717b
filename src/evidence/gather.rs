//! Which lines of the log belong to an incident: they are shown one after the other, in the order of the log.

use super::MOST_RECORDS;
use crate::model::{AgentEvent, IncidentId, Record, Stretch};
use crate::spool::{Broken, Digest, Line};

/// Under way.
#[derive(Debug)]
pub struct Gather {
    id: String,
    /// The line before.
    previous: Option<Vec<u8>>,
    /// The last ones from before that say which configuration is in force, and which key.
    policy: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    records: Vec<u8>,
    stretches: Vec<Stretch>,
    last: Option<(Record, Digest)>,
    /// It became too much.
    too_large: bool,
}

/// All lines of one incident.
#[derive(Debug)]
pub struct Gathered {
    gather: Gather,
    last: (Record, Digest),
}

impl Gather {
    /// Of this incident.
    pub fn new(id: &IncidentId) -> Self {
        Self {
            id: id.to_string(),
            previous: None,
            policy: None,
            key: None,
            records: Vec::new(),
            stretches: Vec::new(),
            last: None,
            too_large: false,
        }
    }

    /// Looks at the next line, without its line feed, which proves itself.
    pub fn take(&mut self, bytes: &[u8]) {
        let Ok(line) = Line::read(bytes) else { return };
        if self.last.is_none() {
            if line.incident.as_ref().is_none_or(|(id, _)| *id != self.id) {
                let event = line.agent.clone().and_then(|event| serde_json::from_value(event).ok());
                match event {
                    Some(AgentEvent::PolicyChanged { .. }) => self.policy = Some(bytes.to_vec()),
                    Some(AgentEvent::KeyChanged { .. }) => self.key = Some(bytes.to_vec()),
                    _ => {}
                }
                self.previous = Some(bytes.to_vec());
                return;
            }
            let previous = self.previous.take();
            // In the stretch itself it need not stand twice.
            self.policy.take_if(|line| previous.as_ref() == Some(line));
            self.key.take_if(|line| previous.as_ref() == Some(line));
            if let Some(Ok(line)) = previous.as_deref().map(Line::read) {
                self.keep(&line);
            }
        }
        self.keep(&line);
    }

    fn keep(&mut self, line: &Line<'_>) {
        if self.records.len() + line.bytes.len() > MOST_RECORDS {
            self.too_large = true;
            return;
        }
        extend(&mut self.stretches, line);
        self.records.extend_from_slice(line.bytes);
        self.records.push(b'\n');
        if let Ok(record) = line.record() {
            self.last = Some((record, line.hash));
        }
    }

    /// All of it; `None` = there is no such incident in the log.
    pub fn end(mut self) -> Option<Gathered> {
        self.last.take().map(|last| Gathered { gather: self, last })
    }
}

impl Gathered {
    /// The lines.
    pub fn records(&self) -> &[u8] {
        &self.gather.records
    }

    /// Lines from before that say what was in force, in their order.
    pub fn before(&self) -> Vec<u8> {
        let mut lines: Vec<&Vec<u8>> = self.gather.policy.iter().chain(&self.gather.key).collect();
        let seq = |line: &Vec<u8>| Line::read(line).map(|line| line.seq).ok();
        lines.sort_by_key(|line| seq(line));
        lines.into_iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect()
    }

    /// The unbroken stretches.
    pub fn stretches(&self) -> &[Stretch] {
        &self.gather.stretches
    }

    /// The last record.
    pub fn last(&self) -> Record {
        self.last.0.clone()
    }

    /// Its hash.
    pub fn hash(&self) -> Digest {
        self.last.1
    }

    /// There was more than a bundle holds: the end is missing.
    pub fn is_too_large(&self) -> bool {
        self.gather.too_large
    }
}

/// Adds a line to the stretch that it continues, or begins another.
fn extend(stretches: &mut Vec<Stretch>, line: &Line<'_>) {
    match stretches.last_mut() {
        Some(stretch)
            if stretch.epoch == line.epoch && stretch.to.checked_add(1) == Some(line.seq) && stretch.hash == line.prev.to_string() =>
        {
            (stretch.to, stretch.hash) = (line.seq, line.hash.to_string());
        }
        _ => stretches.push(Stretch {
            epoch: line.epoch.to_string(),
            from: line.seq,
            to: line.seq,
            before: line.prev.to_string(),
            hash: line.hash.to_string(),
        }),
    }
}

/// The stretches of a file of lines; `Err` = the number of a line, from 1, that does not prove itself.
pub(super) fn stretches(file: &[u8]) -> Result<Vec<Stretch>, (u64, Broken)> {
    let mut found = Vec::new();
    let mut rest = file;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or((number, Broken::Unsealed))?;
        let line = Line::read(&rest[..end]).map_err(|why| (number, why))?;
        extend(&mut found, &line);
        rest = &rest[end + 1..];
    }
    Ok(found)
}
