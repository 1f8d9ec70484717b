//! The terminal's own state: links, addresses, routes, resolvers. One kernel dump, nothing on the wire.

use crate::baseline::Enrolment;
use crate::config::{Config, VpnKind};
use crate::model::{Address, IfName, LinkKind, Outcome, Sighting};
use crate::sys::arp;
use crate::sys::dialup;
use crate::sys::netlink::Snapshot;
use crate::sys::resolv::{self, Places};
use crate::sys::sources;
use futures_util::future::join_all;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// The sightings in a snapshot, and the resolvers beside it.
pub fn local(snapshot: &Snapshot) -> Vec<Sighting> {
    vec![
        Sighting::Links(snapshot.links.clone()),
        Sighting::Addresses(snapshot.addresses.clone()),
        Sighting::Routes(snapshot.routes.clone()),
        Sighting::Resolvers(resolv::resolvers(&Places::default())),
    ]
}

/// What this PC does not show of itself, as far as the configuration needs it.
pub fn withheld(config: &Config) -> Vec<Sighting> {
    let logs: Vec<&Path> = config.vpns.iter().filter_map(|vpn| vpn.log.as_deref()).collect();
    let units = config.vpns.iter().any(|vpn| vpn.unit.is_some());
    let missing = sources::missing_of(Path::new("/"), !config.vpns.is_empty(), units, &logs);
    missing.into_iter().map(|(source, why)| Sighting::Source(source, Outcome::Unknown(why))).collect()
}

/// What speaks for a line that this PC dials up by itself: looked for where it has no address that packets could leave with, and no
/// baseline that would tell.
pub fn dial_up(snapshot: &Snapshot, config: &Config, enrolment: &Enrolment) -> Option<Sighting> {
    let tunnel = |name: &IfName| config.vpns.iter().any(|vpn| vpn.interface.matches(name.as_str()));
    let addressed = snapshot.addresses.ok()?.iter().any(|address| address.usable() && !tunnel(&address.link));
    let programs = !config.vpns.iter().any(|vpn| vpn.kind == VpnKind::L2tp);
    (!addressed && enrolment.baseline().is_none()).then(|| Sighting::DialUp(dialup::traces(Path::new("/"), programs)))
}

/// Asks every Ethernet segment whether another station answers for our own IPv4 address there, and gives the addresses with what was
/// learnt. Nobody answering takes the whole `timeout`, so a short one serves: a station that holds the address answers in a millisecond.
/// Without `CAP_NET_RAW` nothing is learnt and nothing claimed.
pub async fn conflicts(snapshot: &Snapshot, timeout: Duration) -> Sighting {
    let Outcome::Ok(addresses) = &snapshot.addresses else { return Sighting::Addresses(snapshot.addresses.clone()) };
    Sighting::Addresses(Outcome::Ok(join_all(addresses.iter().map(|address| asked(snapshot, address, timeout))).await))
}

async fn asked(snapshot: &Snapshot, address: &Address, timeout: Duration) -> Address {
    let link = snapshot.links.ok().and_then(|links| links.iter().find(|link| link.name == address.link));
    let on_segment = link.is_some_and(|link| link.carrier && matches!(link.kind, LinkKind::Ethernet | LinkKind::Wifi | LinkKind::Bridge));
    let mut address = address.clone();
    if let IpAddr::V4(own) = address.net.addr()
        && on_segment
        && address.usable()
    {
        // With two cards on one segment the other answers for us as well.
        let is_ours = |mac: &String| snapshot.links.ok().is_some_and(|links| links.iter().any(|link| link.mac.as_ref() == Some(mac)));
        address.duplicate = matches!(arp::conflict(&address.link, own, timeout).await, Outcome::Ok(Some(mac)) if !is_ours(&mac));
    }
    address
}
