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
    let (udp, tcp) = (listeners::udp()?, listeners::tcp()?);
    Ok(offered(&udp, &tcp, proc))
}

/// What of these sockets is for others.
fn offered(udp: &[Listener], tcp: &[Listener], proc: &Path) -> Offers {
    let mut found = Offers::default();
    let servers = udp.iter().filter(|one| one.port == DHCP && is_for_others(one.address) && one.address.is_ipv4());
    found.offers.extend(servers.copied().map(Offer::Addresses));
    let doors: Vec<&Listener> = tcp.iter().filter(|one| PROXY_PORTS.contains(&one.port) && is_for_others(one.address)).collect();
    if !doors.is_empty() {
        let held = holders(proc, &mut found.hidden);
        found.offers.extend(doors.into_iter().filter_map(|door| Some(Offer::Proxy(*door, held.get(&door.inode)?.clone()))));
    }
    found
}

/// What listens on loopback serves this PC alone, also where it is written as an address of IPv6.
fn is_for_others(address: IpAddr) -> bool {
    !address.to_canonical().is_loopback()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_proxy_is_offered_where_others_can_reach_it_and_by_a_proxy_program_only() {
        let proc = tempfile::tempdir().expect("a directory");
        for (process, name, inode) in [("12", "squid", 77), ("13", "nginx", 78)] {
            let fd = proc.path().join(process).join("fd");
            std::fs::create_dir_all(&fd).expect("made");
            std::fs::write(proc.path().join(process).join("comm"), format!("{name}\n")).expect("written");
            symlink(format!("socket:[{inode}]"), fd.join("3")).expect("linked");
        }
        let offers = |udp: &[(&str, u16)], tcp: &[(&str, u16, u32)]| {
            let at = |address: &str, port, inode| Listener { address: address.parse().expect("an address"), port, device: None, inode };
            let udp: Vec<Listener> = udp.iter().map(|(address, port)| at(address, *port, 1)).collect();
            let tcp: Vec<Listener> = tcp.iter().map(|(address, port, inode)| at(address, *port, *inode)).collect();
            offered(&udp, &tcp, proc.path()).offers.len()
        };
        assert_eq!(offers(&[], &[("0.0.0.0", 3128, 77), ("::", 3128, 77), ("10.1.0.7", 8080, 77)]), 3);
        assert_eq!(offers(&[], &[("127.0.0.1", 3128, 77), ("::1", 3128, 77), ("::ffff:127.0.0.1", 3128, 77)]), 0, "for this PC alone");
        assert_eq!(offers(&[], &[("0.0.0.0", 8080, 78), ("0.0.0.0", 443, 77)]), 0, "another program, another port");
        assert_eq!(offers(&[("0.0.0.0", 67), ("10.42.0.1", 67)], &[]), 2);
        assert_eq!(offers(&[("127.0.0.1", 67), ("::", 67), ("0.0.0.0", 68)], &[]), 0);
    }
}
