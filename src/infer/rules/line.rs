//! The provider's line: the gateway is there, nothing beyond it answers. The terminal cannot see which end is dead, unless the gateway
//! itself says that it has no way on.

use super::Standing;
use crate::infer::evidence;
use crate::infer::life::Sign;
use crate::infer::scene::Way;
use crate::model::{Cause, Certainty, Gateway, IcmpKind, Reason, Subject, Verdict};
use std::net::IpAddr;

pub fn judge(way: &Way<'_>) -> Standing {
    if way.beyond_gateway().is_some() {
        return Standing::Passed;
    }
    let Some(address) = way.uplink.gateway else {
        return Standing::Absent;
    };
    let Some(gateway) = way.gateway() else {
        return Standing::Unknown;
    };
    if let Some(sign) = refusal(way) {
        let down = broken_line(Certainty::Proven).because([sign.evidence.clone()]);
        return Standing::Broken(vec![with_gateway(down, gateway, address)]);
    }
    let silent = way.silence();
    if silent.is_empty() {
        return Standing::Unknown;
    }
    let down = with_gateway(broken_line(Certainty::Likely), gateway, address).because(silent.clone());
    Standing::Broken(vec![down, far_end(way, gateway, address).because(silent)])
}

/// Without a word from beyond, the far end may be as dead as the line.
fn far_end(way: &Way<'_>, gateway: &Gateway, address: IpAddr) -> Verdict {
    let (cause, subject) = match (way.vpn, way.centre) {
        (Some(vpn), _) => (Cause::VpnServerUnreachable, Subject::Vpn(vpn.name.clone())),
        (None, Some(centre)) => (Cause::CentreOutage, Subject::Centre(centre.name.clone())),
        (None, None) => (Cause::LineDown, Subject::Line),
    };
    with_gateway(Verdict::new(cause, subject, Certainty::Possible), gateway, address)
}

/// "The line is down", yet to be argued.
pub fn broken_line(certainty: Certainty) -> Verdict {
    Verdict::new(Cause::LineDown, Subject::Line, certainty)
}

/// Adds what is known of the gateway; a dead gateway is ruled out where it answered.
pub fn with_gateway(verdict: Verdict, gateway: &Gateway, address: IpAddr) -> Verdict {
    let verdict = verdict.because([evidence::arp(address, gateway)]);
    if gateway.alive() { verdict.not(Cause::GatewayUnreachable, Reason::Answered(address.to_string())) } else { verdict }
}

/// The gateway's own word that it cannot go on.
fn refusal<'a>(way: &'a Way<'_>) -> Option<&'a Sign> {
    let no_way_on = |sign: &&Sign| matches!(sign.error, Some(IcmpKind::NetUnreachable | IcmpKind::HostUnreachable));
    way.scene.signs.iter().filter(|sign| way.is_first_hop(sign.who) && way.outer.contains(&sign.to)).find(no_way_on)
}
