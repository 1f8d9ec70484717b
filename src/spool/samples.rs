//! Records for tests.

use super::log::Item;
use crate::config::TerminalKind;
use crate::model::{
    AgentEvent, Certainty, Change, ClockState, Draft, Evidence, Fingerprint, Incident, KnownCause, Phase, Severity, Stamp, TerminalCard,
    What,
};
use std::sync::Arc;

pub(super) fn stamp(second: u64) -> Stamp {
    let wall = jiff::Timestamp::from_second(1_800_000_000 + i64::try_from(second).expect("small")).expect("in range");
    Stamp { boot_id: "boot".to_owned(), boottime_ms: second * 1000, wall, offset_s: 0, clock: ClockState::Synchronised }
}

pub(super) fn card() -> TerminalCard {
    TerminalCard {
        id: Some("t1".to_owned()),
        machine_id_hash: None,
        person_in_charge: None,
        institution: None,
        site: None,
        region: None,
        line: None,
        kind: TerminalKind::Pharmacy,
        agent: "0".to_owned(),
        policy: "p".to_owned(),
    }
}

pub(super) fn agent() -> What {
    What::Agent(AgentEvent::Started)
}

pub(crate) fn incident(key: u64, phase: Phase) -> What {
    let cause = KnownCause {
        code: "vpn.tunnel-dead".to_owned(),
        layer: None,
        object: "vpn:centre".to_owned(),
        severity: Severity::Critical,
        certainty: Certainty::Likely,
        alternatives: Vec::new(),
        history: Vec::new(),
    };
    What::Incident(Box::new(Incident {
        key,
        fingerprint: Fingerprint::Disconnection(format!("centre{key}")),
        phase,
        rev: 1,
        change: Change::Raised,
        occurrences: 1,
        flapping: false,
        centres: vec![format!("centre{key}")],
        since: stamp(1),
        at: stamp(2),
        cause,
        who_acts: Vec::new(),
        evidence: vec![Evidence {
            k: "tcp.connect".to_owned(),
            target: "10.0.0.1:443".to_owned(),
            result: "silence".to_owned(),
            ms: Some(2.5),
            n: 1,
            boot_ms: None,
        }],
        planned: None,
        grant: None,
        origin: None,
        comments: Vec::new(),
    }))
}

pub(super) fn item(ticket: u64, what: What) -> Item {
    Item { ticket, draft: Draft::new(&stamp(ticket), what), card: Arc::new(card()) }
}
