//! From observations to a diagnosis. Pure: the same [`World`] and configuration always give the same answer.
//!
//! For every centre there is one [`Way`](scene::Way). A way whose service answers as it should is well, whatever else keeps silent on it.
//! Otherwise its layers are judged from the bottom up; the first broken one is the root, and what lies above it is a consequence that is
//! not reported again. Roots that several ways share are reported once, with all that they explain.

mod complete;
mod dialup;
mod evidence;
mod isolation;
mod life;
mod path;
mod planned;
mod remarks;
mod rules;
mod scene;
mod uplink;
mod world;

pub use evidence::{SILENCE, failure_text, ms};
pub use rules::{came_late, healthy as http_is_well};
pub use world::World;

use crate::baseline::Enrolment;
use crate::config::Config;
use crate::model::{Diagnosis, FailureKind, Layer, LayerState, Outcome, Reply, Service, Severity, Subject, Verdict};
use rules::{DEGRADATIONS, LAYERS, Standing};
use scene::{Scene, Way};
use std::cmp::Ordering;
use std::net::IpAddr;

/// Names the cause of what was seen, with its proof.
pub fn diagnose(world: &World, config: &Config, enrolment: &Enrolment) -> Diagnosis {
    let scene = Scene::new(world, config, enrolment);
    let ways = scene.ways();
    let outcomes: Vec<_> = ways.iter().map(judge).collect();
    Diagnosis {
        connected: connected(&ways, &outcomes),
        services: ways.iter().zip(&outcomes).map(|(way, judged)| Service { chain: way.chain(), usable: judged.usable }).collect(),
        isolation: isolation::judge(&scene),
        path: path::path(&ways, &outcomes),
        verdicts: rank(outcomes.into_iter().flat_map(|judged| judged.verdicts).collect()),
        notes: remarks::notes(&scene, &ways),
        blind: remarks::blind(&scene),
    }
}

/// What came of judging one way.
pub struct Judged {
    /// The service at its end can be used; `None` = could not tell.
    usable: Option<bool>,
    /// How each layer stands.
    layers: Vec<(Layer, LayerState)>,
    /// What is wrong.
    verdicts: Vec<Verdict>,
}

fn judge(way: &Way<'_>) -> Judged {
    let usable = usable(way);
    let mut layers = Vec::with_capacity(LAYERS.len());
    let mut verdicts: Vec<Verdict> = Vec::new();
    for (layer, rule) in LAYERS {
        if !verdicts.is_empty() {
            layers.push((*layer, LayerState::Skipped));
            continue;
        }
        let standing = rule(way);
        layers.push((
            *layer,
            match standing {
                Standing::Absent => LayerState::Skipped,
                Standing::Passed => LayerState::Ok,
                // What answers above proves what lies below.
                Standing::Unknown | Standing::Broken(_) if usable == Some(true) => LayerState::Ok,
                Standing::Unknown => LayerState::Unknown,
                Standing::Broken(candidates) => {
                    let subject = way.centre.map_or(Subject::Terminal, |centre| Subject::Centre(centre.name.clone()));
                    verdicts = rank(planned::excuse(way.scene, subject, candidates));
                    LayerState::Failed
                }
            },
        ));
    }
    let broken_at = verdicts.first().and_then(|root| break_at(&mut layers, root));
    for verdict in &mut verdicts {
        attribute(verdict, way);
    }
    let worse = DEGRADATIONS.iter().flat_map(|rule| rule(way));
    verdicts.extend(worse.filter(|verdict| broken_at.is_none_or(|broken| verdict.cause.layer() < broken)));
    let usable = if broken_at.is_some() { Some(false) } else { usable };
    Judged { usable, layers, verdicts }
}

/// Draws the break where the root is: a layer may fail by what only shows there (large packets lost in a handshake, a line that leaves the
/// shop's own name server without an answer). Gives the layer.
fn break_at(layers: &mut [(Layer, LayerState)], root: &Verdict) -> Option<Layer> {
    let seen_at = layers.iter().find(|(_, state)| *state == LayerState::Failed)?.0;
    let broken = seen_at.min(root.cause.layer());
    for (layer, state) in layers {
        match (*layer).cmp(&broken) {
            Ordering::Less => {}
            Ordering::Equal => *state = LayerState::Failed,
            Ordering::Greater => *state = LayerState::Skipped,
        }
    }
    Some(broken)
}

/// Says what the verdict explains; a centre that settlement does not need only degrades.
fn attribute(verdict: &mut Verdict, way: &Way<'_>) {
    verdict.explains = way.consequence();
    if way.centre.is_some_and(|centre| !centre.critical) {
        verdict.disconnects = false;
        verdict.severity = verdict.severity.min(Severity::Medium);
    }
}

/// Every configured check of the way's centre, each over any of its addresses.
fn usable(way: &Way<'_>) -> Option<bool> {
    let centre = way.centre?;
    if rules::deceptive(way) {
        return Some(false);
    }
    let world = way.scene.world;
    let mut checks: Vec<Option<bool>> = Vec::new();
    if let Some(wanted) = &centre.http {
        checks.push(any(rules::exchanges(way).into_iter().map(|(_, o)| known(o, |facts| rules::healthy(wanted, facts)))));
    }
    if centre.tls.is_some() {
        checks.push(any(rules::handshakes(way).into_iter().map(|(_, o)| if rules::not_ours(o) { None } else { known(o, |_| true) })));
    }
    for port in rules::required_ports(centre) {
        let asked = |ip: &IpAddr| world.tcp((*ip, port).into()).and_then(|o| known(o, |_| true));
        checks.push(any(way.targets.iter().map(asked)));
    }
    if checks.is_empty() {
        // Its silence is never a fault.
        let asked = |ip: &IpAddr| world.ping(*ip).filter(|o| !is_silence(o)).and_then(|o| known(o, |_| true));
        checks.push(any(way.targets.iter().map(asked)));
    }
    every(&checks)
}

fn is_silence(outcome: &Outcome<Reply>) -> bool {
    outcome.failure().is_some_and(|failure| failure.kind == FailureKind::Silence)
}

fn known<T>(outcome: &Outcome<T>, good: impl Fn(&T) -> bool) -> Option<bool> {
    match outcome {
        Outcome::Ok(seen) => Some(good(seen)),
        Outcome::Failed(failure) => (!failure.is_ours()).then_some(false),
        Outcome::Unknown(_) => None,
    }
}

/// One good answer suffices; without one, everything must be known to be bad.
fn any(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let answers: Vec<_> = answers.collect();
    if answers.contains(&Some(true)) {
        return Some(true);
    }
    (!answers.is_empty() && answers.iter().all(Option::is_some)).then_some(false)
}

/// One bad answer suffices; without one, everything must be known to be good.
fn every(answers: &[Option<bool>]) -> Option<bool> {
    if answers.contains(&Some(false)) {
        return Some(false);
    }
    (!answers.is_empty() && answers.iter().all(Option::is_some)).then_some(true)
}

/// All centres that settlement needs. A break of this PC's own part disconnects even where no centre is configured.
fn connected(ways: &[Way<'_>], outcomes: &[Judged]) -> Option<bool> {
    let needed = ways.iter().zip(outcomes).filter(|(way, _)| way.centre.is_none_or(|centre| centre.critical));
    let states: Vec<_> = needed.map(|(_, judged)| judged.usable).collect();
    every(&states)
}

/// Merges verdicts that say the same of the same thing, and puts the root first: what disconnects before what degrades, the surer before
/// the less sure, what explains more before what explains less, the lower layer before the higher.
fn rank(verdicts: Vec<Verdict>) -> Vec<Verdict> {
    let mut merged: Vec<Verdict> = Vec::new();
    for verdict in verdicts {
        match merged.iter_mut().find(|m| m.cause == verdict.cause && m.subject == verdict.subject) {
            Some(same) => merge(same, verdict),
            None => merged.push(verdict),
        }
    }
    merged.sort_by_key(|v| {
        use std::cmp::Reverse;
        (Reverse(v.disconnects), Reverse(v.certainty), Reverse(v.explains.len()), v.cause.layer())
    });
    merged
}

fn merge(into: &mut Verdict, from: Verdict) {
    into.certainty = into.certainty.max(from.certainty);
    into.severity = into.severity.max(from.severity);
    into.disconnects |= from.disconnects;
    for subject in from.explains {
        if !into.explains.contains(&subject) {
            into.explains.push(subject);
        }
    }
    for evidence in from.evidence {
        if !into.evidence.contains(&evidence) {
            into.evidence.push(evidence);
        }
    }
    for out in from.ruled_out {
        if !into.ruled_out.contains(&out) {
            into.ruled_out.push(out);
        }
    }
}
