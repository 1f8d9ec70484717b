//! Where packages come from, and trees to try them in.

use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::time::SystemTime;
use tempfile::TempDir;

/// Both packages of one version.
pub struct Packages {
    pub deb: PathBuf,
    pub rpm: PathBuf,
}

/// Whether this run may take its time to fetch and make what is missing.
pub fn thorough() -> bool {
    std::env::var_os("ISONET_PACKAGES").is_some()
}

/// What is tested: given, or made of the binary of this test; `None` = it was said why not.
pub fn packages() -> Option<&'static Packages> {
    static MADE: LazyLock<Option<Packages>> = LazyLock::new(|| {
        if let Some(dir) = std::env::var_os("ISONET_PACKAGES") {
            return Some(found(Path::new(&dir), VERSION));
        }
        let binary = Path::new(env!("CARGO_BIN_EXE_isonet"));
        tools_are_there().then(|| make(binary, VERSION, binary))
    });
    MADE.as_ref()
}

pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What an upgrade leads to.
pub const NEXT: &str = "99.0.0";

/// The same program in packages of another version.
pub fn next() -> Option<&'static Packages> {
    static MADE: LazyLock<Option<Packages>> = LazyLock::new(|| {
        let Packages { deb, .. } = packages()?;
        let work = TempDir::new_in(target()).expect("a directory can be made");
        run(Command::new("dpkg-deb").arg("-x").arg(deb).arg(work.path()));
        Some(make(&work.path().join("usr/bin/isonet"), NEXT, deb))
    });
    MADE.as_ref()
}

/// The target directory is above this program: `TARGET/debug/deps/packages-...`.
fn target() -> PathBuf {
    let program = std::env::current_exe().expect("this program has a path");
    program.ancestors().nth(3).expect("it lies in a target directory").to_owned()
}

fn tools_are_there() -> bool {
    let there = ["cargo-deb", "cargo-generate-rpm"].iter().all(|tool| target().join("packages/tools/bin").join(tool).exists());
    if !there {
        println!("SKIPPED: cargo-deb and cargo-generate-rpm are not there yet; tests/run --full makes them");
    }
    there
}

/// Made once for all tests, which may be processes of their own, until `from` or something else that goes into them is newer.
fn make(binary: &Path, version: &str, from: &Path) -> Packages {
    let out = target().join("packages").join(format!("test-{version}"));
    std::fs::create_dir_all(&out).expect("a directory can be made");
    let lock = File::create(out.join("lock")).expect("a file can be made");
    flock(&lock, FlockOperation::LockExclusive).expect("it can be waited for");
    let done = out.join("done");
    let made = std::fs::metadata(&done).and_then(|meta| meta.modified()).ok();
    if made.is_none_or(|made| made < newest(from)) {
        let build = source("tests/packages/build");
        let mut build = Command::new(build);
        build.env("CARGO_TARGET_DIR", target()).args(["--fast", "--version", version, "--binary"]).arg(binary).arg("--out").arg(&out);
        run(&mut build);
        File::create(&done).expect("a file can be made");
    }
    found(&out, version)
}

/// When the last of what goes into a package was changed.
fn newest(from: &Path) -> SystemTime {
    let parts = [
        "Cargo.toml",
        "CHANGELOG.md",
        "README.md",
        "README.zh-CN.md",
        "config",
        "config/schema",
        "config/rules",
        "config/desktop",
        "systemd",
        "systemd/user",
    ];
    let scripts =
        ["systemd/packages", "systemd/packages/deb", "systemd/packages/rpm", "tests/packages/build", "tests/packages/third-party"];
    let folders = parts.iter().chain(&scripts).map(|part| source(part));
    let files =
        folders.flat_map(|path| std::fs::read_dir(&path).map_or_else(|_| vec![path], |list| list.flatten().map(|e| e.path()).collect()));
    let changed = files.chain([from.to_owned()]).map(|path| std::fs::metadata(path).and_then(|meta| meta.modified()));
    changed.map(|time| time.expect("it is there")).max().expect("there are some")
}

fn found(dir: &Path, version: &str) -> Packages {
    let named = |begin: &str, end: &str| {
        let list = std::fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        let names =
            |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(begin) && n.to_string_lossy().ends_with(end));
        let mut all: Vec<_> = list.flatten().map(|entry| entry.path()).filter(names).collect();
        assert_eq!(all.len(), 1, "one {begin}*{end} in {}: {all:?}", dir.display());
        all.remove(0)
    };
    Packages { deb: named(&format!("isonet_{version}-"), ".deb"), rpm: named(&format!("isonet-{version}-"), ".rpm") }
}

/// A file tree that `tests/packages/tree` makes.
pub fn tree(kind: &str) -> Option<PathBuf> {
    let begin = if kind == "old" { "old-" } else { "tree-" };
    let list = std::fs::read_dir(target().join("packages")).ok();
    let cached = list.into_iter().flatten().flatten().any(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with(begin) && !name.to_string_lossy().ends_with(".new") && entry.path().is_dir()
    });
    if !cached && !thorough() {
        println!("SKIPPED: no file tree of Debian is there yet; tests/run --full makes it");
        return None;
    }
    let said = run(Command::new(source("tests/packages/tree")).env("CARGO_TARGET_DIR", target()).arg(kind));
    Some(PathBuf::from(said.trim()))
}

/// A copy of a tree that may be spoilt.
pub struct Copied(TempDir);

impl Copied {
    pub fn new(tree: &Path) -> Self {
        let dir = TempDir::new_in(target()).expect("a directory can be made");
        run(Command::new("cp").arg("-a").arg("--reflink=auto").arg(tree.join(".")).arg(dir.path()));
        Self(dir)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn has(&self, path: &str) -> bool {
        self.path().join(path.trim_start_matches('/')).symlink_metadata().is_ok()
    }

    pub fn read(&self, path: &str) -> String {
        let path = self.path().join(path.trim_start_matches('/'));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A command of a shell in the tree, without a network, without a service manager, and with processes of its own.
    pub fn sh(&self, command: &str) -> Output {
        inside(self.path(), &["/bin/sh", "-ec", command])
    }

    /// The same, which must succeed; what it said on both channels.
    pub fn done(&self, command: &str) -> String {
        said(&self.sh(command), command)
    }
}

/// Runs a program of a tree in it.
pub fn inside(tree: &Path, command: &[&str]) -> Output {
    let mounted =
        "mount -t proc proc \"$0/proc\"; mount -t sysfs sysfs \"$0/sys\"; ip link set lo up; cd \"$0\"; exec chroot \"$0\" \"$@\"";
    let mut shell = Command::new("unshare");
    shell.args(["--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "sh", "-ec", mounted]).arg(tree).args(command);
    shell.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
    shell.env("DEBIAN_FRONTEND", "noninteractive").output().expect("unshare runs")
}

/// Whether this place can do that; says so where it cannot.
pub fn can_chroot() -> bool {
    let can = rustix::process::geteuid().is_root()
        && Command::new("unshare").args(["-mnpiuf", "true"]).output().is_ok_and(|out| out.status.success());
    if !can {
        println!("SKIPPED: needs root and namespaces");
    }
    can
}

/// Whether a program is there; says so where it is not.
pub fn has(program: &str) -> bool {
    let there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().is_ok_and(|out| out.status.success());
    if !there {
        assert!(!thorough(), "no `{program}`");
        println!("SKIPPED: no `{program}`");
    }
    there
}

/// A file of the repository.
pub fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs it; it must succeed. What it said on stdout.
pub fn run(command: &mut Command) -> String {
    let out = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(out.status.success(), "{command:?}: {}\n{}", out.status, said_at_all(&out));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

pub fn said(out: &Output, what: &str) -> String {
    assert!(out.status.success(), "{what}: {}\n{}", out.status, said_at_all(out));
    said_at_all(out)
}

pub fn said_at_all(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}
