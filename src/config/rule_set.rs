//! Rule sets: the shipped example, and a bureau's own file.
//!
//! The format, version 1 (TOML; `config/rules/example.toml` is one and explains itself):
//!
//! ```toml
//! set = "610102"                  # needed: short name in records, one word; `example` is taken
//! issuer = "..."                  # needed: who issued it
//! issuer-en = "..."               # the same in English; without it the original is shown
//! version = "2026-03"             # needed: which edition
//!
//! [[article]]                     # at least one
//! number = "12"                   # needed: as it is counted; no two alike
//! text = "..."                    # needed: what it asks for, in short, ending in a full stop
//! text-en = "..."
//! codes = ["gateway.changed"]     # causes and findings that touch it, each under one article of the set only
//! ```
//!
//! A file is checked like the configuration: unknown keys and codes are refused with what was probably meant, all problems at once, each
//! with its line. A set that is not right fails the whole configuration: half a set would cite half of what it should.

use super::problem::{Located, Problem, Source};
use super::schema::{Key, Kind, Merge, may, must};
use super::tree::{Node, Place, Table, Value, get, text};
use super::walk;
use crate::catalogue::{Article, RuleSet, Wording};
use std::path::PathBuf;

/// As the value of `rules.set`, and as the name of a set: the shipped one.
pub const EXAMPLE: &str = "example";

/// The shipped set.
const SHIPPED: &str = include_str!("../../config/rules/example.toml");

const FILE: &[Key] = &[
    must("set", Kind::Word),
    must("issuer", Kind::Text),
    may("issuer-en", Kind::Text),
    must("version", Kind::Text),
    must("article", Kind::Tables(ARTICLE, Merge::Replace)),
];

const ARTICLE: &[Key] =
    &[must("number", Kind::Text), must("text", Kind::Text), may("text-en", Kind::Text), may("codes", Kind::List(&Kind::Code))];

/// The shipped example set.
pub fn example() -> RuleSet {
    let source = Source { path: PathBuf::from("config/rules/example.toml"), text: SHIPPED.to_owned() };
    let (set, problems) = read(&source);
    debug_assert_eq!(problems, []);
    set
}

/// A bureau's own set. `Err` holds every problem.
pub(super) fn own(source: &Source) -> Result<RuleSet, Vec<Located>> {
    let (set, mut problems) = read(source);
    if set.set == EXAMPLE {
        let span = source.text.find(EXAMPLE).map_or(0..0, |at| at..at + EXAMPLE.len());
        problems.push(source.locate(&span, "set".to_owned(), Problem::ReservedSet(EXAMPLE)));
    }
    problems.sort_by_key(|problem| (problem.line, problem.column));
    if problems.is_empty() { Ok(set) } else { Err(problems) }
}

/// What is good in a file, and what is not.
fn read(source: &Source) -> (RuleSet, Vec<Located>) {
    let (table, mut problems) = walk::file(FILE, 0, source);
    if problems.iter().all(|it| !matches!(it.problem, Problem::Syntax(_))) {
        let start = Place { file: 0, span: 0..0 };
        let missing = walk::whole(FILE, &table, Some(&start)).into_iter().chain(repeated(source, &table));
        problems.extend(missing.map(|(place, key, problem)| source.locate(&place.span, key, problem)));
    }
    (rule_set(&table), problems)
}

fn articles(table: &Table) -> impl Iterator<Item = &Table> {
    get(table, "article").map_or(&[][..], Node::list).iter().filter_map(Node::table)
}

/// Numbers that two articles have, and codes that stand twice.
fn repeated(source: &Source, table: &Table) -> Vec<(Place, String, Problem)> {
    let mut found = Vec::new();
    let (mut numbers, mut codes) = (Vec::<&Node>::new(), Vec::<&Node>::new());
    for article in articles(table) {
        if let Some(number) = get(article, "number") {
            once(source, &mut numbers, number, "number", &mut found);
        }
        for code in get(article, "codes").map_or(&[][..], Node::list) {
            once(source, &mut codes, code, "codes", &mut found);
        }
    }
    found
}

fn once<'a>(source: &Source, seen: &mut Vec<&'a Node>, node: &'a Node, key: &str, found: &mut Vec<(Place, String, Problem)>) {
    let same = |other: &&&Node| other.text() == node.text() && node.value != Value::Bad;
    match (seen.iter().find(same), node.text()) {
        (Some(first), Some(word)) => {
            let first_line = source.position(first.place.span.start).0;
            found.push((node.place.clone(), format!("article.{key}"), Problem::Twice { word: word.to_owned(), first_line }));
        }
        _ => seen.push(node),
    }
}

fn rule_set(table: &Table) -> RuleSet {
    let words = |table: &Table, key: &str| text(table, key).unwrap_or_default().to_owned();
    let wording =
        |table: &Table, key: &str| Wording { original: words(table, key), english: text(table, &format!("{key}-en")).map(str::to_owned) };
    let codes = |article: &Table| {
        let listed = get(article, "codes").map_or(&[][..], Node::list);
        listed.iter().filter_map(|node| Some(node.text()?.to_owned())).collect()
    };
    let article = |article: &Table| Article { number: words(article, "number"), text: wording(article, "text"), codes: codes(article) };
    RuleSet {
        set: words(table, "set"),
        issuer: wording(table, "issuer"),
        version: words(table, "version"),
        articles: articles(table).map(article).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(file: &str) -> Vec<String> {
        let source = Source { path: "rules.toml".into(), text: file.to_owned() };
        let problems = own(&source).expect_err("problems");
        problems.iter().map(|p| format!("{}:{} {} {:?}", p.line, p.column, p.key, p.problem)).collect()
    }

    #[test]
    fn the_shipped_set_is_right_and_whole() {
        let source = Source { path: "example.toml".into(), text: SHIPPED.to_owned() };
        assert_eq!(read(&source).1, []);
        let set = example();
        assert_eq!(set.articles.len(), 17);
        for (i, article) in set.articles.iter().enumerate() {
            assert_eq!(article.number, (i + 1).to_string());
            assert!(article.text.original.ends_with('。'), "{article:?}");
            assert!(article.text.english.as_ref().is_some_and(|text| text.ends_with('.') && text.is_ascii()), "{article:?}");
        }
    }

    #[test]
    fn every_problem_of_a_set_is_told_with_its_line_and_what_was_meant() {
        let file = "set = \"a b\"\nissuer = \"x\"\nverson = \"1\"\n[[article]]\nnumber = \"1\"\ntext = \"x.\"\n\
                    codes = [\"clock.wong\", \"line.down\"]\n[[article]]\nnumber = \"1\"\ncodes = [\"line.down\"]\n";
        let found = told(file);
        let expected = [
            "1:1  Missing { key: \"version\"",
            "1:7 set BadValue",
            "3:1 verson UnknownKey { nearest: Some(\"version\")",
            "7:10 article[#1].codes[#1] BadValue { found: Text(\"clock.wong\"), want: Code, nearest: Some(\"clock.wrong\")",
            "8:1 article[#2] Missing { key: \"text\"",
            "9:10 article.number Twice { word: \"1\", first_line: 5 }",
            "10:10 article.codes Twice { word: \"line.down\", first_line: 7 }",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found} is not {expected}");
        }
    }

    #[test]
    fn a_copy_of_the_example_needs_its_own_name() {
        assert!(told(SHIPPED)[0].contains("set ReservedSet"), "{:?}", told(SHIPPED));
        assert!(told("").iter().any(|problem| problem.contains("\"article\"")), "{:?}", told(""));
    }
}
