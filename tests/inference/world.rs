//! Worlds to reason about: sightings in short words, a healthy leased line, a dead tunnel.

use isonet::baseline::Enrolment;
use isonet::config::Config;
use isonet::infer::{World, diagnose};
use isonet::model::*;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub(crate) const CENTRE: &str = "10.20.0.10";
pub(crate) const RESOLVER: &str = "10.20.0.53";
pub(crate) const GATEWAY: &str = "192.168.1.1";
pub(crate) const SERVER: &str = "10.99.0.1";
pub(crate) const INSIDE: &str = "10.8.0.1";

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn at(host: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip(host), port)
}

pub(crate) fn leased() -> Config {
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

pub(crate) fn tunnelled() -> Config {
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

pub(crate) fn failed<T>(kind: FailureKind, ms: u64) -> Outcome<T> {
    Outcome::Failed(Failure { kind, elapsed: Duration::from_millis(ms) })
}

pub(crate) fn silent<T>() -> Outcome<T> {
    failed(FailureKind::Silence, 2000)
}

pub(crate) fn local<T>(errno: Errno) -> Outcome<T> {
    failed(FailureKind::Local(errno), 0)
}

pub(crate) fn answer() -> Outcome<Reply> {
    Outcome::Ok(Reply::once(Duration::from_millis(8)))
}

pub(crate) fn icmp<T>(kind: IcmpKind, offender: &str) -> Outcome<T> {
    failed(FailureKind::Icmp(IcmpError { kind, offender: Some(ip(offender)) }), 1)
}

pub(crate) fn link(name: &str, kind: LinkKind, up: bool, carrier: bool) -> Link {
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

pub(crate) fn address(link: &str, net: &str) -> Address {
    Address { link: IfName::new(link), net: net.parse().unwrap(), duplicate: false, tentative: false }
}

pub(crate) fn route(to: &str, device: &str, via: Option<&str>) -> Route {
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

pub(crate) fn gateway(arp: ArpAnswer, ping: Outcome<Reply>) -> Sighting {
    let seen = Gateway { neighbour: Neighbour::Reachable, mac: None, arp, ping, expired_here: None };
    Sighting::Gateway(IfName::new("eth0"), ip(GATEWAY), Outcome::Ok(seen))
}

pub(crate) fn alive_gateway() -> Sighting {
    gateway(ArpAnswer::Answered(Duration::from_millis(1)), answer())
}

pub(crate) fn lookup(outcome: Outcome<Lookup>) -> Sighting {
    Sighting::Lookup("settle.centre.example".to_owned(), outcome)
}

pub(crate) fn found(addresses: &[&str], source: LookupSource) -> Outcome<Lookup> {
    Outcome::Ok(Lookup { addresses: addresses.iter().map(|a| ip(a)).collect(), source, elapsed: Duration::from_millis(3) })
}

pub(crate) fn query(outcome: Outcome<Answer>) -> Sighting {
    Sighting::Query(QueryKey { resolver: ip(RESOLVER), name: "settle.centre.example".to_owned() }, outcome)
}

pub(crate) fn knows(address: &str) -> Outcome<Answer> {
    Outcome::Ok(Answer { addresses: vec![ip(address)], elapsed: Duration::from_millis(2) })
}

pub(crate) fn resolvers(servers: &[&str]) -> Sighting {
    Sighting::Resolvers(Outcome::Ok(ResolverSetup { servers: servers.iter().map(|s| ip(s)).collect(), stub: None }))
}

pub(crate) fn tls(outcome: Outcome<TlsFacts>) -> Sighting {
    Sighting::Tls(TlsKey { at: at(CENTRE, 443), server_name: "settle.centre.example".to_owned() }, outcome)
}

pub(crate) fn handshake(date_offset_s: Option<i64>) -> TlsFacts {
    TlsFacts { elapsed: Duration::from_millis(9), version: None, certificate: None, verified: true, date_offset_s }
}

/// This PC with one card, one address, one default route.
pub(crate) fn terminal() -> Vec<Sighting> {
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
pub(crate) fn healthy() -> Vec<Sighting> {
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
pub(crate) fn dead_tunnel(outer: Vec<Sighting>) -> Vec<Sighting> {
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

pub(crate) fn vpn(interface: Option<&str>, process: ProcessState) -> VpnFacts {
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
        log_unseen: None,
        counters_unseen: None,
        learned: None,
    }
}

pub(crate) fn stamp(boottime_ms: u64) -> Stamp {
    Stamp { boot_id: "b".to_owned(), boottime_ms, wall: jiff::Timestamp::UNIX_EPOCH, offset_s: 0, clock: ClockState::Unsynchronised }
}

pub(crate) fn world(sightings: Vec<Sighting>) -> World {
    // A later sighting of the same subject replaces an earlier one: a scenario is the healthy world and what differs.
    let observations = sightings.into_iter().enumerate().map(|(i, sighting)| Observation { at: stamp(i as u64), sighting });
    observations.collect::<Vec<_>>().into()
}

/// No evidence of any diagnosis is without words for the counter, and nothing that could not be seen.
pub(crate) fn in_words(diagnosis: Diagnosis) -> Diagnosis {
    for evidence in diagnosis.verdicts.iter().flat_map(|verdict| &verdict.evidence) {
        for lang in isonet::catalogue::Lang::ALL {
            assert!(isonet::catalogue::question(&evidence.k, lang).is_some(), "no words for {evidence:?}");
        }
    }
    for blind in &diagnosis.blind {
        assert!(isonet::catalogue::unseen_what(&blind.what, isonet::catalogue::Lang::En).is_some(), "no words for {blind:?}");
    }
    diagnosis
}

pub(crate) fn ask(config: &Config, sightings: Vec<Sighting>) -> Diagnosis {
    in_words(diagnose(&world(sightings), config, &Enrolment::NotEnrolled))
}

#[track_caller]
pub(crate) fn root(diagnosis: &Diagnosis, cause: Cause, certainty: Certainty) {
    let first = diagnosis.verdicts.first().unwrap_or_else(|| panic!("no verdict: {diagnosis:#?}"));
    assert_eq!((first.cause, first.certainty), (cause, certainty), "{diagnosis:#?}");
    assert_eq!(diagnosis.connected, Some(false), "{diagnosis:#?}");
    assert!(!first.evidence.is_empty(), "no proof: {first:#?}");
}

#[track_caller]
pub(crate) fn silent_about(diagnosis: &Diagnosis) {
    assert_eq!(diagnosis.connected, Some(true), "{diagnosis:#?}");
    assert!(diagnosis.verdicts.is_empty(), "{diagnosis:#?}");
}

pub(crate) fn with(mut base: Vec<Sighting>, more: impl IntoIterator<Item = Sighting>) -> Vec<Sighting> {
    base.extend(more);
    base
}

/// Nothing that lies far away answers.
pub(crate) fn dead_air() -> Vec<Sighting> {
    vec![lookup(silent()), query(silent()), Sighting::Tcp(at(CENTRE, 443), silent()), Sighting::Ping(ip(CENTRE), silent())]
}

pub(crate) fn names(diagnosis: &Diagnosis) -> Vec<Cause> {
    diagnosis.verdicts.iter().map(|v| v.cause).collect()
}

#[track_caller]
pub(crate) fn says_nothing(diagnosis: &Diagnosis) {
    assert_eq!((diagnosis.connected, names(diagnosis)), (None, vec![]), "{diagnosis:#?}");
}

pub(crate) fn routes(all: Vec<Route>) -> Sighting {
    Sighting::Routes(Outcome::Ok(RouteTable { routes: all }))
}

pub(crate) fn links(all: Vec<Link>) -> Sighting {
    Sighting::Links(Outcome::Ok(all))
}

pub(crate) fn addresses(all: &[(&str, &str)]) -> Sighting {
    Sighting::Addresses(Outcome::Ok(all.iter().map(|(link, net)| address(link, net)).collect()))
}
