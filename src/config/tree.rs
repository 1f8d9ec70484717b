//! Checked values with their origin, so that several files can be merged and a problem of the whole still points at a line.

use super::schema::{Key, Kind, Merge, ROOT};
use std::collections::BTreeMap;
use std::ops::Range;

/// Where something was written: which file, which bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: usize,
    pub(super) span: Range<usize>,
}

/// A value and its origin.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// A value that its kind allows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    List(Vec<Node>),
    Table(Table),
    /// Something was written here and reported: it is not missing, and says nothing.
    Bad,
}

/// Keys with their values. The place of a key is apart from that of its value.
pub(super) type Table = BTreeMap<String, Entry>;

/// A key that was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: Place,
    pub(super) node: Node,
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> &[Node] {
        match &self.value {
            Value::List(nodes) => nodes,
            _ => &[],
        }
    }

    /// As plain TOML; what is bad is left out.
    fn plain(self) -> Option<toml::Value> {
        Some(match self.value {
            Value::Text(text) => toml::Value::String(text),
            Value::Integer(number) => toml::Value::Integer(number),
            Value::Boolean(value) => toml::Value::Boolean(value),
            Value::List(nodes) => toml::Value::Array(nodes.into_iter().filter_map(Node::plain).collect()),
            Value::Table(table) => toml::Value::Table(plain(table)),
            Value::Bad => return None,
        })
    }
}

/// As a plain TOML table, for serde.
pub(super) fn plain(table: Table) -> toml::Table {
    table.into_iter().filter_map(|(key, entry)| Some((key, entry.node.plain()?))).collect()
}

/// The value under a key.
pub(super) fn get<'a>(table: &'a Table, key: &str) -> Option<&'a Node> {
    table.get(key).map(|entry| &entry.node)
}

/// The text under a key.
pub(super) fn text<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    get(table, key)?.text()
}

/// Lays a later file over an earlier one: tables deep, scalars and lists replaced, named tables by name, windows appended.
pub(super) fn merge(base: &mut Table, over: Table) {
    merge_table(base, over, ROOT);
}

fn merge_table(base: &mut Table, over: Table, keys: &[Key]) {
    for (name, entry) in over {
        let kind = keys.iter().find(|key| key.name == name).map(|key| key.kind);
        match base.get_mut(&name) {
            Some(old) => merge_entry(old, entry, kind),
            None => {
                base.insert(name, entry);
            }
        }
    }
}

fn merge_entry(old: &mut Entry, new: Entry, kind: Option<Kind>) {
    match (kind, &mut old.node.value, new.node.value) {
        (Some(Kind::Table(keys)), Value::Table(below), Value::Table(over)) => merge_table(below, over, keys),
        (Some(Kind::Tables(keys, Merge::ByName)), Value::List(below), Value::List(over)) => merge_named(below, over, &|_| keys),
        (Some(Kind::Variants(variants)), Value::List(below), Value::List(over)) => merge_named(below, over, &|table| {
            let kind = text(table, "kind");
            variants.iter().find(|variant| Some(variant.kind) == kind).map_or(&[], |variant| variant.keys)
        }),
        (Some(Kind::Tables(_, Merge::Append)), Value::List(below), Value::List(over)) => below.extend(over),
        (_, _, value) => *old = Entry { key: new.key, node: Node { place: new.node.place, value } },
    }
}

fn merge_named(below: &mut Vec<Node>, over: Vec<Node>, keys: &dyn Fn(&Table) -> &'static [Key]) {
    for node in over {
        let name = node.table().and_then(|table| text(table, "name")).map(str::to_owned);
        let same = below.iter_mut().find(|old| name.is_some() && old.table().and_then(|table| text(table, "name")) == name.as_deref());
        match (same, node) {
            (Some(Node { value: Value::Table(old), .. }), Node { value: Value::Table(new), .. }) => {
                let keys = keys(old);
                merge_table(old, new, keys);
            }
            (_, node) => below.push(node),
        }
    }
}
