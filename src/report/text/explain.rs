//! One cause or finding, or what may stand behind a message on a screen, in words: nothing here has looked at anything.

use super::head::contact;
use super::page::{Ink, Page, clean, pad};
use super::{Facing, Style, heading};
use crate::catalogue::{self, Found, Lang, Origin, Party, Symptom, Text};
use crate::model::{self, Actor, Cause, FindingCode, Layer, Severity};
use crate::report::{Network, Source};
use unicode_width::UnicodeWidthStr;

/// The page of one cause: what a person at the counter needs, then what an engineer does.
pub fn explain_cause(cause: Cause, facing: &Facing, lang: Lang, style: Style) -> String {
    let text = catalogue::text(cause, lang);
    let mut page = Page::new(style.width, style.color);
    for_the_counter(&mut page, text, lang);
    who_acts(&mut page, cause.actors(), facing, lang);
    let layer = catalogue::layer(cause.layer(), lang).to_owned();
    for_engineers(
        &mut page,
        text,
        lang,
        [
            code(cause.code(), lang),
            severity(cause.severity(), lang),
            (lang.pick("位置", "Layer"), layer),
            rules(cause.code(), facing, lang),
        ],
    );
    page.finish()
}

/// The page of one finding: as that of a cause, and where it may have come from.
pub fn explain_finding(finding: FindingCode, facing: &Facing, lang: Lang, style: Style) -> String {
    let text = catalogue::finding(finding, lang);
    let mut page = Page::new(style.width, style.color);
    for_the_counter(&mut page, text, lang);
    who_acts(&mut page, finding.actors(), facing, lang);
    heading(&mut page, lang.pick("从哪儿来的，记录里会写明是哪一种", "Where it came from: the record says which of these"));
    for origin in model::Origin::ALL {
        page.paragraph("  - ", catalogue::came_from(origin, lang), Ink::Plain);
    }
    let facts = [code(finding.code(), lang), severity(finding.severity(), lang), rules(finding.code(), facing, lang)];
    for_engineers(&mut page, text, lang, facts);
    page.finish()
}

fn for_the_counter(page: &mut Page, text: &Text, lang: Lang) {
    page.paragraph("", text.title, Ink::Bold);
    heading(page, lang.pick("这是什么意思", "What it means"));
    page.paragraph("  ", text.plain, Ink::Plain);
    heading(page, lang.pick("怎么办", "What to do"));
    for (i, step) in text.shop.iter().enumerate() {
        page.paragraph(&format!("  {}. ", i + 1), step, Ink::Plain);
    }
}

fn who_acts(page: &mut Page, actors: &[Actor], facing: &Facing, lang: Lang) {
    heading(page, lang.pick("谁来处理，从第一个找起", "Who acts, the first to ask first"));
    for actor in facing.ordered(actors) {
        page.paragraph("  - ", &whom(actor, facing, lang), Ink::Plain);
    }
    page.blank();
    page.paragraph("", catalogue::never_do(lang), Ink::Bold);
}

fn whom(actor: Actor, facing: &Facing, lang: Lang) -> String {
    if actor == Actor::Shop { catalogue::actor(actor, lang).to_owned() } else { contact(actor, facing, lang) }
}

/// A name and a value, for an engineer.
type Fact = (&'static str, String);

fn for_engineers<const N: usize>(page: &mut Page, text: &Text, lang: Lang, facts: [Fact; N]) {
    heading(page, lang.pick("给工程师", "For an engineer"));
    for (name, value) in facts {
        page.paragraph("  ", &format!("{name}{}{value}", lang.pick("：", ": ")), Ink::Plain);
    }
    for line in text.engineer {
        page.paragraph("  - ", line, Ink::Plain);
    }
}

fn code(code: &str, lang: Lang) -> Fact {
    (lang.pick("代码", "Code"), code.to_owned())
}

fn severity(severity: Severity, lang: Lang) -> Fact {
    (lang.pick("级别", "Severity"), catalogue::severity(severity, lang).to_owned())
}

/// The article touched, or why none is cited.
fn rules(code: &str, facing: &Facing, lang: Lang) -> Fact {
    let said = match facing.rules.as_ref().map(|rules| rules.touched_by(code)) {
        None => lang.pick("没有选用规定", "no set is configured").to_owned(),
        Some(None) => lang.pick("不涉及", "no article is touched").to_owned(),
        Some(Some(citation)) => citation.said(lang),
    };
    (lang.pick("管理规定", "Rules"), said)
}

/// The page of one origin that is not the network.
pub fn explain_origin(origin: Origin, facing: &Facing, lang: Lang, style: Style) -> String {
    let text = catalogue::origin(origin, lang);
    let mut page = Page::new(style.width, style.color);
    page.paragraph("", text.title, Ink::Bold);
    page.blank();
    network_first(&mut page, None, lang);
    heading(&mut page, lang.pick("这是什么意思", "What it means"));
    page.paragraph("  ", text.plain, Ink::Plain);
    heading(&mut page, lang.pick("谁来办", "Who acts"));
    for party in origin.parties() {
        page.paragraph("  - ", &side(*party, facing, lang), Ink::Plain);
    }
    heading(&mut page, lang.pick("可以这样对参保人说", "What to tell the customer"));
    page.paragraph("  ", &quoted(text.say, lang), Ink::Plain);
    heading(&mut page, lang.pick("屏幕上可能写着", "It may read"));
    for symptom in Symptom::ALL.into_iter().filter(|symptom| symptom.origins().contains(&origin)) {
        page.paragraph("  - ", catalogue::screen(symptom, lang).title, Ink::Plain);
    }
    page.blank();
    page.paragraph("", &format!("{}{}", lang.pick("代码：", "Code: "), origin.key()), Ink::Dim);
    page.finish()
}

/// What a text off a screen may come from, after what is known of the network (`None` = nobody looked). `found` is not empty; each is a heading
/// with its origins, the likeliest first.
pub fn explain_symptoms(found: &[Found], network: Option<&Network>, facing: &Facing, lang: Lang, style: Style) -> String {
    let mut page = Page::new(style.width, style.color);
    network_first(&mut page, network, lang);
    if found.len() > 1 {
        page.blank();
        page.paragraph(
            "",
            lang.pick(
                "下面几种都像，请看这句话出现在哪块屏幕上，对着选一种。",
                "Several fit. See on which screen the message stands and choose by that.",
            ),
            Ink::Plain,
        );
    }
    for it in found {
        let words = catalogue::screen(it.symptom, lang);
        heading(&mut page, words.title);
        page.paragraph("  ", words.meanwhile, Ink::Plain);
        let origins = it.symptom.origins();
        for (i, origin) in origins.iter().enumerate() {
            let lead = if origins.len() == 1 { "  * ".to_owned() } else { format!("  {}. ", i + 1) };
            argue(&mut page, &lead, *origin, facing, lang);
        }
    }
    page.blank();
    page.paragraph(
        "",
        lang.pick(
            "这些是常见的来由，最可能的排在前面；只凭屏幕上的一句话定不了。",
            "These are the usual reasons, the likeliest first; a line on a screen alone proves none of them.",
        ),
        Ink::Dim,
    );
    page.finish()
}

fn argue(page: &mut Page, lead: &str, origin: Origin, facing: &Facing, lang: Lang) {
    let text = catalogue::origin(origin, lang);
    page.paragraph(
        lead,
        &lang.pick(format!("{}（{}）", text.title, origin.key()), format!("{} ({})", text.title, origin.key())),
        Ink::Bold,
    );
    let indent = " ".repeat(lead.width());
    page.paragraph(&indent, text.plain, Ink::Plain);
    let parties = parties(origin, facing, lang);
    page.paragraph(&indent, &format!("{}{parties}{}", lang.pick("谁来办：", "Who acts: "), lang.pick("。", ".")), Ink::Plain);
    page.paragraph(&indent, &format!("{}{}", lang.pick("可以说：", "Say: "), quoted(text.say, lang)), Ink::Plain);
}

/// Who acts on an origin, in order.
pub(in crate::report) fn parties(origin: Origin, facing: &Facing, lang: Lang) -> String {
    let parties: Vec<_> = origin.parties().iter().map(|party| side(*party, facing, lang)).collect();
    let waits = origin.parties().first() == Some(&Party::Nobody);
    parties.join(if waits { lang.pick("；要问就找", "; to ask: ") } else { lang.pick("；再找", "; then ") })
}

/// Nothing similar is known: the network, that, and what is known.
pub fn explain_unknown(text: &str, network: Option<&Network>, lang: Lang, style: Style) -> String {
    let mut page = Page::new(style.width, style.color);
    network_first(&mut page, network, lang);
    page.blank();
    // What was typed may be long; its beginning suffices to recognise it.
    let text: String = clean(text).chars().take(60).collect();
    let line = match lang {
        Lang::ZhCn => format!("没有认出「{text}」，手头没有类似的提示。下面是认得的，看看有没有意思相近的。"),
        Lang::En => format!("\"{text}\" is not like anything known here. These are the messages that are; see whether one means the same."),
    };
    page.paragraph("", &line, Ink::Bold);
    known(&mut page, lang);
    page.blank();
    page.paragraph(
        "",
        lang.pick(
            "都不像，就把屏幕上的原话和时间报给结算软件公司或医保局信息科。",
            "If none does, report the exact words and the time to the settlement software's vendor or the insurance bureau's information office.",
        ),
        Ink::Plain,
    );
    page.finish()
}

/// Each with the number by which it can be picked.
fn known(page: &mut Page, lang: Lang) {
    heading(page, lang.pick("认得的屏幕提示", "Known messages on a screen"));
    for (i, symptom) in Symptom::ALL.into_iter().enumerate() {
        let words = catalogue::screen(symptom, lang);
        page.paragraph(&format!("  {}. ", i + 1), words.title, Ink::Bold);
        page.paragraph("     ", &words.phrases.join(lang.pick("；", "; ")), Ink::Plain);
    }
}

/// The messages that are known, to pick from.
pub fn list_symptoms(lang: Lang, style: Style) -> String {
    let mut page = Page::new(style.width, style.color);
    let line = lang.pick(
        "屏幕上的提示像哪一条，就查它的编号，或者把原话填在引号里：",
        "Look up the number of the message that is most like yours, or what the screen says:",
    );
    page.paragraph("", line, Ink::Bold);
    for command in ["isonet explain --symptom 1", super::SYMPTOM] {
        page.pieces(&[("    ", Ink::Plain), (command, Ink::Plain)]);
    }
    known(&mut page, lang);
    page.finish()
}

/// Columns that a title needs to stand beside its code; with less it stands below.
const NARROWEST: usize = 24;

/// Every cause by layer, every finding, then what is not the network, then the messages that are known.
pub fn explain_list(lang: Lang, style: Style) -> String {
    let mut page = Page::new(style.width, style.color);
    let observed = FindingCode::ALL.iter().map(|finding| finding.code());
    let codes = Cause::ALL.iter().map(|cause| cause.code()).chain(observed).chain(Origin::ALL.iter().map(|origin| origin.key()));
    let width = codes.map(UnicodeWidthStr::width).max().unwrap_or_default();
    let beside = page.width() >= width + 4 + NARROWEST;
    let row = |page: &mut Page, code: &str, title: &str| {
        if beside {
            return page.paragraph(&format!("  {}  ", pad(code, width)), title, Ink::Plain);
        }
        page.pieces(&[("  ", Ink::Plain), (code, Ink::Plain)]);
        page.paragraph("    ", title, Ink::Plain);
    };
    for (i, layer) in Layer::ALL.into_iter().enumerate() {
        if i > 0 {
            page.blank();
        }
        page.paragraph("", catalogue::layer(layer, lang), Ink::Bold);
        for cause in Cause::ALL.iter().filter(|cause| cause.layer() == layer) {
            row(&mut page, cause.code(), catalogue::text(*cause, lang).title);
        }
    }
    heading(&mut page, lang.pick("值守时可能观察到的，不是断网的原因", "What the watch may observe, no causes of a disconnection"));
    for finding in FindingCode::ALL {
        row(&mut page, finding.code(), catalogue::finding(*finding, lang).title);
    }
    heading(&mut page, lang.pick("网络正常、卡还是用不了时的来由", "When the network is fine and the card still fails"));
    for origin in Origin::ALL {
        row(&mut page, origin.key(), catalogue::origin(*origin, lang).title);
    }
    known(&mut page, lang);
    page.finish()
}

/// The network comes first: what follows holds only where it is fine.
fn network_first(page: &mut Page, network: Option<&Network>, lang: Lang) {
    let Some(network) = network else {
        let line = lang.pick(
            "先查网络：请先运行 isonet diagnose。它说网络是通的，再看下面；它说不通，照它说的办。这里只是查资料，没有发出任何数据。",
            "The network first: run isonet diagnose. If it says that the network works, read on; if not, do what it says. This is only a look into a book: nothing was sent.",
        );
        return page.paragraph("", line, Ink::Bold);
    };
    let ink = match network.connected {
        Some(true) => Ink::Good,
        Some(false) => Ink::Bad,
        None => Ink::Warn,
    };
    page.paragraph("", &network.first, ink);
    // Where the network works, its one act and its number are what follows below.
    if network.connected != Some(true) {
        for line in [&network.act, &network.call].into_iter().flatten() {
            page.paragraph("", line, Ink::Bold);
        }
    }
    let source = match (&network.source, lang) {
        (Source::Look, Lang::ZhCn) => "（刚刚检查过网络）".to_owned(),
        (Source::Look, Lang::En) => "(The network was looked at just now.)".to_owned(),
        (Source::Watch(at), Lang::ZhCn) => format!("（值守程序 {} 检查的网络）", clock_time(at)),
        (Source::Watch(at), Lang::En) => format!("(The service looked at the network at {}.)", clock_time(at)),
    };
    page.paragraph("", &source, Ink::Dim);
    page.blank();
    page.paragraph("", network_lead(network.connected, lang), Ink::Plain);
}

/// What the state of the network means for what follows.
pub(in crate::report) fn network_lead(connected: Option<bool>, lang: Lang) -> &'static str {
    match connected {
        Some(true) => lang.pick(
            "网络没有问题，屏幕上的提示多半另有来由：",
            "The network is not the reason; what the screen says most likely has another:",
        ),
        Some(false) => lang.pick(
            "先照上面说的办：网络不通的时候，屏幕上什么提示都可能出现。网络通了提示还在，再看下面。",
            "Do the above first: while the network is down a screen may say anything. If the message stays when it is back, read on.",
        ),
        None => lang.pick(
            "网络通不通还说不准。确定是通的，下面的来由才对得上。",
            "Whether the network works is not known. The reasons below hold only where it does.",
        ),
    }
}

/// Hours, minutes and seconds of an RFC 3339 time.
fn clock_time(at: &str) -> &str {
    at.split_once('T').and_then(|(_, time)| time.get(..8)).unwrap_or(at)
}

/// A party with its number, where the configuration has one.
fn side(party: Party, facing: &Facing, lang: Lang) -> String {
    party.contact().map_or_else(|| catalogue::party(party, lang).to_owned(), |actor| contact(actor, facing, lang))
}

fn quoted(text: &str, lang: Lang) -> String {
    lang.pick(format!("「{text}」"), format!("\"{text}\""))
}
