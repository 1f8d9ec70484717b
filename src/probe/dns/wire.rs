//! The sockets `hickory-resolver` is given: a *connected* UDP socket, so that the kernel hands ICMP errors to it, and a note of
//! everything seen on the wire. The resolver alone reads a closed port, a refusing route and a stray answer all as "timeout".

use crate::model::Errno;
use hickory_resolver::net::runtime::{DnsUdpSocket, RuntimeProvider, TokioHandle, TokioRuntimeProvider, TokioTime};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

/// Length of a DNS header.
const HEADER: usize = 12;

/// At which step an operating system error came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Choosing a source and route: nothing was sent.
    Connect,
    /// Handing over the datagram.
    Send,
    /// Waiting for the answer: an ICMP error came back.
    Receive,
    /// The connection for a truncated answer.
    Tcp,
}

/// What was seen on the wire during one question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The first error, and where it came.
    pub(super) error: Option<(Step, Errno)>,
    /// Response code of an answer to our question that repeats no question (some servers answer FORMERR and REFUSED so).
    pub(super) bare_rcode: Option<u8>,
    /// What was wrong with the last datagram that could not be an answer.
    pub(super) oddity: Option<&'static str>,
    /// Identifiers of the questions sent.
    ids: Vec<u16>,
}

impl Seen {
    fn sent(&mut self, datagram: &[u8]) {
        if let Some(id) = datagram.first_chunk().map(|id| u16::from_be_bytes(*id))
            && !self.ids.contains(&id)
        {
            self.ids.push(id);
        }
    }

    /// Notes what kind of datagram came; a proper answer leaves no trace here.
    fn received(&mut self, datagram: &[u8]) {
        let Some(header) = datagram.first_chunk::<HEADER>() else {
            self.oddity = Some("short");
            return;
        };
        let questions = u16::from_be_bytes([header[4], header[5]]);
        let rcode = header[3] & 0x0f;
        if !self.ids.contains(&u16::from_be_bytes([header[0], header[1]])) {
            self.oddity = Some("wrong-id");
        } else if header[2] & 0x80 == 0 {
            self.oddity = Some("not-an-answer");
        } else if questions == 0 && rcode != 0 {
            self.bare_rcode = Some(rcode);
        } else if questions != 1 {
            self.oddity = Some("wrong-question");
        }
    }

    fn failed(&mut self, step: Step, error: &io::Error) {
        if let (None, Some(errno)) = (self.error, error.raw_os_error()) {
            self.error = Some((step, Errno(errno)));
        }
    }
}

/// Makes the sockets of one question and remembers what happened on them.
#[derive(Clone, Default)]
pub(super) struct Wire {
    tokio: TokioRuntimeProvider,
    seen: Arc<Mutex<Seen>>,
}

impl Wire {
    /// What was seen so far.
    pub(super) fn seen(&self) -> Seen {
        self.note().clone()
    }

    fn note(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn noted<T>(&self, step: Step, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| self.note().failed(step, error))
    }
}

impl RuntimeProvider for Wire {
    type Handle = TokioHandle;
    type Timer = TokioTime;
    type Udp = Connected;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;

    fn create_handle(&self) -> Self::Handle {
        self.tokio.create_handle()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        bind: Option<SocketAddr>,
        patience: Option<std::time::Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Tcp>>>> {
        let connecting = self.tokio.connect_tcp(server, bind, patience);
        let wire = self.clone();
        Box::pin(async move { wire.noted(Step::Tcp, connecting.await) })
    }

    fn bind_udp(&self, local: SocketAddr, server: SocketAddr) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Udp>>>> {
        let wire = self.clone();
        Box::pin(async move {
            let socket = UdpSocket::bind(local).await?;
            wire.noted(Step::Connect, socket.connect(server).await)?;
            Ok(Connected { socket, server, wire })
        })
    }
}

/// A UDP socket that talks to one server only.
pub(super) struct Connected {
    socket: UdpSocket,
    server: SocketAddr,
    wire: Wire,
}

impl DnsUdpSocket for Connected {
    type Time = TokioTime;

    fn poll_recv_from(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut buf = ReadBuf::new(buf);
        self.wire.noted(Step::Receive, ready!(self.socket.poll_recv(cx, &mut buf)))?;
        self.wire.note().received(buf.filled());
        Poll::Ready(Ok((buf.filled().len(), self.server)))
    }

    fn poll_send_to(&self, cx: &mut Context<'_>, buf: &[u8], _: SocketAddr) -> Poll<io::Result<usize>> {
        self.wire.note().sent(buf);
        Poll::Ready(self.wire.noted(Step::Send, ready!(self.socket.poll_send(cx, buf))))
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;

    fn seen(datagram: &[u8]) -> Seen {
        let mut seen = Seen::default();
        seen.sent(&[0x12, 0x34, 1, 0]);
        seen.received(datagram);
        seen
    }

    #[test]
    fn a_proper_answer_leaves_no_trace() {
        assert_eq!(seen(&[0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]), Seen { ids: vec![0x1234], ..Seen::default() });
    }

    #[test]
    fn every_oddity_has_its_name() {
        assert_eq!(seen(b"hello").oddity, Some("short"));
        assert_eq!(seen(&[0x12, 0x35, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]).oddity, Some("wrong-id"));
        assert_eq!(seen(&[0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]).oddity, Some("not-an-answer"));
        assert_eq!(seen(&[0x12, 0x34, 0x81, 0x80, 0, 2, 0, 0, 0, 0, 0, 0]).oddity, Some("wrong-question"));
    }

    #[test]
    fn an_error_code_without_the_question_is_still_an_error_code() {
        assert_eq!(seen(&[0x12, 0x34, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]).bare_rcode, Some(1));
    }
}
