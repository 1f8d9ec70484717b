//! What the running daemon holds, as a document of schema `status/1` and as text.
//!
//! One document for two readers: whoever may know all, and a clerk. For a clerk everything that names addresses, devices, evidence or the
//! daemon's own affairs is `null`; what is left is the path, the causes with their advice, whom to call and the isolation.

mod document;
mod text;

pub(super) use document::separation;
pub use document::{Agent, LogHealth, LogState, SinkState, Standing, Status, View, Watcher};
pub(super) use text::own_lines;
pub use text::render_status;

/// The JSON Schema of [`Status`].
pub const STATUS_SCHEMA: &str = include_str!("../../../config/schema/status-1.json");
