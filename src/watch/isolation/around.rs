//! Whom the kernel would lead to the world outside, and by which way: read, and nothing is sent.

use super::proof::Path;
use super::proxies;
use super::topology::{Normal, is_by_design, is_enrolled_link, is_enrolled_way, is_public};
use crate::baseline::Interface;
use crate::config::{Access, Config, IsolationMode};
use crate::model::{IfName, Link, LinkKind, Outcome, RouteKind};
use crate::sys::netlink::{Netlink, Ways};
use crate::sys::resolv::{self, Places};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// What must not change while something is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// Anchors and controls that may be asked, and the ways there.
    pub paths: BTreeMap<SocketAddr, Path>,
    /// Of their interfaces: has a signal, and how often it came or went.
    pub carriers: BTreeMap<IfName, (bool, u32)>,
    /// Name servers that may be asked.
    pub resolvers: BTreeMap<IpAddr, Path>,
    /// Proxies that may be asked, and where they are written down.
    pub proxies: BTreeMap<SocketAddr, String>,
}

impl Surroundings {
    /// Nobody may be asked.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.resolvers.is_empty() && self.proxies.is_empty()
    }
}

/// The ways that the kernel chooses to whom may be asked, and the signals of their interfaces.
pub async fn surroundings(netlink: &Netlink, ways: &Ways, interfaces: &[Interface], normal: Normal<'_>) -> Surroundings {
    let settings = &normal.config.isolation;
    let around = Around { netlink, ways, interfaces, normal };
    let mut found =
        Surroundings { paths: BTreeMap::new(), carriers: BTreeMap::new(), resolvers: BTreeMap::new(), proxies: BTreeMap::new() };
    if settings.mode == IsolationMode::Off {
        return found;
    }
    for at in settings.anchors.iter().map(|anchor| anchor.address).chain(settings.controls.iter().copied()) {
        if let Some(path) = around.path(at.ip()).await.filter(|path| !around.is_inside(at.ip()) && !around.is_by_design(path)) {
            found.paths.insert(at, path);
        }
    }
    for resolver in resolvers(normal.config) {
        let path = if resolver.is_loopback() { Some(on_this_pc(resolver)) } else { around.path(resolver).await };
        // A forwarder on this PC leads where all leads.
        let by_design = |path: &Path| around.is_by_design(path) || (resolver.is_loopback() && is_by_design(normal.config.network.access));
        if let Some(path) = path.filter(|path| !by_design(path)) {
            found.resolvers.insert(resolver, path);
        }
    }
    for (proxy, place) in proxies::configured() {
        if proxy.ip().is_loopback() || around.path(proxy.ip()).await.is_some() {
            found.proxies.insert(proxy, place);
        }
    }
    let of = |path: &Path| ways.links.iter().find(|link| link.name == path.device);
    let carriers = found.paths.values().filter_map(of).map(|link| (link.name.clone(), (link.carrier, link.carrier_changes)));
    found.carriers = carriers.collect();
    found
}

fn on_this_pc(ip: IpAddr) -> Path {
    Path { device: IfName::new("lo"), gateway: None, table: 255, v6: ip.is_ipv6() }
}

/// The configured name servers, else the system's.
fn resolvers(config: &Config) -> Vec<IpAddr> {
    if !config.dns.resolvers.is_empty() {
        return config.dns.resolvers.clone();
    }
    let Outcome::Ok(setup) = resolv::resolvers(&Places::default()) else { return Vec::new() };
    setup.servers
}

/// What stands around this PC at one moment.
#[derive(Clone, Copy)]
struct Around<'a> {
    netlink: &'a Netlink,
    ways: &'a Ways,
    interfaces: &'a [Interface],
    normal: Normal<'a>,
}

impl Around<'_> {
    /// The way to an address, where it may be taken: the kernel has a route, its interface a signal, and nobody hears what is not for him.
    async fn path(self, to: IpAddr) -> Option<Path> {
        let Outcome::Ok(route) = self.netlink.route_to(to).await else { return None };
        let device = route.device.filter(|_| route.kind == RouteKind::Unicast)?;
        let link = self.ways.links.iter().find(|link| link.name == device)?;
        // Without a next hop a network card asks for the address itself, by ARP, and everybody hears it.
        let on_link = route.gateway.is_none() && is_shared(link) && is_enrolled_link(&device, self.interfaces, self.normal);
        let shouts = on_link && is_public(&to.into()) && !self.is_inside(to);
        (link.carrier && !shouts).then_some(Path { device, gateway: route.gateway, table: route.table, v6: to.is_ipv6() })
    }

    /// Inside by enrolment or configuration.
    fn is_inside(self, ip: IpAddr) -> bool {
        let Normal { baseline, config } = self.normal;
        baseline.prefixes.allowed.iter().chain(&config.network.allowed_prefixes).any(|net| net.contains(&ip))
    }

    /// What this way leads to is known from enrolment, and leads over the internet by design.
    fn is_by_design(self, path: &Path) -> bool {
        let access = self.normal.config.network.access;
        let tunnel = || self.normal.config.vpns.iter().any(|vpn| vpn.interface.matches(path.device.as_str()));
        let known = is_by_design(access) && is_enrolled_way(&path.device, path.gateway, self.interfaces, self.normal);
        known && (access == Access::Unknown || !tunnel())
    }
}

/// Others hear what is asked for on it.
fn is_shared(link: &Link) -> bool {
    !matches!(link.kind, LinkKind::Tun | LinkKind::Wireguard | LinkKind::Ppp)
}
