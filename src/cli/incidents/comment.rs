//! `isonet incidents comment`: the institution's own statement about an incident. The service writes it into the log, where it stays and
//! travels with the incident. Whoever may read the records may add one.
//!
//! Exit status: 65 = the statement is refused; 66 = no such incident; 69 = no service runs; 77 = this user may not.

use crate::catalogue::Lang;
use crate::cli::ask::{DOCUMENT, Daemon, Silence};
use crate::cli::grammar::{Global, clean};
use crate::cli::status::explain;
use crate::cli::{complain, completions, print, runtime};
use crate::daemon::control::{Noted, Statement};
use clap_complete::ArgValueCandidates;
use std::time::Duration;

/// The service answers when it is on disk; it reads the log before.
const PATIENCE: Duration = Duration::from_secs(25);
/// The statement is refused (`EX_DATAERR`).
const REFUSED: u8 = 65;
/// No such incident (`EX_NOINPUT`).
const MISSING: u8 = 66;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// 故障编号：isonet incidents 列出的 #号，或 EPOCH/SEQ / The incident: its number as isonet incidents lists it, or EPOCH/SEQ
    #[arg(value_name = "ID", add = ArgValueCandidates::new(completions::incidents))]
    id: String,
    /// 说明，不超过 300 个字，如「运营商上午来换过设备」 / The statement, 300 characters at most, such as "the operator changed a box this morning"
    #[arg(value_name = "TEXT")]
    text: String,
}

pub(super) fn add(global: &Global, arguments: &Arguments) -> Result<(), u8> {
    let config = global.load_places()?;
    let lang = global.lang(config.language);
    let daemon = Daemon::of(&config);
    let statement = Statement { incident: arguments.id.clone(), text: arguments.text.clone() };
    let body = serde_json::to_vec(&statement).expect("plain data with string keys always serialises");
    let target = format!("/v1/incidents/comments?lang={}", lang.tag());
    let told = runtime()?.block_on(daemon.post(&target, body, DOCUMENT, PATIENCE)).map_err(|silence| refused(&silence, &daemon, lang))?;
    let noted: Noted = serde_json::from_slice(&told).map_err(|error| explain(&Silence::Broken(error.to_string()), &daemon, lang))?;
    let (incident, comments) = (clean(&noted.incident), noted.comments);
    print(&lang.pick(
        format!("已记入故障 {incident} 的记录，共 {comments} 条说明。它和记录一起保存、一起上报，不能删改。\n"),
        format!(
            "Recorded with incident {incident}; statements: {comments}. It is kept and shipped with the record and cannot be changed.\n"
        ),
    ))
}

fn refused(silence: &Silence, daemon: &Daemon, lang: Lang) -> u8 {
    match silence {
        Silence::Refused(code, text)
            if matches!(code.as_str(), "bad-statement" | "too-many-statements" | "too-large" | "no-such-incident") =>
        {
            complain(&format!("isonet: {}", clean(text)));
            if code == "no-such-incident" { MISSING } else { REFUSED }
        }
        silence => explain(silence, daemon, lang),
    }
}
