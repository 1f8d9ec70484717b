//! The file on disk: replaced as a whole or not at all, and refused rather than guessed at when it is not right.

use super::{Baseline, FILE_NAME, SCHEMA};
use crate::sys::files::{self, ReadError};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Deserialize;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Largest file read, bytes: a hundred times a rich baseline.
const LARGEST: u64 = 4 << 20;

/// Readable by the group of the daemon, writable by its user.
const FILE_MODE: u32 = 0o640;

/// The state directory, when it has to be made.
const DIRECTORY_MODE: u32 = 0o750;

/// Which file it is, and since when: another one after each enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    inode: u64,
    changed: (i64, i64),
}

/// The mark of the baseline in a state directory; `None` = there is none to be seen.
pub fn mark(state_dir: &Path) -> Option<Mark> {
    let file = std::fs::metadata(state_dir.join(FILE_NAME)).ok()?;
    Some(Mark { inode: file.ino(), changed: (file.ctime(), file.ctime_nsec()) })
}

/// What becomes of a baseline that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and saving fails.
    Keep,
    /// It is replaced.
    Replace,
}

/// Why a baseline could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is there and could not be read.
    #[error("read the baseline: {0}")]
    Unreadable(#[from] ReadError),
    /// The file is there and is not a baseline: damaged, or not ours.
    #[error("the baseline {path} is damaged at line {line}, column {column}: {reason}")]
    Corrupt {
        /// Which.
        path: PathBuf,
        /// Line, from 1; 0 = the end.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// In serde's words.
        reason: String,
    },
    /// The file is of another format.
    #[error("the baseline {path} has the schema {found:?}, and this program reads {SCHEMA:?}")]
    OtherSchema {
        /// Which.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// There is a baseline already.
    #[error("the baseline {0} is there already")]
    Exists(PathBuf),
    /// It could not be written.
    #[error("{operation} {path}")]
    Write {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
}

impl StoreError {
    /// 77 when it was a matter of permission, 74 otherwise.
    pub fn exit_code(&self) -> u8 {
        let kind = match self {
            Self::Unreadable(ReadError::Io { source, .. }) | Self::Write { source, .. } => Some(source.kind()),
            _ => None,
        };
        if kind == Some(io::ErrorKind::PermissionDenied) { 77 } else { 74 }
    }
}

/// Only the schema, to tell another format from damage.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

/// Reads the baseline of a state directory. `None` = not enrolled. Anything that is there and not right is an error.
pub fn load(state_dir: &Path) -> Result<Option<Baseline>, StoreError> {
    let path = state_dir.join(FILE_NAME);
    let bytes = match files::read(&path, LARGEST) {
        Ok(bytes) => bytes,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match serde_json::from_slice::<Baseline>(&bytes) {
        Ok(baseline) if baseline.schema == SCHEMA => Ok(Some(baseline)),
        Ok(baseline) => Err(StoreError::OtherSchema { path, found: baseline.schema }),
        Err(error) => Err(match serde_json::from_slice::<Head>(&bytes) {
            Ok(head) if head.schema != SCHEMA => StoreError::OtherSchema { path, found: head.schema },
            _ => StoreError::Corrupt { path, line: error.line(), column: error.column(), reason: error.to_string() },
        }),
    }
}

/// Writes it: temporary file, fsync, rename, fsync of the directory. The directory is made when it is not there.
pub fn save(state_dir: &Path, baseline: &Baseline, existing: Existing) -> Result<PathBuf, StoreError> {
    let path = state_dir.join(FILE_NAME);
    let make = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(state_dir);
    make.map_err(failed("create directory", state_dir))?;
    let temporary = state_dir.join(format!(".{FILE_NAME}.{}", std::process::id()));
    let written = write(&temporary, baseline)
        .and_then(|()| files::give(&temporary, state_dir).map_err(failed("set the owner of", &temporary)))
        .and_then(|()| put(&temporary, &path, existing));
    if written.is_err() {
        // Ours alone; should it not go away, the next start of this process id fails loudly on it.
        let _ = std::fs::remove_file(&temporary);
    }
    written?;
    File::open(state_dir).and_then(|directory| directory.sync_all()).map_err(failed("sync directory", state_dir))?;
    Ok(path)
}

fn failed<'a>(operation: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |source| StoreError::Write { operation, path: path.to_owned(), source }
}

fn write(path: &Path, baseline: &Baseline) -> Result<(), StoreError> {
    let mut json = serde_json::to_vec_pretty(baseline).map_err(|error| failed("encode", path)(error.into()))?;
    json.push(b'\n');
    // Left behind by a run that was cut off: nobody else uses this name.
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path).map_err(failed("create", path))?;
    // The umask may have taken the group's bit.
    file.set_permissions(Permissions::from_mode(FILE_MODE)).map_err(failed("set the mode of", path))?;
    file.write_all(&json).and_then(|()| file.sync_all()).map_err(failed("write", path))
}

fn put(from: &Path, to: &Path, existing: Existing) -> Result<(), StoreError> {
    match existing {
        Existing::Replace => std::fs::rename(from, to).map_err(failed("replace", to)),
        Existing::Keep => match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(()),
            Err(_) if to.exists() => Err(StoreError::Exists(to.to_owned())),
            // A file system without this flag: having looked first is the best there is.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => std::fs::rename(from, to).map_err(failed("create", to)),
            Err(errno) => Err(failed("create", to)(errno.into())),
        },
    }
}
