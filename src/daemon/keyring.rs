//! The terminal's key as the daemon holds it: made where there is none, and each new one told to the log.

use crate::baseline::machine_fingerprint;
use crate::key::{Held, Key, KeyError, Told, ensure};
use crate::model::AgentEvent;
use crate::spool::Recorded;
use std::path::{Path, PathBuf};
use tokio::task::{JoinHandle, spawn_blocking};

/// The key, and whether the log knows of it.
pub struct Keyring {
    held: Option<Held>,
    state_dir: PathBuf,
    /// To be remembered when the record with this ticket is on disk.
    untold: Option<(u64, Told)>,
    remembering: Option<JoinHandle<()>>,
}

impl Keyring {
    /// Nothing is signed.
    pub fn empty() -> Self {
        Self { held: None, state_dir: PathBuf::new(), untold: None, remembering: None }
    }

    /// Of this state directory, which must be ours. Where there can be no key nothing is signed, and that is said.
    pub fn open(state_dir: &Path) -> Self {
        let held = ensure(state_dir, &machine_fingerprint());
        if let Err(error) = &held {
            let source = if let KeyError::Write { source, .. } = error { format!(": {source}") } else { String::new() };
            tracing::warn!("nothing is signed, as there is no key: {error}{source}");
        }
        Self { held: held.ok(), state_dir: state_dir.to_owned(), untold: None, remembering: None }
    }

    /// The key.
    pub fn key(&self) -> Option<&Key> {
        self.held.as_ref().map(|held| &held.key)
    }

    /// What the log has to be told of it; `None` = it knows.
    pub fn news(&self) -> Option<AgentEvent> {
        let held = self.held.as_ref()?;
        let (to, from) = (held.key.public().fingerprint(), Told::load(&self.state_dir).map(|told| told.0));
        let algorithm = held.key.public().algorithm().code().to_owned();
        (from.as_ref() != Some(&to)).then(|| AgentEvent::KeyChanged { algorithm, from, to, reason: held.made.code().to_owned() })
    }

    /// It is being told under this ticket. A crash before it is on disk tells it twice, never not at all.
    pub fn tells(&mut self, ticket: u64) {
        self.untold = self.key().map(|key| (ticket, Told(key.public().fingerprint())));
    }

    /// These are on disk.
    pub fn recorded(&mut self, recorded: &[Recorded]) {
        let Some((_, told)) = self.untold.take_if(|(ticket, _)| recorded.iter().any(|record| record.ticket == Some(*ticket))) else {
            return;
        };
        let dir = self.state_dir.clone();
        self.remembering = Some(spawn_blocking(move || {
            if let Err(error) = told.store(&dir) {
                tracing::warn!(%error, "which key the log knows was not written");
            }
        }));
    }

    /// What is still being written.
    pub fn remembering(&mut self) -> Option<JoinHandle<()>> {
        self.remembering.take()
    }
}
