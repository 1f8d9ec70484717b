//! A PC as a directory: sysfs, procfs and /etc in a temporary place.

use super::*;
use crate::config::{Config, Firewall as Wanted, Vpn};
use crate::model::{Link, LinkKind, Outcome, ResolverSetup, RouteTable, Sighting, Stamp};
use crate::testing::{address, link, route};
use proptest::prelude::*;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use tempfile::TempDir;

fn put(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
    std::fs::write(path, text).expect("written");
}

fn link_to(root: &Path, name: &str, target: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
    symlink(target, path).expect("linked");
}

/// An ordinary terminal with `OpenVPN` up and a card reader plugged in.
pub(crate) fn pc() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    put(root, "etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    put(root, "etc/hosts", "127.0.0.1 localhost\n10.20.0.10 settle.centre.example # centre\n10.20.0.11\tSettle.centre.example\n");
    put(root, "etc/resolv.conf", "nameserver 10.20.0.2\n");
    put(root, "etc/chrony/chrony.conf", "server 10.20.0.3\n");
    put(root, "proc/sys/kernel/hostname", "counter2\n");
    put(root, "proc/sys/net/ipv4/ip_forward", "0\n");
    put(
        root,
        "proc/net/arp",
        "IP address       HW type     Flags       HW address            Mask     Device\n10.1.0.1         0x1         0x2         AA:bb:cc:00:00:01     *        eth0\n10.1.0.9         0x1         0x0         00:00:00:00:00:00     *        eth0\n",
    );
    link_to(root, "etc/localtime", "/usr/share/zoneinfo/Asia/Shanghai");
    put(root, "sys/devices/pci0000:00/0000:00:03.0/net/eth0/addr_assign_type", "0\n");
    link_to(root, "sys/devices/pci0000:00/0000:00:03.0/driver", "../../../bus/pci/drivers/e1000e");
    link_to(root, "sys/devices/pci0000:00/0000:00:03.0/net/eth0/device", "../..");
    link_to(root, "sys/class/net/eth0", "../../devices/pci0000:00/0000:00:03.0/net/eth0");
    put(root, "sys/devices/virtual/net/tun0/addr_assign_type", "1\n");
    link_to(root, "sys/class/net/tun0", "../../devices/virtual/net/tun0");
    put(root, "proc/812/comm", "openvpn\n");
    put(root, "proc/812/cgroup", "0::/system.slice/openvpn-client@centre.service\n");
    put(root, "proc/812/fdinfo/5", "pos:\t0\niff:\ttun0\n");
    put(root, "proc/700/comm", "chronyd\n");
    put(root, "proc/700/fdinfo/0", "pos:\t0\n");
    usb(root, "1-1", ("0c4b", "0501", None), &[("0b", "00", "00")]);
    put(root, "sys/bus/usb/devices/usb1/idVendor", "1d6b\n");
    dir
}

fn usb(root: &Path, port: &str, (vendor, product, serial): (&str, &str, Option<&str>), classes: &[(&str, &str, &str)]) {
    let base = format!("sys/bus/usb/devices/{port}");
    put(root, &format!("{base}/idVendor"), vendor);
    put(root, &format!("{base}/idProduct"), product);
    put(root, &format!("{base}/bDeviceClass"), "00");
    if let Some(serial) = serial {
        put(root, &format!("{base}/serial"), serial);
    }
    for (i, (class, subclass, protocol)) in classes.iter().enumerate() {
        put(root, &format!("{base}:1.{i}/bInterfaceClass"), class);
        put(root, &format!("{base}:1.{i}/bInterfaceSubClass"), subclass);
        put(root, &format!("{base}:1.{i}/bInterfaceProtocol"), protocol);
    }
}

pub(crate) fn kernel() -> Vec<Sighting> {
    vec![
        Sighting::Links(Outcome::Ok(vec![
            link("lo", LinkKind::Loopback),
            Link { mac: Some("52:54:00:00:00:01".to_owned()), ..link("eth0", LinkKind::Ethernet) },
            link("tun0", LinkKind::Tun),
        ])),
        Sighting::Addresses(Outcome::Ok(vec![
            address("lo", "127.0.0.1/8"),
            address("eth0", "10.1.0.7/24"),
            address("tun0", "10.20.3.4/32"),
        ])),
        Sighting::Routes(Outcome::Ok(RouteTable {
            routes: vec![
                route("0.0.0.0/0", "eth0", Some("10.1.0.1")),
                route("10.1.0.0/24", "eth0", None),
                route("10.20.0.0/16", "tun0", None),
            ],
        })),
        Sighting::Resolvers(Outcome::Ok(ResolverSetup { servers: vec!["10.20.0.2".parse().expect("an address")], stub: None })),
    ]
}

fn config() -> Config {
    let mut config = Config { vpns: vec![vpn("centre", "tun*")], ..Config::default() };
    config.dns.names = vec!["settle.centre.example".to_owned()];
    config
}

fn vpn(name: &str, interface: &str) -> Vpn {
    toml::from_str(&format!("name = \"{name}\"\ninterface = \"{interface}\"\n")).expect("a vpn")
}

/// The baseline of that PC.
pub(crate) fn plain() -> Baseline {
    taken(pc().path(), &config(), &kernel()).0
}

pub(crate) fn stamp() -> Stamp {
    Stamp {
        boot_id: String::new(),
        boottime_ms: 1,
        wall: "2026-11-22T08:00:00Z".parse().expect("a time"),
        offset_s: 0,
        clock: ClockState::Synchronised,
    }
}

pub(super) fn firewall() -> Seen<Firewall> {
    let listing = "table inet filter { # handle 1\n\tchain input { # handle 1\n\t\ttype filter hook input priority filter; policy drop;\n\t\ttcp dport 22 accept # handle 5\n\t}\n}\n";
    Seen::Seen(firewall::protection(listing))
}

fn taken(root: &Path, config: &Config, sightings: &[Sighting]) -> (Baseline, Vec<Concern>) {
    let (stamp, firewall) = (stamp(), firewall());
    let given = Circumstances { config, sightings, firewall: &firewall, lent: None, stamp: &stamp, root };
    let baseline = gather(given).expect("a baseline");
    let concerns = concerns(&baseline, &given, &[], &[]);
    (baseline, concerns)
}

/// Of that PC, for other modules' tests.
pub(crate) fn baseline() -> Baseline {
    taken(pc().path(), &config(), &kernel()).0
}

#[test]
fn a_baseline_says_what_the_pc_is() {
    let pc = pc();
    let (baseline, _) = taken(pc.path(), &config(), &kernel());
    insta::assert_snapshot!(serde_json::to_string_pretty(&baseline).expect("json"));
    let text = serde_json::to_string(&baseline).expect("json");
    assert!(!text.contains("0123456789abcdef"), "the machine id leaks");
}

#[test]
fn an_ordinary_pc_raises_only_the_question_of_its_default_route() {
    let pc = pc();
    let (_, concerns) = taken(pc.path(), &config(), &kernel());
    assert_eq!(concerns, [Concern::DefaultRoute("0.0.0.0/0 10.1.0.1 eth0".to_owned())]);
    let mut over_internet = config();
    over_internet.network.access = Access::VpnOverInternet;
    assert_eq!(taken(pc.path(), &over_internet, &kernel()).1, []);
}

#[test]
fn what_an_engineer_must_accept_is_listed() {
    let pc = pc();
    let root = pc.path();
    usb(root, "1-2", ("0951", "1666", Some("60A4")), &[("08", "06", "50")]);
    usb(root, "1-3", ("18d1", "4eeb", None), &[("06", "01", "01"), ("e0", "01", "03")]);
    put(root, "proc/sys/net/ipv4/ip_forward", "1\n");
    std::fs::remove_dir_all(root.join("proc/700")).expect("removed");
    std::fs::remove_dir_all(root.join("proc/812")).expect("removed");
    std::fs::remove_file(root.join("etc/machine-id")).expect("removed");
    let mut sightings = kernel();
    sightings[2] = Sighting::Routes(Outcome::Ok(RouteTable {
        routes: vec![route("0.0.0.0/0", "eth0", Some("10.1.0.1")), route("0.0.0.0/1", "usb0", Some("192.168.43.1"))],
    }));
    let stamp = stamp();
    let none = Seen::Seen(Firewall::default());
    let config = config();
    let given = Circumstances { config: &config, sightings: &sightings, firewall: &none, lent: None, stamp: &stamp, root };
    let baseline = gather(given).expect("a baseline");
    let found = concerns(&baseline, &given, &[], &[("/etc/isonet/isonet.toml".to_owned(), 0o666)]);
    let stick = "0951:1666 60A4".to_owned();
    let phone = "18d1:4eeb -".to_owned();
    let expected = [
        Concern::NoIdentity,
        Concern::DefaultRoute("0.0.0.0/0 10.1.0.1 eth0".to_owned()),
        Concern::DefaultRoute("0.0.0.0/1 192.168.43.1 usb0".to_owned()),
        Concern::SeveralDefaults(2),
        Concern::Forwarding("IPv4"),
        Concern::UsbPresent(UsbRole::Storage, stick),
        Concern::UsbPresent(UsbRole::Phone, phone.clone()),
        Concern::UsbPresent(UsbRole::Network, phone),
        Concern::NoTimeDaemon,
        Concern::NoFirewall,
        Concern::VpnOwnerUnknown("centre".to_owned()),
        Concern::Permissions("/etc/isonet/isonet.toml".to_owned(), 0o666),
    ];
    assert_eq!(found, expected);
    // Nobody wants one here: then its absence is nothing to accept.
    let mut without = config.clone();
    without.rules.firewall = Wanted::None;
    assert!(!concerns(&baseline, &Circumstances { config: &without, ..given }, &[], &[]).contains(&Concern::NoFirewall));
}

#[test]
fn of_a_usb_device_it_is_kept_what_it_can_do_and_how_many_drives_are_empty() {
    let pc = pc();
    let root = pc.path();
    usb(root, "1-4", ("05e3", "0747", None), &[("08", "06", "50")]);
    for (disk, sectors) in [("sdc", "0\n"), ("sdd", "2048\n")] {
        let place = format!("sys/bus/usb/devices/1-4/host/block/{disk}");
        put(root, &format!("{place}/dev"), "8:32\n");
        put(root, &format!("{place}/size"), sectors);
        link_to(root, &format!("sys/block/{disk}"), &format!("../bus/usb/devices/1-4/host/block/{disk}"));
    }
    usb(root, "1-5", ("2717", "ff40", None), &[("ff", "ff", "00")]);
    put(root, "sys/bus/usb/devices/1-5:1.0/interface", "MTP\n");
    let (baseline, concerns) = taken(root, &config(), &kernel());
    let kept: Vec<_> = baseline.usb.iter().map(|device| (device.product.as_str(), device.roles.as_slice(), device.empty_drives)).collect();
    assert_eq!(kept, [("0747", &[UsbRole::Storage][..], 1), ("0501", &[], 0), ("ff40", &[UsbRole::Phone], 0)]);
    assert!(concerns.contains(&Concern::UsbPresent(UsbRole::Phone, "2717:ff40 -".to_owned())), "{concerns:?}");
    let text = serde_json::to_string(&baseline).expect("json");
    assert_eq!(serde_json::from_str::<Baseline>(&text).expect("read again"), baseline);
}

#[test]
fn without_the_kernels_word_nothing_is_taken() {
    let pc = pc();
    let (config, stamp) = (config(), stamp());
    for missing in 0..3 {
        let mut sightings = kernel();
        sightings.remove(missing);
        let firewall = firewall();
        let given =
            Circumstances { config: &config, sightings: &sightings, firewall: &firewall, lent: None, stamp: &stamp, root: pc.path() };
        assert!(matches!(gather(given), Err(GatherError::Blind { .. })), "{missing}");
    }
}

#[test]
fn an_empty_system_gives_a_baseline_and_not_a_panic() {
    let empty = tempfile::tempdir().expect("a directory");
    let (baseline, _) = taken(empty.path(), &Config::default(), &kernel());
    assert_eq!((baseline.terminal, baseline.host.hosts, baseline.usb), (None, FileState::Absent, Vec::new()));
}

#[test]
fn the_same_pc_does_not_deviate_and_a_changed_one_does() {
    let pc = pc();
    let (old, _) = taken(pc.path(), &config(), &kernel());
    assert_eq!(compare(&old, &old.clone()), []);
    let mut new = old.clone();
    new.gateways[0].mac = Some("aa:bb:cc:00:00:02".to_owned());
    new.interfaces.push(Interface {
        name: IfName::new("usb0"),
        device: None,
        driver: Some("rndis_host".to_owned()),
        mac: Some("x".to_owned()),
        mac_origin: MacOrigin::Set,
        speed_mbps: None,
    });
    new.host.timezone = Some("UTC".to_owned());
    new.usb.clear();
    new.forwarding.v4 = Some(true);
    let found = compare(&old, &new);
    let aspects: Vec<Aspect> = found.iter().map(|deviation| deviation.aspect).collect();
    assert_eq!(aspects, [Aspect::Interface, Aspect::GatewayMac, Aspect::Timezone, Aspect::Usb, Aspect::Forwarding]);
    assert_eq!((found[1].old.as_deref(), found[1].new.as_deref()), (Some("aa:bb:cc:00:00:01"), Some("aa:bb:cc:00:00:02")));
    assert_eq!((found[3].new.clone(), found[0].old.clone()), (None, None));
}

#[test]
fn what_either_side_could_not_see_is_no_deviation() {
    let pc = pc();
    let (old, _) = taken(pc.path(), &config(), &kernel());
    let mut new = old.clone();
    new.firewall = Seen::Unseen(Unseen::Capability("CAP_NET_ADMIN".to_owned()));
    new.owners = Seen::Unseen(Unseen::Capability("CAP_SYS_PTRACE".to_owned()));
    new.resolvers = Seen::Unseen(Unseen::Deadline);
    new.gateways[0].mac = None;
    new.host.hosts = FileState::Unreadable("EACCES".to_owned());
    new.forwarding.v4 = None;
    new.interfaces[0].mac = None;
    assert_eq!(compare(&old, &new), []);
    assert_eq!(compare(&new, &old), []);
}

#[test]
fn what_root_enrols_is_the_services_to_read() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (service, group) = (64_001, 64_002);
    chown(dir.path(), Some(service), Some(group)).expect("given away");
    assert_eq!(super::mark(dir.path()), None);
    let first = save(dir.path(), &baseline(), Existing::Keep).expect("saved");
    let file = std::fs::metadata(first).expect("there");
    assert_eq!((file.uid(), file.gid(), file.mode() & 0o777), (service, group, 0o640));
    let before = super::mark(dir.path());
    save(dir.path(), &baseline(), Existing::Replace).expect("replaced");
    assert!(before.is_some() && super::mark(dir.path()) != before, "another enrolment is another file");
}

#[test]
fn what_is_saved_is_loaded_and_a_second_enrolment_is_refused() {
    let (pc, state) = (pc(), tempfile::tempdir().expect("a directory"));
    let dir = state.path().join("a/b");
    let (baseline, _) = taken(pc.path(), &config(), &kernel());
    assert!(matches!(load(&dir), Ok(None)));
    let path = save(&dir, &baseline, Existing::Keep).expect("saved");
    assert_eq!(load(&dir).expect("loaded"), Some(baseline.clone()));
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o640);
    assert_eq!(mode(&dir) & 0o027, 0, "open to others");
    assert!(matches!(save(&dir, &baseline, Existing::Keep), Err(StoreError::Exists(_))));
    let next = baseline.clone().succeed(baseline, "Li", "new card");
    save(&dir, &next, Existing::Replace).expect("replaced");
    assert_eq!(load(&dir).expect("loaded").expect("there").history[0].reason, "new card");
    let names: Vec<_> = std::fs::read_dir(&dir).expect("a directory").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names, ["baseline"], "a temporary file stayed behind");
}

#[test]
fn a_damaged_baseline_is_an_error_and_not_a_terminal_that_was_never_enrolled() {
    let (pc, state) = (pc(), tempfile::tempdir().expect("a directory"));
    let (baseline, _) = taken(pc.path(), &config(), &kernel());
    let path = save(state.path(), &baseline, Existing::Keep).expect("saved");
    let whole = std::fs::read_to_string(&path).expect("read");
    for damaged in [String::new(), whole[..whole.len() / 2].to_owned(), whole.replacen("\"usb\"", "\"usc\"", 1), format!("{whole}x")] {
        std::fs::write(&path, damaged).expect("written");
        assert!(matches!(load(state.path()), Err(StoreError::Corrupt { .. })));
    }
    std::fs::write(&path, whole.replacen("baseline/1", "baseline/2", 1)).expect("written");
    assert!(matches!(load(state.path()), Err(StoreError::OtherSchema { found, .. }) if found == "baseline/2"));
    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("made");
    assert!(matches!(load(state.path()), Err(StoreError::Unreadable(_))));
}

#[test]
fn history_is_bounded_and_keeps_the_latest() {
    let pc = pc();
    let (mut baseline, _) = taken(pc.path(), &config(), &kernel());
    for i in 0..LONGEST_HISTORY + 5 {
        baseline = baseline.clone().succeed(baseline, "Li", &i.to_string());
    }
    assert_eq!(baseline.history.len(), LONGEST_HISTORY);
    assert_eq!(baseline.history.last().expect("one").reason, (LONGEST_HISTORY + 4).to_string());
}

#[test]
fn the_machine_that_runs_the_test_can_be_enrolled() {
    let firewall = look_at_firewall();
    let (config, stamp, sightings) = (config(), stamp(), kernel());
    let given =
        Circumstances { config: &config, sightings: &sightings, firewall: &firewall, lent: None, stamp: &stamp, root: Path::new("/") };
    let baseline = gather(given).expect("a baseline");
    assert!(baseline.host.name.is_some());
    assert_eq!(compare(&baseline, &gather(given).expect("a baseline")), [], "it does not deviate from itself");
}

proptest! {
    #[test]
    fn hostile_files_of_the_system_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["etc/machine-id", "etc/hosts", "proc/net/arp", "proc/1/fdinfo/3", "proc/1/comm", "proc/1/cgroup", "sys/bus/usb/devices/1-1/idVendor", "sys/bus/usb/devices/1-1/idProduct"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, &bytes).expect("written");
        }
        let (baseline, _) = taken(dir.path(), &config(), &kernel());
        let json = serde_json::to_vec(&baseline).expect("json");
        prop_assert_eq!(serde_json::from_slice::<Baseline>(&json).expect("read back"), baseline);
    }
}

mod any_bytes {
    use super::*;
    use crate::testing::{cases, hostile};
    use std::sync::LazyLock;

    static SEED: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let pc = pc();
        serde_json::to_vec(&taken(pc.path(), &config(), &kernel()).0).expect("json")
    });

    fn system_files() -> Vec<Vec<u8>> {
        [
            "IP address       HW type     Flags       HW address            Mask     Device\n10.1.0.1         0x1         0x2         AA:bb:cc:00:00:01     *        eth0\n",
            "table inet filter { # handle 1\n\tchain input { # handle 1\n\t\ttcp dport 22 accept # handle 5\n\t}\n}\n",
            "1:name=systemd:/system.slice/a.service/sub\n0::/system.slice/openvpn-client@centre.service\n",
            "pos:\t0\nflags:\t0104002\nmnt_id:\t24\niff:\ttun0\n",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn of_a_baseline_are_read_or_refused(bytes in hostile(vec![SEED.clone()], 300)) {
            if let Ok(baseline) = serde_json::from_slice::<Baseline>(&bytes) {
                prop_assert_eq!(compare(&baseline, &baseline), []);
            }
        }

        #[test]
        fn of_the_systems_files_are_passed_over(bytes in hostile(system_files(), 300)) {
            let text = String::from_utf8_lossy(&bytes);
            prop_assert!(network::arp_table(&text).len() <= text.lines().count());
            let counted = firewall::protection(&text);
            prop_assert!(counted.tables as usize + counted.rules as usize <= text.lines().count());
            let _ = owners::tunnel(&text);
            let _ = owners::unit(&text);
        }
    }
}
