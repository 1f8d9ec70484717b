//! Sticks.

use super::{Case, case};
use crate::Done;
use crate::daemon::Ground;
use crate::sticks;
use crate::table::Got;
use serde_json::json;
use std::time::Duration;

pub(super) const CASES: &[Case] = &[case("stick partitioned", "usb.storage", partitioned)];

const SOON: Duration = Duration::from_secs(20);

fn partitioned(ground: &mut Ground<'_>) -> Done<Got> {
    let image = sticks::partitioned(ground.pc.beside("p.img"))?;
    let id = ground.pc.plug_stick(&image, json!({ "serial": "P0001", "removable": true }))?;
    let at = ground.kernel_said("SerialNumber: P0001")?;
    ground.pc.until("test -e /sys/block/sda/sda1", SOON)?;
    ground.pc.must("mount -t vfat /dev/sda1 /mnt; echo hello > /mnt/x; umount /mnt")?;
    ground.pc.unplug(&id)?;
    ground.pc.until("! test -e /sys/block/sda", SOON)?;
    Ok(Got::of("seen").after(at))
}
