//! `status/1` as text. The document comes through a socket: nothing in it may steer the terminal, which [`Page`] sees to.

use super::document::{Agent, LogState, SinkState, Status, Step};
use crate::catalogue::{Lang, lacking};
use crate::model::{Chain, Diagnosis, Isolation, PathItem, Subject};
use crate::report::Style;
use crate::report::open::length;
use crate::report::text::{Ink, Page, draw};
use jiff::Zoned;

/// The whole text, ending in a line end. `now`: for how long incidents are open.
pub fn render_status(status: &Status, now: &Zoned, lang: Lang, style: Style) -> String {
    let mut page = Page::new(style.width, style.color);
    let ink = match status.connected {
        Some(true) if status.causes.is_empty() => Ink::Good,
        Some(true) | None => Ink::Warn,
        Some(false) => Ink::Bad,
    };
    page.paragraph("", &status.say.first, ink);
    for line in [&status.say.act, &status.say.call].into_iter().flatten() {
        page.paragraph("", line, Ink::Bold);
    }
    path(&mut page, status, lang);
    open(&mut page, status, now, lang);
    page.blank();
    page.paragraph("", &status.say.never, Ink::Bold);
    page.paragraph("", &status.say.isolation, Ink::Plain);
    page.blank();
    match &status.agent {
        Some(agent) => about(&mut page, status, agent, lang),
        None => page.paragraph(
            "",
            lang.pick(
                "细节（地址、依据、记录）给 isonet 组的人和管理员看。",
                "Details (addresses, evidence, records) are for the group isonet and the administrator.",
            ),
            Ink::Dim,
        ),
    }
    page.finish()
}

/// As `diagnose` draws it; for a clerk nothing stands beside the layers.
fn path(page: &mut Page, status: &Status, lang: Lang) {
    if status.path.is_empty() {
        return;
    }
    page.blank();
    draw(page, &Diagnosis { path: status.path.iter().map(item).collect(), ..empty() }, lang);
}

fn item(step: &Step) -> PathItem {
    PathItem {
        chain: if step.chain == "local" { Chain::Local } else { Chain::Centre(step.chain.clone()) },
        layer: step.layer,
        subject: step.subject.clone().and_then(|text| Subject::try_from(text).ok()).unwrap_or(Subject::Terminal),
        state: step.state,
        fact: step.summary.clone().unwrap_or_default(),
        ms: step.ms,
    }
}

fn empty() -> Diagnosis {
    Diagnosis {
        connected: None,
        services: Vec::new(),
        isolation: Isolation::Unknown,
        path: Vec::new(),
        verdicts: Vec::new(),
        notes: Vec::new(),
        blind: Vec::new(),
    }
}

fn open(page: &mut Page, status: &Status, now: &Zoned, lang: Lang) {
    page.blank();
    if status.open_incidents.is_empty() {
        page.paragraph("", lang.pick("没有未恢复的故障。", "No incident is open."), Ink::Plain);
        return;
    }
    page.paragraph("", lang.pick("未恢复的故障", "Open incidents"), Ink::Bold);
    for incident in &status.open_incidents {
        page.paragraph("  - ", &incident.line(now, lang), Ink::Plain);
    }
}

/// The daemon's own affairs.
fn about(page: &mut Page, status: &Status, agent: &Agent, lang: Lang) {
    page.paragraph("", lang.pick("值守程序", "The watch"), Ink::Bold);
    let (started, looked) = (minute(&agent.started), status.looked_at.as_deref().map_or("-".to_owned(), minute));
    let line = match lang {
        Lang::ZhCn => format!(
            "版本 {}，进程 {}，从 {started} 起值守；全面检查 {} 次，快速检查 {} 次，最近一次全面检查 {looked}",
            agent.version, agent.pid, agent.rounds, agent.pulses
        ),
        Lang::En => format!(
            "version {}, process {}, watching since {started}; rounds: {}, pulses: {}, the last round at {looked}",
            agent.version, agent.pid, agent.rounds, agent.pulses
        ),
    };
    page.paragraph("  - ", &line, Ink::Plain);
    for (words, ink) in own(agent, lang) {
        page.paragraph("  - ", &words, ink);
    }
    if !agent.blind.is_empty() {
        page.paragraph("  - ", lang.pick("看不到的：", "Not seen:"), Ink::Plain);
        for gap in &agent.blind {
            page.paragraph("    - ", &format!("{}{}{}", gap.what, lang.pick("：", ": "), gap.because), Ink::Dim);
        }
    }
}

/// The log, the sinks, the key, the configuration, and what nobody watches: a sentence or two each.
/// A time of the document for people: this PC's own clock, without the offset.
fn minute(time: &str) -> String {
    time.get(..19).map_or_else(|| time.to_owned(), |time| time.replace('T', " "))
}

fn own(agent: &Agent, lang: Lang) -> Vec<(String, Ink)> {
    let mut lines = vec![log(agent, lang)];
    for sink in &agent.sinks {
        let ink = if sink.trouble.is_some() || sink.lacks.is_some() { Ink::Warn } else { Ink::Plain };
        lines.push((shipped(sink, lang), ink));
    }
    if let Some(key) = &agent.key {
        lines.push((lang.pick(format!("签名密钥：{key}"), format!("Signing key: {key}")), Ink::Plain));
    }
    if let Some(trouble) = &agent.config_trouble {
        lines.push((trouble.clone(), Ink::Warn));
    }
    for watcher in agent.watchers.iter().filter(|watcher| !watcher.sees) {
        let because = watcher.because.as_deref().unwrap_or_default();
        lines.push((format!("{}{}{because}", watcher.name, lang.pick("：", ": ")), Ink::Warn));
    }
    lines
}

/// The same for a page.
pub(in crate::report) fn own_lines(agent: &Agent, lang: Lang) -> Vec<String> {
    own(agent, lang).into_iter().map(|(words, _)| words).collect()
}

fn log(agent: &Agent, lang: Lang) -> (String, Ink) {
    let log = &agent.log;
    let trouble = log.trouble.as_deref().unwrap_or_default();
    match (log.state, lang) {
        (LogState::Well, Lang::ZhCn) => (format!("记录写得进磁盘，本次启动后 {} 条。{trouble}", log.recorded), Ink::Plain),
        (LogState::Well, Lang::En) => (format!("Records reach the disk: {} since the start. {trouble}", log.recorded), Ink::Plain),
        // It says all of it.
        (LogState::Failing, _) if !trouble.is_empty() => (trouble.to_owned(), Ink::Bad),
        (LogState::Failing, Lang::ZhCn) => (format!("记录写不进磁盘，{} 条在等。", log.waiting), Ink::Bad),
        (LogState::Failing, Lang::En) => (format!("Records do not reach the disk, {} wait.", log.waiting), Ink::Bad),
    }
}

/// One sink: whether it is reached, how far it is, since when something waits, what hinders it and when it is tried again.
fn shipped(sink: &SinkState, lang: Lang) -> String {
    let last = sink.shipped.as_deref().and_then(|id| id.rsplit_once('/')).map(|(_, seq)| seq);
    let (name, kind) = (&sink.name, &sink.kind);
    let reached = match (sink.connected, &sink.trouble) {
        (true, _) => lang.pick("通", "connected"),
        (false, Some(_)) => lang.pick("不通", "not connected"),
        (false, None) => lang.pick("还没连上", "not connected yet"),
    };
    let mut line = lang.pick(format!("外送 {name}（{kind}）：{reached}，"), format!("Sink {name} ({kind}): {reached}; "));
    line += &match last {
        Some(seq) => lang.pick(format!("已送到第 {seq} 号"), format!("has all up to number {seq}")),
        None => lang.pick("还没有送出过", "has nothing so far").to_owned(),
    };
    line += &match sink.waiting {
        Some(0) => lang.pick("，没有等着的", ", nothing waits").to_owned(),
        Some(n) => lang.pick(format!("，还有 {n} 条等着"), format!(", {n} wait")),
        None => lang.pick("，还有一些等着", ", some wait").to_owned(),
    };
    if let Some(seconds) = sink.oldest_s {
        let age = length(seconds, lang);
        line += &lang.pick(format!("，最早的一条等了 {age}"), format!(", the oldest for {age}"));
    }
    if let Some(seconds) = sink.beat_s {
        let age = length(seconds, lang);
        line += &lang.pick(format!("，{age}前报过在线"), format!("; last sign of life {age} ago"));
    }
    line += lang.pick("。", ".");
    if let Some(trouble) = &sink.trouble {
        line += &lang.pick(trouble.clone(), format!(" {trouble}"));
    }
    if let Some(seconds) = sink.retry_s {
        let next = length(seconds, lang);
        line += &lang.pick(format!("{next}后再试。"), format!(" Next try in {next}."));
    }
    if let Some(lacks) = &sink.lacks {
        let words = lacking(lacks, lang);
        line += &lang.pick(words.clone(), format!(" {words}"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_says_whether_it_is_reached_what_waits_and_what_is_to_be_done() {
        let sink = SinkState {
            name: "audit".to_owned(),
            kind: "nats".to_owned(),
            shipped: Some("e/17".to_owned()),
            waiting: Some(0),
            oldest_s: None,
            trouble: None,
            connected: true,
            retry_s: None,
            beat_s: Some(20),
            lacks: None,
        };
        assert_eq!(
            shipped(&sink, Lang::En),
            "Sink audit (nats): connected; has all up to number 17, nothing waits; last sign of life 20 s ago."
        );
        assert_eq!(shipped(&sink, Lang::ZhCn), "外送 audit（nats）：通，已送到第 17 号，没有等着的，20 秒前报过在线。");
        let down = SinkState {
            waiting: Some(4),
            oldest_s: Some(180),
            trouble: Some("It does not answer. Look. (x)".to_owned()),
            connected: false,
            retry_s: Some(30),
            beat_s: Some(300),
            ..sink.clone()
        };
        assert_eq!(
            shipped(&down, Lang::En),
            "Sink audit (nats): not connected; has all up to number 17, 4 wait, the oldest for 3 min; last sign of life 5 min ago. \
             It does not answer. Look. (x) Next try in 30 s."
        );
        let lax = SinkState { lacks: Some("one replica".to_owned()), ..sink };
        assert!(shipped(&lax, Lang::ZhCn).contains("可能留不住：one replica。请接收端的管理员"), "{}", shipped(&lax, Lang::ZhCn));
        assert!(shipped(&lax, Lang::En).contains("may lose what it takes: one replica. Have its administrator"));
    }
}
