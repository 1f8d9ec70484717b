//! The probes against the same lab: gateway, walk, echo, VPN.

use super::inside::{Look, Timed};
use super::lab::{As, Lab};
use super::{icmp, ip, kind};
use isonet::model::{
    ArpAnswer, Errno, FailureKind, Gateway, HopAnswer, IcmpError, IcmpKind, Outcome, ProcessState, Reply, Sighting, Unseen, VpnFacts,
};
use std::time::Duration;

pub(crate) fn gateway_of(look: &Look) -> &Gateway {
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
fn the_services_user_with_one_capability_sees_as_much_as_root() {
    let Some(lab) = Lab::new() else { return };
    lab.sysctl("net.ipv4.ping_group_range", "1 0");
    for (gateway, beyond) in [("10.77.1.1", "10.77.2.2"), ("fd77:1::1", "fd77:2::2")] {
        let look: Look = lab.ask(As::Service, &format!("gateway {gateway} 2000 beyond={beyond}"));
        let seen = gateway_of(&look);
        assert!(matches!(seen.arp, ArpAnswer::Answered(_)) && seen.ping.ok().is_some() && seen.expired_here.is_some(), "{seen:?}");
        let look: Look = lab.ask(As::Service, &format!("ping {beyond} 1000"));
        assert!(matches!(&look.seen, Sighting::Ping(_, Outcome::Ok(_))), "{look:?}");
    }
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

pub(crate) fn hops(look: &Look) -> Vec<HopAnswer> {
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

fn sightings(seen: &Timed<Vec<Sighting>>) -> (&VpnFacts, Option<&Outcome<Reply>>, Option<&Outcome<Reply>>) {
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
    let look: Timed<Vec<Sighting>> = lab.ask(As::Nobody, OPENVPN);
    let (facts, ping, port) = sightings(&look);
    assert_eq!((facts.interface.as_ref(), facts.process, facts.server.len()), (None, ProcessState::Absent, 1));
    assert!(ping.is_some_and(|ping| ping.ok().is_some()), "{look:?}");
    assert_eq!(port.map(kind), Some(icmp(IcmpKind::PortUnreachable, "10.77.2.2")));

    let look: Timed<Vec<Sighting>> = lab.ask(As::Nobody, &format!("{OPENVPN};transport='tcp'"));
    assert_eq!(sightings(&look).2.map(kind), Some(FailureKind::Refused));

    let Some(_server) = lab.openvpn_server() else { return };
    let look: Timed<Vec<Sighting>> = lab.ask(As::Nobody, OPENVPN);
    assert!(sightings(&look).2.is_some_and(|port| port.ok().is_some()), "{look:?}");
    println!("answered: {:?}", look.took);

    lab.nft(
        "router",
        "add table inet t; add chain inet t f { type filter hook forward priority 0; }; add rule inet t f udp dport 1194 drop",
    );
    let look: Timed<Vec<Sighting>> = lab.ask(As::Nobody, OPENVPN);
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
    let look: Timed<Vec<Sighting>> = lab.ask(As::Nobody, &question.replace("vpn 1000", "vpn 1000 traffic=10.88.0.1"));
    let (facts, _, port) = sightings(&look);
    assert!(facts.received > 0 && facts.sent > 0, "{facts:?}");
    assert_eq!(port, None, "dropped, not called silent");
    assert!(look.took < Duration::from_millis(500), "{:?}", look.took);
    println!("alive: {:?}", look.took);

    lab.nft("router", "add table netdev t; add chain netdev t i { type filter hook ingress device vpn1 priority 0; policy drop; }");
    let look: Timed<Vec<Sighting>> = lab.ask(As::Nobody, &question.replace("vpn 1000", "vpn 1000 traffic=10.88.0.1"));
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
    let look: Timed<Vec<Sighting>> = lab.ask(As::Root, &question);
    let facts = sightings(&look).0;
    assert_eq!((facts.handshake_age_s, facts.handshake_unseen.as_ref()), (None, None), "none yet: {facts:?}");
    lab.run("terminal", "ping -c1 -W2 10.89.0.1");
    let look: Timed<Vec<Sighting>> = lab.ask(As::Root, &question);
    let facts = sightings(&look).0;
    assert!(facts.handshake_age_s.is_some_and(|age| age < 10), "{facts:?}");
    assert_eq!(facts.process, ProcessState::Running, "somebody holds the tunnel");
    let look: Timed<Vec<Sighting>> = lab.ask(As::Nobody, &question);
    let facts = sightings(&look).0;
    assert!(facts.handshake_age_s.is_none() && facts.handshake_unseen.is_some(), "{facts:?}");
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
fn a_lost_first_echo_is_made_good_by_the_second() {
    let Some(lab) = Lab::new() else { return };
    let every_second = "ip daddr 10.77.2.2 numgen inc mod 2 == 0 drop";
    lab.nft(
        "router",
        &format!("add table inet t; add chain inet t f {{ type filter hook forward priority 0; }}; add rule inet t f {every_second}"),
    );
    let look: Look = lab.ask(As::Root, "ping 10.77.2.2 1000");
    assert!(matches!(&look.seen, Sighting::Ping(_, Outcome::Ok(reply)) if reply.series == (2, 1)), "{look:?}");
}
