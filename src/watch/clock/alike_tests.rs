//! What looks like somebody's act and is none, and beside each the act that it looks like.

use super::super::desk::{Desk, MORNING};
use super::super::offline::Past;
use super::*;
use crate::model::{FindingCode, Origin};
use crate::sys::audit::Changed;

fn told(desk: &mut Desk) -> Vec<(FindingCode, Severity)> {
    desk.look().iter().map(|finding| (finding.code, finding.severity)).collect()
}

fn quiet(desk: &mut Desk) {
    assert_eq!(told(desk), []);
}

fn results(desk: &mut Desk, key: &str) -> Vec<String> {
    let found = desk.look();
    found.iter().flat_map(|f| &f.evidence).filter(|line| line.k == key).map(|line| format!("{} {}", line.target, line.result)).collect()
}

const STEPPED: FindingCode = FindingCode::ClockStepped;

#[test]
fn an_hour_or_another_day_is_critical_and_whatever_comes_nearer_to_the_servers_time_is_a_hint() {
    // How wrong the clock was, by how much it was set, and what that weighs.
    for (wrong, by, severity) in [
        (0, HOUR, Severity::Critical),
        (0, -HOUR, Severity::Critical),
        (0, HOUR - SECOND, Severity::High),
        (0, MINUTE, Severity::High),
        (0, MINUTE - SECOND, Severity::Medium),
        // Put right, to the second or by a hand that looks at its watch.
        (-86_400 * SECOND, 86_400 * SECOND, Severity::Info),
        (-86_400 * SECOND, 86_400 * SECOND + 40 * SECOND, Severity::Info),
        (7_200 * SECOND, -7_000 * SECOND, Severity::Info),
        // Nearer, and still on another day; past it and further off than before.
        (-400 * 86_400 * SECOND, 399 * 86_400 * SECOND, Severity::Low),
        (-7_200 * SECOND, 14_500 * SECOND, Severity::Critical),
    ] {
        let mut desk = Desk::new();
        desk.served(-wrong / SECOND);
        quiet(&mut desk);
        desk.run(300);
        quiet(&mut desk);
        desk.set_by(by);
        assert_eq!(told(&mut desk), [(STEPPED, severity)], "{wrong} {by}");
    }
}

#[test]
fn a_pc_that_came_up_without_the_time_is_set_right_without_a_word_and_once() {
    let years = 400 * 86_400;
    // The battery clock began anew on the day of the firmware; or the time was taken from a file, being later.
    let firmware = |at: &Desk| Past { firmware: Some(at.moment.real - 3600 * SECOND), ..Past::default() };
    let file = |at: &Desk| Past { files: vec![at.moment.real - 20 * SECOND], ..Past::default() };
    let without = Desk::new().just_up(30).with_battery(0);
    let behind = Desk::new().just_up(30).with_battery(-years);
    for (desk, past) in [(without.clone(), firmware(&without)), (behind.clone(), file(&behind))] {
        let mut right = desk.clone().after(past.clone());
        quiet(&mut right);
        right.run(600);
        quiet(&mut right);
        right.set(years);
        quiet(&mut right);
        right.run(60);
        right.set(7200);
        assert_eq!(told(&mut right), [(STEPPED, Severity::Critical)], "what is set after that is told");
        let mut back = desk.clone().after(past.clone());
        quiet(&mut back);
        back.set(-7200);
        assert_eq!(told(&mut back), [(STEPPED, Severity::Critical)], "back is not right");
        let mut known = desk.after(past);
        known.served(0);
        quiet(&mut known);
        known.run(60);
        known.set(7200);
        assert_eq!(told(&mut known), [(STEPPED, Severity::Critical)], "the servers knew it");
    }
    // In good order; and one that has been up for long, whatever its battery clock shows.
    let mut good = without.clone().after(Past { firmware: Some(MORNING - 4000 * 86_400 * SECOND), ..Past::default() });
    let mut long = Desk::new().with_battery(-years);
    long = long.clone().after(file(&long));
    for desk in [&mut good, &mut long] {
        quiet(desk);
        desk.set(years);
        assert_eq!(told(desk), [(STEPPED, Severity::Critical)]);
    }
}

#[test]
fn a_battery_clock_that_another_system_keeps_in_local_time_is_no_grave_matter_and_only_after_the_start() {
    let set_right = |desk: &mut Desk, by: i64| {
        quiet(desk);
        desk.set(by);
        told(desk)
    };
    // The battery clock shows 8 hours more than UTC, and was taken for it.
    assert_eq!(set_right(&mut Desk::new().with_battery(0), -8 * 3600 - 40), [(STEPPED, Severity::Medium)]);
    assert_eq!(set_right(&mut Desk::new().with_battery(0), -9 * 3600), [(STEPPED, Severity::Critical)]);
    assert_eq!(set_right(&mut Desk::new().with_battery(0), 8 * 3600), [(STEPPED, Severity::Critical)]);
    assert_eq!(set_right(&mut Desk::new(), -8 * 3600), [(STEPPED, Severity::Critical)], "without a battery clock");
    assert_eq!(set_right(&mut Desk::new().with_battery(-3600), -8 * 3600), [(STEPPED, Severity::Critical)], "which shows something else");
    assert_eq!(
        set_right(&mut Desk::new().just_up(4000).with_battery(0), -8 * 3600),
        [(STEPPED, Severity::Critical)],
        "an hour after the start"
    );
    let mut utc = Desk::new().with_battery(0);
    utc.local = 0;
    assert_eq!(set_right(&mut utc, -30), [(STEPPED, Severity::Medium)]);
}

#[test]
fn a_virtual_machine_that_was_held_is_put_forward_and_not_back() {
    let mut desk = Desk::new().hosted().with_battery(0);
    quiet(&mut desk);
    // What it runs on held it for two hours; its battery clock went on.
    desk.set_battery(7200);
    desk.run(60);
    quiet(&mut desk);
    desk.set(7200);
    assert_eq!(told(&mut desk), [(STEPPED, Severity::Low)]);
    assert_eq!(results(&mut desk, "clock.host"), ["terminal virtual machine"]);
    let mut back = Desk::new().hosted().with_battery(0);
    quiet(&mut back);
    back.set(-7200);
    assert_eq!(told(&mut back), [(STEPPED, Severity::Critical)]);
    let mut away = Desk::new().hosted();
    away.served(0);
    quiet(&mut away);
    away.run(300);
    away.set(7200);
    assert_eq!(told(&mut away), [(STEPPED, Severity::Critical)], "the servers know better");
    let mut battery = Desk::new().hosted().with_battery(0);
    quiet(&mut battery);
    battery.set_battery(-7200);
    battery.run(60);
    assert_eq!(told(&mut battery), [(FindingCode::ClockRtcChanged, Severity::Medium)]);
}

#[test]
fn time_daemons_that_follow_a_poor_server_or_are_not_configured_vouch_as_any_other() {
    for name in ["phc2sys", "ntp-daemon", "chronyd"] {
        let mut desk = Desk::new().running(&[name]);
        quiet(&mut desk);
        desk.run(20);
        desk.set(600);
        quiet(&mut desk);
        desk.run(3);
        desk.vouch();
        // Windows claims no better.
        desk.keeping.as_mut().expect("told").maxerror_us = 3_000_000;
        quiet(&mut desk);
        desk.run(60);
        quiet(&mut desk);
    }
    let mut desk = Desk::new().running(&["chronyd"]);
    quiet(&mut desk);
    desk.set(600);
    desk.vouch();
    desk.keeping.as_mut().expect("told").maxerror_us = 6_000_000;
    quiet(&mut desk);
    desk.run(10);
    assert_eq!(told(&mut desk), [(STEPPED, Severity::High)], "that vouches for nothing");
}

#[test]
fn a_leap_second_among_steps_is_not_counted_as_one() {
    // By how much, the kernel's state, and what UTC and the atoms' time differ by.
    for (by, leap, tai_s, leaps) in [
        (-SECOND, 3, 37, true),
        (-SECOND, 1, 37, true),
        (-SECOND, 0, 38, true),
        (-SECOND, 0, 37, false),
        (-SECOND, 5, 37, false),
        (-SECOND * 3 / 2, 3, 38, false),
    ] {
        let mut desk = Desk::new();
        quiet(&mut desk);
        desk.set(7200);
        assert_eq!(told(&mut desk).len(), 1);
        desk.run(10);
        desk.moment.real += by;
        let keeping = desk.keeping.as_mut().expect("told");
        (keeping.leap, keeping.tai_s) = (leap, tai_s);
        desk.look();
        desk.run(10);
        assert_eq!(results(&mut desk, "clock.steps").len(), usize::from(!leaps), "{by} {leap} {tai_s}");
        assert_eq!(results(&mut desk, "clock.step") == ["terminal forward 7200.000 s"], leaps, "{by} {leap} {tai_s}");
        desk.set(10);
        desk.look();
        desk.run(10);
        assert_eq!(results(&mut desk, "clock.step") == ["terminal forward 7210.000 s"], leaps, "{by} {leap} {tai_s}");
    }
}

#[test]
fn the_kernels_word_counts_only_where_it_says_that_the_clock_is_kept() {
    let mut desk = Desk::new().running(&["chronyd"]);
    quiet(&mut desk);
    desk.set(600);
    let keeping = desk.keeping.as_mut().expect("told");
    (keeping.status, keeping.maxerror_us) = (libc::STA_UNSYNC, 20_000);
    quiet(&mut desk);
    desk.run(10);
    assert_eq!(told(&mut desk), [(STEPPED, Severity::High)]);
}

#[test]
fn another_time_zone_was_there_before_if_it_was_so_at_the_first_look_and_ever_since() {
    let zone = |now: &str| Zone { enrolled: Some("Asia/Shanghai".to_owned()), now: Some(now.to_owned()), same_rules: None };
    let origins = |now: [&str; 4]| {
        let mut desk = Desk::new();
        now.map(|now| {
            desk.zone = zone(now);
            desk.run(60);
            desk.look().first().map(|found| found.origin)
        })
    };
    let (same, other) = ("Asia/Shanghai", "Asia/Tokyo");
    let (before, here) = (Some(Origin::PreExisting), Some(Origin::LocalChange));
    assert_eq!(origins([other, other, same, other]), [before, before, None, here]);
    assert_eq!(origins([same, other, other, same]), [None, here, here, None]);
}

#[test]
fn a_hand_that_tells_the_kernel_that_the_clock_is_right_makes_nothing_right() {
    let mut desk = Desk::new();
    quiet(&mut desk);
    desk.set(7200);
    desk.vouch();
    assert_eq!(told(&mut desk), [(STEPPED, Severity::Critical)]);
    desk.run(61);
    assert_eq!(told(&mut desk), [(STEPPED, Severity::Critical)], "it is not over");
    assert_eq!(results(&mut desk, "clock.right"), [""; 0]);
}

#[test]
fn the_audit_names_who_set_the_clock_at_once_or_later() {
    let mut desk = Desk::new();
    quiet(&mut desk);
    desk.set(7200);
    desk.named(Changed::Time, "/usr/bin/date");
    assert_eq!(told(&mut desk), [(STEPPED, Severity::Critical)]);
    assert_eq!(results(&mut desk, "clock.program"), ["date login 1000"]);
    let mut late = Desk::new();
    quiet(&mut late);
    late.set(7200);
    assert_eq!(results(&mut late, "clock.program"), [""; 0]);
    late.run(60);
    late.named(Changed::Time, "/usr/bin/date");
    assert_eq!(results(&mut late, "clock.program"), ["date login 1000"]);
    late.run(60);
    assert_eq!(results(&mut late, "clock.program"), ["date login 1000"], "it stays");
    let mut rate = Desk::new();
    quiet(&mut rate);
    rate.tick(11_000);
    rate.named(Changed::Rate, "/usr/sbin/adjtimex");
    assert_eq!(results(&mut rate, "clock.program"), ["adjtimex login 1000"]);
}

#[test]
fn whom_the_audit_names_nobody_excuses_and_a_time_daemon_is_excused() {
    // A time daemon runs and vouches for the clock right after somebody set it.
    let mut hand = Desk::new().kept_by("chronyd");
    quiet(&mut hand);
    hand.run(60);
    hand.set(7200);
    hand.named(Changed::Time, "/usr/bin/date");
    assert_eq!(told(&mut hand), [(STEPPED, Severity::Critical)], "at once: there is nothing to wait for");
    let mut over = Desk::new().running(&["chronyd"]);
    quiet(&mut over);
    over.set(7200);
    over.vouch();
    over.named(Changed::Time, "/usr/bin/date");
    assert_eq!(told(&mut over), [(STEPPED, Severity::Critical)]);
    over.run(61);
    over.look();
    over.run(61);
    quiet(&mut over);
    // One that ends when it has set the clock and vouches for nothing.
    let mut once = Desk::new();
    quiet(&mut once);
    once.set(600);
    once.named(Changed::Time, "/usr/sbin/chronyd");
    quiet(&mut once);
    let mut false_name = Desk::new();
    quiet(&mut false_name);
    false_name.set(600);
    false_name.named(Changed::Time, "/tmp/chronyd");
    assert_eq!(told(&mut false_name), [(STEPPED, Severity::High)]);
    let mut kept = Desk::new().kept_by("chronyd");
    quiet(&mut kept);
    kept.set(7200);
    kept.named(Changed::Time, "/usr/sbin/chronyd");
    let found = kept.look();
    assert_eq!((found[0].severity, found[0].origin), (Severity::Info, Origin::Upstream));
    // The settlement program; beside it anybody else.
    let mut allowed = Desk::new();
    quiet(&mut allowed);
    allowed.set(600);
    allowed.named(Changed::Time, "/opt/his/his-client");
    assert_eq!(told(&mut allowed), [(STEPPED, Severity::Low)]);
    let mut beside = Desk::new().running(&["his-client"]);
    quiet(&mut beside);
    beside.set(600);
    beside.named(Changed::Time, "/usr/bin/date");
    assert_eq!(told(&mut beside), [(STEPPED, Severity::High)]);
    // Who corrects the tick is excused by name alone; the rate that a hand set is not.
    let mut rate = Desk::new();
    quiet(&mut rate);
    rate.tick(11_000);
    rate.named(Changed::Rate, "/usr/sbin/chronyd");
    quiet(&mut rate);
}

#[test]
fn in_a_storm_programs_are_looked_for_at_its_beginning_and_when_it_is_over() {
    let mut desk = Desk::new().running(&["his-client"]);
    quiet(&mut desk);
    for _ in 0..200 {
        desk.set(5);
        assert_eq!(told(&mut desk).len(), 1);
        desk.run(1);
    }
    let walks = desk.walks;
    assert!(walks <= 2, "{walks}: once at the first look, once at the first step");
    desk.run(5);
    desk.look();
    assert_eq!(desk.walks, walks + 1);
    desk.set(-7200);
    desk.look();
    assert_eq!(desk.walks, walks + 1, "it goes on");
}

#[test]
fn a_time_daemon_that_was_started_a_moment_ago_is_seen() {
    let mut desk = Desk::new();
    quiet(&mut desk);
    desk.set(1);
    quiet(&mut desk);
    assert_eq!(desk.walks, 0, "too small to be told");
    desk.set(1000);
    assert_eq!(told(&mut desk), [(STEPPED, Severity::High)]);
    let mut again = Desk::new();
    quiet(&mut again);
    again.set_by(SECOND * 19 / 10);
    quiet(&mut again);
    again = again.running(&["chronyd"]);
    again.run(1);
    again.set(3600);
    quiet(&mut again);
    again.run(2);
    again.vouch();
    quiet(&mut again);
}

#[test]
fn a_battery_clock_that_stands_still_or_is_said_to_be_local_is_nobodys_act() {
    let mut broken = Desk::new().with_battery(-900);
    quiet(&mut broken);
    for _ in 0..40 {
        broken.run(60);
        broken.set_battery(-60);
        quiet(&mut broken);
    }
    let local = 8 * 3600;
    let mut told_so = Desk::new().with_battery(0).with_local_battery();
    quiet(&mut told_so);
    told_so.run(60);
    told_so.set_battery(local);
    quiet(&mut told_so);
    let mut not_told = Desk::new().with_battery(0);
    quiet(&mut not_told);
    not_told.run(60);
    not_told.set_battery(local);
    assert_eq!(told(&mut not_told), [(FindingCode::ClockRtcChanged, Severity::Medium)], "the next start would be 8 hours on");
}

#[test]
fn months_of_drift_and_a_second_battery_clock_are_judged_by_what_they_are() {
    let with = |desk: Desk, behind: i64, up_days: u64| {
        let mut last = desk.stamp();
        last.boot_id = "other".to_owned();
        last.boottime_ms = up_days * 86_400_000;
        last.wall = jiff::Timestamp::from_nanosecond((desk.moment.real + behind * SECOND).into()).expect("in range");
        desk.after(Past { last: Some(last), boot_id: "this".to_owned(), ..Past::default() })
    };
    let rebooted = |behind, up_days| with(Desk::new().with_battery(0), behind, up_days);
    quiet(&mut rebooted(900, 90));
    assert_eq!(told(&mut rebooted(900, 10)).len(), 1);
    assert_eq!(told(&mut rebooted(2_000, 90)).len(), 1);
    assert_eq!(told(&mut with(Desk::new().with_battery(0).with_dead_second(), 900, 10)).len(), 1);
}

#[test]
fn a_change_that_left_the_clock_right_is_a_hint_once_the_servers_have_said_so() {
    let desk = Desk::new();
    let mut last = desk.stamp();
    last.boottime_ms -= 60_000;
    let mut desk = desk.after(Past { last: Some(last), boot_id: "this".to_owned(), ..Past::default() });
    assert_eq!(told(&mut desk), [(FindingCode::ClockOfflineChange, Severity::High)]);
    let mut wrong = desk.clone();
    desk.run(30);
    desk.served(1);
    assert_eq!(told(&mut desk), [(FindingCode::ClockOfflineChange, Severity::Info)]);
    wrong.run(30);
    wrong.served(-60);
    assert_eq!(told(&mut wrong), [(FindingCode::ClockOfflineChange, Severity::High)]);
}
