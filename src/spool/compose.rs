//! From what the engine says to a record, and back from a record to an incident. Pure.

use crate::model::{
    AgentEvent, Body, Change, Fingerprint, Incident, IncidentBody, IncidentCard, IncidentId, IncidentKind, Phase, RECORD_SCHEMA, Record,
    Remedy, RuleReference, Severity, Stamp, TerminalCard, Time,
};
use std::collections::BTreeMap;

/// Evidence and earlier causes that are left where a record would be too large.
const FEW: usize = 8;

/// A record in its place.
pub(super) fn record(epoch: &str, seq: u64, at: &Stamp, card: &TerminalCard, body: Body) -> Record {
    Record {
        schema: RECORD_SCHEMA.to_owned(),
        event_id: event_id(at),
        epoch: epoch.to_owned(),
        seq,
        terminal: card.clone(),
        time: Time::from(at),
        body,
    }
}

/// UUID version 7 of the wall clock, right or wrong; what is random in it keeps it unique where the clock does not.
fn event_id(at: &Stamp) -> String {
    let seconds = u64::try_from(at.wall.as_second()).unwrap_or(0);
    let nanos = u32::try_from(at.wall.subsec_nanosecond()).unwrap_or(0);
    uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos)).to_string()
}

/// A new epoch.
pub(super) fn new_epoch(at: &Stamp) -> String {
    event_id(at)
}

/// What a record says about the agent.
pub(super) fn agent_body(event: AgentEvent) -> Body {
    let severity = match &event {
        AgentEvent::Started | AgentEvent::Stopped { .. } => Severity::Info,
        AgentEvent::Gap { .. } | AgentEvent::TornTail { .. } | AgentEvent::Granted { .. } | AgentEvent::GrantRevoked { .. } => {
            Severity::Low
        }
        AgentEvent::SpoolGap { reason, .. } if reason == "damage" => Severity::High,
        AgentEvent::PolicyChanged { weakened, .. } if weakened.is_empty() => Severity::Info,
        AgentEvent::KeyChanged { reason, .. } if reason == "first" => Severity::Info,
        AgentEvent::KeyChanged { .. }
        | AgentEvent::SpoolGap { .. }
        | AgentEvent::Coalesced { .. }
        | AgentEvent::PolicyChanged { .. }
        | AgentEvent::Unreadable { .. } => Severity::Medium,
        AgentEvent::Tampered { .. } => Severity::High,
    };
    Body::Agent { severity, agent: event }
}

/// What a record says about an incident with this name, which touches this article.
pub fn body_of(incident: &Incident, id: &IncidentId, rule: Option<RuleReference>) -> Body {
    let same_boot = incident.since.boot_id == incident.at.boot_id && !incident.at.boot_id.is_empty();
    let card = IncidentCard {
        id: id.clone(),
        fingerprint: incident.fingerprint.to_string(),
        kind: incident.fingerprint.kind(),
        phase: incident.phase,
        rev: incident.rev,
        opened_seq: id.seq,
        change: incident.change,
        occurrences: incident.occurrences,
        flapping: incident.flapping,
        part_of: None,
        resolution: (incident.phase == Phase::Resolved).then_some(incident.change),
        centres: incident.centres.clone(),
        since: Time::from(&incident.since),
        duration_ms: same_boot.then(|| incident.at.boottime_ms.saturating_sub(incident.since.boottime_ms)),
        planned: incident.planned.clone(),
    };
    Body::Incident(Box::new(IncidentBody {
        incident: card,
        cause: incident.cause.clone(),
        rule,
        origin: incident.origin,
        comments: incident.comments.clone(),
        who_acts: incident.who_acts.clone(),
        remedy: Remedy { key: incident.cause.code.clone(), args: BTreeMap::new() },
        evidence: incident.evidence.clone(),
        grant: incident.grant.clone(),
    }))
}

/// Makes a record small: keeps the first evidence and the latest beliefs.
pub(super) fn shorten(body: &mut Body) {
    if let Body::Incident(incident) = body {
        incident.evidence.truncate(FEW);
        incident.cause.alternatives.truncate(FEW);
        let history = &mut incident.cause.history;
        history.drain(..history.len().saturating_sub(FEW));
    }
}

/// The incident as its last record has it, under a key of this run. `None` = the record is about no incident, or about one that this version
/// does not know.
pub fn incident_of(record: &Record, key: u64) -> Option<(IncidentId, Incident)> {
    let Body::Incident(body) = &record.body else { return None };
    let card = &body.incident;
    let incident = Incident {
        key,
        fingerprint: fingerprint(card.kind, &card.fingerprint)?,
        phase: card.phase,
        rev: card.rev,
        change: card.change,
        occurrences: card.occurrences,
        flapping: card.flapping,
        centres: card.centres.clone(),
        since: Stamp::from(&card.since),
        at: Stamp::from(&record.time),
        cause: body.cause.clone(),
        who_acts: body.who_acts.clone(),
        evidence: body.evidence.clone(),
        planned: card.planned.clone(),
        grant: body.grant.clone(),
        origin: body.origin,
        comments: body.comments.clone(),
    };
    Some((card.id.clone(), incident))
}

/// The same state once more, because the record that has it is to go.
pub(super) fn again(record: &Record) -> Body {
    let mut body = record.body.clone();
    if let Body::Incident(incident) = &mut body {
        incident.incident.phase = Phase::Updated;
        incident.incident.resolution = None::<Change>;
    }
    body
}

/// Reads what [`Fingerprint`] displays.
fn fingerprint(kind: IncidentKind, text: &str) -> Option<Fingerprint> {
    let (head, tail) = text.split_once(':')?;
    match kind {
        IncidentKind::Disconnection => (head == "disconnection").then(|| Fingerprint::Disconnection(tail.to_owned())),
        IncidentKind::Blindness => (head == "agent.degraded").then(|| Fingerprint::Blindness(tail.to_owned())),
        IncidentKind::Degradation => Some(Fingerprint::Degradation(head.to_owned().try_into().ok()?, tail.to_owned().try_into().ok()?)),
        IncidentKind::Finding => Some(Fingerprint::Finding(head.to_owned().try_into().ok()?, tail.to_owned().try_into().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{card, incident, stamp};
    use super::*;
    use crate::model::{Cause, Subject, What};

    fn sample(fingerprint: Fingerprint) -> Incident {
        let What::Incident(incident) = incident(7, Phase::Updated) else { unreachable!("it is one") };
        Incident { fingerprint, ..*incident }
    }

    #[test]
    fn an_incident_is_taken_up_as_it_was_recorded() {
        let cause = Cause::from_code("dns.slow").expect("a cause");
        for fingerprint in [
            Fingerprint::Disconnection("中心:a".to_owned()),
            Fingerprint::Degradation(cause, Subject::Resolver([10, 0, 0, 1].into())),
            Fingerprint::Blindness("icmp.echo".to_owned()),
        ] {
            let incident = sample(fingerprint);
            let id = IncidentId { epoch: "e".to_owned(), seq: 3 };
            let record = record("e", 9, &incident.at, &card(), body_of(&incident, &id, None));
            let line = serde_json::to_string(&record).expect("encodes");
            let read: Record = serde_json::from_str(&line).expect("decodes");
            assert_eq!(incident_of(&read, 7), Some((id, incident)));
        }
    }

    #[test]
    fn a_huge_record_is_shortened_and_keeps_the_latest_beliefs() {
        let mut large = sample(Fingerprint::Disconnection("c".to_owned()));
        large.evidence = vec![large.evidence[0].clone(); 2000];
        let mut body = body_of(&large, &IncidentId { epoch: "e".to_owned(), seq: 3 }, None);
        shorten(&mut body);
        assert!(serde_json::to_vec(&record("e", 1, &stamp(1), &card(), body)).expect("encodes").len() < crate::spool::LARGEST_LINE);
    }

    #[test]
    fn ids_differ_even_where_the_clock_stands_still_or_is_wrong() {
        let mut at = stamp(1);
        assert_ne!(event_id(&at), event_id(&at));
        at.wall = jiff::Timestamp::MIN;
        assert_eq!(event_id(&at).len(), 36);
    }
}
