use super::*;

/// A firewall as an administrator writes it.
const OWN: &str = "table inet filter { # handle 1\n\tset known { # handle 4\n\t\ttype ipv4_addr\n\t\telements = { 10.0.0.1, 10.0.0.2 }\n\t}\n\n\tchain input { # handle 1\n\
    \t\ttype filter hook input priority filter; policy drop;\n\t\tct state vmap { invalid : drop, established : accept, related : accept } # handle 5\n\
    \t\tiif \"lo\" accept # handle 6\n\t\tip saddr @known tcp dport 22 counter packets 3 bytes 180 accept # handle 7\n\t\tjump late # handle 8\n\t}\n\n\
    \tchain late { # handle 2\n\t\tlimit rate 5/minute burst 5 packets log prefix \"tunnel \" # handle 9\n\t\tudp dport 137 reject # handle 10\n\t}\n\n\
    \tchain unused { # handle 3\n\t\taccept # handle 11\n\t}\n}\n";

/// What docker, libvirt, wg-quick, fail2ban and a shared connection bring.
const GUESTS: &str = "table ip filter { # handle 2\n\tchain INPUT { # handle 1\n\t\ttype filter hook input priority filter; policy accept;\n\
    \t\tmeta l4proto tcp xt match \"multiport\" counter packets 9 bytes 9 jump f2b-sshd # handle 4\n\t\tcounter packets 1 bytes 1 jump LIBVIRT_INP # handle 5\n\
    \t\tiifname \"virbr0\" udp dport 53 accept # handle 6\n\t}\n\
    \tchain f2b-sshd { # handle 2\n\t\tip saddr 203.0.113.9 counter packets 1 bytes 1 xt target \"REJECT\" # handle 7\n\t}\n\
    \tchain LIBVIRT_INP { # handle 3\n\t\tiifname \"virbr0\" tcp dport 53 accept # handle 8\n\t\tdrop # handle 18\n\t}\n\
    \tchain FORWARD { # handle 9\n\t\ttype filter hook forward priority filter; policy drop;\n\t\tjump DOCKER-USER # handle 10\n\t\tdrop # handle 11\n\t}\n}\n\
    table ip raw { # handle 3\n\tchain PREROUTING { # handle 1\n\t\ttype filter hook prerouting priority raw; policy accept;\n\t\tip daddr 172.17.0.2 iifname != \"docker0\" counter packets 0 bytes 0 drop # handle 2\n\
    \t\tip daddr 172.18.0.2 iifname != \"br-0a1b2c3d4e5f\" drop # handle 3\n\t}\n}\n\
    table ip wg-quick-wg0 { # handle 4\n\tchain preraw { # handle 1\n\t\ttype filter hook prerouting priority raw; policy accept;\n\t\tiifname != \"wg0\" ip daddr 10.8.0.2 fib saddr type != local drop # handle 2\n\t}\n}\n\
    table inet f2b-table { # handle 5\n\tchain f2b-chain { # handle 1\n\t\ttype filter hook input priority filter - 1; policy accept;\n\t\ttcp dport 22 ip saddr @addr-set-sshd reject # handle 2\n\t}\n}\n\
    table ip nm-shared-wlan0 { # handle 6\n\tchain filter_input { # handle 1\n\t\ttype filter hook input priority filter; policy accept;\n\t\tiifname \"wlan0\" udp dport 67 accept # handle 2\n\t\tdrop # handle 3\n\t}\n}\n";

fn own() -> Guard {
    let found = protection(OWN);
    assert_eq!(found.guards.len(), 1);
    found.guards[0].clone()
}

fn changed(from: &str, to: &str) -> Guard {
    let text = OWN.replace(from, to);
    assert_ne!(text, OWN, "{from}");
    protection(&text).guards[0].clone()
}

#[test]
fn what_protects_is_kept_by_table() {
    let found = protection(OWN);
    assert_eq!((found.tables, found.rules), (1, 7));
    let guard = own();
    assert_eq!((guard.table.as_str(), guard.refusing, guard.accepting), ("inet filter", 2, 3), "an unused chain lets nobody pass");
    assert_eq!(guard.policies, BTreeMap::from([("input".to_owned(), "drop".to_owned())]));
}

#[test]
fn what_others_bring_and_take_protects_nobody() {
    assert_eq!(protection(GUESTS).guards, []);
    let both = protection(&format!("{GUESTS}{OWN}"));
    assert_eq!(both.guards, protection(OWN).guards);
}

#[test]
fn guests_rules_in_ones_own_table_change_nothing_of_it() {
    let banned = "\t\tjump late # handle 8\n";
    let with = format!(
        "\t\ttcp dport 22 jump f2b-sshd # handle 20\n\t\tiifname \"tun0\" accept # handle 21\n\t\tiifname {{ \"virbr0\", \"virbr1\" }} udp dport 67 accept # handle 22\n{banned}"
    );
    assert_eq!(changed(banned, &with), own());
}

#[test]
fn counts_order_handles_and_a_banned_address_are_no_change() {
    assert_eq!(changed("packets 3 bytes 180", "packets 99999 bytes 5399946"), own());
    assert_eq!(changed("{ 10.0.0.1, 10.0.0.2 }", "{ 10.0.0.2, 10.0.0.9, 10.0.0.1 }"), own());
    assert_eq!(changed("# handle 7", "# handle 70"), own());
    let (a, b) = ("\t\tiif \"lo\" accept # handle 6\n", "\t\tjump late # handle 8\n");
    let reordered = OWN.replace(a, "").replace(b, &format!("{b}{a}"));
    assert_eq!(protection(&reordered).guards[0], own());
    assert_eq!(changed("iif \"lo\"", "iif 1"), own(), "the card is gone, its rule is not");
    let two = |set: &str| changed("iif \"lo\"", set);
    assert_eq!(two("iifname { \"eth0\", \"eth1\" }"), two("iifname { \"eth1\", \"eth0\" }"), "a set has no order");
    assert_ne!(two("iifname { \"eth0\", \"eth1\" }"), two("iifname { \"eth0\", \"eth2\" }"));
    assert_eq!(two("iif != { \"lo\", 2 }"), two("iif != { 1, \"eth0\" }"));
    let vmap = "invalid : drop, established : accept, related : accept";
    assert_eq!(changed(vmap, "related : accept, invalid : drop, established : accept"), own());
}

#[test]
fn a_refusal_that_lets_pass_is_seen() {
    let swapped = changed("udp dport 137 reject", "udp dport 137 accept");
    assert_eq!((swapped.refusing, swapped.accepting), (1, 4));
    let opened = changed("policy drop", "policy accept");
    assert_eq!(opened.policies["input"], "accept");
    let wider = changed("tcp dport 22", "tcp dport 1-65535");
    assert_eq!((wider.refusing, wider.accepting), (2, 3));
    assert_ne!(wider.digest, own().digest);
}

#[test]
fn a_table_that_lets_everything_pass_or_sleeps_protects_nobody() {
    let open = OWN.replace("policy drop", "policy accept").replace("reject", "accept").replace("invalid : drop, ", "");
    assert_eq!(protection(&open).guards, []);
    assert_eq!(protection(&OWN.replace("# handle 1\n\tset", "# handle 1\n\tflags dormant\n\n\tset")).guards, []);
    assert_eq!(protection("").guards, []);
}

#[test]
fn to_which_zone_an_interface_belongs_comes_and_goes_with_it() {
    let zones = |more: &str| {
        format!(
            "table inet firewalld {{ # handle 1\n\tchain filter_INPUT {{ # handle 1\n\t\ttype filter hook input priority filter + 10; policy accept;\n\
             \t\tiifname \"eth0\" goto filter_IN_public # handle 2\n{more}\t\tct state invalid drop # handle 3\n\t\treject with icmpx admin-prohibited # handle 4\n\t}}\n\
             \tchain filter_IN_public {{ # handle 5\n\t\ttcp dport 22 accept # handle 6\n\t}}\n}}\n"
        )
    };
    let (without, with) = (protection(&zones("")), protection(&zones("\t\tiifname \"wlan0\" goto filter_IN_public # handle 9\n")));
    assert_eq!(without.guards, with.guards);
    assert_eq!(without.guards[0].accepting, 1);
}

#[test]
fn the_old_packet_filter_protects_as_well() {
    let saved =
        "*filter\n:INPUT DROP [3:4]\n:FORWARD DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 23 -j DROP\nCOMMIT\n";
    let found = protection(&as_nftables(saved, "iptables"));
    let guard = &found.guards[0];
    assert_eq!((guard.table.as_str(), guard.refusing, guard.accepting), ("iptables filter", 1, 1));
    assert_eq!(guard.policies, BTreeMap::from([("INPUT".to_owned(), "drop".to_owned())]));
    let more = protection(&as_nftables(&saved.replace("[3:4]", "[900:99999]"), "iptables"));
    assert_eq!(more, found, "packets are counted");
}

#[test]
fn chains_that_call_each_other_end() {
    let text = OWN.replace("udp dport 137 reject", "jump late");
    assert_eq!(protection(&text).guards[0].refusing, 1);
}

#[test]
fn a_refusal_is_no_empty_firewall() {
    let refused = judge("nft", true, "", "Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed");
    assert_eq!(refused, Err(Unseen::Capability("CAP_NET_ADMIN".to_owned())));
    assert!(judge("nft", false, "", "no such thing\u{1b}").is_err());
}

/// What a shell says, with so little patience.
fn spoken(script: &str, patience: Duration) -> io::Result<(usize, usize)> {
    let mut shell = Command::new("/bin/sh").args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a shell");
    let (out, err) = (shell.stdout.take().expect("a pipe"), shell.stderr.take().expect("a pipe"));
    let said = said(out.into(), err.into(), patience);
    // Most have ended by themselves.
    let _ = shell.kill();
    shell.wait().expect("it ends");
    said.map(|(text, complaint)| (text.len(), complaint.len()))
}

#[test]
fn a_tool_is_heard_to_its_end_on_both_pipes_and_one_that_hangs_or_never_ends_is_left() {
    let (long, short) = (Duration::from_secs(20), Duration::from_millis(50));
    assert_eq!(spoken("echo a; echo bc >&2; echo d", long).expect("said"), (4, 3));
    assert_eq!(spoken("exec 2>&-; head -c 200000 /dev/zero", long).expect("said"), (200_000, 0));
    assert_eq!(spoken("exec >&-; head -c 200000 /dev/zero >&2", long).expect("said"), (0, 200_000), "neither pipe stops the other");
    assert_eq!(spoken("echo a; exec sleep 30", short).expect_err("hangs").kind(), io::ErrorKind::TimedOut);
    assert_eq!(spoken("exec cat /dev/zero", long).expect_err("never ends").kind(), io::ErrorKind::FileTooLarge);
}
