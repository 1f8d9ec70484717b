//! The desktop: `org.freedesktop.Notifications` on the session's bus (Desktop Notifications Specification 1.2).

use crate::notice::{Notice, Order, Topic, Urgency};
use futures_util::StreamExt;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use zbus::fdo::{RequestNameFlags, RequestNameReply};
use zbus::{Connection, MatchRule, MessageStream, Variant, connection, match_rule, message};

const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";
const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// Whoever has it is the one that tells this session.
const OURS: &str = "io.github.isonet.Notify";
/// Whoever shows notices may have to be started for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who shows notices.
pub(super) struct Desktop {
    bus: Connection,
    /// Somebody shows them, or would be started for it.
    shown: watch::Receiver<bool>,
    /// The numbers of those that stand.
    standing: Arc<Mutex<BTreeSet<u32>>>,
    ids: BTreeMap<Topic, u32>,
    /// What whoever shows them can do; `None` = to be asked.
    can: Option<Can>,
}

/// What can be shown.
#[derive(Debug, Clone, Copy)]
struct Can {
    body: bool,
    markup: bool,
}

impl Desktop {
    /// `None` = another of us is there already.
    pub(super) async fn open() -> zbus::Result<Option<Self>> {
        let bus = connection::Builder::session().method_timeout(PATIENCE).build().await?;
        let only = RequestNameFlags::DO_NOT_QUEUE;
        match bus.request_name_with_flags(OURS, only).await {
            Ok(RequestNameReply::PrimaryOwner) => {}
            Ok(_) | Err(zbus::Error::NameTaken) => return Ok(None),
            Err(error) => return Err(error),
        }
        let closed = signal(NAME, "NotificationClosed").path(PATH).build()?;
        let closed = MessageStream::for_match_rule(closed, &bus, None).await?;
        let owner = signal(BUS, "NameOwnerChanged").sender(BUS).arg(0, NAME).build()?;
        let owner = MessageStream::for_match_rule(owner, &bus, None).await?;
        let (tell, shown) = watch::channel(is_shown(&bus).await?);
        let standing = Arc::new(Mutex::new(BTreeSet::new()));
        tokio::spawn(watch_owner(owner, bus.clone(), tell, Arc::clone(&standing)));
        tokio::spawn(watch_closed(closed, Arc::clone(&standing)));
        Ok(Some(Self { bus, shown, standing, ids: BTreeMap::new(), can: None }))
    }

    /// Ends when the session's bus does.
    pub(super) fn gone(&self) -> impl Future<Output = ()> + use<> {
        let bus = self.bus.clone();
        async move { bus.closed().await }
    }

    /// Ends once somebody shows notices; waits without waking up.
    pub(super) async fn shown(&mut self) {
        if self.shown.wait_for(|shown| *shown).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends once nobody does.
    pub(super) async fn not_shown(&mut self) {
        if self.shown.wait_for(|shown| !*shown).await.is_err() {
            std::future::pending::<()>().await;
        }
        self.can = None;
    }

    /// What cannot be shown is not said elsewhere: the status page has it all.
    pub(super) async fn perform(&mut self, order: Order) {
        let done = match order {
            Order::Tell(notice) => self.show(&notice).await,
            Order::Amend(notice) if self.stands(notice.topic) => self.show(&notice).await,
            Order::Withdraw(topic) if self.stands(topic) => self.close(topic).await,
            Order::Amend(_) | Order::Withdraw(_) => Ok(()),
        };
        if let Err(error) = done {
            tracing::info!("a notice was not shown: {error}");
        }
    }

    fn stands(&self, topic: Topic) -> bool {
        self.ids.get(&topic).is_some_and(|id| lock(&self.standing).contains(id))
    }

    async fn show(&mut self, notice: &Notice) -> zbus::Result<()> {
        let can = self.can().await?;
        // The number of one that was closed may be another program's by now.
        let replaces = if self.stands(notice.topic) { self.ids.get(&notice.topic).copied().unwrap_or(0) } else { 0 };
        let (summary, body) = text(notice, can);
        let hints: HashMap<&str, Variant<'_>> = HashMap::from([
            ("urgency", Variant::U8(urgency(notice.urgency))),
            ("category", Variant::from(category(notice))),
            ("desktop-entry", Variant::from("isonet")),
            ("suppress-sound", Variant::Bool(true)),
        ]);
        let actions: [&str; 0] = [];
        // The last: how long it stands is the desktop's choice.
        let arguments = ("isonet", replaces, icon(notice), summary.as_str(), body.as_str(), &actions[..], hints, -1_i32);
        let answer = self.bus.call_method(Some(NAME), PATH, Some(NAME), "Notify", &arguments).await?;
        let id: u32 = answer.body().deserialize()?;
        self.ids.insert(notice.topic, id);
        lock(&self.standing).insert(id);
        Ok(())
    }

    async fn close(&mut self, topic: Topic) -> zbus::Result<()> {
        let Some(id) = self.ids.remove(&topic) else { return Ok(()) };
        self.bus.call_method(Some(NAME), PATH, Some(NAME), "CloseNotification", &id).await.map(drop)
    }

    async fn can(&mut self) -> zbus::Result<Can> {
        if let Some(can) = self.can {
            return Ok(can);
        }
        let answer = self.bus.call_method(Some(NAME), PATH, Some(NAME), "GetCapabilities", &()).await?;
        let told: Vec<String> = answer.body().deserialize()?;
        let has = |what: &str| told.iter().any(|it| it == what);
        let can = Can { body: has("body"), markup: has("body-markup") };
        self.can = Some(can);
        Ok(can)
    }
}

fn lock(standing: &Mutex<BTreeSet<u32>>) -> std::sync::MutexGuard<'_, BTreeSet<u32>> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}

fn signal(interface: &'static str, member: &'static str) -> match_rule::Builder<'static> {
    MatchRule::builder().msg_type(message::Type::Signal).interface(interface).member(member)
}

/// Somebody shows notices, or is started as soon as there is one.
async fn is_shown(bus: &Connection) -> zbus::Result<bool> {
    let has: bool = bus.call_method(Some(BUS), BUS_PATH, Some(BUS), "NameHasOwner", &NAME).await?.body().deserialize()?;
    if has {
        return Ok(true);
    }
    let names: Vec<String> = bus.call_method(Some(BUS), BUS_PATH, Some(BUS), "ListActivatableNames", &()).await?.body().deserialize()?;
    Ok(names.iter().any(|name| name == NAME))
}

async fn watch_owner(mut changes: MessageStream, bus: Connection, tell: watch::Sender<bool>, standing: Arc<Mutex<BTreeSet<u32>>>) {
    while let Some(change) = changes.next().await {
        let Ok((_, _, new)) = change.map_or_else(Err, |change| change.body().deserialize::<(String, String, String)>()) else { continue };
        // Another knows nothing of what stood with the one before.
        lock(&standing).clear();
        let shown = !new.is_empty() || is_shown(&bus).await.unwrap_or(false);
        tell.send_replace(shown);
    }
}

async fn watch_closed(mut closed: MessageStream, standing: Arc<Mutex<BTreeSet<u32>>>) {
    while let Some(closed) = closed.next().await {
        if let Ok((id, _)) = closed.map_or_else(Err, |closed| closed.body().deserialize::<(u32, u32)>()) {
            lock(&standing).remove(&id);
        }
    }
}

/// Summary and body. Where there is no body, the summary has its first line as well.
fn text(notice: &Notice, can: Can) -> (String, String) {
    if !can.body {
        let more = notice.body.first().map(|line| format!(" {line}")).unwrap_or_default();
        return (notice.summary.clone() + &more, String::new());
    }
    let body = notice.body.join("\n");
    (notice.summary.clone(), if can.markup { escaped(&body) } else { body })
}

/// Text in which nothing is markup.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            other => safe.push(other),
        }
    }
    safe
}

fn urgency(urgency: Urgency) -> u8 {
    match urgency {
        Urgency::Low => 0,
        Urgency::Normal => 1,
    }
}

fn category(notice: &Notice) -> &'static str {
    match (notice.topic, notice.over) {
        (Topic::Settlement, false) => "network.disconnected",
        (Topic::Settlement, true) => "network.connected",
        (Topic::Isolation, _) => "network.error",
        (Topic::Usb, _) => "device.added",
    }
}

/// Names that every theme of icons has.
fn icon(notice: &Notice) -> &'static str {
    match (notice.topic, notice.over) {
        (Topic::Settlement, false) => "network-offline",
        (Topic::Settlement, true) => "network-idle",
        (Topic::Isolation, _) => "dialog-warning",
        (Topic::Usb, _) => "drive-removable-media",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(body: &[&str]) -> Notice {
        let body = body.iter().map(|line| (*line).to_owned()).collect();
        Notice { topic: Topic::Usb, over: false, urgency: Urgency::Normal, summary: "a <b> & c".to_owned(), body }
    }

    #[test]
    fn only_a_body_that_knows_markup_is_escaped() {
        let told = notice(&["<img src=\"http://a/\"> & more", "second"]);
        let (summary, body) = text(&told, Can { body: true, markup: true });
        assert_eq!((summary.as_str(), body.as_str()), ("a <b> & c", "&lt;img src=\"http://a/\"&gt; &amp; more\nsecond"));
        assert_eq!(text(&told, Can { body: true, markup: false }).1, "<img src=\"http://a/\"> & more\nsecond");
        assert_eq!(text(&told, Can { body: false, markup: false }).0, "a <b> & c <img src=\"http://a/\"> & more");
    }

    #[test]
    fn nothing_is_critical() {
        assert!([Urgency::Low, Urgency::Normal].into_iter().all(|it| urgency(it) < 2));
    }
}
