//! The real programs at the other ends: dnsmasq, nginx, openvpn, wireguard-go, and the stubs.

use std::fs::{self, File};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::certs;
use crate::check::eventually;
use crate::lab::{Lab, OUTER_RESOLVER, Place, Role, address_line};
use crate::machine;
use crate::plan::{Families, Host, Kind};
use crate::shell::{Done, must, stand_by};
use crate::stub;

/// Ports on the resolvers' host where a stub of each kind waits; a fault redirects port 53 there.
pub(crate) const DNS_STUBS: [(&str, u16); 7] = [
    ("dns-servfail", 5301),
    ("dns-refused", 5302),
    ("dns-name-gone", 5303),
    ("dns-nothing", 5304),
    ("dns-hijack", 5305),
    ("dns-slow", 5306),
    ("dns-garbage", 5307),
];

/// Ports on the centre where nginx serves a variant; a fault redirects the HTTPS port there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Front {
    Expired = 4431,
    Early = 4432,
    Untrusted = 4433,
    OtherName = 4434,
    Maintenance = 4435,
    Error = 4436,
    Forbidden = 4437,
    Slow = 4438,
    Drip = 4439,
    Flood = 4440,
    Noise = 4441,
    AcceptClose = 4442,
}

/// Where the shop router's accept-and-close stub waits.
pub(crate) const ACCEPT_ALL: u16 = 4999;

const SLOW_BACKEND: u16 = 8081;
const DRIP_BACKEND: u16 = 8082;
const FLOOD_BACKEND: u16 = 8083;

impl Lab {
    pub(crate) fn start_peers(&mut self) -> Done {
        let mut addresses = self.ips(self.plan.centre());
        addresses.sort_unstable();
        certs::write_all(&self.dir, &self.plan.name, &addresses)?;
        self.write("nginx.conf", &self.nginx_conf())?;
        if self.plan.kind == Kind::WireGuard {
            self.write_wireguard()?;
        }
        for role in [Role::Dnsmasq, Role::DnsStub, Role::Nginx, Role::CentreStub, Role::ShopStub, Role::OuterResolver] {
            self.start(role)?;
        }
        if self.has_vpn() {
            self.start(Role::VpnServer)?;
            self.start(Role::VpnClient)?;
        }
        Ok(())
    }

    /// Starts a peer; it is ready when the health check says so.
    pub(crate) fn start(&mut self, role: Role) -> Done {
        match role {
            Role::Dnsmasq => self.start_dnsmasq(),
            Role::DnsStub => {
                let specs = DNS_STUBS.map(|(kind, port)| format!("{kind}@[::]:{port}"));
                self.start_stub(role, Place::Resolvers, &specs)
            }
            Role::Nginx => self.start_nginx(),
            Role::CentreStub => self.start_stub(
                role,
                Place::Centre,
                &[
                    format!("slow-http@127.0.0.1:{SLOW_BACKEND}"),
                    format!("drip@127.0.0.1:{DRIP_BACKEND}"),
                    format!("flood@127.0.0.1:{FLOOD_BACKEND}"),
                    format!("noise@[::]:{}", Front::Noise as u16),
                    format!("accept-close@[::]:{}", Front::AcceptClose as u16),
                ],
            ),
            Role::ShopStub => {
                let spec = format!("accept-close@[::]:{ACCEPT_ALL}");
                self.start_stub(role, Place::Shop, &[spec])
            }
            Role::OuterResolver => {
                let spec = format!("dns-nothing@{OUTER_RESOLVER}:53");
                self.start_stub(role, Place::Internet, &[spec])
            }
            Role::VpnServer if self.plan.kind == Kind::WireGuard => self.start_wireguard(role, Place::Edge),
            Role::VpnClient if self.plan.kind == Kind::WireGuard => self.start_wireguard(role, Place::Terminal),
            Role::VpnServer => self.start_openvpn_server(),
            Role::VpnClient => self.start_openvpn_client(),
        }
    }

    /// Ends a peer at once, without a goodbye to its own peers.
    pub(crate) fn stop(&mut self, role: Role) -> Done {
        let Some(mut child) = self.peers.remove(&role) else {
            return Ok(());
        };
        child.kill().map_err(|e| format!("cannot end {role:?}: {e}"))?;
        child.wait().map_err(|e| format!("cannot await {role:?}: {e}"))?;
        Ok(())
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    fn text_path(&self, file: &str) -> String {
        self.path(file).display().to_string()
    }

    pub(crate) fn write(&self, file: &str, text: &str) -> Done {
        fs::write(self.path(file), text).map_err(|e| format!("cannot write {file}: {e}"))
    }

    fn spawn(&mut self, role: Role, mut command: Command) -> Done {
        let log = self.path(&format!("{role:?}.log"));
        let file = File::create(&log).map_err(|e| format!("cannot create {}: {e}", log.display()))?;
        let twin = file.try_clone().map_err(|e| format!("cannot share a log: {e}"))?;
        stand_by();
        let child = command.stdin(Stdio::null()).stdout(file).stderr(twin).spawn().map_err(|e| format!("cannot start {role:?}: {e}"))?;
        self.peers.insert(role, child);
        Ok(())
    }

    fn start_stub(&mut self, role: Role, place: Place, specs: &[String]) -> Done {
        let own = std::env::current_exe().map_err(|e| format!("cannot find the lab's binary: {e}"))?;
        let words = |list: Vec<IpAddr>| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let mut command = self.at(place).command(&own.display().to_string());
        command
            .arg("--stub")
            .args(specs)
            .env(stub::NAME, &self.plan.name)
            .env(stub::CONTROL, &self.plan.control)
            .env(stub::ADDRESSES, words(self.ips(self.plan.centre())))
            .env(stub::CONTROL_ADDRESSES, words(self.ips(self.plan.resolvers()[0])))
            .env(stub::LIES, words(self.lies()));
        self.spawn(role, command)
    }

    /// What a hijacking resolver answers: the line operator's own router.
    pub(crate) fn lies(&self) -> Vec<IpAddr> {
        self.ips(self.plan.shop_isp.host(2))
    }

    fn start_dnsmasq(&mut self) -> Done {
        let plan = &self.plan;
        let record = |name: &str, host: Host| {
            let ips: Vec<String> = self.ips(host).iter().map(ToString::to_string).collect();
            format!("--host-record={name},{}", ips.join(","))
        };
        let mut command = self.at(Place::Resolvers).command("dnsmasq");
        command
            .args(["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file="])
            .args(["--no-resolv", "--no-hosts", "--bind-interfaces", "--user=root"])
            .args(["--cache-size=0", "--log-facility=-"])
            .arg(format!("--local=/{}/", plan.zone))
            .arg(record(&plan.name, plan.centre()))
            .arg(record(&plan.control, plan.resolvers()[0]));
        for resolver in plan.resolvers() {
            for ip in self.ips(resolver) {
                command.arg(format!("--listen-address={ip}"));
            }
        }
        self.spawn(Role::Dnsmasq, command)
    }

    fn start_nginx(&mut self) -> Done {
        let mut command = self.at(Place::Centre).command("nginx");
        command.args(["-e", "stderr", "-c", &self.text_path("nginx.conf")]);
        self.spawn(Role::Nginx, command)
    }

    fn nginx_conf(&self) -> String {
        let dir = self.dir.display();
        let ok = "return 200 'ok\\n';";
        let proxy = |port: u16| format!("proxy_buffering off; proxy_max_temp_file_size 0; proxy_pass http://127.0.0.1:{port};");
        let down = "return 503 'the settlement system is under maintenance until 06:00\\n';";
        let fronts: [(u16, &str, &str); 11] = [
            (self.plan.https, "good", ok),
            (Front::Expired as u16, "expired", ok),
            (Front::Early as u16, "early", ok),
            (Front::Untrusted as u16, "untrusted", ok),
            (Front::OtherName as u16, "other-name", ok),
            (Front::Maintenance as u16, "good", down),
            (Front::Error as u16, "good", "return 500 'error\\n';"),
            (Front::Forbidden as u16, "good", "return 403 'no\\n';"),
            (Front::Slow as u16, "good", &proxy(SLOW_BACKEND)),
            (Front::Drip as u16, "good", &proxy(DRIP_BACKEND)),
            (Front::Flood as u16, "good", &proxy(FLOOD_BACKEND)),
        ];
        let mut servers = String::new();
        for (port, cert, answer) in fronts {
            servers.push_str(&format!(
                "server {{ listen [::]:{port} ssl ipv6only=off; ssl_certificate {dir}/{cert}.pem; \
                 ssl_certificate_key {dir}/{cert}.key; location / {{ {answer} }} }}\n"
            ));
        }
        let service = self.plan.service;
        format!(
            "daemon off; master_process off; worker_processes 1; user root;\n\
             pid {dir}/nginx.pid; error_log stderr error;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log off; default_type text/plain;\n\
             client_body_temp_path {dir}/n1; proxy_temp_path {dir}/n2; fastcgi_temp_path {dir}/n3;\n\
             uwsgi_temp_path {dir}/n4; scgi_temp_path {dir}/n5;\n{servers}\
             server {{ listen [::]:{service} ipv6only=off; location / {{ {ok} }} }}\n}}\n"
        )
    }

    fn start_openvpn_server(&mut self) -> Done {
        let plan = &self.plan;
        let prefix = |subnet: crate::plan::Subnet| subnet.prefixes(Families::Dual);
        let mut command = self.at(Place::Edge).command("openvpn");
        command
            .args(["--dev", "tun0", "--proto", "udp4", "--topology", "subnet"])
            .args(["--port", &plan.vpn_port.to_string()])
            .args(["--server", &plan.tunnel.v4_network().to_string(), "255.255.255.0"])
            .args(["--push", &format!("route {} 255.255.0.0", plan.inner.v4_network())])
            .args(["--keepalive", "5", "60", "--dh", "none"]);
        if plan.families.has_v6() {
            command.args(["--server-ipv6", &prefix(plan.tunnel)[1]]).args(["--push", &format!("route-ipv6 {}", prefix(plan.inner)[1])]);
        }
        self.openvpn_identity(&mut command, "vpn-server");
        self.spawn(Role::VpnServer, command)
    }

    fn start_openvpn_client(&mut self) -> Done {
        // Known in the machine's process list by a name of this run's own: the server beside it must not look like it.
        let link = self.path(&machine::openvpn_process());
        if !link.exists() {
            let target = must_find("openvpn")?;
            std::os::unix::fs::symlink(&target, &link).map_err(|e| format!("cannot link {target}: {e}"))?;
        }
        let plan = &self.plan;
        let mut command = self.terminal().command(&link.display().to_string());
        command
            .args(["--client", "--nobind", "--proto", "udp4", "--dev", &self.tunnel()])
            .args(["--remote", &plan.vpn_server().to_string(), &plan.vpn_port.to_string()])
            .args(["--connect-retry", "1", "1", "--tls-timeout", "1"]);
        self.openvpn_identity(&mut command, "vpn-client");
        self.spawn(Role::VpnClient, command)
    }

    fn openvpn_identity(&self, command: &mut Command, who: &str) {
        command
            .args(["--ca", &self.text_path("ca.pem"), "--verb", "3"])
            .args(["--cert", &self.text_path(&format!("{who}.pem"))])
            .args(["--key", &self.text_path(&format!("{who}.key"))]);
    }

    /// Keys and `wg setconf` files for both ends.
    fn write_wireguard(&self) -> Done {
        let plan = &self.plan;
        let (server, server_public) = wireguard_keys()?;
        let (client, client_public) = wireguard_keys()?;
        let own: Vec<String> = self.ips(plan.tunnel.host(2)).iter().map(ToString::to_string).collect();
        let mut inside = plan.inner.prefixes(plan.families);
        inside.extend(plan.tunnel.prefixes(plan.families));
        let peer = format!("[Peer]\nPublicKey = {client_public}\nAllowedIPs = {}\n", own.join(", "));
        self.write("peer.conf", &peer)?;
        self.write("VpnServer.conf", &format!("[Interface]\nPrivateKey = {server}\nListenPort = {}\n{peer}", plan.vpn_port))?;
        self.write("client.pub", &client_public)?;
        self.write(
            "VpnClient.conf",
            &format!(
                "[Interface]\nPrivateKey = {client}\n[Peer]\nPublicKey = {server_public}\n\
                 Endpoint = {}:{}\nAllowedIPs = {}\nPersistentKeepalive = 15\n",
                plan.vpn_server(),
                plan.vpn_port,
                inside.join(", ")
            ),
        )
    }

    fn start_wireguard(&mut self, role: Role, place: Place) -> Done {
        let plan = &self.plan;
        let (dev, host) = match place {
            Place::Terminal => (self.tunnel(), plan.tunnel.host(2)),
            _ => (machine::wireguard_server(), plan.tunnel_server()),
        };
        let families = plan.families;
        let mut lines = String::new();
        for address in host.with_bits(families) {
            lines.push_str(&address_line(&dev, &address));
            lines.push('\n');
        }
        lines.push_str(&format!("link set {dev} up mtu 1420\n"));
        if place == Place::Terminal {
            for prefix in plan.inner.prefixes(families) {
                lines.push_str(&format!("route add {prefix} dev {dev}\n"));
            }
        }
        let mut command = self.at(place).command("wireguard-go");
        command.args(["-f", &dev]).env("LOG_LEVEL", "error");
        self.spawn(role, command)?;
        let conf = self.text_path(&format!("{role:?}.conf"));
        eventually("wireguard-go takes its configuration", || self.at(place).run(&["wg", "setconf", &dev, &conf]).map(drop))?;
        self.at(place).ip(&lines)
    }
}

fn wireguard_keys() -> Done<(String, String)> {
    let mut generate = Command::new("wg");
    generate.arg("genkey");
    let private = must(generate, "")?.out.trim().to_owned();
    let mut derive = Command::new("wg");
    derive.arg("pubkey");
    let public = must(derive, &private)?.out.trim().to_owned();
    Ok((private, public))
}

/// The full path of a program.
pub(crate) fn must_find(program: &str) -> Done<String> {
    find(program).ok_or(format!("{program} is not installed"))
}

pub(crate) fn find(program: &str) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin"])
        .map(|dir| format!("{dir}/{program}"))
        .find(|file| fs::metadata(file).is_ok_and(|m| m.is_file()))
}
