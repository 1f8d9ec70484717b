//! What of a file can be shown to others: the keys that exist, with values of their kind. Whatever else a person wrote (unknown keys, values that
//! do not fit, comments, all of a file that is no TOML) may be anything, a password among it, and is only said to be there.

use super::problem::{Located, Problem, Source};
use super::schema::ROOT;
use super::tree::plain;
use super::walk;
use std::path::PathBuf;

/// A file as far as it can be shown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Known {
    /// What is known and fits.
    pub table: toml::Table,
    /// Line and key of what was left out.
    pub left_out: Vec<(usize, String)>,
    /// The text that was left out, for whoever has to find it elsewhere and hide it there, too. Never to be shown.
    pub hidden: Vec<String>,
}

/// Reads the text of a file. Pure.
pub fn known(file: PathBuf, text: &str) -> Known {
    let source = Source { path: file, text: text.trim_start_matches('\u{feff}').to_owned() };
    let (table, problems) = walk::file(ROOT, 0, &source);
    let is_toml = problems.iter().all(|problem| !matches!(problem.problem, Problem::Syntax(_) | Problem::More(_)));
    let hidden = problems.iter().filter_map(shown_line).flat_map(parts).collect();
    let left_out = problems.into_iter().map(|problem| (problem.line, problem.key)).collect();
    Known { table: if is_toml { plain(table) } else { toml::Table::new() }, left_out, hidden }
}

fn shown_line(problem: &Located) -> Option<&str> {
    Some(problem.excerpt.as_ref()?.text.as_str())
}

/// The line as it would be quoted, and what stands in it as a value.
fn parts(line: &str) -> Vec<String> {
    let value = line.split_once('=').map(|(_, value)| value.trim().trim_matches(['"', '\'']).to_owned());
    [Some(line.trim().to_owned()), value].into_iter().flatten().filter(|part| part.chars().count() >= 6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_keys_with_fitting_values_are_shown() {
        let known = known(
            "x.toml".into(),
            "# hunter0\nlanguage = \"hunter1\"\npassword = \"hunter22\"\n[terminal]\nname = \"shop\" # hunter3\n[[centre]]\nname = \"a\"\nhost = \"h\"\ntcp = \"hunter44\"\n[hunter]\nx = \"hunter55\"\n",
        );
        let shown = known.table.to_string();
        assert!(shown.contains("shop") && !shown.contains("hunter"), "{shown}");
        assert_eq!(known.left_out.iter().map(|(line, _)| *line).collect::<Vec<_>>().len(), 4);
        for secret in ["hunter1", "hunter22", "hunter44"] {
            assert!(known.hidden.iter().any(|hidden| hidden == secret), "{secret}: {:?}", known.hidden);
        }
    }

    #[test]
    fn nothing_is_shown_of_what_is_no_toml() {
        let known = known("x.toml".into(), "[terminal]\nname = \"a\"\nhunter2 hunter3\n");
        assert!(known.table.is_empty() && !known.left_out.is_empty());
        assert!(known.hidden.iter().any(|hidden| hidden == "hunter2 hunter3"));
    }
}
