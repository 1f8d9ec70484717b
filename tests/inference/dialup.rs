//! A line that this PC dials up by itself: when the session is gone, nothing is wrong with the card beneath it.

use crate::trouble::{ask_enrolled, enrolled};
use crate::world::*;
use isonet::baseline::{Enrolment, KnownGateway};
use isonet::model::*;

/// A card with a signal, without address and route.
fn bare_card() -> Vec<Sighting> {
    let refused = |to: &str| Sighting::RouteTo(ip(to), local(Errno::ENETUNREACH));
    let mut all = vec![links(vec![link("eth0", LinkKind::Ethernet, true, true)]), addresses(&[]), routes(vec![])];
    all.extend([refused(CENTRE), refused(RESOLVER), resolvers(&[RESOLVER])]);
    all.extend([
        lookup(failed(FailureKind::Silence, 3)),
        query(local(Errno::ENETUNREACH)),
        Sighting::Ping(ip(CENTRE), local(Errno::ENETUNREACH)),
    ]);
    all.push(Sighting::Tcp(at(CENTRE, 443), local(Errno::ENETUNREACH)));
    all
}

fn by(devices: &[(&str, Option<&str>)]) -> Enrolment {
    enrolled(|baseline| {
        let known = |(device, address): &(&str, Option<&str>)| KnownGateway {
            address: address.map(ip),
            device: Some(IfName::new(*device)),
            mac: None,
        };
        baseline.gateways = devices.iter().map(known).collect();
    })
}

fn traces(found: &[&str]) -> Sighting {
    Sighting::DialUp(Outcome::Ok(found.iter().map(ToString::to_string).collect()))
}

#[test]
fn an_enrolled_session_that_is_gone_is_the_line_and_not_the_card() {
    for gone in [
        bare_card(),
        // A card may have an address for the modem's own page.
        with(bare_card(), [addresses(&[("eth0", "192.168.1.20/24")]), routes(vec![route("192.168.1.0/24", "eth0", None)])]),
        // The interface may outlive its session.
        with(
            bare_card(),
            [links(vec![link("eth0", LinkKind::Ethernet, true, true), Link { index: 9, ..link("ppp0", LinkKind::Ppp, false, false) }])],
        ),
    ] {
        let diagnosis = ask_enrolled(&leased(), &by(&[("ppp0", None)]), gone);
        root(&diagnosis, Cause::LineDown, Certainty::Likely);
        assert_eq!(names(&diagnosis), [Cause::LineDown]);
        let proof = &diagnosis.verdicts[0].evidence;
        assert!(proof.iter().any(|e| e.k == "link.enrolled" && e.target == "ppp0"), "{proof:#?}");
        assert!(diagnosis.verdicts[0].ruled_out.iter().any(|out| out.cause == Cause::LinkNoCarrier));
        let state = |layer| diagnosis.path.iter().find(|item| item.layer == layer).map(|item| item.state);
        assert_eq!((state(Layer::Link), state(Layer::Line)), (Some(LayerState::Ok), Some(LayerState::Failed)), "{:#?}", diagnosis.path);
    }
}

#[test]
fn a_tunnel_over_the_session_goes_down_with_the_line() {
    let mut config = tunnelled();
    // The pattern of the tunnel fits the line as well.
    for pattern in ["tun0", "ppp*"] {
        config.vpns[0].interface = pattern.parse().unwrap();
        let facts = VpnFacts { server: vec![at(SERVER, 1194)], ..vpn(None, ProcessState::Running) };
        let gone = with(bare_card(), [Sighting::Vpn("centre".to_owned(), Outcome::Ok(facts))]);
        let diagnosis = ask_enrolled(&config, &by(&[("ppp0", None)]), gone);
        root(&diagnosis, Cause::LineDown, Certainty::Likely);
    }
}

#[test]
fn a_dead_cable_under_the_session_is_the_cable() {
    let dead = with(bare_card(), [links(vec![link("eth0", LinkKind::Ethernet, true, false)])]);
    root(&ask_enrolled(&leased(), &by(&[("ppp0", None)]), dead), Cause::LinkNoCarrier, Certainty::Proven);
}

#[test]
fn a_terminal_that_never_dialled_has_simply_no_address() {
    for enrolment in [
        Enrolment::NotEnrolled,
        by(&[("eth0", Some(GATEWAY))]),
        // Its way out is the router; the session was a tunnel's.
        by(&[("eth0", Some(GATEWAY)), ("ppp0", None)]),
    ] {
        let diagnosis = ask_enrolled(&leased(), &enrolment, bare_card());
        root(&diagnosis, Cause::AddrNone, Certainty::Proven);
        assert_eq!(names(&diagnosis), [Cause::AddrNone]);
    }
    root(&ask(&leased(), with(bare_card(), [traces(&[])])), Cause::AddrNone, Certainty::Proven);
    let learned = with(bare_card(), [traces(&["/etc/ppp/peers/dsl"])]);
    root(&ask_enrolled(&leased(), &by(&[("eth0", Some(GATEWAY))]), learned), Cause::AddrNone, Certainty::Proven);
}

#[test]
fn before_enrolment_a_dial_up_that_is_set_up_makes_the_line_as_likely_as_the_address() {
    let diagnosis = ask(&leased(), with(bare_card(), [traces(&["/etc/ppp/peers/dsl", "pppd"])]));
    root(&diagnosis, Cause::AddrNone, Certainty::Likely);
    assert_eq!(names(&diagnosis), [Cause::AddrNone, Cause::LineDown]);
    assert_eq!(diagnosis.verdicts[1].certainty, Certainty::Likely);
    assert!(diagnosis.verdicts[1].evidence.iter().any(|e| e.k == "link.dial-up" && e.target == "/etc/ppp/peers/dsl"));
    // A card with a router of its own leaves by it.
    silent_about(&ask(&leased(), with(healthy(), [traces(&["pppd"])])));
}

#[test]
fn what_could_not_be_seen_of_a_dial_up_keeps_the_address_from_being_proven() {
    let hidden = Sighting::DialUp(Outcome::Unknown(Unseen::Hidden("/etc/ppp/peers".to_owned())));
    let diagnosis = ask(&leased(), with(bare_card(), [hidden]));
    root(&diagnosis, Cause::AddrNone, Certainty::Likely);
    assert_eq!(names(&diagnosis), [Cause::AddrNone]);
    assert!(diagnosis.blind.iter().any(|blind| blind.what == "link.dial-up"), "{:#?}", diagnosis.blind);
}

#[test]
fn a_session_that_stands_is_judged_as_the_line_it_is() {
    let standing = with(
        bare_card(),
        [
            links(vec![link("eth0", LinkKind::Ethernet, true, true), Link { index: 9, ..link("ppp1", LinkKind::Ppp, true, true) }]),
            addresses(&[("ppp1", "10.64.1.2/32")]),
            routes(vec![route("0.0.0.0/0", "ppp1", None)]),
            Sighting::RouteTo(ip(CENTRE), Outcome::Ok(route(CENTRE, "ppp1", None))),
            Sighting::RouteTo(ip(RESOLVER), Outcome::Ok(route(RESOLVER, "ppp1", None))),
            query(knows(CENTRE)),
            lookup(found(&[CENTRE], LookupSource::Dns)),
            Sighting::Ping(ip(CENTRE), answer()),
            Sighting::Tcp(at(CENTRE, 443), answer()),
            tls(Outcome::Ok(handshake(Some(0)))),
        ],
    );
    silent_about(&ask_enrolled(&leased(), &by(&[("ppp0", None)]), standing));
}
