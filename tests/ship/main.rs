//! Shipping against real receivers, on loopback addresses of each test's own.
//!
//! `tests/ship/fetch` and `tests/ship/fetch-nats` lay the receivers below the target directory (`tests/run --full` does it); without them their tests
//! say SKIPPED.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod certificates;
mod daemon;
#[path = "../chance/dice.rs"]
mod dice;
mod nats;
mod peers;
mod store;
mod syslog;
