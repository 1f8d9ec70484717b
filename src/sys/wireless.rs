//! Which wireless cards are access points, by generic netlink (`nl80211`). Needs no privilege.

use super::generic::{NLMSG_DONE, attributes, family_answer, family_request, messages, request_all};
use crate::model::Unseen;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read};
use std::time::Duration;

const NL80211_CMD_GET_INTERFACE: u8 = 5;
const NL80211_ATTR_IFINDEX: u16 = 3;
const NL80211_ATTR_IFTYPE: u16 = 5;
/// `NL80211_IFTYPE_AP` and `NL80211_IFTYPE_AP_VLAN`. A card that shows its screen to a television (`P2P_GO`) is none.
const ACCESS_POINTS: [u32; 2] = [3, 4];
/// Longest wait for the kernel; largest datagram of it.
const ANSWER: Duration = Duration::from_millis(300);
const ANSWER_MAX: usize = 64 << 10;
/// Datagrams of one answer: a hostile driver must not take all day.
const MOST: usize = 256;

/// The indices of the interfaces that are access points. Blocks, usually for well under a millisecond.
pub fn access_points() -> Result<Vec<u32>, Unseen> {
    match ask() {
        Ok(found) => Ok(found),
        // No wireless card, or no driver for one.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(Vec::new()),
        Err(error) => Err(Unseen::Error(format!("list wireless cards: {error}"))),
    }
}

fn ask() -> io::Result<Vec<u32>> {
    let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW.cloexec(), Some(Protocol::from(libc::NETLINK_GENERIC)))?;
    socket.set_read_timeout(Some(ANSWER))?;
    let mut buffer = vec![0; ANSWER_MAX];
    socket.send(&family_request("nl80211"))?;
    let length = (&socket).read(&mut buffer)?;
    let family = family_answer(&buffer[..length])?;
    socket.send(&request_all(family, NL80211_CMD_GET_INTERFACE))?;
    let mut found = Vec::new();
    for _ in 0..MOST {
        let length = (&socket).read(&mut buffer)?;
        if interfaces(&buffer[..length], &mut found)? {
            break;
        }
    }
    Ok(found)
}

/// Adds the access points of one datagram; whether nothing follows.
fn interfaces(bytes: &[u8], found: &mut Vec<u32>) -> io::Result<bool> {
    let mut last = false;
    for message in messages(bytes) {
        let message = message?;
        last |= message.kind == NLMSG_DONE;
        let number = |wanted: u16| {
            let (_, data) = attributes(message.attributes).find(|(kind, _)| *kind == wanted)?;
            data.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
        };
        if let (Some(index), Some(kind)) = (number(NL80211_ATTR_IFINDEX), number(NL80211_ATTR_IFTYPE))
            && ACCESS_POINTS.contains(&kind)
        {
            found.push(index);
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One interface as the kernel tells of it.
    fn told(index: u32, kind: u32) -> Vec<u8> {
        let attribute = |number: u16, value: u32| [&8_u16.to_ne_bytes()[..], &number.to_ne_bytes(), &value.to_ne_bytes()].concat();
        let body = [vec![7, 1, 0, 0], attribute(NL80211_ATTR_IFINDEX, index), attribute(NL80211_ATTR_IFTYPE, kind)].concat();
        let length = u32::try_from(16 + body.len()).expect("short");
        [&length.to_ne_bytes()[..], &28_u16.to_ne_bytes(), &[0; 10], &body].concat()
    }

    fn done() -> Vec<u8> {
        [&20_u32.to_ne_bytes()[..], &NLMSG_DONE.to_ne_bytes(), &[0; 14]].concat()
    }

    #[test]
    fn access_points_are_told_from_stations() {
        let mut found = Vec::new();
        let datagram = [told(3, 2), told(4, 3), told(5, 4), told(6, 9)].concat();
        assert!(!interfaces(&datagram, &mut found).expect("read"));
        assert!(interfaces(&done(), &mut found).expect("read"));
        assert_eq!(found, [4, 5]);
    }

    #[test]
    fn the_machine_that_runs_the_test_answers() {
        assert!(access_points().is_ok());
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_an_answer_about_wireless_cards_never_panic(bytes in hostile(vec![[told(4, 3), done()].concat()], 300)) {
                let mut found = Vec::new();
                let _ = interfaces(&bytes, &mut found);
                prop_assert!(found.len() <= bytes.len() / 16 + 1);
            }
        }
    }
}
