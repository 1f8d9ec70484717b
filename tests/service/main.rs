//! `isonet run` as a service manager sees it: the protocol, reloads, the end and the next start, and what survives a kill. Each test has
//! two network namespaces of its own: the terminal, and a centre that answers.
//!
//! Needs root, `ip` and `nft`; without them a test prints `SKIPPED` and the reason.
#![allow(clippy::disallowed_methods, reason = "tests measure by the machine's clock")]
#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod crash;
mod life;
mod log;
mod manager;
mod peer;
mod reload;
mod run;
mod site;
mod soak;
