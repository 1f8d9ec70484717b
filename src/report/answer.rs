//! What a diagnosis comes down to: which verdicts are the candidates for the one root, which stand beside it, who is called in what order.

use super::Facing;
use crate::model::{Actor, Cause, Certainty, Diagnosis, NoteCode, Severity, Verdict};

/// The diagnosis, sorted for a reader.
pub(super) struct Answer<'a> {
    /// One proven root, or the candidates that this terminal cannot tell apart. Empty when nothing disconnects.
    pub(super) candidates: Vec<&'a Verdict>,
    /// Everything else that is wrong.
    pub(super) beside: Vec<&'a Verdict>,
    /// What the first lines say.
    pub(super) kind: Kind,
    facing: &'a Facing,
}

/// What can be said about settling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Connected, nothing wrong.
    Fine,
    /// Connected, something worse than it should be.
    Degraded,
    /// Connected, yet something at the counter stands in the way of settling.
    Hindered,
    /// Not connected.
    Cut,
    /// Could not tell, because no centre is configured.
    NotConfigured,
    /// Could not tell.
    Unclear,
}

impl Kind {
    /// The name by which a page tells it to programs.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Degraded => "degraded",
            Self::Hindered => "hindered",
            Self::Cut => "cut",
            Self::NotConfigured => "not-configured",
            Self::Unclear => "unclear",
        }
    }
}

impl<'a> Answer<'a> {
    pub(super) fn of(diagnosis: &'a Diagnosis, facing: &'a Facing) -> Self {
        let wrong = diagnosis.verdicts.iter().filter(|verdict| verdict.severity > Severity::Info);
        let (cutting, mut beside): (Vec<_>, Vec<_>) = wrong.partition(|verdict| verdict.disconnects);
        let proven = cutting.first().is_some_and(|root| root.certainty == Certainty::Proven);
        let mut candidates = Vec::new();
        let mut others = Vec::new();
        for verdict in cutting {
            if candidates.is_empty() || (!proven && verdict.certainty < Certainty::Proven) {
                candidates.push(verdict);
            } else {
                others.push(verdict);
            }
        }
        others.append(&mut beside);
        let kind = match diagnosis.connected {
            Some(false) => Kind::Cut,
            Some(true) if !candidates.is_empty() => Kind::Hindered,
            Some(true) if !others.is_empty() => Kind::Degraded,
            Some(true) => Kind::Fine,
            None if diagnosis.notes.iter().any(|note| note.code == NoteCode::CentreNotConfigured) => Kind::NotConfigured,
            None => Kind::Unclear,
        };
        Self { candidates, beside: others, kind, facing }
    }

    /// What the first lines are about: the candidates, or else the worst of the rest, unless that cannot be why the terminal is cut off.
    pub(super) fn subject(&self) -> Vec<&'a Verdict> {
        if self.candidates.is_empty() && self.kind != Kind::Cut {
            return self.beside.first().copied().into_iter().collect();
        }
        self.candidates.clone()
    }

    /// The causes of [`subject`](Self::subject).
    pub(super) fn causes(&self) -> Vec<Cause> {
        self.subject().iter().map(|verdict| verdict.cause).collect()
    }

    /// Several causes come into question. One that cuts off several centres is one.
    pub(super) fn is_one_of_many(&self) -> bool {
        self.candidates.iter().any(|verdict| verdict.cause != self.candidates[0].cause)
    }

    /// The one cause is proved and nobody in the house can have anything to do with it.
    pub(super) fn elsewhere(&self) -> bool {
        self.candidates.len() == 1
            && self.candidates[0].certainty == Certainty::Proven
            && actors(self.candidates[0], self.facing).iter().all(|actor| matches!(actor, Actor::Operator | Actor::Bureau | Actor::Centre))
    }

    /// Whom to call, in order, nobody twice: the first of every candidate, then the second. The counter does not call itself.
    pub(super) fn callees(&self) -> Vec<Actor> {
        let verdicts = self.subject();
        let lists: Vec<Vec<Actor>> = verdicts
            .iter()
            .map(|verdict| actors(verdict, self.facing).into_iter().filter(|actor| *actor != Actor::Shop).collect())
            .collect();
        let longest = lists.iter().map(Vec::len).max().unwrap_or_default();
        let mut callees = Vec::new();
        for actor in (0..longest).flat_map(|rank| lists.iter().filter_map(move |list| list.get(rank))) {
            if !callees.contains(actor) {
                callees.push(*actor);
            }
        }
        if callees.is_empty() {
            callees = match self.kind {
                Kind::Fine => vec![Actor::Software, Actor::Insured],
                Kind::NotConfigured => vec![Actor::Vendor, Actor::Software],
                Kind::Degraded | Kind::Hindered | Kind::Cut | Kind::Unclear => vec![Actor::Vendor, Actor::Bureau],
            };
        }
        callees
    }
}

/// Who acts on a verdict, in this site's order; the cause's own list where the verdict names nobody.
pub(super) fn actors(verdict: &Verdict, facing: &Facing) -> Vec<Actor> {
    facing.ordered(if verdict.who_acts.is_empty() { verdict.cause.actors() } else { &verdict.who_acts })
}
