//! Healthy twins of the terminal itself: whatever else people install on it, plug into it and call its devices.

use super::{ANYWHERE, Case, DIRECT, DIRECT_AND_OPENVPN, LEASED, LEASED_AND_OPENVPN, VPN, healthy};
use crate::ask::Ask;
use crate::check::{eventually, holds};
use crate::lab::{Lab, Place, address_line, default_prefix};
use crate::machine;
use crate::plan::Kind;
use crate::shell::Done;

/// What a proxy setting looks like that nobody cleaned up.
const PROXIES: &[(&str, &str)] = &[
    ("HTTP_PROXY", "http://192.0.2.1:3128"),
    ("http_proxy", "http://192.0.2.1:3128"),
    ("HTTPS_PROXY", "not a url"),
    ("https_proxy", "socks5://127.0.0.1:1"),
    ("ALL_PROXY", "http://192.0.2.1:3128"),
    ("NO_PROXY", "*"),
];

/// What `docker` writes, in the words of nft.
const DOCKER_NAT: &str = "chain POSTROUTING { type nat hook postrouting priority 100; policy accept;\n\
    oifname != \"docker0\" ip saddr 172.17.0.0/16 counter masquerade\n}\n\
    chain PREROUTING { type nat hook prerouting priority -100; policy accept;\nfib daddr type local counter jump DOCKER\n}\n\
    chain OUTPUT { type nat hook output priority -100; policy accept;\nip daddr != 127.0.0.0/8 fib daddr type local counter jump DOCKER\n}\n\
    chain DOCKER { iifname \"docker0\" counter return\niifname != \"docker0\" tcp dport 18080 counter dnat to 172.17.0.2:80\n}";
const DOCKER_FILTER: &str = "chain FORWARD { type filter hook forward priority 0; policy drop;\n\
    oifname \"docker0\" ct state related,established counter accept\niifname \"docker0\" oifname != \"docker0\" counter accept\n}";

/// A desktop's usual firewall.
const FIREWALL: &str = "chain input { type filter hook input priority 0; policy drop;\n\
    ct state established,related accept\nct state invalid drop\niif lo accept\n\
    icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept\n\
    icmpv6 type { echo-request, destination-unreachable, packet-too-big, time-exceeded, parameter-problem, \
    nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept\n\
    tcp dport 22 accept\nudp sport 67 udp dport 68 accept\nudp dport 5353 accept\nreject with icmpx type admin-prohibited\n}\n\
    chain forward { type filter hook forward priority 0; policy drop; }\n\
    chain output { type filter hook output priority 0; policy accept; }";

pub(super) const CASES: &[Case] = &[
    Case {
        stage: |lab| {
            lab.container_bridge(&["172.17.0.1/16".to_owned()])?;
            lab.terminal()
                .ip("link add br-5f3a9c1d2e7b type bridge\nlink set br-5f3a9c1d2e7b up\naddr add 172.18.0.1/16 dev br-5f3a9c1d2e7b\n")?;
            lab.later(|lab| lab.terminal().ip("link del br-5f3a9c1d2e7b\n"));
            lab.terminal().sysctl(&["net.ipv4.ip_forward=1"])?;
            lab.later(|lab| lab.terminal().sysctl(&["net.ipv4.ip_forward=0"]));
            lab.table(Place::Terminal, "ip", "nat", DOCKER_NAT)?;
            lab.table(Place::Terminal, "ip", "filter", DOCKER_FILTER)
        },
        ..healthy("healthy/docker", &[Kind::Leased, Kind::OpenVpn, Kind::Ipsec])
    },
    Case { stage: |lab| lab.table(Place::Terminal, "inet", "firewall", FIREWALL), ..healthy("healthy/firewall-of-a-desktop", ANYWHERE) },
    Case {
        stage: temporary_address,
        prove: |lab| {
            eventually("the kernel has made a temporary address", || {
                let said = lab.terminal().run(&["ip", "-6", "-o", "addr", "show", "dev", lab.plan.nic, "temporary"])?;
                holds(said.out.contains("temporary"), said.out)
            })?;
            lab.prove_healthy()
        },
        ..healthy("healthy/temporary-address", &[Kind::LeasedV6])
    },
    Case {
        stage: standby_router,
        prove: |lab| {
            let said = lab.terminal().run(&["ip", "route", "show", "default"])?;
            holds(said.out.contains("dev spare0 metric 700"), said.out)?;
            lab.prove_healthy()
        },
        ..healthy("healthy/two-default-routes", &[Kind::Leased, Kind::OpenVpn, Kind::OpenConnect])
    },
    Case {
        stage: like_wg_quick,
        prove: |lab| {
            let centre = lab.terminal().route(lab.ip(lab.plan.centre()))?;
            holds(centre.contains("table 51820"), centre)?;
            lab.prove_healthy()
        },
        ..healthy("healthy/policy-routing-of-wg-quick", &[Kind::WireGuard])
    },
    Case {
        stage: everything_through_the_tunnel,
        prove: |lab| {
            let tunnel = lab.tunnel();
            for elsewhere in ["8.8.8.8", "203.0.113.1"] {
                let route = lab.terminal().route(elsewhere.parse().map_err(|e| format!("{e}"))?)?;
                holds(route.contains(&format!("dev {tunnel}")), route)?;
            }
            lab.prove_healthy()
        },
        ..healthy("healthy/everything-through-the-tunnel", &[Kind::OpenVpn, Kind::OpenConnect])
    },
    Case { ask: || Ask { env: PROXIES, ..Ask::default() }, ..healthy("healthy/proxies-in-the-environment", LEASED_AND_OPENVPN) },
    Case {
        stage: |lab| {
            let daemon = lab.own_name("socat", "chronyd")?;
            let mut command = lab.terminal().command(&daemon);
            command.args(["-u", "UDP6-RECV:123,ipv6only=0", "/dev/null"]);
            lab.extra("time-daemon", command)
        },
        prove: |lab| {
            eventually("somebody keeps the time", || {
                let said = lab.terminal().run(&["ss", "-Hlun", "sport = :123"])?;
                holds(said.out.contains(":123"), said.out)
            })?;
            lab.prove_healthy()
        },
        ..healthy("healthy/time-daemon", LEASED)
    },
    Case {
        stage: |lab| {
            let mut text = "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 counter2.local counter2\n".to_owned();
            for n in 0..4000 {
                text.push_str(&format!("0.0.0.0 ads{n}.tracker.example www.ads{n}.tracker.example # blocked\n"));
            }
            lab.rewrite("hosts", &text)
        },
        ask: super::by_name,
        ..healthy("healthy/hosts-file-with-many-names", DIRECT_AND_OPENVPN)
    },
    Case {
        stage: |lab| {
            lab.enroll()?;
            let nic = lab.plan.nic;
            let lines = format!(
                "link set {nic} down\nlink set {nic} name lan9\naddr flush dev lan9\nlink set lan9 up\n{}",
                addresses_on(lab, "lan9")
            );
            lab.change(Place::Terminal, &lines, &format!("link set lan9 down\nlink set lan9 name {nic}\nlink set {nic} up\n"))
        },
        ask: || Ask { enrolled: true, ..Ask::default() },
        ..healthy("healthy/card-renamed", DIRECT)
    },
    Case {
        stage: |lab| {
            let nic = lab.plan.nic;
            lab.uplink_is("br0", &format!("link add br0 type bridge stp_state 0 forward_delay 0\nlink set {nic} master br0"))
        },
        prove: |lab| on_its_device(lab, "br0"),
        ..healthy("healthy/uplink-is-a-bridge", DIRECT_AND_OPENVPN)
    },
    Case {
        stage: |lab| {
            let nic = lab.plan.nic;
            lab.uplink_is("mac0", &format!("link add mac0 link {nic} type macvlan mode bridge"))
        },
        prove: |lab| on_its_device(lab, "mac0"),
        ..healthy("healthy/uplink-is-a-macvlan", LEASED_AND_OPENVPN)
    },
    Case {
        stage: |lab| {
            let mut lines = String::new();
            for n in 0..6 {
                lines.push_str(&format!("link add idle{n} type veth peer name edle{n}\n"));
                if n % 2 == 0 {
                    lines.push_str(&format!("link set idle{n} up\naddr add 198.18.{n}.1/24 dev idle{n}\n"));
                }
            }
            lab.terminal().ip(&lines)?;
            lab.later(|lab| lab.terminal().ip(&(0..6).map(|n| format!("link del idle{n}\n")).collect::<String>()));
            Ok(())
        },
        ..healthy("healthy/twelve-idle-cards", DIRECT_AND_OPENVPN)
    },
    Case { ask: || Ask { ca: false, ..Ask::default() }, ..healthy("healthy/private-ca-not-configured-behind-a-vpn", VPN) },
];

/// Lines that give a device the terminal's addresses and default routes.
fn addresses_on(lab: &Lab, device: &str) -> String {
    let plan = &lab.plan;
    let mut lines: String = plan.terminal.with_bits(plan.families).iter().map(|address| address_line(device, address) + "\n").collect();
    for ip in lab.ips(plan.gateway) {
        lines.push_str(&format!("route add {} via {ip}\n", default_prefix(ip)));
    }
    lines
}

fn on_its_device(lab: &Lab, device: &str) -> Done {
    let route = lab.terminal().route(lab.ip(lab.plan.gateway))?;
    holds(route.contains(&format!("dev {device}")), route)?;
    lab.prove_healthy()
}

/// Privacy extensions: the kernel makes up an address, and speaks from it.
fn temporary_address(lab: &mut Lab) -> Done {
    let nic = lab.plan.nic;
    lab.terminal().sysctl(&[&format!("net.ipv6.conf.{nic}.use_tempaddr=2")])?;
    lab.later(move |lab| lab.terminal().sysctl(&[&format!("net.ipv6.conf.{nic}.use_tempaddr=0")]));
    let net = &lab.plan.lan.host(0xabc).with_bits(lab.plan.families)[0];
    let lines = format!("addr add {net} dev {nic} nodad mngtmpaddr valid_lft 86400 preferred_lft 14400\n");
    lab.change(Place::Terminal, &lines, &format!("addr flush dev {nic} temporary\naddr del {net} dev {nic}\n"))
}

/// A second line that waits for the first one to fail.
fn standby_router(lab: &mut Lab) -> Done {
    let there = lab.at(Place::Switch).name;
    lab.terminal().ip(&format!(
        "link add spare0 type veth peer name spare1 netns {there}\nlink set spare0 up\naddr add 192.168.253.2/24 dev spare0\n"
    ))?;
    lab.later(|lab| lab.terminal().ip("link del spare0\n"));
    lab.at(Place::Switch).ip("link set spare1 up\naddr add 192.168.253.1/24 dev spare1\n")?;
    lab.terminal().ip("route add 0.0.0.0/0 via 192.168.253.1 dev spare0 metric 700\n")
}

/// `wg-quick` with `AllowedIPs = 0.0.0.0/0, ::/0`: two rules and a table of its own, told apart by a mark.
fn like_wg_quick(lab: &mut Lab) -> Done {
    let dev = machine::wireguard_client();
    let server = std::fs::read_to_string(lab.path("server.pub")).map_err(|e| format!("cannot read the server's key: {e}"))?;
    lab.terminal().run(&["wg", "set", &dev, "fwmark", "51820", "peer", server.trim(), "allowed-ips", "0.0.0.0/0,::/0"])?;
    for prefix in lab.plan.inner.prefixes(lab.plan.families) {
        lab.terminal().ip(&format!("route del {prefix} dev {dev}\n"))?;
    }
    lab.later(Lab::restart_client);
    for family in ["-4", "-6"] {
        let ip = |words: &str| -> Vec<String> { format!("ip {family} {words}").split(' ').map(str::to_owned).collect() };
        let all = if family == "-4" { "0.0.0.0/0" } else { "::/0" };
        lab.terminal().run_owned(&ip(&format!("route add {all} dev {dev} table 51820")))?;
        lab.terminal().run_owned(&ip("rule add not fwmark 51820 table 51820"))?;
        lab.terminal().run_owned(&ip("rule add table main suppress_prefixlength 0"))?;
        let undo = [ip("rule del table main suppress_prefixlength 0"), ip("rule del not fwmark 51820 table 51820")];
        lab.later(move |lab| undo.iter().try_for_each(|words| lab.terminal().run_owned(words)));
    }
    Ok(())
}

/// What `redirect-gateway def1` does: two halves of the world through the tunnel, its server through the line.
fn everything_through_the_tunnel(lab: &mut Lab) -> Done {
    let (tunnel, gateway, server) = (lab.tunnel(), lab.plan.gateway.v4, lab.plan.vpn_server());
    lab.terminal().ip(&format!("route add {server} via {gateway}\n"))?;
    lab.later(move |lab| lab.terminal().ip(&format!("route del {server} via {gateway}\n")));
    lab.change_tunnel(&format!("route add 0.0.0.0/1 dev {tunnel}\nroute add 128.0.0.0/1 dev {tunnel}\n"))
}
