//! Ways outward: true ones are found, and what only looks like one is not.

mod breaches;
mod enrolment;
mod leaves;
mod lookalikes;
mod storms;
mod twins;

use crate::ground::{GATEWAY, Ground, PATIENCE, wait_for};
use crate::outside::{Authority, Identity, Outside, Service, Signs, frames, heard, open, requests, settings};
use serde_json::Value;
use std::io::Read as _;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

const SUSPECT: &str = "isolation.uplink-suspect";
pub(crate) const REACHABLE: &str = "isolation.internet-reachable";
const LOOKALIKE: &str = "isolation.lookalike";
const NAMES: &str = "isolation.public-dns";
const PROXY: &str = "isolation.proxy-path";
/// A new way is told within a second, a proof of the internet within ten; who is alone takes twenty, and what nobody tells of a minute and a half.
const AT_ONCE: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(10);
const ALONE: Duration = Duration::from_secs(20);
const BY_CLOCK: Duration = Duration::from_secs(90);
const A: &str = "223.5.5.5:443";
const B: &str = "1.12.12.12:443";
const A6: &str = "[2400:3200::1]:443";
const B6: &str = "[2402:4e00::]:443";
const CONTROL: &str = "203.0.113.1:443";
const NAME_A: &str = "dns.alidns.com";
const NAME_B: &str = "doh.pub";
/// Leave to ask by the clock.
const PERIODIC: &str = "mode = \"periodic\"\napproved-by = \"the bureau\"\napproval-no = \"2026-7\"";
/// The organisation's own proof: where it is, and the key of the seed that signs there.
const CANARY_AT: &str = "59.44.9.9:443";
const SEED: u8 = 7;
const CANARY: &str =
    "canary = { address = \"59.44.9.9:443\", public-key = \"ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c\" }";
/// Stages at once: each has two namespaces, a daemon and a peer.
const AT_A_TIME: usize = 4;

/// A terminal that was enrolled while all was well, and a test root.
pub(crate) struct Stage {
    pub(crate) ground: Ground,
    root: Authority,
}

impl Stage {
    pub(crate) fn new(more: &str) -> Option<Self> {
        let stage = Self::not_enrolled(more)?;
        stage.ground.enroll();
        Some(stage)
    }

    fn not_enrolled(more: &str) -> Option<Self> {
        let stage = Self { ground: Ground::new()?, root: Authority::new("Test Root") };
        std::fs::write(stage.ground.path("roots.pem"), stage.root.pem()).unwrap();
        stage.ground.configure(&settings(&stage.ground.path("roots.pem"), more));
        Some(stage)
    }

    fn good(&self, name: &str) -> Identity {
        self.root.issue(&[name], 2026, 2035, false)
    }

    /// The two operators, as they are on the internet.
    pub(crate) fn internet(&self) -> Vec<(&'static str, Service)> {
        vec![(A, Service::Tls(self.good(NAME_A))), (B, Service::Tls(self.good(NAME_B)))]
    }

    /// The same by IPv6.
    fn internet6(&self) -> Vec<(&'static str, Service)> {
        vec![(A6, Service::Tls(self.good(NAME_A))), (B6, Service::Tls(self.good(NAME_B)))]
    }

    /// Both operators' addresses under these certificates.
    fn both(a: Identity, b: Identity) -> Vec<(&'static str, Service)> {
        vec![(A, Service::Tls(a)), (B, Service::Tls(b))]
    }

    /// A second cable, and what answers at its other end: nothing leads there yet.
    pub(crate) fn second(&self, services: &[(&str, Service)]) -> Vec<Outside> {
        self.ground.cable("up0", "ub0");
        self.ground.beyond_run("ip address add 192.168.42.1/24 dev ub0");
        self.ground.here("ip address add 192.168.42.2/24 dev up0");
        vec![open(&self.ground, "ub0", services)]
    }

    /// The same where this PC can have an address of its own on the internet.
    fn second_with_public_address(&self, services: &[(&str, Service)]) -> Vec<Outside> {
        let outside = self.second(services);
        self.ground.beyond_run("ip address add 59.44.1.1/24 dev ub0");
        outside
    }

    fn leads_to_all_from_public(&self) {
        self.ground.here("ip address add 59.44.1.2/24 dev up0");
        self.ground.here("ip route replace default via 192.168.42.1 dev up0 src 59.44.1.2");
    }

    /// A program of the terminal connects there and stays.
    fn talks_to(&self, at: &str) -> Talking {
        let mut bash = self.ground.command("bash");
        bash.args(["-c", &format!("exec 3<>/dev/tcp/{}; echo; sleep 300", at.replace(':', "/"))]).stdout(Stdio::piped());
        let mut child = bash.stdin(Stdio::null()).spawn().unwrap();
        // A line is written when it is connected.
        assert_eq!(child.stdout.as_mut().unwrap().read(&mut [0]).unwrap(), 1, "connected to {at}");
        Talking(child)
    }

    pub(crate) fn leads_to_all(&self) {
        self.ground.here("ip route replace default via 192.168.42.1 dev up0");
    }
}

/// A program that talks; ends when dropped.
struct Talking(Child);

impl Drop for Talking {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A row of the table of cases.
fn row(case: &str, expected: &str, got: &str, latency: &str) {
    println!("{case:52} | {expected:44} | {got:30} | {latency}");
}

fn ms(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

fn lines(record: &Value, k: &str) -> Vec<String> {
    let all = record["evidence"].as_array().unwrap();
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    all.iter().filter(|line| line["k"] == k).map(|line| format!("{} {}", text(line, "target"), text(line, "result"))).collect()
}

fn any(_: &Value) -> bool {
    true
}

/// Runs each on a thread, a few at a time, and gives what they say, in order.
fn all_of<C: Sync, R: Send>(cases: &[C], run: impl Fn(&C) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(0..cases.len());
    let ended = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(i) = { next.lock().unwrap().next() } {
                    let said = run(&cases[i]);
                    ended.lock().unwrap().push((i, said));
                }
            });
        }
    });
    let mut ended = ended.into_inner().unwrap();
    ended.sort_by_key(|(i, _)| *i);
    ended.into_iter().map(|(_, said)| said).collect()
}

/// Five seconds, from the first word to the last: told at once, proven, over, and how long it was.
#[test]
fn a_way_of_five_seconds_is_kept_with_its_duration() {
    let Some(stage) = Stage::new("") else { return };
    let daemon = stage.ground.watch();
    let _outside = stage.second(&stage.internet());
    stage.leads_to_all();
    let (suspect, after) = daemon.sees(SUSPECT, "opened", AT_ONCE, any);
    println!("suspect after {after:?}");
    assert_eq!(lines(&suspect, "uplink.route"), ["0.0.0.0/0 via 192.168.42.1 dev up0"]);
    thread::sleep(Duration::from_secs(5).saturating_sub(after));
    stage.ground.here("ip link del up0");
    let (over, _) = daemon.sees(REACHABLE, "resolved", PATIENCE, any);
    let (suspect, _) = daemon.sees(SUSPECT, "resolved", PATIENCE, any);
    assert_eq!(daemon.told("").len(), 4, "{:#?}", daemon.brief());
    // Kept with how long it was, and with interface, gateway and family.
    let (opened, proved) = daemon.sees(REACHABLE, "opened", AT_ONCE, any);
    let lasted = |record: &Value| record["incident"]["duration_ms"].as_u64().unwrap_or_default();
    assert!((4000..9000).contains(&lasted(&suspect)) && lasted(&over) < lasted(&suspect), "{suspect:#} {over:#}");
    assert_eq!(lines(&opened, "outside.path"), ["IPv4 via 192.168.42.1 dev up0"]);
    let _ = proved;
    row("5 s, then gone", "kept: duration, interface, gateway, family", &ms(Duration::from_millis(lasted(&suspect))), &ms(after));
}

/// The service is started anew while the way is open: the incident goes on, and is not told twice.
#[test]
fn a_restart_neither_ends_nor_repeats_what_is_still_there() {
    let Some(stage) = Stage::new("") else { return };
    let _outside = stage.second(&stage.internet());
    let daemon = stage.ground.watch();
    stage.leads_to_all();
    daemon.sees(REACHABLE, "opened", SOON, any);
    daemon.stop();
    let daemon = stage.ground.watch();
    thread::sleep(Duration::from_secs(3));
    assert_eq!(daemon.told("").len(), 2, "{:#?}", daemon.brief());
    stage.ground.here(&format!("ip route replace default via {GATEWAY} dev t0"));
    daemon.sees(REACHABLE, "resolved", PATIENCE, any);
}

/// Each is told within a second, and what is enrolled or explained is not.
#[test]
fn a_tunnel_is_told_at_once_unless_it_is_the_configured_one() {
    let Some(stage) = Stage::new("[[vpn]]\nname = \"centre\"\ninterface = \"tun0\"\n") else { return };
    let daemon = stage.ground.watch();
    stage.ground.here("ip tuntap add tun0 mode tun; ip link set tun0 up; ip link add d0 type veth peer name d1; ip link set d0 up");
    stage.ground.here("ip tuntap add tun7 mode tun; ip link set tun7 up");
    let (record, after) = daemon.sees(SUSPECT, "opened", AT_ONCE, any);
    println!("tun7 after {after:?}");
    assert_eq!(record["incident"]["fingerprint"], "isolation.uplink-suspect:link:tun7");
    stage.ground.here("ip link del tun7");
    daemon.sees(SUSPECT, "resolved", PATIENCE, any);
    assert_eq!(daemon.told("").len(), 2, "{:#?}", daemon.brief());
}

/// Before enrolment nothing leaves; and never does anybody hear a public address asked for on the enrolled network.
#[test]
fn nothing_leaves_before_enrolment_and_nobody_hears_public_addresses_asked_for() {
    let Some(stage) = Stage::not_enrolled("") else { return };
    let ground = &stage.ground;
    let mut services = stage.internet();
    services.push(("0.0.0.0:0", Service::Notes));
    let _outside = open(ground, "b0", &services);
    let to_anchors = || {
        let heard = heard(ground, "b0");
        let of = |what: &str| {
            heard.iter().filter(|line| [A, B, CONTROL].iter().any(|at| **line == format!("{what} {}", at.trim_end_matches(":443")))).count()
        };
        (of("ip"), of("arp"))
    };
    let daemon = ground.watch();
    thread::sleep(Duration::from_secs(3));
    assert_eq!(to_anchors(), (0, 0), "before enrolment");
    daemon.stop();
    // On-link default: the kernel would ask for each address by ARP.
    ground.enroll();
    // Which asks once, by the way that was enrolled just now.
    let enrolled = to_anchors();
    assert!(enrolled.0 > 0 && enrolled.1 == 0, "{enrolled:?}");
    ground.here("ip route replace default dev t0");
    let daemon = ground.watch();
    thread::sleep(Duration::from_secs(3));
    assert_eq!(to_anchors(), enrolled, "without a next hop");
    ground.here("ip route del default");
    thread::sleep(Duration::from_secs(2));
    assert_eq!(to_anchors(), enrolled, "without a route");
    // The way that was enrolled leads there: then, and only then, it is asked for, and not by ARP.
    ground.here(&format!("ip route replace default via {GATEWAY}"));
    daemon.sees(REACHABLE, "opened", SOON, any);
    let (packets, asked) = to_anchors();
    println!("{packets} packets to anchors and the control");
    assert!(packets > enrolled.0 && asked == 0);
}

/// With mode `off` nothing leaves, and ways are still seen.
#[test]
fn switched_off_it_sends_nothing_and_still_sees() {
    let Some(stage) = Stage::new("mode = \"off\"") else { return };
    let mut services = stage.internet();
    services.push(("0.0.0.0:0", Service::Notes));
    let _outside = stage.second(&services);
    let daemon = stage.ground.watch();
    stage.leads_to_all();
    daemon.sees(SUSPECT, "opened", AT_ONCE, any);
    thread::sleep(Duration::from_secs(3));
    assert!(!heard(&stage.ground, "ub0").iter().any(|line| line.ends_with("223.5.5.5")));
    assert!(daemon.told(REACHABLE).is_empty());
}
