//! Who holds a tunnel interface: a process with an open descriptor of `/dev/net/tun` whose `fdinfo` names the interface.

use super::files::Root;
use super::{Owner, Seen};
use crate::model::{IfName, Unseen};
use std::path::PathBuf;

/// Descriptors of one process that are looked at.
const MOST_DESCRIPTORS: usize = 4096;

/// Who holds them now.
pub fn owners_now() -> Seen<Vec<Owner>> {
    owners(Root(std::path::Path::new("/")))
}

/// All that are found, by interface. Without the right to look into other users' processes an empty result proves nothing, so it
/// is [`Seen::Unseen`].
pub(super) fn owners(root: Root<'_>) -> Seen<Vec<Owner>> {
    let mut found: Vec<Owner> = Vec::new();
    let mut refused = false;
    let home = network_namespace(root, "self");
    for process in root.processes() {
        // A container's tunnel is not this terminal's. Where a namespace cannot be read nothing is left out.
        let there = network_namespace(root, &process);
        if home.is_some() && there.is_some() && there != home {
            continue;
        }
        let directory = format!("/proc/{process}/fdinfo");
        if let Err(error) = std::fs::read_dir(root.at(&directory)) {
            // A process that has just ended is no refusal.
            refused |= error.kind() == std::io::ErrorKind::PermissionDenied;
            continue;
        }
        let descriptors = root.names(&directory).into_iter().take(MOST_DESCRIPTORS);
        for interface in descriptors.filter_map(|fd| root.text(&format!("{directory}/{fd}"))).filter_map(|text| tunnel(&text)) {
            let owner = Owner {
                interface,
                process: root.word(&format!("/proc/{process}/comm")).unwrap_or_default(),
                unit: root.text(&format!("/proc/{process}/cgroup")).as_deref().and_then(unit),
            };
            if !found.contains(&owner) {
                found.push(owner);
            }
        }
    }
    found.sort_by(|a, b| (&a.interface, &a.process).cmp(&(&b.interface, &b.process)));
    if found.is_empty() && refused { Seen::Unseen(Unseen::Capability("CAP_SYS_PTRACE".to_owned())) } else { Seen::Seen(found) }
}

fn network_namespace(root: Root<'_>, process: &str) -> Option<PathBuf> {
    std::fs::read_link(root.at(&format!("/proc/{process}/ns/net"))).ok()
}

/// The interface in an `fdinfo` of a tun descriptor: its line `iff:`.
pub(super) fn tunnel(fdinfo: &str) -> Option<IfName> {
    let name = fdinfo.lines().find_map(|line| line.strip_prefix("iff:"))?.trim();
    if name.is_empty() { None } else { Some(IfName::new(name)) }
}

/// The unit in `/proc/PID/cgroup`: the innermost part that is a service or scope, in the unified hierarchy or systemd's own.
pub(super) fn unit(cgroup: &str) -> Option<String> {
    let path =
        cgroup.lines().find_map(|line| line.strip_prefix("0::").or_else(|| line.split_once(":name=systemd:").map(|(_, path)| path)))?;
    path.split('/').rev().find(|part| matches!(part.rsplit_once('.'), Some((_, "service" | "scope")))).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_and_the_unit_are_read() {
        assert_eq!(tunnel("pos:\t0\nflags:\t0104002\nmnt_id:\t24\niff:\ttun0\n"), Some(IfName::new("tun0")));
        assert_eq!(tunnel("pos:\t0\niff:\t\n"), None);
        assert_eq!(
            unit("0::/system.slice/system-openvpn.slice/openvpn-client@centre.service\n").as_deref(),
            Some("openvpn-client@centre.service")
        );
        assert_eq!(unit("5:cpu:/x\n1:name=systemd:/system.slice/a.service/sub\n").as_deref(), Some("a.service"));
        assert_eq!(unit("0::/\n"), None);
    }
}
