//! Healthy twins of the line and the centre: far, lossy, out of order, in no hurry, sparing with echoes, asleep for a while.

use super::{Case, DIRECT, DIRECT_AND_OPENVPN, LEASED_AND_OPENVPN, healthy};
use crate::ask::{Ask, Course};
use crate::check::{eventually, holds};
use crate::lab::{Lab, Place};
use crate::peers::Front;
use crate::plan::Kind;
use crate::shell::Done;

/// Drops the first SYN from each port; its repeat, a second later, passes.
const FIRST_SYN: &str = "set seen { type inet_service; flags dynamic; timeout 30s; }\n\
    chain c { type filter hook input priority -150; policy accept;\n\
    tcp flags syn / syn,ack tcp sport @seen accept\n\
    tcp flags syn / syn,ack add @seen { tcp sport } drop\n}";

pub(super) const CASES: &[Case] = &[
    Case { stage: Lab::long_line, prove: |lab| echo_takes(lab, 290.0), ..healthy("healthy/long-line", super::ANYWHERE) },
    // A satellite.
    Case {
        stage: |lab| lab.detour("detour-600"),
        prove: |lab| echo_takes(lab, 590.0),
        ..healthy("healthy/very-long-line", &[Kind::Leased, Kind::WireGuard])
    },
    Case {
        stage: |lab| lab.detour("detour-twice"),
        prove: |lab| {
            let centre = lab.ip(lab.plan.centre()).to_string();
            eventually("echoes come twice", || {
                let said = lab.terminal().try_run(&["ping", "-n", "-c3", "-i0.05", "-W1", &centre])?;
                // What a VPN carries twice it delivers once.
                holds(said.out.contains("DUP!") || (lab.has_vpn() && said.ok()), said.out)
            })?;
            lab.settles()
        },
        ..healthy("healthy/packets-twice-and-out-of-order", LEASED_AND_OPENVPN)
    },
    Case {
        stage: |lab| lab.filter(Place::Isp, "forward", &["numgen random mod 100 < 2 drop".to_owned()]),
        prove: |lab| {
            let far = lab.plan.isp_edge.host(2).ips(lab.plan.outer_families())[0].to_string();
            eventually("a few packets are lost", || {
                let said = lab.terminal().try_run(&["ping", "-n", "-q", "-c200", "-i0.002", "-W1", &far])?;
                let lost = said.out.split("% packet loss").next().and_then(|t| t.rsplit(' ').next()).and_then(|n| n.parse::<f64>().ok());
                holds(lost.is_some_and(|lost| (0.5..12.0).contains(&lost)), said.out)
            })?;
            lab.settles()
        },
        ..healthy("healthy/a-little-loss", LEASED_AND_OPENVPN)
    },
    Case {
        stage: |lab| {
            let sparing = |kind: &str| format!("{kind} type echo-request limit rate over 1/second burst 1 packets drop");
            lab.filter(Place::Shop, "input", &[sparing("icmp"), sparing("icmpv6")])
        },
        prove: |lab| {
            let gateway = lab.ip(lab.plan.gateway).to_string();
            eventually("the gateway answers one echo in many", || {
                let said = lab.terminal().try_run(&["ping", "-n", "-q", "-c20", "-i0.01", "-W1", &gateway])?;
                let lost = said.out.split("% packet loss").next().and_then(|t| t.rsplit(' ').next()).and_then(|n| n.parse::<f64>().ok());
                holds(lost.is_some_and(|lost| lost > 50.0), said.out)
            })?;
            lab.settles()
        },
        ..healthy("healthy/gateway-rations-echoes", DIRECT_AND_OPENVPN)
    },
    Case {
        stage: |lab| lab.front(Front::LateTls),
        prove: |lab| super::http::centre_says(lab, |answer| answer.status == 200 && answer.seconds > 0.85),
        ..healthy("healthy/slow-handshake", DIRECT)
    },
    Case {
        stage: |lab| lab.table(Place::Centre, "inet", "first", FIRST_SYN),
        prove: |lab| {
            let centre = lab.ip(lab.plan.centre());
            eventually("the second SYN is answered", || {
                let answer = lab.curl(centre, &[], &["--connect-timeout", "3"])?;
                holds(answer.status == 200 && answer.seconds > 0.9, format!("{answer:?}"))
            })
        },
        ..healthy("healthy/first-syn-lost", LEASED_AND_OPENVPN)
    },
    // The machine sleeps while answers are under way: when it wakes, all patience is over and nobody is to blame.
    Case {
        stage: Lab::long_line,
        prove: |lab| echo_takes(lab, 290.0),
        ask: || Ask { course: Course::Frozen, ..Ask::default() },
        expect: crate::judge::Expect { status: &[0, 40], either: true, ..crate::judge::Expect::HEALTHY },
        ..healthy("healthy/asleep-in-mid-round", LEASED_AND_OPENVPN)
    },
    Case {
        stage: |lab| {
            let nic = lab.plan.nic;
            lab.terminal().ip(&format!("link set {nic} down\nlink set {nic} up\n"))?;
            lab.restore(Place::Terminal)
        },
        prove: |lab| {
            let file = format!("/sys/class/net/{}/carrier_changes", lab.plan.nic);
            let said = lab.terminal().run(&["cat", &file])?;
            holds(said.out.trim().parse::<u32>().is_ok_and(|changes| changes >= 3), said.out)?;
            lab.prove_healthy()
        },
        ..healthy("healthy/link-came-back", DIRECT_AND_OPENVPN)
    },
];

/// An echo of the centre is under way for at least this long, and one can settle.
fn echo_takes(lab: &Lab, least_ms: f64) -> Done {
    let centre = lab.ip(lab.plan.centre()).to_string();
    eventually("an echo takes its time", || {
        let said = lab.terminal().try_run(&["ping", "-n", "-c1", "-W2", &centre])?;
        let ms = said.out.split("time=").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
        holds(ms.is_some_and(|ms| ms > least_ms), said.out)
    })?;
    // Farther than the usual patience for a connection: four round trips of a handshake and a page.
    eventually("the centre serves, in its time", || {
        let answer = lab.curl(lab.ip(lab.plan.centre()), &[], &["--connect-timeout", "3", "-m8"])?;
        holds(answer.status == 200, format!("{answer:?}"))
    })
}
