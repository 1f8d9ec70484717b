//! Whether somebody answers at public addresses, and who. One SYN a question: patience ends before the kernel would send it again. Nothing is
//! bound to a device, and nothing is sent where the caller has not asked the kernel for a route first.

use super::stream::Wall;
use super::tcp::{self, Segments};
use super::tls::{Shown, Trust, prove};
use crate::infer::failure_text;
use crate::model::{Failure, FailureKind};
use crate::sys::clock;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Before the kernel's first repetition, which comes after a second.
const CONNECTING: Duration = Duration::from_millis(950);
/// For the handshake: several round trips of the slowest line.
const SHAKING: Duration = Duration::from_secs(2);
/// Longest answer of a proxy to CONNECT.
const LONGEST_HEAD: usize = 4096;

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Nobody is there, or somebody who refuses.
    Nothing,
    /// Somebody took the connection and did not shake hands: what it did instead, as a short fact.
    Unproved(String),
    /// Somebody shook hands and showed this.
    Shown(Shown),
}

/// Asks who is at `at`; its certificate must carry `name`.
pub async fn knock(at: SocketAddr, name: &str, trust: &Trust) -> Answer {
    match connect(at).await {
        Some(tcp) => shake(tcp, name, trust).await,
        None => Answer::Nothing,
    }
}

/// Whether somebody takes a connection at `at`. Nothing is said over it.
pub async fn accepts(at: SocketAddr) -> bool {
    connect(at).await.is_some()
}

/// Asks who is at `at` by way of a proxy.
pub async fn knock_through(proxy: SocketAddr, at: SocketAddr, name: &str, trust: &Trust) -> Answer {
    let Some(mut tcp) = connect(proxy).await else { return Answer::Nothing };
    match timeout(SHAKING, tunnel(&mut tcp, at)).await {
        Ok(Ok(true)) => shake(tcp, name, trust).await,
        Ok(Ok(false) | Err(_)) | Err(_) => Answer::Nothing,
    }
}

async fn connect(at: SocketAddr) -> Option<TcpStream> {
    tcp::open::<()>(at, Segments::Full, CONNECTING).await.ok()
}

async fn shake(tcp: TcpStream, name: &str, trust: &Trust) -> Answer {
    match prove(tcp, name, trust, Wall::new(clock::wall()), SHAKING).await {
        Ok(shown) => Answer::Shown(shown),
        Err(FailureKind::Closed { .. }) => Answer::Unproved("closed after connecting".to_owned()),
        Err(kind) => Answer::Unproved(failure_text(&Failure { kind, elapsed: Duration::ZERO })),
    }
}

/// Asks for a tunnel; `false` = refused.
async fn tunnel(tcp: &mut TcpStream, at: SocketAddr) -> io::Result<bool> {
    tcp.write_all(format!("CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n").as_bytes()).await?;
    let mut head = Vec::new();
    // Byte by byte: what follows the head belongs to the tunnel.
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= LONGEST_HEAD {
            return Ok(false);
        }
        head.push(tcp.read_u8().await?);
    }
    Ok(head.starts_with(b"HTTP/1.") && head.get(8..12) == Some(b" 200"))
}
