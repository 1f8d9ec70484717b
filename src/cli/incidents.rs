//! `isonet incidents`: the outages that were recorded, and the shop's own statements about them.
//!
//! The daemon is asked; where none runs, the files of the log are read as far as this user may.

mod comment;

use super::ask::{Daemon, Silence, Through};
use super::grammar::{Global, clean};
use super::status::explain;
use super::{IO, NOT_RUNNING, USAGE, complain, print, runtime, style};
use crate::catalogue::Lang;
use crate::config::{Config, Owner, duration, state_dir};
use crate::daemon::control::log;
use crate::incident::log::{Found, Incidents, Wanted};
use crate::model::Record;
use crate::report;
use crate::sys::clock;
use http_body_util::BodyExt;
use jiff::Zoned;
use std::collections::BTreeSet;
use std::time::Duration;

/// Reading a large log takes a moment.
const PATIENCE: Duration = Duration::from_secs(25);
/// Longest list that is read, bytes: a thousand incidents.
const LONGEST: usize = 8 << 20;
/// Largest line that is followed, bytes.
const LONGEST_LINE: usize = 1 << 20;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct Arguments {
    #[command(subcommand)]
    act: Option<Act>,
    /// 最近多久的 / How far back, such as 24h or 7d
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Duration>,
    /// 只看未恢复的 / Only those that are not over
    #[arg(long)]
    open: bool,
    /// 输出 JSON（incidents/1）；与 --follow 同用时每行一条记录 / Print one JSON document (incidents/1); one record a line with --follow
    #[arg(long)]
    json: bool,
    /// 先列出，再一条条跟着显示 / List them, then show records as they are written
    #[arg(long, short)]
    follow: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// 给一次故障补充本单位的说明，随记录一起保存、上报 / Add the institution's own statement to an incident; it travels with the record
    Comment(comment::Arguments),
}

fn since(text: &str) -> Result<Duration, &'static str> {
    duration::parse(text).map_err(|_| "应为时间，如 24h、7d / write a time such as 24h or 7d")
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    match &arguments.act {
        None => show(global, arguments),
        Some(Act::Comment(arguments)) => comment::add(global, arguments),
    }
    .err()
    .unwrap_or(0)
}

fn show(global: &Global, arguments: &Arguments) -> Result<(), u8> {
    if arguments.follow && (arguments.open || arguments.since.is_some()) {
        complain("isonet: --follow 不能和 --since、--open 同用 / --follow goes with neither --since nor --open");
        return Err(USAGE);
    }
    let config = global.load_places()?;
    let lang = global.lang(config.language);
    let daemon = Daemon::of(&config);
    let runtime = runtime()?;
    if arguments.follow {
        return runtime.block_on(follow(&daemon, arguments.json, global, lang));
    }
    let wanted = Wanted { since: arguments.since, only_open: arguments.open };
    let found = match runtime.block_on(ask(&daemon, wanted)) {
        Ok(found) => found,
        Err(silence @ Silence::NotRunning) => from_disk(&config, wanted).ok_or_else(|| explain(&silence, &daemon, lang))?,
        Err(silence) => return Err(explain(&silence, &daemon, lang)),
    };
    let text = if arguments.json {
        serde_json::to_string_pretty(&found).expect("plain data with string keys always serialises") + "\n"
    } else {
        report::render_incidents(&found.incidents, &found.lost, found.left_out, &now(), lang, style(global))
    };
    print(&text)
}

async fn ask(daemon: &Daemon, wanted: Wanted) -> Result<Incidents, Silence> {
    let since = wanted.since.map(|since| format!("&since={}", duration::render(since))).unwrap_or_default();
    let target = format!("/v1/incidents?open={}{since}", u8::from(wanted.only_open));
    let told = daemon.get(&target, Through::Control, LONGEST, PATIENCE).await?;
    serde_json::from_slice(&told).map_err(|error| Silence::Broken(error.to_string()))
}

/// What the files of the log say. `None` = there are none that this user may read.
fn from_disk(config: &Config, wanted: Wanted) -> Option<Incidents> {
    let state = state_dir(config, Owner::of_process(), |name| std::env::var(name).ok())?;
    let dir = state.join("spool");
    let log = dir.is_dir().then(|| log(&dir))?;
    let mut found = Found::new(wanted, clock::wall());
    match log(&mut |line| found.take(line)) {
        Ok(()) => Some(found.incidents()),
        Err(error) => {
            complain(&format!("isonet: {}: {error}", clean(&dir.display().to_string())));
            None
        }
    }
}

/// Lists what there is, then shows what comes. Ends when the daemon does, which is told by the status.
async fn follow(daemon: &Daemon, json: bool, global: &Global, lang: Lang) -> Result<(), u8> {
    let told = |silence| explain(&silence, daemon, lang);
    // First the subscription, then the list: a record may be told twice, which is noticed, but none is missed.
    let coming = daemon.begin("/v1/incidents?follow=1", Through::Control).await.map_err(told)?;
    if !coming.status().is_success() {
        return Err(told(Silence::Broken(coming.status().to_string())));
    }
    let listed = ask(daemon, Wanted::default()).await.map_err(told)?;
    let seen: BTreeSet<(String, u64)> = listed.incidents.iter().map(|record| (record.epoch.clone(), record.seq)).collect();
    if json {
        listed.incidents.iter().try_for_each(|record| print(&(line_of(record) + "\n")))?;
    } else {
        print(&report::render_incidents(&listed.incidents, &listed.lost, listed.left_out, &now(), lang, style(global)))?;
    }
    let mut body = coming.into_body();
    let mut pending = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { break };
        pending.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
        while let Some(end) = pending.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            let Ok(record) = serde_json::from_slice::<Record>(&line) else { continue };
            if !seen.contains(&(record.epoch.clone(), record.seq)) {
                let shown = if json { line_of(&record) } else { report::record_line(&record, &now(), lang) };
                print(&(shown + "\n"))?;
            }
        }
        if pending.len() > LONGEST_LINE {
            break;
        }
    }
    complain(
        lang.pick("isonet: 值守程序结束了，或者跟不上被断开。", "isonet: the service ended, or we could not keep up and were cut off."),
    );
    Err(if pending.is_empty() { NOT_RUNNING } else { IO })
}

fn line_of(record: &Record) -> String {
    serde_json::to_string(record).expect("plain data with string keys always serialises")
}

fn now() -> Zoned {
    clock::wall().to_zoned(jiff::tz::TimeZone::system())
}
