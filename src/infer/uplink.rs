//! By which card and next hop packets leave this PC: the kernel's own decision where it is known, the routing table where a probe does not
//! route as the kernel would (a tunnel's own packets), and the card that must have served where all routes are gone.

use super::life::Sign;
use super::scene::{Scene, Way};
use crate::model::{Address, IfName, Link, LinkKind, Outcome, Route, RouteKind, RouteTable};
use std::cmp::Reverse;
use std::net::IpAddr;

/// The routing table that everything without a rule of its own uses.
const MAIN_TABLE: u32 = 254;

/// The card and the next hop through which packets leave this PC.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Uplink {
    /// The card; `None` = this PC has none that could serve.
    pub device: Option<IfName>,
    /// The next hop; `None` = the destination is on the segment, or there is no route.
    pub gateway: Option<IpAddr>,
}

impl From<&Route> for Uplink {
    fn from(route: &Route) -> Self {
        Self { device: route.device.clone(), gateway: route.gateway }
    }
}

impl Scene<'_> {
    /// This interface belongs to a configured VPN.
    pub fn is_configured_tunnel(&self, device: &IfName) -> bool {
        self.config.vpns.iter().any(|vpn| vpn.interface.matches(device.as_str()))
    }

    /// Packets that leave here have not left this PC yet, or not outside a tunnel: a tunnel, configured or not, or a bridge of this PC's
    /// own (containers), by which no gateway is reached while one is by another card. PPP is the line itself where no VPN claims it (PPPoE).
    pub fn is_inward(&self, device: &IfName) -> bool {
        match self.world.link(device).map(|link| &link.kind) {
            _ if self.is_configured_tunnel(device) => true,
            Some(LinkKind::Loopback | LinkKind::Tun | LinkKind::Wireguard) => true,
            Some(LinkKind::Bridge) => {
                let table = self.world.routes().and_then(Outcome::ok);
                let mut led = table.into_iter().flat_map(|table| &table.routes).filter(|route| route.gateway.is_some()).peekable();
                led.peek().is_some() && led.all(|route| route.device.as_ref() != Some(device))
            }
            _ => false,
        }
    }

    fn defaults(&self) -> Vec<&Route> {
        self.world.routes().and_then(Outcome::ok).map_or_else(Vec::new, RouteTable::defaults)
    }

    /// The kernel's decision for this address, where it has one.
    pub fn route(&self, ip: IpAddr) -> Option<&Route> {
        self.world.route_to(ip).and_then(Outcome::ok)
    }

    /// By which card and next hop packets for this address leave this PC, those within a tunnel included: they leave with the tunnel's own.
    pub fn uplink_to(&self, ip: IpAddr) -> Option<Uplink> {
        let route = self.route(ip);
        let vpn = |device: &IfName| self.config.vpns.iter().find(|vpn| vpn.interface.matches(device.as_str()));
        match route.and_then(|route| Some((route, route.device.as_ref()?))) {
            Some((route, device)) if !self.is_inward(device) => Some(Uplink::from(route)),
            Some((_, device)) => {
                let server = self.world.vpn(&vpn(device)?.name)?.ok()?.server.first()?.ip();
                self.outward(server).map(Uplink::from)
            }
            None => self.outward(ip).map(Uplink::from),
        }
    }

    /// By which card and next hop the packet left that was answered by this sign.
    pub fn left_by(&self, sign: &Sign) -> Option<Uplink> {
        match &sign.on {
            Some(device) => Some(Uplink { device: Some(device.clone()), gateway: None }),
            None => self.uplink_to(sign.to),
        }
    }

    /// The table's best route to this address that leads outward: what carries a tunnel's own packets, which its mark or its host route
    /// keeps out of the tunnel.
    fn outward(&self, ip: IpAddr) -> Option<&Route> {
        let leads = |route: &&Route| {
            let outward = route.device.as_ref().is_some_and(|device| !self.is_inward(device));
            route.kind == RouteKind::Unicast && outward && route.destination.contains(&ip)
        };
        let table = self.world.routes()?.ok()?;
        table.routes.iter().filter(leads).min_by_key(|r| (Reverse(r.destination.prefix_len()), r.table != MAIN_TABLE, r.metric))
    }

    /// The hop was looked at and gave no sign.
    fn is_dead(&self, uplink: &Uplink) -> bool {
        let seen = || self.world.gateway(uplink.device.as_ref()?, uplink.gateway?)?.ok();
        seen().is_some_and(|gateway| !gateway.alive())
    }
}

/// Where packets of this way leave, even when the kernel has already forgotten the route (it drops routes when a card goes down). Where
/// several next hops serve (IPv4 and IPv6), a dead one is no obstacle while another lives.
pub fn of(way: &Way<'_>) -> Uplink {
    let scene = way.scene;
    let known: Vec<_> = way.goals().into_iter().filter_map(|ip| scene.uplink_to(ip)).collect();
    let serving = known.iter().find(|uplink| !scene.is_dead(uplink)).or(known.first());
    let outward = |route: &&&Route| route.device.as_ref().is_some_and(|device| !scene.is_inward(device));
    let point_to_point = |route: &&&Route| {
        let link = route.device.as_ref().and_then(|device| scene.world.link(device));
        link.is_some_and(|link| link.kind == LinkKind::Ppp)
    };
    let defaults = scene.defaults();
    // A pattern such as `ppp*` claims the PPPoE line as well as the tunnel on it.
    let default = || defaults.iter().find(outward).or_else(|| defaults.iter().find(point_to_point)).map(|route| Uplink::from(*route));
    // A name server on the segment is not where the centre is.
    let whole = serving.filter(|uplink| uplink.gateway.is_some() || way.vpn.is_some() || !way.candidates().is_empty());
    whole.cloned().or_else(default).or_else(|| serving.cloned()).unwrap_or_else(|| Uplink { device: likely_card(scene), gateway: None })
}

/// The card that served before its route was lost: the enrolled one, else the one with an address or traffic, alone or in a bridge or bond.
fn likely_card(scene: &Scene<'_>) -> Option<IfName> {
    let links = scene.world.links()?.ok()?;
    let has_address = |link: &Link| scene.world.addresses_of(&link.name).any(Address::usable);
    let has_ports = |link: &Link| links.iter().any(|port| port.master == Some(link.index));
    let rank = |link: &&Link| match &link.kind {
        LinkKind::Ethernet | LinkKind::Wifi if link.master.is_some() => None,
        LinkKind::Ethernet | LinkKind::Wifi => Some(if has_address(link) || link.carrier || link.rx_bytes > 0 { 2 } else { 0 }),
        LinkKind::Bridge | LinkKind::Other(_) => has_ports(link).then_some(1),
        LinkKind::Loopback | LinkKind::Tun | LinkKind::Wireguard | LinkKind::Ppp => None,
    };
    let gateways = scene.enrolment.baseline().map_or(&[][..], |baseline| &baseline.gateways);
    let served = || links.iter().filter_map(|link| Some((rank(&link)?, link)));
    let enrolled = gateways.iter().find_map(|gateway| served().find(|(_, link)| Some(&link.name) == gateway.device.as_ref()));
    let best = || served().max_by_key(|(rank, link)| (*rank, has_address(link), link.rx_bytes > 0, link.up, Reverse(link.index)));
    enrolled.or_else(best).map(|(_, link)| link.name.clone())
}
