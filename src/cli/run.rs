//! `isonet run`: the resident service, in the foreground.

use super::grammar::Global;
use super::{INTERNAL, IO, complain, runtime};
use crate::config::{Owner, state_dir};
use crate::daemon::{self, Orders, RunError};

#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Runs until a signal ends it.
pub fn run(global: &Global, _: &Arguments) -> u8 {
    watch(global).err().unwrap_or(0)
}

fn watch(global: &Global) -> Result<(), u8> {
    let loaded = global.load()?;
    let lang = global.lang(loaded.config.language);
    let state_dir = state_dir(&loaded.config, Owner::of_process(), |name| std::env::var(name).ok());
    let orders =
        state_dir.map(|state_dir| Orders { file: global.config.clone(), state_dir, lang, loaded }).ok_or(RunError::NoStateDirectory);
    let runtime = runtime()?;
    let ended = orders.and_then(|orders| runtime.block_on(daemon::run(orders)));
    runtime.shutdown_background();
    ended.map_err(|error| {
        complain(&format!("isonet: {}", chain(&error)));
        match error {
            RunError::NoStateDirectory | RunError::Recorder(_) => IO,
            RunError::System(_) => INTERNAL,
        }
    })
}

/// An error with all that caused it.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |source| source.source()).fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
