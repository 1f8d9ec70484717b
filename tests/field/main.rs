//! Field installation by script: PCs that differ in cards, addresses, tunnels, lists and in what a person did to them before, each in namespaces
//! of its own with a private `/etc` and `/var/lib`, each configured and enrolled by one headless command. A table tells what was expected, what
//! came, and how long it took; what must not be written is not.
//!
//! Needs root, `ip`, `unshare`, `nsenter` and `socat`; without them it prints `SKIPPED` and the reason.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod bundle;
#[allow(dead_code, reason = "made for the watchers' tests, which need more of it")]
#[path = "../watch/ground.rs"]
mod ground;
mod pc;
mod pcs;

use pc::Pc;
use std::thread;
use std::time::Duration;

/// What the vendor's engineer has for one PC.
const MOST: Duration = Duration::from_mins(3);
/// PCs that are enrolled at the same time.
const AT_ONCE: usize = 4;

#[test]
fn differing_pcs_are_configured_and_enrolled_by_one_command_each() {
    if !ground::has("ip") || !ground::has("socat") || Pc::new().is_none() {
        return;
    }
    let cases = pcs::all();
    assert!(cases.len() >= 20);
    let mut told = Vec::new();
    for some in cases.chunks(AT_ONCE) {
        let running: Vec<_> = some
            .iter()
            .map(|case| {
                thread::spawn({
                    let case = *case;
                    move || case.run()
                })
            })
            .collect();
        told.extend(running.into_iter().map(|one| one.join().unwrap()));
    }
    println!("{:<52} {:>8} {:>5} {:>6}  faults", "PC", "expected", "got", "s");
    for one in &told {
        println!("{:<52} {:>8} {:>5} {:>6.2}  {}", one.name, one.expected, one.got, one.took.as_secs_f64(), one.faults.join("; "));
    }
    assert!(told.iter().all(|one| one.took <= MOST), "slower than {MOST:?}");
    let wrong: Vec<_> = told.iter().filter(|one| one.expected != one.got || !one.faults.is_empty()).collect();
    let why: Vec<String> = wrong.iter().map(|one| format!("{}: {:?}\n{}", one.name, one.faults, one.said)).collect();
    assert!(wrong.is_empty(), "{}", why.join("\n"));
}
