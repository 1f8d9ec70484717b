//! The lines of a log directory, read from its files alone: oldest segment first, whole lines only.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A longer line is no record.
const LONGEST_LINE: u64 = 1 << 20;

/// All lines of the `*.jsonl` files of a directory, in the order of their names. What is not ended by a line feed is not whole, and left out.
#[derive(Debug)]
pub struct Lines {
    files: VecDeque<PathBuf>,
    current: Option<BufReader<File>>,
}

impl Lines {
    /// Of this directory.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension() == Some(OsStr::new("jsonl")) && path.is_file() {
                files.push(path);
            }
        }
        files.sort();
        Ok(Self { files: files.into(), current: None })
    }

    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let reader = match &mut self.current {
                Some(reader) => reader,
                None => match self.files.pop_front() {
                    Some(path) => self.current.insert(BufReader::new(File::open(path)?)),
                    None => return Ok(None),
                },
            };
            let mut line = Vec::new();
            let length = reader.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
            match line.pop() {
                Some(b'\n') => return Ok(Some(line)),
                // The rest of a line that is too long is skipped with it.
                Some(_) if length as u64 == LONGEST_LINE => skip_line(reader)?,
                Some(_) | None => self.current = None,
            }
        }
    }
}

fn skip_line(reader: &mut BufReader<File>) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let (length, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        reader.consume(length);
        if ended {
            return Ok(());
        }
    }
}

impl Iterator for Lines {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<io::Result<Vec<u8>>> {
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_come_in_the_order_of_the_segments() {
        let dir = tempfile::tempdir().expect("a directory");
        let long = vec![b'x'; 3 << 20];
        std::fs::write(dir.path().join("e-2.jsonl"), b"c\ntorn").expect("written");
        std::fs::write(dir.path().join("e-1.jsonl"), [b"a\n", &long[..], b"\nb\n"].concat()).expect("written");
        std::fs::write(dir.path().join("epoch"), b"no segment\n").expect("written");
        let lines: Vec<_> = Lines::of(dir.path()).expect("there").map(|line| line.expect("read")).collect();
        assert_eq!(lines, [b"a", b"b", b"c"]);
    }
}
