//! Small servers that misbehave on purpose, run by the lab's own binary inside a namespace:
//! `lab --stub KIND@ADDRESS:PORT ...`. Real programs play every healthy part; these play the broken ones.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::shell::Done;

/// What the environment tells a stub about the zone.
struct Zone {
    name: String,
    control: String,
    addresses: Vec<IpAddr>,
    control_addresses: Vec<IpAddr>,
    lies: Vec<IpAddr>,
    portal: Vec<IpAddr>,
    /// The port of this host that a relay passes bytes on to.
    behind: u16,
}

pub(crate) const NAME: &str = "STUB_NAME";
pub(crate) const CONTROL: &str = "STUB_CONTROL";
pub(crate) const ADDRESSES: &str = "STUB_ADDRESSES";
pub(crate) const CONTROL_ADDRESSES: &str = "STUB_CONTROL_ADDRESSES";
pub(crate) const LIES: &str = "STUB_LIES";
pub(crate) const PORTAL: &str = "STUB_PORTAL";
pub(crate) const BEHIND: &str = "STUB_BEHIND";

/// How slow the slow ones are; over the configured `slow = "1s"`, below the default timeout of 2 s.
const SLOWNESS: Duration = Duration::from_millis(1300);

/// Slow, but below `slow = "1s"`.
const CALMNESS: Duration = Duration::from_millis(700);

/// How long the slow relay keeps a client's first words.
const LATENESS: Duration = Duration::from_millis(900);

#[derive(Debug, Clone, Copy)]
enum Manner {
    ServFail,
    Refused,
    /// The centre's name does not exist, the control name does.
    NameGone,
    /// No name exists.
    NothingExists,
    /// Every name has the same wrong address.
    Hijack,
    /// Every name has the portal's address.
    Portal,
    Slow,
    Garbage,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Dns(Manner),
    /// Accepts and closes before a byte is said.
    AcceptClose,
    /// Plain HTTP, answers 200 late.
    SlowHttp,
    /// Bytes that are no TLS and no HTTP.
    Noise,
    /// One byte of an HTTP answer's head each 200 ms.
    Drip,
    /// An endless HTTP body.
    Flood,
    /// Plain HTTP, answers 200 at once.
    OkHttp,
    /// Plain HTTP, answers 200 after a while that is still fine.
    CalmHttp,
    /// Plain HTTP, sends everyone to a login page.
    Portal,
    /// Answers a client's greeting with "I do not speak that version".
    TlsAlert,
    /// Passes everything on to another port, the first words late.
    LateRelay,
    /// Sends every datagram back, in some manner.
    Detour(crate::relay::Manner),
}

impl Kind {
    fn parse(text: &str) -> Done<Kind> {
        Ok(match text {
            "dns-servfail" => Kind::Dns(Manner::ServFail),
            "dns-refused" => Kind::Dns(Manner::Refused),
            "dns-name-gone" => Kind::Dns(Manner::NameGone),
            "dns-nothing" => Kind::Dns(Manner::NothingExists),
            "dns-hijack" => Kind::Dns(Manner::Hijack),
            "dns-slow" => Kind::Dns(Manner::Slow),
            "dns-garbage" => Kind::Dns(Manner::Garbage),
            "accept-close" => Kind::AcceptClose,
            "slow-http" => Kind::SlowHttp,
            "noise" => Kind::Noise,
            "drip" => Kind::Drip,
            "flood" => Kind::Flood,
            "dns-portal" => Kind::Dns(Manner::Portal),
            "ok-http" => Kind::OkHttp,
            "calm-http" => Kind::CalmHttp,
            "portal" => Kind::Portal,
            "tls-alert" => Kind::TlsAlert,
            "late-relay" => Kind::LateRelay,
            other => Kind::Detour(crate::relay::Manner::parse(other).ok_or(format!("no stub is called {other}"))?),
        })
    }
}

/// Serves until killed.
pub(crate) fn serve(specs: &[String]) -> Done {
    let zone = Arc::new(Zone {
        name: text(NAME),
        control: text(CONTROL),
        addresses: list(ADDRESSES),
        control_addresses: list(CONTROL_ADDRESSES),
        lies: list(LIES),
        portal: list(PORTAL),
        behind: text(BEHIND).parse().unwrap_or(0),
    });
    for spec in specs {
        let (kind, place) = spec.split_once('@').ok_or(format!("not KIND@PLACE: {spec}"))?;
        let kind = Kind::parse(kind)?;
        let place: SocketAddr = place.parse().map_err(|e| format!("{place}: {e}"))?;
        let told = |e: std::io::Error| format!("cannot listen on {place}: {e}");
        if let Kind::Detour(manner) = kind {
            let socket = UdpSocket::bind(place).map_err(told)?;
            thread::spawn(move || crate::relay::send_back(&socket, manner));
            continue;
        }
        let tcp = TcpListener::bind(place).map_err(told)?;
        if let Kind::Dns(manner) = kind {
            let udp = UdpSocket::bind(place).map_err(told)?;
            let zone = Arc::clone(&zone);
            thread::spawn(move || answer_datagrams(&udp, manner, &zone));
        }
        let zone = Arc::clone(&zone);
        thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let zone = Arc::clone(&zone);
                thread::spawn(move || converse(stream, kind, &zone));
            }
        });
    }
    println!("ready");
    loop {
        thread::park();
    }
}

fn text(key: &str) -> String {
    std::env::var(key).unwrap_or_default()
}

fn list(key: &str) -> Vec<IpAddr> {
    text(key).split_whitespace().filter_map(|a| a.parse().ok()).collect()
}

fn answer_datagrams(socket: &UdpSocket, manner: Manner, zone: &Arc<Zone>) {
    let mut buffer = [0u8; 1500];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let Some(reply) = reply(&buffer[..length], manner, zone) else {
            continue;
        };
        if matches!(manner, Manner::Slow) {
            let Ok(socket) = socket.try_clone() else {
                continue;
            };
            thread::spawn(move || {
                thread::sleep(SLOWNESS);
                let _ = socket.send_to(&reply, from);
            });
        } else {
            let _ = socket.send_to(&reply, from);
        }
    }
}

/// One TCP conversation; a broken pipe is the peer's good right.
fn converse(mut stream: TcpStream, kind: Kind, zone: &Zone) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
    let _ = match kind {
        Kind::AcceptClose | Kind::Detour(_) => Ok(()),
        Kind::LateRelay => relay_late(&mut stream, zone.behind),
        Kind::Dns(manner) => converse_dns(&mut stream, manner, zone),
        Kind::OkHttp => ok_after(&mut stream, Duration::ZERO),
        Kind::CalmHttp => ok_after(&mut stream, CALMNESS),
        Kind::SlowHttp => ok_after(&mut stream, SLOWNESS),
        Kind::Portal => read_some(&mut stream).and_then(|()| stream.write_all(login_page(zone).as_bytes())),
        Kind::TlsAlert => read_some(&mut stream).and_then(|()| stream.write_all(&[0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46])),
        Kind::Noise => read_some(&mut stream).and_then(|()| stream.write_all(&[0xff, 0x00, 0x80, 0x16, 0x7f, 0x99].repeat(200))),
        Kind::Drip => drip(&mut stream),
        Kind::Flood => flood(&mut stream),
    };
}

fn read_some(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.read(&mut [0u8; 4096]).map(drop)
}

fn ok_after(stream: &mut TcpStream, time: Duration) -> std::io::Result<()> {
    read_some(stream)?;
    thread::sleep(time);
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n")
}

/// Passes bytes both ways, the client's first ones late.
fn relay_late(client: &mut TcpStream, port: u16) -> std::io::Result<()> {
    let mut first = [0u8; 4096];
    let length = client.read(&mut first)?;
    thread::sleep(LATENESS);
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    server.write_all(&first[..length])?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    std::io::copy(&mut server, client).map(drop)
}

fn login_page(zone: &Zone) -> String {
    let host = match zone.portal.first() {
        Some(IpAddr::V6(ip)) => format!("[{ip}]"),
        Some(IpAddr::V4(ip)) => ip.to_string(),
        None => "login".to_owned(),
    };
    let now = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&jiff::Timestamp::now()).unwrap_or_default();
    format!("HTTP/1.1 302 Found\r\nDate: {now}\r\nLocation: http://{host}/login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

fn drip(stream: &mut TcpStream) -> std::io::Result<()> {
    read_some(stream)?;
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: ".iter().chain([b'a'; 600].iter()) {
        stream.write_all(&[*byte])?;
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

fn flood(stream: &mut TcpStream) -> std::io::Result<()> {
    read_some(stream)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")?;
    let block = [b'x'; 8192];
    for _ in 0..131_072 {
        stream.write_all(&block)?;
    }
    Ok(())
}

fn converse_dns(stream: &mut TcpStream, manner: Manner, zone: &Zone) -> std::io::Result<()> {
    let mut length = [0u8; 2];
    stream.read_exact(&mut length)?;
    let mut query = vec![0u8; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut query)?;
    let Some(reply) = reply(&query, manner, zone) else {
        return Ok(());
    };
    if matches!(manner, Manner::Slow) {
        thread::sleep(SLOWNESS);
    }
    let length = u16::try_from(reply.len()).unwrap_or(u16::MAX);
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&reply)
}

/// The answer to one DNS query; none to what is not a query.
fn reply(query: &[u8], manner: Manner, zone: &Zone) -> Option<Vec<u8>> {
    let (name, end) = question_name(query)?;
    let qtype = u16::from_be_bytes([*query.get(end)?, *query.get(end + 1)?]);
    let question = query.get(12..end + 4)?;
    let is_control = name == zone.control;
    let known: &[IpAddr] = match manner {
        Manner::Hijack => &zone.lies,
        Manner::Portal => &zone.portal,
        Manner::NameGone | Manner::Slow if is_control => &zone.control_addresses,
        Manner::Slow if name == zone.name => &zone.addresses,
        _ => &[],
    };
    let rcode: u8 = match manner {
        Manner::ServFail => 2,
        Manner::Refused => 5,
        Manner::Garbage => {
            let mut junk = query[..2].to_vec();
            junk.extend([0x81, 0x80, 0xff, 0xff, 0xff, 0xff, 0xc0, 0x0c, 0xc0].repeat(9));
            return Some(junk);
        }
        _ if known.is_empty() => 3,
        _ => 0,
    };
    let data: Vec<Vec<u8>> = known
        .iter()
        .filter_map(|ip| match ip {
            IpAddr::V4(a) if qtype == 1 => Some(a.octets().to_vec()),
            IpAddr::V6(a) if qtype == 28 => Some(a.octets().to_vec()),
            _ => None,
        })
        .collect();
    let mut out = query[..2].to_vec();
    let count = u8::try_from(data.len()).ok()?;
    out.extend([0x81 | (query[2] & 0x01), 0x80 | rcode, 0, 1, 0, count, 0, 0, 0, 0]);
    out.extend(question);
    for rdata in data {
        out.extend([0xc0, 0x0c]);
        out.extend(qtype.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 60, 0, u8::try_from(rdata.len()).ok()?]);
        out.extend(rdata);
    }
    Some(out)
}

/// The first question's name in lower case, and where its type begins.
fn question_name(query: &[u8]) -> Option<(String, usize)> {
    let mut at = 12;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        if length > 63 {
            return None;
        }
        let label = query.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        at += length;
    }
}
