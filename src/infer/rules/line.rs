//! The provider's line: the gateway is there, nothing beyond it answers. The terminal cannot see which end is dead, unless the gateway
//! itself says that it has no way on.

use super::{Standing, address, gateway, loss, route, service, tcp, tls, vpn};
use crate::config::Access;
use crate::infer::dialup::{self, Lost};
use crate::infer::evidence;
use crate::infer::life::Sign;
use crate::infer::scene::Way;
use crate::model::{Cause, Certainty, Evidence, Failure, FailureKind, Gateway, IcmpKind, Reason, Subject, Verdict};
use std::net::IpAddr;
use std::time::Duration;

/// The kernel says that nobody answered for a hardware address after three times one second; a silence that lasted longer was somebody's.
const ARP_GIVES_UP: Duration = Duration::from_millis(3050);

pub fn judge(way: &Way<'_>) -> Standing {
    if way.beyond_gateway().is_some() {
        return match loss::judge(way) {
            // Large packets that vanish besides are a second fault, not a consequence.
            Some(lost) if way.is_cut() || stalls(way) => {
                Standing::Broken(std::iter::once(lost).chain(route::mtu_black_hole(way)).collect())
            }
            Some(_) | None => Standing::Passed,
        };
    }
    if let Some(Lost::Enrolled(proof)) = dialup::lost(way) {
        return Standing::Broken(vec![address::with_carrier(way, broken_line(Certainty::Likely).because(proof))]);
    }
    if !way.leads_beyond() {
        return seemingly_near(way).map_or(Standing::Absent, Standing::Broken);
    }
    if !way.is_cut() {
        return Standing::Unknown;
    }
    let refusals = refusals(way);
    if has_no_way_on(way, &refusals) {
        let said = refusals.into_iter().map(|sign| sign.evidence.clone());
        return Standing::Broken(vec![with_hop(way, broken_line(Certainty::Proven).because(said))]);
    }
    let proof: Vec<Evidence> = refusals.into_iter().map(|sign| sign.evidence.clone()).chain(way.silence()).chain(nameless(way)).collect();
    if proof.is_empty() {
        return Standing::Unknown;
    }
    let mut candidates = vec![broken_line(Certainty::Likely)];
    candidates.extend(far_end(way));
    if let Some(address) = way.uplink.gateway.filter(|_| !way.gateway().is_some_and(|seen| gateway::is_there(way, seen))) {
        candidates.push(Verdict::new(Cause::GatewayUnreachable, Subject::Gateway(address), Certainty::Possible));
    }
    Standing::Broken(candidates.into_iter().map(|verdict| with_hop(way, verdict).because(proof.clone())).collect())
}

/// The centre seems to lie on our own segment, keeps silent, and yet somebody answered for its hardware address, or the kernel would have
/// given up: a gateway that answers for everybody, with a dead line behind it, or a centre that drops all. A front-end server is known to
/// stand in the house.
fn seemingly_near(way: &Way<'_>) -> Option<Vec<Verdict>> {
    let far = way.centre.is_some() && way.vpn.is_none() && way.scene.config.network.access != Access::FrontEnd;
    let asked: Vec<_> = way.candidates().into_iter().flat_map(|ip| way.scene.world.connects(ip)).collect();
    let kept_silent = |failure: &Failure| failure.kind == FailureKind::Silence && failure.elapsed >= ARP_GIVES_UP;
    if !far || asked.is_empty() || !asked.iter().all(|(_, outcome)| outcome.failure().is_some_and(kept_silent)) {
        return None;
    }
    let proof: Vec<_> = asked.into_iter().map(|(at, outcome)| evidence::tcp(at, outcome)).collect();
    let candidates = [broken_line(Certainty::Likely), tcp::dead_centre(way, Certainty::Possible)];
    Some(candidates.map(|verdict| verdict.because(proof.clone())).into())
}

/// A handshake or a page began and was not finished by anybody.
fn stalls(way: &Way<'_>) -> bool {
    let stalled = |failure: Option<&Failure>| failure.is_some_and(|f| matches!(f.kind, FailureKind::Silence | FailureKind::Closed { .. }));
    let (handshakes, pages) = (tls::handshakes(way), service::exchanges(way));
    handshakes.iter().any(|(_, outcome)| stalled(outcome.failure())) && handshakes.iter().all(|(_, outcome)| outcome.ok().is_none())
        || pages.iter().any(|(_, outcome)| stalled(outcome.failure())) && pages.iter().all(|(_, outcome)| outcome.ok().is_none())
}

/// Without a word from beyond, the far end may be as dead as the line.
fn far_end(way: &Way<'_>) -> Option<Verdict> {
    if way.vpn.is_some() { vpn::far_end(way) } else { way.centre.map(|_| tcp::dead_centre(way, Certainty::Possible)) }
}

/// The VPN server's name, where nobody told it: name servers outside need the line too.
fn nameless(way: &Way<'_>) -> Option<Evidence> {
    let how = way.vpn_facts()?.server_unresolved.as_ref()?;
    Some(evidence::state("dns.lookup", &way.vpn?.server.as_ref()?.host, how))
}

/// "The line is down", yet to be argued.
pub fn broken_line(certainty: Certainty) -> Verdict {
    Verdict::new(Cause::LineDown, Subject::Line, certainty)
}

fn with_hop(way: &Way<'_>, verdict: Verdict) -> Verdict {
    match (way.gateway(), way.uplink.gateway) {
        (Some(gateway), Some(address)) => with_gateway(verdict, gateway, address),
        _ => verdict,
    }
}

/// Adds what is known of the gateway; a dead gateway is ruled out where it answered.
pub fn with_gateway(verdict: Verdict, gateway: &Gateway, address: IpAddr) -> Verdict {
    let verdict = verdict.because([evidence::gateway(address, gateway)]);
    if gateway.alive() { verdict.not(Cause::GatewayUnreachable, Reason::Answered(address.to_string())) } else { verdict }
}

/// The gateway's own words about packets that should have gone on.
fn refusals<'a>(way: &'a Way<'_>) -> Vec<&'a Sign> {
    let goals = way.goals();
    let refused = |sign: &&Sign| goals.contains(&sign.to) && !matches!(sign.error, None | Some(IcmpKind::TimeExceeded));
    way.scene.signs.iter().filter(|sign| way.is_first_hop(sign.who)).filter(refused).collect()
}

/// It has no route, neither for IPv4 nor for IPv6, as far as the far end has both. That a single host does not answer it ("host
/// unreachable") may be that host's fault, and what it forbids it could do.
fn has_no_way_on(way: &Way<'_>, refusals: &[&Sign]) -> bool {
    let goals = way.goals();
    let routed = goals.iter().filter(|ip| way.vpn.is_some() || way.scene.route(**ip).is_some());
    let said = |ipv4: bool| refusals.iter().any(|sign| sign.to.is_ipv4() == ipv4 && sign.error == Some(IcmpKind::NetUnreachable));
    (said(true) || said(false)) && routed.into_iter().all(|ip| said(ip.is_ipv4()))
}
