//! Programs that serve a file system in user space (FUSE), and the disks that they hold open.
//!
//! Such a file system says in words what it is made of, and may say anything; the program behind it holds the disk. Descriptors of others'
//! programs are shown only to who has `CAP_SYS_PTRACE`. These calls walk through `/proc`: for a thread of their own.

use super::files::read_text;
use rustix::fs::{AtFlags, CWD, FileType, StatxFlags, statx};
use std::io::ErrorKind;
use std::path::Path;

/// What every such program holds.
const DOOR: &str = "/dev/fuse";
/// What every program in the background holds.
const NOTHING: &str = "/dev/null";
/// Processes that are looked at in one walk.
const MOST_PROCESSES: usize = 65_536;
/// Descriptors of one process that are looked at.
const MOST_DESCRIPTORS: usize = 4096;
/// Of a command line, in bytes.
const LONGEST: u64 = 64 * 1024;

/// A program that serves, and may hold a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The file systems it serves, by the minor number they have in the table of mounts; empty where the kernel does not tell (before 6.15).
    pub serves: Vec<u32>,
    /// Its command line, in which the place of the mount usually stands.
    pub words: Vec<String>,
    /// What it holds of devices: `/dev/NAME`, or `major:minor` of a block device that is called something else.
    pub holds: Vec<String>,
}

/// What a walk showed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Served {
    /// Those that hold some device.
    pub servers: Vec<Server>,
    /// Whether some program did not let itself be looked into.
    pub refused: bool,
}

/// Looks at all programs below this `/proc`.
pub fn servers(proc: &Path) -> Served {
    let mut all = Served::default();
    let Ok(entries) = std::fs::read_dir(proc) else { return Served { refused: true, ..all } };
    let is_process = |entry: &std::fs::DirEntry| entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok());
    for entry in entries.flatten().filter(is_process).take(MOST_PROCESSES) {
        match server(&entry.path()) {
            Ok(server) => all.servers.extend(server),
            // One that has just ended is no refusal.
            Err(kind) => all.refused |= kind == ErrorKind::PermissionDenied,
        }
    }
    all
}

fn server(process: &Path) -> Result<Option<Server>, ErrorKind> {
    let descriptors = std::fs::read_dir(process.join("fd")).map_err(|e| e.kind())?.flatten().take(MOST_DESCRIPTORS);
    let files = descriptors.filter_map(|entry| Some((entry.path(), std::fs::read_link(entry.path()).ok()?.to_str()?.to_owned())));
    let (doors, others): (Vec<_>, Vec<_>) = files.filter(|(_, file)| file.starts_with('/')).partition(|(_, file)| file == DOOR);
    if doors.is_empty() {
        return Ok(None);
    }
    let holds: Vec<String> = others.iter().filter_map(|(at, file)| block(at, file)).collect();
    if holds.is_empty() {
        return Ok(None);
    }
    let info = |at: &Path| read_text(&process.join("fdinfo").join(at.file_name()?), 4096).ok();
    let serves = doors.iter().filter_map(|(at, _)| connection(&info(at)?)).collect();
    let line = read_text(&process.join("cmdline"), LONGEST).unwrap_or_default();
    let words = line.split('\0').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    Ok(Some(Server { serves, words, holds }))
}

/// What may be a block device behind a descriptor. What lies with the devices is told by its name, which costs nothing; otherwise by its
/// number, for which the file system that it lies on is not asked anew: one that hangs must not hang us.
fn block(at: &Path, file: &str) -> Option<String> {
    if file.starts_with("/dev/") {
        return (file != NOTHING).then(|| file.to_owned());
    }
    let seen = statx(CWD, at, AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE).ok()?;
    let is_block = FileType::from_raw_mode(seen.stx_mode.into()) == FileType::BlockDevice;
    is_block.then(|| format!("{}:{}", seen.stx_rdev_major, seen.stx_rdev_minor))
}

/// In the text of an `fdinfo` file.
fn connection(info: &str) -> Option<u32> {
    info.lines().find_map(|line| line.strip_prefix("fuse_connection:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn process(proc: &Path, number: &str, files: &[&str], info: &str, line: &str) {
        let directory = proc.join(number);
        fs::create_dir_all(directory.join("fd")).expect("made");
        fs::create_dir_all(directory.join("fdinfo")).expect("made");
        for (fd, file) in files.iter().enumerate() {
            symlink(file, directory.join("fd").join(fd.to_string())).expect("linked");
            fs::write(directory.join("fdinfo").join(fd.to_string()), info).expect("written");
        }
        fs::write(directory.join("cmdline"), line).expect("written");
    }

    #[test]
    fn who_serves_a_disk_is_found_and_nobody_else() {
        let proc = tempfile::tempdir().expect("a directory");
        let line = "fuse2fs\0/dev/sdb1\0/media/u\0";
        process(proc.path(), "7", &["/dev/null", "/dev/fuse", "/dev/sdb1", "pipe:[3]"], "pos:\t0\nfuse_connection:\t51\n", line);
        process(proc.path(), "8", &["/dev/fuse", "/home/u/x"], "pos:\t0\n", "sshfs\0");
        process(proc.path(), "9", &["/dev/sdb1"], "pos:\t0\n", "dd\0");
        let words = ["fuse2fs", "/dev/sdb1", "/media/u"].map(str::to_owned).to_vec();
        let server = Server { serves: vec![51], words, holds: vec!["/dev/sdb1".to_owned()] };
        assert_eq!(servers(proc.path()), Served { servers: vec![server], refused: false });
    }

    #[test]
    fn a_kernel_that_names_no_connection_leaves_it_open() {
        assert_eq!(connection("pos:\t0\nflags:\t02\n"), None);
        assert_eq!(connection("pos:\t0\nfuse_connection:\t9\n"), Some(9));
    }
}
