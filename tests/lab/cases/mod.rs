//! What can be staged: one `Case` a fault or healthy twin, in the order of the path.

mod dns;
mod healthy;
mod hostile;
mod http;
mod line;
mod link;
mod route;
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
pub(crate) const VPN: &[Kind] = &[Kind::OpenVpn, Kind::WireGuard];
pub(crate) const ANYWHERE: &[Kind] = &Kind::ALL;
pub(crate) const LEASED_AND_OPENVPN: &[Kind] = &[Kind::Leased, Kind::OpenVpn];
pub(crate) const DIRECT_AND_OPENVPN: &[Kind] = &[Kind::Leased, Kind::LeasedV6, Kind::OpenVpn];

/// Every case.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [link::CASES, line::CASES, vpn::CASES, route::CASES, dns::CASES, http::CASES, healthy::CASES, hostile::CASES].into_iter().flatten()
}

/// Asked by name only: what is found out about the centre comes from DNS.
pub(crate) fn by_name() -> Ask {
    Ask { centre: crate::ask::Centre::Name, ..Ask::default() }
}

/// Asked by a user without any privilege.
pub(crate) fn as_nobody() -> Ask {
    Ask { user: crate::ask::User::Nobody, ..Ask::default() }
}
