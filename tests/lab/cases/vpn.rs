//! The VPN: client, server, what lies between, and the session itself.

use std::net::IpAddr;

use super::line::line_works;
use super::{Case, VPN, as_nobody};
use crate::ask::{Ask, Client};
use crate::check::{Dns, Echo, Tcp, eventually, holds, is};
use crate::judge::{
    Certainty::{Likely, Proven},
    Expect,
};
use crate::lab::{Lab, OUTER_RESOLVER, Place, Role, VpnWords};
use crate::plan::Kind;
use crate::shell::Done;
use crate::site::VPN_NAME;

const NOT_STARTED: Case = Case {
    name: "vpn.not-started",
    on: VPN,
    stage: |lab| lab.end(Role::VpnClient),
    prove: |lab| {
        no_tunnel(lab)?;
        server_answers_outside(lab)?;
        lab.misses("the centre", lab.plan.centre())
    },
    ask: Ask::default,
    expect: Expect::broken(&["vpn.not-started"], Proven),
};

const ADDRESS_MISSING: Case = Case {
    name: "vpn.address-missing",
    on: &[Kind::OpenVpn, Kind::WireGuard, Kind::OpenConnect],
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
        on: &[Kind::OpenVpn, Kind::OpenConnect],
        stage: block_port,
        prove: |lab| {
            server_answers_outside(lab)?;
            tunnel_is_up_and_dead(lab)
        },
        ask: Ask::default,
        expect: Expect::broken(&["vpn.port-blocked"], Likely).or(&["vpn.tunnel-dead", "vpn.server-unreachable"]),
    },
    // These servers never speak to strangers: a blocked port and a dead session look the same.
    Case {
        name: "vpn.port-blocked/mute-kinds",
        on: &[Kind::WireGuard, Kind::Ipsec],
        stage: block_port,
        prove: |lab| {
            server_answers_outside(lab)?;
            tunnel_is_up_and_dead(lab)
        },
        ask: Ask::default,
        expect: Expect::broken(&["vpn.port-blocked", "vpn.tunnel-dead"], Likely).or(&["vpn.no-inner-path"]),
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
        name: "vpn.tunnel-dead/ipsec",
        on: &[Kind::Ipsec],
        stage: Lab::vpn_server_forgets,
        prove: |lab| {
            server_answers_outside(lab)?;
            tunnel_is_up_and_dead(lab)
        },
        ask: Ask::default,
        expect: Expect::broken(&["vpn.tunnel-dead"], Likely).or(&["vpn.no-inner-path", "vpn.port-blocked"]),
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
    // Its kernel still takes connections; nobody behind them speaks.
    Case {
        name: "vpn.tunnel-dead/openconnect",
        on: &[Kind::OpenConnect],
        stage: Lab::vpn_server_hangs,
        prove: |lab| {
            server_answers_outside(lab)?;
            let server = IpAddr::V4(lab.plan.vpn_server());
            eventually("the VPN port still connects", || is(&lab.terminal().connect(server, lab.plan.vpn_port)?, &Tcp::Open))?;
            tunnel_is_up_and_dead(lab)
        },
        ask: Ask::default,
        expect: Expect::broken(&["vpn.tunnel-dead"], Likely).or(&["vpn.no-inner-path"]),
    },
    Case {
        name: "vpn.auth-failed/openvpn-retries",
        on: &[Kind::OpenVpn],
        stage: |lab| refused(lab, &["--auth-retry", "nointeract"]),
        prove: |lab| log_says(lab, "AUTH_FAILED"),
        ask: logged,
        expect: AUTH_FAILED,
    },
    Case {
        name: "vpn.auth-failed/openvpn-gave-up",
        on: &[Kind::OpenVpn],
        stage: |lab| refused(lab, &[]),
        prove: |lab| log_says(lab, "AUTH_FAILED"),
        ask: logged,
        expect: AUTH_FAILED,
    },
    Case {
        name: "vpn.auth-failed/openconnect",
        on: &[Kind::OpenConnect],
        stage: |lab| lab.vpn_with(VpnWords { password: Some("a wrong one"), ..VpnWords::default() }, false),
        prove: |lab| log_says(lab, "Login failed"),
        ask: logged,
        expect: AUTH_FAILED,
    },
    Case {
        name: "vpn.auth-failed/ipsec",
        on: &[Kind::Ipsec],
        stage: |lab| lab.vpn_with(VpnWords { password: Some("a wrong one"), ..VpnWords::default() }, false),
        prove: |lab| log_says(lab, "AUTHENTICATION_FAILED"),
        ask: logged,
        expect: AUTH_FAILED,
    },
    // An operator that speaks: where nothing beyond the gateway gives a sign, it may as well be the line.
    Case {
        name: "vpn.server-name-unresolved",
        on: &[Kind::OpenVpn],
        stage: |lab| {
            lab.resolv_conf(&format!("nameserver {OUTER_RESOLVER}\n"))?;
            lab.end(Role::OuterResolver)?;
            lab.change(Place::Isp, "route replace unreachable 10.0.0.0/8\n", "route del 10.0.0.0/8\n")?;
            lab.vpn_with(VpnWords { remote: Some(VPN_NAME.to_owned()), ..VpnWords::default() }, false)
        },
        prove: |lab| {
            let resolver = OUTER_RESOLVER.parse().expect("a literal address");
            eventually("the outer resolver refuses", || is(&lab.terminal().ask(resolver, VPN_NAME, "A")?, &Dns::Refused))?;
            no_tunnel(lab)?;
            server_answers_outside(lab)
        },
        ask: || Ask { vpn: Client::ServerByName, ..Ask::default() },
        expect: Expect::broken(&["vpn.server-name-unresolved"], Proven)
            .planned("whether a sign from beyond the gateway comes in time decides between it and the line"),
    },
    ADDRESS_MISSING,
    // Its device may have none by design; what shows is that the routes are gone with it.
    Case {
        name: "vpn.address-missing/ipsec",
        on: &[Kind::Ipsec],
        expect: Expect::broken(&["vpn.address-missing", "route.captured"], Proven).at_least(Likely),
        ..ADDRESS_MISSING
    },
];

const AUTH_FAILED: Expect = Expect::broken(&["vpn.auth-failed"], Proven).at_least(Likely);

fn logged() -> Ask {
    Ask { vpn: Client::Logged, ..Ask::default() }
}

/// The operator lets nothing of the VPN through.
fn block_port(lab: &mut Lab) -> Done {
    let port = lab.plan.vpn_port;
    // 4500 is where IPsec goes on once it has found its peer.
    let rules = ["sport", "dport"].map(|way| format!("meta l4proto {{ tcp, udp }} th {way} {{ {port}, 4500 }} drop"));
    lab.filter(Place::Isp, "forward", &rules)
}

/// The server asks for a password and takes none.
fn refused(lab: &mut Lab, client: &[&str]) -> Done {
    lab.write("user-and-password", "shop\nwrong\n")?;
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut client = words(client);
    client.extend(["--auth-user-pass".to_owned(), lab.text_path("user-and-password")]);
    let server = words(&["--script-security", "2", "--auth-user-pass-verify", "/bin/false", "via-file"]);
    lab.vpn_with(VpnWords { server, client, ..VpnWords::default() }, true)
}

/// The client's own log has these words, and all else works.
fn log_says(lab: &Lab, words: &str) -> Done {
    eventually(&format!("the client's log says {words}"), || {
        let log = std::fs::read_to_string(lab.log(Role::VpnClient)).map_err(|e| format!("cannot read the client's log: {e}"))?;
        holds(log.contains(words), log.lines().last().unwrap_or_default())
    })?;
    lab.misses("the centre", lab.plan.centre())?;
    server_answers_outside(lab)
}

fn no_tunnel(lab: &Lab) -> Done {
    eventually("there is no tunnel", || {
        let said = lab.terminal().try_run(&["ip", "link", "show", "dev", &lab.tunnel()])?;
        holds(!said.ok(), said.out)
    })
}

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
