//! The kernel's own state: links, addresses, routes, neighbours, and its decision for one destination. Needs no privilege.
//!
//! One connection serves a whole round; its task ends when the [`Netlink`] is dropped. A dump that fails is
//! [`Outcome::Unknown`]: an absent answer is never an absent link.

mod map;

pub(super) use map::mac;

use super::clock;
use super::socket::{if_indices, if_name};
use crate::model::{
    Address, Errno, Failure, FailureKind, IfName, Link, LinkKind, Neighbour, Outcome, Route, RouteKind, RouteTable, Unseen,
};
use futures_util::TryStreamExt;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteFlags, RouteMessage};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use tokio::task::JoinHandle;

/// The longest a dump may take. It takes well under a millisecond; the bound is against a kernel that lost our request.
const DUMP_TIMEOUT: Duration = Duration::from_millis(1500);

/// The local network state at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Every interface.
    pub links: Outcome<Vec<Link>>,
    /// Every address.
    pub addresses: Outcome<Vec<Address>>,
    /// Every unicast and refusing route but those of table `local`.
    pub routes: Outcome<RouteTable>,
    /// The kernel's neighbour table.
    pub neighbours: Outcome<Vec<NeighbourEntry>>,
}

/// One entry of the neighbour table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighbourEntry {
    /// Where it is.
    pub link: IfName,
    /// Whose.
    pub address: IpAddr,
    /// The hardware address, where the kernel has one; it outlives the neighbour.
    pub mac: Option<String>,
    /// What the kernel believes.
    pub state: Neighbour,
}

impl Snapshot {
    /// Nothing could be asked.
    pub fn unknown(why: &Unseen) -> Self {
        Self {
            links: Outcome::Unknown(why.clone()),
            addresses: Outcome::Unknown(why.clone()),
            routes: Outcome::Unknown(why.clone()),
            neighbours: Outcome::Unknown(why.clone()),
        }
    }

    /// The kernel's entry for a next hop, if there is one.
    pub fn neighbour(&self, device: &IfName, address: IpAddr) -> Option<&NeighbourEntry> {
        self.neighbours.ok()?.iter().find(|entry| entry.link == *device && entry.address == address)
    }
}

/// An open rtnetlink connection.
#[derive(Debug)]
pub struct Netlink {
    handle: rtnetlink::Handle,
    task: JoinHandle<()>,
}

impl Drop for Netlink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Netlink {
    /// Opens a connection. Must be called within a tokio runtime with I/O enabled.
    pub fn open() -> Result<Self, Unseen> {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(|e| Unseen::Error(format!("open rtnetlink: {e}")))?;
        Ok(Self { handle, task: tokio::spawn(connection) })
    }

    /// Dumps links, addresses, routes and neighbours, one after the other: the kernel runs one dump a socket.
    pub async fn snapshot(&self) -> Snapshot {
        let links = self.all_links().await;
        let names = names_of(&links);
        Snapshot {
            addresses: bounded("dump addresses", self.addresses(&names)).await,
            routes: bounded("dump routes", self.routes(&names)).await,
            neighbours: bounded("dump neighbours", self.neighbours(&names)).await,
            links,
        }
    }

    /// How the kernel would route an application's packet to this destination: no mark, no bound device. A refusal is
    /// [`FailureKind::Local`] with the error number that `connect` would show.
    pub async fn route_to(&self, destination: IpAddr) -> Outcome<Route> {
        let began = clock::now();
        let answer = tokio::time::timeout(DUMP_TIMEOUT, self.ask_route(destination)).await;
        let refused = |errno| Outcome::Failed(Failure { kind: FailureKind::Local(errno), elapsed: began.elapsed() });
        match answer {
            Err(_) => Outcome::Unknown(Unseen::Error("look up a route: no answer from the kernel".into())),
            Ok(Ok(Some(message))) => match self.described(&message).await {
                Ok(route) => match refusal(route.kind) {
                    Some(errno) => refused(errno),
                    None => Outcome::Ok(Route { destination: destination.into(), ..route }),
                },
                Err(why) => Outcome::Unknown(why),
            },
            Ok(Ok(None)) => Outcome::Unknown(Unseen::Error("look up a route: an empty answer".into())),
            Ok(Err(error)) => match errno_of(&error) {
                Some(errno) => refused(errno),
                None => Outcome::Unknown(Unseen::Error(format!("look up a route: {error}"))),
            },
        }
    }

    /// Bytes received and sent on one interface so far; `None` when it is gone or the kernel does not say.
    pub async fn counters(&self, index: u32) -> Option<(u64, u64)> {
        let mut answers = std::pin::pin!(self.handle.link().get().match_index(index).execute());
        let message = tokio::time::timeout(DUMP_TIMEOUT, answers.try_next()).await.ok()?.ok()??;
        map::link(&message).map(|link| (link.rx_bytes, link.tx_bytes))
    }

    async fn ask_route(&self, destination: IpAddr) -> Result<Option<RouteMessage>, rtnetlink::Error> {
        let mut message = RouteMessage::default();
        let (family, length) = match destination {
            IpAddr::V4(_) => (AddressFamily::Inet, 32),
            IpAddr::V6(_) => (AddressFamily::Inet6, 128),
        };
        message.header.address_family = family;
        message.header.destination_prefix_length = length;
        message.header.flags = RouteFlags::LookupTable;
        message.attributes.push(RouteAttribute::Destination(RouteAddress::from(destination)));
        let mut answers = std::pin::pin!(self.handle.route().get(message).execute());
        answers.try_next().await
    }

    /// The route with the name of its interface. A name that cannot be learned (the interface vanished since) makes the route unknown:
    /// under a made-up name it would seem to have neither a signal nor an address.
    async fn described(&self, message: &RouteMessage) -> Result<Route, Unseen> {
        let mut names = BTreeMap::new();
        let indices = message.attributes.iter().filter_map(|attribute| match attribute {
            RouteAttribute::Oif(index) => Some(*index),
            _ => None,
        });
        for index in indices {
            let gone = || Unseen::Error(format!("look up a route: interface {index} has no name"));
            names.insert(index, self.name(index).await.ok_or_else(gone)?);
        }
        let route = map::route(message, &names, &if_name).into_iter().next();
        route.ok_or_else(|| Unseen::Error("look up a route: an answer of an unknown kind".into()))
    }

    /// The name of an interface over the connection that is open already: another socket may not be had.
    async fn name(&self, index: u32) -> Option<IfName> {
        let mut answers = std::pin::pin!(self.handle.link().get().match_index(index).execute());
        let answer = tokio::time::timeout(DUMP_TIMEOUT, answers.try_next()).await;
        let told = answer.ok().and_then(Result::ok).flatten().and_then(|message| map::link(&message));
        told.map(|link| link.name).or_else(|| if_name(index))
    }

    /// The links, none missing: a message that the decoder does not understand is dropped without a word, and a link that is not
    /// listed would be called gone. One that came up between the two looks is there at the second try.
    async fn all_links(&self) -> Outcome<Vec<Link>> {
        let mut links = bounded("dump links", self.links()).await;
        for _ in 0..2 {
            let indices = if_indices().unwrap_or_default();
            let listed = |index: &u32| links.ok().is_none_or(|links| links.iter().any(|link| link.index == *index));
            if indices.iter().all(listed) {
                return links;
            }
            links = bounded("dump links", self.links()).await;
        }
        Outcome::Unknown(Unseen::Error("dump links: the kernel lists more than could be decoded".into()))
    }

    async fn links(&self) -> Result<Vec<Link>, rtnetlink::Error> {
        let messages: Vec<LinkMessage> = self.handle.link().get().execute().try_collect().await?;
        Ok(messages.iter().filter_map(map::link).map(with_medium).collect())
    }

    async fn addresses(&self, names: &BTreeMap<u32, IfName>) -> Result<Vec<Address>, rtnetlink::Error> {
        let messages: Vec<_> = self.handle.address().get().execute().try_collect().await?;
        Ok(messages.iter().filter_map(|message| map::address(message, names, &if_name)).collect())
    }

    async fn routes(&self, names: &BTreeMap<u32, IfName>) -> Result<RouteTable, rtnetlink::Error> {
        let mut table = RouteTable::default();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut request = RouteMessage::default();
            request.header.address_family = family;
            let messages: Vec<_> = self.handle.route().get(request).execute().try_collect().await?;
            table.routes.extend(messages.iter().filter(|m| map::is_kept(m)).flat_map(|m| map::route(m, names, &if_name)));
        }
        Ok(table)
    }

    async fn neighbours(&self, names: &BTreeMap<u32, IfName>) -> Result<Vec<NeighbourEntry>, rtnetlink::Error> {
        let messages: Vec<_> = self.handle.neighbours().get().execute().try_collect().await?;
        Ok(messages.iter().filter_map(|message| map::neighbour(message, names, &if_name)).collect())
    }
}

/// The whole local state over a connection of its own.
pub async fn snapshot() -> Snapshot {
    match Netlink::open() {
        Ok(netlink) => netlink.snapshot().await,
        Err(why) => Snapshot::unknown(&why),
    }
}

/// As [`Netlink::route_to`], over a connection of its own.
pub async fn route_to(destination: IpAddr) -> Outcome<Route> {
    match Netlink::open() {
        Ok(netlink) => netlink.route_to(destination).await,
        Err(why) => Outcome::Unknown(why),
    }
}

async fn bounded<T>(operation: &str, dump: impl Future<Output = Result<T, rtnetlink::Error>>) -> Outcome<T> {
    match tokio::time::timeout(DUMP_TIMEOUT, dump).await {
        Ok(Ok(seen)) => Outcome::Ok(seen),
        Ok(Err(error)) => Outcome::Unknown(Unseen::Error(format!("{operation}: {error}"))),
        Err(_) => Outcome::Unknown(Unseen::Error(format!("{operation}: no answer from the kernel"))),
    }
}

fn names_of(links: &Outcome<Vec<Link>>) -> BTreeMap<u32, IfName> {
    links.ok().into_iter().flatten().map(|link| (link.index, link.name.clone())).collect()
}

/// Adds what only sysfs tells: speed, duplex, and whether a card is wireless.
fn with_medium(mut link: Link) -> Link {
    if link.kind != LinkKind::Ethernet {
        return link;
    }
    let medium = map::Medium::read(&link.name, link.index);
    if medium.wireless {
        link.kind = LinkKind::Wifi;
    }
    link.speed_mbps = medium.speed_mbps;
    link.full_duplex = medium.full_duplex;
    link
}

/// The error number with which a refusing route shows itself to an application.
fn refusal(kind: RouteKind) -> Option<Errno> {
    match kind {
        RouteKind::Unicast | RouteKind::Local => None,
        RouteKind::Blackhole => Some(Errno::EINVAL),
        RouteKind::Unreachable => Some(Errno::EHOSTUNREACH),
        RouteKind::Prohibit => Some(Errno::EACCES),
    }
}

fn errno_of(error: &rtnetlink::Error) -> Option<Errno> {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.code.map(|code| Errno(code.get().saturating_abs())),
        _ => None,
    }
}
