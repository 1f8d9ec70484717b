use super::super::desk::{Desk, MORNING};
use super::super::judge::{HOUR, SECOND};
use super::*;

/// Size and severity of what is told.
fn told(desk: &mut Desk) -> Vec<(String, Severity)> {
    let found = desk.look();
    assert!(found.iter().all(|finding| finding.code == FindingCode::ClockStepped), "{found:?}");
    found.iter().map(|finding| (finding.evidence[0].result.clone(), finding.severity)).collect()
}

fn results(desk: &mut Desk, key: &str) -> Vec<String> {
    desk.look().iter().flat_map(|f| &f.evidence).filter(|line| line.k == key).map(|line| line.result.clone()).collect()
}

fn quiet(desk: &mut Desk) {
    assert_eq!(told(desk), []);
}

#[test]
fn a_step_is_told_at_once_with_its_exact_size_where_no_time_daemon_runs() {
    let mut desk = Desk::new();
    quiet(&mut desk);
    desk.run(10);
    desk.set_by(86_399 * SECOND + 412_000_000);
    assert_eq!(told(&mut desk), [("forward 86399.412 s".to_owned(), Severity::Critical)]);
    let found = desk.look();
    assert_eq!((found[0].origin, &found[0].subject), (Origin::LocalChange, &Subject::Terminal));
    for key in ["clock.by", "clock.kept-before"] {
        assert_eq!(results(&mut desk, key).len(), 1);
    }
    desk.run(60);
    assert_eq!(desk.look(), found, "nothing changes while nothing happens");
}

#[test]
fn four_hundred_days_back_and_a_small_step_have_their_weight() {
    for (by, size, severity) in [
        (-400 * 86_400, "back 34560000.000 s", Severity::Critical),
        (-3, "back 3.000 s", Severity::Medium),
        (2, "forward 2.000 s", Severity::Medium),
        (300, "forward 300.000 s", Severity::High),
        (3_600, "forward 3600.000 s", Severity::Critical),
    ] {
        let mut desk = Desk::new();
        quiet(&mut desk);
        desk.set(by);
        assert_eq!(told(&mut desk), [(size.to_owned(), severity)]);
    }
}

#[test]
fn another_day_is_grave_and_seconds_around_midnight_are_not() {
    // Seconds before midnight in China.
    for (before, by, severity) in [(120, 180, Severity::Critical), (20, 30, Severity::Medium), (120, -180, Severity::High)] {
        let mut desk = Desk::new();
        desk.moment.real = MORNING + 10 * HOUR - before * SECOND;
        quiet(&mut desk);
        desk.set(by);
        assert_eq!(told(&mut desk)[0].1, severity, "{by}");
    }
}

#[test]
fn what_sets_nothing_is_silent() {
    let mut desk = Desk::new();
    quiet(&mut desk);
    for by in [0, SECOND / 1000, SECOND / 100, -SECOND / 100, SECOND, -SECOND] {
        desk.set_by(by);
        quiet(&mut desk);
        desk.run(5);
    }
    desk.sleep(8 * 3600);
    quiet(&mut desk);
    desk.sleep(60);
    desk.set_by(-SECOND * 3 / 2);
    quiet(&mut desk);
    // Clocks drift apart while it sleeps; whoever sets one meanwhile is told of.
    desk.sleep(20_000);
    desk.set(5);
    quiet(&mut desk);
    let mut set = desk.clone();
    set.sleep(20_000);
    set.set(7200);
    assert_eq!(told(&mut set).len(), 1);
    // Summer time begins: the hour changes, the clock does not.
    desk.local += HOUR;
    desk.run(60);
    quiet(&mut desk);
}

#[test]
fn a_leap_second_is_silent_however_small_a_step_is_told() {
    let mut desk = Desk::new().kept_by("chronyd");
    quiet(&mut desk);
    desk.run(60);
    desk.moment.real -= SECOND;
    let keeping = desk.keeping.as_mut().expect("told");
    (keeping.leap, keeping.tai_s) = (3, 38);
    quiet(&mut desk);
    assert!(desk.judged().again == crate::watch::MINUTE);
}

#[test]
fn a_time_daemon_that_vouches_at_once_or_within_seconds_is_silent() {
    for by in [5, -5, 86_400] {
        let mut desk = Desk::new().running(&["systemd-timesyncd"]);
        quiet(&mut desk);
        desk.run(20);
        desk.set(by);
        quiet(&mut desk);
        assert!(desk.judged().again <= std::time::Duration::from_secs(10), "it is looked at again soon");
        desk.run(2);
        desk.vouch();
        quiet(&mut desk);
        desk.run(60);
        quiet(&mut desk);
    }
}

#[test]
fn a_step_that_no_time_daemon_vouches_for_is_told_after_ten_seconds() {
    for desk in [Desk::new().kept_by("chronyd"), Desk::new().running(&["systemd-timesyncd"]), Desk::new().blind()] {
        let mut desk = desk;
        quiet(&mut desk);
        desk.set(3_600);
        quiet(&mut desk);
        desk.run(2);
        quiet(&mut desk);
        desk.run(8);
        assert_eq!(told(&mut desk), [("forward 3600.000 s".to_owned(), Severity::Critical)]);
    }
}

#[test]
fn whom_the_kernel_does_not_tell_of_is_not_accused() {
    let mut desk = Desk::new().running(&["chronyd"]);
    desk.keeping = None;
    quiet(&mut desk);
    desk.set(3_600);
    desk.run(60);
    quiet(&mut desk);
    desk.run(60);
    quiet(&mut desk);
}

#[test]
fn an_hour_by_the_servers_of_a_time_daemon_that_kept_the_clock_is_a_hint_from_outside() {
    let mut desk = Desk::new().kept_by("chronyd");
    quiet(&mut desk);
    desk.run(60);
    quiet(&mut desk);
    desk.set(7_200);
    desk.vouch();
    let found = desk.look();
    assert_eq!((found[0].severity, found[0].origin), (Severity::Info, Origin::Upstream));
    desk.run(60);
    desk.look();
    desk.run(60);
    quiet(&mut desk);
}

#[test]
fn opposite_steps_are_one_incident_that_says_so_and_ends() {
    let mut desk = Desk::new();
    quiet(&mut desk);
    desk.set(86_400);
    assert_eq!(told(&mut desk).len(), 1);
    desk.run(20);
    desk.set(-86_400);
    desk.look();
    desk.run(6);
    assert_eq!(told(&mut desk), [("forward 86400.000 s".to_owned(), Severity::Critical)]);
    assert_eq!(results(&mut desk, "clock.after"), ["set back"]);
    desk.run(60);
    quiet(&mut desk);
}

#[test]
fn it_ends_when_a_time_daemon_vouches_again_and_in_any_case_after_half_an_hour() {
    let mut desk = Desk::new().kept_by("chronyd");
    quiet(&mut desk);
    desk.set(3_600);
    desk.look();
    desk.run(10);
    assert_eq!(told(&mut desk).len(), 1);
    desk.set(-3_600);
    desk.vouch();
    desk.run(60);
    desk.look();
    desk.run(60);
    quiet(&mut desk);

    let mut desk = Desk::new();
    quiet(&mut desk);
    desk.set(3_600);
    for _ in 0..29 {
        assert_eq!(told(&mut desk).len(), 1);
        desk.run(60);
    }
    desk.run(60);
    quiet(&mut desk);
}

#[test]
fn a_thousand_steps_are_one_finding_with_few_changes() {
    let mut desk = Desk::new();
    quiet(&mut desk);
    let mut changes = 0;
    let mut before = Vec::new();
    for n in 0..1000 {
        desk.set(if n % 3 == 0 { -90 } else { 60 });
        desk.moment.real += SECOND / 5;
        desk.moment.boot += SECOND / 5;
        desk.moment.mono += SECOND / 5;
        desk.moment.raw += SECOND / 5;
        let found = desk.look();
        assert_eq!(found.len(), 1);
        changes += usize::from(found != before);
        before = found;
    }
    assert!(changes <= 14, "{changes} records");
    desk.run(5);
    assert_eq!(results(&mut desk, "clock.steps"), ["1000 times"]);
    assert_eq!(results(&mut desk, "clock.step"), [by(1000 / 3 * 30 * SECOND - 90 * SECOND)]);
}

#[test]
fn many_small_steps_count_together_and_one_each_morning_does_not() {
    let mut desk = Desk::new();
    quiet(&mut desk);
    desk.set_by(SECOND * 3 / 2);
    quiet(&mut desk);
    desk.run(60);
    desk.set_by(SECOND * 3 / 2);
    assert_eq!(told(&mut desk), [("forward 3.000 s".to_owned(), Severity::Medium)]);
    assert_eq!(results(&mut desk, "clock.steps"), ["2 times"]);

    let mut desk = Desk::new();
    for _ in 0..20 {
        quiet(&mut desk);
        desk.set_by(SECOND * 3 / 2);
        quiet(&mut desk);
        desk.run(24 * 3600);
    }
}

#[test]
fn a_clock_that_the_battery_lost_is_put_right_without_a_word() {
    let mut desk = Desk::new();
    desk.moment.real = 1_262_304_000 * SECOND;
    quiet(&mut desk);
    desk.set(532_000_000);
    quiet(&mut desk);
    desk.set(532_000);
    assert_eq!(told(&mut desk).len(), 1, "what is set after that is told");
    let mut from_wrong_to_wrong = Desk::new();
    from_wrong_to_wrong.moment.real = 1_262_304_000 * SECOND;
    quiet(&mut from_wrong_to_wrong);
    from_wrong_to_wrong.set(864_000);
    assert_eq!(told(&mut from_wrong_to_wrong).len(), 1, "nothing was put right");
}

#[test]
fn a_step_to_what_a_time_daemon_last_vouched_for_is_a_hint_only() {
    let mut desk = Desk::new().kept_by("chronyd");
    quiet(&mut desk);
    desk = desk.running(&[]);
    desk.set(86_400);
    assert_eq!(told(&mut desk)[0].1, Severity::Critical);
    for _ in 0..31 {
        desk.run(60);
        desk.look();
    }
    quiet(&mut desk);
    desk.set(-86_400);
    assert_eq!(told(&mut desk), [("back 86400.000 s".to_owned(), Severity::Info)]);
    assert_eq!(results(&mut desk, "clock.right"), ["+0 s"]);
}

#[test]
fn a_program_that_is_allowed_to_set_the_clock_weighs_little_below_an_hour() {
    for (by, severity) in [(120, Severity::Low), (86_400, Severity::Critical)] {
        let mut desk = Desk::new().running(&["his-client"]);
        quiet(&mut desk);
        desk.set(by);
        assert_eq!(told(&mut desk)[0].1, severity);
        assert_eq!(results(&mut desk, "clock.by"), ["may be his-client"]);
        let before = desk.look();
        desk = desk.blind();
        desk.run(60);
        assert_eq!(desk.look(), before, "it was there when it mattered");
    }
}

#[test]
fn a_step_to_the_time_of_the_servers_is_a_hint_and_ends_soon_and_one_away_from_it_is_none() {
    let mut desk = Desk::new();
    desk.served(-86_401);
    quiet(&mut desk);
    desk.run(300);
    quiet(&mut desk);
    desk.set(-86_400);
    assert_eq!(told(&mut desk), [("back 86400.000 s".to_owned(), Severity::Info)]);
    assert_eq!(results(&mut desk, "clock.server"), ["-1 s"]);
    desk.run(61);
    quiet(&mut desk);
    desk.set(7_200);
    assert_eq!(told(&mut desk), [("forward 7200.000 s".to_owned(), Severity::Critical)]);
    assert_eq!(results(&mut desk, "clock.server"), ["-7201 s"]);
    desk.run(60);
    desk.served(-7_201);
    let before = desk.look();
    desk.run(60);
    desk.served(-7_200);
    assert_eq!(desk.look(), before, "whole seconds make no record");
}

#[test]
fn a_few_seconds_at_a_clock_that_was_wrong_all_along_are_no_more_than_that() {
    let mut desk = Desk::new();
    desk.served(86_400);
    quiet(&mut desk);
    desk.run(60);
    desk.set(-5);
    assert_eq!(told(&mut desk), [("back 5.000 s".to_owned(), Severity::Medium)]);
}

#[test]
fn what_the_servers_said_while_the_clock_was_set_is_not_believed() {
    let mut desk = Desk::new();
    quiet(&mut desk);
    desk.run(300);
    // Asked before and written down after: it looks as if the new time were right.
    desk.set(86_400);
    desk.served(0);
    assert_eq!(told(&mut desk), [("forward 86400.000 s".to_owned(), Severity::Critical)]);
    assert_eq!(results(&mut desk, "clock.server"), [""; 0]);
    desk.run(300);
    desk.served(-86_400);
    assert_eq!(told(&mut desk)[0].1, Severity::Critical);
}

#[test]
fn a_step_stands_in_a_run_as_long_as_it_does_over_a_restart() {
    for code in [FindingCode::ClockStepped, FindingCode::ClockOfflineChange, FindingCode::ClockRtcChanged] {
        assert_eq!(code.stands().map(|time| time.as_nanos()), u128::try_from(STANDS).ok(), "{code:?}");
    }
}
