//! Sockets as the kernel's socket diagnosis tells them: those that wait for others (TCP that listens, UDP that is bound to one port), and whom
//! this PC's programs talk to. Needs no privilege.
//!
//! Unlike `/proc/net` it tells to which device a socket is tied: an address server for containers only is tied to theirs.

use super::netlink::{u16_at, u32_at};
use crate::model::Unseen;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
/// Length of a netlink header, and of `struct inet_diag_req_v2`.
const HEADER: usize = 16;
const REQUEST: usize = 56;
/// Longest wait for the kernel, and most of what is read of it.
const ANSWER: Duration = Duration::from_millis(500);
const MOST_READS: usize = 256;
/// States as bits: `TCP_LISTEN`; UDP that is bound and not connected is `TCP_CLOSE`.
const LISTENS: u32 = 1 << 10;
const BOUND: u32 = 1 << 7;
/// From `TCP_ESTABLISHED` to `TCP_LAST_ACK` but for those that are only being opened or are closed: also connections that this PC closed
/// within the last minute (`TCP_TIME_WAIT`).
const TALKS: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 9;
/// The end of the other side in `struct inet_diag_msg`, which otherwise is that of a listener.
const OTHER_PORT: usize = 6;
const OTHER_ADDRESS: usize = 24;

/// A socket that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// Its address; unspecified = all.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// The index of the device it is tied to.
    pub device: Option<u32>,
    /// Tells it from others, and is what `/proc/PID/fd` shows.
    pub inode: u32,
}

/// All that listen on TCP. Blocks for at most a second; usually for well under a millisecond.
pub fn tcp() -> Result<Vec<Listener>, Unseen> {
    both(libc::IPPROTO_TCP, LISTENS)
}

/// All that wait for datagrams.
pub fn udp() -> Result<Vec<Listener>, Unseen> {
    both(libc::IPPROTO_UDP, BOUND)
}

/// The other ends of all connections by TCP that there are, or were a moment ago.
pub fn tcp_peers() -> Result<BTreeSet<SocketAddr>, Unseen> {
    Ok(each(libc::IPPROTO_TCP, TALKS, peer)?.into_iter().collect())
}

/// The connections by TCP that this PC began, or took: its own end and the other.
pub fn tcp_connections() -> Result<BTreeSet<(SocketAddr, SocketAddr)>, Unseen> {
    Ok(each(libc::IPPROTO_TCP, TALKS, |payload| Some((end(payload, 4, 8)?, peer(payload)?)))?.into_iter().collect())
}

fn both(protocol: libc::c_int, states: u32) -> Result<Vec<Listener>, Unseen> {
    each(protocol, states, listener)
}

fn each<T>(protocol: libc::c_int, states: u32, of: fn(&[u8]) -> Option<T>) -> Result<Vec<T>, Unseen> {
    let failed = |e: io::Error| Unseen::Error(format!("list sockets: {e}"));
    let mut found = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        found.extend(dump(family, protocol, states, of).map_err(failed)?);
    }
    Ok(found)
}

fn dump<T>(family: libc::c_int, protocol: libc::c_int, states: u32, of: fn(&[u8]) -> Option<T>) -> io::Result<Vec<T>> {
    const NETLINK_SOCK_DIAG: libc::c_int = 4;
    let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW.cloexec(), Some(Protocol::from(NETLINK_SOCK_DIAG)))?;
    socket.set_read_timeout(Some(ANSWER))?;
    socket.send(&request(family, protocol, states))?;
    let (mut found, mut buffer) = (Vec::new(), vec![0; 32 * 1024]);
    for _ in 0..MOST_READS {
        let length = (&socket).read(&mut buffer)?;
        if read(&buffer[..length], of, &mut found)? == Rest::Done {
            return Ok(found);
        }
    }
    Err(io::Error::other("no end"))
}

fn request(family: libc::c_int, protocol: libc::c_int, states: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + REQUEST);
    bytes.extend(u32::try_from(HEADER + REQUEST).unwrap_or_default().to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(DUMP.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([u8::try_from(family).unwrap_or_default(), u8::try_from(protocol).unwrap_or_default(), 0, 0]);
    bytes.extend(states.to_ne_bytes());
    bytes.resize(HEADER + REQUEST, 0);
    bytes
}

/// Whether more follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    More,
    Done,
}

/// Takes a batch of messages; what does not fit ends it.
fn read<T>(mut bytes: &[u8], of: fn(&[u8]) -> Option<T>, found: &mut Vec<T>) -> io::Result<Rest> {
    while bytes.len() >= HEADER {
        let length = usize::try_from(u32_at(bytes, 0).unwrap_or_default()).unwrap_or_default();
        let Some(payload) = bytes.get(HEADER..length) else { break };
        match u16_at(bytes, 4) {
            Some(3) => return Ok(Rest::Done),
            Some(2) => {
                let code = payload.get(..4).and_then(|code| Some(i32::from_ne_bytes(code.try_into().ok()?))).unwrap_or_default();
                return Err(io::Error::from_raw_os_error(code.saturating_neg()));
            }
            Some(BY_FAMILY) => found.extend(of(payload)),
            _ => {}
        }
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    Ok(Rest::More)
}

/// `struct inet_diag_msg`.
fn listener(payload: &[u8]) -> Option<Listener> {
    let own = end(payload, 4, 8)?;
    let device = u32_at(payload, 40).filter(|index| *index != 0);
    Some(Listener { address: own.ip(), port: own.port(), device, inode: u32_at(payload, 68)? })
}

/// The same; an IPv4 address that an IPv6 socket talks to is told as what it is.
fn peer(payload: &[u8]) -> Option<SocketAddr> {
    let other = end(payload, OTHER_PORT, OTHER_ADDRESS)?;
    Some(SocketAddr::new(other.ip().to_canonical(), other.port()))
}

fn end(payload: &[u8], port: usize, address: usize) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(payload.get(port..port + 2)?.try_into().ok()?);
    let octets: [u8; 16] = payload.get(address..address + 16)?.try_into().ok()?;
    let address = match libc::c_int::from(*payload.first()?) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3])),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(octets)),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_of_a_socket_that_listens_and_of_one_that_is_bound() {
        let tcp_socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let udp_socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        let has = |list: Vec<Listener>, port| list.iter().any(|one| one.port == port && one.address.is_loopback() && one.device.is_none());
        assert!(has(tcp().expect("listed"), tcp_socket.local_addr().expect("bound").port()));
        assert!(has(udp().expect("listed"), udp_socket.local_addr().expect("bound").port()));
    }

    #[test]
    fn whom_a_program_talks_to_is_told_while_it_does_and_a_moment_after() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = server.local_addr().expect("bound");
        let there = || tcp_peers().expect("listed").contains(&at);
        let ends = || tcp_connections().expect("listed").into_iter().any(|(own, other)| other == at && own.port() != at.port());
        assert!(!there());
        let client = std::net::TcpStream::connect(at).expect("connected");
        let _accepted = server.accept().expect("accepted");
        assert!(there() && ends());
        drop(client);
        assert!(there(), "closed by this side");
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        fn seed() -> Vec<u8> {
            let mut bytes = 88_u32.to_ne_bytes().to_vec();
            bytes.extend(BY_FAMILY.to_ne_bytes());
            bytes.resize(HEADER, 0);
            bytes.extend([2, 10, 0, 0, 0x07, 0xe8]);
            bytes.resize(88, 0);
            bytes
        }

        proptest! {
            #![proptest_config(cases())]
            #[test]
            fn never_panic(bytes in hostile(vec![seed()], 200)) {
                let _ = read(&bytes, listener, &mut Vec::new());
                let _ = read(&bytes, peer, &mut Vec::new());
            }
        }

        #[test]
        fn the_seed_is_a_listener() {
            let mut found = Vec::new();
            assert_eq!(read(&seed(), listener, &mut found).expect("read"), Rest::More);
            assert_eq!(found.first().map(|one| one.port), Some(2024));
        }
    }
}
