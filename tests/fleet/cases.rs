//! What is done, and what has to come of it.

use std::time::Duration;

use isonet::sink::Pace;

use crate::agent::{Mutant, To, open};
use crate::chaos::{Course, Outcome, run};
use crate::herd::{Habit, Returned, returns};
use crate::nats::{Cluster, Setup};
use crate::proxy::{Mood, Proxy};
use crate::{Case, Depth, Done, Given, backlog, overflow, sinks};

pub(crate) const CASES: &[Case] = &[
    Case { name: "chaos, three nats-servers: the same set, in order, once each", run: chaos_nats },
    Case { name: "mutant: cursor before the acknowledgement, found", run: cursor_first },
    Case { name: "what is delivered late is refused", run: late },
    Case { name: "mutant: no expected sequence, found", run: no_expectation },
    Case { name: "mutant: acknowledged before it is on disk, found", run: forgetful },
    Case { name: "ten days wait for nats-server, and the network breaks anew", run: ten_days_nats },
    Case { name: "ten times what may wait: rows and gaps make all numbers", run: overflow_nats },
    Case { name: "herd: thousands of terminals come back to one nats-server", run: herd },
];

const THREE: Setup = Setup { servers: 3, durable: true, atomic: true };
const ONE: Setup = Setup { servers: 1, durable: true, atomic: true };
/// A header of what is stored only behind what the sender knows, and another of the same length that means nothing.
const EXPECTATION: (&[u8], &[u8]) = (b"Nats-Expected-Last-Subject-Sequence", b"Xats-Expected-Last-Subject-Sequence");

fn to(proxies: &[Proxy]) -> To {
    let servers = proxies.iter().map(|proxy| format!("nats://{}", proxy.address)).collect();
    To::Nats { servers, terminal: "T".to_owned() }
}

fn faults(depth: Depth) -> usize {
    match depth {
        Depth::Usual => 12,
        Depth::Full => 40,
        Depth::Long => 120,
    }
}

fn chaos_nats(given: &Given) -> Done<String> {
    let mut cluster = Cluster::start(THREE)?;
    let course = Course { given, faults: faults(given.depth), every_ms: 10, mutant: None, only: None, rename: None };
    let Outcome { verdict, kills, faults, drained } = run(&mut cluster, to, &course)?;
    if !verdict.is_whole() || verdict.marked > 0 {
        return Err(format!("{verdict:?}\nafter {}", faults.join("; ")));
    }
    Ok(format!(
        "{} recorded, {} stored, 0 lost, 0 doubled, in order; {} faults, {kills} kills; drained in {} ms",
        verdict.recorded,
        verdict.stored,
        faults.len(),
        drained.as_millis()
    ))
}

/// What is wrong on purpose.
#[derive(Clone, Copy, Default)]
struct Fault {
    mutant: Option<Mutant>,
    only: Option<Mood>,
    rename: Option<(&'static [u8], &'static [u8])>,
}

/// Repeats a course with a fault on purpose until the comparison shows what is wanted.
fn finds(given: &Given, setup: Setup, fault: Fault, found: fn(&Outcome) -> bool) -> Done<String> {
    let mut seen = Vec::new();
    for round in 0..5 {
        let mut cluster = Cluster::start(setup)?;
        let given = Given { depth: given.depth, seed: given.seed.wrapping_add(round) };
        let Fault { mutant, only, rename } = fault;
        let course = Course { given: &given, faults: if only.is_some() { 5 } else { 15 }, every_ms: 5, mutant, only, rename };
        match run(&mut cluster, to, &course) {
            Ok(outcome) if found(&outcome) => return Ok(format!("{:?}", outcome.verdict)),
            Ok(outcome) => seen.push(format!("{:?}", outcome.verdict)),
            Err(why) => seen.push(why),
        }
    }
    Err(format!("not found: {}", seen.join("; ")))
}

fn cursor_first(given: &Given) -> Done<String> {
    finds(given, ONE, Fault { mutant: Some(Mutant::CursorFirst), ..Fault::default() }, |outcome| outcome.verdict.lost > 0)
}

fn no_expectation(given: &Given) -> Done<String> {
    finds(given, Setup { atomic: false, ..ONE }, Fault { only: Some(Mood::Delays), rename: Some(EXPECTATION), mutant: None }, |outcome| {
        outcome.verdict.doubled > 0
    })
}

/// What comes late is refused only because the sender said behind what it belongs.
fn late(given: &Given) -> Done<String> {
    let mut cluster = Cluster::start(Setup { atomic: false, ..ONE })?;
    let course = Course { given, faults: 3, every_ms: 5, mutant: None, only: Some(Mood::Delays), rename: None };
    let outcome = run(&mut cluster, to, &course)?;
    if outcome.verdict.is_whole() { Ok(format!("{:?}", outcome.verdict)) } else { Err(format!("{:?}", outcome.verdict)) }
}

/// A receiver that acknowledges what it keeps in memory only.
fn forgetful(given: &Given) -> Done<String> {
    finds(given, Setup { durable: false, ..THREE }, Fault::default(), |outcome| outcome.verdict.lost > 0)
}

fn ten_days_nats(_: &Given) -> Done<String> {
    let _cluster = Cluster::start(ONE)?;
    let drained = backlog::drain("kind = \"nats\"\nservers = [\"nats://127.0.0.1:4300\"]\nretry = { first = \"1s\", longest = \"5s\" }\n")?;
    Ok(drained.to_string())
}

fn overflow_nats(given: &Given) -> Done<String> {
    let mut cluster = Cluster::start(ONE)?;
    let to = To::Nats { servers: vec!["nats://127.0.0.1:4300".to_owned()], terminal: "T".to_owned() };
    overflow::run(given, &mut cluster, &to)
}

fn herd(given: &Given) -> Done<String> {
    let terminals = match given.depth {
        Depth::Usual => 500,
        Depth::Full => 2000,
        Depth::Long => 5000,
    };
    let pace = Pace { first: Duration::from_secs(3), longest: Duration::from_secs(30) };
    let mut told = Vec::new();
    for (name, habit) in [
        ("drawn 3..30 s", Habit::Drawn(pace)),
        ("fixed 3 s", Habit::Fixed(Duration::from_secs(3))),
        ("doubling 3..30 s, not drawn", Habit::Doubling(pace.first, pace.longest)),
    ] {
        let state = tempfile::Builder::new().prefix("isonet-herd-").tempdir().map_err(|e| format!("no place: {e}"))?;
        let (log, _, _) = open(state.path(), drop)?;
        for count in 0..10 {
            let event = isonet::model::AgentEvent::Coalesced { count };
            log.record(isonet::model::Draft::new(&isonet::sys::clock::stamp(), isonet::model::What::Agent(event)));
        }
        log.close();
        let spool = state.path().join("spool");
        let mut cluster = Cluster::start(ONE)?;
        cluster.kill(0);
        let sink = |terminal: usize| sinks::nats(&["nats://127.0.0.1:4300".to_owned()], &format!("T{terminal}"), &spool);
        let returned = returns(&spool, (terminals, habit, Duration::from_secs(15), Duration::from_mins(3)), sink, || cluster.revive())?;
        let Returned { after, .. } = &returned;
        let at = |share: usize| after[(after.len() - 1) * share / 100].as_millis();
        let peak = returned.peak();
        told.push(format!("{name}: peak {peak}/s, half through after {} ms, all after {} ms", at(50), at(100)));
        if let Habit::Drawn(_) = habit {
            // The longest pause, and time to ship.
            if after.len() != terminals || after.last().is_some_and(|last| *last > pace.longest * 2) {
                return Err(told.join("; "));
            }
        }
    }
    Ok(format!("{terminals} terminals; {}", told.join("; ")))
}
