//! One file along its schema: every unknown key and every bad value, each with its place.

use super::problem::{Located, Problem, Source};
use super::schema::{Key, Kind, Merge, Need, SINK_KINDS, Variant, nearest, tables_with};
use super::tree::{Entry, Node, Place, Table, Value, text};
use super::values::{check, found};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Problems of one file that are listed; the rest is counted.
const MOST_PROBLEMS: usize = 100;

/// Items of one list or tables of one name: a file of nothing else must not take all day.
const MOST_ITEMS: usize = 1000;

/// Checks one file that takes these keys. The tree holds what is good; what is bad is marked, so that it is not called missing later.
pub(super) fn file(keys: &'static [Key], index: usize, source: &Source) -> (Table, Vec<Located>) {
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    let mut walk = Walk { index, source, problems: Vec::new(), more: None };
    let table = walk.table(keys, root.get_ref(), "");
    let mut problems = walk.problems;
    problems.extend(walk.more.map(|(span, count)| source.locate(&span, String::new(), Problem::More(count))));
    if let Some(first) = errors.iter().map(|error| error.span().map_or(0, |span| span.start)).min() {
        // What stands behind a syntax error may have been read into the wrong table: silence is better than a wrong accusation.
        let (line, _) = source.position(first);
        problems.retain(|problem| problem.line < line && !matches!(problem.problem, Problem::Missing { .. }));
        problems.extend(errors.iter().take(MOST_PROBLEMS).map(|error| {
            let span = error.span().unwrap_or(0..0);
            source.locate(&span, String::new(), Problem::Syntax(error.message().to_owned()))
        }));
    }
    (table, problems)
}

struct Walk<'a> {
    index: usize,
    source: &'a Source,
    problems: Vec<Located>,
    /// How many were not listed, and where the first of them was.
    more: Option<(Range<usize>, usize)>,
}

impl Walk<'_> {
    fn report(&mut self, span: &Range<usize>, path: &str, problem: Problem) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(self.source.locate(span, path.to_owned(), problem));
        } else {
            self.more.get_or_insert((span.clone(), 0)).1 += 1;
        }
    }

    fn place(&self, span: Range<usize>) -> Place {
        Place { file: self.index, span }
    }

    fn table(&mut self, keys: &'static [Key], table: &DeTable<'_>, path: &str) -> Table {
        let mut checked = Table::new();
        for (name, value) in table {
            let below = join(path, name.get_ref());
            if let Some(key) = keys.iter().find(|key| key.name == name.get_ref().as_ref()) {
                let node = self.value(key.kind, value, &name.span(), &below);
                checked.insert(key.name.to_owned(), Entry { key: self.place(name.span()), node });
            } else {
                self.unknown(keys, name.get_ref(), &name.span(), &below);
            }
        }
        checked
    }

    fn unknown(&mut self, keys: &'static [Key], name: &str, span: &Range<usize>, path: &str) {
        if self.problems.len() >= MOST_PROBLEMS {
            // It will not be listed: no need to look for what was meant.
            self.more.get_or_insert((span.clone(), 0)).1 += 1;
            return;
        }
        let known: Vec<&'static str> = keys.iter().map(|key| key.name).collect();
        let nearest = nearest(name, known.iter().copied());
        // A key that many tables have, such as `name`, leads nowhere.
        let elsewhere =
            if nearest.is_none() { Some(tables_with(name)).filter(|tables| tables.len() <= 3).unwrap_or_default() } else { Vec::new() };
        self.report(span, path, Problem::UnknownKey { nearest, elsewhere, known });
    }

    fn value(&mut self, kind: Kind, value: &Spanned<DeValue<'_>>, key: &Range<usize>, path: &str) -> Node {
        let checked = match (kind, value.get_ref()) {
            (Kind::Table(keys), DeValue::Table(table)) => Value::Table(self.table(keys, table, path)),
            (Kind::List(_) | Kind::Tables(..) | Kind::Variants(_), DeValue::Array(items)) if items.len() > MOST_ITEMS => {
                self.report(key, path, Problem::TooMany(MOST_ITEMS));
                Value::Bad
            }
            (Kind::List(of), DeValue::Array(items)) => {
                Value::List(items.iter().enumerate().map(|(i, item)| self.value(*of, item, key, &format!("{path}[#{}]", i + 1))).collect())
            }
            (Kind::Tables(..) | Kind::Variants(_), DeValue::Array(items)) => Value::List(self.tables(kind, items, key, path)),
            (_, other) => match check(kind, other) {
                Ok(value) => value,
                Err(problem) => {
                    // The span of a table made by a header says little; its key says where it stands.
                    let span = if matches!(other, DeValue::Table(_)) { key.clone() } else { value.span() };
                    self.report(&span, path, problem);
                    Value::Bad
                }
            },
        };
        // A table is pointed at by its name.
        let span = if matches!(checked, Value::Table(_)) { key.clone() } else { value.span() };
        Node { place: self.place(span), value: checked }
    }

    fn tables(&mut self, kind: Kind, items: &[Spanned<DeValue<'_>>], key: &Range<usize>, path: &str) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let span = if item.span().is_empty() { key.clone() } else { item.span() };
            let DeValue::Table(table) = item.get_ref() else {
                self.report(&span, path, Problem::BadValue { found: found(item.get_ref()), want: kind, nearest: None });
                nodes.push(Node { place: self.place(span), value: Value::Bad });
                continue;
            };
            let name = table.get("name").and_then(|name| name.get_ref().as_str()).filter(|_| named(kind));
            let below = name.map_or_else(|| format!("{path}[#{}]", i + 1), |name| format!("{path}[{name}]"));
            let checked = match kind {
                Kind::Variants(variants) => self.variant(variants, table, &below),
                Kind::Tables(keys, _) => self.table(keys, table, &below),
                _ => Table::new(),
            };
            if named(kind) {
                self.name(&nodes, &checked, &span, &below);
            }
            nodes.push(Node { place: self.place(span), value: Value::Table(checked) });
        }
        nodes
    }

    /// A name is there, and no earlier table of this file has it.
    fn name(&mut self, earlier: &[Node], table: &Table, span: &Range<usize>, path: &str) {
        let Some(entry) = table.get("name") else {
            self.report(span, path, Problem::Missing { key: "name", want: Kind::Text });
            return;
        };
        let same = |node: &&Node| node.table().and_then(|other| text(other, "name")).is_some_and(|other| entry.node.text() == Some(other));
        if let (Some(first), Some(name)) = (earlier.iter().find(same), entry.node.text()) {
            let first = first.table().and_then(|table| table.get("name")).map_or(0, |entry| entry.node.place.span.start);
            let problem = Problem::DuplicateName { name: name.to_owned(), first_line: self.source.position(first).0 };
            self.report(&entry.node.place.span, path, problem);
        }
    }

    /// A table whose `kind` decides what else it takes. Where the file does not say the kind (it may change a table of an earlier file),
    /// or says a wrong one, every key that some kind has passes; the merged whole is looked at again.
    fn variant(&mut self, variants: &'static [Variant], table: &DeTable<'_>, path: &str) -> Table {
        let word = table.get("kind").and_then(|value| value.get_ref().as_str());
        let chosen = variants.iter().find(|variant| Some(variant.kind) == word);
        let mut checked = Table::new();
        for (name, value) in table {
            let below = join(path, name.get_ref());
            let key = match chosen {
                _ if name.get_ref() == "kind" => Some(&KIND),
                Some(variant) => variant.keys.iter().find(|key| key.name == name.get_ref().as_ref()),
                None => variants.iter().flat_map(|variant| variant.keys).find(|key| key.name == name.get_ref().as_ref()),
            };
            if let Some(key) = key {
                let node = self.value(key.kind, value, &name.span(), &below);
                checked.insert(key.name.to_owned(), Entry { key: self.place(name.span()), node });
            } else if let Some(problem) = chosen.and_then(|v| not_for_kind(variants, v.kind, name.get_ref())) {
                self.report(&name.span(), &below, problem);
            } else {
                self.unknown(chosen.or(variants.last()).map_or(&[], |variant| variant.keys), name.get_ref(), &name.span(), &below);
            }
        }
        checked
    }
}

/// The key that names a variant.
const KIND: Key = Key { name: "kind", kind: Kind::Choice(SINK_KINDS), need: Need::Needed };

/// The problem of a key that other kinds have; `None` when no kind has it.
fn not_for_kind(variants: &'static [Variant], kind: &'static str, key: &str) -> Option<Problem> {
    let kinds: Vec<_> = variants.iter().filter(|variant| variant.keys.iter().any(|k| k.name == key)).map(|variant| variant.kind).collect();
    if kinds.is_empty() { None } else { Some(Problem::NotForKind { kind, kinds }) }
}

fn named(kind: Kind) -> bool {
    matches!(kind, Kind::Tables(_, Merge::ByName) | Kind::Variants(_))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// What the merged whole lacks, or has too much of: each with the place and the path of its table. `place` is where a key that the whole
/// itself lacks is missed.
pub(super) fn whole(keys: &'static [Key], table: &Table, place: Option<&Place>) -> Vec<(Place, String, Problem)> {
    let mut problems = Vec::new();
    whole_table(keys, table, place, "", &mut problems);
    problems
}

type Problems = Vec<(Place, String, Problem)>;

fn whole_table(keys: &'static [Key], table: &Table, place: Option<&Place>, path: &str, problems: &mut Problems) {
    for key in keys {
        match (table.get(key.name), place) {
            (Some(entry), _) => whole_value(key.kind, &entry.node, &join(path, key.name), problems),
            (None, Some(place)) if key.need == Need::Needed => {
                problems.push((place.clone(), path.to_owned(), Problem::Missing { key: key.name, want: key.kind }));
            }
            _ => {}
        }
    }
}

fn whole_value(kind: Kind, node: &Node, path: &str, problems: &mut Problems) {
    match (kind, &node.value) {
        (Kind::Table(keys), Value::Table(table)) => whole_table(keys, table, Some(&node.place), path, problems),
        (Kind::Tables(..) | Kind::Variants(_), Value::List(items)) => {
            for (i, item) in items.iter().enumerate() {
                // A table without its name was told already, for its own file.
                let Some(table) = item.table().filter(|table| !named(kind) || table.contains_key("name")) else { continue };
                let name = text(table, "name").filter(|_| named(kind));
                let below = name.map_or_else(|| format!("{path}[#{}]", i + 1), |name| format!("{path}[{name}]"));
                match kind {
                    Kind::Tables(keys, _) => whole_table(keys, table, Some(&item.place), &below, problems),
                    Kind::Variants(variants) => whole_variant(variants, table, &item.place, &below, problems),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn whole_variant(variants: &'static [Variant], table: &Table, place: &Place, path: &str, problems: &mut Problems) {
    let Some(kind) = table.get("kind") else {
        problems.push((place.clone(), path.to_owned(), Problem::Missing { key: "kind", want: KIND.kind }));
        return;
    };
    let Some(variant) = variants.iter().find(|variant| Some(variant.kind) == kind.node.text()) else { return };
    whole_table(variant.keys, table, Some(place), path, problems);
    for (name, entry) in table.iter().filter(|(name, _)| *name != "kind" && !variant.keys.iter().any(|key| key.name == name.as_str())) {
        if let Some(problem) = not_for_kind(variants, variant.kind, name) {
            problems.push((entry.key.clone(), join(path, name), problem));
        }
    }
}
