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

/// A link that runs as no cable of this century should: the driver's word, which a bad plug or a bad cable brings about.
pub fn degradations(way: &Way<'_>) -> Vec<Verdict> {
    let slow = |link: &&Link| link.up && link.carrier && (link.speed_mbps == Some(10) || link.full_duplex == Some(false));
    let Some(link) = way.link().filter(slow) else {
        return Vec::new();
    };
    let duplex = if link.full_duplex == Some(false) { "half duplex" } else { "full duplex" };
    let speed = link.speed_mbps.map_or("unknown speed".to_owned(), |speed| format!("{speed} Mbit/s"));
    let degraded = Verdict::new(Cause::LinkDegraded, Subject::Link(link.name.clone()), Certainty::Proven).degrades(Severity::Low);
    vec![degraded.because([evidence::state("link.speed", &link.name, format!("{speed}, {duplex}"))])]
}
