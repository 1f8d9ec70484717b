//! The outer side of a VPN's server: its addresses, the way to it, echo, port, and a walk while it keeps silent.
//!
//! Outer probes are bound to the device of the outer route. Unbound they would be caught by a tunnel that takes all traffic (wg-quick
//! marks its own packets, ours carry no mark) and say nothing about the line.

use super::{ike, openvpn};
use crate::config::{IfPattern, ServerName, Transport, Vpn, VpnKind};
use crate::model::{Failure, FailureKind, IfName, Link, LinkKind, Lookup, Outcome, Reply, Route, RouteKind, Sighting};
use crate::probe::dns;
use crate::probe::reach::reach;
use crate::probe::tcp::refused;
use crate::sys::netlink::Snapshot;
use crate::sys::udp;
use futures_util::future::join_all;
use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::time::{Instant, timeout, timeout_at};

/// Addresses of one server that are asked. A name server must not turn us into a scanner.
const ADDRESSES_MAX: usize = 3;
/// How long the system may look for a name before the name servers are also asked by ourselves: it does not tell which of them said what.
const IN_DOUBT: Duration = Duration::from_millis(300);
/// Name servers that are asked.
const RESOLVERS_MAX: usize = 3;
/// How long a service that never answers strangers is listened to: only for an ICMP error, which takes one round trip.
const DEAF: Duration = Duration::from_secs(1);

/// A server as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) addresses: Vec<SocketAddr>,
    /// How its name failed to resolve.
    pub(super) unresolved: Option<String>,
}

/// Finds the addresses of a server. While its name does not resolve, `resolvers` are asked too, each on its own, and what they say is put
/// into `found`: an answer of any kind, also a refusal, shows that the line carries.
pub(super) async fn resolve(
    server: Option<&ServerName>,
    resolvers: &[IpAddr],
    deadline: Instant,
    found: &RefCell<Vec<Sighting>>,
) -> Server {
    let Some(server) = server else { return Server::default() };
    if let Some(ip) = server.address() {
        return Server { addresses: vec![SocketAddr::new(ip, server.port)], unresolved: None };
    }
    let left = || deadline.saturating_duration_since(Instant::now());
    let ask = || async {
        let asked = resolvers.iter().filter(|ip| !ip.is_loopback()).take(RESOLVERS_MAX);
        join_all(asked.map(|ip| keep(found, dns::query(*ip, &server.host, left())))).await;
    };
    let mut lookup = pin!(dns::lookup(&server.host, None, left()));
    let looked_up = match timeout(IN_DOUBT, &mut lookup).await {
        Ok(resolved @ Sighting::Lookup(_, Outcome::Ok(_))) => resolved,
        Ok(failed) => {
            ask().await;
            failed
        }
        Err(_) => tokio::join!(lookup, ask()).0,
    };
    let Sighting::Lookup(_, outcome) = looked_up else { return Server::default() };
    let addresses = |found: Lookup| found.addresses.into_iter().take(ADDRESSES_MAX).map(|ip| SocketAddr::new(ip, server.port)).collect();
    match outcome {
        Outcome::Ok(found) => Server { addresses: addresses(found), unresolved: None },
        Outcome::Failed(failure) => Server { addresses: Vec::new(), unresolved: Some(word(&failure.kind)) },
        // We could not ask: nobody's name is at fault.
        Outcome::Unknown(_) => Server::default(),
    }
}

/// A language-free word for how a look-up failed.
fn word(kind: &FailureKind) -> String {
    match kind {
        FailureKind::Silence => "timeout".into(),
        FailureKind::Rcode(code) => format!("{code:?}").to_lowercase(),
        FailureKind::Local(errno) => errno.to_string(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// Asks every address in every way at once, and puts what was seen into `found` as it comes: the caller may stop waiting at any time.
pub(super) async fn look(config: &Vpn, snapshot: &Snapshot, servers: &[SocketAddr], deadline: Instant, found: &RefCell<Vec<Sighting>>) {
    join_all(servers.iter().map(|server| one(config, snapshot, *server, deadline, found))).await;
}

async fn one(config: &Vpn, snapshot: &Snapshot, server: SocketAddr, deadline: Instant, found: &RefCell<Vec<Sighting>>) {
    let routes = snapshot.routes.ok().map(|table| table.routes.as_slice()).unwrap_or_default();
    let links = snapshot.links.ok().map(Vec::as_slice).unwrap_or_default();
    let device = outer_device(routes, links, &config.interface, server.ip());
    let left = || deadline.saturating_duration_since(Instant::now());
    let reach = reach(server.ip(), device, left(), async |sighting| found.borrow_mut().push(sighting));
    let ports = ports(config, server).into_iter().map(|at| keep(found, port(config, device, at, left())));
    tokio::join!(reach, join_all(ports));
}

/// The configured port, and the second one of a protocol that needs two.
fn ports(config: &Vpn, server: SocketAddr) -> Vec<SocketAddr> {
    let mut ports = vec![server];
    if config.kind == VpnKind::Ipsec && ike::is_spoken_on(server.port()) {
        ports.push(SocketAddr::new(server.ip(), ike::other_port(server.port())));
    }
    ports
}

async fn keep(found: &RefCell<Vec<Sighting>>, look: impl Future<Output = Sighting>) {
    let sighting = look.await;
    found.borrow_mut().push(sighting);
}

/// Asks the port in the way its protocol answers, if it does.
async fn port(config: &Vpn, device: Option<&IfName>, server: SocketAddr, patience: Duration) -> Sighting {
    if config.transport == Transport::Tcp {
        return Sighting::Tcp(server, connect(device, server, patience).await);
    }
    let session = std::hash::RandomState::new().build_hasher().finish();
    let speaks_ike = ike::is_spoken_on(server.port());
    let (payload, patience) = match config.kind {
        VpnKind::Openvpn => (openvpn::hard_reset(session), patience),
        VpnKind::Ipsec | VpnKind::L2tp if speaks_ike => (ike::request(session, server.port()), patience),
        // These answer no stranger; the byte is for what the network says about it.
        VpnKind::Wireguard | VpnKind::Openconnect | VpnKind::L2tp | VpnKind::Ipsec | VpnKind::Tun => (vec![0], patience.min(DEAF)),
    };
    let route = udp::Route { device: device.cloned(), ttl: None };
    let outcome = match udp::exchange(server, &payload, &route, patience).await {
        Outcome::Ok(datagram) => {
            let foreign = matches!(config.kind, VpnKind::Ipsec | VpnKind::L2tp) && speaks_ike;
            if foreign && !ike::is_answer(&datagram.data, session, server.port()) {
                Outcome::Failed(Failure { kind: FailureKind::Garbage("IKE".to_owned()), elapsed: datagram.reply.rtt })
            } else {
                Outcome::Ok(datagram.reply)
            }
        }
        Outcome::Failed(failure) => Outcome::Failed(failure),
        Outcome::Unknown(why) => Outcome::Unknown(why),
    };
    Sighting::Udp(server, outcome)
}

async fn connect(device: Option<&IfName>, server: SocketAddr, patience: Duration) -> Outcome<Reply> {
    let began = Instant::now();
    let connecting = async {
        let socket = if server.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Some(device) = device {
            socket.bind_device(Some(device.as_str().as_bytes()))?;
        }
        socket.connect(server).await
    };
    match timeout_at(began + patience, connecting).await {
        Ok(Ok(_)) => Outcome::Ok(Reply::once(began.elapsed())),
        Ok(Err(error)) => refused(&error, began.elapsed()),
        Err(_) => Outcome::Failed(Failure { kind: FailureKind::Silence, elapsed: began.elapsed() }),
    }
}

/// The device by which a VPN's own packets leave: of the routes to the server that do not lead into a tunnel, the longest prefix, then the
/// lowest metric. `None` = there is none; then the probes are routed as any other.
fn outer_device<'a>(routes: &'a [Route], links: &[Link], vpn: &IfPattern, server: IpAddr) -> Option<&'a IfName> {
    let into_tunnel = |device: &IfName| {
        let kind = links.iter().find(|link| link.name == *device).map(|link| &link.kind);
        vpn.matches(device.as_str()) || matches!(kind, Some(LinkKind::Tun | LinkKind::Wireguard))
    };
    let outward = routes.iter().filter(|route| route.kind == RouteKind::Unicast && route.destination.contains(&server));
    // A default route without a gateway is a point-to-point line, or a tunnel under another name.
    let usable = outward.filter(|route| route.gateway.is_some() || route.destination.prefix_len() > 0 || is_ppp(route, links));
    let devices = usable.filter_map(|route| route.device.as_ref().filter(|device| !into_tunnel(device)).map(|device| (route, device)));
    devices.min_by_key(|(route, _)| (std::cmp::Reverse(route.destination.prefix_len()), route.metric)).map(|(_, device)| device)
}

fn is_ppp(route: &Route, links: &[Link]) -> bool {
    links.iter().any(|link| Some(&link.name) == route.device.as_ref() && link.kind == LinkKind::Ppp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn route(destination: &str, device: &str, gateway: Option<&str>, table: u32, metric: u32) -> Route {
        Route { table, metric, ..testing::route(destination, device, gateway) }
    }

    fn device(routes: &[Route], server: &str) -> Option<String> {
        let vpn: IfPattern = "wg*".parse().expect("a pattern");
        outer_device(routes, &[], &vpn, server.parse().expect("an address")).map(ToString::to_string)
    }

    #[test]
    fn under_wg_quick_the_outer_device_is_the_one_with_a_gateway() {
        let routes = [
            route("0.0.0.0/0", "wg0", None, 51820, 0),
            route("0.0.0.0/0", "eth0", Some("10.0.0.1"), 254, 100),
            route("10.0.0.0/24", "eth0", None, 254, 100),
        ];
        assert_eq!(device(&routes, "203.0.113.7").as_deref(), Some("eth0"));
        assert_eq!(device(&routes, "10.0.0.7").as_deref(), Some("eth0"), "on the segment");
        assert_eq!(device(&routes, "fd00::1"), None, "no route of that family");
    }

    #[test]
    fn a_route_of_its_own_wins_over_the_default_and_a_low_metric_over_a_high_one() {
        let routes = [
            route("0.0.0.0/0", "eth0", Some("10.0.0.1"), 254, 100),
            route("0.0.0.0/0", "wlan0", Some("10.1.0.1"), 254, 50),
            route("203.0.113.7/32", "eth1", Some("10.2.0.1"), 254, 0),
        ];
        assert_eq!(device(&routes, "203.0.113.7").as_deref(), Some("eth1"));
        assert_eq!(device(&routes, "203.0.113.8").as_deref(), Some("wlan0"));
    }

    #[test]
    fn the_halves_that_openvpn_lays_over_the_default_are_passed_over() {
        let mut routes = vec![route("0.0.0.0/0", "eth0", Some("10.0.0.1"), 254, 0), route("128.0.0.0/1", "wg0", Some("10.8.0.1"), 254, 0)];
        assert_eq!(device(&routes, "203.0.113.7").as_deref(), Some("eth0"));
        routes.remove(0);
        assert_eq!(device(&routes, "203.0.113.7"), None);
    }

    #[test]
    fn a_literal_server_needs_no_name_server() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let server: ServerName = "[fd00::1]:1194".parse().expect("a server");
        let asked = RefCell::default();
        let resolvers = ["192.0.2.53".parse().expect("an address")];
        let found = runtime.block_on(resolve(Some(&server), &resolvers, Instant::now(), &asked));
        assert_eq!(found.addresses, ["[fd00::1]:1194".parse().expect("an address")]);
        assert_eq!(runtime.block_on(resolve(None, &resolvers, Instant::now(), &asked)).addresses, []);
        assert_eq!(asked.into_inner(), []);
    }
}
