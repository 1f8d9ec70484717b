//! The stable codes of what can be wrong, with the facts about each that need no language.
//!
//! A code is part of the product's interface: never renamed, never reused. Texts are in [`catalogue`](crate::catalogue).

use serde::{Deserialize, Serialize};
use std::fmt;

/// A layer of the path from this PC to the centre, from the bottom up. Also the order in which roots are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Cable, card, radio.
    Link,
    /// IP address.
    Address,
    /// The next hop.
    Gateway,
    /// The provider's line.
    Line,
    /// The tunnel.
    Vpn,
    /// Routing and this PC's own packet policy.
    Route,
    /// Names.
    Dns,
    /// Ports.
    Tcp,
    /// Certificates.
    Tls,
    /// The service.
    Http,
}

impl Layer {
    /// All, from the bottom up.
    pub const ALL: [Self; 10] =
        [Self::Link, Self::Address, Self::Gateway, Self::Line, Self::Vpn, Self::Route, Self::Dns, Self::Tcp, Self::Tls, Self::Http];

    /// The name in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Address => "address",
            Self::Gateway => "gateway",
            Self::Line => "line",
            Self::Vpn => "vpn",
            Self::Route => "route",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Http => "http",
        }
    }
}

/// How bad it is; also the syslog severity (2 to 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing to do.
    Info,
    /// Noticed, no hurry.
    Low,
    /// Something works worse than it should.
    Medium,
    /// Work is hindered.
    High,
    /// Settlement stands still, or the isolation is gone.
    Critical,
}

impl Severity {
    /// The severity of syslog and the journal: 2 (critical) to 6 (informational).
    pub fn syslog(self) -> u8 {
        match self {
            Self::Critical => 2,
            Self::High => 3,
            Self::Medium => 4,
            Self::Low => 5,
            Self::Info => 6,
        }
    }

    /// The name in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Info => "info",
        }
    }
}

/// Who can put it right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// The people at the counter.
    Shop,
    /// The vendor of the PC and its system.
    Vendor,
    /// The vendor of the settlement software.
    Software,
    /// The line operator.
    Operator,
    /// The insurance bureau.
    Bureau,
    /// The insurance centre.
    Centre,
    /// The insured person.
    Insured,
    /// The institution's own IT (front-end server).
    Institution,
}

impl Actor {
    /// The name in JSON and in the `[contacts]` table.
    pub fn code(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Vendor => "vendor",
            Self::Software => "software",
            Self::Operator => "operator",
            Self::Bureau => "bureau",
            Self::Centre => "centre",
            Self::Insured => "insured",
            Self::Institution => "institution",
        }
    }
}

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $layer:ident, $severity:ident, [$($actor:ident),+];)+) => {
        /// What is wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "&'static str", try_from = "String")]
        pub enum Cause { $($(#[$doc])* $name),+ }

        impl Cause {
            /// All of them, in the order of the layers.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable code, e.g. `vpn.tunnel-dead`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// The layer it lives on.
            pub const fn layer(self) -> Layer {
                match self { $(Self::$name => Layer::$layer),+ }
            }

            /// How bad it is when it cuts the terminal off. What merely degrades is lowered by the verdict.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity),+ }
            }

            /// Who acts, the first to call first.
            pub const fn actors(self) -> &'static [Actor] {
                match self { $(Self::$name => &[$(Actor::$actor),+]),+ }
            }

            /// The cause with this code.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|cause| cause.code() == code)
            }
        }
    };
}

causes! {
    /// The cable or the other end is dead.
    LinkNoCarrier = "link.no-carrier", Link, Critical, [Shop, Vendor];
    /// The interface is switched off, or there is none.
    LinkAdminDown = "link.admin-down", Link, Critical, [Vendor];
    /// The signal comes and goes.
    LinkFlapping = "link.flapping", Link, High, [Shop, Vendor];
    /// The link runs slow or with errors.
    LinkDegraded = "link.degraded", Link, Medium, [Vendor];
    /// The radio is not associated.
    LinkWifiLost = "link.wifi-lost", Link, Critical, [Shop, Vendor];
    /// No usable address.
    AddrNone = "addr.none", Address, Critical, [Shop, Vendor];
    /// Another subnet than the enrolled one.
    AddrChangedSubnet = "addr.changed-subnet", Address, Critical, [Vendor, Operator];
    /// Another station uses our address.
    AddrConflict = "addr.conflict", Address, High, [Vendor];
    /// The gateway lies outside every on-link prefix.
    AddrGatewayNotOnLink = "addr.gateway-not-on-link", Address, Critical, [Vendor];
    /// The next hop is dead.
    GatewayUnreachable = "gateway.unreachable", Gateway, Critical, [Shop, Operator];
    /// Another device answers as the gateway.
    GatewayChanged = "gateway.changed", Gateway, High, [Operator, Bureau];
    /// Nothing answers behind the gateway.
    LineDown = "line.down", Line, Critical, [Operator];
    /// Packets are lost on the line.
    LineLoss = "line.loss", Line, High, [Operator];
    /// A portal stands in the way.
    LinePortal = "line.portal", Line, Critical, [Operator];
    /// The client was not started.
    VpnNotStarted = "vpn.not-started", Vpn, Critical, [Shop, Software, Bureau];
    /// The client ended after having run.
    VpnClientFailed = "vpn.client-failed", Vpn, Critical, [Shop, Software, Bureau];
    /// The VPN server's name does not resolve.
    VpnServerNameUnresolved = "vpn.server-name-unresolved", Vpn, Critical, [Operator, Bureau];
    /// The VPN server is silent while the line works.
    VpnServerUnreachable = "vpn.server-unreachable", Vpn, Critical, [Bureau];
    /// The VPN server is there, its port is not.
    VpnPortBlocked = "vpn.port-blocked", Vpn, Critical, [Operator, Bureau];
    /// The VPN server refuses the credentials.
    VpnAuthFailed = "vpn.auth-failed", Vpn, Critical, [Bureau];
    /// Sessions end after another login of the same account.
    VpnKicked = "vpn.kicked", Vpn, High, [Bureau];
    /// The interface is up and nothing comes back.
    VpnTunnelDead = "vpn.tunnel-dead", Vpn, Critical, [Shop, Bureau];
    /// The session is fresh, yet nothing inside answers.
    VpnNoInnerPath = "vpn.no-inner-path", Vpn, Critical, [Bureau];
    /// It drops at a constant age.
    VpnIdleTimeout = "vpn.idle-timeout", Vpn, Medium, [Bureau];
    /// The interface has no address, or a foreign one.
    VpnAddressMissing = "vpn.address-missing", Vpn, Critical, [Shop, Bureau];
    /// No route to the centre.
    RouteMissing = "route.missing", Route, Critical, [Vendor];
    /// The route to the centre leaves through another device.
    RouteCaptured = "route.captured", Route, Critical, [Vendor];
    /// A route on this PC refuses the centre.
    RouteBlocked = "route.blocked", Route, Critical, [Vendor];
    /// This PC's firewall drops what it sends.
    FirewallOutput = "firewall.output", Route, Critical, [Vendor];
    /// This PC's firewall drops what comes back.
    FirewallInput = "firewall.input", Route, Critical, [Vendor];
    /// Large packets vanish.
    PathMtuBlackHole = "path.mtu-black-hole", Route, Critical, [Operator, Bureau];
    /// No name server is configured.
    DnsNoResolver = "dns.no-resolver", Dns, Critical, [Vendor];
    /// The name server is silent.
    DnsTimeout = "dns.timeout", Dns, Critical, [Bureau];
    /// The name server's host is there, the service is not.
    DnsPortRefused = "dns.port-refused", Dns, Critical, [Bureau];
    /// The name server cannot find out.
    DnsServfail = "dns.servfail", Dns, Critical, [Bureau];
    /// The name server does not serve this PC.
    DnsRefused = "dns.refused", Dns, Critical, [Bureau];
    /// Every name server says that the name does not exist.
    DnsNxdomain = "dns.nxdomain", Dns, Critical, [Bureau];
    /// The name server in use does not know a name which the inner one knows.
    DnsWrongResolver = "dns.wrong-resolver", Dns, Critical, [Vendor];
    /// Names are answered with foreign addresses.
    DnsHijacked = "dns.hijacked", Dns, Critical, [Vendor, Bureau];
    /// Names are answered slowly.
    DnsSlow = "dns.slow", Dns, Low, [Bureau];
    /// The hosts file names a dead address.
    HostsStale = "hosts.stale", Dns, Critical, [Software, Bureau, Vendor];
    /// The port answers with a reset.
    TcpRefused = "tcp.refused", Tcp, Critical, [Centre, Bureau];
    /// The port is silent while the host answers otherwise.
    TcpFiltered = "tcp.filtered", Tcp, Critical, [Bureau, Operator];
    /// Something in between accepts every connection.
    TcpAcceptAll = "tcp.accept-all", Tcp, Critical, [Operator, Bureau];
    /// The certificate is past its end.
    TlsExpired = "tls.expired", Tls, Critical, [Centre];
    /// The certificate is not valid yet.
    TlsNotYetValid = "tls.not-yet-valid", Tls, Critical, [Centre];
    /// The certificate is signed by nobody we trust.
    TlsUntrusted = "tls.untrusted", Tls, Critical, [Bureau, Centre];
    /// The certificate is for another name.
    TlsNameMismatch = "tls.name-mismatch", Tls, Critical, [Centre];
    /// The server wants a certificate of ours, or refuses it.
    TlsClientCert = "tls.client-cert", Tls, Critical, [Bureau, Software];
    /// The server speaks a protocol this tool does not.
    TlsUnsupported = "tls.unsupported", Tls, Info, [Centre];
    /// This PC's date is wrong.
    ClockWrong = "clock.wrong", Tls, Critical, [Vendor, Bureau];
    /// The service says that it is being maintained.
    HttpMaintenance = "http.maintenance", Http, High, [Centre];
    /// The service answers with an error of its own.
    HttpError = "http.error", Http, Critical, [Centre];
    /// The service refuses this terminal or account.
    HttpAuth = "http.auth", Http, Critical, [Bureau];
    /// The service answers slowly.
    HttpSlow = "http.slow", Http, Medium, [Centre];
    /// The path is fine, the centre is dead.
    CentreOutage = "centre.outage", Http, Critical, [Centre, Bureau];
    /// The path is fine, this terminal is refused.
    CentreCutOff = "centre.cut-off", Http, Critical, [Bureau];
    /// The institution's front-end server is dead.
    FrontendDown = "frontend.down", Http, Critical, [Institution];
    /// An outage inside an announced window.
    CentrePlanned = "centre.planned", Http, Medium, [Centre];
    /// An enrolled card reader is gone.
    ReaderMissing = "reader.missing", Link, High, [Shop, Vendor];
    /// A local service that settlement needs does not listen.
    ClientLocalServiceDown = "client.local-service-down", Http, High, [Software, Bureau];
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl From<Cause> for &'static str {
    fn from(cause: Cause) -> Self {
        cause.code()
    }
}

impl TryFrom<String> for Cause {
    type Error = String;

    fn try_from(code: String) -> Result<Self, String> {
        Self::from_code(&code).ok_or_else(|| format!("`{code}` is not a cause code"))
    }
}

#[cfg(test)]
mod tests {
    use super::Cause;

    #[test]
    fn every_code_is_unique_and_finds_its_cause() {
        for (i, cause) in Cause::ALL.iter().enumerate() {
            assert_eq!(Cause::from_code(cause.code()), Some(*cause));
            assert!(Cause::ALL[i + 1..].iter().all(|other| other.code() != cause.code()), "{cause} twice");
        }
    }
}
