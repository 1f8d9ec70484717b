//! Statements of the shop on their way into the log: added to an incident that is open, or to the last record of one that is over.

use super::control::{NotNoted, Noted, Refusal, Remark};
use super::recorder::Recorder;
use crate::incident::{Commented, Engine};
use crate::model::{Change, Comment, Draft, Phase, Stamp, Time, What};
use crate::spool::Recorded;
use hyper::body::Bytes;
use tokio::sync::oneshot;

/// Those that are not on disk yet, by ticket. Whoever asked waits, and only one asks at a time.
#[derive(Default)]
pub struct Remarks(Vec<Untold>);

/// The ticket of a statement, and what is answered when it is on disk.
struct Untold {
    ticket: u64,
    noted: Noted,
    answer: oneshot::Sender<Result<Bytes, Refusal>>,
}

impl Remarks {
    /// Has one recorded, or says why not.
    pub fn take(&mut self, remark: Remark, engine: &mut Engine, recorder: &Recorder, now: &Stamp) {
        let Remark { mut body, text, answer } = remark;
        let comment = Comment { at: Time::from(now), text };
        let over = body.incident.phase == Phase::Resolved;
        let incident = body.incident.id.to_string();
        let made = match engine.comment(&body.incident, &comment, now) {
            Commented::Open(incident) => Ok((incident.comments.len(), Draft::new(now, What::Incident(incident)))),
            Commented::Over | Commented::NotHeld if over && body.comments.len() < Comment::MOST => {
                body.comments.push(comment);
                body.incident.rev += 1;
                body.incident.change = Change::Commented;
                Ok((body.comments.len(), Draft::new(now, What::Addendum(body))))
            }
            Commented::NotYet => Err(Refusal::Busy),
            // Open in the log and held nowhere: that part of the log was lost, and to write it again would open it again.
            Commented::NotHeld if !over => Err(Refusal::NotNoted(NotNoted::Unknown)),
            Commented::Over | Commented::NotHeld | Commented::TooMany => Err(Refusal::NotNoted(NotNoted::TooMany)),
        };
        let ticket = made.and_then(|(comments, draft)| Ok((comments, recorder.submit_one(draft).ok_or(Refusal::Log)?)));
        self.0.retain(|untold| !untold.answer.is_closed());
        match ticket {
            Ok((comments, ticket)) => self.0.push(Untold { ticket, noted: Noted { incident, comments }, answer }),
            // Whoever asked may have gone.
            Err(refusal) => drop(answer.send(Err(refusal))),
        }
    }

    /// These are on disk now.
    pub fn recorded(&mut self, recorded: &[Recorded]) {
        let is_told = |ticket: u64| recorded.iter().any(|record| record.ticket == Some(ticket));
        for Untold { noted, answer, .. } in self.0.extract_if(.., |untold| is_told(untold.ticket)) {
            let told = serde_json::to_vec(&noted).expect("plain data with string keys always serialises");
            let _ = answer.send(Ok(told.into()));
        }
    }
}
