//! Sticks and telephones before an enrolled daemon. The devices are a tree of files in the place of `/sys/bus` and `/sys/block` of the
//! terminal; that something was plugged in is told by the kernel, in the terminal's network namespace only; mounts are real ones, which name
//! the stick as what they are made of. Real devices are plugged in by `tests/vm`.
//!
//! All terminals here share the machine's table of processes, in which a daemon looks for mounts out of sight: so each test's stick has a disk
//! name of its own.

use crate::ground::{Daemon, Ground, PATIENCE, wait_for};
use crate::usb_ears::tell;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// A place for devices.
pub(crate) struct Ports<'a>(&'a Ground);

impl<'a> Ports<'a> {
    pub(crate) fn new(ground: &'a Ground) -> Self {
        for place in ["bus/usb/devices", "bus/usb/tree", "block"] {
            fs::create_dir_all(ground.path(place)).unwrap();
        }
        for place in ["bus", "block"] {
            ground.here(&format!("mount --bind {} /sys/{place}", ground.path(place).display()));
        }
        ground.here("mkdir -p /tmp && mount -t tmpfs places /mnt && mkdir /mnt/stick /mnt/bind /mnt/hidden");
        Self(ground)
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.0.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{text}\n")).unwrap();
    }

    fn link(&self, name: &str, target: &str) {
        std::os::unix::fs::symlink(target, self.0.path(name)).unwrap();
    }

    /// Puts a device at a port, and says so.
    fn plug(&self, port: &str, serial: &str, classes: &[&str]) {
        for (file, text) in
            [("idVendor", "0951"), ("idProduct", "1666"), ("serial", serial), ("product", "DataTraveler"), ("bDeviceClass", "00")]
        {
            self.put(&format!("bus/usb/tree/{port}/{file}"), text);
        }
        for (i, class) in classes.iter().enumerate() {
            for (file, text) in ["bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol"].iter().zip(class.split('/')) {
                self.put(&format!("bus/usb/tree/{port}/{port}:1.{i}/{file}"), text);
            }
            self.link(&format!("bus/usb/devices/{port}:1.{i}"), &format!("../tree/{port}/{port}:1.{i}"));
        }
        self.link(&format!("bus/usb/devices/{port}"), &format!("../tree/{port}"));
    }

    /// A stick of 16 GiB with a partition.
    pub(crate) fn stick(&self, port: &str, serial: &str, disk: &str) {
        let base = format!("bus/usb/tree/{port}/{port}:1.0/host6/block/{disk}");
        for (file, text) in [("dev", "8:240"), ("size", "33554432"), ("stat", "0 0 0 0 0 0 0 0"), ("removable", "1")] {
            self.put(&format!("{base}/{file}"), text);
        }
        self.put(&format!("{base}/{disk}1/dev"), "8:241");
        self.put(&format!("{base}/{disk}1/partition"), "1");
        self.link(&format!("block/{disk}"), &format!("../{base}"));
        self.plug(port, serial, &["08/06/50"]);
    }

    /// The disk's counters, in bytes.
    fn count(&self, disk: &str, read: u64, written: u64) {
        let stat = self.0.path(&format!("block/{disk}")).canonicalize().unwrap().join("stat");
        let text = format!("1 0 {} 0 1 0 {} 0 0 0 0\n", read / 512, written / 512);
        let whole = stat.with_extension("new");
        fs::write(&whole, text).unwrap();
        fs::rename(whole, stat).unwrap();
    }

    pub(crate) fn unplug(&self, port: &str) {
        let of = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().split(':').next() == Some(port);
        for place in ["bus/usb/devices", "block"] {
            for entry in fs::read_dir(self.0.path(place)).unwrap().map(Result::unwrap) {
                let gone = of(&entry) || fs::read_link(entry.path()).unwrap().components().any(|part| part.as_os_str() == port);
                if gone {
                    fs::remove_file(entry.path()).unwrap();
                }
            }
        }
        fs::remove_dir_all(self.0.path(&format!("bus/usb/tree/{port}"))).unwrap();
    }
}

/// The evidence of a record, `k target result`.
fn evidence(record: &Value) -> Vec<String> {
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let lines = record["evidence"].as_array().unwrap();
    lines.iter().map(|line| format!("{} {} {}", text(line, "k"), text(line, "target"), text(line, "result"))).collect()
}

fn any(_: &Value) -> bool {
    true
}

/// Processor time that a process has used, in hundredths of a second.
fn used(pid: u32) -> u64 {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap();
    let behind = stat.rsplit_once(')').unwrap().1;
    behind.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

fn terminal() -> Option<Ground> {
    let ground = Ground::new()?;
    ground.configure("");
    Some(ground)
}

/// Proves that the daemon looks and tells, by something that comes and goes.
fn prove_awake(ports: &Ports<'_>, daemon: &Daemon<'_>) {
    ports.plug("9-9", "AWAKE", &["06/01/01"]);
    tell(ports.0, 1);
    daemon.sees("usb.phone", "opened", PATIENCE, any);
    ports.unplug("9-9");
    tell(ports.0, 1);
    daemon.sees("usb.phone", "resolved", PATIENCE, any);
}

#[test]
fn a_stick_is_followed_from_plug_to_unplug() {
    let Some(ground) = terminal() else { return };
    let ports = Ports::new(&ground);
    ground.enroll();
    let daemon = ground.watch();
    ports.stick("1-1", "60A4", "sdq");
    tell(&ground, 1);
    let (record, plugged) = daemon.sees("usb.storage", "opened", PATIENCE, any);
    assert_eq!(record.pointer("/incident/fingerprint").unwrap(), "usb.storage:device:0951:1666:60A4");
    assert_eq!((record["origin"].as_str(), record.pointer("/cause/severity").and_then(Value::as_str)), (Some("local-change"), Some("low")));
    assert_eq!(evidence(&record)[..2], ["usb.device DataTraveler (0951:1666) serial 60A4, port 1-1", "usb.disk sdq 17179869184 B"]);

    ports.count("sdq", 8 << 20, 0);
    ground.here("mount -t tmpfs /dev/sdq1 /mnt/stick && mount --bind /mnt/stick /mnt/bind");
    let (record, mounted) = daemon.sees("usb.mounted", "opened", PATIENCE, any);
    assert_eq!(evidence(&record)[1], "usb.mount /mnt/stick tmpfs, read-write");

    ports.count("sdq", 9 << 20, 5 << 20);
    ground.here("umount /mnt/bind && umount /mnt/stick");
    let (record, unmounted) = daemon.sees("usb.mounted", "resolved", PATIENCE, any);
    assert_eq!(evidence(&record)[2], format!("usb.bytes sdq read {} B, written {} B", 9 << 20, 5 << 20));

    ports.unplug("1-1");
    tell(&ground, 1);
    let (record, gone) = daemon.sees("usb.storage", "resolved", PATIENCE, any);
    assert_eq!(evidence(&record)[2], format!("usb.bytes sdq read {} B, written {} B", 9 << 20, 5 << 20));
    println!("plugged {plugged:?}, mounted {mounted:?}, unmounted {unmounted:?}, unplugged {gone:?}");
    let opened = daemon.brief().iter().filter(|brief| brief.starts_with("opened")).count();
    assert_eq!(opened, 2, "{:#?}", daemon.brief());
    daemon.stop();
}

#[test]
fn a_mount_out_of_sight_is_found_and_a_read_past_the_files() {
    let Some(ground) = terminal() else { return };
    let ports = Ports::new(&ground);
    ground.enroll();
    ports.stick("1-1", "60A4", "sdr");
    let daemon = ground.watch();
    let (record, _) = daemon.sees("usb.storage", "opened", PATIENCE, any);
    assert_eq!(record["origin"], "pre-existing");
    ports.count("sdr", 200 << 20, 0);
    let (record, read) = daemon.sees("usb.raw-read", "opened", PATIENCE, any);
    assert_eq!(evidence(&record)[1], format!("usb.past-files sdr {} B", 200 << 20));

    let hide = "mount -t tmpfs -o ro /dev/sdr1 /mnt/hidden; exec sleep 600";
    let mut hider = ground.command("unshare").args(["--mount", "--propagation", "private", "sh", "-c", hide]).spawn().unwrap();
    let (record, hidden) = daemon.sees("usb.hidden-mount", "opened", PATIENCE, any);
    let line = &evidence(&record)[1];
    assert!(line.starts_with("usb.hidden /mnt/hidden tmpfs, read-only, process "), "{line}");
    hider.kill().unwrap();
    hider.wait().unwrap();
    daemon.sees("usb.hidden-mount", "resolved", PATIENCE, any);
    println!("read past the files {read:?}, mounted out of sight {hidden:?}");
    assert_eq!(daemon.told("usb.mounted").len(), 0);
    daemon.stop();
}

#[test]
fn keyboards_readers_and_enrolled_sticks_bring_no_incident() {
    let Some(ground) = terminal() else { return };
    let ports = Ports::new(&ground);
    ports.stick("1-1", "60A4", "sds");
    ground.enroll();
    let daemon = ground.watch();
    for (port, class) in [("1-2", "03/01/01"), ("1-3", "0b/00/00"), ("1-4", "07/01/02"), ("1-5", "0e/01/00")] {
        ports.plug(port, port, &[class]);
    }
    tell(&ground, 4);
    ground.here("mount -t tmpfs /dev/sds1 /mnt/stick");
    ports.count("sds", 900 << 20, 900 << 20);
    prove_awake(&ports, &daemon);
    let others: Vec<String> = daemon.brief().into_iter().filter(|brief| !brief.contains("AWAKE")).collect();
    assert_eq!(others, [""; 0]);
    daemon.stop();
}

#[test]
fn a_flood_of_ten_thousand_events_hides_nothing_and_costs_little() {
    let Some(ground) = terminal() else { return };
    let ports = Ports::new(&ground);
    ground.enroll();
    let daemon = ground.watch();
    let before = used(daemon.pid());
    tell(&ground, 9_000);
    ports.stick("1-1", "60A4", "sdt");
    tell(&ground, 1_000);
    daemon.sees("usb.storage", "opened", PATIENCE, any);
    wait_for("quiet", Duration::from_mins(1), || {
        let now = used(daemon.pid());
        std::thread::sleep(Duration::from_millis(500));
        (used(daemon.pid()) == now).then_some(())
    });
    let spent = used(daemon.pid()) - before;
    println!("10,000 events cost {} ms of processor time", spent * 10);
    assert!(spent < 200, "{spent} hundredths of a second");
    assert_eq!(daemon.told("usb.storage").len(), 1, "{:#?}", daemon.brief());
    daemon.stop();
}
