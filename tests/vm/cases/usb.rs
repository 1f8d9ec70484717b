//! What is plugged in: sticks of all kinds, mounted in all ways, telephones, network adapters, and what is nobody's business.

use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

use super::Takes::{Little, Seconds};
use super::{Case, SOON, WATCHED, case, within};
use crate::Done;
use crate::daemon::{Ground, boot_ms, evidence, proof, word};
use crate::sticks;
use crate::table::Got;

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("stick with partitions", "usb.storage with its serial; ends when pulled", Little, |ground| plain(ground, "PART0001", sticks::partitioned)),
    case("stick without partitions", "usb.storage with its serial; ends when pulled", Seconds, |ground| plain(ground, "WHOLE001", sticks::whole)),
    case("stick that says it is fixed", "usb.storage all the same", Little, fixed),
    case("stick behind a hub", "usb.storage for the stick, nothing for the hub", Seconds, behind_a_hub),
    case("stick mounted", "usb.mounted, high, with its mount point; ends when unmounted", Little, mounted),
    case("stick bound to a second place", "no second incident", Seconds, bound),
    case("partition of a stick mounted by loop", "usb.mounted for the stick", Seconds, by_loop),
    case("stick mounted in a namespace of its own", "usb.hidden-mount with the process", Little, hidden),
    case("stick read past its files", "usb.raw-read with the exact bytes", Seconds, raw),
    case("stick pulled while mounted", "both incidents end", Seconds, pulled),
    case("telephone showing its files", "usb.phone", Little, phone),
    case("network adapter", "usb.network, isolation.uplink-suspect; both end", Little, adapter),
    case("telephone sharing its network", "the same, with an address by DHCP", Seconds, tether),
    case("keyboard, mouse and card reader", "nothing", Little, harmless),
    case("stick on the allow list", "nothing", Seconds, allowed),
    case("two sticks and a keyboard amid 1000 uevents", "usb.storage for each, once, and nothing else", Seconds, flood),
];

/// For this the agent is started anew.
pub(super) const RESTARTED: &[Case] = &[case("stick there before the agent", "usb.storage, pre-existing", Seconds, before)];

/// From the kernel's event to the record: 0.5 s, by a processor that may be emulated on a busy machine.
pub(super) const SEEN_MS: i64 = 2500;

/// One that is plugged in.
pub(super) struct Stick {
    id: String,
    pub(super) serial: &'static str,
    /// When the kernel had its disk, milliseconds since boot.
    at: i64,
    /// As `sda`.
    pub(super) disk: String,
}

pub(super) fn plug(ground: &mut Ground<'_>, serial: &'static str, make: fn(PathBuf) -> Done<PathBuf>, extra: &Value) -> Done<Stick> {
    let image = make(ground.pc.beside(serial))?;
    let mut properties = json!({ "serial": serial, "removable": true });
    if let (Some(properties), Some(extra)) = (properties.as_object_mut(), extra.as_object()) {
        properties.extend(extra.clone());
    }
    ground.pc.must("dmesg -c >/dev/null")?;
    let id = ground.pc.plug_stick(&image, properties)?;
    // The kernel takes a second from the device to the disk.
    let at = ground.kernel_said("logical blocks")?;
    // Below the disk's device are target, host, interface, device.
    let script = format!(
        "for disk in /sys/block/sd*; do \
         [ \"$(cat $disk/device/../../../../serial)\" = {serial} ] && [ \"$(cat $disk/size)\" -gt 0 ] && basename $disk && exit; done; exit 1"
    );
    let disk = ground.pc.until(&script, SOON)?.out;
    Ok(Stick { id, serial, at, disk })
}

pub(super) fn pull(ground: &mut Ground<'_>, stick: &Stick) -> Done {
    ground.pc.unplug(&stick.id)?;
    ground.pc.until(&format!("! grep -qx {} /sys/bus/usb/devices/*/serial", stick.serial), SOON).map(drop)
}

/// It is about this stick.
fn of(record: &Value, serial: &str) -> bool {
    word(record, "/cause/object").contains(serial)
}

pub(super) fn opened(ground: &mut Ground<'_>, code: &str, serial: &str, mark: usize) -> Done<Value> {
    ground.told(code, "opened", mark, |record| of(record, serial))
}

pub(super) fn resolved(ground: &mut Ground<'_>, code: &str, serial: &str, mark: usize) -> Done<Value> {
    ground.told(code, "resolved", mark, |record| of(record, serial))
}

/// Incidents about what is plugged in; those that are told by the minute come at any time.
pub(super) fn news(ground: &Ground<'_>, mark: usize) -> usize {
    let is_new = |record: &&Value| word(record, "/incident/phase") == "opened" && word(record, "/cause/code").starts_with("usb.");
    ground.since(mark).iter().filter(is_new).count()
}

fn plain(ground: &mut Ground<'_>, serial: &'static str, make: fn(PathBuf) -> Done<PathBuf>) -> Done<Got> {
    seen(ground, serial, make, &json!({}))
}

fn seen(ground: &mut Ground<'_>, serial: &'static str, make: fn(PathBuf) -> Done<PathBuf>, extra: &Value) -> Done<Got> {
    let mark = ground.mark()?;
    let stick = plug(ground, serial, make, extra)?;
    let record = opened(ground, "usb.storage", serial, mark)?;
    if word(&record, "/origin") != "local-change" {
        return Err(format!("its origin is {}", word(&record, "/origin")));
    }
    let late = within(SEEN_MS, boot_ms(&record) - stick.at)?;
    pull(ground, &stick)?;
    resolved(ground, "usb.storage", serial, mark)?;
    ground.nothing_but(&["usb.storage"], mark, Duration::ZERO)?;
    Ok(Got::of(word(&record, "/cause/object")).after(late))
}

fn fixed(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let stick = plug(ground, "FIXED001", sticks::partitioned, &json!({ "removable": false }))?;
    ground.pc.must(&format!("test $(cat /sys/block/{}/removable) = 0", stick.disk))?;
    let record = opened(ground, "usb.storage", stick.serial, mark)?;
    let late = within(SEEN_MS, boot_ms(&record) - stick.at)?;
    pull(ground, &stick)?;
    resolved(ground, "usb.storage", stick.serial, mark)?;
    Ok(Got::of(word(&record, "/cause/object")).after(late))
}

fn behind_a_hub(ground: &mut Ground<'_>) -> Done<Got> {
    let hub = ground.pc.plug("usb-hub", json!({ "bus": "usb.0", "port": "4" }))?;
    ground.pc.until("grep -qx 09 /sys/bus/usb/devices/[0-9]*-4/bDeviceClass", SOON)?;
    let got = seen(ground, "BEHIND01", sticks::partitioned, &json!({ "bus": "usb.0", "port": "4.1" }));
    ground.pc.unplug(&hub)?;
    ground.pc.until("! test -e /sys/bus/usb/devices/[0-9]*-4", SOON)?;
    got
}

/// Mounts it, with a script that must end well, and gives how long after that `code` was told.
pub(super) fn used(ground: &mut Ground<'_>, stick: &Stick, script: &str, code: &str, mark: usize) -> Done<(Value, i64)> {
    let done = ground.pc.must(&script.replace("DISK", &stick.disk))?;
    let record = opened(ground, code, stick.serial, mark)?;
    let late = boot_ms(&record) - i64::try_from(done.at_ms).unwrap_or(i64::MAX);
    Ok((record, late))
}

fn mounted(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let stick = plug(ground, "MOUNT001", sticks::partitioned, &json!({}))?;
    let (record, late) = used(ground, &stick, "mkdir -p /media/stick; mount /dev/DISK1 /media/stick", "usb.mounted", mark)?;
    if word(&record, "/cause/severity") != "high" || !record.to_string().contains("/media/stick") {
        return Err(format!("not high, or without its mount point: {record}"));
    }
    within(SEEN_MS, late)?;
    ground.pc.must("umount /media/stick")?;
    resolved(ground, "usb.mounted", stick.serial, mark)?;
    pull(ground, &stick)?;
    resolved(ground, "usb.storage", stick.serial, mark)?;
    Ok(Got::of(proof(&record, "usb.mount")).after(late))
}

fn bound(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let stick = plug(ground, "BOUND001", sticks::whole, &json!({}))?;
    let script = "mkdir -p /media/stick /media/other; mount /dev/DISK /media/stick; mount -o bind /media/stick /media/other";
    used(ground, &stick, script, "usb.mounted", mark)?;
    ground.pc.must("grep -q /media/other /proc/self/mountinfo")?;
    ground.nothing_but(&["usb.storage", "usb.mounted"], mark, Duration::from_secs(2))?;
    let opened = news(ground, mark);
    ground.pc.must("umount /media/other; umount /media/stick")?;
    pull(ground, &stick)?;
    resolved(ground, "usb.storage", stick.serial, mark)?;
    if opened == 2 { Ok(Got::of("one usb.storage, one usb.mounted")) } else { Err(format!("{opened} incidents")) }
}

fn by_loop(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let stick = plug(ground, "LOOP0001", sticks::partitioned, &json!({}))?;
    // The loop device hides the stick from whoever looks at the name of the mounted device only.
    let script = "mkdir -p /media/loop; losetup /dev/loop0 /dev/DISK1; mount -t vfat /dev/loop0 /media/loop";
    let (record, late) = used(ground, &stick, script, "usb.mounted", mark)?;
    within(SEEN_MS, late)?;
    ground.pc.must("umount /media/loop; losetup -d /dev/loop0 2>/dev/null; sleep 0.1; ! losetup | grep -q loop0")?;
    resolved(ground, "usb.mounted", stick.serial, mark)?;
    pull(ground, &stick)?;
    resolved(ground, "usb.storage", stick.serial, mark)?;
    Ok(Got::of(proof(&record, "usb.mount")).after(late))
}

fn hidden(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let stick = plug(ground, "HIDDEN01", sticks::partitioned, &json!({}))?;
    let script = "mkdir -p /media/hidden; rm -f /run/hidden; \
                  unshare -m --propagation private sh -c 'mount /dev/DISK1 /media/hidden && echo $$ >/run/hidden && exec sleep 600' \
                  >/dev/null 2>&1 & until test -s /run/hidden; do sleep 0.05; done";
    let (record, late) = used(ground, &stick, script, "usb.hidden-mount", mark)?;
    ground.pc.must("! grep -q /media/hidden /proc/self/mountinfo")?;
    let pid = ground.pc.must("cat /run/hidden")?.out;
    if !record.to_string().contains(&pid) {
        return Err(format!("process {pid} is not named: {record}"));
    }
    ground.pc.must("kill $(cat /run/hidden)")?;
    resolved(ground, "usb.hidden-mount", stick.serial, mark)?;
    pull(ground, &stick)?;
    resolved(ground, "usb.storage", stick.serial, mark)?;
    Ok(Got::of(format!("process {pid}")).after(late))
}

fn raw(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let stick = plug(ground, "RAW00001", sticks::large, &json!({}))?;
    opened(ground, "usb.storage", stick.serial, mark)?;
    // Below the cache nothing is read twice, so the kernel has counted every byte that was read, and those that it needed to find the partition.
    let script = "dd if=/dev/DISK of=/dev/null bs=1M 2>/dev/null; awk '{print $3 * 512}' /sys/block/DISK/stat";
    let done = ground.pc.must(&script.replace("DISK", &stick.disk))?;
    let record = opened(ground, "usb.raw-read", stick.serial, mark)?;
    // It may be told while the reading goes on.
    let late = (boot_ms(&record) - i64::try_from(done.at_ms).unwrap_or(i64::MAX)).max(0);
    let bytes = format!("read {} B", done.out);
    // It looks every two seconds; a little more than was told is told at the end.
    std::thread::sleep(Duration::from_secs(5));
    pull(ground, &stick)?;
    let record = resolved(ground, "usb.raw-read", stick.serial, mark)?;
    let last = resolved(ground, "usb.storage", stick.serial, mark)?;
    if proof(&last, "usb.bytes").contains(&bytes) {
        return Ok(Got::of(format!("{bytes}; {}", evidence(&record))).after(late));
    }
    Err(format!("pulled out, it is not said any more that {bytes}: {}", evidence(&last)))
}

fn pulled(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let stick = plug(ground, "PULLED01", sticks::partitioned, &json!({}))?;
    used(ground, &stick, "mkdir -p /media/stick; mount /dev/DISK1 /media/stick; echo hello >/media/stick/x", "usb.mounted", mark)?;
    pull(ground, &stick)?;
    ground.pc.must("grep -q /media/stick /proc/self/mountinfo")?;
    resolved(ground, "usb.storage", stick.serial, mark)?;
    resolved(ground, "usb.mounted", stick.serial, mark)?;
    ground.pc.must("umount -l /media/stick")?;
    Ok(Got::of("both ended, though the dead mount stayed"))
}

/// Plugs something in that the kernel names so, and gives when.
fn announced(ground: &mut Ground<'_>, driver: &str, properties: Value, word: &str) -> Done<(String, i64)> {
    ground.pc.must("dmesg -c >/dev/null")?;
    let id = ground.pc.plug(driver, properties)?;
    Ok((id, ground.kernel_said(word)?))
}

fn gone(ground: &mut Ground<'_>, id: &str) -> Done {
    ground.pc.unplug(id)?;
    ground.kernel_said("USB disconnect").map(drop)
}

fn phone(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let folder = ground.pc.beside("phone");
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let (id, at) = announced(ground, "usb-mtp", json!({ "rootdir": folder, "serial": "PHONE001" }), "New USB device found")?;
    let record = ground.told("usb.phone", "opened", mark, |_| true)?;
    let late = within(SEEN_MS, boot_ms(&record) - at)?;
    gone(ground, &id)?;
    ground.told("usb.phone", "resolved", mark, |_| true)?;
    ground.nothing_but(&["usb.phone"], mark, Duration::ZERO)?;
    Ok(Got::of(word(&record, "/cause/object")).after(late))
}

/// What was told of an adapter with which this was done, and how soon its being there.
fn net(ground: &mut Ground<'_>, script: &str) -> Done<(String, i64)> {
    let mark = ground.mark()?;
    let backend = json!({ "type": "user", "id": "tether", "restrict": true, "net": "10.78.2.0/24", "dhcpstart": "10.78.2.15" });
    ground.pc.monitor("netdev_add", &backend)?;
    let (id, at) = announced(ground, "usb-net", json!({ "netdev": "tether", "mac": "52:54:00:aa:bb:cc" }), "New USB device found")?;
    ground.pc.until("grep -qi 52:54:00:aa:bb:cc /sys/class/net/*/address", SOON)?;
    ground.pc.must(script)?;
    let record = ground.told("usb.network", "opened", mark, |_| true)?;
    let late = within(SEEN_MS, boot_ms(&record) - at)?;
    // A way outward that may yet become one; told anew where it was told a moment ago.
    let suspect = "isolation.uplink-suspect";
    let is_suspect = |record: &Value| word(record, "/cause/code") == suspect && word(record, "/incident/phase") != "resolved";
    ground.wait(suspect, mark, is_suspect)?;
    gone(ground, &id)?;
    for code in ["usb.network", suspect] {
        ground.told(code, "resolved", mark, |_| true)?;
    }
    ground.pc.monitor("netdev_del", &json!({ "id": "tether" }))?;
    let mut told: Vec<&str> = ground.since(mark).iter().map(|record| word(record, "/cause/code")).filter(|code| !code.is_empty()).collect();
    told.sort_unstable();
    told.dedup();
    Ok((told.join(", "), late))
}

fn adapter(ground: &mut Ground<'_>) -> Done<Got> {
    let (told, late) = net(ground, "true")?;
    Ok(Got::of(told).after(late))
}

fn tether(ground: &mut Ground<'_>) -> Done<Got> {
    let script = "dev=$(basename $(dirname $(grep -li 52:54:00:aa:bb:cc /sys/class/net/*/address))); ip link set $dev up; \
                  udhcpc -i $dev -s /etc/udhcpc -n -q -t 10 -T 1 >/dev/null 2>&1; ip addr show dev $dev | grep -q 10.78.2.15";
    let (told, late) = net(ground, script)?;
    Ok(Got::of(told).after(late))
}

fn harmless(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let mut ids = Vec::new();
    for driver in ["usb-kbd", "usb-mouse", "usb-ccid"] {
        ids.push(announced(ground, driver, json!({}), "New USB device found")?.0);
    }
    ground.pc.until("test $(cat /sys/bus/usb/devices/*/bInterfaceClass | grep -cE '03|0b') -ge 3", SOON)?;
    ground.nothing_but(&[], mark, WATCHED)?;
    for id in ids {
        ground.pc.must("dmesg -c >/dev/null")?;
        gone(ground, &id)?;
    }
    ground.nothing_but(&[], mark, Duration::from_secs(1))?;
    Ok(Got::of("nothing"))
}

fn allowed(ground: &mut Ground<'_>) -> Done<Got> {
    let list = "allow = [{ vendor = \"46f4\", product = \"0001\", serial = \"ALLOW001\" }]";
    let mark = ground.mark()?;
    ground.pc.must(&format!("cp /etc/isonet/isonet.toml /run/before; printf '\\n[usb]\\n%s\\n' '{list}' >>/etc/isonet/isonet.toml"))?;
    ground.pc.must("kill -HUP $(cat /run/daemon.pid)")?;
    ground.wait("the new configuration", mark, |record| word(record, "/agent/event") == "policy-changed")?;
    let stick = plug(ground, "ALLOW001", sticks::partitioned, &json!({}))?;
    ground.pc.must(&format!("mkdir -p /media/stick; mount -t vfat /dev/{}1 /media/stick", stick.disk))?;
    ground.nothing_but(&[], mark, WATCHED)?;
    ground.pc.must("umount /media/stick")?;
    pull(ground, &stick)?;
    let mark = ground.mark()?;
    ground.pc.must("cat /run/before >/etc/isonet/isonet.toml; kill -HUP $(cat /run/daemon.pid)")?;
    ground.wait("the old configuration", mark, |record| word(record, "/agent/event") == "policy-changed")?;
    ground.nothing_but(&[], mark, Duration::ZERO)?;
    Ok(Got::of("nothing, mounted or not"))
}

fn flood(ground: &mut Ground<'_>) -> Done<Got> {
    const EVENTS: u32 = 600;
    let mark = ground.mark()?;
    // Of what is at USB, of a disk, and of neither.
    let script = "i=0; while [ $i -lt 200 ]; do for at in bus/usb/devices/usb1 block/vda class/mem/null; do echo change >/sys/$at/uevent; done; \
                  i=$((i+1)); done >/dev/null 2>&1";
    let count = "cat /sys/kernel/uevent_seqnum";
    let number = |said: String| said.parse::<u32>().map_err(|e| format!("no number: {e}"));
    let before = number(ground.pc.must(count)?.out)?;
    ground.pc.must(&format!("({script}) </dev/null >/dev/null 2>&1 &"))?;
    let sticks = [plug(ground, "FLOOD001", sticks::partitioned, &json!({}))?, plug(ground, "FLOOD002", sticks::whole, &json!({}))?];
    ground.pc.must(script)?;
    let keyboard = ground.pc.plug("usb-kbd", json!({}))?;
    let mut late = 0;
    for stick in &sticks {
        late = late.max(boot_ms(&opened(ground, "usb.storage", stick.serial, mark)?) - stick.at);
    }
    ground.pc.must(&format!("({script}) </dev/null >/dev/null 2>&1 &"))?;
    for stick in &sticks {
        pull(ground, stick)?;
        resolved(ground, "usb.storage", stick.serial, mark)?;
    }
    ground.pc.unplug(&keyboard)?;
    ground.nothing_but(&["usb.storage"], mark, Duration::ZERO)?;
    let events = number(ground.pc.must(count)?.out)? - before;
    let opened = news(ground, mark);
    if opened != 2 || events < 2 * EVENTS {
        return Err(format!("{opened} incidents amid {events} events"));
    }
    Ok(Got::of(format!("both, once each, amid {events} events")).after(late))
}

fn before(ground: &mut Ground<'_>) -> Done<Got> {
    ground.stop()?;
    let stick = plug(ground, "BEFORE01", sticks::partitioned, &json!({}))?;
    let mark = ground.mark()?;
    ground.start()?;
    let record = opened(ground, "usb.storage", stick.serial, mark)?;
    pull(ground, &stick)?;
    resolved(ground, "usb.storage", stick.serial, mark)?;
    let origin = word(&record, "/origin");
    if origin == "pre-existing" { Ok(Got::of(origin)) } else { Err(format!("its origin is {origin}")) }
}
