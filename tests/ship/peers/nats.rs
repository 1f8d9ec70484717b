//! nats-servers for tests: one or a cluster, on loopback addresses of their own; start, kill, freeze, go on; and what a stream holds, read by a client
//! that shares nothing with the product.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

/// The stream that tests ship to.
pub const STREAM: &str = "ISONET";
/// For anything to come up or to come round.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Which nats-server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 2.15, pinned.
    New,
    /// Debian's 2.9.
    Old,
}

/// The program; `None` = it was not laid, which is said.
fn program(version: Version) -> Option<PathBuf> {
    Some(super::laid("ship/nats", "fetch-nats")?.join(if version == Version::New { "new" } else { "old" }))
}

/// One server.
pub struct Node {
    program: PathBuf,
    dir: TempDir,
    /// Where clients connect.
    pub at: SocketAddr,
    child: Option<Child>,
}

impl Node {
    fn start(&mut self) {
        if self.child.is_none() {
            let log = std::fs::File::create(self.dir.path().join("log")).expect("a log");
            let conf = self.dir.path().join("conf");
            let mut command = Command::new(&self.program);
            self.child =
                Some(command.arg("-c").arg(conf).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("nats-server"));
        }
    }

    fn signal(&self, signal: &str) {
        if let Some(child) = &self.child {
            assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill").success());
        }
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours");
            child.wait().expect("it is ours");
        }
    }

    fn answers(&self) -> bool {
        TcpStream::connect_timeout(&self.at, Duration::from_secs(1)).is_ok()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One server, or several that are one.
pub struct Servers {
    /// In the order of their names.
    pub nodes: Vec<Node>,
    /// Who the test's own client is.
    pub admin: Option<Admin>,
}

/// Who may do anything.
#[derive(Debug, Clone)]
pub enum Admin {
    /// User and password.
    Password(&'static str, &'static str),
    /// A JWT, and the seed of its key.
    Jwt(String, [u8; 32]),
}

/// How servers are set up, beyond what all are.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Lines of the configuration: TLS, users.
    pub lines: String,
    /// Inside `jetstream {}`.
    pub jetstream: String,
    /// Who the test's own client says it is.
    pub admin: Option<Admin>,
    /// Where the first one listens; else it is chosen.
    pub at: Option<IpAddr>,
}

impl Servers {
    /// So many, running and ready, with a `JetStream` of their own. `None` = they cannot be had here.
    pub fn start(version: Version, count: usize, setup: &Setup) -> Option<Self> {
        let program = program(version)?;
        let addresses: Vec<IpAddr> = (0..count).map(|i| setup.at.filter(|_| i == 0).unwrap_or_else(|| super::address(0).ip())).collect();
        let routes: Vec<String> = addresses.iter().map(|ip| format!("nats://{ip}:6222")).collect();
        let nodes = addresses.iter().enumerate().map(|(i, ip)| {
            let dir = tempfile::tempdir().expect("a directory");
            let store = dir.path().join("store");
            let mut conf = format!(
                "server_name: n{i}\nlisten: \"{ip}:4222\"\njetstream {{ store_dir: \"{}\"\n{} }}\n{}\n",
                store.display(),
                setup.jetstream,
                setup.lines
            );
            if count > 1 {
                conf.extend(["cluster { name: c, listen: \"", &ip.to_string(), ":6222\", routes: [", &routes.join(", "), "] }\n"]);
            }
            std::fs::write(dir.path().join("conf"), conf).expect("a configuration");
            Node { program: program.clone(), dir, at: SocketAddr::new(*ip, 4222), child: None }
        });
        let mut servers = Self { nodes: nodes.collect(), admin: setup.admin.clone() };
        servers.start_all();
        Some(servers)
    }

    /// Starts those that are down, and waits for all.
    pub fn start_all(&mut self) {
        self.nodes.iter_mut().for_each(Node::start);
        let all = wait(|| self.nodes.iter().all(Node::answers));
        assert!(all, "a server does not come up: {}", self.logs());
    }

    /// SIGKILL.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
    }

    /// Writes the configuration anew and has it read.
    pub fn reconfigure(&self, node: usize, change: impl FnOnce(String) -> String) {
        let path = self.nodes[node].dir.path().join("conf");
        let conf = std::fs::read_to_string(&path).expect("a configuration");
        std::fs::write(&path, change(conf)).expect("a configuration");
        self.nodes[node].signal("-HUP");
    }

    /// The end of what they logged.
    pub fn logs(&self) -> String {
        let log = |node: &Node| std::fs::read_to_string(node.dir.path().join("log")).unwrap_or_default();
        self.nodes
            .iter()
            .flat_map(|node| log(node).lines().rev().take(15).map(str::to_owned).collect::<Vec<_>>())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// A client of the first that answers.
    pub fn client(&self) -> Client {
        let mut found = None;
        wait(|| {
            found = self.nodes.iter().filter(|node| node.child.is_some()).find_map(|node| Client::connect(node.at, self.admin.as_ref()));
            found.is_some()
        });
        found.expect("a server answers")
    }

    /// Makes the stream, or changes it; what it is to be beyond the usual.
    pub fn stream(&self, verb: &str, more: &Value) {
        let mut config = json!({
            "name": STREAM, "subjects": ["isonet.>"], "storage": "file", "retention": "limits", "discard": "new",
            "num_replicas": self.nodes.len(), "duplicate_window": 100_000_000,
        });
        config.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let mut last = Value::Null;
        let made = wait(|| {
            last = self.client().api(&format!("STREAM.{verb}.{STREAM}"), &config).unwrap_or_default();
            last.get("config").is_some()
        });
        assert!(made, "the stream is not made: {last}\n{}", self.logs());
    }

    /// How many messages the stream holds; `None` = nobody can say now.
    pub fn count(&self) -> Option<u64> {
        self.client().api(&format!("STREAM.INFO.{STREAM}"), &Value::Null)?["state"]["messages"].as_u64()
    }

    /// All it holds, in order: subject and content.
    pub fn messages(&self) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        let done = wait(|| {
            all.clear();
            let mut client = self.client();
            let Some(info) = client.api(&format!("STREAM.INFO.{STREAM}"), &Value::Null) else { return false };
            let (Some(first), Some(last)) = (info["state"]["first_seq"].as_u64(), info["state"]["last_seq"].as_u64()) else { return false };
            for seq in first..=last {
                let Some(answer) = client.api(&format!("STREAM.MSG.GET.{STREAM}"), &json!({ "seq": seq })) else { return false };
                let message = &answer["message"];
                if let (Some(subject), Some(data)) = (message["subject"].as_str(), message["data"].as_str()) {
                    all.push((subject.to_owned(), BASE64.decode(data.as_bytes()).expect("base64")));
                }
            }
            true
        });
        assert!(done, "the stream cannot be read: {}", self.logs());
        all
    }
}

/// Waits until it is so.
pub fn wait(mut so: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

/// A client that can ask and nothing else.
pub struct Client {
    stream: BufReader<TcpStream>,
    asked: u64,
}

impl Client {
    /// In the clear.
    pub fn connect(at: SocketAddr, admin: Option<&Admin>) -> Option<Self> {
        let stream = TcpStream::connect_timeout(&at, Duration::from_secs(1)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        let mut client = Self { stream: BufReader::new(stream), asked: 0 };
        let info: Value = serde_json::from_str(client.line()?.strip_prefix("INFO ")?).ok()?;
        let mut hello = json!({ "verbose": false, "headers": true, "no_responders": true });
        match admin {
            None => {}
            Some(Admin::Password(user, password)) => (hello["user"], hello["pass"]) = (json!(user), json!(password)),
            Some(Admin::Jwt(jwt, seed)) => {
                let key = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
                let signature = key.sign(info["nonce"].as_str()?.as_bytes());
                (hello["jwt"], hello["sig"]) = (json!(jwt), json!(BASE64URL_NOPAD.encode(signature.as_ref())));
            }
        }
        client.say(&format!("CONNECT {hello}\r\nSUB _INBOX.test.* 1\r\nPING\r\n"))?;
        while client.line()? != "PONG" {}
        Some(client)
    }

    fn say(&mut self, text: &str) -> Option<()> {
        self.stream.get_mut().write_all(text.as_bytes()).ok()
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).ok()?;
        (read > 0 && !line.starts_with("-ERR")).then(|| line.trim_end().to_owned())
    }

    /// Asks `JetStream`; `None` = no answer.
    pub fn api(&mut self, what: &str, question: &Value) -> Option<Value> {
        let question = if question.is_null() { String::new() } else { question.to_string() };
        serde_json::from_slice(&self.ask(&format!("$JS.API.{what}"), question.as_bytes())?).ok()
    }

    /// Asks anybody.
    pub fn ask(&mut self, subject: &str, question: &[u8]) -> Option<Vec<u8>> {
        self.asked += 1;
        let reply = format!("_INBOX.test.{}", self.asked);
        self.say(&format!("PUB {subject} {reply} {}\r\n{}\r\n", question.len(), String::from_utf8_lossy(question)))?;
        loop {
            let line = self.line()?;
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["PING"] => self.say("PONG\r\n")?,
                ["MSG" | "HMSG", subject, .., bytes] => {
                    let mut payload = vec![0; bytes.parse::<usize>().ok()? + 2];
                    self.stream.read_exact(&mut payload).ok()?;
                    if *subject == reply {
                        payload.truncate(payload.len() - 2);
                        return Some(payload);
                    }
                }
                _ => {}
            }
        }
    }
}

/// What goes by under a subject from now on.
pub fn listen(at: SocketAddr, subject: &str) -> std::sync::mpsc::Receiver<(String, Vec<u8>)> {
    let mut client = Client::connect(at, None).expect("a server");
    client.say(&format!("SUB {subject} 2\r\nPING\r\n")).expect("it listens");
    while client.line().expect("it answers") != "PONG" {}
    client.stream.get_ref().set_read_timeout(None).expect("a socket");
    let (heard, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        while let Some(line) = client.line() {
            let words: Vec<&str> = line.split(' ').collect();
            if let ["MSG", subject, .., bytes] = words.as_slice() {
                let mut payload = vec![0; bytes.parse::<usize>().expect("a length") + 2];
                if client.stream.read_exact(&mut payload).is_err() {
                    return;
                }
                payload.truncate(payload.len() - 2);
                if heard.send(((*subject).to_owned(), payload)).is_err() {
                    return;
                }
            }
        }
    });
    told
}
