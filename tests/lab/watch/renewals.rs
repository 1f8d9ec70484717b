//! The proof that a healthy site's keys and lease really were renewed while it was watched, by the word of those who renew them: the VPN
//! server's log, the WireGuard peer's own list, the DHCP server's log.

use std::collections::BTreeSet;
use std::fs;

use crate::check::holds;
use crate::lab::{Lab, Place, Role};
use crate::machine;
use crate::plan::Kind;
use crate::shell::Done;

/// How often either end of the `OpenVPN` session renews its keys.
pub(super) const OPENVPN_EVERY_S: &str = "20";
/// A watch of so many seconds sees at least one renewal: what is due at the latest by then, and a little more.
const OPENVPN_WITHIN_S: u64 = 25;
/// `WireGuard` renews a session that is used at 120 s; nobody can make it do so earlier. The keepalives, 15 s apart, use it.
const WIREGUARD_WITHIN_S: u64 = 150;
/// The lease is renewed first of all that happens.
const LEASE_WITHIN_S: u64 = 10;

/// The DHCP server, where the terminal's address is a lease.
pub(super) const DHCP_SERVER: Role = Role::Extra("dhcp-server");

/// The renewals of one site.
pub(super) struct Renewals {
    before: BTreeSet<String>,
    seen: BTreeSet<String>,
}

impl Renewals {
    /// From now on; what was agreed before is none.
    pub(super) fn of(lab: &Lab) -> Done<Renewals> {
        let before = agreements(lab)?;
        Ok(Renewals { seen: before.clone(), before })
    }

    /// Looks again: not everybody keeps a list of the past.
    pub(super) fn look(&mut self, lab: &Lab) -> Done {
        self.seen.extend(agreements(lab)?);
        Ok(())
    }

    /// How it went, in words; an error where a renewal was due and nobody tells of one.
    pub(super) fn proof(mut self, lab: &Lab, seconds: u64) -> Done<String> {
        self.look(lab)?;
        let Some((what, within)) = due(lab) else { return Ok("nothing to renew".to_owned()) };
        let count = self.seen.difference(&self.before).count();
        if count == 0 && seconds < within {
            return Ok(format!("no {what} was due in {seconds} s (one is in {within} s)"));
        }
        let said = format!("{count} {what}(s) by the peer's own word");
        holds(count > 0, format!("{said} in {seconds} s: what was to be proved harmless did not happen")).map(|()| said)
    }
}

/// What is renewed at this site, and within how many seconds at the latest.
fn due(lab: &Lab) -> Option<(&'static str, u64)> {
    match lab.plan.kind {
        Kind::OpenVpn => Some(("VPN rekey", OPENVPN_WITHIN_S)),
        Kind::WireGuard => Some(("VPN rekey", WIREGUARD_WITHIN_S)),
        Kind::Leased if lab.peers.contains_key(&DHCP_SERVER) => Some(("DHCP renewal", LEASE_WITHIN_S)),
        Kind::Leased | Kind::LeasedV6 | Kind::OpenConnect | Kind::Ipsec => None,
    }
}

/// Every agreement that the other end tells of now, each under a text of its own.
fn agreements(lab: &Lab) -> Done<BTreeSet<String>> {
    match lab.plan.kind {
        Kind::OpenVpn => lines(lab, Role::VpnServer, "Control Channel: TLSv"),
        Kind::WireGuard => {
            let said = lab.at(Place::Edge).run(&["wg", "show", &machine::wireguard_server(), "latest-handshakes"])?;
            Ok(said.out.lines().filter(|line| !line.ends_with("\t0")).map(str::to_owned).collect())
        }
        Kind::Leased if lab.peers.contains_key(&DHCP_SERVER) => lines(lab, DHCP_SERVER, "DHCPACK("),
        Kind::Leased | Kind::LeasedV6 | Kind::OpenConnect | Kind::Ipsec => Ok(BTreeSet::new()),
    }
}

/// The lines of a peer's log that say this.
fn lines(lab: &Lab, role: Role, words: &str) -> Done<BTreeSet<String>> {
    let log = lab.log(role);
    let text = fs::read_to_string(&log).map_err(|e| format!("cannot read {}: {e}", log.display()))?;
    Ok(text.lines().enumerate().filter(|(_, line)| line.contains(words)).map(|(number, line)| format!("{number}: {line}")).collect())
}
