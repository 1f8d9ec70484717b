//! Ways outward: true ones are found, and what only looks like one is not.

use crate::ground::{Daemon, Ground, PATIENCE};
use crate::outside::{Authority, Identity, Outside, Service, open, settings};
use serde_json::Value;
use std::time::Duration;

const SUSPECT: &str = "isolation.uplink-suspect";
const REACHABLE: &str = "isolation.internet-reachable";
const LOOKALIKE: &str = "isolation.lookalike";
/// A new way is told within a second, a proof of the internet within ten.
const AT_ONCE: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(10);
const A: &str = "223.5.5.5:443";
const B: &str = "1.12.12.12:443";
const A6: &str = "[2400:3200::1]:443";
const B6: &str = "[2402:4e00::]:443";

/// A terminal that was enrolled while all was well, and a test root.
struct Stage {
    ground: Ground,
    root: Authority,
}

impl Stage {
    fn new(more: &str) -> Option<Self> {
        let stage = Self { ground: Ground::new()?, root: Authority::new("Test Root") };
        std::fs::write(stage.ground.path("roots.pem"), stage.root.pem()).unwrap();
        stage.ground.configure(&settings(&stage.ground.path("roots.pem"), more));
        stage.ground.enroll();
        Some(stage)
    }

    fn good(&self, name: &str) -> Identity {
        self.root.issue(&[name], 2026, 2035, false)
    }

    /// The two operators, as they are on the internet.
    fn internet(&self) -> [(&'static str, Service); 2] {
        [(A, Service::Tls(self.good("dns.alidns.com"))), (B, Service::Tls(self.good("doh.pub")))]
    }

    /// The same by IPv6.
    fn internet6(&self) -> [(&'static str, Service); 2] {
        [(A6, Service::Tls(self.good("dns.alidns.com"))), (B6, Service::Tls(self.good("doh.pub")))]
    }

    /// A second cable whose other end will be a router: nothing leads there yet.
    fn second(&self) {
        self.ground.cable("up0", "ub0");
        self.ground.beyond_run("ip address add 192.168.42.1/24 dev ub0");
        self.ground.here("ip address add 192.168.42.2/24 dev up0");
    }

    fn leads_to_all(&self) {
        self.ground.here("ip route replace default via 192.168.42.1 dev up0");
    }

    /// The watcher, once it has nothing more to ask of what was there.
    fn watch(&self) -> Daemon<'_> {
        self.ground.watch()
    }
}

fn line<'a>(record: &'a Value, k: &str) -> Vec<String> {
    let all = record["evidence"].as_array().unwrap();
    let of = |line: &'a Value| format!("{} {}", line["target"].as_str().unwrap_or_default(), line["result"].as_str().unwrap_or_default());
    all.iter().filter(|line| line["k"] == k).map(of).collect()
}

fn any(_: &Value) -> bool {
    true
}

#[test]
fn a_second_card_with_a_default_route_is_suspect_at_once_and_proven_soon() {
    let Some(stage) = Stage::new("") else { return };
    let daemon = stage.watch();
    stage.second();
    let _internet = open(&stage.ground, "ub0", &stage.internet());
    stage.leads_to_all();
    let (suspect, after) = daemon.sees(SUSPECT, "opened", AT_ONCE, any);
    println!("suspect after {after:?}");
    assert_eq!(suspect["origin"], "local-change");
    assert_eq!(line(&suspect, "uplink.route"), ["0.0.0.0/0 via 192.168.42.1 dev up0"]);
    let (proven, after) = daemon.sees(REACHABLE, "opened", SOON, any);
    println!("proven after {after:?}");
    assert_eq!((proven["origin"].as_str(), proven["cause"]["severity"].as_str()), (Some("local-change"), Some("critical")));
    assert_eq!(line(&proven, "outside.path"), ["IPv4 via 192.168.42.1 dev up0"]);
    assert_eq!(line(&proven, "outside.tls").len(), 2);
    stage.ground.here("ip route del default via 192.168.42.1 dev up0");
    daemon.sees(REACHABLE, "resolved", PATIENCE, any);
    daemon.sees(SUSPECT, "resolved", PATIENCE, any);
    assert_eq!(daemon.told("").len(), 4, "{:#?}", daemon.brief());
}
