//! The receivers' kit (`config/ops`) against the receivers themselves: each file is executed where its peer can be had.
//!
//! Peers are unpacked by `tests/ops/fetch`, and run in namespaces of their own ([`ground`]): on loopback, with the paths and ports that the files
//! name, and all of them end with the test.

#![allow(clippy::unwrap_used)]

#[path = "../records/samples.rs"]
#[allow(dead_code, unreachable_pub)]
mod samples;

mod clickhouse;
mod files;
mod ground;
mod guide;
mod nats;
mod planted;
mod postgres;
mod syslog;
mod terminal;
