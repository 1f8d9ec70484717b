//! A wireless card in software (`mac80211_hwsim`): a station is none of our business, an access point is a way for others.

use serde_json::Value;
use std::time::Duration;

use super::{Case, MORE_DRIVERS, SOON, Takes, WATCHED, case};
use crate::Done;
use crate::daemon::{Ground, boot_ms, word};
use crate::table::Got;

/// What stands a moment is told: 2.5 s, and a walk.
const TOLD_MS: i64 = 10_000;

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("wireless card as access point", "extension.sharing link:wlan0; as a station nothing of it", Takes::Seconds, access_point),
];

fn access_point(ground: &mut Ground<'_>) -> Done<Got> {
    let done = staged(ground);
    let _ = ground.pc.run("rmmod mac80211_hwsim");
    done
}

fn staged(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    ground.pc.must(MORE_DRIVERS)?;
    ground.pc.must("insmod /modules/mac80211_hwsim radios=1")?;
    ground.pc.until("test -e /sys/class/net/wlan0 && ip link set wlan0 up && iw dev wlan0 info | grep -q 'type managed'", SOON)?;
    // A card that was not enrolled is another watcher's business.
    let others = ["isolation.uplink-suspect"];
    ground.nothing_but(&others, mark, WATCHED * 2)?;
    let up = ground
        .pc
        .must("ip link set wlan0 down && iw dev wlan0 set type __ap && ip link set wlan0 up && iw dev wlan0 info | grep -q 'type AP'")?;
    let record = ground.told("extension.sharing", "opened", mark, |record| word(record, "/cause/object") == "link:wlan0")?;
    let late = super::within(TOLD_MS, boot_ms(&record) - i64::try_from(up.at_ms).unwrap_or(i64::MAX))?;
    if !record["evidence"].as_array().is_some_and(|lines| lines.iter().any(|line: &Value| line["k"] == "extension.hotspot")) {
        return Err(format!("not known by its mode: {}", record["evidence"]));
    }
    ground.pc.must("ip link set wlan0 down && iw dev wlan0 set type managed && ip link set wlan0 up")?;
    ground.told("extension.sharing", "resolved", mark, |_| true)?;
    ground.nothing_but(&[&others[..], &["extension.sharing"]].concat(), mark, Duration::ZERO)?;
    Ok(Got::of("extension.sharing link:wlan0").after(late))
}
