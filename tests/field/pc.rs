//! A PC as it stands at a counter: private to it are network, host name, `/etc` and `/var/lib`.

use crate::ground::Ground;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

/// What the region has in common. The centre answers nowhere: enrolling needs no centre.
pub const REGION: &str = "[network]
access = \"leased-line\"
[contacts]
bureau = { name = \"Bureau\", phone = \"029-3\" }
operator = { name = \"Operator\", phone = \"10000\" }
[[centre]]
name = \"settlement\"
host = \"10.20.0.10\"
tcp = [443]
[isolation]
mode = \"off\"
[[sink]]
name = \"journal\"
kind = \"journal\"
";

/// The list: one row for each PC of the table, and others that must not be taken for it.
pub const SITES: &str = "code,name,terminal,hostname,mac,address,gateway,region,operator-phone,phone,vpn-user
P001,城南药店,1 号柜台,south-1,,,,610102,,029-5550,u001
P001,城南药店,2 号柜台,south-2,,,,610102,,029-5550,u002
P002,West Clinic,,,02:00:00:0a:0b:0c,,,610103,,,
P003,North,,,,10.81.1.3,10.81.1.1,610104,029-9,,
P004,Six,,,,fd81:1::/64,,610105,,,
P005,Twin,a,twin,,,,610106,,,
P006,Twin,b,twin,,,,610106,,,
P007,Elsewhere,,,,10.99.0.5,10.99.0.1,610107,,,
P008,Bad,,bad,,,,61 01,,,
P009,Card,,,00:11:22:33:44:55,,,610109,,,
";

/// One PC, set up.
pub struct Pc {
    pub ground: Ground,
}

impl Pc {
    /// With one card, [`crate::ground::TERMINAL`], a gateway, and nothing of isonet on it; or says why not.
    pub fn new() -> Option<Self> {
        let ground = Ground::new()?;
        fs::create_dir(ground.path("lib")).unwrap();
        ground.here(&format!("mount --bind {} /var/lib", ground.path("lib").display()));
        let pc = Self { ground };
        let _ = fs::remove_dir_all(pc.etc());
        pc.give("region.toml", REGION.as_bytes());
        pc.give("sites.csv", SITES.as_bytes());
        pc.name("pc");
        Some(pc)
    }

    /// Its `/etc/isonet`.
    pub fn etc(&self) -> PathBuf {
        self.ground.path("etc/isonet")
    }

    /// A file on the engineer's stick.
    pub fn give(&self, name: &str, bytes: &[u8]) {
        fs::write(self.ground.path(name), bytes).unwrap();
    }

    /// A file below `/etc/isonet`.
    pub fn configure(&self, name: &str, text: &str) {
        let path = self.etc().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn name(&self, name: &str) {
        self.ground.here(&format!("hostname {name} 2>/dev/null || echo {name} > /proc/sys/kernel/hostname"));
    }

    /// `isonet enroll --profile .. --sites ..` and these words, by somebody with a strict umask.
    pub fn enroll(&self, words: &[&str]) -> Output {
        let (profile, sites) = (self.ground.path("region.toml"), self.ground.path("sites.csv"));
        let mut command = self.ground.command("sh");
        command.args(["-c", "umask 077; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_isonet")]);
        command.args(["--lang", "en", "enroll", "--profile"]).arg(profile).arg("--sites").arg(sites).args(words);
        command.stdin(Stdio::null()).output().unwrap()
    }

    pub fn isonet(&self, words: &[&str]) -> Output {
        self.ground.command(env!("CARGO_BIN_EXE_isonet")).args(["--lang", "en"]).args(words).stdin(Stdio::null()).output().unwrap()
    }

    /// Everything below `/etc/isonet` and `/var/lib/isonet`: content, and which file it is.
    pub fn files(&self) -> BTreeMap<PathBuf, (Vec<u8>, u64)> {
        let mut found = BTreeMap::new();
        let mut left = vec![self.etc(), self.ground.path("lib/isonet")];
        while let Some(dir) = left.pop() {
            for entry in fs::read_dir(&dir).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    found.insert(path.clone(), (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().ino()));
                }
            }
        }
        found
    }

    /// Whether everybody, the service among them, may read what was written.
    pub fn is_readable(&self) -> bool {
        let mode = |path: PathBuf| fs::metadata(path).unwrap().mode() & 0o777;
        let files = ["conf.d/10-region.toml", "conf.d/20-site.toml"].map(|name| mode(self.etc().join(name)));
        files == [0o644; 2] && mode(self.etc().join("conf.d")) == 0o755
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.etc().join(name)).unwrap_or_default()
    }

    pub fn baseline(&self) -> String {
        fs::read_to_string(self.ground.path("lib/isonet/baseline")).unwrap_or_default()
    }
}

/// What was done to a PC before, what is run, and what must come of it.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub stage: fn(&Pc),
    pub words: &'static [&'static str],
    pub expected: i32,
    /// What must be said, on whichever stream.
    pub says: &'static [&'static str],
    pub leaves: Leaves,
    /// What else must hold. Gives what does not.
    pub also: fn(&Pc) -> Vec<String>,
}

/// What the command leaves behind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// Both files and the baseline, and a configuration that is right.
    All,
    /// Everything as it was, to the last file.
    Nothing,
}

/// What came of it.
pub struct Told {
    pub name: &'static str,
    pub expected: i32,
    pub got: i32,
    pub took: Duration,
    pub faults: Vec<String>,
    pub said: String,
}

impl Case {
    pub fn run(self) -> Told {
        let pc = Pc::new().unwrap();
        (self.stage)(&pc);
        let before = pc.files();
        let began = isonet::sys::clock::now();
        let out = pc.enroll(self.words);
        let took = began.elapsed();
        let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        let got = out.status.code().unwrap_or(-1);
        let mut faults: Vec<String> =
            self.says.iter().filter(|word| !said.contains(**word)).map(|word| format!("not said: {word}")).collect();
        if (got == 0) != (out.stderr.is_empty() && !out.stdout.is_empty()) {
            faults.push("success belongs on stdout alone, failure on stderr".to_owned());
        }
        match self.leaves {
            Leaves::Nothing if pc.files() != before => faults.push("something was written".to_owned()),
            Leaves::All => {
                for name in ["conf.d/10-region.toml", "conf.d/20-site.toml"] {
                    if pc.text(name).is_empty() {
                        faults.push(format!("{name} is missing"));
                    }
                }
                if faults.is_empty() && !pc.is_readable() {
                    faults.push("the service cannot read it".to_owned());
                }
                let checked = pc.isonet(&["check-config"]);
                if checked.status.code() != Some(0) || pc.baseline().is_empty() {
                    faults.push(format!("not configured or not enrolled: {}", String::from_utf8_lossy(&checked.stderr)));
                }
                let again = (pc.files(), pc.enroll(self.words), pc.files());
                if again.1.status.code() != Some(0) || again.0 != again.2 {
                    faults.push(format!("a second run changes something: {}", String::from_utf8_lossy(&again.1.stderr)));
                }
            }
            Leaves::Nothing => {}
        }
        faults.extend((self.also)(&pc));
        Told { name: self.name, expected: self.expected, got, took, faults, said }
    }
}

/// What must stand in a text and does not.
pub fn lacks(text: &str, words: &[&str]) -> Vec<String> {
    words.iter().filter(|word| !text.contains(**word)).map(|word| format!("not written: {word}")).collect()
}
