//! What the PC starts from: Debian's kernel and a file tree in memory, made here from Debian's own packages.
//!
//! The kernel and its drivers come from the package `linux-image-amd64` (the cloud kernel knows no USB), downloaded once and kept below the
//! target directory under a name made from all that goes into it. The program under test is packed anew each time, beside it: the kernel
//! unpacks one archive after the other.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::Done;
use crate::cpio::Archive;
use crate::modules;
use crate::pc::hex;

/// Changes with what is made of the ingredients.
const RECIPE: &[u8] = concat!(include_str!("modules.rs"), include_str!("cpio.rs"), include_str!("image.rs")).as_bytes();
const INIT: &[u8] = include_bytes!("guest/init");
const LISTEN: &[u8] = include_bytes!("guest/listen");
pub(crate) const UDHCPC: &[u8] = include_bytes!("guest/udhcpc");
const CONFIG: &[u8] = include_bytes!("guest/isonet.toml");
/// Taken from this machine with their libraries: what busybox does not do. Cases that need one which is not here fail.
const PROGRAMS: &[&str] = &["ip", "iw", "unshare", "dmsetup", "fuse2fs"];
const ZONES: [&str; 2] = ["Asia/Shanghai", "UTC"];
/// All that is in the image beside the kernel.
pub(crate) const BUSYBOX: &str = "/bin/busybox";
/// Taken from Debian's packages, with libraries that every Debian has: the package, and the program in it.
const PACKAGED: &[(&str, &str)] = &[("chrony", "usr/sbin/chronyd")];
/// How many images are kept.
const KEEP: usize = 2;

/// Ready to be started.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) kernel: PathBuf,
    pub(crate) initrd: PathBuf,
    /// Where what belongs to this image is kept.
    pub(crate) folder: PathBuf,
    pub(crate) disk: Disk,
}

/// The disk of the PC.
#[derive(Debug, Clone)]
pub(crate) enum Disk {
    /// For what the agent keeps only: the system is in memory.
    State(PathBuf),
    /// A system is installed on it.
    System(PathBuf),
    /// The same; whatever was not flushed may be lost with the power, which the log tells.
    Forgetful { disk: PathBuf, log: PathBuf },
}

impl Disk {
    pub(crate) fn has_system(&self) -> bool {
        !matches!(self, Disk::State(_))
    }
}

/// Whether a package may be downloaded for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetch {
    Allowed,
    OnlyCached,
}

/// Makes it, or takes what was made before. `work` gets what is made for this run only.
pub(crate) fn image(work: &Path, fetch: Fetch) -> Done<Image> {
    let busybox = read(Path::new(BUSYBOX))?;
    let recipe = [RECIPE, INIT, LISTEN, &busybox].map(digest).concat();
    let folder = cached("vm", &recipe, fetch, |folder, package| make(folder, package, &busybox))?;
    let initrd = together(work, &folder, overlay(work)?)?;
    Ok(Image { kernel: folder.join("vmlinuz"), initrd, folder, disk: Disk::State(work.join("state.img")) })
}

/// What was made once, and what is made for this run.
pub(crate) fn together(work: &Path, folder: &Path, overlay: Vec<u8>) -> Done<PathBuf> {
    let initrd = work.join("initrd");
    let mut bytes = read(&folder.join("base.cpio"))?;
    bytes.extend(overlay);
    std::fs::write(&initrd, bytes).map_err(|e| format!("cannot write {}: {e}", initrd.display()))?;
    Ok(initrd)
}

/// The folder of what is made by this recipe, from a kernel package, by `make`; kept below the target directory, which is above this program:
/// `TARGET/debug/deps/vm-...`.
pub(crate) fn cached(kind: &str, recipe: &str, fetch: Fetch, make: impl FnOnce(&Path, &str) -> Done) -> Done<PathBuf> {
    let program = std::env::current_exe().unwrap_or_default();
    let cache = program.ancestors().nth(3).unwrap_or(Path::new("target")).join(kind);
    let name = &digest(recipe.as_bytes())[..16];
    // Without the network whichever kernel was taken last will do.
    if let Some(folder) = newest(&cache, name) {
        return Ok(folder);
    }
    if fetch == Fetch::OnlyCached {
        return Err("no image is cached yet; tests/run --full makes it".to_owned());
    }
    let package = kernel_package()?;
    let folder = cache.join(format!("{name}-{package}"));
    let making = cache.join(format!("making-{}", std::process::id()));
    std::fs::create_dir_all(&making).map_err(|e| format!("cannot make {}: {e}", making.display()))?;
    make(&making, &package)?;
    std::fs::rename(&making, &folder).map_err(|e| format!("cannot name {}: {e}", folder.display()))?;
    forget_old(&cache);
    Ok(folder)
}

fn newest(cache: &Path, recipe: &str) -> Option<PathBuf> {
    folders(cache).into_iter().rev().find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(recipe)))
}

/// By age, the oldest first.
fn folders(cache: &Path) -> Vec<PathBuf> {
    let Ok(list) = std::fs::read_dir(cache) else { return Vec::new() };
    let mut all: Vec<_> = list.flatten().filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect();
    all.sort();
    all.into_iter().map(|(_, path)| path).collect()
}

fn forget_old(cache: &Path) {
    let all = folders(cache);
    for old in &all[..all.len().saturating_sub(KEEP)] {
        let _ = std::fs::remove_dir_all(old);
    }
}

/// The package that `linux-image-amd64` stands for now.
fn kernel_package() -> Done<String> {
    let said = run(Command::new("apt-cache").args(["depends", "linux-image-amd64"]))?;
    let name = said.lines().find_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
    name.map(|name| format!("linux-image-{name}")).ok_or_else(|| format!("no kernel package is known: {said}"))
}

/// `vmlinuz` of the package in `folder`, and all that is in it in a tree below.
pub(crate) fn kernel(folder: &Path, package: &str) -> Done<PathBuf> {
    let tree = folder.join("tree");
    std::fs::create_dir_all(&tree).map_err(|e| format!("cannot make {}: {e}", tree.display()))?;
    // As root apt would fetch as another user, who may not write here.
    run(Command::new("apt-get").args(["-q", "-o", "APT::Sandbox::User=root", "download", package]).current_dir(folder))?;
    let debs = folders(folder).into_iter().find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let deb = debs.ok_or_else(|| format!("apt-get downloaded no {package}"))?;
    run(Command::new("dpkg-deb").arg("-x").args([&deb, &tree]))?;
    let kernel = folders(&tree.join("boot")).into_iter().find(|path| path.to_string_lossy().contains("/vmlinuz-"));
    let kernel = kernel.ok_or_else(|| format!("no kernel in {package}"))?;
    std::fs::rename(&kernel, folder.join("vmlinuz")).map_err(|e| format!("cannot move {}: {e}", kernel.display()))?;
    std::fs::remove_file(&deb).map_err(|e| format!("cannot remove {}: {e}", deb.display()))?;
    Ok(tree)
}

/// What every first tree has: busybox, and this as the first program.
pub(crate) fn first_tree(busybox: &[u8], init: &[u8]) -> Archive {
    let mut archive = Archive::default();
    archive.folder("dev");
    // Before /dev is there the first program has to speak somewhere.
    archive.device("dev/console", 5, 1);
    for folder in ["proc", "sys", "etc", "bin", "sbin", "root"] {
        archive.folder(folder);
    }
    archive.program("bin/busybox", busybox);
    archive.program("init", init);
    archive
}

fn make(folder: &Path, package: &str, busybox: &[u8]) -> Done {
    let tree = kernel(folder, package)?;
    let mut archive = first_tree(busybox, INIT);
    archive.program("bin/listen", LISTEN);
    modules::pack(&tree, &mut archive)?;
    for (package, program) in PACKAGED {
        pack_program(folder, package, program, &mut archive)?;
    }
    std::fs::write(folder.join("base.cpio"), archive.finish()).map_err(|e| format!("cannot write the image: {e}"))?;
    std::fs::remove_dir_all(&tree).map_err(|e| format!("cannot remove {}: {e}", tree.display()))
}

/// A program of a package, downloaded and unpacked in a place of its own below `folder`.
fn pack_program(folder: &Path, package: &str, program: &str, archive: &mut Archive) -> Done {
    let place = folder.join(package);
    std::fs::create_dir_all(&place).map_err(|e| format!("cannot make {}: {e}", place.display()))?;
    run(Command::new("apt-get").args(["-q", "-o", "APT::Sandbox::User=root", "download", package]).current_dir(&place))?;
    let deb = folders(&place).pop().ok_or_else(|| format!("apt-get downloaded no {package}"))?;
    run(Command::new("dpkg-deb").arg("-x").args([&deb, &place]))?;
    archive.program(program, &read(&place.join(program))?);
    for library in libraries(&place.join(program))? {
        archive.copy(&library)?;
    }
    std::fs::remove_dir_all(&place).map_err(|e| format!("cannot remove {}: {e}", place.display()))
}

/// The program under test, with what it needs and what makes a PC of the tree.
fn overlay(work: &Path) -> Done<Vec<u8>> {
    let program = Path::new(env!("CARGO_BIN_EXE_isonet"));
    let mut archive = Archive::default();
    let mut libraries = libraries(program)?;
    archive.program("bin/isonet", &read(&stripped(program, work))?);
    let own = std::env::current_exe().map_err(|e| format!("this program has no path: {e}"))?;
    libraries.extend(self::libraries(&own)?);
    archive.program("bin/inside", &read(&stripped(&own, work))?);
    for name in PROGRAMS {
        let Some(path) = find(name) else { continue };
        libraries.extend(self::libraries(&path)?);
        archive.program(&format!("bin/{name}"), &read(&path)?);
    }
    for library in libraries {
        archive.copy(&library)?;
    }
    archive.program("etc/udhcpc", UDHCPC);
    archive.file("etc/isonet/isonet.toml", CONFIG);
    archive.file("etc/hostname", b"till\n");
    archive.file("etc/hosts", b"127.0.0.1 localhost\n127.0.1.1 till\n");
    archive.file("etc/resolv.conf", b"");
    archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n");
    archive.file("etc/group", b"root:x:0:\n");
    archive.file("etc/machine-id", b"6a1b3c5d7e9f40218263a4b5c6d7e8f9\n");
    archive.file("etc/adjtime", b"0.0 0 0.0\n0\nUTC\n");
    for zone in ZONES {
        archive.file(&format!("usr/share/zoneinfo/{zone}"), &read(&Path::new("/usr/share/zoneinfo").join(zone))?);
    }
    archive.link("etc/localtime", &format!("/usr/share/zoneinfo/{}", ZONES[0]));
    Ok(archive.finish())
}

/// Without what only a debugger reads: a third of the size to unpack at each start.
pub(crate) fn stripped(program: &Path, work: &Path) -> PathBuf {
    let smaller = work.join("smaller");
    let done = Command::new("strip").arg("-o").args([&smaller, program]).output().is_ok_and(|out| out.status.success());
    if done { smaller } else { program.to_owned() }
}

/// By `ldd`: the absolute paths in what it says.
pub(crate) fn libraries(program: &Path) -> Done<BTreeSet<PathBuf>> {
    let said = run(Command::new("ldd").arg(program))?;
    Ok(said.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}

/// A program of this machine.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    path.split(':').map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

/// Runs to the end and insists on success; what it said.
pub(crate) fn run(command: &mut Command) -> Done<String> {
    let out = command.output().map_err(|e| format!("cannot start {command:?}: {e}"))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    Err(format!("{command:?} ended with {}: {}", out.status, String::from_utf8_lossy(&out.stderr).trim()))
}

pub(crate) fn read(path: &Path) -> Done<Vec<u8>> {
    std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
