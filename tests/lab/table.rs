//! What a pass showed: the confusion table, the timings, the last line. Markdown, to be pasted into the README.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use isonet::model::Cause;

use crate::plan::Kind;
use crate::unstaged;

/// How one case on one topology ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Fail,
    Skip,
    /// The product does not know this cause yet; counts for nothing.
    Planned,
}

impl Verdict {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Fail => "FAIL",
            Verdict::Skip => "SKIP",
            Verdict::Planned => "PLANNED",
        }
    }
}

/// What kind of state was staged; timings are told apart by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    Healthy,
    Broken,
    Hostile,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) verdict: Verdict,
    /// None where the lab itself fell over.
    pub(crate) kind: Option<Kind>,
    /// The staged cause, or the healthy twin's name.
    pub(crate) staged: String,
    /// The codes that were due first; empty where none was.
    pub(crate) roots: &'static [&'static str],
    /// The cause answered first; none if the product was not asked.
    pub(crate) answered: Option<String>,
    /// Causes that were neither staged nor honest twins.
    pub(crate) false_causes: usize,
    /// Causes that were not staged and called proven.
    pub(crate) falsely_proven: usize,
    pub(crate) nature: Nature,
    pub(crate) took_ms: Option<f64>,
}

impl Row {
    /// A pass that fell over: the lab's own fault, and a failure.
    pub(crate) fn broken_lab() -> Row {
        Row {
            verdict: Verdict::Fail,
            kind: None,
            staged: "the lab itself".to_owned(),
            roots: &[],
            answered: None,
            false_causes: 0,
            falsely_proven: 0,
            nature: Nature::Hostile,
            took_ms: None,
        }
    }

    /// The code this row stands for: the case's own name if it is one, the root due otherwise.
    fn code(&self) -> &str {
        let own = self.staged.split('/').next().unwrap_or_default();
        if Cause::from_code(own).is_some() { own } else { self.roots.first().copied().unwrap_or_default() }
    }
}

pub(crate) fn count(rows: &[Row], verdict: Verdict) -> usize {
    rows.iter().filter(|row| row.verdict == verdict).count()
}

/// What a set of rows comes to.
#[derive(Default)]
struct Sum {
    faults: usize,
    /// The root due was answered first.
    right: usize,
    /// What was answered first instead.
    instead: BTreeMap<String, usize>,
    /// Beside or instead of what was staged, at whatever certainty.
    false_causes: usize,
    falsely_proven: usize,
    healthy: usize,
    /// Causes named where nothing was wrong.
    accused: usize,
}

impl Sum {
    fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Sum {
        let mut sum = Sum::default();
        for row in rows {
            let Some(answered) = &row.answered else { continue };
            sum.falsely_proven += row.falsely_proven;
            match row.nature {
                Nature::Hostile => {}
                Nature::Healthy => {
                    sum.healthy += 1;
                    sum.accused += row.false_causes;
                }
                Nature::Broken => {
                    sum.faults += 1;
                    sum.false_causes += row.false_causes;
                    if row.roots.contains(&answered.as_str()) {
                        sum.right += 1;
                    } else {
                        *sum.instead.entry(answered.clone()).or_default() += 1;
                    }
                }
            }
        }
        sum
    }

    fn instead(&self) -> String {
        self.instead.iter().map(|(code, n)| format!("{code} x{n}")).collect::<Vec<_>>().join(", ")
    }
}

/// Staged against answered, a line for each code in the order of the layers, and one for all that is healthy.
pub(crate) fn confusion(rows: &[Row]) -> String {
    let asked = || rows.iter().filter(|row| row.answered.is_some());
    if asked().next().is_none() {
        return String::new();
    }
    let mut text =
        "| staged | states | root named first | another first | false causes | *proven* and wrong |\n|---|--:|--:|---|--:|--:|\n"
            .to_owned();
    for cause in Cause::ALL {
        let sum = Sum::of(asked().filter(|row| row.nature == Nature::Broken && row.code() == cause.code()));
        if sum.faults > 0 {
            let instead = sum.instead();
            let _ =
                writeln!(text, "| {cause} | {} | {} | {instead} | {} | {} |", sum.faults, sum.right, sum.false_causes, sum.falsely_proven);
        }
    }
    let all = Sum::of(asked().filter(|row| row.nature == Nature::Broken));
    let healthy = Sum::of(asked().filter(|row| row.nature == Nature::Healthy));
    let _ = writeln!(text, "| all faults | {} | {} | | {} | {} |", all.faults, all.right, all.false_causes, all.falsely_proven);
    let _ = writeln!(text, "| healthy look-alikes | {} | | | {} | {} |", healthy.healthy, healthy.accused, healthy.falsely_proven);
    text
}

/// The same sums, a line for each topology.
pub(crate) fn by_kind(rows: &[Row]) -> String {
    let mut text =
        "| topology | staged faults | root named first | *proven* and wrong | healthy states | false causes there |\n|---|--:|--:|--:|--:|--:|\n"
            .to_owned();
    let mut line = |name: &str, sum: &Sum| {
        if sum.faults + sum.healthy > 0 {
            let Sum { faults, right, falsely_proven, healthy, accused, .. } = sum;
            let _ = writeln!(text, "| {name} | {faults} | {right} | {falsely_proven} | {healthy} | {accused} |");
        }
    };
    for kind in Kind::ALL {
        line(kind.name(), &Sum::of(rows.iter().filter(|row| row.kind == Some(kind))));
    }
    line("together", &Sum::of(rows.iter()));
    let look_alikes: BTreeSet<&str> = rows.iter().filter(|row| row.nature == Nature::Healthy).map(|row| row.staged.as_str()).collect();
    let _ = writeln!(text, "{} distinct healthy look-alikes", look_alikes.len());
    text
}

/// The codes that no case stages, and why.
pub(crate) fn unstaged() -> String {
    let mut text = "not staged here:\n".to_owned();
    for (cause, why) in unstaged::list() {
        let _ = writeln!(text, "{:<28} {why}", cause.code());
    }
    text
}

/// How many distinct codes were staged and answered right everywhere they were asked, and which.
pub(crate) fn codes(rows: &[Row]) -> String {
    let mut right: BTreeMap<&str, bool> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.nature == Nature::Broken && row.verdict != Verdict::Planned) {
        let passed = row.verdict == Verdict::Pass && row.answered.is_some();
        // Where several are right, the one that was answered counts.
        let code = row.answered.as_deref().filter(|_| passed).or(row.roots.first().copied()).unwrap_or_default();
        *right.entry(code).or_insert(true) &= passed;
    }
    let list: Vec<&str> = right.into_iter().filter_map(|(code, right)| right.then_some(code)).collect();
    format!("{} distinct codes right wherever asked: {}", list.len(), list.join(" "))
}

/// Median and maximum of the product's own `took_ms`, healthy and broken.
pub(crate) fn timings(rows: &[Row]) -> String {
    let mut text = String::new();
    for (what, nature) in [("healthy", Nature::Healthy), ("broken", Nature::Broken), ("hostile", Nature::Hostile)] {
        let mut times: Vec<f64> = rows.iter().filter(|row| row.nature == nature).filter_map(|row| row.took_ms).collect();
        times.sort_unstable_by(f64::total_cmp);
        if let (Some(median), Some(most)) = (times.get(times.len() / 2), times.last()) {
            let _ = writeln!(text, "{what}: {} runs, median {median:.0} ms, max {most:.0} ms", times.len());
        }
    }
    text
}
