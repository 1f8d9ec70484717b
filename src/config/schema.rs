//! The shape of the configuration as data: every table, every key, what it takes. The checker walks a file along this tree, so that
//! all problems come out at once; a test proves that it and the serde types say the same.

use crate::model::{Cause, FindingCode};

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number between the two, both included.
    Integer(i64, i64),
    /// One line of any text, not empty.
    Text,
    /// A word that can stand in a subject or a file name: no spaces, dots, stars or slashes.
    Word,
    /// Words with dots between them, one of them or a part of one `{epoch}`, so that no two logs meet there.
    Subject,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A duration between the two, in milliseconds, both included.
    Duration(u64, u64),
    /// A number of bytes.
    Size,
    /// An absolute path.
    Path,
    /// `embedded`, or an absolute path.
    Roots,
    /// An IP address.
    Address,
    /// `auto`, or an IP address.
    Gateway,
    /// A prefix without host bits.
    Prefix,
    /// An IP address and a port.
    Endpoint,
    /// `off`, or an IP address and a port.
    Listen,
    /// A host name or an IP address.
    Host,
    /// A host name or an IP address, and a port.
    Server,
    /// The name of an interface, or a pattern.
    Interface,
    /// A URL with one of these schemes.
    Url(&'static [&'static str]),
    /// A date and time with its offset.
    Timestamp,
    /// A time of day.
    TimeOfDay,
    /// Four hexadecimal digits.
    UsbId,
    /// 32 bytes in hexadecimal or base64.
    PublicKey,
    /// `example`, or an absolute path.
    RuleSet,
    /// The code of a cause or of a finding.
    Code,
    /// A list of these.
    List(&'static Kind),
    /// A table.
    Table(&'static [Key]),
    /// Several tables.
    Tables(&'static [Key], Merge),
    /// Several tables, each of a variant that its `kind` names; merged by name.
    Variants(&'static [Variant]),
}

/// What a table of one `kind` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// The word of `kind`.
    pub kind: &'static str,
    /// All keys but `kind`.
    pub keys: &'static [Key],
}

/// What a later file does to several tables of an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// Tables of the same `name` become one; new names are added.
    ByName,
    /// They are added.
    Append,
    /// They replace all earlier ones.
    Replace,
}

/// Whether a table can do without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It has a default, or may be left out.
    Optional,
    /// The table means nothing without it.
    Needed,
}

/// A key of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it must be there.
    pub need: Need,
}

pub(super) const fn may(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, need: Need::Optional }
}

pub(super) const fn must(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, need: Need::Needed }
}

const PORT: Kind = Kind::Integer(1, 65535);
const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const DAY: u64 = 24 * HOUR;
/// A threshold or a pace.
const SPAN: Kind = Kind::Duration(1, HOUR);

/// The whole file.
pub const ROOT: &[Key] = &[
    may("language", Kind::Choice(&["auto", "zh-CN", "en"])),
    may("state-dir", Kind::Path),
    may("run-dir", Kind::Path),
    may("log-level", Kind::Choice(&["error", "warn", "info", "debug", "trace"])),
    may("while-down", Kind::Text),
    may("terminal", Kind::Table(TERMINAL)),
    may("contacts", Kind::Table(CONTACTS)),
    may("network", Kind::Table(NETWORK)),
    may("vpn", Kind::Tables(VPN, Merge::ByName)),
    may("dns", Kind::Table(DNS)),
    may("centre", Kind::Tables(CENTRE, Merge::ByName)),
    may("probe", Kind::Table(PROBE)),
    may("isolation", Kind::Table(ISOLATION)),
    may("usb", Kind::Table(&[may("allow", Kind::Tables(USB_DEVICE, Merge::Replace))])),
    may("clock", Kind::Table(CLOCK)),
    may("rules", Kind::Table(RULES)),
    may("upload", Kind::Table(UPLOAD)),
    may("maintenance", Kind::Tables(MAINTENANCE, Merge::Append)),
    may("sink", Kind::Variants(SINK)),
    may("web", Kind::Table(&[may("listen", Kind::Listen)])),
    may("retention", Kind::Table(RETENTION)),
];

const TERMINAL: &[Key] = &[
    may("id", Kind::Word),
    may("institution", Kind::Text),
    may("name", Kind::Text),
    may("kind", Kind::Choice(&["pharmacy", "clinic", "hospital", "other"])),
    may("site", Kind::Text),
    may("region", Kind::Word),
    may("line", Kind::Text),
    may("person-in-charge", Kind::Text),
    may("local-services", Kind::List(&Kind::Endpoint)),
];

const CONTACTS: &[Key] = &[
    may("order", Kind::List(&Kind::Choice(ROLES))),
    may("vendor", Kind::Table(CONTACT)),
    may("software", Kind::Table(CONTACT)),
    may("operator", Kind::Table(CONTACT)),
    may("bureau", Kind::Table(CONTACT)),
    may("institution", Kind::Table(CONTACT)),
    may("insured", Kind::Table(CONTACT)),
    may("centre", Kind::Table(CONTACT)),
];

/// Those who can be called.
const ROLES: &[&str] = &["vendor", "software", "operator", "bureau", "institution", "insured", "centre"];

const CONTACT: &[Key] = &[must("name", Kind::Text), must("phone", Kind::Text)];

const NETWORK: &[Key] = &[
    may("access", Kind::Choice(&["leased-line", "vpn-box", "vpn-over-internet", "front-end", "unknown"])),
    may("allowed-prefixes", Kind::List(&Kind::Prefix)),
    may("gateway", Kind::Gateway),
];

const VPN: &[Key] = &[
    must("name", Kind::Text),
    may("kind", Kind::Choice(&["wireguard", "openvpn", "openconnect", "l2tp", "ipsec", "tun"])),
    must("interface", Kind::Interface),
    may("server", Kind::Server),
    may("transport", Kind::Choice(&["udp", "tcp"])),
    may("unit", Kind::Text),
    may("process", Kind::Text),
    may("management", Kind::Path),
    may("log", Kind::Path),
    may("inside", Kind::Address),
];

const DNS: &[Key] = &[
    may("resolvers", Kind::List(&Kind::Address)),
    may("names", Kind::List(&Kind::Host)),
    may("expect-prefixes", Kind::List(&Kind::Prefix)),
    may("control-name", Kind::Host),
    may("slow", SPAN),
];

const CENTRE: &[Key] = &[
    must("name", Kind::Text),
    must("host", Kind::Host),
    may("ping", Kind::Boolean),
    may("tcp", Kind::List(&PORT)),
    may("tls", Kind::Table(CENTRE_TLS)),
    may("http", Kind::Table(CENTRE_HTTP)),
    may("via", Kind::Text),
    may("addresses", Kind::List(&Kind::Address)),
    may("expect-prefixes", Kind::List(&Kind::Prefix)),
    may("upload-test", Kind::Table(&[must("url", Kind::Url(&["https", "http"])), may("bytes", Kind::Integer(1500, 1_000_000))])),
    may("critical", Kind::Boolean),
];

const CENTRE_TLS: &[Key] = &[
    may("port", PORT),
    may("ca", Kind::Path),
    may("server-name", Kind::Host),
    may("client-cert", Kind::Path),
    may("client-key", Kind::Path),
];

const CENTRE_HTTP: &[Key] = &[
    must("url", Kind::Url(&["https", "http"])),
    may("status", Kind::List(&Kind::Integer(100, 599))),
    may("slow", SPAN),
    may("maintenance-marker", Kind::Text),
];

const PROBE: &[Key] = &[
    may("interval", Kind::Duration(SECOND, DAY)),
    may("timeout", Kind::Duration(100, 60 * SECOND)),
    may("raise", Kind::Table(&[may("failures", Kind::Integer(1, 1000)), may("within", Kind::Duration(1, DAY))])),
    may("clear", Kind::Table(&[may("successes", Kind::Integer(1, 1000)), may("within", Kind::Duration(1, DAY))])),
];

const ISOLATION: &[Key] = &[
    may("mode", Kind::Choice(&["event-only", "periodic", "off"])),
    may("interval", Kind::Duration(SECOND, DAY)),
    may("roots", Kind::Roots),
    may("anchors", Kind::Tables(ANCHOR, Merge::Replace)),
    may("controls", Kind::List(&Kind::Endpoint)),
    may("canary", Kind::Table(&[must("address", Kind::Endpoint), must("public-key", Kind::PublicKey)])),
    may("approved-by", Kind::Text),
    may("approval-no", Kind::Text),
];

const ANCHOR: &[Key] = &[must("address", Kind::Endpoint), must("server-name", Kind::Host), must("operator", Kind::Text)];

const USB_DEVICE: &[Key] = &[must("vendor", Kind::UsbId), must("product", Kind::UsbId), may("serial", Kind::Text)];

const CLOCK: &[Key] = &[may("step", SPAN), may("time-daemons", Kind::List(&Kind::Text))];

const RULES: &[Key] = &[
    may("set", Kind::RuleSet),
    may("forbidden-software", Kind::List(&Kind::Text)),
    may("antivirus", Kind::List(&Kind::Text)),
    may("firewall", Kind::Choice(&["auto", "nftables", "none"])),
    may("bureau-key", Kind::PublicKey),
];

const UPLOAD: &[Key] = &[may("marker", Kind::Path), may("download-marker", Kind::Path), may("due", Kind::TimeOfDay)];

const MAINTENANCE: &[Key] = &[must("from", Kind::Timestamp), must("to", Kind::Timestamp), may("note", Kind::Text)];

/// The codes of all causes, then of all findings.
pub(super) const CODES: &[&str] = &{
    let mut codes = [""; Cause::ALL.len() + FindingCode::ALL.len()];
    let mut i = 0;
    while i < codes.len() {
        codes[i] = if i < Cause::ALL.len() { Cause::ALL[i].code() } else { FindingCode::ALL[i - Cause::ALL.len()].code() };
        i += 1;
    }
    codes
};

/// The kinds of sinks.
pub const SINK_KINDS: &[&str] = &["journal", "syslog", "nats"];

const SINK: &[Variant] = &[
    Variant { kind: "journal", keys: &[must("name", Kind::Text)] },
    Variant {
        kind: "syslog",
        keys: &[
            must("name", Kind::Text),
            must("address", Kind::Endpoint),
            may("transport", Kind::Choice(&["tls", "tcp"])),
            may("server-name", Kind::Host),
            may("ca", Kind::Path),
            may("client-cert", Kind::Path),
            may("client-key", Kind::Path),
            may("enterprise-number", Kind::Integer(1, 4_294_967_295)),
            may("heartbeat", Kind::Duration(SECOND, DAY)),
            may("retry", RETRY),
        ],
    },
    Variant {
        kind: "nats",
        keys: &[
            must("name", Kind::Text),
            must("servers", Kind::List(&Kind::Url(&["tls", "nats"]))),
            may("stream", Kind::Word),
            may("domain", Kind::Word),
            may("subject", Kind::Subject),
            may("credentials", Kind::Path),
            may("ca", Kind::Path),
            may("client-cert", Kind::Path),
            may("client-key", Kind::Path),
            may("heartbeat", Kind::Duration(SECOND, DAY)),
            may("retry", RETRY),
        ],
    },
];

// Pauses are drawn from none to the whole: a shorter span is a storm upon a receiver that is away.
const RETRY: Kind = Kind::Table(&[may("first", Kind::Duration(SECOND, HOUR)), may("longest", Kind::Duration(SECOND, DAY))]);

const RETENTION: &[Key] = &[may("keep", Kind::Duration(DAY, 3660 * DAY)), may("unacknowledged", Kind::Size)];

/// The tables below the root that have a key of this name, as their headers are written.
pub(super) fn tables_with(key: &str) -> Vec<String> {
    fn look(keys: &[Key], path: &str, key: &str, found: &mut Vec<String>) {
        let has = |keys: &[Key]| keys.iter().any(|k| k.name == key);
        for k in keys {
            let below = if path.is_empty() { k.name.to_owned() } else { format!("{path}.{}", k.name) };
            match k.kind {
                Kind::Table(inner) => {
                    if has(inner) {
                        found.push(format!("[{below}]"));
                    }
                    look(inner, &below, key, found);
                }
                Kind::Tables(inner, _) => {
                    if has(inner) {
                        found.push(format!("[[{below}]]"));
                    }
                    look(inner, &below, key, found);
                }
                Kind::Variants(variants) if variants.iter().any(|variant| has(variant.keys)) => found.push(format!("[[{below}]]")),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    look(ROOT, "", key, &mut found);
    found
}

/// The known word that was probably meant: at most a third of the letters differ (exchanged neighbours count once).
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let word = word.to_ascii_lowercase().replace('_', "-");
    known
        .into_iter()
        .map(|candidate| (edits(&word, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(edits, candidate)| *edits <= (candidate.len() / 3).max(1))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance.
fn edits(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_far_ones_are_not() {
        let known = ["interval", "timeout", "raise", "clear"];
        assert_eq!(nearest("intervall", known), Some("interval"));
        assert_eq!(nearest("tiemout", known), Some("timeout"));
        assert_eq!(nearest("state_dir", ["state-dir"]), Some("state-dir"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("超时", known), None);
    }

    #[test]
    fn a_key_is_found_in_its_own_tables() {
        assert_eq!(tables_with("phone").len(), 7);
        assert_eq!(tables_with("phone")[0], "[contacts.vendor]");
        assert_eq!(tables_with("listen"), ["[web]"]);
        assert_eq!(tables_with("enterprise-number"), ["[[sink]]"]);
        assert_eq!(tables_with("maintenance-marker"), ["[centre.http]"]);
    }
}
