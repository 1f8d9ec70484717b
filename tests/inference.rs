//! The inference on worlds written by hand: what each signature means, and what its healthy twin does not mean.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use isonet::baseline::Enrolment;
use isonet::config::Config;
use isonet::infer::{World, diagnose};
use isonet::model::{
    Address, Answer, ArpAnswer, Cause, Certainty, ClockState, Diagnosis, Errno, Failure, FailureKind, Gateway, Hop, HopAnswer, IcmpError,
    IcmpKind, IfName, Link, LinkKind, Lookup, LookupSource, Neighbour, Observation, Outcome, ProcessState, QueryKey, Rcode, Reply,
    ResolverSetup, Route, RouteKind, RouteTable, Sighting, Stamp, TlsFacts, TlsFault, TlsKey, UnitState, Unseen, VpnFacts, VpnLog,
};
use proptest::prelude::*;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const CENTRE: &str = "10.20.0.10";
const RESOLVER: &str = "10.20.0.53";
const GATEWAY: &str = "192.168.1.1";
const SERVER: &str = "10.99.0.1";
const INSIDE: &str = "10.8.0.1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(host: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip(host), port)
}

fn leased() -> Config {
    toml::from_str(
        r#"
        [[centre]]
        name = "settlement"
        host = "settle.centre.example"
        tcp = [443]
        tls = { port = 443, ca = "/etc/isonet/ca.pem" }
        addresses = ["10.20.0.10"]
        expect-prefixes = ["10.20.0.0/16"]
        "#,
    )
    .unwrap()
}

fn tunnelled() -> Config {
    let mut config: Config = toml::from_str(
        r#"
        [[vpn]]
        name = "centre"
        kind = "openvpn"
        interface = "tun0"
        server = "10.99.0.1:1194"
        process = "openvpn"
        inside = "10.8.0.1"
        "#,
    )
    .unwrap();
    config.centres = leased().centres;
    config.centres[0].via = Some("centre".to_owned());
    config
}

fn failed<T>(kind: FailureKind, ms: u64) -> Outcome<T> {
    Outcome::Failed(Failure { kind, elapsed: Duration::from_millis(ms) })
}

fn silent<T>() -> Outcome<T> {
    failed(FailureKind::Silence, 2000)
}

fn local<T>(errno: Errno) -> Outcome<T> {
    failed(FailureKind::Local(errno), 0)
}

fn answer() -> Outcome<Reply> {
    Outcome::Ok(Reply::once(Duration::from_millis(8)))
}

fn icmp<T>(kind: IcmpKind, offender: &str) -> Outcome<T> {
    failed(FailureKind::Icmp(IcmpError { kind, offender: Some(ip(offender)) }), 1)
}

fn link(name: &str, kind: LinkKind, up: bool, carrier: bool) -> Link {
    Link {
        name: IfName::new(name),
        index: 2,
        kind,
        up,
        carrier,
        mac: None,
        master: None,
        carrier_changes: 1,
        speed_mbps: Some(1000),
        full_duplex: Some(true),
        rx_bytes: 1,
        tx_bytes: 1,
        rx_errors: 0,
        mtu: 1500,
    }
}

fn address(link: &str, net: &str) -> Address {
    Address { link: IfName::new(link), net: net.parse().unwrap(), duplicate: false, tentative: false }
}

fn route(to: &str, device: &str, via: Option<&str>) -> Route {
    Route {
        destination: to.parse().unwrap_or_else(|_| ip(to).into()),
        kind: RouteKind::Unicast,
        device: Some(IfName::new(device)),
        gateway: via.map(ip),
        source: None,
        table: 254,
        metric: 0,
    }
}

fn gateway(arp: ArpAnswer, ping: Outcome<Reply>) -> Sighting {
    let seen = Gateway { neighbour: Neighbour::Reachable, mac: None, arp, ping, expired_here: None };
    Sighting::Gateway(IfName::new("eth0"), ip(GATEWAY), Outcome::Ok(seen))
}

fn alive_gateway() -> Sighting {
    gateway(ArpAnswer::Answered(Duration::from_millis(1)), answer())
}

fn lookup(outcome: Outcome<Lookup>) -> Sighting {
    Sighting::Lookup("settle.centre.example".to_owned(), outcome)
}

fn found(addresses: &[&str], source: LookupSource) -> Outcome<Lookup> {
    Outcome::Ok(Lookup { addresses: addresses.iter().map(|a| ip(a)).collect(), source, elapsed: Duration::from_millis(3) })
}

fn query(outcome: Outcome<Answer>) -> Sighting {
    Sighting::Query(QueryKey { resolver: ip(RESOLVER), name: "settle.centre.example".to_owned() }, outcome)
}

fn knows(address: &str) -> Outcome<Answer> {
    Outcome::Ok(Answer { addresses: vec![ip(address)], elapsed: Duration::from_millis(2) })
}

fn resolvers(servers: &[&str]) -> Sighting {
    Sighting::Resolvers(Outcome::Ok(ResolverSetup { servers: servers.iter().map(|s| ip(s)).collect(), stub: None }))
}

fn tls(outcome: Outcome<TlsFacts>) -> Sighting {
    Sighting::Tls(TlsKey { at: at(CENTRE, 443), server_name: "settle.centre.example".to_owned() }, outcome)
}

fn handshake(date_offset_s: Option<i64>) -> TlsFacts {
    TlsFacts { elapsed: Duration::from_millis(9), version: None, certificate: None, verified: true, date_offset_s }
}

/// This PC with one card, one address, one default route.
fn terminal() -> Vec<Sighting> {
    vec![
        Sighting::Links(Outcome::Ok(vec![link("eth0", LinkKind::Ethernet, true, true)])),
        Sighting::Addresses(Outcome::Ok(vec![address("eth0", "192.168.1.20/24")])),
        Sighting::Routes(Outcome::Ok(RouteTable { routes: vec![route("0.0.0.0/0", "eth0", Some(GATEWAY))] })),
        Sighting::RouteTo(ip(CENTRE), Outcome::Ok(route(CENTRE, "eth0", Some(GATEWAY)))),
        Sighting::RouteTo(ip(RESOLVER), Outcome::Ok(route(RESOLVER, "eth0", Some(GATEWAY)))),
        resolvers(&[RESOLVER]),
        alive_gateway(),
    ]
}

/// A leased line on which all is well.
fn healthy() -> Vec<Sighting> {
    let mut all = terminal();
    all.extend([
        query(knows(CENTRE)),
        lookup(found(&[CENTRE], LookupSource::Dns)),
        Sighting::Ping(ip(CENTRE), answer()),
        Sighting::Ping(ip(RESOLVER), answer()),
        Sighting::Tcp(at(CENTRE, 443), answer()),
        tls(Outcome::Ok(handshake(Some(0)))),
    ]);
    all
}

/// A VPN of which nothing answers inside; `outer` is what its server does.
fn dead_tunnel(outer: Vec<Sighting>) -> Vec<Sighting> {
    let mut all = vec![
        Sighting::Links(Outcome::Ok(vec![link("eth0", LinkKind::Ethernet, true, true), link("tun0", LinkKind::Tun, true, true)])),
        Sighting::Addresses(Outcome::Ok(vec![address("eth0", "192.168.1.20/24"), address("tun0", "10.8.0.6/24")])),
        Sighting::Routes(Outcome::Ok(RouteTable { routes: vec![route("0.0.0.0/0", "eth0", Some(GATEWAY))] })),
        Sighting::RouteTo(ip(SERVER), Outcome::Ok(route(SERVER, "eth0", Some(GATEWAY)))),
        Sighting::RouteTo(ip(INSIDE), Outcome::Ok(route(INSIDE, "tun0", None))),
        Sighting::RouteTo(ip(CENTRE), Outcome::Ok(route(CENTRE, "tun0", None))),
        Sighting::RouteTo(ip(RESOLVER), Outcome::Ok(route(RESOLVER, "tun0", None))),
        resolvers(&[RESOLVER]),
        alive_gateway(),
        Sighting::Ping(ip(INSIDE), silent()),
        Sighting::Ping(ip(CENTRE), silent()),
        Sighting::Tcp(at(CENTRE, 443), silent()),
        query(silent()),
        lookup(silent()),
        Sighting::Vpn("centre".to_owned(), Outcome::Ok(vpn(Some("tun0"), ProcessState::Running))),
    ];
    all.extend(outer);
    all
}

fn vpn(interface: Option<&str>, process: ProcessState) -> VpnFacts {
    VpnFacts {
        interface: interface.map(IfName::new),
        process,
        unit: UnitState::Unknown,
        server: vec![at(SERVER, 1194)],
        server_unresolved: None,
        received: 0,
        sent: 400,
        handshake_age_s: None,
        handshake_unseen: None,
        log: VpnLog::Unread,
    }
}

fn stamp(boottime_ms: u64) -> Stamp {
    Stamp { boot_id: "b".to_owned(), boottime_ms, wall: jiff::Timestamp::UNIX_EPOCH, clock: ClockState::Unsynchronised }
}

fn world(sightings: Vec<Sighting>) -> World {
    // A later sighting of the same subject replaces an earlier one: a scenario is the healthy world and what differs.
    let observations = sightings.into_iter().enumerate().map(|(i, sighting)| Observation { at: stamp(i as u64), sighting });
    observations.collect::<Vec<_>>().into()
}

fn ask(config: &Config, sightings: Vec<Sighting>) -> Diagnosis {
    diagnose(&world(sightings), config, &Enrolment::NotEnrolled)
}

#[track_caller]
fn root(diagnosis: &Diagnosis, cause: Cause, certainty: Certainty) {
    let first = diagnosis.verdicts.first().unwrap_or_else(|| panic!("no verdict: {diagnosis:#?}"));
    assert_eq!((first.cause, first.certainty), (cause, certainty), "{diagnosis:#?}");
    assert_eq!(diagnosis.connected, Some(false), "{diagnosis:#?}");
    assert!(!first.evidence.is_empty(), "no proof: {first:#?}");
}

#[track_caller]
fn silent_about(diagnosis: &Diagnosis) {
    assert_eq!(diagnosis.connected, Some(true), "{diagnosis:#?}");
    assert!(diagnosis.verdicts.is_empty(), "{diagnosis:#?}");
}

fn with(mut base: Vec<Sighting>, more: impl IntoIterator<Item = Sighting>) -> Vec<Sighting> {
    base.extend(more);
    base
}

#[test]
fn a_healthy_line_has_no_verdict() {
    silent_about(&ask(&leased(), healthy()));
}

#[test]
fn a_centre_that_forbids_ping_is_a_note() {
    let diagnosis = ask(&leased(), with(healthy(), [Sighting::Ping(ip(CENTRE), silent())]));
    silent_about(&diagnosis);
    assert!(diagnosis.notes.iter().any(|n| n.code == isonet::model::NoteCode::CentrePingForbidden));
}

#[test]
fn a_gateway_that_keeps_silent_to_everything_is_no_fault_while_the_centre_answers() {
    silent_about(&ask(&leased(), with(healthy(), [gateway(ArpAnswer::Silent, silent())])));
}

#[test]
fn a_pulled_cable_is_proven_by_the_kernel() {
    let mut broken = with(terminal(), [Sighting::Links(Outcome::Ok(vec![link("eth0", LinkKind::Ethernet, true, false)]))]);
    broken.extend([gateway(ArpAnswer::Silent, silent()), lookup(silent()), query(silent()), Sighting::Tcp(at(CENTRE, 443), silent())]);
    let diagnosis = ask(&leased(), broken);
    root(&diagnosis, Cause::LinkNoCarrier, Certainty::Proven);
    assert_eq!(diagnosis.verdicts.len(), 1, "consequences are not verdicts");
}

#[test]
fn an_unplugged_second_card_is_not_accused() {
    let cards = vec![link("eth0", LinkKind::Ethernet, true, true), Link { index: 3, ..link("eth1", LinkKind::Ethernet, true, false) }];
    silent_about(&ask(&leased(), with(healthy(), [Sighting::Links(Outcome::Ok(cards))])));
}

#[test]
fn a_silent_gateway_is_proven_by_arp_and_two_candidates_without() {
    let dead = |arp| {
        let silence = [lookup(silent()), query(silent()), Sighting::Tcp(at(CENTRE, 443), silent()), Sighting::Ping(ip(CENTRE), silent())];
        with(with(terminal(), [gateway(arp, silent())]), silence)
    };
    root(&ask(&leased(), dead(ArpAnswer::Silent)), Cause::GatewayUnreachable, Certainty::Proven);
    let unprivileged = ask(&leased(), dead(ArpAnswer::Unknown(Unseen::Capability("CAP_NET_RAW".to_owned()))));
    root(&unprivileged, Cause::GatewayUnreachable, Certainty::Likely);
    assert_eq!(unprivileged.verdicts[1].cause, Cause::LineDown);
    assert_eq!(unprivileged.verdicts[1].certainty, Certainty::Likely);
}

#[test]
fn a_gateway_that_has_no_way_on_proves_the_line_down() {
    let word = [
        lookup(silent()),
        query(silent()),
        Sighting::Tcp(at(CENTRE, 443), local(Errno::ENETUNREACH)),
        Sighting::Ping(ip(CENTRE), icmp(IcmpKind::NetUnreachable, GATEWAY)),
    ];
    root(&ask(&leased(), with(terminal(), word)), Cause::LineDown, Certainty::Proven);
}

#[test]
fn silence_behind_the_gateway_has_two_candidates() {
    let silence = [lookup(silent()), query(silent()), Sighting::Tcp(at(CENTRE, 443), silent()), Sighting::Ping(ip(CENTRE), silent())];
    let diagnosis = ask(&leased(), with(terminal(), silence));
    root(&diagnosis, Cause::LineDown, Certainty::Likely);
    assert_eq!((diagnosis.verdicts[1].cause, diagnosis.verdicts[1].certainty), (Cause::CentreOutage, Certainty::Possible));
}

#[test]
fn a_router_beyond_the_gateway_that_answers_clears_the_line() {
    let hops = vec![
        Hop { ttl: 1, answer: HopAnswer::Router(ip(GATEWAY)), elapsed: Duration::from_millis(1) },
        Hop { ttl: 2, answer: HopAnswer::Router(ip("10.66.0.1")), elapsed: Duration::from_millis(2) },
    ];
    let silence = [
        Sighting::Walk(ip(CENTRE), Outcome::Ok(hops)),
        lookup(found(&[CENTRE], LookupSource::Hosts)),
        query(silent()),
        Sighting::Tcp(at(CENTRE, 443), silent()),
        Sighting::Ping(ip(CENTRE), silent()),
    ];
    let diagnosis = ask(&leased(), with(terminal(), silence));
    root(&diagnosis, Cause::CentreOutage, Certainty::Likely);
}

#[test]
fn route_errors_at_zero_milliseconds_tell_themselves_apart() {
    for (errno, cause) in [
        (Errno::ENETUNREACH, Cause::RouteMissing),
        (Errno::EINVAL, Cause::RouteBlocked),
        (Errno::EACCES, Cause::RouteBlocked),
        (Errno::EHOSTUNREACH, Cause::RouteBlocked),
    ] {
        let refused = [
            Sighting::RouteTo(ip(CENTRE), local(errno)),
            Sighting::Tcp(at(CENTRE, 443), local(errno)),
            Sighting::Ping(ip(CENTRE), local(errno)),
        ];
        let diagnosis = ask(&leased(), with(with(healthy(), refused), [tls(Outcome::Unknown(Unseen::Skipped))]));
        root(&diagnosis, cause, Certainty::Proven);
    }
}

#[test]
fn only_the_own_firewall_says_eperm() {
    let denied = [
        Sighting::Ping(ip(CENTRE), local(Errno::EPERM)),
        Sighting::Ping(ip(RESOLVER), local(Errno::EPERM)),
        query(local(Errno::EPERM)),
        lookup(silent()),
        Sighting::Tcp(at(CENTRE, 443), silent()),
    ];
    root(&ask(&leased(), with(terminal(), denied)), Cause::FirewallOutput, Certainty::Proven);
}

#[test]
fn resolver_answers_name_their_cause() {
    let cases = [
        (failed(FailureKind::Rcode(Rcode::ServFail), 1), Cause::DnsServfail, Certainty::Proven),
        (failed(FailureKind::Rcode(Rcode::Refused), 1), Cause::DnsRefused, Certainty::Proven),
        (failed(FailureKind::Rcode(Rcode::NxDomain), 1), Cause::DnsNxdomain, Certainty::Proven),
        (icmp(IcmpKind::PortUnreachable, RESOLVER), Cause::DnsPortRefused, Certainty::Proven),
        (silent(), Cause::DnsTimeout, Certainty::Proven),
    ];
    for (outcome, cause, certainty) in cases {
        let broken = [lookup(failed(FailureKind::Rcode(Rcode::NxDomain), 1)), query(outcome), tls(Outcome::Unknown(Unseen::Skipped))];
        root(&ask(&leased(), with(healthy(), broken)), cause, certainty);
    }
}

#[test]
fn a_foreign_answer_is_a_hijack_unless_the_certificate_vouches() {
    let foreign = || [lookup(found(&["198.18.0.7"], LookupSource::Dns)), query(knows("198.18.0.7"))];
    root(&ask(&leased(), with(healthy(), foreign())), Cause::DnsHijacked, Certainty::Likely);
    let star = Sighting::Query(QueryKey { resolver: ip(RESOLVER), name: "*".to_owned() }, knows("198.18.0.7"));
    root(&ask(&leased(), with(with(healthy(), foreign()), [star])), Cause::DnsHijacked, Certainty::Proven);
    let vouched = Sighting::Tls(
        TlsKey { at: at("198.18.0.7", 443), server_name: "settle.centre.example".to_owned() },
        Outcome::Ok(handshake(Some(0))),
    );
    silent_about(&ask(&leased(), with(with(healthy(), foreign()), [vouched, Sighting::Tcp(at("198.18.0.7", 443), answer())])));
}

#[test]
fn a_dead_second_resolver_only_degrades() {
    let second = "10.20.0.54";
    let silent_second = Sighting::Query(QueryKey { resolver: ip(second), name: "settle.centre.example".to_owned() }, silent());
    let diagnosis = ask(&leased(), with(healthy(), [resolvers(&[RESOLVER, second]), silent_second]));
    assert_eq!(diagnosis.connected, Some(true));
    assert_eq!(diagnosis.verdicts.len(), 1);
    assert!(!diagnosis.verdicts[0].disconnects);
}

#[test]
fn an_expired_certificate_is_blamed_only_when_the_clock_is_right() {
    let expired = |offset| tls(failed(FailureKind::Tls(TlsFault::Expired, Some(Box::new(handshake(offset)))), 9));
    root(&ask(&leased(), with(healthy(), [expired(Some(2))])), Cause::TlsExpired, Certainty::Proven);
    root(&ask(&leased(), with(healthy(), [expired(Some(-34_560_000))])), Cause::ClockWrong, Certainty::Proven);
    let unsure = ask(&leased(), with(healthy(), [expired(None)]));
    root(&unsure, Cause::TlsExpired, Certainty::Possible);
    assert!(unsure.verdicts.iter().any(|v| v.cause == Cause::ClockWrong));
}

#[test]
fn a_protocol_we_do_not_speak_accuses_nobody() {
    let diagnosis = ask(&leased(), with(healthy(), [tls(failed(FailureKind::Tls(TlsFault::Unsupported, None), 5))]));
    assert!(diagnosis.verdicts.is_empty(), "{diagnosis:#?}");
}

#[test]
fn two_independent_faults_are_both_named() {
    let second = "10.20.0.54";
    let both = [
        tls(failed(FailureKind::Tls(TlsFault::Expired, Some(Box::new(handshake(Some(0))))), 9)),
        resolvers(&[RESOLVER, second]),
        Sighting::Query(QueryKey { resolver: ip(second), name: "settle.centre.example".to_owned() }, silent()),
    ];
    let diagnosis = ask(&leased(), with(healthy(), both));
    root(&diagnosis, Cause::TlsExpired, Certainty::Proven);
    assert_eq!(diagnosis.verdicts[1].cause, Cause::DnsTimeout);
}

#[test]
fn the_state_of_the_server_tells_the_dead_tunnels_apart() {
    let cases = [
        (
            vec![Sighting::Udp(at(SERVER, 1194), silent()), Sighting::Ping(ip(SERVER), icmp(IcmpKind::HostUnreachable, "10.66.0.1"))],
            Cause::VpnServerUnreachable,
            Certainty::Proven,
        ),
        (vec![Sighting::Udp(at(SERVER, 1194), silent()), Sighting::Ping(ip(SERVER), answer())], Cause::VpnPortBlocked, Certainty::Likely),
        (vec![Sighting::Udp(at(SERVER, 1194), answer()), Sighting::Ping(ip(SERVER), answer())], Cause::VpnTunnelDead, Certainty::Likely),
    ];
    for (outer, cause, certainty) in cases {
        root(&ask(&tunnelled(), dead_tunnel(outer)), cause, certainty);
    }
}

#[test]
fn a_client_that_does_not_run_was_not_started() {
    let stopped = Sighting::Vpn("centre".to_owned(), Outcome::Ok(vpn(None, ProcessState::Absent)));
    let gone = [stopped, Sighting::Ping(ip(SERVER), answer())];
    root(&ask(&tunnelled(), with(dead_tunnel(vec![]), gone)), Cause::VpnNotStarted, Certainty::Proven);
    let unknown = Sighting::Vpn("centre".to_owned(), Outcome::Ok(vpn(None, ProcessState::Unknown)));
    let unowned = [unknown, Sighting::Ping(ip(SERVER), answer())];
    root(&ask(&tunnelled(), with(dead_tunnel(vec![]), unowned)), Cause::VpnNotStarted, Certainty::Likely);
}

#[test]
fn a_route_beside_the_tunnel_is_captured() {
    let beside = [
        Sighting::RouteTo(ip(CENTRE), Outcome::Ok(route(CENTRE, "eth0", Some(GATEWAY)))),
        Sighting::Ping(ip(INSIDE), answer()),
        Sighting::Udp(at(SERVER, 1194), answer()),
    ];
    root(&ask(&tunnelled(), with(dead_tunnel(vec![]), beside)), Cause::RouteCaptured, Certainty::Proven);
}

#[test]
fn two_centres_behind_one_dead_line_are_one_verdict() {
    let mut config = leased();
    let mut second = config.centres[0].clone();
    second.name = "upload".to_owned();
    config.centres.push(second);
    let word = [lookup(silent()), query(silent()), Sighting::Ping(ip(CENTRE), icmp(IcmpKind::NetUnreachable, GATEWAY))];
    let diagnosis = ask(&config, with(terminal(), word));
    root(&diagnosis, Cause::LineDown, Certainty::Proven);
    assert_eq!(diagnosis.verdicts.len(), 1);
    assert_eq!(diagnosis.verdicts[0].explains.len(), 2);
}

#[test]
fn nothing_configured_is_never_fine() {
    let diagnosis = ask(&Config::default(), terminal());
    assert_eq!(diagnosis.connected, None);
    assert!(diagnosis.verdicts.is_empty(), "{diagnosis:#?}");
}

#[test]
fn all_unknown_gives_no_cause() {
    let unknown = || Unseen::Error("x".to_owned());
    let blind = vec![
        Sighting::Links(Outcome::Unknown(unknown())),
        Sighting::Addresses(Outcome::Unknown(unknown())),
        Sighting::Routes(Outcome::Unknown(unknown())),
        Sighting::RouteTo(ip(CENTRE), Outcome::Unknown(unknown())),
        Sighting::Resolvers(Outcome::Unknown(unknown())),
        Sighting::Ping(ip(CENTRE), Outcome::Unknown(unknown())),
        Sighting::Tcp(at(CENTRE, 443), Outcome::Unknown(unknown())),
        tls(Outcome::Unknown(unknown())),
        lookup(Outcome::Unknown(unknown())),
        query(Outcome::Unknown(unknown())),
        Sighting::Vpn("centre".to_owned(), Outcome::Unknown(unknown())),
    ];
    for config in [leased(), tunnelled(), Config::default()] {
        for sightings in [blind.clone(), Vec::new()] {
            let diagnosis = ask(&config, sightings);
            assert_eq!(diagnosis.connected, None, "{diagnosis:#?}");
            assert!(diagnosis.verdicts.is_empty(), "{diagnosis:#?}");
        }
    }
}

/// Worlds made of what the scenarios are made of, in any mixture.
fn any_world() -> impl Strategy<Value = Vec<Sighting>> {
    let pool = || {
        let mut pool = with(healthy(), dead_tunnel(vec![Sighting::Udp(at(SERVER, 1194), silent()), Sighting::Ping(ip(SERVER), answer())]));
        pool.extend([
            Sighting::Links(Outcome::Ok(vec![])),
            Sighting::Addresses(Outcome::Ok(vec![])),
            gateway(ArpAnswer::Silent, silent()),
            resolvers(&[]),
            lookup(failed(FailureKind::Rcode(Rcode::NxDomain), 1)),
            query(failed(FailureKind::Rcode(Rcode::ServFail), 1)),
            tls(failed(FailureKind::Closed { received: 0, reset: true }, 1)),
            Sighting::Tcp(at(CENTRE, 443), failed(FailureKind::Refused, 1)),
            Sighting::RouteTo(ip(CENTRE), local(Errno::ENETUNREACH)),
            Sighting::Vpn("centre".to_owned(), Outcome::Ok(vpn(None, ProcessState::Absent))),
        ]);
        pool
    };
    prop::collection::vec(prop::sample::select(pool()), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_observations_does_not_change_the_verdict(sightings in any_world(), seed in any::<u64>()) {
        let observations: Vec<_> = sightings.into_iter().enumerate().map(|(i, sighting)| Observation { at: stamp(i as u64), sighting }).collect();
        let mut shuffled = observations.clone();
        // A plain deterministic shuffle; the seed is proptest's.
        for i in (1..shuffled.len()).rev() {
            let j = usize::try_from(seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i as u64) % (i as u64 + 1)).unwrap();
            shuffled.swap(i, j);
        }
        for config in [leased(), tunnelled()] {
            prop_assert_eq!(diagnose(&observations.clone().into(), &config, &Enrolment::NotEnrolled), diagnose(&shuffled.clone().into(), &config, &Enrolment::NotEnrolled));
        }
    }

    #[test]
    fn what_is_usable_has_no_disconnecting_verdict(sightings in any_world()) {
        for config in [leased(), tunnelled(), Config::default()] {
            let diagnosis = ask(&config, sightings.clone());
            if diagnosis.connected == Some(true) {
                prop_assert!(diagnosis.verdicts.iter().all(|v| !v.disconnects));
            }
            for verdict in &diagnosis.verdicts {
                prop_assert!(!verdict.evidence.is_empty(), "{:?} without proof", verdict.cause);
            }
        }
    }

    #[test]
    fn a_world_survives_being_written_and_read(sightings in any_world()) {
        let world = world(sightings);
        let text = serde_json::to_string(&world).unwrap();
        prop_assert_eq!(serde_json::from_str::<World>(&text).unwrap(), world);
    }
}
