//! What a centre's services say: certificates, pages, names.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

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
