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
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::timeout;

/// Addresses of one centre that are asked before it is called unusable.
const MOST_ADDRESSES: usize = 3;
/// The next name server or address is asked when the one before has been silent for so long: where all are, a pulse takes no longer than one.
const NEXT_AFTER: Duration = Duration::from_millis(500);

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

    /// One name server suffices.
    async fn is_named(&self, learned: &Learned, patience: Duration) -> bool {
        let answers = async |resolver: IpAddr, patience| {
            let sighting = dns::query(resolver, &self.centre.host, patience).await;
            matches!(&sighting, Sighting::Query(_, Outcome::Ok(answer)) if !answer.addresses.is_empty())
        };
        learned.resolvers.is_empty() || any_in_turn(&learned.resolvers, patience, answers).await
    }

    /// One address suffices.
    async fn is_reached(&self, learned: &Learned, wall: Wall, patience: Duration) -> bool {
        any_in_turn(&learned.addresses, patience, async |ip, patience| self.is_well_at(ip, wall, patience).await).await
    }

    async fn is_well_at(&self, ip: IpAddr, wall: Wall, patience: Duration) -> bool {
        if self.services.is_empty() {
            return matches!(ping::ping(ip, None, patience).await, Sighting::Ping(_, Outcome::Ok(_)));
        }
        let all = self.services.iter().map(|(port, service)| service.is_well(SocketAddr::new(ip, *port), wall, patience));
        join_all(all).await.into_iter().all(|well| well)
    }
}

/// Whether one of them is well: each is asked once the one before has failed or been silent for [`NEXT_AFTER`], and all end together.
async fn any_in_turn(hosts: &[IpAddr], patience: Duration, is_well: impl AsyncFn(IpAddr, Duration) -> bool) -> bool {
    let mut asked = FuturesUnordered::new();
    for (turn, ip) in (0..).zip(hosts) {
        asked.push(is_well(*ip, patience.saturating_sub(NEXT_AFTER * turn).max(NEXT_AFTER)));
        if let Ok(Some(true)) = timeout(NEXT_AFTER, asked.next()).await {
            return true;
        }
    }
    while let Some(well) = asked.next().await {
        if well {
            return true;
        }
    }
    false
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Instant, sleep};

    const PATIENCE: Duration = Duration::from_secs(2);

    /// 10.0.0.1 is silent, 10.0.0.2 refuses, 10.0.0.3 answers.
    async fn asked(hosts: &[u8]) -> (bool, Duration) {
        let hosts: Vec<IpAddr> = hosts.iter().map(|last| IpAddr::from([10, 0, 0, *last])).collect();
        let began = Instant::now();
        let answers = async |ip: IpAddr, patience| {
            let (after, well) = match ip.to_string().as_str() {
                "10.0.0.1" => (patience, false),
                "10.0.0.2" => (Duration::from_millis(1), false),
                _ => (Duration::from_millis(5), true),
            };
            sleep(after).await;
            well
        };
        (any_in_turn(&hosts, PATIENCE, answers).await, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_is_asked_when_one_fails_or_is_silent_for_a_while() {
        let ms = |ms| Duration::from_millis(ms);
        assert_eq!(asked(&[3, 1]).await, (true, ms(5)), "nobody else is waited for");
        assert_eq!(asked(&[2, 3]).await, (true, ms(6)));
        assert_eq!(asked(&[1, 3]).await, (true, ms(505)));
        assert_eq!(asked(&[1, 2, 3]).await, (true, ms(506)));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_all_takes_no_longer_than_silence_of_one() {
        for hosts in [&[1][..], &[1, 1], &[1, 1, 1], &[2, 1]] {
            let (well, took) = asked(hosts).await;
            assert!(!well && took <= PATIENCE + Duration::from_millis(1), "{hosts:?}: {took:?}");
        }
        assert!(!asked(&[]).await.0);
    }
}
