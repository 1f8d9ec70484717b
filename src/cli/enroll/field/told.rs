//! What a field installation says on paper, above the acceptance sheet.

use super::Mode;
use crate::catalogue::Lang;
use crate::field::{By, Chosen, Column, List, Mark, Overlap, Proposal};
use std::fmt::Write as _;
use std::path::PathBuf;
use unicode_width::UnicodeWidthStr;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Written,
    Replaced,
    Unchanged,
    WouldWrite,
    WouldReplace,
}

impl Deed {
    fn words(self, lang: Lang) -> &'static str {
        match self {
            Self::Written => lang.pick("已写入", "written"),
            Self::Replaced => lang.pick("已更新", "updated"),
            Self::Unchanged => lang.pick("没有变化", "unchanged"),
            Self::WouldWrite => lang.pick("将写入", "would be written"),
            Self::WouldReplace => lang.pick("将更新", "would be updated"),
        }
    }
}

/// All that there is to say.
pub(super) struct Report<'a> {
    pub(super) list: &'a List,
    pub(super) chosen: &'a Chosen<'a>,
    pub(super) sites: &'a str,
    /// Path, what became of it, and what it says.
    pub(super) deeds: Vec<(PathBuf, Deed, String)>,
    pub(super) kept: &'a [Overlap],
    /// Column, what is expected, what there is.
    pub(super) off: Vec<(String, String, String)>,
    pub(super) proposals: &'a [Proposal],
}

impl Report<'_> {
    pub(super) fn render(&self, mode: Mode, lang: Lang) -> String {
        let mut text = String::new();
        let rows = self.rows(lang);
        let widest = rows.iter().map(|(name, _)| name.width()).max().unwrap_or_default();
        line(&mut text, lang.pick("现场安装", "Field installation"));
        for (name, value) in rows {
            line(&mut text, &format!("  {name}{}  {value}", " ".repeat(widest - name.width())));
        }
        for (path, deed, _) in &self.deeds {
            line(&mut text, &format!("  {}: {}", path.display(), deed.words(lang)));
        }
        if mode == Mode::Write && self.deeds.iter().any(|(_, deed, _)| *deed != Deed::Unchanged) {
            line(
                &mut text,
                lang.pick(
                    "  值守程序已在运行的，执行 systemctl reload isonet 即生效",
                    "  A service that runs already takes it over by systemctl reload isonet",
                ),
            );
        }
        self.remarks(&mut text, lang);
        self.proposed(&mut text, lang);
        if mode == Mode::Show {
            for (path, _, content) in &self.deeds {
                let _ = write!(text, "\n--- {} ---\n", path.display());
                content.lines().for_each(|content| line(&mut text, content));
            }
        }
        text
    }

    fn rows(&self, lang: Lang) -> Vec<(String, String)> {
        let row = self.chosen.row;
        let by = self.chosen.by.iter().map(|by| in_words(*by)).collect::<Vec<_>>().join(", ");
        let (sites, number) = (self.sites, row.line);
        let found = lang.pick(format!("{sites} 第 {number} 行（{by}）"), format!("{sites}, line {number} ({by})"));
        let mut rows = vec![(lang.pick("机构", "Site").to_owned(), self.list.label(row)), (lang.pick("清单", "Row").to_owned(), found)];
        let notes = self.list.said(row).filter(|(_, column, _)| **column == Column::Note);
        rows.extend(notes.map(|(at, _, cell)| (self.list.headers.get(at).cloned().unwrap_or_default(), cell.to_owned())));
        rows
    }

    /// What the engineer should know.
    fn remarks(&self, text: &mut String, lang: Lang) {
        let none = lang.pick("无", "none");
        for (column, wanted, has) in &self.off {
            let has = if has.is_empty() { none } else { has };
            line(
                text,
                &lang.pick(
                    format!("  [ ] 清单「{column}」列是 {wanted}，本机是 {has}：请核对"),
                    format!("  [ ] The list's column \"{column}\" says {wanted}, this PC has {has}: make sure which is right"),
                ),
            );
        }
        for overlap in self.kept {
            let what = overlap.render(lang);
            line(text, &lang.pick(format!("  以本机自己的设置为准：{what}"), format!("  This PC's own setting holds: {what}")));
        }
        let unused: Vec<&str> = self
            .list
            .columns
            .iter()
            .zip(&self.list.headers)
            .filter(|(column, header)| **column == Column::Unused && !header.is_empty())
            .map(|(_, header)| header.as_str())
            .collect();
        if !unused.is_empty() {
            let unused = unused.join(", ");
            line(text, &lang.pick(format!("  没有用到的列：{unused}"), format!("  Columns that were not used: {unused}")));
        }
    }

    fn proposed(&self, text: &mut String, lang: Lang) {
        if self.proposals.is_empty() {
            return;
        }
        text.push('\n');
        line(
            text,
            lang.pick(
                "按现在的连接推测，可以补充以下配置。没有生效；确认后写入 conf.d/90-local.toml 或区域配置：",
                "What is connected now suggests this. It is not in force: make sure of it, then add it to conf.d/90-local.toml or to the region's file:",
            ),
        );
        for proposal in self.proposals {
            proposal.text().lines().for_each(|proposed| line(text, &format!("#   {proposed}")));
        }
    }
}

fn in_words(by: By) -> &'static str {
    match by {
        By::Site => "--site",
        By::Terminal => "--terminal",
        By::Mark(Mark::Hostname) => "hostname",
        By::Mark(Mark::Mac) => "mac",
        By::Mark(Mark::Address) => "address",
    }
}

/// Names come from files: nothing in them may steer the terminal.
fn line(text: &mut String, words: &str) {
    text.extend(words.chars().map(|c| if c.is_control() { '?' } else { c }));
    text.push('\n');
}
