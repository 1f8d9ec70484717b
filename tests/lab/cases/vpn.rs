//! The VPN: client, server, what lies between, and the session itself.

use std::net::IpAddr;

use super::line::line_works;
use super::{Case, VPN, as_nobody};
use crate::ask::{Ask, Client, Inside, User};
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

const DEAD_WIREGUARD: Case = Case {
    name: "vpn.tunnel-dead/wireguard",
    on: &[Kind::WireGuard],
    stage: Lab::vpn_server_forgets,
    prove: |lab| {
        server_answers_outside(lab)?;
        tunnel_is_up_and_dead(lab)
    },
    ask: Ask::default,
    expect: Expect::broken(&["vpn.tunnel-dead", "vpn.no-inner-path"], Likely).or(&["vpn.port-blocked"]),
};

const NO_INNER_PATH: Case = Case {
    name: "vpn.no-inner-path",
    on: VPN,
    stage: |lab| lab.filter(Place::Edge, "forward", &["drop".to_owned()]),
    prove: |lab| {
        server_answers_outside(lab)?;
        lab.reaches("the tunnel's far end", lab.plan.tunnel_server())?;
        nobody_behind(lab)
    },
    ask: Ask::default,
    expect: Expect::broken(&["vpn.no-inner-path"], Likely).or(&["centre.outage"]),
};

/// The session lives, and of its far end not even the tunnel's own address answers.
const MUTE_FAR_END: Case = Case {
    name: "vpn.no-inner-path/far-end-mute",
    on: &[Kind::OpenVpn, Kind::OpenConnect, Kind::Ipsec],
    stage: |lab| lab.filter(Place::Edge, "prerouting", &["iifname != { wan, dns, centre, lo } drop".to_owned()]),
    prove: |lab| {
        server_answers_outside(lab)?;
        tunnel_is_up_and_dead(lab)?;
        nobody_behind(lab)
    },
    ask: Ask::default,
    // Now and then a multicast of the far end's own kernel comes through just then: it is as if all services behind were dead.
    expect: Expect::broken(&["vpn.no-inner-path", "vpn.tunnel-dead"], Likely).or(&["vpn.port-blocked", "centre.outage"]),
};

const NAME_UNRESOLVED: Case = Case {
    name: "vpn.server-name-unresolved",
    on: &[Kind::OpenVpn],
    stage: |lab| {
        lab.end(Role::OuterResolver)?;
        by_an_unknown_name(lab)
    },
    prove: |lab| {
        let resolver = OUTER_RESOLVER.parse().expect("a literal address");
        eventually("the outer resolver refuses", || is(&lab.terminal().ask(resolver, VPN_NAME, "A")?, &Dns::Refused))?;
        no_tunnel(lab)?;
        server_answers_outside(lab)
    },
    ask: || Ask { vpn: Client::ServerByName, ..Ask::default() },
    expect: Expect::broken(&["vpn.server-name-unresolved"], Proven),
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
        on: &[Kind::OpenVpn, Kind::OpenConnect, Kind::Ipsec],
        stage: block_port,
        prove: |lab| {
            server_answers_outside(lab)?;
            tunnel_is_up_and_dead(lab)
        },
        ask: Ask::default,
        expect: Expect::broken(&["vpn.port-blocked"], Likely).or(&["vpn.tunnel-dead", "vpn.server-unreachable"]),
    },
    // This server never speaks to strangers: a blocked port and a dead session look the same. The client was started behind the block.
    Case {
        name: "vpn.port-blocked/mute-kinds",
        on: &[Kind::WireGuard],
        stage: |lab| {
            block_port(lab)?;
            lab.restart_client()
        },
        prove: |lab| {
            server_answers_outside(lab)?;
            tunnel_is_up_and_dead(lab)
        },
        ask: Ask::default,
        expect: Expect::broken(&["vpn.port-blocked", "vpn.tunnel-dead"], Likely),
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
        stage: |lab| {
            lab.vpn_server_forgets()?;
            lab.restart_client()
        },
        expect: Expect::broken(&["vpn.tunnel-dead"], Likely).or(&["vpn.port-blocked"]),
        ..DEAD_WIREGUARD
    },
    // Both ends shook hands a moment ago: nobody here can tell whether the session or what lies behind it has died since.
    Case { name: "vpn.tunnel-dead/wireguard-just-now", ..DEAD_WIREGUARD },
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
    // The server ends the session, and its client goes away with it. Why it was ended only history could tell.
    Case {
        name: "vpn.not-started/ended-by-the-server",
        on: &[Kind::OpenConnect],
        stage: |lab| {
            // A client that has just come up is not yet on the server's list.
            lab.settles()?;
            lab.ocserv_disconnects()
        },
        prove: |lab| {
            log_says(lab, "erver disconnect")?;
            no_tunnel(lab)
        },
        ask: logged,
        expect: Expect::broken(&["vpn.not-started"], Proven).beside(&["vpn.kicked", "vpn.idle-timeout"]),
    },
    // The same, and somebody has connected again: what the log tells of the old session is over.
    Case {
        name: "healthy/after-a-session-that-the-server-ended",
        on: &[Kind::OpenConnect],
        stage: |lab| {
            lab.settles()?;
            lab.ocserv_disconnects()?;
            no_tunnel(lab)?;
            let told = std::fs::read_to_string(lab.log(Role::VpnClient)).map_err(|e| format!("cannot read the client's log: {e}"))?;
            lab.restart_client()?;
            lab.settles()?;
            // The log of one that reconnects by itself goes on where the old session ended.
            let log = lab.log(Role::VpnClient);
            let since = std::fs::read_to_string(&log).map_err(|e| format!("cannot read the client's log: {e}"))?;
            std::fs::write(&log, told + &since).map_err(|e| format!("cannot write the client's log: {e}"))
        },
        prove: Lab::prove_healthy,
        ask: logged,
        expect: Expect::HEALTHY,
    },
    // The operator swallows whatever has lost its tunnel: only the outer resolver's own word tells that the line carries.
    NAME_UNRESOLVED,
    Case {
        name: "vpn.server-name-unresolved/unprivileged",
        ask: || Ask { user: User::Nobody, ..(NAME_UNRESOLVED.ask)() },
        ..NAME_UNRESOLVED
    },
    Case {
        name: "vpn.server-name-unresolved/resolver-silent",
        stage: |lab| {
            lab.filter(Place::Internet, "input", &["meta l4proto { tcp, udp } th dport 53 drop".to_owned()])?;
            by_an_unknown_name(lab)
        },
        prove: |lab| {
            let resolver = OUTER_RESOLVER.parse().expect("a literal address");
            eventually("the outer resolver is silent", || is(&lab.terminal().ask(resolver, VPN_NAME, "A")?, &Dns::Silence))?;
            no_tunnel(lab)?;
            server_answers_outside(lab)
        },
        // Nothing that may be asked gives a sign: it may as well be the line.
        expect: Expect::broken(&["line.down", "vpn.server-name-unresolved"], Likely),
        ..NAME_UNRESOLVED
    },
    NO_INNER_PATH,
    Case { name: "vpn.no-inner-path/unprivileged", ask: as_nobody, ..NO_INNER_PATH },
    Case { name: "vpn.no-inner-path/inside-is-behind", ask: || Ask { inside: Inside::Behind, ..Ask::default() }, ..NO_INNER_PATH },
    // The far end says so itself.
    Case {
        name: "vpn.no-inner-path/no-route-behind",
        stage: |lab| lab.filter(Place::Edge, "forward", &["reject with icmpx type no-route".to_owned()]),
        ..NO_INNER_PATH
    },
    MUTE_FAR_END,
    // WireGuard's handshake tells that the session lives.
    Case {
        name: "vpn.no-inner-path/far-end-mute-session-fresh",
        on: &[Kind::WireGuard],
        expect: Expect::broken(&["vpn.no-inner-path"], Likely).or(&["vpn.tunnel-dead", "vpn.port-blocked"]),
        ..MUTE_FAR_END
    },
    // One service dead behind a living tunnel is that service's own fault.
    Case {
        name: "vpn.no-inner-path/twin-dead-centre",
        stage: |lab| lab.filter(Place::Centre, "input", &["drop".to_owned()]),
        prove: |lab| {
            lab.reaches("the tunnel's far end", lab.plan.tunnel_server())?;
            lab.reaches("the resolver", lab.plan.resolvers()[0])?;
            lab.misses("the centre", lab.plan.centre())
        },
        expect: Expect::broken(&["centre.outage"], Likely).or(&["centre.cut-off"]),
        ..NO_INNER_PATH
    },
    // Nothing is known of such a client but what enrolment learned: who holds its tunnel.
    Case {
        name: "vpn.not-started/learned-client",
        on: &[Kind::OpenVpn, Kind::OpenConnect, Kind::Ipsec],
        stage: |lab| {
            lab.enroll()?;
            lab.end(Role::VpnClient)
        },
        ask: || Ask { vpn: Client::Commercial, enrolled: true, ..Ask::default() },
        expect: Expect::broken(&["vpn.not-started"], Likely),
        ..NOT_STARTED
    },
    Case {
        name: "healthy/learned-client",
        on: &[Kind::OpenVpn, Kind::OpenConnect, Kind::Ipsec],
        stage: Lab::enroll,
        prove: Lab::prove_healthy,
        ask: || Ask { vpn: Client::Commercial, enrolled: true, ..Ask::default() },
        expect: Expect::HEALTHY,
    },
    // The kernel here has no PPP: a tun device of that name shows what becomes of a pattern.
    Case {
        name: "healthy/ppp-of-another-number",
        on: &[Kind::OpenVpn],
        stage: |lab| renumbered(lab, "ppp3"),
        prove: |lab| {
            tunnel_is_called(lab, "ppp3")?;
            lab.settles()
        },
        ask: ppp,
        expect: Expect::HEALTHY,
    },
    Case {
        name: "vpn.tunnel-dead/ppp",
        on: &[Kind::OpenVpn],
        stage: |lab| {
            renumbered(lab, "ppp4")?;
            tunnel_is_called(lab, "ppp4")?;
            lab.vpn_server_forgets()
        },
        prove: |lab| {
            server_answers_outside(lab)?;
            tunnel_is_called(lab, "ppp4")?;
            lab.misses("the tunnel's far end", lab.plan.tunnel_server())?;
            lab.misses("the centre", lab.plan.centre())
        },
        ask: ppp,
        expect: Expect::broken(&["vpn.tunnel-dead"], Likely).or(&["vpn.no-inner-path", "vpn.port-blocked"]),
    },
    Case {
        name: "vpn.not-started/ppp",
        on: &[Kind::OpenVpn],
        ask: ppp,
        expect: Expect::broken(&["vpn.not-started"], Likely),
        ..NOT_STARTED
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

fn ppp() -> Ask {
    Ask { vpn: Client::Ppp, ..Ask::default() }
}

/// The client's tunnel comes back under another name.
fn renumbered(lab: &mut Lab, name: &str) -> Done {
    let client = ["--dev", name, "--dev-type", "tun"].map(str::to_owned).to_vec();
    lab.vpn_with(VpnWords { client, ..VpnWords::default() }, false)
}

fn tunnel_is_called(lab: &Lab, name: &str) -> Done {
    eventually(&format!("the tunnel is called {name} and has an address"), || {
        let said = lab.terminal().try_run(&["ip", "-o", "-4", "addr", "show", "dev", name])?;
        holds(said.ok() && said.out.contains(name), said.out)
    })
}

/// The terminal looks its VPN server up outside, where nobody knows it.
fn by_an_unknown_name(lab: &mut Lab) -> Done {
    lab.resolv_conf(&format!("nameserver {OUTER_RESOLVER}\n"))?;
    lab.change(Place::Isp, "route replace blackhole 10.0.0.0/8\n", "route del 10.0.0.0/8\n")?;
    lab.vpn_with(VpnWords { remote: Some(VPN_NAME.to_owned()), ..VpnWords::default() }, false)
}

fn nobody_behind(lab: &Lab) -> Done {
    lab.misses("the resolver", lab.plan.resolvers()[0])?;
    lab.misses("the centre", lab.plan.centre())
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
