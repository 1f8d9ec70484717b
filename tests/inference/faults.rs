//! Each signature and its cause.

use crate::world::*;
use isonet::config::Config;
use isonet::model::*;
use std::time::Duration;

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
fn a_forwarder_on_this_pc_needs_no_other_proof_that_it_is_there() {
    let stub = "127.0.0.53";
    let asked = QueryKey { resolver: ip(stub), name: "settle.centre.example".to_owned() };
    let broken = [resolvers(&[stub]), lookup(silent()), Sighting::Query(asked, silent()), tls(Outcome::Unknown(Unseen::Skipped))];
    let diagnosis = ask(&leased(), with(healthy(), broken));
    root(&diagnosis, Cause::DnsTimeout, Certainty::Proven);
    assert_eq!(diagnosis.verdicts.len(), 1, "the centre answers at its known address");
    assert_eq!(diagnosis.verdicts[0].subject, Subject::Resolver(ip(stub)));
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

#[test]
fn a_gateway_that_keeps_silent_is_no_fault_beneath_another_one() {
    let mute = gateway(ArpAnswer::Silent, silent());
    let expired = tls(failed(FailureKind::Tls(TlsFault::Expired, Some(Box::new(handshake(Some(0))))), 9));
    let diagnosis = ask(&leased(), with(healthy(), [mute, expired]));
    root(&diagnosis, Cause::TlsExpired, Certainty::Proven);
    assert_eq!(diagnosis.verdicts.len(), 1, "{diagnosis:#?}");
}
