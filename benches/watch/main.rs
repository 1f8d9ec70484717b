//! What watching costs, beside others that do the same checks in the same run on the same wire.
//!
//! ```text
//! cargo bench --bench watch                      # as root: about twenty minutes; everything in namespaces that end with it
//! cargo bench --bench watch -- --seconds 20      # shorter windows: the watchers' common minute may fall into none
//! cargo bench --bench watch -- --only 10         # one of: 10, 100, tls, reactions, disk, peers
//! ISONET=... ISONET_BESIDE=... cargo bench --bench watch     # another build, and a second one in every table
//! ```
//! Ten (a hundred) targets, each asked every five seconds by ICMP, TCP, HTTP and DNS. A *probe* is what a tap on the far end of the wire sees
//! begin: an echo, a SYN, a question for an address (a second question for the other family is part of the first). CPU is the
//! scheduler's own account of user and kernel time of all threads; on a shared machine it is repeatable to about a tenth, wall time is not.
//! Prints figures and asserts nothing.
//!
//! What stays above its goal, and why:
//! * PSS (goal 4 MiB): the kernel maps code in pieces of 64 KiB around each fault, and what a pulse runs is strewn over the program's six
//!   megabytes of code: about half of them come back after each round's have been let go of. They are clean pages of the page cache.
//! * Anonymous memory for each further target (goal 6 KiB): the last round's world and diagnosis are kept whole, and what was freed between
//!   them cannot be given back.
//! * Wakes (goal 1.5 a second with ten targets; 1.5 to 1.9 here): a pulse wakes four to seven times, as its answers come in; the minute's sign of
//!   life waits for the disk a dozen times; the watchers' minute costs about seven, and twenty where other network namespaces are
//!   in use, into which they look twice a minute (counted against the same program without watchers, on a busy machine).
//! * Wakes in a gap (goal none): one or two for each pulse. The timer wheel of tokio steps through its coarser levels (at 4 s and at 64 ms), and a
//!   port with nothing behind it is watched until 0.3 s after the beginning.
//! * The probes of a hundred targets: names that the first round could not resolve in time wait for the next one.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark measures, and stops where it cannot")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

mod centre;
mod meter;
mod peers;
mod product;

use centre::{Log, Probe, stage};
use meter::{Held, Meter, Used};
use product::{Config, Isonet};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

/// Addresses of the centre, for the largest table.
const ADDRESSES: usize = 100;
/// After the start, until only the steady state is left.
const SETTLE: Duration = Duration::from_secs(9);
/// Steady states of others are measured for so long at most.
const PEERS: Duration = Duration::from_secs(20);

/// What the command line asks for.
struct Orders {
    window: Duration,
    only: Option<String>,
}

impl Orders {
    fn read() -> Self {
        let words: Vec<String> = std::env::args().collect();
        let after = |flag| words.iter().position(|word| word == flag).and_then(|at| words.get(at + 1)).cloned();
        let seconds = after("--seconds").map_or(60, |text| text.parse().unwrap());
        Self { window: Duration::from_secs(seconds), only: after("--only") }
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == part)
    }
}

fn main() {
    let orders = Orders::read();
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: namespaces need root");
        return;
    }
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (tls, authority) = product::certificates();
    std::fs::write(scratch.path().join("ca.pem"), authority).unwrap();
    let log = stage(ADDRESSES, tls, scratch.path());
    let bench = Bench { orders, log, scratch: scratch.path() };
    bench.table(10, "10");
    bench.table(ADDRESSES, "100");
    bench.tls();
    for binary in product::binaries() {
        bench.reactions(&binary);
        bench.disk(&binary);
    }
}

struct Bench<'a> {
    orders: Orders,
    log: Log,
    scratch: &'a Path,
}

/// One line of a table.
struct Line {
    name: String,
    used: Used,
    held: Held,
    probes: usize,
    gaps: usize,
}

impl Line {
    fn print(&self, window: Duration) {
        let (cpu, seconds) = (self.used.cpu_ns as f64 / 1e6, window.as_secs_f64());
        println!(
            "{:<26} {:>8.4} {:>9.1} {:>9.2} {:>8} {:>8} {:>8} {:>7} {:>6}",
            self.name,
            cpu / self.probes.max(1) as f64,
            self.probes as f64 / seconds,
            self.used.wakes as f64 / seconds,
            self.gaps,
            self.held.anonymous,
            self.held.pss,
            self.held.rss,
            self.held.files,
        );
    }
}

fn heading(what: &str) {
    println!("\n{what}");
    println!(
        "{:<26} {:>8} {:>9} {:>9} {:>8} {:>8} {:>8} {:>7} {:>6}",
        "", "ms/probe", "probes/s", "wakes/s", "in gaps", "anon KiB", "PSS KiB", "RSS", "files"
    );
}

impl Bench<'_> {
    fn table(&self, count: usize, part: &str) {
        let beside = self.orders.wants("peers");
        if !self.orders.wants(part) && !beside {
            return;
        }
        heading(&format!("{count} targets x ICMP, TCP, HTTP, DNS every 5 s, no TLS; isonet for {:?}", self.orders.window));
        for binary in product::binaries() {
            let isonet = Isonet::start(&binary, &Config::Plain(count), self.scratch);
            self.line(&isonet.name(), &[isonet.pid()]);
        }
        for start in peers::ALL {
            // They have no minute of their own.
            let window = self.orders.window.min(PEERS);
            match start(self.scratch, count, (SETTLE + window).as_secs()) {
                Ok(peer) => {
                    thread::sleep(SETTLE);
                    self.measure_for(peer.name, &peer.pids(), window);
                }
                Err(why) => println!("SKIPPED: {why}"),
            }
        }
    }

    fn tls(&self) {
        if !self.orders.wants("tls") {
            return;
        }
        heading(&format!("one centre by name with TCP, TLS and HTTPS every 15 s (the sample configuration), {:?}", self.orders.window));
        for binary in product::binaries() {
            let isonet = Isonet::start(&binary, &Config::Sample, self.scratch);
            thread::sleep(SETTLE);
            self.measure_for(&isonet.name(), &[isonet.pid()], self.orders.window);
        }
        heading(&format!("10 centres by name with HTTPS every 5 s, {:?}", self.orders.window));
        for binary in product::binaries() {
            let isonet = Isonet::start(&binary, &Config::Shielded(10), self.scratch);
            self.line(&isonet.name(), &[isonet.pid()]);
        }
    }

    fn line(&self, name: &str, pids: &[u32]) {
        thread::sleep(SETTLE);
        self.measure_for(name, pids, self.orders.window);
    }

    /// Wakes in a gap: those in half-seconds in which nothing arrived, nor in the one before.
    fn measure_for(&self, name: &str, pids: &[u32], window: Duration) {
        const SLICE: Duration = Duration::from_millis(500);
        self.log.lock().unwrap().clear();
        let mut meter = Meter::new(pids);
        let (mut used, mut gaps, mut busy) = (Used::default(), 0, true);
        for _ in 0..window.as_millis() / SLICE.as_millis() {
            let began = SystemTime::now();
            thread::sleep(SLICE);
            let now = meter.read();
            used += now;
            let heard = self.log.lock().unwrap().iter().rev().take_while(|(at, _)| *at >= began).count() > 0;
            if !heard && !busy {
                gaps += usize::try_from(now.wakes).unwrap();
            }
            busy = heard;
        }
        let probes = self.log.lock().unwrap().iter().filter(|(_, probe)| *probe != Probe::SecondDns).count();
        Line { name: name.to_owned(), used, held: Held::by(pids), probes, gaps }.print(window);
    }
}
