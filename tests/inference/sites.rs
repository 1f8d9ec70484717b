//! Networks as they are at real counters: what is unusual there and no fault, and what breaks there in its own way.

use crate::world::*;
use isonet::baseline::Enrolment;
use isonet::config::{Access, Config};
use isonet::infer::diagnose;
use isonet::model::*;

fn state(diagnosis: &Diagnosis, layer: Layer) -> LayerState {
    diagnosis.path.iter().find(|item| item.layer == layer).unwrap().state
}

fn asked_of(resolver: &str, outcome: Outcome<Answer>) -> Sighting {
    Sighting::Query(QueryKey { resolver: ip(resolver), name: "settle.centre.example".to_owned() }, outcome)
}

/// The shop's router is its name server; it passes questions on over the line.
fn router_is_resolver(line: Vec<Sighting>) -> Vec<Sighting> {
    let mut all = terminal();
    all.retain(|s| !matches!(s, Sighting::RouteTo(to, _) if *to == ip(RESOLVER)));
    all.extend([resolvers(&[GATEWAY]), Sighting::Ping(ip(GATEWAY), answer())]);
    all.push(Sighting::RouteTo(ip(GATEWAY), Outcome::Ok(route(GATEWAY, "eth0", None))));
    with(all, line)
}

#[test]
fn a_router_that_is_also_the_name_server_is_no_sign_from_beyond_it() {
    let fails =
        || [asked_of(GATEWAY, failed(FailureKind::Rcode(Rcode::ServFail), 1)), lookup(failed(FailureKind::Rcode(Rcode::ServFail), 9))];
    let silence = [Sighting::Tcp(at(CENTRE, 443), silent()), Sighting::Ping(ip(CENTRE), silent())];
    let dead = ask(&leased(), with(router_is_resolver(fails().to_vec()), silence));
    root(&dead, Cause::LineDown, Certainty::Likely);
    assert_eq!(state(&dead, Layer::Line), LayerState::Failed);
    let mut by_name = leased();
    by_name.centres[0].addresses.clear();
    let nameless = ask(&by_name, router_is_resolver(fails().to_vec()));
    root(&nameless, Cause::LineDown, Certainty::Likely);
    assert_eq!(names(&nameless), [Cause::LineDown, Cause::DnsServfail], "{nameless:#?}");
    assert_eq!((state(&nameless, Layer::Line), state(&nameless, Layer::Dns)), (LayerState::Failed, LayerState::Skipped));
}

fn pppoe() -> Vec<Sighting> {
    vec![
        links(vec![link("eth0", LinkKind::Ethernet, true, true), Link { index: 9, ..link("ppp0", LinkKind::Ppp, true, true) }]),
        addresses(&[("ppp0", "10.64.1.2/32")]),
        routes(vec![route("0.0.0.0/0", "ppp0", None)]),
        Sighting::RouteTo(ip(CENTRE), Outcome::Ok(route(CENTRE, "ppp0", None))),
        Sighting::RouteTo(ip(RESOLVER), Outcome::Ok(route(RESOLVER, "ppp0", None))),
        resolvers(&[RESOLVER]),
    ]
}

#[test]
fn a_pppoe_line_has_no_gateway_and_can_still_be_down() {
    let dead = ask(&leased(), with(pppoe(), dead_air()));
    root(&dead, Cause::LineDown, Certainty::Likely);
    assert_eq!(names(&dead), [Cause::LineDown, Cause::CentreOutage]);
    let well = [query(knows(CENTRE)), lookup(found(&[CENTRE], LookupSource::Dns)), Sighting::Tcp(at(CENTRE, 443), answer())];
    silent_about(&ask(&leased(), with(with(pppoe(), well), [tls(Outcome::Ok(handshake(Some(0))))])));
}

#[test]
fn a_tunnel_pattern_that_also_fits_the_pppoe_line_accuses_no_card() {
    let mut config = tunnelled();
    config.vpns[0].interface = "ppp*".parse().unwrap();
    let diagnosis = ask(&config, with(pppoe(), dead_air()));
    assert!(names(&diagnosis).iter().all(|cause| cause.layer() > Layer::Address), "{diagnosis:#?}");
}

#[test]
fn a_front_end_on_the_segment_is_judged_without_the_gateway() {
    let mut config = leased();
    config.network.access = Access::FrontEnd;
    config.centres[0].host = "192.168.1.5".to_owned();
    config.centres[0].addresses.clear();
    let dead = [
        Sighting::RouteTo(ip("192.168.1.5"), Outcome::Ok(route("192.168.1.5", "eth0", None))),
        gateway(ArpAnswer::Silent, silent()),
        Sighting::Tcp(at("192.168.1.5", 443), failed(FailureKind::Local(Errno::EHOSTUNREACH), 3060)),
        Sighting::Ping(ip("192.168.1.5"), icmp(IcmpKind::HostUnreachable, "192.168.1.20")),
    ];
    let diagnosis = ask(&config, with(terminal(), dead.clone()));
    root(&diagnosis, Cause::FrontendDown, Certainty::Possible);
    let neighbour = ask(&config, with(with(terminal(), dead), [alive_gateway()]));
    root(&neighbour, Cause::FrontendDown, Certainty::Likely);
}

#[test]
fn behind_a_front_end_access_a_silent_line_has_the_front_end_at_its_end() {
    let mut config = leased();
    config.network.access = Access::FrontEnd;
    let diagnosis = ask(&config, with(terminal(), dead_air()));
    assert_eq!(names(&diagnosis), [Cause::LineDown, Cause::FrontendDown]);
}

#[test]
fn a_bridge_over_the_card_that_lost_its_signal_is_the_link() {
    let bridge = Link { index: 5, ..link("br0", LinkKind::Bridge, true, false) };
    let card = Link { master: Some(5), ..link("eth0", LinkKind::Ethernet, true, false) };
    let broken = [
        links(vec![card, bridge]),
        addresses(&[("br0", "192.168.1.20/24")]),
        routes(vec![]),
        Sighting::RouteTo(ip(CENTRE), local(Errno::ENETUNREACH)),
        Sighting::RouteTo(ip(RESOLVER), local(Errno::ENETUNREACH)),
    ];
    let diagnosis = ask(&leased(), with(with(terminal(), dead_air()), broken));
    root(&diagnosis, Cause::LinkNoCarrier, Certainty::Proven);
    assert_eq!(diagnosis.verdicts[0].subject, Subject::Link(IfName::new("br0")));
}

#[test]
fn a_bridge_of_containers_that_takes_the_centre_is_no_loose_cable() {
    let docker = Link { index: 7, ..link("docker0", LinkKind::Bridge, true, false) };
    let taken = [
        links(vec![link("eth0", LinkKind::Ethernet, true, true), docker]),
        addresses(&[("eth0", "192.168.1.20/24"), ("docker0", "10.20.0.1/24")]),
        Sighting::RouteTo(ip(CENTRE), Outcome::Ok(route(CENTRE, "docker0", None))),
        Sighting::RouteTo(ip(RESOLVER), Outcome::Ok(route(RESOLVER, "docker0", None))),
    ];
    root(&ask(&leased(), with(with(terminal(), dead_air()), taken)), Cause::RouteCaptured, Certainty::Likely);
}

const CENTRE6: &str = "fd20::10";
const GATEWAY6: &str = "fe80::1";

/// The centre has both families, and IPv6 comes first.
fn dual(six: Vec<Sighting>) -> Vec<Sighting> {
    let seen = Gateway { neighbour: Neighbour::Failed, mac: None, arp: ArpAnswer::Silent, ping: silent(), expired_here: None };
    let both = [
        addresses(&[("eth0", "192.168.1.20/24"), ("eth0", "fd01::20/64")]),
        Sighting::RouteTo(ip(CENTRE6), Outcome::Ok(route(CENTRE6, "eth0", Some(GATEWAY6)))),
        Sighting::Gateway(IfName::new("eth0"), ip(GATEWAY6), Outcome::Ok(seen)),
        lookup(found(&[CENTRE6, CENTRE], LookupSource::Dns)),
        query(knows(CENTRE)),
        Sighting::Tcp(at(CENTRE6, 443), silent()),
        Sighting::Ping(ip(CENTRE6), silent()),
    ];
    with(with(healthy(), both), six)
}

#[test]
fn a_dead_second_family_is_a_note_while_the_first_serves() {
    let diagnosis = ask(&leased(), dual(vec![]));
    silent_about(&diagnosis);
    assert!(diagnosis.notes.iter().any(|n| n.code == NoteCode::OtherFamily));
}

#[test]
fn a_dead_gateway_of_one_family_is_not_accused_while_that_of_the_other_lives() {
    let mut dead = dual(vec![Sighting::Tcp(at(CENTRE, 443), silent()), Sighting::Ping(ip(CENTRE), silent()), query(silent())]);
    dead.extend([Sighting::Ping(ip(RESOLVER), silent()), tls(Outcome::Unknown(Unseen::Skipped))]);
    root(&ask(&leased(), dead), Cause::LineDown, Certainty::Likely);
}

#[test]
fn a_router_without_a_route_for_one_family_does_not_prove_the_line_down() {
    let live6 = Gateway { neighbour: Neighbour::Reachable, mac: None, arp: ArpAnswer::Silent, ping: answer(), expired_here: None };
    let mut dead = dual(vec![
        Sighting::Gateway(IfName::new("eth0"), ip(GATEWAY6), Outcome::Ok(live6)),
        Sighting::Ping(ip(CENTRE6), icmp(IcmpKind::NetUnreachable, GATEWAY6)),
    ]);
    dead.extend([Sighting::Tcp(at(CENTRE, 443), silent()), Sighting::Ping(ip(CENTRE), silent()), query(silent())]);
    dead.extend([Sighting::Ping(ip(RESOLVER), silent()), tls(Outcome::Unknown(Unseen::Skipped))]);
    root(&ask(&leased(), dead), Cause::LineDown, Certainty::Likely);
}

#[test]
fn a_host_that_the_gateway_cannot_reach_is_not_the_line_for_certain() {
    let word =
        [Sighting::Tcp(at(CENTRE, 443), local(Errno::EHOSTUNREACH)), Sighting::Ping(ip(CENTRE), icmp(IcmpKind::HostUnreachable, GATEWAY))];
    let diagnosis = ask(&leased(), with(with(terminal(), dead_air()), word));
    root(&diagnosis, Cause::LineDown, Certainty::Likely);
    assert_eq!(names(&diagnosis), [Cause::LineDown, Cause::CentreOutage]);
}

#[test]
fn a_gateway_that_forbids_is_not_a_dead_name_server() {
    let word = [
        Sighting::Tcp(at(CENTRE, 443), local(Errno::EHOSTUNREACH)),
        Sighting::Ping(ip(CENTRE), icmp(IcmpKind::AdminProhibited, GATEWAY)),
        query(icmp(IcmpKind::AdminProhibited, GATEWAY)),
    ];
    root(&ask(&leased(), with(with(terminal(), dead_air()), word)), Cause::LineDown, Certainty::Likely);
}

#[test]
fn one_of_several_centres_on_one_line_is_dead_alone() {
    let mut config = leased();
    let mut second = config.centres[0].clone();
    (second.name, second.host, second.critical) = ("upload".to_owned(), "10.20.0.11".to_owned(), false);
    second.addresses.clear();
    config.centres.push(second);
    let dead = [
        Sighting::RouteTo(ip("10.20.0.11"), Outcome::Ok(route("10.20.0.11", "eth0", Some(GATEWAY)))),
        Sighting::Tcp(at("10.20.0.11", 443), silent()),
        Sighting::Ping(ip("10.20.0.11"), silent()),
    ];
    let diagnosis = ask(&config, with(healthy(), dead));
    assert_eq!(diagnosis.connected, Some(true));
    assert_eq!(diagnosis.verdicts[0].cause, Cause::CentreOutage);
    assert!(diagnosis.verdicts.iter().all(|v| !v.disconnects && v.certainty < Certainty::Proven));
}

#[test]
fn one_dead_address_of_several_is_no_fault() {
    let second = "10.20.0.12";
    let all = [
        lookup(found(&[second, CENTRE], LookupSource::Dns)),
        Sighting::Tcp(at(second, 443), silent()),
        Sighting::Ping(ip(second), silent()),
        Sighting::Tls(TlsKey { at: at(second, 443), server_name: "settle.centre.example".to_owned() }, Outcome::Unknown(Unseen::Skipped)),
    ];
    silent_about(&ask(&leased(), with(healthy(), all)));
}

#[test]
fn a_pc_that_forbids_its_own_echo_is_not_cut_off_by_that_for_certain() {
    let mut config = leased();
    config.centres[0].host = CENTRE.to_owned();
    let denied = [Sighting::Ping(ip(CENTRE), local(Errno::EPERM)), Sighting::Tcp(at(CENTRE, 443), silent())];
    let diagnosis = ask(&config, with(terminal(), denied));
    root(&diagnosis, Cause::FirewallOutput, Certainty::Likely);
    assert_eq!(names(&diagnosis), [Cause::FirewallOutput, Cause::CentreOutage]);
}

#[test]
fn a_rejection_from_our_own_address_is_our_own_firewall() {
    let mut broken = with(terminal(), dead_air());
    broken.extend([
        query(icmp(IcmpKind::PortUnreachable, "192.168.1.20")),
        Sighting::Ping(ip(CENTRE), icmp(IcmpKind::PortUnreachable, "192.168.1.20")),
    ]);
    broken.push(Sighting::Ping(ip(RESOLVER), icmp(IcmpKind::AdminProhibited, "192.168.1.20")));
    broken.push(Sighting::Tcp(at(CENTRE, 443), local(Errno::EHOSTUNREACH)));
    root(&ask(&leased(), broken), Cause::FirewallOutput, Certainty::Proven);
}

#[test]
fn a_filter_on_the_way_does_not_prove_the_name_server_closed() {
    let filter = [lookup(failed(FailureKind::Rcode(Rcode::ServFail), 5)), query(icmp(IcmpKind::PortUnreachable, "10.66.0.1"))];
    let diagnosis = ask(&leased(), with(healthy(), filter));
    root(&diagnosis, Cause::DnsTimeout, Certainty::Likely);
}

#[test]
fn a_protocol_we_do_not_speak_leaves_the_centre_unknown() {
    says_nothing(&ask(&leased(), with(healthy(), [tls(failed(FailureKind::Tls(TlsFault::Unsupported, None), 5))])));
}

#[test]
fn a_gateway_that_forbids_ping_is_not_accused_by_an_unconfigured_unprivileged_pc() {
    let unprivileged = ArpAnswer::Unknown(Unseen::Capability("CAP_NET_RAW".to_owned()));
    let mut seen = with(terminal(), [gateway(unprivileged, silent()), Sighting::Ping(ip(RESOLVER), silent())]);
    let idle = Link { index: 3, ..link("eth1", LinkKind::Ethernet, true, false) };
    let radio = Link { index: 4, ..link("wlan0", LinkKind::Wifi, false, false) };
    let docker = Link { index: 5, ..link("docker0", LinkKind::Bridge, true, false) };
    seen.push(links(vec![link("eth0", LinkKind::Ethernet, true, true), idle, radio, docker]));
    says_nothing(&ask(&Config::default(), seen));
}

#[test]
fn a_centre_of_which_only_echo_is_known_may_forbid_it() {
    let mut config = leased();
    config.centres[0].tcp.clear();
    config.centres[0].tls = None;
    let mut base = healthy();
    base.retain(|s| !matches!(s, Sighting::Tcp(..) | Sighting::Tls(..)));
    says_nothing(&ask(&config, with(base.clone(), [Sighting::Ping(ip(CENTRE), silent())])));
    let told = [Sighting::Ping(ip(CENTRE), icmp(IcmpKind::HostUnreachable, "10.66.0.1"))];
    root(&ask(&config, with(base, told)), Cause::CentreOutage, Certainty::Likely);
}

#[test]
fn silent_echoes_alone_accuse_nobody_when_the_deadline_came_first() {
    let late = [
        Sighting::Tcp(at(CENTRE, 443), Outcome::Unknown(Unseen::Deadline)),
        tls(Outcome::Unknown(Unseen::Skipped)),
        Sighting::Ping(ip(CENTRE), silent()),
        Sighting::Ping(ip(RESOLVER), silent()),
        lookup(found(&[CENTRE], LookupSource::Hosts)),
    ];
    for hop in [alive_gateway(), gateway(ArpAnswer::Unknown(Unseen::Deadline), silent())] {
        says_nothing(&ask(&leased(), with(with(terminal(), late.clone()), [hop])));
    }
}

#[test]
fn a_gateway_that_was_not_looked_at_is_a_candidate_beside_the_line() {
    let mut blind = with(terminal(), dead_air());
    blind.retain(|s| !matches!(s, Sighting::Gateway(..)));
    let diagnosis = ask(&leased(), blind);
    root(&diagnosis, Cause::LineDown, Certainty::Likely);
    assert!(names(&diagnosis).contains(&Cause::GatewayUnreachable), "{diagnosis:#?}");
}

#[test]
fn every_required_port_counts() {
    let mut config = leased();
    config.centres[0].tcp = vec![443, 9000];
    let dead = ask(&config, with(healthy(), [Sighting::Tcp(at(CENTRE, 9000), failed(FailureKind::Refused, 8))]));
    assert_eq!((dead.connected, dead.verdicts[0].cause), (Some(false), Cause::TcpRefused), "{dead:#?}");
    let second = "10.20.0.12";
    let shared = [
        lookup(found(&[CENTRE, second], LookupSource::Dns)),
        Sighting::Tcp(at(CENTRE, 9000), failed(FailureKind::Refused, 8)),
        Sighting::Tcp(at(second, 9000), answer()),
        Sighting::Tcp(at(second, 443), silent()),
    ];
    silent_about(&ask(&config, with(healthy(), shared)));
}

#[test]
fn an_address_in_doubt_is_not_missing_and_a_spare_one_is_not_the_conflict() {
    let doubtful = Address { tentative: true, ..address("eth0", "192.168.1.20/24") };
    let diagnosis = ask(&leased(), with(with(terminal(), dead_air()), [Sighting::Addresses(Outcome::Ok(vec![doubtful]))]));
    assert!(!names(&diagnosis).contains(&Cause::AddrNone), "{diagnosis:#?}");
    let spare = Address { duplicate: true, ..address("eth0", "fd01::20/64") };
    let both = Sighting::Addresses(Outcome::Ok(vec![spare, address("eth0", "192.168.1.20/24")]));
    root(&ask(&leased(), with(with(terminal(), dead_air()), [both])), Cause::LineDown, Certainty::Likely);
}

#[test]
fn a_gateway_reached_by_a_route_to_the_card_is_on_link() {
    let table = vec![route("0.0.0.0/0", "eth0", Some(GATEWAY)), route("192.168.1.1/32", "eth0", None)];
    for net in ["172.20.5.7/24", "172.20.5.7/32"] {
        let broken = with(with(terminal(), dead_air()), [addresses(&[("eth0", net)]), routes(table.clone())]);
        let silent_hop = gateway(ArpAnswer::Answered(std::time::Duration::from_millis(1)), silent());
        root(&ask(&leased(), with(broken, [silent_hop])), Cause::LineDown, Certainty::Likely);
    }
}

#[test]
fn a_centre_behind_a_local_proxy_blames_no_card() {
    let mut config = leased();
    config.centres[0].addresses.clear();
    let proxy = [
        lookup(found(&["127.0.0.1"], LookupSource::Hosts)),
        links(vec![link("lo", LinkKind::Loopback, true, true), link("eth0", LinkKind::Ethernet, true, true)]),
        Sighting::RouteTo(ip("127.0.0.1"), Outcome::Ok(Route { kind: RouteKind::Local, ..route("127.0.0.1", "lo", None) })),
        Sighting::Tcp(at("127.0.0.1", 443), failed(FailureKind::Refused, 0)),
    ];
    let diagnosis = ask(&config, with(terminal(), proxy));
    root(&diagnosis, Cause::TcpRefused, Certainty::Likely);
}

#[test]
fn a_stub_that_divides_names_among_servers_is_not_degraded() {
    let outer = "192.168.1.1";
    let stub = ResolverSetup { servers: vec![ip(RESOLVER), ip(outer)], stub: Some(ip("127.0.0.53")) };
    let divided = [Sighting::Resolvers(Outcome::Ok(stub)), asked_of(outer, failed(FailureKind::Rcode(Rcode::NxDomain), 3))];
    silent_about(&ask(&leased(), with(healthy(), divided)));
}

#[test]
fn a_resolver_that_does_not_know_and_one_that_fails_are_told_apart() {
    let mut config = leased();
    config.dns.resolvers = vec![ip(RESOLVER)];
    let outer = "10.40.0.1";
    let in_use = |rcode| {
        let answers =
            [resolvers(&[outer]), asked_of(outer, failed(FailureKind::Rcode(rcode), 3)), lookup(failed(FailureKind::Rcode(rcode), 3))];
        ask(&config, with(healthy(), answers))
    };
    root(&in_use(Rcode::NxDomain), Cause::DnsWrongResolver, Certainty::Proven);
    assert!(names(&in_use(Rcode::ServFail)).contains(&Cause::DnsServfail));
    assert!(in_use(Rcode::ServFail).verdicts.iter().all(|v| v.certainty < Certainty::Proven));
}

#[test]
fn two_default_routes_accuse_the_one_in_use() {
    let mut all = with(terminal(), dead_air());
    let spare = Link { index: 4, ..link("wlan0", LinkKind::Wifi, true, true) };
    all.push(links(vec![link("eth0", LinkKind::Ethernet, true, true), spare]));
    all.push(routes(vec![
        Route { metric: 600, ..route("0.0.0.0/0", "wlan0", Some("192.168.7.1")) },
        route("0.0.0.0/0", "eth0", Some(GATEWAY)),
    ]));
    all.push(gateway(ArpAnswer::Silent, silent()));
    let seen = Gateway {
        neighbour: Neighbour::Reachable,
        mac: None,
        arp: ArpAnswer::Unknown(Unseen::Skipped),
        ping: answer(),
        expired_here: None,
    };
    all.push(Sighting::Gateway(IfName::new("wlan0"), ip("192.168.7.1"), Outcome::Ok(seen)));
    let diagnosis = diagnose(&world(all), &leased(), &Enrolment::NotEnrolled);
    root(&diagnosis, Cause::GatewayUnreachable, Certainty::Proven);
    assert_eq!(diagnosis.verdicts[0].subject, Subject::Gateway(ip(GATEWAY)));
}
