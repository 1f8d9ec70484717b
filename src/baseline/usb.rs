//! USB devices present, from sysfs. The classes of their interfaces tell what they can do; nothing on them is read.

use super::UsbDevice;
use super::files::Root;
use crate::sys::disks::{self, Disk};
use crate::sys::usb;
use std::path::Path;

/// Where the kernel shows them.
const BUS: &str = "/sys/bus/usb/devices";

/// What a device can do, as far as isolation and the terminal rules care. A device may have several roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// The role of one interface by `class/subclass/protocol`; `None` for keyboards, printers, card readers and the like.
    pub fn of_class(class: &str) -> Option<Self> {
        Some(match class {
            _ if class.starts_with("08/") => Self::Storage,
            _ if class.starts_with("06/") => Self::Phone,
            "e0/01/01" => Self::Bluetooth,
            "e0/01/03" | "ef/04/01" | "ff/fd/01" => Self::Network,
            _ if class.starts_with("02/06/") || class.starts_with("02/0d/") || class.starts_with("02/0e/") => Self::Network,
            _ => return None,
        })
    }

    /// All roles of a device.
    pub fn of(device: &UsbDevice) -> Vec<Self> {
        let mut roles: Vec<Self> = device.classes.iter().filter_map(|class| Self::of_class(class)).collect();
        roles.sort();
        roles.dedup();
        roles
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
    /// What is remembered of a device and the disks at it.
    pub fn of<'a>(device: &usb::Device, disks: impl Iterator<Item = &'a Disk>) -> Self {
        Self {
            vendor: device.vendor.clone(),
            product: device.product.clone(),
            serial: device.serial.clone(),
            classes: device.interfaces.iter().map(|interface| interface.class.clone()).collect(),
            empty_drives: disks.filter(|disk| disk.medium.is_none()).count(),
        }
    }
}
