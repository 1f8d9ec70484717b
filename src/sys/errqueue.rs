//! A connected datagram socket that also reads the kernel's error queue: the one way for an unprivileged program to learn *who* on
//! the path refused, and why.
//!
//! With `IP_RECVERR` the kernel keeps each ICMP error that answers one of our packets: type, code, and the router that sent it. The
//! queue is announced by `EPOLLERR` alone, so the socket is registered for errors as well as for data. [`parse_control`] is pure.

#![allow(unsafe_code, reason = "reading a buffer that recvmsg filled; registering a socket for its errors")]

use super::clock;
use super::socket::{errno, if_index, set_int};
use crate::model::{Errno, IcmpError, IcmpKind, IfName, Unseen};
use socket2::{Domain, MaybeUninitSlice, MsgHdrMut, Protocol, SockAddr, Socket, Type};
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Longest datagram that is read; what is longer is cut. No probe asks for more than an Ethernet frame.
const DATAGRAM_MAX: usize = 2048;
/// Room for the control messages asked for: TTL, time stamp, one extended error with an IPv6 offender.
const CONTROL_MAX: usize = 512;

const ORIGIN_LOCAL: u8 = 1;
const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;

/// What a socket is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// UDP.
    Udp,
    /// ICMP echo without privilege, where `net.ipv4.ping_group_range` allows it.
    Ping,
    /// ICMP with `CAP_NET_RAW`.
    RawIcmp,
}

/// How packets leave.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// Bound to this interface; `None` = as applications are routed.
    pub device: Option<IfName>,
    /// TTL or hop limit; `None` = the system's.
    pub ttl: Option<u8>,
}

/// Why a socket could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The kernel has no way for such a packet: a finding.
    Local(Errno),
    /// This process may not open such a socket.
    Forbidden,
    /// Anything else that is our own trouble.
    Unseen(Unseen),
}

/// What happened on the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A datagram.
    Data {
        /// Its payload; on a raw IPv4 socket with the IP header.
        bytes: Vec<u8>,
        /// The TTL with which it arrived.
        ttl: Option<u8>,
        /// How long it had been waiting for us in the kernel.
        waited: Duration,
    },
    /// An ICMP error.
    Icmp {
        /// Which, and from whom.
        error: IcmpError,
        /// The beginning of our own packet that it answers.
        about: Vec<u8>,
        /// How long it had been waiting for us in the kernel.
        waited: Duration,
    },
    /// The kernel's own error.
    Local(Errno),
}

/// A connected socket with its error queue.
#[derive(Debug)]
pub(super) struct Connected(AsyncFd<Socket>);

impl Connected {
    /// Opens and connects a socket.
    pub(super) fn open(kind: Kind, target: SocketAddr, route: &Route) -> Result<Self, Refusal> {
        let socket = new_socket(kind, target)?;
        prepare(&socket, target, route)?;
        socket.connect(&SockAddr::from(target)).map_err(|e| Refusal::Local(errno(&e)))?;
        watched(socket).map(Self).map_err(|e| Refusal::Unseen(Unseen::Error(format!("watch a socket: {e}"))))
    }

    /// Sends one datagram. A full queue is no answer of the network and is passed over: the caller's time runs out instead.
    pub(super) fn send(&self, bytes: &[u8]) -> Result<(), Errno> {
        match self.0.get_ref().send(bytes) {
            Ok(_) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(e) => Err(errno(&e)),
        }
    }

    /// Our own address, as the kernel chose it.
    pub(super) fn source(&self) -> Option<IpAddr> {
        self.0.get_ref().local_addr().ok()?.as_socket().map(|at| at.ip())
    }

    /// Waits for the next event, errors first. May be cancelled at any time without losing one.
    pub(super) async fn next(&self) -> Result<Event, Unseen> {
        loop {
            let mut guard =
                self.0.ready(Interest::READABLE | Interest::ERROR).await.map_err(|e| Unseen::Error(format!("wait for a socket: {e}")))?;
            match take(self.0.get_ref()) {
                Some(event) => return Ok(event),
                None => guard.clear_ready(),
            }
        }
    }
}

/// Registers a socket with the runtime, for data and for errors.
pub(super) fn watched(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: a `Socket` owns one descriptor, always returns that one, and is closed only when dropped, which the `AsyncFd` does.
    unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE | Interest::ERROR) }.map_err(io::Error::from)
}

fn new_socket(kind: Kind, target: SocketAddr) -> Result<Socket, Refusal> {
    let domain = Domain::for_address(target);
    let icmp = if target.is_ipv4() { Protocol::ICMPV4 } else { Protocol::ICMPV6 };
    let (kind, protocol) = match kind {
        Kind::Udp => (Type::DGRAM, Protocol::UDP),
        Kind::Ping => (Type::DGRAM, icmp),
        Kind::RawIcmp => (Type::RAW, icmp),
    };
    Socket::new(domain, kind.nonblocking().cloexec(), Some(protocol)).map_err(|e| match e.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => Refusal::Forbidden,
        // IPv6 switched off in the kernel: no packet of that family can leave.
        Some(libc::EAFNOSUPPORT) => Refusal::Local(errno(&e)),
        _ => Refusal::Unseen(Unseen::Error(format!("open a socket: {e}"))),
    })
}

fn prepare(socket: &Socket, target: SocketAddr, route: &Route) -> Result<(), Refusal> {
    let trouble = |what: &str, e: &io::Error| Refusal::Unseen(Unseen::Error(format!("{what}: {e}")));
    let fd = socket.as_fd();
    let (level, recverr, recvttl, ttl) = if target.is_ipv4() {
        (libc::IPPROTO_IP, libc::IP_RECVERR, libc::IP_RECVTTL, libc::IP_TTL)
    } else {
        (libc::IPPROTO_IPV6, libc::IPV6_RECVERR, libc::IPV6_RECVHOPLIMIT, libc::IPV6_UNICAST_HOPS)
    };
    set_int(fd, level, recverr, 1).map_err(|e| trouble("ask for ICMP errors", &e))?;
    set_int(fd, level, recvttl, 1).map_err(|e| trouble("ask for the TTL", &e))?;
    set_int(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1).map_err(|e| trouble("ask for time stamps", &e))?;
    if let Some(value) = route.ttl {
        set_int(fd, level, ttl, value.into()).map_err(|e| trouble("set the TTL", &e))?;
    }
    let Some(device) = &route.device else { return Ok(()) };
    socket.bind_device(Some(device.as_str().as_bytes())).or_else(|e| match e.raw_os_error() {
        // Kernels before 5.7 want CAP_NET_RAW for it; choosing the outgoing interface alone never does.
        Some(libc::EPERM) => unicast_interface(socket, target, device),
        _ => Err(Refusal::Local(errno(&e))),
    })
}

fn unicast_interface(socket: &Socket, target: SocketAddr, device: &IfName) -> Result<(), Refusal> {
    let (level, name) =
        if target.is_ipv4() { (libc::IPPROTO_IP, libc::IP_UNICAST_IF) } else { (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_IF) };
    let index = if_index(device).map_err(|e| Refusal::Local(errno(&e)))?;
    // The option takes the index in network byte order.
    let value = i32::from_ne_bytes(index.to_be_bytes());
    set_int(socket.as_fd(), level, name, value).map_err(|e| Refusal::Unseen(Unseen::Error(format!("choose the interface: {e}"))))
}

/// Takes one event from the socket; `None` when nothing waits.
fn take(socket: &Socket) -> Option<Event> {
    if let Some(event) = take_error(socket) {
        return Some(event);
    }
    match receive(socket, 0) {
        Ok((bytes, control)) => Some(Event::Data { bytes, ttl: control.ttl, waited: waited(control.stamp) }),
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => None,
        // The error may have arrived between the two calls: its entry in the queue says more than its number.
        Err(e) => Some(take_error(socket).unwrap_or(Event::Local(errno(&e)))),
    }
}

fn take_error(socket: &Socket) -> Option<Event> {
    loop {
        let (about, control) = receive(socket, libc::MSG_ERRQUEUE).ok()?;
        let Some(extended) = control.error else { continue };
        match extended.origin {
            ORIGIN_ICMP | ORIGIN_ICMP6 => return Some(Event::Icmp { error: extended.icmp(), about, waited: waited(control.stamp) }),
            ORIGIN_LOCAL => return Some(Event::Local(extended.errno)),
            // Transmit stamps and the like: not asked for, and no error.
            _ => {}
        }
    }
}

/// One datagram, and the TTL where it was asked for. Not from the error queue.
pub(super) fn plain(socket: &Socket) -> io::Result<(Vec<u8>, Option<u8>)> {
    receive(socket, 0).map(|(bytes, control)| (bytes, control.ttl))
}

fn receive(socket: &Socket, flags: libc::c_int) -> io::Result<(Vec<u8>, Control)> {
    let mut data = [MaybeUninit::new(0_u8); DATAGRAM_MAX];
    let mut control = [MaybeUninit::new(0_u8); CONTROL_MAX];
    let mut buffers = [MaybeUninitSlice::new(&mut data)];
    let mut message = MsgHdrMut::new().with_buffers(&mut buffers).with_control(&mut control);
    let length = socket.recvmsg(&mut message, flags)?;
    let control_length = message.control_len();
    Ok((initialised(&data, length), parse_control(&initialised(&control, control_length))))
}

fn initialised(buffer: &[MaybeUninit<u8>], length: usize) -> Vec<u8> {
    // SAFETY: both callers create their buffer from zeroes, so that every byte is initialised whatever the kernel wrote.
    buffer.iter().take(length).map(|byte| unsafe { byte.assume_init() }).collect()
}

/// How long ago the kernel stamped a packet; zero when there is no stamp or the wall clock moved in between.
fn waited(stamp: Option<Duration>) -> Duration {
    let now = clock::wall().as_duration();
    let age = stamp.and_then(|stamp| Duration::try_from(now).ok()?.checked_sub(stamp)).unwrap_or_default();
    if age < Duration::from_secs(1) { age } else { Duration::ZERO }
}

/// What the control messages of one packet say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Control {
    ttl: Option<u8>,
    /// Wall time since the epoch.
    stamp: Option<Duration>,
    error: Option<Extended>,
}

/// `struct sock_extended_err` and the offender's address behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Extended {
    errno: Errno,
    origin: u8,
    kind: u8,
    code: u8,
    info: u32,
    offender: Option<IpAddr>,
}

impl Extended {
    fn icmp(&self) -> IcmpError {
        let kind = if self.origin == ORIGIN_ICMP6 {
            icmp6_kind(self.kind, self.code, self.info)
        } else {
            icmp4_kind(self.kind, self.code, self.info)
        };
        IcmpError { kind, offender: self.offender }
    }
}

/// RFC 792 and RFC 1812, 5.2.7.1.
pub(super) fn icmp4_kind(kind: u8, code: u8, info: u32) -> IcmpKind {
    match (kind, code) {
        (3, 0 | 6 | 11) => IcmpKind::NetUnreachable,
        (3, 1 | 7 | 12) => IcmpKind::HostUnreachable,
        (3, 3) => IcmpKind::PortUnreachable,
        (3, 4) => IcmpKind::PacketTooBig(info),
        (3, 9 | 10 | 13) => IcmpKind::AdminProhibited,
        (11, 0) => IcmpKind::TimeExceeded,
        _ => IcmpKind::Other(kind, code),
    }
}

/// RFC 4443, 3.1 to 3.3; codes 5 and 6 are refinements of code 1 there.
pub(super) fn icmp6_kind(kind: u8, code: u8, info: u32) -> IcmpKind {
    match (kind, code) {
        (1, 0) => IcmpKind::NetUnreachable,
        (1, 1 | 5 | 6) => IcmpKind::AdminProhibited,
        (1, 3) => IcmpKind::HostUnreachable,
        (1, 4) => IcmpKind::PortUnreachable,
        (2, _) => IcmpKind::PacketTooBig(info),
        (3, 0) => IcmpKind::TimeExceeded,
        _ => IcmpKind::Other(kind, code),
    }
}

/// Reads a control buffer. Each message is a `cmsghdr` (length with header, level, type) and its data, padded to the word size; a
/// length that does not fit ends the walk.
fn parse_control(mut bytes: &[u8]) -> Control {
    const WORD: usize = size_of::<usize>();
    const HEADER: usize = WORD + 8;
    let mut control = Control::default();
    while let Some((length, level, kind)) = control_header(bytes) {
        let Some(data) = bytes.get(HEADER..length) else { break };
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                control.ttl = word32(data, 0).and_then(|value| u8::try_from(value).ok());
            }
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => control.stamp = timespec(data),
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => control.error = extended(data),
            _ => {}
        }
        match length.checked_next_multiple_of(WORD).and_then(|next| bytes.get(next..)) {
            Some(rest) => bytes = rest,
            None => break,
        }
    }
    control
}

fn control_header(bytes: &[u8]) -> Option<(usize, i32, i32)> {
    let (length, rest) = bytes.split_first_chunk::<{ size_of::<usize>() }>()?;
    let level = word32(rest, 0)?;
    let kind = word32(rest, 4)?;
    Some((usize::from_ne_bytes(*length), level.cast_signed(), kind.cast_signed()))
}

fn extended(data: &[u8]) -> Option<Extended> {
    let &[origin, kind, code, _] = data.get(4..8)? else { return None };
    Some(Extended {
        errno: Errno(word32(data, 0)?.cast_signed()),
        origin,
        kind,
        code,
        info: word32(data, 8)?,
        offender: data.get(16..).and_then(socket_address),
    })
}

/// `struct sockaddr_in` or `sockaddr_in6`; `None` for family 0, with which the kernel says that nobody sent it.
fn socket_address(data: &[u8]) -> Option<IpAddr> {
    let family = u16::from_ne_bytes(*data.first_chunk()?);
    match i32::from(family) {
        libc::AF_INET => data.get(4..).and_then(<[u8]>::first_chunk::<4>).map(|ip| Ipv4Addr::from(*ip).into()),
        libc::AF_INET6 => data.get(8..).and_then(<[u8]>::first_chunk::<16>).map(|ip| Ipv6Addr::from(*ip).into()),
        _ => None,
    }
}

/// `struct timespec` of two 64-bit words; the 32-bit one is passed over.
fn timespec(data: &[u8]) -> Option<Duration> {
    let seconds = u64::from_ne_bytes(*data.first_chunk()?);
    let nanos = u64::from_ne_bytes(*data.get(8..)?.first_chunk()?);
    (seconds < 1 << 40).then_some(())?;
    u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000).map(|nanos| Duration::new(seconds, nanos))
}

fn word32(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk().map(|word| u32::from_ne_bytes(*word))
}

#[cfg(test)]
#[path = "errqueue_tests.rs"]
mod tests;
