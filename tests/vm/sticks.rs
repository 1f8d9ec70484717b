//! What is on the sticks: files made here, plugged in as disks.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Done;
use crate::image::run;

/// Of each stick, and where its partition begins.
const SIZE: u64 = 16 << 20;
const START: u64 = 1 << 20;
/// Of one that holds more than is read of a stick to find out what it is.
const LARGE: u64 = 64 << 20;
const SECTOR: u64 = 512;

/// One FAT file system from its first byte to its last.
pub(crate) fn whole(path: PathBuf) -> Done<PathBuf> {
    blank(&path, SIZE)?;
    format(&path)?;
    Ok(path)
}

/// A partition table with one FAT partition.
pub(crate) fn partitioned(path: PathBuf) -> Done<PathBuf> {
    partition(path, SIZE)
}

/// The same, larger.
pub(crate) fn large(path: PathBuf) -> Done<PathBuf> {
    partition(path, LARGE)
}

fn partition(path: PathBuf, size: u64) -> Done<PathBuf> {
    let part = path.with_extension("part");
    blank(&part, size - START)?;
    format(&part)?;
    blank(&path, size)?;
    let bytes = std::fs::read(&part).map_err(|e| told(&part, &e))?;
    let mut file = OpenOptions::new().write(true).open(&path).map_err(|e| told(&path, &e))?;
    file.write_all(&table(size))
        .and_then(|()| file.seek(SeekFrom::Start(START)))
        .and_then(|_| file.write_all(&bytes))
        .map_err(|e| told(&path, &e))?;
    let _ = std::fs::remove_file(part);
    Ok(path)
}

/// One that programs can serve: a journal would need the kernel.
pub(crate) fn ext4(path: PathBuf) -> Done<PathBuf> {
    extended(&path, SIZE, &["-O", "^has_journal"])?;
    Ok(path)
}

/// The disk of the PC itself.
pub(crate) fn state(path: &Path) -> Done {
    extended(path, 64 << 20, &[])
}

fn extended(path: &Path, size: u64, options: &[&str]) -> Done {
    blank(path, size)?;
    let make = crate::image::find("mkfs.ext4").ok_or("mkfs.ext4 is missing")?;
    run(Command::new(make).args(["-q", "-F"]).args(options).arg(path)).map(drop)
}

fn blank(path: &Path, size: u64) -> Done {
    File::create(path).and_then(|file| file.set_len(size)).map_err(|e| told(path, &e))
}

fn format(path: &Path) -> Done {
    run(Command::new(crate::image::BUSYBOX).args(["mkdosfs", "-n", "STICK"]).arg(path)).map(drop)
}

fn told(path: &Path, error: &std::io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

/// A boot sector with nothing but one FAT16 partition up to the end.
fn table(size: u64) -> Vec<u8> {
    let mut sector = vec![0; usize::try_from(SECTOR).expect("512")];
    let sectors = |bytes: u64| u32::try_from(bytes / SECTOR).expect("a small stick").to_le_bytes();
    let entry = &mut sector[446..462];
    entry[4] = 0x0e;
    entry[8..12].copy_from_slice(&sectors(START));
    entry[12..16].copy_from_slice(&sectors(size - START));
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}
