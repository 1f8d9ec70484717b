//! The service itself. An answer over HTTP, whatever its status, proves that the network works.

use super::Standing;
use crate::config::CentreHttp;
use crate::infer::evidence;
use crate::infer::scene::Way;
use crate::model::{Cause, Certainty, Evidence, FailureKind, HttpFacts, Outcome, Reason, Severity, Sighting, Subject, Verdict};
use std::net::SocketAddr;

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
        Outcome::Ok(facts) => vec![answered(way, at, facts, proof)],
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

/// A page that sends its visitors elsewhere stands where the centre's plain-text service should be. Whoever shows it is not the centre: its
/// answers say nothing of the centre's life.
pub fn portal(way: &Way<'_>) -> Option<Verdict> {
    let centre = way.centre.filter(|centre| centre.tls.is_none())?;
    let wanted = centre.http.as_ref()?;
    exchanges(way).into_iter().find_map(|(at, outcome)| {
        let status = outcome.ok()?.status;
        let elsewhere = (300..400).contains(&status) && !wanted.status.contains(&status);
        elsewhere.then(|| say(way, Cause::LinePortal, at, Certainty::Likely, evidence::http(at, outcome)))
    })
}

fn answered(way: &Way<'_>, at: SocketAddr, facts: &HttpFacts, proof: Evidence) -> Verdict {
    if let Some(portal) = portal(way) {
        return portal;
    }
    let (cause, certainty) = match facts.status {
        _ if facts.maintenance => (Cause::HttpMaintenance, Certainty::Proven),
        401 | 403 | 407 => (Cause::HttpAuth, Certainty::Proven),
        503 => (Cause::HttpMaintenance, Certainty::Likely),
        500..=599 => (Cause::HttpError, Certainty::Proven),
        _ => (Cause::HttpError, Certainty::Likely),
    };
    let alive = Reason::Answered(at.to_string());
    say(way, cause, at, certainty, proof).not(Cause::CentreOutage, alive.clone()).not(Cause::LineDown, alive)
}

fn say(way: &Way<'_>, cause: Cause, at: SocketAddr, certainty: Certainty, proof: Evidence) -> Verdict {
    let subject = way.centre.map_or(Subject::Endpoint(at), |centre| Subject::Centre(centre.name.clone()));
    Verdict::new(cause, subject, certainty).because([proof])
}
