//! Routing and the terminal's own policy.

use super::{Case, DIRECT, LEASED, VPN};
use crate::ask::Ask;
use crate::check::{Echo, eventually, holds, is};
use crate::judge::{
    Certainty::{Likely, Proven},
    Expect,
};
use crate::lab::{Lab, Place};
use crate::plan::Kind;
use crate::shell::Done;

const BLOCKED: Expect = Expect::broken(&["route.blocked"], Proven);

pub(super) const CASES: &[Case] = &[
    Case {
        name: "route.missing",
        on: DIRECT,
        stage: |lab| lab.change(Place::Terminal, &lab.without_default(), ""),
        prove: |lab| {
            lab.reaches("the gateway", lab.plan.gateway)?;
            kernel_says(lab, "Network is unreachable")
        },
        ask: Ask::default,
        expect: Expect::broken(&["route.missing"], Proven),
    },
    Case {
        name: "route.captured/default",
        on: VPN,
        stage: |lab| {
            // strongSwan keeps its routes in a table of its own, before the main one.
            let table = if lab.plan.kind == Kind::Ipsec { " table 220" } else { "" };
            let prefixes = lab.plan.inner.prefixes(lab.plan.families);
            let lines: String = prefixes.iter().map(|prefix| format!("route del {prefix}{table}\n")).collect();
            lab.change_tunnel(&lines)
        },
        prove: |lab| {
            lab.reaches("the tunnel's far end", lab.plan.tunnel_server())?;
            leaves_through(lab, lab.plan.nic)
        },
        ask: Ask::default,
        expect: Expect::broken(&["route.captured"], Proven),
    },
    Case {
        name: "route.captured/docker",
        on: &[Kind::OpenVpn, Kind::WireGuard, Kind::OpenConnect],
        stage: |lab| {
            let bridge = lab.plan.edge_centre().with_bits(lab.plan.families);
            lab.container_bridge(&bridge)
        },
        prove: |lab| {
            lab.reaches("the tunnel's far end", lab.plan.tunnel_server())?;
            lab.resolvers_know()?;
            leaves_through(lab, "docker0")
        },
        ask: Ask::default,
        expect: Expect::broken(&["route.captured"], Proven),
    },
    Case {
        name: "route.blocked/blackhole",
        on: DIRECT,
        stage: |lab| block(lab, "blackhole"),
        prove: |lab| kernel_says(lab, "Invalid argument"),
        ask: Ask::default,
        expect: BLOCKED,
    },
    Case {
        name: "route.blocked/unreachable",
        on: DIRECT,
        stage: |lab| block(lab, "unreachable"),
        prove: |lab| kernel_says(lab, "No route to host"),
        ask: Ask::default,
        expect: BLOCKED,
    },
    Case {
        name: "route.blocked/prohibit",
        on: DIRECT,
        stage: |lab| block(lab, "prohibit"),
        prove: |lab| kernel_says(lab, "Permission denied"),
        ask: Ask::default,
        expect: BLOCKED,
    },
    Case {
        name: "firewall.output",
        on: DIRECT,
        stage: |lab| {
            let rules: Vec<String> = lab
                .plan
                .inner
                .prefixes(lab.plan.families)
                .iter()
                .map(|prefix| {
                    let family = if prefix.contains(':') { "ip6" } else { "ip" };
                    format!("{family} daddr {prefix} counter drop")
                })
                .collect();
            lab.filter(Place::Terminal, "output", &rules)
        },
        prove: |lab| {
            lab.reaches("the gateway", lab.plan.gateway)?;
            lab.reaches("the centre's router", lab.plan.isp_edge.host(2))?;
            kernel_says(lab, "Operation not permitted")
        },
        ask: Ask::default,
        expect: Expect::broken(&["firewall.output"], Proven),
    },
    Case {
        name: "firewall.input",
        on: DIRECT,
        stage: |lab| lab.filter(Place::Terminal, "input", &[NEIGHBOURS.to_owned(), "iifname != \"lo\" counter drop".to_owned()]),
        prove: |lab| {
            lab.misses("the gateway", lab.plan.gateway)?;
            lab.misses("the centre", lab.plan.centre())?;
            let table = format!("lab{}", lab.tables);
            let said = lab.terminal().run(&["nft", "list", "table", "inet", &table])?;
            holds(said.out.contains("counter packets") && !said.out.contains("counter packets 0 "), said.out)?;
            let said = lab.terminal().run(&["ip", "neigh", "show", &lab.ip(lab.plan.gateway).to_string()])?;
            holds(said.out.contains("lladdr"), said.out)
        },
        ask: Ask::default,
        expect: Expect::broken(&["firewall.input"], Proven).at_least(Likely),
    },
    // Packets leave through one socket and come back through the other, where the kernel takes them for forged.
    Case {
        name: "firewall.input/reverse-path",
        on: LEASED,
        stage: reverse_path,
        prove: |lab| {
            let route = lab.terminal().route(std::net::IpAddr::V4(lab.plan.centre().v4))?;
            holds(route.contains("dev eth9"), route)?;
            let before = dropped_as_forged(lab)?;
            lab.misses("the centre", lab.plan.centre())?;
            let after = dropped_as_forged(lab)?;
            holds(after > before, format!("{after} packets dropped as forged, {before} before"))
        },
        ask: Ask::default,
        expect: Expect::broken(&["firewall.input"], Proven).at_least(Likely),
    },
    Case {
        name: "healthy/input-only-established",
        on: DIRECT,
        stage: |lab| {
            let rules = [NEIGHBOURS, "iifname \"lo\" accept", "ct state established,related accept", "counter drop"];
            lab.filter(Place::Terminal, "input", &rules.map(str::to_owned))
        },
        prove: |lab| {
            let ping = lab.at(Place::Shop).ping(lab.ip(lab.plan.terminal))?;
            is(&ping, &Echo::Silence)?;
            lab.prove_healthy()
        },
        ask: Ask::default,
        expect: Expect::HEALTHY,
    },
    Case {
        name: "path.mtu-black-hole",
        on: DIRECT,
        stage: narrow,
        prove: large_vanishes,
        ask: Ask::default,
        expect: Expect::broken(&["path.mtu-black-hole"], Proven),
    },
];

/// What the operator's router lets through towards the centre.
const NARROW: u16 = 1200;

/// What the operator's router narrows, without a word to those who send too much at once.
pub(super) fn narrow(lab: &mut Lab) -> Done {
    let plan = &lab.plan;
    let (mut lines, mut undo) = (String::new(), String::new());
    for (prefix, hop) in plan.inner.prefixes(plan.families).iter().zip(plan.isp_edge.host(2).ips(plan.families)) {
        lines.push_str(&format!("route replace {prefix} via {hop} mtu lock {NARROW}\n"));
        undo.push_str(&format!("route del {prefix}\n"));
    }
    lab.change(Place::Isp, &lines, &undo)?;
    let silent = ["icmp type destination-unreachable icmp code frag-needed drop", "icmpv6 type packet-too-big drop"];
    lab.filter(Place::Isp, "output", &silent.map(str::to_owned))
}

pub(super) fn large_vanishes(lab: &Lab) -> Done {
    for ip in lab.ips(lab.plan.centre()) {
        eventually("large packets vanish without a word", || is(&lab.terminal().ping_with(ip, &["-Mdo", "-s1300"])?, &Echo::Silence))?;
        let bulk = lab.upload(ip, 3000)?;
        holds(bulk.error.contains("timed out"), format!("{bulk:?}"))?;
    }
    lab.reaches("the centre", lab.plan.centre())?;
    lab.settles()
}

/// Neighbour discovery is IPv6's ARP: a filter that forbids it cuts the cable.
pub(super) const NEIGHBOURS: &str = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept";

fn reverse_path(lab: &mut Lab) -> Done {
    lab.only_v4()?;
    let switch = lab.at(Place::Switch).name;
    lab.terminal().ip(&format!("link add eth9 type veth peer name port9 netns {switch}\n"))?;
    lab.later(|lab| lab.terminal().ip("link del eth9\n"));
    lab.at(Place::Switch).ip("link set port9 master br0 up\n")?;
    let (terminal, gateway) = (lab.plan.terminal.v4, lab.plan.gateway.v4);
    let (ours, theirs) = (super::link::mac(lab, Place::Terminal, lab.plan.nic)?, super::link::mac(lab, Place::Shop, "lan")?);
    lab.change(
        Place::Shop,
        &format!("neigh replace {terminal} lladdr {ours} dev lan nud permanent\n"),
        &format!("neigh del {terminal} dev lan\n"),
    )?;
    let mut lines = format!("link set eth9 up\nneigh replace {gateway} lladdr {theirs} dev eth9 nud permanent\n");
    for prefix in lab.plan.inner.prefixes(crate::plan::Families::V4) {
        lines.push_str(&format!("route add {prefix} via {gateway} dev eth9 src {terminal} onlink\n"));
    }
    lab.terminal().ip(&lines)?;
    let strict = format!("net.ipv4.conf.{}.rp_filter=", lab.plan.nic);
    lab.terminal().sysctl(&[&format!("{strict}1")])?;
    lab.later(move |lab| lab.terminal().sysctl(&[&format!("{strict}0")]));
    Ok(())
}

/// The kernel's count of packets that came in by a way it would not send back.
fn dropped_as_forged(lab: &Lab) -> Done<u64> {
    let said = lab.terminal().run(&["nstat", "-asz", "TcpExtIPReversePathFilter"])?.out;
    let count = said.lines().find(|line| line.starts_with("TcpExtIPReversePathFilter"));
    count.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).ok_or(said)
}

fn block(lab: &mut Lab, how: &str) -> Done {
    let prefixes = lab.plan.inner.prefixes(lab.plan.families);
    let lines = |verb: &str| -> String { prefixes.iter().map(|prefix| format!("route {verb} {how} {prefix}\n")).collect() };
    let (add, del) = (lines("add"), lines("del"));
    lab.change(Place::Terminal, &add, &del)
}

/// A datagram to the centre fails at once in the terminal's own kernel with these words, in each family, and the way as
/// far as the operator is fine.
fn kernel_says(lab: &Lab, words: &str) -> Done {
    lab.reaches("the gateway", lab.plan.gateway)?;
    for ip in lab.ips(lab.plan.centre()) {
        eventually(&format!("the kernel says {words}"), || {
            let said = lab.terminal().datagram(ip)?;
            holds(said.ends_with(words), said)
        })?;
    }
    lab.misses("the centre", lab.plan.centre())
}

fn leaves_through(lab: &Lab, dev: &str) -> Done {
    for ip in lab.ips(lab.plan.centre()) {
        let route = lab.terminal().route(ip)?;
        holds(route.contains(&format!("dev {dev}")), route)?;
    }
    lab.misses("the centre", lab.plan.centre())
}
