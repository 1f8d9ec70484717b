//! Why we think so: every candidate with its evidence and the look-alikes that were excluded, then what else is wrong.

use super::head::inside;
use super::page::{Ink, Page};
use super::{heading, milliseconds, path::stands_there};
use crate::catalogue::{self, Lang, Text};
use crate::model::{Evidence, RuledOut, Severity, Verdict};
use crate::report::Facing;
use crate::report::answer::Answer;

/// Pieces of evidence, and of look-alikes, that a clerk is shown.
const ENOUGH: usize = 2;

/// Writes the arguments.
pub(super) fn write(page: &mut Page, answer: &Answer<'_>, facing: &Facing, lang: Lang, verbose: bool) {
    match (answer.candidates.len(), answer.is_one_of_many()) {
        (0, _) => {}
        (_, false) => heading(page, lang.pick("怎么看出来的", "Why we think so")),
        (_, true) => {
            heading(page, lang.pick("原因是下面其中一个，从这台电脑上分不清是哪个", "It is one of these; this PC alone cannot tell which"));
        }
    }
    for verdict in &answer.candidates {
        argue(page, verdict, facing, lang, verbose);
    }
    if answer.beside.is_empty() {
        return;
    }
    let only = answer.candidates.is_empty();
    heading(page, if only { lang.pick("要留意的", "What needs attention") } else { lang.pick("另外还有", "Besides") });
    for verdict in &answer.beside {
        argue(page, verdict, facing, lang, verbose);
    }
}

fn argue(page: &mut Page, verdict: &Verdict, facing: &Facing, lang: Lang, verbose: bool) {
    let text = catalogue::text(verdict.cause, lang);
    let at = stands_there(&verdict.subject);
    let at = if at.is_empty() { at } else { lang.pick(format!("（{at}）"), format!(" ({at})")) };
    let sure = catalogue::certainty(verdict.certainty, lang);
    page.paragraph("  * ", &lang.pick(format!("{}{at}：{sure}。", text.title), format!("{}{at}: {sure}.", text.title)), Ink::Bold);
    page.paragraph("    ", meaning(verdict, text, lang), Ink::Plain);
    let limit = if verbose { usize::MAX } else { ENOUGH };
    for evidence in verdict.evidence.iter().take(limit) {
        let words = if verbose { raw(evidence) } else { in_words(evidence, lang) };
        page.paragraph("    ", &format!("{}{words}", lang.pick("依据：", "Seen: ")), Ink::Plain);
    }
    for ruled_out in verdict.ruled_out.iter().take(limit) {
        page.paragraph("    ", &not_this(ruled_out, lang), Ink::Plain);
    }
    if verbose {
        for_engineers(page, verdict, facing, lang);
    }
}

/// What it means. The words for a cause that cuts off would be too much where it only takes away a reserve.
pub(in crate::report) fn meaning(verdict: &Verdict, text: &'static Text, lang: Lang) -> &'static str {
    if verdict.disconnects || verdict.cause.severity() < Severity::Critical {
        return text.plain;
    }
    lang.pick("单这一处不影响结算，有空时请打电话处理。", "This alone does not stop settlement; have it seen to when there is time.")
}

fn for_engineers(page: &mut Page, verdict: &Verdict, facing: &Facing, lang: Lang) {
    let severity = catalogue::severity(verdict.severity, lang);
    page.paragraph("    ", &format!("{}{}, {severity}", lang.pick("代码：", "Code: "), verdict.cause), Ink::Plain);
    if let Some(rule) = rule(verdict, facing, lang) {
        page.paragraph("    ", &rule, Ink::Plain);
    }
    for line in catalogue::text(verdict.cause, lang).engineer {
        page.paragraph("    ", &format!("{}{line}", lang.pick("工程师：", "Engineer: ")), Ink::Plain);
    }
    if !verdict.explains.is_empty() {
        let all: Vec<_> = verdict.explains.iter().map(ToString::to_string).collect();
        page.paragraph("    ", &format!("{}{}", lang.pick("连带不通的：", "Fails only because of this: "), all.join(", ")), Ink::Plain);
    }
}

/// The article that a verdict touches, where this site's rules have one.
pub(in crate::report) fn rule(verdict: &Verdict, facing: &Facing, lang: Lang) -> Option<String> {
    let citation = facing.rules.as_ref()?.touched_by(verdict.cause.code())?;
    Some(format!("{}{}", lang.pick("管理规定：", "Rules: "), citation.said(lang)))
}

/// A piece of evidence for a clerk.
pub(in crate::report) fn in_words(evidence: &Evidence, lang: Lang) -> String {
    let asked = catalogue::question(&evidence.k, lang).unwrap_or(&evidence.k);
    let fact = if evidence.result.is_empty() { "none" } else { &evidence.result };
    let result = catalogue::result(fact, lang).unwrap_or_else(|| fact.to_owned());
    let time = evidence.ms.map(|ms| milliseconds(ms, lang));
    let time = time.map(|time| lang.pick(format!("（{time}）"), format!(" ({time})"))).unwrap_or_default();
    let end = lang.pick("。", ".");
    // The PC itself, and a name nobody gave, need not be named.
    let target = if ["", "-", "terminal"].contains(&evidence.target.as_str()) { String::new() } else { format!(" {}", evidence.target) };
    format!("{asked}{target}{}{result}{time}{end}", lang.pick("，", ": "))
}

/// A piece of evidence for an engineer: the facts themselves.
pub(in crate::report) fn raw(evidence: &Evidence) -> String {
    let time = evidence.ms.map(|ms| format!(", {}", milliseconds(ms, Lang::En))).unwrap_or_default();
    format!("{} {} = {}{time}", evidence.k, evidence.target, evidence.result)
}

/// A look-alike, and why it is not that.
pub(in crate::report) fn not_this(ruled_out: &RuledOut, lang: Lang) -> String {
    let title = inside(catalogue::text(ruled_out.cause, lang).title, lang);
    let because = catalogue::reason(&ruled_out.because, lang);
    match lang {
        Lang::ZhCn => format!("已排除：{title}（{because}）。"),
        Lang::En => format!("Ruled out: {title} ({because})."),
    }
}
