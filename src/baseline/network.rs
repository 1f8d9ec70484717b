//! The network part: interfaces joined with what sysfs says of them, gateways, prefixes.

use super::files::Root;
use super::{Interface, KnownGateway, MacOrigin, Prefixes};
use crate::model::{Address, IfName, Link, LinkKind, Route, RouteKind};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// A route this wide says nothing about what is inside: it is as good as a default route. IPv4 below /8, IPv6 below /8.
const WIDE: u8 = 8;

pub(super) fn interfaces(root: Root<'_>, links: &[Link]) -> Vec<Interface> {
    let mut found: Vec<Interface> = links.iter().filter(|link| link.kind != LinkKind::Loopback).map(|link| interface(root, link)).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// These links with what the system says of them now.
pub fn interfaces_now(links: &[Link]) -> Vec<Interface> {
    interfaces(Root(std::path::Path::new("/")), links)
}

fn interface(root: Root<'_>, link: &Link) -> Interface {
    let name = link.name.as_str();
    // A name is a file name here; the kernel allows neither of these, a replayed observation might.
    let speed_mbps = link.speed_mbps.filter(|_| link.kind == LinkKind::Ethernet && link.carrier);
    if name.contains('/') || name == "." || name == ".." {
        let (device, driver, mac_origin) = (None, None, MacOrigin::Unknown);
        return Interface { name: link.name.clone(), device, driver, mac: link.mac.clone(), mac_origin, speed_mbps };
    }
    let entry = format!("/sys/class/net/{name}");
    let mac_origin = match root.word(&format!("{entry}/addr_assign_type")).as_deref() {
        Some("0") => MacOrigin::Permanent,
        Some("1") => MacOrigin::Random,
        Some("2") => MacOrigin::Inherited,
        Some("3") => MacOrigin::Set,
        _ => MacOrigin::Unknown,
    };
    Interface {
        name: link.name.clone(),
        device: device(root, &entry, name),
        driver: root.link_name(&format!("{entry}/device/driver")),
        mac: link.mac.clone(),
        mac_origin,
        speed_mbps,
    }
}

/// The path below `/sys/devices`, without the interface's own name: it stays when the interface is renamed.
fn device(root: Root<'_>, entry: &str, name: &str) -> Option<String> {
    let devices = std::fs::canonicalize(root.at("/sys/devices")).ok()?;
    let path = std::fs::canonicalize(root.at(entry)).ok()?;
    let below = path.strip_prefix(devices).ok()?.to_string_lossy().into_owned();
    Some(below.strip_suffix(&format!("/net/{name}")).unwrap_or(&below).to_owned())
}

/// Gateways of default routes in every table, the preferred first. What is known of hardware addresses comes from the probes, else
/// from the kernel's ARP table.
pub(super) fn gateways(defaults: &[&Route], macs: &BTreeMap<IpAddr, String>) -> Vec<KnownGateway> {
    let mut found: Vec<KnownGateway> = Vec::new();
    for route in defaults {
        let mac = route.gateway.and_then(|ip| macs.get(&ip).cloned());
        let gateway = KnownGateway { address: route.gateway, device: route.device.clone(), mac };
        if !found.contains(&gateway) {
            found.push(gateway);
        }
    }
    found
}

/// Complete entries of `/proc/net/arp`: address and hardware address.
pub(super) fn arp_table(text: &str) -> BTreeMap<IpAddr, String> {
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        let (ip, flags, mac) = (words.next()?, words.nth(1)?, words.next()?);
        let complete = u32::from_str_radix(flags.strip_prefix("0x")?, 16).ok()? & 0x2 != 0;
        if complete { Some((ip.parse().ok()?, mac.to_ascii_lowercase())) } else { None }
    };
    text.lines().skip(1).filter_map(entry).collect()
}

pub(super) fn prefixes(configured: &[IpNet], addresses: &[Address], routes: &[Route]) -> Prefixes {
    // A prefix of one address (a tunnel's own) has nobody on it, and changes with every connection.
    let shared = |net: &IpNet| net.prefix_len() < net.max_prefix_len();
    let usable = addresses.iter().filter(|address| address.usable());
    let on_link: BTreeSet<IpNet> = usable.map(|address| address.net.trunc()).filter(shared).collect();
    let allowed = if configured.is_empty() {
        let known = routes.iter().filter(|route| route.kind == RouteKind::Unicast && !is_wide(&route.destination));
        let local = |net: &IpNet| matches!(net, IpNet::V6(v6) if v6.addr().is_unicast_link_local() || v6.addr().is_multicast());
        known.map(|route| route.destination.trunc()).chain(on_link.iter().copied()).filter(|net| !local(net)).collect()
    } else {
        configured.iter().copied().collect::<BTreeSet<_>>()
    };
    Prefixes { on_link: on_link.into_iter().collect(), allowed: IpNet::aggregate(&allowed.into_iter().collect()) }
}

/// A route that catches as much as a default route.
pub fn is_wide(net: &IpNet) -> bool {
    net.prefix_len() < WIDE
}

/// Names of interfaces, for telling.
pub(super) fn named(name: Option<&IfName>) -> String {
    name.map_or_else(|| "-".to_owned(), ToString::to_string)
}
