//! ICMP echo with the detail that ordinary ping libraries lose: who refused, by which code, and the TTL of the answer.
//!
//! An unprivileged ping socket first; where `net.ipv4.ping_group_range` forbids those (Debian's default), a raw socket, which needs
//! `CAP_NET_RAW`. Packet building and reading are pure.

pub use super::errqueue::Route;
use super::errqueue::{Connected, Event, Kind, Refusal, icmp4_kind, icmp6_kind};
use super::{clock, socket};
use crate::model::{Errno, Failure, FailureKind, IcmpError, Outcome, Reply, Unseen};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Bytes of payload: the customary 56, so that filters that look at the size see an ordinary ping.
const PAYLOAD: usize = 56;
/// Bytes of an echo's header: type, code, checksum, identifier, sequence number.
const HEADER: usize = 8;

/// Random bytes at the start of every echo of this process: a reply without them answers somebody else.
pub fn mark() -> [u8; 8] {
    static MARK: OnceLock<[u8; 8]> = OnceLock::new();
    *MARK.get_or_init(|| RandomState::new().build_hasher().finish().to_be_bytes())
}

/// How to ask.
#[derive(Debug, Clone)]
pub struct Echo {
    /// How the packets leave.
    pub route: Route,
    /// The whole time.
    pub timeout: Duration,
    /// How many to send at most.
    pub count: u16,
    /// Time between two.
    pub gap: Duration,
    /// When to stop.
    pub until: Until,
}

/// When a series is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The first answer proves life.
    FirstAnswer,
    /// All must have been sent and answered, or the time be over: tells loss.
    AllAnswered,
}

impl Echo {
    /// One echo, routed as applications are.
    pub fn once(timeout: Duration) -> Self {
        Self { route: Route::default(), timeout, count: 1, gap: Duration::ZERO, until: Until::FirstAnswer }
    }
}

/// Asks a host for an echo. Of several, the fastest answer gives the time.
pub async fn echo(target: IpAddr, how: &Echo) -> Outcome<Reply> {
    echo_of(target, how, PAYLOAD).await
}

/// The same with a payload of so many bytes; never less than the mark by which replies are known.
pub async fn echo_of(target: IpAddr, how: &Echo, payload: usize) -> Outcome<Reply> {
    let began = clock::now();
    let at = SocketAddr::new(target, 0);
    let opened = match Connected::open(Kind::Ping, at, &how.route) {
        Err(Refusal::Forbidden) => (Kind::RawIcmp, Connected::open(Kind::RawIcmp, at, &how.route)),
        opened => (Kind::Ping, opened),
    };
    let socket = match opened {
        (kind, Ok(socket)) => Series::new(kind, socket, target, how, payload, began),
        (_, Err(Refusal::Local(errno))) => return failed(FailureKind::Local(errno), began),
        (_, Err(Refusal::Forbidden)) => return Outcome::Unknown(Unseen::Capability("CAP_NET_RAW".into())),
        (_, Err(Refusal::Unseen(why))) => return Outcome::Unknown(why),
    };
    socket.run().await
}

/// An ICMP error by its numbers, as `offender` sent it. Without the next hop's MTU, which only the error queue tells.
pub fn error(offender: IpAddr, kind: u8, code: u8) -> IcmpError {
    let kind = if offender.is_ipv4() { icmp4_kind(kind, code, 0) } else { icmp6_kind(kind, code, 0) };
    IcmpError { kind, offender: Some(offender) }
}

fn failed<T>(kind: FailureKind, began: Instant) -> Outcome<T> {
    Outcome::Failed(Failure { kind, elapsed: began.elapsed() })
}

/// Echoes under way on one socket.
struct Series<'a> {
    socket: Connected,
    frame: Frame,
    how: &'a Echo,
    began: Instant,
    /// When each was sent; the index is the sequence number less one.
    sent: Vec<Instant>,
    answered: Vec<bool>,
    best: Option<(Duration, Option<u8>)>,
}

impl<'a> Series<'a> {
    fn new(kind: Kind, socket: Connected, target: IpAddr, how: &'a Echo, payload: usize, began: Instant) -> Self {
        let nonce = socket::nonce();
        let frame = Frame { kind, v6: target.is_ipv6(), id: (nonce >> 48) as u16, cookie: mark(), payload };
        Self { socket, frame, how, began, sent: Vec::new(), answered: Vec::new(), best: None }
    }

    async fn run(mut self) -> Outcome<Reply> {
        let deadline = tokio::time::Instant::now() + self.how.timeout;
        let mut next_send = tokio::time::Instant::now();
        loop {
            if self.sent.len() < usize::from(self.how.count.max(1)) && tokio::time::Instant::now() >= next_send {
                if let Err(errno) = self.send() {
                    return self.give_up(FailureKind::Local(errno));
                }
                next_send = tokio::time::Instant::now() + self.how.gap;
            }
            let all_sent = self.sent.len() >= usize::from(self.how.count.max(1));
            let wake = if all_sent { deadline } else { deadline.min(next_send) };
            match tokio::time::timeout_at(wake, self.socket.next()).await {
                Ok(Ok(event)) => {
                    if let Some(failure) = self.note(event) {
                        return self.give_up(failure);
                    }
                    if self.is_done(all_sent) {
                        return self.give_up(FailureKind::Silence);
                    }
                }
                Ok(Err(why)) => return Outcome::Unknown(why),
                Err(_) if wake >= deadline => return self.give_up(FailureKind::Silence),
                Err(_) => {}
            }
        }
    }

    fn send(&mut self) -> Result<(), Errno> {
        let sequence = u16::try_from(self.sent.len() + 1).unwrap_or(u16::MAX);
        let packet = self.frame.request(sequence);
        self.sent.push(clock::now());
        self.answered.push(false);
        self.socket.send(&packet)
    }

    /// Takes note of an event; a failure that ends the series comes back.
    fn note(&mut self, event: Event) -> Option<FailureKind> {
        match event {
            Event::Local(errno) => Some(FailureKind::Local(errno)),
            Event::Icmp { error, about, .. } => self.frame.owns(&about).then_some(FailureKind::Icmp(error)),
            Event::Data { bytes, ttl, waited } => {
                let (sequence, header_ttl) = self.frame.reply(&bytes)?;
                let index = usize::from(sequence).checked_sub(1)?;
                let sent = *self.sent.get(index)?;
                let elapsed = sent.elapsed();
                let rtt = elapsed.checked_sub(waited).unwrap_or(elapsed);
                if let Some(seen) = self.answered.get_mut(index) {
                    *seen = true;
                }
                if self.best.is_none_or(|(best, _)| rtt < best) {
                    self.best = Some((rtt, ttl.or(header_ttl)));
                }
                None
            }
        }
    }

    fn is_done(&self, all_sent: bool) -> bool {
        match self.how.until {
            Until::FirstAnswer => self.best.is_some(),
            Until::AllAnswered => all_sent && self.answered.iter().all(|answered| *answered),
        }
    }

    /// The end: an answer, however late the rest failed, is an answer.
    fn give_up(self, failure: FailureKind) -> Outcome<Reply> {
        match self.best {
            Some((rtt, ttl)) => {
                let answered = self.answered.iter().filter(|answered| **answered).count();
                let count = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
                Outcome::Ok(Reply { rtt, ttl, series: (count(self.sent.len()), count(answered)) })
            }
            None => failed(failure, self.began),
        }
    }
}

/// How our echoes look, to build and to recognise them.
#[derive(Debug, Clone)]
struct Frame {
    kind: Kind,
    v6: bool,
    /// The identifier on a raw socket; a ping socket has its own, set by the kernel.
    id: u16,
    /// Random bytes at the start of the payload: a reply without them answers somebody else.
    cookie: [u8; 8],
    /// Bytes after the header.
    payload: usize,
}

impl Frame {
    fn request(&self, sequence: u16) -> Vec<u8> {
        let mut packet = vec![if self.v6 { 128 } else { 8 }, 0, 0, 0];
        packet.extend(self.id.to_be_bytes());
        packet.extend(sequence.to_be_bytes());
        packet.extend(self.cookie);
        packet.extend((0..=u8::MAX).cycle().take(self.payload.saturating_sub(self.cookie.len())));
        if !self.v6 {
            // For ICMPv6 the kernel fills it in, as it covers the addresses.
            let sum = checksum(&packet);
            packet[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        packet
    }

    /// The sequence number of an answer to us, and the TTL where the packet itself shows it.
    fn reply(&self, bytes: &[u8]) -> Option<(u16, Option<u8>)> {
        let (icmp, ttl) = self.without_ip_header(bytes)?;
        let reply_type = if self.v6 { 129 } else { 0 };
        (icmp.first() == Some(&reply_type) && self.is_ours(icmp)).then_some(())?;
        Some((u16::from_be_bytes(*icmp.get(6..)?.first_chunk()?), ttl))
    }

    /// Whether an error is about one of our requests. Routers need not quote more than the header.
    fn owns(&self, about: &[u8]) -> bool {
        match self.kind {
            // The kernel has matched the identifier, which only it knows.
            Kind::Ping | Kind::Udp => true,
            Kind::RawIcmp => {
                let request_type = if self.v6 { 128 } else { 8 };
                about.first() == Some(&request_type) && about.get(4..6) == Some(&self.id.to_be_bytes())
            }
        }
    }

    fn is_ours(&self, icmp: &[u8]) -> bool {
        let id = self.kind == Kind::Ping || icmp.get(4..6) == Some(&self.id.to_be_bytes());
        id && icmp.get(HEADER..HEADER + self.cookie.len()) == Some(&self.cookie)
    }

    fn without_ip_header<'b>(&self, bytes: &'b [u8]) -> Option<(&'b [u8], Option<u8>)> {
        if self.kind != Kind::RawIcmp || self.v6 {
            return Some((bytes, None));
        }
        let header = usize::from(bytes.first()? & 0x0f) * 4;
        Some((bytes.get(header..)?, bytes.get(8).copied()))
    }
}

/// RFC 1071.
pub(super) fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(kind: Kind, v6: bool) -> Frame {
        Frame { kind, v6, id: 0x1234, cookie: *b"isonet!!", payload: PAYLOAD }
    }

    fn answer(mut request: Vec<u8>, v6: bool) -> Vec<u8> {
        request[0] = if v6 { 129 } else { 0 };
        request
    }

    #[test]
    fn the_checksum_of_a_request_is_right() {
        assert_eq!(checksum(&frame(Kind::RawIcmp, false).request(1)), 0);
    }

    #[test]
    fn knows_its_own_reply_on_every_socket() {
        let ping = frame(Kind::Ping, false);
        assert_eq!(ping.reply(&answer(ping.request(3), false)), Some((3, None)));
        let ping6 = frame(Kind::Ping, true);
        assert_eq!(ping6.reply(&answer(ping6.request(3), true)), Some((3, None)));
        let raw = frame(Kind::RawIcmp, false);
        let mut packet = vec![0x45, 0, 0, 84, 0, 0, 0, 0, 57, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend(answer(raw.request(2), false));
        assert_eq!(raw.reply(&packet), Some((2, Some(57))));
    }

    #[test]
    fn a_request_seen_on_loopback_or_a_strangers_reply_is_no_answer() {
        let ping = frame(Kind::Ping, false);
        assert_eq!(ping.reply(&ping.request(1)), None, "our own request");
        let other = Frame { cookie: *b"stranger", ..ping.clone() };
        assert_eq!(ping.reply(&answer(other.request(1), false)), None);
        let raw = frame(Kind::RawIcmp, true);
        let other = Frame { id: 1, ..raw.clone() };
        assert_eq!(raw.reply(&answer(other.request(1), true)), None);
        assert!(!raw.owns(&other.request(1)));
        assert!(raw.owns(&raw.request(1)[..8]));
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};

        fn seeds() -> Vec<Vec<u8>> {
            let raw = answer(frame(Kind::RawIcmp, false).request(2), false);
            let header = vec![0x45, 0, 0, 84, 0, 0, 0, 0, 57, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            vec![
                answer(frame(Kind::Ping, false).request(3), false),
                answer(frame(Kind::Ping, true).request(3), true),
                [header, raw].concat(),
            ]
        }

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_an_echo_are_ours_or_nobodys(bytes in hostile(seeds(), 200)) {
                for kind in [Kind::Ping, Kind::RawIcmp] {
                    for v6 in [false, true] {
                        let frame = frame(kind, v6);
                        // Nobody who has not seen our request has its mark.
                        prop_assert!(frame.reply(&bytes).is_none() || bytes.windows(8).any(|window| window == frame.cookie));
                        let _ = frame.owns(&bytes);
                    }
                }
                let _ = checksum(&bytes);
            }
        }
    }
}
