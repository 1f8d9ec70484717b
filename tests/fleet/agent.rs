//! An agent as far as it records and ships: the real log, the real courier, the real sink, in a process of its own that can be killed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use isonet::config::Terminal;
use isonet::model::{AgentEvent, Draft, TerminalCard, What};
use isonet::sink::{Cargo, Courier, Lag, Pace, Shipped, Sink};
use isonet::spool::{Claims, Cursors, Disk, Known, News, Position, Spool, newest};
use isonet::sys::clock;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use crate::Done;

/// The sink's name.
pub(crate) const SINK: &str = "fleet";

/// What an agent is told, as JSON in its environment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    /// Its state directory.
    pub(crate) state: PathBuf,
    /// Where it ships to.
    pub(crate) to: To,
    /// A record each so many milliseconds; 0 = none.
    pub(crate) every_ms: u64,
    /// What is wrong with it on purpose.
    pub(crate) mutant: Option<Mutant>,
}

/// Where to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum To {
    Nats { servers: Vec<String>, terminal: String },
    Syslog { address: std::net::SocketAddr, tls: Option<Tls> },
}

/// By which files an agent encrypts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tls {
    pub(crate) ca: PathBuf,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// Faults that the comparison has to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mutant {
    /// The cursor moves before the receiver's word.
    CursorFirst,
}

/// A courier's pauses here: a chaos of minutes is not spent waiting.
pub(crate) const PACE: Pace = Pace { first: Duration::from_millis(50), longest: Duration::from_millis(800) };

/// Opens the log of a state directory.
pub(crate) fn open(state: &Path, news: impl FnMut(News) + Send + 'static) -> Done<(Spool, Cursors<Disk>, Position)> {
    let text = |e: &dyn std::fmt::Display| format!("{}: {e}", state.display());
    let (spool, cursors) = (state.join("spool"), state.join("cursors"));
    let disk = Disk::own(&spool).map_err(|e| text(&e))?;
    let mut cursors = Cursors::open(Disk::own(&cursors).map_err(|e| text(&e))?).map_err(|e| text(&e))?;
    let claims = Claims { fingerprint: String::new(), anchor: Known::Absent, cursors: cursors.claim() };
    let card = TerminalCard::of(&Terminal::default(), Some("T".to_owned()), None, "");
    let (log, started) = Spool::start(disk, None, &claims, card, news).map_err(|e| text(&e))?;
    cursors.arrange(started.order);
    Ok((log, cursors, started.head))
}

/// Lives until it is killed, or asked to end.
pub(crate) fn live(orders: &Orders) -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    LocalSet::new().block_on(&runtime, async {
        let (tell, mut told) = mpsc::unbounded_channel();
        let (log, cursors, head) = open(&orders.state, move |news| drop(tell.send(news)))?;
        let (head, head_seen) = watch::channel(head);
        let (_farewell, farewell) = watch::channel(None);
        let cursors = Arc::new(cursors);
        let from = cursors.get(SINK).unwrap_or_else(|| Position { epoch: String::new(), seq: 0 });
        let courier = Courier {
            name: SINK.to_owned(),
            spool: orders.state.join("spool"),
            cursors,
            head: head_seen,
            farewell,
            lag: Lag::new(SINK, "test", from),
            pace: PACE,
            beats: None,
        };
        crate::sinks::begin(orders, courier)?;
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(|e| e.to_string())?;
        let mut due = tokio::time::interval(Duration::from_millis(orders.every_ms.max(1)));
        let mut count = 0;
        loop {
            tokio::select! {
                _ = term.recv() => break,
                news = told.recv() => if let Some(News::Recorded(recorded)) = news
                    && let Some(last) = recorded.last() {
                        drop(head.send(last.at.clone()));
                },
                _ = due.tick(), if orders.every_ms > 0 => {
                    count += 1;
                    log.record(Draft::new(&clock::stamp(), What::Agent(AgentEvent::Coalesced { count })));
                }
            }
        }
        log.close();
        Ok(())
    })
}

/// Says that all is taken before it is.
pub(crate) struct CursorFirst<S>(pub(crate) S);

impl<S: Sink> Sink for CursorFirst<S> {
    async fn ship(&mut self, cargo: Cargo<'_>) -> Shipped {
        let _ = self.0.ship(cargo).await;
        Shipped::all(cargo.records.len())
    }
}

/// Whether all that is in the log has been shipped by the word of the cursor.
pub(crate) fn is_shipped(state: &Path) -> bool {
    let at = Cursors::open(Disk::look(&state.join("cursors"))).ok().and_then(|cursors| cursors.get(SINK));
    let end = newest(&Disk::look(&state.join("spool"))).ok().flatten();
    end.is_some() && at == end
}
