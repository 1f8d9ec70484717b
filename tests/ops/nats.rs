//! NATS: three servers by the kit's configuration, its streams, and who may what.

use crate::ground::{peers, run};

const SCRIPT: &str = r#"
# Loopback has room for three machines; a server takes an address of its own card for itself, so they have none there.
printf '127.0.0.1 localhost\n127.0.9.1 n1\n127.0.9.2 n2\n127.0.9.3 n3\n' >/srv/hosts
mount --bind /srv/hosts /etc/hosts
cp -r "$KIT" /srv/kit
cd /srv/kit
"$WORK/set-up"
# A terminal's key is its own affair: here it has a password in its place, and the same rights.
sed -i 's/{ nkey: [A-Z0-9]*,/{ user: P1, password: p1secret,/' /srv/isonet/nats/accounts.conf
export ISONET_ADMIN=admin-secret ISONET_READER=reader-secret ISONET_SYS=sys-secret CENTRE=tls://P1:p1secret@n1:7422
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
$JS.API.DIRECT.GET.ISONET.isonet.610102.P1.e
END
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
{\"stream\":\"ISONET\",\"seq\":1
{\"stream\":\"ISONET\",\"seq\":2
PONG
PONG
-ERR 'Permissions Violation for Publish to \"isonet.610102.P2.e\"'
-ERR 'Permissions Violation for Publish to \"$JS.API.STREAM.DELETE.ISONET\"'
-ERR 'Permissions Violation for Publish to \"$JS.API.STREAM.MSG.GET.ISONET\"'
two
-- nobody
-ERR 'Authorization Violation'
no certificate, no connection
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
