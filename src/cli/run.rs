//! `isonet run`: the resident service, in the foreground.

use super::grammar::Global;
use super::{INTERNAL, IO, complain, runtime};
use crate::config::{Owner, run_dir, state_dir};
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
    let env = |name: &str| std::env::var(name).ok();
    let state_dir = state_dir(&loaded.config, Owner::of_process(), env);
    let run_dir = run_dir(&loaded.config, Owner::of_process(), env);
    let orders = state_dir
        .map(|state_dir| Orders { file: global.config.clone(), state_dir, run_dir, lang, loaded })
        .ok_or(RunError::NoStateDirectory);
    let runtime = runtime()?;
    let ended = orders.and_then(|orders| runtime.block_on(daemon::run(orders)));
    runtime.shutdown_background();
    ended.map_err(|error| {
        if let RunError::Taken(_) = error {
            complain("isonet: 已经有一个值守程序在运行，看它的情况用 isonet status / another isonet is running: isonet status shows it");
        }
        complain(&format!("isonet: {}", chain(&error)));
        match error {
            RunError::NoStateDirectory | RunError::Recorder(_) | RunError::Taken(_) => IO,
            RunError::System(_) => INTERNAL,
        }
    })
}

/// An error with all that caused it.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |source| source.source()).fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
