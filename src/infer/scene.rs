//! The world as seen from one question: "can *this* centre be used?". A [`Way`] gathers, once, what every rule needs: through which
//! card and gateway packets leave, through which tunnel they go on, which addresses lie where, and who answered.

use super::World;
use super::evidence;
use super::life::{self, Sign};
use crate::baseline::Enrolment;
use crate::config::{Centre, Config, Vpn};
use crate::model::{
    Address, Chain, Evidence, Failure, FailureKind, Gateway, Hop, HopAnswer, IfName, Link, LinkKind, Outcome, Route, Sighting, Subject,
    VpnFacts,
};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Lines of proof of one kind that are worth showing.
const MOST_PROOF: usize = 4;

/// All that inference looks at. Holds no opinion.
pub struct Scene<'a> {
    /// What was seen.
    pub world: &'a World,
    /// What is to be expected.
    pub config: &'a Config,
    /// How it was when all was well.
    pub enrolment: &'a Enrolment,
    /// Who answered.
    pub signs: Vec<Sign>,
}

impl<'a> Scene<'a> {
    /// Prepares a scene.
    pub fn new(world: &'a World, config: &'a Config, enrolment: &'a Enrolment) -> Self {
        Self { world, config, enrolment, signs: life::signs(world) }
    }

    /// The ways to look at: one per centre, or one that ends at the gateway when none is configured.
    pub fn ways(&self) -> Vec<Way<'_>> {
        if self.config.centres.is_empty() {
            return vec![Way::new(self, None)];
        }
        self.config.centres.iter().map(|centre| Way::new(self, Some(centre))).collect()
    }

    /// A sign that this very address lives.
    pub fn alive(&self, ip: IpAddr) -> Option<&Sign> {
        self.signs.iter().find(|sign| sign.who == ip && sign.error.is_none())
    }

    /// This interface is a tunnel, configured or not.
    pub fn is_tunnel(&self, device: &IfName) -> bool {
        let kind = self.world.link(device).map(|link| &link.kind);
        matches!(kind, Some(LinkKind::Tun | LinkKind::Wireguard | LinkKind::Ppp)) || self.is_configured_tunnel(device)
    }

    /// This interface belongs to a configured VPN.
    pub fn is_configured_tunnel(&self, device: &IfName) -> bool {
        self.config.vpns.iter().any(|vpn| vpn.interface.matches(device.as_str()))
    }

    /// The resolvers the system uses.
    pub fn resolvers(&self) -> &[IpAddr] {
        self.world.resolvers().and_then(Outcome::ok).map_or(&[], |setup| &setup.servers)
    }
}

/// The card and the next hop through which packets leave this PC.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Uplink {
    /// The card; `None` = this PC has none that could serve.
    pub device: Option<IfName>,
    /// The next hop; `None` = the destination is on the segment, or there is no route.
    pub gateway: Option<IpAddr>,
}

/// The way to one centre.
pub struct Way<'a> {
    /// Everything else.
    pub scene: &'a Scene<'a>,
    /// Where it leads; `None` = no centre is configured, and only this PC's own part can be looked at.
    pub centre: Option<&'a Centre>,
    /// The tunnel in between.
    pub vpn: Option<&'a Vpn>,
    /// Through what it leaves.
    pub uplink: Uplink,
    /// The centre's addresses as applications use them.
    pub targets: Vec<IpAddr>,
    /// Addresses that must be reachable without the tunnel.
    pub outer: Vec<IpAddr>,
    /// Addresses that are reachable only through the tunnel; empty without one.
    pub inner: Vec<IpAddr>,
}

impl<'a> Way<'a> {
    fn new(scene: &'a Scene<'a>, centre: Option<&'a Centre>) -> Self {
        let vpn = centre.and_then(|c| c.via.as_ref()).and_then(|via| scene.config.vpns.iter().find(|vpn| &vpn.name == via));
        let targets = centre.map_or_else(Vec::new, |centre| targets(scene, centre));
        let known = centre.into_iter().flat_map(|c| c.addresses.iter().copied()).chain(targets.iter().copied());
        let mut way =
            Self { scene, centre, vpn, uplink: Uplink::default(), targets: targets.clone(), outer: Vec::new(), inner: Vec::new() };
        match vpn {
            Some(vpn) => {
                way.outer = way.vpn_facts().map_or_else(Vec::new, |facts| facts.server.iter().map(SocketAddr::ip).collect());
                let through =
                    |ip: &IpAddr| way.route(*ip).and_then(|r| r.device.as_ref()).is_some_and(|d| vpn.interface.matches(d.as_str()));
                way.inner = unique(vpn.inside.into_iter().chain(known).chain(scene.resolvers().iter().copied()).filter(through));
            }
            None => way.outer = unique(known.chain(scene.resolvers().iter().copied().filter(|ip| !ip.is_loopback()))),
        }
        way.uplink = uplink(&way);
        way
    }

    /// Its name in the path.
    pub fn chain(&self) -> Chain {
        self.centre.map_or(Chain::Local, |centre| Chain::Centre(centre.name.clone()))
    }

    /// What fails when this way is broken.
    pub fn consequence(&self) -> Vec<Subject> {
        self.centre.map(|centre| Subject::Centre(centre.name.clone())).into_iter().collect()
    }

    /// The kernel's decision for this address, where it has one.
    pub fn route(&self, ip: IpAddr) -> Option<&'a Route> {
        self.scene.world.route_to(ip).and_then(Outcome::ok)
    }

    /// The card in use.
    pub fn link(&self) -> Option<&'a Link> {
        self.scene.world.link(self.uplink.device.as_ref()?)
    }

    /// The usable addresses on the card in use.
    pub fn usable_addresses(&self) -> Vec<&Address> {
        self.uplink.device.as_ref().map_or_else(Vec::new, |device| self.scene.world.addresses_of(device).filter(|a| a.usable()).collect())
    }

    /// What was seen of the next hop.
    pub fn gateway(&self) -> Option<&'a Gateway> {
        self.scene.world.gateway(self.uplink.device.as_ref()?, self.uplink.gateway?).and_then(Outcome::ok)
    }

    /// What was seen of the tunnel.
    pub fn vpn_facts(&self) -> Option<&'a VpnFacts> {
        self.scene.world.vpn(&self.vpn?.name).and_then(Outcome::ok)
    }

    /// The gateway, by any of its names: routers speak IPv4 and IPv6, and refuse from whichever address suits them. What lies on our own
    /// segment, and what a packet of one hop reaches, is no further away than the gateway.
    pub fn is_first_hop(&self, ip: IpAddr) -> bool {
        let on_segment = || self.uplink.device.as_ref().is_some_and(|d| self.scene.world.addresses_of(d).any(|a| a.net.contains(&ip)));
        let expired_there = |hop: &Hop| hop.ttl == 1 && hop.answer == HopAnswer::Router(ip);
        let one_hop_away = || {
            self.scene.world.observations().any(|o| match &o.sighting {
                Sighting::Walk(to, Outcome::Ok(hops)) => self.outer.contains(to) && hops.iter().any(expired_there),
                _ => false,
            })
        };
        let link_local = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
        Some(ip) == self.uplink.gateway || link_local || on_segment() || one_hop_away()
    }

    /// A sign of life from beyond the gateway, in answer to a packet that takes this way.
    pub fn beyond_gateway(&self) -> Option<&Sign> {
        let far = |sign: &&Sign| self.outer.contains(&sign.to) && (sign.who == sign.to || !self.is_first_hop(sign.who));
        self.scene.signs.iter().find(far).or_else(|| self.inside())
    }

    /// A sign of life from within the tunnel.
    pub fn inside(&self) -> Option<&Sign> {
        self.scene.signs.iter().find(|sign| self.inner.contains(&sign.to) && !self.is_first_hop(sign.who))
    }

    /// A sign of life from the centre itself.
    pub fn centre_alive(&self) -> Option<&Sign> {
        self.candidates().into_iter().find_map(|ip| self.scene.alive(ip))
    }

    /// Addresses beyond the gateway that were asked and of which nobody, not even a router on the way, said a word. What our own kernel
    /// refused to send says nothing here.
    pub fn silence(&self) -> Vec<Evidence> {
        let silent = |failure: Option<&Failure>| failure.is_some_and(|f| f.kind == FailureKind::Silence);
        let asked = |ip: &IpAddr| self.outer.contains(ip) && !self.refused_here(*ip);
        let nobody = |hops: &Vec<Hop>| !hops.is_empty() && hops.iter().all(|hop| hop.answer == HopAnswer::Silence);
        let proof = self.scene.world.observations().filter_map(|o| match &o.sighting {
            Sighting::Ping(ip, outcome) if asked(ip) && silent(outcome.failure()) => Some(evidence::ping(ip, outcome)),
            Sighting::Tcp(at, outcome) if asked(&at.ip()) && silent(outcome.failure()) => Some(evidence::tcp(at, outcome)),
            Sighting::Walk(ip, Outcome::Ok(hops)) if asked(ip) && nobody(hops) => Some(evidence::state("path.walk", ip, "silence")),
            _ => None,
        });
        proof.take(MOST_PROOF).collect()
    }

    /// Our own kernel refused to send there at least once. A filter says so to datagrams only: TCP behind it looks like silence.
    fn refused_here(&self, ip: IpAddr) -> bool {
        fn refused<T>(outcome: &Outcome<T>) -> bool {
            matches!(outcome.failure().map(|f| &f.kind), Some(FailureKind::Local(_)))
        }
        let world = self.scene.world;
        let walked = world.walk(ip).and_then(Outcome::ok).is_some_and(|hops| hops.iter().any(|h| matches!(h.answer, HopAnswer::Local(_))));
        walked || world.ping(ip).is_some_and(refused) || world.queries(ip).any(|(_, outcome)| refused(outcome))
    }

    /// Every address the centre may have: in use, or configured.
    pub fn candidates(&self) -> Vec<IpAddr> {
        unique(self.targets.iter().copied().chain(self.centre.into_iter().flat_map(|c| c.addresses.iter().copied())))
    }
}

fn targets(scene: &Scene<'_>, centre: &Centre) -> Vec<IpAddr> {
    if let Ok(literal) = centre.host.parse() {
        return vec![literal];
    }
    scene.world.lookup(&centre.host).and_then(Outcome::ok).map_or_else(Vec::new, |found| found.addresses.clone())
}

fn unique(all: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut seen = BTreeSet::new();
    all.filter(|ip| seen.insert(*ip)).collect()
}

/// Where packets of this way leave, even when the kernel has already forgotten the route (it drops routes when a card goes down).
fn uplink(way: &Way<'_>) -> Uplink {
    let scene = way.scene;
    let outward = |route: &&Route| route.device.as_ref().is_some_and(|device| !scene.is_tunnel(device));
    let routed = way.outer.iter().filter_map(|ip| way.route(*ip)).find(outward);
    let default = || scene.world.routes().and_then(Outcome::ok).and_then(|table| table.defaults().into_iter().find(outward).cloned());
    if let Some(route) = routed.cloned().or_else(default) {
        return Uplink { device: route.device, gateway: route.gateway };
    }
    Uplink { device: likely_card(scene), gateway: None }
}

/// The card that served before its route was lost: the enrolled one, else the one with an address or traffic.
fn likely_card(scene: &Scene<'_>) -> Option<IfName> {
    let links = scene.world.links()?.ok()?;
    let physical = |link: &&Link| matches!(link.kind, LinkKind::Ethernet | LinkKind::Wifi) && link.master.is_none();
    let has_address = |link: &Link| scene.world.addresses_of(&link.name).any(Address::usable);
    let gateways = scene.enrolment.baseline().map_or(&[][..], |baseline| &baseline.gateways);
    let enrolled =
        gateways.iter().find_map(|gateway| links.iter().filter(physical).find(|link| Some(&link.name) == gateway.device.as_ref()));
    let served = links.iter().filter(physical);
    let best = served.max_by_key(|link| (has_address(link), link.rx_bytes > 0, link.up, std::cmp::Reverse(link.index)));
    enrolled.or(best).map(|link| link.name.clone())
}
