//! Parts of the baseline taken again, so that what watches can compare: a baseline as it was, but for the part that is as it is now. What could
//! not be seen now is marked as unseen and differs from nothing.

use super::files::Root;
use super::gather::{TIME_PLACES, host, hosts_entries, names, time_keeping};
use super::{Baseline, FileState, HostsEntry, Seen, TimeKeeping, network};
use crate::config::Config;
use crate::model::{Outcome, Stamp};
use crate::sys::netlink::Snapshot;
use crate::sys::resolv::{self, Places};
use std::path::{Path, PathBuf};

/// The baseline with host, name servers, configured names and time keeping as they are now. Walks all processes: 5 ms and more.
pub fn settings_again(was: &Baseline, config: &Config, stamp: &Stamp, root: &Path) -> Baseline {
    let below = Root(root);
    let host = host(below, stamp);
    let readable = matches!(host.hosts, FileState::Sha256(_) | FileState::Absent);
    // A name that was configured since then was not looked up then.
    let known = |entry: &HostsEntry| host.hosts != was.host.hosts || was.hosts_entries.iter().any(|then| then.name == entry.name);
    // One that is not configured any more is still to be found there.
    let mut names = names(config);
    names.extend(was.hosts_entries.iter().map(|then| then.name.as_str()));
    let entries = if readable { hosts_entries(below, &names).into_iter().filter(known).collect() } else { was.hosts_entries.clone() };
    let kept = TimeKeeping {
        // So was a daemon.
        daemons: was.time.daemons.iter().filter(|name| !config.clock.time_daemons.contains(name)).cloned().collect(),
        files: Vec::new(),
    };
    let mut time = time_keeping(below, &config.clock.time_daemons);
    time.daemons.extend(kept.daemons);
    Baseline { resolvers: resolvers(below), hosts_entries: entries, time, host, ..was.clone() }
}

/// The name servers in use. What a stub of systemd asks is unknown while it has none behind it: that is so at times when a line is down.
fn resolvers(root: Root<'_>) -> Seen<Vec<std::net::IpAddr>> {
    let places = Places::default();
    let at = |path: &Path| root.0.join(path.strip_prefix("/").unwrap_or(path));
    let places = Places {
        resolv_conf: at(&places.resolv_conf),
        behind_stub: places.behind_stub.iter().map(|path| at(path)).collect(),
        hosts: at(&places.hosts),
    };
    match resolv::resolvers(&places) {
        Outcome::Ok(setup) if setup.stub.is_some_and(is_systemds) && setup.servers.iter().copied().all(is_systemds) => {
            Seen::Unseen(crate::model::Unseen::Unsteady)
        }
        Outcome::Ok(setup) => Seen::Seen(setup.servers),
        Outcome::Unknown(why) => Seen::Unseen(why),
        Outcome::Failed(_) => Seen::Unseen(crate::model::Unseen::Skipped),
    }
}

/// The stub of systemd-resolved listens on these.
fn is_systemds(ip: std::net::IpAddr) -> bool {
    ip == std::net::Ipv4Addr::new(127, 0, 0, 53) || ip == std::net::Ipv4Addr::new(127, 0, 0, 54)
}

/// The baseline with interfaces, gateways and prefixes as they are in this snapshot; `None` = a part of it is missing. Of gateways only what
/// the kernel knows of their hardware addresses.
pub fn network_again(was: &Baseline, config: &Config, snapshot: &Snapshot, root: &Path) -> Option<Baseline> {
    let (links, addresses, routes) = (snapshot.links.ok()?, snapshot.addresses.ok()?, snapshot.routes.ok()?);
    let neighbours = snapshot.neighbours.ok()?;
    let macs = neighbours.iter().filter_map(|entry| Some((entry.address, entry.mac.clone()?))).collect();
    Some(Baseline {
        interfaces: network::interfaces(Root(root), links),
        gateways: network::gateways(&routes.defaults(), &macs),
        prefixes: network::prefixes(&config.network.allowed_prefixes, addresses, &routes.routes),
        ..was.clone()
    })
}

/// The files whose content these settings are, and the directories of which every file counts.
pub fn settings_files() -> (Vec<PathBuf>, Vec<PathBuf>) {
    let places = Places::default();
    let (directories, files): (Vec<&str>, Vec<&str>) = TIME_PLACES.iter().partition(|place| place.ends_with('/'));
    let mut files: Vec<PathBuf> = files.into_iter().map(PathBuf::from).collect();
    files.extend([places.resolv_conf, places.hosts]);
    files.extend(places.behind_stub);
    (files, directories.into_iter().map(|place| PathBuf::from(place.trim_end_matches('/'))).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{kernel, pc, stamp};
    use super::super::{Aspect, Circumstances, Firewall, compare, gather};
    use super::*;
    use std::fs;

    fn enrolled(root: &Path) -> (Baseline, Config) {
        let mut config = Config::default();
        config.dns.names = vec!["settle.centre.example".to_owned()];
        let (sightings, stamp) = (kernel(), stamp());
        let firewall = Seen::Seen(Firewall::default());
        let given = Circumstances { config: &config, sightings: &sightings, firewall: &firewall, lent: None, stamp: &stamp, root };
        (gather(given).expect("a baseline"), config)
    }

    fn aspects(was: &Baseline, config: &Config, root: &Path) -> Vec<Aspect> {
        compare(was, &settings_again(was, config, &stamp(), root)).into_iter().map(|deviation| deviation.aspect).collect()
    }

    #[test]
    fn what_did_not_change_does_not_differ() {
        let pc = pc();
        let (was, config) = enrolled(pc.path());
        assert_eq!(aspects(&was, &config, pc.path()), []);
        // The same once more.
        let hosts = fs::read(pc.path().join("etc/hosts")).expect("read");
        fs::write(pc.path().join("etc/hosts"), hosts).expect("written");
        assert_eq!(aspects(&was, &config, pc.path()), []);
    }

    #[test]
    fn what_is_said_in_other_words_or_left_beside_a_file_does_not_differ() {
        let pc = pc();
        let (was, config) = enrolled(pc.path());
        let put = |name: &str, text: &str| fs::write(pc.path().join(name), text).expect("written");
        put("etc/hosts", "127.0.1.1 counter2\n10.20.0.10\tsettle.centre.example\n# a comment\n10.20.0.11 settle.centre.example\n");
        put("etc/chrony/chrony.conf", "! a new release\nserver   10.20.0.3\nlogdir /var/log/chrony\n");
        fs::create_dir_all(pc.path().join("etc/chrony/conf.d")).expect("made");
        put("etc/chrony/conf.d/README", "server 192.0.2.1\n");
        put("etc/chrony/conf.d/site.conf.dpkg-old", "server 192.0.2.1\n");
        put("etc/chrony/conf.d/logs.conf", "log tracking\n");
        assert_eq!(aspects(&was, &config, pc.path()), []);
        put("etc/chrony/conf.d/site.conf", "server 192.0.2.1\n");
        assert_eq!(aspects(&was, &config, pc.path()), [Aspect::TimeFile]);
    }

    #[test]
    fn each_setting_that_changed_differs() {
        let pc = pc();
        let (was, config) = enrolled(pc.path());
        let put = |name: &str, text: &str| fs::write(pc.path().join(name), text).expect("written");
        put("etc/resolv.conf", "nameserver 8.8.8.8\n");
        assert_eq!(aspects(&was, &config, pc.path()), [Aspect::Resolvers, Aspect::ResolvFile]);
        put("etc/hosts", "10.66.6.6 settle.centre.example\n");
        put("etc/chrony/chrony.conf", "server 10.66.6.7\n");
        put("proc/sys/kernel/hostname", "other\n");
        put("proc/700/comm", "sleep\n");
        let all = aspects(&was, &config, pc.path());
        for aspect in [Aspect::HostsEntry, Aspect::HostsFile, Aspect::HostName, Aspect::TimeDaemon, Aspect::TimeFile] {
            assert!(all.contains(&aspect), "{aspect:?} in {all:?}");
        }
    }

    #[test]
    fn what_the_configuration_speaks_of_only_since_then_was_not_looked_at_then() {
        let pc = pc();
        fs::write(pc.path().join("etc/hosts"), "10.20.0.10 settle.centre.example\n10.20.0.11 other.centre.example\n").expect("written");
        let (was, mut config) = enrolled(pc.path());
        config.dns.names.push("other.centre.example".to_owned());
        config.clock.time_daemons.clear();
        assert_eq!(aspects(&was, &config, pc.path()), []);
    }

    #[test]
    fn what_the_configuration_does_not_speak_of_any_more_is_still_there() {
        let pc = pc();
        let (was, _) = enrolled(pc.path());
        let add = |line: &str| {
            let hosts = fs::read_to_string(pc.path().join("etc/hosts")).expect("read");
            fs::write(pc.path().join("etc/hosts"), hosts + line).expect("written");
        };
        add("10.1.0.77 printer\n");
        assert_eq!(aspects(&was, &Config::default(), pc.path()), [Aspect::HostsFile]);
        add("10.66.6.6 settle.centre.example\n");
        assert_eq!(aspects(&was, &Config::default(), pc.path()), [Aspect::HostsEntry, Aspect::HostsFile], "it leads elsewhere now");
    }

    #[test]
    fn what_cannot_be_read_differs_from_nothing() {
        let pc = pc();
        let (was, config) = enrolled(pc.path());
        for name in ["etc/hosts", "etc/resolv.conf"] {
            fs::remove_file(pc.path().join(name)).expect("removed");
            fs::create_dir(pc.path().join(name)).expect("something else in its place");
        }
        assert_eq!(aspects(&was, &config, pc.path()), []);
        fs::remove_dir(pc.path().join("etc/resolv.conf")).expect("removed");
        fs::write(pc.path().join("etc/resolv.conf"), "nameserver 127.0.0.53\n").expect("written");
        assert_eq!(aspects(&was, &config, pc.path()), [Aspect::ResolvFile], "a stub with nothing behind it says nothing");
    }
}
