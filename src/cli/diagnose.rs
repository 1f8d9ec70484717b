//! `isonet diagnose`: one look at everything, now.

use super::{Global, print, runtime};
use crate::baseline::{Enrolment, this_terminal};
use crate::config::{Config, Owner, state_dir};
use crate::infer::diagnose;
use crate::probe::round::{self, Progress};
use crate::report::{self, Facing, Style};
use crate::sys::clock;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print one JSON document (schema diagnosis/1) instead of text
    #[arg(long)]
    json: bool,
    /// For an engineer: every piece of evidence, and what could not be seen
    #[arg(long, short)]
    verbose: bool,
    /// End after this long at the latest, e.g. 10s (a broken network needs 3.5 s)
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = deadline)]
    deadline: Duration,
}

/// From half a second to a minute.
fn deadline(text: &str) -> Result<Duration, String> {
    let duration = crate::config::duration::parse(text).map_err(|error| error.to_string())?;
    let allowed = Duration::from_millis(500)..=Duration::from_mins(1);
    if allowed.contains(&duration) { Ok(duration) } else { Err("a deadline lies between 500ms and 60s".to_owned()) }
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    look(global, arguments).unwrap_or_else(|code| code)
}

fn look(global: &Global, arguments: &Arguments) -> Result<u8, u8> {
    let loaded = global.load()?;
    let lang = global.lang(loaded.config.language);
    let config = Arc::new(loaded.config);
    let state_dir = state_dir(&config, Owner::of_process(), |name| std::env::var(name).ok());
    let enrolment = Arc::new(Enrolment::of(state_dir.as_deref()));
    let began = clock::now();
    let screen = std::io::stderr().is_terminal();
    let progress = |at: Progress| {
        if screen {
            eprint!("\r{}\x1b[K", report::progress(at.done, at.begun, lang));
            let _ = std::io::stderr().flush();
        }
    };
    let runtime = runtime()?;
    let world = runtime.block_on(round::run(Arc::clone(&config), Arc::clone(&enrolment), arguments.deadline, progress));
    // Name look-ups of the C library cannot be cancelled; nobody waits for them.
    runtime.shutdown_background();
    if screen {
        eprint!("\r\x1b[K");
    }
    let diagnosis = diagnose(&world, &config, &enrolment);
    let facing = facing(&config, global, began.elapsed());
    let text = if arguments.json {
        format!("{}\n", report::to_json(&diagnosis, &facing, lang))
    } else {
        report::render(&diagnosis, &facing, lang, style(global, arguments))
    };
    print(&text)?;
    Ok(report::exit_status(&diagnosis))
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

fn style(global: &Global, arguments: &Arguments) -> Style {
    let width = std::io::stdout().is_terminal().then(columns).flatten().unwrap_or(80);
    Style { color: global.color(), width: width.min(100), verbose: arguments.verbose }
}

/// Columns of the screen on stdout.
fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}
