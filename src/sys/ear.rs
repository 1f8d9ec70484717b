//! A watched packet socket that is closed off the loop: the kernel lets whoever closes one wait for all processors (10 ms and more).

use super::errqueue::{plain, watched};
use socket2::Socket;
use std::io;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Listens on a socket and closes it elsewhere.
pub(super) struct Ear(Option<AsyncFd<Socket>>);

impl Ear {
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        watched(socket).map(|socket| Self(Some(socket)))
    }

    pub(super) fn socket(&self) -> &Socket {
        self.get().get_ref()
    }

    /// The next packet, and its TTL where the socket tells it.
    pub(super) async fn hear(&self) -> io::Result<(Vec<u8>, Option<u8>)> {
        loop {
            let mut guard = self.get().ready(Interest::READABLE | Interest::ERROR).await?;
            match plain(self.socket()) {
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => guard.clear_ready(),
                heard => return heard,
            }
        }
    }

    fn get(&self) -> &AsyncFd<Socket> {
        self.0.as_ref().expect("it is taken only when dropped")
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let socket = self.0.take().map(AsyncFd::into_inner);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(socket));
        }
    }
}
