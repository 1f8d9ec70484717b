//! What one topology looks like: addresses, names, ports, drawn from a seed.
//!
//! Pure: the same seed and kind give the same plan. Nothing here touches the machine.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How the terminal reaches the centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A leased line: routed all the way, no VPN.
    Leased,
    /// A leased line that speaks IPv6 only.
    LeasedV6,
    /// `OpenVPN` over UDP, the client on the terminal.
    OpenVpn,
    /// `WireGuard` in user space, the client on the terminal.
    WireGuard,
    /// `openconnect` and ocserv: an SSL VPN over TCP, with or without DTLS beside it, the client on the terminal.
    OpenConnect,
    /// `IPsec` by strongSwan in user space, both ends; the kernel here has no ESP.
    Ipsec,
}

impl Kind {
    pub(crate) const ALL: [Kind; 6] = [Kind::Leased, Kind::LeasedV6, Kind::OpenVpn, Kind::WireGuard, Kind::OpenConnect, Kind::Ipsec];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Leased => "leased",
            Kind::LeasedV6 => "leased-v6",
            Kind::OpenVpn => "openvpn",
            Kind::WireGuard => "wireguard",
            Kind::OpenConnect => "openconnect",
            Kind::Ipsec => "ipsec",
        }
    }

    /// How many topologies of this kind a pass brings up: those with the most cases would be waited for last. Only one where the names of
    /// its peers, which the whole machine sees, do not tell the parts apart.
    pub(crate) fn parts(self) -> usize {
        match self {
            Kind::Leased | Kind::OpenVpn => 3,
            Kind::LeasedV6 | Kind::WireGuard | Kind::OpenConnect | Kind::Ipsec => 1,
        }
    }

    pub(crate) fn has_vpn(self) -> bool {
        !matches!(self, Kind::Leased | Kind::LeasedV6)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which address families the terminal and the centre have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Families {
    V4,
    V6,
    Dual,
}

impl Families {
    pub(crate) fn has_v4(self) -> bool {
        self != Families::V6
    }

    pub(crate) fn has_v6(self) -> bool {
        self != Families::V4
    }
}

/// One subnet in both families; which of them is used is up to [`Families`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subnet {
    v4: Ipv4Addr,
    bits4: u8,
    v6: Ipv6Addr,
    bits6: u8,
}

/// One host of a [`Subnet`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Host {
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
    bits4: u8,
    bits6: u8,
}

impl Subnet {
    pub(crate) fn host(&self, number: u32) -> Host {
        Host {
            v4: Ipv4Addr::from(u32::from(self.v4) + number),
            v6: Ipv6Addr::from(u128::from(self.v6) + u128::from(number)),
            bits4: self.bits4,
            bits6: self.bits6,
        }
    }

    /// The prefixes in use, as `ip route` and the configuration write them.
    pub(crate) fn prefixes(&self, families: Families) -> Vec<String> {
        let mut list = Vec::new();
        if families.has_v4() {
            list.push(format!("{}/{}", self.v4, self.bits4));
        }
        if families.has_v6() {
            list.push(format!("{}/{}", self.v6, self.bits6));
        }
        list
    }

    pub(crate) fn v4_network(&self) -> Ipv4Addr {
        self.v4
    }
}

impl Host {
    /// The addresses in use, IPv4 first.
    pub(crate) fn ips(&self, families: Families) -> Vec<IpAddr> {
        let mut list = Vec::new();
        if families.has_v4() {
            list.push(IpAddr::V4(self.v4));
        }
        if families.has_v6() {
            list.push(IpAddr::V6(self.v6));
        }
        list
    }

    /// The addresses with their prefix lengths, for `ip addr add`.
    pub(crate) fn with_bits(&self, families: Families) -> Vec<String> {
        let mut list = Vec::new();
        if families.has_v4() {
            list.push(format!("{}/{}", self.v4, self.bits4));
        }
        if families.has_v6() {
            list.push(format!("{}/{}", self.v6, self.bits6));
        }
        list
    }
}

/// Everything that is drawn.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) kind: Kind,
    /// Which of several topologies of the same plan: they stand side by side and share the cases.
    pub(crate) part: usize,
    pub(crate) families: Families,
    /// The terminal's wired interface.
    pub(crate) nic: &'static str,
    pub(crate) lan: Subnet,
    pub(crate) terminal: Host,
    pub(crate) gateway: Host,
    /// Outer transfer nets: shop-isp, isp-edge, isp-internet.
    pub(crate) shop_isp: Subnet,
    pub(crate) isp_edge: Subnet,
    pub(crate) isp_net: Subnet,
    /// All of the centre's inner prefix, and the two subnets in it.
    pub(crate) inner: Subnet,
    pub(crate) inner_dns: Subnet,
    pub(crate) inner_centre: Subnet,
    /// The tunnel's own subnet (VPN kinds).
    pub(crate) tunnel: Subnet,
    pub(crate) zone: String,
    pub(crate) name: String,
    pub(crate) control: String,
    pub(crate) https: u16,
    pub(crate) service: u16,
    pub(crate) vpn_port: u16,
    /// How many of the two inner resolvers the terminal is told.
    pub(crate) resolver_count: usize,
    /// How the line's operator treats private destinations it does not know.
    pub(crate) stray: &'static str,
    /// The SSL VPN speaks DTLS beside TLS.
    pub(crate) dtls: bool,
}

impl Plan {
    pub(crate) fn draw(seed: u64, kind: Kind) -> Plan {
        // Each kind rolls dice of its own: neighbouring seeds do not repeat each other's topologies.
        let mut dice = Dice::new(Dice::new(seed).next() ^ kind as u64);
        let families = match kind {
            Kind::LeasedV6 => Families::V6,
            Kind::OpenConnect | Kind::Ipsec => Families::V4,
            // One of these two each way in every pass.
            Kind::Leased if seed.is_multiple_of(2) => Families::V4,
            Kind::OpenVpn if !seed.is_multiple_of(2) => Families::V4,
            Kind::Leased | Kind::OpenVpn => Families::Dual,
            Kind::WireGuard => dice.pick(&[Families::V4, Families::Dual]),
        };
        let site = dice.below(0xfff) + 1;
        let lan = subnet([192, 168, dice.octet(1, 250), 0], 24, &format!("fd00:{site:x}:1::"));
        let inner_second = dice.octet(1, 200);
        let inner = Subnet { bits6: 48, ..subnet([10, inner_second, 0, 0], 16, &format!("fd10:{site:x}:2::")) };
        let inner_part = |third: u8| subnet([10, inner_second, third, 0], 24, &format!("fd10:{site:x}:2:{third:x}::"));
        let (dns_part, centre_part) = (dice.octet(1, 99), dice.octet(100, 199));
        let outer = [dice.pick(&[61u8, 113, 117, 219]), dice.octet(130, 199), dice.octet(1, 250)];
        let outer_part = |number: u8| subnet([outer[0], outer[1], outer[2], number * 8], 29, &format!("2408:8{site:x}:{number:x}::"));
        let zone = dice.pick(&["centre.example", "yb.example", "hsa-6101.example"]).to_owned();
        let name = format!("{}.{zone}", dice.pick(&["settle", "claims", "js"]));
        Plan {
            seed,
            kind,
            part: 0,
            families,
            nic: dice.pick(&["eth0", "enp3s0", "eno1"]),
            lan,
            terminal: lan.host(dice.below(100) + 20),
            gateway: lan.host(dice.pick(&[1, 254])),
            shop_isp: outer_part(1),
            isp_edge: outer_part(2),
            isp_net: outer_part(3),
            inner,
            inner_dns: inner_part(dns_part),
            inner_centre: inner_part(centre_part),
            tunnel: subnet([10, dice.octet(210, 250), dice.octet(0, 250), 0], 24, &format!("fd20:{site:x}:3::")),
            control: format!("control.{zone}"),
            name,
            zone,
            https: dice.pick(&[443, 443, 8443, 9443]),
            service: dice.port(7000, 7999),
            vpn_port: match kind {
                Kind::OpenConnect => dice.pick(&[443, 4433, 10443]),
                Kind::Ipsec => 500,
                Kind::Leased | Kind::LeasedV6 | Kind::OpenVpn | Kind::WireGuard => dice.port(10_000, 40_000),
            },
            resolver_count: dice.pick(&[1, 2]),
            stray: dice.pick(&["unreachable", "blackhole"]),
            dtls: dice.pick(&[true, false]),
        }
    }

    pub(crate) fn edge_dns(&self) -> Host {
        self.inner_dns.host(1)
    }

    pub(crate) fn edge_centre(&self) -> Host {
        self.inner_centre.host(1)
    }

    /// Both resolvers, whether the terminal is told of the second or not.
    pub(crate) fn resolvers(&self) -> [Host; 2] {
        [self.inner_dns.host(10), self.inner_dns.host(11)]
    }

    pub(crate) fn centre(&self) -> Host {
        self.inner_centre.host(10)
    }

    /// An address of the centre's subnet that nobody has.
    pub(crate) fn dead_centre(&self) -> Host {
        self.inner_centre.host(77)
    }

    /// The VPN server's outer address; outside, every topology speaks IPv4.
    pub(crate) fn vpn_server(&self) -> Ipv4Addr {
        self.isp_edge.host(2).v4
    }

    pub(crate) fn tunnel_server(&self) -> Host {
        self.tunnel.host(1)
    }

    /// Which families the outer transfer nets carry.
    pub(crate) fn outer_families(&self) -> Families {
        if self.kind.has_vpn() { Families::Dual } else { self.families }
    }

    pub(crate) fn resolv_conf(&self, count: usize) -> String {
        let mut text = String::new();
        for resolver in &self.resolvers()[..count] {
            let ip = resolver.ips(self.families)[0];
            text.push_str(&format!("nameserver {ip}\n"));
        }
        text
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} seed {}: {:?}, {} on {}, inner {}, {}:{} + {}, {} resolver(s)",
            self.kind,
            self.seed,
            self.families,
            self.nic,
            self.lan.prefixes(self.families).join(" "),
            self.inner.prefixes(self.families).join(" "),
            self.name,
            self.https,
            self.service,
            self.resolver_count
        )?;
        if self.kind.has_vpn() {
            write!(f, ", vpn port {}", self.vpn_port)?;
        }
        Ok(())
    }
}

fn subnet(v4: [u8; 4], bits4: u8, v6: &str) -> Subnet {
    Subnet { v4: Ipv4Addr::from(v4), bits4, v6: v6.parse().expect("the format strings above are addresses"), bits6: 64 }
}

/// `SplitMix64`: small, known, and the same on every machine.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(self.next() % u64::from(limit)).expect("a remainder of a u32 fits")
    }

    fn octet(&mut self, low: u8, high: u8) -> u8 {
        low + u8::try_from(self.below(u32::from(high - low) + 1)).expect("within an octet")
    }

    fn port(&mut self, low: u16, high: u16) -> u16 {
        low + u16::try_from(self.below(u32::from(high - low) + 1)).expect("within a port")
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let count = u32::try_from(choices.len()).expect("a handful of choices");
        choices[self.below(count) as usize]
    }
}
