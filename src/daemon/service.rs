//! Start, loop, reload, end.

mod outside;

use super::answers::{Answers, Held, Next};
use super::beat;
use super::changes::Changes;
use super::control::{Asked, Call, Control, ControlError, NotRetired, Ordered, Refusal, Remark, Retire};
use super::grants::{Grants, Unsaved};
use super::looks::Looks;
use super::manager::Manager;
use super::recorder::{Recorder, RecorderError};
use super::remarks::Remarks;
use super::retirement::{self, Retirement};
use super::shipping::{Couriers, Said};
use super::status;
use super::tally::Tally;
use crate::baseline::{Enrolment, Mark, mark, this_terminal};
use crate::catalogue::Lang;
use crate::config::{self, Config, Loaded, LogLevel};
use crate::incident::{Effect, Engine, Input};
use crate::infer::World;
use crate::model::{AgentEvent, Draft, Goodbye, Outcome, Stamp, Watched, What};
use crate::report::Facing;
use crate::report::page::History;
use crate::sink::Beat;
use crate::spool::News;
use crate::sys::netlink::Ear;
use crate::watch::{self, Watchers};
use jiff::Zoned;
use outside::{Outside, Signals};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::LocalSet;
use tokio::task::{JoinHandle, spawn_blocking, spawn_local};
use tokio::time::{Instant, sleep_until};

/// Between two signs of life on disk.
const ANCHOR_EVERY: Duration = Duration::from_mins(1);
/// A last record that is not on disk by then never will be.
const ON_DISK_BY: Duration = Duration::from_secs(10);
/// Between two looks whether receivers have all.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
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
    /// Another daemon runs here.
    #[error(transparent)]
    Taken(ControlError),
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
    /// Where sockets live; `None` = a user without a session: no sockets.
    pub run_dir: Option<PathBuf>,
    /// The language of the status line.
    pub lang: Lang,
    /// Whether it is the one on disk.
    pub on_disk: OnDisk,
    /// How much is said in the log from then on.
    pub set_log_level: fn(LogLevel),
}

/// What became of the configuration on disk at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDisk {
    /// It is in force.
    InForce,
    /// It is not right; one from before is in force.
    Refused,
}

impl Orders {
    /// Where the configuration is, or would be.
    fn main(&self) -> PathBuf {
        self.file.clone().unwrap_or_else(|| PathBuf::from(config::DEFAULT_FILE))
    }
}

/// Runs until a signal ends it.
pub async fn run(orders: Orders) -> Result<(), RunError> {
    let tasks = LocalSet::new();
    Box::pin(tasks.run_until(async { Box::pin(Service::start(orders, Outside::here)?.watch()).await })).await
}

/// Everything the loop owns.
struct Service {
    now: fn() -> Stamp,
    orders: Orders,
    config: Arc<Config>,
    /// The baseline in force, as a file.
    enrolled: Option<Mark>,
    engine: Engine,
    looks: Looks,
    recorder: Recorder,
    control: Control,
    answers: Answers,
    tally: Tally,
    started: Zoned,
    /// The same by the clock that cannot be set.
    started_ms: u64,
    couriers: Option<Couriers>,
    manager: Manager,
    changes: Changes,
    ear: Ear,
    watchers: Watchers,
    grants: Grants,
    /// The last writing of the grants.
    saving: Option<JoinHandle<()>>,
    /// Statements that are on their way to the disk.
    remarks: Remarks,
    signals: Signals,
    /// The terminal is being taken out of service.
    retirement: Option<Retirement>,
    world: World,
    facing: Facing,
    history: History,
    anchor_due: Instant,
    alive_due: Option<Instant>,
}

/// What woke the loop.
enum Woke {
    Engine(Input),
    Round(Input, World),
    Watched(Watched),
    Written(News),
    Said(Said),
    Asked(Asked),
    Ordered(Ordered),
    Remarked(Remark),
    Retire(Retire),
    Reload,
    Stop,
    Anchor,
    Alive,
}

impl Service {
    fn start(orders: Orders, outside: impl FnOnce(&Arc<Config>, &Arc<Enrolment>) -> Outside) -> Result<Self, RunError> {
        let signals = Signals::new()?;
        let config = Arc::new(orders.loaded.config.clone());
        let enrolled = mark(&orders.state_dir);
        let enrolment = Arc::new(Enrolment::of(Some(&orders.state_dir)));
        let mut control = sockets(orders.run_dir.as_deref())?;
        let Outside { now: clock, prober, ear, watches, phase } = outside(&config, &enrolment);
        let now = clock();
        let (mut recorder, open) = Recorder::open(&orders, &now)?;
        if orders.on_disk == OnDisk::Refused {
            recorder.refuse_configuration();
        }
        let manager = Manager::of_environment();
        let facing = facing(&config, &orders, &now);
        control.serve(recorder.dir(), recorder.head().clone(), &facing, orders.lang);
        control.listen(config.web.listen);
        let mut watchers = Watchers::begin(watches, clock, &config, &enrolment);
        let grants = Grants::open(&orders.state_dir);
        watchers.regrant(grants.windows());
        watchers.recall(&open, recorder.lived());
        Ok(Self {
            now: clock,
            enrolled,
            engine: Engine::new(&config, open, phase, &now),
            looks: Looks::new(Arc::clone(&config), enrolment, prober),
            changes: Changes::of(&orders.main()),
            anchor_due: Instant::now() + ANCHOR_EVERY,
            alive_due: manager.alive_every().map(|every| Instant::now() + every),
            world: World::default(),
            started: facing.at.clone(),
            started_ms: now.boottime_ms,
            couriers: recorder.couriers(),
            facing,
            history: History::default(),
            orders,
            config,
            recorder,
            control,
            answers: Answers::default(),
            tally: Tally::default(),
            manager,
            ear,
            watchers,
            grants,
            saving: None,
            remarks: Remarks::default(),
            signals,
            retirement: None,
        })
    }

    async fn watch(mut self) -> Result<(), RunError> {
        let mut due = self.advance(Input::Due);
        self.manager.ready();
        while let Some(next) = self.turn(due).await {
            due = next;
        }
        self.stop().await
    }

    /// Waits for whatever comes first and sees to it. Gives when the engine is due next; `None` = the end is asked for. Until something has
    /// come, cancelling it loses nothing, and from then on it does not wait.
    async fn turn(&mut self, mut due: Instant) -> Option<Instant> {
        let woke = self.wake(due).await;
        if !matches!(woke, Woke::Asked(_) | Woke::Said(Said::WantsBeat(_))) {
            self.answers.outdated();
        }
        match woke {
            Woke::Engine(Input::Due) => {
                self.tally.late(due.elapsed());
                due = self.advance(Input::Due);
            }
            Woke::Engine(input) => due = self.advance(input),
            Woke::Round(input, world) => due = self.take_round(input, world),
            Woke::Watched(told) => {
                self.looks.others_looked();
                due = self.advance(Input::Watched(told));
            }
            Woke::Written(news) => self.take_news(news),
            Woke::Asked(asked) => {
                let now_ms = (self.now)().boottime_ms;
                let wanted = self.answer(|answers, held| answers.take(asked, now_ms, held)) == Next::Round;
                return Some(if wanted { self.advance(Input::RoundWanted) } else { due });
            }
            Woke::Ordered(ordered) => self.obey(ordered),
            Woke::Remarked(remark) => self.remarks.take(remark, &mut self.engine, &self.recorder, &(self.now)()),
            Woke::Reload => {
                if let Some(config) = self.reload() {
                    due = self.advance(Input::Reconfigured(config));
                }
            }
            Woke::Anchor => {
                let now = (self.now)();
                self.recorder.anchor(&now);
                self.control.again();
                self.count_grants(&now);
                self.anchor_due = Instant::now() + ANCHOR_EVERY;
                // `enroll` is another process, and nobody should have to tell.
                if mark(&self.orders.state_dir) != self.enrolled
                    && let Some(config) = self.reload()
                {
                    due = self.advance(Input::Reconfigured(config));
                }
            }
            Woke::Alive => {
                self.manager.alive();
                self.alive_due = self.manager.alive_every().map(|every| Instant::now() + every);
            }
            Woke::Said(Said::OtherPromises) => due = self.advance(Input::Watched(self.recorder.lacks(self.engine.open()))),
            Woke::Said(Said::WantsBeat(answer)) => {
                // A receiver that does not wait any more asks again.
                let _ = answer.send(sign_of_life(&self.engine, &self.recorder, &(self.now)(), self.started_ms, None));
                return Some(due);
            }
            Woke::Retire(order) => {
                let now = (self.now)();
                self.retirement = Retirement::begin(order, &self.recorder, &now);
                if self.retirement.is_some() {
                    return None;
                }
            }
            Woke::Stop => return None,
        }
        let line = status::line(self.engine.latest(), &self.facing, &self.recorder, self.orders.lang);
        self.manager.status(&line);
        Some(due)
    }

    /// Waits for whatever comes first. Nothing is lost when another comes first.
    async fn wake(&mut self, due: Instant) -> Woke {
        let alive_due = self.alive_due;
        tokio::select! {
            biased;
            _ = self.signals.term.recv() => Woke::Stop,
            _ = self.signals.interrupt.recv() => Woke::Stop,
            _ = self.signals.hangup.recv() => Woke::Reload,
            () = until_due(alive_due) => Woke::Alive,
            written = self.recorder.next() => Woke::Written(written),
            // Before the kernel's word: looks are few, and that comes in storms.
            looked = self.looks.next() => match looked.world {
                Some(world) => Woke::Round(looked.input, world),
                None => Woke::Engine(looked.input),
            },
            () = self.ear.changed_or(|heard| heard.failed.iter().any(|ip| is_gateway(*ip, &self.world))) => Woke::Engine(Input::NetworkChanged),
            told = self.watchers.next() => Woke::Watched(told),
            () = self.changes.next() => Woke::Reload,
            () = sleep_until(self.anchor_due) => Woke::Anchor,
            () = sleep_until(due) => Woke::Engine(Input::Due),
            said = said(self.couriers.as_mut()) => Woke::Said(said),
            // Last: whoever asks, and however often, looks come first.
            call = self.control.next() => match call {
                Call::Asked(asked) => Woke::Asked(asked),
                Call::Ordered(ordered) => Woke::Ordered(ordered),
                Call::Remarked(remark) => Woke::Remarked(remark),
                Call::Retire(order) => Woke::Retire(order),
            },
        }
    }

    /// One step of the engine, and what it wants done. Gives when the next is due.
    fn advance(&mut self, input: Input) -> Instant {
        let now = (self.now)();
        self.tally.input(&input);
        let step = self.engine.step(&now, input);
        let mut drafts = Vec::new();
        for effect in step.effects {
            match effect {
                Effect::Look(look) => self.looks.begin(look, now.boottime_ms),
                Effect::Record(draft) => drafts.push(*draft),
            }
        }
        for draft in &drafts {
            self.tally.draft(draft);
        }
        self.recorder.submit(drafts);
        Instant::now() + Duration::from_millis(step.due_ms.saturating_sub(now.boottime_ms))
    }

    /// Takes an order, or tells what was ordered. Whoever waits is told when it is on disk.
    fn obey(&mut self, Ordered { order, uid, answer }: Ordered) {
        let now = (self.now)();
        let mut unsaved = None;
        if let Some(order) = order {
            match self.grants.take(order, uid, this_terminal(&self.config.terminal).as_deref(), &self.config, &now) {
                Ok((event, file)) => {
                    self.recorder.submit(vec![Draft::new(&now, What::Agent(event))]);
                    self.watchers.regrant(self.grants.windows());
                    unsaved = Some(file);
                }
                Err(why) => {
                    // Whoever asked may have gone.
                    let _ = answer.send(Err(Refusal::NotGranted(why)));
                    return;
                }
            }
        }
        let listed = serde_json::to_vec(&self.grants.listed(&now)).expect("plain data with string keys always serialises");
        self.save_grants(unsaved, move || {
            let _ = answer.send(Ok(listed.into()));
        });
    }

    /// Writes down how much of the open windows has passed.
    fn count_grants(&mut self, now: &Stamp) {
        if self.grants.any_open(now) {
            let unsaved = self.grants.count(now);
            self.save_grants(Some(unsaved), || {});
        }
    }

    /// Writes the grants after whatever is being written of them, off the loop.
    fn save_grants(&mut self, unsaved: Option<Unsaved>, then: impl FnOnce() + 'static) {
        let before = self.saving.take();
        self.saving = Some(spawn_local(async move {
            if let Some(before) = before {
                // Whatever became of it, this one comes after it.
                let _ = before.await;
            }
            if let Some(unsaved) = unsaved
                && let Ok(Err(error)) = spawn_blocking(move || unsaved.save()).await
            {
                tracing::error!(%error, "the grants could not be written");
            }
            then();
        }));
    }

    /// The log has said something.
    fn take_news(&mut self, news: News) {
        let mut recorded = self.recorder.take(news, |key| self.engine.open().any(|incident| incident.key == key));
        self.tally.recorded += recorded.len() as u64;
        self.remarks.recorded(&recorded);
        if let Some(last) = recorded.pop() {
            self.control.recorded(last.at);
        }
        self.control.changed();
    }

    /// A round has ended: it is judged, and whoever waited for it is told.
    fn take_round(&mut self, input: Input, world: World) -> Instant {
        let began_ms = if let Input::Round { began_ms, .. } = &input { *began_ms } else { 0 };
        self.watchers.hear_of(watch::Heard::of(&world));
        self.world = world;
        let now = (self.now)();
        self.facing.at = now.wall.to_zoned(self.started.time_zone().clone());
        self.facing.took_ms = now.boottime_ms.saturating_sub(began_ms);
        let due = self.advance(input);
        if let Some(latest) = self.engine.latest() {
            self.history.take(now.boottime_ms, &latest.path);
        }
        self.control.changed();
        let wanted = self.engine.counts(began_ms) && self.answer(|answers, held| answers.round_ended(began_ms, held)) == Next::Round;
        if wanted { self.advance(Input::RoundWanted) } else { due }
    }

    /// Lets clients be answered from what is held now.
    fn answer(&mut self, answer: impl FnOnce(&mut Answers, &Held<'_>) -> Next) -> Next {
        let held = Held {
            engine: &self.engine,
            world: &self.world,
            facing: &self.facing,
            recorder: &self.recorder,
            tally: &self.tally,
            started: &self.started,
            watchers: &self.watchers,
            hears_network: self.ear.hears(),
            sees_files: self.changes.sees(),
            history: &self.history,
            control: &self.control,
        };
        answer(&mut self.answers, &held)
    }

    /// Reads the configuration again; one that is not right changes nothing and is said.
    fn reload(&mut self) -> Option<Box<Config>> {
        self.manager.reloading();
        // A conf.d that is new, or another one, is watched from now on; before the files are read, so that no change falls in between.
        self.changes = Changes::of(&self.orders.main());
        let read = config::load(self.orders.file.as_deref());
        let config = match read {
            Ok(loaded) => {
                self.enrolled = mark(&self.orders.state_dir);
                let enrolment = Enrolment::of(Some(&self.orders.state_dir));
                self.recorder.accept_configuration();
                if loaded == self.orders.loaded && enrolment == *self.looks.enrolment() {
                    self.manager.ready();
                    return None;
                }
                (self.orders.set_log_level)(loaded.config.log_level);
                tracing::info!("the configuration was read again");
                self.config = Arc::new(loaded.config.clone());
                self.orders.loaded = loaded;
                let now = (self.now)();
                let (at, took_ms) = (self.facing.at.clone(), self.facing.took_ms);
                self.facing = Facing { at, took_ms, ..facing(&self.config, &self.orders, &now) };
                let enrolment = Arc::new(enrolment);
                self.watchers.reconfigure(&self.config, &enrolment);
                self.looks.reconfigure(Arc::clone(&self.config), enrolment);
                self.recorder.reconfigure(&self.orders, &now);
                self.control.face(&self.facing);
                self.control.listen(self.config.web.listen);
                self.control.changed();
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

    /// Waits until the last record and the note of it are on disk, and then for receivers. Nobody watches any more; questions are answered.
    /// `false` = the note is not on disk, so the terminal stays in service.
    async fn see_off(&mut self, retirement: Retirement) -> bool {
        let (mut under_way, mut until, mut is_noted) = (Some(retirement), Instant::now() + ON_DISK_BY, false);
        loop {
            if under_way.is_none() && (!is_noted || self.recorder.all_shipped()) {
                return is_noted;
            }
            let (alive_due, look_again) = (self.alive_due, Instant::now() + LOOK_AGAIN);
            tokio::select! {
                biased;
                _ = self.signals.term.recv() => return is_noted,
                _ = self.signals.interrupt.recv() => return is_noted,
                () = sleep_until(until) => return is_noted,
                () = until_due(alive_due) => {
                    self.manager.alive();
                    self.alive_due = self.manager.alive_every().map(|every| Instant::now() + every);
                }
                news = self.recorder.next() => {
                    let recorded = self.recorder.take(news, |_| true);
                    let Some(retired) = under_way.as_ref().and_then(|retirement| retirement.recorded(&recorded)) else { continue };
                    let (dir, note) = (self.orders.state_dir.clone(), retired.clone());
                    let noted = spawn_blocking(move || retirement::save(&dir, &note)).await;
                    is_noted = matches!(noted, Ok(Ok(())));
                    if let Some(retirement) = under_way.take() {
                        until = Instant::now() + retirement.answer(is_noted.then_some(&retired).ok_or(NotRetired::NoNote));
                    }
                }
                said = said(self.couriers.as_mut()) => if let Said::WantsBeat(answer) = said {
                    // A receiver that does not wait any more asks again.
                    let _ = answer.send(sign_of_life(&self.engine, &self.recorder, &(self.now)(), self.started_ms, None));
                },
                call = self.control.next() => if let Call::Asked(asked) = call {
                    let now_ms = (self.now)().boottime_ms;
                    self.answer(|answers, held| answers.take(asked, now_ms, held));
                },
                () = sleep_until(look_again) => {}
            }
        }
    }

    async fn stop(mut self) -> Result<(), RunError> {
        let is_retired = match self.retirement.take() {
            Some(retirement) => Box::pin(self.see_off(retirement)).await,
            None => false,
        };
        let why = if is_retired { Goodbye::Retired } else { Goodbye::Signal };
        self.manager.stopping();
        let now = (self.now)();
        self.count_grants(&now);
        if why == Goodbye::Signal {
            let event = AgentEvent::Stopped { reason: "signal".to_owned(), by: None, note: None };
            self.recorder.submit(vec![Draft::new(&now, What::Agent(event))]);
        }
        let (engine, clock, started_ms) = (&self.engine, self.now, self.started_ms);
        let goodbye = |recorder: &Recorder| sign_of_life(engine, recorder, &clock(), started_ms, Some(why));
        Box::pin(self.recorder.close(&now, FAREWELL, goodbye)).await;
        if let Some(saving) = self.saving {
            let _ = tokio::time::timeout(FAREWELL, saving).await;
        }
        self.control.close().await;
        Ok(())
    }
}

/// The sockets. A living daemon is respected; any other hindrance costs only the sockets.
fn sockets(run_dir: Option<&Path>) -> Result<Control, RunError> {
    let Some(dir) = run_dir else {
        tracing::warn!("there is no directory for the sockets: set run-dir, or XDG_RUNTIME_DIR");
        return Ok(Control::closed());
    };
    match Control::open(dir) {
        Err(taken @ ControlError::Taken(_)) => Err(RunError::Taken(taken)),
        Err(error) => {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            tracing::warn!("nobody can ask how things stand: {error}{source}");
            Ok(Control::closed())
        }
        Ok(control) => Ok(control),
    }
}

fn facing(config: &Config, orders: &Orders, now: &Stamp) -> Facing {
    let at = now.wall.to_zoned(jiff::tz::TimeZone::system());
    let mut facing = Facing::new(config, at, 0);
    facing.id = this_terminal(&config.terminal);
    facing.rules.clone_from(&orders.loaded.rules);
    if let Some(file) = &orders.file {
        facing.config_file = file.display().to_string();
    }
    facing
}

/// A sign of life, as things are now.
fn sign_of_life(engine: &Engine, recorder: &Recorder, now: &Stamp, started_ms: u64, goodbye: Option<Goodbye>) -> Beat {
    let uptime = Duration::from_millis(now.boottime_ms.saturating_sub(started_ms));
    recorder.beat(now, uptime, beat::open(engine, recorder), goodbye)
}

/// What a courier says next.
async fn said(couriers: Option<&mut Couriers>) -> Said {
    match couriers {
        Some(couriers) => couriers.next().await,
        None => std::future::pending().await,
    }
}

async fn until_due(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// A neighbour by which packets leave.
fn is_gateway(ip: IpAddr, world: &World) -> bool {
    let routes = world.routes().and_then(Outcome::ok);
    routes.is_some_and(|table| table.routes.iter().any(|route| route.gateway == Some(ip)))
}

#[cfg(test)]
mod beats;
#[cfg(test)]
mod day;
