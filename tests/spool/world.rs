//! What the tests write, and how they look at what is there.

use isonet::config::TerminalKind;
use isonet::model::{
    AgentEvent, Certainty, Change, ClockState, Draft, Evidence, Fingerprint, Incident, KnownCause, Layer, Phase, Severity, Stamp,
    TerminalCard, What,
};
use isonet::spool::{Claims, Digest, Item, Known, Log, Position, Reader, Recorded, Started, Store};
use std::sync::Arc;

pub fn stamp(second: u64) -> Stamp {
    let wall = jiff::Timestamp::from_second(1_800_000_000 + i64::try_from(second).unwrap()).unwrap();
    Stamp {
        boot_id: "8c6f2c52-1111-4222-8333-944444444444".to_owned(),
        boottime_ms: second * 1000,
        wall,
        offset_s: 0,
        clock: ClockState::Synchronised,
    }
}

pub fn card() -> TerminalCard {
    TerminalCard {
        id: Some("3f1c9b".to_owned()),
        machine_id_hash: None,
        person_in_charge: None,
        institution: None,
        site: None,
        region: None,
        line: None,
        kind: TerminalKind::Pharmacy,
        agent: "0.1.0".to_owned(),
        policy: "p".to_owned(),
    }
}

pub fn started() -> Draft {
    Draft::new(&stamp(1), What::Agent(AgentEvent::Started))
}

pub fn incident(key: u64, phase: Phase, second: u64) -> Draft {
    let cause = KnownCause {
        code: "vpn.tunnel-dead".to_owned(),
        layer: Some(Layer::Vpn),
        object: "vpn:centre".to_owned(),
        severity: Severity::Critical,
        certainty: Certainty::Likely,
        alternatives: Vec::new(),
        history: Vec::new(),
    };
    let incident = Incident {
        key,
        fingerprint: Fingerprint::Disconnection(format!("centre{key}")),
        phase,
        rev: 1,
        change: if phase == Phase::Resolved { Change::Recovered } else { Change::Raised },
        occurrences: 1,
        flapping: false,
        centres: vec![format!("centre{key}")],
        since: stamp(second),
        at: stamp(second),
        cause,
        who_acts: Vec::new(),
        evidence: vec![Evidence {
            k: "tcp.connect".to_owned(),
            target: "10.0.0.1:443".to_owned(),
            result: "silence 沉默".to_owned(),
            ms: Some(2.5),
            n: 1,
            boot_ms: None,
        }],
        planned: None,
        grant: None,
        origin: None,
        comments: Vec::new(),
    };
    Draft::new(&stamp(second), What::Incident(Box::new(incident)))
}

/// A record of about 1.3 KB.
pub fn usual(key: u64, phase: Phase) -> Draft {
    let mut draft = incident(key, phase, 5);
    if let What::Incident(incident) = &mut draft.what {
        let evidence = incident.evidence[0].clone();
        incident.evidence.extend(vec![evidence; 4]);
    }
    draft
}

pub fn item(ticket: u64, draft: Draft) -> Item {
    Item { ticket, draft, card: Arc::new(card()) }
}

/// Nothing is known beside the log.
pub fn no_claims() -> Claims {
    Claims { fingerprint: "this-machine".to_owned(), anchor: Known::Absent, cursors: Known::Absent }
}

pub fn open<S: Store>(store: S, claims: &Claims) -> (Log<S>, Started) {
    Log::open(store, claims, &stamp(1)).unwrap()
}

/// Writes these, and whatever the log has to say itself, as one batch.
pub fn write<S: Store>(log: &mut Log<S>, drafts: Vec<Draft>) -> Vec<Recorded> {
    log.load((1..).zip(drafts).map(|(ticket, draft)| item(ticket, draft)), &card(), &stamp(9));
    log.flush().unwrap()
}

/// All records: number and hash.
pub fn all<S: Store>(store: S) -> Vec<(Position, Digest)> {
    let mut reader = Reader::after(store, Position { epoch: String::new(), seq: 0 });
    let entries = reader.next(usize::MAX, None).unwrap();
    entries.into_iter().map(|entry| (entry.at, entry.hash)).collect()
}

/// Numbers go on by one within an epoch.
pub fn assert_gapless(records: &[(Position, Digest)]) {
    for pair in records.windows(2) {
        let [(a, _), (b, _)] = pair else { continue };
        assert!(b.epoch != a.epoch && b.seq == 1 || b.epoch == a.epoch && b.seq == a.seq + 1, "{a:?} then {b:?}");
    }
}
