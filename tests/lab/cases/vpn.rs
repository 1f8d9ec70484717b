//! The VPN: client, server, what lies between, and the session itself.

use std::net::IpAddr;

use super::line::line_works;
use super::{Case, VPN, as_nobody};
use crate::ask::Ask;
use crate::check::{Echo, eventually, holds, is};
use crate::judge::{
    Certainty::{Likely, Proven},
    Expect,
};
use crate::lab::{Lab, Place, Role};
use crate::plan::Kind;
use crate::shell::Done;

const NOT_STARTED: Case = Case {
    name: "vpn.not-started",
    on: VPN,
    stage: |lab| lab.end(Role::VpnClient),
    prove: |lab| {
        eventually("the tunnel is gone", || {
            let said = lab.terminal().try_run(&["ip", "link", "show", "dev", &lab.tunnel()])?;
            holds(!said.ok(), said.out)
        })?;
        server_answers_outside(lab)?;
        lab.misses("the centre", lab.plan.centre())
    },
    ask: Ask::default,
    expect: Expect::broken(&["vpn.not-started"], Proven),
};

pub(super) const CASES: &[Case] = &[
    NOT_STARTED,
    Case { name: "vpn.not-started/unprivileged", ask: as_nobody, ..NOT_STARTED },
    Case {
        name: "vpn.server-unreachable",
        on: VPN,
        stage: |lab| lab.link_down(Place::Edge, "wan"),
        prove: |lab| {
            line_works(lab)?;
            eventually("the operator says that the server is gone", || {
                let echo = lab.terminal().ping(IpAddr::V4(lab.plan.vpn_server()))?;
                let isp = lab.plan.shop_isp.host(2).v4.to_string();
                let told = matches!(&echo, Echo::Told(who, what) if *who == isp && what.contains("Host Unreachable"));
                holds(told, format!("{echo:?}"))
            })?;
            tunnel_is_up_and_dead(lab)
        },
        ask: Ask::default,
        expect: Expect::broken(&["vpn.server-unreachable"], Proven),
    },
    Case {
        name: "vpn.port-blocked",
        on: &[Kind::OpenVpn],
        stage: |lab| {
            let port = lab.plan.vpn_port;
            let rules = [format!("udp dport {port} drop"), format!("udp sport {port} drop")];
            lab.filter(Place::Isp, "forward", &rules)
        },
        prove: |lab| {
            server_answers_outside(lab)?;
            tunnel_is_up_and_dead(lab)
        },
        ask: Ask::default,
        expect: Expect::broken(&["vpn.port-blocked"], Likely).or(&["vpn.tunnel-dead", "vpn.server-unreachable"]),
    },
    Case {
        name: "vpn.tunnel-dead/openvpn",
        on: &[Kind::OpenVpn],
        stage: Lab::vpn_server_forgets,
        prove: |lab| {
            server_answers_outside(lab)?;
            tunnel_is_up_and_dead(lab)
        },
        ask: Ask::default,
        expect: Expect::broken(&["vpn.tunnel-dead"], Likely).or(&["vpn.no-inner-path"]),
    },
    Case {
        name: "vpn.tunnel-dead/wireguard",
        on: &[Kind::WireGuard],
        stage: Lab::vpn_server_forgets,
        prove: |lab| {
            server_answers_outside(lab)?;
            tunnel_is_up_and_dead(lab)
        },
        ask: Ask::default,
        expect: Expect::broken(&["vpn.tunnel-dead"], Likely).or(&["vpn.no-inner-path", "vpn.port-blocked"]),
    },
    Case {
        name: "vpn.address-missing",
        on: VPN,
        stage: |lab| {
            let lines = format!("addr flush dev {}\n", lab.tunnel());
            lab.change_tunnel(&lines)
        },
        prove: |lab| {
            server_answers_outside(lab)?;
            let said = lab.terminal().run(&["ip", "-o", "addr", "show", "dev", &lab.tunnel()])?;
            holds(said.out.trim().is_empty(), said.out)?;
            lab.misses("the centre", lab.plan.centre())
        },
        ask: Ask::default,
        expect: Expect::broken(&["vpn.address-missing"], Proven),
    },
];

fn server_answers_outside(lab: &Lab) -> Done {
    lab.reaches("the gateway", lab.plan.gateway)?;
    eventually("the VPN server answers a ping outside", || is(&lab.terminal().ping(IpAddr::V4(lab.plan.vpn_server()))?, &Echo::Reply))
}

fn tunnel_is_up_and_dead(lab: &Lab) -> Done {
    let said = lab.terminal().run(&["ip", "-o", "link", "show", "dev", &lab.tunnel()])?;
    holds(said.out.contains("LOWER_UP"), said.out)?;
    let route = lab.terminal().route(lab.ip(lab.plan.centre()))?;
    holds(route.contains(&lab.tunnel()), route)?;
    lab.misses("the tunnel's far end", lab.plan.tunnel_server())?;
    lab.misses("the centre", lab.plan.centre())
}
