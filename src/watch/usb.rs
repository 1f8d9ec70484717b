//! What is plugged in at USB: storage and how it is used, telephones, network adapters.
//!
//! ```text
//! uevents (usb, block), mounts, the clock ──> read (sysfs, mountinfo) ──> seen (put together) ──> judge ──> findings
//! ```
//!
//! * Idle, it wakes when a device comes or goes and once a minute. While storage that is not normal is plugged in it looks every
//!   [`SAMPLE`], because a disk that is read or written brings no event and the counters vanish with it; and it listens to mounts. What was
//!   read and written is therefore exact to two seconds before the device was pulled out, and exact to the byte at an unmount.
//! * Names of files are never looked at, and nothing is read from a device.
//! * A mount out of sight brings no event either: while storage with a medium is there, the surroundings of all programs are looked at.

mod bytes;
mod judge;
mod memory;
mod read;
mod seen;
mod words;

#[cfg(test)]
mod tests;

use super::aside::aside;
use super::{Blind, Given, Look, MINUTE, Watch};
use crate::model::{Unseen, Watcher};
use crate::sys::mounts::MountEar;
use crate::sys::uevent::{Uevent, Uevents};
use futures_util::future::{FutureExt, LocalBoxFuture, select_all};
use judge::{Again, Memory, Normal};
use read::Known;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Between two looks while storage is plugged in.
const SAMPLE: Duration = Duration::from_secs(2);
/// Until the look after a last word.
const AT_ONCE: Duration = Duration::from_millis(200);

/// The watcher.
pub struct Usb {
    root: PathBuf,
    memory: Memory,
    uevents: Result<Uevents, Unseen>,
    /// Open only while there is storage, so that mounts on a PC without do not wake anybody.
    mounts: Vec<MountEar>,
    known: Known,
}

impl Usb {
    /// Begins to listen. `root` is where `/sys`, `/proc` and `/dev` are: `/` but for tests. Must be called within a tokio runtime with I/O
    /// enabled.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), memory: Memory::default(), uevents: Uevents::open(), mounts: Vec::new(), known: Known::default() }
    }

    async fn look_now(&mut self, given: &Given) -> Look {
        if self.uevents.is_err() {
            self.uevents = Uevents::open();
        }
        let (root, mut known) = (self.root.clone(), std::mem::take(&mut self.known));
        let reading = aside(move || (read::read(&root, &mut known), known));
        let seen = match reading.await {
            Ok((seen, known)) => {
                self.known = known;
                seen
            }
            Err(crash) => return Look::blind("usb.devices", Unseen::Error(format!("look at USB: {crash}"))),
        };
        let (plugged, mut blind) = match seen {
            Ok(seen) => seen,
            Err(blind) => return Look { found: None, blind: vec![blind], again: MINUTE },
        };
        if let Err(why) = &self.uevents {
            blind.push(Blind { what: "usb.events", why: why.clone() });
        }
        let enrolled = given.baseline().map_or(&[][..], |baseline| &baseline.usb);
        let normal = Normal { enrolled, allow: &given.config.usb.allow };
        let judged = self.memory.judge(&plugged, normal, given.at.boottime_ms);
        let again = self.listen(judged.again);
        Look { found: Some(judged.findings), blind, again }
    }

    /// Opens the ears that are needed, closes the others, and says when to look again.
    fn listen(&mut self, again: Again) -> Duration {
        match again {
            Again::Idle => {
                self.mounts.clear();
                MINUTE
            }
            Again::AtOnce => AT_ONCE,
            Again::Closely if self.mounts.is_empty() => {
                // Where the first process is in other surroundings than we are, mounts there are not heard here. An ear that does not open
                // costs two seconds at most.
                let tables = ["proc/self/mountinfo", "proc/1/mountinfo"].map(|table| self.root.join(table));
                self.mounts = tables.iter().filter_map(|table| MountEar::open(table).ok()).collect();
                // What was mounted since it was read brought no event.
                AT_ONCE
            }
            Again::Closely => SAMPLE,
        }
    }

    async fn stir(&mut self) {
        let Self { uevents, mounts, .. } = self;
        let device = async {
            match uevents {
                Ok(ear) => ear.heard(Uevent::concerns_usb).await,
                Err(_) => std::future::pending().await,
            }
        };
        let mount = async {
            if mounts.is_empty() {
                return std::future::pending().await;
            }
            select_all(mounts.iter_mut().map(|ear| ear.heard().boxed_local())).await.0
        };
        let (device, mount) = tokio::select! {
            heard = device => (heard, Ok(())),
            heard = mount => (Ok(()), heard),
        };
        // An ear that broke is opened anew at the next look.
        if let Err(error) = device {
            self.uevents = Err(Unseen::Error(format!("listen to device events: {error}")));
        }
        if mount.is_err() {
            self.mounts.clear();
        }
    }
}

impl Watch for Usb {
    fn watcher(&self) -> Watcher {
        Watcher::Usb
    }

    fn look<'a>(&'a mut self, given: &'a Given) -> LocalBoxFuture<'a, Look> {
        self.look_now(given).boxed_local()
    }

    fn stirred(&mut self) -> LocalBoxFuture<'_, ()> {
        self.stir().boxed_local()
    }
}
