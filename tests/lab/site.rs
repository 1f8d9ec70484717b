//! The configuration an engineer would write for a topology.

use crate::ask::{Ask, Centre, Client, Inside, Page};
use crate::lab::{Lab, Role};
use crate::machine;
use crate::peers::PLAIN;
use crate::plan::Kind;

/// The VPN server's name outside; only [`Client::ServerByName`] speaks of it.
pub(crate) const VPN_NAME: &str = "vpn.outside.example";

impl Ask {
    pub(crate) fn config(&self, lab: &Lab) -> String {
        let mut text = String::new();
        if self.enrolled {
            text.push_str(&format!("state-dir = \"{}\"\n", lab.path("state").display()));
        }
        let usual = if lab.has_vpn() { "vpn-over-internet" } else { "leased-line" };
        text.push_str(&format!(
            "[terminal]\nname = \"Lab terminal\"\nkind = \"pharmacy\"\n{}\n\
             [contacts]\nvendor = {{ name = \"Vendor\", phone = \"1001\" }}\n\
             operator = {{ name = \"Operator\", phone = \"1002\" }}\n\
             bureau = {{ name = \"Bureau\", phone = \"1003\" }}\n\n\
             [network]\naccess = \"{}\"\n\n",
            (self.terminal)(lab),
            self.access.unwrap_or(usual)
        ));
        text.push_str(&self.vpn_table(lab));
        text.push_str(&self.dns_table(lab));
        text.push_str(&self.centre_table(lab));
        text.push_str(&(self.more)(lab));
        text
    }

    fn vpn_table(&self, lab: &Lab) -> String {
        let plan = &lab.plan;
        let (kind, transport, process) = match plan.kind {
            Kind::Leased | Kind::LeasedV6 => return String::new(),
            Kind::OpenVpn => ("openvpn", "udp", Some(machine::openvpn_process(plan.part))),
            Kind::WireGuard => ("wireguard", "udp", None),
            Kind::OpenConnect => ("openconnect", "tcp", Some(machine::openconnect_process())),
            Kind::Ipsec => ("ipsec", "udp", Some(machine::charon_process())),
        };
        // A site that has several such clients in its life writes a pattern.
        let kind = match self.vpn {
            Client::Commercial => "tun",
            Client::Ppp => "l2tp",
            Client::Known | Client::Nameless | Client::Logged | Client::ServerByName => kind,
        };
        let nameless = matches!(self.vpn, Client::Nameless | Client::Commercial | Client::Ppp);
        let interface = if plan.kind == Kind::OpenConnect { "vpn*".to_owned() } else { lab.tunnel() };
        let interface = if self.vpn == Client::Ppp { "ppp*".to_owned() } else { interface };
        let server = if self.vpn == Client::ServerByName { VPN_NAME.to_owned() } else { plan.vpn_server().to_string() };
        let inside = match self.inside {
            Inside::Server => lab.ip(plan.tunnel_server()),
            Inside::Behind => lab.ip(plan.resolvers()[0]),
        };
        let mut text = format!(
            "[[vpn]]\nname = \"inner\"\nkind = \"{kind}\"\ninterface = \"{interface}\"\n\
             server = \"{server}:{}\"\ntransport = \"{transport}\"\ninside = \"{inside}\"\n",
            plan.vpn_port
        );
        if let Some(process) = process.filter(|_| !nameless) {
            text.push_str(&format!("process = \"{process}\"\n"));
        }
        if self.vpn == Client::Logged {
            text.push_str(&format!("log = \"{}\"\n", lab.log(Role::VpnClient).display()));
        }
        text.push('\n');
        text
    }

    fn dns_table(&self, lab: &Lab) -> String {
        let plan = &lab.plan;
        if matches!(self.centre, Centre::Address | Centre::Elsewhere) {
            return String::new();
        }
        let resolvers: Vec<String> = if self.resolvers {
            plan.resolvers()[..plan.resolver_count].iter().map(|r| lab.ip(*r).to_string()).collect()
        } else {
            Vec::new()
        };
        format!(
            "[dns]\nresolvers = {}\nnames = [\"{}\"]\nexpect-prefixes = {}\ncontrol-name = \"{}\"\n\n",
            quoted(&resolvers),
            plan.name,
            quoted(&plan.inner.prefixes(plan.families)),
            plan.control,
        )
    }

    fn centre_table(&self, lab: &Lab) -> String {
        let plan = &lab.plan;
        let host = match self.centre {
            Centre::Address => lab.ip(plan.centre()).to_string(),
            Centre::Name | Centre::NameAndAddresses => plan.name.clone(),
            Centre::Elsewhere => return String::new(),
        };
        let url_host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let (port, service) = (plan.https, plan.service);
        let mut text = format!("[[centre]]\nname = \"settlement\"\nhost = \"{host}\"\nping = true\n");
        let without_tls = |also: &str| (format!("tcp = [{PLAIN}{also}]\n"), format!("http://{url_host}/health"));
        let (ports, url) = match self.page {
            Page::Plain => without_tls(""),
            Page::PlainBesideService => without_tls(&format!(", {service}")),
            Page::Tls => (
                format!("tcp = [{port}, {service}]\ntls = {{ port = {port}, {}server-name = \"{}\" }}\n", self.tls_files(lab), plan.name),
                format!("https://{url_host}:{port}/health"),
            ),
        };
        text.push_str(&ports);
        text.push_str(&format!("http = {{ url = \"{url}\", status = [200], slow = \"1s\", maintenance-marker = \"maintenance\" }}\n"));
        if lab.has_vpn() {
            text.push_str("via = \"inner\"\n");
        }
        if self.centre == Centre::NameAndAddresses {
            let ips: Vec<String> = lab.ips(plan.centre()).iter().map(ToString::to_string).collect();
            text.push_str(&format!("addresses = {}\n", quoted(&ips)));
        }
        if !self.critical {
            text.push_str("critical = false\n");
        }
        text.push('\n');
        text
    }

    fn tls_files(&self, lab: &Lab) -> String {
        let file = |key: &str, file: &str| format!("{key} = \"{}\", ", lab.path(file).display());
        let mut text = String::new();
        if self.ca {
            text.push_str(&file("ca", "ca.pem"));
        }
        if self.client_cert {
            text.push_str(&file("client-cert", "vpn-client.pem"));
            text.push_str(&file("client-key", "vpn-client.key"));
        }
        text
    }
}

fn quoted(list: &[String]) -> String {
    let words: Vec<String> = list.iter().map(|word| format!("{word:?}")).collect();
    format!("[{}]", words.join(", "))
}
