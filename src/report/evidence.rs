//! The page on top of a bundle of evidence: what happened when, what shows it, and what it does not prove; in Chinese, then in English.
//!
//! It is made from the records and the statement alone, so that whoever checks the bundle can make it again and compare.

use super::text::{Ink, Page, in_words};
use crate::catalogue::{self, Lang};
use crate::model::{AgentEvent, Body, Certainty, ClockState, IncidentBody, Phase, Record, Statement, Time};
use std::collections::BTreeSet;

/// Columns of the page.
const WIDTH: usize = 80;
/// Pieces of evidence of one record that are told; the records have all.
const MOST_PROOF: usize = 12;
/// Records of the agent that are told as doubts.
const MOST_DOUBTS: usize = 20;

/// The page. `records`: all of the bundle; `before`: those from before it.
pub fn evidence_page(statement: &Statement, records: &[Record], before: &[Record]) -> String {
    let told = Told { statement, records, before };
    let [zh, en] = [Lang::ZhCn, Lang::En].map(|lang| told.page(lang));
    format!("{zh}\n{}\n\n{en}", "-".repeat(WIDTH))
}

struct Told<'a> {
    statement: &'a Statement,
    records: &'a [Record],
    before: &'a [Record],
}

impl Told<'_> {
    /// The records of the incident itself.
    fn own(&self) -> impl Iterator<Item = (&Record, &IncidentBody)> {
        self.records.iter().filter_map(|record| match &record.body {
            Body::Incident(body) if body.incident.id == self.statement.incident => Some((record, &**body)),
            _ => None,
        })
    }

    fn page(&self, lang: Lang) -> String {
        let mut page = Page::new(WIDTH, false);
        self.head(&mut page, lang);
        heading(&mut page, lang.pick("发生了什么", "What happened"));
        for (record, _) in self.own() {
            let (when, seq, said) = (moment(&record.time), record.seq, catalogue::told(&record.body, lang));
            page.paragraph("  - ", &lang.pick(format!("{when}，第 {seq} 号：{said}"), format!("{when}, number {seq}: {said}")), Ink::Plain);
        }
        heading(&mut page, lang.pick("依据", "What shows it"));
        self.proof(&mut page, lang);
        heading(&mut page, lang.pick("怎么核对", "How to check it"));
        self.how(&mut page, lang);
        heading(&mut page, lang.pick("这份材料不能证明什么", "What it does not prove"));
        for limit in self.limits(lang) {
            page.paragraph("  - ", &limit, Ink::Plain);
        }
        page.finish()
    }

    fn head(&self, page: &mut Page, lang: Lang) {
        let Statement { terminal, incident, time, .. } = self.statement;
        page.paragraph("", lang.pick("isonet 故障证明材料", "isonet: evidence of an incident"), Ink::Plain);
        page.blank();
        let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        for (zh, en, value) in [
            ("终端", "Terminal", known(&terminal.id)),
            ("机构", "Institution", known(&terminal.institution)),
            ("位置", "Place", known(&terminal.site)),
            ("故障", "Incident", incident.to_string()),
            ("制作时间", "Made at", moment(time)),
        ] {
            page.paragraph("", &format!("{}{}{value}", lang.pick(zh, en), lang.pick("：", ": ")), Ink::Plain);
        }
    }

    fn proof(&self, page: &mut Page, lang: Lang) {
        let mut line = |text: &str| page.paragraph("  - ", text, Ink::Plain);
        let mut told = BTreeSet::new();
        for (record, body) in self.own() {
            for evidence in body.evidence.iter().take(MOST_PROOF) {
                let words = in_words(evidence, lang);
                if told.insert(words.clone()) {
                    let seq = record.seq;
                    line(&lang.pick(format!("第 {seq} 号：{words}"), format!("Number {seq}: {words}")));
                }
            }
        }
        let mut told = BTreeSet::new();
        for rule in self.own().filter_map(|(_, body)| body.rule.as_ref()) {
            let said = format!("{} {} {} {}", rule.issuer, rule.set, rule.version, rule.article);
            if told.insert(said.clone()) {
                line(&lang.pick(format!("涉及的规定（是线索，不是认定）：{said}"), format!("Article touched (a lead, no ruling): {said}")));
            }
        }
        for (_, body) in self.own().take(1) {
            if let Some(origin) = body.origin {
                line(catalogue::came_from(origin, lang));
            }
        }
        for grant in self.own().filter_map(|(_, body)| body.grant.as_ref()).take(1) {
            let (id, authority) = (&grant.id, catalogue::authority(grant.authority, lang));
            line(&lang.pick(format!("当时有放行 {id}（{authority}）"), format!("Covered by grant {id} ({authority})")));
        }
        let certificates: BTreeSet<String> = self.certificates().collect();
        for certificate in certificates {
            line(&lang.pick(format!("见到的证书：{certificate}"), format!("Certificate seen: {certificate}")));
        }
        if let Some((first, _)) = self.own().next() {
            let policy = &first.terminal.policy;
            line(&lang.pick(format!("当时生效的配置，摘要 {policy}"), format!("Configuration in force then, digest {policy}")));
        }
        let policies = self.before.iter().chain(self.records).filter(|record| record.body.code() == "agent.policy-changed");
        for record in policies {
            let (when, seq, said) = (moment(&record.time), record.seq, catalogue::told(&record.body, lang));
            line(&lang.pick(format!("{when}，第 {seq} 号：{said}"), format!("{when}, number {seq}: {said}")));
        }
    }

    /// What was seen of certificates, as the records have it.
    fn certificates(&self) -> impl Iterator<Item = String> {
        let lines = self.own().flat_map(|(_, body)| &body.evidence);
        lines.filter(|line| line.k.starts_with("tls.")).map(|line| format!("{} = {} ({})", line.target, line.result, line.k))
    }

    fn how(&self, page: &mut Page, lang: Lang) {
        let Statement { bundle, seq, hash, epoch, key, fingerprint, .. } = self.statement;
        let (count, first) = (self.records.len(), self.records.first().map_or(0, |record| record.seq));
        let lines: [String; 4] = match lang {
            Lang::ZhCn => [
                format!("在任何一台装有 isonet 的电脑上运行 isonet verify-log {bundle}.tar.gz，不需要联网，也不需要这台电脑。"),
                format!("records.jsonl 是 {count} 条原样的记录，从第 {first} 号到第 {seq} 号，每条都带上一条的校验值，末尾是 {hash}（{epoch}）。"),
                format!(
                    "head.json 写着末尾的校验值和其余每个文件的 SHA-256，用本机的密钥签了名；公钥在 key.pem 里，指纹是 {} {fingerprint}。",
                    key.algorithm
                ),
                "不用 isonet 也能核对：head.json 里 ,\"signature\": 之前的字节用 openssl pkeyutl -verify -rawin 验签，文件用 sha256sum 对。"
                    .to_owned(),
            ],
            Lang::En => [
                format!("Run isonet verify-log {bundle}.tar.gz on any PC that has isonet; neither a network nor this PC is needed."),
                format!(
                    "records.jsonl has {count} records as they were written, numbers {first} to {seq}; each has the hash of the one before, the last is {hash} \
                     ({epoch})."
                ),
                format!(
                    "head.json has that hash and the SHA-256 of every other file, signed by the key of this PC: it is in key.pem, its fingerprint is {} \
                     {fingerprint}.",
                    key.algorithm
                ),
                "Without isonet: openssl pkeyutl -verify -rawin checks the bytes of head.json before ,\"signature\": and sha256sum the files.".to_owned(),
            ],
        };
        for line in lines {
            page.paragraph("  - ", &line, Ink::Plain);
        }
    }

    /// What it does not prove: always, and because of what the records say.
    fn limits(&self, lang: Lang) -> Vec<String> {
        let pick = |zh: &str, en: &str| lang.pick(zh, en).to_owned();
        let mut limits = vec![
            pick(
                "密钥是不是这台终端的，材料自己证明不了：请把上面的密钥指纹和登记验收单、医保局的登记核对。",
                "Whether the key is this terminal's: compare its fingerprint (above) with the acceptance sheet and the bureau's register.",
            ),
            pick(
                "密钥就在这台电脑上。谁是这台电脑的管理员，谁就能改写本机记录再重新签名；只有接收端当时就收到的记录和心跳，才连管理员也改不了。",
                "The key lies on the same PC: its administrator could write other records and sign them. Only records and signs of life that a receiver got at the \
                 time bind the administrator, too.",
            ),
            pick(
                "记录说的是这台电脑看到了什么，不说明是谁做的，也不说明别处怎样。",
                "Records say what this PC saw; they do not say who did it, nor how things were elsewhere.",
            ),
        ];
        limits.extend(self.about_time(lang));
        limits.extend(self.about_the_incident(lang));
        limits.extend(self.about_the_log(lang));
        limits
    }

    fn about_time(&self, lang: Lang) -> Option<String> {
        let kept = |(record, _): (&Record, &IncidentBody)| record.time.clock.state == ClockState::Synchronised;
        let set = self.records.iter().filter(|record| record.body.code().starts_with("clock.")).count();
        (set > 0 || !self.own().all(kept)).then(|| {
            lang.pick(
                "当时电脑的时钟没有一直对着时间，或者被改过：日期和钟点不一定准；先后次序和时长靠编号和一个改不了的计时器，仍然作数。",
                "The clock of this PC was not kept right all the time, or was set: dates and hours may be off. Order and lengths hold all the same, by the numbers \
                 and by a counter that nobody can set.",
            )
            .to_owned()
        })
    }

    fn about_the_incident(&self, lang: Lang) -> Vec<String> {
        let mut limits = Vec::new();
        let mut add = |so: bool, zh: &str, en: &str| limits.extend(so.then(|| lang.pick(zh, en).to_owned()));
        let (first, last) = (self.own().next(), self.own().last());
        let proven = last.is_some_and(|(_, body)| body.cause.certainty == Certainty::Proven);
        add(!proven, "原因没有查实，只是最可能或可能。", "The cause is not proven, only likely or possible.");
        let begun = first.is_some_and(|(_, body)| body.incident.phase == Phase::Opened);
        add(!begun, "这次故障最早的记录本机已经不再保存。", "The first records of this incident are no longer kept on this PC.");
        let over = last.is_some_and(|(_, body)| body.incident.phase == Phase::Resolved);
        add(!over, "制作这份材料时，故障还没有结束。", "The incident was not over when this was made.");
        limits
    }

    /// Gaps, and what the agent says about itself in the records.
    fn about_the_log(&self, lang: Lang) -> Vec<String> {
        let mut limits = Vec::new();
        for pair in self.statement.stretches.windows(2) {
            let [before, after] = pair else { continue };
            let (from, to) = (before.to, after.from);
            limits.push(if before.epoch == after.epoch {
                lang.pick(
                    format!("记录在第 {from} 号和第 {to} 号之间断开。"),
                    format!("The records are interrupted between the numbers {from} and {to}."),
                )
            } else {
                lang.pick(
                    format!("第 {from} 号之后本机的记录重新开始编号，两段之间只靠这次签名连着。"),
                    format!("After number {from} the log of this PC began anew; only this signature holds the two parts together."),
                )
            });
        }
        let odd = self.records.iter().filter(|record| match &record.body {
            Body::Agent { agent, .. } => matters(agent),
            Body::Incident(_) => false,
        });
        for record in odd.take(MOST_DOUBTS) {
            let (when, seq, said) = (moment(&record.time), record.seq, catalogue::told(&record.body, lang));
            limits.push(lang.pick(format!("{when}，第 {seq} 号：{said}"), format!("{when}, number {seq}: {said}")));
        }
        limits
    }
}

/// Whether it takes something from what the records prove.
fn matters(event: &AgentEvent) -> bool {
    match event {
        AgentEvent::KeyChanged { reason, .. } => reason != "first",
        AgentEvent::Gap { .. }
        | AgentEvent::SpoolGap { .. }
        | AgentEvent::Coalesced { .. }
        | AgentEvent::TornTail { .. }
        | AgentEvent::Tampered { .. }
        | AgentEvent::Unreadable { .. } => true,
        AgentEvent::Started
        | AgentEvent::Stopped { .. }
        | AgentEvent::PolicyChanged { .. }
        | AgentEvent::Granted { .. }
        | AgentEvent::GrantRevoked { .. } => false,
    }
}

fn heading(page: &mut Page, text: &str) {
    page.blank();
    page.paragraph("", text, Ink::Plain);
}

/// In the time zone in which it was recorded.
fn moment(time: &Time) -> String {
    let offset = jiff::tz::Offset::from_seconds(time.offset_s).unwrap_or(jiff::tz::Offset::UTC);
    time.wall.to_zoned(jiff::tz::TimeZone::fixed(offset)).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}
