use super::*;
use crate::catalogue::Lang;
use crate::config::Terminal;
use crate::model::{AgentEvent, Draft, TerminalCard, What};
use crate::spool::{Claims, Known, Spool};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use tokio::task::LocalSet;
use tokio::time::sleep;

/// What a sink was given: seconds since the start, the sign of life, the last number and how many records.
type Given = (u64, Option<String>, Option<u64>, usize);

/// Takes what it is given while it is well, and remembers it in any case.
struct Scripted {
    begin: Instant,
    well: Rc<RefCell<bool>>,
    given: Rc<RefCell<Vec<Given>>>,
}

impl Sink for Scripted {
    async fn ship(&mut self, cargo: Cargo<'_>) -> Shipped {
        let beat = cargo.beat.map(|beat| String::from_utf8_lossy(&beat.0).into_owned());
        let last = cargo.records.last().map(|entry| entry.at.seq);
        self.given.borrow_mut().push((self.begin.elapsed().as_secs(), beat, last, cargo.records.len()));
        // It takes its time.
        tokio::task::yield_now().await;
        if *self.well.borrow() { Shipped::all(cargo.records.len()) } else { Shipped::only(0, Hindrance::new(Obstacle::Silent, "test")) }
    }
}

/// A log, a courier and its sink.
struct World {
    state: tempfile::TempDir,
    head: watch::Sender<Position>,
    farewell: watch::Sender<Option<Beat>>,
    well: Rc<RefCell<bool>>,
    given: Rc<RefCell<Vec<Given>>>,
    lag: Lag,
}

/// Writes so many records and gives where the log ends.
fn write(state: &Path, records: u64) -> Position {
    let card = TerminalCard::of(&Terminal::default(), None, None, "");
    let claims = Claims { fingerprint: String::new(), anchor: Known::Absent, cursors: Known::Absent };
    let (log, _) = Spool::start(Disk::own(&state.join("spool")).expect("ours"), None, &claims, card, drop).expect("a log");
    for _ in 0..records {
        while log.health().waiting > 100 {
            std::thread::yield_now();
        }
        log.record(Draft::new(&crate::sys::clock::stamp(), What::Agent(AgentEvent::Started)));
    }
    assert_eq!(log.close().waiting, 0);
    crate::spool::newest(&Disk::look(&state.join("spool"))).expect("a directory").expect("records")
}

impl World {
    fn new(records: u64) -> Self {
        let state = tempfile::tempdir().expect("a directory");
        let head = watch::Sender::new(write(state.path(), records));
        let lag = Lag::new("s", "test", Position { epoch: String::new(), seq: 0 });
        Self { state, head, farewell: watch::Sender::new(None), well: Rc::new(RefCell::new(true)), given: Rc::default(), lag }
    }

    /// Lets it ship, with a sign of life each so often, for so long.
    async fn ships(&self, every: Option<Duration>, time: Duration) {
        let mut cursors = Cursors::open(Disk::own(&self.state.path().join("cursors")).expect("ours")).expect("cursors");
        cursors.arrange(vec![self.head.borrow().epoch.clone()]);
        let (asker, mut questions) = Asker::new();
        let courier = Courier {
            name: "s".to_owned(),
            spool: self.state.path().join("spool"),
            cursors: Arc::new(cursors),
            head: self.head.subscribe(),
            farewell: self.farewell.subscribe(),
            lag: self.lag.clone(),
            pace: Pace::FLEET,
            beats: every.map(|every| (every, asker)),
        };
        let sink = Scripted { begin: Instant::now(), well: Rc::clone(&self.well), given: Rc::clone(&self.given) };
        let mut count = 0;
        let answers = async {
            while let Some(answer) = questions.recv().await {
                count += 1;
                let _ = answer.send(Beat(format!("beat {count}").into_bytes().into()));
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = courier.run(sink) => {}
            () = answers => {}
            () = sleep(time) => {}
        }
    }

    fn given(&self) -> Vec<Given> {
        self.given.borrow().clone()
    }

    fn cursor(&self) -> u64 {
        let cursors = Cursors::open(Disk::look(&self.state.path().join("cursors"))).expect("cursors");
        cursors.get("s").map_or(0, |at| at.seq)
    }
}

const FIVE: Duration = Duration::from_mins(5);

async fn local(what: impl Future<Output = ()>) {
    LocalSet::new().run_until(what).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_word_is_a_sign_of_life_and_then_one_each_five_minutes_or_so() {
    local(async {
        let world = World::new(3);
        world.ships(Some(FIVE), Duration::from_mins(62)).await;
        let given = world.given();
        assert_eq!((given[0].1.as_deref(), given[0].2, given[0].3), (Some("beat 1"), Some(3), 3), "with the records that wait");
        let beats: Vec<u64> = given.iter().filter(|given| given.1.is_some()).map(|given| given.0).collect();
        assert!((10..=16).contains(&beats.len()), "{beats:?}");
        assert!(beats.windows(2).all(|two| (240..=361).contains(&(two[1] - two[0]))), "{beats:?}");
        assert_eq!(given.len(), beats.len(), "nothing else is sent");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_away_is_tried_less_and_less_often_and_hears_a_fresh_sign_of_life_first() {
    local(async {
        let world = World::new(3);
        *world.well.borrow_mut() = false;
        let (well, given) = (Rc::clone(&world.well), Rc::clone(&world.given));
        let mend = async {
            sleep(Duration::from_hours(1)).await;
            assert!((12..60).contains(&given.borrow().len()), "{:?}", given.borrow());
            assert!(given.borrow().iter().all(|given| given.1.is_some()), "each attempt begins with one");
            *well.borrow_mut() = true;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = mend => {}
            () = world.ships(Some(FIVE), Duration::from_mins(66)) => {}
        }
        assert_eq!(world.cursor(), 3);
        assert!(world.lag.is_connected());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn ten_days_of_records_do_not_trample_the_centre_and_take_less_than_a_minute() {
    local(async {
        let world = World::new(10_000);
        world.ships(None, Duration::from_mins(2)).await;
        let given = world.given();
        assert_eq!(given.iter().map(|given| given.3).sum::<usize>(), 10_000);
        let last = given.last().expect("some").0;
        assert!((36..=45).contains(&last), "{last} s");
        for second in 0..last {
            let here: usize = given.iter().filter(|given| (second..second + 1).contains(&given.0)).map(|given| given.3).sum();
            assert!(here <= 1000, "{here} in second {second}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn goodbye_is_the_last_word_to_who_listens_and_never_waits_for_who_does_not() {
    local(async {
        for well in [true, false] {
            let world = World::new(2);
            *world.well.borrow_mut() = well;
            let farewell = world.farewell.clone();
            let begin = Instant::now();
            let bye = async {
                sleep(Duration::from_secs(400)).await;
                farewell.send_replace(Some(Beat(b"bye"[..].into())));
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = bye => {}
                () = world.ships(Some(FIVE), Duration::from_hours(1)) => {}
            }
            assert_eq!(begin.elapsed().as_secs(), 400, "the courier ends at once");
            let last = world.given().last().cloned().expect("some");
            assert_eq!(last.1.as_deref() == Some("bye"), well, "{last:?}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_counted_while_a_batch_of_it_goes() {
    local(async {
        let world = World::new(700);
        let waiting = || world.lag.state(&world.head.borrow(), &crate::sys::clock::stamp(), Lang::En).waiting;
        let counts = async {
            let mut told = Vec::new();
            while told.last() != Some(&Some(200)) {
                told.push(waiting());
                tokio::task::yield_now().await;
            }
            told.dedup();
            assert_eq!(told, [Some(0), Some(700), Some(200)], "nothing is known before the first look");
        };
        tokio::select! {
            biased;
            () = counts => {}
            () = world.ships(None, Duration::from_mins(2)) => panic!("never counted"),
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_the_first_word_is_a_sign_of_life_though_none_would_be_due() {
    local(async {
        let world = World::new(3);
        let goes_wrong = async {
            sleep(Duration::from_mins(1)).await;
            *world.well.borrow_mut() = false;
            world.head.send_replace(write(world.state.path(), 1));
            while world.given().len() < 3 {
                sleep(Duration::from_millis(10)).await;
            }
            *world.well.borrow_mut() = true;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = goes_wrong => {}
            () = world.ships(Some(FIVE), Duration::from_mins(4)) => {}
        }
        let told: Vec<_> = world.given().into_iter().map(|given| (given.1, given.2)).collect();
        let beat = |n: u32| Some(format!("beat {n}"));
        assert_eq!(told[..3], [(beat(1), Some(3)), (None, Some(4)), (beat(2), Some(4))]);
        assert_eq!(world.cursor(), 4);
    })
    .await;
}
