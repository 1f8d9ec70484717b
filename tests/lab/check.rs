//! Proofs by independent tools: what ping, socat, dig, getent, curl and ip see from a place.

use std::fmt::Debug;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::{Lab, Place};
use crate::shell::{Done, Netns, run};

/// How long an effect may take to show; a loaded machine is three times slower.
const PATIENCE: Duration = Duration::from_secs(12);

/// Asks again and again until the probe agrees; its last word is the error.
pub(crate) fn eventually(what: &str, mut probe: impl FnMut() -> Done) -> Done {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let last = match probe() {
            Ok(()) => return Ok(()),
            Err(last) => last,
        };
        if Instant::now() > deadline {
            return Err(format!("never seen: {what}: {last}"));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// One comparison, with both sides in the error.
pub(crate) fn is<T: PartialEq + Debug>(got: &T, wanted: &T) -> Done {
    if got == wanted { Ok(()) } else { Err(format!("{got:?} instead of {wanted:?}")) }
}

pub(crate) fn holds(condition: bool, otherwise: impl Into<String>) -> Done {
    if condition { Ok(()) } else { Err(otherwise.into()) }
}

/// What one echo request met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Echo {
    Reply,
    Silence,
    /// An ICMP error: who said what.
    Told(String, String),
    /// The own kernel refused.
    Local(String),
}

/// What one TCP connection met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tcp {
    Open,
    Refused,
    Silence,
    Other(String),
}

/// What one DNS query met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Dns {
    Addresses(Vec<IpAddr>),
    Rcode(String),
    Refused,
    Silence,
    Other(String),
}

/// What one HTTPS request met.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Https {
    pub(crate) status: u16,
    pub(crate) seconds: f64,
    pub(crate) error: String,
    pub(crate) body: String,
}

impl Netns {
    pub(crate) fn ping(&self, to: IpAddr) -> Done<Echo> {
        self.ping_with(to, &[])
    }

    pub(crate) fn ping_with(&self, to: IpAddr, extra: &[&str]) -> Done<Echo> {
        let to = to.to_string();
        let mut words = vec!["ping", "-n", "-c1", "-W0.5"];
        words.extend(extra);
        words.push(&to);
        let said = self.try_run(&words)?;
        if said.ok() {
            return Ok(Echo::Reply);
        }
        if let Some(line) = said.out.lines().find(|l| l.starts_with("From ")) {
            let who = line.split_whitespace().nth(1).unwrap_or_default();
            let what = line.split_once("icmp_seq=1 ").map_or(line, |(_, rest)| rest);
            return Ok(Echo::Told(who.to_owned(), what.to_owned()));
        }
        if let Some(line) = said.err.lines().find(|l| l.contains("ping:")) {
            let what = line.rsplit(": ").next().unwrap_or(line);
            return Ok(Echo::Local(what.to_owned()));
        }
        Ok(Echo::Silence)
    }

    pub(crate) fn connect(&self, to: IpAddr, port: u16) -> Done<Tcp> {
        let target = match to {
            IpAddr::V4(a) => format!("TCP4:{a}:{port},connect-timeout=0.6"),
            IpAddr::V6(a) => format!("TCP6:[{a}]:{port},connect-timeout=0.6"),
        };
        let said = self.try_run(&["socat", "-u", "/dev/null", &target])?;
        Ok(if said.ok() {
            Tcp::Open
        } else if said.err.contains("Connection refused") {
            Tcp::Refused
        } else if said.err.contains("timed out") {
            Tcp::Silence
        } else {
            Tcp::Other(said.err.trim().to_owned())
        })
    }

    /// Sends one datagram to the discard port; what the own kernel says to that, if anything.
    pub(crate) fn datagram(&self, to: IpAddr) -> Done<String> {
        let target = match to {
            IpAddr::V4(a) => format!("UDP4:{a}:9"),
            IpAddr::V6(a) => format!("UDP6:[{a}]:9"),
        };
        let mut command = self.command("socat");
        command.args(["-u", "STDIN", &target]);
        Ok(run(command, "x\n")?.err.trim().to_owned())
    }

    pub(crate) fn ask(&self, resolver: IpAddr, name: &str, kind: &str) -> Done<Dns> {
        let at = format!("@{resolver}");
        let said = self.try_run(&["dig", &at, name, kind, "+tries=1", "+time=1", "+noall", "+comments", "+answer"])?;
        if said.out.contains("connection refused") {
            return Ok(Dns::Refused);
        }
        let Some(status) = said.out.split("status: ").nth(1) else {
            return Ok(if said.out.contains("timed out") { Dns::Silence } else { Dns::Other(said.out.trim().to_owned()) });
        };
        let rcode = status.split(',').next().unwrap_or_default();
        if rcode != "NOERROR" {
            return Ok(Dns::Rcode(rcode.to_owned()));
        }
        Ok(Dns::Addresses(
            said.out
                .lines()
                .filter(|line| !line.starts_with(';'))
                .filter_map(|line| line.split_whitespace().last()?.parse().ok())
                .collect(),
        ))
    }

    /// What applications get for a name, by `getent ahosts`; empty if nothing.
    pub(crate) fn lookup(&self, name: &str) -> Done<Vec<IpAddr>> {
        let said = self.try_run(&["env", "RES_OPTIONS=timeout:1 attempts:1", "getent", "ahosts", name])?;
        let mut list: Vec<IpAddr> = said.out.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
        list.sort_unstable();
        list.dedup();
        Ok(list)
    }

    /// `ip route get`: the route, or the error's last words.
    pub(crate) fn route(&self, to: IpAddr) -> Done<String> {
        let said = self.try_run(&["ip", "route", "get", &to.to_string()])?;
        Ok(if said.ok() { said.out } else { said.err })
    }
}

impl Lab {
    /// One HTTPS request from the terminal to a centre address, checked against the private CA.
    pub(crate) fn https(&self, to: IpAddr, before: &[&str]) -> Done<Https> {
        self.curl(to, before, &[])
    }

    /// The same with a body of this many bytes.
    pub(crate) fn upload(&self, to: IpAddr, bytes: usize) -> Done<Https> {
        self.curl(to, &[], &["-m2", "-H", "Expect:", "--data-binary", &"x".repeat(bytes)])
    }

    pub(crate) fn curl(&self, to: IpAddr, before: &[&str], after: &[&str]) -> Done<Https> {
        let (name, port) = (&self.plan.name, self.plan.https);
        let ip = if to.is_ipv6() { format!("[{to}]") } else { to.to_string() };
        let ca = self.path("ca.pem").display().to_string();
        let resolve = format!("{name}:{port}:{ip}");
        let url = format!("https://{name}:{port}/health");
        let mut words: Vec<&str> = before.to_vec();
        words.extend(["curl", "-sS", "-m4", "--connect-timeout", "1", "--noproxy", "*"]);
        words.extend(["--cacert", &ca, "--resolve", &resolve]);
        words.extend(["-w", "\n%{http_code} %{time_total}", &url]);
        words.extend(after);
        let said = self.terminal().try_run(&words)?;
        let (body, numbers) = said.out.rsplit_once('\n').unwrap_or(("", &said.out));
        let mut numbers = numbers.split_whitespace();
        Ok(Https {
            status: numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0),
            seconds: numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0.0),
            error: said.err.trim().to_owned(),
            body: body.to_owned(),
        })
    }

    /// The terminal pings this host in each of its families.
    pub(crate) fn reaches(&self, what: &str, host: crate::plan::Host) -> Done {
        for ip in self.ips(host) {
            eventually(&format!("{what} answers a ping"), || is(&self.terminal().ping(ip)?, &Echo::Reply))?;
        }
        Ok(())
    }

    /// No family of this host answers the terminal's ping, for whatever reason.
    pub(crate) fn misses(&self, what: &str, host: crate::plan::Host) -> Done {
        for ip in self.ips(host) {
            eventually(&format!("{what} does not answer"), || {
                let echo = self.terminal().ping(ip)?;
                holds(echo != Echo::Reply, "it answers")
            })?;
        }
        Ok(())
    }

    /// A TCP port of a host, in each family.
    pub(crate) fn port_is(&self, host: crate::plan::Host, port: u16, wanted: &Tcp) -> Done {
        for ip in self.ips(host) {
            eventually(&format!("port {port} is {wanted:?}"), || is(&self.terminal().connect(ip, port)?, wanted))?;
        }
        Ok(())
    }

    /// Every configured resolver knows the centre's name.
    pub(crate) fn resolvers_know(&self) -> Done {
        for host in &self.plan.resolvers()[..self.plan.resolver_count] {
            self.resolver_knows(*host)?;
        }
        Ok(())
    }

    pub(crate) fn resolver_knows(&self, host: crate::plan::Host) -> Done {
        let centre = self.ip(self.plan.centre());
        let kind = if centre.is_ipv6() { "AAAA" } else { "A" };
        let resolver = self.ip(host);
        eventually("a resolver knows the centre", || {
            let answer = self.terminal().ask(resolver, &self.plan.name, kind)?;
            is(&answer, &Dns::Addresses(vec![centre]))
        })
    }

    pub(crate) fn settles(&self) -> Done {
        for ip in self.ips(self.plan.centre()) {
            eventually("the centre says 200", || {
                let answer = self.https(ip, &[])?;
                holds(answer.status == 200, format!("{answer:?}"))
            })?;
        }
        Ok(())
    }

    /// All of the way works, as far as it goes.
    pub(crate) fn prove_healthy(&self) -> Done {
        let plan = &self.plan;
        self.reaches("the gateway", plan.gateway)?;
        if self.has_vpn() {
            self.reaches("the tunnel's far end", plan.tunnel_server())?;
            let server = IpAddr::V4(plan.vpn_server());
            eventually("the VPN server answers outside", || is(&self.terminal().ping(server)?, &Echo::Reply))?;
        }
        self.reaches("the centre", plan.centre())?;
        self.resolvers_know()?;
        eventually("applications find the centre", || {
            let mut wanted = self.ips(plan.centre());
            wanted.sort_unstable();
            is(&self.terminal().lookup(&plan.name)?, &wanted)
        })?;
        self.port_is(plan.centre(), plan.service, &Tcp::Open)?;
        self.settles()?;
        self.outer_resolver_lives()
    }

    /// The public resolver in the topology's own internet answers next door.
    fn outer_resolver_lives(&self) -> Done {
        let resolver = crate::lab::OUTER_RESOLVER.parse().expect("a literal address");
        eventually("the outer resolver answers", || {
            let answer = self.at(Place::Internet).ask(resolver, &self.plan.name, "A")?;
            is(&answer, &Dns::Rcode("NXDOMAIN".to_owned()))
        })
    }
}
