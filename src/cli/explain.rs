//! `isonet explain`: one cause or observation in plain words, or from a message on a screen to what may stand behind it. Looks at nothing, sends nothing.
//!
//! Exit status: 0 = explained; 64 = no such code, the nearest are named; 66 = nothing similar to the message is known, what is known is
//! listed.

use super::grammar::{Global, clean};
use super::{USAGE, complain, print, style};
use crate::catalogue::{Lang, Origin, nearest, search};
use crate::config::Loaded;
use crate::model::{Cause, FindingCode};
use crate::report::{self, Facing};
use crate::sys::clock;

/// Nothing is known that resembles the message (`EX_NOINPUT`).
const NOT_KNOWN: u8 = 66;

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Arguments {
    /// 原因或观察的代码，如 vpn.tunnel-dead / A code, such as vpn.tunnel-dead
    #[arg(value_name = "CODE")]
    code: Option<String>,
    /// 屏幕上的提示；没有类似的退出码为 66 / The text on the screen; exit status 66 when nothing is similar
    #[arg(long, value_name = "TEXT")]
    symptom: Option<String>,
    /// 列出所有代码 / List all codes
    #[arg(long)]
    list: bool,
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    explain(global, arguments).unwrap_or_else(|code| code)
}

fn explain(global: &Global, arguments: &Arguments) -> Result<u8, u8> {
    let Loaded { config, rules, .. } = global.load()?;
    let lang = global.lang(config.language);
    let style = style(global);
    let mut facing = Facing::new(&config, clock::wall().to_zoned(jiff::tz::TimeZone::system()), 0);
    facing.rules = rules;
    if let Some(text) = &arguments.symptom {
        let found = search(text);
        if found.is_empty() {
            return print(&report::explain_unknown(text, lang, style)).map(|()| NOT_KNOWN);
        }
        return print(&report::explain_symptoms(&found, &facing, lang, style)).map(|()| 0);
    }
    let Some(code) = arguments.code.as_deref().map(str::trim) else {
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
