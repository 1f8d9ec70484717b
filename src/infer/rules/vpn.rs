//! The tunnel. Three questions in turn: is it there at all, does its server answer outside, does anything answer inside? History (when it
//! last worked, how often it dropped) belongs to the daemon; one look says at most *possible* where only history could prove.

mod inner;
mod outer;

pub use inner::perhaps_nothing_behind;

use super::line::broken_line;
use super::{Standing, tcp};
use crate::config::{Transport, Vpn, VpnKind};
use crate::infer::evidence;
use crate::infer::scene::Way;
use crate::model::{
    Address, Cause, Certainty, Evidence, FailureKind, IfName, Outcome, ProcessState, Reason, Subject, UnitState, Verdict, VpnFacts, VpnLog,
};
use outer::{Outer, outer};
use std::net::SocketAddr;

/// A WireGuard session without a handshake for this long is dead: the protocol rejects older keys (`REJECT_AFTER_TIME`).
const HANDSHAKE_MAX_AGE_S: u64 = 180;
/// A WireGuard session that is used renews its keys at this age (`REKEY_AFTER_TIME`). Our own packets use it: one that is still older at
/// the end of a round has not managed to.
const HANDSHAKE_RENEWED_AT_S: u64 = 120;
/// The two ports on which every IKE service answers.
const IKE_PORTS: [u16; 2] = [500, 4500];

pub fn judge(way: &Way<'_>) -> Standing {
    let Some(vpn) = way.vpn else {
        return Standing::Absent;
    };
    if way.inside().is_some() {
        return inner::nothing_behind(way, vpn).map_or(Standing::Passed, Standing::Broken);
    }
    let Some(facts) = way.vpn_facts() else {
        return Standing::Unknown;
    };
    let case = Case { way, vpn, facts, outer: outer(way, facts) };
    if facts.log == VpnLog::AuthFailed && !matches!(case.outer, Outer::Unreachable(..)) {
        return Standing::Broken(vec![case.say(Cause::VpnAuthFailed, Certainty::Likely).because([case.log()])]);
    }
    let up = |device: &&IfName| way.scene.world.link(device).is_none_or(|link| link.up);
    match facts.interface.as_ref().filter(up) {
        None if case.stopped() => Standing::Broken(case.with_history(vec![case.not_started()])),
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
        // The line may be what the look-up lacked, and the look-up all that the line lacks.
        case.say(Cause::VpnServerNameUnresolved, Certainty::Likely)
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
        let gone = self.facts.process == ProcessState::Absent || self.facts.unit == UnitState::Inactive;
        // What was learned of a client may have changed since. One that failed may have run before: then that is the cause.
        let known = self.vpn.kind == VpnKind::Wireguard || (gone && self.facts.learned.is_none());
        let certainty = if known && !self.failed() { Certainty::Proven } else { Certainty::Likely };
        let name = self.vpn.interface.as_str();
        let interface = evidence::state("vpn.interface", name, if self.facts.interface.is_some() { "idle" } else { "missing" });
        let stopped = self.say(Cause::VpnNotStarted, certainty).because([interface, self.client()]);
        let gone = match (&self.facts.interface, self.facts.process, self.program()) {
            (_, ProcessState::Absent, Some(program)) => Some(program),
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
        evidence::state("vpn.process", self.program().unwrap_or("-"), process)
    }

    /// The client's program: configured, or learned at enrolment.
    fn program(&self) -> Option<&str> {
        self.vpn.process.as_deref().or(self.facts.learned.as_deref())
    }

    fn log(&self) -> Evidence {
        evidence::state("vpn.log", &self.vpn.name, self.facts.log.code())
    }

    /// The client ended by a failure of its own.
    fn failed(&self) -> bool {
        self.facts.unit == UnitState::Failed || self.facts.log == VpnLog::Died
    }

    /// What the client's unit and log tell of how it came to this. One look at a history proves nothing.
    fn with_history(&self, mut candidates: Vec<Verdict>) -> Vec<Verdict> {
        let ended: &[Cause] = match self.facts.log {
            VpnLog::EndedByServer => &[Cause::VpnKicked, Cause::VpnIdleTimeout],
            VpnLog::IdleTimeout => &[Cause::VpnIdleTimeout],
            VpnLog::Quiet | VpnLog::Established | VpnLog::AuthFailed | VpnLog::Dropped | VpnLog::Died | VpnLog::Unread => &[],
        };
        let told = ended.iter().map(|cause| self.say(*cause, Certainty::Possible).because([self.log()]));
        let unit = (self.facts.unit == UnitState::Failed)
            .then(|| evidence::state("vpn.unit", self.vpn.unit.as_deref().unwrap_or(&self.vpn.name), "failed"));
        let log = (self.facts.log == VpnLog::Died).then(|| self.log());
        let failed = self.failed().then(|| self.say(Cause::VpnClientFailed, Certainty::Possible).because(unit).because(log));
        // What is told stands before what is only guessed.
        let mut all: Vec<Verdict> = told.chain(failed).collect();
        candidates.retain(|v| v.certainty > Certainty::Possible || all.iter().all(|other| other.cause != v.cause));
        all.extend(candidates);
        all
    }

    /// The client runs and has no tunnel: it tries in vain.
    fn cannot_connect(&self) -> Vec<Verdict> {
        if let Some(how) = &self.facts.server_unresolved {
            let host = self.vpn.server.as_ref().map_or("-", |server| server.host.as_str());
            let unresolved = self.say(Cause::VpnServerNameUnresolved, Certainty::Proven);
            return vec![unresolved.because([evidence::state("dns.lookup", host, how), self.client()])];
        }
        let mut candidates = match &self.outer {
            // The server took its word and is there: what is missing is missing on this side.
            Outer::PortAnswers(proof) if self.facts.log == VpnLog::Established => {
                let failed = self.say(Cause::VpnClientFailed, Certainty::Likely).because([proof.clone(), self.client(), self.log()]);
                vec![failed.not(Cause::VpnServerUnreachable, Reason::Answered(proof.target.clone()))]
            }
            Outer::PortAnswers(proof) => {
                let answers = [proof.clone(), self.client()];
                vec![
                    self.say(Cause::VpnAuthFailed, Certainty::Possible).because(answers.clone()),
                    self.say(Cause::VpnClientFailed, Certainty::Possible).because(answers),
                ]
            }
            Outer::NotAsked => vec![self.say(Cause::VpnServerUnreachable, Certainty::Possible).because([self.client()])],
            _ => self.server_trouble().unwrap_or_else(|| self.silent_port()),
        };
        // The part of such a client that holds the tunnel often runs all day, and nobody has pressed "connect".
        if self.facts.learned.is_some() {
            let idle = self.say(Cause::VpnNotStarted, Certainty::Possible);
            let interface = evidence::state("vpn.interface", self.vpn.interface.as_str(), "missing");
            candidates.insert(0, idle.because([interface, self.client()]));
        }
        self.with_history(candidates)
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
            return Standing::Broken(self.with_history(vec![self.not_started()]));
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
        Standing::Broken(self.or_the_line(self.with_history(candidates)))
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
        let speaks_ike = self.facts.server.iter().all(|at| IKE_PORTS.contains(&at.port()));
        match self.vpn.kind {
            _ if self.vpn.transport == Transport::Tcp => true,
            VpnKind::Openvpn => true,
            VpnKind::Ipsec | VpnKind::L2tp => speaks_ike,
            VpnKind::Wireguard | VpnKind::Openconnect | VpnKind::Tun => false,
        }
    }

    /// `IPsec` goes on on a second port behind a router. A server that keeps silent there may be one that needs none.
    fn silent_second_port(&self) -> Option<Evidence> {
        let ports = self.facts.server.iter().filter(|_| self.vpn.kind == VpnKind::Ipsec);
        let mut seconds =
            ports.flat_map(|at| IKE_PORTS.map(|port| SocketAddr::new(at.ip(), port))).filter(|at| !self.facts.server.contains(at));
        seconds.find_map(|at| {
            let outcome = self.way.scene.world.udp(at)?;
            let silent = outcome.failure().is_some_and(|failure| failure.kind == FailureKind::Silence);
            silent.then(|| evidence::udp(at, outcome))
        })
    }

    /// How lately the session is known to have lived.
    fn session(&self) -> Session {
        let f = self.facts;
        if self.vpn.kind != VpnKind::Wireguard {
            return match f.log {
                VpnLog::Established => Session::Believed,
                VpnLog::Dropped | VpnLog::EndedByServer | VpnLog::IdleTimeout | VpnLog::Died => Session::Gone,
                VpnLog::Quiet | VpnLog::AuthFailed | VpnLog::Unread => Session::Unknown,
            };
        }
        match (f.handshake_age_s, &f.handshake_unseen) {
            (Some(age), _) if age > HANDSHAKE_MAX_AGE_S => Session::Expired,
            (Some(age), _) if age > HANDSHAKE_RENEWED_AT_S => Session::Gone,
            (Some(_), _) => Session::Fresh,
            (None, None) => Session::Gone,
            (None, Some(_)) => Session::Unknown,
        }
    }

    /// The server is there; the session is not.
    fn dead_tunnel(&self) -> Vec<Verdict> {
        let name = self.vpn.name.as_str();
        let mut proof = vec![evidence::counters(name, self.facts)];
        match (self.facts.handshake_age_s, &self.facts.handshake_unseen) {
            (Some(age), _) => proof.push(evidence::state("wireguard.handshake", name, format!("{age} s ago"))),
            (None, None) if self.vpn.kind == VpnKind::Wireguard => proof.push(evidence::state("wireguard.handshake", name, "none")),
            (None, _) => {}
        }
        if matches!(self.facts.log, VpnLog::Established | VpnLog::Dropped) {
            proof.push(self.log());
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
        let session = self.session();
        let dead = argue(self.say(Cause::VpnTunnelDead, if session == Session::Expired { Certainty::Proven } else { Certainty::Likely }));
        let lost_inside = |certainty| argue(self.say(Cause::VpnNoInnerPath, certainty));
        let second = self.silent_second_port();
        let blocked =
            (!port_alive || second.is_some()).then(|| argue(self.say(Cause::VpnPortBlocked, Certainty::Possible)).because(second));
        let mut candidates = match session {
            // The tunnel carries; whether it is its inner side that is dead or the centre, nobody inside says.
            _ if self.facts.received > 0 => {
                return vec![lost_inside(Certainty::Likely), argue(tcp::dead_centre(self.way, Certainty::Possible))];
            }
            Session::Expired => return vec![dead],
            Session::Fresh => vec![lost_inside(Certainty::Likely), dead],
            Session::Believed => vec![dead, lost_inside(Certainty::Likely)],
            Session::Gone => vec![dead],
            Session::Unknown => vec![dead, lost_inside(Certainty::Possible)],
        };
        candidates.extend(blocked);
        candidates
    }
}

/// How lately a session is known to have lived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Session {
    /// Both ends shook hands a short while ago.
    Fresh,
    /// The client thinks that it has one.
    Believed,
    /// There was none, or it was lost, or could not be renewed.
    Gone,
    /// Too old to be taken by anybody.
    Expired,
    /// Nobody says.
    Unknown,
}
