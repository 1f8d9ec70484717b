//! What decides how this PC works: name, name servers, hosts file, time configuration, network.
//!
//! Files are read when writing to them has settled, the network when the kernel says that it changed, everything once a minute. What DHCP does
//! comes in steps (address, gateway, name servers), so what is seen of the network counts only once it has stood for two seconds.

mod judge;

use super::aside::aside;
use super::memory::{Memory, REST, Sights, after_a_restart, once_it_stands};
use super::{Blind, Given, Look, Watch};
use crate::baseline::{Baseline, FileState, network_again, settings_again, settings_files};
use crate::config::Config;
use crate::model::{Finding, FindingCode, IfName, Outcome, Subject, Unseen, Watcher};
use crate::sys::changes::Changes;
use crate::sys::netlink::{Ear, Netlink, Snapshot};
use crate::sys::{files, hostname, leases};
use futures_util::future::LocalBoxFuture;
use judge::{Around, network, settings};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use tokio::time::{Instant, sleep_until};

/// How long the network has to stand as it is, ms.
const STANDS_MS: u64 = 2_000;

/// Where the kernel tells the host's name.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// Looks after the settings.
pub struct Settings {
    memory: Memory,
    network: Ear,
    looked: Instant,
    hostname: Option<hostname::Ear>,
    files: Option<Changes>,
    /// What `files` watches.
    places: Vec<PathBuf>,
}

impl Settings {
    /// Begins to listen. Must be called within a tokio runtime with I/O enabled.
    pub fn new() -> Self {
        let hostname =
            hostname::Ear::open().inspect_err(|error| tracing::info!(%error, "another name of this PC is noticed within a minute")).ok();
        Self { memory: Memory::default(), network: Ear::open(), looked: Instant::now(), hostname, files: None, places: Vec::new() }
    }

    /// Watches what is there by now. A watch that cannot be had costs only time: everything is read once a minute.
    fn listen(&mut self) {
        let (files, directories) = settings_files();
        let real = files.iter().chain(&directories).filter_map(|place| std::fs::canonicalize(place).ok()).collect();
        if self.files.is_some() && self.places == real {
            return;
        }
        let changes = Changes::of_files(&files, &directories);
        self.files = changes.inspect_err(|error| tracing::info!(%error, "changes of settings are noticed within a minute")).ok();
        self.places = real;
    }
}

impl Watch for Settings {
    fn watcher(&self) -> Watcher {
        Watcher::Settings
    }

    fn look<'a>(&'a mut self, given: &'a Given) -> LocalBoxFuture<'a, Look> {
        Box::pin(async move {
            // Before reading, so that what changes meanwhile is heard.
            self.listen();
            let Some(was) = given.baseline() else { return Look::of(Vec::new()) };
            self.looked = Instant::now();
            let (snapshot, leased) = kernel().await;
            let Some(read) = read(was, given).await else {
                return Look::blind("settings.files", Unseen::Error("read the settings: gave up".to_owned()));
            };
            let around = around(was, &given.config, &snapshot, leased, &read);
            let mut seen = settings(was, &read.now, &around);
            let mut blind = blind(&read.now);
            if is_nameless(was, &read.now) {
                seen.unseen.push(FindingCode::SettingsHostname);
                // With the line of the unit by which it is there again.
                let why = Unseen::NotMounted(format!("{HOST_NAME} (ProcSubset=all)"));
                blind.push(Blind { what: "settings.hostname", why });
            }
            match network_again(was, &given.config, &snapshot, Path::new("/")) {
                Some(now) => seen.found.extend(network(was, &now, &around)),
                None => cannot_see_network(&snapshot, &mut seen, &mut blind),
            }
            let (found, again) = self.memory.take(seen, &given.at, due);
            Look { found, blind, again }
        })
    }

    fn stirred(&mut self) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            let files = async {
                match &mut self.files {
                    Some(changes) => changes.next().await,
                    None => std::future::pending().await,
                }
            };
            let hostname = async {
                match &self.hostname {
                    Some(ear) => ear.changed().await,
                    None => std::future::pending().await,
                }
            };
            let network = async {
                self.network.changed().await;
                sleep_until(self.looked + REST).await;
            };
            tokio::select! {
                () = files => {}
                () = hostname => {}
                () = network => {}
            }
        })
    }
}

fn due(finding: &Finding, since_ms: u64) -> u64 {
    match (finding.code, &finding.subject) {
        (FindingCode::SettingsTime, Subject::Program(_)) => after_a_restart(since_ms),
        (FindingCode::SettingsResolver | FindingCode::SettingsNetwork, _) => once_it_stands(since_ms, STANDS_MS),
        _ => once_it_stands(since_ms, 0),
    }
}

async fn kernel() -> (Snapshot, BTreeSet<(IfName, IpAddr)>) {
    match Netlink::open() {
        Ok(netlink) => match netlink.leased().await {
            Ok(leased) => (netlink.snapshot().await, leased),
            // Without it what came from outside would seem to be set here.
            Err(why) => (Snapshot::unknown(&why), BTreeSet::new()),
        },
        Err(why) => (Snapshot::unknown(&why), BTreeSet::new()),
    }
}

/// What files and processes say.
struct Read {
    now: Baseline,
    leased_servers: BTreeSet<IpAddr>,
    named_by_network: bool,
    processes: bool,
}

/// Off the loop: it walks all processes.
async fn read(was: &Baseline, given: &Given) -> Option<Read> {
    let (was, config, at) = (was.clone(), given.config.clone(), given.at.clone());
    let read = aside(move || Read {
        now: settings_again(&was, &config, &at, Path::new("/")),
        leased_servers: leases::name_servers(),
        named_by_network: files::read_word(Path::new("/etc/hostname")).is_none_or(|name| name.is_empty() || name.starts_with("localhost")),
        // With `hidepid` a user sees its own processes only.
        processes: Path::new("/proc/1").exists(),
    });
    read.await.ok()
}

fn around(was: &Baseline, config: &Config, snapshot: &Snapshot, leased: BTreeSet<(IfName, IpAddr)>, read: &Read) -> Around {
    let links = snapshot.links.ok().cloned().unwrap_or_default();
    let differs = |is_it: &dyn Fn(&str) -> bool| {
        let then = was.interfaces.iter().any(|interface| is_it(interface.name.as_str()));
        then != links.iter().any(|link| is_it(link.name.as_str()) && link.up)
    };
    // Not every client that was connected at enrolment is configured.
    let mut owned = was.owners.get().into_iter().flatten().map(|owner| owner.interface.as_str());
    let other_tunnels =
        config.vpns.iter().any(|vpn| differs(&|name| vpn.interface.matches(name))) || owned.any(|tunnel| differs(&|name| name == tunnel));
    let addresses = snapshot.addresses.ok().cloned().unwrap_or_default();
    let (leased_servers, named_by_network, processes) = (read.leased_servers.clone(), read.named_by_network, read.processes);
    Around { links, addresses, leased, leased_servers, other_tunnels, named_by_network, processes }
}

/// The file of the host's name is not there, as in a sandbox that shows nothing of `/proc` but processes (`ProcSubset=pid`).
fn is_nameless(was: &Baseline, now: &Baseline) -> bool {
    was.host.name.is_some() && now.host.name.is_none()
}

/// What was readable at enrolment or should be.
fn blind(now: &Baseline) -> Vec<Blind> {
    let files = [&now.host.hosts, &now.host.resolv].into_iter().chain(now.time.files.iter().map(|file| &file.state));
    let why = files.into_iter().find_map(|state| if let FileState::Unreadable(why) = state { Some(why.clone()) } else { None });
    why.map(|why| Blind { what: "settings.files", why: Unseen::Error(why) }).into_iter().collect()
}

fn cannot_see_network(snapshot: &Snapshot, seen: &mut Sights, blind: &mut Vec<Blind>) {
    fn why<T>(outcome: &Outcome<T>) -> Option<Unseen> {
        if let Outcome::Unknown(why) = outcome { Some(why.clone()) } else { None }
    }
    seen.unseen.push(FindingCode::SettingsNetwork);
    let lists = [why(&snapshot.links), why(&snapshot.addresses), why(&snapshot.routes), why(&snapshot.neighbours)];
    blind.extend(lists.into_iter().flatten().next().map(|why| Blind { what: "settings.network", why }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::{Owner, Seen};
    use crate::config::Vpn;
    use crate::model::{Link, LinkKind};
    use crate::testing::link;

    /// Whether name servers may have come or gone with a tunnel.
    fn excused(was: &Baseline, config: &Config, links: Vec<Link>) -> bool {
        let snapshot = Snapshot { links: Outcome::Ok(links), ..Snapshot::unknown(&Unseen::Skipped) };
        let (leased_servers, now) = (BTreeSet::new(), was.clone());
        let read = Read { now, leased_servers, named_by_network: false, processes: true };
        around(was, config, &snapshot, BTreeSet::new(), &read).other_tunnels
    }

    #[test]
    fn name_servers_come_and_go_with_a_tunnel_that_is_configured_or_was_somebodys_at_enrolment() {
        let (eth0, tun0) = (|| link("eth0", LinkKind::Ethernet), || link("tun0", LinkKind::Tun));
        let down = || vec![eth0(), Link { up: false, ..tun0() }];
        let mut was = crate::baseline::tests::baseline();
        let mut config = Config::default();
        was.owners = Seen::Seen(Vec::new());
        assert!(!excused(&was, &config, vec![eth0()]), "nobody knows of a tunnel");
        was.owners = Seen::Seen(vec![Owner { interface: IfName::new("tun0"), process: "client".to_owned(), unit: None }]);
        assert!(excused(&was, &config, vec![eth0()]) && excused(&was, &config, down()) && !excused(&was, &config, vec![eth0(), tun0()]));
        was.owners = Seen::Unseen(Unseen::Skipped);
        config.vpns = vec![toml::from_str::<Vpn>("name = 'v'\ninterface = 'tun*'\n").expect("a VPN")];
        assert!(excused(&was, &config, down()) && !excused(&was, &config, vec![eth0(), tun0()]));
    }

    #[test]
    fn a_host_s_name_that_cannot_be_read_is_unseen_and_one_that_was_never_known_is_not() {
        let pc = crate::baseline::tests::pc();
        let was = crate::baseline::tests::baseline();
        let at = crate::sys::clock::stamp();
        let nameless = |was: &Baseline| is_nameless(was, &settings_again(was, &Config::default(), &at, pc.path()));
        assert!(was.host.name.is_some() && !nameless(&was));
        std::fs::remove_file(pc.path().join(&HOST_NAME[1..])).expect("removed");
        assert!(nameless(&was), "the sandbox hides it");
        let mut never = was.clone();
        never.host.name = None;
        assert!(!nameless(&never), "there is nothing to compare with");
        for lang in crate::catalogue::Lang::ALL {
            assert!(crate::catalogue::unseen_what("watch.settings.settings.hostname", lang).is_some());
        }
    }

    #[test]
    fn a_daemon_has_time_to_start_anew_and_the_network_to_settle() {
        let told = |code, subject: Subject| due(&Finding::new(code, subject, crate::model::Origin::LocalChange), 1_000_000) - 1_000_000;
        assert_eq!(told(FindingCode::SettingsTime, Subject::Program("chronyd".to_owned())), 30_000);
        assert_eq!(told(FindingCode::SettingsTime, Subject::File("/etc/chrony.conf".to_owned())), 0);
        for code in [FindingCode::SettingsResolver, FindingCode::SettingsNetwork] {
            assert_eq!(told(code, Subject::Terminal), STANDS_MS);
        }
    }
}
