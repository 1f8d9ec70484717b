//! Ways for others through this PC: forwarding, hiding others behind its address, joined ports, sharing, other network namespaces.
//!
//! | what | heard at once by | needs |
//! |---|---|---|
//! | forwarding switched on | netlink (NETCONF) | nothing |
//! | packets of others passed on | no event: every [`CLOSE`] while forwarding is on that was not at enrolment, else each minute | nothing |
//! | rules that hide others | netlink (nftables); those of the old packet filter each minute | `CAP_NET_ADMIN` |
//! | bridges | netlink (links) | nothing |
//! | wireless cards as access points | netlink (links: another mode takes the card down and up) | nothing |
//! | address servers, proxies | each minute, and with every change of the network | a proxy's name: `CAP_SYS_PTRACE` |
//! | other namespaces | netlink (links that leave, numbers given), every [`HALF`] a minute while there are any, and nothing else then | nothing |
//!
//! What is told and what is not is argued in [`judge`]. What cannot be staged with a card of its own is said in `tests/watch/extension.rs`.

mod forwarded;
mod judge;
mod namespaces;
mod nat;
mod ports;
mod sharing;

use super::aside::aside;
use super::{Blind, Given, Look, MINUTE, Watch};
use crate::baseline::{Baseline, Forwarding, Lent, Listing, firewall_rules};
use crate::model::{Finding, IfName, Unseen, Watcher};
use crate::sys::files;
use crate::sys::murmur::{Murmur, Talk};
use crate::sys::netlink::{self, Events, Snapshot};
use crate::sys::wireless;
use forwarded::Sample;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use judge::{Memory, Scene};
use namespaces::Foreign;
use nat::NatRule;
use ports::Nature;
use sharing::Offers;
use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::path::Path;
use std::time::Duration;

/// Between two looks at the counts while this PC forwards that did not at enrolment: others' packets are told of within 10 s.
const CLOSE: Duration = Duration::from_secs(4);
/// Between two looks into other namespaces.
const HALF: Duration = Duration::from_secs(30);
/// Between two walks through processes and rules, however much stirs.
const WALKS_APART_MS: u64 = 2000;

/// What a walk brought, or the last one that could see.
#[derive(Debug, Clone, Default)]
struct Walked {
    nat: Option<Vec<NatRule>>,
    offers: Option<Offers>,
    /// By the kernel's index.
    access_points: Option<Vec<u32>>,
    foreign: Option<Vec<Foreign>>,
    blind: Vec<(&'static str, Unseen)>,
}

impl Walked {
    /// Reads rules, sockets and processes. Blocks.
    fn walk(before: Self) -> Self {
        let mut now = Self { blind: Vec::new(), ..before };
        now.list(firewall_rules());
        match sharing::offers(Path::new("/proc")) {
            Ok(offers) => now.offers = Some(offers),
            Err(why) => now.blind.push(("extension.sharing", why)),
        }
        match wireless::access_points() {
            Ok(cards) => now.access_points = Some(cards),
            Err(why) => now.blind.push(("extension.wireless", why)),
        }
        if let Some(why) = now.offers.as_ref().and_then(|offers| offers.hidden.clone()) {
            now.blind.push(("extension.proxy", why));
        }
        now.glance()
    }

    /// Takes in what rules were listed.
    fn list(&mut self, listed: Result<Listing, Unseen>) {
        match listed {
            Ok(Listing { text, hidden, .. }) => {
                // What was seen before of the part that is hidden now is not over.
                if hidden.is_none() || self.nat.is_none() {
                    self.nat = Some(nat::rules(&text));
                }
                self.blind.extend(hidden.map(|why| ("extension.nat", why)));
            }
            Err(why) => self.blind.push(("extension.nat", why)),
        }
    }

    /// Looks into other namespaces only, which tell nothing by themselves. Blocks.
    fn glance(mut self) -> Self {
        self.blind.retain(|(what, _)| *what != "extension.namespaces");
        match namespaces::foreign(Path::new("/proc")) {
            Ok(foreign) => self.foreign = Some(foreign),
            Err(why) => self.blind.push(("extension.namespaces", why)),
        }
        self
    }

    fn scene(&self, kernel: &Kernel, uplinks: &BTreeSet<IfName>) -> Scene {
        let ports = ports::ports(&kernel.links, &kernel.addresses, &kernel.below, uplinks);
        // A card that is switched off has no network of its own.
        let is_up = |card: &u32| kernel.links.iter().any(|link| link.index == *card && link.up);
        let own = |port: &&ports::Port| port.nature == Nature::Outer && kernel.own_switches.contains(&port.name);
        Scene {
            switches: kernel.switches,
            own_switches: ports.iter().filter(own).map(|port| port.name.clone()).collect(),
            ports,
            nat: self.nat.clone(),
            offers: self.offers.as_ref().map(|offers| offers.offers.clone()),
            hotspots: self.access_points.as_ref().map(|cards| cards.iter().copied().filter(is_up).collect()),
            foreign: self.foreign.clone(),
        }
    }
}

/// What the kernel says for nothing.
struct Kernel {
    links: Vec<crate::model::Link>,
    addresses: Vec<crate::model::Address>,
    below: BTreeMap<IfName, ports::Below>,
    switches: Forwarding,
    /// Interfaces that forward although the PC as a whole does not.
    own_switches: BTreeSet<IfName>,
    defaults: BTreeSet<IfName>,
}

impl Kernel {
    fn of(snapshot: &Snapshot) -> Result<Self, Unseen> {
        let links = told(&snapshot.links)?.clone();
        let on = |path: &str| files::read_word(Path::new(path)).map(|word| word != "0");
        let switches = Forwarding { v4: on("/proc/sys/net/ipv4/ip_forward"), v6: on("/proc/sys/net/ipv6/conf/all/forwarding") };
        let own = |family: &str, name: &IfName| on(&format!("/proc/sys/net/{family}/conf/{name}/forwarding")) == Some(true);
        let alone = |name: &IfName| switches.v4 != Some(true) && own("ipv4", name) || switches.v6 != Some(true) && own("ipv6", name);
        Ok(Self {
            below: links.iter().map(|link| (link.name.clone(), ports::below(Path::new("/sys/class/net"), link))).collect(),
            addresses: told(&snapshot.addresses)?.clone(),
            switches,
            own_switches: links.iter().map(|link| link.name.clone()).filter(|name| !name.as_str().contains('/') && alone(name)).collect(),
            defaults: told(&snapshot.routes)?.defaults().into_iter().filter_map(|route| route.device.clone()).collect(),
            links,
        })
    }
}

fn told<T>(outcome: &crate::model::Outcome<T>) -> Result<&T, Unseen> {
    match outcome {
        crate::model::Outcome::Ok(seen) => Ok(seen),
        crate::model::Outcome::Unknown(why) => Err(why.clone()),
        crate::model::Outcome::Failed(_) => Err(Unseen::Skipped),
    }
}

/// What a baseline keeps of ways for others. Blocks.
pub fn lent_now(snapshot: &Snapshot) -> Lent {
    let kinds = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let Ok(kernel) = Kernel::of(snapshot) else {
        return Lent { ways: BTreeSet::new(), unseen: kinds(&["nat", "bridge", "sharing", "hotspot", "namespace"]) };
    };
    let walked = Walked::walk(Walked::default());
    let whole = |what: &str| !walked.blind.iter().any(|(blind, _)| *blind == what);
    let seen = [
        ("nat", walked.nat.is_some() && whole("extension.nat")),
        ("sharing", walked.offers.is_some()),
        ("hotspot", walked.access_points.is_some()),
        ("namespace", walked.foreign.is_some()),
    ];
    let unseen: Vec<&str> = seen.into_iter().filter(|(_, seen)| !seen).map(|(kind, _)| kind).collect();
    Lent { ways: judge::lent(&walked.scene(&kernel, &kernel.defaults)), unseen: kinds(&unseen) }
}

/// Looks after them.
pub struct Extension {
    events: Option<Events>,
    switches: Option<Murmur>,
    rules: Option<Murmur>,
    memory: Memory,
    walked: Walked,
    /// When the last walk was (boottime), and when other namespaces were last looked into.
    walked_at: Option<u64>,
    glanced_at: u64,
    /// Something stirred since the last walk.
    stale: bool,
    /// Nothing is held back any more of what was there at the start.
    settled: bool,
}

impl Extension {
    /// Begins to listen. Must be called within a tokio runtime with I/O enabled.
    pub fn begin() -> Self {
        Self {
            events: Events::open().ok(),
            switches: Murmur::open(Talk::Forwarding).ok(),
            rules: Murmur::open(Talk::Rules).ok(),
            memory: Memory::default(),
            walked: Walked::default(),
            walked_at: None,
            glanced_at: 0,
            stale: true,
            settled: false,
        }
    }

    async fn look_again(&mut self, given: &Given) -> Look {
        let now = given.at.boottime_ms;
        // A walk that never came back leaves what the last one saw.
        let before = self.walked.clone();
        if self.until_walk(now).is_zero() {
            self.walked = aside(move || Walked::walk(before)).await.unwrap_or(std::mem::take(&mut self.walked));
            (self.walked_at, self.glanced_at, self.stale) = (Some(now), now, false);
        } else if self.until_glance(now).is_zero() {
            self.walked = aside(move || before.glance()).await.unwrap_or(std::mem::take(&mut self.walked));
            self.glanced_at = now;
        }
        let kernel = match Kernel::of(&netlink::snapshot().await) {
            Ok(kernel) => kernel,
            Err(why) => return Look::blind("extension.links", why),
        };
        let baseline = given.baseline();
        let scene = self.walked.scene(&kernel, &baseline.map_or_else(|| kernel.defaults.clone(), uplinks));
        self.remember(&scene, baseline);
        let found = baseline.map(|baseline| judge::judge(&scene, &mut self.memory, baseline, now));
        let blind = self.walked.blind.iter().map(|(what, why)| Blind { what, why: why.clone() }).collect();
        let found = self.told(found.unwrap_or_default(), now);
        Look { found, blind, again: self.again(&scene, baseline, now) }
    }

    /// What is told of all that is found; `None` = nothing yet: what an earlier run left open is not over because it has not stood for long in
    /// this one.
    fn told(&mut self, found: Vec<Finding>, now: u64) -> Option<Vec<Finding>> {
        self.settled |= !self.memory.holds(now);
        self.settled.then_some(found)
    }

    /// How long until the next walk is due; zero = now.
    fn until_walk(&self, now: u64) -> Duration {
        let every = if self.stale { Duration::from_millis(WALKS_APART_MS) } else { MINUTE };
        self.walked_at.map_or(Duration::ZERO, |at| until(at, every, now))
    }

    /// How long until other namespaces are to be looked into.
    fn until_glance(&self, now: u64) -> Duration {
        until(self.glanced_at, self.pace(), now)
    }

    /// Between two glances when nothing stirs.
    fn pace(&self) -> Duration {
        if self.walked.foreign.as_ref().is_some_and(|foreign| !foreign.is_empty()) { HALF } else { MINUTE }
    }

    fn again(&self, scene: &Scene, baseline: Option<&Baseline>, now: u64) -> Duration {
        let [v4, v6] = judge::accepted(baseline);
        let new = scene.switches.v4 == Some(true) && !v4 || scene.switches.v6 == Some(true) && !v6 || !scene.own_switches.is_empty();
        let counts = if baseline.is_some() && new { CLOSE } else { MINUTE };
        let walk = if self.stale { self.until_walk(now) + Duration::from_millis(500) } else { self.pace() };
        let held = if self.memory.holds(now) { Duration::from_millis(judge::HOLD_MS + 100) } else { MINUTE };
        counts.min(walk).min(held)
    }

    fn remember(&mut self, scene: &Scene, baseline: Option<&Baseline>) {
        let cards = scene.ports.iter().filter(|port| port.nature == Nature::Outer && !port.bridge);
        self.memory.cards.extend(cards.map(|port| port.name.clone()));
        self.memory.cards.extend(baseline.into_iter().flat_map(uplinks));
        let counts: Sample = forwarded::sample(Path::new("/proc/self/net"));
        self.memory.forwarded.count(counts, &scene.inner(), judge::accepted(baseline));
        self.memory.forwarded.of_others &= scene.forwards();
    }
}

/// How long until so much time has passed since then. A little early is in time: the next look may be a minute away.
fn until(then: u64, every: Duration, now: u64) -> Duration {
    (Duration::from_millis(then) + every).saturating_sub(Duration::from_millis(now + 500))
}

/// What carried the default route at enrolment.
fn uplinks(baseline: &Baseline) -> BTreeSet<IfName> {
    baseline.gateways.iter().filter_map(|gateway| gateway.device.clone()).collect()
}

impl Watch for Extension {
    fn watcher(&self) -> Watcher {
        Watcher::Extension
    }

    fn look<'a>(&'a mut self, given: &'a Given) -> LocalBoxFuture<'a, Look> {
        self.look_again(given).boxed_local()
    }

    fn stirred(&mut self) -> LocalBoxFuture<'_, ()> {
        async {
            let links = async {
                match &mut self.events {
                    Some(events) => events.next().await.is_ok(),
                    None => pending().await,
                }
            };
            let (links_ok, switches_ok, rules_ok) = tokio::select! {
                ok = links => (ok, true, true),
                ok = hears(self.switches.as_ref()) => (true, ok, true),
                ok = hears(self.rules.as_ref()) => (true, true, ok),
            };
            self.stale = true;
            // An ear that broke is not listened to any more: the minute remains.
            self.events = self.events.take().filter(|_| links_ok);
            self.switches = self.switches.take().filter(|_| switches_ok);
            self.rules = self.rules.take().filter(|_| rules_ok);
        }
        .boxed_local()
    }
}

async fn hears(ear: Option<&Murmur>) -> bool {
    match ear {
        Some(ear) => ear.heard().await.is_ok(),
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FindingCode, Link, LinkKind, Origin, Subject};
    use crate::testing::link;

    #[tokio::test]
    async fn beside_other_namespaces_these_are_looked_into_twice_a_minute_and_the_rest_once() {
        let mut extension = Extension::begin();
        let mut walk_and_glance = |now| {
            let due = (extension.until_walk(now).is_zero(), extension.until_glance(now).is_zero());
            if due.0 {
                (extension.walked_at, extension.glanced_at, extension.stale) = (Some(now), now, false);
            } else if due.1 {
                extension.glanced_at = now;
            }
            extension.walked.foreign =
                Some(vec![Foreign { id: "7".to_owned(), program: String::new(), ways: Vec::new(), addresses: Vec::new() }]);
            due
        };
        assert!(walk_and_glance(100_000).0, "the first");
        assert_eq!(
            [110_000, 130_000, 159_600, 190_000].map(&mut walk_and_glance),
            [(false, false), (false, true), (true, true), (false, true)]
        );
    }

    #[test]
    fn rules_that_cannot_be_listed_any_more_are_not_over() {
        let rules = "table ip nat { # handle 1\n\tchain post { # handle 1\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t\t\
            masquerade # handle 2\n\t}\n}\n";
        let listed = |text: &str, hidden: Option<Unseen>| {
            let mut listing = Listing::default();
            (listing.text, listing.hidden) = (text.to_owned(), hidden);
            Ok(listing)
        };
        let why = || Unseen::Error("iptables-legacy-save: not installed".to_owned());
        let mut walked = Walked::default();
        let mut after = |listing| {
            walked.blind.clear();
            walked.list(listing);
            (walked.nat.as_ref().map(Vec::len), walked.blind.len())
        };
        assert_eq!(after(listed("", Some(why()))), (Some(0), 1), "the part that is to be seen is worth something");
        assert_eq!(after(listed(rules, None)), (Some(1), 0));
        assert_eq!(after(listed("", Some(why()))), (Some(1), 1), "what was seen may be in the part that is hidden now");
        assert_eq!(after(Err(why())), (Some(1), 1));
        assert_eq!(after(listed("", None)), (Some(0), 0), "seen to be gone");
    }

    #[tokio::test]
    async fn nothing_is_told_until_what_is_there_at_the_start_has_stood_and_everything_from_then_on() {
        let mut extension = Extension::begin();
        let finding = |link: &str| Finding::new(FindingCode::ExtensionBridge, Subject::Link(IfName::new(link)), Origin::PreExisting);
        let key = |finding: &Finding| (finding.code, finding.subject.clone());
        extension.memory.since.insert(key(&finding("br0")), 1000);
        assert_eq!(extension.told(Vec::new(), 1000), None, "to leave it out would close what an earlier run told of it");
        assert_eq!(extension.told(vec![finding("br0")], 1000 + judge::HOLD_MS), Some(vec![finding("br0")]));
        extension.memory.since.insert(key(&finding("br1")), 90_000);
        assert_eq!(extension.told(vec![finding("br0")], 90_000), Some(vec![finding("br0")]), "what comes later holds nothing back");
    }

    #[test]
    fn a_wireless_card_that_is_switched_off_has_no_network_of_its_own() {
        for up in [true, false] {
            let card = Link { up, ..link("wlan0", LinkKind::Wifi) };
            let walked = Walked { access_points: Some(vec![card.index]), ..Walked::default() };
            let kernel = Kernel {
                links: vec![card],
                addresses: Vec::new(),
                below: BTreeMap::new(),
                switches: Forwarding { v4: None, v6: None },
                own_switches: BTreeSet::new(),
                defaults: BTreeSet::new(),
            };
            assert_eq!(walked.scene(&kernel, &BTreeSet::new()).hotspots.map(|cards| cards.len()), Some(usize::from(up)));
        }
    }
}
