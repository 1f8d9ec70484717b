//! Ways outward: true ones are found, and what only looks like one is not.

use crate::ground::{Daemon, GATEWAY, Ground, PATIENCE, wait_for};
use crate::outside::{Authority, Identity, Outside, Service, heard, open, settings};
use serde_json::Value;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

const SUSPECT: &str = "isolation.uplink-suspect";
const REACHABLE: &str = "isolation.internet-reachable";
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
/// Stages at once: each has two namespaces, a daemon and a peer.
const AT_A_TIME: usize = 4;

/// A terminal that was enrolled while all was well, and a test root.
struct Stage {
    ground: Ground,
    root: Authority,
}

impl Stage {
    fn new(more: &str) -> Option<Self> {
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
    fn internet(&self) -> Vec<(&'static str, Service)> {
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
    fn second(&self, services: &[(&str, Service)]) -> Vec<Outside> {
        self.ground.cable("up0", "ub0");
        self.ground.beyond_run("ip address add 192.168.42.1/24 dev ub0");
        self.ground.here("ip address add 192.168.42.2/24 dev up0");
        vec![open(&self.ground, "ub0", services)]
    }

    fn leads_to_all(&self) {
        self.ground.here("ip route replace default via 192.168.42.1 dev up0");
    }
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

/// A true way outward.
struct Breach {
    name: &'static str,
    more: &'static str,
    /// Before the daemon starts.
    before: fn(&Stage) -> Vec<Outside>,
    /// While it watches.
    then: fn(&Stage) -> Vec<Outside>,
    code: &'static str,
    within: Duration,
    origin: &'static str,
    /// What the evidence must say of the way: key and text.
    says: (&'static str, &'static str),
}

fn nothing(_: &Stage) -> Vec<Outside> {
    Vec::new()
}

const UP: &str = "IPv4 via 192.168.42.1 dev up0";
const BREACH: Breach = Breach {
    name: "",
    more: "",
    before: nothing,
    then: nothing,
    code: REACHABLE,
    within: SOON,
    origin: "local-change",
    says: ("outside.path", UP),
};

fn breaches() -> Vec<Breach> {
    let second = |stage: &Stage| stage.second(&stage.internet());
    vec![
        Breach {
            name: "second card with a default route",
            before: second,
            then: |stage| {
                stage.leads_to_all();
                Vec::new()
            },
            ..BREACH
        },
        Breach {
            name: "default only in another table, with a rule",
            before: second,
            then: |stage| {
                stage.ground.here("ip route add default via 192.168.42.1 dev up0 table 100; ip rule add priority 100 lookup 100");
                Vec::new()
            },
            says: ("outside.path", "IPv4 via 192.168.42.1 dev up0 table 100"),
            ..BREACH
        },
        Breach {
            name: "two halves of everything",
            before: second,
            then: |stage| {
                stage.ground.here("ip route add 0.0.0.0/1 via 192.168.42.1; ip route add 128.0.0.0/1 via 192.168.42.1");
                Vec::new()
            },
            ..BREACH
        },
        Breach {
            name: "IPv6 by a router's advertisement only",
            then: |stage| {
                stage.ground.here("sysctl -qw net.ipv6.conf.t0.accept_dad=0 net.ipv6.conf.t0.accept_ra=2");
                stage.ground.beyond_run("ip -6 route add 2409:8a00::/64 dev b0");
                let mut services = stage.internet6();
                services.push(("[::]:0", Service::Advertises));
                vec![open(&stage.ground, "b0", &services)]
            },
            origin: "upstream",
            says: ("uplink.told-by", "t0 router advertisement"),
            code: SUSPECT,
            ..BREACH
        },
        Breach {
            name: "IPv6 through a second card",
            before: |stage| {
                stage.ground.cable("up0", "ub0");
                stage.ground.beyond_run("ip address add 2409:8a00::1/64 dev ub0 nodad");
                vec![open(&stage.ground, "ub0", &stage.internet6())]
            },
            then: |stage| {
                stage.ground.here("ip address add 2409:8a00::2/64 dev up0 nodad; ip -6 route add default via 2409:8a00::1 dev up0");
                Vec::new()
            },
            says: ("outside.path", "IPv6 via 2409:8a00::1 dev up0"),
            ..BREACH
        },
        Breach {
            name: "a tunnel over the enrolled network",
            then: |stage| {
                let (here, there) = ("ip link add vx0 type vxlan id 5 remote", "dstport 4789 dev");
                stage
                    .ground
                    .beyond_run(&format!("{here} 10.81.1.2 {there} b0; ip address add 192.168.42.1/24 dev vx0; ip link set vx0 up"));
                let outside = open(&stage.ground, "vx0", &stage.internet());
                stage.ground.here(&format!("{here} {GATEWAY} {there} t0; ip address add 192.168.42.2/24 dev vx0; ip link set vx0 up"));
                stage.ground.here("ip route replace default via 192.168.42.1 dev vx0");
                vec![outside]
            },
            says: ("outside.path", "IPv4 via 192.168.42.1 dev vx0"),
            ..BREACH
        },
        Breach {
            name: "this PC's clock is wrong",
            before: |stage| {
                let early = |name: &str| stage.root.issue(&[name], 2035, 2045, false);
                stage.second(&Stage::both(early(NAME_A), early(NAME_B)))
            },
            then: |stage| {
                stage.leads_to_all();
                Vec::new()
            },
            says: ("outside.tls", "223.5.5.5:443 dns.alidns.com verified but for the dates"),
            ..BREACH
        },
        Breach {
            name: "one operator alone",
            before: |stage| stage.second(&stage.internet()[..1]),
            then: |stage| {
                stage.leads_to_all();
                Vec::new()
            },
            within: ALONE,
            ..BREACH
        },
        Breach {
            name: "already there at the start",
            before: |stage| {
                let outside = stage.second(&stage.internet());
                stage.leads_to_all();
                outside
            },
            origin: "pre-existing",
            ..BREACH
        },
        Breach {
            name: "the router gained it, nothing changed here",
            more: PERIODIC,
            then: |stage| {
                // What is asked at the start is over.
                thread::sleep(Duration::from_secs(13));
                vec![open(&stage.ground, "b0", &stage.internet())]
            },
            within: BY_CLOCK,
            origin: "upstream",
            says: ("outside.approval", "the bureau 2026-7"),
            ..BREACH
        },
        Breach {
            name: "a proxy written in /etc/environment",
            before: |stage| {
                vec![open(&stage.ground, "lo", &stage.internet()), open(&stage.ground, "b0", &[("10.81.1.1:3128", Service::Proxy)])]
            },
            then: |stage| {
                std::fs::write(stage.ground.path("etc/environment"), "http_proxy=http://10.81.1.1:3128/\n").unwrap();
                // A stir, so that the test need not wait for the minute.
                stage.ground.here("ip route add 10.99.0.0/16 via 10.81.1.1");
                Vec::new()
            },
            code: PROXY,
            says: ("outside.proxy", "10.81.1.1:3128 /etc/environment"),
            ..BREACH
        },
        Breach {
            name: "names of the internet, without any route",
            before: |stage| vec![open(&stage.ground, "b0", &[("10.81.1.1:53", Service::PublicNames)])],
            code: NAMES,
            origin: "pre-existing",
            says: ("outside.name", "dns.alidns.com found"),
            ..BREACH
        },
    ]
}

/// Runs one: how long it took, or what went wrong.
fn found(breach: &Breach) -> Result<Duration, String> {
    let stage = Stage::new(breach.more).ok_or("SKIPPED")?;
    let _before = (breach.before)(&stage);
    let daemon = stage.ground.watch();
    let _then = (breach.then)(&stage);
    let began = isonet::sys::clock::now();
    let opened = |daemon: &Daemon<'_>| daemon.told(breach.code).into_iter().find(|record| record["incident"]["phase"] == "opened");
    while began.elapsed() < breach.within + PATIENCE {
        if let Some(record) = opened(&daemon) {
            let took = began.elapsed();
            let said = lines(&record, breach.says.0);
            if record["origin"] != breach.origin || !said.iter().any(|line| line == breach.says.1) {
                return Err(format!("found after {took:?}, and says {record:#}"));
            }
            return if took <= breach.within { Ok(took) } else { Err(format!("found only after {took:?}")) };
        }
        thread::sleep(Duration::from_millis(10));
    }
    Err(format!("not found; told: {:#?}\n{}", daemon.brief(), daemon.errors()))
}

#[test]
fn true_ways_outward_are_all_found() {
    if Stage::new("").is_none() {
        return;
    }
    let cases = breaches();
    let said = all_of(&cases, found);
    for (case, said) in cases.iter().zip(&said) {
        let got = said.as_ref().map_or_else(Clone::clone, |took| format!("after {} ms", took.as_millis()));
        println!("{:48} {:30} within {:5} ms, {got}", case.name, case.code, case.within.as_millis());
    }
    let missed = said.iter().filter(|said| said.is_err()).count();
    println!("{} of {} found", said.len() - missed, said.len());
    assert_eq!(missed, 0);
}

/// What only looks like the internet.
struct Lookalike {
    name: &'static str,
    services: fn(&Stage) -> Vec<(&'static str, Service)>,
    /// Something answers in the place of the internet, and it is said so.
    told: bool,
}

const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n";
const PORTAL: &str = "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/login\r\nContent-Length: 0\r\n\r\n";

fn everywhere(service: &Service) -> Vec<(&'static str, Service)> {
    [A, B, CONTROL].map(|at| (at, service.clone())).to_vec()
}

fn lookalikes() -> Vec<Lookalike> {
    let case = |name, services| Lookalike { name, services, told: true };
    vec![
        case("signed by themselves", |_| Stage::both(Identity::self_signed(NAME_A), Identity::self_signed(NAME_B))),
        case("expired years ago", |s| Stage::both(s.root.issue(&[NAME_A], 2020, 2021, false), s.root.issue(&[NAME_B], 2020, 2022, false))),
        case("for other names", |s| Stage::both(s.good("settle.centre.example"), s.good("www.centre.example"))),
        case("names swapped", |s| Stage::both(s.good(NAME_B), s.good(NAME_A))),
        case("by a private authority", |_| {
            let house = Authority::new("House CA");
            Stage::both(house.issue(&[NAME_A], 2026, 2035, false), house.issue(&[NAME_B], 2026, 2035, false))
        }),
        case("by an authority that calls itself as ours does", |_| {
            let false_root = Authority::new("Test Root");
            Stage::both(false_root.issue(&[NAME_A], 2026, 2035, false), false_root.issue(&[NAME_B], 2026, 2035, false))
        }),
        case("by an authority in the machine's store", |s| {
            let house = Authority::new("Interception CA");
            std::fs::create_dir_all(s.ground.path("etc/ssl/certs")).unwrap();
            std::fs::write(s.ground.path("etc/ssl/certs/house.pem"), house.pem()).unwrap();
            std::fs::write(s.ground.path("etc/ssl/certs/ca-certificates.crt"), house.pem()).unwrap();
            Stage::both(house.issue(&[NAME_A], 2026, 2035, false), house.issue(&[NAME_B], 2026, 2035, false))
        }),
        Lookalike {
            name: "by two private authorities",
            services: |_| {
                let of = |name: &str| Authority::new(&format!("CA of {name}")).issue(&[name], 2026, 2035, false);
                Stage::both(of(NAME_A), of(NAME_B))
            },
            // As if the roots had aged: said as a blindness.
            told: false,
        },
        case("one certificate for both", |s| {
            let one = s.root.issue(&[NAME_A, NAME_B], 2026, 2035, false);
            Stage::both(one.clone(), one)
        }),
        case("good certificates without their keys", |s| {
            let other = Identity::self_signed("x");
            Stage::both(s.good(NAME_A).with_key_of(&other), s.good(NAME_B).with_key_of(&other))
        }),
        case("for clients only", |s| Stage::both(s.root.issue(&[NAME_A], 2026, 2035, true), s.root.issue(&[NAME_B], 2026, 2035, true))),
        case("an old protocol", |s| vec![(A, Service::OldTls(s.good(NAME_A))), (B, Service::OldTls(s.good(NAME_B)))]),
        case("a server of 204", |_| everywhere(&Service::Says(NO_CONTENT))),
        case("a portal", |_| everywhere(&Service::Says(PORTAL))),
        case("a login banner", |_| everywhere(&Service::Says("SSH-2.0-OpenSSH_9.2\r\n"))),
        case("a box that takes all connections", |_| everywhere(&Service::Takes)),
        case("a box that takes and ends them", |_| everywhere(&Service::Ends)),
        Lookalike { name: "wildcard names", services: |_| vec![("10.81.1.1:53", Service::Wildcard)], told: false },
        case("wildcard names, 204 and squatted addresses", |_| {
            let mut all = everywhere(&Service::Says(NO_CONTENT));
            all.push(("10.81.1.1:53", Service::Wildcard));
            all
        }),
        case("one signed by itself, one in vain", |_| vec![(A, Service::Tls(Identity::self_signed(NAME_A)))]),
        Lookalike { name: "a new way that leads nowhere", services: |_| Vec::new(), told: false },
    ]
}

/// Runs one: what was told above the lowest, and whether a lookalike was.
fn told(case: &Lookalike) -> Option<(Vec<String>, bool)> {
    let stage = Stage::new("")?;
    let services = (case.services)(&stage);
    let (names, others): (Vec<_>, Vec<_>) = services.into_iter().partition(|(at, _)| at.ends_with(":53"));
    let _outside = stage.second(&others);
    let _names = open(&stage.ground, "b0", &names);
    let daemon = stage.ground.watch();
    stage.leads_to_all();
    daemon.sees(SUSPECT, "opened", PATIENCE, any);
    // A whole burst: who is alone would have proved itself twice.
    thread::sleep(Duration::from_secs(14));
    let severe = daemon.told("").into_iter().filter(|record| !matches!(record["cause"]["severity"].as_str(), Some("low" | "info")));
    let severe = severe.map(|record| record["incident"]["fingerprint"].to_string()).collect();
    Some((severe, !daemon.told(LOOKALIKE).is_empty()))
}

#[test]
fn what_only_looks_like_the_internet_is_never_taken_for_it() {
    if Stage::new("").is_none() {
        return;
    }
    let cases = lookalikes();
    let said = all_of(&cases, |case| told(case).expect("it could be staged before"));
    let mut wrong = 0;
    for (case, (severe, told)) in cases.iter().zip(&said) {
        let right = severe.is_empty() && *told == case.told;
        wrong += usize::from(!right);
        println!("{:48} {} severe, lookalike {:5} {}", case.name, severe.len(), told, if right { "" } else { "WRONG" });
    }
    println!("{} lookalikes, {} taken for the internet", said.len(), said.iter().filter(|(severe, _)| !severe.is_empty()).count());
    assert_eq!(wrong, 0, "{said:#?}");
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
    thread::sleep(Duration::from_secs(5) - after);
    stage.ground.here("ip link del up0");
    let (over, _) = daemon.sees(REACHABLE, "resolved", PATIENCE, any);
    daemon.sees(SUSPECT, "resolved", PATIENCE, any);
    assert_eq!(daemon.told("").len(), 4, "{:#?}", daemon.brief());
    println!("{over:#}");
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
    ground.here("ip route replace default dev t0");
    let daemon = ground.watch();
    thread::sleep(Duration::from_secs(3));
    assert_eq!(to_anchors(), (0, 0), "without a next hop");
    ground.here("ip route del default");
    thread::sleep(Duration::from_secs(2));
    assert_eq!(to_anchors(), (0, 0), "without a route");
    // The way that was enrolled leads there: then, and only then, it is asked for, and not by ARP.
    ground.here(&format!("ip route replace default via {GATEWAY}"));
    daemon.sees(REACHABLE, "opened", SOON, any);
    let (packets, asked) = to_anchors();
    println!("{packets} packets to anchors and the control");
    assert!(packets > 0 && asked == 0);
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

/// Ten thousand routes come and go: one incident, and the rest is silence.
#[test]
fn ten_thousand_routes_through_one_next_hop_are_one_incident() {
    let Some(stage) = Stage::new("") else { return };
    let _outside = stage.second(&[]);
    let daemon = stage.ground.watch();
    let routes = (0..10_000).map(|i| format!("route add 59.{}.{}.0/24 via 192.168.42.1\n", i / 256, i % 256)).collect::<String>();
    std::fs::write(stage.ground.path("routes"), &routes).unwrap();
    stage.ground.here(&format!("ip -batch {}", stage.ground.path("routes").display()));
    daemon.sees(SUSPECT, "opened", PATIENCE, any);
    stage.ground.here("ip link del up0");
    daemon.sees(SUSPECT, "resolved", PATIENCE, any);
    assert_eq!(daemon.told(SUSPECT).len(), 2, "{:#?}", daemon.brief());
    let stat = wait_for("its processor time", PATIENCE, || std::fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).ok());
    let ticks: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    println!("processor time: {} + {} ticks", ticks[11], ticks[12]);
}
