//! Ten days without a line: ten thousand records wait when it comes back. The daemon itself ships them, while the network breaks anew.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use isonet::baseline::machine_fingerprint;
use isonet::model::{AgentEvent, Draft, What};
use isonet::spool::{Claims, Cursors, Disk, Known, Spool, newest};
use isonet::sys::clock;

use crate::Done;
use crate::oracle::recorded;

/// Records that wait.
pub(crate) const WAITING: u64 = 10_000;
/// All of them are there within so long.
const DRAINED: Duration = Duration::from_mins(1);
/// What the kernel alone proves is recorded within so long, on a busy machine.
const SEEN: Duration = Duration::from_secs(5);
/// By so much more memory may be taken in the end, kB: a backlog that is kept would be several times that.
const GROWN: u64 = 1024;
/// The centre, in a namespace of its own.
const CENTRE: &str = "ip link set lo up; until ip link show up1 >/dev/null 2>&1; do sleep 0.05; done; \
     ip addr add 10.99.0.1/24 dev up1; ip link set up1 up; exec socat TCP-LISTEN:7000,fork,reuseaddr EXEC:cat";

/// What a drain took.
pub(crate) struct Drained {
    pub(crate) time: Duration,
    /// From the cut to the record, each.
    pub(crate) seen: Vec<Duration>,
    /// Anonymous memory at most in the first and in the last third, kB: what is given back and taken again from moment to moment is no growth.
    pub(crate) memory: (u64, u64),
}

impl std::fmt::Display for Drained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seen: Vec<u128> = self.seen.iter().map(Duration::as_millis).collect();
        let (early, late) = self.memory;
        write!(
            f,
            "{WAITING} records in {} ms; faults meanwhile recorded after {seen:?} ms; anonymous at most {early} kB, then {late} kB",
            self.time.as_millis()
        )
    }
}

/// A child that ends with its owner.
struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ip(words: &str) -> Done {
    let out = Command::new("ip").args(words.split_whitespace()).output().map_err(|e| format!("ip: {e}"))?;
    if out.status.success() { Ok(()) } else { Err(format!("ip {words}: {}", String::from_utf8_lossy(&out.stderr).trim())) }
}

/// Writes a log as this machine's daemon left it.
pub(crate) fn fill(state: &Path) -> Done {
    let text = |e: &dyn std::fmt::Display| format!("{}: {e}", state.display());
    let claims = Claims { fingerprint: machine_fingerprint(), anchor: Known::Absent, cursors: Known::Absent };
    let card = isonet::model::TerminalCard::of(&isonet::config::Terminal::default(), None, None, "");
    let disk = Disk::own(&state.join("spool")).map_err(|e| text(&e))?;
    let (log, _) = Spool::start(disk, None, &claims, card, drop).map_err(|e| text(&e))?;
    for count in 1..=WAITING {
        while log.health().waiting > 100 {
            std::thread::sleep(Duration::from_millis(1));
        }
        log.record(Draft::new(&clock::stamp(), What::Agent(AgentEvent::Coalesced { count })));
    }
    if log.close().waiting > 0 { Err("the log does not take it".to_owned()) } else { Ok(()) }
}

/// The daemon with this sink (lines of its table) drains the backlog.
pub(crate) fn drain(sink: &str) -> Done<Drained> {
    let place = tempfile::Builder::new().prefix("isonet-backlog-").tempdir().map_err(|e| format!("no place: {e}"))?;
    let (state, config) = (place.path().join("state"), place.path().join("etc/isonet.toml"));
    fill(&state)?;
    let mut centre = Kept(
        Command::new("unshare").args(["--net", "sh", "-c", CENTRE]).stdin(Stdio::null()).spawn().map_err(|e| format!("unshare: {e}"))?,
    );
    wait("the centre's namespace", || {
        let theirs = std::fs::read_link(format!("/proc/{}/ns/net", centre.0.id())).ok();
        theirs.is_some() && theirs != std::fs::read_link("/proc/self/ns/net").ok()
    })?;
    ip(&format!("link add up0 type veth peer name up1 netns {}", centre.0.id()))?;
    ip("addr add 10.99.0.2/24 dev up0")?;
    ip("link set up0 up")?;
    std::fs::create_dir_all(place.path().join("etc")).map_err(|e| e.to_string())?;
    let text = format!(
        "state-dir = \"{0}/state\"\nrun-dir = \"{0}/run\"\n[[centre]]\nname = \"settlement\"\nhost = \"10.99.0.1\"\nping = false\ntcp = [7000]\n\
         [[sink]]\nname = \"fleet\"\n{sink}",
        place.path().display()
    );
    std::fs::write(&config, text).map_err(|e| e.to_string())?;
    let begin = Instant::now();
    let daemon = Command::new(env!("CARGO_BIN_EXE_isonet")).arg("--config").arg(&config).arg("run").stdin(Stdio::null()).spawn();
    let mut daemon = Kept(daemon.map_err(|e| format!("no daemon: {e}"))?);
    let spool = state.join("spool");
    let cursor = || Cursors::open(Disk::look(&state.join("cursors"))).ok().and_then(|cursors| cursors.get("fleet")).map_or(0, |at| at.seq);
    wait("the daemon's first look", || {
        begin.elapsed() > Duration::from_secs(2) && newest(&Disk::look(&spool)).ok().flatten().is_some_and(|at| at.seq > WAITING)
    })?;
    let (mut held, mut seen) = (Vec::new(), Vec::new());
    let mut time = None;
    let mut drained = |held: &mut Vec<u64>, daemon: &Kept| -> Done<bool> {
        held.push(anonymous(&daemon.0)?);
        if time.is_none() && cursor() >= WAITING {
            time = Some(begin.elapsed());
        }
        Ok(time.is_some())
    };
    // What comes back soon is the same incident.
    let is_seen = |from: usize, opens: bool| {
        let all = recorded(&spool).unwrap_or_default();
        let records = all.iter().skip(from).filter_map(|(_, line)| serde_json::from_slice::<serde_json::Value>(line).ok());
        let word = |record: &serde_json::Value, at: &str| record.pointer(at).and_then(|word| word.as_str()).unwrap_or_default().to_owned();
        let mut cuts = records.filter(|record| word(record, "/incident/kind") == "disconnection");
        cuts.any(|record| {
            let phase = word(&record, "/incident/phase");
            if opens { phase == "opened" || word(&record, "/incident/change") == "reopened" } else { phase == "resolved" }
        })
    };
    let mut rounds = 0;
    while rounds < 3 || !drained(&mut held, &daemon)? {
        if begin.elapsed() > DRAINED * 2 {
            return Err(format!("not drained within {} s: {} of {WAITING}", begin.elapsed().as_secs(), cursor()));
        }
        if rounds < 3 {
            let from = recorded(&spool)?.len();
            let cut = Instant::now();
            ip("link set up0 down")?;
            wait("the record of the fault", || is_seen(from, true)).map_err(|e| format!("{e}: {}", told(&spool)))?;
            seen.push(cut.elapsed());
            ip("link set up0 up")?;
            rounds += 1;
            // What breaks for the third time stays open for five quiet minutes.
            if rounds < 3 {
                wait("its end", || is_seen(from, false)).map_err(|e| format!("{e} after {rounds}: {}", told(&spool)))?;
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = daemon.0.try_wait();
    let time = time.ok_or("not drained")?;
    ip("link del up0")?;
    let _ = centre.0.kill();
    let most = |third: &[u64]| third.iter().copied().max().unwrap_or(0);
    let third = held.len() / 3;
    let (early, late) = (most(&held[..third]), most(&held[held.len() - third..]));
    let result = Drained { time, seen, memory: (early, late) };
    if time > DRAINED {
        return Err(format!("too slow: {result}"));
    }
    match result.seen.iter().max() {
        Some(late) if *late > SEEN => Err(format!("seen too late: {result}")),
        _ if third < 20 => Err(format!("looked at {} times only: {result}", held.len())),
        _ if late > early + GROWN => Err(format!("it grew: {result}")),
        _ => Ok(result),
    }
}

/// What was recorded last.
fn told(spool: &Path) -> String {
    let all = recorded(spool).unwrap_or_default();
    let last = all.iter().rev().take(3).map(|(_, line)| String::from_utf8_lossy(line).into_owned());
    last.collect::<Vec<_>>().join("\n")
}

/// Anonymous memory of a process, kB.
fn anonymous(child: &Child) -> Done<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).map_err(|e| format!("the daemon is gone: {e}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).ok_or("no RssAnon")?;
    line.trim().trim_end_matches("kB").trim().parse().map_err(|e| format!("RssAnon: {e}"))
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) -> Done {
    let begin = Instant::now();
    while !is_so() {
        if begin.elapsed() > Duration::from_mins(1) {
            return Err(format!("{what} does not come"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
