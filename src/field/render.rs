//! The two files, and how a file of ours is told from one that a person wrote or changed.

use super::choose::is_shortened;
use super::columns::{self, Column, Step};
use super::error::{FieldError, Near};
use super::list::{List, Row};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use toml::Value;

/// The file of what the region has in common, in `conf.d`.
pub const REGION_FILE: &str = "10-region.toml";
/// The file of what is said of this terminal alone.
pub const SITE_FILE: &str = "20-site.toml";
/// Lines that stand above what was given.
pub const HEAD: usize = 3;

/// How the first line begins.
const MARK: &str = "# isonet enroll, sha256 ";
/// The second line.
const NOTICE: &str = "# 由 isonet enroll 写成，请勿修改；本机自己的设置写在 90-local.toml。 / Written by isonet enroll, not to be changed: this PC's own settings go to 90-local.toml.";

/// Whose a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is not there.
    Absent,
    /// It is as it was written.
    Ours,
    /// A person wrote or changed it.
    Theirs,
}

/// Whose the file in the place of ours is.
pub fn standing(there: Option<&[u8]>) -> Standing {
    let Some(bytes) = there else { return Standing::Absent };
    let stamped = std::str::from_utf8(bytes).ok().and_then(|text| text.strip_prefix(MARK)?.split_once('\n'));
    match stamped {
        Some((told, rest)) if told == digest(rest) => Standing::Ours,
        _ => Standing::Theirs,
    }
}

/// The region's file: the fragment as it is, under our head. `from` is its name.
pub fn region_file(from: &str, fragment: &str) -> String {
    stamped(from, &fragment.replace("\r\n", "\n"))
}

/// The site's file, and from which column each of its lines comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFile {
    /// All of it.
    pub text: String,
    /// By line, from 1: the column's number.
    origins: Vec<Option<usize>>,
}

impl SiteFile {
    /// The column from which a line comes.
    pub fn column_of(&self, line: usize) -> Option<usize> {
        self.origins.get(line.checked_sub(1)?).copied().flatten()
    }
}

/// The site's file: every cell of the row that is a key, in the tables that they belong to. `from` is the list's name.
pub fn site_file(from: &str, list: &List, row: &Row) -> Result<SiteFile, FieldError> {
    // In the order of the columns; keys of one table stand together, those of the root come first.
    let mut tables: Vec<(String, Vec<(String, usize)>)> = vec![(String::new(), Vec::new())];
    for (at, column, cell) in list.said(row) {
        let Column::Key(key) = column else { continue };
        if is_shortened(cell) {
            let column = list.headers.get(at).cloned().unwrap_or_default();
            return Err(FieldError::Shortened { file: from.to_owned(), near: Near { line: row.line, column, cell: cell.to_owned() } });
        }
        let Some((table, rest)) = columns::steps(key).and_then(|steps| placed(&steps)) else { continue };
        let line = (format!("{rest} = {}", columns::value(key, cell)), at);
        match tables.iter_mut().find(|(name, _)| *name == table) {
            Some((_, lines)) => lines.push(line),
            None => tables.push((table, vec![line])),
        }
    }
    let (mut body, mut origins) = (String::new(), vec![None; HEAD]);
    for (table, lines) in tables {
        let own = table.lines().map(|line| (line.to_owned(), None));
        for (line, origin) in own.chain(lines.into_iter().map(|(line, at)| (line, Some(at)))) {
            let _ = writeln!(body, "{line}");
            origins.push(origin);
        }
    }
    Ok(SiteFile { text: stamped(from, &body), origins })
}

/// The header of the table (with its name where there are several of them), and the rest of the key.
fn placed(steps: &[Step<'_>]) -> Option<(String, String)> {
    let (first, below) = steps.split_first()?;
    let rest = below.iter().map(|step| step.key).collect::<Vec<_>>().join(".");
    Some(match first.name {
        _ if below.is_empty() => (String::new(), first.key.to_owned()),
        Some(name) => (format!("[[{}]]\nname = {}", first.key, Value::from(name)), rest),
        None => (format!("[{}]", first.key), rest),
    })
}

fn stamped(from: &str, body: &str) -> String {
    let from: String = from.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    let end = if body.is_empty() || body.ends_with('\n') { "" } else { "\n" };
    let rest = format!("{NOTICE}\n# {from}\n{body}{end}");
    format!("{MARK}{}\n{rest}", digest(&rest))
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const LIST: &str =
        "code,name,language,vpn[centre].interface,centre[settle.a].tls.port,operator-phone,centre[settle.a].tcp,vpn[centre].kind,note
P001,\"\u{57ce}\u{5357} \"\"A\"\"\",en,ppp*,8443,029-1,443 8443,l2tp,hello
6.1E+11,b,,,,,,,
";

    fn site(at: usize) -> Result<SiteFile, FieldError> {
        let list = List::read("sites.csv", LIST.as_bytes()).expect("a list");
        site_file("sites.csv", &list, &list.rows[at])
    }

    #[test]
    fn a_row_becomes_a_configuration_that_says_the_same() {
        let site = site(0).expect("a file");
        let region = "[contacts.operator]\nname = 'x'\nphone = '1'\n[[vpn]]\nname = 'centre'\ninterface = 'tun0'\n[[centre]]\nname = 'settle.a'\nhost = 'h'\n";
        let files = vec![("10.toml".into(), region.as_bytes().to_vec()), ("20.toml".into(), site.text.clone().into_bytes())];
        let config = parse(files).expect("a configuration");
        assert_eq!(config.terminal.institution.as_deref(), Some("P001"));
        assert_eq!(config.terminal.name.as_deref(), Some("城南 \"A\""));
        assert_eq!(config.vpns.len(), 1);
        assert_eq!((config.vpns[0].interface.as_str(), config.vpns[0].kind), ("ppp*", crate::config::VpnKind::L2tp));
        assert_eq!(config.centres[0].tls.as_ref().map(|tls| tls.port), Some(8443));
        assert_eq!(config.centres[0].tcp, [443, 8443]);
        assert_eq!(config.contacts.of.values().next().map(|contact| contact.phone.as_str()), Some("029-1"));
        assert_eq!(config.language, crate::config::LanguageChoice::En);
    }

    #[test]
    fn every_line_knows_its_column() {
        let site = site(0).expect("a file");
        let line = |text: &str| site.text.lines().position(|line| line.starts_with(text)).expect(text) + 1;
        assert_eq!(site.column_of(line("institution")), Some(0));
        assert_eq!(site.column_of(line("language")), Some(2));
        assert_eq!(site.column_of(line("kind")), Some(7));
        assert_eq!(
            (site.column_of(line("[terminal]")), site.column_of(1), site.column_of(0), site.column_of(99)),
            (None, None, None, None)
        );
    }

    #[test]
    fn a_code_that_a_spreadsheet_shortened_is_not_written() {
        assert!(matches!(site(1), Err(FieldError::Shortened { near: Near { line: 3, .. }, .. })));
    }

    #[test]
    fn ours_is_told_from_what_a_person_wrote_or_changed() {
        let ours = region_file("region.toml", "language = 'en'\r\n");
        assert_eq!(ours.lines().nth(HEAD), Some("language = 'en'"), "the head has so many lines");
        assert_eq!(standing(Some(ours.as_bytes())), Standing::Ours);
        assert_eq!(standing(None), Standing::Absent);
        for theirs in [
            ours.replace("'en'", "'zh-CN'"),
            format!("{ours}\n"),
            ours.replace("region.toml", "x"),
            "language = 'en'\n".to_owned(),
            String::new(),
        ] {
            assert_eq!(standing(Some(theirs.as_bytes())), Standing::Theirs, "{theirs}");
        }
        assert_eq!(standing(Some(b"\xff")), Standing::Theirs);
        assert_eq!(region_file("r", ""), region_file("r", ""), "the same gives the same");
    }
}
