//! What a pass showed: case, expected, got, latency. Markdown, to be pasted into a page.

use crate::cases::Case;

/// How a case ended.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    /// As fixed beforehand: what was got, and how long after the kernel's event where that was measured.
    Passed(Got),
    Failed(String),
    Skipped(String),
}

/// What a case that went well has to show.
#[derive(Debug, Clone, Default)]
pub(crate) struct Got {
    pub(crate) what: String,
    pub(crate) latency_ms: Option<i64>,
}

impl Got {
    /// Without a latency.
    pub(crate) fn of(what: impl Into<String>) -> Got {
        Got { what: what.into(), latency_ms: None }
    }

    #[must_use]
    pub(crate) fn after(mut self, latency_ms: i64) -> Got {
        self.latency_ms = Some(latency_ms);
        self
    }
}

/// The table and the last line; whether nothing failed.
pub(crate) fn print(rows: &[(Case, Ending)]) -> bool {
    println!("\n| case | expected | got | latency |\n|---|---|---|---|");
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (case, ending) in rows {
        let (got, latency) = match ending {
            Ending::Passed(got) => {
                passed += 1;
                (got.what.clone(), got.latency_ms.map_or(String::new(), |ms| format!("{ms} ms")))
            }
            Ending::Failed(why) => {
                failed += 1;
                (format!("FAILED: {}", first_line(why)), String::new())
            }
            Ending::Skipped(why) => {
                skipped += 1;
                (format!("SKIPPED: {why}"), String::new())
            }
        };
        println!("| {} | {} | {got} | {latency} |", case.name, case.expected);
    }
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
    failed == 0
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
