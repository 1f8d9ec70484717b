//! The kernel's own state: interfaces, addresses, routes, neighbours. Its word is proof, and costs no packet.

use super::IfName;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A network interface as the kernel holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its name.
    pub name: IfName,
    /// The kernel's index.
    pub index: u32,
    /// What it is.
    pub kind: LinkKind,
    /// Set up by the administrator (`IFF_UP`).
    pub up: bool,
    /// A signal is there (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// Hardware address, lower-case with colons; `None` where the kind has none.
    pub mac: Option<String>,
    /// The bridge or bond it belongs to.
    pub master: Option<u32>,
    /// Times the carrier came or went since boot.
    pub carrier_changes: u32,
    /// Megabit per second; `None` when the driver does not say.
    pub speed_mbps: Option<u32>,
    /// Full duplex; `None` when the driver does not say.
    pub full_duplex: Option<bool>,
    /// Bytes received since boot.
    pub rx_bytes: u64,
    /// Bytes sent since boot.
    pub tx_bytes: u64,
    /// Receive errors since boot (CRC and the like).
    pub rx_errors: u64,
    /// Largest packet, bytes.
    pub mtu: u32,
}

/// What an interface is, as far as it matters to a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// A wired card, or a virtual one that looks like it (veth, virtio).
    Ethernet,
    /// A wireless card.
    Wifi,
    /// `lo`.
    Loopback,
    /// A userspace tunnel (OpenVPN, OpenConnect, userspace WireGuard).
    Tun,
    /// A kernel WireGuard device.
    Wireguard,
    /// PPP (L2TP, PPPoE).
    Ppp,
    /// A bridge.
    Bridge,
    /// Anything else, by the kernel's own kind name.
    Other(String),
}

/// An address on an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Where it is.
    pub link: IfName,
    /// Address and on-link prefix, host bits kept.
    pub net: IpNet,
    /// Duplicate address detection failed: another station uses it (IPv6).
    pub duplicate: bool,
    /// Not usable yet (IPv6 tentative).
    pub tentative: bool,
}

impl Address {
    /// Can carry traffic beyond the segment: not loopback, not link-local, not in doubt.
    pub fn usable(&self) -> bool {
        let routable = match self.net.addr() {
            IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local() && !ip.is_unspecified(),
            IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local() && !ip.is_unspecified(),
        };
        routable && !self.duplicate && !self.tentative
    }
}

/// A route: an entry of a table, or the kernel's answer for one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Destination prefix; for a look-up, the destination itself.
    pub destination: IpNet,
    /// What happens to such packets.
    pub kind: RouteKind,
    /// Outgoing interface; `None` for the refusing kinds.
    pub device: Option<IfName>,
    /// Next hop; `None` = on-link.
    pub gateway: Option<IpAddr>,
    /// Source address the kernel would use.
    pub source: Option<IpAddr>,
    /// Routing table.
    pub table: u32,
    /// Lower wins.
    pub metric: u32,
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteKind {
    /// Forwards.
    Unicast,
    /// The destination is this PC.
    Local,
    /// Drops (`EINVAL`).
    Blackhole,
    /// Refuses (`EHOSTUNREACH`).
    Unreachable,
    /// Refuses (`EACCES`).
    Prohibit,
}

/// The routing tables.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RouteTable {
    /// Every unicast and refusing route, any table but `local`.
    pub routes: Vec<Route>,
}

impl RouteTable {
    /// The default routes, the preferred (lowest metric) first.
    pub fn defaults(&self) -> Vec<&Route> {
        let mut found: Vec<_> = self.routes.iter().filter(|r| r.destination.prefix_len() == 0 && r.kind == RouteKind::Unicast).collect();
        found.sort_by_key(|r| r.metric);
        found
    }
}

/// State of the kernel's neighbour entry. It proves nothing by itself: it stays reachable for tens of seconds behind a dead gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Neighbour {
    /// Resolution failed.
    Failed,
    /// Being resolved.
    Incomplete,
    /// Confirmed recently.
    Reachable,
    /// Not confirmed recently.
    Stale,
    /// Set by hand.
    Permanent,
    /// No entry.
    None,
}
