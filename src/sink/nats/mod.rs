//! NATS `JetStream` as a receiver: the centre's log of all terminals, on several servers.
//!
//! * One subject a terminal and epoch. Each record is stored under the condition that the last one of the subject is the one we think it is
//!   (`Nats-Expected-Last-Subject-Sequence`), so that no resend, however late, is stored twice, and nothing out of order.
//! * Only an acknowledgement by the configured stream counts. Where one is missing, and after each connection, the last record of the subject
//!   is looked at and held against this PC's log: what is there is passed over, and what this PC never wrote stops everything
//!   ([`Obstacle::Foreign`]), for then another PC ships under this name.
//! * A stream that allows it (`allow_atomic`, from nats-server 2.12) takes several records as one, all or none; the others take one at a time. The
//!   number doubles while acknowledgements come soon, so that a slow line is not asked for more than it carries.
//! * The connection stays open between shipments; while it does, the server's `PING` is answered. It is opened by the courier's pace only, to
//!   an address that the gate lets through, never by itself; and the gate is asked again before each shipment.
//!
//! What a terminal's user must be allowed: to publish to its subjects (`isonet.REGION.TERMINAL.>`, `isonet-hb.REGION.TERMINAL`), to
//! `$JS.API.STREAM.INFO.STREAM` and, to look, to `$JS.API.DIRECT.GET.STREAM.` followed by its subject where the stream has `allow_direct`, else to
//! `$JS.API.STREAM.MSG.GET.STREAM`, which shows all terminals' records (`$JS.DOMAIN.API.` where a domain is configured); and to subscribe to
//! `_INBOX.TERMINAL.>`.

mod credentials;
mod jetstream;
mod session;
mod store;
mod stream;
mod subject;
mod wire;

pub use subject::Names;

use super::way::{Files, Gate, Mark, Way, admit};
use super::{Cargo, Hindrance, Obstacle, Shipped, Sink};
use crate::sys::files;
use credentials::Credentials;
use session::{Caller, Session};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use store::Open;
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout};
use url::Url;

/// The port of a server that names none.
const PORT: u16 = 4222;
/// How long servers are tried, one after the other.
const CONNECTING: Duration = Duration::from_secs(30);

/// Where records go.
#[derive(Debug, Clone)]
pub struct Target {
    /// Servers, any of which will do: `tls://` or `nats://`.
    pub servers: Vec<Url>,
    /// The stream.
    pub stream: String,
    /// The `JetStream` domain that it is in; `None` = that of the servers.
    pub domain: Option<String>,
    /// The subject, with `{region}`, `{terminal}` and `{epoch}` to be filled in.
    pub subject: String,
    /// By these.
    pub names: Names,
    /// The credentials file.
    pub credentials: Option<PathBuf>,
    /// For servers over TLS.
    pub files: Option<Files>,
    /// How long records have to be kept.
    pub keep: Duration,
    /// The log, to hold against it what is stored.
    pub spool: PathBuf,
    /// How long to wait for each answer.
    pub patience: Duration,
}

impl Target {
    /// Where `JetStream` is asked for something.
    fn api(&self, what: &str) -> String {
        match &self.domain {
            None => format!("$JS.API.{what}"),
            Some(domain) => format!("$JS.{domain}.API.{what}"),
        }
    }
}

/// The way to a stream.
pub struct NatsSink {
    target: Target,
    gate: Gate,
    /// Kept for the sake of resumption, with the state in which its files were.
    tls: Option<(Way, Vec<Mark>)>,
    open: Option<Open>,
    /// What the stream does not promise.
    lacks: Vec<String>,
}

impl NatsSink {
    /// Nothing is read or opened yet.
    pub fn new(target: Target, gate: Gate) -> Self {
        Self { target, gate, tls: None, open: None, lacks: Vec::new() }
    }

    /// Ships; counts in `accepted` what is stored for good.
    async fn carry(&mut self, cargo: Cargo<'_>, accepted: &mut usize) -> Result<(), Hindrance> {
        match &self.open {
            None => self.open = Some(Open::new(self.connect().await?)),
            // It was opened hours ago, perhaps, and routes change under a connection.
            Some(open) => admit(&self.gate, open.session.at).await?,
        }
        let open = self.open.as_mut().expect("it was opened just now");
        let mut forbidden = None;
        if let Some(beat) = cargo.beat {
            open.session.publish(&self.target.names.beats(), &[], &beat.0);
            forbidden = open.session.settle().await?;
        }
        if let Some(lacks) = open.check(&self.target).await? {
            self.lacks = lacks;
        }
        open.store_all(&self.target, cargo.records, accepted, &mut self.lacks).await?;
        forbidden.map_or(Ok(()), Err)
    }

    /// To any server that will do, in an order drawn anew.
    async fn connect(&mut self) -> Result<Session, Hindrance> {
        let (until, order) = (Instant::now() + CONNECTING, RandomState::new());
        let mut servers: Vec<Url> = self.target.servers.clone();
        servers.sort_by_key(|server| order.hash_one(server.as_str()));
        let mut worst: Option<Hindrance> = None;
        for server in servers {
            if Instant::now() >= until {
                break;
            }
            match self.open_one(&server).await {
                Ok(session) => return Ok(session),
                Err(hindrance) if worst.as_ref().is_none_or(|worst| tells(&hindrance) > tells(worst)) => worst = Some(hindrance),
                Err(_) => {}
            }
        }
        Err(worst.unwrap_or_else(|| Hindrance::new(Obstacle::Here, "servers: none is configured")))
    }

    async fn open_one(&mut self, server: &Url) -> Result<Session, Hindrance> {
        let here = |why: String| Hindrance::new(Obstacle::Here, why);
        let credentials = match &self.target.credentials {
            None => None,
            Some(path) => {
                let text = files::read_text(path, credentials::LARGEST).map_err(|error| here(error.line()))?;
                Some(Credentials::read(&text).map_err(|fault| here(format!("{}: {fault}", path.display())))?)
            }
        };
        let way = self.way(server)?;
        let caller =
            Caller { way: &way, credentials: credentials.as_ref(), inbox: self.target.names.terminal(), patience: self.target.patience };
        let mut worst = None;
        for at in addresses(server, self.target.patience).await? {
            match Session::open(&caller, server, at).await {
                Ok(session) => return Ok(session),
                Err(hindrance) => worst = Some(hindrance),
            }
        }
        Err(worst.unwrap_or_else(|| Hindrance::new(Obstacle::Absent, format!("{}: has no address", server.host_str().unwrap_or_default()))))
    }

    fn way(&mut self, server: &Url) -> Result<Way, Hindrance> {
        if server.scheme() != "tls" {
            return Way::new(self.gate.clone(), None);
        }
        let files = self.target.files.as_ref().ok_or_else(|| Hindrance::new(Obstacle::Here, "ca is missing, which tls:// needs"))?;
        let marks = files.marks();
        match &self.tls {
            Some((way, read)) if *read == marks => Ok(way.clone()),
            _ => {
                let way = Way::new(self.gate.clone(), Some(files))?;
                Ok(self.tls.insert((way, marks)).0.clone())
            }
        }
    }
}

impl Sink for NatsSink {
    async fn ship(&mut self, cargo: Cargo<'_>) -> Shipped {
        let mut accepted = 0;
        let hindrance = self.carry(cargo, &mut accepted).await.err();
        match hindrance.as_ref().map(|hindrance| hindrance.obstacle) {
            None => {}
            // The server is well: half a million terminals that shake hands anew would not make it better.
            Some(Obstacle::Full | Obstacle::Busy | Obstacle::Setup | Obstacle::Foreign) => self.open.iter_mut().for_each(Open::forget),
            Some(_) => self.open = None,
        }
        let lacks = (!self.lacks.is_empty()).then(|| self.lacks.join("; "));
        Shipped { accepted, hindrance, lacks }
    }

    async fn idle(&mut self) -> Hindrance {
        let Some(open) = &mut self.open else { return std::future::pending().await };
        let hindrance = open.session.idle().await;
        self.open = None;
        hindrance
    }
}

/// The addresses of a server, each of which has to pass the gate.
async fn addresses(server: &Url, patience: Duration) -> Result<Vec<SocketAddr>, Hindrance> {
    let (host, port) = (server.host_str().unwrap_or_default().trim_matches(['[', ']']), server.port().unwrap_or(PORT));
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    match timeout(patience, lookup_host((host, port))).await {
        Ok(Ok(found)) => Ok(found.take(4).collect()),
        Ok(Err(error)) => Err(Hindrance::new(Obstacle::Absent, format!("{host}: {error}"))),
        Err(_) => Err(Hindrance::new(Obstacle::Silent, format!("{host}: no answer to a look-up of its name"))),
    }
}

/// How much a failure tells where several servers failed: that one is not there is what redundancy is for.
fn tells(hindrance: &Hindrance) -> u8 {
    match hindrance.obstacle {
        Obstacle::Silent => 0,
        Obstacle::Absent => 1,
        Obstacle::Broken | Obstacle::Busy => 2,
        _ => 3,
    }
}
