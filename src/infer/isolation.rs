//! The separation from the internet, as far as topology shows it. Nothing is sent: a way outward that was not there at enrolment is
//! suspect, and that is all that topology can say. Neither *intact* nor *broken* follows from it.

use super::scene::Scene;
use crate::model::{Isolation, Outcome, Route};

/// Judges against the baseline; without one nothing can be said.
pub fn judge(scene: &Scene<'_>) -> Isolation {
    let (Some(baseline), Some(table)) = (scene.enrolment.baseline(), scene.world.routes().and_then(Outcome::ok)) else {
        return Isolation::Unknown;
    };
    let enrolled = |route: &Route| {
        let same = |gateway: &crate::baseline::KnownGateway| gateway.device == route.device && gateway.address == route.gateway;
        baseline.gateways.iter().any(same)
    };
    let tunnel = |route: &Route| route.device.as_ref().is_some_and(|device| scene.is_configured_tunnel(device));
    let foreign = |route: &&Route| !enrolled(route) && !tunnel(route);
    if table.defaults().into_iter().any(|route| foreign(&route)) { Isolation::Suspect } else { Isolation::Unknown }
}
