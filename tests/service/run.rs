//! One run of the daemon, and what it tells the service manager.

use crate::site::{PATIENCE, Site};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Killed when dropped.
pub struct Run {
    child: Child,
    socket: UnixDatagram,
    pub began: Instant,
    /// What was told so far, and when.
    pub told: Vec<(Duration, String)>,
    errors: PathBuf,
}

impl Run {
    /// Starts `isonet run` on the site's `isonet.toml`.
    pub fn start(site: &Site, environment: &[(&str, &str)]) -> Self {
        let socket = notified(site);
        Self::begin(site, environment, socket)
    }

    /// The same under a service manager that reads nothing before it is asked for what it [`hears`](Self::hears), and whose queue is full.
    pub fn start_unheard(site: &Site, environment: &[(&str, &str)]) -> Self {
        let socket = notified(site);
        let other = UnixDatagram::unbound().unwrap();
        other.set_nonblocking(true).unwrap();
        while other.send_to(b"OTHER=1", site.path("notify")).is_ok() {}
        Self::begin(site, environment, socket)
    }

    fn begin(site: &Site, environment: &[(&str, &str)], socket: UnixDatagram) -> Self {
        let at = site.path("notify");
        let errors = site.path("stderr");
        let mut command = site.command(env!("CARGO_BIN_EXE_isonet"));
        command.arg("--config").arg(site.path("isonet.toml")).arg("run").env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
        command.env("NOTIFY_SOCKET", &at).env("ISONET_LOG", "isonet=info").envs(environment.iter().copied());
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&errors).unwrap()).spawn().unwrap();
        Self { child, socket, began, told: Vec::new(), errors }
    }

    /// The same, and waits until it is ready and has looked once.
    pub fn settled(site: &Site) -> Self {
        let mut run = Self::start(site, &[]);
        run.hears("READY=1");
        run.hears("STATUS=You can settle");
        run
    }

    /// Waits for a message with this in it that was not there before; gives the whole and when it came.
    pub fn hears(&mut self, what: &str) -> (Duration, String) {
        self.hears_within(what, PATIENCE).unwrap_or_else(|| panic!("never told {what}: {:?}; {}", self.told, self.log()))
    }

    pub fn hears_within(&mut self, what: &str, patience: Duration) -> Option<(Duration, String)> {
        let deadline = Instant::now() + patience;
        let mut buffer = [0; 8192];
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(left)).unwrap();
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    self.told.push((self.began.elapsed(), text.clone()));
                    if text.contains(what) {
                        return self.told.last().cloned();
                    }
                }
                Err(_) if Instant::now() >= deadline => return None,
                Err(_) => {}
            }
        }
    }

    /// Takes in what it tells for so long.
    pub fn listen(&mut self, time: Duration) {
        self.hears_within("nobody tells this", time);
        self.told.clear();
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its own log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub fn ended(mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks it to end, and insists on good order.
    pub fn stop(self) {
        self.signal(Signal::TERM);
        let errors = self.errors.clone();
        assert_eq!(self.ended().code(), Some(0), "{}", std::fs::read_to_string(errors).unwrap());
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the service manager of this site listens.
fn notified(site: &Site) -> UnixDatagram {
    let at = site.path("notify");
    let _ = std::fs::remove_file(&at);
    UnixDatagram::bind(&at).unwrap()
}
