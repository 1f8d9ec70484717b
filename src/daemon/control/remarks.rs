//! The shop's own statement about an incident. Whoever may read the records may speak to them: root and the group of `control.sock`.
//!
//! One at a time, from the reading of the incident's last record to the new one being on disk, so that no statement overwrites another.

use super::attend::{ANSWERED_BY, House};
use super::request::{NotNoted, Refusal};
use super::{Call, Log, Remark};
use crate::model::{Body, Comment, IncidentBody, IncidentId, Record};
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// What is asked: a statement about an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// `EPOCH/SEQ`, or the number that the list shows.
    pub incident: String,
    /// What is said.
    pub text: String,
}

/// What is answered when it is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    /// The incident, in full.
    pub incident: String,
    /// Statements that it has now.
    pub comments: usize,
}

/// Has a statement recorded; answers when it is on disk.
pub(super) async fn remark(house: &House, body: &[u8]) -> Result<Bytes, Refusal> {
    record(house, serde_json::from_slice(body).map_err(|_| Refusal::Order)?).await
}

/// The same for a statement that is understood.
pub(super) async fn record(house: &House, Statement { incident, text }: Statement) -> Result<Bytes, Refusal> {
    let text = text.trim().to_owned();
    if !Comment::is_fit(&text) {
        return Err(Refusal::NotNoted(NotNoted::Text));
    }
    let turn = timeout(ANSWERED_BY, house.reading.acquire()).await;
    let _turn = turn.map_err(|_| Refusal::Busy)?;
    let log = Arc::clone(&house.log);
    let reading = tokio::task::spawn_blocking(move || last(&log, &incident));
    let body = match timeout(ANSWERED_BY, reading).await {
        Ok(Ok(Ok(Some(body)))) => body,
        Ok(Ok(Ok(None))) => return Err(Refusal::NotNoted(NotNoted::Unknown)),
        Ok(Ok(Err(error))) => {
            tracing::warn!(%error, "the log could not be read for a client");
            return Err(Refusal::Log);
        }
        Ok(Err(_)) => return Err(Refusal::Log),
        Err(_) => return Err(Refusal::Busy),
    };
    let (answer, told) = oneshot::channel();
    house.ask.try_send(Call::Remarked(Remark { body, text, answer })).map_err(|_| Refusal::Busy)?;
    timeout(ANSWERED_BY, told).await.ok().and_then(Result::ok).unwrap_or(Err(Refusal::Busy))
}

/// The last record of an incident; `None` = the log has none of this name.
fn last(log: &Log, wanted: &str) -> io::Result<Option<Box<IncidentBody>>> {
    let wanted = Wanted::of(wanted);
    let mut found: Option<Box<IncidentBody>> = None;
    log(&mut |line| {
        if let Ok(Record { epoch, body: Body::Incident(body), .. }) = serde_json::from_slice(line)
            && wanted.is(&body.incident.id, &epoch, found.as_deref())
        {
            found = Some(body);
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Which incident is meant.
enum Wanted {
    Named(IncidentId),
    Numbered(u64),
    Nothing,
}

impl Wanted {
    fn of(text: &str) -> Self {
        let text = text.trim();
        match (IncidentId::try_from(text.to_owned()), text.trim_start_matches('#').parse()) {
            (Ok(id), _) => Self::Named(id),
            (_, Ok(seq)) => Self::Numbered(seq),
            _ => Self::Nothing,
        }
    }

    /// A number alone means the newest epoch that has an incident of this number of its own.
    fn is(&self, id: &IncidentId, epoch: &str, before: Option<&IncidentBody>) -> bool {
        match self {
            Self::Named(name) => name == id,
            Self::Numbered(seq) => *seq == id.seq && (id.epoch == epoch || before.is_none_or(|before| before.incident.id == *id)),
            Self::Nothing => false,
        }
    }
}
