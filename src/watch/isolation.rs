//! Isolation: whether a way outward appeared that was not there at enrolment, and whether it leads to the internet.
//!
//! ```text
//! the kernel's word ──> topology: what nothing explains ──> uplink-suspect, at once
//!        │
//!        └──> the ways to the anchors changed ──> a burst of handshakes ──> proof: who is there ──> internet-reachable, lookalike
//! ```
//!
//! * Nothing leaves before enrolment, with mode `off`, or where the kernel has no route. Nothing is bound to a device. On an enrolled network
//!   card a public address is never asked for by ARP: without a next hop nothing is sent there.
//! * A look only reads the kernel's state and judges; what is sent is sent by a task beside it, and what it brought is thrown away when the ways
//!   changed meanwhile.
//! * With an access that leads over the internet by design, ways that were enrolled are not asked: what they lead to is known.

mod pace;
mod proof;
mod topology;

use super::ear::Ear;
use super::{Blind, Given, Look, MINUTE, Watch};
use crate::baseline::{Interface, interfaces_now};
use crate::config::{Access, Anchor, Config, IsolationMode, Roots};
use crate::model::{
    ClockState, Evidence, Finding, FindingCode, IfName, Link, LinkKind, Origin, Outcome, RouteKind, Subject, Unseen, Watcher,
};
use crate::probe::outside;
use crate::probe::tls::{Trust, certificates};
use crate::sys::netlink::{Netlink, Ways};
use futures_util::future::{LocalBoxFuture, join, join_all};
use pace::{Pace, Why};
use proof::{APART_MS, Path, Proofs, Round, Said};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::task::JoinSet;
use topology::{Deviation, Normal, deviations, is_by_design, is_enrolled_link, is_enrolled_way, line};

/// Operators asked in one round and family: two prove it.
const OPERATORS: usize = 2;

/// The watcher.
pub struct Isolation {
    ear: Ear,
    /// The round that is under way.
    round: JoinSet<Done>,
    /// One that ended and has not been taken in.
    done: Option<Done>,
    memory: Memory,
}

/// What is remembered from look to look.
#[derive(Default)]
struct Memory {
    surroundings: Option<Surroundings>,
    /// Of deviations, by interface.
    origins: BTreeMap<IfName, Origin>,
    /// The deviations of the first look.
    first: Option<Vec<Deviation>>,
    /// What was there before is still being asked: what an earlier run found is neither confirmed nor over.
    awaiting: bool,
    /// No way changed since the first look.
    as_it_began: bool,
    proofs: Proofs,
    pace: Pace,
    blind: Option<Unseen>,
    /// Rounds by the clock, so that they ask the families by turns.
    turn: usize,
}

/// What must not change while something is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Surroundings {
    paths: BTreeMap<SocketAddr, Path>,
    /// Of their interfaces: has a signal, and how often it came or went.
    carriers: BTreeMap<IfName, (bool, u32)>,
}

/// A round that ended.
struct Done {
    round: Round,
    of: Surroundings,
    clock: ClockState,
    blind: Option<Unseen>,
}

/// Whom a round asks.
struct Plan {
    anchors: Vec<(Anchor, Path)>,
    controls: Vec<SocketAddr>,
}

impl Isolation {
    /// Must be called within a tokio runtime with I/O enabled.
    pub fn new() -> Self {
        Self { ear: Ear::open(), round: JoinSet::new(), done: None, memory: Memory::default() }
    }

    async fn look_now(&mut self, given: &Given) -> Look {
        let Some(baseline) = given.baseline() else {
            self.memory = Memory::default();
            self.round.abort_all();
            return Look::of(Vec::new());
        };
        let normal = Normal { baseline, config: &given.config };
        let (ways, netlink) = match kernel().await {
            Ok(told) => told,
            Err(why) => return Look::blind("route.list", why),
        };
        let interfaces = interfaces_now(&ways.links);
        let deviations = deviations(&ways, &interfaces, normal);
        let surroundings = surroundings(&netlink, &ways, &interfaces, normal).await;
        let now = given.at.boottime_ms;
        self.memory.notice(&deviations, &surroundings, now);
        if let Some(done) = self.done.take().or_else(|| self.round.try_join_next().and_then(Result::ok)) {
            self.memory.take(done, now);
        }
        self.send(&given.config, given, &surroundings, now);
        let look = self.memory.look(&deviations, &given.config, now);
        // The end of a round that is under way stirs.
        if self.round.is_empty() { look } else { Look { again: MINUTE, ..look } }
    }

    /// Begins a round, if one is due.
    fn send(&mut self, config: &Config, given: &Given, surroundings: &Surroundings, now: u64) {
        let settings = &config.isolation;
        let pace = &mut self.memory.pace;
        let later = |from: u64| from + jittered(settings.interval, drawn());
        match settings.mode {
            IsolationMode::Periodic => pace.by_clock(Some(later(now))),
            IsolationMode::EventOnly | IsolationMode::Off => pace.by_clock(None),
        }
        if !self.round.is_empty() || self.done.is_some() {
            return;
        }
        let Some(why) = pace.may(now) else { return };
        let plan = self.memory.plan(config, surroundings, why);
        let size = plan.anchors.len() + plan.controls.len();
        self.memory.pace.send(now, why, size, Some(later(now)));
        if size == 0 {
            self.memory.awaiting = false;
            return;
        }
        self.round.spawn(ask(plan, settings.roots.clone(), surroundings.clone(), given.at.clock));
    }
}

impl Default for Isolation {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch for Isolation {
    fn watcher(&self) -> Watcher {
        Watcher::Isolation
    }

    fn look<'a>(&'a mut self, given: &'a Given) -> LocalBoxFuture<'a, Look> {
        Box::pin(self.look_now(given))
    }

    fn stirred(&mut self) -> LocalBoxFuture<'_, ()> {
        Box::pin(async {
            let Self { ear, round, done, .. } = self;
            tokio::select! {
                () = ear.stirred() => {}
                Some(ended) = round.join_next() => *done = ended.ok(),
            }
        })
    }
}

impl Memory {
    /// Notes what changed since the last look.
    fn notice(&mut self, deviations: &[Deviation], surroundings: &Surroundings, now: u64) {
        let first = self.first.is_none();
        if first {
            self.first = Some(deviations.to_vec());
        }
        self.origins.retain(|link, _| deviations.iter().any(|deviation| deviation.link == *link));
        for deviation in deviations {
            let came = if deviation.upstream { Origin::Upstream } else { Origin::LocalChange };
            self.origins.entry(deviation.link.clone()).or_insert(if first { Origin::PreExisting } else { came });
        }
        if self.surroundings.as_ref() != Some(surroundings) {
            self.as_it_began = first;
            self.awaiting = first && !surroundings.paths.is_empty();
            self.pace.changed(now);
            self.surroundings = Some(surroundings.clone());
        }
        self.proofs.keep_only(&surroundings.paths.values().cloned().collect());
    }

    /// Takes in a round, unless the ways changed meanwhile.
    fn take(&mut self, done: Done, now: u64) {
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
        self.proofs.take(&done.round, done.clock, now, |path| origins.get(&path.device).copied().unwrap_or(upstream));
        if done.round.said.iter().all(|said| self.proofs.is_proven(&said.path)) {
            self.pace.settled();
        }
        if self.proofs.waits_for_another() {
            self.pace.again(now + APART_MS + 200);
        }
        // What is proven from now on came while it was watched.
        self.as_it_began &= !self.pace.is_quiet();
    }

    /// Whom to ask: two operators and an address of nobody in each family. By the clock one family at a time.
    fn plan(&mut self, config: &Config, surroundings: &Surroundings, why: Why) -> Plan {
        let first = self.pace.is_first();
        let wanted = |path: &Path| matches!(why, Why::Clock(_)) || first || !self.proofs.is_proven(path);
        let families: BTreeSet<bool> = surroundings.paths.values().filter(|path| wanted(path)).map(|path| path.v6).collect();
        let mut families: Vec<bool> = families.into_iter().collect();
        if matches!(why, Why::Clock(_)) && families.len() > 1 {
            families = vec![families[self.turn % 2]];
        }
        let mut plan = Plan { anchors: Vec::new(), controls: Vec::new() };
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
        plan.controls.truncate(why.most() - plan.anchors.len());
        if plan.anchors.is_empty() {
            plan.controls.clear();
        }
        self.turn += 1;
        plan
    }

    /// All that is found, and when to look again.
    fn look(&mut self, deviations: &[Deviation], config: &Config, now: u64) -> Look {
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
        for (at, origin, lines) in self.proofs.lookalikes() {
            found.push(Finding::new(FindingCode::IsolationLookalike, Subject::Endpoint(at), origin).because(lines));
        }
        found
    }
}

/// Who allowed rounds by the clock, and under which number.
fn approval(config: &Config) -> Option<Evidence> {
    let (by, number) = (config.isolation.approved_by.as_ref()?, config.isolation.approval_no.as_ref()?);
    (config.isolation.mode == IsolationMode::Periodic).then(|| line("outside.approval", by.clone(), number.clone()))
}

async fn kernel() -> Result<(Ways, Netlink), Unseen> {
    let netlink = Netlink::open()?;
    Ok((netlink.ways().await?, netlink))
}

/// The ways that the kernel chooses to whom may be asked, and the signals of their interfaces.
async fn surroundings(netlink: &Netlink, ways: &Ways, interfaces: &[Interface], normal: Normal<'_>) -> Surroundings {
    let settings = &normal.config.isolation;
    let mut paths = BTreeMap::new();
    if settings.mode != IsolationMode::Off {
        for at in settings.anchors.iter().map(|anchor| anchor.address).chain(settings.controls.iter().copied()) {
            if let Some(path) = path(netlink, at.ip(), ways, interfaces, normal).await {
                paths.insert(at, path);
            }
        }
    }
    let of = |path: &Path| ways.links.iter().find(|link| link.name == path.device);
    let carriers = paths.values().filter_map(of).map(|link| (link.name.clone(), (link.carrier, link.carrier_changes))).collect();
    Surroundings { paths, carriers }
}

/// The way to a public address, where it may be taken.
async fn path(netlink: &Netlink, to: IpAddr, ways: &Ways, interfaces: &[Interface], normal: Normal<'_>) -> Option<Path> {
    let inside = normal.baseline.prefixes.allowed.iter().chain(&normal.config.network.allowed_prefixes).any(|net| net.contains(&to));
    if inside {
        return None;
    }
    let Outcome::Ok(route) = netlink.route_to(to).await else { return None };
    let device = route.device.filter(|_| route.kind == RouteKind::Unicast)?;
    let link = ways.links.iter().find(|link| link.name == device)?;
    let enrolled = is_enrolled_way(&device, route.gateway, interfaces, normal);
    let known = is_enrolled_link(&device, interfaces, normal);
    // Without a next hop a network card asks for the address itself, by ARP, and everybody hears it.
    let shouts = route.gateway.is_none() && is_shared(link) && known;
    let tunnel = || normal.config.vpns.iter().any(|vpn| vpn.interface.matches(device.as_str()));
    let by_design = match normal.config.network.access {
        Access::VpnOverInternet => enrolled && !tunnel(),
        access => is_by_design(access) && enrolled,
    };
    let may = link.carrier && !shouts && !by_design;
    may.then_some(Path { device, gateway: route.gateway, table: route.table, v6: to.is_ipv6() })
}

/// Others hear what is asked for on it.
fn is_shared(link: &Link) -> bool {
    !matches!(link.kind, LinkKind::Tun | LinkKind::Wireguard | LinkKind::Ppp)
}

/// Asks all at once.
async fn ask(plan: Plan, roots: Roots, of: Surroundings, clock: ClockState) -> Done {
    let trust = match &roots {
        Roots::Embedded => Trust::embedded(),
        Roots::File(path) => match certificates(path) {
            Ok(trusted) => Trust::new(trusted),
            Err(error) => return Done { round: Round::default(), of, clock, blind: Some(error.into()) },
        },
    };
    let anchors = plan.anchors.into_iter().map(|(anchor, path)| async {
        let answer = outside::knock(anchor.address, &anchor.server_name, &trust).await;
        Said { anchor, path, answer }
    });
    let controls = plan.controls.into_iter().map(|at| async move { (at, outside::accepts(at).await) });
    let (said, controls) = join(join_all(anchors), join_all(controls)).await;
    Done { round: Round { said, controls }, of, clock, blind: None }
}

/// The interval, thirty per cent shorter to thirty per cent longer; milliseconds.
fn jittered(interval: Duration, drawn: f64) -> u64 {
    u64::try_from(interval.mul_f64(0.7 + 0.6 * drawn).as_millis()).unwrap_or(u64::MAX)
}

/// 0 to 1, from the operating system by way of the hasher's keys.
fn drawn() -> f64 {
    let drawn = RandomState::new().hash_one(0_u8);
    f64::from(u32::try_from(drawn >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}
