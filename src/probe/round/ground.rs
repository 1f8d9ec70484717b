//! What all looks of a round share: what this PC is told, its own state when the round began, and the time that is left.

use super::ROUND;
use crate::baseline::Enrolment;
use crate::config::Config;
use crate::model::{IfName, LinkKind, Sighting};
use crate::probe::leave::Leave;
use crate::probe::local;
use crate::probe::stream::Wall;
use crate::sys::clock;
use crate::sys::netlink::{Netlink, Snapshot};
use crate::sys::resolv::Places;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What all looks of a round share.
pub(super) struct Ground {
    pub(super) config: Arc<Config>,
    pub(super) enrolment: Arc<Enrolment>,
    pub(super) netlink: Option<Netlink>,
    pub(super) snapshot: Snapshot,
    pub(super) places: Places,
    pub(super) resolvers: Vec<IpAddr>,
    pub(super) began: Instant,
    pub(super) wall: Wall,
    /// Who was asked: only their answers are listened for.
    pub(super) asked: RefCell<BTreeSet<IpAddr>>,
    pub(super) found: mpsc::Sender<Sighting>,
}

impl Ground {
    pub(super) async fn emit(&self, sighting: Sighting) {
        // The receiver outlives every look; when the round is over, nobody wants to know any more.
        let _ = self.found.send(sighting).await;
    }

    /// What one exchange may take from now on.
    pub(super) fn patience(&self) -> Duration {
        self.config.probe.timeout.min(self.left())
    }

    pub(super) fn leave(&self) -> Leave<'_> {
        Leave { config: &self.config, enrolment: &self.enrolment }
    }

    pub(super) fn left(&self) -> Duration {
        ROUND.saturating_sub(self.began.elapsed())
    }
}

/// The kernel's own state, which costs a few milliseconds and nothing on the wire.
pub(super) async fn begin(config: Arc<Config>, enrolment: Arc<Enrolment>, found: mpsc::Sender<Sighting>) -> (Ground, Vec<Sighting>) {
    let netlink = Netlink::open();
    let snapshot = match &netlink {
        Ok(netlink) => netlink.snapshot().await,
        Err(why) => Snapshot::unknown(why),
    };
    let mut first = local::local(&snapshot);
    first.extend(local::withheld(&config));
    first.extend(local::dial_up(&snapshot, &config, &enrolment));
    let servers = first.iter().find_map(|sighting| match sighting {
        Sighting::Resolvers(setup) => Some(setup.ok()?.servers.clone()),
        _ => None,
    });
    let ground = Ground {
        config,
        enrolment,
        netlink: netlink.ok(),
        snapshot,
        places: Places::default(),
        resolvers: servers.unwrap_or_default(),
        began: Instant::now(),
        wall: Wall::new(clock::wall()),
        asked: RefCell::default(),
        found,
    };
    (ground, first)
}

/// The largest packet that the card towards this address sends.
pub(super) async fn mtu_towards(ground: &Ground, ip: IpAddr) -> Option<u32> {
    let route = ground.netlink.as_ref()?.route_to(ip).await;
    let device = route.ok()?.device.as_ref()?;
    ground.snapshot.links.ok()?.iter().find(|link| link.name == *device).map(|link| link.mtu)
}

/// The system's resolvers, and those that the configuration names.
pub(super) fn asked_resolvers(ground: &Ground) -> BTreeSet<IpAddr> {
    ground.resolvers.iter().chain(&ground.config.dns.resolvers).copied().collect()
}

/// Addresses that are known before anything is looked up.
pub(super) fn known_hosts(ground: &Ground) -> Vec<IpAddr> {
    let config = &ground.config;
    let literal = config.centres.iter().filter_map(|centre| centre.host.parse().ok());
    let centres = config.centres.iter().flat_map(|centre| centre.addresses.iter().copied());
    let inside = config.vpns.iter().filter_map(|vpn| vpn.inside);
    let resolvers = asked_resolvers(ground).into_iter().filter(|ip| ground.leave().may_ask(*ip));
    literal.chain(centres).chain(inside).chain(resolvers).filter(|ip| !ip.is_loopback()).collect()
}

pub(super) fn default_gateways(ground: &Ground) -> Vec<(IfName, IpAddr)> {
    let defaults = ground.snapshot.routes.ok().map(|table| table.defaults()).unwrap_or_default();
    let hops = defaults.into_iter().filter_map(|route| Some((route.device.clone()?, route.gateway?)));
    hops.filter(|(device, _)| !is_tunnel(ground, device)).collect()
}

pub(super) fn is_tunnel(ground: &Ground, device: &IfName) -> bool {
    let kind = ground.snapshot.links.ok().and_then(|links| links.iter().find(|link| link.name == *device)).map(|link| &link.kind);
    matches!(kind, Some(LinkKind::Tun | LinkKind::Wireguard | LinkKind::Ppp))
        || ground.config.vpns.iter().any(|vpn| vpn.interface.matches(device.as_str()))
}
