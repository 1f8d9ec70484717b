//! What differs between two baselines. Pure. What either of them could not see is no difference.

use super::network::named;
use super::{Baseline, FileState};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Something that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Deviation {
    /// What kind of thing.
    pub aspect: Aspect,
    /// Which one: an interface, a path, a name; empty where there is only one.
    pub subject: String,
    /// As it was; `None` = it was not there.
    pub old: Option<String>,
    /// As it is; `None` = it is gone.
    pub new: Option<String>,
}

/// The kinds of things that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// The terminal's id.
    Terminal,
    /// The configured access.
    Access,
    /// An interface: where it sits and its driver.
    Interface,
    /// Its hardware address.
    InterfaceMac,
    /// A default route's gateway and its interface.
    Gateway,
    /// The gateway's hardware address.
    GatewayMac,
    /// An on-link prefix.
    OnLink,
    /// An allowed prefix.
    Allowed,
    /// The name servers.
    Resolvers,
    /// A configured name in the hosts file.
    HostsEntry,
    /// The hosts file.
    HostsFile,
    /// `resolv.conf`.
    ResolvFile,
    /// The host name.
    HostName,
    /// The time zone.
    Timezone,
    /// Who holds a tunnel interface.
    Owner,
    /// A USB device.
    Usb,
    /// A time daemon.
    TimeDaemon,
    /// A time daemon's configuration.
    TimeFile,
    /// The firewall.
    Firewall,
    /// Forwarding.
    Forwarding,
}

/// Facts of a baseline: what it says of each thing. `None` = could not be seen.
type Facts = BTreeMap<(Aspect, String), Option<String>>;

/// All differences, by aspect and subject.
pub fn compare(old: &Baseline, new: &Baseline) -> Vec<Deviation> {
    let (unseen, old, new) = (blind(old).union(&blind(new)).copied().collect::<BTreeSet<_>>(), facts(old), facts(new));
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).filter(|(aspect, _)| !unseen.contains(aspect)).collect();
    let differ = |key: &(Aspect, String)| {
        let (before, after) = (old.get(key), new.get(key));
        // Present on a side, and not seen there: nothing can be said.
        if before == after || before == Some(&None) || after == Some(&None) {
            return None;
        }
        // A new or vanished thing is told once, not again for its address.
        if matches!(key.0, Aspect::InterfaceMac | Aspect::GatewayMac) && (before.is_none() || after.is_none()) {
            return None;
        }
        let value = |side: Option<&Option<String>>| side.cloned().flatten();
        Some(Deviation { aspect: key.0, subject: key.1.clone(), old: value(before), new: value(after) })
    };
    keys.into_iter().filter_map(differ).collect()
}

/// Aspects of which nothing at all was seen.
fn blind(baseline: &Baseline) -> BTreeSet<Aspect> {
    let sides = [
        (Aspect::Resolvers, baseline.resolvers.get().is_none()),
        (Aspect::Owner, baseline.owners.get().is_none()),
        (Aspect::Firewall, baseline.firewall.get().is_none()),
    ];
    sides.into_iter().filter(|(_, blind)| *blind).map(|(aspect, _)| aspect).collect()
}

fn facts(baseline: &Baseline) -> Facts {
    let mut facts = Facts::new();
    identity(baseline, &mut facts);
    network(baseline, &mut facts);
    system(baseline, &mut facts);
    facts
}

fn identity(baseline: &Baseline, facts: &mut Facts) {
    let mut add = |aspect, value: Option<String>| facts.insert((aspect, String::new()), value);
    add(Aspect::Terminal, baseline.terminal.clone());
    add(Aspect::Access, serde_json::to_value(baseline.access).ok().and_then(|value| value.as_str().map(str::to_owned)));
    add(Aspect::HostName, baseline.host.name.clone());
    add(Aspect::Timezone, baseline.host.timezone.clone());
    add(Aspect::HostsFile, file(&baseline.host.hosts));
    add(Aspect::ResolvFile, file(&baseline.host.resolv));
}

fn network(baseline: &Baseline, facts: &mut Facts) {
    let mut add = |aspect, subject: String, value| facts.insert((aspect, subject), value);
    for interface in &baseline.interfaces {
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
        let place = format!("{} {}", part(&interface.device), part(&interface.driver));
        add(Aspect::Interface, interface.name.to_string(), Some(place));
        add(Aspect::InterfaceMac, interface.name.to_string(), interface.mac.clone());
    }
    for gateway in &baseline.gateways {
        let address = gateway.address.map_or_else(|| "-".to_owned(), |ip| ip.to_string());
        add(Aspect::GatewayMac, address.clone(), gateway.mac.clone());
        add(Aspect::Gateway, format!("{address} {}", named(gateway.device.as_ref())), Some("default".to_owned()));
    }
    for net in &baseline.prefixes.on_link {
        add(Aspect::OnLink, net.to_string(), Some("on-link".to_owned()));
    }
    for net in &baseline.prefixes.allowed {
        add(Aspect::Allowed, net.to_string(), Some("allowed".to_owned()));
    }
    add(Aspect::Resolvers, String::new(), baseline.resolvers.get().map(|servers| list(servers)));
    for entry in &baseline.hosts_entries {
        add(Aspect::HostsEntry, entry.name.clone(), Some(list(&entry.addresses)));
    }
    for owner in baseline.owners.get().into_iter().flatten() {
        let unit = owner.unit.as_deref().unwrap_or("-");
        add(Aspect::Owner, owner.interface.to_string(), Some(format!("{} {unit}", owner.process)));
    }
}

fn system(baseline: &Baseline, facts: &mut Facts) {
    let mut add = |aspect, subject: String, value| facts.insert((aspect, subject), value);
    let mut devices: BTreeMap<String, usize> = BTreeMap::new();
    for usb in &baseline.usb {
        *devices.entry(format!("{}:{} {}", usb.vendor, usb.product, usb.serial.as_deref().unwrap_or("-"))).or_default() += 1;
    }
    for (device, count) in devices {
        add(Aspect::Usb, device, Some(count.to_string()));
    }
    for daemon in &baseline.time.daemons {
        add(Aspect::TimeDaemon, daemon.clone(), Some("running".to_owned()));
    }
    for time in &baseline.time.files {
        add(Aspect::TimeFile, time.path.clone(), file(&time.state));
    }
    for guard in baseline.firewall.get().into_iter().flat_map(|firewall| &firewall.guards) {
        let policies: Vec<String> = guard.policies.iter().map(|(chain, policy)| format!("{chain} {policy}")).collect();
        let line = format!("{}, refusing {}, accepting {}, {}", policies.join(", "), guard.refusing, guard.accepting, guard.digest);
        add(Aspect::Firewall, guard.table.clone(), Some(line));
    }
    for (family, on) in [("IPv4", baseline.forwarding.v4), ("IPv6", baseline.forwarding.v6)] {
        add(Aspect::Forwarding, family.to_owned(), on.map(|on| if on { "on" } else { "off" }.to_owned()));
    }
}

fn file(state: &FileState) -> Option<String> {
    match state {
        FileState::Sha256(digest) => Some(digest.chars().take(16).collect()),
        FileState::Absent => Some("absent".to_owned()),
        FileState::Unreadable(_) => None,
    }
}

fn list<T: Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
