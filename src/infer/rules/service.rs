//! The service itself. An answer over HTTP, whatever its status, proves that the network works.

use super::tcp::dead_centre;
use super::{Standing, portal};
use crate::config::{Access, CentreHttp};
use crate::infer::evidence;
use crate::infer::scene::Way;
use crate::model::{Cause, Certainty, Evidence, FailureKind, HttpFacts, Outcome, Reason, Severity, Sighting, Subject, Verdict};
use std::net::{IpAddr, SocketAddr};

pub fn judge(way: &Way<'_>) -> Standing {
    let Some(wanted) = way.centre.and_then(|c| c.http.as_ref()) else {
        return Standing::Absent;
    };
    let seen = exchanges(way);
    if seen.iter().any(|(_, outcome)| outcome.ok().is_some_and(|facts| healthy(wanted, facts))) {
        return Standing::Passed;
    }
    let Some((at, outcome)) = seen.into_iter().find(|(_, outcome)| !matches!(outcome, Outcome::Unknown(_))) else {
        return Standing::Unknown;
    };
    let proof = evidence::http(at, outcome);
    let verdicts = match outcome {
        Outcome::Ok(facts) => match portal::judge(way).filter(|_| (300..400).contains(&facts.status)) {
            Some(portal) => portal,
            None => answered(way, at, facts, proof),
        },
        Outcome::Failed(failure) if failure.is_ours() => return Standing::Unknown,
        Outcome::Failed(failure) => {
            let certainty = match failure.kind {
                FailureKind::Garbage(_) | FailureKind::Closed { .. } => Certainty::Likely,
                _ => Certainty::Possible,
            };
            vec![say(way, Cause::HttpError, at, certainty, proof)]
        }
        Outcome::Unknown(_) => return Standing::Unknown,
    };
    Standing::Broken(verdicts)
}

/// A service that works, but slowly.
pub fn degradations(way: &Way<'_>) -> Vec<Verdict> {
    let Some(wanted) = way.centre.and_then(|c| c.http.as_ref()) else {
        return Vec::new();
    };
    let seen = exchanges(way);
    let well = seen.iter().filter(|(_, outcome)| outcome.ok().is_some_and(|facts| healthy(wanted, facts)));
    let slow = |facts: &HttpFacts| facts.first_byte > wanted.slow;
    // One quick address is enough: applications move on to it.
    if well.clone().any(|(_, outcome)| outcome.ok().is_some_and(|facts| !slow(facts))) {
        return Vec::new();
    }
    // What was lost on the way is sent once more, and takes its time for that.
    if super::loss::judge(way).is_some() {
        return Vec::new();
    }
    well.take(1)
        .map(|(at, outcome)| say(way, Cause::HttpSlow, *at, Certainty::Proven, evidence::http(at, outcome)).degrades(Severity::Medium))
        .collect()
}

/// The HTTP exchanges of this way.
pub fn exchanges<'a>(way: &Way<'a>) -> Vec<(SocketAddr, &'a Outcome<HttpFacts>)> {
    let Some(wanted) = way.centre.and_then(|c| c.http.as_ref()) else {
        return Vec::new();
    };
    let url = wanted.url.as_str();
    let all = way.scene.world.observations().filter_map(|o| match &o.sighting {
        Sighting::Http(asked, at, outcome) if asked == url && way.targets.contains(&at.ip()) => Some((*at, outcome)),
        _ => None,
    });
    all.collect()
}

/// The service says that it is well.
pub fn healthy(wanted: &CentreHttp, facts: &HttpFacts) -> bool {
    wanted.status.contains(&facts.status) && !facts.maintenance
}

fn answered(way: &Way<'_>, at: SocketAddr, facts: &HttpFacts, proof: Evidence) -> Vec<Verdict> {
    // A proxy on the way has error pages of its own, for a centre that may be dead. Who speaks is known where a certificate vouches.
    let vouched = super::handshakes(way).iter().any(|(_, outcome)| outcome.ok().is_some_and(|facts| facts.verified));
    let own = if vouched { Certainty::Proven } else { Certainty::Likely };
    let (cause, certainty) = match facts.status {
        _ if facts.maintenance => (Cause::HttpMaintenance, Certainty::Proven),
        401 | 403 | 407 => (Cause::HttpAuth, own),
        503 => (Cause::HttpMaintenance, Certainty::Likely),
        500..=599 => (Cause::HttpError, own),
        _ => (Cause::HttpError, Certainty::Likely),
    };
    let alive = Reason::Answered(at.to_string());
    let said = say(way, cause, at, certainty, proof.clone()).not(Cause::LineDown, alive.clone());
    let said = if vouched { said.not(Cause::CentreOutage, alive) } else { said };
    let shut_out = (cause == Cause::HttpAuth && is_refused_everywhere(way))
        .then(|| say(way, Cause::CentreCutOff, at, Certainty::Possible, proof.clone()));
    let unheard = (cause == Cause::HttpError && !vouched).then(|| dead_behind_a_proxy(way, at, facts.status)).flatten();
    std::iter::once(said).chain(shut_out).chain(unheard.map(|outage| outage.because([proof]))).collect()
}

/// The error page may be a proxy's on the way, which took the connection in the place of a centre that is gone: of the centre itself
/// there is no other sign. A front-end server speaks for itself.
fn dead_behind_a_proxy(way: &Way<'_>, at: SocketAddr, status: u16) -> Option<Verdict> {
    let world = way.scene.world;
    let echoes = |ip: &IpAddr| [world.ping(*ip), world.series(*ip)].into_iter().flatten().any(|outcome| outcome.ok().is_some());
    let other_port = |ip: &IpAddr| world.connects(*ip).any(|(to, outcome)| to.port() != at.port() && outcome.ok().is_some());
    let heard = way.targets.iter().any(|ip| echoes(ip) || other_port(ip));
    let asked = way.targets.iter().any(|ip| world.ping(*ip).and_then(Outcome::failure).is_some());
    let speaks_for_itself = way.scene.config.network.access == Access::FrontEnd;
    let own_trouble = (500..600).contains(&status);
    (own_trouble && !heard && asked && !speaks_for_itself).then(|| dead_centre(way, Certainty::Possible))
}

/// Every one of several centres refuses this terminal: then it may be this terminal that is shut out, and not an account.
fn is_refused_everywhere(way: &Way<'_>) -> bool {
    let ways = way.scene.ways();
    let refused = |way: &Way<'_>| {
        let seen = exchanges(way);
        !seen.is_empty() && seen.iter().all(|(_, outcome)| outcome.ok().is_some_and(|facts| matches!(facts.status, 401 | 403 | 407)))
    };
    ways.len() > 1 && ways.iter().all(refused)
}

fn say(way: &Way<'_>, cause: Cause, at: SocketAddr, certainty: Certainty, proof: Evidence) -> Verdict {
    let subject = way.centre.map_or(Subject::Endpoint(at), |centre| Subject::Centre(centre.name.clone()));
    Verdict::new(cause, subject, certainty).because([proof])
}
