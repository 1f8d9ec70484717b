//! The few questions that decide whether a service can be used, asked of what is known already: a name of its resolver, a connection, a
//! handshake, a page. Cheap enough to be repeated all day.
//!
//! A pulse names no cause and is not diagnosed. It asks an address that was seen to work; only a round finds new ones. So a pulse that
//! fails says "look properly, now", and a pulse that succeeds says no more than that these few things work.
//!
//! What a pulse needs in memory it needs for every centre at once: the rare ways and the large ones (a closer look, TLS) are boxed, so that only
//! who takes them pays for them. Every handshake is a full one: a resumed session would go on for as long as its ticket lasts behind a
//! certificate that has expired or was exchanged, which applications that begin anew cannot use.
//!
//! # Why bytes that others receive do not stand in for a pulse
//!
//! The kernel tells everybody (`inet_diag`) when a connection of any program last brought something from the centre. Such bytes could save
//! pulses, or put the next one off. They do not, for three reasons:
//!
//! * They prove less. They go on coming where a filter lets nothing new pass, where the certificate has expired (they are the handshake that the
//!   program then refuses), where every page is an error or says maintenance, and where no name server answers any more. All of that has
//!   to be seen within twenty seconds, and only a pulse sees it. So where TLS, a page or a name is configured there is nothing to be saved.
//! * What they do prove is as old as the last of them. So that a silence is found no later than now, the next pulse is due one interval after
//!   that byte, not after the pulse that it saved. Counters speak when somebody pays: with one exchange a minute the last byte is younger than
//!   the nine seconds behind a VPN one time in seven, and half of these are won: one pulse in fourteen. For the rest of the day, none.
//! * They are not cheaper. For an answer the kernel walks through its whole table of connections: measured, 21 µs of CPU on a PC with 4 GB
//!   of memory (32,768 places) and 230 µs with 24 GB, at each pulse, saved or not; a connection made and closed costs 11 µs.
//!
//! Counters of an interface say neither from whom nor when. What is received does count where it proves something: within a look, what answers
//! above proves what lies below. When to look is the engine's: seldom in health, at once on the kernel's word, and into a silence while it
//! lasts ([`incident::Engine`](crate::incident::Engine)).

mod name;
mod page;

use self::name::Question;
use self::page::{Page, Request};
use super::stream::Wall;
use super::tls::Setup;
use super::{http, ping, tcp, tls};
use crate::config::{Centre, CentreHttp, Config};
use crate::infer::{World, http_is_well};
use crate::model::{LookupSource, Outcome, TlsKey};
use crate::sys::clock;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// Addresses of one centre that are asked before it is called unusable.
const MOST_ADDRESSES: usize = 3;
/// The next name server or address is asked when the one before has been silent for so long: where all are, a pulse takes no longer than one.
const NEXT_AFTER: Duration = Duration::from_millis(500);

/// Centres that are asked at once; the next ones follow when some are done, or as many after [`MAKE_ROOM`].
const AT_ONCE: usize = 64;
/// A pulse must not become late for its own sake: ports that are watched for a moment, and silent ones, hold nobody up for longer.
const MAKE_ROOM: Duration = Duration::from_millis(100);

/// What to ask, learned from the configuration and from rounds that went well.
pub struct Pulse {
    patience: Duration,
    centres: Vec<Known>,
}

/// One pulse.
#[derive(Clone, Copy)]
struct Beat {
    wall: Wall,
    began: Instant,
    patience: Duration,
}

impl Beat {
    /// Until when a fresh connection is watched: long enough, and the same moment for all that began within a tenth of a second, so that
    /// they wake the processor once.
    fn watched(&self) -> Instant {
        const STEP: u128 = 100;
        let steps = (self.began.elapsed() + tcp::WATCH).as_millis() / STEP + 1;
        self.began + Duration::from_millis(u64::try_from(steps * STEP).unwrap_or(u64::MAX))
    }
}

/// One centre as a pulse knows it.
struct Known {
    centre: Centre,
    question: Question,
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
    http: Option<Wanted>,
}

/// The page that is asked for.
struct Wanted {
    config: CentreHttp,
    request: Request,
    /// How its answers are read: they were not plain once.
    careful: Cell<bool>,
}

impl Wanted {
    fn new(config: &CentreHttp) -> Self {
        // A text in the body has to be looked for in the body.
        let careful = Cell::new(config.maintenance_marker.is_some());
        Self { request: Request::new(&config.url), config: config.clone(), careful }
    }
}

impl Pulse {
    /// Reads the certificate files once: a changed file is taken in with the next configuration.
    pub fn new(config: &Config) -> Self {
        let centres = config.centres.iter().map(|centre| Known {
            centre: centre.clone(),
            question: Question::new(&centre.host),
            services: services(centre),
            learned: RefCell::default(),
        });
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

    /// Asks all centres. `None` = nothing is known of it that could be asked.
    pub async fn beat(&self) -> BTreeMap<String, Option<bool>> {
        let beat = Beat { wall: Wall::new(clock::wall()), began: Instant::now(), patience: self.patience };
        let asked = self.centres.iter().map(|known| async move {
            let learned = known.learned.borrow().clone();
            let usable = if learned.addresses.is_empty() { None } else { Some(known.usable(&learned, beat).await) };
            (known.centre.name.clone(), usable)
        });
        in_shifts(asked).await
    }
}

impl Known {
    fn works_at(&self, ip: IpAddr, world: &World) -> bool {
        let connected = |port: &u16| world.tcp(SocketAddr::new(ip, *port)).is_some_and(|o| o.ok().is_some());
        if self.services.is_empty() { world.ping(ip).is_some_and(|o| o.ok().is_some()) } else { self.services.keys().all(connected) }
    }

    async fn usable(&self, learned: &Learned, beat: Beat) -> bool {
        let (named, reached) = tokio::join!(self.is_named(learned, beat.patience), self.is_reached(learned, beat));
        named && reached
    }

    /// One name server suffices.
    async fn is_named(&self, learned: &Learned, patience: Duration) -> bool {
        let answers =
            async |resolver: IpAddr, patience| self.question.is_answered(resolver, learned.addresses.first().copied(), patience).await;
        learned.resolvers.is_empty() || any_in_turn(&learned.resolvers, patience, answers).await
    }

    /// One address suffices.
    async fn is_reached(&self, learned: &Learned, beat: Beat) -> bool {
        let is_well = async |ip: IpAddr, patience| self.is_well_at(ip, Beat { patience, ..beat }).await;
        any_in_turn(&learned.addresses, beat.patience, is_well).await
    }

    async fn is_well_at(&self, ip: IpAddr, beat: Beat) -> bool {
        if self.services.is_empty() {
            return ping::is_alive(ip, beat.patience).await;
        }
        let all = self.services.iter().map(|(port, service)| service.is_well(SocketAddr::new(ip, *port), beat));
        join_all(all).await.into_iter().all(|well| well)
    }
}

/// Does all of it, [`AT_ONCE`] at a time. Those that take long hold nobody up: after [`MAKE_ROOM`] as many more may begin.
async fn in_shifts<T, C: Default + Extend<T>>(all: impl Iterator<Item = impl Future<Output = T>>) -> C {
    let (mut all, mut running, mut done) = (all.peekable(), FuturesUnordered::new(), C::default());
    let (mut room, mut make_room) = (AT_ONCE, Instant::now() + MAKE_ROOM);
    loop {
        while running.len() < room
            && let Some(next) = all.next()
        {
            running.push(next);
        }
        let more = all.peek().is_some();
        tokio::select! {
            biased;
            one = running.next() => match one {
                Some(one) => done.extend([one]),
                None => return done,
            },
            () = sleep_until(make_room), if more => (room, make_room) = (room + AT_ONCE, make_room + MAKE_ROOM),
        }
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
    async fn is_well(&self, at: SocketAddr, beat: Beat) -> bool {
        match self.look(at, beat).await {
            Some(well) => well,
            // It has to be looked at with more care, from now on.
            None => Box::pin(self.look(at, beat)).await.unwrap_or(false),
        }
    }

    /// `None` = the answer was not plain, and was not looked at with care.
    async fn look(&self, at: SocketAddr, beat: Beat) -> Option<bool> {
        let (_, stream) = tcp::connect(at, beat.patience).await;
        let Some(stream) = stream else { return Some(false) };
        let Some((server_name, setup)) = &self.tls else {
            return match &self.http {
                Some(wanted) => wanted.look(stream, beat).await,
                None => Some(tcp::stays(&stream, beat.watched()).await),
            };
        };
        let key = TlsKey { at, server_name: server_name.clone() };
        let shaken = Box::pin(tls::handshake(&key, stream, setup, beat.wall, beat.patience)).await;
        match (shaken.outcome, shaken.stream, &self.http) {
            (Outcome::Failed(_), _, _) => Some(false),
            // What could not be judged is no failure; the page behind it still tells.
            (Outcome::Ok(_) | Outcome::Unknown(_), Some(stream), Some(wanted)) => Box::pin(wanted.look(stream, beat)).await,
            (Outcome::Ok(_) | Outcome::Unknown(_), _, _) => Some(true),
        }
    }
}

impl Wanted {
    async fn look<S>(&self, stream: S, beat: Beat) -> Option<bool>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        if self.careful.get() {
            let marker = self.config.maintenance_marker.as_deref();
            let outcome = Box::pin(http::get(stream, &self.config.url, marker, beat.wall, beat.patience)).await;
            return Some(outcome.ok().is_some_and(|facts| http_is_well(&self.config, facts)));
        }
        match self.request.send(stream, beat.patience).await {
            Page::Status(status) => Some(self.config.status.contains(&status)),
            Page::Broken => Some(false),
            Page::Unclear => {
                self.careful.set(true);
                None
            }
        }
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
        service.http = Some(Wanted::new(config));
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
    async fn many_are_asked_in_shifts_which_silence_does_not_hold_up() {
        let (running, most) = (Cell::new(0_usize), Cell::new(0));
        let ask = |takes: Duration| {
            let (running, most) = (&running, &most);
            async move {
                running.set(running.get() + 1);
                most.set(most.get().max(running.get()));
                sleep(takes).await;
                running.set(running.get() - 1);
            }
        };
        let shifts = async |takes| {
            most.set(0);
            let began = Instant::now();
            let done: Vec<()> = in_shifts((0..5 * AT_ONCE).map(|_| ask(takes))).await;
            (done.len(), most.get(), began.elapsed())
        };
        let quick = Duration::from_millis(10);
        assert_eq!(shifts(quick).await, (5 * AT_ONCE, AT_ONCE, quick * 5));
        let (done, _, took) = shifts(PATIENCE).await;
        assert_eq!((done, took), (5 * AT_ONCE, PATIENCE + MAKE_ROOM * 4));
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
