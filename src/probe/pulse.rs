//! The few questions that decide whether a service can be used, asked of what is known already: a name of its resolver, a connection, a
//! handshake, a page. Cheap enough to be repeated all day.
//!
//! A pulse names no cause and is not diagnosed. It asks an address that was seen to work; only a round finds new ones. So a pulse that
//! fails says "look properly, now", and a pulse that succeeds says no more than that these few things work.

use super::stream::Wall;
use super::tls::Setup;
use super::{dns, http, ping, tcp, tls};
use crate::config::{Centre, CentreHttp, Config};
use crate::infer::{World, http_is_well};
use crate::model::{LookupSource, Outcome, Sighting, TlsKey};
use crate::sys::clock;
use futures_util::future::join_all;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Addresses of one centre that are asked before it is called unusable.
const MOST_ADDRESSES: usize = 3;

/// What to ask, learned from the configuration and from rounds that went well.
pub struct Pulse {
    patience: Duration,
    centres: Vec<Known>,
}

/// One centre as a pulse knows it.
struct Known {
    centre: Centre,
    services: BTreeMap<u16, Service>,
    learned: RefCell<Learned>,
}

/// Where a centre was seen to work.
#[derive(Clone, Default)]
struct Learned {
    /// Addresses that worked, the one asked before first.
    addresses: Vec<IpAddr>,
    /// Who resolved its name; empty where no name server is needed.
    resolvers: Vec<IpAddr>,
}

#[derive(Default)]
struct Service {
    tls: Option<(String, Setup)>,
    http: Option<CentreHttp>,
}

impl Pulse {
    /// Reads the certificate files once: a changed file is taken in with the next configuration.
    pub fn new(config: &Config) -> Self {
        let centres =
            config.centres.iter().map(|centre| Known { centre: centre.clone(), services: services(centre), learned: RefCell::default() });
        Self { patience: config.probe.timeout, centres: centres.collect() }
    }

    /// Remembers where each centre was seen to work.
    pub fn learn(&self, world: &World) {
        let system = world.resolvers().and_then(Outcome::ok).map(|setup| setup.servers.clone()).unwrap_or_default();
        for known in &self.centres {
            let Some(found) = world.lookup(&known.centre.host).and_then(Outcome::ok) else { continue };
            let mut learned = known.learned.borrow_mut();
            let works = |ip: &IpAddr| known.works_at(*ip, world);
            let mut addresses: Vec<IpAddr> = found.addresses.iter().copied().filter(works).take(MOST_ADDRESSES).collect();
            if addresses.is_empty() {
                continue;
            }
            addresses.sort_by_key(|ip| learned.addresses.first() != Some(ip));
            let answers = |resolver: &IpAddr| world.query(*resolver, &known.centre.host).is_some_and(|o| o.ok().is_some());
            let resolvers = match found.source {
                LookupSource::Dns => system.iter().copied().filter(answers).collect(),
                LookupSource::Hosts | LookupSource::Literal => Vec::new(),
            };
            *learned = Learned { addresses, resolvers };
        }
    }

    /// Asks all centres at once. `None` = nothing is known of it that could be asked.
    pub async fn beat(&self) -> BTreeMap<String, Option<bool>> {
        let wall = Wall::new(clock::wall());
        let asked = self.centres.iter().map(|known| async {
            let learned = known.learned.borrow().clone();
            let usable = if learned.addresses.is_empty() { None } else { Some(known.usable(&learned, wall, self.patience).await) };
            (known.centre.name.clone(), usable)
        });
        join_all(asked).await.into_iter().collect()
    }
}

impl Known {
    fn works_at(&self, ip: IpAddr, world: &World) -> bool {
        let connected = |port: &u16| world.tcp(SocketAddr::new(ip, *port)).is_some_and(|o| o.ok().is_some());
        if self.services.is_empty() { world.ping(ip).is_some_and(|o| o.ok().is_some()) } else { self.services.keys().all(connected) }
    }

    async fn usable(&self, learned: &Learned, wall: Wall, patience: Duration) -> bool {
        let (named, reached) = tokio::join!(self.is_named(learned, patience), self.is_reached(learned, wall, patience));
        named && reached
    }

    /// One name server suffices, the next is asked when the first fails: as the C library does.
    async fn is_named(&self, learned: &Learned, patience: Duration) -> bool {
        for resolver in &learned.resolvers {
            let sighting = dns::query(*resolver, &self.centre.host, patience).await;
            if matches!(&sighting, Sighting::Query(_, Outcome::Ok(answer)) if !answer.addresses.is_empty()) {
                return true;
            }
        }
        learned.resolvers.is_empty()
    }

    /// One address suffices.
    async fn is_reached(&self, learned: &Learned, wall: Wall, patience: Duration) -> bool {
        let Some((first, others)) = learned.addresses.split_first() else { return false };
        self.is_well_at(*first, wall, patience).await
            || join_all(others.iter().map(|ip| self.is_well_at(*ip, wall, patience))).await.contains(&true)
    }

    async fn is_well_at(&self, ip: IpAddr, wall: Wall, patience: Duration) -> bool {
        if self.services.is_empty() {
            return matches!(ping::ping(ip, None, patience).await, Sighting::Ping(_, Outcome::Ok(_)));
        }
        let all = self.services.iter().map(|(port, service)| service.is_well(SocketAddr::new(ip, *port), wall, patience));
        join_all(all).await.into_iter().all(|well| well)
    }
}

impl Service {
    async fn is_well(&self, at: SocketAddr, wall: Wall, patience: Duration) -> bool {
        if self.tls.is_none() && self.http.is_none() {
            return matches!(tcp::connect_and_watch(at, patience).await, Sighting::Tcp(_, Outcome::Ok(_)));
        }
        let (_, Some(stream)) = tcp::connect(at, patience).await else { return false };
        let Some((server_name, setup)) = &self.tls else { return self.page(stream, wall, patience).await };
        let key = TlsKey { at, server_name: server_name.clone() };
        let shaken = tls::handshake(&key, stream, setup, wall, patience).await;
        // What could not be judged is no failure; the page behind it still tells.
        match (shaken.outcome, shaken.stream) {
            (Outcome::Ok(_) | Outcome::Unknown(_), Some(stream)) => self.page(stream, wall, patience).await,
            (Outcome::Ok(_) | Outcome::Unknown(_), None) => true,
            (Outcome::Failed(_), _) => false,
        }
    }

    async fn page<S>(&self, stream: S, wall: Wall, patience: Duration) -> bool
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let Some(wanted) = &self.http else { return true };
        let outcome = http::get(stream, &wanted.url, wanted.maintenance_marker.as_deref(), wall, patience).await;
        outcome.ok().is_some_and(|facts| http_is_well(wanted, facts))
    }
}

/// What must work on each port. Certificate files that cannot be read leave the certificate unjudged, as in a round.
fn services(centre: &Centre) -> BTreeMap<u16, Service> {
    let mut services: BTreeMap<u16, Service> = centre.tcp.iter().map(|port| (*port, Service::default())).collect();
    if let Some(config) = &centre.tls {
        let name = config.server_name.as_deref().unwrap_or(&centre.host);
        services.entry(config.port).or_default().tls = Some((tls::bare(name).to_owned(), Setup::load(config).unwrap_or_default()));
    }
    if let Some(config) = &centre.http
        && let Some(port) = config.url.port_or_known_default()
    {
        let service = services.entry(port).or_default();
        if config.url.scheme() == "https" && service.tls.is_none() {
            service.tls = Some((tls::bare(config.url.host_str().unwrap_or(&centre.host)).to_owned(), Setup::default()));
        }
        service.http = Some(config.clone());
    }
    services
}
