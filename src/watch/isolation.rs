//! Isolation: whether a way outward appeared that was not there at enrolment, and whether it leads to the internet.
//!
//! ```text
//! the kernel's word ──> topology: what nothing explains ──> uplink-suspect, at once
//!        │
//!        └──> the ways to the anchors changed ──> a burst of handshakes ──> proof: who is there ──> internet-reachable, lookalike
//! ```
//!
//! * Nothing leaves before enrolment, with mode `off`, or where the kernel has no route. Nothing is bound to a device. On an enrolled network
//!   card a public address is never asked for by ARP: without a next hop nothing is sent there.
//! * Enrolment asks each anchor once ([`enrolment`]): who answers in place of the internet there is known and told no more, there only.
//! * A look only reads the kernel's state and judges; what is sent is sent by a task beside it, and what it brought is thrown away when the ways
//!   changed meanwhile.
//! * With an access that leads over the internet by design, ways that were enrolled are not asked: what they lead to is known.
//! * A proxy is a way, too: those that settings name ([`proxies`]), and those that programs are seen to talk to ([`observed`]).

mod around;
mod enrolment;
mod inner;
mod memory;
mod observed;
mod pace;
mod proof;
mod proxies;
mod round;
mod topology;

pub use enrolment::{Outside, outside_now};
pub use inner::takes_enrolled_way;

use super::aside::aside;
use super::{Given, Look, MINUTE, Watch};
use crate::baseline::interfaces_now;
use crate::config::IsolationMode;
use crate::model::{Unseen, Watcher};
use crate::sys::changes::Changes;
use crate::sys::listeners;
use crate::sys::netlink::{Ear, Netlink, Ways};
use around::{Around, Surroundings, Told, inside, is_inside, may_be_proxies, surroundings};
use futures_util::future::LocalBoxFuture;
use memory::{Memory, Near};
use round::{Done, Plan, ask};
use std::future::pending;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;
use topology::{Normal, deviations};

/// Changes come in flocks: a router's advertisement brings an address, its prefix and then the way outward, and who set the last says where
/// all of it came from.
const SETTLES: Duration = Duration::from_millis(250);

/// Settings and connections are read again after so long, however much stirs meanwhile (milliseconds); each look by the clock reads them.
const STALE_MS: u64 = 30_000;

/// The watcher.
pub struct Isolation {
    ear: Ear,
    /// Where proxies are written down, and what it watches. Without it they are read each minute.
    files: Option<Changes>,
    places: Vec<PathBuf>,
    /// What was read there, and when (`boottime_ms`); `None` = it is to be read.
    told: Told,
    told_at: Option<u64>,
    /// The round that is under way.
    round: JoinSet<Done>,
    /// One that ended and has not been taken in.
    done: Option<Done>,
    memory: Memory,
}

impl Isolation {
    /// Must be called within a tokio runtime with I/O enabled.
    pub fn new() -> Self {
        Self {
            ear: Ear::open(),
            files: None,
            places: Vec::new(),
            told: Told::default(),
            told_at: None,
            round: JoinSet::new(),
            done: None,
            memory: Memory::default(),
        }
    }

    /// Watches what is there by now.
    fn listen(&mut self) {
        let (files, directories) = proxies::watched();
        let real: Vec<PathBuf> = files.iter().chain(&directories).filter_map(|place| std::fs::canonicalize(place).ok()).collect();
        if self.files.is_none() || self.places != real {
            let changes = Changes::of_files(&files, &directories);
            self.files = changes.inspect_err(|error| tracing::info!(%error, "other proxies are noticed within a minute")).ok();
            self.places = real;
        }
    }

    /// Reads settings and connections, off the loop.
    async fn read(&mut self, now: u64) {
        if self.told_at.is_some_and(|at| now < at + STALE_MS) {
            return;
        }
        // Before reading, so that what changes meanwhile is heard.
        self.listen();
        let read = aside(|| {
            let (proxies, leads) = proxies::sorted(proxies::leads());
            let peers = listeners::tcp_peers().inspect_err(|why| tracing::info!(?why, "connections are not seen")).unwrap_or_default();
            Told { proxies, leads, peers }
        });
        if let Ok(told) = read.await {
            (self.told, self.told_at) = (told, Some(now));
        }
    }

    async fn look_now(&mut self, given: &Given) -> Look {
        let Some(baseline) = given.baseline() else {
            self.memory = Memory::default();
            self.round.abort_all();
            return Look::of(Vec::new());
        };
        let normal = Normal { baseline, config: &given.config };
        let (ways, netlink) = match kernel().await {
            Ok(told) => told,
            Err(why) => return Look::blind("route.list", why),
        };
        let interfaces = interfaces_now(&ways.links);
        let deviations = deviations(&ways, &interfaces, normal);
        let now = given.at.boottime_ms;
        self.read(now).await;
        let around = Around { netlink: &netlink, ways: &ways, interfaces: &interfaces, normal };
        let told = Told { proxies: self.memory.proxies(&self.told.proxies), ..self.told.clone() };
        let surroundings = surroundings(around, &told).await;
        let talked_to = may_be_proxies(around, &told).await;
        let near = Near { macs: ways.macs.clone(), talked_to, known: given.known.clone() };
        self.memory.notice(&deviations, &surroundings, &near, now);
        if let Some(done) = self.done.take().or_else(|| self.round.try_join_next().and_then(Result::ok)) {
            tracing::debug!(began = done.began, now, answers = ?done.answers(), "a round of questions ended");
            self.memory.take(done, |ip| is_inside(ip, normal));
        }
        self.send(given, &surroundings, normal, now);
        let muted = baseline.lookalikes.as_deref().unwrap_or_default();
        let look = self.memory.look(&deviations, &given.config, muted, now);
        // The end of a round that is under way stirs.
        if self.round.is_empty() { look } else { Look { again: MINUTE, ..look } }
    }

    /// Begins a round, if one is due.
    fn send(&mut self, given: &Given, surroundings: &Surroundings, normal: Normal<'_>, now: u64) {
        let config = &given.config;
        let settings = &config.isolation;
        let pace = &mut self.memory.pace;
        let later = |from: u64| from + jittered(settings.interval, drawn());
        match settings.mode {
            IsolationMode::Periodic => pace.by_clock(Some(later(now))),
            IsolationMode::EventOnly | IsolationMode::Off => pace.by_clock(None),
        }
        if !self.round.is_empty() || self.done.is_some() {
            return;
        }
        let Some(why) = pace.may(now) else { return };
        let plan = Plan { inside: inside(normal).copied().collect(), ..self.memory.plan(config, surroundings, why, now) };
        let then = self.memory.next_size(config, surroundings);
        self.memory.pace.send(now, why, plan.size(), then, Some(later(now)));
        if plan.is_empty() {
            self.memory.awaiting = false;
            return;
        }
        self.round.spawn(ask(plan, settings.roots.clone(), surroundings.clone(), given.at.clone()));
    }
}

impl Default for Isolation {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch for Isolation {
    fn watcher(&self) -> Watcher {
        Watcher::Isolation
    }

    fn look<'a>(&'a mut self, given: &'a Given) -> LocalBoxFuture<'a, Look> {
        Box::pin(self.look_now(given))
    }

    fn stirred(&mut self) -> LocalBoxFuture<'_, ()> {
        Box::pin(async {
            let Self { ear, round, done, files, told_at, .. } = self;
            let written = async {
                match files {
                    Some(changes) => changes.next().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                // Broken off while it settles, a look is under way for another reason, and sees the change.
                () = ear.changed() => sleep(SETTLES).await,
                () = written => *told_at = None,
                Some(ended) = round.join_next() => *done = ended.ok(),
            }
        })
    }
}

async fn kernel() -> Result<(Ways, Netlink), Unseen> {
    let netlink = Netlink::open()?;
    Ok((netlink.ways().await?, netlink))
}

/// The interval, thirty per cent shorter to thirty per cent longer; milliseconds.
fn jittered(interval: Duration, drawn: f64) -> u64 {
    u64::try_from(interval.mul_f64(0.7 + 0.6 * drawn).as_millis()).unwrap_or(u64::MAX)
}

/// 0 to 1, from the operating system by way of the hasher's keys.
fn drawn() -> f64 {
    let drawn = RandomState::new().hash_one(0_u8);
    f64::from(u32::try_from(drawn >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}
