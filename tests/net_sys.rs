//! The operating-system edge against a real kernel: each test builds its own network namespaces (terminal, router, centre), breaks
//! something for real, and asks through [`isonet::sys`] and [`isonet::probe`] from inside.
//!
//! Needs root, `ip`, `nft` and `setpriv`; without them a test prints `SKIPPED` and the reason. Nothing leaves the namespaces, and they are
//! removed when the test ends, also when it fails.

#[path = "net_sys/inside.rs"]
mod inside;
#[path = "net_sys/lab.rs"]
mod lab;

use inside::Look;
use isonet::model::{
    ArpAnswer, Errno, FailureKind, Gateway, HopAnswer, IcmpError, IcmpKind, LinkKind, Outcome, ProcessState, Reply, Route, RouteKind,
    Sighting, Unseen, VpnFacts,
};
use lab::{As, Lab};
use std::net::IpAddr;
use std::time::Duration;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address in a test")
}

fn icmp(kind: IcmpKind, offender: &str) -> FailureKind {
    FailureKind::Icmp(IcmpError { kind, offender: Some(ip(offender)) })
}

fn kind<T: std::fmt::Debug>(outcome: &Outcome<T>) -> FailureKind {
    outcome.failure().unwrap_or_else(|| panic!("not a failure: {outcome:?}")).kind.clone()
}

#[test]
fn an_echo_comes_back_with_its_ttl_on_a_ping_socket_and_on_a_raw_one() {
    let Some(lab) = Lab::new() else { return };
    for (who, range) in [(As::Nobody, "0 2147483647"), (As::Root, "1 0")] {
        lab.sysctl("net.ipv4.ping_group_range", range);
        for (target, ttl) in [("10.77.1.1", 64), ("10.77.2.2", 63), ("fd77:1::1", 64), ("fd77:2::2", 63)] {
            let seen: Outcome<Reply> = lab.ask(who, &format!("echo {target} 1000"));
            let reply = seen.ok().unwrap_or_else(|| panic!("{target} as {who:?}: {seen:?}"));
            assert_eq!((reply.ttl, reply.series), (Some(ttl), (1, 1)), "{target} as {who:?}");
            assert!(reply.rtt < Duration::from_millis(200), "{reply:?}");
        }
    }
}

#[test]
fn a_series_counts_what_was_lost() {
    let Some(lab) = Lab::new() else { return };
    lab.sysctl("net.ipv4.ping_group_range", "0 2147483647");
    let every_second = "ip daddr 10.77.2.2 numgen inc mod 2 == 0 drop";
    lab.nft(
        "router",
        &format!("add table inet t; add chain inet t f {{ type filter hook forward priority 0; }}; add rule inet t f {every_second}"),
    );
    let seen: Outcome<Reply> = lab.ask(As::Nobody, "echo 10.77.2.2 600 all=4");
    assert_eq!(seen.ok().map(|reply| reply.series), Some((4, 2)), "{seen:?}");
    // The first is lost, the second proves life.
    let look: Look = lab.ask(As::Root, "ping 10.77.2.2 1000");
    assert!(matches!(&look.seen, Sighting::Ping(_, Outcome::Ok(reply)) if reply.series == (2, 1)), "{look:?}");
}

#[test]
fn a_link_local_gateway_is_asked_like_any_other() {
    let Some(lab) = Lab::new() else { return };
    let line = String::from_utf8_lossy(&lab.run("router", "ip -o -6 address show dev r0 scope link").stdout).into_owned();
    let gateway = line.split_whitespace().find_map(|word| word.strip_suffix("/64")).expect("a link-local address").to_owned();
    let look: Look = lab.ask(As::Root, &format!("gateway {gateway} 2000 beyond=fd77:2::2"));
    let seen = gateway_of(&look);
    assert!(matches!(seen.arp, ArpAnswer::Answered(_)) && seen.ping.ok().is_some() && seen.expired_here.is_some(), "{seen:?}");
}

#[test]
fn without_ping_sockets_and_capability_an_echo_is_unknown_and_accuses_nobody() {
    let Some(lab) = Lab::new() else { return };
    lab.sysctl("net.ipv4.ping_group_range", "1 0");
    let seen: Outcome<Reply> = lab.ask(As::Nobody, "echo 10.77.1.1 300");
    assert!(matches!(seen, Outcome::Unknown(isonet::model::Unseen::Capability(_))), "{seen:?}");
}

#[test]
fn a_dead_neighbour_is_told_by_our_own_address_and_a_dead_host_by_its_router() {
    let Some(lab) = Lab::new() else { return };
    lab.sysctl("net.ipv4.ping_group_range", "0 2147483647");
    for who in [As::Nobody, As::Root] {
        let seen: Outcome<Reply> = lab.ask(who, "echo 10.77.1.9 4500");
        assert_eq!(kind(&seen), icmp(IcmpKind::HostUnreachable, "10.77.1.2"));
        let seen: Outcome<Reply> = lab.ask(who, "echo 10.77.2.9 4500");
        assert_eq!(kind(&seen), icmp(IcmpKind::HostUnreachable, "10.77.1.1"));
        let seen: Outcome<Reply> = lab.ask(who, "echo 10.99.0.1 1000");
        assert_eq!(kind(&seen), icmp(IcmpKind::NetUnreachable, "10.77.1.1"), "the router has no route");
        let seen: Outcome<Reply> = lab.ask(who, "echo fd77:2::9 4500");
        assert_eq!(kind(&seen), icmp(IcmpKind::HostUnreachable, "fd77:1::1"));
    }
}

#[test]
fn the_same_errors_come_back_on_a_raw_socket() {
    let Some(lab) = Lab::new() else { return };
    lab.sysctl("net.ipv4.ping_group_range", "1 0");
    let seen: Outcome<Reply> = lab.ask(As::Root, "echo 10.99.0.1 1000");
    assert_eq!(kind(&seen), icmp(IcmpKind::NetUnreachable, "10.77.1.1"));
    let seen: Outcome<Reply> = lab.ask(As::Root, "echo fd99::1 1000");
    assert_eq!(kind(&seen), icmp(IcmpKind::NetUnreachable, "fd77:1::1"));
    let seen: Outcome<Reply> = lab.ask(As::Root, "echo 10.77.2.2 1000 ttl=1");
    assert_eq!(kind(&seen), icmp(IcmpKind::TimeExceeded, "10.77.1.1"));
}

#[test]
fn a_local_firewall_shows_as_eperm_at_once_and_silence_as_silence() {
    let Some(lab) = Lab::new() else { return };
    lab.sysctl("net.ipv4.ping_group_range", "0 2147483647");
    lab.nft(
        "terminal",
        "add table inet t; add chain inet t o { type filter hook output priority 0; }; add rule inet t o ip daddr 10.77.2.2 drop",
    );
    let seen: Outcome<Reply> = lab.ask(As::Nobody, "echo 10.77.2.2 1000");
    assert_eq!(kind(&seen), FailureKind::Local(Errno::EPERM));
    let seen: Outcome<Reply> = lab.ask(As::Nobody, "udp 10.77.2.2:9 500");
    assert_eq!(kind(&seen), FailureKind::Local(Errno::EPERM));

    lab.nft(
        "centre",
        "add table inet t; add chain inet t i { type filter hook input priority 0; }; add rule inet t i ip saddr 10.77.1.2 drop",
    );
    lab.nft("terminal", "delete table inet t");
    let seen: Outcome<Reply> = lab.ask(As::Nobody, "echo 10.77.2.2 300");
    assert_eq!(kind(&seen), FailureKind::Silence);
    let elapsed = seen.failure().map(|failure| failure.elapsed).unwrap_or_default();
    assert!((Duration::from_millis(300)..Duration::from_millis(900)).contains(&elapsed), "{elapsed:?}");
}

#[test]
fn a_refusing_filter_on_the_way_is_named() {
    let Some(lab) = Lab::new() else { return };
    lab.sysctl("net.ipv4.ping_group_range", "0 2147483647");
    lab.nft(
        "router",
        "add table inet t; add chain inet t f { type filter hook forward priority 0; }; \
         add rule inet t f ip daddr 10.77.2.2 reject with icmp type admin-prohibited; \
         add rule inet t f ip6 daddr fd77:2::2 reject with icmpv6 type admin-prohibited",
    );
    let seen: Outcome<Reply> = lab.ask(As::Nobody, "echo 10.77.2.2 1000");
    assert_eq!(kind(&seen), icmp(IcmpKind::AdminProhibited, "10.77.1.1"));
    let seen: Outcome<Reply> = lab.ask(As::Nobody, "echo fd77:2::2 1000");
    assert_eq!(kind(&seen), icmp(IcmpKind::AdminProhibited, "fd77:1::1"));
}

#[test]
fn a_closed_port_and_an_expired_ttl_are_told_with_their_sender_as_nobody() {
    let Some(lab) = Lab::new() else { return };
    for (target, hop, host) in [("10.77.2.2:33434", "10.77.1.1", "10.77.2.2"), ("[fd77:2::2]:33434", "fd77:1::1", "fd77:2::2")] {
        let seen: Outcome<Reply> = lab.ask(As::Nobody, &format!("udp {target} 1000"));
        assert_eq!(kind(&seen), icmp(IcmpKind::PortUnreachable, host));
        let seen: Outcome<Reply> = lab.ask(As::Nobody, &format!("udp {target} 1000 ttl=1"));
        assert_eq!(kind(&seen), icmp(IcmpKind::TimeExceeded, hop));
    }
}

#[test]
fn a_socket_can_be_bound_to_a_device_without_privilege() {
    let Some(lab) = Lab::new() else { return };
    lab.sysctl("net.ipv4.ping_group_range", "0 2147483647");
    lab.run("terminal", "ip link add d0 type veth peer name d1");
    lab.run("terminal", "ip link set d0 up");
    lab.run("terminal", "ip link set d1 up");
    lab.run("terminal", "ip route add 10.77.2.2/32 dev d0");
    let seen: Outcome<Reply> = lab.ask(As::Nobody, "echo 10.77.2.2 300");
    assert!(seen.ok().is_none(), "captured by another device: {seen:?}");
    let seen: Outcome<Reply> = lab.ask(As::Nobody, "echo 10.77.2.2 1000 device=t0");
    assert!(seen.ok().is_some(), "{seen:?}");
    let seen: Outcome<Reply> = lab.ask(As::Nobody, "echo 10.77.2.2 1000 device=nosuch0");
    assert_eq!(kind(&seen), FailureKind::Local(Errno(19)));
}

#[test]
fn the_kernels_route_decision_carries_the_error_number_of_a_refusing_route() {
    let Some(lab) = Lab::new() else { return };
    for (verb, errno) in [("blackhole", Errno::EINVAL), ("unreachable", Errno::EHOSTUNREACH), ("prohibit", Errno::EACCES)] {
        for target in ["10.50.0.1", "fd50::1"] {
            lab.run("terminal", &format!("ip route replace {verb} {target}"));
            let seen: Outcome<Route> = lab.ask(As::Nobody, &format!("route {target}"));
            assert_eq!(kind(&seen), FailureKind::Local(errno), "{verb} {target}");
        }
    }
    let seen: Outcome<Route> = lab.ask(As::Nobody, "route 10.77.2.2");
    let route = seen.ok().expect("there is a default route");
    assert_eq!((route.kind, route.gateway, route.source), (RouteKind::Unicast, Some(ip("10.77.1.1")), Some(ip("10.77.1.2"))));
    assert_eq!((route.device.as_ref().map(ToString::to_string), route.table), (Some("t0".into()), 254));
    let seen: Outcome<Route> = lab.ask(As::Nobody, "route fd77:2::2");
    assert_eq!(seen.ok().and_then(|route| route.gateway), Some(ip("fd77:1::1")));
    let seen: Outcome<Route> = lab.ask(As::Nobody, "route 10.77.1.2");
    assert_eq!(seen.ok().map(|route| route.kind), Some(RouteKind::Local));
    lab.run("terminal", "ip route del default");
    let seen: Outcome<Route> = lab.ask(As::Nobody, "route 10.77.2.2");
    assert_eq!(kind(&seen), FailureKind::Local(Errno::ENETUNREACH));
}

#[test]
fn one_snapshot_has_links_addresses_routes_and_neighbours() {
    let Some(lab) = Lab::new() else { return };
    lab.run("terminal", "ip link add br0 type bridge");
    lab.run("terminal", "ip link add d0 type veth peer name d1");
    lab.run("terminal", "ip link set d0 master br0");
    lab.run("terminal", "ip tuntap add dev tun0 mode tun");
    lab.run("terminal", "ip route add 10.60.0.0/16 via 10.77.1.1 table 77 metric 5");
    lab.run("terminal", "ip route add blackhole 10.61.0.0/16");
    lab.run("terminal", "ping -c1 -W1 10.77.1.1");
    let seen: inside::Local = lab.ask(As::Nobody, "snapshot");

    let links = seen.links.ok().expect("links");
    let link = |name: &str| links.iter().find(|link| link.name.as_str() == name).unwrap_or_else(|| panic!("no {name}: {links:?}"));
    assert_eq!(link("lo").kind, LinkKind::Loopback);
    assert_eq!((&link("t0").kind, link("t0").up, link("t0").carrier, link("t0").mtu), (&LinkKind::Ethernet, true, true, 1500));
    assert!(link("t0").rx_bytes > 0 && link("t0").mac.is_some() && link("t0").carrier_changes > 0);
    assert_eq!((link("t0").speed_mbps, link("t0").full_duplex), (Some(10_000), Some(true)), "veth says so in sysfs");
    assert_eq!((&link("br0").kind, &link("tun0").kind), (&LinkKind::Bridge, &LinkKind::Tun));
    assert_eq!(link("d0").master, Some(link("br0").index));

    let addresses = seen.addresses.ok().expect("addresses");
    assert!(addresses.iter().any(|a| a.link.as_str() == "t0" && a.net.to_string() == "10.77.1.2/24" && a.usable()), "{addresses:?}");
    assert!(addresses.iter().any(|a| a.net.to_string() == "fd77:1::2/64" && a.usable()), "{addresses:?}");

    let routes = seen.routes.ok().expect("routes");
    let route = |text: &str| routes.routes.iter().find(|route| route.destination.to_string() == text);
    assert_eq!(route("10.60.0.0/16").map(|r| (r.table, r.metric)), Some((77, 5)));
    assert_eq!(route("10.61.0.0/16").map(|r| (r.kind, r.device.clone())), Some((RouteKind::Blackhole, None)));
    assert_eq!(routes.defaults().len(), 2, "one for each family: {routes:?}");
    assert!(routes.routes.iter().all(|r| r.table != 255 && r.kind != RouteKind::Local));

    let gateway = seen.neighbours.iter().find(|(address, _)| *address == ip("10.77.1.1")).expect("the gateway was just asked");
    assert!(gateway.1.is_some(), "with its hardware address");
    println!("a snapshot took {:?}", seen.took);
}

#[test]
fn look_ups_at_once_over_one_connection_do_not_mix_up() {
    let Some(lab) = Lab::new() else { return };
    lab.run("terminal", "ip route add unreachable 10.50.0.1");
    let seen: [Outcome<Route>; 2] = lab.ask(As::Nobody, "routes 10.50.0.1 10.77.2.2");
    assert_eq!(kind(&seen[0]), FailureKind::Local(Errno::EHOSTUNREACH));
    assert_eq!(seen[1].ok().and_then(|route| route.gateway), Some(ip("10.77.1.1")));
}

fn gateway_of(look: &Look) -> &Gateway {
    match &look.seen {
        Sighting::Gateway(_, _, Outcome::Ok(gateway)) => gateway,
        other => panic!("no gateway: {other:?}"),
    }
}

#[test]
fn a_healthy_gateway_is_proved_three_times_and_quickly() {
    let Some(lab) = Lab::new() else { return };
    for (gateway, beyond) in [("10.77.1.1", "10.77.2.2"), ("fd77:1::1", "fd77:2::2")] {
        let look: Look = lab.ask(As::Root, &format!("gateway {gateway} 2000 beyond={beyond}"));
        let seen = gateway_of(&look);
        assert!(matches!(seen.arp, ArpAnswer::Answered(_)), "{seen:?}");
        assert!(seen.ping.ok().is_some() && seen.expired_here.is_some() && seen.alive(), "{seen:?}");
        assert_eq!(seen.mac.as_deref().map(str::len), Some(17), "{seen:?}");
        println!("{gateway}: {:?}", look.took);
    }
}

#[test]
fn a_gateway_that_forbids_ping_is_alive_and_does_not_slow_the_round() {
    let Some(lab) = Lab::new() else { return };
    lab.nft(
        "router",
        "add table inet t; add chain inet t i { type filter hook input priority 0; }; \
         add rule inet t i icmp type echo-request drop; add rule inet t i icmpv6 type echo-request drop",
    );
    for gateway in ["10.77.1.1", "fd77:1::1"] {
        let look: Look = lab.ask(As::Root, &format!("gateway {gateway} 2000"));
        let seen = gateway_of(&look);
        assert!(matches!(seen.arp, ArpAnswer::Answered(_)) && seen.alive(), "{seen:?}");
        assert_eq!(kind(&seen.ping), FailureKind::Silence);
        println!("{gateway}: {:?}", look.took);
    }
}

#[test]
fn a_dead_gateway_is_silent_although_the_kernels_table_still_has_it() {
    let Some(lab) = Lab::new() else { return };
    lab.run("terminal", "ping -c1 -W1 10.77.1.1");
    lab.run("terminal", "ping -c1 -W1 fd77:1::1");
    // Dead to the segment without a loss of carrier.
    lab.nft("router", "add table netdev t; add chain netdev t i { type filter hook ingress device r0 priority 0; policy drop; }");
    for gateway in ["10.77.1.1", "fd77:1::1"] {
        let look: Look = lab.ask(As::Root, &format!("gateway {gateway} 2000 beyond=10.77.2.2"));
        let seen = gateway_of(&look);
        assert_eq!(seen.arp, ArpAnswer::Silent, "{seen:?}");
        assert!(!seen.alive() && seen.mac.is_some(), "the table remembers its address: {seen:?}");
        assert_eq!(kind(&seen.ping), FailureKind::Silence);
        println!("{gateway}: {:?}", look.took);
    }
}

#[test]
fn without_capability_a_gateway_is_asked_by_echo_and_ttl_and_arp_is_unknown() {
    let Some(lab) = Lab::new() else { return };
    lab.sysctl("net.ipv4.ping_group_range", "0 2147483647");
    let look: Look = lab.ask(As::Nobody, "gateway 10.77.1.1 2000 beyond=10.77.2.2");
    let seen = gateway_of(&look);
    assert_eq!(seen.arp, ArpAnswer::Unknown(Unseen::Capability("CAP_NET_RAW".into())));
    assert!(seen.ping.ok().is_some() && seen.expired_here.is_some(), "{seen:?}");
    println!("{:?}", look.took);
}

#[test]
fn another_station_with_our_address_is_a_conflict() {
    let Some(lab) = Lab::new() else { return };
    let duplicates = |look: &Look| match &look.seen {
        Sighting::Addresses(Outcome::Ok(list)) => list.iter().filter(|a| a.duplicate).map(|a| a.net.to_string()).collect::<Vec<_>>(),
        other => panic!("no addresses: {other:?}"),
    };
    assert_eq!(duplicates(&lab.ask(As::Root, "conflicts 200")), Vec::<String>::new());
    lab.run("router", "ip address add 10.77.1.2/32 dev r0");
    assert_eq!(duplicates(&lab.ask(As::Root, "conflicts 200")), ["10.77.1.2/24"]);
    assert_eq!(duplicates(&lab.ask(As::Nobody, "conflicts 200")), Vec::<String>::new(), "nothing learnt, nothing claimed");
}

fn hops(look: &Look) -> Vec<HopAnswer> {
    match &look.seen {
        Sighting::Walk(_, Outcome::Ok(hops)) => hops.iter().map(|hop| hop.answer.clone()).collect(),
        other => panic!("no walk: {other:?}"),
    }
}

#[test]
fn a_walk_finds_router_and_destination_as_nobody() {
    let Some(lab) = Lab::new() else { return };
    for (target, router) in [("10.77.2.2", "10.77.1.1"), ("fd77:2::2", "fd77:1::1")] {
        let look: Look = lab.ask(As::Nobody, &format!("walk {target} 2000"));
        assert_eq!(hops(&look), [HopAnswer::Router(ip(router)), HopAnswer::Destination]);
        println!("{target}: {:?}", look.took);
    }
    let refused = HopAnswer::Refused(IcmpError { kind: IcmpKind::NetUnreachable, offender: Some(ip("10.77.1.1")) });
    let seen = hops(&lab.ask(As::Nobody, "walk 10.99.0.1 2000"));
    assert!(seen.contains(&refused), "{seen:?}");
    lab.nft("centre", "add table inet t; add chain inet t i { type filter hook input priority 0; policy drop; }");
    let look: Look = lab.ask(As::Nobody, "walk 10.77.2.2 2000");
    assert_eq!(hops(&look), [HopAnswer::Router(ip("10.77.1.1")), HopAnswer::Silence, HopAnswer::Silence, HopAnswer::Silence]);
    println!("silent: {:?}", look.took);
}

#[test]
fn a_ping_tells_the_same_with_and_without_surge_ping() {
    let Some(lab) = Lab::new() else { return };
    lab.sysctl("net.ipv4.ping_group_range", "0 2147483647");
    let outcome = |look: Look| match look.seen {
        Sighting::Ping(_, outcome) => outcome,
        other => panic!("no ping: {other:?}"),
    };
    for who in [As::Root, As::Nobody] {
        for (target, ttl) in [("10.77.2.2", 63), ("fd77:2::2", 63)] {
            let reply = outcome(lab.ask(who, &format!("ping {target} 1000")));
            assert_eq!(reply.ok().map(|reply| reply.series), Some((1, 1)), "{who:?} {target} {reply:?}");
            assert!(reply.ok().is_some_and(|reply| reply.ttl.is_none_or(|seen| seen == ttl)), "{who:?} {target} {reply:?}");
        }
        let seen = outcome(lab.ask(who, "ping 10.99.0.1 1000"));
        assert_eq!(kind(&seen), icmp(IcmpKind::NetUnreachable, "10.77.1.1"), "{who:?}");
        lab.run("terminal", "ip route add prohibit 10.50.0.1");
        assert_eq!(kind(&outcome(lab.ask(who, "ping 10.50.0.1 1000"))), FailureKind::Local(Errno::EACCES), "{who:?}");
        lab.run("terminal", "ip route del prohibit 10.50.0.1");
        lab.nft(
            "terminal",
            "add table inet t; add chain inet t o { type filter hook output priority 0; }; add rule inet t o ip daddr 10.77.2.2 drop",
        );
        assert_eq!(kind(&outcome(lab.ask(who, "ping 10.77.2.2 1000"))), FailureKind::Local(Errno::EPERM), "{who:?}");
        lab.nft("terminal", "delete table inet t");
    }
    lab.nft("centre", "add table inet t; add chain inet t i { type filter hook input priority 0; policy drop; }");
    for who in [As::Root, As::Nobody] {
        let look: Look = lab.ask(who, "ping 10.77.2.2 600");
        println!("silent: {:?}", look.took);
        assert_eq!(kind(&outcome(look)), FailureKind::Silence, "{who:?}");
    }
}

fn sightings(seen: &inside::Timed<Vec<Sighting>>) -> (&VpnFacts, Option<&Outcome<Reply>>, Option<&Outcome<Reply>>) {
    let facts = seen.seen.iter().find_map(|s| match s {
        Sighting::Vpn(_, outcome) => outcome.ok(),
        _ => None,
    });
    let ping = seen.seen.iter().find_map(|s| match s {
        Sighting::Ping(_, outcome) => Some(outcome),
        _ => None,
    });
    let port = seen.seen.iter().find_map(|s| match s {
        Sighting::Udp(_, outcome) | Sighting::Tcp(_, outcome) => Some(outcome),
        _ => None,
    });
    (facts.unwrap_or_else(|| panic!("no facts: {seen:?}")), ping, port)
}

const OPENVPN: &str = "vpn 1000 config=name='v';kind='openvpn';interface='vpn0';server='10.77.2.2:1194';process='no-such-client'";

#[test]
fn a_real_openvpn_server_answers_a_stranger_and_a_closed_or_filtered_port_is_told_apart() {
    let Some(lab) = Lab::new() else { return };
    lab.sysctl("net.ipv4.ping_group_range", "0 2147483647");
    let look: inside::Timed<Vec<Sighting>> = lab.ask(As::Nobody, OPENVPN);
    let (facts, ping, port) = sightings(&look);
    assert_eq!((facts.interface.as_ref(), facts.process, facts.server.len()), (None, ProcessState::Absent, 1));
    assert!(ping.is_some_and(|ping| ping.ok().is_some()), "{look:?}");
    assert_eq!(port.map(kind), Some(icmp(IcmpKind::PortUnreachable, "10.77.2.2")));

    let look: inside::Timed<Vec<Sighting>> = lab.ask(As::Nobody, &format!("{OPENVPN};transport='tcp'"));
    assert_eq!(sightings(&look).2.map(kind), Some(FailureKind::Refused));

    let Some(_server) = lab.openvpn_server() else { return };
    let look: inside::Timed<Vec<Sighting>> = lab.ask(As::Nobody, OPENVPN);
    assert!(sightings(&look).2.is_some_and(|port| port.ok().is_some()), "{look:?}");
    println!("answered: {:?}", look.took);

    lab.nft(
        "router",
        "add table inet t; add chain inet t f { type filter hook forward priority 0; }; add rule inet t f udp dport 1194 drop",
    );
    let look: inside::Timed<Vec<Sighting>> = lab.ask(As::Nobody, OPENVPN);
    let (_, ping, port) = sightings(&look);
    assert!(ping.is_some_and(|ping| ping.ok().is_some()), "{look:?}");
    assert_eq!(port.map(kind), Some(FailureKind::Silence));
}

#[test]
fn bytes_that_come_back_through_the_tunnel_end_the_outer_looks() {
    let Some(lab) = Lab::new() else { return };
    lab.sysctl("net.ipv4.ping_group_range", "0 2147483647");
    // Deaf to strangers outside; alive inside.
    lab.nft("centre", "add table inet t; add chain inet t i { type filter hook input priority 0; policy drop; }");
    lab.tunnel();
    let question = format!("{OPENVPN};inside='10.88.0.1'");
    let look: inside::Timed<Vec<Sighting>> = lab.ask(As::Nobody, &question.replace("vpn 1000", "vpn 1000 traffic=10.88.0.1"));
    let (facts, _, port) = sightings(&look);
    assert!(facts.received > 0 && facts.sent > 0, "{facts:?}");
    assert_eq!(port, None, "dropped, not called silent");
    assert!(look.took < Duration::from_millis(500), "{:?}", look.took);
    println!("alive: {:?}", look.took);

    lab.nft("router", "add table netdev t; add chain netdev t i { type filter hook ingress device vpn1 priority 0; policy drop; }");
    let look: inside::Timed<Vec<Sighting>> = lab.ask(As::Nobody, &question.replace("vpn 1000", "vpn 1000 traffic=10.88.0.1"));
    let (facts, ping, port) = sightings(&look);
    assert!(facts.received == 0 && facts.sent > 0, "{facts:?}");
    assert_eq!((ping.map(kind), port.map(kind)), (Some(FailureKind::Silence), Some(FailureKind::Silence)));
    assert!(look.took < Duration::from_millis(1500), "{:?}", look.took);
}

#[test]
fn the_age_of_a_userspace_wireguard_handshake_is_read_by_root_and_unseen_to_others() {
    let Some(lab) = Lab::new() else { return };
    let Some(wireguard) = lab.wireguard() else { return };
    let question = format!("vpn 1000 config=name='v';kind='wireguard';interface='{}';server='10.77.2.2:51820'", wireguard.device());
    let look: inside::Timed<Vec<Sighting>> = lab.ask(As::Root, &question);
    let facts = sightings(&look).0;
    assert_eq!((facts.handshake_age_s, facts.handshake_unseen.as_ref()), (None, None), "none yet: {facts:?}");
    lab.run("terminal", "ping -c1 -W2 10.89.0.1");
    let look: inside::Timed<Vec<Sighting>> = lab.ask(As::Root, &question);
    let facts = sightings(&look).0;
    assert!(facts.handshake_age_s.is_some_and(|age| age < 10), "{facts:?}");
    assert_eq!(facts.process, ProcessState::Running, "somebody holds the tunnel");
    let look: inside::Timed<Vec<Sighting>> = lab.ask(As::Nobody, &question);
    let facts = sightings(&look).0;
    assert!(facts.handshake_age_s.is_none() && facts.handshake_unseen.is_some(), "{facts:?}");
}
