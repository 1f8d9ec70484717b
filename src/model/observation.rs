//! What a probe saw. A failure of the *peer* is data ([`Failure`]); a failure of *ours* is [`Unseen`] and proves nothing.

use super::{
    Address, Answer, Failure, Gateway, Hop, HttpFacts, IfName, Link, Lookup, QueryKey, Reply, ResolverSetup, Route, RouteTable, Stamp,
    TlsFacts, TlsKey, VpnFacts,
};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// One look at one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When the look ended.
    pub at: Stamp,
    /// What was looked at and what was seen.
    pub sighting: Sighting,
}

/// The result of a look: three values, because "could not tell" is neither healthy nor broken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome<T> {
    /// It answered, or the kernel told its state.
    Ok(T),
    /// It was asked properly and failed.
    Failed(Failure),
    /// We could not ask. Never a reason to accuse, never a sign of health.
    Unknown(Unseen),
}

impl<T> Outcome<T> {
    /// What was seen, if it answered.
    pub fn ok(&self) -> Option<&T> {
        match self {
            Self::Ok(seen) => Some(seen),
            Self::Failed(_) | Self::Unknown(_) => None,
        }
    }

    /// How it failed, if it failed.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Ok(_) | Self::Unknown(_) => None,
        }
    }
}

/// Every kind of look there is, each with its key and its typed result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sighting {
    /// All interfaces of this namespace, from one kernel dump.
    Links(Outcome<Vec<Link>>),
    /// All addresses, from one kernel dump.
    Addresses(Outcome<Vec<Address>>),
    /// All unicast routes of all tables, from one kernel dump.
    Routes(Outcome<RouteTable>),
    /// The kernel's own decision for one destination.
    RouteTo(IpAddr, Outcome<Route>),
    /// A next hop on the local segment.
    Gateway(IfName, IpAddr, Outcome<Gateway>),
    /// A walk with growing TTL towards a destination: who answers on the way. At most a few hops.
    Walk(IpAddr, Outcome<Vec<Hop>>),
    /// ICMP echo.
    Ping(IpAddr, Outcome<Reply>),
    /// A series of echoes, all sent and counted: what gets lost on the way.
    Series(IpAddr, Outcome<Reply>),
    /// The same with packets as large as the card sends, which nobody may divide.
    SeriesLarge(IpAddr, Outcome<Reply>),
    /// A series of small exchanges with a port that answers, handshakes or questions: what gets lost of what is no echo.
    Exchanges(SocketAddr, Outcome<Reply>),
    /// An answer from this address arrived at a card, whether or not it got any further.
    OnWire(IpAddr, Outcome<()>),
    /// A UDP datagram to a port, for what the network says back (a port-unreachable is an answer of the host).
    Udp(SocketAddr, Outcome<Reply>),
    /// TCP connect.
    Tcp(SocketAddr, Outcome<Reply>),
    /// TLS handshake with a recording verifier.
    Tls(TlsKey, Outcome<TlsFacts>),
    /// HTTP exchange for a configured URL at one address.
    Http(String, SocketAddr, Outcome<HttpFacts>),
    /// Which resolvers the system would ask.
    Resolvers(Outcome<ResolverSetup>),
    /// A name as applications resolve it (hosts file, then DNS).
    Lookup(String, Outcome<Lookup>),
    /// One name asked of one resolver.
    Query(QueryKey, Outcome<Answer>),
    /// A VPN as this PC sees it: interface, process, unit, counters.
    Vpn(String, Outcome<VpnFacts>),
    /// The card readers plugged in, as `vendor:product:serial`.
    CardReaders(Outcome<Vec<String>>),
    /// Files and programs of this PC that speak for a line it dials up by itself; looked for only while it has no address.
    DialUp(Outcome<Vec<String>>),
    /// Something that this PC shows of itself; only told where it does not.
    Source(Source, Outcome<()>),
    /// A large request through an established connection: does the path carry full-size packets?
    Upload(SocketAddr, Outcome<Reply>),
    /// The same large request with a small segment size.
    UploadSmall(SocketAddr, Outcome<Reply>),
}

/// What a PC shows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The programs that run, also those of others.
    Processes,
    /// Speed, duplex and kind of the cards.
    Cards,
    /// The state of systemd's units.
    Units,
    /// The log of a VPN's client.
    VpnLog,
}

impl Source {
    /// How it is called among what was not seen.
    pub fn code(self) -> &'static str {
        match self {
            Self::Processes => "process.list",
            Self::Cards => "link.medium",
            Self::Units => "unit.state",
            Self::VpnLog => "vpn.log",
        }
    }
}

impl Sighting {
    /// The same look, if it could not be made.
    #[must_use]
    pub fn unseen(self, why: Unseen) -> Self {
        match self {
            Self::Links(_) => Self::Links(Outcome::Unknown(why)),
            Self::Addresses(_) => Self::Addresses(Outcome::Unknown(why)),
            Self::Routes(_) => Self::Routes(Outcome::Unknown(why)),
            Self::RouteTo(to, _) => Self::RouteTo(to, Outcome::Unknown(why)),
            Self::Gateway(device, hop, _) => Self::Gateway(device, hop, Outcome::Unknown(why)),
            Self::Walk(to, _) => Self::Walk(to, Outcome::Unknown(why)),
            Self::Ping(to, _) => Self::Ping(to, Outcome::Unknown(why)),
            Self::Series(to, _) => Self::Series(to, Outcome::Unknown(why)),
            Self::SeriesLarge(to, _) => Self::SeriesLarge(to, Outcome::Unknown(why)),
            Self::Exchanges(to, _) => Self::Exchanges(to, Outcome::Unknown(why)),
            Self::OnWire(to, _) => Self::OnWire(to, Outcome::Unknown(why)),
            Self::Udp(to, _) => Self::Udp(to, Outcome::Unknown(why)),
            Self::Tcp(to, _) => Self::Tcp(to, Outcome::Unknown(why)),
            Self::Tls(key, _) => Self::Tls(key, Outcome::Unknown(why)),
            Self::Http(url, to, _) => Self::Http(url, to, Outcome::Unknown(why)),
            Self::Resolvers(_) => Self::Resolvers(Outcome::Unknown(why)),
            Self::Lookup(name, _) => Self::Lookup(name, Outcome::Unknown(why)),
            Self::Query(key, _) => Self::Query(key, Outcome::Unknown(why)),
            Self::Vpn(name, _) => Self::Vpn(name, Outcome::Unknown(why)),
            Self::CardReaders(_) => Self::CardReaders(Outcome::Unknown(why)),
            Self::DialUp(_) => Self::DialUp(Outcome::Unknown(why)),
            Self::Upload(to, _) => Self::Upload(to, Outcome::Unknown(why)),
            Self::UploadSmall(to, _) => Self::UploadSmall(to, Outcome::Unknown(why)),
            Self::Source(source, _) => Self::Source(source, Outcome::Unknown(why)),
        }
    }
}

/// Why we could not look. Language-free; the catalogue has the sentence for each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unseen {
    /// A capability is missing, e.g. `CAP_NET_RAW`.
    Capability(String),
    /// A fact of the site is not in the configuration; the key to add.
    NotConfigured(String),
    /// There is no baseline to compare with.
    NotEnrolled,
    /// The round's deadline came first.
    Deadline,
    /// A lower layer is broken, so asking would prove nothing.
    Skipped,
    /// Asking would send something to a public address without leave.
    PublicAddress,
    /// A part of the system that every other PC has is not there: where it should be mounted.
    NotMounted(String),
    /// It is there, and this user may not look into it: what.
    Hidden(String),
    /// This PC's own network changed while it was asked: what was seen is of two different states.
    Unsteady,
    /// Our own operation failed: operation and error.
    Error(String),
}
