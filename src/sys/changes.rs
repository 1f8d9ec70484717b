//! Notices that single files of the system changed, by watching their directories: a file replaced in one stroke is another file, so watching
//! only the file itself would go blind. What changed is not asked here; whoever listens reads the whole again.
//!
//! Only writing is listened to. Every program that starts opens files in `/etc`, and must not wake us.

#![allow(unsafe_code, reason = "a descriptor is registered with the runtime without the wrapper that closes it late")]

use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep_until};

/// Whoever writes does so in several strokes; the file is read when they have been over for so long.
const SETTLED: Duration = Duration::from_millis(300);
/// Room for some events; the rest stays with the kernel until there is room again.
const BUFFER: usize = 4096;

/// What matters of a place.
#[derive(Debug)]
enum Part {
    /// Everything.
    Whole,
    /// These names in it.
    Names(BTreeSet<OsString>),
}

/// A watch over files.
#[derive(Debug)]
pub struct Changes {
    told: AsyncFd<OwnedFd>,
    /// By the kernel's number of the watch.
    parts: BTreeMap<i32, Part>,
    /// A change is there and settles by then.
    settles: Option<Instant>,
}

impl Changes {
    /// Watches these files and all in these directories, as far as they exist; of a link also what it leads to. Must be called within a tokio
    /// runtime with I/O enabled.
    pub fn of_files(files: &[PathBuf], directories: &[PathBuf]) -> io::Result<Self> {
        let told = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let real = |path: &PathBuf| std::fs::canonicalize(path).ok();
        let mut parts = BTreeMap::new();
        for file in files.iter().cloned().chain(files.iter().filter_map(real)).collect::<BTreeSet<_>>() {
            if let (Some(directory), Some(name)) = (file.parent(), file.file_name())
                && let Some(watch) = watch(&told, directory)?
                && let Part::Names(names) = parts.entry(watch).or_insert_with(|| Part::Names(BTreeSet::new()))
            {
                names.insert(name.to_owned());
            }
            // A file that something else was mounted over is not told by its directory. It cannot be replaced.
            if file.is_file()
                && let Some(watch) = watch(&told, &file)?
            {
                parts.insert(watch, Part::Whole);
            }
        }
        for directory in directories {
            if let Some(watch) = watch(&told, directory)? {
                parts.insert(watch, Part::Whole);
            }
        }
        // SAFETY: an `OwnedFd` owns one descriptor, always returns that one, and is closed only when dropped, which the `AsyncFd` does.
        let told = unsafe { AsyncFd::register_with_interest(told, Interest::READABLE) }?;
        Ok(Self { told, parts, settles: None })
    }

    /// The next change, once it has settled. Cancelling it loses nothing.
    pub async fn next(&mut self) {
        loop {
            let settled = async {
                match self.settles {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = heard(&self.told, &self.parts) => if changed {
                    self.settles = Some(Instant::now() + SETTLED);
                },
                () = settled => {
                    self.settles = None;
                    return;
                }
            }
        }
    }
}

/// Watches a place; `None` = it is not there.
fn watch(told: &OwnedFd, place: &Path) -> io::Result<Option<i32>> {
    let written = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO;
    match inotify::add_watch(told, place, written) {
        Ok(watch) => Ok(Some(watch)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Waits for events; whether one of them matters. An ear that breaks hears no more.
async fn heard(told: &AsyncFd<OwnedFd>, parts: &BTreeMap<i32, Part>) -> bool {
    let Ok(mut guard) = told.readable().await else { return std::future::pending().await };
    let mut buffer = [MaybeUninit::uninit(); BUFFER];
    let mut reader = Reader::new(told.get_ref(), &mut buffer);
    let mut matters = false;
    loop {
        match reader.next() {
            // Events were lost, or a place is gone: that is a reason to look, too.
            Ok(event) if event.events().intersects(ReadFlags::QUEUE_OVERFLOW | ReadFlags::IGNORED) => matters = true,
            Ok(event) => {
                matters |= match parts.get(&event.wd()) {
                    Some(Part::Whole) => true,
                    Some(Part::Names(names)) => event.file_name().is_some_and(|name| names.contains(OsStr::from_bytes(name.to_bytes()))),
                    None => false,
                }
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                guard.clear_ready();
                return matters;
            }
            Err(_) => return std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Whether a change is told within so long.
    async fn told(changes: &mut Changes, within: Duration) -> bool {
        tokio::time::timeout(within, changes.next()).await.is_ok()
    }

    #[tokio::test]
    async fn a_file_written_replaced_or_removed_is_told_and_its_neighbours_and_readers_are_not() {
        const LONG: Duration = Duration::from_secs(5);
        const SHORT: Duration = Duration::from_millis(600);
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        fs::write(at("hosts"), "a").expect("written");
        fs::create_dir(at("conf.d")).expect("made");
        let mut changes = Changes::of_files(&[at("hosts"), at("later")], &[at("conf.d"), at("none.d")]).expect("watched");
        fs::write(at("passwd"), "b").expect("written");
        fs::read(at("hosts")).expect("read");
        assert!(!told(&mut changes, SHORT).await, "not ours, or only read");
        fs::write(at("hosts"), "b").expect("written in place");
        assert!(told(&mut changes, LONG).await);
        fs::write(at("new"), "c").expect("written");
        fs::rename(at("new"), at("hosts")).expect("replaced");
        assert!(told(&mut changes, LONG).await);
        fs::write(at("hosts"), "d").expect("the other file is written in place");
        assert!(told(&mut changes, LONG).await);
        fs::write(at("later"), "e").expect("made");
        assert!(told(&mut changes, LONG).await);
        fs::write(at("conf.d/any"), "f").expect("made");
        assert!(told(&mut changes, LONG).await);
        fs::remove_file(at("hosts")).expect("removed");
        assert!(told(&mut changes, LONG).await);
    }

    #[tokio::test]
    async fn what_a_link_leads_to_is_told_too() {
        let dir = tempfile::tempdir().expect("a directory");
        let (real, link) = (dir.path().join("run/resolv.conf"), dir.path().join("etc/resolv.conf"));
        for path in [&real, &link] {
            fs::create_dir(path.parent().expect("a parent")).expect("made");
        }
        fs::write(&real, "a").expect("written");
        std::os::unix::fs::symlink(&real, &link).expect("linked");
        let mut changes = Changes::of_files(&[link], &[]).expect("watched");
        let new = dir.path().join("run/new");
        fs::write(&new, "b").expect("written");
        fs::rename(new, &real).expect("replaced");
        assert!(told(&mut changes, Duration::from_secs(5)).await);
    }
}
