//! The package on a clean system: how soon it watches, what it is allowed, where it listens.

use super::Takes::Little;
use super::{Case, case};
use crate::Done;
use crate::daemon::Ground;
use crate::place::natively;
use crate::table::Got;

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("package installed", "watches within 2 s; status works", Little, installed),
    case("unit in the sandbox", "nothing to complain of; exposure at most 2.5", Little, unit),
    case("sockets", "control.sock and public.sock, and nothing else that listens", Little, sockets),
];

/// 2 s, by a processor that may be emulated on a busy machine.
const WATCHES_MS: i64 = 10_000;

fn installed(ground: &mut Ground<'_>) -> Done<Got> {
    let install = ground.install.ok_or("nothing was installed")?;
    let (ready, started) = (install.start.1 - install.took.1, install.start.1 - install.start.0);
    let enabled = ground.pc.must("systemctl is-enabled isonet; systemctl is-active isonet")?.out;
    let status = ground.pc.must("isonet --lang en status")?.out;
    let json: serde_json::Value =
        serde_json::from_str(&ground.pc.must("isonet status --json")?.out).map_err(|e| format!("no status: {e}"))?;
    if enabled != "enabled\nactive" || !json.is_object() || status.is_empty() {
        return Err(format!("{enabled}: {status}"));
    }
    let told = format!("installed in {} ms, ready {started} ms after the service manager began", install.took.1 - install.took.0);
    if started > WATCHES_MS || ready > WATCHES_MS {
        return Err(format!("{told}, {ready} ms after the installation"));
    }
    Ok(Got::of(told).after(ready.max(0)))
}

fn unit(ground: &mut Ground<'_>) -> Done<Got> {
    let verified = ground.pc.must(&natively("systemd-analyze verify --man=no isonet.service"))?.out;
    if !verified.is_empty() {
        return Err(format!("verify: {verified}"));
    }
    let judged = ground.pc.must(&natively("systemd-analyze security --no-pager isonet.service"))?.out;
    let overall = judged.lines().find_map(|line| line.split("isonet.service:").nth(1)).unwrap_or_default().trim().to_owned();
    let exposure: f64 =
        overall.split_whitespace().next().and_then(|word| word.parse().ok()).ok_or_else(|| format!("no figure in {judged}"))?;
    if exposure <= 2.5 { Ok(Got::of(format!("exposure {overall}"))) } else { Err(format!("exposure {overall}\n{judged}")) }
}

/// Names and addresses of the sockets at which the processes of the service's control group wait. A datagram socket without a name only speaks.
const LISTENS: &str = "own=$(tr '\\n' '|' </sys/fs/cgroup/system.slice/isonet.service/cgroup.procs); \
     for kind in -x -t -u -w -d --vsock --sctp; do ss -Hlnp $kind; done 2>/dev/null | grep -E \"pid=(${own%|}),\" | \
     awk '!($1 == \"u_dgr\" && $2 == \"UNCONN\" && $5 == \"*\") { print $1 == \"u_str\" || $1 == \"u_dgr\" ? $5 : $0 }' | sort -u";
/// A port of its own, in the service's control group.
const INTRUDER: &str = "cd /sys/fs/cgroup/system.slice/isonet.service && (sh -c 'echo $$ >cgroup.procs; echo $$ >/run/intruder; \
     exec nc -l -p 4999' </dev/null >/dev/null 2>&1 &) && until netstat -ltn | grep -q 4999; do sleep 0.1; done";

fn sockets(ground: &mut Ground<'_>) -> Done<Got> {
    let said = ground.pc.must(&natively(LISTENS))?.out;
    let listens: Vec<&str> = said.lines().map(str::trim).collect();
    if listens != ["/run/isonet/control.sock", "/run/isonet/public.sock"] {
        return Err(said);
    }
    // Whoever looks so sees what is there.
    ground.pc.must(INTRUDER)?;
    let intruded = ground.pc.must(&natively(LISTENS))?.out;
    ground.pc.must("kill $(cat /run/intruder)")?;
    if intruded.contains(":4999") {
        Ok(Got::of(listens.join(", ")))
    } else {
        Err(format!("a port that was opened is not seen: {intruded}"))
    }
}
