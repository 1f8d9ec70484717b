//! NATS: three servers by the kit's configuration, its streams, and who may what.

use crate::ground::{peers, run};

const SCRIPT: &str = r#"
# Loopback has room for three machines; a server takes an address of its own card for itself, so they have none there.
printf '127.0.0.1 localhost\n127.0.9.1 n1\n127.0.9.2 n2\n127.0.9.3 n3\n127.0.9.4 leaf1\n' >/srv/hosts
mount --bind /srv/hosts /etc/hosts
cp -r "$KIT" /srv/kit
cd /srv/kit
"$WORK/set-up"
# A terminal's key is its own affair: here it has a password in its place, and the same rights.
# P2 has one; this is the example in the documentation of NATS.
python3 - <<'END'
import re
path = "/srv/isonet/nats/accounts.conf"
text = open(path).read()
block = re.search(r"\{ nkey: .*?\} \}\n", text, re.S)[0]
first = re.sub("nkey: [A-Z0-9]*,", "user: P1, password: p1secret,", block)
second = re.sub("nkey: [A-Z0-9]*,", "nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4,", block).replace("P1", "P2")
open(path, "w").write(text.replace(block, first + second))
END
export ISONET_ADMIN=admin-secret ISONET_READER=reader-secret ISONET_SYS=sys-secret ISONET_LEAF=leaf-secret CENTRE=tls://leaf:leaf-secret@n1:7422
for conf in server leaf; do NODE=n1 nats-server -t -c "$KIT/nats/$conf.conf" 2>&1 | sed 's/.*\(is valid\).*/\1/'; done
node() {
    sed "s|0\.0\.0\.0|127.0.9.$2|; s|127.0.0.1:8222|127.0.9.$2:8222|; s|/srv/isonet/nats/store|/srv/isonet/nats/store$2|" "/srv/isonet/nats/$3" >"/srv/isonet/nats/$1.conf"
    NODE=$1 nats-server -c "/srv/isonet/nats/$1.conf" >"/srv/$1.log" 2>&1 &
    echo $! >"/srv/$1.pid"
}
for n in 1 2 3; do node "n$n" "$n" server.conf; done
apply() { python3 nats/apply n1:4222 /srv/isonet/nats/tls; }
becomes apply
apply
ask_nats() { python3 "$TESTS/nats_ask.py" "$@" | sed 's/"seq":\([0-9]*\).*/"seq":\1/'; }
echo "-- the terminal"
ask_nats n2 P1 p1secret <<'END'
isonet.610102.P1.e one
isonet.610102.P1.e two
-isonet-hb.610102.P1 old
-isonet-hb.610102.P1 new
-isonet.610102.P2.e forged
-$JS.API.STREAM.DELETE.ISONET
-$JS.API.STREAM.MSG.GET.ISONET {"seq":1}
END
# Any of the three may answer, and the last that is stored need not have come to it yet.
last() { ask_nats n2 P1 p1secret <<<'$JS.API.DIRECT.GET.ISONET.isonet.610102.P1.e'; }
last_is_two() { last | grep -qx two; }
becomes last_is_two
last | tail -n 1
echo "-- nobody"
ask_nats n2 P1 wrong </dev/null
python3 - <<'END' || echo "no certificate, no connection"
import socket, ssl
plain = socket.create_connection(("n1", 4222), 10)
while plain.recv(1) != b"\n":
    pass
line = ssl.create_default_context(cafile="/srv/isonet/nats/tls/ca.pem").wrap_socket(plain, server_hostname="n1")
line.sendall(b"PING\r\n")
line.recv(100)
import sys
sys.exit(0 if line.recv(100) else 1)
END
echo "-- a real terminal, to a server and by a leaf node"
mkdir /srv/agent
echo SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY >/srv/agent/creds
node leaf1 4 leaf.conf
becomes grep -q 'Leafnode connection created for account: ISONET' /srv/leaf1.log
admin() { python3 "$TESTS/nats_ask.py" n3 admin admin-secret <<<"$1" | tail -n 1; }
sink() {
    cat <<END
kind = "nats"
servers = ["tls://$1:4222"]
domain = "centre"
credentials = "/srv/agent/creds"
ca = "/srv/isonet/nats/tls/ca.pem"
client-cert = "/srv/isonet/nats/tls/P1.pem"
client-key = "/srv/isonet/nats/tls/P1.key"
END
}
pc one
for at in n2 leaf1; do
    sink $at | terminal P2 610102
    last=$(tail -qn 1 /srv/agent/state/spool/*.jsonl | tail -n 1)
    epoch=$(sed 's/.*"epoch":"\([^"]*\)","seq".*/\1/' <<<"$last")
    [ "$(admin "\$JS.API.DIRECT.GET.ISONET.isonet.610102.P2.$epoch")" = "$last" ]
    stored=$(admin '$JS.API.STREAM.INFO.ISONET {"subjects_filter":"isonet.610102.P2.>"}' | sed "s/.*P2.$epoch\":\([0-9]*\).*/\1/")
    [ "$stored" = "$(cat /srv/agent/state/spool/*.jsonl | wc -l)" ]
    admin '$JS.API.DIRECT.GET.ISONET-HB.isonet-hb.610102.P2' | grep -o '"goodbye":"signal"'
done
echo "-- its disk in another PC"
signed() { admin '$JS.API.DIRECT.GET.ISONET-HB.isonet-hb.610102.P2' | sed 's/.*"key":"\([0-9a-f]*\)".*/\1/'; }
first=$(signed)
pc two
sink n3 | terminal P2 610102
[ "$(signed)" != "$first" ]
sed -n 's/.*"event":"key-changed".*"from":"\([0-9a-f]*\)".*"reason":"\([a-z]*\)".*/\1 \2/p' /srv/agent/state/spool/*.jsonl | sed "s/$first/was the first,/"
admin '$JS.API.STREAM.INFO.ISONET {"subjects_filter":"isonet.610102.P2.>"}' | grep -o 'isonet.610102.P2.[0-9a-f-]*"' | wc -l
echo "-- under another's name, by the leaf node"
ask_nats leaf1 P1 p1secret <<'END'
-isonet.610102.P2.e forged
$JS.centre.API.DIRECT.GET.ISONET.isonet.610102.P1.e
END
echo "-- a server killed"
kill -9 "$(cat /srv/n1.pid)"
stored() { ask_nats n3 P1 p1secret <<<'isonet.610102.P1.e three' | grep -q '"seq":'; }
becomes stored
echo stored
echo "-- the reader"
ask_nats n2 reader reader-secret <<'END' | grep -o '"num_replicas":[0-9]*\|"discard":"[a-z]*"\|Permissions Violation.*'
$JS.API.STREAM.INFO.ISONET
-isonet.610102.P1.e forged
END
ask_nats n2 admin admin-secret <<'END' | tail -n 1
$JS.API.DIRECT.GET.ISONET-HB.isonet-hb.610102.P1
END
"#;

#[test]
fn three_servers_store_what_a_terminal_may_say_and_nothing_else() {
    let Some(peers) = peers() else { return };
    let dir = tempfile::tempdir().unwrap();
    let set_up = crate::guide::nats_block();
    std::fs::write(dir.path().join("set-up"), format!("#!/bin/sh\nset -eu\n{set_up}")).unwrap();
    let script =
        SCRIPT.replace("\"$WORK/set-up\"", "sh \"$WORK/set-up\"").replace("$TESTS", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ops"));
    let told = run(peers, dir.path(), &script);
    assert_eq!(
        told,
        "\
is valid
is valid
ISONET stream - made
ISONET-HB stream - made
store consumer - made
store consumer - made
-- the terminal
PONG
{\"stream\":\"ISONET\",\"domain\":\"centre\",\"seq\":1
{\"stream\":\"ISONET\",\"domain\":\"centre\",\"seq\":2
PONG
PONG
-ERR 'Permissions Violation for Publish to \"isonet.610102.P2.e\"'
-ERR 'Permissions Violation for Publish to \"$JS.API.STREAM.DELETE.ISONET\"'
-ERR 'Permissions Violation for Publish to \"$JS.API.STREAM.MSG.GET.ISONET\"'
two
-- nobody
-ERR 'Authorization Violation'
no certificate, no connection
-- a real terminal, to a server and by a leaf node
Sink centre (nats): connected
\"goodbye\":\"signal\"
Sink centre (nats): connected
\"goodbye\":\"signal\"
-- its disk in another PC
Sink centre (nats): connected
was the first, cloned
2
-- under another's name, by the leaf node
PONG
-ERR 'Permissions Violation for Publish to \"isonet.610102.P2.e\"'
two
-- a server killed
stored
-- the reader
\"discard\":\"new\"
\"num_replicas\":3
Permissions Violation for Publish to \"isonet.610102.P1.e\"'
new
"
    );
}
