//! One reading of everything that [`seen`](super::seen) puts together. Blocks: for a thread of its own.

use super::seen::{Plugged, Raw};
use crate::model::Unseen;
use crate::sys::mounts::{self, Mount};
use crate::sys::{disks, usb};
use crate::watch::Blind;
use std::path::Path;

/// What is plugged in, and what could not be seen of it; the error is what nothing can be said without.
pub fn read(root: &Path) -> Result<(Vec<Plugged>, Vec<Blind>), Blind> {
    let devices = usb::devices(root).map_err(|why| Blind { what: "usb.devices", why })?;
    let disks = disks::disks(root).map_err(|why| Blind { what: "usb.disks", why })?;
    let proc = root.join("proc");
    let mut blind = Vec::new();
    let own = mounts::of_process(&proc, "self").map_err(|why| Blind { what: "usb.mounts", why: Unseen::Error(why.line()) })?;
    let first = |mounts: &[Mount]| mounts.first().map(|mount| mount.id);
    let mut known: Vec<u32> = first(&own).into_iter().collect();
    let mut mounts = own;
    // We may be in surroundings of our own ourselves (a sandbox): what everybody sees is what the first process sees.
    match mounts::of_process(&proc, "1") {
        Ok(theirs) if first(&theirs).is_none_or(|first| !known.contains(&first)) => {
            known.extend(first(&theirs));
            mounts.extend(theirs);
        }
        Ok(_) => {}
        Err(_) => blind.push(Blind { what: "usb.hidden", why: Unseen::Hidden("/proc/1/mountinfo".to_owned()) }),
    }
    resolve(&mut mounts, root);
    let raw = Raw { devices, disks, mounts, elsewhere: Vec::new() };
    let plugged = raw.clone().join();
    // Looking into the surroundings of every program is for when there is something to look for.
    if !plugged.iter().flat_map(|found| &found.stores).any(|store| store.disk.medium.is_some()) {
        return Ok((plugged, blind));
    }
    let mut elsewhere = mounts::elsewhere(&proc, &known);
    for by in &mut elsewhere {
        resolve(&mut by.mounts, root);
    }
    Ok((Raw { elsewhere, ..raw }.join(), blind))
}

/// What has no device number of its own may name its device by a link, such as `/dev/disk/by-uuid/...`.
fn resolve(mounts: &mut [Mount], root: &Path) {
    for mount in mounts.iter_mut().filter(|mount| mount.device.starts_with("0:")) {
        let Some(inside) = mount.source.strip_prefix("/dev/") else { continue };
        let target = std::fs::read_link(root.join("dev").join(inside)).ok();
        if let Some(name) = target.as_deref().and_then(Path::file_name) {
            mount.source = format!("/dev/{}", name.to_string_lossy());
        }
    }
}
