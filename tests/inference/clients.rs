//! The VPN's client on this PC: not started, gone, sent away, of unknown or of learned name, with interfaces that change their number.

use crate::world::*;
use isonet::config::{Config, VpnKind};
use isonet::model::*;

fn told(config: &Config, facts: VpnFacts, outer: Vec<Sighting>) -> Diagnosis {
    let mut all = dead_tunnel(vec![Sighting::Udp(at(SERVER, 1194), silent()), Sighting::Ping(ip(SERVER), answer())]);
    all.extend(outer);
    all.push(Sighting::Vpn("centre".to_owned(), Outcome::Ok(facts)));
    ask(config, all)
}

#[track_caller]
fn certainty(diagnosis: &Diagnosis, cause: Cause) -> Option<Certainty> {
    let verdict = diagnosis.verdicts.iter().find(|v| v.cause == cause)?;
    assert!(!verdict.evidence.is_empty(), "no proof: {verdict:#?}");
    Some(verdict.certainty)
}

/// A commercial client: any tun, nothing known of its program.
fn commercial() -> Config {
    let mut config = tunnelled();
    config.vpns[0].kind = VpnKind::Tun;
    config.vpns[0].process = None;
    config
}

#[test]
fn a_client_that_is_not_there_was_not_started() {
    let gone = told(&tunnelled(), vpn(None, ProcessState::Absent), vec![]);
    root(&gone, Cause::VpnNotStarted, Certainty::Proven);
    let idle = VpnFacts { unit: UnitState::Inactive, ..vpn(None, ProcessState::Unknown) };
    root(&told(&commercial(), idle, vec![]), Cause::VpnNotStarted, Certainty::Proven);
    let unknown = told(&commercial(), vpn(None, ProcessState::Unknown), vec![]);
    root(&unknown, Cause::VpnNotStarted, Certainty::Likely);
}

#[test]
fn a_learned_client_that_is_gone_is_named_and_not_proven() {
    let facts = |process| VpnFacts { learned: Some("easyconnect".to_owned()), ..vpn(None, process) };
    let gone = told(&commercial(), facts(ProcessState::Absent), vec![]);
    root(&gone, Cause::VpnNotStarted, Certainty::Likely);
    assert_eq!(names(&gone), [Cause::VpnNotStarted]);
    let said = gone.verdicts[0].evidence.iter().find(|e| e.k == "vpn.process").expect("its program");
    assert_eq!((said.target.as_str(), said.result.as_str()), ("easyconnect", "not running"));
    // What is learned from an inactive unit is no more than that either.
    let inactive = VpnFacts { unit: UnitState::Inactive, ..facts(ProcessState::Unknown) };
    root(&told(&commercial(), inactive, vec![]), Cause::VpnNotStarted, Certainty::Likely);
    // Its daemon may run all day without anybody having pressed "connect".
    let waiting = told(&commercial(), facts(ProcessState::Running), vec![]);
    root(&waiting, Cause::VpnNotStarted, Certainty::Possible);
    assert!(names(&waiting).contains(&Cause::VpnAuthFailed));
    // One of a known name that runs was started.
    let running = told(&tunnelled(), vpn(None, ProcessState::Running), vec![]);
    assert!(!names(&running).contains(&Cause::VpnNotStarted));
}

#[test]
fn a_device_that_is_gone_after_the_server_took_the_client_is_no_refusal() {
    let answers = || vec![Sighting::Udp(at(SERVER, 1194), answer())];
    let facts = |log| VpnFacts { server: vec![at(SERVER, 1194)], log, ..vpn(None, ProcessState::Running) };
    let lost = told(&tunnelled(), facts(VpnLog::Established), answers());
    root(&lost, Cause::VpnClientFailed, Certainty::Likely);
    assert_eq!(names(&lost), [Cause::VpnClientFailed]);
    // Nobody says how far the client came: it may have been refused.
    for log in [VpnLog::Quiet, VpnLog::Dropped, VpnLog::Unread] {
        let diagnosis = told(&tunnelled(), facts(log), answers());
        assert_eq!(names(&diagnosis), [Cause::VpnAuthFailed, Cause::VpnClientFailed], "{log:?}");
    }
    let refused = told(&tunnelled(), facts(VpnLog::AuthFailed), answers());
    root(&refused, Cause::VpnAuthFailed, Certainty::Likely);
}

#[test]
fn a_failed_unit_and_a_log_that_tells_of_a_crash_are_two_honest_candidates() {
    let mut config = tunnelled();
    config.vpns[0].unit = Some("openvpn-client@centre.service".to_owned());
    let unit = VpnFacts { unit: UnitState::Failed, ..vpn(None, ProcessState::Absent) };
    let log = VpnFacts { log: VpnLog::Died, ..vpn(None, ProcessState::Absent) };
    for (facts, proof) in [(unit, "vpn.unit"), (log, "vpn.log")] {
        let diagnosis = told(&config, facts, vec![]);
        root(&diagnosis, Cause::VpnNotStarted, Certainty::Likely);
        assert_eq!(names(&diagnosis), [Cause::VpnNotStarted, Cause::VpnClientFailed]);
        assert_eq!(certainty(&diagnosis, Cause::VpnClientFailed), Some(Certainty::Possible));
        assert!(diagnosis.verdicts[1].evidence.iter().any(|e| e.k == proof), "{diagnosis:#?}");
    }
    let both = VpnFacts { unit: UnitState::Failed, log: VpnLog::Died, ..vpn(None, ProcessState::Running) };
    assert_eq!(certainty(&told(&config, both, vec![]), Cause::VpnClientFailed), Some(Certainty::Possible), "restarted again and again");
}

#[test]
fn a_session_that_the_server_ended_was_perhaps_pushed_out_or_too_old() {
    let ended = |log, interface, process| told(&tunnelled(), VpnFacts { log, ..vpn(interface, process) }, vec![]);
    for (interface, process) in [
        (None, ProcessState::Running),
        (None, ProcessState::Absent),
        (Some("tun0"), ProcessState::Running),
        (Some("tun0"), ProcessState::Absent),
    ] {
        let by_server = ended(VpnLog::EndedByServer, interface, process);
        assert_eq!(certainty(&by_server, Cause::VpnKicked), Some(Certainty::Possible), "{by_server:#?}");
        assert_eq!(certainty(&by_server, Cause::VpnIdleTimeout), Some(Certainty::Possible));
        let idle = ended(VpnLog::IdleTimeout, interface, process);
        assert_eq!(certainty(&idle, Cause::VpnKicked), None);
        assert_eq!(certainty(&idle, Cause::VpnIdleTimeout), Some(Certainty::Possible));
        for quiet in [VpnLog::Quiet, VpnLog::Unread, VpnLog::Established, VpnLog::Dropped] {
            let diagnosis = ended(quiet, interface, process);
            assert_eq!((certainty(&diagnosis, Cause::VpnKicked), certainty(&diagnosis, Cause::VpnIdleTimeout)), (None, None));
        }
    }
}

#[test]
fn counters_that_could_not_be_read_are_named_and_do_not_read_as_silence() {
    let why = Unseen::Error("read the counters of interface 7: no answer from the kernel".to_owned());
    let facts = VpnFacts { counters_unseen: Some(why.clone()), ..vpn(Some("tun0"), ProcessState::Running) };
    let diagnosis = told(&tunnelled(), facts, vec![Sighting::Udp(at(SERVER, 1194), answer())]);
    assert!(diagnosis.blind.contains(&Blind { what: "vpn.counters".to_owned(), because: why }), "{:?}", diagnosis.blind);
    let proof: Vec<_> = diagnosis.verdicts.iter().flat_map(|v| &v.evidence).filter(|e| e.k == "vpn.counters").collect();
    assert!(!proof.is_empty() && proof.iter().all(|e| e.result.starts_with("not asked")), "{proof:#?}");
}

#[test]
fn what_the_log_tells_of_old_is_nothing_while_the_centre_works() {
    for log in [VpnLog::AuthFailed, VpnLog::EndedByServer, VpnLog::IdleTimeout, VpnLog::Died, VpnLog::Dropped] {
        let facts = VpnFacts { log, unit: UnitState::Failed, ..vpn(Some("tun0"), ProcessState::Running) };
        let well = vec![
            query(knows(CENTRE)),
            lookup(found(&[CENTRE], LookupSource::Dns)),
            Sighting::Tcp(at(CENTRE, 443), answer()),
            tls(Outcome::Ok(handshake(Some(0)))),
        ];
        silent_about(&told(&tunnelled(), facts, well));
    }
}

#[test]
fn a_journal_that_may_not_be_read_is_said() {
    let why = Unseen::Capability("group systemd-journal".to_owned());
    let facts = VpnFacts { log_unseen: Some(why.clone()), ..vpn(None, ProcessState::Absent) };
    let diagnosis = told(&tunnelled(), facts, vec![]);
    assert!(diagnosis.blind.contains(&Blind { what: "vpn.log".to_owned(), because: why }), "{:?}", diagnosis.blind);
}

/// L2TP: an interface of any number, made by a `pppd` that nobody named.
fn ppp() -> Config {
    let mut config = tunnelled();
    config.vpns[0].kind = VpnKind::L2tp;
    config.vpns[0].interface = "ppp*".parse().unwrap();
    config.vpns[0].process = None;
    config
}

/// The world of a PPP tunnel called `name`: its link, its address, and the routes through it.
fn through(name: &str, net: Option<&str>) -> Vec<Sighting> {
    let table = vec![route("0.0.0.0/0", "eth0", Some(GATEWAY)), route("10.20.0.0/16", name, None)];
    let ways = [CENTRE, RESOLVER, INSIDE].map(|to| Sighting::RouteTo(ip(to), Outcome::Ok(route(to, name, None))));
    let own: Vec<_> = net.map(|net| (name, net)).into_iter().chain([("eth0", "192.168.1.20/24")]).collect();
    let mut all = vec![
        links(vec![link("eth0", LinkKind::Ethernet, true, true), link(name, LinkKind::Ppp, true, true)]),
        addresses(&own),
        routes(table),
    ];
    all.extend(ways);
    all
}

#[test]
fn a_ppp_tunnel_that_is_not_there_was_likely_not_started() {
    let table = routes(vec![route("0.0.0.0/0", "eth0", Some(GATEWAY))]);
    let missing = vec![links(vec![link("eth0", LinkKind::Ethernet, true, true)]), addresses(&[("eth0", "192.168.1.20/24")]), table];
    let diagnosis = told(&ppp(), vpn(None, ProcessState::Unknown), missing);
    root(&diagnosis, Cause::VpnNotStarted, Certainty::Likely);
    assert!(diagnosis.verdicts[0].evidence.iter().any(|e| e.target == "ppp*" && e.result == "missing"));
}

#[test]
fn a_ppp_tunnel_without_an_address_or_answer_is_seen_under_any_number() {
    for name in ["ppp0", "ppp1", "ppp7"] {
        let facts = || vpn(Some(name), ProcessState::Running);
        let unaddressed = told(&ppp(), facts(), through(name, None));
        root(&unaddressed, Cause::VpnAddressMissing, Certainty::Proven);
        let dead = told(&ppp(), facts(), through(name, Some("10.8.0.6/32")));
        root(&dead, Cause::VpnTunnelDead, Certainty::Likely);
    }
}

#[test]
fn a_ppp_tunnel_that_came_back_under_another_number_is_well() {
    let mut well = through("ppp1", Some("10.8.0.6/32"));
    well.extend([
        query(knows(CENTRE)),
        lookup(found(&[CENTRE], LookupSource::Dns)),
        Sighting::Tcp(at(CENTRE, 443), answer()),
        tls(Outcome::Ok(handshake(Some(0)))),
    ]);
    silent_about(&told(&ppp(), vpn(Some("ppp1"), ProcessState::Running), well));
}

#[test]
fn routes_that_still_name_the_old_number_lead_nowhere() {
    // The new interface is there; the way to the centre was laid over the one that is gone, so the default takes it.
    let mut stale = through("ppp1", Some("10.8.0.6/32"));
    stale.push(routes(vec![route("0.0.0.0/0", "eth0", Some(GATEWAY))]));
    stale.extend([CENTRE, RESOLVER].map(|to| Sighting::RouteTo(ip(to), Outcome::Ok(route(to, "eth0", Some(GATEWAY))))));
    stale.push(Sighting::Ping(ip(INSIDE), answer()));
    let diagnosis = told(&ppp(), vpn(Some("ppp1"), ProcessState::Running), stale);
    root(&diagnosis, Cause::RouteCaptured, Certainty::Proven);
}
