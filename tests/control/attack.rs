//! Clients that mean harm, all at once: malformed requests, idle and slow ones, by the hundred. Meanwhile the daemon answers who asks properly,
//! looks as often as before and notices a pulled cable as soon as before; its memory stays bounded.

use crate::client::{self, request};
use crate::ground::{Ground, now, wait_for};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Malformed requests, over both sockets.
const MALFORMED: usize = 10_000;
/// Who send them, per socket.
const SENDERS: usize = 10;
/// Connections that say nothing, over both sockets.
const IDLE: usize = 500;
/// More memory than this an attack must not cost, bytes.
const MEMORY: u64 = 16 << 20;
/// An answer to a proper question in the middle of it.
const ANSWER_BY: Duration = Duration::from_secs(5);

/// A small generator of numbers (xorshift64*), so that a seed repeats a run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % sides
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.roll(from.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.roll(most)).map(|_| u8::try_from(self.roll(256)).unwrap()).collect()
    }
}

const METHODS: &[&str] = &["GET", "POST", "PUT", "CONNECT", "OPTIONS", "get", "", "G\u{0}T", "PRI", "GETGETGETGETGETGET", "\u{7f}"];
const TARGETS: &[&str] = &[
    "/v1/status",
    "/v1/diagnosis",
    "/v1/world",
    "/v1/incidents?since=7d&open=1",
    "/",
    "/symptom?screen=%3Cscript%3E",
    "/look",
    "/statement",
    "/?key=%0d%0aset-cookie:x",
    "/v1/page-key",
    "/metrics",
    "/v1/grants",
    "*",
    "http://x/v1/status",
    "//v1//status",
    "/v1/../../../etc/shadow",
    "/v1/%2e%2e/%2e%2e",
    "/v1/status?lang=%ff",
    "/v1/status?a=b&a=b",
    "/\u{e4}\u{4e2d}",
    "",
    "/v1/status#x",
    "/v1/incidents?since=99999999999999999999d",
    "/v1/incidents?follow=2",
    "/v1/status?lang=",
    "/%",
    "/v1/status\u{0}",
    "?",
    "/v1/status HTTP/1.1",
];
const VERSIONS: &[&str] = &["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "http/1.1", "", "HTTP/1.1 HTTP/1.1", "RTSP/1.0"];
const HEADERS: &[&str] = &[
    "host: x",
    "content-length: 5",
    "content-length: -1",
    "content-length: 99999999999999999999999",
    "content-length: 1\r\ncontent-length: 2",
    "transfer-encoding: chunked",
    "transfer-encoding: chunked, identity",
    "expect: 100-continue",
    "upgrade: h2c",
    "connection: upgrade",
    ": empty",
    "no colon",
    " folded",
    "x: \u{0}",
    "x:\u{ff}",
    "connection: keep-alive",
    "range: bytes=0-18446744073709551615",
    "x: \u{1b}[2J",
];
const ENDS: &[&str] = &["\r\n", "\n", "\r", "\n\r", "\r\n\r\n", "\0"];
const BODIES: &[&str] =
    &["", "hello", "5\r\nhello\r\n0\r\n\r\n", "ffffffffffffffffff\r\nx", "-1\r\n", "{\"error\":", "GET /metrics HTTP/1.1\r\n\r\n"];

/// A request that is wrong in one way or several; now and then right by chance.
fn malformed(dice: &mut Dice) -> Vec<u8> {
    if dice.roll(10) == 0 {
        return dice.bytes(2000);
    }
    let mut end = || if dice.roll(8) == 0 { dice.pick(ENDS) } else { "\r\n" };
    let (first, last) = (end(), end());
    let mut request = format!("{} {} {}{first}", dice.pick(METHODS), dice.pick(TARGETS), dice.pick(VERSIONS));
    for _ in 0..dice.roll(6) {
        request += dice.pick(HEADERS);
        request += "\r\n";
    }
    if dice.roll(40) == 0 {
        request.extend(["huge: ", &"h".repeat(20_000), "\r\n"]);
    }
    request += last;
    request += dice.pick(BODIES);
    let mut request = request.into_bytes();
    for _ in 0..dice.roll(4) {
        let at = dice.roll(request.len());
        match dice.roll(4) {
            0 => request[at] = u8::try_from(dice.roll(256)).unwrap(),
            1 => request.truncate(at.max(1)),
            2 => drop(request.splice(at..at, dice.bytes(20))),
            _ => request.extend_from_within(at / 2..at),
        }
    }
    request
}

/// Sends its share; what is answered must be an answer.
fn send_malformed(socket: &Path, seed: u64, sent: &AtomicUsize) {
    let mut dice = Dice(seed);
    for _ in 0..MALFORMED / 2 / SENDERS {
        let request = malformed(&mut dice);
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
        let _ = stream.write_all(&request);
        let mut answer = [0; 16];
        // One that is not whole is waited for by the daemon: we go, it stays.
        if let Ok(got @ 8..) = stream.read(&mut answer) {
            assert!(answer.starts_with(b"HTTP/1."), "{:?} to {:?}", &answer[..got], String::from_utf8_lossy(&request));
        }
        sent.fetch_add(1, Ordering::Relaxed);
    }
}

/// Keeps so many silent connections open; those that are shut out come back.
fn idle(socket: &Path, over: &AtomicBool) {
    let mut open: Vec<UnixStream> = Vec::new();
    while !over.load(Ordering::Relaxed) {
        open.retain(|stream| {
            let mut stream: &UnixStream = stream;
            matches!(stream.read(&mut [0; 1]), Err(error) if error.kind() == ErrorKind::WouldBlock)
        });
        for _ in open.len()..IDLE / 2 {
            let Ok(stream) = UnixStream::connect(socket) else { break };
            stream.set_nonblocking(true).unwrap();
            open.push(stream);
            if over.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

/// One byte a second, and never a whole request; or one that is never taken.
fn slow(socket: &Path, writes: bool, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let Ok(mut stream) = UnixStream::connect(socket) else { continue };
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let request: &[u8] = if writes { b"G" } else { b"GET /v1/world HTTP/1.1\r\nhost: x\r\n\r\n" };
        let _ = stream.write_all(request);
        for _ in 0..30 {
            let mut byte = [0; 1];
            let ended = if writes { stream.write_all(b"E").is_err() } else { matches!(stream.read(&mut byte), Ok(0)) };
            if ended || over.load(Ordering::Relaxed) {
                break;
            }
            thread::park_timeout(Duration::from_secs(1));
        }
    }
}

/// Ends the attack, also when a check fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What must not suffer.
#[derive(Debug)]
struct Health {
    /// From pulling the cable to the daemon saying so, the worst of several.
    detection: Duration,
    /// Pulses in a while.
    pulses: f64,
    /// The slowest answer to a proper question.
    answer: Duration,
}

const WHILE: Duration = Duration::from_secs(6);

fn measure(ground: &Ground) -> Health {
    let mut answer = Duration::ZERO;
    let pulses = wait_for("figures", ANSWER_BY, || figure(ground));
    let began = now();
    while began.elapsed() < WHILE {
        for socket in [ground.control(), ground.public()] {
            let asked = now();
            wait_for("an answer to a proper question", ANSWER_BY, || {
                request(&socket, "GET", "/v1/status", b"").filter(|answer| answer.status == 200)
            });
            answer = answer.max(asked.elapsed());
        }
        thread::park_timeout(Duration::from_millis(50));
    }
    let pulses = wait_for("figures", ANSWER_BY, || figure(ground)) - pulses;
    let detection = (0..2).map(|_| detect(ground)).max().unwrap();
    Health { detection, pulses, answer }
}

fn figure(ground: &Ground) -> Option<f64> {
    let text = request(&ground.control(), "GET", "/metrics", b"").filter(|answer| answer.status == 200)?.text();
    text.lines().find_map(|line| line.strip_prefix("isonet_looks_total{kind=\"pulse\"}"))?.trim().parse().ok()
}

fn detect(ground: &Ground) -> Duration {
    let cause = |wanted: &str| {
        let status = request(&ground.control(), "GET", "/v1/status", b"").filter(|answer| answer.status == 200)?.json();
        let told = status["causes"][0]["cause"].as_str().unwrap_or_default() == wanted;
        (told && (!wanted.is_empty() || status["connected"] == true)).then_some(())
    };
    wait_for("health", Duration::from_secs(30), || cause(""));
    ground.cable("down");
    let pulled = now();
    wait_for("the pulled cable to be noticed", Duration::from_secs(30), || cause("link.admin-down"));
    let took = pulled.elapsed();
    ground.cable("up");
    wait_for("health", Duration::from_secs(30), || cause(""));
    took
}

#[test]
fn hostile_clients_cost_the_daemon_nothing_that_matters() {
    let Some(ground) = Ground::new() else { return };
    let seed = std::env::var("ISONET_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x1505_2026);
    println!("seed {seed} (ISONET_SEED)");
    let before = measure(&ground);
    let memory = ground.most_memory();
    let (over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let during = thread::scope(|scope| {
        let (over, sent) = (&over, &sent);
        let mut senders = Vec::new();
        for (n, socket) in [ground.control(), ground.public()].into_iter().enumerate() {
            let (idle_at, slow_at) = (socket.clone(), socket.clone());
            for i in 0..SENDERS {
                let (socket, seed) = (socket.clone(), seed + (n * SENDERS + i) as u64);
                senders.push(scope.spawn(move || send_malformed(&socket, seed, sent)));
            }
            scope.spawn(move || idle(&idle_at, over));
            for i in 0..10 {
                let socket = slow_at.clone();
                scope.spawn(move || slow(&socket, i % 2 == 0, over));
            }
        }
        // Whatever becomes of it, the others must end.
        let end = Over(over);
        let during = measure(&ground);
        println!("measured after {} malformed requests", sent.load(Ordering::Relaxed));
        // The rest of the malformed ones come through sooner without the others.
        drop(end);
        for sender in senders {
            sender.join().unwrap();
        }
        during
    });
    println!("before {before:?}\nduring {during:?}");
    println!("memory: {} KiB, after the attack {} KiB", memory >> 10, ground.most_memory() >> 10);
    assert_eq!(sent.load(Ordering::Relaxed), MALFORMED);
    assert!(during.detection <= before.detection * 2 + Duration::from_secs(1), "before {before:?}, during {during:?}");
    assert!(during.pulses >= before.pulses - 2.0, "before {before:?}, during {during:?}");
    assert!(during.answer < ANSWER_BY, "before {before:?}, during {during:?}");
    assert!(ground.most_memory() < memory + MEMORY, "{} to {}", memory, ground.most_memory());
    assert!(!ground.log().contains("panicked"), "{}", ground.log());
    let answer = client::get(&ground.control(), "/v1/status");
    assert_eq!(answer.status, 200);
}
