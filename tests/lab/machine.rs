//! What a run leaves on the machine, and how it is removed again.
//!
//! Everything of a run carries its process id: the directory `/tmp/isonet-lab-PID`, the namespaces `isolPID-*` with their
//! `/etc/netns` folders, and the control sockets `wglPID*`. The directory's lock file is held while the run lives,
//! so that a later run can tell the leftovers of a dead one, even where the process id is in use again.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::shell::{Done, run_even_now, stop_all_others};

const NETNS: &str = "/run/netns";
const NETNS_ETC: &str = "/etc/netns";
const WIREGUARD: &str = "/run/wireguard";

/// One run of the lab; dropping it removes everything.
pub(crate) struct Run {
    pub(crate) dir: PathBuf,
    _lock: File,
}

/// The start of every namespace's name of the run with this process id.
pub(crate) fn namespace_prefix(pid: u32) -> String {
    format!("isol{pid}-")
}

/// The start of every `WireGuard` interface's name of the run with this process id.
pub(crate) fn wireguard_prefix(pid: u32) -> String {
    format!("wgl{pid}")
}

/// The `WireGuard` server's interface of this run; `wireguard-go` allows each name once on a machine.
pub(crate) fn wireguard_server() -> String {
    format!("{}s", wireguard_prefix(std::process::id()))
}

/// The `WireGuard` client's interface of this run.
pub(crate) fn wireguard_client() -> String {
    format!("{}t", wireguard_prefix(std::process::id()))
}

/// The same for the pair of a second VPN, in each of several topologies side by side.
pub(crate) fn second_wireguard_server(part: usize) -> String {
    format!("{}u{part}", wireguard_prefix(std::process::id()))
}

/// The same for the pair of a second VPN, in each of several topologies side by side.
pub(crate) fn second_wireguard_client(part: usize) -> String {
    format!("{}v{part}", wireguard_prefix(std::process::id()))
}

/// The name of a topology's `OpenVPN` client in the machine's list of processes, which all namespaces share: another one's client, or the
/// server beside it, must not be taken for it. Within the 15 characters that the kernel keeps.
pub(crate) fn openvpn_process(part: usize) -> String {
    format!("ovpn{part}-{}", std::process::id())
}

/// The name of this run's SSL VPN client in the machine's list of processes, within the 15 characters that the kernel keeps.
pub(crate) fn openconnect_process() -> String {
    format!("oc-{}", std::process::id())
}

/// The same for the `IPsec` client.
pub(crate) fn charon_process() -> String {
    format!("ch-{}", std::process::id())
}

/// Ends everyone in a namespace.
pub(crate) fn end_all_inhabitants(space: &str) {
    let deadline = Instant::now() + Duration::from_secs(3);
    while end_inhabitants(space) > 0 && Instant::now() < deadline {}
}

fn directory(pid: u32) -> PathBuf {
    PathBuf::from(format!("/tmp/isonet-lab-{pid}"))
}

impl Run {
    pub(crate) fn start() -> Done<Run> {
        let pid = std::process::id();
        remove(pid);
        let dir = directory(pid);
        let say = |what: &str, e: std::io::Error| format!("{what} {}: {e}", dir.display());
        fs::create_dir(&dir).map_err(|e| say("cannot create", e))?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).map_err(|e| say("cannot open up", e))?;
        let lock = File::create(dir.join("lock")).map_err(|e| say("cannot lock", e))?;
        lock.lock().map_err(|e| say("cannot lock", e))?;
        Ok(Run { dir, _lock: lock })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        remove(std::process::id());
    }
}

/// Removes what dead runs left; returns their process ids.
pub(crate) fn clean_dead_runs() -> Vec<u32> {
    let mut dead: Vec<u32> = entries(NETNS)
        .iter()
        .filter_map(|name| name.strip_prefix("isol")?.split('-').next()?.parse().ok())
        .chain(entries("/tmp").iter().filter_map(|name| name.strip_prefix("isonet-lab-")?.parse().ok()))
        .collect();
    dead.sort_unstable();
    dead.dedup();
    dead.retain(|&pid| pid != std::process::id() && !is_alive(pid));
    for &pid in &dead {
        remove(pid);
    }
    dead
}

fn is_alive(pid: u32) -> bool {
    File::open(directory(pid).join("lock")).is_ok_and(|lock| lock.try_lock().is_err())
}

/// SIGINT, SIGTERM and SIGHUP remove everything before they end the process.
pub(crate) fn remove_on_signal() -> Done {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| format!("cannot watch for signals: {e}"))?;
    let watch = {
        let _inside = runtime.enter();
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal)
    };
    let [interrupt, terminate, hangup] = watch;
    let told = |e: std::io::Error| format!("cannot watch for signals: {e}");
    let (mut interrupt, mut terminate, mut hangup) = (interrupt.map_err(told)?, terminate.map_err(told)?, hangup.map_err(told)?);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        stop_all_others();
        remove_until_quiet(std::process::id());
        std::process::exit(130);
    });
    Ok(())
}

/// For the signal's way out, while another thread may be in the midst of building: removes until nothing comes back.
pub(crate) fn remove_until_quiet(pid: u32) {
    let mut quiet = 0;
    let deadline = Instant::now() + Duration::from_secs(5);
    while quiet < 3 && Instant::now() < deadline {
        let prefix = namespace_prefix(pid);
        let any = entries(NETNS).iter().any(|name| name.starts_with(&prefix));
        quiet = if any || directory(pid).exists() { 0 } else { quiet + 1 };
        remove(pid);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ends the processes in the run's namespaces and removes all that bears its name. Does what it can, never fails.
pub(crate) fn remove(pid: u32) {
    let prefix = namespace_prefix(pid);
    let spaces: Vec<String> = entries(NETNS).into_iter().filter(|name| name.starts_with(&prefix)).collect();
    let deadline = Instant::now() + Duration::from_secs(3);
    let mut inhabited = spaces.clone();
    while !inhabited.is_empty() && Instant::now() < deadline {
        inhabited.retain(|space| end_inhabitants(space) > 0);
    }
    for space in &spaces {
        let mut command = Command::new("ip");
        command.args(["netns", "del", space]);
        let _ = run_even_now(command, "");
    }
    for name in entries(NETNS_ETC) {
        if name.starts_with(&prefix) {
            let _ = fs::remove_dir_all(Path::new(NETNS_ETC).join(name));
        }
    }
    // Only if nobody else uses it.
    let _ = fs::remove_dir(NETNS_ETC);
    let wireguard = wireguard_prefix(pid);
    for name in entries(WIREGUARD) {
        if name.starts_with(&wireguard) {
            let _ = fs::remove_file(Path::new(WIREGUARD).join(name));
        }
    }
    let _ = fs::remove_dir_all(directory(pid));
}

/// Sends SIGKILL to every process in the namespace; returns how many there were.
fn end_inhabitants(space: &str) -> usize {
    let mut list = Command::new("ip");
    list.args(["netns", "pids", space]);
    let Ok(said) = run_even_now(list, "") else { return 0 };
    let pids: Vec<i32> = said.out.lines().filter_map(|l| l.parse().ok()).collect();
    for &pid in &pids {
        if let Some(pid) = rustix::process::Pid::from_raw(pid) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
    pids.len()
}

fn entries(dir: &str) -> Vec<String> {
    let Ok(list) = fs::read_dir(dir) else {
        return Vec::new();
    };
    list.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}
