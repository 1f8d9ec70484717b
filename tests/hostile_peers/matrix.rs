//! Every protocol against every kind of ill will: each ends in time, in bounded memory, with an outcome that fits, and never with a
//! failure of ours. The table is printed (`cargo test --test hostile_peers matrix -- --nocapture`).
//!
//! | ill will | over TCP | over UDP |
//! |---|---|---|
//! | noise | random bytes, then silence | random bytes |
//! | flood | random bytes without end | two thousand datagrams for each of ours |
//! | drip | what looks like a beginning, then a byte at a time | nothing (a datagram cannot be dripped) |
//! | early end | an end before the first byte | an empty datagram |
//! | stray | the answer to another question | the answer with another identifier |
//! | oversize | lengths that claim the most there is | the longest datagram there is |
//! | late | - | the true answer, when nobody waits for it any more |
//! | elsewhere | - | the true answer, from another address |

use super::peer::{PATIENCE, SLACK, peak_memory, tcp, udp_on, wait, wall};
use isonet::config::Vpn;
use isonet::model::{Failure, FailureKind, Outcome, Sighting, TlsKey, Unseen};
use isonet::probe::{dns, http, tcp as probe_tcp, tls, vpn};
use isonet::sys::netlink::Snapshot;
use isonet::sys::udp as datagram;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;
use url::Url;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ill {
    Noise,
    Flood,
    Drip,
    Early,
    Stray,
    Oversize,
    Late,
    Elsewhere,
}

const ALL: [Ill; 8] = [Ill::Noise, Ill::Flood, Ill::Drip, Ill::Early, Ill::Stray, Ill::Oversize, Ill::Late, Ill::Elsewhere];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A port that is checked no further, and the outer side of a VPN over TCP.
    Tcp,
    Tls,
    Http,
    DnsUdp,
    DnsTcp,
    /// The outer side of a VPN over UDP: any answer is one.
    VpnUdp,
    /// The outer side of OpenVPN over TCP, by the whole look at a VPN.
    OpenvpnTcp,
    /// The same of an SSL VPN.
    SslVpn,
    /// The same of an `IPsec` server, whose answers are read.
    Ike,
}

const PROTOCOLS: [Protocol; 9] = [
    Protocol::Tcp,
    Protocol::Tls,
    Protocol::Http,
    Protocol::DnsUdp,
    Protocol::DnsTcp,
    Protocol::VpnUdp,
    Protocol::OpenvpnTcp,
    Protocol::SslVpn,
    Protocol::Ike,
];

impl Protocol {
    fn is_over_udp(self) -> bool {
        matches!(self, Self::DnsUdp | Self::VpnUdp | Self::Ike)
    }

    /// The client does not speak first.
    fn is_listened_to(self) -> bool {
        matches!(self, Self::Tcp | Self::OpenvpnTcp | Self::SslVpn)
    }

    /// The true answer to a question over UDP.
    fn answer(self, query: &[u8]) -> Vec<u8> {
        match self {
            Self::DnsUdp => super::dns::healthy(query),
            // "No proposal chosen", behind the marker of port 4500 where the question has it.
            Self::Ike => {
                let marker = if query.starts_with(&[0; 4]) { 4 } else { 0 };
                let mut answer = query[..marker + 28].to_vec();
                answer[marker + 16..marker + 28].copy_from_slice(&[41, 0x20, 34, 0x20, 0, 0, 0, 0, 0, 0, 0, 36]);
                answer.extend([0, 0, 0, 8, 0, 0, 0, 14]);
                answer
            }
            _ => vec![0x40; 26],
        }
    }
}

fn noise(length: usize) -> Vec<u8> {
    (1..=length)
        .scan(0x2545_f491_u32, |state, _| {
            *state ^= *state << 13;
            *state ^= *state >> 17;
            *state ^= *state << 5;
            Some(state.to_be_bytes()[1])
        })
        .collect()
}

/// How each protocol's answer begins when it claims the most there is.
fn giant(protocol: Protocol) -> Vec<u8> {
    match protocol {
        Protocol::Tls => [&[22, 3, 3, 0xff, 0xff, 11, 0xff, 0xff, 0xff][..], &vec![0xff; 70_000]].concat(),
        Protocol::Http => [&b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n"[..], &vec![b'x'; 100_000]].concat(),
        _ => [&[0xff, 0xff][..], &vec![0; 65_535]].concat(),
    }
}

fn beginning(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Tls => &[22, 3, 3, 0x3f, 0xff, 2, 0, 0x3f, 0xf0, 3, 3],
        Protocol::Http => b"HTTP/1.1 200 OK\r\nX-Slow: ",
        _ => &[0x10, 0],
    }
}

/// The answer of another protocol, or to another question.
fn stray(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Http => b"\x15\x03\x03\x00\x02\x02\x28",
        Protocol::DnsTcp => b"\x00\x0c\xab\xcd\x81\x80\x00\x00\x00\x00\x00\x00\x00\x00",
        _ => b"HTTP/1.1 400 Bad Request\r\n\r\n",
    }
}

pub fn spoil(mut stream: TcpStream, protocol: Protocol, ill: Ill) {
    // Servers of these protocols wait for the client's first word.
    let mut asked = [0; 2048];
    let _ = !protocol.is_listened_to() && stream.read(&mut asked).is_ok();
    match ill {
        Ill::Noise => drop(stream.write_all(&noise(4096))),
        Ill::Flood => {
            let block = noise(64 * 1024);
            while stream.write_all(&block).is_ok() {}
        }
        Ill::Drip => {
            drop(stream.write_all(beginning(protocol)));
            while stream.write_all(b"x").is_ok() {
                thread::park_timeout(Duration::from_millis(40));
            }
        }
        Ill::Early | Ill::Late | Ill::Elsewhere => return drop(stream),
        Ill::Stray => drop(stream.write_all(stray(protocol))),
        Ill::Oversize => drop(stream.write_all(&giant(protocol))),
    }
    wait(stream);
}

pub fn scatter(query: &[u8], ill: Ill) -> Vec<Vec<u8>> {
    match ill {
        Ill::Noise => vec![noise(512)],
        Ill::Flood => vec![noise(1200); 2000],
        Ill::Drip | Ill::Late | Ill::Elsewhere => Vec::new(),
        Ill::Early => vec![Vec::new()],
        Ill::Stray => {
            let mut answer = query.to_vec();
            answer.iter_mut().take(2).for_each(|byte| *byte ^= 0xff);
            answer.iter_mut().skip(2).take(1).for_each(|byte| *byte |= 0x80);
            vec![answer]
        }
        Ill::Oversize => vec![[query.get(..2).unwrap_or_default(), &[0x81, 0x80], &vec![0xff; 60_000]].concat()],
    }
}

/// A peer over UDP with this ill will.
fn udp_peer(protocol: Protocol, ill: Ill) -> SocketAddr {
    // IKE is spoken on its own ports only; the peers of other cells still hold theirs.
    let here =
        if protocol == Protocol::Ike { SocketAddr::from(([127, 0, 1, ill as u8], 4500)) } else { SocketAddr::from(([127, 0, 0, 1], 0)) };
    let socket = UdpSocket::bind(here).unwrap();
    let at = socket.local_addr().unwrap();
    if !matches!(ill, Ill::Late | Ill::Elsewhere) {
        return udp_on(socket, move |query| scatter(query, ill));
    }
    let other = UdpSocket::bind(SocketAddr::from(([127, 0, 3, ill as u8], at.port()))).unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let answer = protocol.answer(&buffer[..length]);
            if ill == Ill::Elsewhere {
                drop(other.send_to(&answer, from));
                continue;
            }
            let late = socket.try_clone().unwrap();
            thread::spawn(move || {
                thread::park_timeout(PATIENCE + Duration::from_millis(300));
                drop(late.send_to(&answer, from));
            });
        }
    });
    at
}

/// What a look at a VPN of this kind sees of its server's port.
async fn outer(kind: &str, transport: &str, at: SocketAddr) -> Outcome<()> {
    let text = format!("name = 'v'\nkind = '{kind}'\ninterface = 'nosuch0'\nserver = '{at}'\ntransport = '{transport}'");
    let config: Vpn = toml::from_str(&text).unwrap();
    let snapshot = Snapshot::unknown(&Unseen::Skipped);
    let around = vpn::Surroundings { snapshot: &snapshot, netlink: None, resolvers: &[], owner: None };
    let seen = vpn::vpn(&config, around, PATIENCE).await;
    let port = seen.into_iter().find_map(|sighting| match sighting {
        Sighting::Tcp(to, outcome) | Sighting::Udp(to, outcome) if to == at => Some(outcome),
        _ => None,
    });
    plain(port.unwrap_or(Outcome::Failed(Failure { kind: FailureKind::Silence, elapsed: PATIENCE })))
}

fn plain<T>(outcome: Outcome<T>) -> Outcome<()> {
    match outcome {
        Outcome::Ok(_) => Outcome::Ok(()),
        Outcome::Failed(failure) => Outcome::Failed(failure),
        Outcome::Unknown(why) => Outcome::Unknown(why),
    }
}

/// A resolver whose UDP answers are all cut, so that it is asked over TCP.
fn cut_resolver(ill: Ill) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = UdpSocket::bind(listener.local_addr().unwrap()).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
            thread::spawn(move || spoil(stream, Protocol::DnsTcp, ill));
        }
    });
    udp_on(socket, |query| {
        let mut answer = query.to_vec();
        answer[2..4].copy_from_slice(&[0x83, 0x80]);
        vec![answer]
    })
}

/// What came of it: `Ok` with nothing more, or how it failed.
async fn seen(protocol: Protocol, ill: Ill) -> Outcome<()> {
    let stream_peer = || tcp(move |stream| spoil(stream, protocol, ill));
    match protocol {
        Protocol::Tcp => match probe_tcp::connect_and_watch(stream_peer(), PATIENCE).await {
            Sighting::Tcp(_, outcome) => plain(outcome),
            other => panic!("{other:?}"),
        },
        Protocol::Tls => {
            let at = stream_peer();
            let stream = probe_tcp::connect(at, PATIENCE).await.1.unwrap();
            let key = TlsKey { at, server_name: super::tls::NAME.to_owned() };
            plain(tls::handshake(&key, stream, &tls::Setup::default(), wall(), PATIENCE).await.outcome)
        }
        Protocol::Http => {
            let at = stream_peer();
            let stream = probe_tcp::connect(at, PATIENCE).await.1.unwrap();
            let url = Url::parse(&format!("http://{at}/")).unwrap();
            plain(http::get(stream, &url, Some("maintenance"), wall(), PATIENCE).await)
        }
        Protocol::DnsUdp | Protocol::DnsTcp => {
            let at = if protocol == Protocol::DnsUdp { udp_peer(protocol, ill) } else { cut_resolver(ill) };
            match dns::query_at(at, super::tls::NAME, PATIENCE).await {
                Sighting::Query(_, outcome) => plain(outcome),
                other => panic!("{other:?}"),
            }
        }
        Protocol::VpnUdp => plain(datagram::exchange(udp_peer(protocol, ill), &[0x38; 14], &datagram::Route::default(), PATIENCE).await),
        Protocol::OpenvpnTcp => outer("openvpn", "tcp", stream_peer()).await,
        Protocol::SslVpn => outer("openconnect", "tcp", stream_peer()).await,
        Protocol::Ike => outer("l2tp", "udp", udp_peer(protocol, ill)).await,
    }
}

fn word(outcome: &Outcome<()>) -> String {
    match outcome {
        Outcome::Ok(()) => "answered".to_owned(),
        Outcome::Failed(failure) => match &failure.kind {
            FailureKind::Garbage(what) => what.clone(),
            kind => format!("{kind:?}").split(['(', ' ']).next().unwrap_or_default().to_lowercase(),
        },
        Outcome::Unknown(why) => format!("UNKNOWN {why:?}"),
    }
}

/// Whether an ill-willed peer may count as one that answered: where nothing but an answer is asked for, or the head of a page is proper.
fn may_answer(protocol: Protocol, ill: Ill) -> bool {
    match protocol {
        Protocol::Tcp => ill != Ill::Early,
        // The port takes connections; nothing more is asked of it.
        Protocol::OpenvpnTcp | Protocol::SslVpn => true,
        Protocol::VpnUdp => !matches!(ill, Ill::Drip | Ill::Late | Ill::Elsewhere),
        Protocol::Http => ill == Ill::Oversize,
        Protocol::Tls | Protocol::DnsUdp | Protocol::DnsTcp | Protocol::Ike => false,
    }
}

/// The true answers of the matrix are true: in time and from the right address they are taken.
#[test]
fn the_answers_that_come_too_late_or_from_elsewhere_are_taken_where_they_do_not() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for protocol in [Protocol::DnsUdp, Protocol::VpnUdp, Protocol::Ike] {
        let here = if protocol == Protocol::Ike { "127.0.2.1:4500" } else { "127.0.0.1:0" };
        let at = udp_on(UdpSocket::bind(here).unwrap(), move |query| vec![protocol.answer(query)]);
        let outcome = match protocol {
            Protocol::DnsUdp => match runtime.block_on(dns::query_at(at, super::tls::NAME, PATIENCE)) {
                Sighting::Query(_, outcome) => plain(outcome),
                other => panic!("{other:?}"),
            },
            Protocol::Ike => runtime.block_on(outer("l2tp", "udp", at)),
            _ => plain(runtime.block_on(datagram::exchange(at, &[0x38; 14], &datagram::Route::default(), PATIENCE))),
        };
        assert_eq!(outcome, Outcome::Ok(()), "{protocol:?}");
    }
}

#[test]
fn matrix_of_protocols_and_ill_will() {
    // The peers of other tests would count.
    let own = std::env::current_exe().unwrap();
    let ran = std::process::Command::new(own).args(["--exact", "matrix::alone", "--ignored", "--nocapture"]).output().unwrap();
    println!("{}", String::from_utf8_lossy(&ran.stdout));
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
#[ignore = "runs only inside a process of its own, started by the other"]
fn alone() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let before = peak_memory();
    let mut table = format!("{:<11}", "") + &ALL.map(|ill| format!("{:<18}", format!("{ill:?}").to_lowercase())).concat();
    let mut faults = Vec::new();
    for protocol in PROTOCOLS {
        table.extend(["\n".to_owned(), format!("{:<11}", format!("{protocol:?}").to_lowercase())]);
        for ill in ALL {
            if matches!(ill, Ill::Late | Ill::Elsewhere) && !protocol.is_over_udp() {
                table.extend([format!("{:<18}", "-")]);
                continue;
            }
            #[allow(clippy::disallowed_methods, reason = "the test's own watch")]
            let begun = std::time::Instant::now();
            let outcome = runtime.block_on(seen(protocol, ill));
            let took = begun.elapsed();
            table.extend([format!("{:<18}", word(&outcome))]);
            let fits = match &outcome {
                Outcome::Ok(()) => may_answer(protocol, ill),
                // What came too late, or from somebody else, is as if nothing had come.
                Outcome::Failed(failure) => !matches!(ill, Ill::Late | Ill::Elsewhere) || failure.kind == FailureKind::Silence,
                Outcome::Unknown(_) => false,
            };
            if !fits || took > PATIENCE + SLACK {
                faults.push(format!("{protocol:?} {ill:?}: {outcome:?} after {took:?}"));
            }
        }
    }
    println!("{table}");
    assert!(faults.is_empty(), "{faults:#?}");
    let grown = peak_memory() - before;
    assert!(grown < 32 * 1024, "{grown} kB");
}
