//! The receivers of syslog: what arrives is on disk as it was sent, by either program, from a real terminal as well; who has no certificate gets nothing in; a herd is kept out.

use crate::ground::{has_nft, peers, run};
use crate::terminal::Terminal;

/// Two terminals, one of which names a region that leads out of the directory.
fn records() -> (String, String) {
    let mut terminal = Terminal::new("P1", "610102", "telecom");
    terminal.card.site = Some("it's \"2\" 号柜台 %d \\ ] \0".to_owned());
    terminal.day().opens();
    let mut hostile = Terminal::new("P2", "../../../etc/x", "telecom");
    hostile.day();
    (terminal.lines.join("\n") + "\n", hostile.lines.join("\n") + "\n")
}

/// With `receiver` and `stop` defined: sends, stops it in good order, sends again, and looks.
const SCRIPT: &str = r#"
"$KIT/tls/make" /srv/isonet/tls 127.0.0.1 P1 P2
"$KIT/tls/make" /srv/other 127.0.0.1 P1
mkdir -p /srv/isonet/queue
cp "$KIT/syslog/no-database.conf" /srv/isonet/database.conf
receiver
becomes listens 6514
try() { "$KIT/syslog/try" 127.0.0.1:6514 "$@" 2>>/srv/try.log; }
try /srv/isonet/tls P1 "$WORK/p1"
try /srv/isonet/tls P2 "$WORK/p2"
# Of another authority, and with none: nothing comes in.
cp /srv/isonet/tls/ca.pem /srv/other/ca.pem
try /srv/other P1 "$WORK/p1" || true
{ cat "$WORK/frame"; sleep 1; } | openssl s_client -quiet -no_ign_eof -connect 127.0.0.1:6514 -CAfile /srv/isonet/tls/ca.pem 2>>/srv/try.log || true
stop
receiver
becomes listens 6514
try /srv/isonet/tls P1 "$WORK/p1" 2
terminal P3 610103 <<'END'
kind = "syslog"
address = "127.0.0.1:6514"
ca = "/srv/isonet/tls/ca.pem"
client-cert = "/srv/isonet/tls/P1.pem"
client-key = "/srv/isonet/tls/P1.key"
END
stop
cd /srv/isonet/records/*/
cat "$WORK/p1" "$WORK/p1" | cmp - 610102.jsonl
cat /srv/agent/state/spool/*.jsonl | cmp - 610103.jsonl
cut -d' ' -f3 610103.received | uniq
cut -d' ' -f3,6 610102.received | sort | uniq -c | sed 's/^ *//'
find /srv -path /srv/agent -prune -o -type f '(' -name '*.jsonl' -o -name other ')' -print | sed 's|.*/||; s|^[._]*etc_x|etc_x|' | sort | tr '\n' ' ' 
find . -name '*x.jsonl' -exec cmp {} "$WORK/p2" ';'
[ "$(stat -c %a 610102.jsonl)" = 640 ]
"#;

fn both_ways(receiver: &str) {
    let Some(peers) = peers() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (p1, p2) = records();
    let count = p1.lines().count();
    std::fs::write(dir.path().join("p1"), p1).unwrap();
    std::fs::write(dir.path().join("p2"), p2).unwrap();
    let message = "<134>1 - P1 isonet - record - {\"terminal\":{\"region\":\"none\"}}";
    std::fs::write(dir.path().join("frame"), format!("{} {message}", message.len())).unwrap();
    let stop = "stop() { kill \"$pid\"; wait \"$pid\" || true; }\n";
    let told = run(peers, dir.path(), &format!("receiver() {{ {receiver} >>/srv/receiver.log 2>&1 & pid=$!; }}\n{stop}{SCRIPT}"));
    assert_eq!(told, format!("Sink centre (syslog): connected\nP3\n{count} P1 1\n{count} P1 2\n610102.jsonl 610103.jsonl etc_x.jsonl "));
}

#[test]
fn rsyslog_has_on_disk_what_was_sent_as_it_was_sent() {
    both_ways("rsyslogd -n -i /srv/pid -f \"$KIT/syslog/rsyslog.conf\"");
}

#[test]
fn syslog_ng_has_on_disk_what_was_sent_as_it_was_sent() {
    both_ways("syslog-ng -F -f \"$KIT/syslog/syslog-ng.conf\" -R /srv/persist -c /srv/control -p /srv/pid");
}

#[test]
fn a_herd_is_kept_out_at_the_door() {
    let Some(peers) = peers().filter(|_| has_nft()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let told = run(
        peers,
        dir.path(),
        r#"
nft -f "$KIT/syslog/nftables.conf"
nft -f "$KIT/syslog/nftables.conf"
ulimit -n 8192
python3 - <<'END'
import select, socket
door = socket.create_server(("127.0.0.1", 6514), backlog=4096)
herd = []
for _ in range(3000):
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex(("127.0.0.1", 6514))
    herd.append(one)
poll = select.poll()
for one in herd:
    poll.register(one, select.POLLOUT)
inside = sum(1 for _, event in poll.poll(100) if event == select.POLLOUT)
print("all" if inside == len(herd) else "none" if inside == 0 else "some: %s" % (1000 <= inside < 2500))
END
nft list table inet isonet_receiver | grep -c 'packets 0 '
"#
        .replace("grep -c 'packets 0 '", "grep -c 'counter packets [1-9]'")
        .as_str(),
    );
    assert_eq!(told, "some: True\n1\n");
}

#[test]
fn rsyslog_tails_the_spools_own_files_through_a_restart() {
    let Some(peers) = peers() else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("p1"), records().0).unwrap();
    run(
        peers,
        dir.path(),
        r#"
mkdir -p /srv/spool /srv/isonet /srv/work
sed 's|/var/lib/isonet/spool|/srv/spool|; s|/var/spool/rsyslog|/srv/work|' "$KIT/tail/rsyslog-imfile.conf" >/srv/tail.conf
rsyslogd -N1 -f /srv/tail.conf
tail_it() { rsyslogd -n -i /srv/pid -f /srv/tail.conf >>/srv/tail.log 2>&1 & pid=$!; }
has() { [ "$(wc -l </srv/isonet/tailed.jsonl)" = "$1" ]; }
head -n 4 "$WORK/p1" >/srv/spool/e-1.jsonl
tail_it
becomes has 4
sed -n '5,6p' "$WORK/p1" >>/srv/spool/e-1.jsonl
becomes has 6
kill "$pid"; wait "$pid" || true
sed -n '7,8p' "$WORK/p1" >>/srv/spool/e-1.jsonl
tail -n +9 "$WORK/p1" >/srv/spool/e-9.jsonl
tail_it
becomes has "$(wc -l <"$WORK/p1")"
kill "$pid"; wait "$pid" || true
sort /srv/isonet/tailed.jsonl | cmp - <(sort "$WORK/p1")
"#,
    );
}
