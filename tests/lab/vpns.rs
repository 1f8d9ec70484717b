//! The VPNs' two ends: openvpn, wireguard-go, ocserv and openconnect; strongSwan is in `charon.rs`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::check::eventually;
use crate::lab::{Lab, Place, Role, address_line};
use crate::machine;
use crate::peers::must_find;
use crate::plan::Families;
use crate::shell::{Done, must};

/// The account of the SSL VPN.
const USER: &str = "shop";
pub(crate) const PASSWORD: &str = "the right one";

impl Lab {
    /// Where the client looks for its server.
    fn vpn_remote(&self) -> String {
        self.vpn_words.remote.clone().unwrap_or_else(|| self.plan.vpn_server().to_string())
    }

    /// A program under a name of this run's own, for the machine's list of processes.
    pub(crate) fn own_name(&self, program: &str, name: &str) -> Done<String> {
        let link = self.path(name);
        if !link.exists() {
            let target = must_find(program)?;
            std::os::unix::fs::symlink(&target, &link).map_err(|e| format!("cannot link {target}: {e}"))?;
        }
        Ok(link.display().to_string())
    }

    pub(crate) fn start_openvpn_server(&mut self) -> Done {
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
        command.args(&self.vpn_words.server);
        self.openvpn_identity(&mut command, "vpn-server");
        self.spawn(Role::VpnServer, command)
    }

    pub(crate) fn start_openvpn_client(&mut self) -> Done {
        // Known in the machine's process list by a name of this run's own: the server beside it must not look like it.
        let link = self.own_name("openvpn", &machine::openvpn_process(self.plan.part))?;
        let plan = &self.plan;
        let mut command = self.terminal().command(&link);
        command
            .args(["--client", "--nobind", "--proto", "udp4", "--dev", &self.tunnel()])
            .args(["--remote", &self.vpn_remote(), &plan.vpn_port.to_string()])
            .args(["--connect-retry", "1", "1", "--tls-timeout", "1"]);
        command.args(&self.vpn_words.client);
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
    pub(crate) fn write_wireguard(&self) -> Done {
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
        self.write("server.pub", &server_public)?;
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

    pub(crate) fn start_wireguard(&mut self, role: Role, place: Place) -> Done {
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
        self.wireguard_listens(place, &dev)?;
        let conf = self.text_path(&format!("{role:?}.conf"));
        self.at(place).run(&["wg", "setconf", &dev, &conf])?;
        self.at(place).ip(&lines)
    }

    /// Its socket takes connections. `wg` must not be asked before: it removes a socket that nobody listens on yet, and tries
    /// the kernel instead.
    pub(crate) fn wireguard_listens(&self, place: Place, dev: &str) -> Done {
        let name = format!("/wireguard/{dev}.sock");
        eventually("wireguard-go listens", || {
            let said = self.at(place).run(&["cat", "/proc/net/unix"])?;
            // The flags say that it accepts connections.
            let listens = said.out.lines().any(|line| line.ends_with(&name) && line.split_whitespace().nth(3) == Some("00010000"));
            crate::check::holds(listens, "nobody listens")
        })
    }

    /// Accounts, the server's configuration, and what the client does to the terminal once it is connected.
    pub(crate) fn write_openconnect(&self) -> Done {
        let plan = &self.plan;
        let mut hash = Command::new("ocpasswd");
        hash.args(["-c", &self.text_path("accounts"), USER]);
        must(hash, &format!("{PASSWORD}\n{PASSWORD}\n"))?;
        let dir = self.dir.display();
        let port = plan.vpn_port;
        let dtls = if plan.dtls { format!("udp-port = {port}\n") } else { String::new() };
        self.write(
            "ocserv.conf",
            &format!(
                "auth = \"plain[passwd={dir}/accounts]\"\ntcp-port = {port}\n{dtls}run-as-user = root\nrun-as-group = root\n\
                 socket-file = {dir}/ocserv.sock\nserver-cert = {dir}/vpn-server.pem\nserver-key = {dir}/vpn-server.key\n\
                 use-occtl = true\nocctl-socket-file = {dir}/occtl.sock\nisolate-workers = false\nmax-ban-score = 0\nrate-limit-ms = 0\ndevice = vpns\n\
                 ipv4-network = {}\nipv4-netmask = 255.255.255.0\nroute = {}\n\
                 keepalive = 30\ndpd = 90\ncookie-timeout = 300\nping-leases = false\n",
                plan.tunnel.v4_network(),
                plan.inner.prefixes(Families::V4)[0],
            ),
        )?;
        let mut script = "#!/bin/sh\n[ \"$reason\" = connect ] || exit 0\nip link set \"$TUNDEV\" up mtu \"$INTERNAL_IP4_MTU\"\n\
             ip addr add \"$INTERNAL_IP4_ADDRESS/24\" dev \"$TUNDEV\"\n"
            .to_owned();
        for prefix in plan.inner.prefixes(plan.families) {
            script.push_str(&format!("ip route add {prefix} dev \"$TUNDEV\"\n"));
        }
        self.write("connected", &script)?;
        let path = self.path("connected");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(|e| format!("cannot make {} a program: {e}", path.display()))
    }

    pub(crate) fn start_ocserv(&mut self) -> Done {
        let mut command = self.at(Place::Edge).command("ocserv");
        command.args(["--foreground", "--config", &self.text_path("ocserv.conf")]);
        self.spawn(Role::VpnServer, command)
    }

    /// The SSL VPN's server sends the terminal away, in so many words.
    pub(crate) fn ocserv_disconnects(&mut self) -> Done {
        let socket = self.text_path("occtl.sock");
        self.at(Place::Edge).run(&["occtl", "--socket-file", &socket, "disconnect", "user", USER])?;
        self.later(Lab::restart_client);
        Ok(())
    }

    pub(crate) fn start_openconnect(&mut self) -> Done {
        let link = self.own_name("openconnect", &machine::openconnect_process())?;
        self.write("password", &format!("{}\n", self.vpn_words.password.unwrap_or(PASSWORD)))?;
        let mut words = format!(
            "exec {link} --passwd-on-stdin --non-inter --user {USER} --cafile {} --interface {} --script {}",
            self.text_path("ca.pem"),
            self.tunnel(),
            self.text_path("connected"),
        );
        if !self.plan.dtls {
            words.push_str(" --no-dtls");
        }
        words.push_str(&format!(" https://{}:{} <{}", self.vpn_remote(), self.plan.vpn_port, self.text_path("password")));
        // It gives up at once where nobody listens, and the server is started just before.
        let listening = format!("sport = :{}", self.plan.vpn_port);
        eventually("the SSL VPN listens", || {
            let said = self.at(Place::Edge).try_run(&["ss", "-Htln", &listening])?;
            crate::check::holds(!said.out.trim().is_empty(), "nobody listens")
        })?;
        let mut command = self.terminal().command("sh");
        command.args(["-c", &words]);
        self.spawn(Role::VpnClient, command)
    }
}

/// A fresh private key, and its public one.
pub(crate) fn wireguard_keys() -> Done<(String, String)> {
    let mut generate = Command::new("wg");
    generate.arg("genkey");
    let private = must(generate, "")?.out.trim().to_owned();
    let mut derive = Command::new("wg");
    derive.arg("pubkey");
    let public = must(derive, &private)?.out.trim().to_owned();
    Ok((private, public))
}
