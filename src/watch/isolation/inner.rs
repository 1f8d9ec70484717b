//! Whether packets to somebody inside take a way that was enrolled: asked before records are shipped.

use super::topology::{Normal, is_enrolled_link, is_enrolled_way, is_public, way};
use crate::baseline::{Baseline, interfaces_now};
use crate::config::Config;
use crate::model::{Outcome, Route};
use std::net::IpAddr;

/// Whether the kernel leads packets to `to` by a way that was enrolled; the error says by which else, or why that is not known. This PC itself
/// is always reached.
pub async fn takes_enrolled_way(to: IpAddr, config: &Config, baseline: &Baseline) -> Result<(), String> {
    if to.is_loopback() {
        return Ok(());
    }
    let (ways, netlink) = super::kernel().await.map_err(|why| format!("the routes are not known: {why:?}"))?;
    let route = match netlink.route_to(to).await {
        Outcome::Ok(route) => route,
        Outcome::Failed(failure) => return Err(format!("no route: {:?}", failure.kind)),
        Outcome::Unknown(why) => return Err(format!("the route is not known: {why:?}")),
    };
    let interfaces = interfaces_now(&ways.links);
    judge(&route, &interfaces, Normal { baseline, config })
}

/// The link has to be one of the baseline, or of a VPN. To a public address the next hop has to be enrolled as well: to private ones an operator may
/// give another, and that is told by those who watch it.
fn judge(route: &Route, interfaces: &[crate::baseline::Interface], normal: Normal<'_>) -> Result<(), String> {
    let Some(device) = &route.device else { return Err("the route has no interface".to_owned()) };
    let inside = !is_public(&route.destination) && is_enrolled_link(device, interfaces, normal);
    if inside || is_enrolled_way(device, route.gateway, interfaces, normal) {
        return Ok(());
    }
    Err(format!("{} was not enrolled", way(device, route.gateway, route.table)))
}

#[cfg(test)]
mod tests {
    use super::super::topology::tests::{baseline, card};
    use super::*;
    use crate::testing::route;

    fn told(destination: &str, device: &str, gateway: Option<&str>) -> Result<(), String> {
        let (config, baseline) = (Config::default(), baseline());
        let mut config = config;
        config.network.access = crate::config::Access::LeasedLine;
        let interfaces = [card("eth0", "pci0000:00/0000:00:03.0", "00:11:22:33:44:55"), card("usb0", "usb1/1-1", "02:00:00:00:00:09")];
        judge(&route(destination, device, gateway), &interfaces, Normal { baseline: &baseline, config: &config })
    }

    #[test]
    fn records_go_by_the_enrolled_link_only() {
        assert_eq!(told("10.20.0.14/32", "eth0", Some("10.1.0.1")), Ok(()));
        assert_eq!(told("10.20.0.14/32", "eth0", Some("10.1.0.254")), Ok(()), "another router inside is told by others");
        assert_eq!(told("10.20.0.14/32", "usb0", Some("192.168.42.129")), Err("via 192.168.42.129 dev usb0 was not enrolled".to_owned()));
    }

    #[test]
    fn to_a_public_address_the_next_hop_counts_as_well() {
        assert_eq!(told("223.5.5.5/32", "eth0", Some("10.1.0.1")), Ok(()));
        assert!(told("223.5.5.5/32", "eth0", Some("10.1.0.254")).is_err());
    }
}
