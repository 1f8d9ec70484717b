//! Peers that send rubbish: any honest answer is right, as long as it comes in time and in form.

use super::{Case, LEASED};
use crate::ask::Ask;
use crate::check::{Dns, eventually, holds};
use crate::judge::Expect;
use crate::lab::Lab;
use crate::peers::Front;
use crate::shell::Done;

const ANY: Expect = Expect { any: true, ..Expect::HEALTHY };

pub(super) const CASES: &[Case] = &[
    Case {
        name: "hostile/dns-garbage",
        on: LEASED,
        stage: |lab| lab.dns_answers("dns-garbage"),
        prove: |lab| {
            let resolver = lab.ip(lab.plan.resolvers()[0]);
            eventually("dig gets no answer it understands", || {
                let answer = lab.terminal().ask(resolver, &lab.plan.name, "A")?;
                holds(!matches!(answer, Dns::Addresses(_)), format!("{answer:?}"))
            })
        },
        ask: super::by_name,
        expect: ANY,
    },
    Case {
        name: "hostile/dns-slow",
        on: LEASED,
        stage: |lab| lab.dns_answers("dns-slow"),
        prove: Lab::settles,
        ask: super::by_name,
        expect: ANY,
    },
    Case {
        name: "hostile/tls-noise",
        on: LEASED,
        stage: |lab| lab.front(Front::Noise),
        prove: |lab| curl_fails(lab, "SSL"),
        ask: Ask::default,
        expect: ANY,
    },
    Case {
        name: "hostile/tls-closed-at-once",
        on: LEASED,
        stage: |lab| lab.front(Front::AcceptClose),
        prove: |lab| curl_fails(lab, ""),
        ask: Ask::default,
        expect: ANY,
    },
    Case {
        name: "hostile/http-drip",
        on: LEASED,
        stage: |lab| lab.front(Front::Drip),
        prove: |lab| curl_fails(lab, "timed out"),
        ask: Ask::default,
        expect: ANY,
    },
    Case {
        name: "hostile/http-flood",
        on: LEASED,
        stage: |lab| lab.front(Front::Flood),
        prove: |lab| lab.reaches("the centre", lab.plan.centre()),
        ask: Ask::default,
        expect: ANY,
    },
    Case {
        name: "hostile/resolv-conf",
        on: LEASED,
        stage: |lab| {
            let mut text = "nameserver\nnameserver 999.1.1.1\nnameserver ::\noptions timeout:99999 attempts:-7\n".to_owned();
            text.push_str(&"search a.invalid \u{0}\u{fffd}\u{7}\n".repeat(3000));
            lab.resolv_conf(&text)
        },
        prove: Lab::settles,
        ask: Ask::default,
        expect: ANY,
    },
];

fn curl_fails(lab: &Lab, words: &str) -> Done {
    let answer = lab.https(lab.ip(lab.plan.centre()), &[])?;
    holds(!answer.error.is_empty() && answer.error.contains(words), format!("{answer:?}"))
}
