//! Recorded incidents as text.

use super::Style;
use super::open::{length, title};
use super::text::{Ink, Page, clean};
use crate::catalogue::{Lang, among};
use crate::model::{AgentEvent, Body, Change, Comment, IncidentBody, IncidentId, Phase, RETIRED, Record};
use jiff::{Timestamp, Zoned};

/// A list of the last record of each incident, the oldest first; ends in a line end. `lost` = those of which nobody knows when they ended.
pub fn render_incidents(records: &[Record], lost: &[IncidentId], left_out: bool, now: &Zoned, lang: Lang, style: Style) -> String {
    let mut page = Page::new(style.width, style.color);
    let incidents: Vec<(&Record, &IncidentBody)> = records
        .iter()
        .filter_map(|record| match &record.body {
            Body::Incident(body) => Some((record, &**body)),
            Body::Agent { .. } => None,
        })
        .collect();
    if incidents.is_empty() {
        page.paragraph("", lang.pick("没有记下故障。", "No incidents are recorded."), Ink::Plain);
    }
    if left_out {
        page.paragraph("", lang.pick("更早的没有列出。", "Older ones are left out."), Ink::Dim);
    }
    for (record, body) in incidents {
        let end = End::of(body.incident.phase, lost.contains(&body.incident.id));
        page.paragraph("- ", &incident(record, body, end, now, Codes::Shown, lang), if end == End::Open { Ink::Bad } else { Ink::Plain });
        for comment in &body.comments {
            page.paragraph("  ", &statement(comment, now, lang), Ink::Plain);
        }
    }
    page.finish()
}

/// One record as it is written, in one line without its end.
pub fn record_line(record: &Record, now: &Zoned, lang: Lang) -> String {
    let when = clock(record.time.wall, now, "%m-%d %H:%M:%S");
    match &record.body {
        Body::Incident(body) => {
            let cause = &body.cause;
            let what = clean(&title(cause, body.incident.kind, lang));
            format!("{when} {}{}{what} [{}]", change(body.incident.change, lang), lang.pick("：", ": "), clean(&cause.code))
        }
        Body::Agent { agent, .. } => format!("{when} {}", event(agent, lang)),
    }
}

/// Whether it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It is not.
    Open,
    /// It is, since its last record.
    Known,
    /// It is, and nobody knows since when: its part of the log was lost.
    Lost,
}

impl End {
    /// `lost`: its part of the log was lost before it ended.
    pub(super) fn of(phase: Phase, lost: bool) -> Self {
        match phase {
            Phase::Resolved => Self::Known,
            Phase::Opened | Phase::Updated if lost => Self::Lost,
            Phase::Opened | Phase::Updated => Self::Open,
        }
    }
}

/// Whether the code of the cause and the number of the incident stand in its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codes {
    /// For who types commands.
    Shown,
    /// For who only reads.
    LeftOut,
}

/// From when to when, what, where.
pub(super) fn incident(record: &Record, body: &IncidentBody, end: End, now: &Zoned, codes: Codes, lang: Lang) -> String {
    let card = &body.incident;
    let since = clock(card.since.wall, now, "%Y-%m-%d %H:%M");
    let (until, seconds) = match end {
        End::Open => {
            let seconds = u64::try_from(now.timestamp().as_second() - card.since.wall.as_second()).ok();
            (lang.pick("现在", "now").to_owned(), seconds)
        }
        End::Known => (clock(card.ended(record.time.wall), now, "%m-%d %H:%M"), card.duration_ms.map(|ms| ms / 1000)),
        End::Lost => (lang.pick("不知何时（这段记录中断过）", "nobody knows when (the log was lost)").to_owned(), None),
    };
    let lasted = seconds.map(|seconds| lang.pick(format!("（{}）", length(seconds, lang)), format!(" ({})", length(seconds, lang))));
    let mut line = format!("{since} - {until}{} {}", lasted.unwrap_or_default(), clean(&title(&body.cause, card.kind, lang)));
    if codes == Codes::Shown {
        line = line + " [" + &clean(&body.cause.code) + "]";
    }
    if !card.centres.is_empty() {
        let centres = clean(&card.centres.join(lang.pick("、", ", ")));
        line += &lang.pick(among("，连不上", &centres, ""), format!("; cut off {centres}"));
    }
    if card.occurrences > 1 {
        line += &lang.pick(format!("，{} 次", card.occurrences), format!("; {} times", card.occurrences));
    }
    match codes {
        Codes::Shown => line + &format!(" #{}", card.id.seq),
        Codes::LeftOut => line,
    }
}

/// What the shop said, and when.
pub(super) fn statement(comment: &Comment, now: &Zoned, lang: Lang) -> String {
    let (when, text) = (clock(comment.at.wall, now, "%m-%d %H:%M"), clean(&comment.text));
    lang.pick(format!("本单位说明（{when}）：{text}"), format!("Statement of the institution ({when}): {text}"))
}

fn clock(when: Timestamp, now: &Zoned, pattern: &str) -> String {
    when.to_zoned(now.time_zone().clone()).strftime(pattern).to_string()
}

/// What happened to an incident.
fn change(change: Change, lang: Lang) -> &'static str {
    let (zh, en) = match change {
        Change::Raised | Change::ProvedLocally => ("出现故障", "opened"),
        Change::Refined => ("原因更清楚了", "cause refined"),
        Change::Joined => ("又有中心连不上", "another centre joined"),
        Change::PartlyRecovered => ("恢复了一部分", "partly recovered"),
        Change::Reopened => ("再次出现", "came back"),
        Change::Recovered => ("已恢复", "recovered"),
        Change::NotWatchedAnyMore => ("不再看守", "not watched any more"),
        Change::Absorbed => ("并入断网故障", "absorbed by a disconnection"),
        Change::Commented => ("本单位补充了说明", "a statement was added"),
    };
    lang.pick(zh, en)
}

/// What happened to the agent.
fn event(event: &AgentEvent, lang: Lang) -> &'static str {
    let (zh, en) = match event {
        AgentEvent::Started => ("值守开始", "the watch began"),
        AgentEvent::Stopped { reason, .. } if reason == RETIRED => ("终端退出使用", "the terminal was taken out of service"),
        AgentEvent::Stopped { .. } => ("值守正常结束", "the watch ended in good order"),
        AgentEvent::Gap { .. } => ("有一段时间没有值守", "nobody watched for a while"),
        AgentEvent::PolicyChanged { .. } => ("配置变了", "the configuration changed"),
        AgentEvent::KeyChanged { .. } => ("有了新的签名密钥", "another key signs from now on"),
        AgentEvent::SpoolGap { .. } => ("有些记录已经删除或丢失", "records are gone"),
        AgentEvent::Coalesced { .. } => ("空间不够，合并了重复的记录", "repeats were joined for want of space"),
        AgentEvent::TornTail { .. } => ("上次断电时有一条没写完", "a record was cut off, as by a power cut"),
        AgentEvent::Tampered { .. } => ("记录被改动过", "the log is not as it was written"),
        AgentEvent::Unreadable { .. } => ("有一段记录读不出来", "a part of the log cannot be read"),
        AgentEvent::Granted { .. } => ("登记了一次放行", "a grant was recorded"),
        AgentEvent::GrantRevoked { .. } => ("一次放行提前收回", "a grant was revoked"),
    };
    lang.pick(zh, en)
}
