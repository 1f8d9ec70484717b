//! One round of questions: sends what was planned, all at once, and gives what came back.

use super::around::Surroundings;
use super::proof::{Heard, Path, Round, Said, through};
use super::proxies::{Lead, follow};
use super::topology::is_public;
use crate::config::{Anchor, Roots};
use crate::model::{ClockState, Stamp, Unseen};
use crate::probe::canary;
use crate::probe::names::{self, Knows};
use crate::probe::outside::{self, Answer, Speaks};
use crate::probe::tls::{Trust, certificates};
use futures_util::future::join_all;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// A round that ended.
pub struct Done {
    /// Anchors, the canary and controls.
    pub round: Round,
    /// Anchors through proxies that are written down.
    pub by_proxy: Round,
    /// Anchors through neighbours that somebody talks to.
    pub by_neighbour: Round,
    /// Where leads led.
    pub followed: Vec<(Lead, Vec<(SocketAddr, Speaks)>)>,
    /// Name servers.
    pub names: BTreeMap<IpAddr, Knows>,
    /// When it began (`boottime_ms`).
    pub began: u64,
    /// As all was when it began.
    pub of: Surroundings,
    /// Whether this PC's clock was kept.
    pub clock: ClockState,
    /// Why nobody could be asked.
    pub blind: Option<Unseen>,
}

impl Done {
    /// Who was asked and what came back, for the log.
    pub fn answers(&self) -> Vec<(SocketAddr, &Answer)> {
        let rounds = [&self.round, &self.by_proxy, &self.by_neighbour];
        rounds.into_iter().flat_map(|round| &round.said).map(|said| (said.anchor.address, &said.answer)).collect()
    }
}

/// An anchor that is asked by way of a proxy.
#[derive(Debug, Clone, PartialEq)]
pub struct Through {
    /// The proxy.
    pub proxy: SocketAddr,
    /// What it understands.
    pub speaks: Speaks,
    /// Who is asked.
    pub anchor: Anchor,
}

/// Whom a round asks.
#[derive(Debug, Default)]
pub struct Plan {
    /// The canary, its key, and the way there.
    pub canary: Option<(SocketAddr, Vec<u8>, Path)>,
    /// Anchors, and the ways there.
    pub anchors: Vec<(Anchor, Path)>,
    /// Addresses of nobody.
    pub controls: Vec<SocketAddr>,
    /// Anchors through proxies that are written down.
    pub proxies: Vec<Through>,
    /// Anchors through neighbours that somebody talks to.
    pub seen: Vec<Through>,
    /// Name servers, and the names they are asked for.
    pub resolvers: Vec<IpAddr>,
    pub names: Option<[String; 2]>,
    /// Settings that have to be followed.
    pub leads: Vec<Lead>,
    /// What is inside by enrolment or configuration.
    pub inside: Vec<IpNet>,
}

impl Plan {
    /// SYN that it takes; what is fetched inside does not count.
    pub fn size(&self) -> usize {
        usize::from(self.canary.is_some()) + self.anchors.len() + self.controls.len() + self.proxies.len() + self.seen.len()
    }

    /// Nobody is asked anything.
    pub fn is_empty(&self) -> bool {
        self.size() == 0 && self.resolvers.is_empty() && self.leads.is_empty()
    }
}

/// Asks all at once.
pub async fn ask(plan: Plan, roots: Roots, of: Surroundings, at: Stamp) -> Done {
    let mut done = Done {
        round: Round::default(),
        by_proxy: Round::default(),
        by_neighbour: Round::default(),
        followed: Vec::new(),
        names: BTreeMap::new(),
        of,
        began: at.boottime_ms,
        clock: at.clock,
        blind: None,
    };
    let trust = match trust(&roots) {
        Ok(trust) => trust,
        Err(why) => return Done { blind: Some(why), ..done },
    };
    let trust = &trust;
    let anchors = plan.anchors.into_iter().map(|(anchor, path)| async move {
        let answer = outside::knock(anchor.address, &anchor.server_name, trust).await;
        Said { anchor, path, answer }
    });
    let canary = plan.canary.into_iter().map(|(at, key, path)| async move { Heard { at, path, echo: canary::ask(at, &key).await } });
    let controls = plan.controls.into_iter().map(|at| async move { (at, outside::accepts(at).await) });
    let by_way_of = |list: Vec<Through>| {
        join_all(list.into_iter().map(|Through { proxy, speaks, anchor }| async move {
            let answer = outside::knock_through(proxy, speaks, anchor.address, &anchor.server_name, trust).await;
            Said { anchor, path: through(proxy), answer }
        }))
    };
    let (asked, inside) = (&plan.resolvers, &plan.inside);
    let resolvers = plan.names.iter().flat_map(|names| asked.iter().map(move |resolver| (*resolver, names)));
    let resolvers =
        resolvers.map(|(resolver, names)| async move { (resolver, names::known(resolver, names, |ip| is_public(&ip.into())).await) });
    let leads = plan.leads.into_iter().map(|lead| async move {
        let found = follow(&lead, asked, inside).await;
        (lead, found)
    });
    let outward = async { tokio::join!(join_all(anchors), join_all(canary), join_all(controls)) };
    let by_way = async { tokio::join!(by_way_of(plan.proxies), by_way_of(plan.seen)) };
    let ((said, canary, controls), (by_proxy, seen), names, followed) = tokio::join!(outward, by_way, join_all(resolvers), join_all(leads));
    done.round = Round { said, canary: canary.into_iter().next(), controls };
    done.by_proxy = Round { said: by_proxy, ..Round::default() };
    done.by_neighbour = Round { said: seen, ..Round::default() };
    (done.names, done.followed) = (names.into_iter().collect(), followed);
    done
}

fn trust(roots: &Roots) -> Result<Trust, Unseen> {
    match roots {
        Roots::Embedded => Ok(Trust::embedded()),
        Roots::File(path) => Ok(Trust::new(certificates(path)?)),
    }
}
