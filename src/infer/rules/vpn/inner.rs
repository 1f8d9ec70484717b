//! Behind the tunnel: its far end answers, and nobody further inside does. Then the tunnel lives and leads nowhere, or all that lies
//! behind it is dead.

use crate::config::Vpn;
use crate::infer::life::Sign;
use crate::infer::rules::tcp;
use crate::infer::scene::Way;
use crate::model::{Cause, Certainty, Evidence, HopAnswer, IcmpKind, Outcome, Reason, Sighting, Subject, Verdict};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The hop limits with which systems send: an answer that still has one of these was passed on by nobody.
const FULL_TTL: [u8; 3] = [64, 128, 255];

/// The far end answers; neither the centre nor anybody else behind it does.
pub(super) fn nothing_behind(way: &Way<'_>, vpn: &Vpn) -> Option<Vec<Verdict>> {
    let silence = silence(way, vpn)?;
    let centre = way.candidates();
    let (services, others): (Vec<_>, Vec<_>) = silence.unreached.iter().partition(|(ip, _)| centre.contains(ip));
    if services.is_empty() || others.is_empty() {
        return None;
    }
    let proof: Vec<Evidence> = services.iter().take(2).chain(others.iter().take(2)).map(|(_, proof)| proof.clone()).collect();
    let outage = tcp::dead_centre(way, Certainty::Possible).because(proof.clone());
    Some(vec![silence.lost(vpn, Certainty::Likely).because(proof), outage])
}

/// The far end answers, and what else was asked behind it does not, which is too little to tell its own silence from that of the way there.
pub fn perhaps_nothing_behind(way: &Way<'_>) -> Option<Verdict> {
    let vpn = way.vpn?;
    let silence = silence(way, vpn)?;
    let proof = silence.unreached.iter().map(|(_, proof)| proof.clone()).take(2).collect::<Vec<_>>();
    (!proof.is_empty()).then(|| silence.lost(vpn, Certainty::Possible).because(proof))
}

/// The far end alone answers.
struct Silence<'a> {
    end: &'a Sign,
    /// Who was asked in vain behind it, each with a proof.
    unreached: Vec<(IpAddr, Evidence)>,
}

impl Silence<'_> {
    fn lost(&self, vpn: &Vpn, certainty: Certainty) -> Verdict {
        let alive = Reason::Answered(self.end.who.to_string());
        let lost = Verdict::new(Cause::VpnNoInnerPath, Subject::Vpn(vpn.name.clone()), certainty);
        lost.because([self.end.evidence.clone()]).not(Cause::VpnTunnelDead, alive)
    }
}

/// `None` = somebody behind the far end gives a sign, or this PC itself keeps packets back.
fn silence<'a>(way: &'a Way<'_>, vpn: &Vpn) -> Option<Silence<'a>> {
    let end = way.inside()?;
    let ends = ends(way, vpn);
    let heard = || way.scene.signs.iter().filter(|sign| way.inner.contains(&sign.to) && !way.is_first_hop(sign.who));
    // An inside address may be one that forbids echo: unless it owes other answers, its silence says nothing.
    let owes = |ip: &IpAddr| vpn.inside != Some(*ip) || way.scene.resolvers().contains(ip);
    let behind: Vec<IpAddr> = way.inner.iter().copied().filter(|ip| !ends.contains(ip) && owes(ip)).collect();
    if !way.is_cut() || heard().any(|sign| !ends.contains(&sign.who)) || behind.iter().any(|ip| way.refused_here(*ip)) {
        return None;
    }
    let refused = |ip: IpAddr| {
        let said = heard().find(|sign| sign.to == ip && !matches!(sign.error, None | Some(IcmpKind::TimeExceeded)));
        said.map(|sign| sign.evidence.clone())
    };
    let silent = |ip: IpAddr| way.unanswered(&BTreeSet::from([ip])).into_iter().next();
    let unreached = behind.into_iter().filter_map(|ip| Some((ip, refused(ip).or_else(|| silent(ip))?))).collect();
    Some(Silence { end, unreached })
}

/// The addresses by which the far end speaks: the first router within the tunnel, whatever lies in the tunnel's own prefix, and the
/// configured inside address, unless its echo was passed on by routers.
fn ends(way: &Way<'_>, vpn: &Vpn) -> BTreeSet<IpAddr> {
    let world = way.scene.world;
    let walks = world.observations().filter_map(|o| match &o.sighting {
        Sighting::Walk(to, Outcome::Ok(hops)) if way.inner.contains(to) => Some(hops),
        _ => None,
    });
    let first = walks.flatten().filter_map(|hop| match hop.answer {
        HopAnswer::Router(ip) if hop.ttl == 1 => Some(ip),
        _ => None,
    });
    let tunnel = way.vpn_facts().and_then(|facts| facts.interface.as_ref());
    let on_link = |ip: IpAddr| tunnel.is_some_and(|device| world.addresses_of(device).any(|a| a.net.contains(&ip)));
    let passed_on =
        |ip: IpAddr| world.ping(ip).and_then(Outcome::ok).and_then(|reply| reply.ttl).is_some_and(|ttl| !FULL_TTL.contains(&ttl));
    let near = way.scene.signs.iter().map(|sign| sign.who).filter(|who| on_link(*who) && !passed_on(*who));
    let inside = vpn.inside.filter(|ip| way.scene.signs.iter().any(|sign| sign.who == *ip) && !passed_on(*ip));
    first.chain(near).chain(inside).collect()
}
