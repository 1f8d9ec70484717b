//! Link and address: what breaks at the terminal's own plug.

use super::{ANYWHERE, Case, DIRECT, LEASED, as_nobody};
use crate::ask::Ask;
use crate::check::{Echo, eventually, holds};
use crate::judge::{
    Certainty::{Likely, Proven},
    Expect,
};
use crate::lab::{Lab, Place};
use crate::shell::Done;

const NO_CARRIER: Case = Case {
    name: "link.no-carrier",
    on: ANYWHERE,
    stage: |lab| lab.link_down(Place::Switch, "port1"),
    prove: |lab| {
        link_shows(lab, &["NO-CARRIER", ",UP"])?;
        holds_addresses(lab)?;
        lab.misses("the gateway", lab.plan.gateway)
    },
    ask: Ask::default,
    expect: Expect::broken(&["link.no-carrier"], Proven),
};

pub(super) const CASES: &[Case] = &[
    NO_CARRIER,
    Case { name: "link.no-carrier/unprivileged", on: LEASED, ask: as_nobody, ..NO_CARRIER },
    Case {
        name: "link.admin-down",
        on: ANYWHERE,
        stage: |lab| lab.link_down(Place::Terminal, lab.plan.nic),
        prove: |lab| {
            link_shows(lab, &["state DOWN"])?;
            eventually("the kernel knows no way", || {
                let echo = lab.terminal().ping(lab.ip(lab.plan.gateway))?;
                holds(matches!(echo, Echo::Local(_)), format!("{echo:?}"))
            })
        },
        ask: Ask::default,
        expect: Expect::broken(&["link.admin-down"], Proven),
    },
    Case {
        name: "addr.none",
        on: DIRECT,
        stage: |lab| {
            let nic = lab.plan.nic;
            lab.change(Place::Terminal, &format!("addr flush dev {nic}\n"), "")
        },
        prove: |lab| {
            link_shows(lab, &["LOWER_UP"])?;
            let said = lab.terminal().run(&["ip", "-o", "addr", "show", "dev", lab.plan.nic])?;
            holds(said.out.trim().is_empty(), said.out)?;
            lab.misses("the gateway", lab.plan.gateway)
        },
        ask: Ask::default,
        expect: Expect::broken(&["addr.none"], Proven),
    },
    Case {
        name: "addr.gateway-not-on-link",
        on: LEASED,
        stage: |lab| {
            let (nic, gateway) = (lab.plan.nic, lab.ips(lab.plan.gateway));
            let mut lines = format!("addr flush dev {nic}\naddr add 192.168.251.23/24 dev {nic}\n");
            for ip in gateway.iter().filter(|ip| ip.is_ipv4()) {
                lines.push_str(&format!("route add 0.0.0.0/0 via {ip} dev {nic} onlink\n"));
            }
            lab.change(Place::Terminal, &lines, &format!("addr del 192.168.251.23/24 dev {nic}\n"))
        },
        prove: |lab| {
            link_shows(lab, &["LOWER_UP"])?;
            let route = lab.terminal().route(lab.ip(lab.plan.centre()))?;
            holds(route.contains(&lab.ip(lab.plan.gateway).to_string()), route)?;
            lab.misses("the centre", lab.plan.centre())
        },
        ask: Ask::default,
        expect: Expect::broken(&["addr.gateway-not-on-link"], Proven),
    },
    // The other station has won: the shop's router sends our answers to it.
    Case {
        name: "addr.conflict",
        on: LEASED,
        stage: |lab| {
            lab.only_v4()?;
            let address = lab.plan.terminal.v4;
            lab.change(Place::Switch, &format!("addr add {address}/32 dev br0\n"), &format!("addr del {address}/32 dev br0\n"))?;
            let taken = mac(lab, Place::Switch, "br0")?;
            lab.change(
                Place::Shop,
                &format!("neigh replace {address} lladdr {taken} dev lan nud permanent\n"),
                &format!("neigh del {address} dev lan\n"),
            )
        },
        prove: |lab| {
            let address = lab.plan.terminal.v4.to_string();
            let said = lab.terminal().try_run(&["arping", "-D", "-c2", "-w2", "-I", lab.plan.nic, &address])?;
            holds(!said.ok() && said.out.contains("reply from"), said.out)?;
            lab.misses("the centre", lab.plan.centre())
        },
        ask: Ask::default,
        expect: Expect::broken(&["addr.conflict"], Proven),
    },
    // The address goes while the product waits for a dead centre: what it saw before is not the centre's fault.
    Case {
        name: "addr.none/while-asked",
        on: LEASED,
        stage: |lab| {
            super::centre::dead(lab)?;
            // Nothing yet; but what the product's companion takes away is given back.
            lab.change(Place::Terminal, "", "")
        },
        prove: super::centre::is_dead,
        ask: || Ask { meanwhile: |lab| Some(format!("sleep 1; ip addr flush dev {}", lab.plan.nic)), ..Ask::default() },
        expect: Expect::broken(&["addr.none"], Proven),
    },
    // The signal goes and comes while the product waits: it asks again, and then knows.
    Case {
        name: "centre.outage/signal-flaps-while-asked",
        on: LEASED,
        stage: super::centre::dead,
        prove: super::centre::is_dead,
        ask: || Ask { meanwhile: |lab| Some(flap(lab, "1")), ..Ask::default() },
        expect: Expect::broken(&["centre.outage"], Likely).or(&["centre.cut-off"]),
    },
    Case {
        name: "healthy/signal-flaps-while-asked",
        on: DIRECT,
        stage: |lab| lab.front(crate::peers::Front::Calm),
        prove: Lab::settles,
        ask: || Ask { meanwhile: |lab| Some(flap(lab, "0.2")), ..Ask::default() },
        expect: Expect::HEALTHY,
    },
];

/// After a while, a cable that is pulled and plugged again.
fn flap(lab: &Lab, after: &str) -> String {
    let switch = lab.at(Place::Switch).name;
    format!("sleep {after}; ip -n {switch} link set port1 down; sleep 0.2; ip -n {switch} link set port1 up")
}

/// A device's hardware address.
pub(super) fn mac(lab: &Lab, place: Place, dev: &str) -> Done<String> {
    let said = lab.at(place).run(&["cat", &format!("/sys/class/net/{dev}/address")])?;
    Ok(said.out.trim().to_owned())
}

/// `ip link` shows all of these words for the terminal's interface.
pub(super) fn link_shows(lab: &Lab, words: &[&str]) -> Done {
    eventually(&format!("the link shows {words:?}"), || {
        let said = lab.terminal().run(&["ip", "-o", "link", "show", "dev", lab.plan.nic])?;
        let shown = words.iter().all(|word| said.out.contains(word));
        holds(shown, said.out)
    })
}

fn holds_addresses(lab: &Lab) -> Done {
    let said = lab.terminal().run(&["ip", "-o", "addr", "show", "dev", lab.plan.nic])?;
    let address = lab.ip(lab.plan.terminal).to_string();
    holds(said.out.contains(&address), said.out)
}
