//! The kernel's word that something of the network changed: links, addresses, routes, rules, and neighbours that fail. Needs no privilege.
//!
//! A message only means "look again now"; the verdict always comes from reading the state, so a lost message is a delay and no miss.
//! When the kernel had to drop messages it says so, and that too is a change. What is told again without being different (a lease renewed,
//! a router's advertisement) is none: otherwise a terminal on a chatty network would never rest.

use super::super::errqueue::watched;
use crate::model::Unseen;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};
use socket2::Socket;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::IpAddr;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Multicast groups as bits (`RTMGRP_*`, and 1 << (RTNLGRP - 1) for the rest): links, neighbours, addresses, routes, rules.
const GROUPS: u32 = 1 | 1 << 2 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 18;
/// Room for what the kernel sends at once; a message that does not fit is cut off and read as a change.
const BUFFER: usize = 32 * 1024;
/// So many batches are read before anybody else gets a turn.
const MOST_BATCHES: usize = 64;
/// Things remembered, to tell a change from a repetition; more than this and all are forgotten, which costs one needless look each.
const MOST_KNOWN: usize = 4096;

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// A link, an address, a route or a rule is not as it was.
    pub changed: bool,
    /// Neighbours that do not answer the kernel any more.
    pub failed: BTreeSet<IpAddr>,
    /// Neighbours that answer with another hardware address than was told before, or are told of for the first time.
    pub moved: BTreeSet<IpAddr>,
    /// Messages were lost: everything may have changed.
    pub lost: bool,
}

/// An open ear for the kernel's messages.
pub struct Events {
    socket: AsyncFd<Socket>,
    known: Known,
    /// Messages were dropped, and what was queued before has not all been read: it tells of a past of which the end is missing.
    behind: bool,
    buffer: Vec<u8>,
}

impl Events {
    /// Begins to listen. Must be called within a tokio runtime with I/O enabled.
    pub fn open() -> Result<Self, Unseen> {
        let failed = |what: &str, e: io::Error| Unseen::Error(format!("{what}: {e}"));
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)
            .map_err(|e| failed("open rtnetlink for events", e.into()))?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, GROUPS)).map_err(|e| failed("listen to rtnetlink", e.into()))?;
        Self::over(socket.into()).map_err(|e| failed("watch rtnetlink", e))
    }

    /// Listens on a socket that does not block.
    pub(super) fn over(socket: Socket) -> io::Result<Self> {
        Ok(Self { socket: watched(socket)?, known: Known::default(), behind: false, buffer: vec![0; BUFFER] })
    }

    /// Waits for messages and gives what they say together, as soon as there is anything to say. Cancelling it loses nothing.
    pub async fn next(&mut self) -> io::Result<Heard> {
        loop {
            let mut heard = Heard::default();
            let mut caught_up = false;
            // That messages were dropped, or that the socket is of no more use, may come without anything to read.
            let mut guard = self.socket.ready(Interest::READABLE | Interest::ERROR).await?;
            for _ in 0..MOST_BATCHES {
                match rustix::net::recv(guard.get_inner(), &mut self.buffer[..], RecvFlags::TRUNC) {
                    Ok((read, whole)) => {
                        heard.lost |= whole > read;
                        self.known.read(&self.buffer[..read], &mut heard);
                    }
                    Err(rustix::io::Errno::AGAIN) => {
                        guard.clear_ready();
                        caught_up = true;
                        break;
                    }
                    Err(rustix::io::Errno::NOBUFS) => self.behind = true,
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            heard.lost |= self.behind;
            self.behind &= !caught_up;
            if heard.lost {
                // What was told last is not known any more: the same said again may be news.
                self.known.clear();
                heard.changed = true;
            }
            if heard != Heard::default() {
                return Ok(heard);
            }
        }
    }
}

/// What was told before.
#[derive(Debug, Default)]
struct Known {
    /// Addresses and routes.
    facts: BTreeSet<u64>,
    /// How each link was last, by family and index: what it was once before it may be again, and that is news.
    links: BTreeMap<(u8, u32), u64>,
    /// The hardware address of each neighbour, by interface and address.
    macs: BTreeMap<(u32, IpAddr), Vec<u8>>,
}

/// The length of a message's header.
const HEADER: usize = 16;

impl Known {
    /// Takes a batch of messages in; what cannot be understood counts as a change.
    fn read(&mut self, mut bytes: &[u8], heard: &mut Heard) {
        while !bytes.is_empty() {
            let Some((kind, payload, rest)) = message(bytes) else {
                heard.changed = true;
                return;
            };
            self.take(kind, payload, heard);
            bytes = rest;
        }
    }

    fn take(&mut self, kind: u16, payload: &[u8], heard: &mut Heard) {
        match kind {
            libc::RTM_NEWLINK => heard.changed |= self.is_other_link(payload),
            libc::RTM_NEWADDR => heard.changed |= self.is_news(libc::RTM_NEWADDR, address(payload)),
            libc::RTM_NEWROUTE if !is_inert(payload) => heard.changed |= self.is_news(libc::RTM_NEWROUTE, route(payload)),
            libc::RTM_DELLINK => {
                // Its index may be given to another link.
                self.clear();
                heard.changed = true;
            }
            libc::RTM_DELADDR => heard.changed |= self.forget(libc::RTM_NEWADDR, address(payload)),
            libc::RTM_DELROUTE if !is_inert(payload) => heard.changed |= self.forget(libc::RTM_NEWROUTE, route(payload)),
            libc::RTM_NEWRULE | libc::RTM_DELRULE => heard.changed = true,
            libc::RTM_NEWNEIGH => {
                heard.failed.extend(failed_neighbour(payload));
                heard.moved.extend(self.moved_neighbour(payload));
            }
            _ => {}
        }
    }

    fn is_news(&mut self, kind: u16, facts: Option<u64>) -> bool {
        if self.facts.len() >= MOST_KNOWN {
            self.facts.clear();
        }
        facts.is_none_or(|facts| self.facts.insert(mixed(kind, facts)))
    }

    fn is_other_link(&mut self, payload: &[u8]) -> bool {
        let Some((family, index, now)) = payload.first().zip(u32_at(payload, 4)).zip(link(payload)).map(|((a, b), c)| (*a, b, c)) else {
            return true;
        };
        if self.links.len() >= MOST_KNOWN {
            self.links.clear();
        }
        self.links.insert((family, index), now) != Some(now)
    }

    fn clear(&mut self) {
        self.facts.clear();
        self.links.clear();
        self.macs.clear();
    }

    /// A neighbour with another hardware address than the one told before.
    fn moved_neighbour(&mut self, payload: &[u8]) -> Option<IpAddr> {
        let (_, mac) = attributes(payload, NEIGHBOUR_HEAD).find(|(kind, _)| *kind == libc::NDA_LLADDR)?;
        let (index, address) = (u32_at(payload, 4)?, neighbour_address(payload)?);
        if self.macs.get(&(index, address)).is_some_and(|known| known == mac) {
            return None;
        }
        if self.macs.len() >= MOST_KNOWN {
            self.macs.clear();
        }
        self.macs.insert((index, address), mac.to_vec());
        Some(address)
    }

    fn forget(&mut self, kind: u16, facts: Option<u64>) -> bool {
        if let Some(facts) = facts {
            self.facts.remove(&mixed(kind, facts));
        }
        true
    }
}

fn mixed(kind: u16, facts: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (kind, facts).hash(&mut hasher);
    hasher.finish()
}

/// The first message of a batch: its kind, its payload, and what follows.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
    let kind = u16_at(bytes, 4)?;
    let payload = bytes.get(HEADER..length)?;
    let next = length.next_multiple_of(4).min(bytes.len());
    Some((kind, payload, &bytes[next..]))
}

/// The attributes behind a fixed head; ends at the first that does not fit.
fn attributes(payload: &[u8], head: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = payload.get(head..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)? & 0x3fff;
        let value = rest.get(4..length)?;
        rest = &rest[length.next_multiple_of(4).min(rest.len())..];
        Some((kind, value))
    })
}

/// Index, flags, and the attributes that matter: address, name, master.
fn link(payload: &[u8]) -> Option<u64> {
    const HEAD: usize = 16;
    Some(digest(payload.get(4..12)?, attributes(payload, HEAD).filter(|(kind, _)| [1, 3, 10].contains(kind))))
}

/// Everything but the lifetimes.
fn address(payload: &[u8]) -> Option<u64> {
    const HEAD: usize = 8;
    Some(digest(payload.get(..HEAD)?, attributes(payload, HEAD).filter(|(kind, _)| *kind != libc::IFA_CACHEINFO)))
}

/// Everything but the lifetimes.
fn route(payload: &[u8]) -> Option<u64> {
    const HEAD: usize = 12;
    Some(digest(payload.get(..HEAD)?, attributes(payload, HEAD).filter(|(kind, _)| *kind != libc::RTA_CACHEINFO)))
}

fn digest<'a>(head: &[u8], attributes: impl Iterator<Item = (u16, &'a [u8])>) -> u64 {
    let mut hasher = DefaultHasher::new();
    head.hash(&mut hasher);
    attributes.for_each(|attribute| attribute.hash(&mut hasher));
    hasher.finish()
}

/// Routes to our own and to broadcast addresses, and those that the kernel only remembers: they follow from addresses.
fn is_inert(payload: &[u8]) -> bool {
    let Some(head) = payload.get(..12) else { return false };
    let cached = u32_at(payload, 8).is_some_and(|flags| flags & 0x200 != 0);
    cached || head[4] == libc::RT_TABLE_LOCAL || matches!(head[7], libc::RTN_LOCAL | libc::RTN_BROADCAST | libc::RTN_MULTICAST)
}

/// The length of a neighbour's fixed head.
const NEIGHBOUR_HEAD: usize = 12;

fn failed_neighbour(payload: &[u8]) -> Option<IpAddr> {
    if u16_at(payload, 8)? & libc::NUD_FAILED == 0 {
        return None;
    }
    neighbour_address(payload)
}

fn neighbour_address(payload: &[u8]) -> Option<IpAddr> {
    let (_, address) = attributes(payload, NEIGHBOUR_HEAD).find(|(kind, _)| *kind == libc::NDA_DST)?;
    match address.len() {
        4 => <[u8; 4]>::try_from(address).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(address).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Two bytes of a message, in this machine's order.
pub(in crate::sys) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Four bytes of a message, in this machine's order.
pub(in crate::sys) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn built(kind: u16, head: &[u8], attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut payload = head.to_vec();
        for (kind, value) in attributes {
            payload.extend(u16::try_from(value.len() + 4).unwrap().to_ne_bytes());
            payload.extend(kind.to_ne_bytes());
            payload.extend(*value);
            payload.resize(payload.len().next_multiple_of(4), 0);
        }
        let mut bytes = u32::try_from(HEADER + payload.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(payload);
        bytes
    }

    fn heard(known: &mut Known, bytes: &[u8]) -> Heard {
        let mut heard = Heard::default();
        known.read(bytes, &mut heard);
        heard
    }

    #[test]
    fn a_link_that_is_as_it_was_before_the_last_change_is_a_change() {
        let mut known = Known::default();
        let link =
            |family: u8, flags: u8| built(libc::RTM_NEWLINK, &[family, 0, 1, 0, 3, 0, 0, 0, flags, 0, 0, 0, 0, 0, 0, 0], &[(3, b"eth0\0")]);
        let mut news = |flags| heard(&mut known, &link(0, flags)).changed;
        let (up, down) = (0x43, 0x02);
        assert_eq!([up, up, down, up, up, down, up].map(&mut news), [true, false, true, true, false, true, true]);
        // A bridge speaks of its ports in its own words, between the others.
        assert_eq!([0, 7, 0, 7].map(|family| heard(&mut known, &link(family, up)).changed), [false, true, false, false]);
    }

    #[test]
    fn an_address_told_again_with_a_new_lifetime_is_no_change() {
        let mut known = Known::default();
        let told =
            |life: u8| built(libc::RTM_NEWADDR, &[2, 24, 0, 0, 2, 0, 0, 0], &[(1, &[10, 0, 0, 2]), (libc::IFA_CACHEINFO, &[life; 16])]);
        assert!(heard(&mut known, &told(1)).changed);
        assert!(!heard(&mut known, &told(2)).changed);
        assert!(heard(&mut known, &built(libc::RTM_DELADDR, &[2, 24, 0, 0, 2, 0, 0, 0], &[(1, &[10, 0, 0, 2])])).changed);
        assert!(heard(&mut known, &told(3)).changed, "it is back");
    }

    #[test]
    fn a_link_is_news_when_its_flags_change_only() {
        let mut known = Known::default();
        let link = |flags: u8, stats: u8| {
            let head = [0, 0, 1, 0, 2, 0, 0, 0, flags, 0, 1, 0, 0, 0, 0, 0];
            built(libc::RTM_NEWLINK, &head, &[(3, b"eth0\0"), (7, &[stats; 64])])
        };
        assert!(heard(&mut known, &link(0x43, 1)).changed);
        assert!(!heard(&mut known, &link(0x43, 2)).changed);
        assert!(heard(&mut known, &link(0x03, 2)).changed);
    }

    #[test]
    fn a_failed_neighbour_is_named_and_a_living_one_is_not() {
        let mut known = Known::default();
        let neighbour =
            |state: u8| built(libc::RTM_NEWNEIGH, &[2, 0, 0, 0, 2, 0, 0, 0, state, 0, 0, 0], &[(libc::NDA_DST, &[10, 0, 0, 1])]);
        assert_eq!(heard(&mut known, &neighbour(0x20)).failed, BTreeSet::from([IpAddr::from([10, 0, 0, 1])]));
        assert_eq!(heard(&mut known, &neighbour(0x02)), Heard::default());
    }

    #[test]
    fn a_neighbour_is_news_when_its_hardware_address_changes_only() {
        let mut known = Known::default();
        let told = |state: u8, mac: u8| {
            let head = [2, 0, 0, 0, 2, 0, 0, 0, state, 0, 0, 0];
            built(libc::RTM_NEWNEIGH, &head, &[(libc::NDA_DST, &[10, 0, 0, 1]), (libc::NDA_LLADDR, &[2, 0, 0, 0, 0, mac])])
        };
        let router = BTreeSet::from([IpAddr::from([10, 0, 0, 1])]);
        assert_eq!(heard(&mut known, &told(2, 1)).moved, router, "told of for the first time");
        assert_eq!(heard(&mut known, &told(4, 1)), Heard::default());
        assert_eq!(heard(&mut known, &told(2, 2)), Heard { moved: router.clone(), ..Heard::default() });
        assert_eq!(heard(&mut known, &told(2, 1)).moved, router, "back");
    }

    #[test]
    fn what_cannot_be_understood_is_a_change() {
        assert!(heard(&mut Known::default(), &[1, 2, 3]).changed);
        let mut cut = built(libc::RTM_NEWADDR, &[2, 24, 0, 0, 2, 0, 0, 0], &[]);
        cut.pop();
        assert!(heard(&mut Known::default(), &cut).changed);
    }

    proptest! {
        #[test]
        fn noise_ends(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut known = Known::default();
            heard(&mut known, &bytes);
            prop_assert!(known.facts.len() + known.macs.len() <= bytes.len());
        }
    }
}
