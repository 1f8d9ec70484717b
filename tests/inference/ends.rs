//! The far end: dead, closed to us, or only seemingly so; and what may be the line's fault instead.

use crate::world::*;
use isonet::config::{Access, Config};
use isonet::model::*;
use std::time::Duration;

fn refused(port: u16, ms: u64) -> Sighting {
    Sighting::Tcp(at(CENTRE, port), failed(FailureKind::Refused, ms))
}

fn two_ports() -> Config {
    let mut config = leased();
    config.centres[0].tcp = vec![443, 9000];
    config
}

fn far_echo() -> Sighting {
    Sighting::Ping(ip(CENTRE), Outcome::Ok(Reply::once(Duration::from_millis(30))))
}

#[test]
fn a_centre_that_refuses_every_port_may_have_shut_us_out() {
    let skipped = || tls(Outcome::Unknown(Unseen::Skipped));
    let all = ask(&two_ports(), with(healthy(), [refused(443, 30), refused(9000, 30), skipped(), far_echo()]));
    root(&all, Cause::TcpRefused, Certainty::Likely);
    assert_eq!((names(&all), all.verdicts[1].certainty), (vec![Cause::TcpRefused, Cause::CentreCutOff], Certainty::Possible));
    // One port of two is a service that does not run, and so is the only one.
    let one = ask(&two_ports(), with(healthy(), [refused(443, 30), Sighting::Tcp(at(CENTRE, 9000), answer()), skipped(), far_echo()]));
    assert_eq!((names(&one), one.verdicts[0].certainty), (vec![Cause::TcpRefused], Certainty::Proven));
    assert_eq!(names(&ask(&leased(), with(healthy(), [refused(443, 1), skipped()]))), [Cause::TcpRefused]);
}

#[test]
fn a_front_end_that_refuses_everything_is_the_institutions_own() {
    let mut config = two_ports();
    config.network.access = Access::FrontEnd;
    let skipped = || tls(Outcome::Unknown(Unseen::Skipped));
    let dead = ask(&config, with(healthy(), [refused(443, 1), refused(9000, 1), skipped()]));
    root(&dead, Cause::FrontendDown, Certainty::Likely);
    assert_eq!((names(&dead), dead.verdicts[1].certainty), (vec![Cause::FrontendDown, Cause::TcpRefused], Certainty::Possible));
    let half = ask(&config, with(healthy(), [refused(443, 1), Sighting::Tcp(at(CENTRE, 9000), answer()), skipped()]));
    assert_eq!(names(&half), [Cause::TcpRefused]);
}

#[test]
fn a_filter_that_names_us_is_told_from_a_dead_centre() {
    let down = |word| {
        let gone = [Sighting::Tcp(at(CENTRE, 443), silent()), Sighting::Ping(ip(CENTRE), word), tls(Outcome::Unknown(Unseen::Skipped))];
        ask(&leased(), with(healthy(), gone))
    };
    let cut = down(icmp(IcmpKind::AdminProhibited, "10.66.0.1"));
    assert_eq!(names(&cut), [Cause::CentreCutOff]);
    let silence = down(silent());
    assert_eq!((names(&silence), silence.verdicts[1].certainty), (vec![Cause::CentreOutage, Cause::CentreCutOff], Certainty::Possible));
    assert_eq!(names(&down(icmp(IcmpKind::HostUnreachable, "10.66.0.1"))), [Cause::CentreOutage]);
}

fn pages(status: [u16; 2]) -> Diagnosis {
    let page = |i: usize| format!("http://10.20.0.1{i}/health");
    let centre = |i: usize| format!("[[centre]]\nname = \"c{i}\"\nhost = \"10.20.0.1{i}\"\nhttp = {{ url = \"{}\" }}\n", page(i));
    let config: Config = toml::from_str(&(centre(0) + &centre(1))).unwrap();
    let mut seen = terminal();
    for (i, status) in status.into_iter().enumerate() {
        let host = format!("10.20.0.1{i}");
        let soon = Duration::from_millis(3);
        let facts = HttpFacts { status, first_byte: soon, total: soon, maintenance: false, location: None, date_offset_s: None };
        seen.push(Sighting::RouteTo(ip(&host), Outcome::Ok(route(&host, "eth0", Some(GATEWAY)))));
        seen.push(Sighting::Tcp(at(&host, 80), answer()));
        seen.push(Sighting::Http(page(i), at(&host, 80), Outcome::Ok(facts)));
    }
    ask(&config, seen)
}

#[test]
fn a_terminal_that_every_centre_refuses_may_be_cut_off() {
    let everywhere = pages([403, 401]);
    root(&everywhere, Cause::HttpAuth, Certainty::Likely);
    let cut = everywhere.verdicts.iter().filter(|v| v.cause == Cause::CentreCutOff);
    assert!(cut.clone().count() == 2 && cut.clone().all(|v| v.certainty == Certainty::Possible), "{everywhere:#?}");
    assert_eq!(names(&pages([403, 200])), [Cause::HttpAuth]);
    assert!(!names(&pages([403, 500])).contains(&Cause::CentreCutOff));
}

#[test]
fn resolver_and_centre_silent_at_once_are_one_outage() {
    let hop = Hop { ttl: 2, answer: HopAnswer::Router(ip("10.66.0.1")), elapsed: Duration::from_millis(2) };
    let beyond = Sighting::Walk(ip(CENTRE), Outcome::Ok(vec![hop]));
    let all = ask(&leased(), with(with(terminal(), dead_air()), [beyond.clone()]));
    root(&all, Cause::CentreOutage, Certainty::Likely);
    assert_eq!((names(&all), all.verdicts[1].certainty), (vec![Cause::CentreOutage, Cause::DnsTimeout], Certainty::Possible));
    // The centre lives: the resolver alone is silent.
    let living =
        [beyond, Sighting::Tcp(at(CENTRE, 443), answer()), Sighting::Ping(ip(CENTRE), answer()), tls(Outcome::Ok(handshake(None)))];
    root(&ask(&leased(), with(with(terminal(), dead_air()), living)), Cause::DnsTimeout, Certainty::Proven);
}

/// This PC's mask is so wide that the centre seems to be on its segment.
fn wide(tcp: Outcome<Reply>) -> Vec<Sighting> {
    let near = |host: &str| Sighting::RouteTo(ip(host), Outcome::Ok(route(host, "eth0", None)));
    let mask = [addresses(&[("eth0", "10.20.5.7/8")]), routes(vec![route("10.0.0.0/8", "eth0", None)]), near(CENTRE), near(RESOLVER)];
    let mut seen = with(with(terminal(), dead_air()), mask);
    seen.retain(|s| !matches!(s, Sighting::Gateway(..)));
    with(seen, [Sighting::Tcp(at(CENTRE, 443), tcp)])
}

#[test]
fn a_silent_centre_behind_a_gateway_that_answers_for_everybody_may_be_the_line() {
    let dead = ask(&leased(), wide(failed(FailureKind::Silence, 3200)));
    root(&dead, Cause::LineDown, Certainty::Likely);
    assert_eq!((names(&dead), dead.verdicts[1].certainty), (vec![Cause::LineDown, Cause::CentreOutage], Certainty::Possible));
}

#[test]
fn a_station_of_our_own_segment_that_is_gone_is_not_the_line() {
    let nobody = || failed(FailureKind::Local(Errno::EHOSTUNREACH), 3060);
    assert!(!names(&ask(&leased(), wide(nobody()))).contains(&Cause::LineDown));
    // Given up on too early to know.
    assert!(!names(&ask(&leased(), wide(silent()))).contains(&Cause::LineDown));
    let mut in_house = leased();
    in_house.network.access = Access::FrontEnd;
    assert!(!names(&ask(&in_house, wide(failed(FailureKind::Silence, 3200)))).contains(&Cause::LineDown));
    // Somebody else behind the same gateway answers.
    let living = with(wide(failed(FailureKind::Silence, 3200)), [Sighting::Ping(ip(RESOLVER), answer())]);
    assert!(!names(&ask(&leased(), living)).contains(&Cause::LineDown));
}

fn counted(host: &str, answered: u16) -> Sighting {
    Sighting::Series(ip(host), Outcome::Ok(Reply { rtt: Duration::from_millis(8), ttl: None, series: (20, answered) }))
}

/// The upload stalls; in small segments it passes.
fn stalled() -> [Sighting; 2] {
    [Sighting::Upload(at(CENTRE, 443), silent()), Sighting::UploadSmall(at(CENTRE, 443), answer())]
}

fn lossy(large: Outcome<Reply>) -> Vec<Sighting> {
    let lost = [counted(GATEWAY, 20), counted(CENTRE, 11), counted(RESOLVER, 12), Sighting::SeriesLarge(ip(CENTRE), large)];
    let delayed = Sighting::Tcp(at(CENTRE, 443), Outcome::Ok(Reply::once(Duration::from_millis(1020))));
    with(with(with(healthy(), lost), stalled()), [delayed, tls(silent())])
}

#[test]
fn loss_and_a_black_hole_are_both_named() {
    let both = ask(&leased(), lossy(silent()));
    root(&both, Cause::LineLoss, Certainty::Proven);
    assert_eq!((names(&both), both.verdicts[1].certainty), (vec![Cause::LineLoss, Cause::PathMtuBlackHole], Certainty::Likely));
}

/// Every connect went through at once; only the small segments had to be repeated.
#[test]
fn loss_is_felt_where_small_segments_are_repeated_or_stall() {
    let quick = Sighting::Tcp(at(CENTRE, 443), answer());
    let small = |outcome| with(lossy(silent()), [quick.clone(), Sighting::UploadSmall(at(CENTRE, 443), outcome)]);
    for stalled in [Outcome::Ok(Reply::once(Duration::from_millis(1300))), silent()] {
        let both = ask(&leased(), small(stalled));
        assert_eq!(names(&both), [Cause::LineLoss, Cause::PathMtuBlackHole], "{both:#?}");
    }
    // Nothing but echoes was lost, beside a transfer that stalls: hosts may ration them.
    assert_eq!(names(&ask(&leased(), small(answer()))), [Cause::PathMtuBlackHole]);
    // A slow service takes large segments as slowly as small ones.
    let slow = || Outcome::Ok(Reply::once(Duration::from_millis(900)));
    let taken = [Sighting::Upload(at(CENTRE, 443), slow()), Sighting::UploadSmall(at(CENTRE, 443), slow())];
    let rationed = [counted(GATEWAY, 20), counted(CENTRE, 11), counted(RESOLVER, 12)];
    silent_about(&ask(&leased(), with(with(healthy(), rationed), taken)));
}

#[test]
fn an_upload_that_stalls_on_a_lossy_line_is_no_black_hole_by_itself() {
    let some_large = Outcome::Ok(Reply { rtt: Duration::from_millis(9), ttl: None, series: (20, 7) });
    for large in [some_large, Outcome::Unknown(Unseen::Deadline), icmp(IcmpKind::PacketTooBig(1400), GATEWAY)] {
        let diagnosis = ask(&leased(), lossy(large));
        assert_eq!(names(&diagnosis), [Cause::LineLoss], "{diagnosis:#?}");
    }
    // Too few small ones returned to wonder about the large ones.
    for (centre, resolver) in [(2, 12), (3, 4)] {
        let unlucky = with(lossy(silent()), [counted(CENTRE, centre), counted(RESOLVER, resolver)]);
        assert_eq!(names(&ask(&leased(), unlucky)), [Cause::LineLoss]);
    }
    // A connect that had to be repeated is loss enough for doubt.
    let repeated = Sighting::Tcp(at(CENTRE, 443), Outcome::Ok(Reply::once(Duration::from_millis(1020))));
    silent_about(&ask(&leased(), with(with(healthy(), stalled()), [repeated])));
}

#[test]
fn a_black_hole_on_a_clean_line_is_proven_without_any_echo() {
    root(&ask(&leased(), with(healthy(), stalled())), Cause::PathMtuBlackHole, Certainty::Proven);
    let clean = [counted(GATEWAY, 20), counted(CENTRE, 20), counted(RESOLVER, 20), Sighting::SeriesLarge(ip(CENTRE), silent())];
    root(&ask(&leased(), with(with(healthy(), stalled()), clean.clone())), Cause::PathMtuBlackHole, Certainty::Proven);
    // A host that forbids large echoes has nothing wrong with it.
    silent_about(&ask(&leased(), with(healthy(), clean)));
}

#[test]
fn a_look_up_that_got_lost_on_a_lossy_line_is_the_lines_fault_first() {
    let lost = [counted(GATEWAY, 20), counted(CENTRE, 11), counted(RESOLVER, 12)];
    let delayed = Sighting::Tcp(at(CENTRE, 443), Outcome::Ok(Reply::once(Duration::from_millis(1020))));
    let unnamed = Sighting::Lookup("settle.centre.example".to_owned(), silent());
    let diagnosis = ask(&leased(), with(with(healthy(), lost), [delayed, unnamed]));
    if diagnosis.connected == Some(false) {
        assert_eq!(diagnosis.verdicts[0].cause, Cause::LineLoss, "{diagnosis:#?}");
    }
    assert!(diagnosis.verdicts.iter().any(|v| v.cause == Cause::LineLoss), "{diagnosis:#?}");
}

#[test]
fn what_a_lossy_line_delays_is_not_slow_by_itself() {
    let page = "http://settle.centre.example/health";
    let mut config = leased();
    config.centres[0].tcp.push(80);
    config.centres[0].http = toml::from_str(&format!("url = \"{page}\"")).unwrap();
    let late = Duration::from_secs(5);
    let facts = HttpFacts { status: 200, first_byte: late, total: late, maintenance: false, location: None, date_offset_s: None };
    let slow = [
        Sighting::Http(page.to_owned(), at(CENTRE, 80), Outcome::Ok(facts)),
        lookup(Outcome::Ok(Lookup { addresses: vec![ip(CENTRE)], source: LookupSource::Dns, elapsed: late })),
        query(Outcome::Ok(Answer { addresses: vec![ip(CENTRE)], elapsed: late })),
    ];
    let delayed = |after| Sighting::Tcp(at(CENTRE, 80), Outcome::Ok(Reply::once(Duration::from_millis(after))));
    let clean = with(with(healthy(), slow.clone()), [delayed(8), counted(GATEWAY, 20), counted(CENTRE, 20), counted(RESOLVER, 20)]);
    assert_eq!(names(&ask(&config, clean)), [Cause::DnsSlow, Cause::HttpSlow]);
    let lossy = with(with(healthy(), slow), [delayed(1020), counted(GATEWAY, 20), counted(CENTRE, 11), counted(RESOLVER, 12)]);
    assert_eq!(names(&ask(&config, lossy)), [Cause::LineLoss]);
}

/// The centre is known by its name only, and nobody tells it.
#[test]
fn a_name_server_that_is_silent_on_a_lossy_line_is_not_proven_dead() {
    let mut config = leased();
    config.centres[0].addresses.clear();
    let key = || QueryKey { resolver: ip(RESOLVER), name: "settle.centre.example".to_owned() };
    let echo = || Sighting::Ping(ip(RESOLVER), answer());
    let nameless = |counted: Vec<Sighting>| {
        let mut seen = terminal();
        seen.extend([alive_gateway(), resolvers(&[RESOLVER]), lookup(silent()), Sighting::Query(key(), silent()), echo()]);
        seen.push(Sighting::RouteTo(ip(RESOLVER), Outcome::Ok(route(RESOLVER, "eth0", Some(GATEWAY)))));
        seen.extend(counted);
        ask(&config, seen)
    };
    let lossy = nameless(vec![counted(GATEWAY, 20), counted(RESOLVER, 12)]);
    root(&lossy, Cause::LineLoss, Certainty::Likely);
    assert!(lossy.verdicts.iter().all(|v| v.cause != Cause::DnsTimeout || v.certainty == Certainty::Possible), "{lossy:#?}");
    // On a clean line its silence is its own.
    root(&nameless(vec![counted(GATEWAY, 20), counted(RESOLVER, 20)]), Cause::DnsTimeout, Certainty::Proven);
}

fn exchanged(host: &str, port: u16, answered: u16) -> Sighting {
    Sighting::Exchanges(at(host, port), Outcome::Ok(Reply { rtt: Duration::from_millis(9), ttl: None, series: (12, answered) }))
}

/// Neither a connect nor a question was late; what is counted without echoes tells.
#[test]
fn loss_is_felt_in_exchanges_that_are_no_echoes() {
    let quick = || Sighting::Tcp(at(CENTRE, 443), answer());
    let seen = |more: Vec<Sighting>| with(with(lossy(silent()), [quick(), Sighting::UploadSmall(at(CENTRE, 443), answer())]), more);
    for (host, port) in [(CENTRE, 443), (RESOLVER, 53)] {
        let both = ask(&leased(), seen(vec![exchanged(host, port, 6)]));
        root(&both, Cause::LineLoss, Certainty::Proven);
        assert_eq!(names(&both), [Cause::LineLoss, Cause::PathMtuBlackHole]);
        let shown =
            both.verdicts[0].evidence.iter().any(|line| line.k == "exchange.series" && line.result == "answer 6/12" && line.n == 12);
        assert!(shown, "{both:#?}");
    }
    // Twins: hosts that ration echoes and answer everything else; losses towards somebody this way does not lead to.
    for harmless in [exchanged(CENTRE, 443, 12), exchanged("10.77.0.1", 53, 6)] {
        let rationed = [counted(GATEWAY, 20), counted(CENTRE, 11), counted(RESOLVER, 12), harmless];
        silent_about(&ask(&leased(), with(healthy(), rationed)));
    }
}

/// A centre that forbids echoes, on a line that loses packets: its stalled upload may be bad luck, and nothing there can tell.
#[test]
fn a_stalled_upload_proves_no_black_hole_where_only_others_show_the_losses() {
    let key = QueryKey { resolver: ip(RESOLVER), name: "settle.centre.example".to_owned() };
    let slow = Sighting::Query(key, Outcome::Ok(Answer { addresses: vec![ip(CENTRE)], elapsed: Duration::from_millis(700) }));
    let forbidden = Sighting::Ping(ip(CENTRE), silent());
    let seen =
        |answered| with(with(healthy(), stalled()), [forbidden.clone(), counted(GATEWAY, 20), counted(RESOLVER, answered), slow.clone()]);
    root(&ask(&leased(), seen(20)), Cause::PathMtuBlackHole, Certainty::Proven);
    let lossy = ask(&leased(), seen(8));
    assert_eq!(names(&lossy), [Cause::LineLoss], "{lossy:#?}");
}

/// A tunnel may carry a large packet in two pieces, of which the line loses one more easily.
#[test]
fn in_a_tunnel_more_large_echoes_get_lost_by_chance() {
    let seen = |answered: u16| {
        let up = [query(knows(CENTRE)), lookup(found(&[CENTRE], LookupSource::Dns)), Sighting::Tcp(at(CENTRE, 443), answer())];
        let echoes = [CENTRE, RESOLVER, SERVER].map(|host| counted(host, answered));
        let large = Sighting::SeriesLarge(ip(CENTRE), silent());
        let late = Sighting::UploadSmall(at(CENTRE, 443), Outcome::Ok(Reply::once(Duration::from_millis(1400))));
        let answers = [Sighting::Ping(ip(INSIDE), answer()), Sighting::Ping(ip(CENTRE), answer()), tls(silent())];
        let outer = with(with(dead_tunnel(vec![Sighting::Udp(at(SERVER, 1194), answer())]), up), answers);
        with(with(with(outer, echoes), stalled()), [late, large, counted(GATEWAY, 20)])
    };
    assert_eq!(names(&ask(&tunnelled(), seen(7))), [Cause::LineLoss]);
    assert_eq!(names(&ask(&tunnelled(), seen(11))), [Cause::LineLoss, Cause::PathMtuBlackHole]);
}

/// The centre works; the second name server lives and left one question without an answer.
#[test]
fn a_name_server_that_lost_a_question_on_a_lossy_line_is_not_called_dead() {
    const SECOND: &str = "10.20.0.54";
    let key = QueryKey { resolver: ip(SECOND), name: "settle.centre.example".to_owned() };
    let seen = |answered: u16| {
        let second = [
            resolvers(&[RESOLVER, SECOND]),
            Sighting::RouteTo(ip(SECOND), Outcome::Ok(route(SECOND, "eth0", Some(GATEWAY)))),
            Sighting::Ping(ip(SECOND), answer()),
            Sighting::Query(key.clone(), silent()),
        ];
        let counts =
            [counted(GATEWAY, 20), counted(CENTRE, answered), counted(RESOLVER, answered), exchanged(CENTRE, 443, answered.min(12))];
        ask(&leased(), with(with(healthy(), second), counts))
    };
    assert_eq!(names(&seen(8)), [Cause::LineLoss]);
    assert_eq!(names(&seen(20)), [Cause::DnsTimeout]);
}
