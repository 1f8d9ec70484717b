use super::*;
use crate::baseline::{KnownGateway, Prefixes, Seen};
use crate::testing::{link, route};

/// A terminal with a card whose default route is the leased line's, and what it is now.
struct Pc {
    baseline: Baseline,
    config: Config,
    ways: Ways,
    interfaces: Vec<Interface>,
}

const CARD: &str = "pci0000:00/0000:00:03.0";

pub(in crate::watch::isolation) fn card(name: &str, device: &str, mac: &str) -> Interface {
    Interface {
        name: IfName::new(name),
        device: Some(device.to_owned()),
        driver: Some("r8152".to_owned()),
        mac: Some(mac.to_owned()),
        mac_origin: MacOrigin::Permanent,
        speed_mbps: None,
    }
}

fn virtual_card(name: &str) -> Interface {
    Interface { driver: None, mac_origin: MacOrigin::Random, ..card(name, "virtual", "02:00:00:00:00:01") }
}

pub(in crate::watch::isolation) fn baseline() -> Baseline {
    Baseline {
        interfaces: vec![card("eth0", CARD, "00:11:22:33:44:55")],
        gateways: vec![KnownGateway { address: Some("10.1.0.1".parse().unwrap()), device: Some(IfName::new("eth0")), mac: None }],
        prefixes: Prefixes { on_link: vec!["10.1.0.0/24".parse().unwrap()], allowed: vec!["10.0.0.0/8".parse().unwrap()] },
        owners: Seen::Seen(Vec::new()),
        ..crate::baseline::tests::baseline()
    }
}

impl Pc {
    fn new(access: Access) -> Self {
        let mut config = Config::default();
        config.network.access = access;
        let routes = [route("0.0.0.0/0", "eth0", Some("10.1.0.1")), route("10.1.0.0/24", "eth0", None)];
        let ways = Ways {
            links: vec![link("lo", LinkKind::Loopback), link("eth0", LinkKind::Ethernet)],
            routes: routes.into_iter().map(|route| (route, ToldBy::ThisPc)).collect(),
            ruled: BTreeSet::from([254, 253, 255]),
            macs: BTreeMap::new(),
        };
        Self { baseline: baseline(), config, ways, interfaces: vec![card("eth0", CARD, "00:11:22:33:44:55")] }
    }

    fn leased() -> Self {
        Self::new(Access::LeasedLine)
    }

    fn plug(mut self, kind: LinkKind, interface: Interface) -> Self {
        self.ways.links.push(link(interface.name.as_str(), kind));
        self.interfaces.push(interface);
        self
    }

    fn with(mut self, destination: &str, device: &str, gateway: Option<&str>, told: ToldBy) -> Self {
        self.ways.routes.push((route(destination, device, gateway), told));
        self
    }

    fn in_table(mut self, table: u32) -> Self {
        self.ways.routes.last_mut().unwrap().0.table = table;
        self
    }

    fn vpn(mut self, interface: &str, server: &str) -> Self {
        let vpn = format!("name = 'v'\ninterface = '{interface}'\nserver = '{server}'");
        self.config.vpns.push(toml::from_str(&vpn).unwrap());
        self
    }

    fn found(&self) -> Vec<Deviation> {
        deviations(&self.ways, &self.interfaces, Normal { baseline: &self.baseline, config: &self.config })
    }

    fn told(&self) -> Vec<String> {
        self.found().iter().flat_map(|d| d.lines.iter().map(|l| format!("{} {} {}", l.k, l.target, l.result))).collect()
    }

    #[track_caller]
    fn is_silent(&self) {
        assert_eq!(self.told(), Vec::<String>::new());
    }
}

#[test]
fn what_was_there_at_enrolment_is_silent_whatever_the_access() {
    for access in [Access::LeasedLine, Access::VpnBox, Access::FrontEnd, Access::VpnOverInternet, Access::Unknown] {
        Pc::new(access).is_silent();
    }
}

#[test]
fn a_new_card_is_told_and_the_same_card_under_another_name_or_in_another_port_is_not() {
    let new = Pc::leased().plug(LinkKind::Ethernet, card("usb0", "pci0000:00/usb1/1-2", "00:e0:4c:00:00:01"));
    assert_eq!(new.told(), ["uplink.link usb0 card, r8152, 00:e0:4c:00:00:01"]);
    let drawn = |mac| Pc::leased().plug(LinkKind::Wifi, Interface { mac_origin: MacOrigin::Set, ..card("wlan0", "usb1/1-2", mac) }).told();
    assert_eq!(drawn("02:00:00:00:00:01"), drawn("02:00:00:00:00:02"), "a wireless card that draws its address anew is told once");
    let mut renamed = Pc::leased();
    renamed.ways.links[1].name = IfName::new("enp0s3");
    renamed.interfaces = vec![card("enp0s3", CARD, "00:11:22:33:44:55")];
    renamed.ways.routes = vec![(route("0.0.0.0/0", "enp0s3", Some("10.1.0.1")), ToldBy::ThisPc)];
    renamed.is_silent();
    renamed.interfaces = vec![card("enp0s3", "pci0000:00/0000:00:07.0", "00:11:22:33:44:55")];
    renamed.is_silent();
}

#[test]
fn another_card_in_the_same_port_is_another_card() {
    let mut exchanged = Pc::leased();
    exchanged.interfaces = vec![card("eth0", CARD, "00:11:22:33:44:99")];
    assert_eq!(exchanged.told().len(), 2, "the card, and its default route");
}

#[test]
fn what_containers_and_bridges_make_is_silent_until_a_route_leads_outward_through_it() {
    let docker = Pc::leased().plug(LinkKind::Bridge, virtual_card("docker0")).plug(LinkKind::Ethernet, virtual_card("veth1"));
    docker.is_silent();
    let docker = docker.with("172.17.0.0/16", "docker0", None, ToldBy::Kernel);
    docker.is_silent();
    let led = docker.with("0.0.0.0/0", "veth1", Some("10.9.0.1"), ToldBy::ThisPc);
    assert_eq!(led.told(), ["uplink.route 0.0.0.0/0 via 10.9.0.1 dev veth1"]);
}

#[test]
fn a_port_of_a_bridge_is_no_way_and_a_tunnel_that_is_down_is_none_yet() {
    let mut machine = Pc::leased().plug(LinkKind::Tun, virtual_card("vnet0"));
    machine.ways.links[2].master = Some(9);
    machine.is_silent();
    machine.ways.links[2].master = None;
    machine.ways.links[2].up = false;
    machine.is_silent();
    machine.ways.links[2].up = true;
    assert_eq!(machine.told(), ["uplink.link vnet0 tunnel"]);
}

#[test]
fn a_tunnel_is_told_unless_a_configured_vpn_explains_it() {
    let foreign = Pc::leased().plug(LinkKind::Wireguard, virtual_card("wg7"));
    assert_eq!(foreign.told(), ["uplink.link wg7 wireguard"]);
    let ours = Pc::leased().vpn("tun*", "203.0.113.9:1194").plug(LinkKind::Tun, virtual_card("tun3"));
    ours.is_silent();
    let all =
        ours.with("0.0.0.0/1", "tun3", Some("10.8.0.1"), ToldBy::ThisPc).with("128.0.0.0/1", "tun3", Some("10.8.0.1"), ToldBy::ThisPc);
    all.is_silent();
}

#[test]
fn halves_of_everything_are_everything_and_one_line() {
    let halves = Pc::leased().with("0.0.0.0/1", "eth0", Some("10.1.0.99"), ToldBy::ThisPc).with(
        "128.0.0.0/1",
        "eth0",
        Some("10.1.0.99"),
        ToldBy::ThisPc,
    );
    assert_eq!(halves.told(), ["uplink.route 0.0.0.0/1, 128.0.0.0/1 via 10.1.0.99 dev eth0"]);
    // The same through the next hop that was enrolled goes where everything went.
    Pc::leased().with("0.0.0.0/1", "eth0", Some("10.1.0.1"), ToldBy::ThisPc).is_silent();
}

#[test]
fn a_default_in_another_table_is_told_with_its_table_and_whether_a_rule_leads_there() {
    let mut other = Pc::leased().with("0.0.0.0/0", "eth0", Some("10.1.0.77"), ToldBy::ThisPc).in_table(100);
    assert_eq!(other.told(), ["uplink.route 0.0.0.0/0 via 10.1.0.77 dev eth0 table 100", "uplink.rule table 100 none"]);
    other.ways.ruled.insert(100);
    assert_eq!(other.told(), ["uplink.route 0.0.0.0/0 via 10.1.0.77 dev eth0 table 100"]);
}

#[test]
fn what_the_network_hands_out_on_an_enrolled_card_is_upstreams_doing() {
    let advertised = Pc::leased().with("::/0", "eth0", Some("fe80::1"), ToldBy::Router);
    assert_eq!(advertised.told(), ["uplink.route ::/0 via fe80::1 dev eth0", "uplink.told-by eth0 router advertisement"]);
    assert!(advertised.found()[0].upstream);
    // The address that follows from it is the kernel's doing; one that came alone is anybody's.
    let addressed = advertised.with("2409:8a00::/64", "eth0", None, ToldBy::Kernel);
    assert!(addressed.found()[0].upstream);
    let alone = Pc::leased().with("2409:8a00::/64", "eth0", None, ToldBy::Kernel);
    assert!(!alone.found()[0].upstream);
    let by_hand = Pc::leased().with("0.0.0.0/0", "eth0", Some("10.1.0.9"), ToldBy::ThisPc);
    assert!(!by_hand.found()[0].upstream);
    let new = Pc::leased().plug(LinkKind::Ethernet, card("usb0", "pci0000:00/usb1/1-2", "00:e0:4c:00:00:01")).with(
        "0.0.0.0/0",
        "usb0",
        Some("192.168.42.129"),
        ToldBy::Dhcp,
    );
    assert!(!new.found()[0].upstream, "somebody plugged it in");
    assert_eq!(new.found().len(), 1, "one interface, one deviation");
}

#[test]
fn in_a_vrf_no_rule_need_lead_to_its_table() {
    let way = || Pc::leased().with("0.0.0.0/0", "eth0", Some("10.1.0.77"), ToldBy::ThisPc).in_table(77);
    let vrf = way().plug(LinkKind::Other("vrf".to_owned()), virtual_card("vrf0"));
    assert_eq!(vrf.told(), ["uplink.route 0.0.0.0/0 via 10.1.0.77 dev eth0 table 77"]);
    assert_eq!(way().told().len(), 2);
}

#[test]
fn a_public_prefix_is_told_and_private_and_enrolled_ones_are_not() {
    let global = Pc::leased().with("2409:8a00::/64", "eth0", None, ToldBy::Router);
    assert_eq!(global.told().first().map(String::as_str), Some("uplink.route 2409:8a00::/64 dev eth0"));
    for private in [
        "192.168.8.0/24",
        "172.20.0.0/16",
        "100.64.0.0/10",
        "fd00:1::/64",
        "fc00::/7",
        "fe80::/64",
        "ff00::/8",
        "224.0.0.0/4",
        "10.77.0.0/16",
    ] {
        Pc::leased().with(private, "eth0", None, ToldBy::Kernel).is_silent();
    }
    let mut enrolled = Pc::leased().with("59.0.0.0/24", "eth0", Some("10.1.0.2"), ToldBy::ThisPc);
    assert_eq!(enrolled.told().len(), 1);
    enrolled.baseline.prefixes.allowed.push("59.0.0.0/16".parse().unwrap());
    enrolled.is_silent();
    // However much is called inside, a way to everywhere is one.
    let mut everywhere = Pc::leased().with("0.0.0.0/0", "eth0", Some("10.1.0.2"), ToldBy::ThisPc);
    everywhere.baseline.prefixes.allowed.push("0.0.0.0/0".parse().unwrap());
    assert_eq!(everywhere.told().len(), 1);
}

#[test]
fn the_route_to_a_configured_server_is_no_way_outward() {
    Pc::leased().vpn("tun0", "59.1.2.3:1194").with("59.1.2.3/32", "eth0", Some("10.1.0.2"), ToldBy::ThisPc).is_silent();
    assert_eq!(Pc::leased().with("59.1.2.3/32", "eth0", Some("10.1.0.2"), ToldBy::ThisPc).told().len(), 1);
}

#[test]
fn over_broadband_another_router_behind_the_enrolled_card_is_the_enrolled_way_and_a_second_card_is_not() {
    let broadband = || Pc::new(Access::VpnOverInternet);
    broadband().with("0.0.0.0/0", "eth0", Some("192.168.1.1"), ToldBy::Dhcp).is_silent();
    let second = broadband().plug(LinkKind::Wifi, card("wlan0", "pci0000:00/0000:00:09.0", "00:e0:4c:00:00:02")).with(
        "0.0.0.0/0",
        "wlan0",
        Some("192.168.43.1"),
        ToldBy::Dhcp,
    );
    assert_eq!(second.told().len(), 3, "{:?}", second.told());
}

#[test]
fn refusing_routes_and_ten_thousand_routes_through_one_next_hop_are_quiet() {
    let mut many = Pc::leased();
    for i in 0..10_000_u32 {
        let net = format!("{}.{}.{}.0/24", 59 + i / 65_536, i / 256 % 256, i % 256);
        many = many.with(&net, "eth0", Some("10.1.0.5"), ToldBy::ThisPc);
    }
    assert_eq!(many.told().len(), 1);
    for (route, _) in &mut many.ways.routes[2..] {
        route.kind = RouteKind::Blackhole;
    }
    many.is_silent();
}
