//! Watchers against real things: what is staged here happens in namespaces that the test makes itself, and an enrolled daemon in them tells of it.
//!
//! Needs root and `ip`; without them a test prints `SKIPPED` and the reason.
