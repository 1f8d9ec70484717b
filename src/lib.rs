//! isonet
pub mod model;
