//! One file per layer, one line per rule in [`LAYERS`]. A rule looks at one [`Way`] and says how its layer stands. Rules are asked from
//! the bottom up; the first broken layer is the root and everything above it is a consequence.

mod address;
mod counter;
mod dns;
mod gateway;
mod line;
mod link;
mod loss;
mod portal;
mod route;
mod service;
mod tcp;
mod tls;
mod vpn;

pub use loss::came_late;
pub use service::{exchanges, healthy};
pub use tcp::{dead as ports_dead, required as required_ports};
pub use tls::{handshakes, not_ours};

use super::scene::Way;
use crate::model::{Layer, Verdict};

/// How a layer stands on one way.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It works.
    Passed,
    /// It does not; the candidates, best first.
    Broken(Vec<Verdict>),
    /// Could not tell: go on upwards.
    Unknown,
    /// This way has no such layer.
    Absent,
}

/// Judges one layer.
pub type Rule = fn(&Way<'_>) -> Standing;

/// Every layer with its rule, from the bottom up.
pub const LAYERS: &[(Layer, Rule)] = &[
    (Layer::Link, link::judge),
    (Layer::Address, address::judge),
    (Layer::Gateway, gateway::judge),
    (Layer::Line, line::judge),
    (Layer::Vpn, vpn::judge),
    (Layer::Route, route::judge),
    (Layer::Dns, dns::judge),
    (Layer::Tcp, tcp::judge),
    (Layer::Tls, tls::judge),
    (Layer::Http, service::judge),
];

/// What makes a way worse without breaking it. A verdict here counts only where nothing below it is broken.
pub const DEGRADATIONS: &[fn(&Way<'_>) -> Vec<Verdict>] =
    &[link::degradations, dns::degradations, service::degradations, loss::degradations, counter::degradations];

/// Whether settlement fails although the service answers a small question: its name leads to strangers, or large requests vanish.
pub fn deceptive(way: &Way<'_>) -> bool {
    dns::leads_to_strangers(way) || route::mtu_black_hole(way).is_some()
}
