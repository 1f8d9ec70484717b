//! Every file of the kit: what it says of itself, and its form.

use crate::ground::{kit, peers, run};
use std::fmt::Write as _;
use std::path::PathBuf;

fn all() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(kit()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    folders.flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()).collect()
}

#[test]
fn each_says_in_its_first_lines_whether_it_was_executed() {
    for path in all() {
        let text = std::fs::read_to_string(&path).unwrap();
        let head: String = text.lines().take(8).collect::<Vec<_>>().join(" ").to_lowercase();
        let name = path.display();
        // A list of requests has no room for words.
        let said = head.contains("executed by tests/ops") || head.contains("not executed here") || path.ends_with("nats/streams.json");
        assert!(said, "{name}");
        if path.extension().is_some_and(|extension| extension == "json") {
            let _: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        if path.extension().is_some_and(|extension| extension == "toml") {
            let _: toml::Table = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[test]
fn each_question_of_the_dashboard_is_one_that_can_be_asked() {
    let Some(peers) = peers() else { return };
    let dir = tempfile::tempdir().unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(kit().join("grafana/isonet.json")).unwrap()).unwrap();
    let targets = || dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let sql: Vec<_> = targets().filter_map(|target| target["rawSql"].as_str()).map(|sql| format!("{sql};\n")).collect();
    let series: Vec<_> = targets().filter_map(|target| target["expr"].as_str()).collect();
    assert!(sql.len() >= 5 && series.len() >= 5);
    std::fs::write(dir.path().join("sql"), sql.concat()).unwrap();
    let mut rules = "groups:\n- name: x\n  rules:\n".to_owned();
    for expr in series {
        writeln!(rules, "  - {{ record: x, expr: '{expr}' }}").unwrap();
    }
    std::fs::write(dir.path().join("rules.yml"), rules).unwrap();
    run(
        peers,
        dir.path(),
        r#"
postgresql
createdb isonet
psql -d isonet -qX -f "$KIT/postgresql/schema.sql" -f "$KIT/postgresql/views.sql"
psql -U isonet_read -d isonet -qX -v ON_ERROR_STOP=1 -f "$WORK/sql" >/dev/null
promtool check rules --lint=none "$WORK/rules.yml"
"#,
    );
}
