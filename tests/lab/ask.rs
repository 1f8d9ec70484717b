//! Asking the product: what is asked, its invocation inside the terminal, its answer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::check::{eventually, holds};
use crate::lab::{Lab, Place};
use crate::shell::{Done, Said, must, run, stand_by};

/// Past this a run counts as hung; the product promises 10 s at the very most.
const HARD_LIMIT: &str = "15";

/// How long a frozen run stands still: past every patience of the product.
const SLEEP: Duration = Duration::from_millis(6500);

/// The product's address space: generous for a program that should need 12 MB, too little to swallow a hostile body.
const MEMORY: &str = "--as=536870912";

/// How the configuration names the centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Centre {
    /// By name, with its addresses listed.
    NameAndAddresses,
    /// By name only.
    Name,
    /// By a bare address.
    Address,
    /// Not the usual one at all: `more` says which.
    Elsewhere,
}

/// Who runs the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    Root,
    Nobody,
}

/// One way to ask.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is one line of the configuration, there or not")]
pub(crate) struct Ask {
    /// No configuration file at all when false.
    pub(crate) configured: bool,
    pub(crate) centre: Centre,
    pub(crate) user: User,
    /// `tls.ca` is given.
    pub(crate) ca: bool,
    /// `[dns] resolvers` lists the inner ones.
    pub(crate) resolvers: bool,
    /// The clock the product sees, as `faketime` writes it.
    pub(crate) clock: Option<&'static str>,
    pub(crate) vpn: Client,
    pub(crate) inside: Inside,
    /// `network.access`, instead of what the topology suggests.
    pub(crate) access: Option<&'static str>,
    pub(crate) page: Page,
    /// `tls.client-cert` and `tls.client-key` are given.
    pub(crate) client_cert: bool,
    /// The centre's `critical`.
    pub(crate) critical: bool,
    /// The state directory where [`Lab::enroll`] keeps its baseline.
    pub(crate) enrolled: bool,
    /// Shell words that run beside the product, from the moment it starts.
    pub(crate) meanwhile: fn(&Lab) -> Option<String>,
    /// More tables, after all others.
    pub(crate) more: fn(&Lab) -> String,
    /// Lines of the `[terminal]` table beyond the usual.
    pub(crate) terminal: fn(&Lab) -> String,
    /// What the product finds in its environment.
    pub(crate) env: &'static [(&'static str, &'static str)],
    /// Files or folders that the product sees in the place of the machine's own: what this machine's kernel cannot show.
    pub(crate) stand_ins: fn(&Lab) -> Vec<(PathBuf, String)>,
    pub(crate) course: Course,
}

/// How a run of the product goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    Straight,
    /// Stopped as soon as it has asked something, and let go on after [`SLEEP`]: what a machine's sleep does to it.
    Frozen,
}

/// What the configuration says of the VPN's client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// Everything that is known.
    Known,
    /// Everything but the name of its program.
    Nameless,
    /// Everything, and where its log is.
    Logged,
    /// Everything, with its server by name.
    ServerByName,
    /// A tunnel of some commercial client: nothing but its interface and its server.
    Commercial,
    /// The same of a PPP tunnel: an interface of any number.
    Ppp,
}

/// How the centre's page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// Over TLS, beside another service.
    Tls,
    /// Over plain HTTP, and nothing else.
    Plain,
    /// Over plain HTTP, beside another service.
    PlainBesideService,
}

/// The address that answers only through the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inside {
    /// The VPN server's own.
    Server,
    /// A host behind it.
    Behind,
}

impl Default for Ask {
    fn default() -> Ask {
        Ask {
            configured: true,
            centre: Centre::NameAndAddresses,
            user: User::Root,
            ca: true,
            resolvers: false,
            clock: None,
            vpn: Client::Known,
            inside: Inside::Server,
            access: None,
            page: Page::Tls,
            client_cert: false,
            critical: true,
            enrolled: false,
            meanwhile: |_| None,
            more: |_| String::new(),
            terminal: |_| String::new(),
            env: &[],
            stand_ins: |_| Vec::new(),
            course: Course::Straight,
        }
    }
}

/// What the product answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) said: Said,
    /// The one JSON document; the reason if there is none.
    pub(crate) json: Result<Value, String>,
    /// From outside, with process start and `ip netns exec`.
    pub(crate) wall_ms: u128,
}

impl Ask {
    /// The whole command, ready to run inside the terminal.
    pub(crate) fn command(&self, lab: &Lab, product: &Path, config: &Path) -> Command {
        let mut words: Vec<String> = Vec::new();
        if let Some(clock) = self.clock {
            // Only the wall clock is wrong: a set clock does not touch the monotonic one.
            words.extend(["env", "FAKETIME_DONT_FAKE_MONOTONIC=1"].map(str::to_owned));
            words.extend(["faketime", "-f", clock].map(str::to_owned));
        }
        if self.user == User::Nobody {
            let drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
            words.extend(drop.map(str::to_owned));
        }
        words.push(product.display().to_string());
        words.extend(["diagnose", "--json", "--lang", "en"].map(str::to_owned));
        if self.configured {
            words.extend(["--config".to_owned(), config.display().to_string()]);
        }
        let timed = ["timeout", "--signal=KILL", HARD_LIMIT, "prlimit", MEMORY].map(str::to_owned);
        let mut whole: Vec<String> = timed.into_iter().chain(words).collect();
        if let Some(beside) = (self.meanwhile)(lab) {
            // Its output is nobody's, or who reads the product's would wait for it.
            let script = format!("({beside}) >/dev/null 2>&1 & exec \"$@\"");
            whole.splice(0..0, ["sh", "-c", &script, "sh"].map(str::to_owned));
        }
        self.in_its_place(lab, whole)
    }

    /// Words as a command inside the terminal, with this question's environment and stand-ins.
    pub(crate) fn in_its_place(&self, lab: &Lab, words: Vec<String>) -> Command {
        let mut all = Vec::new();
        for (stand_in, place) in (self.stand_ins)(lab) {
            // `ip netns exec` has given this process its own view of mounts; nobody else sees these.
            let mount = ["sh", "-c", "mount --bind \"$1\" \"$2\" && shift 2 && exec \"$@\"", "sh"];
            all.extend(mount.map(str::to_owned));
            all.extend([stand_in.display().to_string(), place]);
        }
        all.extend(words);
        let mut command = lab.at(Place::Terminal).command(&all[0]);
        command.args(&all[1..]).envs(self.env.iter().copied());
        command
    }

    pub(crate) fn answer(&self, lab: &Lab, product: &Path) -> Done<Answer> {
        let config = lab.path("isonet.toml");
        fs::write(&config, self.config(lab)).map_err(|e| format!("cannot write the config: {e}"))?;
        let command = self.command(lab, product, &config);
        let begin = Instant::now();
        let said = match self.course {
            Course::Straight => run(command, "")?,
            Course::Frozen => run_frozen(lab, command)?,
        };
        let wall_ms = begin.elapsed().as_millis();
        // The whole of stdout must be one document: anything before or after it is an error here.
        let json = serde_json::from_str(&said.out).map_err(|e| e.to_string());
        Ok(Answer { said, json, wall_ms })
    }
}

/// Runs to the end, with a long pause as soon as the terminal's card has sent something.
fn run_frozen(lab: &Lab, mut command: Command) -> Done<Said> {
    let before = sent(lab)?;
    stand_by();
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|e| format!("cannot start: {e}"))?;
    // `timeout` leads a process group of its own, with the product in it.
    let group = format!("-{}", child.id());
    eventually("the product has asked something", || {
        let now = sent(lab)?;
        holds(now > before + 3, format!("{before} packets, then {now}"))
    })?;
    signal(&group, "STOP")?;
    std::thread::sleep(SLEEP);
    signal(&group, "CONT")?;
    child.wait_with_output().map(Said::from).map_err(|e| format!("cannot wait for the product: {e}"))
}

fn signal(group: &str, name: &str) -> Done {
    let mut kill = Command::new("kill");
    kill.args(["-s", name, "--", group]);
    must(kill, "").map(drop)
}

/// Packets that the terminal's card has sent so far.
fn sent(lab: &Lab) -> Done<u64> {
    let file = format!("/sys/class/net/{}/statistics/tx_packets", lab.plan.nic);
    let said = lab.terminal().run(&["cat", &file])?;
    said.out.trim().parse().map_err(|e| format!("{file}: {e}"))
}
