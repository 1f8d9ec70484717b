//! Everything seen lately, keyed by what was looked at. The one input of inference; also what the daemon hands to `diagnose`.

use crate::model::{
    Address, Answer, Gateway, Hop, HttpFacts, IfName, Link, Lookup, Observation, Outcome, QueryKey, Reply, ResolverSetup, Route,
    RouteTable, Sighting, Source, Stamp, TlsFacts, TlsKey, Unseen, VpnFacts,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// What a sighting is about: two sightings with one key replace each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Links,
    Addresses,
    Routes,
    Resolvers,
    RouteTo(IpAddr),
    Gateway(IfName, IpAddr),
    Walk(IpAddr),
    Ping(IpAddr),
    Series(IpAddr),
    SeriesLarge(IpAddr),
    Exchanges(SocketAddr),
    OnWire(IpAddr),
    CardReaders,
    DialUp,
    Source(Source),
    Udp(SocketAddr),
    Tcp(SocketAddr),
    Tls(TlsKey),
    Http(String, SocketAddr),
    Lookup(String),
    Query(QueryKey),
    Vpn(String),
    Upload(SocketAddr),
    UploadSmall(SocketAddr),
}

fn key(sighting: &Sighting) -> Key {
    match sighting {
        Sighting::Links(_) => Key::Links,
        Sighting::Addresses(_) => Key::Addresses,
        Sighting::Routes(_) => Key::Routes,
        Sighting::Resolvers(_) => Key::Resolvers,
        Sighting::RouteTo(ip, _) => Key::RouteTo(*ip),
        Sighting::Gateway(device, ip, _) => Key::Gateway(device.clone(), *ip),
        Sighting::Walk(ip, _) => Key::Walk(*ip),
        Sighting::Ping(ip, _) => Key::Ping(*ip),
        Sighting::Series(ip, _) => Key::Series(*ip),
        Sighting::SeriesLarge(ip, _) => Key::SeriesLarge(*ip),
        Sighting::Exchanges(at, _) => Key::Exchanges(*at),
        Sighting::OnWire(ip, _) => Key::OnWire(*ip),
        Sighting::CardReaders(_) => Key::CardReaders,
        Sighting::DialUp(_) => Key::DialUp,
        Sighting::Source(source, _) => Key::Source(*source),
        Sighting::Udp(at, _) => Key::Udp(*at),
        Sighting::Tcp(at, _) => Key::Tcp(*at),
        Sighting::Tls(tls, _) => Key::Tls(tls.clone()),
        Sighting::Http(url, at, _) => Key::Http(url.clone(), *at),
        Sighting::Lookup(name, _) => Key::Lookup(name.clone()),
        Sighting::Query(query, _) => Key::Query(query.clone()),
        Sighting::Vpn(name, _) => Key::Vpn(name.clone()),
        Sighting::Upload(at, _) => Key::Upload(*at),
        Sighting::UploadSmall(at, _) => Key::UploadSmall(*at),
    }
}

/// The newest observation of each subject. The order in which observations arrive does not matter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Observation>", into = "Vec<Observation>")]
pub struct World {
    seen: BTreeMap<Key, Observation>,
}

impl From<Vec<Observation>> for World {
    fn from(observations: Vec<Observation>) -> Self {
        let mut world = Self::default();
        for observation in observations {
            world.apply(observation);
        }
        world
    }
}

impl From<World> for Vec<Observation> {
    fn from(world: World) -> Self {
        world.seen.into_values().collect()
    }
}

macro_rules! one {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $from:ty => $key:expr),*) -> $seen:ty, $whole:expr, $($pattern:pat_param)|+ => $outcome:ident) => {
        $(#[$doc])*
        pub fn $name(&self $(, $arg: $from)*) -> Option<&Outcome<$seen>> {
            match &self.seen.get(&$whole)?.sighting {
                $($pattern)|+ => Some($outcome),
                _ => None,
            }
        }
    };
}

impl World {
    /// Takes an observation in, unless a newer one of the same subject is there.
    pub fn apply(&mut self, observation: Observation) {
        let key = key(&observation.sighting);
        let newer = self.seen.get(&key).is_none_or(|old| old.at.boottime_ms <= observation.at.boottime_ms);
        if newer {
            self.seen.insert(key, observation);
        }
    }

    /// Takes back everything that was seen: it is of two different states of this PC, and proves nothing about either.
    pub fn unsee(&mut self, why: &Unseen) {
        for observation in self.seen.values_mut() {
            observation.sighting = observation.sighting.clone().unseen(why.clone());
        }
    }

    /// What was seen of one subject both here and in `other`, in pairs.
    pub(super) fn meet(&mut self, other: Self, mut each: impl FnMut(&mut Observation, Observation)) {
        for (key, theirs) in other.seen {
            if let Some(own) = self.seen.get_mut(&key) {
                each(own, theirs);
            }
        }
    }

    /// Everything seen.
    pub fn observations(&self) -> impl Iterator<Item = &Observation> {
        self.seen.values()
    }

    /// The newest stamp of all; `None` = nothing was seen.
    pub fn newest(&self) -> Option<&Stamp> {
        self.seen.values().map(|o| &o.at).max_by_key(|at| at.boottime_ms)
    }

    one!(/// All interfaces.
        links() -> Vec<Link>, Key::Links, Sighting::Links(o) => o);
    one!(/// All addresses.
        addresses() -> Vec<Address>, Key::Addresses, Sighting::Addresses(o) => o);
    one!(/// All routes.
        routes() -> RouteTable, Key::Routes, Sighting::Routes(o) => o);
    one!(/// The system's resolvers.
        resolvers() -> ResolverSetup, Key::Resolvers, Sighting::Resolvers(o) => o);
    one!(/// The kernel's decision for a destination.
        route_to(ip: IpAddr => ip) -> Route, Key::RouteTo(ip), Sighting::RouteTo(_, o) => o);
    one!(/// A next hop.
        gateway(device: &IfName => device, ip: IpAddr => ip) -> Gateway, Key::Gateway(device.clone(), ip), Sighting::Gateway(_, _, o) => o);
    one!(/// A walk towards a destination.
        walk(ip: IpAddr => ip) -> Vec<Hop>, Key::Walk(ip), Sighting::Walk(_, o) => o);
    one!(/// Echo.
        ping(ip: IpAddr => ip) -> Reply, Key::Ping(ip), Sighting::Ping(_, o) => o);
    one!(/// A series of echoes.
        series(ip: IpAddr => ip) -> Reply, Key::Series(ip), Sighting::Series(_, o) => o);
    one!(/// A series of large echoes.
        series_large(ip: IpAddr => ip) -> Reply, Key::SeriesLarge(ip), Sighting::SeriesLarge(_, o) => o);
    one!(/// An answer that arrived at a card.
        on_wire(ip: IpAddr => ip) -> (), Key::OnWire(ip), Sighting::OnWire(_, o) => o);
    one!(/// The card readers plugged in.
        card_readers() -> Vec<String>, Key::CardReaders, Sighting::CardReaders(o) => o);
    one!(/// What speaks for a line that this PC dials up.
        dial_up() -> Vec<String>, Key::DialUp, Sighting::DialUp(o) => o);
    one!(/// A datagram to a port.
        udp(at: SocketAddr => at) -> Reply, Key::Udp(at), Sighting::Udp(_, o) => o);
    one!(/// A connection.
        tcp(at: SocketAddr => at) -> Reply, Key::Tcp(at), Sighting::Tcp(_, o) => o);
    one!(/// A handshake.
        tls(tls: &TlsKey => tls) -> TlsFacts, Key::Tls(tls.clone()), Sighting::Tls(_, o) => o);
    one!(/// An HTTP exchange.
        http(url: &str => url, at: SocketAddr => at) -> HttpFacts, Key::Http(url.to_owned(), at), Sighting::Http(_, _, o) => o);
    one!(/// A name as applications resolve it.
        lookup(name: &str => name) -> Lookup, Key::Lookup(name.to_owned()), Sighting::Lookup(_, o) => o);
    one!(/// One question to one resolver.
        query(resolver: IpAddr => resolver, name: &str => name) -> Answer,
        Key::Query(QueryKey { resolver, name: name.to_owned() }), Sighting::Query(_, o) => o);
    one!(/// A VPN as this PC sees it.
        vpn(name: &str => name) -> VpnFacts, Key::Vpn(name.to_owned()), Sighting::Vpn(_, o) => o);
    one!(/// A large request.
        upload(at: SocketAddr => at) -> Reply, Key::Upload(at), Sighting::Upload(_, o) => o);
    one!(/// A large request in small segments.
        upload_small(at: SocketAddr => at) -> Reply, Key::UploadSmall(at), Sighting::UploadSmall(_, o) => o);

    /// Every question asked of this resolver, with its answer.
    pub fn queries(&self, resolver: IpAddr) -> impl Iterator<Item = (&str, &Outcome<Answer>)> {
        self.observations().filter_map(move |o| match &o.sighting {
            Sighting::Query(query, outcome) if query.resolver == resolver => Some((query.name.as_str(), outcome)),
            _ => None,
        })
    }

    /// Every connect to a port of this host.
    pub fn connects(&self, host: IpAddr) -> impl Iterator<Item = (SocketAddr, &Outcome<Reply>)> {
        self.observations().filter_map(move |o| match &o.sighting {
            Sighting::Tcp(at, outcome) if at.ip() == host => Some((*at, outcome)),
            _ => None,
        })
    }

    /// The interface of this name.
    pub fn link(&self, name: &IfName) -> Option<&Link> {
        self.links()?.ok()?.iter().find(|link| &link.name == name)
    }

    /// Is this one of our own addresses?
    pub fn is_own(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.addresses().and_then(Outcome::ok).is_some_and(|all| all.iter().any(|a| a.net.addr() == ip))
    }

    /// The addresses on one interface.
    pub fn addresses_of<'a>(&'a self, link: &'a IfName) -> impl Iterator<Item = &'a Address> {
        self.addresses().and_then(Outcome::ok).into_iter().flatten().filter(move |a| &a.link == link)
    }
}
