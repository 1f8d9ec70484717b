//! The clock: steps, its rate, the clock on the battery, the time zone, and what happened to them while nobody watched.
//!
//! What it all means is judged in [`judge`]; here the clocks are read. The kernel's word that the clock was set brings a look within milliseconds, and
//! between two looks of a storm several steps count as one.

mod battery;
mod judge;
mod offline;
mod rate;
mod right;
mod step;
mod who;
mod zone;

#[cfg(test)]
mod desk;

use super::aside::aside;
use super::{Blind, Given, Look, Watch};
use crate::baseline;
use crate::model::{Unseen, Watcher};
use crate::sys::audit::{Audit, Changed, ClockAct};
use crate::sys::clock::{self, Keeping};
use crate::sys::clockset::ClockSet;
use crate::sys::rtc::{Dials, dials};
use crate::sys::{files, proc};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use judge::{Judge, SECOND, Seen};
use offline::Past;
use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::{Instant, sleep, sleep_until};
use who::{KEEPERS, Programs};
use zone::Zone;

/// Between two readings of the battery clock and the time zone, nanoseconds: looks by the minute may come a little early.
const SLOW: i64 = 50 * SECOND;
/// The same while the clock is being set: whoever moves one clock may have moved the other.
const SET: i64 = 2 * SECOND;
/// Of a storm of steps one look in so much time is made, and the first at once.
const STORM: Duration = Duration::from_secs(1);
/// The clock file of systemd-timesyncd, that of a package for boards without a battery, and the day of the system itself: systemd takes its time from
/// whichever it knows of and is latest, where the battery clock is behind it.
const CLOCK_FILES: [&str; 6] = [
    "/var/lib/systemd/timesync/clock",
    "/var/lib/private/systemd/timesync/clock",
    "/etc/fake-hwclock.data",
    "/usr/lib/clock-epoch",
    "/usr/lib/systemd/systemd",
    "/lib/systemd/systemd",
];
/// No file of time zone rules, and no list of processors, is larger.
const LARGEST: u64 = 1 << 20;
/// The audit is asked so often for the name of who just set the clock, and so long after each time: its word comes after the deed.
const ASKED: (u32, Duration) = (5, Duration::from_millis(20));

/// Looks after the clock.
pub struct Clock {
    ear: Result<ClockSet, Unseen>,
    /// Until then a step is one of a storm.
    calm: Instant,
    /// The ear does not listen until then.
    rests: bool,
    judge: Option<Judge>,
    /// When the slow things were read, by the time since boot, and what they were.
    slow: Option<(i64, Slow)>,
    /// Names who set the clock. Without the right to it, or where nothing is audited, one thing less is known, and nothing is broken.
    audit: Option<Audit>,
    hosted: bool,
}

/// What changes seldom, or is read at some cost.
#[derive(Debug, Default)]
struct Slow {
    batteries: Option<Dials>,
    local_battery: bool,
    zone: Zone,
}

impl Clock {
    /// Listens from now on. Must be called within a tokio runtime with I/O enabled.
    pub fn new() -> Self {
        let ear = ClockSet::open().map_err(|error| Unseen::Error(format!("hear of a new time: {error}")));
        let audit = Audit::open().inspect_err(|why| tracing::debug!(?why, "who sets the clock is not named")).ok();
        Self { ear, calm: Instant::now(), rests: false, judge: None, slow: None, audit, hosted: is_hosted() }
    }

    async fn look_at(&mut self, given: &Given) -> Look {
        // Before anything that takes time: the step is judged as of now.
        let (moment, keeping) = (clock::moment(), clock::keeping());
        let judge = match &mut self.judge {
            Some(judge) => judge,
            none => none.insert(Judge::after(past(given).await)),
        };
        let mut seen = Seen {
            moment,
            keeping,
            programs: Programs::Unknown,
            batteries: None,
            local: i64::from(given.at.offset_s) * SECOND,
            server: given.server,
            acts: Vec::new(),
            allowed: given.config.clock.time_daemons.clone(),
            local_battery: false,
            hosted: self.hosted,
        };
        let limit = i64::try_from(given.config.clock.step.as_nanos()).unwrap_or(i64::MAX);
        let who = judge.asks_for_programs(&seen, limit).then(|| seen.allowed.clone());
        let enrolled = given.baseline().and_then(|baseline| baseline.host.timezone.clone());
        let rests = if judge.was_set(&seen) { SET } else { SLOW };
        let due = self.slow.as_ref().is_none_or(|(at, slow)| moment.boot - at >= rests || slow.zone.enrolled != enrolled);
        if who.is_some() || due {
            let wall = given.at.wall;
            // A panic in there is a bug of ours, and then nothing was seen.
            let (programs, slow) = aside(move || (programs(who), due.then(|| slow(enrolled, wall)))).await.unwrap_or_default();
            seen.programs = programs;
            if let Some(slow) = slow {
                seen.batteries.clone_from(&slow.batteries);
                self.slow = Some((moment.boot, slow));
            }
        }
        if let Some(audit) = &mut self.audit {
            seen.acts = named(audit, judge.was_set(&seen)).await;
        }
        let unknown = Slow::default();
        let slow = self.slow.as_ref().map_or(&unknown, |(_, slow)| slow);
        seen.local_battery = slow.local_battery;
        let judged = judge.look(&seen, &slow.zone, limit);
        Look { found: Some(judged.found), blind: self.blind(keeping), again: judged.again }
    }

    fn blind(&self, keeping: Option<Keeping>) -> Vec<Blind> {
        let ear = self.ear.as_ref().err().map(|why| Blind { what: "clock.set", why: why.clone() });
        let kept = keeping.is_none().then(|| Blind { what: "clock.kept", why: Unseen::Hidden("adjtimex".to_owned()) });
        ear.into_iter().chain(kept).collect()
    }
}

impl Watch for Clock {
    fn watcher(&self) -> Watcher {
        Watcher::Clock
    }

    fn look<'a>(&'a mut self, given: &'a Given) -> LocalBoxFuture<'a, Look> {
        self.look_at(given).boxed_local()
    }

    fn stirred(&mut self) -> LocalBoxFuture<'_, ()> {
        async {
            match self.hear().await {
                Ok(()) => return,
                Err(Some(error)) => self.ear = Err(Unseen::Error(format!("hear of a new time: {error}"))),
                Err(None) => {}
            }
            std::future::pending::<()>().await;
        }
        .boxed_local()
    }
}

impl Clock {
    /// Waits for the word that the clock was set. The first counts at once; after that one in a second is listened to, and between two of them nothing
    /// wakes. `None` = there is no ear. Cancelling it loses nothing: what was heard is heard again.
    async fn hear(&mut self) -> Result<(), Option<io::Error>> {
        let Ok(ear) = &self.ear else { return Err(None) };
        if !self.rests {
            ear.heard().await.map_err(Some)?;
            if self.calm > Instant::now() {
                ear.rest().map_err(Some)?;
                self.rests = true;
            }
        }
        if self.rests {
            sleep_until(self.calm).await;
            // Before anything is looked at: no later word is missed.
            ear.listen().map_err(Some)?;
            self.rests = false;
        }
        self.calm = Instant::now() + STORM;
        Ok(())
    }
}

/// What the audit says by now; where the clock was just set it is given a moment to say who did that.
async fn named(audit: &mut Audit, was_set: bool) -> Vec<ClockAct> {
    let mut acts = audit.heard();
    for _ in 0..ASKED.0 {
        if !was_set || acts.iter().any(|act| act.changed == Changed::Time) {
            break;
        }
        sleep(ASKED.1).await;
        acts.extend(audit.heard());
    }
    acts
}

/// The programs that run, of time daemons and those that are asked for: one walk over all processes, whatever namespaces they are in, as there is
/// one clock for all.
fn programs(asked: Option<Vec<String>>) -> Programs {
    let Some(asked) = asked else { return Programs::Unknown };
    let Ok(all) = proc::programs() else { return Programs::Unknown };
    let runs = |name: &String| all.iter().any(|program| program.is_called(name));
    let keepers = KEEPERS.iter().map(|name| (*name).to_owned()).filter(|name| !asked.contains(name));
    Programs::Running(keepers.chain(asked.iter().cloned()).filter(runs).collect())
}

fn slow(enrolled: Option<String>, wall: jiff::Timestamp) -> Slow {
    Slow { batteries: Some(dials(Path::new("/"))), local_battery: local_battery(), zone: zone(enrolled, wall) }
}

/// The system takes the battery clock for local time.
fn local_battery() -> bool {
    files::read_text(Path::new("/etc/adjtime"), 4096).is_ok_and(|text| text.lines().nth(2) == Some("LOCAL"))
}

/// The zone now, and whether its rules are those of the enrolment.
fn zone(enrolled: Option<String>, wall: jiff::Timestamp) -> Zone {
    zone::compared(enrolled, baseline::time_zone_now(), wall, |path| files::read(path, LARGEST).ok())
}

/// Whether this is a virtual machine, as its processor says. One that does not say so is taken for a real one.
fn is_hosted() -> bool {
    let processors = files::read_text(Path::new("/proc/cpuinfo"), LARGEST).unwrap_or_default();
    processors.lines().any(|line| line.starts_with("flags") && line.split(' ').any(|flag| flag == "hypervisor"))
}

/// What an earlier run left behind, and what tells how this boot began.
async fn past(given: &Given) -> Past {
    let last = given.lived.clone();
    let read = move || {
        let written = |path: &&str| {
            let at = std::fs::metadata(path).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            i64::try_from(at.as_nanos()).ok()
        };
        Past {
            last,
            boot_id: clock::boot_id().to_owned(),
            files: CLOCK_FILES.iter().filter_map(written).collect(),
            local_battery: local_battery(),
            firmware: files::read_word(Path::new("/sys/class/dmi/id/bios_date")).as_deref().and_then(firmware_day),
            ..Past::default()
        }
    };
    aside(read).await.unwrap_or_default()
}

/// `04/01/2014`, month first, in nanoseconds since 1970.
fn firmware_day(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '/').map(|part| part.trim().parse::<i16>().ok());
    let (month, day, year) = (parts.next()??, parts.next()??, parts.next()??);
    let date = jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let day = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    i64::try_from(day.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_a_firmware_is_read_and_nonsense_is_none() {
        assert_eq!(firmware_day("04/01/2014"), Some(1_396_310_400 * SECOND));
        for text in ["", "2014-04-01", "13/01/2014", "04/31/2014", "04/01", "a/b/c", "04/01/99999"] {
            assert_eq!(firmware_day(text), None, "{text}");
        }
    }
}

#[cfg(test)]
mod any_bytes {
    use super::*;
    use crate::testing::{cases, hostile};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(cases())]
        #[test]
        fn never_panics_and_a_day_is_a_day(bytes in hostile(vec![b"04/01/2014".to_vec()], 32)) {
            let day = firmware_day(&String::from_utf8_lossy(&bytes));
            prop_assert!(day.is_none_or(|day| day % (86_400 * SECOND) == 0));
        }
    }
}
