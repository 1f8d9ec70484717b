//! The texts of notices. What comes from the status is shown as plain text, of bounded length, and steers nothing.

use super::seen::{Incident, Open, Seen};
use super::{Notice, Topic, Urgency};
use crate::catalogue::{self, Lang};
use std::collections::BTreeMap;

/// Longest line, characters: several of what the catalogue has.
const LINE: usize = 240;
/// Causes that are named.
const NAMED: usize = 3;

/// That something is wrong.
pub(super) fn opened(topic: Topic, seen: &Seen, open: &[Open<'_>], lang: Lang) -> Notice {
    let about: Vec<&Open<'_>> = open.iter().filter(|it| it.subject.topic == topic).collect();
    let incidents: Vec<&Incident> = about.iter().filter_map(|it| it.incident).collect();
    let planned = !about.is_empty() && about.iter().all(|it| it.planned);
    let (summary, mut body, act) = match topic {
        Topic::Settlement => {
            let flaps = about.iter().any(|it| it.flaps());
            // Once it works again, what to do about it does not.
            let act = seen.say.act.clone().filter(|_| seen.connected != Some(true));
            (cannot_settle(seen, flaps, planned, lang).to_owned(), causes(&incidents, lang), act)
        }
        Topic::Isolation => {
            let summary = incidents.first().map_or_else(
                || lang.pick("这台电脑和互联网没有隔开", "This PC is not separated from the internet").to_owned(),
                |it| it.title.clone(),
            );
            (summary, vec![seen.say.isolation.clone()], shop(&incidents, lang))
        }
        Topic::Usb => {
            // The worst of them tells what to do.
            let first = incidents.iter().rev().max_by_key(|it| rank(&it.severity));
            let summary = first.map(|it| it.title.clone()).unwrap_or_default();
            let mut others: Vec<String> = incidents.iter().map(|it| it.title.clone()).filter(|title| *title != summary).collect();
            others.dedup();
            others.truncate(NAMED);
            (summary, others, first.and_then(|it| shop(&[it], lang)))
        }
    };
    body.extend(act);
    let urgency = if planned { Urgency::Low } else { Urgency::Normal };
    Notice { topic, over: false, urgency, summary: line(&summary), body: body.iter().map(|text| line(text)).collect() }
}

/// That one can settle again.
pub(super) fn recovered(planned: bool, lang: Lang) -> Notice {
    let body = lang.pick(
        "网络恢复了。要是还刷不了卡，请看结算软件上提示的是什么。",
        "The network works again. If the card still fails, read what the settlement software says.",
    );
    Notice {
        topic: Topic::Settlement,
        over: true,
        urgency: if planned { Urgency::Low } else { Urgency::Normal },
        summary: lang.pick("可以结算了", "You can settle again").to_owned(),
        body: vec![body.to_owned()],
    }
}

/// With what else is to be told at the same moment.
pub(super) fn along(notice: Notice, also: &BTreeMap<Topic, String>, lang: Lang) -> Notice {
    let mut body = notice.body;
    body.extend(also.values().map(|text| lang.pick(format!("另外：{text}"), format!("Also: {text}"))));
    Notice { body, ..notice }
}

fn cannot_settle(seen: &Seen, flaps: bool, planned: bool, lang: Lang) -> &'static str {
    match (planned, flaps, seen.connected) {
        (true, ..) => lang.pick("公告的维护时间内，暂时不能结算", "Announced maintenance: no settling for now"),
        (_, true, _) => lang.pick("结算时好时坏", "Settling works on and off"),
        (_, _, Some(false)) => lang.pick("现在不能结算", "You cannot settle now"),
        _ => lang.pick("可能不能结算", "You may not be able to settle"),
    }
}

/// What it is, as sure as it is known.
fn causes(incidents: &[&Incident], lang: Lang) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for it in incidents {
        let title = &it.title;
        let text = match (it.cause.as_str(), it.certainty.as_str()) {
            ("unknown", _) => lang.pick("原因还没查清。", "The cause is not clear yet.").to_owned(),
            (_, "proven") => lang.pick(format!("{title}。"), format!("{title}.")),
            (_, "likely") => lang.pick(format!("很可能是：{title}。"), format!("Most likely: {title}.")),
            _ => lang.pick(format!("可能是：{title}。"), format!("Possibly: {title}.")),
        };
        if !lines.contains(&text) && lines.len() < NAMED {
            lines.push(text);
        }
    }
    lines
}

/// The first thing that the catalogue has the shop do.
fn shop(incidents: &[&Incident], lang: Lang) -> Option<String> {
    incidents.iter().find_map(|it| catalogue::entry(&it.cause, lang)).and_then(|text| text.shop.first()).map(|act| (*act).to_owned())
}

fn rank(severity: &str) -> u8 {
    match severity {
        "critical" => 4,
        "high" => 3,
        "medium" => 2,
        "low" => 1,
        _ => 0,
    }
}

/// One line of plain text.
fn line(text: &str) -> String {
    let steers = |c: char| c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut line: String = text.chars().take(LINE).map(|c| if steers(c) { ' ' } else { c }).collect();
    if text.chars().nth(LINE).is_some() {
        line.push('…');
    }
    line
}
