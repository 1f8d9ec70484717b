//! Portals and boxes in between: what pretends to be the centre, and what is merely like it.

use crate::world::*;
use isonet::config::Config;
use isonet::model::*;
use std::time::Duration;

const URL: &str = "http://settle.centre.example/health";
const PORTAL: &str = "192.168.1.1";

/// A centre of which only a plain page is known.
fn plain() -> Config {
    let mut config = leased();
    let centre = &mut config.centres[0];
    (centre.tcp, centre.tls) = (vec![80], None);
    centre.http = toml::from_str::<Config>(&format!("[[centre]]\nname = \"c\"\nhost = \"h.example\"\nhttp = {{ url = \"{URL}\" }}"))
        .unwrap()
        .centres
        .remove(0)
        .http;
    config
}

fn page_facts(status: u16, date_offset_s: Option<i64>) -> HttpFacts {
    let soon = Duration::from_millis(3);
    HttpFacts { status, first_byte: soon, total: soon, maintenance: false, location: None, date_offset_s }
}

fn page_with_date(host: &str, status: u16, date_offset_s: Option<i64>) -> Sighting {
    Sighting::Http(URL.to_owned(), at(host, 80), Outcome::Ok(page_facts(status, date_offset_s)))
}

fn page(host: &str, status: u16) -> Sighting {
    page_with_date(host, status, Some(0))
}

fn star(address: &str) -> Sighting {
    Sighting::Query(QueryKey { resolver: ip(RESOLVER), name: "*".to_owned() }, knows(address))
}

/// Every name leads to the shop's router, and a page waits there.
fn forged(status: u16) -> Vec<Sighting> {
    let names = [lookup(found(&[PORTAL], LookupSource::Dns)), query(knows(PORTAL)), star(PORTAL)];
    let pages =
        [Sighting::Tcp(at(PORTAL, 80), answer()), Sighting::Tcp(at(CENTRE, 80), answer()), page(PORTAL, status), page(CENTRE, status)];
    with(with(terminal(), names), pages)
}

#[test]
fn a_portal_that_also_forges_names_is_one_root() {
    let diagnosis = ask(&plain(), forged(302));
    root(&diagnosis, Cause::LinePortal, Certainty::Likely);
    assert_eq!(names(&diagnosis), [Cause::LinePortal], "{diagnosis:#?}");
    // The page at the configured address alone tells: where the forged name leads need not be asked.
    let mut elsewhere = forged(302);
    elsewhere.retain(|s| !matches!(s, Sighting::Http(_, at, _) if at.ip() == ip(PORTAL)));
    root(&ask(&plain(), elsewhere), Cause::LinePortal, Certainty::Likely);
}

#[test]
fn forged_names_without_a_portals_page_are_a_hijack() {
    let mut pageless = forged(302);
    pageless.retain(|s| !matches!(s, Sighting::Http(..)));
    root(&ask(&plain(), pageless), Cause::DnsHijacked, Certainty::Proven);
    root(&ask(&plain(), forged(404)), Cause::DnsHijacked, Certainty::Proven);
}

#[test]
fn a_redirect_that_is_expected_is_the_centres_own() {
    let mut config = plain();
    config.centres[0].http.as_mut().unwrap().status = vec![302];
    let well =
        [query(knows(CENTRE)), lookup(found(&[CENTRE], LookupSource::Dns)), Sighting::Tcp(at(CENTRE, 80), answer()), page(CENTRE, 302)];
    silent_about(&ask(&config, with(terminal(), well.clone())));
    root(&ask(&config, forged(302)), Cause::DnsHijacked, Certainty::Proven);
    let busy = HttpFacts { maintenance: true, location: None, ..page_facts(302, Some(0)) };
    let busy = Sighting::Http(URL.to_owned(), at(CENTRE, 80), Outcome::Ok(busy));
    root(&ask(&config, with(with(terminal(), well), [busy])), Cause::HttpMaintenance, Certainty::Proven);
}

/// Two more centres that speak TLS, on the same line.
fn with_two_more(change: impl Fn(&mut isonet::config::Centre)) -> Config {
    let mut config = plain();
    for (name, host) in [("upload", "10.20.0.11"), ("reports", "10.20.0.12")] {
        let mut centre = leased().centres.remove(0);
        (centre.name, centre.host) = (name.to_owned(), host.to_owned());
        centre.addresses.clear();
        change(&mut centre);
        config.centres.push(centre);
    }
    config
}

fn handshake_with(host: &str, outcome: Outcome<TlsFacts>) -> Sighting {
    Sighting::Tls(TlsKey { at: at(host, 443), server_name: "settle.centre.example".to_owned() }, outcome)
}

fn routed(host: &str) -> Sighting {
    Sighting::RouteTo(ip(host), Outcome::Ok(route(host, "eth0", Some(GATEWAY))))
}

fn seen_by_one() -> Vec<Sighting> {
    let shown =
        [query(knows(CENTRE)), lookup(found(&[CENTRE], LookupSource::Dns)), Sighting::Tcp(at(CENTRE, 80), answer()), page(CENTRE, 302)];
    with(with(terminal(), shown), [routed("10.20.0.11"), routed("10.20.0.12")])
}

#[test]
fn a_portal_seen_by_one_centre_explains_the_others_on_its_way() {
    let config = with_two_more(|_| {});
    let fault = |fault| failed(FailureKind::Tls(fault, None), 9);
    let second = || Sighting::Tcp(at("10.20.0.11", 443), silent());
    for own in [fault(TlsFault::UnknownIssuer), fault(TlsFault::NameMismatch), failed(FailureKind::Closed { received: 0, reset: true }, 2)]
    {
        let third = [second(), Sighting::Tcp(at("10.20.0.12", 443), answer()), handshake_with("10.20.0.12", own)];
        let diagnosis = ask(&config, with(seen_by_one(), third));
        root(&diagnosis, Cause::LinePortal, Certainty::Likely);
        assert_eq!(names(&diagnosis), [Cause::LinePortal], "{diagnosis:#?}");
        assert_eq!(diagnosis.verdicts[0].explains.len(), 3, "{diagnosis:#?}");
    }
}

#[test]
fn what_only_the_other_centre_can_say_is_its_own_fault() {
    let config = with_two_more(|_| {});
    let expired = failed(FailureKind::Tls(TlsFault::Expired, Some(Box::new(handshake(Some(0))))), 9);
    let more = [
        Sighting::Tcp(at("10.20.0.11", 443), silent()),
        Sighting::Tcp(at("10.20.0.12", 443), answer()),
        handshake_with("10.20.0.12", expired),
    ];
    let diagnosis = ask(&config, with(seen_by_one(), more));
    assert!(names(&diagnosis).contains(&Cause::TlsExpired) && names(&diagnosis).contains(&Cause::LinePortal), "{diagnosis:#?}");
}

#[test]
fn a_redirect_beside_a_centre_that_is_vouched_for_is_no_portal() {
    let config = with_two_more(|_| {});
    let living = [Sighting::Tcp(at("10.20.0.12", 443), answer()), handshake_with("10.20.0.12", Outcome::Ok(handshake(Some(0))))];
    let diagnosis = ask(&config, with(with(seen_by_one(), living), [Sighting::Tcp(at("10.20.0.11", 443), silent())]));
    assert!(!names(&diagnosis).contains(&Cause::LinePortal), "{diagnosis:#?}");
    assert!(names(&diagnosis).contains(&Cause::HttpError) && names(&diagnosis).contains(&Cause::CentreOutage), "{diagnosis:#?}");
    // Without a CA anybody could have answered there.
    let unjudged = TlsFacts { verified: false, ..handshake(Some(0)) };
    let anybody = [Sighting::Tcp(at("10.20.0.12", 443), answer()), handshake_with("10.20.0.12", Outcome::Ok(unjudged))];
    assert!(names(&ask(&config, with(seen_by_one(), anybody))).contains(&Cause::LinePortal));
}

#[test]
fn a_portal_on_one_way_does_not_explain_a_centre_on_another() {
    let config = with_two_more(|_| {});
    let by_another = |host: &str| Sighting::RouteTo(ip(host), Outcome::Ok(route(host, "eth1", Some("192.168.7.1"))));
    let cards =
        links(vec![link("eth0", LinkKind::Ethernet, true, true), Link { index: 3, ..link("eth1", LinkKind::Ethernet, true, true) }]);
    let dead = ["10.20.0.11", "10.20.0.12"].map(|host| Sighting::Tcp(at(host, 443), failed(FailureKind::Refused, 1)));
    let all = with(with(seen_by_one(), [by_another("10.20.0.11"), by_another("10.20.0.12"), cards]), dead);
    let diagnosis = ask(&config, all);
    let portal = diagnosis.verdicts.iter().find(|v| v.cause == Cause::LinePortal).unwrap();
    assert_eq!(portal.explains, [Subject::Centre("settlement".to_owned())], "{diagnosis:#?}");
}

#[test]
fn a_name_that_nobody_resolves_beside_a_portal_is_the_portals() {
    let mut config = plain();
    let mut named = leased().centres.remove(0);
    (named.name, named.host) = ("upload".to_owned(), "upload.centre.example".to_owned());
    named.addresses.clear();
    config.centres.push(named);
    let unknown = Sighting::Lookup("upload.centre.example".to_owned(), silent());
    let asked = Sighting::Query(QueryKey { resolver: ip(RESOLVER), name: "upload.centre.example".to_owned() }, silent());
    assert_eq!(names(&ask(&config, with(seen_by_one(), [unknown, asked]))), [Cause::LinePortal]);
    let denied = || failed(FailureKind::Rcode(Rcode::NxDomain), 1);
    let unknown = Sighting::Lookup("upload.centre.example".to_owned(), failed(FailureKind::Rcode(Rcode::NxDomain), 1));
    let asked = Sighting::Query(QueryKey { resolver: ip(RESOLVER), name: "upload.centre.example".to_owned() }, denied());
    assert!(names(&ask(&config, with(seen_by_one(), [unknown, asked]))).contains(&Cause::DnsNxdomain));
}

/// 57 years: from the date of a PC that lost its own to one that a portal may show.
const TODAY_S: i64 = 1_800_000_000;

#[test]
fn a_wrong_clock_behind_a_portal_is_named_beside_it() {
    let shown = |offset| {
        let mut all = seen_by_one();
        all.push(page_with_date(CENTRE, 302, offset));
        ask(&plain(), all)
    };
    let wrong = shown(Some(TODAY_S));
    root(&wrong, Cause::LinePortal, Certainty::Likely);
    assert_eq!(names(&wrong), [Cause::LinePortal, Cause::ClockWrong]);
    assert_eq!(wrong.verdicts[1].certainty, Certainty::Possible);
    // Agreement, no date, and the date of a device that has lost its own say nothing.
    for offset in [Some(200), None, Some(-TODAY_S), Some(86_400)] {
        assert_eq!(names(&shown(offset)), [Cause::LinePortal], "{offset:?}");
    }
}

#[test]
fn portals_that_disagree_about_the_time_say_nothing_of_ours() {
    let mut all = forged(302);
    all.extend([page_with_date(CENTRE, 302, Some(TODAY_S)), page_with_date(PORTAL, 302, Some(TODAY_S))]);
    assert_eq!(names(&ask(&plain(), all)), [Cause::LinePortal, Cause::ClockWrong]);
    let mut config = plain();
    let mut second = config.centres[0].clone();
    (second.name, second.host) = ("upload".to_owned(), "10.20.0.11".to_owned());
    second.addresses.clear();
    config.centres.push(second);
    let more = [
        routed("10.20.0.11"),
        Sighting::Tcp(at("10.20.0.11", 80), answer()),
        page("10.20.0.11", 302),
        page_with_date(CENTRE, 302, Some(TODAY_S)),
    ];
    assert_eq!(names(&ask(&config, with(seen_by_one(), more))), [Cause::LinePortal]);
}

fn echo(ms: u64) -> Sighting {
    Sighting::Ping(ip(CENTRE), Outcome::Ok(Reply::once(Duration::from_millis(ms))))
}

fn connected_after(ms: u64) -> Sighting {
    Sighting::Tcp(at(CENTRE, 443), Outcome::Ok(Reply::once(Duration::from_millis(ms))))
}

#[test]
fn who_accepts_in_vain_is_told_by_its_distance() {
    let closed = || tls(failed(FailureKind::Closed { received: 0, reset: false }, 1));
    let seen = |echo_ms, connect_ms| ask(&leased(), with(healthy(), [echo(echo_ms), connected_after(connect_ms), closed()]));
    let near = seen(40, 1);
    root(&near, Cause::TcpAcceptAll, Certainty::Likely);
    assert_eq!(names(&near), [Cause::TcpAcceptAll]);
    let far = seen(40, 39);
    root(&far, Cause::CentreOutage, Certainty::Likely);
    assert_eq!((names(&far), far.verdicts[1].certainty), (vec![Cause::CentreOutage, Cause::TcpAcceptAll], Certainty::Possible));
    // A busy PC makes one connection, or one echo, seem slow; the quickest of several tells.
    let quick = Sighting::Tcp(at(CENTRE, 9000), Outcome::Ok(Reply::once(Duration::from_millis(1))));
    let slow_once = with(healthy(), [echo(40), connected_after(39), closed(), quick]);
    assert_eq!(names(&ask(&leased(), slow_once)), [Cause::TcpAcceptAll]);
    let best = Sighting::Series(ip(CENTRE), Outcome::Ok(Reply { rtt: Duration::from_millis(1), ttl: None, series: (20, 20) }));
    let noisy = with(healthy(), [echo(40), connected_after(39), closed(), best]);
    assert_eq!(names(&ask(&leased(), noisy)), [Cause::TcpAcceptAll, Cause::CentreOutage]);
    // On a short line, or where echo is forbidden, the distance tells nothing.
    let either = [seen(1, 1), ask(&leased(), with(healthy(), [Sighting::Ping(ip(CENTRE), silent()), connected_after(1), closed()]))];
    for diagnosis in either {
        assert_eq!(names(&diagnosis), [Cause::TcpAcceptAll, Cause::CentreOutage], "{diagnosis:#?}");
        assert!(diagnosis.verdicts.iter().all(|v| v.certainty == Certainty::Likely));
    }
}

#[test]
fn a_port_that_ends_every_connection_is_told_the_same_way() {
    let mut config = leased();
    config.centres[0].tls = None;
    let ended = |ms| Sighting::Tcp(at(CENTRE, 443), failed(FailureKind::Closed { received: 0, reset: false }, ms));
    assert_eq!(names(&ask(&config, with(healthy(), [echo(40), ended(2)]))), [Cause::TcpAcceptAll]);
    assert_eq!(names(&ask(&config, with(healthy(), [echo(40), ended(81)]))), [Cause::CentreOutage, Cause::TcpAcceptAll]);
}

#[test]
fn a_clock_that_a_time_daemon_keeps_is_not_doubted_for_a_portals_sake() {
    let mut shown = seen_by_one();
    shown.push(page_with_date(CENTRE, 302, Some(TODAY_S)));
    let kept = |i| Stamp { clock: ClockState::Synchronised, ..stamp(i) };
    let seen: Vec<_> = (0..).zip(shown).map(|(i, sighting)| Observation { at: kept(i), sighting }).collect();
    let diagnosis = isonet::infer::diagnose(&seen.into(), &plain(), &isonet::baseline::Enrolment::NotEnrolled);
    assert_eq!(names(&diagnosis), [Cause::LinePortal]);
}
