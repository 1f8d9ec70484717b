//! The kernel's own state: links, addresses, routes, neighbours, and its decision for one destination. Needs no privilege.
//!
//! One connection serves a whole round; its task ends when the [`Netlink`] is dropped. A dump that fails is
//! [`Outcome::Unknown`]: an absent answer is never an absent link, and a list that changed while it was read is asked for again.

mod dump;
mod ear;
mod events;
mod leased;
mod map;
mod ways;

pub use ear::Ear;
pub use events::{Events, Heard};
pub(super) use events::{u16_at, u32_at};
pub(super) use map::mac;
pub use ways::{ToldBy, Ways};

use super::clock;
use super::socket::{if_indices, if_name};
use crate::model::{
    Address, Errno, Failure, FailureKind, IfName, Link, LinkKind, Neighbour, Outcome, Route, RouteKind, RouteTable, Unseen,
};
use dump::DUMP_TIMEOUT;
use futures_util::TryStreamExt;
use rtnetlink::packet_route::address::AddressMessage;
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::neighbour::NeighbourMessage;
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteFlags, RouteMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use tokio::task::JoinHandle;

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
        let (mut connection, handle, _) = rtnetlink::new_connection().map_err(|e| Unseen::Error(format!("open rtnetlink: {e}")))?;
        // The message that closes a list tells whether it came whole.
        connection.set_forward_done(true);
        Ok(Self { handle, task: tokio::spawn(connection) })
    }

    /// Dumps links, addresses, routes and neighbours, one after the other: the kernel runs one dump a socket.
    pub async fn snapshot(&self) -> Snapshot {
        let (links, names) = self.all_links().await;
        Snapshot {
            addresses: seen(self.addresses(&names).await),
            routes: seen(self.routes(&names).await),
            neighbours: seen(self.neighbours(&names).await),
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

    /// Bytes received and sent on one interface so far. The error says why they are not known: it is gone, or the kernel does not say.
    pub async fn counters(&self, index: u32) -> Result<(u64, u64), Unseen> {
        let failed = |why: &dyn std::fmt::Display| Unseen::Error(format!("read the counters of interface {index}: {why}"));
        let mut answers = std::pin::pin!(self.handle.link().get().match_index(index).execute());
        let message = match tokio::time::timeout(DUMP_TIMEOUT, answers.try_next()).await {
            Err(_) => return Err(failed(&"no answer from the kernel")),
            Ok(Err(error)) if errno_of(&error) == Some(Errno::ENODEV) => return Err(Unseen::Unsteady),
            Ok(Err(error)) => return Err(failed(&error)),
            Ok(Ok(None)) => return Err(failed(&"an empty answer")),
            Ok(Ok(Some(message))) => message,
        };
        let link = map::link(&message).ok_or_else(|| failed(&"an answer of an unknown kind"))?;
        Ok((link.rx_bytes, link.tx_bytes))
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
        let route = map::route(message, &names, &|_| None).into_iter().next();
        route.ok_or_else(|| Unseen::Error("look up a route: an answer of an unknown kind".into()))
    }

    /// The name of an interface over the connection that is open already: another socket may not be had.
    async fn name(&self, index: u32) -> Option<IfName> {
        let mut answers = std::pin::pin!(self.handle.link().get().match_index(index).execute());
        let answer = tokio::time::timeout(DUMP_TIMEOUT, answers.try_next()).await;
        let told = answer.ok().and_then(Result::ok).flatten().and_then(|message| map::link(&message));
        told.map(|link| link.name).or_else(|| if_name(index).ok().flatten())
    }

    /// The links, none missing: a message that the decoder does not understand is dropped without a word, and a link that is not
    /// listed would be called gone. One that came up between the two looks is there at the second try. The names of those that were
    /// listed are good in any case.
    async fn all_links(&self) -> (Outcome<Vec<Link>>, BTreeMap<u32, IfName>) {
        const TRIES: usize = 3;
        let mut names = BTreeMap::new();
        let unknown = |why, names| (Outcome::Unknown(why), names);
        for _ in 0..TRIES {
            let links = match self.links().await {
                Ok(links) => links,
                Err(why) => return unknown(why, names),
            };
            names.extend(links.iter().map(|link| (link.index, link.name.clone())));
            match if_indices() {
                Ok(indices) if indices.iter().all(|index| links.iter().any(|link| link.index == *index)) => {
                    return (Outcome::Ok(links), names);
                }
                Ok(_) => {}
                // A list that cannot be checked may lack a link.
                Err(e) => return unknown(Unseen::Error(format!("count the links: {e}")), names),
            }
        }
        unknown(Unseen::Error("dump links: the kernel lists more than could be decoded".into()), names)
    }

    async fn links(&self) -> Result<Vec<Link>, Unseen> {
        let entries = dump::whole(&self.handle, "dump links", RouteNetlinkMessage::GetLink(LinkMessage::default())).await?;
        let links = entries.iter().filter_map(|entry| match entry {
            RouteNetlinkMessage::NewLink(message) => map::link(message),
            _ => None,
        });
        Ok(links.map(with_medium).collect())
    }

    async fn addresses(&self, names: &BTreeMap<u32, IfName>) -> Result<Vec<Address>, Unseen> {
        let entries = dump::whole(&self.handle, "dump addresses", RouteNetlinkMessage::GetAddress(AddressMessage::default())).await?;
        let unnamed = Unnamed::default();
        let addresses = entries.iter().filter_map(|entry| match entry {
            RouteNetlinkMessage::NewAddress(message) => map::address(message, names, &unnamed.ask()),
            _ => None,
        });
        let addresses = addresses.collect();
        unnamed.none_in(addresses)
    }

    async fn routes(&self, names: &BTreeMap<u32, IfName>) -> Result<RouteTable, Unseen> {
        let mut table = RouteTable::default();
        let unnamed = Unnamed::default();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut request = RouteMessage::default();
            request.header.address_family = family;
            let entries = dump::whole(&self.handle, "dump routes", RouteNetlinkMessage::GetRoute(request)).await?;
            let messages = entries.iter().filter_map(|entry| match entry {
                RouteNetlinkMessage::NewRoute(message) => Some(message),
                _ => None,
            });
            table.routes.extend(messages.filter(|m| map::is_kept(m)).flat_map(|m| map::route(m, names, &unnamed.ask())));
        }
        unnamed.none_in(table)
    }

    async fn neighbours(&self, names: &BTreeMap<u32, IfName>) -> Result<Vec<NeighbourEntry>, Unseen> {
        let request = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
        let entries = dump::whole(&self.handle, "dump neighbours", request).await?;
        let unnamed = Unnamed::default();
        let neighbours = entries.iter().filter_map(|entry| match entry {
            RouteNetlinkMessage::NewNeighbour(message) => map::neighbour(message, names, &unnamed.ask()),
            _ => None,
        });
        let neighbours = neighbours.collect();
        unnamed.none_in(neighbours)
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

fn seen<T>(list: Result<T, Unseen>) -> Outcome<T> {
    list.map_or_else(Outcome::Unknown, Outcome::Ok)
}

/// Asks for names that the link dump does not have. An interface that is gone has none; where the question itself fails, the list that
/// needed the name is unknown: under a made-up name an address would be missing from its card.
#[derive(Default)]
struct Unnamed(RefCell<Option<io::Error>>);

impl Unnamed {
    fn ask(&self) -> impl Fn(u32) -> Option<IfName> + '_ {
        |index| {
            if_name(index).unwrap_or_else(|error| {
                self.0.borrow_mut().get_or_insert(error);
                None
            })
        }
    }

    /// The list, unless a name could not be asked for.
    fn none_in<T>(self, list: T) -> Result<T, Unseen> {
        self.0.into_inner().map_or(Ok(list), |error| Err(Unseen::Error(format!("name an interface: {error}"))))
    }
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
