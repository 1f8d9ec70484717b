//! The incidents that a log tells of: the last record of each.

use crate::model::{Body, IncidentId, Phase, Record};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

/// Incidents that are told of at most; older ones are left out and that is said.
const MOST: usize = 1000;

/// Which incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Those with a record not older than this, and those that are open; `None` = all.
    pub since: Option<Duration>,
    /// Only those that are not over.
    pub only_open: bool,
}

/// What was found so far.
#[derive(Debug)]
pub struct Found {
    wanted: Wanted,
    now: Timestamp,
    /// The last record of each incident, by its name, and in which order the names came.
    last: BTreeMap<String, (u64, Record)>,
    taken: u64,
    left_out: bool,
    /// The epoch of the last line.
    epoch: String,
}

/// The document `incidents/1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incidents {
    /// `incidents/1`.
    pub schema: String,
    /// Older ones were left out.
    pub left_out: bool,
    /// The last record of each incident, the oldest incident first.
    pub incidents: Vec<Record>,
    /// Those of them that were open when their epoch of the log was lost: they are over, and nobody knows since when.
    #[serde(default)]
    pub lost: Vec<IncidentId>,
}

impl Found {
    /// Nothing yet.
    pub fn new(wanted: Wanted, now: Timestamp) -> Self {
        Self { wanted, now, last: BTreeMap::new(), taken: 0, left_out: false, epoch: String::new() }
    }

    /// Takes a line of the log in. What is no record of an incident, or one of a later version, is passed over.
    pub fn take(&mut self, line: &[u8]) -> ControlFlow<()> {
        let Ok(record) = serde_json::from_slice::<Record>(line) else { return ControlFlow::Continue(()) };
        if self.epoch != record.epoch {
            self.epoch.clone_from(&record.epoch);
        }
        if let Body::Incident(body) = &record.body {
            let name = body.incident.id.to_string();
            self.taken += 1;
            let place = self.last.get(&name).map_or(self.taken, |(place, _)| *place);
            self.last.insert(name, (place, record));
            if self.last.len() > MOST {
                self.make_room();
            }
        }
        ControlFlow::Continue(())
    }

    /// Drops the oldest that is over, or else the oldest.
    fn make_room(&mut self) {
        let oldest = |only_over: bool| {
            let some = self.last.iter().filter(|(_, (_, record))| !only_over || !is_open(record, &self.epoch));
            some.min_by_key(|(_, (place, _))| *place).map(|(name, _)| name.clone())
        };
        if let Some(name) = oldest(true).or_else(|| oldest(false)) {
            self.last.remove(&name);
            self.left_out = true;
        }
    }

    /// What is wanted of it.
    pub fn incidents(self) -> Incidents {
        let Self { wanted, now, last, left_out, epoch, .. } = self;
        let mut found: Vec<(u64, Record)> = last.into_values().filter(|(_, record)| is_wanted(record, &epoch, wanted, now)).collect();
        found.sort_by_key(|(place, _)| *place);
        let incidents: Vec<Record> = found.into_iter().map(|(_, record)| record).collect();
        let lost = incidents.iter().filter_map(|record| unresolved(record).filter(|_| record.epoch != epoch).cloned()).collect();
        Incidents { schema: "incidents/1".to_owned(), left_out, incidents, lost }
    }

    /// As one line of JSON.
    pub fn to_json(self) -> String {
        serde_json::to_string(&self.incidents()).expect("plain data with string keys always serialises")
    }
}

/// The incident that this record leaves unresolved.
fn unresolved(record: &Record) -> Option<&IncidentId> {
    match &record.body {
        Body::Incident(body) if body.incident.phase != Phase::Resolved => Some(&body.incident.id),
        Body::Incident(_) | Body::Agent { .. } => None,
    }
}

/// `epoch` is the newest: what is open in it stands in it, because each incident that is taken up into a new epoch is recorded there again.
fn is_open(record: &Record, epoch: &str) -> bool {
    unresolved(record).is_some() && record.epoch == epoch
}

fn is_wanted(record: &Record, epoch: &str, wanted: Wanted, now: Timestamp) -> bool {
    if is_open(record, epoch) {
        return true;
    }
    let recent = wanted.since.is_none_or(|since| {
        let age = now.as_millisecond().saturating_sub(record.time.wall.as_millisecond());
        u128::try_from(age).unwrap_or(0) <= since.as_millis()
    });
    !wanted.only_open && recent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Terminal;
    use crate::model::{ClockState, Stamp, TerminalCard, Time};
    use serde_json::json;

    const NOW: i64 = 1_000_000;

    /// A line of the log: which incident, where it stands, how many seconds ago.
    fn line(opened: u64, phase: &str, ago: i64) -> Vec<u8> {
        let at = Timestamp::from_second(NOW - ago).expect("it is in the calendar");
        let at = Stamp { boot_id: "b".to_owned(), boottime_ms: 1, wall: at, offset_s: 0, clock: ClockState::Synchronised };
        let time = json!(Time::from(&at));
        let card = TerminalCard::of(&Terminal::default(), None, None, "");
        let record = json!({
            "schema": "incident/1", "event_id": "", "epoch": "e", "seq": opened, "time": time, "kind": "incident",
            "terminal": card,
            "incident": {"id": format!("e/{opened}"), "fingerprint": "disconnection:local", "kind": "disconnection", "phase": phase, "rev": 1,
                "opened_seq": opened, "change": "raised", "occurrences": 1, "flapping": false, "part_of": null, "resolution": null,
                "centres": [], "since": time, "duration_ms": 0, "planned": null},
            "cause": {"code": "unknown", "layer": null, "object": "", "severity": "high", "certainty": "possible", "alternatives": [],
                "history": []},
            "rule": null, "origin": null, "comments": [], "who_acts": [], "remedy": {"key": "", "args": {}}, "evidence": [], "grant": null
        });
        record.to_string().into_bytes()
    }

    fn found(lines: &[Vec<u8>], wanted: Wanted) -> Vec<(u64, Phase)> {
        let mut found = Found::new(wanted, Timestamp::from_second(NOW).expect("it is in the calendar"));
        for line in lines {
            assert_eq!(found.take(line), ControlFlow::Continue(()));
        }
        let body = |record: Record| match record.body {
            Body::Incident(body) => (body.incident.opened_seq, body.incident.phase),
            Body::Agent { .. } => panic!("only incidents are listed"),
        };
        found.incidents().incidents.into_iter().map(body).collect()
    }

    #[test]
    fn the_last_record_of_each_counts_in_the_order_of_their_beginning() {
        let lines = [line(1, "opened", 50), line(2, "opened", 40), line(1, "resolved", 30), b"not a record".to_vec(), Vec::new()];
        assert_eq!(found(&lines, Wanted::default()), [(1, Phase::Resolved), (2, Phase::Opened)]);
        assert_eq!(found(&lines, Wanted { only_open: true, ..Wanted::default() }), [(2, Phase::Opened)]);
    }

    #[test]
    fn what_was_open_when_its_epoch_was_lost_is_over_and_nobody_knows_since_when() {
        let later = |line: Vec<u8>| String::from_utf8(line).expect("text").replace(r#""epoch":"e""#, r#""epoch":"f""#).into_bytes();
        let lines = [line(1, "opened", 50), line(2, "opened", 40), line(3, "opened", 35)];
        let told = |lines: &[Vec<u8>], only_open| {
            let wanted = Wanted { only_open, ..Wanted::default() };
            let mut all = Found::new(wanted, Timestamp::from_second(NOW).expect("it is in the calendar"));
            assert!(lines.iter().all(|line| all.take(line).is_continue()));
            let told = all.incidents();
            let seqs = told.incidents.iter().filter_map(|record| unresolved(record).map(|id| id.seq)).collect::<Vec<_>>();
            (seqs, told.lost.iter().map(|id| id.seq).collect::<Vec<_>>())
        };
        // The daemon is dead, or has not written since: nothing is known yet.
        assert_eq!(told(&lines, true), (vec![1, 2, 3], vec![]));
        // In the new epoch one was taken up, one was resolved, and of one nothing is known.
        let anew = [&lines[..], &[later(line(1, "updated", 30)), later(line(2, "resolved", 20))]].concat();
        assert_eq!(told(&anew, true), (vec![1], vec![]));
        assert_eq!(told(&anew, false), (vec![1, 3], vec![3]));
    }

    #[test]
    fn what_is_open_is_never_too_old() {
        let lines = [line(1, "resolved", 500), line(2, "opened", 500), line(3, "resolved", 5)];
        let lately = Wanted { since: Some(Duration::from_mins(1)), only_open: false };
        assert_eq!(found(&lines, lately), [(2, Phase::Opened), (3, Phase::Resolved)]);
    }

    #[test]
    fn of_too_many_the_oldest_that_is_over_goes_and_that_is_said() {
        let mut all = Found::new(Wanted::default(), Timestamp::from_second(NOW).expect("it is in the calendar"));
        let _ = all.take(&line(1, "opened", 9));
        for n in 2..MOST as u64 + 3 {
            let _ = all.take(&line(n, "resolved", 9));
        }
        let told = all.incidents();
        assert!(told.left_out);
        assert_eq!(told.incidents.len(), MOST);
        assert_eq!((told.incidents[0].seq, told.incidents[1].seq), (1, 4));
    }
}
