//! What can be done to a topology. Every verb has a real effect on packets and remembers how it is taken back.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::lab::{Lab, Place, Role, default_prefix};
use crate::peers::{DNS_STUBS, Front};
use crate::plan::Host;
use crate::shell::Done;

impl Lab {
    /// Takes a link down; its routes and IPv6 addresses go with it.
    pub(crate) fn link_down(&mut self, place: Place, dev: &str) -> Done {
        self.at(place).ip(&format!("link set {dev} down"))?;
        self.later_restore(place);
        Ok(())
    }

    /// Changes addresses or routes of a place; undone by laying its sheet again after `undo`'s lines.
    pub(crate) fn change(&mut self, place: Place, lines: &str, undo: &str) -> Done {
        self.at(place).ip(lines)?;
        let undo = undo.to_owned();
        self.later(move |lab| {
            lab.at(place).ip_lenient(&undo)?;
            lab.restore(place)
        });
        Ok(())
    }

    fn later_restore(&mut self, place: Place) {
        self.later(move |lab| lab.restore(place));
    }

    /// A rule in a chain of its own, before all others.
    pub(crate) fn filter(&mut self, place: Place, hook: &str, rules: &[String]) -> Done {
        self.chain(place, "filter", hook, "-150", rules)
    }

    /// Sends a port of this host to another of its ports, for everyone who comes from elsewhere.
    pub(crate) fn redirect(&mut self, place: Place, port: u16, to: u16) -> Done {
        let rule = format!("meta l4proto {{ tcp, udp }} th dport {port} redirect to :{to}");
        self.nat(place, &rule)
    }

    /// A rule that changes where packets go, before routing.
    pub(crate) fn nat(&mut self, place: Place, rule: &str) -> Done {
        self.later(move |lab| lab.forget_flows(place));
        self.chain(place, "nat", "prerouting", "-100", &[rule.to_owned()])?;
        self.forget_flows(place)
    }

    /// Flows that the kernel remembers go where they went when they began, whatever the rules are now: a question that
    /// happens to come from the port of one asked a minute ago would be answered by the wrong server.
    fn forget_flows(&self, place: Place) -> Done {
        self.at(place).run(&["conntrack", "-F"]).map(drop)
    }

    fn chain(&mut self, place: Place, kind: &str, hook: &str, at: &str, rules: &[String]) -> Done {
        self.tables += 1;
        let table = format!("lab{}", self.tables);
        self.at(place)
            .nft(&format!("table inet {table} {{\nchain c {{\ntype {kind} hook {hook} priority {at};\n{}\n}}\n}}\n", rules.join("\n")))?;
        self.later(move |lab| lab.at(place).nft(&format!("delete table inet {table}\n")));
        Ok(())
    }

    /// The terminal has no IPv6 of its own any more: what happens to IPv4 decides.
    pub(crate) fn only_v4(&mut self) -> Done {
        if !self.plan.families.has_v6() {
            return Ok(());
        }
        let lines: String = self
            .plan
            .terminal
            .with_bits(self.plan.families)
            .iter()
            .filter(|net| net.contains(':'))
            .map(|net| format!("addr del {net} dev {}\n", self.plan.nic))
            .collect();
        self.change(Place::Terminal, &lines, "")
    }

    /// Starts a program that only this case has use for.
    pub(crate) fn extra(&mut self, name: &'static str, command: std::process::Command) -> Done {
        self.spawn(Role::Extra(name), command)?;
        self.later(move |lab| lab.stop(Role::Extra(name)));
        Ok(())
    }

    /// Starts stubs that only this case has use for.
    pub(crate) fn extra_stub(&mut self, name: &'static str, place: Place, specs: &[String]) -> Done {
        self.start_stub(Role::Extra(name), place, specs)?;
        self.later(move |lab| lab.stop(Role::Extra(name)));
        Ok(())
    }

    /// Loads a whole nft table called `name`; it must not be there yet.
    pub(crate) fn table(&mut self, place: Place, family: &str, name: &str, body: &str) -> Done {
        let gone = format!("delete table {family} {name}\n");
        self.at(place).nft(&format!("table {family} {name} {{\n{body}\n}}\n"))?;
        self.later(move |lab| lab.at(place).nft(&gone));
        Ok(())
    }

    /// Starts a peer that a case needs, and only it.
    pub(crate) fn with(&mut self, role: Role) -> Done {
        self.start(role)?;
        self.later(move |lab| lab.stop(role));
        Ok(())
    }

    /// Port 53 of both resolvers is answered by a stub of this kind.
    pub(crate) fn dns_answers(&mut self, stub: &str) -> Done {
        let port = DNS_STUBS.iter().find(|(kind, _)| *kind == stub).map(|(_, port)| *port).ok_or(format!("no stub is called {stub}"))?;
        self.redirect(Place::Resolvers, 53, port)
    }

    /// The centre's HTTPS port is served by one of nginx's other fronts.
    pub(crate) fn front(&mut self, front: Front) -> Done {
        self.redirect(Place::Centre, self.plan.https, front as u16)
    }

    /// Writes the terminal's `/etc/resolv.conf`, in place: it is a bind mount.
    pub(crate) fn resolv_conf(&mut self, text: &str) -> Done {
        self.rewrite("resolv.conf", text)
    }

    /// Adds lines to the terminal's `/etc/hosts`.
    pub(crate) fn hosts(&mut self, host: Host) -> Done {
        let mut text = "127.0.0.1 localhost\n::1 localhost\n".to_owned();
        for ip in self.ips(host) {
            text.push_str(&format!("{ip} {}\n", self.plan.name));
        }
        self.rewrite("hosts", &text)
    }

    pub(crate) fn rewrite(&mut self, file: &str, text: &str) -> Done {
        let path = PathBuf::from("/etc/netns").join(self.terminal().name).join(file);
        let told = |e: std::io::Error| format!("cannot rewrite {}: {e}", path.display());
        let before = fs::read_to_string(&path).map_err(told)?;
        fs::write(&path, text).map_err(told)?;
        self.later(move |_| fs::write(&path, before).map_err(|e| format!("cannot rewrite {}: {e}", path.display())));
        Ok(())
    }

    /// Ends a peer without a goodbye.
    pub(crate) fn end(&mut self, role: Role) -> Done {
        self.stop(role)?;
        self.later(move |lab| lab.start(role));
        Ok(())
    }

    /// The VPN server is started anew and knows no session, or no longer knows this terminal.
    pub(crate) fn vpn_server_forgets(&mut self) -> Done {
        if self.plan.kind == crate::plan::Kind::WireGuard {
            let key = fs::read_to_string(self.path("client.pub")).map_err(|e| format!("cannot read the client's key: {e}"))?;
            let dev = crate::machine::wireguard_server();
            self.at(Place::Edge).run(&["wg", "set", &dev, "peer", key.trim(), "remove"])?;
            self.later(move |lab| {
                let conf = lab.path("peer.conf").display().to_string();
                lab.at(Place::Edge).run(&["wg", "addconf", &dev, &conf])?;
                lab.restart_client()
            });
        } else {
            self.stop(Role::VpnServer)?;
            self.start(Role::VpnServer)?;
            self.later(Lab::restart_client);
        }
        Ok(())
    }

    /// The VPN's ends are told something else from now on; what of them is named is started anew.
    pub(crate) fn vpn_with(&mut self, words: crate::lab::VpnWords, server_too: bool) -> Done {
        self.vpn_words = words;
        if server_too {
            self.stop(Role::VpnServer)?;
            self.start(Role::VpnServer)?;
        }
        self.later(move |lab| {
            lab.vpn_words = crate::lab::VpnWords::default();
            if server_too {
                lab.stop(Role::VpnServer)?;
                lab.start(Role::VpnServer)?;
            }
            lab.restart_client()
        });
        self.restart_client()
    }

    /// The VPN server's processes hang: its kernel still answers for it.
    pub(crate) fn vpn_server_hangs(&mut self) -> Done {
        self.signal_edge("STOP")?;
        self.later(|lab| {
            lab.signal_edge("CONT")?;
            lab.restart_client()
        });
        Ok(())
    }

    fn signal_edge(&self, signal: &str) -> Done {
        let mut list = std::process::Command::new("ip");
        list.args(["netns", "pids", &self.at(Place::Edge).name]);
        let pids = crate::shell::must(list, "")?.out;
        let mut kill = std::process::Command::new("kill");
        kill.arg(format!("-{signal}")).args(pids.split_whitespace());
        crate::shell::must(kill, "").map(drop)
    }

    /// `isonet enroll` takes its baseline of the topology as it is.
    pub(crate) fn enroll(&mut self) -> Done {
        self.enroll_as(&crate::ask::Ask { enrolled: true, ..crate::ask::Ask::default() })
    }

    /// The same, with what this question shows the product of the machine.
    pub(crate) fn enroll_as(&mut self, ask: &crate::ask::Ask) -> Done {
        let Some(product) = self.product.clone() else { return Ok(()) };
        let config = self.path("enrol.toml");
        fs::write(&config, ask.config(self)).map_err(|e| format!("cannot write the config: {e}"))?;
        self.later(|lab| fs::remove_dir_all(lab.path("state")).map_err(|e| format!("cannot forget the baseline: {e}")));
        let [product, config] = [&product, &config].map(|path| path.display().to_string());
        let words = vec![product, "enroll".to_owned(), "--config".to_owned(), config];
        crate::shell::must(ask.in_its_place(self, words), "").map(drop)
    }

    /// A new session, without waiting for the old one to be given up.
    pub(crate) fn restart_client(&mut self) -> Done {
        self.stop(Role::VpnClient)?;
        let gone = self.tunnel();
        crate::check::eventually("the old tunnel is gone", || {
            let there = self.terminal().try_run(&["ip", "link", "show", "dev", &gone])?.ok();
            crate::check::holds(!there, "it is still there")
        })?;
        self.start(Role::VpnClient)
    }

    /// Changes the tunnel's addresses or routes on the terminal; undone by a new session.
    pub(crate) fn change_tunnel(&mut self, lines: &str) -> Done {
        self.terminal().ip(lines)?;
        self.later(Lab::restart_client);
        Ok(())
    }

    /// The line's operator routes this line to its internet.
    pub(crate) fn open_internet(&mut self) -> Done {
        if self.has_vpn() {
            return Ok(());
        }
        let mut lines = String::new();
        let mut undo = String::new();
        for ip in self.plan.isp_net.host(2).ips(self.plan.outer_families()) {
            lines.push_str(&format!("route add {} via {ip}\n", default_prefix(ip)));
            undo.push_str(&format!("route del {}\n", default_prefix(ip)));
        }
        self.change(Place::Isp, &lines, &undo)
    }

    /// Lines that remove the terminal's default routes.
    pub(crate) fn without_default(&self) -> String {
        self.ips(self.plan.gateway).into_iter().map(|ip| format!("route del {}\n", default_prefix(ip))).collect()
    }

    /// A bridge like a container engine's, with a living guest port, owning `addresses`.
    pub(crate) fn container_bridge(&mut self, addresses: &[String]) -> Done {
        let mut lines = "link add docker0 type bridge\nlink add veth9 type veth peer name veth9p\n\
             link set veth9p netns @\nlink set veth9 master docker0 up\nlink set docker0 up\n"
            .replace('@', &self.at(Place::Switch).name);
        for address in addresses {
            lines.push_str(&crate::lab::address_line("docker0", address));
            lines.push('\n');
        }
        self.terminal().ip(&lines)?;
        self.at(Place::Switch).ip("link set veth9p up\n")?;
        self.later(|lab| lab.terminal().ip("link del veth9\nlink del docker0\n"));
        Ok(())
    }

    /// The terminal's addresses and default routes live on another device from now on, which `make` creates.
    pub(crate) fn uplink_is(&mut self, device: &str, make: &str) -> Done {
        let plan = &self.plan;
        let mut lines = format!("addr flush dev {}\n{make}\nlink set {device} up\n", plan.nic);
        for address in plan.terminal.with_bits(plan.families) {
            lines.push_str(&crate::lab::address_line(device, &address));
            lines.push('\n');
        }
        for ip in self.ips(plan.gateway) {
            // The old card's IPv6 default route outlives its addresses.
            lines.push_str(&format!("route replace {} via {ip}\n", default_prefix(ip)));
        }
        let undo = format!("link del {device}\n");
        // The router learns the new hardware address at once, and the old one again.
        self.later(|lab| lab.at(Place::Shop).ip("neigh flush dev lan\n"));
        self.change(Place::Terminal, &lines, &undo)?;
        self.at(Place::Shop).ip("neigh flush dev lan\n")
    }

    /// nft's words for "to any of these addresses".
    pub(crate) fn towards(host: Host, families: crate::plan::Families) -> Vec<String> {
        host.ips(families)
            .into_iter()
            .map(|ip| match ip {
                IpAddr::V4(a) => format!("ip daddr {a}"),
                IpAddr::V6(a) => format!("ip6 daddr {a}"),
            })
            .collect()
    }
}
