//! Neighbours that may be proxies, and how what was found ends.

use super::super::pace::Why;
use super::super::proof::Round;
use super::super::proxies::Says;
use super::tests::{around, codes, config, done, nobody, path, proved, said, talks_to};
use super::*;
use crate::probe::outside::{Answer, Speaks};

#[test]
fn a_neighbour_that_is_talked_to_is_asked_once_and_told_only_when_it_leads_outward() {
    let neighbour: SocketAddr = "10.1.0.9:3128".parse().unwrap();
    for leads in [false, true] {
        let mut memory = Memory::default();
        memory.notice(&[], &around(), &Near::default(), 0);
        memory.pace.send(500, Why::Change(12), 12, 12, None);
        memory.take(done(around(), Round::default()), nobody);
        memory.notice(&[], &around(), &talks_to(&["10.1.0.9:3128"]), 1000);
        assert!(codes(&memory.look(&[], &config(), &[], 1000)).is_empty(), "a connection is nothing");
        let why = memory.pace.may(1000).expect("asked");
        let plan = memory.plan(&config(), &around(), why, 1000);
        assert!(plan.anchors.is_empty() && plan.proxies.is_empty() && plan.size() == 2);
        assert!(plan.seen.iter().all(|it| it.proxy == neighbour && it.speaks == Speaks::Http));
        memory.pace.send(1000, why, plan.size(), plan.size(), None);
        let by_neighbour = if leads { proved(&through(neighbour)) } else { said(&through(neighbour), &Answer::Nothing) };
        memory.take(Done { by_neighbour: Round { said: by_neighbour, ..Round::default() }, ..done(around(), Round::default()) }, nobody);
        memory.notice(&[], &around(), &talks_to(&["10.1.0.9:3128"]), 60_000);
        let look = memory.look(&[], &config(), &[], 60_000);
        assert_eq!(codes(&look), if leads { vec!["isolation.proxy-path"] } else { Vec::new() });
        assert_eq!(memory.pace.may(60_000), None, "once");
        if leads {
            let told = &look.found.unwrap()[0];
            assert_eq!((told.origin, told.evidence[0].result.as_str()), (Origin::LocalChange, "connection seen"));
            memory.notice(&[], &around(), &Near::default(), 60_000 + 11 * 60_000);
            assert!(codes(&memory.look(&[], &config(), &[], 0)).is_empty(), "nobody talks to it any more");
        }
    }
}

/// What is found after the first round of a terminal that asks as by this configuration.
fn after_a_round(of: Surroundings, round: Round) -> Memory {
    let mut memory = Memory::default();
    memory.notice(&[], &of, &Near::default(), 0);
    memory.pace.send(500, Why::Change(12), 3, 3, None);
    memory.take(done(of, round), nobody);
    memory
}

fn reached() -> Round {
    Round { said: proved(&path()), ..Round::default() }
}

#[test]
fn where_nobody_may_be_asked_nothing_is_awaited() {
    let mut memory = Memory::default();
    memory.notice(&[], &Surroundings::default(), &Near::default(), 0);
    assert_eq!(memory.look(&[], &config(), &[], 0).found, Some(Vec::new()));
}

#[test]
fn what_was_found_ends_with_its_way_its_name_server_and_its_lead() {
    let resolver: IpAddr = "10.1.0.53".parse().unwrap();
    let lead = Lead { says: Says::Discover, place: "DHCP".to_owned() };
    let (resolvers, leads) = (BTreeMap::from([(resolver, path())]), BTreeSet::from([lead.clone()]));
    let of = Surroundings { resolvers, leads, ..around() };
    let mut memory = Memory::default();
    memory.notice(&[], &of, &Near::default(), 0);
    let names = BTreeMap::from([(resolver, Knows::Internet(vec![("a.example".to_owned(), Vec::new())]))]);
    let many = (0..9).map(|n| (SocketAddr::from(([10, 1, 0, n], 3128)), Speaks::Http)).collect();
    memory.take(Done { names, followed: vec![(lead, many)], ..done(of.clone(), reached()) }, nobody);
    assert_eq!(codes(&memory.look(&[], &config(), &[], 0)), [] as [&str; 0], "where the lead led is asked first");
    assert_eq!(memory.proxies(&BTreeMap::new()).len(), MOST_PROXIES);
    memory.notice(&[], &of, &Near::default(), 1);
    memory.awaiting = false;
    assert_eq!(codes(&memory.look(&[], &config(), &[], 1)), ["isolation.internet-reachable", "isolation.public-dns"]);
    memory.take(Done { names: BTreeMap::from([(resolver, Knows::Nothing)]), ..done(of, Round::default()) }, nobody);
    assert_eq!(codes(&memory.look(&[], &config(), &[], 1)), ["isolation.internet-reachable"]);
    memory.notice(&[], &Surroundings::default(), &Near::default(), 2);
    assert_eq!(codes(&memory.look(&[], &config(), &[], 2)), [] as [&str; 0]);
    assert!(memory.proxies(&BTreeMap::new()).is_empty());
}

#[test]
fn a_name_server_that_is_not_asked_any_more_is_not_told_of() {
    let resolver: IpAddr = "10.1.0.53".parse().unwrap();
    let of = Surroundings { resolvers: BTreeMap::from([(resolver, path())]), ..around() };
    let mut memory = Memory::default();
    memory.notice(&[], &of, &Near::default(), 0);
    memory.take(Done { names: BTreeMap::from([(resolver, Knows::Internet(Vec::new()))]), ..done(of, Round::default()) }, nobody);
    assert_eq!(codes(&memory.look(&[], &config(), &[], 0)), ["isolation.public-dns"]);
    memory.notice(&[], &around(), &Near::default(), 1);
    assert_eq!(codes(&memory.look(&[], &config(), &[], 1)), [] as [&str; 0]);
}

#[test]
fn roots_that_have_aged_unmask_nobody_and_stay_so_until_anchors_were_asked_again() {
    let mut said = proved(&path());
    for one in &mut said {
        let Answer::Shown(shown) = &mut one.answer else { unreachable!() };
        shown.fault = Some(crate::model::TlsFault::UnknownIssuer);
        let facts = shown.certificate.as_mut().unwrap();
        (facts.names, facts.issuer) = (vec![one.anchor.server_name.clone()], format!("the authority of {}", one.anchor.operator));
    }
    let mut memory = after_a_round(around(), Round { said: said.clone(), ..Round::default() });
    let blind = |memory: &mut Memory| {
        let look = memory.look(&[], &config(), &[], 0);
        (codes(&look).len(), look.blind.len())
    };
    assert_eq!(blind(&mut memory), (0, 1));
    memory.take(done(around(), Round::default()), nobody);
    assert_eq!(blind(&mut memory), (0, 1), "no anchor was asked");
    memory.take(done(around(), reached()), nobody);
    assert_eq!(blind(&mut memory), (1, 0));
    let mut memory = after_a_round(around(), Round { said, ..Round::default() });
    let only_names = Surroundings { resolvers: BTreeMap::from([("10.1.0.53".parse().unwrap(), path())]), ..Surroundings::default() };
    memory.notice(&[], &only_names, &Near::default(), 1);
    assert_eq!(blind(&mut memory), (0, 0), "where no way leads to an anchor nothing is hidden by roots");
}

#[test]
fn a_burst_goes_on_until_all_ways_are_proven_and_who_is_alone_is_asked_again_by_the_clock_too() {
    let through_it = || Round { said: said(&through("10.1.0.5:3128".parse().unwrap()), &Answer::Nothing), ..Round::default() };
    for (round, by_proxy, goes_on) in [
        (reached(), Round::default(), false),
        (reached(), through_it(), true),
        (Round { said: said(&path(), &Answer::Nothing), ..Round::default() }, Round::default(), true),
    ] {
        let mut memory = Memory::default();
        memory.notice(&[], &around(), &Near::default(), 0);
        memory.pace.send(500, Why::Change(12), 3, 3, None);
        memory.take(Done { by_proxy, ..done(around(), round) }, nobody);
        assert_eq!(memory.pace.due().is_some(), goes_on);
    }
    let mut memory = Memory::default();
    memory.pace.by_clock(Some(60_000));
    memory.take(done(Surroundings::default(), Round::default()), nobody);
    memory.notice(&[], &around(), &Near::default(), 0);
    memory.pace.send(500, Why::Change(12), 0, 0, None);
    let alone = proved(&path()).into_iter().take(1).collect();
    memory.take(done(around(), Round { said: alone, ..Round::default() }), nobody);
    assert_eq!(memory.pace.due(), Some(APART_MS + 200));
}

#[test]
fn who_was_alone_in_the_first_round_was_there_before() {
    let alone = proved(&path()).into_iter().take(1).collect();
    let mut memory = after_a_round(around(), Round { said: alone, ..Round::default() });
    memory.take(Done { began: APART_MS, ..done(around(), reached()) }, nobody);
    let found = memory.look(&[], &config(), &[], APART_MS).found.expect("told");
    assert_eq!((found.len(), found[0].origin), (1, Origin::PreExisting));
}

#[test]
fn who_allowed_rounds_by_the_clock_is_told_of_only_where_they_are_made() {
    let mut memory = after_a_round(around(), reached());
    for (mode, told) in [(IsolationMode::Periodic, 1), (IsolationMode::EventOnly, 0)] {
        let mut config = config();
        (config.isolation.mode, config.isolation.approved_by, config.isolation.approval_no) =
            (mode, Some("bureau".to_owned()), Some("7".to_owned()));
        let found = memory.look(&[], &config, &[], 0).found.expect("told");
        assert_eq!(found[0].evidence.iter().filter(|line| line.k == "outside.approval").count(), told);
    }
}

#[test]
fn a_neighbour_of_the_start_was_there_before_and_one_that_is_written_down_is_told_once() {
    let neighbour: SocketAddr = "10.1.0.9:3128".parse().unwrap();
    let mut memory = Memory::default();
    memory.notice(&[], &around(), &talks_to(&["10.1.0.9:3128"]), 0);
    memory.pace.send(500, Why::Change(12), 0, 0, None);
    let by_neighbour = Round { said: proved(&through(neighbour)), ..Round::default() };
    memory.take(Done { by_neighbour, ..done(around(), Round::default()) }, nobody);
    let look = memory.look(&[], &config(), &[], 0);
    assert_eq!((codes(&look), look.found.unwrap()[0].origin), (vec!["isolation.proxy-path"], Origin::PreExisting));
    let known = Known { speaks: Speaks::Http, place: "/etc/environment".to_owned() };
    let written = Surroundings { proxies: BTreeMap::from([(neighbour, known)]), ..around() };
    memory.notice(&[], &written, &talks_to(&["10.1.0.9:3128"]), 1000);
    assert!(codes(&memory.look(&[], &config(), &[], 1000)).is_empty(), "it is asked as what it is");
}

#[test]
fn a_centre_that_has_a_name_is_asked_nothing_on_whatever_port_it_listens() {
    let (centre, neighbour): (SocketAddr, SocketAddr) = ("10.1.0.8:8080".parse().unwrap(), "10.1.0.9:8080".parse().unwrap());
    let mut memory = Memory::default();
    let asked = |memory: &mut Memory, known: Option<&[IpAddr]>, now| {
        let known = known.map(|known| Arc::new(known.iter().copied().collect()));
        memory.notice(&[], &Surroundings::default(), &Near { known, ..talks_to(&["10.1.0.8:8080", "10.1.0.9:8080"]) }, now);
        let why = memory.pace.may(now)?;
        let plan = memory.plan(&config(), &Surroundings::default(), why, now);
        memory.pace.send(now, why, plan.size(), plan.size(), None);
        plan.seen.first().map(|through| through.proxy)
    };
    assert_eq!([0, 1000, 2000].map(|now| asked(&mut memory, None, now)), [None; 3], "no round has ended yet");
    assert_eq!(asked(&mut memory, Some(&[centre.ip()]), 60_000), Some(neighbour));
    assert_eq!(asked(&mut memory, Some(&[centre.ip()]), 120_000), None);
}

#[test]
fn a_proxy_that_is_written_down_holds_up_no_neighbour() {
    let (written, neighbour): (SocketAddr, SocketAddr) = ("10.1.0.8:3128".parse().unwrap(), "10.1.0.9:3128".parse().unwrap());
    let known = Known { speaks: Speaks::Http, place: "/etc/environment".to_owned() };
    let around = Surroundings { proxies: BTreeMap::from([(written, known)]), ..around() };
    let mut memory = Memory::default();
    memory.notice(&[], &around, &talks_to(&["10.1.0.8:3128", "10.1.0.9:3128"]), 0);
    memory.pace.send(500, Why::Change(12), 0, 0, None);
    memory.notice(&[], &around, &talks_to(&["10.1.0.8:3128", "10.1.0.9:3128"]), 1000);
    let why = memory.pace.may(1000).expect("asked");
    assert_eq!(memory.plan(&config(), &around, why, 1000).seen.first().map(|it| it.proxy), Some(neighbour));
}

#[test]
fn routers_that_come_and_go_do_not_fill_the_memory() {
    let mut memory = Memory::default();
    for n in 0..1000_u32 {
        let gateway = IpAddr::from(std::net::Ipv4Addr::from(0x0a01_0000 + n));
        let mut around = around();
        around.paths.values_mut().for_each(|path| path.gateway = Some(gateway));
        let macs = BTreeMap::from([((IfName::new("eth0"), gateway), "02:00:00:00:00:01".to_owned())]);
        memory.notice(&[], &around, &Near { macs, ..Near::default() }, u64::from(n) * 1000);
    }
    assert!(memory.routers.len() <= MOST_ROUTERS + 1, "{}", memory.routers.len());
}
