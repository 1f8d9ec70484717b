//! What a round costs: wall time healthy and broken, peak memory, size of the binary, instructions of the inference alone.
//!
//! ```text
//! cargo bench --bench figures          # as root: it makes two network namespaces and removes them
//! ```
//! Prints figures and asserts nothing: time on a shared machine is noise. For a repeatable count of the pure part run
//! `valgrind --tool=callgrind` on this program with `--inference 1000`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark measures, and stops where it cannot")]

use isonet::baseline::Enrolment;
use isonet::config::Config;
use isonet::infer::{World, diagnose};
use isonet::model::{ClockState, Failure, FailureKind, Observation, Outcome, Reply, ResolverSetup, Sighting, Stamp};
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The product. Runs of each state.
const ISONET: &str = env!("CARGO_BIN_EXE_isonet");
const HEALTHY_RUNS: usize = 21;
const BROKEN_RUNS: usize = 5;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    match words.iter().position(|word| word == "--inference").and_then(|i| words.get(i + 1)) {
        Some(count) => drop(inference(count.parse().unwrap())),
        None if words.iter().any(|word| word == "--serve") => serve(),
        None => figures(),
    }
}

fn figures() {
    let size = std::fs::metadata(ISONET).unwrap().len();
    println!("binary                     {size} B");
    let each = inference(2000);
    println!("inference, 40 sightings    {each:.1?} each");
    if !rustix::process::geteuid().is_root() {
        println!("rounds                     SKIPPED: namespaces need root");
        return;
    }
    let stage = Stage::new();
    report("healthy round", &stage, HEALTHY_RUNS, Some(0));
    // Answers get lost on their way back: silence, which costs the full patience of every exchange at once.
    ip(&stage.centre, &["route", "add", "blackhole", "10.20.9.1/32"]);
    report("broken round (silence)", &stage, BROKEN_RUNS, Some(20));
    println!("peak memory of a round     {} KiB (largest of all rounds, resident)", peak_rss_kib());
}

/// The inference alone, on a world of the usual size.
fn inference(count: u32) -> Duration {
    let config: Config = toml::from_str("[[centre]]\nname = \"c\"\nhost = \"10.20.9.2\"\ntcp = [443]\n").unwrap();
    let at = Stamp { boot_id: String::new(), boottime_ms: 1, wall: jiff::Timestamp::UNIX_EPOCH, offset_s: 0, clock: ClockState::Unknown };
    let silence = || Outcome::Failed(Failure { kind: FailureKind::Silence, elapsed: Duration::from_secs(2) });
    let hosts = (1..=19_u8).map(|n| IpAddr::from([10, 20, 9, n]));
    let mut sightings = vec![Sighting::Resolvers(Outcome::Ok(ResolverSetup::default()))];
    for ip in hosts {
        sightings.push(Sighting::Ping(ip, Outcome::Ok(Reply::once(Duration::from_millis(5)))));
        sightings.push(Sighting::Tcp((ip, 443).into(), silence()));
    }
    let observations: Vec<_> = sightings.into_iter().map(|sighting| Observation { at: at.clone(), sighting }).collect();
    let world: World = observations.into();
    let began = Instant::now();
    for _ in 0..count {
        std::hint::black_box(diagnose(std::hint::black_box(&world), &config, &Enrolment::NotEnrolled));
    }
    began.elapsed() / count.max(1)
}

fn report(what: &str, stage: &Stage, runs: usize, due: Option<i32>) {
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let began = Instant::now();
            let status = stage.diagnose();
            assert_eq!(status, due, "{what}: not the state that was to be measured");
            began.elapsed()
        })
        .collect();
    times.sort();
    println!("{what:<26} median {:.0?}, max {:.0?} of {runs} (whole process)", times[runs / 2], times[runs - 1]);
}

/// Two hosts and a wire between them; gone when dropped.
struct Stage {
    terminal: String,
    centre: String,
    config: PathBuf,
    server: Option<Child>,
}

impl Stage {
    fn new() -> Self {
        let pid = std::process::id();
        let (terminal, centre) = (format!("isonet-bench-t{pid}"), format!("isonet-bench-c{pid}"));
        let config = std::env::temp_dir().join(format!("isonet-bench-{pid}.toml"));
        std::fs::write(
            &config,
            format!(
                "state-dir = \"{}/none\"\n[[centre]]\nname = \"c\"\nhost = \"10.20.9.2\"\ntcp = [443]\nhttp = {{ url = \"http://10.20.9.2:80/\" }}\n",
                std::env::temp_dir().display()
            ),
        )
        .unwrap();
        let mut stage = Self { terminal, centre, config, server: None };
        run("ip", &["netns", "add", &stage.terminal]);
        run("ip", &["netns", "add", &stage.centre]);
        run("ip", &["-n", &stage.terminal, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", &stage.centre]);
        for (host, net) in [(&stage.terminal, "10.20.9.1/24"), (&stage.centre, "10.20.9.2/24")] {
            ip(host, &["address", "add", net, "dev", "eth0"]);
            ip(host, &["link", "set", "eth0", "up"]);
            ip(host, &["link", "set", "lo", "up"]);
        }
        let me = std::env::current_exe().unwrap();
        let mut server = Command::new("ip");
        server.args(["netns", "exec", &stage.centre]).arg(me).arg("--serve").stdout(Stdio::piped());
        let mut child = server.spawn().unwrap();
        // It says when it listens.
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        stage.server = Some(child);
        stage
    }

    fn diagnose(&self) -> Option<i32> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.terminal, ISONET, "diagnose", "--json", "--config"]).arg(&self.config);
        command.stdout(Stdio::null()).status().unwrap().code()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
        for host in [&self.terminal, &self.centre] {
            let _ = Command::new("ip").args(["netns", "delete", host]).status();
        }
        let _ = std::fs::remove_file(&self.config);
    }
}

/// The centre: accepts on 443, answers every request on 80.
fn serve() {
    let quiet = TcpListener::bind("10.20.9.2:443").unwrap();
    let web = TcpListener::bind("10.20.9.2:80").unwrap();
    std::io::stdout().write_all(b".").unwrap();
    std::io::stdout().flush().unwrap();
    std::thread::spawn(move || {
        let held: Vec<_> = quiet.incoming().flatten().collect();
        drop(held);
    });
    for mut visitor in web.incoming().flatten() {
        std::thread::spawn(move || {
            let mut asked = [0; 4096];
            while let Ok(1..) = visitor.read(&mut asked) {
                if asked.windows(4).any(|end| end == b"\r\n\r\n") {
                    let _ = visitor.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
                    break;
                }
            }
        });
    }
}

fn ip(host: &str, words: &[&str]) {
    run("ip", &[&["-n", host], words].concat());
}

fn run(program: &str, words: &[&str]) {
    let status = Command::new(program).args(words).status().unwrap();
    assert!(status.success(), "{program} {words:?}: {status}");
}

/// The largest resident set of any child that has ended.
#[allow(unsafe_code, reason = "getrusage has no safe wrapper among the dependencies")]
fn peak_rss_kib() -> i64 {
    // SAFETY: `usage` is plain data that the kernel fills.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    usage.ru_maxrss
}
