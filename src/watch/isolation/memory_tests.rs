use super::super::pace::Why;
use super::super::proof::{Heard, Round, Said};
use super::super::proxies::{Named, Says};
use super::super::round::Plan;
use super::*;
use crate::config::{Access, Anchor, Canary};
use crate::model::ClockState;
use crate::probe::canary::Echo;
use crate::probe::outside::{Answer, Speaks};
use crate::probe::tls::Shown;

fn hop(mac: &str) -> Near {
    Near { macs: BTreeMap::from([((IfName::new("eth0"), "10.1.0.1".parse().unwrap()), mac.to_owned())]), ..Near::default() }
}

pub(super) fn talks_to(list: &[&str]) -> Near {
    Near { talked_to: list.iter().map(|at| at.parse().unwrap()).collect(), known: Some(Arc::default()), ..Near::default() }
}

pub(super) fn around() -> Surroundings {
    let path = Path { device: IfName::new("eth0"), gateway: Some("10.1.0.1".parse().unwrap()), table: 254, v6: false };
    let all = ["223.5.5.5:443", "1.12.12.12:443", "203.0.113.1:443"].map(|at| (at.parse().unwrap(), path.clone()));
    Surroundings { paths: all.into(), ..Surroundings::default() }
}

pub(super) fn done(of: Surroundings, round: Round) -> Done {
    Done {
        round,
        by_proxy: Round::default(),
        by_neighbour: Round::default(),
        followed: Vec::new(),
        names: BTreeMap::new(),
        of,
        began: 0,
        clock: ClockState::Unknown,
        blind: None,
    }
}

pub(super) fn nobody(_: IpAddr) -> bool {
    false
}

pub(super) fn path() -> Path {
    around().paths.into_values().next().unwrap()
}

pub(super) fn said(path: &Path, answer: &Answer) -> Vec<Said> {
    let anchors = Config::default().isolation.anchors;
    anchors.into_iter().map(|anchor: Anchor| Said { anchor, path: path.clone(), answer: answer.clone() }).collect()
}

/// Both operators prove who they are.
pub(super) fn proved(path: &Path) -> Vec<Said> {
    let certificate = |n: u8| crate::model::CertificateFacts {
        subject: String::new(),
        issuer: String::new(),
        names: Vec::new(),
        not_before: "2026-01-01T00:00:00Z".parse().unwrap(),
        not_after: "2026-09-01T00:00:00Z".parse().unwrap(),
        sha256: n.to_string(),
    };
    let shown = |n| Shown { fault: None, certificate: Some(certificate(n)), self_issued: false, distance: Duration::from_millis(20) };
    let mut said = said(path, &Answer::Nothing);
    for (n, one) in (0..).zip(&mut said) {
        one.answer = Answer::Shown(shown(n));
    }
    said
}

pub(super) fn codes(look: &Look) -> Vec<&'static str> {
    look.found.iter().flatten().map(|finding| finding.code.code()).collect()
}

/// With a canary at an address of its own.
fn with_canary() -> (Config, Surroundings, SocketAddr) {
    let at: SocketAddr = "47.1.2.3:443".parse().unwrap();
    let mut config = config();
    config.isolation.canary = Some(Canary { address: at, public_key: "07".repeat(32) });
    let mut around = around();
    around.paths.insert(at, path());
    (config, around, at)
}

pub(super) fn config() -> Config {
    let mut config = Config::default();
    config.network.access = Access::LeasedLine;
    config
}

#[test]
fn another_router_under_the_same_address_is_asked_anew_and_a_silent_one_is_not() {
    let mut memory = Memory::default();
    memory.notice(&[], &around(), &hop("a"), 0);
    memory.pace.send(500, Why::Change(12), 12, 12, None);
    for (macs, asked) in [(hop("a"), false), (Near::default(), false), (hop("a"), false), (hop("b"), true)] {
        memory.notice(&[], &around(), &macs, 1000);
        assert_eq!(memory.pace.due().is_some(), asked, "{macs:?}");
    }
}

#[test]
fn a_round_asks_two_operators_and_nobody_and_by_the_clock_no_more_than_three() {
    let mut memory = Memory::default();
    memory.notice(&[], &around(), &Near::default(), 0);
    for why in [Why::Change(12), Why::Clock(3)] {
        let plan = memory.plan(&config(), &around(), why, 0);
        assert_eq!((plan.anchors.len(), plan.controls.len(), plan.size()), (2, 1, 3));
    }
    assert_eq!(memory.plan(&config(), &around(), Why::Clock(1), 0).size(), 1);
}

#[test]
fn after_the_first_round_only_the_way_that_came_is_asked_unless_all_may_lead_elsewhere() {
    let mut config = config();
    let v6: [SocketAddr; 2] = ["[2400:3200::1]:443", "[2402:4e00::]:443"].map(|at| at.parse().unwrap());
    let second = config.isolation.anchors.clone().into_iter().zip(v6).map(|(anchor, address)| Anchor { address, ..anchor });
    config.isolation.anchors.extend(second.collect::<Vec<_>>());
    let way = Path { v6: true, gateway: Some("fe80::9".parse().unwrap()), ..path() };
    let mut with = around();
    with.paths.extend(v6.map(|at| (at, way.clone())));
    let families = |memory: &mut Memory, around: &Surroundings, now| {
        let why = memory.pace.may(now).expect("due");
        let plan = memory.plan(&config, around, why, now);
        let then = memory.next_size(&config, around);
        memory.pace.send(now, why, plan.size(), then, None);
        plan.anchors.iter().map(|(_, path)| path.v6).collect::<BTreeSet<_>>()
    };
    for another_router in [false, true] {
        let mut memory = Memory::default();
        memory.notice(&[], &around(), &hop("a"), 0);
        memory.pace.send(500, Why::Change(12), 12, 12, None);
        memory.notice(&[], &with, &hop(if another_router { "b" } else { "a" }), 100_000);
        assert_eq!(families(&mut memory, &with, 100_500).len(), 2);
        let next = memory.pace.due().unwrap() - 100_500;
        let asked = families(&mut memory, &with, 100_500 + next);
        assert_eq!((next, asked.len()), if another_router { (10_200, 2) } else { (2000, 1) });
    }
}

#[test]
fn two_addresses_of_one_operator_are_not_two_operators() {
    let (mut config, mut around) = (config(), around());
    let second: SocketAddr = "223.6.6.6:443".parse().unwrap();
    config.isolation.anchors.insert(0, Anchor { address: second, ..config.isolation.anchors[0].clone() });
    around.paths.insert(second, path());
    let mut memory = Memory::default();
    memory.notice(&[], &around, &Near::default(), 0);
    let plan = memory.plan(&config, &around, Why::Change(12), 500);
    assert_eq!((plan.anchors.len(), plan.anchors[0].0.operator == plan.anchors[1].0.operator), (2, false));
}

#[test]
fn who_proved_itself_once_is_asked_first() {
    let mut memory = Memory::default();
    memory.notice(&[], &around(), &Near::default(), 0);
    let mut said = proved(&path());
    let last = said.last().unwrap().anchor.operator.clone();
    assert_ne!(said[0].anchor.operator, last);
    said.retain(|one| one.anchor.operator == last);
    memory.take(done(around(), Round { said, ..Round::default() }), nobody);
    let plan = memory.plan(&config(), &around(), Why::Clock(1), 10_200);
    assert_eq!(plan.anchors.iter().map(|(anchor, _)| &anchor.operator).collect::<Vec<_>>(), [&last]);
}

#[test]
fn until_what_was_there_before_has_been_asked_nothing_is_told_but_what_came_since() {
    let mut memory = Memory::default();
    memory.notice(&[], &around(), &Near::default(), 0);
    assert_eq!(memory.look(&[], &config(), &[], 0).found, None);
    let new = [Deviation { link: IfName::new("up0"), upstream: false, lines: Vec::new() }];
    memory.notice(&new, &around(), &Near::default(), 100);
    let found = memory.look(&new, &config(), &[], 100).found.expect("told");
    assert_eq!((found.len(), found[0].origin), (1, Origin::LocalChange));
}

#[test]
fn what_was_there_at_the_first_look_is_so_called_until_it_has_gone_and_come_again() {
    let mut memory = Memory::default();
    let there = [Deviation { link: IfName::new("up0"), upstream: true, lines: Vec::new() }];
    let mut origin = |deviations: &[Deviation]| {
        memory.notice(deviations, &around(), &Near::default(), 0);
        memory.awaiting = false;
        memory.look(deviations, &config(), &[], 0).found.expect("told").first().map(|finding| finding.origin)
    };
    assert_eq!(origin(&there), Some(Origin::PreExisting));
    assert_eq!(origin(&there), Some(Origin::PreExisting));
    assert_eq!(origin(&[]), None);
    assert_eq!(origin(&there), Some(Origin::Upstream));
}

#[test]
fn what_was_asked_under_other_circumstances_does_not_count() {
    let mut memory = Memory::default();
    memory.notice(&[], &around(), &Near::default(), 0);
    let elsewhere = Surroundings { carriers: BTreeMap::from([(IfName::new("eth0"), (true, 2))]), ..around() };
    let blind = Some(Unseen::Deadline);
    let done = |of| Done { blind: blind.clone(), ..done(of, Round::default()) };
    memory.take(done(elsewhere), nobody);
    assert!(memory.blind.is_none());
    memory.take(done(around()), nobody);
    assert_eq!(memory.look(&[], &config(), &[], 2).blind.len(), 1);
}

#[test]
fn a_lookalike_of_enrolment_is_told_nowhere_but_elsewhere_and_can_still_prove_itself() {
    let muted = [KnownLookalike {
        address: "223.5.5.5:443".parse().unwrap(),
        device: IfName::new("eth0"),
        gateway: Some("10.1.0.1".parse().unwrap()),
        what: "issuer unknown".to_owned(),
    }];
    let mut memory = Memory::default();
    memory.notice(&[], &around(), &Near::default(), 0);
    let squatted = said(&path(), &Answer::Unproved("silence".to_owned()));
    memory.take(done(around(), Round { said: squatted.clone(), ..Round::default() }), nobody);
    let told = |memory: &mut Memory, muted: &[KnownLookalike]| {
        let look = memory.look(&[], &config(), muted, 0);
        look.found.unwrap().into_iter().map(|finding| finding.subject.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(told(&mut memory, &[]).len(), 2);
    let left = told(&mut memory, &muted);
    assert!(left.len() == 1 && left[0].contains("1.12.12.12"), "{left:?}");
    // By another way it is news.
    for elsewhere in [
        KnownLookalike { device: IfName::new("up0"), ..muted[0].clone() },
        KnownLookalike { gateway: None, ..muted[0].clone() },
        KnownLookalike { address: "223.5.5.5:853".parse().unwrap(), ..muted[0].clone() },
    ] {
        assert_eq!(told(&mut memory, &[elsewhere]).len(), 2);
    }
    memory.take(done(around(), Round { said: proved(&path()), ..Round::default() }), nobody);
    assert_eq!(codes(&memory.look(&[], &config(), &muted, 0)), ["isolation.internet-reachable"]);
}

#[test]
fn the_canary_is_asked_first_and_within_the_same_bounds() {
    let (config, mut around, at) = with_canary();
    let mut memory = Memory::default();
    memory.notice(&[], &around, &Near::default(), 0);
    let sizes = |plan: &Plan| (plan.canary.as_ref().map(|(at, ..)| *at), plan.anchors.len(), plan.controls.len(), plan.size());
    assert_eq!(sizes(&memory.plan(&config, &around, Why::Change(12), 0)), (Some(at), 2, 1, 4));
    assert_eq!(sizes(&memory.plan(&config, &around, Why::Clock(3), 0)), (Some(at), 2, 0, 3));
    assert_eq!(sizes(&memory.plan(&config, &around, Why::Clock(1), 0)), (Some(at), 0, 0, 1));
    // Both families: two rounds still fit into a burst.
    let v6 = Path { v6: true, ..path() };
    let mut both = config.clone();
    for (address, operator) in [("[2400:3200::1]:443", "alibaba"), ("[2402:4e00::]:443", "tencent")] {
        let address = address.parse().unwrap();
        both.isolation.anchors.push(Anchor { address, server_name: "x".to_owned(), operator: operator.to_owned() });
        around.paths.insert(address, v6.clone());
    }
    both.isolation.controls.push("[2001:db8::1]:443".parse().unwrap());
    around.paths.insert("[2001:db8::1]:443".parse().unwrap(), v6);
    memory.notice(&[], &around, &Near::default(), 0);
    assert_eq!(sizes(&memory.plan(&both, &around, Why::Change(12), 0)), (Some(at), 4, 1, 6));
    // Where no way leads to it, or it has no key, it is not asked.
    around.paths.remove(&at);
    assert_eq!(memory.plan(&both, &around, Why::Change(12), 0).canary, None);
}

#[test]
fn one_word_of_the_canary_proves_it_and_one_from_inside_does_not() {
    for (seen, inside, expected) in [
        ("59.44.1.2", false, "isolation.internet-reachable"),
        ("59.44.1.2", true, "isolation.lookalike"),
        ("10.1.0.7", false, "isolation.lookalike"),
    ] {
        let (config, around, at) = with_canary();
        let mut memory = Memory::default();
        memory.notice(&[], &around, &Near::default(), 0);
        let heard = Heard { at, path: path(), echo: Echo::Signed(seen.parse().unwrap()) };
        let round = Round { said: said(&path(), &Answer::Nothing), canary: Some(heard), controls: Vec::new() };
        memory.take(done(around, round), |_| inside);
        let look = memory.look(&[], &config, &[], 0);
        assert_eq!(codes(&look), [expected], "{seen}");
        let told = &look.found.unwrap()[0].evidence;
        assert!(told.iter().any(|line| line.k == "outside.canary" && line.target == at.to_string()), "{told:?}");
    }
}

#[test]
fn a_silent_canary_does_not_end_a_burst() {
    let (_, around, at) = with_canary();
    let mut memory = Memory::default();
    memory.notice(&[], &around, &Near::default(), 0);
    memory.pace.send(500, Why::Change(12), 3, 3, None);
    let heard = Heard { at, path: path(), echo: Echo::Nothing };
    memory.take(done(around, Round { canary: Some(heard), ..Round::default() }), nobody);
    assert!(memory.pace.due().is_some());
}

#[test]
fn what_a_lead_led_to_at_the_start_was_there_before_and_is_asked_at_once() {
    let lead = Lead { says: Says::Script("http://10.1.0.9/p.pac".to_owned()), place: "/etc/environment".to_owned() };
    let named = Says::Proxy(Named { speaks: Speaks::Http, host: "p.house".to_owned(), port: 3128 });
    assert!(lead.says != named);
    let at: SocketAddr = "10.1.0.5:3128".parse().unwrap();
    let around = Surroundings { leads: BTreeSet::from([lead.clone()]), ..around() };
    let mut memory = Memory::default();
    memory.notice(&[], &around, &Near::default(), 0);
    let why = Why::Change(12);
    assert_eq!(memory.plan(&config(), &around, why, 0).leads, std::slice::from_ref(&lead));
    memory.pace.send(500, why, 3, 3, None);
    memory.take(Done { followed: vec![(lead, vec![(at, Speaks::Http)])], ..done(around.clone(), Round::default()) }, nobody);
    let look = memory.look(&[], &config(), &[], 600);
    assert_eq!((look.found, look.again), (None, Duration::ZERO), "what an earlier run found is not over yet");
    let proxies = memory.proxies(&BTreeMap::new());
    assert_eq!(proxies[&at].place, "/etc/environment");
    let with = Surroundings { proxies, ..around };
    memory.notice(&[], &with, &Near::default(), 700);
    let plan = memory.plan(&config(), &with, Why::Change(12), 1200);
    assert_eq!((plan.proxies.len(), plan.proxies[0].proxy), (2, at));
    memory.take(Done { by_proxy: Round { said: proved(&through(at)), ..Round::default() }, ..done(with, Round::default()) }, nobody);
    let look = memory.look(&[], &config(), &[], 1300);
    let told = &look.found.unwrap()[0];
    assert_eq!((told.code, told.origin), (FindingCode::IsolationProxyPath, Origin::PreExisting));
}

/// A day of rounds by the clock, in a moment: what is sent by a way that is silent, and by one that is proven.
#[test]
fn a_day_by_the_clock_is_three_in_any_minute_and_no_more() {
    for answered in [false, true] {
        let (mut memory, around, config) = (Memory::default(), around(), config());
        let (mut sent, mut rounds): (Vec<(u64, usize)>, usize) = (Vec::new(), 0);
        for now in (0..24 * 3_600_000).step_by(500) {
            memory.notice(&[], &around, &Near::default(), now);
            // The middle of what is drawn.
            memory.pace.by_clock(Some(now + 60_000));
            let Some(why) = memory.pace.may(now) else { continue };
            let plan = memory.plan(&config, &around, why, now);
            memory.pace.send(now, why, plan.size(), plan.size(), Some(now + 60_000));
            sent.push((now, plan.size()));
            rounds += usize::from(matches!(why, Why::Clock(_)));
            let said = if answered { proved(&path()) } else { said(&path(), &Answer::Nothing) };
            memory.take(Done { began: now, ..done(around.clone(), Round { said, ..Round::default() }) }, nobody);
        }
        // What was asked at the start is over after a quarter of a minute.
        let (beginning, later): (Vec<_>, Vec<_>) = sent.into_iter().partition(|(at, _)| *at < 15_000);
        let sum = |list: &[(u64, usize)]| list.iter().map(|(_, size)| size).sum::<usize>();
        println!("answered {answered}: {} SYN in the beginning, then {} in {rounds} rounds a day", sum(&beginning), sum(&later));
        assert_eq!(sum(&beginning), if answered { 3 } else { 12 });
        assert!(rounds <= 1440 && sum(&later) <= 3 * 1440 && rounds >= 1400, "{rounds} {}", sum(&later));
        for minute in later.windows(2) {
            assert!(minute[1].0 - minute[0].0 >= 60_000, "{minute:?}");
        }
    }
}
