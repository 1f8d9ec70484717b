//! Ports. A reset, a silence beside other answers, and a silence of everything are three different things; which of them it is depends
//! on what else answers.

use super::{Standing, service};
use crate::config::{Access, Centre};
use crate::infer::evidence;
use crate::infer::scene::Way;
use crate::model::{Cause, Certainty, Evidence, FailureKind, IcmpKind, Outcome, Reason, Reply, Subject, Verdict};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Below this round-trip time a reset from far away cannot be told from one from near by.
const FAR: Duration = Duration::from_millis(5);

/// The ports of a centre that must accept a connection.
pub fn required(centre: &Centre) -> Vec<u16> {
    let tls = centre.tls.as_ref().map(|tls| tls.port);
    let http = centre.http.as_ref().and_then(|http| http.url.port_or_known_default());
    let mut ports: Vec<_> = centre.tcp.iter().copied().chain(tls).chain(http).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

pub fn judge(way: &Way<'_>) -> Standing {
    let Some(centre) = way.centre else {
        return Standing::Absent;
    };
    let ports = required(centre);
    if way.targets.is_empty() {
        return Standing::Unknown;
    }
    if ports.is_empty() {
        return ping_only(way);
    }
    let outcomes = |port| way.targets.iter().filter_map(move |ip| Some((*ip, way.scene.world.tcp(SocketAddr::new(*ip, port))?)));
    let dead = |port: &&u16| {
        let mut seen = outcomes(**port).peekable();
        seen.peek().is_some() && seen.all(|(_, outcome)| outcome.failure().is_some())
    };
    match ports.iter().find(dead) {
        Some(port) => Standing::Broken(match service::portal(way) {
            Some(portal) => vec![portal],
            None => port_dead(way, *port, &outcomes(*port).collect::<Vec<_>>()),
        }),
        None if ports.iter().all(|port| outcomes(*port).any(|(_, o)| o.ok().is_some())) => Standing::Passed,
        None => Standing::Unknown,
    }
}

/// Nothing but echo is configured for this centre. Its silence is never a fault; that somebody says it cannot be reached is.
fn ping_only(way: &Way<'_>) -> Standing {
    if way.targets.iter().any(|ip| way.scene.alive(*ip).is_some()) {
        return Standing::Passed;
    }
    let asked: Vec<_> = way.targets.iter().filter_map(|ip| Some((ip, way.scene.world.ping(*ip)?))).collect();
    let refused = |outcome: &Outcome<Reply>| outcome.failure().is_some_and(|f| f.kind != FailureKind::Silence);
    if asked.is_empty() || !asked.iter().all(|(_, outcome)| refused(outcome)) {
        return Standing::Unknown;
    }
    let proof = asked.into_iter().map(|(ip, outcome)| evidence::ping(ip, outcome));
    Standing::Broken(silent_centre(way, proof.collect()))
}

fn port_dead(way: &Way<'_>, port: u16, outcomes: &[(IpAddr, &Outcome<Reply>)]) -> Vec<Verdict> {
    let proof: Vec<_> = outcomes.iter().map(|(ip, o)| evidence::tcp(SocketAddr::new(*ip, port), o)).collect();
    let kind = |o: &Outcome<Reply>| o.failure().map(|f| f.kind.clone());
    let refused = outcomes.iter().find(|(_, o)| kind(o) == Some(FailureKind::Refused));
    if let Some((ip, outcome)) = refused {
        return vec![refused_port(way, SocketAddr::new(*ip, port), outcome).because(proof)];
    }
    if outcomes.iter().all(|(_, o)| matches!(kind(o), Some(FailureKind::Closed { .. }))) {
        let at = outcomes.first().map(|(ip, _)| SocketAddr::new(*ip, port));
        let subject = at.map_or_else(|| subject(way), Subject::Endpoint);
        return vec![Verdict::new(Cause::TcpAcceptAll, subject, Certainty::Likely).because(proof)];
    }
    if let Some((ip, sign)) = outcomes.iter().find_map(|(ip, _)| Some((*ip, way.scene.alive(*ip)?))) {
        let filtered = Verdict::new(Cause::TcpFiltered, Subject::Endpoint(SocketAddr::new(ip, port)), Certainty::Proven);
        let alive = Reason::Answered(sign.evidence.target.clone());
        return vec![filtered.because(proof).because([sign.evidence.clone()]).not(Cause::CentreOutage, alive)];
    }
    silent_centre(way, proof)
}

/// A reset that took as long as the way to the centre came from there.
fn refused_port(way: &Way<'_>, at: SocketAddr, outcome: &Outcome<Reply>) -> Verdict {
    let reset_after = outcome.failure().map_or(Duration::ZERO, |f| f.elapsed);
    let rtt = way.scene.world.ping(at.ip()).and_then(Outcome::ok).map(|reply| reply.rtt);
    let certainty = match rtt {
        Some(rtt) if rtt >= FAR && reset_after >= rtt / 2 => Certainty::Proven,
        _ => Certainty::Likely,
    };
    let refused = Verdict::new(Cause::TcpRefused, Subject::Endpoint(at), certainty);
    match way.scene.alive(at.ip()) {
        Some(sign) => refused.not(Cause::CentreOutage, Reason::Answered(sign.evidence.target.clone())),
        None => refused,
    }
}

/// No address of the centre gives any sign of life.
fn silent_centre(way: &Way<'_>, proof: Vec<Evidence>) -> Vec<Verdict> {
    let about = way.scene.signs.iter().filter(|sign| way.targets.contains(&sign.to));
    if let Some(sign) = about.clone().find(|sign| sign.error == Some(IcmpKind::AdminProhibited)) {
        let cut = Verdict::new(Cause::CentreCutOff, subject(way), Certainty::Likely);
        return vec![cut.because(proof).because([sign.evidence.clone()])];
    }
    let word = about.into_iter().find(|sign| matches!(sign.error, Some(IcmpKind::HostUnreachable | IcmpKind::NetUnreachable)));
    let beyond = way.inside().or_else(|| way.beyond_gateway());
    let certainty = if beyond.is_some() { Certainty::Likely } else { Certainty::Possible };
    let mut outage = dead_centre(way, certainty).because(proof.clone()).because(word.map(|sign| sign.evidence.clone()));
    if let Some(sign) = beyond {
        outage = outage.not(Cause::LineDown, Reason::Answered(sign.who.to_string())).because([sign.evidence.clone()]);
    }
    if word.is_some() {
        return vec![outage];
    }
    vec![outage, Verdict::new(Cause::CentreCutOff, subject(way), Certainty::Possible).because(proof)]
}

/// Behind a front-end server it is the front-end that this PC talks to.
pub fn dead_centre(way: &Way<'_>, certainty: Certainty) -> Verdict {
    let cause = match way.scene.config.network.access {
        Access::FrontEnd => Cause::FrontendDown,
        Access::LeasedLine | Access::VpnBox | Access::VpnOverInternet | Access::Unknown => Cause::CentreOutage,
    };
    Verdict::new(cause, subject(way), certainty)
}

fn subject(way: &Way<'_>) -> Subject {
    way.centre.map_or(Subject::Terminal, |centre| Subject::Centre(centre.name.clone()))
}
