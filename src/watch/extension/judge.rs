//! What of all that is seen extends the network to other devices. Pure.
//!
//! Containers and virtual machines are programs of this PC and no other devices. So software for them that comes after enrolment, with its
//! bridge, its switch `ip_forward` and a rule that hides its own prefix behind this PC's address, is no finding by itself: nobody else can
//! use these yet, and telling an ordinary piece of software from an offence would be left to a person who is accused already. What is one
//! in any case: packets of others that are really passed on, a rule or an address server that is not limited to the containers, a container
//! that stands in the outer network itself. Where no such software explains the switch, it is told as a small thing; what it enables is not.

use super::forwarded::Forwarded;
use super::namespaces::{Foreign, WayOut};
use super::nat::{Limits, NatRule};
use super::ports::{Nature, Port};
use super::sharing::Offer;
use crate::baseline::{Baseline, Forwarding, Lent};
use crate::model::{Evidence, Finding, FindingCode, IfName, Origin, Severity, Subject};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How long anything must stand before it is told, ms: software for containers sets its switch and rules a moment before its bridge.
pub const HOLD_MS: u64 = 2500;
/// Lines of evidence of one kind; the rest is to be looked up on the PC.
const MOST_LINES: usize = 8;

/// All that is seen now; `None` = could not look.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// The switches of the whole PC.
    pub switches: Forwarding,
    /// Cards that forward by a switch of their own.
    pub own_switches: BTreeSet<IfName>,
    /// Interfaces.
    pub ports: Vec<Port>,
    /// Rules that change the sender's address.
    pub nat: Option<Vec<NatRule>>,
    /// What is offered to others.
    pub offers: Option<Vec<Offer>>,
    /// Cards with a wireless network of their own, by the kernel's index.
    pub hotspots: Option<Vec<u32>>,
    /// Other namespaces.
    pub foreign: Option<Vec<Foreign>>,
}

impl Scene {
    /// Interfaces behind which only programs of this PC are.
    pub fn inner(&self) -> BTreeSet<IfName> {
        self.ports.iter().filter(|port| port.nature == Nature::Inner).map(|port| port.name.clone()).collect()
    }

    /// Whether this PC forwards at all.
    pub fn forwards(&self) -> bool {
        self.switches.v4 == Some(true) || self.switches.v6 == Some(true) || !self.own_switches.is_empty()
    }

    fn on_outer_segment(&self, ip: IpAddr) -> bool {
        self.ports.iter().any(|port| port.nature == Nature::Outer && port.reaches(ip))
    }

    fn on_inner_segment(&self, ip: IpAddr) -> bool {
        self.ports.iter().any(|port| port.nature == Nature::Inner && port.reaches(ip))
    }
}

/// What a watcher remembers from look to look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// What was found at the first look and ever since.
    pre_existing: Option<BTreeSet<(FindingCode, Subject)>>,
    /// Since when (boottime, ms) each is there.
    pub since: BTreeMap<(FindingCode, Subject), u64>,
    /// Cards that were ever seen here.
    pub cards: BTreeSet<IfName>,
    /// Packets of others.
    pub forwarded: Forwarded,
}

impl Memory {
    /// Whether something is there that is not told yet.
    pub fn holds(&self, now_ms: u64) -> bool {
        self.since.values().any(|since| now_ms < since + HOLD_MS)
    }
}

/// A way for others, and the line that a baseline would keep of it.
struct Way {
    line: String,
    finding: Finding,
}

/// Which families may forward: those that did at enrolment, and those of which it is not known.
pub fn accepted(baseline: Option<&Baseline>) -> [bool; 2] {
    baseline.map_or([false, false], |baseline| [baseline.forwarding.v4 != Some(false), baseline.forwarding.v6 == Some(true)])
}

/// Everything that was not there at enrolment, and has been there for [`HOLD_MS`] at `now_ms` (boottime).
pub fn judge(scene: &Scene, memory: &mut Memory, baseline: &Baseline, now_ms: u64) -> Vec<Finding> {
    let nothing = Lent { unseen: ["nat", "bridge", "sharing", "hotspot", "namespace"].map(str::to_owned).into(), ..Lent::default() };
    let known = baseline.lent.as_ref().unwrap_or(&nothing);
    let is_new = |way: &Way| {
        let kind = way.line.split(' ').next().unwrap_or_default();
        !known.ways.contains(&way.line) && !known.unseen.contains(kind)
    };
    let mut found: Vec<Finding> = forwarding(scene, memory, baseline).into_iter().collect();
    for way in ways(scene, memory, &gateways(baseline)).into_iter().filter(is_new) {
        join(&mut found, way.finding);
    }
    dated(found, memory, now_ms)
}

/// The lines that a baseline keeps.
pub fn lent(scene: &Scene) -> BTreeSet<String> {
    ways(scene, &Memory::default(), &BTreeSet::new()).into_iter().map(|way| way.line).collect()
}

fn gateways(baseline: &Baseline) -> BTreeSet<IpAddr> {
    baseline.gateways.iter().filter_map(|gateway| gateway.address).collect()
}

/// One finding for each code and subject.
fn join(found: &mut Vec<Finding>, new: Finding) {
    match found.iter_mut().find(|old| old.code == new.code && old.subject == new.subject) {
        Some(old) => {
            old.severity = old.severity.max(new.severity);
            let room = MOST_LINES.saturating_sub(old.evidence.len());
            old.evidence.extend(new.evidence.into_iter().take(room));
        }
        None => found.push(new),
    }
}

/// Those that stood long enough, with where each came from.
fn dated(mut found: Vec<Finding>, memory: &mut Memory, now_ms: u64) -> Vec<Finding> {
    let now: BTreeSet<_> = found.iter().map(|finding| (finding.code, finding.subject.clone())).collect();
    let before = memory.pre_existing.get_or_insert_with(|| now.clone());
    before.retain(|key| now.contains(key));
    for finding in &mut found {
        let old = before.contains(&(finding.code, finding.subject.clone()));
        finding.origin = if old { Origin::PreExisting } else { Origin::LocalChange };
    }
    memory.since.retain(|key, _| now.contains(key));
    for key in now {
        memory.since.entry(key).or_insert(now_ms);
    }
    let stood =
        |finding: &Finding| memory.since.get(&(finding.code, finding.subject.clone())).is_some_and(|since| now_ms >= since + HOLD_MS);
    found.retain(stood);
    found
}

fn finding(code: FindingCode, subject: Subject, severity: Severity, evidence: Vec<Evidence>) -> Finding {
    Finding { severity, ..Finding::new(code, subject, Origin::LocalChange) }.because(evidence)
}

fn line(k: &str, target: impl Into<String>, result: impl Into<String>) -> Evidence {
    Evidence { k: k.to_owned(), target: target.into(), result: result.into(), ms: None, n: 1, boot_ms: None }
}

fn forwarding(scene: &Scene, memory: &Memory, baseline: &Baseline) -> Option<Finding> {
    let [v4, v6] = accepted(Some(baseline));
    let on = [("ipv4", scene.switches.v4 == Some(true) && !v4), ("ipv6", scene.switches.v6 == Some(true) && !v6)];
    let mut evidence: Vec<Evidence> =
        on.into_iter().filter(|(_, new)| *new).map(|(family, _)| line("extension.switch", family, "on")).collect();
    let carried = memory.forwarded.of_others;
    if !carried && (evidence.is_empty() || !scene.inner().is_empty()) {
        return None;
    }
    evidence.extend(scene.own_switches.iter().filter(|_| carried).map(|card| line("extension.switch", card.as_str(), "on")));
    if carried {
        evidence.push(line("extension.forwarded", "terminal", "packets of other devices"));
    }
    let severity = if carried { Severity::High } else { Severity::Low };
    Some(finding(FindingCode::ExtensionForwarding, Subject::Terminal, severity, evidence))
}

/// All ways for others, new or not.
fn ways(scene: &Scene, memory: &Memory, gateways: &BTreeSet<IpAddr>) -> Vec<Way> {
    let nat = scene.nat.iter().flatten().filter_map(|rule| hides_others(rule, scene));
    let offers = scene.offers.iter().flatten().filter_map(|offer| shares(offer, scene));
    let hotspots = scene.hotspots.iter().flatten().filter_map(|card| hotspot(*card, scene));
    nat.chain(bridges(scene)).chain(hotspots).chain(offers).chain(namespaces(scene, memory, gateways)).collect()
}

fn hides_others(rule: &NatRule, scene: &Scene) -> Option<Way> {
    let inner = scene.inner();
    let is_inner = |name: &Option<String>| name.as_ref().is_some_and(|name| name == "lo" || inner.contains(&IfName::new(name.clone())));
    let own = |way: &Limits| {
        let within = !way.sources.is_empty() && way.sources.iter().all(|net| is_inner_prefix(net, scene));
        within || is_inner(&way.from) || is_inner(&way.out)
    };
    if !rule.ways.is_empty() && rule.ways.iter().all(own) {
        return None;
    }
    let severity = if scene.forwards() { Severity::High } else { Severity::Low };
    let evidence = vec![line("extension.nat", rule.place.clone(), rule.text.clone())];
    Some(Way { line: rule.line(), finding: finding(FindingCode::ExtensionNat, Subject::Terminal, severity, evidence) })
}

/// Whether a prefix belongs to containers or virtual machines of this PC.
fn is_inner_prefix(net: &ipnet::IpNet, scene: &Scene) -> bool {
    scene.ports.iter().filter(|port| port.nature == Nature::Inner).flat_map(|port| &port.nets).any(|own| own.contains(net))
}

fn bridges(scene: &Scene) -> Vec<Way> {
    let joined = |bridge: &Port| -> BTreeMap<IfName, IfName> {
        let ports = scene.ports.iter().filter(|port| port.master == Some(bridge.index) && port.nature == Nature::Outer);
        ports.map(|port| (port.card.clone(), port.name.clone())).collect()
    };
    let way = |bridge: &Port| {
        let cards = joined(bridge);
        if cards.len() < 2 {
            return None;
        }
        let names: Vec<&str> = cards.values().map(IfName::as_str).collect();
        let evidence = vec![line("extension.bridge", bridge.name.as_str(), names.join(" "))];
        let subject = Subject::Link(bridge.name.clone());
        let severity = if bridge.several { Severity::Low } else { Severity::High };
        let finding = finding(FindingCode::ExtensionBridge, subject, severity, evidence);
        Some(Way { line: format!("bridge {} {}", bridge.name, names.join(" ")), finding })
    };
    scene.ports.iter().filter(|port| port.bridge).filter_map(way).collect()
}

fn shares(offer: &Offer, scene: &Scene) -> Option<Way> {
    let (Offer::Addresses(listener) | Offer::Proxy(listener, _)) = offer;
    let device = listener.device.and_then(|index| scene.ports.iter().find(|port| port.index == index));
    let for_containers = device.is_some_and(|port| port.nature == Nature::Inner) || scene.on_inner_segment(listener.address);
    if for_containers {
        return None;
    }
    let at = device.map_or_else(|| listener.address.to_string(), |port| port.name.to_string());
    match offer {
        Offer::Addresses(_) => {
            // Where it is not tied to a card it is not known to whom it gives addresses.
            let outer = device.is_some_and(|port| port.nature == Nature::Outer) || scene.on_outer_segment(listener.address);
            let severity = if outer { Severity::High } else { Severity::Medium };
            let subject = device.map_or(Subject::Terminal, |port| Subject::Link(port.name.clone()));
            let mut evidence = vec![line("extension.addresses", at.clone(), "udp 67")];
            if let Some(shared) = device.and_then(shared_connection) {
                evidence.push(line("extension.shared", at.clone(), shared.to_string()));
            }
            Some(Way {
                line: format!("sharing addresses {at}"),
                finding: finding(FindingCode::ExtensionSharing, subject, severity, evidence),
            })
        }
        Offer::Proxy(_, program) => {
            let evidence = vec![line("extension.proxy", program.clone(), format!("{at} tcp {}", listener.port))];
            let finding = finding(FindingCode::ExtensionSharing, Subject::Program(program.clone()), Severity::Medium, evidence);
            Some(Way { line: format!("sharing proxy {program} {at} {}", listener.port), finding })
        }
    }
}

/// A wireless network of one's own is for other devices, whatever they get there.
fn hotspot(index: u32, scene: &Scene) -> Option<Way> {
    let card = scene.ports.iter().find(|port| port.index == index)?;
    let evidence = vec![line("extension.hotspot", card.name.as_str(), "on")];
    let subject = Subject::Link(card.name.clone());
    let finding = finding(FindingCode::ExtensionSharing, subject, Severity::High, evidence);
    Some(Way { line: format!("hotspot {}", card.name), finding })
}

/// The address that the network manager takes for a shared connection: 10.42.n.1/24.
fn shared_connection(port: &Port) -> Option<ipnet::IpNet> {
    let is_it = |net: &&ipnet::IpNet| {
        matches!(net.addr(), IpAddr::V4(ip) if ip.octets()[..2] == [10, 42] && ip.octets()[3] == 1) && net.prefix_len() == 24
    };
    port.nets.iter().find(is_it).copied()
}

/// Namespaces that have a card of this PC, or stand in its outer network beside it.
fn namespaces(scene: &Scene, memory: &Memory, gateways: &BTreeSet<IpAddr>) -> Vec<Way> {
    let Some(foreign) = &scene.foreign else { return Vec::new() };
    let own: BTreeSet<IpAddr> = scene.ports.iter().flat_map(|port| &port.nets).map(ipnet::IpNet::addr).collect();
    let here: BTreeSet<&IfName> = scene.ports.iter().map(|port| &port.name).collect();
    // A next hop that is itself on this PC leads through it, not past it.
    let is_on_this_pc =
        |ip: &IpAddr, asker: &Foreign| own.contains(ip) || foreign.iter().any(|other| other.id != asker.id && other.addresses.contains(ip));
    // Rootless containers have a copy of this PC's addresses, and send through its own sockets.
    let is_copy = |asker: &Foreign| asker.addresses.iter().any(|ip| own.contains(ip) && !is_link_local(*ip));
    let leads_past = |asker: &Foreign, way: &WayOut| {
        let moved = memory.cards.contains(&way.device) && !here.contains(&way.device);
        let beside = way.gateway.is_some_and(|ip| gateways.contains(&ip) || scene.on_outer_segment(ip) && !is_link_local(ip));
        let inside = way.gateway.is_some_and(|ip| is_on_this_pc(&ip, asker)) || is_copy(asker);
        (moved || beside) && !inside
    };
    let way = |asker: &Foreign| {
        let out = asker.ways.iter().find(|way| leads_past(asker, way))?;
        let result = out.gateway.map_or_else(|| format!("dev {}", out.device), |gateway| format!("via {gateway} dev {}", out.device));
        let evidence = vec![line("extension.namespace", asker.program.clone(), result)];
        let subject = Subject::Namespace(asker.id.clone());
        let finding = finding(FindingCode::ExtensionForeignNamespace, subject, Severity::Medium, evidence);
        Some(Way { line: format!("namespace {} {}", asker.program, out.device), finding })
    };
    foreign.iter().filter_map(way).collect()
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
