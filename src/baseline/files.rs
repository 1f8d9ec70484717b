//! Files of the system below a root, which is `/` but for tests. Bounded, never blocking.

use super::FileState;
use super::identity::sha256;
use crate::sys::files;
use std::path::{Path, PathBuf};

/// No configuration file of a PC is larger.
const LARGEST: u64 = 1 << 20;

/// Entries of one directory that are looked at: a hostile tree must not take all day.
const MOST_ENTRIES: usize = 65_536;

/// Where the system's files are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Root<'a>(pub(super) &'a Path);

impl Root<'_> {
    /// The path of an absolute name below the root.
    pub(super) fn at(self, name: &str) -> PathBuf {
        self.0.join(name.trim_start_matches('/'))
    }

    /// A whole file as text; `None` = absent or unreadable.
    pub(super) fn text(self, name: &str) -> Option<String> {
        files::read_text(&self.at(name), LARGEST).ok()
    }

    /// A file of one line, trimmed; `None` = absent, unreadable or empty.
    pub(super) fn word(self, name: &str) -> Option<String> {
        files::read_word(&self.at(name)).filter(|word| !word.is_empty())
    }

    /// The digest of a file.
    pub(super) fn state(self, name: &str) -> FileState {
        match files::read(&self.at(name), LARGEST) {
            Ok(bytes) => FileState::Sha256(sha256(&bytes)),
            Err(error) if error.is_absent() => FileState::Absent,
            Err(error) => FileState::Unreadable(error.line()),
        }
    }

    /// The digest of what a file says; one that says nothing is as good as absent.
    pub(super) fn state_of(self, name: &str, meaning: fn(&str) -> String) -> FileState {
        match files::read_text(&self.at(name), LARGEST).map(|text| meaning(&text)) {
            Ok(said) if said.is_empty() => FileState::Absent,
            Ok(said) => FileState::Sha256(sha256(said.as_bytes())),
            Err(error) if error.is_absent() => FileState::Absent,
            Err(error) => FileState::Unreadable(error.line()),
        }
    }

    /// Names in a directory, sorted; those that are not UTF-8 are left out, no name that we look for is among them.
    pub(super) fn names(self, directory: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.at(directory)) else { return Vec::new() };
        let mut names: Vec<String> = entries.take(MOST_ENTRIES).filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// The last part of what a link points to.
    pub(super) fn link_name(self, name: &str) -> Option<String> {
        std::fs::read_link(self.at(name)).ok()?.file_name().map(|last| last.to_string_lossy().into_owned())
    }

    /// Process ids in `/proc`.
    pub(super) fn processes(self) -> impl Iterator<Item = String> {
        self.names("/proc").into_iter().filter(|name| name.bytes().all(|b| b.is_ascii_digit()))
    }
}
