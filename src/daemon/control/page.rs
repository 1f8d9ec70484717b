//! The status page as it is served: what the loop knows, what the log tells, and what its forms do.
//!
//! The log is read when somebody looks, from where it was read to before; a page never waits long for it, but says that it is being read and is
//! told when that has ended. While nobody looks nothing is read and nothing is kept but what was read before.

use super::attend::{Answer, Entrance, House, answer, ask};
use super::keys::Keys;
use super::remarks::{self, Statement};
use super::request::Refusal;
use super::tail::{self, beginning};
use super::{Freshness, Log, Question};
use crate::catalogue::Lang;
use crate::config::WebListen;
use crate::report::page::{self, Doing, Past, Sheet};
use crate::report::{Facing, Network, Status, View};
use crate::spool::{Disk, Position, Reader};
use crate::sys::clock;
use http_body_util::Either;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{
    CONTENT_SECURITY_POLICY, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY, SET_COOKIE, X_FRAME_OPTIONS,
};
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{AbortHandle, spawn_blocking, spawn_local};
use tokio::time::timeout;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
/// How long a page waits for the log: the first time, when all of it has to be read, and later, when only what is new is.
const READ_BY: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(200)];
/// Records that are read at once.
const SOME: usize = 256;

/// The port of the page, open or not.
pub(super) struct Port {
    pub(super) wanted: WebListen,
    open: Option<(SocketAddr, Option<AbortHandle>)>,
    refused: Option<io::Error>,
}

impl Port {
    pub(super) fn unopened(wanted: WebListen) -> Self {
        Self { wanted, open: None, refused: None }
    }

    /// Where it should be open and is not.
    pub(super) fn missing(&self) -> Option<SocketAddr> {
        match self.wanted {
            WebListen::Address(at) if self.open.is_none() => Some(at),
            WebListen::Address(_) | WebListen::Off => None,
        }
    }

    pub(super) fn opened(&mut self, at: SocketAddr, task: Option<AbortHandle>) {
        tracing::info!(%at, "the status page is served");
        (self.open, self.refused) = (Some((at, task)), None);
    }

    /// Said once, however often it is tried.
    pub(super) fn refused(&mut self, error: io::Error) {
        if self.refused.is_none() {
            tracing::warn!(%error, "the status page cannot be served; tried again each minute");
        }
        self.refused = Some(error);
    }

    pub(super) fn trouble(&self, lang: Lang) -> Option<String> {
        let (WebListen::Address(at), Some(error)) = (self.wanted, &self.refused) else { return None };
        Some(lang.pick(
            format!("状态网页开不了，{at} 可能被别的程序占着（{error}）；每分钟再试一次，也可以改 [web] listen。"),
            format!("the status page cannot be served, another program may have {at} ({error}); tried again each minute, or change [web] listen."),
        ))
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        if let Some((_, Some(task))) = &self.open {
            task.abort();
        }
    }
}

/// What the page needs besides the answers of the loop; shared by all entrances.
pub(super) struct Site {
    keys: Option<Keys>,
    facing: RefCell<Rc<Facing>>,
    lang: Lang,
    dir: PathBuf,
    log: Log,
    /// One reader of the log at a time, whoever asks.
    reading: Rc<Semaphore>,
    recorded: watch::Receiver<Position>,
    past: RefCell<Reading>,
    /// A reading has ended.
    read: Notify,
    /// A page went out that says that the log is being read.
    owed: Cell<bool>,
    at: Cell<Option<SocketAddr>>,
}

/// How far the log was read; `None` = somebody is at it.
type Reading = Option<(Past, Position)>;

impl Site {
    pub(super) fn new(dir: &Path, recorded: watch::Receiver<Position>, facing: &Facing, lang: Lang) -> Self {
        Self {
            keys: Keys::draw(),
            facing: RefCell::new(Rc::new(facing.clone())),
            lang,
            dir: dir.to_owned(),
            log: tail::log(dir),
            reading: Rc::new(Semaphore::new(1)),
            recorded,
            past: RefCell::new(Some((Past::default(), beginning()))),
            read: Notify::new(),
            owed: Cell::new(false),
            at: Cell::new(None),
        }
    }

    pub(super) fn lang(&self) -> Lang {
        self.lang
    }

    pub(super) fn log(&self) -> Log {
        Log::clone(&self.log)
    }

    pub(super) fn reading(&self) -> Rc<Semaphore> {
        Rc::clone(&self.reading)
    }

    pub(super) fn face(&self, facing: &Facing) {
        self.facing.replace(Rc::new(facing.clone()));
    }

    pub(super) fn listens(&self, at: Option<SocketAddr>) {
        self.at.set(at);
    }

    fn facing(&self) -> Rc<Facing> {
        Rc::clone(&self.facing.borrow())
    }

    fn token(&self) -> &str {
        self.keys.as_ref().map_or("", Keys::token)
    }

    /// Lets use what the log tells, read up to now if that takes no time.
    async fn past<T>(self: &Rc<Self>, house: &House, show: impl Fn(&Past) -> T) -> T {
        let head = self.recorded.borrow().clone();
        let after = self.past.borrow().as_ref().map(|(past, after)| (past.whole, after.clone()));
        let waits = match after {
            Some((true, after)) if after == head => None,
            Some((whole, _)) => {
                self.begin(head, house);
                Some(READ_BY[usize::from(whole)])
            }
            None => Some(READ_BY[0]),
        };
        if let Some(most) = waits {
            let _ = timeout(most, self.read.notified()).await;
        }
        if let Some((past, _)) = &*self.past.borrow() {
            return show(past);
        }
        self.owed.set(true);
        show(&Past::default())
    }

    /// Reads the log up to `head`, beside everything else.
    fn begin(self: &Rc<Self>, head: Position, house: &House) {
        let Some((mut past, after)) = self.past.borrow_mut().take() else { return };
        let (site, viewers) = (Rc::clone(self), Rc::clone(&house.viewers));
        spawn_local(async move {
            let _turn = site.reading.acquire().await;
            let dir = site.dir.clone();
            let read = spawn_blocking(move || {
                let whole = read(&dir, &mut past, after.clone(), &head);
                if let Err(error) = &whole {
                    tracing::warn!(%error, "the log could not be read for the page");
                }
                past.whole = true;
                // What could not be read is not tried again before there is something new.
                (past, head)
            });
            let read = read.await.unwrap_or_else(|_| (Past::default(), beginning()));
            site.past.replace(Some(read));
            site.read.notify_waiters();
            if site.owed.replace(false) {
                viewers.tell_change();
            }
        });
    }
}

fn read(dir: &Path, past: &mut Past, after: Position, upto: &Position) -> io::Result<()> {
    let mut reader = Reader::after(Disk::look(dir), after);
    loop {
        let some = reader.next(SOME, Some(upto))?;
        if some.is_empty() {
            return Ok(());
        }
        for entry in &some {
            past.take(&entry.bytes);
        }
    }
}

/// What somebody may see: at the port, all of it with a key.
pub(super) fn view(house: &House, headers: &HeaderMap) -> View {
    let (Entrance::Port(port), Some(keys)) = (house.entrance, &house.site.keys) else { return house.view };
    let name = format!("isonet-{port}");
    let cookies = headers.get_all(COOKIE).iter().filter_map(|all| all.to_str().ok()).flat_map(|all| all.split(';'));
    let told = cookies.filter_map(|cookie| cookie.trim().split_once('=')).find(|(told, _)| *told == name);
    match told {
        Some((_, key)) if keys.opens(key, clock::stamp().boottime_ms) => View::Whole,
        _ => house.view,
    }
}

/// Opens the whole page in this browser.
pub(super) fn open(house: &House, key: &str, lang: Lang) -> Result<Answer, Refusal> {
    let keys = house.site.keys.as_ref().ok_or(Refusal::StaleKey)?;
    let Entrance::Port(port) = house.entrance else { return Err(Refusal::StaleKey) };
    if !keys.opens(key, clock::stamp().boottime_ms) {
        return Err(Refusal::StaleKey);
    }
    let mut opened = back(lang, "");
    // It opened: so it is one of ours, and of harmless characters.
    let cookie = format!("isonet-{port}={key}; HttpOnly; SameSite=Strict; Path=/; Max-Age=28800");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        opened.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(opened)
}

/// The page.
pub(super) async fn page(house: &House, view: View, lang: Lang) -> Result<Answer, Refusal> {
    let standing = ask(house, Question::Page(view), lang).await?;
    let site = &house.site;
    let facing = site.facing();
    let now = clock::wall().to_zoned(facing.at.time_zone().clone());
    let sheet = Sheet { view, now: &now, facing: &facing, token: site.token(), lang };
    let past = site.past(house, |past| page::past_sheet(past, sheet)).await;
    let doing = page::doing(Doing { token: site.token(), lang });
    Ok(paper(HTML, page::fill(&String::from_utf8_lossy(&standing), &doing, &past)))
}

/// The style sheet.
pub(super) fn style() -> Answer {
    paper(CSS, page::style())
}

/// The script.
pub(super) fn script() -> Answer {
    paper(JAVASCRIPT, page::SCRIPT)
}

/// What stands in the tab.
pub(super) fn icon() -> Answer {
    paper(SVG, page::ICON)
}

/// What a text off a screen may come from.
pub(super) async fn symptom(house: &House, asked: &str, lang: Lang) -> Result<Answer, Refusal> {
    let status = ask(house, Question::Status(View::Clerk), lang).await?;
    let network = serde_json::from_slice::<Status>(&status).ok().and_then(|status| Network::of_status(&status));
    Ok(paper(HTML, page::symptom(asked, network.as_ref(), &house.site.facing(), lang)))
}

/// Looks now, then shows the page.
pub(super) async fn look(house: &House, body: &[u8], lang: Lang) -> Result<Answer, Refusal> {
    let [] = form(house, body, [])?;
    ask(house, Question::Diagnosis(Freshness::Fresh), lang).await?;
    Ok(back(lang, ""))
}

/// Has a statement of the institution recorded, then shows the page.
pub(super) async fn statement(house: &House, body: &[u8], lang: Lang) -> Result<Answer, Refusal> {
    let [incident, text] = form(house, body, ["incident", "text"])?;
    let place = incident.rsplit_once('/').map(|(_, seq)| seq).filter(|seq| seq.bytes().all(|sign| sign.is_ascii_digit()));
    let place = place.map(|seq| format!("#i{seq}")).unwrap_or_default();
    remarks::record(house, Statement { incident, text }).await?;
    Ok(back(lang, &place))
}

/// A key for the whole page, and where it opens it.
pub(super) fn key(house: &House) -> Result<Bytes, Refusal> {
    let at = house.site.at.get().ok_or(Refusal::NoPage)?;
    let key = house.site.keys.as_ref().and_then(|keys| keys.give(clock::stamp().boottime_ms)).ok_or(Refusal::NoPage)?;
    let told = serde_json::json!({"url": format!("http://{at}/?key={key}")});
    Ok(told.to_string().into())
}

/// The fields of a form of this run, each once and no others.
fn form<const N: usize>(house: &House, body: &[u8], names: [&str; N]) -> Result<[String; N], Refusal> {
    let told: Vec<_> = url::form_urlencoded::parse(body).collect();
    let one = |name: &str| {
        let mut all = told.iter().filter(|(told, _)| told == name);
        all.next().filter(|_| all.next().is_none()).map(|(_, value)| value.clone().into_owned())
    };
    let token = one("token").ok_or(Refusal::StaleForm)?;
    if !house.site.keys.as_ref().is_some_and(|keys| keys.is_token(&token)) {
        return Err(Refusal::StaleForm);
    }
    if told.len() != N + 1 {
        return Err(Refusal::Order);
    }
    let mut values = names.map(|_| String::new());
    for (value, name) in values.iter_mut().zip(names) {
        *value = one(name).ok_or(Refusal::Order)?;
    }
    Ok(values)
}

/// Why something was not done, for people.
pub(super) fn refuse(refusal: Refusal, lang: Lang) -> Answer {
    let mut refused = paper(HTML, page::refused(refusal.text(lang), lang));
    *refused.status_mut() = refusal.status();
    refused
}

/// To the page.
fn back(lang: Lang, place: &str) -> Answer {
    let mut back = paper(HTML, "");
    *back.status_mut() = StatusCode::SEE_OTHER;
    let to = format!("/?lang={}{place}", lang.tag());
    back.headers_mut().insert(LOCATION, HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/")));
    back
}

/// An answer for a browser, with what it may do.
fn paper(kind: &'static str, text: impl Into<Bytes>) -> Answer {
    let mut answer = answer(kind, Either::Left(text.into().into()));
    let same_origin = HeaderValue::from_static("same-origin");
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::POLICY)),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        // Not `no-referrer`: browsers would then hide from this server that a form is its own.
        (REFERRER_POLICY, same_origin.clone()),
        (HeaderName::from_static("cross-origin-resource-policy"), same_origin.clone()),
        (HeaderName::from_static("cross-origin-opener-policy"), same_origin),
    ] {
        answer.headers_mut().insert(name, value);
    }
    answer
}
