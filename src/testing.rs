//! What tests share: how many cases a property has, bytes as an enemy would send them, and the plainest card, address and route.
//!
//! A parser of bytes that others write has its properties in a module named `any_bytes`, by which `tests/run --full` finds them and runs
//! each twenty thousand times; `tests/run --long` a million. `PROPTEST_CASES` sets the number anywhere.

use crate::model::{Address, IfName, Link, LinkKind, Route, RouteKind};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// As many cases as `PROPTEST_CASES` says, else proptest's default. Failing input is printed and not kept in files.
pub fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

/// One change to valid bytes: what, where, and how much of it.
type Change = (u8, Index, Index, u8);

/// Bytes of any kind, up to `longest`, or one of `seeds` after one to eight changes.
pub fn hostile(seeds: Vec<Vec<u8>>, longest: usize) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<u8>(), any::<Index>(), any::<Index>(), any::<u8>());
    let mutated = (select(seeds), vec(change, 1..8)).prop_map(|(seed, changes)| changes.iter().fold(seed, changed));
    prop_oneof![vec(any::<u8>(), 0..longest), mutated]
}

fn changed(mut bytes: Vec<u8>, (what, at, other, value): &Change) -> Vec<u8> {
    if bytes.is_empty() {
        bytes.push(*value);
        return bytes;
    }
    let (at, other) = (at.index(bytes.len()), other.index(bytes.len()));
    let (from, to) = (at.min(other), at.max(other));
    match what % 8 {
        0 => bytes[at] = *value,
        1 => bytes[at] ^= 1 << (value % 8),
        // Lengths, counts and offsets break at their ends.
        2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, 0xc0, b'\n', b' '][usize::from(value % 8)],
        3 => bytes.insert(at, *value),
        4 => bytes.truncate(at),
        5 => drop(bytes.drain(from..to)),
        6 => bytes.extend_from_within(from..to.min(from + 64)),
        _ => bytes.swap(at, other),
    }
    bytes
}

/// A card that is up and has a signal.
pub fn link(name: &str, kind: LinkKind) -> Link {
    Link {
        name: IfName::new(name),
        index: 2,
        kind,
        up: true,
        carrier: true,
        mac: None,
        master: None,
        carrier_changes: 1,
        speed_mbps: None,
        full_duplex: None,
        rx_bytes: 0,
        tx_bytes: 0,
        rx_errors: 0,
        mtu: 1500,
    }
}

/// A usable address with its prefix.
pub fn address(link: &str, net: &str) -> Address {
    Address { link: IfName::new(link), net: net.parse().expect("a prefix"), duplicate: false, tentative: false }
}

/// A route of the main table.
pub fn route(destination: &str, device: &str, gateway: Option<&str>) -> Route {
    Route {
        destination: destination.parse().expect("a prefix"),
        kind: RouteKind::Unicast,
        device: Some(IfName::new(device)),
        gateway: gateway.map(|ip| ip.parse().expect("an address")),
        source: None,
        table: 254,
        metric: 0,
    }
}
