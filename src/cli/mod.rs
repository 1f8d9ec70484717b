//! The command line: one file per command. Results go to stdout, everything else to stderr.

mod check_config;
mod diagnose;
mod enroll;
mod schema;

use crate::catalogue::Lang;
use crate::config::{self, ConfigError, LanguageChoice, Loaded};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// A command line that cannot be understood (`EX_USAGE`).
const USAGE: u8 = 64;
/// Something of ours broke (`EX_SOFTWARE`).
const INTERNAL: u8 = 70;
/// The result could not be written (`EX_IOERR`).
const IO: u8 = 74;

/// The agent of an isolated private network: says what broke, with proof, and whom to call.
#[derive(Debug, Parser)]
#[command(name = "isonet", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
struct Global {
    /// Read this configuration, and the conf.d beside it, instead of /etc/isonet/isonet.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Language of texts: zh-CN, en, or by the locale
    #[arg(long, global = true, value_name = "LANG")]
    lang: Option<LangArg>,
    /// Colour: on a terminal only, always, never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColorArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LangArg {
    #[value(name = "zh-CN", alias = "zh")]
    ZhCn,
    En,
    Auto,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ColorArg {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at everything once, now: names the cause and who acts
    Diagnose(diagnose::Arguments),
    /// Check the configuration: every problem at once, and what is not configured
    CheckConfig(check_config::Arguments),
    /// Take the baseline of this terminal and print the acceptance sheet
    Enroll(enroll::Arguments),
    /// Print the JSON Schema of what `diagnose --json` prints
    Schema(schema::Arguments),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results; anything else is a usage error.
            let code = if error.use_stderr() { USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    start_logging();
    let code = match cli.command {
        Command::Diagnose(arguments) => diagnose::run(&cli.global, &arguments),
        Command::CheckConfig(arguments) => check_config::run(&cli.global, &arguments),
        Command::Enroll(arguments) => enroll::run(&cli.global, &arguments),
        Command::Schema(arguments) => schema::run(&arguments),
    };
    ExitCode::from(code)
}

/// Logs go to stderr, and only what `ISONET_LOG` asks for (`debug`, `isonet=debug`): a clerk must not see them.
fn start_logging() {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let wanted = std::env::var("ISONET_LOG").unwrap_or_else(|_| "off".to_owned());
    let filter = wanted.parse().unwrap_or_else(|error| {
        eprintln!("isonet: ISONET_LOG is not understood and is ignored: {error}");
        tracing_subscriber::filter::Targets::new()
    });
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines).with(filter).init();
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
        config::load(self.config.as_deref()).map_err(|error| self.complain(&error))
    }

    fn complain(&self, error: &ConfigError) -> u8 {
        eprint!("{}", config::render_error(error, self.lang(LanguageChoice::Auto)));
        error.exit_code()
    }

    fn color(&self) -> bool {
        match self.color {
            ColorArg::Always => true,
            ColorArg::Never => false,
            ColorArg::Auto => std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }
}

/// The runtime of one command: one thread, because a terminal PC has better things to do.
fn runtime() -> Result<tokio::runtime::Runtime, u8> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        eprintln!("isonet: cannot start: {error}");
        INTERNAL
    })
}

/// Writes a result to stdout. A reader that went away early (a closed pipe) is not an error.
fn print(text: &str) -> Result<(), u8> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("isonet: cannot write the result: {error}");
            Err(IO)
        }
        _ => Ok(()),
    }
}
