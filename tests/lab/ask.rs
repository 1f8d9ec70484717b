//! Asking the product: its configuration, its invocation inside the terminal, its answer.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::lab::{Lab, Place};
use crate::plan::Kind;
use crate::shell::{Done, Said, run};

/// Past this a run counts as hung; the product promises 10 s at the very most.
const HARD_LIMIT: &str = "15";

/// The product's address space: generous for a program that should need 12 MB, too little to swallow a hostile body.
const MEMORY: &str = "--as=536870912";

/// How the configuration names the centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Centre {
    /// By name, with its addresses listed.
    NameAndAddresses,
    /// By name only.
    Name,
    /// By a bare address.
    Address,
}

/// Who runs the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    Root,
    Nobody,
}

/// One way to ask.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// No configuration file at all when false.
    pub(crate) configured: bool,
    pub(crate) centre: Centre,
    pub(crate) user: User,
    /// `tls.ca` is given.
    pub(crate) ca: bool,
    /// `[dns] resolvers` lists the inner ones.
    pub(crate) resolvers: bool,
    /// The clock the product sees, as `faketime` writes it.
    pub(crate) clock: Option<&'static str>,
}

impl Default for Ask {
    fn default() -> Ask {
        Ask { configured: true, centre: Centre::NameAndAddresses, user: User::Root, ca: true, resolvers: false, clock: None }
    }
}

/// What the product answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) said: Said,
    /// The one JSON document; the reason if there is none.
    pub(crate) json: Result<Value, String>,
    /// From outside, with process start and `ip netns exec`.
    pub(crate) wall_ms: u128,
}

impl Ask {
    /// The configuration an engineer would write for this topology.
    pub(crate) fn config(&self, lab: &Lab) -> String {
        let plan = &lab.plan;
        let quoted = |list: Vec<String>| {
            let words: Vec<String> = list.iter().map(|w| format!("{w:?}")).collect();
            format!("[{}]", words.join(", "))
        };
        let ips = |host| lab.ips(host).iter().map(ToString::to_string).collect::<Vec<_>>();
        let access = if lab.has_vpn() { "vpn-over-internet" } else { "leased-line" };
        let mut text = format!(
            "[terminal]\nname = \"Lab terminal\"\nkind = \"pharmacy\"\n\n\
             [contacts]\nvendor = {{ name = \"Vendor\", phone = \"1001\" }}\n\
             operator = {{ name = \"Operator\", phone = \"1002\" }}\n\
             bureau = {{ name = \"Bureau\", phone = \"1003\" }}\n\n\
             [network]\naccess = \"{access}\"\n\n"
        );
        match plan.kind {
            Kind::OpenVpn => text.push_str(&format!(
                "[[vpn]]\nname = \"inner\"\nkind = \"openvpn\"\ninterface = \"{}\"\nprocess = \"{}\"\n\
                 server = \"{}:{}\"\ntransport = \"udp\"\ninside = \"{}\"\n\n",
                lab.tunnel(),
                crate::machine::openvpn_process(),
                plan.vpn_server(),
                plan.vpn_port,
                lab.ip(plan.tunnel_server()),
            )),
            Kind::WireGuard => text.push_str(&format!(
                "[[vpn]]\nname = \"inner\"\nkind = \"wireguard\"\ninterface = \"{}\"\n\
                 server = \"{}:{}\"\ntransport = \"udp\"\ninside = \"{}\"\n\n",
                lab.tunnel(),
                plan.vpn_server(),
                plan.vpn_port,
                lab.ip(plan.tunnel_server()),
            )),
            Kind::Leased | Kind::LeasedV6 => {}
        }
        let resolvers: Vec<String> = if self.resolvers {
            plan.resolvers()[..plan.resolver_count].iter().map(|r| lab.ip(*r).to_string()).collect()
        } else {
            Vec::new()
        };
        let host = match self.centre {
            Centre::Address => lab.ip(plan.centre()).to_string(),
            Centre::Name | Centre::NameAndAddresses => plan.name.clone(),
        };
        if self.centre != Centre::Address {
            text.push_str(&format!(
                "[dns]\nresolvers = {}\nnames = [\"{}\"]\nexpect-prefixes = {}\ncontrol-name = \"{}\"\n\n",
                quoted(resolvers),
                plan.name,
                quoted(plan.inner.prefixes(plan.families)),
                plan.control,
            ));
        }
        let url_host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let port = plan.https;
        let ca = if self.ca { format!("ca = \"{}\", ", lab.path("ca.pem").display()) } else { String::new() };
        text.push_str(&format!(
            "[[centre]]\nname = \"settlement\"\nhost = \"{host}\"\nping = true\ntcp = [{port}, {}]\n\
             tls = {{ port = {port}, {ca}server-name = \"{}\" }}\n\
             http = {{ url = \"https://{url_host}:{port}/health\", status = [200], slow = \"1s\", \
             maintenance-marker = \"maintenance\" }}\n",
            plan.service, plan.name,
        ));
        if lab.has_vpn() {
            text.push_str("via = \"inner\"\n");
        }
        if self.centre == Centre::NameAndAddresses {
            text.push_str(&format!("addresses = {}\n", quoted(ips(plan.centre()))));
        }
        text
    }

    /// The whole command, ready to run inside the terminal.
    pub(crate) fn command(&self, lab: &Lab, product: &Path, config: &Path) -> Command {
        let mut words: Vec<String> = Vec::new();
        if let Some(clock) = self.clock {
            // Only the wall clock is wrong: a set clock does not touch the monotonic one.
            words.extend(["env", "FAKETIME_DONT_FAKE_MONOTONIC=1"].map(str::to_owned));
            words.extend(["faketime", "-f", clock].map(str::to_owned));
        }
        if self.user == User::Nobody {
            let drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
            words.extend(drop.map(str::to_owned));
        }
        words.push(product.display().to_string());
        words.extend(["diagnose", "--json", "--lang", "en"].map(str::to_owned));
        if self.configured {
            words.extend(["--config".to_owned(), config.display().to_string()]);
        }
        let mut command = lab.at(Place::Terminal).command("timeout");
        command.args(["--signal=KILL", HARD_LIMIT, "prlimit", MEMORY]).args(words);
        command
    }

    pub(crate) fn answer(&self, lab: &Lab, product: &Path) -> Done<Answer> {
        let config = lab.path("isonet.toml");
        fs::write(&config, self.config(lab)).map_err(|e| format!("cannot write the config: {e}"))?;
        let command = self.command(lab, product, &config);
        let begin = Instant::now();
        let said = run(command, "")?;
        let wall_ms = begin.elapsed().as_millis();
        // The whole of stdout must be one document: anything before or after it is an error here.
        let json = serde_json::from_str(&said.out).map_err(|e| e.to_string());
        Ok(Answer { said, json, wall_ms })
    }
}
