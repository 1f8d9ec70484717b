//! What of all that is plugged in is worth saying. Pure.
//!
//! * Keyboards, hubs, readers of chip cards, printers, cameras for video, sound and Bluetooth are never found, whatever else is said of them.
//! * What was enrolled is normal as long as it offers what it offered then: a stick that comes back as a network adapter is not the same any
//!   more. By which of its interfaces it offers that is the driver's choice: a disk speaks one protocol at a fast port and another at a slow
//!   one. Of two that cannot be told apart as many are normal as were enrolled, the earlier ones first.
//! * The allow list is for what keeps files. A network adapter becomes normal by enrolment only.
//! * A drive without a medium is nothing: the card slot of a printer is found when a card is in it, also when the printer was enrolled with
//!   the slot empty. What offers storage and nothing else, and of which no disk comes, is told after [`NO_DISK_MS`] as what it is:
//!   plugged in, not usable. Where a program has taken it from the kernel it is told at once: no disk will show what becomes of it.
//! * A printer that scans offers its pictures as a camera does.

use super::memory::{As, Devices, Gauge, Key, Met, key};
use super::seen::{Plugged, Store};
use super::words;
use crate::baseline::{UsbDevice, UsbRole};
use crate::config::UsbAllowed;
use crate::model::{Evidence, Finding, FindingCode, Origin, Severity, Subject};
use crate::sys::usb::Interface;
use std::collections::BTreeMap;

/// From a storage interface to its disk the kernel needs a second; after this there is none to come.
const NO_DISK_MS: u64 = 10_000;

/// The kernel's name for an interface that a program drives by itself.
const BY_A_PROGRAM: &str = "usbfs";
/// How the class of a printer begins.
const PRINTER: &str = "07/";

/// What is normal.
#[derive(Debug, Clone, Copy)]
pub struct Normal<'a> {
    /// Present at enrolment.
    pub enrolled: &'a [UsbDevice],
    /// Allowed by configuration.
    pub allow: &'a [UsbAllowed],
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// All that is found.
    pub findings: Vec<Finding>,
    /// How soon to look again.
    pub again: Again,
}

/// How soon to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// There is nothing that counts.
    Idle,
    /// Storage is there, or may be in a moment.
    Closely,
    /// A last word was said: what it is about is gone.
    AtOnce,
}

/// What the watcher remembers from look to look.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Memory {
    looked: bool,
    devices: Devices,
    told: BTreeMap<(FindingCode, String), Told>,
}

/// A finding as it was told last.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    finding: Finding,
    draft: Draft,
}

/// A finding whose counters are yet to be read.
#[derive(Debug, Clone, PartialEq)]
struct Draft {
    code: FindingCode,
    severity: Severity,
    origin: Origin,
    key: Key,
    subject: String,
    fixed: Vec<Evidence>,
    gauges: Vec<(Gauge, String)>,
}

impl Draft {
    fn counting(mut self, gauge: Gauge, stores: &[&Store]) -> Self {
        self.gauges = stores.iter().map(|store| (gauge, store.disk.name.clone())).collect();
        self
    }

    fn finding(&self, devices: &Devices, how: As) -> Finding {
        let met = devices.get(&self.key);
        let counted = self.gauges.iter().filter_map(|(gauge, disk)| met?.gauge(*gauge, disk, how));
        let finding = Finding::new(self.code, Subject::Device(self.subject.clone()), self.origin);
        Finding { severity: self.severity, ..finding }.because(self.fixed.iter().cloned().chain(counted))
    }
}

/// One look.
#[derive(Debug, Clone, Copy)]
struct Look<'a> {
    normal: Normal<'a>,
    at_ms: u64,
    /// Of what is seen for the first time.
    fresh: Origin,
}

impl Memory {
    /// Judges a look at `at_ms` (boot time).
    pub fn judge(&mut self, plugged: &[Plugged], normal: Normal<'_>, at_ms: u64) -> Judged {
        let fresh = if self.looked { Origin::LocalChange } else { Origin::PreExisting };
        self.looked = true;
        self.devices.take(plugged, fresh, at_ms);
        let look = Look { normal, at_ms, fresh };
        let found: Vec<(Vec<Draft>, Again)> = plugged.iter().map(|found| self.device(found, look)).collect();
        let closely = found.iter().any(|(_, again)| *again == Again::Closely);
        let mut findings = Vec::new();
        let mut told = BTreeMap::new();
        for mut draft in found.into_iter().flat_map(|(drafts, _)| drafts) {
            let name = (draft.code, draft.subject.clone());
            // Where it came from does not change while it lasts.
            draft.origin = self.told.get(&name).map_or(draft.origin, |before| before.draft.origin);
            let finding = draft.finding(&self.devices, As::Told);
            findings.push(finding.clone());
            told.insert(name, Told { finding, draft });
        }
        let last = self.last_words(&told);
        let again = match (last.is_empty(), closely) {
            (false, _) => Again::AtOnce,
            (true, true) => Again::Closely,
            (true, false) => Again::Idle,
        };
        findings.extend(last);
        self.told = told;
        self.devices.forget(plugged);
        Judged { findings, again }
    }

    /// What is over and was not told to the byte is told once more, so that the record of its end is exact.
    fn last_words(&mut self, told: &BTreeMap<(FindingCode, String), Told>) -> Vec<Finding> {
        let over = self.told.iter().filter(|(name, _)| !told.contains_key(*name)).map(|(_, before)| before);
        let exact = over.map(|before| (before, before.draft.finding(&self.devices, As::Exact)));
        let last: Vec<(&Told, Finding)> = exact.filter(|(before, exact)| before.finding != *exact).collect();
        for (before, _) in &last {
            before.draft.gauges.iter().for_each(|(_, disk)| self.devices.tell(&before.draft.key, disk));
        }
        last.into_iter().map(|(_, exact)| exact).collect()
    }

    fn device(&self, found: &Plugged, look: Look<'_>) -> (Vec<Draft>, Again) {
        let then = self.enrolled(found, look.normal.enrolled);
        let is_normal = |role| then.is_some_and(|then| then.plays(role));
        let offers = |role| playing(found, role).next().is_some();
        let is_allowed = look.normal.allow.iter().any(|allowed| covers(allowed, found));
        let mut drafts = Vec::new();
        if offers(UsbRole::Phone) && !is_allowed && !is_normal(UsbRole::Phone) {
            drafts.extend(self.offering(FindingCode::UsbPhone, found, UsbRole::Phone, look));
        }
        if offers(UsbRole::Network) && !is_normal(UsbRole::Network) {
            drafts.extend(self.offering(FindingCode::UsbNetwork, found, UsbRole::Network, look));
        }
        if is_allowed {
            return (drafts, Again::Idle);
        }
        let (stored, again) = self.storage(found, then.filter(|_| is_normal(UsbRole::Storage)), look);
        drafts.extend(stored);
        (drafts, again)
    }

    /// What this device was at enrolment, if it was there: as many of one identity as there were.
    fn enrolled<'a>(&self, found: &Plugged, enrolled: &'a [UsbDevice]) -> Option<&'a UsbDevice> {
        let now = &found.device;
        let is_same = |then: &&UsbDevice| (&then.vendor, &then.product, &then.serial) == (&now.vendor, &now.product, &now.serial);
        enrolled.iter().filter(is_same).nth(self.devices.rank(&key(now)))
    }

    fn draft(&self, code: FindingCode, found: &Plugged, origin: Origin, lines: Vec<Evidence>) -> Option<Draft> {
        let key = key(&found.device);
        let subject = self.devices.get(&key)?.subject.clone();
        let fixed = std::iter::once(words::device(&found.device)).chain(lines).collect();
        Some(Draft { code, severity: code.severity(), origin, key, subject, fixed, gauges: Vec::new() })
    }

    /// A device is found for what it offers, used or not.
    fn offering(&self, code: FindingCode, found: &Plugged, role: UsbRole, look: Look<'_>) -> Option<Draft> {
        let lines = playing(found, role).flat_map(words::interface).collect();
        self.draft(code, found, look.fresh, lines)
    }

    fn storage(&self, found: &Plugged, then: Option<&UsbDevice>, look: Look<'_>) -> (Vec<Draft>, Again) {
        let Some(met) = self.devices.get(&key(&found.device)) else { return (Vec::new(), Again::Idle) };
        let stores = foreign(found, then, met);
        let age = look.at_ms.saturating_sub(met.since_ms);
        if !stores.is_empty() {
            // What was plugged in just before watching began may get its disk just after.
            let origin = if age < NO_DISK_MS { met.origin } else { look.fresh };
            let sizes = stores.iter().filter_map(|store| words::disk(store)).collect();
            let present = self.draft(FindingCode::UsbStorage, found, origin, sizes).map(|draft| draft.counting(Gauge::Bytes, &stores));
            return (present.into_iter().chain(self.in_use(found, &stores, met, look)).collect(), Again::Closely);
        }
        let taken = || playing(found, UsbRole::Storage).filter(|interface| interface.driver.as_deref() == Some(BY_A_PROGRAM));
        if then.is_none() && taken().next().is_some() {
            let lines = taken().flat_map(words::interface).collect();
            return (self.draft(FindingCode::UsbStorage, found, look.fresh, lines).into_iter().collect(), Again::Idle);
        }
        let only_storage = !found.device.interfaces.is_empty()
            && found.device.interfaces.iter().all(|interface| UsbRole::of(interface) == Some(UsbRole::Storage));
        if then.is_some() || !only_storage || !found.stores.is_empty() {
            return (Vec::new(), Again::Idle);
        }
        // A disk that was there and is gone goes before its device: that is how a stick is pulled out.
        if met.bare_since_ms.is_none_or(|since| look.at_ms.saturating_sub(since) < NO_DISK_MS) {
            return (Vec::new(), Again::Closely);
        }
        let none = vec![words::line("usb.disk", &met.subject, "none")];
        let draft = self.draft(FindingCode::UsbStorage, found, met.origin, none);
        (draft.map(|draft| Draft { severity: Severity::Info, ..draft }).into_iter().collect(), Again::Idle)
    }

    /// How disks of a device are in use.
    fn in_use(&self, found: &Plugged, stores: &[&Store], met: &Met, look: Look<'_>) -> Vec<Draft> {
        let those = |is: &dyn Fn(&Store) -> bool| stores.iter().copied().filter(|store| is(store)).collect::<Vec<_>>();
        let about = |code, stores: &[&Store], gauge, lines| {
            if stores.is_empty() {
                return None;
            }
            Some(self.draft(code, found, look.fresh, lines)?.counting(gauge, stores))
        };
        let mounted = those(&|store| !store.uses.is_empty());
        let hidden = those(&|store| !store.hidden.is_empty());
        let past = those(&|store| met.was_read_past_files(&store.disk.name));
        let points = mounted.iter().flat_map(|store| &store.uses).map(words::mount).collect();
        let unseen = hidden.iter().flat_map(|store| &store.hidden).map(words::hidden).collect();
        // A disc takes no files away, and signing keys bring one that opens by itself.
        let severity = if mounted.iter().all(|store| store.disk.optical) { Severity::Medium } else { FindingCode::UsbMounted.severity() };
        let mounted = about(FindingCode::UsbMounted, &mounted, Gauge::Bytes, points).map(|draft| Draft { severity, ..draft });
        let hidden = about(FindingCode::UsbHiddenMount, &hidden, Gauge::Bytes, unseen);
        let past = about(FindingCode::UsbRawRead, &past, Gauge::PastFiles, Vec::new());
        [mounted, hidden, past].into_iter().flatten().collect()
    }
}

/// Its interfaces that play this role.
fn playing(found: &Plugged, role: UsbRole) -> impl Iterator<Item = &Interface> {
    let interfaces = &found.device.interfaces;
    let scans = role == UsbRole::Phone && interfaces.iter().any(|interface| interface.class.starts_with(PRINTER));
    interfaces.iter().filter(move |interface| !scans && UsbRole::of(interface) == Some(role))
}

/// The disks with a medium that was not enrolled. Into a device that was enrolled they came when that was seen in this run, or when fewer
/// drives are empty than at enrolment.
fn foreign<'a>(found: &'a Plugged, then: Option<&UsbDevice>, met: &Met) -> Vec<&'a Store> {
    let mut filled: Vec<&Store> = found.stores.iter().filter(|store| store.disk.medium.is_some()).collect();
    let Some(then) = then else { return filled };
    let empty = found.stores.len() - filled.len();
    let more = then.empty_drives.saturating_sub(empty);
    // Which of several it is cannot be told: those that were seen to come first, then the last.
    filled.sort_by_key(|store| !met.saw_it_come(&store.disk.name));
    let seen = filled.iter().filter(|store| met.saw_it_come(&store.disk.name)).count();
    filled.truncate(more.max(seen));
    filled
}

fn covers(allowed: &UsbAllowed, found: &Plugged) -> bool {
    let device = &found.device;
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    same(&allowed.vendor, &device.vendor)
        && same(&allowed.product, &device.product)
        && allowed.serial.as_ref().is_none_or(|serial| Some(serial) == device.serial.as_ref())
}
