//! The centre as a whole: dead, closed to us, announced, or played by a server in the shop.

use super::{Case, DIRECT, DIRECT_AND_OPENVPN, LEASED};
use crate::ask::{Ask, Centre};
use crate::check::{Echo, Tcp, eventually, holds, is};
use crate::judge::{Certainty::Likely, Expect};
use crate::lab::{Lab, Place, Role};
use crate::peers::SECOND_CENTRE;
use crate::plan::Host;
use crate::shell::Done;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "centre.outage",
        on: DIRECT_AND_OPENVPN,
        stage: dead,
        prove: is_dead,
        ask: Ask::default,
        expect: Expect::broken(&["centre.outage"], Likely).or(&["centre.cut-off"]),
    },
    Case {
        name: "centre.planned",
        on: LEASED,
        stage: dead,
        prove: is_dead,
        ask: || Ask { more: window, ..Ask::default() },
        expect: Expect::broken(&["centre.planned"], Likely).or(&["centre.outage", "centre.cut-off"]),
    },
    // An outage outside every window is none of theirs.
    Case {
        name: "centre.outage/after-the-window",
        on: LEASED,
        stage: dead,
        prove: is_dead,
        ask: || Ask { more: past_window, ..Ask::default() },
        expect: Expect::broken(&["centre.outage"], Likely).or(&["centre.cut-off"]),
    },
    // The centre dies with connections half made: its kernel goes on answering those of a while ago. They are no answers to what is
    // asked now.
    Case {
        name: "centre.outage/late-answers",
        on: LEASED,
        stage: |lab| {
            lab.filter(Place::Shop, "forward", &["iifname \"lan\" tcp flags & (syn | ack) == ack drop".to_owned()])?;
            for _ in 0..20 {
                lab.terminal().connect(std::net::IpAddr::V4(lab.plan.centre().v4), lab.plan.service)?;
            }
            dead(lab)
        },
        prove: |lab| {
            is_dead(lab)?;
            let half = lab.at(Place::Centre).run(&["ss", "-Htn", "state", "syn-recv"])?;
            holds(!half.out.trim().is_empty(), "no connection is half made")
        },
        ask: Ask::default,
        expect: Expect::broken(&["centre.outage"], Likely).or(&["centre.cut-off"]),
    },
    Case {
        name: "centre.cut-off",
        on: DIRECT,
        stage: |lab| {
            let rules: Vec<String> = lab
                .ips(lab.plan.terminal)
                .iter()
                .zip(Lab::towards(lab.plan.centre(), lab.plan.families))
                .map(|(ours, to)| {
                    format!("{} saddr {ours} {to} reject with icmpx type admin-prohibited", if ours.is_ipv6() { "ip6" } else { "ip" })
                })
                .collect();
            lab.filter(Place::Edge, "forward", &rules)
        },
        prove: |lab| {
            for ip in lab.ips(lab.plan.centre()) {
                eventually("the centre's router forbids it to us", || {
                    let echo = lab.terminal().ping(ip)?;
                    let forbidden = matches!(&echo, Echo::Told(_, what) if what.contains("filtered") || what.contains("prohibited"));
                    holds(forbidden, format!("{echo:?}"))
                })?;
                eventually("the PC beside may", || is(&lab.at(Place::Switch).ping(ip)?, &Echo::Reply))?;
            }
            lab.resolvers_know()
        },
        ask: Ask::default,
        expect: Expect::broken(&["centre.cut-off"], Likely),
    },
    Case {
        name: "frontend.down",
        on: LEASED,
        stage: |_| Ok(()),
        prove: |lab| {
            lab.misses("the front-end server", dead_front_end(lab))?;
            lab.prove_healthy()
        },
        ask: || Ask { more: |lab| front_end(lab, dead_front_end(lab)), ..behind_front_end() },
        expect: Expect::broken(&["frontend.down"], Likely).or(&["centre.cut-off"]),
    },
    Case {
        name: "frontend.down/no-service",
        on: LEASED,
        stage: |_| Ok(()),
        prove: |lab| {
            lab.reaches("the front-end server", living_front_end(lab))?;
            lab.port_is(living_front_end(lab), SECOND_CENTRE, &Tcp::Refused)
        },
        ask: || Ask { more: |lab| front_end(lab, living_front_end(lab)), ..behind_front_end() },
        expect: Expect::broken(&["frontend.down", "tcp.refused"], Likely),
    },
    Case {
        name: "healthy/front-end",
        on: DIRECT,
        stage: |lab| lab.with(Role::FrontEnd),
        prove: |lab| lab.port_is(living_front_end(lab), SECOND_CENTRE, &Tcp::Open),
        ask: || Ask { more: |lab| front_end(lab, living_front_end(lab)), ..behind_front_end() },
        expect: Expect::HEALTHY,
    },
];

pub(super) fn dead(lab: &mut Lab) -> Done {
    lab.filter(Place::Centre, "input", &["drop".to_owned()])
}

/// Nothing of the centre answers, all before it does.
pub(super) fn is_dead(lab: &Lab) -> Done {
    for ip in lab.ips(lab.plan.centre()) {
        eventually("the centre is silent", || is(&lab.terminal().ping(ip)?, &Echo::Silence))?;
    }
    lab.port_is(lab.plan.centre(), lab.plan.https, &Tcp::Silence)?;
    lab.port_is(lab.plan.centre(), lab.plan.service, &Tcp::Silence)?;
    lab.resolvers_know()?;
    lab.reaches("the centre's router", lab.plan.edge_dns())
}

fn behind_front_end() -> Ask {
    Ask { centre: Centre::Elsewhere, access: Some("front-end"), ..Ask::default() }
}

/// The PC beside plays the chain's own server.
fn living_front_end(lab: &Lab) -> Host {
    lab.plan.lan.host(9)
}

fn dead_front_end(lab: &Lab) -> Host {
    lab.plan.lan.host(7)
}

fn front_end(lab: &Lab, host: Host) -> String {
    let ip = lab.ip(host);
    let url = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
    format!(
        "[[centre]]\nname = \"front-end\"\nhost = \"{ip}\"\nping = true\ntcp = [{SECOND_CENTRE}]\n\
         http = {{ url = \"http://{url}:{SECOND_CENTRE}/health\", status = [200] }}\n"
    )
}

fn window(_: &Lab) -> String {
    maintenance(-1, 1)
}

fn past_window(_: &Lab) -> String {
    maintenance(-3, -1)
}

fn maintenance(from: i64, to: i64) -> String {
    let hours = |n: i64| jiff::Timestamp::now() + jiff::SignedDuration::from_hours(n);
    format!("[[maintenance]]\nfrom = \"{}\"\nto = \"{}\"\nnote = \"centre upgrade\"\n", hours(from), hours(to))
}
