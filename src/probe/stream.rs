//! What several layers need of a connection: a tally of what came in, and our wall clock at any moment of the exchange.

use jiff::{SignedDuration, Timestamp};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// The first bytes kept, to name what is not the protocol.
const HEAD: usize = 8;

/// What came in over a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Received {
    /// Bytes.
    pub(super) bytes: u64,
    /// When the first of them came.
    pub(super) first: Option<Instant>,
    /// The first few.
    pub(super) head: Vec<u8>,
}

/// Shared by the stream and who asks about it.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(Arc<Mutex<Received>>);

impl Tally {
    /// As of now.
    pub(super) fn received(&self) -> Received {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Received> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, bytes: &[u8]) {
        let mut received = self.lock();
        if !bytes.is_empty() && received.first.is_none() {
            received.first = Some(Instant::now());
        }
        received.bytes += bytes.len() as u64;
        let room = HEAD.saturating_sub(received.head.len()).min(bytes.len());
        received.head.extend_from_slice(&bytes[..room]);
    }
}

/// Most bytes that one connection may bring: several times the longest head, body and chain together. Who sends more does not answer what
/// was asked, and would keep the parsers above busy past every deadline (preliminary answers without end did).
const MOST: u64 = 512 * 1024;

/// A stream that keeps a [`Tally`], and ends with [`io::ErrorKind::FileTooLarge`] when its peer does not end.
#[derive(Debug)]
pub struct Tallied<S> {
    inner: S,
    tally: Tally,
}

impl<S> Tallied<S> {
    /// Begins to count.
    pub(super) fn new(inner: S) -> Self {
        Self { inner, tally: Tally::default() }
    }

    /// The count, also after the stream is gone.
    pub(super) fn tally(&self) -> Tally {
        self.tally.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tallied<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.tally.lock().bytes > MOST {
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.tally.add(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tallied<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Our wall clock as it was read once, carried forward by the monotonic clock: it cannot jump in the middle of an exchange.
#[derive(Debug, Clone, Copy)]
pub struct Wall {
    read: Timestamp,
    at: Instant,
}

impl Wall {
    /// `read` is what the wall clock says at this moment.
    pub fn new(read: Timestamp) -> Self {
        Self { read, at: Instant::now() }
    }

    /// What it would say now.
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.at.elapsed()).unwrap_or(SignedDuration::ZERO);
        self.read.saturating_add(passed).unwrap_or(self.read)
    }
}
