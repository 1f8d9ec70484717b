//! The policy: what the configuration in force amounts to, as a digest, and what one policy watches less than another. Pure, but for the
//! file that remembers the last one.
//!
//! Each start and reload compares with the policy before; a difference is a record ([`AgentEvent::PolicyChanged`]). The file is written *after* the
//! record is durable: a crash in between tells the change twice, never not at all.
//!
//! `STATE/policy.json`: one JSON object, `{"schema":"policy/1","digest":...,"config":{...}}`, replaced as a whole. The configuration holds paths of
//! secrets, never secrets.

use super::types::Config;
use super::weaker;
use crate::model::AgentEvent;
use crate::sys::files::{self, ReadError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// Name of the file in the state directory.
pub const FILE_NAME: &str = "policy.json";

/// The schema that this program writes and reads.
const SCHEMA: &str = "policy/1";

/// Largest file read, bytes.
const LARGEST: u64 = 4 << 20;

/// A configuration and its digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    schema: String,
    /// 16 hexadecimal digits.
    pub digest: String,
    /// What it says.
    pub config: Config,
}

impl Policy {
    /// Of a configuration in force.
    pub fn of(config: &Config) -> Self {
        Self { schema: SCHEMA.to_owned(), digest: digest(config), config: config.clone() }
    }

    /// The last one of this state directory. `None` = there was none; one that cannot be read is an error, not "none".
    pub fn load(state_dir: &Path) -> Result<Option<Self>, PolicyError> {
        let path = state_dir.join(FILE_NAME);
        let bytes = match files::read(&path, LARGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.is_absent() => return Ok(None),
            Err(error) => return Err(PolicyError::Unreadable(error)),
        };
        let policy: Self = serde_json::from_slice(&bytes).map_err(PolicyError::Damaged)?;
        if policy.schema == SCHEMA && policy.digest == digest(&policy.config) { Ok(Some(policy)) } else { Err(PolicyError::Foreign) }
    }

    /// Remembers it; whole or not at all.
    pub fn store(&self, state_dir: &Path) -> Result<(), PolicyError> {
        let bytes = serde_json::to_vec(self).map_err(PolicyError::Damaged)?;
        files::replace(&state_dir.join(FILE_NAME), &bytes).map_err(PolicyError::Write)
    }

    /// What there is to record when this policy follows `last`; `None` = nothing changed. Without a last one (the first start, or a file that
    /// could not be read) nothing is called weakened, because nothing is known to be.
    pub fn after(&self, last: Option<&Self>) -> Option<AgentEvent> {
        let from = last.map(|last| last.digest.clone());
        if from.as_ref() == Some(&self.digest) {
            return None;
        }
        let weakened = last.map(|last| weaker::weakened(&last.config, &self.config)).unwrap_or_default();
        Some(AgentEvent::PolicyChanged { from, to: self.digest.clone(), weakened })
    }
}

/// Why the last policy could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is there and could not be read.
    #[error("read the last policy")]
    Unreadable(#[source] ReadError),
    /// It is there and is no policy.
    #[error("understand the last policy")]
    Damaged(#[source] serde_json::Error),
    /// It is of another schema, or its digest is not that of its content.
    #[error("the last policy is not one that isonet wrote")]
    Foreign,
    /// It could not be written.
    #[error("write the policy")]
    Write(#[source] io::Error),
}

/// The first 64 bits of the SHA-256 of the configuration as canonical JSON (defaults filled in, members sorted, no blanks), hexadecimal.
pub fn digest(config: &Config) -> String {
    let mut text = String::new();
    canonical(&serde_json::to_value(config).expect("plain data with string keys always serialises"), &mut text);
    Sha256::digest(text).iter().take(8).fold(String::with_capacity(16), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (i, (name, value)) in members.into_iter().enumerate() {
                let _ = write!(text, "{}{}:", if i == 0 { "" } else { "," }, Value::from(name.as_str()));
                canonical(value, text);
            }
            text.push('}');
        }
        Value::Array(list) => {
            text.push('[');
            for (i, value) in list.iter().enumerate() {
                text.push_str(if i == 0 { "" } else { "," });
                canonical(value, text);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let _ = write!(text, "{value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        toml::from_str(text).expect("a configuration")
    }

    #[test]
    fn the_digest_is_of_what_is_in_force_and_not_of_how_it_is_written() {
        let plain = config("language = 'en'\n[retention]\nkeep = '200d'\n[probe]\ninterval = '60s'");

        assert_eq!(digest(&config("[probe]\ninterval = '60s'")), digest(&config("[probe]\ninterval = '1m'\n[retention]\nkeep = '200d'")));
        assert_ne!(digest(&plain), digest(&Config::default()));
        assert!(digest(&plain).len() == 16 && digest(&plain).bytes().all(|b| b.is_ascii_hexdigit()));
    }

    #[test]
    fn a_change_is_told_once_and_the_first_policy_weakens_nothing() {
        let (before, after) = (Policy::of(&config("[isolation]\nmode = 'periodic'")), Policy::of(&config("[isolation]\nmode = 'off'")));
        assert_eq!(before.after(Some(&before)), None);
        let first = AgentEvent::PolicyChanged { from: None, to: before.digest.clone(), weakened: Vec::new() };
        assert_eq!(before.after(None), Some(first));
        let weakened = vec!["isolation.mode".to_owned()];
        let change = AgentEvent::PolicyChanged { from: Some(before.digest.clone()), to: after.digest.clone(), weakened };
        assert_eq!(after.after(Some(&before)), Some(change));
    }

    #[test]
    fn the_last_policy_is_remembered_and_a_changed_file_is_noticed() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(matches!(Policy::load(dir.path()), Ok(None)));
        let sample = include_str!("../../config/isonet.toml");
        let whole: String = sample
            .lines()
            .map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ') || l.starts_with("  {")).unwrap_or(line))
            .fold(String::new(), |text, line| text + line + "\n");
        let policy = Policy::of(&config(&whole));
        policy.store(dir.path()).expect("stored");
        assert_eq!(Policy::load(dir.path()).expect("read"), Some(policy.clone()));
        let path = dir.path().join(FILE_NAME);
        let text = std::fs::read_to_string(&path).expect("there");
        std::fs::write(&path, text.replace("200d", "1d")).expect("written");
        assert!(matches!(Policy::load(dir.path()), Err(PolicyError::Foreign)));
        std::fs::write(&path, "{").expect("written");
        assert!(matches!(Policy::load(dir.path()), Err(PolicyError::Damaged(_))));
    }
}
