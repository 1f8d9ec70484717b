//! The other end of the wire: a host in a network namespace of its own that answers on hundreds of addresses, and a tap that counts what
//! arrives there and when.

use rustls::{ServerConfig, ServerConnection, Stream};
use socket2::{Domain, MaybeUninitSlice, MsgHdrMut, Protocol, Socket, Type};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

/// What arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    Icmp,
    Tcp,
    Http,
    Tls,
    Dns,
    /// A question that comes along with another one.
    SecondDns,
}

/// Everything that arrived: what, and when by the kernel's stamp.
pub type Log = Arc<Mutex<Vec<(SystemTime, Probe)>>>;

/// Makes this process the terminal, with an empty network and a name server of its own, and a thread of it the centre. Both are gone when
/// the process ends.
pub fn stage(addresses: usize, tls: Arc<ServerConfig>, scratch: &std::path::Path) -> Log {
    unshare(libc::CLONE_NEWNS | libc::CLONE_NEWNET);
    run("mount", &["--make-rprivate", "/"]);
    let resolv = scratch.join("resolv.conf");
    std::fs::write(&resolv, "nameserver 10.20.9.2\n").unwrap();
    run("mount", &["--bind", resolv.to_str().unwrap(), "/etc/resolv.conf"]);
    let log = Log::default();
    let (tell, told) = mpsc::channel();
    let (wired, wait) = mpsc::channel::<()>();
    let seen = Arc::clone(&log);
    thread::spawn(move || {
        unshare(libc::CLONE_NEWNET);
        // SAFETY: takes nothing and cannot fail.
        #[allow(unsafe_code, reason = "the number of a thread")]
        tell.send(unsafe { libc::gettid() }).unwrap();
        wait.recv().unwrap();
        serve(addresses, tls, seen);
        tell.send(0).unwrap();
        thread::park();
    });
    let thread = told.recv().unwrap();
    run("ip", &["link", "set", "lo", "up"]);
    run("ip", &["link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", &thread.to_string()]);
    run("ip", &["address", "add", "10.20.9.1/24", "dev", "eth0"]);
    run("ip", &["link", "set", "eth0", "up"]);
    wired.send(()).unwrap();
    told.recv().unwrap();
    log
}

#[allow(unsafe_code, reason = "no dependency wraps it")]
fn unshare(flags: libc::c_int) {
    // SAFETY: changes which namespaces this thread is in; no memory is involved.
    assert_eq!(unsafe { libc::unshare(flags) }, 0, "unshare: {}", std::io::Error::last_os_error());
}

pub fn run(program: &str, words: &[&str]) {
    let status = Command::new(program).args(words).status().unwrap();
    assert!(status.success(), "{program} {words:?}: {status}");
}

fn serve(addresses: usize, tls: Arc<ServerConfig>, log: Log) {
    run("ip", &["link", "set", "lo", "up"]);
    run("ip", &["link", "set", "eth0", "up"]);
    for n in 0..addresses {
        run("ip", &["address", "add", &format!("10.20.9.{}/24", n + 2), "dev", "eth0"]);
    }
    let tap = tap();
    thread::spawn(move || note(&tap, &log));
    let quiet = TcpListener::bind("0.0.0.0:443").unwrap();
    thread::spawn(move || hold(&quiet));
    let web = TcpListener::bind("0.0.0.0:80").unwrap();
    thread::spawn(move || {
        for visitor in web.incoming().flatten() {
            let _ = visitor.set_read_timeout(Some(Duration::from_secs(1)));
            answer(visitor);
        }
    });
    let shielded = TcpListener::bind("0.0.0.0:8443").unwrap();
    thread::spawn(move || {
        for mut visitor in shielded.incoming().flatten() {
            let _ = visitor.set_read_timeout(Some(Duration::from_secs(1)));
            let mut session = ServerConnection::new(Arc::clone(&tls)).unwrap();
            answer(Stream::new(&mut session, &mut visitor));
        }
    });
    let names = UdpSocket::bind("0.0.0.0:53").unwrap();
    thread::spawn(move || name(&names));
}

/// Accepts, says nothing, and hangs up after a while.
fn hold(listener: &TcpListener) {
    let mut held = VecDeque::new();
    for visitor in listener.incoming().flatten() {
        held.push_back(visitor);
        if held.len() > 400 {
            held.pop_front();
        }
    }
}

fn answer(mut visitor: impl Read + Write) {
    let mut asked = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = visitor.read(&mut piece) {
        asked.extend_from_slice(&piece[..length]);
        if asked.windows(4).any(|end| end == b"\r\n\r\n") {
            let _ = visitor.write_all(
                b"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            );
            break;
        }
    }
}

/// Answers `tN.centre.example` with 10.20.9.(N + 2), and knows no IPv6.
fn name(socket: &UdpSocket) {
    let mut question = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut question) {
        let asked = &question[..length];
        let Some(label) = asked.get(13..13 + usize::from(asked.get(12).copied().unwrap_or(0))) else { continue };
        let number = std::str::from_utf8(label).ok().and_then(|label| label.strip_prefix('t')?.parse::<u8>().ok());
        let end = asked[12..].iter().position(|byte| *byte == 0).map_or(length, |zero| 12 + zero + 5);
        let mut answer = asked[..end.min(length)].to_vec();
        answer[2..4].copy_from_slice(if number.is_some() { &[0x85, 0x80] } else { &[0x85, 0x83] });
        answer[6..12].fill(0);
        if let (Some(number), [0, 1, 0, 1]) = (number, &answer[end - 4..]) {
            answer[7] = 1;
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 20, 9, number + 2]);
        }
        let _ = socket.send_to(&answer, from);
    }
}

fn tap() -> Socket {
    let all = u16::try_from(libc::ETH_P_IP).unwrap().to_be();
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(all)))).unwrap();
    let on: libc::c_int = 1;
    #[allow(unsafe_code, reason = "socket2 does not offer this option")]
    // SAFETY: the descriptor is open, the pointer is to a live c_int, and the length is its size.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, (&raw const on).cast(), 4) };
    assert_eq!(set, 0);
    socket.set_recv_buffer_size(8 << 20).unwrap();
    socket
}

fn note(tap: &Socket, log: &Log) {
    loop {
        let mut packet = [MaybeUninit::new(0_u8); 256];
        let mut control = [MaybeUninit::new(0_u8); 64];
        let mut buffers = [MaybeUninitSlice::new(&mut packet)];
        let mut message = MsgHdrMut::new().with_buffers(&mut buffers).with_control(&mut control);
        let Ok(_) = tap.recvmsg(&mut message, 0) else { return };
        #[allow(unsafe_code, reason = "socket2 reads into uninitialised memory")]
        // SAFETY: both arrays were made of zeroes.
        let (packet, control) = (packet.map(|byte| unsafe { byte.assume_init() }), control.map(|byte| unsafe { byte.assume_init() }));
        let word = |at: usize| u64::from_ne_bytes(control[at..at + 8].try_into().unwrap());
        let at = SystemTime::UNIX_EPOCH + Duration::new(word(16), u32::try_from(word(24)).unwrap_or(0));
        if let Some(probe) = arrived(&packet) {
            log.lock().unwrap().push((at, probe));
        }
    }
}

/// What an Ethernet frame with IPv4 asks for, if it begins something.
fn arrived(frame: &[u8]) -> Option<Probe> {
    let port = u16::from_be_bytes([frame[36], frame[37]]);
    let opens = frame[47] & 0x12 == 0x02;
    match (frame[23], port) {
        (1, _) if frame[34] == 8 => Some(Probe::Icmp),
        (6, 443) if opens => Some(Probe::Tcp),
        (6, 80) if opens => Some(Probe::Http),
        (6, 8443) if opens => Some(Probe::Tls),
        (17, 53) => {
            let name = frame[54..].iter().position(|byte| *byte == 0)?;
            Some(if frame.get(54 + name + 2) == Some(&1) { Probe::Dns } else { Probe::SecondDns })
        }
        _ => None,
    }
}

/// Reads one request to its end, for a peer's sake.
pub fn ask(at: &str, words: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(words).ok()?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Some(answer)
}
