//! One connection: one request, one answer, each in its time.

use super::super::grants::Order;
use super::follow::{Followers, Lines};
use super::page::{self, Site};
use super::request::{Refusal, Wish, is_of_page, understand};
use super::{Asked, Call, Log, Ordered, Question, Retire, group, guard, remarks};
use crate::catalogue::Lang;
use crate::incident::log::{self, Wanted};
use crate::report::View;
use crate::sys::{clock, peer};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

/// The head of a request must be there by then.
const HEAD_BY: Duration = Duration::from_secs(5);
/// The whole must be over by then, but for followers: the longest answer and the time to take it.
const OVER_BY: Duration = Duration::from_secs(20);
/// Largest head of a request, bytes.
const LARGEST_HEAD: usize = 8 * 1024;
/// Largest body, bytes.
const LARGEST_BODY: usize = 4 * 1024;
/// The loop answers by then, or the client is told that it does not.
pub(super) const ANSWERED_BY: Duration = Duration::from_secs(10);

const JSON: &str = "application/json";
const JSON_LINES: &str = "application/x-ndjson";
const EVENTS: &str = "text/event-stream";
const FIGURES: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where a connection came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entrance {
    /// A socket in the file system: the kernel says who it is.
    File,
    /// This port of the loopback interface: any page in a browser may be behind it.
    Port(u16),
}

/// What all connections of one socket share.
pub(super) struct House {
    pub(super) entrance: Entrance,
    pub(super) view: View,
    /// Of texts, unless the client wants another.
    pub(super) lang: Lang,
    pub(super) ask: mpsc::Sender<Call>,
    pub(super) followers: Rc<Followers>,
    /// Who waits at this entrance for something to change.
    pub(super) viewers: Rc<Followers>,
    pub(super) log: Log,
    /// Readers of the log at once.
    pub(super) reading: Rc<Semaphore>,
    /// What the page needs besides.
    pub(super) site: Rc<Site>,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its request is not whole yet.
    Arriving,
    /// Its answer is being made.
    Asking,
    /// It takes its answer, since then.
    Taking(Instant),
    /// It follows the records.
    Following,
}

/// Who is connected, as the kernel says: it cannot be lied about.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    uid: Option<u32>,
    groups: Vec<u32>,
}

impl Peer {
    pub(super) fn of(stream: &UnixStream) -> Self {
        let told = stream.peer_cred().ok();
        let mut groups = peer::groups(stream).unwrap_or_default();
        groups.extend(told.map(|told| told.gid()));
        Self { uid: told.map(|told| told.uid()), groups }
    }

    /// By a port: nobody knows who.
    pub(super) fn nobody() -> Self {
        Self { uid: None, groups: Vec::new() }
    }

    /// Root, or a member of `isonet-admin`.
    fn may_order(&self) -> bool {
        self.uid == Some(0) || group::admin_id().is_some_and(|admin| self.groups.contains(&admin))
    }

    /// Root, or whoever runs the service: it ends for good.
    fn may_retire(&self) -> bool {
        self.uid.is_some_and(|uid| uid == 0 || uid == rustix::process::geteuid().as_raw())
    }
}

pub(super) type Answer = Response<Either<Full<Bytes>, Lines>>;

/// Serves one connection to its end.
pub(super) async fn attend(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, peer: Peer, house: Rc<House>, stage: Rc<Cell<Stage>>) {
    let cut_off = Rc::new(Notify::new());
    let service = service_fn(|request| {
        let (house, end, stage, peer) = (Rc::clone(&house), Rc::clone(&cut_off), Rc::clone(&stage), peer.clone());
        async move {
            let answer = respond(&house, request, end, &stage, &peer).await;
            let follows = matches!(answer.body(), Either::Right(_));
            stage.set(if follows { Stage::Following } else { Stage::Taking(Instant::now()) });
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(LARGEST_HEAD)
        .header_read_timeout(HEAD_BY)
        .serve_connection(TokioIo::new(stream), service);
    let limit = async {
        sleep(HEAD_BY).await;
        if stage.get() == Stage::Arriving {
            return;
        }
        sleep(OVER_BY.saturating_sub(HEAD_BY)).await;
        if stage.get() == Stage::Following {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "a client's connection broke off");
        },
        () = limit => tracing::debug!("a client took too long"),
        () = cut_off.notified() => tracing::debug!("a follower lagged and was cut off"),
    }
}

async fn respond(house: &House, request: Request<Incoming>, end: Rc<Notify>, stage: &Cell<Stage>, peer: &Peer) -> Answer {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let view = page::view(house, &head.headers);
    let (wish, lang) = understand(view, &head.method, path, head.uri.query(), house.lang);
    let wish = match house.entrance {
        Entrance::File => wish,
        Entrance::Port(port) => match guard::check(port, &head.method, &head.uri, &head.headers) {
            Err(_) => Err(Refusal::Stranger),
            Ok(()) if is_of_page(path) || path == "/v1/changes" => wish,
            Ok(()) => Err(Refusal::NotFound),
        },
    };
    // Whoever fills in a form wants words, not JSON.
    let for_people = matches!(path, "/" | "/symptom" | "/look" | "/statement");
    // Until its body is there, a request is not whole.
    let whole = take_in(body).await;
    stage.set(Stage::Asking);
    let fulfilled = match whole.and_then(|body| Ok((wish?, body))) {
        Ok((Wish::Follow, _)) => {
            house.followers.join(end).map(|lines| answer(JSON_LINES, Either::Right(lines))).ok_or(Refusal::TooManyFollowers)
        }
        Ok((Wish::Changes, _)) => {
            house.viewers.join(end).map(|lines| answer(EVENTS, Either::Right(lines))).ok_or(Refusal::TooManyFollowers)
        }
        Ok((Wish::Ask(question), _)) => {
            let kind = if question == Question::Metrics { FIGURES } else { JSON };
            ask(house, question, lang).await.map(|bytes| answer(kind, Either::Left(bytes.into())))
        }
        Ok((Wish::Grants, _)) => order(house, None, peer).await.map(|bytes| answer(JSON, Either::Left(bytes.into()))),
        Ok((Wish::Order, body)) => match authorised(&body, peer) {
            Ok(wanted) => order(house, Some(wanted), peer).await.map(|bytes| answer(JSON, Either::Left(bytes.into()))),
            Err(refusal) => Err(refusal),
        },
        Ok((Wish::Page(Some(key)), _)) => page::open(house, &key, lang),
        Ok((Wish::Page(None), _)) => page::page(house, view, lang).await,
        Ok((Wish::Style, _)) => Ok(page::style()),
        Ok((Wish::Script, _)) => Ok(page::script()),
        Ok((Wish::Icon, _)) => Ok(page::icon()),
        Ok((Wish::Symptom(asked), _)) => page::symptom(house, &asked, lang).await,
        Ok((Wish::Look, body)) => page::look(house, &body, lang).await,
        Ok((Wish::Statement, body)) => page::statement(house, &body, lang).await,
        Ok((Wish::PageKey, _)) => page::key(house).map(|bytes| answer(JSON, Either::Left(bytes.into()))),
        Ok((Wish::Remark, body)) => remarks::remark(house, &body).await.map(|bytes| answer(JSON, Either::Left(bytes.into()))),
        Ok((Wish::Retire, body)) => match retirement(&body, peer) {
            Ok(wanted) => retire(house, wanted).await.map(|bytes| answer(JSON, Either::Left(bytes.into()))),
            Err(refusal) => Err(refusal),
        },
        Ok((Wish::Incidents(wanted), _)) => incidents(house, wanted).await.map(|text| answer(JSON, Either::Left(Bytes::from(text).into()))),
        Err(refusal) => Err(refusal),
    };
    match fulfilled {
        Ok(answer) => answer,
        Err(refusal) if for_people => page::refuse(refusal, lang),
        Err(refusal) => refuse(refusal, lang),
    }
}

/// Only orders have a body; another small one is read and forgotten.
async fn take_in(body: Incoming) -> Result<Bytes, Refusal> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    match timeout(HEAD_BY, Limited::new(body, LARGEST_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) | Err(_) => Err(Refusal::TooLarge),
    }
}

pub(super) async fn ask(house: &House, question: Question, lang: Lang) -> Result<Bytes, Refusal> {
    let (answer, told) = oneshot::channel();
    // Nobody waits for a place in the queue: who finds it full is one of too many.
    house.ask.try_send(Call::Asked(Asked { question, lang, answer })).map_err(|_| Refusal::Busy)?;
    match timeout(ANSWERED_BY, told).await {
        Ok(Ok(Some(document))) => Ok(document),
        Ok(Ok(None)) => Err(Refusal::NothingYet),
        Ok(Err(_)) | Err(_) => Err(Refusal::Busy),
    }
}

/// The order in a body, from somebody who may give one.
fn authorised(body: &[u8], peer: &Peer) -> Result<Order, Refusal> {
    if !peer.may_order() {
        return Err(Refusal::NotAllowed);
    }
    serde_json::from_slice(body).map_err(|_| Refusal::Order)
}

async fn order(house: &House, order: Option<Order>, peer: &Peer) -> Result<Bytes, Refusal> {
    let (answer, told) = oneshot::channel();
    let uid = peer.uid.unwrap_or(u32::MAX);
    house.ask.try_send(Call::Ordered(Ordered { order, uid, answer })).map_err(|_| Refusal::Busy)?;
    timeout(ANSWERED_BY, told).await.ok().and_then(Result::ok).unwrap_or(Err(Refusal::Busy))
}

/// What is asked of a terminal that is to leave.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Leaving {
    by: String,
    reason: String,
    wait_s: u32,
}

fn retirement(body: &[u8], peer: &Peer) -> Result<Leaving, Refusal> {
    if !peer.may_retire() {
        return Err(Refusal::OnlyRoot);
    }
    serde_json::from_slice(body).map_err(|_| Refusal::Order)
}

async fn retire(house: &House, Leaving { by, reason, wait_s }: Leaving) -> Result<Bytes, Refusal> {
    let (answer, told) = oneshot::channel();
    let (by, reason) = (by.trim().to_owned(), reason.trim().to_owned());
    let order = Retire { by, reason, wait: Duration::from_secs(wait_s.into()), answer };
    house.ask.try_send(Call::Retire(order)).map_err(|_| Refusal::Busy)?;
    timeout(ANSWERED_BY, told).await.ok().and_then(Result::ok).unwrap_or(Err(Refusal::Busy))
}

async fn incidents(house: &House, wanted: Wanted) -> Result<String, Refusal> {
    let turn = timeout(ANSWERED_BY, house.reading.acquire()).await;
    let _turn = turn.map_err(|_| Refusal::Busy)?;
    let (read, now) = (Arc::clone(&house.log), clock::wall());
    let found = tokio::task::spawn_blocking(move || {
        let mut found = log::Found::new(wanted, now);
        read(&mut |line| found.take(line)).map(|()| found.to_json())
    });
    match timeout(ANSWERED_BY, found).await {
        Ok(Ok(Ok(text))) => Ok(text),
        Ok(Ok(Err(error))) => {
            tracing::warn!(%error, "the log could not be read for a client");
            Err(Refusal::Log)
        }
        Ok(Err(_)) => Err(Refusal::Log),
        Err(_) => Err(Refusal::Busy),
    }
}

fn refuse(refusal: Refusal, lang: Lang) -> Answer {
    let mut refused = answer(JSON, Either::Left(Bytes::from(refusal.body(lang)).into()));
    *refused.status_mut() = refusal.status();
    if let Refusal::Method(allowed) = refusal {
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    }
    refused
}

pub(super) fn answer(kind: &'static str, body: Either<Full<Bytes>, Lines>) -> Answer {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
