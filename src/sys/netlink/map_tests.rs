//! What the kernel's messages become, also those that a test's namespaces cannot make.

use super::*;
use rtnetlink::packet_route::link::Stats64;

fn nobody(_: u32) -> Option<IfName> {
    None
}

fn card(attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = 2;
    message.header.link_layer_type = LinkLayerType::Ether;
    message.header.flags = LinkFlags::Up | LinkFlags::LowerUp;
    message.attributes = attributes;
    message
}

fn named(kind: Option<InfoKind>) -> LinkMessage {
    let mut attributes = vec![LinkAttribute::IfName("x0".into())];
    attributes.extend(kind.map(|kind| LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)])));
    card(attributes)
}

fn kind_of(message: &LinkMessage) -> LinkKind {
    link(message).expect("a link").kind
}

#[test]
fn each_kind_of_interface_is_known() {
    assert_eq!(kind_of(&named(None)), LinkKind::Ethernet);
    assert_eq!(kind_of(&named(Some(InfoKind::Veth))), LinkKind::Ethernet);
    assert_eq!(kind_of(&named(Some(InfoKind::Wireguard))), LinkKind::Wireguard);
    assert_eq!(kind_of(&named(Some(InfoKind::Tun))), LinkKind::Tun);
    assert_eq!(kind_of(&named(Some(InfoKind::Vlan))), LinkKind::Other("vlan".into()));
    let mut ppp = named(None);
    ppp.header.link_layer_type = LinkLayerType::Ppp;
    assert_eq!(kind_of(&ppp), LinkKind::Ppp);
    let mut nameless = named(None);
    nameless.header.link_layer_type = LinkLayerType::None;
    assert_eq!(kind_of(&nameless), LinkKind::Other("none".into()));
}

#[test]
fn a_link_keeps_counters_and_has_no_address_of_zeroes() {
    let mut stats = Stats64::default();
    (stats.rx_bytes, stats.tx_bytes, stats.rx_errors) = (1 << 40, 7, 3);
    let name = LinkAttribute::IfName("x0".into());
    let seen = link(&card(vec![name, LinkAttribute::Address(vec![0; 6]), LinkAttribute::Stats64(stats), LinkAttribute::Controller(0)]));
    let seen = seen.expect("a link");
    assert_eq!((seen.rx_bytes, seen.tx_bytes, seen.rx_errors), (1 << 40, 7, 3));
    assert_eq!((seen.mac, seen.master), (None, None));
    assert!(seen.up && seen.carrier);
    assert_eq!(link(&card(Vec::new())), None, "without a name");
}

#[test]
fn on_a_point_to_point_link_the_local_address_is_ours() {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 32;
    message.header.index = 9;
    message.attributes = vec![AddressAttribute::Address("10.0.0.1".parse().unwrap()), AddressAttribute::Local("10.0.0.2".parse().unwrap())];
    let seen = address(&message, &Names::new(), &nobody).expect("an address");
    assert_eq!((seen.net.to_string().as_str(), seen.link.as_str()), ("10.0.0.2/32", "if9"), "an interface without a name keeps its number");
    message.header.prefix_len = 40;
    assert_eq!(address(&message, &Names::new(), &nobody), None, "no such prefix");
}

#[test]
fn a_failed_duplicate_check_is_read_from_the_wide_flags_and_from_the_old_ones() {
    let mut message = AddressMessage::default();
    message.header.prefix_len = 64;
    message.attributes = vec![
        AddressAttribute::Address("fd00::1".parse().unwrap()),
        AddressAttribute::Flags(AddressFlags::Dadfailed | AddressFlags::Tentative),
    ];
    let seen = address(&message, &Names::new(), &nobody).expect("an address");
    assert!(seen.duplicate && seen.tentative && !seen.usable());
    message.attributes.pop();
    message.header.flags = AddressHeaderFlags::Dadfailed;
    assert!(address(&message, &Names::new(), &nobody).expect("an address").duplicate);
}

fn default_route(kind: RouteType, attributes: Vec<RouteAttribute>) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.table = 254;
    message.header.kind = kind;
    message.attributes = attributes;
    message
}

#[test]
fn a_default_route_has_no_destination_and_may_have_a_next_hop_of_the_other_family() {
    let via = RouteAttribute::Via(RouteVia::Inet6("fe80::1".parse().unwrap()));
    let names = Names::from([(3, IfName::new("eth0"))]);
    let seen = route(&default_route(RouteType::Unicast, vec![RouteAttribute::Oif(3), via]), &names, &nobody);
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].destination.to_string().as_str(), seen[0].gateway), ("0.0.0.0/0", "fe80::1".parse().ok()));
    assert_eq!(seen[0].device, Some(IfName::new("eth0")));
}

#[test]
fn only_routes_that_carry_or_refuse_are_kept() {
    assert!(route(&default_route(RouteType::Broadcast, Vec::new()), &Names::new(), &nobody).is_empty());
    let refusing = route(&default_route(RouteType::Prohibit, vec![RouteAttribute::Oif(1)]), &Names::new(), &nobody);
    assert_eq!((refusing[0].kind, &refusing[0].device), (RouteKind::Prohibit, &None), "it leaves through nothing");
    assert!(is_kept(&default_route(RouteType::Unicast, Vec::new())));
    assert!(!is_kept(&default_route(RouteType::Unicast, vec![RouteAttribute::Table(255)])), "the wide number wins");
    let mut cached = default_route(RouteType::Unicast, Vec::new());
    cached.header.flags = RouteFlags::Cloned;
    assert!(!is_kept(&cached));
}

#[test]
fn a_neighbour_keeps_its_state_and_entries_without_resolution_are_passed_over() {
    let mut message = NeighbourMessage::default();
    message.header.state = NeighbourState::Probe;
    message.attributes = vec![
        NeighbourAttribute::Destination(NeighbourAddress::Inet("10.0.0.1".parse().unwrap())),
        NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, 0xa]),
    ];
    let seen = neighbour(&message, &Names::new(), &nobody).expect("a neighbour");
    assert_eq!((seen.state, seen.mac.as_deref()), (Neighbour::Stale, Some("02:00:00:00:00:0a")));
    message.header.state = NeighbourState::Noarp;
    assert_eq!(neighbour(&message, &Names::new(), &nobody), None);
}

mod any_bytes {
    use super::*;
    use crate::testing::{cases, hostile};
    use proptest::prelude::*;
    use rtnetlink::packet_core::{NLM_F_MULTIPART, NetlinkMessage, NetlinkPayload};
    use rtnetlink::packet_route::RouteNetlinkMessage;

    fn bytes_of(message: RouteNetlinkMessage) -> Vec<u8> {
        let mut message = NetlinkMessage::from(message);
        message.header.flags = NLM_F_MULTIPART;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        bytes
    }

    fn seeds() -> Vec<Vec<u8>> {
        let link = named(Some(InfoKind::Tun));
        let mut address = AddressMessage::default();
        address.header.family = AddressFamily::Inet;
        address.header.prefix_len = 24;
        address.attributes = vec![AddressAttribute::Local("10.0.0.2".parse().expect("an address"))];
        let mut route = RouteMessage::default();
        route.header.address_family = AddressFamily::Inet;
        route.header.kind = RouteType::Unicast;
        route.attributes = vec![RouteAttribute::Oif(2), RouteAttribute::Gateway(RouteAddress::Inet(Ipv4Addr::LOCALHOST))];
        let mut neighbour = NeighbourMessage::default();
        neighbour.header.state = NeighbourState::Reachable;
        neighbour.attributes = vec![NeighbourAttribute::Destination(NeighbourAddress::Inet(Ipv4Addr::LOCALHOST))];
        vec![
            bytes_of(RouteNetlinkMessage::NewLink(link)),
            bytes_of(RouteNetlinkMessage::NewAddress(address)),
            bytes_of(RouteNetlinkMessage::NewRoute(route)),
            bytes_of(RouteNetlinkMessage::NewNeighbour(neighbour)),
        ]
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn of_the_kernels_lists_are_mapped_or_refused(bytes in hostile(seeds(), 400)) {
            let names = Names::new();
            let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&bytes) else { return Ok(()) };
            match message.payload {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(message)) => drop(link(&message)),
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(message)) => drop(address(&message, &names, &nobody)),
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(message)) => drop(neighbour(&message, &names, &nobody)),
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(message)) => {
                    let _ = is_kept(&message);
                    // A next hop takes eight bytes.
                    prop_assert!(route(&message, &names, &nobody).len() <= bytes.len() / 8 + 1);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn sysfs_tells_speed_duplex_and_radio_of_the_card_with_the_right_index() {
    let tree = tempfile::tempdir().unwrap();
    let card = |name: &str, files: &[(&str, &str)]| {
        let dir = tree.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        for (file, text) in files {
            std::fs::write(dir.join(file), text).unwrap();
        }
    };
    card("eth0", &[("ifindex", "2\n"), ("speed", "10\n"), ("duplex", "half\n")]);
    card("eth1", &[("ifindex", "3\n"), ("speed", "100\n"), ("duplex", "full\n")]);
    card("eth2", &[("ifindex", "4\n"), ("speed", "-1\n"), ("duplex", "unknown\n")]);
    card("wlan0", &[("ifindex", "5\n")]);
    std::fs::create_dir(tree.path().join("wlan0/phy80211")).unwrap();
    let read = |name: &str, index| Medium::read_in(tree.path(), &IfName::new(name), index);
    assert_eq!(read("eth0", 2), Medium { wireless: false, speed_mbps: Some(10), full_duplex: Some(false) });
    assert_eq!(read("eth1", 3), Medium { wireless: false, speed_mbps: Some(100), full_duplex: Some(true) });
    assert_eq!(read("eth2", 4), Medium::default());
    assert!(read("wlan0", 5).wireless);
    // The tree of another namespace has another card under this name.
    assert_eq!(read("eth0", 7), Medium::default());
    assert_eq!(read("gone", 2), Medium::default());
}
