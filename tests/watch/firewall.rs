//! The firewall: what protects is taken away for real, by nftables and by the old packet filter; and what containers, bans, traffic and services
//! that are started anew do to its rules must stay silent.

use crate::ground::{Daemon, Ground, has, wait_for};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(15);
/// For what is looked at once a minute.
const MINUTES: Duration = Duration::from_secs(150);

fn lines(record: &Value, kind: &str) -> Vec<String> {
    let lines = record["evidence"].as_array().cloned().unwrap_or_default();
    let word = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    lines.iter().filter(|line| line["k"] == kind).map(|line| format!("{} {}", word(line, "target"), word(line, "result"))).collect()
}

fn severity(record: &Value) -> &str {
    record.pointer("/cause/severity").and_then(Value::as_str).unwrap_or_default()
}

/// What was told of the firewall.
fn told(daemon: &Daemon<'_>) -> Vec<String> {
    daemon.brief().into_iter().filter(|line| line.contains(" firewall.")).collect()
}

const TOP: &str = "chain input {\n type filter hook input priority 0; policy drop;\n";
const RULES: [&str; 4] = ["iifname \"t0\" counter accept", "iif \"lo\" accept", "tcp dport 23 drop", "udp dport 137 reject"];

/// Loads a firewall in one stroke in the place of the one before.
fn load(ground: &Ground, rules: &[&str]) {
    let text = format!("table inet filter\ndelete table inet filter\ntable inet filter {{\n{TOP}{}\n}}\n}}\n", rules.join("\n"));
    fs::write(ground.path("rules"), text).unwrap();
    ground.here(&format!("nft -f {}", ground.path("rules").display()));
}

/// As docker sets up its rules, in the tables of `iptables`.
const DOCKER: &str = "table ip filter {\n chain INPUT { type filter hook input priority 0; policy accept; }\n chain DOCKER { ip daddr 172.17.0.2 accept; drop; }\n\
    chain FORWARD { type filter hook forward priority 0; policy drop; jump DOCKER; }\n}\n\
    table ip raw {\n chain PREROUTING { type filter hook prerouting priority -300; policy accept; iifname != \"docker0\" ip daddr 172.17.0.2 drop; }\n}\n";
const BANS: [&str; 4] = [
    "add chain inet filter f2b-sshd",
    "add rule inet filter f2b-sshd ip saddr 203.0.113.9 reject",
    "insert rule inet filter input tcp dport 22 jump f2b-sshd",
    "add table inet f2b-table",
];

#[test]
fn less_protection_is_told_and_what_containers_bans_and_traffic_do_is_not() {
    if !has("nft") || !has("ping") {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    load(&ground, &RULES);
    fs::write(ground.path("docker"), DOCKER).unwrap();
    ground.here(&format!("nft -f {}", ground.path("docker").display()));
    ground.configure("");
    ground.enroll();
    let daemon = ground.watch();
    // Docker is started anew, and then removed; bans come and go; packets are counted; the same rules are loaded in another order.
    for line in ["nft delete table ip filter", "nft delete table ip raw"] {
        ground.here(line);
    }
    ground.here(&format!("nft -f {}", ground.path("docker").display()));
    ground.here("nft delete table ip filter && nft delete table ip raw");
    for line in BANS {
        ground.here(&format!("nft {line}"));
    }
    ground.here(&format!("ping -c 3 -i 0.2 -W 2 {}", crate::ground::GATEWAY));
    std::thread::sleep(Duration::from_secs(14));
    load(&ground, &[RULES[3], RULES[2], RULES[0], RULES[1]]);
    std::thread::sleep(Duration::from_secs(14));
    assert_eq!(told(&daemon), Vec::<String>::new());

    let mut open = RULES;
    open[2] = "tcp dport 23 accept";
    load(&ground, &open);
    let (opened, after) = daemon.sees("firewall.changed", "opened", SOON, |_| true);
    println!("drop became accept: {after:?}");
    assert_eq!((severity(&opened), opened["origin"].as_str()), ("medium", Some("local-change")), "{opened}");
    assert_eq!(
        (lines(&opened, "firewall.refusing"), lines(&opened, "firewall.accepting")),
        (vec!["inet filter 2 -> 1".into()], vec!["inet filter 2 -> 3".into()])
    );
    load(&ground, &RULES);
    daemon.sees("firewall.changed", "resolved", SOON, |_| true);

    open[2] = "tcp dport 24 drop";
    load(&ground, &open);
    let (updated, _) = daemon.sees("firewall.changed", "updated", SOON, |record| severity(record) == "low");
    assert_eq!(lines(&updated, "firewall.table"), ["inet filter other rules"], "another port");

    ground.here(&format!("nft -f {}", ground.path("docker").display()));
    ground.here("nft delete table inet filter");
    let (opened, after) = daemon.sees("firewall.down", "opened", SOON, |_| true);
    println!("emptied, while docker's rules stay: {after:?}");
    assert_eq!((severity(&opened), lines(&opened, "firewall.table")), ("high", vec!["inet filter keeps nothing out".into()]));
    load(&ground, &RULES);
    daemon.sees("firewall.down", "resolved", SOON, |_| true);
    daemon.stop();
}

/// A terminal in which `iptables-legacy` keeps its lock to itself.
fn old(ground: &Ground, words: &str) {
    ground.here(&format!("XTABLES_LOCKFILE={} iptables-legacy {words}", ground.path("lock").display()));
}

#[test]
fn the_old_packet_filter_protects_and_is_told_within_the_minute() {
    if !has("iptables-legacy") || !has("ping") {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    for words in ["-P INPUT DROP", "-A INPUT -i t0 -j ACCEPT", "-A INPUT -i lo -j ACCEPT", "-A INPUT -p tcp --dport 23 -j DROP"] {
        old(&ground, words);
    }
    ground.configure("");
    ground.enroll();
    let daemon = ground.watch();
    // Counters, a container's rules, a ban.
    ground.here(&format!("ping -c 2 -i 0.2 -W 2 {}", crate::ground::GATEWAY));
    for words in [
        "-N DOCKER",
        "-A FORWARD -j DOCKER",
        "-P FORWARD DROP",
        "-N f2b-sshd",
        "-A f2b-sshd -s 203.0.113.9 -j REJECT",
        "-I INPUT -p tcp --dport 22 -j f2b-sshd",
    ] {
        old(&ground, words);
    }
    std::thread::sleep(Duration::from_secs(75));
    assert_eq!(told(&daemon), Vec::<String>::new());
    old(&ground, "-P INPUT ACCEPT");
    let (opened, after) = daemon.sees("firewall.changed", "opened", MINUTES, |_| true);
    println!("old packet filter, policy: {after:?}");
    assert_eq!(lines(&opened, "firewall.policy"), ["iptables filter INPUT accept"], "{opened}");
    old(&ground, "-F INPUT");
    let (opened, after) = daemon.sees("firewall.down", "opened", MINUTES, |_| true);
    println!("old packet filter, emptied: {after:?}");
    assert_eq!(lines(&opened, "firewall.table"), ["iptables filter keeps nothing out"], "{opened}");
    daemon.stop();
}

#[test]
fn a_service_that_is_started_anew_is_waited_for_and_one_that_ended_is_named() {
    if !has("nft") || !has("/usr/bin/systemctl") {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    // A manager of services that knows one of them, in the state that the test gives it.
    let (manager, state) = (ground.path("systemctl"), ground.path("unit-state"));
    let is = |word: &str| {
        fs::write(ground.path("new-state"), word).unwrap();
        fs::rename(ground.path("new-state"), &state).unwrap();
    };
    fs::write(
        &manager,
        format!("#!/bin/sh\nprintf 'Id=firewalld.service\\nLoadState=loaded\\nActiveState=%s\\n' \"$(cat {})\"\n", state.display()),
    )
    .unwrap();
    fs::set_permissions(&manager, fs::Permissions::from_mode(0o755)).unwrap();
    ground.here("mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system");
    ground.here(&format!("mount --bind {} /usr/bin/systemctl", manager.display()));
    is("active");
    load(&ground, &RULES);
    ground.configure("");
    ground.enroll();
    let daemon = ground.watch();
    is("deactivating");
    ground.here("nft flush ruleset");
    std::thread::sleep(Duration::from_secs(3));
    is("activating");
    std::thread::sleep(Duration::from_secs(3));
    load(&ground, &RULES);
    is("active");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(told(&daemon), Vec::<String>::new());
    is("inactive");
    ground.here("nft flush ruleset");
    let (opened, after) = daemon.sees("firewall.down", "opened", SOON, |_| true);
    println!("the service ended: {after:?}");
    assert_eq!(lines(&opened, "firewall.service"), ["firewalld.service inactive"], "{opened}");
    load(&ground, &RULES);
    daemon.sees("firewall.down", "resolved", SOON, |_| true);
    // It hangs on its way: that is waited for, but not for ever.
    is("activating");
    ground.here("nft flush ruleset");
    let began = isonet::sys::clock::now();
    wait_for("what hangs to be told", MINUTES, || (daemon.told("firewall.down").len() > 2).then_some(()));
    println!("a service that hangs: {:?}", began.elapsed());
    assert!(began.elapsed() > Duration::from_secs(25), "{:?}", began.elapsed());
    daemon.stop();
}
