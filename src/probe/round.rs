//! One round: everything is asked at once under one deadline, and what is found leads to the next question.
//!
//! A round begins with the kernel's own state and fans out: the chains of the centres, the resolvers, the VPNs and the gateways start
//! together, and every address that turns up (configured, looked up, told by a resolver) becomes a [`Lead`] that is routed and pinged.
//! Nothing waits for anything it does not need, so that a round costs its slowest exchange and not the sum.
//!
//! Looks are of three weights. *Deciding* ones can change the verdict and are always waited for. *Supporting* ones (echo, walks) explain a
//! failure; where every centre already answers, or the cause is proven, they get a short grace and are then dropped, so that a gateway that
//! forbids ping does not make a healthy round slow. *Listening* ones hear what the others bring about and are never waited for.
//!
//! What would accuse somebody counts only if this PC stood still meanwhile ([`steady`](super::steady)). Otherwise everything is asked once
//! more where there is time, and taken back where there is none.

mod count;
mod early;
mod ground;

use super::awake::awake;
use super::reach::reach;
use super::{centre, counter, dns, gateway, local, steady, tcp, vpn};
use crate::baseline::{Enrolment, card_readers};
use crate::config::{Config, Vpn};
use crate::infer::{SILENCE, World, came_late, diagnose};
use crate::model::{
    Cause, Certainty, Diagnosis, IfName, Layer, LookupSource, Observation, Outcome, QueryKey, Route, Sighting, Unseen, Verdict,
};
use crate::sys::clock;
use crate::sys::resolv;
use crate::sys::wire::Wire;
use ground::{Ground, asked_resolvers, begin, default_gateways, is_tunnel, known_hosts};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

/// When the last exchange of a round must have ended: what is found late is asked with what is left of this.
const ROUND: Duration = Duration::from_millis(3200);
/// How long supporting looks may take from the beginning of a round when every centre answers. By then an echo has had several times the
/// round trip that the chain of a centre took.
const GRACE: Duration = Duration::from_millis(150);
/// The kernel has said all about its own state by then.
const KERNEL: Duration = Duration::from_millis(60);
/// A round that still runs then is not a healthy one: time to look at what healthy rounds need not know.
const TROUBLE: Duration = Duration::from_millis(500);
/// Who stands near has answered by then: where this PC's own kernel lets nothing leave for the centre, no longer silence is needed.
const TELLING: Duration = Duration::from_millis(800);
/// A station that uses our address answers at once.
const CONFLICT: Duration = Duration::from_millis(200);
/// How long a PC whose network has just changed is left alone before it is asked again: a route needs a moment after its address.
const ASK_AGAIN: Duration = Duration::from_millis(300);
/// Addresses that one round follows at most: a hostile name server must not turn us into a scanner.
const MOST_HOSTS: usize = 24;
/// Rounds that are begun at most, where the machine slept or its network changed.
const MOST_ROUNDS: usize = 3;
/// Sightings under way between the looks and the round.
const QUEUE: usize = 256;

/// How far a round has come: looks that have ended, looks begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Ended.
    pub done: usize,
    /// Begun.
    pub begun: usize,
}

/// Something worth looking at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Lead {
    /// An address to route, ping and, if silent, walk to.
    Host(IpAddr),
    /// A next hop, and an address beyond it.
    Gateway(IfName, IpAddr, IpAddr),
}

/// What a look is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// The verdict may hang on it.
    Deciding,
    /// It explains a failure.
    Supporting,
    /// The same; it tells a silence by chance from one for good.
    Counting,
    /// It hears what others bring about, and never ends by itself.
    Listening,
}

/// Runs one round and gives all that was seen. Ends by `limit` at the latest; what has not ended by then was not seen.
///
/// A round through which the machine slept is begun anew, and so is one in which this PC's own network changed while somebody seemed to
/// blame, if there is time; one that never gets through has seen nothing.
pub async fn run(config: Arc<Config>, enrolment: Arc<Enrolment>, limit: Duration, mut progress: impl FnMut(Progress)) -> World {
    let began = Instant::now();
    let mut left = limit;
    let mut last = World::default();
    for _ in 0..MOST_ROUNDS {
        let tasks = LocalSet::new();
        let round = tasks.run_until(round(Arc::clone(&config), Arc::clone(&enrolment), left, &mut progress));
        match awake(round).await {
            None => {}
            Some(Seen::Steady(world)) => return world,
            Some(Seen::Unsteady(world)) => {
                tokio::time::sleep(ASK_AGAIN).await;
                left = limit.saturating_sub(began.elapsed());
                if left < ROUND {
                    return world;
                }
                last = world;
            }
        }
    }
    last
}

/// What a round saw.
enum Seen {
    /// This PC stood still, or nobody is accused.
    Steady(World),
    /// It did not: only its own state as it is now is left.
    Unsteady(World),
}

async fn round(config: Arc<Config>, enrolment: Arc<Enrolment>, limit: Duration, mut progress: impl FnMut(Progress)) -> Seen {
    let deadline = Instant::now() + limit;
    let (sender, mut receiver) = mpsc::channel(QUEUE);
    let (ground, first) = begin(config, enrolment, sender).await;
    let ground = Rc::new(ground);
    let mut looks = Looks::default();
    let mut world = World::default();
    for sighting in first {
        world.apply(Observation { at: clock::stamp(), sighting });
    }
    looks.open(&ground);
    let mut cut = deadline;
    let (mut asked_kernel, mut silent_until) = (false, ground.began + TELLING);
    loop {
        tokio::select! {
            biased;
            Some(sighting) = receiver.recv() => {
                looks.follow(&ground, &sighting);
                world.apply(Observation { at: clock::stamp(), sighting });
            }
            Some(ended) = looks.running.join_next() => {
                looks.ended(ended.unwrap_or(Weight::Supporting));
                progress(looks.progress());
            }
            () = tokio::time::sleep_until(ground.began + KERNEL), if !asked_kernel => {
                asked_kernel = true;
                if is_kernels_word(&diagnose(&world, &ground.config, &ground.enrolment), &world) {
                    cut = deadline.min(ground.began + GRACE);
                }
            }
            () = tokio::time::sleep_until(silent_until), if silent_until < cut => {
                silent_until += TROUBLE;
                if early::is_known_here(&diagnose(&world, &ground.config, &ground.enrolment), &world, &ground.config) {
                    break;
                }
            }
            () = tokio::time::sleep_until(cut) => break,
            else => break,
        }
        if looks.awaited == 0 && receiver.is_empty() {
            break;
        }
        if looks.deciding == 0
            && cut == deadline
            && receiver.is_empty()
            && is_settled(&diagnose(&world, &ground.config, &ground.enrolment), looks.counting, was_late(&world))
        {
            cut = deadline.min(Instant::now().max(ground.began + GRACE));
        }
    }
    judge_calm(&ground, world).await
}

/// Looks again at this PC's own state, if there is anything that must not be said on shaken ground.
async fn judge_calm(ground: &Ground, mut world: World) -> Seen {
    if diagnose(&world, &ground.config, &ground.enrolment).verdicts.is_empty() {
        return Seen::Steady(world);
    }
    let Some(netlink) = &ground.netlink else { return Seen::Steady(world) };
    let now = netlink.snapshot().await;
    let looked_up = world.observations().filter_map(|o| match &o.sighting {
        Sighting::RouteTo(_, Outcome::Ok(route)) => route.device.clone(),
        _ => None,
    });
    let is_tunnel = |device: &IfName| ground.config.vpns.iter().any(|vpn| vpn.interface.matches(device.as_str()));
    let cards = steady::cards([&ground.snapshot, &now], looked_up.collect(), is_tunnel);
    let (before, after) = (steady::ground(&ground.snapshot, &cards), steady::ground(&now, &cards));
    if steady::is_same(before.as_ref(), after.as_ref()) {
        return Seen::Steady(world);
    }
    tracing::info!("this PC's network changed while it was asked");
    world.unsee(&Unseen::Unsteady);
    for sighting in local::local(&now).into_iter().chain(local::withheld(&ground.config)) {
        world.apply(Observation { at: clock::stamp(), sighting });
    }
    Seen::Unsteady(world)
}

/// No signal, or no address on any card: the kernel itself says so, and whatever is still under way can only confirm it, slowly. While
/// some card has an address, packets may still leave with that one, and only their fate tells more.
fn is_kernels_word(diagnosis: &Diagnosis, world: &World) -> bool {
    let addressed = world.addresses().and_then(Outcome::ok).is_none_or(|all| all.iter().any(|a| a.usable() && !a.net.addr().is_loopback()));
    let proven = |verdict: &Verdict| {
        let local = verdict.cause.layer() == Layer::Link || (verdict.cause == Cause::AddrNone && !addressed);
        verdict.disconnects && verdict.certainty == Certainty::Proven && local
    };
    diagnosis.verdicts.first().is_some_and(proven)
}

/// Something was answered only after it had to be asked again, as it seems.
fn was_late(world: &World) -> bool {
    world.observations().any(|o| came_late(&o.sighting))
}

/// Nothing that is still under way can change this answer: all is well, or what is wrong is proven. While it is being counted what the way
/// loses, a silence proves nothing, and a service that could be reached with repetitions is not known to be well.
fn is_settled(diagnosis: &Diagnosis, counting: usize, late: bool) -> bool {
    let settles = |verdict: &Verdict| counting == 0 || verdict.evidence.iter().all(|line| line.result != SILENCE);
    let proven = |verdict: &Verdict| verdict.disconnects && verdict.certainty == Certainty::Proven && settles(verdict);
    let well = diagnosis.connected == Some(true) && !(late && counting > 0);
    well || diagnosis.verdicts.first().is_some_and(proven)
}

/// The looks under way, and what has been followed already.
#[derive(Default)]
struct Looks {
    running: JoinSet<Weight>,
    deciding: usize,
    counting: usize,
    awaited: usize,
    begun: usize,
    followed: BTreeSet<Lead>,
    counted: BTreeSet<IpAddr>,
    exchanged: BTreeSet<IpAddr>,
    centres: BTreeSet<IpAddr>,
    hosts: usize,
}

impl Looks {
    fn start(&mut self, weight: Weight, look: impl Future<Output = ()> + 'static) {
        self.begun += usize::from(weight != Weight::Listening);
        self.awaited += usize::from(weight != Weight::Listening);
        self.deciding += usize::from(weight == Weight::Deciding);
        self.counting += usize::from(weight == Weight::Counting);
        self.running.spawn_local(async move {
            look.await;
            weight
        });
    }

    fn ended(&mut self, weight: Weight) {
        self.awaited -= usize::from(weight != Weight::Listening);
        self.deciding -= usize::from(weight == Weight::Deciding);
        self.counting -= usize::from(weight == Weight::Counting);
    }

    fn progress(&self) -> Progress {
        Progress { done: self.begun - self.awaited, begun: self.begun }
    }

    /// What is asked without being led to it.
    fn open(&mut self, ground: &Rc<Ground>) {
        for i in 0..ground.config.centres.len() {
            let g = Rc::clone(ground);
            self.start(Weight::Deciding, async move { look_at_centre(&g, i).await });
        }
        for vpn in ground.config.vpns.clone() {
            let g = Rc::clone(ground);
            self.start(Weight::Deciding, async move { look_at_vpn(&g, &vpn).await });
        }
        for ip in asked_resolvers(ground) {
            let g = Rc::clone(ground);
            self.start(Weight::Deciding, async move { ask_resolver(&g, ip).await });
        }
        for (device, gateway) in default_gateways(ground) {
            self.lead(ground, Lead::Gateway(device, gateway, gateway));
        }
        let g = Rc::clone(ground);
        self.start(Weight::Supporting, async move { g.emit(local::conflicts(&g.snapshot, CONFLICT.min(g.left())).await).await });
        let g = Rc::clone(ground);
        self.start(Weight::Listening, async move { overhear(&g).await });
        for at in ground.config.terminal.local_services.clone() {
            let g = Rc::clone(ground);
            self.start(Weight::Deciding, async move { g.emit(tcp::connect(at, g.patience()).await.0).await });
        }
        if ground.enrolment.baseline().is_some_and(|baseline| !card_readers(&baseline.usb).is_empty()) {
            let g = Rc::clone(ground);
            self.start(Weight::Deciding, async move { g.emit(counter::readers()).await });
        }
        self.centres.extend(ground.config.centres.iter().flat_map(|centre| centre.addresses.iter().copied().chain(centre.host.parse())));
        for ip in known_hosts(ground) {
            self.lead(ground, Lead::Host(ip));
        }
    }

    /// What a sighting leads to.
    fn follow(&mut self, ground: &Rc<Ground>, sighting: &Sighting) {
        match sighting {
            Sighting::Lookup(_, Outcome::Ok(found)) => {
                self.centres.extend(&found.addresses);
                let follow = found.addresses.iter().filter(|ip| found.source != LookupSource::Dns || ground.leave().may_follow(**ip));
                follow.for_each(|ip| self.lead(ground, Lead::Host(*ip)));
            }
            Sighting::Query(QueryKey { name, resolver }, Outcome::Ok(answer)) if name != "*" => {
                self.count_questions(ground, *resolver, name);
                let follow = answer.addresses.iter().filter(|ip| ground.leave().may_follow(**ip));
                follow.for_each(|ip| self.lead(ground, Lead::Host(*ip)));
            }
            Sighting::Ping(ip, Outcome::Ok(_)) => self.count_losses(ground, *ip),
            Sighting::Tcp(at, Outcome::Ok(_)) if self.centres.contains(&at.ip()) => self.count_handshakes(ground, *at),
            Sighting::Gateway(_, ip, Outcome::Ok(gateway)) if gateway.ping.ok().is_some() => self.count_losses(ground, *ip),
            Sighting::RouteTo(ip, Outcome::Ok(Route { device: Some(device), gateway: Some(gateway), .. }))
                if !is_tunnel(ground, device) =>
            {
                self.lead(ground, Lead::Gateway(device.clone(), *gateway, *ip));
            }
            _ => {}
        }
    }

    fn lead(&mut self, ground: &Rc<Ground>, lead: Lead) {
        // A gateway is looked at once, whatever lies beyond it.
        let seen = match &lead {
            Lead::Gateway(device, gateway, _) => Lead::Gateway(device.clone(), *gateway, *gateway),
            Lead::Host(ip) => Lead::Host(*ip),
        };
        if self.hosts >= MOST_HOSTS || !self.followed.insert(seen) {
            return;
        }
        self.hosts += 1;
        if let Lead::Host(ip) = &lead {
            ground.asked.borrow_mut().insert(*ip);
        }
        let g = Rc::clone(ground);
        match lead {
            Lead::Host(ip) => {
                let routed = Rc::clone(ground);
                self.start(Weight::Deciding, async move { route(&routed, ip).await });
                self.start(Weight::Supporting, async move { reach(ip, None, g.patience(), async |sighting| g.emit(sighting).await).await });
            }
            Lead::Gateway(device, gateway, beyond) => {
                self.start(Weight::Supporting, async move { look_at_gateway(&g, &device, gateway, beyond).await });
            }
        }
    }
}

async fn look_at_centre(ground: &Ground, i: usize) {
    let wanted = &ground.config.centres[i];
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let emit = |sighting| {
        let _ = sender.send(sighting);
    };
    let from_hosts = resolv::hosts(&ground.places, &wanted.host).ok().filter(|listed| !listed.is_empty());
    let may_ask = |ip| ground.leave().may_follow(ip);
    let errand = centre::Errand { from_hosts: from_hosts.as_deref(), may_ask: &may_ask, wall: ground.wall, budget: ground.left() };
    let chain = centre::centre(wanted, errand, &emit);
    tokio::pin!(chain);
    loop {
        tokio::select! {
            biased;
            Some(sighting) = receiver.recv() => ground.emit(sighting).await,
            () = &mut chain => break,
        }
    }
    while let Ok(sighting) = receiver.try_recv() {
        ground.emit(sighting).await;
    }
}

async fn look_at_vpn(ground: &Ground, wanted: &Vpn) {
    let named = wanted.server.as_ref().is_some_and(|server| ground.leave().may_look_up(&server.host));
    let owners = ground.enrolment.baseline().and_then(|baseline| baseline.owners.get());
    let around = vpn::Surroundings {
        snapshot: &ground.snapshot,
        netlink: ground.netlink.as_ref(),
        resolvers: if named { &ground.resolvers } else { &[] },
        owner: owners.into_iter().flatten().find(|owner| wanted.interface.matches(owner.interface.as_str())),
    };
    for sighting in vpn::vpn(wanted, around, ground.patience()).await {
        ground.emit(sighting).await;
    }
}

/// Asks one resolver for every name that matters, and for one that nobody has.
async fn ask_resolver(ground: &Ground, ip: IpAddr) {
    let dns = &ground.config.dns;
    let hosts = ground.config.centres.iter().map(|c| c.host.as_str()).filter(|host| host.parse::<IpAddr>().is_err());
    let names: BTreeSet<&str> = hosts.chain(dns.names.iter().map(String::as_str)).chain(dns.control_name.as_deref()).collect();
    if names.is_empty() {
        return;
    }
    if !ground.leave().may_ask(ip) {
        for name in names {
            let key = QueryKey { resolver: ip, name: name.to_owned() };
            ground.emit(Sighting::Query(key, Outcome::Unknown(Unseen::PublicAddress))).await;
        }
        return;
    }
    let judged = !dns.expect_prefixes.is_empty() || ground.config.centres.iter().any(|c| !c.expect_prefixes.is_empty());
    let patience = ground.patience();
    let suffix = names.first().and_then(|name| name.split_once('.')).map(|(_, zone)| zone);
    let questions = futures_util::future::join_all(names.iter().map(|name| dns::query(ip, name, patience)));
    let wildcard = async { if judged { Some(dns::wildcard_check(ip, suffix, patience).await) } else { None } };
    let (answers, wildcard) = tokio::join!(questions, wildcard);
    for sighting in answers.into_iter().chain(wildcard) {
        ground.emit(sighting).await;
    }
}

async fn route(ground: &Ground, ip: IpAddr) {
    if let Some(netlink) = &ground.netlink {
        ground.emit(Sighting::RouteTo(ip, netlink.route_to(ip).await)).await;
    }
}

/// Answers that arrive at the cards, once there is trouble. Each sender is told once.
async fn overhear(ground: &Ground) {
    tokio::time::sleep_until(ground.began + TROUBLE).await;
    // Without the capability nothing is missed that anybody was promised.
    let Ok(mut wire) = Wire::open() else { return };
    let mut heard = BTreeSet::new();
    while let Some(sender) = wire.answer().await {
        if ground.asked.borrow().contains(&sender) && heard.insert(sender) {
            ground.emit(Sighting::OnWire(sender, Outcome::Ok(()))).await;
        }
    }
}

async fn look_at_gateway(ground: &Ground, device: &IfName, ip: IpAddr, beyond: IpAddr) {
    let neighbour = ground.snapshot.neighbour(device, ip);
    let beyond = (beyond != ip).then_some(beyond);
    ground.emit(gateway::gateway(device, ip, neighbour, beyond, ground.patience()).await).await;
}

#[cfg(test)]
mod tests {
    use super::{is_settled, was_late};
    use crate::infer::{SILENCE, World};
    use crate::model::{Cause, Certainty, Diagnosis, Evidence, Isolation, Observation, Outcome, Reply, Sighting, Subject, Verdict};
    use crate::sys::clock;
    use std::net::SocketAddr;
    use std::time::Duration;

    fn proven(result: &str) -> Diagnosis {
        let evidence = Evidence {
            k: "dns.query".to_owned(),
            target: "10.20.0.53".to_owned(),
            result: result.to_owned(),
            ms: None,
            n: 1,
            boot_ms: None,
        };
        let verdict = Verdict::new(Cause::DnsTimeout, Subject::Terminal, Certainty::Proven).because([evidence]);
        Diagnosis {
            connected: Some(false),
            services: Vec::new(),
            isolation: Isolation::Unknown,
            path: Vec::new(),
            verdicts: vec![verdict],
            notes: Vec::new(),
            blind: Vec::new(),
        }
    }

    #[test]
    fn silence_settles_nothing_while_losses_are_counted() {
        assert!(!is_settled(&proven(SILENCE), 1, false));
        assert!(is_settled(&proven(SILENCE), 0, false));
        assert!(is_settled(&proven("RST"), 1, false));
    }

    #[test]
    fn what_works_needs_no_more_looks() {
        assert!(is_settled(&Diagnosis { connected: Some(true), ..proven(SILENCE) }, 1, false));
    }

    /// A handshake that came about at its third packet leaves no verdict behind unless the counting is waited for.
    #[test]
    fn what_works_with_repetitions_is_not_settled_while_losses_are_counted() {
        let reached = Diagnosis { connected: Some(true), verdicts: vec![], ..proven(SILENCE) };
        assert!(!is_settled(&reached, 1, true));
        assert!(is_settled(&reached, 0, true));
        let tcp = |ms| {
            let reply = Reply { rtt: Duration::from_millis(ms), ttl: None, series: (1, 1) };
            let sighting = Sighting::Tcp(SocketAddr::from(([10, 20, 0, 10], 443)), Outcome::Ok(reply));
            let mut world = World::default();
            world.apply(Observation { at: clock::stamp(), sighting });
            world
        };
        assert!(was_late(&tcp(3030)));
        assert!(!was_late(&tcp(600)), "a satellite");
    }
}
