//! `PostgreSQL`: each view finds exactly what was planted, and nothing of the healthy.

use crate::ground::{peers, run};
use crate::planted::planted;
use crate::terminal::Terminal;
use isonet::model::Goodbye;
use std::fmt::Write as _;

/// All of the database, then the questions.
const BEGIN: &str = r#"
postgresql
createdb isonet
psql -d isonet -qX -f "$KIT/postgresql/schema.sql" -f "$KIT/postgresql/views.sql"
take() { psql -d isonet -AtqX -v file="$1" -f "$KIT/postgresql/load.sql"; }
"#;

#[test]
fn what_is_wrong_with_chains_is_found_and_nothing_else() {
    let Some(peers) = peers() else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("all"), planted()).unwrap();
    let told = run(
        peers,
        dir.path(),
        &(BEGIN.to_owned()
            + r#"
take "$WORK/all" >"$WORK/taken"
ask "update isonet.records set raw = replace(raw, 'started', 'Started') where terminal = 'altered' and seq = 2" >/dev/null
ask "update isonet.records set received = received - interval '1 hour'" >/dev/null
echo "taken $(tr '\n' ' ' <"$WORK/taken")"
echo "well $(ask "select count(*) from isonet.records where terminal = 'well'")"
ask "select 'break', terminal, seq, what, detail from isonet.chain_breaks order by 2, 3, 4"
ask "select 'open', terminal, code, severity, region, line from isonet.open_incidents order by 2"
ask "select 'behind', terminal, records from isonet.behind"
ask "select 'lost', count(*) from isonet.refused where raw in ('no JSON', '[1]')"
# Whoever feeds cannot change; whoever looks cannot feed.
if psql -U isonet_write -d isonet -qXc "delete from isonet.records" 2>/dev/null; then exit 1; fi
if psql -U isonet_read -d isonet -qXc "select isonet.take('x')" 2>/dev/null; then exit 1; fi
psql -U isonet_write -d isonet -AtXc "select isonet.take('{}')"
psql -U isonet_read -d isonet -AtXc "select count(*) > 10 from isonet.chain_breaks"
"#),
    );
    let expected = "\
taken completed|1 conflict|2 heartbeat|5 known|17 new|44 refused|4 
well 14
break|altered|2|altered|the hash does not fit the content
break|anew|3|head|the terminal named another hash in a sign of life
break|bridged|4|unchained|prev_hash is not what the gap before it ended in
break|forged|3|unchained|prev_hash is not the hash of the record before
break|half|5|missing|{[1,2)}
break|heads|2|conflict|head came again with another content
break|late|2|conflict|record came again with another content
break|missing|4|missing|{[2,4)}
break|missing|6|missing|{[5,6)}
open|open|line.down|critical|610102|telecom
behind|behind|2
lost|2
refused
";
    assert_eq!(told.replace("\nf\n", "\n"), expected);
}

#[test]
fn silence_shows_by_region_line_and_gateway_and_a_goodbye_is_none() {
    let Some(peers) = peers() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut sql = String::new();
    let mut group = |region: &str, line: &str, peer: &str, heard: usize, silent: usize, closed: usize| {
        for n in 0..heard + silent + closed {
            let terminal = Terminal::new(&format!("{region}-{line}-{n}"), region, line);
            let bye = (n >= heard + silent).then_some(Goodbye::Signal);
            writeln!(sql, "select isonet.take('{}', '{peer}');", terminal.beat(bye).replace('\'', "''")).unwrap();
            if n >= heard {
                let id = terminal.card.id.unwrap();
                writeln!(sql, "update isonet.heartbeats set received = received - interval '20 minutes' where terminal = '{id}';").unwrap();
            }
        }
    };
    // Well; a tenth is silent; one line of two; closed for the night; all of a region; by a gateway of its own.
    group("well", "telecom", "10.1.0.1", 10, 0, 0);
    group("tenth", "telecom", "10.1.0.1", 90, 10, 0);
    group("half", "telecom", "10.1.0.1", 30, 0, 0);
    group("half", "unicom", "10.1.0.1", 0, 10, 0);
    group("night", "telecom", "10.1.0.1", 2, 0, 40);
    group("out", "telecom", "10.2.0.1", 0, 20, 5);
    group("few", "telecom", "10.1.0.1", 0, 2, 0);
    std::fs::write(dir.path().join("sql"), sql).unwrap();
    let told = run(
        peers,
        dir.path(),
        &(BEGIN.to_owned()
            + r#"
ask "insert into isonet.gateways values ('10.0.0.0/8', 'g0'), ('10.2.0.0/16', 'g2')" >/dev/null
psql -d isonet -1qAtXo /dev/null -f "$WORK/sql"
ask "update isonet.heartbeats set received = received - interval '8 days' where terminal = 'tenth-telecom-99'" >/dev/null
ask "select region, line, gateway, heard, silent, closed from isonet.groups order by 1, 2"
ask "select 'out', scope, region, line, gateway, silent, expected, date_trunc('minute', now() - since) from isonet.outages_now order by 2, 3, 4, 5"
ask "select 'silent', count(*), min(silent_for) > interval '19 minutes' from isonet.silent_terminals"
"#),
    );
    assert_eq!(
        told,
        "\
few|telecom|g0|0|2|0
half|telecom|g0|30|0|0
half|unicom|g0|0|10|0
night|telecom|g0|2|0|40
out|telecom|g2|0|20|5
tenth|telecom|g0|90|9|0
well|telecom|g0|10|0|0
out|gateway|||g2|20|20|00:20:00
out|line||unicom||10|10|00:20:00
out|line in region|half|unicom||10|10|00:20:00
out|line in region|out|telecom||20|20|00:20:00
out|region|out|||20|20|00:20:00
silent|41|t
"
    );
}
