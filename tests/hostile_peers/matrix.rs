//! Every protocol against every kind of ill will: each ends in time, in bounded memory, with an outcome that fits, and never with a
//! failure of ours. The table is printed (`cargo test --test hostile_peers matrix -- --nocapture`).
//!
//! | ill will | over TCP | over UDP |
//! |---|---|---|
//! | noise | random bytes, then silence | random bytes |
//! | flood | random bytes without end | two thousand datagrams for each of ours |
//! | drip | what looks like a beginning, then a byte at a time | nothing (a datagram cannot be dripped) |
//! | early end | an end before the first byte | an empty datagram |
//! | late or stray | the answer to another question | the answer with another identifier, and the true one too late |
//! | oversize | lengths that claim the most there is | the longest datagram there is |

use super::peer::{PATIENCE, SLACK, peak_memory, tcp, udp, udp_on, wait, wall};
use isonet::model::{FailureKind, Outcome, Sighting, TlsKey};
use isonet::probe::{dns, http, tcp as probe_tcp, tls};
use isonet::sys::udp as datagram;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;
use url::Url;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ill {
    Noise,
    Flood,
    Drip,
    Early,
    Stray,
    Oversize,
}

const ALL: [Ill; 6] = [Ill::Noise, Ill::Flood, Ill::Drip, Ill::Early, Ill::Stray, Ill::Oversize];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// A port that is checked no further, and the outer side of a VPN over TCP.
    Tcp,
    Tls,
    Http,
    DnsUdp,
    DnsTcp,
    /// The outer side of a VPN over UDP: any answer is one.
    VpnUdp,
}

const PROTOCOLS: [Protocol; 6] = [Protocol::Tcp, Protocol::Tls, Protocol::Http, Protocol::DnsUdp, Protocol::DnsTcp, Protocol::VpnUdp];

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
        Protocol::Tcp | Protocol::DnsTcp | Protocol::DnsUdp | Protocol::VpnUdp => [&[0xff, 0xff][..], &vec![0; 65_535]].concat(),
    }
}

fn beginning(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Tls => &[22, 3, 3, 0x3f, 0xff, 2, 0, 0x3f, 0xf0, 3, 3],
        Protocol::Http => b"HTTP/1.1 200 OK\r\nX-Slow: ",
        Protocol::Tcp | Protocol::DnsTcp | Protocol::DnsUdp | Protocol::VpnUdp => &[0x10, 0],
    }
}

/// The answer of another protocol, or to another question.
fn stray(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Http => b"\x15\x03\x03\x00\x02\x02\x28",
        Protocol::DnsTcp => b"\x00\x0c\xab\xcd\x81\x80\x00\x00\x00\x00\x00\x00\x00\x00",
        Protocol::Tcp | Protocol::Tls | Protocol::DnsUdp | Protocol::VpnUdp => b"HTTP/1.1 400 Bad Request\r\n\r\n",
    }
}

fn spoil(mut stream: TcpStream, protocol: Protocol, ill: Ill) {
    // Servers of these protocols wait for the client's first word.
    let mut asked = [0; 2048];
    let _ = protocol != Protocol::Tcp && stream.read(&mut asked).is_ok();
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
        Ill::Early => return drop(stream),
        Ill::Stray => drop(stream.write_all(stray(protocol))),
        Ill::Oversize => drop(stream.write_all(&giant(protocol))),
    }
    wait(stream);
}

fn scatter(query: &[u8], ill: Ill) -> Vec<Vec<u8>> {
    match ill {
        Ill::Noise => vec![noise(512)],
        Ill::Flood => vec![noise(1200); 2000],
        Ill::Drip => Vec::new(),
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
    fn plain<T>(outcome: Outcome<T>) -> Outcome<()> {
        match outcome {
            Outcome::Ok(_) => Outcome::Ok(()),
            Outcome::Failed(failure) => Outcome::Failed(failure),
            Outcome::Unknown(why) => Outcome::Unknown(why),
        }
    }
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
            let at = if protocol == Protocol::DnsUdp { udp(move |query| scatter(query, ill)) } else { cut_resolver(ill) };
            match dns::query_at(at, super::tls::NAME, PATIENCE).await {
                Sighting::Query(_, outcome) => plain(outcome),
                other => panic!("{other:?}"),
            }
        }
        Protocol::VpnUdp => {
            plain(datagram::exchange(udp(move |query| scatter(query, ill)), &[0x38; 14], &datagram::Route::default(), PATIENCE).await)
        }
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
        Protocol::VpnUdp => ill != Ill::Drip,
        Protocol::Http => ill == Ill::Oversize,
        Protocol::Tls | Protocol::DnsUdp | Protocol::DnsTcp => false,
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
    let mut table = format!("{:<8}", "") + &ALL.map(|ill| format!("{:<18}", format!("{ill:?}").to_lowercase())).concat();
    let mut faults = Vec::new();
    for protocol in PROTOCOLS {
        table.extend(["\n".to_owned(), format!("{:<8}", format!("{protocol:?}").to_lowercase())]);
        for ill in ALL {
            #[allow(clippy::disallowed_methods, reason = "the test's own watch")]
            let begun = std::time::Instant::now();
            let outcome = runtime.block_on(seen(protocol, ill));
            let took = begun.elapsed();
            table.extend([format!("{:<18}", word(&outcome))]);
            let fits = match &outcome {
                Outcome::Ok(()) => may_answer(protocol, ill),
                Outcome::Failed(_) => true,
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
