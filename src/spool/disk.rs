//! A directory on the disk, with one writer at a time.

use super::LARGEST_FILE;
use super::store::{Store, Tail};
use rustix::fs::{Advice, FlockOperation};
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Readable by the group of the daemon, writable by its user.
const FILE_MODE: u32 = 0o640;
/// The same for directories.
const DIRECTORY_MODE: u32 = 0o750;
/// The file that a replacement is prepared in. One writer at a time, so one name is enough.
const NEW: &str = ".new";

/// Why a directory could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// It could not be made or opened.
    #[error("open the directory {path}")]
    Open {
        /// Which.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// Another process writes there.
    #[error("{0} is in use by another isonet")]
    InUse(PathBuf),
}

/// A directory on the disk.
#[derive(Debug)]
pub struct Disk {
    dir: PathBuf,
    /// Holds the lock while it is open.
    lock: Option<File>,
}

impl Disk {
    /// To look only: no lock, and nothing is made.
    pub fn look(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), lock: None }
    }

    /// To write: makes the directory where needed and takes its lock. The lock ends with this value or with the process.
    pub fn own(dir: &Path) -> Result<Self, DiskError> {
        let failed = |source| DiskError::Open { path: dir.to_owned(), source };
        make_dir(dir).map_err(failed)?;
        let lock = File::open(dir).map_err(failed)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { dir: dir.to_owned(), lock: Some(lock) }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(DiskError::InUse(dir.to_owned())),
            Err(errno) => Err(failed(errno.into())),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }

    fn new_file(&self, name: &str) -> io::Result<File> {
        let make = || OpenOptions::new().append(true).create_new(true).mode(FILE_MODE).open(self.path(name));
        let file = match make() {
            // The directory was removed under us.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_dir(&self.dir)?;
                make()
            }
            other => other,
        }?;
        // The umask may have taken the group's bit.
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
        Ok(file)
    }
}

impl Drop for Disk {
    /// Closing the directory is not enough where a child of this process was being started at this moment and still has it open.
    fn drop(&mut self) {
        if let Some(lock) = &self.lock {
            // It ends with the process at the latest.
            let _ = rustix::fs::flock(lock, FlockOperation::Unlock);
        }
    }
}

fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(dir)?;
    // A new directory is durable when the one that names it is.
    dir.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

impl Store for Disk {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let entries = match std::fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            // Removed since it was listed: not there.
            let Ok(meta) = entry.metadata() else { continue };
            if let (true, Ok(name)) = (meta.is_file(), entry.file_name().into_string()) {
                files.push((name, meta.len()));
            }
        }
        Ok(files)
    }

    fn read_part(&self, name: &str, from: u64, most: u64) -> io::Result<Vec<u8>> {
        let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(self.path(name))?;
        let meta = file.metadata()?;
        if !meta.is_file() || meta.len() > LARGEST_FILE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no file of this size or kind belongs here"));
        }
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::with_capacity(usize::try_from(meta.len().saturating_sub(from).min(most)).unwrap_or(0));
        file.take(most.min(LARGEST_FILE)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn settle(&self, name: &str) -> io::Result<()> {
        let file = File::open(self.path(name))?;
        rustix::fs::fdatasync(&file)?;
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
        Ok(())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Tail>> {
        let file = self.new_file(name)?;
        self.sync_dir()?;
        Ok(Box::new(FileTail(file)))
    }

    fn extend(&self, name: &str) -> io::Result<Box<dyn Tail>> {
        Ok(Box::new(FileTail(OpenOptions::new().append(true).custom_flags(libc::O_NOFOLLOW).open(self.path(name))?)))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = format!("{NEW}-{name}");
        self.remove(&new)?;
        let written = self.new_file(&new).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        let done = written.and_then(|()| std::fs::rename(self.path(&new), self.path(name)));
        if done.is_err() {
            // Should it stay, the next replacement removes it.
            let _ = self.remove(&new);
        }
        done.and_then(|()| self.sync_dir())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn truncate(&self, name: &str, bytes: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW).open(self.path(name))?;
        file.set_len(bytes)?;
        file.sync_all()
    }
}

/// A file open for appending.
struct FileTail(File);

impl Tail for FileTail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.0)?)
    }

    fn is_linked(&self) -> bool {
        self.0.metadata().is_ok_and(|meta| meta.nlink() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writer_at_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("spool");
        let first = Disk::own(&path).expect("free");
        let second = Disk::own(&path).expect_err("taken");
        assert!(second.to_string().ends_with("is in use by another isonet"), "{second}");
        drop(first);
        assert!(Disk::own(&path).is_ok());
        assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, DIRECTORY_MODE);
    }

    #[test]
    fn a_file_is_replaced_whole_and_grows_at_its_end() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Disk::own(dir.path()).expect("free");
        disk.put("a", b"old").expect("written");
        disk.put("a", b"new").expect("written");
        let mut tail = disk.extend("a").expect("there");
        tail.write(b"er").expect("written");
        tail.sync().expect("synced");
        assert_eq!(disk.read("a", 1).expect("there"), b"ewer");
        assert_eq!(disk.list().expect("listed"), [("a".to_owned(), 5)]);
        assert!(disk.create("a").is_err());
        assert!(tail.is_linked());
        disk.remove("a").expect("removed");
        disk.remove("a").expect("removed already");
        assert!(!tail.is_linked());
    }

    #[test]
    fn what_is_no_file_of_ours_is_not_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let fifo = dir.path().join("f");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).expect("a fifo");
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("l")).expect("a link");
        File::create(dir.path().join("big")).expect("made").set_len(LARGEST_FILE + 1).expect("sparse");
        let disk = Disk::look(dir.path());
        assert!(["f", "l", "big", "none"].iter().all(|name| disk.read(name, 0).is_err()));
    }
}
