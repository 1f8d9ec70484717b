//! A VPN from both sides: its client on this PC, the outer side of its server, and whether bytes come back through the tunnel.
//!
//! A byte received through the tunnel is the best proof that it lives, so the outer looks are dropped soon after one: a server that is silent
//! to strangers must not make a healthy diagnosis slow. As long as nothing comes back, they get all the time there is.

mod client;
mod ike;
mod openvpn;
mod outer;

use crate::baseline::Owner;
use crate::config::{IfPattern, Vpn, VpnKind};
use crate::model::{Link, Outcome, Sighting, Unseen, VpnFacts};
use crate::sys::netlink::{Netlink, Snapshot};
use crate::sys::wireguard::Handshake;
use client::{Client, Late, Whereabouts};
use std::cell::RefCell;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// How often the tunnel's counters are read.
const SAMPLE: Duration = Duration::from_millis(25);
/// How long the outer looks may still take once the tunnel has brought something back.
const GRACE: Duration = Duration::from_millis(50);
/// A tunnel into which nothing was sent by then is not being used: there is nothing to come back.
const IDLE: Duration = Duration::from_millis(100);
/// How long an answer through the tunnel is waited for when all else is known.
const SETTLE: Duration = Duration::from_secs(1);

/// A tunnel that has brought nothing back by then is in doubt: time to look at what only trouble makes worth knowing.
const DOUBT: Duration = Duration::from_millis(500);

/// What a look at a VPN needs to know of the terminal.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The local state at the beginning of the round, from which the counters start.
    pub snapshot: &'a Snapshot,
    /// To read the counters again.
    pub netlink: Option<&'a Netlink>,
    /// The system's name servers that may be asked for the server's name.
    pub resolvers: &'a [IpAddr],
    /// Who held the tunnel at enrolment.
    pub owner: Option<&'a Owner>,
}

/// Looks at a VPN.
pub async fn vpn(config: &Vpn, around: Surroundings<'_>, timeout: Duration) -> Vec<Sighting> {
    let Surroundings { snapshot, netlink, resolvers, owner } = around;
    let began = Instant::now();
    let deadline = began + timeout;
    let link = interface(snapshot, &config.interface);
    let at = Whereabouts::new(config, owner, link);
    let found = RefCell::new(Vec::new());
    let counters = RefCell::new((0, 0));
    let looks = async {
        let server = outer::resolve(config.server.as_ref(), resolvers, deadline, &found).await;
        let outer = outer::look(config, snapshot, &server.addresses, deadline, &found);
        tokio::select! {
            () = outer => settle(link, netlink, &counters, deadline.min(began + SETTLE)).await,
            () = watch(link, netlink, &counters) => sleep(GRACE).await,
        }
        server
    };
    let is_down = !link.is_some_and(|link| link.up);
    let silent = || is_down || matches!(*counters.borrow(), (0, sent) if sent > 0);
    let both = with_a_second_look(looks, again(&at, if is_down { began } else { began + DOUBT }, deadline), silent);
    let (client, (server, late)) = tokio::join!(client::look(&at, deadline), both);
    let facts = VpnFacts { learned: at.learned(), ..facts(link, client, late, server, *counters.borrow()) };
    let mut sightings = found.into_inner();
    sightings.push(Sighting::Vpn(config.name.clone(), Outcome::Ok(facts).or_unseen(&snapshot.links)));
    sightings
}

/// The second look runs beside the others, and is waited for only when they have found the tunnel `silent`.
async fn with_a_second_look<T>(looks: impl Future<Output = T>, again: impl Future<Output = Late>, silent: impl Fn() -> bool) -> (T, Late) {
    let (mut looks, mut again) = (pin!(looks), pin!(again));
    tokio::select! {
        biased;
        seen = &mut looks => (seen, if silent() { again.await } else { Late::default() }),
        late = &mut again => (looks.await, late),
    }
}

async fn again(at: &Whereabouts, from: Instant, deadline: Instant) -> Late {
    if !client::has_more(at) {
        return Late::default();
    }
    sleep_until(from.min(deadline)).await;
    client::look_again(at, deadline).await
}

/// The interface meant by a pattern; of several, one that is up and has a signal.
fn interface<'a>(snapshot: &'a Snapshot, pattern: &IfPattern) -> Option<&'a Link> {
    let links = snapshot.links.ok()?.iter().filter(|link| pattern.matches(link.name.as_str()));
    links.max_by_key(|link| (link.up, link.carrier, std::cmp::Reverse(link.index)))
}

fn facts(link: Option<&Link>, client: Client, late: Late, server: outer::Server, (received, sent): (u64, u64)) -> VpnFacts {
    let (handshake_age_s, handshake_unseen) = match late.handshake.or(client.handshake) {
        None | Some(Handshake::Never) => (None, None),
        Some(Handshake::Age(age)) => (Some(age.as_secs()), None),
        Some(Handshake::Unseen(why)) => (None, Some(why)),
    };
    let (log, log_unseen) = match late.journal {
        None => (client.log, None),
        Some(Ok(log)) => (log, None),
        Some(Err(why)) => (client.log, Some(why)),
    };
    VpnFacts {
        interface: link.map(|link| link.name.clone()),
        process: client.process,
        unit: client.unit,
        server: server.addresses,
        server_unresolved: server.unresolved,
        received,
        sent,
        handshake_age_s,
        handshake_unseen,
        log,
        log_unseen,
        learned: None,
    }
}

/// Reads what came and went since the snapshot; false when it cannot be known.
async fn sample(link: Option<&Link>, netlink: Option<&Netlink>, counters: &RefCell<(u64, u64)>) -> bool {
    let (Some(link), Some(netlink)) = (link, netlink) else { return false };
    let Some((received, sent)) = netlink.counters(link.index).await else { return false };
    // A counter that went back belongs to a new interface with an old number.
    *counters.borrow_mut() = (received.saturating_sub(link.rx_bytes), sent.saturating_sub(link.tx_bytes));
    true
}

/// Ends when something came back through the tunnel; never, when that cannot be seen.
async fn watch(link: Option<&Link>, netlink: Option<&Netlink>, counters: &RefCell<(u64, u64)>) {
    while sample(link, netlink, counters).await {
        if counters.borrow().0 > 0 {
            return;
        }
        sleep(SAMPLE).await;
    }
    std::future::pending::<()>().await;
}

/// Gives the tunnel its time when the outer looks are over before it: something that was sent into it may still come back.
async fn settle(link: Option<&Link>, netlink: Option<&Netlink>, counters: &RefCell<(u64, u64)>, until: Instant) {
    if !sample(link, netlink, counters).await {
        return;
    }
    let idle = Instant::now() + IDLE;
    // Whichever ends first: an answer, or the time.
    let _ = timeout_at(idle.min(until), watch(link, netlink, counters)).await;
    let (received, sent) = *counters.borrow();
    if received == 0 && sent > 0 {
        let _ = timeout_at(until, watch(link, netlink, counters)).await;
    }
}

/// Facts whose foundation could not be seen are no facts.
trait OrUnseen {
    fn or_unseen<T>(self, foundation: &Outcome<T>) -> Self;
}

impl OrUnseen for Outcome<VpnFacts> {
    /// Without the list of links, "no interface" would accuse the VPN of our own failure.
    fn or_unseen<T>(self, foundation: &Outcome<T>) -> Self {
        match foundation {
            Outcome::Ok(_) => self,
            Outcome::Unknown(why) => Self::Unknown(why.clone()),
            Outcome::Failed(_) => Self::Unknown(Unseen::Error("dump links".into())),
        }
    }
}

/// Whether this VPN is WireGuard, which shows handshakes instead of a client.
fn is_wireguard(config: &Vpn) -> bool {
    config.kind == VpnKind::Wireguard
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    fn late() -> Late {
        Late { journal: Some(Err(Unseen::Deadline)), ..Late::default() }
    }

    #[tokio::test]
    async fn a_tunnel_that_lives_waits_for_no_second_look() {
        let (seen, late) = with_a_second_look(ready(7), pending(), || false).await;
        assert_eq!(seen, 7);
        assert!(late.journal.is_none());
    }

    #[tokio::test]
    async fn a_silent_one_waits_for_it() {
        let slow = async {
            tokio::task::yield_now().await;
            late()
        };
        assert!(with_a_second_look(ready(7), slow, || true).await.1.journal.is_some());
        let slow = async {
            tokio::task::yield_now().await;
            7
        };
        assert_eq!(with_a_second_look(slow, ready(late()), || true).await.0, 7);
    }
}
