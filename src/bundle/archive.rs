//! Files to one archive: bounded, with a manifest, and the same bytes for the same content.

use super::{MOST, SCHEMA};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io;

/// What is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Which file, or which part of one.
    pub what: String,
    /// Why.
    pub because: String,
}

/// A file that goes in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    name: String,
    bytes: Vec<u8>,
}

/// What goes in, in the order in which it was added.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    files: Vec<File>,
    missing: Vec<Missing>,
    size: usize,
}

#[derive(Serialize)]
struct Manifest<'a> {
    schema: &'static str,
    isonet: &'a str,
    made_at: String,
    terminal: Option<&'a str>,
    files: Vec<Listed<'a>>,
    missing: &'a [Missing],
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    bytes: usize,
    sha256: String,
}

impl Bundle {
    /// Adds a file of at most `most` bytes; of a longer one the end is kept, which is the newest. Where the whole would become too large it is
    /// missing.
    pub fn add(&mut self, name: &str, mut bytes: Vec<u8>, most: usize) {
        if bytes.len() > most {
            let from = bytes.len() - most;
            let line = bytes[from..].iter().position(|byte| *byte == b'\n').map_or(from, |end| from + end + 1);
            bytes.drain(..line);
            self.lack(name, format!("> {most} B"));
        }
        if self.size + bytes.len() > MOST {
            self.lack(name, format!("> {MOST} B"));
            return;
        }
        self.size += bytes.len();
        self.files.push(File { name: name.to_owned(), bytes });
    }

    /// Adds what was gathered, or why it was not.
    pub fn gathered(&mut self, name: &str, found: Result<String, String>, most: usize) {
        match found {
            Ok(text) => self.add(name, text.into_bytes(), most),
            Err(because) => self.lack(name, because),
        }
    }

    /// With this file before all others.
    #[must_use]
    pub fn with_first(mut self, name: &str, bytes: Vec<u8>) -> Self {
        self.files.insert(0, File { name: name.to_owned(), bytes });
        self
    }

    /// Says that something is not in it.
    pub fn lack(&mut self, what: &str, because: String) {
        self.missing.push(Missing { what: what.to_owned(), because });
    }

    /// What is not in it.
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Names and sizes of what is in it.
    pub fn files(&self) -> impl Iterator<Item = (&str, usize)> {
        self.files.iter().map(|file| (file.name.as_str(), file.bytes.len()))
    }

    /// The archive: everything below `root`, manifest last.
    pub fn pack(&self, root: &str, made: jiff::Timestamp, terminal: Option<&str>) -> io::Result<Vec<u8>> {
        let listed = |file: &File| Listed { name: "", bytes: file.bytes.len(), sha256: hex(&file.bytes) };
        let files = self.files.iter().map(|file| Listed { name: &file.name, ..listed(file) }).collect();
        let manifest = Manifest {
            schema: SCHEMA,
            isonet: env!("CARGO_PKG_VERSION"),
            made_at: made.to_string(),
            terminal,
            files,
            missing: &self.missing,
        };
        let manifest = serde_json::to_vec_pretty(&manifest)?;
        let all = self.files.iter().map(|file| (file.name.as_str(), file.bytes.as_slice())).chain([("manifest.json", manifest.as_slice())]);
        tar_gz(all, root, made)
    }
}

/// An archive of these files below `root`, each with this time: the same bytes for the same content.
pub fn tar_gz<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>, root: &str, made: jiff::Timestamp) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let seconds = u64::try_from(made.as_second()).unwrap_or_default();
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(seconds);
        tar.append_data(&mut header, format!("{root}/{name}"), bytes)?;
    }
    tar.into_inner()?.finish()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    fn unpacked(bytes: &[u8]) -> Vec<(String, String)> {
        let mut archive = tar::Archive::new(GzDecoder::new(bytes));
        let read = |entry: io::Result<tar::Entry<'_, GzDecoder<&[u8]>>>| {
            let mut entry = entry.expect("an entry");
            let name = entry.path().expect("a path").display().to_string();
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("text");
            assert_eq!(entry.header().mode().expect("a mode"), 0o600);
            (name, text)
        };
        archive.entries().expect("entries").map(read).collect()
    }

    #[test]
    fn what_goes_in_comes_out_with_a_manifest_of_it() {
        let mut bundle = Bundle::default();
        bundle.add("a.txt", b"hello".to_vec(), 100);
        bundle.gathered("b.txt", Err("nobody answers".to_owned()), 100);
        let pack = || bundle.pack("isonet-x", jiff::Timestamp::UNIX_EPOCH, Some("t1")).expect("packed");
        assert_eq!(pack(), pack(), "the same content gives the same bytes");
        let files = unpacked(&pack());
        assert_eq!(files[0], ("isonet-x/a.txt".to_owned(), "hello".to_owned()));
        let manifest: serde_json::Value = serde_json::from_str(&files[1].1).expect("JSON");
        assert_eq!(manifest["files"][0]["sha256"], "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        assert_eq!(manifest["missing"][0]["because"], "nobody answers");
    }

    #[test]
    fn a_long_file_keeps_its_end_and_the_whole_stays_bounded() {
        let mut bundle = Bundle::default();
        bundle.add("log", b"first\nsecond\nthird\n".to_vec(), 10);
        assert_eq!(bundle.files().collect::<Vec<_>>(), [("log", 6)]);
        for n in 0..10 {
            bundle.add(&format!("big{n}"), vec![b'x'; 5 << 20], 5 << 20);
        }
        assert!(bundle.files().map(|(_, size)| size).sum::<usize>() <= MOST);
        assert!(bundle.missing().iter().any(|missing| missing.what == "big9"));
    }
}
