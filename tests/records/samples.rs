//! Records as a terminal writes them, one of every sort.

use isonet::config::TerminalKind;
use isonet::model::{
    Actor, AgentEvent, Alternative, Authority, Body, Certainty, Change, ClockCard, ClockState, Comment, Earlier, Evidence, Grant,
    GrantReference, IncidentBody, IncidentCard, IncidentId, IncidentKind, KnownCause, Layer, Phase, RECORD_SCHEMA, Record, Remedy,
    RuleReference, Scope, Severity, TerminalCard, Time,
};

pub const EPOCH: &str = "019a9c3e-7b1c-7a00-8000-5f2d9c1e4b7a";

pub fn terminal() -> TerminalCard {
    TerminalCard {
        id: Some("1338d0d8ec234423".to_owned()),
        machine_id_hash: Some("1338d0d8ec234423".to_owned()),
        institution: Some("P61010200123".to_owned()),
        site: Some("2 号柜台".to_owned()),
        region: Some("610102".to_owned()),
        line: Some("telecom".to_owned()),
        kind: TerminalKind::Pharmacy,
        person_in_charge: Some("张三".to_owned()),
        agent: "0.1.0".to_owned(),
        policy: "0011223344556677".to_owned(),
    }
}

pub fn time(second: i64) -> Time {
    let clock = ClockCard {
        source: Some("chronyd".to_owned()),
        offset_ms: Some(-3),
        err_ms: Some(12),
        last_sync_age_s: Some(64),
        ..ClockCard::from(ClockState::Synchronised)
    };
    Time {
        wall: jiff::Timestamp::from_millisecond(1_795_000_000_000 + second * 1000).unwrap(),
        offset_s: 8 * 3600,
        boot_id: "5c2d3f6e-8f0b-4c1d-9a57-0d4c8f1b2e3a".to_owned(),
        boot_ms: 3_600_000 + u64::try_from(second).unwrap() * 1000,
        clock,
    }
}

pub fn record(seq: u64, body: Body) -> Record {
    Record {
        schema: RECORD_SCHEMA.to_owned(),
        event_id: format!("019a9c3e-7b1c-7a00-8000-{seq:012}"),
        epoch: EPOCH.to_owned(),
        seq,
        terminal: terminal(),
        time: time(i64::try_from(seq).unwrap()),
        body,
    }
}

fn id(seq: u64) -> IncidentId {
    IncidentId { epoch: EPOCH.to_owned(), seq }
}

fn outage() -> IncidentBody {
    IncidentBody {
        incident: IncidentCard {
            id: id(2),
            fingerprint: "disconnection:settlement".to_owned(),
            kind: IncidentKind::Disconnection,
            phase: Phase::Opened,
            rev: 1,
            opened_seq: 2,
            change: Change::Raised,
            occurrences: 1,
            flapping: false,
            part_of: None,
            resolution: None,
            centres: vec!["settlement".to_owned()],
            since: time(1),
            duration_ms: Some(1000),
            planned: None,
        },
        cause: KnownCause {
            code: "line.down".to_owned(),
            layer: Some(Layer::Line),
            object: "line".to_owned(),
            severity: Severity::Critical,
            certainty: Certainty::Likely,
            alternatives: vec![Alternative { code: "gateway.unreachable".to_owned(), certainty: Certainty::Possible }],
            history: Vec::new(),
        },
        rule: None,
        origin: None,
        comments: Vec::new(),
        who_acts: vec![Actor::Operator],
        remedy: Remedy { key: "line.down".to_owned(), args: [("gateway".to_owned(), "192.168.1.1".to_owned())].into() },
        evidence: vec![
            Evidence {
                k: "tcp.connect".to_owned(),
                target: "10.20.0.10:443".to_owned(),
                result: "silence".to_owned(),
                ms: Some(2000.0),
                n: 1,
                boot_ms: Some(3_601_000),
            },
            Evidence {
                k: "icmp.series".to_owned(),
                target: "10.20.0.10".to_owned(),
                result: "answer 0/10".to_owned(),
                ms: None,
                n: 10,
                boot_ms: None,
            },
        ],
        grant: None,
    }
}

fn incident(seq: u64, change: impl FnOnce(&mut IncidentBody)) -> Record {
    let mut body = outage();
    change(&mut body);
    record(seq, Body::Incident(Box::new(body)))
}

fn agent(seq: u64, severity: Severity, event: AgentEvent) -> Record {
    record(seq, Body::Agent { severity, agent: event })
}

fn blind(body: &mut IncidentBody) {
    body.incident.id = id(6);
    body.incident.opened_seq = 6;
    body.incident.kind = IncidentKind::Blindness;
    "agent.degraded:gateway.arp".clone_into(&mut body.incident.fingerprint);
    body.incident.centres = Vec::new();
    let (code, object) = ("agent.degraded".to_owned(), "gateway.arp".to_owned());
    body.remedy.key.clone_from(&code);
    body.cause = KnownCause { code, object, layer: None, severity: Severity::Low, certainty: Certainty::Proven, ..outage().cause };
    body.cause.alternatives.clear();
    body.who_acts = vec![Actor::Vendor];
    body.evidence.clear();
}

fn refined(body: &mut IncidentBody) {
    body.incident.phase = Phase::Updated;
    body.incident.change = Change::Refined;
    body.incident.rev = 2;
    body.incident.planned = Some("中心升级".to_owned());
    body.cause.history.push(Earlier { code: "line.down".to_owned(), certainty: Certainty::Likely, since_ms: 3_602_000 });
    "gateway.changed".clone_into(&mut body.cause.code);
    body.cause.layer = Some(Layer::Gateway);
    "gateway:192.168.1.1".clone_into(&mut body.cause.object);
    body.cause.certainty = Certainty::Proven;
    let (set, issuer, version, article) = ("example", "某市医疗保险经办机构", "2006", "12");
    let [set, issuer, version, article] = [set, issuer, version, article].map(str::to_owned);
    body.rule = Some(RuleReference { set, issuer, version, article });
    body.origin = Some(isonet::model::Origin::Upstream);
    body.comments.push(Comment { at: time(3), text: "=运营商来换过设备, \"早上\"".to_owned() });
    body.grant = Some(GrantReference { id: "g-1".to_owned(), authority: Authority::Bureau });
}

fn granted() -> Grant {
    Grant {
        id: "g-0a1b2c3d".to_owned(),
        what: Scope::Usb,
        until: "2026-11-18T12:00:00Z".parse().unwrap(),
        by: "李四".to_owned(),
        reason: "升级药品目录".to_owned(),
        device: Some("0951:1666:60A4".to_owned()),
        authority: Authority::Bureau,
        uid: 0,
    }
}

/// A day of a terminal: every phase, every kind, every event of the agent.
pub fn day() -> Vec<Record> {
    let digest = |digit: &str| digit.repeat(64);
    vec![
        agent(1, Severity::Info, AgentEvent::Started),
        incident(2, |_| {}),
        incident(3, refined),
        incident(4, |body| {
            body.incident.phase = Phase::Resolved;
            body.incident.change = Change::Recovered;
            body.incident.resolution = Some(Change::Recovered);
            body.incident.rev = 3;
            body.incident.occurrences = 3;
            body.incident.flapping = true;
            body.incident.centres = Vec::new();
            body.incident.duration_ms = None;
        }),
        incident(5, |body| {
            body.incident.id = id(5);
            body.incident.opened_seq = 5;
            body.incident.kind = IncidentKind::Degradation;
            "dns.slow:resolver:10.20.0.53".clone_into(&mut body.incident.fingerprint);
            body.incident.part_of = Some(id(2));
            "dns.slow".clone_into(&mut body.cause.code);
            body.cause.layer = Some(Layer::Dns);
            body.cause.severity = Severity::Low;
            "resolver:10.20.0.53".clone_into(&mut body.cause.object);
        }),
        incident(6, blind),
        agent(7, Severity::Low, AgentEvent::Gap { last_seen: time(0).wall, length_ms: None, rebooted: true }),
        agent(
            8,
            Severity::Medium,
            AgentEvent::PolicyChanged {
                from: Some("0011223344556677".to_owned()),
                to: "8899aabbccddeeff".to_owned(),
                weakened: vec!["isolation.mode".to_owned(), "sink.audit".to_owned()],
            },
        ),
        agent(
            9,
            Severity::Medium,
            AgentEvent::SpoolGap {
                epoch: EPOCH.to_owned(),
                from: 1,
                to: 900,
                reason: "retention".to_owned(),
                before: Some(digest("0")),
                after: Some(digest("a")),
            },
        ),
        agent(10, Severity::Medium, AgentEvent::Coalesced { count: 12 }),
        agent(11, Severity::Low, AgentEvent::TornTail { bytes: 311 }),
        agent(
            12,
            Severity::High,
            AgentEvent::Tampered { file: format!("{EPOCH}-1.jsonl"), line: 17, why: "the hash does not fit".to_owned() },
        ),
        agent(
            13,
            Severity::Medium,
            AgentEvent::Unreadable { file: format!("{EPOCH}-1.jsonl"), why: "Input/output error (os error 5)".to_owned() },
        ),
        agent(14, Severity::Low, AgentEvent::Granted { grant: granted() }),
        agent(15, Severity::Low, AgentEvent::GrantRevoked { id: "g-0a1b2c3d".to_owned(), uid: 0 }),
        agent(
            16,
            Severity::Medium,
            AgentEvent::KeyChanged {
                algorithm: "ed25519".to_owned(),
                from: Some(digest("b")),
                to: digest("c"),
                reason: "cloned".to_owned(),
            },
        ),
        incident(17, |body| {
            body.incident.phase = Phase::Resolved;
            body.incident.change = Change::Commented;
            body.incident.resolution = Some(Change::Recovered);
            body.incident.rev = 4;
            body.incident.occurrences = 3;
            body.incident.flapping = true;
            body.incident.centres = Vec::new();
            body.comments.push(Comment { at: time(16), text: "运营商来换过设备".to_owned() });
        }),
        agent(18, Severity::Info, AgentEvent::Stopped { reason: "signal".to_owned(), by: None, note: None }),
        agent(
            19,
            Severity::Info,
            AgentEvent::Stopped { reason: "retired".to_owned(), by: Some("王五".to_owned()), note: Some("停业".to_owned()) },
        ),
    ]
}

/// The line of the log, sealed with hashes that nobody checks here.
pub fn line(record: &Record) -> String {
    let json = serde_json::to_string(record).unwrap();
    let (zeros, ones) = ("0".repeat(64), "1".repeat(64));
    format!("{},\"prev_hash\":\"{zeros}\",\"hash\":\"{ones}\"}}", json.strip_suffix('}').unwrap())
}
