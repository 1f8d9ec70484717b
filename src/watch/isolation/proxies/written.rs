//! Proxies in the settings of shells and of the package manager: `NAME_proxy=URL` and `Acquire::NAME::Proxy "URL"`. Pure, for any text.

use super::Named;
use crate::probe::outside::Speaks;

/// All that a text names; comments and direct connections are passed over, and what a script would compute is not known.
pub fn proxies(text: &str) -> Vec<Named> {
    text.lines().filter_map(proxy).collect()
}

fn proxy(line: &str) -> Option<Named> {
    let line = line.trim();
    if line.starts_with(['#', '/']) {
        return None;
    }
    // Of systemd's own settings the first that stands there.
    let line = line.strip_prefix("DefaultEnvironment=").unwrap_or(line);
    let lower = line.to_ascii_lowercase();
    let assigned = || {
        let (key, value) = line.split_once('=')?;
        // `export A=`, `"A=B"`.
        let key = key.trim().rsplit(|c: char| c.is_whitespace() || c == '"' || c == '\'').next()?.to_ascii_lowercase();
        (key.ends_with("_proxy") && key != "no_proxy").then_some(value)
    };
    let of_apt = || {
        lower
            .starts_with("acquire::")
            .then(|| line.split_once(char::is_whitespace).filter(|(key, _)| key.to_ascii_lowercase().ends_with("::proxy")))?
    };
    server(assigned().or_else(|| of_apt().map(|(_, value)| value))?)
}

/// `[SCHEME://][USER:SECRET@]HOST[:PORT][/…]`, perhaps quoted.
pub fn server(text: &str) -> Option<Named> {
    let text = text.trim().trim_matches(|c| matches!(c, '"' | '\'' | ';'));
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let authority = rest.split(['/', '?', '#']).next()?;
    // What stands before the at sign is a secret.
    let host = authority.rsplit('@').next()?;
    let speaks = if scheme.to_ascii_lowercase().starts_with("socks") { Speaks::Socks } else { Speaks::Http };
    let usual = if speaks == Speaks::Socks { "1080" } else { "80" };
    let (host, port) = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).unwrap_or((host, usual));
    let named = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || matches!(c, '$' | '"' | '\'') || c.is_control());
    named.then_some(Named { speaks, host: host.to_owned(), port: port.parse().ok().filter(|port| *port != 0)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Option<String> {
        proxy(line).map(|it| format!("{} {} {:?}", it.host, it.port, it.speaks))
    }

    #[test]
    fn proxies_are_read_as_they_are_written() {
        let told = [
            ("http_proxy=http://10.1.0.5:3128/", "10.1.0.5 3128 Http"),
            ("export HTTPS_PROXY=\"http://user:secret@10.1.0.5:3128\"", "10.1.0.5 3128 Http"),
            ("all_proxy='socks5://[fd00::5]:1080'", "[fd00::5] 1080 Socks"),
            ("ftp_proxy=proxy.house", "proxy.house 80 Http"),
            ("https_proxy = socks5h://10.1.0.5", "10.1.0.5 1080 Socks"),
            ("DefaultEnvironment=\"http_proxy=http://10.1.0.5:3128\"", "10.1.0.5 3128 Http"),
            ("Acquire::http::Proxy \"http://10.1.0.5:3142\";", "10.1.0.5 3142 Http"),
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
                for Named { host, port, .. } in proxies(&text) {
                    prop_assert!(port != 0 && !host.is_empty() && !host.contains(char::is_whitespace) && !host.contains('@'));
                }
            }
        }
    }
}
