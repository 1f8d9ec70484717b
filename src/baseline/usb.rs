//! USB devices present, from sysfs. The classes of their interfaces tell what they can do; nothing on them is read.

use super::UsbDevice;
use super::files::Root;
use std::path::Path;

/// Where the kernel shows them.
const BUS: &str = "/sys/bus/usb/devices";
/// Devices that are looked at.
const MOST_DEVICES: usize = 256;

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

/// What is plugged in now; `None` = this system shows no USB bus.
pub fn usb_now() -> Option<Vec<UsbDevice>> {
    Path::new(BUS).exists().then(|| devices(Root(Path::new("/"))))
}

/// Everything that is plugged in but hubs.
pub(super) fn devices(root: Root<'_>) -> Vec<UsbDevice> {
    let names = root.names(BUS);
    // `1-1.2` is a device, `1-1.2:1.0` its interface, `usb1` a root hub.
    let is_device = |name: &&String| name.starts_with(|c: char| c.is_ascii_digit()) && !name.contains(':');
    let mut found: Vec<UsbDevice> = Vec::new();
    for name in names.iter().filter(is_device).take(MOST_DEVICES) {
        let read = |file: &str| root.word(&format!("{BUS}/{name}/{file}"));
        if read("bDeviceClass").as_deref() == Some("09") {
            continue;
        }
        let (Some(vendor), Some(product)) = (read("idVendor"), read("idProduct")) else { continue };
        let interfaces = names.iter().filter(|other| other.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(':')));
        let classes = interfaces.filter_map(|interface| class(root, &format!("{BUS}/{interface}"))).collect();
        found.push(UsbDevice { vendor, product, serial: read("serial"), classes });
    }
    found.sort();
    found
}

fn class(root: Root<'_>, interface: &str) -> Option<String> {
    let part = |file: &str| root.word(&format!("{interface}/{file}"));
    Some(format!("{}/{}/{}", part("bInterfaceClass")?, part("bInterfaceSubClass")?, part("bInterfaceProtocol")?))
}
