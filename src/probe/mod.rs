//! The probes: one layer, one file. They ask and report what they saw; they decide nothing.

pub mod dns;
pub mod tcp;
pub mod stream;
pub mod tls;
pub mod http;
