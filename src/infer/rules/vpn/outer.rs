//! What was heard of a VPN's server on its outer side.

use crate::infer::evidence;
use crate::infer::life::Sign;
use crate::infer::scene::Way;
use crate::model::{Certainty, Evidence, FailureKind, IcmpKind, Outcome, Reply, VpnFacts};
use std::net::{IpAddr, SocketAddr};

/// What was heard of the VPN server on the outer side.
pub(super) enum Outer {
    /// A router on the way says that it cannot be reached: of all its addresses, or of some.
    Unreachable(IpAddr, Evidence, Certainty),
    /// A filter on the way says that it lets nothing through to it.
    Forbidden(Evidence),
    /// Its host says that nobody listens on the port.
    PortClosed(Evidence),
    /// The VPN service itself answered.
    PortAnswers(Evidence),
    /// The host answers, the port is silent (which many VPNs always are to strangers).
    HostAnswers(Evidence, Vec<Evidence>),
    /// Nothing.
    Silent(Vec<Evidence>),
    /// No server is configured, or it could not be asked.
    NotAsked,
}

pub(super) fn outer(way: &Way<'_>, facts: &VpnFacts) -> Outer {
    let world = way.scene.world;
    let refused = |at: &SocketAddr, outcome: &Outcome<Reply>| match outcome.failure().map(|f| &f.kind) {
        Some(FailureKind::Refused) => true,
        Some(FailureKind::Icmp(error)) => error.kind == IcmpKind::PortUnreachable && error.offender.is_none_or(|who| who == at.ip()),
        _ => false,
    };
    let asked: Vec<(SocketAddr, &Outcome<Reply>, Evidence)> = facts
        .server
        .iter()
        .flat_map(|at| {
            let udp = world.udp(*at).map(|o| (*at, o, evidence::udp(at, o)));
            let tcp = world.tcp(*at).map(|o| (*at, o, evidence::tcp(at, o)));
            udp.into_iter().chain(tcp)
        })
        .collect();
    if let Some((_, _, proof)) = asked.iter().find(|(_, o, _)| o.ok().is_some()) {
        return Outer::PortAnswers(proof.clone());
    }
    if let Some((_, _, proof)) = asked.iter().find(|(at, o, _)| refused(at, o)) {
        return Outer::PortClosed(proof.clone());
    }
    let port: Vec<_> = asked.into_iter().map(|(_, _, proof)| proof).collect();
    let about = |ip: IpAddr| way.scene.signs.iter().filter(move |sign| sign.to == ip);
    let forbids = |sign: &&Sign| matches!(sign.error, Some(IcmpKind::AdminProhibited | IcmpKind::PortUnreachable));
    let servers = || facts.server.iter().map(SocketAddr::ip);
    // A host that forbids something itself is there.
    let forbids_itself = |ip| about(ip).filter(forbids).find(|sign| sign.who == ip);
    if let Some(sign) = servers().find_map(|ip| way.scene.alive(ip).or_else(|| forbids_itself(ip))) {
        return Outer::HostAnswers(sign.evidence.clone(), port);
    }
    let lost =
        |sign: &&Sign| matches!(sign.error, Some(IcmpKind::NetUnreachable | IcmpKind::HostUnreachable)) && !way.is_first_hop(sign.who);
    let unreachable: Vec<_> = servers().filter_map(|ip| about(ip).find(lost)).collect();
    if let Some(sign) = unreachable.first() {
        let certainty = if unreachable.len() == facts.server.len() { Certainty::Proven } else { Certainty::Likely };
        return Outer::Unreachable(sign.who, sign.evidence.clone(), certainty);
    }
    if let Some(sign) = servers().find_map(|ip| about(ip).find(forbids)) {
        return Outer::Forbidden(sign.evidence.clone());
    }
    let pings = servers().filter_map(|ip| world.ping(ip).map(|o| evidence::ping(ip, o)));
    let silent: Vec<_> = port.into_iter().chain(pings).collect();
    if silent.is_empty() { Outer::NotAsked } else { Outer::Silent(silent) }
}
