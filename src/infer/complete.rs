//! What somebody with more rights saw, taken over for what one's own look may not see. Observations are shared, never verdicts.
//!
//! Two looks are one only if they are of the same time and tell the same: where they contradict each other in anything that both could ask,
//! the network changed in between (or somebody lies), and nothing is taken over. What was seen here is never replaced.

use super::World;
use crate::model::{ArpAnswer, Gateway, Observation, Outcome, Sighting, Unseen, VpnFacts};
use std::ops::RangeInclusive;

impl World {
    /// Something was not seen here for want of a right.
    pub fn lacks_rights(&self) -> bool {
        self.observations().any(|own| lacks_rights(&own.sighting))
    }

    /// Takes over from `other` what was not seen here for want of a right, and gives how many looks gained. `boot_id` and `between`
    /// (`boottime_ms`) say when this look was made; what is of another time counts for nothing.
    pub fn complete(&mut self, other: Self, boot_id: &str, between: &RangeInclusive<u64>) -> usize {
        let timely = |seen: &Observation| seen.at.boot_id == boot_id && between.contains(&seen.at.boottime_ms);
        if !other.observations().all(timely) || self.contradicts(&other) {
            return 0;
        }
        let mut gained = 0;
        self.meet(other, |own, theirs| gained += usize::from(take_over(own, theirs)));
        gained
    }

    fn contradicts(&self, other: &Self) -> bool {
        let mut own = self.clone();
        let mut found = false;
        own.meet(other.clone(), |own, theirs| {
            let both = succeeded(&own.sighting).zip(succeeded(&theirs.sighting));
            found |= both.is_some_and(|(own, theirs)| own != theirs);
        });
        found
    }
}

/// Whether what needs no right succeeded; `None` = could not tell, or not among what two looks must agree on.
fn succeeded(sighting: &Sighting) -> Option<bool> {
    fn of<T>(outcome: &Outcome<T>) -> Option<bool> {
        match outcome {
            Outcome::Ok(_) => Some(true),
            Outcome::Failed(_) => Some(false),
            Outcome::Unknown(_) => None,
        }
    }
    match sighting {
        Sighting::RouteTo(_, outcome) => of(outcome),
        Sighting::Ping(_, outcome) | Sighting::Tcp(_, outcome) | Sighting::Udp(_, outcome) => of(outcome),
        Sighting::Tls(_, outcome) => of(outcome),
        Sighting::Http(_, _, outcome) => of(outcome),
        Sighting::Lookup(_, outcome) => of(outcome),
        Sighting::Query(_, outcome) => of(outcome),
        Sighting::Gateway(_, _, Outcome::Ok(gateway)) => of(&gateway.ping),
        Sighting::Links(_)
        | Sighting::Addresses(_)
        | Sighting::Routes(_)
        | Sighting::Gateway(..)
        | Sighting::Walk(..)
        | Sighting::Series(..)
        | Sighting::SeriesLarge(..)
        | Sighting::Exchanges(..)
        | Sighting::OnWire(..)
        | Sighting::Resolvers(_)
        | Sighting::Vpn(..)
        | Sighting::CardReaders(_)
        | Sighting::DialUp(_)
        | Sighting::Source(..)
        | Sighting::Upload(..)
        | Sighting::UploadSmall(..) => None,
    }
}

fn is_right(why: &Unseen) -> bool {
    matches!(why, Unseen::Capability(_) | Unseen::Hidden(_))
}

fn needs_right<T>(outcome: &Outcome<T>) -> bool {
    matches!(outcome, Outcome::Unknown(why) if is_right(why))
}

fn lacks_rights(sighting: &Sighting) -> bool {
    match sighting {
        Sighting::Gateway(_, _, Outcome::Ok(gateway)) => {
            matches!(&gateway.arp, ArpAnswer::Unknown(why) if is_right(why)) || needs_right(&gateway.ping)
        }
        Sighting::Vpn(_, Outcome::Ok(vpn)) => {
            vpn.handshake_unseen.as_ref().is_some_and(is_right) || vpn.log_unseen.as_ref().is_some_and(is_right)
        }
        Sighting::Ping(_, outcome) | Sighting::Series(_, outcome) | Sighting::SeriesLarge(_, outcome) => needs_right(outcome),
        Sighting::Walk(_, outcome) => needs_right(outcome),
        Sighting::DialUp(outcome) => needs_right(outcome),
        Sighting::Gateway(..)
        | Sighting::Links(_)
        | Sighting::Addresses(_)
        | Sighting::Routes(_)
        | Sighting::RouteTo(..)
        | Sighting::Exchanges(..)
        | Sighting::OnWire(..)
        | Sighting::Udp(..)
        | Sighting::Tcp(..)
        | Sighting::Tls(..)
        | Sighting::Http(..)
        | Sighting::Resolvers(_)
        | Sighting::Lookup(..)
        | Sighting::Query(..)
        | Sighting::Vpn(..)
        | Sighting::CardReaders(_)
        | Sighting::Source(..)
        | Sighting::Upload(..)
        | Sighting::UploadSmall(..) => false,
    }
}

/// Fills what is missing in `own`; says whether anything was.
fn take_over(own: &mut Observation, theirs: Observation) -> bool {
    if !lacks_rights(&own.sighting) {
        return false;
    }
    match (&mut own.sighting, theirs.sighting) {
        (Sighting::Gateway(_, _, Outcome::Ok(own)), Sighting::Gateway(_, _, Outcome::Ok(theirs))) => fill_gateway(own, theirs),
        (Sighting::Vpn(_, Outcome::Ok(own)), Sighting::Vpn(_, Outcome::Ok(theirs))) => fill_vpn(own, &theirs),
        (sighting, theirs) if !lacks_rights(&theirs) => {
            *sighting = theirs;
            true
        }
        _ => false,
    }
}

fn fill_gateway(own: &mut Gateway, theirs: Gateway) -> bool {
    let mut gained = false;
    if matches!(&own.arp, ArpAnswer::Unknown(why) if is_right(why)) && !matches!(theirs.arp, ArpAnswer::Unknown(_)) {
        own.arp = theirs.arp;
        own.mac = theirs.mac.or(own.mac.take());
        gained = true;
    }
    if needs_right(&own.ping) && !matches!(theirs.ping, Outcome::Unknown(_)) {
        own.ping = theirs.ping;
        gained = true;
    }
    gained
}

fn fill_vpn(own: &mut VpnFacts, theirs: &VpnFacts) -> bool {
    let mut gained = false;
    if own.handshake_unseen.as_ref().is_some_and(is_right) && theirs.handshake_unseen.is_none() {
        (own.handshake_age_s, own.handshake_unseen) = (theirs.handshake_age_s, None);
        gained = true;
    }
    if own.log_unseen.as_ref().is_some_and(is_right) && theirs.log_unseen.is_none() {
        (own.log, own.log_unseen) = (theirs.log, None);
        gained = true;
    }
    gained
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClockState, Failure, FailureKind, IfName, Neighbour, Reply, Stamp};
    use std::net::IpAddr;
    use std::time::Duration;

    const GATEWAY: &str = "10.0.0.1";

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn world(at: u64, arp: ArpAnswer, centre: Outcome<Reply>) -> World {
        let at = Stamp {
            boot_id: "boot".to_owned(),
            boottime_ms: at,
            wall: jiff::Timestamp::UNIX_EPOCH,
            offset_s: 0,
            clock: ClockState::Unknown,
        };
        let gateway = Gateway { neighbour: Neighbour::None, mac: None, arp, ping: Outcome::Unknown(Unseen::Skipped), expired_here: None };
        let device = IfName::new("eth0");
        [Sighting::Gateway(device, ip(GATEWAY), Outcome::Ok(gateway)), Sighting::Ping(ip("10.0.0.9"), centre)]
            .map(|sighting| Observation { at: at.clone(), sighting })
            .to_vec()
            .into()
    }

    fn arp_of(world: &World) -> ArpAnswer {
        let device = IfName::new("eth0");
        world.gateway(&device, ip(GATEWAY)).and_then(Outcome::ok).expect("it is there").arp.clone()
    }

    fn lacking() -> ArpAnswer {
        ArpAnswer::Unknown(Unseen::Capability("CAP_NET_RAW".to_owned()))
    }

    fn answered() -> ArpAnswer {
        ArpAnswer::Answered(Duration::from_millis(1))
    }

    fn pong() -> Outcome<Reply> {
        Outcome::Ok(Reply::once(Duration::from_millis(1)))
    }

    #[test]
    fn what_needs_a_right_is_taken_over() {
        let mut own = world(100, lacking(), pong());
        assert!(own.lacks_rights());
        assert_eq!(own.complete(world(120, answered(), pong()), "boot", &(50..=200)), 1);
        assert_eq!(arp_of(&own), answered());
        assert!(!own.lacks_rights());
    }

    #[test]
    fn what_was_seen_here_stays() {
        let mut own = world(100, ArpAnswer::Silent, pong());
        assert_eq!(own.complete(world(120, answered(), pong()), "boot", &(50..=200)), 0);
        assert_eq!(arp_of(&own), ArpAnswer::Silent);
    }

    #[test]
    fn another_time_another_boot_or_a_contradiction_counts_for_nothing() {
        let failed = || Outcome::Failed(Failure { kind: FailureKind::Silence, elapsed: Duration::from_secs(1) });
        for (other, boot, between) in [
            (world(120, answered(), pong()), "boot", 130..=200),
            (world(120, answered(), pong()), "boot", 50..=110),
            (world(120, answered(), pong()), "another", 50..=200),
            (world(120, answered(), failed()), "boot", 50..=200),
        ] {
            let mut own = world(100, lacking(), pong());
            assert_eq!(own.complete(other, boot, &between), 0);
            assert_eq!(arp_of(&own), lacking());
        }
    }
}
