//! The log as the loop sees it: drafts go in, words about what is on disk come out. Never waits.

use crate::catalogue::Lang;
use crate::config::Config;
use crate::model::{Draft, Incident, Stamp};
use std::path::Path;
use std::time::Duration;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {}

/// What the writer said.
#[derive(Debug)]
pub enum Heard {}

/// The writer of the log, seen from the loop.
pub struct Recorder {
    refused: Option<String>,
}

impl Recorder {
    /// Opens the log; gives the incidents that it left open.
    pub fn open(_state: &Path, _config: &Config, _now: &Stamp) -> Result<(Self, Vec<Incident>), RecorderError> {
        Ok((Self { refused: None }, Vec::new()))
    }

    /// Hands drafts over.
    pub fn submit(&mut self, drafts: Vec<Draft>) {
        for draft in drafts {
            tracing::info!(?draft, "record");
        }
    }

    /// What the writer says next. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Heard {
        std::future::pending().await
    }

    /// Takes it in.
    pub fn take(&mut self, heard: Heard) {
        match heard {}
    }

    /// Writes the sign of life.
    pub fn anchor(&mut self, _now: &Stamp) {}

    /// From now on under another configuration.
    pub fn reconfigure(&mut self, _config: &Config, _now: &Stamp) {
        self.refused = None;
    }

    /// The configuration on disk is not right.
    pub fn refused_configuration(&mut self, told: String) {
        self.refused = Some(told);
    }

    /// What hinders the log, in words.
    #[expect(clippy::unused_self, reason = "the writer will have something to say")]
    pub fn trouble(&self, _lang: Lang) -> Option<String> {
        None
    }

    /// What was not right about the configuration on disk, in words.
    pub fn refused(&self, lang: Lang) -> Option<String> {
        self.refused.as_ref().map(|_| {
            lang.pick("磁盘上的配置有误，仍按原来的配置运行。", "The configuration on disk is not right; the one before stays in force.")
                .to_owned()
        })
    }

    /// Waits until all is on disk, at most so long.
    #[expect(clippy::unused_async, reason = "the writer will have to be waited for")]
    pub async fn close(self, _now: &Stamp, _patience: Duration) {}
}
