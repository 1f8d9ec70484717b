//! The control socket of a real daemon, in a network namespace of its own: what it answers, to whom, and that no client, however many and
//! however hostile, delays what it is there for.
//!
//! Needs root (namespaces, other users), `ip`, `socat` and util-linux, for notices dunst, Xvfb, dbus-daemon, openbox, xprop and chromium; what is missing is said and the test is skipped.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by panicking")]

mod answers;
mod attack;
mod client;
mod commands;
mod completion;
mod desktop;
mod diagnose;
mod evidence;
mod fullscreen;
mod ground;
mod life;
mod lost;
mod notify;
mod retire;
mod web;
