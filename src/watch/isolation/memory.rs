//! What is remembered from look to look, and what follows from it: whom to ask, and what is found. Pure.

use super::around::Surroundings;
use super::pace::{Pace, Why};
use super::proof::{self, APART_MS, Path, Proofs, through};
use super::round::{Done, Plan};
use super::topology::{Deviation, line};
use crate::config::{Anchor, Config, IsolationMode};
use crate::model::{Evidence, Finding, FindingCode, IfName, Origin, Subject, Unseen};
use crate::probe::names::Knows;
use crate::watch::{Blind, Look, MINUTE};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Operators asked in one round and family: two prove it.
const OPERATORS: usize = 2;

/// What is remembered from look to look.
#[derive(Default)]
pub struct Memory {
    surroundings: Option<Surroundings>,
    /// Hardware addresses of the next hops, the last that were known.
    routers: BTreeMap<(IfName, IpAddr), String>,
    /// Of deviations, by interface.
    origins: BTreeMap<IfName, Origin>,
    /// The deviations of the first look.
    first: Option<Vec<Deviation>>,
    /// What was there before is still being asked: what an earlier run found is neither confirmed nor over.
    pub awaiting: bool,
    /// No way changed since the first look.
    as_it_began: bool,
    proofs: Proofs,
    /// The same through proxies.
    by_proxy: Proofs,
    /// Resolvers that know the public internet.
    names: BTreeMap<IpAddr, (Origin, Vec<Evidence>)>,
    pub pace: Pace,
    blind: Option<Unseen>,
    /// Rounds by the clock, so that they ask the families by turns.
    turn: usize,
}

impl Memory {
    /// Notes what changed since the last look.
    pub fn notice(&mut self, deviations: &[Deviation], surroundings: &Surroundings, macs: &BTreeMap<(IfName, IpAddr), String>, now: u64) {
        let first = self.first.is_none();
        if first {
            self.first = Some(deviations.to_vec());
        }
        self.origins.retain(|link, _| deviations.iter().any(|deviation| deviation.link == *link));
        for deviation in deviations {
            let came = if deviation.upstream { Origin::Upstream } else { Origin::LocalChange };
            self.origins.entry(deviation.link.clone()).or_insert(if first { Origin::PreExisting } else { came });
        }
        let exchanged = self.exchanged(surroundings, macs);
        if exchanged || self.surroundings.as_ref() != Some(surroundings) {
            self.as_it_began = first;
            self.awaiting = first && !surroundings.is_empty();
            self.pace.changed(now);
            self.surroundings = Some(surroundings.clone());
        }
        self.proofs.keep_only(&surroundings.paths.values().cloned().collect());
        self.by_proxy.keep_only(&surroundings.proxies.keys().copied().map(through).collect());
        self.names.retain(|resolver, _| surroundings.resolvers.contains_key(resolver));
    }

    /// Whether another router stands at a next hop now. One of which the kernel knows nothing at the moment is the same.
    fn exchanged(&mut self, surroundings: &Surroundings, macs: &BTreeMap<(IfName, IpAddr), String>) -> bool {
        let hops = surroundings.paths.values().filter_map(|path| Some((path.device.clone(), path.gateway?)));
        let known = hops.filter_map(|hop| macs.get_key_value(&hop));
        known.fold(false, |exchanged, (hop, mac)| {
            let then = self.routers.insert(hop.clone(), mac.clone());
            exchanged | then.is_some_and(|then| then != *mac)
        })
    }

    /// Takes in a round, unless the ways changed meanwhile.
    pub fn take(&mut self, done: Done) {
        if self.surroundings.as_ref() != Some(&done.of) {
            return;
        }
        self.awaiting = false;
        let upstream = if self.as_it_began { Origin::PreExisting } else { Origin::Upstream };
        let origins = &self.origins;
        self.blind = done.blind.or_else(|| {
            proof::roots_aged(&done.round).then(|| Unseen::Error("no anchor is trusted by any root: the roots may have aged".to_owned()))
        });
        if self.blind.is_some() {
            return;
        }
        let origin = |path: &Path| origins.get(&path.device).copied().unwrap_or(upstream);
        self.proofs.take(&done.round, done.clock, done.began, origin);
        self.by_proxy
            .take(&done.by_proxy, done.clock, done.began, |_| if self.as_it_began { Origin::PreExisting } else { Origin::LocalChange });
        for (resolver, knows) in done.names {
            match knows {
                Knows::Internet(said) => {
                    let new = || done.of.resolvers.get(&resolver).map_or(upstream, origin);
                    self.names.entry(resolver).or_insert_with(|| (new(), said_names(&said)));
                }
                Knows::Nothing | Knows::Everything => drop(self.names.remove(&resolver)),
            }
        }
        let direct = done.round.said.iter().all(|said| self.proofs.is_proven(&said.path));
        if direct && done.by_proxy.said.iter().all(|said| self.by_proxy.is_proven(&said.path)) {
            self.pace.settled();
        }
        let alone = [self.proofs.alone_since(), self.by_proxy.alone_since()].into_iter().flatten().min();
        if let Some(since) = alone {
            self.pace.again(since + APART_MS + 200);
        }
        // What is proven from now on came while it was watched, but for who has proved itself once.
        self.as_it_began &= alone.is_some();
    }

    /// Whom to ask: two operators and an address of nobody in each family. By the clock one family at a time.
    pub fn plan(&mut self, config: &Config, surroundings: &Surroundings, why: Why) -> Plan {
        let first = self.pace.is_first();
        let wanted = |path: &Path| matches!(why, Why::Clock(_)) || first || !self.proofs.is_proven(path);
        let families: BTreeSet<bool> = surroundings.paths.values().filter(|path| wanted(path)).map(|path| path.v6).collect();
        let mut families: Vec<bool> = families.into_iter().collect();
        if matches!(why, Why::Clock(_)) && families.len() > 1 {
            families = vec![families[self.turn % 2]];
        }
        let mut plan = self.beside(config, surroundings, why);
        if matches!(why, Why::Clock(_)) && !plan.proxies.is_empty() {
            families.clear();
        }
        for v6 in families {
            let path = |at: &SocketAddr| surroundings.paths.get(at).filter(|path| path.v6 == v6 && wanted(path));
            let mut anchors: Vec<(&Anchor, &Path)> =
                config.isolation.anchors.iter().filter_map(|anchor| Some((anchor, path(&anchor.address)?))).collect();
            // Who proved itself once first: it may be alone.
            anchors.sort_by_key(|(anchor, path)| !self.proofs.knows(path, &anchor.operator));
            let mut operators = BTreeSet::new();
            let chosen = anchors.into_iter().filter(|(anchor, _)| operators.len() < OPERATORS && operators.insert(anchor.operator.clone()));
            plan.anchors.extend(chosen.map(|(anchor, path)| (anchor.clone(), path.clone())));
            plan.controls.extend(config.isolation.controls.iter().filter(|at| path(at).is_some()).take(1));
        }
        plan.anchors.truncate(why.most());
        plan.proxies.truncate(why.most() - plan.anchors.len());
        plan.controls.truncate(why.most() - plan.anchors.len() - plan.proxies.len());
        if plan.anchors.is_empty() {
            plan.controls.clear();
        }
        self.turn += 1;
        plan
    }

    /// What is asked beside the anchors: name servers once a burst, proxies until they are proven; by the clock proxies in every third round.
    fn beside(&self, config: &Config, surroundings: &Surroundings, why: Why) -> Plan {
        let (by_clock, first) = (matches!(why, Why::Clock(_)), self.pace.is_first());
        let mut by_operator: BTreeMap<&str, &Anchor> = BTreeMap::new();
        for anchor in &config.isolation.anchors {
            by_operator.entry(&anchor.operator).or_insert(anchor);
        }
        let anchors: Vec<&Anchor> = by_operator.into_values().take(OPERATORS).collect();
        let unproven = |proxy: &&SocketAddr| by_clock || first || !self.by_proxy.is_proven(&through(**proxy));
        let turn = !by_clock || self.turn % 3 == 2;
        let proxies = surroundings.proxies.keys().filter(|_| turn).filter(unproven);
        let through_each = |proxy: &SocketAddr| anchors.iter().map(|anchor| (*proxy, (*anchor).clone())).collect::<Vec<_>>();
        Plan {
            anchors: Vec::new(),
            controls: Vec::new(),
            proxies: proxies.flat_map(through_each).collect(),
            resolvers: if by_clock || first { surroundings.resolvers.keys().copied().collect() } else { Vec::new() },
            names: if let [one, other] = anchors[..] { Some([one.server_name.clone(), other.server_name.clone()]) } else { None },
        }
    }

    /// All that is found, and when to look again.
    pub fn look(&mut self, deviations: &[Deviation], config: &Config, now: u64) -> Look {
        let due = self.pace.due().map_or(MINUTE, |due| Duration::from_millis(due.saturating_sub(now)));
        let blind = self.blind.iter().map(|why| Blind { what: "outside.roots", why: why.clone() }).collect();
        // A way that came meanwhile is worth telling at once.
        self.awaiting &= self.first.as_deref() == Some(deviations);
        let found = (!self.awaiting).then(|| self.findings(deviations, config));
        Look { found, blind, again: due.min(MINUTE) }
    }

    fn findings(&self, deviations: &[Deviation], config: &Config) -> Vec<Finding> {
        let mut found = Vec::new();
        for Deviation { link, lines, .. } in deviations {
            let origin = self.origins.get(link).copied().unwrap_or(Origin::LocalChange);
            let finding = Finding::new(FindingCode::IsolationUplinkSuspect, Subject::Link(link.clone()), origin);
            found.push(finding.because(lines.iter().cloned()));
        }
        for (link, (origin, lines)) in self.proofs.proven() {
            let finding = Finding::new(FindingCode::IsolationInternetReachable, Subject::Link(link.clone()), origin);
            found.push(finding.because(lines).because(approval(config)));
        }
        for (resolver, (origin, lines)) in &self.names {
            let finding = Finding::new(FindingCode::IsolationPublicDns, Subject::Resolver(*resolver), *origin);
            found.push(finding.because(lines.iter().cloned()));
        }
        for (proxy, (origin, lines)) in self.by_proxy.proven() {
            let written = self.surroundings.iter().flat_map(|around| &around.proxies).find(|(at, _)| at.to_string() == proxy.as_str());
            let Some((at, place)) = written else { continue };
            let told = line("outside.proxy", at.to_string(), place.clone());
            let finding = Finding::new(FindingCode::IsolationProxyPath, Subject::Endpoint(*at), origin).because([told]);
            found.push(finding.because(lines.into_iter().filter(|line| line.k == "outside.tls")).because(approval(config)));
        }
        for (at, origin, lines) in self.proofs.lookalikes() {
            found.push(Finding::new(FindingCode::IsolationLookalike, Subject::Endpoint(at), origin).because(lines));
        }
        found
    }
}

fn said_names(said: &[(String, Vec<IpAddr>)]) -> Vec<Evidence> {
    said.iter().map(|(name, _)| line("outside.name", name.clone(), "found".to_owned())).collect()
}

/// Who allowed rounds by the clock, and under which number.
fn approval(config: &Config) -> Option<Evidence> {
    let (by, number) = (config.isolation.approved_by.as_ref()?, config.isolation.approval_no.as_ref()?);
    (config.isolation.mode == IsolationMode::Periodic).then(|| line("outside.approval", by.clone(), number.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Access;

    fn hop(mac: &str) -> BTreeMap<(IfName, IpAddr), String> {
        BTreeMap::from([((IfName::new("eth0"), "10.1.0.1".parse().unwrap()), mac.to_owned())])
    }

    fn around() -> Surroundings {
        let path = Path { device: IfName::new("eth0"), gateway: Some("10.1.0.1".parse().unwrap()), table: 254, v6: false };
        let all = ["223.5.5.5:443", "1.12.12.12:443", "203.0.113.1:443"].map(|at| (at.parse().unwrap(), path.clone()));
        Surroundings { paths: all.into(), carriers: BTreeMap::new(), resolvers: BTreeMap::new(), proxies: BTreeMap::new() }
    }

    fn config() -> Config {
        let mut config = Config::default();
        config.network.access = Access::LeasedLine;
        config
    }

    #[test]
    fn another_router_under_the_same_address_is_asked_anew_and_a_silent_one_is_not() {
        let mut memory = Memory::default();
        memory.notice(&[], &around(), &hop("a"), 0);
        memory.pace.send(500, Why::Change(12), 12, None);
        for (macs, asked) in [(hop("a"), false), (BTreeMap::new(), false), (hop("a"), false), (hop("b"), true)] {
            memory.notice(&[], &around(), &macs, 1000);
            assert_eq!(memory.pace.due().is_some(), asked, "{macs:?}");
        }
    }

    #[test]
    fn a_round_asks_two_operators_and_nobody_and_by_the_clock_no_more_than_three() {
        let mut memory = Memory::default();
        memory.notice(&[], &around(), &BTreeMap::new(), 0);
        for why in [Why::Change(12), Why::Clock(3)] {
            let plan = memory.plan(&config(), &around(), why);
            assert_eq!((plan.anchors.len(), plan.controls.len(), plan.size()), (2, 1, 3));
        }
        assert_eq!(memory.plan(&config(), &around(), Why::Clock(1)).size(), 1);
    }

    #[test]
    fn until_what_was_there_before_has_been_asked_nothing_is_told_but_what_came_since() {
        let mut memory = Memory::default();
        memory.notice(&[], &around(), &BTreeMap::new(), 0);
        assert_eq!(memory.look(&[], &config(), 0).found, None);
        let new = [Deviation { link: IfName::new("up0"), upstream: false, lines: Vec::new() }];
        memory.notice(&new, &around(), &BTreeMap::new(), 100);
        let found = memory.look(&new, &config(), 100).found.expect("told");
        assert_eq!((found.len(), found[0].origin), (1, Origin::LocalChange));
    }

    #[test]
    fn what_was_there_at_the_first_look_is_so_called_until_it_has_gone_and_come_again() {
        let mut memory = Memory::default();
        let there = [Deviation { link: IfName::new("up0"), upstream: true, lines: Vec::new() }];
        let mut origin = |deviations: &[Deviation]| {
            memory.notice(deviations, &around(), &BTreeMap::new(), 0);
            memory.awaiting = false;
            memory.look(deviations, &config(), 0).found.expect("told").first().map(|finding| finding.origin)
        };
        assert_eq!(origin(&there), Some(Origin::PreExisting));
        assert_eq!(origin(&there), Some(Origin::PreExisting));
        assert_eq!(origin(&[]), None);
        assert_eq!(origin(&there), Some(Origin::Upstream));
    }

    #[test]
    fn what_was_asked_under_other_circumstances_does_not_count() {
        let mut memory = Memory::default();
        memory.notice(&[], &around(), &BTreeMap::new(), 0);
        let elsewhere = Surroundings { carriers: BTreeMap::from([(IfName::new("eth0"), (true, 2))]), ..around() };
        let blind = Some(Unseen::Deadline);
        let done = |of| Done {
            round: proof::Round::default(),
            by_proxy: proof::Round::default(),
            names: BTreeMap::new(),
            of,
            began: 0,
            clock: crate::model::ClockState::Unknown,
            blind: blind.clone(),
        };
        memory.take(done(elsewhere));
        assert!(memory.blind.is_none());
        memory.take(done(around()));
        assert_eq!(memory.look(&[], &config(), 2).blind.len(), 1);
    }
}
