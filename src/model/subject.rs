//! What things are called: interfaces, and whatever a verdict can be about.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

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
    /// A device at a port of this PC, as `vendor:product:serial` or as the kernel calls it.
    Device(String),
    /// A file of this PC.
    File(String),
    /// A program, by name.
    Program(String),
    /// A network namespace of this PC, by its number.
    Namespace(String),
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
            Self::Device(name) => write!(f, "device:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Program(name) => write!(f, "program:{name}"),
            Self::Namespace(id) => write!(f, "namespace:{id}"),
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
            Some(("device", name)) => Self::Device(name.to_owned()),
            Some(("file", path)) => Self::File(path.to_owned()),
            Some(("program", name)) => Self::Program(name.to_owned()),
            Some(("namespace", id)) => Self::Namespace(id.to_owned()),
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
