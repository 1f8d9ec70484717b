//! Routing and the terminal's own packet policy. The kernel tells these faults apart at 0 ms by its error number, before any packet
//! leaves.

use super::{Standing, loss};
use crate::config::Access;
use crate::infer::evidence;
use crate::infer::scene::Way;
use crate::model::{
    Cause, Certainty, Errno, Evidence, Failure, FailureKind, IcmpError, IcmpKind, LinkKind, Outcome, Reason, Route, RouteKind, Sighting,
    Subject, Verdict,
};
use std::net::IpAddr;

pub fn judge(way: &Way<'_>) -> Standing {
    if let Some(black_hole) = mtu_black_hole(way) {
        return Standing::Broken(vec![black_hole]);
    }
    if way.centre_alive().is_some() {
        return Standing::Passed;
    }
    if let Some(dropped) = input(way) {
        return Standing::Broken(vec![dropped]);
    }
    if let Some(candidates) = firewall(way) {
        return Standing::Broken(candidates);
    }
    let destinations = destinations(way);
    let decided: Vec<_> = destinations.iter().filter_map(|ip| way.scene.world.route_to(*ip).map(|outcome| (*ip, outcome))).collect();
    let mut verdicts: Vec<_> =
        decided.iter().filter_map(|(ip, outcome)| refused(*ip, outcome).or_else(|| captured(way, *ip, outcome))).collect();
    // A family that this PC does not have says less than a route that is wrong.
    verdicts.sort_by_key(|verdict| verdict.cause == Cause::RouteMissing);
    match (decided.len(), verdicts.len()) {
        (0, _) => Standing::Unknown,
        // One family without a route is normal where the other has one.
        (all, bad) if bad < all => Standing::Passed,
        _ => Standing::Broken(verdicts.into_iter().take(1).collect()),
    }
}

/// Where packets must go: to the centre, or, while its address is not known, to whom would tell it.
fn destinations(way: &Way<'_>) -> Vec<IpAddr> {
    let candidates = way.candidates();
    if candidates.is_empty() { way.scene.resolvers().iter().copied().filter(|ip| !ip.is_loopback()).collect() } else { candidates }
}

/// Answers arrive at the card, and none reaches the program that asked: this PC's own filter drops them (its rules, or the reverse-path
/// check).
fn input(way: &Way<'_>) -> Option<Verdict> {
    let asked = way.candidates().into_iter().chain(way.scene.resolvers().iter().copied());
    let heard = |ip: &IpAddr| way.scene.signs.iter().find(|sign| sign.dropped && sign.who == *ip);
    let left = |ip: &IpAddr| way.scene.world.ping(*ip).and_then(Outcome::failure).is_some_and(|f| f.kind == FailureKind::Silence);
    let (ip, sign) = asked.filter(|ip| way.scene.alive(*ip).is_none() && left(ip)).find_map(|ip| Some((ip, heard(&ip)?)))?;
    let world = way.scene.world;
    let silence = world.ping(ip).map(|outcome| evidence::ping(ip, outcome));
    let dropped = Verdict::new(Cause::FirewallInput, Subject::Host(ip), Certainty::Proven);
    Some(dropped.because([sign.evidence.clone()]).because(silence).not(Cause::LineDown, Reason::Answered(ip.to_string())))
}

fn refused(ip: IpAddr, outcome: &Outcome<Route>) -> Option<Verdict> {
    let (cause, result) = match outcome {
        Outcome::Ok(route) => match route.kind {
            RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit => (Cause::RouteBlocked, None),
            RouteKind::Unicast | RouteKind::Local => return None,
        },
        Outcome::Failed(failure) => match failure.kind {
            FailureKind::Local(Errno::ENETUNREACH) => (Cause::RouteMissing, None),
            FailureKind::Local(errno @ (Errno::EINVAL | Errno::EACCES | Errno::EHOSTUNREACH)) => (Cause::RouteBlocked, Some(errno)),
            _ => return None,
        },
        Outcome::Unknown(_) => return None,
    };
    let refused = Verdict::new(cause, Subject::Route(ip), Certainty::Proven).because([evidence::route(ip, outcome)]);
    Some(match result {
        Some(errno) => refused.not(Cause::CentreOutage, Reason::RefusedLocally(errno.to_string())),
        None => refused,
    })
}

/// The route leaves through the wrong device: beside the tunnel that leads to the centre, or into a tunnel that does not.
fn captured(way: &Way<'_>, ip: IpAddr, outcome: &Outcome<Route>) -> Option<Verdict> {
    let device = outcome.ok()?.device.as_ref()?;
    let subject = Subject::Route(ip);
    let (certainty, expected) = match way.vpn {
        Some(vpn) if !vpn.interface.matches(device.as_str()) => {
            way.vpn_facts()?.interface.as_ref()?;
            // A client that lost its server may have taken its routes back.
            (if way.inside().is_some() { Certainty::Proven } else { Certainty::Likely }, vpn.interface.as_str())
        }
        Some(_) => return None,
        // Only where the site says that there is no tunnel on this PC is a tunnel a stranger; a bridge of containers always is.
        None => match (way.scene.config.network.access, &way.scene.world.link(device)?.kind) {
            (Access::LeasedLine | Access::VpnBox | Access::FrontEnd, LinkKind::Tun | LinkKind::Wireguard) => (Certainty::Likely, "-"),
            (_, LinkKind::Bridge) if way.scene.is_inward(device) => (Certainty::Likely, "-"),
            _ => return None,
        },
    };
    let found = Verdict::new(Cause::RouteCaptured, subject, certainty)
        .because([evidence::route(ip, outcome), evidence::state("route.expected", ip, format!("dev {expected}"))]);
    Some(match way.vpn_facts().and_then(|facts| facts.interface.as_ref()) {
        Some(tunnel) => found.not(Cause::VpnNotStarted, Reason::Running(tunnel.to_string())),
        None => found,
    })
}

/// Only a local filter answers a datagram with EPERM, or with a rejection from our own address, and it does so at once; TCP through the
/// same filter merely times out. Proof where it stops what settlement needs, a name; that it forbids echo may be all it does.
fn firewall(way: &Way<'_>) -> Option<Vec<Verdict>> {
    let world = way.scene.world;
    let filtered = |failure: Option<&Failure>| match failure.map(|f| &f.kind) {
        Some(FailureKind::Local(errno)) => *errno == Errno::EPERM,
        Some(FailureKind::Icmp(IcmpError { kind: IcmpKind::PortUnreachable | IcmpKind::AdminProhibited, offender: Some(own) })) => {
            world.is_own(*own) && !own.is_loopback()
        }
        _ => false,
    };
    let pings = way.candidates().into_iter().filter_map(|ip| {
        let outcome = world.ping(ip)?;
        filtered(outcome.failure()).then(|| (Subject::Host(ip), evidence::ping(ip, outcome)))
    });
    let nameless = way.centre.is_some_and(|centre| world.lookup(&centre.host).is_some_and(|o| o.failure().is_some()));
    let queries = way.scene.resolvers().iter().filter(|_| nameless).flat_map(|ip| {
        let denied = world.queries(*ip).filter(|(_, outcome)| filtered(outcome.failure()));
        denied.map(move |(name, outcome)| (Subject::Resolver(*ip), evidence::query(format!("{name} @{ip}"), outcome)))
    });
    let (pings, queries): (Vec<_>, Vec<_>) = (pings.collect(), queries.collect());
    let certainty = if queries.is_empty() { Certainty::Likely } else { Certainty::Proven };
    let denied: Vec<(Subject, Evidence)> = pings.into_iter().chain(queries).collect();
    let subject = denied.first()?.0.clone();
    if !way.is_cut() {
        return None;
    }
    let proof: Vec<_> = denied.into_iter().map(|(_, evidence)| evidence).take(4).collect();
    let blocked = Verdict::new(Cause::FirewallOutput, subject, certainty).because(proof.clone());
    Some(match certainty {
        Certainty::Proven => vec![blocked.not(Cause::TcpFiltered, Reason::RefusedLocally("EPERM".to_owned()))],
        Certainty::Likely | Certainty::Possible => vec![blocked, super::tcp::dead_centre(way, Certainty::Possible).because(proof)],
    })
}

/// A large request stalls and the same request in small segments is answered: proof without any ICMP. On a line that loses packets the one
/// may stall and the other get through by luck; there large echoes must vanish, every one, where small ones return.
pub fn mtu_black_hole(way: &Way<'_>) -> Option<Verdict> {
    let world = way.scene.world;
    let candidates = way.candidates();
    world.observations().find_map(|o| match &o.sighting {
        Sighting::Upload(at, large @ Outcome::Failed(failure)) if candidates.contains(&at.ip()) && failure.kind == FailureKind::Silence => {
            let stalled = evidence::upload("http.upload", at, large);
            let hole = |certainty| Verdict::new(Cause::PathMtuBlackHole, Subject::Endpoint(*at), certainty).because([stalled]);
            if loss::is_suspected(way, at.ip()) {
                return loss::only_large(way, at.ip()).map(|counted| hole(Certainty::Likely).because(counted));
            }
            let small = world.upload_small(*at).filter(|small| small.ok().is_some())?;
            Some(hole(Certainty::Proven).because([evidence::upload("http.upload-small-segments", at, small)]))
        }
        _ => None,
    })
}
