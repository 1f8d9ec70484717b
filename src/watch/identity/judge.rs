//! Whether this is the enrolled machine, on the enrolled port, behind the enrolled router. Pure.

use super::super::memory::{Sights, fact};
use crate::baseline::{Baseline, Interface, KnownGateway, MacOrigin};
use crate::model::{Finding, FindingCode, IfName, Link, LinkKind, Neighbour, Origin, Subject};
use crate::sys::netlink::NeighbourEntry;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Hardware addresses that routers share: VRRP (IPv4, IPv6), HSRP (1, 2) and GLBP. Which router of a group answers is its own business.
const SHARED: [&str; 5] = ["00:00:5e:00:01:", "00:00:5e:00:02:", "00:00:0c:07:ac:", "00:00:0c:9f:f", "00:07:b4:"];

/// How things stand now.
#[derive(Debug, Clone, Default)]
pub struct Now {
    /// The id derived from the machine id; `None` = there is none.
    pub machine: Option<String>,
    /// Interfaces.
    pub interfaces: Vec<Interface>,
    /// As the kernel holds them.
    pub links: Vec<Link>,
    /// Gateways of default routes.
    pub gateways: Vec<KnownGateway>,
    /// What the kernel knows of its neighbours.
    pub neighbours: Vec<NeighbourEntry>,
}

/// The speed at which each enrolled port was seen first, Mbit/s: the measure where enrolment knew none.
pub type Speeds = BTreeMap<IfName, u32>;

/// The id of another machine than the enrolled one. An id that was given by hand, then or now, says nothing of the machine.
pub fn machine(was: &Baseline, now: &Now) -> Option<Finding> {
    let derived = |id: &&String| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit());
    let (old, new) = (was.terminal.as_ref().filter(derived)?, now.machine.as_ref()?);
    let lines = [fact("identity.enrolled", "", old), fact("identity.now", "", new)];
    (old != new).then(|| Finding::new(FindingCode::IdentityChanged, Subject::Terminal, Origin::LocalChange).because(lines))
}

/// Everything about the network.
pub fn network(was: &Baseline, now: &Now, speeds: &mut Speeds) -> Sights {
    let mut seen = Sights { found: was.interfaces.iter().filter_map(|then| card(was, then, now)).collect(), unseen: Vec::new() };
    for gateway in &was.gateways {
        match router(gateway, now) {
            Router::Other(finding) => seen.found.push(finding),
            Router::Unseen => seen.unseen.push(FindingCode::MovedGateway),
            Router::Same => {}
        }
    }
    seen.found.extend(ports(was).filter_map(|port| moved(was, port, now, speeds)));
    seen
}

/// A built-in card with another address of its own: where the enrolled card sat there is another one. One card may have several interfaces, each
/// with an address of its own (two ports, a wireless one and its group): they all sit in one place, and any of them may come and go.
fn card(was: &Baseline, then: &Interface, now: &Now) -> Option<Finding> {
    let place = place(then).filter(|place| !place.contains("/usb"))?;
    let own = |interface: &Interface| interface.mac.clone().filter(|_| interface.mac_origin == MacOrigin::Permanent);
    let old = own(then)?;
    let here: Vec<&Interface> = now.interfaces.iter().filter(|interface| interface.device.as_ref() == Some(place)).collect();
    let known = |interface: &&&Interface| was.interfaces.iter().any(|enrolled| own(enrolled) == own(interface));
    if here.iter().any(|interface| own(interface).as_ref() == Some(&old)) {
        return None;
    }
    let current = here.iter().find(|interface| interface.name == then.name).or_else(|| here.iter().find(|interface| !known(interface)))?;
    let new = own(current)?;
    let lines = [fact("mac.enrolled", &then.name, &old), fact("mac.now", &current.name, &new)];
    Some(Finding::new(FindingCode::IdentityChanged, Subject::Link(then.name.clone()), Origin::LocalChange).because(lines))
}

/// Where a card sits; what is no hardware sits nowhere.
fn place(interface: &Interface) -> Option<&String> {
    interface.device.as_ref().filter(|place| !place.starts_with("virtual"))
}

enum Router {
    Same,
    Other(Finding),
    Unseen,
}

fn router(then: &KnownGateway, now: &Now) -> Router {
    let (Some(address), Some(device), Some(old)) = (then.address, &then.device, &then.mac) else { return Router::Same };
    let answers = |state| matches!(state, Neighbour::Reachable | Neighbour::Stale | Neighbour::Permanent);
    let entry = now.neighbours.iter().find(|entry| entry.address == address && entry.link == *device && answers(entry.state));
    let Some(new) = entry.and_then(|entry| entry.mac.as_ref()) else { return Router::Unseen };
    let shared = |mac: &str| SHARED.iter().any(|prefix| mac.starts_with(prefix));
    if new == old || shared(new) || shared(old) {
        return Router::Same;
    }
    let lines = [fact("mac.enrolled", address, old), fact("mac.now", address, new)];
    Router::Other(Finding::new(FindingCode::MovedGateway, Subject::Gateway(address), Origin::Upstream).because(lines))
}

/// The interfaces that led to a router at enrolment.
fn ports(was: &Baseline) -> impl Iterator<Item = &Interface> {
    let leads_out = |interface: &&Interface| {
        was.gateways.iter().any(|gateway| gateway.address.is_some() && gateway.device.as_ref() == Some(&interface.name))
    };
    was.interfaces.iter().filter(leads_out)
}

/// The enrolled port leads nowhere and another one does in its place, or it runs at another speed.
fn moved(was: &Baseline, port: &Interface, now: &Now, speeds: &mut Speeds) -> Option<Finding> {
    // A card may get another name; it stays where it sits.
    let same_place = |interface: &&Interface| place(port).is_some() && place(interface) == place(port);
    let current = now.interfaces.iter().find(|interface| interface.name == port.name).or_else(|| now.interfaces.iter().find(same_place));
    let name = current.map_or(&port.name, |interface| &interface.name);
    let through = |name: &IfName| now.gateways.iter().any(|gateway| gateway.device.as_ref() == Some(name));
    let instead = || {
        let was_port = |name: &IfName| was.gateways.iter().any(|gateway| gateway.device.as_ref() == Some(name));
        let cards = now.links.iter().filter(|link| matches!(link.kind, LinkKind::Ethernet | LinkKind::Wifi) && link.name != *name);
        cards.map(|link| &link.name).find(|other| !was_port(other) && through(other))
    };
    let finding = || Finding::new(FindingCode::MovedLink, Subject::Link(port.name.clone()), Origin::LocalChange);
    if !through(name) {
        let state = if current.is_some() { "idle" } else { "none" };
        return instead().map(|other| finding().because([fact("link.gone", &port.name, state), fact("link.instead", other, "up")]));
    }
    let link = now.links.iter().find(|link| link.name == *name && link.kind == LinkKind::Ethernet && link.carrier)?;
    let speed = link.speed_mbps?;
    let first = port.speed_mbps.unwrap_or_else(|| *speeds.entry(port.name.clone()).or_insert(speed));
    let lines = || [fact("speed.before", &port.name, format!("{first} Mbit/s")), fact("speed.now", &port.name, format!("{speed} Mbit/s"))];
    (first != speed).then(|| finding().because(lines()))
}

/// The routers whose hardware address was enrolled.
pub fn routers(was: &Baseline) -> impl Iterator<Item = IpAddr> {
    was.gateways.iter().filter(|gateway| gateway.mac.is_some()).filter_map(|gateway| gateway.address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::link;

    /// `eth0` is built in and leads to 10.1.0.1, `aa:bb:cc:00:00:01`.
    fn enrolled() -> Baseline {
        crate::baseline::tests::baseline()
    }

    fn neighbour(mac: &str) -> NeighbourEntry {
        let address = "10.1.0.1".parse().expect("an address");
        NeighbourEntry { link: IfName::new("eth0"), address, mac: Some(mac.to_owned()), state: Neighbour::Stale }
    }

    fn as_enrolled() -> (Baseline, Now) {
        let was = enrolled();
        let now = Now {
            machine: was.terminal.clone(),
            interfaces: was.interfaces.clone(),
            links: vec![Link { speed_mbps: Some(1000), ..link("eth0", LinkKind::Ethernet) }, link("tun0", LinkKind::Tun)],
            gateways: was.gateways.clone(),
            neighbours: vec![neighbour("aa:bb:cc:00:00:01")],
        };
        (was, now)
    }

    fn told(was: &Baseline, now: &Now, speeds: &mut Speeds) -> Vec<String> {
        let found = machine(was, now).into_iter().chain(network(was, now, speeds).found);
        let brief = |finding: Finding| {
            let lines: Vec<String> = finding.evidence.iter().map(|line| format!("{} {} {}", line.k, line.target, line.result)).collect();
            format!("{} {} {}: {}", finding.code, finding.subject, finding.origin.code(), lines.join("; "))
        };
        found.map(brief).collect()
    }

    fn after(change: impl Fn(&mut Now)) -> Vec<String> {
        let (was, mut now) = as_enrolled();
        change(&mut now);
        told(&was, &now, &mut Speeds::new())
    }

    const NONE: [&str; 0] = [];

    #[test]
    fn the_enrolled_machine_in_its_place_is_all_well() {
        assert_eq!(after(|_| {}), NONE);
    }

    #[test]
    fn another_machine_id_is_another_machine_and_an_id_given_by_hand_says_nothing() {
        let found = after(|now| now.machine = Some("0123456789abcdef".to_owned()));
        assert_eq!(found, ["identity.changed terminal local-change: identity.enrolled  1338d0d8ec234423; identity.now  0123456789abcdef"]);
        assert_eq!(after(|now| now.machine = None), NONE);
        let (mut was, now) = as_enrolled();
        was.terminal = Some("counter-2".to_owned());
        assert_eq!(told(&was, &now, &mut Speeds::new()), NONE);
    }

    #[test]
    fn another_card_in_the_place_of_a_built_in_one_is_another_machine() {
        let found = after(|now| now.interfaces[0].mac = Some("52:54:00:00:00:99".to_owned()));
        let lines = "mac.enrolled eth0 52:54:00:00:00:01; mac.now eth0 52:54:00:00:00:99";
        assert_eq!(found, [format!("identity.changed link:eth0 local-change: {lines}")]);
    }

    #[test]
    fn a_card_with_several_interfaces_is_the_same_whichever_of_them_are_there() {
        let port =
            |name: &str, mac: &str| Interface { name: IfName::new(name), mac: Some(mac.to_owned()), ..enrolled().interfaces[0].clone() };
        let (first, second, group) =
            (port("eth0", "52:54:00:00:00:01"), port("eth1", "52:54:00:00:00:02"), port("a0", "02:00:00:00:00:01"));
        let (mut was, now) = as_enrolled();
        was.interfaces = vec![first.clone(), second.clone()];
        for there in [vec![&first, &second], vec![&second, &first], vec![&second], vec![&group, &first, &second], vec![]] {
            let now = Now { interfaces: there.iter().map(|one| (*one).clone()).collect(), ..now.clone() };
            assert_eq!(
                network(&was, &now, &mut Speeds::new()).found.iter().filter(|found| found.code == FindingCode::IdentityChanged).count(),
                0,
                "{there:?}"
            );
        }
        let hidden = Interface { mac_origin: MacOrigin::Set, ..port("eth0", "52:54:00:00:00:77") };
        let now = Now { interfaces: vec![group, hidden, second], ..now };
        assert_eq!(told(&was, &now, &mut Speeds::new()), NONE, "its own address is covered by another, and beside it is a new interface");
    }

    #[test]
    fn an_address_set_over_the_cards_own_and_an_exchanged_usb_adapter_are_no_other_machine() {
        let found = after(|now| {
            now.interfaces[0].mac = Some("52:54:00:00:00:99".to_owned());
            now.interfaces[0].mac_origin = MacOrigin::Set;
        });
        assert_eq!(found, NONE);
        let (mut was, mut now) = as_enrolled();
        for interface in [&mut was.interfaces[0], &mut now.interfaces[0]] {
            interface.device = Some("pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0".to_owned());
        }
        now.interfaces[0].mac = Some("52:54:00:00:00:99".to_owned());
        assert_eq!(told(&was, &now, &mut Speeds::new()), NONE);
    }

    #[test]
    fn another_router_at_the_same_address_is_found_and_is_upstream() {
        let found = after(|now| now.neighbours = vec![neighbour("aa:bb:cc:00:00:02")]);
        let lines = "mac.enrolled 10.1.0.1 aa:bb:cc:00:00:01; mac.now 10.1.0.1 aa:bb:cc:00:00:02";
        assert_eq!(found, [format!("moved.gateway gateway:10.1.0.1 upstream: {lines}")]);
    }

    #[test]
    fn routers_that_share_an_address_take_turns() {
        for shared in ["00:00:5e:00:01:0a", "00:00:0c:07:ac:01", "00:00:0c:9f:f0:01", "00:07:b4:00:01:02"] {
            assert_eq!(after(|now| now.neighbours = vec![neighbour(shared)]), NONE, "{shared}");
        }
        let (mut was, mut now) = as_enrolled();
        was.gateways[0].mac = Some("00:00:5e:00:01:0a".to_owned());
        now.neighbours = vec![neighbour("aa:bb:cc:00:00:02")];
        assert_eq!(told(&was, &now, &mut Speeds::new()), NONE);
    }

    #[test]
    fn a_router_that_is_not_heard_is_not_judged() {
        let (was, mut now) = as_enrolled();
        now.neighbours = vec![NeighbourEntry { state: Neighbour::Failed, ..neighbour("aa:bb:cc:00:00:02") }];
        let seen = network(&was, &now, &mut Speeds::new());
        assert_eq!((seen.found.len(), seen.unseen), (0, vec![FindingCode::MovedGateway]));
    }

    #[test]
    fn the_same_address_behind_another_card_is_another_router_and_not_ours() {
        let elsewhere = |mac| NeighbourEntry { link: IfName::new("wlan0"), ..neighbour(mac) };
        assert_eq!(after(|now| now.neighbours = vec![elsewhere("aa:bb:cc:00:00:02"), neighbour("aa:bb:cc:00:00:01")]), NONE);
    }

    #[test]
    fn of_two_enrolled_ports_one_that_is_out_has_not_moved_and_an_idle_card_is_in_nobodys_place() {
        let (mut was, mut now) = as_enrolled();
        let second = KnownGateway { device: Some(IfName::new("eth1")), ..was.gateways[0].clone() };
        was.gateways.push(second.clone());
        now.links.push(link("eth1", LinkKind::Ethernet));
        now.gateways = vec![second];
        assert_eq!(told(&was, &now, &mut Speeds::new()), NONE);
        let idle = after(|now| {
            now.gateways.clear();
            now.links.push(link("eth1", LinkKind::Ethernet));
        });
        assert_eq!(idle, NONE);
    }

    fn through(now: &mut Now, name: &str) {
        now.gateways[0].device = Some(IfName::new(name));
        now.links.push(link(name, LinkKind::Ethernet));
        let interface = Interface { name: IfName::new(name), device: Some(format!("usb/{name}")), ..now.interfaces[0].clone() };
        now.interfaces.push(interface);
    }

    #[test]
    fn another_port_in_the_place_of_the_enrolled_one_is_found() {
        let found = after(|now| through(now, "eth1"));
        assert_eq!(found, ["moved.link link:eth0 local-change: link.gone eth0 idle; link.instead eth1 up"]);
        let found = after(|now| {
            through(now, "eth1");
            now.interfaces.remove(0);
            now.links.remove(0);
        });
        assert_eq!(found, ["moved.link link:eth0 local-change: link.gone eth0 none; link.instead eth1 up"]);
    }

    #[test]
    fn what_is_no_hardware_has_no_place_to_be_known_by() {
        let (mut was, mut now) = as_enrolled();
        for interface in was.interfaces.iter_mut().chain(&mut now.interfaces) {
            interface.device = Some("virtual".to_owned());
        }
        through(&mut now, "br1");
        now.interfaces.remove(0);
        now.links.remove(0);
        now.interfaces[1].device = Some("virtual".to_owned());
        let found = told(&was, &now, &mut Speeds::new());
        assert_eq!(found, ["moved.link link:eth0 local-change: link.gone eth0 none; link.instead br1 up"]);
    }

    #[test]
    fn a_cable_that_is_out_a_second_port_and_another_name_are_no_move() {
        assert_eq!(after(|now| now.gateways.clear()), NONE, "out");
        let beside = after(|now| {
            let first = now.gateways[0].clone();
            through(now, "eth1");
            now.gateways.push(first);
        });
        assert_eq!(beside, NONE, "both lead out: a way outward, and no move");
        let renamed = after(|now| {
            now.interfaces[0].name = IfName::new("enp3s0");
            now.links[0].name = IfName::new("enp3s0");
            now.gateways[0].device = Some(IfName::new("enp3s0"));
        });
        assert_eq!(renamed, NONE, "renamed");
    }

    #[test]
    fn another_speed_than_at_enrolment_is_found_however_late_the_watch_begins() {
        let (mut was, mut now) = as_enrolled();
        was.interfaces[0].speed_mbps = Some(1000);
        now.links[0].speed_mbps = Some(100);
        let line = "moved.link link:eth0 local-change: speed.before eth0 1000 Mbit/s; speed.now eth0 100 Mbit/s";
        assert_eq!(told(&was, &now, &mut Speeds::new()), [line]);
        now.links[0].speed_mbps = Some(1000);
        assert_eq!(told(&was, &now, &mut Speeds::new()), NONE);
        now.links[0].speed_mbps = None;
        assert_eq!(told(&was, &now, &mut Speeds::new()), NONE, "it does not say");
    }

    #[test]
    fn a_wireless_card_roams_and_has_a_speed_that_changes() {
        let (mut was, mut now) = as_enrolled();
        was.interfaces[0].speed_mbps = Some(1000);
        (now.links[0].kind, now.links[0].speed_mbps) = (LinkKind::Wifi, Some(54));
        assert_eq!(told(&was, &now, &mut Speeds::new()), NONE);
    }

    #[test]
    fn another_speed_than_at_first_is_found_and_a_port_without_a_signal_has_none() {
        let (was, mut now) = as_enrolled();
        let mut speeds = Speeds::new();
        assert_eq!(told(&was, &now, &mut speeds), NONE);
        now.links[0].speed_mbps = Some(100);
        let line = "moved.link link:eth0 local-change: speed.before eth0 1000 Mbit/s; speed.now eth0 100 Mbit/s";
        assert_eq!(told(&was, &now, &mut speeds), [line]);
        now.links[0].carrier = false;
        assert_eq!(told(&was, &now, &mut speeds), NONE);
    }
}
