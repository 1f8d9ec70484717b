//! Names. The application's own way is judged first (hosts file, then the system's resolvers); each resolver's own answer explains a
//! failure. A resolver that answers, whatever it says, is reachable.

use super::line::broken_line;
use super::{Standing, portal};
use crate::infer::evidence;
use crate::infer::scene::{Scene, Way};
use crate::model::{
    Answer, Cause, Certainty, Errno, Evidence, Failure, FailureKind, IcmpKind, Lookup, LookupSource, Outcome, Rcode, Reason, Severity,
    Subject, Verdict,
};
use ipnet::IpNet;
use std::net::IpAddr;

pub fn judge(way: &Way<'_>) -> Standing {
    let Some(centre) = way.centre else {
        return Standing::Absent;
    };
    let host = centre.host.as_str();
    if host.parse::<IpAddr>().is_ok() {
        return Standing::Absent;
    }
    match way.scene.world.lookup(host) {
        None | Some(Outcome::Unknown(_)) => Standing::Unknown,
        Some(Outcome::Ok(found)) if found.source != LookupSource::Dns => stale_hosts(way, host, found).unwrap_or(Standing::Absent),
        Some(Outcome::Failed(failure)) if failure.is_ours() => Standing::Unknown,
        // One device that forges names and shows its own page for all of them is a portal, and nobody else's fault.
        Some(outcome @ Outcome::Ok(found)) => match hijacked(way, host, found, outcome) {
            Some(forged) => portal::judge(way).map_or(forged, |portal| Standing::Broken(also(portal, evidence::lookup(host, outcome)))),
            None => Standing::Passed,
        },
        Some(outcome @ Outcome::Failed(_)) => unresolved(way, host, outcome),
    }
}

/// Adds a line of proof to the first.
fn also(mut verdicts: Vec<Verdict>, proof: Evidence) -> Vec<Verdict> {
    if let Some(first) = verdicts.first_mut() {
        first.evidence.push(proof);
    }
    verdicts
}

/// What is wrong with resolvers that nobody had to wait for yet.
pub fn degradations(way: &Way<'_>) -> Vec<Verdict> {
    let Some(centre) = way.centre else {
        return Vec::new();
    };
    let Some(Outcome::Ok(found)) = way.scene.world.lookup(&centre.host) else {
        return Vec::new();
    };
    if found.source != LookupSource::Dns {
        return Vec::new();
    }
    let mut worse: Vec<_> = way.scene.resolvers().iter().filter_map(|ip| dead_resolver(way, *ip, &centre.host)).collect();
    if found.elapsed > way.scene.config.dns.slow && super::loss::judge(way).is_none() {
        let outcome = Outcome::Ok(found.clone());
        let slow = Verdict::new(Cause::DnsSlow, Subject::Name(centre.host.clone()), Certainty::Proven).degrades(Severity::Low);
        worse.push(slow.because([evidence::lookup(&centre.host, &outcome)]));
    }
    worse
}

fn dead_resolver(way: &Way<'_>, ip: IpAddr, host: &str) -> Option<Verdict> {
    let outcome = way.scene.world.query(ip, host)?;
    let (cause, certainty) = match fault(way, ip, outcome)? {
        // A stub asks each of the servers behind it for the names that are its own only.
        (Cause::DnsNxdomain, _) if way.scene.world.resolvers()?.ok()?.stub.is_some() => return None,
        // Another name server of the same list that does not know the inner names: harmless until the first one dies.
        (Cause::DnsNxdomain, _) => (Cause::DnsWrongResolver, Certainty::Likely),
        other => other,
    };
    // On a lossy line silence is what gets lost; a name server that answers echoes is not called dead for it.
    if cause == Cause::DnsTimeout && way.scene.alive(ip).is_some() && super::loss::judge(way).is_some() {
        return None;
    }
    let dead = Verdict::new(cause, Subject::Resolver(ip), certainty).degrades(Severity::Low);
    Some(dead.because([evidence::query(format!("{host} @{ip}"), outcome)]))
}

/// The hosts file sends us to a dead address while a live one is known.
fn stale_hosts(way: &Way<'_>, host: &str, found: &Lookup) -> Option<Standing> {
    if found.source != LookupSource::Hosts || found.addresses.iter().any(|ip| way.scene.alive(*ip).is_some()) {
        return None;
    }
    let world = way.scene.world;
    let told = way.scene.resolvers().iter().filter_map(|ip| world.query(*ip, host)?.ok()).flat_map(|answer| &answer.addresses);
    let configured = way.centre.into_iter().flat_map(|c| &c.addresses);
    let living = told.chain(configured).filter(|ip| !found.addresses.contains(ip)).find_map(|ip| way.scene.alive(*ip))?;
    let stale = Verdict::new(Cause::HostsStale, Subject::Name(host.to_owned()), Certainty::Proven)
        .because([evidence::lookup(host, &Outcome::Ok(found.clone())), living.evidence.clone()])
        .not(Cause::CentreOutage, Reason::Answered(living.who.to_string()));
    Some(Standing::Broken(vec![stale]))
}

/// Applications are sent to addresses where the centre cannot be, and no certificate vouches for who answers there.
pub fn leads_to_strangers(way: &Way<'_>) -> bool {
    let Some(host) = way.centre.map(|centre| centre.host.as_str()) else {
        return false;
    };
    let vouched = || super::handshakes(way).iter().any(|(_, o)| o.ok().is_some_and(|facts| facts.verified));
    match way.scene.world.lookup(host) {
        Some(outcome @ Outcome::Ok(found)) if found.source == LookupSource::Dns => {
            hijacked(way, host, found, outcome).is_some() && !vouched()
        }
        _ => false,
    }
}

fn expected<'a>(way: &'a Way<'_>) -> &'a [IpNet] {
    let own = way.centre.map_or(&[][..], |centre| &centre.expect_prefixes);
    if own.is_empty() { &way.scene.config.dns.expect_prefixes } else { own }
}

/// Every address lies outside the prefixes where the centre must be. Where a random name is answered too, nobody can say that the
/// centre has moved.
fn hijacked(way: &Way<'_>, host: &str, found: &Lookup, outcome: &Outcome<Lookup>) -> Option<Standing> {
    let nets = expected(way);
    let inside = |ip: &IpAddr| nets.iter().any(|net| net.contains(ip));
    if nets.is_empty() || found.addresses.iter().any(inside) {
        return None;
    }
    let wildcard = way.scene.resolvers().iter().find_map(|ip| {
        let answer = way.scene.world.query(*ip, "*")?;
        answer.ok().filter(|a| !a.addresses.is_empty()).map(|_| evidence::query(format!("* @{ip}"), answer))
    });
    let certainty = if wildcard.is_some() { Certainty::Proven } else { Certainty::Likely };
    let foreign = Verdict::new(Cause::DnsHijacked, Subject::Name(host.to_owned()), certainty);
    Some(Standing::Broken(vec![foreign.because([evidence::lookup(host, outcome)]).because(wildcard)]))
}

fn unresolved(way: &Way<'_>, host: &str, lookup: &Outcome<Lookup>) -> Standing {
    let scene = way.scene;
    let asked = evidence::lookup(host, lookup);
    let Some(setup) = scene.world.resolvers().and_then(Outcome::ok) else {
        return Standing::Unknown;
    };
    if setup.servers.is_empty() {
        let none = Verdict::new(Cause::DnsNoResolver, Subject::Terminal, Certainty::Proven);
        return Standing::Broken(vec![none.because([evidence::state("dns.resolvers", "terminal", "none"), asked])]);
    }
    let told: Vec<_> = setup.servers.iter().filter_map(|ip| scene.world.query(*ip, host)).collect();
    if !told.is_empty() && told.iter().all(|outcome| outcome.failure().is_some_and(Failure::is_ours)) {
        return Standing::Unknown;
    }
    // A portal that answers no names either.
    if let Some(portal) = portal::judge(way).filter(|_| lookup.failure().is_some_and(|f| f.kind == FailureKind::Silence)) {
        return Standing::Broken(also(portal, asked));
    }
    let wrong = wrong_resolver(scene, host, &setup.servers, lookup);
    if let Some(wrong) = wrong.as_ref().filter(|wrong| wrong.certainty == Certainty::Proven) {
        return Standing::Broken(vec![wrong.clone()]);
    }
    let mut verdicts: Vec<Verdict> = wrong.into_iter().collect();
    for ip in &setup.servers {
        let Some(outcome) = scene.world.query(*ip, host) else { continue };
        let Some((cause, certainty)) = fault(way, *ip, outcome) else { continue };
        let proof = evidence::query(format!("{host} @{ip}"), outcome);
        match verdicts.iter_mut().find(|v| v.cause == cause) {
            Some(same) => same.evidence.push(proof),
            None => verdicts.push(reachable(Verdict::new(cause, subject(cause, *ip, host), certainty).because([proof]), scene, *ip)),
        }
    }
    if verdicts.len() > 1 {
        for verdict in &mut verdicts {
            verdict.certainty = verdict.certainty.min(Certainty::Likely);
        }
    }
    if verdicts.is_empty() {
        let strange = Verdict::new(Cause::DnsTimeout, Subject::Name(host.to_owned()), Certainty::Possible);
        verdicts.push(strange.because([asked]));
    }
    Standing::Broken(or_the_line(way, verdicts))
}

/// A name server on our own segment, or on this PC, asks others over the line. Where nothing beyond the gateway gives a sign, its trouble
/// may be the line's.
fn or_the_line(way: &Way<'_>, mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
    let passed_on = |v: &Verdict| matches!(v.cause, Cause::DnsServfail | Cause::DnsTimeout | Cause::DnsRefused);
    if way.beyond_gateway().is_none() && way.leads_beyond() && verdicts.iter().any(passed_on) {
        for verdict in verdicts.iter_mut().filter(|v| passed_on(v)) {
            verdict.certainty = verdict.certainty.min(Certainty::Likely);
            verdict.ruled_out.retain(|out| out.cause != Cause::LineDown);
        }
        let best = verdicts.iter().map(|v| v.certainty).max().unwrap_or(Certainty::Possible).min(Certainty::Likely);
        let proof: Vec<_> = verdicts.iter().filter(|v| passed_on(v)).flat_map(|v| v.evidence.clone()).collect();
        verdicts.push(broken_line(best).because(proof));
    } else if let Some(silent) = verdicts.iter().find(|v| v.cause == Cause::DnsTimeout && v.certainty == Certainty::Likely) {
        // Nobody where the name server is answers: it may be all of the far end, and is, where the centre's known addresses keep silent too.
        let all_dead = way.is_silent_everywhere();
        let outage = super::tcp::dead_centre(way, if all_dead { Certainty::Likely } else { Certainty::Possible });
        let outage = outage.because(silent.evidence.clone());
        for verdict in verdicts.iter_mut().filter(|v| all_dead && v.cause == Cause::DnsTimeout) {
            verdict.certainty = Certainty::Possible;
        }
        verdicts.push(outage);
        verdicts.extend(super::vpn::perhaps_nothing_behind(way));
    }
    verdicts
}

fn subject(cause: Cause, ip: IpAddr, host: &str) -> Subject {
    if cause == Cause::DnsNxdomain { Subject::Name(host.to_owned()) } else { Subject::Resolver(ip) }
}

/// A name server that is there rules out everything below it.
fn reachable(verdict: Verdict, scene: &Scene<'_>, ip: IpAddr) -> Verdict {
    match scene.alive(ip) {
        Some(sign) => verdict.not(Cause::LineDown, Reason::Answered(sign.who.to_string())),
        None => verdict,
    }
}

/// The name servers in use cannot tell the name; one that the configuration names, and that is not in use, can. Silence of those in use is
/// a weaker sign than their denial: they may be right and dead.
fn wrong_resolver(scene: &Scene<'_>, host: &str, servers: &[IpAddr], lookup: &Outcome<Lookup>) -> Option<Verdict> {
    let asked = |ip: &IpAddr| scene.world.query(*ip, host);
    let knows = |ip: &&IpAddr| asked(ip).and_then(Outcome::ok).is_some_and(|answer| !answer.addresses.is_empty());
    if servers.iter().any(|ip| knows(&ip)) {
        return None;
    }
    let right = scene.config.dns.resolvers.iter().filter(|ip| !servers.contains(ip)).find(knows)?;
    let denied = lookup.failure()?.kind == FailureKind::Rcode(Rcode::NxDomain);
    let certainty = if denied { Certainty::Proven } else { Certainty::Likely };
    let says = servers.iter().filter_map(|ip| asked(ip).map(|o| evidence::query(format!("{host} @{ip}"), o)));
    let found = evidence::query(format!("{host} @{right}"), asked(right)?);
    let wrong = Verdict::new(Cause::DnsWrongResolver, Subject::Resolver(*servers.first()?), certainty);
    Some(wrong.because([evidence::lookup(host, lookup), found]).because(says).not(Cause::DnsNxdomain, Reason::Answered(right.to_string())))
}

/// What is wrong with one resolver, by its own answer. `None` = nothing, or it is not the resolver's fault.
fn fault(way: &Way<'_>, ip: IpAddr, outcome: &Outcome<Answer>) -> Option<(Cause, Certainty)> {
    let failure = match outcome {
        Outcome::Ok(answer) if answer.addresses.is_empty() => return Some((Cause::DnsNxdomain, Certainty::Likely)),
        Outcome::Ok(_) | Outcome::Unknown(_) => return None,
        Outcome::Failed(failure) => failure,
    };
    // Where it answers otherwise, or another destination on its side does, the silence is the name server's own.
    // This PC is its own host's proof of life.
    let there = ip.is_loopback() || way.scene.alive(ip).is_some() || way.neighbour_answers(ip);
    let silence = if there { Certainty::Proven } else { Certainty::Likely };
    match &failure.kind {
        FailureKind::Rcode(Rcode::ServFail | Rcode::Other(_)) => Some((Cause::DnsServfail, Certainty::Proven)),
        FailureKind::Rcode(Rcode::NxDomain) => Some((Cause::DnsNxdomain, Certainty::Proven)),
        FailureKind::Rcode(Rcode::Refused) => Some((Cause::DnsRefused, Certainty::Proven)),
        FailureKind::Icmp(error) if error.kind == IcmpKind::PortUnreachable && error.offender.is_none_or(|who| who == ip) => {
            Some((Cause::DnsPortRefused, Certainty::Proven))
        }
        // Somebody on the way says so, a filter or a router: not the name server's own doing for certain.
        FailureKind::Icmp(_) => Some((Cause::DnsTimeout, Certainty::Likely)),
        FailureKind::Refused | FailureKind::Local(Errno::ECONNREFUSED) => Some((Cause::DnsPortRefused, Certainty::Proven)),
        // A refusal of this PC's own, to which the layers below have their say.
        FailureKind::Local(Errno::EPERM | Errno::ENETUNREACH | Errno::EACCES | Errno::EINVAL) => None,
        FailureKind::Local(_) if failure.is_ours() => None,
        FailureKind::Silence | FailureKind::Local(_) => Some((Cause::DnsTimeout, silence)),
        FailureKind::Garbage(_) | FailureKind::Closed { .. } | FailureKind::TooLarge | FailureKind::Tls(..) => {
            Some((Cause::DnsServfail, Certainty::Likely))
        }
    }
}
