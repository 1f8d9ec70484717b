//! The files of a bundle as one archive, and back. What is read is bounded, stays in memory, and has to be packed as [`pack`] packs it.

use super::{FILES, Fault, MOST};
use crate::bundle::tar_gz;
use flate2::bufread::GzDecoder;
use std::collections::BTreeMap;
use std::io::{self, Read};

/// Files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unpacked {
    pub(super) files: Files,
    /// What their directory is called.
    pub(super) root: String,
    /// The time that they have.
    pub(super) made: jiff::Timestamp,
    /// This version packs it in the same bytes. Another one may compress otherwise.
    pub(super) is_alike: bool,
}

/// The archive: everything below `root`, with this time.
pub fn pack(files: &Files, root: &str, made: jiff::Timestamp) -> io::Result<Vec<u8>> {
    let ordered = FILES.iter().filter_map(|name| Some((*name, files.get(*name)?.as_slice())));
    tar_gz(ordered, root, made)
}

/// Unpacks an archive, in memory.
pub(super) fn unpack(archive: &[u8]) -> Result<Unpacked, Fault> {
    let unreadable = |error: io::Error| Fault::Packed(error.to_string());
    let mut plain = Vec::new();
    let mut decoder = GzDecoder::new(archive);
    (&mut decoder).take(MOST as u64 + 1).read_to_end(&mut plain).map_err(unreadable)?;
    if plain.len() > MOST {
        return Err(Fault::Packed(format!("> {MOST} B")));
    }
    let (mut files, mut root, mut made) = (Files::new(), String::new(), jiff::Timestamp::UNIX_EPOCH);
    let mut tar = tar::Archive::new(plain.as_slice());
    for entry in tar.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let (directory, name) = path.split_once('/').ok_or_else(|| Fault::Foreign(path.clone()))?;
        if !FILES.contains(&name) || files.contains_key(name) || !(root.is_empty() || root == directory) {
            return Err(Fault::Foreign(path));
        }
        directory.clone_into(&mut root);
        let seconds = entry.header().mtime().map_err(unreadable)?;
        made = i64::try_from(seconds).ok().and_then(|at| jiff::Timestamp::from_second(at).ok()).ok_or(Fault::Repacked)?;
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(unreadable)?;
        files.insert(name.to_owned(), bytes);
    }
    // Packed again it has to hold the same: nothing hides between the files or behind them.
    let again = pack(&files, &root, made).map_err(unreadable)?;
    let mut whole = Vec::with_capacity(plain.len());
    GzDecoder::new(again.as_slice()).read_to_end(&mut whole).map_err(unreadable)?;
    if whole != plain || !decoder.into_inner().is_empty() {
        return Err(Fault::Repacked);
    }
    Ok(Unpacked { files, root, made, is_alike: again == archive })
}
