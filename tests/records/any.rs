//! Any record that the types allow and the log can hold.

use super::samples::{EPOCH, record};
use isonet::config::TerminalKind;
use isonet::model::{
    Actor, AgentEvent, Alternative, Authority, Body, Cause, Certainty, Change, ClockCard, ClockState, Comment, Earlier, Evidence, Grant,
    GrantReference, IncidentBody, IncidentCard, IncidentId, IncidentKind, KnownCause, Layer, Origin, Phase, Record, Remedy, RuleReference,
    Scope, Severity, TerminalCard, Time,
};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

const CHANGES: [Change; 10] = [
    Change::Raised,
    Change::ProvedLocally,
    Change::Refined,
    Change::Joined,
    Change::PartlyRecovered,
    Change::Reopened,
    Change::Recovered,
    Change::NotWatchedAnyMore,
    Change::Absorbed,
    Change::Commented,
];
const ACTORS: [Actor; 8] =
    [Actor::Shop, Actor::Vendor, Actor::Software, Actor::Operator, Actor::Bureau, Actor::Centre, Actor::Insured, Actor::Institution];

pub fn any_record() -> impl Strategy<Value = Record> {
    let body = prop_oneof![
        3 => incident_body().prop_map(|body| Body::Incident(Box::new(body))),
        1 => (severity(), agent()).prop_map(|(severity, agent)| Body::Agent { severity, agent }),
    ];
    (1..u64::from(u32::MAX), terminal(), time(), body).prop_map(|(seq, terminal, time, body)| Record {
        terminal,
        time,
        ..record(seq % 100_000 + 1, body)
    })
}

fn word() -> BoxedStrategy<String> {
    prop_oneof!["[a-z]{1,8}(\\.[a-z]{2,6}){0,3}", "[ -~]{0,40}", "[一-龥，。=+@\"-]{0,20}", "[a-z\u{1b}\u{202e}\n\r\t\u{0}é…]{0,12}"]
        .boxed()
}

fn hex(digits: usize) -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("[0-9a-f]{{{digits}}}")).unwrap()
}

fn severity() -> impl Strategy<Value = Severity> {
    select(vec![Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical])
}

fn certainty() -> impl Strategy<Value = Certainty> {
    select(vec![Certainty::Possible, Certainty::Likely, Certainty::Proven])
}

fn code() -> impl Strategy<Value = String> {
    let codes = Cause::ALL.iter().map(|cause| cause.code()).chain(["agent.degraded", "unknown"]);
    select(codes.map(str::to_owned).collect::<Vec<_>>())
}

fn wall() -> impl Strategy<Value = jiff::Timestamp> {
    // From 1970, as a PC with a dead battery has it, to 2100.
    (0..4_102_444_800_i64, 0..1_000_000_000_i32).prop_map(|(second, nano)| jiff::Timestamp::new(second, nano).unwrap())
}

fn time() -> BoxedStrategy<Time> {
    let clock = (
        select(vec![ClockState::Synchronised, ClockState::Unsynchronised, ClockState::Unknown]),
        of(word()),
        of(any::<i64>()),
        of(any::<u32>()),
    );
    let quarters = (-48..57).prop_map(|quarters| quarters * 900);
    (wall(), quarters, prop_oneof![Just(String::new()), word()], any::<u32>(), clock)
        .prop_map(|(wall, offset_s, boot_id, boot_ms, (state, source, offset_ms, err))| Time {
            wall,
            offset_s,
            boot_id,
            boot_ms: boot_ms.into(),
            clock: ClockCard { state, source, offset_ms, err_ms: err.map(u64::from), last_sync_age_s: err.map(u64::from) },
        })
        .boxed()
}

fn terminal() -> BoxedStrategy<TerminalCard> {
    let kind = select(vec![TerminalKind::Pharmacy, TerminalKind::Clinic, TerminalKind::Hospital, TerminalKind::Other]);
    (of(word()), of(word()), of(word()), of(word()), kind, hex(16))
        .prop_map(|(id, institution, site, region, kind, policy)| TerminalCard {
            machine_id_hash: id.clone(),
            id,
            institution,
            line: site.clone(),
            site,
            person_in_charge: region.clone(),
            region,
            kind,
            agent: "0.1.0".to_owned(),
            policy,
        })
        .boxed()
}

fn id() -> impl Strategy<Value = IncidentId> {
    (1..u64::from(u32::MAX)).prop_map(|seq| IncidentId { epoch: EPOCH.to_owned(), seq })
}

fn card() -> BoxedStrategy<IncidentCard> {
    let kind = select(vec![IncidentKind::Disconnection, IncidentKind::Degradation, IncidentKind::Blindness, IncidentKind::Finding]);
    let phase = select(vec![Phase::Opened, Phase::Updated, Phase::Resolved]);
    let counts = (1..u32::MAX, 1..u32::MAX, any::<bool>(), of(any::<u32>()));
    let change = select(CHANGES.to_vec());
    ((id(), word(), kind, phase), counts, change, of(select(CHANGES.to_vec())), of(id()), vec(word(), 0..3), time(), of(word()))
        .prop_map(
            |((id, name, kind, phase), (rev, occurrences, flapping, duration), change, resolution, part_of, centres, since, planned)| {
                IncidentCard {
                    opened_seq: id.seq,
                    id,
                    fingerprint: format!("disconnection:{name}"),
                    kind,
                    phase,
                    rev,
                    change,
                    occurrences,
                    flapping,
                    part_of,
                    resolution,
                    centres,
                    since,
                    duration_ms: duration.map(u64::from),
                    planned,
                }
            },
        )
        .boxed()
}

fn cause() -> BoxedStrategy<KnownCause> {
    let layer = of(select(Layer::ALL.to_vec()));
    let alternative = (code(), certainty()).prop_map(|(code, certainty)| Alternative { code, certainty });
    let earlier = (code(), certainty(), any::<u32>()).prop_map(|(code, certainty, ms)| Earlier { code, certainty, since_ms: ms.into() });
    (code(), layer, word(), severity(), certainty(), vec(alternative, 0..3), vec(earlier, 0..3))
        .prop_map(|(code, layer, object, severity, certainty, alternatives, history)| KnownCause {
            code,
            layer,
            object,
            severity,
            certainty,
            alternatives,
            history,
        })
        .boxed()
}

fn evidence() -> BoxedStrategy<Evidence> {
    let ms = of((0..100_000_000_u32).prop_map(|us| f64::from(us) / 1000.0));
    (word(), word(), word(), ms, any::<u32>(), of(any::<u32>()))
        .prop_map(|(k, target, result, ms, n, boot)| Evidence { k, target, result, ms, n, boot_ms: boot.map(u64::from) })
        .boxed()
}

fn incident_body() -> BoxedStrategy<IncidentBody> {
    let rule = (word(), word(), word(), word()).prop_map(|(set, issuer, version, article)| RuleReference { set, issuer, version, article });
    let comment = (time(), word()).prop_map(|(at, text)| Comment { at, text });
    let grant =
        (word(), select(vec![Authority::Bureau, Authority::Institution])).prop_map(|(id, authority)| GrantReference { id, authority });
    let origin = of(select(vec![Origin::LocalChange, Origin::Upstream, Origin::PreExisting]));
    let remedy = (code(), btree_map(word(), word(), 0..3)).prop_map(|(key, args)| Remedy { key, args });
    let who = vec(select(ACTORS.to_vec()), 0..3);
    (card(), cause(), of(rule), origin, vec(comment, 0..2), who, remedy, vec(evidence(), 0..4), of(grant))
        .prop_map(|(incident, cause, rule, origin, comments, who_acts, remedy, evidence, grant)| IncidentBody {
            incident,
            cause,
            rule,
            origin,
            comments,
            who_acts,
            remedy,
            evidence,
            grant,
        })
        .boxed()
}

fn grant() -> BoxedStrategy<Grant> {
    let authority = select(vec![Authority::Bureau, Authority::Institution]);
    (hex(8), select(Scope::ALL.to_vec()), wall(), word(), word(), of(word()), authority, any::<u32>())
        .prop_map(|(id, what, until, by, reason, device, authority, uid)| Grant {
            id: format!("g-{id}"),
            what,
            until,
            by,
            reason,
            device,
            authority,
            uid,
        })
        .boxed()
}

fn agent() -> BoxedStrategy<AgentEvent> {
    let reason = |words: &[&str]| select(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    let hash = || of(hex(64));
    prop_oneof![
        Just(AgentEvent::Started),
        Just(AgentEvent::Stopped { reason: "signal".to_owned(), by: None, note: None }),
        (word(), word()).prop_map(|(by, note)| AgentEvent::Stopped { reason: "retired".to_owned(), by: Some(by), note: Some(note) }),
        (wall(), of(any::<u32>()), any::<bool>()).prop_map(|(last_seen, length, rebooted)| AgentEvent::Gap {
            last_seen,
            length_ms: length.map(u64::from),
            rebooted,
        }),
        (of(hex(16)), hex(16), vec(word(), 0..3)).prop_map(|(from, to, weakened)| AgentEvent::PolicyChanged { from, to, weakened }),
        (1..u64::from(u32::MAX), reason(&["cap", "retention", "damage"]), hash(), hash()).prop_map(|(from, reason, before, after)| {
            AgentEvent::SpoolGap { epoch: EPOCH.to_owned(), from, to: from + 3, reason, before, after }
        }),
        (of(hex(64)), hex(64), reason(&["first", "cloned", "lost"])).prop_map(|(from, to, reason)| AgentEvent::KeyChanged {
            algorithm: "ed25519".to_owned(),
            from,
            to,
            reason
        }),
        any::<u32>().prop_map(|count| AgentEvent::Coalesced { count: count.into() }),
        any::<u32>().prop_map(|bytes| AgentEvent::TornTail { bytes: bytes.into() }),
        (word(), any::<u32>(), word()).prop_map(|(file, line, why)| AgentEvent::Tampered { file, line: line.into(), why }),
        (word(), word()).prop_map(|(file, why)| AgentEvent::Unreadable { file, why }),
        grant().prop_map(|grant| AgentEvent::Granted { grant }),
        (hex(8), any::<u32>()).prop_map(|(id, uid)| AgentEvent::GrantRevoked { id: format!("g-{id}"), uid }),
    ]
    .boxed()
}
