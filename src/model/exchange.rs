//! Asking and being answered, or not: never just "timeout", because how something fails tells what is wrong.

use super::{Neighbour, Outcome, Rcode, TlsFacts, TlsFault, Unseen};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// A next hop, asked in two ways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    /// The kernel's entry when the round began.
    pub neighbour: Neighbour,
    /// Its hardware address, from ARP/ND now, or else from the kernel's entry.
    pub mac: Option<String>,
    /// Unicast ARP or ND now: the only proof that it is there.
    pub arp: ArpAnswer,
    /// ICMP echo: forbidden on many routers, so its silence is not a fault.
    pub ping: Outcome<Reply>,
    /// A TTL-1 datagram came back from it: it forwards, or would.
    pub expired_here: Option<Duration>,
}

impl Gateway {
    /// It gave any sign of life in this round.
    pub fn alive(&self) -> bool {
        matches!(self.arp, ArpAnswer::Answered(_)) || self.ping.ok().is_some() || self.expired_here.is_some()
    }
}

/// What came of asking for a hardware address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArpAnswer {
    /// It answered after this time.
    Answered(Duration),
    /// Asked (at least twice), no answer.
    Silent,
    /// Could not ask.
    Unknown(Unseen),
}

/// One step of a walk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    /// TTL sent.
    pub ttl: u8,
    /// What came back.
    pub answer: HopAnswer,
    /// Time to the answer, or to giving up.
    pub elapsed: Duration,
}

/// What came back for one TTL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HopAnswer {
    /// A router said the TTL ran out: it is alive and the path to it works.
    Router(IpAddr),
    /// The destination itself answered (echo, port unreachable, data).
    Destination,
    /// A router refused.
    Refused(IcmpError),
    /// Nothing.
    Silence,
    /// The kernel refused to send.
    Local(Errno),
}

/// An answer, with what tells a near impostor from the far end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Time from sending to the answer.
    pub rtt: Duration,
    /// TTL of the answer where it can be seen.
    pub ttl: Option<u8>,
    /// Sent / answered where it was a series; (1, 1) otherwise.
    pub series: (u16, u16),
}

impl Reply {
    /// A single answered request.
    pub fn once(rtt: Duration) -> Self {
        Self { rtt, ttl: None, series: (1, 1) }
    }
}

/// How an exchange failed: never just "timeout".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The signature.
    pub kind: FailureKind,
    /// Time until it was known. At 0 ms it was this PC's own refusal.
    pub elapsed: Duration,
}

impl Failure {
    /// It tells of this PC's own trouble (no descriptor, no buffer, an address or a card that went away) and nothing of the peer.
    pub fn is_ours(&self) -> bool {
        matches!(self.kind, FailureKind::Local(errno) if !errno.tells())
    }
}

/// The signature of a failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// Nothing came back until the deadline.
    Silence,
    /// The kernel refused: no packet left.
    Local(Errno),
    /// An ICMP error came back.
    Icmp(IcmpError),
    /// TCP reset in answer to connect.
    Refused,
    /// The peer ended an open connection; bytes of answer seen before.
    Closed {
        /// Bytes received before the end.
        received: u64,
        /// By reset rather than in order.
        reset: bool,
    },
    /// An answer that is not the protocol; a short reason, language-free.
    Garbage(String),
    /// A DNS answer with an error code.
    Rcode(Rcode),
    /// The handshake failed for this reason.
    Tls(TlsFault, Option<Box<TlsFacts>>),
    /// The answer is larger than we accept.
    TooLarge,
}

/// An error number of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Errno(pub i32);

impl Errno {
    /// Filtered by the local firewall (or not permitted).
    pub const EPERM: Self = Self(1);
    /// A `prohibit` route.
    pub const EACCES: Self = Self(13);
    /// A `blackhole` route.
    pub const EINVAL: Self = Self(22);
    /// No such device.
    pub const ENODEV: Self = Self(19);
    /// The source address is gone.
    pub const EADDRNOTAVAIL: Self = Self(99);
    /// The interface is down.
    pub const ENETDOWN: Self = Self(100);
    /// No route.
    pub const ENETUNREACH: Self = Self(101);
    /// Reset.
    pub const ECONNRESET: Self = Self(104);
    /// Refused.
    pub const ECONNREFUSED: Self = Self(111);
    /// The kernel gave up.
    pub const ETIMEDOUT: Self = Self(110);
    /// An `unreachable` route, a failed neighbour, or a router's word.
    pub const EHOSTUNREACH: Self = Self(113);

    /// It is an answer: of this PC's routes or filter, or the network's own word that the kernel passes on. Every other number is this
    /// PC's own trouble at that moment.
    pub fn tells(self) -> bool {
        let refusals = [Self::EPERM, Self::EACCES, Self::EINVAL, Self::ENETUNREACH, Self::EHOSTUNREACH];
        let words = [Self::ECONNRESET, Self::ECONNREFUSED, Self::ETIMEDOUT];
        refusals.contains(&self) || words.contains(&self)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "EPERM",
            2 => "ENOENT",
            13 => "EACCES",
            19 => "ENODEV",
            22 => "EINVAL",
            90 => "EMSGSIZE",
            97 => "EAFNOSUPPORT",
            99 => "EADDRNOTAVAIL",
            100 => "ENETDOWN",
            101 => "ENETUNREACH",
            104 => "ECONNRESET",
            105 => "ENOBUFS",
            110 => "ETIMEDOUT",
            111 => "ECONNREFUSED",
            113 => "EHOSTUNREACH",
            other => return write!(f, "errno {other}"),
        };
        f.write_str(name)
    }
}

/// An ICMP error and who sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IcmpError {
    /// What it says.
    pub kind: IcmpKind,
    /// Who said it: our own address means our own kernel gave up on the neighbour.
    pub offender: Option<IpAddr>,
}

/// The ICMP errors that tell causes apart, IPv4 and IPv6 alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IcmpKind {
    /// No route there.
    NetUnreachable,
    /// The host does not answer its router.
    HostUnreachable,
    /// The host is there, the port is closed.
    PortUnreachable,
    /// Forbidden by a filter.
    AdminProhibited,
    /// Too big; the next hop's MTU where given.
    PacketTooBig(u32),
    /// The TTL ran out on the way.
    TimeExceeded,
    /// Any other type and code.
    Other(u8, u8),
}
