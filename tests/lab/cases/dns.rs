//! Names: each way a resolver can fail the terminal while the path to the centre is fine.

use std::net::IpAddr;

use super::{Case, DIRECT, DIRECT_AND_OPENVPN, LEASED_AND_OPENVPN, as_nobody, by_name};
use crate::ask::{Ask, Centre};
use crate::check::{Dns, eventually, holds, is};
use crate::judge::{Certainty::Proven, Expect};
use crate::lab::{Lab, OUTER_RESOLVER, Place, Role};
use crate::shell::Done;

const TIMEOUT: Case = Case {
    name: "dns.timeout",
    on: DIRECT_AND_OPENVPN,
    stage: |lab| lab.filter(Place::Resolvers, "input", &["meta l4proto { tcp, udp } th dport 53 drop".to_owned()]),
    prove: |lab| resolver_says(lab, &Dns::Silence),
    ask: Ask::default,
    expect: Expect::broken(&["dns.timeout"], Proven),
};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "dns.no-resolver",
        on: DIRECT_AND_OPENVPN,
        stage: |lab| lab.resolv_conf("# none\n"),
        prove: |lab| {
            nobody_finds_it(lab)?;
            lab.resolvers_know()?;
            lab.settles()
        },
        ask: Ask::default,
        expect: Expect::broken(&["dns.no-resolver"], Proven),
    },
    TIMEOUT,
    Case { name: "dns.timeout/unprivileged", on: DIRECT, ask: as_nobody, ..TIMEOUT },
    Case {
        name: "dns.port-refused",
        on: DIRECT_AND_OPENVPN,
        stage: |lab| lab.end(Role::Dnsmasq),
        prove: |lab| resolver_says(lab, &Dns::Refused),
        ask: by_name,
        expect: Expect::broken(&["dns.port-refused"], Proven),
    },
    Case {
        name: "dns.servfail",
        on: DIRECT_AND_OPENVPN,
        stage: |lab| lab.dns_answers("dns-servfail"),
        prove: |lab| resolver_says(lab, &rcode("SERVFAIL")),
        ask: by_name,
        expect: Expect::broken(&["dns.servfail"], Proven),
    },
    Case {
        name: "dns.refused",
        on: LEASED_AND_OPENVPN,
        stage: |lab| lab.dns_answers("dns-refused"),
        prove: |lab| resolver_says(lab, &rcode("REFUSED")),
        ask: Ask::default,
        expect: Expect::broken(&["dns.refused"], Proven),
    },
    Case {
        name: "dns.nxdomain",
        on: LEASED_AND_OPENVPN,
        stage: |lab| lab.dns_answers("dns-name-gone"),
        prove: |lab| {
            resolver_says(lab, &rcode("NXDOMAIN"))?;
            eventually("the control name is still known", || {
                let found = lab.terminal().lookup(&lab.plan.control)?;
                holds(!found.is_empty(), "it is gone too")
            })
        },
        ask: Ask::default,
        expect: Expect::broken(&["dns.nxdomain"], Proven),
    },
    Case {
        name: "dns.hijacked",
        on: DIRECT_AND_OPENVPN,
        stage: |lab| lab.dns_answers("dns-hijack"),
        prove: |lab| {
            let mut lies = lab.lies();
            lies.sort_unstable();
            for name in [&lab.plan.name, &format!("no-such-thing.{}", lab.plan.zone)] {
                eventually("every name has the same wrong address", || is(&lab.terminal().lookup(name)?, &lies))?;
            }
            lab.settles()
        },
        ask: Ask::default,
        expect: Expect::broken(&["dns.hijacked"], Proven),
    },
    Case {
        name: "dns.wrong-resolver",
        on: LEASED_AND_OPENVPN,
        stage: |lab| {
            lab.open_internet()?;
            lab.resolv_conf(&format!("nameserver {OUTER_RESOLVER}\n"))
        },
        prove: |lab| {
            let outer: IpAddr = OUTER_RESOLVER.parse().expect("a literal address");
            eventually("the outer resolver denies the name", || is(&lab.terminal().ask(outer, &lab.plan.name, "A")?, &rcode("NXDOMAIN")))?;
            nobody_finds_it(lab)?;
            lab.resolvers_know()?;
            lab.settles()
        },
        ask: || Ask { resolvers: true, ..Ask::default() },
        expect: Expect::broken(&["dns.wrong-resolver"], Proven),
    },
    Case {
        name: "dns.slow",
        on: LEASED_AND_OPENVPN,
        stage: |lab| lab.dns_answers("dns-slow"),
        prove: |lab| {
            let begin = std::time::Instant::now();
            let said = lab.terminal().run(&["getent", "ahosts", &lab.plan.name])?;
            holds(begin.elapsed().as_millis() > 1200, format!("{} after {:?}", said.out, begin.elapsed()))?;
            lab.settles()
        },
        ask: by_name,
        expect: Expect { alone_and_mild: true, ..Expect::broken(&["dns.slow"], Proven).degraded() },
    },
    Case {
        name: "hosts.stale",
        on: DIRECT,
        stage: |lab| lab.hosts(lab.plan.dead_centre()),
        prove: |lab| {
            let mut stale = lab.ips(lab.plan.dead_centre());
            stale.sort_unstable();
            eventually("applications get the dead address", || is(&lab.terminal().lookup(&lab.plan.name)?, &stale))?;
            lab.misses("the dead address", lab.plan.dead_centre())?;
            lab.resolvers_know()?;
            lab.settles()
        },
        ask: || Ask { centre: Centre::NameAndAddresses, ..Ask::default() },
        expect: Expect::broken(&["hosts.stale"], Proven),
    },
];

fn rcode(name: &str) -> Dns {
    Dns::Rcode(name.to_owned())
}

/// Each configured resolver says this of the centre's name, still answers a ping, and the centre itself is fine.
fn resolver_says(lab: &Lab, wanted: &Dns) -> Done {
    for host in &lab.plan.resolvers()[..lab.plan.resolver_count] {
        eventually("the resolver fails as staged", || is(&lab.terminal().ask(lab.ip(*host), &lab.plan.name, "A")?, wanted))?;
        lab.reaches("the resolver", *host)?;
    }
    nobody_finds_it(lab)?;
    lab.settles()
}

fn nobody_finds_it(lab: &Lab) -> Done {
    eventually("applications do not find the centre", || is(&lab.terminal().lookup(&lab.plan.name)?, &Vec::new()))
}
