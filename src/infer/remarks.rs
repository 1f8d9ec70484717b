//! What is said beside the verdicts: what looks like a fault and is none, and what could not be seen.

use super::scene::{Scene, Way};
use super::{planned, rules};
use crate::baseline::Enrolment;
use crate::model::{ArpAnswer, Blind, FailureKind, LookupSource, Note, NoteCode, Outcome, Sighting, Subject, TlsFault, Unseen};
use std::collections::BTreeSet;

/// The notes, each once.
pub fn notes(scene: &Scene<'_>, ways: &[Way<'_>]) -> Vec<Note> {
    let mut notes = BTreeSet::new();
    let mut say = |code, subject| {
        notes.insert(Note { code, subject });
    };
    if scene.config.centres.is_empty() {
        say(NoteCode::CentreNotConfigured, Subject::Terminal);
    }
    if *scene.enrolment == Enrolment::NotEnrolled {
        say(NoteCode::NotEnrolled, Subject::Terminal);
    }
    if planned::window(scene).is_some() {
        say(NoteCode::MaintenanceWindow, Subject::Terminal);
    }
    for way in ways {
        if let Some(ip) = silent_gateway(way) {
            say(NoteCode::GatewayPingForbidden, Subject::Gateway(ip));
        }
        let Some(centre) = way.centre else { continue };
        let subject = || Subject::Centre(centre.name.clone());
        if centre.ping && forbids_ping(way) {
            say(NoteCode::CentrePingForbidden, subject());
        }
        if other_family(way) {
            say(NoteCode::OtherFamily, subject());
        }
        if name_is_fixed(way) {
            say(NoteCode::DnsNotNeeded, subject());
        }
        for (_, outcome) in rules::handshakes(way) {
            match outcome {
                Outcome::Ok(facts) if !facts.verified => say(NoteCode::TlsNotJudged, subject()),
                Outcome::Failed(failure) if matches!(failure.kind, FailureKind::Tls(TlsFault::Unsupported, _)) => {
                    say(NoteCode::TlsUnsupported, subject());
                }
                Outcome::Ok(_) | Outcome::Failed(_) | Outcome::Unknown(_) => {}
            }
        }
    }
    notes.into_iter().collect()
}

fn silent_gateway(way: &Way<'_>) -> Option<std::net::IpAddr> {
    let gateway = way.gateway()?;
    let lives = gateway.alive() || way.beyond_gateway().is_some();
    (lives && gateway.ping.failure().is_some_and(|f| f.kind == FailureKind::Silence)).then_some(way.uplink.gateway?)
}

/// It works on a port and keeps silent to echo.
fn forbids_ping(way: &Way<'_>) -> bool {
    let world = way.scene.world;
    let ports = way.centre.map(rules::required_ports).unwrap_or_default();
    let works = |ip: &std::net::IpAddr| ports.iter().any(|port| world.tcp((*ip, *port).into()).is_some_and(|o| o.ok().is_some()));
    let silent = |ip: &std::net::IpAddr| world.ping(*ip).and_then(Outcome::failure).is_some_and(|f| f.kind == FailureKind::Silence);
    way.targets.iter().any(|ip| works(ip) && silent(ip))
}

/// One family of the centre's addresses answers on its ports, the other fails.
fn other_family(way: &Way<'_>) -> bool {
    let ports = way.centre.map(rules::required_ports).unwrap_or_default();
    let asked = |ipv4: bool| {
        let at = way.targets.iter().filter(move |ip| ip.is_ipv4() == ipv4);
        let at = at.flat_map(|ip| ports.iter().map(move |port| std::net::SocketAddr::new(*ip, *port)));
        at.filter_map(|at| way.scene.world.tcp(at)).collect::<Vec<_>>()
    };
    let works = |ipv4| asked(ipv4).iter().any(|outcome| outcome.ok().is_some());
    let fails = |ipv4| !asked(ipv4).is_empty() && asked(ipv4).iter().all(|outcome| outcome.failure().is_some());
    [true, false].into_iter().any(|ipv4| works(ipv4) && fails(!ipv4))
}

fn name_is_fixed(way: &Way<'_>) -> bool {
    let Some(centre) = way.centre else { return false };
    let from_hosts = way.scene.world.lookup(&centre.host).and_then(Outcome::ok).is_some_and(|found| found.source != LookupSource::Dns);
    from_hosts || centre.host.parse::<std::net::IpAddr>().is_ok()
}

/// What could not be seen, each once.
pub fn blind(scene: &Scene<'_>) -> Vec<Blind> {
    let mut blind = BTreeSet::new();
    if let Enrolment::Unreadable(why) = scene.enrolment {
        blind.insert(Blind { what: "baseline".to_owned(), because: Unseen::Error(why.clone()) });
    }
    for observation in scene.world.observations() {
        if let Sighting::Vpn(_, Outcome::Ok(facts)) = &observation.sighting {
            let unread = [("vpn.log", &facts.log_unseen), ("vpn.counters", &facts.counters_unseen)];
            let told = unread.into_iter().filter_map(|(what, why)| Some(Blind { what: what.to_owned(), because: why.clone()? }));
            blind.extend(told);
        }
        if let Some((what, because)) = unseen(&observation.sighting) {
            blind.insert(Blind { what: what.to_owned(), because: because.clone() });
        }
    }
    blind.into_iter().collect()
}

fn unseen(sighting: &Sighting) -> Option<(&'static str, &Unseen)> {
    fn of<T>(outcome: &Outcome<T>) -> Option<&Unseen> {
        match outcome {
            Outcome::Unknown(why) => Some(why),
            Outcome::Ok(_) | Outcome::Failed(_) => None,
        }
    }
    let (what, why) = match sighting {
        Sighting::Links(o) => ("link.list", of(o)),
        Sighting::Addresses(o) => ("address.list", of(o)),
        Sighting::Routes(o) => ("route.list", of(o)),
        Sighting::RouteTo(_, o) => ("route.lookup", of(o)),
        Sighting::Gateway(_, _, Outcome::Ok(gateway)) => match &gateway.arp {
            ArpAnswer::Unknown(why) => ("gateway.arp", Some(why)),
            ArpAnswer::Answered(_) | ArpAnswer::Silent => ("gateway.ping", of(&gateway.ping)),
        },
        Sighting::Gateway(_, _, o) => ("gateway", of(o)),
        Sighting::Walk(_, o) => ("path.walk", of(o)),
        Sighting::Ping(_, o) => ("icmp.echo", of(o)),
        Sighting::Series(_, o) | Sighting::SeriesLarge(_, o) => ("icmp.series", of(o)),
        Sighting::Exchanges(_, o) => ("exchange.series", of(o)),
        Sighting::OnWire(_, o) => ("wire.answer", of(o)),
        Sighting::CardReaders(o) => ("usb.readers", of(o)),
        Sighting::DialUp(o) => ("link.dial-up", of(o)),
        Sighting::Source(source, o) => (source.code(), of(o)),
        Sighting::Udp(_, o) => ("udp.datagram", of(o)),
        Sighting::Tcp(_, o) => ("tcp.connect", of(o)),
        Sighting::Tls(_, o) => ("tls.handshake", of(o)),
        Sighting::Http(_, _, o) => ("http.get", of(o)),
        Sighting::Resolvers(o) => ("dns.resolvers", of(o)),
        Sighting::Lookup(_, o) => ("dns.lookup", of(o)),
        Sighting::Query(_, o) => ("dns.query", of(o)),
        Sighting::Vpn(_, Outcome::Ok(facts)) => ("wireguard.handshake", facts.handshake_unseen.as_ref()),
        Sighting::Vpn(_, o) => ("vpn", of(o)),
        Sighting::Upload(_, o) | Sighting::UploadSmall(_, o) => ("http.upload", of(o)),
    };
    why.filter(|why| **why != Unseen::Skipped).map(|why| (what, why))
}
