//! A file tree as the kernel unpacks it at its start: the `newc` form of cpio.

use std::path::Path;

use crate::Done;

/// Collects entries; all belong to root and bear no date, so that the same tree is the same bytes.
#[derive(Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    inode: u32,
    folders: std::collections::BTreeSet<String>,
}

const FOLDER: u32 = 0o040_755;
const LINK: u32 = 0o120_777;
const FILE: u32 = 0o100_644;
const PROGRAM: u32 = 0o100_755;
const DEVICE: u32 = 0o020_600;

impl Archive {
    /// A folder and those above it.
    pub(crate) fn folder(&mut self, path: &str) {
        let path = path.trim_matches('/');
        if path.is_empty() || self.folders.contains(path) {
            return;
        }
        if let Some((above, _)) = path.rsplit_once('/') {
            self.folder(above);
        }
        self.folders.insert(path.to_owned());
        self.entry(path, FOLDER, (0, 0), b"");
    }

    pub(crate) fn file(&mut self, path: &str, bytes: &[u8]) {
        self.in_folder(path, FILE, bytes);
    }

    pub(crate) fn program(&mut self, path: &str, bytes: &[u8]) {
        self.in_folder(path, PROGRAM, bytes);
    }

    pub(crate) fn link(&mut self, path: &str, to: &str) {
        self.in_folder(path, LINK, to.as_bytes());
    }

    /// A character device.
    pub(crate) fn device(&mut self, path: &str, major: u32, minor: u32) {
        self.entry(path.trim_start_matches('/'), DEVICE, (major, minor), b"");
    }

    /// A program of this machine at the same place.
    pub(crate) fn copy(&mut self, path: &Path) -> Done {
        let bytes = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        self.program(&path.display().to_string(), &bytes);
        Ok(())
    }

    /// The whole.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), b"");
        self.bytes
    }

    fn in_folder(&mut self, path: &str, mode: u32, bytes: &[u8]) {
        let path = path.trim_start_matches('/');
        if let Some((above, _)) = path.rsplit_once('/') {
            self.folder(above);
        }
        self.entry(path, mode, (0, 0), bytes);
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), bytes: &[u8]) {
        self.inode += 1;
        let size = u32::try_from(bytes.len()).expect("nothing in the image is so large");
        let name = u32::try_from(path.len() + 1).expect("a path");
        // inode, mode, owner, group, links, date, size, device of the file, device it is, length of the name, checksum
        let fields = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}
