//! Behind the tunnel: a far end that answers alone, and all that shows that it is not alone.

use crate::world::*;
use isonet::model::*;

/// A tunnel whose far end answers, and what else is said through it.
fn living_end(more: Vec<Sighting>) -> Vec<Sighting> {
    let carries = Sighting::Vpn("centre".to_owned(), Outcome::Ok(VpnFacts { received: 84, ..vpn(Some("tun0"), ProcessState::Running) }));
    let mut all = dead_tunnel(vec![Sighting::Udp(at(SERVER, 1194), answer()), Sighting::Ping(ip(INSIDE), answer()), carries]);
    all.push(Sighting::Ping(ip(RESOLVER), silent()));
    all.extend(more);
    all
}

#[test]
fn a_far_end_behind_which_nobody_answers_has_lost_its_inner_path() {
    let diagnosis = ask(&tunnelled(), living_end(vec![]));
    root(&diagnosis, Cause::VpnNoInnerPath, Certainty::Likely);
    assert_eq!(names(&diagnosis), [Cause::VpnNoInnerPath, Cause::CentreOutage]);
    assert_eq!(diagnosis.verdicts[1].certainty, Certainty::Possible);
    // In the far end's own words.
    let refused = vec![
        Sighting::Ping(ip(CENTRE), icmp(IcmpKind::NetUnreachable, INSIDE)),
        Sighting::Tcp(at(CENTRE, 443), icmp(IcmpKind::NetUnreachable, INSIDE)),
        Sighting::Ping(ip(RESOLVER), icmp(IcmpKind::NetUnreachable, INSIDE)),
        query(icmp(IcmpKind::NetUnreachable, INSIDE)),
    ];
    root(&ask(&tunnelled(), living_end(refused)), Cause::VpnNoInnerPath, Certainty::Likely);
    // A far end that only its hop limit betrays.
    let mut config = tunnelled();
    config.vpns[0].inside = None;
    let walk = Sighting::Walk(ip(CENTRE), Outcome::Ok(vec![hop(1, "10.8.0.1")]));
    root(&ask(&config, living_end(vec![walk])), Cause::VpnNoInnerPath, Certainty::Likely);
}

#[test]
fn the_far_end_is_known_by_the_tunnels_own_prefix_and_a_silent_inside_is_not_it() {
    // It refuses in words, and speaks by an address that nobody configured.
    let mut config = tunnelled();
    config.vpns[0].inside = None;
    let refused = |who: &str| {
        living_end(vec![
            Sighting::Ping(ip(CENTRE), icmp(IcmpKind::NetUnreachable, who)),
            Sighting::Ping(ip(RESOLVER), icmp(IcmpKind::NetUnreachable, who)),
        ])
    };
    root(&ask(&config, refused("10.8.0.99")), Cause::VpnNoInnerPath, Certainty::Likely);
    let further = ask(&config, refused("10.21.0.1"));
    assert!(!names(&further).contains(&Cause::VpnNoInnerPath), "a router behind it: {further:#?}");
    // `inside` is the name server behind the far end, as silent as the centre.
    config.vpns[0].inside = Some(ip(RESOLVER));
    let walk = Sighting::Walk(ip(CENTRE), Outcome::Ok(vec![hop(1, "10.8.0.1")]));
    let mut silent_inside = living_end(vec![walk]);
    silent_inside.retain(|s| !matches!(s, Sighting::Ping(to, _) if *to == ip(INSIDE)));
    root(&ask(&config, silent_inside), Cause::VpnNoInnerPath, Certainty::Likely);
}

#[test]
fn an_inside_address_that_forbids_echo_is_no_second_witness() {
    let mut config = tunnelled();
    config.vpns[0].inside = Some(ip("10.20.9.9"));
    let mut all = living_end(vec![
        Sighting::RouteTo(ip("10.20.9.9"), Outcome::Ok(route("10.20.9.9", "tun0", None))),
        Sighting::Ping(ip("10.20.9.9"), silent()),
        Sighting::Walk(ip(CENTRE), Outcome::Ok(vec![hop(1, "10.8.0.1")])),
        resolvers(&[]),
        lookup(found(&[CENTRE], LookupSource::Hosts)),
    ]);
    all.retain(|s| !matches!(s, Sighting::Query(..)) && !matches!(s, Sighting::Ping(to, _) if *to == ip(RESOLVER)));
    root(&ask(&config, all), Cause::CentreOutage, Certainty::Likely);
}

fn hop(ttl: u8, router: &str) -> Hop {
    Hop { ttl, answer: HopAnswer::Router(ip(router)), elapsed: std::time::Duration::from_millis(1) }
}

#[test]
fn whoever_answers_behind_the_far_end_shows_that_there_is_a_way_to_it() {
    let inner_router = Sighting::Walk(ip(CENTRE), Outcome::Ok(vec![hop(1, INSIDE), hop(2, "10.20.0.1")]));
    let passed_on = Sighting::Ping(ip(INSIDE), Outcome::Ok(Reply { ttl: Some(62), ..Reply::once(std::time::Duration::from_millis(8)) }));
    for (who, sign) in [
        ("the resolver's word", query(failed(FailureKind::Rcode(Rcode::ServFail), 3))),
        ("the resolver's echo", Sighting::Ping(ip(RESOLVER), answer())),
        ("a router further in", inner_router),
        ("an inside address that is no far end", passed_on),
    ] {
        let diagnosis = ask(&tunnelled(), living_end(vec![sign]));
        assert!(!names(&diagnosis).contains(&Cause::VpnNoInnerPath), "{who}: {diagnosis:#?}");
        assert_eq!(diagnosis.connected, Some(false), "{who}");
    }
}

#[test]
fn one_silent_host_behind_the_far_end_is_rather_dead_itself() {
    // A name from the hosts file: no resolver is needed.
    let bare = |more: Vec<Sighting>| {
        let mut all = living_end(more);
        all.retain(|s| !matches!(s, Sighting::Query(..) | Sighting::Ping(..)) || matches!(s, Sighting::Ping(to, _) if *to == ip(INSIDE)));
        all.extend([resolvers(&[]), lookup(found(&[CENTRE], LookupSource::Hosts))]);
        ask(&tunnelled(), all)
    };
    let diagnosis = bare(vec![]);
    root(&diagnosis, Cause::CentreOutage, Certainty::Likely);
    let inner = diagnosis.verdicts.iter().find(|v| v.cause == Cause::VpnNoInnerPath);
    assert_eq!(inner.map(|v| v.certainty), Some(Certainty::Possible), "{diagnosis:#?}");
    // A name only: the resolver is all that was asked.
    let mut config = tunnelled();
    config.centres[0].addresses.clear();
    let mut unnamed = living_end(vec![]);
    unnamed.retain(|s| !matches!(s, Sighting::Tcp(..)) && !matches!(s, Sighting::Ping(to, _) if *to == ip(CENTRE)));
    let diagnosis = ask(&config, unnamed);
    root(&diagnosis, Cause::DnsTimeout, Certainty::Likely);
    let inner = diagnosis.verdicts.iter().find(|v| v.cause == Cause::VpnNoInnerPath);
    assert_eq!(inner.map(|v| v.certainty), Some(Certainty::Possible), "{diagnosis:#?}");
}

#[test]
fn an_own_firewall_that_lets_only_echo_to_the_far_end_through_is_no_lost_inner_path() {
    let denied = vec![
        Sighting::Ping(ip(CENTRE), local(Errno::EPERM)),
        Sighting::Ping(ip(RESOLVER), local(Errno::EPERM)),
        query(local(Errno::EPERM)),
    ];
    root(&ask(&tunnelled(), living_end(denied.clone())), Cause::FirewallOutput, Certainty::Proven);
    // A second name server that is silent for reasons of its own makes no witness against the path.
    let second = "10.20.0.54";
    let asked = QueryKey { resolver: ip(second), name: "settle.centre.example".to_owned() };
    let silent_second = [
        resolvers(&[RESOLVER, second]),
        Sighting::RouteTo(ip(second), Outcome::Ok(route(second, "tun0", None))),
        Sighting::Query(asked, silent()),
    ];
    root(&ask(&tunnelled(), living_end(with(denied, silent_second))), Cause::FirewallOutput, Certainty::Proven);
}

#[test]
fn an_inner_path_is_not_missed_while_the_centre_works() {
    let works = [
        lookup(found(&[CENTRE], LookupSource::Hosts)),
        Sighting::Tcp(at(CENTRE, 443), answer()),
        tls(Outcome::Ok(handshake(Some(0)))),
        query(silent()),
    ];
    silent_about(&ask(&tunnelled(), living_end(works.to_vec())));
}
