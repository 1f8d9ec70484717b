//! One reading of everything that [`seen`](super::seen) puts together. Blocks: for a thread of its own.

use super::seen::{Plugged, Raw};
use crate::model::Unseen;
use crate::sys::mounts::{self, Mount};
use crate::sys::served::{self, Served};
use crate::sys::{disks, usb};
use crate::watch::Blind;
use std::path::Path;

/// Who alone may open disks, as a rule.
const ROOT: u32 = 0;
/// So many looks later programs that serve file systems are looked at again, though no file system came or went.
const STALE: u32 = 15;

/// Who serves what, as of an earlier look: to look into every program costs more than all the rest.
#[derive(Debug, Default)]
pub struct Known {
    served: Served,
    /// The file systems that made us look, by number.
    of: Vec<u32>,
    age: u32,
}

impl Known {
    /// Who serves these now.
    fn refresh(&mut self, proc: &Path, of: Vec<u32>) {
        self.age += 1;
        if self.of != of || self.age >= STALE {
            let served = if of.is_empty() { Served::default() } else { served::servers(proc) };
            *self = Self { served, of, age: 0 };
        }
    }
}

/// What is plugged in, and what could not be seen of it; the error is what nothing can be said without.
pub fn read(root: &Path, known: &mut Known) -> Result<(Vec<Plugged>, Vec<Blind>), Blind> {
    read_by(root, known, || everybodys(root))
}

/// The same with another way to read what everybody sees mounted.
pub(super) fn read_by(
    root: &Path,
    known: &mut Known,
    mut everybodys: impl FnMut() -> Result<Everybodys, Blind>,
) -> Result<(Vec<Plugged>, Vec<Blind>), Blind> {
    let devices = usb::devices(root).map_err(|why| Blind { what: "usb.devices", why })?;
    let disks = disks::disks(root).map_err(|why| Blind { what: "usb.disks", why })?;
    let proc = root.join("proc");
    let Everybodys { mounts, tables, blind } = everybodys()?;
    let mut blind: Vec<Blind> = blind.into_iter().collect();
    let mut raw = Raw { devices, disks, mounts, elsewhere: Vec::new(), servers: Vec::new() };
    let plugged = raw.clone().join();
    // Looking into the surroundings of every program is for when there is something to look for.
    if !plugged.iter().flat_map(|found| &found.stores).any(|store| store.disk.medium.is_some()) {
        return Ok((plugged, blind));
    }
    raw.elsewhere = mounts::elsewhere(&proc, &tables);
    for by in &mut raw.elsewhere {
        resolve(&mut by.mounts, root);
    }
    let mut silent: Vec<u32> = raw.silent().map(|mount| mount.id).collect();
    silent.sort_unstable();
    let may_be_a_disk = raw.silent().any(|mount| mount.served_for == Some(ROOT));
    known.refresh(&proc, silent);
    if known.served.refused && may_be_a_disk {
        blind.push(Blind { what: "usb.served", why: Unseen::Capability("CAP_SYS_PTRACE".to_owned()) });
    }
    raw.servers.clone_from(&known.served.servers);
    let plugged = raw.clone().join();
    if !plugged.iter().flat_map(|found| &found.stores).any(|store| !store.hidden.is_empty()) {
        return Ok((plugged, blind));
    }
    // What was mounted for everybody between the two readings comes to others' surroundings, too, and would look hidden: only what is not
    // there after the second either is.
    raw.mounts.extend(everybodys()?.mounts);
    Ok((raw.join(), blind))
}

/// What everybody sees mounted.
pub(super) struct Everybodys {
    mounts: Vec<Mount>,
    /// The first mounts of the tables that were read.
    tables: Vec<u32>,
    blind: Option<Blind>,
}

pub(super) fn everybodys(root: &Path) -> Result<Everybodys, Blind> {
    let proc = root.join("proc");
    let first = |mounts: &[Mount]| mounts.first().map(|mount| mount.id);
    let mut mounts = mounts::of_process(&proc, "self").map_err(|why| Blind { what: "usb.mounts", why: Unseen::Error(why.line()) })?;
    let mut tables: Vec<u32> = first(&mounts).into_iter().collect();
    let mut blind = None;
    // We may be in surroundings of our own ourselves (a sandbox): what everybody sees is what the first process sees.
    match mounts::of_process(&proc, "1") {
        Ok(theirs) if first(&theirs).is_none_or(|first| !tables.contains(&first)) => {
            tables.extend(first(&theirs));
            mounts.extend(theirs);
        }
        Ok(_) => {}
        Err(_) => blind = Some(Blind { what: "usb.hidden", why: Unseen::Hidden("/proc/1/mountinfo".to_owned()) }),
    }
    resolve(&mut mounts, root);
    Ok(Everybodys { mounts, tables, blind })
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
