//! The cases, in the order in which they build on each other.

mod faults;
mod local_user;
mod operation;
mod packages;
mod sandbox;
mod session;

use crate::Done;
use crate::ground::Ground;

/// One thing that is done, and what must be seen then.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Gives what was seen.
    pub(crate) run: fn(&mut Ground) -> Done<String>,
    /// The others stand on it.
    pub(crate) first: bool,
}

pub(crate) fn all() -> Vec<Case> {
    let mut all = packages::FIRST.to_vec();
    all.extend_from_slice(sandbox::CASES);
    all.extend_from_slice(operation::CASES);
    all.extend_from_slice(faults::CASES);
    all.extend_from_slice(local_user::CASES);
    all.extend_from_slice(session::CASES);
    all.extend_from_slice(packages::LAST);
    let first = |name: &str| name == packages::FIRST[0].0 || name == sandbox::CASES[0].0;
    all.into_iter().map(|(name, run)| Case { name, run, first: first(name) }).collect()
}

/// Name and deed.
type Row = (&'static str, fn(&mut Ground) -> Done<String>);

/// Holds, or the case fails with this.
fn must(holds: bool, why: impl FnOnce() -> String) -> Done {
    if holds { Ok(()) } else { Err(why()) }
}
