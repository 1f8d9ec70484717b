//! A PC that dials up its line by itself, and one that does not: a card with a signal and no address in both.

use crate::ground::{Ground, causes};
use std::fs;

const BARE_CARD: &str = "ip link set lo up\nip link add eth0 type veth peer name far0\nip link set eth0 up\nip link set far0 up\n\
    for card in eth0 far0; do ip -6 address flush dev $card; done";

/// With this file in the place of `/etc/ppp/peers/line`, seen by the diagnosis alone.
fn with_peers(text: Option<&str>) -> Option<serde_json::Value> {
    let ground = Ground::apart(BARE_CARD)?;
    ground.configure("[[centre]]\nname = \"settle\"\nhost = \"10.66.0.9\"\ntcp = [443]\n");
    let etc = ground.path("etc");
    fs::create_dir(&etc).unwrap();
    for (name, text) in [("resolv.conf", "nameserver 10.66.0.53\n"), ("hosts", "127.0.0.1 localhost\n")] {
        fs::write(etc.join(name), text).unwrap();
    }
    if let Some(text) = text {
        ground.write("etc/ppp/peers/line", text);
    }
    let ran = ground.then(&format!("mount --bind {} /etc", etc.display()));
    let ran = ran.run("diagnose --json --deadline 2s");
    ran.assert_no_panic();
    Some(ran.diagnosis())
}

fn certainty(diagnosis: &serde_json::Value, nth: usize) -> &str {
    diagnosis["verdicts"][nth]["certainty"].as_str().unwrap()
}

#[test]
fn where_a_dial_up_is_set_up_the_line_is_as_likely_as_the_address() {
    let Some(diagnosis) = with_peers(Some("# the shop's line\nnoipdefault\nplugin rp-pppoe.so eth0\nuser \"secret\"\n")) else { return };
    assert_eq!(causes(&diagnosis), ["addr.none", "line.down"], "{diagnosis:#}");
    assert_eq!((certainty(&diagnosis, 0), certainty(&diagnosis, 1)), ("likely", "likely"), "{diagnosis:#}");
    let text = diagnosis.to_string();
    assert!(text.contains("/etc/ppp/peers/line") && !text.contains("secret"), "{diagnosis:#}");
}

#[test]
fn where_none_is_a_missing_address_is_proven() {
    for text in [None, Some("connect \"/usr/sbin/chat -v -f provider\"\n/dev/modem\n")] {
        let Some(diagnosis) = with_peers(text) else { return };
        assert_eq!((causes(&diagnosis), certainty(&diagnosis, 0)), (vec!["addr.none"], "proven"), "{diagnosis:#}");
    }
}
