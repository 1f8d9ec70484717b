//! What is plugged in at USB, from sysfs. Nothing on the devices is read: what they say of themselves the kernel asked when they came.
//!
//! These calls may wait for a device that is being reset: run them with `spawn_blocking`.

use super::files::read_word;
use crate::model::Unseen;
use std::path::{Path, PathBuf};

/// Where the kernel shows them.
const BUS: &str = "sys/bus/usb/devices";
/// Devices that are looked at.
const MOST_DEVICES: usize = 256;
/// Interfaces of one device that are looked at; the standard allows 32 a configuration.
const MOST_INTERFACES: usize = 32;
/// Characters of a text that a device says of itself; a descriptor has room for 126.
const LONGEST_TEXT: usize = 126;

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Where it is plugged in, e.g. `1-1.2`: bus, then the ports on the way.
    pub port: String,
    /// Its directory, without links.
    pub path: PathBuf,
    /// Vendor id, four hexadecimal digits.
    pub vendor: String,
    /// Product id, four hexadecimal digits.
    pub product: String,
    /// Serial.
    pub serial: Option<String>,
    /// Who made it and what it is called, as it says.
    pub name: Option<String>,
    /// Only passes on to others, and offers nothing itself.
    pub hub: bool,
    /// What it offers.
    pub interfaces: Vec<Interface>,
}

/// One thing that a device offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// `class/subclass/protocol`, hexadecimal.
    pub class: String,
    /// What it calls itself.
    pub label: Option<String>,
    /// Who serves it.
    pub driver: Option<String>,
    /// Network interfaces made of it, with their hardware addresses.
    pub nets: Vec<(String, Option<String>)>,
}

/// Everything at USB below this root (`/` but for tests), sorted by port. A PC without USB has nothing at it.
pub fn devices(root: &Path) -> Result<Vec<Device>, Unseen> {
    let names = match names(&root.join(BUS)) {
        Ok(names) => names,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && root.join("sys/bus").is_dir() => return Ok(Vec::new()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(Unseen::NotMounted("/sys".to_owned())),
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => return Err(Unseen::Hidden(format!("/{BUS}"))),
        Err(e) => return Err(Unseen::Error(format!("list /{BUS}: {e}"))),
    };
    // `1-1.2` is a device, `1-1.2:1.0` its interface, `usb1` a root hub.
    let is_device = |name: &&String| name.starts_with(|c: char| c.is_ascii_digit()) && !name.contains(':');
    Ok(names.iter().filter(is_device).take(MOST_DEVICES).filter_map(|port| device(&root.join(BUS), port, &names)).collect())
}

/// `None` = it is being unplugged.
fn device(bus: &Path, port: &str, names: &[String]) -> Option<Device> {
    let directory = bus.join(port);
    let read = |file: &str| word(&directory.join(file));
    let is_its_own = |name: &&String| name.strip_prefix(port).is_some_and(|rest| rest.starts_with(':'));
    let parts: Vec<String> = ["manufacturer", "product"].into_iter().filter_map(read).collect();
    let interfaces: Vec<Interface> =
        names.iter().filter(is_its_own).take(MOST_INTERFACES).filter_map(|name| interface(&bus.join(name))).collect();
    Some(Device {
        port: port.to_owned(),
        path: directory.canonicalize().ok()?,
        vendor: read("idVendor")?,
        product: read("idProduct")?,
        serial: read("serial"),
        name: Some(parts.join(" ")).filter(|name| !name.is_empty()),
        // Drivers go by the interfaces: what calls itself a hub and keeps files is none.
        hub: read("bDeviceClass").as_deref() == Some("09") && interfaces.iter().all(|interface| interface.class.starts_with("09/")),
        interfaces,
    })
}

fn interface(directory: &Path) -> Option<Interface> {
    let part = |file: &str| word(&directory.join(file));
    let nets = names(&directory.join("net")).unwrap_or_default();
    Some(Interface {
        class: format!("{}/{}/{}", part("bInterfaceClass")?, part("bInterfaceSubClass")?, part("bInterfaceProtocol")?),
        label: part("interface"),
        driver: std::fs::read_link(directory.join("driver")).ok().and_then(|link| Some(link.file_name()?.to_string_lossy().into_owned())),
        nets: nets.into_iter().map(|net| (net.clone(), part(&format!("net/{net}/address")))).collect(),
    })
}

/// A device may say of itself whatever its maker, or somebody else, liked: no line ends, no colours, no novels.
fn word(path: &Path) -> Option<String> {
    let text = read_word(path)?;
    let clean: String = text.chars().take(LONGEST_TEXT).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    Some(clean.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Names in a directory, sorted.
pub(super) fn names(directory: &Path) -> std::io::Result<Vec<String>> {
    let mut names: Vec<String> = std::fs::read_dir(directory)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}
