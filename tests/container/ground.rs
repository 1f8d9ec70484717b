//! What all cases stand on: the container with its network, the packages, and the words to ask the service.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::container::{Container, FILES, Said, until, within};
use crate::network::{CENTRES, Network, PORT, address};
use crate::records::Records;
use crate::{Done, run, tree};

/// The package under test, and the same as the version before.
pub(crate) struct Packages {
    dir: TempDir,
    pub(crate) old: String,
    pub(crate) new: String,
}

impl Packages {
    /// Of the program that was built for this test.
    pub(crate) fn make(may_install_tools: bool) -> Done<Packages> {
        if !may_install_tools && !tree::below_target("packages/tools/bin/cargo-deb").is_file() {
            return Err("the tool that makes packages is not there yet; tests/run --full installs it".to_owned());
        }
        let dir = tempfile::Builder::new().prefix("isonet-box-").tempdir().map_err(|e| e.to_string())?;
        let program = env!("CARGO_BIN_EXE_isonet");
        let mut build = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages/build"));
        build.args(["--deb-only", "--fast", "--binary", program, "--out"]).arg(dir.path());
        build.env("CARGO_TARGET_DIR", tree::below_target(""));
        let made = run(&mut build)?;
        let new = PathBuf::from(made.lines().last().unwrap_or_default().trim());
        let unpacked = dir.path().join("unpacked");
        run(Command::new("dpkg-deb").arg("-R").args([&new, &unpacked]))?;
        run(Command::new("sed").args(["-i", "s/^Version: .*/Version: 0.0.9-1/"]).arg(unpacked.join("DEBIAN/control")))?;
        let old = dir.path().join("isonet_0.0.9-1.deb");
        run(Command::new("dpkg-deb").args(["-Zgzip", "-z1", "-b"]).args([&unpacked, &old]))?;
        std::fs::remove_dir_all(&unpacked).map_err(|e| e.to_string())?;
        let own = std::env::current_exe().map_err(|e| e.to_string())?;
        run(Command::new("strip").arg("-o").args([&dir.path().join("inside"), &own]))?;
        let inside = |path: &Path| format!("{FILES}/{}", path.file_name().unwrap_or_default().to_string_lossy());
        Ok(Packages { old: inside(&old), new: inside(&new), dir })
    }
}

pub(crate) struct Ground {
    pub(crate) container: Container,
    pub(crate) network: Network,
    pub(crate) old: String,
    pub(crate) new: String,
}

impl Ground {
    pub(crate) fn new(packages: &Packages, tree: &Path) -> Done<Ground> {
        let network = Network::new()?;
        let container = Container::boot(tree, &network.terminal(), packages.dir.path())?;
        // Who sits at the PC, who may ask, and who may do nothing; the first has a home that others may enter, as old desktops make them.
        container.run(
            "useradd -m li && chmod 755 /home/li && useradd -M clerk && printf 'nameserver 10.79.1.1\\n' >/etc/resolv.conf && \
             printf '127.0.0.1 localhost\\n127.0.1.1 till\\n' >/etc/hosts && chmod 644 /etc/resolv.conf /etc/hosts && \
             hostname till && echo till >/etc/hostname && ln -sf /usr/share/zoneinfo/Etc/UTC /etc/localtime && \
             nft add table inet guard && nft 'add chain inet guard in { type filter hook input priority 0; }' && \
             nft add rule inet guard in tcp dport 9 drop",
        )?;
        Ok(Ground { container, network, old: packages.old.clone(), new: packages.new.clone() })
    }

    pub(crate) fn install(&self, package: &str) -> Done<Said> {
        let said = self.container.tried(&format!("dpkg -i {package}"))?;
        if said.code == 0 { Ok(said) } else { Err(format!("dpkg: {}{}", said.out, said.err)) }
    }

    /// Centres, quick to open and to close; records go to the journal as well.
    pub(crate) fn configure(&self) -> Done {
        let mut text = String::from(
            "language = \"en\"\n[terminal]\nname = \"Till\"\nkind = \"pharmacy\"\n[network]\naccess = \"leased-line\"\n[probe]\ninterval = \"1s\"\n\
             timeout = \"1500ms\"\nraise = { failures = 1, within = \"15s\" }\nclear = { successes = 1, within = \"10s\" }\n\
             [rules]\nset = \"example\"\nforbidden-software = [\"teamviewer\"]\n[[sink]]\nname = \"journal\"\nkind = \"journal\"",
        );
        for name in CENTRES {
            let at = address(name);
            let http = format!("{{ url = \"http://{at}:{PORT}/\", status = [200] }}");
            let _ = writeln!(text, "\n[[centre]]\nname = \"{name}\"\nhost = \"{at}\"\ntcp = [{PORT}]\nhttp = {http}");
        }
        self.container.write("/etc/isonet/conf.d/50-site.toml", &text)
    }

    /// A drop-in of the unit, in force from the next start; an empty one is taken away.
    pub(crate) fn unit(&self, name: &str, lines: &str) -> Done {
        let path = format!("/etc/systemd/system/isonet.service.d/{name}.conf");
        if lines.is_empty() {
            self.container.run(&format!("rm -f {path}"))?;
        } else {
            self.container.write(&path, &format!("[Service]\n{lines}"))?;
        }
        self.container.run("systemctl daemon-reload").map(drop)
    }

    pub(crate) fn restart(&self) -> Done {
        self.container.run("systemctl reset-failed isonet; systemctl restart isonet").map(drop)
    }

    /// What systemd knows of the unit.
    pub(crate) fn property(&self, name: &str) -> Done<String> {
        Ok(self.container.run(&format!("systemctl show -p {name} --value isonet"))?.trim().to_owned())
    }

    pub(crate) fn pid(&self) -> Done<u32> {
        self.property("MainPID")?.parse().map_err(|e| format!("no process: {e}"))
    }

    pub(crate) fn status(&self) -> Done<Value> {
        let said = self.container.run("isonet status --json")?;
        serde_json::from_str(&said).map_err(|e| format!("{e}: {said}"))
    }

    /// Waits until it is running and each watcher has looked once; how things stand then.
    pub(crate) fn watching(&self) -> Done<Value> {
        until("each watcher's first look", || {
            let status = self.status().ok()?;
            let watchers = status.pointer("/agent/watchers")?.as_array()?;
            let all = watchers.iter().all(|one| one["because"].as_str().is_none_or(|why| !why.contains("has not looked yet")));
            (all && !status["looked_at"].is_null()).then_some(status)
        })
        .map_err(|why| format!("{why}; {:?}", self.status()))
    }

    pub(crate) fn records(&self) -> Done<Records> {
        Ok(Records::of(&self.container.run("cat /var/lib/isonet/spool/*.jsonl")?))
    }

    /// Waits for records like this.
    pub(crate) fn recorded(&self, what: &str, patience: Duration, fits: impl Fn(&Records) -> bool) -> Done<Records> {
        within(patience, what, || self.records().ok().filter(&fits)).map_err(|why| {
            let all: Vec<String> = self.records().map(|records| records.lines.iter().rev().take(6).cloned().collect()).unwrap_or_default();
            format!("{why}; the last records: {all:#?}")
        })
    }

    /// All that it says it cannot see: watchers, and probes of the last round.
    pub(crate) fn blind(&self) -> Done<BTreeSet<String>> {
        let status = self.watching()?;
        let mut blind = BTreeSet::new();
        for watcher in status.pointer("/agent/watchers").and_then(Value::as_array).into_iter().flatten() {
            if watcher["sees"] != Value::Bool(true) {
                blind.insert(format!("{}: {}", watcher["what"].as_str().unwrap_or("?"), watcher["because"].as_str().unwrap_or("?")));
            }
        }
        for gap in status.pointer("/agent/blind").and_then(Value::as_array).into_iter().flatten() {
            blind.insert(format!("{}: {}", gap["what"].as_str().unwrap_or("?"), gap["because"].as_str().unwrap_or("?")));
        }
        Ok(blind)
    }

    /// Whether the log proves itself.
    pub(crate) fn log_is_whole(&self) -> Done {
        self.container.run("isonet verify-log").map(drop)
    }

    /// The last of what the service and its manager said.
    pub(crate) fn journal(&self) -> String {
        self.container.tried("journalctl -u isonet -n 25 --no-pager -o short-monotonic").map(|said| said.out).unwrap_or_default()
    }
}
