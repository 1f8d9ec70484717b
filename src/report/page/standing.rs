//! What the loop knows: how things stand now.

use super::history::History;
use super::{DOING, PAST, latency, title, unbroken, whole};
use crate::catalogue::{self, Lang};
use crate::model::{Actor, Diagnosis, Isolation, Layer, LayerState, PathItem, Subject};
use crate::report::answer::Answer;
use crate::report::html::{drawing, fold, remarks, steps, tone};
use crate::report::text::{self, clean};
use crate::report::{Agent, Facing, OpenIncident, View, status};
use jiff::Zoned;
use maud::{Markup, PreEscaped, html};

/// What the standing part is made from.
pub struct Now<'a> {
    /// What the last round meant; `None` = the first is under way.
    pub latest: Option<&'a Diagnosis>,
    /// What is open, the oldest first.
    pub open: &'a [OpenIncident],
    /// The service's own affairs.
    pub agent: &'a Agent,
    /// Times of the last day.
    pub history: &'a History,
    /// The surroundings; `at` is when the last round ended.
    pub facing: &'a Facing,
    /// Who looks.
    pub view: View,
    /// By the wall clock.
    pub now: &'a Zoned,
    /// The same since boot, milliseconds.
    pub now_ms: u64,
}

/// The page with its two gaps, ending in a line end.
pub fn standing(now: &Now<'_>, lang: Lang) -> String {
    let seen = now.latest.map(|latest| for_view(latest, now.view));
    let body = match &seen {
        Some(seen) => after_a_look(now, seen, lang),
        None => before_a_look(now, lang),
    };
    whole(&title(now.facing, lang), lang, &body)
}

/// Anybody may know how far the way goes and how long it takes, not what stands on it. For how long a part was waited for in vain means nothing
/// without the rest.
fn for_view(latest: &Diagnosis, view: View) -> Diagnosis {
    let mut seen = latest.clone();
    if view == View::Clerk {
        let bare = |item: PathItem| PathItem {
            subject: Subject::Terminal,
            fact: String::new(),
            ms: item.ms.filter(|_| item.state == LayerState::Ok),
            ..item
        };
        seen.path = seen.path.into_iter().map(bare).collect();
    }
    seen
}

fn before_a_look(now: &Now<'_>, lang: Lang) -> Markup {
    html! {
        header.warn data-state="first-look" aria-live="polite" {
            h1 { (lang.pick("正在做第一次检查，还不知道能不能结算。", "The first look is under way: not known yet whether you can settle.")) }
            p #act { (lang.pick("请稍等几秒，这一页会自己更新。", "Please wait some seconds: this page updates itself.")) }
        }
        p.never { (catalogue::never_do(lang)) }
        (PreEscaped(DOING))
        main { (PreEscaped(PAST)) }
        (foot(now, lang))
    }
}

fn after_a_look(now: &Now<'_>, seen: &Diagnosis, lang: Lang) -> Markup {
    let (facing, answer) = (now.facing, Answer::of(seen, now.facing));
    html! {
        header class=(tone(answer.kind)) data-state=(answer.kind.code()) aria-live="polite" {
            h1 { (clean(&text::first(&answer, lang))) }
            p #act { (clean(&text::act(&answer, facing, lang))) }
            p #call { (unbroken(&clean(&text::call(&answer, facing, lang)))) }
            @if let Some(text) = text::queue(&answer, facing, lang) { p { (clean(&text)) } }
        }
        (separation(now, seen, lang))
        (PreEscaped(DOING))
        main {
            (drawing::section(seen, lang))
            (acts(&answer, facing, lang))
            (open(now, lang))
            (PreEscaped(PAST))
            (latency::section(now.history, now.now_ms, lang))
            @if now.view == View::Whole {
                (fold(&answer, facing, lang))
            }
            (unseen(now, seen, lang))
            @if now.view == View::Whole { (own(now, lang)) }
        }
        (foot(now, lang))
    }
}

/// The separation from the internet: a light of its own, told by shape and word.
fn separation(now: &Now<'_>, seen: &Diagnosis, lang: Lang) -> Markup {
    let (isolation, words) = status::separation(seen, now.agent, lang);
    let (tone, shape) = match isolation {
        Isolation::Intact => ("good", "M5 13l4.5 5L19 7"),
        Isolation::Suspect => ("warn", "M12 5v9m0 4v.2"),
        Isolation::Broken => ("bad", "M6 6l12 12M18 6L6 18"),
        Isolation::Unknown => ("dim", "M5 12h14"),
    };
    // Whom its sentence names, with the number.
    let whom = match isolation {
        Isolation::Suspect => Some(Actor::Vendor),
        Isolation::Broken => Some(Actor::Bureau),
        Isolation::Intact | Isolation::Unknown => None,
    };
    html! {
        p #isolation class={ "light " (tone) } data-isolation=(isolation.code()) role="status" {
            svg viewBox="0 0 24 24" aria-hidden="true" { path d=(shape) {} }
            span {
                (words)
                @if let Some(actor) = whom { " " (unbroken(&clean(&text::contact(actor, now.facing, lang)))) }
            }
        }
    }
}

/// What to do, whom to call, what never to do. The first whose number is there stands out.
fn acts(answer: &Answer<'_>, facing: &Facing, lang: Lang) -> Markup {
    let callees = answer.callees();
    let first = callees.iter().find(|actor| facing.contacts.contains_key(actor)).copied();
    html! {
        section {
            (steps(answer, facing, lang))
            h2 { (lang.pick("联系谁", "Whom to call")) }
            ol.callees { @for actor in callees { li class=[(first == Some(actor)).then_some("loud")] { (unbroken(&clean(&text::contact(actor, facing, lang)))) } } }
            p.never { (catalogue::never_do(lang)) }
        }
    }
}

fn open(now: &Now<'_>, lang: Lang) -> Markup {
    html! {
        @if !now.open.is_empty() {
            section.wide #open {
                h2 { (lang.pick("还没有恢复的", "Not over yet")) }
                ul {
                    @for incident in now.open { li data-cause=(clean(&incident.cause)) { (clean(&incident.words(now.now, lang))) } }
                }
            }
        }
    }
}

/// What looks like a fault and is none; what could not be seen, which for a clerk is only how much.
fn unseen(now: &Now<'_>, seen: &Diagnosis, lang: Lang) -> Markup {
    if now.view == View::Whole {
        return remarks(seen, lang);
    }
    let bare = Diagnosis { blind: Vec::new(), ..seen.clone() };
    let blind: Vec<&str> = now.agent.watchers.iter().filter(|watcher| !watcher.sees).map(|watcher| watcher.name.as_str()).collect();
    html! {
        (remarks(&bare, lang))
        @if !blind.is_empty() || !seen.blind.is_empty() {
            section.wide #blind {
                h2 { (lang.pick("值守程序看不到的", "What the watch cannot see")) }
                ul {
                    @for what in &blind { li { (clean(what)) } }
                    @if !seen.blind.is_empty() {
                        li { (lang.pick(
                            format!("最近一次检查有 {} 处没能看到，维护人员能看到是哪些。", seen.blind.len()),
                            format!("The last look could not see {} things; whoever looks after this PC can see which.", seen.blind.len()),
                        )) }
                    }
                }
            }
        }
    }
}

/// The service's own affairs, in the words of `isonet status`.
fn own(now: &Now<'_>, lang: Lang) -> Markup {
    let lines = status::own_lines(now.agent, lang);
    html! {
        section.wide #service {
            h2 { (lang.pick("值守程序和外送", "The watch, and where records go")) }
            ul { @for line in &lines { li { (clean(line)) } } }
        }
    }
}

fn foot(now: &Now<'_>, lang: Lang) -> Markup {
    let (facing, terminal) = (now.facing, &now.facing.terminal);
    let of = [facing.id.as_ref(), terminal.name.as_ref(), terminal.institution.as_ref(), terminal.site.as_ref()];
    let whose: Vec<String> = of.into_iter().flatten().map(|part| clean(part)).collect();
    let other = lang.pick(Lang::En, Lang::ZhCn);
    html! {
        footer {
            dl {
                @if !whose.is_empty() { dt { (lang.pick("终端", "Terminal")) } dd { (whose.join(lang.pick("，", ", "))) } }
                @if now.latest.is_some() {
                    dt { (lang.pick("检查时间", "Looked at")) }
                    dd { (facing.at.strftime("%Y-%m-%d %H:%M:%S")) }
                }
                dt { (lang.pick("程序", "Program")) } dd { "isonet " (env!("CARGO_PKG_VERSION")) }
            }
            p { a href={ "/?lang=" (other.tag()) } lang=(other.tag()) { (other.pick("中文", "English")) } }
            p #gone hidden { (lang.pick(
                "值守程序没有应答，上面是之前的情况。可以运行桌面上的「医保网络检查」看现在的。",
                "The watch does not answer: what stands above is from before. The desktop's \"Insurance network check\" shows how it is now.",
            )) }
        }
    }
}

/// A part of the way in words.
pub(super) fn part(chain: &crate::model::Chain, layer: Layer, lang: Lang) -> String {
    let layer = catalogue::layer(layer, lang);
    match chain {
        crate::model::Chain::Local => layer.to_owned(),
        crate::model::Chain::Centre(name) => format!("{}{}{layer}", clean(name), lang.pick("：", ": ")),
    }
}
