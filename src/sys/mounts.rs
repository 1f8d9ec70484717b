//! What is mounted where (`/proc/PID/mountinfo`, proc(5)), in our own surroundings and in those of other programs; and an ear for changes.
//!
//! A mount in another mount namespace brings no event here and is in no table of ours: only that program's own table shows it. These calls
//! read `/proc` and block for as long as the kernel needs: walks over all processes belong into a thread of their own.

#![allow(unsafe_code, reason = "registering a file for its priority events")]

use super::files::{ReadError, read, read_text};
use crate::model::Unseen;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// No table of a PC is larger: a thousand containers.
const LARGEST: u64 = 8 << 20;
/// Lines that are looked at.
const MOST_MOUNTS: usize = 65_536;
/// Processes that are looked at in one walk.
const MOST_PROCESSES: usize = 65_536;
/// Surroundings of other programs that are read in one walk.
const MOST_NAMESPACES: usize = 1024;

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Unique among all mounts of the system while it exists.
    pub id: u32,
    /// `major:minor` of what is mounted; major 0 = no block device of its own (FUSE, btrfs, tmpfs).
    pub device: String,
    /// Which directory of the file system is shown; anything but `/` is a part of it.
    pub root: String,
    /// Where.
    pub point: String,
    /// Kind of file system.
    pub kind: String,
    /// What was given to mount: usually a device file.
    pub source: String,
    /// Whether files can be written.
    pub writable: bool,
    /// For whom a program serves it (FUSE says so): a user's number.
    pub served_for: Option<u32>,
}

impl Mount {
    /// Reads a table. Lines that make no sense are passed over.
    pub fn table(text: &[u8]) -> Vec<Self> {
        text.split(|byte| *byte == b'\n').take(MOST_MOUNTS).filter_map(Self::parse).collect()
    }

    /// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let id = String::from_utf8_lossy(fields.next()?).parse().ok()?;
        let mut next = || fields.next().map(unescaped);
        let (_parent, device, root, point, options) = (next()?, next()?, next()?, next()?, next()?);
        // Optional fields, as many as there are, end with a dash.
        fields.by_ref().find(|field| *field == b"-")?;
        let mut next = || fields.next().map(unescaped);
        let (kind, source, whole) = (next()?, next()?, next()?);
        let rw = |options: &str| options.split(',').next() == Some("rw");
        let served_for = whole.split(',').find_map(|option| option.strip_prefix("user_id=")?.parse().ok());
        Some(Self { id, device, root, point, kind, source, writable: rw(&options) && rw(&whole), served_for })
    }
}

/// Blanks, tabs, line ends and backslashes are written as three octal digits behind a backslash.
fn unescaped(field: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = || tail.get(..3)?.iter().try_fold(0_u32, |sum, digit| Some(sum * 8 + char::from(*digit).to_digit(8)?));
        if let (b'\\', Some(code)) = (first, octal().and_then(|code| u8::try_from(code).ok())) {
            bytes.push(code);
            rest = &tail[3..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The table of one process below this `/proc`: its number, or `self`.
pub fn of_process(proc: &Path, process: &str) -> Result<Vec<Mount>, ReadError> {
    read(&proc.join(process).join("mountinfo"), LARGEST).map(|bytes| Mount::table(&bytes))
}

/// A program's own surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// The first process in them that was met.
    pub process: u32,
    /// Name of its program (15 characters at most, as the kernel keeps it).
    pub program: String,
    /// What it sees mounted.
    pub mounts: Vec<Mount>,
}

/// All surroundings of processes below this `/proc` but those that begin with one of these mounts, each once. Two processes share their
/// surroundings when the first line of their tables is the same mount: its number is unique on the system, and everybody may read it, other
/// than the name of the namespace.
pub fn elsewhere(proc: &Path, known: &[u32]) -> Vec<Surroundings> {
    let Ok(entries) = std::fs::read_dir(proc) else { return Vec::new() };
    let mut processes: Vec<u32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).take(MOST_PROCESSES).collect();
    processes.sort_unstable();
    let mut found: BTreeMap<u32, Surroundings> = BTreeMap::new();
    for process in processes {
        let directory = proc.join(process.to_string());
        let Some(first) = first_mount(&directory) else { continue };
        if known.contains(&first) || found.contains_key(&first) || found.len() >= MOST_NAMESPACES {
            continue;
        }
        let Ok(mounts) = of_process(proc, &process.to_string()) else { continue };
        let program = read_text(&directory.join("comm"), 64).unwrap_or_default().trim().to_owned();
        found.insert(first, Surroundings { process, program, mounts });
    }
    found.into_values().collect()
}

/// The number at the beginning of a process's table. Reads no more of it than the kernel makes at once.
fn first_mount(process: &Path) -> Option<u32> {
    let mut start = [0_u8; 16];
    let mut file = File::open(process.join("mountinfo")).ok()?;
    let length = file.read(&mut start).ok()?;
    let number = start.get(..length)?.split(|byte| *byte == b' ').next()?;
    String::from_utf8_lossy(number).parse().ok()
}

/// An ear for mounts and unmounts in the surroundings of one process.
pub struct MountEar(AsyncFd<File>);

impl MountEar {
    /// Begins to listen to this `/proc/PID/mountinfo`. Must be called within a tokio runtime with I/O enabled.
    pub fn open(table: &Path) -> Result<Self, Unseen> {
        let failed = |what: &str, e: io::Error| Unseen::Error(format!("{what} {}: {e}", table.display()));
        let file = File::open(table).map_err(|e| failed("open", e))?;
        // SAFETY: a `File` owns one descriptor, always returns that one, and is closed only when dropped, which the `AsyncFd` does.
        let watched = unsafe { AsyncFd::register_with_interest(file, Interest::PRIORITY) };
        watched.map(Self).map_err(|e| failed("watch", e.into()))
    }

    /// Waits for the next change. Cancelling it loses nothing.
    pub async fn heard(&mut self) -> io::Result<()> {
        self.0.ready(Interest::PRIORITY).await?.clear_ready();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"24 30 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n\
        93 30 8:17 / /media/u/MY\\040STICK rw,relatime shared:5 master:1 - vfat /dev/sdb1 rw,fmask=0022\n\
        94 30 8:17 /docs /srv/docs ro,relatime - vfat /dev/sdb1 rw,fmask=0022\n\
        95 30 0:44 / /mnt/ntfs rw - fuseblk /dev/sdc1 rw,user_id=0\n\
        damaged\n96 30 8:1 / /x rw -\n";

    #[test]
    fn a_table_is_read_with_blanks_parts_and_read_only_mounts() {
        let mounts = Mount::table(TABLE);
        assert_eq!(mounts.iter().map(|mount| mount.id).collect::<Vec<_>>(), [24, 93, 94, 95]);
        let stick = Mount {
            id: 93,
            device: "8:17".to_owned(),
            root: "/".to_owned(),
            point: "/media/u/MY STICK".to_owned(),
            kind: "vfat".to_owned(),
            source: "/dev/sdb1".to_owned(),
            writable: true,
            served_for: None,
        };
        assert_eq!(mounts[1], stick);
        assert_eq!((mounts[2].root.as_str(), mounts[2].writable), ("/docs", false));
        assert_eq!((mounts[3].device.as_str(), mounts[3].kind.as_str(), mounts[3].served_for), ("0:44", "fuseblk", Some(0)));
    }

    #[test]
    fn our_own_table_has_a_root() {
        let mounts = of_process(Path::new("/proc"), "self").expect("everybody may read their own");
        assert!(mounts.iter().any(|mount| mount.point == "/"));
    }

    #[test]
    fn surroundings_are_met_once_and_the_known_ones_not_at_all() {
        let proc = tempfile::tempdir().expect("a directory");
        for (process, table, program) in [
            ("1", "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "init"),
            ("7", "50 1 8:1 / / rw - ext4 /dev/sda1 rw\n51 50 8:17 / /m rw - vfat /dev/sdb1 rw\n", "hider"),
            ("9", "50 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "child"),
        ] {
            std::fs::create_dir(proc.path().join(process)).expect("made");
            std::fs::write(proc.path().join(process).join("mountinfo"), table).expect("written");
            std::fs::write(proc.path().join(process).join("comm"), format!("{program}\n")).expect("written");
        }
        let found = elsewhere(proc.path(), &[20]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].process, found[0].program.as_str(), found[0].mounts.len()), (7, "hider", 2));
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]
            #[test]
            fn a_table_is_read_whatever_stands_in_it(bytes in hostile(vec![TABLE.to_vec()], 4096)) {
                let mounts = Mount::table(&bytes);
                prop_assert!(mounts.len() <= bytes.split(|byte| *byte == b'\n').count());
            }

            #[test]
            fn what_is_not_escaped_stays_as_it_is(text in "[a-zA-Z0-9/._-]{0,40}") {
                prop_assert_eq!(unescaped(text.as_bytes()), text);
            }
        }
    }
}
