//! Single values against their kind.

use super::problem::{Found, Problem};
use super::rule_set::EXAMPLE;
use super::schema::{CODES, Kind, nearest};
use super::text::{ByteSize, duration};
use super::tree::Value;
use super::vpn::{IfPattern, ServerName, is_host};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use toml::de::DeValue;
use url::Url;

/// What a value is, for telling.
pub(super) fn found(value: &DeValue<'_>) -> Found {
    match value {
        DeValue::String(text) => Found::Text(text.to_string()),
        DeValue::Integer(number) => Found::Integer(number.to_string()),
        DeValue::Float(number) => Found::Float(number.to_string()),
        DeValue::Boolean(value) => Found::Boolean(*value),
        DeValue::Datetime(at) => Found::Datetime(at.to_string()),
        DeValue::Array(_) => Found::List,
        DeValue::Table(_) => Found::Table,
    }
}

/// Checks a value that is neither list nor table.
pub(super) fn check(kind: Kind, value: &DeValue<'_>) -> Result<Value, Problem> {
    let bad = || Problem::BadValue { found: found(value), want: kind, nearest: None };
    match (kind, value) {
        (Kind::Boolean, DeValue::Boolean(value)) => Ok(Value::Boolean(*value)),
        (Kind::Integer(least, most), DeValue::Integer(number)) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) if (least..=most).contains(&number) => Ok(Value::Integer(number)),
            _ => Err(bad()),
        },
        (Kind::Boolean | Kind::Integer(..), _) => Err(bad()),
        // A date need not be quoted: what it says is plain.
        (Kind::Timestamp | Kind::TimeOfDay, DeValue::Datetime(at)) => check_text(kind, &at.to_string()),
        (_, DeValue::String(text)) => check_text(kind, text),
        _ => Err(bad()),
    }
}

/// One line without anything that could steer a terminal.
fn plain(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains(|c: char| c.is_control() || is_steering(c))
}

/// Line and paragraph separators, and marks that turn the direction of writing: they can make a line show something else than it says.
pub(super) fn is_steering(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether records can go there: words that NATS takes, and each epoch by itself.
fn is_subject(text: &str) -> bool {
    let filled = ["{region}", "{terminal}", "{epoch}"].iter().fold(text.to_owned(), |text, name| text.replace(name, "x"));
    text.contains("{epoch}")
        && !filled.contains(|c: char| c.is_whitespace() || "*>{}".contains(c))
        && filled.split('.').all(|word| !word.is_empty())
        && !filled.starts_with(['$', '_'])
}

fn check_text(kind: Kind, text: &str) -> Result<Value, Problem> {
    let absolute = || text.starts_with('/') && plain(text);
    let good = match kind {
        Kind::Text => plain(text),
        Kind::Word => plain(text) && text.chars().count() <= 64 && !text.contains(|c: char| c.is_whitespace() || ".*>/\\".contains(c)),
        Kind::Subject => plain(text) && text.len() <= 256 && is_subject(text),
        Kind::Choice(words) => words.contains(&text),
        Kind::Duration(least, most) => {
            duration::parse(text).is_ok_and(|length| (u128::from(least)..=u128::from(most)).contains(&length.as_millis()))
        }
        Kind::Size => text.parse::<ByteSize>().is_ok(),
        Kind::Path => absolute(),
        Kind::Roots => text == "embedded" || absolute(),
        Kind::Address => text.parse::<IpAddr>().is_ok(),
        Kind::Gateway => text == "auto" || text.parse::<IpAddr>().is_ok(),
        Kind::Prefix => match text.parse::<IpNet>() {
            Ok(net) if net.trunc() != net => return Err(Problem::HostBits { found: text.to_owned(), network: net.trunc().to_string() }),
            other => other.is_ok(),
        },
        Kind::Endpoint => text.parse::<SocketAddr>().is_ok_and(|at| at.port() != 0),
        Kind::Listen => text == "off" || text.parse::<SocketAddr>().is_ok_and(|at| at.ip().is_loopback()),
        Kind::Host => is_host(text),
        Kind::Server => text.parse::<ServerName>().is_ok(),
        Kind::Interface => text.parse::<IfPattern>().is_ok(),
        Kind::Url(allowed) => match text.parse::<Url>() {
            Ok(url) if !allowed.contains(&url.scheme()) && url.has_host() => {
                return Err(Problem::Scheme { found: url.scheme().to_owned(), allowed });
            }
            Ok(url) => url.host_str().is_some_and(|host| !host.is_empty()) && allowed.contains(&url.scheme()) && plain(text),
            Err(_) => false,
        },
        Kind::Timestamp => text.parse::<jiff::Timestamp>().is_ok(),
        Kind::TimeOfDay => text.parse::<jiff::civil::Time>().is_ok(),
        Kind::UsbId => text.len() == 4 && text.bytes().all(|b| b.is_ascii_hexdigit()),
        Kind::PublicKey => is_public_key(text),
        Kind::RuleSet => text == EXAMPLE || absolute(),
        Kind::Code => CODES.contains(&text),
        Kind::Boolean | Kind::Integer(..) | Kind::List(_) | Kind::Table(_) | Kind::Tables(..) | Kind::Variants(_) => false,
    };
    if good {
        return Ok(Value::Text(text.to_owned()));
    }
    let nearest = match kind {
        Kind::Choice(words) => nearest(text, words.iter().copied()),
        Kind::Code => nearest(text, CODES.iter().copied()),
        Kind::RuleSet => nearest(text, [EXAMPLE]),
        _ => None,
    };
    Err(Problem::BadValue { found: Found::Text(text.to_owned()), want: kind, nearest })
}

/// 32 bytes: 64 hexadecimal digits, or 43 characters of base64 with at most one `=`.
fn is_public_key(text: &str) -> bool {
    let base64 = text.strip_suffix('=').unwrap_or(text);
    (text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()))
        || (base64.len() == 43 && base64.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/-_".contains(&b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_has_the_epoch_in_it_and_no_wildcard() {
        for good in ["isonet.{region}.{terminal}.{epoch}", "{epoch}", "a.b-{epoch}.c"] {
            assert!(is_subject(good), "{good}");
        }
        for bad in
            ["isonet.{terminal}", "a..{epoch}", "a.{epoch}.", "a.*.{epoch}", "{epoch}.>", "a b.{epoch}", "a.{site}.{epoch}", "$JS.{epoch}"]
        {
            assert!(!is_subject(bad), "{bad}");
        }
    }
}
