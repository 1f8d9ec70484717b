//! What gets lost on the way: a series of echoes to somebody who is known to answer.

use crate::model::{IfName, Sighting};
use crate::sys::icmp::{Echo, Route, Until, echo};
use std::net::IpAddr;
use std::time::Duration;

/// Echoes of a series: enough to tell one loss in ten from bad luck.
const COUNT: u16 = 20;
/// Time between two.
const GAP: Duration = Duration::from_millis(40);
/// The whole series: sending, and a round trip for the last.
const LONGEST: Duration = Duration::from_millis(1600);

/// Counts what comes back, out of `device` if given.
pub async fn series(target: IpAddr, device: Option<&IfName>, patience: Duration) -> Sighting {
    let route = Route { device: device.cloned(), ttl: None };
    let how = Echo { route, timeout: patience.min(LONGEST), count: COUNT, gap: GAP, until: Until::AllAnswered };
    Sighting::Series(target, echo(target, &how).await)
}
