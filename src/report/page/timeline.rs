//! When what was wrong, in the last 24 hours and the last seven days: a lane for settling, for the separation, and for each layer. A bar of
//! full height is a disconnection or a breach, one of half height a degradation or a lead; where the ground of the lane is missing, nobody
//! watched. Every lane says the same in words.

use super::past::{Told, WEEK};
use crate::catalogue::{self, Lang};
use crate::model::{Cause, IncidentKind, KnownCause, Layer};
use crate::report::View;
use crate::report::open::length;
use jiff::{SignedDuration, Timestamp, Zoned};
use maud::{Markup, html};
use std::fmt::Write;

/// Units across a lane.
const WIDE: i64 = 1440;
const HIGH: i64 = 12;
/// What was short is still to be seen: three pixels where a lane is narrow.
const THIN: i64 = 15;

/// What a lane is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Settling,
    Separation,
    Layer(Layer),
    Storage,
    Clock,
}

impl Lane {
    fn all(view: View) -> Vec<Self> {
        let mut all = vec![Self::Settling, Self::Separation];
        all.extend(Layer::ALL.map(Self::Layer));
        if view == View::Whole {
            all.extend([Self::Storage, Self::Clock]);
        }
        all
    }

    fn name(self, lang: Lang) -> &'static str {
        match self {
            Self::Settling => lang.pick("能不能结算", "Settling"),
            Self::Separation => lang.pick("和互联网的隔离", "Separation"),
            Self::Layer(layer) => catalogue::layer(layer, lang),
            Self::Storage => lang.pick("U 盘等设备", "Storage, devices"),
            Self::Clock => lang.pick("时钟", "Clock"),
        }
    }

    fn has(self, told: &Told<'_>) -> bool {
        let (kind, cause) = (told.body.incident.kind, &told.body.cause);
        let is = |family: &str| cause.code.starts_with(family);
        match self {
            Self::Settling => kind == IncidentKind::Disconnection,
            Self::Separation => is("isolation.") || is("extension."),
            Self::Layer(layer) => matches!(kind, IncidentKind::Disconnection | IncidentKind::Degradation) && cut_at(cause) == Some(layer),
            Self::Storage => is("usb."),
            Self::Clock => is("clock."),
        }
    }
}

/// Where the drawn path is cut. A centre that gives no sign of life at all ranks with settlement itself, yet it is its port that does not answer.
fn cut_at(cause: &KnownCause) -> Option<Layer> {
    let whole = [Cause::CentreOutage, Cause::CentreCutOff, Cause::FrontendDown].map(Cause::code);
    if whole.contains(&cause.code.as_str()) { Some(Layer::Tcp) } else { cause.layer }
}

type Span = (Timestamp, Option<Timestamp>);

/// A stretch of time that is drawn.
#[derive(Debug, Clone, Copy)]
struct Window {
    from: Timestamp,
    to: Timestamp,
}

impl Window {
    fn last(length: SignedDuration, now: Timestamp) -> Self {
        Self { from: now.checked_sub(length).unwrap_or(Timestamp::MIN), to: now }
    }

    /// Where it lies in the window, in units; `None` = outside.
    fn place(self, (from, to): Span) -> Option<(i64, i64)> {
        let to = to.unwrap_or(self.to).min(self.to);
        if from > self.to || to < self.from || from > to {
            return None;
        }
        let whole = (self.to.as_second() - self.from.as_second()).max(1);
        let at = |when: Timestamp| (when.as_second() - self.from.as_second()) * WIDE / whole;
        let left = at(from.max(self.from)).min(WIDE - THIN);
        Some((left, (at(to) - left).max(THIN)))
    }

    /// How long it lies in the window, seconds.
    fn seconds(self, (from, to): Span) -> u64 {
        let to = to.unwrap_or(self.to).min(self.to);
        u64::try_from(to.as_second() - from.max(self.from).as_second()).unwrap_or(0)
    }
}

/// Both timelines.
pub(super) fn section(told: &[Told<'_>], watched: &[Span], now: &Zoned, view: View, lang: Lang) -> Markup {
    let stamp = now.timestamp();
    let day = Window::last(SignedDuration::from_hours(24), stamp);
    let week = Window::last(WEEK, stamp);
    html! {
        section.wide #timeline {
            h2 { (lang.pick("什么时候出过问题", "When something was wrong")) }
            p.key { (lang.pick(
                "满格是断了或隔离被打开，半格是变差或有疑点；没有底色的时段没有值守。",
                "A full bar is a disconnection or a breach, half a bar something worse than it should be; without a ground nobody watched.",
            )) }
            div.times {
                (table(told, watched, day, lang.pick("最近 24 小时", "Last 24 hours"), &hours(now), view, lang))
                (table(told, watched, week, lang.pick("最近 7 天", "Last 7 days"), &days(now), view, lang))
            }
        }
    }
}

/// The clock at the start, the quarters and the end of the last day.
fn hours(now: &Zoned) -> Vec<String> {
    (0..=4).map(|quarter| back(now, 24 - quarter * 6).strftime("%H:%M").to_string()).collect()
}

/// The date of every other day of the last seven.
fn days(now: &Zoned) -> Vec<String> {
    (0..=4).map(|quarter| back(now, 168 - quarter * 42).strftime("%m-%d").to_string()).collect()
}

fn back(now: &Zoned, hours: i64) -> Zoned {
    now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or_else(|_| now.clone())
}

fn table(told: &[Told<'_>], watched: &[Span], window: Window, heading: &str, marks: &[String], view: View, lang: Lang) -> Markup {
    let ground = ground(watched, window);
    html! {
        div {
            h3 { (heading) }
            @for lane in Lane::all(view) {
                @let drawn = Drawn::of(lane, told, window);
                div.lane {
                    span { (lane.name(lang)) }
                    svg viewBox={ "0 0 " (WIDE) " " (HIGH) } preserveAspectRatio="none" role="img" aria-label=(drawn.said(lane, lang)) {
                        path.ground d=(ground) {}
                        path.full d=(drawn.full) {}
                        path.half d=(drawn.half) {}
                    }
                }
            }
            div.lane.marks aria-hidden="true" { span {} p { @for mark in marks { span { (mark) } } } }
        }
    }
}

/// Where the service ran.
fn ground(watched: &[Span], window: Window) -> String {
    let mut path = String::new();
    for (left, wide) in watched.iter().filter_map(|span| window.place(*span)) {
        let _ = write!(path, "M{left} 0h{wide}v{HIGH}h-{wide}z");
    }
    path
}

/// The bars of a lane.
#[derive(Debug, Default)]
struct Drawn {
    full: String,
    half: String,
    times: usize,
    seconds: u64,
}

impl Drawn {
    fn of(lane: Lane, told: &[Told<'_>], window: Window) -> Self {
        let mut drawn = Self::default();
        let mut bars: Vec<(i64, i64, bool)> = Vec::new();
        for one in told.iter().filter(|one| lane.has(one)) {
            let span = one.span();
            let Some((left, wide)) = window.place(span) else { continue };
            drawn.times += 1;
            drawn.seconds += window.seconds(span);
            bars.push((left, wide, is_full(one)));
        }
        // What lies on the same spot is drawn once, however often it came.
        bars.sort_unstable();
        bars.dedup();
        for (left, wide, full) in bars {
            let (path, top) = if full { (&mut drawn.full, 0) } else { (&mut drawn.half, HIGH / 2) };
            let _ = write!(path, "M{left} {top}h{wide}v{}h-{wide}z", HIGH - top);
        }
        drawn
    }

    fn said(&self, about: Lane, lang: Lang) -> String {
        let name = about.name(lang);
        if self.times == 0 {
            return lang.pick(format!("{name}：没有"), format!("{name}: nothing"));
        }
        let length = length(self.seconds, lang);
        lang.pick(format!("{name}：{} 次，共 {length}", self.times), format!("{name}: {} times, {length} in all", self.times))
    }
}

fn is_full(told: &Told<'_>) -> bool {
    match told.body.incident.kind {
        IncidentKind::Disconnection => true,
        IncidentKind::Degradation | IncidentKind::Blindness => false,
        IncidentKind::Finding => told.body.cause.severity == crate::model::Severity::Critical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).expect("it is in the calendar")
    }

    #[test]
    fn a_centre_that_gives_no_sign_is_drawn_where_the_path_is_cut() {
        let cause = |code: &str, layer| KnownCause {
            code: code.to_owned(),
            layer: Some(layer),
            object: String::new(),
            severity: crate::model::Severity::Critical,
            certainty: crate::model::Certainty::Likely,
            alternatives: Vec::new(),
            history: Vec::new(),
        };
        assert_eq!(cut_at(&cause("centre.outage", Layer::Http)), Some(Layer::Tcp));
        assert_eq!(cut_at(&cause("http.error", Layer::Http)), Some(Layer::Http));
        assert_eq!(cut_at(&cause("vpn.tunnel-dead", Layer::Vpn)), Some(Layer::Vpn));
    }

    #[test]
    fn a_bar_lies_where_it_was_and_is_never_too_thin_to_be_seen() {
        let day = Window::last(SignedDuration::from_hours(24), at(0));
        assert_eq!(day.place((at(-12 * 3600), Some(at(-6 * 3600)))), Some((720, 360)));
        assert_eq!(day.place((at(-60), None)), Some((WIDE - THIN, THIN)), "short, and not over");
        assert_eq!(day.place((at(-48 * 3600), Some(at(-23 * 3600)))), Some((0, 60)), "only what lies inside");
        assert_eq!(day.place((at(-48 * 3600), Some(at(-25 * 3600)))), None);
        assert_eq!(day.place((at(50), None)), None, "a clock that was set back");
        assert_eq!(day.seconds((at(-48 * 3600), None)), 24 * 3600);
    }
}
