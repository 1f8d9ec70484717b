//! A desktop of its own, without a picture of anybody's: an X server, a session bus and dunst, as an ordinary user. What dunst prints is what was shown.

use crate::ground::wait_for;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const NOBODY: u32 = 65534;

/// A process of ours; it ends with us.
pub(crate) struct Ours(pub(crate) Child);

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command of an ordinary user.
pub(crate) fn users(program: &str, dir: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", program]);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", dir).env("LC_ALL", "C.UTF-8");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Whether there can be such a desktop; says what is missing.
pub(crate) fn can_show() -> bool {
    if !others_can_run() {
        return false;
    }
    for program in ["dunst", "Xvfb", "dbus-daemon", "dbus-send"] {
        // Each of them ends after these words, whatever it makes of them.
        if Command::new(program).arg("--help").output().is_err() {
            println!("SKIPPED: `{program}` is not installed");
            return false;
        }
    }
    true
}

/// A directory that is the ordinary user's.
pub(crate) fn users_dir() -> TempDir {
    let dir = tempfile::Builder::new().permissions(PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    std::os::unix::fs::chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    dir
}

/// A session's bus, without any service that it could start.
pub(crate) struct Session {
    pub(crate) bus: Option<Ours>,
    pub(crate) dir: TempDir,
    pub(crate) shown: Option<(Ours, Ours)>,
    /// The X server's name, once there is one.
    pub(crate) display: Option<String>,
}

/// A notice as dunst prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) summary: String,
    pub(crate) body: String,
    pub(crate) urgency: String,
    pub(crate) id: u32,
}

impl Session {
    pub(crate) fn new() -> Self {
        let dir = users_dir();
        let config = format!(
            "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context=\"default\">\
             <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
            dir.path().join("bus").display()
        );
        fs::write(dir.path().join("bus.conf"), config).unwrap();
        let mut bus = users("dbus-daemon", dir.path());
        let bus = Ours(bus.args(["--nofork", "--config-file"]).arg(dir.path().join("bus.conf")).spawn().unwrap());
        wait_for("a bus", SOON, || UnixStream::connect(dir.path().join("bus")).ok());
        Self { bus: Some(bus), dir, shown: None, display: None }
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.dir.path().join("bus").display())
    }

    /// Starts the X server and dunst as it comes, but that notices stay until they are closed.
    pub(crate) fn show(&mut self) {
        let mut screen = Command::new("Xvfb");
        screen.args(["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-ac"]);
        let mut screen = screen.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut display = String::new();
        BufReader::new(screen.stdout.take().unwrap()).read_line(&mut display).unwrap();
        let rules = ["low", "normal", "critical"].map(|urgency| format!("[urgency_{urgency}]\ntimeout = 0\n")).concat();
        fs::write(self.dir.path().join("dunstrc"), format!("[global]\nmarkup = full\nnotification_limit = 0\n{rules}")).unwrap();
        let mut dunst = users("dunst", self.dir.path());
        let out = fs::File::create(self.dir.path().join("printed")).unwrap();
        dunst.args(["-print", "-config"]).arg(self.dir.path().join("dunstrc")).stdout(out);
        let display = format!(":{}", display.trim());
        dunst.env("DISPLAY", &display).env("DBUS_SESSION_BUS_ADDRESS", self.address());
        self.shown = Some((Ours(dunst.spawn().unwrap()), Ours(screen)));
        self.display = Some(display);
    }

    pub(crate) fn notify(&self, config: &Path) -> Ours {
        let mut command = users(env!("CARGO_BIN_EXE_isonet"), self.dir.path());
        command.arg("--config").arg(config).args(["--lang", "en", "notify"]).env("DBUS_SESSION_BUS_ADDRESS", self.address());
        command.envs(self.display.iter().map(|display| ("DISPLAY", display)));
        Ours(command.spawn().unwrap())
    }

    /// All that dunst was sent so far.
    pub(crate) fn printed(&self) -> Vec<Printed> {
        let text = fs::read_to_string(self.dir.path().join("printed")).unwrap_or_default();
        let whole = text.rfind("\n}\n").map_or("", |end| &text[..end + 3]);
        whole
            .split("\n}\n")
            .filter(|one| one.contains("summary: '"))
            .map(|one| {
                let after = |key: &str| one.split_once(&format!("\t{key}: ")).map(|(_, rest)| rest).unwrap_or_default();
                let quoted = |key: &str| {
                    let rest = after(key).strip_prefix('\'').unwrap_or_default();
                    rest.split_once("'\n").map(|(text, _)| text.to_owned()).unwrap_or_default()
                };
                let word = |key: &str| after(key).lines().next().unwrap_or_default().trim().to_owned();
                Printed { summary: quoted("summary"), body: quoted("body"), urgency: word("urgency"), id: word("id").parse().unwrap_or(0) }
            })
            .collect()
    }

    /// Waits for so many, and gives them.
    pub(crate) fn wait_for(&self, many: usize, patience: Duration) -> Vec<Printed> {
        let enough = || Some(self.printed()).filter(|printed| printed.len() >= many);
        wait_for(&format!("{many} notices"), patience, enough)
    }

    pub(crate) fn owned(&self, name: &str) -> bool {
        let mut ask = users("dbus-send", self.dir.path());
        ask.args(["--session", "--print-reply=literal", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner"]);
        let told =
            ask.arg(format!("string:{name}")).env("DBUS_SESSION_BUS_ADDRESS", self.address()).stdout(Stdio::piped()).output().unwrap();
        String::from_utf8_lossy(&told.stdout).contains("true")
    }

    /// How many stand on the screen.
    pub(crate) fn standing(&self) -> usize {
        let mut ask = users("dbus-send", self.dir.path());
        ask.args(["--session", "--print-reply=literal", "--dest=org.freedesktop.Notifications", "/org/freedesktop/Notifications"]);
        ask.args(["org.freedesktop.DBus.Properties.Get", "string:org.dunstproject.cmd0", "string:displayedLength"]);
        let told = ask.env("DBUS_SESSION_BUS_ADDRESS", self.address()).stdout(Stdio::piped()).output().unwrap();
        String::from_utf8_lossy(&told.stdout).split_whitespace().last().and_then(|n| n.parse().ok()).unwrap_or(usize::MAX)
    }
}

/// Whether another user can run the binary from where it is.
pub(crate) fn others_can_run() -> bool {
    let can = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_isonet"), "--version"])
        .output();
    let can = can.is_ok_and(|out| out.status.success());
    if !can {
        println!("SKIPPED: another user may not run {}", env!("CARGO_BIN_EXE_isonet"));
    }
    can
}
