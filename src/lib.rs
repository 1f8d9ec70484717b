//! The agent of an isolated private network: names what broke between a terminal and its centre, proves it, and says who acts.
//!
//! ```text
//! probe ── asks the network ──> model::Observation ──> infer::World ──> infer::diagnose ──> model::Diagnosis ──> report
//!   └ sys: the kernel                                   what was seen     rules, pure          language-free        zh-CN, en, JSON
//! ```
//!
//! * [`model`]: the vocabulary. [`infer`]: what it means. [`catalogue`]: the words for it. [`report`]: the faces. All four are pure: no
//!   I/O, no clock, no randomness, so that any answer can be replayed from what was seen.
//! * [`incident`]: what becomes of it over time; pure, too. [`daemon`]: the loop that carries it. [`spool`]: the durable record log. [`sink`],
//!   [`export`]: where records go.
//! * [`notice`]: what of it a desktop is told, and when; pure, too.
//! * [`config`]: what the agent is told. [`baseline`]: how the terminal was when it was enrolled.
//! * [`spool`]: the durable record log. It promises nothing that is not on the disk.
//! * [`sink`]: where records go. [`export`]: records in the forms that other programs know. [`key`]: what the terminal signs. [`evidence`]: an
//!   incident as others can check it.
//! * [`probe`]: one layer, one file; they ask and report what they saw, and decide nothing. [`sys`]: the only edge to the kernel, and the
//!   only place with unsafe code. [`cli`]: the commands.
//!
//! Three values run through everything: it works, it failed (with the signature of *how*), and we could not tell. What could not be told
//! is never healthy and never accuses.

pub mod baseline;
pub mod bundle;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod evidence;
pub mod export;
pub mod field;
pub mod incident;
pub mod infer;
pub mod key;
pub mod model;
pub mod notice;
pub mod probe;
pub mod report;
pub mod sink;
pub mod spool;
pub mod sys;
pub mod watch;

#[cfg(test)]
mod testing;

// The tests of inference and those in here share their worlds.
#[cfg(test)]
#[allow(dead_code, reason = "each test needs some of the words")]
#[path = "../tests/inference/world.rs"]
mod site;
#[cfg(test)]
extern crate self as isonet;
