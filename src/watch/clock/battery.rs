//! The clock on the battery was set. The kernel and others copy the system's time into it, which is no change: only what does not agree with the system
//! clock counts. In local time it agrees where it is kept in local time, by the system's settings or by what it showed before; a clock that leaves UTC
//! by as much as local time is off would make another date at the next start.

use super::judge::{MINUTE, SECOND, STANDS, Seen, about, by, without_power};
use crate::model::{Finding, FindingCode, Origin, Subject};
use crate::sys::clock::Moment;
use std::collections::BTreeMap;

/// A battery clock counts whole seconds, and its reading may take half of one.
const COARSE: i64 = 4 * SECOND;
/// By so much a copy of the system's time may differ from it.
const COPY: i64 = 3 * SECOND;
/// By so much a clock may be wrong of which it is still clear that it is kept in local time: zones are quarters of an hour apart at the least, and
/// those where terminals stand are hours away from UTC.
const ABOUT: i64 = 30 * MINUTE;

/// All battery clocks by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Batteries(BTreeMap<String, Battery>);

#[derive(Debug, Clone, PartialEq)]
struct Battery {
    /// Its time less the hardware's pace with sleep: what it would be if nobody set it.
    apart: i64,
    /// What it showed.
    real: i64,
    set: Option<Set>,
}

/// It was set.
#[derive(Debug, Clone, PartialEq)]
struct Set {
    /// What it would be if nobody had.
    before: i64,
    by: i64,
    /// How far it was ahead of the system clock then.
    off: i64,
    at: i64,
}

impl Batteries {
    /// What they show at this moment if nobody has set them since.
    pub(super) fn now(&self, moment: Moment) -> Vec<i64> {
        self.0.values().map(|battery| battery.apart.saturating_add(pace(moment))).collect()
    }

    /// Takes a look in. `limit` is the smallest step that is told.
    pub(super) fn advance(&mut self, seen: &Seen, limit: i64) -> Vec<Finding> {
        let clocks =
            seen.batteries.iter().filter(|dials| dials.together).flat_map(|dials| dials.clocks.iter().map(|clock| (dials.at, clock)));
        for (moment, clock) in clocks {
            let real = clock.since_epoch.saturating_mul(SECOND);
            let apart = real.saturating_sub(pace(moment));
            let battery = self.0.entry(clock.name.clone()).or_insert(Battery { apart, real, set: None });
            // One that stands still is broken, and that is nobody's act.
            let stopped = battery.real == real;
            let step = apart.saturating_sub(battery.apart);
            let off = real.saturating_sub(moment.real);
            let from_local = |off: i64| off.saturating_sub(seen.local).saturating_abs();
            let kept_local = seen.local_battery || from_local(off.saturating_sub(step)) <= ABOUT;
            // What a virtual machine runs on may have held everything but this clock for a while.
            let held = seen.hosted && step > 0;
            if off.saturating_abs() <= COPY || kept_local && from_local(off) <= COPY {
                battery.set = None;
            } else if step.saturating_abs() >= COARSE.max(limit) && !held && !stopped && !without_power(real.saturating_sub(step)) {
                let before = battery.set.as_ref().map_or(battery.apart, |set| set.before);
                let by = apart.saturating_sub(before);
                // Set back to where it would be if nobody had: over, however far the system clock is from it.
                battery.set = (by.saturating_abs() >= COARSE.max(limit)).then_some(Set { before, by, off, at: moment.boot });
            }
            (battery.apart, battery.real) = (apart, real);
        }
        let mut found = Vec::new();
        for (name, battery) in &mut self.0 {
            battery.set = battery.set.take().filter(|set| seen.moment.boot - set.at < STANDS);
            if let Some(set) = &battery.set {
                found.push(finding(name, set));
            }
        }
        found
    }
}

/// The hardware's pace with sleep. The system's own may be corrected; that of a battery clock never is.
fn pace(moment: Moment) -> i64 {
    moment.raw + (moment.boot - moment.mono)
}

fn finding(name: &str, set: &Set) -> Finding {
    // It counts whole seconds.
    let whole = |change: i64| by((change + SECOND / 2).div_euclid(SECOND) * SECOND);
    let evidence = [about("clock.battery-step", name, whole(set.by)), about("clock.battery", name, whole(set.off))];
    Finding::new(FindingCode::ClockRtcChanged, Subject::Device(name.to_owned()), Origin::LocalChange).because(evidence)
}

#[cfg(test)]
mod tests {
    use super::super::desk::Desk;
    use super::*;

    fn sizes(desk: &mut Desk) -> Vec<String> {
        let found = desk.look();
        found.iter().filter(|f| f.code == FindingCode::ClockRtcChanged).map(|f| f.evidence[0].result.clone()).collect()
    }

    #[test]
    fn a_battery_clock_set_to_another_time_is_found_once_and_ends_when_it_agrees_again() {
        let mut desk = Desk::new().with_battery(0);
        assert_eq!(sizes(&mut desk), [""; 0]);
        desk.set_battery(-86_400);
        for _ in 0..5 {
            desk.run(60);
            assert_eq!(sizes(&mut desk), ["back 86400.000 s"]);
        }
        desk.set_battery(86_400);
        desk.run(60);
        assert_eq!(sizes(&mut desk), [""; 0]);
    }

    #[test]
    fn a_battery_clock_set_back_is_over_though_the_system_clock_is_elsewhere() {
        let mut desk = Desk::new().with_battery(0);
        desk.look();
        desk.set_battery(10_800);
        desk.run(60);
        assert_eq!(sizes(&mut desk), ["forward 10800.000 s"]);
        desk.tick(11_000);
        desk.run(60);
        desk.set_battery(-10_800);
        desk.run(60);
        assert_eq!(sizes(&mut desk), [""; 0]);
    }

    #[test]
    fn a_look_that_had_to_wait_for_the_battery_clock_does_not_take_its_wait_for_a_step() {
        for off in [0, -86_400] {
            let mut desk = Desk::new().with_battery(off);
            desk.look();
            desk.run(60);
            let early = desk.moment;
            // Processes were walked first, on a PC that has too much to do.
            desk.run(9);
            let late = Seen { moment: early, ..desk.seen() };
            let mut batteries = Batteries::default();
            batteries.advance(&Seen { moment: early, ..desk.seen() }, SECOND);
            assert_eq!(batteries.advance(&late, SECOND), []);
            desk.run(60);
            assert_eq!(batteries.advance(&desk.seen(), SECOND), [], "nor the look after it");
        }
    }

    #[test]
    fn it_does_not_stand_for_ever() {
        let mut desk = Desk::new().with_battery(0);
        desk.look();
        desk.set_battery(7_200);
        desk.run(60);
        assert_eq!(sizes(&mut desk), ["forward 7200.000 s"]);
        for _ in 0..31 {
            desk.run(60);
            desk.look();
        }
        assert_eq!(sizes(&mut desk), [""; 0]);
    }

    #[test]
    fn a_copy_of_the_systems_time_is_no_change_in_utc_or_local_time() {
        for local in [0, 8 * 3600] {
            // Minutes off after a long time without power; then the kernel writes it back.
            let mut desk = Desk::new().with_battery(-300 + local);
            desk.look();
            desk.set_battery(300);
            desk.run(60);
            assert_eq!(sizes(&mut desk), [""; 0]);
        }
    }

    #[test]
    fn a_system_clock_that_is_set_fast_or_asleep_does_not_move_the_battery() {
        let mut desk = Desk::new().with_battery(0);
        desk.look();
        desk.set(86_400);
        desk.run(60);
        assert_eq!(sizes(&mut desk), [""; 0]);
        desk.sleep(36_000);
        desk.tick(11_000);
        for _ in 0..5 {
            desk.run(60);
            assert_eq!(sizes(&mut desk), [""; 0]);
        }
    }

    #[test]
    fn a_battery_clock_that_had_lost_its_time_is_put_right_without_a_word() {
        let mut desk = Desk::new().with_battery(-800_000_000);
        desk.look();
        desk.set_battery(800_000_000 - 5_000);
        desk.run(60);
        assert_eq!(sizes(&mut desk), [""; 0]);
    }
}
