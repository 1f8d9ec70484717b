//! From what the screen says to who acts on it, after how the network is; and the page that says why something was not done.

use super::doing::screen;
use super::{title, whole};
use crate::catalogue::{self, Lang, Symptom, search};
use crate::report::text::{clean, network_lead, parties};
use crate::report::{Facing, Network};
use maud::{Markup, html};

/// What a text off a screen may come from. `network`: `None` = not known yet.
pub fn symptom(asked: &str, network: Option<&Network>, facing: &Facing, lang: Lang) -> String {
    let found = search(asked);
    // What was typed may be long; its beginning suffices to recognise it.
    let shown: String = clean(asked).chars().take(60).collect();
    let body = html! {
        nav { (way_home(lang)) }
        (first(network, lang))
        main.read {
            @if found.is_empty() {
                section.wide {
                    h2 { (lang.pick(format!("没有认出「{shown}」"), format!("\"{shown}\" is not like anything known here"))) }
                    p { (lang.pick(
                        "下面是认得的，看看有没有意思相近的。都不像，就把屏幕上的原话和时间报给结算软件公司或医保局信息科。",
                        "These are the messages that are; see whether one means the same. If none does, report the exact words and the time to the settlement software's vendor or the insurance bureau's information office.",
                    )) }
                    (known(lang))
                }
            } @else {
                @if found.len() > 1 {
                    p.wide { (lang.pick(
                        "下面几种都像，请看这句话出现在哪块屏幕上，对着选一种。",
                        "Several fit. See on which screen the message stands and choose by that.",
                    )) }
                }
                @for it in &found { (one(it.symptom, facing, lang)) }
                p.key.wide { (lang.pick(
                    "这些是常见的来由，最可能的排在前面；只凭屏幕上的一句话定不了。",
                    "These are the usual reasons, the likeliest first; a line on a screen alone proves none of them.",
                )) }
            }
        }
        div.doing { (screen(lang, &shown)) }
        (home(lang))
    };
    whole(&title(facing, lang), lang, &body)
}

fn first(network: Option<&Network>, lang: Lang) -> Markup {
    let Some(network) = network else {
        return html! { header.warn { h1 { (lang.pick("正在做第一次检查，网络通不通还不知道。", "The first look is under way: how the network is, is not known yet.")) } } };
    };
    let tone = match network.connected {
        Some(true) => "good",
        Some(false) => "bad",
        None => "warn",
    };
    html! {
        header class=(tone) {
            h1 { (clean(&network.first)) }
            // Where the network works, its one act and its number are what follows below.
            @if network.connected != Some(true) {
                @for line in [&network.act, &network.call].into_iter().flatten() { p { (clean(line)) } }
            }
        }
        p { (network_lead(network.connected, lang)) }
    }
}

fn one(symptom: Symptom, facing: &Facing, lang: Lang) -> Markup {
    let words = catalogue::screen(symptom, lang);
    html! {
        section.wide data-symptom {
            h2 { (words.title) }
            p { (words.meanwhile) }
            @for origin in symptom.origins() {
                @let text = catalogue::origin(*origin, lang);
                h3 data-origin=(origin.key()) { (text.title) }
                p { (text.plain) }
                p { strong { (lang.pick("谁来办：", "Who acts: ")) } (clean(&parties(*origin, facing, lang))) (lang.pick("。", ".")) }
                p { strong { (lang.pick("可以说：", "Say: ")) } (lang.pick(format!("「{}」", text.say), format!("\"{}\"", text.say))) }
            }
        }
    }
}

/// All that are known, to pick from.
fn known(lang: Lang) -> Markup {
    html! {
        ol {
            @for (i, symptom) in (1..).zip(Symptom::ALL) {
                li { a href={ "/symptom?screen=" (i) "&lang=" (lang.tag()) } { (catalogue::screen(symptom, lang).title) } }
            }
        }
    }
}

fn home(lang: Lang) -> Markup {
    html! { footer { p { (way_home(lang)) } } }
}

fn way_home(lang: Lang) -> Markup {
    html! { a href={ "/?lang=" (lang.tag()) } { (lang.pick("← 回到状态网页", "← Back to the status page")) } }
}

/// Why something was not done, as a page.
pub fn refused(why: &str, lang: Lang) -> String {
    let body = html! {
        header.warn { h1 { (lang.pick("这一步没有做成", "This was not done")) } p { (clean(why)) } }
        (home(lang))
    };
    whole(lang.pick("没有做成", "Not done"), lang, &body)
}
