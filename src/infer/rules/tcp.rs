//! Ports. A reset, a silence beside other answers, and a silence of everything are three different things; which of them it is depends
//! on what else answers.

use super::{Standing, portal, vpn};
use crate::config::{Access, Centre};
use crate::infer::evidence;
use crate::infer::scene::Way;
use crate::model::{Cause, Certainty, Evidence, Failure, FailureKind, IcmpKind, Outcome, Reason, Reply, Subject, Verdict};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Below this round-trip time a reset from far away cannot be told from one from near by. A busy PC alone adds ten milliseconds and more
/// to an answer from the next room.
const FAR: Duration = Duration::from_millis(30);

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
    let is_dead = |port: &&u16| dead(outcomes(**port).map(|(_, outcome)| outcome));
    match ports.iter().find(is_dead) {
        Some(port) => Standing::Broken(match portal::judge(way) {
            Some(portal) => portal,
            None => port_dead(way, *port, &outcomes(*port).filter(|(_, outcome)| !is_ours(outcome)).collect::<Vec<_>>()),
        }),
        None if ports.iter().all(|port| outcomes(*port).any(|(_, o)| o.ok().is_some())) => Standing::Passed,
        None => Standing::Unknown,
    }
}

/// Every address failed, and not all of them for want of something of this PC's own.
pub fn dead<'a>(outcomes: impl Iterator<Item = &'a Outcome<Reply>>) -> bool {
    let seen: Vec<_> = outcomes.collect();
    seen.iter().all(|outcome| outcome.failure().is_some()) && seen.iter().any(|outcome| !is_ours(outcome))
}

fn is_ours(outcome: &Outcome<Reply>) -> bool {
    outcome.failure().is_some_and(Failure::is_ours)
}

/// Nothing but echo is configured for this centre. Its silence is never a fault; that somebody says it cannot be reached is.
fn ping_only(way: &Way<'_>) -> Standing {
    if way.targets.iter().any(|ip| way.scene.alive(*ip).is_some()) {
        return Standing::Passed;
    }
    let asked: Vec<_> = way.targets.iter().filter_map(|ip| Some((ip, way.scene.world.ping(*ip)?))).collect();
    let refused = |outcome: &Outcome<Reply>| outcome.failure().is_some_and(|f| f.kind != FailureKind::Silence && !f.is_ours());
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
        return refused_port(way, SocketAddr::new(*ip, port), outcome, &proof);
    }
    let accepted = outcomes.first().and_then(|(ip, o)| Some((SocketAddr::new(*ip, port), o.failure()?)));
    if let Some((at, failure)) = accepted.filter(|_| outcomes.iter().all(|(_, o)| matches!(kind(o), Some(FailureKind::Closed { .. })))) {
        return accepted_in_vain(way, at, failure.elapsed, &proof);
    }
    if let Some((ip, sign)) = outcomes.iter().find_map(|(ip, _)| Some((*ip, way.scene.alive(*ip)?))) {
        let filtered = Verdict::new(Cause::TcpFiltered, Subject::Endpoint(SocketAddr::new(ip, port)), Certainty::Proven);
        let alive = Reason::Answered(sign.evidence.target.clone());
        return vec![filtered.because(proof).because([sign.evidence.clone()]).not(Cause::CentreOutage, alive)];
    }
    silent_centre(way, proof)
}

/// A connection that is accepted and ended before a word, `after` the first packet left. A box on the way that accepts for everybody is
/// nearer than the centre; a balancer whose servers are all dead is as far. Where the distance does not tell, it may be either.
pub fn accepted_in_vain(way: &Way<'_>, at: SocketAddr, after: Duration, proof: &[Evidence]) -> Vec<Verdict> {
    let box_between = |certainty| Verdict::new(Cause::TcpAcceptAll, Subject::Endpoint(at), certainty).because(proof.to_vec());
    let outage = |certainty| dead_centre(way, certainty).because(proof.to_vec());
    match far(way, at.ip()) {
        Some((rtt, echo)) if quickest(way, at.ip(), after) < rtt / 2 => vec![box_between(Certainty::Likely).because([echo])],
        Some((_, echo)) => vec![outage(Certainty::Likely).because([echo]), box_between(Certainty::Possible)],
        None => vec![box_between(Certainty::Likely), outage(Certainty::Likely)],
    }
}

/// The quickest connection to this host: a busy PC makes single ones seem slow.
fn quickest(way: &Way<'_>, ip: IpAddr, known: Duration) -> Duration {
    let took = |outcome: &Outcome<Reply>| match outcome {
        Outcome::Ok(reply) => Some(reply.rtt),
        Outcome::Failed(failure) => matches!(failure.kind, FailureKind::Closed { .. }).then_some(failure.elapsed),
        Outcome::Unknown(_) => None,
    };
    way.scene.world.connects(ip).filter_map(|(_, outcome)| took(outcome)).fold(known, Duration::min)
}

/// The shortest round trip to a host that is too far away for a box near by to be taken for it.
fn far(way: &Way<'_>, ip: IpAddr) -> Option<(Duration, Evidence)> {
    let world = way.scene.world;
    let echoes = [world.ping(ip), world.series(ip)].into_iter().flatten();
    let (rtt, echo) = echoes.filter_map(|outcome| Some((outcome.ok()?.rtt, outcome))).min_by_key(|(rtt, _)| *rtt)?;
    (rtt >= FAR).then(|| (rtt, evidence::ping(ip, echo)))
}

/// A reset that took as long as the way to the centre came from there. Where every port of several is closed to us, we may be shut out.
fn refused_port(way: &Way<'_>, at: SocketAddr, outcome: &Outcome<Reply>, proof: &[Evidence]) -> Vec<Verdict> {
    let reset_after = outcome.failure().map_or(Duration::ZERO, |f| f.elapsed);
    let everywhere = is_refused_everywhere(way);
    let certainty = match far(way, at.ip()) {
        Some((rtt, _)) if reset_after >= rtt / 2 && !everywhere => Certainty::Proven,
        _ => Certainty::Likely,
    };
    let refused = Verdict::new(Cause::TcpRefused, Subject::Endpoint(at), certainty).because(proof.to_vec());
    // A front-end server that refuses everything is the institution's own.
    if everywhere && way.scene.config.network.access == Access::FrontEnd {
        let refused = Verdict { certainty: Certainty::Possible, ..refused };
        return vec![dead_centre(way, Certainty::Likely).because(proof.to_vec()), refused];
    }
    let refused = match way.scene.alive(at.ip()) {
        Some(sign) => refused.not(Cause::CentreOutage, Reason::Answered(sign.evidence.target.clone())),
        None => refused,
    };
    let several = way.centre.is_some_and(|centre| required(centre).len() > 1);
    let shut_out = || Verdict::new(Cause::CentreCutOff, subject(way), Certainty::Possible).because(proof.to_vec());
    std::iter::once(refused).chain((everywhere && several).then(shut_out)).collect()
}

/// Every port at every address answers with a reset.
fn is_refused_everywhere(way: &Way<'_>) -> bool {
    let ports = way.centre.map(required).unwrap_or_default();
    let all = || ports.iter().flat_map(|port| way.targets.iter().map(move |ip| SocketAddr::new(*ip, *port)));
    let refused = |at| way.scene.world.tcp(at).and_then(Outcome::failure).is_some_and(|f| f.kind == FailureKind::Refused);
    all().next().is_some() && all().all(refused)
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
    let mut candidates = vec![outage, Verdict::new(Cause::CentreCutOff, subject(way), Certainty::Possible).because(proof)];
    candidates.extend(vpn::perhaps_nothing_behind(way));
    candidates
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
