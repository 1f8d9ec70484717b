//! The diagnosis as one page to show, keep or print: self-contained, without scripts, without anything from elsewhere.
//!
//! Same order as the text: the three lines that suffice by themselves, the drawn path, what to do, whom to call; the arguments fold away
//! on a screen and are open on paper (printed from a second copy, because no style can open a fold in every browser). The template
//! escapes every value; a policy in the head forbids scripts, forms and loading, and allows this one style sheet by its digest.

pub(super) mod drawing;

use super::answer::{Answer, Kind};
use super::text::{self, clean};
use super::{Facing, exit_status};
use crate::catalogue::{self, Lang};
use crate::model::{Blind, Diagnosis, Isolation, Severity, Subject, Verdict};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The style sheet. Its digest stands in [`POLICY`].
pub(super) const STYLE: &str = include_str!("page.css");

/// What the page may do: be styled by [`STYLE`], nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'sha256-1mlk/UVdbJDcWUj8cvKCFromGTZaMkr3J/Itz+5jlZ0='; base-uri 'none'; form-action 'none'";

/// The whole page, ending in a line end.
pub fn to_html(diagnosis: &Diagnosis, facing: &Facing, lang: Lang) -> String {
    let answer = Answer::of(diagnosis, facing);
    let page = html! {
        (DOCTYPE)
        html lang=(lang.tag()) {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { (title(facing, lang)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                p.raw { (title(facing, lang)) }
                (head(&answer, facing, lang))
                @if matches!(diagnosis.isolation, Isolation::Broken | Isolation::Suspect) {
                    p.alarm { (text::isolation(diagnosis, lang)) }
                }
                main {
                    (drawing::section(diagnosis, lang))
                    (acts(diagnosis, &answer, facing, lang))
                    (watched(facing, lang))
                    (fold(&answer, facing, lang))
                    (remarks(diagnosis, lang))
                }
                (foot(diagnosis, facing, lang))
            }
        }
    };
    page.into_string() + "\n"
}

fn title(facing: &Facing, lang: Lang) -> String {
    let what = lang.pick("医保专网检查结果", "Insurance network check");
    let whose = facing.terminal.name.as_deref().or(facing.id.as_deref()).map(|name| format!(" - {}", clean(name))).unwrap_or_default();
    format!("{what}{whose} - {}", facing.at.strftime("%Y-%m-%d %H:%M"))
}

fn head(answer: &Answer<'_>, facing: &Facing, lang: Lang) -> Markup {
    html! {
        header class=(tone(answer.kind)) {
            h1 { (clean(&text::first(answer, lang))) }
            p { (clean(&text::act(answer, facing, lang))) }
            p { (clean(&text::call(answer, facing, lang))) }
            @if let Some(text) = text::queue(answer, facing, lang) {
                p { (clean(&text)) }
            }
        }
    }
}

/// The tone of the first lines. They say the same in words.
pub(super) fn tone(kind: Kind) -> &'static str {
    match kind {
        Kind::Fine => "good",
        Kind::Degraded | Kind::Hindered | Kind::NotConfigured | Kind::Unclear => "warn",
        Kind::Cut => "bad",
    }
}

/// What to do, and what to add where the first lines say that it stands below.
pub(super) fn steps(answer: &Answer<'_>, facing: &Facing, lang: Lang) -> Markup {
    let steps = text::shop_steps(answer, lang);
    html! {
        @if !steps.is_empty() {
            h2 { (lang.pick("怎么办", "What to do")) }
            ol { @for step in &steps { li { (step) } } }
        }
        @if answer.kind == Kind::NotConfigured {
            h2 { (lang.pick("要加的几行", "The lines to add")) }
            p { (clean(&text::lines_to_add(facing, lang))) }
            pre { (text::CENTRE_LINES.join("\n")) }
        }
    }
}

/// What to do, whom to call, what never to do.
fn acts(diagnosis: &Diagnosis, answer: &Answer<'_>, facing: &Facing, lang: Lang) -> Markup {
    html! {
        section {
            (steps(answer, facing, lang))
            @if matches!(answer.kind, Kind::Fine | Kind::Degraded) {
                h2 { (text::look_up(lang)) }
                pre { (text::SYMPTOM) }
            }
            h2 { (lang.pick("联系谁", "Whom to call")) }
            ol { @for actor in answer.callees() { li { (clean(&text::contact(actor, facing, lang))) } } }
            p.never { (catalogue::never_do(lang)) }
            @if matches!(diagnosis.isolation, Isolation::Intact | Isolation::Unknown) {
                p { (text::isolation(diagnosis, lang)) }
            }
        }
    }
}

/// What the daemon has open, and since when.
fn watched(facing: &Facing, lang: Lang) -> Markup {
    let open = facing.open.as_deref().unwrap_or_default();
    html! {
        @if !open.is_empty() {
            section.wide {
                h2 { (text::watched_heading(lang)) }
                ul { @for incident in open { li { (clean(&incident.line(&facing.at, lang))) } } }
            }
        }
    }
}

/// The arguments: folded on a screen, open on paper.
pub(super) fn fold(answer: &Answer<'_>, facing: &Facing, lang: Lang) -> Markup {
    if answer.candidates.is_empty() && answer.beside.is_empty() {
        return html! {};
    }
    let inside = arguments(answer, facing, lang);
    let heading = lang.pick("怎么看出来的，排除了什么", "Why we think so, and what was ruled out");
    html! {
        details.wide.why { summary { (heading) } (inside) }
        section.wide.why.paper { h2 { (heading) } (inside) }
    }
}

fn arguments(answer: &Answer<'_>, facing: &Facing, lang: Lang) -> Markup {
    html! {
        @if answer.is_one_of_many() {
            p { (lang.pick("原因是下面其中一个，从这台电脑上分不清是哪个。", "It is one of these; this PC alone cannot tell which.")) }
        }
        @for verdict in &answer.candidates { (argue(verdict, facing, lang)) }
        @if !answer.beside.is_empty() && !answer.candidates.is_empty() {
            p { strong { (lang.pick("另外还有：", "Besides:")) } }
        }
        @for verdict in &answer.beside { (argue(verdict, facing, lang)) }
    }
}

fn argue(verdict: &Verdict, facing: &Facing, lang: Lang) -> Markup {
    let words = catalogue::text(verdict.cause, lang);
    let at = text::stands_there(&verdict.subject);
    let at = if at.is_empty() { at } else { lang.pick(format!("（{at}）"), format!(" ({at})")) };
    let sure = catalogue::certainty(verdict.certainty, lang);
    let colon = lang.pick("：", ": ");
    let explains: Vec<String> = verdict.explains.iter().map(|subject| clean(&named(subject, lang))).collect();
    html! {
        h3 { (words.title) (at) (colon) (sure) }
        p { (text::meaning(verdict, words, lang)) }
        ul {
            @for evidence in &verdict.evidence {
                li {
                    (lang.pick("依据：", "Seen: ")) (clean(&text::in_words(evidence, lang))) " "
                    span.raw { (clean(&text::raw(evidence))) }
                }
            }
            @for ruled_out in &verdict.ruled_out { li { (clean(&text::not_this(ruled_out, lang))) } }
            @if !explains.is_empty() { li { (lang.pick("连带不通的：", "Fails only because of this: ")) (explains.join(lang.pick("、", ", "))) } }
        }
        @if let Some(rule) = text::rule(verdict, facing, lang) { p { (clean(&rule)) } }
        p.raw { (verdict.cause) ", " (catalogue::severity(verdict.severity, lang)) }
    }
}

/// A subject as people call it: what it is, and its name.
fn named(subject: &Subject, lang: Lang) -> String {
    let kind = catalogue::subject(subject, lang);
    match text::stands_there(subject).as_str() {
        "" => kind.to_owned(),
        name => format!("{kind} {name}"),
    }
}

/// What is no fault, and what could not be seen.
pub(super) fn remarks(diagnosis: &Diagnosis, lang: Lang) -> Markup {
    let notes = text::note_lines(diagnosis, lang);
    html! {
        @if !notes.is_empty() {
            section.wide {
                h2 { (lang.pick("说明（不是故障）", "Notes (no faults)")) }
                ul { @for note in &notes { li { (note) } } }
            }
        }
        @if !diagnosis.blind.is_empty() {
            section.wide {
                h2 { (lang.pick("这次没能看到的", "What could not be seen")) }
                ul {
                    @for item in &diagnosis.blind {
                        li { (unseen(item, lang)) }
                    }
                }
            }
        }
    }
}

/// What could not be seen, in words where there are words for it, and why.
fn unseen(item: &Blind, lang: Lang) -> Markup {
    let why = clean(&catalogue::unseen(&item.because, lang));
    let colon = lang.pick("：", ": ");
    html! {
        @match catalogue::unseen_what(&item.what, lang) {
            Some(words) => { (words) (colon) (why) " " span.raw { (clean(&item.what)) } },
            None => { (clean(&item.what)) (colon) (why) },
        }
    }
}

fn foot(diagnosis: &Diagnosis, facing: &Facing, lang: Lang) -> Markup {
    let terminal = &facing.terminal;
    let of = [facing.id.as_ref(), terminal.name.as_ref(), terminal.institution.as_ref(), terminal.site.as_ref()];
    let whose: Vec<String> = of.into_iter().flatten().map(|part| clean(part)).collect();
    let when = facing.at.strftime("%Y-%m-%d %H:%M:%S %:z");
    let took = text::milliseconds(std::time::Duration::from_millis(facing.took_ms).as_secs_f64() * 1000.0, lang);
    html! {
        footer {
            dl {
                @if !whose.is_empty() { dt { (lang.pick("终端", "Terminal")) } dd { (whose.join(lang.pick("，", ", "))) } }
                dt { (lang.pick("时间", "Time")) } dd { (when) (lang.pick("，用时 ", ", took ")) (took) }
                dt { (lang.pick("结果", "Result")) } dd { (outcome(diagnosis, lang)) }
                dt { (lang.pick("程序", "Program")) } dd { "isonet " (env!("CARGO_PKG_VERSION")) }
            }
        }
    }
}

/// The exit state in words, with its number.
fn outcome(diagnosis: &Diagnosis, lang: Lang) -> String {
    let status = exit_status(diagnosis);
    let lesser = diagnosis.verdicts.iter().any(|verdict| verdict.severity > Severity::Info);
    let (zh, en) = match (diagnosis.isolation, diagnosis.connected) {
        (Isolation::Broken, _) => ("隔离被打开", "isolation broken"),
        (_, Some(true)) if lesser => ("网络是通的，有要留意的", "connected, degraded"),
        (_, Some(true)) => ("网络是通的", "connected"),
        (_, Some(false)) => ("不通", "disconnected"),
        (_, None) => ("说不准", "could not tell"),
    };
    lang.pick(format!("{zh}（退出码 {status}）"), format!("{en} (exit status {status})"))
}

#[cfg(test)]
mod tests {
    use super::{POLICY, STYLE};
    use sha2::{Digest, Sha256};

    fn base64(bytes: &[u8]) -> String {
        const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let group = |chunk: &[u8]| {
            let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            (0..4).map(|i| if i > chunk.len() { '=' } else { char::from(SIGNS[(bits >> (18 - 6 * i)) as usize & 63]) }).collect::<String>()
        };
        bytes.chunks(3).map(group).collect()
    }

    #[test]
    fn the_policy_allows_exactly_this_style_sheet() {
        assert_eq!(base64(b"Man"), "TWFu");
        assert_eq!(base64(b"Ma"), "TWE=");
        let digest = base64(&Sha256::digest(STYLE.as_bytes()));
        assert!(POLICY.contains(&format!("'sha256-{digest}'")), "the digest is sha256-{digest}");
    }
}
