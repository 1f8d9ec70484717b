//! Ways outward that were not there at enrolment. Pure.
//!
//! * A way is a route that leads to public addresses, in whatever table, or a link that can only be one (a card, a tunnel, a dial-up). That a
//!   default route exists means nothing: only what the baseline and the configuration do not explain is told.
//! * All ways through one interface are one deviation. Its lines change only when the ways do: ten thousand routes through one next hop are
//!   one line.
//! * What a bridge or a container makes (a pair of virtual cards, a bridge) is a way only when a route leads outward through it.

use crate::baseline::{Baseline, Interface, MacOrigin, is_wide};
use crate::config::{Access, Config};
use crate::model::{Evidence, IfName, Link, LinkKind, Route, RouteKind};
use crate::sys::netlink::{ToldBy, Ways};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::LazyLock;

/// The main table.
const MAIN: u32 = 254;
/// Destinations named of one next hop: the two halves of everything are two.
const MOST_NAMED: usize = 2;
/// Lines of one interface.
const MOST_LINES: usize = 8;

/// What was normal, and what is configured.
#[derive(Debug, Clone, Copy)]
pub struct Normal<'a> {
    /// At enrolment.
    pub baseline: &'a Baseline,
    /// By configuration.
    pub config: &'a Config,
}

/// A way that nothing explains.
#[derive(Debug, Clone, PartialEq)]
pub struct Deviation {
    /// The interface it leads through.
    pub link: IfName,
    /// The network's side set it, on a link that is enrolled: nothing was changed at this PC.
    pub upstream: bool,
    /// What was seen.
    pub lines: Vec<Evidence>,
}

/// Prefixes that never lead to the internet: private, of the segment, of many, reserved.
static INSIDE: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let v4 = ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"];
    let reserved = ["192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"];
    let v6 = ["::/127", "2001:db8::/32", "fc00::/7", "fe80::/10", "ff00::/8"];
    v4.iter().chain(&reserved).chain(&v6).filter_map(|net| net.parse().ok()).collect()
});

/// Whether some of it lies on the internet.
pub fn is_public(net: &IpNet) -> bool {
    !INSIDE.iter().any(|inside| inside.contains(net))
}

/// The one of the baseline that this interface is, perhaps under another name or in another port.
fn enrolled<'a>(now: &Interface, baseline: &'a Baseline) -> Option<&'a Interface> {
    let own = |i: &Interface| i.mac.clone().filter(|_| i.mac_origin == MacOrigin::Permanent);
    let exchanged = |then: &Interface| matches!((own(then), own(now)), (Some(a), Some(b)) if a != b);
    let by_place = |then: &&Interface| then.device == now.device && !exchanged(then);
    let by_card = |then: &&Interface| own(then).is_some() && own(then) == own(now);
    let by_name = |then: &&Interface| then.name == now.name && (now.device.is_none() || !is_hardware(then));
    let all = &baseline.interfaces;
    if is_hardware(now) { all.iter().find(by_place).or_else(|| all.iter().find(by_card)) } else { all.iter().find(by_name) }
}

/// A card, as far as the system says.
fn is_hardware(interface: &Interface) -> bool {
    interface.device.as_ref().is_some_and(|device| !device.starts_with("virtual"))
}

/// A way may lead outward through any link of these; the others are parts of something.
fn is_a_way_by_itself(link: &Link, interface: &Interface) -> bool {
    let free = link.master.is_none();
    match &link.kind {
        LinkKind::Loopback | LinkKind::Bridge => false,
        LinkKind::Wifi => true,
        LinkKind::Tun | LinkKind::Wireguard | LinkKind::Ppp => free && link.up,
        LinkKind::Ethernet => free && is_hardware(interface),
        LinkKind::Other(kind) => {
            let tunnel = ["gre", "gretap", "ip6gre", "ipip", "ip6tnl", "sit", "vti", "vti6", "xfrm", "wwan", "rawip", "none"];
            free && (is_hardware(interface) || (link.up && tunnel.contains(&kind.as_str())))
        }
    }
}

/// The interface of a configured VPN, or one that a program held at enrolment.
fn of_a_vpn(name: &IfName, normal: Normal<'_>) -> bool {
    let configured = normal.config.vpns.iter().any(|vpn| vpn.interface.matches(name.as_str()));
    configured || normal.baseline.owners.get().into_iter().flatten().any(|owner| owner.interface == *name)
}

/// Whether packets to public addresses that take this way take the one that was enrolled.
pub fn is_enrolled_way(device: &IfName, gateway: Option<IpAddr>, interfaces: &[Interface], normal: Normal<'_>) -> bool {
    if of_a_vpn(device, normal) {
        return true;
    }
    let Some(known) = interfaces.iter().find(|i| i.name == *device).and_then(|i| enrolled(i, normal.baseline)) else {
        return false;
    };
    // A dial-up gets another peer with each call, and so does a line of broadband; the interface is the way there.
    let by_link = is_by_design(normal.config.network.access) || device.as_str().starts_with("ppp");
    let same = |then: &crate::baseline::KnownGateway| {
        then.device.as_ref().is_none_or(|of| *of == known.name) && (by_link || then.address == gateway)
    };
    normal.baseline.gateways.iter().any(same)
}

/// Whether this interface is one of the baseline.
pub fn is_enrolled_link(device: &IfName, interfaces: &[Interface], normal: Normal<'_>) -> bool {
    interfaces.iter().any(|now| now.name == *device && enrolled(now, normal.baseline).is_some())
}

/// With this access an outer path exists by design.
pub fn is_by_design(access: Access) -> bool {
    match access {
        Access::VpnOverInternet | Access::Unknown => true,
        Access::LeasedLine | Access::VpnBox | Access::FrontEnd => false,
    }
}

/// All deviations, one an interface, by name. `interfaces` are those of `ways.links`.
pub fn deviations(ways: &Ways, interfaces: &[Interface], normal: Normal<'_>) -> Vec<Deviation> {
    let mut found: BTreeMap<&IfName, Deviation> = BTreeMap::new();
    // Something was done at this PC. What follows from an address says nothing of who gave it.
    let mut done_here: BTreeSet<&IfName> = BTreeSet::new();
    let at = |link: &IfName| Deviation { link: link.clone(), upstream: false, lines: Vec::new() };
    for (link, interface) in ways.links.iter().filter_map(|link| Some((link, interfaces.iter().find(|i| i.name == link.name)?))) {
        let new = enrolled(interface, normal.baseline).is_none() && !of_a_vpn(&link.name, normal);
        if new && is_a_way_by_itself(link, interface) {
            let deviation = found.entry(&link.name).or_insert_with(|| at(&link.name));
            done_here.insert(&link.name);
            deviation.lines.push(line("uplink.link", link.name.to_string(), described(link, interface)));
        }
    }
    for (hop, destinations) in outward(ways, interfaces, normal) {
        let deviation = found.entry(hop.device).or_insert_with(|| at(hop.device));
        deviation.upstream |= matches!(hop.told, ToldBy::Dhcp | ToldBy::Router);
        if hop.told == ToldBy::ThisPc || !is_enrolled_link(hop.device, interfaces, normal) {
            done_here.insert(hop.device);
        }
        if deviation.lines.len() < MOST_LINES {
            deviation.lines.extend(hop.lines(&destinations, ways));
        }
    }
    let judged = |deviation: Deviation| Deviation { upstream: deviation.upstream && !done_here.contains(&deviation.link), ..deviation };
    found.into_values().map(judged).collect()
}

/// A next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Hop<'a> {
    device: &'a IfName,
    table: u32,
    gateway: Option<IpAddr>,
    v6: bool,
    told: ToldBy,
}

impl Hop<'_> {
    fn lines(&self, destinations: &BTreeSet<(u8, IpNet)>, ways: &Ways) -> Vec<Evidence> {
        let widest = destinations.first().map(|(length, _)| *length);
        let named = destinations.iter().filter(|(length, _)| Some(*length) == widest).take(MOST_NAMED);
        let named = named.map(|(_, net)| net.to_string()).collect::<Vec<_>>().join(", ");
        let mut lines = vec![line("uplink.route", named, way(self.device, self.gateway, self.table))];
        let vrf = ways.links.iter().any(|link| link.kind == LinkKind::Other("vrf".to_owned()));
        if self.table != MAIN && !vrf && !ways.ruled.contains(&self.table) {
            lines.push(line("uplink.rule", format!("table {}", self.table), "none".to_owned()));
        }
        let told = match self.told {
            ToldBy::Kernel | ToldBy::ThisPc => return lines,
            ToldBy::Dhcp => "address server",
            ToldBy::Router => "router advertisement",
        };
        lines.push(line("uplink.told-by", self.device.to_string(), told.to_owned()));
        lines
    }
}

/// Next hops of routes to public addresses that nothing explains, with the destinations by width.
fn outward<'a>(ways: &'a Ways, interfaces: &[Interface], normal: Normal<'_>) -> BTreeMap<Hop<'a>, BTreeSet<(u8, IpNet)>> {
    let mut found: BTreeMap<Hop<'a>, BTreeSet<(u8, IpNet)>> = BTreeMap::new();
    for (route, told) in &ways.routes {
        let Some(device) = route.device.as_ref().filter(|_| leads_outward(route, normal)) else { continue };
        if !is_enrolled_way(device, route.gateway, interfaces, normal) {
            let hop =
                Hop { device, table: route.table, gateway: route.gateway, v6: matches!(route.destination, IpNet::V6(_)), told: *told };
            found.entry(hop).or_default().insert((route.destination.prefix_len(), route.destination));
        }
    }
    found
}

/// To public addresses that are not inside by enrolment or configuration.
fn leads_outward(route: &Route, normal: Normal<'_>) -> bool {
    let net = &route.destination;
    let prefixes = &normal.baseline.prefixes;
    let mut inside = prefixes.allowed.iter().chain(&prefixes.on_link).chain(&normal.config.network.allowed_prefixes);
    let a_server = || {
        let servers = normal.config.vpns.iter().filter_map(|vpn| vpn.server.as_ref()?.address());
        net.prefix_len() == net.max_prefix_len() && servers.into_iter().any(|ip| ip == net.addr())
    };
    route.kind == RouteKind::Unicast && is_public(net) && (is_wide(net) || !inside.any(|inside| inside.contains(net))) && !a_server()
}

/// A way in the words of evidence: `via 10.9.0.1 dev up0 table 100`; the main table goes without saying.
pub fn way(device: &IfName, gateway: Option<IpAddr>, table: u32) -> String {
    let via = gateway.map(|ip| format!("via {ip} ")).unwrap_or_default();
    let table = if table == MAIN { String::new() } else { format!(" table {table}") };
    format!("{via}dev {device}{table}")
}

fn described(link: &Link, interface: &Interface) -> String {
    let kind = match &link.kind {
        LinkKind::Tun => "tunnel".to_owned(),
        LinkKind::Wireguard => "wireguard".to_owned(),
        LinkKind::Ppp => "dial-up".to_owned(),
        LinkKind::Wifi => "wireless".to_owned(),
        LinkKind::Other(kind) => kind.clone(),
        LinkKind::Ethernet | LinkKind::Loopback | LinkKind::Bridge => "card".to_owned(),
    };
    // One that is drawn at random is drawn anew time and again.
    let lasting = is_hardware(interface) && matches!(interface.mac_origin, MacOrigin::Permanent | MacOrigin::Unknown);
    let parts = [Some(kind), interface.driver.clone(), interface.mac.clone().filter(|_| lasting)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A line of proof, told once.
pub fn line(k: &str, target: String, result: String) -> Evidence {
    Evidence { k: k.to_owned(), target, result, ms: None, n: 1, boot_ms: None }
}

#[cfg(test)]
#[path = "topology_tests.rs"]
pub(super) mod tests;
