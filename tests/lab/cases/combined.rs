//! Two things wrong at once: the root comes first, an independent second is named too, consequences are not.

use super::{Case, LEASED, LEASED_AND_OPENVPN, VPN, centre, http, line, route, second_centre};
use crate::ask::Ask;
use crate::check::{Dns, Tcp, eventually, holds, is};
use crate::judge::{
    Certainty::{Likely, Proven},
    Expect,
};
use crate::lab::{Lab, Place, Role};
use crate::peers::{Front, SECOND_CENTRE};
use crate::shell::Done;

pub(super) const CASES: &[Case] = &[
    // Every name is found by the first one: nothing is cut off.
    Case {
        name: "dns.timeout/second-resolver",
        on: LEASED_AND_OPENVPN,
        stage: second_resolver_dies,
        prove: |lab| {
            second_resolver_is_silent(lab)?;
            lab.settles()
        },
        ask: Ask::default,
        expect: Expect::broken(&["dns.timeout"], Proven).degraded(),
    },
    Case {
        name: "combined/expired-and-second-resolver-dead",
        on: LEASED_AND_OPENVPN,
        stage: |lab| {
            second_resolver_dies(lab)?;
            lab.front(Front::Expired)
        },
        prove: |lab| {
            second_resolver_is_silent(lab)?;
            let ip = lab.ip(lab.plan.centre());
            let answer = lab.https(ip, &[])?;
            holds(answer.error.contains("certificate has expired"), format!("{answer:?}"))
        },
        ask: Ask::default,
        expect: Expect::broken(&["tls.expired"], Proven).beside(&["dns.timeout"]),
    },
    Case {
        name: "combined/mtu-and-loss",
        on: LEASED,
        stage: |lab| {
            route::narrow(lab)?;
            // The first connections come about, so that it shows what becomes of them.
            let first = "tcp flags & syn == syn limit rate 1/second burst 24 packets accept";
            lab.filter(Place::Isp, "forward", &[first, "numgen random mod 100 < 30 drop"].map(str::to_owned))
        },
        prove: |lab| {
            line::loses_much(lab)?;
            for ip in lab.ips(lab.plan.centre()) {
                let said = lab.terminal().try_run(&["ping", "-n", "-q", "-c20", "-i0.02", "-W1", "-Mdo", "-s1300", &ip.to_string()])?;
                crate::check::holds(said.out.contains(" 0 received"), said.out)?;
            }
            Ok(())
        },
        ask: Ask::default,
        // Which is the root hangs on what the losses hit.
        expect: Expect::broken(&["line.loss", "path.mtu-black-hole"], Proven)
            .at_least(Likely)
            .beside(&["line.loss", "path.mtu-black-hole"]),
    },
    Case {
        name: "combined/wrong-clock-and-portal",
        on: LEASED,
        stage: |lab| line::portal(lab, line::Names::Through),
        prove: line::portal_shows,
        ask: || Ask { clock: Some(http::AHEAD), ..line::plain() },
        // A portal is nobody whose time one takes: the second is possible at most.
        expect: Expect::broken(&["line.portal"], Likely).beside(&["clock.wrong"]),
    },
    // The one behind the VPN is lost, the direct one works: that is one cause, and it says for which.
    Case {
        name: "combined/one-of-two-centres-behind-a-dead-vpn",
        on: VPN,
        stage: |lab| lab.end(Role::VpnClient),
        prove: |lab| {
            lab.misses("the centre", lab.plan.centre())?;
            second_is(lab, &Tcp::Open)
        },
        ask: || Ask { more: second_centre, ..Ask::default() },
        expect: Expect::broken(&["vpn.not-started"], Proven),
    },
    Case {
        name: "combined/one-of-two-vpns-down",
        on: VPN,
        stage: |_| Ok(()),
        prove: Lab::prove_healthy,
        ask: || Ask { more: other_vpn, ..Ask::default() },
        expect: Expect::broken(&["vpn.not-started"], Proven).degraded(),
    },
    Case {
        name: "combined/lesser-centre-down",
        on: LEASED_AND_OPENVPN,
        stage: centre::dead,
        prove: |lab| {
            centre::is_dead(lab)?;
            second_is(lab, &Tcp::Open)
        },
        ask: || Ask { critical: false, more: second_centre, ..Ask::default() },
        expect: Expect::broken(&["centre.outage"], Likely).or(&["centre.cut-off"]).degraded(),
    },
    Case {
        name: "combined/vpn-and-second-service-down",
        on: VPN,
        stage: |lab| {
            lab.end(Role::VpnClient)?;
            lab.end(Role::SecondCentre)
        },
        prove: |lab| {
            lab.misses("the centre", lab.plan.centre())?;
            second_is(lab, &Tcp::Refused)
        },
        ask: || Ask { more: second_centre, ..Ask::default() },
        expect: Expect::broken(&["vpn.not-started"], Proven).beside(&["tcp.refused"]),
    },
];

fn second_resolver_dies(lab: &mut Lab) -> Done {
    lab.resolv_conf(&lab.plan.resolv_conf(2))?;
    let rules: Vec<String> = Lab::towards(lab.plan.resolvers()[1], lab.plan.families)
        .iter()
        .map(|to| format!("{to} meta l4proto {{ tcp, udp }} th dport 53 drop"))
        .collect();
    lab.filter(Place::Resolvers, "input", &rules)
}

fn second_resolver_is_silent(lab: &Lab) -> Done {
    let dead = lab.ip(lab.plan.resolvers()[1]);
    eventually("the second resolver is silent", || is(&lab.terminal().ask(dead, &lab.plan.name, "A")?, &Dns::Silence))
}

fn second_is(lab: &Lab, wanted: &Tcp) -> Done {
    let second = crate::lab::SECOND_CENTRE.parse().expect("a literal address");
    eventually(&format!("the second centre's port is {wanted:?}"), || is(&lab.terminal().connect(second, SECOND_CENTRE)?, wanted))
}

/// A VPN that was never started, and a lesser service behind it.
fn other_vpn(lab: &Lab) -> String {
    let server = lab.plan.isp_net.host(2).v4;
    let behind = lab.ip(lab.plan.dead_centre());
    format!(
        "[[vpn]]\nname = \"other\"\nkind = \"openvpn\"\ninterface = \"tun7\"\nprocess = \"no-such-vpn\"\nserver = \"{server}:1194\"\n\
         transport = \"udp\"\n\n[[centre]]\nname = \"reports\"\nhost = \"{behind}\"\ntcp = [443]\nvia = \"other\"\ncritical = false\n"
    )
}
