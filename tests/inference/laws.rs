//! What holds in every world.

use crate::world::*;
use isonet::baseline::Enrolment;
use isonet::config::Config;
use isonet::infer::{World, diagnose};
use isonet::model::*;
use proptest::prelude::*;

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
            Sighting::Vpn("centre".to_owned(), Outcome::Ok(vpn(None, ProcessState::Running))),
            Sighting::Vpn("centre".to_owned(), Outcome::Ok(VpnFacts { received: 90, ..vpn(Some("tun0"), ProcessState::Running) })),
            Sighting::Links(Outcome::Ok(vec![link("eth0", LinkKind::Ethernet, true, false)])),
            Sighting::RouteTo(ip(CENTRE), Outcome::Ok(route(CENTRE, "eth0", None))),
            Sighting::RouteTo(ip(CENTRE), Outcome::Ok(route(CENTRE, "docker0", None))),
            Sighting::Tcp(at(CENTRE, 443), failed(FailureKind::Closed { received: 0, reset: false }, 1)),
            Sighting::Tcp(at(CENTRE, 443), Outcome::Unknown(Unseen::Deadline)),
            Sighting::Ping(ip(CENTRE), local(Errno::EPERM)),
            Sighting::Ping(ip(CENTRE), icmp(IcmpKind::NetUnreachable, GATEWAY)),
            Sighting::Ping(ip(CENTRE), icmp(IcmpKind::AdminProhibited, "10.66.0.1")),
            Sighting::Ping(ip(SERVER), icmp(IcmpKind::HostUnreachable, "10.66.0.1")),
            Sighting::Udp(at(SERVER, 1194), icmp(IcmpKind::PortUnreachable, GATEWAY)),
            query(icmp(IcmpKind::PortUnreachable, GATEWAY)),
            query(local(Errno::EPERM)),
            lookup(found(&["198.18.0.7"], LookupSource::Dns)),
            lookup(found(&[CENTRE], LookupSource::Hosts)),
            resolvers(&[GATEWAY]),
            tls(failed(FailureKind::Tls(TlsFault::Expired, None), 1)),
            tls(failed(FailureKind::Tls(TlsFault::Unsupported, None), 1)),
            tls(silent()),
        ]);
        pool
    };
    prop::collection::vec(prop::sample::select(pool()), 0..40)
}

/// Worlds that can be: each fault with all that it entails, and health.
fn staged() -> impl Strategy<Value = (Config, Vec<Sighting>)> {
    let dead_air = || [lookup(silent()), query(silent()), Sighting::Tcp(at(CENTRE, 443), silent()), Sighting::Ping(ip(CENTRE), silent())];
    let beyond = || {
        let hop = Hop { ttl: 2, answer: HopAnswer::Router(ip("10.66.0.1")), elapsed: std::time::Duration::from_millis(4) };
        [Sighting::Walk(ip(CENTRE), Outcome::Ok(vec![hop.clone()])), Sighting::Walk(ip(SERVER), Outcome::Ok(vec![hop]))]
    };
    let told =
        [Sighting::Ping(ip(CENTRE), icmp(IcmpKind::NetUnreachable, GATEWAY)), Sighting::Tcp(at(CENTRE, 443), local(Errno::ENETUNREACH))];
    let server = |port, host| vec![Sighting::Udp(at(SERVER, 1194), port), Sighting::Ping(ip(SERVER), host)];
    let direct = [
        healthy(),
        with(healthy(), [lookup(failed(FailureKind::Rcode(Rcode::ServFail), 1)), query(failed(FailureKind::Rcode(Rcode::ServFail), 1))]),
        with(healthy(), [lookup(silent()), query(silent())]),
        with(healthy(), [Sighting::Tcp(at(CENTRE, 443), failed(FailureKind::Refused, 1)), tls(Outcome::Unknown(Unseen::Skipped))]),
        with(healthy(), [tls(failed(FailureKind::Tls(TlsFault::Expired, Some(Box::new(handshake(Some(0))))), 9))]),
        with(terminal(), dead_air()),
        with(with(terminal(), dead_air()), told),
        with(with(terminal(), dead_air()), beyond()),
        with(with(terminal(), dead_air()), [gateway(ArpAnswer::Silent, silent())]),
    ];
    let tunnelled_worlds = [
        dead_tunnel(server(silent(), answer())),
        dead_tunnel(server(answer(), answer())),
        dead_tunnel(server(silent(), silent())),
        with(dead_tunnel(server(silent(), silent())), beyond()),
        dead_tunnel(server(silent(), icmp(IcmpKind::HostUnreachable, "10.66.0.1"))),
    ];
    let direct = direct.map(|world| (leased(), world));
    let worlds = direct.into_iter().chain(tunnelled_worlds.map(|world| (tunnelled(), world)));
    prop::sample::select(worlds.collect::<Vec<_>>())
}

/// Looks that only explain a failure, and fail: whatever they say, a line that works, works.
fn supporting() -> impl Strategy<Value = Vec<Sighting>> {
    let hop = |answer| Outcome::Ok(vec![Hop { ttl: 1, answer, elapsed: std::time::Duration::from_millis(1) }]);
    let refused = |kind| HopAnswer::Refused(IcmpError { kind, offender: Some(ip(GATEWAY)) });
    let pool = vec![
        Sighting::Ping(ip(CENTRE), silent()),
        Sighting::Ping(ip(CENTRE), local(Errno::EPERM)),
        Sighting::Ping(ip(CENTRE), icmp(IcmpKind::AdminProhibited, GATEWAY)),
        Sighting::Ping(ip(CENTRE), icmp(IcmpKind::NetUnreachable, "10.66.0.1")),
        Sighting::Ping(ip(RESOLVER), silent()),
        Sighting::Ping(ip(RESOLVER), icmp(IcmpKind::HostUnreachable, "192.168.1.20")),
        Sighting::Walk(ip(CENTRE), hop(HopAnswer::Silence)),
        Sighting::Walk(ip(CENTRE), hop(HopAnswer::Local(Errno::EPERM))),
        Sighting::Walk(ip(CENTRE), hop(refused(IcmpKind::NetUnreachable))),
        gateway(ArpAnswer::Silent, silent()),
        gateway(ArpAnswer::Unknown(Unseen::Deadline), silent()),
        Sighting::Gateway(IfName::new("eth0"), ip(GATEWAY), Outcome::Unknown(Unseen::Deadline)),
        Sighting::Ping(ip(INSIDE), silent()),
    ];
    prop::collection::vec(prop::sample::select(pool), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(400), ..ProptestConfig::default() })]

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
    fn a_break_has_one_place_and_a_cause(sightings in any_world()) {
        for config in [leased(), tunnelled(), Config::default()] {
            let diagnosis = ask(&config, sightings.clone());
            let root = diagnosis.verdicts.first().filter(|v| v.disconnects);
            prop_assert_eq!(diagnosis.connected == Some(false), root.is_some(), "{:#?}", diagnosis);
            let failed = diagnosis.path.iter().position(|item| item.state == LayerState::Failed);
            prop_assert_eq!(failed.is_some(), root.is_some(), "{:#?}", diagnosis);
            if let (Some(failed), Some(root)) = (failed, root) {
                prop_assert!(diagnosis.path[failed].layer <= root.cause.layer(), "{:#?}", diagnosis);
                prop_assert!(diagnosis.path[failed + 1..].iter().all(|item| item.state == LayerState::Skipped), "{:#?}", diagnosis);
            }
            let ruled_out = diagnosis.verdicts.iter().filter(|v| v.certainty == Certainty::Proven).flat_map(|v| &v.ruled_out);
            for out in ruled_out {
                prop_assert!(diagnosis.verdicts.iter().all(|v| v.cause != out.cause || v.certainty < Certainty::Proven), "{:#?}", diagnosis);
            }
        }
    }

    #[test]
    fn not_looking_never_makes_another_cause_certain((config, sightings) in staged(), blind in prop::collection::vec(any::<prop::sample::Index>(), 1..8)) {
        let seen = ask(&config, sightings.clone());
        let blinded = with(sightings.clone(), blind.iter().map(|which| sightings[which.index(sightings.len())].clone().unseen(Unseen::Deadline)).collect::<Vec<_>>());
        let less = ask(&config, blinded);
        if seen.verdicts.is_empty() {
            prop_assert!(less.verdicts.is_empty() && less.connected != Some(false), "{:#?}", less);
        }
        for certain in less.verdicts.iter().filter(|v| v.certainty == Certainty::Proven) {
            prop_assert!(seen.verdicts.iter().any(|v| v.cause == certain.cause), "{:#?} was {:#?}", certain, seen.verdicts);
        }
    }

    #[test]
    fn a_line_that_works_needs_no_supporting_look(sightings in supporting()) {
        silent_about(&ask(&leased(), with(healthy(), sightings.clone())));
        let mut carried = dead_tunnel(vec![]);
        carried.extend([query(knows(CENTRE)), lookup(found(&[CENTRE], LookupSource::Dns)), Sighting::Tcp(at(CENTRE, 443), answer())]);
        carried.push(tls(Outcome::Ok(handshake(Some(0)))));
        silent_about(&ask(&tunnelled(), with(carried, sightings)));
    }

    #[test]
    fn a_world_survives_being_written_and_read(sightings in any_world()) {
        let world = world(sightings);
        let text = serde_json::to_string(&world).unwrap();
        prop_assert_eq!(serde_json::from_str::<World>(&text).unwrap(), world);
    }
}
