//! `isonet diagnose`: one look at everything, now.

mod watch;

use super::ask::Daemon;
use super::grammar::{Global, clean};
use super::{IO, USAGE, columns, complain, print, runtime, style};
use crate::baseline::{Enrolment, this_terminal};
use crate::catalogue::Lang;
use crate::config::{Config, Loaded, Owner, state_dir};
use crate::infer::diagnose;
use crate::model::{Diagnosis, FindingCode};
use crate::probe::round::{self, Progress};
use crate::report::{self, Facing, Style};
use crate::sys::{clock, files, screen};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// As a file name: standard output.
const STDOUT: &str = "-";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// 输出 JSON（diagnosis/1）/ Print one JSON document (diagnosis/1)
    #[arg(long)]
    json: bool,
    /// 另存为可打印的网页，- 为标准输出 / Also write a printable page; - is stdout
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// 供工程师：全部依据 / For an engineer: all evidence, and what was not seen
    #[arg(long, short)]
    verbose: bool,
    /// 最长用时 / The longest it may take, 500ms to 60s [10s]
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = deadline, hide_default_value = true)]
    deadline: Duration,
}

/// From half a second, in which little is seen, to a minute.
fn deadline(text: &str) -> Result<Duration, &'static str> {
    let allowed = Duration::from_millis(500)..=Duration::from_mins(1);
    let given = crate::config::duration::parse(text).ok();
    given.filter(|given| allowed.contains(given)).ok_or("应为 500ms 到 60s 之间的时间，如 3s / write a time from 500ms to 60s, such as 3s")
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    look(global, arguments).unwrap_or_else(|code| code)
}

fn look(global: &Global, arguments: &Arguments) -> Result<u8, u8> {
    let to_stdout = arguments.html.as_deref() == Some(Path::new(STDOUT));
    if to_stdout && arguments.json {
        complain("isonet: --json 和 --html - 不能同时用，标准输出只有一个 / --json and --html - exclude each other: there is one stdout");
        return Err(USAGE);
    }
    let loaded = global.load()?;
    let lang = global.lang(loaded.config.language);
    let (diagnosis, facing) = take(global, loaded, arguments.deadline, lang)?;
    let page = arguments.html.as_deref().map(|file| (file, report::to_html(&diagnosis, &facing, lang)));
    if let (true, Some((_, page))) = (to_stdout, &page) {
        print(page)?;
        return Ok(report::exit_status(&diagnosis));
    }
    // Whatever becomes of the file, the answer is printed.
    let kept = page.map_or(Ok(()), |(file, page)| keep(file, &page));
    let text = if arguments.json {
        format!("{}\n", report::to_json(&diagnosis, &facing, lang))
    } else {
        report::render(&diagnosis, &facing, lang, Style { verbose: arguments.verbose, ..style(global) })
    };
    print(&text)?;
    kept?;
    Ok(report::exit_status(&diagnosis))
}

/// One look at everything, and what it is shown with.
pub(super) fn take(global: &Global, loaded: Loaded, deadline: Duration, lang: Lang) -> Result<(Diagnosis, Facing), u8> {
    let config = Arc::new(loaded.config);
    let state_dir = state_dir(&config, Owner::of_process(), |name| std::env::var(name).ok());
    let enrolment = Arc::new(Enrolment::of(state_dir.as_deref()));
    let began = clock::now();
    let watched = std::io::stderr().is_terminal();
    let show = |line: &str| {
        if watched {
            // A terminal that went away has nobody to show it to.
            let _ = write!(std::io::stderr().lock(), "{}{line}", screen::CLEAR);
        }
    };
    if watched {
        screen::clear_when_interrupted();
    }
    let width = columns(std::io::stderr()).unwrap_or(80);
    let progress = |at: Progress| show(&report::progress(at.done, at.begun, width, lang));
    let runtime = runtime()?;
    let round = round::run(Arc::clone(&config), Arc::clone(&enrolment), deadline, progress);
    let (world, watch) = runtime.block_on(watch::beside(&Daemon::of(&config), lang, round));
    // Name look-ups of the C library cannot be cancelled; nobody waits for them.
    runtime.shutdown_background();
    show("");
    let mut diagnosis = diagnose(&world, &config, &enrolment);
    // What the daemon's watchers have found does not show in one look.
    let findings = watch.open.iter().flatten().filter_map(|open| Some((FindingCode::from_code(&open.cause)?, open.severity)));
    diagnosis.isolation = diagnosis.isolation.told(findings);
    let facing = Facing { rules: loaded.rules, open: watch.open, help: watch.help, ..facing(&config, global, began.elapsed()) };
    Ok((diagnosis, facing))
}

/// Writes the page; says why when that fails.
fn keep(file: &Path, page: &str) -> Result<(), u8> {
    files::replace(file, page.as_bytes()).map_err(|error| {
        let name = clean(&file.display().to_string());
        complain(&format!("isonet: 网页没有写成 / cannot write the page: {name}: {error}"));
        IO
    })
}

fn facing(config: &Config, global: &Global, took: Duration) -> Facing {
    let at = clock::wall().to_zoned(jiff::tz::TimeZone::system());
    let mut facing = Facing::new(config, at, u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    facing.id = this_terminal(&config.terminal);
    if let Some(file) = &global.config {
        facing.config_file = file.display().to_string();
    }
    facing
}
