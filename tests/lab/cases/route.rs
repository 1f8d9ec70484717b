//! Routing and the terminal's own policy.

use super::{Case, DIRECT, VPN};
use crate::ask::Ask;
use crate::check::{Echo, eventually, holds, is};
use crate::judge::{Certainty::Proven, Expect};
use crate::lab::{Lab, Place};
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
            let lines: String = lab.plan.inner.prefixes(lab.plan.families).iter().map(|prefix| format!("route del {prefix}\n")).collect();
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
        on: VPN,
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
        name: "path.mtu-black-hole",
        on: DIRECT,
        stage: |lab| {
            let plan = &lab.plan;
            let (mut lines, mut undo) = (String::new(), String::new());
            for (prefix, hop) in plan.inner.prefixes(plan.families).iter().zip(plan.isp_edge.host(2).ips(plan.families)) {
                lines.push_str(&format!("route replace {prefix} via {hop} mtu lock {NARROW}\n"));
                undo.push_str(&format!("route del {prefix}\n"));
            }
            lab.change(Place::Isp, &lines, &undo)?;
            let silent = ["icmp type destination-unreachable icmp code frag-needed drop", "icmpv6 type packet-too-big drop"];
            lab.filter(Place::Isp, "output", &silent.map(str::to_owned))
        },
        prove: |lab| {
            for ip in lab.ips(lab.plan.centre()) {
                eventually("large packets vanish without a word", || {
                    is(&lab.terminal().ping_with(ip, &["-Mdo", "-s1300"])?, &Echo::Silence)
                })?;
                let bulk = lab.upload(ip, 3000)?;
                holds(bulk.error.contains("timed out"), format!("{bulk:?}"))?;
            }
            lab.reaches("the centre", lab.plan.centre())?;
            lab.settles()
        },
        ask: Ask::default,
        expect: Expect::broken(&["path.mtu-black-hole"], Proven),
    },
];

/// What the operator's router lets through towards the centre.
const NARROW: u16 = 1200;

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
