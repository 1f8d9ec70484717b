//! A walk: UDP datagrams with growing TTL, all at once, and who answers on the way. Needs no privilege.

use crate::model::{Failure, FailureKind, Hop, HopAnswer, IcmpKind, IfName, Outcome, Sighting, Unseen};
use crate::sys::udp;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Hops that matter: the shop's router, the provider's first ones. What lies beyond is nobody's to call.
pub const HOPS: u8 = 4;
/// Longest a walk takes.
const LONGEST: Duration = Duration::from_secs(1);
/// How long nearer hops are still waited for once the end is known.
const GRACE: Duration = Duration::from_millis(100);
/// First port of traceroute: nobody listens there, so the destination says "port unreachable".
const PORT: u16 = 33434;

/// Walks towards a destination, out of `device` if given.
pub async fn walk(target: IpAddr, device: Option<&IfName>, timeout: Duration) -> Sighting {
    let limit = Instant::now() + timeout.min(LONGEST);
    let mut until = limit;
    let mut asked: FuturesUnordered<_> = (1..=HOPS).map(|ttl| hop(target, device, ttl, timeout.min(LONGEST))).collect();
    let mut hops: Vec<Hop> = Vec::new();
    let mut unseen = None;
    while let Ok(Some(answer)) = timeout_at(until, asked.next()).await {
        match answer {
            Outcome::Ok(hop) => {
                if is_end(&hop.answer) {
                    until = until.min(Instant::now() + GRACE);
                }
                hops.push(hop);
            }
            Outcome::Unknown(why) => unseen = Some(why),
            Outcome::Failed(_) => {}
        }
        if is_complete(&hops) {
            break;
        }
    }
    let waited = (limit - timeout.min(LONGEST)).elapsed();
    Sighting::Walk(target, outcome(hops, unseen, waited))
}

/// What there is to tell: the hops in order up to the end, those without an answer as silent.
fn outcome(mut hops: Vec<Hop>, unseen: Option<Unseen>, waited: Duration) -> Outcome<Vec<Hop>> {
    if let (true, Some(why)) = (hops.is_empty(), unseen) {
        return Outcome::Unknown(why);
    }
    for ttl in 1..=HOPS {
        if !hops.iter().any(|hop| hop.ttl == ttl) {
            hops.push(Hop { ttl, answer: HopAnswer::Silence, elapsed: waited });
        }
    }
    hops.sort_by_key(|hop| hop.ttl);
    if let Some(end) = hops.iter().position(|hop| is_end(&hop.answer)) {
        hops.truncate(end + 1);
    }
    Outcome::Ok(hops)
}

/// Every hop up to the end has answered.
fn is_complete(hops: &[Hop]) -> bool {
    let end = hops.iter().filter(|hop| is_end(&hop.answer)).map(|hop| hop.ttl).min();
    end.is_some_and(|end| (1..end).all(|ttl| hops.iter().any(|hop| hop.ttl == ttl)))
}

/// Nothing lies beyond such an answer.
fn is_end(answer: &HopAnswer) -> bool {
    match answer {
        HopAnswer::Destination | HopAnswer::Refused(_) | HopAnswer::Local(_) => true,
        HopAnswer::Router(_) | HopAnswer::Silence => false,
    }
}

async fn hop(target: IpAddr, device: Option<&IfName>, ttl: u8, timeout: Duration) -> Outcome<Hop> {
    let route = udp::Route { device: device.cloned(), ttl: Some(ttl) };
    let at = SocketAddr::new(target, PORT + u16::from(ttl));
    match udp::exchange(at, &[0], &route, timeout).await {
        Outcome::Ok(datagram) => Outcome::Ok(Hop { ttl, answer: HopAnswer::Destination, elapsed: datagram.reply.rtt }),
        Outcome::Failed(Failure { kind, elapsed }) => Outcome::Ok(Hop { ttl, answer: answer(kind, target), elapsed }),
        Outcome::Unknown(why) => Outcome::Unknown(why),
    }
}

fn answer(kind: FailureKind, target: IpAddr) -> HopAnswer {
    match kind {
        FailureKind::Icmp(error) => match (error.kind, error.offender) {
            (IcmpKind::TimeExceeded, Some(router)) => HopAnswer::Router(router),
            (IcmpKind::TimeExceeded, None) => HopAnswer::Silence,
            (IcmpKind::PortUnreachable, Some(offender)) if offender == target => HopAnswer::Destination,
            _ => HopAnswer::Refused(error),
        },
        FailureKind::Local(errno) => HopAnswer::Local(errno),
        _ => HopAnswer::Silence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Errno, IcmpError};

    const TARGET: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9));
    const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn hop(ttl: u8, answer: HopAnswer) -> Hop {
        Hop { ttl, answer, elapsed: Duration::ZERO }
    }

    #[test]
    fn a_walk_ends_at_the_destination_and_fills_the_silent_hops() {
        let seen = vec![hop(3, HopAnswer::Destination), hop(1, HopAnswer::Router(ROUTER)), hop(4, HopAnswer::Destination)];
        assert!(!is_complete(&seen), "the second has not answered");
        let Outcome::Ok(hops) = outcome(seen, None, Duration::ZERO) else { panic!("a walk") };
        let answers: Vec<_> = hops.into_iter().map(|hop| hop.answer).collect();
        assert_eq!(answers, [HopAnswer::Router(ROUTER), HopAnswer::Silence, HopAnswer::Destination]);
    }

    #[test]
    fn a_walk_without_answers_is_silent_and_one_not_begun_is_unknown() {
        let Outcome::Ok(hops) = outcome(Vec::new(), None, Duration::ZERO) else { panic!("a walk") };
        assert_eq!(hops.len(), usize::from(HOPS));
        assert!(matches!(outcome(Vec::new(), Some(Unseen::Deadline), Duration::ZERO), Outcome::Unknown(_)));
    }

    #[test]
    fn each_answer_has_its_meaning() {
        let icmp = |kind, offender| answer(FailureKind::Icmp(IcmpError { kind, offender: Some(offender) }), TARGET);
        assert_eq!(icmp(IcmpKind::TimeExceeded, ROUTER), HopAnswer::Router(ROUTER));
        assert_eq!(icmp(IcmpKind::PortUnreachable, TARGET), HopAnswer::Destination);
        assert!(matches!(icmp(IcmpKind::PortUnreachable, ROUTER), HopAnswer::Refused(_)), "a router that rejects with this code");
        assert!(matches!(icmp(IcmpKind::HostUnreachable, ROUTER), HopAnswer::Refused(_)));
        assert_eq!(answer(FailureKind::Local(Errno::EPERM), TARGET), HopAnswer::Local(Errno::EPERM));
    }
}
