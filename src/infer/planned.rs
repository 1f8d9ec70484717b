//! Announced maintenance. What fails at the far end inside an announced window is most likely just that; what this PC, its line or its own
//! client do wrong is not excused by it.

use super::evidence;
use super::scene::Scene;
use crate::config::Maintenance;
use crate::model::{Actor, Cause, Certainty, Subject, Verdict};

/// The window that is open by this PC's clock.
pub fn window<'a>(scene: &Scene<'a>) -> Option<&'a Maintenance> {
    let now = scene.world.newest()?.wall;
    scene.config.maintenance.iter().find(|window| window.from <= now && now < window.to)
}

/// Puts the announcement before candidates that only fit. A proven cause stands as it is: the window is a note then.
pub fn excuse(scene: &Scene<'_>, subject: Subject, candidates: Vec<Verdict>) -> Vec<Verdict> {
    let far = |verdict: &Verdict| verdict.who_acts.iter().all(|actor| matches!(actor, Actor::Centre | Actor::Bureau | Actor::Institution));
    let excusable = candidates.iter().all(|verdict| verdict.certainty < Certainty::Proven) && candidates.first().is_some_and(far);
    let Some(window) = window(scene).filter(|_| excusable) else {
        return candidates;
    };
    let announced =
        evidence::state("maintenance.window", window.note.as_deref().unwrap_or("-"), format!("{} .. {}", window.from, window.to));
    let mut planned = Verdict::new(Cause::CentrePlanned, subject, Certainty::Likely).because([announced]);
    planned.evidence.extend(candidates.first().map(|verdict| verdict.evidence.clone()).unwrap_or_default());
    let others = candidates.into_iter().map(|verdict| Verdict { certainty: Certainty::Possible, ..verdict });
    std::iter::once(planned).chain(others).collect()
}
