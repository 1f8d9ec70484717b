//! A daemon, a centre, and a cable between them: two network namespaces, held by two sleeping processes.

use crate::client::{self, Answer};
pub(crate) use crate::desktop::{Ours, others_can_run};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) fn isonet() -> &'static str {
    env!("CARGO_BIN_EXE_isonet")
}

/// Between two looks at something that is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Waits until it is so. Says what was waited for when it never is.
pub(crate) fn wait_for<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let began = now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < patience, "waited {patience:?} in vain for {what}");
        thread::sleep(LOOK_AGAIN);
    }
}

pub(crate) fn now() -> Instant {
    isonet::sys::clock::now()
}

/// Whether this place can stage it; says so where it cannot.
pub(crate) fn can_stage() -> bool {
    static WHY_NOT: LazyLock<Option<String>> = LazyLock::new(|| {
        if !rustix::process::geteuid().is_root() {
            return Some("needs root".to_owned());
        }
        for (program, argument) in [("ip", "-V"), ("socat", "-V"), ("nsenter", "-V"), ("setpriv", "-V")] {
            if Command::new(program).arg(argument).output().is_err() {
                return Some(format!("`{program}` is not installed"));
            }
        }
        match Command::new("unshare").args(["-n", "true"]).output() {
            Ok(out) if out.status.success() => None,
            Ok(out) => Some(format!("no namespaces here: {}", String::from_utf8_lossy(&out.stderr).trim())),
            Err(error) => Some(format!("unshare: {error}")),
        }
    });
    WHY_NOT.as_ref().is_none_or(|why| {
        println!("SKIPPED: {why}");
        false
    })
}

/// A network namespace.
struct Namespace {
    holder: Ours,
}

impl Namespace {
    fn new() -> Self {
        let holder = Ours(Command::new("unshare").args(["-n", "sleep", "600"]).spawn().unwrap());
        let of = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let pid = holder.0.id().to_string();
        wait_for("a namespace", Duration::from_secs(10), || (of(&pid)? != of("self")?).then_some(()));
        Self { holder }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.0.id().to_string(), "-n", program]);
        command
    }

    fn sh(&self, script: &str) {
        let out = self.command("sh").args(["-ec", script]).output().unwrap();
        assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
    }
}

/// All of it.
pub(crate) struct Ground {
    daemon: Option<Ours>,
    _centre: Ours,
    _far: Namespace,
    pc: Namespace,
    dir: TempDir,
}

impl Ground {
    /// A centre that works, a cable, a directory; no daemon yet. `None` = cannot be staged here, and that was said.
    pub(crate) fn without_daemon() -> Option<Self> {
        if !can_stage() {
            return None;
        }
        let (pc, far) = (Namespace::new(), Namespace::new());
        let pid = far.holder.0.id();
        pc.sh(&format!("ip link set lo up; ip link add t0 type veth peer name t1 netns {pid}; ip address add 10.66.0.1/24 dev t0"));
        far.sh("ip link set lo up; ip address add 10.66.0.2/24 dev t1; ip link set t1 up");
        pc.sh("ip link set t0 up; ip route add default via 10.66.0.2");
        // An echo: it listens and holds the line, but not for ever: what it forks outlives it where the cable stays out.
        let mut centre = far.command("socat");
        let centre = Ours(
            centre
                .args(["-T", "30", "TCP-LISTEN:4430,fork,reuseaddr", "PIPE"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let dir = tempfile::Builder::new().permissions(permissions).tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let config = format!(
            "state-dir = \"{}\"\nrun-dir = \"{}\"\n[probe]\ninterval = \"1s\"\n[[centre]]\nname = \"settle\"\nhost = \"10.66.0.2\"\ntcp = [4430]\n",
            path("state"),
            path("run")
        );
        fs::write(dir.path().join("isonet.toml"), config).unwrap();
        Some(Self { daemon: None, _centre: centre, _far: far, pc, dir })
    }

    /// With a daemon that has looked once and found all well.
    pub(crate) fn new() -> Option<Self> {
        let mut ground = Self::without_daemon()?;
        ground.start();
        wait_for("a first look that finds all well", Duration::from_secs(20), || ground.connected(Some(true)));
        Some(ground)
    }

    /// Starts the daemon and waits until it answers.
    pub(crate) fn start(&mut self) {
        self.start_as(&[]);
    }

    /// Starts a daemon that cannot be asked, and waits until it says so.
    pub(crate) fn start_deaf(&mut self) {
        self.begin_as(&[]);
        wait_for("its word", Duration::from_secs(10), || self.log().contains("nobody can ask").then_some(()));
    }

    /// Starts the daemon under `wrapper` (empty = as we are) and waits until it answers.
    pub(crate) fn start_as(&mut self, wrapper: &[&str]) {
        self.begin_as(wrapper);
        wait_for("an answer", Duration::from_secs(10), || client::request(&self.control(), "GET", "/metrics", b""));
    }

    fn begin_as(&mut self, wrapper: &[&str]) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let words: Vec<&str> = wrapper.iter().copied().chain([isonet()]).collect();
        let mut command = self.pc.command(words[0]);
        command.args(&words[1..]).args(["--config", &self.config(), "--lang", "en", "run"]);
        self.daemon = Some(Ours(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()));
    }

    fn config(&self) -> String {
        self.path("isonet.toml").display().to_string()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.path("run")
    }

    pub(crate) fn control(&self) -> PathBuf {
        self.run_dir().join("control.sock")
    }

    pub(crate) fn public(&self) -> PathBuf {
        self.run_dir().join("public.sock")
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        client::get(&self.control(), target)
    }

    pub(crate) fn status(&self) -> Value {
        let answer = self.get("/v1/status");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Something, once the daemon says so of the centre.
    pub(crate) fn connected(&self, wanted: Option<bool>) -> Option<()> {
        (self.status()["connected"] == Value::from(wanted)).then_some(())
    }

    /// A figure of `/metrics`.
    pub(crate) fn figure(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in\n{text}"));
        line.trim().parse().unwrap()
    }

    pub(crate) fn cable(&self, state: &str) {
        self.pc.sh(&format!("ip link set t0 {state}"));
        if state == "up" {
            // The kernel takes the route away with the link.
            self.pc.sh("ip route replace default via 10.66.0.2");
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.daemon.as_ref().unwrap().0.id()
    }

    /// Largest memory that the daemon ever had, bytes.
    pub(crate) fn most_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Sends the daemon a signal and waits for its end.
    pub(crate) fn end(&mut self, signal: rustix::process::Signal) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.daemon.as_ref().unwrap().0);
        rustix::process::kill_process(pid, signal).unwrap();
        self.ended(Duration::from_secs(15))
    }

    /// Waits until the daemon has ended.
    pub(crate) fn ended(&mut self, patience: Duration) -> Option<i32> {
        let mut daemon = self.daemon.take().unwrap();
        wait_for("the daemon's end", patience, || daemon.0.try_wait().unwrap()).code()
    }

    /// Runs another `isonet` beside the daemon, under `wrapper` (empty = as we are).
    pub(crate) fn isonet(&self, wrapper: &[&str], arguments: &str) -> Ran {
        let mut words: Vec<&str> = wrapper.to_vec();
        words.push(isonet());
        let mut command = self.pc.command(words[0]);
        command.args(&words[1..]).args(["--config", &self.config()]).args(arguments.split_whitespace());
        command.env_clear().env("PATH", std::env::var("PATH").unwrap()).env("HOME", self.dir.path()).stdin(Stdio::null());
        Ran::of(&command.output().unwrap())
    }

    /// `isonet status --watch` on a terminal of its own, which `script` makes; `before` is put before the command.
    pub(crate) fn live(&self, before: &str) -> Live {
        let mut command = self.pc.command("script");
        let what = format!("{before} {} --config {} --lang en --color never status --watch", isonet(), self.config());
        command.args(["-qfec", &what, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = command.spawn().unwrap();
        let (mut out, shown) = (script.stdout.take().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let kept = Arc::clone(&shown);
        let reader = thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(length @ 1..) = out.read(&mut some) {
                kept.lock().unwrap().extend_from_slice(&some[..length]);
            }
        });
        Live { script, shown, reader }
    }

    /// Another program in the same network, on the configuration as it is now; it goes on.
    pub(crate) fn beside(&self, program: &str, arguments: &str) -> Child {
        let mut command = self.pc.command(program);
        command.args(["--config", &self.config()]).args(arguments.split_whitespace());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// `isonet incidents comment`.
    pub(crate) fn say(&self, incident: &str, text: &str) -> Ran {
        let mut command = self.pc.command(isonet());
        command.args(["--config", &self.config(), "--lang", "en", "incidents", "comment", incident, text]).stdin(Stdio::null());
        Ran::of(&command.output().unwrap())
    }
}

/// A live view on a terminal.
pub(crate) struct Live {
    script: Child,
    shown: Arc<Mutex<Vec<u8>>>,
    reader: thread::JoinHandle<()>,
}

impl Live {
    /// All bytes so far.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    pub(crate) fn until(&self, text: &str, patience: Duration) {
        self.until_after(0, text, patience);
    }

    /// Waits until it shows this, after the first so many bytes.
    pub(crate) fn until_after(&self, from: usize, text: &str, patience: Duration) {
        wait_for(text, patience, || self.shown().get(from..).is_some_and(|shown| shown.contains(text)).then_some(()));
    }

    /// Types Ctrl-C; gives everything and how it ended.
    pub(crate) fn interrupt(mut self) -> (String, Option<i32>) {
        self.script.stdin.as_mut().unwrap().write_all(&[3]).unwrap();
        let ended = wait_for("its end", Duration::from_secs(5), || self.script.try_wait().unwrap());
        self.reader.join().unwrap();
        (String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned(), ended.code())
    }
}

/// One run that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { status: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("not one document: {error}\n{self:?}"))
    }
}

/// Checks a document against a shipped schema.
pub(crate) fn assert_schema(document: &Value, schema: &str) {
    let out = Command::new(isonet()).args(["schema", schema]).output().unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_slice(&out.stdout).unwrap()).unwrap();
    let faults: Vec<String> = schema.iter_errors(document).map(|error| format!("{error} at {}", error.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}\n{document:#}");
}
