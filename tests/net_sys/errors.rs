//! Who says that something cannot be reached, and from how far: the error queue and ARP in the cases that are easily confused.

use super::inside::Look;
use super::lab::{As, Lab};
use super::probes::{gateway_of, hops};
use super::{icmp, ip, kind};
use isonet::model::{ArpAnswer, Errno, FailureKind, HopAnswer, IcmpError, IcmpKind, Outcome, Reply, Sighting};
use std::time::Duration;

/// What lies behind the centre: networks of which the centre, two hops away, says each in its own way that it does not serve them.
fn beyond_the_centre(lab: &Lab) {
    lab.run("centre", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    lab.run("router", "ip route add 10.88.0.0/16 via 10.77.2.2");
    lab.run("router", "ip route add fd88::/16 via fd77:2::2");
    // Not by routes: a kernel says only a few of those refusals a second.
    lab.nft(
        "centre",
        "add table inet t; add chain inet t f { type filter hook forward priority 0; }; \
         add rule inet t f ip daddr 10.88.1.0/24 reject with icmp type host-unreachable; \
         add rule inet t f ip daddr 10.88.2.0/24 reject with icmp type admin-prohibited; \
         add rule inet t f ip6 daddr fd88:2::/64 reject with icmpv6 type admin-prohibited; \
         add rule inet t f ip daddr 10.88.3.0/24 drop",
    );
}

#[test]
fn a_router_two_hops_away_is_named_as_the_one_that_refuses() {
    let Some(lab) = Lab::new() else { return };
    lab.sysctl("net.ipv4.ping_group_range", "0 2147483647");
    beyond_the_centre(&lab);
    let cases = [
        ("10.88.1.1", IcmpKind::HostUnreachable, "10.77.2.2"),
        ("10.88.2.1", IcmpKind::AdminProhibited, "10.77.2.2"),
        ("fd88:2::1", IcmpKind::AdminProhibited, "fd77:2::2"),
    ];
    for (target, word, offender) in cases {
        for who in [As::Nobody, As::Root] {
            let seen: Outcome<Reply> = lab.ask(who, &format!("echo {target} 1500"));
            assert_eq!(kind(&seen), icmp(word, offender), "echo {target} as {who:?}");
        }
        let at = if target.contains(':') { format!("[{target}]:9") } else { format!("{target}:9") };
        let seen: Outcome<Reply> = lab.ask(As::Nobody, &format!("udp {at} 1500"));
        assert_eq!(kind(&seen), icmp(word, offender), "udp {target}");
        let near = if target.contains(':') { "fd77:1::1" } else { "10.77.1.1" };
        for (ttl, offender) in [(1, near), (2, offender)] {
            let seen: Outcome<Reply> = lab.ask(As::Nobody, &format!("udp {at} 1500 ttl={ttl}"));
            let told = kind(&seen);
            // The second hop looks at the TTL or at its table first, as its kernel pleases.
            assert!(
                told == icmp(IcmpKind::TimeExceeded, offender) || (ttl == 2 && told == icmp(word, offender)),
                "{target} {ttl}: {told:?}"
            );
        }
    }
    let seen = hops(&lab.ask(As::Nobody, "walk 10.88.2.1 2000"));
    assert_eq!(seen.first(), Some(&HopAnswer::Router(ip("10.77.1.1"))), "{seen:?}");
    let refused = HopAnswer::Refused(IcmpError { kind: IcmpKind::AdminProhibited, offender: Some(ip("10.77.2.2")) });
    assert!(seen.contains(&refused), "{seen:?}");
    let seen: Outcome<Reply> = lab.ask(As::Nobody, "echo 10.88.3.1 300");
    assert_eq!(kind(&seen), FailureKind::Silence, "a black hole says nothing");
}

#[test]
fn a_neighbour_whose_hardware_address_nobody_tells_is_unreachable_by_our_own_word() {
    let Some(lab) = Lab::new() else { return };
    lab.sysctl("net.ipv4.ping_group_range", "0 2147483647");
    for (target, own) in [("10.77.1.9", "10.77.1.2"), ("fd77:1::9", "fd77:1::2")] {
        let at = if target.contains(':') { format!("[{target}]:9") } else { format!("{target}:9") };
        for question in [format!("udp {at} 4500"), format!("tcp {at} 4500")] {
            let seen: Outcome<Reply> = lab.ask(As::Nobody, &question);
            let told = kind(&seen);
            let ours = told == icmp(IcmpKind::HostUnreachable, own) || told == FailureKind::Local(Errno::EHOSTUNREACH);
            assert!(ours, "{question}: {told:?}");
            let waited = seen.failure().map(|failure| failure.elapsed).unwrap_or_default();
            assert!(waited < Duration::from_secs(4), "{question}: {waited:?}");
        }
    }
    // One that is there and says nothing is silent instead.
    lab.nft("router", "add table inet t; add chain inet t i { type filter hook input priority 0; }; add rule inet t i udp dport 9 drop");
    let seen: Outcome<Reply> = lab.ask(As::Nobody, "udp 10.77.1.1:9 3500");
    assert_eq!(kind(&seen), FailureKind::Silence);
}

#[test]
fn a_known_gateway_is_asked_by_unicast_first_and_a_new_one_by_broadcast() {
    let Some(lab) = Lab::new() else { return };
    let ask = || lab.ask::<Look>(As::Root, "gateway 10.77.1.1 2000");
    lab.run("terminal", "ping -c1 -W1 10.77.1.1");
    // A broadcast that gets lost, as wireless ones do.
    lab.nft(
        "router",
        "add table netdev t; add chain netdev t i { type filter hook ingress device r0 priority 0; }; \
         add rule netdev t i ether daddr ff:ff:ff:ff:ff:ff drop",
    );
    let look = ask();
    let seen = gateway_of(&look);
    assert!(matches!(seen.arp, ArpAnswer::Answered(after) if after < Duration::from_millis(240)), "by unicast, at once: {seen:?}");
    lab.run("terminal", "ip neigh flush dev t0");
    assert_eq!(gateway_of(&ask()).arp, ArpAnswer::Silent, "nobody hears a broadcast");

    lab.nft("router", "delete table netdev t");
    // Another router under the old address: the unicast goes to nobody, the broadcast finds it.
    lab.run("terminal", "ip neigh replace 10.77.1.1 lladdr 02:00:00:00:00:77 dev t0 nud stale");
    let look = ask();
    let seen = gateway_of(&look);
    assert!(matches!(seen.arp, ArpAnswer::Answered(after) if after < Duration::from_millis(900)), "{seen:?}");
    assert_ne!(seen.mac.as_deref(), Some("02:00:00:00:00:77"), "{seen:?}");
    assert_eq!(seen.mac.as_deref().map(str::len), Some(17));
}

#[test]
fn a_conflict_is_seen_with_one_capability_and_on_the_right_card_only() {
    let Some(lab) = Lab::new() else { return };
    lab.run("terminal", "ip link add d0 type veth peer name d1");
    lab.run("terminal", "ip link set d0 up");
    lab.run("terminal", "ip link set d1 up");
    lab.run("terminal", "ip address add 10.78.0.2/24 dev d0");
    lab.run("router", "ip address add 10.77.1.2/32 dev r0");
    // Another address of the same station is none, nor is one of ours for which our own other card answers.
    lab.run("router", "ip address add 10.77.1.3/32 dev r0");
    for who in [As::Service, As::Root] {
        let look: Look = lab.ask(who, "conflicts 300");
        let Sighting::Addresses(Outcome::Ok(list)) = &look.seen else { panic!("{look:?}") };
        let taken: Vec<_> = list.iter().filter(|a| a.duplicate).map(|a| (a.link.to_string(), a.net.to_string())).collect();
        assert_eq!(taken, [("t0".to_owned(), "10.77.1.2/24".to_owned())], "{who:?}");
    }
}
