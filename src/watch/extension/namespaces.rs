//! Network namespaces beside our own, and their ways outward, out of `/proc/PID/net`. Needs no privilege.
//!
//! The files below `/proc/PID/net` are of the namespace's own tree, so the number of one of them tells namespaces apart even where the link
//! `/proc/PID/ns/net` may not be read. A namespace that no process is in is not seen: nobody uses it.

use crate::model::{IfName, Unseen};
use crate::sys::files;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Most of any file that is read, and namespaces that are looked into.
const LARGEST: u64 = 256 << 10;
const MOST: usize = 64;
/// Routes this wide are as good as a default route.
const WIDE: u32 = 8;
/// `RTF_REJECT`.
const REJECT: u32 = 0x200;

/// A way out of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayOut {
    /// By this interface of it.
    pub device: IfName,
    /// By this next hop; `None` = straight out.
    pub gateway: Option<IpAddr>,
}

/// Another namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// The kernel's number.
    pub id: String,
    /// The name of its first process.
    pub program: String,
    /// Its wide routes.
    pub ways: Vec<WayOut>,
    /// Its own addresses but loopback.
    pub addresses: Vec<IpAddr>,
}

/// All others that some process is in. Blocks for some milliseconds.
pub fn foreign(proc: &Path) -> Result<Vec<Foreign>, Unseen> {
    let number = |process: &Path| std::fs::metadata(process.join("net/dev")).ok().map(|file| file.ino());
    let home = number(&proc.join("self")).ok_or_else(|| Unseen::NotMounted(proc.display().to_string()))?;
    // Mounted with `hidepid`, /proc shows a user only its own processes.
    if !proc.join("1").exists() {
        return Err(Unseen::Hidden(proc.display().to_string()));
    }
    let entries = std::fs::read_dir(proc).map_err(|e| Unseen::Error(format!("list processes: {e}")))?;
    let mut processes: Vec<u32> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    processes.sort_unstable();
    let mut first: BTreeMap<u64, u32> = BTreeMap::new();
    for process in processes {
        if let Some(number) = number(&proc.join(process.to_string())).filter(|number| *number != home) {
            first.entry(number).or_insert(process);
        }
    }
    Ok(first.into_iter().take(MOST).map(|(number, process)| look_into(&proc.join(process.to_string()), number)).collect())
}

fn look_into(process: &Path, number: u64) -> Foreign {
    let text = |name: &str| files::read_text(&process.join(name), LARGEST).unwrap_or_default();
    let link = std::fs::read_link(process.join("ns/net")).ok();
    let id = link.and_then(|link| Some(link.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.to_owned()));
    let mut ways = routes4(&text("net/route"));
    ways.extend(routes6(&text("net/ipv6_route")));
    let mut addresses = addresses4(&text("net/fib_trie"));
    addresses.extend(addresses6(&text("net/if_inet6")));
    Foreign {
        id: id.unwrap_or_else(|| number.to_string()),
        program: files::read_word(&process.join("comm")).unwrap_or_default(),
        ways,
        addresses,
    }
}

/// Wide routes in `/proc/net/route`.
fn routes4(text: &str) -> Vec<WayOut> {
    let way = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let hex = |at: usize| u32::from_str_radix(words.get(at)?, 16).ok();
        let wide = hex(7)?.count_ones() < WIDE && hex(3)? & REJECT == 0;
        let gateway = Ipv4Addr::from(hex(2)?.to_ne_bytes());
        let gateway = (!gateway.is_unspecified()).then_some(IpAddr::V4(gateway));
        wide.then(|| WayOut { device: IfName::new(words[0]), gateway })
    };
    text.lines().skip(1).filter_map(way).collect()
}

/// Wide routes in `/proc/net/ipv6_route`.
fn routes6(text: &str) -> Vec<WayOut> {
    let way = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [destination, length, _, _, gateway, _, _, _, flags, device] = words[..] else { return None };
        let length = u32::from_str_radix(length, 16).ok()?;
        let usable = u32::from_str_radix(flags, 16).ok()? & REJECT == 0 && device != "lo" && !destination.starts_with("ff");
        let gateway = Some(ip6(gateway)?).filter(|gateway| !gateway.is_unspecified()).map(IpAddr::V6);
        (length < WIDE && usable).then(|| WayOut { device: IfName::new(device), gateway })
    };
    text.lines().filter_map(way).collect()
}

fn ip6(hex: &str) -> Option<Ipv6Addr> {
    (hex.len() == 32).then(|| u128::from_str_radix(hex, 16).ok()).flatten().map(Ipv6Addr::from)
}

/// Local addresses in `/proc/net/fib_trie`: a leaf, and below it `/32 host LOCAL`.
fn addresses4(text: &str) -> Vec<IpAddr> {
    let mut leaf: Option<Ipv4Addr> = None;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        } else if line == "/32 host LOCAL"
            && let Some(address) = leaf.filter(|address| !address.is_loopback())
            && !found.contains(&IpAddr::V4(address))
        {
            found.push(IpAddr::V4(address));
        }
    }
    found
}

/// Addresses in `/proc/net/if_inet6`.
fn addresses6(text: &str) -> Vec<IpAddr> {
    let found = text.lines().filter_map(|line| ip6(line.split_whitespace().next()?));
    found.filter(|address| !address.is_loopback()).map(IpAddr::V6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
        eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
        tun0\t00000080\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n";
    const ROUTE6: &str = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n\
        00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n\
        ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n";
    const TRIE: &str = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n           |-- 172.17.0.2\n              /32 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n";

    #[test]
    fn wide_routes_and_own_addresses_are_read() {
        let way = |device: &str, gateway: Option<&str>| WayOut {
            device: IfName::new(device),
            gateway: gateway.map(|ip| ip.parse().expect("an address")),
        };
        assert_eq!(routes4(ROUTE), [way("eth0", Some("172.17.0.1")), way("tun0", None)]);
        assert_eq!(routes6(ROUTE6), [way("eth0", Some("fe80::1"))]);
        assert_eq!(addresses4(TRIE), ["172.17.0.2".parse::<IpAddr>().expect("an address")]);
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]
            #[test]
            fn never_panic(bytes in hostile(vec![ROUTE.into(), ROUTE6.into(), TRIE.into()], 300)) {
                let text = String::from_utf8_lossy(&bytes);
                let _ = (routes4(&text), routes6(&text), addresses4(&text), addresses6(&text));
            }
        }
    }
}
