//! Peers that lie, stall, flood and break off, on real loopback sockets: no panic, no hang past the deadline, no unbounded memory,
//! and for each of them the healthy twin beside it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by panicking")]

#[path = "hostile_peers/centre.rs"]
mod centre;
#[path = "hostile_peers/dns.rs"]
mod dns;
#[path = "hostile_peers/http.rs"]
mod http;
#[path = "hostile_peers/matrix.rs"]
mod matrix;
#[path = "hostile_peers/peer.rs"]
mod peer;
#[path = "hostile_peers/tls.rs"]
mod tls;
#[path = "hostile_peers/whole.rs"]
mod whole;
