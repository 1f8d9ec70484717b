//! The lab's command line, by hand: it also has to bear what test runners pass to any test binary.

use std::path::PathBuf;

use crate::plan::Kind;
use crate::shell::Done;

pub(crate) const HELP: &str = "\
the lab: stages real network faults in namespaces and asks `isonet diagnose` about each

  cargo test --test lab -- [OPTIONS] [FILTER...]     a FILTER is part of a case's name

  --kind KIND      leased | leased-v6 | openvpn | wireguard | openconnect | ipsec; again for more (default: all)
  --seed N         draw addresses, names, ports from N (default: fresh, printed)
  --list           name the cases
  --hold           bring one topology up, print how to enter it, wait for ENTER or a signal
  --stage CASE     with --hold: stage this case first
  --watch          faults under a running `isonet run`: its record log is held against what was staged, its times against their goals
                   (a pass of everything ends with this)
  --rounds N       with --watch: stage each fault so often, under a fresh daemon
  --health         a healthy site under a running `isonet run`, and what happens in its life: no incident (--watch has it beside the faults)
  --healthy-for S  for so many seconds; default 150, with --full 300, with --quick 45
  --no-product     only stage, prove and undo; do not ask the product
  --json           print the product's whole answer for each case that fails
  --keep DIR       keep every answer of the product as DIR/KIND.CASE.json
  --full           fail instead of skipping when something is missing
  --quick          of the daemon's proof only the most telling faults, and a short life in health; says what is left out
  --clean          remove what dead runs left, and stop
";

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Task {
    Help,
    /// A test runner's question; this binary runs as a whole, so it names no tests of its own.
    ListForRunner,
    List,
    Clean,
    Stub(Vec<String>),
    Hold,
    Watch,
    Health,
    Pass,
}

/// How much is staged under the daemon, and whether anything may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The most telling of it.
    Quick,
    Usual,
    /// All of it, and it fails where something is missing.
    Full,
}

#[derive(Debug, Clone)]
pub(crate) struct Args {
    pub(crate) task: Task,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) seed: Option<u64>,
    pub(crate) stage: Option<String>,
    pub(crate) filters: Vec<String>,
    pub(crate) product: bool,
    pub(crate) depth: Depth,
    pub(crate) json: bool,
    pub(crate) keep: Option<PathBuf>,
    /// How often each fault is staged under the daemon.
    pub(crate) rounds: usize,
    /// How long healthy sites are watched, seconds.
    pub(crate) healthy_for: Option<u64>,
}

impl Args {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Done<Args> {
        let mut args = Args {
            task: Task::Pass,
            kinds: Vec::new(),
            seed: None,
            stage: None,
            filters: Vec::new(),
            product: true,
            depth: Depth::Usual,
            json: false,
            keep: None,
            rounds: 1,
            healthy_for: None,
        };
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = |what: &str| words.next().ok_or(format!("{what} needs a value"));
            match word.as_str() {
                "--help" | "-h" => args.task = Task::Help,
                "--list" => args.task = Task::List,
                "--clean" => args.task = Task::Clean,
                "--watch" => args.task = Task::Watch,
                "--health" => args.task = Task::Health,
                "--hold" => args.task = Task::Hold,
                "--stub" => {
                    args.task = Task::Stub(words.collect());
                    return Ok(args);
                }
                "--kind" => args.kinds.push(kind(&value("--kind")?)?),
                "--seed" => {
                    let text = value("--seed")?;
                    args.seed = Some(text.parse().map_err(|_| format!("not a seed: {text}"))?);
                }
                "--rounds" => args.rounds = number(&value("--rounds")?)?,
                "--healthy-for" => args.healthy_for = Some(number(&value("--healthy-for")?)?),
                "--stage" => args.stage = Some(value("--stage")?),
                "--keep" => args.keep = Some(value("--keep")?.into()),
                "--no-product" => args.product = false,
                "--full" => args.depth = Depth::Full,
                "--quick" => args.depth = Depth::Quick,
                "--json" => args.json = true,
                // What cargo test and nextest say to every test binary.
                "--format" => {
                    if value("--format")? == "terse" {
                        args.task = Task::ListForRunner;
                    }
                }
                "--exact" | "--nocapture" | "--no-capture" | "--ignored" | "--include-ignored" | "-q" | "--quiet" => {}
                "--test-threads" | "--color" | "--skip" => drop(value(&word)?),
                other if other.starts_with('-') => {
                    return Err(format!("unknown option {other}\n\n{HELP}"));
                }
                filter => args.filters.push(filter.to_owned()),
            }
        }
        if args.kinds.is_empty() {
            args.kinds = Kind::ALL.to_vec();
        }
        Ok(args)
    }

    /// Everything is asked for: a whole pass ends with the daemon's proof.
    pub(crate) fn is_whole(&self) -> bool {
        self.filters.is_empty() && self.product && self.kinds == Kind::ALL
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|f| name.contains(f.as_str()))
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Done<T> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

fn kind(text: &str) -> Done<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == text).ok_or(format!("no kind is called {text}"))
}
