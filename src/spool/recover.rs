//! What is found at the start, and what follows from it: which epoch goes on, above which number, and what has to be reported.

use super::chain::{Chain, Damage, End, Jump, Next, Part, gap_of, has_hole};
use super::checkpoint::{Checkpoint, last_line};
use super::flaw::Flaw;
use super::known::{Known, Refusal, Unreadable};
use super::machine;
use super::name::SegmentName;
use super::place::{Place, Position, Segment};
use super::seal::{Digest, Line, seal, unseal};
use super::store::Store;
use crate::model::{AgentEvent, Incident, IncidentId, Record, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// The file that names the epoch.
pub(super) const EPOCH: &str = "epoch";

/// What the rest of the state directory, and the machine, say about the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// What tells this machine from a clone of its disk: permanent MAC, disk serial, board: digests in one line, one of which must be known.
    pub fingerprint: String,
    /// The head in the anchor.
    pub anchor: Known<(Position, Digest)>,
    /// The cursors of all sinks; [`Known::Unreadable`] or [`Known::Refused`] if one of them is.
    pub cursors: Known<Vec<Position>>,
}

/// Why an epoch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The log, or what bounds its numbers, was lost.
    Lost,
    /// Its end is damaged: nobody knows its last number.
    Damaged,
    /// The disk was copied to another machine. This epoch and all before it are that machine's.
    Cloned,
}

/// Why there is a new epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// There was none.
    First,
    /// The one before ended.
    After(Ended),
}

/// Why the log cannot even be looked at.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be listed.
    #[error("list the record log")]
    List(#[source] io::Error),
    /// There can be no more threads.
    #[error("start the thread of the record log")]
    Thread(#[source] io::Error),
}

/// What the start of the log gives to the rest of the agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Started {
    /// The epoch in force.
    pub epoch: String,
    /// Why it is a new one; `None` = it goes on.
    pub renewal: Option<Renewal>,
    /// The incidents that were open, in the order of their opening, with keys from 1 as [`Ledger::restored`](crate::incident::Ledger::restored)
    /// gives them.
    pub open: Vec<(IncidentId, Incident)>,
    /// The last record.
    pub last: Option<Last>,
    /// What will be recorded about the log itself, before anything else.
    pub events: Vec<AgentEvent>,
    /// The end of the log.
    pub head: Position,
    /// The hash of its last record.
    pub head_hash: Digest,
    /// This machine's epochs, the oldest first: what is forward for a cursor.
    pub order: Vec<String>,
}

/// The last record of the log, as far as it matters for the next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// Its number.
    pub at: Position,
    /// When.
    pub time: Time,
    /// The agent ended in good order with it.
    pub goodbye: bool,
}

/// The epochs as the file `epoch` has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Epochs {
    pub(super) epoch: String,
    pub(super) fingerprint: String,
    /// The ones before, the oldest first.
    pub(super) earlier: Vec<Earlier>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Earlier {
    pub(super) epoch: String,
    pub(super) ended: Ended,
}

impl Epochs {
    pub(super) fn load(store: &dyn Store) -> Known<Self> {
        match store.read(EPOCH, 0) {
            Ok(bytes) => unseal(&bytes).map_or(Known::Unreadable, Known::Is),
            Err(error) => Known::not_read(&error),
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        seal(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// Epochs of this machine, the oldest first.
    pub(super) fn own(&self) -> Vec<String> {
        let foreign = self.earlier.iter().rposition(|e| e.ended == Ended::Cloned).map_or(0, |at| at + 1);
        self.earlier[foreign..].iter().map(|e| e.epoch.clone()).chain([self.epoch.clone()]).collect()
    }
}

/// An unfinished or void end of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) name: SegmentName,
    pub(super) from: u64,
    /// Not yet copied aside.
    pub(super) copy: bool,
}

/// What reading the log gave.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) segments: Vec<Segment>,
    /// The last epoch in order: its name, last number and hash.
    pub(super) last: Option<(Position, Digest)>,
    pub(super) uncertain: bool,
    pub(super) cuts: Vec<Cut>,
    pub(super) torn: Option<u64>,
    pub(super) damages: Vec<Damage>,
    pub(super) unreadable: Vec<Unreadable>,
    pub(super) jumps: Vec<Jump>,
    pub(super) chains: Vec<(String, Chain)>,
    pub(super) open: BTreeMap<String, Place>,
    /// Damages that a record tells of: the file and the line; line 0 = it could not be read.
    pub(super) reported: BTreeSet<(String, u64)>,
    pub(super) last_record: Option<Record>,
    /// The checkpoint that spared reading the beginning.
    pub(super) hint: Option<Checkpoint>,
    /// What gap records say about the last record that is gone.
    bridges: BTreeSet<(String, u64, Digest)>,
    /// The last record of each segment.
    ends: BTreeSet<(String, u64, Digest)>,
}

/// The segments in order: epochs as listed, unlisted ones before them by name, which begins with the time they were made.
pub(super) fn segments(store: &dyn Store, order: &[String]) -> io::Result<Vec<Segment>> {
    let files = store.list()?;
    let mut found: Vec<Segment> =
        files.into_iter().filter_map(|(file, bytes)| Some(Segment { name: SegmentName::parse(&file)?, bytes })).collect();
    found.sort_by_cached_key(|s| (order.iter().position(|e| *e == s.name.epoch).map_or(0, |at| at + 1), s.name.clone()));
    Ok(found)
}

/// Who looks at the log.
pub(super) struct Eyes<'a> {
    /// Whether the records of an epoch are this machine's.
    pub(super) own: &'a dyn Fn(&str) -> bool,
    /// Is shown each line that proves itself and belongs where it stands.
    pub(super) each: &'a mut dyn FnMut(&Line<'_>),
}

/// Reads the log.
pub(super) fn scan(store: &dyn Store, order: &[String], hint: Option<Checkpoint>, eyes: Eyes<'_>) -> io::Result<Found> {
    Ok(scan_these(store, segments(store, order)?, hint, eyes))
}

/// What a checkpoint spared the start: reads it, and gives what has to be said of what is damaged there or does not fit the checkpoint.
pub(super) fn check(store: &dyn Store) -> io::Result<Vec<AgentEvent>> {
    let (Known::Is(epochs), Some(hint)) = (Epochs::load(store), Checkpoint::load(store)) else { return Ok(Vec::new()) };
    let order: Vec<String> = epochs.earlier.iter().map(|e| e.epoch.clone()).chain([epochs.epoch.clone()]).collect();
    let (mut segments, ours) = (segments(store, &order)?, epochs.own());
    segments.truncate(hint.segments.len());
    let foreign = |epoch: &str| order.iter().any(|e| e == epoch) && !ours.iter().any(|e| e == epoch);
    let found = scan_these(store, segments, None, Eyes { own: &|epoch| !foreign(epoch), each: &mut |_| {} });
    let (mut damages, unreadable) = (found.damages, found.unreadable);
    let fits = hint.open.iter().all(|place| found.open.values().any(|open| open == place)) && hint.open.len() == found.open.len();
    if damages.is_empty() && unreadable.is_empty() && !fits {
        damages.push(Damage { file: super::checkpoint::FILE.to_owned(), line: 1, why: Flaw::Misfit });
    }
    // Forgotten since: no damage.
    if Checkpoint::load(store).as_ref() != Some(&hint) {
        return Ok(Vec::new());
    }
    Ok(unreadable.into_iter().map(Unreadable::event).chain(damages.into_iter().map(Damage::event)).collect())
}

fn scan_these(store: &dyn Store, segments: Vec<Segment>, hint: Option<Checkpoint>, mut eyes: Eyes<'_>) -> Found {
    let mut found = Found { segments, ..Found::default() };
    let usable = hint.and_then(|hint| Some((hint.covers(&found.segments, store)?, open_of(&hint, store)?, hint)));
    let (mut covered, mut chain) = (0, None);
    if let Some((segments, open, hint)) = usable {
        (covered, found.open) = (segments, open);
        chain = Some((hint.epoch.clone(), Chain::after(hint.seq, hint.head)));
        found.last = Some((Position { epoch: hint.epoch.clone(), seq: hint.seq }, hint.head));
        found.reported = hint.reported.iter().cloned().collect();
        found.hint = Some(hint);
    }
    read_all(store, &mut found, covered, chain, &mut eyes);
    found.bridge_gaps();
    found.read_last(store, eyes.own);
    found
}

/// The open incidents of a checkpoint by id, each checked against the log.
fn open_of(hint: &Checkpoint, store: &dyn Store) -> Option<BTreeMap<String, Place>> {
    hint.open
        .iter()
        .map(|place| {
            let bytes = place.line(store)?;
            let (id, _) = Line::read(&bytes).ok()?.incident?;
            Some((id.into_owned(), place.clone()))
        })
        .collect()
}

fn read_all(store: &dyn Store, found: &mut Found, covered: usize, mut chain: Option<(String, Chain)>, eyes: &mut Eyes<'_>) {
    let segments = found.segments.clone();
    for (at, segment) in segments.iter().enumerate().skip(covered) {
        if chain.as_ref().is_none_or(|(epoch, _)| *epoch != segment.name.epoch) {
            found.finish(chain.take());
            chain = Some((segment.name.epoch.clone(), Chain::new(segment.name.first)));
        }
        let Some((_, links)) = chain.as_mut() else { continue };
        match store.read(&segment.name.to_string(), 0) {
            Ok(bytes) => found.read(segment, &bytes, what_follows(store, &segments, at), links, eyes),
            Err(error) => match Refusal::of(&error) {
                Some(refusal) => {
                    found.unreadable.push(Unreadable { file: segment.name.to_string(), refusal });
                    links.lose_sight();
                }
                None => links.damage(&segment.name, 1, Flaw::Refused(error.to_string())),
            },
        }
    }
    found.finish(chain);
}

/// How the epoch goes on after a segment. Segments in which nothing was ever finished do not count.
pub(super) fn what_follows(store: &dyn Store, segments: &[Segment], at: usize) -> Next {
    let epoch = &segments[at].name.epoch;
    for next in segments[at + 1..].iter().filter(|next| next.name.epoch == *epoch) {
        match store.read(&next.name.to_string(), 0) {
            Ok(bytes) if is_stillborn(&bytes) => {}
            Ok(bytes) => return begins(&next.name, &bytes).unwrap_or(Next::Unclear),
            Err(error) if Refusal::of(&error).is_some() => return Next::Hidden(next.name.first),
            Err(_) => return Next::Unclear,
        }
    }
    Next::Nothing
}

/// Its first write never reached the disk as a whole, so nothing in it was ever reported.
pub(super) fn is_stillborn(bytes: &[u8]) -> bool {
    let end = bytes.iter().position(|b| *b == b'\n');
    end.is_none_or(|end| has_hole(&bytes[..end]))
}

/// What the first line of a segment says it continues.
fn begins(name: &SegmentName, bytes: &[u8]) -> Option<Next> {
    let line = bytes.split(|b| *b == b'\n').next().filter(|line| line.len() < bytes.len())?;
    let line = Line::read(line).ok().filter(|line| line.seq == name.first && line.epoch == name.epoch)?;
    Some(Next::Begins(line.seq, line.prev))
}

impl Found {
    fn read(&mut self, segment: &Segment, bytes: &[u8], next: Next, chain: &mut Chain, eyes: &mut Eyes<'_>) {
        let name = &segment.name;
        let ours = (eyes.own)(&name.epoch);
        let (open, reported, bridges) = (&mut self.open, &mut self.reported, &mut self.bridges);
        let end = chain.read(Part { name, bytes, next }, &mut |line, offset| {
            (eyes.each)(line);
            if let (true, Some((id, phase))) = (ours, &line.incident) {
                if phase == "resolved" {
                    open.remove(id.as_ref());
                } else {
                    let (segment, length) = (name.to_string(), line.bytes.len() as u64 + 1);
                    open.insert(id.clone().into_owned(), Place { segment, offset, length, seq: line.seq, hash: line.hash });
                }
            }
            if let Some((gap, Some(after))) = gap_of(line) {
                bridges.insert((gap.epoch, gap.to, after));
            } else {
                match line.agent.clone().and_then(|event| serde_json::from_value(event).ok()) {
                    Some(AgentEvent::Tampered { file, line, .. }) => drop(reported.insert((file, line))),
                    Some(AgentEvent::Unreadable { file, .. }) => drop(reported.insert((file, 0))),
                    _ => {}
                }
            }
        });
        self.ends.insert((name.epoch.clone(), chain.seq, chain.hash));
        match end {
            // Made and never written: its name may be that of the next segment, or of none.
            End::Whole if bytes.is_empty() && next == Next::Nothing => self.cuts.push(Cut { name: name.clone(), from: 0, copy: false }),
            End::Whole => {}
            End::Void(from) => self.cuts.push(Cut { name: name.clone(), from, copy: true }),
            End::Torn(from) => {
                self.cuts.push(Cut { name: name.clone(), from, copy: true });
                *self.torn.get_or_insert(0) += bytes.len() as u64 - from;
            }
        }
    }

    fn finish(&mut self, chain: Option<(String, Chain)>) {
        let Some((epoch, mut chain)) = chain else { return };
        self.last = Some((Position { epoch: epoch.clone(), seq: chain.seq }, chain.hash));
        self.uncertain = chain.ends_uncertain();
        self.damages.append(&mut chain.damages);
        self.jumps.append(&mut chain.jumps);
        self.chains.push((epoch, chain));
    }

    /// Where the beginning of an epoch is gone, a record has to say so and bridge.
    fn bridge_gaps(&mut self) {
        for (epoch, chain) in &self.chains {
            let Some((to, prev)) = chain.bridge else { continue };
            // Removing the files was interrupted: the record it bridges to is still there.
            let interrupted =
                |(of, last, hash): &&(String, u64, Digest)| of == epoch && *last > to && self.ends.contains(&(epoch.clone(), *last, *hash));
            if self.bridges.contains(&(epoch.clone(), to, prev)) || self.bridges.iter().any(|bridge| interrupted(&bridge)) {
                self.jumps.push(Jump { epoch: epoch.clone(), from: 1, to, reason: "retention".to_owned() });
            } else {
                let file = SegmentName { epoch: epoch.clone(), first: to + 1 }.to_string();
                self.damages.push(Damage { file, line: 1, why: Flaw::Missing { from: 1, to } });
            }
        }
    }

    fn read_last(&mut self, store: &dyn Store, own: &dyn Fn(&str) -> bool) {
        let Some((position, _)) = self.last.clone().filter(|(position, _)| own(&position.epoch)) else { return };
        for segment in self.segments.iter().rev().filter(|s| s.name.epoch == position.epoch) {
            // What the last record was stands in what cannot be read.
            let Ok(mut bytes) = store.read(&segment.name.to_string(), 0) else { return };
            let cut = self.cuts.iter().find(|cut| cut.name == segment.name);
            bytes.truncate(cut.and_then(|cut| usize::try_from(cut.from).ok()).unwrap_or(bytes.len()));
            if let Some(line) = last_line(&bytes) {
                self.last_record = line.record().ok();
                return;
            }
        }
    }
}

/// How the log goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) renewal: Option<Renewal>,
    /// The last number that counts as given away.
    pub(super) above: u64,
    pub(super) events: Vec<AgentEvent>,
}

/// Whether the epoch goes on, and above which number. Pure.
///
/// `hinted` is the number that the checkpoint knows of in this epoch; `held` = segments of it are there.
pub(super) fn decide(epochs: &Known<Epochs>, claims: &Claims, found: &Found, hinted: Option<u64>) -> Decision {
    let renew = |ended, events| Decision { renewal: Some(Renewal::After(ended)), above: 0, events };
    let Known::Is(epochs) = epochs else {
        let traces = !found.segments.is_empty() || claims.anchor != Known::Absent || claims.cursors != Known::Absent;
        return match (epochs, traces) {
            (Known::Absent, false) => Decision { renewal: Some(Renewal::First), above: 0, events: Vec::new() },
            (Known::Absent, true) => renew(Ended::Lost, vec![missing(EPOCH, "is missing")]),
            (unknown, _) => renew(Ended::Lost, unknown.lack(EPOCH).into_iter().collect()),
        };
    };
    if !machine::is_same(&epochs.fingerprint, &claims.fingerprint) {
        return renew(Ended::Cloned, Vec::new());
    }
    if let Some(lack) = claims.anchor.lack("anchor").or_else(|| claims.cursors.lack("cursors")) {
        return renew(Ended::Lost, vec![lack]);
    }
    let here = |position: &&Position| position.epoch == epochs.epoch;
    let anchor = match &claims.anchor {
        Known::Is((position, hash)) if here(&position) => Some((position.seq, *hash)),
        _ => None,
    };
    let cursor = match &claims.cursors {
        Known::Is(cursors) => cursors.iter().filter(here).map(|position| position.seq).max(),
        _ => None,
    };
    let bound = anchor.map(|(seq, _)| seq).max(cursor).max(hinted).unwrap_or(0);
    match &found.last {
        Some((head, hash)) if head.epoch == epochs.epoch => {
            if found.uncertain {
                return renew(Ended::Damaged, Vec::new());
            }
            let gap = AgentEvent::SpoolGap {
                epoch: epochs.epoch.clone(),
                from: head.seq + 1,
                to: bound,
                reason: "damage".to_owned(),
                before: Some(hash.to_string()),
                after: anchor.filter(|(seq, _)| *seq == bound).map(|(_, hash)| hash.to_string()),
            };
            let gap = (bound > head.seq).then_some(gap);
            Decision { renewal: None, above: bound.max(head.seq), events: gap.into_iter().collect() }
        }
        _ if bound == 0 => renew(Ended::Lost, Vec::new()),
        _ => renew(Ended::Lost, vec![missing("spool", "all records are missing")]),
    }
}

fn missing(file: &str, why: &str) -> AgentEvent {
    AgentEvent::Tampered { file: file.to_owned(), line: 1, why: why.to_owned() }
}
