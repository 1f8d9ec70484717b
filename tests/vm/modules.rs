//! The drivers of the emulated PC: which, from where, in which order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::Done;
use crate::cpio::Archive;

/// Those that are asked for; what they need comes with them. Those built in are nowhere and are left out.
const WANTED: &[&str] = &[
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "virtio_console",
    "crc32c_generic",
    "ext4",
    "xhci_pci",
    "uas",
    "usb_storage",
    "sd_mod",
    "nls_cp437",
    "nls_ascii",
    "nls_utf8",
    "vfat",
    "loop",
    "dm_mod",
    "fuse",
    "usbhid",
    "hid_generic",
    "cdc_ether",
    "rndis_host",
    "af_packet",
];

/// Those that a case loads, with what they need, in `/modules/later`.
const LATER: &[&str] = &["mac80211_hwsim", "dummy", "vrf", "wireguard"];

/// Puts them below `/modules`, with `/modules/order`.
pub(crate) fn pack(tree: &Path, archive: &mut Archive) -> Done {
    let mut files = BTreeMap::new();
    walk(&tree.join("lib/modules"), &mut files)?;
    if files.is_empty() {
        return Err(format!("no drivers below {}", tree.display()));
    }
    let mut order = Vec::new();
    for wanted in WANTED {
        add(wanted, &files, &mut order, archive)?;
    }
    archive.file("modules/order", (order.join("\n") + "\n").as_bytes());
    let at_start = order.len();
    for later in LATER {
        add(later, &files, &mut order, archive)?;
    }
    archive.file("modules/later", (order[at_start..].join("\n") + "\n").as_bytes());
    Ok(())
}

fn walk(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Done {
    let told = |e| format!("cannot read {}: {e}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(told)? {
        let entry = entry.map_err(told)?;
        let path = entry.path();
        if entry.file_type().map_err(told)?.is_dir() {
            walk(&path, files)?;
        } else if let Some(name) = entry.file_name().to_string_lossy().strip_suffix(".ko") {
            files.insert(name.replace('-', "_"), path);
        }
    }
    Ok(())
}

fn add(name: &str, files: &BTreeMap<String, PathBuf>, order: &mut Vec<String>, archive: &mut Archive) -> Done {
    let Some(path) = files.get(name) else { return Ok(()) };
    if order.iter().any(|other| other == name) {
        return Ok(());
    }
    let bytes = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    for need in needs(&bytes) {
        add(&need, files, order, archive)?;
    }
    archive.file(&format!("modules/{name}"), &bytes);
    order.push(name.to_owned());
    Ok(())
}

/// `depends=a,b` of its description, which stands in it in clear.
fn needs(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else { return Vec::new() };
    let value = module[at + KEY.len()..].split(|byte| *byte == 0).next().unwrap_or_default();
    let value = String::from_utf8_lossy(value);
    value.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}
