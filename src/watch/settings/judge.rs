//! What decides how this PC works, compared with enrolment. Pure.
//!
//! The network counts where this PC stands in it: enrolled cards and what is built on them, IPv4 addresses, gateways. Bridges of containers,
//! tunnels and addresses that routers announce are others' business.

use super::super::memory::{Sights, fact};
use crate::baseline::{Aspect, Baseline, Deviation, FileState, Interface, KnownGateway, MacOrigin, compare};
use crate::model::{Address, Evidence, Finding, FindingCode, IfName, Link, LinkKind, Origin, Severity, Subject};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::IpAddr;

/// The hosts file, as a person knows it.
const HOSTS: &str = "/etc/hosts";

/// What stands beside the baseline's own words.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// Interfaces.
    pub links: Vec<Link>,
    /// Their addresses.
    pub addresses: Vec<Address>,
    /// Those that were handed out.
    pub leased: BTreeSet<(IfName, IpAddr)>,
    /// Name servers that were handed out, as far as DHCP clients let it be read.
    pub leased_servers: BTreeSet<IpAddr>,
    /// A tunnel that was up at enrolment is not, or the other way round: what it brings along comes and goes with it.
    pub other_tunnels: bool,
    /// No name was given to this PC itself, so that it takes what the network says.
    pub named_by_network: bool,
    /// Other users' processes can be seen.
    pub processes: bool,
}

/// All that differs of files, names and time.
pub fn settings(was: &Baseline, now: &Baseline, around: &Around) -> Sights {
    let deviations = compare(was, now);
    let mut seen = Sights::default();
    seen.found.extend(hosts(&deviations));
    for deviation in &deviations {
        match deviation.aspect {
            Aspect::HostName if !around.named_by_network && !is_same_name(deviation) => seen.found.push(host_name(deviation)),
            Aspect::TimeFile => seen.found.push(time_file(deviation)),
            Aspect::TimeDaemon if around.processes && deviation.new.is_none() => seen.found.push(time_daemon(deviation)),
            _ => {}
        }
    }
    if around.other_tunnels || now.resolvers.get().is_none() {
        seen.unseen.push(FindingCode::SettingsResolver);
    } else {
        seen.found.extend(resolvers(was, now, around));
    }
    if matches!(now.host.hosts, FileState::Unreadable(_)) {
        seen.unseen.push(FindingCode::SettingsHosts);
    }
    if !around.processes || now.time.files.iter().any(|file| matches!(file.state, FileState::Unreadable(_))) {
        seen.unseen.push(FindingCode::SettingsTime);
    }
    seen
}

fn or_none(value: Option<&String>) -> &str {
    value.map_or("none", String::as_str)
}

fn before_and_now(kinds: (&str, &str), target: &str, deviation: &Deviation) -> [Evidence; 2] {
    [fact(kinds.0, target, or_none(deviation.old.as_ref())), fact(kinds.1, target, or_none(deviation.new.as_ref()))]
}

/// With and without a domain it is the same name.
fn is_same_name(deviation: &Deviation) -> bool {
    let (Some(old), Some(new)) = (&deviation.old, &deviation.new) else { return false };
    let (old, new) = (old.to_lowercase(), new.to_lowercase());
    let is_short_for = |short: &str, long: &str| long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    is_short_for(&old, &new) || is_short_for(&new, &old)
}

fn host_name(deviation: &Deviation) -> Finding {
    let lines = before_and_now(("hostname.enrolled", "hostname.now"), "", deviation);
    Finding::new(FindingCode::SettingsHostname, Subject::Terminal, Origin::LocalChange).because(lines)
}

fn digests(path: &str, deviation: &Deviation) -> [Evidence; 2] {
    let absent = |side: &Option<String>| side.clone().filter(|digest| digest != "absent");
    let deviation = Deviation { old: absent(&deviation.old), new: absent(&deviation.new), ..deviation.clone() };
    before_and_now(("file.enrolled", "file.now"), path, &deviation)
}

fn time_file(deviation: &Deviation) -> Finding {
    let path = deviation.subject.as_str();
    Finding::new(FindingCode::SettingsTime, Subject::File(path.to_owned()), Origin::LocalChange).because(digests(path, deviation))
}

fn time_daemon(deviation: &Deviation) -> Finding {
    let name = deviation.subject.clone();
    let line = fact("time.daemon", &name, "not running");
    Finding::new(FindingCode::SettingsTime, Subject::Program(name), Origin::LocalChange).because([line])
}

/// Configured names matter; any other line is noticed.
fn hosts(deviations: &[Deviation]) -> Option<Finding> {
    let file = deviations.iter().find(|deviation| deviation.aspect == Aspect::HostsFile)?;
    let names = deviations.iter().filter(|deviation| deviation.aspect == Aspect::HostsEntry);
    let lines: Vec<Evidence> = names.flat_map(|name| before_and_now(("hosts.enrolled", "hosts.now"), &name.subject, name)).collect();
    let finding = Finding::new(FindingCode::SettingsHosts, Subject::File(HOSTS.to_owned()), Origin::LocalChange);
    Some(if lines.is_empty() {
        Finding { severity: Severity::Low, ..finding.because(digests(HOSTS, file)) }
    } else {
        finding.because(lines)
    })
}

/// Servers that were not there; that one of several is missing, or that they changed places, sends nobody elsewhere.
fn resolvers(was: &Baseline, now: &Baseline, around: &Around) -> Option<Finding> {
    let (old, new) = (was.resolvers.get()?, now.resolvers.get()?);
    let added: Vec<IpAddr> = new.iter().copied().filter(|server| !old.contains(server)).collect();
    if added.is_empty() {
        return None;
    }
    let on_a_lease = || {
        let gateways = was.gateways.iter().filter_map(|gateway| gateway.device.as_ref());
        gateways.into_iter().any(|device| around.leased.iter().any(|(link, _)| link == device))
    };
    // Routers announce name servers too (RDNSS), and no lease file says so.
    let from_router = || around.leased.iter().any(|(_, address)| address.is_ipv6());
    let announced = |server: &IpAddr| matches!(server, IpAddr::V6(ip) if ip.is_unicast_link_local() || from_router());
    let given = |server: &IpAddr| around.leased_servers.contains(server) || announced(server);
    let from_outside = around.leased_servers.is_empty() && on_a_lease() || added.iter().all(given);
    let origin = if from_outside { Origin::Upstream } else { Origin::LocalChange };
    let lines = [fact("resolver.enrolled", "", list(old)), fact("resolver.now", "", list(new))];
    let leased: Vec<IpAddr> = around.leased_servers.iter().copied().collect();
    let leased = (!leased.is_empty()).then(|| fact("resolver.leased", "", list(&leased)));
    Some(Finding::new(FindingCode::SettingsResolver, Subject::Terminal, origin).because(lines.into_iter().chain(leased)))
}

fn list<T: Display>(items: &[T]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ") }
}

/// How enrolled interfaces stand in the network now: one finding for each that stands in another one.
pub fn network(was: &Baseline, now: &Baseline, around: &Around) -> Vec<Finding> {
    was.interfaces.iter().filter_map(|then| interface(was, now, then, around)).collect()
}

fn interface(was: &Baseline, now: &Baseline, then: &Interface, around: &Around) -> Option<Finding> {
    let link = around.links.iter().find(|link| link.name == then.name)?;
    let leads_out = was.gateways.iter().any(|gateway| gateway.device.as_ref() == Some(&then.name));
    let counts = match link.kind {
        LinkKind::Ethernet | LinkKind::Wifi => true,
        LinkKind::Bridge | LinkKind::Other(_) => leads_out,
        LinkKind::Loopback | LinkKind::Tun | LinkKind::Wireguard | LinkKind::Ppp => false,
    };
    if !counts {
        return None;
    }
    let (mut lines, mut origins) = (Vec::new(), BTreeSet::new());
    let on_lease = around.leased.iter().any(|(name, ip)| *name == then.name && ip.is_ipv4());
    let origin = |leased: bool| if leased { Origin::Upstream } else { Origin::LocalChange };
    if let Some((old, new)) = gateways(was, now, &then.name) {
        lines.extend([fact("gateway.enrolled", &then.name, list(&old)), fact("route.gateway", &then.name, list(&new))]);
        // A router's address on the link itself came by its own announcement.
        let announced = new.iter().all(|ip| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()));
        origins.insert(origin(on_lease || announced));
    }
    for address in new_prefixes(was, &then.name, around) {
        lines.push(fact("address.prefix", &then.name, address.net.trunc()));
        origins.insert(origin(around.leased.contains(&(then.name.clone(), address.net.addr()))));
    }
    if let Some((old, new)) = hand_set_mac(now, then, link) {
        lines.extend([fact("mac.enrolled", &then.name, old), fact("mac.set", &then.name, new)]);
        origins.insert(Origin::LocalChange);
    }
    // What was handed out is from outside only if nothing was set here besides.
    let origin = origins.first().copied()?;
    Some(Finding::new(FindingCode::SettingsNetwork, Subject::Link(then.name.clone()), origin).because(lines))
}

/// Gateways of default routes through this interface, when all of one family were replaced. One that is missing is a disconnection, one more is
/// a way out.
fn gateways(was: &Baseline, now: &Baseline, link: &IfName) -> Option<(Vec<IpAddr>, Vec<IpAddr>)> {
    let through = |gateways: &[KnownGateway], v4: bool| -> Vec<IpAddr> {
        let own = gateways.iter().filter(|gateway| gateway.device.as_ref() == Some(link));
        own.filter_map(|gateway| gateway.address).filter(|ip| ip.is_ipv4() == v4).collect()
    };
    [true, false].into_iter().find_map(|v4| {
        let (old, new) = (through(&was.gateways, v4), through(&now.gateways, v4));
        let replaced = !old.is_empty() && !new.is_empty() && !old.iter().any(|ip| new.contains(ip));
        replaced.then_some((old, new))
    })
}

fn new_prefixes<'a>(was: &'a Baseline, link: &'a IfName, around: &'a Around) -> impl Iterator<Item = &'a Address> {
    let here = around.addresses.iter().filter(move |address| address.link == *link && address.usable() && address.net.addr().is_ipv4());
    let shared = here.filter(|address| address.net.prefix_len() < 32);
    shared.filter(move |address| !was.prefixes.on_link.contains(&address.net.trunc()))
}

/// The hardware address of a card, when another was set over its own. Cards that belong to a bond or bridge get one in passing, and wireless
/// ones are given new ones by the system itself while they look for networks.
fn hand_set_mac(now: &Baseline, then: &Interface, link: &Link) -> Option<(String, String)> {
    let current = now.interfaces.iter().find(|interface| interface.name == then.name)?;
    let set = then.mac_origin == MacOrigin::Permanent
        && current.mac_origin == MacOrigin::Set
        && link.master.is_none()
        && link.kind != LinkKind::Wifi;
    let (old, new) = (then.mac.clone()?, current.mac.clone()?);
    (set && old != new).then_some((old, new))
}

#[cfg(test)]
mod tests;
