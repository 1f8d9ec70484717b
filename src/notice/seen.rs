//! What of `status/1` matters to a notice. Read leniently: a desktop session outlives an upgrade of the daemon.

use super::{QUIET, QUIET_AGAIN, Topic};
use serde::Deserialize;
use std::time::Duration;

/// The status as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Seen {
    /// When the last round ended; `None` = the first is under way.
    pub looked_at: Option<String>,
    /// One can settle; `None` = could not tell.
    pub connected: Option<bool>,
    /// The code of an [`Isolation`](crate::model::Isolation).
    pub isolation: String,
    /// What a person is told.
    pub say: Said,
    /// The oldest first.
    pub open_incidents: Vec<Incident>,
}

/// What a person is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Said {
    /// The one act.
    pub act: Option<String>,
    /// The separation from the internet.
    pub isolation: String,
}

/// An open incident; the codes are those of [`OpenIncident`](crate::report::OpenIncident).
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Incident {
    /// `None` = its first record is not on disk.
    pub id: Option<String>,
    /// `disconnection`, `finding`, ...
    pub kind: String,
    /// The code of its cause.
    pub cause: String,
    /// The cause in words.
    pub title: String,
    /// `proven`, `likely`, `possible`.
    pub certainty: String,
    /// `critical`, `high`, ...
    pub severity: String,
    /// Its first sign.
    pub since: String,
    /// How often it came.
    pub occurrences: u32,
    /// It comes and goes.
    pub flapping: bool,
    /// The note of the window that it began in.
    pub planned: Option<String>,
}

/// Which incident, across looks.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) topic: Topic,
    id: Option<String>,
    /// Tells it until it has an id: where the disk is full it never gets one.
    sign: String,
}

impl Subject {
    pub(super) fn is(&self, other: &Self) -> bool {
        let same_id = match (&self.id, &other.id) {
            (Some(one), Some(another)) => one == another,
            _ => self.sign == other.sign,
        };
        self.topic == other.topic && same_id
    }

    pub(super) fn learn(&mut self, other: &Self) {
        if self.id.is_none() {
            self.id.clone_from(&other.id);
        }
    }
}

/// Something open that is told of.
#[derive(Debug)]
pub(super) struct Open<'a> {
    pub(super) subject: Subject,
    /// `None` = the status alone says so.
    pub(super) incident: Option<&'a Incident>,
    pub(super) planned: bool,
}

impl Open<'_> {
    pub(super) fn flaps(&self) -> bool {
        self.incident.is_some_and(|incident| incident.flapping)
    }

    /// For so long its end must last. The daemon has waited already for one that comes and goes.
    pub(super) fn quiet(&self) -> Duration {
        match self.incident {
            Some(it) if it.occurrences > 1 && !it.flapping => QUIET_AGAIN,
            _ => QUIET,
        }
    }
}

impl Seen {
    /// All that is open and is told of, the oldest first.
    pub(super) fn subjects(&self) -> Vec<Open<'_>> {
        let mut found: Vec<Open<'_>> = self.open_incidents.iter().filter_map(Open::of).collect();
        // The round may prove it a moment before there is an incident.
        if self.isolation == "broken" && found.iter().all(|it| it.subject.topic != Topic::Isolation) {
            let subject = Subject { topic: Topic::Isolation, id: None, sign: "status".to_owned() };
            found.push(Open { subject, incident: None, planned: false });
        }
        found
    }
}

impl<'a> Open<'a> {
    fn of(incident: &'a Incident) -> Option<Self> {
        let topic = match (incident.kind.as_str(), incident.cause.split('.').next()) {
            ("disconnection", _) => Topic::Settlement,
            ("finding", Some("isolation")) if incident.severity == "critical" => Topic::Isolation,
            ("finding", Some("usb")) => Topic::Usb,
            _ => return None,
        };
        // The cause of a disconnection becomes clearer, and it stays the same one.
        let about = if topic == Topic::Settlement { "" } else { &incident.cause };
        let subject = Subject { topic, id: incident.id.clone(), sign: format!("{} {about}", incident.since) };
        Some(Self { subject, incident: Some(incident), planned: incident.planned.is_some() })
    }
}
