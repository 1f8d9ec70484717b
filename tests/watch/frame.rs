//! What holds for all watchers.

use crate::ground::Ground;
use std::time::Duration;

/// Nothing happens, before and after enrolment: nothing is found, and no record says otherwise.
#[test]
fn a_terminal_to_which_nothing_happens_is_accused_of_nothing() {
    let Some(ground) = Ground::new() else { return };
    ground.configure("");
    for enrolled in [false, true] {
        if enrolled {
            ground.enroll();
        }
        let daemon = ground.watch();
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(daemon.brief(), Vec::<String>::new(), "enrolled: {enrolled}");
        daemon.stop();
    }
}

/// Nobody tells the daemon of an enrolment: it finds out by itself within a minute, and from then on tells what it finds.
#[test]
fn an_enrolment_beside_a_running_daemon_is_noticed() {
    let Some(ground) = Ground::new() else { return };
    ground.configure("[rules]\nset = \"example\"");
    let daemon = ground.watch();
    ground.here("hostname till-7");
    assert_eq!(daemon.brief(), Vec::<String>::new(), "nobody is accused before");
    ground.enroll();
    let noticed = || daemon.errors().contains("the configuration was read again").then_some(());
    crate::ground::wait_for("the enrolment to be noticed", Duration::from_secs(90), noticed);
    ground.here("hostname till-8");
    // Whether the watcher has looked in between, and so where it came from, is left open.
    daemon.sees("settings.hostname", "opened", Duration::from_secs(30), |_| true);
    daemon.stop();
}
