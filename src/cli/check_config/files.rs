//! Whether the files that a configuration names are there and of use to this user, now.
//!
//! What a probe needs and cannot use is a problem. What another program makes is a note: it may come later. Nothing is changed, nothing of
//! the content is kept, and a pipe is not waited for.

use crate::config::{FileFault, FileRole, Located, NamedFile};
use crate::probe::tls::{self, SetupError};
use crate::sys::files::{self, ReadError};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Largest credentials file; those of NATS are a kilobyte.
const LARGEST_CREDENTIALS: u64 = 64 * 1024;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Found {
    /// What keeps something from working.
    pub(in super::super) problems: Vec<Located>,
    /// What is worth telling.
    pub(in super::super) notes: Vec<Located>,
}

/// Looks at each.
pub(in super::super) fn look(named: &[NamedFile]) -> Found {
    let mut found = Found::default();
    for file in named {
        let Some(fault) = fault(file, named) else { continue };
        let told = file.problem(fault);
        if file.role.may_come_later() { found.notes.push(told) } else { found.problems.push(told) }
    }
    found
}

fn fault(file: &NamedFile, all: &[NamedFile]) -> Option<FileFault> {
    let path = file.path.as_path();
    match file.role {
        FileRole::Authority | FileRole::Certificate => tls::certificates(path).err().map(|error| of_setup(&error)),
        FileRole::Key => match tls::private_key(path) {
            Ok(_) => mismatch(file, all),
            Err(error) => Some(of_setup(&error)),
        },
        FileRole::Credentials => files::read(path, LARGEST_CREDENTIALS).err().map(|error| of_read(&error)),
        // Both grow, so only whether they can be read is looked at.
        FileRole::Log | FileRole::Marker => files::read_tail(path, 1).err().map(|error| of_read(&error)),
        FileRole::Management => socket(path),
    }
}

/// Whether a key belongs to the certificate of its table. A certificate of no use has its own problem.
fn mismatch(key: &NamedFile, all: &[NamedFile]) -> Option<FileFault> {
    let certificate = all.iter().find(|other| other.role == FileRole::Certificate && other.table() == key.table())?;
    match tls::identity(&certificate.path, &key.path) {
        Err(SetupError::Identity(_, _, error)) => Some(FileFault::NotItsKey(error.to_string())),
        Ok(_) | Err(_) => None,
    }
}

fn socket(path: &Path) -> Option<FileFault> {
    match std::fs::metadata(path) {
        Ok(there) => (!there.file_type().is_socket()).then_some(FileFault::NotASocket),
        Err(error) => Some(of_io(&error)),
    }
}

fn of_setup(error: &SetupError) -> FileFault {
    match error {
        SetupError::Read(error) => of_read(error),
        SetupError::NoKey(_) => FileFault::NoKey,
        SetupError::NoCertificate(_) => FileFault::NoCertificate,
        SetupError::Damaged(_, error) => FileFault::Damaged(error.to_string()),
        SetupError::NotACertificate(_, nth) => FileFault::BadCertificate(*nth),
        SetupError::Identity(_, _, error) => FileFault::NotItsKey(error.to_string()),
    }
}

fn of_read(error: &ReadError) -> FileFault {
    match error {
        ReadError::Io { source, .. } => of_io(source),
        ReadError::NotAFile { .. } => FileFault::NotAFile,
        ReadError::TooLarge { max, .. } => FileFault::TooLarge(*max),
    }
}

fn of_io(error: &io::Error) -> FileFault {
    match error.kind() {
        // A part of the path that is no directory means that nothing is there, too.
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileFault::Absent,
        io::ErrorKind::PermissionDenied => FileFault::Forbidden,
        _ => FileFault::Unreadable(error.to_string()),
    }
}
