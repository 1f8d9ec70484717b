//! The final report of a terminal that leaves: what was done, what the log holds, and what people still have to do. For the screen, and in both
//! languages for the export.

use super::text::{Ink, Page};
use crate::catalogue::Lang;
use crate::model::{IncidentId, Retired, TerminalCard};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Columns of the page in the export.
const WIDTH: usize = 80;
/// Open incidents that are named.
const MOST_OPEN: usize = 20;

/// What is known at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct FinalReport {
    /// Which terminal.
    pub terminal: TerminalCard,
    /// Since when, by whom, why.
    pub retired: Retired,
    /// What the log holds; `None` = it is wiped.
    pub log: Option<LogAtEnd>,
    /// Receivers, in the order of the configuration, and how many records each lacks: 0 = it has all; `None` = that is not known.
    pub receivers: Vec<(String, Option<u64>)>,
    /// Whether the service starts with the PC.
    pub unit: Unit,
    /// Where the export is; `None` = none was made this time.
    pub export: Option<String>,
    /// Where the records are on this PC.
    pub state_dir: String,
    /// The fingerprint of the key that signs.
    pub key: Option<String>,
}

/// What the log holds.
#[derive(Debug, Clone, PartialEq)]
pub struct LogAtEnd {
    /// Time of the first record and of the last; `None` = there is none.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Records that prove themselves.
    pub records: u64,
    /// None was changed, none is missing, all could be read.
    pub is_whole: bool,
    /// Incidents.
    pub incidents: usize,
    /// Those that were open at the end, with their titles in both languages: Chinese, English.
    pub open: Vec<(IncidentId, [String; 2])>,
}

/// The unit of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// It does not start any more.
    Disabled,
    /// The service manager refused: its words.
    Refused(String),
    /// There is none of it: the service was started by hand.
    None,
}

impl FinalReport {
    /// In one language, in so many columns.
    pub fn render(&self, lang: Lang, zone: &TimeZone, width: usize) -> String {
        let mut page = Page::new(width, false);
        page.paragraph("", lang.pick("终端退出使用：最终报告", "Terminal taken out of service: final report"), Ink::Plain);
        page.blank();
        self.head(&mut page, lang, zone);
        heading(&mut page, lang.pick("已经做的", "Done"));
        for line in self.done(lang, zone) {
            page.paragraph("  - ", &line, Ink::Plain);
        }
        let undone = self.undone(lang);
        if !undone.is_empty() {
            heading(&mut page, lang.pick("没有做成，要处理", "Not done: to be seen to"));
            for line in &undone {
                page.paragraph("  ! ", line, Ink::Plain);
            }
        }
        heading(&mut page, lang.pick("还要由人来办，办完打勾", "Left for people to do, and to tick off"));
        for line in self.checklist(lang) {
            page.paragraph("  [ ] ", &line, Ink::Plain);
        }
        page.blank();
        for line in [
            lang.pick("经办人：________________    日期：____________", "Done by: ________________    Date: ____________"),
            lang.pick("医保局：________________    日期：____________", "Bureau:  ________________    Date: ____________"),
        ] {
            page.paragraph("", line, Ink::Plain);
        }
        page.finish()
    }

    /// Chinese, then English.
    pub fn in_both(&self, zone: &TimeZone) -> String {
        let [zh, en] = Lang::ALL.map(|lang| self.render(lang, zone, WIDTH));
        format!("{zh}\n{}\n\n{en}", "-".repeat(WIDTH))
    }

    fn head(&self, page: &mut Page, lang: Lang, zone: &TimeZone) {
        let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let Retired { at, by, reason, .. } = &self.retired;
        for (zh, en, value) in [
            ("终端", "Terminal", known(&self.terminal.id)),
            ("机构", "Institution", known(&self.terminal.institution)),
            ("位置", "Place", known(&self.terminal.site)),
            ("责任人", "Person in charge", known(&self.terminal.person_in_charge)),
            ("退出时间", "Out of service since", moment(*at, zone)),
            ("经办", "By", by.clone()),
            ("原因", "Reason", reason.clone()),
        ] {
            page.paragraph("", &format!("{}{}{value}", lang.pick(zh, en), lang.pick("：", ": ")), Ink::Plain);
        }
    }

    fn done(&self, lang: Lang, zone: &TimeZone) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(last) = &self.retired.last {
            let (seq, hash) = (last.seq, &last.hash);
            lines.push(lang.pick(
                format!("最后一条记录：第 {seq} 号，写明退出使用，校验值 {hash}。"),
                format!("The last record, number {seq}, says that the terminal left; its hash is {hash}."),
            ));
        }
        if let Some(log) = &self.log {
            lines.push(log.told(lang, zone));
        }
        let all: Vec<&str> = self.receivers.iter().filter(|(_, lacks)| *lacks == Some(0)).map(|(name, _)| name.as_str()).collect();
        if !all.is_empty() {
            let names = all.join(lang.pick("、", ", "));
            lines.push(lang.pick(format!("已全部送到：{names}。"), format!("Shipped, all of it, to: {names}.")));
        }
        if let Some(export) = &self.export {
            lines.push(lang.pick(
                format!("记录已导出并核对：{export}（随时可以再核对：isonet verify-log {export}）。"),
                format!("The records are exported and checked: {export} (to check again: isonet verify-log {export})."),
            ));
        }
        if let Some(key) = &self.key {
            lines.push(lang.pick(
                format!("导出的内容用本机密钥签了名，指纹 {key}，请和登记的核对。"),
                format!("The export is signed by this PC's key, fingerprint {key}: compare it with the register."),
            ));
        }
        if self.unit == Unit::Disabled {
            lines.push(
                lang.pick("值守程序已停止，开机不再启动。", "The service has ended and does not start with the PC any more.").to_owned(),
            );
        }
        if let Some(wiped) = self.retired.wiped {
            let at = moment(wiped, zone);
            lines.push(lang.pick(
                format!("本机上的记录、登记和密钥已于 {at} 清除。"),
                format!("Records, baseline and key were wiped from this PC: {at}."),
            ));
        }
        lines
    }

    fn undone(&self, lang: Lang) -> Vec<String> {
        let mut lines = Vec::new();
        if self.retired.last.is_none() {
            lines.push(
                lang.pick(
                    "值守程序当时没有运行：记录里没有写明退出，也没有送出；请由人告知运维方。",
                    "The service did not run: no record says that the terminal left, and nothing was shipped. Tell ops yourself.",
                )
                .to_owned(),
            );
        }
        for (name, lacks) in self.receivers.iter().filter(|(_, lacks)| *lacks != Some(0)) {
            lines.push(match lacks {
                Some(n) => lang.pick(
                    format!("{name} 还缺 {n} 条记录，没有送到；都在导出的内容里，请转交运维方。"),
                    format!("{name} lacks {n} record(s) that could not be shipped; the export has them: hand it to ops."),
                ),
                None => lang.pick(
                    format!("{name} 收到了多少不清楚；记录都在导出的内容里，请转交运维方。"),
                    format!("How much {name} has is not known; the export has all of it: hand it to ops."),
                ),
            });
        }
        if let Unit::Refused(why) = &self.unit {
            lines.push(lang.pick(
                format!("没能取消开机启动（{why}）：请用 root 运行 systemctl disable --now isonet。即使不取消，它也不会再启动。"),
                format!(
                    "The unit was not disabled ({why}): as root run systemctl disable --now isonet. Even so, the service does not start any more."
                ),
            ));
        }
        if self.log.as_ref().is_some_and(|log| !log.is_whole) {
            lines.push(
                lang.pick(
                    "记录不完整：不要清除，把导出的内容原样交给医保局信息科（详情：isonet verify-log）。",
                    "The log is not whole: wipe nothing, and hand the export as it is to the bureau (see isonet verify-log).",
                )
                .to_owned(),
            );
        }
        lines
    }

    fn checklist(&self, lang: Lang) -> Vec<String> {
        let mut lines: Vec<String> = [
            (
                "医保局的批准（停用、变更或解除协议的文号）：________________",
                "Approval of the bureau (number of the decision): ________________",
            ),
            ("拔下专网网线；专线或 VPN 设备交还运营商或医保局", "Unplug the private network; hand back the line or the VPN box"),
            ("PSAM 卡交还发卡单位", "Return the PSAM card to whoever issued it"),
            ("VPN 账号、证书、UKey 交还并注销", "Hand back and cancel VPN accounts, certificates and tokens"),
            ("请软件商卸载结算软件，清除其数据库和接口密钥", "Have the vendor remove the settlement software, its database and its keys"),
            ("导出的记录交给医保局，或至少保存六个月", "Hand the exported records to the bureau, or keep them for six months at least"),
            (
                "运维方：从终端清单中注销本机，收回它的上报账号和证书",
                "Ops: take the terminal off the register, and revoke its account and certificate",
            ),
        ]
        .map(|(zh, en)| lang.pick(zh, en).to_owned())
        .into();
        if self.retired.wiped.is_none() {
            let dir = &self.state_dir;
            lines.push(lang.pick(
                format!("本机上的记录还在 {dir}；不再需要时清除：isonet retire --wipe"),
                format!("The records are still in {dir}; when nobody needs them any more: isonet retire --wipe"),
            ));
        }
        lines.push(
            lang.pick("卸载 isonet：apt purge isonet 或 dnf remove isonet", "Remove isonet: apt purge isonet, or dnf remove isonet")
                .to_owned(),
        );
        lines
    }
}

impl LogAtEnd {
    fn told(&self, lang: Lang, zone: &TimeZone) -> String {
        let Self { records, incidents, open, .. } = self;
        let span = self.span.map(|(first, last)| (moment(first, zone), moment(last, zone)));
        let mut text = match (span, lang) {
            (Some((first, last)), Lang::ZhCn) => format!("本机记录：{records} 条，从 {first} 到 {last}，故障和提醒 {incidents} 次。"),
            (Some((first, last)), Lang::En) => format!("The log: {records} records, from {first} to {last}; incidents: {incidents}."),
            (None, Lang::ZhCn) => "本机没有记录。".to_owned(),
            (None, Lang::En) => "The log is empty.".to_owned(),
        };
        if !open.is_empty() {
            let pick = usize::from(lang == Lang::En);
            let named = open.iter().take(MOST_OPEN).map(|(id, titles)| format!("#{} {}", id.seq, titles[pick]));
            let named: Vec<String> = named.collect();
            let count = open.len();
            text += &lang.pick(
                format!("退出时未恢复的有 {count} 次：{}。", named.join("；")),
                format!(" Open at the end ({count}): {}.", named.join("; ")),
            );
        }
        text
    }
}

fn heading(page: &mut Page, text: &str) {
    page.blank();
    page.paragraph("", text, Ink::Bold);
}

fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Terminal;
    use crate::model::{LastRecord, RETIRED_SCHEMA};

    pub(crate) fn report() -> FinalReport {
        let at = |text: &str| text.parse().expect("a time");
        let terminal = Terminal { institution: Some("P61010200123".to_owned()), ..Terminal::default() };
        FinalReport {
            terminal: TerminalCard::of(&terminal, Some("1338d0d8".to_owned()), None, ""),
            retired: Retired {
                schema: RETIRED_SCHEMA.to_owned(),
                at: at("2026-11-22T10:00:00Z"),
                by: "王五".to_owned(),
                reason: "停业\u{1b}[2J".to_owned(),
                last: Some(LastRecord { epoch: "e".to_owned(), seq: 812, hash: "a".repeat(64) }),
                wiped: None,
            },
            log: Some(LogAtEnd {
                span: Some((at("2026-05-01T00:00:00Z"), at("2026-11-22T10:00:00Z"))),
                records: 812,
                is_whole: true,
                incidents: 31,
                open: vec![(
                    IncidentId { epoch: "e".to_owned(), seq: 800 },
                    ["VPN 没有启动".to_owned(), "The VPN is not started".to_owned()],
                )],
            }),
            receivers: vec![("journal".to_owned(), Some(0)), ("fleet".to_owned(), Some(3))],
            unit: Unit::Disabled,
            export: Some("/root/isonet-retired-1338d0d8".to_owned()),
            state_dir: "/var/lib/isonet".to_owned(),
            key: Some("f".repeat(64)),
        }
    }

    #[test]
    fn the_report_reads_well_in_both_languages_and_steers_no_terminal() {
        insta::assert_snapshot!(report().in_both(&TimeZone::fixed(jiff::tz::offset(8))));
    }

    #[test]
    fn what_went_wrong_is_said_and_what_did_not_is_not() {
        let mut bad = report();
        for lang in Lang::ALL {
            assert_eq!(bad.undone(lang).len(), 1, "only the receiver: {:?}", bad.undone(lang));
        }
        bad.retired.last = None;
        bad.unit = Unit::Refused("no bus".to_owned());
        bad.receivers.push(("other".to_owned(), None));
        bad.log.as_mut().expect("there").is_whole = false;
        for lang in Lang::ALL {
            assert_eq!(bad.undone(lang).len(), 5, "{:?}", bad.undone(lang));
        }
        let good = FinalReport { receivers: Vec::new(), ..report() };
        assert!(good.undone(Lang::En).is_empty());
    }
}
