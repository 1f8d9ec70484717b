//! Diagnoses as the inference gives them, for the reports to be read.

use isonet::config::{Config, Contact};
use isonet::model::{
    Actor, Blind, Cause, Certainty, Chain, Diagnosis, Evidence, IfName, Isolation, Layer, LayerState, Note, NoteCode, PathItem, Reason,
    RuledOut, Severity, Subject, Unseen, Verdict,
};
use isonet::report::Facing;
use jiff::civil::date;
use jiff::tz::{Offset, TimeZone};

/// A pharmacy's second counter, on a November afternoon.
pub fn facing() -> Facing {
    let mut config = Config::default();
    "T0032".clone_into(&mut config.terminal.id);
    config.terminal.institution = Some("P61010200123".to_owned());
    config.terminal.name = Some("Example Pharmacy No. 3".to_owned());
    config.terminal.site = Some("counter 2".to_owned());
    let zone = TimeZone::fixed(Offset::constant(8));
    let at = date(2026, 11, 22).at(14, 32, 5, 0).to_zoned(zone).expect("this scene has it");
    let mut facing = Facing::new(&config, at, 2140);
    for (actor, name, phone) in [
        (Actor::Vendor, "小赵", "029-5550-1001"),
        (Actor::Operator, "张工", "029-5550-1002"),
        (Actor::Bureau, "李老师", "029-5550-1003"),
        (Actor::Software, "值班客服", "029-5550-1004"),
        (Actor::Insured, "医保热线", "12393"),
    ] {
        facing.contacts.insert(actor, Contact { name: name.to_owned(), phone: phone.to_owned() });
    }
    facing
}

/// Every scene with its name.
pub fn all() -> Vec<(&'static str, Diagnosis)> {
    vec![
        ("healthy", healthy()),
        ("cable_out", cable_out()),
        ("line_or_vpn_server", line_or_vpn_server()),
        ("certificate_expired_and_a_resolver_dead", certificate_expired_and_a_resolver_dead()),
        ("a_resolver_dead", a_resolver_dead()),
        ("no_centre_configured", no_centre_configured()),
        ("two_centres_one_refuses", two_centres_one_refuses()),
    ]
}

pub fn healthy() -> Diagnosis {
    Diagnosis {
        notes: vec![
            note(NoteCode::CentrePingForbidden, Subject::Centre("settlement".to_owned())),
            note(NoteCode::NotEnrolled, Subject::Terminal),
        ],
        ..diagnosis(Some(true), path("settlement", None), Vec::new())
    }
}

pub fn cable_out() -> Diagnosis {
    let mut path = path("settlement", Some(Layer::Link));
    "up, no carrier".clone_into(&mut path[0].fact);
    let verdict = Verdict {
        evidence: vec![proof("link.state", "eth0", "up, no carrier", None)],
        ruled_out: vec![RuledOut { cause: Cause::LinkAdminDown, because: Reason::Running("eth0".to_owned()) }],
        explains: vec![Subject::Centre("settlement".to_owned())],
        ..verdict(Cause::LinkNoCarrier, Subject::Link(IfName::new("eth0")), Certainty::Proven)
    };
    diagnosis(Some(false), path, vec![verdict])
}

pub fn line_or_vpn_server() -> Diagnosis {
    let mut path = path("settlement", Some(Layer::Line));
    path[3].state = LayerState::Unknown;
    path[3].fact = String::new();
    path[4].state = LayerState::Failed;
    "no interface".clone_into(&mut path[4].fact);
    let silence = || proof("udp.datagram", "203.0.113.9:1194", "silence", Some(2000.0));
    let line = Verdict {
        evidence: vec![silence(), proof("path.walk", "203.0.113.9", "ttl 2 silence", Some(900.0))],
        ruled_out: vec![RuledOut { cause: Cause::GatewayUnreachable, because: Reason::Answered("192.168.1.1".to_owned()) }],
        explains: vec![Subject::Vpn("centre".to_owned()), Subject::Centre("settlement".to_owned())],
        ..verdict(Cause::LineDown, Subject::Line, Certainty::Likely)
    };
    let server = Verdict {
        evidence: vec![silence()],
        ruled_out: vec![RuledOut { cause: Cause::VpnNotStarted, because: Reason::Running("openvpn".to_owned()) }],
        ..verdict(Cause::VpnServerUnreachable, Subject::Vpn("centre".to_owned()), Certainty::Likely)
    };
    Diagnosis {
        notes: vec![note(NoteCode::OneLook, Subject::Terminal)],
        blind: vec![
            Blind { what: "gateway.arp".to_owned(), because: Unseen::Capability("CAP_NET_RAW".to_owned()) },
            Blind { what: "http.upload".to_owned(), because: Unseen::NotConfigured("centre.upload-test".to_owned()) },
        ],
        ..diagnosis(Some(false), path, vec![line, server])
    }
}

pub fn certificate_expired_and_a_resolver_dead() -> Diagnosis {
    let mut path = path("settlement", Some(Layer::Tls));
    let tls = path.iter_mut().find(|item| item.layer == Layer::Tls).expect("this scene has it");
    "certificate expired".clone_into(&mut tls.fact);
    tls.ms = Some(12.4);
    let expired = Verdict {
        evidence: vec![
            proof("tls.handshake", "10.20.0.10:443", "certificate expired", Some(12.4)),
            proof("http.date", "10.20.0.10:443", "+2 s", None),
        ],
        ruled_out: vec![RuledOut { cause: Cause::ClockWrong, because: Reason::ClockAgrees("10.20.0.10:443".to_owned()) }],
        explains: vec![Subject::Centre("settlement".to_owned())],
        ..verdict(Cause::TlsExpired, Subject::Endpoint("10.20.0.10:443".parse().expect("this scene has it")), Certainty::Proven)
    };
    let second = Verdict {
        severity: Severity::Low,
        disconnects: false,
        evidence: vec![proof("dns.query", "10.20.0.54", "silence", Some(2000.0))],
        ..verdict(Cause::DnsTimeout, Subject::Resolver("10.20.0.54".parse().expect("this scene has it")), Certainty::Proven)
    };
    diagnosis(Some(false), path, vec![expired, second])
}

pub fn a_resolver_dead() -> Diagnosis {
    let Diagnosis { verdicts, .. } = certificate_expired_and_a_resolver_dead();
    diagnosis(Some(true), path("settlement", None), verdicts.into_iter().skip(1).collect())
}

pub fn no_centre_configured() -> Diagnosis {
    let path = path("settlement", None).into_iter().filter(|item| item.chain == Chain::Local).collect();
    Diagnosis { notes: vec![note(NoteCode::CentreNotConfigured, Subject::Terminal)], ..diagnosis(None, path, Vec::new()) }
}

pub fn two_centres_one_refuses() -> Diagnosis {
    let mut all = path("settlement", None);
    all.extend(path("records", Some(Layer::Tcp)).into_iter().filter(|item| item.chain != Chain::Local));
    let refused = all.iter_mut().find(|item| item.state == LayerState::Failed).expect("this scene has it");
    "RST".clone_into(&mut refused.fact);
    refused.ms = Some(8.2);
    let verdict = Verdict {
        evidence: vec![proof("tcp.connect", "10.20.0.10:443", "RST", Some(8.2))],
        ..verdict(Cause::TcpRefused, Subject::Endpoint("10.20.0.10:443".parse().expect("this scene has it")), Certainty::Proven)
    };
    diagnosis(Some(false), all, vec![verdict])
}

/// One cause, proven and cutting.
pub fn only(cause: Cause) -> Diagnosis {
    let verdict = verdict(cause, Subject::Terminal, Certainty::Proven);
    diagnosis(Some(false), path("settlement", Some(cause.layer())), vec![verdict])
}

fn diagnosis(connected: Option<bool>, path: Vec<PathItem>, verdicts: Vec<Verdict>) -> Diagnosis {
    Diagnosis { connected, isolation: Isolation::Unknown, path, verdicts, notes: Vec::new(), blind: Vec::new(), services: Vec::new() }
}

fn verdict(cause: Cause, subject: Subject, certainty: Certainty) -> Verdict {
    Verdict {
        cause,
        subject,
        certainty,
        severity: cause.severity(),
        disconnects: true,
        who_acts: cause.actors().to_vec(),
        evidence: Vec::new(),
        ruled_out: Vec::new(),
        explains: Vec::new(),
    }
}

fn proof(k: &str, target: &str, result: &str, ms: Option<f64>) -> Evidence {
    Evidence { k: k.to_owned(), target: target.to_owned(), result: result.to_owned(), ms, n: 1, boot_ms: None }
}

fn note(code: NoteCode, subject: Subject) -> Note {
    Note { code, subject }
}

/// A way over an OpenVPN to a centre, whole up to the broken layer.
fn path(centre: &str, broken: Option<Layer>) -> Vec<PathItem> {
    let link = || Subject::Link(IfName::new("eth0"));
    let rows = [
        (Layer::Link, link(), "up, 1000 Mbit/s", None),
        (Layer::Address, link(), "192.168.1.20/24", None),
        (Layer::Gateway, Subject::Gateway("192.168.1.1".parse().expect("this scene has it")), "answer", Some(0.412)),
        (Layer::Line, Subject::Line, "203.0.113.9", None),
        (Layer::Vpn, Subject::Vpn("centre".to_owned()), "tun0", None),
        (Layer::Route, Subject::Route("10.20.0.10".parse().expect("this scene has it")), "dev tun0", None),
        (Layer::Dns, Subject::Name("settle.centre.example".to_owned()), "10.20.0.10", Some(3.9)),
        (Layer::Tcp, Subject::Endpoint("10.20.0.10:443".parse().expect("this scene has it")), "connected", Some(8.214)),
        (Layer::Tls, Subject::Endpoint("10.20.0.10:443".parse().expect("this scene has it")), "TLSv1_3 verified", Some(17.0)),
        (Layer::Http, Subject::Centre(centre.to_owned()), "HTTP 200", Some(31.6)),
    ];
    let item = |(layer, subject, fact, ms): (Layer, Subject, &str, Option<f64>)| {
        let state = match broken {
            Some(at) if layer == at => LayerState::Failed,
            Some(at) if layer > at => LayerState::Skipped,
            Some(_) | None => LayerState::Ok,
        };
        let seen = state == LayerState::Ok;
        let chain = if layer <= Layer::Line { Chain::Local } else { Chain::Centre(centre.to_owned()) };
        PathItem { chain, layer, subject, state, fact: if seen { fact.to_owned() } else { String::new() }, ms: ms.filter(|_| seen) }
    };
    rows.into_iter().map(item).collect()
}
