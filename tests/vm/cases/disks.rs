//! What becomes of a disk: mounted in other clothes, changed for another, pulled out in the middle, granted.

use serde_json::{Value, json};
use std::time::Duration;

use super::Takes::Seconds;
use super::usb::{SEEN_MS, Stick, opened, plug, pull, resolved, used};
use super::{Case, SOON, WATCHED, case, within};
use crate::Done;
use crate::daemon::{Ground, boot_ms, proof, word};
use crate::place::Place;
use crate::sticks;
use crate::table::Got;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("stick mounted by FUSE, under its name and a false one", "usb.mounted with its mount point; an image mounted so beside it is nothing", Seconds, by_fuse),
    case("stick mounted through the device mapper", "usb.mounted through dm-0", Seconds, mapped),
    case("card put into a reader and taken out again", "nothing while it is empty; usb.storage; ends", Seconds, card),
    case("disk that speaks UAS", "usb.storage with its serial", Seconds, by_uas),
    case("stick pulled while it is written", "both end, with duration and the bytes up to two seconds before", Seconds, pulled_while_written),
    case("stick granted by its serial", "info by the bureau's grant; another stick as ever", Seconds, granted),
];

/// The agent looks this often at disks that are there.
const SAMPLE: Duration = Duration::from_secs(2);
/// A writer writes no faster.
const SLACK: u64 = 8 << 20;

/// It was told where it is mounted, and how.
fn told(record: &Value, expected: &str, late: i64) -> Done<Got> {
    let mount = proof(record, "usb.mount");
    if mount.starts_with(expected) { Ok(Got::of(mount).after(within(SEEN_MS, late)?)) } else { Err(format!("not {expected}: {record}")) }
}

fn by_fuse(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let stick = plug(ground, "FUSE0001", sticks::ext4, &json!({}))?;
    opened(ground, "usb.storage", stick.serial, mark)?;
    // A copy of the stick is no stick.
    let copy =
        "dd if=/dev/DISK of=/run/copy bs=1M 2>/dev/null; mkdir -p /media/twin /media/stick; fuse2fs /run/copy /media/twin >/dev/null 2>&1";
    ground.pc.must(&copy.replace("DISK", &stick.disk))?;
    ground.pc.must("grep -q ' /media/twin .* - fuse' /proc/self/mountinfo")?;
    ground.nothing_but(&["usb.storage"], mark, WATCHED)?;
    // Of the second only the open descriptor of the program shows what it is made of.
    let named = "fuse2fs /dev/DISK /media/stick >/dev/null 2>&1";
    let hidden = "cd /root && mknod photos b $(tr : ' ' </sys/block/DISK/dev) && fuse2fs photos /media/stick >/dev/null 2>&1 && rm photos && \
                  grep ' /media/stick ' /proc/self/mountinfo | grep -qv DISK";
    let mut got = Vec::new();
    for script in [named, hidden] {
        // The service may not look into the descriptors of root's programs, and says so instead.
        if ground.place == Place::Installed && script == hidden {
            let is_blind =
                |record: &Value| word(record, "/cause/code") == "agent.degraded" && proof(record, "agent.blind").contains("usb.served");
            ground.wait("its blindness", mark, is_blind)?;
            let mark = ground.mark()?;
            ground.pc.must(&script.replace("DISK", &stick.disk))?;
            ground.nothing_but(&[], mark, WATCHED)?;
            ground.pc.must("umount /media/stick")?;
            got.push(Got::of("the false name is not seen, and said to be: usb.served"));
            continue;
        }
        let mark = ground.mark()?;
        let done = ground.pc.must(&script.replace("DISK", &stick.disk))?;
        // The second time within a minute it is the same incident again.
        let is_open = |record: &Value| word(record, "/cause/code") == "usb.mounted" && word(record, "/incident/phase") != "resolved";
        let record = ground.wait("usb.mounted", mark, is_open)?;
        let late = boot_ms(&record) - i64::try_from(done.at_ms).unwrap_or(i64::MAX);
        ground.pc.must("umount /media/stick")?;
        resolved(ground, "usb.mounted", stick.serial, mark)?;
        got.push(told(&record, "/media/stick fuse", late)?);
    }
    ground.pc.must("umount /media/twin; rm -f /run/copy")?;
    pull(ground, &stick)?;
    resolved(ground, "usb.storage", stick.serial, mark)?;
    let late = got.iter().filter_map(|got| got.latency_ms).max().unwrap_or(0);
    Ok(Got::of(got.into_iter().map(|got| got.what).collect::<Vec<_>>().join("; ")).after(late))
}

fn mapped(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let stick = plug(ground, "MAPPED01", sticks::whole, &json!({}))?;
    let script = "mkdir -p /media/stick; echo \"0 $(cat /sys/block/DISK/size) linear /dev/DISK 0\" | dmsetup create --noudevsync --noudevrules vault && \
                  mount -t vfat /dev/dm-0 /media/stick";
    let (record, late) = used(ground, &stick, script, "usb.mounted", mark)?;
    ground.pc.must("umount /media/stick; dmsetup remove --noudevsync --noudevrules vault")?;
    resolved(ground, "usb.mounted", stick.serial, mark)?;
    pull(ground, &stick)?;
    resolved(ground, "usb.storage", stick.serial, mark)?;
    let got = told(&record, "/media/stick vfat", late)?;
    if got.what.ends_with("through dm-0") { Ok(got) } else { Err(format!("not through dm-0: {}", got.what)) }
}

/// A device whose disks are given to it before it is plugged in.
fn assemble(ground: &mut Ground<'_>, driver: &str, node: &str, disk: &Value, before: impl Fn(&mut Ground<'_>) -> Done) -> Done<String> {
    let path = sticks::whole(ground.pc.beside(node))?;
    let file = json!({ "driver": "file", "filename": path });
    ground.pc.monitor("blockdev-add", &json!({ "driver": "raw", "node-name": node, "file": file }))?;
    let id = ground.pc.plug(driver, json!({}))?;
    let mut slot = json!({ "driver": "scsi-hd", "bus": format!("{id}.0"), "drive": node, "id": format!("{node}-slot") });
    if let (Some(slot), Some(more)) = (slot.as_object_mut(), disk.as_object()) {
        slot.extend(more.clone());
    }
    ground.pc.monitor("device_add", &slot)?;
    before(ground)?;
    ground.pc.must("dmesg -c >/dev/null")?;
    ground.pc.monitor("qom-set", &json!({ "path": format!("/machine/peripheral/{id}"), "property": "attached", "value": true }))?;
    Ok(id)
}

/// Takes the card out of the reader.
fn eject(ground: &mut Ground<'_>) -> Done {
    let slot = json!({ "id": "card-slot" });
    ground.pc.monitor("blockdev-open-tray", &slot)?;
    ground.pc.monitor("blockdev-remove-medium", &slot).map(drop)
}

/// As udev does when the kernel says that something changed: opens it, by which the kernel finds out what.
const OPEN: &str = "(: </dev/DISK) 2>/dev/null";

fn card(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let reader = assemble(ground, "usb-bot", "card", &json!({ "removable": true }), eject)?;
    ground.kernel_said("Attached SCSI removable disk")?;
    let disk = ground.pc.must("basename $(dirname $(grep -lx 0 /sys/block/sd*/size | head -n1))")?.out;
    // A change is not told again before the last was looked into.
    let poll = format!("echo 200 >/sys/block/DISK/events_poll_msecs; for i in 1 2 3; do sleep 0.3; {OPEN}; done; true");
    ground.pc.must(&poll.replace("DISK", &disk))?;
    ground.nothing_but(&[], mark, WATCHED)?;
    ground.pc.must("dmesg -c >/dev/null")?;
    let events = ground.pc.must("cat /sys/kernel/uevent_seqnum")?.out;
    ground.pc.monitor("blockdev-insert-medium", &json!({ "id": "card-slot", "node-name": "card" }))?;
    ground.pc.monitor("blockdev-close-tray", &json!({ "id": "card-slot" }))?;
    // The kernel tells that something changed; what, it finds out when somebody opens it. Where udev is, that is at once.
    let unopened = if ground.place == Place::Memory { format!("&& test $(cat /sys/block/{disk}/size) = 0") } else { String::new() };
    ground.pc.until(&format!("test $(cat /sys/kernel/uevent_seqnum) != {events} {unopened}"), SOON)?;
    ground.pc.must("sleep 0.5")?;
    let filled = format!("{OPEN}; test $(cat /sys/block/DISK/size) -gt 0").replace("DISK", &disk);
    ground.pc.until(&filled, SOON)?;
    let at = ground.kernel_said("logical blocks")?;
    let record = ground.told("usb.storage", "opened", mark, |_| true)?;
    let late = within(SEEN_MS, boot_ms(&record) - at)?;
    eject(ground)?;
    ground.pc.until(&format!("{OPEN}; test $(cat /sys/block/DISK/size) = 0").replace("DISK", &disk), SOON)?;
    ground.told("usb.storage", "resolved", mark, |_| true)?;
    ground.pc.unplug(&reader)?;
    ground.nothing_but(&["usb.storage"], mark, Duration::from_secs(1))?;
    let origin = word(&record, "/origin");
    if origin == "local-change" { Ok(Got::of(proof(&record, "usb.disk")).after(late)) } else { Err(format!("its origin is {origin}")) }
}

fn by_uas(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let disk = assemble(ground, "usb-uas", "uas", &json!({}), |_| Ok(()))?;
    let at = ground.kernel_said("logical blocks")?;
    ground.pc.must("grep -qx 62 /sys/bus/usb/devices/*/bInterfaceProtocol")?;
    let record = ground.told("usb.storage", "opened", mark, |_| true)?;
    let late = within(SEEN_MS, boot_ms(&record) - at)?;
    ground.pc.unplug(&disk)?;
    ground.told("usb.storage", "resolved", mark, |_| true)?;
    Ok(Got::of(word(&record, "/cause/object")).after(late))
}

/// What the kernel counted as written.
fn written(ground: &mut Ground<'_>, stick: &Stick) -> Done<u64> {
    let said = ground.pc.must(&format!("awk '{{printf \"%.0f\", $7 * 512}}' /sys/block/{}/stat", stick.disk))?.out;
    said.parse().map_err(|e| format!("no count in {said}: {e}"))
}

fn pulled_while_written(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let stick = plug(ground, "WRITE001", sticks::large, &json!({}))?;
    used(ground, &stick, "mkdir -p /media/stick; mount /dev/DISK1 /media/stick", "usb.mounted", mark)?;
    let script = "(echo $BASHPID; i=0; while [ $i -lt 400 ]; do dd if=/dev/zero of=/media/stick/$((i % 20)) bs=128k count=1 conv=fsync || exit; \
                  i=$((i + 1)); sleep 0.1; done) </dev/null >/dev/null 2>&1 &";
    ground.pc.must(script)?;
    let begin = std::time::Instant::now();
    while written(ground, &stick)? < 1 << 20 {
        if begin.elapsed() > SOON {
            return Err("nothing is written".to_owned());
        }
    }
    let (least, then) = (written(ground, &stick)?, std::time::Instant::now());
    // So that the agent has looked once more.
    std::thread::sleep(SAMPLE * 2);
    let most = written(ground, &stick)? + SLACK;
    pull(ground, &stick)?;
    let [mount, storage] = ["usb.mounted", "usb.storage"].map(|code| resolved(ground, code, stick.serial, mark));
    ground.pc.must("umount -l /media/stick")?;
    let mut got = String::new();
    for record in [mount?, storage?] {
        let bytes = proof(&record, "usb.bytes");
        let told: u64 = bytes.rsplit(' ').nth(1).and_then(|number| number.parse().ok()).ok_or_else(|| format!("no bytes in {record}"))?;
        if !(least..=most).contains(&told) {
            return Err(format!("written {told}, which is not within {least} and {most}"));
        }
        let lasted = record.pointer("/incident/duration_ms").and_then(Value::as_u64).unwrap_or(0);
        if u128::from(lasted) < then.elapsed().as_millis().min(SAMPLE.as_millis()) {
            return Err(format!("it lasted {lasted} ms: {record}"));
        }
        got = format!("{bytes}, lasted {lasted} ms");
    }
    Ok(Got::of(got))
}

fn granted(ground: &mut Ground<'_>) -> Done<Got> {
    let bureau = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).map_err(|e| e.to_string())?;
    let key = crate::pc::hex(bureau.public_key().as_ref());
    let mark = ground.mark()?;
    ground.pc.must(&format!(
        "cp /etc/isonet/isonet.toml /run/before; printf '\\n[rules]\\nbureau-key = \"{key}\"\\n' >>/etc/isonet/isonet.toml"
    ))?;
    ground.pc.must("kill -HUP $(cat /run/daemon.pid)")?;
    ground.wait("the new configuration", mark, |record| word(record, "/agent/event") == "policy-changed")?;
    let until = ground.pc.must("date -u -d @$(( $(date +%s) + 7200 )) +%Y-%m-%dT%H:%M:%SZ")?.out;
    let order = format!("isonet grant usb --until {until} --by Li --reason test --device GRANT001");
    let text = ground.pc.must(&format!("{order} --text"))?.out;
    let code = crate::pc::hex(bureau.sign(format!("{text}\n").as_bytes()).as_ref());
    ground.pc.must(&format!("{order} --code {code}"))?;
    let mark = ground.mark()?;
    let mut sticks = Vec::new();
    for serial in ["GRANT001", "OTHER001"] {
        let stick = plug(ground, serial, sticks::whole, &json!({}))?;
        ground.pc.must(&format!("mkdir -p /media/{serial}; mount -t vfat /dev/{} /media/{serial}", stick.disk))?;
        sticks.push(stick);
    }
    let mut all = Vec::new();
    for stick in &sticks {
        let record = opened(ground, "usb.mounted", stick.serial, mark)?;
        all.push((word(&record, "/cause/severity").to_owned(), word(&record, "/grant/authority").to_owned()));
        ground.pc.must(&format!("umount /media/{}", stick.serial))?;
        pull(ground, stick)?;
    }
    for stick in &sticks {
        resolved(ground, "usb.storage", stick.serial, mark)?;
    }
    let list: Value = serde_json::from_str(&ground.pc.must("isonet grant list --json")?.out).map_err(|e| format!("no list: {e}"))?;
    let id = word(&list, "/grants/0/grant/id").to_owned();
    let mark = ground.mark()?;
    ground.pc.must(&format!("isonet grant revoke {id}; cat /run/before >/etc/isonet/isonet.toml; kill -HUP $(cat /run/daemon.pid)"))?;
    ground.wait("the old configuration", mark, |record| word(record, "/agent/event") == "policy-changed")?;
    let expected = [("info", "bureau"), ("high", "")].map(|(severity, by)| (severity.to_owned(), by.to_owned()));
    if all == expected {
        Ok(Got::of("info by the bureau's grant; the other high"))
    } else {
        Err(format!("severity and authority: {all:?}"))
    }
}
