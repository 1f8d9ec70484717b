//! The PCs.

use crate::ground::wait_for;
use crate::pc::{Case, Leaves, Pc, REGION, SITES, lacks};
use std::time::Duration;

fn nothing(_: &Pc) {}

fn fine(_: &Pc) -> Vec<String> {
    Vec::new()
}

const PLAIN: Case = Case { name: "", stage: nothing, words: &[], expected: 0, says: &[], leaves: Leaves::All, also: fine };
const REFUSED: Case = Case { expected: 78, leaves: Leaves::Nothing, says: &["nothing was written"], ..PLAIN };

fn south_1(pc: &Pc) {
    pc.name("south-1");
}

/// The list in another encoding, for the PC `south-1`.
fn saved_as(pc: &Pc, bytes: &[u8]) {
    south_1(pc);
    pc.give("sites.csv", bytes);
}

fn is_south_1(pc: &Pc) -> Vec<String> {
    lacks(&pc.text("conf.d/20-site.toml"), &["institution = \"P001\"", "name = \"城南药店\"", "site = \"1 号柜台\"", "region = \"610102\""])
}

pub fn all() -> Vec<Case> {
    [good(), saved(), refused(), by_hand()].concat()
}

/// Cards, addresses, tunnels.
fn good() -> Vec<Case> {
    vec![
        Case {
            name: "one card, static, found by host name",
            stage: south_1,
            says: &["sites.csv, line 2 (hostname)", "城南药店", "10-region.toml: written", "u001", "029-5550"],
            also: is_south_1,
            ..PLAIN
        },
        Case {
            name: "one card, leased address, found by address",
            stage: |pc| {
                let leased = "10.81.1.3/24 dev t0 valid_lft 3600 preferred_lft 3600";
                pc.ground.here(&format!("ip address flush dev t0 && ip address add {leased} && ip route add default via 10.81.1.1"));
            },
            says: &["line 5 (address)"],
            also: |pc| lacks(&pc.text("conf.d/20-site.toml"), &["institution = \"P003\"", "operator.phone = \"029-9\""]),
            ..PLAIN
        },
        Case {
            name: "two cards, found by the second's address",
            stage: |pc| {
                pc.ground.cable("t1", "b1");
                pc.ground.here("ip link set t1 address 02:00:00:0a:0b:0c");
            },
            says: &["line 4 (mac)"],
            ..PLAIN
        },
        Case {
            name: "IPv6, found by its prefix",
            stage: |pc| {
                pc.ground.here(
                    "ip address flush dev t0 && ip -6 address add fd81:1::2/64 dev t0 nodad && ip -6 route add default via fd81:1::1",
                );
            },
            says: &["line 6 (address)"],
            ..PLAIN
        },
        Case {
            name: "two counters of one code, told by host name",
            stage: |pc| pc.name("south-2"),
            words: &["--site", "P001"],
            says: &["line 3 (--site, hostname)", "2 号柜台"],
            ..PLAIN
        },
        Case {
            name: "two counters of one code, told by --terminal",
            stage: |pc| {
                pc.give("sites.csv", SITES.replace("south-1", "").as_bytes());
            },
            words: &["--site", "P001", "--terminal", "1 号柜台"],
            says: &["(--site, --terminal)"],
            also: is_south_1,
            ..PLAIN
        },
        Case {
            name: "the address is not the expected one",
            words: &["--site", "P007"],
            says: &["\"address\" says 10.99.0.5, this PC has 10.81.1.2/24", "\"gateway\" says 10.99.0.1, this PC has 10.81.1.1"],
            ..PLAIN
        },
        Case {
            name: "a VPN is up that the profile lacks, and a centre",
            stage: tunnel_up_and_talking,
            words: &["--site", "P001"],
            says: &["not in force", "#   interface = \"tun0\"", "#   host = \"10.81.1.1\"", "#   tcp = [8443]"],
            also: |pc| {
                let all = pc.text("conf.d/10-region.toml") + &pc.text("conf.d/20-site.toml");
                ["tun0", "[[vpn]]", "10.81.1.1"]
                    .iter()
                    .filter(|word| all.contains(**word))
                    .map(|word| format!("in force: {word}"))
                    .collect()
            },
            ..PLAIN
        },
        Case {
            name: "the profile's VPN is down",
            stage: |pc| {
                south_1(pc);
                pc.give(
                    "region.toml",
                    format!("{REGION}[[vpn]]\nname = \"centre\"\nkind = \"openvpn\"\ninterface = \"tun0\"\n").as_bytes(),
                );
            },
            says: &["10-region.toml: written"],
            ..PLAIN
        },
        Case {
            name: "isolation is asked about as a service would",
            stage: |pc| {
                south_1(pc);
                pc.give("region.toml", REGION.replace("mode = \"off\"", "mode = \"event-only\"").as_bytes());
            },
            ..PLAIN
        },
    ]
}

fn tunnel_up_and_talking(pc: &Pc) {
    south_1(pc);
    let without = REGION.split("[[centre]]").next().unwrap().to_owned() + "[isolation]\nmode = \"off\"\n";
    pc.give("region.toml", without.as_bytes());
    pc.ground.here("ip tuntap add dev tun0 mode tun && ip address add 10.8.0.2/24 dev tun0 && ip link set tun0 up");
    pc.ground.beyond_run("socat TCP-LISTEN:8443,fork,reuseaddr EXEC:'sleep 60' >/dev/null 2>&1 & echo");
    pc.ground.here("(socat TCP:10.81.1.1:8443,retry=100,interval=0.05 EXEC:'sleep 60' >/dev/null 2>&1 &) ; echo");
    wait_for("a connection", Duration::from_secs(20), || {
        pc.ground.here("cat /proc/net/tcp").lines().any(|line| line.contains("0101510A:20FB 01")).then_some(())
    });
}

/// How a spreadsheet saves the list.
fn saved() -> Vec<Case> {
    vec![
        Case { name: "the list in GBK", stage: |pc| saved_as(pc, &encoding_rs::GBK.encode(SITES).0), also: is_south_1, ..PLAIN },
        Case {
            name: "the list in UTF-8 with a mark and CRLF",
            stage: |pc| saved_as(pc, format!("\u{feff}{}", SITES.replace('\n', "\r\n")).as_bytes()),
            also: is_south_1,
            ..PLAIN
        },
        Case {
            name: "the list in UTF-16 with tabs",
            stage: |pc| {
                let units = format!("\u{feff}{}", SITES.replace(',', "\t"));
                saved_as(pc, &units.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
            },
            also: is_south_1,
            ..PLAIN
        },
        Case {
            name: "the list with Chinese names of columns, quoted cells",
            stage: |pc| {
                let text = "机构编码,机构名称,终端,主机名,区划\n\"P001\",\"城南药店\",\"1 号柜台\",south-1,610102\n";
                saved_as(pc, &encoding_rs::GBK.encode(text).0);
            },
            also: is_south_1,
            ..PLAIN
        },
        Case {
            name: "a code that the spreadsheet shortened",
            stage: |pc| pc.give("sites.csv", b"code,name\n6.10102E+11,a\n"),
            words: &["--site", "610102001234"],
            expected: 66,
            says: &["line 2", "format the column as text"],
            ..REFUSED
        },
    ]
}

/// What cannot be.
fn refused() -> Vec<Case> {
    vec![
        Case { name: "no row for this PC", expected: 66, says: &["no row for this PC", "host name pc", "--site"], ..REFUSED },
        Case { name: "no such code", words: &["--site", "P999"], expected: 66, says: &["P999"], ..REFUSED },
        Case { name: "two rows for this PC", stage: |pc| pc.name("twin"), says: &["line 7", "line 8", "--site"], ..REFUSED },
        Case { name: "the row of another PC", words: &["--site", "P009"], says: &["another PC's", "00:11:22:33:44:55"], ..REFUSED },
        Case {
            name: "the profile's CA is not on this PC",
            stage: |pc| {
                south_1(pc);
                pc.give("region.toml", REGION.replace("tcp = [443]", "tls.ca = \"/etc/isonet/none.pem\"").as_bytes());
            },
            says: &["region.toml:9:", "none.pem does not exist", "nothing was written"],
            ..REFUSED
        },
        Case {
            name: "a cell that does not fit",
            stage: |pc| pc.name("bad"),
            says: &["sites.csv:10:8: [region] terminal.region", "nothing was written"],
            ..REFUSED
        },
        Case {
            name: "no list",
            stage: |pc| std::fs::remove_file(pc.ground.path("sites.csv")).unwrap(),
            expected: 66,
            says: &["sites.csv"],
            ..REFUSED
        },
        Case {
            name: "/etc/isonet cannot be written",
            stage: |pc| {
                south_1(pc);
                std::fs::create_dir_all(pc.etc()).unwrap();
                pc.ground.here("mount -t tmpfs -o ro none /etc/isonet");
            },
            expected: 74,
            says: &["/etc/isonet/conf.d"],
            ..REFUSED
        },
    ]
}

/// What a person did before.
fn by_hand() -> Vec<Case> {
    vec![
        Case {
            name: "enrolled already: the baseline stays",
            stage: |pc| {
                south_1(pc);
                assert_eq!(pc.isonet(&["enroll", "--by", "Li Wei"]).status.code(), Some(0));
            },
            says: &["Enrolled already; the baseline was kept", "20-site.toml: written"],
            also: |pc| lacks(&pc.baseline(), &["Li Wei"]),
            ..PLAIN
        },
        Case {
            name: "a setting by hand that would be overruled",
            stage: |pc| {
                south_1(pc);
                pc.configure("isonet.toml", "[contacts]\nbureau = { name = \"Bureau\", phone = \"by hand\" }\n");
            },
            says: &["isonet.toml: contacts.bureau.phone = \"by hand\"", "90-local.toml"],
            ..REFUSED
        },
        Case {
            name: "a setting by hand that comes after",
            stage: |pc| {
                south_1(pc);
                pc.configure("conf.d/90-local.toml", "[terminal]\nsite = \"by hand\"\n");
            },
            says: &["own setting holds", "conf.d/90-local.toml: terminal.site = \"by hand\""],
            also: |pc| lacks(&pc.text("conf.d/90-local.toml"), &["by hand"]),
            ..PLAIN
        },
        Case {
            name: "our file was changed by hand",
            stage: |pc| {
                south_1(pc);
                assert_eq!(pc.enroll(&[]).status.code(), Some(0));
                let changed = pc.text("conf.d/10-region.toml").replace("10000", "10001");
                pc.configure("conf.d/10-region.toml", &changed);
            },
            says: &["10-region.toml was not written by isonet, or was changed since", "90-local.toml"],
            ..REFUSED
        },
        Case {
            name: "a newer profile over ours",
            stage: |pc| {
                south_1(pc);
                assert_eq!(pc.enroll(&[]).status.code(), Some(0));
                pc.give("region.toml", REGION.replace("10000", "10086").as_bytes());
            },
            says: &["10-region.toml: updated", "20-site.toml: unchanged"],
            also: |pc| lacks(&pc.text("conf.d/10-region.toml"), &["10086"]),
            ..PLAIN
        },
        Case {
            name: "a dry run",
            stage: south_1,
            words: &["--show"],
            leaves: Leaves::Nothing,
            says: &["10-region.toml: would be written", "institution = \"P001\"", "phone = \"029-3\""],
            ..PLAIN
        },
    ]
}
