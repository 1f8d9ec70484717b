//! What this PC offers to others: addresses, a proxy. A port alone accuses nobody: a proxy is one only when a proxy program holds the port.

use crate::model::Unseen;
use crate::sys::files;
use crate::sys::listeners::{self, Listener};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

/// Where an address server (DHCP) is asked.
const DHCP: u16 = 67;
/// Where proxies usually wait.
const PROXY_PORTS: [u16; 18] =
    [1080, 1081, 1082, 3128, 3129, 7890, 7891, 7892, 7893, 7897, 8080, 8081, 8118, 8123, 8888, 10808, 10809, 20171];
/// Programs that do nothing but pass on for others (15 characters at most, as the kernel keeps names).
const PROXIES: [&str; 24] = [
    "squid",
    "tinyproxy",
    "privoxy",
    "polipo",
    "3proxy",
    "danted",
    "sockd",
    "microsocks",
    "srelay",
    "ss-local",
    "sslocal",
    "ss-server",
    "v2ray",
    "xray",
    "trojan",
    "trojan-go",
    "clash",
    "clash-meta",
    "mihomo",
    "verge-mihomo",
    "sing-box",
    "gost",
    "brook",
    "ccproxy",
];
/// File descriptors of one process that are looked at.
const MOST_DESCRIPTORS: usize = 4096;

/// Something offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Addresses, as DHCP.
    Addresses(Listener),
    /// A way through a proxy program.
    Proxy(Listener, String),
}

/// What was seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offers {
    /// All that is offered to more than this PC itself.
    pub offers: Vec<Offer>,
    /// Ports of proxies are open and a proxy program runs, and which program holds them could not be seen.
    pub hidden: Option<Unseen>,
}

/// Looks. Blocks for some milliseconds where a port of proxies is open, else for less than one.
pub fn offers(proc: &Path) -> Result<Offers, Unseen> {
    let outward = |listener: &Listener| !listener.address.is_loopback();
    let mut found = Offers::default();
    let servers = listeners::udp()?.into_iter().filter(|one| one.port == DHCP && outward(one) && is_v4(one.address));
    found.offers.extend(servers.map(Offer::Addresses));
    let doors: Vec<Listener> = listeners::tcp()?.into_iter().filter(|one| PROXY_PORTS.contains(&one.port) && outward(one)).collect();
    if !doors.is_empty() {
        let held = holders(proc, &mut found.hidden);
        found.offers.extend(doors.into_iter().filter_map(|door| Some(Offer::Proxy(door, held.get(&door.inode)?.clone()))));
    }
    Ok(found)
}

fn is_v4(address: IpAddr) -> bool {
    address.is_ipv4()
}

/// Sockets that proxy programs hold.
fn holders(proc: &Path, hidden: &mut Option<Unseen>) -> BTreeMap<u32, String> {
    let mut held = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(proc) else { return held };
    for process in entries.flatten().map(|entry| entry.path()) {
        let Some(name) = files::read_word(&process.join("comm")).filter(|name| PROXIES.contains(&name.as_str())) else { continue };
        match std::fs::read_dir(process.join("fd")) {
            Ok(descriptors) => {
                let links = descriptors.flatten().take(MOST_DESCRIPTORS).filter_map(|entry| std::fs::read_link(entry.path()).ok());
                held.extend(links.filter_map(|link| socket(link.to_str()?)).map(|inode| (inode, name.clone())));
            }
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                *hidden = Some(Unseen::Capability("CAP_SYS_PTRACE".to_owned()));
            }
            // It has just ended.
            Err(_) => {}
        }
    }
    held
}

/// `socket:[1234]`.
fn socket(link: &str) -> Option<u32> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}
