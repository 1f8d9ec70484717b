//! Devices as they are sold, made of descriptors: what is nobody's business, and what does not look like what it is.

use super::Takes::Seconds;
use super::usb::SEEN_MS;
use super::{Case, SOON, WATCHED, case, within};
use crate::Done;
use crate::daemon::{Ground, boot_ms, proof, word};
use crate::redir::{self, Gadget};
use crate::table::Got;

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("printer, keyboard, chip card reader with empty slots; power supply, charging telephone, dock", "nothing", Seconds, harmless),
    case("telephone of its maker's class", "usb.phone with its serial", Seconds, telephone),
    case("stick that calls itself a hub", "usb.storage with its size", Seconds, |ground| filled(ground, DISGUISED)),
    case("chip card reader with a stick in it", "usb.storage with its size", Seconds, |ground| filled(ground, READER)),
];

const fn gadget(name: &'static str, faces: &'static [redir::Face]) -> Gadget {
    Gadget { name, serial: "", class: 0, faces, sectors: None }
}

const SLOT: redir::Face = ([8, 6, 0x50], "");
const HARMLESS: &[Gadget] = &[
    gadget("printer", &[([7, 1, 2], ""), ([6, 1, 1], "Scanner"), SLOT]),
    gadget("keyboard", &[([3, 1, 1], ""), SLOT]),
    gadget("reader", &[([0x0b, 0, 0], ""), SLOT]),
    gadget("ups", &[([3, 0, 0], "")]),
    gadget("charging", &[([0xff, 0x42, 1], "ADB Interface"), ([0xff, 0xff, 0], "")]),
    gadget("dock", &[([0x11, 0, 0], ""), ([1, 1, 0], "")]),
];
/// With a medium of one mebibyte.
const READER: Gadget = Gadget { serial: "READER01", sectors: Some(2048), ..HARMLESS[2] };
const TELEPHONE: Gadget = Gadget { serial: "MAKER001", ..gadget("maker", &[([0xff, 0xff, 0], "MTP"), ([0xff, 0x42, 1], "")]) };
const DISGUISED: Gadget = Gadget { serial: "HUB00001", class: 9, sectors: Some(2048), ..gadget("disguised", &[SLOT]) };

fn harmless(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let mut ids = vec![ground.pc.plug("usb-hub", serde_json::json!({}))?];
    let mut faces = 0;
    for gadget in HARMLESS {
        ids.push(redir::plug(ground, *gadget)?);
        faces += gadget.faces.len();
    }
    // All are there, and the three slots are drives without a medium.
    let here = "grep -l 1209 /sys/bus/usb/devices/*/idVendor | sed 's/.idVendor$//' | while read at; do ls -d $at/*:1.*; done | wc -l";
    ground.pc.until(&format!("test $({here}) = {faces} && test $(cat /sys/block/sd*/size | grep -cx 0) = 3"), SOON)?;
    ground.nothing_but(&[], mark, WATCHED)?;
    for id in &ids {
        ground.pc.unplug(id)?;
    }
    ground.pc.until("! grep -q 1209 /sys/bus/usb/devices/*/idVendor", SOON)?;
    ground.nothing_but(&[], mark, WATCHED / 3)?;
    Ok(Got::of(format!("nothing, of {} devices and {faces} interfaces", ids.len())))
}

/// Plugs it in, waits for this, and pulls it out; what was told, and how soon after the kernel saw it.
fn told(ground: &mut Ground<'_>, gadget: Gadget, code: &str, kernel: &str) -> Done<(serde_json::Value, i64)> {
    let mark = ground.mark()?;
    ground.pc.must("dmesg -c >/dev/null")?;
    let id = redir::plug(ground, gadget)?;
    let at = ground.kernel_said(kernel)?;
    let is = |record: &serde_json::Value| word(record, "/cause/object").ends_with(gadget.serial);
    let record = ground.told(code, "opened", mark, is)?;
    let late = within(SEEN_MS, boot_ms(&record) - at)?;
    ground.pc.unplug(&id)?;
    ground.told(code, "resolved", mark, is)?;
    ground.nothing_but(&[code], mark, std::time::Duration::ZERO)?;
    Ok((record, late))
}

fn telephone(ground: &mut Ground<'_>) -> Done<Got> {
    let (record, late) = told(ground, TELEPHONE, "usb.phone", "New USB device found")?;
    Ok(Got::of(format!("{}, {}", word(&record, "/cause/object"), proof(&record, "usb.interface"))).after(late))
}

fn filled(ground: &mut Ground<'_>, gadget: Gadget) -> Done<Got> {
    let (record, late) = told(ground, gadget, "usb.storage", "logical blocks")?;
    let size = proof(&record, "usb.disk");
    if !size.ends_with(" 1048576 B") {
        return Err(format!("not a mebibyte: {record}"));
    }
    Ok(Got::of(format!("{}, {size}", word(&record, "/cause/object"))).after(late))
}
