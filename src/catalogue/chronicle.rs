//! What a record says, in one sentence: for logs that people read.

use super::{Lang, among, came_from, certainty, entry, shortfall, unseen_what};
use crate::model::{AgentEvent, Authority, Body, Change, IncidentBody, IncidentKind, Phase, RETIRED, Scope};
use std::fmt::Write as _;

/// The one thing that a code is about, as a clause without a full stop. `object` = what the agent cannot see, where that is the matter.
pub fn title(code: &str, object: &str, lang: Lang) -> String {
    match entry(code, lang) {
        Some(text) => text.title.to_owned(),
        None if code == "agent.degraded" => {
            if let Some(words) = shortfall(object, lang) {
                return words;
            }
            let what = unseen_what(object, lang).unwrap_or(object);
            lang.pick(among("isonet 看不到", what, ""), format!("isonet cannot see {what}"))
        }
        None => lang.pick("原因还没查清", "the cause is not known yet").to_owned(),
    }
}

/// The sentence of a record.
pub fn told(body: &Body, lang: Lang) -> String {
    match body {
        Body::Incident(incident) => incident_told(incident, lang),
        Body::Agent { agent, .. } => match lang {
            Lang::ZhCn => agent_zh(agent),
            Lang::En => agent_en(agent),
        },
    }
}

fn incident_told(body: &IncidentBody, lang: Lang) -> String {
    let (card, cause) = (&body.incident, &body.cause);
    let (what, resolved) = (title(&cause.code, &cause.object, lang), card.phase == Phase::Resolved);
    if let Some(comment) = body.comments.last().filter(|_| card.change == Change::Commented) {
        let text = &comment.text;
        return lang.pick(format!("本单位的说明（关于：{what}）：{text}"), format!("Statement of the institution (on: {what}): {text}"));
    }
    let mut line = match card.kind {
        IncidentKind::Blindness if !resolved => what,
        _ if resolved => format!("{}{}{what}", head(body, lang), lang.pick("；之前是：", "; it was: ")),
        _ => format!("{}{}{what}", head(body, lang), lang.pick("：", ": ")),
    };
    let sure = certainty(cause.certainty, lang);
    if !resolved && card.kind != IncidentKind::Blindness {
        line += &lang.pick(format!("（{sure}，{}）", cause.object), format!(" ({sure}, {})", cause.object));
    }
    if card.occurrences > 1 {
        line += &lang.pick(format!("，第 {} 次", card.occurrences), format!(", occurrence {}", card.occurrences));
    }
    if card.planned.is_some() {
        line += lang.pick("，在已通知的维护时段内", ", within an announced maintenance window");
    }
    line += lang.pick("。", ".");
    if let Some(origin) = body.origin.filter(|_| card.kind == IncidentKind::Finding && !resolved) {
        line += lang.pick("", " ");
        line += came_from(origin, lang);
    }
    line
}

/// What became of the incident.
fn head(body: &IncidentBody, lang: Lang) -> String {
    let card = &body.incident;
    let centres = if card.centres.is_empty() { String::new() } else { card.centres.join(lang.pick("、", ", ")) };
    let of = |zh: &str, en: &str| {
        if centres.is_empty() {
            lang.pick(zh, en).to_owned()
        } else {
            lang.pick(format!("{zh}（{centres}）"), format!("{en} ({centres})"))
        }
    };
    match (card.phase, card.change, card.kind) {
        (Phase::Resolved, Change::Absorbed, _) => of("已并入一次断线", "Now part of a disconnection"),
        (Phase::Resolved, Change::NotWatchedAnyMore, _) => of("配置里已没有这一项，不再看了", "Not configured any more, no longer watched"),
        (Phase::Resolved, _, IncidentKind::Disconnection) => of("恢复了，可以连上了", "Connected again"),
        (Phase::Resolved, _, IncidentKind::Degradation) => of("已好转", "Well again"),
        (Phase::Resolved, _, IncidentKind::Blindness) if shortfall(&body.cause.object, lang).is_some() => of("接收端已经设好", "Put right"),
        (Phase::Resolved, _, IncidentKind::Blindness) => of("又能看到了", "Can be seen again"),
        (Phase::Resolved, _, IncidentKind::Finding) => of("已经不再是这样", "Not so any more"),
        (_, Change::Refined, IncidentKind::Finding) => of("有了变化", "It has changed"),
        (_, Change::Refined, _) => of("原因更清楚了", "The cause is known better"),
        (_, Change::Joined | Change::PartlyRecovered, _) => of("连不上的中心有变化，现在是", "Other centres are cut off now"),
        (_, Change::Reopened, _) => of("又出现了", "Back again"),
        (_, _, IncidentKind::Disconnection) => of("连不上了", "Disconnected"),
        (_, _, IncidentKind::Degradation) => of("能用但不如平时", "Worse than it should be"),
        (_, _, IncidentKind::Blindness) => of("看不到", "Cannot be seen"),
        (_, _, IncidentKind::Finding) => of("观察到", "Observed"),
    }
}

fn agent_zh(event: &AgentEvent) -> String {
    match event {
        AgentEvent::Started => "isonet 开始值守。".to_owned(),
        AgentEvent::Stopped { reason, by, note } if reason == RETIRED => {
            let (by, note) = (by.as_deref().unwrap_or("-"), note.as_deref().unwrap_or("-"));
            format!("终端退出使用，isonet 停止值守；经办：{by}；原因：{note}。")
        }
        AgentEvent::Stopped { .. } => "isonet 正常停止。".to_owned(),
        AgentEvent::Gap { last_seen, rebooted, .. } => {
            let why = if *rebooted { "，其间电脑重启过" } else { "" };
            format!("isonet 有一段时间没有运行，最后一次活动在 {last_seen}{why}；这段时间没有记录。")
        }
        AgentEvent::PolicyChanged { to, weakened, .. } => {
            let mut line = format!("配置有变化，现在是 {to}");
            if !weakened.is_empty() {
                let _ = write!(line, "；关掉或放宽了：{}", weakened.join("、"));
            }
            line + "。"
        }
        AgentEvent::KeyChanged { algorithm, from, to, reason } => {
            let why = match reason.as_str() {
                "cloned" => "，因为硬盘换到了另一台电脑，原来的密钥属于那一台",
                "lost" => "，因为原来的密钥不见了或者坏了",
                _ => "",
            };
            let before = from.as_ref().map(|from| format!("；之前是 {from}")).unwrap_or_default();
            format!("从这里起用新的密钥签名{why}：{algorithm} {to}{before}。")
        }
        AgentEvent::SpoolGap { from, to, reason, .. } => format!("本地记录 {from} 到 {to} 已不在：{}。", gap_zh(reason)),
        AgentEvent::Coalesced { count } => format!("磁盘写不进去，合并或略去了 {count} 条重复的记录。"),
        AgentEvent::TornTail { bytes } => format!("本地记录末尾有 {bytes} 字节没写完，像是断电造成的，已另存。"),
        AgentEvent::Tampered { file, line, .. } => format!("本地记录与写入时不一致：{file} 第 {line} 行。"),
        AgentEvent::Unreadable { file, why } => format!("本地记录 {file} 读不出来：{why}。像是磁盘或权限的问题，不说明有人改动过。"),
        AgentEvent::Granted { grant } => {
            let (what, authority) = (scope(grant.what, Lang::ZhCn), authority(grant.authority, Lang::ZhCn));
            format!("放行 {}：{what}，到 {} 为止，{authority}；批准人：{}，原因：{}。", grant.id, grant.until, grant.by, grant.reason)
        }
        AgentEvent::GrantRevoked { id, .. } => format!("放行 {id} 提前收回。"),
    }
}

/// What a grant allows.
pub fn scope(scope: Scope, lang: Lang) -> &'static str {
    let (zh, en) = match scope {
        Scope::Internet => ("接互联网", "the internet"),
        Scope::Usb => ("U 盘、手机等外接设备", "USB sticks, phones and the like"),
        Scope::Clock => ("改日期、时间", "date and time"),
        Scope::Settings => ("改系统设置", "settings"),
        Scope::Software => ("装软件、动防火墙和杀毒", "software, firewall and antivirus"),
        Scope::Network => ("改网络", "the network"),
        Scope::Hardware => ("换硬件、挪电脑", "parts, cables and the place"),
    };
    lang.pick(zh, en)
}

/// On whose authority.
pub fn authority(authority: Authority, lang: Lang) -> &'static str {
    let (zh, en) = match authority {
        Authority::Bureau => ("医保局授权", "authorised by the bureau"),
        Authority::Institution => ("本单位自己登记", "on the institution's own authority"),
    };
    lang.pick(zh, en)
}

fn gap_zh(reason: &str) -> &'static str {
    match reason {
        "retention" => "超过保存期限",
        "cap" => "占用空间到了上限",
        _ => "损坏",
    }
}

fn agent_en(event: &AgentEvent) -> String {
    match event {
        AgentEvent::Started => "isonet began to watch.".to_owned(),
        AgentEvent::Stopped { reason, by, note } if reason == RETIRED => {
            let (by, note) = (by.as_deref().unwrap_or("-"), note.as_deref().unwrap_or("-"));
            format!("The terminal was taken out of service, and isonet stopped; by {by}, because: {note}.")
        }
        AgentEvent::Stopped { .. } => "isonet stopped in good order.".to_owned(),
        AgentEvent::Gap { last_seen, rebooted, .. } => {
            let why = if *rebooted { "; the PC was restarted in between" } else { "" };
            format!("isonet was not running for a while, last seen alive at {last_seen}{why}. Nothing was recorded meanwhile.")
        }
        AgentEvent::PolicyChanged { to, weakened, .. } => {
            let mut line = format!("The configuration changed, it is now {to}");
            if !weakened.is_empty() {
                let _ = write!(line, "; switched off or weakened: {}", weakened.join(", "));
            }
            line + "."
        }
        AgentEvent::KeyChanged { algorithm, from, to, reason } => {
            let why = match reason.as_str() {
                "cloned" => ", as the disk is in another PC now, and the key before is that one's",
                "lost" => ", as the key before was gone or damaged",
                _ => "",
            };
            let before = from.as_ref().map(|from| format!("; before it was {from}")).unwrap_or_default();
            format!("A new key signs from here on{why}: {algorithm} {to}{before}.")
        }
        AgentEvent::SpoolGap { from, to, reason, .. } => format!("Records {from} to {to} are gone from the local log: {}.", gap_en(reason)),
        AgentEvent::Coalesced { count } => format!("The disk could not be written; {count} repeated records were joined or left out."),
        AgentEvent::TornTail { bytes } => {
            format!("The last {bytes} bytes of the local log were not finished, as after a power cut; they were set aside.")
        }
        AgentEvent::Tampered { file, line, .. } => format!("The local log is not as it was written: {file}, line {line}."),
        AgentEvent::Unreadable { file, why } => {
            format!(
                "{file} of the local log cannot be read: {why}. Look at the disk and at the rights; it does not mean that it was changed."
            )
        }
        AgentEvent::Granted { grant } => {
            let (what, authority) = (scope(grant.what, Lang::En), authority(grant.authority, Lang::En));
            format!("Grant {}: {what}, until {}, {authority}; allowed by {}, because: {}.", grant.id, grant.until, grant.by, grant.reason)
        }
        AgentEvent::GrantRevoked { id, .. } => format!("Grant {id} was revoked before its end."),
    }
}

fn gap_en(reason: &str) -> &'static str {
    match reason {
        "retention" => "kept long enough",
        "cap" => "too much space in use",
        _ => "damage",
    }
}
