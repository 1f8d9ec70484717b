//! Observations as lines of proof: what was asked, of whom, what came back, after how long. Language-free.

use crate::model::{
    Answer, ArpAnswer, Evidence, Failure, FailureKind, Gateway, Hop, HopAnswer, HttpFacts, IcmpError, IcmpKind, Link, Lookup, Outcome,
    Rcode, Reply, Route, RouteKind, TlsFacts, TlsFault, Unseen, VpnFacts,
};
use std::fmt::Display;
use std::time::Duration;

/// The result of what brought no answer.
pub const SILENCE: &str = "silence";

/// Milliseconds with a resolution of a microsecond.
pub fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// A line without a time.
pub fn state(k: &str, target: impl Display, result: impl Display) -> Evidence {
    Evidence { k: k.to_owned(), target: target.to_string(), result: result.to_string(), ms: None, n: 1, boot_ms: None }
}

fn line<T>(k: &str, target: impl Display, outcome: &Outcome<T>, describe: impl Fn(&T) -> (String, Option<Duration>)) -> Evidence {
    let (result, elapsed) = match outcome {
        Outcome::Ok(seen) => describe(seen),
        Outcome::Failed(failure) => (failure_text(failure), Some(failure.elapsed)),
        Outcome::Unknown(unseen) => (unseen_text(unseen), None),
    };
    Evidence { ms: elapsed.map(ms), ..state(k, target, result) }
}

/// An echo.
pub fn ping(target: impl Display, outcome: &Outcome<Reply>) -> Evidence {
    line("icmp.echo", target, outcome, |reply| (reply_text(reply), Some(reply.rtt)))
}

/// A datagram.
pub fn udp(target: impl Display, outcome: &Outcome<Reply>) -> Evidence {
    line("udp.datagram", target, outcome, |reply| ("answer".to_owned(), Some(reply.rtt)))
}

/// A connect.
pub fn tcp(target: impl Display, outcome: &Outcome<Reply>) -> Evidence {
    line("tcp.connect", target, outcome, |reply| ("connected".to_owned(), Some(reply.rtt)))
}

/// A large request.
pub fn upload(k: &str, target: impl Display, outcome: &Outcome<Reply>) -> Evidence {
    line(k, target, outcome, |reply| ("answer".to_owned(), Some(reply.rtt)))
}

/// A handshake.
pub fn tls(target: impl Display, outcome: &Outcome<TlsFacts>) -> Evidence {
    line("tls.handshake", target, outcome, |facts| {
        let judged = if facts.verified { "verified" } else { "not judged" };
        (format!("{} {judged}", facts.version.as_deref().unwrap_or("TLS")), Some(facts.elapsed))
    })
}

/// An HTTP exchange.
pub fn http(target: impl Display, outcome: &Outcome<HttpFacts>) -> Evidence {
    line("http.get", target, outcome, |facts| (format!("HTTP {}", facts.status), Some(facts.total)))
}

/// A question to one resolver.
pub fn query(target: impl Display, outcome: &Outcome<Answer>) -> Evidence {
    line("dns.query", target, outcome, |answer| (list(&answer.addresses), Some(answer.elapsed)))
}

/// A look-up as applications do it.
pub fn lookup(name: &str, outcome: &Outcome<Lookup>) -> Evidence {
    line("dns.lookup", name, outcome, |found| (list(&found.addresses), Some(found.elapsed)))
}

/// The kernel's routing decision.
pub fn route(target: impl Display, outcome: &Outcome<Route>) -> Evidence {
    line("route.lookup", target, outcome, |route| (route_text(route), None))
}

/// A next hop: its best sign of life, or else what came of asking for its hardware address.
pub fn gateway(target: impl Display, gateway: &Gateway) -> Evidence {
    match (&gateway.arp, &gateway.ping, gateway.expired_here) {
        (ArpAnswer::Silent | ArpAnswer::Unknown(_), answered @ Outcome::Ok(_), _) => ping(target, answered),
        (ArpAnswer::Silent | ArpAnswer::Unknown(_), _, Some(elapsed)) => {
            Evidence { ms: Some(ms(elapsed)), ..state("path.walk", target, "ttl 1 expired here") }
        }
        _ => arp(target, gateway),
    }
}

/// What came of asking a next hop for its hardware address.
pub fn arp(target: impl Display, gateway: &Gateway) -> Evidence {
    match &gateway.arp {
        ArpAnswer::Answered(elapsed) => {
            Evidence { ms: Some(ms(*elapsed)), ..state("gateway.arp", target, gateway.mac.as_deref().unwrap_or("answer")) }
        }
        ArpAnswer::Silent => state("gateway.arp", target, SILENCE),
        ArpAnswer::Unknown(unseen) => state("gateway.arp", target, unseen_text(unseen)),
    }
}

/// An interface.
pub fn link(link: &Link) -> Evidence {
    let text = match (link.up, link.carrier) {
        (false, _) => "down".to_owned(),
        (true, false) => "up, no carrier".to_owned(),
        (true, true) => link.speed_mbps.map_or("up".to_owned(), |speed| format!("up, {speed} Mbit/s")),
    };
    state("link.state", &link.name, text)
}

/// A VPN's counters.
pub fn counters(name: &str, facts: &VpnFacts) -> Evidence {
    let read = || format!("sent {} B, received {} B", facts.sent, facts.received);
    state("vpn.counters", name, facts.counters_unseen.as_ref().map_or_else(read, unseen_text))
}

/// A step of a walk.
pub fn hop(target: impl Display, hop: &Hop) -> Evidence {
    let result = match &hop.answer {
        HopAnswer::Router(ip) => format!("ttl {} expired at {ip}", hop.ttl),
        HopAnswer::Destination => format!("ttl {} reached it", hop.ttl),
        HopAnswer::Refused(error) => format!("ttl {} {}", hop.ttl, icmp_text(error)),
        HopAnswer::Silence => format!("ttl {} silence", hop.ttl),
        HopAnswer::Local(errno) => errno.to_string(),
    };
    Evidence { ms: Some(ms(hop.elapsed)), ..state("path.walk", target, result) }
}

/// A failure as a short fact.
pub fn failure_text(failure: &Failure) -> String {
    match &failure.kind {
        FailureKind::Silence => SILENCE.to_owned(),
        FailureKind::Local(errno) => errno.to_string(),
        FailureKind::Icmp(error) => icmp_text(error),
        FailureKind::Refused => "RST".to_owned(),
        FailureKind::Closed { received, reset: true } => format!("reset after {received} B"),
        FailureKind::Closed { received, reset: false } => format!("closed after {received} B"),
        FailureKind::Garbage(what) => format!("not the protocol: {what}"),
        FailureKind::Rcode(rcode) => rcode_text(*rcode),
        FailureKind::Tls(fault, _) => tls_fault_text(fault),
        FailureKind::TooLarge => "too large".to_owned(),
    }
}

fn reply_text(reply: &Reply) -> String {
    match reply.series {
        (1, 1) => "answer".to_owned(),
        (sent, answered) => format!("answer {answered}/{sent}"),
    }
}

fn icmp_text(error: &IcmpError) -> String {
    let kind = match error.kind {
        IcmpKind::NetUnreachable => "net-unreachable".to_owned(),
        IcmpKind::HostUnreachable => "host-unreachable".to_owned(),
        IcmpKind::PortUnreachable => "port-unreachable".to_owned(),
        IcmpKind::AdminProhibited => "admin-prohibited".to_owned(),
        IcmpKind::PacketTooBig(mtu) => format!("packet-too-big mtu {mtu}"),
        IcmpKind::TimeExceeded => "time-exceeded".to_owned(),
        IcmpKind::Other(kind, code) => format!("type {kind} code {code}"),
    };
    match error.offender {
        Some(offender) => format!("icmp {kind} from {offender}"),
        None => format!("icmp {kind}"),
    }
}

fn rcode_text(rcode: Rcode) -> String {
    match rcode {
        Rcode::ServFail => "SERVFAIL".to_owned(),
        Rcode::NxDomain => "NXDOMAIN".to_owned(),
        Rcode::Refused => "REFUSED".to_owned(),
        Rcode::Other(code) => format!("rcode {code}"),
    }
}

fn tls_fault_text(fault: &TlsFault) -> String {
    match fault {
        TlsFault::Expired => "certificate expired".to_owned(),
        TlsFault::NotYetValid => "certificate not valid yet".to_owned(),
        TlsFault::UnknownIssuer => "issuer unknown".to_owned(),
        TlsFault::NameMismatch => "other name".to_owned(),
        TlsFault::ClientCertificate => "client certificate".to_owned(),
        TlsFault::Unsupported => "protocol not supported by this tool".to_owned(),
        TlsFault::Other(text) => text.clone(),
    }
}

fn route_text(route: &Route) -> String {
    match route.kind {
        RouteKind::Unicast | RouteKind::Local => {
            let device = route.device.as_ref().map_or_else(String::new, |d| format!("dev {d}"));
            route.gateway.map_or_else(|| device.clone(), |via| format!("via {via} {device}"))
        }
        RouteKind::Blackhole => "blackhole".to_owned(),
        RouteKind::Unreachable => "unreachable".to_owned(),
        RouteKind::Prohibit => "prohibit".to_owned(),
    }
}

fn unseen_text(unseen: &Unseen) -> String {
    match unseen {
        Unseen::Capability(name) => format!("not asked: needs {name}"),
        Unseen::NotConfigured(key) => format!("not asked: {key} not configured"),
        Unseen::NotEnrolled => "not asked: not enrolled".to_owned(),
        Unseen::Deadline => "not finished".to_owned(),
        Unseen::Skipped => "not asked".to_owned(),
        Unseen::PublicAddress => "not asked: public address".to_owned(),
        Unseen::NotMounted(what) => format!("not asked: {what} is not mounted"),
        Unseen::Hidden(what) => format!("not asked: {what} is hidden"),
        Unseen::Unsteady => "network changed meanwhile".to_owned(),
        Unseen::Error(text) => format!("not asked: {text}"),
    }
}

fn list(addresses: &[std::net::IpAddr]) -> String {
    if addresses.is_empty() {
        return "no address".to_owned();
    }
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
