//! Packets lost on the line. Echoes alone prove nothing: many hosts answer only a few a second. Loss is believed where it also delays or
//! breaks what is not an echo, and placed by who still gets through: a clean gateway, and nobody beyond who is.

use crate::infer::evidence;
use crate::infer::scene::Way;
use crate::model::{Cause, Certainty, Evidence, Failure, FailureKind, Outcome, Reason, Reply, Severity, Sighting, Subject, Verdict};
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Once in so many lines, echoes that vanish by chance look like those that vanish by size.
const BAD_LUCK: f64 = 0.01;
/// Fewer echoes than this are no statistics.
const ENOUGH: u16 = 10;
/// A host that returned fewer echoes than this may forbid or ration them.
const SOME: u16 = 3;
/// A connect that had to be repeated takes a second and a round trip: the first repetition of TCP (RFC 6298).
const REPEATED: Duration = Duration::from_millis(950);
/// On a way that answers echoes this fast, such a delay is no distance.
const NEAR: Duration = Duration::from_millis(300);

/// Loss that makes the way worse without breaking it.
pub fn degradations(way: &Way<'_>) -> Vec<Verdict> {
    judge(way).map(|verdict| verdict.degrades(Severity::Medium)).into_iter().collect()
}

/// The loss on this way, if there is one.
pub fn judge(way: &Way<'_>) -> Option<Verdict> {
    let measured = measured(way);
    // Whoever gets everything through clears the line that all share.
    if measured.is_empty() || measured.iter().any(|(_, reply)| !is_lossy(reply)) || only_echoes(way) || !felt(way) {
        return None;
    }
    let gateway = way.uplink.gateway.and_then(|ip| Some((ip, series(way, ip)?)));
    let echoes = measured.iter().map(|(ip, reply)| counted(*ip, reply)).chain(gateway.map(|(ip, reply)| counted(ip, reply)));
    let proof: Vec<_> = echoes.chain(exchanges(way).map(|(at, reply)| line_of("exchange.series", at, reply))).collect();
    let verdict = |cause, subject, certainty| Verdict::new(cause, subject, certainty).because(proof.clone());
    match gateway {
        // Lost before the gateway: the shop's own cable, card or radio.
        Some((_, reply)) if is_lossy(reply) => {
            let card = way.uplink.device.clone().map_or(Subject::Terminal, Subject::Link);
            Some(verdict(Cause::LinkDegraded, card, Certainty::Likely))
        }
        Some((ip, _)) => {
            let certainty = if measured.len() > 1 { Certainty::Proven } else { Certainty::Likely };
            Some(verdict(Cause::LineLoss, Subject::Line, certainty).not(Cause::LinkDegraded, Reason::Answered(ip.to_string())))
        }
        None => Some(verdict(Cause::LineLoss, Subject::Line, Certainty::Likely)),
    }
}

/// How the echoes of this host were counted, if they were.
fn series<'a>(way: &Way<'a>, ip: IpAddr) -> Option<&'a Reply> {
    way.scene.world.series(ip).and_then(Outcome::ok).filter(|reply| reply.series.0 >= ENOUGH)
}

/// The same of everybody beyond the first hop.
fn measured<'a>(way: &Way<'a>) -> Vec<(IpAddr, &'a Reply)> {
    let beyond = way.outer.iter().chain(&way.inner).filter(|ip| !way.is_first_hop(**ip));
    beyond.filter_map(|ip| Some((*ip, series(way, *ip)?))).collect()
}

/// Something was lost on the way to this host, or had to be repeated: what stalls there may stall for that.
pub fn is_suspected(way: &Way<'_>, ip: IpAddr) -> bool {
    let world = way.scene.world;
    let counted = world.series(ip).and_then(Outcome::ok).is_some_and(is_lossy);
    let repeated = |o: &crate::model::Observation| match &o.sighting {
        Sighting::Tcp(at, Outcome::Ok(reply)) | Sighting::UploadSmall(at, Outcome::Ok(reply)) => at.ip() == ip && reply.rtt >= REPEATED,
        _ => false,
    };
    let near = [world.ping(ip), world.series(ip)].into_iter().flatten().any(|o| o.ok().is_some_and(|reply| reply.rtt < NEAR));
    counted || (near && world.observations().any(repeated)) || judge(way).is_some()
}

/// Not one of the large echoes came back where small ones did, and so many of those that this is no bad luck.
pub fn only_large(way: &Way<'_>, ip: IpAddr) -> Option<[Evidence; 2]> {
    let small = series(way, ip)?;
    let large = way.scene.world.series_large(ip)?;
    let silent = large.failure().is_some_and(|failure| failure.kind == FailureKind::Silence);
    // All share the line: together they tell best how much it loses.
    let (sent, answered) = measured(way).iter().fold((0, 0), |sum, (_, reply)| (sum.0 + reply.series.0, sum.1 + reply.series.1));
    let share = f64::from(answered) / f64::from(sent.max(1));
    // A tunnel may carry a large packet in two pieces, each way: all of them must arrive.
    let share = if way.inner.contains(&ip) { share * share } else { share };
    let luck = (1.0 - share).powi(i32::from(small.series.0));
    let all_lost = evidence::ping(format!("{ip} large"), large);
    (silent && small.series.1 >= SOME && luck < BAD_LUCK).then(|| [counted(ip, small), all_lost])
}

/// More than one in ten.
fn is_lossy(reply: &Reply) -> bool {
    let (sent, answered) = reply.series;
    u32::from(answered) * 10 < u32::from(sent) * 9
}

fn counted(ip: IpAddr, reply: &Reply) -> Evidence {
    line_of("icmp.series", ip, reply)
}

fn line_of(k: &str, target: impl Display, reply: &Reply) -> Evidence {
    let counted = evidence::state(k, target, format!("answer {}/{}", reply.series.1, reply.series.0));
    Evidence { n: u32::from(reply.series.0), ..counted }
}

/// Series of what is no echo, with whom this way leads to.
fn exchanges<'a>(way: &'a Way<'_>) -> impl Iterator<Item = (SocketAddr, &'a Reply)> {
    way.scene.world.observations().filter_map(|o| match &o.sighting {
        Sighting::Exchanges(at, Outcome::Ok(reply)) if way.outer.contains(&at.ip()) || way.inner.contains(&at.ip()) => Some((*at, reply)),
        _ => None,
    })
}

/// Whatever is no echo was counted too, and not one of it was lost: echoes are rationed, and what seems late is a slow server.
fn only_echoes(way: &Way<'_>) -> bool {
    let (sent, answered) = exchanges(way).fold((0, 0), |sum, (_, reply)| (sum.0 + reply.series.0, sum.1 + reply.series.1));
    sent >= ENOUGH && answered == sent
}

/// An answer so late that the question may have been lost once. On a long way or from a slow server it means nothing.
pub fn came_late(sighting: &Sighting) -> bool {
    match sighting {
        Sighting::Tcp(_, Outcome::Ok(reply)) => reply.rtt >= REPEATED,
        Sighting::Query(_, Outcome::Ok(answer)) => answer.elapsed >= NEAR,
        _ => false,
    }
}

/// Something other than an echo was repeated, or never answered by a host that is alive.
fn felt(way: &Way<'_>) -> bool {
    let world = way.scene.world;
    let near = |ip: IpAddr| [world.ping(ip), world.series(ip)].into_iter().flatten().any(|o| o.ok().is_some_and(|reply| reply.rtt < NEAR));
    let silent = |failure: Option<&Failure>| failure.is_some_and(|failure| failure.kind == FailureKind::Silence);
    let ours = |ip: IpAddr| way.outer.contains(&ip) || way.inner.contains(&ip);
    exchanges(way).any(|(_, reply)| is_lossy(reply))
        || world.observations().any(|o| match &o.sighting {
            // Small segments pass where large ones vanish: what delays or stalls them is loss. A service that is merely slow takes the large ones too.
            Sighting::UploadSmall(at, outcome) if ours(at.ip()) && near(at.ip()) => {
                let large_lost = world.upload(*at).is_some_and(|large| large.failure().is_some());
                let small_late = match outcome {
                    Outcome::Ok(reply) => reply.rtt >= NEAR,
                    Outcome::Failed(failure) => failure.kind == FailureKind::Silence,
                    Outcome::Unknown(_) => false,
                };
                large_lost && small_late
            }
            Sighting::Tcp(at, outcome) if ours(at.ip()) && near(at.ip()) => came_late(&o.sighting) || silent(outcome.failure()),
            Sighting::Query(key, outcome) if ours(key.resolver) && near(key.resolver) => {
                came_late(&o.sighting) || silent(outcome.failure())
            }
            _ => false,
        })
}
