//! Reading and putting together, against trees as the kernel shows them.

use super::super::read::{Known, everybodys, read, read_by};
use super::super::seen::{Plugged, Use};
use crate::model::Unseen;
use std::path::Path;
use tempfile::TempDir;

const PORT: &str = "sys/devices/pci0000:00/0000:00:04.0/usb1";

struct Pc(TempDir);

impl Pc {
    /// With an internal disk, a root file system, and nothing at USB.
    fn new() -> Self {
        let pc = Self(tempfile::tempdir().expect("a directory"));
        std::fs::create_dir_all(pc.path("sys/bus/usb/devices")).expect("made");
        std::fs::create_dir_all(pc.path("sys/block")).expect("made");
        pc.disk("sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0", "sda", "8:0", 1000);
        pc.mounts("self", "20 1 8:0 / / rw - ext4 /dev/sda rw\n");
        pc.mounts("1", "20 1 8:0 / / rw - ext4 /dev/sda rw\n");
        pc
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, format!("{text}\n")).expect("written");
    }

    fn link(&self, name: &str, target: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::os::unix::fs::symlink(target, path).expect("linked");
    }

    /// A device at a place such as `1-1` or `1-1/1-1.2`.
    fn device(&self, place: &str, class: &str, interfaces: &[&str]) {
        let port = place.rsplit('/').next().expect("a port");
        let base = format!("{PORT}/{place}");
        for (file, text) in
            [("idVendor", "0951"), ("idProduct", "1666"), ("serial", "60A4"), ("bDeviceClass", class), ("product", "Stick\u{1b}[31m")]
        {
            self.put(&format!("{base}/{file}"), text);
        }
        self.link(&format!("sys/bus/usb/devices/{port}"), &format!("../../../../{base}"));
        for (i, class) in interfaces.iter().enumerate() {
            let parts: Vec<&str> = class.split('/').collect();
            for (file, text) in ["bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol"].iter().zip(parts) {
                self.put(&format!("{base}/{port}:1.{i}/{file}"), text);
            }
            self.link(&format!("sys/bus/usb/devices/{port}:1.{i}"), &format!("../../../../{base}/{port}:1.{i}"));
        }
    }

    fn disk(&self, above: &str, name: &str, number: &str, sectors: u64) {
        let base = format!("{above}/block/{name}");
        self.put(&format!("{base}/dev"), number);
        self.put(&format!("{base}/size"), &sectors.to_string());
        self.put(&format!("{base}/removable"), "0");
        self.put(&format!("{base}/stat"), "10 0 4096 1 5 0 2048 1 0 0 0");
        self.link(&format!("sys/block/{name}"), &format!("../../{base}"));
    }

    /// A disk below a device at USB.
    fn stick(&self, place: &str, name: &str, number: &str) {
        let port = place.rsplit('/').next().expect("a port");
        self.disk(&format!("{PORT}/{place}/{port}:1.0/host6/target6:0:0/6:0:0:0"), name, number, 31_457_280);
    }

    fn part(&self, disk: &str, name: &str, number: &str) {
        self.put(&format!("sys/block/{disk}/{name}/dev"), number);
        self.put(&format!("sys/block/{disk}/{name}/partition"), "1");
    }

    fn mounts(&self, process: &str, table: &str) {
        self.put(&format!("proc/{process}/mountinfo"), table.trim_end());
        self.put(&format!("proc/{process}/comm"), "program");
    }

    /// A program that serves a file system and holds this.
    fn server(&self, process: &str, held: &str, info: &str, line: &str) {
        self.link(&format!("proc/{process}/fd/3"), "/dev/fuse");
        self.link(&format!("proc/{process}/fd/4"), held);
        self.put(&format!("proc/{process}/fdinfo/3"), info);
        std::fs::write(self.path(&format!("proc/{process}/cmdline")), line).expect("written");
    }

    fn read(&self) -> Vec<Plugged> {
        let (plugged, blind) = read(self.0.path(), &mut Known::default()).expect("read");
        assert_eq!(blind, []);
        plugged
    }
}

/// A stick `sdb` with a partition `sdb1`, 8:17.
fn with_stick() -> Pc {
    let pc = Pc::new();
    pc.device("1-1", "00", &["08/06/50"]);
    pc.stick("1-1", "sdb", "8:16");
    pc.part("sdb", "sdb1", "8:17");
    pc
}

fn uses(pc: &Pc) -> Vec<Use> {
    pc.read().remove(0).stores.remove(0).uses
}

fn root_and(line: &str) -> String {
    format!("20 1 8:0 / / rw - ext4 /dev/sda rw\n{line}\n")
}

#[test]
fn a_disk_belongs_to_the_device_above_it_whatever_it_says_of_being_removable() {
    let pc = with_stick();
    let plugged = pc.read();
    assert_eq!(plugged.len(), 1);
    let (device, store) = (&plugged[0].device, &plugged[0].stores[0]);
    assert_eq!((device.port.as_str(), device.interfaces[0].class.as_str()), ("1-1", "08/06/50"));
    assert_eq!(device.name.as_deref(), Some("Stick\u{fffd}[31m"), "no colours");
    assert_eq!((store.disk.name.as_str(), store.disk.medium), ("sdb", Some(31_457_280 * 512)));
    assert_eq!((store.disk.read, store.disk.written), (4096 * 512, 2048 * 512));
    assert_eq!(store.disk.parts, [("sdb1".to_owned(), "8:17".to_owned())]);
}

#[test]
fn behind_a_hub_it_is_the_stick_s_and_not_the_hub_s() {
    let pc = Pc::new();
    pc.device("1-1", "09", &["09/00/00"]);
    pc.device("1-1/1-1.2", "00", &["08/06/50"]);
    pc.stick("1-1/1-1.2", "sdb", "8:16");
    let plugged = pc.read();
    assert_eq!(plugged.iter().map(|found| (found.device.port.as_str(), found.stores.len())).collect::<Vec<_>>(), [("1-1.2", 1)]);
}

#[test]
fn empty_drives_have_no_medium() {
    let pc = Pc::new();
    pc.device("1-1", "00", &["08/06/50", "08/06/50"]);
    pc.disk(&format!("{PORT}/1-1/1-1:1.0/host6/a"), "sdb", "8:16", 0);
    pc.disk(&format!("{PORT}/1-1/1-1:1.1/host6/b"), "sr0", "11:0", 0x1f_ffff);
    pc.link("sys/block/sr0/device", "../..");
    pc.put(&format!("{PORT}/1-1/1-1:1.1/host6/b/type"), "5");
    let plugged = pc.read();
    let seen: Vec<_> = plugged[0].stores.iter().map(|store| (store.disk.medium, store.disk.optical)).collect();
    assert_eq!(seen, [(None, false), (None, true)]);
}

#[test]
fn a_mount_is_found_once_and_a_bind_of_it_is_the_same() {
    let pc = with_stick();
    assert_eq!(uses(&pc), []);
    let bind = "31 20 8:17 /docs /srv/docs rw - vfat /dev/sdb1 rw\n30 20 8:17 / /media/u/MY\\040STICK rw shared:9 - vfat /dev/sdb1 rw";
    pc.mounts("self", &root_and(bind));
    let read_only = bind.replace(" rw - vfat /dev/sdb1 rw\n30", " ro - vfat /dev/sdb1 rw\n30");
    assert_ne!(read_only, bind);
    pc.mounts("self", &root_and(&read_only));
    assert!(uses(&pc)[0].writable, "at the other place");
    let expected = Use { point: "/media/u/MY STICK".to_owned(), kind: "vfat".to_owned(), writable: true, through: None };
    assert_eq!(uses(&pc), [expected]);
}

#[test]
fn a_file_system_in_user_space_names_its_disk() {
    let pc = with_stick();
    pc.mounts("self", &root_and("30 20 0:51 / /media/n ro - fuseblk /dev/sdb1 ro"));
    assert_eq!(uses(&pc)[0].kind, "fuseblk");
    pc.link("dev/disk/by-uuid/AB-CD", "../../sdb1");
    pc.mounts("self", &root_and("30 20 0:51 / /media/n ro - fuse.exfat /dev/disk/by-uuid/AB-CD ro"));
    assert_eq!((uses(&pc)[0].kind.as_str(), uses(&pc)[0].writable), ("fuse.exfat", false));
    pc.mounts("self", &root_and("30 20 0:51 / /media/n ro - fuse.sshfs /dev/sda1 ro"));
    assert_eq!(uses(&pc), [], "another disk");
    pc.mounts("self", &root_and("30 20 8:33 / /media/old rw - vfat /dev/sdb1 rw"));
    assert_eq!(uses(&pc), [], "of a disk that was called so before");
    pc.mounts("self", &root_and("30 20 0:44 / /media/o rw - overlay sdb1 rw,user_id=0"));
    pc.server("44", "/dev/sdb1", "fuse_connection:\t44", "x\0");
    assert_eq!(uses(&pc), [], "not of user space");
}

#[test]
fn a_file_system_in_user_space_that_says_anything_is_that_of_the_disk_its_program_holds() {
    let other = "31 20 0:52 / /run/user/1000/gvfs rw - fuse.gvfsd-fuse gvfsd-fuse rw,user_id=1000";
    let silent = "30 20 0:51 / /media/n rw - fuse.ext4 sdb1 rw,user_id=0";
    for (mounts, held, info, line, expected) in [
        (format!("{silent}\n{other}"), "/dev/sdb1", "fuse_connection:\t51", "x\0", Some("/media/n")),
        (format!("{silent}\n{other}"), "/dev/sdb1", "fuse_connection:\t52", "x\0/media/n\0", Some("/run/user/1000/gvfs")),
        (format!("{silent}\n{other}"), "/dev/sdb1", "pos:\t0", "fuse2fs\0sdb1\0/media/n\0", Some("/media/n")),
        (format!("{silent}\n{other}"), "/dev/sdb1", "pos:\t0", "fuse2fs\0sdb1\0n\0", Some("/media/n")),
        (format!("{silent}\n{other}"), "/dev/sdb1", "pos:\t0", "fuse2fs\0sdb1\0./m\0", None),
        (silent.to_owned(), "/dev/sdb1", "pos:\t0", "fuse2fs\0sdb1\0./m\0", Some("/media/n")),
        (silent.to_owned(), "/dev/sdb1", "fuse_connection:\t52", "x\0/media/n\0", None),
        (format!("{silent}\n{other}"), "/dev/sdb1", "pos:\t0", "fuse2fs\0sdb1\0edia/n\0", None),
        (silent.to_owned(), "/dev/sda", "fuse_connection:\t51", "x\0/media/n\0", None),
        (silent.to_owned(), "/dev/urandom", "fuse_connection:\t51", "x\0/media/n\0", None),
    ] {
        let pc = with_stick();
        pc.mounts("self", &root_and(&mounts));
        pc.server("44", held, info, line);
        let points: Vec<String> = uses(&pc).into_iter().map(|used| used.point).collect();
        assert_eq!(points, expected.iter().map(ToString::to_string).collect::<Vec<_>>(), "{mounts} {held} {info} {line:?}");
    }
}

#[test]
fn who_serves_a_file_system_is_looked_up_when_one_came_and_seldom_else() {
    let pc = with_stick();
    let mut known = Known::default();
    let mut count = || read(pc.0.path(), &mut known).expect("read").0[0].stores[0].uses.len();
    assert_eq!(count(), 0);
    pc.mounts("self", &root_and("30 20 0:51 / /media/n rw - fuse.ext4 x rw,user_id=0"));
    pc.server("44", "/dev/sdb1", "fuse_connection:\t51", "x\0");
    assert_eq!(count(), 1, "it came");
    std::fs::remove_dir_all(pc.path("proc/44")).expect("removed");
    assert_eq!((0..14).map(|_| count()).sum::<usize>(), 14);
    assert_eq!(count(), 0);
}

#[test]
fn a_hub_that_keeps_files_is_none() {
    let pc = Pc::new();
    pc.device("1-1", "09", &["09/00/00", "08/06/50"]);
    pc.stick("1-1", "sdb", "8:16");
    assert_eq!(pc.read()[0].stores.len(), 1);
}

#[test]
fn loops_and_mapped_disks_lead_back_to_the_stick() {
    let pc = with_stick();
    pc.disk("sys/devices/virtual", "dm-0", "253:0", 100);
    pc.put("sys/block/dm-0/dm/name", "luks");
    pc.put("sys/block/dm-0/slaves/sdb1/dev", "8:17");
    pc.disk("sys/devices/virtual", "loop0", "7:0", 100);
    pc.put("sys/block/loop0/loop/backing_file", "/dev/mapper/luks");
    pc.mounts("self", &root_and("30 20 7:0 / /mnt rw - ext4 /dev/loop0 rw"));
    assert_eq!(uses(&pc)[0].through.as_deref(), Some("loop0"));
}

#[test]
fn a_loop_over_a_file_on_the_stick_is_the_stick_and_over_another_file_is_not() {
    let pc = with_stick();
    pc.disk("sys/devices/virtual", "loop0", "7:0", 100);
    pc.put("sys/block/loop0/loop/backing_file", "/media/u/image.iso");
    pc.mounts("self", &root_and("30 20 8:17 / /media/u rw - vfat /dev/sdb1 rw\n31 20 7:0 / /mnt ro - iso9660 /dev/loop0 ro"));
    assert_eq!(uses(&pc).iter().map(|used| used.point.as_str()).collect::<Vec<_>>(), ["/media/u", "/mnt"]);
    pc.put("sys/block/loop0/loop/backing_file", "/media/update/image.iso");
    assert_eq!(uses(&pc).len(), 1);
}

#[test]
fn what_is_mounted_only_elsewhere_is_hidden() {
    let pc = with_stick();
    let there = "50 1 8:0 / / rw - ext4 /dev/sda rw\n51 50 8:17 / /x rw - vfat /dev/sdb1 rw\n";
    pc.mounts("812", there);
    let store = pc.read().remove(0).stores.remove(0);
    assert_eq!((store.uses.len(), store.hidden.len()), (0, 1));
    assert_eq!((store.hidden[0].process, store.hidden[0].used.point.as_str()), (812, "/x"));
    pc.mounts("1", &root_and("30 20 8:17 / /media/u rw - vfat /dev/sdb1 rw"));
    pc.mounts("self", "70 1 8:0 / / ro - ext4 /dev/sda rw\n");
    let store = pc.read().remove(0).stores.remove(0);
    assert_eq!((store.uses.len(), store.hidden.len()), (1, 0), "everybody sees it, only our own sandbox does not");
}

#[test]
fn what_is_mounted_for_everybody_while_it_is_read_is_not_hidden() {
    let pc = with_stick();
    let mut readings = 0;
    let ours = || {
        let read = everybodys(pc.0.path());
        readings += 1;
        // Mounted just after the first reading; a service with surroundings of its own gets it, too.
        pc.mounts("self", &root_and("30 20 8:17 / /media/u rw - vfat /dev/sdb1 rw"));
        pc.mounts("812", "50 1 8:0 / / rw - ext4 /dev/sda rw\n51 50 8:17 / /media/u rw - vfat /dev/sdb1 rw\n");
        read
    };
    let (mut plugged, _) = read_by(pc.0.path(), &mut Known::default(), ours).expect("read");
    let store = plugged.remove(0).stores.remove(0);
    assert_eq!((readings, store.uses.len(), store.hidden.len()), (2, 1, 0));
}

#[test]
fn what_cannot_be_seen_is_said() {
    let pc = Pc::new();
    std::fs::remove_file(pc.path("proc/1/mountinfo")).expect("removed");
    let read = |root: &Path| read(root, &mut Known::default());
    let (plugged, blind) = read(pc.0.path()).expect("read");
    assert_eq!((plugged.len(), blind[0].what), (0, "usb.hidden"));
    assert_eq!(read(Path::new("/nowhere")).expect_err("nothing to see").what, "usb.devices");
    std::fs::remove_dir_all(pc.path("sys/bus/usb")).expect("removed");
    assert!(read(pc.0.path()).expect("a PC without USB").0.is_empty());
    std::fs::remove_dir_all(pc.path("sys/block")).expect("removed");
    assert_eq!(read(pc.0.path()).expect_err("no disks").why, Unseen::NotMounted("/sys/block".to_owned()));
}
