//! Proxies that this PC is told to use, as far as they are written down: the environment of all sessions, shell profiles, the package manager.
//! The parser is pure, takes any text and runs nothing: what a script would compute is not known.

use crate::sys::files;
use crate::sys::resolv::{self, Places};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// No such file is larger.
const LARGEST: u64 = 256 * 1024;
/// Files of one directory, and proxies in all.
const MOST_FILES: usize = 64;
const MOST: usize = 4;

/// Proxies by address, with where they are written. Names count as far as the hosts file knows them.
pub fn configured() -> BTreeMap<SocketAddr, String> {
    let mut found = BTreeMap::new();
    let mut note = |text: &str, place: String| {
        for (host, port) in literals(text) {
            if let Some(ip) = address(&host).filter(|_| found.len() < MOST) {
                found.entry(SocketAddr::new(ip, port)).or_insert_with(|| place.clone());
            }
        }
    };
    for path in places() {
        if let Ok(text) = files::read_text(&path, LARGEST) {
            note(&text, path.display().to_string());
        }
    }
    for (key, value) in std::env::vars_os() {
        if let (Some(key), Some(value)) = (key.to_str(), value.to_str()) {
            note(&format!("{key}={value}"), "environment".to_owned());
        }
    }
    found
}

fn places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = ["/etc/environment", "/etc/apt/apt.conf"].into_iter().map(PathBuf::from).collect();
    for directory in ["/etc/profile.d", "/etc/apt/apt.conf.d"] {
        let entries = std::fs::read_dir(Path::new(directory)).into_iter().flatten().flatten();
        let mut inside: Vec<PathBuf> = entries.map(|entry| entry.path()).take(MOST_FILES).collect();
        inside.sort();
        places.extend(inside);
    }
    places
}

fn address(host: &str) -> Option<IpAddr> {
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    literal.or_else(|| resolv::hosts(&Places::default(), host).ok()?.first().copied())
}

/// Hosts and ports of `NAME_proxy=URL`, `NAME_PROXY=URL` and `Acquire::NAME::Proxy "URL"`; comments and direct connections are passed over.
fn literals(text: &str) -> Vec<(String, u16)> {
    text.lines().filter_map(literal).collect()
}

fn literal(line: &str) -> Option<(String, u16)> {
    let line = line.trim();
    if line.starts_with(['#', '/']) {
        return None;
    }
    let lower = line.to_ascii_lowercase();
    let assigned = || {
        let (key, value) = line.split_once('=')?;
        let key = key.trim().rsplit(char::is_whitespace).next()?.to_ascii_lowercase();
        (key.ends_with("_proxy") && key != "no_proxy").then_some(value)
    };
    let of_apt = || {
        lower
            .starts_with("acquire::")
            .then(|| line.split_once(char::is_whitespace).filter(|(key, _)| key.to_ascii_lowercase().ends_with("::proxy")))?
    };
    let value = assigned().or_else(|| of_apt().map(|(_, value)| value))?;
    let value = value.trim().trim_matches(|c| matches!(c, '"' | '\'' | ';'));
    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    // What stands before the at sign is a secret.
    let host = authority.rsplit('@').next()?;
    let (host, port) = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).unwrap_or((host, "80"));
    let named = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '$' || c.is_control());
    named.then_some((host.to_owned(), port.parse().ok().filter(|port| *port != 0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Option<String> {
        literal(line).map(|(host, port)| format!("{host} {port}"))
    }

    #[test]
    fn proxies_are_read_as_they_are_written() {
        let told = [
            ("http_proxy=http://10.1.0.5:3128/", "10.1.0.5 3128"),
            ("export HTTPS_PROXY=\"http://user:secret@10.1.0.5:3128\"", "10.1.0.5 3128"),
            ("all_proxy='socks5://[fd00::5]:1080'", "[fd00::5] 1080"),
            ("ftp_proxy=proxy.house", "proxy.house 80"),
            ("Acquire::http::Proxy \"http://10.1.0.5:3142\";", "10.1.0.5 3142"),
        ];
        for (line, expected) in told {
            assert_eq!(one(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_names_no_proxy_is_passed_over() {
        let lines = [
            "no_proxy=10.1.0.5:80",
            "# http_proxy=http://10.1.0.5:3128",
            "http_proxy=",
            "http_proxy=$OTHER",
            "http_proxy=http://10.1.0.5:0",
            "http_proxy=http://10.1.0.5:99999",
            "// Acquire::http::Proxy \"http://10.1.0.5:3142\";",
            "Acquire::http::Timeout \"10\";",
            "PATH=/usr/bin:/bin",
        ];
        for line in lines {
            assert_eq!(one(line), None, "{line}");
        }
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_settings_file_name_hosts_without_blanks(
                bytes in hostile(vec![b"http_proxy=http://u:p@10.1.0.5:3128/\nAcquire::http::Proxy \"http://h:1\";\n".to_vec()], 200)
            ) {
                let text = String::from_utf8_lossy(&bytes);
                for (host, port) in literals(&text) {
                    prop_assert!(port != 0 && !host.is_empty() && !host.contains(char::is_whitespace) && !host.contains('@'));
                }
            }
        }
    }
}
