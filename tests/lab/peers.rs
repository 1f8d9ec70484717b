//! The real programs at the other ends: dnsmasq, nginx, and the stubs; the VPNs are in `vpns.rs`.

use std::fs::{self, File};
use std::net::IpAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::certs;
use crate::lab::{Lab, OUTER_RESOLVER, Place, Role};
use crate::machine;
use crate::plan::{Host, Kind};
use crate::shell::{Done, stand_by};
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
    ClientCert = 4443,
    Calm = 4444,
    Alert = 4445,
    Strict = 4446,
    LateTls = 4447,
}

/// Plain HTTP beside the centre's HTTPS, for sites that have no TLS.
pub(crate) const PLAIN: u16 = 80;

/// Where the second service listens, on the operator's side.
pub(crate) const SECOND_CENTRE: u16 = 8080;

/// Where the shop router's portal waits for redirected questions.
pub(crate) const PORTAL_NAMES: u16 = 4997;
pub(crate) const PORTAL_PAGE: u16 = 4998;

/// Where the shop router's accept-and-close stub waits.
pub(crate) const ACCEPT_ALL: u16 = 4999;

const SLOW_BACKEND: u16 = 8081;
const DRIP_BACKEND: u16 = 8082;
const FLOOD_BACKEND: u16 = 8083;
const CALM_BACKEND: u16 = 8084;

impl Lab {
    pub(crate) fn start_peers(&mut self) -> Done {
        let mut addresses = self.ips(self.plan.centre());
        addresses.sort_unstable();
        certs::write_all(&self.dir, &self.plan.name, &addresses, IpAddr::V4(self.plan.vpn_server()))?;
        self.write("nginx.conf", &self.nginx_conf())?;
        match self.plan.kind {
            Kind::WireGuard => self.write_wireguard()?,
            Kind::OpenConnect => self.write_openconnect()?,
            Kind::Ipsec => self.write_ipsec()?,
            Kind::Leased | Kind::LeasedV6 | Kind::OpenVpn => {}
        }
        for role in [Role::Dnsmasq, Role::DnsStub, Role::Nginx, Role::CentreStub, Role::ShopStub, Role::OuterResolver, Role::SecondCentre] {
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
                    format!("calm-http@127.0.0.1:{CALM_BACKEND}"),
                    format!("tls-alert@[::]:{}", Front::Alert as u16),
                    format!("noise@[::]:{}", Front::Noise as u16),
                    format!("accept-close@[::]:{}", Front::AcceptClose as u16),
                    format!("late-relay@[::]:{}", Front::LateTls as u16),
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
            Role::SecondCentre => {
                let spec = format!("ok-http@[::]:{SECOND_CENTRE}");
                self.start_stub(role, Place::Internet, &[spec])
            }
            Role::Portal => {
                let specs = [format!("dns-portal@[::]:{PORTAL_NAMES}"), format!("portal@[::]:{PORTAL_PAGE}")];
                self.start_stub(role, Place::Shop, &specs)
            }
            Role::FrontEnd => {
                let spec = format!("ok-http@[::]:{SECOND_CENTRE}");
                self.start_stub(role, Place::Switch, &[spec])
            }
            Role::StrictTls => {
                let mut command = self.at(Place::Centre).command("openssl");
                let port = (Front::Strict as u16).to_string();
                command.args(["s_server", "-quiet", "-www", "-Verify", "2", "-verify_return_error", "-accept", &port]);
                for (word, file) in [("-cert", "good.pem"), ("-key", "good.key"), ("-CAfile", "ca.pem")] {
                    command.args([word, &self.text_path(file)]);
                }
                self.spawn(role, command)
            }
            Role::DelayStub | Role::Extra(_) => Err(format!("{role:?} is started by the verb that knows how")),
            Role::DelayTun => self.start_delay_tun(),
            Role::VpnServer => match self.plan.kind {
                Kind::WireGuard => self.start_wireguard(role, Place::Edge),
                Kind::OpenConnect => self.start_ocserv(),
                Kind::Ipsec => self.start_charon(role, Place::Edge),
                Kind::Leased | Kind::LeasedV6 | Kind::OpenVpn => self.start_openvpn_server(),
            },
            Role::VpnClient => match self.plan.kind {
                Kind::WireGuard => self.start_wireguard(role, Place::Terminal),
                Kind::OpenConnect => self.start_openconnect(),
                Kind::Ipsec => self.start_charon(role, Place::Terminal),
                Kind::Leased | Kind::LeasedV6 | Kind::OpenVpn => self.start_openvpn_client(),
            },
        }
    }

    /// Ends a peer at once, without a goodbye to its own peers.
    pub(crate) fn stop(&mut self, role: Role) -> Done {
        let Some(mut child) = self.peers.remove(&role) else {
            return Ok(());
        };
        child.kill().map_err(|e| format!("cannot end {role:?}: {e}"))?;
        child.wait().map_err(|e| format!("cannot await {role:?}: {e}"))?;
        if role == Role::VpnServer {
            // ocserv has children; nobody else lives there.
            machine::end_all_inhabitants(&self.at(Place::Edge).name);
        }
        Ok(())
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    /// What a peer says.
    pub(crate) fn log(&self, role: Role) -> PathBuf {
        self.path(&format!("{role:?}.log"))
    }

    pub(crate) fn text_path(&self, file: &str) -> String {
        self.path(file).display().to_string()
    }

    pub(crate) fn write(&self, file: &str, text: &str) -> Done {
        fs::write(self.path(file), text).map_err(|e| format!("cannot write {file}: {e}"))
    }

    pub(crate) fn spawn(&mut self, role: Role, mut command: Command) -> Done {
        let log = self.log(role);
        let file = File::create(&log).map_err(|e| format!("cannot create {}: {e}", log.display()))?;
        let twin = file.try_clone().map_err(|e| format!("cannot share a log: {e}"))?;
        stand_by();
        // Each leads a group of its own: were a stopped one in ours, the kernel would hang up on all of us when the shell around us ends.
        command.process_group(0);
        let child = command.stdin(Stdio::null()).stdout(file).stderr(twin).spawn().map_err(|e| format!("cannot start {role:?}: {e}"))?;
        self.peers.insert(role, child);
        Ok(())
    }

    pub(crate) fn start_stub(&mut self, role: Role, place: Place, specs: &[String]) -> Done {
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
            .env(stub::LIES, words(self.lies()))
            .env(stub::PORTAL, words(self.ips(self.plan.gateway)))
            .env(stub::BEHIND, self.plan.https.to_string());
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
        let known = format!("ssl_verify_client on; ssl_client_certificate {dir}/ca.pem;");
        let fronts: [(u16, &str, &str); 13] = [
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
            (Front::Calm as u16, "good", &proxy(CALM_BACKEND)),
            (Front::ClientCert as u16, "good", ok),
        ];
        let mut servers = String::new();
        for (port, cert, answer) in fronts {
            let clients = if port == Front::ClientCert as u16 { known.as_str() } else { "" };
            servers.push_str(&format!(
                "server {{ listen [::]:{port} ssl ipv6only=off; {clients} ssl_certificate {dir}/{cert}.pem; \
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
             server {{ listen [::]:{service} ipv6only=off; listen [::]:{PLAIN} ipv6only=off; location / {{ {ok} }} }}\n}}\n"
        )
    }
}

/// The full path of a program.
pub(crate) fn must_find(program: &str) -> Done<String> {
    find(program).ok_or(format!("{program} is not installed"))
}

pub(crate) fn find(program: &str) -> Option<String> {
    if program.starts_with('/') {
        return fs::metadata(program).is_ok_and(|m| m.is_file()).then(|| program.to_owned());
    }
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin"])
        .map(|dir| format!("{dir}/{program}"))
        .find(|file| fs::metadata(file).is_ok_and(|m| m.is_file()))
}
