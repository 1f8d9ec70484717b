//! Signs of life: composed when a receiver is about to be told, from what the loop holds at that moment.

use super::recorder::Recorder;
use crate::incident::Engine;
use crate::key::{Key, PublicKey};
use crate::model::{Heartbeat, KeyCard, OpenNow, bounded};
use crate::sink::Beat;

/// Without a key it is sent all the same, and says that nobody vouches for it.
const UNSIGNED: &[u8] = b",\"signature\":null}";

/// One in bytes, signed where there is a key.
pub fn seal(beat: &Heartbeat, key: Option<&Key>) -> Beat {
    let statement = serde_json::to_vec(beat).expect("plain data with string keys always serialises");
    let line = match key {
        Some(key) => key.sign(&statement),
        None => [statement.strip_suffix(b"}").unwrap_or(&statement), UNSIGNED].concat(),
    };
    Beat(line.into())
}

/// A key as it stands in what it signs.
pub fn card(key: PublicKey) -> KeyCard {
    KeyCard { algorithm: key.algorithm().code().to_owned(), public: key.base64() }
}

/// What is open, as a sign of life names it, and how much more there is.
pub fn open(engine: &Engine, recorder: &Recorder) -> (Vec<OpenNow>, u64) {
    let named = engine.open().map(|incident| OpenNow {
        id: recorder.name(incident.key).cloned(),
        code: incident.cause.code.clone(),
        severity: incident.cause.severity,
        since: incident.since.wall,
        centres: incident.centres.clone(),
    });
    bounded(named.collect())
}
