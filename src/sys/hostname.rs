//! Hears that the kernel's host name was set: the file that shows it can be polled.

#![allow(unsafe_code, reason = "a descriptor is registered with the runtime without the wrapper that closes it late")]

use std::fs::File;
use std::io;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// An open ear.
pub struct Ear(AsyncFd<File>);

impl Ear {
    /// Begins to listen. Must be called within a tokio runtime with I/O enabled.
    pub fn open() -> io::Result<Self> {
        let file = File::open("/proc/sys/kernel/hostname")?;
        // SAFETY: a `File` owns one descriptor, always returns that one, and is closed only when dropped, which the `AsyncFd` does.
        let watched = unsafe { AsyncFd::register_with_interest(file, Interest::PRIORITY) };
        watched.map(Self).map_err(io::Error::from)
    }

    /// Waits until it was set, also to the same again. Cancelling it loses nothing; an ear that breaks hears no more.
    pub async fn changed(&self) {
        match self.0.ready(Interest::PRIORITY).await {
            Ok(mut guard) => guard.clear_ready(),
            Err(_) => std::future::pending().await,
        }
    }
}
