//! `isonet export`: the records of the local log for other programs. Reads the files alone; the service need not run and is not disturbed.
//!
//! Only records that prove themselves and belong where they stand come out. What does not is named on stderr and told by the status: what
//! was exported is genuine, but not all there was.
//!
//! Exit status: 65 = the log is not as it was written; 66 = there is no log; 74 or 77 = it, or a part of it, could not be read, or the result
//! not written.

use super::grammar::Global;
use super::integrity::MISSING;
use super::{IO, complain, integrity};
use crate::catalogue::Lang;
use crate::config::{Owner, duration, state_dir};
use crate::export::{Export, Format, Tally};
use crate::spool::Report;
use crate::sys::clock;
use clap::ValueEnum;
use std::io::{self, BufWriter};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// 格式：jsonl、csv、ocsf、ecs / Format: jsonl, csv, ocsf, ecs
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    format: FormatArg,
    /// 从何时起：7d、2026-11-01 或完整的时间 / Since when: 7d, 2026-11-01, or a full date and time
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    /// 记录所在目录；不填为本机的 / Directory of the records [that of this PC]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    Jsonl,
    Csv,
    Ocsf,
    Ecs,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Jsonl => Self::Jsonl,
            FormatArg::Csv => Self::Csv,
            FormatArg::Ocsf => Self::Ocsf,
            FormatArg::Ecs => Self::Ecs,
        }
    }
}

/// A point in time, or so long before now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    Ago(std::time::Duration),
    Day(jiff::civil::Date),
    At(jiff::Timestamp),
}

fn since(text: &str) -> Result<Since, &'static str> {
    let ago = duration::parse(text).map(Since::Ago).ok();
    let at = || text.parse().map(Since::At).ok();
    let day = || text.parse().map(Since::Day).ok();
    ago.or_else(at)
        .or_else(day)
        .ok_or("应为 7d、2026-11-01 或 2026-11-01T08:00:00+08:00 / write 7d, 2026-11-01 or 2026-11-01T08:00:00+08:00")
}

impl Since {
    /// `None` = before all time.
    fn resolve(self) -> Option<jiff::Timestamp> {
        match self {
            Self::Ago(length) => clock::wall().checked_sub(length).ok(),
            Self::Day(day) => day.to_zoned(jiff::tz::TimeZone::system()).ok().map(|midnight| midnight.timestamp()),
            Self::At(at) => Some(at),
        }
    }
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    export(global, arguments).err().unwrap_or(0)
}

fn export(global: &Global, arguments: &Arguments) -> Result<(), u8> {
    let config = global.load_places()?;
    let lang = global.lang(config.language);
    let own = || state_dir(&config, Owner::of_process(), |name| std::env::var(name).ok()).map(|dir| dir.join("spool"));
    let Some(directory) = arguments.dir.clone().or_else(own) else {
        complain(lang.pick("isonet: 不知道记录在哪里，请用 --dir 指定。", "isonet: no place for records is known; give --dir."));
        return Err(MISSING);
    };
    let since = arguments.since.and_then(Since::resolve);
    let mut out = BufWriter::new(io::stdout().lock());
    let mut export = Export::new(arguments.format.into(), since, lang, &mut out);
    let report = integrity::read(&directory, lang, &mut |line| export.take(line))?;
    match export.end() {
        Ok(tally) => tell(tally, lang),
        // A reader that went away early is not an error.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        Err(error) => {
            complain(&format!("isonet: 无法输出结果 / cannot write the result: {error}"));
            return Err(IO);
        }
    }
    judge(&report, lang)
}

/// Only what was left out unasked is worth a word.
fn tell(tally: Tally, lang: Lang) {
    if tally.foreign > 0 {
        let n = tally.foreign;
        complain(&lang.pick(
            format!("isonet: 有 {n} 行不是本版本的记录，未导出。"),
            format!("isonet: {n} line(s) are no records of this version and were left out."),
        ));
    }
}

/// Says what is not in the export because it does not prove itself or could not be read.
fn judge(report: &Report, lang: Lang) -> Result<(), u8> {
    if let Some(torn) = integrity::torn(report, lang) {
        complain(&format!("isonet: {torn}"));
    }
    if report.is_whole() {
        return Ok(());
    }
    complain(&if report.damages.is_empty() {
        lang.pick(
            "isonet: 有的记录读不出来，没有导出；导出的各条都能自证：".to_owned(),
            "isonet: a part of the log cannot be read and is not exported; what is exported proves itself:".to_owned(),
        )
    } else {
        lang.pick(
            "isonet: 记录与写入时不一致，这几处没有导出；导出的各条都能自证。用 isonet verify-log 核对：".to_owned(),
            "isonet: the log is not as it was written; these places are not exported, what is exported proves itself. See isonet verify-log:".to_owned(),
        )
    });
    integrity::places(report, lang).for_each(|place| complain(&place));
    Err(integrity::status(report))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_understood_in_three_ways() {
        assert_eq!(since("7d"), Ok(Since::Ago(std::time::Duration::from_hours(168))));
        assert!(matches!(since("2026-11-01"), Ok(Since::Day(_))));
        assert!(matches!(since("2026-11-01T08:00:00+08:00"), Ok(Since::At(_))));
        assert!(since("yesterday").is_err() && since("").is_err());
    }
}
