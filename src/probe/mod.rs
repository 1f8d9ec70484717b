//! The probes: one layer, one file. They ask and report what they saw; they decide nothing. [`round`] asks them all at once.

pub mod awake;
pub mod canary;
pub mod centre;
pub mod counter;
pub mod dns;
pub mod gateway;
pub mod http;
pub mod leave;
pub mod local;
pub mod loss;
pub mod names;
pub mod outside;
pub mod ping;
pub mod pulse;
pub mod reach;
pub mod round;
mod steady;
pub mod stream;
pub mod tcp;
pub mod tls;
pub mod vpn;
pub mod walk;
