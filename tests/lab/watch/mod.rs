//! The daemon's proof: it runs in the terminal while faults come and go, and its record log is held against what was done.
//!
//! For every fault: staged and proved as in a pass; exactly one incident is opened, its right cause is named within its goal; healed and proved
//! healthy; resolved within [`RESOLVED_MS`] of that, and nothing else is written. Before a fault that comes silently the daemon is left alone
//! until its pace is calm, as faults find it in life. What is right but late is staged once more, and both are told: many sites share this machine's
//! processors, which now and then keep one waiting; what the daemon itself is slow at is late again.

pub(crate) mod daemon;
pub(crate) mod faults;
mod health;
mod renewals;
mod table;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use jsonschema::Validator;

use crate::args::{Args, Depth};
use crate::ask::Ask;
use crate::cases::Case;
use crate::lab::Lab;
use crate::machine::Run;
use crate::pass::{fresh_seed, lend_product};
use crate::plan::{Dice, Plan};
use crate::shell::Done;
use daemon::{Daemon, Seen, now_ms};
use faults::{Goal, SITES, Site};
pub(crate) use health::health;
use table::Timing;

/// How soon an incident must be resolved after the lab's own proof that its fault is gone.
const RESOLVED_MS: u64 = 10_000;
/// The daemon's pace is lively for so long after the network changed; a little more.
const CALM_AFTER_MS: u64 = 31_000;
/// The kernel's word needs no calm before: it may come in the midst of the looks that closed the fault before, or some time after.
const REST_MS: u32 = 2_000;
/// Faults come at any moment between two looks; left alone, they would come at the same one after each recovery.
const INTERVAL_MS: u32 = 15_000;
/// How long is waited for what is late, to tell how late.
const LATE_MS: u64 = 25_000;

/// Stages every fault that is asked for, beside healthy sites where nothing may be found; true if all went as they must.
pub(crate) fn watch(args: &Args, run: &Run) -> Done<bool> {
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let mut healthy = if args.filters.is_empty() { Some(health::beside(args, seed)?) } else { None };
    let well = faults_pass(args, run, seed)?;
    let ended = healthy.as_mut().map_or(Ok(true), |child| child.wait().map(|status| status.success()));
    Ok(ended.map_err(|e| format!("cannot await the healthy sites: {e}"))? && well)
}

fn faults_pass(args: &Args, run: &Run, seed: u64) -> Done<bool> {
    let rounds = args.rounds;
    println!("watch: seed {seed} (again with --watch --seed {seed}), {rounds} round(s)");
    let product = lend_product(run)?;
    let schema = record_schema()?;
    let begin = Instant::now();
    let timings: Vec<Timing> = std::thread::scope(|scope| {
        let sites = SITES.iter().filter(|site| args.kinds.contains(&site.kind));
        let all: Vec<_> = sites.map(|site| scope.spawn(|| watch_site(args, run, site, seed, rounds, &product, &schema))).collect();
        all.into_iter().flat_map(|site| site.join().unwrap_or_else(|_| vec![Timing::broken_lab()])).collect()
    });
    println!();
    print!("{}", table::markdown(&timings));
    let failed = timings.iter().filter(|timing| timing.failed()).count();
    let again = timings.iter().filter(|timing| timing.again).count();
    println!("{again} were late and staged again");
    println!("the watch took {:.0} s", begin.elapsed().as_secs_f64());
    let skipped = if args.depth == Depth::Quick { left_out(args) } else { 0 };
    println!("{} passed, {failed} failed, {skipped} skipped", timings.len() - failed - again);
    Ok(failed == 0 && !timings.is_empty())
}

/// Says which faults a quick run did not stage, and counts them.
fn left_out(args: &Args) -> usize {
    let left = |site: &Site| {
        let due = site.due(args);
        let left = site.faults.iter().filter(|fault| !due.contains(fault));
        left.map(|(name, _)| format!("{} {name}", site.kind)).collect::<Vec<_>>()
    };
    let left: Vec<String> = SITES.iter().flat_map(left).collect();
    println!("SKIPPED watch: {} faults, for want of time; --full stages them: {}", left.len(), left.join(", "));
    left.len()
}

fn record_schema() -> Done<Validator> {
    let text = serde_json::from_str(isonet::model::RECORD_JSON_SCHEMA).map_err(|e| format!("the schema of records is no JSON: {e}"))?;
    jsonschema::validator_for(&text).map_err(|e| format!("the schema of records is none: {e}"))
}

fn watch_site(args: &Args, run: &Run, site: &Site, seed: u64, rounds: usize, product: &Path, schema: &Validator) -> Vec<Timing> {
    let due = site.due(args);
    let mut timings = Vec::new();
    for round in 0..if due.is_empty() { 0 } else { rounds } {
        let shift = (site.part + round * SITES.len()) as u64;
        let plan = Plan { part: site.part, resolver_count: 2, ..Plan::draw(seed + shift, site.kind) };
        println!("{plan}");
        let mut stand: Option<Stand> = None;
        for (name, goal) in &due {
            let mut once = || {
                let timing = up(run, &plan, product, &mut stand).and_then(|stand| Ok(stand.stage(faults::case(name)?, *goal, schema)));
                timing.unwrap_or_else(|why| Timing { wrong: vec![format!("the lab itself: {why}")], ..Timing::of(name, site.kind, *goal) })
            };
            let mut timing = once();
            if timing.wrong.is_empty() && !timing.late.is_empty() {
                timing.again = true;
                timing.tell();
                timings.push(timing);
                timing = once();
            }
            timing.tell();
            if timing.failed()
                && let Some(stand) = stand.take()
            {
                stand.down();
            }
            timings.push(timing);
        }
        if let Some(stand) = stand.take() {
            let (kind, name) = (site.kind, "the end");
            if let Err(why) = stand.end() {
                let timing = Timing { wrong: vec![why], ..Timing::of(name, kind, Goal::Beyond) };
                timing.tell();
                timings.push(timing);
            }
        }
    }
    timings
}

/// A topology with a daemon in its terminal.
struct Stand {
    lab: Lab,
    daemon: Daemon,
    /// Since then the terminal's own network did not change.
    still_since_ms: u64,
    /// So many records have been judged.
    judged: usize,
    dice: Dice,
}

fn up<'a>(run: &Run, plan: &Plan, product: &Path, stand: &'a mut Option<Stand>) -> Done<&'a mut Stand> {
    if stand.is_none() {
        let mut lab = Lab::up(run, plan.clone())?;
        match Daemon::start(&lab, product, &Ask::default()) {
            Ok(daemon) => {
                *stand = Some(Stand { still_since_ms: daemon.began_ms, judged: daemon.count(), dice: Dice::new(plan.seed), lab, daemon });
            }
            Err(why) => {
                lab.down();
                return Err(why);
            }
        }
    }
    stand.as_mut().ok_or("just brought up".to_owned())
}

impl Stand {
    /// One fault, from calm to calm.
    fn stage(&mut self, case: &Case, goal: Goal, schema: &Validator) -> Timing {
        let mut timing = Timing::of(case.name, self.lab.plan.kind, goal);
        if let Err(why) = self.through(case, goal, &mut timing) {
            timing.wrong.push(why);
        }
        let seen = self.daemon.after(self.judged);
        self.judged += seen.len();
        for record in &seen {
            timing.wrong.extend(schema.iter_errors(&record.record).map(|e| format!("schema: {e} at {}", e.instance_path())));
        }
        timing.wrong.extend(shape(&seen, timing.healing_ms));
        if !timing.wrong.is_empty() || !timing.late.is_empty() {
            timing.details.extend(seen.iter().map(|seen| seen.told(timing.begun_ms)));
            timing.details.push(format!("healing began after {} ms", timing.healing_ms.saturating_sub(timing.begun_ms)));
            timing.details.push(format!("daemon: {}", self.daemon.tail()));
        }
        timing
    }

    fn through(&mut self, case: &Case, goal: Goal, timing: &mut Timing) -> Done {
        let moment = self.dice.below(if goal == Goal::Kernel { REST_MS } else { INTERVAL_MS });
        self.wait_for_calm(goal, moment.into())?;
        timing.begun_ms = now_ms();
        (case.stage)(&mut self.lab).map_err(|e| format!("the lab itself: not staged: {e}"))?;
        if goal == Goal::Worse {
            self.lab.terminal().ip("route add 198.51.100.0/24 dev lo\nroute del 198.51.100.0/24 dev lo\n")?;
        }
        (case.prove)(&self.lab).map_err(|e| format!("the lab itself: no such effect: {e}"))?;
        let begun = timing.begun_ms;
        let right = |seen: &Seen| seen.is_incident() && case.expect.roots.contains(&seen.word("/cause/code"));
        let left = (begun + goal.ms() + LATE_MS).saturating_sub(now_ms());
        let named = self.daemon.shows(self.judged, left, |log| log.iter().any(right));
        let log = self.daemon.after(self.judged);
        timing.opened_ms = log.iter().find(|seen| seen.is_incident()).map(|seen| seen.at_ms - begun);
        timing.first = log.iter().find(|seen| seen.is_incident()).map(|seen| seen.told(begun)).unwrap_or_default();
        timing.named_ms = log.iter().find(|seen| right(seen)).map(|seen| seen.at_ms - begun);
        timing.healing_ms = now_ms();
        self.lab.heal().map_err(|e| format!("the lab itself: not healed: {e}"))?;
        let healed = now_ms();
        if goal == Goal::Kernel || self.lab.has_vpn() || case.name.starts_with("gateway") {
            self.still_since_ms = healed;
        }
        let over = |log: &[Seen]| log.iter().any(|seen| seen.word("/incident/phase") == "resolved");
        if timing.opened_ms.is_some() && !self.daemon.shows(self.judged, RESOLVED_MS + LATE_MS, over) {
            return Err("never resolved".to_owned());
        }
        let ended = self.daemon.after(self.judged).into_iter().find(|seen| seen.word("/incident/phase") == "resolved");
        timing.resolved_ms = ended.map(|seen| seen.at_ms.saturating_sub(healed));
        timing.hold_to_goals();
        if named { Ok(()) } else { Err(format!("the cause was never named; due {:?}", case.expect.roots)) }
    }

    /// Waits until the daemon's pace is that of a quiet day, and for a moment that nobody chose; what it writes meanwhile is judged with what comes.
    fn wait_for_calm(&self, goal: Goal, moment_ms: u64) -> Done {
        let calm_ms = if goal == Goal::Kernel { now_ms() } else { self.still_since_ms + CALM_AFTER_MS };
        if self.daemon.shows(self.judged, calm_ms.saturating_sub(now_ms()) + moment_ms, |log| log.iter().any(Seen::is_incident)) {
            return Err("an incident out of nothing".to_owned());
        }
        Ok(())
    }

    /// The last words of the daemon, and the whole of its log.
    fn end(self) -> Done {
        let Stand { mut lab, daemon, judged, .. } = self;
        let spool = lab.path("daemon/state/spool");
        let stray: Vec<String> = daemon.after(judged).iter().map(|seen| seen.told(daemon.began_ms)).collect();
        let stopped = daemon.stop();
        let report = isonet::spool::verify(&isonet::spool::Disk::look(&spool)).map_err(|e| format!("the log cannot be read: {e}"));
        lab.down();
        stopped?;
        let report = report?;
        if !report.is_whole() || report.torn.is_some() || !report.gaps.is_empty() || report.epochs.len() != 1 {
            return Err(format!("the log is not whole: {report:?}"));
        }
        if stray.is_empty() { Ok(()) } else { Err(format!("records out of nothing: {stray:?}")) }
    }

    fn down(self) {
        let Stand { mut lab, daemon, .. } = self;
        drop(daemon);
        lab.down();
    }
}

/// What is wrong with the records of one outage, their times aside.
fn shape(seen: &[Seen], healing_ms: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    let ids: BTreeSet<&str> = seen.iter().filter(|seen| seen.is_incident()).map(|seen| seen.word("/incident/id")).collect();
    if ids.len() != 1 {
        wrong.push(format!("{} incidents instead of one", ids.len()));
    }
    let phases: Vec<&str> = seen.iter().filter(|seen| seen.is_incident()).map(|seen| seen.word("/incident/phase")).collect();
    let good = matches!(phases.as_slice(), ["opened", between @ .., "resolved"] if between.iter().all(|phase| *phase == "updated"));
    if !good {
        wrong.push(format!("not opened once and resolved once: {phases:?}"));
    }
    if seen.iter().any(|seen| seen.word("/incident/phase") == "resolved" && seen.at_ms < healing_ms) {
        wrong.push("resolved while the fault was there".to_owned());
    }
    wrong.extend(seen.iter().filter(|seen| !seen.is_incident()).map(|seen| format!("another record: {}", seen.record)));
    wrong
}

impl Timing {
    /// Times that miss their goals.
    fn hold_to_goals(&mut self) {
        let goal = self.goal.ms();
        if self.opened_ms.is_some_and(|ms| ms > goal) {
            self.late.push(format!("opened late: goal {goal} ms"));
        } else if self.named_ms.is_some_and(|ms| ms > goal) {
            self.late.push(format!("its cause named late: goal {goal} ms"));
        }
        if self.resolved_ms.is_some_and(|ms| ms > RESOLVED_MS) {
            self.late.push(format!("resolved late: goal {RESOLVED_MS} ms"));
        }
    }

    fn failed(&self) -> bool {
        !self.wrong.is_empty() || (!self.late.is_empty() && !self.again)
    }

    /// In one piece: other topologies are talking too.
    fn tell(&self) {
        let shown = |ms: Option<u64>| ms.map_or("-".to_owned(), |ms| format!("{}.{:02}", ms / 1000, ms % 1000 / 10));
        let verdict = match self.failed() {
            true => "FAIL",
            false if self.again => "AGAIN",
            false => "PASS",
        };
        let mut text = format!(
            "{verdict:<7} {:<11} {:<38} opened {:>6} s  named {:>6} s  resolved {:>6} s{}\n",
            self.kind.map_or("", |kind| kind.name()),
            self.fault,
            shown(self.opened_ms),
            shown(self.named_ms),
            shown(self.resolved_ms),
            if self.named_ms > self.opened_ms { format!("\n       at first: {}", self.first) } else { String::new() }
        );
        for line in self.wrong.iter().chain(&self.late).chain(&self.details) {
            text.push_str(&format!("       {line}\n"));
        }
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
    }
}
