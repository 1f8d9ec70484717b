//! The next hop. Its neighbour entry proves nothing (it outlives a dead gateway by tens of seconds); only an answer now does.

use super::Standing;
use super::line::{broken_line, with_gateway};
use crate::infer::evidence;
use crate::infer::scene::Way;
use crate::model::{ArpAnswer, Cause, Certainty, FailureKind, Gateway, Outcome, Reason, Subject, Verdict};

pub fn judge(way: &Way<'_>) -> Standing {
    if way.beyond_gateway().is_some() {
        return Standing::Passed;
    }
    let Some(address) = way.uplink.gateway else {
        return Standing::Absent;
    };
    let Some(gateway) = way.gateway() else {
        return Standing::Unknown;
    };
    if gateway.alive() || way.scene.signs.iter().any(|sign| way.outer.contains(&sign.to) && way.is_first_hop(sign.who)) {
        return Standing::Passed;
    }
    let asked = !matches!((&gateway.arp, &gateway.ping), (ArpAnswer::Unknown(_), Outcome::Unknown(_)));
    if !asked && way.silence().is_empty() {
        return Standing::Unknown;
    }
    let silent = Verdict::new(Cause::GatewayUnreachable, Subject::Gateway(address), certainty(way, gateway));
    let mut candidates = vec![argue(silent, way, gateway)];
    if candidates[0].certainty != Certainty::Proven {
        // A router that forbids ping looks dead to who cannot ask for its hardware address.
        candidates.push(with_gateway(broken_line(Certainty::Likely), gateway, address));
    }
    Standing::Broken(candidates)
}

fn argue(verdict: Verdict, way: &Way<'_>, gateway: &Gateway) -> Verdict {
    let device = way.uplink.device.as_ref().map(ToString::to_string).unwrap_or_default();
    let target = way.uplink.gateway.map(|ip| ip.to_string()).unwrap_or_default();
    verdict
        .because([evidence::arp(&target, gateway), evidence::ping(&target, &gateway.ping)])
        .because(way.silence())
        .not(Cause::LinkNoCarrier, Reason::CarrierPresent(device.clone()))
        .not(Cause::AddrNone, Reason::AddressPresent(device))
}

/// ARP silence is proof; so is our own kernel's word that it asked and gave up.
fn certainty(way: &Way<'_>, gateway: &Gateway) -> Certainty {
    let gave_up = |outcome: &Outcome<_>| match outcome.failure().map(|f| &f.kind) {
        Some(FailureKind::Icmp(error)) => error.offender.is_some_and(|ip| way.scene.world.is_own(ip)),
        _ => false,
    };
    match gateway.arp {
        ArpAnswer::Silent => Certainty::Proven,
        ArpAnswer::Answered(_) | ArpAnswer::Unknown(_) if gave_up(&gateway.ping) => Certainty::Proven,
        ArpAnswer::Answered(_) | ArpAnswer::Unknown(_) => Certainty::Likely,
    }
}
