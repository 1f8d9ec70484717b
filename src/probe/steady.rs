//! Did this PC's own network stay as it was while somebody was asked? A cable that was plugged, an address that came or went: what was seen
//! before and after belongs to two different states, and accuses nobody. Pure.

use crate::model::{Address, IfName, Link, LinkKind, Route};
use crate::sys::netlink::Snapshot;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What answers hang on: the cards by which packets leave this PC, their addresses, the default routes by them. Containers and tunnels come
/// and go as they please.
#[derive(Debug, PartialEq, Eq)]
pub struct Ground {
    cards: BTreeSet<Card>,
    addresses: BTreeSet<(IfName, IpAddr)>,
    defaults: BTreeSet<(Option<IfName>, Option<IpAddr>)>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Card {
    name: IfName,
    index: u32,
    up: bool,
    carrier: bool,
    carrier_changes: u32,
}

/// The ground under a round that left by `cards`. `None` = the kernel did not tell all of it.
pub fn ground(snapshot: &Snapshot, cards: &BTreeSet<IfName>) -> Option<Ground> {
    let (links, addresses, routes) = (snapshot.links.ok()?, snapshot.addresses.ok()?, snapshot.routes.ok()?);
    let ours = |name: &IfName| cards.contains(name);
    let card = |link: &Link| Card {
        name: link.name.clone(),
        index: link.index,
        up: link.up,
        carrier: link.carrier,
        carrier_changes: link.carrier_changes,
    };
    let hop = |route: &&Route| (route.device.clone(), route.gateway);
    Some(Ground {
        cards: links.iter().filter(|link| ours(&link.name)).map(card).collect(),
        addresses: addresses.iter().filter(|a| a.usable() && ours(&a.link)).map(|a: &Address| (a.link.clone(), a.net.addr())).collect(),
        defaults: routes.defaults().iter().filter(|route| route.device.as_ref().is_some_and(ours)).map(hop).collect(),
    })
}

/// The cards by which packets can leave, in the beginning or in the end: those of the default routes and those that look-ups named, without
/// tunnels.
pub fn cards(seen: [&Snapshot; 2], looked_up: BTreeSet<IfName>, is_tunnel: impl Fn(&IfName) -> bool) -> BTreeSet<IfName> {
    let routes = seen.iter().filter_map(|snapshot| snapshot.routes.ok());
    let defaults = routes.flat_map(|table| table.defaults().into_iter().filter_map(|route| route.device.clone()).collect::<Vec<_>>());
    let links = || seen.iter().filter_map(|snapshot| snapshot.links.ok()).flatten();
    let stays = |link: &Link| matches!(link.kind, LinkKind::Loopback | LinkKind::Tun | LinkKind::Wireguard);
    let inward = |name: &IfName| is_tunnel(name) || links().any(|link| link.name == *name && stays(link));
    looked_up.into_iter().chain(defaults).filter(|name| !inward(name)).collect()
}

/// The same ground before and after. What the kernel did not tell is not called changed.
pub fn is_same(before: Option<&Ground>, after: Option<&Ground>) -> bool {
    before.is_none() || after.is_none() || before == after
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Outcome, RouteTable, Unseen};
    use crate::testing::{address, link, route};

    fn default_by(device: &str) -> Route {
        route("0.0.0.0/0", device, Some("192.168.1.1"))
    }

    fn snapshot(links: Vec<Link>, addresses: Vec<Address>, routes: Vec<Route>) -> Snapshot {
        Snapshot {
            links: Outcome::Ok(links),
            addresses: Outcome::Ok(addresses),
            routes: Outcome::Ok(RouteTable { routes }),
            neighbours: Outcome::Ok(vec![]),
        }
    }

    fn still() -> Snapshot {
        let tunnel = Link { index: 3, ..link("tun0", LinkKind::Tun) };
        snapshot(vec![link("eth0", LinkKind::Ethernet), tunnel], vec![address("eth0", "192.168.1.20/24")], vec![default_by("eth0")])
    }

    fn steady(before: &Snapshot, after: &Snapshot) -> bool {
        let cards = cards([before, after], BTreeSet::from([IfName::new("tun0"), IfName::new("ppp7")]), |name| name.as_str() == "ppp7");
        is_same(ground(before, &cards).as_ref(), ground(after, &cards).as_ref())
    }

    #[test]
    fn a_pc_that_stands_still_is_steady() {
        assert!(steady(&still(), &still()));
    }

    #[test]
    fn what_happens_to_the_card_in_use_is_a_change() {
        let card = |change: fn(&mut Link)| {
            let mut eth0 = link("eth0", LinkKind::Ethernet);
            change(&mut eth0);
            Snapshot { links: Outcome::Ok(vec![eth0, Link { index: 3, ..link("tun0", LinkKind::Tun) }]), ..still() }
        };
        let flapped = card(|link| link.carrier_changes = 3);
        let changes = [flapped, card(|link| link.carrier = false), card(|link| link.up = false), card(|link| link.index = 9)];
        for after in changes {
            assert!(!steady(&still(), &after), "{after:?}");
        }
        let gone = Snapshot { addresses: Outcome::Ok(vec![]), ..still() };
        let unrouted = Snapshot { routes: Outcome::Ok(RouteTable::default()), ..still() };
        for after in [gone, unrouted] {
            assert!(!steady(&still(), &after) && !steady(&after, &still()), "{after:?}");
        }
    }

    #[test]
    fn tunnels_containers_and_what_was_not_told_are_no_change() {
        let mut after = still();
        let busy = vec![link("eth0", LinkKind::Ethernet), Link { index: 8, ..link("veth7", LinkKind::Ethernet) }];
        after.links = Outcome::Ok(busy);
        after.addresses = Outcome::Ok(vec![address("eth0", "192.168.1.20/24"), address("docker0", "172.17.0.1/16")]);
        assert!(steady(&still(), &after));
        assert!(steady(&still(), &Snapshot { links: Outcome::Unknown(Unseen::Deadline), ..still() }));
    }
}
