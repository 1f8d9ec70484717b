//! Each thing that differs, and beside it what looks the same and is all well.

use super::*;
use crate::baseline::{HostsEntry, Seen};
use crate::model::Unseen;
use crate::testing::{address, link};

/// `eth0` with 10.1.0.7/24 and a router, `tun0`, one name server, one configured name.
fn enrolled() -> Baseline {
    crate::baseline::tests::baseline()
}

fn around() -> Around {
    Around {
        links: vec![link("eth0", LinkKind::Ethernet), link("tun0", LinkKind::Tun)],
        addresses: vec![address("eth0", "10.1.0.7/24"), address("tun0", "10.20.3.4/32")],
        processes: true,
        ..Around::default()
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn told(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| {
            let lines: Vec<String> = finding.evidence.iter().map(|line| format!("{} {} {}", line.k, line.target, line.result)).collect();
            format!("{} {} {}: {}", finding.code, finding.subject, finding.origin.code(), lines.join("; "))
        })
        .collect()
}

fn of_settings(change: impl Fn(&mut Baseline), around: &Around) -> Vec<String> {
    let was = enrolled();
    let mut now = was.clone();
    change(&mut now);
    told(&settings(&was, &now, around).found)
}

fn of_network(change: impl Fn(&mut Baseline, &mut Around)) -> Vec<String> {
    let (was, mut around) = (enrolled(), around());
    let mut now = was.clone();
    change(&mut now, &mut around);
    told(&network(&was, &now, &around))
}

const NONE: [&str; 0] = [];

#[test]
fn nothing_that_is_as_it_was_is_found() {
    assert_eq!(of_settings(|_| {}, &around()), NONE);
    assert_eq!(of_network(|_, _| {}), NONE);
}

#[test]
fn another_name_of_the_pc_is_found() {
    let found = of_settings(|now| now.host.name = Some("other".to_owned()), &around());
    assert_eq!(found, ["settings.hostname terminal local-change: hostname.enrolled  counter2; hostname.now  other"]);
}

#[test]
fn a_name_with_its_domain_and_one_that_the_network_gives_are_no_other_name() {
    let named = |name: &str, around: &Around| of_settings(|now| now.host.name = Some(name.to_owned()), around).len();
    for same in ["counter2.shop.example", "Counter2", "counter2"] {
        assert_eq!(named(same, &around()), 0, "{same}");
    }
    for other in ["counter20", "counter", "other.counter2"] {
        assert_eq!(named(other, &around()), 1, "{other}");
    }
    assert_eq!(named("dhcp-7", &Around { named_by_network: true, ..around() }), 0);
}

#[test]
fn a_configured_name_with_another_address_is_found_with_both() {
    let change = |now: &mut Baseline| {
        now.host.hosts = FileState::Sha256("ab".repeat(32));
        now.hosts_entries = vec![HostsEntry { name: "settle.centre.example".to_owned(), addresses: vec![ip("10.66.6.6")] }];
    };
    let line = "hosts.enrolled settle.centre.example 10.20.0.10, 10.20.0.11; hosts.now settle.centre.example 10.66.6.6";
    assert_eq!(of_settings(change, &around()), [format!("settings.hosts file:/etc/hosts local-change: {line}")]);
}

#[test]
fn another_line_of_the_hosts_file_ranks_low_and_an_unreadable_file_says_nothing() {
    let was = enrolled();
    let mut now = was.clone();
    now.host.hosts = FileState::Sha256("ab".repeat(32));
    let found = settings(&was, &now, &around()).found;
    assert_eq!((found.len(), found[0].severity), (1, Severity::Low));
    assert!(found[0].evidence.iter().all(|line| line.k.starts_with("file.") && line.result.len() == 16), "{found:?}");
    now.host.hosts = FileState::Unreadable("no".to_owned());
    let seen = settings(&was, &now, &around());
    assert_eq!((told(&seen.found).len(), seen.unseen), (0, vec![FindingCode::SettingsHosts]));
}

fn servers(list: &[&str]) -> Seen<Vec<IpAddr>> {
    Seen::Seen(list.iter().map(|server| ip(server)).collect())
}

#[test]
fn another_name_server_is_found_and_its_origin_is_what_handed_it_out() {
    let change = |now: &mut Baseline| now.resolvers = servers(&["10.9.9.9"]);
    let told = |origin: &str| [format!("settings.resolver terminal {origin}: resolver.enrolled  10.20.0.2; resolver.now  10.9.9.9")];
    assert_eq!(of_settings(change, &around()), told("local-change"));
    let and = |origin: &str, leased: &str| [format!("{}; resolver.leased  {leased}", told(origin)[0])];
    let leased = Around { leased_servers: [ip("10.9.9.9")].into(), ..around() };
    assert_eq!(of_settings(change, &leased), and("upstream", "10.9.9.9"));
    let other = Around { leased_servers: [ip("10.8.8.8")].into(), ..around() };
    assert_eq!(of_settings(change, &other), and("local-change", "10.8.8.8"), "it is not what the network handed out");
    let dynamic = Around { leased: [(IfName::new("eth0"), ip("10.1.0.7"))].into(), ..around() };
    assert_eq!(of_settings(change, &dynamic), told("upstream"), "the card lives on a lease, and its file cannot be read");
    let beside = of_settings(|now| now.resolvers = servers(&["10.9.9.9", "10.66.6.6"]), &leased);
    assert!(beside[0].contains(" local-change:"), "one of two was handed out: {beside:?}");
}

#[test]
fn a_name_server_that_a_router_announces_comes_from_outside_though_no_lease_says_so() {
    let origin = |server: &str, around: &Around| of_settings(|now| now.resolvers = servers(&["10.20.0.2", server]), around)[0].clone();
    let leased = Around { leased_servers: [ip("10.20.0.2")].into(), ..around() };
    assert!(origin("fe80::1", &leased).contains(" upstream:"));
    assert!(origin("fd00::53", &leased).contains(" local-change:"), "no router announces anything here");
    let announced = Around { leased: [(IfName::new("eth0"), ip("fd00::5054:ff:fe00:1"))].into(), ..leased };
    assert!(origin("fd00::53", &announced).contains(" upstream:"));
    assert!(origin("10.9.9.9", &announced).contains(" local-change:"), "one of IPv4 is handed out by DHCP alone");
}

#[test]
fn the_same_name_servers_in_another_order_or_fewer_of_them_are_all_well() {
    let was = Baseline { resolvers: servers(&["10.20.0.2", "10.20.0.3"]), ..enrolled() };
    for list in [&["10.20.0.3", "10.20.0.2"][..], &["10.20.0.3"], &[]] {
        let mut now = Baseline { resolvers: servers(list), ..was.clone() };
        now.host.resolv = FileState::Sha256("ab".repeat(32));
        assert_eq!(told(&settings(&was, &now, &around()).found), NONE, "{list:?}");
    }
}

#[test]
fn with_other_tunnels_or_without_the_file_name_servers_are_not_judged() {
    let was = enrolled();
    let changed = Baseline { resolvers: servers(&["192.168.1.1"]), ..was.clone() };
    let unseen = Baseline { resolvers: Seen::Unseen(Unseen::Unsteady), ..was.clone() };
    for (now, other_tunnels) in [(changed, true), (unseen, false)] {
        let seen = settings(&was, &now, &Around { other_tunnels, ..around() });
        assert_eq!((told(&seen.found).len(), seen.unseen), (0, vec![FindingCode::SettingsResolver]));
    }
}

#[test]
fn another_time_configuration_is_found_and_a_time_daemon_only_where_processes_can_be_seen() {
    let change = |now: &mut Baseline| now.time.files[0].state = FileState::Absent;
    let found = of_settings(change, &around());
    assert!(found[0].starts_with("settings.time file:/etc/chrony/chrony.conf local-change: file.enrolled"), "{found:?}");
    assert!(found[0].ends_with("file.now /etc/chrony/chrony.conf none"), "{found:?}");
    let gone = |now: &mut Baseline| now.time.daemons.clear();
    assert_eq!(of_settings(gone, &around()), ["settings.time program:chronyd local-change: time.daemon chronyd not running"]);
    assert_eq!(of_settings(gone, &Around { processes: false, ..around() }), NONE);
    assert_eq!(of_settings(|now| now.time.daemons.push("ntpd".to_owned()), &around()), NONE, "one more keeps the clock");
    let (was, mut unread) = (enrolled(), enrolled());
    unread.time.files[0].state = FileState::Unreadable("refused".to_owned());
    for (now, processes) in [(&was, false), (&unread, true)] {
        let seen = settings(&was, now, &Around { processes, ..around() });
        assert_eq!((seen.found.len(), seen.unseen), (0, vec![FindingCode::SettingsTime]), "what was found of it is not over");
    }
}

fn reached_by(now: &mut Baseline, gateway: &str) {
    now.gateways[0].address = Some(ip(gateway));
}

#[test]
fn another_address_and_gateway_of_a_card_are_one_finding() {
    let found = of_network(|now, around| {
        reached_by(now, "192.168.7.1");
        around.addresses[0] = address("eth0", "192.168.7.20/24");
    });
    let lines = "gateway.enrolled eth0 10.1.0.1; route.gateway eth0 192.168.7.1; address.prefix eth0 192.168.7.0/24";
    assert_eq!(found, [format!("settings.network link:eth0 local-change: {lines}")]);
}

#[test]
fn what_dhcp_changed_is_from_outside_unless_something_was_set_here_besides() {
    let leased = |around: &mut Around| around.leased = [(IfName::new("eth0"), ip("192.168.7.20"))].into();
    let found = of_network(|now, around| {
        reached_by(now, "192.168.7.1");
        around.addresses[0] = address("eth0", "192.168.7.20/24");
        leased(around);
    });
    assert!(found[0].starts_with("settings.network link:eth0 upstream"), "{found:?}");
    let found = of_network(|_, around| {
        around.addresses = vec![address("eth0", "192.168.7.20/24"), address("eth0", "172.30.0.5/24")];
        leased(around);
    });
    assert!(found[0].starts_with("settings.network link:eth0 local-change"), "{found:?}");
}

#[test]
fn another_router_that_announces_itself_is_from_outside() {
    let (mut was, around) = (enrolled(), around());
    was.gateways[0].address = Some(ip("fe80::1"));
    let mut now = was.clone();
    reached_by(&mut now, "fe80::2");
    let lines = "gateway.enrolled eth0 fe80::1; route.gateway eth0 fe80::2";
    assert_eq!(told(&network(&was, &now, &around)), [format!("settings.network link:eth0 upstream: {lines}")]);
}

#[test]
fn a_bridge_of_containers_another_address_of_the_tunnel_or_of_the_same_prefix_and_an_outage_are_all_well() {
    let found = of_network(|_, around| {
        around.links.push(link("docker0", LinkKind::Bridge));
        around.addresses.push(address("docker0", "172.17.0.1/16"));
        around.addresses.push(address("veth12ab", "172.18.0.1/16"));
    });
    assert_eq!(found, NONE, "docker");
    let (mut was, mut now) = (enrolled(), enrolled());
    for side in [&mut was, &mut now] {
        let bridge = Interface { name: IfName::new("docker0"), device: Some("virtual".to_owned()), ..side.interfaces[0].clone() };
        side.interfaces.push(bridge);
    }
    let mut moved = around();
    moved.links.push(link("docker0", LinkKind::Bridge));
    moved.addresses.push(address("docker0", "172.30.0.1/16"));
    assert_eq!(told(&network(&was, &now, &moved)), NONE, "docker moved its enrolled bridge");
    let found = of_network(|_, around| around.addresses.push(address("eth0", "10.9.0.1/32")));
    assert_eq!(found, NONE, "an address for itself alone");
    let found = of_network(|_, around| around.addresses = vec![address("eth0", "10.1.0.99/24"), address("tun0", "10.30.1.1/24")]);
    assert_eq!(found, NONE, "a lease renewed with another address, another session");
    let found = of_network(|now, around| {
        now.gateways.clear();
        around.addresses = vec![address("eth0", "169.254.3.4/16")];
    });
    assert_eq!(found, NONE, "nothing is handed out: a disconnection");
    let found = of_network(|_, around| around.addresses.push(address("eth0", "2001:db8::7/64")));
    assert_eq!(found, NONE, "what a router announces is looked at elsewhere");
    let mut offline = enrolled();
    offline.gateways.clear();
    assert_eq!(told(&network(&offline, &enrolled(), &around())), NONE, "there was none at enrolment: a way out, told elsewhere");
}

#[test]
fn a_second_gateway_beside_the_enrolled_one_is_not_another_setting() {
    let found = of_network(|now, _| {
        let second = KnownGateway { address: Some(ip("10.1.0.254")), ..now.gateways[0].clone() };
        now.gateways.push(second);
    });
    assert_eq!(found, NONE);
}

#[test]
fn a_hardware_address_set_over_the_cards_own_is_found_and_that_of_a_bonds_member_is_not() {
    let set = |now: &mut Baseline| {
        now.interfaces[0].mac_origin = MacOrigin::Set;
        now.interfaces[0].mac = Some("02:00:00:00:00:01".to_owned());
    };
    let mut drawn = enrolled();
    drawn.interfaces[0].mac_origin = MacOrigin::Random;
    let mut now = drawn.clone();
    set(&mut now);
    assert_eq!(told(&network(&drawn, &now, &around())), NONE, "it never had one of its own");
    let found = of_network(|now, _| {
        set(now);
        now.interfaces[0].mac_origin = MacOrigin::Random;
    });
    assert_eq!(found, NONE, "nobody set it");
    let found = of_network(|now, _| set(now));
    let lines = "mac.enrolled eth0 52:54:00:00:00:01; mac.set eth0 02:00:00:00:00:01";
    assert_eq!(found, [format!("settings.network link:eth0 local-change: {lines}")]);
    let found = of_network(|now, around| {
        set(now);
        around.links[0].master = Some(7);
    });
    assert_eq!(found, NONE);
    let found = of_network(|now, around| {
        set(now);
        around.links[0].kind = LinkKind::Wifi;
    });
    assert_eq!(found, NONE, "a wireless card looks for networks under names that it makes up");
}
