//! The `[[vpn]]` tables, and the texts they are made of.

use super::text::TextError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// One VPN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Vpn {
    /// Unique.
    pub name: String,
    /// What it speaks.
    #[serde(default)]
    pub kind: VpnKind,
    /// Its interface.
    pub interface: IfPattern,
    /// The outer side of its server.
    #[serde(default)]
    pub server: Option<ServerName>,
    /// What carries it.
    #[serde(default)]
    pub transport: Transport,
    /// The systemd unit that starts it.
    #[serde(default)]
    pub unit: Option<String>,
    /// The name of its program.
    #[serde(default)]
    pub process: Option<String>,
    /// Its management socket. It takes one client only, so it is left to whoever has it.
    #[serde(default)]
    pub management: Option<PathBuf>,
    /// Its log.
    #[serde(default)]
    pub log: Option<PathBuf>,
    /// An address that answers only through the tunnel.
    #[serde(default)]
    pub inside: Option<IpAddr>,
}

/// What a VPN speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VpnKind {
    /// `WireGuard`, in the kernel or not.
    Wireguard,
    /// `OpenVPN`.
    Openvpn,
    /// `OpenConnect` and the like.
    Openconnect,
    /// L2TP, with or without `IPsec`.
    L2tp,
    /// `IPsec` with an interface.
    Ipsec,
    /// Any other that makes an interface.
    #[default]
    Tun,
}

/// What carries a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// UDP.
    #[default]
    Udp,
    /// TCP.
    Tcp,
}

/// The name of an interface, or a pattern: `*` stands for any characters (also none), `?` for exactly one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct IfPattern(String);

impl IfPattern {
    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an interface of this name is meant.
    pub fn matches(&self, name: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let name: Vec<char> = name.chars().collect();
        let (mut p, mut n) = (0, 0);
        // Where to go on after the last `*` when what follows it does not fit: one character later.
        let mut retry: Option<(usize, usize)> = None;
        while n < name.len() {
            match pattern.get(p) {
                Some('*') => {
                    retry = Some((p + 1, n));
                    p += 1;
                }
                Some(&c) if c == '?' || c == name[n] => {
                    p += 1;
                    n += 1;
                }
                _ => match retry {
                    Some((after_star, from)) => {
                        retry = Some((after_star, from + 1));
                        p = after_star;
                        n = from + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|c| *c == '*')
    }
}

impl FromStr for IfPattern {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        // IFNAMSIZ - 1; a pattern may be no longer than what it stands for, stars apart.
        let length = text.bytes().filter(|b| *b != b'*').count();
        let fits = !text.is_empty() && length <= 15 && text.len() <= 64;
        let clean = !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/');
        if fits && clean && text != "." && text != ".." { Ok(Self(text.to_owned())) } else { Err(TextError::Interface) }
    }
}

impl fmt::Display for IfPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<IfPattern> for String {
    fn from(pattern: IfPattern) -> Self {
        pattern.0
    }
}

impl TryFrom<String> for IfPattern {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        text.parse()
    }
}

/// A server: a name or an address, and a port. An IPv6 address stands in brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ServerName {
    /// Name or address, without brackets.
    pub host: String,
    /// Port, never 0.
    pub port: u16,
}

impl ServerName {
    /// The address, when it is one already.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// Whether this can be a host name or is an address: letters of any script, digits, `-`, `_` and dots.
pub(super) fn is_host(text: &str) -> bool {
    let label =
        |l: &str| !l.is_empty() && l.len() <= 63 && !l.starts_with('-') && l.chars().all(|c| c.is_alphanumeric() || "-_".contains(c));
    let name = text.strip_suffix('.').unwrap_or(text);
    text.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(label) && !looks_like_v4(name))
}

/// `10.0.0.300` and `10.0.0` are mistyped addresses, not names: no name ends in an all-digit label.
fn looks_like_v4(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
}

impl FromStr for ServerName {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let (host, port) = text.rsplit_once(':').ok_or(TextError::Server)?;
        let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let good = match bracketed {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.contains(':') && is_host(host),
        };
        let port = if port.bytes().all(|b| b.is_ascii_digit()) { port.parse().ok().filter(|p| *p != 0) } else { None };
        match (good, port) {
            (true, Some(port)) => Ok(Self { host: bracketed.unwrap_or(host).to_owned(), port }),
            _ => Err(TextError::Server),
        }
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

impl From<ServerName> for String {
    fn from(server: ServerName) -> Self {
        server.to_string()
    }
}

impl TryFrom<String> for ServerName {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> IfPattern {
        text.parse().expect("a good pattern")
    }

    #[test]
    fn a_pattern_matches_as_a_shell_would() {
        for (text, name) in
            [("tun0", "tun0"), ("ppp*", "ppp12"), ("ppp*", "ppp"), ("wg?", "wg0"), ("*", "x"), ("*n*0", "tun00"), ("en*s?", "enp3s0")]
        {
            assert!(pattern(text).matches(name), "{text} {name}");
        }
        for (text, name) in [("tun0", "tun01"), ("tun0", "tun"), ("wg?", "wg"), ("wg?", "wg10"), ("ppp*", "xppp0"), ("*1", "tun0")] {
            assert!(!pattern(text).matches(name), "{text} {name}");
        }
    }

    #[test]
    fn what_no_interface_can_be_called_is_refused() {
        for text in ["", "a b", "a/b", "..", "a-name-that-is-too-long", "tun\t0"] {
            assert_eq!(text.parse::<IfPattern>(), Err(TextError::Interface), "{text}");
        }
    }

    #[test]
    fn servers_are_names_or_addresses_with_a_port() {
        for text in ["vpn.centre.example:1194", "10.0.0.1:443", "[fd00::1]:51820", "中心.example:1194", "box:1"] {
            assert_eq!(text.parse::<ServerName>().expect(text).to_string(), text);
        }
        for text in [
            "vpn.example",
            "vpn.example:",
            "vpn.example:0",
            "vpn.example:70000",
            ":1194",
            "fd00::1:443",
            "a b:1",
            "10.0.0.300:1",
            "x:+5",
            "[x]:1",
        ] {
            assert_eq!(text.parse::<ServerName>(), Err(TextError::Server), "{text}");
        }
    }

    proptest! {
        #[test]
        fn matching_ends_and_agrees_with_a_plain_definition(text in "[ab*?]{1,10}", name in "[ab]{0,12}") {
            fn plain(p: &[u8], n: &[u8]) -> bool {
                match (p.first(), n.first()) {
                    (None, None) => true,
                    (Some(b'*'), _) => plain(&p[1..], n) || (!n.is_empty() && plain(p, &n[1..])),
                    (Some(b'?'), Some(_)) => plain(&p[1..], &n[1..]),
                    (Some(a), Some(b)) if a == b => plain(&p[1..], &n[1..]),
                    _ => false,
                }
            }
            prop_assert_eq!(pattern(&text).matches(&name), plain(text.as_bytes(), name.as_bytes()));
        }

        #[test]
        fn no_text_makes_a_server_panic(text in "\\PC*") {
            if let Ok(server) = text.parse::<ServerName>() {
                prop_assert_eq!(server.to_string().parse(), Ok(server));
            }
        }
    }
}
