//! The world as seen from one question: "can *this* centre be used?". A [`Way`] gathers, once, what every rule needs: through which
//! card and gateway packets leave, through which tunnel they go on, which addresses lie where, and who answered.

use super::World;
use super::evidence;
use super::life::{self, Sign};
use super::rules::{ports_dead, required_ports};
use super::uplink::{self, Uplink};
use crate::baseline::Enrolment;
use crate::config::{Centre, Config, Vpn};
use crate::model::{Address, Chain, Evidence, Failure, FailureKind, Gateway, HopAnswer, Link, Outcome, Sighting, Subject, VpnFacts};
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
        self.signs.iter().find(|sign| sign.who == ip && sign.error.is_none() && !sign.dropped)
    }

    /// The resolvers the system uses.
    pub fn resolvers(&self) -> &[IpAddr] {
        self.world.resolvers().and_then(Outcome::ok).map_or(&[], |setup| &setup.servers)
    }
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
    /// Routers that a packet of one hop reached.
    near: BTreeSet<IpAddr>,
    beyond: Option<&'a Sign>,
}

impl<'a> Way<'a> {
    fn new(scene: &'a Scene<'a>, centre: Option<&'a Centre>) -> Self {
        let vpn = centre.and_then(|c| c.via.as_ref()).and_then(|via| scene.config.vpns.iter().find(|vpn| &vpn.name == via));
        let targets = centre.map_or_else(Vec::new, |centre| targets(scene, centre));
        let known = centre.into_iter().flat_map(|c| c.addresses.iter().copied()).chain(targets.iter().copied());
        let mut way = Self {
            scene,
            centre,
            vpn,
            uplink: Uplink::default(),
            targets: targets.clone(),
            outer: Vec::new(),
            inner: Vec::new(),
            near: BTreeSet::new(),
            beyond: None,
        };
        let resolvers = scene.resolvers().iter().copied().filter(|ip| !ip.is_loopback());
        let device = |ip: &IpAddr| scene.route(*ip).and_then(|route| route.device.as_ref());
        match vpn {
            Some(vpn) => {
                way.outer = way.vpn_facts().map_or_else(Vec::new, |facts| facts.server.iter().map(SocketAddr::ip).collect());
                let through = |ip: &IpAddr| device(ip).is_some_and(|device| vpn.interface.matches(device.as_str()));
                way.inner = unique(vpn.inside.into_iter().chain(known).chain(resolvers).filter(through));
            }
            None => way.outer = unique(known.chain(resolvers).filter(|ip| device(ip).is_none_or(|device| !scene.is_inward(device)))),
        }
        way.uplink = uplink::of(&way);
        way.near = near(&way);
        way.beyond = beyond(&way);
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
        let link_local = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
        Some(ip) == self.uplink.gateway || link_local || self.is_on_segment(ip) || self.near.contains(&ip)
    }

    fn is_on_segment(&self, ip: IpAddr) -> bool {
        self.uplink.device.as_ref().is_some_and(|device| self.scene.world.addresses_of(device).any(|a| a.net.contains(&ip)))
    }

    /// A line lies between this PC and the far end: packets leave by a gateway, or by a point-to-point card.
    pub fn leads_beyond(&self) -> bool {
        let point_to_point = |ip: &IpAddr| !self.is_on_segment(*ip) && self.scene.uplink_to(*ip).as_ref() == Some(&self.uplink);
        self.uplink.gateway.is_some() || (self.uplink.device.is_some() && self.outer.iter().any(point_to_point))
    }

    /// Where the line must carry packets: to the VPN's server, or to the centre, or, while its address is not known, to whom would tell it.
    pub fn goals(&self) -> Vec<IpAddr> {
        let candidates = self.candidates();
        let known = self.outer.iter().copied().filter(|ip| self.vpn.is_some() || candidates.contains(ip)).collect::<Vec<_>>();
        if known.is_empty() { self.outer.clone() } else { known }
    }

    /// A sign of life from beyond the gateway, in answer to a packet that left as those of this way do.
    pub fn beyond_gateway(&self) -> Option<&'a Sign> {
        self.beyond
    }

    /// What settlement needs was asked for and did not come. Echoes and walks alone may keep silent on the best of lines.
    pub fn is_cut(&self) -> bool {
        let Some(centre) = self.centre else { return false };
        let world = self.scene.world;
        let unresolved = world.lookup(&centre.host).and_then(Outcome::failure).is_some_and(|failure| !failure.is_ours());
        let candidates = self.candidates();
        let dead = |port: u16| ports_dead(candidates.iter().filter_map(|ip| world.tcp(SocketAddr::new(*ip, port))));
        unresolved || required_ports(centre).into_iter().any(dead)
    }

    /// Every port that the centre must have was asked at every address it may have, and nobody there gave any sign.
    pub fn is_silent_everywhere(&self) -> bool {
        let ports = self.centre.map(required_ports).unwrap_or_default();
        let dead = |port: &u16| ports_dead(self.candidates().iter().filter_map(|ip| self.scene.world.tcp(SocketAddr::new(*ip, *port))));
        !ports.is_empty() && ports.iter().all(dead) && self.centre_alive().is_none()
    }

    /// A sign of life from within the tunnel.
    pub fn inside(&self) -> Option<&'a Sign> {
        self.scene.signs.iter().find(|sign| self.inner.contains(&sign.to) && !self.is_first_hop(sign.who))
    }

    /// A destination on the same side of the tunnel as this address answers, and not only a router on the way or the
    /// tunnel's own far end.
    pub fn neighbour_answers(&self, ip: IpAddr) -> bool {
        let Some(side) = [&self.inner, &self.outer].into_iter().find(|side| side.contains(&ip)) else { return false };
        let far_end = |who: IpAddr| self.vpn.is_some_and(|vpn| vpn.inside == Some(who));
        let near = |who: IpAddr| (self.uplink.gateway.is_some() && self.is_first_hop(who)) || far_end(who);
        self.scene
            .signs
            .iter()
            .any(|sign| sign.who == sign.to && sign.error.is_none() && !sign.dropped && side.contains(&sign.to) && !near(sign.who))
    }

    /// A sign of life from the centre itself.
    pub fn centre_alive(&self) -> Option<&'a Sign> {
        self.candidates().into_iter().find_map(|ip| self.scene.alive(ip))
    }

    /// Addresses beyond the gateway that were asked and of which nobody, not even a router on the way, said a word. What our own kernel
    /// refused to send says nothing here.
    pub fn silence(&self) -> Vec<Evidence> {
        let near = |ip: IpAddr| self.uplink.gateway.is_some() && self.is_first_hop(ip);
        self.unanswered(&self.outer.iter().copied().filter(|ip| !near(*ip) && !self.refused_here(*ip)).collect())
    }

    /// Addresses within the tunnel that were asked and kept silent.
    pub fn inner_silence(&self) -> Vec<Evidence> {
        self.unanswered(&self.inner.iter().copied().collect())
    }

    /// These addresses were asked and kept silent.
    pub fn unanswered(&self, asked: &BTreeSet<IpAddr>) -> Vec<Evidence> {
        let silent = |failure: Option<&Failure>| failure.is_some_and(|f| f.kind == FailureKind::Silence);
        let proof = self.scene.world.observations().filter_map(|o| match &o.sighting {
            Sighting::Ping(ip, outcome) if asked.contains(ip) && silent(outcome.failure()) => Some(evidence::ping(ip, outcome)),
            Sighting::Udp(at, outcome) if asked.contains(&at.ip()) && silent(outcome.failure()) => Some(evidence::udp(at, outcome)),
            Sighting::Tcp(at, outcome) if asked.contains(&at.ip()) && silent(outcome.failure()) => Some(evidence::tcp(at, outcome)),
            Sighting::Query(key, outcome) if asked.contains(&key.resolver) && silent(outcome.failure()) => {
                Some(evidence::query(format!("{} @{}", key.name, key.resolver), outcome))
            }
            _ => None,
        });
        proof.take(MOST_PROOF).collect()
    }

    /// Our own kernel refused to send there at least once. A filter says so to datagrams only: TCP behind it looks like silence.
    pub fn refused_here(&self, ip: IpAddr) -> bool {
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

fn near(way: &Way<'_>) -> BTreeSet<IpAddr> {
    let walks = way.scene.world.observations().filter_map(|o| match &o.sighting {
        Sighting::Walk(to, Outcome::Ok(hops)) if way.outer.contains(to) => Some(hops),
        _ => None,
    });
    let first = walks.flatten().filter_map(|hop| match hop.answer {
        HopAnswer::Router(ip) if hop.ttl == 1 => Some(ip),
        _ => None,
    });
    first.collect()
}

/// Whoever answers a packet that left by the same hop proves that hop and what lies behind it, whichever centre it was meant for. Without
/// a gateway (on the segment, or point to point) every answer comes from the other end.
fn beyond<'a>(way: &Way<'a>) -> Option<&'a Sign> {
    let scene = way.scene;
    let far = |sign: &&Sign| way.uplink.gateway.is_none() || !way.is_first_hop(sign.who);
    let ours = |sign: &&Sign| way.outer.contains(&sign.to) || scene.left_by(sign).as_ref() == Some(&way.uplink);
    let answers = || scene.signs.iter().filter(far);
    answers().find(|sign| way.outer.contains(&sign.to)).or_else(|| way.inside()).or_else(|| answers().find(ours))
}
