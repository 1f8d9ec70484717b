//! Where peers run: a script in namespaces of its own, with nothing but loopback, and with `/srv` and `/run` empty.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The kit.
pub fn kit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/ops")
}

/// Whether `nft` is there, which this machine must have itself; says so where it is not.
pub fn has_nft() -> bool {
    let there = Command::new("sh").args(["-c", "PATH=$PATH:/usr/sbin:/sbin command -v nft"]).output().is_ok_and(|out| out.status.success());
    if !there {
        println!("SKIPPED: no `nft`");
    }
    there
}

/// Where the peers lie; `None` = they cannot be had here, which is said.
pub fn peers() -> Option<&'static Path> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        // The script decides by this where; cargo does not set it for tests.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ops/fetch");
        let output = Command::new(script).env("CARGO_TARGET_DIR", target).stderr(Stdio::piped()).output().ok()?;
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        output.status.success().then(|| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
    });
    if made.is_none() {
        println!("SKIPPED: the receivers can be fetched from neither Debian nor PyPI");
    } else if !Command::new("unshare").args(NAMESPACES).arg("true").status().is_ok_and(|status| status.success()) {
        println!("SKIPPED: no namespaces can be made here");
        return None;
    }
    made.as_deref()
}

const NAMESPACES: [&str; 6] = ["--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// Runs a script with `WORK` (a directory with what the test wrote) and `KIT`; gives what it printed. It must end well, in two minutes.
pub fn run(peers: &Path, work: &Path, script: &str) -> String {
    let text = work.join("script");
    std::fs::write(&text, format!(". tests/ops/prelude.sh\n{script}")).unwrap();
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "120", "unshare"]).args(NAMESPACES).arg("bash").arg(&text);
    command
        .env("PEERS", peers)
        .env("WORK", work)
        .env("KIT", kit())
        .env("ISONET", env!("CARGO_BIN_EXE_isonet"))
        .env_remove("LD_LIBRARY_PATH");
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    eprint!("{err}");
    out.into_owned()
}
