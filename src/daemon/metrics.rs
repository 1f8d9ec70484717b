//! Figures in the text format of Prometheus (0.0.4). Pure.

use super::tally::Tally;
use crate::report::{LogHealth, LogState};
use std::fmt::Write;

/// What is measured, besides the counters.
#[derive(Debug)]
pub struct Gauges<'a> {
    /// Every critical centre can be used; `None` = could not tell.
    pub connected: Option<bool>,
    /// Open incidents, by kind.
    pub open: &'a [(&'static str, u64)],
    /// The log.
    pub log: &'a LogHealth,
    /// The start, seconds since 1970.
    pub started: i64,
}

/// All of it.
pub fn render(tally: &Tally, gauges: &Gauges<'_>) -> String {
    let mut page = Page::default();
    page.family("isonet_info", "gauge", "The running agent.");
    page.sample("isonet_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.family("isonet_start_time_seconds", "gauge", "When it started, by the wall clock.");
    page.sample("isonet_start_time_seconds", &[], gauges.started);
    page.family("isonet_connected", "gauge", "Whether every critical centre can be used: the one state that holds is 1.");
    for (state, holds) in [("yes", Some(true)), ("no", Some(false)), ("unknown", None)] {
        page.sample("isonet_connected", &[("state", state)], u8::from(gauges.connected == holds));
    }
    page.family("isonet_looks_total", "counter", "Looks that have ended.");
    page.sample("isonet_looks_total", &[("kind", "round")], tally.rounds);
    page.sample("isonet_looks_total", &[("kind", "pulse")], tally.pulses);
    page.family("isonet_service_failures_total", "counter", "Pulses in which a service could not be used.");
    for (service, count) in &tally.failures {
        page.sample("isonet_service_failures_total", &[("service", service)], count);
    }
    page.family("isonet_incidents_opened_total", "counter", "Incidents opened, by the cause they were opened with.");
    for (cause, count) in &tally.opened {
        page.sample("isonet_incidents_opened_total", &[("cause", cause)], count);
    }
    page.family("isonet_incidents_open", "gauge", "Incidents that are open.");
    for (kind, count) in gauges.open {
        page.sample("isonet_incidents_open", &[("kind", kind)], count);
    }
    page.family("isonet_records_total", "counter", "Records that have reached the disk.");
    page.sample("isonet_records_total", &[], gauges.log.recorded);
    page.family("isonet_records_waiting", "gauge", "Records that wait for the disk.");
    page.sample("isonet_records_waiting", &[], gauges.log.waiting);
    page.family("isonet_log_healthy", "gauge", "1 = records reach the disk.");
    page.sample("isonet_log_healthy", &[], u8::from(gauges.log.state == LogState::Well));
    let late = tally.lateness;
    page.family("isonet_loop_lateness_seconds", "summary", "How late the loop was for its deadlines.");
    page.sample("isonet_loop_lateness_seconds_sum", &[], late.sum.as_secs_f64());
    page.sample("isonet_loop_lateness_seconds_count", &[], late.count);
    page.family("isonet_loop_lateness_seconds_max", "gauge", "The worst of it.");
    page.sample("isonet_loop_lateness_seconds_max", &[], late.most.as_secs_f64());
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.line(format_args!("{name}{labels} {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{line}").expect("a string takes everything");
    }
}

/// A label's value: names come from the configuration and may hold anything.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn names_cannot_break_out_of_their_label() {
        let mut tally = Tally::default();
        tally.failures.insert("a\"} 1\nevil_total \\".to_owned(), 2);
        tally.late(Duration::from_millis(1500));
        let log = LogHealth { state: LogState::Well, trouble: None, recorded: 7, waiting: 0 };
        let text = render(&tally, &Gauges { connected: None, open: &[("disconnection", 1)], log: &log, started: 5 });
        assert!(text.contains("isonet_service_failures_total{service=\"a\\\"} 1\\nevil_total \\\\\"} 2\n"), "{text}");
        assert!(text.contains("isonet_connected{state=\"unknown\"} 1\n"), "{text}");
        assert!(text.contains("isonet_incidents_open{kind=\"disconnection\"} 1\n"), "{text}");
        assert!(text.contains("isonet_loop_lateness_seconds_sum 1.5\n"), "{text}");
        for line in text.lines() {
            assert!(line.starts_with("# HELP isonet_") || line.starts_with("# TYPE isonet_") || line.starts_with("isonet_"), "{line}");
        }
    }
}
