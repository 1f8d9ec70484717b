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

/// The operator's router begins to advertise IPv6.
fn advertised(stage: &Stage) -> Vec<Outside> {
    advertised_to(stage, "accept_dad=0")
}

/// `dad` = whether an address is checked for a twin before it is used, as each PC does by default.
fn advertised_to(stage: &Stage, dad: &str) -> Vec<Outside> {
    stage.ground.here(&format!("sysctl -qw net.ipv6.conf.t0.{dad} net.ipv6.conf.t0.accept_ra=2"));
    stage.ground.beyond_run("ip -6 route add 2409:8a00::/64 dev b0");
    let mut services = stage.internet6();
    services.push(("[::]:0", Service::Advertises));
    vec![open(&stage.ground, "b0", &services)]
}

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
            then: advertised,
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

/// A proxy stands at the gateway, and leads outward.
fn behind_a_proxy(stage: &Stage, proxy: &[(&str, Service)]) -> Vec<Outside> {
    vec![open(&stage.ground, "lo", &stage.internet()), open(&stage.ground, "b0", proxy)]
}

const HTTP_PROXY: [(&str, Service); 1] = [("10.81.1.1:3128", Service::Proxy)];
const SCRIPT: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ns-proxy-autoconfig\r\n\r\n\
     function FindProxyForURL(url, host) { return isPlainHostName(host) ? \"DIRECT\" : \"PROXY 10.81.1.1:3128\"; }\n";

/// Writes a file of `/etc`, whose directory was there before.
fn written(stage: &Stage, place: &str, text: &str) -> Vec<Outside> {
    std::fs::write(stage.ground.path(place), text).unwrap();
    Vec::new()
}

fn directory(stage: &Stage, place: &str) {
    std::fs::create_dir_all(stage.ground.path(place)).unwrap();
}

/// Proxies by every way that one comes to be used.
fn proxies() -> Vec<Breach> {
    const PROXIED: Breach = Breach { code: PROXY, ..BREACH };
    vec![
        Breach {
            name: "a SOCKS proxy in a profile",
            before: |stage| behind_a_proxy(stage, &[("10.81.1.1:1080", Service::Socks)]),
            then: |stage| written(stage, "etc/profile.d/proxy.sh", "export all_proxy=socks5://10.81.1.1\n"),
            says: ("outside.proxy", "10.81.1.1:1080 /etc/profile.d/proxy.sh"),
            ..PROXIED
        },
        Breach {
            name: "a proxy in the desktop's settings",
            before: |stage| {
                directory(stage, "etc/dconf/db/local.d");
                behind_a_proxy(stage, &HTTP_PROXY)
            },
            then: |stage| {
                let text = "[system/proxy]\nmode='manual'\n[system/proxy/http]\nhost='10.81.1.1'\nport=3128\n";
                written(stage, "etc/dconf/db/local.d/00-proxy", text)
            },
            says: ("outside.proxy", "10.81.1.1:3128 /etc/dconf/db/local.d/00-proxy"),
            ..PROXIED
        },
        Breach {
            name: "a proxy in a browser's policy, by name",
            before: |stage| {
                directory(stage, "etc/firefox/policies");
                stage.ground.here("echo '10.81.1.1 proxy.house' >> /etc/hosts");
                behind_a_proxy(stage, &HTTP_PROXY)
            },
            then: |stage| {
                let text = r#"{"policies":{"Proxy":{"Mode":"manual","SSLProxy":"proxy.house:3128"}}}"#;
                written(stage, "etc/firefox/policies/policies.json", text)
            },
            says: ("outside.proxy", "10.81.1.1:3128 /etc/firefox/policies/policies.json"),
            ..PROXIED
        },
        Breach {
            name: "a script (PAC) in a browser's policy",
            before: |stage| {
                directory(stage, "etc/chromium/policies/managed");
                behind_a_proxy(stage, &[("10.81.1.1:3128", Service::Proxy), ("10.81.1.1:8099", Service::Replies(SCRIPT))])
            },
            then: |stage| {
                let text = r#"{"ProxyMode":"pac_script","ProxyPacUrl":"http://10.81.1.1:8099/proxy.pac"}"#;
                written(stage, "etc/chromium/policies/managed/p.json", text)
            },
            says: ("outside.proxy", "10.81.1.1:3128 /etc/chromium/policies/managed/p.json"),
            ..PROXIED
        },
        Breach {
            name: "a script found by its name (WPAD)",
            before: |stage| {
                directory(stage, "etc/dconf/db/local.d");
                stage.ground.here("echo 'search shop.example' >> /etc/resolv.conf");
                written(stage, "etc/dconf/db/local.d/00-proxy", "[system/proxy]\nmode='auto'\n");
                let names = ("10.81.1.1:53", Service::Knows("wpad.shop.example", "10.81.1.1"));
                behind_a_proxy(stage, &[names, ("10.81.1.1:3128", Service::Proxy), ("10.81.1.1:80", Service::Replies(SCRIPT))])
            },
            origin: "pre-existing",
            says: ("outside.proxy", "10.81.1.1:3128 /etc/dconf/db/local.d/00-proxy"),
            ..PROXIED
        },
        Breach {
            name: "a script handed out with the address (DHCP)",
            before: |stage| {
                stage.ground.here("mount -t tmpfs none /run; mkdir -p /run/systemd/netif/leases");
                // http://10.81.1.1:8099/w.dat
                let url = "687474703a2f2f31302e38312e312e313a383039392f772e646174";
                stage.ground.here(&format!("printf 'ADDRESS=10.81.1.2\\nOPTION_252={url}\\n' > /run/systemd/netif/leases/2"));
                behind_a_proxy(stage, &[("10.81.1.1:3128", Service::Proxy), ("10.81.1.1:8099", Service::Replies(SCRIPT))])
            },
            origin: "pre-existing",
            says: ("outside.proxy", "10.81.1.1:3128 DHCP"),
            ..PROXIED
        },
    ]
}

/// The organisation's own proof, where both operators are silent.
fn canary() -> Vec<Breach> {
    vec![Breach {
        name: "only the organisation's canary answers",
        more: CANARY,
        before: |stage| stage.second_with_public_address(&[(CANARY_AT, Service::Canary(SEED, Signs::What))]),
        then: |stage| {
            stage.leads_to_all_from_public();
            Vec::new()
        },
        says: ("outside.canary", "59.44.9.9:443 saw 59.44.1.2"),
        ..BREACH
    }]
}

/// Links that are a way by themselves: told at once, before anything is proved.
fn links() -> Vec<Breach> {
    const LINK: Breach = Breach { code: SUSPECT, within: AT_ONCE, ..BREACH };
    vec![
        Breach {
            name: "a tunnel device (tun)",
            then: |stage| {
                stage.ground.here("ip tuntap add tun7 mode tun; ip link set tun7 up");
                Vec::new()
            },
            says: ("uplink.link", "tun7 tunnel"),
            ..LINK
        },
        Breach {
            name: "a tunnel device (WireGuard in user space)",
            then: |stage| {
                // Its socket stands in `/run`.
                stage.ground.here("mount -t tmpfs none /run");
                let mut wireguard = stage.ground.command("wireguard-go");
                let there = Outside::running(wireguard.args(["--foreground", "wg7"]));
                wait_for("wg7", PATIENCE, || stage.ground.here("ip -o link").contains("wg7").then_some(()));
                stage.ground.here("ip link set wg7 up");
                vec![there]
            },
            says: ("uplink.link", "wg7 tunnel"),
            ..LINK
        },
        Breach {
            name: "IPv6 by advertisement only, proved",
            then: advertised,
            origin: "upstream",
            says: ("outside.tls", "[2400:3200::1]:443 dns.alidns.com verified"),
            ..BREACH
        },
        Breach {
            name: "the same where an address is first checked for a twin",
            then: |stage| advertised_to(stage, "accept_dad=1 net.ipv6.conf.t0.dad_transmits=2"),
            origin: "upstream",
            says: ("outside.tls", "[2400:3200::1]:443 dns.alidns.com verified"),
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
    let mut cases: Vec<Breach> = [routes(), others(), proxies(), canary(), links()].into_iter().flatten().collect();
    if !crate::ground::has("wireguard-go") {
        cases.retain(|case| !case.name.contains("WireGuard"));
    }
    let said = all_of(&cases, found);
    row("case", "expected", "got", "latency (suspect before that)");
    for (case, said) in cases.iter().zip(&said) {
        let expected = format!("{} <= {}", case.code, ms(case.within));
        match said {
            Ok((suspect, took)) => {
                let suspect = suspect.map(|suspect| format!(" ({})", ms(suspect))).unwrap_or_default();
                row(case.name, &expected, case.origin, &format!("{}{suspect}", ms(*took)));
            }
            Err(why) => row(case.name, &expected, "MISSED", why),
        }
    }
    let missed = said.iter().filter(|said| said.is_err()).count();
    println!("{} of {} found", said.len() - missed, said.len());
    assert_eq!(missed, 0);
}
