//! Whether somebody answers at public addresses, and who. One SYN a question: patience ends before the kernel would send it again. Nothing is
//! bound to a device, and nothing is sent where the caller has not asked the kernel for a route first.

use super::stream::Wall;
use super::tcp::{self, Segments};
use super::tls::{Shown, Trust, prove};
use crate::infer::failure_text;
use crate::model::{Failure, FailureKind};
use crate::sys::clock;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::{Position, Url};

/// Before the kernel's first repetition, which comes after a second; a busy PC is late by a tenth.
pub(super) const CONNECTING: Duration = Duration::from_millis(900);
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

/// What a proxy understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speaks {
    /// CONNECT of HTTP.
    Http,
    /// SOCKS, version 5.
    Socks,
}

/// Asks who is at `at` by way of a proxy.
pub async fn knock_through(proxy: SocketAddr, speaks: Speaks, at: SocketAddr, name: &str, trust: &Trust) -> Answer {
    let Some(mut tcp) = connect(proxy).await else { return Answer::Nothing };
    let asked = async {
        match speaks {
            Speaks::Http => tunnel(&mut tcp, at).await,
            Speaks::Socks => socks(&mut tcp, at).await,
        }
    };
    match timeout(SHAKING, asked).await {
        Ok(Ok(true)) => shake(tcp, name, trust).await,
        Ok(Ok(false) | Err(_)) | Err(_) => Answer::Nothing,
    }
}

/// Fetches a short text from an address inside: one GET, no more of it than `most` bytes, no redirect. `None` = there is none.
pub async fn text_at(at: SocketAddr, url: &Url, most: usize) -> Option<String> {
    let mut tcp = connect(at).await?;
    let (host, path) = (&url[Position::BeforeHost..Position::AfterPort], &url[Position::BeforePath..Position::AfterQuery]);
    let asked = async {
        tcp.write_all(format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: */*\r\n\r\n").as_bytes()).await?;
        let mut answer = Vec::new();
        tcp.take(most as u64).read_to_end(&mut answer).await?;
        io::Result::Ok(answer)
    };
    let answer = timeout(SHAKING, asked).await.ok()?.ok()?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n")?;
    (head.starts_with("HTTP/1.") && head.get(8..12) == Some(" 200")).then(|| body.to_owned())
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

/// Asks for a tunnel by SOCKS 5, without a name or password; `false` = refused.
async fn socks(tcp: &mut TcpStream, at: SocketAddr) -> io::Result<bool> {
    tcp.write_all(&[5, 1, 0]).await?;
    let mut taken = [0; 2];
    tcp.read_exact(&mut taken).await?;
    if taken != [5, 0] {
        return Ok(false);
    }
    let mut wanted = vec![5, 1, 0];
    match at.ip() {
        IpAddr::V4(ip) => wanted.extend([&[1][..], &ip.octets()].concat()),
        IpAddr::V6(ip) => wanted.extend([&[4][..], &ip.octets()].concat()),
    }
    wanted.extend(at.port().to_be_bytes());
    tcp.write_all(&wanted).await?;
    let mut head = [0; 4];
    tcp.read_exact(&mut head).await?;
    let rest = match head {
        [5, 0, _, 1] => 6,
        [5, 0, _, 4] => 18,
        // A name in its place: its length comes first.
        [5, 0, _, 3] => usize::from(tcp.read_u8().await?) + 2,
        _ => return Ok(false),
    };
    tcp.read_exact(&mut vec![0; rest]).await?;
    Ok(true)
}
