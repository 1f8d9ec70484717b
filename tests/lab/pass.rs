//! One pass over the cases, and holding a topology for a person.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::args::Args;
use crate::ask::Answer;
use crate::cases::{self, Case};
use crate::judge;
use crate::lab::{Lab, Place};
use crate::machine::Run;
use crate::plan::Plan;
use crate::shell::Done;
use crate::table::{self, Row, Verdict};

/// Names every case and where it is staged.
pub(crate) fn list(args: &Args) {
    for case in cases::all().filter(|case| args.wants(case.name)) {
        let on: Vec<&str> = case.on.iter().map(|kind| kind.name()).collect();
        println!(
            "{:<38} {:<30} {}",
            case.name,
            on.join(" "),
            case.expect.text()
        );
    }
}

/// Stages all that is asked for; true if nothing failed.
pub(crate) fn pass(args: &Args, run: &Run) -> Done<bool> {
    let wrong = judge::self_check();
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    let seed = args.seed.unwrap_or_else(fresh_seed);
    println!("lab: seed {seed} (again with --seed {seed})");
    let product = if args.product {
        Some(lend_product(run)?)
    } else {
        None
    };
    let begin = Instant::now();
    let mut rows = Vec::new();
    for &kind in &args.kinds {
        let due: Vec<&Case> = cases::all()
            .filter(|case| case.on.contains(&kind) && args.wants(case.name))
            .collect();
        if !due.is_empty() {
            pass_kind(
                args,
                run,
                &Plan::draw(seed, kind),
                &due,
                product.as_deref(),
                &mut rows,
            );
        }
    }
    println!();
    print!("{}", table::confusion(&rows));
    println!();
    print!("{}", table::timings(&rows));
    println!("the lab took {:.0} s", begin.elapsed().as_secs_f64());
    let failed = table::count(&rows, Verdict::Fail);
    println!(
        "{} passed, {failed} failed, {} skipped",
        table::count(&rows, Verdict::Pass),
        table::count(&rows, Verdict::Skip)
    );
    Ok(failed == 0 && !rows.is_empty())
}

/// A seed nobody chose.
fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = now.map_or(0, |d| d.subsec_nanos());
    u64::from(nanos) ^ (u64::from(std::process::id()) << 12) & 0xffff_ffff
}

/// Puts the product where an unprivileged user of the machine can run it.
fn lend_product(run: &Run) -> Done<PathBuf> {
    let from = Path::new(env!("CARGO_BIN_EXE_isonet"));
    let to = run.dir.join("isonet");
    fs::copy(from, &to).map_err(|e| format!("cannot copy {}: {e}", from.display()))?;
    fs::set_permissions(&to, fs::Permissions::from_mode(0o755))
        .map_err(|e| format!("cannot open up {}: {e}", to.display()))?;
    Ok(to)
}

fn pass_kind(
    args: &Args,
    run: &Run,
    plan: &Plan,
    due: &[&'static Case],
    product: Option<&Path>,
    rows: &mut Vec<Row>,
) {
    println!("\n{plan}");
    let mut lab: Option<Lab> = None;
    for case in due {
        let begin = Instant::now();
        let result = on_its_feet(run, plan, &mut lab).and_then(|lab| one(case, lab, product));
        let (verdict, lines, answer) = match result {
            Ok(answer) => compare(case, answer, args.json),
            Err(why) => (Verdict::Fail, vec![format!("the lab itself: {why}")], None),
        };
        // Whatever went wrong, the next case begins on a healthy topology, if need be on a new one.
        let healed = lab.as_mut().map_or(Err("not up".to_owned()), Lab::heal);
        let mut lines = lines;
        let verdict = match &healed {
            Err(why) => {
                lines.push(format!("the lab itself: not healed: {why}"));
                if let Some(mut broken) = lab.take() {
                    broken.down();
                }
                Verdict::Fail
            }
            Ok(()) => verdict,
        };
        let took_ms = answer.as_ref().and_then(judge::took_ms);
        println!(
            "{} {:<10} {:<38} {:>6} ms  {}",
            verdict.name(),
            plan.kind,
            case.name,
            begin.elapsed().as_millis(),
            answer.as_ref().map(judge::answer_text).unwrap_or_default()
        );
        for line in &lines {
            println!("       {line}");
        }
        let _ = std::io::stdout().flush();
        rows.push(Row {
            verdict,
            staged: case.name.to_owned(),
            answered: answer.as_ref().map(judge::root),
            due: case.expect.text(),
            healthy: case.expect.roots.is_empty() && !case.expect.any,
            took_ms,
        });
    }
    if let Some(mut lab) = lab {
        lab.down();
    }
}

/// The topology, brought up if it is not.
fn on_its_feet<'a>(run: &Run, plan: &Plan, lab: &'a mut Option<Lab>) -> Done<&'a mut Lab> {
    if lab.is_none() {
        let begin = Instant::now();
        *lab = Some(Lab::up(run, plan.clone())?);
        println!("up in {} ms", begin.elapsed().as_millis());
    }
    lab.as_mut().ok_or("just brought up".to_owned())
}

/// Stages and proves one case, then asks the product, if it is to be asked.
fn one(case: &Case, lab: &mut Lab, product: Option<&Path>) -> Done<Option<Answer>> {
    (case.stage)(lab).map_err(|e| format!("not staged: {e}"))?;
    (case.prove)(lab).map_err(|e| format!("no such effect: {e}"))?;
    let ask = (case.ask)();
    match product {
        Some(product) => ask.answer(lab, product).map(Some),
        None => Ok(None),
    }
}

fn compare(
    case: &Case,
    answer: Option<Answer>,
    json: bool,
) -> (Verdict, Vec<String>, Option<Answer>) {
    let Some(answer) = answer else {
        return (Verdict::Pass, Vec::new(), None);
    };
    let mut lines = judge::judge(&case.expect, &answer);
    if lines.is_empty() {
        return (Verdict::Pass, lines, Some(answer));
    }
    lines.insert(0, format!("due: {}", case.expect.text()));
    lines.push(format!("from outside: {} ms", answer.wall_ms));
    let tail: Vec<&str> = answer.said.err.lines().rev().take(5).collect();
    lines.extend(tail.iter().rev().map(|line| format!("stderr: {line}")));
    if json && let Ok(document) = &answer.json {
        lines.push(format!("json: {document}"));
    }
    (Verdict::Fail, lines, Some(answer))
}

/// Keeps one topology, with a case staged or none, until ENTER or a signal.
pub(crate) fn hold(args: &Args, run: &Run) -> Done<bool> {
    let case = match &args.stage {
        None => None,
        Some(name) => Some(
            cases::all()
                .find(|case| case.name == name)
                .ok_or(format!("no case is called {name}; see --list"))?,
        ),
    };
    let kind = match case {
        Some(case) => args.kinds.iter().find(|kind| case.on.contains(kind)),
        None => args.kinds.first(),
    };
    let kind = *kind.ok_or("this case is not staged on that kind; see --list")?;
    let plan = Plan::draw(args.seed.unwrap_or_else(fresh_seed), kind);
    println!("{plan}");
    let mut lab = Lab::up(run, plan)?;
    let product = lend_product(run)?;
    if let Some(case) = case {
        (case.stage)(&mut lab).map_err(|e| format!("not staged: {e}"))?;
        (case.prove)(&lab).map_err(|e| format!("no such effect: {e}"))?;
        println!("staged: {}; due: {}", case.name, case.expect.text());
    }
    let ask = case.map_or_else(crate::ask::Ask::default, |case| (case.ask)());
    let config = lab.path("isonet.toml");
    fs::write(&config, ask.config(&lab)).map_err(|e| format!("cannot write the config: {e}"))?;
    for place in Place::ALL {
        println!(
            "  {:<10} ip netns exec {} bash",
            place.name(),
            lab.at(place).name
        );
    }
    let command = ask.command(&lab, &product, &config);
    let words: Vec<_> = command
        .get_args()
        .map(|word| word.to_string_lossy())
        .collect();
    println!("  config     {}", config.display());
    println!("  ask        ip {}", words.join(" "));
    println!("ENTER or a signal removes everything");
    let mut line = String::new();
    if std::io::stdin().read_line(&mut line).unwrap_or(0) == 0 {
        // No one at the keyboard: a signal ends this.
        loop {
            std::thread::park();
        }
    }
    lab.down();
    Ok(true)
}
