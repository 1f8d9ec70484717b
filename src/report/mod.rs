//! A diagnosis for a reader: text for people, JSON for programs, one number for scripts.
//!
//! Pure: everything comes in as values, a string comes out. Nothing here prints, reads a clock or looks at the terminal.

mod answer;
mod evidence;
mod facing;
mod heard;
mod html;
mod incidents;
mod json;
mod open;
pub mod page;
mod progress;
mod retirement;
mod sent;
mod status;
mod text;

pub use evidence::evidence_page;
pub use facing::{Facing, Help, Style};
pub use heard::{Network, Source};
pub use html::to_html;
pub use incidents::{record_line, render_incidents};
pub use json::{SCHEMA, to_json};
pub use open::OpenIncident;
pub use progress::progress;
pub use retirement::{FinalReport, LogAtEnd, Unit};
pub use sent::{Enrolled, what_is_sent};
pub use status::{Agent, LogHealth, LogState, STATUS_SCHEMA, SinkState, Standing, Status, View, Watcher, render_status};
pub(crate) use text::{CLOSING, OPENING};
pub use text::{explain_cause, explain_finding, explain_list, explain_origin, explain_symptoms, explain_unknown, list_symptoms, render};

use crate::catalogue::Lang;
use crate::model::{Diagnosis, Isolation, Severity};

/// The first sentence of every report: whether one can settle, and whose fault it is not.
pub fn sentence(diagnosis: &Diagnosis, facing: &Facing, lang: Lang) -> String {
    text::first(&answer::Answer::of(diagnosis, facing), lang)
}

/// The exit status of `diagnose`: 0 connected and nothing wrong, 10 degraded, 20 disconnected, 30 isolation broken (wins over the
/// others), 40 could not tell. A merely suspect isolation and verdicts of severity `info` do not change it.
pub fn exit_status(diagnosis: &Diagnosis) -> u8 {
    if diagnosis.isolation == Isolation::Broken {
        return 30;
    }
    match diagnosis.connected {
        Some(true) if diagnosis.verdicts.iter().all(|verdict| verdict.severity == Severity::Info) => 0,
        Some(true) => 10,
        Some(false) => 20,
        None => 40,
    }
}

#[cfg(test)]
mod tests {
    use super::exit_status;
    use crate::model::{Cause, Certainty, Diagnosis, Isolation, Severity, Subject, Verdict};

    fn diagnosis(connected: Option<bool>, severity: Option<Severity>) -> Diagnosis {
        let verdict = |severity| Verdict {
            cause: Cause::DnsSlow,
            subject: Subject::Terminal,
            certainty: Certainty::Likely,
            severity,
            disconnects: false,
            who_acts: Vec::new(),
            evidence: Vec::new(),
            ruled_out: Vec::new(),
            explains: Vec::new(),
        };
        Diagnosis {
            connected,
            services: Vec::new(),
            isolation: Isolation::Unknown,
            path: Vec::new(),
            verdicts: severity.map(verdict).into_iter().collect(),
            notes: Vec::new(),
            blind: Vec::new(),
        }
    }

    #[test]
    fn the_status_says_fine_degraded_disconnected_or_could_not_tell() {
        assert_eq!(exit_status(&diagnosis(Some(true), None)), 0);
        assert_eq!(exit_status(&diagnosis(Some(true), Some(Severity::Info))), 0);
        assert_eq!(exit_status(&diagnosis(Some(true), Some(Severity::Low))), 10);
        assert_eq!(exit_status(&diagnosis(Some(false), Some(Severity::Critical))), 20);
        assert_eq!(exit_status(&diagnosis(Some(false), None)), 20);
        assert_eq!(exit_status(&diagnosis(None, None)), 40);
    }

    #[test]
    fn broken_isolation_wins_and_a_suspicion_does_not() {
        for connected in [Some(true), Some(false), None] {
            let mut broken = diagnosis(connected, None);
            broken.isolation = Isolation::Broken;
            assert_eq!(exit_status(&broken), 30);
        }
        let mut suspect = diagnosis(Some(true), None);
        suspect.isolation = Isolation::Suspect;
        assert_eq!(exit_status(&suspect), 0);
    }
}
