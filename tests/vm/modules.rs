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

/// Those besides that the PC with a disk has on it.
const ON_DISK: &[&str] = &[
    "af_packet_diag",
    "inet_diag",
    "raw_diag",
    "tcp_diag",
    "udp_diag",
    "unix_diag",
    "autofs4",
    "bridge",
    "cdc_ncm",
    "dummy",
    "ip6_udp_tunnel",
    "l2tp_ppp",
    "nf_conntrack",
    "nf_tables",
    "nfnetlink",
    "nft_chain_nat",
    "nft_ct",
    "nft_masq",
    "nft_reject_inet",
    "ppp_async",
    "ppp_deflate",
    "ppp_generic",
    "ppp_synctty",
    "pppoe",
    "tun",
    "veth",
    "wireguard",
    "bsd_comp",
];
/// What finds the disk.
const DISK: &[&str] = &["virtio_pci", "virtio_blk", "crc32c_generic", "ext4"];

/// Puts them below `/modules`, with `/modules/order`.
pub(crate) fn pack(tree: &Path, archive: &mut Archive) -> Done {
    let at_start = ordered(tree, WANTED)?.len();
    let all = place(&ordered(tree, &[WANTED, LATER].concat())?, archive)?;
    let (order, later) = all.split_at(at_start);
    archive.file("modules/order", (order.join("\n") + "\n").as_bytes());
    archive.file("modules/later", (later.join("\n") + "\n").as_bytes());
    Ok(())
}

/// Those that find the disk, in the same places.
pub(crate) fn pack_for_disk(tree: &Path, archive: &mut Archive) -> Done {
    let order = place(&ordered(tree, DISK)?, archive)?;
    archive.file("modules/order", (order.join("\n") + "\n").as_bytes());
    Ok(())
}

/// Those of the PC with a disk into this folder, with the kernel's own lists of what is built in.
pub(crate) fn copy(tree: &Path, version: &str, folder: &Path) -> Done {
    let told = |path: &Path, e: &std::io::Error| format!("cannot copy {}: {e}", path.display());
    let at_start = ordered(tree, WANTED)?.len();
    let all = ordered(tree, &[WANTED, LATER, ON_DISK].concat())?;
    for (name, path) in &all {
        std::fs::copy(path, folder.join(format!("{name}.ko"))).map_err(|e| told(path, &e))?;
    }
    for list in ["modules.builtin", "modules.builtin.modinfo", "modules.order"] {
        let path = tree.join("lib/modules").join(version).join(list);
        std::fs::copy(&path, folder.join(list)).map_err(|e| told(&path, &e))?;
    }
    let later = ordered(tree, &[WANTED, LATER].concat())?;
    let later: Vec<&str> = later[at_start..].iter().map(|(name, _)| name.as_str()).collect();
    std::fs::write(folder.join("later"), later.join("\n") + "\n").map_err(|e| told(folder, &e))
}

/// With what they need, in an order in which they can be loaded.
fn ordered(tree: &Path, wanted: &[&str]) -> Done<Vec<(String, PathBuf)>> {
    let mut files = BTreeMap::new();
    walk(&tree.join("lib/modules"), &mut files)?;
    if files.is_empty() {
        return Err(format!("no drivers below {}", tree.display()));
    }
    let mut order = Vec::new();
    for wanted in wanted {
        add(wanted, &files, &mut order)?;
    }
    Ok(order)
}

/// Their names.
fn place(order: &[(String, PathBuf)], archive: &mut Archive) -> Done<Vec<String>> {
    for (name, path) in order {
        let bytes = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        archive.file(&format!("modules/{name}"), &bytes);
    }
    Ok(order.iter().map(|(name, _)| name.clone()).collect())
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

fn add(name: &str, files: &BTreeMap<String, PathBuf>, order: &mut Vec<(String, PathBuf)>) -> Done {
    let Some(path) = files.get(name) else { return Ok(()) };
    if order.iter().any(|(other, _)| other == name) {
        return Ok(());
    }
    let bytes = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    for need in needs(&bytes) {
        add(&need, files, order)?;
    }
    order.push((name.to_owned(), path.clone()));
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
