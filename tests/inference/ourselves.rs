//! This PC's own troubles: what they must not be taken for, and what the card itself tells.

use crate::world::*;
use isonet::baseline::Enrolment;
use isonet::config::Config;
use isonet::infer::diagnose;
use isonet::model::*;

/// Numbers of the kernel that speak of this PC's want and of nobody else: no descriptor, no buffer, no memory, an address or a card that
/// went away in the middle of the round.
const OWN: [i32; 7] = [23, 24, 12, 105, 99, 100, 19];

fn own<T>(number: i32) -> Outcome<T> {
    local(Errno(number))
}

#[test]
fn what_this_pc_lacks_for_a_moment_accuses_nobody() {
    for number in OWN {
        let mut troubled = terminal();
        troubled.extend([query(own(number)), lookup(own(number)), Sighting::Ping(ip(CENTRE), own(number))]);
        troubled.extend([Sighting::Ping(ip(RESOLVER), own(number)), Sighting::Tcp(at(CENTRE, 443), own(number))]);
        troubled.push(tls(Outcome::Unknown(Unseen::Skipped)));
        says_nothing(&ask(&leased(), troubled.clone()));
        let blind = gateway(ArpAnswer::Unknown(Unseen::Capability("CAP_NET_RAW".to_owned())), own(number));
        says_nothing(&ask(&leased(), with(troubled, [blind])));
        let mut in_tunnel = dead_tunnel(vec![Sighting::Udp(at(SERVER, 1194), answer())]);
        in_tunnel.extend([Sighting::Ping(ip(INSIDE), answer()), Sighting::Ping(ip(CENTRE), own(number)), query(own(number))]);
        in_tunnel.extend([lookup(own(number)), Sighting::Tcp(at(CENTRE, 443), own(number))]);
        says_nothing(&ask(&tunnelled(), in_tunnel));
    }
}

#[test]
fn a_service_that_this_pc_could_not_ask_is_not_broken() {
    for number in OWN {
        says_nothing(&ask(&leased(), with(healthy(), [tls(own(number))])));
        says_nothing(&ask(
            &leased(),
            with(healthy(), [Sighting::Tcp(at(CENTRE, 443), own(number)), tls(Outcome::Unknown(Unseen::Skipped))]),
        ));
        let mut paged = leased();
        let page = "[[centre]]\nname = \"c\"\nhost = \"h.example\"\nhttp = { url = \"https://settle.centre.example/health\" }";
        paged.centres[0].http = toml::from_str::<Config>(page).unwrap().centres.remove(0).http;
        let asked = Sighting::Http("https://settle.centre.example/health".to_owned(), at(CENTRE, 443), own(number));
        says_nothing(&ask(&paged, with(healthy(), [asked])));
    }
}

#[test]
fn an_echo_that_this_pc_could_not_send_accuses_no_centre_of_which_only_echo_is_known() {
    let mut config = leased();
    (config.centres[0].tcp, config.centres[0].tls) = (vec![], None);
    let mut base = healthy();
    base.retain(|s| !matches!(s, Sighting::Tcp(..) | Sighting::Tls(..)));
    says_nothing(&ask(&config, with(base, [Sighting::Ping(ip(CENTRE), own(105))])));
}

#[test]
fn a_family_that_this_pc_does_not_have_does_not_hide_a_dead_centre() {
    let both = [
        lookup(found(&["fd20::10", CENTRE], LookupSource::Dns)),
        Sighting::Tcp(at("fd20::10", 443), own(99)),
        Sighting::Tcp(at(CENTRE, 443), silent()),
        Sighting::Ping(ip(CENTRE), silent()),
        tls(Outcome::Unknown(Unseen::Skipped)),
    ];
    let diagnosis = ask(&leased(), with(healthy(), both));
    root(&diagnosis, Cause::CentreOutage, Certainty::Likely);
    assert!(diagnosis.verdicts[0].evidence.iter().all(|line| !line.result.contains("EADDRNOTAVAIL")), "{diagnosis:#?}");
}

#[test]
fn a_second_resolver_that_this_pc_could_not_ask_is_not_dead() {
    let second = "10.20.0.54";
    let unasked = Sighting::Query(QueryKey { resolver: ip(second), name: "settle.centre.example".to_owned() }, own(105));
    silent_about(&ask(&leased(), with(healthy(), [resolvers(&[RESOLVER, second]), unasked])));
}

#[test]
fn what_was_seen_of_a_pc_that_changed_meanwhile_is_taken_back() {
    let refused = [Sighting::Tcp(at(CENTRE, 443), failed(FailureKind::Refused, 1)), Sighting::Ping(ip(CENTRE), silent())];
    for (config, seen) in [
        (leased(), with(terminal(), dead_air())),
        (leased(), with(healthy(), refused)),
        (leased(), with(terminal(), [gateway(ArpAnswer::Silent, silent()), lookup(silent()), query(silent())])),
        (tunnelled(), dead_tunnel(vec![Sighting::Udp(at(SERVER, 1194), silent()), Sighting::Ping(ip(SERVER), answer())])),
    ] {
        let mut shaken = world(seen);
        assert_eq!(diagnose(&shaken, &config, &Enrolment::NotEnrolled).connected, Some(false));
        shaken.unsee(&Unseen::Unsteady);
        let diagnosis = diagnose(&shaken, &config, &Enrolment::NotEnrolled);
        says_nothing(&diagnosis);
        assert!(diagnosis.blind.iter().any(|blind| blind.because == Unseen::Unsteady));
        // The kernel's word about now still counts.
        let pulled = links(vec![link("eth0", LinkKind::Ethernet, true, false)]);
        let fresh = [pulled, addresses(&[("eth0", "192.168.1.20/24")]), routes(vec![route("0.0.0.0/0", "eth0", Some(GATEWAY))])];
        for sighting in fresh {
            shaken.apply(Observation { at: stamp(1000), sighting });
        }
        root(&diagnose(&shaken, &config, &Enrolment::NotEnrolled), Cause::LinkNoCarrier, Certainty::Proven);
    }
}

#[test]
fn health_seen_before_a_change_is_not_health() {
    let mut shaken = world(healthy());
    shaken.unsee(&Unseen::Unsteady);
    says_nothing(&diagnose(&shaken, &leased(), &Enrolment::NotEnrolled));
}

fn card(change: impl Fn(&mut Link)) -> Sighting {
    let mut card = link("eth0", LinkKind::Ethernet, true, true);
    change(&mut card);
    links(vec![card])
}

/// The same, so long after boot.
fn after(boottime_ms: u64, sightings: Vec<Sighting>) -> Diagnosis {
    let seen: Vec<_> =
        sightings.into_iter().enumerate().map(|(i, s)| Observation { at: stamp(boottime_ms + i as u64), sighting: s }).collect();
    diagnose(&seen.into(), &leased(), &Enrolment::NotEnrolled)
}

const HOUR_MS: u64 = 3_600_000;

#[test]
fn a_signal_that_comes_and_goes_is_told_from_one_that_was_switched_off_at_night() {
    let changed = |times| with(healthy(), [card(|link| link.carrier_changes = times)]);
    let flapping = after(HOUR_MS, changed(40));
    assert_eq!(flapping.connected, Some(true));
    let first = &flapping.verdicts[0];
    assert_eq!((first.cause, first.certainty, first.severity), (Cause::LinkFlapping, Certainty::Possible, Severity::Low));
    silent_about(&after(HOUR_MS / 60, changed(5)));
    silent_about(&after(HOUR_MS, changed(11)));
    silent_about(&after(30 * 24 * HOUR_MS, changed(120)));
}

#[test]
fn a_card_that_counts_many_damaged_packets_is_worth_a_word() {
    let counted = |errors, bytes| {
        let worn = move |link: &mut Link| (link.rx_errors, link.rx_bytes) = (errors, bytes);
        ask(&leased(), with(healthy(), [card(worn)]))
    };
    let worn = counted(20_000, 600_000_000);
    let first = &worn.verdicts[0];
    assert_eq!((first.cause, first.certainty, first.disconnects), (Cause::LinkDegraded, Certainty::Possible, false), "{worn:#?}");
    silent_about(&counted(12, 6_000));
    silent_about(&counted(5_000, 900_000_000_000));
}

#[test]
fn a_card_with_ten_megabit_is_slow_and_one_with_a_hundred_is_not() {
    let at_speed = |speed, full| ask(&leased(), with(healthy(), [card(move |link| (link.speed_mbps, link.full_duplex) = (speed, full))]));
    for slow in [at_speed(Some(10), Some(true)), at_speed(Some(10), Some(false)), at_speed(Some(100), Some(false))] {
        assert_eq!((names(&slow), slow.verdicts[0].certainty), (vec![Cause::LinkDegraded], Certainty::Proven));
    }
    silent_about(&at_speed(Some(100), Some(true)));
    silent_about(&at_speed(None, None));
    // A slow card that is not in use is nobody's business.
    let spare = Link { index: 3, speed_mbps: Some(10), ..link("eth1", LinkKind::Ethernet, true, true) };
    silent_about(&ask(&leased(), with(healthy(), [links(vec![link("eth0", LinkKind::Ethernet, true, true), spare])])));
}

#[test]
fn a_radio_that_is_not_associated_is_not_a_loose_cable() {
    let radio = |carrier| {
        let on_radio = [
            links(vec![link("wlan0", LinkKind::Wifi, true, carrier)]),
            addresses(&[("wlan0", "192.168.1.20/24")]),
            routes(vec![route("0.0.0.0/0", "wlan0", Some(GATEWAY))]),
            Sighting::RouteTo(ip(CENTRE), Outcome::Ok(route(CENTRE, "wlan0", Some(GATEWAY)))),
            Sighting::RouteTo(ip(RESOLVER), Outcome::Ok(route(RESOLVER, "wlan0", Some(GATEWAY)))),
        ];
        with(with(terminal(), dead_air()), on_radio)
    };
    root(&ask(&leased(), radio(false)), Cause::LinkWifiLost, Certainty::Proven);
    assert!(!names(&ask(&leased(), radio(true))).contains(&Cause::LinkWifiLost));
    // A radio that is off beside a cable in use is no fault.
    let off = Link { index: 3, ..link("wlan0", LinkKind::Wifi, true, false) };
    silent_about(&ask(&leased(), with(healthy(), [links(vec![link("eth0", LinkKind::Ethernet, true, true), off])])));
}

#[test]
fn a_gateway_that_this_pc_may_not_ask_is_a_candidate_behind_the_line() {
    let unasked = gateway(ArpAnswer::Unknown(Unseen::Capability("CAP_NET_RAW".to_owned())), local(Errno::EPERM));
    let diagnosis = ask(&leased(), with(with(terminal(), dead_air()), [unasked]));
    root(&diagnosis, Cause::LineDown, Certainty::Likely);
    let gateway = diagnosis.verdicts.iter().find(|v| v.cause == Cause::GatewayUnreachable);
    assert_eq!(gateway.map(|v| v.certainty), Some(Certainty::Possible), "{diagnosis:#?}");
}
