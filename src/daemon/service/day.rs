//! A day of the service in a moment: the real loop with the real engine and the real log, under paused time and a prober that follows a script.
//!
//! Time moves on when everything in the loop has come to rest, and the log is waited for before, so that a day gives the same records on every
//! machine.

use super::{OnDisk, Orders, Outside, Service};
use crate::catalogue::Lang;
use crate::config::Loaded;
use crate::daemon::looks::Prober;
use crate::incident::Input;
use crate::infer::World;
use crate::model::{AgentEvent, Body, ClockState, Observation, Outcome, ProcessState, Record, Sighting, Stamp, Unseen, VpnFacts};
use crate::site::{
    CENTRE, INSIDE, RESOLVER, SERVER, answer, at, dead_tunnel, found, handshake, ip, knows, lookup, query, tls, tunnelled, vpn,
};
use crate::spool::{Anchor, Disk, Known, Position, Reader, verify};
use crate::sys::netlink::Ear;
use futures_util::future::LocalBoxFuture;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until};

const HOUR: u64 = 3600;
/// The day is over, seconds after it began.
const END: u64 = 24 * HOUR;
/// When the machine falls asleep, and for how long.
const SLEEP: (u64, u64) = (18 * HOUR, HOUR);

/// What is true from when to when, in seconds; otherwise all is well.
const STORY: &[(u64, u64, State)] = &[
    (2 * HOUR, 2 * HOUR + 2400, State::CentreDown),
    (6 * HOUR, 6 * HOUR + 60, State::TunnelDead),
    (6 * HOUR + 180, 6 * HOUR + 240, State::TunnelDead),
    (6 * HOUR + 360, 6 * HOUR + 420, State::TunnelDead),
    (10 * HOUR, 10 * HOUR + 1800, State::Lossy),
    // A moment in which a packet was lost, three times an hour: nobody is to hear of it.
    (12 * HOUR, 12 * HOUR + 1, State::TunnelDead),
    (12 * HOUR + 1200, 12 * HOUR + 1201, State::CentreDown),
    (12 * HOUR + 2400, 12 * HOUR + 2401, State::TunnelDead),
    // The network needs a while after the machine has slept.
    (SLEEP.0, SLEEP.0 + 8, State::TunnelDead),
];

/// When the kernel tells of changes: at the second flap of the tunnel, and in a storm of ten minutes in which nothing is wrong.
fn events() -> impl Iterator<Item = u64> {
    [6 * HOUR + 180, 6 * HOUR + 240].into_iter().chain((14 * HOUR..14 * HOUR + 600).step_by(2))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Well,
    CentreDown,
    TunnelDead,
    Lossy,
}

thread_local! {
    pub(super) static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
    /// The clock goes on while the machine sleeps; timers do not.
    static SLEPT: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Since the day began, as timers count it.
fn elapsed() -> Duration {
    BEGAN.get().expect("the day has begun").elapsed()
}

pub(super) fn stamp() -> Stamp {
    let since = elapsed() + SLEPT.get();
    let wall = jiff::Timestamp::from_second(1_795_000_000).unwrap() + since;
    // The machine has been up for an hour.
    let boottime_ms = HOUR * 1000 + u64::try_from(since.as_millis()).unwrap();
    Stamp { boot_id: "a boot".to_owned(), boottime_ms, wall, offset_s: 8 * 3600, clock: ClockState::Synchronised }
}

/// Looks that were begun: pulses and rounds.
#[derive(Clone, Default)]
struct Begun(Rc<Cell<(u32, u32)>>);

struct Script(Begun);

impl Script {
    fn state() -> State {
        let s = elapsed().as_secs();
        STORY.iter().find(|(from, to, _)| (*from..*to).contains(&s)).map_or(State::Well, |(.., state)| *state)
    }
}

impl Prober for Script {
    fn pulse(&self) -> LocalBoxFuture<'static, BTreeMap<String, Option<bool>>> {
        let (pulses, rounds) = self.0.0.get();
        self.0.0.set((pulses + 1, rounds));
        let usable = matches!(Self::state(), State::Well | State::Lossy);
        Box::pin(async move {
            sleep(Duration::from_millis(if usable { 40 } else { 2000 })).await;
            BTreeMap::from([("settlement".to_owned(), Some(usable))])
        })
    }

    fn round(&self) -> LocalBoxFuture<'static, World> {
        let (pulses, rounds) = self.0.0.get();
        self.0.0.set((pulses, rounds + 1));
        let (state, began) = (Self::state(), stamp());
        Box::pin(async move {
            sleep(Duration::from_millis(if state == State::Well { 210 } else { 3000 })).await;
            let seen = sightings(state).into_iter().map(|sighting| Observation { at: began.clone(), sighting });
            World::from(seen.collect::<Vec<_>>())
        })
    }

    fn learn(&self, _: &World) {}

    fn reconfigure(&mut self, _: &Arc<crate::config::Config>, _: &Arc<crate::baseline::Enrolment>) {}
}

/// A centre behind a tunnel.
fn sightings(state: State) -> Vec<Sighting> {
    let mut all = dead_tunnel(vec![Sighting::Udp(at(SERVER, 1194), answer()), Sighting::Ping(ip(SERVER), answer())]);
    if state == State::TunnelDead {
        return all;
    }
    let brings = VpnFacts { received: 9200, ..vpn(Some("tun0"), ProcessState::Running) };
    all.extend([
        Sighting::Vpn("centre".to_owned(), Outcome::Ok(brings)),
        Sighting::Ping(ip(INSIDE), answer()),
        Sighting::Ping(ip(RESOLVER), answer()),
        query(knows(CENTRE)),
        lookup(found(&[CENTRE], crate::model::LookupSource::Dns)),
    ]);
    if state == State::CentreDown {
        return all;
    }
    all.extend([Sighting::Ping(ip(CENTRE), answer()), Sighting::Tcp(at(CENTRE, 443), answer()), tls(Outcome::Ok(handshake(Some(0))))]);
    if state == State::Lossy {
        let reply = |ms, series| Outcome::Ok(crate::model::Reply { rtt: Duration::from_millis(ms), ttl: None, series });
        all.extend([CENTRE, RESOLVER, INSIDE].map(|host| Sighting::Series(ip(host), reply(8, (20, 11)))));
        all.push(Sighting::Tcp(at(CENTRE, 443), reply(1020, (1, 1))));
    }
    all
}

/// What the service held, where it could grow: bytes written out, or pieces.
#[derive(Debug)]
struct Holds {
    engine: usize,
    world: usize,
    pieces: usize,
}

impl Holds {
    fn of(service: &Service) -> Self {
        Self {
            engine: format!("{:?}", service.engine).len(),
            world: format!("{:?}", service.world).len(),
            pieces: service.recorder.names_held() + service.answers.held(),
        }
    }
}

/// Lives through the day; gives what was held each hour, and when the signs of life were given.
async fn live(service: &mut Service, state: &Path) -> (Vec<Holds>, Vec<u64>) {
    let began = BEGAN.get().unwrap();
    let moment = |s: u64| began + Duration::from_secs(s);
    let mut events = events().peekable();
    let (mut held, mut signs) = (Vec::new(), Vec::new());
    let mut due = service.advance(Input::Due);
    while elapsed() < Duration::from_secs(END) {
        let anchored = service.anchor_due;
        let hour = (held.len() as u64 + 1) * HOUR;
        let event = events.peek().copied().unwrap_or(END);
        tokio::select! {
            biased;
            next = service.turn(due) => due = next.unwrap(),
            () = sleep_until(moment(event.min(END))) => {
                events.next();
                due = service.advance(Input::NetworkChanged);
            }
            () = sleep_until(moment(hour)) => held.push(Holds::of(service)),
            () = sleep_until(moment(SLEEP.0)), if SLEPT.get().is_zero() => SLEPT.set(Duration::from_secs(SLEEP.1)),
        }
        while !service.recorder.is_idle() {
            std::thread::yield_now();
        }
        let open = service.engine.open().count();
        assert!(service.recorder.names_held() <= open.max(1), "{} names, {open} open", service.recorder.names_held());
        if service.anchor_due != anchored {
            let Known::Is(anchor) = Anchor::load(&Disk::look(state)) else { panic!("no sign of life at {:?}", elapsed()) };
            assert_eq!(anchor.head, *service.recorder.head(), "it says where the log ends");
            signs.push(anchor.at.boottime_ms / 1000);
        }
    }
    (held, signs)
}

fn durable(state: &Path) -> Vec<Record> {
    let mut reader = Reader::after(Disk::look(&state.join("spool")), Position { epoch: String::new(), seq: 0 });
    reader.next(usize::MAX, None).unwrap().iter().map(|entry| entry.record().unwrap()).collect()
}

/// The records of a quiet day, each as its minute and what it says.
fn told(record: &Record) -> String {
    let minute = (record.time.boot_ms / 1000 - HOUR) / 60;
    let word = |value: serde_json::Result<serde_json::Value>| value.unwrap().as_str().unwrap_or_default().to_owned();
    match &record.body {
        Body::Agent { agent, .. } => match agent {
            AgentEvent::Started => format!("{minute} started"),
            AgentEvent::Stopped { .. } => format!("{minute} stopped"),
            AgentEvent::PolicyChanged { .. } => format!("{minute} policy"),
            AgentEvent::KeyChanged { .. } => format!("{minute} key"),
            other => format!("{minute} {other:?}"),
        },
        Body::Incident(body) => {
            let (it, cause) = (&body.incident, &body.cause.code);
            let (phase, change) = (word(serde_json::to_value(it.phase)), word(serde_json::to_value(it.change)));
            format!("{minute} {phase} {change} {cause} x{}", it.occurrences)
        }
    }
}

const TOLD: &[&str] = &[
    "0 started",
    "0 key",
    "0 policy",
    "120 opened raised centre.outage x1",
    "160 resolved recovered centre.outage x1",
    "360 opened raised vpn.tunnel-dead x1",
    "361 resolved recovered vpn.tunnel-dead x1",
    "363 updated reopened vpn.tunnel-dead x2",
    "364 resolved recovered vpn.tunnel-dead x2",
    "366 updated reopened vpn.tunnel-dead x3",
    // It flaps by now, and is called over after five quiet minutes.
    "372 resolved recovered vpn.tunnel-dead x3",
    "602 opened raised line.loss x1",
    "630 resolved recovered line.loss x1",
    "1500 stopped",
];

#[tokio::test(start_paused = true)]
async fn a_day_with_outages_flaps_losses_storms_and_a_sleep_gives_these_records_and_no_others() {
    let real = crate::sys::clock::now();
    // A real disk would be synced three thousand times.
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let state = dir.path().join("state");
    BEGAN.set(Some(Instant::now()));
    let loaded = Loaded { config: tunnelled(), rules: None, sources: Vec::new(), notes: Vec::new(), files: Vec::new() };
    let file = Some(dir.path().join("isonet.toml"));
    let orders =
        Orders { loaded, file, state_dir: state.clone(), run_dir: None, lang: Lang::En, on_disk: OnDisk::InForce, set_log_level: |_| {} };
    let begun = Begun::default();
    let outside = Outside {
        now: stamp,
        prober: Box::new(Script(begun.clone())),
        ear: Ear::by(|| Err(Unseen::Error("in a test".to_owned()))),
        watches: Vec::new(),
        phase: 0.3,
    };
    let tasks = LocalSet::new();
    let lived = tasks.run_until(async {
        let mut service = Service::start(orders, |_, _| outside).unwrap();
        let lived = live(&mut service, &state).await;
        service.stop().await.unwrap();
        lived
    });
    let (held, signs) = Box::pin(lived).await;
    let (pulses, rounds) = begun.0.get();
    println!("24 hours in {:?}: {pulses} pulses, {rounds} rounds, {} signs of life", real.elapsed(), signs.len());

    let told: Vec<String> = durable(&state).iter().map(told).collect();
    assert_eq!(told, TOLD, "{told:#?}");
    assert!(verify(&Disk::look(&state.join("spool"))).unwrap().is_whole());
    // One in nine seconds while all is well, the tunnel being what it is; in five or one while something is wrong or has just changed.
    assert!((9_000..11_500).contains(&pulses), "{pulses}");
    // One in five minutes, and in two seconds during the storm; what lasts, or flaps, is looked at twice a minute.
    assert!((280..900).contains(&rounds), "{rounds}");
    let apart: Vec<u64> = signs.windows(2).map(|pair| pair[1] - pair[0]).filter(|apart| *apart != 60).collect();
    assert_eq!((signs.len() as u64, apart), (END / 60, vec![60 + SLEEP.1]), "a sign of life each minute but for the sleep");
    let (first, rest) = held.split_first().unwrap();
    for (hour, now) in (2..).zip(rest) {
        let grown = now.engine > first.engine * 11 / 10 || now.world > first.world * 11 / 10 || now.pieces > 0;
        assert!(!grown, "hour {hour}: {now:?}, and {first:?} in the first");
    }
    assert_eq!(held.len(), 23, "all hours but the last");
}
