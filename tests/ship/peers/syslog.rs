//! rsyslog and syslog-ng as receivers that keep every message as it came, one a line.

use super::{Process, address, listens, receivers};
use crate::certificates::{Authority, Pair};
use rustix::process::Signal;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Which receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// rsyslog with `gtls`, its usual driver.
    Gtls,
    /// rsyslog with `ossl`.
    Ossl,
    /// syslog-ng.
    Ng,
}

pub const KINDS: [Kind; 3] = [Kind::Gtls, Kind::Ossl, Kind::Ng];

/// How it is set up.
#[derive(Clone, Default)]
pub struct Setup {
    /// Its certificate; `None` = in the clear.
    pub tls: Option<Pair>,
    /// Whose certificates its clients need; `None` = they need none.
    pub clients: Option<PathBuf>,
    /// It reads on only when what it has read is written: rsyslog only.
    pub writes_first: bool,
}

/// A receiver. Whoever takes its place listens at the same address and goes on with the same file.
pub struct Receiver {
    kind: Kind,
    setup: Setup,
    laid: PathBuf,
    dir: tempfile::TempDir,
    at: SocketAddr,
    process: Option<Process>,
}

impl Receiver {
    /// It runs and listens; `None` = there is none here, which is said.
    pub fn start(kind: Kind, setup: Setup) -> Option<Self> {
        let mut receiver = Self::stopped(kind, setup)?;
        receiver.begin();
        Some(receiver)
    }

    /// It does not run yet.
    pub fn stopped(kind: Kind, setup: Setup) -> Option<Self> {
        let (laid, dir) = (receivers()?, tempfile::tempdir().unwrap());
        Some(Self { kind, setup, laid, dir, at: address(6514), process: None })
    }

    /// Where it listens.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// It is to listen there.
    pub fn listening_at(mut self, at: SocketAddr) -> Self {
        self.at = at;
        self
    }

    /// From its next begin on it is set up so.
    pub fn set(&mut self, setup: Setup) {
        self.setup = setup;
    }

    /// What it has stored is gone.
    pub fn forget(&self) {
        let _ = fs::remove_file(self.path("stored"));
    }

    /// Begins, or begins again.
    pub fn begin(&mut self) {
        assert!(self.process.is_none());
        let conf = self.path("conf");
        fs::write(&conf, if self.kind == Kind::Ng { self.syslog_ng() } else { self.rsyslog() }).unwrap();
        let mut command = if self.kind == Kind::Ng {
            let lib = self.laid.join("usr/lib");
            let mut command = laid_program(&self.laid, "syslog-ng");
            let modules =
                fs::read_dir(lib.join("syslog-ng")).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
            command.args(["-F", "--no-caps", "--module-path"]).arg(modules).arg("-f").arg(conf);
            command.arg("-R").arg(self.path("persist")).arg("-c").arg(self.path("ctl")).arg("-p").arg(self.path("pid"));
            command
        } else {
            rsyslogd(&self.laid, &conf)
        };
        self.end_the_last_line();
        let stored = self.path("stored");
        let length = || fs::metadata(&stored).map_or(0, |file| file.len());
        let before = length();
        let log = self.path("log");
        let told = File::create(&log).unwrap();
        command.current_dir(self.dir.path());
        command.stdin(Stdio::null()).stdout(told.try_clone().unwrap()).stderr(told);
        self.process = Some(Process(command.spawn().unwrap()));
        if self.kind == Kind::Ossl {
            let began = isonet::sys::clock::now();
            while length() <= before {
                let told = || fs::read_to_string(&log).unwrap_or_default();
                assert!(began.elapsed() < Duration::from_secs(90), "it does not open its file: {}", told());
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        listens(self.at, &log);
    }

    /// Stops it in good order.
    pub fn stop(&mut self) {
        let process = self.process.take().unwrap();
        process.signal(Signal::TERM);
        // It may be frozen.
        process.signal(Signal::CONT);
        process.ended();
    }

    /// As a power cut, but that the disk keeps what was written.
    pub fn kill(&mut self) {
        let process = self.process.take().unwrap();
        process.signal(Signal::KILL);
        process.ended();
    }

    /// It does nothing more, though its kernel takes connections.
    pub fn freeze(&self) {
        let process = self.process.as_ref().unwrap();
        process.signal(Signal::STOP);
        // A thread that runs on another core goes on until it is told.
        let stopped = |task: fs::DirEntry| fs::read_to_string(task.path().join("stat")).is_ok_and(|stat| stat.contains(") T "));
        while !fs::read_dir(format!("/proc/{}/task", process.id())).unwrap().flatten().all(stopped) {
            std::thread::yield_now();
        }
    }

    /// It goes on.
    pub fn thaw(&self) {
        self.process.as_ref().unwrap().signal(Signal::CONT);
    }

    /// The messages it has stored, without their frames. The last may be unfinished.
    pub fn stored(&self) -> Vec<Message> {
        let bytes = fs::read(self.path("stored")).unwrap_or_default();
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.filter(|line| self.kind != Kind::Ossl || !line.starts_with(ITS_OWN.as_bytes())).map(Message::of).collect()
    }

    /// What was being written when it was killed is not to be taken for the beginning of what comes next.
    fn end_the_last_line(&self) {
        let stored = self.path("stored");
        if fs::read(&stored).is_ok_and(|bytes| bytes.last().is_some_and(|last| *last != b'\n')) {
            fs::OpenOptions::new().append(true).open(stored).unwrap().write_all(b"\n").unwrap();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn rsyslog(&self) -> String {
        let (dir, ip, port) = (self.dir.path().display(), self.at.ip(), self.at.port());
        let mut conf =
            format!("global(workDirectory=\"{dir}\" processInternalMessages=\"on\" parser.escapeControlCharactersOnReceive=\"off\"");
        let mut input = String::new();
        if let Some(pair) = &self.setup.tls {
            let (cert, key) = (pair.cert.display(), pair.key.display());
            let ca = self.setup.clients.as_ref().unwrap_or(&pair.cert).display();
            write!(
                conf,
                " defaultNetstreamDriverCAFile=\"{ca}\" defaultNetstreamDriverCertFile=\"{cert}\" defaultNetstreamDriverKeyFile=\"{key}\""
            )
            .unwrap();
            let driver = if self.kind == Kind::Gtls { "gtls" } else { "ossl" };
            let clients = if self.setup.clients.is_some() { "x509/certvalid" } else { "anon" };
            write!(input, " streamDriver.name=\"{driver}\" streamDriver.mode=\"1\" streamDriver.authMode=\"{clients}\"").unwrap();
        }
        let queue = if self.setup.writes_first { " queue.type=\"direct\"" } else { "" };
        writeln!(conf, ")\nmodule(load=\"imtcp\"{input})\ntemplate(name=\"raw\" type=\"string\" string=\"%rawmsg%\\n\")").unwrap();
        writeln!(conf, "ruleset(name=\"store\"{queue}) {{ action(type=\"omfile\" file=\"{dir}/stored\" template=\"raw\") }}").unwrap();
        if self.kind == Kind::Ossl {
            // The file is open before there are connections: this driver closes their sockets twice, which may hit a file that is being opened.
            writeln!(conf, "if $rawmsg startswith \"{ITS_OWN}\" then {{ call store }}").unwrap();
        }
        writeln!(conf, "input(type=\"imtcp\" address=\"{ip}\" port=\"{port}\" ruleset=\"store\")").unwrap();
        conf
    }

    fn syslog_ng(&self) -> String {
        let (dir, ip, port) = (self.dir.path().display(), self.at.ip(), self.at.port());
        let mut input = "transport(\"tcp\")".to_owned();
        if let Some(pair) = &self.setup.tls {
            input = format!("transport(\"tls\") tls(cert-file(\"{}\") key-file(\"{}\")", pair.cert.display(), pair.key.display());
            match &self.setup.clients {
                Some(ca) => write!(input, " ca-file(\"{}\") peer-verify(required-trusted))", ca.display()).unwrap(),
                None => input.push_str(" peer-verify(optional-untrusted))"),
            }
        }
        format!(
            "@version: 3.38\nsource in {{ syslog(ip({ip}) port({port}) {input} max-connections(50) flags(store-raw-message)); }};\n\
             destination store {{ file(\"{dir}/stored\" template(\"${{RAWMSG}}\\n\")); }};\n\
             log {{ source(in); destination(store); }};\n"
        )
    }
}

/// Where the laid packages have libraries of this machine's kind.
fn libraries(laid: &Path) -> PathBuf {
    laid.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH))
}

/// A daemon out of the laid packages.
fn laid_program(laid: &Path, name: &str) -> Command {
    let own = libraries(laid);
    let found = [laid.join("usr/lib/syslog-ng"), own.clone(), laid.join("lib").join(own.file_name().unwrap())];
    let mut command = Command::new(laid.join("usr/sbin").join(name));
    command.env("LD_LIBRARY_PATH", std::env::join_paths(found).unwrap());
    command
}

/// rsyslogd with this configuration.
pub fn rsyslogd(laid: &Path, conf: &Path) -> Command {
    let mut command = laid_program(laid, "rsyslogd");
    command.args(["-n", "-i", "NONE", "-M"]).arg(libraries(laid).join("rsyslog")).arg("-f").arg(conf);
    command
}

/// What rsyslog says of itself when it begins and ends.
const ITS_OWN: &str = "[origin software=";

/// A message as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// From PRI to the structured data.
    pub header: String,
    /// The rest.
    pub body: Vec<u8>,
    /// By its structured data; 0 = it has none.
    pub seq: u64,
    /// Sent for the how manieth time.
    pub sending: u64,
}

impl Message {
    /// Apart where the body begins.
    fn of(line: &[u8]) -> Self {
        let at = line.windows(2).position(|two| two == b" {").unwrap_or(line.len() - 1) + 1;
        let header = String::from_utf8_lossy(&line[..at - 1]).into_owned();
        let number = |name: &str| header.split_once(name).and_then(|(_, rest)| rest.split('"').next()?.parse().ok()).unwrap_or(0);
        Self { seq: number(" seq=\""), sending: number(" try=\""), body: line[at..].to_vec(), header }
    }
}

/// What a test of the sink needs beside the receiver.
pub struct World {
    pub authority: Authority,
    /// The receiver's.
    pub server: Pair,
    /// The terminal's.
    pub client: Pair,
    _dir: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new(dir.path(), "authority");
        let server = authority.signs("server", crate::certificates::NAME, 2040);
        let client = authority.signs("client", "terminal", 2040);
        Self { authority, server, client, _dir: dir }
    }

    /// TLS, for clients with a certificate.
    pub fn tls(&self) -> Setup {
        Setup { tls: Some(self.server.clone()), clients: Some(self.authority.file.clone()), writes_first: false }
    }
}
