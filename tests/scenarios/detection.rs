//! How soon an outage is known, at the very worst: the goals of detection as arithmetic over the engine's own schedule.
//!
//! Staged at every moment of the schedule, with looks that always take as long as they may. What real machines add on top (the kernel, the
//! disk, a busy processor) has to fit into what is left of the goal: a second of twenty, and a second of fifteen behind a VPN.
//!
//! ```text
//! just after a pulse has passed                              0.0 s
//! the next one begins, an interval later, and waits         15.0 s   ( 9.0 s behind a VPN)
//! a round begins beside it                                  15.7 s   ( 9.7 s)
//! the pulse has waited for its patience: first failure      17.0 s   (11.0 s); the second pulse begins
//! the round has waited for its: second failure, a cause     18.9 s   (12.9 s)
//! the second pulse: third failure, an incident              19.0 s   (13.0 s)
//! ```

use super::play::{Scenario, Written};
use isonet::model::Phase;
use std::fmt::Write;

/// Between two moments at which the fault is staged, seconds. Uneven, so that they do not all fall on the same side of a deadline.
const STEP: f64 = 0.17;
const BEHIND_VPN: &str = "[[vpn]]\nname = 'inner'\nkind = 'wireguard'\ninterface = 'wg0'\nserver = '192.0.2.1:51820'\n\
    [[centre]]\nname = 'settlement'\nhost = '10.0.0.1'\ntcp = [443]\nvia = 'inner'\n";
const HEALTHY: &str = "[[from]]\ns = 0\nsettlement = 'ok'\n";
/// An outage of another cause that has been resolved a moment ago.
const AFTER_AN_OUTAGE: &str = "[[from]]\ns = 0\nsettlement = 'ok'\n[[from]]\ns = 100\nsettlement = 'tcp.refused proven'\n\
    [[from]]\ns = 140\nsettlement = 'ok'\n";
/// What comes before; from when to when the fault is staged; at how many places of the interval, a second apart, this terminal looks.
const TIMES: [(&str, &str, f64, f64, u8); 3] = [
    ("in calm", HEALTHY, 60.0, 76.0, 1),
    ("about a round in calm", HEALTHY, 299.0, 318.0, 15),
    ("after an outage", AFTER_AN_OUTAGE, 145.0, 195.0, 1),
];
/// A fault that is silence, and one that is an answer.
const FAULTS: [&str; 2] = ["centre.outage likely", "http.error proven"];

/// How long it takes until a fault is known that is staged at `staged`.
fn known_after(config: &str, before: &str, booted: f64, staged: f64, fault: &str) -> f64 {
    let mut text = format!("about = 'at any moment'\nrecords = []\nbooted = {booted:?}\nuntil = {:?}\n", staged + 30.0);
    write!(text, "config = \"\"\"\n{config}\"\"\"\n{before}[[from]]\ns = {staged:?}\nsettlement = '{fault}'\n").unwrap();
    let scenario: Scenario = toml::from_str(&text).unwrap();
    let known = |written: &&Written| written.s >= staged && matches!(written.incident.phase, Phase::Opened | Phase::Updated);
    scenario.play().iter().find(known).map_or(f64::INFINITY, |written| written.s - staged)
}

fn is_known_within(goal: f64, config: &str) {
    for ((when, before, from, to, places), fault) in TIMES.into_iter().flat_map(|time| FAULTS.map(|fault| (time, fault))) {
        let mut worst = (0.0, 0.0, 0.0);
        for booted in (0..places).map(|place| 3600.3 + f64::from(place)) {
            let mut staged = from;
            while staged < to {
                let after = known_after(config, before, booted, staged, fault);
                if after > worst.0 {
                    worst = (after, booted, staged);
                }
                staged += STEP;
            }
        }
        let (after, booted, staged) = worst;
        println!("{when}: {fault} is known within {after:.2} s (booted {booted:.1} s before, staged at {staged:.2} s)");
        assert!(after <= goal, "{when}: {fault}, staged at {staged:.2} s, booted {booted:.1} s before, is known only after {after:.2} s");
    }
}

#[test]
fn a_centre_that_fails_at_any_moment_is_known_within_nineteen_seconds() {
    is_known_within(19.0, "");
}

#[test]
fn a_centre_behind_a_tunnel_that_fails_at_any_moment_is_known_within_thirteen_seconds() {
    is_known_within(13.0, BEHIND_VPN);
}
