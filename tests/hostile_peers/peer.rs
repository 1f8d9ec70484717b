//! Scripted peers, each on a thread of its own that ends when the client leaves or the test does.

use isonet::probe::stream::Wall;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// How long a probe may wait for a peer that says nothing.
pub const PATIENCE: Duration = Duration::from_millis(600);

/// What a probe may need beyond its patience on a slow machine.
pub const SLACK: Duration = Duration::from_secs(3);

/// The time of all certificates here.
pub fn wall() -> Wall {
    Wall::new("2026-11-22T05:00:00Z".parse().unwrap())
}

/// A TCP server that plays `script` for every connection.
pub fn tcp(script: impl Fn(TcpStream) + Send + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
            let script = script.clone();
            thread::spawn(move || script(stream));
        }
    });
    at
}

/// Reads a request up to its empty line.
pub fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        request.push(byte[0]);
    }
    String::from_utf8_lossy(&request).into_owned()
}

/// A server that reads a request and writes `answer`.
pub fn answers(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer = answer.into();
    tcp(move |mut stream| {
        read_request(&mut stream);
        // The client may have seen enough already.
        drop(stream.write_all(&answer));
    })
}

/// A server that says `words` at once and then waits.
pub fn says(words: &'static [u8]) -> SocketAddr {
    tcp(move |mut stream| {
        drop(stream.write_all(words));
        wait(stream);
    })
}

/// Keeps the connection open until the client ends it.
pub fn wait(mut stream: TcpStream) {
    while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
}

/// Ends the connection with a reset.
#[allow(clippy::needless_pass_by_value, reason = "it is the end of the stream")]
pub fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// A UDP server that sends whatever `script` makes of each datagram.
pub fn udp(script: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp_on(socket, script)
}

/// The same on a given socket.
pub fn udp_on(socket: UdpSocket, mut script: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let at = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            for datagram in script(&buffer[..length]) {
                drop(socket.send_to(&datagram, from));
            }
        }
    });
    at
}

/// Runs `look` and demands that it ends soon after `patience`.
pub fn in_time<T>(patience: Duration, look: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    #[allow(clippy::disallowed_methods, reason = "the test's own watch")]
    let begun = Instant::now();
    let seen = runtime.block_on(look);
    assert!(begun.elapsed() < patience + SLACK, "took {:?} with a patience of {patience:?}", begun.elapsed());
    seen
}

/// The most memory this process has had, kB.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
