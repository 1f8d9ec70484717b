//! Whether lines belong where they stand: the chain of one epoch, segment after segment. Pure.
//!
//! A line is accepted only if its own bytes prove themselves, its number is above all before it, and it continues the line before. After
//! damage the next line that is whole by itself is accepted again, so that what follows is not lost with it. Damage is reported once per stretch.

use super::flaw::Flaw;
use super::name::SegmentName;
use super::seal::{Digest, Line};
use crate::model::AgentEvent;

/// So many damaged stretches are told one by one.
const MOST_DAMAGES: usize = 64;
/// Smallest hole that a power cut leaves in a file, bytes: a sector.
const HOLE: usize = 512;

/// A place where the log is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What does not fit.
    pub why: Flaw,
}

impl Damage {
    /// As the log says it.
    pub(super) fn event(self) -> AgentEvent {
        AgentEvent::Tampered { file: self.file, line: self.line, why: self.why.to_string() }
    }
}

/// Numbers that are missing, with a record that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// The epoch of the numbers.
    pub epoch: String,
    /// The first that is missing.
    pub from: u64,
    /// The last.
    pub to: u64,
    /// `cap`, `retention` or `damage`.
    pub reason: String,
}

/// How the bytes of a segment end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With the last line.
    Whole,
    /// What stands from this offset on was never reported; the next segment has those numbers.
    Void(u64),
    /// The end of the log was cut off in the middle of a write at this offset.
    Torn(u64),
}

/// Whether more of the epoch follows a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A segment whose first line is whole: its number, and the hash it continues.
    Begins(u64, Digest),
    /// A segment of which nobody knows what it continues.
    Unclear,
    /// A segment that the system does not let be read; by its name it begins with this number.
    Hidden(u64),
    /// Nothing that was ever finished: this is where the last write went.
    Nothing,
}

/// One segment to be judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) name: &'a SegmentName,
    pub(super) bytes: &'a [u8],
    pub(super) next: Next,
}

/// The chain of an epoch as far as it has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// Number of the last accepted record; 0 = none yet.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
    /// Accepted records.
    pub records: u64,
    /// The beginning is gone: the number before the first record that is left, and the hash that one continues.
    pub bridge: Option<(u64, Digest)>,
    /// Damaged stretches, a bounded number of them.
    pub damages: Vec<Damage>,
    /// Missing numbers that a record accounts for.
    pub jumps: Vec<Jump>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing read, and the beginning is gone.
    Adrift,
    /// The last line read was accepted.
    Whole,
    /// It was not.
    Broken,
    /// What stood next could not be read: nobody knows what it was, and nobody is to blame.
    Lost,
}

impl Chain {
    /// Of an epoch whose oldest segment begins with this number.
    pub fn new(first: u64) -> Self {
        let state = if first == 1 { State::Whole } else { State::Adrift };
        Self { state, ..Self::after(first.saturating_sub(1), Digest::ZERO) }
    }

    /// Goes on after a record that has been checked.
    pub fn after(seq: u64, hash: Digest) -> Self {
        Self { seq, hash, records: 0, bridge: None, damages: Vec::new(), jumps: Vec::new(), state: State::Whole }
    }

    /// The last line is damaged or could not be read, so that nobody knows which number it had.
    pub fn ends_uncertain(&self) -> bool {
        matches!(self.state, State::Broken | State::Lost)
    }

    /// Adds a damage that is not in a line that was read here.
    pub fn damage(&mut self, file: &SegmentName, line: u64, why: Flaw) {
        if self.state != State::Broken && self.damages.len() < MOST_DAMAGES {
            self.damages.push(Damage { file: file.to_string(), line, why });
        }
        self.state = State::Broken;
    }

    /// What stands next cannot be read. The next line that is whole by itself is accepted again.
    pub(super) fn lose_sight(&mut self) {
        self.state = State::Lost;
    }

    /// Reads a segment; each accepted line with its offset goes to `accept`.
    pub(super) fn read<'a>(&mut self, part: Part<'a>, accept: &mut dyn FnMut(&Line<'a>, u64)) -> End {
        let (mut offset, mut number) = (0, 0);
        while offset < part.bytes.len() {
            let at = offset as u64;
            if let Next::Begins(next, prev) = part.next
                && prev == self.hash
                && next > self.seq
            {
                return End::Void(at);
            }
            number += 1;
            let rest = &part.bytes[offset..];
            let Some(length) = rest.iter().position(|b| *b == b'\n') else {
                match part.next {
                    Next::Nothing => return End::Torn(at),
                    // Whether it is void stands in what cannot be read.
                    Next::Hidden(_) => return End::Whole,
                    Next::Begins(..) | Next::Unclear => {}
                }
                self.damage(part.name, number, Flaw::CutOff);
                break;
            };
            let bytes = &rest[..length];
            match Line::read(bytes) {
                Ok(line) => {
                    if let Next::Begins(next, _) = part.next
                        && line.seq >= next
                        && line.epoch == part.name.epoch
                    {
                        return End::Void(at);
                    }
                    if matches!(part.next, Next::Hidden(next) if line.seq >= next) {
                        return End::Whole;
                    }
                    if self.take(part.name, number, &line) {
                        accept(&line, at);
                    }
                }
                Err(_) if part.next == Next::Nothing && has_hole(bytes) => return End::Torn(at),
                Err(why) => self.damage(part.name, number, why.into()),
            }
            offset += length + 1;
        }
        End::Whole
    }

    /// Judges a line that proves itself.
    fn take(&mut self, name: &SegmentName, number: u64, line: &Line<'_>) -> bool {
        if line.epoch != name.epoch {
            self.damage(name, number, Flaw::Foreign);
            return false;
        }
        if line.seq <= self.seq && self.state != State::Adrift {
            self.damage(name, number, Flaw::Backwards { number: line.seq, last: self.seq });
            return false;
        }
        match self.state {
            State::Adrift => self.bridge = Some((line.seq.saturating_sub(1), line.prev)),
            State::Broken | State::Lost => {}
            State::Whole if line.seq == self.seq + 1 && line.prev == self.hash => {}
            State::Whole if line.seq == self.seq + 1 => {
                self.damage(name, number, Flaw::Severed);
                return false;
            }
            State::Whole => match self.accounted(line) {
                Some(jump) => self.jumps.push(jump),
                None => self.damage(name, number, Flaw::Missing { from: self.seq + 1, to: line.seq - 1 }),
            },
        }
        (self.seq, self.hash, self.state) = (line.seq, line.hash, State::Whole);
        self.records += 1;
        true
    }

    /// The line is itself the record that accounts for the numbers missing before it.
    fn accounted(&self, line: &Line<'_>) -> Option<Jump> {
        let jump = gap_of(line)?.0;
        let exact = jump.from == self.seq + 1 && jump.to.checked_add(1) == Some(line.seq) && jump.epoch == line.epoch;
        (exact && line.prev == self.hash && jump.reason == "damage").then_some(jump)
    }
}

/// What a gap record says, and the hash of the last record that is gone.
pub(super) fn gap_of(line: &Line<'_>) -> Option<(Jump, Option<Digest>)> {
    match serde_json::from_value(line.agent.clone()?).ok()? {
        AgentEvent::SpoolGap { epoch, from, to, reason, after, .. } => {
            Some((Jump { epoch, from, to, reason }, after.and_then(|hex| Digest::from_hex(hex.as_bytes()))))
        }
        _ => None,
    }
}

/// A run of zero bytes such as a sector that was never written.
pub(super) fn has_hole(bytes: &[u8]) -> bool {
    bytes.split(|b| *b != 0).any(|run| run.len() >= HOLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::seal::append;

    fn name(first: u64) -> SegmentName {
        SegmentName { epoch: "e".to_owned(), first }
    }

    /// Lines with these numbers, chained to `prev`; gives the bytes and the last hash.
    fn lines(numbers: std::ops::RangeInclusive<u64>, mut prev: Digest) -> (Vec<u8>, Digest) {
        let mut bytes = Vec::new();
        for seq in numbers {
            prev = append(&mut bytes, format!("{{\"epoch\":\"e\",\"seq\":{seq}}}").as_bytes(), &prev);
        }
        (bytes, prev)
    }

    fn read(chain: &mut Chain, bytes: &[u8], next: Next) -> (End, Vec<u64>) {
        let mut seen = Vec::new();
        let end = chain.read(Part { name: &name(1), bytes, next }, &mut |line, _| seen.push(line.seq));
        (end, seen)
    }

    #[test]
    fn a_whole_segment_is_whole() {
        let (bytes, hash) = lines(1..=3, Digest::ZERO);
        let mut chain = Chain::new(1);
        assert_eq!(read(&mut chain, &bytes, Next::Nothing), (End::Whole, vec![1, 2, 3]));
        assert_eq!((chain.seq, chain.hash, chain.ends_uncertain()), (3, hash, false));
    }

    #[test]
    fn numbers_at_the_end_of_their_range_are_numbers() {
        let (last, gap) = (u64::MAX, |to| {
            let (reason, epoch) = ("damage".to_owned(), "e".to_owned());
            let gap = AgentEvent::SpoolGap { epoch, from: 2, to, reason, before: None, after: None };
            serde_json::json!({ "epoch": "e", "seq": 4, "agent": gap }).to_string()
        });
        for (to, whole) in [(3, true), (last, false)] {
            let (mut bytes, prev) = lines(1..=1, Digest::ZERO);
            append(&mut bytes, gap(to).as_bytes(), &prev);
            let mut chain = Chain::new(1);
            assert_eq!(read(&mut chain, &bytes, Next::Nothing).1, [1, 4]);
            assert_eq!((chain.jumps.len() == 1, chain.damages.is_empty()), (whole, whole), "{to}");
        }
        let (bytes, _) = lines(last - 1..=last, Digest::ZERO);
        let mut chain = Chain::new(last);
        assert_eq!(read(&mut chain, &[bytes.as_slice(), &lines(0..=1, Digest::ZERO).0].concat(), Next::Nothing).1, [last - 1, last]);
    }

    #[test]
    fn the_unfinished_end_is_torn_in_the_last_segment_only() {
        let (bytes, hash) = lines(1..=3, Digest::ZERO);
        let cut = &bytes[..bytes.len() - 5];
        let start = bytes[..bytes.len() - 1].iter().rposition(|b| *b == b'\n').expect("three lines") as u64 + 1;
        assert_eq!(read(&mut Chain::new(1), cut, Next::Nothing), (End::Torn(start), vec![1, 2]));
        let mut chain = Chain::new(1);
        assert_eq!(read(&mut chain, cut, Next::Begins(4, hash)), (End::Whole, vec![1, 2]));
        assert_eq!(chain.damages[0].why, Flaw::CutOff);
    }

    #[test]
    fn a_hole_is_torn_and_a_changed_byte_is_damage() {
        let (mut bytes, _) = lines(1..=2, Digest::ZERO);
        let hole = bytes.len();
        bytes.extend_from_slice(&[0; 600]);
        bytes.extend_from_slice(b"\n{}\n");
        assert_eq!(read(&mut Chain::new(1), &bytes, Next::Nothing), (End::Torn(hole as u64), vec![1, 2]));
        let (mut bytes, _) = lines(1..=3, Digest::ZERO);
        bytes[10] = 0;
        let mut chain = Chain::new(1);
        assert_eq!(read(&mut chain, &bytes, Next::Nothing), (End::Whole, vec![2, 3]));
        assert_eq!((chain.damages.len(), chain.damages[0].line), (1, 1));
    }

    #[test]
    fn what_the_next_segment_has_is_void() {
        let (bytes, _) = lines(1..=5, Digest::ZERO);
        let (first_three, hash) = lines(1..=3, Digest::ZERO);
        let void = End::Void(first_three.len() as u64);
        assert_eq!(read(&mut Chain::new(1), &bytes, Next::Begins(4, hash)), (void, vec![1, 2, 3]));
        let cut = &bytes[..bytes.len() - 7];
        assert_eq!(read(&mut Chain::new(1), cut, Next::Begins(4, hash)), (void, vec![1, 2, 3]));
    }

    #[test]
    fn a_missing_or_repeated_or_foreign_line_is_damage() {
        let (one, hash) = lines(1..=1, Digest::ZERO);
        let (two, after_two) = lines(2..=2, hash);
        let (three, _) = lines(3..=3, after_two);
        let judged = |parts: &[&[u8]]| {
            let mut chain = Chain::new(1);
            let (_, seen) = read(&mut chain, &parts.concat(), Next::Nothing);
            (seen, chain.damages.first().map(|d| (d.line, d.why.to_string())))
        };
        assert_eq!(judged(&[&one, &three]).1, Some((2, "the records 2 to 2 are missing before it".to_owned())));
        assert_eq!(judged(&[&one, &one, &two]), (vec![1, 2], Some((2, "has the number 1 after 1".to_owned()))));
        let (forged, _) = lines(2..=2, Digest::of(b"forged"));
        assert_eq!(judged(&[&one, &forged, &three]), (vec![1, 3], Some((2, "does not continue the record before it".to_owned()))));
        let mut foreign = Vec::new();
        append(&mut foreign, br#"{"epoch":"f","seq":2}"#, &hash);
        assert_eq!(judged(&[&one, &foreign]).1, Some((2, "belongs to another epoch".to_owned())));
    }
}
