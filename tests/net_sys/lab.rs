//! Three namespaces in a row: terminal -- router -- centre, IPv4 and IPv6.

use isonet::sys::clock;
use serde::de::DeserializeOwned;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum As {
    /// Everything permitted.
    Root,
    /// Nothing permitted.
    Nobody,
    /// As the service: `CAP_NET_RAW` and nothing else.
    Service,
}

/// The namespaces of one test; gone when dropped.
pub(crate) struct Lab {
    prefix: String,
}

impl Lab {
    /// Builds the three, or says why it cannot.
    pub(crate) fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        for (program, argument) in [("ip", "-V"), ("nft", "--version"), ("setpriv", "--version")] {
            if !there(program, argument) {
                println!("SKIPPED: `{program}` is not installed");
                return None;
            }
        }
        let prefix = format!("isonet-sys-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        if !Command::new("ip").args(["netns", "add", &format!("{prefix}-terminal")]).output().is_ok_and(|out| out.status.success()) {
            println!("SKIPPED: no permission to add a network namespace");
            return None;
        }
        let lab = Self { prefix };
        Self::host(&format!("ip netns add {}", lab.name("router")));
        Self::host(&format!("ip netns add {}", lab.name("centre")));
        lab.wire();
        Some(lab)
    }

    fn wire(&self) {
        for place in ["terminal", "router", "centre"] {
            self.run(place, "ip link set lo up");
            self.run(place, "sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0");
            self.run(place, "sysctl -qw net.ipv4.icmp_ratemask=0 net.ipv6.icmp.ratelimit=0");
        }
        self.run("router", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        self.run("terminal", &format!("ip link add t0 type veth peer name r0 netns {}", self.name("router")));
        self.run("centre", &format!("ip link add c0 type veth peer name r1 netns {}", self.name("router")));
        for (place, device, v4, v6) in [
            ("terminal", "t0", "10.77.1.2/24", "fd77:1::2/64"),
            ("router", "r0", "10.77.1.1/24", "fd77:1::1/64"),
            ("router", "r1", "10.77.2.1/24", "fd77:2::1/64"),
            ("centre", "c0", "10.77.2.2/24", "fd77:2::2/64"),
        ] {
            self.run(place, &format!("ip link set {device} up"));
            self.run(place, &format!("ip address add {v4} dev {device}"));
            self.run(place, &format!("ip address add {v6} dev {device} nodad"));
        }
        for (place, v4, v6) in [("terminal", "10.77.1.1", "fd77:1::1"), ("centre", "10.77.2.1", "fd77:2::1")] {
            self.run(place, &format!("ip route add default via {v4}"));
            self.run(place, &format!("ip route add default via {v6}"));
        }
    }

    fn name(&self, place: &str) -> String {
        format!("{}-{place}", self.prefix)
    }

    fn host(line: &str) -> Output {
        let mut words = line.split_whitespace();
        let program = words.next().expect("a command line in a test");
        let out = Command::new(program).args(words).output().expect("the program is there");
        assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
        out
    }

    /// Runs a command line in a place; it must succeed.
    pub(crate) fn run(&self, place: &str, line: &str) -> Output {
        Self::host(&format!("ip netns exec {} {line}", self.name(place)))
    }

    /// Loads nft rules in a place.
    pub(crate) fn nft(&self, place: &str, rules: &str) {
        let out = Command::new("ip").args(["netns", "exec", &self.name(place), "nft", rules]).output().expect("nft is there");
        assert!(out.status.success(), "{rules}: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// Sets a kernel parameter of the terminal.
    pub(crate) fn sysctl(&self, key: &str, value: &str) {
        let out = Command::new("ip").args(["netns", "exec", &self.name("terminal"), "sysctl", "-qw", &format!("{key}={value}")]).output();
        assert!(out.expect("sysctl is there").status.success(), "{key}={value}");
    }

    /// A second pair of devices between terminal and router, standing in for a tunnel: `vpn0` with 10.88.0.2, `vpn1` with 10.88.0.1.
    pub(crate) fn tunnel(&self) {
        self.run("terminal", &format!("ip link add vpn0 type veth peer name vpn1 netns {}", self.name("router")));
        for (place, device, ip) in [("terminal", "vpn0", "10.88.0.2/24"), ("router", "vpn1", "10.88.0.1/24")] {
            self.run(place, &format!("sysctl -qw net.ipv6.conf.{device}.disable_ipv6=1"));
            self.run(place, &format!("ip link set {device} up"));
            self.run(place, &format!("ip address add {ip} dev {device}"));
        }
        // Only then is the address of the other end known, and only new traffic counts.
        self.run("terminal", "ping -c1 -W1 10.88.0.1");
    }

    /// A real OpenVPN server at the centre, with keys made for it.
    pub(crate) fn openvpn_server(&self) -> Option<Running> {
        if !there("openvpn", "--version") {
            println!("SKIPPED in part: `openvpn` is not installed");
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let key = rcgen::generate_simple_self_signed(vec!["vpn.example".into()]).expect("a certificate");
        let path = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(path("crt"), key.cert.pem()).expect("written");
        std::fs::write(path("key"), key.signing_key.serialize_pem()).expect("written");
        let line = format!(
            "openvpn --dev null --tls-server --proto udp --port 1194 --ca {0} --cert {0} --key {1} --dh none",
            path("crt"),
            path("key")
        );
        let server = Running::start(self, "centre", &line, Some(dir));
        self.until("centre", "ss -Hlun sport = :1194", |out| out.contains(":1194"));
        Some(server)
    }

    /// A program of a unique name that runs in a place.
    pub(crate) fn program(&self, place: &str) -> (String, Running) {
        let dir = tempfile::tempdir().expect("a directory");
        let name = format!("is{}-{place}", std::process::id());
        let path = dir.path().join(&name);
        std::fs::copy("/usr/bin/sleep", &path).expect("sleep is there");
        let running = Running::start(self, place, &format!("{} 30", path.display()), Some(dir));
        self.until(place, "ps -eo args", |out| {
            out.contains(&name) && !out.contains(&format!("exec {} {}", self.name(place), path.display()))
        });
        (name, running)
    }

    /// Userspace WireGuard at both ends: 10.89.0.2 here, 10.89.0.1 there.
    pub(crate) fn wireguard(&self) -> Option<Wireguard> {
        if !there("wireguard-go", "--version") || !there("wg", "--version") || !std::path::Path::new("/dev/net/tun").exists() {
            println!("SKIPPED: `wireguard-go`, `wg` or /dev/net/tun is missing");
            return None;
        }
        let made = Wireguard::new(self);
        Some(made)
    }

    /// Waits until the output of a command fits.
    pub(crate) fn until(&self, place: &str, line: &str, holds: impl Fn(&str) -> bool) {
        let began = clock::now();
        while !holds(&String::from_utf8_lossy(&self.run(place, line).stdout)) {
            assert!(began.elapsed().as_secs() < 5, "{line} never came true");
        }
    }

    /// Starts this test program once more inside the terminal, to ask one question there.
    pub(crate) fn ask<T: DeserializeOwned>(&self, who: As, question: &str) -> T {
        let myself = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name("terminal")]);
        let capabilities: &[&str] = match who {
            As::Root => &[],
            As::Nobody => &["--inh-caps=-all", "--bounding-set=-all"],
            As::Service => &["--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw"],
        };
        if who != As::Root {
            command.args(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]).args(capabilities);
        }
        command.arg(myself).args(["--exact", "inside::answers_one_question", "--nocapture", "--ignored"]).env("ISONET_SYS_ASK", question);
        let out = command.output().expect("the command runs");
        let text = String::from_utf8_lossy(&out.stdout);
        let answer = text.lines().find_map(|line| line.split_once("ANSWER ").map(|(_, json)| json));
        let answer = answer.unwrap_or_else(|| panic!("no answer to {question:?}: {text}{}", String::from_utf8_lossy(&out.stderr)));
        serde_json::from_str(answer).unwrap_or_else(|e| panic!("{e}: {answer}"))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for place in ["terminal", "router", "centre"] {
            let _ = Command::new("ip").args(["netns", "delete", &self.name(place)]).output();
        }
    }
}

fn there(program: &str, argument: &str) -> bool {
    // OpenVPN ends `--version` with 1.
    Command::new(program).arg(argument).output().is_ok()
}

/// A program that runs in a place; ended when dropped.
pub(crate) struct Running {
    child: Child,
    _files: Option<tempfile::TempDir>,
}

impl Running {
    fn start(lab: &Lab, place: &str, line: &str, files: Option<tempfile::TempDir>) -> Self {
        let name = lab.name(place);
        let child = Command::new("ip")
            .args(["netns", "exec", &name])
            .args(line.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{line}: {e}"));
        Self { child, _files: files }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two userspace WireGuard interfaces that know each other. Their control sockets stand in one directory for all namespaces, so that their
/// names carry the process id.
pub(crate) struct Wireguard {
    ends: Vec<Running>,
    devices: [String; 2],
}

impl Wireguard {
    fn new(lab: &Lab) -> Self {
        let id = std::process::id();
        let devices = [format!("wt{id}"), format!("wc{id}")];
        let places = ["terminal", "centre"];
        let dir = tempfile::tempdir().expect("a directory");
        let key = |name: &str| {
            let private = Command::new("wg").arg("genkey").output().expect("wg is there").stdout;
            let path = dir.path().join(name);
            std::fs::write(&path, &private).expect("written");
            let public =
                Command::new("wg").arg("pubkey").stdin(std::fs::File::open(&path).expect("readable")).output().expect("wg is there");
            (path.display().to_string(), String::from_utf8_lossy(&public.stdout).trim().to_owned())
        };
        let keys = [key("t"), key("c")];
        let mut ends = Vec::new();
        for (place, device) in places.iter().zip(&devices) {
            ends.push(Running::start(lab, place, &format!("wireguard-go -f {device}"), None));
            lab.until(place, "ip -o link", |out| out.contains(device.as_str()));
            let began = clock::now();
            while !std::path::Path::new(&format!("/var/run/wireguard/{device}.sock")).exists() {
                assert!(began.elapsed().as_secs() < 5, "no control socket");
            }
        }
        let [t, c] = &devices;
        lab.run(
            "terminal",
            &format!("wg set {t} private-key {} peer {} endpoint 10.77.2.2:51820 allowed-ips 10.89.0.1/32", keys[0].0, keys[1].1),
        );
        lab.run("centre", &format!("wg set {c} listen-port 51820 private-key {} peer {} allowed-ips 10.89.0.2/32", keys[1].0, keys[0].1));
        for (place, device, ip) in [("terminal", t, "10.89.0.2/24"), ("centre", c, "10.89.0.1/24")] {
            lab.run(place, &format!("ip address add {ip} dev {device}"));
            lab.run(place, &format!("ip link set {device} up"));
        }
        Self { ends, devices }
    }

    /// The terminal's interface.
    pub(crate) fn device(&self) -> &str {
        &self.devices[0]
    }
}

impl Drop for Wireguard {
    fn drop(&mut self) {
        self.ends.clear();
        for device in &self.devices {
            let _ = std::fs::remove_file(format!("/var/run/wireguard/{device}.sock"));
        }
    }
}
