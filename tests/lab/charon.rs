//! strongSwan at both ends of an `IPsec` tunnel, with its own user space ESP: a `tun` device called `ipsec0` at each.

use std::process::Command;

use crate::check::eventually;
use crate::lab::{Lab, Place, Role};
use crate::machine;
use crate::plan::Families;
use crate::shell::{Done, must};
use crate::vpns::PASSWORD;

/// Where Debian keeps the daemon, outside everyone's path.
pub(crate) const CHARON: &str = "/usr/lib/ipsec/charon";

/// What both ends speak; it is all in the packages that charon itself needs.
const PLUGINS: &str = "random nonce aes sha1 sha2 hmac kdf gmp x509 pubkey pem kernel-libipsec kernel-netlink socket-default vici";
const ESP: &str = "esp_proposals = aes128-sha256";

impl Lab {
    pub(crate) fn write_ipsec(&self) -> Done {
        for role in [Role::VpnServer, Role::VpnClient] {
            let (vici, log) = (self.vici(role), self.log(role));
            let log = log.display();
            self.write(
                &format!("{role:?}.strongswan.conf"),
                &format!(
                    "charon {{\nload = {PLUGINS}\nfilelog {{ lab {{\npath = {log}\ndefault = 1\nflush_line = yes\n}} }}\n\
                     plugins {{ vici {{\nsocket = {vici}\n}} }}\n}}\n"
                ),
            )?;
        }
        let plan = &self.plan;
        let inner = format!("{},{}/32", plan.inner.prefixes(Families::V4)[0], plan.tunnel_server().v4);
        let (first, last) = (plan.tunnel.host(2).v4, plan.tunnel.host(9).v4);
        self.write(
            "VpnServer.swanctl.conf",
            &format!(
                "connections {{ centre {{\nversion = 2\nencap = yes\nmobike = no\npools = shops\nlocal {{\nauth = psk\nid = centre\n}}\n\
                 remote {{\nauth = psk\nid = shop\n}}\nchildren {{ net {{\nlocal_ts = {inner}\n{ESP}\n}} }}\n}} }}\n\
                 pools {{ shops {{\naddrs = {first}-{last}\n}} }}\nsecrets {{ ike-shop {{\nsecret = \"{PASSWORD}\"\n}} }}\n"
            ),
        )
    }

    fn write_ipsec_client(&self) -> Done {
        let plan = &self.plan;
        let inner = format!("{},{}/32", plan.inner.prefixes(Families::V4)[0], plan.tunnel_server().v4);
        let secret = self.vpn_words.password.unwrap_or(PASSWORD);
        self.write(
            "VpnClient.swanctl.conf",
            &format!(
                "connections {{ centre {{\nversion = 2\nencap = yes\nmobike = no\nkeyingtries = 0\ndpd_delay = 90s\nremote_addrs = {}\nvips = 0.0.0.0\n\
                 local {{\nauth = psk\nid = shop\n}}\nremote {{\nauth = psk\nid = centre\n}}\n\
                 children {{ net {{\nremote_ts = {inner}\n{ESP}\nstart_action = start\n}} }}\n}} }}\n\
                 secrets {{ ike-centre {{\nsecret = \"{secret}\"\n}} }}\n",
                plan.vpn_server(),
            ),
        )
    }

    fn vici(&self, role: Role) -> String {
        format!("unix://{}", self.text_path(&format!("{role:?}.vici")))
    }

    pub(crate) fn start_charon(&mut self, role: Role, place: Place) -> Done {
        if role == Role::VpnClient {
            self.write_ipsec_client()?;
        }
        let name = if role == Role::VpnClient { machine::charon_process() } else { "charon".to_owned() };
        let link = self.own_name(CHARON, &name)?;
        // A dead one's socket would look like a living one's.
        let _ = std::fs::remove_file(self.path(&format!("{role:?}.vici")));
        let mut command = self.at(place).command("sh");
        // Each has a /run of its own: the daemon insists on one process id file there.
        command.args(["-c", &format!("mount -t tmpfs lab /run && exec {link}")]);
        command.env("STRONGSWAN_CONF", self.text_path(&format!("{role:?}.strongswan.conf")));
        self.spawn(role, command)?;
        eventually("charon takes its connections", || {
            let mut load = Command::new("swanctl");
            load.args(["--load-all", "--uri", &self.vici(role), "--file", &self.text_path(&format!("{role:?}.swanctl.conf"))]);
            must(load, "").map(drop)
        })
    }
}
