//! From the kernel's messages to the model's words. Pure but for [`Medium::read`], which asks sysfs.

use super::NeighbourEntry;
use crate::model::{Address, IfName, Link, LinkKind, Neighbour, Route, RouteKind};
use crate::sys::files;
use ipnet::IpNet;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage};
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage};
use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteType, RouteVia};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// Table `local`: the kernel's own addresses.
const TABLE_LOCAL: u32 = 255;
/// No table: holds only the kernel's IPv6 null entry.
const TABLE_UNSPEC: u32 = 0;

/// Names known from the link dump, by index.
pub(super) type Names = BTreeMap<u32, IfName>;
/// Asks the kernel for a name that the dump does not have.
pub(super) type AskName<'a> = &'a dyn Fn(u32) -> Option<IfName>;

/// What sysfs knows of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Medium {
    pub(super) wireless: bool,
    pub(super) speed_mbps: Option<u32>,
    pub(super) full_duplex: Option<bool>,
}

impl Medium {
    /// Reads `/sys/class/net/NAME`. That tree belongs to the network namespace of whoever mounted it, so it is believed only if it
    /// has the same index for the name.
    pub(super) fn read(name: &IfName, index: u32) -> Self {
        Self::read_in(Path::new("/sys/class/net"), name, index)
    }

    /// The same in any tree laid out so.
    pub(super) fn read_in(cards: &Path, name: &IfName, index: u32) -> Self {
        let dir = cards.join(name.as_str());
        if files::read_word(&dir.join("ifindex")).and_then(|word| word.parse().ok()) != Some(index) {
            return Self::default();
        }
        Self {
            wireless: dir.join("wireless").exists() || dir.join("phy80211").exists(),
            // The driver says -1 when it does not know.
            speed_mbps: files::read_word(&dir.join("speed")).and_then(|word| word.parse().ok()).filter(|speed| *speed > 0),
            full_duplex: files::read_word(&dir.join("duplex")).and_then(|word| match word.as_str() {
                "full" => Some(true),
                "half" => Some(false),
                _ => None,
            }),
        }
    }
}

/// An interface; `None` for a message without a name.
pub(super) fn link(message: &LinkMessage) -> Option<Link> {
    let flags = message.header.flags;
    let mut link = Link {
        name: IfName::new(""),
        index: message.header.index,
        kind: link_kind(message),
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
        mac: None,
        master: None,
        carrier_changes: 0,
        speed_mbps: None,
        full_duplex: None,
        rx_bytes: 0,
        tx_bytes: 0,
        rx_errors: 0,
        mtu: 0,
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = IfName::new(name.clone()),
            LinkAttribute::Address(bytes) => link.mac = mac(bytes),
            LinkAttribute::Controller(index) if *index != 0 => link.master = Some(*index),
            LinkAttribute::CarrierChanges(count) => link.carrier_changes = *count,
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Stats64(stats) => {
                link.rx_bytes = stats.rx_bytes;
                link.tx_bytes = stats.tx_bytes;
                link.rx_errors = stats.rx_errors;
            }
            _ => {}
        }
    }
    (!link.name.as_str().is_empty()).then_some(link)
}

fn link_kind(message: &LinkMessage) -> LinkKind {
    if message.header.flags.contains(LinkFlags::Loopback) {
        return LinkKind::Loopback;
    }
    if message.header.link_layer_type == LinkLayerType::Ppp {
        return LinkKind::Ppp;
    }
    let infos = message.attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    });
    let kind = infos.flatten().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind),
        _ => None,
    });
    match kind {
        Some(InfoKind::Tun) => LinkKind::Tun,
        Some(InfoKind::Wireguard) => LinkKind::Wireguard,
        Some(InfoKind::Bridge) => LinkKind::Bridge,
        Some(InfoKind::VirtWifi) => LinkKind::Wifi,
        Some(InfoKind::Veth) => LinkKind::Ethernet,
        Some(other) => LinkKind::Other(other.to_string()),
        None if message.header.link_layer_type == LinkLayerType::Ether => LinkKind::Ethernet,
        None => LinkKind::Other(format!("{:?}", message.header.link_layer_type).to_lowercase()),
    }
}

/// A hardware address in the usual notation; `None` where there is none or it is all zero.
pub(crate) fn mac(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() || bytes.iter().all(|byte| *byte == 0) {
        return None;
    }
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"))
}

/// An address; `None` for what is neither IPv4 nor IPv6.
pub(super) fn address(message: &AddressMessage, names: &Names, ask: AskName<'_>) -> Option<Address> {
    let mut local = None;
    let mut plain = None;
    // The old header has the low eight flags, the attribute all of them.
    let header = message.header.flags;
    let mut duplicate = header.contains(AddressHeaderFlags::Dadfailed);
    let mut tentative = header.contains(AddressHeaderFlags::Tentative);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => plain = Some(*ip),
            AddressAttribute::Flags(flags) => {
                duplicate |= flags.contains(AddressFlags::Dadfailed);
                tentative |= flags.contains(AddressFlags::Tentative);
            }
            _ => {}
        }
    }
    // On a point-to-point link IFA_ADDRESS is the peer and IFA_LOCAL is ours; the prefix length belongs to the peer's side.
    let net = IpNet::new(local.or(plain)?, message.header.prefix_len).ok()?;
    Some(Address { link: name_of(message.header.index, names, ask), net, duplicate, tentative })
}

/// Whether a dumped route is one of the model's: no cached clone, not table `local`, not the IPv6 null entry.
pub(super) fn is_kept(message: &RouteMessage) -> bool {
    let table = table(message);
    !message.header.flags.contains(RouteFlags::Cloned) && table != TABLE_LOCAL && table != TABLE_UNSPEC
}

/// A route, once for each of its next hops; empty for kinds that the model does not have (broadcast, multicast and the like).
pub(super) fn route(message: &RouteMessage, names: &Names, ask: AskName<'_>) -> Vec<Route> {
    let Some((kind, mut destination)) = route_kind(message.header.kind).zip(unspecified(message.header.address_family)) else {
        return Vec::new();
    };
    let mut source = None;
    let mut metric = 0;
    let mut hops: &[_] = &[];
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(ip) => destination = ip_of(ip).unwrap_or(destination),
            RouteAttribute::PrefSource(ip) => source = ip_of(ip),
            RouteAttribute::Priority(value) => metric = *value,
            RouteAttribute::MultiPath(list) => hops = list,
            _ => {}
        }
    }
    let Ok(destination) = IpNet::new(destination, message.header.destination_prefix_length) else {
        return Vec::new();
    };
    let one = |index: Option<u32>, gateway: Option<IpAddr>| Route {
        destination,
        kind,
        // The kernel hangs IPv6's refusing routes on `lo`; they leave through nothing.
        device: if matches!(kind, RouteKind::Unicast | RouteKind::Local) { index.map(|i| name_of(i, names, ask)) } else { None },
        gateway,
        source,
        table: table(message),
        metric,
    };
    if hops.is_empty() {
        let index = message.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Oif(index) => Some(*index),
            _ => None,
        });
        return vec![one(index, gateway_of(&message.attributes))];
    }
    hops.iter().map(|hop| one(Some(hop.interface_index), gateway_of(&hop.attributes))).collect()
}

fn table(message: &RouteMessage) -> u32 {
    let wide = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Table(table) => Some(*table),
        _ => None,
    });
    wide.unwrap_or_else(|| message.header.table.into())
}

fn gateway_of(attributes: &[RouteAttribute]) -> Option<IpAddr> {
    attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(ip) => ip_of(ip),
        // An IPv4 route over an IPv6 next hop.
        RouteAttribute::Via(RouteVia::Inet(ip)) => Some(IpAddr::V4(*ip)),
        RouteAttribute::Via(RouteVia::Inet6(ip)) => Some(IpAddr::V6(*ip)),
        _ => None,
    })
}

fn route_kind(kind: RouteType) -> Option<RouteKind> {
    match kind {
        RouteType::Unicast => Some(RouteKind::Unicast),
        RouteType::Local => Some(RouteKind::Local),
        RouteType::BlackHole => Some(RouteKind::Blackhole),
        RouteType::Unreachable => Some(RouteKind::Unreachable),
        RouteType::Prohibit => Some(RouteKind::Prohibit),
        _ => None,
    }
}

fn unspecified(family: AddressFamily) -> Option<IpAddr> {
    match family {
        AddressFamily::Inet => Some(Ipv4Addr::UNSPECIFIED.into()),
        AddressFamily::Inet6 => Some(Ipv6Addr::UNSPECIFIED.into()),
        _ => None,
    }
}

fn ip_of(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some(IpAddr::V4(*ip)),
        RouteAddress::Inet6(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    }
}

/// A neighbour; `None` for bridge entries and those that are no unicast resolution at all (`NOARP`).
pub(super) fn neighbour(message: &NeighbourMessage, names: &Names, ask: AskName<'_>) -> Option<NeighbourEntry> {
    let state = match message.header.state {
        NeighbourState::Failed => Neighbour::Failed,
        NeighbourState::Incomplete => Neighbour::Incomplete,
        NeighbourState::Reachable => Neighbour::Reachable,
        NeighbourState::Stale | NeighbourState::Delay | NeighbourState::Probe => Neighbour::Stale,
        NeighbourState::Permanent => Neighbour::Permanent,
        NeighbourState::None => Neighbour::None,
        _ => return None,
    };
    let address = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => Some(IpAddr::V4(*ip)),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => Some(IpAddr::V6(*ip)),
        _ => None,
    })?;
    let mac = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(bytes) => mac(bytes),
        _ => None,
    });
    Some(NeighbourEntry { link: name_of(message.header.ifindex, names, ask), address, mac, state })
}

/// The name for an index; an interface that vanished meanwhile keeps its number.
fn name_of(index: u32, names: &Names, ask: AskName<'_>) -> IfName {
    names.get(&index).cloned().or_else(|| ask(index)).unwrap_or_else(|| IfName::new(format!("if{index}")))
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
