//! What the PC with a disk starts from: a minimal Debian with systemd, made by `guest/system/make` from Debian's packages, and kept.
//!
//! What is under test is delivered anew each time, with the first tree in memory, and installed by the PC itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Done;
use crate::cpio::Archive;
use crate::image::{self, BUSYBOX, Disk, Fetch, Image, UDHCPC, digest, read, run, stripped};
use crate::modules;

const START: &[u8] = include_bytes!("guest/system/start");
const MAKE: &[u8] = include_bytes!("guest/system/make");
const LISTEN: &[u8] = include_bytes!("guest/listen");
const SERVICE: &[u8] = include_bytes!("guest/system/pc.service");
const LAN: &[u8] = include_bytes!("guest/system/lan.network");
const TUNNELS: &[u8] = include_bytes!("guest/tunnels");
const RECIPE: &[u8] = concat!(include_str!("modules.rs"), include_str!("cpio.rs")).as_bytes();
/// Names a package to be installed instead of the one that is made here.
const PACKAGE: &str = "ISONET_DEB";
/// Names the one from which it is upgraded, instead of the same program under an older version.
const BEFORE: &str = "ISONET_DEB_BEFORE";

/// Makes it, or takes what was made before. `work` gets what is made for this run only.
pub(crate) fn system(work: &Path, fetch: Fetch) -> Done<Image> {
    let busybox = read(Path::new(BUSYBOX))?;
    let recipe = [RECIPE, START, MAKE, LISTEN, SERVICE, LAN, UDHCPC, &busybox].map(digest).concat();
    let folder = image::cached("vm-system", &recipe, fetch, |folder, package| make(folder, package, &busybox))?;
    let initrd = image::together(work, &folder, delivery(work)?)?;
    let disk = work.join("root.qcow2");
    layer(&disk, &folder.join("root.img"), "raw")?;
    Ok(Image { kernel: folder.join("vmlinuz"), initrd, folder, disk: Disk::System(disk) })
}

/// A disk that shows what is below until it is written.
pub(crate) fn layer(disk: &Path, below: &Path, format: &str) -> Done {
    let _ = std::fs::remove_file(disk);
    run(Command::new("qemu-img").args(["create", "-q", "-f", "qcow2", "-F", format, "-b"]).args([below, disk])).map(drop)
}

fn make(folder: &Path, package: &str, busybox: &[u8]) -> Done {
    let tree = image::kernel(folder, package)?;
    let version = package.strip_prefix("linux-image-").unwrap_or(package);
    let mut archive = image::first_tree(busybox, START);
    modules::pack_for_disk(&tree, &mut archive)?;
    write(&folder.join("base.cpio"), &archive.finish())?;
    let (drivers, guest) = (folder.join("modules"), folder.join("guest"));
    for folder in [&drivers, &guest] {
        std::fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    }
    modules::copy(&tree, version, &drivers)?;
    for (name, bytes) in [("make", MAKE), ("listen", LISTEN), ("pc.service", SERVICE), ("lan.network", LAN), ("udhcpc", UDHCPC)] {
        write(&guest.join(name), bytes)?;
    }
    write(&folder.join("busybox"), busybox)?;
    run(Command::new("chmod").arg("755").args([folder.join("busybox")]))?;
    // A tree whose files belong to many can only be made by root.
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("bash")
    } else {
        let mut command = Command::new("sudo");
        command.args(["-n", "bash"]);
        command
    };
    command.arg(guest.join("make")).args([folder, Path::new(version), Path::new(&suite()?)]);
    run(command.env("PATH", std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin"))?;
    for gone in [tree, drivers, guest] {
        std::fs::remove_dir_all(&gone).map_err(|e| format!("cannot remove {}: {e}", gone.display()))?;
    }
    Ok(())
}

/// The Debian that this machine is: what was built here runs there.
fn suite() -> Done<String> {
    let told = std::fs::read_to_string("/etc/os-release").map_err(|e| format!("cannot read /etc/os-release: {e}"))?;
    let name = told.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    name.map(str::to_owned).ok_or_else(|| "this machine's Debian has no name".to_owned())
}

fn write(path: &Path, bytes: &[u8]) -> Done {
    std::fs::write(path, bytes).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// What is installed, and the program that does what busybox cannot do.
fn delivery(work: &Path) -> Done<Vec<u8>> {
    let mut archive = Archive::default();
    let own = std::env::current_exe().map_err(|e| format!("this program has no path: {e}"))?;
    archive.program("deliver/inside", &read(&stripped(&own, work))?);
    archive.program("deliver/tunnels", TUNNELS);
    let package = std::env::var_os(PACKAGE).map_or_else(|| package(work), |path| Ok(path.into()))?;
    archive.file("deliver/isonet.deb", &read(&package)?);
    let before = std::env::var_os(BEFORE).map_or_else(|| older(&package, work), |path| Ok(path.into()))?;
    archive.file("deliver/before.deb", &read(&before)?);
    Ok(archive.finish())
}

/// Of the program that was built for this test.
fn package(work: &Path) -> Done<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages/build");
    let said = run(Command::new(script).args(["--deb-only", "--fast", "--binary", env!("CARGO_BIN_EXE_isonet"), "--out"]).arg(work))?;
    let path = said
        .lines()
        .rev()
        .find(|line| Path::new(line).extension().is_some_and(|extension| extension == "deb"))
        .ok_or_else(|| format!("no package was made: {said}"))?;
    Ok(PathBuf::from(path))
}

/// The same under an older version.
fn older(package: &Path, work: &Path) -> Done<PathBuf> {
    let (unpacked, older) = (work.join("unpacked"), work.join("before.deb"));
    run(Command::new("dpkg-deb").arg("-R").args([package, &unpacked]))?;
    run(Command::new("sed").args(["-i", "s/^Version: .*/Version: 0.0.9-1/"]).arg(unpacked.join("DEBIAN/control")))?;
    run(Command::new("dpkg-deb").args(["--root-owner-group", "-Zgzip", "-z1", "-b"]).args([&unpacked, &older]))?;
    std::fs::remove_dir_all(&unpacked).map_err(|e| format!("cannot remove {}: {e}", unpacked.display()))?;
    Ok(older)
}

/// Programs besides those of the smaller PC, and the Debian package of each.
pub(crate) const NEEDS: [(&str, &str); 2] = [("debootstrap", "debootstrap"), ("qemu-img", "qemu-utils")];
