//! What is done, and what has to come of it.

use std::time::Duration;

use isonet::sink::Pace;

use crate::agent::{Mutant, To, open};
use crate::chaos::{Course, Outcome, Receiver, run};
use crate::herd::{Habit, Returned, returns};
use crate::nats::{Cluster, Setup};
use crate::peers::syslog::Kind;
use crate::proxy::{Mood, Proxy};
use crate::syslog::{Ending, Syslog};
use crate::{Case, Depth, Done, Given, backlog, beside, overflow, sinks};

pub(crate) const CASES: &[Case] = &[
    Case { name: "chaos, three nats-servers: the same set, in order, once each", run: chaos_nats },
    Case { name: "mutant: cursor before the acknowledgement, found", run: cursor_first },
    Case { name: "what is delivered late is refused", run: late },
    Case { name: "mutant: no expected sequence, found", run: no_expectation },
    Case { name: "mutant: acknowledged before it is on disk, found", run: forgetful },
    Case { name: "chaos, rsyslog killed: a batch each time at most", run: |given| chaos_syslog(given, Kind::Gtls, Ending::Killed) },
    Case { name: "chaos, syslog-ng killed: a batch each time at most", run: |given| chaos_syslog(given, Kind::Ng, Ending::Killed) },
    Case { name: "chaos, rsyslog stopped: nothing is lost", run: |given| chaos_syslog(given, Kind::Gtls, Ending::Stopped) },
    Case { name: "chaos, syslog-ng stopped: nothing is lost", run: |given| chaos_syslog(given, Kind::Ng, Ending::Stopped) },
    Case { name: "mutant: cursor before the end of a batch, found", run: cursor_first_syslog },
    Case { name: "ten days wait for nats-server, and the network breaks anew", run: ten_days_nats },
    Case { name: "ten days wait for rsyslog, and the network breaks anew", run: ten_days_syslog },
    Case { name: "ten times what may wait: rows and gaps make all numbers", run: overflow_nats },
    Case { name: "the same backlog by rsyslog's own omfwd and its queue on disk", run: beside::run },
    Case { name: "herd: thousands of terminals come back to one nats-server", run: herd },
];

/// How long the daemon waits for an answer.
const ANSWERS: Duration = Duration::from_secs(5);
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
    let atomic = given.seed.is_multiple_of(2);
    let mut cluster = Cluster::start(Setup { atomic, ..THREE })?;
    let course = Course { given, faults: faults(given.depth), every_ms: 10, mutant: None, only: None, rename: None };
    let Outcome { verdict, kills, faults, drained } = run(&mut cluster, to, &course)?;
    if !verdict.is_whole() || verdict.marked > 0 {
        return Err(format!("{verdict:?}\nafter {}", faults.join("; ")));
    }
    Ok(format!(
        "atomic {atomic}: {} recorded, {} stored, 0 lost, 0 doubled, in order; {} faults, {kills} kills; drained in {} ms",
        verdict.recorded,
        verdict.stored,
        faults.len(),
        drained.as_millis()
    ))
}

/// Half of it in the clear, half encrypted.
fn chaos_syslog(given: &Given, kind: Kind, ending: Ending) -> Done<String> {
    let mut told = Vec::new();
    for encrypted in [false, true] {
        let mut receiver = Syslog::start(kind, encrypted, ending)?;
        let to = receiver.to();
        let course = Course { given, faults: faults(given.depth) / 2, every_ms: 5, mutant: None, only: None, rename: None };
        let Outcome { verdict, kills, faults, drained } = run(&mut receiver, to, &course)?;
        let bound = if ending == Ending::Killed { receiver.ends } else { 0 };
        // What an earlier connection had on its way may come in beside what its successor brings: syslog knows no order between the two.
        if verdict.lost_batches > bound || verdict.doubled + verdict.strange > 0 {
            return Err(format!("{verdict:?}\nafter {}", faults.join("; ")));
        }
        told.push(format!(
            "{}: {} recorded, {} lost in {} receiver's ends, {} marked copies, {} behind a later one; {} faults, {kills} kills; drained in {} ms",
            if encrypted { "TLS" } else { "TCP" },
            verdict.recorded,
            verdict.lost,
            receiver.ends,
            verdict.marked,
            verdict.unordered,
            faults.len(),
            drained.as_millis()
        ));
    }
    Ok(told.join("; "))
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
    repeats(given, fault, || Cluster::start(setup).map(|cluster| (cluster, to)), found)
}

fn repeats<R: Receiver, T: Fn(&[Proxy]) -> To>(
    given: &Given,
    fault: Fault,
    start: impl Fn() -> Done<(R, T)>,
    found: fn(&Outcome) -> bool,
) -> Done<String> {
    let mut seen = Vec::new();
    for round in 0..5 {
        let (mut receiver, to) = start()?;
        let given = Given { depth: given.depth, seed: given.seed.wrapping_add(round) };
        let Fault { mutant, only, rename } = fault;
        let course = Course { given: &given, faults: if only.is_some() { 5 } else { 15 }, every_ms: 5, mutant, only, rename };
        match run(&mut receiver, to, &course) {
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

fn cursor_first_syslog(given: &Given) -> Done<String> {
    let start = || {
        Syslog::start(Kind::Gtls, false, Ending::Stopped).map(|receiver| {
            let to = receiver.to();
            (receiver, to)
        })
    };
    repeats(given, Fault { mutant: Some(Mutant::CursorFirst), ..Fault::default() }, start, |outcome| outcome.verdict.lost > 0)
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

fn ten_days_syslog(_: &Given) -> Done<String> {
    let mut receiver = Syslog::start(Kind::Gtls, false, Ending::Stopped)?;
    let at = receiver.addresses()[0];
    let drained = backlog::drain(&format!(
        "kind = \"syslog\"\naddress = \"{at}\"\ntransport = \"tcp\"\nretry = {{ first = \"1s\", longest = \"5s\" }}\n"
    ))?;
    let stored = receiver.stored()?.len();
    Ok(format!("{drained}; {stored} stored"))
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
    // A tenth of the fleet's own, and for more terminals a fifth: what returns a second stays the same.
    let first = Duration::from_secs(if given.depth == Depth::Long { 6 } else { 3 });
    let pace = Pace { first, longest: first * 10 };
    let (mut told, mut peaks) = (Vec::new(), Vec::new());
    for (name, habit) in [
        ("drawn", Habit::Drawn(pace)),
        ("fixed", Habit::Fixed(pace.first)),
        ("doubling, not drawn", Habit::Doubling(pace.first, pace.longest)),
    ] {
        let state = tempfile::Builder::new().prefix("isonet-herd-").tempdir().map_err(|e| format!("no place: {e}"))?;
        let (log, _, _) = open(state.path(), drop)?;
        // It broke, it was looked at, it is over.
        for count in 0..3 {
            let event = isonet::model::AgentEvent::Coalesced { count };
            log.record(isonet::model::Draft::new(&isonet::sys::clock::stamp(), isonet::model::What::Agent(event)));
        }
        log.close();
        let spool = state.path().join("spool");
        let mut cluster = Cluster::start(ONE)?;
        cluster.kill(0);
        let sink = |terminal: usize| sinks::nats(&["nats://127.0.0.1:4300".to_owned()], &format!("T{terminal}"), &spool, ANSWERS);
        let returned = returns(&spool, (terminals, habit, pace.first * 5, Duration::from_mins(5)), sink, || cluster.revive())?;
        let Returned { after, .. } = &returned;
        let at = |share: usize| after.get((terminals - 1) * share / 100).map_or("never".to_owned(), |at| format!("{} ms", at.as_millis()));
        told.push(format!("{name}: peak {}/s, half through after {}, all after {}", returned.peak(), at(50), at(100)));
        peaks.push(returned.peak());
        if matches!(habit, Habit::Drawn(_)) && after.len() != terminals {
            return Err(format!("{} of {terminals} are through; {}", after.len(), told.join("; ")));
        }
    }
    if peaks[0] * 3 > peaks[1].min(peaks[2]) {
        return Err(format!("too many at once: {}", told.join("; ")));
    }
    Ok(format!("{terminals} terminals, {}..{} s; {}", pace.first.as_secs(), pace.longest.as_secs(), told.join("; ")))
}
