//! What can be staged: one `Case` a fault or healthy twin, in the order of the path.

mod centre;
mod combined;
mod counter;
mod dns;
mod forwarder;
mod healthy;
mod hostile;
mod http;
mod line;
mod lines;
mod link;
mod machine;
mod manager;
mod moved;
mod proxies;
mod route;
mod twins;
mod two_vpns;
mod vpn;

use crate::ask::Ask;
use crate::judge::Expect;
use crate::lab::Lab;
use crate::plan::Kind;
use crate::shell::Done;

/// One staged state of the network, and what must be said of it.
pub(crate) struct Case {
    /// Unique; the cause's code, with a variant after a slash where there are several.
    pub(crate) name: &'static str,
    pub(crate) on: &'static [Kind],
    /// Makes it so.
    pub(crate) stage: fn(&mut Lab) -> Done,
    /// Shows that it is so, and what must still work, by tools that are not the product.
    pub(crate) prove: fn(&Lab) -> Done,
    pub(crate) ask: fn() -> Ask,
    pub(crate) expect: Expect,
}

pub(crate) const LEASED: &[Kind] = &[Kind::Leased];
pub(crate) const DIRECT: &[Kind] = &[Kind::Leased, Kind::LeasedV6];
pub(crate) const VPN: &[Kind] = &[Kind::OpenVpn, Kind::WireGuard, Kind::OpenConnect, Kind::Ipsec];
pub(crate) const ANYWHERE: &[Kind] = &Kind::ALL;
pub(crate) const LEASED_AND_OPENVPN: &[Kind] = &[Kind::Leased, Kind::OpenVpn];
pub(crate) const DIRECT_AND_OPENVPN: &[Kind] = &[Kind::Leased, Kind::LeasedV6, Kind::OpenVpn];

/// Every case. The codes that none of them stages are in `unstaged.rs`, each with its reason.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    let path = [link::CASES, moved::CASES, line::CASES, vpn::CASES, route::CASES, dns::CASES, http::CASES, centre::CASES];
    let wide = [forwarder::CASES, proxies::CASES, counter::CASES, combined::CASES, two_vpns::CASES];
    let rest = [healthy::CASES, twins::CASES, lines::CASES, machine::CASES, manager::CASES, hostile::CASES];
    path.into_iter().chain(wide).chain(rest).flatten()
}

/// Nothing staged, nothing wrong.
const fn healthy(name: &'static str, on: &'static [Kind]) -> Case {
    Case { name, on, stage: |_| Ok(()), prove: Lab::prove_healthy, ask: Ask::default, expect: Expect::HEALTHY }
}

/// Asked by name only: what is found out about the centre comes from DNS.
pub(crate) fn by_name() -> Ask {
    Ask { centre: crate::ask::Centre::Name, ..Ask::default() }
}

/// A second service, on the operator's side of every tunnel.
pub(crate) fn second_centre(_: &Lab) -> String {
    let ip = crate::lab::SECOND_CENTRE;
    let port = crate::peers::SECOND_CENTRE;
    format!(
        "[[centre]]\nname = \"second\"\nhost = \"{ip}\"\ntcp = [{port}]\nhttp = {{ url = \"http://{ip}:{port}/health\", status = [200] }}\n"
    )
}

/// Asked by a user without any privilege.
pub(crate) fn as_nobody() -> Ask {
    Ask { user: crate::ask::User::Nobody, ..Ask::default() }
}
