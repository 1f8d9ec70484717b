//! The centre's services: TCP, TLS, HTTP, and the terminal's clock in between.

use super::{Case, DIRECT, DIRECT_AND_OPENVPN, LEASED, as_nobody};
use crate::ask::Ask;
use crate::check::{Echo, Https, Tcp, eventually, holds, is};
use crate::judge::{
    Certainty::{Likely, Proven},
    Expect,
};
use crate::lab::{Lab, Place};
use crate::peers::{ACCEPT_ALL, Front};
use crate::shell::Done;

/// How far ahead the wrong clock is: past every certificate of the centre.
const AHEAD: &str = "+400d";

const EXPIRED: Case = Case {
    name: "tls.expired",
    on: DIRECT,
    stage: |lab| lab.front(Front::Expired),
    prove: |lab| curl_complains(lab, "certificate has expired"),
    ask: Ask::default,
    expect: Expect::broken(&["tls.expired"], Proven),
};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "tcp.refused",
        on: DIRECT_AND_OPENVPN,
        stage: |lab| {
            let rule = format!("tcp dport {} reject with tcp reset", lab.plan.https);
            lab.filter(Place::Centre, "input", &[rule])
        },
        prove: |lab| https_port_is(lab, &Tcp::Refused),
        ask: Ask::default,
        expect: Expect::broken(&["tcp.refused"], Likely),
    },
    Case {
        name: "tcp.filtered",
        on: DIRECT_AND_OPENVPN,
        stage: |lab| {
            let rule = format!("tcp dport {} drop", lab.plan.https);
            lab.filter(Place::Centre, "input", &[rule])
        },
        prove: |lab| https_port_is(lab, &Tcp::Silence),
        ask: Ask::default,
        expect: Expect::broken(&["tcp.filtered"], Proven),
    },
    Case {
        name: "tcp.accept-all",
        on: DIRECT,
        stage: |lab| {
            let rule = format!("iifname \"lan\" meta l4proto tcp redirect to :{ACCEPT_ALL}");
            lab.nat(Place::Shop, &rule)
        },
        prove: |lab| {
            lab.port_is(lab.plan.centre(), lab.plan.https, &Tcp::Open)?;
            lab.port_is(lab.plan.dead_centre(), 9, &Tcp::Open)?;
            centre_says(lab, |answer| answer.status == 0 && !answer.error.contains("refused"))?;
            lab.reaches("the centre", lab.plan.centre())
        },
        ask: Ask::default,
        expect: Expect::broken(&["tcp.accept-all"], Likely),
    },
    EXPIRED,
    Case { name: "tls.expired/unprivileged", ask: as_nobody, ..EXPIRED },
    Case {
        name: "tls.not-yet-valid",
        on: LEASED,
        stage: |lab| lab.front(Front::Early),
        prove: |lab| curl_complains(lab, "certificate is not yet valid"),
        ask: Ask::default,
        expect: Expect::broken(&["tls.not-yet-valid"], Proven),
    },
    Case {
        name: "tls.untrusted",
        on: LEASED,
        stage: |lab| lab.front(Front::Untrusted),
        prove: |lab| curl_complains(lab, "unable to get local issuer certificate"),
        ask: Ask::default,
        expect: Expect::broken(&["tls.untrusted"], Proven),
    },
    Case {
        name: "tls.name-mismatch",
        on: DIRECT,
        stage: |lab| lab.front(Front::OtherName),
        prove: |lab| curl_complains(lab, "no alternative certificate subject name matches"),
        ask: Ask::default,
        expect: Expect::broken(&["tls.name-mismatch"], Proven),
    },
    Case {
        name: "clock.wrong",
        on: DIRECT,
        stage: |_| Ok(()),
        prove: |lab| {
            lab.settles()?;
            let wrong = ["env", "FAKETIME_DONT_FAKE_MONOTONIC=1", "faketime", "-f", AHEAD];
            let answer = lab.https(lab.ip(lab.plan.centre()), &wrong)?;
            holds(answer.error.contains("certificate has expired"), format!("{answer:?}"))
        },
        ask: || Ask { clock: Some(AHEAD), ..Ask::default() },
        expect: Expect::broken(&["clock.wrong"], Proven),
    },
    Case {
        name: "http.maintenance",
        on: LEASED,
        stage: |lab| lab.front(Front::Maintenance),
        prove: |lab| centre_says(lab, |a| a.status == 503 && a.body.contains("maintenance")),
        ask: Ask::default,
        expect: Expect::broken(&["http.maintenance"], Proven),
    },
    Case {
        name: "http.error",
        on: LEASED,
        stage: |lab| lab.front(Front::Error),
        prove: |lab| centre_says(lab, |answer| answer.status == 500),
        ask: Ask::default,
        expect: Expect::broken(&["http.error"], Proven),
    },
    Case {
        name: "http.auth",
        on: LEASED,
        stage: |lab| lab.front(Front::Forbidden),
        prove: |lab| centre_says(lab, |answer| answer.status == 403),
        ask: Ask::default,
        expect: Expect::broken(&["http.auth"], Proven),
    },
    Case {
        name: "http.slow",
        on: DIRECT,
        stage: |lab| lab.front(Front::Slow),
        prove: |lab| centre_says(lab, |a| a.status == 200 && a.seconds > 1.2),
        ask: Ask::default,
        expect: Expect { status: &[10], connected: Some(true), ..Expect::broken(&["http.slow"], Proven) },
    },
    Case {
        name: "centre.outage",
        on: DIRECT_AND_OPENVPN,
        stage: |lab| lab.filter(Place::Centre, "input", &["drop".to_owned()]),
        prove: |lab| {
            for ip in lab.ips(lab.plan.centre()) {
                eventually("the centre is silent", || is(&lab.terminal().ping(ip)?, &Echo::Silence))?;
            }
            lab.port_is(lab.plan.centre(), lab.plan.https, &Tcp::Silence)?;
            lab.port_is(lab.plan.centre(), lab.plan.service, &Tcp::Silence)?;
            lab.resolvers_know()?;
            lab.reaches("the centre's router", lab.plan.edge_dns())
        },
        ask: Ask::default,
        expect: Expect::broken(&["centre.outage"], Likely).or(&["centre.cut-off"]),
    },
];

/// The HTTPS port fails so, while the host's ping and its other port answer.
fn https_port_is(lab: &Lab, wanted: &Tcp) -> Done {
    let centre = lab.plan.centre();
    lab.port_is(centre, lab.plan.https, wanted)?;
    lab.port_is(centre, lab.plan.service, &Tcp::Open)?;
    lab.reaches("the centre", centre)?;
    lab.resolvers_know()
}

fn centre_says(lab: &Lab, right: impl Fn(&Https) -> bool) -> Done {
    for ip in lab.ips(lab.plan.centre()) {
        eventually("the centre answers as staged", || {
            let answer = lab.https(ip, &[])?;
            holds(right(&answer), format!("{answer:?}"))
        })?;
    }
    Ok(())
}

fn curl_complains(lab: &Lab, words: &str) -> Done {
    centre_says(lab, |answer| answer.status == 0 && answer.error.contains(words))?;
    lab.reaches("the centre", lab.plan.centre())?;
    lab.resolvers_know()
}
