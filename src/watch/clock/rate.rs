//! The clock is made to run fast or slow: nothing jumps, and the timer does not tell. Shown by what the kernel was told, and by the wall clock
//! against the hardware's own pace, which nobody can correct.

use super::judge::{MINUTE, NOISE, SECOND, Seen, fact};
use super::who::{Doer, Named, Programs};
use crate::model::{Finding, FindingCode, Origin, Subject};
use crate::sys::audit::Changed;
use crate::sys::clock::Moment;

/// The kernel lets a time daemon correct up to 500 millionths; what is more is no correction of a quartz.
const MOST_PPM: i64 = 600;
/// So long the pace is measured; looks come each minute, some a little early.
const WINDOW: i64 = MINUTE - 2 * SECOND;

/// What is known of the rate.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Rate {
    last: Option<Moment>,
    since: Option<Moment>,
    /// Of the last whole window.
    measured_ppm: i64,
    looked: bool,
    told: Option<(Finding, i64)>,
    /// Who set the tick, by the audit.
    named: Named,
    /// What the kernel was told when last something ran that corrects the tick, or vouched for the clock: it stays when that ends.
    left: Option<i64>,
}

impl Rate {
    /// Whether it matters who runs.
    pub(super) fn asks(&self, seen: &Seen) -> bool {
        self.told.is_some() || told_ppm(seen).abs() > MOST_PPM || self.measured(seen).unwrap_or(self.measured_ppm).abs() > MOST_PPM
    }

    /// Takes a look in.
    pub(super) fn advance(&mut self, seen: &Seen) -> Option<Finding> {
        let was = self.last.replace(seen.moment);
        if was.is_none_or(|was| broken(&was, &seen.moment)) {
            (self.since, self.measured_ppm) = (Some(seen.moment), 0);
        } else if let Some(ppm) = self.measured(seen) {
            (self.since, self.measured_ppm) = (Some(seen.moment), ppm);
        }
        let first = !std::mem::replace(&mut self.looked, true);
        let set = told_ppm(seen);
        self.named.hear(&seen.acts, Changed::Rate);
        if set.abs() <= MOST_PPM {
            self.named = Named::default();
        }
        // A time daemon that catches up runs the clock fast for a while; of them only some move the tick.
        let by_keeper = self.named.doer(&seen.allowed) == Some(Doer::Keeper);
        let nobody = seen.programs.without_tick_setter();
        if by_keeper || seen.vouched() || seen.programs != Programs::Unknown && !nobody {
            self.left = Some(set);
        }
        let by_tick = set.abs() > MOST_PPM && nobody && self.left != Some(set);
        let unexplained = (self.measured_ppm - self.left.unwrap_or(0)).abs() > MOST_PPM;
        let by_pace = self.measured_ppm.abs() > MOST_PPM && unexplained && seen.programs.without_keeper();
        let unknown = seen.programs == Programs::Unknown;
        if !(by_tick || by_pace) {
            // Who runs could not be seen: what was found stays, and nothing new is.
            self.told = self.told.take().filter(|_| unknown && self.asks(seen));
            return self.told.as_ref().map(|(finding, _)| finding.clone());
        }
        if self.told.as_ref().is_none_or(|(_, ppm)| *ppm != set) {
            let origin = self.told.as_ref().map_or(if first { Origin::PreExisting } else { Origin::LocalChange }, |(told, _)| told.origin);
            self.told = Some((self.finding(seen, origin), set));
        }
        self.told.as_ref().map(|(finding, _)| finding.clone())
    }

    /// By how much the wall clock was fast over the window, if it is over.
    fn measured(&self, seen: &Seen) -> Option<i64> {
        let (since, now) = (self.since?, seen.moment);
        let pace = now.raw - since.raw;
        let gained = (now.real - now.raw) - (since.real - since.raw);
        // At most a minute's gain, far from the end of the number's range.
        (pace >= WINDOW).then(|| gained.saturating_mul(1_000_000) / pace)
    }

    fn finding(&self, seen: &Seen, origin: Origin) -> Finding {
        let mut evidence = Vec::new();
        if let Some(keeping) = seen.keeping {
            evidence.push(fact("clock.tick", format!("{} us", keeping.tick_us)));
            evidence.push(fact("clock.frequency", ppm(keeping.freq / 65_536)));
        }
        if self.measured_ppm.abs() > MOST_PPM {
            evidence.push(fact("clock.rate", ppm(self.measured_ppm)));
        }
        evidence.push(fact("clock.by", "no time daemon"));
        evidence.extend(self.named.evidence());
        Finding::new(FindingCode::ClockRate, Subject::Terminal, origin).because(evidence)
    }
}

fn ppm(rate: i64) -> String {
    format!("{rate:+} ppm")
}

/// By how much the kernel was told to run fast.
fn told_ppm(seen: &Seen) -> i64 {
    seen.keeping.map_or(0, |keeping| keeping.rate_ppm())
}

/// A step or a sleep in between: no pace can be measured across it.
fn broken(was: &Moment, now: &Moment) -> bool {
    let stepped = (now.real - now.boot) - (was.real - was.boot);
    let slept = (now.boot - now.mono) - (was.boot - was.mono);
    stepped.abs() >= NOISE || slept.abs() >= NOISE
}

#[cfg(test)]
mod tests {
    use super::super::desk::Desk;
    use super::*;

    fn codes(desk: &mut Desk) -> Vec<FindingCode> {
        desk.look().iter().map(|found| found.code).collect()
    }

    /// The tick is as it should be, and after two minutes nothing is told any more.
    fn put_right(desk: &mut Desk) {
        desk.tick(10_000);
        desk.run(60);
        desk.look();
        desk.run(60);
        assert_eq!(codes(desk), []);
    }

    #[test]
    fn a_tick_that_nobody_should_have_moved_is_found_at_once_and_gone_when_it_is_put_back() {
        let mut desk = Desk::new();
        assert_eq!(codes(&mut desk), []);
        desk.tick(11_000);
        desk.run(1);
        let found = desk.look();
        assert_eq!((found[0].code, found[0].origin), (FindingCode::ClockRate, Origin::LocalChange));
        assert_eq!(found[0].evidence[0].result, "11000 us");
        for _ in 0..5 {
            desk.run(60);
            assert_eq!(desk.look(), found, "the same minute by minute: no new record");
        }
        put_right(&mut desk);
    }

    #[test]
    fn a_pace_that_the_kernel_does_not_explain_is_found_after_a_minute() {
        let mut desk = Desk::new();
        desk.look();
        desk.slew(700);
        desk.run(30);
        assert_eq!(codes(&mut desk), []);
        desk.run(30);
        let found = desk.look();
        assert_eq!(found[0].code, FindingCode::ClockRate);
        assert!(found[0].evidence.iter().any(|line| line.result == "+700 ppm"), "{found:?}");
    }

    #[test]
    fn what_time_daemons_do_is_silent() {
        // chronyd catches up at a tenth of the speed, timesyncd by the kernel's own loop, everyone by 500 millionths.
        for (program, tick, slew) in [("chronyd", 11_000, 0), ("systemd-timesyncd", 10_000, 6_000), ("", 10_000, 499)] {
            let mut desk = Desk::new().running(&[program]);
            desk.tick(tick);
            desk.slew(slew);
            for _ in 0..5 {
                assert_eq!(codes(&mut desk), [], "{program}");
                desk.run(60);
            }
        }
    }

    #[test]
    fn what_a_time_daemon_leaves_behind_is_nobodys_act_until_it_is_changed() {
        for vouched in [false, true] {
            let mut desk = Desk::new().running(if vouched { &[] } else { &["chronyd"] });
            desk.look();
            desk.tick(10_007);
            desk.run(60);
            if vouched {
                desk.vouch();
            }
            assert_eq!(codes(&mut desk), []);
            desk = desk.running(&[]);
            for _ in 0..5 {
                // Set by a moment, which takes the kernel's mark away.
                desk.set_by(SECOND / 10);
                assert_eq!(codes(&mut desk), []);
                desk.run(10);
            }
            for _ in 0..3 {
                // By the pace of the hardware it runs fast, and that is what was left.
                desk.run(60);
                assert_eq!(codes(&mut desk), []);
            }
            desk.tick(10_008);
            assert_eq!(codes(&mut desk), [FindingCode::ClockRate]);
        }
    }

    #[test]
    fn a_time_daemon_that_does_not_move_the_tick_explains_no_tick_and_one_that_does_ends_the_matter() {
        let mut desk = Desk::new().running(&["systemd-timesyncd"]);
        desk.look();
        desk.tick(11_000);
        assert_eq!(codes(&mut desk), [FindingCode::ClockRate]);
        desk = desk.running(&["chronyd"]);
        assert_eq!(codes(&mut desk), []);
    }

    #[test]
    fn what_was_found_stays_while_nobody_can_be_seen_and_ends_when_it_is_put_right() {
        let mut desk = Desk::new();
        desk.look();
        desk.tick(11_000);
        assert_eq!(codes(&mut desk), [FindingCode::ClockRate]);
        desk = desk.blind();
        desk.run(60);
        assert_eq!(codes(&mut desk), [FindingCode::ClockRate]);
        put_right(&mut desk);
    }

    #[test]
    fn who_set_an_earlier_tick_is_not_named_for_a_later_one() {
        let mut desk = Desk::new();
        desk.look();
        desk.tick(11_000);
        desk.named(Changed::Rate, "/usr/sbin/adjtimex");
        assert!(desk.look()[0].evidence.iter().any(|line| line.k == "clock.program"));
        put_right(&mut desk);
        desk.tick(11_000);
        assert!(desk.look()[0].evidence.iter().all(|line| line.k != "clock.program"));
    }

    #[test]
    fn steps_and_sleep_are_no_pace() {
        let mut desk = Desk::new();
        for _ in 0..4 {
            desk.look();
            desk.run(30);
            desk.set(1);
            desk.run(31);
        }
        assert!(desk.look().iter().all(|found| found.code != FindingCode::ClockRate));
        let mut sleeper = Desk::new();
        for _ in 0..4 {
            sleeper.look();
            sleeper.run(30);
            sleeper.sleep(3600);
            sleeper.run(31);
        }
        assert_eq!(codes(&mut sleeper), []);
    }

    #[test]
    fn who_cannot_be_seen_is_not_accused() {
        let mut desk = Desk::new().blind();
        desk.tick(11_000);
        assert_eq!(codes(&mut desk), []);
    }

    #[test]
    fn what_ran_fast_before_the_watch_began_was_there_before() {
        let mut desk = Desk::new();
        desk.tick(9_000);
        assert_eq!(desk.look()[0].origin, Origin::PreExisting);
    }
}
