//! The interfaces of this PC by what is behind them: the world outside, or only programs of this PC. Pure but for [`below`].
//!
//! A container or a virtual machine is no other device: its bridge has no port to the outside, and a `veth` always ends in this PC. Only where
//! a veth carried the default route at enrolment it stands for a card: the PC is then itself a container, or a test.

use crate::model::{Address, IfName, Link, LinkKind};
use crate::sys::files;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

/// What is behind an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// A card of this PC, or what stands on one: other devices may be behind it.
    Outer,
    /// Only programs of this PC: containers, virtual machines.
    Inner,
    /// A tunnel, loopback, or not known.
    Other,
}

/// An interface as far as it matters here.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// Its name.
    pub name: IfName,
    /// The kernel's index.
    pub index: u32,
    /// What is behind it.
    pub nature: Nature,
    /// A bridge or a switch in software, in contrast to what may be joined by one.
    pub bridge: bool,
    /// It stands for several bridges, so that two ports of it need not be joined.
    pub several: bool,
    /// The bridge or bond it belongs to.
    pub master: Option<u32>,
    /// The card it stands on, or itself: two VLANs of one card are no two ports.
    pub card: IfName,
    /// Its addresses with their prefixes.
    pub nets: Vec<IpNet>,
}

impl Port {
    /// Whether an address is on its segment.
    pub fn reaches(&self, ip: IpAddr) -> bool {
        self.nets.iter().any(|net| net.contains(&ip) && net.prefix_len() > 0)
    }
}

/// What sysfs says an interface stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Below {
    /// A card, by the interface that has it.
    Card(IfName),
    /// Nothing but software.
    Nothing,
    /// It does not say: not mounted, or another namespace's.
    Unknown,
}

/// What an interface stands on, from a tree laid out as `/sys/class/net`. That tree is of the namespace of whoever mounted it, so it is
/// believed only where it has the same index for the name.
pub fn below(cards: &Path, link: &Link) -> Below {
    let name = link.name.as_str();
    if name.contains('/') || name == "." || name == ".." {
        return Below::Unknown;
    }
    let directory = cards.join(name);
    if files::read_word(&directory.join("ifindex")).and_then(|word| word.parse().ok()) != Some(link.index) {
        return Below::Unknown;
    }
    if directory.join("device").exists() {
        return Below::Card(link.name.clone());
    }
    let Ok(entries) = std::fs::read_dir(&directory) else { return Below::Unknown };
    let names = entries.flatten().take(4096).filter_map(|entry| entry.file_name().into_string().ok());
    let mut lower: Vec<String> = names.filter_map(|name| name.strip_prefix("lower_").map(str::to_owned)).collect();
    lower.sort();
    let card = lower.into_iter().find(|lower| cards.join(lower).join("device").exists());
    card.map_or(Below::Nothing, |card| Below::Card(IfName::new(card)))
}

/// Open vSwitch: all its bridges are one device to the kernel.
fn is_switch(kind: &LinkKind) -> bool {
    matches!(kind, LinkKind::Other(name) if name == "openvswitch")
}

/// Sorts them. `uplinks` carried the default route at enrolment.
pub fn ports(links: &[Link], addresses: &[Address], below: &BTreeMap<IfName, Below>, uplinks: &BTreeSet<IfName>) -> Vec<Port> {
    let card = |link: &Link| match (below.get(&link.name), &link.kind) {
        (_, LinkKind::Bridge | LinkKind::Loopback | LinkKind::Tun | LinkKind::Wireguard | LinkKind::Ppp) => None,
        (Some(Below::Card(card)), _) => Some(card.clone()),
        (_, LinkKind::Ethernet | LinkKind::Wifi) if uplinks.contains(&link.name) => Some(link.name.clone()),
        _ => None,
    };
    let is_outer_bridge = |bridge: &Link| links.iter().any(|link| link.master == Some(bridge.index) && card(link).is_some());
    let nature = |link: &Link| match link.kind {
        LinkKind::Bridge if uplinks.contains(&link.name) || is_outer_bridge(link) => Nature::Outer,
        LinkKind::Bridge => Nature::Inner,
        _ if card(link).is_some() => Nature::Outer,
        LinkKind::Ethernet if link.master.is_none() && below.get(&link.name) == Some(&Below::Nothing) => Nature::Inner,
        _ => Nature::Other,
    };
    let port = |link: &Link| Port {
        name: link.name.clone(),
        index: link.index,
        nature: nature(link),
        bridge: link.kind == LinkKind::Bridge || is_switch(&link.kind),
        several: is_switch(&link.kind),
        master: link.master,
        card: card(link).unwrap_or_else(|| link.name.clone()),
        nets: addresses.iter().filter(|address| address.link == link.name).map(|address| address.net).collect(),
    };
    links.iter().map(port).collect()
}
