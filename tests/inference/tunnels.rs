//! VPNs as they are at real counters: idle, silent to strangers, several beside each other, on the segment, half seen.

use crate::world::*;
use isonet::config::{Config, VpnKind};
use isonet::model::*;

#[test]
fn a_vpn_server_on_the_segment_needs_no_gateway() {
    let mut config = tunnelled();
    config.vpns[0].server = Some("192.168.1.9:1194".parse().unwrap());
    let facts = VpnFacts { server: vec![at("192.168.1.9", 1194)], ..vpn(Some("tun0"), ProcessState::Running) };
    let table = vec![route("0.0.0.0/0", "eth0", Some(GATEWAY)), route("192.168.1.0/24", "eth0", None)];
    let outer = vec![
        routes(table),
        gateway(ArpAnswer::Silent, silent()),
        Sighting::Vpn("centre".to_owned(), Outcome::Ok(facts)),
        Sighting::Udp(at("192.168.1.9", 1194), silent()),
        Sighting::Ping(ip("192.168.1.9"), silent()),
    ];
    let diagnosis = ask(&config, dead_tunnel(outer));
    root(&diagnosis, Cause::VpnServerUnreachable, Certainty::Likely);
    assert!(!names(&diagnosis).contains(&Cause::GatewayUnreachable));
}

/// A second centre behind a VPN of its own, which is well.
fn with_a_living_vpn(config: &mut Config) -> Vec<Sighting> {
    let mut second = config.vpns.first().cloned().unwrap_or_else(|| tunnelled().vpns.remove(0));
    "branch".clone_into(&mut second.name);
    second.interface = "tun1".parse().unwrap();
    second.inside = None;
    let mut centre = config.centres[0].clone();
    (centre.name, centre.host, centre.via) = ("upload".to_owned(), "10.30.0.10".to_owned(), Some("branch".to_owned()));
    centre.addresses.clear();
    config.vpns.push(second);
    config.centres.push(centre);
    let facts = VpnFacts { server: vec![at("10.98.0.1", 1194)], ..vpn(Some("tun1"), ProcessState::Running) };
    let key = TlsKey { at: at("10.30.0.10", 443), server_name: "upload".to_owned() };
    vec![
        Sighting::Vpn("branch".to_owned(), Outcome::Ok(facts)),
        Sighting::RouteTo(ip("10.30.0.10"), Outcome::Ok(route("10.30.0.10", "tun1", None))),
        Sighting::Tcp(at("10.30.0.10", 443), answer()),
        Sighting::Tls(key, Outcome::Ok(handshake(Some(0)))),
    ]
}

#[test]
fn a_second_vpn_that_works_clears_the_line_of_the_first() {
    let mut config = tunnelled();
    let living = with_a_living_vpn(&mut config);
    let silence = vec![Sighting::Udp(at(SERVER, 1194), silent()), Sighting::Ping(ip(SERVER), silent())];
    let diagnosis = ask(&config, with(dead_tunnel(silence), living));
    root(&diagnosis, Cause::VpnServerUnreachable, Certainty::Likely);
    assert_eq!(diagnosis.verdicts[0].explains, [Subject::Centre("settlement".to_owned())]);
    assert!(!names(&diagnosis).contains(&Cause::LineDown));
}

fn wireguard() -> Config {
    let mut config = tunnelled();
    config.vpns[0].kind = VpnKind::Wireguard;
    config.vpns[0].process = None;
    config
}

fn facts(change: impl Fn(VpnFacts) -> VpnFacts) -> Sighting {
    Sighting::Vpn("centre".to_owned(), Outcome::Ok(change(vpn(Some("tun0"), ProcessState::Unknown))))
}

#[test]
fn an_idle_wireguard_tunnel_that_brings_something_back_is_not_dead() {
    let slept = facts(|f| VpnFacts { handshake_age_s: Some(30_000), received: 92, ..f });
    let diagnosis = ask(&wireguard(), with(dead_tunnel(vec![Sighting::Udp(at(SERVER, 1194), silent())]), [slept]));
    root(&diagnosis, Cause::VpnNoInnerPath, Certainty::Likely);
    assert_eq!(names(&diagnosis), [Cause::VpnNoInnerPath, Cause::CentreOutage]);
    let dead = facts(|f| VpnFacts { handshake_age_s: Some(30_000), ..f });
    let outer = vec![Sighting::Udp(at(SERVER, 1194), silent()), Sighting::Ping(ip(SERVER), answer()), dead];
    root(&ask(&wireguard(), dead_tunnel(outer)), Cause::VpnTunnelDead, Certainty::Proven);
}

#[test]
fn a_stale_handshake_is_no_fault_while_the_centre_answers() {
    let mut well = dead_tunnel(vec![facts(|f| VpnFacts { handshake_age_s: Some(30_000), ..f })]);
    well.extend([query(knows(CENTRE)), lookup(found(&[CENTRE], LookupSource::Dns)), Sighting::Tcp(at(CENTRE, 443), answer())]);
    silent_about(&ask(&wireguard(), with(well, [tls(Outcome::Ok(handshake(Some(0))))])));
}

#[test]
fn a_dead_tunnel_is_seen_without_any_echo() {
    let cannot = || Outcome::Unknown(Unseen::Capability("CAP_NET_RAW".to_owned()));
    let outer = vec![
        Sighting::Ping(ip(INSIDE), cannot()),
        Sighting::Ping(ip(CENTRE), cannot()),
        Sighting::Ping(ip(SERVER), cannot()),
        Sighting::Udp(at(SERVER, 1194), answer()),
    ];
    root(&ask(&tunnelled(), dead_tunnel(outer)), Cause::VpnTunnelDead, Certainty::Likely);
}

#[test]
fn an_inside_that_forbids_ping_is_no_dead_tunnel_when_nothing_else_was_seen() {
    let late = vec![
        Sighting::Ping(ip(CENTRE), Outcome::Unknown(Unseen::Deadline)),
        Sighting::Tcp(at(CENTRE, 443), Outcome::Unknown(Unseen::Deadline)),
        query(Outcome::Unknown(Unseen::Deadline)),
        lookup(found(&[CENTRE], LookupSource::Hosts)),
        Sighting::Udp(at(SERVER, 1194), answer()),
    ];
    says_nothing(&ask(&tunnelled(), dead_tunnel(late)));
}

#[test]
fn a_client_that_runs_in_vain_always_has_a_cause() {
    for kind in [VpnKind::L2tp, VpnKind::Openconnect, VpnKind::Openvpn] {
        let mut config = tunnelled();
        config.vpns[0].kind = kind;
        let running = Sighting::Vpn("centre".to_owned(), Outcome::Ok(vpn(None, ProcessState::Running)));
        let outer = vec![Sighting::Udp(at(SERVER, 1194), silent()), Sighting::Ping(ip(SERVER), answer()), running];
        let diagnosis = ask(&config, dead_tunnel(outer));
        assert_eq!(diagnosis.connected, Some(false));
        assert_eq!(diagnosis.verdicts.first().map(|v| v.cause.layer()), Some(Layer::Vpn), "{diagnosis:#?}");
    }
}

#[test]
fn addresses_that_could_not_be_listed_do_not_miss_from_the_tunnel() {
    let outer = vec![Sighting::Addresses(Outcome::Unknown(Unseen::Deadline)), Sighting::Udp(at(SERVER, 1194), answer())];
    assert!(!names(&ask(&tunnelled(), dead_tunnel(outer))).contains(&Cause::VpnAddressMissing));
}

#[test]
fn a_server_that_forbids_ping_in_words_is_there() {
    let outer = vec![Sighting::Udp(at(SERVER, 1194), silent()), Sighting::Ping(ip(SERVER), icmp(IcmpKind::AdminProhibited, SERVER))];
    let diagnosis = ask(&wireguard(), dead_tunnel(outer));
    root(&diagnosis, Cause::VpnTunnelDead, Certainty::Likely);
    assert!(!names(&diagnosis).contains(&Cause::VpnServerUnreachable));
}

#[test]
fn a_filter_before_the_server_blocks_its_port() {
    let outer = vec![Sighting::Udp(at(SERVER, 1194), icmp(IcmpKind::AdminProhibited, "10.66.0.1")), Sighting::Ping(ip(SERVER), silent())];
    root(&ask(&tunnelled(), dead_tunnel(outer)), Cause::VpnPortBlocked, Certainty::Likely);
}

#[test]
fn a_stopped_client_and_a_silent_line_are_both_named() {
    let stopped = Sighting::Vpn("centre".to_owned(), Outcome::Ok(vpn(None, ProcessState::Absent)));
    let silence = vec![stopped, Sighting::Udp(at(SERVER, 1194), silent()), Sighting::Ping(ip(SERVER), silent())];
    let diagnosis = ask(&tunnelled(), dead_tunnel(silence));
    assert_eq!(names(&diagnosis), [Cause::LineDown, Cause::VpnNotStarted]);
    assert!(diagnosis.verdicts.iter().all(|v| v.certainty == Certainty::Likely));
}

#[test]
fn a_server_name_that_nobody_resolves_may_be_the_line() {
    let nameless = |how: &str| {
        let gone = VpnFacts { server: vec![], server_unresolved: Some(how.to_owned()), ..vpn(None, ProcessState::Running) };
        dead_tunnel(vec![Sighting::Vpn("centre".to_owned(), Outcome::Ok(gone))])
    };
    let diagnosis = ask(&tunnelled(), nameless("timeout"));
    assert_eq!(names(&diagnosis), [Cause::LineDown, Cause::VpnServerNameUnresolved]);
    assert!(diagnosis.verdicts.iter().all(|v| v.certainty == Certainty::Likely));
    let mut config = tunnelled();
    let living = with_a_living_vpn(&mut config);
    root(&ask(&config, with(nameless("nxdomain"), living)), Cause::VpnServerNameUnresolved, Certainty::Proven);
}

#[test]
fn routes_beside_a_tunnel_that_nobody_answers_through_are_not_captured_for_certain() {
    let mut config = tunnelled();
    config.vpns[0].inside = None;
    let beside = |to: &str| Sighting::RouteTo(ip(to), Outcome::Ok(route(to, "eth0", Some(GATEWAY))));
    let outer = vec![beside(CENTRE), beside(RESOLVER), Sighting::Udp(at(SERVER, 1194), answer())];
    root(&ask(&config, dead_tunnel(outer)), Cause::RouteCaptured, Certainty::Likely);
}

const PUBLIC_RESOLVER: &str = "114.114.114.114";

#[test]
fn any_word_of_an_outer_name_server_clears_the_line_of_a_name_that_nobody_resolves() {
    let nameless = |said: Outcome<Answer>| {
        let gone = VpnFacts { server: vec![], server_unresolved: Some("servfail".to_owned()), ..vpn(None, ProcessState::Running) };
        let asked = QueryKey { resolver: ip(PUBLIC_RESOLVER), name: "vpn.centre.example".to_owned() };
        let sightings =
            [Sighting::Vpn("centre".to_owned(), Outcome::Ok(gone)), Sighting::Query(asked, said), resolvers(&[PUBLIC_RESOLVER])];
        ask(&tunnelled(), dead_tunnel(sightings.to_vec()))
    };
    let words = [
        failed(FailureKind::Rcode(Rcode::ServFail), 4),
        failed(FailureKind::Rcode(Rcode::NxDomain), 4),
        icmp(IcmpKind::PortUnreachable, PUBLIC_RESOLVER),
        icmp(IcmpKind::HostUnreachable, "10.66.0.1"),
    ];
    for said in words {
        let diagnosis = nameless(said);
        root(&diagnosis, Cause::VpnServerNameUnresolved, Certainty::Proven);
        assert_eq!(diagnosis.verdicts.len(), 1);
    }
    // What the gateway says of it says nothing of the line.
    for said in [silent(), icmp(IcmpKind::HostUnreachable, GATEWAY), Outcome::Unknown(Unseen::Deadline)] {
        let diagnosis = nameless(said);
        assert_eq!(names(&diagnosis), [Cause::LineDown, Cause::VpnServerNameUnresolved]);
        assert!(diagnosis.verdicts.iter().all(|v| v.certainty == Certainty::Likely), "{diagnosis:#?}");
    }
}

#[test]
fn a_handshake_of_a_moment_ago_puts_the_inner_path_first() {
    let aged = |age| {
        let fresh = facts(|f| VpnFacts { handshake_age_s: Some(age), ..f });
        ask(&wireguard(), dead_tunnel(vec![Sighting::Udp(at(SERVER, 1194), silent()), Sighting::Ping(ip(SERVER), answer()), fresh]))
    };
    for age in [0, 120] {
        let diagnosis = aged(age);
        root(&diagnosis, Cause::VpnNoInnerPath, Certainty::Likely);
        assert_eq!(names(&diagnosis), [Cause::VpnNoInnerPath, Cause::VpnTunnelDead, Cause::VpnPortBlocked]);
        assert_eq!(diagnosis.verdicts[1].certainty, Certainty::Likely);
        assert_eq!(diagnosis.verdicts[2].certainty, Certainty::Possible);
    }
    // Our own packets would have renewed it.
    for age in [121, 180] {
        let diagnosis = aged(age);
        root(&diagnosis, Cause::VpnTunnelDead, Certainty::Likely);
        assert!(!names(&diagnosis).contains(&Cause::VpnNoInnerPath));
    }
    root(&aged(181), Cause::VpnTunnelDead, Certainty::Proven);
}

#[test]
fn a_wireguard_tunnel_that_never_shook_hands_leads_nowhere_by_itself() {
    let never = dead_tunnel(vec![Sighting::Udp(at(SERVER, 1194), silent()), Sighting::Ping(ip(SERVER), answer()), facts(|f| f)]);
    let diagnosis = ask(&wireguard(), never);
    root(&diagnosis, Cause::VpnTunnelDead, Certainty::Likely);
    assert_eq!(names(&diagnosis), [Cause::VpnTunnelDead, Cause::VpnPortBlocked]);
    let unseen = facts(|f| VpnFacts { handshake_unseen: Some(Unseen::Capability("CAP_NET_ADMIN".to_owned())), ..f });
    let diagnosis =
        ask(&wireguard(), dead_tunnel(vec![Sighting::Udp(at(SERVER, 1194), silent()), Sighting::Ping(ip(SERVER), answer()), unseen]));
    root(&diagnosis, Cause::VpnTunnelDead, Certainty::Likely);
    let inner = diagnosis.verdicts.iter().find(|v| v.cause == Cause::VpnNoInnerPath);
    assert_eq!(inner.map(|v| v.certainty), Some(Certainty::Possible));
}

#[test]
fn without_knowing_the_sessions_age_a_dead_tunnel_and_a_lost_inner_path_are_both_named() {
    let says = |log| {
        let told = Sighting::Vpn("centre".to_owned(), Outcome::Ok(VpnFacts { log, ..vpn(Some("tun0"), ProcessState::Running) }));
        let diagnosis = ask(&tunnelled(), dead_tunnel(vec![Sighting::Udp(at(SERVER, 1194), answer()), told]));
        root(&diagnosis, Cause::VpnTunnelDead, Certainty::Likely);
        diagnosis.verdicts.iter().find(|v| v.cause == Cause::VpnNoInnerPath).map(|v| v.certainty)
    };
    assert_eq!(says(VpnLog::Unread), Some(Certainty::Possible));
    assert_eq!(says(VpnLog::Established), Some(Certainty::Likely));
    assert_eq!(says(VpnLog::Dropped), None, "the client knows that it has no session");
}

fn ipsec() -> Config {
    let mut config = tunnelled();
    config.vpns[0].kind = VpnKind::Ipsec;
    config.vpns[0].interface = "ipsec0".parse().unwrap();
    config
}

/// An `IPsec` tunnel of which nothing answers inside, and what its two ports say.
fn dead_ipsec(main: Outcome<Reply>, second: Outcome<Reply>) -> Diagnosis {
    let told = VpnFacts { server: vec![at(SERVER, 500)], ..vpn(Some("ipsec0"), ProcessState::Running) };
    let through = |to: &str| Sighting::RouteTo(ip(to), Outcome::Ok(route(to, "ipsec0", None)));
    ask(
        &ipsec(),
        dead_tunnel(vec![
            links(vec![link("eth0", LinkKind::Ethernet, true, true), link("ipsec0", LinkKind::Tun, true, true)]),
            through(INSIDE),
            through(CENTRE),
            through(RESOLVER),
            Sighting::Vpn("centre".to_owned(), Outcome::Ok(told)),
            Sighting::Ping(ip(SERVER), answer()),
            Sighting::Udp(at(SERVER, 500), main),
            Sighting::Udp(at(SERVER, 4500), second),
        ]),
    )
}

#[test]
fn an_ike_service_that_answers_strangers_tells_a_blocked_port() {
    let blocked = dead_ipsec(silent(), silent());
    root(&blocked, Cause::VpnPortBlocked, Certainty::Likely);
    assert_eq!(names(&blocked), [Cause::VpnPortBlocked, Cause::VpnTunnelDead]);
    root(&dead_ipsec(silent(), answer()), Cause::VpnPortBlocked, Certainty::Likely);
    let alive = dead_ipsec(answer(), answer());
    root(&alive, Cause::VpnTunnelDead, Certainty::Likely);
    assert!(!names(&alive).contains(&Cause::VpnPortBlocked));
    // Its second port may be closed by design.
    let half = dead_ipsec(answer(), silent());
    root(&half, Cause::VpnTunnelDead, Certainty::Likely);
    let port = half.verdicts.iter().find(|v| v.cause == Cause::VpnPortBlocked);
    assert_eq!(port.map(|v| v.certainty), Some(Certainty::Possible));
    // Something else listens there: the host lives, the service does not show.
    root(&dead_ipsec(failed(FailureKind::Garbage("IKE".to_owned()), 3), silent()), Cause::VpnPortBlocked, Certainty::Likely);
}

#[test]
fn a_wireguard_or_a_foreign_port_owes_strangers_no_answer() {
    let mute = |kind| {
        let mut config = tunnelled();
        config.vpns[0].kind = kind;
        let diagnosis = ask(&config, dead_tunnel(vec![Sighting::Udp(at(SERVER, 1194), silent()), Sighting::Ping(ip(SERVER), answer())]));
        root(&diagnosis, Cause::VpnTunnelDead, Certainty::Likely);
    };
    for kind in [VpnKind::Wireguard, VpnKind::Openconnect, VpnKind::L2tp, VpnKind::Ipsec, VpnKind::Tun] {
        mute(kind);
    }
}
