//! One topology, alive: its namespaces, its peers, and the way back to health.
//!
//! ```text
//! terminal -- switch -- shop router -- isp -- edge -+- resolvers (dnsmasq)
//!                                       |           +- centre (nginx)
//!                                    internet
//! ```
//! `edge` is the centre's own router (leased line) or the VPN server in front of it. Every verb of `verbs.rs` pushes its
//! undoing here; [`Lab::heal`] runs them backwards.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Child;

use crate::machine::{self, Run};
use crate::plan::{Host, Kind, Plan};
use crate::shell::{Done, Netns, ip_batch};

/// The places of a topology, each a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Terminal,
    Switch,
    Shop,
    Isp,
    Internet,
    Edge,
    Resolvers,
    Centre,
}

impl Place {
    pub(crate) const ALL: [Place; 8] =
        [Place::Terminal, Place::Switch, Place::Shop, Place::Isp, Place::Internet, Place::Edge, Place::Resolvers, Place::Centre];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Place::Terminal => "terminal",
            Place::Switch => "switch",
            Place::Shop => "shop",
            Place::Isp => "isp",
            Place::Internet => "internet",
            Place::Edge => "edge",
            Place::Resolvers => "resolvers",
            Place::Centre => "centre",
        }
    }
}

/// The peers that verbs stop and start by role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Dnsmasq,
    DnsStub,
    Nginx,
    CentreStub,
    ShopStub,
    OuterResolver,
    VpnServer,
    VpnClient,
    /// A second service, on the operator's side of every tunnel.
    SecondCentre,
    /// The shop router's own page and resolver, for lines that are not paid.
    Portal,
    /// A TLS server that insists on a client certificate while hands are shaken.
    StrictTls,
    /// A service in the shop itself, on the PC beside.
    FrontEnd,
    /// Both halves of the slow stretch of the line.
    DelayStub,
    DelayTun,
    /// What only one case has use for, by a name of its own.
    Extra(&'static str),
}

pub(crate) type Undo = Box<dyn FnOnce(&mut Lab) -> Done>;

/// The public addresses that live in the topology's own "internet".
pub(crate) const PUBLIC: [&str; 6] = ["1.1.1.1", "8.8.8.8", "223.5.5.5", "114.114.114.114", "2400:3200::1", "2606:4700:4700::1111"];

/// The public resolver a terminal may wrongly be told to use.
pub(crate) const OUTER_RESOLVER: &str = "114.114.114.114";

/// A service on the operator's side that every line reaches without a tunnel; private, as nothing is asked of public addresses.
pub(crate) const SECOND_CENTRE: &str = "172.31.7.10";

pub(crate) struct Lab {
    pub(crate) plan: Plan,
    /// Files of this topology: certificates, logs, configurations.
    pub(crate) dir: PathBuf,
    prefix: String,
    pub(crate) peers: BTreeMap<Role, Child>,
    undo: Vec<Undo>,
    /// The `ip` lines that gave each place its addresses and routes.
    sheets: BTreeMap<Place, String>,
    /// How many nft tables the verbs have made; names them.
    pub(crate) tables: usize,
    /// The binary in question, where it may be asked.
    pub(crate) product: Option<PathBuf>,
    /// What the VPN's two ends are told beyond the usual.
    pub(crate) vpn_words: VpnWords,
}

/// What a case changes about the VPN's ends; they must be started anew to hear of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct VpnWords {
    pub(crate) server: Vec<String>,
    pub(crate) client: Vec<String>,
    /// The client's remote, instead of the server's address.
    pub(crate) remote: Option<String>,
    pub(crate) password: Option<&'static str>,
}

impl Lab {
    /// Brings the topology up and proves it healthy.
    pub(crate) fn up(run: &Run, plan: Plan) -> Done<Lab> {
        let kind = plan.kind;
        let name = if plan.part == 0 { kind.name().to_owned() } else { format!("{kind}{}", plan.part) };
        let dir = run.dir.join(&name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).map_err(|e| format!("cannot create {}: {e}", dir.display()))?;
        let prefix = format!("{}{name}-", machine::namespace_prefix(std::process::id()));
        let mut lab = Lab {
            plan,
            dir,
            prefix,
            peers: BTreeMap::new(),
            undo: Vec::new(),
            sheets: BTreeMap::new(),
            tables: 0,
            product: None,
            vpn_words: VpnWords::default(),
        };
        let up = lab.lay_wires().and_then(|()| lab.address_everyone()).and_then(|()| lab.start_peers()).and_then(|()| lab.prove_healthy());
        match up {
            Ok(()) => Ok(lab),
            Err(why) => {
                lab.down();
                Err(why)
            }
        }
    }

    pub(crate) fn at(&self, place: Place) -> Netns {
        Netns { name: format!("{}{}", self.prefix, place.name()) }
    }

    pub(crate) fn terminal(&self) -> Netns {
        self.at(Place::Terminal)
    }

    pub(crate) fn has_vpn(&self) -> bool {
        self.plan.kind.has_vpn()
    }

    /// The tunnel's interface on the terminal.
    pub(crate) fn tunnel(&self) -> String {
        match self.plan.kind {
            Kind::WireGuard => machine::wireguard_client(),
            Kind::OpenConnect => "vpn0".to_owned(),
            Kind::Ipsec => "ipsec0".to_owned(),
            _ => "tun0".to_owned(),
        }
    }

    pub(crate) fn ips(&self, host: Host) -> Vec<IpAddr> {
        host.ips(self.plan.families)
    }

    /// The address by which one speaks of a host: IPv4 where there is one.
    pub(crate) fn ip(&self, host: Host) -> IpAddr {
        self.ips(host)[0]
    }

    /// Remembers how to take back what a verb has just done.
    pub(crate) fn later(&mut self, undo: impl FnOnce(&mut Lab) -> Done + 'static) {
        self.undo.push(Box::new(undo));
    }

    /// Takes back everything staged, last first, and proves the topology healthy.
    pub(crate) fn heal(&mut self) -> Done {
        while let Some(undo) = self.undo.pop() {
            undo(self)?;
        }
        self.prove_healthy()
    }

    /// Ends the peers; the run removes the rest.
    pub(crate) fn down(&mut self) {
        for (_, mut child) in std::mem::take(&mut self.peers) {
            let _ = child.kill();
            let _ = child.wait();
        }
        // Peers have children, which nobody finds any more once the names are gone.
        for place in Place::ALL {
            machine::end_all_inhabitants(&self.at(place).name);
        }
        let lines: String = Place::ALL.iter().map(|place| format!("netns del {}\n", self.at(*place).name)).collect();
        let _ = ip_batch(&lines);
    }

    /// Gives a place again whatever it lacks of its links' state, addresses and routes.
    pub(crate) fn restore(&self, place: Place) -> Done {
        match self.sheets.get(&place) {
            Some(lines) => self.at(place).ip_lenient(lines),
            None => Ok(()),
        }
    }

    fn lay_wires(&self) -> Done {
        let name = |place: Place| self.at(place).name;
        let mut lines = String::new();
        for place in Place::ALL {
            lines.push_str(&format!("netns add {}\n", name(place)));
        }
        ip_batch(&lines)?;
        for place in Place::ALL {
            self.prepare(place)?;
        }
        let nic = self.plan.nic;
        let wires = [
            (Place::Terminal, nic, Place::Switch, "port1"),
            (Place::Shop, "lan", Place::Switch, "port2"),
            (Place::Shop, "wan", Place::Isp, "shop"),
            (Place::Edge, "wan", Place::Isp, "edge"),
            (Place::Internet, "isp", Place::Isp, "net"),
            (Place::Resolvers, "eth0", Place::Edge, "dns"),
            (Place::Centre, "eth0", Place::Edge, "centre"),
        ];
        lines.clear();
        for (a, dev_a, b, dev_b) in wires {
            lines.push_str(&format!("link add {dev_a} netns {} type veth peer name {dev_b} netns {}\n", name(a), name(b)));
        }
        ip_batch(&lines)
    }

    /// Settings that hold before the first link comes, and the namespace's own files in `/etc`.
    fn prepare(&self, place: Place) -> Done {
        let netns = self.at(place);
        let etc = PathBuf::from("/etc/netns").join(&netns.name);
        fs::create_dir_all(&etc).map_err(|e| format!("cannot create {}: {e}", etc.display()))?;
        let resolv = match place {
            Place::Terminal => self.plan.resolv_conf(self.plan.resolver_count),
            _ => String::new(),
        };
        for (file, text) in [
            ("resolv.conf", resolv.as_str()),
            ("hosts", "127.0.0.1 localhost\n::1 localhost\n"),
            ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
        ] {
            let path = etc.join(file);
            fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        }
        // No waiting for duplicate address detection, and no ration of ICMP errors that the lab's own proofs would eat.
        let mut settings = vec![
            "net.ipv6.conf.all.accept_dad=0",
            "net.ipv6.conf.default.accept_dad=0",
            "net.ipv4.icmp_ratelimit=0",
            "net.ipv6.icmp.ratelimit=0",
            "net.ipv4.conf.all.rp_filter=0",
            "net.ipv4.conf.default.rp_filter=0",
        ];
        if matches!(place, Place::Shop | Place::Isp | Place::Edge) {
            settings.extend(["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
        }
        netns.sysctl(&settings)
    }

    fn address_everyone(&mut self) -> Done {
        let plan = &self.plan;
        let outer = plan.outer_families();
        let own = plan.families;
        let mut sheet = Sheet::default();
        sheet.device(Place::Terminal, plan.nic, &plan.terminal.with_bits(own));
        sheet.device(Place::Shop, "lan", &plan.gateway.with_bits(own));
        sheet.device(Place::Shop, "wan", &plan.shop_isp.host(1).with_bits(outer));
        sheet.device(Place::Isp, "shop", &plan.shop_isp.host(2).with_bits(outer));
        sheet.device(Place::Isp, "edge", &plan.isp_edge.host(1).with_bits(outer));
        sheet.device(Place::Edge, "wan", &plan.isp_edge.host(2).with_bits(outer));
        sheet.device(Place::Isp, "net", &plan.isp_net.host(1).with_bits(outer));
        sheet.device(Place::Internet, "isp", &plan.isp_net.host(2).with_bits(outer));
        sheet.device(Place::Edge, "dns", &plan.edge_dns().with_bits(own));
        sheet.device(Place::Edge, "centre", &plan.edge_centre().with_bits(own));
        let both: Vec<String> = plan.resolvers().iter().flat_map(|r| r.with_bits(own)).collect();
        sheet.device(Place::Resolvers, "eth0", &both);
        sheet.device(Place::Centre, "eth0", &plan.centre().with_bits(own));
        sheet.device(Place::Internet, "lo", &PUBLIC.map(str::to_owned));
        if outer.has_v4() {
            sheet.line(Place::Internet, &address_line("lo", SECOND_CENTRE));
            sheet.line(Place::Isp, &format!("route add {SECOND_CENTRE} via {}", plan.isp_net.host(2).v4));
        }

        sheet.default_via(Place::Terminal, plan.gateway, own);
        sheet.default_via(Place::Shop, plan.shop_isp.host(2), outer);
        sheet.default_via(Place::Edge, plan.isp_edge.host(1), outer);
        sheet.default_via(Place::Internet, plan.isp_net.host(1), outer);
        sheet.default_via(Place::Resolvers, plan.edge_dns(), own);
        sheet.default_via(Place::Centre, plan.edge_centre(), own);
        sheet.via(Place::Isp, &plan.lan.prefixes(own), plan.shop_isp.host(1), outer);
        if self.has_vpn() {
            sheet.default_via(Place::Isp, plan.isp_net.host(2), outer);
            for private in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"] {
                sheet.line(Place::Isp, &format!("route add {} {private}", plan.stray));
            }
        } else {
            // A leased line leads to the centre and nowhere else.
            sheet.via(Place::Isp, &plan.inner.prefixes(own), plan.isp_edge.host(2), outer);
        }
        if plan.kind == Kind::Ipsec {
            // Its own device has no address at this end.
            sheet.line(Place::Edge, &address_line("lo", &plan.tunnel_server().v4.to_string()));
        }
        sheet.line(Place::Switch, "link add br0 type bridge stp_state 0 forward_delay 0");
        for port in ["port1", "port2"] {
            sheet.line(Place::Switch, &format!("link set {port} master br0 up"));
        }
        // The PC beside the terminal: it can look from the same shop without touching what the terminal is granted.
        sheet.device(Place::Switch, "br0", &plan.lan.host(9).with_bits(own));
        sheet.default_via(Place::Switch, plan.gateway, own);
        for (&place, lines) in &sheet.lines {
            self.at(place).ip(lines)?;
        }
        self.sheets = sheet.lines;
        // A host that is gone is given up after 0.2 s instead of 3 s: what the router then says is the same.
        self.at(Place::Isp).sysctl(&["net.ipv4.neigh.edge.retrans_time_ms=100", "net.ipv4.neigh.edge.mcast_solicit=2"])
    }
}

/// `ip` lines, collected for each place: addresses first, then routes.
#[derive(Default)]
struct Sheet {
    lines: BTreeMap<Place, String>,
}

impl Sheet {
    fn line(&mut self, place: Place, line: &str) {
        let lines = self.lines.entry(place).or_insert_with(|| "link set lo up\n".to_owned());
        lines.push_str(line);
        lines.push('\n');
    }

    fn device(&mut self, place: Place, dev: &str, addresses: &[String]) {
        self.line(place, &format!("link set {dev} up"));
        for address in addresses {
            self.line(place, &address_line(dev, address));
        }
    }

    fn default_via(&mut self, place: Place, hop: Host, families: crate::plan::Families) {
        for ip in hop.ips(families) {
            let all = default_prefix(ip);
            self.line(place, &format!("route add {all} via {ip}"));
        }
    }

    fn via(&mut self, place: Place, prefixes: &[String], hop: Host, families: crate::plan::Families) {
        for prefix in prefixes {
            let six = prefix.contains(':');
            if let Some(ip) = hop.ips(families).into_iter().find(|ip| ip.is_ipv6() == six) {
                self.line(place, &format!("route add {prefix} via {ip}"));
            }
        }
    }
}

/// The line that gives a device an address, usable at once.
pub(crate) fn address_line(dev: &str, address: &str) -> String {
    let nodad = if address.contains(':') { " nodad" } else { "" };
    format!("addr add {address} dev {dev}{nodad}")
}

/// The default route's prefix in the address's family.
pub(crate) fn default_prefix(ip: IpAddr) -> &'static str {
    if ip.is_ipv6() { "::/0" } else { "0.0.0.0/0" }
}
