//! Signs of life. The principle of the whole inference: *what answers above proves what lies below*. A gateway that drops ping, ARP and
//! everything else is no fault while the centre behind it answers.

use super::World;
use super::evidence;
use crate::model::{Evidence, FailureKind, HopAnswer, IcmpError, IcmpKind, IfName, Observation, Outcome, Sighting};
use std::net::{IpAddr, SocketAddr};

/// Somebody answered a packet of ours in this round.
#[derive(Debug, Clone)]
pub struct Sign {
    /// Who: the destination, or a router on the way.
    pub who: IpAddr,
    /// To whom our packet was addressed.
    pub to: IpAddr,
    /// The ICMP error by which it spoke; `None` = it answered in substance.
    pub error: Option<IcmpKind>,
    /// It was heard at a card and never reached the socket that asked: it proves the way there, and accuses this PC.
    pub dropped: bool,
    /// On the segment of this card, which is known where a next hop was asked; otherwise the routes tell.
    pub on: Option<IfName>,
    /// The proof.
    pub evidence: Evidence,
}

/// All signs in a world, our own kernel's words left out.
pub fn signs(world: &World) -> Vec<Sign> {
    world.observations().flat_map(of).filter(|sign| !world.is_own(sign.who)).collect()
}

fn of(observation: &Observation) -> Vec<Sign> {
    match &observation.sighting {
        Sighting::Ping(ip, outcome) => exchange(*ip, outcome, || evidence::ping(ip, outcome)),
        Sighting::Udp(at, outcome) => exchange(at.ip(), outcome, || evidence::udp(at, outcome)),
        Sighting::Tcp(at, outcome) => exchange(at.ip(), outcome, || evidence::tcp(at, outcome)),
        Sighting::Query(key, outcome) => {
            exchange(key.resolver, outcome, || evidence::query(format!("{} @{}", key.name, key.resolver), outcome))
        }
        Sighting::Gateway(device, ip, Outcome::Ok(gateway)) if gateway.alive() => {
            vec![Sign {
                who: *ip,
                to: *ip,
                error: None,
                dropped: false,
                on: Some(device.clone()),
                evidence: evidence::gateway(ip, gateway),
            }]
        }
        Sighting::OnWire(ip, Outcome::Ok(())) => {
            let evidence = evidence::state("wire.answer", ip, "arrived");
            vec![Sign { who: *ip, to: *ip, error: None, dropped: true, on: None, evidence }]
        }
        Sighting::Walk(to, Outcome::Ok(hops)) => hops
            .iter()
            .filter_map(|hop| {
                let (who, error) = match &hop.answer {
                    HopAnswer::Router(who) => (*who, Some(IcmpKind::TimeExceeded)),
                    HopAnswer::Destination => (*to, None),
                    HopAnswer::Refused(IcmpError { kind, offender }) => ((*offender)?, Some(*kind)),
                    HopAnswer::Silence | HopAnswer::Local(_) => return None,
                };
                Some(Sign { who, to: *to, error, dropped: false, on: None, evidence: evidence::hop(to, hop) })
            })
            .collect(),
        // What comes out of a tunnel was carried there by its server.
        Sighting::Vpn(name, Outcome::Ok(facts)) if facts.received > 0 => {
            let sign = |at: &SocketAddr| Sign {
                who: at.ip(),
                to: at.ip(),
                error: None,
                dropped: false,
                on: None,
                evidence: evidence::counters(name, facts),
            };
            facts.server.first().map(sign).into_iter().collect()
        }
        // The handshake and the request say nothing that the connection below them did not say.
        _ => Vec::new(),
    }
}

fn exchange<T>(to: IpAddr, outcome: &Outcome<T>, evidence: impl Fn() -> Evidence) -> Vec<Sign> {
    let (who, error) = match outcome {
        Outcome::Ok(_) => (to, None),
        Outcome::Unknown(_) => return Vec::new(),
        Outcome::Failed(failure) => match &failure.kind {
            FailureKind::Icmp(IcmpError { kind: IcmpKind::PortUnreachable, offender }) if offender.is_none_or(|o| o == to) => (to, None),
            FailureKind::Icmp(IcmpError { kind, offender: Some(who) }) => (*who, Some(*kind)),
            FailureKind::Silence
            | FailureKind::Local(_)
            | FailureKind::TooLarge
            | FailureKind::Tls(..)
            | FailureKind::Icmp(IcmpError { offender: None, .. }) => return Vec::new(),
            FailureKind::Refused | FailureKind::Closed { .. } | FailureKind::Garbage(_) | FailureKind::Rcode(_) => (to, None),
        },
    };
    vec![Sign { who, to, error, dropped: false, on: None, evidence: evidence() }]
}
