# shellcheck shell=bash
# What each script begins with: what a Debian has and these namespaces have not, and how to wait.
set -euo pipefail
ip link set lo up
mount -t tmpfs tmpfs /srv
mount -t tmpfs tmpfs /run
# Alertmanager's templates are looked for where its package has them.
mount -t overlay overlay -o "lowerdir=$PEERS/usr/share:/usr/share" /usr/share
export PATH="$PEERS/bin:$PATH:/usr/sbin:/sbin" LC_ALL=C.UTF-8
export -n LD_LIBRARY_PATH
# becomes COMMAND...: waits for it, 25 s at most.
becomes() {
    for _ in $(seq 250); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
    echo "waited in vain for: $*" >&2
    tail -n 20 /srv/*.log /srv/isonet/*.log >&2 || true
    return 1
}
listens() { ss -Hltn "sport = :$1" | grep -q .; }
# A PostgreSQL of Debian's, which lets everybody in; it does not run as root.
postgresql() {
    mkdir -p /run/postgresql
    unshare --map-user=1000 initdb -D /srv/data -U postgres --no-sync -A trust >/srv/initdb.log
    unshare --map-user=1000 pg_ctl -D /srv/data -o "-c unix_socket_directories=/run/postgresql -c fsync=off" -l /srv/postgresql.log -w start >/dev/null
    export PGHOST=/run/postgresql PGUSER=postgres
}
# Whoever this is may do all of it here.
sudo() { if [ "$1" = -u ]; then shift 2; fi; "$@"; }
# The answer of a database, columns parted by |.
ask() { psql -d isonet -AtX -c "$1"; }
# terminal ID REGION: a real one ships to the sink that the standard input describes, until all is taken, and says goodbye.
terminal() {
    mkdir -p /srv/agent
    {
        printf 'state-dir = "/srv/agent/state"\nrun-dir = "/srv/agent/run"\n[terminal]\nid = "%s"\nregion = "%s"\n' "$1" "$2"
        printf '[[sink]]\nname = "centre"\nretry = { first = "1s", longest = "2s" }\n'
        cat
    } >/srv/agent/isonet.toml
    "$ISONET" --config /srv/agent/isonet.toml run >>/srv/agent.log 2>&1 &
    local agent=$!
    becomes shipped
    "$ISONET" --config /srv/agent/isonet.toml --lang en status | grep -o 'Sink centre .*: connected'
    kill "$agent"
    wait "$agent"
}
# It has shipped all, and nothing is to be said of the receiver.
shipped() {
    "$ISONET" --config /srv/agent/isonet.toml status --json >/srv/status.log
    python3 -c '
import json, sys
sink = json.load(open("/srv/status.log"))["agent"]["sinks"][0]
sys.exit(not (sink["connected"] and sink["waiting"] == 0 and sink["trouble"] is None and sink["lacks"] is None))'
}
# pc SERIAL: from now on this is a machine with that disk, and with nothing else that has a number.
pc() {
    for place in /sys/block /sys/class/dmi /sys/class/net; do [ ! -d "$place" ] || mount -t tmpfs tmpfs "$place"; done
    mkdir -p /sys/block/sda/device
    echo 0 >/sys/block/sda/removable
    echo "$1" >/sys/block/sda/device/serial
}
