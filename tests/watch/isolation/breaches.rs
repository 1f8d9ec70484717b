//! True ways outward: each is found, with the right facts and in time.

use super::*;
use crate::outside::Outside;

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

/// Routes of every kind.
fn routes() -> Vec<Breach> {
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
    ]
}

/// Ways that are not so plain.
fn others() -> Vec<Breach> {
    vec![
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

/// How long it took until it was suspect, where it was, and until it was found.
type Took = (Option<Duration>, Duration);

/// Runs one: how long it took, or what went wrong.
fn found(breach: &Breach) -> Result<Took, String> {
    let stage = Stage::new(breach.more).ok_or("SKIPPED")?;
    let _before = (breach.before)(&stage);
    let daemon = stage.ground.watch();
    let _then = (breach.then)(&stage);
    let began = isonet::sys::clock::now();
    let opened = |code: &str| daemon.told(code).into_iter().find(|record| record["incident"]["phase"] == "opened");
    let mut suspect = None;
    while began.elapsed() < breach.within + PATIENCE {
        suspect = suspect.or_else(|| opened(SUSPECT).map(|_| began.elapsed()));
        if let Some(record) = opened(breach.code) {
            let took = began.elapsed();
            let said = lines(&record, breach.says.0);
            if record["origin"] != breach.origin || !said.iter().any(|line| line == breach.says.1) {
                return Err(format!("found after {took:?}, and says {record:#}"));
            }
            return if took <= breach.within { Ok((suspect, took)) } else { Err(format!("found only after {took:?}")) };
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
    let cases: Vec<Breach> = routes().into_iter().chain(others()).collect();
    let said = all_of(&cases, found);
    for (case, said) in cases.iter().zip(&said) {
        let got = said.as_ref().map_or_else(Clone::clone, |(suspect, took)| {
            let suspect = suspect.map_or_else(|| "-".to_owned(), |suspect| suspect.as_millis().to_string());
            format!("suspect after {suspect} ms, found after {} ms", took.as_millis())
        });
        println!("{:48} {:30} within {:5} ms, {got}", case.name, case.code, case.within.as_millis());
    }
    let missed = said.iter().filter(|said| said.is_err()).count();
    println!("{} of {} found", said.len() - missed, said.len());
    assert_eq!(missed, 0);
}
