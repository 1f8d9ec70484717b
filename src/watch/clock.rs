//! The clock: steps, its rate, the clock on the battery, the time zone, and what happened to them while nobody watched.
//!
//! What it all means is judged in [`judge`]; here the clocks are read. The kernel's word that the clock was set brings a look within milliseconds, and
//! between two looks of a storm several steps count as one.

mod battery;
mod judge;
mod offline;
mod rate;
mod step;
mod zone;

#[cfg(test)]
mod desk;

use super::{Blind, Given, Look, Watch};
use crate::baseline;
use crate::config::{self, Owner};
use crate::model::{ProcessState, Unseen, Watcher};
use crate::spool::{Anchor, Disk, Known};
use crate::sys::clock::{self, Keeping};
use crate::sys::clockset::ClockSet;
use crate::sys::rtc::{BatteryClock, battery_clocks};
use crate::sys::{files, proc};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use judge::{Judge, Programs, SECOND, Seen};
use offline::Past;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use zone::Zone;

/// Between two readings of the battery clock and the time zone, nanoseconds: looks by the minute may come a little early.
const SLOW: i64 = 50 * SECOND;
/// Of a storm of steps one look in so much time is made, and the first at once.
const STORM: Duration = Duration::from_secs(1);
/// The clock file of systemd-timesyncd, that of a package for boards without a battery, and the day of the system itself: systemd takes its time from
/// whichever it knows of and is latest, where the battery clock is behind it.
const CLOCK_FILES: [&str; 4] =
    ["/var/lib/systemd/timesync/clock", "/var/lib/private/systemd/timesync/clock", "/etc/fake-hwclock.data", "/usr/lib/clock-epoch"];
/// No file of time zone rules is larger.
const LARGEST_ZONE: u64 = 1 << 20;

/// Looks after the clock.
pub struct Clock {
    ear: Result<ClockSet, Unseen>,
    /// Until then a step is one of a storm.
    calm: Instant,
    judge: Option<Judge>,
    /// When the slow things were read, by the time since boot, and what the zone was.
    slow: Option<(i64, Zone)>,
}

impl Clock {
    /// Listens from now on. Must be called within a tokio runtime with I/O enabled.
    pub fn new() -> Self {
        let ear = ClockSet::open().map_err(|error| Unseen::Error(format!("hear of a new time: {error}")));
        Self { ear, calm: Instant::now(), judge: None, slow: None }
    }

    async fn look_at(&mut self, given: &Given) -> Look {
        // Before anything that takes time: the step is judged as of now.
        let (moment, keeping) = (clock::moment(), clock::keeping());
        let judge = match &mut self.judge {
            Some(judge) => judge,
            none => none.insert(Judge::after(past(given).await)),
        };
        let local = i64::from(given.at.offset_s) * SECOND;
        let mut seen = Seen { moment, keeping, programs: Programs::Unknown, batteries: None, local, server: given.server };
        let who = judge.asks_for_programs(&seen).then(|| given.config.clock.time_daemons.clone());
        let enrolled = given.baseline().and_then(|baseline| baseline.host.timezone.clone());
        let due = self.slow.as_ref().is_none_or(|(at, zone)| moment.boot - at >= SLOW || zone.enrolled != enrolled);
        if who.is_some() || due {
            // A panic in there is a bug of ours, and then nothing was seen.
            let (programs, slow) = spawn_blocking(move || (programs(who), due.then(|| slow(enrolled)))).await.unwrap_or_default();
            seen.programs = programs;
            if let Some((batteries, zone)) = slow {
                seen.batteries = Some(batteries);
                self.slow = Some((moment.boot, zone));
            }
        }
        let limit = i64::try_from(given.config.clock.step.as_nanos()).unwrap_or(i64::MAX);
        let unknown = Zone::default();
        let judged = judge.look(&seen, self.slow.as_ref().map_or(&unknown, |(_, zone)| zone), limit);
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
            if let Ok(ear) = &self.ear {
                match ear.heard().await {
                    Ok(()) => {
                        let due = self.calm;
                        self.calm = due.max(Instant::now()) + STORM;
                        return sleep_until(due).await;
                    }
                    Err(error) => self.ear = Err(Unseen::Error(format!("hear of a new time: {error}"))),
                }
            }
            std::future::pending::<()>().await;
        }
        .boxed_local()
    }
}

/// The programs that run, of those that are asked for.
fn programs(asked: Option<Vec<String>>) -> Programs {
    let Some(asked) = asked else { return Programs::Unknown };
    let mut running = Vec::new();
    for name in asked {
        match proc::process_state(&name) {
            ProcessState::Running => running.push(name),
            ProcessState::Absent => {}
            ProcessState::Unknown => return Programs::Unknown,
        }
    }
    Programs::Running(running)
}

fn slow(enrolled: Option<String>) -> (Vec<BatteryClock>, Zone) {
    (battery_clocks(Path::new("/")), zone(enrolled))
}

/// The zone now, and whether its rules are those of the enrolment.
fn zone(enrolled: Option<String>) -> Zone {
    let rules = |path: &Path| files::read(path, LARGEST_ZONE).ok();
    let same_rules = enrolled.as_ref().filter(|name| !name.split('/').any(|part| part == "..")).and_then(|name| {
        let then = rules(&Path::new("/usr/share/zoneinfo").join(name.trim_start_matches('/')))?;
        Some(rules(Path::new(zone::FILE))? == then)
    });
    Zone { enrolled, now: baseline::time_zone_now(), same_rules }
}

/// What an earlier run left behind. The daemon writes its own sign of life over it only after a minute.
async fn past(given: &Given) -> Past {
    let state = config::state_dir(&given.config, Owner::of_process(), |name| std::env::var(name).ok());
    let read = move || {
        let last = state.and_then(|dir| match Anchor::load(&Disk::look(&dir)) {
            Known::Is(anchor) => Some(anchor.at),
            Known::Absent | Known::Unreadable | Known::Refused(_) => None,
        });
        let written = |path: &&str| {
            let at = std::fs::metadata(path).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            i64::try_from(at.as_nanos()).ok()
        };
        Past {
            last,
            boot_id: clock::boot_id().to_owned(),
            files: CLOCK_FILES.iter().filter_map(written).collect(),
            local_battery: files::read_text(Path::new("/etc/adjtime"), 4096).is_ok_and(|text| text.lines().nth(2) == Some("LOCAL")),
            firmware: files::read_word(Path::new("/sys/class/dmi/id/bios_date")).as_deref().and_then(firmware_day),
            ..Past::default()
        }
    };
    spawn_blocking(read).await.unwrap_or_default()
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
