//! The guide, as it stands: every block of it that is marked `sh`, in order, against the real programs; and what has to be there then.

use crate::ground::{has_nft, kit, peers, run};
use crate::terminal::Terminal;
use std::fmt::Write as _;

/// The blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    let fence = format!("```{language}\n");
    while let Some((_, after)) = rest.split_once(&fence) {
        let (block, after) = after.split_once("```\n").unwrap();
        found.push(block.to_owned());
        rest = after;
    }
    found
}

fn guide(name: &str) -> String {
    std::fs::read_to_string(kit().join(name)).unwrap()
}

/// The last block: what is done before the servers are started.
pub fn nats_block() -> String {
    blocks(&guide("README.md"), "sh").pop().unwrap()
}

#[test]
fn both_guides_have_the_same_commands() {
    let (english, chinese) = (guide("README.md"), guide("README.zh-CN.md"));
    for language in ["sh", "toml", "text"] {
        assert_eq!(blocks(&english, language), blocks(&chinese, language), "{language}");
    }
}

/// What has to be so after each block.
const AFTER: [&str; 7] = [
    "becomes listens 6514",
    r#"
arrived() { [ "$(cat /srv/isonet/records/*/610102.jsonl | wc -l)" = "$(wc -l <records.jsonl)" ]; }
becomes arrived
cmp records.jsonl /srv/isonet/records/*/610102.jsonl
awk '$3 == "P1" && $6 == 1' /srv/isonet/records/*/610102.received | wc -l | cmp - <(wc -l <records.jsonl)"#,
    "",
    "nft list table inet isonet_receiver | grep 'burst 1000 packets' >/dev/null",
    r#"
records=$(wc -l <records.jsonl)
[ "$(ask 'select count(*) from isonet.records')" = "$records" ]
[ "$(awk '$6 == 2' /srv/isonet/records/*/610102.received | wc -l)" = "$records" ]
[ "$(ask 'select terminal, code from isonet.open_incidents')" = 'P1|line.down' ]
[ -z "$(ask 'select * from isonet.chain_breaks')" ]
[ -z "$(ask 'select * from isonet.refused')" ]
# The database was away, and signs of life come by rsyslog alone.
unshare --map-user=1000 pg_ctl -D /srv/data -m immediate stop >/dev/null
sh syslog/try 127.0.0.1:6514 /srv/isonet/tls P1 "$WORK/beat.jsonl"
sh syslog/try 127.0.0.1:6514 /srv/isonet/tls P1 "$WORK/more.jsonl"
postgresql_again
heard() { [ "$(ask "select state from isonet.terminals where terminal = 'P1'")" = heard ]; }
becomes heard
more() { [ "$(ask "select count(*) from isonet.records")" = $((records + 1)) ]; }
becomes more
[ -z "$(cat /srv/isonet/records/*/*.jsonl | grep heartbeat/1)" ]"#,
    // Waits are shortened once the files as they are have passed.
    "sed -i 's/: 30s/: 1s/; s/for: .*m$/for: 0s/; s/group_wait: .*/group_wait: 1s/' /srv/isonet/*.yml",
    r#"
# 500 silent terminals in ten regions, and as many that are heard; twice as many an hour later would be told ten minutes later.
psql -d isonet -1qAtXo /dev/null -f "$WORK/fleet.sql"
echo "fleet after $SECONDS s" >&2
told() { grep -q "\"about\":\"$1\"" /srv/told; }
becomes told outage
echo "told after $SECONDS s" >&2
# A second notification has no business before that of something else, which comes later.
ask "update isonet.records set raw = replace(raw, 'incident/1', 'Incident/1') where seq = 1" >/dev/null
becomes told records
python3 - <<'END'
import json
told = [json.loads(line) for line in open("/srv/told") if line.strip()]
outages = [each for each in told if each["commonLabels"].get("about") == "outage"]
print(len(outages), "notification:", ", ".join(sorted({alert["labels"]["alertname"] for alert in outages[0]["alerts"]})))
print(sorted(alert["labels"].get("region", "") for alert in outages[0]["alerts"]))
END
series=$(curl -s http://127.0.0.1:9237/metrics | grep -c '^sql_isonet_')
echo "series: $([ "$series" -lt 200 ] && echo few) for $(ask 'select count(*) from isonet.terminals') terminals""#,
];

/// Where the guide is, with what it takes for granted.
const BEGIN: &str = r#"
postgresql
postgresql_again() { unshare --map-user=1000 pg_ctl -D /srv/data -o "-c unix_socket_directories=/run/postgresql -c fsync=off" -l /srv/postgresql.log -w start >/dev/null; }
cp -r "$KIT" /srv/kit
cd /srv/kit
cp "$WORK/records.jsonl" .
PATH=$PATH:$(dirname "$ISONET")
python3 "$WORK/hook.py" &
"#;

/// Writes down what Alertmanager tells.
const HOOK: &str = r#"
import http.server
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"]))
        with open("/srv/told", "ab") as told:
            told.write(text + b"\n")
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
http.server.HTTPServer(("127.0.0.1", 9099), Hook).serve_forever()
"#;

#[test]
fn the_guide_leads_to_a_receiver_and_five_hundred_silent_terminals_are_one_notification() {
    let Some(peers) = peers().filter(|_| has_nft()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let work = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let mut terminal = Terminal::new("P1", "610102", "telecom");
    terminal.card.site = Some("it's \"2\" 号柜台 %d \\ ]".to_owned());
    terminal.day();
    let opened = terminal.opens();
    terminal.resolves(opened).opens();
    let sent = terminal.lines.len();
    work("records.jsonl", &(terminal.lines.join("\n") + "\n"));
    work("beat.jsonl", &(terminal.beat(None) + "\n"));
    terminal.day();
    work("more.jsonl", &(terminal.lines[sent].clone() + "\n"));
    work("hook.py", HOOK);
    let mut fleet = String::new();
    for n in 0..1000 {
        let terminal = Terminal::new(&format!("f{n}"), &format!("r{}", n % 10), if n % 3 == 0 { "unicom" } else { "telecom" });
        writeln!(fleet, "select isonet.take('{}');", terminal.beat(None).replace('\'', "''")).unwrap();
    }
    fleet += "update isonet.heartbeats set received = received - interval '20 minutes' where terminal like 'f%' and substr(terminal, 2)::int < 500;\n";
    work("fleet.sql", &fleet);

    let commands = blocks(&guide("README.md"), "sh");
    let mut script = BEGIN.to_owned();
    for (block, after) in commands.iter().zip(AFTER) {
        writeln!(script, "{block}\n{after}\necho \"after $SECONDS s\" >&2").unwrap();
    }
    assert_eq!(commands.len(), AFTER.len() + 1, "the last sets up NATS, which has a test of its own");
    let told = run(peers, dir.path(), &script);
    assert!(told.ends_with("series: few for 1001 terminals\n"), "{told}");
    assert!(told.contains("\n1 notification: IsonetOperatorSilent, IsonetRegionSilent\n"), "{told}");
}

#[test]
fn what_the_guide_says_of_a_terminals_configuration_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let text = blocks(&guide("README.md"), "toml").concat();
    let file = dir.path().join("isonet.toml");
    std::fs::write(&file, text).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_isonet")).args(["check-config", "--start"]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
