//! A PC at which the clock does what a test says.

use super::judge::{Judge, Judged, SECOND, Seen};
use super::offline::Past;
use super::who::Programs;
use super::zone::Zone;
use crate::model::{ClockState, Finding, Stamp};
use crate::sys::audit::{Changed, ClockAct};
use crate::sys::clock::{Keeping, Moment};
use crate::sys::rtc::{BatteryClock, Dials};
use crate::watch::ServerTime;

/// 20 November 2026, 06:00 UTC.
pub(super) const MORNING: i64 = 1_795_154_400 * SECOND;
/// Smallest step told: two seconds.
const LEAST: i64 = 2 * SECOND;

#[derive(Debug, Clone)]
pub(super) struct Desk {
    judge: Judge,
    pub moment: Moment,
    pub keeping: Option<Keeping>,
    programs: Programs,
    /// The battery clock, by the hardware's pace.
    battery: Option<i64>,
    pub local: i64,
    slew_ppm: i64,
    server: Option<ServerTime>,
    acts: Vec<ClockAct>,
    allowed: Vec<String>,
    local_battery: bool,
    hosted: bool,
    /// A second battery clock, which never ran.
    dead_second: bool,
    /// The time zone.
    pub zone: Zone,
    /// How often it was looked for programs.
    pub walks: u32,
}

impl Desk {
    /// Ten minutes after a boot, in order, nobody keeps the clock.
    pub fn new() -> Self {
        let moment = Moment { real: MORNING, boot: 600 * SECOND, mono: 600 * SECOND, raw: 600 * SECOND };
        let keeping = Keeping { status: libc::STA_UNSYNC, leap: 5, tick_us: 10_000, freq: 0, maxerror_us: 16_000_000, tai_s: 37 };
        let programs = Programs::Running(Vec::new());
        Self {
            judge: Judge::default(),
            moment,
            keeping: Some(keeping),
            programs,
            battery: None,
            local: 8 * 3600 * SECOND,
            slew_ppm: 0,
            server: None,
            acts: Vec::new(),
            allowed: vec!["his-client".to_owned()],
            local_battery: false,
            hosted: false,
            dead_second: false,
            zone: Zone::default(),
            walks: 0,
        }
    }

    /// These of the configured programs run.
    pub fn running(mut self, names: &[&str]) -> Self {
        self.programs = Programs::Running(names.iter().filter(|name| !name.is_empty()).map(|name| (*name).to_owned()).collect());
        self
    }

    /// The processes cannot be seen.
    pub fn blind(self) -> Self {
        Self { programs: Programs::Unknown, ..self }
    }

    /// A time daemon has kept the clock so far.
    pub fn kept_by(mut self, name: &str) -> Self {
        self = self.running(&[name]);
        self.vouch();
        self
    }

    /// With a battery clock that is ahead of the system by so many seconds.
    pub fn with_battery(mut self, ahead: i64) -> Self {
        self.battery = Some(self.moment.real + ahead * SECOND - self.pace());
        self
    }

    /// An earlier run left this behind.
    pub fn after(self, past: Past) -> Self {
        Self { judge: Judge::after(past), ..self }
    }

    /// It is a virtual machine.
    pub fn hosted(self) -> Self {
        Self { hosted: true, ..self }
    }

    /// The system takes the battery clock for local time.
    pub fn with_local_battery(self) -> Self {
        Self { local_battery: true, ..self }
    }

    /// It has a second battery clock, which never ran.
    pub fn with_dead_second(self) -> Self {
        Self { dead_second: true, ..self }
    }

    /// The time since boot is that much only.
    pub fn just_up(mut self, seconds: i64) -> Self {
        (self.moment.boot, self.moment.mono, self.moment.raw) = (seconds * SECOND, seconds * SECOND, seconds * SECOND);
        self
    }

    /// The audit names who changed the clock.
    pub fn named(&mut self, changed: Changed, file: &str) {
        self.acts.push(ClockAct { changed, file: file.to_owned(), login: Some(1000) });
    }

    fn pace(&self) -> i64 {
        self.moment.raw + self.moment.boot - self.moment.mono
    }

    /// How this moment would be kept as the last sign of life.
    pub fn stamp(&self) -> Stamp {
        Stamp {
            boot_id: "this".to_owned(),
            boottime_ms: u64::try_from(self.moment.boot / 1_000_000).expect("after boot"),
            wall: jiff::Timestamp::from_nanosecond(self.moment.real.into()).expect("in range"),
            offset_s: 8 * 3600,
            clock: ClockState::Unsynchronised,
        }
    }

    pub fn look(&mut self) -> Vec<Finding> {
        self.judged().found
    }

    /// What a look reads.
    pub fn seen(&mut self) -> Seen {
        let name = "rtc0".to_owned();
        let battery = self.battery.map(|at| BatteryClock { name, since_epoch: (self.pace() + at).div_euclid(SECOND) });
        let second = self.dead_second.then(|| BatteryClock { name: "rtc1".to_owned(), since_epoch: self.pace() / SECOND });
        Seen {
            moment: self.moment,
            keeping: self.keeping,
            programs: Programs::Unknown,
            batteries: Some(Dials { at: self.moment, clocks: battery.into_iter().chain(second).collect(), together: true }),
            local: self.local,
            server: self.server,
            acts: std::mem::take(&mut self.acts),
            allowed: self.allowed.clone(),
            local_battery: self.local_battery,
            hosted: self.hosted,
        }
    }

    pub fn judged(&mut self) -> Judged {
        let mut seen = self.seen();
        if self.judge.asks_for_programs(&seen, LEAST) {
            self.walks += 1;
            seen.programs = self.programs.clone();
        }
        self.judge.look(&seen, &self.zone, LEAST)
    }

    pub fn run(&mut self, seconds: i64) {
        let fast = self.slew_ppm + self.keeping.map_or(0, |keeping| (keeping.tick_us - 10_000) * 100);
        let gained = seconds * SECOND + seconds * fast * 1000;
        self.moment.raw += seconds * SECOND;
        for clock in [&mut self.moment.real, &mut self.moment.boot, &mut self.moment.mono] {
            *clock += gained;
        }
    }

    /// Somebody sets the clock.
    pub fn set(&mut self, seconds: i64) {
        self.set_by(seconds * SECOND);
    }

    /// The same in nanoseconds. The kernel takes the mark of a kept clock away, whoever sets it.
    pub fn set_by(&mut self, by: i64) {
        self.moment.real += by;
        if let Some(keeping) = &mut self.keeping {
            (keeping.status, keeping.maxerror_us, keeping.leap) = (libc::STA_UNSYNC, 16_000_000, 5);
        }
    }

    /// A time daemon vouches for the clock.
    pub fn vouch(&mut self) {
        if let Some(keeping) = &mut self.keeping {
            (keeping.status, keeping.maxerror_us, keeping.leap) = (libc::STA_PLL, 20_000, 0);
        }
    }

    /// The servers say that this PC is behind by so many seconds.
    pub fn served(&mut self, ahead: i64) {
        let apart_ms = (self.moment.real - self.moment.boot) / 1_000_000 + ahead * 1000;
        self.server = Some(ServerTime { apart_ms, at_ms: u64::try_from(self.moment.boot / 1_000_000).expect("after boot") });
    }

    pub fn set_battery(&mut self, seconds: i64) {
        self.battery = self.battery.map(|at| at + seconds * SECOND);
    }

    pub fn sleep(&mut self, seconds: i64) {
        self.moment.real += seconds * SECOND;
        self.moment.boot += seconds * SECOND;
    }

    /// The kernel is told another length of the tick.
    pub fn tick(&mut self, us: i64) {
        if let Some(keeping) = &mut self.keeping {
            keeping.tick_us = us;
        }
    }

    /// Something makes the clock fast that the kernel does not tell of.
    pub fn slew(&mut self, ppm: i64) {
        self.slew_ppm = ppm;
    }
}
