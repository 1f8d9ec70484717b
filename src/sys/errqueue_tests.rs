//! Control messages as the kernel lays them out, and hostile ones.

use super::*;
use proptest::prelude::*;

fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
    let word = size_of::<usize>();
    let length = word + 8 + data.len();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(level.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(data);
    bytes.resize(length.next_multiple_of(word), 0);
    bytes
}

fn error(errno: u32, origin: u8, kind: u8, code: u8, info: u32, offender: &[u8]) -> Vec<u8> {
    let mut data = errno.to_ne_bytes().to_vec();
    data.extend([origin, kind, code, 0]);
    data.extend(info.to_ne_bytes());
    data.extend(0_u32.to_ne_bytes());
    data.extend(offender);
    data
}

fn inet(ip: [u8; 4]) -> Vec<u8> {
    let mut bytes = 2_u16.to_ne_bytes().to_vec();
    bytes.extend([0, 0]);
    bytes.extend(ip);
    bytes.extend([0; 8]);
    bytes
}

#[test]
fn reads_ttl_stamp_and_error_from_one_buffer() {
    let mut bytes = message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &[7_u64.to_ne_bytes(), 9_u64.to_ne_bytes()].concat());
    bytes.extend(message(libc::IPPROTO_IP, libc::IP_TTL, &64_u32.to_ne_bytes()));
    bytes.extend(message(libc::IPPROTO_IP, libc::IP_RECVERR, &error(113, ORIGIN_ICMP, 3, 1, 0, &inet([10, 0, 0, 1]))));
    let control = parse_control(&bytes);
    assert_eq!(control.ttl, Some(64));
    assert_eq!(control.stamp, Some(Duration::new(7, 9)));
    let error = control.error.expect("an error");
    assert_eq!(error.errno, Errno::EHOSTUNREACH);
    assert_eq!(error.icmp(), IcmpError { kind: IcmpKind::HostUnreachable, offender: Some("10.0.0.1".parse().expect("an address")) });
}

#[test]
fn an_ipv6_offender_is_read_and_family_zero_means_nobody() {
    let mut offender = 10_u16.to_ne_bytes().to_vec();
    offender.extend([0; 6]);
    offender.extend(Ipv6Addr::LOCALHOST.octets());
    offender.extend([0; 4]);
    let seen = extended(&error(113, ORIGIN_ICMP6, 1, 3, 0, &offender)).expect("an error");
    assert_eq!(seen.icmp(), IcmpError { kind: IcmpKind::HostUnreachable, offender: Some(Ipv6Addr::LOCALHOST.into()) });
    let seen = extended(&error(90, ORIGIN_LOCAL, 0, 0, 1400, &[0; 16])).expect("an error");
    assert_eq!(seen.offender, None);
}

#[test]
fn each_icmp_code_has_its_kind() {
    assert_eq!(icmp4_kind(3, 13, 0), IcmpKind::AdminProhibited);
    assert_eq!(icmp4_kind(3, 4, 1400), IcmpKind::PacketTooBig(1400));
    assert_eq!(icmp4_kind(11, 1, 0), IcmpKind::Other(11, 1), "reassembly time is not the way's");
    assert_eq!(icmp4_kind(3, 2, 0), IcmpKind::Other(3, 2));
    assert_eq!(icmp6_kind(1, 4, 0), IcmpKind::PortUnreachable);
    assert_eq!(icmp6_kind(2, 0, 1280), IcmpKind::PacketTooBig(1280));
    assert_eq!(icmp6_kind(3, 0, 0), IcmpKind::TimeExceeded);
}

#[test]
fn a_cut_or_endless_length_ends_the_walk() {
    let whole = message(libc::IPPROTO_IP, libc::IP_TTL, &64_u32.to_ne_bytes());
    for length in 0..whole.len() - 4 {
        assert_eq!(parse_control(&whole[..length]), Control::default());
    }
    let mut endless = usize::MAX.to_ne_bytes().to_vec();
    endless.extend([0; 64]);
    assert_eq!(parse_control(&endless), Control::default());
    assert_eq!(parse_control(&[0; 64]), Control::default(), "a zero length does not loop");
}

mod any_bytes {
    use super::*;
    use crate::testing::{cases, hostile};

    fn seeds() -> Vec<Vec<u8>> {
        let stamp = message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &[7_u64.to_ne_bytes(), 9_u64.to_ne_bytes()].concat());
        let ttl = message(libc::IPPROTO_IP, libc::IP_TTL, &64_u32.to_ne_bytes());
        let four = message(libc::IPPROTO_IP, libc::IP_RECVERR, &error(113, ORIGIN_ICMP, 3, 1, 0, &inet([10, 0, 0, 1])));
        let six = message(libc::IPPROTO_IPV6, libc::IPV6_RECVERR, &error(113, ORIGIN_ICMP6, 1, 3, 0, &[10; 28]));
        vec![[stamp.clone(), ttl.clone(), four].concat(), [stamp, ttl, six].concat()]
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn of_the_error_queue_are_read_or_passed_over(bytes in hostile(seeds(), 600)) {
            let control = parse_control(&bytes);
            prop_assert!(control.stamp.is_none_or(|stamp| stamp.as_secs() < 1 << 40));
            let _ = control.error.map(|error| error.icmp());
        }
    }
}
