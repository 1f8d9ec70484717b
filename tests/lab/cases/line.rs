//! Gateway and line: the shop's router and the operator behind it.

use super::{ANYWHERE, Case, DIRECT, LEASED, LEASED_AND_OPENVPN, as_nobody};
use crate::ask::{Ask, Page};
use crate::check::{Echo, eventually, holds, is};
use crate::judge::{
    Certainty::{Likely, Proven},
    Expect,
};
use crate::lab::{Lab, Place, Role};
use crate::peers::{PLAIN, PORTAL_NAMES, PORTAL_PAGE, SECOND_CENTRE};
use crate::plan::Host;
use crate::shell::Done;

const GATEWAY: Case = Case {
    name: "gateway.unreachable",
    on: ANYWHERE,
    stage: |lab| lab.link_down(Place::Shop, "lan"),
    prove: |lab| {
        super::link::link_shows(lab, &["LOWER_UP"])?;
        lab.misses("the gateway", lab.plan.gateway)?;
        lab.misses("the centre", lab.plan.centre())
    },
    ask: Ask::default,
    expect: Expect::broken(&["gateway.unreachable"], Proven),
};

/// The router has lost its uplink and says so to every packet.
const TOLD: Case = Case {
    name: "line.down/told",
    on: ANYWHERE,
    stage: |lab| {
        lab.link_down(Place::Isp, "shop")?;
        lab.filter(Place::Shop, "forward", &["reject with icmpx type no-route".to_owned()])
    },
    // Proved from the PC beside, not to use up what the terminal is granted.
    prove: |lab| {
        lab.reaches("the gateway", lab.plan.gateway)?;
        for ip in beyond(lab).ips(lab.plan.families) {
            eventually("the gateway says that it has no way", || {
                let echo = lab.at(Place::Switch).ping(ip)?;
                let told = matches!(&echo, Echo::Told(who, _) if is_gateway(lab, who));
                holds(told, format!("{echo:?}"))
            })?;
        }
        Ok(())
    },
    ask: Ask::default,
    expect: Expect::broken(&["line.down"], Proven),
};

pub(super) const CASES: &[Case] = &[
    GATEWAY,
    // Without CAP_NET_RAW nobody can ask the gateway by ARP: two honest candidates.
    Case {
        name: "gateway.unreachable/unprivileged",
        on: DIRECT,
        ask: as_nobody,
        expect: Expect::broken(&["gateway.unreachable", "line.down"], Likely),
        ..GATEWAY
    },
    TOLD,
    // What a plain Linux router does: five such errors to each sender, then one a second, shared by all that the terminal and
    // its VPN client send. Whether the product hears one in time is luck; that it is the line is not.
    Case {
        name: "line.down/told-sparingly",
        stage: |lab| lab.link_down(Place::Shop, "wan"),
        expect: Expect::broken(&["line.down"], Proven).at_least(Likely).or(&["vpn.server-unreachable", "centre.outage"]),
        ..TOLD
    },
    Case {
        name: "line.down/silent",
        on: ANYWHERE,
        stage: |lab| lab.filter(Place::Shop, "forward", &["drop".to_owned()]),
        prove: |lab| {
            lab.reaches("the gateway", lab.plan.gateway)?;
            for ip in beyond(lab).ips(lab.plan.families) {
                eventually("nothing behind the gateway answers", || is(&lab.terminal().ping(ip)?, &Echo::Silence))?;
            }
            lab.misses("the centre", lab.plan.centre())
        },
        ask: Ask::default,
        expect: Expect::broken(&["line.down"], Likely).or(&["vpn.server-unreachable", "centre.outage"]),
    },
    // The router answers for every address, also for those that its dead line leads to.
    Case {
        name: "line.down/router-answers-for-all",
        on: LEASED,
        stage: |lab| {
            lab.only_v4()?;
            let (nic, centre) = (lab.plan.nic, lab.plan.centre().v4);
            let wide = std::net::Ipv4Addr::from(u32::from(centre) ^ 0x80);
            lab.at(Place::Shop).sysctl(&["net.ipv4.conf.lan.proxy_arp=1", "net.ipv4.neigh.lan.proxy_delay=0"])?;
            lab.later(|lab| lab.at(Place::Shop).sysctl(&["net.ipv4.conf.lan.proxy_arp=0"]));
            lab.filter(Place::Shop, "forward", &["drop".to_owned()])?;
            let lines = format!("addr flush dev {nic}\naddr add {wide}/8 dev {nic}\n");
            lab.change(Place::Terminal, &lines, &format!("addr del {wide}/8 dev {nic}\n"))
        },
        prove: |lab| {
            let centre = lab.plan.centre().v4.to_string();
            let said = lab.terminal().run(&["arping", "-c1", "-w2", "-I", lab.plan.nic, &centre])?;
            let router = super::link::mac(lab, Place::Shop, "lan")?;
            holds(said.out.to_lowercase().contains(&router), said.out)?;
            lab.misses("the centre", lab.plan.centre())
        },
        ask: || Ask { centre: crate::ask::Centre::Address, ..Ask::default() },
        expect: Expect::broken(&["line.down"], Likely).or(&["centre.outage"]),
    },
    Case {
        name: "line.loss",
        on: LEASED_AND_OPENVPN,
        stage: lossy,
        prove: loses_much,
        ask: Ask::default,
        // A page that has begun and not ended when time is up is no verdict on the service.
        expect: Expect { either: true, status: &[10, 20, 40], ..Expect::broken(&["line.loss"], Proven).at_least(Likely) },
    },
    Case {
        name: "line.portal/page",
        on: LEASED,
        stage: |lab| portal(lab, Names::Through),
        prove: portal_shows,
        ask: plain,
        expect: Expect::broken(&["line.portal"], Likely),
    },
    // Its page is no sign that the centre lives, whose other port is silent.
    Case {
        name: "line.portal/page-beside-service",
        on: LEASED,
        stage: |lab| portal(lab, Names::Through),
        prove: portal_shows,
        ask: || Ask { page: Page::PlainBesideService, ..Ask::default() },
        expect: Expect::broken(&["line.portal"], Likely),
    },
    // The forged names are the portal's own doing.
    Case {
        name: "line.portal/page-and-names",
        on: LEASED,
        stage: |lab| portal(lab, Names::Forged),
        prove: portal_shows,
        ask: plain,
        expect: Expect::broken(&["line.portal"], Likely),
    },
    // Only the second centre has a page that a portal can show; the first one's TLS just fails.
    Case {
        name: "line.portal/seen-by-one-of-two",
        on: LEASED,
        stage: |lab| {
            portal(lab, Names::Through)?;
            lab.nat(Place::Shop, &format!("iifname \"lan\" tcp dport {SECOND_CENTRE} redirect to :{PORTAL_PAGE}"))
        },
        prove: |lab| {
            portal_shows(lab)?;
            lab.port_is(lab.plan.centre(), lab.plan.https, &crate::check::Tcp::Silence)
        },
        ask: || Ask { more: super::second_centre, ..Ask::default() },
        expect: Expect::broken(&["line.portal"], Likely),
    },
];

/// The operator's router drops two packets in five, each way.
pub(super) fn lossy(lab: &mut Lab) -> Done {
    lab.filter(Place::Isp, "forward", &["numgen random mod 100 < 40 drop".to_owned()])
}

pub(super) fn loses_much(lab: &Lab) -> Done {
    let far = lab.plan.isp_edge.host(2).ips(lab.plan.outer_families())[0].to_string();
    eventually("a good part of the packets is lost, not all", || {
        let said = lab.terminal().try_run(&["ping", "-n", "-q", "-c40", "-i0.02", "-W1", &far])?;
        let lost = said.out.split("% packet loss").next().and_then(|t| t.rsplit(' ').next()).and_then(|n| n.parse::<f64>().ok());
        holds(lost.is_some_and(|lost| (30.0..95.0).contains(&lost)), said.out)
    })?;
    lab.reaches("the operator's router", lab.plan.shop_isp.host(2))
}

/// What a portal does with the shop's look-ups.
#[derive(Clone, Copy)]
pub(super) enum Names {
    /// Lets them through.
    Through,
    /// Answers each with its own address.
    Forged,
}

/// The shop's router lets nothing else through, and shows a login for every page.
pub(super) fn portal(lab: &mut Lab, names: Names) -> Done {
    lab.with(Role::Portal)?;
    let rules = ["meta l4proto { tcp, udp } th dport 53 accept", "meta l4proto { tcp, udp } th sport 53 accept", "drop"];
    lab.filter(Place::Shop, "forward", &rules.map(str::to_owned))?;
    if matches!(names, Names::Forged) {
        lab.nat(Place::Shop, &format!("iifname \"lan\" meta l4proto {{ tcp, udp }} th dport 53 redirect to :{PORTAL_NAMES}"))?;
    }
    lab.nat(Place::Shop, &format!("iifname \"lan\" tcp dport {PLAIN} redirect to :{PORTAL_PAGE}"))
}

pub(super) fn portal_shows(lab: &Lab) -> Done {
    let url = format!("http://{}/health", lab.plan.name);
    eventually("the centre's page is a login page", || {
        let said = lab.terminal().try_run(&["curl", "-sS", "-m2", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", &url])?;
        holds(said.out.starts_with("302 ") && said.out.ends_with("/login"), format!("{}{}", said.out, said.err))
    })?;
    lab.reaches("the gateway", lab.plan.gateway)?;
    lab.misses("the centre", lab.plan.centre())
}

pub(super) fn plain() -> Ask {
    Ask { page: Page::Plain, ..Ask::default() }
}

/// The first thing beyond the operator: the centre's own router, or the VPN server.
fn beyond(lab: &Lab) -> Host {
    lab.plan.isp_edge.host(2)
}

/// One of the shop router's addresses, on either side.
fn is_gateway(lab: &Lab, who: &str) -> bool {
    [lab.plan.gateway, lab.plan.shop_isp.host(1)].iter().flat_map(|host| lab.ips(*host)).any(|ip| ip.to_string() == who)
}

/// The operator's first router still answers.
pub(super) fn line_works(lab: &Lab) -> Done {
    lab.reaches("the gateway", lab.plan.gateway)?;
    lab.reaches("the operator's router", lab.plan.shop_isp.host(2))
}
