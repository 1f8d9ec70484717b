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
use crate::model::Cause;

/// What a person is told about one cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// One clause, no full stop: it also stands inside a sentence ("Cannot settle now: ...").
    pub title: &'static str,
    /// One or two sentences for the person at the counter: what it means.
    pub plain: &'static str,
    /// What the counter can do: one to three steps, the first is the one act.
    pub shop: &'static [&'static str],
    /// What an engineer looks at, in order.
    pub engineer: &'static [&'static str],
}

/// The same text in both languages.
struct Pair {
    zh: Text,
    en: Text,
}

/// Acts that several causes share, so that one act can be found which is right for several candidates.
mod act {
    pub(super) const CALL_ZH: &str = "电脑这边先不用动，直接打下面的电话。";
    pub(super) const CALL_EN: &str = "Leave the PC as it is and call the number below.";
    pub(super) const LAMPS_ZH: &str = "看一眼光猫、路由器和医保专网的盒子，哪些灯亮、哪些不亮，记下来。";
    pub(super) const LAMPS_EN: &str = "Look at the modem, the router and the network box; note which lamps are on.";
    pub(super) const CABLE_ZH: &str = "把网线两头拔下来重新插紧，听到咔嗒一声为止。";
    pub(super) const CABLE_EN: &str = "Unplug both ends of the network cable and push them back in until they click.";
    pub(super) const VPN_ZH: &str = "把 VPN 退出，等半分钟，再按平时的办法重新连上。";
    pub(super) const VPN_EN: &str = "Close the VPN, wait half a minute, and connect it again as you do every day.";
}

pub use common::{is_call, one_act};

/// The texts of a cause.
pub fn text(cause: Cause, lang: Lang) -> &'static Text {
    let pair = pair(cause);
    lang.pick(&pair.zh, &pair.en)
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
