//! Resolvers.

use super::peer::{PATIENCE, in_time, tcp, udp, udp_on, wait};
use isonet::model::{Answer, FailureKind, IcmpKind, Outcome, Rcode, Sighting};
use isonet::probe::dns::{query_at, wildcard_check_at};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::thread;

const NAME: &str = "settle.centre.example";

fn outcome(sighting: Sighting) -> Outcome<Answer> {
    match sighting {
        Sighting::Query(_, outcome) => outcome,
        other => panic!("not a query: {other:?}"),
    }
}

fn ask(at: SocketAddr) -> Outcome<Answer> {
    outcome(in_time(PATIENCE, query_at(at, NAME, PATIENCE)))
}

fn failure(at: SocketAddr) -> FailureKind {
    let seen = ask(at);
    seen.failure().unwrap_or_else(|| panic!("{seen:?}")).kind.clone()
}

/// Length of the header and the question of a query without EDNS.
fn question(query: &[u8]) -> &[u8] {
    let name = query[12..].iter().position(|byte| *byte == 0).unwrap();
    &query[..12 + name + 5]
}

fn is_a(query: &[u8]) -> bool {
    question(query).ends_with(&[0, 1, 0, 1])
}

/// The query as an answer with these flags, counts and records.
fn reply(query: &[u8], flags: [u8; 2], answers: u16, records: &[u8]) -> Vec<u8> {
    let mut reply = question(query).to_vec();
    reply[2..4].copy_from_slice(&flags);
    reply[6..8].copy_from_slice(&answers.to_be_bytes());
    reply[8..12].fill(0);
    reply.extend_from_slice(records);
    reply
}

/// An address record for the name of the question.
const RECORD: [u8; 16] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 20, 0, 10];

pub fn healthy(query: &[u8]) -> Vec<u8> {
    if is_a(query) { reply(query, [0x81, 0x80], 1, &RECORD) } else { reply(query, [0x81, 0x80], 0, &[]) }
}

fn rcode(code: u8) -> SocketAddr {
    udp(move |query| vec![reply(query, [0x81, 0x80 | code], 0, &[])])
}

#[test]
fn a_proper_resolver_is_believed() {
    let seen = ask(udp(|query| vec![healthy(query)]));
    assert_eq!(seen.ok().unwrap().addresses, ["10.20.0.10".parse::<std::net::IpAddr>().unwrap()]);
}

#[test]
fn the_first_lost_datagram_decides_nothing() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let lossy = udp(move |query| {
        let nth = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if nth < 2 { Vec::new() } else { vec![healthy(query)] }
    });
    let patience = PATIENCE * 4;
    assert!(outcome(in_time(patience, query_at(lossy, NAME, patience))).ok().is_some());
}

#[test]
fn a_name_without_addresses_is_an_empty_answer() {
    assert!(ask(udp(|query| vec![reply(query, [0x81, 0x80], 0, &[])])).ok().unwrap().addresses.is_empty());
}

#[test]
fn error_codes_are_kept_apart() {
    assert_eq!(failure(rcode(2)), FailureKind::Rcode(Rcode::ServFail));
    assert_eq!(failure(rcode(3)), FailureKind::Rcode(Rcode::NxDomain));
    assert_eq!(failure(rcode(5)), FailureKind::Rcode(Rcode::Refused));
    assert_eq!(failure(rcode(4)), FailureKind::Rcode(Rcode::Other(4)));
}

#[test]
fn an_error_code_without_the_question_is_still_one() {
    let bare = udp(|query| vec![[&query[..2], &[0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]].concat()]);
    assert_eq!(failure(bare), FailureKind::Rcode(Rcode::Other(1)));
}

#[test]
fn silence_and_a_closed_port_are_different() {
    assert_eq!(failure(udp(|_| Vec::new())), FailureKind::Silence);
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(matches!(failure(closed), FailureKind::Icmp(error) if error.kind == IcmpKind::PortUnreachable));
}

#[test]
fn stray_answers_are_garbage() {
    let wrong_id = udp(|query| {
        let mut answer = healthy(query);
        answer[0] ^= 0xff;
        vec![answer]
    });
    assert_eq!(failure(wrong_id), FailureKind::Garbage("wrong-id".to_owned()));
    assert_eq!(failure(udp(|_| vec![b"hello".to_vec()])), FailureKind::Garbage("short".to_owned()));
    assert_eq!(failure(udp(|query| vec![query.to_vec()])), FailureKind::Garbage("not-an-answer".to_owned()));
}

#[test]
fn a_stray_answer_before_the_proper_one_does_no_harm() {
    let seen = ask(udp(|query| vec![b"hello".to_vec(), vec![0; 12], healthy(query)]));
    assert!(seen.ok().is_some(), "{seen:?}");
}

#[test]
fn malformed_records_are_garbage() {
    let cut = udp(|query| vec![reply(query, [0x81, 0x80], 1, &RECORD[..9])]);
    assert_eq!(failure(cut), FailureKind::Garbage("malformed".to_owned()));
    // A name that points at itself.
    let looped = udp(|query| {
        let own = u8::try_from(question(query).len()).unwrap();
        vec![reply(query, [0x81, 0x80], 1, &[0xc0, own, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 20, 0, 10])]
    });
    assert_eq!(failure(looped), FailureKind::Garbage("malformed".to_owned()));
}

#[test]
fn an_endless_chain_of_aliases_ends() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let endless = udp(move |query| {
        let nth = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let target = format!("a{nth:08}");
        let mut record = vec![0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 11, 9];
        record.extend_from_slice(target.as_bytes());
        record.push(0);
        vec![reply(query, [0x81, 0x80], 1, &record)]
    });
    let seen = ask(endless);
    assert!(seen.ok().is_none_or(|answer| answer.addresses.is_empty()), "{seen:?}");
}

#[test]
fn a_flood_ends_with_the_patience() {
    let kind = failure(udp(|_| vec![vec![0; 1400]; 2000]));
    assert_eq!(kind, FailureKind::Garbage("wrong-id".to_owned()));
}

/// A resolver whose UDP answers are all cut, and what it does on TCP.
fn truncating(over_tcp: impl Fn(std::net::TcpStream) + Send + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = UdpSocket::bind(listener.local_addr().unwrap()).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let over_tcp = over_tcp.clone();
            thread::spawn(move || over_tcp(stream));
        }
    });
    udp_on(socket, |query| vec![reply(query, [0x83, 0x80], 0, &[])])
}

#[test]
fn a_truncated_answer_is_fetched_over_tcp() {
    let at = truncating(|mut stream| {
        let mut length = [0; 2];
        while stream.read_exact(&mut length).is_ok() {
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut query).unwrap();
            let answer = healthy(&query);
            let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
            stream.write_all(&[&length[..], &answer].concat()).unwrap();
        }
    });
    assert_eq!(ask(at).ok().unwrap().addresses.len(), 1);
}

/// Reads a question over TCP.
fn question_over_tcp(stream: &mut std::net::TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut query).ok().map(|()| query)
}

#[test]
fn thousands_of_addresses_in_sixty_four_kilobytes_are_taken_in_part() {
    let at = truncating(|mut stream| {
        while let Some(query) = question_over_tcp(&mut stream) {
            let records: Vec<u8> = (0..4000_u16).flat_map(|n| [&RECORD[..14], &n.to_be_bytes()].concat()).collect();
            let answer = if is_a(&query) { reply(&query, [0x81, 0x80], 4000, &records) } else { healthy(&query) };
            let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
            drop(stream.write_all(&[&length[..], &answer].concat()));
        }
    });
    let before = super::peer::peak_memory();
    assert_eq!(ask(at).ok().unwrap().addresses.len(), 32);
    let grown = super::peer::peak_memory() - before;
    assert!(grown < 16 * 1024, "{grown} kB");
}

#[test]
fn an_answer_over_tcp_that_drips_is_given_up() {
    failure(truncating(|mut stream| {
        drop(stream.write_all(&[0xff, 0xff]));
        while stream.write_all(&[0]).is_ok() {
            thread::park_timeout(std::time::Duration::from_millis(40));
        }
    }));
}

#[test]
fn a_truncated_answer_whose_tcp_fails_is_a_failure() {
    let refusing = udp(|query| vec![reply(query, [0x83, 0x80], 0, &[])]);
    assert_eq!(failure(refusing), FailureKind::Refused);
    failure(truncating(wait));
    failure(truncating(drop));
    failure(truncating(|mut stream| drop(stream.write_all(&[0xff; 100]))));
}

#[test]
fn a_resolver_that_answers_everything_is_noticed() {
    let check = |at| outcome(in_time(PATIENCE, wildcard_check_at(at, Some("centre.example"), PATIENCE)));
    let portal = check(udp(|query| vec![healthy(query)]));
    assert_eq!(portal.ok().unwrap().addresses.len(), 1);
    assert_eq!(check(rcode(3)).failure().unwrap().kind, FailureKind::Rcode(Rcode::NxDomain));
}

#[test]
fn a_web_server_on_the_port_of_a_resolver_is_no_resolver() {
    let at = tcp(wait);
    assert!(matches!(failure(at), FailureKind::Icmp(_)));
}

#[test]
fn arbitrary_bytes_behind_the_right_identifier_are_survived() {
    let at = udp(|query| {
        let nth = query[0];
        let noise = |length: u8| (0..length).map(|i| i.wrapping_mul(nth).wrapping_add(query[1]).rotate_left(u32::from(i % 7)));
        vec![[&query[..2], &noise(nth).collect::<Vec<_>>()].concat(), [question(query), &noise(255).collect::<Vec<_>>()].concat()]
    });
    let patience = std::time::Duration::from_millis(50);
    for _ in 0..40 {
        let seen = outcome(in_time(patience, query_at(at, NAME, patience)));
        assert!(seen.ok().is_none_or(|answer| answer.addresses.len() <= 32), "{seen:?}");
    }
}
