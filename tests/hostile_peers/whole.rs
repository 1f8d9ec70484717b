//! The binary itself against the worst of peers: every port of a site floods, drips or lies at once. It ends in time, in little memory,
//! with an exit status that accuses in form only.
//!
//! All of it happens in a network namespace of its own, with the peers' addresses on its loopback card.

use super::matrix::{Ill, Protocol, scatter, spoil};
use super::peer::udp_on;
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The most memory of its own a round may take, kB: without the pages of the program file, which in a debug build weigh more than all the rest.
const MOST_MEMORY: u64 = 16 * 1024;
/// The longest a round may take, and what a busy machine adds.
const LONGEST: Duration = Duration::from_secs(10 + 2);
const RESOLVER: &str = "10.66.0.53";
const HOST: &str = "10.66.0.9";

const SITE: &str = r#"
[dns]
resolvers = ["10.66.0.53"]
control-name = "control.centre.test"
[[vpn]]
name = "udp"
kind = "openvpn"
interface = "tun7"
server = "10.66.0.9:1194"
inside = "10.66.0.8"
[[vpn]]
name = "tcp"
kind = "openconnect"
interface = "vpns7"
transport = "tcp"
server = "10.66.0.9:4433"
[[vpn]]
name = "ipsec"
kind = "ipsec"
interface = "ipsec7"
server = "10.66.0.9:500"
[[centre]]
name = "by name"
host = "settle.centre.test"
addresses = ["10.66.0.9"]
tcp = [443, 80]
tls = { port = 443 }
http = { url = "https://settle.centre.test/health", status = [200] }
[[centre]]
name = "by address"
host = "10.66.0.9"
tcp = [80, 7001, 7002]
http = { url = "http://10.66.0.9/health", status = [200], maintenance-marker = "down" }
"#;

#[test]
fn the_binary_stays_small_and_quick_among_the_worst_of_peers() {
    let own = std::env::current_exe().unwrap();
    let flags = if rustix::process::geteuid().is_root() { "-nm" } else { "-rnm" };
    let stage = "ip link set lo up && for n in 8 9 53; do ip address add 10.66.0.$n/32 dev lo; done && exec \"$0\" \"$@\"";
    let ran = Command::new("unshare")
        .args([flags, "sh", "-ec", stage])
        .arg(own)
        .args(["--exact", "whole::alone", "--ignored", "--nocapture"])
        .output();
    let ran = match ran {
        Ok(ran) if !String::from_utf8_lossy(&ran.stderr).contains("unshare:") => ran,
        Ok(_) | Err(_) => return println!("SKIPPED: no namespaces here"),
    };
    println!("{}", String::from_utf8_lossy(&ran.stdout));
    assert!(ran.status.success(), "{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
}

#[test]
#[ignore = "runs only inside a namespace of its own, started by the other"]
fn alone() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    std::fs::create_dir(path("state")).unwrap();
    std::fs::write(path("resolv.conf"), format!("nameserver {RESOLVER}\n")).unwrap();
    std::fs::write(path("isonet.toml"), format!("state-dir = \"{}\"\n{SITE}", path("state").display())).unwrap();
    let shown = Command::new("mount").args(["--bind", &path("resolv.conf").display().to_string(), "/etc/resolv.conf"]).status().unwrap();
    assert!(shown.success());
    peers();
    for (round, ill) in WILLS.into_iter().enumerate() {
        WILL.store(round, Ordering::Relaxed);
        let (took, memory, status, text) = watched(&path("isonet.toml"));
        println!("{:<9} {:>5} ms {memory:>6} kB  exit {status:?}", format!("{ill:?}").to_lowercase(), took.as_millis());
        assert!(took < LONGEST, "{ill:?}: {took:?}");
        assert!(memory > 0 && memory < MOST_MEMORY, "{ill:?}: {memory} kB");
        assert!(matches!(status, Some(20 | 40)), "{ill:?}: {status:?} {text}");
        assert!(!text.contains("panicked"), "{text}");
    }
}

/// The ill will of this moment, of those in [`WILLS`].
static WILL: AtomicUsize = AtomicUsize::new(0);
const WILLS: [Ill; 5] = [Ill::Flood, Ill::Oversize, Ill::Drip, Ill::Noise, Ill::Early];

fn will() -> Ill {
    WILLS[WILL.load(Ordering::Relaxed)]
}

fn peers() {
    for (address, port, protocol) in [
        (RESOLVER, 53, Protocol::DnsTcp),
        (HOST, 443, Protocol::Tls),
        (HOST, 80, Protocol::Http),
        (HOST, 4433, Protocol::SslVpn),
        (HOST, 7001, Protocol::Tcp),
        (HOST, 7002, Protocol::Tcp),
    ] {
        let listener = TcpListener::bind((address, port)).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
                thread::spawn(move || spoil(stream, protocol, will()));
            }
        });
    }
    for at in [(RESOLVER, 53), (HOST, 1194), (HOST, 500), (HOST, 4500)] {
        let socket = UdpSocket::bind(at).unwrap();
        // Every other answer of the resolver is cut, so that it is asked over TCP as well.
        let mut turn = false;
        udp_on(socket, move |query| {
            turn = !turn && at.1 == 53;
            if turn {
                let mut cut = query.to_vec();
                cut[2..4].copy_from_slice(&[0x83, 0x80]);
                return vec![cut];
            }
            scatter(query, will())
        });
    }
}

/// How long a round took, the most memory it had, its exit status, and what it wrote to the standard error output.
fn watched(config: &std::path::Path) -> (Duration, u64, Option<i32>, String) {
    #[allow(clippy::disallowed_methods, reason = "the test's own watch")]
    let begun = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_isonet"));
    command.arg("--config").arg(config).args(["diagnose", "--json"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let now = text.lines().find_map(|line| line.strip_prefix("RssAnon:")?.split_whitespace().next()?.parse().ok());
        most = most.max(now.unwrap_or(0));
        assert!(begun.elapsed() < LONGEST * 2, "it hangs");
        thread::park_timeout(Duration::from_millis(2));
    }
    let took = begun.elapsed();
    let out = child.wait_with_output().unwrap();
    (took, most, out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}
