//! What only a baseline can tell: the terminal stands elsewhere, or another router stands in its place.

use super::{Case, LEASED};
use crate::ask::Ask;
use crate::check::{eventually, holds};
use crate::judge::{
    Certainty::{Likely, Proven},
    Expect,
};
use crate::lab::{Lab, Place};
use crate::shell::Done;

/// A router's hardware address that nobody has seen here.
const OTHER_ROUTER: &str = "02:5a:00:00:00:01";

pub(super) const CASES: &[Case] = &[
    Case {
        name: "addr.changed-subnet",
        on: LEASED,
        stage: |lab| {
            lab.enroll()?;
            // The PC beside plays the foreign router: it answers, and leads nowhere.
            lab.change(Place::Switch, "addr add 192.168.252.1/24 dev br0\n", "addr del 192.168.252.1/24 dev br0\n")?;
            let nic = lab.plan.nic;
            let lines = format!("addr flush dev {nic}\naddr add 192.168.252.23/24 dev {nic}\nroute add 0.0.0.0/0 via 192.168.252.1\n");
            lab.change(Place::Terminal, &lines, &format!("addr del 192.168.252.23/24 dev {nic}\n"))
        },
        prove: |lab| {
            eventually("the foreign router answers", || lab.terminal().run(&["ping", "-n", "-c1", "-W1", "192.168.252.1"]).map(drop))?;
            lab.misses("the centre", lab.plan.centre())
        },
        ask: enrolled,
        expect: Expect::broken(&["addr.changed-subnet"], Proven).at_least(Likely).or(&["line.down", "centre.outage"]),
    },
    Case {
        name: "gateway.changed",
        on: LEASED,
        stage: |lab| {
            lab.enroll()?;
            other_router(lab)?;
            lab.filter(Place::Shop, "forward", &["drop".to_owned()])
        },
        prove: |lab| {
            other_router_answers(lab)?;
            lab.misses("the centre", lab.plan.centre())
        },
        ask: enrolled,
        expect: Expect::broken(&["gateway.changed"], Likely).or(&["line.down", "centre.outage"]),
    },
    // A router that was exchanged and works has disconnected nobody.
    Case {
        name: "healthy/gateway-exchanged",
        on: LEASED,
        stage: |lab| {
            lab.enroll()?;
            other_router(lab)
        },
        prove: |lab| {
            other_router_answers(lab)?;
            lab.prove_healthy()
        },
        ask: enrolled,
        expect: Expect::HEALTHY,
    },
    Case { name: "healthy/enrolled", on: LEASED, stage: Lab::enroll, prove: Lab::prove_healthy, ask: enrolled, expect: Expect::HEALTHY },
];

fn enrolled() -> Ask {
    Ask { enrolled: true, ..Ask::default() }
}

fn other_router(lab: &mut Lab) -> Done {
    let before = super::link::mac(lab, Place::Shop, "lan")?;
    lab.change(Place::Shop, &format!("link set lan address {OTHER_ROUTER}\n"), &format!("link set lan address {before}\n"))?;
    let forget = |lab: &Lab| lab.terminal().ip(&format!("neigh flush dev {}\n", lab.plan.nic));
    forget(lab)?;
    lab.later(move |lab| forget(lab));
    Ok(())
}

fn other_router_answers(lab: &Lab) -> Done {
    lab.reaches("the gateway", lab.plan.gateway)?;
    let gateway = lab.ip(lab.plan.gateway).to_string();
    eventually("the gateway has another hardware address", || {
        let said = lab.terminal().run(&["ip", "neigh", "show", &gateway])?;
        holds(said.out.contains(OTHER_ROUTER), said.out)
    })
}
