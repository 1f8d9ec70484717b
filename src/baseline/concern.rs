//! What an engineer should look at before accepting a state as normal. Pure: none of it is a finding.

use super::gather::{Circumstances, wide_routes};
use super::network::named;
use super::usb::UsbRole;
use super::{Baseline, FileState, Seen};
use crate::config::{Access, Firewall as Wanted};
use crate::model::{ClockState, Unseen};

/// Something to accept or to put right first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concern {
    /// There is no machine id: this terminal cannot be told from another.
    NoIdentity,
    /// A device that keeps files, shows files, networks or radios is plugged in: vendor, product and serial.
    UsbPresent(UsbRole, String),
    /// A way to everywhere: destination and way. On this kind of access it may be the internet.
    DefaultRoute(String),
    /// More than one of them, through different ways.
    SeveralDefaults(usize),
    /// Somebody answers in place of the internet: where, and what it showed instead. From now on that is no news.
    Lookalike(String, String),
    /// The internet is reached: who proved it. That is not accepted by enrolling.
    Internet(String),
    /// This PC forwards for others: address family.
    Forwarding(&'static str),
    /// No time daemon runs.
    NoTimeDaemon,
    /// The clock is not kept: the time of this baseline may be wrong.
    ClockNotKept,
    /// The firewall keeps nothing out.
    NoFirewall,
    /// The firewall could not be seen.
    FirewallUnseen(Unseen),
    /// Nobody is known to hold the interface of this VPN: enrol while it is connected.
    VpnOwnerUnknown(String),
    /// Name servers could not be seen.
    ResolversUnseen(Unseen),
    /// A file of the system that should be readable is not.
    Unreadable(String),
    /// A file or directory that others than its owner may write or, for a key, read: path and mode.
    Permissions(String, u32),
}

/// All that should be looked at, the most important first. `proved` = who proved to be on the internet.
pub fn concerns(baseline: &Baseline, given: &Circumstances<'_>, proved: &[String], permissions: &[(String, u32)]) -> Vec<Concern> {
    let mut found: Vec<Concern> = proved.iter().map(|who| Concern::Internet(who.clone())).collect();
    if baseline.terminal.is_none() {
        found.push(Concern::NoIdentity);
    }
    ways_out(baseline, given, &mut found);
    let known = baseline.lookalikes.iter().flatten();
    found.extend(known.map(|one| Concern::Lookalike(format!("{} {}", one.address, one.device), one.what.clone())));
    for device in &baseline.usb {
        let name = format!("{}:{} {}", device.vendor, device.product, device.serial.as_deref().unwrap_or("-"));
        found.extend(device.roles.iter().map(|role| Concern::UsbPresent(*role, name.clone())));
    }
    timekeeping(baseline, &mut found);
    match &baseline.firewall {
        _ if given.config.rules.firewall == Wanted::None => {}
        Seen::Seen(firewall) if firewall.guards.is_empty() => found.push(Concern::NoFirewall),
        Seen::Seen(_) => {}
        Seen::Unseen(because) => found.push(Concern::FirewallUnseen(because.clone())),
    }
    if let Seen::Unseen(because) = &baseline.resolvers {
        found.push(Concern::ResolversUnseen(because.clone()));
    }
    vpn_owners(baseline, given, &mut found);
    for (path, state) in [("/etc/hosts", &baseline.host.hosts), ("/etc/resolv.conf", &baseline.host.resolv)] {
        if matches!(state, FileState::Unreadable(_)) {
            found.push(Concern::Unreadable(path.to_owned()));
        }
    }
    found.extend(permissions.iter().map(|(path, mode)| Concern::Permissions(path.clone(), *mode)));
    found
}

fn ways_out(baseline: &Baseline, given: &Circumstances<'_>, found: &mut Vec<Concern>) {
    let wide = wide_routes(given.sightings);
    let mut ways: Vec<String> = Vec::new();
    for route in &wide {
        let gateway = route.gateway.map_or_else(|| "-".to_owned(), |ip| ip.to_string());
        let way = format!("{gateway} {}", named(route.device.as_ref()));
        // With a VPN over broadband a way out exists by design.
        if baseline.access != Access::VpnOverInternet {
            found.push(Concern::DefaultRoute(format!("{} {way}", route.destination)));
        }
        // One way for both families is one way.
        let device = named(route.device.as_ref());
        if !ways.contains(&device) {
            ways.push(device);
        }
    }
    if ways.len() > 1 {
        found.push(Concern::SeveralDefaults(ways.len()));
    }
    for (family, on) in [("IPv4", baseline.forwarding.v4), ("IPv6", baseline.forwarding.v6)] {
        if on == Some(true) {
            found.push(Concern::Forwarding(family));
        }
    }
}

fn timekeeping(baseline: &Baseline, found: &mut Vec<Concern>) {
    if baseline.time.daemons.is_empty() {
        found.push(Concern::NoTimeDaemon);
    } else if baseline.host.clock == ClockState::Unsynchronised {
        found.push(Concern::ClockNotKept);
    }
}

/// Only userspace tunnels have a process that holds them; the others are not asked for.
fn vpn_owners(baseline: &Baseline, given: &Circumstances<'_>, found: &mut Vec<Concern>) {
    use crate::config::VpnKind::{Ipsec, L2tp, Openconnect, Openvpn, Tun, Wireguard};
    for vpn in &given.config.vpns {
        let held = match vpn.kind {
            Openvpn | Openconnect | Tun => true,
            Wireguard | L2tp | Ipsec => false,
        };
        let known = baseline.owners.get().is_some_and(|owners| owners.iter().any(|owner| vpn.interface.matches(owner.interface.as_str())));
        if held && !known && vpn.process.is_none() && vpn.unit.is_none() {
            found.push(Concern::VpnOwnerUnknown(vpn.name.clone()));
        }
    }
}
