//! isonet
pub mod catalogue;
pub mod config;
pub mod model;
