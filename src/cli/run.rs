//! `isonet run`: the resident service, in the foreground.

use super::grammar::Global;
use super::{INTERNAL, IO, complain, logging, retire, runtime};
use crate::catalogue::Lang;
use crate::config::{self, Config, ConfigError, LanguageChoice, Loaded, Owner, Policy, run_dir, state_dir};
use crate::daemon::{self, OnDisk, Orders, RunError, retirement};
use std::path::PathBuf;

/// This terminal is not to be watched (`EX_CONFIG`).
const NOT_CONFIGURED: u8 = 78;

#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Runs until a signal ends it.
pub fn run(global: &Global, _: &Arguments) -> u8 {
    watch(global).err().unwrap_or(0)
}

fn watch(global: &Global) -> Result<(), u8> {
    let (loaded, on_disk) = load(global)?;
    logging::set(loaded.config.log_level);
    let lang = global.lang(loaded.config.language);
    refuse_retired(&loaded.config, lang)?;
    let run_dir = run_dir(&loaded.config, Owner::of_process(), environment);
    let orders = state_of(&loaded.config)
        .map(|state_dir| Orders { file: global.config.clone(), state_dir, run_dir, lang, loaded, on_disk, set_log_level: logging::set })
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

/// A terminal that was taken out of service is not watched by accident, whoever starts the service.
fn refuse_retired(config: &Config, lang: Lang) -> Result<(), u8> {
    let Some(state) = state_of(config).filter(|state| retirement::is_noted(state)) else { return Ok(()) };
    complain(&format!("isonet: {}", retire::is_out_of_service(&state, lang)));
    Err(NOT_CONFIGURED)
}

/// The configuration. Where the one on disk is not right, the one that was last in force: a slip of the pen must not leave a PC unwatched from
/// the next boot on. Where there never was one it does not start.
fn load(global: &Global) -> Result<(Loaded, OnDisk), u8> {
    let error = match config::load(global.config.as_deref()) {
        Ok(loaded) => return Ok((loaded, OnDisk::InForce)),
        Err(error) => error,
    };
    let told = config::render_error(&error, global.lang(LanguageChoice::Auto));
    // One that was asked for and is not there is a mistake in the asking.
    let last = if let ConfigError::Missing(_) = error { None } else { last_in_force(global) };
    let Some(config) = last else {
        complain(&told);
        return Err(error.exit_code());
    };
    tracing::error!("the configuration on disk is not right; the one that was last in force goes on:\n{told}");
    Ok((config::remembered(config), OnDisk::Refused))
}

fn last_in_force(global: &Global) -> Option<Config> {
    let places = config::load_places(global.config.as_deref());
    match Policy::load(&state_of(&places)?) {
        Ok(policy) => policy.map(|policy| policy.config),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the configuration that was last in force is not known");
            None
        }
    }
}

fn state_of(config: &Config) -> Option<PathBuf> {
    state_dir(config, Owner::of_process(), environment)
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// An error with all that caused it.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |source| source.source()).fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
