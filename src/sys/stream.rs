//! How a TCP connection ended.

#![allow(unsafe_code, reason = "the state of a TCP connection has no safe wrapper")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use tokio::net::TcpStream;

/// `TCP_CLOSE` of the kernel: both sides have ended, or one has broken it off.
const CLOSED: u8 = 7;

/// How a connection ended whose end the peer has been read to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// When the peer's end came, its kernel had acknowledged everything, our end included; and it did not break the connection off, as it does for a
    /// program that closes before it has read all.
    Whole,
    /// The peer ended before it had everything, or broke the connection off.
    Early,
}

/// How this one ended, of which both sides have been shut down: ours by a call, the peer's as reading it said.
pub fn end(stream: &TcpStream) -> io::Result<End> {
    if stream.take_error()?.is_some() {
        return Ok(End::Early);
    }
    let mut state = 0u8;
    let mut length: libc::socklen_t = 1;
    // SAFETY: the descriptor is borrowed and hence open; the kernel writes at most `length` bytes of its `tcp_info`, the first of which is the state.
    let result = unsafe {
        libc::getsockopt(stream.as_fd().as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut state).cast(), &raw mut length)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // Otherwise our end still waits to be acknowledged (LAST-ACK, CLOSING).
    Ok(if state == CLOSED { End::Whole } else { End::Early })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("bound");
        let (ours, theirs) = tokio::join!(TcpStream::connect(at), listener.accept());
        (ours.expect("connected"), theirs.expect("accepted").0)
    }

    /// Sends `bytes`, shuts down, and reads to the end.
    async fn sent(mut ours: TcpStream, bytes: &[u8]) -> Option<End> {
        ours.write_all(bytes).await.ok()?;
        ours.shutdown().await.ok()?;
        ours.read_to_end(&mut Vec::new()).await.ok()?;
        Some(end(&ours).expect("a connection"))
    }

    #[tokio::test]
    async fn an_end_after_all_was_read_is_whole() {
        let (ours, mut theirs) = pair().await;
        let reads = async move { theirs.read_to_end(&mut Vec::new()).await };
        assert_eq!(tokio::join!(sent(ours, b"all of it"), reads).0, Some(End::Whole));
    }

    #[tokio::test]
    async fn who_closes_first_or_without_reading_ends_early() {
        let (ours, theirs) = pair().await;
        drop(theirs);
        ours.readable().await.expect("its end is there");
        assert_ne!(sent(ours, b"too late").await, Some(End::Whole));

        let (mut ours, theirs) = pair().await;
        ours.write_all(b"not read").await.expect("the kernel takes it");
        theirs.readable().await.expect("it is there");
        drop(theirs);
        assert_ne!(sent(ours, b"").await, Some(End::Whole));
    }
}
