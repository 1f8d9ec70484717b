//! Which faults are staged under the daemon, where, and by when they must be known. The staging and the proof of its effect are the cases'.

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
    /// Anything beyond: an interval of 15 s, three tries, a patience of 2 s.
    Beyond,
    /// Worse, and not cut off: seen by rounds only, after the kernel told of some change (alone they come every five minutes).
    Worse,
}

impl Goal {
    pub(crate) fn ms(self) -> u64 {
        match self {
            Goal::Kernel => 1_000,
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
        faults: &[("vpn.tunnel-dead/openconnect", Goal::Vpn), ("route.captured/docker", Goal::Beyond), ("vpn.not-started", Goal::Vpn)],
    },
];

/// How a fault of this name is staged.
pub(crate) fn case(name: &str) -> Done<&'static Case> {
    cases::all().find(|case| case.name == name).ok_or(format!("no case is called {name}"))
}
