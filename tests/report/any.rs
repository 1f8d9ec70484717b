//! Any diagnosis there can be, also ones the inference would never give.

use isonet::model::{
    Actor, Blind, Cause, Certainty, Chain, Diagnosis, Evidence, IfName, Isolation, Layer, LayerState, Note, NoteCode, PathItem, Reason,
    RuledOut, Severity, Subject, Unseen, Verdict,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

pub fn diagnosis() -> impl Strategy<Value = Diagnosis> {
    let isolation = select(vec![Isolation::Intact, Isolation::Suspect, Isolation::Broken, Isolation::Unknown]);
    let connected = select(vec![None, Some(true), Some(false)]);
    (connected, isolation, vec(path_item(), 0..14), vec(verdict(), 0..4), vec(note(), 0..4), vec(blind(), 0..3)).prop_map(
        |(connected, isolation, path, verdicts, notes, blind)| Diagnosis {
            connected,
            isolation,
            path,
            verdicts,
            notes,
            blind,
            services: Vec::new(),
        },
    )
}

/// Words as the network may send them: names, Chinese, escapes, right-to-left marks, long runs.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}(\\.[a-z]{2,6}){0,3}",
        "[ -~]{0,60}",
        "[一-龥，。（）]{0,30}",
        "[a-z\u{1b}\u{202e}\u{200b}\n\r\t\u{7f}é…]{0,12}",
        "[a-z0-9]{90,120}",
    ]
}

fn subject() -> impl Strategy<Value = Subject> {
    let ip = select(vec!["192.168.1.1", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"]).prop_map(|ip| ip.parse().expect("an address"));
    (0..11, ip, word()).prop_map(|(kind, ip, name): (i32, std::net::IpAddr, String)| match kind {
        0 => Subject::Terminal,
        1 => Subject::Link(IfName::new(name)),
        2 => Subject::Gateway(ip),
        3 => Subject::Line,
        4 => Subject::Vpn(name),
        5 => Subject::Route(ip),
        6 => Subject::Resolver(ip),
        7 => Subject::Name(name),
        8 => Subject::Endpoint((ip, 443).into()),
        9 => Subject::Host(ip),
        _ => Subject::Centre(name),
    })
}

fn ms() -> impl Strategy<Value = Option<f64>> {
    proptest::option::of(0.0..100_000.0_f64)
}

fn path_item() -> impl Strategy<Value = PathItem> {
    let chain = prop_oneof![Just(Chain::Local), word().prop_map(Chain::Centre), Just(Chain::Centre("settlement".to_owned()))];
    let state = select(vec![LayerState::Ok, LayerState::Failed, LayerState::Unknown, LayerState::Skipped]);
    (chain, select(Layer::ALL.to_vec()), subject(), state, fact(), ms()).prop_map(|(chain, layer, subject, state, fact, ms)| PathItem {
        chain,
        layer,
        subject,
        state,
        fact,
        ms,
    })
}

fn fact() -> impl Strategy<Value = String> {
    prop_oneof![
        word(),
        select(vec!["silence", "RST", "icmp host-unreachable from 10.0.0.1", "ttl 2 silence", "ttl x", "via dev"]).prop_map(str::to_owned)
    ]
}

fn evidence() -> impl Strategy<Value = Evidence> {
    (prop_oneof![word(), Just("tcp.connect".to_owned())], word(), fact(), ms()).prop_map(|(k, target, result, ms)| Evidence {
        k,
        target,
        result,
        ms,
        n: 1,
        boot_ms: None,
    })
}

fn ruled_out() -> impl Strategy<Value = RuledOut> {
    (select(Cause::ALL), 0..10, word()).prop_map(|(cause, kind, argument)| {
        let because = match kind {
            0 => Reason::Answered(argument),
            1 => Reason::CarrierPresent(argument),
            2 => Reason::AddressPresent(argument),
            3 => Reason::RefusedLocally(argument),
            4 => Reason::ErrorFromBeyond(argument),
            5 => Reason::ClockAgrees(argument),
            6 => Reason::ClockDiffers(argument),
            7 => Reason::Running(argument),
            8 => Reason::NotRunning(argument),
            _ => Reason::RouteRight(argument),
        };
        RuledOut { cause, because }
    })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    use Actor::{Bureau, Centre, Institution, Insured, Operator, Shop, Software, Vendor};
    let actors = vec(select(vec![Shop, Vendor, Software, Operator, Bureau, Centre, Insured, Institution]), 0..4);
    let certainty = select(vec![Certainty::Possible, Certainty::Likely, Certainty::Proven]);
    let severity = select(vec![Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical]);
    let proofs = (vec(evidence(), 0..4), vec(ruled_out(), 0..4), vec(subject(), 0..3));
    (select(Cause::ALL), subject(), certainty, severity, any::<bool>(), actors, proofs).prop_map(
        |(cause, subject, certainty, severity, disconnects, who_acts, (evidence, ruled_out, explains))| Verdict {
            cause,
            subject,
            certainty,
            severity,
            disconnects,
            who_acts,
            evidence,
            ruled_out,
            explains,
        },
    )
}

fn note() -> impl Strategy<Value = Note> {
    let codes = vec![
        NoteCode::CentrePingForbidden,
        NoteCode::GatewayPingForbidden,
        NoteCode::CentreNotConfigured,
        NoteCode::NotEnrolled,
        NoteCode::OuterPath,
        NoteCode::DnsNotNeeded,
        NoteCode::TlsNotJudged,
        NoteCode::TlsUnsupported,
        NoteCode::OneLook,
        NoteCode::OtherFamily,
        NoteCode::MaintenanceWindow,
    ];
    (select(codes), subject()).prop_map(|(code, subject)| Note { code, subject })
}

fn blind() -> impl Strategy<Value = Blind> {
    (word(), 0..10, word()).prop_map(|(what, kind, argument)| {
        let because = match kind {
            0 => Unseen::Capability(argument),
            1 => Unseen::NotConfigured(argument),
            2 => Unseen::NotEnrolled,
            3 => Unseen::Deadline,
            4 => Unseen::Skipped,
            5 => Unseen::PublicAddress,
            6 => Unseen::NotMounted(argument),
            7 => Unseen::Hidden(argument),
            8 => Unseen::Unsteady,
            _ => Unseen::Error(argument),
        };
        Blind { what, because }
    })
}
