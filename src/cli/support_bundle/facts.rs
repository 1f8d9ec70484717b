//! The PC around isonet: versions, links, addresses, routes, resolvers, rights, and the unit's own files. Nothing of what people or other programs
//! keep there.

use super::super::runtime;
use crate::bundle::Bundle;
use crate::catalogue::Lang;
use crate::config::Config;
use crate::sys::caps::{Capabilities, Capability};
use crate::sys::netlink::{self, Snapshot};
use crate::sys::resolv::{self, Places};
use crate::sys::{clock, files, proc};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Largest file of the system that is read, bytes.
const LARGEST: u64 = 64 << 10;
/// Files of the unit.
const MOST_UNITS: usize = 20;
/// Where a unit and what is added to it may lie.
const UNITS: [&str; 5] =
    ["/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// Facts of this PC. `Err` = none at all, and why.
pub(super) fn environment(config: &Config, state: Option<&Path>) -> Result<Value, String> {
    let snapshot = runtime().map_err(|status| format!("status {status}"))?.block_on(netlink::snapshot());
    let Snapshot { links, addresses, routes, neighbours } = snapshot;
    let neighbours: Vec<String> = neighbours
        .ok()
        .into_iter()
        .flatten()
        .map(|entry| format!("{} {} {} {:?}", entry.link, entry.address, entry.mac.as_deref().unwrap_or("-"), entry.state))
        .collect();
    Ok(json!({
        "isonet": { "version": env!("CARGO_PKG_VERSION"), "program": std::env::current_exe().ok() },
        "system": system(),
        "process": process(),
        "clock": clock::stamp(),
        "time_zone": crate::baseline::time_zone_now(),
        "machine_id": { "is_known": crate::baseline::machine_id_hash().is_some() },
        "disk": state.map(room),
        "links": links,
        "addresses": addresses,
        "routes": routes,
        "neighbours": neighbours,
        "resolvers": resolv::resolvers(&Places::default()),
        "hosts_entries": hosts(config),
    }))
}

fn system() -> Value {
    let word = |path: &str| files::read_word(Path::new(path));
    let lines = |path: &str, wanted: &[&str]| {
        let text = files::read_text(Path::new(path), LARGEST).unwrap_or_default();
        let pair = |line: &str| {
            let (key, value) = line.split_once(['=', ':'])?;
            wanted.contains(&key).then(|| (key.to_owned(), value.trim().trim_matches('"').to_owned()))
        };
        text.lines().filter_map(pair).collect::<BTreeMap<_, _>>()
    };
    json!({
        "distribution": lines("/etc/os-release", &["ID", "VERSION_ID", "PRETTY_NAME", "VERSION_CODENAME"]),
        "kernel": word("/proc/sys/kernel/osrelease"),
        "build": word("/proc/sys/kernel/version"),
        "architecture": std::env::consts::ARCH,
        "systemd": proc::systemd_version(),
        "host_name": word("/proc/sys/kernel/hostname"),
        "uptime": word("/proc/uptime"),
        "memory": lines("/proc/meminfo", &["MemTotal", "MemAvailable", "SwapTotal", "SwapFree"]),
        "load": word("/proc/loadavg"),
        "product": word("/sys/class/dmi/id/product_name"),
        "ping_group_range": word("/proc/sys/net/ipv4/ping_group_range"),
        "ip_forward": word("/proc/sys/net/ipv4/ip_forward"),
    })
}

/// What this process may, as which user.
fn process() -> Value {
    let own = Capabilities::of_this_process();
    let held: Vec<&str> =
        [Capability::NetRaw, Capability::NetAdmin].into_iter().filter(|one| own.has(*one)).map(Capability::name).collect();
    json!({ "user": rustix::process::geteuid().as_raw(), "group": rustix::process::getegid().as_raw(), "capabilities": held })
}

/// Where the records live: room, and whether it may be written.
fn room(state: &Path) -> Value {
    match rustix::fs::statvfs(state) {
        Ok(disk) => {
            json!({ "path": state, "bytes_free": disk.f_bavail * disk.f_frsize, "bytes": disk.f_blocks * disk.f_frsize, "files_free": disk.f_favail })
        }
        Err(error) => json!({ "path": state, "error": error.to_string() }),
    }
}

/// Of the hosts file only the names that the configuration speaks of.
fn hosts(config: &Config) -> BTreeMap<String, Vec<std::net::IpAddr>> {
    let names = config.centres.iter().map(|centre| centre.host.clone()).chain(config.dns.names.clone());
    names
        .filter_map(|name| Some((name.clone(), resolv::hosts(&Places::default(), &name).ok()?)))
        .filter(|(_, found)| !found.is_empty())
        .collect()
}

/// The unit and what is added to it: name and text.
pub(super) fn units(bundle: &mut Bundle, lang: Lang) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    // /lib is /usr/lib on most systems: each file once.
    let mut seen = Vec::new();
    for place in UNITS.map(Path::new) {
        let drop_ins = std::fs::read_dir(place.join("isonet.service.d")).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut paths: Vec<_> = drop_ins.filter(|path| path.extension().is_some_and(|end| end == "conf")).collect();
        paths.sort();
        for path in std::iter::once(place.join("isonet.service")).chain(paths) {
            let Ok(real) = path.canonicalize() else { continue };
            if found.len() >= MOST_UNITS || seen.contains(&real) {
                continue;
            }
            seen.push(real);
            let name = path.display().to_string().trim_start_matches('/').replace('/', "-");
            match files::read_text(&path, LARGEST) {
                Ok(text) => found.push((name, text)),
                Err(error) => bundle.lack(&format!("unit/{name}"), error.line()),
            }
        }
    }
    if found.is_empty() {
        bundle.lack("unit/isonet.service", lang.pick("没有安装 isonet.service", "isonet.service is not installed").to_owned());
    }
    found
}
