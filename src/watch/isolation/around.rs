//! Whom the kernel would lead to the world outside, and by which way: read, and nothing is sent.

use super::observed::{has_a_part, speaks};
use super::proof::Path;
use super::proxies::{Known, Lead};
use super::topology::{Normal, is_by_design, is_enrolled_link, is_enrolled_way, is_public};
use crate::baseline::Interface;
use crate::config::{Access, Config, IsolationMode};
use crate::model::{IfName, Link, LinkKind, Outcome, RouteKind};
use crate::sys::netlink::{Netlink, Ways};
use crate::sys::resolv::{self, Places};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// What must not change while something is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// Anchors and controls that may be asked, and the ways there.
    pub paths: BTreeMap<SocketAddr, Path>,
    /// Of their interfaces: has a signal, and how often it came or went.
    pub carriers: BTreeMap<IfName, (bool, u32)>,
    /// Name servers that may be asked.
    pub resolvers: BTreeMap<IpAddr, Path>,
    /// Proxies that may be asked, and where they are written down.
    pub proxies: BTreeMap<SocketAddr, Known>,
    /// Settings that have to be followed to a proxy.
    pub leads: BTreeSet<Lead>,
}

impl Surroundings {
    /// Nobody may be asked.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.resolvers.is_empty() && self.proxies.is_empty() && self.leads.is_empty()
    }
}

/// What the settings of this PC say of proxies, and whom its programs talk to.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Proxies with an address.
    pub proxies: BTreeMap<SocketAddr, Known>,
    /// Settings that have to be followed.
    pub leads: BTreeSet<Lead>,
    /// The other ends of connections.
    pub peers: BTreeSet<SocketAddr>,
}

/// The ways that the kernel chooses to whom may be asked, and the signals of their interfaces.
pub async fn surroundings(around: Around<'_>, told: &Told) -> Surroundings {
    let config = around.normal.config;
    let settings = &config.isolation;
    let mut found = Surroundings::default();
    if settings.mode == IsolationMode::Off {
        return found;
    }
    let canary = settings.canary.iter().map(|canary| canary.address);
    for at in settings.anchors.iter().map(|anchor| anchor.address).chain(settings.controls.iter().copied()).chain(canary) {
        if let Some(path) = around.path(at.ip()).await.filter(|path| !around.is_inside(at.ip()) && !around.is_by_design(path)) {
            found.paths.insert(at, path);
        }
    }
    for resolver in resolvers(config) {
        let path = if resolver.is_loopback() { Some(on_this_pc(resolver)) } else { around.path(resolver).await };
        // A forwarder on this PC leads where all leads.
        let by_design = |path: &Path| around.is_by_design(path) || (resolver.is_loopback() && is_by_design(config.network.access));
        if let Some(path) = path.filter(|path| !by_design(path)) {
            found.resolvers.insert(resolver, path);
        }
    }
    for (proxy, known) in &told.proxies {
        if proxy.ip().is_loopback() || around.path(proxy.ip()).await.is_some() {
            found.proxies.insert(*proxy, known.clone());
        }
    }
    found.leads.clone_from(&told.leads);
    let of = |path: &Path| around.ways.links.iter().find(|link| link.name == path.device);
    let carriers = found.paths.values().filter_map(of).map(|link| (link.name.clone(), (link.carrier, link.carrier_changes)));
    found.carriers = carriers.collect();
    found
}

/// Of those whom programs talk to: who may be a proxy inside.
pub async fn may_be_proxies(around: Around<'_>, told: &Told) -> BTreeSet<SocketAddr> {
    let Normal { baseline, config } = around.normal;
    let mut found = BTreeSet::new();
    if config.isolation.mode == IsolationMode::Off {
        return found;
    }
    for peer in told.peers.iter().filter(|peer| speaks(peer.port()).is_some()) {
        let ip = peer.ip();
        let near = !ip.is_loopback() && !has_a_part(ip, config, baseline) && (!is_public(&ip.into()) || around.is_inside(ip));
        if near && around.path(ip).await.is_some() {
            found.insert(*peer);
        }
    }
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
pub struct Around<'a> {
    /// Asked for ways.
    pub netlink: &'a Netlink,
    /// All that there are.
    pub ways: &'a Ways,
    /// Those of `ways.links`.
    pub interfaces: &'a [Interface],
    /// What is explained.
    pub normal: Normal<'a>,
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
        is_inside(ip, self.normal)
    }

    /// What this way leads to is known from enrolment, and leads over the internet by design.
    fn is_by_design(self, path: &Path) -> bool {
        let access = self.normal.config.network.access;
        let tunnel = || self.normal.config.vpns.iter().any(|vpn| vpn.interface.matches(path.device.as_str()));
        let known = is_by_design(access) && is_enrolled_way(&path.device, path.gateway, self.interfaces, self.normal);
        known && (access == Access::Unknown || !tunnel())
    }
}

/// Inside by enrolment or configuration.
pub fn is_inside(ip: IpAddr, normal: Normal<'_>) -> bool {
    inside(normal).any(|net| net.contains(&ip))
}

/// What is inside by enrolment or configuration.
pub fn inside(normal: Normal<'_>) -> impl Iterator<Item = &IpNet> {
    normal.baseline.prefixes.allowed.iter().chain(&normal.config.network.allowed_prefixes)
}

/// Others hear what is asked for on it.
fn is_shared(link: &Link) -> bool {
    !matches!(link.kind, LinkKind::Tun | LinkKind::Wireguard | LinkKind::Ppp)
}
