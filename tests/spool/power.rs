//! Any sequence of writes, refusals, power cuts and new starts: what was reported is there, in order, once.

use super::memory::{Memory, Sync, segments};
use super::world::{all, assert_gapless, incident, no_claims, open, started, write};
use isonet::model::{AgentEvent, Draft, Phase};
use isonet::spool::{Digest, Log, Position, verify};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Act {
    Write(u8),
    /// Errors begin after so many changes.
    Refuse(u32, i32),
    /// No more than so many bytes fit.
    Fill(usize),
    Heal,
    /// The process ends and starts anew; its files stay as they are.
    Restart,
    /// The same, and of what was not synced only a part reached the disk.
    PowerCut(u8, bool),
}

fn act() -> impl Strategy<Value = Act> {
    let errno = prop_oneof![Just(libc::ENOSPC), Just(libc::EIO), Just(libc::EROFS)];
    prop_oneof![
        6 => (1_u8..6).prop_map(Act::Write),
        2 => (0_u32..6, errno).prop_map(|(after, errno)| Act::Refuse(after, errno)),
        1 => (0_usize..6000).prop_map(Act::Fill),
        2 => Just(Act::Heal),
        1 => Just(Act::Restart),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(part, hole)| Act::PowerCut(part, hole)),
    ]
}

/// What happened to a log, and what it promised.
struct Life {
    store: Memory,
    log: Log<Memory>,
    reported: Vec<(Position, Digest)>,
    wrong: Option<String>,
}

impl Life {
    fn begin(sync: Sync) -> Self {
        let store = Memory::new(sync);
        let (log, _) = open(store.clone(), &no_claims());
        Self { store, log, reported: Vec::new(), wrong: None }
    }

    fn step(&mut self, act: &Act) {
        match *act {
            Act::Write(count) => {
                if self.log.is_idle() {
                    let drafts = (0..u64::from(count)).map(|n| incident(n % 3 + 1, phase(n), n));
                    let items = (1..).zip(drafts).map(|(ticket, draft)| super::world::item(ticket, draft));
                    self.log.load(items, &super::world::card(), &super::world::stamp(3));
                }
                if let Ok(recorded) = self.log.flush() {
                    self.reported.extend(recorded.into_iter().map(|r| (r.at, r.hash)));
                }
            }
            Act::Refuse(after, errno) => self.store.fail_after(after, errno),
            Act::Fill(bytes) => self.store.leave_space(bytes),
            Act::Heal => self.store.heal(),
            Act::Restart => self.restart(),
            Act::PowerCut(part, hole) => {
                self.store.cut_power(|unsynced| (unsynced * usize::from(part) / 255, hole));
                self.restart();
            }
        }
    }

    fn restart(&mut self) {
        let (log, start) = open(self.store.clone(), &no_claims());
        self.log = log;
        let accuses = |event: &AgentEvent| !matches!(event, AgentEvent::TornTail { .. });
        if let Some(event) = start.events.iter().find(|event| accuses(event)) {
            self.wrong.get_or_insert(format!("nobody did anything: {event:?}"));
        }
        self.check();
    }

    fn check(&mut self) {
        let there = all(self.store.clone());
        if let Some(lost) = self.reported.iter().find(|record| !there.contains(record)) {
            self.wrong.get_or_insert(format!("lost: {lost:?}"));
        }
    }

    /// All is well again: what is written now is written, and the whole is whole.
    fn end(mut self) -> Result<(), String> {
        self.store.heal();
        if let Ok(recorded) = self.log.flush() {
            self.reported.extend(recorded.into_iter().map(|r| (r.at, r.hash)));
        }
        let recorded = write(&mut self.log, vec![started()]);
        self.reported.extend(recorded.into_iter().map(|r| (r.at, r.hash)));
        self.check();
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let report = verify(&self.store).map_err(|e| e.to_string())?;
        if !report.is_whole() || report.torn.is_some() {
            return Err(format!("{report:?}"));
        }
        let there = all(self.store.clone());
        assert_gapless(&there);
        if there.len() as u64 == report.records { Ok(()) } else { Err(format!("{} read, {} proved", there.len(), report.records)) }
    }
}

fn phase(n: u64) -> Phase {
    [Phase::Opened, Phase::Updated, Phase::Resolved][usize::try_from(n % 3).unwrap()]
}

fn live(sync: Sync, acts: &[Act]) -> Result<(), String> {
    let mut life = Life::begin(sync);
    for act in acts {
        life.step(act);
    }
    life.end()
}

/// `PROPTEST_CASES`, or enough for every run.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(600)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]
    #[test]
    fn what_was_reported_is_there_after_anything(acts in proptest::collection::vec(act(), 1..40)) {
        let lived = live(Sync::Real, &acts);
        prop_assert!(lived.is_ok(), "{}", lived.unwrap_err());
    }
}

#[test]
fn a_log_that_does_not_sync_is_caught() {
    let acts = [Act::Write(3), Act::PowerCut(0, false)];
    assert_eq!(live(Sync::Real, &acts), Ok(()));
    let caught = live(Sync::Forgotten, &acts).expect_err("the mutant loses what it reported");
    assert!(caught.starts_with("lost"), "{caught}");
}

#[test]
fn a_file_that_failed_is_never_written_again() {
    let mut life = Life::begin(Sync::Real);
    life.step(&Act::Write(2));
    let before = life.store.files();
    // The write passes and the sync fails.
    life.store.fail_after(1, libc::EIO);
    life.step(&Act::Write(2));
    assert_eq!(life.reported.len(), 2, "nothing is reported that is not known to be durable");
    life.store.heal();
    life.step(&Act::Write(0));
    assert_eq!(life.reported.len(), 4);
    let after = life.store.files();
    assert_eq!(segments(&after).len(), 2, "a new segment");
    assert_eq!(before.get(&segments(&before)[0]), after.get(&segments(&before)[0]), "the void end is cut off");
    assert_eq!(life.end(), Ok(()));
}

#[test]
fn what_waits_when_a_write_begins_shares_one_sync() {
    let store = Memory::new(Sync::Real);
    let (mut log, _) = open(store.clone(), &no_claims());
    let drafts: Vec<Draft> = (0..100).map(|_| started()).collect();
    assert_eq!(write(&mut log, drafts).len(), 100);
    assert_eq!(store.syncs(), 1);
}

#[test]
fn a_full_disk_is_survived_and_said() {
    let store = Memory::new(Sync::Real);
    let (mut log, _) = open(store.clone(), &no_claims());
    write(&mut log, vec![started()]);
    store.leave_space(700);
    log.load([super::world::item(1, incident(1, Phase::Opened, 2))], &super::world::card(), &super::world::stamp(2));
    for _ in 0..5 {
        let error = log.flush().expect_err("there is no space");
        assert_eq!(error.source.raw_os_error(), Some(libc::ENOSPC), "{error}");
        assert_eq!(log.head().seq, 1);
    }
    store.heal();
    assert_eq!(log.flush().unwrap()[0].at.seq, 2);
    assert!(verify(&store).unwrap().is_whole());
}
