//! Whom a round asks. Pure.

use super::super::around::Surroundings;
use super::super::pace::{BURST, Why};
use super::super::proof::{Path, through};
use super::super::round::{Plan, Through};
use super::Memory;
use crate::config::{Anchor, Config, bytes};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Operators asked in one round and family: two prove it.
const OPERATORS: usize = 2;
/// Length of the canary's key.
const KEY: usize = 32;

impl Memory {
    /// Whom to ask: the canary, two operators and an address of nobody in each family. By the clock one family at a time. Who is seen to be
    /// talked to is asked alone.
    pub fn plan(&mut self, config: &Config, surroundings: &Surroundings, why: Why, now: u64) -> Plan {
        if let Why::Seen(_) = why {
            return self.of_a_neighbour(config, now);
        }
        let plan = self.whom(config, surroundings, why, self.pace.is_first());
        self.turn += 1;
        plan
    }

    /// SYN of the next round of a burst, by what is known before it: a way that is there for the first time may not carry anything for a moment, and
    /// is asked again the sooner the fewer others are.
    pub fn next_size(&self, config: &Config, surroundings: &Surroundings) -> usize {
        self.whom(config, surroundings, Why::Change(BURST), false).size()
    }

    /// `first` = of a burst.
    fn whom(&self, config: &Config, surroundings: &Surroundings, why: Why, first: bool) -> Plan {
        let by_clock = matches!(why, Why::Clock(_));
        let stays = |path: &Path| self.fresh.as_ref().is_some_and(|fresh| !fresh.contains(path)) && !self.proofs.is_alone(path);
        let wanted = |path: &Path| by_clock || first || !(self.proofs.is_proven(path) || stays(path));
        let families: BTreeSet<bool> = surroundings.paths.values().filter(|path| wanted(path)).map(|path| path.v6).collect();
        let mut families: Vec<bool> = families.into_iter().collect();
        if by_clock && families.len() > 1 {
            families = vec![families[self.turn % 2]];
        }
        let mut plan = self.beside(config, surroundings, why, first);
        if by_clock && !plan.proxies.is_empty() {
            families.clear();
        }
        let path = |at: &SocketAddr, v6: bool| surroundings.paths.get(at).filter(|path| path.v6 == v6 && wanted(path));
        plan.canary = config.isolation.canary.as_ref().and_then(|canary| {
            let path = path(&canary.address, families.iter().copied().find(|v6| *v6 == canary.address.is_ipv6())?)?;
            Some((canary.address, bytes(&canary.public_key, KEY)?, path.clone()))
        });
        for v6 in families {
            let path = |at: &SocketAddr| path(at, v6);
            let mut anchors: Vec<(&Anchor, &Path)> =
                config.isolation.anchors.iter().filter_map(|anchor| Some((anchor, path(&anchor.address)?))).collect();
            // Who proved itself once first: it may be alone.
            anchors.sort_by_key(|(anchor, path)| !self.proofs.knows(path, &anchor.operator));
            let mut operators = BTreeSet::new();
            let chosen = anchors.into_iter().filter(|(anchor, _)| operators.len() < OPERATORS && operators.insert(anchor.operator.clone()));
            plan.anchors.extend(chosen.map(|(anchor, path)| (anchor.clone(), path.clone())));
            // Beside a canary one for both families is enough, so that two rounds of a burst remain.
            let room = if plan.canary.is_some() { usize::from(plan.controls.is_empty()) } else { 1 };
            plan.controls.extend(config.isolation.controls.iter().filter(|at| path(at).is_some()).take(room));
        }
        let canary = usize::from(plan.canary.is_some());
        plan.anchors.truncate(why.most().saturating_sub(canary));
        plan.proxies.truncate(why.most().saturating_sub(canary + plan.anchors.len()));
        plan.controls.truncate(why.most().saturating_sub(canary + plan.anchors.len() + plan.proxies.len()));
        if plan.anchors.is_empty() && plan.canary.is_none() {
            plan.controls.clear();
        }
        plan
    }

    /// What is asked beside the anchors: name servers once a burst, proxies until they are proven; by the clock proxies in every third round.
    fn beside(&self, config: &Config, surroundings: &Surroundings, why: Why, first: bool) -> Plan {
        let by_clock = matches!(why, Why::Clock(_));
        let anchors = by_operator(config);
        let unproven = |proxy: &&SocketAddr| by_clock || first || !self.by_proxy.is_proven(&through(**proxy));
        let turn = !by_clock || self.turn % 3 == 2;
        let proxies = surroundings.proxies.iter().filter(|_| turn).filter(|(proxy, _)| unproven(proxy));
        let through_each = |(proxy, known): (&SocketAddr, &super::super::proxies::Known)| {
            anchors.iter().map(|anchor| Through { proxy: *proxy, speaks: known.speaks, anchor: (*anchor).clone() }).collect::<Vec<_>>()
        };
        Plan {
            proxies: proxies.flat_map(through_each).collect(),
            resolvers: if by_clock || first { surroundings.resolvers.keys().copied().collect() } else { Vec::new() },
            names: if let [one, other] = anchors[..] { Some([one.server_name.clone(), other.server_name.clone()]) } else { None },
            leads: if first { surroundings.leads.iter().cloned().collect() } else { Vec::new() },
            ..Plan::default()
        }
    }

    fn of_a_neighbour(&mut self, config: &Config, now: u64) -> Plan {
        let Some((proxy, speaks)) = self.neighbour(now).and_then(|at| Some((at, super::super::observed::speaks(at.port())?))) else {
            return Plan::default();
        };
        self.observed.asked(proxy, now);
        let seen = by_operator(config).into_iter().map(|anchor| Through { proxy, speaks, anchor: anchor.clone() }).collect();
        Plan { seen, ..Plan::default() }
    }
}

/// The first anchor of each of two operators.
fn by_operator(config: &Config) -> Vec<&Anchor> {
    let mut by_operator: BTreeMap<&str, &Anchor> = BTreeMap::new();
    for anchor in &config.isolation.anchors {
        by_operator.entry(&anchor.operator).or_insert(anchor);
    }
    by_operator.into_values().take(OPERATORS).collect()
}

/// All anchors, once, and one address of nobody: what enrolment asks.
pub fn at_enrolment(config: &Config, surroundings: &Surroundings) -> Plan {
    let path = |at: &SocketAddr| surroundings.paths.get(at).cloned();
    let anchors = config.isolation.anchors.iter().filter_map(|anchor| Some((anchor.clone(), path(&anchor.address)?)));
    let anchors: Vec<(Anchor, Path)> = anchors.take(BURST - 1).collect();
    let controls = config.isolation.controls.iter().copied().filter(|at| !anchors.is_empty() && path(at).is_some()).take(1).collect();
    Plan { anchors, controls, ..Plan::default() }
}
