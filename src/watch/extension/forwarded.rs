//! Packets that this PC passed on for others: all that it forwarded, less all that programs of its own containers sent and received. Pure but
//! for [`sample`].
//!
//! A packet of a container is forwarded too, and then came in or went out by an interface behind which only programs of this PC are. So what
//! exceeds the packets of those interfaces belongs to other devices. Packets between a container and this PC itself make that sum larger
//! than it need be: some of other devices may go unnoticed for a while, and nobody is accused wrongly.

use crate::model::IfName;
use crate::sys::files;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Most of any file that is read.
const LARGEST: u64 = 1 << 20;
/// Fewer may be strays: a neighbour's packet with our hardware address.
const FEWEST: u64 = 3;

/// The kernel's counts. Those of interfaces are taken before and after, because nothing stands still meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// Packets of each interface, both directions, a moment before.
    pub before: BTreeMap<IfName, u64>,
    /// Packets forwarded, IPv4 and IPv6; `None` = the kernel does not say.
    pub forwarded: [Option<u64>; 2],
    /// Packets of each interface a moment later.
    pub after: BTreeMap<IfName, u64>,
}

/// Reads `/proc/net/{dev,snmp,snmp6}`.
pub fn sample(net: &Path) -> Sample {
    let text = |name: &str| files::read_text(&net.join(name), LARGEST).unwrap_or_default();
    let before = packets(&text("dev"));
    let forwarded = [forwarded4(&text("snmp")), forwarded6(&text("snmp6"))];
    Sample { before, forwarded, after: packets(&text("dev")) }
}

fn packets(dev: &str) -> BTreeMap<IfName, u64> {
    let line = |line: &str| {
        let (name, counts) = line.split_once(':')?;
        let counts: Vec<u64> = counts.split_whitespace().map_while(|word| word.parse().ok()).collect();
        Some((IfName::new(name.trim()), counts.get(1)?.saturating_add(*counts.get(9)?)))
    };
    dev.lines().filter_map(line).collect()
}

fn forwarded4(snmp: &str) -> Option<u64> {
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Ip:"));
    let at = lines.next()?.split_whitespace().position(|name| name == "ForwDatagrams")?;
    lines.next()?.split_whitespace().nth(at)?.parse().ok()
}

fn forwarded6(snmp6: &str) -> Option<u64> {
    let count = |line: &str| line.split_whitespace().nth(1)?.parse().ok();
    snmp6.lines().find(|line| line.split_whitespace().next() == Some("Ip6OutForwDatagrams")).and_then(count)
}

/// What is counted from, and whether anything of others was seen since.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forwarded {
    base: Option<Sample>,
    /// Packets of other devices were passed on.
    pub of_others: bool,
}

impl Forwarded {
    /// Takes new counts in. `inner` are the interfaces behind which only programs of this PC are, `accepted` the families that may forward.
    pub fn count(&mut self, now: Sample, inner: &BTreeSet<IfName>, accepted: [bool; 2]) {
        if let Some(base) = &self.base
            && let Some(surplus) = surplus(base, &now, inner, accepted)
        {
            self.of_others |= surplus >= FEWEST;
            if (1..FEWEST).contains(&surplus) {
                // They may be the first of more.
                return;
            }
        }
        self.base = Some(now);
    }
}

/// Packets that no container accounts for; `None` = the counts do not go together, because an interface or its counts are gone.
fn surplus(base: &Sample, now: &Sample, inner: &BTreeSet<IfName>, accepted: [bool; 2]) -> Option<u64> {
    let mut passed = 0_u64;
    for ((then, now), accepted) in base.forwarded.iter().zip(now.forwarded).zip(accepted) {
        if let (Some(then), Some(now), false) = (then, now, accepted) {
            passed = passed.saturating_add(now.checked_sub(*then)?);
        }
    }
    if base.before.keys().any(|name| !now.after.contains_key(name)) {
        return None;
    }
    let mut own = 0_u64;
    for name in inner {
        own = own.saturating_add(now.after.get(name)?.checked_sub(base.before.get(name).copied().unwrap_or(0))?);
    }
    Some(passed.saturating_sub(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(forwarded: u64, docker: u64) -> Sample {
        let packets: BTreeMap<IfName, u64> = [(IfName::new("docker0"), docker), (IfName::new("eth0"), 1000)].into();
        Sample { before: packets.clone(), forwarded: [Some(forwarded), Some(0)], after: packets }
    }

    fn after(counts: &[(u64, u64)]) -> bool {
        let inner = BTreeSet::from([IfName::new("docker0")]);
        let mut counted = Forwarded::default();
        for (forwarded, docker) in counts {
            counted.count(at(*forwarded, *docker), &inner, [false, false]);
        }
        counted.of_others
    }

    #[test]
    fn packets_of_containers_are_nobody_elses() {
        assert!(!after(&[(0, 0), (500, 500), (900, 1400)]));
        assert!(!after(&[(700, 0), (700, 0)]), "what was forwarded before is not counted");
    }

    #[test]
    fn packets_of_other_devices_are_seen_and_strays_are_not() {
        assert!(after(&[(0, 0), (6, 0)]));
        assert!(after(&[(0, 0), (506, 500)]));
        assert!(!after(&[(0, 0), (2, 0)]));
        assert!(after(&[(0, 0), (2, 0), (4, 0)]), "a few at a time");
    }

    #[test]
    fn counts_that_do_not_go_together_begin_anew() {
        assert!(!after(&[(100, 50), (0, 0), (1, 0)]));
        let inner = BTreeSet::from([IfName::new("docker0")]);
        let mut counted = Forwarded::default();
        counted.count(at(0, 0), &inner, [false, false]);
        let mut without = at(50, 0);
        without.after.remove(&IfName::new("docker0"));
        counted.count(without, &BTreeSet::new(), [false, false]);
        assert!(!counted.of_others, "the last packets of a bridge that is gone are not known");
    }

    #[test]
    fn what_was_enrolled_is_not_counted() {
        let mut counted = Forwarded::default();
        counted.count(at(0, 0), &BTreeSet::new(), [true, false]);
        counted.count(at(900, 0), &BTreeSet::new(), [true, false]);
        assert!(!counted.of_others);
    }

    const DEV: &str = "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n\
        eth0: 100 7 0 0 0 0 0 0 200 5 0 0 0 0 0 0\n";
    const SNMP: &str =
        "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams\nIp: 1 64 10 0 0 42\nIcmp: InMsgs\nIcmp: 3\n";

    #[test]
    fn the_kernels_tables_are_read() {
        assert_eq!(packets(DEV), BTreeMap::from([(IfName::new("eth0"), 12)]));
        assert_eq!(forwarded4(SNMP), Some(42));
        assert_eq!(forwarded6("Ip6InReceives 4\nIp6OutForwDatagrams             \t9\n"), Some(9));
        assert_eq!((forwarded4(""), forwarded6("")), (None, None));
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]
            #[test]
            fn never_panic(bytes in hostile(vec![DEV.into(), SNMP.into()], 300)) {
                let text = String::from_utf8_lossy(&bytes);
                let _ = (packets(&text), forwarded4(&text), forwarded6(&text));
            }
        }
    }
}
