//! `isonet notify`: what the running service sees, as notices on this user's desktop. It ends with the session; a service that is not there is
//! waited for without a word, as that is nothing to a clerk.

mod desktop;
mod screen;

use super::ask::{DOCUMENT, Daemon, Through};
use super::grammar::Global;
use super::{INTERNAL, complain, runtime};
use crate::catalogue::Lang;
use crate::notice::{Seen, Step, Teller};
use crate::sys::clock;
use desktop::Desktop;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use screen::Screen;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Until the service is looked for again, at first and at most.
const AGAIN: Duration = Duration::from_secs(5);
const AGAIN_AT_MOST: Duration = Duration::from_mins(1);
/// A service that does not answer by then is stuck.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub struct Arguments {}

pub fn run(global: &Global, _: &Arguments) -> u8 {
    // No desktop: nobody to tell, and nothing wrong with that.
    if std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_none_or(|address| address.is_empty()) {
        return 0;
    }
    let config = match global.load_places() {
        Ok(config) => config,
        Err(code) => return code,
    };
    let lang = global.lang(config.language);
    let daemon = Daemon::of(&config);
    drop(config);
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    match runtime.block_on(tell(&daemon, lang)) {
        Ok(()) => 0,
        Err(error) => {
            complain(&lang.pick(format!("isonet: 桌面通知发不出去：{error}"), format!("isonet: the desktop cannot be told: {error}")));
            INTERNAL
        }
    }
}

/// Why something ended.
enum Ended {
    /// The service's word.
    Feed,
    /// Nobody shows notices any more.
    Shown,
}

/// Until the session ends, or another of us is there already.
async fn tell(daemon: &Daemon, lang: Lang) -> zbus::Result<()> {
    let Some(mut desktop) = Desktop::open().await? else { return Ok(()) };
    let gone = desktop.gone();
    let telling = async {
        let began = clock::now();
        let mut teller = Teller::default();
        let mut again = AGAIN;
        loop {
            // Without anybody who shows them nothing is asked for either.
            desktop.shown().await;
            if let Some(feed) = listen(daemon).await {
                again = AGAIN;
                if let Ended::Shown = follow(daemon, feed, &mut teller, &mut desktop, began, lang).await {
                    continue;
                }
            }
            tokio::select! {
                () = sleep(again) => again = (again * 2).min(AGAIN_AT_MOST),
                () = desktop.not_shown() => {}
            }
        }
    };
    tokio::select! {
        () = gone => Ok(()),
        () = telling => Ok(()),
    }
}

/// Asks to be told when something changes.
async fn listen(daemon: &Daemon) -> Option<Incoming> {
    let answer = timeout(PATIENCE, daemon.begin("/v1/changes", Through::Public)).await.ok()?.ok()?;
    answer.status().is_success().then(|| answer.into_body())
}

/// Looks whenever it is worth it.
async fn follow(
    daemon: &Daemon,
    mut feed: Incoming,
    teller: &mut Teller,
    desktop: &mut Desktop,
    began: std::time::Instant,
    lang: Lang,
) -> Ended {
    let target = format!("/v1/status?lang={}", lang.tag());
    let mut due = None;
    // Looked at only while there is something to show.
    let mut screen: Option<Screen> = None;
    loop {
        let mut free = false;
        tokio::select! {
            told = feed.frame() => if !matches!(told, Some(Ok(_))) {
                return Ended::Feed;
            },
            () = at(due) => {}
            () = clear(&mut screen) => free = true,
            () = desktop.not_shown() => return Ended::Shown,
        }
        let Ok(told) = daemon.get(&target, Through::Public, DOCUMENT, PATIENCE).await else { return Ended::Feed };
        let Ok(seen) = serde_json::from_slice::<Seen>(&told) else { return Ended::Feed };
        let now_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Step { orders, waits, due_ms } = teller.step(&seen, now_ms, free, lang);
        due = due_ms.map(|due_ms| Instant::now() + Duration::from_millis(due_ms.saturating_sub(now_ms)));
        for order in orders {
            desktop.perform(order).await;
        }
        screen = if waits { screen.take().or_else(|| Some(Screen::open())) } else { None };
    }
}

async fn clear(screen: &mut Option<Screen>) {
    match screen {
        Some(screen) => screen.clear().await,
        None => std::future::pending().await,
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
