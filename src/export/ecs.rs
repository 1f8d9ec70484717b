//! The Elastic Common Schema, version 8.
//!
//! `event.id` and `event.sequence` are the event id and the number of the record, `agent.ephemeral_id` its epoch; `event.severity` counts as in
//! syslog (2 = critical, 6 = informational). An open incident is an `alert`, everything else an `event`. `labels` hold words only, as the schema
//! wants; what has more to it stands below `isonet`, under the names of the record.

use super::strip;
use crate::catalogue::{Lang, told};
use crate::model::{AgentEvent, Body, IncidentBody, IncidentKind, Phase, Record};
use serde_json::{Map, Value, json};

/// The version that is spoken.
pub const VERSION: &str = "8.17.0";

/// The document of one record.
pub fn document(record: &Record, lang: Lang) -> Value {
    let (body, terminal, time) = (&record.body, &record.terminal, &record.time);
    let (mut event, mut labels) = match body {
        Body::Incident(incident) => (event_of_incident(incident), labels_of_incident(incident)),
        Body::Agent { agent, .. } => (event_of_agent(agent), Map::new()),
    };
    let common = json!({
        "id": record.event_id,
        "sequence": record.seq,
        "code": body.code(),
        "severity": body.severity().syslog(),
        "module": "isonet",
        "provider": "isonet",
        "timezone": offset(time.offset_s),
    });
    extend(&mut event, common);
    let place = json!({
        "region": terminal.region,
        "site": terminal.site,
        "line": terminal.line,
        "institution_kind": terminal.kind,
        "person_in_charge": terminal.person_in_charge,
        "policy": terminal.policy,
        "clock": time.clock.state,
    });
    extend(&mut labels, place);
    let mut document = json!({
        "@timestamp": time.wall.to_string(),
        "ecs": { "version": VERSION },
        "message": told(body, lang),
        "event": event,
        "log": { "level": body.severity().code() },
        "agent": { "type": "isonet", "version": terminal.agent, "ephemeral_id": record.epoch },
        "host": { "id": terminal.id, "boot": { "id": time.boot_id } },
        "organization": { "id": terminal.institution },
        "labels": labels,
        "isonet": isonet(body, time),
    });
    if let (Body::Incident(incident), Value::Object(document)) = (body, &mut document)
        && let Some(rule) = &incident.rule
    {
        let rule = json!({ "ruleset": rule.set, "version": rule.version, "id": rule.article, "author": [rule.issuer] });
        document.insert("rule".to_owned(), rule);
    }
    strip(document)
}

fn event_of_incident(body: &IncidentBody) -> Map<String, Value> {
    let card = &body.incident;
    let (kind, sort) = match card.phase {
        Phase::Opened => ("alert", "start"),
        Phase::Updated => ("alert", "info"),
        Phase::Resolved => ("event", "end"),
    };
    let category = match card.kind {
        IncidentKind::Disconnection | IncidentKind::Degradation => "network",
        IncidentKind::Blindness => "host",
        IncidentKind::Finding => "configuration",
    };
    object(json!({
        "kind": kind,
        "category": [category],
        "type": [sort],
        "action": format!("{}-{}", card.kind.code(), card.phase.code()),
        "reason": card.change.code(),
        "dataset": "isonet.incident",
        "start": card.since.wall.to_string(),
        "duration": card.duration_ms.map(|ms| ms.saturating_mul(1_000_000)),
    }))
}

fn labels_of_incident(body: &IncidentBody) -> Map<String, Value> {
    let (card, cause) = (&body.incident, &body.cause);
    let who: Vec<_> = body.who_acts.iter().map(|actor| actor.code()).collect();
    object(json!({
        "incident": card.id,
        "fingerprint": card.fingerprint,
        "incident_kind": card.kind.code(),
        "phase": card.phase.code(),
        "certainty": cause.certainty.code(),
        "layer": cause.layer.map(crate::model::Layer::code),
        "subject": cause.object,
        "centres": words(&card.centres),
        "who_acts": words(&who),
        "flapping": card.flapping.to_string(),
    }))
}

fn event_of_agent(event: &AgentEvent) -> Map<String, Value> {
    let (category, sort) = match event {
        AgentEvent::Started => ("process", "start"),
        AgentEvent::Stopped { .. } => ("process", "end"),
        AgentEvent::Gap { .. } => ("process", "info"),
        AgentEvent::PolicyChanged { .. } | AgentEvent::KeyChanged { .. } | AgentEvent::Granted { .. } | AgentEvent::GrantRevoked { .. } => {
            ("configuration", "change")
        }
        AgentEvent::SpoolGap { .. } => ("file", "deletion"),
        AgentEvent::Coalesced { .. } | AgentEvent::TornTail { .. } | AgentEvent::Unreadable { .. } => ("file", "info"),
        AgentEvent::Tampered { .. } => ("file", "change"),
    };
    object(json!({
        "kind": "event",
        "category": [category],
        "type": [sort],
        "action": event.code().replace('.', "-"),
        "dataset": "isonet.agent",
    }))
}

/// A label is one word; none where there is nothing to say.
fn words<T: AsRef<str>>(list: &[T]) -> Option<String> {
    let list: Vec<_> = list.iter().map(AsRef::as_ref).collect();
    (!list.is_empty()).then(|| list.join(" "))
}

/// What only isonet has.
fn isonet(body: &Body, time: &crate::model::Time) -> Value {
    match body {
        Body::Incident(incident) => {
            let IncidentBody { incident: card, cause, remedy, evidence, grant, origin, comments, .. } = &**incident;
            json!({
                "incident": card, "cause": cause, "remedy": remedy, "evidence": evidence, "grant": grant, "origin": origin, "comments": comments,
                "time": time,
            })
        }
        Body::Agent { agent, .. } => json!({ "agent": agent, "time": time }),
    }
}

/// `+08:00`.
fn offset(seconds: i32) -> String {
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs() / 60);
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn extend(map: &mut Map<String, Value>, fields: Value) {
    map.extend(object(fields));
}
