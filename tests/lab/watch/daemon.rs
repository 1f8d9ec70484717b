//! The real daemon in the terminal, and its record log as anybody can read it: record by record, each with the moment at which it was there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::ask::Ask;
use crate::lab::Lab;
use crate::shell::{Done, stand_by};

/// How often the log is looked at: what a time in the table may be wrong by.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a daemon may take to its first look, and to its end, on a loaded machine.
const PATIENCE_MS: u64 = 20_000;

/// A record, and when it could be read from the disk (`CLOCK_BOOTTIME`, ms).
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) at_ms: u64,
    pub(crate) record: Value,
}

impl Seen {
    /// What it says at this JSON pointer; empty where it says nothing.
    pub(crate) fn word(&self, pointer: &str) -> &str {
        self.record.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn is_incident(&self) -> bool {
        self.record.get("incident").is_some()
    }

    /// One line for a person.
    pub(crate) fn told(&self, since_ms: u64) -> String {
        let after = i128::from(self.at_ms) - i128::from(since_ms);
        if !self.is_incident() {
            return format!("{after:>7} ms  {}", self.record.pointer("/agent").unwrap_or(&self.record));
        }
        format!(
            "{after:>7} ms  {} {} by {}: {} {}, alternatives {}, x{}",
            self.word("/incident/phase"),
            self.word("/incident/fingerprint"),
            self.word("/incident/change"),
            self.word("/cause/code"),
            self.word("/cause/certainty"),
            self.record.pointer("/cause/alternatives").unwrap_or(&Value::Null),
            self.record.pointer("/incident/occurrences").unwrap_or(&Value::Null),
        )
    }
}

#[derive(Default)]
struct Heard {
    log: Vec<Seen>,
    status: String,
}

/// `isonet run` in a terminal; ended when dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) began_ms: u64,
    heard: Arc<Mutex<Heard>>,
    over: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
    errors: PathBuf,
}

/// The clock that goes on while the machine sleeps and that nobody sets, ms.
pub(crate) fn now_ms() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}

impl Daemon {
    /// Starts it on an empty log, with the configuration of this question and these lines before it; waits for its first look, which must be good.
    pub(crate) fn start(lab: &Lab, product: &Path, ask: &Ask) -> Done<Daemon> {
        let home = lab.path("daemon");
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(&home).map_err(|e| format!("cannot create {}: {e}", home.display()))?;
        let (config, errors) = (home.join("isonet.toml"), home.join("stderr"));
        let state = home.join("state");
        let text = format!(
            "language = \"en\"\nstate-dir = \"{}\"\nrun-dir = \"{}\"\n{}",
            state.display(),
            home.join("run").display(),
            ask.config(lab)
        );
        fs::write(&config, text).map_err(|e| format!("cannot write the config: {e}"))?;
        let notify = home.join("notify");
        let socket = UnixDatagram::bind(&notify).map_err(|e| format!("cannot listen for the daemon: {e}"))?;
        socket.set_read_timeout(Some(LOOK_EVERY)).map_err(|e| format!("cannot listen with a limit: {e}"))?;
        let stderr = File::create(&errors).map_err(|e| format!("cannot create {}: {e}", errors.display()))?;
        stand_by();
        let began_ms = now_ms();
        let mut command = lab.terminal().command(&product.display().to_string());
        command.args(["--config", &config.display().to_string(), "run"]).env("NOTIFY_SOCKET", &notify).env("ISONET_LOG", "isonet=info");
        // As every peer: it is stopped now and then.
        command.process_group(0);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(|e| format!("cannot start the daemon: {e}"))?;
        let (heard, over) = (Arc::new(Mutex::new(Heard::default())), Arc::new(AtomicBool::new(false)));
        let listener = std::thread::spawn({
            let (heard, over, log) = (Arc::clone(&heard), Arc::clone(&over), Tail::of(state.join("spool")));
            move || listen(&socket, log, &heard, &over)
        });
        let daemon = Daemon { child, began_ms, heard, over, listener: Some(listener), errors };
        daemon.looks_well()?;
        Ok(daemon)
    }

    fn looks_well(&self) -> Done {
        let well = self.eventually(PATIENCE_MS, |heard| heard.status.starts_with("You can settle"));
        if well {
            Ok(())
        } else {
            Err(format!("the daemon does not find the healthy topology healthy: {:?}; {}", self.status(), self.tail()))
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> String {
        self.heard().status.clone()
    }

    /// The last lines it wrote to its log.
    pub(crate) fn tail(&self) -> String {
        let text = fs::read_to_string(&self.errors).unwrap_or_default();
        let last: Vec<&str> = text.lines().rev().take(5).collect();
        last.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }

    /// How many records there are.
    pub(crate) fn count(&self) -> usize {
        self.heard().log.len()
    }

    /// All records but the first so many.
    pub(crate) fn after(&self, count: usize) -> Vec<Seen> {
        self.heard().log.iter().skip(count).cloned().collect()
    }

    /// Waits until all records but the first so many show something; false if they do not in time.
    pub(crate) fn shows(&self, after: usize, patience_ms: u64, wanted: impl Fn(&[Seen]) -> bool) -> bool {
        self.eventually(patience_ms, |heard| wanted(heard.log.get(after..).unwrap_or_default()))
    }

    fn eventually(&self, patience_ms: u64, wanted: impl Fn(&Heard) -> bool) -> bool {
        let deadline = now_ms() + patience_ms;
        loop {
            stand_by();
            if wanted(&self.heard()) {
                return true;
            }
            if now_ms() > deadline {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// `ip netns exec` becomes the program it starts: this is the daemon itself.
    pub(crate) fn signal(&self, signal: Signal) -> Done {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).map_err(|e| format!("cannot signal the daemon: {e}"))
    }

    /// Ends it in good order.
    pub(crate) fn stop(mut self) -> Done {
        self.signal(Signal::TERM)?;
        let deadline = now_ms() + PATIENCE_MS;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("the daemon ended with {status}: {}", self.tail())),
                Ok(None) if now_ms() > deadline => return Err("the daemon does not end".to_owned()),
                Ok(None) => std::thread::sleep(LOOK_EVERY),
                Err(e) => return Err(format!("cannot await the daemon: {e}")),
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.over.store(true, Ordering::SeqCst);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// Takes in what the daemon says and writes, until it is over.
fn listen(socket: &UnixDatagram, mut log: Tail, heard: &Mutex<Heard>, over: &AtomicBool) {
    let mut buffer = [0; 4096];
    while !over.load(Ordering::SeqCst) {
        // Waits for as long as the socket's limit says.
        let told = socket.recv(&mut buffer).ok().map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned());
        let fresh = log.fresh();
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = told.as_deref().and_then(|told| told.lines().find_map(|line| line.strip_prefix("STATUS="))) {
            status.clone_into(&mut heard.status);
        }
        let at_ms = now_ms();
        heard.log.extend(fresh.into_iter().map(|record| Seen { at_ms, record }));
    }
}

/// The end of a log that grows.
struct Tail {
    dir: PathBuf,
    read: BTreeMap<PathBuf, u64>,
}

impl Tail {
    fn of(dir: PathBuf) -> Tail {
        Tail { dir, read: BTreeMap::new() }
    }

    /// The whole lines that were not there before.
    fn fresh(&mut self) -> Vec<Value> {
        let Ok(list) = fs::read_dir(&self.dir) else { return Vec::new() };
        let mut segments: Vec<PathBuf> = list.filter_map(|entry| Some(entry.ok()?.path())).collect();
        segments.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        segments.sort();
        segments.into_iter().flat_map(|path| self.lines(path)).collect()
    }

    fn lines(&mut self, path: PathBuf) -> Vec<Value> {
        let mut text = String::new();
        let from = self.read.get(&path).copied().unwrap_or(0);
        let read = File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(from))?;
            file.read_to_string(&mut text)
        });
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if read.is_err() || whole == 0 {
            return Vec::new();
        }
        self.read.insert(path, from + whole as u64);
        text[..whole].lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| Value::String(format!("{e}: {line}")))).collect()
    }
}
