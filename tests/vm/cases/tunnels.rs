//! Tunnels of the kernel and of programs, each broken in five ways: what `diagnose` and the service call it, and when; and that a healthy one
//! gives no occasion to speak.
//!
//! The other end, the line and the centre are namespaces of the PC (`guest/tunnels`), so that each break is proved on both sides of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::Takes::Long;
use super::{Case, SOON, case, within};
use crate::Done;
use crate::daemon::{Ground, boot_ms, shown, word};
use crate::table::Got;

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("WireGuard of the kernel: up and idle", HEALTHY, Long, |ground| healthy(ground, &WIREGUARD)),
    case("WireGuard of the kernel: cable out", "link.no-carrier proven", Long, |ground| broken(ground, &WIREGUARD, &CABLE)),
    case("WireGuard of the kernel: port filtered", "no session, or a blocked port (both named)", Long, |ground| broken(ground, &WIREGUARD, &WIREGUARD_PORT)),
    case("WireGuard of the kernel: peer forgot our key", "no session, or a blocked port (both named)", Long, |ground| broken(ground, &WIREGUARD, &WIREGUARD_KEY)),
    case("WireGuard of the kernel: server gone", "vpn.server-unreachable proven", Long, |ground| broken(ground, &WIREGUARD, &AWAY)),
    case("WireGuard of the kernel: nothing behind it", "vpn.no-inner-path likely", Long, |ground| broken(ground, &WIREGUARD, &BEHIND)),
    case("PPP over L2TP: up and idle", HEALTHY, Long, |ground| healthy(ground, &L2TP)),
    case("PPP over L2TP: link under it down", "link.no-carrier proven", Long, |ground| broken(ground, &L2TP, &CABLE)),
    case("PPP over L2TP: route behind it gone", "route.captured proven", Long, |ground| broken(ground, &L2TP, &ROUTE)),
    case("PPP over L2TP: nothing behind it", "vpn.no-inner-path likely", Long, |ground| broken(ground, &L2TP, &BEHIND)),
    case("PPP over L2TP: password refused", "vpn.auth-failed likely", Long, |ground| broken(ground, &L2TP, &PASSWORD)),
    case("PPP over L2TP: peer killed", "vpn.server-unreachable likely", Long, |ground| broken(ground, &L2TP, &DEAD)),
    case("OpenVPN: up and idle", HEALTHY, Long, |ground| healthy(ground, &OPENVPN)),
    case("OpenVPN: port filtered", "vpn.port-blocked likely", Long, |ground| broken(ground, &OPENVPN, &OPENVPN_PORT)),
    case("OpenVPN: route behind it gone", "route.captured proven", Long, |ground| broken(ground, &OPENVPN, &ROUTE)),
    case("OpenVPN: certificate run out", "vpn.auth-failed, at least possible", Long, |ground| broken(ground, &OPENVPN, &CERTIFICATE)),
    case("OpenVPN: its device switched off", "vpn.client-failed likely", Long, |ground| broken(ground, &OPENVPN, &DEVICE)),
    case("OpenVPN: server killed", "vpn.server-unreachable likely", Long, |ground| broken(ground, &OPENVPN, &DEAD)),
];

const HEALTHY: &str = "connected, nothing told";
/// What a real PC has, on an emulated one: so many times that.
const SLOWER: i64 = 5;
/// Of `diagnose` where something is broken.
const DIAGNOSE_MS: i64 = 3_000 * SLOWER;
/// From the mend, proved by other means, to the end of the incident.
const RESOLVED_MS: i64 = 10_000 * SLOWER;
/// A tunnel comes up, or comes up again.
const UP: Duration = Duration::from_mins(2);
/// Nothing is told for so long of one that is well: it renews its session, and the agent looks at it at least twice.
const IDLE: Duration = Duration::from_secs(40);

struct Tunnel {
    kind: &'static str,
    /// What the configuration says of it.
    says: &'static str,
}

const WIREGUARD: Tunnel = Tunnel { kind: "wireguard", says: "interface = \"wg0\"\nserver = \"113.57.1.2:51820\"" };
const L2TP: Tunnel = Tunnel {
    kind: "l2tp",
    says: "interface = \"ppp*\"\nserver = \"113.57.1.2:1701\"\nprocess = \"xl2tpd\"\nlog = \"/var/log/tunnel.log\"",
};
const OPENVPN: Tunnel = Tunnel {
    kind: "openvpn",
    says: "interface = \"tun0\"\nserver = \"113.57.1.2:1194\"\nprocess = \"openvpn\"\nlog = \"/var/log/tunnel.log\"",
};

/// What is broken, and what has to be said of it, fixed beforehand.
struct Fault {
    what: &'static str,
    /// Right as the first cause.
    roots: &'static [&'static str],
    /// How sure of it at least.
    certainty: &'static str,
    /// Has to be among the causes.
    named: &'static str,
    /// May stand behind the first, and is never proven.
    also: &'static [&'static str],
    /// By when the service has told, on a real PC.
    goal_ms: i64,
}

/// The PC's own kernel tells at once.
const KERNEL_MS: i64 = 1_000;
/// The PC's own kernel knows, and nobody knows that it is wrong before two looks in vain.
const SILENT_MS: i64 = 6_000;
const VPN_MS: i64 = 15_000;
const BEYOND_MS: i64 = 20_000;

const CABLE: Fault =
    Fault { what: "cable", roots: &["link.no-carrier"], certainty: "proven", named: "link.no-carrier", also: &[], goal_ms: KERNEL_MS };
/// A server that never speaks to strangers: from this side its silence is that of a blocked port, and so soon after a handshake that of what lies behind.
const MUTE: &[&str] = &["vpn.tunnel-dead", "vpn.no-inner-path", "vpn.port-blocked"];
const WIREGUARD_PORT: Fault =
    Fault { what: "port", roots: MUTE, certainty: "likely", named: "vpn.port-blocked", also: MUTE, goal_ms: VPN_MS };
const WIREGUARD_KEY: Fault = Fault { what: "key", roots: MUTE, certainty: "likely", named: "vpn.tunnel-dead", also: MUTE, goal_ms: VPN_MS };
const AWAY: Fault = Fault {
    what: "away",
    roots: &["vpn.server-unreachable"],
    certainty: "proven",
    named: "vpn.server-unreachable",
    also: &[],
    goal_ms: VPN_MS,
};
const BEHIND: Fault = Fault {
    what: "behind",
    roots: &["vpn.no-inner-path"],
    certainty: "likely",
    named: "vpn.no-inner-path",
    also: &["centre.outage"],
    goal_ms: BEYOND_MS,
};
const ROUTE: Fault =
    Fault { what: "route", roots: &["route.captured"], certainty: "proven", named: "route.captured", also: &[], goal_ms: SILENT_MS };
const PASSWORD: Fault =
    Fault { what: "password", roots: &["vpn.auth-failed"], certainty: "likely", named: "vpn.auth-failed", also: &[], goal_ms: VPN_MS };
/// Its server, which refuses it, does not say so to a client whose certificate is of no use.
const CERTIFICATE: Fault = Fault { what: "certificate", certainty: "possible", also: &["vpn.client-failed"], ..PASSWORD };
const DEAD: Fault = Fault {
    what: "dead",
    roots: &["vpn.server-unreachable"],
    certainty: "likely",
    named: "vpn.server-unreachable",
    also: &["vpn.tunnel-dead"],
    goal_ms: VPN_MS,
};
const OPENVPN_PORT: Fault = Fault {
    what: "port",
    roots: &["vpn.port-blocked"],
    certainty: "likely",
    named: "vpn.port-blocked",
    also: &["vpn.tunnel-dead", "vpn.server-unreachable"],
    goal_ms: VPN_MS,
};
const DEVICE: Fault =
    Fault { what: "device", roots: &["vpn.client-failed"], certainty: "likely", named: "vpn.client-failed", also: &[], goal_ms: VPN_MS };

/// Both ends are up, the agent knows of it, has seen it work, and is at rest: each case of a tunnel begins there, and the first one makes it so.
fn lay(ground: &mut Ground<'_>, tunnel: &Tunnel) -> Done<Got> {
    ground.restore()?;
    let boot = ground.pc.must("cut -c1-8 /proc/sys/kernel/random/boot_id")?.out;
    let name = format!("{}-{boot}", tunnel.kind);
    if keep(ground, "loadvm", &name).is_ok() {
        ground.mark()?;
        return Ok(Got::default());
    }
    let got = laid(ground, tunnel)?;
    keep(ground, "savevm", &name)?;
    Ok(got)
}

/// Keeps the whole PC under this name, or makes it again what was kept.
fn keep(ground: &mut Ground<'_>, what: &str, name: &str) -> Done {
    let said = ground.pc.monitor("human-monitor-command", &json!({ "command-line": format!("{what} {name}") }))?;
    if said.as_str().is_none_or(|said| said.trim().is_empty()) {
        return Ok(());
    }
    ground.pc.monitor("cont", &json!({}))?;
    Err(format!("{what}: {said}"))
}

fn laid(ground: &mut Ground<'_>, tunnel: &Tunnel) -> Done<Got> {
    ground.stop()?;
    ground.pc.must(&format!("{SCRIPT} lay {}", tunnel.kind))?;
    ground.pc.until(&format!("{SCRIPT} works"), UP)?;
    // That a page takes long is the emulator's doing.
    let config = format!(
        "[terminal]\nname = \"Till\"\nkind = \"pharmacy\"\n[network]\naccess = \"vpn-over-internet\"\n\
         [[vpn]]\nname = \"tunnel\"\nkind = \"{}\"\n{}\ninside = \"10.30.0.1\"\n\
         [[centre]]\nname = \"settlement\"\nhost = \"js.centre.example\"\naddresses = [\"10.20.0.10\"]\nvia = \"tunnel\"\n\
         http = {{ url = \"http://js.centre.example:8080/\", status = [200], slow = \"3s\" }}\n[probe]\ntimeout = \"4s\"\n[web]\nlisten = \"off\"\n",
        tunnel.kind, tunnel.says
    );
    let enrolled = "isonet check-config && isonet enroll --update --by tests --reason tunnel";
    ground.pc.must(&format!("cat >/etc/isonet/isonet.toml <<'END'\n{config}END\n{enrolled}"))?;
    let mark = ground.mark()?;
    // It is given time to come to rest below, so that is not waited for here.
    ground.pc.must(ground.place.start())?;
    ground.wait("the agent's start", mark, |record| word(record, "/agent/event") == "started")?;
    let said = ground.pc.run(DIAGNOSE)?;
    let json = document(&said.out)?;
    if said.status != 0 || !causes(&json).is_empty() {
        return Err(format!("it is well, and was told otherwise: {}: {}", told(&json), said.out));
    }
    ground.nothing_but(&[], mark, IDLE)?;
    ground.pc.must(&format!("{SCRIPT} works"))?;
    Ok(Got::of(format!("connected, {} in {} ms; nothing told in {} s", told(&json), took_ms(&json), IDLE.as_secs())))
}

const SCRIPT: &str = "/run/deliver/tunnels";
/// With its own deadline of 10 s an emulated PC that is starved has nothing to show yet.
const DIAGNOSE: &str = "isonet diagnose --json --deadline 30s";

fn healthy(ground: &mut Ground<'_>, tunnel: &Tunnel) -> Done<Got> {
    let got = lay(ground, tunnel)?;
    ground.restore()?;
    Ok(got)
}

fn broken(ground: &mut Ground<'_>, tunnel: &Tunnel, fault: &Fault) -> Done<Got> {
    lay(ground, tunnel)?;
    let mark = ground.mark()?;
    let broken_at = at(ground.pc.must(&format!("{SCRIPT} break {} {}", fault.what, tunnel.kind))?.at_ms);
    ground.pc.until(&format!("{SCRIPT} shows {} {}", fault.what, tunnel.kind), SOON)?;
    let said = ground.pc.run(DIAGNOSE)?;
    let json = document(&said.out)?;
    let asked = told(&json);
    judge(fault, said.status, &json).map_err(|why| format!("diagnose: {why}; exit {}: {asked}\n{}", said.status, said.out))?;

    let patience = Duration::from_millis(u64::try_from(fault.goal_ms * SLOWER).unwrap_or(0)) + SOON;
    let record = ground.wait_within(patience, "a disconnection", mark, |record| disconnection(record, "opened"))?;
    let is_right = |record: &Value| fault.roots.contains(&word(record, "/cause/code"));
    // Until the far end has said no, it may guess.
    let named = if !is_right(&record) && word(&record, "/cause/certainty") == "possible" {
        ground.wait_within(patience, "its right name", mark, |record| disconnection(record, "updated") && is_right(record))?
    } else {
        record
    };
    let seen = word(&named, "/cause/code").to_owned();
    if !is_right(&named) {
        return Err(format!("the service says {seen}: {}", shown(ground.since(mark))));
    }
    let late = within(fault.goal_ms * SLOWER, boot_ms(&named) - broken_at)?;
    ground.pc.must(&format!("{SCRIPT} shows {0} {1} && {SCRIPT} mend {0} {1}", fault.what, tunnel.kind))?;
    let mended_at = at(ground.pc.until(&format!("{SCRIPT} works"), UP)?.at_ms);
    let over = ground.wait_within(RESOLVED + SOON, "its end", mark, |record| disconnection(record, "resolved"))?;
    let ended = within(RESOLVED_MS, (boot_ms(&over) - mended_at).max(0))?;
    let opened = ground.since(mark).iter().filter(|record| disconnection(record, "opened")).count();
    if opened != 1 {
        return Err(format!("{opened} incidents for one fault: {}", shown(ground.since(mark))));
    }
    ground.restore()?;
    Ok(Got::of(format!("{asked} in {} ms; the service: {seen}, over {ended} ms after the mend", took_ms(&json))).after(late))
}

const RESOLVED: Duration = Duration::from_millis(RESOLVED_MS.unsigned_abs());

/// Whether that is what had to be said.
fn judge(fault: &Fault, status: i32, json: &Value) -> Done {
    let causes = causes(json);
    let Some((first, certainty)) = causes.first() else { return Err("no cause".to_owned()) };
    let rank = |word: &str| ["possible", "likely", "proven"].iter().position(|known| *known == word);
    if status != 20 {
        return Err("not disconnected".to_owned());
    }
    if !fault.roots.contains(first) || rank(certainty) < rank(fault.certainty) {
        return Err(format!("due first: {} {}", fault.roots.join(" or "), fault.certainty));
    }
    if !causes.iter().any(|(cause, _)| *cause == fault.named) {
        return Err(format!("{} is not named", fault.named));
    }
    let strange = |(cause, certainty): &&(&str, &str)| !fault.also.contains(cause) || *certainty == "proven";
    if let Some((cause, certainty)) = causes[1..].iter().find(strange) {
        return Err(format!("{cause} {certainty} has no business here"));
    }
    let took = took_ms(json);
    within(DIAGNOSE_MS, took).map(drop)
}

fn document(text: &str) -> Done<Value> {
    serde_json::from_str(text).map_err(|e| format!("no diagnosis: {e}: {text}"))
}

fn took_ms(json: &Value) -> i64 {
    json.get("took_ms").and_then(Value::as_i64).unwrap_or(i64::MAX)
}

/// Code and certainty of each verdict, the first first.
fn causes(json: &Value) -> Vec<(&str, &str)> {
    let verdicts = json.get("verdicts").and_then(Value::as_array).into_iter().flatten();
    verdicts.map(|verdict| (word(verdict, "/cause"), word(verdict, "/certainty"))).collect()
}

fn told(json: &Value) -> String {
    let causes: Vec<String> = causes(json).iter().map(|(cause, certainty)| format!("{cause} {certainty}")).collect();
    if causes.is_empty() { "no cause".to_owned() } else { causes.join(" + ") }
}

fn disconnection(record: &Value, phase: &str) -> bool {
    word(record, "/incident/kind") == "disconnection" && word(record, "/incident/phase") == phase
}

fn at(at_ms: u64) -> i64 {
    i64::try_from(at_ms).unwrap_or(i64::MAX)
}
