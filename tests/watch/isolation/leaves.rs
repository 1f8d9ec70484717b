//! What leaves the terminal on the outer side while it asks by the clock, from a capture there: how much in a day, and that nothing in it tells
//! which terminal or whose it is. `ISONET_OUTER_SECONDS` says how long is captured; an hour in a long run.

use super::*;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How long is captured by default: what is asked at the start, and a round by the clock.
const SECONDS: u64 = 80;
/// The bursts of the start are over by then.
const BEGINNING_MS: u64 = 30_000;
const DAY_S: f64 = 86_400.0;
/// Three in any minute.
const MOST_A_DAY: f64 = 3.0 * 24.0 * 60.0;

/// Everything that names the terminal or the organisation.
const SECRETS: [&str; 7] = ["P61010200123", "Example Pharmacy", "counter 2", "610102", "Wang Wu", "till-5551", "isonet"];
const TERMINAL: &str = "[terminal]\nid = \"till-5551-id\"\ninstitution = \"P61010200123\"\nname = \"Example Pharmacy No. 3\"\n\
     site = \"counter 2\"\nregion = \"610102\"\nperson-in-charge = \"Wang Wu\"\n";

/// One frame that the terminal sent.
struct Sent {
    at_ms: u64,
    bytes: usize,
    kind: Kind,
    payload: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Arp(Ipv4Addr),
    /// To there, and from this port: the same again is the kernel's repetition of a question and none of its own.
    Syn(SocketAddr, u16),
    Tcp(SocketAddr),
    Udp(SocketAddr),
    /// ICMP: the daily look at the way asks the next hop whether it is there.
    Icmp(IpAddr),
    Other(u16),
}

fn mac(ground: &crate::ground::Ground, device: &str) -> Vec<u8> {
    let text = ground.here(&format!("cat /sys/class/net/{device}/address"));
    text.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// What a card sent.
fn sent(frames: &[(u64, Vec<u8>)], card: &[u8]) -> Vec<Sent> {
    frames.iter().filter(|(_, frame)| frame.get(6..12) == Some(card)).map(|(at_ms, frame)| read(*at_ms, frame)).collect()
}

fn read(at_ms: u64, frame: &[u8]) -> Sent {
    let kind = u16::from_be_bytes([frame[12], frame[13]]);
    let v4 = |at: usize| Ipv4Addr::new(frame[at], frame[at + 1], frame[at + 2], frame[at + 3]);
    let (to, protocol, above): (IpAddr, u8, usize) = match kind {
        0x0806 => return Sent { at_ms, bytes: frame.len(), kind: Kind::Arp(v4(38)), payload: Vec::new() },
        0x0800 => (v4(30).into(), frame[23], 14 + usize::from(frame[14] & 15) * 4),
        0x86dd => (Ipv6Addr::from(<[u8; 16]>::try_from(&frame[38..54]).unwrap()).into(), frame[20], 54),
        other => return Sent { at_ms, bytes: frame.len(), kind: Kind::Other(other), payload: Vec::new() },
    };
    let port = |frame: &[u8]| SocketAddr::new(to, u16::from_be_bytes([frame[above + 2], frame[above + 3]]));
    let (kind, payload) = match protocol {
        6 if frame[above + 13] & 0x12 == 0x02 => (Kind::Syn(port(frame), u16::from_be_bytes([frame[above], frame[above + 1]])), Vec::new()),
        6 => (Kind::Tcp(port(frame)), frame[(above + usize::from(frame[above + 12] >> 4) * 4).min(frame.len())..].to_vec()),
        17 => (Kind::Udp(port(frame)), frame[above + 8..].to_vec()),
        1 => (Kind::Icmp(to), frame[above..].to_vec()),
        other => (Kind::Other(u16::from(other)), frame[above..].to_vec()),
    };
    Sent { at_ms, bytes: frame.len(), kind, payload }
}

/// The name that a first flight of TLS asks for; `None` = it is none.
fn server_name(payload: &[u8]) -> Option<String> {
    let u16_at = |at: usize| Some(usize::from(u16::from_be_bytes(payload.get(at..at + 2)?.try_into().ok()?)));
    if payload.first() != Some(&22) || payload.get(5) != Some(&1) {
        return None;
    }
    let ciphers = 44 + usize::from(*payload.get(43)?);
    let compressions = ciphers + 2 + u16_at(ciphers)?;
    let mut at = compressions + 1 + usize::from(*payload.get(compressions)?) + 2;
    while let (Some(kind), Some(length)) = (u16_at(at), u16_at(at + 2)) {
        if kind == 0 {
            return Some(String::from_utf8_lossy(payload.get(at + 9..at + 4 + length)?).into_owned());
        }
        at += 4 + length;
    }
    None
}

fn holds(payload: &[u8], what: &[u8]) -> bool {
    payload.windows(what.len()).any(|window| window.eq_ignore_ascii_case(what))
}

/// All that may not be in what leaves, as bytes.
fn secrets(stage: &Stage) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = SECRETS.iter().map(|text| text.as_bytes().to_vec()).collect();
    for device in ["t0", "up0"] {
        let mac = mac(&stage.ground, device);
        let hex = |between: &str| mac.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between).into_bytes();
        all.extend([hex(":"), hex(""), hex("-"), mac.clone()]);
    }
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    all.extend([machine.trim().as_bytes().to_vec()].into_iter().filter(|id| !id.is_empty()));
    all
}

/// When each question was asked, those that the kernel repeated once.
fn questions(sent: &[&Sent]) -> Vec<u64> {
    let mut known: Vec<&Kind> = Vec::new();
    let mut at = Vec::new();
    for one in sent.iter().filter(|one| matches!(one.kind, Kind::Syn(..))) {
        if !known.contains(&&one.kind) {
            known.push(&one.kind);
            at.push(one.at_ms);
        }
    }
    at
}

/// Packets and bytes that these questions and their answers took: what the terminal sent by TCP.
fn of_questions(sent: &[&Sent]) -> (f64, f64) {
    let tcp = || sent.iter().filter(|one| matches!(one.kind, Kind::Syn(..) | Kind::Tcp(_)));
    let number = |n: usize| f64::from(u32::try_from(n).unwrap());
    (number(tcp().count()), number(tcp().map(|one| one.bytes).sum()))
}

/// Captures one stage, prints what it sends, and checks it.
fn captured(answered: bool, seconds: u64) -> Option<()> {
    let stage = Stage::not_enrolled(PERIODIC)?;
    let ground = &stage.ground;
    ground.configure(&format!("{TERMINAL}{}", settings(&ground.path("roots.pem"), PERIODIC)));
    ground.here("hostname till-5551");
    ground.enroll();
    let services = if answered { stage.internet() } else { Vec::new() };
    let _outside = stage.second(&services);
    let _keeps = open(ground, "b0", &[("0.0.0.0:0", Service::Keeps)]);
    let capture = isonet::sys::clock::now();
    let daemon = ground.watch();
    stage.leads_to_all();
    daemon.sees(SUSPECT, "opened", PATIENCE, any);
    let began = isonet::sys::clock::now();
    while began.elapsed().as_secs() < seconds {
        thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(!daemon.told(REACHABLE).is_empty(), answered, "{:#?}", daemon.brief());
    let (frames, length) = (frames(ground, "b0"), capture.elapsed().as_secs_f64() - 30.0);
    let (outer, inner) = (sent(&frames, &mac(ground, "up0")), sent(&frames, &mac(ground, "t0")));
    let what = if answered { "an uplink that is proved" } else { "an uplink that is silent" };
    tells_nobody(&stage, what, &outer, &inner);
    let (beginning, later): (Vec<&Sent>, Vec<&Sent>) = outer.iter().partition(|one| one.at_ms < BEGINNING_MS);
    let first = of_questions(&beginning);
    println!(
        "{what}: {} packets, {} bytes in the first {} s ({} questions);",
        first.0,
        first.1,
        BEGINNING_MS / 1000,
        questions(&beginning).len()
    );
    let (at, (packets, bytes)) = (questions(&later), of_questions(&later));
    let asked = f64::from(u32::try_from(at.len()).unwrap());
    println!("  then in {length:.0} s {asked} questions by the clock, {packets} packets, {bytes} bytes;");
    println!("  so in a day {:.0} packets, {:.0} bytes", packets * DAY_S / length, bytes * DAY_S / length);
    let most = MOST_A_DAY / asked;
    println!("  and at most (3 questions in any minute) {:.0} packets, {:.0} bytes", packets * most, bytes * most);
    assert!(at.windows(4).all(|four| four[3] - four[0] >= 59_000), "{at:?}");
    assert!(!at.is_empty(), "it was asked by the clock");
    Some(())
}

/// Who was sent to, and what was said there.
fn tells_nobody(stage: &Stage, what: &str, outer: &[Sent], inner: &[Sent]) {
    let mut by_kind: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for one in outer {
        let kind = match &one.kind {
            Kind::Syn(to, _) | Kind::Tcp(to) => format!("TCP {to}"),
            other => format!("{other:?}"),
        };
        let (packets, bytes) = by_kind.entry(kind).or_default();
        (*packets, *bytes) = (*packets + 1, *bytes + one.bytes);
    }
    for (kind, (packets, bytes)) in by_kind {
        println!("{what}: {kind} {packets} packets, {bytes} bytes");
    }
    let asked = [A, B, CONTROL].map(|at| at.parse::<SocketAddr>().unwrap());
    let private = |ip: &Ipv4Addr| ip.is_private() || ip.is_link_local();
    for one in outer {
        let allowed = match &one.kind {
            Kind::Syn(to, _) | Kind::Tcp(to) => asked.contains(to),
            Kind::Arp(ip) | Kind::Icmp(IpAddr::V4(ip)) => private(ip),
            // Neighbour discovery and group membership of IPv6 are the kernel's own.
            Kind::Other(kind) => matches!(kind, 0 | 58 | 2),
            Kind::Udp(_) | Kind::Icmp(IpAddr::V6(_)) => false,
        };
        assert!(allowed, "{what}: {:?}", one.kind);
        assert!(server_name(&one.payload).is_none_or(|name| [NAME_A, NAME_B].contains(&name.as_str())), "{what}");
    }
    let names = outer.iter().filter_map(|one| server_name(&one.payload)).count();
    assert!(names > 0 || !what.contains("proved"), "{what}: no handshake was seen");
    // Nobody on the network that was enrolled hears a public address asked for.
    for one in inner {
        assert!(!matches!(&one.kind, Kind::Arp(ip) if !private(ip)), "{what}: {:?}", one.kind);
    }
    for secret in secrets(stage) {
        // What the kernel says to neighbours by itself stays among them.
        for one in outer.iter().filter(|one| !matches!(one.kind, Kind::Other(_))) {
            assert!(!holds(&one.payload, &secret), "{what}: {:?} holds {}", one.kind, String::from_utf8_lossy(&secret));
        }
    }
}

#[test]
fn what_leaves_by_the_outer_way_is_little_and_tells_nobody_who_it_is() {
    let seconds = std::env::var("ISONET_OUTER_SECONDS").map_or(SECONDS, |text| text.parse().unwrap());
    let said = all_of(&[true, false], |answered| captured(*answered, seconds));
    assert!(said.iter().all(Option::is_some) || said.iter().all(Option::is_none));
}

#[test]
fn what_is_read_of_a_frame_is_what_stands_in_it() {
    let arp: Vec<u8> = [&[0xff; 6][..], &[2; 6], &[8, 6], &[0; 24], &[223, 5, 5, 5]].concat();
    assert_eq!(read(0, &arp).kind, Kind::Arp(Ipv4Addr::new(223, 5, 5, 5)));
    assert!(holds(b"xxTill-5551yy", b"till-5551") && !holds(b"till-555", b"till-5551"));
    let name = b"dns.alidns.com";
    let extension = [&[0, 0, 0, 19, 0, 17, 0, 0, 14][..], name].concat();
    let hello = [&[22, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3][..], &[0; 32], &[0, 0, 2, 0x13, 1, 1, 0, 0, 23], &extension].concat();
    assert_eq!(server_name(&hello).as_deref(), Some("dns.alidns.com"));
}
