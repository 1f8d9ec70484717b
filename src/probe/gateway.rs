//! The next hop, asked in three ways at once: ARP or neighbour discovery (the proof), echo (which many routers forbid), and a datagram whose
//! TTL ends there (it forwards, or would).

use crate::model::{ArpAnswer, Failure, FailureKind, Gateway, IcmpKind, IfName, Neighbour, Outcome, Reply, Sighting, Unseen};
use crate::sys::arp::{self, Asked};
use crate::sys::icmp::{self, Echo, Until};
use crate::sys::netlink::NeighbourEntry;
use crate::sys::{clock, udp};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::time::sleep_until;

/// A hop on our own segment that has not answered by then will not.
const LONGEST: Duration = Duration::from_millis(1400);
/// How long ARP is listened to: twice asked, an answer takes a millisecond. Less than the rest, so that its silence is in before they end.
const ARP: Duration = Duration::from_secs(1);
/// Room for the three to report their own end before they are cut off.
const MARGIN: Duration = Duration::from_millis(50);
/// How long the echo is still waited for once ARP has answered: a router that forbids ping must not slow a healthy diagnosis down.
const GRACE: Duration = Duration::from_millis(300);
/// How long the TTL's end is still waited for once the hop is known to be alive.
const BRIEF: Duration = Duration::from_millis(40);
/// An echo that was lost is asked again after this time.
const GAP: Duration = Duration::from_millis(250);
/// First port of traceroute: nobody listens there.
const PORT: u16 = 33434;

/// Asks a next hop. `beyond` is an address behind it, for the datagram that must end there; `None` = that is not asked.
pub async fn gateway(
    device: &IfName,
    ip: IpAddr,
    neighbour: Option<&NeighbourEntry>,
    beyond: Option<IpAddr>,
    timeout: Duration,
) -> Sighting {
    let known = neighbour.and_then(|entry| entry.mac.clone());
    let state = neighbour.map_or(Neighbour::None, |entry| entry.state);
    let seen = ask(device, ip, known.as_deref(), beyond, timeout.saturating_sub(MARGIN).min(LONGEST)).await;
    let Seen { arp, ping, expiry, began } = seen;
    let arp = arp.unwrap_or(Asked { answer: ArpAnswer::Unknown(Unseen::Deadline), mac: None });
    let gateway = Gateway {
        neighbour: state,
        mac: arp.mac.or(known),
        arp: arp.answer,
        ping: ping.unwrap_or_else(|| Outcome::Failed(Failure { kind: FailureKind::Silence, elapsed: began.elapsed() })),
        expired_here: match expiry {
            Some(Expiry::Told(elapsed)) => Some(elapsed),
            Some(Expiry::Untold) | None => None,
        },
    };
    Sighting::Gateway(device.clone(), ip, Outcome::Ok(gateway))
}

/// What has come back so far; `None` = still waited for.
struct Seen {
    arp: Option<Asked>,
    ping: Option<Outcome<Reply>>,
    expiry: Option<Expiry>,
    began: Instant,
}

/// What came of a datagram whose TTL ends at the next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expiry {
    /// It said so after this time.
    Told(Duration),
    /// It said nothing of the kind, or was not asked.
    Untold,
}

impl Seen {
    fn is_complete(&self) -> bool {
        self.arp.is_some() && self.ping.is_some() && self.expiry.is_some()
    }

    /// How much longer the rest may take, once something has answered. `None` = as long as it was given.
    fn patience(&self) -> Option<Duration> {
        let arp_answered = self.arp.as_ref().is_some_and(|asked| matches!(asked.answer, ArpAnswer::Answered(_)));
        let arp_asked = !self.arp.as_ref().is_some_and(|asked| matches!(asked.answer, ArpAnswer::Unknown(_)));
        let ping_answered = self.ping.as_ref().is_some_and(|ping| ping.ok().is_some());
        let expired = matches!(self.expiry, Some(Expiry::Told(_)));
        match (arp_answered, ping_answered) {
            (true, true) => Some(BRIEF),
            (false, true) if !arp_asked => Some(BRIEF),
            (true, false) | (false, true) => Some(GRACE),
            (false, false) if expired => Some(GRACE),
            (false, false) => None,
        }
    }
}

async fn ask(device: &IfName, ip: IpAddr, known: Option<&str>, beyond: Option<IpAddr>, timeout: Duration) -> Seen {
    let mut seen = Seen { arp: None, ping: None, expiry: None, began: clock::now() };
    let limit = tokio::time::Instant::now() + timeout + MARGIN;
    let mut until = limit;
    let mut arp = pin!(arp::ask(device, ip, known, timeout.min(ARP)));
    let mut ping = pin!(echo(device, ip, timeout));
    let mut expiry = pin!(expiry(device, beyond, timeout));
    while !seen.is_complete() {
        tokio::select! {
            biased;
            asked = &mut arp, if seen.arp.is_none() => seen.arp = Some(asked),
            reply = &mut ping, if seen.ping.is_none() => seen.ping = Some(reply),
            told = &mut expiry, if seen.expiry.is_none() => seen.expiry = Some(told),
            () = sleep_until(until) => break,
        }
        if let Some(patience) = seen.patience() {
            until = until.min(tokio::time::Instant::now() + patience).min(limit);
        }
    }
    seen
}

async fn echo(device: &IfName, ip: IpAddr, timeout: Duration) -> Outcome<Reply> {
    let route = icmp::Route { device: Some(device.clone()), ttl: None };
    icmp::echo(ip, &Echo { route, timeout, count: 2, gap: GAP, until: Until::FirstAnswer }).await
}

/// Whether a TTL of one was said to have run out. Through this device that can only be said by its next hop.
async fn expiry(device: &IfName, beyond: Option<IpAddr>, timeout: Duration) -> Expiry {
    let Some(beyond) = beyond else { return Expiry::Untold };
    let route = udp::Route { device: Some(device.clone()), ttl: Some(1) };
    match udp::exchange(SocketAddr::new(beyond, PORT), &[0], &route, timeout).await {
        Outcome::Failed(Failure { kind: FailureKind::Icmp(error), elapsed }) if error.kind == IcmpKind::TimeExceeded => {
            Expiry::Told(elapsed)
        }
        Outcome::Failed(_) | Outcome::Ok(_) | Outcome::Unknown(_) => Expiry::Untold,
    }
}
