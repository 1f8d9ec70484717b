//! The resident service: one loop that owns everything and decides nothing. It carries what happens to the [`Engine`](crate::incident::Engine),
//! and what the engine wants done to the probes, the log and the service manager.
//!
//! ```text
//! kernel events, looks that ended, deadlines, signals, files, clients ──> the loop ──> Engine::step
//!                                                     looks, records, answers <──┘
//! ```
//!
//! Nothing is waited for in the loop: looks and clients are tasks on the same thread, disk and name look-ups are threads of their own behind
//! bounded queues. There is no tick; while nothing happens the loop sleeps until the engine's next deadline.

mod answers;
mod beat;
mod changes;
pub mod control;
pub mod grants;
mod keyring;
mod looks;
mod lost;
mod manager;
mod metrics;
mod receivers;
mod recorder;
mod remarks;
pub mod retirement;
mod service;
mod shipping;
mod status;
mod tally;

pub use recorder::RecorderError;
pub use service::{OnDisk, Orders, RunError, run};
