//! This machine, the port that it is on, and the router behind it, against those that were enrolled.
//!
//! The kernel says when a neighbour answers with another hardware address; who it is now is read from its table. Nothing is sent.

mod judge;

use super::memory::{Memory, REST, once_it_stands};
use super::{Given, Look, Watch};
use crate::baseline::{machine_id_hash, network_again};
use crate::model::{Finding, FindingCode, Unseen, Watcher};
use crate::sys::netlink;
use crate::sys::netlink::Ear;
use futures_util::future::LocalBoxFuture;
use judge::{Now, Speeds, machine, network, routers};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use tokio::time::{Instant, sleep_until};

/// How long another router must answer: two that quarrel over an address take turns faster, ms.
const ANSWERS_MS: u64 = 1_000;
/// How long another port must lead out: DHCP and bridges take their time, ms.
const LEADS_MS: u64 = 5_000;
/// How long another speed must hold: ports settle it anew after each interruption, ms.
const HOLDS_MS: u64 = 120_000;

/// Looks after them.
pub struct Identity {
    memory: Memory,
    network: Ear,
    looked: Instant,
    speeds: Speeds,
    /// Whose hardware address is of interest.
    routers: BTreeSet<IpAddr>,
}

impl Identity {
    /// Begins to listen. Must be called within a tokio runtime with I/O enabled.
    pub fn new() -> Self {
        Self { memory: Memory::default(), network: Ear::open(), looked: Instant::now(), speeds: Speeds::new(), routers: BTreeSet::new() }
    }
}

impl Watch for Identity {
    fn watcher(&self) -> Watcher {
        Watcher::Identity
    }

    fn look<'a>(&'a mut self, given: &'a Given) -> LocalBoxFuture<'a, Look> {
        Box::pin(async move {
            let Some(was) = given.baseline() else { return Look::of(Vec::new()) };
            self.routers = routers(was).collect();
            self.looked = Instant::now();
            let snapshot = netlink::snapshot().await;
            let lists = network_again(was, &given.config, &snapshot, Path::new("/"));
            let Some((now, (links, neighbours))) = lists.zip(snapshot.links.ok().zip(snapshot.neighbours.ok())) else {
                let why = Unseen::Error("read the kernel's lists of links, addresses, routes and neighbours".to_owned());
                return Look::blind("identity.network", why);
            };
            let now = Now {
                machine: machine_id_hash(),
                interfaces: now.interfaces,
                links: links.clone(),
                gateways: now.gateways,
                neighbours: neighbours.clone(),
            };
            let mut seen = network(was, &now, &mut self.speeds);
            seen.found.extend(machine(was, &now));
            let (found, again) = self.memory.take(seen, &given.at, due);
            Look { found, blind: Vec::new(), again }
        })
    }

    fn stirred(&mut self) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            self.network.changed_or(|heard| !heard.moved.is_disjoint(&self.routers)).await;
            sleep_until(self.looked + REST).await;
        })
    }
}

fn due(finding: &Finding, since_ms: u64) -> u64 {
    let by_speed = finding.evidence.iter().any(|line| line.k == "speed.now");
    let for_ms = match finding.code {
        FindingCode::MovedGateway => ANSWERS_MS,
        FindingCode::MovedLink if by_speed => HOLDS_MS,
        FindingCode::MovedLink => LEADS_MS,
        _ => 0,
    };
    once_it_stands(since_ms, for_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, Subject};
    use crate::watch::memory::fact;

    #[test]
    fn what_may_pass_is_waited_out_and_another_machine_is_told_at_once() {
        let waits = |code, line: &str| {
            let found = Finding::new(code, Subject::Terminal, Origin::LocalChange).because([fact(line, "eth0", "")]);
            due(&found, 1_000_000) - 1_000_000
        };
        assert_eq!(waits(FindingCode::IdentityChanged, "identity.now"), 0);
        assert_eq!(waits(FindingCode::MovedGateway, "mac.now"), ANSWERS_MS);
        assert_eq!(waits(FindingCode::MovedLink, "link.gone"), LEADS_MS);
        assert_eq!(waits(FindingCode::MovedLink, "speed.now"), HOLDS_MS);
    }
}
