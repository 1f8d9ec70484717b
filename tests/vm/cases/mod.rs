//! What is done to the PC, and what the agent has to say to each.

pub(crate) mod clock;
mod cuts;
mod disks;
mod gadgets;
mod installed;
mod keepers;
mod lost;
mod packages;
mod tunnels;
mod usb;
mod ways;
mod wireless;

use std::time::Duration;

use crate::Done;
use crate::daemon::Ground;
use crate::table::Got;

/// What the kernel does, it has done within so long on a loaded machine.
const SOON: Duration = Duration::from_secs(30);
/// Loads the drivers that are not there from the start; the one that makes wireless cards as it is loaded is left to who wants them.
const MORE_DRIVERS: &str = "for m in $(cat /modules/later); do \
                            [ $m = mac80211_hwsim ] || grep -q \"^$m \" /proc/modules || insmod /modules/$m || exit 1; done";
/// The agent has looked more than once after so long.
const WATCHED: Duration = Duration::from_secs(3);

/// What a case takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// A few seconds, and it is of the most telling: a quick run has it.
    Little,
    /// A few seconds.
    Seconds,
    /// A minute: it waits for what is seen by the minute only.
    Minute,
    /// A minute or more: it waits for what has to come up, or to fall silent.
    Long,
    /// The PC is switched off and on.
    Boot,
}

/// One case. It leaves the PC as it found it, with the agent at work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) expected: &'static str,
    pub(crate) takes: Takes,
    pub(crate) run: fn(&mut Ground<'_>) -> Done<Got>,
}

const fn case(name: &'static str, expected: &'static str, takes: Takes, run: fn(&mut Ground<'_>) -> Done<Got>) -> Case {
    Case { name, expected, takes, run }
}

impl Case {
    /// The installed PC does it in every full run: the most telling, and what only such a PC shows.
    pub(crate) fn is_smoke(&self) -> bool {
        self.takes == Takes::Little || SMOKE.contains(&self.name)
    }
}

/// Besides those that take little.
const SMOKE: &[&str] = &[
    "suspend and resume",
    "stopped, date changed, started",
    "stick there before the agent",
    "power fails at random under load",
    "service frozen",
    "service killed for its memory",
    "service without a file to open",
    "upgraded with incidents open",
    "removed with an incident open, installed again",
];

/// On the installed PC, in the order in which they are done.
pub(crate) fn installed() -> Vec<Case> {
    [installed::CASES, &all(), lost::CASES, packages::CASES, tunnels::CASES, cuts::CASES].concat()
}

/// In the order in which they are done.
pub(crate) fn all() -> Vec<Case> {
    let all = [
        usb::CASES,
        disks::CASES,
        gadgets::CASES,
        wireless::CASES,
        ways::CASES,
        clock::BY_THE_MINUTE,
        usb::RESTARTED,
        clock::CASES,
        keepers::CASES,
        clock::BOOTS,
    ];
    all.concat()
}

/// The latency, if it is within the limit; `ISONET_SLACK` times that where other work takes the processors away.
fn within(limit_ms: i64, late_ms: i64) -> Done<i64> {
    let limit_ms = limit_ms * i64::from(crate::args::slack());
    if late_ms <= limit_ms { Ok(late_ms) } else { Err(format!("told after {late_ms} ms, {limit_ms} ms at the most")) }
}
