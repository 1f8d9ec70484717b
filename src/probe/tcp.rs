//! TCP: does the port accept, and if not, by whose word.

use crate::model::{Errno, Failure, FailureKind, Outcome, Reply, Sighting, Unseen};
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};

/// How long to watch a fresh connection on a port that is checked no further. A middlebox that accepts everything drops it within a
/// round trip or two; a healthy diagnosis must not wait much longer than that for nothing.
pub const WATCH: Duration = Duration::from_millis(200);

/// Segments small enough for any tunnel in a tunnel.
const SMALL_SEGMENT: u32 = 1000;

/// Which segments a connection may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segments {
    /// What the interface's MTU gives.
    Full,
    /// Small ones, in both directions: the control that proves an MTU black hole.
    Small,
}

/// Connects to `at`. The stream is there if and only if the sighting is `Ok`.
pub async fn connect(at: SocketAddr, patience: Duration) -> (Sighting, Option<TcpStream>) {
    let begun = Instant::now();
    match open(at, Segments::Full, patience).await {
        Ok(stream) => (Sighting::Tcp(at, Outcome::Ok(Reply::once(begun.elapsed()))), Some(stream)),
        Err(outcome) => (Sighting::Tcp(at, outcome), None),
    }
}

/// Connects to `at` and watches the connection for [`WATCH`]: one that the peer ends at once, before a byte, is no service. For
/// ports whose protocol nobody checks. The failure's time runs from the first packet, so that it tells how far away the peer is.
pub async fn connect_and_watch(at: SocketAddr, patience: Duration) -> Sighting {
    let begun = Instant::now();
    let (sighting, stream) = connect(at, patience).await;
    let Some(stream) = stream else { return sighting };
    match timeout(WATCH, first_byte(&stream)).await {
        Ok(Err(kind)) => Sighting::Tcp(at, Outcome::Failed(Failure { kind, elapsed: begun.elapsed() })),
        // A byte, or a server that waits for the client to speak.
        Ok(Ok(())) | Err(_) => sighting,
    }
}

/// Watches a fresh connection until then. `false` = the peer ended it before a byte.
pub(super) async fn stays(stream: &TcpStream, until: Instant) -> bool {
    !matches!(timeout_at(until, first_byte(stream)).await, Ok(Err(_)))
}

async fn first_byte(stream: &TcpStream) -> Result<(), FailureKind> {
    match stream.peek(&mut [0]).await {
        Ok(0) => Err(FailureKind::Closed { received: 0, reset: false }),
        Ok(_) => Ok(()),
        Err(error) => Err(lost(&error, 0)),
    }
}

/// Opens a connection; the error is what to report of it.
pub(super) async fn open<T>(at: SocketAddr, segments: Segments, patience: Duration) -> Result<TcpStream, Outcome<T>> {
    let begun = Instant::now();
    let connecting = async {
        let socket = socket(at, segments)?;
        socket.connect(at).await
    };
    match timeout(patience, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(refused(&error, begun.elapsed())),
        Err(_) => Err(Outcome::Failed(Failure { kind: FailureKind::Silence, elapsed: begun.elapsed() })),
    }
}

fn socket(at: SocketAddr, segments: Segments) -> io::Result<TcpSocket> {
    let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_nodelay(true)?;
    match segments {
        Segments::Full => {}
        Segments::Small => SockRef::from(&socket).set_tcp_mss(SMALL_SEGMENT)?,
    }
    Ok(socket)
}

/// What a failed connect says.
pub(super) fn refused<T>(error: &io::Error, elapsed: Duration) -> Outcome<T> {
    let kind = match error.raw_os_error().map(Errno) {
        Some(Errno::ECONNREFUSED) => FailureKind::Refused,
        Some(Errno::ECONNRESET) => FailureKind::Closed { received: 0, reset: true },
        Some(Errno::ETIMEDOUT) => FailureKind::Silence,
        Some(errno) if !exhausted(errno) => FailureKind::Local(errno),
        Some(_) | None => return Outcome::Unknown(Unseen::Error(format!("connect: {error}"))),
    };
    Outcome::Failed(Failure { kind, elapsed })
}

/// This process or this PC ran out of something: our failure, nobody else's.
fn exhausted(errno: Errno) -> bool {
    matches!(errno.0, libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS | libc::EAGAIN)
}

/// What an error on an open connection says.
pub(super) fn lost(error: &io::Error, received: u64) -> FailureKind {
    match error.kind() {
        io::ErrorKind::ConnectionReset => FailureKind::Closed { received, reset: true },
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            FailureKind::Closed { received, reset: false }
        }
        io::ErrorKind::TimedOut => FailureKind::Silence,
        io::ErrorKind::FileTooLarge => FailureKind::TooLarge,
        _ => error
            .raw_os_error()
            .map_or_else(|| FailureKind::Garbage("not-the-protocol".to_owned()), |errno| FailureKind::Local(Errno(errno))),
    }
}

#[cfg(test)]
mod tests {
    use super::{connect, connect_and_watch, refused};
    use crate::model::{Errno, Failure, FailureKind, Outcome, Reply, Sighting};
    use std::io;
    use std::net::SocketAddr;
    use std::time::Duration;
    use tokio::net::TcpListener;

    const PATIENCE: Duration = Duration::from_secs(2);

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        (listener, at)
    }

    fn kind(sighting: &Sighting) -> Option<FailureKind> {
        match sighting {
            Sighting::Tcp(_, outcome) => outcome.failure().map(|failure| failure.kind.clone()),
            other => panic!("not TCP: {other:?}"),
        }
    }

    #[tokio::test]
    async fn an_open_port_answers_and_a_closed_one_refuses() {
        let (listener, at) = listener().await;
        let (seen, stream) = connect(at, PATIENCE).await;
        assert!(kind(&seen).is_none() && stream.is_some());
        drop(listener);
        let (seen, stream) = connect(at, PATIENCE).await;
        assert_eq!(kind(&seen), Some(FailureKind::Refused));
        assert!(stream.is_none());
    }

    #[tokio::test]
    async fn a_connection_dropped_before_a_byte_is_no_service() {
        let (listener, at) = listener().await;
        let (seen, ()) = tokio::join!(connect_and_watch(at, PATIENCE), async { drop(listener.accept().await) });
        assert_eq!(kind(&seen), Some(FailureKind::Closed { received: 0, reset: false }));
    }

    #[tokio::test]
    async fn a_server_that_waits_for_the_client_is_a_service() {
        let (_listener, at) = listener().await;
        assert_eq!(kind(&connect_and_watch(at, PATIENCE).await), None);
    }

    #[test]
    fn a_kernel_refusal_keeps_its_number() {
        for errno in [Errno::ENETUNREACH, Errno::EHOSTUNREACH, Errno::EACCES, Errno::EINVAL, Errno::EADDRNOTAVAIL] {
            let seen: Outcome<Reply> = refused(&io::Error::from_raw_os_error(errno.0), Duration::ZERO);
            assert_eq!(seen, Outcome::Failed(Failure { kind: FailureKind::Local(errno), elapsed: Duration::ZERO }));
        }
    }

    #[test]
    fn running_out_of_descriptors_accuses_nobody() {
        let seen: Outcome<Reply> = refused(&io::Error::from_raw_os_error(libc::EMFILE), Duration::ZERO);
        assert!(matches!(seen, Outcome::Unknown(_)));
    }
}
