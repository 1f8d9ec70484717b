//! The sockets `hickory-resolver` is given: a *connected* UDP socket that reads the error queue, and a note of everything seen on the
//! wire. The resolver alone reads a closed port, a refusing route and a stray answer all as "timeout".

use crate::model::{Errno, FailureKind, IcmpKind, Unseen};
use crate::sys::datagrams::{Datagrams, Trouble};
use hickory_resolver::net::runtime::{DnsUdpSocket, RuntimeProvider, TokioHandle, TokioRuntimeProvider, TokioTime};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// Length of a DNS header.
const HEADER: usize = 12;

/// What was seen on the wire during one question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The first word of the kernel or the network against it.
    pub(super) trouble: Option<Trouble>,
    /// How the connection for a truncated answer failed.
    pub(super) tcp: Option<Errno>,
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

    /// What stands against an answer, other than answers.
    pub(super) fn against(&self) -> Option<Result<FailureKind, Unseen>> {
        let tcp = self.tcp.map(|errno| match errno {
            Errno::ECONNREFUSED => FailureKind::Refused,
            Errno::ECONNRESET => FailureKind::Closed { received: 0, reset: true },
            errno => FailureKind::Local(errno),
        });
        match &self.trouble {
            Some(Trouble::Local(errno)) => Some(Ok(FailureKind::Local(*errno))),
            Some(Trouble::Icmp(error)) => Some(Ok(FailureKind::Icmp(error.clone()))),
            Some(Trouble::Unseen(why)) => Some(Err(why.clone())),
            None => tcp.map(Ok),
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

    /// Notes the trouble, and passes on an error that the resolver does not try again.
    fn troubled(&self, trouble: Trouble) -> io::Error {
        let error = match &trouble {
            Trouble::Local(errno) => io::Error::from_raw_os_error(errno.0),
            Trouble::Icmp(error) if error.kind == IcmpKind::PortUnreachable => io::ErrorKind::ConnectionRefused.into(),
            Trouble::Icmp(_) => io::ErrorKind::HostUnreachable.into(),
            Trouble::Unseen(_) => io::ErrorKind::Other.into(),
        };
        self.note().trouble.get_or_insert(trouble);
        error
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
        patience: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Tcp>>>> {
        let connecting = self.tokio.connect_tcp(server, bind, patience);
        let wire = self.clone();
        Box::pin(async move {
            connecting.await.inspect_err(|error| {
                let mut note = wire.note();
                note.tcp = note.tcp.or(error.raw_os_error().map(Errno));
            })
        })
    }

    fn bind_udp(&self, _: SocketAddr, server: SocketAddr) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Udp>>>> {
        let wire = self.clone();
        Box::pin(async move {
            let socket = Datagrams::open(server).map_err(|trouble| wire.troubled(trouble))?;
            Ok(Connected { socket, server, wire })
        })
    }
}

/// A UDP socket that talks to one server only.
pub(super) struct Connected {
    socket: Datagrams,
    server: SocketAddr,
    wire: Wire,
}

impl Connected {
    async fn receive(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let datagram = self.socket.receive().await.map_err(|trouble| self.wire.troubled(trouble))?;
        self.wire.note().received(&datagram);
        let length = datagram.len().min(buf.len());
        buf[..length].copy_from_slice(&datagram[..length]);
        Ok((length, self.server))
    }
}

impl DnsUdpSocket for Connected {
    type Time = TokioTime;

    /// Not used: the error queue is announced in a way that only [`Self::recv_from`] waits for.
    fn poll_recv_from(&self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn recv_from<'a, 'b, 'both>(
        &'a self,
        buf: &'b mut [u8],
    ) -> Pin<Box<dyn Future<Output = io::Result<(usize, SocketAddr)>> + Send + 'both>>
    where
        'a: 'both,
        'b: 'both,
    {
        Box::pin(self.receive(buf))
    }

    fn poll_send_to(&self, _: &mut Context<'_>, buf: &[u8], _: SocketAddr) -> Poll<io::Result<usize>> {
        self.wire.note().sent(buf);
        let sent = self.socket.send(buf).map(|()| buf.len());
        Poll::Ready(sent.map_err(|trouble| self.wire.troubled(trouble)))
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

    mod any_bytes {
        use super::{Seen, seen};
        use crate::probe::dns::answer;
        use crate::testing::{cases, hostile};
        use hickory_resolver::proto::op::Message;
        use proptest::prelude::*;

        /// A name that points at itself, one that points to and fro, and a count without records.
        fn loops() -> Vec<Vec<u8>> {
            let head = |answers| vec![0x12, 0x34, 0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0];
            let own = [head(0), vec![0xc0, 12, 0, 1, 0, 1]].concat();
            let both = [head(0), vec![0xc0, 14, 0xc0, 12, 0, 1, 0, 1]].concat();
            vec![own, both, head(0xff)]
        }

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_datagram_leave_one_word_at_most(bytes in hostile(vec![answer()], 100)) {
                let seen: Seen = seen(&bytes);
                prop_assert!(seen.oddity.is_none() || seen.bare_rcode.is_none());
                prop_assert_eq!(seen.ids.len(), 1);
            }

            #[test]
            fn of_an_answer_are_decoded_or_refused(bytes in hostile([loops(), vec![answer()]].concat(), 512)) {
                if let Ok(message) = Message::from_vec(&bytes) {
                    // Each record has at least its eleven bytes.
                    prop_assert!(message.answers.len() <= bytes.len() / 11);
                }
            }
        }

        #[test]
        fn of_names_that_run_in_circles_are_refused() {
            assert!(loops().iter().take(2).all(|bytes| Message::from_vec(bytes).is_err()));
            assert_eq!(Message::from_vec(&answer()).map(|message| message.answers.len()).ok(), Some(2));
        }
    }

    #[test]
    fn an_error_code_without_the_question_is_still_an_error_code() {
        assert_eq!(seen(&[0x12, 0x34, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]).bare_rcode, Some(1));
    }
}
