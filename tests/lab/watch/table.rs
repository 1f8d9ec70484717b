//! Detection and recovery times as markdown, to be pasted into the README.

use std::collections::BTreeMap;

use crate::plan::Kind;

use super::faults::Goal;

/// How one fault under the daemon's eyes went.
#[derive(Debug, Clone)]
pub(crate) struct Timing {
    pub(crate) fault: String,
    /// None where the lab itself fell over.
    pub(crate) kind: Option<Kind>,
    pub(crate) goal: Goal,
    /// Just before it was staged.
    pub(crate) begun_ms: u64,
    /// Just before it was taken back.
    pub(crate) healing_ms: u64,
    /// From `begun_ms` until the incident could be read from the log.
    pub(crate) opened_ms: Option<u64>,
    /// The same for its right cause.
    pub(crate) named_ms: Option<u64>,
    /// What it was opened with, in a line.
    pub(crate) first: String,
    /// From the lab's own proof that it is gone; 0 = before that proof.
    pub(crate) resolved_ms: Option<u64>,
    /// Empty = all as it must be, but perhaps late.
    pub(crate) wrong: Vec<String>,
    /// Which times miss their goals.
    pub(crate) late: Vec<String>,
    /// Late, and therefore staged once more.
    pub(crate) again: bool,
    /// What helps to find out why, if something is wrong or late.
    pub(crate) details: Vec<String>,
}

impl Timing {
    pub(crate) fn of(fault: &str, kind: Kind, goal: Goal) -> Timing {
        Timing {
            fault: fault.to_owned(),
            kind: Some(kind),
            goal,
            begun_ms: 0,
            healing_ms: 0,
            opened_ms: None,
            named_ms: None,
            first: String::new(),
            resolved_ms: None,
            wrong: Vec::new(),
            late: Vec::new(),
            again: false,
            details: Vec::new(),
        }
    }

    pub(crate) fn broken_lab() -> Timing {
        let lost = vec!["the lab itself fell over".to_owned()];
        Timing { kind: None, wrong: lost, ..Timing::of("", Kind::Leased, Goal::Beyond) }
    }
}

pub(crate) fn markdown(timings: &[Timing]) -> String {
    let mut faults: BTreeMap<(u64, &str), Vec<&Timing>> = BTreeMap::new();
    for timing in timings.iter().filter(|timing| timing.named_ms.is_some()) {
        faults.entry((timing.goal.ms(), &timing.fault)).or_default().push(timing);
    }
    let mut text = "| fault | on | staged | goal | opened: median | max | cause named: max | resolved: median | max |\n\
                    |---|---|---:|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for ((goal, fault), rows) in &faults {
        let kinds: std::collections::BTreeSet<&str> = rows.iter().filter_map(|row| row.kind.map(Kind::name)).collect();
        let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
        text.push_str(&format!("| {fault} | {kinds} | {} | {} s |{}\n", rows.len(), goal / 1000, columns(rows)));
    }
    let all: Vec<&Timing> = faults.values().flatten().copied().collect();
    text.push_str(&format!("| **all {}** | | {} | |{}\n", faults.len(), all.len(), columns(&all)));
    text
}

fn columns(rows: &[&Timing]) -> String {
    let column = |time: fn(&Timing) -> Option<u64>| {
        let mut times: Vec<u64> = rows.iter().filter_map(|row| time(row)).collect();
        times.sort_unstable();
        times
    };
    let (opened, named, resolved) = (column(|row| row.opened_ms), column(|row| row.named_ms), column(|row| row.resolved_ms));
    let median = |times: &[u64]| {
        let middle = |at: usize| times.get(at).copied();
        seconds(middle(times.len() / 2).zip(middle(times.len().saturating_sub(1) / 2)).map(|(upper, lower)| u64::midpoint(upper, lower)))
    };
    let max = |times: &[u64]| seconds(times.last().copied());
    format!(" {} | {} | {} | {} | {} |", median(&opened), max(&opened), max(&named), median(&resolved), max(&resolved))
}

fn seconds(ms: Option<u64>) -> String {
    ms.map_or("-".to_owned(), |ms| format!("{}.{:02} s", ms / 1000, ms % 1000 / 10))
}
