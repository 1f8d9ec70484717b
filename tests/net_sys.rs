//! The operating-system edge against a real kernel: each test builds its own network namespaces (terminal, router, centre), breaks
//! something for real, and asks through [`isonet::sys`] and [`isonet::probe`] from inside.
//!
//! Needs root, `ip`, `nft` and `setpriv`; without them a test prints `SKIPPED` and the reason. Nothing leaves the namespaces, and they are
//! removed when the test ends, also when it fails.

#[path = "net_sys/errors.rs"]
mod errors;
#[path = "net_sys/inside.rs"]
mod inside;
#[path = "net_sys/lab.rs"]
mod lab;
#[path = "net_sys/probes.rs"]
mod probes;

use isonet::model::{Errno, FailureKind, IcmpError, IcmpKind, LinkKind, Outcome, ProcessState, Reply, Route, RouteKind};
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
    lab.run("terminal", "ip route add 10.62.0.0/16 nexthop via 10.77.1.1 nexthop via 10.77.1.3");
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
    let both = routes.routes.iter().filter(|r| r.destination.to_string() == "10.62.0.0/16").filter_map(|r| r.gateway);
    assert_eq!(both.collect::<Vec<_>>(), [ip("10.77.1.1"), ip("10.77.1.3")], "one for each next hop");
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

#[test]
fn an_ipv6_address_that_another_station_has_is_flagged_by_the_kernel() {
    let Some(lab) = Lab::new() else { return };
    lab.run("terminal", "sysctl -qw net.ipv6.conf.all.accept_dad=1 net.ipv6.conf.t0.accept_dad=1 net.ipv6.conf.t0.dad_transmits=1");
    lab.run("terminal", "ip address add fd77:1::1/64 dev t0");
    lab.until("terminal", "ip -6 address show dev t0", |out| out.contains("dadfailed"));
    let seen: inside::Local = lab.ask(As::Nobody, "snapshot");
    let addresses = seen.addresses.ok().expect("addresses");
    let flagged: Vec<_> = addresses.iter().filter(|a| a.duplicate).map(|a| a.net.to_string()).collect();
    assert_eq!(flagged, ["fd77:1::1/64"]);
    assert!(addresses.iter().all(|a| !a.duplicate || !a.usable()));
}

#[test]
fn a_program_in_another_network_namespace_is_not_this_terminals() {
    let Some(lab) = Lab::new() else { return };
    let (name, _program) = lab.program("centre");
    assert_eq!(lab.ask::<ProcessState>(As::Root, &format!("process {name}")), ProcessState::Absent);
    let (name, _program) = lab.program("terminal");
    for who in [As::Root, As::Nobody] {
        assert_eq!(lab.ask::<ProcessState>(who, &format!("process {name}")), ProcessState::Running);
    }
}

#[test]
fn changes_that_the_kernel_had_to_drop_are_said_to_be_lost_and_what_was_told_before_them_is_forgotten() {
    let Some(lab) = Lab::new() else { return };
    let (lost, news): (bool, bool) = lab.ask(As::Root, "overrun 10.99.0.1");
    assert!(lost, "a listener that sleeps through 4,000 changes is told so (ENOBUFS)");
    assert!(news, "an address whose end was lost is news when it comes back");
}
