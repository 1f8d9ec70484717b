//! What is remembered from look to look, and what follows from it: what is found. Whom to ask stands in [`plan`]. Pure.

mod plan;

pub use plan::at_enrolment;

use super::around::Surroundings;
use super::observed::Observed;
use super::pace::Pace;
use super::proof::{self, APART_MS, Path, Proofs, Unmasked, through};
use super::proxies::{Known, Lead};
use super::round::Done;
use super::topology::{Deviation, line};
use crate::baseline::KnownLookalike;
use crate::config::{Config, IsolationMode};
use crate::model::{Evidence, Finding, FindingCode, IfName, Origin, Subject, Unseen};
use crate::probe::names::Knows;
use crate::watch::{Blind, Look, MINUTE};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Proxies in all.
const MOST_PROXIES: usize = 4;
/// Next hops whose hardware address is remembered although nothing goes there at the moment.
const MOST_ROUTERS: usize = 64;

/// What is seen of the neighbourhood. That it changes is no change of the ways.
#[derive(Debug, Clone, Default)]
pub struct Near {
    /// Hardware addresses, as far as the kernel has them.
    pub macs: BTreeMap<(IfName, IpAddr), String>,
    /// Who may be a proxy, and a program talks to it.
    pub talked_to: BTreeSet<SocketAddr>,
    /// Where names of the configuration lead: centres are asked nothing. `None` = not known yet.
    pub known: Option<Arc<BTreeSet<IpAddr>>>,
}

/// What is remembered from look to look.
#[derive(Default)]
pub struct Memory {
    surroundings: Option<Surroundings>,
    /// Ways that came with what the last burst is about; `None` = any may lead elsewhere now. After its first round the others are left alone.
    fresh: Option<BTreeSet<Path>>,
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
    /// The same through proxies that are written down, and through those that are seen to be talked to.
    by_proxy: Proofs,
    by_neighbour: Proofs,
    observed: Observed,
    /// Where names of the configuration lead; until that is known no neighbour is asked.
    known: Option<Arc<BTreeSet<IpAddr>>>,
    /// Where leads led.
    followed: BTreeMap<Lead, BTreeMap<SocketAddr, Known>>,
    /// They led elsewhere just now: what that changes is no change of the ways.
    led: bool,
    /// Resolvers that know the public internet.
    names: BTreeMap<IpAddr, (Origin, Vec<Evidence>)>,
    pub pace: Pace,
    blind: Option<Unseen>,
    /// Rounds by the clock, so that they ask the families by turns.
    turn: usize,
}

impl Memory {
    /// Notes what changed since the last look.
    pub fn notice(&mut self, deviations: &[Deviation], surroundings: &Surroundings, near: &Near, now: u64) {
        let first = self.first.is_none();
        if first {
            self.first = Some(deviations.to_vec());
        }
        self.origins.retain(|link, _| deviations.iter().any(|deviation| deviation.link == *link));
        for deviation in deviations {
            let came = if deviation.upstream { Origin::Upstream } else { Origin::LocalChange };
            self.origins.entry(deviation.link.clone()).or_insert(if first { Origin::PreExisting } else { came });
        }
        let exchanged = self.exchanged(surroundings, &near.macs);
        let led = std::mem::take(&mut self.led);
        if exchanged || self.surroundings.as_ref() != Some(surroundings) {
            self.as_it_began = first || (self.as_it_began && led);
            self.awaiting = (first || (self.awaiting && led)) && !surroundings.is_empty();
            self.refresh(surroundings, exchanged);
            self.pace.changed(now);
            if surroundings.paths.is_empty() && surroundings.proxies.is_empty() {
                // Nobody is left whose proof the roots would have to bear out: what was found by these ways is over.
                self.blind = None;
            }
            self.surroundings = Some(surroundings.clone());
        }
        self.proofs.keep_only(&surroundings.paths.values().cloned().collect());
        self.by_proxy.keep_only(&surroundings.proxies.keys().copied().map(through).collect());
        self.names.retain(|resolver, _| surroundings.resolvers.contains_key(resolver));
        self.followed.retain(|lead, _| surroundings.leads.contains(lead));
        self.known.clone_from(&near.known);
        self.notice_neighbours(first, &near.talked_to, now);
    }

    /// Before the change itself is noted: which ways are new. Until a burst begins they gather.
    fn refresh(&mut self, now: &Surroundings, exchanged: bool) {
        let (before, waits) = (self.surroundings.take().unwrap_or_default(), self.pace.is_first());
        let known: BTreeSet<&Path> = before.paths.values().collect();
        let new: BTreeSet<Path> = now.paths.values().filter(|path| !known.contains(path)).cloned().collect();
        let flapped = now.carriers.iter().any(|(device, signal)| before.carriers.get(device).is_some_and(|then| then != signal));
        let gathered = if waits { self.fresh.take() } else { Some(BTreeSet::new()) };
        // Without a new way something else changed, and any of them may lead elsewhere.
        let all = exchanged || flapped || new.is_empty();
        self.fresh = gathered.filter(|_| !all).map(|gathered| &gathered | &new);
    }

    fn notice_neighbours(&mut self, first: bool, talked_to: &BTreeSet<SocketAddr>, now: u64) {
        let origin = if first { Origin::PreExisting } else { Origin::LocalChange };
        let by_neighbour = &self.by_neighbour;
        let led = |at: SocketAddr| by_neighbour.is_proven(&through(at));
        self.observed.notice(talked_to, origin, led, now);
        let counted: BTreeSet<Path> = self.counted(now).into_keys().map(through).collect();
        self.by_neighbour.keep_only(&counted);
        let next = self.neighbour(now);
        self.pace.seen(next.is_some(), now);
    }

    /// Neighbours that count, with where they came from: what is written down is no observation.
    fn counted(&self, now: u64) -> BTreeMap<SocketAddr, Origin> {
        let mut counted = self.observed.counted(now);
        counted.retain(|at, _| !self.is_written(at));
        counted
    }

    fn is_written(&self, at: &SocketAddr) -> bool {
        self.surroundings.as_ref().is_some_and(|around| around.proxies.contains_key(at))
    }

    /// The neighbour that is to be asked next.
    fn neighbour(&self, now: u64) -> Option<SocketAddr> {
        let known = self.known.as_ref()?;
        let has_a_part = |at: &SocketAddr| self.is_written(at) || known.contains(&at.ip());
        self.observed.next(|at| self.by_neighbour.is_alone(&through(at)), has_a_part, now)
    }

    /// Proxies that are written down, and those that leads led to.
    pub fn proxies(&self, written: &BTreeMap<SocketAddr, Known>) -> BTreeMap<SocketAddr, Known> {
        let mut all = written.clone();
        for (at, known) in self.followed.values().flatten() {
            if all.len() < MOST_PROXIES {
                all.entry(*at).or_insert_with(|| known.clone());
            }
        }
        all
    }

    /// Whether another router stands at a next hop now. One of which the kernel knows nothing at the moment is the same.
    fn exchanged(&mut self, surroundings: &Surroundings, macs: &BTreeMap<(IfName, IpAddr), String>) -> bool {
        let hops: BTreeSet<_> = surroundings.paths.values().filter_map(|path| Some((path.device.clone(), path.gateway?))).collect();
        if self.routers.len() > MOST_ROUTERS {
            self.routers.retain(|hop, _| hops.contains(hop));
        }
        let known = hops.iter().filter_map(|hop| macs.get_key_value(hop));
        known.fold(false, |exchanged, (hop, mac)| {
            let then = self.routers.insert(hop.clone(), mac.clone());
            exchanged | then.is_some_and(|then| then != *mac)
        })
    }

    /// Takes in a round, unless the ways changed meanwhile. `is_inside` = by enrolment or configuration.
    pub fn take(&mut self, mut done: Done, is_inside: impl Fn(IpAddr) -> bool) {
        if self.surroundings.as_ref() != Some(&done.of) {
            return;
        }
        let awaited = std::mem::take(&mut self.awaiting);
        let upstream = if self.as_it_began { Origin::PreExisting } else { Origin::Upstream };
        let origins = &self.origins;
        let aged = || Unseen::Error("no anchor is trusted by any root: the roots may have aged".to_owned());
        if done.blind.is_some() || !done.round.said.is_empty() {
            self.blind = done.blind.or_else(|| proof::roots_aged(&done.round).then(aged));
        }
        if self.blind.is_some() {
            return;
        }
        done.round.canary = done.round.canary.map(|heard| proof::from_outside(heard, is_inside));
        let origin = |path: &Path| origins.get(&path.device).copied().unwrap_or(upstream);
        self.proofs.take(&done.round, done.clock, done.began, origin);
        self.by_proxy
            .take(&done.by_proxy, done.clock, done.began, |_| if self.as_it_began { Origin::PreExisting } else { Origin::LocalChange });
        let counted: BTreeMap<Path, Origin> = self.counted(done.began).into_iter().map(|(at, origin)| (through(at), origin)).collect();
        let seen = |path: &Path| counted.get(path).copied().unwrap_or(Origin::LocalChange);
        self.by_neighbour.take(&done.by_neighbour, done.clock, done.began, seen);
        for (resolver, knows) in done.names {
            match knows {
                Knows::Internet(said) => {
                    let new = || done.of.resolvers.get(&resolver).map_or(upstream, origin);
                    self.names.entry(resolver).or_insert_with(|| (new(), said_names(&said)));
                }
                Knows::Nothing | Knows::Everything => drop(self.names.remove(&resolver)),
            }
        }
        for (lead, found) in done.followed {
            let known = |speaks| Known { speaks, place: lead.place.clone() };
            let found: BTreeMap<SocketAddr, Known> = found.into_iter().map(|(at, speaks)| (at, known(speaks))).collect();
            let before = self.followed.insert(lead.clone(), found.clone()).unwrap_or_default();
            self.led |= before != found;
        }
        let direct = done.round.paths().all(|path| self.proofs.is_proven(path));
        if direct && done.by_proxy.paths().all(|path| self.by_proxy.is_proven(path)) {
            self.pace.settled();
        }
        let alone = [self.proofs.alone_since(), self.by_proxy.alone_since()].into_iter().flatten().min();
        if let Some(since) = alone {
            self.pace.again(since + APART_MS + 200);
        }
        // What is proven from now on came while it was watched, but for who has proved itself once, and what leads have just led to.
        self.as_it_began &= alone.is_some() || self.led;
        self.awaiting = awaited && self.led;
    }

    /// All that is found, and when to look again. `muted` = who answered in place of the internet at enrolment already.
    pub fn look(&mut self, deviations: &[Deviation], config: &Config, muted: &[KnownLookalike], now: u64) -> Look {
        let due = self.pace.due().map_or(MINUTE, |due| Duration::from_millis(due.saturating_sub(now)));
        let blind = self.blind.iter().map(|why| Blind { what: "outside.roots", why: why.clone() }).collect();
        // A way that came meanwhile is worth telling at once.
        self.awaiting &= self.first.as_deref() == Some(deviations);
        let found = (!self.awaiting).then(|| self.findings(deviations, config, muted));
        // Where leads led is looked at at once.
        Look { found, blind, again: if self.led { Duration::ZERO } else { due.min(MINUTE) } }
    }

    fn findings(&self, deviations: &[Deviation], config: &Config, muted: &[KnownLookalike]) -> Vec<Finding> {
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
        found.extend(self.proxy_paths(config));
        let told = |one: &Unmasked<'_>| !muted.iter().any(|known| is_the_same(known, one));
        for Unmasked { at, origin, lines, .. } in self.proofs.lookalikes().filter(told) {
            found.push(Finding::new(FindingCode::IsolationLookalike, Subject::Endpoint(at), origin).because(lines));
        }
        found
    }

    fn proxy_paths(&self, config: &Config) -> Vec<Finding> {
        let written = self.surroundings.iter().flat_map(|around| &around.proxies).map(|(at, known)| (*at, known.place.as_str()));
        let places: BTreeMap<String, (SocketAddr, &str)> = written.map(|(at, place)| (at.to_string(), (at, place))).collect();
        let tell = |at: SocketAddr, place: &str, origin, lines: Vec<Evidence>| {
            let told = line("outside.proxy", at.to_string(), place.to_owned());
            let finding = Finding::new(FindingCode::IsolationProxyPath, Subject::Endpoint(at), origin).because([told]);
            finding.because(lines.into_iter().filter(|line| line.k == "outside.tls")).because(approval(config))
        };
        let by_proxy = self.by_proxy.proven().into_iter().filter_map(|(proxy, (origin, lines))| {
            let (at, place) = places.get(proxy.as_str())?;
            Some(tell(*at, place, origin, lines))
        });
        let by_neighbour = self
            .by_neighbour
            .proven()
            .into_iter()
            .filter_map(|(proxy, (origin, lines))| Some(tell(proxy.as_str().parse().ok()?, "connection seen", origin, lines)));
        by_proxy.chain(by_neighbour).collect()
    }
}

/// Whether this one answered there at enrolment already: under the same address and by the same way.
fn is_the_same(known: &KnownLookalike, now: &Unmasked<'_>) -> bool {
    known.address == now.at && known.device == now.path.device && known.gateway == now.path.gateway
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
#[path = "memory_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "ending_tests.rs"]
mod endings;
