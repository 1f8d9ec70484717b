//! Programs and units: does the VPN's client run, who holds its tunnel, what became of its unit, what does its log say?
//!
//! These calls block (a walk over all processes takes 4-6 ms): run them with `spawn_blocking`. What this user may not see is unknown,
//! never absent.

mod child;
mod journal;
mod log;
mod running;
mod unit;

pub use journal::{read_journal, unit_log};
pub use log::read_log;
pub use running::{Ends, Program, programs};
pub use unit::{systemd_version, unit_facts, unit_state, unit_words};

use super::files;
use crate::model::{IfName, ProcessState};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use sysinfo::{Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

/// Length of a process name in the kernel (`TASK_COMM_LEN` less the NUL).
const COMM_MAX: usize = 15;
/// Most file descriptors that are looked at for one process when seeking the holder of a tunnel.
const DESCRIPTORS_MAX: usize = 4096;

/// Whether a program of this name runs: by its process name or the name of its file, in our own network namespace.
pub fn process_state(name: &str) -> ProcessState {
    let Ok(mut system) = System::new() else { return ProcessState::Unknown };
    let what = ProcessRefreshKind::nothing().with_exe(UpdateKind::Always).without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, false, what);
    let home = network_namespace(Path::new("/proc/self"));
    let found = system.processes().values().any(|process| is_called(process, name) && is_here(process, home.as_deref()) && lives(process));
    match found {
        true => ProcessState::Running,
        // Mounted with `hidepid`, /proc shows a user only its own processes, and then nothing can be said of others.
        false if Path::new("/proc/1").exists() => ProcessState::Absent,
        false => ProcessState::Unknown,
    }
}

fn is_called(process: &Process, name: &str) -> bool {
    if matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead) {
        return false;
    }
    let file = process.exe().and_then(Path::file_name);
    file == Some(OsStr::new(name)) || process.name().as_encoded_bytes() == cut(name.as_bytes())
}

fn cut(name: &[u8]) -> &[u8] {
    name.get(..COMM_MAX).unwrap_or(name)
}

/// Whether a process is in our network namespace, as far as can be seen: a container's VPN client is not ours.
fn is_here(process: &Process, home: Option<&Path>) -> bool {
    let there = network_namespace(&Path::new("/proc").join(process.pid().to_string()));
    there.is_none() || home.is_none() || there.as_deref() == home
}

/// Whether it still has memory. A VPN client that dies keeps its name for as long as the kernel needs to take its tunnel down, a tenth of a
/// second and more, and that is when the kernel's word of the tunnel brings a look.
fn lives(process: &Process) -> bool {
    let file = Path::new("/proc").join(process.pid().to_string()).join("statm");
    !files::read_text(&file, 256).is_ok_and(|pages| is_without_memory(&pages))
}

/// The first number of `statm` is the whole size in pages.
fn is_without_memory(statm: &str) -> bool {
    statm.split_whitespace().next() == Some("0")
}

fn network_namespace(process: &Path) -> Option<std::path::PathBuf> {
    fs::read_link(process.join("ns/net")).ok()
}

/// The name of the program in our own network namespace that holds a userspace tunnel, by `iff:` in `/proc/*/fdinfo`. `None` = nobody
/// does, or we may not see it.
pub fn tunnel_holder(interface: &IfName) -> Option<String> {
    holder_below(Path::new("/proc"), interface)
}

/// A container's tunnel may have the same name and is not ours. Where a namespace cannot be read nothing is left out.
fn holder_below(proc: &Path, interface: &IfName) -> Option<String> {
    let home = network_namespace(&proc.join("self"));
    fs::read_dir(proc).ok()?.flatten().map(|entry| entry.path()).find_map(|process| {
        // Only numbers are processes.
        process.file_name()?.to_str()?.parse::<u32>().ok()?;
        let there = network_namespace(&process);
        let here = home.is_none() || there.is_none() || there == home;
        (here && holds(&process, interface)).then(|| files::read_word(&process.join("comm")).unwrap_or_default())
    })
}

fn holds(process: &Path, interface: &IfName) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return false };
    descriptors.flatten().take(DESCRIPTORS_MAX).any(|entry| {
        fs::read_link(entry.path()).is_ok_and(|target| target == Path::new("/dev/net/tun"))
            && files::read_text(&process.join("fdinfo").join(entry.file_name()), 4096)
                .is_ok_and(|info| tunnel_of(&info) == Some(interface.as_str()))
    })
}

/// The interface in the text of an `fdinfo` file.
fn tunnel_of(fdinfo: &str) -> Option<&str> {
    fdinfo.lines().find_map(|line| line.strip_prefix("iff:")).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn finds_itself_and_not_a_name_that_nobody_has() {
        let me = std::env::current_exe().expect("this program has a path");
        let name = me.file_name().and_then(OsStr::to_str).expect("with a name");
        assert_eq!(process_state(name), ProcessState::Running, "{name}");
        assert_eq!(process_state("no-such-program-anywhere"), ProcessState::Absent);
        assert_eq!(process_state(""), ProcessState::Absent);
    }

    #[test]
    fn a_process_without_memory_is_dying() {
        assert!(is_without_memory("0 0 0 0 0 0 0\n"));
        assert!(!is_without_memory("1510 803 712 55 0 212 0\n") && !is_without_memory(""));
        let own = fs::read_to_string("/proc/self/statm").expect("every process may read its own");
        assert!(!is_without_memory(&own), "{own}");
    }

    #[test]
    fn a_long_name_is_compared_as_the_kernel_cuts_it() {
        assert_eq!(cut(b"charon-systemd-long"), b"charon-systemd-");
        assert_eq!(cut(b"openvpn"), b"openvpn");
    }

    /// A process as `/proc` shows it, holding `tun0`.
    fn process(proc: &Path, pid: &str, name: &str, namespace: &str) {
        let dir = proc.join(pid);
        for part in ["fd", "fdinfo", "ns"] {
            fs::create_dir_all(dir.join(part)).expect("a directory");
        }
        fs::write(dir.join("comm"), format!("{name}\n")).expect("its name");
        fs::write(dir.join("fdinfo/5"), "pos:\t0\nflags:\t02\niff:\ttun0\n").expect("its descriptor");
        symlink("/dev/net/tun", dir.join("fd/5")).expect("its file");
        symlink(namespace, dir.join("ns/net")).expect("its namespace");
    }

    #[test]
    fn a_tunnel_of_the_same_name_in_a_container_is_not_ours() {
        let proc = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(proc.path().join("self/ns")).expect("a directory");
        symlink("net:[1]", proc.path().join("self/ns/net")).expect("our namespace");
        process(proc.path(), "7", "containers-vpn", "net:[2]");
        let tun0 = IfName::new("tun0");
        assert_eq!(holder_below(proc.path(), &tun0), None);
        process(proc.path(), "8", "own-vpn", "net:[1]");
        assert_eq!(holder_below(proc.path(), &tun0).as_deref(), Some("own-vpn"));
        assert_eq!(holder_below(proc.path(), &IfName::new("tun1")), None);
    }

    #[test]
    fn where_a_namespace_cannot_be_read_nobody_is_left_out() {
        let proc = tempfile::tempdir().expect("a directory");
        process(proc.path(), "7", "own-vpn", "net:[2]");
        assert_eq!(holder_below(proc.path(), &IfName::new("tun0")).as_deref(), Some("own-vpn"));
    }

    #[test]
    fn reads_the_interface_of_a_tunnel_descriptor() {
        assert_eq!(tunnel_of("pos:\t0\nflags:\t02\niff:\ttun0\n"), Some("tun0"));
        assert_eq!(tunnel_of("pos:\t0\n"), None);
    }
}
