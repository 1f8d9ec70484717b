//! Ways for others through this PC: forwarding, address translation, bridges, sharing, namespaces, and their harmless twins.
//!
//! A cable of the test (a `veth`) stands for a card where it carried a default route at enrolment. Not staged here: a wireless card, and cards
//! that come by USB; tests of whole machines have those. Open vSwitch needs a kernel that has it: only its verdict is tested.

use crate::ground::{Daemon, Ground, has, wait_for};
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What the acceptance cases allow.
const GOAL: Duration = Duration::from_secs(10);

/// A terminal with two registered cards: `t0` to the gateway, `t1` to a second network (10.82.1.0/24) beyond.
fn two_cards() -> Option<Ground> {
    let ground = Ground::new()?;
    ground.cable("t1", "b1");
    ground.here("ip address add 10.82.1.1/24 dev t1");
    ground.beyond_run("ip address add 10.82.1.2/24 dev b1");
    ground.here("ip route add default via 10.82.1.2 dev t1 metric 500");
    Some(ground)
}

/// A program in the background; ended when dropped.
struct Background(Child);

impl Background {
    fn of(mut command: Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn severity(record: &Value) -> &str {
    record.pointer("/cause/severity").and_then(Value::as_str).unwrap_or_default()
}

/// Waits until whatever was about to be told is told: as many looks as have to follow.
fn settle(daemon: &Daemon<'_>) -> Vec<String> {
    std::thread::sleep(Duration::from_secs(6));
    daemon.brief()
}

#[test]
fn a_switch_is_told_at_once_and_packets_of_others_within_ten_seconds() {
    if !has("ping") {
        return;
    }
    let Some(ground) = two_cards() else { return };
    ground.configure("");
    ground.enroll();
    let daemon = ground.watch();
    ground.here("sysctl -qw net.ipv4.ip_forward=1");
    let (opened, after) = daemon.sees("extension.forwarding", "opened", GOAL, |_| true);
    println!("ip_forward: {after:?}");
    assert_eq!(severity(&opened), "low", "{opened}");
    // Somebody beyond the second card uses this PC as a router to somebody beyond the first.
    let other = Inside::other_device(&ground);
    other.run(&format!("ping -c 3 -i 0.2 -W 2 {}", crate::ground::GATEWAY));
    let counted = ground.here("grep Ip: /proc/net/snmp | tail -1 | cut -d' ' -f7");
    assert!(counted.trim().parse::<u64>().unwrap() >= 6, "nothing was forwarded: {counted}");
    let (_, after) = daemon.sees("extension.forwarding", "updated", GOAL, |record| severity(record) == "high");
    println!("forwarded packets: {after:?}");
    ground.here("sysctl -qw net.ipv4.ip_forward=0");
    daemon.sees("extension.forwarding", "resolved", GOAL, |_| true);
    daemon.stop();
}

/// A network namespace with a process in it.
struct Inside {
    _holder: Background,
    pid: u32,
}

impl Inside {
    /// Below the namespaces that `command` enters.
    fn of(mut command: Command, home: &str) -> Self {
        command.args(["--net", "sleep", "3600"]);
        let holder = Background::of(command);
        // `nsenter` and `unshare` become the program they start, so the process is the same.
        let pid = holder.0.id();
        let net = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
        wait_for("a namespace", GOAL, || {
            let own = net(&pid.to_string())?;
            (own.to_str() != Some(home) && Some(own) != net("self")).then_some(())
        });
        Self { _holder: holder, pid }
    }

    /// Of a program on the terminal.
    fn terminal(ground: &Ground) -> Self {
        Self::of(ground.command("unshare"), ground.here("readlink /proc/self/ns/net").trim())
    }

    /// Another device behind `t1`, whose router is the terminal; and the gateway knows the way back.
    fn other_device(ground: &Ground) -> Self {
        let other = Self::of(ground.beyond_command("unshare"), ground.beyond_run("readlink /proc/self/ns/net").trim());
        ground.beyond_run(&format!("ip address flush dev b1 && ip link set b1 netns {}", other.pid));
        other.run("ip address add 10.82.1.2/24 dev b1 && ip link set b1 up");
        other.run(&format!("ip route add {} via 10.82.1.1", crate::ground::GATEWAY));
        ground.beyond_run(&format!("ip route add 10.82.1.0/24 via {}", crate::ground::TERMINAL));
        other
    }

    fn run(&self, line: &str) {
        let out = Command::new("nsenter").args(["-t", &self.pid.to_string(), "-n", "sh", "-c", line]).output().unwrap();
        assert!(out.status.success(), "{line}: {}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    }
}

/// An incident goes on over a new start of the service, and is not closed and opened again.
#[test]
fn what_is_there_when_the_service_starts_anew_goes_on() {
    let Some(ground) = two_cards() else { return };
    ground.configure("");
    ground.enroll();
    ground.here("sysctl -qw net.ipv4.ip_forward=1");
    let daemon = ground.watch();
    let (opened, _) = daemon.sees("extension.forwarding", "opened", GOAL, |_| true);
    assert_eq!(opened["origin"], "pre-existing", "{opened}");
    daemon.stop();
    let daemon = ground.watch();
    settle(&daemon);
    assert_eq!(daemon.told("extension.forwarding").len(), 1, "{:#?}", daemon.brief());
    daemon.stop();
}

#[test]
fn a_rule_that_hides_others_is_told_within_ten_seconds() {
    if !has("nft") {
        return;
    }
    let Some(ground) = two_cards() else { return };
    ground.configure("");
    ground.enroll();
    let daemon = ground.watch();
    ground.here("sysctl -qw net.ipv4.ip_forward=1");
    ground.here("nft 'table ip nat { chain post { type nat hook postrouting priority 100; oifname \"t0\" masquerade; }; }'");
    let (record, after) = daemon.sees("extension.nat", "opened", GOAL, |_| true);
    println!("masquerade: {after:?}");
    assert_eq!(severity(&record), "high", "{record}");
    assert!(record["evidence"].to_string().contains("masquerade"), "{record}");
    ground.here("nft delete table ip nat");
    daemon.sees("extension.nat", "resolved", GOAL, |_| true);
    daemon.stop();
}

#[test]
fn the_old_packet_filter_hides_others_and_a_containers_rule_does_not() {
    if !has("iptables-legacy") {
        return;
    }
    let Some(ground) = two_cards() else { return };
    let old = |words: &str| ground.here(&format!("XTABLES_LOCKFILE={} iptables-legacy -t nat {words}", ground.path("lock").display()));
    old("-A POSTROUTING -s 10.99.0.0/24 -j MASQUERADE");
    ground.configure("");
    ground.enroll();
    let daemon = ground.watch();
    ground.here("ip link add docker0 type bridge && ip address add 172.17.0.1/16 dev docker0 && ip link set docker0 up");
    old("-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE");
    ground.here("sysctl -qw net.ipv4.ip_forward=1");
    assert_eq!(settle(&daemon), Vec::<String>::new());
    old("-A POSTROUTING -o t0 -j MASQUERADE");
    // Nothing tells of the old filter's rules; the next look does.
    ground.here("ip link add name poke type bridge");
    let (record, after) = daemon.sees("extension.nat", "opened", GOAL, |_| true);
    println!("masquerade of the old packet filter: {after:?}");
    let evidence = record["evidence"].to_string();
    assert!(evidence.contains("oifname") && !evidence.contains("172.17") && !evidence.contains("10.99"), "{record}");
    daemon.stop();
}

#[test]
fn a_bridge_of_two_cards_is_told() {
    let Some(ground) = two_cards() else { return };
    ground.configure("");
    ground.enroll();
    let daemon = ground.watch();
    ground.here("ip link add br0 type bridge && ip link set t0 master br0 && ip link set t1 master br0 && ip link set br0 up");
    let (record, after) = daemon.sees("extension.bridge", "opened", GOAL, |record| record.to_string().contains("t0 t1"));
    println!("bridge: {after:?}");
    assert_eq!(severity(&record), "high");
    ground.here("ip link del br0");
    daemon.sees("extension.bridge", "resolved", GOAL, |_| true);
    daemon.stop();
}

#[test]
fn a_card_that_is_moved_to_a_child_namespace_is_told() {
    let Some(ground) = two_cards() else { return };
    ground.configure("");
    ground.enroll();
    let daemon = ground.watch();
    let child = Inside::terminal(&ground);
    ground.here(&format!("ip link set t1 netns {}", child.pid));
    // Not the neighbour of this test: it is in a namespace of this machine itself, and what leads to one of those leads through this PC.
    child.run("ip address add 10.82.1.1/24 dev t1 && ip link set t1 up && ip route add default via 10.82.1.9");
    // Nothing tells of routes in there: it is looked at twice a minute.
    let (record, after) = daemon.sees("extension.foreign-namespace", "opened", Duration::from_secs(40), |_| true);
    println!("a card in a child namespace: {after:?}");
    assert!(record["evidence"].to_string().contains("via 10.82.1.9 dev t1"), "{record}");
    daemon.stop();
}

#[test]
fn an_address_server_for_others_is_told() {
    if !has("dnsmasq") {
        return;
    }
    let Some(ground) = two_cards() else { return };
    ground.configure("");
    ground.enroll();
    let daemon = ground.watch();
    let mut command = ground.command("dnsmasq");
    let lease = format!("--dhcp-leasefile={}", ground.path("leases").display());
    command.args([
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--user=root",
        "--port=0",
        "--interface=t1",
        "--bind-interfaces",
        &lease,
    ]);
    command.args(["--dhcp-range=10.82.1.50,10.82.1.60,1h", "--pid-file="]);
    let _server = Background::of(command);
    wait_for("port 67", GOAL, || ground.here("ss -lun").contains(":67 ").then_some(()));
    // No event tells of a socket; the next look does.
    ground.here("ip link add name poke type bridge");
    let (record, _) = daemon.sees("extension.sharing", "opened", GOAL, |_| true);
    assert_eq!(record.pointer("/incident/fingerprint").and_then(Value::as_str), Some("extension.sharing:link:t1"), "{record}");
    daemon.stop();
}

/// As libvirt and the network manager set them up: one for its virtual machines, the other for whoever comes.
#[test]
fn addresses_for_virtual_machines_are_nobodys_and_a_shared_connection_is_told() {
    if !has("dnsmasq") {
        return;
    }
    let Some(ground) = two_cards() else { return };
    ground.configure("");
    ground.enroll();
    let daemon = ground.watch();
    let serve = |device: &str, range: &str| {
        let mut command = ground.command("dnsmasq");
        command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--port=0", "--bind-interfaces", "--pid-file="]);
        command.args([
            format!("--interface={device}"),
            format!("--dhcp-range={range},1h"),
            format!("--dhcp-leasefile={}", ground.path(device).display()),
        ]);
        let server = Background::of(command);
        wait_for("port 67", GOAL, || ground.here("ss -lun").contains(&format!("%{device}:67 ")).then_some(()));
        server
    };
    ground.here("ip link add virbr0 type bridge && ip address add 192.168.122.1/24 dev virbr0 && ip link set virbr0 up");
    let machines = serve("virbr0", "192.168.122.2,192.168.122.254");
    ground.here("ip link add name poke type bridge");
    assert_eq!(settle(&daemon), Vec::<String>::new());
    drop(machines);
    ground.here("ip address flush dev t1 && ip address add 10.42.0.1/24 dev t1");
    let _shared = serve("t1", "10.42.0.10,10.42.0.254");
    ground.here("ip link del poke");
    let (record, _) = daemon.sees("extension.sharing", "opened", GOAL, |_| true);
    let evidence = record["evidence"].to_string();
    assert!(evidence.contains("extension.shared") && evidence.contains("10.42.0.1/24"), "{record}");
    daemon.stop();
}

#[test]
fn a_proxy_for_others_is_told_and_the_same_for_this_pc_only_is_not() {
    if !has("tinyproxy") {
        return;
    }
    let Some(ground) = two_cards() else { return };
    ground.configure("");
    ground.enroll();
    let daemon = ground.watch();
    let start = |listen: &str| {
        let file = ground.path("tinyproxy.conf");
        std::fs::write(&file, format!("Port 8888\nListen {listen}\nTimeout 60\nMaxClients 5\n")).unwrap();
        let mut command = ground.command("tinyproxy");
        command.args(["-d", "-c"]).arg(file);
        let proxy = Background::of(command);
        wait_for("port 8888", GOAL, || ground.here("ss -ltn").contains(&format!("{listen}:8888")).then_some(()));
        proxy
    };
    let own = start("127.0.0.1");
    ground.here("ip link add name poke type bridge");
    assert_eq!(settle(&daemon), Vec::<String>::new());
    drop(own);
    let _proxy = start("0.0.0.0");
    ground.here("ip link del poke");
    let (record, _) = daemon.sees("extension.sharing", "opened", GOAL, |_| true);
    assert!(record["evidence"].to_string().contains("tinyproxy"), "{record}");
    daemon.stop();
}

/// As docker sets itself up: a bridge, its switch, its rule, a container with traffic through this PC.
#[test]
fn containers_that_come_after_enrolment_are_accused_of_nothing() {
    if !has("ping") {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    ground.configure("");
    ground.enroll();
    let daemon = ground.watch();
    ground.here("sysctl -qw net.ipv4.ip_forward=1 && ip link add docker0 type bridge && ip address add 172.17.0.1/16 dev docker0 && ip link set docker0 up");
    if has("nft") {
        ground.here("nft 'table ip nat { chain POSTROUTING { type nat hook postrouting priority 100; oifname != \"docker0\" ip saddr 172.17.0.0/16 counter masquerade; }; }'");
    }
    let container = Inside::terminal(&ground);
    ground.here(&format!("ip link add veth1 type veth peer name eth0 netns {} && ip link set veth1 master docker0 up", container.pid));
    container.run("ip address add 172.17.0.2/16 dev eth0 && ip link set eth0 up && ip route add default via 172.17.0.1");
    container.run(&format!("ping -c 20 -i 0.05 -W 2 {}", crate::ground::GATEWAY));
    assert_eq!(settle(&daemon), Vec::<String>::new());
    daemon.stop();
}

#[test]
fn enrolled_forwarding_and_what_only_this_pc_uses_are_accused_of_nothing() {
    if !has("ping") {
        return;
    }
    let Some(ground) = two_cards() else { return };
    ground.here("sysctl -qw net.ipv4.ip_forward=1");
    ground.configure("");
    ground.enroll();
    let daemon = ground.watch();
    let other = Inside::other_device(&ground);
    other.run(&format!("ping -c 5 -i 0.1 -W 2 {}", crate::ground::GATEWAY));
    // A VPN client that forwards on its own tunnel, and somebody who waits for multicast as avahi does.
    ground.here("ip tuntap add mode tun name tun7 && ip link set tun7 up && sysctl -qw net.ipv4.conf.tun7.forwarding=1");
    let mut avahi = ground.command("python3");
    avahi.args(["-c", "import socket,time\ns=socket.socket(2,2)\ns.bind(('',5353))\ntime.sleep(60)"]);
    let _avahi = Background::of(avahi);
    let told: Vec<String> = settle(&daemon).into_iter().filter(|line| line.contains("extension.")).collect();
    assert_eq!(told, Vec::<String>::new());
    daemon.stop();
}
