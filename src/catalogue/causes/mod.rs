//! The texts of every cause, one file per family of layers.
//!
//! The match in [`text`] has no wildcard: a cause without texts does not compile. `super::tests` holds the clerk's rules over all of it.

mod centre;
mod common;
mod dns;
mod line;
mod link;
mod route;
mod tls;
mod vpn;

use super::Lang;
use super::texts::{Pair, Text, act};
use crate::model::Cause;

pub use common::{is_call, one_act};

/// The texts of a cause.
pub fn text(cause: Cause, lang: Lang) -> &'static Text {
    pair(cause).pick(lang)
}

fn pair(cause: Cause) -> &'static Pair {
    match cause {
        Cause::LinkNoCarrier => &link::NO_CARRIER,
        Cause::LinkAdminDown => &link::ADMIN_DOWN,
        Cause::LinkFlapping => &link::FLAPPING,
        Cause::LinkDegraded => &link::DEGRADED,
        Cause::LinkWifiLost => &link::WIFI_LOST,
        Cause::ReaderMissing => &link::READER_MISSING,
        Cause::AddrNone => &link::ADDR_NONE,
        Cause::AddrChangedSubnet => &link::ADDR_CHANGED_SUBNET,
        Cause::AddrConflict => &link::ADDR_CONFLICT,
        Cause::AddrGatewayNotOnLink => &link::ADDR_GATEWAY_NOT_ON_LINK,
        Cause::GatewayUnreachable => &line::GATEWAY_UNREACHABLE,
        Cause::GatewayChanged => &line::GATEWAY_CHANGED,
        Cause::LineDown => &line::DOWN,
        Cause::LineLoss => &line::LOSS,
        Cause::LinePortal => &line::PORTAL,
        Cause::VpnNotStarted => &vpn::NOT_STARTED,
        Cause::VpnClientFailed => &vpn::CLIENT_FAILED,
        Cause::VpnServerNameUnresolved => &vpn::SERVER_NAME_UNRESOLVED,
        Cause::VpnServerUnreachable => &vpn::SERVER_UNREACHABLE,
        Cause::VpnPortBlocked => &vpn::PORT_BLOCKED,
        Cause::VpnAuthFailed => &vpn::AUTH_FAILED,
        Cause::VpnKicked => &vpn::KICKED,
        Cause::VpnTunnelDead => &vpn::TUNNEL_DEAD,
        Cause::VpnNoInnerPath => &vpn::NO_INNER_PATH,
        Cause::VpnIdleTimeout => &vpn::IDLE_TIMEOUT,
        Cause::VpnAddressMissing => &vpn::ADDRESS_MISSING,
        Cause::RouteMissing => &route::MISSING,
        Cause::RouteCaptured => &route::CAPTURED,
        Cause::RouteBlocked => &route::BLOCKED,
        Cause::FirewallOutput => &route::FIREWALL_OUTPUT,
        Cause::FirewallInput => &route::FIREWALL_INPUT,
        Cause::PathMtuBlackHole => &route::MTU_BLACK_HOLE,
        Cause::DnsNoResolver => &dns::NO_RESOLVER,
        Cause::DnsTimeout => &dns::TIMEOUT,
        Cause::DnsPortRefused => &dns::PORT_REFUSED,
        Cause::DnsServfail => &dns::SERVFAIL,
        Cause::DnsRefused => &dns::REFUSED,
        Cause::DnsNxdomain => &dns::NXDOMAIN,
        Cause::DnsWrongResolver => &dns::WRONG_RESOLVER,
        Cause::DnsHijacked => &dns::HIJACKED,
        Cause::DnsSlow => &dns::SLOW,
        Cause::HostsStale => &dns::HOSTS_STALE,
        Cause::TcpRefused => &tls::TCP_REFUSED,
        Cause::TcpFiltered => &tls::TCP_FILTERED,
        Cause::TcpAcceptAll => &tls::TCP_ACCEPT_ALL,
        Cause::TlsExpired => &tls::EXPIRED,
        Cause::TlsNotYetValid => &tls::NOT_YET_VALID,
        Cause::TlsUntrusted => &tls::UNTRUSTED,
        Cause::TlsNameMismatch => &tls::NAME_MISMATCH,
        Cause::TlsClientCert => &tls::CLIENT_CERT,
        Cause::TlsUnsupported => &tls::UNSUPPORTED,
        Cause::ClockWrong => &tls::CLOCK_WRONG,
        Cause::HttpMaintenance => &centre::MAINTENANCE,
        Cause::HttpError => &centre::ERROR,
        Cause::HttpAuth => &centre::AUTH,
        Cause::HttpSlow => &centre::SLOW,
        Cause::CentreOutage => &centre::OUTAGE,
        Cause::CentreCutOff => &centre::CUT_OFF,
        Cause::FrontendDown => &centre::FRONTEND_DOWN,
        Cause::CentrePlanned => &centre::PLANNED,
        Cause::ClientLocalServiceDown => &centre::LOCAL_SERVICE_DOWN,
    }
}
