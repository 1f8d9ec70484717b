//! What a probe saw. A failure of the *peer* is data ([`Failure`]); a failure of *ours* is [`Unseen`] and proves nothing.

use super::Stamp;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

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
    /// A large request through an established connection: does the path carry full-size packets?
    Upload(SocketAddr, Outcome<Reply>),
    /// The same large request with a small segment size.
    UploadSmall(SocketAddr, Outcome<Reply>),
}

/// What a verdict, a path item or an evidence line is about. Renders as `kind:name`, e.g. `vpn:centre`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Subject {
    /// This PC as a whole.
    Terminal,
    /// A network interface.
    Link(IfName),
    /// A next hop.
    Gateway(IpAddr),
    /// The provider's line behind the gateway.
    Line,
    /// A configured VPN, by name.
    Vpn(String),
    /// The route to a destination.
    Route(IpAddr),
    /// A DNS server.
    Resolver(IpAddr),
    /// A host name.
    Name(String),
    /// An address and port.
    Endpoint(SocketAddr),
    /// A bare address.
    Host(IpAddr),
    /// A configured centre, by name.
    Centre(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Terminal => write!(f, "terminal"),
            Self::Link(name) => write!(f, "link:{name}"),
            Self::Gateway(ip) => write!(f, "gateway:{ip}"),
            Self::Line => write!(f, "line"),
            Self::Vpn(name) => write!(f, "vpn:{name}"),
            Self::Route(ip) => write!(f, "route:{ip}"),
            Self::Resolver(ip) => write!(f, "resolver:{ip}"),
            Self::Name(name) => write!(f, "name:{name}"),
            Self::Endpoint(at) => write!(f, "endpoint:{at}"),
            Self::Host(ip) => write!(f, "host:{ip}"),
            Self::Centre(name) => write!(f, "centre:{name}"),
        }
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

impl TryFrom<String> for Subject {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = |_| format!("`{text}` is not a subject");
        Ok(match text.split_once(':') {
            None if text == "terminal" => Self::Terminal,
            None if text == "line" => Self::Line,
            Some(("link", name)) => Self::Link(IfName::new(name)),
            Some(("gateway", ip)) => Self::Gateway(ip.parse().map_err(bad)?),
            Some(("vpn", name)) => Self::Vpn(name.to_owned()),
            Some(("route", ip)) => Self::Route(ip.parse().map_err(bad)?),
            Some(("resolver", ip)) => Self::Resolver(ip.parse().map_err(bad)?),
            Some(("name", name)) => Self::Name(name.to_owned()),
            Some(("endpoint", at)) => Self::Endpoint(at.parse().map_err(|_| format!("`{text}` is not a subject"))?),
            Some(("host", ip)) => Self::Host(ip.parse().map_err(bad)?),
            Some(("centre", name)) => Self::Centre(name.to_owned()),
            _ => return Err(format!("`{text}` is not a subject")),
        })
    }
}

/// The name of a network interface. The kernel allows any bytes but `/` and white space; what is not UTF-8 is shown lossily.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IfName(String);

impl IfName {
    /// Names an interface.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The bare name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// ---- the kernel's state ------------------------------------------------------------------------------------------------------------

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

// ---- exchanges ---------------------------------------------------------------------------------------------------------------------

/// A next hop, asked in two ways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    /// The kernel's entry when the round began.
    pub neighbour: Neighbour,
    /// Its hardware address, from ARP/ND now, or else from the kernel's entry.
    pub mac: Option<String>,
    /// Unicast ARP or ND now: the only proof that it is there.
    pub arp: ArpAnswer,
    /// ICMP echo: forbidden on many routers, so its silence is not a fault.
    pub ping: Outcome<Reply>,
    /// A TTL-1 datagram came back from it: it forwards, or would.
    pub expired_here: Option<Duration>,
}

impl Gateway {
    /// It gave any sign of life in this round.
    pub fn alive(&self) -> bool {
        matches!(self.arp, ArpAnswer::Answered(_)) || self.ping.ok().is_some() || self.expired_here.is_some()
    }
}

/// What came of asking for a hardware address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArpAnswer {
    /// It answered after this time.
    Answered(Duration),
    /// Asked (at least twice), no answer.
    Silent,
    /// Could not ask.
    Unknown(Unseen),
}

/// One step of a walk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    /// TTL sent.
    pub ttl: u8,
    /// What came back.
    pub answer: HopAnswer,
    /// Time to the answer, or to giving up.
    pub elapsed: Duration,
}

/// What came back for one TTL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HopAnswer {
    /// A router said the TTL ran out: it is alive and the path to it works.
    Router(IpAddr),
    /// The destination itself answered (echo, port unreachable, data).
    Destination,
    /// A router refused.
    Refused(IcmpError),
    /// Nothing.
    Silence,
    /// The kernel refused to send.
    Local(Errno),
}

/// An answer, with what tells a near impostor from the far end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Time from sending to the answer.
    pub rtt: Duration,
    /// TTL of the answer where it can be seen.
    pub ttl: Option<u8>,
    /// Sent / answered where it was a series; (1, 1) otherwise.
    pub series: (u16, u16),
}

impl Reply {
    /// A single answered request.
    pub fn once(rtt: Duration) -> Self {
        Self { rtt, ttl: None, series: (1, 1) }
    }
}

/// How an exchange failed: never just "timeout".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The signature.
    pub kind: FailureKind,
    /// Time until it was known. At 0 ms it was this PC's own refusal.
    pub elapsed: Duration,
}

/// The signature of a failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// Nothing came back until the deadline.
    Silence,
    /// The kernel refused: no packet left.
    Local(Errno),
    /// An ICMP error came back.
    Icmp(IcmpError),
    /// TCP reset in answer to connect.
    Refused,
    /// The peer ended an open connection; bytes of answer seen before.
    Closed {
        /// Bytes received before the end.
        received: u64,
        /// By reset rather than in order.
        reset: bool,
    },
    /// An answer that is not the protocol; a short reason, language-free.
    Garbage(String),
    /// A DNS answer with an error code.
    Rcode(Rcode),
    /// The handshake failed for this reason.
    Tls(TlsFault, Option<Box<TlsFacts>>),
    /// The answer is larger than we accept.
    TooLarge,
}

/// An error number of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Errno(pub i32);

impl Errno {
    /// Filtered by the local firewall (or not permitted).
    pub const EPERM: Self = Self(1);
    /// A `prohibit` route.
    pub const EACCES: Self = Self(13);
    /// A `blackhole` route.
    pub const EINVAL: Self = Self(22);
    /// The source address is gone.
    pub const EADDRNOTAVAIL: Self = Self(99);
    /// The interface is down.
    pub const ENETDOWN: Self = Self(100);
    /// No route.
    pub const ENETUNREACH: Self = Self(101);
    /// Reset.
    pub const ECONNRESET: Self = Self(104);
    /// Refused.
    pub const ECONNREFUSED: Self = Self(111);
    /// The kernel gave up.
    pub const ETIMEDOUT: Self = Self(110);
    /// An `unreachable` route, a failed neighbour, or a router's word.
    pub const EHOSTUNREACH: Self = Self(113);
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "EPERM",
            2 => "ENOENT",
            13 => "EACCES",
            19 => "ENODEV",
            22 => "EINVAL",
            90 => "EMSGSIZE",
            97 => "EAFNOSUPPORT",
            99 => "EADDRNOTAVAIL",
            100 => "ENETDOWN",
            101 => "ENETUNREACH",
            104 => "ECONNRESET",
            105 => "ENOBUFS",
            110 => "ETIMEDOUT",
            111 => "ECONNREFUSED",
            113 => "EHOSTUNREACH",
            other => return write!(f, "errno {other}"),
        };
        f.write_str(name)
    }
}

/// An ICMP error and who sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IcmpError {
    /// What it says.
    pub kind: IcmpKind,
    /// Who said it: our own address means our own kernel gave up on the neighbour.
    pub offender: Option<IpAddr>,
}

/// The ICMP errors that tell causes apart, IPv4 and IPv6 alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IcmpKind {
    /// No route there.
    NetUnreachable,
    /// The host does not answer its router.
    HostUnreachable,
    /// The host is there, the port is closed.
    PortUnreachable,
    /// Forbidden by a filter.
    AdminProhibited,
    /// Too big; the next hop's MTU where given.
    PacketTooBig(u32),
    /// The TTL ran out on the way.
    TimeExceeded,
    /// Any other type and code.
    Other(u8, u8),
}

/// TLS: which server, under which name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TlsKey {
    /// Where it was asked.
    pub at: SocketAddr,
    /// The name the certificate must carry.
    pub server_name: String,
}

/// A completed handshake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TlsFacts {
    /// Time for the handshake alone.
    pub elapsed: Duration,
    /// `TLSv1_3` and the like.
    pub version: Option<String>,
    /// The server's own certificate.
    pub certificate: Option<CertificateFacts>,
    /// Against what it was verified: `false` = no CA is configured, so nothing was judged.
    pub verified: bool,
    /// The server's `Date` header over this connection minus our clock, seconds; seen even when the certificate was refused.
    pub date_offset_s: Option<i64>,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// Subject, as text.
    pub subject: String,
    /// Issuer, as text.
    pub issuer: String,
    /// Names it is for.
    pub names: Vec<String>,
    /// Valid from.
    pub not_before: jiff::Timestamp,
    /// Valid to.
    pub not_after: jiff::Timestamp,
    /// SHA-256 of the DER, hex: to pin and to compare.
    pub sha256: String,
}

/// Why a handshake or a certificate was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsFault {
    /// Past its end, by our clock.
    Expired,
    /// Before its start, by our clock.
    NotYetValid,
    /// Signed by nobody we trust.
    UnknownIssuer,
    /// For another name.
    NameMismatch,
    /// The server asks for a certificate of ours, or refuses the one shown.
    ClientCertificate,
    /// A protocol this tool does not speak (GM/TLCP, SSLv3): unknown, never a cause.
    Unsupported,
    /// Any other alert or error, as a short text.
    Other(String),
}

/// An HTTP exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpFacts {
    /// Status code.
    pub status: u16,
    /// From sending the request to the first byte of the answer.
    pub first_byte: Duration,
    /// From sending the request to the end of the body (or to the 64 kB we read of it).
    pub total: Duration,
    /// The configured maintenance marker is in the body.
    pub maintenance: bool,
    /// `Location`, on a redirect.
    pub location: Option<String>,
    /// The server's `Date` minus our clock, seconds.
    pub date_offset_s: Option<i64>,
}

// ---- names -------------------------------------------------------------------------------------------------------------------------

/// Where the system would ask for names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ResolverSetup {
    /// In order of use. A local stub (127.0.0.53) is replaced by the servers behind it where those can be read.
    pub servers: Vec<IpAddr>,
    /// A local stub stands between applications and these servers.
    pub stub: Option<IpAddr>,
}

/// A name as applications resolve it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// The addresses, in the order applications would try them.
    pub addresses: Vec<IpAddr>,
    /// Where they come from.
    pub source: LookupSource,
    /// Time taken.
    pub elapsed: Duration,
}

/// Where an address came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookupSource {
    /// It was an address already.
    Literal,
    /// The hosts file.
    Hosts,
    /// DNS (or any other name service).
    Dns,
}

/// One question to one resolver.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct QueryKey {
    /// Whom.
    pub resolver: IpAddr,
    /// What. The random label of a wildcard check is rendered as `*`.
    pub name: String,
}

/// A resolver's answer without an error code (perhaps empty).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// Time to the answer.
    pub elapsed: Duration,
}

/// DNS response codes that tell causes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rcode {
    /// The resolver could not find out.
    ServFail,
    /// The name does not exist.
    NxDomain,
    /// The resolver does not serve us.
    Refused,
    /// Any other code.
    Other(u16),
}

// ---- VPN ---------------------------------------------------------------------------------------------------------------------------

/// A VPN as this PC sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpnFacts {
    /// The interface that matches the configured name or pattern; `None` = there is none.
    pub interface: Option<IfName>,
    /// Its client process.
    pub process: ProcessState,
    /// Its systemd unit.
    pub unit: UnitState,
    /// Outer addresses of its server, as resolved or configured; empty = name did not resolve, or none is configured.
    pub server: Vec<SocketAddr>,
    /// The server is given by name and the name did not resolve: how.
    pub server_unresolved: Option<String>,
    /// Bytes received / sent on the interface between the beginning and the end of the round.
    pub received: u64,
    /// See `received`.
    pub sent: u64,
    /// Age of the newest WireGuard handshake. `None` = could not be read or there was none; see `handshake_unseen`.
    pub handshake_age_s: Option<u64>,
    /// Why the handshake's age is not known; `None` when it is, or does not apply.
    pub handshake_unseen: Option<Unseen>,
    /// What its log says lately.
    pub log: VpnLog,
}

/// Whether a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessState {
    /// Seen.
    Running,
    /// Looked for, not there.
    Absent,
    /// No name is known to look for.
    Unknown,
}

/// State of a systemd unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitState {
    /// Running.
    Active,
    /// Stopped in order.
    Inactive,
    /// Ended badly.
    Failed,
    /// No unit configured, or systemd cannot be asked.
    Unknown,
}

/// What the client's log says since its last start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VpnLog {
    /// Nothing telling.
    Quiet,
    /// The server refused the credentials.
    AuthFailed,
    /// No log configured or not readable.
    Unread,
}

// ---- what could not be seen --------------------------------------------------------------------------------------------------------

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
    /// Our own operation failed: operation and error.
    Error(String),
}
