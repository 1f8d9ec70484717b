//! `isonet explain`: one cause or observation in plain words, or from a message on a screen to what may stand behind it.
//!
//! A code is looked up, and that is all. A message on a screen is first of all a question about the network: the running service is asked how
//! things stand, and where none answers one look is taken. `--no-look` leaves that out and sends nothing.
//!
//! Exit status: 0 = explained; 64 = no such code, the nearest are named; 66 = nothing similar to the message is known, what is known is
//! listed.

use super::ask::{DOCUMENT, Daemon, Through};
use super::grammar::{Global, clean};
use super::{USAGE, complain, completions, diagnose, print, runtime, style};
use crate::catalogue::{Lang, Origin, nearest, search};
use crate::config::Loaded;
use crate::model::{Cause, FindingCode};
use crate::report::{self, Facing, Network, Status};
use crate::sys::clock;
use clap_complete::ArgValueCandidates;
use std::time::Duration;

/// Nothing is known that resembles the message (`EX_NOINPUT`).
const NOT_KNOWN: u8 = 66;
/// A service that is there answers well within this; longer, and a look of one's own comes sooner.
const PATIENCE: Duration = Duration::from_secs(2);
/// A look of one's own takes this long at most: somebody waits at the counter, and only the first lines are wanted.
const LOOK: Duration = Duration::from_secs(6);

/// What is asked: one of these.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Question {
    /// 原因或观察的代码，如 vpn.tunnel-dead / A code, such as vpn.tunnel-dead
    #[arg(value_name = "CODE", add = ArgValueCandidates::new(completions::codes))]
    code: Option<String>,
    /// 屏幕上的提示或它的编号，不写就列出来；没有类似的退出码为 66 / What the screen says, or its number; alone it lists them; 66 = nothing similar
    #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "", add = ArgValueCandidates::new(completions::symptoms))]
    symptom: Option<String>,
    /// 列出所有代码 / List all codes
    #[arg(long)]
    list: bool,
}

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    question: Question,
    /// 与 --symptom 同用：只查资料，不检查网络 / With --symptom: only look it up, leave the network alone
    #[arg(long, conflicts_with_all = ["code", "list"])]
    no_look: bool,
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    explain(global, arguments).unwrap_or_else(|code| code)
}

fn explain(global: &Global, arguments: &Arguments) -> Result<u8, u8> {
    let loaded = global.load()?;
    let lang = global.lang(loaded.config.language);
    let style = style(global);
    let mut facing = Facing::new(&loaded.config, clock::wall().to_zoned(jiff::tz::TimeZone::system()), 0);
    facing.rules.clone_from(&loaded.rules);
    if let Some(text) = &arguments.question.symptom {
        if text.trim().is_empty() {
            return print(&report::list_symptoms(lang, style)).map(|()| 0);
        }
        let network = if arguments.no_look { None } else { Some(network(global, loaded, lang)?) };
        let found = search(text);
        if found.is_empty() {
            return print(&report::explain_unknown(text, network.as_ref(), lang, style)).map(|()| NOT_KNOWN);
        }
        return print(&report::explain_symptoms(&found, network.as_ref(), &facing, lang, style)).map(|()| 0);
    }
    let Some(code) = arguments.question.code.as_deref().map(str::trim) else {
        return print(&report::explain_list(lang, style)).map(|()| 0);
    };
    // A code read over the phone comes back in any case.
    let lower = code.to_lowercase();
    if let Some(cause) = Cause::from_code(&lower) {
        return print(&report::explain_cause(cause, &facing, lang, style)).map(|()| 0);
    }
    if let Some(finding) = FindingCode::from_code(&lower) {
        return print(&report::explain_finding(finding, &facing, lang, style)).map(|()| 0);
    }
    if let Some(origin) = Origin::from_key(&lower) {
        return print(&report::explain_origin(origin, &facing, lang, style)).map(|()| 0);
    }
    complain(&no_such_code(code, lang));
    Err(USAGE)
}

/// What the service says of the network, or else a look.
fn network(global: &Global, loaded: Loaded, lang: Lang) -> Result<Network, u8> {
    let daemon = Daemon::of(&loaded.config);
    let target = format!("/v1/status?lang={}", lang.tag());
    let told = runtime()?.block_on(daemon.get(&target, Through::Either, DOCUMENT, PATIENCE)).ok();
    let status = told.and_then(|told| serde_json::from_slice::<Status>(&told).ok());
    if let Some(network) = status.as_ref().and_then(Network::of_status) {
        return Ok(network);
    }
    let (diagnosis, facing) = diagnose::take(global, loaded, LOOK, lang)?;
    Ok(Network::of(&diagnosis, &facing, lang))
}

fn no_such_code(code: &str, lang: Lang) -> String {
    let observed = FindingCode::ALL.iter().map(|finding| finding.code());
    let codes = Cause::ALL.iter().map(|cause| cause.code()).chain(observed).chain(Origin::ALL.iter().map(|origin| origin.key()));
    let near = nearest(code, codes);
    let code: String = clean(code).chars().take(60).collect();
    let all = lang.pick("全部代码：isonet explain --list", "All codes: isonet explain --list");
    if near.is_empty() {
        return lang.pick(format!("没有「{code}」这个代码。{all}"), format!("There is no code \"{code}\". {all}"));
    }
    let near = near.join(lang.pick("、", ", "));
    lang.pick(
        format!("没有「{code}」这个代码。是不是想查：{near}？{all}"),
        format!("There is no code \"{code}\". Did you mean {near}? {all}"),
    )
}
