//! The world outside, as far as a test needs one: this test program once more, in the namespace beyond, answering under public addresses that
//! exist nowhere else. What it listens on is bound to one interface, so that it answers by that way only.

use crate::ground::{Ground, PATIENCE, wait_for};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Where the list of services stands, for the program beyond.
const SERVICES: &str = "ISONET_OUTSIDE";
/// As far away as another town: longer than anything in the house.
const FAR: Duration = Duration::from_millis(6);

/// The anchors of these tests: address, name, operator.
pub const ANCHORS: [(&str, &str, &str); 4] = [
    ("223.5.5.5:443", "dns.alidns.com", "alibaba"),
    ("1.12.12.12:443", "doh.pub", "tencent"),
    ("[2400:3200::1]:443", "dns.alidns.com", "alibaba"),
    ("[2402:4e00::]:443", "doh.pub", "tencent"),
];

/// The part of the configuration that names them, with this file of roots.
pub fn settings(roots: &Path, more: &str) -> String {
    let anchor = |(address, name, operator): &(&str, &str, &str)| {
        format!("  {{ address = \"{address}\", server-name = \"{name}\", operator = \"{operator}\" }},\n")
    };
    let anchors: String = ANCHORS.iter().map(anchor).collect();
    format!("[isolation]\nroots = \"{}\"\nanchors = [\n{anchors}]\n{more}\n", roots.display())
}

/// An authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        dated(&mut params, 2019, 2045);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names, from one year to another.
    pub fn issue(&self, names: &[&str], from: i32, to: i32, client_only: bool) -> Identity {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        dated(&mut params, from, to);
        if client_only {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        }
        let key = KeyPair::generate().unwrap();
        Identity { chain: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem() }
    }
}

fn dated(params: &mut CertificateParams, from: i32, to: i32) {
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Identity {
    chain: String,
    key: String,
}

impl Identity {
    /// Signed by nobody but itself.
    pub fn self_signed(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        dated(&mut params, 2026, 2035);
        Self { chain: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
    }

    /// The certificate of one with the key of another.
    pub fn with_key_of(&self, other: &Self) -> Self {
        Self { chain: self.chain.clone(), key: other.key.clone() }
    }
}

/// What answers at an address.
#[derive(Clone)]
pub enum Service {
    /// A TLS server, far away.
    Tls(Identity),
    /// The same in the house.
    NearTls(Identity),
    /// A TLS server that speaks an old version only.
    OldTls(Identity),
    /// Says this at once, in answer to whatever comes.
    Says(&'static str),
    /// Takes connections and is silent.
    Takes,
    /// Takes connections and ends them.
    Ends,
    /// A proxy that connects through to where it is asked to.
    Proxy,
    /// The same by SOCKS 5.
    Socks,
    /// Hears a request, notes its first line for [`requests`], and answers with this.
    Replies(&'static str),
    /// The organisation's own proof, signing with the key of this seed.
    Canary(u8, Signs),
    /// A name server that knows this name at this address, and no other.
    Knows(&'static str, &'static str),
    /// A name server: every name has this address.
    Wildcard,
    /// A name server that knows the names of the anchors, and nothing of what does not exist.
    PublicNames,
    /// Nobody; every frame that comes in is noted in the file of [`heard`].
    Notes,
    /// Nobody; every frame is kept whole for [`frames`].
    Keeps,
    /// A router that says it leads everywhere; the address is not used.
    Advertises,
}

/// What a canary signs.
#[derive(Debug, Clone, Copy)]
pub enum Signs {
    /// What it is asked, and the address it sees.
    What,
    /// What it was asked once.
    Before,
    /// Nothing: it answers with noise.
    Noise,
}

/// What runs beyond; ends when dropped.
pub struct Outside(Child);

impl Outside {
    /// Another program of the test.
    pub fn running(command: &mut std::process::Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Begins to answer on this interface beyond, at these addresses, which exist from now on.
pub fn open(ground: &Ground, device: &str, services: &[(&str, Service)]) -> Outside {
    let mut list = String::new();
    for (i, (at, service)) in services.iter().enumerate() {
        let file = |name: &str, text: &str| {
            let path = ground.path(&format!("{device}-{i}-{name}"));
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let identity = |it: &Identity| format!("{} {}", file("chain", &it.chain), file("key", &it.key));
        let words = match service {
            Service::Tls(it) => format!("tls {}", identity(it)),
            Service::NearTls(it) => format!("near {}", identity(it)),
            Service::OldTls(it) => format!("old {}", identity(it)),
            Service::Says(what) => format!("says {}", file("said", what)),
            Service::Takes => "takes".to_owned(),
            Service::Ends => "ends".to_owned(),
            Service::Proxy => "proxy".to_owned(),
            Service::Socks => "socks".to_owned(),
            Service::Replies(what) => format!("replies {} {}", file("said", what), noted(ground, at).display()),
            Service::Canary(seed, signs) => format!("canary {seed} {signs:?}"),
            Service::Knows(name, ip) => format!("knows {name} {ip}"),
            Service::Wildcard => "wildcard".to_owned(),
            Service::PublicNames => "names".to_owned(),
            Service::Notes => format!("notes {}", ground.path(&format!("{device}-heard")).display()),
            Service::Keeps => format!("keeps {}", ground.path(&format!("{device}-frames")).display()),
            Service::Advertises => "advertises".to_owned(),
        };
        let ip = at.parse::<SocketAddr>().unwrap().ip();
        let held = ground.beyond_run("ip -o address show");
        if !matches!(service, Service::Advertises | Service::Notes | Service::Keeps) && !held.contains(&format!(" {ip}/")) {
            let length = if ip.is_ipv4() { 32 } else { 128 };
            ground.beyond_run(&format!("ip address add {ip}/{length} dev lo {}", if ip.is_ipv4() { "" } else { "nodad" }));
        }
        list.extend([at, " ", device, " ", &words, "\n"]);
    }
    let path = ground.path(&format!("{device}-services"));
    fs::write(&path, list).unwrap();
    let _ = fs::remove_file(ready(&path));
    let own = std::env::current_exe().unwrap();
    let mut command = ground.beyond_command(&own.display().to_string());
    command.args(["--exact", "outside::answers", "--ignored", "--nocapture"]).env(SERVICES, &path);
    let outside = Outside(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
    wait_for("the world outside", PATIENCE, || ready(&path).exists().then_some(()));
    outside
}

/// What [`Service::Notes`] heard on an interface: `arp ADDRESS`, `ip ADDRESS`.
pub fn heard(ground: &Ground, device: &str) -> Vec<String> {
    fs::read_to_string(ground.path(&format!("{device}-heard"))).unwrap().lines().map(str::to_owned).collect()
}

/// The first lines of what [`Service::Replies`] at this address was asked.
pub fn requests(ground: &Ground, at: &str) -> Vec<String> {
    fs::read_to_string(noted(ground, at)).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn noted(ground: &Ground, at: &str) -> PathBuf {
    ground.path(&format!("asked-{}", at.replace([':', '[', ']'], "_")))
}

/// What [`Service::Keeps`] kept: whole frames of all interfaces beyond, in order, with the time since the first in milliseconds.
pub fn frames(ground: &Ground, device: &str) -> Vec<(u64, Vec<u8>)> {
    let bytes = fs::read(ground.path(&format!("{device}-frames"))).unwrap();
    let (mut rest, mut frames) = (&bytes[..], Vec::new());
    while let (Some(at), Some(length)) = (rest.get(..8), rest.get(8..12)) {
        let length = usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap();
        let Some(frame) = rest.get(12..12 + length) else { break };
        frames.push((u64::from_be_bytes(at.try_into().unwrap()), frame.to_vec()));
        rest = &rest[12 + length..];
    }
    frames
}

fn ready(list: &Path) -> PathBuf {
    list.with_extension("ready")
}

#[test]
#[ignore = "runs only inside a namespace that another test has made"]
fn answers() {
    let Some(list) = std::env::var_os(SERVICES).map(PathBuf::from) else { return };
    let threads: Vec<_> = fs::read_to_string(&list).unwrap().lines().map(serve).collect();
    fs::write(ready(&list), "").unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Serves one line of the list on a thread of its own; listens already when this returns.
fn serve(line: &str) -> thread::JoinHandle<()> {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let (at, device, kind) = (words[0].parse::<SocketAddr>().unwrap(), words[1].clone(), words[2].clone());
    match kind.as_str() {
        "wildcard" | "names" | "knows" => {
            let socket: UdpSocket = bound(at, &device, Type::DGRAM).into();
            let known = words.get(4).map(|ip| (words[3].clone(), ip.parse::<std::net::Ipv4Addr>().unwrap()));
            return thread::spawn(move || resolve(&socket, kind == "wildcard", known.as_ref()));
        }
        "keeps" => {
            let (socket, file) = (tap(), fs::File::create(&words[3]).unwrap());
            return thread::spawn(move || keep(&socket, file));
        }
        "notes" => {
            let (socket, file) = (tap(), fs::File::create(&words[3]).unwrap());
            return thread::spawn(move || note(&socket, file, &device));
        }
        "advertises" => return thread::spawn(move || advertise(&device)),
        _ => {}
    }
    let tls = |versions: &[&'static SupportedProtocolVersion]| Arc::new(config(&words[3], &words[4], versions));
    let tls = match kind.as_str() {
        "tls" | "near" => Some(tls(rustls::ALL_VERSIONS)),
        "old" => Some(tls(&[&rustls::version::TLS12])),
        _ => None,
    };
    let said = if matches!(kind.as_str(), "says" | "replies") { fs::read(&words[3]).unwrap() } else { Vec::new() };
    let socket = bound(at, &device, Type::STREAM);
    socket.listen(64).unwrap();
    let listener: std::net::TcpListener = socket.into();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (words, tls, said) = (words.clone(), tls.clone(), said.clone());
            thread::spawn(move || attend(stream, &words[2..], tls, &said));
        }
    })
}

fn bound(at: SocketAddr, device: &str, kind: Type) -> Socket {
    let socket = Socket::new(Domain::for_address(at), kind, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    if at.is_ipv6() {
        socket.set_only_v6(true).unwrap();
    }
    socket.bind_device(Some(device.as_bytes())).unwrap();
    socket.bind(&SockAddr::from(at)).unwrap();
    socket
}

/// `words` are the kind, and what belongs to it.
fn attend(mut stream: TcpStream, words: &[String], tls: Option<Arc<ServerConfig>>, said: &[u8]) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = [0; 4096];
    let kind = words[0].as_str();
    match (kind, tls) {
        (_, Some(config)) => {
            let mut connection = rustls::ServerConnection::new(config).unwrap();
            let _ = stream.peek(&mut heard);
            if kind != "near" {
                // A distance, not a wait for something.
                thread::sleep(FAR);
            }
            while connection.is_handshaking() && connection.complete_io(&mut stream).is_ok() {}
            let _ = stream.read(&mut heard);
        }
        ("says", _) => {
            let _ = stream.write_all(said);
            let _ = stream.read(&mut heard);
        }
        ("takes", _) => while stream.read(&mut heard).is_ok_and(|length| length > 0) {},
        ("proxy", _) => through(stream),
        ("socks", _) => socks(stream),
        ("replies", _) => {
            let request = head(&mut stream);
            let mut noted = fs::OpenOptions::new().create(true).append(true).open(&words[2]).unwrap();
            writeln!(noted, "{}", request.lines().next().unwrap_or_default()).unwrap();
            let _ = stream.write_all(said);
        }
        ("canary", _) => sign(stream, words[1].parse().unwrap(), &words[2]),
        _ => {}
    }
}

/// The head of a request.
fn head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|length| length == 1) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// The organisation's own proof, as the documentation of the product says it works.
fn sign(mut client: TcpStream, seed: u8, signs: &str) {
    let mut question = [0; 32];
    if client.read_exact(&mut question).is_err() {
        return;
    }
    let from = match client.peer_addr().unwrap().ip() {
        std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        std::net::IpAddr::V6(ip) => ip.octets(),
    };
    let key = ring::signature::Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let signature = match signs {
        "What" => key.sign(&[b"isonet canary 1\n", &question[..], &from].concat()).as_ref().to_vec(),
        "Before" => key.sign(&[b"isonet canary 1\n", &[9; 32][..], &from].concat()).as_ref().to_vec(),
        _ => vec![0x5a; 64],
    };
    let _ = client.write_all(&[&from[..], &signature].concat());
}

/// SOCKS 5 for addresses of IPv4, and then bytes in both directions.
fn socks(mut client: TcpStream) {
    let (mut hello, mut wanted) = ([0; 3], [0; 10]);
    if client.read_exact(&mut hello).is_err() || client.write_all(&[5, 0]).is_err() || client.read_exact(&mut wanted).is_err() {
        return;
    }
    let at = SocketAddr::from(([wanted[4], wanted[5], wanted[6], wanted[7]], u16::from_be_bytes([wanted[8], wanted[9]])));
    let server = TcpStream::connect(at);
    let _ = client.write_all(&[5, u8::from(server.is_err()), 0, 1, 0, 0, 0, 0, 0, 0]);
    if let Ok(server) = server {
        both_ways(client, server);
    }
}

/// CONNECT, and then bytes in both directions.
fn through(mut client: TcpStream) {
    let head = head(&mut client);
    let Some(server) = head.split_whitespace().nth(1).and_then(|at| TcpStream::connect(at).ok()) else {
        let _ = client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n");
        return;
    };
    let _ = client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
    both_ways(client, server);
}

fn both_ways(client: TcpStream, server: TcpStream) {
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let there = thread::spawn(move || std::io::copy(&mut from, &mut to));
    let (mut from, mut to) = (server, client);
    let _ = std::io::copy(&mut from, &mut to);
    let _ = there.join();
}

/// A chain whose key may be another's: the handshake is then signed by somebody else.
#[derive(Debug)]
struct Chosen(Arc<CertifiedKey>);

impl ResolvesServerCert for Chosen {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn config(chain: &str, key: &str, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
    let chain = CertificateDer::pem_file_iter(chain).unwrap().map(Result::unwrap).collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = provider.key_provider.load_private_key(PrivateKeyDer::from_pem_file(key).unwrap()).unwrap();
    let chosen = Chosen(Arc::new(CertifiedKey::new(chain, key)));
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    builder.with_no_client_auth().with_cert_resolver(Arc::new(chosen))
}

/// A name server for IPv4.
fn resolve(socket: &UdpSocket, wildcard: bool, known: Option<&(String, std::net::Ipv4Addr)>) {
    let mut question = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut question) {
        let question = &question[..length];
        let Some(end) = question.get(12..).and_then(|rest| rest.iter().position(|byte| *byte == 0)).map(|at| at + 12) else { continue };
        let name = String::from_utf8_lossy(&question[12..end]).to_lowercase();
        let of_name = known.filter(|(known, _)| known.split('.').all(|label| name.contains(label)) && name.len() == known.len() + 1);
        let is_known =
            |anchor: &&(&str, &str, &str)| anchor.1.split('.').all(|label| name.contains(label)) && name.len() == anchor.1.len() + 1;
        let of_anchor = ANCHORS.iter().take(2).filter(|_| known.is_none()).find(is_known).and_then(|anchor| {
            match anchor.0.parse::<SocketAddr>().unwrap() {
                SocketAddr::V4(at) => Some(at.ip().octets()),
                SocketAddr::V6(_) => None,
            }
        });
        let address = if wildcard { Some([198, 18, 0, 1]) } else { of_anchor.or(of_name.map(|(_, ip)| ip.octets())) };
        let four = question.get(end + 1..end + 3) == Some(&[0, 1]);
        let mut answer = question[..end + 5].to_vec();
        let found = address.filter(|_| four);
        answer[2..12].copy_from_slice(&[0x81, if address.is_some() { 0x80 } else { 0x83 }, 0, 1, 0, u8::from(found.is_some()), 0, 0, 0, 0]);
        if let Some(octets) = found {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            answer.extend(octets);
        }
        let _ = socket.send_to(&answer, from);
    }
}

/// Hears every frame of every interface.
fn tap() -> Socket {
    const ALL: u16 = 3;
    Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(ALL.to_be())))).unwrap()
}

/// Notes whom frames are for. With one cable between the two, what is heard on it came from the terminal or went there.
fn note(socket: &Socket, mut file: fs::File, _device: &str) {
    let mut socket = socket;
    let mut frame = [0; 2048];
    while let Ok(length) = socket.read(&mut frame) {
        let frame = &frame[..length];
        let four = |at: usize| frame.get(at..at + 4).map(|b| std::net::Ipv4Addr::new(b[0], b[1], b[2], b[3]));
        let line = match frame.get(12..14) {
            Some([8, 6]) => four(38).map(|ip| format!("arp {ip}")),
            Some([8, 0]) => four(30).map(|ip| format!("ip {ip}")),
            _ => None,
        };
        if let Some(line) = line {
            writeln!(file, "{line}").unwrap();
        }
    }
}

/// Keeps frames that come in, with the time and their length.
fn keep(socket: &Socket, mut file: fs::File) {
    let (mut socket, mut frame) = (socket, [0; 2048]);
    let began = isonet::sys::clock::now();
    while let Ok(length) = socket.read(&mut frame) {
        let at = u64::try_from(began.elapsed().as_millis()).unwrap();
        let kept = [&at.to_be_bytes()[..], &u32::try_from(length).unwrap().to_be_bytes(), &frame[..length]].concat();
        file.write_all(&kept).unwrap();
    }
}

/// Router advertisements: a default route for as long as they come, and a public prefix.
fn advertise(device: &str) {
    let index: u32 = fs::read_to_string(format!("/sys/class/net/{device}/ifindex")).unwrap().trim().parse().unwrap();
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).unwrap();
    socket.bind_device(Some(device.as_bytes())).unwrap();
    socket.set_multicast_hops_v6(255).unwrap();
    let mut message = vec![134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
    message.extend([3, 4, 64, 0xc0, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0, 0]);
    message.extend("2409:8a00::".parse::<Ipv6Addr>().unwrap().octets());
    let all = SocketAddrV6::new("ff02::1".parse().unwrap(), 0, 0, index);
    loop {
        let _ = socket.send_to(&message, &SockAddr::from(all));
        thread::sleep(Duration::from_millis(200));
    }
}
