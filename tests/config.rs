//! The configuration from the outside: the shipped file, merging, and every problem at once with its place.

use isonet::catalogue::Lang;
use isonet::config::schema::{Key, Kind, ROOT};
use isonet::config::{Config, ConfigError, LoadNote, Located, Problem, load_from, parse, render_error};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

const SHIPPED: &str = include_str!("../config/isonet.toml");

fn one(text: &str) -> Result<Config, Vec<Located>> {
    files(&[("isonet.toml", text)])
}

fn files(texts: &[(&str, &str)]) -> Result<Config, Vec<Located>> {
    match parse(texts.iter().map(|(name, text)| (PathBuf::from(name), text.as_bytes().to_vec())).collect()) {
        Ok(config) => Ok(config),
        Err(ConfigError::Invalid(problems)) => Err(problems),
        Err(other) => panic!("{other}"),
    }
}

fn problems(text: &str) -> Vec<Located> {
    one(text).expect_err("problems")
}

/// Where and what: `line:column key problem`.
fn told(problems: &[Located]) -> Vec<String> {
    problems.iter().map(|p| format!("{}:{} {} {:?}", p.line, p.column, p.key, p.problem)).collect()
}

/// Example lines (a hash sign followed at once by a key, a table or the inside of a list) without their sign.
fn uncommented() -> String {
    let example = |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ') || rest.starts_with("  {")).map(str::to_owned);
    SHIPPED.lines().map(|line| example(line).unwrap_or_else(|| line.to_owned())).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shipped_file_parses_to_the_defaults() {
    assert_eq!(one(SHIPPED), Ok(Config::default()));
    assert_eq!(one(""), Ok(Config::default()));
}

#[test]
fn the_shipped_file_is_valid_when_every_example_counts() {
    let config = match parse(vec![("isonet.toml".into(), uncommented().into_bytes())]) {
        Ok(config) => config,
        Err(error) => panic!("{}", render_error(&error, Lang::En)),
    };
    assert_eq!(config.vpns.len(), 1);
    assert_eq!(config.sinks.len(), 3);
    assert_eq!(config.contacts.of.len(), 7);
    assert_eq!(config.centres[0].via.as_deref(), Some("centre"));
    // The examples of values that have a default show that default.
    let default = Config::default();
    assert_eq!(config.probe, default.probe);
    assert_eq!(config.clock, default.clock);
    assert_eq!(config.retention, default.retention);
    assert_eq!(config.web, default.web);
    assert_eq!(config.isolation.anchors, default.isolation.anchors);
    assert_eq!(config.isolation.controls, default.isolation.controls);
    assert_eq!(config.dns.slow, default.dns.slow);
}

#[test]
fn the_shipped_file_explains_each_example_in_both_languages() {
    let chinese = |line: &str| line.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    let lines: Vec<&str> = SHIPPED.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        let is_key = line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        if is_key {
            assert!(lines[i - 2].starts_with("# ") && chinese(lines[i - 2]), "no Chinese before: {line}");
            assert!(lines[i - 1].starts_with("# ") && !chinese(lines[i - 1]), "no English before: {line}");
        }
    }
}

/// Every key of these tables is somewhere in the value.
fn look(keys: &[Key], value: &toml::Value, path: &str) {
    for key in keys {
        let tables: Vec<&toml::Value> = match value {
            toml::Value::Array(items) => items.iter().collect(),
            other => vec![other],
        };
        let below = tables.iter().find_map(|table| table.get(key.name)).unwrap_or_else(|| panic!("{path}.{} is not shown", key.name));
        match key.kind {
            Kind::Table(inner) | Kind::Tables(inner, _) => look(inner, below, &format!("{path}.{}", key.name)),
            Kind::Variants(variants) => variants.iter().for_each(|variant| look(variant.keys, below, variant.kind)),
            _ => {}
        }
    }
}

#[test]
fn the_shipped_file_shows_every_key_there_is() {
    let shown: toml::Table = uncommented().parse().expect("valid");
    look(ROOT, &toml::Value::Table(shown), "");
}

#[test]
fn all_problems_come_at_once_with_their_places() {
    let text = r#"langauge = "de"
[network]
allowed-prefixes = ["10.0.0.1/8", "10.1.0.0/16", "x"]
[[vpn]]
name = "中心"
kind = "openpvn"
[[centre]]
name = "settlement"
host = "settle.example"
via = "other"
tls = { port = 0 }
http = { url = "ftp://x/", slow = "5s" }
[probe]
timeout = 2
"#;
    let found = told(&problems(text));
    let expected = [
        "1:1 langauge UnknownKey",
        "3:21 network.allowed-prefixes[#1] HostBits",
        "3:50 network.allowed-prefixes[#3] BadValue",
        "4:1 vpn[中心] Missing",
        "6:8 vpn[中心].kind BadValue",
        "10:7 centre[settlement].via UnknownVpn",
        "11:16 centre[settlement].tls.port BadValue",
        "12:16 centre[settlement].http.url Scheme",
        "14:11 probe.timeout BadValue",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found} is not {expected}");
    }
}

#[test]
fn problems_read_well_in_both_languages() {
    let text = "[terminal]\nname = \"第三药店\"; site = 2\n";
    let text2 = "[terminal]\nid = \"a b\"\nkind = \"药店\" # 店\n[web]\ninterval = \"1s\"\n[isolation]\nmode = \"periodic\"\n";
    let mut shown = String::new();
    for text in [text, text2] {
        let error = parse(vec![("/etc/isonet/isonet.toml".into(), text.as_bytes().to_vec())]).expect_err("problems");
        for lang in Lang::ALL {
            shown += &render_error(&error, lang);
            shown += "\n\n";
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn each_rule_between_values_is_told() {
    let cases = [
        (
            "[[maintenance]]\nfrom = \"2026-12-02T00:00:00+08:00\"\nto = \"2026-12-01T00:00:00+08:00\"\n",
            "3:6 maintenance[#1].to WindowReversed",
        ),
        ("[isolation]\nmode = \"periodic\"\napproved-by = \"x\"\n", "2:8 isolation.mode NotApproved([\"approval-no\"])"),
        ("[dns]\nslow = \"2s\"\n", "2:8 dns.slow SlowNotBelowTimeout"),
        ("[probe]\ntimeout = \"500ms\"\n", "2:11 probe.timeout SlowNotBelowTimeout"),
        ("[[centre]]\nname = \"a\"\nhost = \"b\"\ntls = { client-key = \"/k\" }\n", "4:9 centre[a].tls.client-key LacksPartner"),
        ("[[vpn]]\nname = \"a\"\ninterface = \"x\"\n[[vpn]]\nname = \"a\"\ninterface = \"y\"\n", "5:8 vpn[a] DuplicateName"),
        ("[[centre]]\nname = \"local\"\nhost = \"b\"\n", "2:8 centre[local].name ReservedName"),
        ("[[vpn]]\ninterface = \"x\"\n", "1:1 vpn[#1] Missing"),
        ("[[sink]]\nname = \"a\"\nkind = \"journal\"\nservers = []\n", "4:1 sink[a].servers NotForKind"),
        ("[[sink]]\nname = \"a\"\n", "1:1 sink[a] Missing { key: \"kind\""),
        ("[[sink]]\nname = \"a\"\nkind = \"file\"\n", "3:8 sink[a].kind BadValue"),
        ("[contacts]\nbureau = { name = \"x\" }\n", "2:1 contacts.bureau Missing { key: \"phone\""),
        ("[contacts]\norder = [\"bureua\"]\n", "2:10 contacts.order[#1] BadValue { found: Text(\"bureua\")"),
        ("[contacts]\norder = [\"shop\"]\n", "2:10 contacts.order[#1] BadValue { found: Text(\"shop\")"),
        ("[contacts]\norder = [\"bureau\", \"software\", \"bureau\"]\n", "2:32 contacts.order[#3] Repeated(\"bureau\")"),
        ("[rules]\nset = \"exampel\"\n", "2:7 rules.set BadValue { found: Text(\"exampel\"), want: RuleSet, nearest: Some(\"example\")"),
        ("[rules]\nset = \"rules.toml\"\n", "2:7 rules.set BadValue"),
        ("vpn = { name = \"x\" }\n", "1:1 vpn BadValue"),
        ("[[terminal]]\nname = \"x\"\n", "1:1 terminal BadValue"),
    ];
    for (text, expected) in cases {
        let found = told(&problems(text));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{text}\nfound {found:#?}\nwanted {expected}");
    }
}

#[test]
fn a_syntax_error_does_not_hide_what_stands_before_it_and_accuses_nothing_after_it() {
    let found = told(&problems("colour = 1\n[terminal\nname = \"x\"\nlisten = 3\n"));
    assert!(found[0].starts_with("1:1 colour UnknownKey"), "{found:#?}");
    assert!(found[1].contains("Syntax"), "{found:#?}");
    assert!(!found.iter().any(|p| p.contains("listen")), "{found:#?}");
}

#[test]
fn dates_need_no_quotes() {
    let config = one("[[maintenance]]\nfrom = 2026-12-01T22:00:00+08:00\nto = 2026-12-02 06:00:00+08:00\n[upload]\ndue = 22:00:00\n")
        .expect("valid");
    assert_eq!(config.maintenance[0].from, "2026-12-01T14:00:00Z".parse().expect("a time"));
    assert_eq!(config.upload.due, Some(jiff::civil::time(22, 0, 0, 0)));
}

#[test]
fn what_is_not_utf8_is_told_with_its_byte() {
    let mut bytes = "# 药\nname = \"".as_bytes().to_vec();
    let at = bytes.len();
    bytes.extend(b"\xd2\xa9\xb5\xea\"\n");
    let Err(ConfigError::Invalid(found)) = parse(vec![("x.toml".into(), bytes)]) else { panic!("not refused") };
    assert_eq!((found[0].line, found[0].column, &found[0].problem), (2, 10, &Problem::NotUtf8(at + 2)), "the name in GBK");
}

#[test]
fn later_files_merge_into_earlier_ones() {
    let base = "[terminal]\nname = \"a\"\nsite = \"s\"\n[dns]\nnames = [\"one\", \"two\"]\n[probe]\nraise = { failures = 5 }\n\
        [[vpn]]\nname = \"v\"\ninterface = \"tun0\"\nkind = \"openvpn\"\n[[sink]]\nname = \"s\"\nkind = \"nats\"\nservers = [\"nats://a:1\"]\n\
        [[maintenance]]\nfrom = \"2026-01-01T00:00:00Z\"\nto = \"2026-01-02T00:00:00Z\"\n";
    let over = "[terminal]\nname = \"b\"\n[dns]\nnames = [\"three\"]\n[probe]\nraise = { within = \"9s\" }\n\
        [[vpn]]\nname = \"v\"\ninterface = \"tun9\"\n[[vpn]]\nname = \"w\"\ninterface = \"wg0\"\n[[sink]]\nname = \"s\"\nstream = \"X\"\n\
        [[maintenance]]\nfrom = \"2026-02-01T00:00:00Z\"\nto = \"2026-02-02T00:00:00Z\"\n";
    let config = files(&[("isonet.toml", base), ("conf.d/10.toml", over)]).expect("valid");
    assert_eq!((config.terminal.name.as_deref(), config.terminal.site.as_deref()), (Some("b"), Some("s")));
    assert_eq!(config.dns.names, ["three"]);
    assert_eq!((config.probe.raise.failures, config.probe.raise.within.as_secs()), (5, 9));
    assert_eq!(config.vpns.iter().map(|v| (v.name.as_str(), v.interface.as_str())).collect::<Vec<_>>(), [("v", "tun9"), ("w", "wg0")]);
    assert_eq!(config.vpns[0].kind, isonet::config::VpnKind::Openvpn);
    assert!(matches!(&config.sinks[..], [isonet::config::Sink::Nats { stream, servers, .. }] if stream == "X" && servers.len() == 1));
    assert_eq!(config.maintenance.len(), 2);
}

#[test]
fn a_problem_of_the_whole_points_into_the_file_that_has_it() {
    let found = files(&[("isonet.toml", ""), ("conf.d/10.toml", "\n[[centre]]\nname = \"c\"\nhost = \"h\"\nvia = \"v\"\n")])
        .expect_err("no such vpn");
    assert_eq!((found[0].file.as_path(), found[0].line), (Path::new("conf.d/10.toml"), 5));
    let partial =
        files(&[("isonet.toml", "[[sink]]\nname = \"s\"\nkind = \"journal\"\n"), ("b.toml", "[[sink]]\nname = \"s\"\nstream = \"X\"\n")]);
    let found = partial.expect_err("a journal has no stream");
    assert!(told(&found)[0].starts_with("3:1 sink[s].stream NotForKind"), "{:?}", told(&found));
}

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    dir
}

#[test]
fn without_a_file_at_the_default_place_the_defaults_hold() {
    let dir = tree(&[]);
    let default = dir.path().join("isonet.toml");
    let loaded = load_from(None, &default).expect("defaults");
    assert_eq!((loaded.config, loaded.sources.len()), (Config::default(), 0));
    assert_eq!(loaded.notes, [LoadNote::NoFile(default.clone())]);
    let error = load_from(Some(&default), &default).expect_err("asked for and missing");
    assert_eq!((error.exit_code(), matches!(error, ConfigError::Missing(_))), (66, true));
}

#[test]
fn drop_ins_are_read_in_the_order_of_their_names() {
    let dir = tree(&[
        ("a/isonet.toml", "[terminal]\nname = \"0\"\n"),
        ("a/conf.d/20.toml", "[terminal]\nname = \"2\"\n"),
        ("a/conf.d/10.toml", "[terminal]\nname = \"1\"\nsite = \"1\"\n"),
        ("a/conf.d/.30.toml", "[terminal]\nname = \"hidden\"\n"),
        ("a/conf.d/40.toml.bak", "garbage"),
        ("b/other.toml", "[terminal]\nname = \"b\"\n"),
    ]);
    let loaded = load_from(None, &dir.path().join("a/isonet.toml")).expect("valid");
    assert_eq!((loaded.config.terminal.name.as_deref(), loaded.config.terminal.site.as_deref()), (Some("2"), Some("1")));
    assert_eq!((loaded.sources.len(), loaded.notes.len()), (3, 2));
    let loaded = load_from(Some(&dir.path().join("b/other.toml")), &dir.path().join("a/isonet.toml")).expect("valid");
    assert_eq!((loaded.config.terminal.name.as_deref(), loaded.sources.len()), (Some("b"), 1));
}

#[test]
fn what_cannot_be_read_is_an_error_with_its_own_status() {
    let dir = tree(&[("isonet.toml", ""), ("conf.d/big.toml", "")]);
    let error = load_from(Some(dir.path()), Path::new("/nonexistent")).expect_err("a directory");
    assert_eq!(error.exit_code(), 74);
    std::fs::write(dir.path().join("conf.d/big.toml"), "#".repeat(1 << 20)).expect("written");
    assert!(load_from(Some(&dir.path().join("isonet.toml")), Path::new("/nonexistent")).is_ok());
    std::fs::write(dir.path().join("conf.d/big.toml"), "#".repeat((1 << 20) + 1)).expect("written");
    let error = load_from(Some(&dir.path().join("isonet.toml")), Path::new("/nonexistent")).expect_err("too large");
    assert!(matches!(&error, ConfigError::Invalid(p) if matches!(p[0].problem, Problem::TooLarge(_))));
    assert_eq!(error.exit_code(), 78);
    std::os::unix::fs::symlink("/nonexistent/x", dir.path().join("conf.d/a.toml")).expect("linked");
    let error = load_from(Some(&dir.path().join("isonet.toml")), Path::new("/nonexistent")).expect_err("dangling");
    assert!(render_error(&error, Lang::En).contains("conf.d/a.toml"));
}

#[test]
fn a_file_of_nothing_but_mistakes_is_told_within_bounds() {
    let keys = (0..60_000).map(|i| format!("k{i} = 1")).collect::<Vec<_>>().join("\n");
    let tables = "[[vpn]]\nname = \"a\"\n".repeat(40_000);
    let broken = "a b\n".repeat(200_000);
    for text in [keys, tables, broken] {
        let found = problems(&text);
        assert!(!found.is_empty() && found.len() <= 101, "{}", found.len());
    }
}

/// Every problem lies inside its file and can be shown.
fn sound(text: &[u8]) -> Result<(), TestCaseError> {
    let Err(error) = parse(vec![("x.toml".into(), text.to_vec())]) else { return Ok(()) };
    let ConfigError::Invalid(problems) = &error else { return Err(TestCaseError::fail("not a finding")) };
    let lines = String::from_utf8_lossy(text).lines().count() + 1;
    prop_assert!(!problems.is_empty());
    for p in problems {
        prop_assert!(p.line >= 1 && p.line <= lines && p.column >= 1, "{p:?}");
        prop_assert!(!matches!(p.problem, Problem::Refused(_)), "schema and types disagree: {p:?}");
    }
    for lang in Lang::ALL {
        let steers = render_error(&error, lang).contains('\u{1b}');
        prop_assert!(!steers, "an escape character is shown");
    }
    Ok(())
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        sound(&bytes)?;
    }

    #[test]
    fn random_toml_like_text_never_panics(text in "([a-z-]{1,9}( = |\\.)|\\[+[a-z]{1,8}\\]+|\"|'|\n|[0-9]{1,4}|\\{|\\}|,|药|#|\\\\u00e9){0,60}") {
        sound(text.as_bytes())?;
    }

    #[test]
    fn a_damaged_sample_gives_located_problems_or_success(cut in any::<prop::sample::Index>(), length in 0_usize..40, insert in "(\\PC|\n|\u{1b}){0,6}") {
        let text = uncommented();
        let at = |i: usize| (0..=i.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        let from = at(cut.index(text.len()));
        let damaged = format!("{}{insert}{}", &text[..from], &text[at(from + length).max(from)..]);
        sound(damaged.as_bytes())?;
    }

    #[test]
    fn lines_taken_out_or_doubled_give_located_problems_or_success(line in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(), twice: bool) {
        let text = uncommented();
        let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("# ") && !line.is_empty()).collect();
        let (i, j) = (line.index(lines.len()), other.index(lines.len()));
        if twice { lines.insert(j, lines[i]); } else { lines.remove(i); }
        sound(lines.join("\n").as_bytes())?;
    }
}

#[test]
fn who_is_reached_over_tls_needs_an_authority() {
    for (text, lacks) in [
        ("kind = \"syslog\"\naddress = \"10.0.0.1:1\"\n", true),
        ("kind = \"syslog\"\naddress = \"10.0.0.1:1\"\ntransport = \"tcp\"\n", false),
        ("kind = \"syslog\"\naddress = \"10.0.0.1:1\"\nca = \"/a/ca.pem\"\n", false),
        ("kind = \"nats\"\nservers = [\"nats://a:1\"]\n", false),
        ("kind = \"nats\"\nservers = [\"nats://a:1\", \"tls://b:1\"]\n", true),
    ] {
        let text = format!("[[sink]]\nname = \"s\"\n{text}");
        // Something else is wrong in any case.
        let found = problems(&format!("{text}[web]\nlisten = 1\n"));
        let told = found.iter().any(|located| located.key == "sink[s]" && matches!(located.problem, Problem::Missing { key: "ca", .. }));
        assert_eq!(told, lacks, "{text}: {found:?}");
    }
}
