//! The daemon with a syslog receiver, in a network of the test's own.
//!
//! Needs root and `unshare`; without them the test says SKIPPED.

use crate::certificates::NAME;
use crate::peers::syslog::{Kind, Receiver, World};
use crate::store::until;
use isonet::spool::{Disk, Position, Reader};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "ISONET_TEST_SHIP";

#[test]
fn the_daemon_ships_its_records_and_says_what_keeps_them() {
    if crate::peers::receivers().is_none() {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root for a network namespace");
        return;
    }
    let test = std::env::current_exe().unwrap();
    let inside = ["daemon::inside_the_namespace", "--exact", "--ignored", "--nocapture"];
    let ran = Command::new("unshare").arg("--net").arg(test).args(inside).env(INSIDE, "1").output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && told.contains("1 passed"), "{told}");
    println!("{told}");
}

struct Daemon {
    child: Child,
    dir: PathBuf,
}

impl Daemon {
    fn start(dir: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_isonet"));
        command.arg("--config").arg(dir.join("isonet.toml")).arg("run").env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(dir.join("told")).unwrap()).spawn().unwrap();
        Self { child, dir: dir.to_owned() }
    }

    fn configure(dir: &Path, receiver: &Receiver, world: &World, keep: &str) {
        let text = format!(
            "state-dir = \"{0}/state\"\nrun-dir = \"{0}/run\"\n[terminal]\nid = \"till-2\"\n[retention]\nkeep = \"{keep}\"\n\
             [[sink]]\nname = \"audit\"\nkind = \"syslog\"\naddress = \"{1}\"\nserver-name = \"{NAME}\"\nca = \"{2}\"\nclient-cert = \"{3}\"\n\
             client-key = \"{4}\"\nretry = {{ first = \"1s\", longest = \"2s\" }}\n",
            dir.display(),
            receiver.at(),
            world.authority.file.display(),
            world.client.cert.display(),
            world.client.key.display()
        );
        fs::write(dir.join("isonet.toml"), text).unwrap();
    }

    fn status(&self, json: bool) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_isonet"));
        command.arg("--config").arg(self.dir.join("isonet.toml")).args(["--lang", "en", "status"]).args(json.then_some("--json"));
        String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
    }

    fn sink(&self) -> Value {
        serde_json::from_str::<Value>(&self.status(true)).map_or(Value::Null, |status| status["agent"]["sinks"][0].clone())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn records(&self) -> usize {
        let mut reader = Reader::after(Disk::look(&self.dir.join("state/spool")), Position { epoch: String::new(), seq: 0 });
        reader.next(1000, None).map_or(0, |entries| entries.len())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
#[ignore = "runs only inside a network namespace that another test makes"]
async fn inside_the_namespace() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
    let (world, dir) = (World::new(), tempfile::tempdir().unwrap());
    let mut receiver = Receiver::start(Kind::Ng, world.tls()).unwrap();
    Daemon::configure(dir.path(), &receiver, &world, "200d");
    let mut daemon = Daemon::start(dir.path());
    until("it ships", || daemon.sink()["shipped"].is_string() && daemon.sink()["waiting"] == 0).await;
    assert_eq!(daemon.sink()["connected"], true);

    receiver.stop();
    let before = daemon.records();
    Daemon::configure(dir.path(), &receiver, &world, "201d");
    daemon.signal(Signal::HUP);
    until("it has more to ship", || daemon.records() > before).await;
    until("it says what hinders it", || daemon.sink()["trouble"].is_string() && daemon.sink()["waiting"].as_u64() > Some(0)).await;
    let sink = daemon.sink();
    assert!(sink["connected"] == false && sink["retry_s"].is_u64(), "{sink}");
    let told = daemon.status(false).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("Nobody listens at the receiver. Have its administrator make sure that it runs"), "{told}");

    receiver.begin();
    until("it has shipped all", || daemon.sink()["waiting"] == 0 && daemon.sink()["connected"] == true).await;

    // The terminal leaves while nobody listens: it waits for the receiver, which gets the last word.
    receiver.stop();
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    let mut retire = Command::new(env!("CARGO_BIN_EXE_isonet"));
    retire
        .arg("--config")
        .arg(dir.path().join("isonet.toml"))
        .args(["--lang", "en", "retire", "--yes", "--by", "Wang", "--reason", "closed"]);
    let retire = retire.args(["--wait", "5m", "--out"]).arg(&out).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the note", || dir.path().join("state/retired").is_file()).await;
    assert!(daemon.child.try_wait().unwrap().is_none(), "it waits");
    receiver.begin();
    let retired = retire.wait_with_output().unwrap();
    let report = String::from_utf8_lossy(&retired.stdout);
    assert!(retired.status.success() && report.contains("Shipped, all of it, to: audit"), "{retired:?}");
    assert!(daemon.child.wait().unwrap().success());
    receiver.stop();
    let mut stored = receiver.stored();
    let goodbye = stored
        .iter()
        .rfind(|message| message.seq == 0)
        .map(|message| String::from_utf8_lossy(&message.body).contains("\"goodbye\":\"retired\""));
    assert_eq!(goodbye, Some(true), "the last sign of life");
    stored.retain(|message| message.seq > 0);
    let codes: Vec<&str> = stored.iter().filter_map(|message| message.header.split(' ').nth(5)).collect();
    assert_eq!((codes[0], stored[0].header.split(' ').nth(2)), ("agent.started", Some("till-2")), "{codes:?}");
    assert!(stored.windows(2).all(|two| two[1].seq <= two[0].seq + 1) && codes.contains(&"agent.policy-changed"), "{codes:?}");
    assert_eq!(codes.last(), Some(&"agent.stopped"), "the last word");
    println!("the daemon shipped {codes:?}; while nobody listened it said: {}", sink["trouble"]);
}
