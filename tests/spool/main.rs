//! The record log under everything that disks, power, people and processes do to it.
#![allow(clippy::disallowed_methods, reason = "tests measure by the machine's clock")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by panicking")]

mod beginning;
mod damage;
mod disks;
mod forgetting;
mod identity;
mod killed;
mod memory;
mod power;
mod sign_of_life;
mod world;
