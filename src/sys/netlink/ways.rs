//! Every way that packets can take, with who set it: links, routes of all tables, and the rules that choose among the tables.

use super::{Netlink, Unnamed, dump, map};
use crate::model::{IfName, Link, Outcome, Route, Unseen};
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage, RouteProtocol};
use rtnetlink::packet_route::rule::{RuleAttribute, RuleMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// All of it at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ways {
    /// Every interface.
    pub links: Vec<Link>,
    /// Every unicast and refusing route but those of table `local`, with who set it.
    pub routes: Vec<(Route, ToldBy)>,
    /// Tables that a rule of the policy leads to.
    pub ruled: BTreeSet<u32>,
    /// Hardware addresses of neighbours, as far as the kernel has them.
    pub macs: BTreeMap<(IfName, IpAddr), String>,
}

/// Who set a route, as the kernel noted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ToldBy {
    /// The kernel itself: it follows from an address that stays.
    Kernel,
    /// A person or a program on this PC.
    ThisPc,
    /// An address server of the network.
    Dhcp,
    /// A router of the network, by its advertisement (IPv6): the way itself, or a prefix from which the kernel made an address that runs out.
    Router,
}

impl ToldBy {
    fn of(message: &RouteMessage) -> Self {
        // Of an advertisement that is acted on the prefix may be seen first, and its default route only with the next one.
        let runs_out =
            message.attributes.iter().any(|attribute| matches!(attribute, RouteAttribute::CacheInfo(cache) if cache.expires != 0));
        match (message.header.protocol, message.header.address_family) {
            (RouteProtocol::Kernel, AddressFamily::Inet6) if runs_out => Self::Router,
            (RouteProtocol::Kernel, _) => Self::Kernel,
            (RouteProtocol::Dhcp, _) => Self::Dhcp,
            (RouteProtocol::Ra | RouteProtocol::IcmpRedirect, _) => Self::Router,
            _ => Self::ThisPc,
        }
    }
}

impl Netlink {
    /// Dumps them, one list after the other. A list that could not be had whole is none.
    pub async fn ways(&self) -> Result<Ways, Unseen> {
        let (links, names) = self.all_links().await;
        let links = match links {
            Outcome::Ok(links) => links,
            Outcome::Unknown(why) => return Err(why),
            Outcome::Failed(_) => return Err(Unseen::Unsteady),
        };
        let neighbours = self.neighbours(&names).await?;
        let macs = neighbours.into_iter().filter_map(|entry| Some(((entry.link, entry.address), entry.mac?))).collect();
        Ok(Ways { links, routes: self.told_routes(&names).await?, ruled: self.ruled().await?, macs })
    }

    async fn told_routes(&self, names: &BTreeMap<u32, IfName>) -> Result<Vec<(Route, ToldBy)>, Unseen> {
        let unnamed = Unnamed::default();
        let mut found = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut request = RouteMessage::default();
            request.header.address_family = family;
            for entry in dump::whole(&self.handle, "dump routes", RouteNetlinkMessage::GetRoute(request)).await? {
                if let RouteNetlinkMessage::NewRoute(message) = entry
                    && map::is_kept(&message)
                {
                    let told = ToldBy::of(&message);
                    found.extend(map::route(&message, names, &unnamed.ask()).into_iter().map(|route| (route, told)));
                }
            }
        }
        unnamed.none_in(found)
    }

    async fn ruled(&self) -> Result<BTreeSet<u32>, Unseen> {
        let mut tables = BTreeSet::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut request = RuleMessage::default();
            request.header.family = family;
            for entry in dump::whole(&self.handle, "dump rules", RouteNetlinkMessage::GetRule(request)).await? {
                if let RouteNetlinkMessage::NewRule(message) = entry {
                    tables.insert(table(&message));
                }
            }
        }
        Ok(tables)
    }
}

fn table(message: &RuleMessage) -> u32 {
    let wide =
        message.attributes.iter().find_map(|attribute| if let RuleAttribute::Table(table) = attribute { Some(*table) } else { None });
    wide.unwrap_or_else(|| message.header.table.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtnetlink::packet_route::route::RouteCacheInfo;

    #[test]
    fn a_prefix_that_runs_out_came_with_an_advertisement_and_one_that_stays_says_nothing() {
        let told = |family, protocol, expires| {
            let mut message = RouteMessage::default();
            (message.header.address_family, message.header.protocol) = (family, protocol);
            // Its third number.
            let numbers: Vec<u8> = [0, 0, expires, 0, 0, 0, 0, 0].into_iter().flat_map(u32::to_ne_bytes).collect();
            message.attributes.push(RouteAttribute::CacheInfo(RouteCacheInfo::parse(&numbers).expect("a cache info")));
            ToldBy::of(&message)
        };
        let (v4, v6) = (AddressFamily::Inet, AddressFamily::Inet6);
        assert_eq!(told(v6, RouteProtocol::Kernel, 360_000), ToldBy::Router);
        assert_eq!([told(v6, RouteProtocol::Kernel, 0), told(v4, RouteProtocol::Kernel, 360_000)], [ToldBy::Kernel; 2]);
        assert_eq!(told(v6, RouteProtocol::Static, 360_000), ToldBy::ThisPc, "whoever sets a route by hand may let it run out");
        assert_eq!(told(v6, RouteProtocol::Ra, 0), ToldBy::Router);
    }
}
