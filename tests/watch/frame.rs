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
