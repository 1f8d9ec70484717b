//! A portal: one device on the line that shows a page of its own in place of every plain-text one, and often answers every name with its
//! own address. One page is enough to explain all centres that lie on the same way, because a portal lets nobody through.

use super::{exchanges, handshakes, healthy};
use crate::config::CentreHttp;
use crate::infer::evidence;
use crate::infer::scene::Way;
use crate::model::{Cause, Certainty, ClockState, Evidence, HttpFacts, Outcome, Sighting, Subject, Verdict};
use std::net::SocketAddr;

/// This program is younger than that: a device whose clock shows less has lost its time.
const OLDEST_DATE_S: i64 = 1_767_225_600; // 2026-01-01T00:00:00Z

/// What a portal on this way explains: itself, and beside it the clock of this PC where the portal's differs. `None` = none was seen, or
/// somebody genuine answers on the same way.
pub fn judge(way: &Way<'_>) -> Option<Vec<Verdict>> {
    let ways = way.scene.ways();
    let beside: Vec<&Way<'_>> = ways.iter().filter(|other| is_same_way(way, other)).collect();
    if beside.iter().any(|other| is_genuine(other)) {
        return None;
    }
    let pages: Vec<_> = beside.iter().filter_map(|other| page(other)).collect();
    let proof: Vec<Evidence> = pages.iter().map(|(at, _, outcome)| evidence::http(at, outcome)).collect();
    let first = pages.first()?;
    let portal = Verdict::new(Cause::LinePortal, Subject::Line, Certainty::Likely).because(proof);
    let clock = clock(way, first.0, &pages.iter().filter_map(|(_, facts, _)| facts.date_offset_s).collect::<Vec<_>>());
    Some(std::iter::once(portal).chain(clock).collect())
}

fn is_same_way(way: &Way<'_>, other: &Way<'_>) -> bool {
    let tunnel = |way: &Way<'_>| way.vpn.map(|vpn| vpn.name.clone());
    way.uplink == other.uplink && tunnel(way) == tunnel(other)
}

/// What no portal can show: a certificate that was vouched for, or the very page that was asked for.
fn is_genuine(way: &Way<'_>) -> bool {
    let vouched = handshakes(way).iter().any(|(_, outcome)| outcome.ok().is_some_and(|facts| facts.verified));
    let wanted = way.centre.and_then(|centre| centre.http.as_ref());
    vouched || wanted.is_some_and(|wanted| exchanges(way).iter().any(|(_, o)| o.ok().is_some_and(|facts| healthy(wanted, facts))))
}

/// A page that sends its visitors elsewhere stands where this centre's plain-text service should be, at whichever of its addresses.
fn page<'a>(way: &Way<'a>) -> Option<(SocketAddr, &'a HttpFacts, &'a Outcome<HttpFacts>)> {
    let wanted = way.centre?.http.as_ref().filter(|wanted| wanted.url.scheme() == "http")?;
    let ours = way.candidates();
    way.scene.world.observations().find_map(|o| match &o.sighting {
        Sighting::Http(url, at, outcome) if url == wanted.url.as_str() && ours.contains(&at.ip()) => {
            Some((*at, outcome.ok().filter(|facts| sends_elsewhere(wanted, facts))?, outcome))
        }
        _ => None,
    })
}

fn sends_elsewhere(wanted: &CentreHttp, facts: &HttpFacts) -> bool {
    (300..400).contains(&facts.status) && !wanted.status.contains(&facts.status)
}

/// A portal is nobody whose time one takes; that its date and ours differ is worth a word, unless ours is kept or its own is impossible.
fn clock(way: &Way<'_>, at: SocketAddr, offsets: &[i64]) -> Option<Verdict> {
    let now = way.scene.world.newest().filter(|stamp| stamp.clock != ClockState::Synchronised)?.wall.as_second();
    let differs = |offset: &i64| super::tls::clocks_disagree(*offset) && now.saturating_add(*offset) >= OLDEST_DATE_S;
    let offset = offsets.first().filter(|_| offsets.iter().all(differs))?;
    let differs = evidence::state("http.date", at, format!("{offset:+} s"));
    Some(Verdict::new(Cause::ClockWrong, Subject::Terminal, Certainty::Possible).because([differs]))
}
