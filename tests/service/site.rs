//! The two namespaces of a test, and its directory.

use crate::peer;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The two centres' addresses; nothing but the port is asked of the second.
pub const CENTRES: [&str; 2] = ["10.79.2.2", "10.79.2.3"];
pub const PORT: u16 = 8080;
/// How long anything may take on a loaded machine before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Gone when dropped.
pub struct Site {
    name: String,
    peer: Option<Child>,
    pub dir: TempDir,
}

impl Site {
    /// Terminal, gateway and centre; or says why it cannot.
    pub fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Without it the daemon rightly tells of what it cannot see, beside whatever a test is about.
        if !Command::new("nft").arg("--version").output().is_ok_and(|out| out.status.success()) {
            println!("SKIPPED: no `nft`");
            return None;
        }
        let name = format!("isonet-run-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        if !Command::new("ip").args(["netns", "add", &format!("{name}-t")]).output().is_ok_and(|out| out.status.success()) {
            println!("SKIPPED: no permission to add a network namespace, or no `ip`");
            return None;
        }
        let mut site = Self { name, peer: None, dir: tempfile::tempdir().unwrap() };
        ip(&["netns", "add", &site.place("c")]);
        ip(&["-n", &site.place("t"), "link", "add", "t0", "type", "veth", "peer", "name", "c0", "netns", &site.place("c")]);
        for (place, device, address) in [("t", "t0", "10.79.1.2/24"), ("c", "c0", "10.79.1.1/24")] {
            let place = site.place(place);
            ip(&["-n", &place, "link", "set", "lo", "up"]);
            ip(&["-n", &place, "link", "set", device, "up"]);
            ip(&["-n", &place, "addr", "add", address, "dev", device]);
        }
        for centre in CENTRES {
            ip(&["-n", &site.place("c"), "addr", "add", &format!("{centre}/32"), "dev", "lo"]);
        }
        ip(&["-n", &site.place("t"), "route", "add", "default", "via", "10.79.1.1"]);
        let mut peer = Command::new("ip");
        peer.args(["netns", "exec", &site.place("c")]).arg(std::env::current_exe().unwrap());
        peer.args(["--exact", "peer::answers_every_page", "--ignored", "--nocapture"]).env(peer::ADDRESS, format!("0.0.0.0:{PORT}"));
        site.peer = Some(peer.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let listens = || String::from_utf8_lossy(&site.said("c", &["ss", "-Htln"])).contains(&format!(":{PORT}"));
        assert!(until(listens), "the centre does not listen");
        Some(site)
    }

    fn place(&self, which: &str) -> String {
        format!("{}-{which}", self.name)
    }

    fn said(&self, place: &str, words: &[&str]) -> Vec<u8> {
        Command::new("ip").args(["netns", "exec", &self.place(place)]).args(words).output().unwrap().stdout
    }

    /// `ip` with these words in the terminal; whether it agreed.
    pub fn try_ip(&self, words: &str) -> bool {
        Command::new("ip").args(["-n", &self.place("t")]).args(words.split_whitespace()).output().unwrap().status.success()
    }

    /// `ip` with these words in the terminal; it must agree.
    pub fn ip(&self, words: &str) {
        assert!(self.try_ip(words), "ip {words}");
    }

    /// This centre cannot be reached: the terminal's own route says so.
    pub fn cut(&self, centre: &str) {
        self.ip(&format!("route add unreachable {centre}/32"));
    }

    pub fn mend(&self, centre: &str) {
        self.ip(&format!("route del unreachable {centre}/32"));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A command inside the terminal.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.place("t"), program]);
        command
    }

    /// The configuration with these names of centres, quick to open and to close.
    pub fn config(&self, centres: &[(&str, &str)]) -> String {
        let mut text = format!(
            "state-dir = \"{}\"\nrun-dir = \"{}\"\n[terminal]\nname = \"Till\"\nkind = \"pharmacy\"\n[network]\naccess = \"leased-line\"\n\
             [probe]\ninterval = \"1s\"\ntimeout = \"1500ms\"\nraise = {{ failures = 1, within = \"15s\" }}\nclear = {{ successes = 1, within = \"10s\" }}\n",
            self.path("state").display(),
            self.path("run").display()
        );
        for (name, address) in centres {
            let _ = writeln!(
                text,
                "[[centre]]\nname = \"{name}\"\nhost = \"{address}\"\ntcp = [{PORT}]\nhttp = {{ url = \"http://{address}:{PORT}/\", status = [200] }}"
            );
        }
        text
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut peer) = self.peer.take() {
            let _ = peer.kill();
            let _ = peer.wait();
        }
        for place in ["t", "c"] {
            let _ = Command::new("ip").args(["netns", "delete", &self.place(place)]).output();
        }
    }
}

fn ip(words: &[&str]) {
    let out = Command::new("ip").args(words).output().unwrap();
    assert!(out.status.success(), "ip {words:?}: {}", String::from_utf8_lossy(&out.stderr));
}

/// Asks again and again, for as long as a loaded machine may need.
pub fn until(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
