//! Pulses and rounds under way: at most one of each, never waited for by the loop.

use crate::baseline::Enrolment;
use crate::config::Config;
use crate::incident::{Input, Look};
use crate::infer::{World, diagnose};
use crate::probe::pulse::Pulse;
use crate::probe::round;
use crate::sys::memory;
use futures_util::future::LocalBoxFuture;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// A round ends by itself after three seconds and a little; this is for one that does not.
const LIMIT: Duration = Duration::from_secs(6);

/// What a look brought.
pub struct Looked {
    /// For the engine.
    pub input: Input,
    /// Everything seen, if it was a round.
    pub world: Option<World>,
}

/// Whoever looks. The service has the [`Network`]; a test has a script of what is there to be seen.
pub trait Prober {
    /// How each service fares; `None` = could not tell.
    fn pulse(&self) -> LocalBoxFuture<'static, BTreeMap<String, Option<bool>>>;
    /// Everything that can be seen.
    fn round(&self) -> LocalBoxFuture<'static, World>;
    /// A round has seen this: pulses may ask what worked.
    fn learn(&self, seen: &World);
    /// From now on under another configuration. What is under way ends under the old one.
    fn reconfigure(&mut self, config: &Arc<Config>, enrolment: &Arc<Enrolment>);
}

/// The network itself.
pub struct Network {
    config: Arc<Config>,
    enrolment: Arc<Enrolment>,
    pulse: Rc<Pulse>,
}

impl Network {
    /// Asked under this configuration.
    pub fn new(config: &Arc<Config>, enrolment: &Arc<Enrolment>) -> Self {
        Self { config: Arc::clone(config), enrolment: Arc::clone(enrolment), pulse: Rc::new(Pulse::new(config)) }
    }
}

impl Prober for Network {
    fn pulse(&self) -> LocalBoxFuture<'static, BTreeMap<String, Option<bool>>> {
        let pulse = Rc::clone(&self.pulse);
        Box::pin(async move { pulse.beat().await })
    }

    fn round(&self) -> LocalBoxFuture<'static, World> {
        Box::pin(round::run(Arc::clone(&self.config), Arc::clone(&self.enrolment), LIMIT, |_| {}))
    }

    fn learn(&self, seen: &World) {
        self.pulse.learn(seen);
    }

    fn reconfigure(&mut self, config: &Arc<Config>, enrolment: &Arc<Enrolment>) {
        *self = Self::new(config, enrolment);
    }
}

/// The looks under way, and what they need.
pub struct Looks {
    config: Arc<Config>,
    enrolment: Arc<Enrolment>,
    prober: Box<dyn Prober>,
    running: JoinSet<Looked>,
    /// What it needed is not needed until the next one.
    round_is_over: bool,
}

impl Looks {
    /// None yet.
    pub fn new(config: Arc<Config>, enrolment: Arc<Enrolment>, prober: Box<dyn Prober>) -> Self {
        Self { config, enrolment, prober, running: JoinSet::new(), round_is_over: false }
    }

    /// From now on under another configuration. What is under way ends under the old one.
    pub fn reconfigure(&mut self, config: Arc<Config>, enrolment: Arc<Enrolment>) {
        self.prober.reconfigure(&config, &enrolment);
        (self.config, self.enrolment) = (config, enrolment);
    }

    /// How this PC was when all was well, as the looks know it.
    pub fn enrolment(&self) -> &Enrolment {
        &self.enrolment
    }

    /// Begins a look, now (`boottime_ms`). Must be called within a [`LocalSet`](tokio::task::LocalSet).
    pub fn begin(&mut self, look: Look, began_ms: u64) {
        match look {
            Look::Pulse => {
                let pulse = self.prober.pulse();
                self.running.spawn_local(async move {
                    let services = pulse.await;
                    Looked { input: Input::Pulse { began_ms, services }, world: None }
                });
            }
            Look::Round => {
                let round = self.prober.round();
                let (config, enrolment) = (Arc::clone(&self.config), Arc::clone(&self.enrolment));
                self.running.spawn_local(async move {
                    let world = round.await;
                    let diagnosis = Box::new(diagnose(&world, &config, &enrolment));
                    Looked { input: Input::Round { began_ms, diagnosis }, world: Some(world) }
                });
            }
        }
    }

    /// The next look to end; waits for ever while none is under way. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Looked {
        loop {
            match self.running.join_next().await {
                Some(Ok(looked)) => {
                    if let Some(world) = &looked.world {
                        self.prober.learn(world);
                        self.round_is_over = true;
                    } else if std::mem::take(&mut self.round_is_over) {
                        // Not before what the round brought has been thought about and written down.
                        memory::let_go();
                    }
                    return looked;
                }
                Some(Err(error)) => tracing::error!(%error, "a look broke off"),
                None => std::future::pending().await,
            }
        }
    }
}
