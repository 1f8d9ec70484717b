//! What gets lost on the way: a series of echoes to somebody who is known to answer, and one of large packets beside it.

use crate::model::{IfName, Sighting};
use crate::sys::icmp::{Echo, Route, Until, echo, echo_of};
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

/// Headers of IP and ICMP before an echo's payload, and the largest packet of Ethernet.
const HEADERS_V4: u32 = 28;
const HEADERS_V6: u32 = 48;
const ETHERNET: u32 = 1500;

/// Counts what comes back of packets as large as a card with this `mtu` sends. They are marked as not to be divided, as TCP's are.
pub async fn series_large(target: IpAddr, mtu: u32, patience: Duration) -> Sighting {
    let headers = if target.is_ipv4() { HEADERS_V4 } else { HEADERS_V6 };
    let payload = mtu.min(ETHERNET).saturating_sub(headers);
    let how = Echo { route: Route::default(), timeout: patience.min(LONGEST), count: COUNT, gap: GAP, until: Until::AllAnswered };
    Sighting::SeriesLarge(target, echo_of(target, &how, usize::try_from(payload).unwrap_or(0)).await)
}
