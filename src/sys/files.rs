//! Bounded reading of files that others may have damaged, replaced or written without end; writing that leaves the old or the new, whole.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;
use thiserror::Error;

/// Why a file could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The kernel refused.
    #[error("read {path}")]
    Io {
        /// Which file.
        path: String,
        /// The refusal.
        source: io::Error,
    },
    /// A directory, FIFO, socket or device stands in its place.
    #[error("read {path}: not a regular file")]
    NotAFile {
        /// Which file.
        path: String,
    },
    /// It is larger than anything that could be right.
    #[error("read {path}: larger than {max} bytes")]
    TooLarge {
        /// Which file.
        path: String,
        /// The bound.
        max: u64,
    },
}

impl ReadError {
    /// The file is not there, as opposed to unreadable.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Operation, object and cause in one language-free line.
    pub fn line(&self) -> String {
        match self {
            Self::Io { source, .. } => format!("{self}: {source}"),
            Self::NotAFile { .. } | Self::TooLarge { .. } => self.to_string(),
        }
    }
}

/// Reads a whole regular file of at most `max` bytes. Never blocks on a FIFO.
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>, ReadError> {
    let mut file = open(path)?;
    let mut bytes = Vec::new();
    let got = (&mut file).take(max + 1).read_to_end(&mut bytes).map_err(|source| io_error(path, source))?;
    if got as u64 > max { Err(ReadError::TooLarge { path: path.display().to_string(), max }) } else { Ok(bytes) }
}

/// As [`read`]; what is not UTF-8 becomes the replacement character.
pub fn read_text(path: &Path, max: u64) -> Result<String, ReadError> {
    read(path, max).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads the last `max` bytes of a regular file, lossily as text. The first line may be cut.
pub fn read_tail(path: &Path, max: u64) -> Result<String, ReadError> {
    let mut file = open(path)?;
    let length = file.metadata().map_err(|source| io_error(path, source))?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(max))).map_err(|source| io_error(path, source))?;
    let mut bytes = Vec::new();
    file.take(max).read_to_end(&mut bytes).map_err(|source| io_error(path, source))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first line of a small file of `/proc` or `/sys`, trimmed; `None` when it is absent or the driver refuses.
pub fn read_word(path: &Path) -> Option<String> {
    let text = read_text(path, 4096).ok()?;
    text.lines().next().map(|line| line.trim().to_owned())
}

/// Writes a file as a whole or not at all: a temporary file beside it, synced, then renamed over it. A link is followed. What is there
/// and is no regular file (a device, a directory, a FIFO) is left alone and is an error.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_with(path, bytes, None)
}

/// The same with this mode, whatever the umask says; the directory is synced as well, so that it stays after a power cut.
pub fn replace_as(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    replace_with(path, bytes, Some(mode))?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

fn replace_with(path: &Path, bytes: &[u8], mode: Option<u32>) -> io::Result<()> {
    let path = match std::fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    if std::fs::metadata(&path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::other("not a regular file"));
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(hidden);
    // Left behind by a run of this process id that was cut off.
    let _ = std::fs::remove_file(&temporary);
    let written = write_new(&temporary, bytes, mode).and_then(|()| std::fs::rename(&temporary, &path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Gives a file to whoever owns this directory, if root made it: what root writes there the service reads as its own user.
pub fn give(path: &Path, directory: &Path) -> io::Result<()> {
    let (own, wanted) = (std::fs::metadata(path)?, std::fs::metadata(directory)?);
    if (own.uid(), own.gid()) == (wanted.uid(), wanted.gid()) || own.uid() != 0 {
        return Ok(());
    }
    chown(path, Some(wanted.uid()), Some(wanted.gid()))
}

/// Writes a file that must not be there yet, with this mode or as the umask has it.
pub fn write_new(path: &Path, bytes: &[u8], mode: Option<u32>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode.unwrap_or(0o666)).open(path)?;
    if let Some(mode) = mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

fn open(path: &Path) -> Result<File, ReadError> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
        .open(path)
        .map_err(|source| io_error(path, source))?;
    let kind = file.metadata().map_err(|source| io_error(path, source))?.file_type();
    if kind.is_file() { Ok(file) } else { Err(ReadError::NotAFile { path: path.display().to_string() }) }
}

fn io_error(path: &Path, source: io::Error) -> ReadError {
    ReadError::Io { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_fifo_without_waiting_for_a_writer() {
        let dir = tempfile::tempdir().expect("a directory");
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).expect("a fifo");
        assert!(matches!(read(&fifo, 10), Err(ReadError::NotAFile { .. })));
        assert!(matches!(read(dir.path(), 10), Err(ReadError::NotAFile { .. })));
        assert!(matches!(read(Path::new("/dev/zero"), 10), Err(ReadError::NotAFile { .. })));
    }

    #[test]
    fn refuses_a_file_past_the_bound_and_reads_its_tail() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("f");
        std::fs::write(&path, b"first\nlast\xff").expect("written");
        assert!(matches!(read(&path, 5), Err(ReadError::TooLarge { .. })));
        assert_eq!(read(&path, 11).expect("fits").len(), 11);
        assert_eq!(read_tail(&path, 5).expect("a tail"), "last\u{fffd}");
        assert_eq!(read_tail(&path, 500).expect("all"), "first\nlast\u{fffd}");
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, link) = (dir.path().join("page"), dir.path().join("link"));
        std::os::unix::fs::symlink("page", &link).expect("a link");
        replace(&path, b"old").expect("written");
        replace(&link, b"new").expect("replaced through the link");
        assert_eq!(std::fs::read(&path).expect("there"), b"new");
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 2);
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(replace(dir.path(), b"x").is_err());
        assert!(replace(Path::new("/dev/null"), b"x").is_err());
        assert!(replace(&dir.path().join("none/page"), b"x").is_err());
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).expect("a fifo");
        assert!(replace(&fifo, b"x").is_err());
    }

    #[test]
    fn an_absent_file_is_told_apart() {
        assert!(read(Path::new("/nonexistent/x"), 5).expect_err("absent").is_absent());
    }
}
