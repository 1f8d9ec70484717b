//! `ClickHouse`, as a library: the same lines as `PostgreSQL` gets, and the same answers.

use crate::ground::{peers, run};
use crate::planted::planted;

#[test]
fn clickhouse_finds_what_is_wrong_with_chains_too() {
    let Some(peers) = peers() else { return };
    let dir = tempfile::tempdir().unwrap();
    // It has no way to change what is there, so that this one comes changed.
    let altered = planted().lines().fold(String::new(), |text, line| {
        let change = line.contains("\"id\":\"altered\"") && line.contains("\"seq\":2,");
        text + &if change { line.replace("started", "Started") } else { line.to_owned() } + "\n"
    });
    std::fs::write(dir.path().join("all"), altered).unwrap();
    let told = run(
        peers,
        dir.path(),
        r#"
python3 tests/ops/chdb_run.py "$KIT/clickhouse/schema.sql" "$WORK/all" \
    "select count() from isonet.records final where terminal = 'well'" \
    "select distinct terminal, seq, what from isonet.chain_breaks where (terminal, what) != ('late', 'unchained') order by terminal, seq, what" \
    "select terminal, code, severity, region, line from isonet.open_incidents" \
    "select terminal, state from isonet.terminals order by terminal" \
    "select region, line, code, terminals from isonet.outages"
"#,
    );
    // It does not look at what a gap ended in; the rest is as PostgreSQL has it. Which of two contents under one number it keeps is chance, and so
    // is whether the next record continues that one.
    let expected = "\
14
altered 2 altered
anew 3 head
forged 3 unchained
half 5 missing
heads 2 conflict
heads 2 head
late 2 conflict
missing 4 missing
missing 6 missing
open line.down critical 610102 telecom
anew heard
behind heard
heads heard
well heard
610102 telecom line.down 3
";
    assert_eq!(told.replace('\t', " "), expected);
}
