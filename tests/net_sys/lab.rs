//! Three namespaces in a row: terminal -- router -- centre, IPv4 and IPv6.

use serde::de::DeserializeOwned;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum As {
    /// Everything permitted.
    Root,
    /// Nothing permitted.
    Nobody,
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
            if !Command::new(program).arg(argument).output().is_ok_and(|out| out.status.success()) {
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
        lab.host(&format!("ip netns add {}", lab.name("router")));
        lab.host(&format!("ip netns add {}", lab.name("centre")));
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

    fn host(&self, line: &str) -> Output {
        let mut words = line.split_whitespace();
        let program = words.next().expect("a command line in a test");
        let out = Command::new(program).args(words).output().expect("the program is there");
        assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
        out
    }

    /// Runs a command line in a place; it must succeed.
    pub(crate) fn run(&self, place: &str, line: &str) -> Output {
        self.host(&format!("ip netns exec {} {line}", self.name(place)))
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

    /// Starts this test program once more inside the terminal, to ask one question there.
    pub(crate) fn ask<T: DeserializeOwned>(&self, who: As, question: &str) -> T {
        let myself = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name("terminal")]);
        if who == As::Nobody {
            command.args(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]);
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
