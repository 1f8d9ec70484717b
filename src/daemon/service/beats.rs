//! Signs of life of the real loop, under paused time: to a receiver that takes them, to one that is dead, and to one that dies.

#![allow(clippy::large_futures, reason = "a test may have large ones")]

use super::day::{BEGAN, stamp};
use super::{OnDisk, Orders, Outside, Service};
use crate::catalogue::Lang;
use crate::config::{Config, Loaded};
use crate::daemon::looks::Prober;
use crate::incident::Input;
use crate::infer::World;
use crate::key::{self, PublicKey};
use crate::model::{AgentEvent, Body, Goodbye, Heartbeat, IncidentKind, Record, Unseen};
use crate::sink::{Cargo, Hindrance, Obstacle, Shipped, Sink};
use crate::sys::netlink::Ear;
use futures_util::future::LocalBoxFuture;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until};

const EVERY: Duration = Duration::from_mins(5);

/// Nothing is configured, so there is nothing to see.
struct Nothing;

impl Prober for Nothing {
    fn pulse(&self) -> LocalBoxFuture<'static, BTreeMap<String, Option<bool>>> {
        Box::pin(async { BTreeMap::new() })
    }

    fn round(&self) -> LocalBoxFuture<'static, World> {
        Box::pin(async { World::default() })
    }

    fn learn(&self, _: &World) {}

    fn reconfigure(&mut self, _: &Arc<Config>, _: &Arc<crate::baseline::Enrolment>) {}
}

/// How a receiver is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Takes,
    /// It takes, and says that it keeps nothing for long.
    Lax,
    Refuses,
    /// It never says a word again.
    Hangs,
}

/// A sign of life, and when it came.
type Heard = (Instant, Vec<u8>);

/// What a receiver got.
#[derive(Clone)]
struct Receiver {
    mood: Rc<Cell<Mood>>,
    beats: Rc<RefCell<Vec<Heard>>>,
    records: Rc<RefCell<Vec<Record>>>,
}

impl Receiver {
    fn new(mood: Mood) -> Self {
        Self { mood: Rc::new(Cell::new(mood)), beats: Rc::default(), records: Rc::default() }
    }

    fn said(&self) -> Vec<Heartbeat> {
        self.beats.borrow().iter().map(|(_, line)| unsigned(line)).collect()
    }
}

/// A sign of life without its signature.
fn unsigned(line: &[u8]) -> Heartbeat {
    let mut value: serde_json::Value = serde_json::from_slice(line).expect("JSON");
    value.as_object_mut().expect("an object").remove("signature").expect("a signature");
    serde_json::from_value(value).expect("a sign of life")
}

impl Sink for Receiver {
    async fn ship(&mut self, cargo: Cargo<'_>) -> Shipped {
        match self.mood.get() {
            Mood::Refuses => return Shipped::only(0, Hindrance::new(Obstacle::Absent, "test")),
            Mood::Hangs => std::future::pending().await,
            Mood::Takes | Mood::Lax => {}
        }
        self.beats.borrow_mut().extend(cargo.beat.map(|beat| (Instant::now(), beat.0.to_vec())));
        self.records.borrow_mut().extend(cargo.records.iter().filter_map(crate::spool::Entry::record));
        Shipped { lacks: (self.mood.get() == Mood::Lax).then(|| "one replica".to_owned()), ..Shipped::all(cargo.records.len()) }
    }
}

/// A service without a centre, that ships to this receiver.
fn service(dir: &Path, receiver: &Receiver) -> Service {
    BEGAN.set(Some(Instant::now()));
    let loaded = Loaded { config: Config::default(), rules: None, sources: Vec::new(), notes: Vec::new(), files: Vec::new() };
    let (file, state_dir) = (Some(dir.join("isonet.toml")), dir.join("state"));
    let orders = Orders { loaded, file, state_dir, run_dir: None, lang: Lang::En, on_disk: OnDisk::InForce, set_log_level: |_| {} };
    let outside = Outside {
        now: stamp,
        prober: Box::new(Nothing),
        ear: Ear::by(|| Err(Unseen::Error("in a test".to_owned()))),
        watches: Vec::new(),
        phase: 0.3,
    };
    let mut service = Service::start(orders, |_, _| outside).expect("it starts");
    service.recorder.ship_to("fleet", EVERY, receiver.clone());
    service
}

/// Lives for so long.
async fn live(service: &mut Service, time: Duration) {
    let end = Instant::now() + time;
    let mut due = service.advance(Input::Due);
    loop {
        tokio::select! {
            biased;
            next = service.turn(due) => due = next.expect("nobody ends it"),
            () = sleep_until(end) => return,
        }
        while !service.recorder.is_idle() {
            std::thread::yield_now();
        }
    }
}

async fn run<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}

#[tokio::test(start_paused = true)]
async fn a_receiver_hears_that_we_live_first_then_now_and_then_and_at_last_goodbye() {
    let dir = tempfile::tempdir().expect("a directory");
    let receiver = Receiver::new(Mood::Takes);
    run(async {
        let mut service = service(dir.path(), &receiver);
        live(&mut service, Duration::from_hours(1)).await;
        service.stop().await.expect("it ends");
    })
    .await;
    let public = key::load(&dir.path().join("state")).expect("readable").expect("made").key.public();
    for (_, line) in receiver.beats.borrow().iter() {
        assert_eq!(key::check(line, &public), Ok(()));
        assert!(line.len() < 8000, "{} bytes", line.len());
    }
    let said = receiver.said();
    let (last, before) = said.split_last().expect("some");
    assert!((11..=16).contains(&before.len()), "{} in an hour", before.len());
    let apart: Vec<Duration> = receiver.beats.borrow()[..before.len()].windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(apart.iter().all(|apart| (Duration::from_mins(4)..=Duration::from_mins(6)).contains(apart)), "{apart:?}");
    assert!(before.iter().all(|beat| beat.goodbye.is_none() && beat.log.well && beat.interval_s == 300));
    assert!(before.windows(2).all(|pair| pair[0].uptime_s < pair[1].uptime_s));
    let named = PublicKey::from_base64(&last.key.as_ref().expect("a key").public).expect("a key");
    assert_eq!((last.goodbye, named), (Some(Goodbye::Signal), public));
    // All is there: the farewell takes the last record along, and the head that it names is that one.
    let records = receiver.records.borrow();
    let end = records.last().expect("records");
    assert!(matches!(&end.body, Body::Agent { agent: AgentEvent::Stopped { .. }, .. }), "{end:?}");
    assert_eq!((&last.epoch, last.seq), (&end.epoch, end.seq));
    let told = records.iter().find_map(|record| match &record.body {
        Body::Agent { agent: AgentEvent::KeyChanged { to, reason, .. }, .. } => Some((to.clone(), reason.clone())),
        _ => None,
    });
    assert_eq!(told, Some((public.fingerprint(), "first".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_told_once_and_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let receiver = Receiver::new(Mood::Takes);
    for _ in 0..2 {
        run(async {
            let mut service = service(dir.path(), &receiver);
            live(&mut service, Duration::from_secs(10)).await;
            service.stop().await.expect("it ends");
        })
        .await;
    }
    let keys: Vec<_> = receiver.said().into_iter().map(|beat| beat.key).collect();
    assert!(keys.len() >= 4 && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    let told = receiver.records.borrow().iter().filter(|record| record.body.code() == "agent.key-changed").count();
    assert_eq!(told, 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_receiver_does_not_hold_up_the_end() {
    for (at_first, later, most) in
        [(Mood::Refuses, Mood::Refuses, 0), (Mood::Hangs, Mood::Hangs, 0), (Mood::Takes, Mood::Hangs, 2), (Mood::Takes, Mood::Refuses, 0)]
    {
        let dir = tempfile::tempdir().expect("a directory");
        let receiver = Receiver::new(at_first);
        let took = run(async {
            let mut service = service(dir.path(), &receiver);
            live(&mut service, Duration::from_mins(2)).await;
            receiver.mood.set(later);
            let began = Instant::now();
            service.stop().await.expect("it ends");
            began.elapsed()
        });
        let took = took.await;
        assert!(took <= Duration::from_secs(most), "{at_first:?}, {later:?}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_may_lose_records_is_an_incident_until_it_is_put_right() {
    let dir = tempfile::tempdir().expect("a directory");
    let receiver = Receiver::new(Mood::Lax);
    let told = || {
        let records = receiver.records.borrow();
        let about = records.iter().filter_map(|record| match &record.body {
            Body::Incident(body) if body.incident.kind == IncidentKind::Blindness => {
                Some((body.incident.phase.code(), body.cause.object.clone(), body.evidence[0].result.clone()))
            }
            _ => None,
        });
        about.collect::<Vec<_>>()
    };
    let is = |phase| (phase, "watch.shipping.fleet".to_owned(), "one replica".to_owned());
    run(async {
        let mut service = service(dir.path(), &receiver);
        live(&mut service, Duration::from_mins(7)).await;
        assert_eq!(told(), [is("opened")]);
        assert_eq!(receiver.said().last().expect("some").open.iter().filter(|open| open.code == "agent.degraded").count(), 1);
        service.stop().await.expect("it ends");
    })
    .await;
    // Nobody is asked at first: what is not known closes nothing.
    receiver.mood.set(Mood::Refuses);
    run(async {
        let mut service = self::service(dir.path(), &receiver);
        live(&mut service, Duration::from_mins(7)).await;
        assert!(service.engine.open().any(|incident| incident.cause.object == "watch.shipping.fleet"));
        receiver.mood.set(Mood::Takes);
        live(&mut service, Duration::from_mins(10)).await;
        service.stop().await.expect("it ends");
    })
    .await;
    assert_eq!(told().last(), Some(&is("resolved")), "{:?}", told());
}
