//! The tunnel. Three questions in turn: is it there at all, does its server answer outside, does anything answer inside? History (when it
//! last worked, how often it dropped) belongs to the daemon; one look says at most *possible* where only history could prove.

use super::line::broken_line;
use super::{Standing, tcp};
use crate::config::{Transport, Vpn, VpnKind};
use crate::infer::evidence;
use crate::infer::life::Sign;
use crate::infer::scene::Way;
use crate::model::{
    Address, Cause, Certainty, Evidence, FailureKind, IcmpKind, IfName, Outcome, ProcessState, Reason, Reply, Subject, UnitState, Verdict,
    VpnFacts, VpnLog,
};
use std::net::{IpAddr, SocketAddr};

/// A WireGuard session without a handshake for this long is dead: the protocol rejects older keys (`REJECT_AFTER_TIME`).
const HANDSHAKE_MAX_AGE_S: u64 = 180;

pub fn judge(way: &Way<'_>) -> Standing {
    let Some(vpn) = way.vpn else {
        return Standing::Absent;
    };
    if way.inside().is_some() {
        return Standing::Passed;
    }
    let Some(facts) = way.vpn_facts() else {
        return Standing::Unknown;
    };
    let case = Case { way, vpn, facts, outer: outer(way, facts) };
    if facts.log == VpnLog::AuthFailed && !matches!(case.outer, Outer::Unreachable(..)) {
        let said = evidence::state("vpn.log", &vpn.name, "auth failed");
        return Standing::Broken(vec![case.say(Cause::VpnAuthFailed, Certainty::Likely).because([said])]);
    }
    let up = |device: &&IfName| way.scene.world.link(device).is_none_or(|link| link.up);
    match facts.interface.as_ref().filter(up) {
        None if case.stopped() => Standing::Broken(vec![case.not_started()]),
        None => Standing::Broken(case.or_the_line(case.cannot_connect())),
        Some(device) => case.with_interface(device),
    }
}

/// What may be wrong at the VPN when nothing beyond the gateway gives a sign.
pub fn far_end(way: &Way<'_>) -> Option<Verdict> {
    let case = Case { way, vpn: way.vpn?, facts: way.vpn_facts()?, outer: Outer::NotAsked };
    Some(if case.facts.interface.is_none() && case.stopped() {
        // Known, but perhaps for want of a line only.
        Verdict { certainty: Certainty::Likely, ..case.not_started() }
    } else if case.facts.server_unresolved.is_some() {
        case.say(Cause::VpnServerNameUnresolved, Certainty::Possible)
    } else {
        case.say(Cause::VpnServerUnreachable, Certainty::Possible)
    })
}

struct Case<'a> {
    way: &'a Way<'a>,
    vpn: &'a Vpn,
    facts: &'a VpnFacts,
    outer: Outer,
}

/// What was heard of the VPN server on the outer side.
enum Outer {
    /// A router on the way says that it cannot be reached: of all its addresses, or of some.
    Unreachable(IpAddr, Evidence, Certainty),
    /// A filter on the way says that it lets nothing through to it.
    Forbidden(Evidence),
    /// Its host says that nobody listens on the port.
    PortClosed(Evidence),
    /// The VPN service itself answered.
    PortAnswers(Evidence),
    /// The host answers, the port is silent (which many VPNs always are to strangers).
    HostAnswers(Evidence, Vec<Evidence>),
    /// Nothing.
    Silent(Vec<Evidence>),
    /// No server is configured, or it could not be asked.
    NotAsked,
}

impl Case<'_> {
    fn say(&self, cause: Cause, certainty: Certainty) -> Verdict {
        Verdict::new(cause, Subject::Vpn(self.vpn.name.clone()), certainty)
    }

    /// Its client does not run. WireGuard has no client: no interface means that it was not set up.
    fn stopped(&self) -> bool {
        let no_client = self.vpn.kind == VpnKind::Wireguard && self.facts.process == ProcessState::Unknown;
        let unit_down = matches!(self.facts.unit, UnitState::Inactive | UnitState::Failed);
        let owner_unknown = self.facts.process == ProcessState::Unknown && self.facts.unit == UnitState::Unknown;
        self.facts.process == ProcessState::Absent || unit_down || no_client || owner_unknown
    }

    fn not_started(&self) -> Verdict {
        let known =
            self.facts.process == ProcessState::Absent || self.facts.unit == UnitState::Inactive || self.vpn.kind == VpnKind::Wireguard;
        let (cause, certainty) = match self.facts.unit {
            UnitState::Failed => (Cause::VpnClientFailed, Certainty::Likely),
            _ if known => (Cause::VpnNotStarted, Certainty::Proven),
            _ => (Cause::VpnNotStarted, Certainty::Likely),
        };
        let name = self.vpn.interface.as_str();
        let interface = evidence::state("vpn.interface", name, if self.facts.interface.is_some() { "idle" } else { "missing" });
        let stopped = self.say(cause, certainty).because([interface, self.client()]);
        let gone = match (&self.facts.interface, self.facts.process, &self.vpn.process) {
            (_, ProcessState::Absent, Some(program)) => Some(program.as_str()),
            (None, ..) => Some(name),
            (Some(_), ..) => None,
        };
        match gone {
            Some(gone) => stopped.not(Cause::VpnTunnelDead, Reason::NotRunning(gone.to_owned())),
            None => stopped,
        }
    }

    /// What is known of the client.
    fn client(&self) -> Evidence {
        let process = match self.facts.process {
            ProcessState::Running => "running",
            ProcessState::Absent => "not running",
            ProcessState::Unknown => "not known",
        };
        evidence::state("vpn.process", self.vpn.process.as_deref().unwrap_or("-"), process)
    }

    /// The client runs and has no tunnel: it tries in vain.
    fn cannot_connect(&self) -> Vec<Verdict> {
        if let Some(how) = &self.facts.server_unresolved {
            let host = self.vpn.server.as_ref().map_or("-", |server| server.host.as_str());
            let unresolved = self.say(Cause::VpnServerNameUnresolved, Certainty::Proven);
            return vec![unresolved.because([evidence::state("dns.lookup", host, how), self.client()])];
        }
        match &self.outer {
            Outer::PortAnswers(proof) => {
                let answers = [proof.clone(), self.client()];
                vec![
                    self.say(Cause::VpnAuthFailed, Certainty::Possible).because(answers.clone()),
                    self.say(Cause::VpnClientFailed, Certainty::Possible).because(answers),
                ]
            }
            Outer::NotAsked => vec![self.say(Cause::VpnServerUnreachable, Certainty::Possible).because([self.client()])],
            _ => self.server_trouble().unwrap_or_else(|| self.silent_port()),
        }
    }

    /// The host is there; whether its port would answer us cannot be told.
    fn silent_port(&self) -> Vec<Verdict> {
        let host = match &self.outer {
            Outer::HostAnswers(host, _) => Some(host.clone()),
            _ => None,
        };
        let possible = [Cause::VpnPortBlocked, Cause::VpnAuthFailed, Cause::VpnClientFailed];
        possible.map(|cause| self.say(cause, Certainty::Possible).because(host.clone()).because([self.client()])).to_vec()
    }

    /// Where nothing beyond the gateway gives a sign, the line may be to blame for what the tunnel shows.
    fn or_the_line(&self, mut candidates: Vec<Verdict>) -> Vec<Verdict> {
        if self.way.beyond_gateway().is_none() && self.way.leads_beyond() {
            let proof = candidates.first().map_or_else(Vec::new, |first| first.evidence.clone());
            candidates.push(broken_line(Certainty::Possible).because(proof));
        }
        candidates
    }

    fn with_interface(&self, device: &IfName) -> Standing {
        if self.facts.process == ProcessState::Absent {
            return Standing::Broken(vec![self.not_started()]);
        }
        let world = self.way.scene.world;
        // IPsec puts no address on its interface.
        let unaddressed = self.vpn.kind != VpnKind::Ipsec && !world.addresses_of(device).any(Address::usable);
        if unaddressed && world.addresses().and_then(Outcome::ok).is_some() {
            let missing = self.say(Cause::VpnAddressMissing, Certainty::Proven);
            return Standing::Broken(vec![
                missing
                    .because([evidence::state("address.list", device, "none"), self.client()])
                    .not(Cause::VpnNotStarted, Reason::Running(device.to_string())),
            ]);
        }
        let silence = self.way.inner_silence();
        if silence.is_empty() || !self.way.is_cut() {
            return Standing::Unknown;
        }
        let started = |v: Verdict| v.because(silence.clone()).not(Cause::VpnNotStarted, Reason::Running(device.to_string()));
        let outside = if self.facts.received > 0 { None } else { self.server_trouble() };
        let candidates = outside.unwrap_or_else(|| self.dead_tunnel()).into_iter().map(started).collect();
        Standing::Broken(self.or_the_line(candidates))
    }

    /// The trouble lies outside the tunnel: at the server or before it. `None` = the server's port is well, or unknown.
    fn server_trouble(&self) -> Option<Vec<Verdict>> {
        match &self.outer {
            Outer::Unreachable(who, proof, certainty) => {
                let unreachable = self.say(Cause::VpnServerUnreachable, *certainty).because([proof.clone()]);
                Some(vec![unreachable.not(Cause::LineDown, Reason::ErrorFromBeyond(who.to_string()))])
            }
            Outer::Forbidden(proof) => {
                let mut candidates = vec![self.say(Cause::VpnPortBlocked, Certainty::Likely)];
                candidates.extend(self.sleeping_session());
                Some(candidates.into_iter().map(|v| v.because([proof.clone()])).collect())
            }
            Outer::PortClosed(proof) => {
                let alive = Reason::Answered(proof.target.clone());
                Some(vec![self.say(Cause::VpnServerUnreachable, Certainty::Likely).because([proof.clone()]).not(Cause::LineDown, alive)])
            }
            Outer::HostAnswers(proof, port) if self.port_should_answer() => {
                let alive = || Reason::Answered(proof.target.clone());
                let argue = |v: Verdict| {
                    v.because(port.clone()).because([proof.clone()]).not(Cause::VpnServerUnreachable, alive()).not(Cause::LineDown, alive())
                };
                let mut candidates = vec![self.say(Cause::VpnPortBlocked, Certainty::Likely)];
                candidates.extend(self.sleeping_session());
                Some(candidates.into_iter().map(argue).collect())
            }
            Outer::Silent(proof) => {
                let mut candidates = vec![self.say(Cause::VpnServerUnreachable, Certainty::Likely)];
                candidates.extend(self.sleeping_session());
                Some(candidates.into_iter().map(|v| v.because(proof.clone())).collect())
            }
            Outer::HostAnswers(..) | Outer::PortAnswers(_) | Outer::NotAsked => None,
        }
    }

    /// Servers with tls-auth or tls-crypt, and those that forbid echo, keep silent to strangers even when all is well.
    fn sleeping_session(&self) -> Option<Verdict> {
        self.facts.interface.is_some().then(|| self.say(Cause::VpnTunnelDead, Certainty::Possible))
    }

    /// A stranger's first packet is answered by this kind of VPN.
    fn port_should_answer(&self) -> bool {
        self.vpn.transport == Transport::Tcp || self.vpn.kind == VpnKind::Openvpn
    }

    /// The server is there; the session is not.
    fn dead_tunnel(&self) -> Vec<Verdict> {
        let name = self.vpn.name.as_str();
        let mut proof = vec![evidence::counters(name, self.facts)];
        if let Some(age) = self.facts.handshake_age_s {
            proof.push(evidence::state("wireguard.handshake", name, format!("{age} s ago")));
        }
        let (answered, port_alive) = match &self.outer {
            Outer::PortAnswers(e) => (Some(e.clone()), true),
            Outer::HostAnswers(e, _) => (Some(e.clone()), false),
            _ => (None, false),
        };
        let argue = |v: Verdict| {
            let v = v.because(proof.clone()).because(answered.clone());
            match &answered {
                Some(e) => v.not(Cause::VpnServerUnreachable, Reason::Answered(e.target.clone())),
                None => v,
            }
        };
        let stale = self.facts.handshake_age_s.is_some_and(|age| age > HANDSHAKE_MAX_AGE_S);
        let receives = self.facts.received > 0;
        let dead = argue(self.say(Cause::VpnTunnelDead, if stale { Certainty::Proven } else { Certainty::Likely }));
        let lost_inside = |certainty| argue(self.say(Cause::VpnNoInnerPath, certainty));
        match (stale, receives) {
            // The tunnel carries; whether it is its inner side that is dead or the centre, nobody inside says.
            (_, true) => vec![lost_inside(Certainty::Likely), argue(tcp::dead_centre(self.way, Certainty::Possible))],
            (true, false) => vec![dead],
            (false, false) if port_alive => vec![dead, lost_inside(Certainty::Possible)],
            (false, false) => vec![dead, argue(self.say(Cause::VpnPortBlocked, Certainty::Possible)), lost_inside(Certainty::Possible)],
        }
    }
}

fn outer(way: &Way<'_>, facts: &VpnFacts) -> Outer {
    let world = way.scene.world;
    let refused = |at: &SocketAddr, outcome: &Outcome<Reply>| match outcome.failure().map(|f| &f.kind) {
        Some(FailureKind::Refused) => true,
        Some(FailureKind::Icmp(error)) => error.kind == IcmpKind::PortUnreachable && error.offender.is_none_or(|who| who == at.ip()),
        _ => false,
    };
    let asked: Vec<(SocketAddr, &Outcome<Reply>, Evidence)> = facts
        .server
        .iter()
        .flat_map(|at| {
            let udp = world.udp(*at).map(|o| (*at, o, evidence::udp(at, o)));
            let tcp = world.tcp(*at).map(|o| (*at, o, evidence::tcp(at, o)));
            udp.into_iter().chain(tcp)
        })
        .collect();
    if let Some((_, _, proof)) = asked.iter().find(|(_, o, _)| o.ok().is_some()) {
        return Outer::PortAnswers(proof.clone());
    }
    if let Some((_, _, proof)) = asked.iter().find(|(at, o, _)| refused(at, o)) {
        return Outer::PortClosed(proof.clone());
    }
    let port: Vec<_> = asked.into_iter().map(|(_, _, proof)| proof).collect();
    let about = |ip: IpAddr| way.scene.signs.iter().filter(move |sign| sign.to == ip);
    let forbids = |sign: &&Sign| matches!(sign.error, Some(IcmpKind::AdminProhibited | IcmpKind::PortUnreachable));
    let servers = || facts.server.iter().map(SocketAddr::ip);
    // A host that forbids something itself is there.
    let forbids_itself = |ip| about(ip).filter(forbids).find(|sign| sign.who == ip);
    if let Some(sign) = servers().find_map(|ip| way.scene.alive(ip).or_else(|| forbids_itself(ip))) {
        return Outer::HostAnswers(sign.evidence.clone(), port);
    }
    let lost =
        |sign: &&Sign| matches!(sign.error, Some(IcmpKind::NetUnreachable | IcmpKind::HostUnreachable)) && !way.is_first_hop(sign.who);
    let unreachable: Vec<_> = servers().filter_map(|ip| about(ip).find(lost)).collect();
    if let Some(sign) = unreachable.first() {
        let certainty = if unreachable.len() == facts.server.len() { Certainty::Proven } else { Certainty::Likely };
        return Outer::Unreachable(sign.who, sign.evidence.clone(), certainty);
    }
    if let Some(sign) = servers().find_map(|ip| about(ip).find(forbids)) {
        return Outer::Forbidden(sign.evidence.clone());
    }
    let pings = servers().filter_map(|ip| world.ping(ip).map(|o| evidence::ping(ip, o)));
    let silent: Vec<_> = port.into_iter().chain(pings).collect();
    if silent.is_empty() { Outer::NotAsked } else { Outer::Silent(silent) }
}
