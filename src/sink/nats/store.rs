//! Records into a stream, over one connection.

use super::Target;
use super::jetstream::{Held, Outcome, Remedy, answer, held, held_directly, outcome};
use super::session::Session;
use super::stream::{self, Config, Stream};
use crate::sink::{Hindrance, Obstacle};
use crate::spool::{Digest, Disk, Entry, Line, Position, Reader};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

/// Most records that are sent as one, and most bytes, unless one alone has more.
const MOST_TOGETHER: usize = 100;
const MOST_BYTES: usize = 256 << 10;
/// How often to look at what is stored before it is given up for now.
const LOOKS: u32 = 4;
/// Before a second look: a copy of the stream may lag behind.
const BEFORE_LOOKING: Duration = Duration::from_millis(200);
/// How long to go on before the cursor has to move.
const TURN: Duration = Duration::from_secs(10);
/// How long to trust what a stream promised.
const CHECKED: Duration = Duration::from_hours(24);

/// A connection, and what is known of the stream behind it.
pub struct Open {
    /// The connection.
    pub session: Session,
    stream: Option<(Config, Instant)>,
    /// The epoch, and what the stream has of it.
    tip: Option<(String, Tip)>,
    /// How many records to send as one.
    together: usize,
    /// Records go without an id: it is known to the server, though the record is gone.
    nameless: bool,
}

/// The end of what a stream has of an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tip {
    /// The stream's number of the last message of the subject; 0 = there is none.
    expected: u64,
    /// Our number of the last record; `None` = there is none.
    last: Option<u64>,
    /// It has lost some; in words.
    lost: Option<String>,
}

impl Open {
    /// Nothing is known yet.
    pub fn new(session: Session) -> Self {
        Self { session, stream: None, tip: None, together: 1, nameless: false }
    }

    /// Has everything looked at anew.
    pub fn forget(&mut self) {
        (self.stream, self.tip, self.together) = (None, None, 1);
    }

    /// Looks at how the stream is set up, unless that was done not long ago; what it lacks.
    pub async fn check(&mut self, target: &Target) -> Result<Option<Vec<String>>, Hindrance> {
        if self.stream.as_ref().is_some_and(|(_, at)| at.elapsed() < CHECKED) {
            return Ok(None);
        }
        let Some(message) = self.session.ask(&target.api(&format!("STREAM.INFO.{}", target.stream)), &[], b"").await? else {
            return Err(self.silent("STREAM.INFO"));
        };
        let receiver = &self.session.receiver;
        let config = match answer::<Stream>(&message).map_err(|why| self.garbage(&why))? {
            Ok(stream) => stream.config,
            Err(refusal) if refusal.err_code == 0 => {
                return Err(Hindrance::new(
                    Obstacle::Setup,
                    format!(
                        "{receiver}: JetStream is off here, or not up yet; behind a leaf node the configuration has to name its domain"
                    ),
                ));
            }
            Err(refusal) => {
                let Hindrance { obstacle, detail } = refusal.hindrance(receiver);
                return Err(Hindrance::new(obstacle, format!("{detail}; stream {}", target.stream)));
            }
        };
        if let Some(hindrance) = stream::refuses(&config, receiver) {
            return Err(hindrance);
        }
        let lacks = stream::lacks(&config, target.keep);
        self.stream = Some((config, Instant::now()));
        Ok(Some(lacks))
    }

    /// Stores records as far as they go in one turn, and counts them. What it found to be lost is added to what is lacking, whatever comes after.
    pub async fn store_all(
        &mut self,
        target: &Target,
        records: &[Entry],
        accepted: &mut usize,
        lacks: &mut Vec<String>,
    ) -> Result<(), Hindrance> {
        let (begun, mut looks) = (Instant::now(), 0);
        while let Some(first) = records.get(*accepted) {
            if *accepted > 0 && begun.elapsed() > TURN {
                break;
            }
            let rest = &records[*accepted..];
            let run = &rest[..rest.iter().take_while(|entry| entry.at.epoch == first.at.epoch).count()];
            let subject = target.names.records(&target.subject, &first.at.epoch);
            let tip = match self.tip.take().filter(|(epoch, _)| *epoch == first.at.epoch) {
                Some((_, tip)) => tip,
                None if looks == LOOKS => {
                    let why = format!("{}: what is stored under {subject} does not become clear", self.session.receiver);
                    return Err(Hindrance::new(Obstacle::Busy, why));
                }
                None => {
                    sleep(BEFORE_LOOKING * looks).await;
                    looks += 1;
                    self.look(target, &subject, run).await?
                }
            };
            let there = run.iter().take_while(|entry| tip.last.is_some_and(|last| entry.at.seq <= last)).count();
            if there > 0 {
                self.tip = Some((first.at.epoch.clone(), tip));
                (*accepted, looks) = (*accepted + there, 0);
                continue;
            }
            let cargo = self.next_of(run);
            if let Some(seq) = self.store(target, &subject, cargo, tip.expected).await? {
                let tip_now = Tip { expected: seq, last: cargo.last().map(|entry| entry.at.seq), lost: None };
                self.tip = Some((first.at.epoch.clone(), tip_now));
                lacks.extend(tip.lost);
                (*accepted, looks) = (*accepted + cargo.len(), 0);
            }
        }
        Ok(())
    }

    /// So many as go together now.
    fn next_of<'a>(&self, run: &'a [Entry]) -> &'a [Entry] {
        let atomic = self.stream.as_ref().is_some_and(|(config, _)| config.allow_atomic);
        let most = if atomic { self.together } else { 1 };
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            bytes += entry.bytes.len();
            bytes <= MOST_BYTES
        };
        &run[..run.iter().take(most).take_while(fits).count().max(1)]
    }

    /// Stores records behind the message of this number. `None` = that has to be looked at.
    async fn store(&mut self, target: &Target, subject: &str, records: &[Entry], expected: u64) -> Result<Option<u64>, Hindrance> {
        let (begun, batch, terminal) = (Instant::now(), self.session.unique(), target.names.terminal());
        let expected = expected.to_string();
        let mut answer = None;
        for (at, record) in records.iter().enumerate() {
            let (id, number) = (format!("{terminal}-{}-{}", record.at.epoch, record.at.seq), (at + 1).to_string());
            let mut headers = vec![("Nats-Expected-Stream", target.stream.as_str())];
            if !self.nameless {
                headers.push(("Nats-Msg-Id", &id));
            }
            if at == 0 {
                headers.push(("Nats-Expected-Last-Subject-Sequence", &expected));
            }
            if records.len() > 1 {
                headers.extend([("Nats-Batch-Id", batch.as_str()), ("Nats-Batch-Sequence", &number)]);
            }
            self.fits(record, &headers)?;
            if at + 1 < records.len() {
                self.session.publish(subject, &headers, &record.bytes);
            } else {
                if records.len() > 1 {
                    headers.push(("Nats-Batch-Commit", "1"));
                }
                answer = self.session.ask(subject, &headers, &record.bytes).await?;
            }
        }
        let Some(message) = answer else {
            self.together = 1;
            return Ok(None);
        };
        match outcome(&message, &target.stream, records.len()).map_err(|why| self.garbage(&why))? {
            Outcome::Stored(seq) => {
                self.nameless = false;
                if begun.elapsed() < target.patience / 5 {
                    self.together = (self.together * 2).min(MOST_TOGETHER);
                }
                Ok(Some(seq))
            }
            Outcome::Known => {
                // If the look does not find it, it was taken away after it was stored.
                self.nameless = true;
                Ok(None)
            }
            Outcome::Refused(refusal) => match refusal.remedy(&self.session.receiver) {
                Remedy::Look => Ok(None),
                Remedy::Singly => {
                    self.stream.iter_mut().for_each(|(config, _)| config.allow_atomic = false);
                    Ok(None)
                }
                Remedy::Wait(hindrance) => Err(hindrance),
            },
        }
    }

    fn fits(&self, record: &Entry, headers: &[(&str, &str)]) -> Result<(), Hindrance> {
        let bytes = record.bytes.len() + headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum::<usize>() + 64;
        let most = self.session.max_payload;
        if bytes as u64 <= most {
            return Ok(());
        }
        let why = format!("{}: takes {most} bytes, a record has {bytes}; set max_payload to 1MB", self.session.receiver);
        Err(Hindrance::new(Obstacle::Setup, why))
    }

    /// What the stream has of the epoch of these records, held against them and the log.
    async fn look(&mut self, target: &Target, subject: &str, run: &[Entry]) -> Result<Tip, Hindrance> {
        let direct = self.stream.as_ref().is_some_and(|(config, _)| config.allow_direct);
        let (asked, question) = if direct {
            (target.api(&format!("DIRECT.GET.{}.{subject}", target.stream)), Vec::new())
        } else {
            (target.api(&format!("STREAM.MSG.GET.{}", target.stream)), json!({ "last_by_subj": subject }).to_string().into_bytes())
        };
        let Some(message) = self.session.ask(&asked, &[], &question).await? else {
            return Err(self.silent(if direct { "DIRECT.GET" } else { "STREAM.MSG.GET" }));
        };
        let found = if direct { held_directly(message) } else { held(&message) };
        let (expected, bytes) = match found.map_err(|why| self.garbage(&why))? {
            Ok(None) => return Ok(Tip { expected: 0, last: None, lost: None }),
            Ok(Some(Held { seq, payload: None })) => return Ok(Tip { expected: seq, last: None, lost: None }),
            Ok(Some(Held { seq, payload: Some(bytes) })) => (seq, bytes),
            Err(refusal) => return Err(refusal.hindrance(&self.session.receiver)),
        };
        let foreign = |why: String| Err(Hindrance::new(Obstacle::Foreign, format!("{}: {subject} {why}", self.session.receiver)));
        let Some(first) = run.first() else { return Ok(Tip { expected, last: None, lost: None }) };
        let Some(line) = Line::read(&bytes).ok().filter(|line| line.epoch == first.at.epoch) else {
            return foreign(format!("holds at {expected} what is no record of this PC"));
        };
        let at = Position { epoch: first.at.epoch.clone(), seq: line.seq };
        let (own, next) = match run.iter().find(|entry| entry.at == at) {
            Some(entry) => (Own::Is(entry.hash), None),
            None => own(&target.spool, &at).await?,
        };
        match own {
            Own::Is(hash) if hash != line.hash => foreign(format!("holds another record {} than this PC wrote", at.seq)),
            Own::Beyond => foreign(format!("holds record {}, which this PC has not written yet", at.seq)),
            Own::Is(_) | Own::Gone => {
                let missing = next.filter(|next| next.epoch == at.epoch && next.seq < first.at.seq);
                let lost = missing.map(|next| format!("it lost records {} to {}, which it had acknowledged", next.seq, first.at.seq - 1));
                Ok(Tip { expected, last: Some(at.seq), lost })
            }
        }
    }

    fn silent(&self, asked: &str) -> Hindrance {
        Hindrance::new(Obstacle::Silent, format!("{}: no answer to {asked}", self.session.receiver))
    }

    fn garbage(&self, why: &str) -> Hindrance {
        Hindrance::new(Obstacle::Garbage, format!("{}: {why}", self.session.receiver))
    }
}

/// A record of this number in our log.
enum Own {
    /// Has this hash.
    Is(Digest),
    /// Was never written: the log ends before.
    Beyond,
    /// Is not there any more, as those after it show.
    Gone,
}

/// Looks for a record in the log, and for the one after it.
async fn own(spool: &Path, at: &Position) -> Result<(Own, Option<Position>), Hindrance> {
    let before = Position { epoch: at.epoch.clone(), seq: at.seq.saturating_sub(1) };
    let store = Disk::look(spool);
    let read = spawn_blocking(move || Reader::after(store, before).next(2, None)).await.map_err(std::io::Error::from).flatten();
    let found = read.map_err(|error| Hindrance::new(Obstacle::Here, format!("read the log: {error}")))?;
    Ok(match found.as_slice() {
        [] => (Own::Beyond, None),
        [entry, next @ ..] if entry.at == *at => (Own::Is(entry.hash), next.first().map(|next| next.at.clone())),
        [entry, ..] => (Own::Gone, Some(entry.at.clone())),
    })
}
