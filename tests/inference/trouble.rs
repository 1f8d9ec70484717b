//! What is only looked at once there is trouble, or once there is a baseline: loss, this PC's own filter, a moved terminal, an exchanged
//! router, announced windows, the counter. Each with its healthy twin.

use crate::world::*;
use isonet::baseline::{Baseline, Enrolment};
use isonet::config::Config;
use isonet::infer::diagnose;
use isonet::model::*;
use std::time::Duration;

fn series(host: &str, answered: u16) -> Sighting {
    Sighting::Series(ip(host), Outcome::Ok(Reply { rtt: Duration::from_millis(8), ttl: None, series: (20, answered) }))
}

/// A connect that had to be repeated.
fn repeated() -> Sighting {
    Sighting::Tcp(at(CENTRE, 443), Outcome::Ok(Reply::once(Duration::from_millis(1020))))
}

#[test]
fn loss_beyond_a_clean_gateway_that_delays_settlement_is_the_lines() {
    let lossy = [series(GATEWAY, 20), series(CENTRE, 11), series(RESOLVER, 12), repeated()];
    let diagnosis = ask(&leased(), with(healthy(), lossy));
    assert_eq!(diagnosis.connected, Some(true), "{diagnosis:#?}");
    let lost = &diagnosis.verdicts[0];
    assert_eq!((lost.cause, lost.certainty, lost.disconnects), (Cause::LineLoss, Certainty::Proven, false), "{diagnosis:#?}");
    let cut = [Sighting::Tcp(at(CENTRE, 443), silent()), tls(Outcome::Unknown(Unseen::Skipped))];
    let lossy = [series(GATEWAY, 20), series(CENTRE, 11), series(RESOLVER, 12)];
    root(&ask(&leased(), with(with(healthy(), lossy), cut)), Cause::LineLoss, Certainty::Proven);
}

#[test]
fn echoes_that_are_merely_rationed_are_no_loss() {
    silent_about(&ask(&leased(), with(healthy(), [series(GATEWAY, 20), series(CENTRE, 8), series(RESOLVER, 8)])));
    // One host beyond gets everything through: the line is clean, whatever the other does.
    silent_about(&ask(&leased(), with(healthy(), [series(GATEWAY, 20), series(CENTRE, 8), series(RESOLVER, 20), repeated()])));
    silent_about(&ask(&leased(), with(healthy(), [series(GATEWAY, 20), series(CENTRE, 19), series(RESOLVER, 20), repeated()])));
}

/// Questions or handshakes, one after the other.
fn exchanges(host: &str, port: u16, answered: u16) -> Sighting {
    Sighting::Exchanges(at(host, port), Outcome::Ok(Reply { rtt: Duration::from_millis(8), ttl: None, series: (12, answered) }))
}

#[test]
fn a_slow_name_server_behind_a_filter_that_rations_echoes_is_no_loss() {
    let slow = || query(Outcome::Ok(Answer { addresses: vec![ip(CENTRE)], elapsed: Duration::from_millis(600) }));
    let rationed = || [series(GATEWAY, 20), series(CENTRE, 8), series(RESOLVER, 8), slow()];
    let all_came = [exchanges(CENTRE, 443, 12), exchanges(RESOLVER, 53, 12)];
    let lossy = |diagnosis: &Diagnosis| names(diagnosis).contains(&Cause::LineLoss);
    assert!(!lossy(&ask(&leased(), with(with(healthy(), rationed()), all_came))), "whatever is not an echo gets through");
    let some_came = [exchanges(CENTRE, 443, 8), exchanges(RESOLVER, 53, 12)];
    assert!(lossy(&ask(&leased(), with(with(healthy(), rationed()), some_came))));
}

#[test]
fn loss_before_the_gateway_is_the_shops_own() {
    let lossy = [series(GATEWAY, 10), series(CENTRE, 9), series(RESOLVER, 10), repeated()];
    let diagnosis = ask(&leased(), with(healthy(), lossy));
    assert_eq!((diagnosis.verdicts[0].cause, diagnosis.verdicts[0].disconnects), (Cause::LinkDegraded, false), "{diagnosis:#?}");
}

#[test]
fn an_answer_that_arrives_and_is_not_let_in_accuses_this_pc() {
    let mut deaf = terminal();
    deaf.extend([gateway(ArpAnswer::Answered(Duration::from_millis(1)), silent()), lookup(silent()), query(silent())]);
    deaf.extend([Sighting::Ping(ip(CENTRE), silent()), Sighting::Tcp(at(CENTRE, 443), silent())]);
    let heard = [Sighting::OnWire(ip(CENTRE), Outcome::Ok(())), Sighting::OnWire(ip(RESOLVER), Outcome::Ok(()))];
    root(&ask(&leased(), with(deaf.clone(), heard.clone())), Cause::FirewallInput, Certainty::Proven);
    root(&ask(&leased(), deaf), Cause::LineDown, Certainty::Likely);
    silent_about(&ask(&leased(), with(healthy(), heard)));
}

/// A terminal that was enrolled at home: one card, one router.
pub(crate) fn enrolled(change: impl FnOnce(&mut Baseline)) -> Enrolment {
    let mut baseline: Baseline = serde_json::from_str(include_str!("baseline.json")).unwrap();
    change(&mut baseline);
    Enrolment::Enrolled(Box::new(baseline))
}

fn at_home() -> Enrolment {
    enrolled(|_| {})
}

pub(crate) fn ask_enrolled(config: &Config, enrolment: &Enrolment, sightings: Vec<Sighting>) -> Diagnosis {
    in_words(diagnose(&world(sightings), config, enrolment))
}

fn router(mac: &str) -> Sighting {
    let arp = ArpAnswer::Answered(Duration::from_millis(1));
    let seen = Gateway { neighbour: Neighbour::Reachable, mac: Some(mac.to_owned()), arp, ping: answer(), expired_here: None };
    Sighting::Gateway(IfName::new("eth0"), ip(GATEWAY), Outcome::Ok(seen))
}

#[test]
fn another_router_is_a_candidate_only_while_settlement_stands_still() {
    let other = || router("02:00:00:00:00:99");
    let dead = ask_enrolled(&leased(), &at_home(), with(with(terminal(), dead_air()), [other()]));
    root(&dead, Cause::GatewayChanged, Certainty::Likely);
    assert!(dead.verdicts.iter().any(|v| v.cause == Cause::LineDown));
    silent_about(&ask_enrolled(&leased(), &at_home(), with(healthy(), [other()])));
    let same = ask_enrolled(&leased(), &at_home(), with(with(terminal(), dead_air()), [router("02:00:00:00:00:01")]));
    root(&same, Cause::LineDown, Certainty::Likely);
}

#[test]
fn a_moved_terminal_is_told_from_a_dead_line() {
    let elsewhere = || addresses(&[("eth0", "172.30.9.20/24")]);
    let routed = routes(vec![route("0.0.0.0/0", "eth0", Some("172.30.9.1"))]);
    let to = |host: &str| Sighting::RouteTo(ip(host), Outcome::Ok(route(host, "eth0", Some("172.30.9.1"))));
    let moved = with(with(terminal(), dead_air()), [elsewhere(), routed, to(CENTRE), to(RESOLVER)]);
    root(&ask_enrolled(&leased(), &at_home(), moved.clone()), Cause::AddrChangedSubnet, Certainty::Proven);
    assert_ne!(ask(&leased(), moved.clone()).verdicts[0].cause, Cause::AddrChangedSubnet, "nothing to compare with");
    silent_about(&ask_enrolled(&leased(), &at_home(), with(healthy(), [elsewhere()])));
    // Nobody has found out yet whether anything is wrong.
    let late = [Sighting::Tcp(at(CENTRE, 443), Outcome::Unknown(Unseen::Deadline)), lookup(Outcome::Unknown(Unseen::Deadline))];
    says_nothing(&ask_enrolled(&leased(), &at_home(), with(moved, late)));
}

#[test]
fn an_outage_in_an_announced_window_is_said_to_be_planned() {
    let mut config = leased();
    let window = "[[maintenance]]\nfrom = \"1969-12-31T00:00:00Z\"\nto = \"1970-01-02T00:00:00Z\"\nnote = \"upgrade\"";
    config.maintenance = toml::from_str::<Config>(window).unwrap().maintenance;
    let down = || {
        with(
            healthy(),
            [Sighting::Tcp(at(CENTRE, 443), silent()), Sighting::Ping(ip(CENTRE), silent()), tls(Outcome::Unknown(Unseen::Skipped))],
        )
    };
    let planned = ask(&config, down());
    root(&planned, Cause::CentrePlanned, Certainty::Likely);
    assert!(planned.notes.iter().any(|note| note.code == NoteCode::MaintenanceWindow));
    root(&ask(&leased(), down()), Cause::CentreOutage, Certainty::Likely);
    // What is this PC's own fault is not excused.
    let mut broken = with(terminal(), dead_air());
    broken.push(links(vec![link("eth0", LinkKind::Ethernet, true, false)]));
    root(&ask(&config, broken), Cause::LinkNoCarrier, Certainty::Proven);
}

#[test]
fn a_reader_that_was_enrolled_and_is_gone_is_missed() {
    let reader = || {
        enrolled(|baseline| {
            let device = r#"{"vendor":"072f","product":"2200","serial":null,"classes":["0b/00/00"]}"#;
            baseline.usb = vec![serde_json::from_str(device).unwrap()];
        })
    };
    let present = |names: &[&str]| Sighting::CardReaders(Outcome::Ok(names.iter().map(ToString::to_string).collect()));
    let gone = ask_enrolled(&leased(), &reader(), with(healthy(), [present(&[])]));
    assert_eq!(gone.connected, Some(true));
    assert_eq!((gone.verdicts[0].cause, gone.verdicts[0].certainty), (Cause::ReaderMissing, Certainty::Proven));
    silent_about(&ask_enrolled(&leased(), &reader(), with(healthy(), [present(&["072f:2200:-"])])));
    silent_about(&ask_enrolled(&leased(), &reader(), healthy()));
    silent_about(&ask_enrolled(&leased(), &at_home(), with(healthy(), [present(&[])])));
}

#[test]
fn a_local_service_that_nobody_offers_is_named() {
    let mut config = leased();
    config.terminal.local_services = vec![at("127.0.0.1", 8901)];
    let dead = ask(&config, with(healthy(), [Sighting::Tcp(at("127.0.0.1", 8901), failed(FailureKind::Refused, 0))]));
    assert_eq!(dead.connected, Some(true), "{dead:#?}");
    assert_eq!(dead.verdicts[0].cause, Cause::ClientLocalServiceDown);
    silent_about(&ask(&config, with(healthy(), [Sighting::Tcp(at("127.0.0.1", 8901), answer())])));
}

#[test]
fn a_card_that_runs_at_ten_megabit_or_half_duplex_is_worth_a_word() {
    let card = |speed, full| links(vec![Link { speed_mbps: speed, full_duplex: full, ..link("eth0", LinkKind::Ethernet, true, true) }]);
    for slow in [card(Some(10), Some(true)), card(Some(100), Some(false))] {
        let diagnosis = ask(&leased(), with(healthy(), [slow]));
        assert_eq!(diagnosis.connected, Some(true));
        assert_eq!((diagnosis.verdicts[0].cause, diagnosis.verdicts[0].severity), (Cause::LinkDegraded, Severity::Low));
    }
    for fine in [card(Some(100), Some(true)), card(None, None)] {
        silent_about(&ask(&leased(), with(healthy(), [fine])));
    }
}

#[test]
fn an_error_page_is_the_centres_own_only_where_a_certificate_vouches() {
    let config: Config =
        toml::from_str("[[centre]]\nname = \"c\"\nhost = \"10.20.0.10\"\ntcp = [80]\nhttp = { url = \"http://10.20.0.10/health\" }")
            .unwrap();
    let page = |status| {
        let (first_byte, total) = (Duration::from_millis(3), Duration::from_millis(3));
        let facts = HttpFacts { status, first_byte, total, maintenance: false, location: None, date_offset_s: Some(0) };
        Sighting::Http("http://10.20.0.10/health".to_owned(), at(CENTRE, 80), Outcome::Ok(facts))
    };
    for (status, cause) in [(500, Cause::HttpError), (502, Cause::HttpError), (407, Cause::HttpAuth)] {
        let world = with(terminal(), [Sighting::Tcp(at(CENTRE, 80), answer()), page(status), Sighting::Ping(ip(CENTRE), silent())]);
        let diagnosis = ask(&config, world);
        root(&diagnosis, cause, Certainty::Likely);
        assert!(diagnosis.verdicts[0].ruled_out.iter().all(|out| out.cause != Cause::CentreOutage), "a proxy may speak for a dead centre");
        let outage = diagnosis.verdicts.iter().find(|verdict| verdict.cause == Cause::CentreOutage).map(|verdict| verdict.certainty);
        assert_eq!(outage, (cause == Cause::HttpError).then_some(Certainty::Possible), "{diagnosis:#?}");
    }
    // Where the centre gives a sign of its own, the page is its own trouble; a page that is only not there is nobody's outage.
    let mut two_ports = config.clone();
    two_ports.centres[0].tcp.push(7101);
    let page_and = |status, more: Sighting| with(terminal(), [Sighting::Tcp(at(CENTRE, 80), answer()), page(status), more]);
    for (config, world) in [
        (&config, page_and(502, Sighting::Ping(ip(CENTRE), answer()))),
        (&config, page_and(404, Sighting::Ping(ip(CENTRE), silent()))),
        (&two_ports, with(page_and(500, Sighting::Ping(ip(CENTRE), silent())), [Sighting::Tcp(at(CENTRE, 7101), answer())])),
    ] {
        assert_eq!(names(&ask(config, world)), [Cause::HttpError]);
    }
}

#[test]
fn a_portals_page_is_no_sign_that_the_centre_lives() {
    let config: Config =
        toml::from_str("[[centre]]\nname = \"c\"\nhost = \"10.20.0.10\"\ntcp = [7101]\nhttp = { url = \"http://10.20.0.10/health\" }")
            .unwrap();
    let page = |status| {
        let facts = HttpFacts {
            status,
            first_byte: Duration::from_millis(3),
            total: Duration::from_millis(3),
            maintenance: false,
            location: Some("http://portal.example/".to_owned()),
            date_offset_s: Some(0),
        };
        Sighting::Http("http://10.20.0.10/health".to_owned(), at(CENTRE, 80), Outcome::Ok(facts))
    };
    let beside = |status, second| {
        let open = Sighting::Tcp(at(CENTRE, 80), answer());
        with(terminal(), [open, page(status), Sighting::Tcp(at(CENTRE, 7101), second), Sighting::Ping(ip(CENTRE), silent())])
    };
    root(&ask(&config, beside(302, silent())), Cause::LinePortal, Certainty::Likely);
    root(&ask(&config, beside(302, answer())), Cause::LinePortal, Certainty::Likely);
    root(&ask(&config, beside(200, silent())), Cause::TcpFiltered, Certainty::Proven);
    silent_about(&ask(&config, beside(200, answer())));
}
