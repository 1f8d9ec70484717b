//! Addresses that were handed out: the kernel knows when they end. An address that a person set has no end.

use super::{Netlink, Unnamed, dump, map};
use crate::model::{IfName, Unseen};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

impl Netlink {
    /// Every address with an end, by its interface.
    pub async fn leased(&self) -> Result<BTreeSet<(IfName, IpAddr)>, Unseen> {
        let entries = dump::whole(&self.handle, "dump addresses", RouteNetlinkMessage::GetAddress(AddressMessage::default())).await?;
        let unnamed = Unnamed::default();
        let leased = entries.iter().filter_map(|entry| match entry {
            RouteNetlinkMessage::NewAddress(message) if has_an_end(message) => map::address(message, &BTreeMap::new(), &unnamed.ask()),
            _ => None,
        });
        let leased = leased.map(|address| (address.link, address.net.addr())).collect();
        unnamed.none_in(leased)
    }
}

/// The old header has the low eight flags, the attribute all of them.
fn has_an_end(message: &AddressMessage) -> bool {
    let told = message
        .attributes
        .iter()
        .any(|attribute| matches!(attribute, AddressAttribute::Flags(flags) if flags.contains(AddressFlags::Permanent)));
    !told && !message.header.flags.contains(AddressHeaderFlags::Permanent)
}
