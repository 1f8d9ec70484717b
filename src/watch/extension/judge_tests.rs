use super::*;
use crate::model::{Link, LinkKind};
use crate::sys::listeners::Listener;
use crate::testing::{address, link};
use crate::watch::extension::forwarded::Sample;
use crate::watch::extension::nat::Limits;
use crate::watch::extension::ports::{self, Below};
use crate::watch::extension::{namespaces, nat};

/// A PC with the card `eth0` (10.1.0.7/24, gateway 10.1.0.1), and what a test adds.
struct Pc {
    links: Vec<Link>,
    addresses: Vec<crate::model::Address>,
    cards: Vec<&'static str>,
    scene: Scene,
}

const DOCKER: &str = "table ip nat { # handle 1\n\tchain POSTROUTING { # handle 2\n\t\toifname != \"docker0\" ip saddr 172.17.0.0/16 counter packets 0 bytes 0 masquerade # handle 3\n\t}\n}\n";
const FOR_ALL: &str = "table ip nat { # handle 1\n\tchain post { # handle 2\n\t\toifname \"eth0\" masquerade # handle 3\n\t}\n}\n";

impl Pc {
    fn new() -> Self {
        let scene = Scene {
            switches: Forwarding { v4: Some(false), v6: Some(false) },
            own_switches: BTreeSet::new(),
            ports: Vec::new(),
            nat: Some(Vec::new()),
            offers: Some(Vec::new()),
            hotspots: Some(Vec::new()),
            foreign: Some(Vec::new()),
        };
        let mut pc = Self { links: Vec::new(), addresses: Vec::new(), cards: Vec::new(), scene };
        pc.card("eth0", "10.1.0.7/24");
        pc
    }

    fn add(&mut self, name: &str, kind: LinkKind, net: &str, master: Option<u32>) -> u32 {
        let index = u32::try_from(self.links.len()).expect("few") + 2;
        self.links.push(Link { index, master, ..link(name, kind) });
        if !net.is_empty() {
            self.addresses.push(address(name, net));
        }
        index
    }

    fn card(&mut self, name: &'static str, net: &str) -> u32 {
        self.cards.push(name);
        self.add(name, LinkKind::Ethernet, net, None)
    }

    /// As docker sets itself up when it starts.
    fn docker(&mut self) {
        let bridge = self.add("docker0", LinkKind::Bridge, "172.17.0.1/16", None);
        self.add("veth1a2b", LinkKind::Ethernet, "", Some(bridge));
        self.scene.switches.v4 = Some(true);
        self.scene.nat.as_mut().expect("seen").extend(nat::rules(DOCKER));
    }

    fn scene(&mut self) -> Scene {
        let below = |link: &Link| {
            let is_card = self.cards.contains(&link.name.as_str());
            if is_card { Below::Card(link.name.clone()) } else { Below::Nothing }
        };
        let below: BTreeMap<IfName, Below> = self.links.iter().map(|link| (link.name.clone(), below(link))).collect();
        self.scene.ports = ports::ports(&self.links, &self.addresses, &below, &BTreeSet::from([IfName::new("eth0")]));
        self.scene.clone()
    }

    fn enrolled(&mut self) -> Baseline {
        let mut baseline = crate::baseline::tests::plain();
        let scene = self.scene();
        baseline.gateways =
            vec![crate::baseline::KnownGateway { address: Some(ip("10.1.0.1")), device: Some(IfName::new("eth0")), mac: None }];
        baseline.forwarding = scene.switches;
        baseline.lent = Some(Lent { ways: lent(&scene), unseen: BTreeSet::new() });
        baseline
    }

    /// What is found after the enrolment of `baseline`.
    fn found(&mut self, baseline: &Baseline) -> Vec<(String, Severity)> {
        self.remembering(baseline, &mut Memory { cards: BTreeSet::from([IfName::new("eth0")]), ..Memory::default() })
    }

    fn remembering(&mut self, baseline: &Baseline, memory: &mut Memory) -> Vec<(String, Severity)> {
        let found = told(&self.scene(), memory, baseline);
        found.into_iter().map(|finding| (format!("{} {}", finding.code, finding.subject), finding.severity)).collect()
    }
}

/// What is told of what stands for long.
fn told(scene: &Scene, memory: &mut Memory, baseline: &Baseline) -> Vec<Finding> {
    judge(scene, memory, baseline, 0);
    judge(scene, memory, baseline, HOLD_MS)
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn one(code: &str, severity: Severity) -> Vec<(String, Severity)> {
    vec![(code.to_owned(), severity)]
}

fn waits(at: &str, port: u16, device: Option<u32>) -> Listener {
    Listener { address: ip(at), port, device, inode: 1 }
}

#[test]
fn a_switch_alone_is_a_small_thing_and_packets_of_others_a_great_one() {
    let mut pc = Pc::new();
    let baseline = pc.enrolled();
    assert_eq!(pc.found(&baseline), []);
    pc.scene.switches.v4 = Some(true);
    let mut memory = Memory::default();
    assert_eq!(pc.remembering(&baseline, &mut memory), one("extension.forwarding terminal", Severity::Low));
    for forwarded in [0, 6] {
        let sample = Sample { forwarded: [Some(forwarded), None], ..Sample::default() };
        memory.forwarded.count(sample, &BTreeSet::new(), accepted(Some(&baseline)));
    }
    assert_eq!(pc.remembering(&baseline, &mut memory), one("extension.forwarding terminal", Severity::High));
}

#[test]
fn forwarding_that_was_enrolled_or_could_not_be_seen_then_is_normal() {
    let mut pc = Pc::new();
    pc.scene.switches.v4 = Some(true);
    let baseline = pc.enrolled();
    assert_eq!(pc.found(&baseline), []);
    let mut unseen = baseline.clone();
    unseen.forwarding.v4 = None;
    assert_eq!(pc.found(&unseen), []);
    // Without IPv6 there was nothing to see then, and now there is.
    let mut other = Pc::new();
    let mut without = other.enrolled();
    without.forwarding.v6 = None;
    other.scene.switches.v6 = Some(true);
    assert_eq!(other.found(&without), one("extension.forwarding terminal", Severity::Low));
}

#[test]
fn a_vpn_client_that_forwards_on_its_own_tunnel_only_is_normal() {
    let mut pc = Pc::new();
    let baseline = pc.enrolled();
    pc.add("tun0", LinkKind::Tun, "10.8.0.2/24", None);
    // The watcher counts the switches of cards only.
    assert_eq!(pc.found(&baseline), []);
}

#[test]
fn software_for_containers_that_comes_later_is_no_extension() {
    let mut pc = Pc::new();
    let baseline = pc.enrolled();
    pc.docker();
    assert_eq!(pc.found(&baseline), []);
}

#[test]
fn what_stands_for_a_moment_only_is_not_told() {
    let mut pc = Pc::new();
    let baseline = pc.enrolled();
    let mut memory = Memory::default();
    pc.scene.switches.v4 = Some(true);
    assert_eq!(judge(&pc.scene(), &mut memory, &baseline, 1000), []);
    assert!(memory.holds(1000) && !memory.holds(1000 + HOLD_MS));
    pc.docker();
    assert_eq!(judge(&pc.scene(), &mut memory, &baseline, 1000 + HOLD_MS), []);
    assert!(!memory.holds(1000));
}

#[test]
fn containers_do_not_hide_what_others_can_use() {
    let mut pc = Pc::new();
    let baseline = pc.enrolled();
    pc.docker();
    pc.scene.nat.as_mut().expect("seen").extend(nat::rules(FOR_ALL));
    assert_eq!(pc.found(&baseline), one("extension.nat terminal", Severity::High));
    pc.scene.switches.v4 = Some(false);
    assert_eq!(pc.found(&baseline), one("extension.nat terminal", Severity::Low), "nothing passes yet");
    let enrolled = pc.enrolled();
    assert_eq!(pc.found(&enrolled), []);
    let mut blind = baseline.clone();
    blind.lent.as_mut().expect("looked").unseen.insert("nat".to_owned());
    assert_eq!(pc.found(&blind), [], "what was not seen then is no deviation");
}

#[test]
fn a_rule_is_the_containers_own_only_if_each_way_to_it_is() {
    let mut pc = Pc::new();
    let baseline = pc.enrolled();
    pc.docker();
    let own = Limits { sources: vec!["172.17.0.0/16".parse().expect("a prefix")], ..Limits::default() };
    for (ways, told) in [(vec![own.clone()], 0), (vec![own, Limits::default()], 1), (Vec::new(), 1)] {
        pc.scene.nat = Some(vec![NatRule { place: "ip nat post".to_owned(), text: "masquerade".to_owned(), ways }]);
        assert_eq!(pc.found(&baseline).len(), told);
    }
}

#[test]
fn two_cards_in_a_bridge_are_told_and_one_card_with_machines_is_not() {
    let mut pc = Pc::new();
    let baseline = pc.enrolled();
    let bridge = pc.add("br0", LinkKind::Bridge, "", None);
    pc.links[0].master = Some(bridge);
    pc.add("vnet0", LinkKind::Tun, "", Some(bridge));
    pc.add("veth9", LinkKind::Ethernet, "", Some(bridge));
    assert_eq!(pc.found(&baseline), []);
    pc.card("enx0", "");
    pc.links.last_mut().expect("it").master = Some(bridge);
    assert_eq!(pc.found(&baseline), one("extension.bridge link:br0", Severity::High));
    let enrolled = pc.enrolled();
    assert_eq!(pc.found(&enrolled), []);
}

#[test]
fn two_cards_in_open_vswitch_may_be_in_two_bridges_of_it() {
    let mut pc = Pc::new();
    let baseline = pc.enrolled();
    let switch = pc.add("ovs-system", LinkKind::Other("openvswitch".to_owned()), "", None);
    pc.links[0].master = Some(switch);
    pc.add("vnet0", LinkKind::Tun, "", Some(switch));
    assert_eq!(pc.found(&baseline), [], "one card with machines");
    pc.card("enx0", "");
    pc.links.last_mut().expect("it").master = Some(switch);
    assert_eq!(pc.found(&baseline), one("extension.bridge link:ovs-system", Severity::Low));
    let enrolled = pc.enrolled();
    assert_eq!(pc.found(&enrolled), []);
}

#[test]
fn a_wireless_network_of_its_own_is_told_and_was_it_enrolled_it_is_not() {
    let mut pc = Pc::new();
    let baseline = pc.enrolled();
    let card = pc.card("wlan0", "");
    assert_eq!(pc.found(&baseline), [], "a station");
    pc.scene.hotspots = Some(vec![card]);
    assert_eq!(pc.found(&baseline), one("extension.sharing link:wlan0", Severity::High));
    // It gives out addresses as well: one thing, and not two.
    pc.scene.offers = Some(vec![Offer::Addresses(waits("0.0.0.0", 67, Some(card)))]);
    assert_eq!(pc.found(&baseline), one("extension.sharing link:wlan0", Severity::High));
    let enrolled = pc.enrolled();
    assert_eq!(pc.found(&enrolled), []);
    let mut blind = baseline.clone();
    blind.lent.as_mut().expect("looked").unseen.extend(["hotspot", "sharing"].map(str::to_owned));
    assert_eq!(pc.found(&blind), [], "what was not seen then is no deviation");
    (pc.scene.hotspots, pc.scene.offers) = (Some(vec![99]), None);
    assert_eq!(pc.found(&baseline), [], "a card that is gone");
}

#[test]
fn addresses_are_shared_with_others_or_with_containers_only() {
    let mut pc = Pc::new();
    let baseline = pc.enrolled();
    pc.docker();
    let card = pc.card("wlan0", "10.42.0.1/24");
    let offered = |listener| Some(vec![Offer::Addresses(listener)]);
    // libvirt's is tied to its bridge.
    for own in [waits("0.0.0.0", 67, Some(3)), waits("172.17.0.1", 67, None)] {
        pc.scene.offers = offered(own);
        assert_eq!(pc.found(&baseline), []);
    }
    pc.scene.offers = offered(waits("0.0.0.0", 67, Some(card)));
    assert_eq!(pc.found(&baseline), one("extension.sharing link:wlan0", Severity::High));
    let evidence = told(&pc.scene(), &mut Memory::default(), &baseline)[0].evidence.clone();
    assert_eq!(evidence[1].result, "10.42.0.1/24");
    pc.scene.offers = offered(waits("0.0.0.0", 67, None));
    assert_eq!(pc.found(&baseline), one("extension.sharing terminal", Severity::Medium));
}

#[test]
fn a_proxy_for_others_is_told_and_one_for_containers_is_not() {
    let mut pc = Pc::new();
    let baseline = pc.enrolled();
    pc.docker();
    pc.scene.offers = Some(vec![Offer::Proxy(waits("172.17.0.1", 3128, None), "squid".to_owned())]);
    assert_eq!(pc.found(&baseline), []);
    pc.scene.offers = Some(vec![Offer::Proxy(waits("0.0.0.0", 3128, None), "squid".to_owned())]);
    assert_eq!(pc.found(&baseline), one("extension.sharing program:squid", Severity::Medium));
}

fn foreign(id: &str, device: &str, gateway: Option<&str>, own: &str) -> Foreign {
    let way = namespaces::WayOut { device: IfName::new(device), gateway: gateway.map(ip) };
    Foreign { id: id.to_owned(), program: "bash".to_owned(), ways: vec![way], addresses: vec![ip(own)] }
}

#[test]
fn containers_that_go_out_through_this_pc_are_normal() {
    let mut pc = Pc::new();
    let baseline = pc.enrolled();
    pc.docker();
    pc.scene.foreign = Some(vec![
        foreign("1", "eth0", Some("172.17.0.1"), "172.17.0.2"),
        // Within that one another.
        foreign("2", "eth0", Some("172.17.0.2"), "10.5.0.2"),
        // Rootless ones: through a program's sockets, with an address of its own or a copy of this PC's.
        foreign("3", "tap0", Some("10.0.2.2"), "10.0.2.100"),
        foreign("4", "eth0", Some("10.1.0.1"), "10.1.0.7"),
        Foreign { ways: Vec::new(), ..foreign("5", "lo", None, "127.0.0.1") },
    ]);
    assert_eq!(pc.found(&baseline), []);
    // The card is unplugged: a container's has the same name and is no moved card.
    pc.links.remove(0);
    pc.addresses.remove(0);
    pc.scene.foreign.as_mut().expect("seen").truncate(2);
    assert_eq!(pc.found(&baseline), []);
}

#[test]
fn a_namespace_with_a_card_of_this_pc_or_beside_it_is_told() {
    let mut pc = Pc::new();
    let baseline = pc.enrolled();
    pc.scene.foreign = Some(vec![foreign("1", "macvlan0", Some("10.1.0.1"), "10.1.0.99")]);
    assert_eq!(pc.found(&baseline), one("extension.foreign-namespace namespace:1", Severity::Medium));
    pc.scene.foreign = Some(vec![foreign("2", "enx0", Some("192.168.43.1"), "192.168.43.9")]);
    assert_eq!(pc.found(&baseline), [], "not known to be a card of this PC");
    let mut memory = Memory { cards: BTreeSet::from([IfName::new("enx0")]), ..Memory::default() };
    assert_eq!(pc.remembering(&baseline, &mut memory), one("extension.foreign-namespace namespace:2", Severity::Medium));
}

#[test]
fn what_was_there_at_the_first_look_is_said_to_be_pre_existing_until_it_goes() {
    let mut pc = Pc::new();
    let baseline = pc.enrolled();
    pc.scene.switches.v4 = Some(true);
    let mut memory = Memory::default();
    let origin = |pc: &mut Pc, memory: &mut Memory| told(&pc.scene(), memory, &baseline).first().map(|finding| finding.origin);
    assert_eq!(origin(&mut pc, &mut memory), Some(Origin::PreExisting));
    assert_eq!(origin(&mut pc, &mut memory), Some(Origin::PreExisting));
    pc.scene.switches.v4 = Some(false);
    assert_eq!(origin(&mut pc, &mut memory), None);
    pc.scene.switches.v4 = Some(true);
    assert_eq!(origin(&mut pc, &mut memory), Some(Origin::LocalChange));
}

#[test]
fn a_baseline_that_knows_nothing_of_such_ways_accuses_of_none() {
    let mut pc = Pc::new();
    let mut baseline = pc.enrolled();
    baseline.lent = None;
    pc.scene.nat = Some(nat::rules(FOR_ALL));
    assert_eq!(pc.found(&baseline), []);
}
