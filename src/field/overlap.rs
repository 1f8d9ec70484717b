//! What other files of the configuration say of the same keys: an earlier one would be overruled without a word, a later one wins.

use super::error::FieldError;
use crate::catalogue::Lang;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// A file of the configuration with what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written<'a> {
    /// Its name, for people.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// A key that stands in two files with two values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The person's file.
    pub file: String,
    /// The key.
    pub key: String,
    /// What the person's file says.
    pub theirs: String,
    /// What ours would say.
    pub ours: String,
}

impl Overlap {
    /// In one line.
    pub fn render(&self, lang: Lang) -> String {
        let Self { file, key, theirs, ours } = self;
        lang.pick(format!("{file}：{key} = {theirs}（这里是 {ours}）"), format!("{file}: {key} = {theirs} (here: {ours})"))
    }
}

/// Both kinds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overlaps {
    /// In files before ours: they would lose.
    pub lost: Vec<Overlap>,
    /// In files after ours: they win.
    pub kept: Vec<Overlap>,
}

/// Compares key by key. `before` and `after` are the other files in the order of merging. Files that are no TOML say nothing here; the check of
/// the whole refuses them.
pub fn overlaps(ours: &[Written<'_>], before: &[Written<'_>], after: &[Written<'_>]) -> Result<Overlaps, FieldError> {
    let mut own = BTreeMap::new();
    for part in ours {
        let table = part
            .text
            .parse::<Table>()
            .map_err(|error| FieldError::NotAFragment { file: part.file.to_owned(), why: error.message().to_owned() })?;
        own.extend(leaves(&table));
    }
    let differing = |others: &[Written<'_>]| {
        let mut found = Vec::new();
        for other in others {
            let Ok(table) = other.text.trim_start_matches('\u{feff}').parse::<Table>() else { continue };
            found.extend(leaves(&table).into_iter().filter_map(|(key, theirs)| {
                let ours = own.get(&key).filter(|ours| **ours != theirs)?;
                Some(Overlap { file: other.file.to_owned(), key, theirs: theirs.to_string(), ours: ours.to_string() })
            }));
        }
        found
    };
    Ok(Overlaps { lost: differing(before), kept: differing(after) })
}

/// Every key with its value. Tables with a name are one by name; any other list is a value as a whole, as merging has it. Windows of
/// maintenance are added up and overrule nothing.
fn leaves(table: &Table) -> BTreeMap<String, Value> {
    fn walk(table: &Table, path: &str, found: &mut BTreeMap<String, Value>) {
        for (key, value) in table {
            let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match value {
                Value::Table(inner) => walk(inner, &below, found),
                Value::Array(_) if below == "maintenance" => {}
                Value::Array(items) if !items.is_empty() && items.iter().all(|item| name(item).is_some()) => {
                    for item in items {
                        if let (Some(name), Value::Table(inner)) = (name(item), item) {
                            let rest: Table = inner.iter().filter(|(key, _)| *key != "name").map(|(k, v)| (k.clone(), v.clone())).collect();
                            walk(&rest, &format!("{below}[{name}]"), found);
                        }
                    }
                }
                leaf => {
                    found.insert(below, leaf.clone());
                }
            }
        }
    }
    fn name(item: &Value) -> Option<&str> {
        item.as_table()?.get("name")?.as_str()
    }
    let mut found = BTreeMap::new();
    walk(table, "", &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn file(file: &'static str, text: &'static str) -> Written<'static> {
        Written { file, text }
    }

    #[test]
    fn what_a_person_set_before_is_a_conflict_and_what_comes_after_stays() {
        let ours = [
            file("10-region.toml", "[contacts]\nbureau = { name = 'a', phone = '1' }\n[[vpn]]\nname = 'centre'\ninterface = 'tun0'\n"),
            file("20-site.toml", "[terminal]\nname = 'x'\n"),
        ];
        let before =
            [file("isonet.toml", "state-dir = '/x'\n[contacts.bureau]\nname = 'a'\nphone = '2'\n[[vpn]]\nname = 'centre'\nunit = 'u'\n")];
        let after = [file(
            "90-local.toml",
            "[terminal]\nname = 'y'\nsite = 'z'\n[[vpn]]\nname = 'centre'\ninterface = 'tun1'\n[[vpn]]\nname = 'b'\ninterface = 'c'\n",
        )];
        let found = overlaps(&ours, &before, &after).expect("read");
        let keys = |list: &[Overlap]| list.iter().map(|one| format!("{} {}", one.file, one.key)).collect::<Vec<_>>();
        assert_eq!(keys(&found.lost), ["isonet.toml contacts.bureau.phone"]);
        assert_eq!(keys(&found.kept), ["90-local.toml terminal.name", "90-local.toml vpn[centre].interface"]);
        assert_eq!((found.lost[0].theirs.as_str(), found.lost[0].ours.as_str()), ("\"2\"", "\"1\""));
    }

    #[test]
    fn what_says_the_same_or_something_else_is_no_overlap() {
        let ours = [file("a", "[terminal]\nname = 'x'\n[[maintenance]]\nfrom = 1\n[usb]\nallow = [{ vendor = '1' }]\n")];
        for text in ["[terminal]\nname = \"x\"", "[terminal]\nsite = 'x'", "[[maintenance]]\nfrom = 2", "", "not = [toml"] {
            assert_eq!(overlaps(&ours, &[Written { file: "b", text }], &[]).expect("read"), Overlaps::default(), "{text}");
        }
        let list = [file("b", "[usb]\nallow = []")];
        assert_eq!(overlaps(&ours, &list, &[]).expect("read").lost.len(), 1, "a list is replaced as a whole");
        assert!(matches!(overlaps(&[file("r.toml", "x = [")], &[], &[]), Err(FieldError::NotAFragment { .. })));
    }
}
