//! `isonet verify-log`: proves the record log whole, or names where it is not. Works beside a running daemon and on a copy elsewhere. A bundle of
//! evidence, packed or not, is checked as a whole, and so is what a terminal that left has exported.

use super::grammar::{Global, clean};
use super::integrity::MISSING;
use super::{complain, evidence, integrity, print, retire};
use crate::catalogue::Lang;
use crate::config::{Owner, load_places, state_dir};
use crate::evidence::HEAD;
use crate::spool::Report;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// 记录所在目录（或其副本），或 isonet evidence、isonet retire 导出的 / The directory of the records, a copy of it, or what isonet evidence or retire made [STATE/spool]
    #[arg(value_name = "PATH")]
    dir: Option<PathBuf>,
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    verify(global, arguments).unwrap_or_else(|status| status)
}

fn verify(global: &Global, arguments: &Arguments) -> Result<u8, u8> {
    let config = match &arguments.dir {
        // A copy elsewhere has nothing to do with this PC.
        Some(_) => load_places(global.config.as_deref()),
        None => global.load_places()?,
    };
    let lang = global.lang(config.language);
    let usual = || state_dir(&config, Owner::of_process(), |name| std::env::var(name).ok()).map(|state| state.join("spool"));
    let Some(dir) = arguments.dir.clone().or_else(usual) else {
        complain(lang.pick("isonet: 不知道记录在哪里，请写出目录", "isonet: nobody knows where the records are; name the directory"));
        return Err(MISSING);
    };
    if dir.is_file() || dir.join(HEAD).is_file() {
        return evidence::verify(&dir, lang);
    }
    if dir.join(retire::STATEMENT).is_file() {
        return retire::verify(&dir, lang);
    }
    let report = integrity::read(&dir, lang, &mut |_| {})?;
    // A directory that was named by mistake must not be taken for a log without faults.
    if arguments.dir.is_some() && report.epochs.is_empty() && report.damages.is_empty() && report.unreadable.is_empty() {
        let path = clean(&dir.display().to_string());
        complain(&lang.pick(
            format!("isonet: {path} 里没有记录；导出的内容在它下面的 isonet-retired-… 目录里，请写出那个目录"),
            format!("isonet: there are no records in {path}; an export is the directory isonet-retired-… below: name that one"),
        ));
        return Err(MISSING);
    }
    print(&told(&report, lang))?;
    Ok(integrity::status(&report))
}

pub(super) fn told(report: &Report, lang: Lang) -> String {
    let n = report.records;
    let head = match (report.damages.is_empty(), report.unreadable.is_empty()) {
        (true, true) => lang.pick(
            format!("记录完整：共 {n} 条，首尾相接，没有改动。"),
            format!("The log is whole: {n} records, each continues the one before, none was changed."),
        ),
        (false, _) => lang.pick(
            format!("记录有损坏：{n} 条能自证，下列各处不能。"),
            format!("The log is damaged: {n} records prove themselves, these places do not."),
        ),
        (true, false) => lang.pick(
            format!("有的记录读不出来：读到的 {n} 条没有改动，其余的无法核对。"),
            format!("A part of the log cannot be read: the {n} records that can be were not changed, the rest cannot be checked."),
        ),
    };
    let mut lines = vec![head];
    lines.extend(integrity::places(report, lang));
    for epoch in &report.epochs {
        let (name, records, last, head) = (&epoch.epoch, epoch.records, epoch.last, epoch.head);
        lines.push(match lang {
            Lang::ZhCn => format!("段落 {name}：{records} 条，末号 {last}，末尾校验值 {head}"),
            Lang::En => format!("epoch {name}: {records} records, last number {last}, head {head}"),
        });
    }
    for gap in &report.gaps {
        let (from, to, reason) = (gap.from, gap.to, &gap.reason);
        lines.push(
            lang.pick(format!("有交代的缺号：{from} 到 {to}（{reason}）"), format!("missing and accounted for: {from} to {to} ({reason})")),
        );
    }
    lines.extend(integrity::torn(report, lang));
    lines.extend(integrity::remedy(report, lang).map(str::to_owned));
    format!("{}\n", lines.join("\n"))
}
