//! Keeps the watchers going, each as a task of its own beside the daemon's loop.

use super::{Given, Look, MINUTE, Watch};
use crate::baseline::Enrolment;
use crate::config::Config;
use crate::model::{Blind, Stamp, Watched, Watcher};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Between two looks of one watcher, however much stirs: a storm of events costs no more than this.
const APART: Duration = Duration::from_millis(200);

/// What does not change from look to look.
type Setting = (Arc<Config>, Arc<Enrolment>);

/// The watchers at work; they end when this is dropped.
pub struct Watchers {
    told: mpsc::Receiver<Watched>,
    /// What each could not see when it last looked; `None` = it has not looked yet.
    blind: BTreeMap<Watcher, Option<Vec<Blind>>>,
    setting: watch::Sender<Setting>,
    /// Ends them.
    _tasks: JoinSet<()>,
}

impl Watchers {
    /// Sets them to work. Must be called within a [`LocalSet`](tokio::task::LocalSet).
    pub fn begin(watches: Vec<Box<dyn Watch>>, now: fn() -> Stamp, config: &Arc<Config>, enrolment: &Arc<Enrolment>) -> Self {
        let (tell, told) = mpsc::channel(watches.len().max(1));
        let (setting, _) = watch::channel((Arc::clone(config), Arc::clone(enrolment)));
        let began = Instant::now();
        let blind = watches.iter().map(|watch| (watch.watcher(), None)).collect();
        let mut tasks = JoinSet::new();
        for watch in watches {
            tasks.spawn_local(keep(watch, began, now, setting.subscribe(), tell.clone()));
        }
        Self { told, blind, setting, _tasks: tasks }
    }

    /// From now on under another configuration: everything is looked at again.
    pub fn reconfigure(&mut self, config: &Arc<Config>, enrolment: &Arc<Enrolment>) {
        self.setting.send_replace((Arc::clone(config), Arc::clone(enrolment)));
    }

    /// What is told next; waits for ever where nobody watches. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Watched {
        let Some(told) = self.told.recv().await else { return std::future::pending().await };
        self.blind.insert(told.watcher, Some(told.blind.clone()));
        told
    }

    /// All of them, and what each could not see when it last looked; `None` = it has not looked yet.
    pub fn blind(&self) -> impl Iterator<Item = (Watcher, Option<&[Blind]>)> {
        self.blind.iter().map(|(watcher, blind)| (*watcher, blind.as_deref()))
    }
}

/// Looks, tells, waits for a reason to look again, for ever.
async fn keep(
    mut watch: Box<dyn Watch>,
    began: Instant,
    now: fn() -> Stamp,
    mut setting: watch::Receiver<Setting>,
    tell: mpsc::Sender<Watched>,
) {
    loop {
        let (config, enrolment) = setting.borrow_and_update().clone();
        let looked = Instant::now();
        let given = Given { at: now(), config, enrolment };
        let Look { found, blind, again } = watch.look(&given).await;
        // Before enrolment nobody is accused.
        let found = found.map(|found| if given.baseline().is_some() { found } else { Vec::new() });
        let blind = blind.into_iter().map(|blind| Blind { what: blind.what.to_owned(), because: blind.why }).collect();
        if tell.send(Watched { watcher: watch.watcher(), found, blind }).await.is_err() {
            return;
        }
        let due = if again < MINUTE { looked + again.max(APART) } else { on_the_minute(began, Instant::now() + again - MINUTE) };
        tokio::select! {
            () = watch.stirred() => sleep_until(due.min(looked + APART)).await,
            changed = setting.changed() => if changed.is_err() { return },
            () = sleep_until(due) => {}
        }
    }
}

/// The next full minute after `now`, the same for all watchers, so that they wake the processor once.
fn on_the_minute(began: Instant, now: Instant) -> Instant {
    let minutes = now.saturating_duration_since(began).as_secs() / MINUTE.as_secs() + 1;
    began + MINUTE * u32::try_from(minutes).unwrap_or(u32::MAX)
}
