//! Programs of others that do the same checks, from Debian's packages: how each is started on so many targets.

use crate::centre::ask;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// What to measure.
pub struct Peer {
    pub name: &'static str,
    pub children: Vec<Child>,
}

impl Peer {
    fn of(name: &'static str, commands: Vec<Command>) -> Self {
        let start = |mut command: Command| {
            command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
            command.spawn().unwrap()
        };
        Self { name, children: commands.into_iter().map(start).collect() }
    }

    pub fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).chain(self.children.iter().flat_map(|child| offspring(child.id()))).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        for child in &mut self.children {
            for pid in offspring(child.id()) {
                let _ = Command::new("kill").arg(pid.to_string()).status();
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn offspring(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// A program that was asked for: where it is, or why it is not measured.
fn found(name: &'static str) -> Result<PathBuf, String> {
    let places = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin"];
    places.iter().map(|dir| Path::new(dir).join(name)).find(|path| path.exists()).ok_or_else(|| format!("{name} is not installed"))
}

pub fn address(n: usize) -> String {
    format!("10.20.9.{}", n + 2)
}

/// One peer on so many targets, for at least so long.
pub type Start = fn(&Path, usize, u64) -> Result<Peer, String>;

pub const ALL: [Start; 5] = [minimal_loop, fping, oping, zabbix, blackbox];

fn minimal_loop(scratch: &Path, count: usize, seconds: u64) -> Result<Peer, String> {
    let (source, program) = (scratch.join("loop.c"), scratch.join("loop"));
    fs::write(&source, include_str!("loop.c")).unwrap();
    let built =
        Command::new(found("cc")?).args(["-O2", "-w", "-o"]).arg(&program).arg(&source).status().is_ok_and(|status| status.success());
    if !built {
        return Err("cc cannot compile it".to_owned());
    }
    let mut command = Command::new(program);
    command.args([(seconds + 10).to_string(), count.to_string()]);
    Ok(Peer::of("minimal C loop", vec![command]))
}

fn fping(_: &Path, count: usize, _: u64) -> Result<Peer, String> {
    let mut command = Command::new(found("fping")?);
    command.args(["-l", "-q", "-i", "1", "-p", "5000"]).args((0..count).map(address));
    Ok(Peer::of("fping (ICMP only)", vec![command]))
}

fn oping(_: &Path, count: usize, _: u64) -> Result<Peer, String> {
    let mut command = Command::new(found("oping")?);
    command.args(["-i", "5"]).args((0..count).map(address));
    Ok(Peer::of("oping (ICMP only)", vec![command]))
}

/// It answers a server; a thread here plays the server.
fn zabbix(scratch: &Path, count: usize, seconds: u64) -> Result<Peer, String> {
    let (config, log) = (scratch.join("zabbix.conf"), scratch.join("zabbix.log"));
    let text = format!(
        "Server=127.0.0.1\nListenIP=127.0.0.1\nListenPort=10050\nStartAgents=3\nAllowRoot=1\nHostname=t\nLogFile={}\nPidFile={}\n",
        log.display(),
        scratch.join("zabbix.pid").display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new(found("zabbix_agentd")?);
    command.arg("-f").arg("-c").arg(&config);
    let peer = Peer::of("zabbix_agentd (no ICMP)", vec![command]);
    thread::spawn(move || {
        for _ in 0..(seconds + 15) / 5 {
            for n in 0..count {
                let at = address(n);
                let keys = [
                    format!("net.tcp.port[{at},443]"),
                    format!("web.page.perf[{at},/,80]"),
                    format!("net.dns[10.20.9.2,t{n}.centre.example,A,2,1]"),
                ];
                for key in keys {
                    let mut words = b"ZBXD\x01".to_vec();
                    words.extend(u64::try_from(key.len()).unwrap().to_le_bytes());
                    words.extend(key.as_bytes());
                    ask("127.0.0.1:10050", &words);
                }
            }
            thread::sleep(Duration::from_secs(5));
        }
    });
    Ok(peer)
}

fn blackbox(scratch: &Path, count: usize, _: u64) -> Result<Peer, String> {
    let (modules, jobs) = (scratch.join("blackbox.yml"), scratch.join("prometheus.yml"));
    let mut text =
        "modules:\n  icmp: {prober: icmp, timeout: 2s}\n  tcp: {prober: tcp, timeout: 2s}\n  http: {prober: http, timeout: 2s}\n"
            .to_owned();
    let mut scrapes = "global: {scrape_interval: 5s, scrape_timeout: 4s}\nscrape_configs:\n".to_owned();
    for n in 0..count {
        let module = format!("  dns{n}: {{prober: dns, timeout: 2s, dns: {{query_name: t{n}.centre.example, query_type: A}}}}");
        writeln!(text, "{module}").unwrap();
        let at = address(n);
        let checks = [
            ("icmp".to_owned(), at.clone()),
            ("tcp".to_owned(), format!("{at}:443")),
            ("http".to_owned(), format!("http://{at}/")),
            (format!("dns{n}"), "10.20.9.2".to_owned()),
        ];
        for (module, target) in checks {
            let job = format!(
                "  - {{job_name: {n}-{module}, metrics_path: /probe, params: {{module: [{module}], target: ['{target}']}}, static_configs: [{{targets: ['127.0.0.1:9115']}}]}}"
            );
            writeln!(scrapes, "{job}").unwrap();
        }
    }
    fs::write(&modules, text).unwrap();
    fs::write(&jobs, scrapes).unwrap();
    let mut blackbox = Command::new(found("prometheus-blackbox-exporter")?);
    blackbox.arg(format!("--config.file={}", modules.display())).arg("--web.listen-address=127.0.0.1:9115");
    let mut prometheus = Command::new(found("prometheus")?);
    let store = scratch.join(format!("prometheus-{count}"));
    prometheus.arg(format!("--config.file={}", jobs.display())).arg(format!("--storage.tsdb.path={}", store.display()));
    prometheus.arg("--web.listen-address=127.0.0.1:9090");
    Ok(Peer::of("blackbox + prometheus", vec![blackbox, prometheus]))
}
