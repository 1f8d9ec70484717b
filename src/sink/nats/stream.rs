//! What a stream promises, held against what records need. Pure.

use crate::sink::{Hindrance, Obstacle};
use serde::Deserialize;
use std::time::Duration;

/// What is asked about it, as `STREAM.INFO` answers.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Stream {
    /// How it is set up.
    pub config: Config,
}

/// How a stream is set up, as far as records care. What a server leaves out is its default.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "they are the server's")]
pub struct Config {
    /// Its name.
    pub name: String,
    /// `limits`, `interest`, `workqueue`.
    pub retention: String,
    /// `file`, `memory`.
    pub storage: String,
    /// `old`, `new`.
    pub discard: String,
    /// Nanoseconds; 0 = no limit.
    pub max_age: u64,
    /// -1 = no limit; the same of the next two.
    pub max_msgs: i64,
    /// Bytes.
    pub max_bytes: i64,
    /// Messages.
    pub max_msgs_per_subject: i64,
    /// Bytes; -1 = no limit.
    pub max_msg_size: i64,
    /// Copies.
    pub num_replicas: u32,
    /// It acknowledges nothing.
    pub no_ack: bool,
    /// It takes nothing any more.
    pub sealed: bool,
    /// The last message of a subject can be asked of any copy.
    pub allow_direct: bool,
    /// It takes several messages as one.
    pub allow_atomic: bool,
    /// `async` = it acknowledges before it has written.
    pub persist_mode: String,
    /// It is a copy of another.
    pub mirror: Option<serde_json::Value>,
    /// It stores under other subjects.
    pub subject_transform: Option<serde_json::Value>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: String::new(),
            retention: "limits".to_owned(),
            storage: "file".to_owned(),
            discard: "old".to_owned(),
            max_age: 0,
            max_msgs: -1,
            max_bytes: -1,
            max_msgs_per_subject: -1,
            max_msg_size: -1,
            num_replicas: 1,
            no_ack: false,
            sealed: false,
            allow_direct: false,
            allow_atomic: false,
            persist_mode: String::new(),
            mirror: None,
            subject_transform: None,
        }
    }
}

/// What keeps records from being stored in it so that it can be told that they are.
pub fn refuses(config: &Config, receiver: &str) -> Option<Hindrance> {
    let name = &config.name;
    let why = if config.no_ack {
        "acknowledges nothing; set no_ack to false"
    } else if config.sealed {
        "is sealed; make another one"
    } else if config.mirror.is_some() {
        "is a mirror; ship to the stream that it mirrors"
    } else if config.subject_transform.is_some() {
        "stores under other subjects, where nothing can be found again; take subject_transform away"
    } else {
        return None;
    };
    Some(Hindrance::new(Obstacle::Setup, format!("{receiver}: the stream {name} {why}")))
}

/// What it does not promise though records need it, where each is kept for so long here.
pub fn lacks(config: &Config, keep: Duration) -> Vec<String> {
    let limited = [config.max_msgs, config.max_bytes, config.max_msgs_per_subject].iter().any(|limit| *limit > 0);
    let age = Duration::from_nanos(config.max_age);
    let days = |time: Duration| time.as_secs() / 86_400;
    let facts = [
        (config.storage != "file").then(|| format!("storage {}: gone when the server restarts", config.storage)),
        (config.discard != "new" && limited).then(|| format!("discard {}: drops records when it is full", config.discard)),
        (config.retention != "limits").then(|| format!("retention {}: drops records once they were read", config.retention)),
        (config.max_age > 0 && age < keep).then(|| format!("max_age {} d: drops records before {} d", days(age), days(keep))),
        (config.persist_mode == "async").then(|| "persist_mode async: acknowledges before it has written".to_owned()),
        (config.num_replicas < 2).then(|| "num_replicas 1: one lost disk loses all".to_owned()),
    ];
    facts.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_hours(200 * 24);

    fn good() -> Config {
        Config { name: "ISONET".to_owned(), discard: "new".to_owned(), num_replicas: 3, ..Config::default() }
    }

    #[test]
    fn a_stream_as_the_guide_makes_it_lacks_nothing() {
        let full = Config { max_bytes: 1 << 40, max_age: u64::try_from(KEEP.as_nanos()).expect("fits"), ..good() };
        for config in [good(), full] {
            assert_eq!((lacks(&config, KEEP), refuses(&config, "r")), (Vec::new(), None));
        }
    }

    #[test]
    fn each_promise_that_is_missing_is_named() {
        let one = |config: Config| {
            let lacks = lacks(&config, KEEP);
            assert_eq!(lacks.len(), 1, "{lacks:?}");
            lacks.into_iter().next().expect("there is one")
        };
        assert_eq!(one(Config { storage: "memory".into(), ..good() }), "storage memory: gone when the server restarts");
        assert_eq!(one(Config { discard: "old".into(), max_bytes: 1, ..good() }), "discard old: drops records when it is full");
        assert_eq!(one(Config { retention: "workqueue".into(), ..good() }), "retention workqueue: drops records once they were read");
        let week = Config { max_age: 7 * 86_400 * 1_000_000_000, ..good() };
        assert_eq!(one(week), "max_age 7 d: drops records before 200 d");
        assert_eq!(one(Config { num_replicas: 1, ..good() }), "num_replicas 1: one lost disk loses all");
        assert_eq!(one(Config { persist_mode: "async".into(), ..good() }), "persist_mode async: acknowledges before it has written");
        assert_eq!(lacks(&Config { discard: "old".into(), ..good() }, KEEP), Vec::<String>::new(), "without a limit it is never full");
    }

    #[test]
    fn what_can_never_be_acknowledged_is_not_tried() {
        for config in [
            Config { no_ack: true, ..good() },
            Config { sealed: true, ..good() },
            Config { mirror: Some(serde_json::json!({})), ..good() },
            Config { subject_transform: Some(serde_json::json!({})), ..good() },
        ] {
            assert_eq!(refuses(&config, "r").map(|hindrance| hindrance.obstacle), Some(Obstacle::Setup));
        }
    }
}
