//! What only the log knows: the timeline, and what happened in the last seven days.

use super::past::{MOST as KEPT, Past, Told};
use super::{timeline, unbroken};
use crate::catalogue::{self, Lang};
use crate::report::incidents::{Codes, End, incident, statement};
use crate::report::text::{clean, in_words, raw, stands_there};
use crate::report::{Facing, View, text};
use jiff::Zoned;
use maud::{Markup, html};

/// Incidents that are listed at most, and the bytes at which the list ends: the page is to stay small.
const MOST: usize = 30;
const MOST_BYTES: usize = 40_000;
/// Pieces of evidence of one incident; `isonet evidence` has all.
const MOST_PROOF: usize = 8;

/// For whom, when, and with what a form shows where it comes from.
#[derive(Debug, Clone, Copy)]
pub struct Sheet<'a> {
    /// Who looks.
    pub view: View,
    /// By the wall clock.
    pub now: &'a Zoned,
    /// Whom to call.
    pub facing: &'a Facing,
    /// The token of this run.
    pub token: &'a str,
    /// In which language.
    pub lang: Lang,
}

/// The part; says so while the log is still being read.
pub fn past_sheet(past: &Past, sheet: Sheet<'_>) -> String {
    let lang = sheet.lang;
    if !past.whole {
        let reading = lang.pick("正在读以前的记录…", "Reading the records from before...");
        return html! { section.wide #recent aria-busy="true" { p { (reading) } } }.into_string();
    }
    let told = past.incidents(sheet.now.timestamp());
    let (tampering, others): (Vec<_>, Vec<_>) = told.iter().copied().partition(|told| sheet.view == View::Whole && touches_terminal(told));
    html! {
        (timeline::section(&told, past.watched(), sheet.now, sheet.view, lang))
        @if past.crowded {
            p.key.wide #crowded { (lang.pick(
                format!("事情太多，这一页只有最近的 {KEPT} 件，更早的也在记录里。"),
                format!("So much happened that this page has only the latest {KEPT}; the records have all of it."),
            )) }
        }
        section.wide #recent {
            h2 { (lang.pick("最近 7 天发生的", "What happened in the last 7 days")) }
            (list(&others, sheet))
        }
        @if sheet.view == View::Whole {
            section.wide #tampering {
                h2 { (lang.pick("U 盘等设备和时钟", "Storage, other devices and the clock")) }
                (list(&tampering, sheet))
            }
        }
    }
    .into_string()
}

/// Storage and the clock have a list of their own.
fn touches_terminal(told: &Told<'_>) -> bool {
    ["usb.", "clock."].iter().any(|family| told.body.cause.code.starts_with(family))
}

fn list(told: &[Told<'_>], sheet: Sheet<'_>) -> Markup {
    let lang = sheet.lang;
    let (mut items, mut bytes) = (Vec::new(), 0);
    for one in told.iter().take(MOST) {
        let item = item(one, sheet);
        bytes += item.0.len();
        if bytes > MOST_BYTES {
            break;
        }
        items.push(item);
    }
    html! {
        @if told.is_empty() { p { (lang.pick("没有。", "Nothing.")) } }
        @for item in &items { (item) }
        @if items.len() < told.len() {
            p.key { (lang.pick(
                format!("还有更早的 {} 次没有列出。", told.len() - items.len()),
                format!("{} earlier ones are not listed.", told.len() - items.len()),
            )) }
        }
    }
}

fn item(told: &Told<'_>, sheet: Sheet<'_>) -> Markup {
    let (lang, body) = (sheet.lang, told.body);
    let open = told.is_open();
    let line = incident(told.record, body, End::of(body.incident.phase, told.lost), sheet.now, Codes::LeftOut, lang);
    let words = catalogue::entry(&body.cause.code, lang);
    let acting: Vec<String> =
        sheet.facing.ordered(&body.who_acts).into_iter().map(|actor| clean(&text::contact(actor, sheet.facing, lang))).collect();
    html! {
        details.incident id={ "i" (body.incident.id.seq) } data-cause=(clean(&body.cause.code)) data-open[open] {
            summary {
                @if open { strong.bad { (lang.pick("未恢复 ", "open ")) } }
                (clean(&line))
            }
            @if let Some(words) = words {
                p { (words.plain) " " span.raw { (clean(&body.cause.code)) " #" (body.incident.id.seq) } }
                @if !words.shop.is_empty() { ol { @for step in words.shop { li { (step) } } } }
            }
            @if !acting.is_empty() { p { (lang.pick("谁来处理：", "Who acts: ")) (unbroken(&acting.join(lang.pick("；", "; ")))) } }
            @if sheet.view == View::Whole { (proof(told, lang)) }
            @for comment in &body.comments { p.said { (clean(&statement(comment, sheet.now, lang))) } }
            @if sheet.view == View::Whole { (comment_form(told, sheet)) }
        }
    }
}

/// What shows it. Only for who may see where.
fn proof(told: &Told<'_>, lang: Lang) -> Markup {
    let body = told.body;
    let at = crate::model::Subject::try_from(body.cause.object.clone()).map(|subject| stands_there(&subject)).unwrap_or_default();
    html! {
        @if !at.is_empty() { p { (lang.pick("在：", "At: ")) (at) } }
        @if let Some(rule) = &body.rule { p { (lang.pick("涉及：", "Touches: ")) (clean(&rule.set)) " " (clean(&rule.article)) } }
        @if !body.evidence.is_empty() {
            ul.why {
                @for evidence in body.evidence.iter().take(MOST_PROOF) {
                    li { (clean(&in_words(evidence, lang))) " " span.raw { (clean(&raw(evidence))) } }
                }
            }
        }
        p.raw { "isonet evidence " (clean(&body.incident.id.to_string())) }
    }
}

fn comment_form(told: &Told<'_>, sheet: Sheet<'_>) -> Markup {
    let (lang, id) = (sheet.lang, told.body.incident.id.to_string());
    let field = format!("c{}", told.body.incident.id.seq);
    html! {
        form.comment method="post" action={ "/statement?lang=" (lang.tag()) } {
            input type="hidden" name="token" value=(sheet.token);
            input type="hidden" name="incident" value=(clean(&id));
            label for=(field) { (lang.pick("本单位的说明（会跟着记录一起上报）", "Statement of the institution (it travels with the record)")) }
            input id=(field) name="text" required maxlength="300" autocomplete="off";
            button { (lang.pick("记下", "Record")) }
        }
    }
}
