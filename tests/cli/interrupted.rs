//! A round that is disturbed while it runs: by a signal, by an interface that goes away. The progress line on a terminal tells when it runs.

use crate::ground::{Ground, has};
use isonet::sys::screen::CLEAR;

#[test]
fn a_signal_ends_it_at_once_and_gives_the_line_back() {
    for (signal, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let Some(ground) = Ground::black_hole().filter(|_| has("script")) else { return };
        let ran = ground.watched(&format!("kill -{signal} $pid"));
        ran.assert_status(status).assert_no_panic();
        assert!(ran.out.ends_with(CLEAR) && !ran.out.contains('{'), "{signal}: {ran:?}");
    }
}

#[test]
fn an_interface_that_vanishes_during_the_round_is_no_panic() {
    let Some(ground) = Ground::black_hole().filter(|_| has("script")) else { return };
    let ran = ground.watched("ip link delete t0");
    ran.assert_no_panic();
    assert!(matches!(ran.status, Some(20 | 40)), "{ran:?}");
    assert!(ran.out.contains("\"schema\": \"diagnosis/1\""), "{ran:?}");
}
