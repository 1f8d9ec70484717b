//! The inference on worlds written by hand: what each signature means, and what its healthy twin does not mean.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by panicking")]

#[path = "inference/clients.rs"]
mod clients;
#[path = "inference/dialup.rs"]
mod dialup;
#[path = "inference/ends.rs"]
mod ends;
#[path = "inference/faults.rs"]
mod faults;
#[path = "inference/inner.rs"]
mod inner;
#[path = "inference/laws.rs"]
mod laws;
#[path = "inference/ourselves.rs"]
mod ourselves;
#[path = "inference/portals.rs"]
mod portals;
#[path = "inference/sites.rs"]
mod sites;
#[path = "inference/trouble.rs"]
mod trouble;
#[path = "inference/tunnels.rs"]
mod tunnels;
#[path = "inference/world.rs"]
mod world;
