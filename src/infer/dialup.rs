//! A line that this PC dials up by itself (PPPoE): its address and its only way out belong to the session, not to the card beneath. Where
//! the session is gone, the card has a signal and no address, and yet nothing is wrong with it or with its settings.

use super::evidence;
use super::scene::Way;
use crate::model::{Address, Evidence, LinkKind, Outcome};

/// How Linux names the interfaces of such sessions, unless somebody has asked for another name.
const PREFIX: &str = "ppp";

/// What is known of a dial-up that should carry this way and does not.
pub enum Lost {
    /// This PC was enrolled with it; the proof.
    Enrolled(Vec<Evidence>),
    /// It is set up on this PC; whether it is the way to the centre nobody has told. The proof.
    SetUp(Vec<Evidence>),
    /// Whether it is set up could not be seen.
    Unseen,
}

/// The dial-up session that is missing; `None` = there is none that should be, or one that is there.
pub fn lost(way: &Way<'_>) -> Option<Lost> {
    let scene = way.scene;
    let links = scene.world.links()?.ok()?;
    let addressed = |name| scene.world.addresses_of(name).any(Address::usable);
    let session_stands = links.iter().any(|link| link.kind == LinkKind::Ppp && link.up && addressed(&link.name));
    // A card with a next hop of its own is the way; one in the air or without a signal has its own trouble.
    let bare = way.uplink.gateway.is_none() && way.link().is_some_and(|link| link.up && link.carrier);
    if session_stands || !bare {
        return None;
    }
    let Some(baseline) = scene.enrolment.baseline() else { return set_up(way) };
    let is_dial_up = |name: &str| name.starts_with(PREFIX);
    let by_card = |known: &crate::baseline::KnownGateway| {
        let device = known.device.as_ref();
        !device.is_some_and(|device| is_dial_up(device.as_str()) || scene.is_configured_tunnel(device))
    };
    let session = baseline.gateways.iter().find_map(|known| known.device.as_ref().filter(|device| is_dial_up(device.as_str())))?;
    if baseline.gateways.iter().any(by_card) {
        return None;
    }
    let now = scene.world.link(session).map_or_else(
        || evidence::state("link.enrolled", session, "missing"),
        |link| evidence::state("link.enrolled", session, if link.up { "no address" } else { "down" }),
    );
    Some(Lost::Enrolled(std::iter::once(now).chain(way.link().map(evidence::link)).collect()))
}

fn set_up(way: &Way<'_>) -> Option<Lost> {
    match way.scene.world.dial_up()? {
        Outcome::Ok(traces) if traces.is_empty() => None,
        Outcome::Ok(traces) => {
            let card = way.link().map(evidence::link);
            Some(Lost::SetUp(traces.iter().map(|trace| evidence::state("link.dial-up", trace, "no session")).chain(card).collect()))
        }
        Outcome::Failed(_) | Outcome::Unknown(_) => Some(Lost::Unseen),
    }
}
