//! What is known of the network before anything else is considered: the first lines of a diagnosis, wherever they come from.

use super::answer::Answer;
use super::{Facing, Status, text};
use crate::catalogue::Lang;
use crate::model::Diagnosis;

/// The network in a few sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Every critical centre can be used; `None` = could not tell, never fine.
    pub connected: Option<bool>,
    /// Whether one can settle, and whose fault it is not.
    pub first: String,
    /// The one act.
    pub act: Option<String>,
    /// Whom to call and what to read out.
    pub call: Option<String>,
    /// Who looked.
    pub source: Source,
}

/// Who looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The service; when its last look ended, RFC 3339.
    Watch(String),
    /// This command, just now.
    Look,
}

impl Network {
    /// What the service said. `None` = its first look is under way.
    pub fn of_status(status: &Status) -> Option<Self> {
        Some(Self {
            connected: status.connected,
            first: status.say.first.clone(),
            act: status.say.act.clone(),
            call: status.say.call.clone(),
            source: Source::Watch(status.looked_at.clone()?),
        })
    }

    /// What a look of one's own said.
    pub fn of(diagnosis: &Diagnosis, facing: &Facing, lang: Lang) -> Self {
        let answer = Answer::of(diagnosis, facing);
        Self {
            connected: diagnosis.connected,
            first: text::first(&answer, lang),
            act: Some(text::act(&answer, facing, lang)),
            call: Some(text::call(&answer, facing, lang)),
            source: Source::Look,
        }
    }
}
