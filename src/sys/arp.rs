//! Asking a next hop for its hardware address ourselves: ARP on a packet socket, neighbour solicitation on a raw ICMP one.
//!
//! The kernel's neighbour table stays REACHABLE for tens of seconds behind a dead gateway, so only an answer of this very moment
//! proves that it is there. Needs `CAP_NET_RAW`; without it the answer is unknown, never silence. The frames are built and read by
//! the pure functions of [`frame`].

#![allow(unsafe_code, reason = "sockaddr_ll has no safe wrapper")]

mod frame;

use super::ear::Ear;
use super::socket::{hardware_address, if_index, set_int};
use super::{clock, netlink};
use crate::model::{ArpAnswer, IfName, Outcome, Unseen};
use frame::{Answer, Mac};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6};
use std::os::fd::AsFd;
use std::time::Duration;

/// Time between the two requests: a busy little router answers within it, and one lost frame is no verdict.
const RETRY: Duration = Duration::from_millis(250);
/// `ETH_P_ARP`.
const ETHERTYPE_ARP: u16 = 0x0806;
/// `AF_PACKET`, as wide as an address has it.
const FAMILY: libc::sa_family_t = 17;
const _: () = assert!(FAMILY as libc::c_int == libc::AF_PACKET);
/// Length of `sockaddr_ll`.
const LENGTH: libc::socklen_t = 20;
const _: () = assert!(LENGTH as usize == size_of::<libc::sockaddr_ll>());
/// Hop limit of neighbour discovery; anything less came through a router (RFC 4861, 7.1).
const ND_HOPS: u8 = 255;

/// What came of asking, and the hardware address that answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Whether it answered.
    pub answer: ArpAnswer,
    /// Its hardware address, lower-case with colons.
    pub mac: Option<String>,
}

impl Asked {
    fn unknown(why: Unseen) -> Self {
        Self { answer: ArpAnswer::Unknown(why), mac: None }
    }
}

/// Asks for the hardware address of a neighbour: at once, by unicast where `known` is its address, and once more 250 ms later by
/// broadcast. Never waits past `timeout`.
pub async fn ask(device: &IfName, target: IpAddr, known: Option<&str>, timeout: Duration) -> Asked {
    let known = known.and_then(frame::parse_mac);
    let opened = match target {
        IpAddr::V4(ip) => Talk::arp(device, ip, known, Sender::OurAddress),
        IpAddr::V6(ip) => Talk::discovery(device, ip, known),
    };
    match opened {
        Ok(talk) => talk.run(timeout).await,
        Err(why) => Asked::unknown(why),
    }
}

/// Who else answers for our own address. `Ok(None)` = nobody did within `timeout`. IPv6 needs no such question: the kernel asks it
/// itself and flags the address.
pub async fn conflict(device: &IfName, own: Ipv4Addr, timeout: Duration) -> Outcome<Option<String>> {
    let asked = match Talk::arp(device, own, None, Sender::Nobody) {
        Ok(talk) => talk.run(timeout).await,
        Err(why) => Asked::unknown(why),
    };
    match asked.answer {
        ArpAnswer::Answered(_) => Outcome::Ok(asked.mac),
        ArpAnswer::Silent => Outcome::Ok(None),
        ArpAnswer::Unknown(why) => Outcome::Unknown(why),
    }
}

/// Whose protocol address a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// Ours on that segment.
    OurAddress,
    /// 0.0.0.0: a probe (RFC 5227), which changes nobody's table.
    Nobody,
}

fn ear(socket: Socket) -> Result<Ear, Unseen> {
    Ear::new(socket).map_err(|e| unseen("watch the socket", &e))
}

/// A socket, what to send on it, and what counts as an answer.
struct Talk {
    socket: Ear,
    own: Mac,
    target: IpAddr,
    /// First and second try.
    tries: [(Vec<u8>, SockAddr); 2],
}

impl Talk {
    fn arp(device: &IfName, target: Ipv4Addr, known: Option<Mac>, sender: Sender) -> Result<Self, Unseen> {
        let card = Card::open(device)?;
        let source = match sender {
            Sender::Nobody => Ipv4Addr::UNSPECIFIED,
            Sender::OurAddress => own_address(device, target),
        };
        let request = frame::arp_request(card.mac, source, target);
        let first = packet_address(card.index, known.unwrap_or(frame::BROADCAST));
        let second = packet_address(card.index, frame::BROADCAST);
        Ok(Self { socket: ear(card.socket)?, own: card.mac, target: target.into(), tries: [(request.clone(), first), (request, second)] })
    }

    fn discovery(device: &IfName, target: Ipv6Addr, known: Option<Mac>) -> Result<Self, Unseen> {
        let socket =
            Socket::new(Domain::IPV6, Type::RAW.nonblocking().cloexec(), Some(Protocol::ICMPV6)).map_err(|e| unseen("open", &e))?;
        socket.bind_device(Some(device.as_str().as_bytes())).map_err(|e| unseen("bind to the interface", &e))?;
        for option in [libc::IPV6_UNICAST_HOPS, libc::IPV6_MULTICAST_HOPS] {
            set_int(socket.as_fd(), libc::IPPROTO_IPV6, option, ND_HOPS.into()).map_err(|e| unseen("set the hop limit", &e))?;
        }
        set_int(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1).map_err(|e| unseen("ask for the hop limit", &e))?;
        let own = hardware_address(&socket, device).map_err(|e| unseen("read our hardware address", &e))?;
        let index = if_index(device).map_err(|e| unseen("find the interface", &e))?;
        let request = frame::solicitation(own, target);
        let at = |ip: Ipv6Addr| SockAddr::from(SocketAddrV6::new(ip, 0, 0, index));
        let group = frame::solicited_node(target);
        // Unicast goes through the kernel's own table, so it serves only where that has an address, and multicast always follows.
        let first = if known.is_some() { target } else { group };
        Ok(Self { socket: ear(socket)?, own, target: target.into(), tries: [(request.clone(), at(first)), (request, at(group))] })
    }

    async fn run(self, timeout: Duration) -> Asked {
        let began = clock::now();
        let deadline = tokio::time::Instant::now() + timeout;
        let answered = |mac| Asked { answer: ArpAnswer::Answered(began.elapsed()), mac };
        for (number, (request, to)) in self.tries.iter().enumerate() {
            if let Err(e) = self.socket.socket().send_to(request, to) {
                return Asked::unknown(unseen("send", &e));
            }
            let wait = if number == 0 { deadline.min(tokio::time::Instant::now() + RETRY) } else { deadline };
            match tokio::time::timeout_at(wait, self.answer()).await {
                Ok(Ok(Answer::From(mac))) => return answered(netlink::mac(&mac)),
                Ok(Ok(Answer::Nameless)) => return answered(None),
                Ok(Err(why)) => return Asked::unknown(why),
                Err(_) => {}
            }
        }
        Asked { answer: ArpAnswer::Silent, mac: None }
    }

    async fn answer(&self) -> Result<Answer, Unseen> {
        loop {
            let (bytes, hops) = self.socket.hear().await.map_err(|e| unseen("receive", &e))?;
            if let Some(answer) = self.read(&bytes, hops) {
                return Ok(answer);
            }
        }
    }

    /// An answer about the target; `None` for anything else that is heard.
    fn read(&self, bytes: &[u8], hops: Option<u8>) -> Option<Answer> {
        match self.target {
            IpAddr::V4(target) => frame::arp_reply(bytes, target, self.own),
            IpAddr::V6(target) if hops == Some(ND_HOPS) => frame::advertisement(bytes, target),
            IpAddr::V6(_) => None,
        }
    }
}

/// A packet socket bound to one Ethernet interface, hearing ARP only.
struct Card {
    socket: Socket,
    index: u32,
    mac: Mac,
}

impl Card {
    fn open(device: &IfName) -> Result<Self, Unseen> {
        // Protocol 0 until it is bound: else it hears every interface in between.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM.nonblocking().cloexec(), None).map_err(|e| unseen("open", &e))?;
        let mac = hardware_address(&socket, device).map_err(|e| unseen("read our hardware address", &e))?;
        let index = if_index(device).map_err(|e| unseen("find the interface", &e))?;
        socket.bind(&packet_address(index, frame::BROADCAST)).map_err(|e| unseen("bind to the interface", &e))?;
        Ok(Self { socket, index, mac })
    }
}

fn packet_address(index: u32, to: Mac) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is a plain structure of integers and smaller than the storage.
    let link: &mut libc::sockaddr_ll = unsafe { storage.view_as() };
    link.sll_family = FAMILY;
    link.sll_protocol = ETHERTYPE_ARP.to_be();
    link.sll_ifindex = index.cast_signed();
    link.sll_halen = 6;
    link.sll_addr[..6].copy_from_slice(&to);
    // SAFETY: the storage now holds a `sockaddr_ll` of exactly this length.
    unsafe { SockAddr::new(storage, LENGTH) }
}

/// Our address towards a neighbour; unspecified when the kernel knows no way, which makes the request a probe.
fn own_address(device: &IfName, target: Ipv4Addr) -> Ipv4Addr {
    let route = super::udp::Route { device: Some(device.clone()), ttl: None };
    match super::udp::source_for(target.into(), &route) {
        Some(IpAddr::V4(source)) => source,
        Some(IpAddr::V6(_)) | None => Ipv4Addr::UNSPECIFIED,
    }
}

fn unseen(operation: &str, error: &io::Error) -> Unseen {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => Unseen::Capability("CAP_NET_RAW".into()),
        _ => Unseen::Error(format!("arp: {operation}: {error}")),
    }
}
