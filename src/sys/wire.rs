//! What arrives at the cards, before this PC's own packet filter sees it. An answer that is heard here and never reaches the socket that
//! asked was dropped by this very PC.
//!
//! Only replies to our own echoes count, known by [`icmp::mark`]: an answer to somebody else's question, or a late one to an older
//! question, says nothing about this moment. Of each packet nothing but its sender is kept.

use super::ear::Ear;
use super::icmp;
use crate::model::Unseen;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `ETH_P_ALL`: every protocol.
const ALL: u16 = 0x0003;
const _: () = assert!(ALL as libc::c_int == libc::ETH_P_ALL);
/// In network byte order, as the kernel wants it.
const EVERYTHING: i32 = ALL.to_be() as i32;
/// Packets looked at before the listener gives up: a busy PC must not notice it.
const MOST_PACKETS: u32 = 50_000;

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// Bytes of an echo's header.
const HEADER: usize = 8;

/// A listener on every card.
pub struct Wire {
    ear: Ear,
    packets: u32,
}

impl Wire {
    /// Opens it; needs `CAP_NET_RAW`.
    pub fn open() -> Result<Self, Unseen> {
        let open = || Ear::new(Socket::new(Domain::PACKET, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::from(EVERYTHING)))?);
        open().map(|ear| Self { ear, packets: 0 }).map_err(|e| match e.kind() {
            io::ErrorKind::PermissionDenied => Unseen::Capability("CAP_NET_RAW".to_owned()),
            _ => Unseen::Error(format!("listen at the cards: {e}")),
        })
    }

    /// The sender of the next answer; `None` = enough was heard, or the listener broke.
    pub async fn answer(&mut self) -> Option<IpAddr> {
        while self.packets < MOST_PACKETS {
            self.packets += 1;
            let (packet, _) = self.ear.hear().await.ok()?;
            if let Some(sender) = answered(&packet, icmp::mark()) {
                return Some(sender);
            }
        }
        None
    }
}

/// Who answers an echo of ours in this packet; `None` for everything else.
fn answered(packet: &[u8], mark: [u8; 8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet[0] & 0x0f) * 4;
            // Only the first fragment has the inner header.
            let fragment = u16::from_be_bytes(*packet.get(6..)?.first_chunk()?) & 0x1fff;
            let sender = Ipv4Addr::from(*packet.get(12..)?.first_chunk::<4>()?);
            let body = packet.get(header.max(20)..)?;
            (fragment == 0 && is_answer(packet[9], body, mark)).then_some(sender.into())
        }
        6 => {
            let sender = Ipv6Addr::from(*packet.get(8..)?.first_chunk::<16>()?);
            is_answer(*packet.get(6)?, packet.get(40..)?, mark).then_some(sender.into())
        }
        _ => None,
    }
}

fn is_answer(protocol: u8, body: &[u8], mark: [u8; 8]) -> bool {
    let reply = match protocol {
        ICMP => 0,
        ICMPV6 => 129,
        _ => return false,
    };
    body.first() == Some(&reply) && body.get(HEADER..HEADER + mark.len()) == Some(&mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v4(protocol: u8, body: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend(body);
        packet
    }

    const MARK: [u8; 8] = *b"our mark";

    fn echo(kind: u8, mark: &[u8]) -> Vec<u8> {
        [&[kind, 0, 0, 0, 0, 1, 0, 1], mark].concat()
    }

    #[test]
    fn only_a_reply_with_our_mark_is_an_answer() {
        let sender = Some(IpAddr::from([10, 0, 0, 1]));
        assert_eq!(answered(&v4(ICMP, &echo(0, &MARK)), MARK), sender);
        for body in [echo(0, b"their own"), echo(8, &MARK), echo(3, &MARK), echo(0, b"our")] {
            assert_eq!(answered(&v4(ICMP, &body), MARK), None, "{body:?}");
        }
        assert_eq!(answered(&v4(6, &echo(0, &MARK)), MARK), None, "TCP");
        let mut six = vec![0x60, 0, 0, 0, 0, 2, ICMPV6, 64];
        six.extend(Ipv6Addr::LOCALHOST.octets());
        six.extend([0; 16]);
        six.extend(echo(129, &MARK));
        assert_eq!(answered(&six, MARK), Some(Ipv6Addr::LOCALHOST.into()));
    }

    #[test]
    fn a_later_fragment_has_no_header_to_judge_by() {
        let mut packet = v4(ICMP, &echo(0, &MARK));
        packet[7] = 1;
        assert_eq!(answered(&packet, MARK), None);
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};

        fn seeds() -> Vec<Vec<u8>> {
            let mut six = vec![0x60, 0, 0, 0, 0, 2, ICMPV6, 64];
            six.extend([1; 32]);
            six.extend(echo(129, &MARK));
            vec![v4(ICMP, &echo(0, &MARK)), six]
        }

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_frame_count_only_with_our_mark(packet in hostile(seeds(), 80)) {
                prop_assert!(answered(&packet, MARK).is_none() || packet.windows(8).any(|window| window == MARK));
            }
        }
    }
}
