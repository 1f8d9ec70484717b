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
use crate::model::{Link, Outcome, Sighting, Unseen, VpnFacts, VpnLog};
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
    let counters = RefCell::new(Ok(Traffic::default()));
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
    // What cannot be seen is in doubt.
    let silent = || is_down || counters.borrow().as_ref().map_or(true, Traffic::is_one_way);
    let both = with_a_second_look(looks, again(&at, if is_down { began } else { began + DOUBT }, deadline), silent);
    let (client, (server, late)) = tokio::join!(client::look(&at, deadline), both);
    let facts = VpnFacts { learned: at.learned(), ..facts(link, client, late, server, counters.into_inner()) };
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

fn facts(link: Option<&Link>, client: Client, late: Late, server: outer::Server, traffic: Result<Traffic, Unseen>) -> VpnFacts {
    let (handshake_age_s, handshake_unseen) = match late.handshake.or(client.handshake) {
        None | Some(Handshake::Never) => (None, None),
        Some(Handshake::Age(age)) => (Some(age.as_secs()), None),
        Some(Handshake::Unseen(why)) => (None, Some(why)),
    };
    // The journal is read only where there is no log.
    let (log, log_unseen) = match late.journal.unwrap_or(client.log) {
        Ok(log) => (log, None),
        Err(why) => (VpnLog::Unread, Some(why)),
    };
    let (traffic, counters_unseen) = match traffic {
        Ok(traffic) => (traffic, None),
        Err(why) => (Traffic::default(), Some(why)),
    };
    VpnFacts {
        interface: link.map(|link| link.name.clone()),
        process: client.process,
        unit: client.unit,
        server: server.addresses,
        server_unresolved: server.unresolved,
        received: traffic.received,
        sent: traffic.sent,
        counters_unseen,
        handshake_age_s,
        handshake_unseen,
        log,
        log_unseen,
        learned: None,
    }
}

/// What came and went through the tunnel since the round began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Traffic {
    received: u64,
    sent: u64,
}

impl Traffic {
    /// Something was sent into it and nothing came back.
    fn is_one_way(&self) -> bool {
        self.received == 0 && self.sent > 0
    }
}

/// Where the newest reading is kept, or why there is none.
type Counters = RefCell<Result<Traffic, Unseen>>;

/// Reads what came and went since the snapshot; `None` when it cannot be known.
async fn sample(link: Option<&Link>, netlink: Option<&Netlink>, counters: &Counters) -> Option<Traffic> {
    // Without an interface nothing can have come or gone.
    let link = link?;
    let read = match netlink {
        Some(netlink) => netlink.counters(link.index).await,
        None => Err(Unseen::Error("read counters: no connection to the kernel".to_owned())),
    };
    let traffic = read.map(|(received, sent)| since(link, received, sent));
    let known = traffic.as_ref().ok().copied();
    *counters.borrow_mut() = traffic;
    known
}

/// A counter that went back belongs to a new interface with an old number.
fn since(link: &Link, received: u64, sent: u64) -> Traffic {
    Traffic { received: received.saturating_sub(link.rx_bytes), sent: sent.saturating_sub(link.tx_bytes) }
}

/// Ends when something came back through the tunnel; never, when that cannot be seen.
async fn watch(link: Option<&Link>, netlink: Option<&Netlink>, counters: &Counters) {
    while let Some(traffic) = sample(link, netlink, counters).await {
        if traffic.received > 0 {
            return;
        }
        sleep(SAMPLE).await;
    }
    std::future::pending::<()>().await;
}

/// Gives the tunnel its time when the outer looks are over before it: something that was sent into it may still come back.
async fn settle(link: Option<&Link>, netlink: Option<&Netlink>, counters: &Counters, until: Instant) {
    if sample(link, netlink, counters).await.is_none() {
        return;
    }
    let idle = Instant::now() + IDLE;
    // Whichever ends first: an answer, or the time.
    let _ = timeout_at(idle.min(until), watch(link, netlink, counters)).await;
    let one_way = counters.borrow().as_ref().is_ok_and(Traffic::is_one_way);
    if one_way {
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
    use crate::model::{ProcessState, UnitState};
    use std::future::{pending, ready};

    fn client(log: Result<VpnLog, Unseen>) -> Client {
        Client { process: ProcessState::Running, unit: UnitState::Unknown, log, handshake: None }
    }

    #[test]
    fn a_log_that_was_not_read_and_counters_that_were_not_say_why() {
        let hidden = || Unseen::Hidden("/var/log/vpn".to_owned());
        let gone = || Unseen::Unsteady;
        let seen = facts(None, client(Err(hidden())), Late::default(), outer::Server::default(), Err(gone()));
        assert_eq!((seen.log, seen.log_unseen, seen.counters_unseen), (VpnLog::Unread, Some(hidden()), Some(gone())));
        let read = Traffic { received: 3, sent: 4 };
        let seen = facts(None, client(Ok(VpnLog::Dropped)), Late::default(), outer::Server::default(), Ok(read));
        assert_eq!((seen.log, seen.log_unseen, seen.counters_unseen), (VpnLog::Dropped, None, None));
        assert_eq!((seen.received, seen.sent), (3, 4));
    }

    #[test]
    fn a_journal_that_was_not_read_says_why_too() {
        let seen = facts(None, client(Ok(VpnLog::Unread)), late(), outer::Server::default(), Ok(Traffic::default()));
        assert_eq!((seen.log, seen.log_unseen), (VpnLog::Unread, Some(Unseen::Deadline)));
    }

    #[tokio::test]
    async fn counters_that_cannot_be_read_are_an_error_and_not_nothing() {
        let link = Link { index: 0x7fff_fff0, ..crate::testing::link("tun0", crate::model::LinkKind::Tun) };
        let counters: Counters = RefCell::new(Ok(Traffic::default()));
        assert_eq!(sample(Some(&link), None, &counters).await, None);
        assert!(matches!(counters.take_unseen(), Some(Unseen::Error(why)) if why.contains("counters")));
        let netlink = Netlink::open().expect("a connection");
        assert_eq!(sample(Some(&link), Some(&netlink), &counters).await, None);
        assert_eq!(counters.take_unseen(), Some(Unseen::Unsteady), "no such interface");
        assert_eq!(sample(None, Some(&netlink), &counters).await, None);
        assert_eq!(counters.take_unseen(), None, "without an interface nothing is to be known");
    }

    trait TakeUnseen {
        fn take_unseen(&self) -> Option<Unseen>;
    }

    impl TakeUnseen for Counters {
        fn take_unseen(&self) -> Option<Unseen> {
            self.replace(Ok(Traffic::default())).err()
        }
    }

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
