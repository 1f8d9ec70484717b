use super::super::desk::{Desk, MORNING};
use super::*;
use crate::sys::clock::Moment;

const DAY: i64 = 86_400;

/// A PC as it was when the last sign of life was written: `ran` seconds ago by the same boot.
fn restarted(desk: &Desk, seconds: i64) -> Past {
    let mut before = desk.clone();
    before.moment.boot -= seconds * SECOND;
    before.moment.real -= seconds * SECOND;
    Past { last: Some(before.stamp()), boot_id: "this".to_owned(), ..Past::default() }
}

/// The last sign of life of an earlier boot: the clock is behind it by so many seconds now.
fn rebooted(desk: &Desk, behind: i64) -> Past {
    let mut before = desk.clone();
    before.moment.real += behind * SECOND;
    Past { last: Some(before.stamp()), boot_id: "other".to_owned(), ..Past::default() }
}

fn told(desk: &mut Desk) -> Vec<(String, Severity)> {
    let found = desk.look();
    assert!(
        found.iter().all(|finding| finding.code == FindingCode::ClockOfflineChange && finding.origin == Origin::PreExisting),
        "{found:?}"
    );
    found.iter().map(|finding| (finding.evidence[0].result.clone(), finding.severity)).collect()
}

fn quiet(desk: Desk) {
    let mut desk = desk;
    for _ in 0..20 {
        assert_eq!(told(&mut desk), []);
        desk.run(60);
    }
}

#[test]
fn within_one_boot_the_size_is_exact() {
    for (by, size, severity) in [
        (DAY, "forward 86400.000 s", Severity::Critical),
        (-400 * DAY, "back 34560000.000 s", Severity::Critical),
        (90, "forward 90.000 s", Severity::High),
        (-2, "back 2.000 s", Severity::Medium),
    ] {
        let mut desk = Desk::new();
        let past = restarted(&desk, 300);
        desk.set(by);
        let mut desk = desk.after(past);
        assert_eq!(told(&mut desk), [(size.to_owned(), severity)]);
        desk.run(60);
        assert_eq!(told(&mut desk).len(), 1);
        for _ in 0..31 {
            desk.run(60);
            desk.look();
        }
        assert_eq!(told(&mut desk), [], "it does not stand for ever");
    }
}

#[test]
fn a_restart_a_nap_and_a_first_run_are_silent() {
    let desk = Desk::new();
    let past = restarted(&desk, 300);
    quiet(desk.clone().after(past.clone()));
    let mut slept = desk.clone();
    slept.sleep(8 * 3600);
    quiet(slept.after(past));
    quiet(desk.clone().after(Past { boot_id: "this".to_owned(), ..Past::default() }));
    let nameless = Past { boot_id: String::new(), ..rebooted(&desk, DAY) };
    quiet(desk.after(nameless));
}

#[test]
fn what_a_time_daemon_did_meanwhile_is_silent_and_it_is_given_time() {
    let mut desk = Desk::new().running(&["chronyd"]);
    let past = restarted(&desk, 300);
    desk.set(DAY);
    let mut waiting = desk.clone().after(past.clone());
    assert_eq!(told(&mut waiting), []);
    waiting.run(10);
    assert_eq!(told(&mut waiting).len(), 1, "nobody vouched for it");
    desk.vouch();
    quiet(desk.after(past));
}

#[test]
fn a_clock_behind_the_last_sign_of_life_went_back() {
    let desk = Desk::new().with_battery(0);
    let past = Past { firmware: Some(MORNING - 4000 * DAY * SECOND), ..rebooted(&desk, 30 * DAY) };
    let mut desk = desk.after(past);
    assert_eq!(told(&mut desk), [("back 2592000.000 s or more".to_owned(), Severity::Critical)]);
    assert!(desk.look()[0].evidence.iter().any(|line| line.result == "another boot"));
}

#[test]
fn a_clock_ahead_may_always_be_right() {
    let desk = Desk::new().with_battery(0);
    let past = rebooted(&desk, -400 * DAY);
    quiet(desk.after(past));
}

#[test]
fn a_time_daemon_has_five_minutes_after_a_boot() {
    let mut desk = Desk::new().running(&["systemd-timesyncd"]).with_battery(0);
    (desk.moment.boot, desk.moment.mono, desk.moment.raw) = (20 * SECOND, 20 * SECOND, 20 * SECOND);
    let past = rebooted(&desk, 1000);
    let mut late = desk.clone().after(past.clone());
    for _ in 0..4 {
        assert_eq!(told(&mut late), []);
        late.run(60);
    }
    late.run(60);
    assert_eq!(told(&mut late).len(), 1);
    let mut soon = desk.after(past);
    assert_eq!(told(&mut soon), []);
    soon.run(30);
    soon.set(2000);
    soon.vouch();
    quiet(soon);
}

#[test]
fn a_dead_battery_and_a_nightly_mains_cut_are_silent() {
    let old = |year: i64| MORNING - (2026 - year) * 365 * DAY * SECOND;
    // The battery clock begins anew in 2010; or where the firmware was made.
    let at = |real: i64| {
        let mut desk = Desk::new();
        desk.moment = Moment { real, boot: 30 * SECOND, mono: 30 * SECOND, raw: 30 * SECOND };
        desk.with_battery(0)
    };
    let anchored = |firmware| Past { firmware, ..rebooted(&Desk::new(), 0) };
    quiet(at(old(2010)).after(anchored(None)));
    quiet(at(old(2025) + 30 * SECOND).after(anchored(Some(old(2025)))));
    // The next morning the battery clock is right, or some minutes behind.
    quiet(at(MORNING + 8 * 3600 * SECOND).after(anchored(None)));
    quiet(at(MORNING - 100 * SECOND).after(anchored(None)));
    assert_eq!(told(&mut at(old(2025)).after(anchored(Some(old(2014))))).len(), 1, "and this is none");
}

#[test]
fn a_clock_that_was_taken_up_from_a_file_is_silent() {
    let hour = 3600 * SECOND;
    let mut desk = Desk::new().with_battery(-300 * DAY);
    (desk.moment.boot, desk.moment.mono, desk.moment.raw) = (30 * SECOND, 30 * SECOND, 30 * SECOND);
    desk = desk.with_battery(-300 * DAY);
    // The file was last written an hour before the mains went.
    let past = Past { files: vec![desk.moment.real - 25 * SECOND], ..rebooted(&desk, 3600) };
    quiet(desk.clone().after(past.clone()));
    // On a board without a battery clock as well; but where the battery clock is as late, the time comes from it.
    let mut boards = Desk::new();
    boards.moment = desk.moment;
    quiet(boards.after(past.clone()));
    assert_eq!(told(&mut desk.clone().with_battery(0).after(past.clone())).len(), 1);
    let other = Past { files: vec![desk.moment.real - 5 * hour], ..past };
    assert_eq!(told(&mut desk.after(other)).len(), 1, "that file was not taken up now");
}

#[test]
fn a_battery_clock_in_local_time_is_silent_as_far_as_local_time_reaches() {
    let desk = Desk::new().with_battery(8 * 3600);
    quiet(desk.clone().after(rebooted(&desk, 7 * 3600)));
    assert_eq!(told(&mut desk.clone().after(rebooted(&desk, 9 * 3600))).len(), 1);
    let told_so = Desk::new().with_battery(0);
    quiet(told_so.clone().after(Past { local_battery: true, ..rebooted(&told_so, 8 * 3600) }));
    assert_eq!(told(&mut told_so.clone().after(rebooted(&told_so, 8 * 3600))).len(), 1);
}
