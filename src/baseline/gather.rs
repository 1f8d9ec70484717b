//! Takes the baseline: joins what the kernel told (given as sightings) with what files of the system say. Reads only.

use super::files::Root;
use super::{
    Baseline, FileState, Firewall, Forwarding, Host, HostsEntry, Lent, SCHEMA, Seen, TimeFile, TimeKeeping, identity, meaning, network,
    owners, usb,
};
use crate::config::Config;
use crate::model::{Address, Link, Outcome, Route, RouteTable, Sighting, Stamp, Unseen};
use crate::sys::resolv::{self, Places};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

/// What a baseline is made from, besides the files.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// `Links`, `Addresses` and `Routes` are needed; `Resolvers` and `Gateway` add to it; all others are passed over.
    pub sightings: &'a [Sighting],
    /// The firewall, counted.
    pub firewall: &'a Seen<Firewall>,
    /// What else others could use.
    pub lent: Option<&'a Lent>,
    /// Now.
    pub stamp: &'a Stamp,
    /// `/`, but for tests.
    pub root: &'a Path,
}

/// Why no baseline can be taken: without these it would call everything new tomorrow.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GatherError {
    /// The kernel's list of interfaces, addresses or routes is missing.
    #[error("the kernel's {what} could not be read")]
    Blind {
        /// Which: `links`, `addresses` or `routes`.
        what: &'static str,
        /// Why.
        because: Unseen,
    },
}

/// Directories and files that configure time daemons.
pub(super) const TIME_PLACES: [&str; 8] = [
    "/etc/chrony/chrony.conf",
    "/etc/chrony.conf",
    "/etc/chrony/conf.d/",
    "/etc/chrony/sources.d/",
    "/etc/systemd/timesyncd.conf",
    "/etc/systemd/timesyncd.conf.d/",
    "/etc/ntp.conf",
    "/etc/ntpsec/ntp.conf",
];

/// Takes it. Nothing is written.
pub fn gather(given: Circumstances<'_>) -> Result<Baseline, GatherError> {
    let root = Root(given.root);
    let kernel = Kernel::from(given.sightings)?;
    let config = given.config;
    let macs = macs(root, given.sightings);
    Ok(Baseline {
        schema: SCHEMA.to_owned(),
        taken_at: given.stamp.wall,
        taken_by: None,
        terminal: identity::of_system(root, &config.terminal),
        access: config.network.access,
        host: host(root, given.stamp),
        interfaces: network::interfaces(root, kernel.links),
        gateways: network::gateways(&kernel.routes.defaults(), &macs),
        prefixes: network::prefixes(&config.network.allowed_prefixes, kernel.addresses, &kernel.routes.routes),
        resolvers: resolvers(given.sightings),
        hosts_entries: hosts_entries(root, &names(config)),
        owners: owners::owners(root),
        usb: usb::devices(root),
        time: time_keeping(root, &config.clock.time_daemons),
        firewall: given.firewall.clone(),
        forwarding: Forwarding {
            v4: switch(root, "/proc/sys/net/ipv4/ip_forward"),
            v6: switch(root, "/proc/sys/net/ipv6/conf/all/forwarding"),
        },
        lent: given.lent.cloned(),
        lookalikes: None,
        history: Vec::new(),
    })
}

/// The three dumps without which nothing can be said.
struct Kernel<'a> {
    links: &'a [Link],
    addresses: &'a [Address],
    routes: &'a RouteTable,
}

impl<'a> Kernel<'a> {
    fn from(sightings: &'a [Sighting]) -> Result<Self, GatherError> {
        let links = sightings.iter().find_map(|s| if let Sighting::Links(outcome) = s { Some(outcome) } else { None });
        let addresses = sightings.iter().find_map(|s| if let Sighting::Addresses(outcome) = s { Some(outcome) } else { None });
        let routes = sightings.iter().find_map(|s| if let Sighting::Routes(outcome) = s { Some(outcome) } else { None });
        Ok(Self { links: told(links, "links")?, addresses: told(addresses, "addresses")?, routes: told(routes, "routes")? })
    }
}

fn told<'a, T>(outcome: Option<&'a Outcome<T>>, what: &'static str) -> Result<&'a T, GatherError> {
    let because = match outcome {
        Some(Outcome::Ok(seen)) => return Ok(seen),
        Some(Outcome::Unknown(because)) => because.clone(),
        Some(Outcome::Failed(_)) | None => Unseen::Skipped,
    };
    Err(GatherError::Blind { what, because })
}

/// Hardware addresses of neighbours: from the kernel's ARP table, and better from this round's probes.
fn macs(root: Root<'_>, sightings: &[Sighting]) -> BTreeMap<IpAddr, String> {
    let mut macs = root.text("/proc/net/arp").map(|text| network::arp_table(&text)).unwrap_or_default();
    for sighting in sightings {
        if let Sighting::Gateway(_, ip, Outcome::Ok(gateway)) = sighting
            && let Some(mac) = &gateway.mac
        {
            macs.insert(*ip, mac.clone());
        }
    }
    macs
}

fn resolvers(sightings: &[Sighting]) -> Seen<Vec<IpAddr>> {
    let setup = sightings.iter().find_map(|s| if let Sighting::Resolvers(outcome) = s { Some(outcome) } else { None });
    match setup {
        Some(Outcome::Ok(setup)) => Seen::Seen(setup.servers.clone()),
        Some(Outcome::Unknown(because)) => Seen::Unseen(because.clone()),
        Some(Outcome::Failed(_)) | None => Seen::Unseen(Unseen::Skipped),
    }
}

pub(super) fn host(root: Root<'_>, stamp: &Stamp) -> Host {
    Host {
        name: root.word("/proc/sys/kernel/hostname"),
        timezone: timezone(root),
        hosts: root.state_of("/etc/hosts", meaning::hosts),
        resolv: root.state("/etc/resolv.conf"),
        clock: stamp.clock,
    }
}

/// The IANA name of the time zone of this PC, where it has one.
pub fn time_zone_now() -> Option<String> {
    timezone(Root(std::path::Path::new("/")))
}

/// From where `/etc/localtime` points, else from `/etc/timezone`.
fn timezone(root: Root<'_>) -> Option<String> {
    let target = std::fs::read_link(root.at("/etc/localtime")).ok();
    let name = target.as_ref().and_then(|path| path.to_str()?.split_once("zoneinfo/").map(|(_, name)| name.to_owned()));
    name.or_else(|| root.word("/etc/timezone"))
}

/// Names that the configuration speaks of.
pub(super) fn names(config: &Config) -> BTreeSet<&str> {
    let mut names: BTreeSet<&str> = config.dns.names.iter().map(String::as_str).collect();
    names.extend(config.centres.iter().map(|centre| centre.host.as_str()));
    names.extend(config.vpns.iter().filter_map(|vpn| vpn.server.as_ref()).map(|server| server.host.as_str()));
    names
}

/// Names as the hosts file has them.
pub(super) fn hosts_entries(root: Root<'_>, names: &BTreeSet<&str>) -> Vec<HostsEntry> {
    let places = Places { hosts: root.at("/etc/hosts"), ..Places::default() };
    let addresses = |name: &str| resolv::hosts(&places, name).unwrap_or_default();
    let entries = names.iter().map(|name| HostsEntry { name: (*name).to_owned(), addresses: addresses(name) });
    entries.filter(|entry| !entry.addresses.is_empty()).collect()
}

pub(super) fn time_keeping(root: Root<'_>, daemons: &[String]) -> TimeKeeping {
    // The kernel keeps 15 characters of a program's name.
    let kept = |name: &str| name.chars().take(15).collect::<String>();
    let running: BTreeSet<String> = root.processes().filter_map(|process| root.word(&format!("/proc/{process}/comm"))).collect();
    let mut files = Vec::new();
    for place in TIME_PLACES {
        if place.ends_with('/') {
            // What a package or an editor leaves beside them is not read by anybody.
            let read = |name: &String| [".conf", ".sources"].iter().any(|ending| name.ends_with(ending));
            files.extend(root.names(place).into_iter().filter(read).take(64).map(|name| format!("{place}{name}")));
        } else if root.at(place).symlink_metadata().is_ok() {
            files.push(place.to_owned());
        }
    }
    let time_file = |path: String| TimeFile { state: root.state_of(&path, meaning::time), path };
    TimeKeeping {
        daemons: daemons.iter().filter(|name| running.contains(&kept(name))).cloned().collect(),
        files: files.into_iter().map(time_file).filter(|file| file.state != FileState::Absent).collect(),
    }
}

fn switch(root: Root<'_>, name: &str) -> Option<bool> {
    root.word(name).map(|value| value != "0")
}

/// Default routes and those that catch as much, in the order of preference.
pub(super) fn wide_routes(sightings: &[Sighting]) -> Vec<&Route> {
    let routes = sightings.iter().find_map(|s| if let Sighting::Routes(Outcome::Ok(table)) = s { Some(table) } else { None });
    let unicast = |route: &&Route| route.kind == crate::model::RouteKind::Unicast && network::is_wide(&route.destination);
    let multicast = |route: &Route| route.destination.addr().is_multicast();
    let mut wide: Vec<&Route> =
        routes.map(|table| table.routes.iter().filter(unicast).filter(|r| !multicast(r)).collect()).unwrap_or_default();
    wide.sort_by_key(|route| (route.destination.prefix_len(), route.metric));
    wide
}
