//! Keeps the watchers going, each as a task of its own beside the daemon's loop.

use super::{Given, Heard, Look, MINUTE, Watch};
use crate::baseline::Enrolment;
use crate::config::Config;
use crate::incident::{Covered, Window, cover};
use crate::model::{Blind, Incident, Stamp, Watched, Watcher};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Between two looks of one watcher, however much stirs: a storm of events costs no more than this.
const APART: Duration = Duration::from_millis(200);

/// What does not change from look to look.
type Setting = (Arc<Config>, Arc<Enrolment>, Arc<Vec<Window>>, Arc<Past>);

/// What an earlier run left: its open incidents, what windows covered, and when it was last alive.
#[derive(Debug, Clone, Default)]
struct Past {
    open: Arc<Vec<Incident>>,
    covered: Covered,
    lived: Option<Stamp>,
}

/// What rounds brought: each look takes it as it is, and none is made for its sake.
type Rounds = Rc<RefCell<Heard>>;

/// The watchers at work; they end when this is dropped.
pub struct Watchers {
    told: mpsc::Receiver<Watched>,
    /// What each could not see when it last looked; `None` = it has not looked yet.
    blind: BTreeMap<Watcher, Option<Vec<Blind>>>,
    setting: watch::Sender<Setting>,
    rounds: Rounds,
    /// Ends them.
    _tasks: JoinSet<()>,
}

impl Watchers {
    /// Sets them to work. Must be called within a [`LocalSet`](tokio::task::LocalSet).
    pub fn begin(watches: Vec<Box<dyn Watch>>, now: fn() -> Stamp, config: &Arc<Config>, enrolment: &Arc<Enrolment>) -> Self {
        let (tell, told) = mpsc::channel(watches.len().max(1));
        let (setting, _) = watch::channel((Arc::clone(config), Arc::clone(enrolment), Arc::default(), Arc::default()));
        let began = Instant::now();
        let blind = watches.iter().map(|watch| (watch.watcher(), None)).collect();
        let (rounds, mut tasks) = (Rounds::default(), JoinSet::new());
        for watch in watches {
            tasks.spawn_local(keep(watch, began, now, setting.subscribe(), Rc::clone(&rounds), tell.clone()));
        }
        Self { told, blind, setting, rounds, _tasks: tasks }
    }

    /// From now on under another configuration: everything is looked at again.
    pub fn reconfigure(&mut self, config: &Arc<Config>, enrolment: &Arc<Enrolment>) {
        self.setting.send_modify(|setting| (setting.0, setting.1) = (Arc::clone(config), Arc::clone(enrolment)));
    }

    /// What was open when an earlier run ended, and when it was last alive. Before the first look.
    pub fn recall(&mut self, open: &[Incident], lived: Option<&Stamp>) {
        let past = Past { open: Arc::new(open.to_vec()), covered: Covered::of(open), lived: lived.cloned() };
        self.setting.send_modify(|setting| setting.3 = Arc::new(past));
    }

    /// From now on under these windows: everything is looked at again.
    pub fn regrant(&mut self, grants: Arc<Vec<Window>>) {
        self.setting.send_modify(|setting| setting.2 = grants);
    }

    /// What a round brought. What it did not bring and was known before stays.
    pub fn hear_of(&self, round: Heard) {
        self.rounds.borrow_mut().and_then(round);
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
    rounds: Rounds,
    tell: mpsc::Sender<Watched>,
) {
    let Past { open, mut covered, lived } = Past::clone(&setting.borrow().3);
    loop {
        let (config, enrolment, grants, _) = setting.borrow_and_update().clone();
        let looked = Instant::now();
        let Heard { server, known } = rounds.borrow().clone();
        let given = Given { at: now(), config, enrolment, server, known, grants, lived: lived.clone(), left_open: Arc::clone(&open) };
        let Look { found, blind, again } = watch.look(&given).await;
        // Before enrolment nobody is accused.
        let found = found.map(|found| if given.baseline().is_some() { found } else { Vec::new() });
        let found = found.map(|found| cover(found, &given.grants, &now(), &mut covered));
        let blind = blind.into_iter().map(|blind| Blind { what: blind.what.to_owned(), because: blind.why }).collect();
        if tell.send(Watched { watcher: watch.watcher(), found, blind }).await.is_err() {
            return;
        }
        let due = if again < MINUTE { looked + again.max(APART) } else { on_the_minute(began, Instant::now() + again - MINUTE) };
        // What outlives a window is told when the window is over, not at the next minute.
        let over = covered.over_in(&given.grants, &now()).map(|ms| Instant::now() + Duration::from_millis(ms) + APART);
        let due = over.map_or(due, |over| due.min(over));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClockState, Finding, FindingCode, Origin, Subject, Unseen};
    use crate::watch::Blind as Unseeable;
    use futures_util::future::LocalBoxFuture;
    use std::cell::RefCell;
    use std::rc::Rc;
    use tokio::sync::Notify;
    use tokio::task::LocalSet;
    use tokio::time::{sleep, timeout};

    fn stamp() -> Stamp {
        let wall = jiff::Timestamp::UNIX_EPOCH;
        Stamp { boot_id: "b".to_owned(), boottime_ms: 0, wall, offset_s: 0, clock: ClockState::Unknown }
    }

    /// Finds a stick, and writes down when it looked.
    #[derive(Clone)]
    struct Scripted {
        began: Instant,
        looks: Rc<RefCell<Vec<u64>>>,
        stir: Rc<Notify>,
        again: Duration,
    }

    impl Scripted {
        fn new(again: Duration) -> Self {
            Self { began: Instant::now(), looks: Rc::default(), stir: Rc::default(), again }
        }

        fn looked(&self) -> Vec<u64> {
            self.looks.borrow().clone()
        }
    }

    impl Watch for Scripted {
        fn watcher(&self) -> Watcher {
            Watcher::Usb
        }

        fn look<'a>(&'a mut self, _: &'a Given) -> LocalBoxFuture<'a, Look> {
            self.looks.borrow_mut().push(u64::try_from(self.began.elapsed().as_millis()).unwrap());
            let stick = Finding::new(FindingCode::UsbStorage, Subject::Device("a:b:c".to_owned()), Origin::PreExisting);
            let blind = vec![Unseeable { what: "usb.devices", why: Unseen::Deadline }];
            let look = Look { found: Some(vec![stick]), blind, again: self.again };
            Box::pin(async move { look })
        }

        fn stirred(&mut self) -> LocalBoxFuture<'_, ()> {
            Box::pin(self.stir.notified())
        }
    }

    fn enrolled() -> Arc<Enrolment> {
        Arc::new(Enrolment::Enrolled(Box::new(crate::baseline::tests::baseline())))
    }

    fn begin(watch: &Scripted, enrolment: &Arc<Enrolment>) -> Watchers {
        Watchers::begin(vec![Box::new(watch.clone())], stamp, &Arc::new(Config::default()), enrolment)
    }

    /// Takes in what is told for so long.
    async fn told(watchers: &mut Watchers, time: Duration) -> Vec<Watched> {
        let (mut all, end) = (Vec::new(), Instant::now() + time);
        while let Ok(one) = timeout(end.saturating_duration_since(Instant::now()), watchers.next()).await {
            all.push(one);
        }
        all
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_accused_before_enrolment_and_everybody_is_looked_at() {
        let tasks = LocalSet::new();
        let lived = tasks.run_until(async {
            let watch = Scripted::new(MINUTE);
            let mut watchers = begin(&watch, &Arc::new(Enrolment::NotEnrolled));
            assert_eq!(watchers.blind().collect::<Vec<_>>(), [(Watcher::Usb, None)], "not looked yet");
            let before = told(&mut watchers, Duration::from_secs(1)).await;
            assert!(watchers.blind().all(|(_, blind)| blind.is_some()));
            watchers.reconfigure(&Arc::new(Config::default()), &enrolled());
            let after = told(&mut watchers, Duration::from_secs(1)).await;
            let found = |all: &[Watched]| all.iter().map(|one| one.found.as_ref().map(Vec::len)).collect::<Vec<_>>();
            assert_eq!((found(&before), found(&after)), (vec![Some(0)], vec![Some(1)]), "enrolling is a reason to look again");
        });
        lived.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_watcher_looks_on_the_minute_and_a_storm_costs_five_looks_a_second() {
        let tasks = LocalSet::new();
        let lived = tasks.run_until(async {
            let watch = Scripted::new(MINUTE);
            let mut watchers = begin(&watch, &enrolled());
            told(&mut watchers, Duration::from_secs(90)).await;
            assert_eq!(watch.looked(), [0, 60_000]);
            watch.stir.notify_one();
            told(&mut watchers, Duration::from_secs(35)).await;
            assert_eq!(watch.looked(), [0, 60_000, 90_000, 120_000], "at once, and then on the same minute as all");
            let storm = async {
                for _ in 0..10_000 {
                    watch.stir.notify_one();
                    sleep(Duration::from_millis(1)).await;
                }
            };
            let (listened, ()) = tokio::join!(told(&mut watchers, Duration::from_secs(10)), storm);
            assert!((45..=51).contains(&listened.len()), "{}", listened.len());
        });
        lived.await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_watched_closely_is_looked_at_as_often_as_it_asks() {
        let tasks = LocalSet::new();
        let lived = tasks.run_until(async {
            let watch = Scripted::new(Duration::from_secs(2));
            told(&mut begin(&watch, &enrolled()), Duration::from_secs(7)).await;
            assert_eq!(watch.looked(), [0, 2000, 4000, 6000]);
        });
        lived.await;
    }
}
