//! What a shell needs to complete a command line of isonet. The packages put `isonet completions SHELL` where the shell looks: a few lines that ask
//! the program itself, by the variable [`VARIABLE`], so that commands and options come from the grammar and codes and numbers from this PC.
//!
//! Somebody waits with a finger on the key: where the service or the log cannot say at once, nothing is proposed, and nothing is ever printed but
//! proposals.

use super::ask::{Daemon, Through};
use super::grammar;
use super::{print, runtime};
use crate::catalogue::{self, Lang, Origin, Symptom};
use crate::config::{Config, LanguageChoice, load_places};
use crate::daemon::grants::Listed;
use crate::incident::log::Incidents;
use crate::model::{Body, Cause, FindingCode, Phase, Record};
use clap::ValueEnum;
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, CompletionCandidate};
use std::path::PathBuf;
use std::time::Duration;

/// Names the shell that asks for proposals.
const VARIABLE: &str = "ISONET_COMPLETE";
/// For the whole of an answer by the service.
const PATIENCE: Duration = Duration::from_millis(250);
/// Longest answer that is read, bytes.
const LONGEST: usize = 8 << 20;
/// Numbers that are proposed, the newest first.
const MOST: usize = 50;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// bash、zsh 或 fish / bash, zsh or fish
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    shell: Asked,
}

/// The shells that Linux desktops come with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Asked {
    Bash,
    Zsh,
    Fish,
}

pub fn run(arguments: &Arguments) -> u8 {
    print(&script(arguments.shell)).err().unwrap_or(0)
}

fn script(asked: Asked) -> String {
    let name = match asked {
        Asked::Bash => "bash",
        Asked::Zsh => "zsh",
        Asked::Fish => "fish",
    };
    let shells = Shells::builtins();
    let shell = shells.completer(name).expect("it is one of those that come with the library");
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, "isonet", "isonet", "isonet", &mut script).expect("memory takes everything");
    if asked == Asked::Zsh {
        // Loaded from a directory by the first key, it would only prepare itself for the second.
        script.extend_from_slice(b"[[ $funcstack[1] = _isonet ]] && _clap_dynamic_completer_isonet \"$@\"\n");
    }
    String::from_utf8_lossy(&script).into_owned()
}

/// Answers a shell that asks for proposals, and ends then.
pub(super) fn answer() {
    CompleteEnv::with_factory(|| proposing(grammar::command_in(lang()))).var(VARIABLE).complete();
}

/// Options are proposed to whoever began with one, or where there is nothing else: among codes and numbers they are only in the way.
fn proposing(command: clap::Command) -> clap::Command {
    if word().starts_with('-') {
        return command;
    }
    command.mut_args(|arg| if arg.is_positional() { arg } else { arg.hide(true) }).mut_subcommands(proposing)
}

/// The word that is being typed.
fn word() -> String {
    words().1
}

/// The words before the one that is being typed, and that one.
fn words() -> (Vec<String>, String) {
    let mut before: Vec<String> = std::env::args().skip_while(|word| word != "--").skip(1).collect();
    let index = std::env::var("_CLAP_COMPLETE_INDEX").ok().and_then(|index| index.parse::<usize>().ok());
    before.truncate(index.map_or(before.len(), |index| index.saturating_add(1)));
    let typed = if index.is_none_or(|index| index < before.len()) { before.pop() } else { None };
    (before, typed.unwrap_or_default())
}

/// Of what stands beside a proposal: as the locale says, for no configuration is worth waiting for.
fn lang() -> Lang {
    Lang::choose(LanguageChoice::Auto, |name| std::env::var(name).ok())
}

/// The codes that `explain` explains; none to whoever asks it by a message, or for the list.
pub(super) fn codes() -> Vec<CompletionCandidate> {
    if words().0.iter().any(|word| word == "--list" || word.starts_with("--symptom")) {
        return Vec::new();
    }
    let lang = lang();
    let codes = Cause::ALL.iter().map(|cause| cause.code()).chain(FindingCode::ALL.iter().map(|finding| finding.code()));
    let codes = codes.map(|code| (code, catalogue::title(code, "", lang)));
    let origins = Origin::ALL.iter().map(|origin| (origin.key(), catalogue::origin(*origin, lang).title.to_owned()));
    codes.chain(origins).map(|(code, title)| CompletionCandidate::new(code).help(Some(title.into()))).collect()
}

/// What a screen may say, by the numbers under which `explain --symptom` lists it.
pub(super) fn symptoms() -> Vec<CompletionCandidate> {
    let titles = Symptom::ALL.into_iter().map(|symptom| catalogue::screen(symptom, lang()).title);
    titles.zip(1..).map(|(title, number)| CompletionCandidate::new(number.to_string()).help(Some(title.into()))).collect()
}

/// The commands that `help` tells of.
pub(super) fn commands() -> Vec<CompletionCandidate> {
    let whole = grammar::command_in(lang());
    let proposed = |command: &clap::Command| CompletionCandidate::new(command.get_name()).help(command.get_about().cloned());
    whole.get_subcommands().map(proposed).collect()
}

/// Numbers of incidents, the newest first.
pub(super) fn incidents() -> Vec<CompletionCandidate> {
    let told: Option<Incidents> = asked("/v1/incidents");
    let Incidents { incidents, .. } =
        told.unwrap_or_else(|| Incidents { schema: String::new(), left_out: false, incidents: Vec::new(), lost: Vec::new() });
    let epoch = incidents.last().map(|record| record.epoch.clone()).unwrap_or_default();
    incidents.iter().rev().filter_map(|record| incident(record, &epoch)).take(MOST).collect()
}

/// A number alone means the newest epoch.
fn incident(record: &Record, newest: &str) -> Option<CompletionCandidate> {
    let Body::Incident(body) = &record.body else { return None };
    let (id, lang) = (&body.incident.id, lang());
    let name = if id.epoch == newest { id.seq.to_string() } else { id.to_string() };
    let at = body.incident.since.wall.to_zoned(jiff::tz::TimeZone::system()).strftime("%m-%d %H:%M").to_string();
    let title = catalogue::title(&body.cause.code, &body.cause.object, lang);
    let open = if body.incident.phase == Phase::Resolved { "" } else { lang.pick("，未恢复", ", open") };
    Some(CompletionCandidate::new(name).help(Some(grammar::clean(&format!("{at} {title}{open}")).into())))
}

/// Grants that can be revoked.
pub(super) fn grants() -> Vec<CompletionCandidate> {
    let told: Option<Listed> = asked("/v1/grants");
    let open = told.into_iter().flat_map(|told| told.grants).filter(|listed| listed.open);
    open.map(|listed| {
        let reason = grammar::clean(&format!("{}: {}", catalogue::scope(listed.grant.what, lang()), listed.grant.reason));
        CompletionCandidate::new(listed.grant.id).help(Some(reason.into()))
    })
    .collect()
}

/// What the service says within the moment that somebody waits.
fn asked<T: serde::de::DeserializeOwned>(target: &str) -> Option<T> {
    let daemon = Daemon::of(&config());
    let told = runtime().ok()?.block_on(daemon.get(target, Through::Control, LONGEST, PATIENCE)).ok()?;
    serde_json::from_slice(&told).ok()
}

/// Where the service is, by the file that the line names.
fn config() -> Config {
    let words: Vec<String> = std::env::args().collect();
    let after = words.iter().position(|word| word == "--config").and_then(|at| words.get(at + 1)).cloned();
    let file = after.or_else(|| words.iter().find_map(|word| word.strip_prefix("--config=").map(str::to_owned)));
    load_places(file.map(PathBuf::from).as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_asks_the_program() {
        for shell in Asked::value_variants() {
            let script = script(*shell);
            assert!(script.contains(VARIABLE) && script.contains("isonet"), "{script}");
        }
    }

    #[test]
    fn every_code_is_proposed_with_what_it_means() {
        let codes = codes();
        for code in ["vpn.not-started", "isolation.internet-reachable", "account.arrears"] {
            let found = codes.iter().find(|candidate| candidate.get_value() == code).expect(code);
            assert!(found.get_help().is_some_and(|help| !help.to_string().is_empty()));
        }
    }
}
