//! What could be added to the configuration, judged by what is connected just now. A proposal is only ever printed: a tunnel that happens to be
//! up and a server that somebody happens to talk to are a person's to accept.

use crate::config::{Config, Sink, VpnKind};
use crate::model::{LinkKind, Route};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use toml::Value;

/// Centres that are proposed at most.
const MOST_CENTRES: usize = 6;
/// Ports of one centre.
const MOST_PORTS: usize = 8;

/// A tunnel's interface that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// Its name.
    pub interface: String,
    /// What the kernel says it is.
    pub kind: LinkKind,
    /// The program that holds it.
    pub process: Option<String>,
    /// That program's unit.
    pub unit: Option<String>,
}

/// A connection that this PC began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// The other end.
    pub address: SocketAddr,
}

/// What is connected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Live {
    /// Tunnels that are up.
    pub tunnels: Vec<Tunnel>,
    /// Connections that this PC began.
    pub peers: Vec<Peer>,
    /// The kernel's routes.
    pub routes: Vec<Route>,
}

/// Lines for the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposal {
    /// A `[[vpn]]`.
    Vpn(String),
    /// A `[[centre]]`.
    Centre(String),
}

impl Proposal {
    /// The lines.
    pub fn text(&self) -> &str {
        match self {
            Self::Vpn(text) | Self::Centre(text) => text,
        }
    }
}

/// What is connected and not configured. Centres are proposed only where none is configured.
pub fn proposals(config: &Config, live: &Live) -> Vec<Proposal> {
    let unknown = |tunnel: &&Tunnel| !config.vpns.iter().any(|vpn| vpn.interface.matches(&tunnel.interface));
    let new: Vec<(&Tunnel, String)> = named(config, live.tunnels.iter().filter(unknown));
    let vpns = new.iter().map(|(tunnel, name)| Proposal::Vpn(vpn(tunnel, name)));
    let via = |device: &str| {
        let configured = config.vpns.iter().find(|vpn| vpn.interface.matches(device)).map(|vpn| vpn.name.clone());
        configured.or_else(|| new.iter().find(|(tunnel, _)| tunnel.interface == device).map(|(_, name)| name.clone()))
    };
    let centres = if config.centres.is_empty() { centres(config, live, via) } else { Vec::new() };
    vpns.chain(centres).collect()
}

/// `centre` for the only one, else by interface; never a name that is taken.
fn named<'a>(config: &Config, tunnels: impl Iterator<Item = &'a Tunnel>) -> Vec<(&'a Tunnel, String)> {
    let tunnels: Vec<&Tunnel> = tunnels.collect();
    let lone = tunnels.len() == 1 && config.vpn("centre").is_none();
    tunnels.into_iter().map(|tunnel| (tunnel, if lone { "centre".to_owned() } else { tunnel.interface.clone() })).collect()
}

fn vpn(tunnel: &Tunnel, name: &str) -> String {
    let kind = serde_json::to_value(kind_of(tunnel)).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
    // Dial-up interfaces change their number.
    let interface = if tunnel.interface.starts_with("ppp") { "ppp*" } else { &tunnel.interface };
    let mut text = format!("[[vpn]]\nname = {}\nkind = \"{kind}\"\ninterface = {}\n", Value::from(name), Value::from(interface));
    if let Some(unit) = &tunnel.unit {
        let _ = writeln!(text, "unit = {}", Value::from(unit.as_str()));
    }
    if let Some(process) = &tunnel.process {
        let _ = writeln!(text, "process = {}", Value::from(process.as_str()));
    }
    text
}

fn kind_of(tunnel: &Tunnel) -> VpnKind {
    let process = tunnel.process.as_deref().unwrap_or_default();
    match process {
        _ if tunnel.kind == LinkKind::Wireguard => VpnKind::Wireguard,
        "wireguard-go" | "boringtun" | "boringtun-cli" => VpnKind::Wireguard,
        "openvpn" => VpnKind::Openvpn,
        "openconnect" => VpnKind::Openconnect,
        "charon" | "charon-systemd" => VpnKind::Ipsec,
        "xl2tpd" => VpnKind::L2tp,
        _ if tunnel.interface.starts_with("ppp") => VpnKind::L2tp,
        _ => VpnKind::Tun,
    }
}

fn centres(config: &Config, live: &Live, via: impl Fn(&str) -> Option<String>) -> Vec<Proposal> {
    let sinks: BTreeSet<IpAddr> = config.sinks.iter().flat_map(receivers).collect();
    let mut found: BTreeMap<IpAddr, (BTreeSet<u16>, Option<String>)> = BTreeMap::new();
    for peer in &live.peers {
        let address = peer.address.ip().to_canonical();
        let device = device_to(&live.routes, address);
        let tunnelled = device.as_deref().and_then(&via);
        let ours = sinks.contains(&address) || address.is_loopback();
        if ours || !(tunnelled.is_some() || is_private(address)) {
            continue;
        }
        let entry = found.entry(address).or_insert_with(|| (BTreeSet::new(), tunnelled));
        if entry.0.len() < MOST_PORTS {
            entry.0.insert(peer.address.port());
        }
    }
    // What a tunnel leads to is a centre sooner than what stands in the house.
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|(address, (_, via))| (via.is_none(), *address));
    found.truncate(MOST_CENTRES);
    let lone = found.len() == 1;
    let name = |i: usize| if lone { "settlement".to_owned() } else { format!("settlement-{}", i + 1) };
    found.into_iter().enumerate().map(|(i, (address, (ports, via)))| centre(&name(i), address, &ports, via.as_deref())).collect()
}

fn centre(name: &str, address: IpAddr, ports: &BTreeSet<u16>, via: Option<&str>) -> Proposal {
    let ports = ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut text = format!("[[centre]]\nname = \"{name}\"\nhost = \"{address}\"\ntcp = [{ports}]\n");
    if let Some(via) = via {
        let _ = writeln!(text, "via = {}", Value::from(via));
    }
    Proposal::Centre(text)
}

/// Where records go is no centre.
fn receivers(sink: &Sink) -> Vec<IpAddr> {
    match sink {
        Sink::Journal { .. } => Vec::new(),
        Sink::Syslog { address, .. } => vec![address.ip()],
        Sink::Nats { servers, .. } => servers.iter().filter_map(|url| url.host_str()?.trim_matches(['[', ']']).parse().ok()).collect(),
    }
}

/// The interface of the longest prefix that holds the address; of equals the one with the lowest metric.
fn device_to(routes: &[Route], address: IpAddr) -> Option<String> {
    let fits = routes.iter().filter(|route| route.destination.contains(&address));
    let best = fits.max_by_key(|route| (route.destination.prefix_len(), std::cmp::Reverse(route.metric)))?;
    best.device.as_ref().map(ToString::to_string)
}

/// Ranges of private networks, among them the one of operators.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn config(text: &str) -> Config {
        parse(vec![("x.toml".into(), text.as_bytes().to_vec())]).expect("a configuration")
    }

    fn tunnel(interface: &str, process: &str) -> Tunnel {
        Tunnel { interface: interface.to_owned(), kind: LinkKind::Tun, process: Some(process.to_owned()), unit: None }
    }

    fn live(tunnels: Vec<Tunnel>, peers: &[&str]) -> Live {
        let route = |to: &str, device: &str| crate::testing::route(to, device, None);
        Live {
            tunnels,
            peers: peers.iter().map(|peer| Peer { address: peer.parse().expect("an address") }).collect(),
            routes: vec![route("0.0.0.0/0", "eth0"), route("10.20.0.0/16", "tun0"), route("192.168.1.0/24", "eth0")],
        }
    }

    fn texts(config: &Config, live: &Live) -> String {
        proposals(config, live).iter().map(Proposal::text).collect::<Vec<_>>().concat()
    }

    #[test]
    fn a_running_vpn_and_whom_one_talks_to_through_it_are_proposed() {
        let up = live(
            vec![Tunnel { unit: Some("openvpn@x.service".to_owned()), ..tunnel("tun0", "openvpn") }],
            &["10.20.0.10:443", "10.20.0.10:8443"],
        );
        let text = texts(&Config::default(), &up);
        let proposed = config(&text);
        assert_eq!((proposed.vpns[0].name.as_str(), proposed.vpns[0].kind), ("centre", VpnKind::Openvpn));
        assert_eq!(proposed.vpns[0].unit.as_deref(), Some("openvpn@x.service"));
        assert_eq!((proposed.centres[0].host.as_str(), proposed.centres[0].via.as_deref()), ("10.20.0.10", Some("centre")));
        assert_eq!(proposed.centres[0].tcp, [443, 8443]);
        assert_eq!(proposals(&proposed, &up), [], "what is configured is not proposed again");
    }

    #[test]
    fn the_internet_and_this_pc_itself_are_no_centre() {
        let peers = ["8.8.8.8:443", "127.0.0.1:8901", "[::1]:1", "[2001:db8::1]:443"];
        assert_eq!(texts(&Config::default(), &live(Vec::new(), &peers)), "");
        let house = texts(&Config::default(), &live(Vec::new(), &["192.168.1.9:80", "[::ffff:100.64.0.9]:443"]));
        assert!(house.contains("100.64.0.9") && house.contains("192.168.1.9") && !house.contains("via"), "{house}");
        let sink = config("[[sink]]\nname = 'audit'\nkind = 'syslog'\ntransport = 'tcp'\naddress = '10.20.0.14:6514'\n");
        assert_eq!(texts(&sink, &live(Vec::new(), &["10.20.0.14:6514"])), "", "a receiver of records");
    }

    #[test]
    fn a_configured_vpn_is_named_and_a_second_one_does_not_take_its_name() {
        let known = config("[[vpn]]\nname = 'centre'\ninterface = 'tun*'\n");
        let text = texts(&known, &live(vec![tunnel("tun0", "openvpn"), tunnel("ppp0", "pppd")], &["10.20.0.10:443"]));
        assert!(text.contains("name = \"ppp0\"\nkind = \"l2tp\"\ninterface = \"ppp*\"") && !text.contains("tun0"), "{text}");
        assert!(text.contains("via = \"centre\""), "{text}");
    }
}
