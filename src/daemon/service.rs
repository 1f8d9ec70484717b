//! Start, loop, reload, end.

use super::changes::Changes;
use super::looks::Looks;
use super::manager::Manager;
use super::recorder::{Recorder, RecorderError};
use super::status;
use crate::baseline::{Enrolment, this_terminal};
use crate::catalogue::Lang;
use crate::config::{self, Config, Loaded};
use crate::incident::{Effect, Engine, Input};
use crate::infer::World;
use crate::model::{AgentEvent, Draft, Outcome, What};
use crate::report::Facing;
use crate::spool::News;
use crate::sys::clock;
use crate::sys::netlink::Events;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until};

/// Between two signs of life on disk.
const ANCHOR_EVERY: Duration = Duration::from_mins(1);
/// How long the end waits for the last records to be on disk.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why the service did not start or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is nowhere to keep records.
    #[error("no directory for the state: set state-dir, or HOME")]
    NoStateDirectory,
    /// The log could not be opened.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The kernel refused something the service cannot do without.
    #[error("{0}")]
    System(String),
}

/// What the command line and the configuration say of this run.
pub struct Orders {
    /// The configuration in force, and where it came from.
    pub loaded: Loaded,
    /// The file asked for; `None` = the default place.
    pub file: Option<PathBuf>,
    /// Where records live.
    pub state_dir: PathBuf,
    /// The language of the status line.
    pub lang: Lang,
}

/// Runs until a signal ends it.
pub async fn run(orders: Orders) -> Result<(), RunError> {
    LocalSet::new().run_until(async { Service::start(orders).await?.watch().await }).await
}

/// Everything the loop owns.
struct Service {
    orders: Orders,
    config: Arc<Config>,
    engine: Engine,
    looks: Looks,
    recorder: Recorder,
    manager: Manager,
    changes: Changes,
    events: Option<Events>,
    signals: Signals,
    world: World,
    facing: Facing,
    anchor_due: Instant,
    alive_due: Option<Instant>,
}

struct Signals {
    term: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, RunError> {
        let on = |kind| signal(kind).map_err(|e| RunError::System(format!("wait for signals: {e}")));
        Ok(Self { term: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())?, hangup: on(SignalKind::hangup())? })
    }
}

/// What woke the loop.
enum Woke {
    Engine(Input),
    Round(Input, World),
    Written(News),
    Reload,
    Stop,
    Anchor,
    Alive,
    Deaf(std::io::Error),
}

impl Service {
    async fn start(orders: Orders) -> Result<Self, RunError> {
        let signals = Signals::new()?;
        let now = clock::stamp();
        let config = Arc::new(orders.loaded.config.clone());
        let enrolment = Arc::new(Enrolment::of(Some(&orders.state_dir)));
        let (recorder, open) = Recorder::open(&orders, &now)?;
        let events = Events::open().inspect_err(|why| tracing::warn!(?why, "changes of the network are not heard")).ok();
        let manager = Manager::of_environment();
        let main = orders.file.clone().unwrap_or_else(|| PathBuf::from(config::DEFAULT_FILE));
        Ok(Self {
            engine: Engine::new(&config, open, phase(), &now),
            looks: Looks::new(Arc::clone(&config), enrolment),
            changes: Changes::of(&main),
            anchor_due: Instant::now() + ANCHOR_EVERY,
            alive_due: manager.alive_every().map(|every| Instant::now() + every),
            world: World::default(),
            facing: facing(&config, &orders),
            orders,
            config,
            recorder,
            manager,
            events,
            signals,
        })
    }

    async fn watch(mut self) -> Result<(), RunError> {
        let mut due = self.advance(Input::Due);
        self.manager.ready();
        loop {
            match self.wake(due).await {
                Woke::Engine(input) => due = self.advance(input),
                Woke::Round(input, world) => {
                    self.world = world;
                    due = self.advance(input);
                }
                Woke::Written(news) => drop(self.recorder.take(news)),
                Woke::Reload => {
                    if let Some(config) = self.reload() {
                        due = self.advance(Input::Reconfigured(config));
                    }
                }
                Woke::Anchor => {
                    self.recorder.anchor(&clock::stamp());
                    self.anchor_due = Instant::now() + ANCHOR_EVERY;
                }
                Woke::Alive => {
                    self.manager.alive();
                    self.alive_due = self.manager.alive_every().map(|every| Instant::now() + every);
                }
                Woke::Deaf(error) => {
                    tracing::error!(%error, "the kernel's word of changes broke off");
                    self.events = Events::open().ok();
                    due = self.advance(Input::NetworkChanged);
                }
                Woke::Stop => return self.stop().await,
            }
            let line = status::line(self.engine.latest(), &self.facing, &self.recorder, self.orders.lang);
            self.manager.status(&line);
        }
    }

    /// Waits for whatever comes first. Nothing is lost when another comes first.
    async fn wake(&mut self, due: Instant) -> Woke {
        let alive_due = self.alive_due;
        tokio::select! {
            biased;
            _ = self.signals.term.recv() => Woke::Stop,
            _ = self.signals.interrupt.recv() => Woke::Stop,
            _ = self.signals.hangup.recv() => Woke::Reload,
            () = until(alive_due) => Woke::Alive,
            written = self.recorder.next() => Woke::Written(written),
            heard = changed(self.events.as_mut(), &self.world) => match heard {
                Ok(()) => Woke::Engine(Input::NetworkChanged),
                Err(error) => Woke::Deaf(error),
            },
            looked = self.looks.next() => match looked.world {
                Some(world) => Woke::Round(looked.input, world),
                None => Woke::Engine(looked.input),
            },
            () = self.changes.next() => Woke::Reload,
            () = sleep_until(self.anchor_due) => Woke::Anchor,
            () = sleep_until(due) => Woke::Engine(Input::Due),
        }
    }

    /// One step of the engine, and what it wants done. Gives when the next is due.
    fn advance(&mut self, input: Input) -> Instant {
        let now = clock::stamp();
        let step = self.engine.step(&now, input);
        let mut drafts = Vec::new();
        for effect in step.effects {
            match effect {
                Effect::Look(look) => self.looks.begin(look),
                Effect::Record(draft) => drafts.push(draft),
            }
        }
        self.recorder.submit(drafts);
        Instant::now() + Duration::from_millis(step.due_ms.saturating_sub(now.boottime_ms))
    }

    /// Reads the configuration again; one that is not right changes nothing and is said.
    fn reload(&mut self) -> Option<Box<Config>> {
        self.manager.reloading();
        let read = config::load(self.orders.file.as_deref());
        let config = match read {
            Ok(loaded) if loaded == self.orders.loaded => None,
            Ok(loaded) => {
                tracing::info!("the configuration was read again");
                self.config = Arc::new(loaded.config.clone());
                self.orders.loaded = loaded;
                self.facing = facing(&self.config, &self.orders);
                let enrolment = Arc::new(Enrolment::of(Some(&self.orders.state_dir)));
                self.looks.reconfigure(Arc::clone(&self.config), enrolment);
                self.recorder.reconfigure(&self.orders, &clock::stamp());
                Some(Box::new(self.orders.loaded.config.clone()))
            }
            Err(error) => {
                let told = config::render_error(&error, self.orders.lang);
                tracing::error!("the configuration on disk is not right; the one in force stays:\n{told}");
                self.recorder.refuse_configuration();
                None
            }
        };
        self.manager.ready();
        config
    }

    async fn stop(self) -> Result<(), RunError> {
        self.manager.stopping();
        let now = clock::stamp();
        self.recorder.submit(vec![Draft::new(&now, What::Agent(AgentEvent::Stopped { reason: "signal".to_owned() }))]);
        self.recorder.close(&now, FAREWELL).await;
        Ok(())
    }
}

fn facing(config: &Config, orders: &Orders) -> Facing {
    let at = clock::wall().to_zoned(jiff::tz::TimeZone::system());
    let mut facing = Facing::new(config, at, 0);
    facing.id = this_terminal(&config.terminal);
    facing.rules.clone_from(&orders.loaded.rules);
    if let Some(file) = &orders.file {
        facing.config_file = file.display().to_string();
    }
    facing
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Waits until the network changed, or a gateway in use stopped answering the kernel.
async fn changed(events: Option<&mut Events>, world: &World) -> std::io::Result<()> {
    let Some(events) = events else { return std::future::pending().await };
    loop {
        let heard = events.next().await?;
        if heard.changed || heard.failed.iter().any(|ip| gateways(world).contains(ip)) {
            return Ok(());
        }
    }
}

fn gateways(world: &World) -> BTreeSet<IpAddr> {
    let routes = world.routes().and_then(Outcome::ok);
    routes.into_iter().flat_map(|table| table.routes.iter().filter_map(|route| route.gateway)).collect()
}

/// Where in the interval this terminal looks: drawn once a run, from the operating system by way of the hasher's keys.
fn phase() -> f64 {
    let drawn = RandomState::new().hash_one(clock::boot_id());
    f64::from(u32::try_from(drawn >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}
