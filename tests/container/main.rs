//! The package and the unit on a booted Debian: a container with systemd as its first process, a network of its own, and nothing of the machine
//! that it runs on. The package is installed, reloaded, frozen, starved, upgraded, removed; what the watchers see inside the sandbox is
//! held against what they see without it; and a user without rights tries what he can.
//!
//! ```text
//! cargo test --test container -- --help
//! ```
//! Real in it: installing, starting, `sd_notify`, the watchdog, restarts, the journal, the sandbox. Not real: limits of memory and tasks (the
//! machine's control groups do not reach in), devices, the clock; those belong to the emulated PC (`tests/vm`).
#![allow(
    clippy::disallowed_methods,
    reason = "the tests measure and wait by the machine's clock; the product's rule about clocks is not meant here"
)]

mod cases;
mod container;
mod ground;
mod inside;
mod network;
mod records;
mod tree;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

/// Everything here fails with one sentence.
pub(crate) type Done<T = ()> = Result<T, String>;

const HELP: &str = "\
container: installs the package on a booted Debian in a container, and does to it what happens to services

  cargo test --test container -- [OPTIONS] [FILTER...]     a FILTER is part of a case's name; the first few are always done

  --list     name the cases
  --full     make the file tree if there is none, and fail instead of skipping when something is missing
  --run SH   run this by the shell of the container, with the package installed, instead of the cases
";

/// The programs it needs, and the Debian package of each.
const NEEDS: [(&str, &str); 7] = [
    ("systemd-nspawn", "systemd-container"),
    ("debootstrap", "debootstrap"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("strip", "binutils"),
    ("dpkg-deb", "dpkg"),
];

/// What the command line wants.
#[derive(Default)]
struct Args {
    full: bool,
    list: bool,
    /// A runner's question; this binary runs as a whole, so it names no tests of its own.
    for_runner: bool,
    script: Option<String>,
    filters: Vec<String>,
}

fn main() -> ExitCode {
    if let Some(ended) = inside::asked() {
        return ended;
    }
    let args = match parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(64);
        }
    };
    if args.for_runner {
        return ExitCode::SUCCESS;
    }
    if args.list {
        for case in cases::all() {
            println!("{}", case.name);
        }
        return ExitCode::SUCCESS;
    }
    let prepared = can_run().and_then(|()| tree::tree(args.full)).and_then(|tree| Ok((ground::Packages::make(args.full)?, tree)));
    match prepared {
        Ok((packages, tree)) => pass(&args, &packages, &tree),
        Err(why) if args.full => {
            println!("FAIL container: {why}\n0 passed, 1 failed, 0 skipped");
            ExitCode::FAILURE
        }
        Err(why) => {
            println!("SKIPPED container: {why}\n0 passed, 0 failed, 1 skipped");
            ExitCode::SUCCESS
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Done<Args> {
    let mut args = Args::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Err(HELP.to_owned()),
            "--list" => args.list = true,
            "--full" => args.full = true,
            "--run" => args.script = Some(words.next().ok_or("--run needs a value")?),
            // What cargo test and nextest say to every test binary.
            "--format" => args.for_runner |= words.next().as_deref() == Some("terse"),
            "--exact" | "--nocapture" | "--no-capture" | "--ignored" | "--include-ignored" | "-q" | "--quiet" => {}
            "--test-threads" | "--color" | "--skip" => drop(words.next()),
            other if other.starts_with('-') => return Err(format!("container: unknown option {other}\n\n{HELP}")),
            filter => args.filters.push(filter.to_owned()),
        }
    }
    Ok(args)
}

fn can_run() -> Done {
    if !rustix::process::geteuid().is_root() {
        return Err("only root can start a container".to_owned());
    }
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let is_there = |program: &str| path.split(':').any(|folder| Path::new(folder).join(program).is_file());
    let mut missing: Vec<&str> = NEEDS.iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| *package).collect();
    missing.dedup();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("programs are missing; apt-get install --no-install-recommends {}", missing.join(" ")))
    }
}

fn pass(args: &Args, packages: &ground::Packages, tree: &Path) -> ExitCode {
    let begin = Instant::now();
    let mut ground = match ground::Ground::new(packages, tree) {
        Ok(ground) => ground,
        Err(why) => {
            println!("FAIL container: {why}\n0 passed, 1 failed, 0 skipped");
            return ExitCode::FAILURE;
        }
    };
    println!("booted after {} ms", begin.elapsed().as_millis());
    if let Some(script) = &args.script {
        let said = ground.install(&packages.new).and_then(|_| ground.container.tried(script));
        println!("{said:?}");
        return ExitCode::SUCCESS;
    }
    let mut rows = Vec::new();
    for case in cases::all() {
        let wanted = case.first || args.filters.is_empty() || args.filters.iter().any(|filter| case.name.contains(filter.as_str()));
        if !wanted {
            continue;
        }
        let begin = Instant::now();
        let got = (case.run)(&mut ground);
        let took = begin.elapsed().as_millis();
        match &got {
            Ok(got) => println!("PASS {}: {got} ({took} ms)", case.name),
            Err(why) => println!("FAIL {}: {why} ({took} ms)\n{}", case.name, ground.journal()),
        }
        rows.push((case, got));
    }
    println!("\n| what is done | what is seen |\n|---|---|");
    for (case, got) in &rows {
        let line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        println!("| {} | {} |", case.name, got.as_ref().map_or_else(|why| format!("FAILED: {}", line(why)), |got| line(got)));
    }
    let failed = rows.iter().filter(|(_, got)| got.is_err()).count();
    println!("\n{} passed, {failed} failed, 0 skipped", rows.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs to the end and insists on success; what it said.
pub(crate) fn run(command: &mut Command) -> Done<String> {
    let out = command.output().map_err(|e| format!("cannot start {command:?}: {e}"))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    Err(format!("{command:?} ended with {}: {}", out.status, String::from_utf8_lossy(&out.stderr).trim()))
}
