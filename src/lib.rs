//! isonet
pub mod catalogue;
pub mod config;
pub mod infer;
pub mod model;
pub mod report;
pub mod probe;
pub mod sys;
