//! Two VPNs of different kinds at once, two services behind each: OpenVPN to the centre, WireGuard to the bureau's reporting. What
//! happens to one says nothing of the other.

use super::Case;
use crate::ask::Ask;
use crate::check::{Tcp, eventually, holds, is};
use crate::judge::{
    Certainty::{Likely, Proven},
    Expect,
};
use crate::lab::{Lab, Place, Role};
use crate::machine;
use crate::peers::SECOND_CENTRE;
use crate::plan::Kind;
use crate::shell::Done;
use crate::vpns::wireguard_keys;

const ON: &[Kind] = &[Kind::OpenVpn];
const PORT: u16 = 51820;
/// The second VPN's server inside, and the two services behind it.
const INSIDE: &str = "172.31.8.1";
const SERVICES: [&str; 2] = ["172.31.8.10", "172.31.8.11"];

pub(super) const CASES: &[Case] = &[
    Case {
        name: "healthy/two-vpns",
        on: ON,
        stage: second_vpn,
        prove: |lab| {
            second_is(lab, &Tcp::Open)?;
            lab.prove_healthy()
        },
        ask,
        expect: Expect::HEALTHY,
    },
    Case {
        name: "combined/two-vpns-second-dead",
        on: ON,
        stage: |lab| {
            second_vpn(lab)?;
            lab.stop(Role::Extra("second-server"))
        },
        prove: |lab| {
            second_is(lab, &Tcp::Silence)?;
            lab.prove_healthy()
        },
        ask,
        expect: Expect::broken(&["vpn.server-unreachable"], Likely).about("second"),
    },
    Case {
        name: "combined/two-vpns-first-not-started",
        on: ON,
        stage: |lab| {
            second_vpn(lab)?;
            lab.end(Role::VpnClient)
        },
        prove: |lab| {
            second_is(lab, &Tcp::Open)?;
            lab.misses("the centre", lab.plan.centre())
        },
        ask,
        expect: Expect::broken(&["vpn.not-started"], Proven).about("inner"),
    },
    Case {
        name: "combined/two-vpns-both-dead",
        on: ON,
        stage: |lab| {
            second_vpn(lab)?;
            lab.end(Role::VpnClient)?;
            lab.stop(Role::Extra("second-server"))
        },
        prove: |lab| {
            second_is(lab, &Tcp::Silence)?;
            lab.misses("the centre", lab.plan.centre())
        },
        ask,
        expect: Expect::broken(&["vpn.not-started"], Proven).beside(&["vpn.server-unreachable"]),
    },
];

/// A pair of WireGuard ends more, the server in the internet.
fn second_vpn(lab: &mut Lab) -> Done {
    let (server, client) = (wireguard_keys()?, wireguard_keys()?);
    let there = lab.plan.isp_net.host(2).v4;
    lab.write(
        "second-server.conf",
        &format!(
            "[Interface]\nPrivateKey = {}\nListenPort = {PORT}\n[Peer]\nPublicKey = {}\nAllowedIPs = 172.31.8.2/32\n",
            server.0, client.1
        ),
    )?;
    lab.write(
        "second-client.conf",
        &format!(
            "[Interface]\nPrivateKey = {}\n[Peer]\nPublicKey = {}\nEndpoint = {there}:{PORT}\nAllowedIPs = 172.31.8.0/24\nPersistentKeepalive = 15\n",
            client.0, server.1
        ),
    )?;
    let server = machine::second_wireguard_server(lab.plan.part);
    let addresses: String = SERVICES.iter().map(|ip| format!("addr add {ip}/32 dev {server}\n")).collect();
    end(lab, "second-server", Place::Internet, &server, &format!("addr add {INSIDE}/24 dev {server}\n{addresses}"))?;
    let client = machine::second_wireguard_client(lab.plan.part);
    end(lab, "second-client", Place::Terminal, &client, &format!("addr add 172.31.8.2/24 dev {client}\n"))
}

fn end(lab: &mut Lab, name: &'static str, place: Place, dev: &str, lines: &str) -> Done {
    let mut command = lab.at(place).command("wireguard-go");
    command.args(["-f", dev]).env("LOG_LEVEL", "error");
    lab.extra(name, command)?;
    lab.wireguard_listens(place, dev)?;
    let conf = lab.text_path(&format!("{name}.conf"));
    lab.at(place).run(&["wg", "setconf", dev, &conf])?;
    lab.at(place).ip(&format!("{lines}link set {dev} up mtu 1420\n"))
}

/// Both services of the second VPN, from the terminal.
fn second_is(lab: &Lab, wanted: &Tcp) -> Done {
    for ip in SERVICES {
        let ip = ip.parse().map_err(|e| format!("{ip}: {e}"))?;
        eventually(&format!("a service of the second VPN is {wanted:?}"), || is(&lab.terminal().connect(ip, SECOND_CENTRE)?, wanted))?;
    }
    let outside = std::net::IpAddr::V4(lab.plan.isp_net.host(2).v4);
    holds(lab.terminal().ping(outside)? == crate::check::Echo::Reply, "the second VPN's server is out of reach")
}

fn ask() -> Ask {
    Ask { more: second_site, ..Ask::default() }
}

fn second_site(lab: &Lab) -> String {
    let (server, dev) = (lab.plan.isp_net.host(2).v4, machine::second_wireguard_client(lab.plan.part));
    let mut text = format!(
        "[[vpn]]\nname = \"second\"\nkind = \"wireguard\"\ninterface = \"{dev}\"\nserver = \"{server}:{PORT}\"\ntransport = \"udp\"\n\
         inside = \"{INSIDE}\"\n\n[[centre]]\nname = \"control\"\nhost = \"{}\"\nping = true\ntcp = [53]\nvia = \"inner\"\n\n",
        lab.ip(lab.plan.resolvers()[0])
    );
    for (number, ip) in SERVICES.iter().enumerate() {
        text.push_str(&format!(
            "[[centre]]\nname = \"reports-{number}\"\nhost = \"{ip}\"\nping = true\ntcp = [{SECOND_CENTRE}]\nvia = \"second\"\n\
             http = {{ url = \"http://{ip}:{SECOND_CENTRE}/health\", status = [200] }}\n\n"
        ));
    }
    text
}
