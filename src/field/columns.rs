//! What a column means: a mark of the PC, what is expected there, a key of the configuration, or a word for the sheet alone.

use super::error::FieldError;
use crate::config::schema::{Key, Kind, Merge, ROOT};
use toml::Value;

/// The meaning of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// Tells which PC is meant.
    Mark(Mark),
    /// The default gateway that should be found there.
    Gateway,
    /// A key of the configuration, as `check-config` writes it.
    Key(String),
    /// Stands on the acceptance sheet and nowhere else.
    Note,
    /// Nothing that isonet knows.
    Unused,
}

/// What tells a PC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Its host name.
    Hostname,
    /// A hardware address of one of its cards.
    Mac,
    /// Its address, or the prefix it lies in. With `--site` this is only what is expected.
    Address,
}

impl Column {
    /// The key, where it is one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Mark(_) | Self::Gateway | Self::Note | Self::Unused => None,
        }
    }
}

/// Short names, in English and Chinese, and what they mean: a key, or (with an exclamation mark) something else.
const KNOWN: &[(&str, &[&str])] = &[
    ("terminal.institution", &["code", "site-code", "机构编码", "机构代码", "站点编码", "编码"]),
    ("terminal.name", &["name", "site-name", "机构名称", "站点名称", "名称"]),
    ("terminal.site", &["terminal", "place", "终端", "终端名称", "位置"]),
    ("terminal.kind", &["kind", "机构类型", "类型"]),
    ("terminal.region", &["region", "区划", "区划代码"]),
    ("terminal.line", &["line", "线路"]),
    ("terminal.person-in-charge", &["person", "负责人"]),
    ("contacts.operator.phone", &["operator-phone", "运营商电话"]),
    ("contacts.institution.phone", &["it-phone", "信息科电话"]),
    ("network.access", &["access", "接入方式"]),
    ("network.allowed-prefixes", &["inside", "专网网段"]),
    ("!hostname", &["hostname", "主机名"]),
    ("!mac", &["mac", "网卡地址", "mac地址"]),
    ("!address", &["address", "ip", "本机地址", "ip地址"]),
    ("!gateway", &["gateway", "网关"]),
    ("!note", &["phone", "电话", "联系电话"]),
    ("!note", &["vpn-user", "vpn账号", "vpn用户"]),
    ("!note", &["note", "备注"]),
];

/// Words of the sheet for words of the configuration.
const WORDS: &[(&str, &[(&str, &str)])] = &[
    ("terminal.kind", &[("药店", "pharmacy"), ("零售药店", "pharmacy"), ("诊所", "clinic"), ("医院", "hospital"), ("其他", "other")]),
    (
        "network.access",
        &[
            ("专线", "leased-line"),
            ("VPN 设备", "vpn-box"),
            ("VPN设备", "vpn-box"),
            ("宽带上的 VPN", "vpn-over-internet"),
            ("宽带上的VPN", "vpn-over-internet"),
            ("前置机", "front-end"),
        ],
    ),
];

/// What these columns mean. A key that does not exist and a meaning that stands there twice are errors; a word that nobody knows is not.
pub(super) fn understand(file: &str, headers: &[String]) -> Result<Vec<Column>, FieldError> {
    let mut columns: Vec<Column> = Vec::with_capacity(headers.len());
    for header in headers {
        let column = meaning(header);
        let repeats = !matches!(column, Column::Note | Column::Unused);
        if let Some(first) = columns.iter().position(|earlier| repeats && *earlier == column) {
            return Err(FieldError::SameColumn {
                file: file.to_owned(),
                first: headers.get(first).cloned().unwrap_or_default(),
                second: header.clone(),
            });
        }
        if column == Column::Unused && looks_like_a_key(header) {
            return Err(FieldError::NoSuchKey { file: file.to_owned(), column: header.clone() });
        }
        columns.push(column);
    }
    Ok(columns)
}

fn meaning(header: &str) -> Column {
    let plain = header.to_lowercase().replace([' ', '_'], "-");
    let bare = plain.replace('-', "");
    let is_it = |names: &[&str]| names.iter().any(|name| *name == plain || *name == bare);
    match KNOWN.iter().find(|(_, names)| is_it(names)).map(|(what, _)| *what) {
        Some("!hostname") => Column::Mark(Mark::Hostname),
        Some("!mac") => Column::Mark(Mark::Mac),
        Some("!address") => Column::Mark(Mark::Address),
        Some("!gateway") => Column::Gateway,
        Some("!note") => Column::Note,
        Some(key) => Column::Key(key.to_owned()),
        None if kind_of(header).is_some() => Column::Key(header.to_owned()),
        None => Column::Unused,
    }
}

/// A mistake in it must not go unnoticed.
fn looks_like_a_key(header: &str) -> bool {
    header.contains('[') || (header.contains('.') && header.is_ascii() && steps(header).is_some())
}

/// A step of a key's path: the key, and the name of one of several tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step<'a> {
    pub(super) key: &'a str,
    pub(super) name: Option<&'a str>,
}

/// `vpn[centre].kind` as steps. A name ends at the bracket and may hold anything else.
pub(super) fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let (mut steps, mut rest) = (Vec::new(), path);
    loop {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let key = &rest[..end];
        if key.is_empty() {
            return None;
        }
        rest = &rest[end..];
        let name = match rest.strip_prefix('[') {
            None => None,
            Some(inside) => {
                let (name, after) = inside.split_once(']')?;
                rest = after;
                Some(name).filter(|name| !name.is_empty() && !name.starts_with('#')).map(Some)?
            }
        };
        steps.push(Step { key, name });
        match rest.strip_prefix('.') {
            Some(below) => rest = below,
            None if rest.is_empty() => return Some(steps),
            None => return None,
        }
    }
}

/// What the key takes; `None` = there is no such key, or it is a table.
pub(super) fn kind_of(path: &str) -> Option<Kind> {
    let steps = steps(path)?;
    let mut keys: Vec<&'static Key> = ROOT.iter().collect();
    for (i, step) in steps.iter().enumerate() {
        let kind = keys.iter().find(|key| key.name == step.key)?.kind;
        keys = match (kind, step.name) {
            (Kind::Table(inner), None) => inner.iter().collect(),
            // The name is what finds the table: it cannot be set by a cell.
            (Kind::Tables(inner, Merge::ByName), Some(_)) => inner.iter().filter(|key| key.name != "name").collect(),
            (Kind::Variants(variants), Some(_)) => variants.iter().flat_map(|one| one.keys).filter(|key| key.name != "name").collect(),
            (Kind::Table(_) | Kind::Tables(..) | Kind::Variants(_), _) | (_, Some(_)) => return None,
            (leaf, None) => return (i + 1 == steps.len()).then_some(leaf),
        };
    }
    None
}

/// A cell as the value of its key. What does not fit becomes text, which `check-config`'s machinery then refuses with its line.
pub(super) fn value(key: &str, cell: &str) -> Value {
    let word = WORDS.iter().find(|(of, _)| *of == key).and_then(|(_, words)| words.iter().find(|(chinese, _)| *chinese == cell));
    let cell = word.map_or(cell, |(_, word)| word);
    typed(kind_of(key), cell)
}

fn typed(kind: Option<Kind>, cell: &str) -> Value {
    let text = || Value::String(cell.to_owned());
    match kind {
        Some(Kind::Boolean) => match cell.to_lowercase().as_str() {
            "true" | "yes" | "是" => Value::Boolean(true),
            "false" | "no" | "否" => Value::Boolean(false),
            _ => text(),
        },
        Some(Kind::Integer(..)) => cell.parse().map_or_else(|_| text(), Value::Integer),
        Some(Kind::List(of)) => {
            // What may hold blanks itself is parted by semicolons only.
            let blanks = !matches!(of, Kind::Text);
            let parts = cell.split(|c: char| ";；".contains(c) || (blanks && (c.is_whitespace() || "、,，".contains(c))));
            Value::Array(parts.map(str::trim).filter(|part| !part.is_empty()).map(|part| typed(Some(*of), part)).collect())
        }
        _ => text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(line: &str) -> Result<Vec<Column>, FieldError> {
        understand("sites.csv", &line.split(',').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn columns_have_names_in_both_languages_or_are_keys() {
        let english = understood("code,name,terminal,Host Name,MAC,IP,gateway,phone,vpn[centre].interface,remarks").expect("columns");
        let chinese =
            understood("机构编码,机构名称,终端,主机名,网卡地址,本机地址,网关,联系电话,vpn[centre].interface,序号").expect("columns");
        assert_eq!(english[..9], chinese[..9]);
        assert_eq!(english[3], Column::Mark(Mark::Hostname));
        assert_eq!(english[8], Column::Key("vpn[centre].interface".to_owned()));
        assert_eq!((&english[9], &chinese[9]), (&Column::Unused, &Column::Unused));
    }

    #[test]
    fn a_key_that_does_not_exist_and_one_that_stands_there_twice_are_told() {
        let told = understood("code,centre[settlement].hots").expect_err("no such key");
        assert_eq!(told, FieldError::NoSuchKey { file: "sites.csv".to_owned(), column: "centre[settlement].hots".to_owned() });
        assert!(matches!(understood("code,机构编码"), Err(FieldError::SameColumn { .. })));
        assert!(matches!(understood("name,terminal.name"), Err(FieldError::SameColumn { .. })));
        assert!(understood("vpn[centre.interface").is_err() && understood("terminal.nmae").is_err());
        assert!(understood("note,备注,remarks,remarks,No.,S.No").is_err(), "a dot inside looks like a key");
        assert!(understood("note,备注,remarks,remarks,No.").is_ok());
    }

    #[test]
    fn a_cell_reaches_every_leaf_and_no_table() {
        for key in [
            "language",
            "terminal.name",
            "vpn[a b.c].server",
            "centre[x].tls.ca",
            "centre[x].tcp",
            "sink[audit].address",
            "probe.raise.failures",
        ] {
            assert!(kind_of(key).is_some(), "{key}");
        }
        for key in [
            "terminal",
            "vpn.server",
            "vpn[].server",
            "vpn[#1].server",
            "vpn[x]",
            "vpn[x].name",
            "centre[x].tls",
            "usb.allow",
            "terminal[x].name",
            "terminal.name.x",
            "",
            ".",
            "a[",
            "vpn[x]y.kind",
        ] {
            assert!(kind_of(key).is_none(), "{key}");
        }
    }

    #[test]
    fn a_cell_becomes_what_its_key_takes() {
        let text = |key: &str, cell: &str| value(key, cell).to_string();
        assert_eq!(text("terminal.kind", "零售药店"), "\"pharmacy\"");
        assert_eq!(text("terminal.kind", "pharmacy"), "\"pharmacy\"");
        assert_eq!(text("centre[a].critical", "否"), "false");
        assert_eq!(text("centre[a].tcp", "443; 8443"), "[443, 8443]");
        assert_eq!(text("network.allowed-prefixes", "10.0.0.0/8、172.16.0.0/12"), "[\"10.0.0.0/8\", \"172.16.0.0/12\"]");
        assert_eq!(text("clock.time-daemons", "a b;c"), "[\"a b\", \"c\"]");
        assert_eq!(text("centre[a].tls.port", "many"), "\"many\"", "for the checker to refuse");
        assert_eq!(text("terminal.name", "say \"x\""), "'say \"x\"'");
    }
}
