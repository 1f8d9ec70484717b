//! The command line, by hand: it also has to bear what test runners pass to any test binary.

use crate::Done;

pub(crate) const HELP: &str = "\
vm: does to an emulated PC what is done to real ones, and holds the record log of `isonet run` in it against that

  cargo test --test vm -- [OPTIONS] [FILTER...]     a FILTER is part of a case's name

  --list     name the cases
  --full     make the image if there is none, and fail instead of skipping when something is missing
  --quick    only the most telling cases, each of a few seconds
  --installed  a PC with a Debian on its disk, on which the package is installed: the most telling of the same cases inside the service's
             sandbox, and what needs such a PC
  --long     as --full, and of the installed PC all cases
  --tcg      emulate the processor even where KVM works
  --run SH   run this by the shell of the PC instead of the cases, and print what it says
  --json     print the records of each case that fails

ISONET_SLACK=4 allows each latency and each command four times its limit, for a machine that has other work; ISONET_CUTS, ISONET_SEED: how many power cuts, and which;
ISONET_DEB installs this package instead of one made of the program that was built for the test; ISONET_DEB_BEFORE is what it is upgraded from, instead of
the same under an older version.
";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    Help,
    /// A test runner's question; this binary runs as a whole, so it names no tests of its own.
    ListForRunner,
    List,
    Pass,
}

/// How much is done, and whether anything may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// The most telling of it.
    Quick,
    /// All of it, where the image was made before.
    Usual,
    /// All of it, and it fails where something is missing. Of the installed PC only the most telling.
    Full,
    /// All of it.
    Long,
}

#[derive(Debug, Clone)]
pub(crate) struct Args {
    pub(crate) task: Task,
    pub(crate) depth: Depth,
    pub(crate) tcg: bool,
    pub(crate) installed: bool,
    pub(crate) json: bool,
    pub(crate) script: Option<String>,
    pub(crate) filters: Vec<String>,
}

impl Args {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Done<Args> {
        let mut args =
            Args { task: Task::Pass, depth: Depth::Usual, tcg: false, installed: false, json: false, script: None, filters: Vec::new() };
        while let Some(word) = words.next() {
            let mut value = |what: &str| words.next().ok_or(format!("{what} needs a value"));
            match word.as_str() {
                "--help" | "-h" => args.task = Task::Help,
                "--list" => args.task = Task::List,
                "--full" => args.depth = Depth::Full,
                "--installed" => args.installed = true,
                "--long" => args.depth = Depth::Long,
                "--quick" => args.depth = Depth::Quick,
                "--tcg" => args.tcg = true,
                "--run" => args.script = Some(value("--run")?),
                "--json" => args.json = true,
                // What cargo test and nextest say to every test binary.
                "--format" => {
                    if value("--format")? == "terse" {
                        args.task = Task::ListForRunner;
                    }
                }
                "--exact" | "--nocapture" | "--no-capture" | "--ignored" | "--include-ignored" | "-q" | "--quiet" => {}
                "--test-threads" | "--color" | "--skip" => drop(value(&word)?),
                other if other.starts_with('-') => return Err(format!("unknown option {other}\n\n{HELP}")),
                filter => args.filters.push(filter.to_owned()),
            }
        }
        Ok(args)
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter.as_str()))
    }
}

/// By so much each limit is multiplied where other work takes the processors away: `ISONET_SLACK`.
pub(crate) fn slack() -> u32 {
    std::env::var("ISONET_SLACK").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}
