//! The log, open for writing: gives records their place, makes them durable, and goes on in a new segment after a failure.

use super::SEGMENT_SIZE;
use super::checkpoint::{self, Checkpoint};
use super::compose;
use super::known::Known;
use super::machine;
use super::name::SegmentName;
use super::place::{Place, Position, Segment};
use super::recover::{self, Claims, Cut, Decision, Earlier, Ended, Epochs, Eyes, Found, Last, OpenError, Renewal, Started};
use super::seal::{Digest, Line};
use super::store::{Store, Tail};
use crate::model::{AgentEvent, Body, Incident, IncidentId, Phase, Record, Stamp, TerminalCard};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

/// So many resolved incidents keep their name for the case that they come back; the engine forgets them after minutes.
const RESOLVED_KEPT: usize = 256;
/// A torn end larger than this is not copied aside but left where it is, bytes.
const MOST_ASIDE: u64 = 4 << 20;

/// Why records could not be made durable. They are held and tried again with the next [`Log::flush`].
#[derive(Debug, thiserror::Error)]
#[error("{operation} {object}")]
pub struct AppendError {
    /// What was tried.
    pub operation: &'static str,
    /// On which file.
    pub object: String,
    /// The refusal.
    pub source: io::Error,
}

/// Something to be written, with the terminal as it was then.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The caller's number for it, given back when it is recorded.
    pub ticket: u64,
    /// What.
    pub draft: crate::model::Draft,
    /// Whose.
    pub card: Arc<TerminalCard>,
}

/// A record that is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The number its [`Item`] came with; `None` = the log's own.
    pub ticket: Option<u64>,
    /// Where it is.
    pub at: Position,
    /// Its hash.
    pub hash: Digest,
    /// The incident it is about: the key of this run and the name.
    pub incident: Option<(u64, IncidentId)>,
}

/// The log.
pub struct Log<S> {
    pub(super) store: S,
    epochs: Epochs,
    /// The file `epoch` still has to be written.
    unnamed: bool,
    pub(super) head: (u64, Digest),
    /// All segments in order; the one that is written is the last.
    pub(super) segments: Vec<Segment>,
    tail: Option<Box<dyn Tail>>,
    /// The last segment may be written on.
    extend: bool,
    cuts: Vec<Cut>,
    own: VecDeque<AgentEvent>,
    /// The open incidents once more, in a new epoch.
    again: Vec<Body>,
    pub(super) open: BTreeMap<String, Place>,
    keys: BTreeMap<u64, IncidentId>,
    resolved: VecDeque<u64>,
    reported: BTreeSet<(String, u64)>,
    pending: Option<Batch>,
}

/// Bytes that have their numbers and are not yet known to be durable. They are written again, unchanged, until they are.
struct Batch {
    bytes: Vec<u8>,
    first: u64,
    head: (u64, Digest),
    recorded: Vec<Recorded>,
    moves: Vec<Move>,
}

/// Where the last record of an incident will be.
struct Move {
    incident: String,
    /// From the beginning of the batch, bytes.
    offset: u64,
    length: u64,
    seq: u64,
    hash: Digest,
    phase: Phase,
}

impl<S: Store> Log<S> {
    /// Reads what is there and decides how it goes on. Writes nothing yet, so that it succeeds on a full or read-only disk.
    pub fn open(store: S, claims: &Claims, now: &Stamp) -> Result<(Self, Started), OpenError> {
        let named = Epochs::load(&store);
        let same = matches!(&named, Known::Is(epochs) if machine::is_same(&epochs.fingerprint, &claims.fingerprint));
        let cloned = matches!(&named, Known::Is(_)) && !same;
        let listed = match &named {
            Known::Is(epochs) => epochs.earlier.iter().map(|e| e.epoch.clone()).chain([epochs.epoch.clone()]).collect(),
            _ => Vec::new(),
        };
        let ours = match &named {
            Known::Is(epochs) => epochs.own(),
            _ => Vec::new(),
        };
        let own = |epoch: &str| !cloned && (ours.iter().any(|own| own == epoch) || !listed.iter().any(|known| known == epoch));
        settle_end(&store, &listed);
        let hint = Checkpoint::load(&store);
        let hinted = hint.as_ref().filter(|h| listed.last() == Some(&h.epoch)).map(|h| h.seq);
        let found = recover::scan(&store, &listed, hint.filter(|_| hinted.is_some()), Eyes { own: &own, each: &mut |_| {} })
            .map_err(OpenError::List)?;
        let decision = recover::decide(&named, claims, &found, hinted);
        Ok(Self::start(store, named, claims, found, decision, now))
    }

    fn start(store: S, named: Known<Epochs>, claims: &Claims, found: Found, decision: Decision, now: &Stamp) -> (Self, Started) {
        let mut events = decision.events;
        events.extend(found.torn.map(|bytes| AgentEvent::TornTail { bytes }));
        let mut reported = found.reported;
        for unreadable in found.unreadable {
            if reported.insert((unreadable.file.clone(), 0)) {
                events.push(unreadable.event());
            }
        }
        for damage in found.damages {
            if reported.insert((damage.file.clone(), damage.line)) {
                events.push(damage.event());
            }
        }
        // Parts are exchanged one at a time: each start remembers those that are there now.
        let exchanged = matches!(&named, Known::Is(epochs) if epochs.fingerprint != claims.fingerprint) && !claims.fingerprint.is_empty();
        let epochs = match (named, decision.renewal) {
            (Known::Is(epochs), None) if exchanged => Epochs { fingerprint: claims.fingerprint.clone(), ..epochs },
            (Known::Is(epochs), None) => epochs,
            (named, renewal) => renewed(named, renewal, &found.segments, &claims.fingerprint, now),
        };
        let last = found.last_record.filter(|_| decision.renewal != Some(Renewal::After(Ended::Cloned))).map(|record| Last {
            at: Position { epoch: record.epoch.clone(), seq: record.seq },
            goodbye: matches!(&record.body, Body::Agent { agent: AgentEvent::Stopped { .. }, .. }),
            time: record.time,
        });
        let (head, extend) = match found.last {
            Some((head, hash)) if decision.renewal.is_none() && head.epoch == epochs.epoch => {
                let clean = !found.uncertain && found.cuts.iter().all(|cut| found.segments.last().is_none_or(|s| s.name != cut.name));
                ((decision.above, hash), clean && decision.above == head.seq)
            }
            _ => ((0, Digest::ZERO), false),
        };
        let mut log = Self {
            store,
            unnamed: decision.renewal.is_some() || exchanged,
            head,
            segments: found.segments,
            tail: None,
            extend,
            cuts: found.cuts,
            own: events.iter().cloned().collect(),
            again: Vec::new(),
            open: found.open,
            keys: BTreeMap::new(),
            resolved: VecDeque::new(),
            reported,
            pending: None,
            epochs,
        };
        let open = log.restore(decision.renewal.is_some());
        let position = log.head();
        let (order, head_hash) = (log.order(), log.head_hash());
        (log, Started { head_hash, epoch: position.epoch.clone(), renewal: decision.renewal, open, last, events, head: position, order })
    }

    /// The open incidents, in the order of their opening; gives each a key. One that cannot be taken up is not open any more. In a new epoch
    /// each that is taken up is recorded once more, so that what is open in an epoch stands in it.
    fn restore(&mut self, anew: bool) -> Vec<(IncidentId, Incident)> {
        let records = self.open.values().filter_map(|place| {
            let bytes = place.line(&self.store)?;
            Line::read(&bytes).ok()?.record().ok()
        });
        let order = self.epochs.own();
        let mut open: BTreeMap<_, _> = BTreeMap::new();
        for record in records {
            if let Some((id, incident)) = compose::incident_of(&record, 0).filter(|(_, incident)| incident.is_open()) {
                open.insert((order.iter().position(|epoch| *epoch == id.epoch), id.seq), (id, incident, record));
            }
        }
        let mut restored = Vec::new();
        for (key, (id, incident, record)) in (1..).zip(open.into_values()) {
            self.keys.insert(key, id.clone());
            restored.push((id, Incident { key, ..incident }));
            if anew {
                self.again.push(compose::again(&record));
            }
        }
        restored
    }

    /// The last record that is durable.
    pub fn head(&self) -> Position {
        Position { epoch: self.epochs.epoch.clone(), seq: self.head.0 }
    }

    /// Its hash.
    pub fn head_hash(&self) -> Digest {
        self.head.1
    }

    /// This machine's epochs, the oldest first.
    pub fn order(&self) -> Vec<String> {
        self.epochs.own()
    }

    /// There is nothing left to be made durable; the next batch can be loaded.
    pub fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    /// The log has something to say about itself that is not written yet.
    pub fn has_news(&self) -> bool {
        !self.own.is_empty() || !self.again.is_empty()
    }

    /// Adds something about the log itself to the next batch. A damage that a record tells of already is left out.
    pub fn tell(&mut self, event: AgentEvent) {
        let fresh = match &event {
            AgentEvent::Tampered { file, line, .. } => self.reported.insert((file.clone(), *line)),
            AgentEvent::Unreadable { file, .. } => self.reported.insert((file.clone(), 0)),
            _ => true,
        };
        if fresh {
            self.own.push_back(event);
        }
    }

    /// Gives these their places. Call [`flush`](Self::flush) to make them durable; until it succeeds no other batch is loaded.
    pub fn load(&mut self, items: impl IntoIterator<Item = Item>, card: &TerminalCard, now: &Stamp) {
        let mut batch = self.begin();
        for event in std::mem::take(&mut self.own) {
            self.place(&mut batch, None, now, card, compose::agent_body(event), None);
        }
        for body in std::mem::take(&mut self.again) {
            self.place(&mut batch, None, now, card, body, None);
        }
        for Item { ticket, draft, card } in items {
            let (body, incident) = match draft.what {
                crate::model::What::Agent(event) => (compose::agent_body(event), None),
                crate::model::What::Addendum(body) => (Body::Incident(body), None),
                crate::model::What::Incident(incident) => {
                    let id = self.name(&incident, batch.head.0 + 1);
                    (compose::body_of(&incident, &id, draft.rule), Some((incident.key, id)))
                }
            };
            self.place(&mut batch, Some(ticket), &draft.at, &card, body, incident);
        }
        self.pending = (!batch.bytes.is_empty()).then_some(batch);
    }

    pub(super) fn load_bodies(&mut self, bodies: Vec<Body>, card: &TerminalCard, now: &Stamp) {
        let mut batch = self.begin();
        for body in bodies {
            self.place(&mut batch, None, now, card, body, None);
        }
        self.pending = (!batch.bytes.is_empty()).then_some(batch);
    }

    fn begin(&self) -> Batch {
        assert!(self.pending.is_none(), "a batch is loaded only after the one before is durable");
        Batch { bytes: Vec::new(), first: self.head.0 + 1, head: self.head, recorded: Vec::new(), moves: Vec::new() }
    }

    /// The name of an incident: that of its key, or of this record, which opens it.
    fn name(&mut self, incident: &Incident, seq: u64) -> IncidentId {
        let fresh = IncidentId { epoch: self.epochs.epoch.clone(), seq };
        let id = self.keys.entry(incident.key).or_insert(fresh).clone();
        self.resolved.retain(|key| *key != incident.key);
        if incident.phase == Phase::Resolved {
            self.resolved.push_back(incident.key);
            if self.resolved.len() > RESOLVED_KEPT
                && let Some(old) = self.resolved.pop_front()
            {
                self.keys.remove(&old);
            }
        }
        id
    }

    fn place(
        &self,
        batch: &mut Batch,
        ticket: Option<u64>,
        at: &Stamp,
        card: &TerminalCard,
        body: Body,
        incident: Option<(u64, IncidentId)>,
    ) {
        let seq = batch.head.0 + 1;
        let mut record = compose::record(&self.epochs.epoch, seq, at, card, body);
        let mut json = json(&record);
        if json.len() > super::LARGEST_LINE {
            compose::shorten(&mut record.body);
            json = self::json(&record);
        }
        let offset = batch.bytes.len() as u64;
        let hash = super::seal::append(&mut batch.bytes, &json, &batch.head.1);
        if let Body::Incident(body) = &record.body {
            let length = batch.bytes.len() as u64 - offset;
            let (incident, phase) = (body.incident.id.to_string(), body.incident.phase);
            batch.moves.push(Move { incident, offset, length, seq, hash, phase });
        }
        batch.recorded.push(Recorded { ticket, at: Position { epoch: record.epoch, seq }, hash, incident });
        batch.head = (seq, hash);
    }

    /// Makes the loaded batch durable. After an error nothing of it is recorded, and the next call tries again, in a new segment.
    pub fn flush(&mut self) -> Result<Vec<Recorded>, AppendError> {
        let Some(batch) = self.pending.take() else { return Ok(Vec::new()) };
        match self.write(&batch) {
            Ok(finished) => {
                let recorded = self.commit(batch);
                self.tidy_up(finished);
                Ok(recorded)
            }
            Err(error) => {
                self.pending = Some(batch);
                self.leave_segment();
                Err(error)
            }
        }
    }

    /// Writes and syncs; gives the checkpoint of the segments before, where a new one was begun.
    fn write(&mut self, batch: &Batch) -> Result<Option<Checkpoint>, AppendError> {
        if self.unnamed {
            self.store.put(recover::EPOCH, &self.epochs.bytes()).map_err(failed("write", recover::EPOCH))?;
            self.unnamed = false;
        }
        self.notice_removal();
        let full = self.segments.last().is_some_and(|s| s.bytes >= SEGMENT_SIZE);
        let mut finished = None;
        if self.tail.is_none() || full {
            finished = self.next_segment(batch.first, full)?;
        }
        let (tail, segment) = self.tail.as_mut().zip(self.segments.last_mut()).expect("a segment was opened just now");
        let object = segment.name.to_string();
        tail.write(&batch.bytes).map_err(failed("write", &object))?;
        tail.sync().map_err(failed("sync", &object))?;
        Ok(finished)
    }

    fn next_segment(&mut self, first: u64, full: bool) -> Result<Option<Checkpoint>, AppendError> {
        self.tail = None;
        if self.extend
            && !full
            && let Some(last) = self.segments.last()
        {
            let object = last.name.to_string();
            self.tail = Some(self.store.extend(&object).map_err(failed("open", &object))?);
            return Ok(None);
        }
        self.copy_aside();
        let finished = self.extend.then(|| self.checkpoint());
        let name = SegmentName { epoch: self.epochs.epoch.clone(), first };
        let object = name.to_string();
        // A file of this name holds nothing that was ever reported: its first number has not been.
        self.store.remove(&object).map_err(failed("remove", &object))?;
        self.cuts.retain(|cut| cut.name != name);
        self.segments.retain(|segment| segment.name != name);
        self.tail = Some(self.store.create(&object).map_err(failed("create", &object))?);
        self.segments.push(Segment { name, bytes: 0 });
        self.extend = true;
        Ok(finished)
    }

    /// Somebody removed the file that is written: what follows goes to a new one, and the log says so.
    fn notice_removal(&mut self) {
        if self.tail.as_ref().is_some_and(|tail| !tail.is_linked()) {
            self.tail = None;
            self.extend = false;
            if let Some(gone) = self.segments.pop() {
                self.open.retain(|_, place| place.segment != gone.name.to_string());
                self.tell(AgentEvent::Tampered {
                    file: gone.name.to_string(),
                    line: 1,
                    why: "was removed while it was written".to_owned(),
                });
            }
            self.unnamed = true;
        }
    }

    /// After a failure the segment is never written again; what stands in it beyond what was reported is void.
    fn leave_segment(&mut self) {
        self.extend = false;
        if self.tail.take().is_some()
            && let Some(last) = self.segments.last()
        {
            self.cuts.retain(|cut| cut.name != last.name);
            self.cuts.push(Cut { name: last.name.clone(), from: last.bytes, copy: false });
        }
    }

    fn commit(&mut self, mut batch: Batch) -> Vec<Recorded> {
        self.head = batch.head;
        let segment = self.segments.last_mut().expect("the batch was written to it");
        let start = segment.bytes;
        segment.bytes += batch.bytes.len() as u64;
        let name = segment.name.to_string();
        for Move { incident, offset, length, seq, hash, phase } in batch.moves.drain(..) {
            match phase {
                Phase::Opened | Phase::Updated => {
                    self.open.insert(incident, Place { segment: name.clone(), offset: start + offset, length, seq, hash });
                }
                Phase::Resolved => drop(self.open.remove(&incident)),
            }
        }
        batch.recorded
    }

    /// Copies unfinished ends aside before anything else gets their numbers. What cannot be copied stays where it is.
    fn copy_aside(&mut self) {
        for cut in self.cuts.iter_mut().filter(|cut| cut.copy) {
            let bytes = self.store.read(&cut.name.to_string(), cut.from).ok().filter(|bytes| bytes.len() as u64 <= MOST_ASIDE);
            let copied = bytes.is_some_and(|bytes| bytes.is_empty() || self.store.put(&cut.name.torn(cut.from), &bytes).is_ok());
            cut.copy = !copied;
        }
    }

    /// Cuts void ends off and leaves a checkpoint. Neither has to succeed: a void end stays void, and a start without a checkpoint is slower.
    fn tidy_up(&mut self, finished: Option<Checkpoint>) {
        let segments = &mut self.segments;
        self.cuts.retain(|cut| {
            let name = cut.name.to_string();
            let done = match (cut.copy, cut.from) {
                (true, _) => false,
                (false, 0) => self.store.remove(&name).is_ok(),
                (false, from) => self.store.truncate(&name, from).is_ok(),
            };
            if done {
                segments.retain(|segment| segment.name != cut.name || cut.from > 0);
                segments.iter_mut().filter(|segment| segment.name == cut.name).for_each(|segment| segment.bytes = cut.from);
            }
            !done
        });
        if let Some(finished) = finished {
            let _ = self.store.put(checkpoint::FILE, &finished.bytes());
        }
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            epoch: self.epochs.epoch.clone(),
            segments: self.segments.iter().map(|s| (s.name.to_string(), s.bytes)).collect(),
            seq: self.head.0,
            head: self.head.1,
            open: self.open.values().cloned().collect(),
            reported: self.reported.iter().cloned().collect(),
        }
    }
}

/// The JSON of a record. Ours always encode: their maps have text keys and their numbers are finite or `null`.
fn json(record: &Record) -> Vec<u8> {
    serde_json::to_vec(record).expect("a record has only text keys")
}

/// The segments that the last run may have written to last.
fn settle_end(store: &dyn Store, listed: &[String]) {
    let segments = recover::segments(store, listed).unwrap_or_default();
    for segment in segments.iter().rev() {
        let name = segment.name.to_string();
        // Where it cannot be synced it is read as it is; the next write will say what is wrong.
        let _ = store.settle(&name);
        // Where nothing was ever finished in it, the one before may have been written to as well.
        if store.read(&name, 0).is_ok_and(|bytes| !recover::is_stillborn(&bytes)) {
            break;
        }
    }
}

fn renewed(named: Known<Epochs>, renewal: Option<Renewal>, segments: &[Segment], fingerprint: &str, now: &Stamp) -> Epochs {
    let ended = match renewal {
        Some(Renewal::After(ended)) => ended,
        _ => Ended::Lost,
    };
    let mut earlier = match named {
        Known::Is(epochs) => {
            let mut earlier = epochs.earlier;
            earlier.push(Earlier { epoch: epochs.epoch, ended });
            earlier
        }
        _ => Vec::new(),
    };
    for segment in segments.iter().rev() {
        if earlier.iter().all(|e| e.epoch != segment.name.epoch) {
            earlier.insert(0, Earlier { epoch: segment.name.epoch.clone(), ended: Ended::Lost });
        }
    }
    // What is not on the disk any more needs no place in the order; the last one stays, to tell whose it was.
    let kept = |e: &Earlier| segments.iter().any(|s| s.name.epoch == e.epoch);
    earlier.retain(|e| kept(e) || e.ended == Ended::Cloned);
    Epochs { epoch: compose::new_epoch(now), fingerprint: fingerprint.to_owned(), earlier }
}

pub(super) fn failed<'a>(operation: &'static str, object: &'a str) -> impl FnOnce(io::Error) -> AppendError + 'a {
    move |source| AppendError { operation, object: object.to_owned(), source }
}

impl Last {
    /// When, as a stamp.
    pub fn stamp(&self) -> Stamp {
        Stamp::from(&self.time)
    }
}
