//! The Open Cybersecurity Schema Framework, version 1.5.
//!
//! | record | class |
//! |---|---|
//! | an incident | 2005 Incident Finding: Create, Update, Close; status New, In Progress, Resolved |
//! | an incident that touches an article | also 2003 Compliance Finding with status Warning: what is observed is a lead, never a failed control |
//! | the agent started, stopped, was not running, has another configuration | 6002 Application Lifecycle |
//! | something about the log | 1008 Event Log Activity |
//!
//! `metadata.uid` and `metadata.sequence` are the event id and the number of the record; who acts is the assignee. A second event of one record
//! has the class in its uid. What has no place in the schema stands in `unmapped` under the names of the record.

use super::strip;
use crate::catalogue::{Lang, actor, title, told};
use crate::model::{AgentEvent, Body, Certainty, IncidentBody, Phase, Record, RuleReference, Severity};
use serde_json::{Map, Value, json};

/// The version that is spoken.
pub const VERSION: &str = "1.5.0";

const INCIDENT: u32 = 2005;
const COMPLIANCE: u32 = 2003;
const LIFECYCLE: u32 = 6002;
const EVENT_LOG: u32 = 1008;

/// The events of one record, in order; never none.
pub fn events(record: &Record, lang: Lang) -> Vec<Value> {
    match &record.body {
        Body::Incident(body) => {
            let rule = body.rule.as_ref().map(|rule| compliance(record, body, rule, lang));
            std::iter::once(incident(record, body, lang)).chain(rule).collect()
        }
        Body::Agent { agent, .. } => vec![about_agent(record, agent, lang)],
    }
}

/// What all classes have. The first digit of a class is its category.
fn base(record: &Record, class: u32, activity: (u32, &str), lang: Lang) -> Map<String, Value> {
    let severity = record.body.severity();
    let terminal = &record.terminal;
    let value = json!({
        "activity_id": activity.0,
        "activity_name": activity.1,
        "category_uid": class / 1000,
        "class_uid": class,
        "type_uid": class * 100 + activity.0,
        "severity_id": severity_id(severity),
        "severity": severity_name(severity),
        "time": record.time.wall.as_millisecond(),
        "timezone_offset": record.time.offset_s / 60,
        "message": told(&record.body, lang),
        "metadata": {
            "version": VERSION,
            "uid": record.event_id,
            "sequence": record.seq,
            "log_name": format!("isonet/{}", record.epoch),
            "tenant_uid": terminal.institution,
            "profiles": if class == INCIDENT { json!(["host", "incident"]) } else { json!(["host"]) },
            "product": { "name": "isonet", "vendor_name": "isonet", "version": terminal.agent },
        },
        "device": {
            "type_id": 2,
            "type": "Desktop",
            "uid": terminal.id,
            "uid_alt": terminal.machine_id_hash,
            "location": { "desc": terminal.site, "region": terminal.region },
            "boot_uid": record.time.boot_id,
        },
        "unmapped": {
            "code": record.body.code(),
            "terminal": terminal,
            "time": record.time,
        },
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn incident(record: &Record, body: &IncidentBody, lang: Lang) -> Value {
    let (card, cause) = (&body.incident, &body.cause);
    let (activity, status) = match card.phase {
        Phase::Opened => ((1, "Create"), (1, "New")),
        Phase::Updated => ((2, "Update"), (2, "In Progress")),
        Phase::Resolved => ((3, "Close"), (4, "Resolved")),
    };
    let mut event = base(record, INCIDENT, activity, lang);
    let (confidence_id, confidence) = confidence(cause.certainty);
    let who: Vec<_> = body.who_acts.iter().map(|it| actor(*it, lang)).collect();
    let fields = json!({
        "status_id": status.0,
        "status": status.1,
        "confidence_id": confidence_id,
        "confidence": confidence,
        "desc": title(&cause.code, &cause.object, lang),
        "start_time": card.since.wall.as_millisecond(),
        "end_time": card.ended(record.time.wall).as_millisecond(),
        "count": card.occurrences,
        "assignee_group": { "name": who.first(), "type": body.who_acts.first().map(|it| it.code()) },
        "comment": body.comments.last().map(|comment| &comment.text),
        "finding_info_list": [finding_info(body, lang)],
        "observables": [{ "name": "cause.object", "type_id": 99, "type": "Subject", "value": cause.object }],
    });
    add(&mut event, fields);
    add_unmapped(&mut event, serde_json::to_value(body).unwrap_or_default());
    strip(Value::Object(event))
}

fn compliance(record: &Record, body: &IncidentBody, rule: &RuleReference, lang: Lang) -> Value {
    let activity = match body.incident.phase {
        Phase::Opened => (1, "Create"),
        Phase::Updated => (2, "Update"),
        Phase::Resolved => (3, "Close"),
    };
    let mut event = base(record, COMPLIANCE, activity, lang);
    let fields = json!({
        "finding_info": finding_info(body, lang),
        "compliance": {
            "standards": [format!("{} {}", rule.set, rule.version)],
            "control": rule.article,
            "status_id": 2,
            "status": "Warning",
            "status_detail": lang.pick("观察到的只是线索，不是结论", "what is observed is a lead, not a finding"),
        },
    });
    add(&mut event, fields);
    if let Some(Value::Object(metadata)) = event.get_mut("metadata") {
        metadata.insert("uid".to_owned(), json!(format!("{}/{COMPLIANCE}", record.event_id)));
    }
    add_unmapped(&mut event, json!({ "rule": rule, "incident": body.incident }));
    strip(Value::Object(event))
}

fn finding_info(body: &IncidentBody, lang: Lang) -> Value {
    let (card, cause) = (&body.incident, &body.cause);
    json!({
        "uid": card.id,
        "title": title(&cause.code, &cause.object, lang),
        "types": [card.kind.code(), cause.code],
        "first_seen_time": card.since.wall.as_millisecond(),
        "related_events_count": card.rev,
    })
}

fn about_agent(record: &Record, event: &AgentEvent, lang: Lang) -> Value {
    let (class, activity) = match event {
        AgentEvent::Started => (LIFECYCLE, (3, "Start")),
        AgentEvent::Stopped { .. } => (LIFECYCLE, (4, "Stop")),
        AgentEvent::Gap { .. } => (LIFECYCLE, (99, "Not Running")),
        AgentEvent::PolicyChanged { .. } => (LIFECYCLE, (99, "Configuration Change")),
        AgentEvent::KeyChanged { .. } => (LIFECYCLE, (99, "Key Change")),
        AgentEvent::Granted { .. } => (LIFECYCLE, (99, "Grant")),
        AgentEvent::GrantRevoked { .. } => (LIFECYCLE, (99, "Grant Revoked")),
        AgentEvent::SpoolGap { .. } => (EVENT_LOG, (2, "Delete")),
        AgentEvent::Coalesced { .. } => (EVENT_LOG, (99, "Coalesce")),
        AgentEvent::TornTail { .. } => (EVENT_LOG, (99, "Set Aside")),
        AgentEvent::Tampered { .. } => (EVENT_LOG, (99, "Integrity Failure")),
        AgentEvent::Unreadable { .. } => (EVENT_LOG, (99, "Read Failure")),
    };
    let mut fields = base(record, class, activity, lang);
    let about = match (class, event) {
        (LIFECYCLE, _) => json!({ "app": { "name": "isonet", "vendor_name": "isonet", "version": record.terminal.agent } }),
        (_, AgentEvent::Tampered { file, .. } | AgentEvent::Unreadable { file, .. }) => {
            json!({ "log_name": "isonet", "file": { "name": file, "type_id": 1 } })
        }
        _ => json!({ "log_name": "isonet" }),
    };
    add(&mut fields, about);
    add_unmapped(&mut fields, json!({ "agent": event }));
    strip(Value::Object(fields))
}

fn add(event: &mut Map<String, Value>, fields: Value) {
    if let Value::Object(fields) = fields {
        event.extend(fields);
    }
}

fn add_unmapped(event: &mut Map<String, Value>, fields: Value) {
    if let Some(Value::Object(unmapped)) = event.get_mut("unmapped") {
        add(unmapped, fields);
    }
}

fn severity_id(severity: Severity) -> u32 {
    match severity {
        Severity::Info => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "Informational",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}

fn confidence(certainty: Certainty) -> (u32, &'static str) {
    match certainty {
        Certainty::Possible => (1, "Low"),
        Certainty::Likely => (2, "Medium"),
        Certainty::Proven => (3, "High"),
    }
}
