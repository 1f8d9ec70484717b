//! More healthy twins: boxes that do the VPN, unknown clients, idle devices.

use super::{Case, DIRECT, DIRECT_AND_OPENVPN, LEASED_AND_OPENVPN, VPN, healthy};
use crate::ask::{Ask, Client, Inside};
use crate::check::holds;
use crate::lab::Place;
use crate::plan::Families;

pub(super) const CASES: &[Case] = &[
    Case { ask: || Ask { access: Some("vpn-box"), ..Ask::default() }, ..healthy("healthy/vpn-box", DIRECT) },
    Case { ask: || Ask { vpn: Client::Nameless, ..Ask::default() }, ..healthy("healthy/client-of-unknown-name", VPN) },
    Case { ask: || Ask { vpn: Client::Logged, ..Ask::default() }, ..healthy("healthy/client-with-log", VPN) },
    Case { ask: || Ask { inside: Inside::Behind, ..Ask::default() }, ..healthy("healthy/inside-is-behind-the-server", VPN) },
    Case {
        stage: |lab| {
            lab.terminal().ip("link add spare0 type veth peer name spare1\n")?;
            lab.later(|lab| lab.terminal().ip("link del spare0\n"));
            Ok(())
        },
        ..healthy("healthy/second-nic-down", DIRECT_AND_OPENVPN)
    },
    Case {
        stage: |lab| {
            lab.container_bridge(&["172.17.0.1/16".to_owned()])?;
            lab.terminal().ip("route add 0.0.0.0/0 via 172.17.0.254 dev docker0 metric 4000\n")
        },
        ..healthy("healthy/container-bridge-with-default-route", DIRECT_AND_OPENVPN)
    },
    // What a connection manager or a virtual machine monitor leaves lying about.
    Case {
        stage: |lab| {
            lab.terminal().ip("tuntap add dev tun9 mode tun\nlink set tun9 up\nlink add virbr0 type bridge\nlink set virbr0 up\naddr add 192.168.122.1/24 dev virbr0\n")?;
            lab.later(|lab| lab.terminal().ip("link del tun9\nlink del virbr0\n"));
            Ok(())
        },
        ..healthy("healthy/idle-devices", DIRECT_AND_OPENVPN)
    },
    // One of these two has both families in every pass; for the other there is nothing to stage.
    Case {
        stage: |lab| match lab.plan.families {
            Families::Dual => lab.filter(Place::Centre, "input", &["ip6 daddr ::/0 drop".to_owned()]),
            Families::V4 | Families::V6 => Ok(()),
        },
        prove: |lab| {
            for ip in lab.ips(lab.plan.centre()) {
                let answer = lab.https(ip, &[])?;
                holds((answer.status == 200) != ip.is_ipv6(), format!("{ip}: {answer:?}"))?;
            }
            Ok(())
        },
        ..healthy("healthy/one-family-dead", LEASED_AND_OPENVPN)
    },
];
