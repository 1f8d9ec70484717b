//! A terminal of its own: network, mounts, host name and `/etc` are private to it, so that anything in there may be changed. Beyond its one
//! cable stands another namespace with the gateway, and whatever a test puts there. An enrolled daemon watches.

use serde_json::Value;
use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// The terminal's address and the gateway's.
pub const TERMINAL: &str = "10.81.1.2";
pub const GATEWAY: &str = "10.81.1.1";
/// How long anything may take on a loaded machine before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How long a namespace is held at the most, should nobody be left to end it: longer than any test, of which some last an hour and more.
pub const LIVES: &str = "5h";
/// Between two looks at something that is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Whether a program is there; says so where it is not.
pub fn has(program: &str) -> bool {
    let there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().is_ok_and(|out| out.status.success());
    if !there {
        println!("SKIPPED: no `{program}`");
    }
    there
}

/// Waits until it is so. Says what was waited for when it never is.
pub fn wait_for<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let began = isonet::sys::clock::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < patience, "waited {patience:?} in vain for {what}");
        thread::sleep(LOOK_AGAIN);
    }
}

/// A sleeping process that holds namespaces; they are gone when it is.
struct Holder(Child);

impl Holder {
    fn new(namespaces: &[&str]) -> Option<Self> {
        let child = Command::new("unshare").args(namespaces).args(["sleep", LIVES]).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let mut holder = Self(child.ok()?);
        let net = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let pid = holder.0.id().to_string();
        let began = isonet::sys::clock::now();
        while began.elapsed() < PATIENCE {
            if net(&pid).is_some_and(|its| Some(its) != net("self")) {
                return Some(holder);
            }
            if holder.0.try_wait().is_ok_and(|ended| ended.is_some()) {
                return None;
            }
            thread::sleep(LOOK_AGAIN);
        }
        None
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.0.id().to_string(), "-n", "-m", "-u", program]);
        command
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A terminal and what is beyond its cable; gone when dropped.
pub struct Ground {
    terminal: Holder,
    beyond: Holder,
    dir: TempDir,
}

impl Ground {
    /// A terminal (`t0`, [`TERMINAL`]/24) with a default route to a gateway (`b0`, [`GATEWAY`]) in the namespace beyond; or says why not.
    pub fn new() -> Option<Self> {
        const ALL: [&str; 5] = ["--net", "--mount", "--uts", "--propagation", "private"];
        let (Some(terminal), Some(beyond)) = (Holder::new(&ALL), Holder::new(&ALL)) else {
            println!("SKIPPED: no permission for namespaces, or no `unshare`");
            return None;
        };
        let ground = Self { terminal, beyond, dir: tempfile::tempdir().unwrap() };
        let etc = ground.path("etc");
        // Other suites' namespaces come and go in `netns` meanwhile.
        let copied = Command::new("cp").args(["-a", "/etc"]).arg(&etc).output().unwrap();
        let wrong = String::from_utf8_lossy(&copied.stderr).into_owned();
        assert!(wrong.lines().all(|line| line.contains("/etc/netns")), "a private /etc: {wrong}");
        ground.here(&format!("mount --bind {} /etc", etc.display()));
        // What tells of this machine's USB devices, clocks and links is not of this terminal.
        ground.here("mount -t sysfs sysfs /sys");
        ground.beyond_run("mount -t sysfs sysfs /sys");
        ground.here("ip link set lo up");
        ground.beyond_run("ip link set lo up");
        ground.cable("t0", "b0");
        ground.here(&format!("ip address add {TERMINAL}/24 dev t0"));
        ground.beyond_run(&format!("ip address add {GATEWAY}/24 dev b0"));
        ground.here(&format!("ip route add default via {GATEWAY}"));
        fs::write(etc.join("resolv.conf"), format!("nameserver {GATEWAY}\n")).unwrap();
        fs::write(etc.join("hosts"), "127.0.0.1 localhost\n").unwrap();
        Some(ground)
    }

    /// A cable between the two: `here` in the terminal, `there` beyond; both up.
    pub fn cable(&self, here: &str, there: &str) {
        self.here(&format!("ip link add {here} type veth peer name {there} netns {}", self.beyond.0.id()));
        self.here(&format!("ip link set {here} up"));
        self.beyond_run(&format!("ip link set {there} up"));
    }

    /// A file of the test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The process whose namespaces the terminal's are.
    pub fn pid(&self) -> u32 {
        self.terminal.0.id()
    }

    /// A command in the terminal, not yet started.
    pub fn command(&self, program: &str) -> Command {
        self.terminal.command(program)
    }

    /// A command beyond the cable, not yet started.
    pub fn beyond_command(&self, program: &str) -> Command {
        self.beyond.command(program)
    }

    /// Runs a line in the terminal, by the shell; it must succeed. Gives what it printed.
    pub fn here(&self, line: &str) -> String {
        said(line, &self.terminal.command("sh").args(["-c", line]).output().unwrap())
    }

    /// The same beyond the cable.
    pub fn beyond_run(&self, line: &str) -> String {
        said(line, &self.beyond.command("sh").args(["-c", line]).output().unwrap())
    }

    /// Writes the configuration: a leased line, records in the test's directory, and what is `more`.
    pub fn configure(&self, more: &str) {
        let head =
            format!("language = \"en\"\nstate-dir = \"{}\"\nrun-dir = \"{}\"\n", self.path("state").display(), self.path("run").display());
        let network = if more.contains("[network]") { "" } else { "[network]\naccess = \"leased-line\"\n" };
        fs::write(self.path("isonet.toml"), format!("{head}{network}{more}\n")).unwrap();
    }

    /// `isonet` with the test's configuration in the terminal.
    pub fn isonet(&self, words: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_isonet"));
        command.args(["--config", &self.path("isonet.toml").display().to_string()]).args(words);
        command.env("XDG_STATE_HOME", self.path("home"));
        command
    }

    /// Takes the baseline: what is there now is normal.
    pub fn enroll(&self) {
        said("enroll", &self.isonet(&["enroll"]).output().unwrap());
    }

    /// Starts the daemon and waits until every watcher has looked once: what comes from then on came while it was watched.
    pub fn watch(&self) -> Daemon<'_> {
        let daemon = self.start();
        wait_for("the watchers' first look", PATIENCE, || {
            let out = self.isonet(&["status", "--json"]).output().ok()?;
            let status: Value = serde_json::from_slice(&out.stdout).ok()?;
            let watchers = status.pointer("/agent/watchers")?.as_array()?;
            let all = watchers.iter().all(|one| one["because"].as_str().is_none_or(|why| !why.contains("has not looked yet")));
            all.then_some(())
        });
        daemon
    }

    /// Starts the daemon and waits until it is ready.
    pub fn start(&self) -> Daemon<'_> {
        let notify = self.path("notify");
        let _ = fs::remove_file(&notify);
        let socket = UnixDatagram::bind(&notify).unwrap();
        socket.set_read_timeout(Some(LOOK_AGAIN)).unwrap();
        let mut command = self.isonet(&["run"]);
        command.env("NOTIFY_SOCKET", &notify).env("ISONET_LOG", "isonet=info");
        let errors = File::create(self.path("stderr")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn().unwrap();
        let mut daemon = Daemon { ground: self, child, socket };
        wait_for("READY", PATIENCE, || daemon.heard().contains("READY=1").then_some(()));
        daemon
    }
}

fn said(line: &str, out: &Output) -> String {
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{line}: {text}{}", String::from_utf8_lossy(&out.stderr));
    text
}

/// `isonet run` in the terminal; killed when dropped.
pub struct Daemon<'a> {
    ground: &'a Ground,
    child: Child,
    socket: UnixDatagram,
}

impl Daemon<'_> {
    fn heard(&mut self) -> String {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).unwrap_or(0);
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All records on disk, the oldest first.
    pub fn records(&self) -> Vec<Value> {
        let Ok(list) = fs::read_dir(self.ground.path("state/spool")) else { return Vec::new() };
        let mut segments: Vec<PathBuf> = list.filter_map(|entry| Some(entry.ok()?.path())).collect();
        segments.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        segments.sort();
        let text: String = segments.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        // What is being written just now is not there yet.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// All records of findings with this code, or of all findings where it is empty.
    pub fn told(&self, code: &str) -> Vec<Value> {
        let is_it = |record: &Value| {
            let fingerprint = record.pointer("/incident/fingerprint").and_then(Value::as_str).unwrap_or_default();
            let finding = record.pointer("/incident/kind").and_then(Value::as_str) == Some("finding");
            finding && (code.is_empty() || fingerprint.split(':').next() == Some(code))
        };
        self.records().into_iter().filter(is_it).collect()
    }

    /// Waits for a record of this code in this phase (`opened`, `updated`, `resolved`) that fits; gives it and how long it took.
    pub fn sees(&self, code: &str, phase: &str, patience: Duration, fits: impl Fn(&Value) -> bool) -> (Value, Duration) {
        let began = isonet::sys::clock::now();
        let is_it = |record: &Value| record.pointer("/incident/phase").and_then(Value::as_str) == Some(phase) && fits(record);
        loop {
            if let Some(found) = self.told(code).into_iter().find(&is_it) {
                return (found, began.elapsed());
            }
            assert!(began.elapsed() < patience, "no {code} {phase} within {patience:?}; told: {:#?}\n{}", self.brief(), self.errors());
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Every record of a finding, in a word.
    pub fn brief(&self) -> Vec<String> {
        let word = |record: &Value, at: &str| record.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let brief = |record: &Value| {
            let [phase, fingerprint, severity] =
                ["/incident/phase", "/incident/fingerprint", "/cause/severity"].map(|pointer| word(record, pointer));
            format!("{phase} {fingerprint} {severity} {} {}", word(record, "/origin"), record["evidence"])
        };
        self.told("").iter().map(brief).collect()
    }

    /// What it wrote to its log.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.ground.path("stderr")).unwrap_or_default()
    }

    /// Ends it in good order.
    pub fn stop(mut self) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::TERM).unwrap();
        let ended = wait_for("its end", PATIENCE, || self.child.try_wait().unwrap());
        assert!(ended.success(), "{}", self.errors());
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
