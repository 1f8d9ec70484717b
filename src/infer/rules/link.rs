//! Cable, card, radio. The kernel's word is proof: no packet is needed.

use super::Standing;
use crate::infer::evidence;
use crate::infer::scene::Way;
use crate::model::{Cause, Certainty, Link, LinkKind, Outcome, Reason, Severity, Subject, Verdict};

pub fn judge(way: &Way<'_>) -> Standing {
    let Some(links) = way.scene.world.links().and_then(Outcome::ok) else {
        return Standing::Unknown;
    };
    let Some(device) = &way.uplink.device else {
        let found = links.iter().map(|l| l.name.as_str()).collect::<Vec<_>>().join(" ");
        let none = Verdict::new(Cause::LinkAdminDown, Subject::Terminal, Certainty::Proven);
        return Standing::Broken(vec![none.because([evidence::state("link.list", "terminal", found)])]);
    };
    let Some(link) = way.link() else {
        return Standing::Unknown;
    };
    if way.beyond_gateway().is_some() || (link.up && link.carrier) {
        return Standing::Passed;
    }
    let subject = Subject::Link(device.clone());
    let broken = match (link.up, &link.kind) {
        (false, _) => Verdict::new(Cause::LinkAdminDown, subject, Certainty::Proven),
        (true, LinkKind::Wifi) => Verdict::new(Cause::LinkWifiLost, subject, Certainty::Proven),
        (true, _) => {
            Verdict::new(Cause::LinkNoCarrier, subject, Certainty::Proven).not(Cause::LinkAdminDown, Reason::Running(device.to_string()))
        }
    };
    Standing::Broken(vec![broken.because([evidence::link(link)])])
}

/// A signal that has come and gone this often is no switch that is turned off at night.
const MANY_CHANGES: u32 = 20;
/// So often on average since boot: a dozen an hour.
const FLAPPING_EVERY_MS: u64 = 300_000;
/// Damaged packets that are more than a plug that was pulled, and their share: one in a hundred of packets of a middling size.
const MANY_ERRORS: u64 = 1000;
const BYTES_AN_ERROR: u64 = 60_000;

/// A link that runs as no cable of this century should: the driver's word, which a bad plug or a bad cable brings about. What it counted
/// since boot may be over by now: possible at most.
pub fn degradations(way: &Way<'_>) -> Vec<Verdict> {
    let Some(link) = way.link().filter(|link| link.up && link.carrier) else {
        return Vec::new();
    };
    let since_boot = way.scene.world.newest().map_or(u64::MAX, |stamp| stamp.boottime_ms);
    let say = |cause, certainty, k: &str, fact| {
        let worse = Verdict::new(cause, Subject::Link(link.name.clone()), certainty).degrades(Severity::Low);
        worse.because([evidence::state(k, &link.name, fact)])
    };
    let damaged = link.rx_errors >= MANY_ERRORS && link.rx_errors.saturating_mul(BYTES_AN_ERROR) > link.rx_bytes;
    let flaps = link.carrier_changes >= MANY_CHANGES && u64::from(link.carrier_changes).saturating_mul(FLAPPING_EVERY_MS) > since_boot;
    let worn = if is_slow(link) {
        Some(say(Cause::LinkDegraded, Certainty::Proven, "link.speed", speed(link)))
    } else {
        damaged.then(|| say(Cause::LinkDegraded, Certainty::Possible, "link.errors", format!("{} received damaged", link.rx_errors)))
    };
    let flapping = flaps
        .then(|| say(Cause::LinkFlapping, Certainty::Possible, "link.carrier-changes", format!("{} since boot", link.carrier_changes)));
    worn.into_iter().chain(flapping).collect()
}

fn is_slow(link: &Link) -> bool {
    link.speed_mbps == Some(10) || link.full_duplex == Some(false)
}

fn speed(link: &Link) -> String {
    let duplex = if link.full_duplex == Some(false) { "half duplex" } else { "full duplex" };
    let speed = link.speed_mbps.map_or("unknown speed".to_owned(), |speed| format!("{speed} Mbit/s"));
    format!("{speed}, {duplex}")
}
