//! Each thing that is found, and its healthy twin.

mod kinds;
mod tree;

use super::judge::{Again, Judged, Memory, Normal};
use super::seen::{Hidden, Plugged, Store, Use};
use crate::baseline::UsbDevice;
use crate::config::UsbAllowed;
use crate::model::{Finding, FindingCode, Origin, Severity, Subject};
use crate::sys::disks::Disk;
use crate::sys::usb::{Device, Interface};
use std::path::PathBuf;

const MIB: u64 = 1 << 20;
const NOTHING: Normal<'_> = Normal { enrolled: &[], allow: &[] };

fn interface(class: &str) -> Interface {
    Interface { class: class.to_owned(), label: None, driver: None, nets: Vec::new() }
}

fn device(port: &str, (vendor, product, serial): (&str, &str, Option<&str>), classes: &[&str]) -> Plugged {
    let device = Device {
        port: port.to_owned(),
        path: PathBuf::from(format!("/sys/devices/usb1/{port}")),
        vendor: vendor.to_owned(),
        product: product.to_owned(),
        serial: serial.map(str::to_owned),
        name: None,
        hub: false,
        interfaces: classes.iter().map(|class| interface(class)).collect(),
    };
    Plugged { device, stores: Vec::new() }
}

fn store(name: &str, medium: Option<u64>) -> Store {
    let disk = Disk {
        name: name.to_owned(),
        alias: None,
        path: PathBuf::from(name),
        device: "8:16".to_owned(),
        medium,
        optical: false,
        parts: Vec::new(),
        read: 0,
        written: 0,
        backing: None,
        slaves: Vec::new(),
    };
    Store { disk, uses: Vec::new(), hidden: Vec::new() }
}

const STICK: (&str, &str, Option<&str>) = ("0951", "1666", Some("60A4"));

/// A stick with its disk.
fn stick() -> Plugged {
    Plugged { stores: vec![store("sdb", Some(16 << 30))], ..device("1-1", STICK, &["08/06/50"]) }
}

fn used(point: &str, writable: bool) -> Use {
    Use { point: point.to_owned(), kind: "vfat".to_owned(), writable, through: None }
}

fn mounted(mut plugged: Plugged) -> Plugged {
    plugged.stores[0].uses = vec![used("/media/u/X", true)];
    plugged
}

fn counted(mut plugged: Plugged, read: u64, written: u64) -> Plugged {
    (plugged.stores[0].disk.read, plugged.stores[0].disk.written) = (read, written);
    plugged
}

fn codes(judged: &Judged) -> Vec<FindingCode> {
    judged.findings.iter().map(|finding| finding.code).collect()
}

fn one(judged: &Judged, code: FindingCode) -> &Finding {
    judged.findings.iter().find(|finding| finding.code == code).unwrap_or_else(|| panic!("no {code} in {judged:?}"))
}

fn lines(finding: &Finding) -> Vec<String> {
    finding.evidence.iter().map(|line| format!("{} {} {}", line.k, line.target, line.result)).collect()
}

/// As enrolment would write it down.
fn remembered(plugged: &Plugged) -> UsbDevice {
    UsbDevice::of(&plugged.device, plugged.stores.iter().map(|store| &store.disk))
}

/// A watcher that has looked at a PC with this before.
fn after(before: &[Plugged], normal: Normal<'_>) -> Memory {
    let mut memory = Memory::default();
    memory.judge(before, normal, 0);
    memory
}

#[test]
fn a_stick_is_found_when_it_comes_and_no_longer_when_it_is_gone() {
    let mut memory = after(&[], NOTHING);
    let came = memory.judge(&[stick()], NOTHING, 5_000);
    assert_eq!((codes(&came), came.again), (vec![FindingCode::UsbStorage], Again::Closely));
    let found = one(&came, FindingCode::UsbStorage);
    assert_eq!(found.subject, Subject::Device("0951:1666:60A4".to_owned()));
    assert_eq!((found.origin, found.severity), (Origin::LocalChange, Severity::Low));
    assert_eq!(
        lines(found),
        ["usb.device 0951:1666 serial 60A4, port 1-1", "usb.disk sdb 17179869184 B", "usb.bytes sdb read 0 B, written 0 B"]
    );
    assert_eq!(memory.judge(&[stick()], NOTHING, 7_000), came, "the same is told in the same words");
    assert_eq!(memory.judge(&[], NOTHING, 9_000), Judged { findings: vec![], again: Again::Idle });
}

#[test]
fn what_was_there_before_is_said_to_have_been() {
    let mut memory = Memory::default();
    let first = memory.judge(&[mounted(stick())], NOTHING, 0);
    assert!(first.findings.iter().all(|finding| finding.origin == Origin::PreExisting), "{first:?}");
    let later = memory.judge(&[stick()], NOTHING, 60_000);
    assert_eq!(one(&later, FindingCode::UsbStorage).origin, Origin::PreExisting);
    let again = memory.judge(&[mounted(stick())], NOTHING, 62_000);
    assert_eq!(one(&again, FindingCode::UsbMounted).origin, Origin::LocalChange, "it was opened under our eyes");
}

#[test]
fn keyboards_readers_printers_hubs_and_cameras_are_never_found() {
    let harmless = ["03/01/01", "09/00/00", "0b/00/00", "07/01/02", "01/01/00", "0e/01/00", "e0/01/01", "ff/00/00", "02/02/01", "fe/01/01"];
    let plugged: Vec<Plugged> =
        harmless.iter().enumerate().map(|(port, class)| device(&format!("1-{port}"), ("1234", "5678", None), &[class])).collect();
    let mut memory = after(&[], NOTHING);
    for at in [1_000, 30_000] {
        assert_eq!(memory.judge(&plugged, NOTHING, at), Judged { findings: vec![], again: Again::Idle });
    }
}

#[test]
fn mounting_is_found_with_its_place_and_ends_with_exact_bytes() {
    let mut memory = after(&[stick()], NOTHING);
    let open = memory.judge(&[counted(mounted(stick()), 4 * MIB, 512)], NOTHING, 2_000);
    assert_eq!(codes(&open), [FindingCode::UsbStorage, FindingCode::UsbMounted]);
    let found = one(&open, FindingCode::UsbMounted);
    assert_eq!((found.severity, lines(found)[1].as_str()), (Severity::High, "usb.mount /media/u/X vfat, read-write"));
    let writing = memory.judge(&[counted(mounted(stick()), 4 * MIB, 100_000)], NOTHING, 4_000);
    assert_eq!(lines(one(&writing, FindingCode::UsbMounted)), lines(found), "a copy under way is not told with every file");
    let closed = memory.judge(&[counted(stick(), 4 * MIB, 123_904)], NOTHING, 6_000);
    let last = one(&closed, FindingCode::UsbMounted);
    assert_eq!(lines(last)[2], format!("usb.bytes sdb read {} B, written 123904 B", 4 * MIB));
    assert_eq!(closed.again, Again::AtOnce);
    assert_eq!(codes(&memory.judge(&[counted(stick(), 4 * MIB, 123_904)], NOTHING, 6_200)), [FindingCode::UsbStorage]);
}

#[test]
fn a_stick_that_is_pulled_out_leaves_its_last_counts() {
    let mut memory = after(&[stick()], NOTHING);
    memory.judge(&[counted(stick(), MIB, 512)], NOTHING, 2_000);
    memory.judge(&[counted(stick(), MIB, 5 * MIB)], NOTHING, 4_000);
    let last = memory.judge(&[], NOTHING, 6_000);
    assert_eq!(lines(one(&last, FindingCode::UsbStorage))[2], format!("usb.bytes sdb read {MIB} B, written {} B", 5 * MIB));
    assert_eq!(memory.judge(&[], NOTHING, 6_200).findings, []);
}

#[test]
fn a_stick_whose_disk_goes_before_it_is_not_taken_for_one_without() {
    let mut memory = after(&[], NOTHING);
    memory.judge(&[counted(stick(), 4096, 0)], NOTHING, 1_000);
    memory.judge(&[counted(stick(), 8192, 512)], NOTHING, 60_000);
    let going = Plugged { stores: Vec::new(), ..stick() };
    let judged = memory.judge(&[going], NOTHING, 60_200);
    assert_eq!(lines(one(&judged, FindingCode::UsbStorage)).last().unwrap(), "usb.bytes sdb read 8192 B, written 512 B");
    assert_eq!(memory.judge(&[], NOTHING, 60_400).findings, []);
}

#[test]
fn what_was_enrolled_is_normal_for_what_it_offered_then() {
    let then = |classes: &[&str]| UsbDevice {
        vendor: "0951".to_owned(),
        product: "1666".to_owned(),
        serial: Some("60A4".to_owned()),
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        roles: Vec::new(),
        empty_drives: 0,
    };
    let enrolled = [then(&["08/06/50"])];
    let normal = Normal { enrolled: &enrolled, allow: &[] };
    assert_eq!(after(&[], normal).judge(&[mounted(stick())], normal, 2_000), Judged { findings: vec![], again: Again::Idle });
    let now_a_card = device("1-1", STICK, &["08/06/50", "02/06/00"]);
    assert_eq!(codes(&after(&[], normal).judge(&[now_a_card], normal, 2_000)), [FindingCode::UsbNetwork]);
    let other = Plugged { device: Device { serial: Some("60A5".to_owned()), ..stick().device }, ..stick() };
    assert_eq!(codes(&after(&[], normal).judge(&[other], normal, 2_000)), [FindingCode::UsbStorage]);
}

#[test]
fn of_two_that_look_the_same_one_is_the_enrolled_one() {
    let nameless = ("0951", "1666", None);
    let of = |port: &str| Plugged { stores: vec![store(&format!("sd{port}"), Some(MIB))], ..device(port, nameless, &["08/06/50"]) };
    let enrolled = [remembered(&of("1-2"))];
    let normal = Normal { enrolled: &enrolled, allow: &[] };
    let mut memory = after(&[of("1-2")], normal);
    assert_eq!(codes(&memory.judge(&[of("1-1"), of("1-2")], normal, 2_000)), [FindingCode::UsbStorage]);
    let found = memory.judge(&[of("1-1"), of("1-2")], normal, 4_000);
    assert_eq!(one(&found, FindingCode::UsbStorage).subject, Subject::Device("0951:1666:-@1-1".to_owned()));
}

#[test]
fn the_allow_list_goes_by_serial_where_it_has_one() {
    let allow =
        |serial: Option<&str>| [UsbAllowed { vendor: "0951".to_owned(), product: "1666".to_owned(), serial: serial.map(str::to_owned) }];
    for (serial, expected) in [(None, 0), (Some("60A4"), 0), (Some("60a5"), 2)] {
        let allow = allow(serial);
        let normal = Normal { enrolled: &[], allow: &allow };
        assert_eq!(after(&[], normal).judge(&[mounted(stick())], normal, 2_000).findings.len(), expected, "{serial:?}");
    }
    let allow = allow(None);
    let normal = Normal { enrolled: &[], allow: &allow };
    let tether = device("1-1", STICK, &["e0/01/03"]);
    assert_eq!(codes(&after(&[], normal).judge(&[tether], normal, 2_000)), [FindingCode::UsbNetwork], "a card is enrolled, not allowed");
}

#[test]
fn an_empty_card_slot_is_nothing_until_a_card_is_in_it() {
    let printer =
        |medium| Plugged { stores: vec![store("sdc", medium)], ..device("1-3", ("04b8", "0001", Some("P")), &["07/01/02", "08/06/50"]) };
    let reader = |medium| Plugged { stores: vec![store("sdc", medium)], ..device("1-3", ("05e3", "0747", None), &["08/06/50"]) };
    for slot in [&printer as &dyn Fn(Option<u64>) -> Plugged, &reader] {
        let enrolled = [remembered(&slot(None))];
        for normal in [NOTHING, Normal { enrolled: &enrolled, allow: &[] }] {
            let mut memory = after(&[slot(None)], normal);
            assert_eq!(codes(&memory.judge(&[slot(None)], normal, 60_000)), []);
            let card = memory.judge(&[slot(Some(32 << 30))], normal, 61_000);
            assert_eq!((codes(&card), card.findings[0].origin), (vec![FindingCode::UsbStorage], Origin::LocalChange));
            assert_eq!(codes(&memory.judge(&[slot(None)], normal, 62_000)), []);
        }
    }
}

#[test]
fn a_reader_of_its_maker_s_own_class_keeps_files_too() {
    let reader = |medium| Plugged { stores: vec![store("mmcblk1", medium)], ..device("1-3", ("0bda", "0129", None), &["ff/ff/ff"]) };
    assert_eq!(codes(&after(&[], NOTHING).judge(&[reader(Some(MIB))], NOTHING, 1)), [FindingCode::UsbStorage]);
    let enrolled = [remembered(&reader(Some(MIB)))];
    let normal = Normal { enrolled: &enrolled, allow: &[] };
    assert_eq!(codes(&after(&[], normal).judge(&[reader(Some(MIB))], normal, 1)), []);
}

#[test]
fn a_card_that_came_while_nobody_watched_is_told_from_the_enrolled_one() {
    let reader = |media: [Option<u64>; 2]| {
        let stores = vec![store("sdc", media[0]), store("sdd", media[1])];
        Plugged { stores, ..device("1-3", ("05e3", "0747", None), &["08/06/50"]) }
    };
    let enrolled = [remembered(&reader([Some(MIB), None]))];
    let normal = Normal { enrolled: &enrolled, allow: &[] };
    assert_eq!(codes(&after(&[], normal).judge(&[reader([Some(MIB), None])], normal, 1)), []);
    assert_eq!(codes(&after(&[], normal).judge(&[reader([None, None])], normal, 1)), []);
    let both = Memory::default().judge(&[reader([Some(MIB), Some(MIB)])], normal, 1);
    assert_eq!((codes(&both), both.findings[0].origin), (vec![FindingCode::UsbStorage], Origin::PreExisting));
}

#[test]
fn storage_without_a_disk_is_told_when_none_can_come_any_more() {
    let blocked = || device("1-1", STICK, &["08/06/50"]);
    let mut memory = after(&[], NOTHING);
    assert_eq!(memory.judge(&[blocked()], NOTHING, 1_000), Judged { findings: vec![], again: Again::Closely });
    let late = memory.judge(&[blocked()], NOTHING, 12_000);
    assert_eq!((codes(&late), late.findings[0].severity, late.again), (vec![FindingCode::UsbStorage], Severity::Info, Again::Idle));
    let with_slot = device("1-1", STICK, &["07/01/02", "08/06/50"]);
    let mut memory = after(&[], NOTHING);
    memory.judge(std::slice::from_ref(&with_slot), NOTHING, 1_000);
    assert_eq!(codes(&memory.judge(&[with_slot], NOTHING, 12_000)), [], "a slot of something else may be empty");
}

#[test]
fn reading_a_whole_disk_is_found_and_recognising_it_is_not() {
    let mut memory = after(&[stick()], NOTHING);
    let recognised = memory.judge(&[counted(stick(), 12 * MIB, 0)], NOTHING, 2_000);
    assert_eq!(codes(&recognised), [FindingCode::UsbStorage]);
    memory.judge(&[counted(stick(), 80 * MIB, 0)], NOTHING, 4_000);
    let copied = memory.judge(&[counted(stick(), 812 * MIB, 0)], NOTHING, 6_000);
    let found = one(&copied, FindingCode::UsbRawRead);
    assert_eq!(lines(found)[1], format!("usb.past-files sdb {} B", 812 * MIB));
    let unplugged = memory.judge(&[], NOTHING, 8_000);
    assert!(codes(&unplugged).is_empty(), "all was told to the byte: {unplugged:?}");
}

#[test]
fn reading_files_of_a_mounted_disk_is_not_reading_past_them() {
    let mut memory = after(&[mounted(stick())], NOTHING);
    let read = memory.judge(&[counted(mounted(stick()), 900 * MIB, 0)], NOTHING, 2_000);
    assert_eq!(codes(&read), [FindingCode::UsbStorage, FindingCode::UsbMounted]);
}

#[test]
fn a_mount_out_of_sight_is_found_with_who_holds_it() {
    let mut plugged = stick();
    plugged.stores[0].hidden = vec![Hidden { used: used("/mnt/x", false), process: 812, program: "backup".to_owned() }];
    let judged = after(&[stick()], NOTHING).judge(&[plugged], NOTHING, 2_000);
    assert_eq!(codes(&judged), [FindingCode::UsbStorage, FindingCode::UsbHiddenMount]);
    assert_eq!(lines(&judged.findings[1])[1], "usb.hidden /mnt/x vfat, read-only, process 812 backup");
}

#[test]
fn a_disc_that_opens_by_itself_weighs_less_than_a_stick() {
    let mut key = mounted(stick());
    key.stores[0].disk.optical = true;
    let judged = after(&[], NOTHING).judge(&[key], NOTHING, 2_000);
    assert_eq!(one(&judged, FindingCode::UsbMounted).severity, Severity::Medium);
}

#[test]
fn telephones_are_found_by_class_and_by_what_they_say() {
    let mut says = device("1-1", ("2717", "ff40", Some("A")), &["ff/ff/00"]);
    assert_eq!(codes(&after(&[], NOTHING).judge(std::slice::from_ref(&says), NOTHING, 1)), []);
    says.device.interfaces[0].label = Some("MTP".to_owned());
    for phone in [says, device("1-1", ("05ac", "12a8", Some("A")), &["06/01/01"])] {
        assert_eq!(codes(&after(&[], NOTHING).judge(&[phone], NOTHING, 1)), [FindingCode::UsbPhone]);
    }
    let charging = UsbDevice {
        roles: Vec::new(),
        classes: vec!["ff/ff/00".to_owned()],
        ..remembered(&device("1-1", ("2717", "ff40", Some("A")), &[]))
    };
    let normal = Normal { enrolled: &[charging], allow: &[] };
    let mut now = device("1-1", ("2717", "ff40", Some("A")), &["ff/ff/00"]);
    now.device.interfaces[0].label = Some("MTP".to_owned());
    assert_eq!(codes(&after(&[], normal).judge(&[now], normal, 1)), [FindingCode::UsbPhone], "enrolled while it only charged");
    let mut near = device("1-1", ("1234", "5678", None), &["ff/00/00"]);
    near.device.interfaces[0].label = Some("SMTP bridge".to_owned());
    assert_eq!(codes(&after(&[], NOTHING).judge(&[near], NOTHING, 1)), []);
}

#[test]
fn network_adapters_are_found_by_class_and_by_what_became_of_them() {
    for class in ["02/06/00", "02/0d/00", "02/0e/00", "e0/01/03", "ef/04/01", "ff/fd/01"] {
        assert_eq!(codes(&after(&[], NOTHING).judge(&[device("1-1", STICK, &[class])], NOTHING, 1)), [FindingCode::UsbNetwork], "{class}");
    }
    let mut dongle = device("1-1", ("0bda", "8153", Some("0")), &["ff/ff/00"]);
    dongle.device.interfaces[0].nets = vec![("enx1".to_owned(), Some("00:e0:4c:00:00:01".to_owned()))];
    dongle.device.interfaces[0].driver = Some("r8152".to_owned());
    let judged = after(&[], NOTHING).judge(std::slice::from_ref(&dongle), NOTHING, 1);
    assert_eq!(lines(&judged.findings[0])[1..], ["usb.interface ff/ff/00 driver r8152", "usb.net enx1 00:e0:4c:00:00:01"]);
    let enrolled = [remembered(&dongle)];
    let normal = Normal { enrolled: &enrolled, allow: &[] };
    assert_eq!(codes(&after(&[], normal).judge(&[dongle], normal, 1)), []);
}
