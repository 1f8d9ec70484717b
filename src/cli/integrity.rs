//! The proof of a log, what it says in words, and the status it ends with: the same for every command that reads all of it.

use super::grammar::clean;
use super::{IO, NOT_PERMITTED, complain};
use crate::catalogue::Lang;
use crate::spool::{Broken, Damage, Disk, Flaw, Report, Unreadable, prove};
use std::io::ErrorKind;
use std::path::Path;

/// The log is not as it was written (`EX_DATAERR`).
pub(super) const DAMAGED: u8 = 65;
/// There is no log (`EX_NOINPUT`).
pub(super) const MISSING: u8 = 66;

/// Reads the log in this directory; each line that proves itself goes to `each`. A directory that is not there is no empty log.
pub(super) fn read(dir: &Path, lang: Lang, each: &mut dyn FnMut(&[u8])) -> Result<Report, u8> {
    let read = std::fs::read_dir(dir).and_then(|_| prove(&Disk::look(dir), each));
    read.map_err(|error| {
        let path = clean(&dir.display().to_string());
        complain(
            &lang.pick(format!("isonet: 读不了记录目录 {path}：{error}"), format!("isonet: cannot read the records in {path}: {error}")),
        );
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => MISSING,
            ErrorKind::PermissionDenied => NOT_PERMITTED,
            _ => IO,
        }
    })
}

/// 0 = whole. What was changed weighs more than what could not be read.
pub(super) fn status(report: &Report) -> u8 {
    if !report.damages.is_empty() {
        return DAMAGED;
    }
    match report.unreadable.as_slice() {
        [] => 0,
        refused if refused.iter().all(|file| file.refusal.kind == ErrorKind::PermissionDenied) => NOT_PERMITTED,
        _ => IO,
    }
}

/// One line for each place that does not prove itself and each file that could not be read, indented.
pub(super) fn places(report: &Report, lang: Lang) -> impl Iterator<Item = String> {
    let damaged = report.damages.iter().map(move |Damage { file, line, why }| {
        let file = clean(file);
        lang.pick(format!("  {file} 第 {line} 行：{}", flaw_zh(why)), format!("  {file}:{line}: {}", clean(&why.to_string())))
    });
    let refused = report.unreadable.iter().map(move |Unreadable { file, refusal }| {
        let (file, why) = (clean(file), clean(&refusal.why));
        lang.pick(
            format!("  {file} 读不出来：{why}。不说明有人改动过；请检查磁盘和权限。"),
            format!("  {file} cannot be read: {why}. That does not mean that it was changed; look at the disk and at the rights."),
        )
    });
    damaged.chain(refused)
}

pub(super) fn flaw_zh(flaw: &Flaw) -> String {
    match flaw {
        Flaw::Line(Broken::Unsealed) => "末尾没有校验值".to_owned(),
        Flaw::Line(Broken::Hash) => "内容和校验值对不上".to_owned(),
        Flaw::Line(Broken::Content) => "不是一条记录".to_owned(),
        Flaw::CutOff => "这一行被截断了".to_owned(),
        Flaw::Foreign => "不属于这一段落".to_owned(),
        Flaw::Backwards { number, last } => format!("编号 {number} 排在 {last} 后面"),
        Flaw::Severed => "和上一条接不上".to_owned(),
        Flaw::Missing { from, to } => format!("前面缺第 {from} 到 {to} 号"),
        Flaw::Unusable => "内容读不懂".to_owned(),
        Flaw::Refused(why) => format!("读不出来：{}", clean(why)),
        Flaw::Absent => "文件不见了".to_owned(),
        Flaw::Misfit => "和记录对不上".to_owned(),
    }
}

/// What to do about a log that is not as it was written; `None` = it is.
pub(super) fn remedy(report: &Report, lang: Lang) -> Option<&'static str> {
    let (zh, en) = (
        "不要改动这个目录，整个复制一份留好，告知医保局信息科；也要检查磁盘，磁盘坏了也会这样。",
        "Change nothing in this directory, keep a copy of all of it, and tell the insurance bureau; look at the disk, too: a bad one leaves the same.",
    );
    (!report.damages.is_empty()).then(|| lang.pick(zh, en))
}

/// That the end was not finished.
pub(super) fn torn(report: &Report, lang: Lang) -> Option<String> {
    let bytes = report.torn?;
    Some(lang.pick(
        format!("末尾有 {bytes} 字节没写完（断电或者磁盘满了会这样），不算改动。"),
        format!("{bytes} bytes at the end were never finished (a power cut or a full disk leaves that); it is no change."),
    ))
}
