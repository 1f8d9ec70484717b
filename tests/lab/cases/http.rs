//! The centre's services: TCP, TLS, HTTP, and the terminal's clock in between.

use super::{Case, DIRECT, DIRECT_AND_OPENVPN, LEASED, as_nobody};
use crate::ask::Ask;
use crate::check::{Https, Tcp, eventually, holds};
use crate::judge::{
    Certainty::{Likely, Proven},
    Expect,
};
use crate::lab::{Lab, Place, Role};
use crate::peers::{ACCEPT_ALL, Front};
use crate::shell::Done;

/// How far ahead the wrong clock is: past every certificate of the centre.
pub(super) const AHEAD: &str = "+400d";

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
        // So near that the distance does not tell.
        expect: Expect::broken(&["tcp.accept-all"], Likely).or(&["centre.outage"]),
    },
    // On a long line it accepts long before the centre could.
    Case {
        name: "tcp.accept-all/on-a-long-line",
        on: LEASED,
        stage: |lab| {
            lab.long_line()?;
            lab.nat(Place::Shop, &format!("iifname \"lan\" meta l4proto tcp redirect to :{ACCEPT_ALL}"))
        },
        prove: |lab| {
            lab.port_is(lab.plan.centre(), lab.plan.https, &Tcp::Open)?;
            lab.reaches("the centre", lab.plan.centre())
        },
        ask: Ask::default,
        expect: Expect::broken(&["tcp.accept-all"], Likely),
    },
    // A balancer without servers behind it does the same from where the centre is.
    Case {
        name: "centre.outage/balancer-without-servers",
        on: DIRECT,
        stage: |lab| lab.front(Front::AcceptClose),
        prove: |lab| {
            lab.port_is(lab.plan.centre(), lab.plan.https, &Tcp::Open)?;
            centre_says(lab, |answer| answer.status == 0 && !answer.error.contains("refused"))?;
            lab.reaches("the centre", lab.plan.centre())
        },
        ask: Ask::default,
        expect: Expect::broken(&["centre.outage", "tcp.accept-all"], Likely),
    },
    Case {
        name: "centre.outage/balancer-on-a-long-line",
        on: LEASED,
        stage: |lab| {
            lab.long_line()?;
            lab.front(Front::AcceptClose)
        },
        prove: |lab| {
            lab.port_is(lab.plan.centre(), lab.plan.https, &Tcp::Open)?;
            lab.reaches("the centre", lab.plan.centre())
        },
        ask: Ask::default,
        expect: Expect::broken(&["centre.outage"], Likely).or(&["tcp.accept-all"]),
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
    // The server ends the handshake for want of a certificate.
    Case {
        name: "tls.client-cert/handshake",
        on: DIRECT,
        stage: |lab| {
            lab.with(Role::StrictTls)?;
            lab.front(Front::Strict)
        },
        prove: |lab| {
            curl_complains(lab, "alert")?;
            known_are_let_in(lab)
        },
        ask: Ask::default,
        expect: Expect::broken(&["tls.client-cert"], Likely),
    },
    // What nginx does: it shakes hands, and says 400 to the first question.
    Case {
        name: "tls.client-cert/page",
        on: LEASED,
        stage: |lab| lab.front(Front::ClientCert),
        prove: |lab| {
            centre_says(lab, |answer| answer.status == 400 && answer.body.contains("No required SSL certificate"))?;
            known_are_let_in(lab)
        },
        ask: Ask::default,
        expect: Expect::broken(&["tls.client-cert"], Likely),
    },
    Case {
        name: "healthy/client-cert",
        on: DIRECT,
        stage: |lab| lab.front(Front::ClientCert),
        prove: known_are_let_in,
        ask: || Ask { client_cert: true, ..Ask::default() },
        expect: Expect::HEALTHY,
    },
    // What this tool does not speak, the settlement program may well speak: nobody is accused.
    Case {
        name: "healthy/tls-of-another-kind",
        on: LEASED,
        stage: |lab| lab.front(Front::Alert),
        prove: |lab| curl_complains(lab, "alert protocol version"),
        ask: Ask::default,
        expect: Expect { status: &[40], connected: None, ..Expect::HEALTHY },
    },
    Case {
        name: "healthy/slow-but-fine",
        on: DIRECT,
        stage: |lab| lab.front(Front::Calm),
        prove: |lab| centre_says(lab, |answer| answer.status == 200 && answer.seconds > 0.65),
        ask: Ask::default,
        expect: Expect::HEALTHY,
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
];

/// The HTTPS port fails so, while the host's ping and its other port answer.
fn https_port_is(lab: &Lab, wanted: &Tcp) -> Done {
    let centre = lab.plan.centre();
    lab.port_is(centre, lab.plan.https, wanted)?;
    lab.port_is(centre, lab.plan.service, &Tcp::Open)?;
    lab.reaches("the centre", centre)?;
    lab.resolvers_know()
}

/// With a certificate of the centre's own authority one is served.
fn known_are_let_in(lab: &Lab) -> Done {
    let (cert, key) = (lab.text_path("vpn-client.pem"), lab.text_path("vpn-client.key"));
    for ip in lab.ips(lab.plan.centre()) {
        eventually("the centre serves whom it knows", || {
            let answer = lab.curl(ip, &[], &["--cert", &cert, "--key", &key])?;
            holds(answer.status == 200, format!("{answer:?}"))
        })?;
    }
    Ok(())
}

pub(super) fn centre_says(lab: &Lab, right: impl Fn(&Https) -> bool) -> Done {
    for ip in lab.ips(lab.plan.centre()) {
        eventually("the centre answers as staged", || {
            let answer = lab.https(ip, &[])?;
            holds(right(&answer), format!("{answer:?}"))
        })?;
    }
    Ok(())
}

pub(super) fn curl_complains(lab: &Lab, words: &str) -> Done {
    centre_says(lab, |answer| answer.status == 0 && answer.error.contains(words))?;
    lab.reaches("the centre", lab.plan.centre())?;
    lab.resolvers_know()
}
