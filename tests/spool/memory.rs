//! A directory in memory that forgets what was not synced, and fails on command.

use isonet::spool::{SegmentName, Store, Tail};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

/// Whether a sync does what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    Real,
    /// The mutant: returns at once.
    Forgotten,
}

#[derive(Debug, Clone, Default)]
struct File {
    cached: Vec<u8>,
    durable: usize,
    /// A sync failed: what was not durable stays in memory, is called clean by later syncs, and never reaches the disk.
    poisoned: bool,
}

impl File {
    fn sync(&mut self) {
        if !self.poisoned {
            self.durable = self.cached.len();
        }
    }
}

#[derive(Debug)]
struct Inner {
    files: BTreeMap<String, Arc<Mutex<File>>>,
    sync: Sync,
    /// Operations that change something left until they fail with this error; `None` = never.
    fault: Option<(u32, i32)>,
    /// Files that cannot be read, and the error.
    unreadable: BTreeMap<String, i32>,
    /// Bytes left.
    space: Option<usize>,
    syncs: u64,
}

/// Clones share the directory.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Mutex<Inner>>);

impl Memory {
    pub fn new(sync: Sync) -> Self {
        Self(Arc::new(Mutex::new(Inner { files: BTreeMap::new(), sync, fault: None, unreadable: BTreeMap::new(), space: None, syncs: 0 })))
    }

    /// A directory with these files, all durable.
    pub fn with(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let memory = Self::new(Sync::Real);
        for (name, bytes) in files {
            memory.set(name, bytes);
        }
        memory
    }

    pub fn set(&self, name: &str, bytes: &[u8]) {
        let file = File { cached: bytes.to_vec(), durable: bytes.len(), poisoned: false };
        self.0.lock().unwrap().files.insert(name.to_owned(), Arc::new(Mutex::new(file)));
    }

    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let inner = self.0.lock().unwrap();
        inner.files.iter().map(|(name, file)| (name.clone(), file.lock().unwrap().cached.clone())).collect()
    }

    /// The names of the segments, in order.
    pub fn segments(&self) -> Vec<String> {
        segments(&self.files())
    }

    /// The power goes: of what was not synced, `kept(unsynced)` bytes reached the disk, from the front or, with a hole, from behind.
    pub fn cut_power(&self, mut kept: impl FnMut(usize) -> (usize, bool)) {
        let mut inner = self.0.lock().unwrap();
        inner.fault = None;
        for file in inner.files.values_mut() {
            let mut old = file.lock().unwrap().clone();
            if old.poisoned {
                old.cached.truncate(old.durable);
                old.poisoned = false;
            }
            let (reached, hole) = kept(old.cached.len() - old.durable);
            if hole && old.cached.len() - old.durable > reached + 600 {
                let end = old.cached.len() - reached;
                old.cached[old.durable..end].fill(0);
            } else {
                old.cached.truncate(old.durable + reached);
            }
            old.durable = old.cached.len();
            *file = Arc::new(Mutex::new(old));
        }
    }

    /// After so many more changes everything that changes something fails with this error.
    pub fn fail_after(&self, changes: u32, errno: i32) {
        self.0.lock().unwrap().fault = Some((changes, errno));
    }

    /// From now on this file cannot be read, with this error.
    pub fn refuse_reading(&self, name: &str, errno: i32) {
        self.0.lock().unwrap().unreadable.insert(name.to_owned(), errno);
    }

    pub fn heal(&self) {
        let mut inner = self.0.lock().unwrap();
        (inner.fault, inner.space) = (None, None);
        inner.unreadable.clear();
    }

    pub fn leave_space(&self, bytes: usize) {
        self.0.lock().unwrap().space = Some(bytes);
    }

    pub fn syncs(&self) -> u64 {
        self.0.lock().unwrap().syncs
    }

    fn file(&self, name: &str) -> io::Result<Arc<Mutex<File>>> {
        self.0.lock().unwrap().files.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Lets a change through, or not.
    fn change(&self) -> io::Result<()> {
        match &mut self.0.lock().unwrap().fault {
            Some((0, errno)) => Err(io::Error::from_raw_os_error(*errno)),
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// How much of this fits.
    fn claim(&self, bytes: usize) -> usize {
        match &mut self.0.lock().unwrap().space {
            None => bytes,
            Some(left) => {
                let fits = bytes.min(*left);
                *left -= fits;
                fits
            }
        }
    }
}

/// The names of the segments among these files, in order.
pub fn segments(files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    files.keys().filter(|name| SegmentName::parse(name).is_some()).cloned().collect()
}

fn full() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOSPC)
}

impl Store for Memory {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        Ok(self.files().into_iter().map(|(name, bytes)| (name, bytes.len() as u64)).collect())
    }

    fn read_part(&self, name: &str, from: u64, most: u64) -> io::Result<Vec<u8>> {
        if let Some(errno) = self.0.lock().unwrap().unreadable.get(name) {
            return Err(io::Error::from_raw_os_error(*errno));
        }
        let file = self.file(name)?;
        let file = file.lock().unwrap();
        let rest = file.cached.get(usize::try_from(from).unwrap()..).unwrap_or_default();
        Ok(rest[..rest.len().min(usize::try_from(most).unwrap())].to_vec())
    }

    fn settle(&self, name: &str) -> io::Result<()> {
        let file = self.file(name)?;
        let mut file = file.lock().unwrap();
        if self.0.lock().unwrap().sync == Sync::Real {
            file.sync();
            // The cached pages are forgotten: what is read and written from now on is the disk's.
            let durable = file.durable;
            file.cached.truncate(durable);
            file.poisoned = false;
        }
        Ok(())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Tail>> {
        self.change()?;
        if self.file(name).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.set(name, b"");
        self.extend(name)
    }

    fn extend(&self, name: &str) -> io::Result<Box<dyn Tail>> {
        self.change()?;
        Ok(Box::new(MemoryTail { file: self.file(name)?, store: self.clone() }))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.change()?;
        if self.claim(bytes.len()) < bytes.len() {
            return Err(full());
        }
        self.0.lock().unwrap().unreadable.remove(name);
        self.set(name, bytes);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change()?;
        self.0.lock().unwrap().files.remove(name);
        Ok(())
    }

    fn truncate(&self, name: &str, bytes: u64) -> io::Result<()> {
        self.change()?;
        let file = self.file(name)?;
        let mut file = file.lock().unwrap();
        file.cached.truncate(usize::try_from(bytes).unwrap());
        file.durable = file.cached.len();
        Ok(())
    }
}

struct MemoryTail {
    file: Arc<Mutex<File>>,
    store: Memory,
}

impl Tail for MemoryTail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.store.change()?;
        let fits = self.store.claim(bytes.len());
        self.file.lock().unwrap().cached.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(full()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Err(error) = self.store.change() {
            self.file.lock().unwrap().poisoned = true;
            return Err(error);
        }
        let mut inner = self.store.0.lock().unwrap();
        inner.syncs += 1;
        if inner.sync == Sync::Real {
            self.file.lock().unwrap().sync();
        }
        Ok(())
    }

    fn is_linked(&self) -> bool {
        self.store.0.lock().unwrap().files.values().any(|file| Arc::ptr_eq(file, &self.file))
    }
}
