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
use tokio::task::{Id, JoinSet};

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
    /// Which of them is what, and when it began.
    begun: BTreeMap<Id, (Look, u64)>,
    /// Memory was needed that is not needed for a while.
    leaves_behind: bool,
}

impl Looks {
    /// None yet.
    pub fn new(config: Arc<Config>, enrolment: Arc<Enrolment>, prober: Box<dyn Prober>) -> Self {
        Self { config, enrolment, prober, running: JoinSet::new(), begun: BTreeMap::new(), leaves_behind: false }
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
        let task = match look {
            Look::Pulse => {
                let pulse = self.prober.pulse();
                self.running.spawn_local(async move {
                    let services = pulse.await;
                    Looked { input: Input::Pulse { began_ms, services }, world: None }
                })
            }
            Look::Round => {
                let round = self.prober.round();
                let (config, enrolment) = (Arc::clone(&self.config), Arc::clone(&self.enrolment));
                self.running.spawn_local(async move {
                    let world = round.await;
                    let diagnosis = Box::new(diagnose(&world, &config, &enrolment));
                    Looked { input: Input::Round { began_ms, diagnosis }, world: Some(world) }
                })
            }
        };
        self.begun.insert(task.id(), (look, began_ms));
    }

    /// A look that broke off has seen nothing. The engine waits for its end, and would never look again without.
    fn nothing_seen(&self, look: Look, began_ms: u64) -> Looked {
        match look {
            Look::Pulse => Looked { input: Input::Pulse { began_ms, services: BTreeMap::new() }, world: None },
            Look::Round => {
                let world = World::default();
                let diagnosis = Box::new(diagnose(&world, &self.config, &self.enrolment));
                Looked { input: Input::Round { began_ms, diagnosis }, world: Some(world) }
            }
        }
    }

    /// Somebody else looked, and left memory behind that nobody needs for a while.
    pub fn others_looked(&mut self) {
        self.leaves_behind = true;
    }

    /// The next look to end; waits for ever while none is under way. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Looked {
        loop {
            match self.running.join_next_with_id().await {
                Some(Ok((id, looked))) => {
                    self.begun.remove(&id);
                    if let Some(world) = &looked.world {
                        self.prober.learn(world);
                        self.leaves_behind = true;
                    } else if std::mem::take(&mut self.leaves_behind) {
                        // Not before what a round brought has been thought about and written down.
                        memory::let_go();
                    }
                    return looked;
                }
                Some(Err(error)) => {
                    tracing::error!(%error, "a look broke off");
                    if let Some((look, began_ms)) = self.begun.remove(&error.id()) {
                        return self.nothing_seen(look, began_ms);
                    }
                }
                None => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::task::LocalSet;
    use tokio::time::timeout;

    /// Breaks off the first look of each kind.
    struct Fragile(Rc<Cell<u32>>);

    impl Fragile {
        fn broke(&self) -> bool {
            self.0.set(self.0.get() + 1);
            self.0.get() <= 2
        }
    }

    impl Prober for Fragile {
        fn pulse(&self) -> LocalBoxFuture<'static, BTreeMap<String, Option<bool>>> {
            let broke = self.broke();
            Box::pin(async move {
                assert!(!broke, "an invariant is broken");
                BTreeMap::from([("settlement".to_owned(), Some(true))])
            })
        }

        fn round(&self) -> LocalBoxFuture<'static, World> {
            let broke = self.broke();
            Box::pin(async move {
                assert!(!broke, "an invariant is broken");
                World::default()
            })
        }

        fn learn(&self, _: &World) {}

        fn reconfigure(&mut self, _: &Arc<Config>, _: &Arc<Enrolment>) {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_breaks_off_has_seen_nothing_and_the_engine_is_told() {
        let tasks = LocalSet::new();
        let told = tasks.run_until(async {
            let prober = Box::new(Fragile(Rc::default()));
            let mut looks = Looks::new(Arc::new(Config::default()), Arc::new(Enrolment::NotEnrolled), prober);
            looks.begin(Look::Pulse, 7);
            looks.begin(Look::Round, 8);
            let mut told = Vec::new();
            for _ in 0..2 {
                let looked = timeout(Duration::from_mins(1), looks.next()).await.expect("the engine waits for its end");
                told.push((looked.input, looked.world.is_some()));
            }
            told
        });
        let mut told = told.await;
        told.sort_by_key(|(_, has_world)| *has_world);
        assert_eq!(told[0], (Input::Pulse { began_ms: 7, services: BTreeMap::new() }, false));
        assert!(matches!(&told[1], (Input::Round { began_ms: 8, diagnosis }, true) if diagnosis.verdicts.is_empty()), "{told:?}");
    }
}
