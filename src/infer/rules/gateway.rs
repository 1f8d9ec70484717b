//! The next hop. Its neighbour entry proves nothing (it outlives a dead gateway by tens of seconds); only an answer now does.

use super::Standing;
use super::address::with_carrier;
use super::line::{broken_line, with_gateway};
use crate::infer::evidence;
use crate::infer::scene::Way;
use crate::model::{ArpAnswer, Cause, Certainty, Errno, FailureKind, Gateway, IcmpKind, Reason, Subject, Verdict};
use std::net::IpAddr;

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
    if let Some(other) = exchanged(way, address, gateway) {
        let line = with_gateway(broken_line(Certainty::Likely), gateway, address).because(way.silence());
        return Standing::Broken(vec![other, line]);
    }
    if is_there(way, gateway) {
        return Standing::Passed;
    }
    let silent = |certainty| argue(Verdict::new(Cause::GatewayUnreachable, Subject::Gateway(address), certainty), way, gateway);
    if gave_up(way, gateway) {
        return Standing::Broken(vec![silent(Certainty::Proven)]);
    }
    let refused_here = gateway.ping.failure().is_some_and(|f| matches!(f.kind, FailureKind::Local(errno) if errno != Errno::EHOSTUNREACH));
    if !way.is_cut() || refused_here {
        return Standing::Unknown;
    }
    // A router that forbids ping looks dead to who cannot ask for its hardware address.
    Standing::Broken(vec![silent(Certainty::Likely), with_gateway(broken_line(Certainty::Likely), gateway, address).because(way.silence())])
}

/// It answered itself, or somebody no further away did.
pub fn is_there(way: &Way<'_>, gateway: &Gateway) -> bool {
    gateway.alive() || way.scene.signs.iter().any(|sign| way.outer.contains(&sign.to) && way.is_first_hop(sign.who))
}

/// Settlement stands still and another device answers under the enrolled gateway's address. While all works an exchanged router is no
/// fault.
fn exchanged(way: &Way<'_>, address: IpAddr, gateway: &Gateway) -> Option<Verdict> {
    let answered = matches!(gateway.arp, ArpAnswer::Answered(_));
    let now = gateway.mac.as_ref().filter(|_| answered && way.is_cut())?;
    let known = way.scene.enrolment.baseline()?.gateways.iter().find(|known| known.address == Some(address))?;
    let then = known.mac.as_ref().filter(|then| !then.eq_ignore_ascii_case(now))?;
    let proof = [evidence::arp(address, gateway), evidence::state("gateway.enrolled", address, then)];
    let other = Verdict::new(Cause::GatewayChanged, Subject::Gateway(address), Certainty::Likely);
    Some(other.because(proof).not(Cause::GatewayUnreachable, Reason::Answered(address.to_string())))
}

fn argue(verdict: Verdict, way: &Way<'_>, gateway: &Gateway) -> Verdict {
    let target = way.uplink.gateway.map(|ip| ip.to_string()).unwrap_or_default();
    let argued = verdict.because([evidence::arp(&target, gateway), evidence::ping(&target, &gateway.ping)]).because(way.silence());
    let argued = with_carrier(way, argued);
    match way.usable_addresses().first() {
        Some(address) => argued.not(Cause::AddrNone, Reason::AddressPresent(address.link.to_string())),
        None => argued,
    }
}

/// ARP silence is proof; so is our own kernel's word that it asked and gave up.
fn gave_up(way: &Way<'_>, gateway: &Gateway) -> bool {
    let by_kernel = match gateway.ping.failure().map(|f| &f.kind) {
        Some(FailureKind::Icmp(error)) => {
            error.kind == IcmpKind::HostUnreachable && error.offender.is_some_and(|ip| way.scene.world.is_own(ip))
        }
        _ => false,
    };
    gateway.arp == ArpAnswer::Silent || by_kernel
}
