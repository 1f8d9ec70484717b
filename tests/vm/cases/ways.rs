//! Ways outward of which only a full kernel knows: a VRF, and WireGuard as a kind of its own. `ip` by its path is not the shell's own small one.

use serde_json::Value;
use std::time::Duration;

use super::{Case, MORE_DRIVERS, Takes, WATCHED, case};
use crate::Done;
use crate::daemon::{Ground, boot_ms, evidence, proof, word};
use crate::table::Got;

/// From the kernel's word to the record.
const TOLD_MS: i64 = 5_000;
const SUSPECT: &str = "isolation.uplink-suspect";

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("default route in a VRF", "isolation.uplink-suspect link:way0 table 109; of a VRF that leads to private addresses nothing", Takes::Seconds, vrf),
    case("WireGuard of the kernel", "isolation.uplink-suspect link:wg7 wireguard; while it is down nothing", Takes::Seconds, wireguard),
];

/// What is done to the PC, one after the other.
struct Steps {
    /// Nothing may be told of it.
    innocent: &'static str,
    /// It must be told of.
    guilty: &'static str,
    undone: &'static str,
}

/// What was told of `link`, and how late.
fn told(ground: &mut Ground<'_>, steps: &Steps, link: &str) -> Done<(Value, i64)> {
    ground.pc.must(MORE_DRIVERS)?;
    let mark = ground.mark()?;
    let staged = staged(ground, steps, link, mark);
    ground.pc.must(steps.undone)?;
    let staged = staged?;
    ground.told(SUSPECT, "resolved", mark, |_| true)?;
    ground.nothing_but(&[SUSPECT], mark, Duration::ZERO)?;
    Ok(staged)
}

fn staged(ground: &mut Ground<'_>, steps: &Steps, link: &str, mark: usize) -> Done<(Value, i64)> {
    ground.pc.must(steps.innocent)?;
    ground.nothing_but(&[], mark, WATCHED)?;
    let at = ground.pc.must(steps.guilty)?.at_ms;
    let record = ground.told(SUSPECT, "opened", mark, |record| word(record, "/cause/object") == link)?;
    let late = super::within(TOLD_MS, boot_ms(&record) - i64::try_from(at).unwrap_or(i64::MAX))?;
    Ok((record, late))
}

fn vrf(ground: &mut Ground<'_>) -> Done<Got> {
    let steps = Steps {
        innocent: "/bin/ip link add vrf9 type vrf table 109 && /bin/ip link set vrf9 up && /bin/ip link add way0 type dummy && /bin/ip link set way0 master vrf9 up && \
                   /bin/ip addr add 172.20.0.2/24 dev way0 && /bin/ip route add 10.88.0.0/16 via 172.20.0.1 dev way0 table 109 && /bin/ip -d link show vrf9 | grep -q 'vrf table 109'",
        guilty: "/bin/ip route add default via 172.20.0.1 dev way0 table 109 && /bin/ip route get 1.1.1.1 vrf vrf9 | grep -q 'dev way0'",
        undone: "/bin/ip link del way0; /bin/ip link del vrf9",
    };
    let (record, late) = told(ground, &steps, "link:way0")?;
    let route = proof(&record, "uplink.route");
    // A table that no rule leads to would be told as such; that of a VRF needs none.
    if route != "0.0.0.0/0 via 172.20.0.1 dev way0 table 109" || !proof(&record, "uplink.rule").is_empty() {
        return Err(format!("not the way that was made: {}", evidence(&record)));
    }
    Ok(Got::of("isolation.uplink-suspect link:way0 table 109").after(late))
}

fn wireguard(ground: &mut Ground<'_>) -> Done<Got> {
    let steps = Steps {
        innocent: "/bin/ip link add wg7 type wireguard && /bin/ip addr add 10.99.0.2/32 dev wg7 && /bin/ip -d link show wg7 | grep -q wireguard",
        guilty: "/bin/ip link set wg7 up",
        undone: "/bin/ip link del wg7",
    };
    let (record, late) = told(ground, &steps, "link:wg7")?;
    if proof(&record, "uplink.link") != "wg7 wireguard" {
        return Err(format!("not the link that was made: {}", evidence(&record)));
    }
    Ok(Got::of("isolation.uplink-suspect link:wg7 wireguard").after(late))
}
