//! The command line: one file per command. Results go to stdout, everything else to stderr.

mod ask;
mod check_config;
mod completions;
mod crash;
mod diagnose;
mod enroll;
mod evidence;
mod explain;
mod export;
mod grammar;
mod grant;
mod incidents;
mod integrity;
mod logging;
mod man;
mod notify;
mod page;
mod retire;
mod run;
mod schema;
mod status;
mod support_bundle;
mod verify_log;

use crate::catalogue::Lang;
use crate::config::{self, Config, ConfigError, LanguageChoice, Loaded};
use crate::report::Style;
use crate::sys::memory;
use grammar::{ColorArg, Command, Global, LangArg};
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

/// A command line that cannot be understood (`EX_USAGE`).
const USAGE: u8 = 64;
/// The daemon is not running (`EX_UNAVAILABLE`).
const NOT_RUNNING: u8 = 69;
/// Something of ours broke (`EX_SOFTWARE`).
const INTERNAL: u8 = 70;
/// The result could not be written (`EX_IOERR`).
const IO: u8 = 74;
/// This user may not (`EX_NOPERM`).
const NOT_PERMITTED: u8 = 77;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    crash::end_on_panic();
    completions::answer();
    ExitCode::from(grammar::read().map_or_else(|answered| answered, perform))
}

fn perform(cli: grammar::Cli) -> u8 {
    logging::start(match cli.command {
        // The service has nobody else to tell.
        Command::Run(_) => "info",
        _ => "off",
    });
    match cli.command {
        Command::Run(arguments) => run::run(&cli.global, &arguments),
        Command::VerifyLog(arguments) => verify_log::run(&cli.global, &arguments),
        Command::Diagnose(arguments) => diagnose::run(&cli.global, &arguments),
        Command::CheckConfig(arguments) => check_config::run(&cli.global, &arguments),
        Command::Status(arguments) => status::run(&cli.global, &arguments),
        Command::Notify(arguments) => notify::run(&cli.global, &arguments),
        Command::Page(arguments) => page::run(&cli.global, &arguments),
        Command::Incidents(arguments) => incidents::run(&cli.global, &arguments),
        Command::Evidence(arguments) => evidence::run(&cli.global, &arguments),
        Command::Explain(arguments) => explain::run(&cli.global, &arguments),
        Command::Enroll(arguments) => enroll::run(&cli.global, &arguments),
        Command::Retire(arguments) => retire::run(&cli.global, &arguments),
        Command::Grant(arguments) => grant::run(&cli.global, &arguments),
        Command::Export(arguments) => export::run(&cli.global, &arguments),
        Command::SupportBundle(arguments) => support_bundle::run(&cli.global, &arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&cli.global, &arguments),
        Command::Help(arguments) => grammar::help(&arguments),
    }
}

impl Global {
    /// Before a configuration is read, only the command line and the locale can say.
    fn lang(&self, configured: LanguageChoice) -> Lang {
        let choice = match self.lang {
            Some(LangArg::ZhCn) => LanguageChoice::ZhCn,
            Some(LangArg::En) => LanguageChoice::En,
            Some(LangArg::Auto) => LanguageChoice::Auto,
            None => configured,
        };
        Lang::choose(choice, |name| std::env::var(name).ok())
    }

    /// Reads the configuration; what is wrong with it goes to stderr, whole.
    fn load(&self) -> Result<Loaded, u8> {
        config::load(self.config.as_deref()).map_err(|error| {
            complain(&config::render_error(&error, self.lang(LanguageChoice::Auto)));
            error.exit_code()
        })
    }

    /// For a command that only asks the service or reads its records: whatever else is wrong with the configuration, the one in force
    /// still has its service, and what that says is wanted most then.
    fn load_places(&self) -> Result<Config, u8> {
        let error = match config::load(self.config.as_deref()) {
            Ok(loaded) => return Ok(loaded.config),
            Err(error @ ConfigError::Missing(_)) => {
                complain(&config::render_error(&error, self.lang(LanguageChoice::Auto)));
                return Err(error.exit_code());
            }
            Err(error) => error,
        };
        let config = config::load_places(self.config.as_deref());
        let lang = self.lang(config.language);
        complain(&match error {
            ConfigError::Invalid(_) => lang
                .pick(
                    "isonet: 配置文件有问题，这里只用了其中的语言和目录；哪里不对，运行 isonet check-config 看。",
                    "isonet: the configuration is not right; only language and directories were taken from it. See isonet check-config.",
                )
                .to_owned(),
            other => {
                let why = config::render_error(&other, lang);
                let why = why.trim_end();
                lang.pick(format!("isonet: {why}；按默认的目录查找。"), format!("isonet: {why}; the usual directories are used."))
            }
        });
        Ok(config)
    }

    fn color(&self) -> bool {
        match self.color {
            ColorArg::Always => true,
            ColorArg::Never => false,
            ColorArg::Auto => std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }
}

/// How text is laid out for the screen on stdout, for a clerk.
fn style(global: &Global) -> Style {
    let width = std::io::stdout().is_terminal().then(|| columns(std::io::stdout())).flatten().unwrap_or(80);
    Style { color: global.color(), width: width.min(100), verbose: false }
}

/// Columns of the screen at the end of this stream.
fn columns(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Threads for what blocks: the watchers all look on the same minute, and one of them may have to wait for a device that is being reset.
const BLOCKING: usize = 4;
/// Longer than the minute on which the watchers look: a thread that ends and begins anew wakes the processor more often than one that waits.
const KEPT: Duration = Duration::from_secs(90);

/// The runtime of one command: one thread, because a terminal PC has better things to do.
fn runtime() -> Result<tokio::runtime::Runtime, u8> {
    memory::frugal();
    tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING).thread_keep_alive(KEPT).build().map_err(
        |error| {
            complain(&format!("isonet: 无法启动 / cannot start: {error}"));
            INTERNAL
        },
    )
}

/// Writes a result to stdout. A reader that went away early (a closed pipe) is not an error.
fn print(text: &str) -> Result<(), u8> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            complain(&format!("isonet: 无法输出结果 / cannot write the result: {error}"));
            Err(IO)
        }
        _ => Ok(()),
    }
}

/// What a person must know and is no result goes to stderr. Where that cannot be written either, the exit status still tells.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end_matches('\n'));
}
