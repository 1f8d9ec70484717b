//! `isonet export`: the records of the local log for other programs. Reads the files alone; the service need not run and is not disturbed.
//!
//! Exit status: 66 = there is no log; 74 or 77 = it could not be read, or the result not written.

use super::grammar::Global;
use super::{IO, complain};
use crate::catalogue::Lang;
use crate::config::{Owner, duration, state_dir};
use crate::export::files::Lines;
use crate::export::{self, ExportError, Format, Tally};
use crate::sys::clock;
use clap::ValueEnum;
use std::io::{self, BufWriter};
use std::path::PathBuf;

/// There is no log (`EX_NOINPUT`).
const NO_LOG: u8 = 66;
/// Not permitted (`EX_NOPERM`).
const PERMISSION: u8 = 77;

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
    let loaded = global.load()?;
    let lang = global.lang(loaded.config.language);
    let own = || state_dir(&loaded.config, Owner::of_process(), |name| std::env::var(name).ok()).map(|dir| dir.join("spool"));
    let Some(directory) = arguments.dir.clone().or_else(own) else {
        complain(lang.pick("isonet: 不知道记录在哪里，请用 --dir 指定。", "isonet: no place for records is known; give --dir."));
        return Err(NO_LOG);
    };
    let lines = Lines::of(&directory).map_err(|error| {
        let path = directory.display();
        complain(
            &lang.pick(format!("isonet: 读不了记录目录 {path}：{error}"), format!("isonet: cannot read the records in {path}: {error}")),
        );
        status(&error)
    })?;
    let since = arguments.since.and_then(Since::resolve);
    let mut out = BufWriter::new(io::stdout().lock());
    match export::write(lines, arguments.format.into(), since, lang, &mut out) {
        Ok(tally) => {
            tell(tally, lang);
            Ok(())
        }
        // A reader that went away early is not an error.
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(ExportError::Write(error)) => {
            complain(&format!("isonet: 无法输出结果 / cannot write the result: {error}"));
            Err(IO)
        }
        Err(ExportError::Read(error)) => {
            complain(&lang.pick(format!("isonet: 读记录时出错：{error}"), format!("isonet: cannot read the records: {error}")));
            Err(status(&error))
        }
    }
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

fn status(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => NO_LOG,
        io::ErrorKind::PermissionDenied => PERMISSION,
        _ => IO,
    }
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
