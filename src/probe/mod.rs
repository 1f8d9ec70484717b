//! The probes: one layer, one file. They ask and report what they saw; they decide nothing.

pub mod centre;
pub mod dns;
pub mod http;
mod join;
pub mod stream;
pub mod tcp;
pub mod tls;
