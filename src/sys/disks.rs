//! Block devices, from sysfs: where they sit, what they are made of, how much was read and written. Nothing on them is read.

use super::files::{read_text, read_word};
use super::usb::names;
use crate::model::Unseen;
use std::path::{Path, PathBuf};

/// Where the kernel shows them.
const BLOCK: &str = "sys/block";
/// Disks that are looked at.
const MOST_DISKS: usize = 1024;
/// The unit of all counters of the kernel, whatever the disk's own is.
const SECTOR: u64 = 512;
/// What an optical drive claims before it has seen a disc, in sectors: an odd number, which no disc has.
const NO_DISC: u64 = 0x1f_ffff;
/// SCSI's number for optical drives.
const OPTICAL: &str = "5";

/// A disk, or what looks like one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Name, e.g. `sdb`.
    pub name: String,
    /// What it is called below `/dev/mapper`.
    pub alias: Option<String>,
    /// Its directory, without links: below the device that it belongs to.
    pub path: PathBuf,
    /// `major:minor`.
    pub device: String,
    /// Its size in bytes; `None` = there is no medium in it.
    pub medium: Option<u64>,
    /// For discs.
    pub optical: bool,
    /// Its partitions: name, `major:minor`.
    pub parts: Vec<(String, String)>,
    /// Bytes read since it is there, by whomever.
    pub read: u64,
    /// Bytes written since it is there.
    pub written: u64,
    /// The file or disk that it shows (loop).
    pub backing: Option<String>,
    /// Disks and partitions that it is made of (LVM, encryption, RAID).
    pub slaves: Vec<String>,
}

/// All disks below this root (`/` but for tests), sorted by name.
pub fn disks(root: &Path) -> Result<Vec<Disk>, Unseen> {
    match names(&root.join(BLOCK)) {
        Ok(names) => Ok(names.iter().take(MOST_DISKS).filter_map(|name| disk(&root.join(BLOCK).join(name), name)).collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(Unseen::NotMounted(format!("/{BLOCK}"))),
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => Err(Unseen::Hidden(format!("/{BLOCK}"))),
        Err(e) => Err(Unseen::Error(format!("list /{BLOCK}: {e}"))),
    }
}

/// `None` = it is being taken away.
fn disk(directory: &Path, name: &str) -> Option<Disk> {
    let path = directory.canonicalize().ok()?;
    let read = |file: &str| read_word(&path.join(file)).filter(|word| !word.is_empty());
    let optical = read("device/type").as_deref() == Some(OPTICAL);
    let sectors: u64 = read("size")?.parse().ok()?;
    let (read_bytes, written) = counters(&read_text(&path.join("stat"), 4096).unwrap_or_default()).unwrap_or_default();
    let part = |part: &String| Some((part.clone(), read(&format!("{part}/dev")).filter(|_| read(&format!("{part}/partition")).is_some())?));
    Some(Disk {
        name: name.to_owned(),
        alias: read("dm/name"),
        device: read("dev")?,
        medium: (sectors != 0 && !(optical && sectors == NO_DISC)).then_some(sectors.saturating_mul(SECTOR)),
        optical,
        parts: names(&path).unwrap_or_default().iter().filter(|entry| entry.starts_with(name)).filter_map(part).collect(),
        read: read_bytes,
        written,
        backing: read("loop/backing_file"),
        slaves: names(&path.join("slaves")).unwrap_or_default(),
        path,
    })
}

/// Bytes read and written, of `stat` (Documentation/block/stat.rst): the third and the seventh number are sectors.
fn counters(stat: &str) -> Option<(u64, u64)> {
    let mut numbers = stat.split_ascii_whitespace().map(str::parse::<u64>);
    let mut sectors = |nth| Some(numbers.nth(nth)?.ok()?.saturating_mul(SECTOR));
    Some((sectors(2)?, sectors(3)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_are_counted_in_bytes() {
        assert_eq!(counters("  120  3  4096  10  5  6  2048  9  0  1  2 0 0 0 0\n"), Some((2_097_152, 1_048_576)));
        assert_eq!(counters(""), None);
        assert_eq!(counters("1 2 x 4 5 6 7"), None);
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]
            #[test]
            fn counters_are_read_or_refused(bytes in hostile(vec![b"120 3 4096 10 5 6 2048 9 0 1 2\n".to_vec()], 400)) {
                if let Some((read, written)) = counters(&String::from_utf8_lossy(&bytes)) {
                    prop_assert!([read, written].iter().all(|bytes| bytes % SECTOR == 0 || *bytes == u64::MAX));
                }
            }
        }
    }
}
