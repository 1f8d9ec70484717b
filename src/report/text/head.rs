//! The first three lines: can one settle and whose fault it is not, the one act, whom to call and what to read out.

use super::page::{Ink, Page};
use crate::catalogue::{self, Lang};
use crate::model::{Actor, Verdict};
use crate::report::Facing;
use crate::report::answer::{Answer, Kind};

/// Writes the three lines.
pub(super) fn write(page: &mut Page, answer: &Answer<'_>, facing: &Facing, lang: Lang) {
    let ink = match answer.kind {
        Kind::Fine => Ink::Good,
        Kind::Degraded | Kind::Hindered | Kind::NotConfigured | Kind::Unclear => Ink::Warn,
        Kind::Cut => Ink::Bad,
    };
    page.paragraph("", &first(answer, lang), ink);
    page.paragraph("", &act(answer, facing, lang), Ink::Bold);
    page.paragraph("", &call(answer, facing, lang), Ink::Bold);
    if let Some(text) = queue(answer, facing, lang) {
        page.paragraph("", &text, Ink::Plain);
    }
}

/// What the queue may be told, in the bureau's words: only while it is certain that nobody can settle here.
pub(in crate::report) fn queue(answer: &Answer<'_>, facing: &Facing, lang: Lang) -> Option<String> {
    let text = facing.while_down.as_ref().filter(|_| answer.kind == Kind::Cut)?;
    Some(lang.pick(format!("可以对排队的人说：「{text}」"), format!("To the queue you can say: \"{text}\"")))
}

/// Whether one can settle, and whose fault it is not.
pub(in crate::report) fn first(answer: &Answer<'_>, lang: Lang) -> String {
    let fault = catalogue::exoneration(answer.elsewhere(), lang);
    let titles = titles(&answer.subject(), lang);
    let many = answer.beside.len();
    match (answer.kind, lang) {
        (Kind::Fine, Lang::ZhCn) => "可以结算：从这台电脑到医保中心，网络都是通的。".to_owned(),
        (Kind::Fine, Lang::En) => "You can settle: the network from this PC to the centre works.".to_owned(),
        (Kind::Degraded, Lang::ZhCn) => format!("可以结算，网络是通的。{}：{titles}。{fault}", attention(many, lang)),
        (Kind::Degraded, Lang::En) => format!("You can settle, the network works. {}: {titles}. {fault}", attention(many, lang)),
        (Kind::Hindered, Lang::ZhCn) => format!("网络是通的，但是结算会受影响：{titles}。{fault}"),
        (Kind::Hindered, Lang::En) => format!("The network works, but settling is hindered: {titles}. {fault}"),
        (Kind::Cut, Lang::ZhCn) => cut_zh(answer, &titles, fault),
        (Kind::Cut, Lang::En) => cut_en(answer, &titles, fault),
        (Kind::NotConfigured | Kind::Unclear, Lang::ZhCn) if !titles.is_empty() => {
            format!("说不准能不能结算，但是查到了问题：{titles}。{fault}")
        }
        (Kind::NotConfigured | Kind::Unclear, Lang::En) if !titles.is_empty() => {
            format!("Whether you can settle is not known, but this is wrong: {titles}. {fault}")
        }
        (Kind::NotConfigured, Lang::ZhCn) => format!("说不准能不能结算：还没有填写医保中心的地址。{fault}"),
        (Kind::NotConfigured, Lang::En) => format!("Whether you can settle is not known: the centre's address is not set yet. {fault}"),
        (Kind::Unclear, Lang::ZhCn) => format!("说不准能不能结算：这次没有看全。{fault}"),
        (Kind::Unclear, Lang::En) => format!("Whether you can settle is not known: not enough could be seen. {fault}"),
    }
}

/// How many lesser faults there are; the first is named after it.
fn attention(many: usize, lang: Lang) -> String {
    match (many, lang) {
        (0 | 1, Lang::ZhCn) => "有一处要留意".to_owned(),
        (0 | 1, Lang::En) => "One thing needs attention".to_owned(),
        (_, Lang::ZhCn) => format!("有 {many} 处要留意，头一处是"),
        (_, Lang::En) => format!("{many} things need attention, the first is"),
    }
}

fn cut_zh(answer: &Answer<'_>, titles: &str, fault: &str) -> String {
    match (answer.candidates.len(), answer.is_one_of_many()) {
        (0, _) => format!("现在不能结算，原因还没查清。{fault}"),
        (_, false) => format!("现在不能结算：{titles}。{fault}"),
        (_, true) => format!("现在不能结算。{fault}原因是下面其中一个：{titles}。"),
    }
}

fn cut_en(answer: &Answer<'_>, titles: &str, fault: &str) -> String {
    match (answer.candidates.len(), answer.is_one_of_many()) {
        (0, _) => format!("You cannot settle now; the cause is not clear yet. {fault}"),
        (_, false) => format!("You cannot settle now: {titles}. {fault}"),
        (_, true) => format!("You cannot settle now. {fault} It is one of these: {titles}."),
    }
}

/// The titles of candidates inside a sentence, none twice.
fn titles(verdicts: &[&Verdict], lang: Lang) -> String {
    let mut titles: Vec<String> = Vec::new();
    for title in verdicts.iter().map(|verdict| inside(catalogue::text(verdict.cause, lang).title, lang)) {
        if !titles.contains(&title) {
            titles.push(title);
        }
    }
    titles.join(lang.pick("；或者", "; or "))
}

/// A title as it stands inside a sentence: English loses its capital unless the word is an abbreviation.
pub(super) fn inside(title: &str, lang: Lang) -> String {
    let mut signs = title.chars();
    match (lang, signs.next()) {
        (Lang::En, Some(first)) if signs.clone().next().is_some_and(|second| !second.is_ascii_uppercase()) => {
            first.to_lowercase().chain(signs).collect()
        }
        (Lang::En | Lang::ZhCn, _) => title.to_owned(),
    }
}

/// The one act.
pub(in crate::report) fn act(answer: &Answer<'_>, facing: &Facing, lang: Lang) -> String {
    let causes = answer.causes();
    if !causes.is_empty() {
        let act = catalogue::one_act(&causes, lang);
        let go_on = lang.pick("照常结算", "Go on settling");
        if answer.kind == Kind::Degraded {
            let lead = lang.pick("照常结算，有空时再处理：", "Go on settling; when there is time: ");
            return if act.starts_with(go_on) { act.to_owned() } else { format!("{lead}{act}") };
        }
        return format!("{}{act}", lang.pick("先做这一件：", "Do this first: "));
    }
    match answer.kind {
        Kind::Fine => lang
            .pick(
                "要是还刷不了卡，那不是网络的事，请看结算软件上提示的是什么。",
                "If the card still fails, it is not the network: read what the settlement software says.",
            )
            .to_owned(),
        Kind::NotConfigured => match lang {
            Lang::ZhCn => format!("请负责这台电脑的人在 {} 里填上，要加的几行见下面。", facing.config_file),
            Lang::En => format!("Have whoever looks after this PC add it to {}; the lines are below.", facing.config_file),
        },
        Kind::Degraded | Kind::Hindered | Kind::Cut | Kind::Unclear => {
            format!("{}{}", lang.pick("先做这一件：", "Do this first: "), catalogue::one_act(&[], lang))
        }
    }
}

/// Whom to call, and what to read out.
pub(in crate::report) fn call(answer: &Answer<'_>, facing: &Facing, lang: Lang) -> String {
    let callees = answer.callees();
    let known = callees.iter().copied().find(|actor| facing.contacts.contains_key(actor));
    // The bureau is called for a centre that cannot be called; where all is well nobody has to act.
    let stands_in = known == Some(Actor::Bureau) && callees.first() == Some(&Actor::Centre);
    let acting = callees.first().copied().filter(|_| answer.kind != Kind::Fine && !stands_in).or(known).or(callees.first().copied());
    let mut whom = acting.map(|actor| contact(actor, facing, lang)).unwrap_or_default();
    // Who acts is named even where nobody wrote his number down; then follows the first whose number is there.
    if let Some(other) = known.filter(|known| acting.is_some_and(|acting| acting != *known && !facing.contacts.contains_key(&acting))) {
        let other = contact(other, facing, lang);
        whom += &lang.pick(format!("；没有这个电话，就打给{other}"), format!("; without a number of theirs, {other}"));
    }
    let reference = reference(answer, facing, lang);
    match (answer.kind, lang) {
        (Kind::Fine, Lang::ZhCn) => catalogue::among("要问人就打给", &whom, &format!("，报：{reference}。")),
        (Kind::Fine, Lang::En) => format!("To ask somebody, call {whom}. Read out: {reference}."),
        (_, Lang::ZhCn) => catalogue::among("打电话给", &whom, &format!("，报：{reference}。")),
        (_, Lang::En) => format!("Call {whom}. Read out: {reference}."),
    }
}

/// Role, name and number; says so when the number is not known.
pub(in crate::report) fn contact(actor: Actor, facing: &Facing, lang: Lang) -> String {
    // The insured are not called: their line is a hotline.
    let role = match actor {
        Actor::Insured => lang.pick("参保人咨询热线", "the hotline for insured persons"),
        other => catalogue::actor(other, lang),
    };
    match (facing.contacts.get(&actor), lang) {
        (Some(found), Lang::ZhCn) => format!("{role}（{} {}）", found.name, found.phone),
        (Some(found), Lang::En) => format!("{role} ({} {})", found.name, found.phone),
        (None, Lang::ZhCn) => format!("{role}（还没有登记电话）"),
        (None, Lang::En) => format!("{role} (no number on file)"),
    }
}

/// What to read out on the phone: which PC, when, and the code of the cause.
fn reference(answer: &Answer<'_>, facing: &Facing, lang: Lang) -> String {
    let when = facing.at.strftime("%H:%M");
    let id = facing.id.as_deref().map(spoken).map(|id| lang.pick(format!("本机编号 {id}"), format!("PC number {id}")));
    let who = id.or_else(|| facing.terminal.name.clone());
    let who = who.map(|who| format!("{who}{}", lang.pick("，", ", "))).unwrap_or_default();
    let what = answer.causes().first().map_or_else(
        || match answer.kind {
            Kind::Fine => lang.pick("网络正常", "network fine").to_owned(),
            Kind::NotConfigured => lang.pick("还没填医保中心", "no centre set").to_owned(),
            Kind::Degraded | Kind::Hindered | Kind::Cut | Kind::Unclear => lang.pick("原因不明", "cause unknown").to_owned(),
        },
        ToString::to_string,
    );
    format!("{who}{when}{}{what}", lang.pick("，", ", "))
}

/// An id as it is read out. Of a derived one (16 hexadecimal digits) six tell a bureau's terminals apart; one that was given is short.
fn spoken(id: &str) -> &str {
    let derived = id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit());
    if derived { &id[..6] } else { id }
}
