//! Where this PC may be asked to send something. Before enrolment nothing goes to public addresses but what the configuration names, and
//! what a name server *says* is no leave. Pure.

use crate::baseline::Enrolment;
use crate::config::Config;
use ipnet::IpNet;
use std::net::IpAddr;

/// What the site has said of itself.
#[derive(Clone, Copy)]
pub struct Leave<'a> {
    /// What it is told.
    pub config: &'a Config,
    /// What was learnt.
    pub enrolment: &'a Enrolment,
}

impl Leave<'_> {
    /// Asking there is what the terminal is for: an address that is not public, one that lies inside, or one that the configuration
    /// names.
    pub fn may_ask(&self, ip: IpAddr) -> bool {
        let mut named = self.config.dns.resolvers.iter().chain(self.config.centres.iter().flat_map(|centre| &centre.addresses));
        !is_public(ip) || self.insides().any(|net| net.contains(&ip)) || named.any(|known| *known == ip)
    }

    /// Going where a configured name leads. Some private networks use public-looking addresses, so a name is leave enough as long as
    /// nobody has said where "inside" is; once somebody has, a name that leads out of it is followed no further.
    pub fn may_follow(&self, ip: IpAddr) -> bool {
        self.may_ask(ip) || self.insides().next().is_none()
    }

    /// Asking the system's own name servers for this name, wherever they are: the name of a VPN's server is looked up outside, by its
    /// client as by us, and nothing but that question is sent there.
    pub fn may_look_up(&self, name: &str) -> bool {
        self.config.vpns.iter().any(|vpn| vpn.server.as_ref().is_some_and(|server| server.host == name))
    }

    /// What counts as inside: configured, or learned at enrolment.
    fn insides(&self) -> impl Iterator<Item = &IpNet> {
        let told = self.config.network.allowed_prefixes.iter().chain(&self.config.dns.expect_prefixes);
        let of_centres = self.config.centres.iter().flat_map(|centre| &centre.expect_prefixes);
        let learned = self.enrolment.baseline().map_or(&[][..], |baseline| &baseline.prefixes.allowed);
        told.chain(of_centres).chain(learned)
    }
}

/// Neither private (RFC 1918, RFC 6598, RFC 4193), nor of the segment, nor reserved for documents.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1]);
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_documentation() || v4.is_unspecified() || shared)
        }
        IpAddr::V6(v6) => {
            let for_documents = v6.segments()[..2] == [0x2001, 0xdb8];
            !(v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback() || v6.is_unspecified() || for_documents)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn private_and_documentation_addresses_are_not_public() {
        let private =
            ["10.1.2.3", "172.20.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "192.0.2.1", "127.0.0.1", "fd00::1", "fe80::1"];
        assert!(private.iter().all(|text| !is_public(ip(text))));
        let public = ["8.8.8.8", "223.5.5.5", "100.128.0.1", "172.32.0.1", "2400:3200::1"];
        assert!(public.iter().all(|text| is_public(ip(text))));
    }

    #[test]
    fn a_public_resolver_is_asked_only_where_the_configuration_names_it() {
        let mut config = Config::default();
        assert!(!Leave { config: &config, enrolment: &Enrolment::NotEnrolled }.may_ask(ip("8.8.8.8")));
        config.dns.resolvers.push(ip("8.8.8.8"));
        assert!(Leave { config: &config, enrolment: &Enrolment::NotEnrolled }.may_ask(ip("8.8.8.8")));
    }

    #[test]
    fn only_a_vpn_servers_name_is_asked_of_public_name_servers() {
        let config: Config = toml::from_str("[[vpn]]\nname = \"v\"\ninterface = \"tun0\"\nserver = \"vpn.centre.example:1194\"").unwrap();
        let leave = Leave { config: &config, enrolment: &Enrolment::NotEnrolled };
        assert!(leave.may_look_up("vpn.centre.example") && !leave.may_look_up("settle.centre.example"));
        assert!(!leave.may_ask(ip("8.8.8.8")), "and nothing else is sent there");
    }

    #[test]
    fn a_name_is_followed_outside_only_while_nobody_has_said_what_inside_is() {
        let mut config = Config::default();
        assert!(Leave { config: &config, enrolment: &Enrolment::NotEnrolled }.may_follow(ip("11.22.33.44")));
        config.dns.expect_prefixes.push("11.0.0.0/8".parse().unwrap());
        let leave = Leave { config: &config, enrolment: &Enrolment::NotEnrolled };
        assert!(leave.may_follow(ip("11.22.33.44")) && leave.may_follow(ip("10.1.1.1")));
        assert!(!leave.may_follow(ip("8.8.8.8")));
    }
}
