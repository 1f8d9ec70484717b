//! The files that a configuration names, each with its place in the configuration.
//!
//! Pure: whether they are there and right is looked at by `check-config`, and again by whoever uses them. Loading never depends on it: a
//! configuration is not wrong because a file is missing at the moment.

use super::problem::{Excerpt, Located, Problem, Source};
use super::schema::{Key, Kind, ROOT};
use super::tree::{Node, Table, text};
use std::path::{Path, PathBuf};

/// What a named file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileRole {
    /// Certificates to trust, PEM.
    Authority,
    /// A certificate of this terminal, PEM.
    Certificate,
    /// Its private key, PEM.
    Key,
    /// What a sink shows to its server.
    Credentials,
    /// A VPN client's log.
    Log,
    /// A VPN client's control socket.
    Management,
    /// A file that another program touches when it is done.
    Marker,
}

impl FileRole {
    fn of(key: &str) -> Option<Self> {
        Some(match key {
            "ca" | "roots" => Self::Authority,
            "client-cert" => Self::Certificate,
            "client-key" => Self::Key,
            "credentials" => Self::Credentials,
            "log" => Self::Log,
            "management" => Self::Management,
            "marker" | "download-marker" => Self::Marker,
            _ => return None,
        })
    }

    /// Another program makes it, perhaps later: that it is not there now is no mistake of the configuration's.
    pub fn may_come_later(self) -> bool {
        match self {
            Self::Log | Self::Management | Self::Marker => true,
            Self::Authority | Self::Certificate | Self::Key | Self::Credentials => false,
        }
    }
}

/// What is wrong with a named file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFault {
    /// It is not there.
    Absent,
    /// This user may not read it.
    Forbidden,
    /// A directory, a pipe or a device stands in its place.
    NotAFile,
    /// No socket stands in its place.
    NotASocket,
    /// Larger than this many bytes.
    TooLarge(u64),
    /// The kernel's words.
    Unreadable(String),
    /// No certificate in PEM form is in it.
    NoCertificate,
    /// No private key in PEM form is in it.
    NoKey,
    /// It is PEM, and damaged: how.
    Damaged(String),
    /// One of the certificates in it cannot be read: which, from 1.
    BadCertificate(usize),
    /// The key does not belong to the certificate beside it: how.
    NotItsKey(String),
}

/// A file that is named in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// The file.
    pub path: PathBuf,
    /// What it is for.
    pub role: FileRole,
    /// The path of its key, such as `centre[settlement].tls.ca`.
    pub key: String,
    file: PathBuf,
    line: usize,
    column: usize,
    excerpt: Option<Excerpt>,
}

impl NamedFile {
    /// What is wrong with it, as a problem of the configuration at this place.
    pub fn problem(&self, fault: FileFault) -> Located {
        Located {
            file: self.file.clone(),
            line: self.line,
            column: self.column,
            key: self.key.clone(),
            problem: Problem::File { path: self.path.clone(), role: self.role, fault },
            excerpt: self.excerpt.clone(),
        }
    }

    /// The table that the key is in.
    pub fn table(&self) -> &str {
        self.key.rsplit_once('.').map_or("", |(table, _)| table)
    }
}

/// All files that are named, in the order of their places.
pub(super) fn collect(root: &Table, sources: &[Source]) -> Vec<NamedFile> {
    let mut found = Vec::new();
    of_table(ROOT, root, "", &mut |kind, node, key| {
        found.extend(named(kind, node, key, sources));
    });
    let rank = |file: &Path| sources.iter().position(|source| source.path == file);
    found.sort_by_key(|named| (rank(&named.file), named.line, named.column));
    found
}

fn named(kind: Kind, node: &Node, key: &str, sources: &[Source]) -> Option<NamedFile> {
    let path = node.text()?;
    if !matches!(kind, Kind::Path | Kind::Roots) || (kind == Kind::Roots && path == "embedded") {
        return None;
    }
    let role = FileRole::of(key.rsplit('.').next()?)?;
    let source = sources.get(node.place.file)?;
    let at = source.locate(&node.place.span, key.to_owned(), Problem::More(0));
    let Located { file, line, column, key, excerpt, .. } = at;
    Some(NamedFile { path: path.into(), role, key, file, line, column, excerpt })
}

type Visit<'a> = dyn FnMut(Kind, &Node, &str) + 'a;

fn of_table(keys: &'static [Key], table: &Table, path: &str, visit: &mut Visit<'_>) {
    for key in keys {
        let Some(entry) = table.get(key.name) else { continue };
        let below = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        match (key.kind, entry.node.table()) {
            (Kind::Table(keys), Some(table)) => of_table(keys, table, &below, visit),
            (Kind::Tables(..) | Kind::Variants(_), _) => {
                for (i, item) in entry.node.list().iter().enumerate() {
                    let Some(table) = item.table() else { continue };
                    let name = text(table, "name").map_or_else(|| format!("#{}", i + 1), str::to_owned);
                    of_table(keys_of(key.kind, table), table, &format!("{below}[{name}]"), visit);
                }
            }
            (kind, _) => visit(kind, &entry.node, &below),
        }
    }
}

fn keys_of(kind: Kind, table: &Table) -> &'static [Key] {
    match kind {
        Kind::Tables(keys, _) => keys,
        Kind::Variants(variants) => {
            variants.iter().find(|variant| Some(variant.kind) == text(table, "kind")).map_or(&[], |variant| variant.keys)
        }
        _ => &[],
    }
}
