//! What the record log in the container says.

use serde_json::Value;

/// The whole log as it stood at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    pub(crate) lines: Vec<String>,
}

impl Records {
    pub(crate) fn of(text: &str) -> Records {
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        Records { lines: whole.lines().map(str::to_owned).collect() }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = Value> {
        self.lines.iter().filter_map(|line| serde_json::from_str(line).ok())
    }

    /// How often the agent said this of itself: `started`, `gap`, `policy-changed`...
    pub(crate) fn events(&self, name: &str) -> usize {
        self.all().filter(|record| word(record, "/agent/event") == name).count()
    }

    /// Records of incidents whose fingerprint begins so, in this phase.
    pub(crate) fn incidents(&self, fingerprint: &str, phase: &str) -> Vec<Value> {
        let fits =
            |record: &Value| word(record, "/incident/fingerprint").starts_with(fingerprint) && word(record, "/incident/phase") == phase;
        self.all().filter(fits).collect()
    }

    /// All epochs there are.
    pub(crate) fn epochs(&self) -> Vec<String> {
        let mut epochs: Vec<String> = self.all().map(|record| word(&record, "/epoch").to_owned()).collect();
        epochs.dedup();
        epochs
    }

    /// Whether this is the log from before, and more.
    pub(crate) fn continues(&self, before: &Records) -> bool {
        self.lines.starts_with(&before.lines)
    }
}

pub(crate) fn word<'a>(record: &'a Value, pointer: &str) -> &'a str {
    record.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
