//! The few things the log asks of a directory. The disk is one; tests have others, which fail or forget on command.

use std::io;

/// A directory of small files.
pub trait Store {
    /// All files with their sizes, in any order. A directory that is not there is empty.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;
    /// A file from an offset on, at most so many bytes; refuses a file that is larger than any of the log.
    fn read_part(&self, name: &str, from: u64, most: u64) -> io::Result<Vec<u8>>;
    /// A file from an offset to its end.
    fn read(&self, name: &str, from: u64) -> io::Result<Vec<u8>> {
        self.read_part(name, from, super::LARGEST_FILE)
    }
    /// Makes what is on the disk and what is read the same, as far as the system lets us: syncs the file and forgets its cached pages.
    fn settle(&self, name: &str) -> io::Result<()>;
    /// Makes a new file for appending, with its name durable. An error if it is there.
    fn create(&self, name: &str) -> io::Result<Box<dyn Tail>>;
    /// Opens a file for appending.
    fn extend(&self, name: &str) -> io::Result<Box<dyn Tail>>;
    /// Replaces a file as a whole: the old bytes or the new ones, durable when it returns.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Removes a file; one that is not there is removed.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Cuts a file, durable when it returns.
    fn truncate(&self, name: &str, bytes: u64) -> io::Result<()>;
}

/// The end of a file that grows.
pub trait Tail: Send {
    /// Appends all of it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when all that was written is on the disk.
    fn sync(&mut self) -> io::Result<()>;
    /// The file still has a name: nobody removed it.
    fn is_linked(&self) -> bool;
}
