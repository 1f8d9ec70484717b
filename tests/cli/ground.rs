//! Where the binary runs: a directory of its own, a network namespace of its own, an environment without the caller's.

use isonet::sys::screen::CLEAR;
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use tempfile::TempDir;

/// A segment on which nobody answers: everything for 10.66.0.9 leaves through `t0` and is never heard of again.
pub(crate) const BLACK_HOLE: &str = "ip link set lo up
ip link add t0 type veth peer name t1
ip link set t1 arp off
ip link set t0 up
ip link set t1 up
ip address add 10.66.0.1/24 dev t0
ip neighbour add 10.66.0.9 lladdr 02:00:00:00:00:09 dev t0 nud permanent";

/// Longest a run may take, seconds: the longest round and what a busy machine adds.
const PATIENCE: &str = "20";

/// What `timeout` exits with when it had to end the command.
const TIMED_OUT: i32 = 124;

pub(crate) fn isonet() -> &'static str {
    env!("CARGO_BIN_EXE_isonet")
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether this place can make namespaces; says so where it cannot.
pub(crate) fn can_unshare() -> bool {
    static WHY_NOT: LazyLock<Option<String>> = LazyLock::new(|| {
        let flags = namespaces();
        match Command::new("unshare").args([flags, "sh", "-ec", "ip link show lo && mount -t tmpfs x /mnt"]).output() {
            Ok(out) if out.status.success() => None,
            Ok(out) => Some(format!("unshare {flags}: {}", String::from_utf8_lossy(&out.stderr).trim())),
            Err(error) => Some(format!("unshare: {error}")),
        }
    });
    WHY_NOT.as_ref().is_none_or(|why| {
        println!("SKIPPED: no namespaces here: {why}");
        false
    })
}

/// Network and mounts of its own; without root also a user of its own. Mounts of a new namespace are private.
pub(crate) fn namespaces() -> &'static str {
    if is_root() { "-nm" } else { "-rnm" }
}

/// Whether a program is there; says so where it is not.
pub(crate) fn has(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        println!("SKIPPED: `{program}` is not installed");
    }
    there
}

/// One run that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn of(output: &Output, line: &str) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ran = Self { status: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) };
        assert_ne!(ran.status, Some(TIMED_OUT), "it hangs: {line}: {ran:?}");
        ran
    }

    /// The one JSON document on stdout, checked against the schema.
    pub(crate) fn diagnosis(&self) -> Value {
        let document: Value = serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("not one document: {error}\n{self:?}"));
        let faults: Vec<String> = SCHEMA.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(faults.is_empty(), "{faults:#?}\n{document:#}");
        document
    }

    pub(crate) fn assert_no_panic(&self) {
        for word in ["panicked", "internal error", "RUST_BACKTRACE"] {
            assert!(!self.err.contains(word) && !self.out.contains(word), "{self:?}");
        }
    }

    pub(crate) fn assert_status(&self, status: i32) -> &Self {
        assert_eq!(self.status, Some(status), "{self:?}");
        self
    }
}

/// The causes of a diagnosis, the root first.
pub(crate) fn causes(diagnosis: &Value) -> Vec<&str> {
    diagnosis["verdicts"].as_array().unwrap().iter().map(|verdict| verdict["cause"].as_str().unwrap()).collect()
}

/// What was not seen, by its name.
pub(crate) fn blind<'a>(diagnosis: &'a Value, what: &str) -> Option<&'a str> {
    let entries = diagnosis["blind"].as_array().unwrap();
    entries.iter().find(|entry| entry["what"] == what).map(|entry| entry["because"].as_str().unwrap())
}

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let out = Command::new(isonet()).arg("schema").output().unwrap();
    jsonschema::validator_for(&serde_json::from_slice(&out.stdout).unwrap()).unwrap()
});

/// A directory with a configuration and a state directory, and how the binary is run.
pub(crate) struct Ground {
    dir: TempDir,
    env: Vec<(&'static str, String)>,
    /// Shell commands before the binary starts, in its namespaces.
    before: String,
    /// In namespaces of its own.
    apart: bool,
}

impl Ground {
    /// For commands that ask nothing of the network.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().permissions(mode(0o755)).tempdir().unwrap();
        fs::create_dir(dir.path().join("state")).unwrap();
        let ground = Self { dir, env: Vec::new(), before: String::new(), apart: false };
        ground.configure("");
        ground
    }

    /// For commands that look at the network; `before` stages it. `None` = this place cannot make namespaces, and that was said.
    pub(crate) fn apart(before: &str) -> Option<Self> {
        can_unshare().then(|| Self { before: before.to_owned(), apart: true, ..Self::new() })
    }

    /// On a black hole, with a centre in it.
    pub(crate) fn black_hole() -> Option<Self> {
        let ground = Self::apart(BLACK_HOLE)?;
        ground.configure("[[centre]]\nname = \"settle\"\nhost = \"centre.test\"\naddresses = [\"10.66.0.9\"]\ntcp = [443]\n");
        Some(ground)
    }

    pub(crate) fn env(mut self, name: &'static str, value: &str) -> Self {
        self.env.push((name, value.to_owned()));
        self
    }

    /// One more thing to do before the binary starts.
    pub(crate) fn then(mut self, command: &str) -> Self {
        self.before = format!("{}\n{command}", self.before);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The configuration of `--config`; its state directory is in here.
    pub(crate) fn configure(&self, text: &str) {
        self.write("isonet.toml", format!("state-dir = \"{}\"\n{text}", self.path("state").display()));
    }

    /// Runs `isonet ARGUMENTS` with this configuration to its end. The words go through a shell.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        let config = self.path("isonet.toml");
        self.bare(&format!("--config {} {arguments}", config.display()))
    }

    /// The same without `--config`.
    pub(crate) fn bare(&self, arguments: &str) -> Ran {
        self.shell(&format!("exec {} {arguments}", isonet()))
    }

    /// Runs `isonet ARGUMENTS` as somebody who is nobody here. `None` = this place cannot do that, and that was said.
    pub(crate) fn run_as_nobody(&self, arguments: &str) -> Option<Ran> {
        // The binary may lie where nobody may look. Copied by another process: a file that a child of ours still has open cannot be run.
        let binary = self.path("isonet");
        assert!(Command::new("cp").args([Path::new(isonet()), &binary]).status().unwrap().success());
        fs::set_permissions(&binary, mode(0o755)).unwrap();
        let run = format!("{} --config {} {arguments}", binary.display(), self.path("isonet.toml").display());
        if !is_root() {
            return Some(self.shell(&format!("exec {run}")));
        }
        has("setpriv").then(|| self.shell(&format!("exec setpriv --reuid 65534 --regid 65534 --clear-groups {run}")))
    }

    /// Runs a line of shell where the binary runs.
    pub(crate) fn shell(&self, line: &str) -> Ran {
        Ran::of(&self.command(line).output().unwrap(), line)
    }

    /// Runs `isonet diagnose --json` on a terminal, and `action` beside it (`$pid` is the binary) as soon as the progress line stands
    /// there. Gives all that the terminal was sent as `out`.
    pub(crate) fn watched(&self, action: &str) -> Ran {
        let (go, pid, status) = (self.path("go"), self.path("pid"), self.path("status"));
        make_fifo(&go);
        let run =
            format!("echo $$ > {}; exec {} --config {} diagnose --json 2>&3", pid.display(), isonet(), self.path("isonet.toml").display());
        // `script` does not always know how what it started has ended; the shell that waits for it does, if it does not end of the same signal;
        // what it has to say of it is nobody's.
        let run = format!("trap : INT; exec 3>&2 2>/dev/null; sh -c \"{}\"; echo $? > {}", run.replace('$', "\\$"), status.display());
        let beside = format!("(read line < {}; pid=$(cat {}); {action}) &", go.display(), pid.display());
        let line = format!("{beside}\nexec script -qfc '{run}' /dev/null");
        let mut child = self.command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut terminal = child.stdout.take().unwrap();
        let (mut shown, mut some) = (Vec::new(), [0; 4096]);
        let mut asked = false;
        loop {
            let got = terminal.read(&mut some).unwrap();
            if got == 0 {
                break;
            }
            shown.extend(&some[..got]);
            if !asked && String::from_utf8_lossy(&shown).contains(CLEAR) {
                fs::write(&go, "now\n").unwrap();
                asked = true;
            }
        }
        assert!(asked, "no progress line: {}", String::from_utf8_lossy(&shown));
        let ran = Ran::of(&child.wait_with_output().unwrap(), &line);
        let ended = fs::read_to_string(&status).ok().and_then(|status| status.trim().parse().ok());
        Ran { status: ended, out: String::from_utf8_lossy(&shown).into_owned(), ..ran }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args(["-k", "1", PATIENCE]);
        if self.apart {
            command.args(["unshare", namespaces()]);
        }
        command.args(["sh", "-ec", &format!("{}\n{line}", self.before)]);
        command.env_clear().env("PATH", std::env::var("PATH").unwrap()).env("HOME", self.dir.path());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }
}

pub(crate) fn mode(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

/// A pipe without a writer.
pub(crate) fn make_fifo(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}
