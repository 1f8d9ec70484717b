//! The terminal's network: a namespace for the container, another with the router and the centre, a cable between them.

use std::process::{Child, Command, Stdio};

use crate::inside;
use crate::{Done, run};

/// The centres, beyond the router: one for each outage, as what comes back too often is called flapping.
pub(crate) const CENTRES: [&str; 7] = ["settlement", "explained", "frozen", "killed", "files", "upgraded", "noticed"];
pub(crate) const PORT: u16 = 8080;
const ROUTER: &str = "10.79.1.1";

/// Gone when dropped.
pub(crate) struct Network {
    name: String,
    centre: Option<Child>,
}

impl Network {
    pub(crate) fn new() -> Done<Network> {
        let mut network = Network { name: format!("isonet-box-{}", std::process::id()), centre: None };
        let (terminal, beyond) = (network.terminal(), network.beyond());
        ip(&format!("netns add {terminal}"))?;
        ip(&format!("netns add {beyond}"))?;
        ip(&format!("-n {terminal} link add eth0 type veth peer name c0 netns {beyond}"))?;
        for (place, device, address) in [(&terminal, "eth0", "10.79.1.2"), (&beyond, "c0", ROUTER)] {
            ip(&format!("-n {place} link set lo up"))?;
            ip(&format!("-n {place} link set {device} up"))?;
            ip(&format!("-n {place} addr add {address}/24 dev {device}"))?;
        }
        for name in CENTRES {
            ip(&format!("-n {beyond} addr add {}/32 dev lo", address(name)))?;
        }
        ip(&format!("-n {terminal} route add default via {ROUTER}"))?;
        let mut centre = Command::new("ip");
        centre.args(["netns", "exec", &beyond]).arg(std::env::current_exe().map_err(|e| e.to_string())?).args([inside::WORD, "centre"]);
        let quiet = centre.arg(format!("0.0.0.0:{PORT}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        network.centre = Some(quiet.spawn().map_err(|e| format!("the centre does not start: {e}"))?);
        Ok(network)
    }

    /// The namespace of the container.
    pub(crate) fn terminal(&self) -> String {
        format!("{}-t", self.name)
    }

    fn beyond(&self) -> String {
        format!("{}-c", self.name)
    }

    /// `ip` with these words in the terminal's namespace.
    pub(crate) fn ip(&self, words: &str) -> Done {
        ip(&format!("-n {} {words}", self.terminal()))
    }

    /// This centre cannot be reached: the terminal's own route says so.
    pub(crate) fn cut(&self, centre: &str) -> Done {
        self.ip(&format!("route replace unreachable {}/32", address(centre)))
    }

    pub(crate) fn mend(&self, centre: &str) -> Done {
        self.ip(&format!("route del unreachable {}/32", address(centre)))
    }

    /// A switch of the terminal's kernel.
    pub(crate) fn switch(&self, setting: &str) -> Done {
        run(Command::new("ip").args(["netns", "exec", &self.terminal(), "sysctl", "-qw", setting])).map(drop)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(mut centre) = self.centre.take() {
            let _ = centre.kill();
            let _ = centre.wait();
        }
        for place in [self.terminal(), self.beyond()] {
            let _ = ip(&format!("netns delete {place}"));
        }
    }
}

/// Where a centre is.
pub(crate) fn address(centre: &str) -> String {
    let nth = CENTRES.iter().position(|name| *name == centre).map_or(0, |nth| nth + 2);
    format!("10.79.2.{nth}")
}

fn ip(words: &str) -> Done {
    run(Command::new("ip").args(words.split_whitespace())).map(drop)
}
