//! The control socket: HTTP/1.1 with JSON over Unix sockets in the run directory.
//!
//! | file | mode | for |
//! |---|---|---|
//! | `control.sock` | 0660, group `isonet` where there is one | root and the group: everything |
//! | `public.sock` | 0666 | anybody on this PC: `/v1/status` and the status page without what only an engineer may know, `/v1/changes` |
//! | `lock` | 0600 | whoever holds it is the one daemon of this directory |
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/status` | how things stand, `status/1` |
//! | `GET /v1/changes` | a server-sent event at once and whenever it is worth asking again; it says nothing else |
//! | `GET /v1/diagnosis`, `?fresh=1` | the last round as `diagnosis/1`; `fresh` runs one now, shared by all who ask, at most one every two seconds |
//! | `GET /v1/world`, `?fresh=1` | what was seen in that round, for `diagnose` |
//! | `GET /v1/incidents`, `?since=7d`, `?open=1` | the last record of each incident, `incidents/1` |
//! | `GET /v1/incidents?follow=1` | records from now on, one JSON line each, as they reach the disk |
//! | `POST /v1/incidents/comments` | the shop's statement about an incident: `{"incident": "EPOCH/SEQ", "text": "..."}`; answered when it is on disk |
//! | `GET /metrics` | figures in the text format of Prometheus |
//! | `GET /v1/grants` | all grants that are kept, `grants/1` |
//! | `POST /v1/retire` | for root and whoever runs the service: takes the terminal out of service (`{"by": ..., "reason": ..., "wait_s": 60}`); the answer is the note `retired/1` |
//! | `POST /v1/grants` | for root and the group `isonet-admin`: gives one, or revokes one (`{"revoke": "g-..."}`); the answer is as above |
//!
//! `lang=zh-CN` or `lang=en` chooses the language of texts. Errors are `{"error": {"code": ..., "text": ...}}`.
//!
//! Connections are tasks beside the loop and own nothing of it. They ask through a bounded channel and get a document that is made at most
//! once per change. No client can hold up the loop: places, heads, bodies, times and the rate of connections are bounded
//! ([`guests`], [`attend`]), a follower that lags is cut off, the log is read on a thread of its own.

mod attend;
mod door;
mod follow;
mod group;
mod guard;
mod guests;
mod keys;
mod lock;
mod page;
mod remarks;
mod request;
mod tail;

pub use door::ControlError;
pub use remarks::{Noted, Statement};
pub use request::{NotNoted, NotRetired, Refusal};
pub use tail::log;

use super::grants::Order;
use crate::catalogue::Lang;
use crate::config::WebListen;
use crate::model::IncidentBody;
use crate::report::{Facing, View};
use crate::spool::Position;
use attend::{Entrance, House};
use door::{Door, SocketFile};
use follow::Followers;
use hyper::body::Bytes;
use lock::Lock;
use page::{Port, Site};
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};

/// The file name of the socket for root and the group.
pub const CONTROL: &str = "control.sock";
/// The file name of the socket for everybody.
pub const PUBLIC: &str = "public.sock";

/// Questions on their way to the loop.
const QUEUE: usize = 32;

/// What the loop is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// How things stand.
    Status(View),
    /// The standing part of the page.
    Page(View),
    /// What the last round meant.
    Diagnosis(Freshness),
    /// Everything seen in the last round.
    World(Freshness),
    /// Figures for a monitoring system.
    Metrics,
}

/// Which round is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// The last one.
    Latest,
    /// One that began after the question, or two seconds before it at most.
    Fresh,
}

/// A question with the place for its answer; `None` = there is nothing to answer with yet.
#[derive(Debug)]
pub struct Asked {
    /// What.
    pub question: Question,
    /// In which language.
    pub lang: Lang,
    /// For the answer.
    pub answer: oneshot::Sender<Option<Bytes>>,
}

/// An order with the place for its answer, or the question what was ordered.
#[derive(Debug)]
pub struct Ordered {
    /// What; `None` = nothing new, only the list is wanted.
    pub order: Option<Order>,
    /// The user who gives it. That they may was seen to.
    pub uid: u32,
    /// For the list of grants as it is afterwards.
    pub answer: oneshot::Sender<Result<Bytes, Refusal>>,
}

/// A statement of the shop about an incident, with the place for its answer.
#[derive(Debug)]
pub struct Remark {
    /// The incident as its last record has it.
    pub body: Box<IncidentBody>,
    /// What is said. That it is fit was seen to.
    pub text: String,
    /// For the answer, when it is on disk.
    pub answer: oneshot::Sender<Result<Bytes, Refusal>>,
}

/// That the terminal is taken out of service, with the place for the answer.
#[derive(Debug)]
pub struct Retire {
    /// Who does it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// How long receivers are waited for.
    pub wait: Duration,
    /// For the note, when it is on disk.
    pub answer: oneshot::Sender<Result<Bytes, Refusal>>,
}

/// What comes from clients.
#[derive(Debug)]
pub enum Call {
    /// A question.
    Asked(Asked),
    /// An order.
    Ordered(Ordered),
    /// A statement about an incident.
    Remarked(Remark),
    /// The end.
    Retire(Retire),
}

/// Reads the log: calls for each of its lines, the oldest first, until told to stop. Runs on a thread of its own.
pub type Log = Arc<dyn Fn(&mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> io::Result<()> + Send + Sync>;

/// The sockets, seen from the loop.
pub struct Control {
    asked: mpsc::Receiver<Call>,
    // Keeps `asked` open where there is no socket.
    ask: mpsc::Sender<Call>,
    followers: Rc<Followers>,
    /// Who waits for something to change, at each entrance.
    viewers: Vec<Rc<Followers>>,
    /// The last record that is on disk.
    recorded: watch::Sender<Position>,
    // Dropped in this order: no more clients, no more files, then the place is free for another daemon.
    clients: JoinSet<()>,
    doors: Vec<(SocketFile, View)>,
    /// The port of the page; there is one while it serves.
    port: Option<Port>,
    site: Option<Rc<Site>>,
    _lock: Option<Lock>,
}

impl Control {
    /// Takes the directory and opens both sockets in it; who connects waits until [`serve`](Self::serve).
    pub fn open(dir: &Path) -> Result<Self, ControlError> {
        fs::create_dir_all(dir).map_err(ControlError::io("make the directory", dir))?;
        let lock = Lock::take(dir)?;
        let doors = [(CONTROL, View::Whole), (PUBLIC, View::Clerk)];
        let doors = doors.into_iter().map(|(name, view)| Ok((SocketFile::open(&dir.join(name), view)?, view)));
        Ok(Self { doors: doors.collect::<Result<_, ControlError>>()?, _lock: Some(lock), ..Self::closed() })
    }

    /// No sockets: nobody ever asks.
    pub fn closed() -> Self {
        let (ask, asked) = mpsc::channel(QUEUE);
        Self {
            asked,
            ask,
            followers: Rc::new(Followers::of_records()),
            viewers: Vec::new(),
            recorded: watch::Sender::new(tail::beginning()),
            clients: JoinSet::new(),
            doors: Vec::new(),
            port: None,
            site: None,
            _lock: None,
        }
    }

    /// Begins to serve; the log is in `dir` and ends at `head`. Must be called within a [`LocalSet`](tokio::task::LocalSet).
    pub fn serve(&mut self, dir: &Path, head: Position, facing: &Facing, lang: Lang) {
        self.recorded.send_replace(head);
        self.clients.spawn_local(tail::tell(dir.to_owned(), self.recorded.subscribe(), Rc::clone(&self.followers)));
        self.site = Some(Rc::new(Site::new(dir, self.recorded.subscribe(), facing, lang)));
        for (file, view) in std::mem::take(&mut self.doors) {
            self.receive(Door::File(file), Entrance::File, view);
        }
    }

    fn receive(&mut self, door: Door, entrance: Entrance, view: View) -> Option<AbortHandle> {
        let site = Rc::clone(self.site.as_ref()?);
        let viewers = Rc::new(Followers::of_changes());
        self.viewers.retain(|viewers| Rc::strong_count(viewers) > 1);
        self.viewers.push(Rc::clone(&viewers));
        let house = House {
            entrance,
            view,
            lang: site.lang(),
            ask: self.ask.clone(),
            followers: Rc::clone(&self.followers),
            viewers,
            log: site.log(),
            reading: site.reading(),
            site,
        };
        Some(self.clients.spawn_local(guests::receive(door, Rc::new(house))))
    }

    /// Serves the page there from now on, and nowhere else. A place that is taken is tried again by [`again`](Self::again).
    pub fn listen(&mut self, listen: WebListen) {
        if self.port.as_ref().is_some_and(|port| port.wanted == listen) {
            return;
        }
        self.port = Some(Port::unopened(listen));
        self.again();
    }

    /// Tries to open the port of the page where that failed before.
    pub fn again(&mut self) {
        let Some(mut port) = self.port.take() else { return };
        if let Some(at) = port.missing() {
            match Door::port(at) {
                Ok((door, at)) => {
                    let task = self.receive(door, Entrance::Port(at.port()), View::Clerk);
                    if let Some(site) = &self.site {
                        site.listens(Some(at));
                    }
                    port.opened(at, task);
                }
                Err(error) => port.refused(error),
            }
        } else if port.wanted == WebListen::Off
            && let Some(site) = &self.site
        {
            site.listens(None);
        }
        self.port = Some(port);
    }

    /// Why the page is not served though it should be.
    pub fn page_trouble(&self, lang: Lang) -> Option<String> {
        self.port.as_ref()?.trouble(lang)
    }

    /// Whom to call, and whose PC it is, from now on.
    pub fn face(&self, facing: &Facing) {
        if let Some(site) = &self.site {
            site.face(facing);
        }
    }

    /// The next question or order; waits for ever where nobody asks. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Call {
        match self.asked.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }

    /// Everything up to this record is on disk now. Never waits.
    pub fn recorded(&self, upto: Position) {
        self.recorded.send_replace(upto);
    }

    /// It is worth asking again how things stand. Costs nothing while nobody waits for it.
    pub fn changed(&self) {
        for viewers in &self.viewers {
            viewers.tell_change();
        }
    }

    /// Ends all connections and removes the files.
    pub async fn close(mut self) {
        self.clients.shutdown().await;
    }
}
