//! Watchers against real things: what is staged here happens in namespaces that the test makes itself, and an enrolled daemon in them tells of it.
//!
//! Needs root, `ip`, `unshare` and `nsenter`; without them a test prints `SKIPPED` and the reason.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]
#![allow(dead_code, reason = "each family needs some of the words")]

mod clock;
mod day;
#[path = "../control/desktop.rs"]
mod desktop;
mod extension;
mod firewall;
mod frame;
mod grants;
mod ground;
mod isolation;
mod outside;
mod settings;
mod sites;
mod usb;
mod usb_ears;
