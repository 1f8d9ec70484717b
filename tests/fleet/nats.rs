//! A cluster of nats-server: three of them, each with its own store, in a temporary directory; harmed and read by the protocol.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::chaos::Receiver;
use crate::dice::Dice;
use crate::oracle::Stored;
use crate::{Done, STREAM};

/// It answers within so long on a loaded machine.
const SOON: Duration = Duration::from_mins(1);

/// Where records are kept, and how safely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) servers: usize,
    /// As the kit sets it up. Without: kept in memory, where a killed cluster forgets what it acknowledged.
    pub(crate) durable: bool,
    /// Several records may be taken as one.
    pub(crate) atomic: bool,
}

pub(crate) struct Cluster {
    setup: Setup,
    folder: tempfile::TempDir,
    servers: Vec<Option<Child>>,
    kills: usize,
}

const CLIENTS: u16 = 4300;
const ROUTES: u16 = 6300;
/// How long the stream remembers what it has by the name of each message: so short that it does not help.
pub(crate) const REMEMBERED: Duration = Duration::from_millis(100);
pub(crate) const MONITOR: u16 = 8300;

/// The newest nats-server, where `tests/ship/fetch-nats` lays it; it does if it has not yet.
fn program() -> Done<PathBuf> {
    let out = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ship/fetch-nats")).stderr(Stdio::inherit()).output();
    let out = out.map_err(|e| format!("tests/ship/fetch-nats: {e}"))?;
    let folder = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    if out.status.success() { Ok(PathBuf::from(folder).join("new")) } else { Err(format!("tests/ship/fetch-nats: {}", out.status)) }
}

fn at(base: u16, server: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], base + u16::try_from(server).unwrap_or(0)))
}

impl Cluster {
    /// Starts it and makes the stream.
    pub(crate) fn start(setup: Setup) -> Done<Self> {
        let folder = tempfile::Builder::new().prefix("isonet-nats-").tempdir().map_err(|e| format!("no place: {e}"))?;
        let mut cluster = Self { setup, folder, servers: Vec::new(), kills: 0 };
        for server in 0..setup.servers {
            std::fs::write(cluster.file(server), cluster.config(server)).map_err(|e| e.to_string())?;
            cluster.servers.push(None);
            cluster.begin(server)?;
        }
        cluster.make()?;
        Ok(cluster)
    }

    fn file(&self, server: usize) -> PathBuf {
        self.folder.path().join(format!("{server}.conf"))
    }

    fn config(&self, server: usize) -> String {
        let mut text = format!(
            "server_name: n{server}\nlisten: \"{}\"\nhttp: \"{}\"\nmax_payload: 1MB\njetstream {{ store_dir: \"{}/{server}\", sync_interval: always }}\n",
            at(CLIENTS, server),
            at(MONITOR, server),
            self.folder.path().display()
        );
        if self.setup.servers > 1 {
            let routes: Vec<String> = (0..self.setup.servers).map(|server| format!("\"nats-route://{}\"", at(ROUTES, server))).collect();
            let _ = writeln!(text, "cluster {{ name: c, listen: \"{}\", routes: [{}] }}", at(ROUTES, server), routes.join(", "));
        }
        text
    }

    fn begin(&mut self, server: usize) -> Done {
        let program = program()?;
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).map_err(|e| e.to_string())?;
        let child = Command::new(&program).arg("-c").arg(self.file(server)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        self.servers[server] = Some(child.map_err(|e| format!("{}: {e}", program.display()))?);
        Ok(())
    }

    fn signal(&self, server: usize, signal: Signal) {
        if let Some(child) = &self.servers[server] {
            // One that is gone needs no signal.
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    pub(crate) fn kill(&mut self, server: usize) {
        self.signal(server, Signal::KILL);
        if let Some(mut child) = self.servers[server].take() {
            let _ = child.wait();
            self.kills += 1;
        }
    }

    /// Starts those that do not run.
    pub(crate) fn revive(&mut self) -> Done {
        for server in 0..self.servers.len() {
            self.signal(server, Signal::CONT);
            if self.servers[server].is_none() {
                self.begin(server)?;
            }
        }
        Ok(())
    }

    /// Makes the stream, as soon as the cluster is able to.
    fn make(&self) -> Done {
        let config = json!({
            "name": STREAM, "subjects": ["isonet.>"], "retention": "limits", "storage": if self.setup.durable { "file" } else { "memory" },
            "num_replicas": self.setup.servers, "discard": "new", "max_msgs": -1, "max_bytes": -1, "max_age": 0, "allow_direct": true,
            "duplicate_window": REMEMBERED.as_nanos(), "allow_atomic": self.setup.atomic,
        });
        self.asks(&format!("$JS.API.STREAM.CREATE.{STREAM}"), &config, |answer| answer.get("error").is_none()).map(drop)
    }

    /// Asks any server until the answer is good.
    fn asks(&self, subject: &str, question: &Value, good: impl Fn(&Value) -> bool) -> Done<Value> {
        let begin = Instant::now();
        let mut last = String::new();
        while begin.elapsed() < SOON {
            for server in 0..self.servers.len() {
                match ask(at(CLIENTS, server), &[(subject.to_owned(), question.to_string())]) {
                    Ok(answers) => match answers.into_iter().next() {
                        Some(answer) if good(&answer) => return Ok(answer),
                        answer => last = format!("{answer:?}"),
                    },
                    Err(why) => last = why,
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(format!("{subject}: {last}\n{}", self.log()))
    }

    fn log(&self) -> String {
        let text = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        text.lines().rev().take(5).collect::<Vec<_>>().join("\n")
    }

    /// The server that leads the stream; `None` = none does now.
    fn leader(&self) -> Option<usize> {
        let answer = (0..self.servers.len()).find_map(|server| {
            let question = (format!("$JS.API.STREAM.INFO.{STREAM}"), String::new());
            ask(at(CLIENTS, server), &[question]).ok()?.into_iter().next()
        })?;
        answer.pointer("/cluster/leader")?.as_str()?.strip_prefix('n')?.parse().ok()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        (0..self.servers.len()).for_each(|server| self.kill(server));
    }
}

impl Receiver for Cluster {
    fn addresses(&self) -> Vec<SocketAddr> {
        (0..self.servers.len()).map(|server| at(CLIENTS, server)).collect()
    }

    fn harm(&mut self, dice: &mut Dice) -> Done<String> {
        let count = self.servers.len() as u64;
        let any = usize::try_from(dice.below(count)).unwrap_or(0);
        let what = match dice.below(5) {
            0 | 1 => {
                let leader = self.leader().unwrap_or(any);
                self.kill(leader);
                format!("leader n{leader} killed")
            }
            2 => {
                self.kill(any);
                format!("n{any} killed")
            }
            3 => {
                let leader = self.leader().unwrap_or(any);
                self.signal(leader, Signal::STOP);
                std::thread::sleep(Duration::from_millis(1000 + dice.below(3000)));
                self.signal(leader, Signal::CONT);
                return Ok(format!("leader n{leader} frozen"));
            }
            _ => {
                (0..self.servers.len()).for_each(|server| self.kill(server));
                "all killed".to_owned()
            }
        };
        std::thread::sleep(Duration::from_millis(dice.below(1500)));
        self.revive()?;
        Ok(what)
    }

    fn heal(&mut self) -> Done {
        self.revive()?;
        let all = |answer: &Value| {
            let replicas = answer.pointer("/cluster/replicas").and_then(Value::as_array);
            let current = |replica: &Value| replica["current"] == true && replica["offline"] != true;
            answer.get("error").is_none() && (self.setup.servers == 1 || replicas.is_some_and(|replicas| replicas.iter().all(current)))
        };
        let info = self.asks(&format!("$JS.API.STREAM.INFO.{STREAM}"), &json!({}), all);
        match info {
            // A cluster that forgot even the stream gets it back: what was in it is gone.
            Err(_) if !self.setup.durable => self.make(),
            info => info.map(drop),
        }
    }

    fn stored(&mut self) -> Done<Vec<Stored>> {
        let info = self.asks(&format!("$JS.API.STREAM.INFO.{STREAM}"), &json!({}), |answer| answer.get("error").is_none())?;
        let number = |at: &str| info.pointer(at).and_then(Value::as_u64).unwrap_or(0);
        let (first, last, count) = (number("/state/first_seq"), number("/state/last_seq"), number("/state/messages"));
        let server = self.leader().unwrap_or(0);
        let mut all = Vec::new();
        let seqs: Vec<u64> = (first.max(1)..=last).collect();
        for part in seqs.chunks(500) {
            let questions: Vec<_> =
                part.iter().map(|seq| (format!("$JS.API.STREAM.MSG.GET.{STREAM}"), json!({ "seq": seq }).to_string())).collect();
            for answer in ask(at(CLIENTS, server), &questions)? {
                if let Some(data) = answer.pointer("/message/data").and_then(Value::as_str) {
                    all.push(Stored { line: base64(data), marked: false });
                }
            }
        }
        if all.len() as u64 == count { Ok(all) } else { Err(format!("{count} stored, {} read", all.len())) }
    }

    fn killed(&self) -> usize {
        self.kills
    }
}

/// Asks a server some questions over one connection; the answers in their order.
fn ask(server: SocketAddr, questions: &[(String, String)]) -> Done<Vec<Value>> {
    let text = |e: std::io::Error| format!("{server}: {e}");
    let mut stream = TcpStream::connect_timeout(&server, Duration::from_secs(1)).map_err(text)?;
    stream.set_read_timeout(Some(Duration::from_secs(3))).map_err(text)?;
    let mut out = "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":false}\r\nSUB answers.* 1\r\n".to_owned();
    for (at, (subject, question)) in questions.iter().enumerate() {
        let _ = write!(out, "PUB {subject} answers.{at} {}\r\n{question}\r\n", question.len());
    }
    stream.write_all(out.as_bytes()).map_err(text)?;
    let mut reader = BufReader::new(stream);
    let mut answers: Vec<Option<Value>> = vec![None; questions.len()];
    while answers.iter().any(Option::is_none) {
        let mut line = String::new();
        if reader.read_line(&mut line).map_err(text)? == 0 {
            return Err(format!("{server}: closed"));
        }
        if let Some(rest) = line.strip_prefix("MSG answers.") {
            let words: Vec<&str> = rest.split_whitespace().collect();
            let (at, length): (usize, usize) =
                match (words.first().and_then(|at| at.parse().ok()), words.last().and_then(|length| length.parse().ok())) {
                    (Some(at), Some(length)) => (at, length),
                    _ => return Err(format!("{server}: {line}")),
                };
            let mut bytes = vec![0; length + 2];
            reader.read_exact(&mut bytes).map_err(text)?;
            answers[at] = Some(serde_json::from_slice(&bytes[..length]).map_err(|e| format!("{server}: {e}"))?);
        }
    }
    Ok(answers.into_iter().flatten().collect())
}

fn base64(text: &str) -> Vec<u8> {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0u32, 0);
    for value in text.bytes().filter_map(|sign| SIGNS.iter().position(|it| *it == sign)) {
        held = held << 6 | u32::try_from(value).unwrap_or(0);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).unwrap_or(0));
        }
    }
    bytes
}
