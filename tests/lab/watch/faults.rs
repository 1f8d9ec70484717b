//! Which faults are staged under the daemon, where, and by when they must be known. The staging and the proof of its effect are the cases'.

use crate::args::{Args, Depth};
use crate::cases::{self, Case};
use crate::plan::Kind;
use crate::shell::Done;

/// By when an incident must be in the log, with its cause. What design and configuration promise: nothing is relaxed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The terminal's own kernel knows: its event brings the look.
    Kernel,
    /// The tunnel is dead, whatever its device says.
    Vpn,
    /// The terminal's own kernel knows where packets go, and nobody knows whether that is right before they have kept silent: two looks of a
    /// patience of 2 s, and what a busy machine adds.
    Silent,
    /// Anything beyond: an interval of 15 s, three tries, a patience of 2 s.
    Beyond,
    /// Worse, and not cut off: seen by rounds only, after the kernel told of some change (alone they come every five minutes).
    Worse,
}

impl Goal {
    pub(crate) fn ms(self) -> u64 {
        match self {
            Goal::Kernel => 1_000,
            Goal::Silent => 6_000,
            Goal::Vpn => 15_000,
            Goal::Beyond | Goal::Worse => 20_000,
        }
    }
}

/// A topology of its own, with a daemon of its own.
pub(crate) struct Site {
    pub(crate) kind: Kind,
    pub(crate) part: usize,
    pub(crate) faults: &'static [(&'static str, Goal)],
}

/// What the terminal's own kernel hears of comes first: it needs no calm before.
pub(crate) const SITES: &[Site] = &[
    Site {
        kind: Kind::Leased,
        part: 0,
        faults: &[
            ("link.no-carrier", Goal::Kernel),
            ("link.admin-down", Goal::Kernel),
            ("addr.none", Goal::Kernel),
            ("route.missing", Goal::Kernel),
            ("route.blocked/unreachable", Goal::Kernel),
            ("gateway.unreachable", Goal::Beyond),
            ("line.down/told", Goal::Beyond),
        ],
    },
    Site {
        kind: Kind::Leased,
        part: 1,
        faults: &[
            ("firewall.output", Goal::Beyond),
            ("tcp.refused", Goal::Beyond),
            ("tcp.filtered", Goal::Beyond),
            ("tls.expired", Goal::Beyond),
            ("http.maintenance", Goal::Beyond),
            ("dns.timeout/second-resolver", Goal::Worse),
        ],
    },
    Site {
        kind: Kind::Leased,
        part: 2,
        faults: &[
            ("dns.timeout", Goal::Beyond),
            ("dns.nxdomain", Goal::Beyond),
            ("centre.outage", Goal::Beyond),
            ("http.error", Goal::Beyond),
            ("http.slow", Goal::Worse),
        ],
    },
    Site {
        kind: Kind::OpenVpn,
        part: 0,
        faults: &[("vpn.not-started", Goal::Vpn), ("vpn.tunnel-dead/openvpn", Goal::Vpn), ("centre.outage", Goal::Beyond)],
    },
    Site {
        kind: Kind::WireGuard,
        part: 0,
        faults: &[("vpn.not-started", Goal::Vpn), ("vpn.tunnel-dead/wireguard-just-now", Goal::Vpn), ("vpn.server-unreachable", Goal::Vpn)],
    },
    Site {
        kind: Kind::OpenConnect,
        part: 0,
        faults: &[("vpn.tunnel-dead/openconnect", Goal::Vpn), ("route.captured/docker", Goal::Silent), ("vpn.not-started", Goal::Vpn)],
    },
    Site {
        kind: Kind::Ipsec,
        part: 0,
        faults: &[("vpn.tunnel-dead/ipsec", Goal::Vpn), ("route.captured/default", Goal::Silent), ("vpn.server-unreachable", Goal::Vpn)],
    },
    Site {
        kind: Kind::LeasedV6,
        part: 0,
        faults: &[
            ("link.no-carrier", Goal::Kernel),
            ("addr.none", Goal::Kernel),
            ("route.missing", Goal::Kernel),
            ("gateway.unreachable", Goal::Beyond),
            ("dns.timeout", Goal::Beyond),
        ],
    },
];

/// The most telling ones: each kind of site, each goal, each layer, in the time of one silent fault.
const QUICK: [(Kind, &str); 9] = [
    (Kind::Leased, "link.no-carrier"),
    (Kind::Leased, "route.missing"),
    (Kind::Leased, "tls.expired"),
    (Kind::Leased, "centre.outage"),
    (Kind::OpenVpn, "vpn.tunnel-dead/openvpn"),
    (Kind::WireGuard, "vpn.server-unreachable"),
    (Kind::OpenConnect, "route.captured/docker"),
    (Kind::Ipsec, "vpn.tunnel-dead/ipsec"),
    (Kind::LeasedV6, "gateway.unreachable"),
];

impl Site {
    /// The faults that are asked for here.
    pub(crate) fn due(&self, args: &Args) -> Vec<(&'static str, Goal)> {
        let asked = |name: &str| if args.depth == Depth::Quick { QUICK.contains(&(self.kind, name)) } else { args.wants(name) };
        self.faults.iter().copied().filter(|(name, _)| asked(name)).collect()
    }
}

/// How a fault of this name is staged.
pub(crate) fn case(name: &str) -> Done<&'static Case> {
    cases::all().find(|case| case.name == name).ok_or(format!("no case is called {name}"))
}
