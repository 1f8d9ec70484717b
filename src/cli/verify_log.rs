//! `isonet verify-log`: proves the record log whole, or names where it is not. Works beside a running daemon and on a copy elsewhere.

use super::grammar::{Global, clean};
use super::{IO, complain, print};
use crate::catalogue::Lang;
use crate::config::{LanguageChoice, Owner, load, state_dir};
use crate::spool::{Disk, Report, verify};
use std::path::PathBuf;

/// The log is not as it was written (`EX_DATAERR`).
const DAMAGED: u8 = 65;
/// There is no log (`EX_NOINPUT`).
const MISSING: u8 = 66;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// 记录所在目录（或其副本）/ The directory of the records, or a copy of it [STATE/spool]
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    let lang = global.lang(LanguageChoice::Auto);
    let Some(dir) = arguments.dir.clone().or_else(|| usual(global)) else {
        complain(lang.pick("isonet: 不知道记录在哪里，请写出目录", "isonet: nobody knows where the records are; name the directory"));
        return MISSING;
    };
    let shown = clean(&dir.display().to_string());
    if !dir.is_dir() {
        complain(&lang.pick(format!("isonet: 没有这个目录：{shown}"), format!("isonet: there is no such directory: {shown}")));
        return MISSING;
    }
    match verify(&Disk::look(&dir)) {
        Ok(report) => {
            let status = if report.is_whole() { 0 } else { DAMAGED };
            print(&told(&report, lang)).err().unwrap_or(status)
        }
        Err(error) => {
            complain(&lang.pick(format!("isonet: 读不了 {shown}：{error}"), format!("isonet: cannot read {shown}: {error}")));
            IO
        }
    }
}

/// Where the daemon of this user writes. A configuration that is not right has its own command; the usual place does here.
fn usual(global: &Global) -> Option<PathBuf> {
    let config = load(global.config.as_deref()).map(|loaded| loaded.config).unwrap_or_default();
    state_dir(&config, Owner::of_process(), |name| std::env::var(name).ok()).map(|state| state.join("spool"))
}

fn told(report: &Report, lang: Lang) -> String {
    let mut lines = vec![match (report.is_whole(), lang) {
        (true, Lang::ZhCn) => format!("记录完整：共 {} 条，首尾相接，没有改动。", report.records),
        (true, Lang::En) => format!("The log is whole: {} records, each continues the one before, none was changed.", report.records),
        (false, Lang::ZhCn) => format!("记录有损坏：{} 条能自证，下列各处不能。", report.records),
        (false, Lang::En) => format!("The log is damaged: {} records prove themselves, these places do not.", report.records),
    }];
    for damage in &report.damages {
        let (file, line, why) = (clean(&damage.file), damage.line, clean(&damage.why));
        lines.push(lang.pick(format!("  {file} 第 {line} 行：{why}"), format!("  {file}:{line}: {why}")));
    }
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
    if let Some(bytes) = report.torn {
        lines.push(lang.pick(
            format!("末尾有 {bytes} 字节没写完（断电会这样），不算改动。"),
            format!("{bytes} bytes at the end were never finished (a power cut leaves that); it is no change."),
        ));
    }
    format!("{}\n", lines.join("\n"))
}
