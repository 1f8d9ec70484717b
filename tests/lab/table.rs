//! What a pass showed: the confusion table, the timings, the last line. Markdown, to be pasted into the README.

use std::collections::BTreeMap;
use std::fmt::Write as _;

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
    /// The staged cause, or the healthy twin's name.
    pub(crate) staged: String,
    /// The codes that were due first; empty where none was.
    pub(crate) roots: &'static [&'static str],
    /// The cause answered first; none if the product was not asked.
    pub(crate) answered: Option<String>,
    /// The certainty that was due.
    pub(crate) due: String,
    pub(crate) nature: Nature,
    pub(crate) took_ms: Option<f64>,
}

impl Row {
    /// A pass that fell over: the lab's own fault, and a failure.
    pub(crate) fn broken_lab() -> Row {
        Row {
            verdict: Verdict::Fail,
            staged: "the lab itself".to_owned(),
            roots: &[],
            answered: None,
            due: String::new(),
            nature: Nature::Hostile,
            took_ms: None,
        }
    }
}

pub(crate) fn count(rows: &[Row], verdict: Verdict) -> usize {
    rows.iter().filter(|row| row.verdict == verdict).count()
}

/// Staged against answered, one line a staged state.
pub(crate) fn confusion(rows: &[Row]) -> String {
    let mut order: Vec<&str> = Vec::new();
    let mut lines: BTreeMap<&str, Line<'_>> = BTreeMap::new();
    for row in rows {
        let Some(answered) = &row.answered else {
            continue;
        };
        if !order.contains(&row.staged.as_str()) {
            order.push(&row.staged);
        }
        let line = lines.entry(&row.staged).or_default();
        line.due = &row.due;
        line.asked += 1;
        line.right += usize::from(row.verdict == Verdict::Pass);
        line.planned += usize::from(row.verdict == Verdict::Planned);
        *line.answers.entry(answered).or_default() += 1;
    }
    if order.is_empty() {
        return String::new();
    }
    let mut text = "| staged | due | asked | right | root cause answered |\n|---|---|--:|--:|---|\n".to_owned();
    for staged in order {
        let line = &lines[staged];
        let answers: Vec<String> = line.answers.iter().map(|(cause, n)| format!("{cause} x{n}")).collect();
        let planned = if line.planned > 0 { " (PLANNED)" } else { "" };
        let _ = writeln!(text, "| {staged}{planned} | {} | {} | {} | {} |", line.due, line.asked, line.right, answers.join(", "));
    }
    text
}

#[derive(Default)]
struct Line<'a> {
    due: &'a str,
    asked: usize,
    right: usize,
    planned: usize,
    answers: BTreeMap<&'a str, usize>,
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
