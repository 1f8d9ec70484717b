//! Pages as people have them: in a real browser, in a network that is broken and mended.
//!
//! ```text
//! cargo test --test browser -- --help
//! ```
//! Faults are staged by the lab (`tests/lab`). Daemon and browser share the terminal's namespace, out of which nothing leads but the lab's own
//! wires. Needs root, the lab's programs, chromium with its driver, a font that has Chinese, and axe-core (`tests/browser/fetch-axe`).
#![allow(
    clippy::disallowed_methods,
    reason = "the tests measure and wait by the machine's clock; the product's rule about clocks is not meant here"
)]
#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "short command files, written once each: the shape of a line counts, not an allocation"
)]

mod driver;
mod hands;
mod live;
mod look;
mod once;
mod outside;
mod readme;
mod state;

// The lab, of which only some is needed here.
macro_rules! of_the_lab {
    ($($name:ident $path:literal),* $(,)?) => {
        $(#[path = $path] #[allow(dead_code, unused_imports, reason = "the lab needs it")] mod $name;)*
    };
}
of_the_lab! {
    args "../lab/args.rs", ask "../lab/ask.rs", cases "../lab/cases/mod.rs", certs "../lab/certs.rs", charon "../lab/charon.rs",
    check "../lab/check.rs", judge "../lab/judge.rs", lab "../lab/lab.rs", machine "../lab/machine.rs", pass "../lab/pass.rs",
    peers "../lab/peers.rs", plan "../lab/plan.rs", relay "../lab/relay.rs", shell "../lab/shell.rs", site "../lab/site.rs",
    stub "../lab/stub.rs", table "../lab/table.rs", unstaged "../lab/unstaged.rs", verbs "../lab/verbs.rs", vpns "../lab/vpns.rs",
    watch "../lab/watch/mod.rs",
}

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use args::Depth;
use shell::Done;

const HELP: &str = "\
browser: stages faults and looks at isonet's pages in chromium

  cargo test --test browser -- [OPTIONS] [FILTER...]     a FILTER is part of a case's name

  --list     name the cases
  --pictures DIR   only take the README's pictures (tests/browser/screenshots)
  --quick    the most telling cases only; says what is left out
  --full     fetch axe-core where it is missing, and fail instead of skipping when something else is
";

/// The programs it needs beyond the lab's, and the Debian package of each.
const NEEDS: [(&str, &str); 14] = [
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("fc-list", "fontconfig"),
    ("ip", "iproute2"),
    ("ping", "iputils-ping"),
    ("sysctl", "procps"),
    ("nft", "nftables"),
    ("conntrack", "conntrack"),
    ("socat", "socat"),
    ("curl", "curl"),
    ("dig", "bind9-dnsutils"),
    ("dnsmasq", "dnsmasq-base"),
    ("nginx", "nginx-light"),
    ("openvpn", "openvpn"),
];

/// What the command line wants.
struct Args {
    depth: Depth,
    /// Where the README's pictures go, instead of any case.
    pictures: Option<PathBuf>,
    list: bool,
    /// A runner's question; this binary runs as a whole, so it names no tests of its own.
    for_runner: bool,
    filters: Vec<String>,
}

impl Args {
    fn wants(&self, name: &str) -> bool {
        if self.depth == Depth::Quick {
            return QUICK.contains(&name);
        }
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter.as_str()))
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // One of the lab's peers.
    if let [first, specs @ ..] = words.as_slice()
        && first == "--stub"
    {
        return match stub::serve(specs) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("browser stub: {why}");
                ExitCode::FAILURE
            }
        };
    }
    if let [first, words @ ..] = words.as_slice()
        && first == outside::WORD
    {
        return match outside::serve(words) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("browser outside: {why}");
                ExitCode::FAILURE
            }
        };
    }
    let args = match parse(words.into_iter()) {
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
        for name in names() {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    }
    match can_run().and_then(|()| axe(args.depth == Depth::Full)) {
        Ok(axe) => pass(&args, &axe),
        Err(why) if args.depth == Depth::Full => {
            println!("FAIL browser: {why}\n0 passed, 1 failed, 0 skipped");
            ExitCode::FAILURE
        }
        Err(why) => {
            println!("SKIPPED browser: {why}\n0 passed, 0 failed, 1 skipped");
            ExitCode::SUCCESS
        }
    }
}

const BAD: &str = "a-bad-page";
const ONCE: &str = "one-shot-page";
const KEYBOARD: &str = "keyboard";
const SCRIPTLESS: &str = "without-scripts";
const FIRST_BYTE: &str = "first-byte";
const END: &str = "the-end";

/// What takes no longer than a minute.
const QUICK: [&str; 6] = [BAD, "vpn.not-started", KEYBOARD, SCRIPTLESS, FIRST_BYTE, END];

/// Everything that is done, in this order.
fn names() -> impl Iterator<Item = &'static str> {
    let states = [&state::HEALTHY].into_iter().chain(&state::STATES).map(|state| state.name);
    [BAD].into_iter().chain(states).chain([KEYBOARD, SCRIPTLESS, FIRST_BYTE, END, ONCE])
}

fn parse(mut words: impl Iterator<Item = String>) -> Done<Args> {
    let mut args = Args { depth: Depth::Usual, pictures: None, list: false, for_runner: false, filters: Vec::new() };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Err(HELP.to_owned()),
            "--list" => args.list = true,
            "--full" => args.depth = Depth::Full,
            "--quick" => args.depth = Depth::Quick,
            "--pictures" => args.pictures = Some(words.next().ok_or("--pictures needs a directory")?.into()),
            // What cargo test and nextest say to every test binary.
            "--format" => args.for_runner |= words.next().as_deref() == Some("terse"),
            "--exact" | "--nocapture" | "--no-capture" | "--ignored" | "--include-ignored" | "-q" | "--quiet" => {}
            "--test-threads" | "--color" | "--skip" => drop(words.next()),
            other if other.starts_with('-') => return Err(format!("browser: unknown option {other}\n\n{HELP}")),
            filter => args.filters.push(filter.to_owned()),
        }
    }
    Ok(args)
}

fn can_run() -> Done {
    if !rustix::process::geteuid().is_root() {
        return Err("needs root for network namespaces; run it with sudo".to_owned());
    }
    if !Path::new("/dev/net/tun").exists() {
        return Err("needs /dev/net/tun; load the tun module".to_owned());
    }
    let missing: Vec<&str> = NEEDS.iter().filter(|(program, _)| peers::find(program).is_none()).map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        return Err(format!("programs are missing; apt-get install --no-install-recommends {}", missing.join(" ")));
    }
    let fonts = Command::new("fc-list").args([":lang=zh-cn", "family"]).output().map_err(|e| format!("cannot start fc-list: {e}"))?;
    check::holds(!fonts.stdout.is_empty(), "no font has Chinese; apt-get install --no-install-recommends fonts-wqy-microhei")
}

/// Where axe-core lies. It is fetched only where nothing may be left out.
fn axe(fetch: bool) -> Done<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/fetch-axe");
    let mut command = Command::new(script);
    if !fetch {
        command.arg("--only-look");
    }
    let said = shell::must(command, "").map_err(|e| format!("axe-core is missing; tests/browser/fetch-axe: {e}"))?;
    Ok(PathBuf::from(said.out.trim()))
}

fn pass(args: &Args, axe: &Path) -> ExitCode {
    for pid in machine::clean_dead_runs() {
        println!("removed what run {pid} left");
    }
    let rows = match machine::remove_on_signal().and_then(|()| machine::Run::start()).and_then(|run| look(args, &run, axe)) {
        Ok(rows) => rows,
        Err(why) => vec![("everything", Err(why))],
    };
    let failed = rows.iter().filter(|(_, got)| got.is_err()).count();
    println!("pictures: {}", pictures().display());
    let left: Vec<&str> = names().filter(|name| args.depth == Depth::Quick && !args.wants(name)).collect();
    if !left.is_empty() {
        println!("SKIPPED browser: {} cases, for want of time; --full has them: {}", left.len(), left.join(", "));
    }
    println!("{} passed, {failed} failed, {} skipped", rows.len() - failed, left.len());
    if failed == 0 && !rows.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Where pictures of the last run are.
fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser")
}

type Row = (&'static str, Done<String>);

/// Brings everything up, and goes through what is asked for.
fn look(args: &Args, run: &machine::Run, axe: &Path) -> Done<Vec<Row>> {
    let eyes = look::Eyes::open(axe, &pictures())?;
    let product = pass::lend_product(run)?;
    let mut lab = lab::Lab::up(run, plan::Plan::draw(1, plan::Kind::OpenVpn))?;
    let daemon = watch::daemon::Daemon::start(&lab, &product, &ask::Ask { more: outside::settings, ..ask::Ask::default() })?;
    let driver = driver::Driver::start(&lab.terminal(), &lab.path("browser"))?;
    let terminal = lab.terminal();
    let mut rows = Vec::new();
    if let Some(into) = &args.pictures {
        let taken = readme::take(&mut lab, &product, &daemon, &driver, into);
        println!("{taken:?}");
        lab.down();
        return Ok(vec![("pictures", taken)]);
    }
    tell(&mut rows, args, BAD, || once::bad(&lab, &driver, &eyes));
    let mut stand = live::Stand::new(&mut lab, &product, &daemon, &driver, &eyes)?;
    tell(&mut rows, args, state::HEALTHY.name, || stand.healthy());
    for state in &state::STATES {
        tell(&mut rows, args, state.name, || stand.through(state));
    }
    tell(&mut rows, args, KEYBOARD, || hands::keyboard(&driver, &eyes));
    tell(&mut rows, args, SCRIPTLESS, || hands::without_scripts(&driver, &eyes));
    tell(&mut rows, args, FIRST_BYTE, || hands::first_byte(&terminal));
    tell(&mut rows, args, END, || stand.told_of_the_end(|| daemon.signal(rustix::process::Signal::TERM)));
    // After the daemon: to it, so many faults in so little time would be one that comes and goes.
    tell(&mut rows, args, ONCE, || once::page(&mut lab, &product, &driver, &eyes));
    drop(driver);
    lab.down();
    Ok(rows)
}

/// One row, if it is asked for.
fn tell(rows: &mut Vec<Row>, args: &Args, name: &'static str, look: impl FnOnce() -> Done<String>) {
    if !args.wants(name) {
        return;
    }
    let begin = Instant::now();
    let got = look();
    let took = begin.elapsed().as_millis();
    match &got {
        Ok(got) => println!("PASS {name}: {got} ({took} ms)"),
        Err(why) => println!("FAIL {name}: {why} ({took} ms)"),
    }
    rows.push((name, got));
}
