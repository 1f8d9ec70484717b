//! ARP (RFC 826) and neighbour discovery (RFC 4861) as bytes. Pure.

use std::net::{Ipv4Addr, Ipv6Addr};

/// An Ethernet address.
pub(super) type Mac = [u8; 6];

/// Everybody.
pub(super) const BROADCAST: Mac = [0xff; 6];

/// Hardware type Ethernet, protocol IPv4, lengths 6 and 4.
const ARP_START: [u8; 6] = [0, 1, 8, 0, 6, 4];
const ND_SOLICITATION: u8 = 135;
const ND_ADVERTISEMENT: u8 = 136;
const ND_SOURCE_ADDRESS: u8 = 1;
const ND_TARGET_ADDRESS: u8 = 2;

/// Reads `aa:bb:cc:dd:ee:ff`.
pub(super) fn parse_mac(text: &str) -> Option<Mac> {
    let mut mac = Mac::default();
    let mut parts = text.split(':');
    for byte in &mut mac {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

/// "Who has `target`?"
pub(super) fn arp_request(own: Mac, source: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut bytes = ARP_START.to_vec();
    bytes.extend([0, 1]);
    bytes.extend(own);
    bytes.extend(source.octets());
    bytes.extend([0; 6]);
    bytes.extend(target.octets());
    bytes
}

/// An answer about the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// With its hardware address.
    From(Mac),
    /// Neighbour discovery may leave the address out when it was asked by unicast.
    Nameless,
}

/// The answer in a reply about `target` to us.
pub(super) fn arp_reply(bytes: &[u8], target: Ipv4Addr, own: Mac) -> Option<Answer> {
    let start = bytes.get(..8)?;
    let reply = start[..6] == ARP_START && start[6..] == [0, 2];
    let mac: Mac = *bytes.get(8..)?.first_chunk()?;
    let about = bytes.get(14..18)? == target.octets();
    let to_us = bytes.get(18..24)? == own;
    (reply && about && to_us && mac != own).then_some(Answer::From(mac))
}

/// A neighbour solicitation; the kernel fills in the checksum.
pub(super) fn solicitation(own: Mac, target: Ipv6Addr) -> Vec<u8> {
    let mut bytes = vec![ND_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(target.octets());
    bytes.extend([ND_SOURCE_ADDRESS, 1]);
    bytes.extend(own);
    bytes
}

/// The multicast group in which `target` listens for solicitations.
pub(super) fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = target.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// The answer in an advertisement of `target`.
pub(super) fn advertisement(bytes: &[u8], target: Ipv6Addr) -> Option<Answer> {
    let is_advertisement = bytes.get(..2)? == [ND_ADVERTISEMENT, 0];
    (is_advertisement && bytes.get(8..24)? == target.octets()).then_some(())?;
    let mut options = bytes.get(24..)?;
    while let &[kind, units, ..] = options {
        let length = usize::from(units) * 8;
        let Some(option) = options.get(..length).filter(|option| !option.is_empty()) else { break };
        if kind == ND_TARGET_ADDRESS {
            return Some(option.get(2..).and_then(<[u8]>::first_chunk).map_or(Answer::Nameless, |mac| Answer::From(*mac)));
        }
        options = &options[length..];
    }
    Some(Answer::Nameless)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OWN: Mac = [2, 0, 0, 0, 0, 1];
    const THEIRS: Mac = [2, 0, 0, 0, 0, 2];
    const TARGET: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    fn reply() -> Vec<u8> {
        let mut bytes = arp_request(THEIRS, TARGET, Ipv4Addr::new(10, 0, 0, 2));
        bytes[7] = 2;
        bytes[18..24].copy_from_slice(&OWN);
        bytes
    }

    #[test]
    fn a_reply_about_the_target_to_us_gives_its_address() {
        assert_eq!(arp_reply(&reply(), TARGET, OWN), Some(Answer::From(THEIRS)));
        assert_eq!(arp_reply(&reply(), Ipv4Addr::new(10, 0, 0, 9), OWN), None, "about another");
        assert_eq!(arp_reply(&reply(), TARGET, THEIRS), None, "to another");
        assert_eq!(arp_reply(&arp_request(THEIRS, TARGET, TARGET), TARGET, OWN), None, "a request");
    }

    #[test]
    fn an_advertisement_may_leave_the_address_out() {
        let target: Ipv6Addr = "fe80::1".parse().expect("an address");
        let mut bytes = solicitation(THEIRS, target);
        assert_eq!(advertisement(&bytes, target), None, "a solicitation");
        bytes[0] = ND_ADVERTISEMENT;
        assert_eq!(advertisement(&bytes, target), Some(Answer::Nameless), "the source's option is not the target's");
        bytes[24] = ND_TARGET_ADDRESS;
        assert_eq!(advertisement(&bytes, target), Some(Answer::From(THEIRS)));
        assert_eq!(advertisement(&bytes[..24], target), Some(Answer::Nameless));
        bytes[25] = 0;
        assert_eq!(advertisement(&bytes, target), Some(Answer::Nameless), "an option of length zero ends the walk");
    }

    #[test]
    fn the_solicited_node_group_has_the_last_three_bytes() {
        let target: Ipv6Addr = "2001:db8::1:2345:6789".parse().expect("an address");
        assert_eq!(solicited_node(target).to_string(), "ff02::1:ff45:6789");
    }

    #[test]
    fn hardware_addresses_are_read_strictly() {
        assert_eq!(parse_mac("02:00:00:00:00:01"), Some(OWN));
        for bad in ["", "02:00:00:00:00", "02:00:00:00:00:01:02", "02-00-00-00-00-01", "02:00:00:00:00:xx"] {
            assert_eq!(parse_mac(bad), None, "{bad}");
        }
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};

        fn seeds() -> Vec<Vec<u8>> {
            let mut advertisement = solicitation(THEIRS, Ipv6Addr::LOCALHOST);
            (advertisement[0], advertisement[24]) = (ND_ADVERTISEMENT, ND_TARGET_ADDRESS);
            vec![reply(), advertisement, b"02:00:00:00:00:01".to_vec()]
        }

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_neighbour_are_an_answer_about_the_target_or_none(bytes in hostile(seeds(), 100)) {
                prop_assert!(arp_reply(&bytes, TARGET, OWN).is_none() || (bytes.len() >= 24 && bytes[14..18] == TARGET.octets()));
                let told = advertisement(&bytes, Ipv6Addr::LOCALHOST);
                prop_assert!(told.is_none() || bytes[8..24] == Ipv6Addr::LOCALHOST.octets());
                let _ = parse_mac(&String::from_utf8_lossy(&bytes));
            }
        }
    }
}
