//! The file tree that the container boots: a small Debian of this machine's release, made once and kept below the target directory under a
//! name made from its recipe.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::{Done, run};

/// Beyond what every Debian has.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,iproute2,procps,nftables,lsof,libpam-systemd,dbus-user-session";
const MIRROR: &str = "http://deb.debian.org/debian";

/// The tree; made where `may_make` allows it.
pub(crate) fn tree(may_make: bool) -> Done<PathBuf> {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let release =
        release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).ok_or("the release of this machine is not known")?;
    let recipe = format!("{release} {PACKAGES} {MIRROR}");
    let name = Sha256::digest(recipe.as_bytes()).iter().take(8).fold(String::new(), |name, byte| format!("{name}{byte:02x}"));
    let cache = below_target("container");
    let tree = cache.join(name);
    if tree.is_dir() {
        return Ok(tree);
    }
    if !may_make {
        return Err("no file tree is cached yet; tests/run --full makes it".to_owned());
    }
    // What is left of other recipes is of no use any more.
    let _ = std::fs::remove_dir_all(&cache);
    std::fs::create_dir_all(&cache).map_err(|e| format!("cannot make {}: {e}", cache.display()))?;
    let making = cache.join("making");
    let include = format!("--include={PACKAGES}");
    run(Command::new("debootstrap").args(["--variant=minbase", &include, release]).arg(&making).arg(MIRROR))?;
    for gone in ["var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale"] {
        let _ = std::fs::remove_dir_all(making.join(gone));
    }
    // What starts and has no use here.
    run(Command::new("systemctl").arg("--root").arg(&making).args([
        "mask",
        "-q",
        "getty.target",
        "apt-daily.timer",
        "apt-daily-upgrade.timer",
    ]))?;
    std::fs::rename(&making, &tree).map_err(|e| format!("cannot name {}: {e}", tree.display()))?;
    Ok(tree)
}

/// The target directory is above this program: `TARGET/debug/deps/container-...`.
pub(crate) fn below_target(name: &str) -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(3).unwrap_or(Path::new("target")).join(name)
}
