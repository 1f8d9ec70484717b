//! The container: `systemd-nspawn` on the tree, below which nothing is written (what changes is in memory and gone with it). Commands are
//! run in its namespaces, never with the right to set the clock.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Done;

/// How long anything may take on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// Where the files of this run are inside.
pub(crate) const FILES: &str = "/mnt";

/// Ended when dropped.
pub(crate) struct Container {
    nspawn: Child,
    leader: u32,
    group: String,
}

/// What a command did.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Container {
    /// Boots `tree` in this network namespace, `files` readable inside, and waits until all is started.
    pub(crate) fn boot(tree: &Path, namespace: &str, files: &Path) -> Done<Container> {
        let group = format!("isonet-box-{}", std::process::id());
        // A control group of its own, which systemd inside may divide. It must be this process that goes there.
        let place = unified().join(&group);
        let start = format!("set -e\nmkdir -p {0}\necho $$ >{0}/cgroup.procs\nexec \"$@\"\n", place.display());
        let mut command = Command::new("sh");
        command.args(["-c", &start, "sh", "systemd-nspawn", "--quiet", "--volatile=overlay", "--register=no", "--keep-unit", "--boot"]);
        command.args([
            "--machine=till",
            "--hostname=till",
            "--console=read-only",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
        ]);
        // systemd needs these to do what a unit asks for. Reading how the clock is kept is let through; the right to set it is not given.
        command.args(["--capability=CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN", "--system-call-filter=bpf adjtimex clock_adjtime"]);
        command.args(["--drop-capability=CAP_SYS_TIME"]);
        command.arg(format!("--network-namespace-path=/run/netns/{namespace}")).arg(format!("--bind-ro={}:{FILES}", files.display()));
        command.arg("-D").arg(tree).env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
        let log = std::fs::File::create(files.join("boot.log")).map_err(|e| e.to_string())?;
        let quiet = command.stdin(Stdio::null()).stdout(log.try_clone().map_err(|e| e.to_string())?).stderr(log);
        let nspawn = quiet.spawn().map_err(|e| format!("systemd-nspawn does not start: {e}"))?;
        let mut container = Container { nspawn, leader: 0, group };
        until("the container's first process", || {
            let first = first_child(container.nspawn.id())?;
            container.leader = first;
            Some(())
        })
        .and_then(|()| {
            until("the container to be up", || {
                let said = container.tried("systemctl is-system-running").ok()?;
                ["running", "degraded"].contains(&said.out.trim()).then_some(())
            })
        })
        .map_err(|why| format!("{why}: {}", std::fs::read_to_string(files.join("boot.log")).unwrap_or_default()))?;
        Ok(container)
    }

    /// A command inside, by the shell, as root there.
    pub(crate) fn command(&self, script: &str) -> Command {
        self.command_of(&[], script)
    }

    /// The same as somebody else: `identity` are words of setpriv.
    pub(crate) fn command_of(&self, identity: &[&str], script: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args(["-k", "1", "60", "setpriv", "--bounding-set=-sys_time,-sys_module,-sys_boot", "--inh-caps=-all"]);
        command.args(["nsenter", "-t", &self.leader.to_string(), "-m", "-u", "-i", "-n", "-p", "--"]);
        if !identity.is_empty() {
            command.arg("setpriv").args(identity);
        }
        command.args(["/bin/sh", "-c", script]).stdin(Stdio::null()).env_clear();
        command.envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8"), ("DEBIAN_FRONTEND", "noninteractive")]);
        command
    }

    /// Runs it, whatever comes of it.
    pub(crate) fn tried(&self, script: &str) -> Done<Said> {
        tried(&mut self.command(script))
    }

    /// Runs it and insists on success; what it printed.
    pub(crate) fn run(&self, script: &str) -> Done<String> {
        let said = self.tried(script)?;
        if said.code == 0 { Ok(said.out) } else { Err(format!("`{script}` ended with {}: {}{}", said.code, said.out, said.err)) }
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, text: &str) -> Done {
        self.run(&format!("mkdir -p $(dirname {path}) && cat >{path} <<'END_OF_FILE'\n{text}\nEND_OF_FILE")).map(drop)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // The first process with all that is in its namespace; what nspawn had mounted goes with it.
        if self.leader != 0 {
            let _ = Command::new("kill").args(["-KILL", &self.leader.to_string()]).output();
        }
        let _ = until("the container to end", || self.nspawn.try_wait().ok().flatten());
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
        for root in [unified(), PathBuf::from("/sys/fs/cgroup/systemd")] {
            let _ = Command::new("find").arg(root.join(&self.group)).args(["-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]).output();
        }
    }
}

/// Where control groups of the second version are.
fn unified() -> PathBuf {
    let beside = PathBuf::from("/sys/fs/cgroup/unified");
    if beside.is_dir() { beside } else { PathBuf::from("/sys/fs/cgroup") }
}

/// The first process inside; before it there is one of nspawn's own for a moment.
fn first_child(pid: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    let mut children = children.split_whitespace();
    let is_systemd = |child: &&str| std::fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name.trim() == "systemd");
    children.find(is_systemd)?.parse().ok()
}

pub(crate) fn tried(command: &mut Command) -> Done<Said> {
    let out = command.output().map_err(|e| format!("cannot start {command:?}: {e}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Said { code: out.status.code().unwrap_or(-1), out: text(&out.stdout), err: text(&out.stderr) })
}

/// Waits until it is so.
pub(crate) fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> Done<T> {
    within(PATIENCE, what, look)
}

/// The same with another patience.
pub(crate) fn within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> Done<T> {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if begin.elapsed() > patience {
            return Err(format!("waited {patience:?} in vain for {what}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
