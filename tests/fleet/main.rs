//! The fleet: agents that ship, receivers that store, and what is between them, killed and cut at random; then what was recorded is held against
//! what is stored.
//!
//! ```text
//! cargo test --test fleet -- --help
//! ```
//! Everything is real but the network's size: the record log, the courier and the sinks are the product's, the receivers are rsyslog, syslog-ng and
//! nats-server. The faults come from a printed seed. For each promise there is an agent or a receiver that breaks it on purpose, and the comparison
//! has to find that. All of it happens in a network namespace of its own, in which there is nothing but `lo`.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests measure and wait by the machine's clock; the product's rule about clocks is not meant here"
)]

mod agent;
mod backlog;
mod beside;
mod cases;
#[allow(dead_code, clippy::unwrap_used, reason = "shared with tests/ship, where a helper of a test fails the test")]
#[path = "../ship/certificates.rs"]
mod certificates;
mod chaos;
#[path = "../chance/dice.rs"]
mod dice;
mod herd;
mod life;
mod nats;
mod oracle;
mod overflow;
#[allow(dead_code, clippy::unwrap_used, reason = "shared with tests/ship, where a helper of a test fails the test")]
#[path = "../ship/peers/mod.rs"]
mod peers;
mod proxy;
mod sinks;
mod syslog;

use std::process::{Command, ExitCode};
use std::time::Instant;

/// Everything here fails with one sentence.
pub(crate) type Done<T = ()> = Result<T, String>;

/// The stream of records.
pub(crate) const STREAM: &str = "ISONET";

/// Set in an agent's process: its orders.
const AGENT: &str = "ISONET_FLEET_AGENT";
/// Set within the namespace.
const INSIDE: &str = "ISONET_FLEET_INSIDE";

const HELP: &str = "\
fleet: kills and cuts agents and receivers, and holds what was recorded against what is stored

  cargo test --test fleet -- [OPTIONS] [FILTER...]     a FILTER is part of a case's name

  --list     name the cases
  --full     fail instead of skipping when something is missing
  --long     as --full, with more of everything

ISONET_SEED=N repeats the faults of a run.
";

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    Usual,
    Full,
    Long,
}

/// What a case is given.
pub(crate) struct Given {
    pub(crate) depth: Depth,
    pub(crate) seed: u64,
}

/// One case: what came of it, in one line.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Given) -> Done<String>,
}

fn main() -> ExitCode {
    if let Ok(orders) = std::env::var(AGENT) {
        let lived = serde_json::from_str(&orders).map_err(|e| e.to_string()).and_then(|orders| agent::live(&orders));
        return lived.map_or_else(
            |why| {
                eprintln!("agent: {why}");
                ExitCode::FAILURE
            },
            |()| ExitCode::SUCCESS,
        );
    }
    let (mut depth, mut filters) = (Depth::Usual, Vec::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => {
                print!("{HELP}");
                return ExitCode::SUCCESS;
            }
            "--list" => {
                // A runner's question comes with a format; this binary runs as a whole and names no tests of its own to it.
                if words.next().is_none() {
                    for case in cases::CASES {
                        println!("{}", case.name);
                    }
                }
                return ExitCode::SUCCESS;
            }
            "--full" => depth = Depth::Full,
            "--long" => depth = Depth::Long,
            "--format" | "--test-threads" | "--color" | "--skip" => drop(words.next()),
            other if other.starts_with('-') => {}
            filter => filters.push(filter.to_owned()),
        }
    }
    if std::env::var_os(INSIDE).is_none() {
        return inside(depth);
    }
    pass(depth, &filters)
}

/// Does it all again in a namespace of its own.
fn inside(depth: Depth) -> ExitCode {
    let own = match std::env::current_exe() {
        Ok(own) => own,
        Err(e) => return unable(depth, &format!("this program has no path: {e}")),
    };
    let root = rustix::process::geteuid().is_root();
    let mut unshare = Command::new("unshare");
    unshare.args(if root { &["--net"][..] } else { &["--net", "--map-root-user"] });
    unshare.args(["--kill-child", "--pid", "--fork", "--mount-proc", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]).arg(own);
    match unshare.args(std::env::args().skip(1)).env(INSIDE, "1").status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(e) => unable(depth, &format!("unshare: {e}")),
    }
}

fn unable(depth: Depth, why: &str) -> ExitCode {
    if depth >= Depth::Full {
        println!("FAIL fleet: {why}\n0 passed, 1 failed, 0 skipped");
        return ExitCode::FAILURE;
    }
    println!("SKIPPED fleet: {why}\n0 passed, 0 failed, 1 skipped");
    ExitCode::SUCCESS
}

fn pass(depth: Depth, filters: &[String]) -> ExitCode {
    let seed =
        std::env::var("ISONET_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| u64::from(std::process::id()) ^ fresh());
    println!("ISONET_SEED={seed}");
    let given = Given { depth, seed };
    let (mut passed, mut failed) = (0, 0);
    for case in cases::CASES {
        if !filters.is_empty() && !filters.iter().any(|filter| case.name.contains(filter.as_str())) {
            continue;
        }
        let begin = Instant::now();
        let done = std::panic::catch_unwind(|| (case.run)(&given)).unwrap_or_else(|_| Err("it panicked".to_owned()));
        let took = begin.elapsed().as_secs();
        match done {
            Ok(got) => {
                passed += 1;
                println!("PASS {}: {got} ({took} s)", case.name);
            }
            Err(why) => {
                failed += 1;
                println!("FAIL {}: {why} ({took} s)", case.name);
            }
        }
    }
    println!("{passed} passed, {failed} failed, 0 skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Another number each time: a namespace numbers its processes from 1.
fn fresh() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0_u8) >> 32
}
