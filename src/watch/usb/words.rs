//! Lines of proof about what is plugged in, language-free; [`catalogue`](crate::catalogue) has the words.

use super::seen::{Hidden, Store, Use};
use crate::model::Evidence;
use crate::sys::usb::{Device, Interface};

pub(super) fn line(k: &str, target: &str, result: impl Into<String>) -> Evidence {
    Evidence { k: k.to_owned(), target: target.to_owned(), result: result.into(), ms: None, n: 1, boot_ms: None }
}

/// Model, serial, port.
pub(super) fn device(device: &Device) -> Evidence {
    let ids = format!("{}:{}", device.vendor, device.product);
    let target = device.name.as_ref().map_or(ids.clone(), |name| format!("{name} ({ids})"));
    let serial = device.serial.as_ref().map_or("no serial".to_owned(), |serial| format!("serial {serial}"));
    line("usb.device", &target, format!("{serial}, port {}", device.port))
}

/// How large; only where a medium is in.
pub(super) fn disk(store: &Store) -> Option<Evidence> {
    Some(line("usb.disk", &store.disk.name, format!("{} B", store.disk.medium?)))
}

pub(super) fn mount(used: &Use) -> Evidence {
    line("usb.mount", &used.point, how(used))
}

pub(super) fn hidden(hidden: &Hidden) -> Evidence {
    line("usb.hidden", &hidden.used.point, format!("{}, process {} {}", how(&hidden.used), hidden.process, hidden.program))
}

fn how(used: &Use) -> String {
    let access = if used.writable { "read-write" } else { "read-only" };
    let through = used.through.as_ref().map(|by| format!(", through {by}")).unwrap_or_default();
    format!("{}, {access}{through}", used.kind)
}

/// What it offers, and the network interfaces made of that.
pub(super) fn interface(interface: &Interface) -> impl Iterator<Item = Evidence> {
    let driver = interface.driver.as_ref().map_or("no driver".to_owned(), |driver| format!("driver {driver}"));
    let nets = interface.nets.iter().map(|(name, address)| line("usb.net", name, address.clone().unwrap_or("no address".to_owned())));
    std::iter::once(line("usb.interface", &interface.class, driver)).chain(nets)
}
