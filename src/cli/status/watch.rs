//! `isonet status --watch`: the status, drawn again each second in the same place.
//!
//! The service is asked only after it said that something changed; the seconds in between are counted here. Lines are written over, never cleared
//! first, so that nothing flickers; the screen and its cursor are given back on every way out.

use super::super::ask::{DOCUMENT, Daemon, Silence, Through};
use super::super::grammar::Global;
use super::super::{IO, style};
use super::{PATIENCE, explain};
use crate::catalogue::Lang;
use crate::report::{self, Status};
use crate::sys::clock;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::io::{self, Write};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Between two drawings.
const EACH: Duration = Duration::from_secs(1);
/// Drawings between two tries to reach a service that went away.
const AGAIN: u32 = 3;
/// Where the height of the screen is not known.
const LINES: usize = 24;

/// On: another screen, no cursor. Off: the other way round.
const ON: &str = "\x1b[?1049h\x1b[?25l";
const OFF: &str = "\x1b[?25h\x1b[?1049l";

/// Shows it until somebody ends it.
pub(super) async fn watch(daemon: &Daemon, global: &Global, lang: Lang) -> Result<(), u8> {
    let told = |silence: Silence| explain(&silence, daemon, lang);
    // What can be said at once is said before the screen is taken.
    let feed = listen(daemon).await.map_err(told)?;
    let status = fetch(daemon, lang).await.map_err(told)?;
    let mut seen = Seen { feed: Some(feed), status, gone: 0 };
    let mut ends = Ends::new().map_err(|_| IO)?;
    let mut screen = Screen::take().map_err(|_| IO)?;
    let mut tick = interval(EACH);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            () = ends.next() => return Ok(()),
            went_on = seen.changed() => if went_on {
                match fetch(daemon, lang).await {
                    Ok(status) => seen.status = status,
                    Err(_) => seen.feed = None,
                }
            },
            _ = tick.tick() => seen.try_again(daemon, lang).await,
        }
        let text = report::render_status(&seen.status, &clock::wall().to_zoned(jiff::tz::TimeZone::system()), lang, style(global));
        let text = if seen.feed.is_some() { text } else { format!("{}\n\n{text}", away(lang)) };
        screen.draw(&text, lang).map_err(|_| IO)?;
    }
}

fn away(lang: Lang) -> &'static str {
    lang.pick("[!!] 值守程序没有应答，下面是之前的情况。", "[!!] The service does not answer; this is from before.")
}

async fn listen(daemon: &Daemon) -> Result<Incoming, Silence> {
    let answer = timeout(PATIENCE, daemon.begin("/v1/changes", Through::Either)).await.unwrap_or(Err(Silence::Slow))?;
    let status = answer.status();
    if status.is_success() { Ok(answer.into_body()) } else { Err(Silence::Broken(status.to_string())) }
}

async fn fetch(daemon: &Daemon, lang: Lang) -> Result<Status, Silence> {
    let told = daemon.get(&format!("/v1/status?lang={}", lang.tag()), Through::Either, DOCUMENT, PATIENCE).await?;
    serde_json::from_slice(&told).map_err(|error| Silence::Broken(error.to_string()))
}

/// What is known, and who tells of changes.
struct Seen {
    feed: Option<Incoming>,
    status: Status,
    /// Drawings since the service went away.
    gone: u32,
}

impl Seen {
    /// Waits for a change; `false` = the service went away.
    async fn changed(&mut self) -> bool {
        let Some(feed) = &mut self.feed else { return std::future::pending().await };
        let told = feed.frame().await;
        let went_on = matches!(told, Some(Ok(_)));
        if !went_on {
            (self.feed, self.gone) = (None, 0);
        }
        went_on
    }

    async fn try_again(&mut self, daemon: &Daemon, lang: Lang) {
        if self.feed.is_some() {
            return;
        }
        self.gone += 1;
        if self.gone.is_multiple_of(AGAIN)
            && let Ok(feed) = listen(daemon).await
            && let Ok(status) = fetch(daemon, lang).await
        {
            (self.feed, self.status) = (Some(feed), status);
        }
    }
}

/// What ends it.
struct Ends([Signal; 4]);

impl Ends {
    fn new() -> io::Result<Self> {
        let on = |kind| signal(kind);
        Ok(Self([on(SignalKind::interrupt())?, on(SignalKind::terminate())?, on(SignalKind::hangup())?, on(SignalKind::quit())?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup, quit] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            _ = quit.recv() => {}
        }
    }
}

/// The screen, as long as it is ours.
struct Screen(io::Stdout);

impl Screen {
    fn take() -> io::Result<Self> {
        let screen = Self(io::stdout());
        screen.write(ON)?;
        Ok(screen)
    }

    fn draw(&mut self, text: &str, lang: Lang) -> io::Result<()> {
        let lines = rustix::termios::tcgetwinsize(&self.0).map_or(0, |size| usize::from(size.ws_row));
        self.write(&frame(text, if lines == 0 { LINES } else { lines }, lang))
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut out = self.0.lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = self.write(OFF);
    }
}

/// A text as it is written over the one before, on so many lines.
fn frame(text: &str, height: usize, lang: Lang) -> String {
    let all: Vec<&str> = text.lines().collect();
    let room = height.saturating_sub(1).max(1);
    let shown = if all.len() > room { room - 1 } else { all.len() };
    let mut frame = String::from("\x1b[?2026h\x1b[H");
    for line in &all[..shown] {
        frame += line;
        frame += "\x1b[K\r\n";
    }
    if shown < all.len() {
        let left = all.len() - shown;
        frame += &lang.pick(format!("（还有 {left} 行，窗口拉高一点就能看到）"), format!("({left} lines more: make the window taller)"));
        frame += "\x1b[K";
    }
    frame + "\x1b[J\x1b[?2026l"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_writes_over_the_one_before_and_never_clears_it_first() {
        assert_eq!(frame("a\nb\n", 24, Lang::En), "\x1b[?2026h\x1b[Ha\x1b[K\r\nb\x1b[K\r\n\x1b[J\x1b[?2026l");
        let cut = frame("1\n2\n3\n4\n5\n", 4, Lang::En);
        assert_eq!(cut, "\x1b[?2026h\x1b[H1\x1b[K\r\n2\x1b[K\r\n(3 lines more: make the window taller)\x1b[K\x1b[J\x1b[?2026l");
        assert!(frame("", 0, Lang::ZhCn).starts_with("\x1b[?2026h\x1b[H"));
    }
}
