//! One pass over the cases.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jsonschema::Validator;

use crate::args::Args;
use crate::ask::Answer;
use crate::cases::{self, Case};
use crate::judge;
use crate::lab::Lab;
use crate::machine::Run;
use crate::plan::{Kind, Plan};
use crate::shell::Done;
use crate::table::{self, Row, Verdict};

/// Names every case and where it is staged.
pub(crate) fn list(args: &Args) {
    let mut text = String::new();
    for case in cases::all().filter(|case| args.wants(case.name)) {
        let on: Vec<&str> = case.on.iter().map(|kind| kind.name()).collect();
        text += &format!("{:<38} {:<30} {}\n", case.name, on.join(" "), case.expect.text());
    }
    if args.filters.is_empty() {
        text += &format!("\n{}", table::unstaged());
    }
    // Whoever reads may have seen enough (`--list | head`).
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Stages all that is asked for; true if nothing failed.
pub(crate) fn pass(args: &Args, run: &Run) -> Done<bool> {
    let seed = args.seed.unwrap_or_else(fresh_seed);
    println!("lab: seed {seed} (again with --seed {seed})");
    let asked = if args.product {
        Some(Asked { product: lend_product(run)?, schema: judge::schema()?, json: args.json, keep: args.keep.clone() })
    } else {
        None
    };
    let begin = Instant::now();
    // Each kind has a topology of its own: they do not wait for each other's silences.
    let rows: Vec<Row> = std::thread::scope(|scope| {
        let passes: Vec<_> = args
            .kinds
            .iter()
            .flat_map(|&kind| (0..kind.parts()).map(move |part| (kind, part)))
            .map(|(kind, part)| {
                let plan = Plan { part, ..Plan::draw(seed, kind) };
                let due: Vec<_> = due(args, kind).into_iter().skip(part).step_by(kind.parts()).collect();
                let asked = asked.as_ref();
                scope.spawn(move || pass_kind(run, &plan, &due, asked))
            })
            .collect();
        passes.into_iter().flat_map(|pass| pass.join().unwrap_or_else(|_| vec![Row::broken_lab()])).collect()
    });
    println!();
    print!("{}", table::confusion(&rows));
    println!();
    print!("{}", table::by_kind(&rows));
    println!();
    print!("{}", table::unstaged());
    println!();
    print!("{}", table::timings(&rows));
    println!("{}", table::codes(&rows));
    let planned = table::count(&rows, Verdict::Planned);
    if planned > 0 {
        println!("{planned} PLANNED: staged, proved and asked; the product is not expected to know them yet; counted nowhere below");
    }
    println!("the lab took {:.0} s", begin.elapsed().as_secs_f64());
    let failed = table::count(&rows, Verdict::Fail);
    println!("{} passed, {failed} failed, {} skipped", table::count(&rows, Verdict::Pass), table::count(&rows, Verdict::Skip));
    Ok(failed == 0 && !rows.is_empty())
}

/// The cases that are asked for on this kind.
fn due(args: &Args, kind: Kind) -> Vec<&'static Case> {
    cases::all().filter(|case| case.on.contains(&kind) && args.wants(case.name)).collect()
}

/// A seed nobody chose.
pub(crate) fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = now.map_or(0, |d| d.subsec_nanos());
    u64::from(nanos) ^ (u64::from(std::process::id()) << 12) & 0xffff_ffff
}

/// Puts the product where an unprivileged user of the machine can run it.
pub(crate) fn lend_product(run: &Run) -> Done<PathBuf> {
    let from = Path::new(env!("CARGO_BIN_EXE_isonet"));
    let to = run.dir.join("isonet");
    fs::copy(from, &to).map_err(|e| format!("cannot copy {}: {e}", from.display()))?;
    fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).map_err(|e| format!("cannot open up {}: {e}", to.display()))?;
    Ok(to)
}

/// What is asked, and how answers are held against their form.
struct Asked {
    product: PathBuf,
    schema: Validator,
    /// Show the whole document of what fails.
    json: bool,
    /// Keep every document here.
    keep: Option<PathBuf>,
}

/// How one case went.
struct Outcome {
    verdict: Verdict,
    /// What there is to say beyond the verdict.
    lines: Vec<String>,
    answer: Option<Answer>,
}

fn pass_kind(run: &Run, plan: &Plan, due: &[&'static Case], asked: Option<&Asked>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut lab: Option<Lab> = None;
    if !due.is_empty() {
        println!("{plan}");
    }
    for case in due {
        let begin = Instant::now();
        let outcome = pass_case(run, plan, case, &mut lab, asked);
        tell(plan, case, &outcome, begin);
        let answer = outcome.answer.as_ref();
        rows.push(Row {
            verdict: outcome.verdict,
            kind: Some(plan.kind),
            staged: case.name.to_owned(),
            roots: case.expect.roots,
            answered: answer.map(judge::root),
            false_causes: answer.map_or(0, |answer| judge::false_causes(&case.expect, answer)),
            falsely_proven: answer.map_or(0, |answer| judge::falsely_proven(&case.expect, answer)),
            nature: case.expect.nature(),
            took_ms: answer.and_then(judge::took_ms),
        });
    }
    if let Some(mut lab) = lab {
        lab.down();
    }
    rows
}

/// One case's lines, in one piece: other kinds are talking too.
fn tell(plan: &Plan, case: &Case, outcome: &Outcome, begin: Instant) {
    let mut text = format!(
        "{:<7} {:<11} {:<38} {:>6} ms  {}\n",
        outcome.verdict.name(),
        plan.kind,
        case.name,
        begin.elapsed().as_millis(),
        outcome.answer.as_ref().map(judge::answer_text).unwrap_or_default()
    );
    for line in &outcome.lines {
        text.push_str(&format!("       {line}\n"));
    }
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Stages, proves, asks, compares, takes back. Whatever goes wrong, the next case begins on a healthy topology, if need be
/// on a new one.
fn pass_case(run: &Run, plan: &Plan, case: &Case, lab: &mut Option<Lab>, asked: Option<&Asked>) -> Outcome {
    let result = on_its_feet(run, plan, lab).and_then(|lab| {
        lab.product = asked.map(|asked| asked.product.clone());
        one(case, lab, asked)
    });
    let mut outcome = match result {
        Ok(None) => Outcome { verdict: Verdict::Pass, lines: Vec::new(), answer: None },
        Ok(Some((answer, lines))) => {
            let verdict = match case.expect.planned {
                _ if lines.is_empty() => Verdict::Pass,
                Some(_) if judge::falsely_proven(&case.expect, &answer) == 0 => Verdict::Planned,
                _ => Verdict::Fail,
            };
            Outcome { verdict, lines, answer: Some(answer) }
        }
        Err(why) => Outcome { verdict: Verdict::Fail, lines: vec![format!("the lab itself: {why}")], answer: None },
    };
    if let Some(mut staged) = lab.take() {
        match staged.heal() {
            Ok(()) => *lab = Some(staged),
            Err(why) => {
                staged.down();
                outcome.lines.push(format!("the lab itself: not healed: {why}"));
                outcome.verdict = Verdict::Fail;
            }
        }
    }
    outcome
}

/// The topology, brought up if it is not.
fn on_its_feet<'a>(run: &Run, plan: &Plan, lab: &'a mut Option<Lab>) -> Done<&'a mut Lab> {
    if lab.is_none() {
        let begin = Instant::now();
        *lab = Some(Lab::up(run, plan.clone())?);
        println!("{} is up in {} ms", plan.kind, begin.elapsed().as_millis());
    }
    lab.as_mut().ok_or("just brought up".to_owned())
}

/// Stages and proves one case, then asks the product, if it is to be asked, and says what is wrong with the answer.
fn one(case: &Case, lab: &mut Lab, asked: Option<&Asked>) -> Done<Option<(Answer, Vec<String>)>> {
    (case.stage)(lab).map_err(|e| format!("not staged: {e}"))?;
    (case.prove)(lab).map_err(|e| format!("no such effect: {e}"))?;
    let Some(asked) = asked else { return Ok(None) };
    let answer = (case.ask)().answer(lab, &asked.product)?;
    if let Some(dir) = &asked.keep {
        keep(dir, lab, case, &answer)?;
    }
    let mut wrong = judge::judge(&case.expect, &answer);
    wrong.extend(judge::against_schema(&asked.schema, &answer));
    if !wrong.is_empty() {
        wrong.insert(0, format!("due: {}", case.expect.text()));
        if let Some(why) = case.expect.planned {
            wrong.insert(0, format!("planned: {why}"));
        }
        wrong.push(format!("from outside: {} ms", answer.wall_ms));
        let tail: Vec<&str> = answer.said.err.lines().rev().take(5).collect();
        wrong.extend(tail.iter().rev().map(|line| format!("stderr: {line}")));
        if asked.json
            && let Ok(document) = &answer.json
        {
            wrong.push(format!("json: {document}"));
        }
    }
    Ok(Some((answer, wrong)))
}

fn keep(dir: &Path, lab: &Lab, case: &Case, answer: &Answer) -> Done {
    let path = dir.join(format!("{}.{}.json", lab.plan.kind, case.name.replace('/', "-")));
    fs::create_dir_all(dir).and_then(|()| fs::write(&path, &answer.said.out)).map_err(|e| format!("cannot keep {}: {e}", path.display()))
}
