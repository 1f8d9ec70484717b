//! Devices as they are sold: what looks like storage and is not, and what is storage and does not look it.

use super::*;

/// After a look at what was there before, so that what comes next came under our eyes.
fn watching() -> Memory {
    after(&[], NOTHING)
}

fn driven(mut plugged: Plugged, driver: &str) -> Plugged {
    plugged.device.interfaces.iter_mut().for_each(|interface| interface.driver = Some(driver.to_owned()));
    plugged
}

fn with_drive(classes: &[&str], medium: Option<u64>) -> Plugged {
    Plugged { stores: vec![store("sdc", medium)], ..device("1-3", ("1234", "5678", Some("A")), classes) }
}

#[test]
fn what_only_has_an_empty_drive_beside_its_own_work_is_never_found() {
    for classes in [
        &["03/01/01", "08/06/50"][..],         // a keyboard with a drive for its settings
        &["0b/00/00", "08/06/50"],             // a reader of chip cards with a slot for others
        &["07/01/02", "08/06/50"],             // a printer with a card slot
        &["07/01/02", "06/01/01", "ff/ff/ff"], // a printer that scans
        &["07/01/02", "06/01/01", "08/06/50"], // both
        &["03/00/00"],                         // an uninterruptible power supply
        &["ff/42/01", "ff/ff/00"],             // a telephone that only charges
        &["11/00/00", "03/00/00"],             // a dock without a network
        &["02/02/01", "0a/00/00"],             // a payment terminal
        &["08/06/50"],                         // a card reader, built in or not
    ] {
        let drives = classes.iter().any(|class| class.starts_with("08"));
        let plugged = if drives { with_drive(classes, None) } else { device("1-3", ("1234", "5678", Some("A")), classes) };
        let mut memory = watching();
        for at in [1_000, 30_000, 90_000] {
            let judged = memory.judge(std::slice::from_ref(&plugged), NOTHING, at);
            assert_eq!(judged, Judged { findings: vec![], again: Again::Idle }, "{classes:?}");
        }
    }
}

#[test]
fn a_medium_in_any_of_them_is_found() {
    for classes in [&["03/01/01", "08/06/50"][..], &["0b/00/00", "08/06/50"], &["07/01/02", "08/06/50"], &["ff/ff/ff"], &["08/06/62"]] {
        let judged = watching().judge(&[with_drive(classes, Some(MIB))], NOTHING, 1_000);
        assert_eq!(codes(&judged), [FindingCode::UsbStorage], "{classes:?}");
    }
}

#[test]
fn three_letters_are_a_telephone_s_only_where_the_class_is_the_maker_s() {
    for (class, expected) in [("ff/ff/00", 1), ("03/00/00", 0), ("07/01/02", 0), ("02/02/01", 0)] {
        let mut says = device("1-1", ("1234", "5678", None), &[class]);
        says.device.interfaces[0].label = Some("MTP panel".to_owned());
        assert_eq!(watching().judge(&[says], NOTHING, 1).findings.len(), expected, "{class}");
    }
}

#[test]
fn a_printer_that_scans_is_no_camera_and_a_camera_is() {
    let camera = device("1-1", ("1234", "5678", None), &["06/01/01"]);
    assert_eq!(codes(&watching().judge(&[camera], NOTHING, 1)), [FindingCode::UsbPhone]);
    let printer = device("1-1", ("1234", "5678", None), &["06/01/01", "07/01/02"]);
    assert_eq!(codes(&watching().judge(&[printer], NOTHING, 1)), []);
}

#[test]
fn an_enrolled_device_is_the_same_by_whichever_of_its_interfaces_it_is_driven() {
    let mut adapter = device("1-1", ("0bda", "8153", Some("0")), &["ff/ff/ff"]);
    adapter.device.interfaces[0].nets = vec![("enx1".to_owned(), None)];
    let now = device("1-1", ("0bda", "8153", Some("0")), &["02/06/00", "0a/00/00"]);
    let disk = |class| Plugged { stores: vec![store("sdb", Some(MIB))], ..device("1-1", STICK, &[class]) };
    for (then, now) in [(adapter, now), (disk("08/06/50"), disk("08/06/62")), (disk("08/06/62"), disk("08/06/50"))] {
        let enrolled = [remembered(&then)];
        let normal = Normal { enrolled: &enrolled, allow: &[] };
        assert_eq!(after(&[], normal).judge(&[now], normal, 1).findings, []);
    }
}

#[test]
fn a_disk_that_starts_slowly_is_the_enrolled_one_and_a_card_changed_under_our_eyes_is_not() {
    let drive = |medium| Plugged { stores: vec![store("sdc", medium)], ..device("1-3", ("174c", "55aa", Some("D")), &["08/06/50"]) };
    let enrolled = [remembered(&drive(Some(MIB)))];
    let normal = Normal { enrolled: &enrolled, allow: &[] };
    let mut memory = after(&[], normal);
    for (at, medium, expected) in [(1_000, None, 0), (4_000, Some(MIB), 0), (90_000, None, 0), (91_000, Some(MIB), 1), (92_000, None, 0)] {
        assert_eq!(memory.judge(&[drive(medium)], normal, at).findings.len(), expected, "at {at}");
    }
    let mut memory = after(&[drive(None)], normal);
    assert_eq!(codes(&memory.judge(&[drive(Some(MIB))], normal, 30_000)), [FindingCode::UsbStorage], "empty when watching began");
    assert_eq!(codes(&memory.judge(&[drive(Some(MIB))], normal, 60_000)), [FindingCode::UsbStorage], "and as long as it is in");
}

#[test]
fn storage_that_a_program_took_from_the_kernel_is_told_at_once_and_an_enrolled_one_is_not() {
    let taken = driven(device("1-1", STICK, &["08/06/50"]), "usbfs");
    let judged = watching().judge(std::slice::from_ref(&taken), NOTHING, 1_000);
    let found = one(&judged, FindingCode::UsbStorage);
    assert_eq!((found.severity, lines(found)[1].as_str()), (Severity::Low, "usb.interface 08/06/50 driver usbfs"));
    let kernel_s = driven(device("1-1", STICK, &["08/06/50"]), "usb-storage");
    assert_eq!(codes(&watching().judge(&[kernel_s], NOTHING, 1_000)), [], "its disk is on the way");
    let reader = driven(device("1-1", STICK, &["0b/00/00"]), "usbfs");
    assert_eq!(codes(&watching().judge(&[reader], NOTHING, 1_000)), []);
    let enrolled = [remembered(&stick())];
    let normal = Normal { enrolled: &enrolled, allow: &[] };
    assert_eq!(codes(&after(&[], normal).judge(&[taken], normal, 1_000)), []);
}

#[test]
fn a_modem_that_first_plays_a_disc_is_told_as_each_of_the_two() {
    let disc = Plugged { stores: vec![store("sr0", Some(MIB))], ..device("1-1", ("12d1", "1f01", None), &["08/06/50"]) };
    let mut modem = device("1-1", ("12d1", "14db", None), &["ff/02/16"]);
    modem.device.interfaces[0].nets = vec![("wwan0".to_owned(), None)];
    let mut memory = watching();
    assert_eq!(codes(&memory.judge(&[disc], NOTHING, 1_000)), [FindingCode::UsbStorage]);
    let judged = memory.judge(&[modem], NOTHING, 4_000);
    assert_eq!(codes(&judged), [FindingCode::UsbNetwork]);
    assert_eq!(judged.findings[0].subject, Subject::Device("12d1:14db:-".to_owned()));
}

#[test]
fn two_of_one_serial_have_names_of_their_own_and_one_that_moved_keeps_its() {
    let at = |port: &str| Plugged { stores: vec![store(&format!("sd{port}"), Some(MIB))], ..device(port, STICK, &["08/06/50"]) };
    let names = |judged: &Judged| judged.findings.iter().map(|finding| finding.subject.clone()).collect::<Vec<_>>();
    let device = |name: &str| Subject::Device(name.to_owned());
    let mut memory = watching();
    assert_eq!(names(&memory.judge(&[at("1-1")], NOTHING, 1_000)), [device("0951:1666:60A4")]);
    let both = [device("0951:1666:60A4"), device("0951:1666:60A4@1-2")];
    assert_eq!(names(&memory.judge(&[at("1-1"), at("1-2")], NOTHING, 2_000)), both);
    assert_eq!(names(&memory.judge(&[at("1-2")], NOTHING, 4_000))[..1], [device("0951:1666:60A4@1-2")], "it is still that one");
    let mut memory = watching();
    memory.judge(&[at("1-1")], NOTHING, 1_000);
    assert_eq!(names(&memory.judge(&[at("1-4")], NOTHING, 60_000)), [device("0951:1666:60A4")], "grants go by this name");
}

#[test]
fn what_hangs_on_a_hub_comes_again_with_it() {
    let behind = || Plugged { stores: vec![store("sdb", Some(MIB))], ..device("1-4.1", STICK, &["08/06/50"]) };
    let mut memory = watching();
    for round in 0..3 {
        let at = round * 10_000;
        let judged = memory.judge(&[behind()], NOTHING, at + 1_000);
        assert_eq!((codes(&judged), judged.findings[0].origin), (vec![FindingCode::UsbStorage], Origin::LocalChange));
        assert_eq!(memory.judge(&[], NOTHING, at + 5_000).findings, [], "round {round}");
    }
}

#[test]
fn a_telephone_on_the_allow_list_is_allowed_and_its_network_is_not() {
    let allow = [UsbAllowed { vendor: "18D1".to_owned(), product: "4ee1".to_owned(), serial: None }];
    let normal = Normal { enrolled: &[], allow: &allow };
    let phone = device("1-1", ("18d1", "4ee1", Some("P")), &["06/01/01", "e0/01/03"]);
    assert_eq!(codes(&after(&[], normal).judge(&[phone], normal, 1)), [FindingCode::UsbNetwork]);
}

#[test]
fn of_two_cards_that_is_told_which_came_under_our_eyes() {
    let reader = |media: [Option<u64>; 2]| {
        let stores = vec![store("sdc", media[0]), store("sdd", media[1])];
        Plugged { stores, ..device("1-3", ("05e3", "0747", None), &["08/06/50"]) }
    };
    let enrolled = [remembered(&reader([Some(MIB), None]))];
    let normal = Normal { enrolled: &enrolled, allow: &[] };
    let mut memory = after(&[reader([Some(MIB), None])], normal);
    let judged = memory.judge(&[reader([Some(MIB), Some(2 * MIB)])], normal, 60_000);
    assert_eq!(lines(one(&judged, FindingCode::UsbStorage))[1..], ["usb.disk sdd 2097152 B", "usb.bytes sdd read 0 B, written 0 B"]);
}

#[test]
fn a_disk_that_comes_late_to_what_was_there_before_was_there_before() {
    let bare = device("1-1", STICK, &["08/06/50"]);
    let mut memory = after(std::slice::from_ref(&bare), NOTHING);
    assert_eq!(one(&memory.judge(&[stick()], NOTHING, 2_000), FindingCode::UsbStorage).origin, Origin::PreExisting);
}

#[test]
fn what_was_found_of_a_stick_ends_when_it_is_pulled() {
    let mut memory = after(&[stick()], NOTHING);
    let copied = memory.judge(&[counted(stick(), 900 * MIB, 5 * MIB)], NOTHING, 2_000);
    assert_eq!(codes(&copied), [FindingCode::UsbStorage, FindingCode::UsbRawRead]);
    memory.judge(&[], NOTHING, 20_000);
    let again = memory.judge(&[counted(stick(), 512, 0)], NOTHING, 20_500);
    assert_eq!((codes(&again), again.findings[0].origin), (vec![FindingCode::UsbStorage], Origin::LocalChange));
    assert_eq!(lines(&again.findings[0])[2], "usb.bytes sdb read 512 B, written 0 B");
}

#[test]
fn what_is_read_of_a_disk_in_use_out_of_sight_is_not_read_past_its_files() {
    let mut hidden = stick();
    hidden.stores[0].hidden = vec![Hidden { used: used("/mnt/x", false), process: 812, program: "backup".to_owned() }];
    let mut memory = after(&[hidden.clone()], NOTHING);
    let judged = memory.judge(&[counted(hidden, 900 * MIB, 0)], NOTHING, 2_000);
    assert_eq!(codes(&judged), [FindingCode::UsbStorage, FindingCode::UsbHiddenMount]);
}

#[test]
fn what_was_told_to_the_byte_is_never_told_as_less() {
    let mut memory = after(&[counted(mounted(stick()), 4 * MIB, 512)], NOTHING);
    let closed = memory.judge(&[counted(stick(), 4 * MIB, 123_904)], NOTHING, 2_000);
    let exact = lines(one(&closed, FindingCode::UsbMounted))[2].clone();
    assert_eq!(exact, format!("usb.bytes sdb read {} B, written 123904 B", 4 * MIB));
    memory.judge(&[counted(stick(), 4 * MIB, 123_904)], NOTHING, 2_200);
    let open = memory.judge(&[counted(mounted(stick()), 4 * MIB, 123_904)], NOTHING, 2_400);
    assert_eq!(lines(one(&open, FindingCode::UsbMounted))[2], exact);
    assert_eq!(lines(one(&open, FindingCode::UsbStorage))[2], exact);
}
