//! What is done to the PC, and what the agent has to say to each.

mod usb;

use crate::Done;
use crate::daemon::Ground;
use crate::table::Got;

/// How far a case goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Within the running PC.
    Runs,
    /// Switches it off and on.
    Boots,
}

/// One case. It leaves the PC as it found it, with the agent at work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) expected: &'static str,
    pub(crate) reach: Reach,
    pub(crate) run: fn(&mut Ground<'_>) -> Done<Got>,
}

const fn case(name: &'static str, expected: &'static str, run: fn(&mut Ground<'_>) -> Done<Got>) -> Case {
    Case { name, expected, reach: Reach::Runs, run }
}

/// In the order in which they are done.
pub(crate) fn all() -> Vec<Case> {
    usb::CASES.to_vec()
}
