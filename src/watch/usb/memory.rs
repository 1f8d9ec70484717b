//! What is remembered of a device while it is plugged in: since when, under which name, which of its drives were seen empty, what was counted.

use super::bytes::{Counter, PastFiles};
use super::seen::{Plugged, Store};
use super::words::line;
use crate::model::{Evidence, Origin};
use crate::sys::usb::Device;
use std::collections::{BTreeMap, BTreeSet};

/// A drive without a medium for so long has none; before, it may not have found out yet.
const STARTING_MS: u64 = 10_000;

/// Which device at which port.
pub(super) type Key = (String, String);

/// What a device is told from others by: `vendor:product:serial`.
pub(super) fn identity(device: &Device) -> String {
    format!("{}:{}:{}", device.vendor, device.product, device.serial.as_deref().unwrap_or("-"))
}

pub(super) fn key(device: &Device) -> Key {
    (device.port.clone(), identity(device))
}

/// A device that was met.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Met {
    /// Since when (boot time, ms).
    pub(super) since_ms: u64,
    /// Whether it was there when watching began.
    pub(super) origin: Origin,
    /// The name of its incidents: its identity, and where it is when another bears the same.
    pub(super) subject: String,
    /// Since when it has had no disk; `None` = it has one.
    pub(super) bare_since_ms: Option<u64>,
    drives: BTreeMap<String, Drive>,
    gauges: BTreeMap<String, Gauges>,
}

/// A drive, as far as its medium is concerned.
#[derive(Debug, Clone, PartialEq, Default)]
struct Drive {
    empty_since_ms: Option<u64>,
    was_filled: bool,
    came: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Gauges {
    read: Counter,
    written: Counter,
    past: PastFiles,
}

/// Which counter a line of proof shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gauge {
    /// Read and written.
    Bytes,
    /// Read past the files.
    PastFiles,
}

/// As it was told, or as the kernel counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    Told,
    Exact,
}

/// All that are plugged in.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Devices(BTreeMap<Key, Met>);

impl Devices {
    pub(super) fn get(&self, key: &Key) -> Option<&Met> {
        self.0.get(key)
    }

    /// Takes a look in. What is gone stays until [`forget`](Self::forget): its last counts are yet to be told.
    pub(super) fn take(&mut self, plugged: &[Plugged], origin: Origin, at_ms: u64) {
        let present: BTreeSet<Key> = plugged.iter().map(|found| key(&found.device)).collect();
        for found in plugged {
            let key = key(&found.device);
            if !self.0.contains_key(&key) {
                // One that was moved to another port while nobody looked is the same.
                let is_borne = self.0.iter().any(|(other, met)| met.subject == key.1 && present.contains(other));
                let subject = if is_borne { format!("{}@{}", key.1, key.0) } else { key.1.clone() };
                let (drives, gauges) = (BTreeMap::new(), BTreeMap::new());
                let met = Met { since_ms: at_ms, origin, subject, bare_since_ms: None, drives, gauges };
                self.0.insert(key.clone(), met);
            }
            if let Some(met) = self.0.get_mut(&key) {
                let bare = found.stores.is_empty().then(|| met.bare_since_ms.unwrap_or(at_ms));
                met.bare_since_ms = bare;
                found.stores.iter().for_each(|store| met.sample(store, at_ms));
            }
        }
    }

    /// What was counted at this disk was told to the byte: what is told next is no less.
    pub(super) fn tell(&mut self, key: &Key, disk: &str) {
        if let Some(gauges) = self.0.get_mut(key).and_then(|met| met.gauges.get_mut(disk)) {
            gauges.read.tell();
            gauges.written.tell();
            gauges.past.tell();
        }
    }

    /// Keeps only what is plugged in.
    pub(super) fn forget(&mut self, plugged: &[Plugged]) {
        let present: BTreeSet<Key> = plugged.iter().map(|found| key(&found.device)).collect();
        self.0.retain(|key, _| present.contains(key));
    }

    /// How many devices of this identity came before this one.
    pub(super) fn rank(&self, key: &Key) -> usize {
        let order = |key: &Key| self.0.get(key).map(|met| (met.since_ms, key.0.clone()));
        let own = order(key);
        self.0.keys().filter(|other| other.1 == key.1 && order(other) < own).count()
    }
}

impl Drive {
    fn sample(&mut self, filled: bool, at_ms: u64) {
        if !filled {
            (self.empty_since_ms, self.came) = (Some(self.empty_since_ms.unwrap_or(at_ms)), false);
            return;
        }
        let was_empty = self.empty_since_ms.take().map(|since| at_ms.saturating_sub(since));
        self.came |= was_empty.is_some_and(|ms| self.was_filled || ms >= STARTING_MS);
        self.was_filled = true;
    }
}

impl Met {
    fn sample(&mut self, store: &Store, at_ms: u64) {
        let disk = &store.disk;
        self.drives.entry(disk.name.clone()).or_default().sample(disk.medium.is_some(), at_ms);
        let in_use = !store.uses.is_empty() || !store.hidden.is_empty();
        let gauges = self.gauges.entry(disk.name.clone()).or_insert_with(|| Gauges {
            read: Counter::new(disk.read, at_ms),
            written: Counter::new(disk.written, at_ms),
            past: PastFiles::met(disk.read, in_use, at_ms),
        });
        gauges.read.sample(disk.read, at_ms);
        gauges.written.sample(disk.written, at_ms);
        gauges.past.sample(disk.read, in_use, at_ms);
    }

    /// Whether the medium in this drive came while the device was plugged in.
    pub(super) fn saw_it_come(&self, disk: &str) -> bool {
        self.drives.get(disk).is_some_and(|drive| drive.came)
    }

    /// Whether this disk was read past its files.
    pub(super) fn was_read_past_files(&self, disk: &str) -> bool {
        self.gauges.get(disk).is_some_and(|gauges| gauges.past.found().is_some())
    }

    /// A line of proof from a counter.
    pub(super) fn gauge(&self, gauge: Gauge, disk: &str, how: As) -> Option<Evidence> {
        let of = |counter: Counter| match how {
            As::Told => counter.told(),
            As::Exact => counter.exact(),
        };
        let gauges = self.gauges.get(disk)?;
        Some(match gauge {
            Gauge::Bytes => line("usb.bytes", disk, format!("read {} B, written {} B", of(gauges.read), of(gauges.written))),
            Gauge::PastFiles => line("usb.past-files", disk, format!("{} B", of(gauges.past.found()?))),
        })
    }
}
