//! WireGuard's two answers as bytes: the text of the userspace interface, and generic netlink. Pure; no key leaves these functions.

use crate::model::IfName;
pub(super) use crate::sys::generic::family_answer;
use crate::sys::generic::{self, NLMSG_DONE, REQUEST_DUMP, attributes, malformed, messages, request};
use std::io;
use std::time::Duration;

const WG_CMD_GET_DEVICE: u8 = 0;
const WGDEVICE_A_IFNAME: u16 = 2;
const WGDEVICE_A_PEERS: u16 = 8;
const WGPEER_A_LAST_HANDSHAKE_TIME: u16 = 6;

/// The newest handshake of all peers, as wall time since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Newest {
    /// None yet.
    Never,
    /// Then.
    At(Duration),
}

impl Newest {
    /// Zero is how both sources say "never".
    fn new(at: Duration) -> Self {
        if at.is_zero() { Self::Never } else { Self::At(at) }
    }
}

/// The answer to `get=1`; `None` when it is not one or carries an error.
pub(super) fn uapi(bytes: &[u8]) -> Option<Newest> {
    let value = |line: &[u8], key: &str| -> Option<u64> {
        std::str::from_utf8(line.strip_prefix(key.as_bytes())?.strip_prefix(b"=")?).ok()?.trim_end().parse().ok()
    };
    let lines = || bytes.split(|byte| *byte == b'\n');
    // `errno=0` ends every good answer.
    (lines().find_map(|line| value(line, "errno")) == Some(0)).then_some(())?;
    let newest = lines().filter_map(|line| value(line, "last_handshake_time_sec")).max().unwrap_or(0);
    Some(Newest::new(Duration::from_secs(newest)))
}

/// Asks for the number of WireGuard's family.
pub(super) fn family_request() -> Vec<u8> {
    generic::family_request("wireguard")
}

/// Asks for everything about a device: the kernel has no smaller question.
pub(super) fn device_request(family: u16, interface: &IfName) -> Vec<u8> {
    let mut name = interface.as_str().as_bytes().to_vec();
    name.push(0);
    request(family, REQUEST_DUMP, WG_CMD_GET_DEVICE, 1, WGDEVICE_A_IFNAME, &name)
}

/// What one datagram of a device's answer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) newest: Newest,
    /// Nothing follows.
    pub(super) last: bool,
}

/// Reads one datagram of a device's answer.
pub(super) fn device_answer(bytes: &[u8]) -> io::Result<Part> {
    let mut part = Part { newest: Newest::Never, last: false };
    let mut any = false;
    for message in messages(bytes) {
        let message = message?;
        any = true;
        part.last |= message.kind == NLMSG_DONE;
        let peers = attributes(message.attributes).filter(|(kind, _)| *kind == WGDEVICE_A_PEERS);
        let peers = peers.flat_map(|(_, list)| attributes(list));
        let times = peers.flat_map(|(_, peer)| attributes(peer)).filter(|(kind, _)| *kind == WGPEER_A_LAST_HANDSHAKE_TIME);
        part.newest = times.filter_map(|(_, data)| timespec(data)).map(Newest::new).fold(part.newest, Newest::max);
    }
    if any { Ok(part) } else { Err(malformed()) }
}

/// `struct __kernel_timespec`: two 64-bit words on every machine.
fn timespec(data: &[u8]) -> Option<Duration> {
    let seconds = i64::from_ne_bytes(*data.first_chunk()?);
    let nanos = i64::from_ne_bytes(*data.get(8..)?.first_chunk()?);
    let nanos = u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    u64::try_from(seconds).ok().map(|seconds| Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::generic::{CONTROLLER, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, MESSAGE_HEADER, NLMSG_ERROR};
    use proptest::prelude::*;

    fn attribute(kind: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(data.len() + 4).expect("short").to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(MESSAGE_HEADER + body.len()).expect("short").to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes
    }

    fn peer(seconds: i64) -> Vec<u8> {
        let time = [seconds.to_ne_bytes(), 5_i64.to_ne_bytes()].concat();
        attribute(0x8000, &[attribute(1, &[7; 32]), attribute(WGPEER_A_LAST_HANDSHAKE_TIME, &time)].concat())
    }

    #[test]
    fn the_newest_handshake_of_all_peers_counts() {
        let text = b"private_key=00\nlisten_port=1\npublic_key=11\nlast_handshake_time_sec=100\nlast_handshake_time_nsec=1\n\
            public_key=22\nlast_handshake_time_sec=200\nerrno=0\n\n";
        assert_eq!(uapi(text), Some(Newest::At(Duration::from_secs(200))));
        assert_eq!(uapi(b"public_key=11\nlast_handshake_time_sec=0\nerrno=0\n\n"), Some(Newest::Never));
        assert_eq!(uapi(b"errno=1\n\n"), None);
        assert_eq!(uapi(b""), None);
    }

    #[test]
    fn a_devices_answer_is_read_through_its_nested_peers() {
        let mut body = vec![0, 1, 0, 0];
        body.extend(attribute(3, &[9; 32]));
        body.extend(attribute(WGDEVICE_A_PEERS | 0x8000, &[peer(50), peer(70)].concat()));
        let mut bytes = message(25, &body);
        assert_eq!(device_answer(&bytes).expect("an answer"), Part { newest: Newest::At(Duration::new(70, 5)), last: false });
        bytes.extend(message(NLMSG_DONE, &0_i32.to_ne_bytes()));
        assert!(device_answer(&bytes).expect("an answer").last);
    }

    #[test]
    fn the_kernels_refusal_keeps_its_number() {
        let refusal = message(NLMSG_ERROR, &(-libc::EPERM).to_ne_bytes());
        assert_eq!(device_answer(&refusal).expect_err("refused").raw_os_error(), Some(libc::EPERM));
        assert_eq!(family_answer(&refusal).expect_err("refused").raw_os_error(), Some(libc::EPERM));
    }

    #[test]
    fn a_request_has_the_length_it_claims() {
        let bytes = device_request(25, &IfName::new("wg0"));
        assert_eq!(bytes.len(), 28);
        assert_eq!(bytes[..4], 28_u32.to_ne_bytes());
        assert_eq!(bytes[20..], attribute(WGDEVICE_A_IFNAME, b"wg0\0")[..]);
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};

        fn device() -> Vec<u8> {
            let mut body = vec![0, 1, 0, 0];
            body.extend(attribute(3, &[9; 32]));
            body.extend(attribute(WGDEVICE_A_PEERS | 0x8000, &[peer(50), peer(70)].concat()));
            [message(25, &body), message(NLMSG_DONE, &0_i32.to_ne_bytes())].concat()
        }

        fn family() -> Vec<u8> {
            message(
                CONTROLLER,
                &[vec![1, 2, 0, 0], attribute(CTRL_ATTR_FAMILY_NAME, b"wireguard\0"), attribute(CTRL_ATTR_FAMILY_ID, &[25, 0])].concat(),
            )
        }

        fn text() -> Vec<u8> {
            b"private_key=00\nlisten_port=1\npublic_key=11\nlast_handshake_time_sec=100\nlast_handshake_time_nsec=1\nerrno=0\n\n".to_vec()
        }

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_kernels_answer_are_read_or_refused(bytes in hostile(vec![device(), family()], 300)) {
                let _ = family_answer(&bytes);
                let _ = device_answer(&bytes);
                let mut body = vec![0, 1, 0, 0];
                body.extend(attribute(WGDEVICE_A_PEERS, &bytes));
                let _ = device_answer(&message(25, &body));
                prop_assert!(attributes(&bytes).count() <= bytes.len() / 4 + 1);
            }

            #[test]
            fn of_a_socket_are_read_or_refused(bytes in hostile(vec![text()], 300)) {
                prop_assert!(uapi(&bytes).is_none() || bytes.windows(7).any(|window| window == b"errno=0" || window == b"errno=+"));
            }
        }
    }
}
