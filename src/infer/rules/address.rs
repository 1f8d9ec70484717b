//! The PC's own address, and whether its gateway can be reached from it at all.

use super::Standing;
use super::line::broken_line;
use crate::config::GatewayChoice;
use crate::infer::dialup::{self, Lost};
use crate::infer::evidence;
use crate::infer::scene::Way;
use crate::model::{Address, Cause, Certainty, Outcome, Reason, Route, Subject, Verdict};
use std::net::IpAddr;

pub fn judge(way: &Way<'_>) -> Standing {
    let Some(device) = &way.uplink.device else {
        return Standing::Unknown;
    };
    if way.scene.world.addresses().and_then(Outcome::ok).is_none() {
        return Standing::Unknown;
    }
    if way.beyond_gateway().is_some() {
        return Standing::Passed;
    }
    let dial_up = dialup::lost(way);
    // The card beneath a session needs no address.
    if matches!(dial_up, Some(Lost::Enrolled(_))) {
        return Standing::Absent;
    }
    let usable = way.usable_addresses();
    let subject = Subject::Link(device.clone());
    if !usable.iter().any(|a| serves(way, a)) {
        let held = || way.scene.world.addresses_of(device);
        if let Some(taken) = held().find(|a| a.duplicate && serves(way, a)) {
            let conflict = Verdict::new(Cause::AddrConflict, subject, Certainty::Proven).because([evidence::state(
                "address.conflict",
                taken.net.addr(),
                "another station answers for it",
            )]);
            return Standing::Broken(vec![with_carrier(way, conflict)]);
        }
        // The kernel is still asking whether it may use it.
        if held().any(|a| a.tentative && serves(way, a)) {
            return Standing::Unknown;
        }
        let seen: Vec<_> = held().map(|a| a.net.to_string()).collect();
        let seen = if seen.is_empty() { "none".to_owned() } else { seen.join(" ") };
        // Where this PC may dial up its line, the missing address may be a session that does not come about.
        let certainty = if dial_up.is_some() { Certainty::Likely } else { Certainty::Proven };
        let none = Verdict::new(Cause::AddrNone, subject, certainty).because([evidence::state("address.list", device, seen)]);
        let mut candidates = vec![with_carrier(way, none)];
        if let Some(Lost::SetUp(proof)) = dial_up {
            candidates.push(with_carrier(way, broken_line(Certainty::Likely).because(proof)));
        }
        return Standing::Broken(candidates);
    }
    if let Some(gateway) = stray_gateway(way, &usable) {
        let nets = usable.iter().map(|a| a.net.to_string()).collect::<Vec<_>>().join(" ");
        let stray = Verdict::new(Cause::AddrGatewayNotOnLink, subject, Certainty::Proven)
            .because([
                evidence::state("address.list", device, nets),
                evidence::state("route.gateway", gateway, "outside every on-link prefix"),
            ])
            .not(Cause::AddrNone, Reason::AddressPresent(device.to_string()));
        return Standing::Broken(vec![with_carrier(way, stray)]);
    }
    match moved(way, &usable) {
        Some(moved) => Standing::Broken(vec![with_carrier(way, moved)]),
        None => Standing::Passed,
    }
}

/// Settlement stands still and this PC has no address in any prefix it was enrolled in: it was moved, or a foreign router hands out
/// addresses. While all works a new address is nobody's business here.
fn moved(way: &Way<'_>, usable: &[&Address]) -> Option<Verdict> {
    let enrolled = &way.scene.enrolment.baseline()?.prefixes.on_link;
    let at_home = usable.iter().any(|a| enrolled.iter().any(|net| net.contains(&a.net.addr())));
    let comparable = usable.iter().any(|a| enrolled.iter().any(|net| net.addr().is_ipv4() == a.net.addr().is_ipv4()));
    if at_home || !comparable || !way.is_cut() {
        return None;
    }
    let device = way.uplink.device.clone()?;
    let list = |nets: Vec<String>| nets.join(" ");
    let now = evidence::state("address.list", &device, list(usable.iter().map(|a| a.net.to_string()).collect()));
    let then = evidence::state("address.enrolled", &device, list(enrolled.iter().map(ToString::to_string).collect()));
    let changed = Verdict::new(Cause::AddrChangedSubnet, Subject::Link(device.clone()), Certainty::Proven).because([now, then]);
    Some(changed.not(Cause::AddrNone, Reason::AddressPresent(device.to_string())))
}

/// Rules a loose cable out, where the kernel told of the signal.
pub fn with_carrier(way: &Way<'_>, verdict: Verdict) -> Verdict {
    match way.link().filter(|link| link.up && link.carrier) {
        Some(link) => verdict.not(Cause::LinkNoCarrier, Reason::CarrierPresent(link.name.to_string())),
        None => verdict,
    }
}

/// An IPv4 address cannot serve a centre that has IPv6 addresses only, and the other way round.
fn serves(way: &Way<'_>, address: &Address) -> bool {
    let fixed: Vec<_> = way.outer.iter().filter(|ip| !ip.is_loopback()).collect();
    fixed.is_empty() || fixed.iter().any(|ip| ip.is_ipv4() == address.net.addr().is_ipv4())
}

/// The gateway, when no prefix of ours contains it and it does not answer either. Link-local gateways (IPv6) are always on-link, and a
/// gateway that answers in IP can send to us by whatever means. Its answer to ARP alone proves only the wire: routers answer that to
/// strangers too.
fn stray_gateway(way: &Way<'_>, usable: &[&Address]) -> Option<IpAddr> {
    let configured = match way.scene.config.network.gateway {
        GatewayChoice::Auto => None,
        GatewayChoice::Address(ip) => Some(ip),
    };
    let gateway = way.uplink.gateway.or(configured)?;
    let link_local = matches!(gateway, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let kin = || usable.iter().filter(|a| a.net.addr().is_ipv4() == gateway.is_ipv4());
    // An address that is its whole prefix has its neighbours by route only (`onlink`), and so has a prefix routed to the card itself.
    let bare = kin().all(|a| a.net.prefix_len() == a.net.max_prefix_len());
    let on_link = bare || kin().any(|a| a.net.contains(&gateway)) || routed_to_card(way, gateway);
    let answers = way.gateway().is_some_and(|gateway| gateway.ping.ok().is_some() || gateway.expired_here.is_some());
    (!link_local && !on_link && !answers).then_some(gateway)
}

fn routed_to_card(way: &Way<'_>, gateway: IpAddr) -> bool {
    let to_card = |r: &Route| r.gateway.is_none() && r.device == way.uplink.device && r.destination.prefix_len() > 0;
    let table = way.scene.world.routes().and_then(Outcome::ok);
    table.is_some_and(|table| table.routes.iter().any(|route| to_card(route) && route.destination.contains(&gateway)))
}
