//! The product: how it is started here, how fast it reacts, what it writes.

use crate::Bench;
use crate::centre::run;
use crate::meter::{percentile, written};
use crate::peers::address;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

fn product() -> PathBuf {
    std::env::var_os("ISONET").map_or_else(|| env!("CARGO_BIN_EXE_isonet").into(), PathBuf::from)
}

/// The build under test, and another one if the environment names one.
pub fn binaries() -> Vec<PathBuf> {
    [Some(product()), std::env::var_os("ISONET_BESIDE").map(PathBuf::from)].into_iter().flatten().collect()
}

/// A server's certificate for every name and address here, and the authority as PEM.
pub fn certificates() -> (Arc<ServerConfig>, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["*.centre.example".to_owned()];
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    (Arc::new(config.with_single_cert(vec![leaf.der().clone()], key).unwrap()), authority.pem())
}

/// What it is told to watch.
pub enum Config {
    /// So many targets without TLS. What has services is not pinged, so each is there twice.
    Plain(usize),
    /// So many centres with HTTPS.
    Shielded(usize),
    /// The shape of the sample: one centre, the default pace.
    Sample,
    /// One centre, asked every second; three failures make an incident.
    Quick,
}

impl Config {
    fn text(&self, scratch: &Path) -> String {
        let ca = scratch.join("ca.pem");
        let mut text = format!("state-dir = \"{0}/state\"\nrun-dir = \"{0}/run\"\n", scratch.display());
        match self {
            Self::Plain(count) => {
                text += "[probe]\ninterval = \"5s\"\n";
                for n in 0..*count {
                    let at = address(n);
                    writeln!(text, "[[centre]]\nname = \"p{n}\"\nhost = \"{at}\"\nping = true").unwrap();
                    writeln!(text, "[[centre]]\nname = \"c{n}\"\nhost = \"t{n}.centre.example\"\nping = false\ntcp = [443]").unwrap();
                    writeln!(text, "http = {{ url = \"http://t{n}.centre.example:80/\", status = [200] }}").unwrap();
                }
            }
            Self::Quick => {
                text +=
                    "[probe]\ninterval = \"1s\"\ntimeout = \"1s\"\nraise = { failures = 3, within = \"15s\" }\n[dns]\nslow = \"900ms\"\n";
                writeln!(text, "[[centre]]\nname = \"c\"\nhost = \"{}\"\nping = false\ntcp = [443]", address(0)).unwrap();
            }
            Self::Shielded(_) | Self::Sample => {
                let count = if let Self::Shielded(count) = self { *count } else { 1 };
                if count > 1 {
                    text += "[probe]\ninterval = \"5s\"\n";
                }
                for n in 0..count {
                    let name = format!("t{n}.centre.example");
                    writeln!(text, "[[centre]]\nname = \"c{n}\"\nhost = \"{name}\"\nping = true\ntcp = [8443]").unwrap();
                    writeln!(text, "tls = {{ port = 8443, ca = \"{}\", server-name = \"{name}\" }}", ca.display()).unwrap();
                    writeln!(text, "http = {{ url = \"https://{name}:8443/health\", status = [200], slow = \"1s\" }}").unwrap();
                }
            }
        }
        text
    }
}

/// The daemon, started.
pub struct Isonet {
    child: Child,
    binary: PathBuf,
    told: mpsc::Receiver<Instant>,
    began: (Instant, SystemTime),
}

impl Isonet {
    pub fn start(binary: &Path, config: &Config, scratch: &Path) -> Self {
        let (file, socket) = (scratch.join("isonet.toml"), scratch.join("notify"));
        let _ = fs::remove_dir_all(scratch.join("state"));
        let _ = fs::remove_file(&socket);
        fs::write(&file, config.text(scratch)).unwrap();
        let notify = UnixDatagram::bind(&socket).unwrap();
        let mut command = Command::new(binary);
        command.arg("--config").arg(&file).arg("run").env("NOTIFY_SOCKET", &socket).env_remove("WATCHDOG_USEC");
        let log = fs::File::create(scratch.join("isonet.log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let began = (Instant::now(), SystemTime::now());
        let child = command.spawn().unwrap();
        // All of it is taken at once, as a service manager does: who sends into a full queue waits.
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let mut words = [0; 4096];
            while let Ok(length) = notify.recv(&mut words) {
                if String::from_utf8_lossy(&words[..length]).contains("READY=1") {
                    let _ = tell.send(Instant::now());
                }
            }
        });
        Self { child, binary: binary.to_owned(), told, began }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn name(&self) -> String {
        if self.binary == product() { "isonet".to_owned() } else { "isonet (beside)".to_owned() }
    }

    /// From the start until it said that it is ready.
    fn ready(&self) -> Duration {
        self.told.recv_timeout(Duration::from_secs(20)).map_or(Duration::MAX, |at| at - self.began.0)
    }
}

impl Drop for Isonet {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.pid().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Bench<'_> {
    /// Start, and the kernel's events.
    pub fn reactions(&self, binary: &Path) {
        if !self.orders.wants("reactions") {
            return;
        }
        println!("\nreactions of {} (10 targets)", binary.display());
        let (mut first, mut ready) = (Vec::new(), Vec::new());
        for _ in 0..11 {
            self.log.lock().unwrap().clear();
            let isonet = Isonet::start(binary, &Config::Plain(10), self.scratch);
            ready.push(isonet.ready().as_secs_f64() * 1e3);
            thread::sleep(Duration::from_millis(300));
            let seen = self.log.lock().unwrap().first().map(|(at, _)| *at);
            first.extend(seen.and_then(|at| at.duration_since(isonet.began.1).ok()).map(|after| after.as_secs_f64() * 1e3));
        }
        show("start to first probe on the wire", &mut first, "goal 20 ms");
        show("start to READY", &mut ready, "goal 100 ms");
        self.events(binary);
        self.silence(binary);
        self.records(binary);
    }

    /// Answers stop reaching this PC at any moment between two looks. What three time-outs in a row would take is one interval and three
    /// times one second.
    fn silence(&self, binary: &Path) {
        let opened = |text: &str| text.matches("\"change\":\"raised\"").count();
        let records = || -> String {
            let files = fs::read_dir(self.scratch.join("state/spool")).unwrap().flatten().map(|entry| entry.path());
            files
                .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
                .filter_map(|path| fs::read_to_string(path).ok())
                .collect()
        };
        let mut after = Vec::new();
        for n in 0..10_u32 {
            let isonet = Isonet::start(binary, &Config::Quick, self.scratch);
            isonet.ready();
            // The engine takes its time after a start; then at another moment of the second each time.
            thread::sleep(Duration::from_millis(6000 + u64::from(n) * 97));
            run("nft", &["add table ip bench; add chain ip bench in { type filter hook input priority 0; iifname eth0 drop; }"]);
            let told = Instant::now();
            while opened(&records()) == 0 && told.elapsed() < Duration::from_secs(20) {
                thread::sleep(Duration::from_millis(5));
            }
            after.push(told.elapsed().as_secs_f64() * 1e3);
            run("nft", &["delete table ip bench"]);
        }
        show("silence to incident on disk, every 1 s, 3 misses", &mut after, "goal 1.3 x (T + 3 RTO) = 5200 ms");
    }

    fn events(&self, binary: &Path) {
        let isonet = Isonet::start(binary, &Config::Plain(10), self.scratch);
        isonet.ready();
        thread::sleep(Duration::from_secs(4));
        let kernel = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(Protocol::from(libc::NETLINK_ROUTE))).unwrap();
        let shown = Command::new("ip").args(["-o", "link", "show", "dev", "eth0"]).output().unwrap().stdout;
        let index = String::from_utf8(shown).unwrap().split(':').next().unwrap().parse().unwrap();
        let mut after = Vec::new();
        for n in 0..50_u8 {
            self.wait_for_silence(Duration::from_millis(400));
            let told = SystemTime::now();
            kernel.send(&new_route(n, index)).unwrap();
            thread::sleep(Duration::from_millis(600));
            let log = self.log.lock().unwrap();
            let seen = log.iter().find(|(at, _)| *at >= told).and_then(|(at, _)| at.duration_since(told).ok());
            after.extend(seen.map(|after| after.as_secs_f64() * 1e3));
        }
        show("route event to first probe on the wire", &mut after, "goal p50 1 ms");
        run("ip", &["route", "flush", "10.99.0.0/16"]);
    }

    fn wait_for_silence(&self, span: Duration) {
        loop {
            let last = self.log.lock().unwrap().last().map(|(at, _)| *at);
            let age = last.and_then(|at| at.elapsed().ok()).unwrap_or(span);
            match span.checked_sub(age) {
                Some(rest) if !rest.is_zero() => thread::sleep(rest),
                _ => return,
            }
        }
    }

    /// A changed configuration on SIGHUP is the one event that becomes a record at once. Its policy is stored when the record is durable, so
    /// the time is that of reading the configuration, of the record, and of storing a file.
    fn records(&self, binary: &Path) {
        let isonet = Isonet::start(binary, &Config::Plain(1), self.scratch);
        isonet.ready();
        thread::sleep(Duration::from_secs(2));
        let (file, policy) = (self.scratch.join("isonet.toml"), self.scratch.join("state/policy.json"));
        let text = fs::read_to_string(&file).unwrap();
        let stored = || fs::metadata(&policy).map_or(0, |about| about.ino());
        let mut after = Vec::new();
        for n in 0..20 {
            let before = stored();
            fs::write(&file, text.replace("\"5s\"", &format!("\"{}s\"", 6 + n % 5))).unwrap();
            let told = Instant::now();
            let _ = Command::new("kill").args(["-HUP", &isonet.pid().to_string()]).status();
            while stored() == before && told.elapsed() < Duration::from_secs(2) {
                thread::sleep(Duration::from_micros(100));
            }
            after.push(told.elapsed().as_secs_f64() * 1e3);
            thread::sleep(Duration::from_millis(700));
        }
        show("SIGHUP to record durable and policy stored", &mut after, "goal p99 5 ms + fdatasync");
        let mut bare = fs::File::create(self.scratch.join("bare")).unwrap();
        let mut sync = Vec::new();
        for _ in 0..200 {
            let began = Instant::now();
            bare.write_all(&[b'x'; 1300]).unwrap();
            rustix::fs::fdatasync(&bare).unwrap();
            sync.push(began.elapsed().as_secs_f64() * 1e3);
        }
        show("bare write of 1.3 KB + fdatasync", &mut sync, "");
    }

    /// What a daemon writes to which nothing happens, over two minutes: two signs of life are due.
    pub fn disk(&self, binary: &Path) {
        if !self.orders.wants("disk") {
            return;
        }
        let isonet = Isonet::start(binary, &Config::Plain(10), self.scratch);
        isonet.ready();
        thread::sleep(Duration::from_secs(8));
        let before = written(isonet.pid());
        let counted = syncs(isonet.pid(), self.scratch);
        let bytes = written(isonet.pid()) - before;
        println!("on disk in 120 s of silence              {bytes} B written, {counted} (two signs of life were due)");
    }
}

fn syncs(pid: u32, scratch: &Path) -> String {
    let trace = scratch.join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-q", "-e", "trace=fsync,fdatasync,sync_file_range", "-o"]).arg(&trace);
    let Ok(mut strace) = strace.args(["-p", &pid.to_string()]).spawn() else {
        thread::sleep(Duration::from_mins(2));
        return "syncs SKIPPED: strace is not installed".to_owned();
    };
    thread::sleep(Duration::from_mins(2));
    let _ = Command::new("kill").args(["-INT", &strace.id().to_string()]).status();
    let _ = strace.wait();
    let text = fs::read_to_string(&trace).unwrap_or_default();
    format!("{} syncs", text.lines().filter(|line| line.contains("sync") && !line.contains("resumed")).count())
}

fn show(what: &str, values: &mut [f64], goal: &str) {
    let (half, most) = (percentile(values, 50), percentile(values, 99));
    println!("{what:<44} p50 {half:>8.2} ms  p99 {most:>8.2} ms of {:>2}  {goal}", values.len());
}

/// `RTM_NEWROUTE` for 10.99.n.0/24 by way of an interface.
fn new_route(n: u8, index: u32) -> Vec<u8> {
    let mut message = Vec::new();
    message.extend(44_u32.to_ne_bytes());
    message.extend(libc::RTM_NEWROUTE.to_ne_bytes());
    message.extend(0x0401_u16.to_ne_bytes());
    message.extend([0; 8]);
    message.extend([2, 24, 0, 0, 254, 4, 253, 1, 0, 0, 0, 0]);
    message.extend([8, 0, 1, 0, 10, 99, n, 0]);
    message.extend([8, 0, 4, 0]);
    message.extend(index.to_ne_bytes());
    message
}
