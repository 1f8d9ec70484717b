//! USB devices present, from sysfs. The classes of their interfaces tell what they can do; nothing on them is read.

use super::UsbDevice;
use super::files::Root;
use crate::sys::disks::{self, Disk};
use crate::sys::usb::{self, Interface};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Where the kernel shows them.
const BUS: &str = "/sys/bus/usb/devices";

/// What a device can do, as far as isolation and the terminal rules care. A device may have several roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UsbRole {
    /// Keeps files: a stick, a disk, a card reader for memory cards.
    Storage,
    /// A phone or camera that shows its files (MTP, PTP).
    Phone,
    /// A network card, or a phone that shares its connection.
    Network,
    /// A Bluetooth radio.
    Bluetooth,
}

impl UsbRole {
    /// The role of one interface; `None` for keyboards, printers, card readers and the like.
    pub fn of(interface: &Interface) -> Option<Self> {
        // Adapters of the maker's own class are known by what the kernel made of them.
        if !interface.nets.is_empty() {
            return Some(Self::Network);
        }
        // MTP has no class of its own: many phones give the maker's class, and say MTP in words. With another class the same letters mean
        // something else.
        let words = |label: &String| label.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "MTP");
        let says = || interface.class.starts_with("ff/") && interface.label.as_ref().is_some_and(words);
        Self::of_class(&interface.class).or_else(|| says().then_some(Self::Phone))
    }

    /// By `class/subclass/protocol`.
    fn of_class(class: &str) -> Option<Self> {
        Some(match class {
            _ if class.starts_with("08/") => Self::Storage,
            _ if class.starts_with("06/") => Self::Phone,
            "e0/01/01" => Self::Bluetooth,
            "e0/01/03" | "ef/04/01" | "ff/fd/01" => Self::Network,
            _ if class.starts_with("02/06/") || class.starts_with("02/0d/") || class.starts_with("02/0e/") => Self::Network,
            _ => return None,
        })
    }
}

/// The card readers among these devices (smart card class), as `vendor:product:serial`.
pub fn card_readers(devices: &[UsbDevice]) -> Vec<String> {
    let is_reader = |device: &&UsbDevice| device.classes.iter().any(|class| class.starts_with("0b/"));
    let name = |device: &UsbDevice| format!("{}:{}:{}", device.vendor, device.product, device.serial.as_deref().unwrap_or("-"));
    devices.iter().filter(is_reader).map(name).collect()
}

/// What is plugged in now, without a look at its drives; `None` = this system shows no USB bus.
pub fn usb_now() -> Option<Vec<UsbDevice>> {
    Path::new(BUS).exists().then(|| plugged(Path::new("/"), &[]))
}

/// Everything that is plugged in but hubs.
pub(super) fn devices(root: Root<'_>) -> Vec<UsbDevice> {
    plugged(root.0, &disks::disks(root.0).unwrap_or_default())
}

fn plugged(root: &Path, disks: &[Disk]) -> Vec<UsbDevice> {
    let devices = usb::devices(root).unwrap_or_default().into_iter().filter(|device| !device.hub);
    let at = |device: &usb::Device| UsbDevice::of(device, disks.iter().filter(|disk| disk.path.starts_with(&device.path)));
    let mut found: Vec<UsbDevice> = devices.map(|device| at(&device)).collect();
    found.sort();
    found
}

impl UsbDevice {
    /// Whether it had this role at enrolment.
    pub fn plays(&self, role: UsbRole) -> bool {
        self.roles.contains(&role) || self.classes.iter().any(|class| UsbRole::of_class(class) == Some(role))
    }

    /// What is remembered of a device and the disks at it.
    pub fn of<'a>(device: &usb::Device, disks: impl Iterator<Item = &'a Disk>) -> Self {
        let drives: Vec<&Disk> = disks.collect();
        // Some card readers have a class of their maker's, and drives all the same.
        let keeps = (!drives.is_empty()).then_some(UsbRole::Storage);
        let mut roles: Vec<UsbRole> = device.interfaces.iter().filter_map(UsbRole::of).chain(keeps).collect();
        roles.sort();
        roles.dedup();
        Self {
            vendor: device.vendor.clone(),
            product: device.product.clone(),
            serial: device.serial.clone(),
            classes: device.interfaces.iter().map(|interface| interface.class.clone()).collect(),
            roles,
            empty_drives: drives.iter().filter(|disk| disk.medium.is_none()).count(),
        }
    }
}
