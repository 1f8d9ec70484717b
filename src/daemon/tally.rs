//! What has happened since the start, counted for a monitoring system.

use crate::incident::Input;
use crate::model::{Draft, Phase, What};
use std::collections::BTreeMap;
use std::time::Duration;

/// The counters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Rounds that have ended.
    pub rounds: u64,
    /// Pulses that have ended.
    pub pulses: u64,
    /// Pulses in which a service could not be used, by service.
    pub failures: BTreeMap<String, u64>,
    /// Incidents opened, by the cause they were opened with.
    pub opened: BTreeMap<String, u64>,
    /// Records that have reached the disk.
    pub recorded: u64,
    /// How late the loop was for its deadlines.
    pub lateness: Lateness,
}

/// Lateness over all deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lateness {
    /// Deadlines.
    pub count: u64,
    /// All of it.
    pub sum: Duration,
    /// The worst.
    pub most: Duration,
}

impl Tally {
    /// Something that the engine is about to take in.
    pub fn input(&mut self, input: &Input) {
        match input {
            Input::Pulse { services, .. } => {
                self.pulses += 1;
                for (service, _) in services.iter().filter(|(_, usable)| **usable == Some(false)) {
                    *self.failures.entry(service.clone()).or_default() += 1;
                }
            }
            Input::Round { .. } => self.rounds += 1,
            Input::Due | Input::NetworkChanged | Input::RoundWanted | Input::Watched(..) | Input::Reconfigured(_) => {}
        }
    }

    /// Something that is to be recorded.
    pub fn draft(&mut self, draft: &Draft) {
        if let What::Incident(incident) = &draft.what
            && incident.phase == Phase::Opened
        {
            *self.opened.entry(incident.cause.code.clone()).or_default() += 1;
        }
    }

    /// The loop came so late to a deadline.
    pub fn late(&mut self, by: Duration) {
        self.lateness.count += 1;
        self.lateness.sum += by;
        self.lateness.most = self.lateness.most.max(by);
    }
}
