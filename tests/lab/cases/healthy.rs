//! Healthy twins: what looks like a fault to a careless eye and is none.

use super::{ANYWHERE, Case, DIRECT, DIRECT_AND_OPENVPN, LEASED, VPN, as_nobody, healthy};
use crate::ask::{Ask, Centre};
use crate::check::{Dns, Echo, eventually, holds, is};
use crate::judge::{Certainty::Proven, Expect};
use crate::lab::{Lab, Place};
use crate::plan::Host;
use crate::shell::Done;

pub(super) const CASES: &[Case] = &[
    healthy("healthy", ANYWHERE),
    Case {
        stage: |lab| lab.filter(Place::Centre, "input", &no_echo()),
        prove: |lab| {
            silent(lab, lab.plan.centre())?;
            lab.settles()
        },
        ..healthy("healthy/centre-forbids-ping", DIRECT_AND_OPENVPN)
    },
    Case {
        stage: |lab| lab.filter(Place::Shop, "input", &no_echo()),
        prove: |lab| {
            silent(lab, lab.plan.gateway)?;
            if lab.plan.families.has_v4() {
                let gateway = lab.plan.gateway.v4.to_string();
                let arp = ["arping", "-q", "-c1", "-w2", "-I", lab.plan.nic, &gateway];
                lab.terminal().run(&arp)?;
            }
            lab.settles()
        },
        ..healthy("healthy/gateway-forbids-ping", ANYWHERE)
    },
    Case { stage: |lab| ping_groups(lab, "1 0"), ask: as_nobody, ..healthy("healthy/unprivileged-no-ping-sockets", ANYWHERE) },
    Case { stage: |lab| ping_groups(lab, "0 2147483647"), ask: as_nobody, ..healthy("healthy/unprivileged-ping-sockets", ANYWHERE) },
    Case {
        stage: |lab| lab.hosts(lab.plan.centre()),
        prove: |lab| {
            let said = lab.terminal().run(&["getent", "-s", "files", "ahosts", &lab.plan.name])?;
            holds(said.out.contains(&lab.ip(lab.plan.centre()).to_string()), said.out)?;
            lab.settles()
        },
        ask: super::by_name,
        ..healthy("healthy/name-from-hosts-file", DIRECT)
    },
    Case {
        stage: |lab| {
            lab.terminal().ip("link add spare0 type veth peer name spare1\nlink set spare0 up\n")?;
            lab.later(|lab| lab.terminal().ip("link del spare0\n"));
            Ok(())
        },
        prove: |lab| {
            let said = lab.terminal().run(&["ip", "-o", "link", "show", "dev", "spare0"])?;
            holds(said.out.contains("NO-CARRIER"), said.out)?;
            lab.prove_healthy()
        },
        ..healthy("healthy/second-nic-unplugged", ANYWHERE)
    },
    Case { ask: || Ask { centre: Centre::Address, ..Ask::default() }, ..healthy("healthy/bare-address", ANYWHERE) },
    Case { ask: || Ask { ca: false, ..Ask::default() }, ..healthy("healthy/private-ca-not-configured", LEASED) },
    Case {
        ask: || Ask { configured: false, ..Ask::default() },
        expect: Expect { status: &[40], connected: None, ..Expect::HEALTHY },
        ..healthy("healthy/no-configuration", ANYWHERE)
    },
    Case { stage: |lab| lab.container_bridge(&["172.17.0.1/16".to_owned()]), ..healthy("healthy/container-bridge", ANYWHERE) },
    Case {
        stage: |lab| {
            lab.resolv_conf(&lab.plan.resolv_conf(2))?;
            let rules: Vec<String> = Lab::towards(lab.plan.resolvers()[1], lab.plan.families)
                .iter()
                .map(|to| format!("{to} meta l4proto {{ tcp, udp }} th dport 53 drop"))
                .collect();
            lab.filter(Place::Resolvers, "input", &rules)
        },
        prove: |lab| {
            let dead = lab.plan.resolvers()[1];
            eventually("the second resolver is silent", || is(&lab.terminal().ask(lab.ip(dead), &lab.plan.name, "A")?, &Dns::Silence))?;
            lab.reaches("the second resolver", dead)?;
            lab.resolver_knows(lab.plan.resolvers()[0])?;
            eventually("applications still find the centre", || holds(!lab.terminal().lookup(&lab.plan.name)?.is_empty(), "they do not"))?;
            lab.settles()
        },
        expect: Expect {
            status: &[10],
            connected: Some(true),
            alone_and_mild: true,
            ..Expect::broken(&["dns.timeout", "dns.port-refused"], Proven)
        },
        ..healthy("degraded/one-of-two-resolvers-dead", DIRECT_AND_OPENVPN)
    },
    Case {
        stage: |lab| lab.filter(Place::Edge, "input", &no_echo()),
        prove: |lab| {
            silent(lab, lab.plan.tunnel_server())?;
            lab.settles()
        },
        ..healthy("healthy/vpn-server-forbids-ping", VPN)
    },
];

fn no_echo() -> [String; 2] {
    ["icmp type echo-request drop".to_owned(), "icmpv6 type echo-request drop".to_owned()]
}

fn silent(lab: &Lab, host: Host) -> Done {
    for ip in lab.ips(host) {
        eventually("an echo request is ignored", || is(&lab.terminal().ping(ip)?, &Echo::Silence))?;
    }
    Ok(())
}

fn ping_groups(lab: &mut Lab, range: &'static str) -> Done {
    let set = |lab: &Lab, range: &str| lab.terminal().sysctl(&[&format!("net.ipv4.ping_group_range={range}")]);
    set(lab, range)?;
    lab.later(move |lab| set(lab, "1 0"));
    Ok(())
}
