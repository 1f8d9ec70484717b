//! One centre from its name to its web page: lookup, then for every address TCP, TLS and HTTP, and whether large packets pass.
//!
//! Invariants: every address has one budget for its whole chain, all addresses run at once, configured addresses do not wait for
//! the lookup, and sightings are emitted as they come, so that what was seen survives the caller's deadline. Silence in less time
//! than an answer may take is `Unknown`, never a failure.

use super::dns;
use super::http::{self, Large};
use super::stream::Wall;
use super::tcp::{self, Segments};
use super::tls::{self, Setup, bare};
use crate::config::{Centre, CentreHttp, CentreTls};
use crate::model::{Failure, FailureKind, Outcome, Reply, Sighting, TlsFacts, TlsFault, TlsKey, Unseen};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

/// What lookup, TCP, TLS and HTTP of one address may take together.
pub const BUDGET: Duration = Duration::from_secs(3);

/// The kernel gives up on a neighbour after three seconds of ARP and says so a moment later; a connect that stops at three misses
/// the answer. Only the connect itself may take this much longer.
const ARP_GRACE: Duration = Duration::from_millis(200);

/// Most addresses of one centre, and most of them that start before the lookup has answered.
const MOST_ADDRESSES: usize = 6;
const MOST_EARLY: usize = 3;

/// A lookup may take so much of the budget; the rest must be enough to prove something about the addresses.
const LOOKUP: Duration = Duration::from_secs(2);

/// An answer over a healthy path comes well within this; silence in a shorter time proves nothing.
const TELLING_SILENCE: Duration = Duration::from_millis(800);

/// Patience of each upload, and how long the first may take before the control with small segments starts beside it.
const UPLOAD: Duration = Duration::from_millis(2500);
const CONTROL_AFTER: Duration = Duration::from_millis(300);

/// Longest wait for the date of a server whose certificate was refused.
const DATE: Duration = Duration::from_millis(500);

/// Status codes with which web servers that asked for a certificate refuse a request without one (400 and 496 are nginx's).
const NO_CERTIFICATE: [u16; 3] = [400, 495, 496];

/// What a round knows when it sends us to a centre.
#[derive(Clone, Copy)]
pub struct Errand<'a> {
    /// The addresses that the hosts file has for the centre's name.
    pub from_hosts: Option<&'a [IpAddr]>,
    /// Whether a looked-up address may be asked: where a name server sends us is not always where we may go.
    pub may_ask: &'a dyn Fn(IpAddr) -> bool,
    /// Our clock, to compare with the servers'.
    pub wall: Wall,
    /// What lookup and chains may take.
    pub budget: Duration,
}

/// Looks at `centre`.
pub async fn centre(centre: &Centre, errand: Errand<'_>, emit: &dyn Fn(Sighting)) {
    let Errand { from_hosts, may_ask, wall, budget } = errand;
    let chain = Chain { centre, services: services(centre), wall, deadline: Instant::now() + budget, emit };
    let early: Vec<IpAddr> = distinct(&centre.addresses, &[]).into_iter().take(MOST_EARLY).collect();
    let late = async {
        let found = dns::lookup(&centre.host, from_hosts.map(<[IpAddr]>::to_vec), LOOKUP.min(budget)).await;
        let addresses = match &found {
            Sighting::Lookup(_, outcome) => outcome.ok().map(|found| found.addresses.clone()).unwrap_or_default(),
            _ => Vec::new(),
        };
        emit(found);
        let (allowed, strange): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|ip| may_ask(*ip));
        strange.into_iter().take(MOST_ADDRESSES).for_each(|ip| chain.refrain(ip));
        let rest = distinct(&[allowed, centre.addresses.clone()].concat(), &early);
        join_all(rest.into_iter().take(MOST_ADDRESSES - early.len()).map(|ip| chain.address(ip))).await;
    };
    tokio::join!(join_all(early.iter().map(|ip| chain.address(*ip))), late);
}

/// Each address once, without those already taken.
fn distinct(addresses: &[IpAddr], taken: &[IpAddr]) -> Vec<IpAddr> {
    let mut kept = Vec::new();
    for ip in addresses {
        if !taken.contains(ip) && !kept.contains(ip) {
            kept.push(*ip);
        }
    }
    kept
}

/// What is expected to answer on one port.
#[derive(Debug, Default)]
struct Service<'a> {
    /// The TLS name, its files, and the configuration they come from.
    tls: Option<Tls>,
    http: Option<&'a CentreHttp>,
}

#[derive(Debug)]
struct Tls {
    server_name: String,
    /// The files, or why they cannot be used.
    setup: Result<Setup, Unseen>,
}

/// What to expect on each port of `centre`. Nothing configured = nothing asked.
fn services(centre: &Centre) -> BTreeMap<u16, Service<'_>> {
    let mut services: BTreeMap<u16, Service<'_>> = centre.tcp.iter().map(|port| (*port, Service::default())).collect();
    if let Some(config) = &centre.tls {
        services.entry(config.port).or_default().tls = Some(tls_of(config, &centre.host));
    }
    if let Some(config) = &centre.http
        && let Some(port) = config.url.port_or_known_default()
    {
        let service = services.entry(port).or_default();
        service.http = Some(config);
        if config.url.scheme() == "https" && service.tls.is_none() {
            let server_name = bare(config.url.host_str().unwrap_or(&centre.host)).to_owned();
            service.tls = Some(Tls { server_name, setup: Ok(Setup::default()) });
        }
    }
    services
}

fn tls_of(config: &CentreTls, host: &str) -> Tls {
    let server_name = bare(config.server_name.as_deref().unwrap_or(host)).to_owned();
    Tls { server_name, setup: Setup::load(config).map_err(Unseen::from) }
}

struct Chain<'a> {
    centre: &'a Centre,
    services: BTreeMap<u16, Service<'a>>,
    wall: Wall,
    deadline: Instant,
    emit: &'a dyn Fn(Sighting),
}

impl Chain<'_> {
    async fn address(&self, ip: IpAddr) {
        let services = self.services.iter();
        join_all(services.map(|(port, service)| self.service(SocketAddr::new(ip, *port), service))).await;
    }

    /// TCP, and on it what the service is.
    async fn service(&self, at: SocketAddr, service: &Service<'_>) {
        let patience = self.remaining() + ARP_GRACE;
        if service.tls.is_none() && service.http.is_none() {
            return (self.emit)(honest_tcp(tcp::connect_and_watch(at, patience).await, patience));
        }
        let (sighting, stream) = tcp::connect(at, patience).await;
        (self.emit)(honest_tcp(sighting, patience));
        let Some(stream) = stream else { return self.skip(at, service, &Unseen::Skipped) };
        match service.http {
            Some(http) => {
                tokio::join!(self.speak(at, service, stream), self.uploads(at, http, service.tls.as_ref()));
            }
            None => self.speak(at, service, stream).await,
        }
    }

    /// Says that an address was not asked at all.
    fn refrain(&self, ip: IpAddr) {
        for (port, service) in &self.services {
            let at = SocketAddr::new(ip, *port);
            (self.emit)(Sighting::Tcp(at, Outcome::Unknown(Unseen::PublicAddress)));
            self.skip(at, service, &Unseen::PublicAddress);
        }
    }

    /// Says that the layers above the connect were not asked.
    fn skip(&self, at: SocketAddr, service: &Service<'_>, why: &Unseen) {
        if let Some(tls) = &service.tls {
            (self.emit)(Sighting::Tls(tls.key(at), Outcome::Unknown(why.clone())));
        }
        if let Some(http) = service.http {
            (self.emit)(Sighting::Http(http.url.to_string(), at, Outcome::Unknown(why.clone())));
        }
    }

    /// TLS where the service has it, then HTTP where it has that.
    async fn speak(&self, at: SocketAddr, service: &Service<'_>, stream: TcpStream) {
        match (&service.tls, service.http) {
            (_, Some(http)) if http.url.scheme() == "http" => {
                self.http(at, http, stream).await;
            }
            (Some(tls), http) => self.secured(at, tls, http, stream).await,
            (None, _) => {}
        }
    }

    async fn secured(&self, at: SocketAddr, tls: &Tls, http: Option<&CentreHttp>, stream: TcpStream) {
        let tell = |outcome| (self.emit)(Sighting::Tls(tls.key(at), outcome));
        let unasked = |why| {
            if let Some(http) = http {
                (self.emit)(Sighting::Http(http.url.to_string(), at, Outcome::Unknown(why)));
            }
        };
        let setup = match &tls.setup {
            Ok(setup) => setup,
            Err(why) => {
                tell(Outcome::Unknown(why.clone()));
                return unasked(why.clone());
            }
        };
        let patience = self.remaining();
        let shaken = tls::handshake(&tls.key(at), stream, setup, self.wall, patience).await;
        match (honest(shaken.outcome, patience), shaken.stream, http) {
            (Outcome::Ok(facts), Some(stream), Some(http)) if shaken.unshown => {
                let status = self.http(at, http, stream).await;
                let refused = status.is_some_and(|status| NO_CERTIFICATE.contains(&status));
                tell(if refused { without_certificate(facts) } else { Outcome::Ok(facts) });
            }
            (outcome @ Outcome::Ok(_), Some(stream), Some(http)) => {
                tell(outcome);
                self.http(at, http, stream).await;
            }
            (Outcome::Failed(failure), Some(stream), http) => {
                tell(Outcome::Failed(self.dated(failure, at, http, stream).await));
                unasked(Unseen::Skipped);
            }
            // The certificate could not be judged for a reason of ours; what the server says is seen all the same.
            (outcome @ Outcome::Unknown(_), Some(stream), Some(http)) if !shaken.unshown => {
                tell(outcome);
                self.http(at, http, stream).await;
            }
            (outcome @ Outcome::Ok(_), _, None) => tell(outcome),
            (outcome, _, _) => {
                tell(outcome);
                unasked(Unseen::Skipped);
            }
        }
    }

    /// Adds the server's date to a refused certificate: it tells a wrong clock from a bad certificate.
    async fn dated(&self, failure: Failure, at: SocketAddr, http: Option<&CentreHttp>, stream: tls::Stream) -> Failure {
        let FailureKind::Tls(fault, Some(mut facts)) = failure.kind else { return failure };
        let root = Url::parse(&format!("https://{at}/")).ok();
        if let Some(url) = http.map(|http| &http.url).or(root.as_ref()) {
            facts.date_offset_s = http::date_offset(stream, url, self.wall, DATE.min(self.remaining())).await;
        }
        Failure { kind: FailureKind::Tls(fault, Some(facts)), ..failure }
    }

    /// Asks for the page; gives its status.
    async fn http<S>(&self, at: SocketAddr, config: &CentreHttp, stream: S) -> Option<u16>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let patience = self.remaining();
        let outcome = http::get(stream, &config.url, config.maintenance_marker.as_deref(), self.wall, patience).await;
        let status = outcome.ok().map(|facts| facts.status);
        (self.emit)(Sighting::Http(config.url.to_string(), at, honest(outcome, patience)));
        status
    }

    /// A large request with full segments, and when it is not answered soon, beside it one with small ones.
    async fn uploads(&self, at: SocketAddr, http: &CentreHttp, tls: Option<&Tls>) {
        let test = self.centre.upload_test.as_ref();
        let large = test.map_or(Large::Header(&http.url), |test| Large::Body(&test.url, test.bytes));
        let url = test.map_or(&http.url, |test| &test.url);
        let at = SocketAddr::new(at.ip(), url.port_or_known_default().unwrap_or(at.port()));
        let name = (url.scheme() == "https").then(|| tls.map_or_else(|| Tls::named(url), Tls::unjudged));
        let full = async {
            let outcome = self.upload(at, name.as_ref(), large, Segments::Full).await;
            let passed = outcome.ok().is_some();
            (self.emit)(Sighting::Upload(at, outcome));
            passed
        };
        let small = async {
            sleep(CONTROL_AFTER).await;
            let outcome = self.upload(at, name.as_ref(), large, Segments::Small).await;
            (self.emit)(Sighting::UploadSmall(at, outcome));
        };
        let (mut full, mut small) = (pin!(full), pin!(small));
        tokio::select! {
            biased;
            // Only what did not pass needs its control.
            passed = &mut full => if !passed { small.await },
            () = &mut small => drop(full.await),
        }
    }

    async fn upload(&self, at: SocketAddr, tls: Option<&Tls>, large: Large<'_>, segments: Segments) -> Outcome<Reply> {
        let patience = self.remaining().min(UPLOAD);
        let exchange = async {
            let stream = match tcp::open(at, segments, patience).await {
                Ok(stream) => stream,
                Err(outcome) => return outcome,
            };
            let Some(Tls { server_name, setup: Ok(setup) }) = tls else {
                return http::upload(stream, large, self.wall, patience).await;
            };
            let key = TlsKey { at, server_name: server_name.clone() };
            let shaken = tls::handshake(&key, stream, setup, self.wall, patience).await;
            match (shaken.outcome, shaken.stream) {
                (_, Some(stream)) => http::upload(stream, large, self.wall, patience).await,
                (Outcome::Failed(failure), None) => Outcome::Failed(failure),
                (Outcome::Unknown(why), None) => Outcome::Unknown(why),
                (Outcome::Ok(_), None) => Outcome::Unknown(Unseen::Skipped),
            }
        };
        let silence = Outcome::Failed(Failure { kind: FailureKind::Silence, elapsed: patience });
        honest(timeout(patience, exchange).await.unwrap_or(silence), patience)
    }

    fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

impl Tls {
    fn key(&self, at: SocketAddr) -> TlsKey {
        TlsKey { at, server_name: self.server_name.clone() }
    }

    /// The same without a judgement: a large request tests the path, not the certificate.
    fn unjudged(&self) -> Self {
        let identity = self.setup.as_ref().ok().and_then(|setup| setup.identity.clone());
        Self { server_name: self.server_name.clone(), setup: Ok(Setup { identity, ..Setup::default() }) }
    }

    fn named(url: &Url) -> Self {
        Self { server_name: bare(url.host_str().unwrap_or_default()).to_owned(), setup: Ok(Setup::default()) }
    }
}

/// The server took the handshake and refused the request for want of a certificate.
fn without_certificate(facts: TlsFacts) -> Outcome<TlsFacts> {
    let elapsed = facts.elapsed;
    Outcome::Failed(Failure { kind: FailureKind::Tls(TlsFault::ClientCertificate, Some(Box::new(facts))), elapsed })
}

/// Silence that was cut short by the budget says nothing.
fn honest<T>(outcome: Outcome<T>, patience: Duration) -> Outcome<T> {
    match outcome {
        Outcome::Failed(Failure { kind: FailureKind::Silence, .. }) if patience < TELLING_SILENCE => Outcome::Unknown(Unseen::Deadline),
        other => other,
    }
}

fn honest_tcp(sighting: Sighting, patience: Duration) -> Sighting {
    match sighting {
        Sighting::Tcp(at, outcome) => Sighting::Tcp(at, honest(outcome, patience)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{distinct, honest, services};
    use crate::config::Centre;
    use crate::model::{Failure, FailureKind, Outcome, Reply, Unseen};
    use std::net::IpAddr;
    use std::time::Duration;

    fn centre(text: &str) -> Centre {
        toml::from_str(&format!("name = 'c'\nhost = 'settle.centre.example'\n{text}")).unwrap()
    }

    #[test]
    fn one_port_is_one_connection() {
        let centre = centre("tcp = [443, 9000]\ntls = { port = 443 }\nhttp = { url = 'https://settle.centre.example/health' }");
        let services = services(&centre);
        assert_eq!(services.keys().copied().collect::<Vec<_>>(), [443, 9000]);
        assert!(services[&443].tls.is_some() && services[&443].http.is_some());
        assert!(services[&9000].tls.is_none() && services[&9000].http.is_none());
    }

    #[test]
    fn an_https_address_brings_its_own_tls() {
        let centre = centre("http = { url = 'https://[fd00::1]:8443/health' }");
        assert_eq!(services(&centre)[&8443].tls.as_ref().unwrap().server_name, "fd00::1");
    }

    #[test]
    fn nothing_configured_is_nothing_asked() {
        assert!(services(&centre("")).is_empty());
    }

    #[test]
    fn a_ca_that_cannot_be_read_is_our_failure() {
        let centre = centre("tls = { port = 443, ca = '/nonexistent/ca.pem' }");
        let services = services(&centre);
        let why = services[&443].tls.as_ref().unwrap().setup.as_ref().unwrap().unjudged.as_ref().unwrap();
        assert!(matches!(why, Unseen::Error(text) if text.contains("/nonexistent/ca.pem")), "{why:?}");
    }

    #[test]
    fn silence_cut_short_says_nothing() {
        let silence = || Outcome::<Reply>::Failed(Failure { kind: FailureKind::Silence, elapsed: Duration::from_millis(100) });
        assert_eq!(honest(silence(), Duration::from_millis(100)), Outcome::Unknown(Unseen::Deadline));
        assert_eq!(honest(silence(), Duration::from_secs(2)), silence());
    }

    #[test]
    fn every_address_is_asked_once() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let all = [ip("10.0.0.1"), ip("10.0.0.1"), ip("10.0.0.2"), ip("fd00::1")];
        assert_eq!(distinct(&all, &[ip("10.0.0.2")]), [ip("10.0.0.1"), ip("fd00::1")]);
    }
}
