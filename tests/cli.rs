//! The binary itself, as a shell runs it: exit status, which stream says what, which language, and what becomes of it where the machine,
//! its files or its limits are hostile.
//!
//! Whatever probes runs in a network namespace of its own that leads nowhere; mounts are made in a mount namespace of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by panicking")]

#[path = "cli/config.rs"]
mod config;
#[path = "cli/dialup.rs"]
mod dialup;
#[path = "cli/ground.rs"]
mod ground;
#[path = "cli/hostile.rs"]
mod hostile;
#[path = "cli/interrupted.rs"]
mod interrupted;
#[path = "cli/page.rs"]
mod page;
#[path = "cli/plain.rs"]
mod plain;
#[path = "cli/records.rs"]
mod records;
#[path = "cli/state.rs"]
mod state;
